#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say shows something is there: every test that they name is known to ctest, every
case of one is in the tests' source. Whether it ran is docs.threat_model's to ask, for what that names.

usage: named_tests.py ROOT BUILD     of a build that has all tests
       named_tests.py selftest"""
import json
import pathlib
import re
import subprocess
import sys

SPAN = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(?:unit|attack|sim|e2e|corpus|vectors|docs|peers)\.[a-z0-9_.]+(?:\.\*)?")
CASE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+){3,}(?<!_ms)")  # functions are shorter, figures have units
WORD = re.compile(r"[a-z0-9_]+")


def wrong_in(text, tests, words):
    """The names in a document that are nobody's, with their lines."""
    wrong = []
    for number, line in enumerate(text.splitlines(), 1):
        for span in SPAN.findall(line):
            if TEST.fullmatch(span):
                family = span.removesuffix("*")
                known = span in tests or (span.endswith("*") and
                                          any(t.startswith(family) for t in tests))
            elif CASE.fullmatch(span):
                known = span in words
            else:
                continue
            if not known:
                wrong.append((number, span))
    return wrong


def tests_of(root, build):
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True,
                            stdout=subprocess.PIPE, timeout=60)
    tests = {t["name"] for t in json.loads(listed.stdout)["tests"]}
    # These are not there where npm is not.
    return tests | {f"peers.{folder.name}" for folder in (root / "tests/peers").iterdir()}


def words_of(root):
    words = set()
    for folder in ("proto", "daemon", "ctl", "tests"):
        for path in (root / folder).rglob("*"):
            if path.suffix in (".c", ".h", ".py", ".mjs", ".txt", ".cmake"):
                words.update(WORD.findall(path.read_text()))
    return words


def check(root, build):
    tests, words = tests_of(root, build), words_of(root)
    wrong, spans = [], 0
    for path in sorted([root / "README.md", *(root / "docs").rglob("*.md")]):
        text = path.read_text()
        spans += sum(1 for s in SPAN.findall(text) if TEST.fullmatch(s) or CASE.fullmatch(s))
        wrong += [f"{path.relative_to(root)}:{n}: there is no {name}"
                  for n, name in wrong_in(text, tests, words)]
    for line in wrong:
        print(line)
    print(f"{spans} names, {len(wrong)} wrong")
    return 1 if wrong or spans < 100 else 0


def selftest():
    tests, words = {"unit.a.b", "sim.c"}, {"a_case_of_it", "some"}
    good = "`unit.a.b` (`a_case_of_it`), `unit.a.*`, `sim.c`; `petreld --relay`, `not_looked_at`"
    bad = "`unit.a`\n`unit.b.*`, `a_case_of_nothing`\n`sim.d`"
    found = wrong_in(bad, tests, words)
    wanted = [(1, "unit.a"), (2, "unit.b.*"), (2, "a_case_of_nothing"), (3, "sim.d")]
    return 0 if not wrong_in(good, tests, words) and found == wanted else 1


def main(arguments):
    if arguments == ["selftest"]:
        return selftest()
    if len(arguments) != 2:
        sys.exit(__doc__)
    return check(pathlib.Path(arguments[0]), arguments[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
