# SPDX-License-Identifier: Apache-2.0
"""What trace_seal.c wrote down of the bodies that daemons sealed and opened, and whether a key was
used twice.

Into the same file a test writes `back`, while the daemon is not running, where the home is put into
an earlier state or its place is taken by another one."""
import pathlib
import re

LINE = re.compile(r"start \d+|fail|back|open [0-9a-f]{32}|"
                  r"seal [0-9a-f]{16} [0-9a-f]{32} [0-9a-f]{32} [0-9a-f]{32}")


def went_back(path):
    """Notes that what is sealed from here on comes from another state."""
    with open(path, "a", encoding="ascii") as file:
        file.write("back\n")


class Seal:
    """One body. process: how often memory had been filled from the disk by then, by a start or
    since a turn had failed. life: how often the home had gone back."""

    def __init__(self, file, process, life, words):
        self.file, self.process, self.life = file, process, life
        self.session, self.message_key, self.body_key, self.sealed = words

    def __str__(self):
        return f"{self.file} process {self.process} life {self.life} session {self.session}"


def read(path):
    """All bodies that were sealed, in their order, and which were opened."""
    seals, opened, process, life = [], set(), 0, 0
    for line in pathlib.Path(path).read_text(encoding="ascii").splitlines():
        if LINE.fullmatch(line) is None:
            raise ValueError(f"{path}: no line of a trace: {line!r}")
        word, *rest = line.split()
        process += word in ("start", "fail")
        life += word == "back"
        if word == "seal":
            seals.append(Seal(pathlib.Path(path).name, process, life, rest))
        elif word == "open":
            opened.add(rest[0])
    return seals, opened


class Verdict:
    """Of all daemons of a test together.

    reused     pairs of bodies that differ, under the same key and nonce: must not be
    stuck      pairs under the same message key from one process: the ratchet did not move on
    again      bodies that were sealed once more, byte for byte: harmless, and needless
    unsaved    message keys that came again after a kill or a turn that failed, since what had moved
               the ratchet on was not on the disk by then
    leaked     those of them whose first body somebody opened: it must not have left the machine
    went_back  message keys that came again after the home went back (docs/decisions/0008-*.md)
    """

    def __init__(self, paths):
        self.bodies = 0
        self.reused, self.stuck, self.again = [], [], []
        self.unsaved, self.leaked, self.went_back = [], [], []
        self.opened = set()
        self.sessions, self.processes = set(), 0
        by_body, by_message = {}, {}
        for path in paths:
            seals, opened = read(path)
            self.opened |= opened
            self.processes += max((seal.process for seal in seals), default=0)
            for seal in seals:
                self._take(seal, by_body, by_message)
        self.leaked = [pair for pair in self.unsaved if pair[0].sealed in self.opened]

    def _take(self, seal, by_body, by_message):
        self.bodies += 1
        self.sessions.add(seal.session)
        twin = by_body.setdefault(seal.body_key, seal)
        if twin is not seal:
            (self.again if twin.sealed == seal.sealed else self.reused).append((twin, seal))
        for twin in by_message.setdefault(seal.message_key, []):
            self._same_message_key(twin, seal)
        by_message[seal.message_key].append(seal)

    def _same_message_key(self, twin, seal):
        if twin.file != seal.file or (twin.process, twin.life) == (seal.process, seal.life):
            self.stuck.append((twin, seal))
        elif twin.life != seal.life:
            self.went_back.append((twin, seal))
        else:
            self.unsaved.append((twin, seal))

    def __str__(self):
        return (f"keys: {self.bodies} bodies of {self.processes} processes in {len(self.sessions)} "
                f"sessions, {len(self.opened)} opened\n"
                f"  one body key for two bodies: {len(self.reused)}; one body sealed twice: "
                f"{len(self.again)}\n"
                f"  one message key twice in a process: {len(self.stuck)}; after a turn that was "
                f"not on the disk: {len(self.unsaved)}, {len(self.leaked)} of them opened; "
                f"after going back: {len(self.went_back)}")

    def wrong(self):
        """What is wrong, in a sentence, or None."""
        if self.bodies == 0:
            return "no body was traced"
        if self.reused:
            return f"one body key for two bodies: {self.reused[0][0]}, and {self.reused[0][1]}"
        if self.stuck:
            return f"one message key twice: {self.stuck[0][0]}, and {self.stuck[0][1]}"
        if self.leaked:
            return f"opened, but not on the disk: {self.leaked[0][0]}, and {self.leaked[0][1]}"
        return None
