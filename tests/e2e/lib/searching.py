# SPDX-License-Identifier: Apache-2.0
"""How the scene (lib/scene.py) is searched, and what the programs that do it have in common."""
import os
import sys

from lib.ties import Requests, tied, unheard_of
from lib.views import memory_is_ours_to_read
from lib.world import run

SKIPPED = 77
MIB = 1 << 20


# --- how it is searched ---

def holds_nothing(scene, what, needles, files):
    """The search finds all that is planted in a copy of these files, and nothing in the files."""
    search, checks = scene.search, scene.w.checks
    planted = search.planted
    checks.same(f"{what}: planted and not found", search.finds_all(needles, files), [])
    checks.same(f"{what}: there is", search.hits(needles, files), [])
    size = sum(os.path.getsize(f) for f in files)
    checks.true(f"{what}: something was searched", size > 0 and needles)
    print(f"   {what}: nothing of {len(needles)} values in {size / MIB:.1f} MiB; "
          f"{search.planted - planted} planted and found")


def holds(scene, what, wanted, needles, files):
    """The same search finds at least values of these names."""
    found = {hit.needle.name for hit in scene.search.hits(needles, files)}
    scene.w.checks.same(f"{what}: not found", sorted(set(wanted) - found), [])
    print(f"   {what}: found {len(found)} of {len({n.name for n in needles})}, "
          f"as it must: {', '.join(sorted(found)[:4])} ...")


def keys_of(people, *what):
    return [f"{person}'s {key}" for person in people for key in what]


def texts(*ways):
    return [f"a text, {way}" for way in ways]


def ties_of_contacts(scene, with_frames):
    """What ties requests at a relay together that should look like strangers': {what: windows}."""
    at_r1 = Requests(scene, scene.r1, with_frames).material()
    at_r2 = Requests(scene, scene.r2, with_frames).material()
    bob, carol = at_r2["bob", "alice"], at_r2["carol", "alice"]
    to_bob, to_carol = at_r1["alice", "bob"], at_r1["alice", "carol"]
    for requests in (bob, carol, to_bob, to_carol):
        scene.w.checks.true("several requests of each are compared", len(requests) > 4)
    print(f"   compared: {len(bob)} and {len(carol)} requests of two contacts, "
          f"{len(to_bob)} and {len(to_carol)} to two contacts")
    planted = unheard_of(carol)
    marked = [[*bob[0], b"x" + planted + b"y"], *bob[1:-1], [*bob[-1], b"z" + planted]]
    scene.w.checks.same("a planted tie is found, and it alone",
                        set(tied(marked, carol)) - set(tied(bob, carol)), {planted})
    # Both of Alice's: to the same relay from one hand, in two queues.
    hers = [sum(requests, []) for requests in (to_bob, to_carol)]
    return {"Bob's": tied(bob, carol), "Carol's": tied(carol, bob),
            "Alice's to two contacts": tied(hers, bob + carol)}


def main(stories, description):
    """Exit code 77, with all else done: only root can read the memory of a process."""
    def options_of(parser):
        parser.add_argument("--tools", required=True, help="folder with e2e_search and e2e_rows")
    status = run(stories, description, options_of)
    if status == 0 and not memory_is_ours_to_read():
        print("skipped: images of memory, which only root can read")
        status = SKIPPED
    sys.exit(status)
