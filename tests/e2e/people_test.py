#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What people do with petreld and petrelctl, and what they hear when it cannot be done.

usage: people_test.py --bin FOLDER [--shift LIBRARY] [STORY...]

LIBRARY moves the wall clock of a daemon (clock_shift.c): so invitations expire and events are
trimmed while nobody waits."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import mpack  # noqa: E402
from lib.control import Control, Refused  # noqa: E402
from lib.homes import pipe_with, tables  # noqa: E402
from lib.node import Still  # noqa: E402
from lib.people import PATIENCE, until  # noqa: E402
from lib.world import main, preloaded  # noqa: E402

DAY = 24 * 3600


def mistyped(text):
    """The text with one character near its end changed to another of the same alphabet."""
    other = "q" if text[-3] != "q" else "p"
    return text[:-3] + other + text[-2:]


# --- people meet ---

def adding_by_id_goes_through_ones_own_relay(w):
    relay, alice, bob = w.three()
    # She is away: what reaches her is what the relay keeps, and he has no token but a stamp.
    w.checks.same("SIGTERM ends her", alice.terminate(), 0)
    added = bob.ask("add", alice.id, "--name", "Alice", "--text", "it is me, Bob")
    w.checks.same("what add prints", added, {"id": alice.id, "state": "requested"})
    bob.refused(4, "already-exists", "add", bob_like_id(w), "--name", "Alice")
    until("the request is at her relay", lambda: bob.contact(alice.id)["state"] == "requested")
    w.checks.same("his tokens for her", bob.contact(alice.id)["tokens"], 0)
    w.checks.same("his outbox", bob.status()["outbox"], 1)
    early = bob.ask("send", "Alice", "written before she answered")["message"]

    alice.start()
    event = alice.event_of("request.received", contact=bob.id)
    w.checks.same("the text of the request", event["data"]["text"], "it is me, Bob")
    requests = alice.lines("requests")
    w.checks.same("who asks", [(r["id"], r["text"]) for r in requests], [(bob.id, "it is me, Bob")])
    w.checks.same("status counts it", alice.status()["requests"], 1)
    alice.refused(4, "not-accepted", "send", bob.id, "too early")
    w.checks.same("nothing is read before it is accepted", alice.texts(bob.id), [])
    alice.refused(4, "unknown-request", "accept", alice.id)

    w.checks.same("accept", alice.ask("accept", bob.id, "--name", "Bob"), {"id": bob.id})
    bob.event_of("contact.accepted", contact=alice.id)
    bob.delivered(early)
    until("she reads what he wrote early",
          lambda: alice.texts("Bob") == ["written before she answered"])
    w.checks.same("no request waits any more", alice.lines("requests"), [])
    answer = alice.ask("send", "Bob", "hello Bob")["message"]
    alice.delivered(answer)
    w.checks.same("he reads", bob.texts("Alice"), ["hello Bob"])
    w.checks.true("he has tokens now", bob.contact(alice.id)["tokens"] > 0)
    # The beginning of an ID names a contact, too.
    w.checks.same("by the beginning of the ID", alice.ask("send", bob.id[:20], "short")["order"] > 0,
                  True)
    w.checks.same("queues on the relay", relay.status()["queues"], 2)


def bob_like_id(w):
    """The ID of somebody who never has a relay."""
    stranger = w.person("stranger")
    stranger.create()
    return stranger.id


def text_from_standard_input_and_its_limits(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    lines = "first line\nsecond line, äöü €\n"
    message = alice.ask("send", bob.id, "-", data=lines.encode())["message"]
    alice.delivered(message)
    w.checks.same("without the last line break", bob.texts(alice.id), [lines[:-1]])
    longest = "x" * (56 * 1024)
    message = alice.ask("send", bob.id, "-", data=longest.encode())["message"]
    alice.delivered(message)
    w.checks.same("the longest text", bob.texts(alice.id)[-1] == longest, True)
    for data in (b"", b"\xff\xfe", longest.encode() + b"y"):
        w.checks.same(f"{len(data)} bytes that are no text",
                      alice.ctl("send", bob.id, "-", data=data).returncode, 2)
    w.checks.same("two texts were sent", len(alice.texts(bob.id, mine=True)), 2)


def the_safety_number_is_compared(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    number = alice.ask("verify", bob.id)["number"]
    w.checks.same("both see the same", bob.ask("verify", alice.id)["number"], number)
    w.checks.same("digits", (len(number), number.isdigit()), (60, True))
    wrong = ("1" if number[0] != "1" else "2") + number[1:]
    alice.refused(2, "bad-argument", "verify", bob.id, "--number", wrong)
    w.checks.same("a wrong one verifies nothing", alice.contact(bob.id)["verified"], False)
    grouped = " ".join(number[i:i + 5] for i in range(0, 60, 5))
    w.checks.same("the right one", alice.ask("verify", bob.id, "--number", grouped)["verified"],
                  True)
    w.checks.same("and it is remembered", alice.contact(bob.id)["verified"], True)
    alice.refused(4, "unknown-contact", "verify", "nobody")


def a_blocked_contact_is_not_heard(w):
    relay, alice, bob = w.three()
    carol = w.person("carol").create(relay)
    alice.meet(bob)
    alice.meet(carol)
    alice.delivered(alice.send(bob, "before"))
    w.checks.same("block", alice.ask("block", bob.id), {})
    alice.refused(4, "contact-blocked", "send", bob.id, "still there?")
    shouted = bob.send(alice, "hello? hello?")
    bob.event_of("message.at-relay", message=shouted)
    # Her relay hands out in order: when Carol's is there, Bob's has been refused.
    carol.delivered(carol.send(alice, "after it"))
    w.checks.same("what came from Bob", alice.texts(bob.id), [])
    w.checks.same("what came from Carol", alice.texts(carol.id), ["after it"])
    w.checks.same("his message stays undelivered", bob.status()["outbox"], 1)


# --- relays between ---

def a_relay_passes_on_what_its_policy_allows(w):
    here, there = w.relays("here", "there")
    alice, bob = w.person("alice").create(here), w.person("bob").create(there)
    alice.meet(bob)
    alice.delivered(alice.send(bob, "open"))
    w.checks.same("the way, and who could see both ends: both are 127.0.0.1",
                  (alice.contact(bob.id)["way"], alice.contact(bob.id)["same_operator"]),
                  ("forwarded", True))
    w.checks.true("status says so", b"forwarded  1 contacts\nwarning" in alice.ctl("status").stdout)
    w.checks.same("no trouble", (alice.contact(bob.id)["trouble"],
                                 alice.contact(bob.id)["trouble_relay"]), ("", ""))
    # Who is their own relay hides nothing behind it.
    there.create(there)
    there.meet(alice)
    w.checks.same("from an own machine", there.contact(alice.id)["way"], "own-machine")
    w.checks.same("back", alice.contact(there.id)["way"], "forwarded")
    here_id = here.status()["node_id"]
    there_id = there.status()["node_id"]

    def refused(what, *lines):
        here.configure(*lines)
        here.reload("configuration read again")
        message = alice.send(bob, what)
        until(f"{what}: she is told", lambda: alice.contact(bob.id)["trouble"] == "refused")
        w.checks.same(f"{what}: who refused", alice.contact(bob.id)["trouble_relay"], here_id)
        w.checks.true(f"{what}: people see it",
                      f"[refused: {here_id}]".encode() in alice.ctl("contacts").stdout)
        w.checks.true(f"{what}: it waits", what not in bob.texts(alice.id))
        return message

    def passes(message, *lines):
        here.configure(*lines)
        here.reload("configuration read again")
        alice.kill()  # what waits for its next try is tried again at start
        alice.start()
        alice.delivered(message)
        w.checks.same("no trouble any more", alice.contact(bob.id)["trouble"], "")

    private = "relay.forward_private = yes"
    denied = refused("a deny list", private, "relay.forward = deny", "relay.forward_rule = "
                     + there_id)
    # A file that is wrong changes nothing.
    here.configure(private, "relay.forward = open", "relay.forward_rule = petrelnode1nonsense")
    here.reload("configuration not read again")
    w.checks.true("the log says where", "petreld.conf:3: relay.forward_rule" in here.log_tail())
    refused("the policy as it was", private, "relay.forward = deny",
            "relay.forward_rule = example.org", "relay.forward_rule = 127.0.0.1")
    passes(denied, private, "relay.forward = allow", "relay.forward_rule = " + there_id)
    elsewhere = refused("an allow list", private, "relay.forward = allow",
                        "relay.forward_rule = .example.org")
    passes(elsewhere, private)
    loopback = refused("a private address", "relay.forward = open")
    passes(loopback, private)
    w.checks.same("all of it came once", bob.texts(alice.id),
                  ["open", "a deny list", "the policy as it was", "an allow list",
                   "a private address"])
    w.checks.same("the other way was open all the time", bob.contact(alice.id)["trouble"], "")


def what_a_relay_signed_for_is_listed_until_it_arrives(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    until("nothing of hers is under way", lambda: alice.status()["outbox"] == 0)
    w.checks.same("nothing is owed", alice.lines("relay", "audit"), [])
    w.checks.same("SIGTERM ends him", bob.terminate(), 0)
    message = alice.send(bob, "are you there?")
    alice.event_of("message.at-relay", message=message)
    item = alice.ask("relay", "audit")
    listed = {k: item[k] for k in ("contact", "message", "state", "address")}
    w.checks.same("what is listed", listed,
                  {"contact": bob.id, "message": message, "state": "waiting",
                   "address": relay.status()["node"]})
    w.checks.same("the relay that signed", item["relay"], relay.status()["node_id"])
    w.checks.true("it is to be kept", item["until"] > item["signed"])
    w.checks.true("he was not heard since", "heard" not in item)
    said = alice.ctl("relay", "audit").stdout.decode()
    w.checks.true("what people read", "waiting" in said and bob.id in said and
                  "1 signed for and not delivered: 1 waiting, 0 missed" in said)

    # Somebody else checks it, with what is in the file alone.
    line = json.dumps(item)
    paper = w.folder / "audit.json"
    paper.write_text(line + "\n" + line + "\n")
    done = relay.ctl("relay", "audit", "--verify", str(paper))
    w.checks.same("two lines verify", (done.returncode, done.stdout), (0, b"2 receipts verify\n"))
    for name in ("relay", "queue", "envelope", "receipt"):
        other = "0" if item[name][-3] != "0" else "2"
        changed = dict(item, **{name: item[name][:-3] + other + item[name][-2:]})
        done = relay.ctl("relay", "audit", "--verify", "-", data=json.dumps(changed).encode())
        w.checks.same(f"exit code after a change of {name}", done.returncode, 3)
    for wrong in (b"", b"{}", b"no item"):
        done = relay.ctl("relay", "audit", "--verify", "-", data=wrong)
        w.checks.same(f"exit code for {wrong!r}", done.returncode, 2)

    bob.start()
    alice.delivered(message)
    w.checks.same("what arrived is not listed", alice.lines("relay", "audit"), [])
    shown = bob.lines("history", alice.id)[-1]
    w.checks.true("when the relay took it",
                  shown["received"] >= shown["deposited"] >= item["signed"] - 1000)
    w.checks.same("nothing is missing", shown["gap"], False)
    w.checks.true("people read it too", b"[at the relay " in bob.ctl("history", alice.id).stdout)


def the_operator_looks_after_members(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    w.checks.same("the way on one relay", (alice.contact(bob.id)["way"],
                                           alice.contact(bob.id)["same_operator"]),
                  ("same-relay", True))
    w.checks.true("contacts warn", b"same-relay  [one operator may see both ends]" in
                  alice.ctl("contacts").stdout)
    w.checks.same("what a queue may hold", relay.ask("relay", "limits"),
                  {"envelopes": 65536, "mib": 128, "days": 30})
    owner = alice.ask("relay", "status")
    w.checks.same("its owner sees it", (owner["envelopes"], owner["bytes"], owner["days"]),
                  (65536, 128 << 20, 30))
    w.checks.same("less", relay.ask("relay", "limits", "--envelopes", "100", "--days", "3"),
                  {"envelopes": 100, "mib": 128, "days": 3})
    relay.refused(2, "bad-argument", "relay", "limits", "--days", "31")
    relay.kill()
    relay.start()
    w.checks.same("it is kept", relay.ask("relay", "limits")["envelopes"], 100)
    w.checks.same("an unknown option", relay.ctl("relay", "limits", "--gib", "3").returncode, 2)
    carol = w.person("carol").create(relay)
    w.checks.same("a new member sees it", carol.ask("relay", "status")["envelopes"], 100)

    code = relay.ask("relay", "invite", "--days", "30")
    w.checks.true("a code for longer", code["expires"] - time.time() * 1000 > 29 * DAY * 1000)
    relay.refused(2, "bad-argument", "relay", "invite", "--days", "31")
    relay.refused(2, "bad-argument", "relay", "invite", "--days", "0")

    bob.terminate()
    for i in range(3):
        alice.event_of("message.at-relay", message=alice.send(bob, f"text {i}"))
    members = relay.lines("relay", "members")
    w.checks.same("members", len(members), 3)
    w.checks.same("queues of each", [m["queues"] for m in members], [1, 1, 1])
    w.checks.same("records of each", [m["records"] for m in members], [1, 1, 1])
    waits = [m for m in members if m["envelopes"] > 0]
    w.checks.true("what waits", len(waits) == 1 and waits[0]["envelopes"] >= 3 and
                  waits[0]["bytes"] >= 3 * 1024)
    w.checks.true("for people", b"3 members" in relay.ctl("relay", "members").stdout)

    for wrong in ("xyz", "00", waits[0]["member"] + "00"):
        relay.refused(2, "bad-argument", "relay", "remove", wrong)
    relay.refused(3, "not-found", "relay", "remove", "0" * 16)
    alice.refused(4, "not-a-relay", "relay", "members")
    w.checks.same("remove", relay.ask("relay", "remove", waits[0]["member"]), {})
    until("he is gone", lambda: waits[0]["member"] not in
          [m["member"] for m in relay.lines("relay", "members")])
    w.checks.same("what is left", (relay.status()["members"], relay.status()["queues"]), (2, 2))
    relay.terminate()
    rows = tables(str(pathlib.Path(w.options.tools) / "e2e_store"), relay.home / "db")
    w.checks.same("rows that are left", [rows[t] for t in ("member", "queue", "record")], [2, 2, 2])
    w.checks.same("nothing waits", sum(n for t, n in rows.items() if t.startswith("log_")), 0)
    relay.start()
    bob.start()
    until("he is told", lambda: bob.call("relay.status")["trouble"] == "bad-invite-code")
    bob.join(relay)
    w.checks.same("with a new code he is in again", relay.status()["members"], 3)


# --- invitations ---

def an_invitation_makes_one_contact(w):
    relay, alice, bob = w.three()
    carol = w.person("carol").create(relay)
    link = alice.ask("invite")["link"]
    w.checks.same("add from standard input", bob.ask("add", "-", data=link.encode())["id"], alice.id)
    until("he is accepted", lambda: bob.contact(alice.id)["state"] == "accepted")
    w.checks.same("again, by the same person", bob.ask("add", link),
                  {"id": alice.id, "state": "accepted"})
    w.checks.same("the tool takes it", carol.ask("add", link)["state"], "requested")
    event = carol.event_of("contact.failed", contact=alice.id)
    w.checks.same("but it was used", event["data"]["error"], "invite-used")
    w.checks.same("her contacts", [c["id"] for c in alice.call("contact.list")["contacts"]],
                  [bob.id])
    alice.event_of("invite.misused", contact=carol.id)
    event = bob.event_of("contact.failed", contact=alice.id)
    w.checks.same("he hears that it was not his alone", event["data"]["error"], "invite-used")
    w.checks.same("she asks like anybody else", [r["id"] for r in alice.lines("requests")],
                  [carol.id])


def what_is_mistyped_is_named(w):
    relay = w.person("relay", relay=True)
    alice = w.person("alice")
    alice.refused(4, "no-account", "invite")
    alice.create()
    alice.refused(4, "no-relay", "invite")
    alice.join(relay)
    bob = w.person("bob").create(relay)
    link = alice.ask("invite")["link"]
    bob.refused(3, "bad-checksum", "add", mistyped(link))
    bob.refused(3, "bad-checksum", "add", mistyped(alice.id))
    bob.refused(2, "bad-id", "add", "not an ID")
    bob.refused(2, "bad-id", "add", alice.id[:-1] + "!")
    bob.refused(2, "bad-invitation", "add", "petrel:!!!")
    bob.refused(2, "own-id", "add", bob.id)
    bob.refused(2, "bad-address", "relay", "use", "nowhere")
    bob.refused(2, "bad-argument", "relay", "use", relay.status()["node"], "--code", "xyz")
    bob.refused(2, "text-too-long", "add", alice.id, "--text", "x" * 300)
    bob.refused(4, "not-a-relay", "relay", "invite")
    bob.refused(4, "unknown-contact", "send", "nobody", "hello")
    w.checks.same("nothing came of all that", bob.call("contact.list")["contacts"], [])
    w.checks.same("people see a sentence",
                  b"mistyped" in bob.ctl("add", mistyped(link)).stderr, True)


def a_wrong_join_code_is_told(w):
    relay = w.person("relay", relay=True)
    alice = w.person("alice")
    alice.create()
    alice.call("relay.use", address=relay.status()["node"], code="00" * 32)
    until("the relay refuses", lambda: alice.call("relay.status")["trouble"] == "bad-invite-code")
    w.checks.same("state", alice.ask("relay", "status")["state"], "failing")
    alice.join(relay)
    w.checks.same("with a right code all is well", alice.call("relay.status")["trouble"], "")
    w.checks.same("members", relay.status()["members"], 1)


def an_invitation_expires(w):
    _, alice, bob = w.three()
    link = alice.ask("invite")["link"]
    late = w.person("late", environment=w.shifted(8 * DAY)).create()
    late.refused(3, "expired", "add", link)
    w.checks.same("people see a sentence", late.ctl("add", link).stderr.strip() != b"", True)
    w.checks.same("no contact", late.call("contact.list")["contacts"], [])
    w.checks.same("in time it is good", bob.ask("add", link)["state"], "requested")


# --- events ---

def a_client_that_was_away_replays_all(w):
    _, alice, bob = w.three()
    alice.meet(bob)

    def received(events):
        return [e["data"]["text"] for e in events if e["type"] == "message.received"]

    for i in range(3):
        bob.delivered(bob.send(alice, f"text {i}"))
    first = alice.lines("events", "--as", "bot", "--ack", "--no-follow")
    w.checks.same("the first look", received(first), ["text 0", "text 1", "text 2"])
    w.checks.same("cursors grow", [e["cursor"] for e in first],
                  sorted({e["cursor"] for e in first}))
    for i in range(3, 6):
        bob.delivered(bob.send(alice, f"text {i}"))
    alice.kill()
    alice.start()
    bob.delivered(bob.send(alice, "text 6"))
    seen = alice.lines("events", "--as", "bot", "--no-follow")
    w.checks.same("what it missed", received(seen), ["text 3", "text 4", "text 5", "text 6"])
    one = alice.lines("events", "--as", "bot", "--ack", "--count", "1")
    w.checks.same("without --ack nothing is forgotten", one, seen[:1])
    w.checks.same("with it, it is", alice.lines("events", "--as", "bot", "--no-follow"), seen[1:])
    other = alice.lines("events", "--as", "other", "--no-follow")
    w.checks.same("another consumer has a cursor of its own", other, first + seen)
    with Control(alice.home) as control:
        try:
            control.call("event.ack", {"name": "bot", "cursor": 10 ** 9})
            raise AssertionError("a cursor of the future was taken")
        except Refused as refusal:
            w.checks.same("a cursor of the future", refusal.name, "bad-argument")
    w.checks.same("--ack alone is no command", alice.ctl("events", "--ack").returncode, 2)


def trimmed_events_show_as_a_gap(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    for i in range(4):
        bob.delivered(bob.send(alice, f"text {i}"))
    seen = alice.lines("events", "--as", "bot", "--ack", "--count", "2")
    newest = alice.call("event.subscribe", since=0)["cursor"]
    alice.terminate()
    alice.environment = w.shifted(31 * DAY)
    alice.start()

    def gap():
        events = alice.lines("events", "--as", "bot", "--no-follow")
        return events if events and events[0]["type"] == "gap" else None
    events = until("the events of last month are trimmed", gap)
    w.checks.true("the gap is behind what was seen", events[0]["cursor"] > seen[-1]["cursor"])
    w.checks.same("it says what is left", events[0]["data"]["first"], events[0]["cursor"] + 1)
    w.checks.true("and that was not all made up", events[0]["cursor"] <= newest)
    w.checks.same("what is left follows", [e["cursor"] for e in events[1:]],
                  list(range(events[0]["data"]["first"], newest + 1)))


def a_clock_that_is_set_back_makes_nobody_wait(w):
    """As on a machine that comes up with local time in its hardware clock, and then asks for it."""
    clock = w.folder / "clock"

    def set_clock(seconds):
        with open(clock, "r+b" if clock.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
    set_clock(0)
    relay = w.person("relay", relay=True)
    alice = w.person("alice", environment={**preloaded(w.options.shift),
                                           "PETREL_CLOCK_FILE": str(clock)}).create(relay)
    bob = w.person("bob").create(relay)
    alice.meet(bob)
    set_clock(3 * 3600)
    w.checks.same("the relay goes", relay.terminate(), 0)
    message = alice.send(bob, "from a time to come")
    until("it is tried again at a time that is hours away",
          lambda: alice.call("relay.status")["trouble"])
    set_clock(0)
    relay.start()
    with Control(alice.home):  # sockets are looked at, and a second later the clock
        bob.event_of("message.received", message=message)
    alice.delivered(message)


def slow_and_dead_clients_block_nobody(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    start = alice.call("event.subscribe", since=0)["cursor"]
    slow = Control(alice.home, timeout=PATIENCE)
    slow.connect()
    slow.call("event.subscribe", {"since": start})
    dead = subprocess.Popen(  # pylint: disable=consider-using-with
        [alice.tool, "--home", str(alice.home), "events", "--since", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    dead.stdout.readline()
    dead.send_signal(signal.SIGSTOP)  # it lives, holds its connection, and never reads
    before = alice.rss_kib()
    texts = [f"{i} " + "x" * 50000 for i in range(60)]
    last = [bob.send(alice, text) for text in texts][-1]
    bob.delivered(last)
    grown = alice.rss_kib() - before
    print(f"   {sum(map(len, texts)) // 1024} KiB of events unread by two: VmRSS grew {grown} KiB")
    if not sanitized():
        w.checks.true("memory stays bounded (24 MiB)", grown < 24 * 1024)
    w.checks.same("others are served", alice.status()["account"], "open")
    dead.kill()
    dead.wait()
    dead.stdout.close()
    got = []
    while len(got) < len(texts):
        event = slow.wait_event(lambda e: e["type"] == "message.received", PATIENCE)
        w.checks.true("the slow one gets all in the end", event is not None)
        got.append(event["data"]["text"])
    w.checks.same("in order", got == texts, True)
    slow.close()


def sanitized():
    return "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


# --- the daemon ---

def a_passphrase_guards_the_account(w):
    relay = w.person("relay", relay=True)
    alice, bob = w.person("alice"), w.person("bob").create(relay)
    secret = b"correct horse battery staple\n"
    with pipe_with(secret) as fd:
        done = alice.ctl("--json", "init", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("init", done.returncode, 0)
    words = json.loads(done.stdout)["words"]
    alice.id = alice.call("account.show")["id"]
    alice.join(relay)
    alice.meet(bob)
    w.checks.same("no key file", (alice.home / "account-1.key").exists(), False)

    w.checks.same("stop", alice.ctl("stop").returncode, 0)
    alice.process.wait(PATIENCE)
    alice.process = None
    message = bob.send(alice, "while you were locked")
    bob.event_of("message.at-relay", message=message)
    alice.start()
    w.checks.same("locked after a restart", alice.status()["account"], "locked")
    for command in (("id",), ("contacts",), ("invite",), ("send", bob.id, "x"), ("words",),
                    ("events", "--since", "0", "--no-follow")):
        alice.refused(4, "account-locked", *command)
    with pipe_with(b"wrong horse\n") as fd:
        alice.refused(1, "wrong-key", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("still locked", alice.status()["account"], "locked")
    with pipe_with(secret) as fd:
        done = alice.ctl("--json", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("unlock", (done.returncode, json.loads(done.stdout)["id"]), (0, alice.id))
    bob.delivered(message)
    w.checks.same("what came meanwhile", alice.texts(bob.id), ["while you were locked"])
    w.checks.same("the words", alice.ask("words")["words"], words)

    w.checks.same("lock", alice.ask("lock"), {"account": 1})
    w.checks.same("locked by hand", alice.status()["account"], "locked")
    alice.refused(4, "account-locked", "send", bob.id, "x")
    message = bob.send(alice, "and again")
    bob.event_of("message.at-relay", message=message)
    with pipe_with(secret) as fd:
        done = alice.ctl("unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("unlock again", done.returncode, 0)
    bob.delivered(message)

    alice.terminate()
    with pipe_with(secret) as fd:
        alice.start(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
    w.checks.same("opened at start", alice.status()["account"], "open")
    alice.terminate()
    with pipe_with(b"wrong horse\n") as fd:
        alice.launch(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
        w.checks.same("a wrong one at start: exit code", alice.process.wait(PATIENCE), 1)
    alice.process = None
    w.checks.true("and why", "wrong-key" in alice.log_tail())
    for place in alice.home.rglob("*"):
        if place.is_file() and place.name != "ballast":
            w.checks.same(f"{place.name} does not hold it",
                          secret.strip() in place.read_bytes(), False)
    w.checks.same("nor does the log", b"horse" in alice.log.read_bytes(), False)


def every_exit_code_is_shown(w):
    alice = w.person("alice")
    seen = {}

    def shows(code, what, *args, **kw):
        seen[code] = what
        w.checks.same(what, alice.ctl(*args, **kw).returncode, code)
    shows(4, "state: no account", "id")
    with pipe_with(b"secret\n") as fd:
        shows(0, "init", "init", "--passphrase-fd", str(fd), pass_fds=[fd])
    alice.terminate()
    shows(5, "no daemon", "status")
    alice.start()
    with pipe_with(b"another\n") as fd:
        shows(1, "local: wrong passphrase", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    with pipe_with(b"secret\n") as fd:
        shows(0, "unlock", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    for words in (("nonsense",), (), ("send", "one"), ("--no-such", "id"), ("events", "--ack")):
        shows(2, f"usage: {words}", *words)
    own = alice.ask("id")["id"]
    shows(3, "peer: a mistyped ID", "add", mistyped(own))
    shows(4, "state: account exists", "init")
    w.checks.same("all of them", sorted(seen), [0, 1, 2, 3, 4, 5])


def one_home_one_daemon_and_clean_ends(w):
    alice = w.person("alice")
    second = w.person("alice", start=False)
    second.launch()
    w.checks.same("a second daemon on this home: exit code", second.process.wait(PATIENCE), 1)
    second.process = None
    w.checks.true("and why", "home-locked" in second.log_tail())
    alice.create()
    for how in (signal.SIGTERM, signal.SIGINT):
        w.checks.same(f"{how.name}: exit code", alice.terminate(how), 0)
        w.checks.same("the socket is gone", os.path.lexists(alice.home / "control.sock"), False)
        alice.start()
    w.checks.same("the account is still there", alice.call("account.show")["id"], alice.id)


def a_newer_schema_is_refused_and_left_alone(w):
    alice = w.person("alice").create()
    alice.terminate()
    tool = [pathlib.Path(w.options.tools) / "e2e_store", "schema"]
    database = alice.home / "db"
    was = subprocess.run([*tool, database], capture_output=True, check=True).stdout
    w.checks.same("schema of this version", was, b"6\n")
    subprocess.run([*tool, database, str(int(was) + 1), "petreld 99.1"], check=True)
    content = (database / "data.mdb").read_bytes()
    alice.launch()
    w.checks.same("exit code", alice.process.wait(PATIENCE), 1)
    alice.process = None
    w.checks.true("and why", "schema-newer" in alice.log_tail() and
                  "petreld 99.1" in alice.log_tail())
    w.checks.same("nothing was written", (database / "data.mdb").read_bytes() == content, True)
    subprocess.run([*tool, database, was.strip(), "petreld 0"], check=True)
    alice.start()
    w.checks.same("and nothing was lost", alice.call("account.show")["id"], alice.id)


def the_configuration_is_checked(w):
    program = str(w.bin / "petreld")
    home = w.folder / "conf"
    home.mkdir(mode=0o700)

    def check(*args):
        return subprocess.run([program, "--home", str(home), *args, "--check-config"],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
    conf = home / "petreld.conf"
    for text, reason in (("log.level = info\nno.such = 1\n", ":2: there is no key 'no.such'"),
                         ("relay = perhaps\n", ":1: relay: 'perhaps'"),
                         ("listen = 127.0.0.1:99999\n", ":1: listen"),
                         ("log.level = info\nlog.level = debug\n", ":2: ")):
        conf.write_text(text)
        done = check()
        w.checks.same(f"{text!r}: exit code", done.returncode, 1)
        w.checks.true(f"{text!r}: file, line and reason", f"{conf}{reason}" in done.stderr)
    conf.write_text("relay = yes\n")
    w.checks.same("a relay that listens nowhere", check().returncode, 1)
    w.checks.same("a good one", check("--listen", "127.0.0.1:0").returncode, 0)
    w.checks.same("a file that is not there", check("--config", "/no/such").returncode, 1)
    w.checks.same("a wrong flag", check("--wrong").returncode, 2)


def the_service_manager_is_told(w):
    path = str(w.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(PATIENCE)
        alice = w.person("alice", start=False, environment={"NOTIFY_SOCKET": path})
        alice.launch()
        w.checks.same("ready", notify.recv(64), b"READY=1")
        with Control(alice.home) as control:  # whoever hears READY can call
            w.checks.same("and it is", control.call("daemon.status")["account"], "none")
        w.checks.same("SIGTERM: exit code", alice.terminate(), 0)
        w.checks.same("stopping", notify.recv(64), b"STOPPING=1")


# --- calls as bytes ---

class Raw:
    """Calls that lib/control.py would not make."""

    def __init__(self, home):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(home / "control.sock"))
        self.buffer = b""

    def exchange(self, data):
        """Sends bytes; the next message."""
        self.socket.sendall(data)
        while True:
            try:
                message, end = mpack.unpack(self.buffer)
                self.buffer = self.buffer[end:]
                return message
            except mpack.NeedMore:
                got = self.socket.recv(65536)
                if not got:
                    raise AssertionError("closed") from None
                self.buffer += got

    def call(self, method, params, number=7):
        return self.exchange(mpack.pack([0, number, method, [params]]))

    def error(self, method, params):
        reply = self.call(method, params)
        assert reply[0] == 1 and reply[1] == 7 and reply[3] is None, reply
        return reply[2]["name"], reply[2]["class"], reply[2]["code"]


def wrong_calls_have_names(w):
    alice = w.person("alice").create()
    raw = Raw(alice.home)
    cid = os.urandom(16)
    for method, params, name, kind, code in (
            ("message.sing", {}, "unknown-method", "caller", 401),
            ("daemon.status", {"colour": "red"}, "unknown-parameter", "caller", 402),
            ("contact.add", {"client_id": cid}, "missing-parameter", "caller", 403),
            ("contact.block", {"contact": "x"}, "missing-parameter", "caller", 403),
            ("message.history", {"contact": 7}, "bad-type", "caller", 404),
            ("contact.block", {"contact": "x", "client_id": b"short"}, "bad-type", "caller", 404),
            ("message.history", {"contact": "nobody"}, "unknown-contact", "state", 305),
            ("event.ack", {"name": "", "cursor": 0}, "bad-argument", "caller", 400)):
        w.checks.same(f"{method} {params}", raw.error(method, params), (name, kind, code))
    w.checks.same("and good ones still work", raw.call("hello", {"api": 1})[3]["api"], 1)
    w.checks.same("another version", raw.error("hello", {"api": 99})[0], "wrong-version")
    reply = raw.exchange(b"\xc1")
    w.checks.same("what is no call at all ends it", (reply[1], reply[2]["class"]), (0, "peer"))
    w.checks.same("the end", raw.socket.recv(1), b"")
    w.checks.same("others notice nothing", alice.status()["account"], "open")


def a_repeated_call_changes_nothing(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    cid = os.urandom(16)
    call = {"contact": bob.id, "text": "once", "client_id": cid}
    first = Raw(alice.home).call("message.send", call)[3]
    w.checks.same("on another connection", Raw(alice.home).call("message.send", call)[3], first)
    alice.kill()
    alice.start()
    raw = Raw(alice.home)
    w.checks.same("after SIGKILL", raw.call("message.send", call)[3], first)
    w.checks.same("for another call", raw.error("message.send", dict(call, text="twice"))[:2],
                  ("client-id-reused", "state"))
    w.checks.same("for another method", raw.error("contact.block", {"contact": bob.id,
                                                                   "client_id": cid})[:2],
                  ("client-id-reused", "state"))
    alice.delivered(first["message"])
    w.checks.same("what he reads", bob.texts(alice.id), ["once"])
    link = Raw(alice.home).call("invite.create", {"client_id": cid[::-1]})[3]
    w.checks.same("the same invitation",
                  Raw(alice.home).call("invite.create", {"client_id": cid[::-1]})[3], link)


def bad_disk(w, **switches):
    """The environment of a daemon whose disk fails while (or once, when) the file of a switch is
    there."""
    library = pathlib.Path(w.options.tools) / "libe2e_fail_disk.so"
    return {**preloaded(library), **{name: str(path) for name, path in switches.items()}}


def relay_with_a_bad_disk(w, **switches):
    """A relay, and two members, the second of whom sleeps."""
    relay = w.person("relay", relay=True, environment=bad_disk(w, **switches))
    alice, bob = (w.person(name).create(relay) for name in ("alice", "bob"))
    alice.meet(bob)
    alice.delivered(alice.send(bob, "before"))
    bob.terminate()
    return relay, alice, bob


def all_arrive(w, alice, bob, sent):
    bob.start()
    until("bob reads all", lambda: len(bob.texts(alice.id)) >= len(sent))
    w.checks.same("what he reads", bob.texts(alice.id), sent)


def a_log_that_cannot_be_written_is_told_and_loses_nothing(w):
    broken = w.folder / "relay" / "the log is broken"
    relay, alice, bob = relay_with_a_bad_disk(w, PETREL_FAIL_LOG=broken)
    broken.touch()
    sent = [f"text {i}" for i in range(10)]
    for text in sent:
        alice.event_of("message.at-relay", message=alice.send(bob, text))
    relay.kill()
    told = relay.log.read_text().count("the log cannot be written")
    w.checks.same("how often it was told", told, 1)
    broken.unlink()
    relay.start()
    all_arrive(w, alice, bob, ["before", *sent])


def a_commit_that_fails_takes_no_acknowledged_message_with_it(w):
    """The turns that were acknowledged before it are in the log, and go to the next one."""
    failing = w.folder / "relay" / "the next commit fails"
    relay, alice, bob = relay_with_a_bad_disk(w, PETREL_FAIL_COMMIT=failing)
    sent = []
    for times in range(1, 4):
        failing.touch()
        while failing.exists():
            sent.append(f"text {len(sent)}")
            alice.event_of("message.at-relay", message=alice.send(bob, sent[-1]))
        until("the failure is told",
              lambda times=times: relay.log.read_text().count("at=commit") == times)
        # It answers once it has loaded again: a second failure before that would be its end.
        w.checks.true("it serves on", relay.status()["relay"])
    relay.kill()
    relay.start()
    all_arrive(w, alice, bob, ["before", *sent])


def a_call_that_waits_hears_of_a_turn_that_failed(w):
    """Its answer would have come with a later turn, and what waits for it is gone with this one."""
    relay = w.person("relay", relay=True)
    failing = w.folder / "alice" / "the next commit fails"
    alice = w.person("alice", environment=bad_disk(w, PETREL_FAIL_COMMIT=failing)).create(relay)
    nobody = bob_like_id(w)
    with Still(relay):  # it does not answer
        waiting = alice.begin("--json", "resolve", nobody)
        until("it is asked", lambda: alice.status()["links"] >= 2)
        failing.touch()
        while failing.exists():
            try:
                alice.call("invite.create")
            except Refused:
                pass
        out, _ = waiting.communicate(timeout=20)
    w.checks.same("why", json.loads(out)["error"]["name"], "busy")
    w.checks.same("exit code", waiting.returncode, 4)
    until("it goes on", lambda: alice.call("relay.status")["state"] == "ready")
    w.checks.same("and is answered", alice.ctl("resolve", nobody).returncode, 3)


def a_start_on_a_full_disk_gives_the_ballast_up_for_what_the_core_writes(w):
    """The relay comes up a month later, and sweeps what has expired before anything else."""
    full = w.folder / "relay" / "the disk is full"
    relay, alice, bob = relay_with_a_bad_disk(w, PETREL_FULL_COMMIT=full)
    for i in range(10):
        alice.event_of("message.at-relay", message=alice.send(bob, f"text {i}"))
    alice.terminate()
    relay.terminate()
    full.touch()
    shifted = w.shifted(40 * DAY)
    relay.environment = {**shifted, **bad_disk(w, PETREL_FULL_COMMIT=full)}
    relay.environment["LD_PRELOAD"] += " " + shifted["LD_PRELOAD"]
    relay.start()
    w.checks.same("its commit failed once", full.exists(), False)
    w.checks.same("and not in a turn", relay.log.read_text().count("turn failed"), 0)
    ballast = relay.home / "db" / "ballast"
    until("the ballast is there again", lambda: relay.status()["relay"] and ballast.exists())


def a_relay_goes_on_while_its_owners_account_is_locked(w):
    relay = w.person("relay", relay=True)
    secret = b"correct horse battery staple\n"
    with pipe_with(secret) as fd:
        done = relay.ctl("init", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("init", done.returncode, 0)
    relay.id = relay.call("account.show")["id"]
    relay.join(relay)
    alice, bob = (w.person(name).create(relay) for name in ("alice", "bob"))
    for person in (alice, bob):
        person.meet(relay)
    alice.meet(bob)
    relay.terminate()
    relay.start()
    w.checks.same("locked at the start", relay.status()["account"], "locked")
    alice.delivered(alice.send(bob, "one"))
    waits = alice.send(relay, "for you")
    alice.event_of("message.at-relay", message=waits)
    with pipe_with(secret) as fd:
        relay.ctl("unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    alice.delivered(waits)
    relay.ask("lock")
    w.checks.same("locked by hand", relay.status()["account"], "locked")
    bob.delivered(bob.send(alice, "two"))
    w.checks.same("what they read", (bob.texts(alice.id), alice.texts(bob.id)),
                  (["one"], ["two"]))


STORIES = [adding_by_id_goes_through_ones_own_relay,
           what_a_relay_signed_for_is_listed_until_it_arrives,
           a_relay_passes_on_what_its_policy_allows,
           the_operator_looks_after_members, text_from_standard_input_and_its_limits,
           the_safety_number_is_compared, a_blocked_contact_is_not_heard,
           an_invitation_makes_one_contact, what_is_mistyped_is_named, a_wrong_join_code_is_told,
           an_invitation_expires, a_client_that_was_away_replays_all, trimmed_events_show_as_a_gap,
           a_clock_that_is_set_back_makes_nobody_wait,
           slow_and_dead_clients_block_nobody, a_passphrase_guards_the_account,
           a_relay_goes_on_while_its_owners_account_is_locked,
           every_exit_code_is_shown, one_home_one_daemon_and_clean_ends,
           a_newer_schema_is_refused_and_left_alone, the_configuration_is_checked,
           the_service_manager_is_told, wrong_calls_have_names, a_repeated_call_changes_nothing,
           a_log_that_cannot_be_written_is_told_and_loses_nothing,
           a_commit_that_fails_takes_no_acknowledged_message_with_it,
           a_call_that_waits_hears_of_a_turn_that_failed,
           a_start_on_a_full_disk_gives_the_ballast_up_for_what_the_core_writes]


def options_of(parser):
    parser.add_argument("--shift", required=True, help="the library of clock_shift.c")
    parser.add_argument("--tools", required=True, help="folder with e2e_store")


if __name__ == "__main__":
    main(STORIES, "what people do with petreld and petrelctl", options_of)
