#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was deleted is forgotten: an earlier copy of the database opens with nothing that the disk
has a minute later (docs/protocol/08-at-rest.md, section 8.10).

usage: forget_test.py --bin FOLDER --tools FOLDER [STORY...]"""
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import pipe_with  # noqa: E402
from lib.people import until  # noqa: E402
from lib.thief import MINUTE, copy_of, forgotten_in, mixed, opened, quiet, slots  # noqa: E402
from lib.world import main  # noqa: E402

def found_in(home, text):
    """Files of a home in which the text stands, in one of its forms."""
    needles = (text.encode(), text.encode().hex().encode(), text.encode().hex().upper().encode())
    return [str(path.relative_to(home)) for path in home.rglob("*")
            if path.is_file() and any(n in path.read_bytes() for n in needles)]


def a_deleted_message_opens_no_more(w):
    _, alice, bob = w.three()
    bob.meet(alice)
    secret = os.urandom(16).hex()
    kept = os.urandom(16).hex()
    for text in (secret, kept):
        bob.delivered(bob.send(alice, text))
    until("both are there", lambda: len(alice.texts(bob.id)) == 2)
    event = alice.event_of("message.received", contact=bob.id)
    w.checks.same("the event has the text", event["data"]["text"], secret)
    w.checks.same("SIGTERM ends her", alice.terminate(), 0)
    early = copy_of(w, alice, "early")
    w.checks.same("what the copy opens to", opened(w, early), {secret, kept})
    alice.start()

    generation = max(slots(alice.home))
    order = next(m["order"] for m in alice.lines("history", bob.id) if m["text"] == secret)
    alice.ask("delete", bob.id, str(order))
    then = time.monotonic()
    alice.refused(4, "unknown-message", "delete", bob.id, str(order))
    w.checks.same("her history", alice.texts(bob.id), [kept])
    event = alice.event_of("message.received", contact=bob.id)
    w.checks.same("the event has no text", event["data"].get("text"), None)
    took = forgotten_in(alice.home, (generation, then))
    w.checks.true(f"it took {took:.0f} s, a minute at most", took <= MINUTE)
    w.checks.same("SIGTERM ends her again", alice.terminate(), 0)
    late = copy_of(w, alice, "late")
    w.checks.same("what her home opens to", opened(w, late), {kept})
    w.checks.same("the copy with the keys of now", opened(w, mixed(w, "both", early, late)), None)
    w.checks.same("and with its own", opened(w, mixed(w, "own", early, early)), {secret, kept})
    for text in (secret, kept):
        w.checks.same("files with a text", found_in(late, text), [])
    for form in (kept, kept.encode().hex()):
        (late / "planted").write_text(form)
        w.checks.same("what was planted is found", found_in(late, kept), ["planted"])
    alice.start()
    bob.delivered(bob.send(alice, "still here"))
    until("they go on", lambda: alice.texts(bob.id) == [kept, "still here"])


def a_database_that_was_put_back_is_refused_by_name(w):
    _, alice, bob = w.three()
    bob.meet(alice)
    alice.terminate()
    early = copy_of(w, alice, "early")
    alice.start()
    bob.delivered(bob.send(alice, "one"))
    quiet(alice.home)
    alice.terminate()
    late = copy_of(w, alice, "late")
    shutil.rmtree(alice.home / "db")
    shutil.copytree(early / "db", alice.home / "db")
    alice.start()
    w.checks.same("her account", alice.status()["account"], "locked")
    w.checks.true("the log says why", "rolled-back" in alice.log.read_text())
    with pipe_with(b"any\n") as fd:
        alice.refused(1, "rolled-back", "unlock", "--passphrase-fd", str(fd), pass_fds=(fd,))
    alice.terminate()
    shutil.rmtree(alice.home / "db")
    shutil.copytree(late / "db", alice.home / "db")
    alice.start()
    w.checks.same("with the right one she is there", alice.texts(bob.id), ["one"])


def kills_while_it_forgets_lose_nothing(w):
    _, alice, bob = w.three()
    bob.meet(alice)
    sent = [f"text {i}" for i in range(20)]
    for text in sent:
        bob.send(alice, text)
    until("all are there", lambda: len(alice.texts(bob.id)) == len(sent))
    for order in [m["order"] for m in alice.lines("history", bob.id)][:10]:
        alice.ask("delete", bob.id, str(order))
    generation = max(slots(alice.home))
    # A root is put beside the one in use, and then that is dropped: in between, and soon after.
    until("another root is there", lambda: max(slots(alice.home)) > generation, 2 * MINUTE, 0.001)
    alice.kill()
    alice.start()
    w.checks.same("what is left", alice.texts(bob.id), sent[10:])
    forgotten_in(alice.home, (generation, time.monotonic()))
    bob.delivered(bob.send(alice, "after"))
    until("they go on", lambda: alice.texts(bob.id) == [*sent[10:], "after"])


STORIES = [a_deleted_message_opens_no_more, a_database_that_was_put_back_is_refused_by_name,
           kills_while_it_forgets_lose_nothing]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_rows")


if __name__ == "__main__":
    main(STORIES, "what was deleted is forgotten", options_of)
