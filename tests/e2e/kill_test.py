#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Messages go both ways while the relay and both daemons are killed with SIGKILL.

usage: kill_test.py --bin FOLDER [--messages N] [--kills N] [--seed N]

Alice sends N messages to Bob and Bob sends some back, one after another, each repeated with the
same client_id until it was acknowledged. In the middle of such a stream a daemon, drawn from the
seed, is killed at a moment drawn from the seed, and started again. When all kills are done and
the outboxes are empty: every message whose sending was acknowledged is in the other's history
exactly once and in order, and nothing else is.

The moment: a message of the burst is drawn, then a time of at most AFTER_S after its
acknowledgement. A coin decides whether that is the moment ("blind"), or whether the kill waits for
a turn of the victim that is open and still is after a drawn time of at most INTO_S ("aimed": turns
are short, and blind kills alone would seldom hit one). Whether a kill hit an open turn is read after it, in both
cases, from the killed process's lock file; one that is over but not yet on disk counts as open. The
verdict prints both kinds apart. The seed repeats the choices, not the scheduling.

Some start must find turns that were in a daemon's log alone. When none of the kills came at such a
moment, the relay is killed in further bursts until one did, at most MORE times.
"""
import argparse
import collections
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import tap  # noqa: E402
from lib.control import Control, Lost, Refused, history, new_client_id  # noqa: E402
from lib.node import Died, Node  # noqa: E402

AFTER_S = 0.02  # a kill comes at most this long after a reply that was drawn
INTO_S = 0.0002  # an aimed one at most this long after a turn was seen to be open
MORE = 20
BURST = 16  # messages each way in a further burst
AIM_S = 0.5  # and an open turn is waited for at most this long


class Failure(Exception):
    """What this test is there to find."""


def wait_for(what, condition, timeout, pause=0.05):
    deadline = time.monotonic() + timeout
    while True:
        try:
            if condition():
                return
        except Lost:
            pass
        if time.monotonic() > deadline:
            raise Failure(f"not within {timeout:.0f} s: {what}")
        time.sleep(pause)


class Person:
    """Somebody with a daemon, who writes to the other one from a thread of his own."""

    def __init__(self, node, name):
        self.node = node
        self.name = name
        self.identity = None
        self.other = None  # the other's ID
        self.acknowledged = []  # (message ID, text), in the order of sending
        self.repeats = 0  # calls that were asked again after a connection was lost
        self.control = Control(node.home, timeout=60.0)

    def begin(self, address, code):
        with Control(self.node.home) as control:
            self.identity = control.call("account.create")["id"]
            control.call("relay.use", {"address": address, "code": code})
            wait_for(f"{self.name}'s relay is ready",
                     lambda: control.call("relay.status")["state"] == "ready", 60)

    def contact_state(self):
        with Control(self.node.home) as control:
            for contact in control.call("contact.list")["contacts"]:
                if contact["id"] == self.other:
                    return contact["state"]
        return None

    def outbox(self):
        with Control(self.node.home) as control:
            return control.call("daemon.status")["outbox"]

    def send(self, text, give_up):
        """Sends until it is acknowledged, always as the same call."""
        client_id = new_client_id()
        while True:
            try:
                result = self.control.call(
                    "message.send", {"contact": self.other, "text": text}, client_id)
                self.acknowledged.append((result["message"], text))
                return
            except Lost:
                self.repeats += 1
                pause = 0.02
            except Refused as refusal:
                if refusal.error_class != "state":
                    raise
                pause = max(0.05, refusal.retry_after_ms / 1000)
            if give_up.wait(pause):
                raise Failure(f"{self.name} could not send: {text}")


class Stream(threading.Thread):
    """Sends a row of texts, one after another; error says why it ended early."""

    def __init__(self, person, texts, give_up):
        super().__init__(daemon=True)
        self.person = person
        self.texts = texts
        self.give_up = give_up
        self.error = None

    def run(self):
        try:
            for text in self.texts:
                self.person.send(text, self.give_up)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error


class Story:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        program = pathlib.Path(options.bin) / "petreld"
        self.relay = Node(program, folder, "relay", ["--relay"])
        self.nodes = [self.relay, Node(program, folder, "alice"), Node(program, folder, "bob")]
        self.alice = Person(self.nodes[1], "alice")
        self.bob = Person(self.nodes[2], "bob")
        self.give_up = threading.Event()
        self.kills = collections.Counter()
        self.open_turns = collections.Counter()
        self.aims = collections.Counter()  # kills by kind, and those of them that hit
        self.idle = 0  # kills after the last reply of their burst: only the outboxes were at work

    def prepare(self):
        for node in self.nodes:
            node.start()
        address = self.relay.keep_port()
        for person in (self.alice, self.bob):
            with Control(self.relay.home) as control:
                code = control.call("relay.invite")["code"]
            person.begin(address, code)
        with Control(self.alice.node.home) as control:
            link = control.call("invite.create")["link"]
        with Control(self.bob.node.home) as control:
            control.call("contact.add", {"link": link})
        self.alice.other, self.bob.other = self.bob.identity, self.alice.identity
        for person in (self.alice, self.bob):
            wait_for(f"{person.name}'s contact is accepted",
                     lambda p=person: p.contact_state() == "accepted", 120)

    def texts(self, name, first, count):
        """Texts of several sizes, so that all envelope classes come by."""
        for number in range(first, first + count):
            size = self.random.choice((0, 0, 0, 0, 900, 3000, 12000))
            yield f"{name} {number} {'x' * size}"

    def round(self, there, back, victim):
        """One burst each way; in the middle of it the victim is killed and started again."""
        streams = [Stream(self.alice, there, self.give_up), Stream(self.bob, back, self.give_up)]
        before = len(self.alice.acknowledged)
        for stream in streams:
            stream.start()
        if victim is not None:
            place = before + self.random.randrange(max(1, len(there) - 1))
            wait_for(f"message {place} is acknowledged", lambda: any(s.error for s in streams)
                     or len(self.alice.acknowledged) >= place, self.options.patience, 0.001)
            self.strike(streams, victim)
        for stream in streams:
            stream.join(self.options.patience)
            if stream.error is not None:
                raise stream.error
            if stream.is_alive():
                raise Failure(f"{stream.person.name} is stuck in sending")

    def strike(self, streams, victim):
        time.sleep(self.random.uniform(0, AFTER_S))
        kind = self.random.choice(("blind", "aimed"))
        into = self.random.uniform(0, INTO_S)
        in_flight = any(stream.is_alive() for stream in streams)
        hit = victim.kill(into if kind == "aimed" else None, AIM_S)
        self.aims[kind] += 1
        self.aims[kind + " that hit"] += hit
        self.kills[victim.name] += 1
        self.open_turns[victim.name] += hit
        self.idle += not in_flight
        number = sum(self.kills.values())
        print(f"kill {number:2}: {victim.name}, {kind}, "
              f"{'a turn was open' if hit else 'between turns'}, "
              f"{len(self.alice.acknowledged)} + {len(self.bob.acknowledged)} acknowledged",
              flush=True)
        victim.start()

    def play(self):
        rounds = self.options.kills
        messages, answers = self.options.messages, self.options.messages // 5
        for k in range(rounds + 1):
            there = self.share(messages, k, rounds + 1)
            back = self.share(answers, k, rounds + 1)
            victim = self.random.choice(self.nodes) if k < rounds else None
            self.burst(there, back, victim)
        for k in range(MORE):
            if not rounds or any(self.replayed().values()):
                return
            self.burst((messages + BURST * k, BURST), (answers + BURST * k, BURST), self.relay)

    def burst(self, there, back, victim):
        self.round(list(self.texts("alice", *there)), list(self.texts("bob", *back)), victim)
        for node in self.nodes:
            node.must_live()

    def replayed(self):
        return {node.name: node.replayed() for node in self.nodes}

    @staticmethod
    def share(total, k, parts):
        first = total * k // parts
        return first, total * (k + 1) // parts - first

    def come_to_rest(self):
        for person in (self.alice, self.bob):
            wait_for(f"{person.name}'s outbox is empty",
                     lambda p=person: p.outbox() == 0, self.options.patience)

    def compare(self):
        for sender, reader in ((self.alice, self.bob), (self.bob, self.alice)):
            with Control(reader.node.home) as control:
                theirs = [(m["message"], m["text"]) for m in history(control, reader.other)
                          if not m["mine"]]
            with Control(sender.node.home) as control:
                own = [m for m in history(control, sender.other) if m["mine"]]
            self.compare_lists(sender, reader, theirs)
            undelivered = [m["message"] for m in own if m["state"] != "delivered"]
            if undelivered:
                raise Failure(f"{sender.name}: {len(undelivered)} not shown as delivered")
            if [m["message"] for m in own] != [m for m, _ in sender.acknowledged]:
                raise Failure(f"{sender.name}'s own history is not what was sent")
            print(f"{sender.name} to {reader.name}: {len(theirs)} messages, each exactly once, in "
                  f"order; {sender.repeats} calls were repeated")

    @staticmethod
    def compare_lists(sender, reader, theirs):
        sent = sender.acknowledged
        if theirs == sent:
            return
        count = collections.Counter(m for m, _ in theirs)
        lost = [m for m, _ in sent if count[m] == 0]
        double = [m for m, n in count.items() if n > 1]
        known = {m for m, _ in sent}
        strange = [m for m, _ in theirs if m not in known]
        first = next((i for i, (a, b) in enumerate(zip(sent, theirs)) if a != b), None)
        raise Failure(
            f"{sender.name} to {reader.name}: {len(sent)} acknowledged, {len(theirs)} in the "
            f"history; lost {lost[:5]}, double {double[:5]}, unknown {strange[:5]}"
            + ("" if first is None else f"; the first difference is at {first}: sent "
               f"{sent[first][1][:20]!r}, there is {theirs[first][1][:20]!r}"))

    def verdict(self):
        kills, hits = sum(self.kills.values()), sum(self.open_turns.values())
        share = hits / kills if kills else 0.0
        print(f"kills: {kills} {dict(self.kills)}; open turn: {hits} {dict(self.open_turns)}, "
              f"{100 * share:.0f} %; after the last reply of a burst: {self.idle}")
        replayed = self.replayed()
        print(f"turns that starts took from the log: {replayed}")
        if not any(replayed.values()):
            raise Failure("no start found a turn that was in the log alone")
        print("of these: " + ", ".join(f"{self.aims[k]} {k}" for k in
                                       ("blind", "blind that hit", "aimed", "aimed that hit")))
        if share < self.options.open_share:
            raise Failure(f"only {100 * share:.0f} % of the kills hit an open turn, "
                          f"{100 * self.options.open_share:.0f} % are wanted")

    def run(self):
        self.prepare()
        self.play()
        self.come_to_rest()
        self.compare()
        for node in reversed(self.nodes):
            code = node.stop()
            if code != 0:
                raise Failure(f"{node.name} ended with {code}:\n{node.log_tail()}")
        self.verdict()


def read_options():
    parser = argparse.ArgumentParser(description="messages survive SIGKILL, exactly once")
    parser.add_argument("--bin", required=True, help="folder with petreld")
    parser.add_argument("--messages", type=int, default=1000, help="from Alice; Bob sends a fifth")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--open-share", type=float, default=None,
                        help="share of kills that must hit an open turn (0.25 from 20 kills on)")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to come to rest")
    parser.add_argument("--dir", default="/tmp", help="where the homes are made")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    if options.open_share is None:
        options.open_share = 0.25 if options.kills >= 20 else 0.0
    return options


def main():
    options = read_options()
    print(f"seed {options.seed}, {options.messages} messages, {options.kills} kills", flush=True)
    folder = tempfile.mkdtemp(prefix="petrel-kill-", dir=options.dir)
    story = Story(options, folder)
    started = time.monotonic()
    try:
        story.run()
    except (Failure, Refused, Died, Lost) as error:
        print(f"FAILED (seed {options.seed}): {error}")
        for node in story.nodes:
            print(f"--- last lines of {node.name}'s log\n{node.log_tail()}")
        print(f"homes and logs are kept in {folder}")
        return 1
    finally:
        story.give_up.set()
        for node in story.nodes:
            node.destroy()
    shutil.rmtree(folder)
    tap.passed("kill_test.py", "kill_test")
    print(f"kill_test: passed in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
