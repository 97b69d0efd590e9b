#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/operations.md names is there: commands and options, keys of petreld.conf with default and
whether SIGHUP reads them, errors, events, findings, log lines, packages, chapters, links. Its
configurations are checked by petreld.

usage: operations.py BIN SOURCE [TEXT]     (TEXT instead of SOURCE/docs/operations.md)"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HYPHENS = r"[a-z]+(?:-[a-z]+)+"


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def options_in(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


class There:
    """What the programs and the sources know."""

    def __init__(self, folder, source):
        self.source, self.petreld = source, folder / "petreld"
        help_text = said(folder / "petrelctl", "help")
        names = said(folder / "petrelctl", "help", "--list").split("\n")
        usages = re.findall(r"^  (\S.*)$", help_text, re.M)
        self.commands = {
            name: options_in(next(u for u in usages if (u + " ").startswith(name + " ")))
            for name in names if name}
        self.everywhere = options_in(help_text.split("\n\n", maxsplit=1)[0])
        self.daemon = options_in(said(self.petreld, "--help"))
        printed = said(self.petreld, "--print-config")
        self.keys = {key: (default, "SIGHUP" in told) for told, key, default in
                     re.findall(r"^# (.*default: .*)\n([a-z._]+) = ?(.*)$", printed, re.M)}
        self.errors = set(re.findall(r'\b[A-Z]+, "([a-z-]+)",', self.read("proto/base/err.h")))
        methods = self.read("proto/control/methods.h")
        flat = re.sub(r"\s*\\\n\s*", "", methods)
        self.events = set(re.findall(r'EVENT\("([a-z.-]+)"', flat))
        self.methods = set(re.findall(r'METHOD\("([a-z.]+)"', flat))
        self.states = set(re.findall(r"[a-z]+(?:-[a-z]+)*", " ".join(
            re.findall(r'RESULT\(.*?, "([^"]*)"\)', flat))))
        doctor = self.read("ctl/doctor.c") + self.read("ctl/cmd/doctor.c")
        self.findings = set(re.findall(
            r'\b(?:doctor_say|FINDING_[A-Z]+|state)\b[^";]*"([a-z]+)"', doctor))
        self.log = "".join(p.read_text() for p in sorted((source / "daemon").rglob("*.c")))
        line = re.search(r"packages_build=\((.*?)\)", self.read("contrib/lib.sh"), re.S)
        self.packages = set(line[1].split())

    def read(self, path):
        return (self.source / path).read_text(encoding="utf-8")


class Check:
    def __init__(self, there):
        self.there, self.wrong, self.counts = there, [], {}

    def look(self, kind, well, what):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if not well:
            self.wrong.append(f"{kind}: {what}")

    # --- commands ---

    def petrelctl(self, words, line):
        known = self.there.commands
        while words and words[0] in ("--home", "--account", "--timeout", "--json"):
            words = words[1 if words[0] == "--json" else 2:]
        name = next((n for n in (" ".join(words[:2]), words[0] if words else "") if n in known), None)
        if not words or words == ["relay"]:
            return
        self.look("command", name is not None, line)
        for word in words[len(name.split()):] if name else []:
            if word.startswith("--"):
                self.look("option", word in known[name] | self.there.everywhere, f"{word}: {line}")
            if word == "--exec":
                break

    def command(self, line):
        for part in re.split(r"&&|\|\||[|;]", line):
            try:
                words = shlex.split(re.sub(r"\d?<+\S+", "", part), comments=True)
            except ValueError:
                continue
            program = words[0].rsplit("/", 1)[-1] if words else ""
            if program == "petrelctl":
                self.petrelctl(words[1:], part.strip())
            elif program == "petreld":
                for word in words[1:]:
                    if word.startswith("--"):
                        self.look("option", word in self.there.daemon, part.strip())
            elif words[:2] == ["apt-get", "install"]:
                self.look("packages", set(words[2:]) == self.there.packages,
                          f"{sorted(set(words[2:]) ^ self.there.packages)} differ from contrib/lib.sh")

    def conf(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "petreld.conf")
            path.write_text(text, encoding="utf-8")
            done = subprocess.run([self.there.petreld, "--home", folder, "--config", path,
                                   "--check-config"], capture_output=True, text=True, check=False)
        self.look("configuration", done.returncode == 0, done.stderr.strip())

    # --- names ---

    def span(self, span):
        """One piece of text between backquotes."""
        first = span.split()[0].rsplit("/", 1)[-1] if span.split() else ""
        if first in ("petrelctl", "petreld") and len(span.split()) > 1:
            self.command(span)
        elif re.fullmatch(r"--[a-z-]+(?: [A-Z~].*|=.*)?", span):
            option = re.split(r"[ =]", span)[0]
            known = set.union(self.there.daemon, *self.there.commands.values(),
                              {"--prefix"} | self.there.everywhere)
            self.look("option", option in known, span)
        elif key := re.fullmatch(r"([a-z._]+) = [a-z]+", span):
            self.look("key", key[1] in self.there.keys, span)
            self.conf(f"listen = 127.0.0.1:1\n{span}\n")
        elif re.fullmatch(r"[a-z]+\.[a-z_-]+", span) and self.is_ours(span):
            self.look("key, event or method", span in
                      set(self.there.keys) | self.there.events | self.there.methods, span)
        elif re.fullmatch(HYPHENS, span):
            self.look("name", span in self.there.errors | set(self.there.commands) |
                      self.there.states, span)

    def is_ours(self, span):
        names = self.there.events | self.there.methods | {"log.level"}
        return span.split(".")[0] in {n.split(".")[0] for n in names} and \
            span not in ("account.key", "petreld.service")

    def keys(self, text):
        table = re.findall(r"^\| `([a-z._]+)` \| ([^|]*?) \| (yes|no) \|", text, re.M)
        for key, default, again in table:
            true = self.there.keys.get(key)
            self.look("key", true is not None and default.startswith(true[0] or "empty") and
                      (again == "yes") == true[1], f"{key}, {default}, {again}: it is {true}")
        for key in sorted(set(self.there.keys) - {row[0] for row in table}):
            self.look("key", False, f"{key} is not in the table")

    def tables(self, text):
        """First column of the tables of log lines and of symptoms."""
        log = re.search(r"^\| log line \|.*?\n\n", text + "\n\n", re.M | re.S)
        for name in re.findall(r"^\| `([^`]+)`", log[0], re.M) if log else []:
            self.look("log line", f'"{name}"' in self.there.log, name)
        seen = re.search(r"^\| what you see \|.*?\n\n", text + "\n\n", re.M | re.S)
        for row in re.findall(r"^\|([^|]*)\|", seen[0], re.M) if seen else []:
            names = re.findall(r"`([a-z-]+)`", row)
            if row.startswith(" finding "):
                for name in names:
                    self.look("finding", name in self.there.findings, name)
                continue
            for name in names:
                self.look("error or state", name in self.there.errors | self.there.states |
                          set(self.there.commands), name)

    def places(self, text, folder):
        for chapter, section in re.findall(r"chapter (\d+), (\d+\.\d+(?:\.\d+)?)", text):
            files = list((self.there.source / "docs/protocol").glob(f"{int(chapter):02}-*.md"))
            self.look("chapter", any(re.search(rf"^#+ {re.escape(section)} ", f.read_text(), re.M)
                                     for f in files), f"{chapter}, {section}")
        for target, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", text):
            path = folder / target
            heads = re.findall(r"^#+ (.*)$", path.read_text(), re.M) if path.is_file() else []
            anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in heads}
            self.look("link", path.exists() and (not anchor or anchor in anchors),
                      f"{target}#{anchor}")

    def text(self, text, folder):
        for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
            if kind == "conf":
                self.conf(block)
            for line in block.splitlines() if kind == "sh" else []:
                self.command(line)
            for name in re.findall(r"\b[a-z]+\.[a-z]+\b", block) if kind == "script" else []:
                self.look("event", name in self.there.events, name)
        plain = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        for span in re.findall(r"`([^`\n]+)`", plain):
            self.span(span)
        self.keys(text)
        self.tables(text)
        self.places(text, folder)


KINDS = {"command", "option", "packages", "configuration", "key", "key, event or method", "name",
         "log line", "finding", "error or state", "chapter", "link", "event"}


def main(args):
    if len(args) not in (2, 3):
        print(__doc__)
        return 2
    folder, source = pathlib.Path(args[0]), pathlib.Path(args[1])
    path = pathlib.Path(args[2]) if len(args) == 3 else source / "docs/operations.md"
    check = Check(There(folder, source))
    check.text(path.read_text(encoding="utf-8"), source / "docs")
    for kind in sorted(KINDS - set(check.counts)):
        check.wrong.append(f"{kind}: none was found to be checked")
    for line in check.wrong:
        print(line)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(check.counts.items())))
    print(f"{sum(check.counts.values())} names checked, {len(check.wrong)} wrong")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
