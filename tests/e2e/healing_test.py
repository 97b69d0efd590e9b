#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions heal by themselves, with real daemons: a whole home that was put back, and new keys at
the owner's word (docs/protocol/07-node.md, section 7.3.1).

usage: healing_test.py --bin FOLDER [STORY...]"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import copy_of, put_back  # noqa: E402
from lib.people import until  # noqa: E402
from lib.world import main  # noqa: E402

READ = ("a message of theirs could not be read here", "a message of ours could not be read there")
BACK = ("this device went back to an earlier state", "their device went back to an earlier state")
ASKED = ("asked for here", "asked for by the other side")


def words(person, other):
    """What people wrote in this history, and the reasons for new keys."""
    lines = person.lines("history", other.id)
    return ([m["text"] for m in lines if m["type"] == "text"],
            [m["text"] for m in lines if m["type"] == "rekeyed"])


def said(who, other, text):
    who.delivered(who.send(other, text))


def a_home_that_was_put_back_goes_on(w):
    """The whole of it, erase file and all: nothing on the disk tells that it is old."""
    _, alice, bob = w.three()
    bob.meet(alice)
    said(bob, alice, "one")
    said(alice, bob, "two")
    alice.stop()
    copy = copy_of(alice.home, w.folder / "copy")
    alice.start()
    said(bob, alice, "three")
    said(alice, bob, "four")
    said(bob, alice, "five")
    alice.stop()
    put_back(copy, alice.home)
    alice.start()
    until("her relay is ready", lambda: alice.call("relay.status")["state"] == "ready")
    w.checks.same("what she has", words(alice, bob), (["one", "two"], []))
    said(bob, alice, "six")
    said(alice, bob, "seven")
    until("both say why", lambda: len(words(alice, bob)[1]) == len(words(bob, alice)[1]) == 1)
    theirs, why = words(bob, alice)
    w.checks.same("bob's history", theirs, ["one", "two", "three", "four", "five", "six", "seven"])
    w.checks.same("hers", words(alice, bob)[0], ["one", "two", "six", "seven"])
    reasons = (words(alice, bob)[1][0], why[0])
    w.checks.true(f"the reasons: {reasons}", reasons in (READ, BACK))
    event = alice.event_of("session.reset", contact=bob.id)
    w.checks.same("her event", event["data"]["why"], reasons[0])
    w.checks.true("its place", event["data"]["order"] > 0)
    text = alice.ctl("history", bob.id).stdout.decode()
    w.checks.true("a plain line", f"new keys: {reasons[0]}" in text)


def new_keys_are_asked_for(w):
    _, alice, bob = w.three()
    bob.meet(alice)
    said(bob, alice, "one")
    w.checks.same("exit code", alice.ctl("rekey").returncode, 0)
    until("both say why", lambda: (words(alice, bob)[1], words(bob, alice)[1]) ==
          ([ASKED[0]], [ASKED[1]]))
    said(bob, alice, "two")
    said(alice, bob, "three")
    w.checks.same("bob's history", words(bob, alice)[0], ["one", "two", "three"])
    carol = w.person("carol").create(w.people[0])
    carol.meet(alice)
    said(carol, alice, "to the new keys")
    bob.refused(2, None, "rekey", "now")


STORIES = [a_home_that_was_put_back_goes_on, new_keys_are_asked_for]

if __name__ == "__main__":
    sys.exit(main(STORIES, __doc__))
