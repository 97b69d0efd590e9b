# SPDX-License-Identifier: Apache-2.0
"""Whether the histories of all devices are what people wrote (lib/crowd.py), but for what homes
that went back may cost (lib/losses.py)."""
import collections

from lib.people import Failure

AT_REST = ("delivered", "failed", "mirrored")


class Comparison:
    """histories: {device: {person: all messages with them}}. counts: what was found, by kind."""

    def __init__(self, persons, ledger, books, histories):
        self.persons, self.ledger, self.books = persons, ledger, books
        self.histories = histories
        self.counts = collections.Counter()

    def run(self):
        for person in self.persons:
            for device in person.devices:
                for other in self.persons:
                    if other is not person:
                        self.received(device, other)
                        self.own(device, other)
        if self.counts["arrived"] == 0:
            raise Failure("nothing was compared")

    def received(self, reader, other):
        """What other wrote, at this device: exactly once, in order, or with a reason."""
        forgotten = self.books.forgotten_received(reader, other)
        came = self.taken(reader, other, mine=False, author=other, to=reader.person,
                          out_of_order=forgotten)
        self.counts["arrived"] += len(came)
        for message in self.ledger.written(other, reader.person):
            if message.text not in came:
                self.counts[self.excuse(message, reader, forgotten)] += 1
            elif message.id in forgotten:
                self.counts["came again to a home that had forgotten them"] += 1
        self.counts["unsure, and came"] += sum(m.acknowledged is None for m in came.values())
        self.counts["new keys"] += sum(m["type"] == "rekeyed"
                                       for m in self.histories[reader][other])

    def own(self, device, other):
        """What this person wrote, as this device shows it."""
        forgotten = self.books.forgotten_written(device, other)
        shown = self.taken(device, other, mine=True, author=device.person, to=other,
                           out_of_order=forgotten)
        for message in self.ledger.written(device.person, other):
            if message.text in shown:
                self.counts["own, shown"] += 1
            elif message.id in forgotten:
                self.counts["own, forgotten with a home"] += 1
            elif message.device is not device and self.books.forgot(message):
                self.counts["own, forgotten with the other device's home"] += 1
            else:
                raise Failure(f"{device.name} does not show what it wrote: {message}")
        for entry in self.histories[device][other]:
            if entry["mine"] and entry["type"] == "text" and entry["state"] not in AT_REST:
                raise Failure(f"{device.name}: {entry['text'][:40]!r} is {entry['state']}")

    def taken(self, device, other, mine, author, to, out_of_order):
        """{text: message} of one side of a history. Each is known, is the author's and whole, comes
        once, and in the order of writing but for those that may be out of order."""
        found, last = {}, {}
        where = f"{device.name} with {other.name}"
        for entry in self.histories[device][other]:
            if entry["mine"] != mine or entry["type"] != "text":
                continue
            message = self.ledger.by_text.get(entry["text"])
            if message is None or message.device.person is not author or message.to is not to:
                raise Failure(f"{where}: nobody wrote that here: {entry['text'][:60]!r}")
            if message.acknowledged is not None and message.id != entry["message"]:
                raise Failure(f"{where}: {message} came as {entry['message']}")
            if message.text in found:
                raise Failure(f"{where}: {message} is there twice")
            found[message.text] = message
            if entry["message"] in out_of_order:
                continue
            if message.number < last.get(message.device, -1):
                raise Failure(f"{where}: {message} came after number {last[message.device]}")
            last[message.device] = message.number
        return found

    def excuse(self, message, reader, forgotten):
        """Why an acknowledged message may be missing at this device, in the order of what is known
        for certain."""
        state = self.state_at_author(message)
        if state == "failed":
            return "reported as failed"
        if message.id in forgotten and state in ("delivered", None):
            return "read, and forgotten with a home"
        if self.books.never_left(message):
            return "lost with the only home that had it"
        if self.books.lost_on_both_sides(message, reader):
            return "lost with both homes"
        if self.books.forgot(message) and self.has_sibling(message, reader):
            return "lost with the only home that had it, here, and not at another device"
        raise Failure(f"{reader.name}: lost: {message}, acknowledged as number "
                      f"{message.acknowledged}; its author shows it as {state}")

    def has_sibling(self, message, reader):
        """Whether it came to another device of the reader, now or in a home that was lost."""
        author = message.device.person
        return any(message.id in {m["message"] for m in self.histories[sibling][author]}
                   or message.id in self.books.forgotten_received(sibling, author)
                   for sibling in reader.person.devices if sibling is not reader)

    def state_at_author(self, message):
        for entry in self.histories[message.device][message.to]:
            if entry["mine"] and entry["message"] == message.id:
                return entry["state"]
        return None
