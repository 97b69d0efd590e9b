#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""six.py OURS: one DHT on ::1 of nodes of ours and of libtorrent, which has BEP 32 (bittorrent-dht speaks
IPv4 only). What each kind puts each kind gets, over IPv6 alone. And libtorrent makes IDs for IPv6
addresses (BEP 42) that fit for ours too. 77, with the reason, where there is no ::1."""
import ipaddress
import random
import socket
import sys
import time

import raw
import torrent as libtorrents
from kinds import Checks, end_all, items_are_got_by_all, network
from refusals import what_is_wrong_is_refused
from rules import Stopped, most_of_ours_are_good, newer_replaces, older_is_refused

HOST = "::1"
EACH = 9  # nodes of each kind
ADDRESSES = 4  # that libtorrent is told it has
PATIENCE = 20  # seconds until it has an ID for one


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind((HOST, 0))
        return True
    except OSError:
        return False


def id_for(address):
    """The ID that libtorrent takes when the node that it begins with says that this is its address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind((HOST, 0))
        session = libtorrents.session(HOST, s.getsockname()[1])
        own = first = None
        end = time.monotonic() + PATIENCE
        while own == first and time.monotonic() < end:
            s.settimeout(end - time.monotonic())
            bytes_, sender = s.recvfrom(4096)
            q = raw.bdecode(bytes_)[0]
            own = q[b"a"][b"id"]
            first = first or own  # of chance
            s.sendto(raw.bencode({
                b"ip": address.packed + b"\x1a\xe1", b"t": q[b"t"], b"y": b"r",
                b"r": {b"id": b"B" * 20, b"nodes6": b"", b"token": b"abcd"}}), sender)
            session.dht_get_immutable_item(libtorrents.libtorrent.sha1_hash(bytes(20)))
        return own if own != first else None


def ids_of_others_fit(ours, checks, chance):
    for _ in range(ADDRESSES):
        address = ipaddress.IPv6Address(b"\x20\x01" + chance.randbytes(14))
        made = id_for(address)
        checks.true(f"libtorrent has an ID for {address}", made is not None)
        answer = ours.ask("fits", made.hex(), address)
        checks.true(f"it fits {address}", answer == "fits 1", made.hex())
        other = ipaddress.IPv6Address(bytes([0x21]) + address.packed[1:7] + b"\x55" + bytes(8))
        answer = ours.ask("fits", made.hex(), other)
        checks.true(f"and not {other}", answer == "fits 0", made.hex())


def main(ours_program):
    if not has_ipv6():
        print(f"skipped: there is no {HOST}")
        sys.exit(77)
    chance = random.Random(32)
    checks = Checks()
    kinds = network(HOST, EACH, ours_program, checks)
    ours, torrent = kinds
    tables = most_of_ours_are_good(ours, torrent, checks)
    items_are_got_by_all(kinds, checks, chance)
    items = newer_replaces(kinds, checks, chance)
    most_of_ours_are_good(ours, torrent, checks, tables)
    gone = Stopped(HOST, ours, torrent)
    gone.stop(ours, checks)
    older_is_refused(HOST, kinds, checks, items)
    what_is_wrong_is_refused(HOST, kinds, checks, chance)
    ids_of_others_fit(ours, checks, chance)
    gone.is_given_by_few(checks)
    end_all(kinds, checks)


if __name__ == "__main__":
    main(*sys.argv[1:])
