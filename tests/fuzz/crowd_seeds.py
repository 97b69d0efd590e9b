#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# crowd_seeds.py FOLDER: writes the programs that fuzz_crowd begins with, seed-<what> each: stories
# in which nobody lies, and one lie of each kind at each place. The bytes are those of parts/ops.h.
import pathlib
import struct
import sys

LIE, SAY, TIME, NAP, CUT, BREAK, RESTART, MOVE, BACK, MEET, CALL = range(11)
PLACES = ["frame", "fate", "old", "body", "first", "signed", "sealed"]
HOWS = ["number", "near", "bits", "other", "swap", "drop", "twice", "key", "type", "more"]
POINTS = 14  # a few more than there are: they are taken modulo
WILD, FORGE = 1, 2


def op(kind, who=0, a=0, b=0, c=0, d=0):
    return struct.pack(">BBBBHH", kind, who, a, b, c, d)


def lie(node, place, how, where=0, wth=0, skip=0):
    return op(LIE, node, PLACES.index(place) + len(PLACES) * skip, HOWS.index(how), where, wth)


# Persons: 0 the untrusted one, 1 and 2 friends, 3 the device of 0. The contacts of who are counted
# from who + 1. Nodes: one more than the person.
FRIENDS = op(SAY, 1, 0) + op(SAY, 2, 2)
TALK = op(SAY, 0, 0) + op(SAY, 1, 2)

STORIES = {
    "friends": FRIENDS * 3 + op(TIME, a=6),
    "talk": TALK * 3 + op(TIME, a=5),
    "long-texts": op(SAY, 1, 0, 4) + op(SAY, 0, 0, 4) + op(TIME, a=3),
    "naps": op(NAP, 2) + op(SAY, 2, 2) * 3 + op(SAY, 0, 0) + op(TIME, a=6) + op(NAP, 2) + FRIENDS,
    "relay-naps": op(NAP, 0) + FRIENDS + op(TIME, a=4) + op(NAP, 0) + TALK,
    "cuts": op(SAY, 1, 0) + op(CUT, 0) + FRIENDS + op(CUT, 2) + TALK,
    "restarts": FRIENDS + op(RESTART, 0) + FRIENDS + op(RESTART, 2) + TALK + op(RESTART, 1) + TALK,
    "moves": op(MOVE, 0, 0) + TALK + op(TIME, a=5) + TALK,
    "second-home": op(MOVE, 0, 0, 1) + TALK + op(TIME, a=5) + TALK,
    "strangers-by-link": op(MEET, 0, 1, 2) + op(TIME, a=5) + op(SAY, 0, 1) + op(SAY, 2, 1),
    "strangers-by-id": op(MEET, 0, 1, 3) + op(TIME, a=5) + op(CALL, 2, 4, 1) + op(TIME, a=5)
    + op(SAY, 0, 1),
    "blocked": TALK + op(CALL, 1, 2, 2) + TALK + op(TIME, a=4),
    "read-and-deleted": TALK + op(CALL, 1, 0, 2, 1) + op(CALL, 1, 1, 2, 1) + op(TIME, a=4),
    "verified": op(CALL, 1, 3, 2) + TALK,
    "rekeyed": FRIENDS + op(CALL, 1, 5) + FRIENDS + op(TIME, a=4),
    "devices": op(SAY, 3, 1) + op(SAY, 1, 2) + op(SAY, 0, 0) + op(CALL, 3, 0, 1) + op(TIME, a=5),
    "removed": op(CALL, 0, 7) + op(SAY, 1, 2) + op(TIME, a=6),
    "back": TALK + op(BACK, 1) + TALK + op(TIME, a=6) + TALK,
    "days": FRIENDS + op(TIME, a=7) * 4 + FRIENDS,
}
WILD_STORIES = {
    "friends-back": FRIENDS * 2 + op(BACK, 2) + FRIENDS + op(TIME, a=6) + FRIENDS,
    "relay-back": FRIENDS + op(BACK, 0) + FRIENDS + op(TIME, a=5) + FRIENDS,
    "friends-move": op(MOVE, 1, 1) + FRIENDS + op(TIME, a=5) + FRIENDS,
    "friends-meet": op(MEET, 1, 0, 2) + FRIENDS,
    "removed-friend": op(CALL, 1, 7) + op(SAY, 2, 2) + op(TIME, a=6),
}


def seeds():
    for name, steps in STORIES.items():
        yield name, 0, steps
    for name, steps in WILD_STORIES.items():
        yield name, WILD | FORGE, steps
    for point in range(POINTS):
        yield f"break-{point:02}", 0, op(BREAK, 2, point, point) + FRIENDS + op(BREAK, 0, point, 9) + FRIENDS
    for at, how in enumerate(HOWS):
        where, wth = 3 + 5 * at, 11 + 37 * at
        said = op(SAY, 0, 0) + op(TIME, a=1) + op(SAY, 1, 2)
        yield f"frame-{how}", FORGE, lie(1, "frame", how, where, wth, 2) + said + FRIENDS
        yield f"relay-{how}", WILD, lie(1, "frame", how, where, wth, at % 8) + FRIENDS + op(TIME, a=2)
        yield f"body-{how}", FORGE, lie(1, "body", how, where, wth) + said + op(SAY, 1, 2)
        yield f"device-{how}", FORGE, lie(4, "body", how, where, wth) + op(SAY, 3, 1) + said
        yield f"first-{how}", FORGE, lie(1, "first", how, where, wth) + STORIES["strangers-by-link"]
        yield f"signed-{how}", FORGE, lie(1, "signed", how, where, wth, at % 3) + op(MOVE, 0, 0) + said
        yield f"sealed-{how}", FORGE, lie(1, "sealed", how, where, wth) + op(MEET, 0, 1, 3) + said
    for fate in range(4):
        yield f"fate-{fate}", WILD, lie(0, "fate", "number", 0, fate) + FRIENDS
    for old in range(3):
        yield f"old-{old}", WILD, FRIENDS + lie(0, "old", "number", 7 * old, old) + FRIENDS


def main():
    folder = pathlib.Path(sys.argv[1])
    count = 0
    for name, mode, steps in seeds():
        (folder / f"seed-{name}").write_bytes(bytes([mode]) + steps)
        count += 1
    print(f"{count} programs in {folder}")


main()
