#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exchange.py OURS PEER_MJS TORRENT_PY: one DHT of nodes of three kinds on loopback, ours (dht_cli.c),
bittorrent-dht's and libtorrent's. What each kind puts each kind gets, the rules of sequence numbers
and CAS are the same everywhere, and libtorrent keeps ours in its tables."""
import hashlib
import random
import subprocess
import sys
import time

EACH = 18     # nodes of each kind
ROUNDS = 3    # items of each form that each kind puts
PATIENCE = 60  # seconds in which the nodes find each other


class Kind:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.ports = [int(self.process.stdout.readline().split()[1]) for _ in range(EACH)]

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(30)


class Checks:
    def __init__(self):
        self.count = 0

    def true(self, what, good, said=""):
        self.count += 1
        if not good:
            sys.exit(f"FAILED: {what}: {said}")


def bencoded(text):
    return f"{len(text)}:{text}".encode().hex()


def stored(answer):
    """(nodes that stored it, that refused it, why)"""
    words = answer.split()
    return (int(words[1]), int(words[3]), words[5]) if words[0] == "stored" else (0, 0, answer)


def grown(kinds):
    """Waits until every node knows as many as a bucket holds, and nobody learns of more. They begin
    with one node, and get to know others by looking around."""
    end = time.monotonic() + PATIENCE
    known = []
    while time.monotonic() < end:
        before = known
        for kind in kinds:
            for i in range(EACH):
                kind.ask("look", i)
        time.sleep(1)  # the lookups take milliseconds, and nothing says when all are over
        known = [int(kind.ask("status", i).split()[1]) for kind in kinds for i in range(EACH)]
        if min(known) >= 8 and before and sum(known) <= 1.02 * sum(before):
            return known
    sys.exit(f"FAILED: after {PATIENCE} s there are nodes that know too few: {known}")


def put(ours, kind, node, seed, salt, seq, value):
    if kind.name == "libtorrent":
        return kind.ask("put", node, seed, ours.ask("key", seed).split()[1], salt, bencoded(value))
    return kind.ask("put", node, seed, salt, seq, "-", bencoded(value))


def items_are_got_by_all(kinds, checks, chance):
    ours = kinds[0]
    for kind in kinds:
        for form in ("plain", "salt", "immutable") * ROUNDS:
            seed = chance.randbytes(32).hex()
            salt = b"a salt".hex() if form == "salt" else "-"
            value = f"{form} of {kind.name} {chance.random()}"
            node = chance.randrange(EACH)
            if form == "immutable":
                answer = kind.ask("puti", node, bencoded(value))
            else:
                answer = put(ours, kind, node, seed, salt, 1, value)
            checks.true(f"{kind.name} puts {form}", stored(answer)[0] >= 4, answer)
            for reader in kinds:
                node = chance.randrange(EACH)
                if form == "immutable":
                    got = reader.ask("geti", node, target_of(value))
                else:
                    got = reader.ask("get", node, ours.ask("key", seed).split()[1], salt)
                checks.true(f"{reader.name} gets {form} of {kind.name}",
                            got.split()[:2] == ["value", bencoded(value)], got)


def target_of(value):
    return hashlib.sha1(bytes.fromhex(bencoded(value))).hexdigest()


def sequence_rules_agree(kinds, checks, chance):
    ours, npm = kinds[:2]
    seed = chance.randbytes(32).hex()
    key = ours.ask("key", seed).split()[1]

    def put_as(kind, seq, cas, value):
        return stored(kind.ask("put", chance.randrange(EACH), seed, "-", seq, cas, bencoded(value)))

    good = put_as(ours, 5, "-", "fifth")
    checks.true("the fifth is stored", good[0] >= 4 and good[1] == 0, good)
    # Those that have it refuse, nodes of all three kinds, with the same code. One that came to be
    # nearer since may take it.
    for what, seq, cas, value, code in (("an older one", 4, "-", "fourth", "302"),
                                        ("a wrong CAS", 6, 4, "sixth", "301")):
        answer = put_as(ours, seq, cas, value)
        checks.true(f"{what} is refused", answer[0] <= 3 and answer[1] >= 5, answer)
        checks.true(f"{what}: why", answer[2] == code, answer)
    good = put_as(ours, 6, 5, "sixth")
    checks.true("the right CAS is stored", good[0] >= 5, good)
    for reader in kinds:
        got = reader.ask("get", chance.randrange(EACH), key, "-")
        checks.true(f"{reader.name} gets the sixth", got == f"value {bencoded('sixth')} seq 6", got)
    good = put_as(npm, 7, 6, "seventh")
    checks.true("bittorrent-dht's CAS is stored", good[0] >= 4, good)
    got = ours.ask("get", chance.randrange(EACH), key, "-")
    checks.true("its seventh is got", got == f"value {bencoded('seventh')} seq 7", got)


def ours_are_in_tables(kinds, checks):
    ours, torrent = kinds[0], kinds[2]
    known = 0
    for i in range(EACH):
        live = set(map(int, torrent.ask("live", i).split()[1:]))
        checks.true("libtorrent has nodes of ours as good", live & set(ours.ports), live)
        known += len(live & set(ours.ports))
    print(f"dht: in each table of libtorrent {known / EACH:.1f} of {EACH} nodes of ours are good")


def main(ours_program, peer, torrent):
    chance = random.Random(6)
    checks = Checks()
    ours = Kind("petrel", [ours_program, str(EACH)])
    boot = ours.ports[0]
    checks.true("ours begin with one of them", ours.ask("boot", boot) == "ok")
    kinds = [ours, Kind("bittorrent-dht", ["node", peer, str(EACH), str(boot)]),
             Kind("libtorrent", [sys.executable, torrent, str(EACH), str(boot)])]
    known = grown(kinds)
    print(f"dht: {len(known)} nodes of {len(kinds)} kinds, which know {min(known)} to {max(known)}")
    items_are_got_by_all(kinds, checks, chance)
    sequence_rules_agree(kinds, checks, chance)
    ours_are_in_tables(kinds, checks)
    for kind in kinds:
        checks.true(f"{kind.name} ends", kind.end() == 0)
    print(f"dht: {checks.count} checks held")


if __name__ == "__main__":
    main(*sys.argv[1:])
