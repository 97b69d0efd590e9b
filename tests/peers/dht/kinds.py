# SPDX-License-Identifier: Apache-2.0
"""kinds: programs with some DHT nodes of one kind each, and what any two of them have to agree on."""
import hashlib
import pathlib
import subprocess
import sys
import time

ROUNDS = 3     # items of each form that each kind puts
PATIENCE = 60  # seconds in which the nodes find each other


class Kind:
    """The lines that are asked are those of dht_cli.c."""

    def __init__(self, name, command, count):
        self.name = name
        self.count = count
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.ports = [int(self.process.stdout.readline().split()[1]) for _ in range(count)]

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


def target_of(value):
    return hashlib.sha1(bytes.fromhex(bencoded(value))).hexdigest()


def key_of(ours, seed):
    return ours.ask("key", seed).split()[1]


def grown(kinds):
    """Waits until every node knows as many as a bucket holds, and nobody learns of more. They begin
    with one node, and get to know others by looking around."""
    end = time.monotonic() + PATIENCE
    known = []
    while time.monotonic() < end:
        before = known
        for kind in kinds:
            for i in range(kind.count):
                kind.ask("look", i)
        time.sleep(1)  # the lookups take milliseconds, and nothing says when all are over
        known = [int(kind.ask("status", i).split()[1]) for kind in kinds for i in range(kind.count)]
        if min(known) >= 8 and before and sum(known) <= 1.02 * sum(before):
            return known
    sys.exit(f"FAILED: after {PATIENCE} s there are nodes that know too few: {known}")


def network(host, each, ours_program, checks, others=()):
    """Nodes of ours, of these others and of libtorrent, in this order, so many of each: all begin
    with the first of ours, and have found each other. others: name and program with its arguments."""
    ours = Kind("petrel", [ours_program, host, str(each)], each)
    boot = str(ours.ports[0])
    checks.true("ours begin with one of them", ours.ask("boot", boot) == "ok")
    torrent = [sys.executable, pathlib.Path(__file__).with_name("torrent.py"), host]
    kinds = [ours] + [Kind(name, [*program, str(each), boot], each)
                      for name, program in (*others, ("libtorrent", torrent))]
    known = grown(kinds)
    print(f"dht: {len(known)} nodes of {len(kinds)} kinds on {host}, which know {min(known)} to "
          f"{max(known)}")
    return kinds


def end_all(kinds, checks):
    for kind in kinds:
        checks.true(f"{kind.name} ends", kind.end() == 0)
    print(f"dht: {checks.count} checks held")


def put(ours, kind, node, seed, salt, seq, value):
    """libtorrent takes no sequence number: it puts the one after that of the item that is there."""
    if kind.name == "libtorrent":
        return kind.ask("put", node, seed, key_of(ours, seed), salt, bencoded(value))
    return kind.ask("put", node, seed, salt, seq, "-", bencoded(value))


def items_are_got_by_all(kinds, checks, chance):
    ours = kinds[0]
    for kind in kinds:
        for form in ("plain", "salt", "immutable") * ROUNDS:
            seed = chance.randbytes(32).hex()
            salt = b"a salt".hex() if form == "salt" else "-"
            value = f"{form} of {kind.name} {chance.random()}"
            node = chance.randrange(kind.count)
            if form == "immutable":
                answer = kind.ask("puti", node, bencoded(value))
            else:
                answer = put(ours, kind, node, seed, salt, 1, value)
            checks.true(f"{kind.name} puts {form}", stored(answer)[0] >= 4, answer)
            for reader in kinds:
                node = chance.randrange(reader.count)
                if form == "immutable":
                    got = reader.ask("geti", node, target_of(value))
                else:
                    got = reader.ask("get", node, key_of(ours, seed), salt)
                checks.true(f"{reader.name} gets {form} of {kind.name}",
                            got.split()[:2] == ["value", bencoded(value)], got)
