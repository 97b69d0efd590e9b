# SPDX-License-Identifier: Apache-2.0
"""The machines of the chaos test: relays, and what people have at home. They are killed, left down,
killed while they start, and all go down at once; one has a disk of its own; all clocks are one.
"""
import os
import pathlib
import struct
import subprocess
import time

from lib import people
from lib.crowd import Device, Person
from lib.people import until
from lib.world import preloaded

AFTER_S = 0.03    # a kill comes at most this long after a message that was drawn
INTO_S = 0.0002   # an aimed one at most this long after a turn was seen to be open,
AIM_S = 0.3       # for which it waits this long
STARTING_S = 0.1  # who is killed while starting has had at most so long
DOWN = 2          # nodes that are left down at a time
HOUR_S = 3660     # as long as sessions wait, and a bit
DISK = "160m"     # of the one device


class Machines:
    """hours: that went by on the clocks, ahead of ours. full: the device with the small disk.
    down: {node: how many kills later it is started again}. kills: {name: how often}."""

    def __init__(self, options, folder, random, can_mount):
        self.options, self.folder, self.random = options, pathlib.Path(folder), random
        self.clock = self.folder / "clock"
        self.hours = 0
        self.pass_hours(0)
        self.environment = {**preloaded(options.shift), "PETREL_CLOCK_FILE": str(self.clock)}
        self.down, self.kills, self.open_turns = {}, {}, 0
        self.disk = self.mount() if can_mount and options.full_disks else None
        self.relays = [self.relay(f"relay{n + 1}") for n in range(options.relays)]
        self.people = [Person(f"person{n + 1}") for n in range(options.people)]
        for person in self.people:
            for _ in range(options.devices):
                person.add(self.device(person))
        self.full = self.devices[0]

    @property
    def devices(self):
        return [device for person in self.people for device in person.devices]

    @property
    def nodes(self):
        return self.relays + self.devices

    def others(self, person):
        return [other for other in self.people if other is not person]

    def relay(self, name):
        relay = people.Person(self.options.bin, self.folder, name, ["--relay"])
        relay.configure("relay.forward_private = yes")
        return relay

    def device(self, person):
        """One more for this person. The very first one is that with the small disk."""
        name = f"{person.name}-{len(person.devices) + 1}"
        device = Device(self.options.bin, self.folder, name, self.folder / f"{name}.trace")
        device.program = str(pathlib.Path(self.options.tools) / self.options.program)
        if self.disk is not None and not self.devices:
            device.home = self.disk / name
        return device

    def prepare(self):
        """All run, have a relay, and know each other."""
        for node in self.nodes:
            self.start(node)
        for relay in self.relays:
            relay.keep_port()
        for number, device in enumerate(self.devices):
            device.create(self.relays[number % len(self.relays)])
        for a, one in enumerate(self.people):
            for other in self.people[a + 1:]:
                one.devices[0].meet(other.devices[0])
        for person in self.people:
            for device in person.devices[1:]:
                device.become_one_of(person)
        for person in self.people:
            until(f"{person.name} has all contacts, with all devices",
                  lambda p=person: p.has_all(self.others(p)))

    def must_live(self):
        for node in self.nodes:
            node.must_live()

    # --- clocks ---

    def pass_hours(self, hours):
        """On all clocks, also of daemons that run; they notice when they are asked something."""
        self.hours += hours
        with open(self.clock, "r+b" if self.clock.exists() else "wb") as file:
            file.write(struct.pack("=q", self.hours * HOUR_S))

    def now_ms(self):
        """By the clocks of the daemons."""
        return int((time.time() + self.hours * HOUR_S) * 1000)

    # --- kills ---

    def start(self, node):
        node.environment = dict(self.environment)
        if isinstance(node, Device):
            node.environment["PETREL_TRACE"] = str(node.trace)
        self.down.pop(node, None)
        node.start()

    def running(self, node):
        """Starts it if it was left down."""
        if node in self.down:
            self.start(node)

    def start_all(self):
        for node in list(self.down):
            self.start(node)

    def kill(self, node, into=None):
        if node.process is not None:
            self.open_turns += node.kill(into, AIM_S)
            self.count(node)

    def count(self, node):
        self.kills[node.name] = self.kills.get(node.name, 0) + 1

    def kill_one(self):
        """Which one, how, and what then, is drawn."""
        self.wake()
        node = self.random.choice([n for n in self.nodes if n not in self.down])
        after = self.random.uniform(0, AFTER_S)
        into = self.random.choice((None, self.random.uniform(0, INTO_S)))
        then = self.random.choice(("start", "start", "start", "later", "while starting"))
        time.sleep(after)
        self.kill(node, into)
        if then == "later" and len(self.down) < DOWN:
            self.down[node] = self.random.randrange(1, 4)
            return
        if then == "while starting":
            self.kill_while_starting(node, self.random.uniform(0, STARTING_S))
        self.start(node)

    def kill_while_starting(self, node, after):
        node.launch()
        time.sleep(after)
        node.destroy()
        self.count(node)

    def wake(self):
        for node in list(self.down):
            self.down[node] -= 1
            if self.down[node] <= 0:
                self.start(node)

    def kill_all(self):
        """All at once; they come up an hour later."""
        for node in self.nodes:
            self.kill(node)
        self.pass_hours(1)
        for node in self.nodes:
            self.start(node)

    # --- the disk ---

    def mount(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "petrel-chaos", str(disk)],
                       check=True)
        return disk

    def fill(self):
        """Until nothing fits any more."""
        with open(self.disk / "filler", "wb", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        (self.disk / "filler").unlink()

    def room(self):
        """Bytes that are left on the disk."""
        room = os.statvfs(self.disk)
        return room.f_bavail * room.f_frsize

    # --- the end ---

    def waiting(self):
        """{device's name: what its outbox holds}, and None for one that is not ready."""
        found = {}
        for relay in self.relays:
            relay.status()
        for device in self.devices:
            ready = device.call("relay.status")["state"] == "ready"
            found[device.name] = device.status()["outbox"] if ready else None
        return found

    def troubles(self):
        return {d.name: [(c["id"][:16], c["state"], c["trouble"])
                         for c in d.call("contact.list")["contacts"]] for d in self.devices}

    def stop(self):
        """All of them, as an operator does."""
        for node in reversed(self.nodes):
            code = node.stop()
            if code != 0:
                raise people.Failure(f"{node.name} ended with {code}")

    def destroy(self):
        for node in self.nodes:
            node.destroy()
        if self.disk is not None:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)
