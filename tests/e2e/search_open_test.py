#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The searches of search_test.py where sealing is switched off in one place: there each must find.

usage: search_open_test.py --bin FOLDER --tools FOLDER [STORY...]

The same story, played by daemons that are petreld except that what one place seals is not hidden
(open_aead.c): petreld-open-rows and so on. Where a relay's own view is searched its links are open,
too, since then the bytes that pass are what it sees."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.needles import Needle  # noqa: E402
from lib.scene import Scene  # noqa: E402
from lib.searching import holds, keys_of, main, texts, ties_of_contacts  # noqa: E402
from lib.views import memory_is_ours_to_read  # noqa: E402


# --- where sealing is switched off ---

def petreld_itself_has_no_such_place(w):
    name = b"open_prim_aead_seal"
    w.checks.same("petreld", name in (w.bin / "petreld").read_bytes(), False)
    switched = pathlib.Path(w.options.tools) / "petreld-open-rows"
    w.checks.same("petreld-open-rows", name in switched.read_bytes(), True)


def open_rows_are_found_on_the_disk(w):
    scene = Scene(w, "rows").play()
    for relay in (scene.r1, scene.r2):
        holds(scene, f"disk of {relay.name}", [f"an envelope at {relay.name}"],
              scene.not_on_disk(relay), scene.raw_disks(relay))


def a_text(scene, relay):
    """Whether an image of the relay where deposits wait shows one."""
    return scene.search.hits(scene.text_needles(), scene.images[relay.name])


def a_queue(scene, relay):
    """Whether an image of the forwarder shows one at this relay, whose owners are away."""
    queues = [Needle("a queue", scene.reader.names(p.home)["queue"]) for p in scene.members(relay)]
    return scene.search.hits(queues, scene.images[scene.other(relay).name])


def open_envelopes_are_found_in_rows_memory_and_frames(w):
    scene = Scene(w, "links-envelopes", a_text).play()
    to_alice, from_alice = (texts("bob to alice", "carol to alice"),
                            texts("alice to bob", "alice to carol"))
    people = keys_of(("bob", "carol"), "id", "device", "dh", "mls")
    for relay, wanted in ((scene.r1, from_alice), (scene.r2, to_alice + people)):
        needles = scene.people_needles()
        holds(scene, f"rows of {relay.name}", wanted, needles, scene.opened_disks(relay))
        holds(scene, f"frames of {relay.name}", wanted, needles, scene.frames(relay))
        if memory_is_ours_to_read():
            found = {hit.needle.name for hit in scene.search.hits(needles,
                                                                  scene.images[relay.name])}
            w.checks.true(f"images of {relay.name}: texts", found & set(wanted))
            print(f"   images of {relay.name}: found, as it must: {', '.join(sorted(found))}")
    ties = ties_of_contacts(scene, True)
    w.checks.same("no ties", [what for what, windows in ties.items() if not windows], [])


def open_requests_are_found_at_the_forwarder(w):
    scene = Scene(w, "links-requests", a_queue).play()
    holds(scene, "frames of R1", keys_of(("alice",), "queue", "record") +
          ["an envelope at R2", "a nonce at R2"], scene.hidden_from(scene.r1),
          scene.frames(scene.r1))
    holds(scene, "frames of R2", keys_of(("bob", "carol"), "queue") +
          ["an envelope at R1", "a nonce at R1"], scene.hidden_from(scene.r2),
          scene.frames(scene.r2))
    if memory_is_ours_to_read():
        holds(scene, "images of R1", keys_of(("alice",), "queue"), scene.hidden_from(scene.r1),
              scene.images["R1"])


def open_records_are_found_in_rows_and_frames(w):
    scene = Scene(w, "links-records").play()
    for relay, people in ((scene.r1, ("bob", "carol")), (scene.r2, ("alice",))):
        wanted = keys_of(people, "device", "dh", "mls")
        holds(scene, f"rows of {relay.name}", wanted, scene.people_needles(),
              scene.opened_disks(relay))
        holds(scene, f"frames of {relay.name}", wanted, scene.people_needles(),
              scene.frames(relay))


STORIES = [petreld_itself_has_no_such_place, open_rows_are_found_on_the_disk,
           open_envelopes_are_found_in_rows_memory_and_frames, open_requests_are_found_at_the_forwarder,
           open_records_are_found_in_rows_and_frames]

if __name__ == "__main__":
    main(STORIES, "where sealing is switched off the searches find")
