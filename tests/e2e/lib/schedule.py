# SPDX-License-Identifier: Apache-2.0
"""The schedule of the test with hosts: which fault (lib/faults.py) begins and ends at which
message, and what came to pass. Writers (lib/crowd.py) never run far ahead of it."""
import collections
import random
import time

from lib.crowd import Ledger, Writers
from lib.faults import KINDS
from lib.people import Failure, until

AHEAD = 24           # messages that writers may be ahead of what happens
OTHERS_S = 5.0       # a fault without evidence for so long: another one may be in its way
EVENT_PATIENCE_S = 180.0
SOME = 20            # messages that are written while something is waited for,
SOME_PER_S = 2       # and this many a second more
EXTRA = 1 << 30      # than these there are never more


class Schedule:
    """active: {fault: how many messages were acknowledged when it began}. The counters are by kind
    of fault."""

    def __init__(self, options, hosts):
        self.options, self.hosts = options, hosts
        self.random = random.Random(options.seed)
        self.ledger = hosts.ledger = Ledger(options.messages)
        self.writers = Writers(self.ledger)
        self.active = {}
        self.happened = collections.Counter()
        self.messages = collections.Counter()
        self.evidence = collections.Counter()
        self.lasted = collections.Counter()
        self.noticed = set()  # faults that should be, and are
        self.later = 0        # messages by which all that was planned is put off

    def plan(self):
        """[(place among all acknowledged messages, what, fault)], in order."""
        faults = [kind(self.hosts, self.random) for kind in KINDS for _ in range(self.options.each)]
        self.random.shuffle(faults)
        lasting = [fault for fault in faults if fault.may_last()]
        for fault in self.random.sample(lasting, min(self.options.lasting, len(lasting))):
            fault.lasting = True
        span = self.options.messages / (len(faults) + 1)
        events = []
        for k, fault in enumerate(faults):
            begin = int(span * (k + self.random.random()))
            end = begin + int(span * self.random.uniform(0.2, 2))
            events += [(begin, k, self.begin, fault),
                       (min(end, self.options.messages - 1), k, self.finish, fault)]
        return sorted(events, key=lambda event: event[:2])

    def run(self):
        events = self.plan()
        self.writers.begin(self.hosts.devices, self.hosts.others, self.options.seed)
        for place, _, what, fault in events:
            self.reach(place + self.later)
            what(fault)
            self.hosts.must_live()
        self.writers.end(self.options.patience)

    def reach(self, place):
        """Waits until so many are acknowledged."""
        def reached():
            return self.ledger.count >= place or self.writers.failed()
        self.ledger.allow(place + AHEAD)
        if not self.ledger.wait(reached, EVENT_PATIENCE_S):
            raise Failure(f"message {place} is not acknowledged, {self.ledger.count} are: "
                          f"{[str(fault) for fault in self.active]}")
        self.writers.must_go_on()

    def go_on_until(self, what, condition):
        """As until(), while a few more messages are written than were planned."""
        before, began = self.ledger.count, time.monotonic()

        def met():
            self.writers.must_go_on()
            enough = SOME + SOME_PER_S * (time.monotonic() - began)
            if self.ledger.count - before < enough:
                self.ledger.allow(self.ledger.count + len(self.writers.all))
            return condition()
        self.ledger.extend(EXTRA)
        try:
            until(what, met, EVENT_PATIENCE_S, 0.1)
        finally:
            more = self.ledger.count - before
            self.ledger.extend(more - EXTRA)
            self.later += more

    # --- faults ---

    def begin(self, fault):
        for other in list(self.active):
            same = other.node is fault.node and (other.holds or fault.kind == other.kind)
            if other in self.active and (fault.exclusive or other.exclusive or same):
                self.finish(other)
        if fault.exclusive:
            self.all_is_well(fault)
        self.active[fault] = self.ledger.count
        fault.begin()
        self.say(f"{fault}, begins")

    def all_is_well(self, fault):
        """Everybody has a link to the relay again, and it has those that it needs."""
        devices = self.hosts.devices
        cursors = {device: device.newest_event() for device in devices}
        self.go_on_until(f"all is well before {fault}", lambda: all(
            device.call("relay.status")["state"] == "ready" and device.has_delivered(cursor)
            for device, cursor in cursors.items()))

    def seen(self, fault):
        """Its evidence. While something else has the process there may be none."""
        held = {other.node for other in self.active if other.holds}
        if fault.node in held and not fault.holds:
            return 0
        evidence = fault.evidence()
        if fault.lasting and evidence > 0 and fault not in self.noticed:
            if not self.hosts.noticed(fault.node, held):
                return 0
            self.noticed.add(fault)
        return evidence

    def finish(self, fault):
        """When it has come to pass, it ends."""
        began = time.monotonic()

        def over():
            if self.seen(fault) > 0:
                self.end(fault)
                return True
            if time.monotonic() - began > OTHERS_S:
                for other in list(self.active):
                    if other is not fault and self.seen(other) > 0:
                        self.end(other)
            return False
        if fault in self.active:
            self.go_on_until(f"{fault} has come to pass", over)

    def end(self, fault):
        evidence = self.seen(fault)
        fault.end()
        meanwhile = self.ledger.count - self.active.pop(fault)
        self.happened[fault.kind] += 1
        self.messages[fault.kind] += meanwhile
        self.evidence[fault.kind] += evidence
        self.lasted[fault.kind] += fault.lasting
        self.say(f"{fault}, is over: {evidence} {fault.unit}, {meanwhile} messages meanwhile")

    def say(self, what):
        print(f"{self.ledger.count:6} acknowledged: {what}", flush=True)

    def report(self):
        """How often each kind of fault came to pass, and how many messages were acknowledged
        meanwhile. None may be missing."""
        print(f"{self.ledger.count} messages acknowledged; {self.ledger.repeats} calls repeated; "
              f"refusals {dict(sorted(self.ledger.refusals.items()))}")
        print(f"{'kind of fault':16} {'came to pass':>12} {'till noticed':>12} "
              f"{'messages meanwhile':>18}   evidence")
        for kind in KINDS:
            print(f"{kind.kind:16} {self.happened[kind.kind]:12} {self.lasted[kind.kind]:12} "
                  f"{self.messages[kind.kind]:18}   {self.evidence[kind.kind]} {kind.unit}")
        missing = [kind.kind for kind in KINDS if self.happened[kind.kind] == 0]
        if missing:
            raise Failure(f"never came to pass: {', '.join(missing)}")

    def give_up(self):
        """For the end of the test, however it ended."""
        for writer in self.writers.all:
            writer.give_up()
        for fault in self.active:
            fault.give_up()
