#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A person whose links go out through a SOCKS proxy that nobody here wrote (microsocks), on machines of
their own (lib/network.py). Names are known to the machine of the proxy alone, and whatever the
person's machine sends anywhere else is dropped and counted. docs/protocol/03-link.md, section 3.8.

usage: proxy_test.py --bin FOLDER [STORY...]

77, with all else done: this machine lets nobody have such a network, or what makes one is not
installed."""
import json
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import alone, network  # noqa: E402
from lib.people import Failure, until  # noqa: E402
from lib.world import run  # noqa: E402

SKIPPED = 77
PORT = 1080
NETWORK = []  # the one of all stories
DIAL = """
import socket, sys
with socket.socket(socket.AF_INET, int(sys.argv[3])) as s:
    s.settimeout(0.5)
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"out")
"""


class Proxy:
    """microsocks on a host of its own, where names are looked up."""

    def __init__(self, w, host, hosts_file, *arguments):
        self.w, self.host, self.hosts_file, self.process = w, host, hosts_file, None
        self.start(*arguments)

    def start(self, *arguments):
        inside = f"mount --bind {self.hosts_file} /etc/hosts && exec microsocks \"$@\""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.host.inside("unshare", "--mount", "sh", "-c", inside, "sh", "-p", str(PORT),
                             *arguments),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the proxy is there", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise Failure(f"microsocks ended with {self.process.returncode}")
        try:
            self.host.run(sys.executable, "-c", DIAL, self.host.address, str(PORT),
                          str(int(socket.SOCK_STREAM)))
        except OSError:
            return False
        return True

    def stop(self):
        self.process.kill()
        self.process.wait()


class Leaks:
    """Whatever this host sends, but to the proxy, is dropped and counted."""

    def __init__(self, w, host, proxy, names):
        self.host = host
        host.run("ip", "route", "add", "default", "via", network.ROUTER)
        # What the system sends by itself apart: neighbours, groups.
        host.run("nft", "-f", "-", text=f"""table inet leaks {{
            counter around {{ }}
            chain out {{
                type filter hook output priority filter
                oifname "lo" meta l4proto {{ tcp, udp }} th dport != 53 accept
                ip daddr {proxy.address} tcp dport {PORT} accept
                icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert,
                    mld2-listener-report }} accept
                ip protocol igmp accept
                counter name around drop
            }}
        }}""")
        # It does count: a name, a name server, any machine, another port of the proxy.
        dial = [sys.executable, "-c", DIAL]
        for command in (["timeout", "2", "getent", "ahosts", "there.test"],
                        [*dial, network.ROUTER, "53", str(int(socket.SOCK_DGRAM))],
                        [*dial, "198.51.100.1", "80", str(int(socket.SOCK_STREAM))],
                        [*dial, proxy.address, "80", str(int(socket.SOCK_STREAM))]):
            before = self.packets()
            subprocess.run([*names, *command], check=False, timeout=60, capture_output=True)
            w.checks.true(f"counted: {command}", self.packets() > before)
        self.before = self.packets()

    def packets(self):
        found = json.loads(self.host.run("nft", "-j", "list", "counters", "table", "inet", "leaks"))
        return next(o["counter"]["packets"] for o in found["nftables"] if "counter" in o)

    def count(self):
        return self.packets() - self.before


class Scene:
    """A relay by its name and one by its address, somebody without a proxy, a proxy, a machine for who has it."""

    def __init__(self, w):
        self.w = w
        net = NETWORK[0]
        tag = len(net.names)  # a host is added for each story
        hosts = {name: net.host(f"{name}-{tag}")
                 for name in ("here", "there", "third", "proxy", "alice", "bob")}
        self.hosts = hosts
        self.hosts_file = w.folder / "hosts"
        self.hosts_file.write_text("127.0.0.1 localhost\n" + "".join(
            f"{hosts[name].address} {name}.test\n" for name in ("here", "there")))
        self.proxy_host = hosts["proxy"]
        self.relays = [self.relay(name, hosts[name]) for name in ("here", "there")]
        (w.folder / "resolv.conf").write_text(f"nameserver {network.ROUTER}\n")
        (w.folder / "nsswitch.conf").write_text("hosts: files dns\n")
        asks = self.bound(hosts["alice"], "resolv.conf", "nsswitch.conf")
        self.alice = w.person("alice", start=False, prefix=asks)
        self.alice.listen = ""
        bob = w.person("bob", start=False, prefix=self.bound(hosts["bob"], "hosts"))
        bob.listen = f"{hosts['bob'].address}:0"
        bob.start()
        self.bob = bob.create(self.relays[1])
        self.leaks = Leaks(w, hosts["alice"], self.proxy_host, asks)

    def bound(self, host, *files):
        """On this host, with these files of ours in /etc."""
        binds = " && ".join(f"mount --bind {self.w.folder / name} /etc/{name}" for name in files)
        return host.inside("unshare", "--mount", "sh", "-c", f"{binds} && exec \"$@\"", "sh")

    def relay(self, name, host):
        relay = self.w.person(name, start=False, prefix=self.bound(host, "hosts"))
        relay.arguments = ["--relay"]
        relay.listen = f"{host.address}:4470"
        if name == "there":  # and one that needs no name
            relay.configure("relay.forward_private = yes")
        else:
            relay.configure(f"relay.address = {name}.test:0", "relay.forward_private = yes")
        relay.start()
        return relay

    def configured(self, user="", *lines):
        self.alice.configure(f"proxy = socks5://{user}{self.proxy_host.address}:{PORT}", *lines)
        return self.alice


def findings(person):
    """What petrelctl doctor finds, on the person's own machine."""
    done = subprocess.run([*person.prefix, person.tool, "--home", str(person.home), "--json",
                           "doctor"], capture_output=True, timeout=60, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def everything_goes_through_the_proxy(w):
    s = Scene(w)
    proxy = Proxy(w, s.proxy_host, s.hosts_file)
    try:
        alice = s.configured()
        alice.start()
        w.checks.same("status says so", alice.status()["proxy"], True)
        w.checks.same("and who has none", s.bob.status()["proxy"], False)
        shown = alice.ctl("status").stdout.decode()
        w.checks.true("petrelctl too", "proxy      yes" in shown)
        alice.create(s.relays[0])
        # Without a relay of alice's in between, too: the invitation names another one.
        s.bob.meet(alice)
        alice.delivered(alice.send(s.bob, "from somewhere"))
        s.bob.delivered(s.bob.send(alice, "to somewhere"))
        w.checks.same("bob reads it", s.bob.texts(alice.id), ["from somewhere"])
        w.checks.same("alice reads it", alice.texts(s.bob.id), ["to somewhere"])
        w.checks.same("packets around the proxy", s.leaks.count(), 0)

        # The proxy goes: it is said whose fault it is, and nothing goes around it.
        proxy.stop()
        until("alice's relay is out of reach",
              lambda: alice.call("relay.status")["trouble"] == "proxy-failed")
        found = findings(alice)
        w.checks.true("doctor names the proxy", any("proxy-failed" in f["found"] and
                                                    "proxy" in f["todo"] for f in found))
        message = alice.send(s.bob, "when it is back")
        proxy.start()
        alice.delivered(message)
        w.checks.same("once in the log", alice.log.read_text().count("does not do its work"), 1)
        w.checks.true("and that it is back", "the proxy works again" in alice.log.read_text())
        w.checks.same("packets around the proxy", s.leaks.count(), 0)

        # What is not there behind it is not the proxy's fault.
        s.relays[0].kill()
        until("alice's relay is out of reach",
              lambda: alice.call("relay.status")["trouble"] in ("unreachable", "link-closed"))
        until("and is not there",
              lambda: alice.call("relay.status")["trouble"] == "unreachable")
        w.checks.true("doctor does not go there either", any(
            f["found"].endswith("failing: unreachable") for f in findings(alice)))
        s.relays[0].start()
        until("alice's relay is back", lambda: alice.call("relay.status")["state"] == "ready")
        w.checks.same("packets around the proxy", s.leaks.count(), 0)
    finally:
        proxy.stop()


def a_proxy_may_want_a_password(w):
    s = Scene(w)
    proxy = Proxy(w, s.proxy_host, s.hosts_file, "-u", "me", "-P", "hush")
    try:
        for user in ("", "me:hash@"):
            alice = s.configured(user)
            alice.start()
            if alice.id is None:
                alice.create()
                alice.call("relay.use", address=s.relays[0].status()["node"],
                           code=s.relays[0].call("relay.invite")["code"])
            until("the proxy refuses",
                  lambda: s.alice.call("relay.status")["trouble"] == "proxy-failed")
            w.checks.same("SIGTERM ends it", alice.terminate(), 0)
        alice = s.configured("me:hush@")
        alice.start()
        until("alice's relay is ready", lambda: alice.call("relay.status")["state"] == "ready")
        w.checks.true("the password is in no log", "hush" not in alice.log.read_text())
        w.checks.same("packets around the proxy", s.leaks.count(), 0)
    finally:
        proxy.stop()


def a_relay_with_a_proxy_passes_on_to_no_name(w):
    """Where a name leads is known to the proxy alone: to a machine beside it, perhaps."""
    s = Scene(w)
    proxy = Proxy(w, s.proxy_host, s.hosts_file)
    try:
        third = w.person("third", start=False, prefix=s.hosts["third"].inside())
        third.arguments = ["--relay"]
        third.listen = f"{s.hosts['third'].address}:4470"
        line = f"proxy = socks5://{s.proxy_host.address}:{PORT}"
        third.configure(line)
        third.start()
        carol = w.person("carol", start=False, prefix=s.hosts["third"].inside())
        carol.listen = ""
        carol.start()
        carol.create(third)
        dave = w.person("dave", start=False, prefix=s.bound(s.hosts["bob"], "hosts"))
        dave.listen = ""
        dave.start()
        dave.create(s.relays[0])
        carol.call("contact.add", link=dave.call("invite.create")["link"])
        until("carol is told", lambda: carol.contact(dave.id)["trouble"] == "refused")
        w.checks.same("who refused", carol.contact(dave.id)["trouble_relay"],
                      third.status()["node_id"])
        third.configure(line, "relay.forward_private = yes")
        third.reload("configuration read again")
        carol.kill()  # what waits for its next try is tried again at start
        carol.start()
        until("they have met", lambda: carol.contact(dave.id)["state"] == "accepted")
    finally:
        proxy.stop()


def receive(connection, count):
    got = b""
    while len(got) < count:
        more = connection.recv(count - len(got))
        if not more:
            raise OSError("closed")
        got += more
    return got


class Listener(threading.Thread):
    """Takes connections on loopback, one after the other, and does with each what serve does."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            self.serve(self.socket.accept()[0])

    def serve(self, connection):
        raise NotImplementedError


class Recorder(Listener):
    """A SOCKS proxy that asks who is there, and notes the user. Connects nobody."""

    def __init__(self):
        self.users = []
        super().__init__()

    def serve(self, connection):
        with connection:
            _, count = struct.unpack("BB", receive(connection, 2))
            receive(connection, count)
            connection.sendall(b"\5\2")
            receive(connection, 1)
            name = receive(connection, receive(connection, 1)[0])
            password = receive(connection, receive(connection, 1)[0])
            self.users.append((name, password))
            connection.sendall(b"\1\0")
            receive(connection, 4)
            connection.sendall(b"\5\5\0\1\0\0\0\0\0\0")


def no_two_links_have_the_same_user(w):
    recorder = Recorder()
    relays = w.relays("first", "second")
    alice = w.person("alice", start=False)
    alice.configure(f"proxy = socks5://127.0.0.1:{recorder.port}")
    alice.start()
    for another, relay in enumerate(relays):
        made = alice.call("account.create", **({"another": True} if another else {}))
        alice.call("relay.use", address=relay.status()["node"], account=made["account"])
    until("it has tried some times", lambda: len(recorder.users) >= 4)
    users = recorder.users[:]
    w.checks.same("users that came twice", len(users) - len(set(users)), 0)
    words = [word for user in users for word in user]
    w.checks.same("words that came twice", len(words) - len(set(words)), 0)
    w.checks.true("they are long enough", all(len(word) == 32 for word in words))


class Silent(Listener):
    """Says nothing, or no more than half of an answer."""

    def __init__(self, words):
        self.words, self.taken = words, []
        super().__init__()

    def serve(self, connection):
        connection.sendall(self.words)
        self.taken.append(connection)


def a_proxy_that_is_none_is_found_out(w):
    relay, = w.relays("relay")
    silent, half = Silent(b""), Silent(b"\5")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()[1]
    people = []
    for name, port in (("silent", silent.port), ("half", half.port), ("nobody", nobody),
                       ("relay", int(relay.listen.rsplit(":", 1)[1]))):
        person = w.person(f"with-{name}", start=False)
        person.configure(f"proxy = socks5://127.0.0.1:{port}")
        person.start()
        person.create()
        person.call("relay.use", address=relay.status()["node"])
        people.append(person)
    until("both were asked", lambda: silent.taken and half.taken)
    leaver = w.person("leaves", start=False)  # in the middle of it
    leaver.configure(f"proxy = socks5://127.0.0.1:{silent.port}")
    leaver.start()
    leaver.create()
    before = len(silent.taken)
    leaver.call("relay.use", address=relay.status()["node"])
    until("one more was asked", lambda: len(silent.taken) > before)
    w.checks.same("SIGTERM ends it", leaver.terminate(), 0)
    for person in people:
        until(f"{person.name} says whose fault it is",
              lambda p=person: p.call("relay.status")["trouble"] == "proxy-failed")
        w.checks.true("and its log", "does not do its work" in person.log.read_text())


def a_wrong_line_does_not_show_its_password(w):
    alice = w.person("alice", start=False)
    for line in ("socks5h://me:hush@127.0.0.1:1", "socks5://me:hush@127.0.0.1"):
        alice.configure(f"proxy = {line}")
        alice.launch()
        w.checks.same("exit code", alice.process.wait(60), 1)
        alice.process = None
        w.checks.true("it names the line", "petreld.conf:1: proxy: " in alice.log_tail())
    w.checks.true("and not the password", "hush" not in alice.log.read_text())


def a_dht_beside_a_proxy_is_refused(w):
    alice = w.person("alice", start=False)
    alice.configure("proxy = socks5://127.0.0.1:1", "dht.listen = 127.0.0.1:0")
    alice.launch()
    w.checks.same("exit code", alice.process.wait(60), 1)
    alice.process = None
    w.checks.true("it says why", "the DHT would go around the proxy" in alice.log_tail())


IN_NETWORK = [everything_goes_through_the_proxy, a_proxy_may_want_a_password,
              a_relay_with_a_proxy_passes_on_to_no_name]
ANYWHERE = [no_two_links_have_the_same_user, a_proxy_that_is_none_is_found_out,
            a_wrong_line_does_not_show_its_password, a_dht_beside_a_proxy_is_refused]


def network_missing():
    """Makes the network; or why there is none."""
    missing = network.missing_tools()
    if shutil.which("microsocks") is None:
        missing.append("microsocks")
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not alone.enter():
        return "nobody may have namespaces here"
    try:
        NETWORK.append(network.Network())
    except network.Missing as why:
        return f"no such network can be made here: {why}"
    return None


def main():
    missing = network_missing()
    if missing is None:
        try:
            return run(IN_NETWORK + ANYWHERE, __doc__)
        finally:
            NETWORK[0].remove()
    code = run(ANYWHERE, __doc__)
    print(f"skipped: {missing}")
    return code if code != 0 else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
