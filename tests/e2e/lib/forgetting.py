# SPDX-License-Identifier: Apache-2.0
"""Somebody who deletes messages, and what a thief of her disk has afterwards."""
import pathlib
import shutil
import time

from lib.homes import unlock
from lib.needles import Needle, Search
from lib.node import Still
from lib.people import until
from lib.scene import canary
from lib.thief import Carved, copy_of, forgotten_in, slots
from lib.views import copy_home, files_of

DELETED = 8    # messages each way
BUCKETS = 256  # each has a key


class Deleter:
    """Somebody with a passphrase who deletes messages, received and sent. What her home was before
    is copied; where the keys lay of what she deletes is known. program: her daemon."""

    def __init__(self, w, relay, bob, name, program, open_=None):
        self.w, self.bob, self.open_, self.checks = w, bob, open_, w.checks
        folder = w.folder / f"seen-{name}"
        folder.mkdir()
        self.search = Search(pathlib.Path(w.options.tools) / "e2e_search", folder)
        self.passphrase = canary()
        self.node = w.person(name, start=False)
        self.node.program = str(program)
        self.node.start()
        self.node.create(relay, passphrase=self.passphrase)
        bob.meet(self.node)
        self.received = [canary() for _ in range(DELETED)]
        self.sent = [canary() for _ in range(DELETED)]
        self.kept = canary()
        for a, b, texts in ((bob, self.node, self.received), (self.node, bob, self.sent)):
            for message in [a.send(b, text) for text in texts]:
                a.delivered(message)
        self.generation = max(slots(self.node.home))
        bob.delivered(bob.send(self.node, self.kept))
        self.then = time.monotonic()
        self.early = self.late = self.before = None

    def quiet(self):
        """Waits until what they wrote is sealed anew, so that another 20 s go by before the next
        time, and she deletes in these."""
        forgotten_in(self.node.home, (self.generation, self.then))

    def deleted(self):
        return [*self.received, *self.sent]

    def copy_and_delete(self):
        """Her home is copied first."""
        alice, bob = self.node, self.bob
        self.checks.same("SIGTERM ends her", alice.terminate(), 0)
        self.early = copy_of(self.w, alice, f"early-{alice.name}")
        self.generation = max(slots(self.early))
        alice.start()
        self.checks.same("it is hers", unlock(alice, self.passphrase), True)
        orders = [m["order"] for m in alice.lines("history", bob.id) if m["text"] != self.kept]
        for order in orders:
            alice.ask("delete", bob.id, str(order))
        self.then = time.monotonic()
        alice.refused(4, "unknown-message", "delete", bob.id, str(orders[0]))
        self.checks.same("her history", alice.texts(bob.id), [self.kept])
        self.checks.same("what she sent", alice.texts(bob.id, mine=True), [])

    def look(self):
        """At every byte of her home, while the daemon has it open."""
        self.late = self.w.folder / f"late-{self.node.name}"
        shutil.rmtree(self.late, ignore_errors=True)
        with Still(self.node):
            copy_home(self.node, self.late)

    def open_early(self):
        """What opens in the copy of before with what was there then; the keys of what is deleted."""
        self.before = Carved(self.w, self.early, self.passphrase, files_of(self.early), self.open_)
        places = {t: self.before.having(t) for t in (*self.deleted(), self.kept)}
        self.checks.same("what the copy does not open to", [t for t in places if not places[t]], [])
        return {place[:2] for text in self.deleted() for place in places[text]}

    def needles(self):
        """What must not be found in the home: the texts, the keys under which they were, and the
        root that wrapped these, open and as the erase file had it."""
        sealed, root = self.before.roots[self.generation]
        keys = [Needle(f"key {place}", self.before.keys[place][1]) for place in self.open_early()]
        return [*(Needle(f"text {i}", text.encode()) for i, text in enumerate(self.deleted())),
                *keys, Needle("the root", root), Needle("the root, sealed", sealed)]

    def opened(self):
        """What opens with all that is there now and the passphrase, in that and in an earlier copy
        of the database."""
        files = [*files_of(self.late), *files_of(self.early / "db")]
        return Carved(self.w, self.late, self.passphrase, files, self.open_)

    def under_another_root(self):
        """Whether all keys are, as the disk has it now."""
        if max(slots(self.node.home)) == self.generation:
            return False
        self.look()
        under = self.opened().under
        return max(under) > self.generation and under[max(under)] >= BUCKETS

    def found(self):
        """How many of the deleted texts opened() has."""
        opened = self.opened()
        self.checks.true("what is not deleted opens", opened.having(self.kept))
        return len([t for t in self.deleted() if opened.having(t)])
