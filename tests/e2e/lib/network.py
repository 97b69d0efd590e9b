# SPDX-License-Identifier: Apache-2.0
"""Machines on one network that can be cut, slowed down and translated: network namespaces, each
with a line to a bridge in the namespace of the test itself, which is the router (lib/alone.py).

All names begin with the number of the test's process, and go at its end; the folder of names is the
test's own, so that nothing of it is left on the system whatever happens."""
import json
import os
import pathlib
import shutil
import subprocess

TOOLS = ("ip", "nft", "tc", "nsenter", "setpriv", "prlimit", "mount")
NAMES = pathlib.Path("/run/netns")
NET = "203.0.113"       # RFC 5737; of all lines to the bridge
INSIDE = "192.168.77"   # behind the address translation
ROUTER = f"{NET}.1"
BRIDGE = "bridge"


class Missing(Exception):
    """This machine does not let anybody have such a network."""


def missing_tools():
    """What is not installed. sbin is not in everybody's path."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    return [tool for tool in TOOLS if shutil.which(tool, path=path) is None]


def run(*command, text=None):
    """What it prints. It must succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def own_names():
    """An empty folder of names of namespaces, which nobody outside sees."""
    if not NAMES.exists():
        run("mount", "-t", "tmpfs", "petrel-run", str(NAMES.parent))
        NAMES.mkdir()
    run("mount", "-t", "tmpfs", "petrel-netns", str(NAMES))


class Host:
    """One machine. port: the router's end of its line, or of its gateway's. line: its own end.
    gateway: the host that translates its address, or None."""

    def __init__(self, name, address, port, gateway=None):
        self.name, self.address, self.port, self.gateway = name, address, port, gateway
        self.line = "line"

    def inside(self, *command):
        """The command line that is run on this machine, by the process that is asked to run it; it
        ends with the test."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={NAMES / self.name}",
                *command]

    def run(self, *command, text=None):
        return run(*self.inside(*command), text=text)


class Cut:
    """Packets of some directions are dropped, and counted. rules: a match of nft for each."""

    def __init__(self, number, rules):
        self.table = f"cut{number}"
        drops = "\n".join(f"{rule} counter name dropped drop" for rule in rules)
        run("nft", "-f", "-", text=f"""table bridge {self.table} {{
            counter dropped {{ }}
            chain forward {{
                type filter hook forward priority 0
                {drops}
            }}
        }}""")

    def dropped(self):
        """How many packets so far."""
        found = json.loads(run("nft", "-j", "list", "counters", "table", "bridge", self.table))
        return next(o["counter"]["packets"] for o in found["nftables"] if "counter" in o)

    def heal(self):
        run("nft", "delete", "table", "bridge", self.table)


class Slow:
    """A line that carries so many kbit/s in each direction, and queues what comes faster."""

    def __init__(self, host, kbit):
        self.host = host.gateway or host
        shape = ("root", "tbf", "rate", f"{kbit}kbit", "burst", "8kb", "latency", "3s")
        run("tc", "qdisc", "add", "dev", self.host.port, *shape)
        self.host.run("tc", "qdisc", "add", "dev", self.host.line, *shape)

    def waited(self):
        """How often a packet had to wait so far."""
        shown = [run("tc", "-s", "-j", "qdisc", "show", "dev", self.host.port),
                 self.host.run("tc", "-s", "-j", "qdisc", "show", "dev", self.host.line)]
        return sum(q.get("overlimits", 0) for text in shown for q in json.loads(text)
                   if q["kind"] == "tbf")

    def heal(self):
        run("tc", "qdisc", "del", "dev", self.host.port, "root")
        self.host.run("tc", "qdisc", "del", "dev", self.host.line, "root")


class Network:
    """The router, and the hosts that were added so far."""

    def __init__(self):
        self.names = []
        self.cuts = 0
        self.last = 1  # part of the address that was given last
        try:
            own_names()
            run("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
            run("ip", "addr", "add", f"{ROUTER}/24", "dev", BRIDGE)
            run("ip", "link", "set", BRIDGE, "up")
            probe = self.behind_nat("probe")
            self.cut(probe, out=True, back=True).heal()
            self.slow(probe, 64).heal()
        except OSError as error:
            self.remove()
            raise Missing(str(error)) from error

    # --- hosts ---

    def _namespace(self, name):
        full = f"petrel-{os.getpid()}-{name}"
        run("ip", "netns", "add", full)
        self.names.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def _next(self):
        self.last += 1
        return f"{NET}.{self.last}"

    def host(self, name):
        """One more, with a line to the bridge."""
        full, address = self._namespace(name), self._next()
        host = Host(full, address, f"port{self.last}")
        run("ip", "link", "add", host.port, "type", "veth", "peer", "name", host.line, "netns",
            full)
        run("ip", "link", "set", host.port, "master", BRIDGE, "up")
        run("ip", "-n", full, "addr", "add", f"{address}/24", "dev", host.line)
        run("ip", "-n", full, "link", "set", host.line, "up")
        return host

    def behind_nat(self, name):
        """One more, behind a host that translates its address and lets in only answers."""
        gateway = self.host(f"{name}-nat")
        host = Host(self._namespace(name), f"{INSIDE}.2", gateway.port, gateway)
        run("ip", "-n", gateway.name, "link", "add", "lan", "type", "veth", "peer", "name",
            host.line, "netns", host.name)
        for where, line, address in ((gateway, "lan", f"{INSIDE}.1"),
                                     (host, host.line, host.address)):
            run("ip", "-n", where.name, "addr", "add", f"{address}/24", "dev", line)
            run("ip", "-n", where.name, "link", "set", line, "up")
        run("ip", "-n", host.name, "route", "add", "default", "via", f"{INSIDE}.1")
        gateway.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        gateway.run("nft", "-f", "-", text=f"""table ip nat {{
            counter begun {{ }}
            counter refused {{ }}
            chain postrouting {{
                type nat hook postrouting priority srcnat
                oifname "{gateway.line}" counter name begun masquerade
            }}
            chain forward {{
                type filter hook forward priority filter
                iifname "{gateway.line}" ct state established,related accept
                iifname "{gateway.line}" counter name refused drop
            }}
        }}""")
        return host

    # --- what goes wrong with it ---

    def cut(self, host, other=None, out=False, back=False):
        """Drops what this host sends (out), what it is sent (back), or both: all of it, or what
        passes between it and the other one."""
        peer = ('oifname "%s"', 'iifname "%s"')
        rules = [f'iifname "{host.port}" ' + (peer[0] % other.port if other else "")] * out
        rules += [f'oifname "{host.port}" ' + (peer[1] % other.port if other else "")] * back
        self.cuts += 1
        return Cut(self.cuts, rules)

    @staticmethod
    def slow(host, kbit):
        return Slow(host, kbit)

    def renumber(self, host):
        """The gateway of this host gets another address: what passes through it ends silently."""
        gateway, fresh = host.gateway, self._next()
        gateway.run("ip", "addr", "del", f"{gateway.address}/24", "dev", gateway.line)
        gateway.run("ip", "addr", "add", f"{fresh}/24", "dev", gateway.line)
        gateway.address = fresh

    @staticmethod
    def translated(host, counter="begun"):
        """How many connections the gateway has translated, or refused, so far."""
        found = json.loads(host.gateway.run("nft", "-j", "list", "counters", "table", "ip", "nat"))
        return next(o["counter"]["packets"] for o in found["nftables"]
                    if o.get("counter", {}).get("name") == counter)

    def remove(self):
        """All of it, as far as it is there."""
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=60,
                           stderr=subprocess.DEVNULL)
        self.names = []
        for command in (["ip", "link", "del", BRIDGE], ["umount", "--lazy", str(NAMES)]):
            subprocess.run(command, check=False, timeout=60, stderr=subprocess.DEVNULL)
