#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same seed is the same run, however the simulator was compiled.

usage: same_hash.py PROGRAM... -- OPTIONS...

Runs each program with these options and compares what it prints at its end, down to the hash of
everything that happened; only how long it took may differ, and how much the allocator took for it, which
with sanitizers is another one. 77, a visible skip, when one of them was
not built.
"""
import os
import subprocess
import sys


def lines(program, options):
    done = subprocess.run([program, *options, "--shrink", "0"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=500)
    if done.returncode != 0:
        sys.exit(f"{program} ended with {done.returncode}:\n{done.stdout}")
    said = [line for line in done.stdout.splitlines()
            if not line.startswith(("sim_messages_per_s ", "memory: "))]
    if not any(line.startswith("sim_trace_hash ") for line in said):
        sys.exit(f"{program} prints no hash")
    return said


def main(args):
    if "--" not in args or args.index("--") < 2:
        print(__doc__)
        return 2
    programs, options = args[:args.index("--")], args[args.index("--") + 1:]
    missing = [program for program in programs if not os.path.exists(program)]
    if missing:
        print(f"skipped: not built: {', '.join(missing)}")
        return 77
    first = lines(programs[0], options)
    for program in programs[1:]:
        for ours, theirs in zip(first, lines(program, options)):
            if ours != theirs:
                print(f"{programs[0]}: {ours}\n{program}: {theirs}")
                return 1
    print(f"{len(programs)} programs, one run: {first[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
