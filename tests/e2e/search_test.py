#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What relays hold and see is searched for whatever would say who writes to whom, and what.

usage: search_test.py --bin FOLDER --tools FOLDER [STORY...]

Alice has a place at relay R2, Bob and Carol at R1; each relay passes requests on to the other. The
relays' disks, images of their memory and the bytes on all links are searched (lib/needles.py), and
what came from one contact is compared with what came from the other (lib/ties.py). Every search
finds first what is planted in a copy of its material; search_open_test.py shows that it finds what
is not sealed."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.scene import LOGS, Scene  # noqa: E402
from lib.searching import holds, holds_nothing, keys_of, main, ties_of_contacts  # noqa: E402
from lib.ties import member, tied, unheard_of  # noqa: E402
from lib.views import memory_is_ours_to_read  # noqa: E402

# What a relay seals at rest (docs/protocol/04-relay.md, section 4.11).
SEALED_TABLES = ("member", "queue", *LOGS, "record", "record_part", "record_pop", "spent",
                 "descriptor")
NO_TIES = {"Bob's": [], "Carol's": [], "Alice's to two contacts": []}


def one_time_parts(scene, relay):
    """The numbers of parts that were popped, and those that first envelopes name in the clear
    (docs/protocol/05-session.md, section 4)."""
    rows = [row for m in scene.moments for row in scene.rows[(m.name, relay.name)]]
    popped = {value[:4] for table, _, _, value in rows if table == "record_pop"}
    # queue u32, time u64; kind 2, prekey u32, one-time part u32
    named = {value[17:21] for table, _, _, value in rows if table in LOGS and value[12] == 2}
    return popped, named


def nothing_is_found_at_a_relay_or_on_the_wire(w):
    scene = Scene(w).play()
    for relay in (scene.r1, scene.r2):
        tables = {(table, opened) for m in scene.moments
                  for table, _, opened, _ in scene.rows[(m.name, relay.name)]}
        w.checks.same("rows that should be sealed, and do not open",
                      {t for t, opened in tables if t in SEALED_TABLES and not opened}, set())
        disk, rows, images = (scene.raw_disks(relay), scene.opened_disks(relay),
                              scene.images[relay.name])
        holds_nothing(scene, f"disk of {relay.name}", scene.not_on_disk(relay), disk)
        holds_nothing(scene, f"rows of {relay.name}, opened with its key", scene.hidden_from(relay),
                      rows)
        # That it is the right material: what the relay may have is there.
        nonces, envelopes = scene.nonces_at(relay), scene.envelopes_at(relay)
        holds(scene, f"disk of {relay.name}", [n.name for n in nonces], nonces, disk)
        holds(scene, f"rows of {relay.name}", [n.name for n in envelopes], envelopes, rows)
        if memory_is_ours_to_read():
            holds_nothing(scene, f"{len(images)} images of the memory of {relay.name}",
                          scene.hidden_from(relay), images)
            own = scene.objects_of(relay)
            holds(scene, f"images of {relay.name}",
                  keys_of([p.name for p in scene.members(relay)], "queue"), own, images)
    holds_nothing(scene, "the wire", scene.not_on_wire(), scene.wire())
    w.checks.same("ties in rows", ties_of_contacts(scene, False), NO_TIES)
    popped, named = one_time_parts(scene, scene.r2)
    w.checks.true("one-time parts that were popped", len(popped) == 2)
    w.checks.same("first envelopes name them, which ties both", named, popped)


# Links hide from the network what relays see. Where links are open, the bytes that pass are what
# relays see: so this is both, what the search of the wire must find, and what relays must not see.

def open_links_show_objects_to_the_network_and_no_more_to_relays(w):
    scene = Scene(w, "links").play()
    holds(scene, "the wire", keys_of(("alice", "bob", "carol"), "queue", "record", "member") +
          ["an envelope at R1", "a nonce at R2"], scene.not_on_wire(), scene.wire())
    for relay in (scene.r1, scene.r2):
        holds_nothing(scene, f"frames of {relay.name}", scene.hidden_from(relay),
                      scene.frames(relay))
    w.checks.same("ties in rows and frames", ties_of_contacts(scene, True), NO_TIES)


def share_nothing(scene, one, two, others):
    """Two accounts of a scene that has ended, as (relay, name), each as its relay sees it. They are
    strangers, or identities of one node: that must not show. others did the same things at the same
    relays: what they have, too, is common to all."""
    def seen(relay, name):
        return member(scene, relay, scene.names[name])
    first, second, rest = seen(*one), seen(*two), [seen(*other) for other in others]
    scene.w.checks.same(f"what ties {one[1]} and {two[1]}", tied([first, second], rest), [])
    planted = unheard_of(rest)
    scene.w.checks.same("a planted tie is found",
                        tied([[*first, planted], [*second, planted]], rest), [planted])
    print(f"   {sum(map(len, first))} and {sum(map(len, second))} bytes of {one[1]} and {two[1]} "
          "have nothing in common that others do not have")


def members_of_one_relay_share_nothing(w):
    scene = Scene(w, "links")
    people = (scene.bob, scene.carol, scene.person("dave", scene.r1))
    for person in people:
        scene.asks(person, scene.alice.call("invite.create")["link"])
        scene.accepted(scene.alice, person)
        scene.talk(scene.alice, person)
    scene.bob.terminate()
    scene.bob.start()
    scene.talk(scene.bob, scene.alice)
    scene.look("they talk")
    scene.end()
    bob, carol, dave = ((scene.r1, person.name) for person in people)
    share_nothing(scene, bob, carol, [dave])
    share_nothing(scene, carol, dave, [bob])
    # The same member on two links is one, and that is found.
    links = [link.streams for link in scene.links_to(scene.r1)
             if scene.names["bob"]["queue"] in link.queues]
    w.checks.same("links of Bob", len(links), 2)
    w.checks.true("two links of one member are tied",
                  tied(links, [member(scene, scene.r1, scene.names[n]) for n in ("carol", "dave")]))


# What is left to tie them together is the address of the machine, and that both come and go at once.

def identities_of_one_node_share_nothing(w):
    scene = Scene(w, "links")
    alice, bob = scene.alice, scene.bob
    erin = scene.beside(bob, "erin", scene.r1)
    frank = scene.beside(bob, "frank", scene.r2)
    dave, gina = scene.person("dave", scene.r1), scene.person("gina", scene.r2)
    for person in (bob, erin, frank, scene.carol, dave, gina):
        scene.asks(person, alice.call("invite.create")["link"])
        scene.accepted(alice, person)
        scene.talk(alice, person)
    scene.look("they talk")
    scene.end()
    at_r1 = [(scene.r1, "carol"), (scene.r1, "dave")]
    share_nothing(scene, (scene.r1, "bob"), (scene.r1, "erin"), at_r1)
    share_nothing(scene, (scene.r1, "bob"), (scene.r2, "frank"),
                  [*at_r1, (scene.r2, "alice"), (scene.r2, "gina")])


STORIES = [nothing_is_found_at_a_relay_or_on_the_wire,
           open_links_show_objects_to_the_network_and_no_more_to_relays,
           members_of_one_relay_share_nothing,
           identities_of_one_node_share_nothing]

if __name__ == "__main__":
    main(STORIES, "what relays hold and see is searched")
