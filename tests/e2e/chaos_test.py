#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""People write to each other while everything that can happen to their nodes does.

usage: chaos_test.py --bin FOLDER --tools FOLDER --shift LIBRARY [--seed N | --random] [--people N]
       [--devices N] [--relays N] [--messages N] [--kills N] [--restores N] [--rollbacks N]
       [--full-disks N] [--outages N] [--crossing] [--keep]

Meanwhile daemons and relays are killed with SIGKILL, and started again at once, later, or only to
be killed while they start; homes are destroyed and restored from a backup of earlier, or put back
as they were; a disk runs full; and all machines go down at once and come up an hour later. Which
node, at which message, comes from the seed; the moment after that is the clock's.

Then nothing happens any more but that hours go by, until no outbox holds anything. All histories
are compared with what was written (lib/compare.py): every message whose sending was acknowledged is
there exactly once, in order, or is reported as failed, or is one of those that a home took with it
(lib/losses.py). Every body that was sealed left a line in a trace (trace_seal.c): no key was used
twice.

Sessions heal at most once an hour (docs/protocol/07-node.md, 7.3.1), and a machine that cannot
reach another one waits up to an hour, so hours are made to go by with clock_shift.c: all clocks
stay equal.
"""
import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import alone, homes, people, tap  # noqa: E402
from lib.compare import Comparison  # noqa: E402
from lib.control import Lost, Refused  # noqa: E402
from lib.crowd import Ledger, Writers, histories  # noqa: E402
from lib.losses import Books, Loss, Opener  # noqa: E402
from lib.machines import Machines  # noqa: E402
from lib.node import Died  # noqa: E402
from lib.people import Failure  # noqa: E402
from lib.trace import Verdict, went_back  # noqa: E402

SEED = 20
AHEAD = 24        # messages that writers may be ahead of what happens
HOURS = 100       # to come to rest in, at most
WORD_H = 26       # hours after which everybody says one more word
STILL_S = 2.0     # without a change anywhere: nothing will happen before an hour is over
EVENT_PATIENCE_S = 180.0


class Chaos:
    def __init__(self, options, folder, can_mount):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.random = random.Random(options.seed)
        self.ledger = Ledger(options.messages)
        self.machines = Machines(options, self.folder, self.random, can_mount)
        self.writers = Writers(self.ledger)
        self.saved = {}    # loss that will come: what the device will go on with
        self.losses = []
        self.backups = 0
        self.verdict = None
        self.restored = []  # (device, Unix ms): each restoration
        self.knows = {}     # device: those of them that its home knows of
        self.later = 0     # messages by which all that was planned is put off

    # --- what happens ---

    def plan(self):
        """[(place among all acknowledged messages, what happens then)], in order."""
        o, n, draw = self.options, self.options.messages, self.random
        events = [(draw.randrange(1, n), self.machines.kill_one) for _ in range(o.kills)]
        kinds = ["restored"] * o.restores + ["put back"] * o.rollbacks
        draw.shuffle(kinds)
        for k, kind in enumerate(kinds):
            # Not the device whose disk runs full; and only who holds the identity is backed up.
            device = draw.choice([d for d in self.machines.devices if d is not self.machines.full
                                  and (kind == "put back" or d is d.person.devices[0])])
            first, last = self.span(k, len(kinds))
            events += self.loss(kind, device, int(n * first), int(n * last))
        if self.machines.disk is not None:
            for k in range(o.full_disks):
                begin = int(n * (0.1 + 0.6 * (k + draw.random()) / o.full_disks))
                events += [(begin, self.fill), (begin + 1, self.free)]
        events += [(int(n * (k + draw.random()) / o.outages), self.outage)
                   for k in range(o.outages)]
        return sorted(events, key=lambda event: event[0])

    def span(self, k, count):
        """When what a device goes back to is saved, and when it goes back: shares of all messages,
        in the k-th of as many parts as there are spans, so that they do not overlap."""
        draw = self.random.uniform
        if self.options.crossing:
            return draw(0, 0.4), draw(0.5, 0.9)
        first = draw(0.05, 0.3)
        return (k + first) / count, (k + first + draw(0.1, 0.6)) / count

    def loss(self, kind, device, first, second):
        token = object()
        save, lose = ((self.back_up, self.restore) if kind == "restored" else
                      (self.copy, self.put_back))
        return [(first, lambda: save(device, token)), (second, lambda: lose(device, token))]

    def play(self):
        events = self.plan()
        self.writers.begin(self.machines.devices, self.machines.others, self.options.seed)
        for place, what in events:
            self.reach(place + self.later)
            what()
            self.machines.must_live()
        self.machines.start_all()
        self.writers.end(self.options.patience)

    def reach(self, place):
        """Waits until so many are acknowledged, or nobody writes any more."""
        def reached():
            return (self.ledger.count >= place or self.writers.failed()
                    or not self.writers.alive())
        end = time.monotonic() + EVENT_PATIENCE_S
        self.ledger.allow(place + AHEAD)
        while not self.ledger.wait(reached, 5.0):
            self.machines.start_all()  # those who still have something to say may be down
            if time.monotonic() > end:
                raise Failure(f"message {place} is not acknowledged, {self.ledger.count} are")
        self.writers.must_go_on()

    def say(self, what):
        print(f"{self.ledger.count:6} acknowledged: {what}", flush=True)

    # --- homes that go back ---

    def back_up(self, device, token):
        self.hear_of_restored(device)
        self.machines.running(device)
        self.backups += 1
        path = self.folder / f"{device.name}-{self.backups}.backup"
        done = homes.backup(device, path)
        if done.returncode != 0:
            raise Failure(f"{device.name}: backup: {done.stdout} {done.stderr}")
        self.saved[token] = path, set(self.knows.get(device, ()))
        self.say(f"{device.name} is backed up: {done.stdout.decode().strip()}")

    def copy(self, device, token):
        self.hear_of_restored(device)
        self.machines.running(device)
        self.machines.kill(device)
        self.backups += 1
        copy = homes.copy_of(device.home, self.folder / f"{device.name}-{self.backups}.copy")
        self.saved[token] = copy, set(self.knows.get(device, ()))
        self.machines.start(device)
        self.say(f"{device.name} is copied")

    def hear_of_restored(self, device):
        """Waits until this device knows where all are who were restored before. Who goes back to
        before the restoration of a contact writes to a queue that nobody reads and is not found by
        the contact either, until the two meet anew: --crossing leaves this out, and shows it."""
        if self.options.crossing:
            return
        self.machines.running(device)
        known = self.knows.setdefault(device, set())
        for index, (other, since) in enumerate(self.restored):
            if other is not device and index not in known:
                self.pass_hours_until(f"{device.name} knows that {other.name} was restored",
                                      lambda o=other, s=since: self.knows_of(device, o, s))
                known.add(index)

    @staticmethod
    def knows_of(device, other, since):
        if other.person is device.person:
            return device.siblings() == other.siblings()
        return device.has_event("contact.devices", since, contact=other.id)

    def pass_hours_until(self, what, condition):
        """As until(); an hour goes by whenever it has not become true for some seconds."""
        for _ in range(HOURS):
            self.machines.start_all()
            end = time.monotonic() + STILL_S
            while time.monotonic() < end:
                if condition():
                    return
                time.sleep(0.05)
            self.machines.waiting()
            self.machines.pass_hours(1)
        raise Failure(f"not within {HOURS} h: {what}")

    def restore(self, device, token):
        with Exchange(self, "restored", device, token):
            self.machines.start(device)
            self.restored.append((device, self.machines.now_ms()))
            done = homes.restore(device, self.saved[token][0])
            if done.returncode != 0:
                raise Failure(f"{device.name}: restore: {done.stdout} {done.stderr}")

    def put_back(self, device, token):
        with Exchange(self, "put back", device, token):
            homes.copy_of(self.saved[token][0], device.home)
            self.machines.start(device)

    # --- a full disk ---

    def fill(self):
        """The writer must be told, and a start must succeed."""
        machines, full = self.machines, self.machines.full
        machines.running(full)
        machines.fill()
        self.say(f"the disk of {full.name} is full: {machines.room()} bytes are left")
        before = self.ledger.count
        self.see_refused()
        machines.kill(full)
        machines.start(full)
        self.see_refused()
        self.later += self.ledger.count - before
        self.ledger.extend(self.ledger.count - before)

    def see_refused(self):
        """Until a message was refused for want of space. What fits into what the daemon has already
        is still taken, and it looks at the disk once a second, so writers go on slowly."""
        had = self.full_refused()
        end = time.monotonic() + people.PATIENCE
        while self.full_refused() == had:
            self.ledger.allow(self.ledger.count + AHEAD)
            self.writers.must_go_on()
            if self.ledger.count >= self.ledger.total or time.monotonic() > end:
                raise Failure(f"{self.machines.full.name} was not refused a message on a full disk")
            self.ledger.wait(lambda: self.full_refused() > had, 1.0)

    def full_refused(self):
        return self.ledger.refusals.get((self.machines.full.name, "disk-full"), 0)

    def free(self):
        machines = self.machines
        machines.free()
        self.say(f"the disk of {machines.full.name} has {machines.room()} bytes again")

    def outage(self):
        self.machines.kill_all()
        self.say("an outage of an hour")

    # --- the end ---

    def come_to_rest(self):
        """Until no outbox holds anything. Where nothing changes any more, an hour goes by; and
        after a day everybody says one more word, which what a home forgot may be waiting for
        (docs/protocol/07-node.md, 7.3.1)."""
        began, spoke = self.machines.hours, self.machines.hours
        seen, said, since = None, None, time.monotonic()
        while True:
            waiting = self.machines.waiting()
            if all(count == 0 for count in waiting.values()):
                self.say(f"at rest, after {self.machines.hours - began} more hours")
                return
            if waiting != seen:
                seen, since = waiting, time.monotonic()
            elif time.monotonic() - since > STILL_S:
                if self.machines.hours - began >= HOURS:
                    raise Failure(f"not at rest after {HOURS} h: {waiting}: "
                                  f"{self.machines.troubles()}")
                if waiting != said:
                    self.say(f"waiting: {waiting}; hours go by")
                said = waiting
                if self.machines.hours - spoke >= WORD_H:
                    self.one_more_word()
                    spoke = self.machines.hours
                self.machines.pass_hours(1)
                since = time.monotonic()
            time.sleep(0.1)

    def one_more_word(self):
        self.ledger.extend(sum(len(writer.others) for writer in self.writers.all))
        self.ledger.allow(self.ledger.total)
        for writer in self.writers.all:
            writer.one_each()
        self.say("everybody said one more word to everybody")

    def compare(self, found):
        opener = Opener(self.options.bin, self.folder, self.machines.environment)
        for loss in self.losses:
            loss.look(opener, self.machines.others(loss.device.person))
        comparison = Comparison(self.machines.people, self.ledger, Books(self.losses), found)
        try:
            comparison.run()
        finally:
            for kind, count in sorted(comparison.counts.items()):
                print(f"  {count:6} {kind}")

    def run(self):
        self.machines.prepare()
        self.play()
        self.come_to_rest()
        found = {device: histories(device, self.machines.others(device.person))
                 for device in self.machines.devices}
        self.machines.stop()
        self.verdict = Verdict([device.trace for device in self.machines.devices])
        self.report()
        self.compare(found)
        if self.verdict.wrong() is not None:
            raise Failure(self.verdict.wrong())

    def report(self):
        o = self.options
        print(f"{self.ledger.count} messages acknowledged, {len(self.ledger.unsure())} of which "
              f"nobody knows; {self.ledger.repeats} calls repeated; refusals "
              f"{dict(sorted(self.ledger.refusals.items()))}")
        kills = self.machines.kills
        print(f"{sum(kills.values())} kills, {self.machines.open_turns} within a turn: {kills}")
        print(f"{o.restores} restored, {o.rollbacks} put back, "
              f"{o.full_disks if self.machines.disk is not None else 0} full disks, "
              f"{self.machines.hours} h by the clocks")
        print(self.verdict)

    def end(self):
        for writer in self.writers.all:
            writer.give_up()
        self.machines.destroy()


class Exchange:
    """A device's home goes, and another one takes its place within the block; its writer makes no
    call meanwhile."""

    def __init__(self, chaos, kind, device, token):
        self.chaos, self.kind, self.device, self.token = chaos, kind, device, token

    def __enter__(self):
        chaos, device = self.chaos, self.device
        chaos.machines.running(device)
        chaos.machines.kill(device)
        device.gate.acquire()
        lost = chaos.folder / f"{device.name}-{len(chaos.losses)}.lost"
        device.home.rename(lost)
        went_back(device.trace)
        device.life += 1
        origin, chaos.knows[device] = chaos.saved[self.token]
        chaos.losses.append(Loss(self.kind, device, lost, origin, chaos.ledger.count,
                                 chaos.machines.now_ms()))

    def __exit__(self, kind, *_):
        self.device.gate.release()
        if kind is None:
            self.chaos.say(f"{self.device.name} is {self.kind}")


def read_options():
    parser = argparse.ArgumentParser(description="messages survive all of it, exactly once")
    parser.add_argument("--bin", required=True, help="folder with petreld and petrelctl")
    parser.add_argument("--tools", required=True, help="folder with petreld-traced")
    parser.add_argument("--program", default="petreld-traced", help="in there, of the devices")
    parser.add_argument("--shift", required=True, help="the library of clock_shift.c")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--random", action="store_true", help="another seed, which is printed")
    for name, count in (("people", 5), ("devices", 2), ("relays", 2), ("messages", 10000),
                        ("kills", 200), ("restores", 3), ("rollbacks", 2), ("full-disks", 1),
                        ("outages", 4)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--crossing", action="store_true",
                        help="go back also to before a contact's restoration")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to write the rest")
    parser.add_argument("--dir", default="/tmp", help="where the homes are made")
    parser.add_argument("--keep", action="store_true", help="keep homes and logs after a failure")
    options = parser.parse_args()
    if options.random:
        options.seed = int.from_bytes(os.urandom(4), "big")
    return options


def main():
    options = read_options()
    can_mount = not options.full_disks or alone.enter()
    print(f"seed {options.seed}: {vars(options)}", flush=True)
    folder = tempfile.mkdtemp(prefix="petrel-chaos-", dir=options.dir)
    started = time.monotonic()
    chaos = Chaos(options, folder, can_mount)
    failed = True
    try:
        chaos.run()
        failed = False
    except (Failure, Refused, Died, Lost) as error:
        print(f"FAILED (seed {options.seed}): {error}")
        for node in chaos.machines.nodes:
            print(f"--- last lines of {node.name}'s log\n{node.log_tail()}")
        print(f"kept: {folder}" if options.keep else "nothing is kept: --keep")
        return 1
    finally:
        chaos.end()
        if not failed or not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if not can_mount:
        print("skipped: a full disk, since nothing can be mounted here; the rest passed")
        return 77
    tap.passed("chaos_test.py", "chaos_test")
    print(f"chaos_test: passed in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
