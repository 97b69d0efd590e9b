#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The simulator finds bugs: each broken variant of the core is caught by the checker that its patch
names, in a run in which nothing is wrong with the core as it ships.

usage: mutants.py REAL [PATCH PROGRAM]...

REAL is petrel-sim as it is, PROGRAM the same one with PATCH applied. What is before the patch itself
says `Weakness: WHAT`, `Breaks: WHAT`, `Checker: NAME` (the first word of the failure), `Run: OPTIONS`
of petrel-sim, and `Seed: N`, the first one that is tried: with another core the same seed is another
run, so that the next ones are tried too, and the core as it ships is run with the one that was found.

Where it says `Case: NAME` in place of the last three, PROGRAM is a test with PATCH applied, in which that
case and no other fails; the test as it ships is one of the suite.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from weakness import Weakness  # noqa: E402

FEWEST = 10
SEEDS = 40


def run(program, options, seed):
    """None when nothing failed, else the reason in the words of the checker."""
    done = subprocess.run([program, "--seed", str(seed), *options.split(), "--shrink", "0"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    lines = done.stdout.splitlines()
    failed = [i for i, line in enumerate(lines) if line.startswith("FAILED ")]
    if not failed:
        return None if done.returncode == 0 else f"it ended with {done.returncode}"
    return lines[failed[0] + 1]


def judge_case(weakness, program):
    """None, or what is wrong."""
    fault = weakness.wrong("Breaks", "Case")
    if fault is not None:
        return fault
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300)
    failed = re.findall(r":([FE]):[^:]*:(\w+):\d+: (.*)", done.stdout)
    if [(kind, case) for kind, case, _ in failed] != [("F", weakness.fields["Case"])]:
        return f"it ended with {done.returncode}; failures: {failed}"
    print(f"{weakness.name}: caught by {weakness.fields['Case']}: {failed[0][2]}", flush=True)
    return None


def judge(real, weakness, program):
    """None, or what is wrong."""
    if "Case" in weakness.fields:
        return judge_case(weakness, program)
    fault = weakness.wrong("Breaks", "Checker", "Run", "Seed")
    if fault is not None:
        return fault
    options, checker = weakness.fields["Run"], weakness.fields["Checker"]
    first = int(weakness.fields["Seed"])
    others = []
    for seed in range(first, first + SEEDS):
        why = run(program, options, seed)
        if why is not None and why.startswith(f"{checker}: "):
            sound = run(real, options, seed)
            if sound is not None:
                return f"seed {seed}: the core as it ships fails too: {sound}"
            print(f"{weakness.name}: seed {seed}: caught by {why}", flush=True)
            return None
        if why is not None:
            others.append(why)
    return f"{checker} found nothing with {SEEDS} seeds; others did: {others}"


def main(args):
    if len(args) < 3 or len(args) % 2 == 0:
        print(__doc__)
        return 2
    total = caught = 0
    for patch, program in zip(args[1::2], args[2::2]):
        weakness = Weakness(pathlib.Path(patch))
        fault = judge(args[0], weakness, program)
        total += 1
        caught += fault is None
        if fault is not None:
            print(f"{weakness.name}: {weakness.what} {fault}", flush=True)
    print(f"mutants_total {total}")
    print(f"mutants_caught {caught}")
    return 0 if caught == total and total >= FEWEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
