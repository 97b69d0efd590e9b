#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A relay, and a person's node, under hostile input: they serve others meanwhile, and their memory
stays bounded.

usage: hostile_test.py --bin FOLDER --tools FOLDER [STORY...]

During every attack a message passes from Alice to Bob over the attacked relay. What needs a
handshake is done by e2e_hostile (hostile_peer.c)."""
import os
import pathlib
import resource
import select
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.people import PATIENCE, Failure, until  # noqa: E402
from lib.world import main  # noqa: E402

MEMORY_KIB = 40 * 1024  # VmRSS may ever grow by this: 16 MiB between threads, 4 MiB a peer, more
HANDSHAKE_S = 10  # LIMIT_HANDSHAKE_MS
FILES = 256  # of a process with few
FIRST = 1248  # bytes of a first handshake message


def sanitized():
    return "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


class Scene:
    """Alice and Bob, contacts over one relay, which is the victim unless another is named."""

    def __init__(self, w, prefix=()):
        self.w = w
        self.relay, self.alice, self.bob = w.three(prefix)
        self.alice.meet(self.bob)
        self.count = 0
        self.victim = self.relay
        self.exchange()
        self.before = {person: person.rss_kib() for person in (self.relay, self.alice)}

    def port(self):
        return int(self.victim.status()["node"].rsplit(":", 1)[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port()), timeout=PATIENCE)

    def exchange(self):
        """One message; how long it took until he had it."""
        self.count += 1
        began = time.monotonic()
        message = self.alice.send(self.bob, f"message {self.count}")
        self.bob.event_of("message.received", message=message)
        return time.monotonic() - began

    def during(self, name, attack, meanwhile=None):
        """Runs the attack beside a message; what the attack returned. The victim lives."""
        result = []
        errors = []

        def run():
            try:
                result.append(attack())
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)
        running = threading.Thread(target=run, daemon=True)
        running.start()
        took = [self.exchange()]
        if meanwhile is not None:
            meanwhile()
        while running.is_alive():
            took.append(self.exchange())
            running.join(0.2)
        took.append(self.exchange())
        self.victim.must_live()
        now = self.victim.rss_kib() - self.before[self.victim]
        peak = self.victim.rss_kib("VmHWM:") - self.before[self.victim]
        print(f"   {name}: {len(took)} messages passed, the slowest in {max(took):.2f} s; VmRSS of "
              f"{self.victim.name} {now:+} KiB, at its peak {peak:+}", flush=True)
        if not sanitized():
            self.w.checks.true(f"{name}: memory stays bounded ({peak} KiB)", peak < MEMORY_KIB)
        if not result:
            raise Failure(f"{name}: the attack itself failed: {errors}")
        self.w.checks.count += len(took)
        return result[0]

    def tool(self, attack, count=0):
        """What e2e_hostile says."""
        done = subprocess.run(
            [str(pathlib.Path(self.w.options.tools) / "e2e_hostile"),
             self.victim.status()["node"], attack, str(count)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE,
            check=False)
        if done.returncode != 0:
            raise Failure(f"e2e_hostile {attack}: exit code {done.returncode}: {done.stderr}")
        return done.stdout.split("\n")[:-1]

    def attack(self, name, wanted, count=0):
        there = self.during(name, lambda: self.tool(name, count))
        self.w.checks.same(name, there, wanted)

    def end(self):
        """Nothing of the attacks is left: the same links as before, and all messages in order."""
        for person in (self.relay, self.alice):
            until(f"only honest links are left at {person.name}",
                  lambda p=person: p.status()["links"] <= 4, 4 * HANDSHAKE_S)
        self.w.checks.same("what he read", self.bob.texts(self.alice.id),
                           [f"message {i + 1}" for i in range(self.count)])


def is_closed(peer):
    """Whether the other side has ended this connection."""
    try:
        return peer.recv(65536) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def garbage_and_lengths_that_may_not_be(w):
    scene = Scene(w)
    pieces = [b"\x00\x00", b"\xff\xff" + os.urandom(65535), b"\x04\xe0" + os.urandom(FIRST),
              b"\x04\xe0" + bytes(FIRST), b"\x04\xdf", b"\x04\xe1", b"\x80\x00",
              b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100, b"\x16\x03\x01\x02\x00" + os.urandom(512),
              os.urandom(200000)]

    def attack():
        closed = 0
        for i in range(300):
            with scene.connect() as peer:
                try:
                    peer.sendall(pieces[i % len(pieces)])
                except OSError:
                    pass
                closed += is_closed(peer)
        return closed
    for victim in (scene.relay, scene.alice):
        scene.victim = victim
        w.checks.same(f"{victim.name} closed all",
                      scene.during(f"garbage for {victim.name}", attack), 300)
    scene.end()


def handshakes_that_never_end(w):
    """Single bytes that trickle in, first messages with no third, connections without a byte."""
    scene = Scene(w)
    port = scene.port()

    def slow_loris():
        began = time.monotonic()
        peers = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                 for _ in range(100)]
        first = b"\x04\xe0" + os.urandom(FIRST)
        at = 0
        ended = []
        while peers and time.monotonic() < began + 3 * HANDSHAKE_S:
            readable = select.select(peers, [], [], 0.1)[0]
            for peer in readable:
                if is_closed(peer):
                    peers.remove(peer)
                    peer.close()
                    ended.append(time.monotonic() - began)
            for peer in peers:
                try:
                    peer.send(first[at:at + 1])
                except OSError:
                    pass
            at = min(at + 1, FIRST)
        return [len(peers), min(ended, default=0), max(ended, default=0)]

    with subprocess.Popen([str(pathlib.Path(w.options.tools) / "e2e_hostile"),
                           scene.relay.status()["node"], "half-open", "200"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as half:
        try:
            w.checks.same("first messages are answered", half.stdout.readline(),
                          "half open 200 answered 200\n")
            left, first, last = scene.during("slow loris", slow_loris)
        finally:
            half.stdin.close()
            half.wait(PATIENCE)
    print(f"   100 slow ones were closed between {first:.1f} and {last:.1f} s")
    w.checks.same("slow ones that are left", left, 0)
    w.checks.true("not before their time", first > HANDSHAKE_S - 2)
    scene.end()


def thousands_of_connections(w):
    scene = Scene(w)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held_at_once = min(1500, hard - 200)
    passing = 2500
    port = scene.port()

    def attack():
        held = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                for _ in range(held_at_once)]
        for i in range(passing):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
                if i % 2 == 0:
                    peer.sendall(b"\x04\xe0")
        for peer in held:
            peer.close()
        return True

    def come_back():
        """An honest handshake, while all others are held."""
        w.checks.same("Bob goes", scene.bob.terminate(), 0)
        scene.bob.start()
        until("Bob's relay is ready again",
              lambda: scene.bob.call("relay.status")["state"] == "ready")
    scene.during(f"{held_at_once} held and {passing} passing connections", attack, come_back)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    w.checks.true("the relay says so", "too many handshakes" in scene.relay.log.read_text())
    scene.end()


def more_connections_than_files(w):
    """A relay that may open few files keeps some for others, and for its owner."""
    scene = Scene(w, ["prlimit", f"--nofile={FILES}:{FILES}"])
    port = scene.port()

    def attack():
        held = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                for _ in range(FILES + 64)]
        for _ in range(20):
            scene.relay.status()
        for peer in held:
            peer.close()
        return True
    scene.during(f"{FILES + 64} connections for {FILES} files", attack)
    with subprocess.Popen([str(pathlib.Path(w.options.tools) / "e2e_hostile"),
                           scene.relay.status()["node"], "links", str(FILES)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as links:
        try:
            words = links.stdout.readline().split()
            w.checks.true(f"links that were let in: {words}", FILES // 4 < int(words[1]) < FILES)
            scene.count += 1
            waits = scene.alice.send(scene.bob, f"message {scene.count}")  # needs a link more
            w.checks.true("the owner is answered", scene.relay.status()["links"] >= int(words[1]))
        finally:
            links.stdin.close()
            links.wait(PATIENCE)
    scene.bob.event_of("message.received", message=waits)
    scene.end()


def replays_are_worth_nothing(w):
    scene = Scene(w)
    scene.attack("replay", ["open", "replayed 40 refused 40"], 40)
    scene.attack("record-twice", ["closed 104"])
    scene.end()


def links_that_break_the_rules(w):
    scene = Scene(w)
    scene.attack("version", ["closed 105"], 99)
    scene.attack("no-hello", ["closed 107"])
    scene.attack("two-hellos", ["closed 107"])
    scene.attack("lengths", ["closed 100"] * 5 + ["closed 101"] * 2 + ["closed 104"])
    scene.attack("frames", ["closed 100", "closed 100", "closed 101", "closed 100", "closed 100",
                            "closed 100", "closed 101", "closed 130", "closed 107", "closed 100"])
    for victim in (scene.relay, scene.alice):
        scene.victim = victim
        words = scene.during(f"kinds for {victim.name}", lambda: scene.tool("kinds", 3))[0].split()
        print(f"   {' '.join(words)}")
        w.checks.same("every link ended in order or is open", int(words[3]) + int(words[5]), 251)
    scene.end()


def floods_cost_the_flooder(w):
    scene = Scene(w)
    # Sent without credit: the link is closed, and little was done for it.
    end, counts = scene.during("flood", lambda: scene.tool("flood", 5000))
    w.checks.same("how the flood ends", end, "closed 130")
    w.checks.true(f"requests that were answered: {counts}", 0 < int(counts.split()[3]) < 1000)
    words = scene.during("pings", lambda: scene.tool("pings", 100000))[0].split()
    w.checks.true(f"pongs are few while none is read: {words[3]}", 0 < int(words[3]) < 100000)
    scene.attack("deposits", ["open", "deposits 60 replies 60"], 60)  # within its credit
    w.checks.same("nothing was stored for nobody", scene.relay.status()["queues"], 2)
    scene.end()


STORIES = [garbage_and_lengths_that_may_not_be, handshakes_that_never_end, thousands_of_connections,
           more_connections_than_files, replays_are_worth_nothing, links_that_break_the_rules,
           floods_cost_the_flooder]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_hostile")


if __name__ == "__main__":
    main(STORIES, "nodes under hostile input", options_of)
