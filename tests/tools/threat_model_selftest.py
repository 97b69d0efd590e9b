#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one mistake at a time in a small threat model, or in what its tests left behind:
threat_model.py must name each.

usage: threat_model_selftest.py
"""
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).with_name("threat_model.py")

GOOD = """# Threat model

| | | section | test |
| --- | --- | --- | --- |
| cannot | fly | 07, 7.1 and 7.2 | `unit.a.b: one`, `two`; `sim.story` (all of it) |
| cannot | swim | design, 4; decision 0007 | No test yet |
| can | walk | - | no test: everybody sees it |
"""
CHAPTER = "# 7. The node\n\n## 7.1 Own relay\n\n## 7.2 Key bundle\n"
LOGS = {
    "unit.a.b": "ok 1 - x.c:a/b:one: Passed\nok 2 - x.c:a/b:two: Passed\nok 3 - x.c:a/b:three: Passed\n",
    "sim.story": "ok 1 - y.c:sim/story:all: Passed\n",
}

# what is replaced in the text or in a log, by what, words that the verdict must hold
PLANTED = (
    ("`unit.a.b: one`", "`unit.a.b: won`", "unit.a.b ran, but has no case won"),
    ("`two`", "`tow`", "unit.a.b ran, but has no case tow"),
    ("`unit.a.b: one`", "`unit.a.c: one`", "unit.a.c did not run"),
    ("`sim.story`", "`sim.tale`", "sim.tale did not run"),
    ("`sim.story`", "`docs/none.c`", "there is no docs/none.c"),
    ("`unit.a.b: one`, `two`; `sim.story` (all of it)", "`one`", "`one` is neither"),
    ("`unit.a.b: one`, `two`; `sim.story` (all of it)", "", "does not say 'no test'"),
    ("`unit.a.b: one`, `two`; `sim.story` (all of it)", "no test", "names no test at all"),
    ("No test yet", "later", "does not say 'no test'"),
    ("07, 7.1 and 7.2", "07, 7.1 and 7.3", "07-node.md has no section 7.3"),
    ("07, 7.1 and 7.2", "08, 8.1", "there is no chapter 08"),
    ("decision 0007", "decision 0070", "there is no decision 0070"),
    ("decision 0007", "decision 7", "no section: 'decision 7'"),
    ("07, 7.1 and 7.2", "", "no section: ''"),
    ("07, 7.1 and 7.2", "-", "no section: '-'"),
    ("| cannot | fly |", "| may not | fly |", "a row is"),
    ("| cannot | fly |", "| cannot | fly", "a row is"),
)
PLANTED_LOGS = (
    ("unit.a.b", "ok 1 -", "not ok 1 -", "unit.a.b: one failed"),
    ("unit.a.b", "ok 2 - x.c:a/b:two: Passed\n", "", "unit.a.b ran, but has no case two"),
    ("sim.story", "ok 1 -", "not ok 1 -", "sim.story failed"),
    ("sim.story", LOGS["sim.story"], "", "sim.story did not run"),
    ("sim.story", None, None, "sim.story did not run"),
)


def run(*args):
    done = subprocess.run([sys.executable, SCRIPT, *args], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout


def verdict(text, logs, begun=True):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        ran = root / "ran"
        (root / "docs/protocol").mkdir(parents=True)
        (root / "docs/threat-model.md").write_text(text)
        (root / "docs/protocol/07-node.md").write_text(CHAPTER)
        (root / "docs/decisions").mkdir()
        (root / "docs/decisions/0007-why.md").write_text("# 0007: Why\n")
        ran.mkdir()
        (ran / "unit.old.tap").write_text("ok 1 - x.c:old:one: Passed\n")
        if begun:
            run("begin", ran)
        for name, log in logs.items():
            (ran / f"{name}.tap").write_text(log)
        first = run("check", root, ran)
        return first, run("check", root, ran)


def main():
    wrong = []
    count = 0

    def expect(what, got, code, words):
        nonlocal count
        count += 1
        if got[0] != code or words not in got[1]:
            wrong.append(f"{what}: exit {got[0]} with\n{got[1]}   instead of {code} with '{words}'")

    first, second = verdict(GOOD, LOGS)
    expect("a good one", first, 0, "3 names of tests and 3 sections checked, 2 lines say")
    expect("logs of an earlier run", second, 1, "has run since the last check")
    expect("no run", verdict(GOOD, LOGS, begun=False)[0], 1, "has run since the last check")
    old = GOOD.replace("`sim.story`", "`unit.old: one`")
    expect("a log from before the run", verdict(old, LOGS)[0], 1, "unit.old did not run")
    for what, by, words in PLANTED:
        assert what in GOOD
        expect(f"{what} -> {by}", verdict(GOOD.replace(what, by), LOGS)[0], 1, words)
    for name, what, by, words in PLANTED_LOGS:
        logs = dict(LOGS)
        if what is None:
            del logs[name]
        else:
            assert what in logs[name]
            logs[name] = logs[name].replace(what, by)
        expect(f"log of {name}: {what} -> {by}", verdict(GOOD, logs)[0], 1, words)
    for line in wrong:
        print(line)
    print(f"{count} verdicts, {len(wrong)} wrong")
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
