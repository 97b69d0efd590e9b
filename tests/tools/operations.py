#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/operations.md names is there: commands of petrelctl, keys of petreld.conf with their
defaults, errors and events.

usage: operations.py BIN SOURCE [TEXT]     (TEXT instead of SOURCE/docs/operations.md)"""
import pathlib
import re
import subprocess
import sys


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commands(petrelctl):
    return {line for line in said(petrelctl, "help", "--list").splitlines() if line}


def keys(petreld):
    """Each key and its default."""
    return dict(re.findall(r"^([a-z._]+) = ?(.*)$", said(petreld, "--print-config"), re.M))


def wrong_in(text, there):
    """What the text names and nobody knows, and how many names were looked at."""
    wrong, looked = [], 0
    for words in re.findall(r"petrelctl ((?:relay )?[a-z][a-z-]*)", text):
        looked += 1
        if words not in there["commands"] and words.split()[0] not in there["commands"]:
            wrong.append(f"no command: petrelctl {words}")
    table = re.findall(r"^\| `([a-z._]+)` \| ([^|]*?) \| (yes|no) \|$", text, re.M)
    for key, default, _ in table:
        looked += 1
        if key not in there["keys"]:
            wrong.append(f"no key: {key}")
        elif not default.startswith(there["keys"][key] or "empty"):
            wrong.append(f"{key}: its default is not {default}")
    missing = sorted(set(there["keys"]) - {key for key, _, _ in table})
    wrong += [f"not named: {key}" for key in missing]
    for name in re.findall(r"^\|[^|]*?`([a-z]+(?:-[a-z]+)+)`", text, re.M):
        looked += 1
        if name not in there["errors"]:
            wrong.append(f"no error: {name}")
    for name in re.findall(r"`([a-z]+\.[a-z-]+)`", text):
        if name.split(".")[0] in ("message", "contact", "invite", "session", "request"):
            looked += 1
            if name not in there["events"]:
                wrong.append(f"no event: {name}")
    return wrong, looked


def main(args):
    if len(args) not in (2, 3):
        print(__doc__)
        return 2
    folder, source = pathlib.Path(args[0]), pathlib.Path(args[1])
    path = pathlib.Path(args[2]) if len(args) == 3 else source / "docs/operations.md"
    there = {
        "commands": commands(folder / "petrelctl"),
        "keys": keys(folder / "petreld"),
        "errors": set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"',
                                 (source / "proto/base/err.h").read_text())),
        "events": set(re.findall(r'EVENT\("([a-z.-]+)"',
                                 re.sub(r"\s*\\\n\s*", "", (source / "proto/control/methods.h")
                                        .read_text()))),
    }
    wrong, looked = wrong_in(path.read_text(encoding="utf-8"), there)
    for line in wrong:
        print(line)
    print(f"{looked} names checked, {len(wrong)} wrong")
    return 1 if wrong or looked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
