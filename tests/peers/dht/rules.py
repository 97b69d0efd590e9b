# SPDX-License-Identifier: Apache-2.0
"""rules: what nodes of all kinds do alike with an item that is there already, and whom libtorrent counts
as good."""
import time

import raw
from kinds import bencoded, put, stored

GONE = 40  # seconds in which libtorrent notices that a node is gone: 15 until a question is lost


def newer_replaces(kinds, checks, chance):
    """Each kind writes over what each kind put, and each kind gets what was written. Gives whose items
    these are, and their numbers."""
    ours = kinds[0]
    items = []
    for first in kinds:
        for writer in kinds:
            what = f"{writer.name} over {first.name}'s"
            seed = chance.randbytes(32).hex()
            signer = raw.Signer(ours, seed)
            key = signer.key.hex()
            answer = put(ours, first, chance.randrange(first.count), seed, "-", 1, "the first")
            checks.true(f"{first.name} puts", stored(answer)[0] >= 4, answer)
            got = ours.ask("get", chance.randrange(ours.count), key, "-").split()
            checks.true(f"{first.name}'s is there", got[:2] == ["value", bencoded("the first")], got)
            seq = int(got[3]) + 1
            value = f"of {writer.name}"
            answer = put(ours, writer, chance.randrange(writer.count), seed, "-", seq, value)
            checks.true(what, stored(answer)[0] >= 4, answer)
            for reader in kinds:
                got = reader.ask("get", chance.randrange(reader.count), key, "-")
                checks.true(f"{reader.name} gets {what}",
                            got == f"value {bencoded(value)} seq {seq}", got)
            items.append((signer, seq))
    return items


def older_is_refused(host, kinds, checks, items):
    """Everybody who has one of these items is asked to take an older one. Who asks is in tables of
    libtorrent then, and answers nothing, so that its lookups take long: this comes behind them."""
    refused = {kind.name: 0 for kind in kinds}
    for signer, seq in items:
        target = raw.target_of(signer.key)
        older = signer.item(seq - 1, b"an older one")
        before = sum(refused.values())
        for kind in kinds:
            for port in kind.ports:
                asker = raw.Asker(host)
                said = asker.ask(port, b"get", {b"target": target})[b"r"]
                if said.get(b"seq") == seq:
                    answer = asker.ask(port, b"put", {b"token": said[b"token"], **older})
                    checks.true(f"{kind.name} refuses an older one", raw.code_of(answer) == 302, answer)
                    now = asker.ask(port, b"get", {b"target": target})[b"r"]
                    checks.true(f"{kind.name} has kept the newer one",
                                (now.get(b"seq"), now.get(b"v")) == (seq, said[b"v"]), now)
                    refused[kind.name] += 1
                asker.close()
        checks.true("many have it", sum(refused.values()) >= before + 5, refused)
    checks.true("nodes of every kind refused an older one", min(refused.values()) > 0, refused)
    print("dht: an older one was refused by " +
          ", ".join(f"{count} nodes of {name}" for name, count in refused.items()))


def tables_of(ours, torrent):
    """Of each node of libtorrent: which of ours have answered it, and which of them it counts as good.
    The first of ours is the one that all begin with: libtorrent has no place for that one."""
    tables = []
    for i in range(torrent.count):
        heard = set(map(int, torrent.ask("heard", i).split()[1:])) & set(ours.ports[1:])
        live = set(map(int, torrent.ask("live", i).split()[1:]))
        tables.append((heard, heard & live))
    return tables


def most_of_ours_are_good(ours, torrent, checks, before=None):
    """And those that were good before are good still."""
    tables = tables_of(ours, torrent)
    for i, (heard, good) in enumerate(tables):
        checks.true("libtorrent has talked to some of ours", len(heard) >= 3, (heard, ours.ports))
        checks.true("and has most of them as good", len(good) >= 0.8 * len(heard), (good, heard))
        if before:
            stayed = good & before[i][1]
            checks.true("and goes on so", len(stayed) >= 0.8 * len(before[i][1]), (stayed, before[i]))
    heard = sum(len(heard) for heard, good in tables) / torrent.count
    good = sum(len(good) for heard, good in tables) / torrent.count
    checks.true("a node of libtorrent talks to half of ours", heard >= 0.5 * (ours.count - 1), heard)
    print(f"dht: a node of libtorrent has heard {heard:.1f} nodes of ours, and {good:.1f} are good")
    return tables


class Stopped:
    """The last node of ours, which is stopped, and what the nodes of libtorrent say of it."""

    def __init__(self, host, ours, torrent):
        self.torrent = torrent
        self.asker = raw.Asker(host)
        self.id, self.other = (bytes.fromhex(ours.ask("id", ours.count - 1 - i).split()[1])
                               for i in range(2))
        self.named = b"nodes6" if ":" in host else b"nodes"

    def givers_of(self, node, ports):
        """Which of these name it as near to its ID: libtorrent gives only those that did not fail."""
        asked = {b"target": node}
        return [port for port in ports if node in self.asker.ask(port, b"find_node", asked)[b"r"].get(
            self.named, b"")]

    def stop(self, ours, checks):
        """Those that give it now ask it once more, when it is gone."""
        self.look()  # not all have met both by chance
        end = time.monotonic() + GONE
        wanted = 0.6 * self.torrent.count
        while True:
            self.givers = self.givers_of(self.id, self.torrent.ports)
            self.of_other = self.givers_of(self.other, self.torrent.ports)
            if min(len(self.givers), len(self.of_other)) >= wanted or time.monotonic() > end:
                break
            time.sleep(0.2)  # libtorrent says nothing when it takes one into its table
        for givers in self.givers, self.of_other:
            checks.true("most nodes of libtorrent give a node of ours",
                        len(givers) >= wanted, givers)
        checks.true("it is stopped", ours.ask("stop", ours.count - 1) == "ok")
        ours.ports.pop()
        ours.count -= 1
        self.look()

    def look(self):
        for i in range(self.torrent.count):
            self.torrent.ask("look", i, self.id.hex())
            self.torrent.ask("look", i, self.other.hex())

    def is_given_by_few(self, checks):
        """Most notice within 2 seconds; one whose lookup ended before the answer was due, in 15."""
        end = time.monotonic() + GONE
        left = self.givers_of(self.id, self.givers)
        while 4 * len(left) > len(self.givers) and time.monotonic() < end:
            time.sleep(0.2)  # libtorrent says nothing when it counts one as gone
            left = self.givers_of(self.id, left)
        checks.true("few give a node of ours that is gone", 4 * len(left) <= len(self.givers), left)
        left = self.givers_of(self.other, self.of_other)
        checks.true("one that is there is given still", len(left) >= 0.8 * len(self.of_other), left)
        self.asker.close()
