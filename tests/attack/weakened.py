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
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from weakness import Weakness  # noqa: E402

FEWEST = 8


def attacks_of(weakness):
    return weakness.fields.get("Attacks", "").split()


def run(weakness, program):
    """None, or what went wrong."""
    attacks = attacks_of(weakness)
    alone = weakness.fields.get("Alone") == "yes"
    for names in [[name] for name in attacks] if alone else [attacks]:
        env = dict(os.environ)
        env.pop("CK_TAP_LOG_FILE_NAME", None)
        if alone:
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
        fault = weakness.wrong("Attacks") or run(weakness, program)
        if fault is None:
            caught += 1
            succeeded.update(attacks_of(weakness))
            print(f"{weakness.name}: {weakness.what}: caught by {', '.join(attacks_of(weakness))}")
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
