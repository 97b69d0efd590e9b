#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/threat-model.md and the tests agree: every test that it names ran, and passed, in this run of
ctest; every section that it names is there; whatever somebody cannot do has both, or says that there
is no test.

usage: threat_model.py begin LOGS     before any test that is named: forgets earlier runs
       threat_model.py check ROOT LOGS     after all of them

LOGS holds <test>.tap for each test, as Check writes it. `check` uses up what `begin` began, so that
logs of an earlier run or build never count.
"""
import pathlib
import re
import sys

BEGUN = "begun"
CASE = re.compile(r"(ok|not ok) \d+ - .*?:([A-Za-z0-9_]+): ")
SPAN = re.compile(r"`([^`]*)`")
TEST = re.compile(r"([a-z0-9]+(?:\.[a-z0-9_]+)+)(?:: ([a-z0-9_]+))?")
NUMBER = re.compile(r"\d+(?:\.\d+)*")
SECTION = re.compile(r"(design|\d\d)(?:, (\d+(?:\.\d+)*(?:(?:, | and )\d+(?:\.\d+)*)*))?")

DECISION = re.compile(r"decision (\d{4})")


class Book:
    """What is said, what is so, and where the two differ."""

    def __init__(self, root, logs):
        self.root = root
        self.logs = logs
        self.wrong = []
        self.checked = set()
        self.sections = set()
        self.without = 0

    def say(self, line, what):
        self.wrong.append(f"docs/threat-model.md:{line}: {what}")

    def cases(self, test):
        """Case -> whether it passed; None: the test left nothing behind."""
        try:
            text = (self.logs / f"{test}.tap").read_text()
        except FileNotFoundError:
            return None
        cases = {}
        for verdict, case in CASE.findall(text):
            cases[case] = verdict == "ok" and cases.get(case, True)
        return cases

    def check_name(self, line, test, case):
        cases = self.cases(test)
        name = test if case is None else f"{test}: {case}"
        self.checked.add(name)
        if not cases:
            self.say(line, f"{test} did not run: there is no such test, or it was skipped")
        elif case is None and not all(cases.values()):
            self.say(line, f"{test} failed")
        elif case is not None and case not in cases:
            self.say(line, f"{test} ran, but has no case {case}")
        elif case is not None and not cases[case]:
            self.say(line, f"{name} failed")

    def check_tests(self, line, cell):
        """The names in the last cell; how many there are."""
        test = None
        count = 0
        for span in SPAN.findall(cell):
            named = TEST.fullmatch(span)
            if "/" in span:
                if not (self.root / span).exists():
                    self.say(line, f"there is no {span}")
            elif named:
                test = named[1]
                self.check_name(line, test, named[2])
                count += 1
            elif test is not None and re.fullmatch(r"[A-Za-z0-9_]+", span):
                self.check_name(line, test, span)
                count += 1
            else:
                self.say(line, f"`{span}` is neither a test nor a case of the one before it")
        return count

    def check_section(self, line, cell):
        for part in cell.split("; "):
            named = SECTION.fullmatch(part)
            decision = DECISION.fullmatch(part)
            if decision:
                self.check_decision(line, decision[1])
            elif not named:
                self.say(line, f"no section: '{part}'")
            elif named[1] != "design":
                self.check_headings(line, named[1], NUMBER.findall(named[2] or ""))

    def check_decision(self, line, number):
        self.sections.add(f"decision {number}")
        if not list((self.root / "docs/decisions").glob(f"{number}-*.md")):
            self.say(line, f"there is no decision {number}")

    def check_headings(self, line, chapter, numbers):
        files = list((self.root / "docs/protocol").glob(f"{chapter}-*.md"))
        if not files:
            self.say(line, f"there is no chapter {chapter}")
            return
        headings = {m.rstrip(".") for m in re.findall(r"^#+ ([\d.]+) ", files[0].read_text(), re.M)}
        for number in numbers:
            self.sections.add(f"{chapter}, {number}")
            if number not in headings:
                self.say(line, f"{files[0].name} has no section {number}")

    def check_row(self, line, row):
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if cells == ["", "", "section", "test"] or set("".join(cells)) == {"-"}:
            return
        if len(cells) != 4 or cells[0] not in ("can", "cannot"):
            self.say(line, "a row is: can or cannot, what, section, test")
            return
        if cells[2] == "-" and cells[0] == "can":
            pass
        else:
            self.check_section(line, cells[2])
        if self.check_tests(line, cells[3]) == 0:
            self.without += 1
            if "no test" not in cells[3].lower():
                self.say(line, "names no test, and does not say 'no test'")

    def check(self):
        text = (self.root / "docs/threat-model.md").read_text()
        for line, row in enumerate(text.splitlines(), 1):
            if row.startswith("|"):
                self.check_row(line, row)
        if not self.checked:
            self.wrong.append("docs/threat-model.md names no test at all")


def check(root, logs):
    begun = logs / BEGUN
    if not begun.exists():
        print("no test that docs/threat-model.md names has run since the last check.\n"
              "ctest -R docs.threat_model runs all of them first; without its fixtures (-FA) it "
              "cannot know.")
        return 1
    begun.unlink()
    book = Book(root, logs)
    book.check()
    for wrong in book.wrong:
        print(wrong)
    print(f"{len(book.checked)} names of tests and {len(book.sections)} sections checked, "
          f"{book.without} lines say that there is no test, {len(book.wrong)} wrong")
    return 1 if book.wrong else 0


def begin(logs):
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.iterdir():
        old.unlink(missing_ok=True)
    (logs / BEGUN).touch()
    return 0


def main(args):
    if len(args) == 2 and args[0] == "begin":
        return begin(pathlib.Path(args[1]))
    if len(args) == 3 and args[0] == "check":
        return check(pathlib.Path(args[1]), pathlib.Path(args[2]))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
