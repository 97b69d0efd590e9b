#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exchange.py OURS WORK: one DHT of nodes of three kinds on 127.0.0.1, ours (dht_cli.c),
bittorrent-dht's (peer.mjs, in the folder WORK) and libtorrent's (torrent.py). What each kind puts each
kind gets, the rules of sequence numbers and CAS are the same everywhere, what is wrong is refused with
the same codes, and libtorrent keeps ours in its tables."""
import random
import sys

from kinds import Checks, bencoded, end_all, items_are_got_by_all, key_of, network, stored
from refusals import what_is_wrong_is_refused
from rules import Stopped, most_of_ours_are_good, newer_replaces, older_is_refused

HOST = "127.0.0.1"
EACH = 18  # nodes of each kind


def cas_rules_agree(kinds, checks, chance):
    ours, npm = kinds[:2]
    seed = chance.randbytes(32).hex()
    key = key_of(ours, seed)

    def put_as(kind, seq, cas, value):
        return stored(kind.ask("put", chance.randrange(EACH), seed, "-", seq, cas, bencoded(value)))

    good = put_as(ours, 5, "-", "fifth")
    checks.true("the fifth is stored", good[0] >= 4 and good[1] == 0, good)
    # Those that have it refuse. Some that came to be nearer since, while the tables grow, may take it.
    for what, seq, cas, value, code in (("an older one", 4, "-", "fourth", "302"),
                                        ("a wrong CAS", 6, 4, "sixth", "301")):
        answer = put_as(ours, seq, cas, value)
        checks.true(f"{what} is refused", answer[1] >= 5 and answer[1] > answer[0], answer)
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


def main(ours_program, work):
    chance = random.Random(6)
    checks = Checks()
    kinds = network(HOST, EACH, ours_program, checks,
                    [("bittorrent-dht", ["node", f"{work}/peer.mjs"])])
    ours, _, torrent = kinds
    tables = most_of_ours_are_good(ours, torrent, checks)
    items_are_got_by_all(kinds, checks, chance)
    cas_rules_agree(kinds, checks, chance)
    items = newer_replaces(kinds, checks, chance)
    most_of_ours_are_good(ours, torrent, checks, tables)
    gone = Stopped(HOST, ours, torrent)
    gone.stop(ours, checks)
    older_is_refused(HOST, kinds, checks, items)
    what_is_wrong_is_refused(HOST, kinds, checks, chance)
    gone.is_given_by_few(checks)
    end_all(kinds, checks)


if __name__ == "__main__":
    main(*sys.argv[1:])
