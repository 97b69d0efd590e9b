#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every attack succeeds against a build that is weakened where it strikes.

usage: weakened.py REAL [PATCH PROGRAM]...

REAL is the attack program as it ships, PROGRAM the same one with PATCH applied. What is before the
patch itself says `Weakness: WHAT`, `Attacks: NAME...` (which succeed against it, and no others; lines
that begin with a blank go on), and `Alone: yes` where no others can be run against it. At most five
lines are added, and five taken away.
"""
import os
import pathlib
import re
import subprocess
import sys

LINES = 5
FEWEST = 8


class Weakness:
    def __init__(self, patch):
        self.name = patch.stem
        text = patch.read_text()
        head, _, hunks = text.partition("\n--- a/")
        fields = dict(re.findall(r"^(\w+): (.+(?:\n +.+)*)", head, re.M))
        self.what = fields.get("Weakness", "").strip()
        self.attacks = fields.get("Attacks", "").split()
        self.alone = fields.get("Alone", "").strip() == "yes"
        changes = [line[0] for line in hunks.splitlines()
                   if line[:1] in ("+", "-") and not line.startswith(("--- a/", "+++ b/"))]
        self.added, self.taken = changes.count("+"), changes.count("-")

    def wrong(self):
        if not self.what or not self.attacks:
            return "its patch does not say what it weakens, and which attacks"
        if not 0 < self.added + self.taken or max(self.added, self.taken) > LINES:
            return f"its patch adds {self.added} lines and takes {self.taken}; 1 to {LINES} each"
        return None

    def run(self, program):
        """None, or what went wrong."""
        rounds = [[name] for name in self.attacks] if self.alone else [self.attacks]
        for names in rounds:
            env = dict(os.environ)
            env.pop("CK_TAP_LOG_FILE_NAME", None)
            if self.alone:
                env["CK_RUN_CASE"] = names[0]
            done = subprocess.run([program, *names], env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=400)
            if done.returncode != 0:
                return f"{done.stdout}\nit ended with {done.returncode}"
        return None


def cases(program):
    """The names of all attacks."""
    done = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True,
                          timeout=60)
    return set(done.stdout.split())


def main(args):
    if len(args) < 3 or len(args) % 2 == 0:
        print(__doc__)
        return 2
    attacks = cases(args[0])
    succeeded = set()
    caught = wrong = 0
    for patch, program in zip(args[1::2], args[2::2]):
        weakness = Weakness(pathlib.Path(patch))
        fault = weakness.wrong() or weakness.run(program)
        if fault is None:
            caught += 1
            succeeded.update(weakness.attacks)
            print(f"{weakness.name}: {weakness.what}: caught by {', '.join(weakness.attacks)}")
        else:
            wrong += 1
            print(f"{weakness.name}: {weakness.what}: {fault}")
    for name in sorted(attacks - succeeded):
        print(f"{name}: no weakened build lets this attack succeed")
    variants = len(args) // 2
    print(f"{len(attacks)} attacks, {variants} weakened builds, {caught} caught")
    return 0 if attacks == succeeded and not wrong and variants >= FEWEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
