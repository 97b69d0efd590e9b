#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several devices of one person, from outside: they are linked, show the same, and one that is
removed reads nothing more (docs/protocol/07-node.md, sections 7.1.1 and 7.3.2).

usage: devices_test.py --bin FOLDER [STORY...]"""
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import PASSPHRASE, backup, pipe_with, restore  # noqa: E402
from lib.people import PATIENCE, at_terminal, until  # noqa: E402
from lib.world import main  # noqa: E402

INTO_S = 0.0002  # a kill comes at most this long after a turn was seen to be open
AIM_S = 0.3      # which is waited for at most this long
KILLS = 6


# --- what the stories do over and over ---

def two(w):
    """Two relays, and a member of each who have met."""
    here, there = w.relays("here", "there")
    alice, bob = w.person("alice").create(here), w.person("bob").create(there)
    alice.meet(bob)
    return here, there, alice, bob


def fresh(w, name, relay):
    """A node as its user begins it: an account, and a relay that is ready."""
    device = w.person(name)
    device.ask("init")
    device.ask("relay", "use", relay.status()["node"], "--code",
               relay.ask("relay", "invite")["code"])
    until("its relay is ready", lambda: device.ask("relay", "status")["state"] == "ready")
    return device


def code_of(holder):
    return holder.ask("link", "--no-wait")["link"]


def ready(holder, device, *others):
    """The new device is one of the holder's, knows these contacts, and they know of it."""
    device.id = holder.id
    wanted = len(holder.lines("devices"))
    for other in others:
        until("the new device has the contact",
              lambda o=other: device.contact(o.id)["state"] == "accepted")
        until("the contact knows all devices",
              lambda o=other: o.contact(holder.id)["devices"] == wanted)


def linked(w, holder, name, relay, *others):
    device = fresh(w, name, relay)
    lines = device.lines("link", "-", data=code_of(holder).encode() + b"\n")
    w.checks.same("what link prints", (lines[0], lines[1]["type"], lines[1]["data"]),
                  ({"id": holder.id, "state": "requested"}, "device.linked", {"id": holder.id}))
    ready(holder, device, *others)
    return device


def name_of(device):
    return until("it is listed",
                 lambda: next((d["device"] for d in device.lines("devices") if d["this"]), None))


def messages(person, contact):
    """{text: (mine, state)} of a history, as petrelctl prints it."""
    return {m["text"]: (m["mine"], m["state"]) for m in person.lines("history", contact)
            if m["type"] == "text"}


def reads(person, contact, text, state="received"):
    """Waits until the text stands once in the history, in this state."""
    until(f"{person.name} has {text!r}, {state}",
          lambda: messages(person, contact).get(text, (0, 0))[1] == state)
    person.checks.same(f"{text!r} at {person.name}",
                       [m["text"] for m in person.lines("history", contact)].count(text), 1)


def says(author, own, other_devices, contact, text):
    """The author writes to the contact: the contact's devices read it, the author's own show it."""
    author.delivered(author.ask("send", contact, text)["message"])
    for device in other_devices:
        reads(device, author.id, text)
    for device in own:
        reads(device, contact, text, "mirrored")


# --- stories ---

def a_new_device_is_linked_and_all_show_the_same(w):
    here, there, alice, bob = two(w)
    alice.delivered(alice.send(bob, "before"))
    # As people do it: one end waits while the code is carried to the other.
    device = fresh(w, "alice-2", there)
    waits = alice.begin("link")
    code = waits.stdout.readline()
    w.checks.true("a link code", code.startswith(b"petrel-device:"))
    done = device.ctl("link", "-", data=code)
    w.checks.same(f"linked: {done.stderr}", done.returncode, 0)
    out, err = waits.communicate(timeout=PATIENCE)
    ready(alice, device, bob)
    name = name_of(device)
    w.checks.same("the new one says", done.stdout.decode(),
                  f"linked     {alice.id}\ndevice     {name}\n")
    w.checks.same("the other one says the same name", (waits.returncode, out.decode()),
                  (0, f"joined: {name}\n"))
    w.checks.true("and what to do if it is another one",
                  f"petrelctl devices remove {name}" in err.decode())

    listed = {True: [d["device"] for d in alice.lines("devices")],
              False: [d["device"] for d in device.lines("devices")]}
    w.checks.same("both list both", (listed[True], listed[True][1]), (listed[False], name))
    w.checks.same("which holds the identity", [d["identity"] for d in device.lines("devices")],
                  [True, False])
    w.checks.same("which is this one", [d["this"] for d in device.lines("devices")], [False, True])
    shown = device.ctl("devices").stdout.decode().splitlines()
    w.checks.true("for people", shown[0].endswith("holds the identity") and
                  shown[1].startswith(name) and shown[1].endswith("this one"))

    bob2 = linked(w, bob, "bob-2", here, alice, device)
    w.checks.true("contacts count devices", b"  2 devices" in alice.ctl("contacts").stdout)
    alices, bobs = [alice, device], [bob, bob2]
    for mine, theirs in ((alices, bobs), (bobs, alices)):
        for author in mine:
            own = [d for d in mine if d is not author]
            says(author, own, theirs, theirs[0].id, f"from {author.name}")
    w.checks.same("what was before it joined is not there",
                  "before" in messages(device, bob.id), False)
    w.checks.true("for people", b"-> from alice  [mirrored]" in
                  device.ctl("history", bob.id).stdout)
    device.event_of("message.mirrored", contact=bob.id, text="from alice")


def what_is_read_and_who_is_blocked_follows(w):
    here, there, alice, bob = two(w)
    device = linked(w, alice, "alice-2", here, bob)
    for i in range(3):
        says(bob, [], [alice, device], alice.id, f"text {i}")
    for one in (alice, device):
        w.checks.same(f"unread at {one.name}", one.contact(bob.id)["unread"], 3)
    w.checks.true("for people", b"  3 unread" in device.ctl("contacts").stdout)
    first = device.lines("history", bob.id)[0]["order"]
    w.checks.same("one is read", device.ask("read", bob.id, str(first)), {"order": first})
    until("it is read on the other", lambda: alice.contact(bob.id)["unread"] == 2)
    w.checks.same("all are read", device.ctl("read", bob.id).returncode, 0)
    until("they are read on the other", lambda: alice.contact(bob.id)["unread"] == 0)
    w.checks.same("nothing unread for people", b"unread" in alice.ctl("contacts").stdout, False)
    alice.event_of("message.read", contact=bob.id)
    w.checks.same("bob hears nothing of it",
                  [e for e in bob.lines("events", "--since", "0", "--no-follow")
                   if e["type"] == "message.read"], [])
    device.refused(4, "unknown-contact", "read", "nobody")
    w.checks.same("no number", device.ctl("read", bob.id, "x").returncode, 2)

    # Met on the new device, under a name; and blocked there.
    carol = w.person("carol").create(there)
    device.ask("add", carol.ask("invite")["link"], "--name", "Carol")
    until("alice has her too", lambda: alice.contact(carol.id)["state"] == "accepted")
    until("under her name", lambda: alice.contact(carol.id)["name"] == "Carol")
    alice.event_of("contact.synced", contact=carol.id)
    until("carol knows both", lambda: carol.contact(alice.id)["devices"] == 2)
    says(carol, [], [alice, device], alice.id, "hello")
    number = device.ask("verify", "Carol")["number"]
    device.ask("verify", "Carol", "--number", number)
    until("verified on both", lambda: alice.contact(carol.id)["verified"])
    device.ask("block", "Carol")
    until("blocked on both", lambda: alice.contact(carol.id)["state"] == "blocked")
    carol.ask("send", alice.id, "hello?")
    says(bob, [], [alice, device], alice.id, "after it")
    for one in (alice, device):
        w.checks.same("what came from carol", list(messages(one, "Carol")), ["hello"])


def what_cannot_be_done_is_said(w):
    here, there, alice, bob = two(w)
    code = code_of(alice)
    device = w.person("alice-2")
    device.refused(4, "no-account", "link", code)
    w.checks.true("what to do", b"petrelctl init" in device.ctl("link", code).stderr)
    device.ask("init")
    device.refused(4, "no-relay", "link", code)
    w.checks.true("what to do", b"petrelctl relay use" in device.ctl("link", code).stderr)
    device.join(there)
    for wrong in (code[14:], bob.ask("invite")["link"], bob.id, ""):
        device.refused(2, "bad-invitation", "link", wrong)
    device.refused(3, "bad-checksum", "link",
                   code[:-6] + ("A" if code[-6] != "A" else "B") + code[-5:])
    w.checks.same("standard input without a code", device.ctl("link", "-").returncode, 2)
    w.checks.same("too many arguments", device.ctl("link", code, code).returncode, 2)
    device.refused(2, "bad-id", "add", code)
    bob.refused(4, "already-exists", "link", code)
    w.checks.true("what to do", b"init --another" in bob.ctl("link", code).stderr)

    ended, printed = at_terminal(device, [(b"Go on? [y/N] ", b"")], "link", code)
    w.checks.same("at a terminal it asks", (ended, b"recovery words end" in printed), (2, True))
    w.checks.same("nothing was done", device.lines("contacts"), [])

    # Nobody comes, and nobody is there.
    w.checks.same("no device comes", alice.ctl("link", "--timeout", "1").returncode, 4)
    w.checks.same("SIGTERM ends her", alice.terminate(), 0)
    done = device.ctl("link", "-", "--timeout", "1", data=code.encode())
    w.checks.same("not yet", (done.returncode, b"not linked yet" in done.stderr), (4, True))
    own = device.ask("id")["id"]
    w.checks.true("it is itself still", own != alice.id)
    device.ask("words")
    alice.start()
    device.event_of("device.linked", id=alice.id)
    ready(alice, device, bob)
    w.checks.same("its ID", device.ask("id")["id"], alice.id)

    with pipe_with(PASSPHRASE) as fd:
        device.refused(4, "no-identity", "backup", str(w.folder / "none"), "--passphrase-fd",
                       str(fd), pass_fds=(fd,))
    w.checks.same("no file is left", (w.folder / "none").exists(), False)
    for call in (["words"], ["link"], ["devices", "remove", name_of(alice)]):
        device.refused(4, "no-identity", *call)
    alice.refused(4, "unknown-device", "devices", "remove", "0123456789abcdef")
    alice.refused(4, "unknown-device", "devices", "remove", name_of(alice))
    w.checks.same("no such argument", alice.ctl("devices", "lost").returncode, 2)

    # The code was for one: somebody else who saw it stays who they are, and she hears of it.
    thief = fresh(w, "thief", there)
    thief.ask("link", code, "--no-wait")
    alice.event_of("device.misused")
    w.checks.true("the thief is somebody else", thief.ask("id")["id"] != alice.id)
    w.checks.same("devices", len(alice.lines("devices")), 2)


def kills_while_they_link(w):
    here, there, alice, bob = two(w)
    draw = random.Random(20)
    devices, hit = [], 0
    for i in range(KILLS):
        device = fresh(w, f"alice-{i + 2}", there if i % 2 else here)
        waits = alice.begin("link")
        code = waits.stdout.readline().decode().strip()
        device.ask("link", code, "--no-wait")
        victims = ([device], [alice], [device, alice])[i % 3]
        for victim in victims:
            hit += victim.kill(into=draw.random() * INTO_S, patience=AIM_S)
        for victim in victims:
            victim.start()
        device.event_of("device.linked", id=alice.id)
        alice.event_of("device.added", device=name_of(device))
        ready(alice, device, bob)
        waits.communicate(timeout=PATIENCE)
        if alice in victims:
            w.checks.true("the waiting one ends", waits.returncode in (0, 5))
        else:
            w.checks.same("the waiting one has seen it", waits.returncode, 0)
        devices.append(device)
    print(f"{hit} kills came within a turn")
    w.checks.true("some kill came within a turn", hit > 0)
    w.checks.same("all are listed", [d["device"] for d in alice.lines("devices")][1:],
                  [name_of(d) for d in devices])
    says(bob, [], [alice, *devices], alice.id, "to all of them")
    says(devices[-1], [alice, *devices[:-1]], [bob], bob.id, "from the last one")


def a_removed_device_reads_nothing_new(w):
    here, there, alice, bob = two(w)
    device = linked(w, alice, "alice-2", there, bob)
    says(device, [alice], [bob], bob.id, "while it was hers")
    says(bob, [], [alice, device], alice.id, "to both")
    name = name_of(device)
    asked = b"Go on? [y/N] "
    w.checks.same("at a terminal it asks", at_terminal(alice, [(asked, b"n")], "devices", "remove",
                                                       name)[0], 2)
    w.checks.same("nothing was done", len(alice.lines("devices")), 2)
    code, printed = at_terminal(alice, [(asked, b"y")], "devices", "remove", name)
    w.checks.same("remove", (code, f"removed: {name}".encode() in printed), (0, True))
    alice.refused(4, "unknown-device", "devices", "remove", name)
    alice.event_of("device.removed", device=name)
    w.checks.same("what is left", [d["this"] for d in alice.lines("devices")], [True])
    until("bob knows", lambda: bob.contact(alice.id)["devices"] == 1)

    said = device.ctl("--json", "send", bob.id, "let me in")
    w.checks.true("it may try", said.returncode in (0, 4))
    if said.returncode == 0:  # it has not heard of it
        message = json.loads(said.stdout)["message"]
        device.event_of("message.at-relay", message=message)
    says(bob, [], [alice], alice.id, "after it, from bob")
    says(alice, [], [bob], bob.id, "after it, from alice")
    # Bob's relay hands out in order: what the removed one wrote was before him.
    w.checks.same("what bob reads", [t for t, m in messages(bob, alice.id).items() if not m[0]],
                  ["while it was hers", "after it, from alice"])
    carol = w.person("carol").create(there)
    alice.meet(carol)
    says(carol, [], [alice], alice.id, "after it, from carol")
    for _ in range(2):
        w.checks.same("what it reads",
                      {t for t in messages(device, bob.id) if t != "let me in"},
                      {"while it was hers", "to both"})
        w.checks.same("whom it knows", [c["id"] for c in device.lines("contacts")], [bob.id])
        w.checks.same("SIGTERM ends it", device.terminate(), 0)
        device.start()
        until("its relay is ready", lambda: device.ask("relay", "status")["state"] == "ready")
    says(bob, [], [alice], alice.id, "after its restart")
    w.checks.same("it does not read that", "after its restart" in messages(device, bob.id), False)

    # The machine may come back, with an account of its own.
    device.ask("init", "--another")
    device.ask("--account", "2", "relay", "use", there.status()["node"], "--code",
               there.ask("relay", "invite")["code"])
    until("its relay is ready",
          lambda: device.ask("--account", "2", "relay", "status")["state"] == "ready")
    device.lines("--account", "2", "link", "-", data=code_of(alice).encode())
    until("bob knows", lambda: bob.contact(alice.id)["devices"] == 2)
    bob.ask("send", alice.id, "welcome back")
    until("it reads again", lambda: b"welcome back" in
          device.ctl("--account", "2", "history", bob.id).stdout)


def a_restored_identity_keeps_its_linked_devices(w):
    here, there, alice, bob = two(w)
    device = linked(w, alice, "alice-2", there, bob)
    says(bob, [], [alice, device], alice.id, "before")
    path = w.folder / "alice.backup"
    w.checks.same("saved", backup(alice, path).returncode, 0)
    w.checks.same("stopped", alice.stop(), 0)
    bob.ask("send", alice.id, "while the first is lost")
    reads(device, bob.id, "while the first is lost")

    anew = w.person("anew")
    done = restore(anew, path)
    w.checks.same(f"restored: {done.stderr}", done.returncode, 0)
    anew.id = alice.id
    until("the linked one lists the new one first",
          lambda: [d["this"] for d in device.lines("devices")] == [False, True] and
          device.lines("devices")[0]["device"] == name_of(anew))
    w.checks.same("and the new one lists it", [d["device"] for d in anew.lines("devices")],
                  [name_of(anew), name_of(device)])
    bob.event_of("contact.devices", contact=alice.id)
    until("bob writes to both", lambda: bob.contact(alice.id)["devices"] == 2)
    reads(anew, bob.id, "while the first is lost")
    says(bob, [], [anew, device], alice.id, "to the new one and the linked one")
    says(anew, [device], [bob], bob.id, "from the new one")
    says(device, [anew], [bob], bob.id, "from the linked one")
    third = linked(w, anew, "alice-3", here, bob)
    says(bob, [], [anew, device, third], alice.id, "to all three")
    name = name_of(device)
    anew.ask("devices", "remove", name)
    until("bob knows", lambda: bob.contact(alice.id)["devices"] == 2)
    says(bob, [], [anew, third], alice.id, "to two again")
    w.checks.same("the removed one", "to two again" in messages(device, bob.id), False)


STORIES = [a_new_device_is_linked_and_all_show_the_same, what_is_read_and_who_is_blocked_follows,
           what_cannot_be_done_is_said, kills_while_they_link, a_removed_device_reads_nothing_new,
           a_restored_identity_keeps_its_linked_devices]

if __name__ == "__main__":
    sys.exit(main(STORIES, __doc__))
