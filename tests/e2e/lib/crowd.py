# SPDX-License-Identifier: Apache-2.0
"""People who write to each other all the time, and what they were told about it.

A person has devices, each a node with a home of its own. What a device wrote is in the ledger as
soon as its node acknowledged it."""
import random
import threading
import time

from lib import people
from lib.control import Control, Lost, Refused, history, new_client_id

SIZES = (0, 0, 0, 0, 900, 3000, 12000)  # so that all classes of envelopes come by
BURST = 16
WAITING = 60     # messages in the outbox, above which a writer waits for the others,
BREATH_S = 2.0   # but not longer: some sessions only heal after an hour
PAUSE_S = 0.02


class Message:
    """One text of a device to a person. number: its place among those of the device. acknowledged:
    its place among all acknowledged ones; None: nobody knows whether the node took it, since its
    home was gone before it answered."""

    def __init__(self, device, number, to, text):
        self.device, self.number, self.to, self.text = device, number, to, text
        self.id = None
        self.acknowledged = None

    def __str__(self):
        return f"{self.text.split(' x')[0]!r} ({self.id})"


class Ledger:
    """What was written. Writers add to it, each in its own thread, until `total` messages are
    acknowledged, and never run ahead of what was allowed."""

    def __init__(self, total):
        self.lock = threading.Lock()
        self.grown = threading.Condition(self.lock)
        self.total = total
        self.limit = 0        # how many may be acknowledged by now
        self.pending = 0      # begun, and neither acknowledged nor given up
        self.by_text = {}
        self.count = 0        # acknowledged messages
        self.repeats = 0      # calls that were made again
        self.refusals = {}    # (device, error): how often

    def allow(self, limit):
        with self.lock:
            self.limit = limit
            self.grown.notify_all()

    def extend(self, messages):
        with self.lock:
            self.total += messages

    def take(self, give_up):
        """Whether one more shall be written: waits until it may, or enough are."""
        def decided():
            return (give_up.is_set() or self.count >= self.total
                    or self.count + self.pending < min(self.limit, self.total))
        with self.lock:
            self.grown.wait_for(decided)
            if give_up.is_set() or self.count >= self.total:
                return False
            self.pending += 1
            return True

    def begin(self, message):
        with self.lock:
            self.by_text[message.text] = message

    def acknowledge(self, message, message_id):
        with self.lock:
            message.id, message.acknowledged = message_id, self.count
            self.count += 1
            self.pending -= 1
            self.grown.notify_all()

    def give_up(self, message):
        """It stays unknown what became of it."""
        assert message.acknowledged is None
        with self.lock:
            self.pending -= 1
            self.grown.notify_all()

    def refuse(self, device, error):
        with self.lock:
            key = (device.name, error)
            self.refusals[key] = self.refusals.get(key, 0) + 1
            self.grown.notify_all()

    def wait(self, condition, timeout):
        """Whether condition() became true."""
        with self.lock:
            return self.grown.wait_for(condition, timeout)

    def written(self, author, to):
        """What was acknowledged of what this person wrote to that one."""
        with self.lock:
            return [m for m in self.by_text.values() if m.acknowledged is not None
                    and m.device.person is author and m.to is to]

    def unsure(self):
        with self.lock:
            return [m for m in self.by_text.values() if m.acknowledged is None]


class Device(people.Person):
    """One node of a person. gate: held while its home is exchanged, and for each call of its
    writer, so that a call belongs to one life of the home. life: how often it was exchanged."""

    def __init__(self, bin_folder, folder, name, trace):
        super().__init__(bin_folder, folder, name)
        self.trace = trace
        self.gate = threading.Lock()
        self.life = 0
        self.person = None

    def become_one_of(self, person):
        """An account of its own until now, it is a device of this person from here on."""
        first = person.devices[0]
        self.call("device.link", link=first.call("device.invite")["link"])
        people.until(f"{self.name} is a device of {person.name}",
                     lambda: self.status()["id"] == first.id
                     and self.siblings() == first.siblings())
        self.id = first.id

    def siblings(self):
        """The names of all devices of its person, as it knows them."""
        return {device["device"] for device in self.call("device.list")["devices"]}

    def has_event(self, type_, since_ms, **data):
        """Whether its log has such an event, of that time or later."""
        def is_it(event):
            return (event["type"] == type_ and event["time"] >= since_ms
                    and all(event["data"].get(k) == v for k, v in data.items()))
        with Control(self.home) as control:
            newest = control.call("event.subscribe", {"since": 0})["cursor"]
            if newest == 0:
                return False
            event = control.wait_event(lambda e: is_it(e) or e["cursor"] >= newest, people.PATIENCE)
        return event is not None and is_it(event)

    def newest_event(self):
        """The cursor of the last one in its log."""
        with Control(self.home) as control:
            return control.call("event.subscribe", {"since": 0})["cursor"]

    def events_since(self, cursor):
        """All that its log has behind it."""
        found = []
        with Control(self.home) as control:
            newest = control.call("event.subscribe", {"since": cursor})["cursor"]
            while newest > cursor and (not found or found[-1]["cursor"] < newest):
                event = control.wait_event(lambda e: True, people.PATIENCE)
                if event is None:
                    raise Lost(f"{self.name}: events up to {newest} did not come")
                found.append(event)
        return found

    def has_delivered(self, cursor):
        """How many of its messages were acknowledged by their readers since."""
        return sum(event["type"] == "message.delivered" for event in self.events_since(cursor))


class Person:
    """Somebody with one device or more."""

    def __init__(self, name):
        self.name = name
        self.devices = []

    @property
    def id(self):
        return self.devices[0].id

    def add(self, device):
        device.person = self
        self.devices.append(device)

    def has_all(self, others):
        """Whether each device has each of the others, with all their devices, as a contact."""
        pairs = [(device.contact(other.id), other) for device in self.devices for other in others]
        return all(contact["state"] == "accepted" and contact["devices"] == len(other.devices)
                   for contact, other in pairs)


class Writer(threading.Thread):
    """Writes from a device to the others. error: why it ended early."""

    def __init__(self, device, others, seed, ledger):
        super().__init__(daemon=True)
        self.device, self.others, self.ledger = device, others, ledger
        self.random = random.Random(f"{seed} {device.name}")
        self.control = Control(device.home, timeout=people.PATIENCE)
        self.end = threading.Event()
        self.number = 0
        self.error = None

    def give_up(self):
        self.end.set()
        self.ledger.allow(self.ledger.limit)

    def run(self):
        try:
            while self.ledger.take(self.end):
                self.write_to(self.random.choice(self.others))
                if self.number % BURST == 0:
                    self.breathe()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        finally:
            self.control.close()

    def one_each(self):
        """After run(), by the caller's thread."""
        for other in self.others:
            self.ledger.take(self.end)
            self.write_to(other)

    def write_to(self, to):
        text = f"{self.device.name} {self.number} to {to.name} " + "x" * self.random.choice(SIZES)
        self.write(Message(self.device, self.number, to, text))
        self.number += 1

    def breathe(self):
        """Lets what waits go out, so that kills come while messages are under way."""
        end = time.monotonic() + BREATH_S
        while time.monotonic() < end and not self.end.wait(PAUSE_S):
            try:
                with self.device.gate:
                    if self.control.call("daemon.status")["outbox"] < WAITING:
                        return
            except Lost:
                pass

    def write(self, message):
        """Until it is acknowledged, always as the same call; or until another home knows nothing of
        this call."""
        client_id = new_client_id()
        life = self.device.life
        self.ledger.begin(message)
        while True:
            with self.device.gate:
                if self.device.life != life:
                    self.ledger.give_up(message)
                    return
                pause = self.attempt(message, client_id)
            if pause is None:
                return
            if self.end.wait(pause):
                raise people.Failure(f"{self.device.name} could not write {message}")

    def attempt(self, message, client_id):
        """Seconds after which to try again, None: it is acknowledged."""
        try:
            done = self.control.call("message.send",
                                     {"contact": message.to.id, "text": message.text}, client_id)
            self.ledger.acknowledge(message, done["message"])
            return None
        except Lost:
            self.ledger.repeats += 1
            return PAUSE_S
        except Refused as refusal:
            self.ledger.refuse(self.device, refusal.name)
            if refusal.error_class != "state" and refusal.name != "disk-full":
                raise
            return max(0.05, refusal.retry_after_ms / 1000)


class Writers:
    """All devices write, each in a thread of its own."""

    def __init__(self, ledger):
        self.ledger, self.all = ledger, []

    def begin(self, devices, others, seed):
        """others(person): whom the devices of a person write to."""
        self.all = [Writer(device, others(device.person), seed, self.ledger) for device in devices]
        for writer in self.all:
            writer.start()

    def failed(self):
        return any(writer.error is not None for writer in self.all)

    def alive(self):
        return any(writer.is_alive() for writer in self.all)

    def must_go_on(self):
        for writer in self.all:
            if writer.error is not None:
                raise writer.error

    def end(self, patience):
        """Lets them write all that is left."""
        self.ledger.allow(self.ledger.total)
        for writer in self.all:
            writer.join(patience)
            self.must_go_on()
            if writer.is_alive():
                raise people.Failure(f"{writer.device.name} is stuck in writing")


def histories(device, others):
    """{person: all messages with them, oldest first}."""
    with Control(device.home) as control:
        return {other: history(control, other.id) for other in others}
