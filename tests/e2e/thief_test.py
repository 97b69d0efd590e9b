#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who steals the disk of somebody with a passphrase, and does not know it, finds there neither what
was said nor with whom (docs/protocol/08-at-rest.md, section 8.2).

usage: thief_test.py --bin FOLDER --tools FOLDER [STORY...]

Alice has three contacts: by an invitation of hers, by one of theirs, and by her ID alone. Her home is
copied at several moments, as it lies on the disk while it is in use, and every byte of it is searched;
so are the rows that node.key opens, which lies there, too. Where rows are not sealed
(petreld-open-rows, open_aead.c) the same search must find all of it."""
import pathlib
import random
import string
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import unlock  # noqa: E402
from lib.needles import Needle, Search  # noqa: E402
from lib.node import Still  # noqa: E402
from lib.people import until  # noqa: E402
from lib.scene import canary  # noqa: E402
from lib.searching import holds, holds_nothing  # noqa: E402
from lib.views import Reader, copy_home, files_of, within_a_turn  # noqa: E402
from lib.world import main  # noqa: E402

WORDS = 3        # of a message
WORD = 20        # letters of each: enough to be searched for by itself
ROUNDS = 4       # of messages, until she is killed and afterwards
CAUGHT = 40      # messages within which a turn must have been caught
# What names somebody, beside the ID: device keys, and what their relay knows them by.
KEYS = ("id", "device", "mls", "dh", "queue", "record", "member")


class Home:
    """Alice's, with all that is said in it. open_: where sealing is switched off, or None."""

    def __init__(self, w, open_=None):
        tools = pathlib.Path(w.options.tools)
        suffix = "" if open_ is None else f"-open-{open_}"
        folder = w.folder / "seen"
        folder.mkdir()
        self.w = w
        self.search = Search(tools / "e2e_search", folder)
        self.reader = Reader(tools / f"e2e_rows{suffix}", folder)
        self.copies = []  # folders
        self.words = []
        self.names = []   # she gives to her contacts
        self.passphrase = canary()
        self.relay = w.person("relay", relay=True)
        self.alice = w.person("alice", start=False)
        self.alice.program = str(w.bin / "petreld" if open_ is None
                                 else tools / f"petreld{suffix}")
        self.alice.start()
        self.alice.create(self.relay, passphrase=self.passphrase)
        self.friends = [w.person(name).create(self.relay) for name in ("bob", "carol", "dave")]

    def look(self, what):
        folder = self.w.folder / f"home-{len(self.copies)}-{what}"
        copy_home(self.alice, folder)
        self.copies.append(folder)

    def name(self):
        self.names.append(canary())
        return self.names[-1]

    def text(self):
        words = ["".join(random.choices(string.ascii_letters, k=WORD)) for _ in range(WORDS)]
        self.words += words
        return " ".join(words)

    def meet(self):
        alice, (bob, carol, dave) = self.alice, self.friends
        bob.call("contact.add", link=alice.call("invite.create")["link"])
        alice.call("contact.add", link=carol.call("invite.create")["link"], name=self.name())
        dave.call("contact.add", link=alice.id, text=self.text())
        until("Dave asks", lambda: any(r["id"] == dave.id
                                       for r in alice.call("request.list")["requests"]))
        with Still(alice):
            self.look("asked")
        alice.call("request.accept", contact=dave.id, name=self.name())
        for friend in self.friends:
            until(f"she has {friend.name}",
                  lambda f=friend: alice.contact(f.id)["state"] == "accepted" and
                  f.contact(alice.id)["state"] == "accepted")

    def talk(self):
        for friend in self.friends:
            self.alice.delivered(self.alice.send(friend, self.text()))
            friend.delivered(friend.send(self.alice, self.text()))

    def caught(self):
        """Looks within a turn of hers."""
        for _ in range(CAUGHT):
            self.friends[0].send(self.alice, self.text())
            if within_a_turn(self.alice, lambda: self.look("turn")):
                return True
        return False

    def play(self):
        alice, checks = self.alice, self.w.checks
        self.meet()
        for _ in range(ROUNDS):
            self.talk()
        with Still(alice):
            self.look("used")
        checks.true("she was looked at within a turn", self.caught())
        for friend in self.friends:
            friend.send(alice, self.text())
            alice.send(friend, self.text())
        alice.kill()
        self.look("killed")
        alice.start()
        checks.same("her account", alice.status()["account"], "locked")
        with Still(alice):
            self.look("locked")
        checks.same("the passphrase opens it", unlock(alice, self.passphrase), True)
        for _ in range(ROUNDS):
            self.talk()
        with Still(alice):
            self.look("again")
        for person in (alice, *self.friends):
            checks.same(f"exit code of {person.name}", person.stop(), 0)
        self.look("ended")
        return self

    def needles(self):
        found = [Needle(f"word {i}", word.encode()) for i, word in enumerate(self.words)]
        found += [Needle(f"name {i}", name.encode()) for i, name in enumerate(self.names)]
        found.append(Needle("the passphrase", self.passphrase.encode()))
        for person in (self.alice, *self.friends):
            # Of the others, whose daemons seal, whichever tool reads them.
            keys = self.keys_of(person)
            found += [Needle(f"{person.name}'s {key}", keys[key],
                             person.id if key == "id" else None) for key in KEYS]
        return found

    def keys_of(self, person):
        if person is self.alice:
            return self.reader.names(person.home, passphrase=self.passphrase)
        sealed = Reader(pathlib.Path(self.w.options.tools) / "e2e_rows", self.search.folder)
        return sealed.names(person.home)

    def files(self):
        return [f for copy in self.copies for f in files_of(copy)]

    def opened(self):
        """All rows at all moments as they are for who has node.key, which no passphrase seals."""
        path = self.search.folder / "rows"
        rows = [row for copy in self.copies for row in self.reader.rows(copy)]
        self.w.checks.true("node.key opens some", any(opened for _, _, opened, _ in rows))
        path.write_bytes(b"\n".join(key + b"\n" + value for _, key, _, value in rows))
        return [path]


def a_thief_without_the_passphrase_finds_nothing(w):
    home = Home(w).play()
    needles = home.needles()
    w.checks.same("contacts that she has", len([c for c in home.keys_of(home.alice)
                                                if c.startswith("contact-")]), 3)
    holds_nothing(home, "the home", needles, home.files())
    holds_nothing(home, "rows opened with node.key", needles, home.opened())


def the_same_search_finds_it_where_rows_are_open(w):
    home = Home(w, "rows").play()
    needles = home.needles()
    of_contacts = [f"{f.name}'s {key}" for f in home.friends for key in ("id", "device", "dh")]
    wanted = [n.name for n in needles if n.name.startswith(("word", "name"))]
    holds(home, "the home", [*wanted, *of_contacts, "alice's queue"], needles, home.files())


STORIES = [a_thief_without_the_passphrase_finds_nothing,
           the_same_search_finds_it_where_rows_are_open]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_search and e2e_rows")


if __name__ == "__main__":
    main(STORIES, "who steals a disk finds nothing on it", options_of)
