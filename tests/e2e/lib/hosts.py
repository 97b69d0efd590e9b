# SPDX-License-Identifier: Apache-2.0
"""The machines of the test with hosts: every daemon on a host of its own (lib/network.py), with a
clock of its own. One person's first device is behind an address translation, one relay may have few
files open."""
import re
import struct

from lib.machines import HOUR_S, Machines
from lib.people import Failure

# What a daemon never says unless something is wrong with itself; the second, also of a full disk.
WRONG = re.compile(r"error: |.*outside the sandbox|.*Assertion|.*runtime error:|.*Sanitizer")
FULL = re.compile(r"error: (turn failed|the log cannot be written)")


class Hosts(Machines):
    """hosts: {node: its host}. steps: {node: seconds that its clock is off}. translated: the device
    that nobody can dial. few: the relay that may not open many files."""

    def __init__(self, options, folder, random, network):
        self.network = network
        self.hosts, self.steps = {}, {}
        super().__init__(options, folder, random, can_mount=True)
        self.few = self.relays[-1]
        self.few.prefix += ["prlimit", f"--nofile={options.files}:{options.files}"]
        self.translated = self.people[1].devices[0]

    def relay(self, name):
        return self.at(super().relay(name), self.network.host(name))

    def device(self, person):
        device = super().device(person)
        behind = person.name == "person2" and not person.devices
        return self.at(device, (self.network.behind_nat if behind else
                                self.network.host)(device.name))

    def at(self, node, host):
        """This node is on that host from now on."""
        self.hosts[node], self.steps[node] = host, 0
        node.prefix = host.inside()
        node.listen = f"{host.address}:0"
        self.set_clock(node)
        return node

    def start(self, node):
        node.environment = dict(self.environment, PETREL_CLOCK_FILE=str(self.clock_of(node)))
        self.down.pop(node, None)
        node.start()

    def relay_of(self, device):
        return self.relays[self.devices.index(device) % len(self.relays)]

    def noticed(self, node, held):
        """Whether somebody's node has noticed that this one is away; those that are held cannot."""
        those = [d for d in self.devices if node in (d, self.relay_of(d)) and d not in held]
        return any(device.call("relay.status")["state"] != "ready" for device in those)

    # --- clocks ---

    def clock_of(self, node):
        return self.folder / f"{node.name}.clock"

    def set_clock(self, node):
        path = self.clock_of(node)
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("=q", self.hours * HOUR_S + self.steps[node]))

    def step(self, node, seconds):
        """Its clock is so far off that of the others, from now on."""
        self.steps[node] = seconds
        self.set_clock(node)

    def pass_hours(self, hours):
        self.hours += hours
        for node in self.hosts:
            self.set_clock(node)

    # --- what must be ---

    def must_be_well(self):
        """All are alive, and none has said that something is wrong with itself."""
        self.must_live()
        for node in self.nodes:
            for line in node.log.read_text(errors="replace").splitlines():
                if WRONG.match(line) and not (node is self.full and FULL.match(line)):
                    raise Failure(f"{node.name} says {line!r}")
