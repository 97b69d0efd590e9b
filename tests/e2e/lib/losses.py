# SPDX-License-Identifier: Apache-2.0
"""Homes that went back, and exactly what that may cost.

A device loses its home when it is restored from a backup or put back as it was. What the lost home
had, and what the device goes on with, is not guessed: at the end of a test both are opened by a
daemon whose relays are gone, and asked."""
import pathlib
import shutil

from lib import homes, people
from lib.crowd import histories

STATES = ("waiting", "at-relay", "delivered", "failed", "mirrored")


def before_new_keys(entries, message, since_ms):
    """Whether in this history the message stands before all new keys since then."""
    place = next(m["order"] for m in entries if m["message"] == message.id)
    return all(m["order"] > place for m in entries if m["type"] == "rekeyed"
               and m.get("received", m["sent"]) >= since_ms)


class Loss:
    """lost: the home as it was at its end. origin: what the device went on with, a copy of the home
    or a backup. at: how many messages were acknowledged by then; ms: when, by the nodes' clocks."""

    def __init__(self, kind, device, lost, origin, at, ms):
        self.kind, self.device, self.lost, self.origin = kind, device, lost, origin
        self.at, self.ms = at, ms
        self.had = self.kept = None  # after look(): {person: messages}

    def look(self, opener, others):
        self.had = opener.of_home(self.lost, others)
        if self.kind == "restored":
            self.kept = opener.of_backup(self.origin, others)
        else:
            self.kept = opener.of_home(self.origin, others)

    def received(self, other):
        """IDs of messages of theirs that the home had, and does not have any more."""
        return self._gone(other, mine=False)

    def wrote(self, other, *states):
        """IDs of messages to them that the home had in one of these states, likewise."""
        return {m["message"] for m in self.had[other] if m["mine"] and m["state"] in states
                and m["message"] in self._gone(other, mine=True)}

    def had_received(self, other, message_id):
        return any(m["message"] == message_id and not m["mine"] for m in self.had[other])

    def wrote_unaware(self, message, since_ms):
        """Whether the home wrote this before new keys came into the history since then: to sessions
        that it did not know to be gone."""
        return before_new_keys(self.had[message.to], message, since_ms)

    def _gone(self, other, mine):
        had, kept = ({m["message"] for m in side[other]
                      if m["mine"] == mine and m["type"] == "text"}
                     for side in (self.had, self.kept))
        return had - kept


class Opener:
    """Looks into homes and backups that are out of use."""

    def __init__(self, bin_folder, folder, environment):
        self.bin, self.environment = bin_folder, environment
        self.folder = pathlib.Path(folder) / "opened"
        self.folder.mkdir()
        self.count = 0

    def of_home(self, home, others):
        return self._look(others, lambda node: homes.copy_of(home, node.home))

    def of_backup(self, path, others):
        return self._look(others, None, path)

    def _look(self, others, prepare, backup=None):
        self.count += 1
        node = people.Person(self.bin, self.folder, f"look-{self.count}")
        node.environment = self.environment
        try:
            if prepare is not None:
                prepare(node)
            node.start()
            if backup is not None:
                done = homes.restore(node, backup)
                if done.returncode != 0:
                    raise people.Failure(f"{backup} cannot be restored: {done.stderr}")
            return histories(node, others)
        finally:
            node.destroy()
            shutil.rmtree(node.home)


class Books:
    """All losses of a test, as questions about one message at one device."""

    def __init__(self, losses):
        self.losses = losses

    def forgotten_received(self, device, other):
        """What this device may lack although it once had it. Each of these is read as the losses'
        own words: who wrote it must know it delivered, which the caller checks."""
        return set().union(*(loss.received(other) for loss in self.losses if loss.device is device))

    def forgotten_written(self, device, other):
        return set().union(*(loss.wrote(other, *STATES)
                             for loss in self.losses if loss.device is device))

    def forgot(self, message):
        """Whether its author's home was lost, and what took its place does not know of it."""
        return message.id in self.forgotten_written(message.device, message.to)

    def never_left(self, message):
        """The only home that had it had not given it to a relay when it was lost."""
        return any(message.id in loss.wrote(message.to, "waiting")
                   for loss in self.losses if loss.device is message.device)

    def lost_on_both_sides(self, message, reader):
        """It was at the relay when the only home that had it was lost, and what was there could not
        be read: the reader's home was lost before it had it, or was lost earlier, and the writer's
        had not heard of that. It waits for a session, or in a queue, that is no more."""
        return any(self.unreadable(message, loss, gone)
                   for loss in self.losses if loss.device is message.device
                   and message.id in loss.wrote(message.to, "at-relay")
                   for gone in self.losses if gone.device is reader)

    @staticmethod
    def unreadable(message, loss, gone):
        if gone.at > message.acknowledged:
            return not gone.had_received(message.device.person, message.id)
        return loss.wrote_unaware(message, gone.ms)
