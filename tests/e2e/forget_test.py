#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was deleted is forgotten: an earlier copy of the database opens with nothing that the disk
has a minute later (docs/protocol/08-at-rest.md, section 8.10).

usage: forget_test.py --bin FOLDER --tools FOLDER [STORY...]"""
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.forgetting import Deleter  # noqa: E402
from lib.homes import pipe_with  # noqa: E402
from lib.needles import Needle  # noqa: E402
from lib.people import until  # noqa: E402
from lib.searching import holds_nothing  # noqa: E402
from lib.thief import MINUTE, copy_of, forgotten_in, quiet, slots  # noqa: E402
from lib.views import files_of  # noqa: E402
from lib.world import main  # noqa: E402


def nothing_of_it_is_found(her):
    took = forgotten_in(her.node.home, (her.generation, her.then))
    her.checks.true(f"it took {took:.0f} s, a minute at most", took <= MINUTE)
    her.look()
    keys = {her.before.keys[place] for place in her.open_early()}
    holds_nothing(her, "her home", her.needles(), files_of(her.late))
    opened = her.opened()
    her.checks.true("what is not deleted opens", opened.having(her.kept))
    her.checks.same("deleted texts that open", [t for t in her.deleted() if opened.having(t)], [])
    her.checks.same("roots of now", len(opened.roots), 1)
    her.checks.same("keys of what is deleted", {k for _, k in keys} &
                    {k for _, k in opened.keys.values()}, set())
    wrapped = her.search.hits([Needle("a key, wrapped", sealed) for sealed, _ in keys],
                              files_of(her.late))
    print(f"   {len(opened.keys)} keys and {len(opened.rows)} rows open, nothing that was deleted; "
          f"{len(wrapped)} pieces of its keys stand there, wrapped under the root that is gone")


def a_deleted_message_opens_no_more(w):
    relay = w.person("relay", relay=True)
    bob = w.person("bob").create(relay)
    her = Deleter(w, relay, bob, "alice", w.bin / "petreld")
    event = her.node.event_of("message.received", contact=bob.id)
    w.checks.same("the event has the text", event["data"]["text"], her.received[0])
    her.quiet()
    her.copy_and_delete()
    event = her.node.event_of("message.received", contact=bob.id)
    w.checks.same("the event has no text", event["data"].get("text"), None)
    her.open_early()
    nothing_of_it_is_found(her)
    bob.delivered(bob.send(her.node, "still here"))
    until("they go on", lambda: her.node.texts(bob.id) == [her.kept, "still here"])


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
    parser.add_argument("--tools", required=True, help="folder with e2e_carve and e2e_search")


if __name__ == "__main__":
    main(STORIES, "what was deleted is forgotten", options_of)
