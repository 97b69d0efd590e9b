#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No key seals two bodies, also when a home was put back, as a trace of all bodies shows
(trace_seal.c); and the same trace finds it where it is so.

usage: keys_test.py --bin FOLDER --tools FOLDER [STORY...]"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import copy_of, put_back  # noqa: E402
from lib.people import until  # noqa: E402
from lib.trace import Verdict, went_back  # noqa: E402
from lib.world import main  # noqa: E402

WORDS = 12  # messages in a chain


def put_back_once(w, program):
    """Alice writes, her home is put back, and she writes again; the verdict on all keys. Bob is
    away meanwhile, so that nothing of his moves her ratchet on."""
    traces = [w.folder / f"{name}.trace" for name in ("alice", "bob")]
    people = []
    relay = w.person("relay", relay=True)
    for trace in traces:
        person = w.person(trace.stem, start=False, environment={"PETREL_TRACE": str(trace)})
        person.program = str(pathlib.Path(w.options.tools) / program)
        person.start()
        people.append(person.create(relay))
    alice, bob = people
    bob.meet(alice)
    until("all is acknowledged", lambda: alice.status()["outbox"] == bob.status()["outbox"] == 0)
    bob.stop()
    at_relay(alice, [alice.send(bob, "begins the chain that is gone back to")])
    alice.kill()
    copy = copy_of(alice.home, w.folder / "copy")
    alice.start()
    at_relay(alice, [alice.send(bob, f"before {i}") for i in range(WORDS)])
    alice.kill()
    put_back(copy, alice.home)
    went_back(traces[0])
    alice.start()
    after = [alice.send(bob, f"after {i}") for i in range(WORDS)]
    at_relay(alice, after)
    alice.kill()
    alice.start()
    bob.start()
    until("bob has what was written before", lambda: f"before {WORDS - 1}" in bob.texts(alice.id))
    return Verdict(traces)


def at_relay(person, messages):
    for message in messages:
        person.event_of("message.at-relay", message=message)


def no_body_key_is_used_twice(w):
    verdict = put_back_once(w, "petreld-traced")
    print(verdict)
    w.checks.same("what is wrong", verdict.wrong(), None)
    w.checks.same("bodies that were sealed twice", len(verdict.again), 0)
    w.checks.true("message keys that came again", len(verdict.went_back) >= WORDS)


def body_keys_that_do_not_cover_the_nonce_are_found(w):
    verdict = put_back_once(w, "petreld-traced-same")
    print(verdict)
    w.checks.true("body keys that were used twice", len(verdict.reused) >= WORDS)
    w.checks.true("so it says", verdict.wrong().startswith("one body key for two bodies"))


def a_ratchet_that_stands_still_is_found(w):
    verdict = put_back_once(w, "petreld-traced-still")
    print(verdict)
    w.checks.true("message keys twice in a process", len(verdict.stuck) >= WORDS - 1)
    w.checks.true("so it says", verdict.wrong().startswith("one message key twice"))
    w.checks.true("opened, as if it had not been on the disk", len(verdict.leaked) > 0)


STORIES = [no_body_key_is_used_twice, body_keys_that_do_not_cover_the_nonce_are_found,
           a_ratchet_that_stands_still_is_found]

if __name__ == "__main__":
    sys.exit(main(STORIES, __doc__, lambda parser: parser.add_argument(
        "--tools", required=True, help="folder with petreld-traced and its like")))
