# SPDX-License-Identifier: Apache-2.0
"""Whether anything ties together pieces of what a relay sees that should look like strangers'.

Material is a list of bytes (rows, frames, opened requests) of one request or of one member."""
import os

from lib import mpack
from lib.views import DEPOSIT, POP, REPLY, SEALED, opened_nonce

WIDTH = 8  # bytes in a row that make a tie
KNOWN = 4  # bytes in a row that explain their place, when others have them too


def _windows(parts, width):
    return {part[i:i + width] for part in parts for i in range(len(part) - width + 1)}


def tied(these, others):
    """Strings of WIDTH bytes that stand in at least two of these, and no KNOWN bytes of which, in a
    row, stand in any of the others. What a format puts there for everybody is in the others. Of a
    length, a class or a time two may share a few bytes by chance, never WIDTH."""
    owners = {}
    for i, parts in enumerate(these):
        for window in _windows(parts, WIDTH):
            owners.setdefault(window, set()).add(i)
    known = set().union(*(_windows(parts, KNOWN) for parts in others))
    return [window for window, who in owners.items() if len(who) > 1 and
            not any(window[i:i + KNOWN] in known for i in range(WIDTH - KNOWN + 1))]


def unheard_of(others):
    """WIDTH random bytes that tied() finds: no KNOWN of them, in a row, stand in any of the others."""
    known = set().union(*(_windows(parts, KNOWN) for parts in others))
    while True:
        drawn = os.urandom(WIDTH)
        if not any(drawn[i:i + KNOWN] in known for i in range(WIDTH - KNOWN + 1)):
            return drawn


class Requests:
    """What a relay of a scene holds and sees of each deposit and each pop, by who made it."""

    def __init__(self, scene, relay, with_frames):
        self.scene, self.relay = scene, relay
        self.by_nonce = {}  # of the token: material
        self.pops = {}      # pop nonce: that of the token
        self._rows()
        if with_frames:
            self._frames()

    def material(self):
        """{(who asked, whose queue or record): [material of one request]}"""
        found = {}
        for nonce, parts in self.by_nonce.items():
            found.setdefault(self._way(nonce), []).append(parts)
        return found

    def _way(self, nonce):
        for owner, names in self.scene.names.items():
            for siv in (names["queue-siv"], names["record-siv"]):
                number = opened_nonce(siv, nonce)
                if number is not None:
                    return self._who(names.get(f"contact-{number}")), owner
        raise AssertionError(f"{nonce.hex()} is not the nonce of a token")

    def _who(self, identity):
        return next((who for who, names in self.scene.names.items() if names["id"] == identity),
                    None)

    def _add(self, nonce, *parts):
        kept = self.by_nonce.setdefault(nonce, [])
        kept += [part for part in parts if part not in kept]

    def _rows(self):
        for moment in self.scene.moments:
            rows = self.scene.rows[(moment.name, self.relay.name)]
            logs = {key: value for table, key, _, value in rows if table.startswith("log_")}
            for table, key, _, value in rows:
                if table == "queue_index":
                    arrival, nonce = key[-8:], value[4:20]
                    self._add(nonce, key + value)
                    if arrival in logs:
                        self._add(nonce, arrival + logs[arrival])
                elif table == "spent":  # record's name, token nonce: pop nonce
                    self.pops[value] = key[16:]
                    self._add(key[16:], key + value)
            for table, key, _, value in rows:
                if table == "record_pop":  # record's name, pop nonce: part
                    self._add(self.pops[key[16:]], key + value)

    def _frames(self):
        """What was passed on to it: each sealed request, what is in it, and the answer."""
        asked = []
        answers = {}
        for i, link in enumerate(self.scene.links_to(self.relay)):
            asked += [(i, data, frame) for data, frame in link.asked if frame[0] == SEALED]
            answers.update({(i, frame[1]): data for data, frame in link.answered
                            if frame[0] == SEALED + REPLY})
        home = self.scene.moments[-1].disks[self.relay.name]
        opened = self.scene.reader.requests(home, [frame[2][0] for _, _, frame in asked])
        for (i, data, frame), (kind, body) in zip(asked, opened):
            token = mpack.unpack(body)[0].get(1)
            if kind in (DEPOSIT, POP) and token is not None:
                self._add(token[:16], data, body, *[answers[(i, frame[1])]]
                          if (i, frame[1]) in answers else [])


def member(scene, relay, names):
    """What a relay holds and sees of the member to whom these names belong: all that passed on its
    links, and the rows of its queue and of whatever has the same member. Only where links are
    open."""
    parts = []
    for link in scene.links_to(relay):
        if names["queue"] in link.queues:
            parts += link.streams
    for moment in scene.moments:
        rows = scene.rows[(moment.name, relay.name)]
        # number u32, k 32, member's name 16
        queues = [(key, value) for table, key, _, value in rows
                  if table == "queue" and value[4:36] == names["queue-k"]]
        for queue, value in queues:
            parts += [queue, value, *(k + v for t, k, _, v in rows if t != "queue" and
                                      (k == value[36:52] or value[36:52] in v))]
    assert parts
    return parts
