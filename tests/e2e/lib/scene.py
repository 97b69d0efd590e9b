# SPDX-License-Identifier: Apache-2.0
"""Two relays that pass requests on to each other, three people, and all that the relays' operators
can look at."""
import pathlib
import random
import string
from functools import partial

from lib.needles import Needle, Search
from lib.people import Identity, until
from lib.views import (Link, Reader, Recorder, Still, copy_home, files_of, memory_image,
                       memory_is_ours_to_read, within_a_turn)
from lib.world import preloaded

ROUNDS = 6       # deposits of each contact that wait at one time,
MANY = 30        # when a turn was not caught by then, or no image shows what one must
ENVELOPE = 1024  # bytes of the smallest one: a deposit is larger
LOGS = ("log_1h", "log_1d", "log_7d", "log_30d")


def canary():
    return "".join(random.choices(string.ascii_letters + string.digits, k=48))


class Moment:
    """What was seen of both relays at one time."""

    def __init__(self, name):
        self.name = name
        self.disks = {}  # relay's name: folder


class Scene:
    """Alice's relay is R2, Bob's and Carol's R1. open_: where sealing is switched off, or None.
    shown(scene, relay): what images must show while deposits wait there, and may not at once, since
    it is in memory for moments only; None: nothing."""

    def __init__(self, w, open_=None, shown=None):
        tools = pathlib.Path(w.options.tools)
        suffix = "" if open_ is None else f"-open-{open_}"
        self.w = w
        self.shown = shown if memory_is_ours_to_read() else None
        self.program = w.bin / "petreld" if open_ is None else tools / f"petreld{suffix}"
        self.folder = w.folder / "seen"
        self.folder.mkdir()
        self.reader = Reader(tools / f"e2e_rows{suffix}", self.folder)
        self.search = Search(tools / "e2e_search", self.folder)
        self.moments = []
        self.images = {"R1": [], "R2": []}
        self.left_out = set()
        self.texts = {}  # canary: who sent it to whom
        self.contact_names = []
        self.accounts = {}  # name: (person, number): whose names are known at the end
        self.recorders = {}
        self.rows = {}   # (moment, relay): all rows, opened with the node's key
        self.names = {}  # account's name: public keys
        self.r1, self.r2 = self.relay("R1"), self.relay("R2")
        self.alice = self.person("alice", self.r2)
        self.bob, self.carol = (self.person(name, self.r1) for name in ("bob", "carol"))

    def person(self, name, relay):
        person = self.w.person(name, start=False)
        person.program = str(self.program)
        person.start()
        self.accounts[name] = (person, 1)
        return person.create(relay)

    def beside(self, person, name, relay):
        """One more account of this person's node."""
        identity = Identity(person, name).create(relay)
        self.accounts[name] = (identity, identity.account)
        return identity

    def relay(self, name):
        slow = preloaded(pathlib.Path(self.w.options.tools) / "libe2e_slow_turn.so")
        relay = self.w.person(name, start=False, relay=True, environment=slow)
        relay.program = str(self.program)
        recorder = self.recorders[name] = Recorder()
        relay.configure("relay.forward_private = yes", f"relay.address = {recorder.address}")
        relay.start()
        recorder.target = int(relay.log.read_text().split("listening port=")[1].split()[0])
        return relay

    # --- the story ---

    def asks(self, asker, link):
        """Adds whose invitation it is, by a name that nobody else should ever see."""
        name = canary()
        self.contact_names.append(name)
        asker.call("contact.add", link=link, name=name)

    def accepted(self, a, b):
        for x, y in ((a, b), (b, a)):
            until(f"{x.name} has {y.name} as a contact",
                  lambda x=x, y=y: x.contact(y.id)["state"] == "accepted")

    def say(self, a, b):
        """Sends a canary; its message."""
        text = canary()
        self.texts[text] = f"{a.name} to {b.name}"
        return a.send(b, text)

    def all_heard(self, a, b):
        wanted = [t for t, way in self.texts.items() if way == f"{a.name} to {b.name}"]
        until(f"{b.name} hears {a.name}", lambda: b.texts(a.id) == wanted)
        self.w.checks.count += 1

    def talk(self, a, b):
        a.delivered(self.say(a, b))
        b.delivered(self.say(b, a))

    def image(self, relay):
        """Adds an image of the memory of a relay that stands still."""
        if memory_is_ours_to_read():
            path = self.folder / f"memory-{relay.name}-{len(self.images[relay.name])}"
            self.left_out |= memory_image(relay.process.pid, path)
            self.images[relay.name].append(path)

    def look(self, name):
        """Copies the disks and the memory of both relays, each at one moment of its process."""
        moment = Moment(name)
        for relay in (self.r1, self.r2):
            moment.disks[relay.name] = self.folder / f"disk-{relay.name}-{len(self.moments)}"
            with Still(relay):
                copy_home(relay, moment.disks[relay.name])
                self.image(relay)
        self.moments.append(moment)

    def deposits_wait(self, relay, ways):
        """Each of the ways in turn says something to who is away. Beside what is seen at the end,
        there are images of the relay from the middle of a turn, and of the one that passes on while
        it waits for the answer."""
        rounds = caught = 0
        while rounds < ROUNDS or (rounds < MANY and self._more_is_needed(relay, caught)):
            for a, b in ways:
                if rounds % 2 == 0:
                    message = self.say(a, b)
                    caught += within_a_turn(relay, partial(self.image, relay))
                else:
                    message = self.say_through_forwarder(a, b, relay)
                a.event_of("message.at-relay", message=message)
            rounds += 1
        self.w.checks.true(f"{relay.name} was looked at within turns", caught > 0)
        self.look(f"deposits wait at {relay.name}, the last one was just made")

    def _more_is_needed(self, relay, caught):
        return caught == 0 or (self.shown is not None and not self.shown(self, relay))

    def say_through_forwarder(self, a, b, relay):
        """As say; the relay stands still until the forwarder has passed the deposit on."""
        def asked():
            return sum(len(asked) for asked, _ in self.recorders[relay.name].connections)
        with Still(relay):
            before = asked()
            message = self.say(a, b)
            until(f"{relay.name} is asked", lambda: asked() > before + ENVELOPE, pause=0.001)
            forwarder = self.other(relay)
            with Still(forwarder):
                self.image(forwarder)
        return message

    def play(self):
        alice, friends = self.alice, (self.bob, self.carol)
        links = [alice.call("invite.create")["link"] for _ in friends]
        alice.terminate()
        for friend, link in zip(friends, links):
            self.asks(friend, link)
            until("the relay has it", lambda f=friend: f.contact(alice.id)["state"] == "requested")
        self.look("they have asked")
        alice.start()
        for friend in friends:
            self.accepted(alice, friend)
            self.talk(alice, friend)
        alice.terminate()
        self.deposits_wait(self.r2, [(f, alice) for f in friends])
        for friend in friends:
            friend.terminate()
        alice.start()
        for friend in friends:
            self.all_heard(friend, alice)
        self.deposits_wait(self.r1, [(alice, f) for f in friends])
        for friend in friends:
            friend.start()
            self.all_heard(alice, friend)
        self.look("all is delivered")
        return self.end()

    def end(self):
        """Ends all daemons, and takes their homes as they are left to what is looked at."""
        for person in reversed(self.w.people):  # relays last
            self.w.checks.same(f"exit code of {person.name}", person.stop(), 0)
        for recorder in self.recorders.values():
            recorder.close()
        last = Moment("they have ended")
        for relay in (self.r1, self.r2):
            last.disks[relay.name] = self.folder / f"disk-{relay.name}-end"
            copy_home(relay, last.disks[relay.name])
        self.moments.append(last)
        self.rows = {(m.name, r): self.reader.rows(folder) for m in self.moments
                     for r, folder in m.disks.items()}
        self.names = {name: self.reader.names(person.home, number)
                      for name, (person, number) in self.accounts.items()}
        for what in sorted(self.left_out):
            print(f"   not in the images: {what}")
        return self

    # --- what is searched for ---

    def members(self, relay):
        return (self.alice,) if relay is self.r2 else (self.bob, self.carol)

    def text_needles(self):
        return [Needle(f"a text, {way}", text.encode()) for text, way in self.texts.items()]

    def people_needles(self):
        """What no relay may hold or see, not even that of its own members."""
        found = []
        for person in (self.alice, self.bob, self.carol):
            names = self.names[person.name]
            found += [Needle(f"{person.name}'s {what}", names[what],
                             person.id if what == "id" else None)
                      for what in ("id", "device", "mls", "dh")]
        return found + self.text_needles() + [Needle("a contact's name", name.encode())
                                              for name in self.contact_names]

    def objects_of(self, relay):
        """Names that the relay of these people knows, and nobody else."""
        return [Needle(f"{p.name}'s {what}", self.names[p.name][what])
                for p in self.members(relay) for what in ("queue", "record", "member")]

    def envelopes_at(self, relay):
        """A part of each envelope that waited when the relay was looked at."""
        found = {}
        for moment in self.moments:
            for table, key, _, value in self.rows[(moment.name, relay.name)]:
                if table in LOGS:
                    found[key] = Needle(f"an envelope at {relay.name}", value[312:376])
        return list(found.values())

    def nonces_at(self, relay):
        """The nonces of the tokens for which they were taken."""
        found = {}
        for moment in self.moments:
            for table, key, _, value in self.rows[(moment.name, relay.name)]:
                if table == "queue_index":
                    found[key[-8:]] = Needle(f"a nonce at {relay.name}", value[4:20])
        return list(found.values())

    def other(self, relay):
        return self.r1 if relay is self.r2 else self.r2

    def hidden_from(self, relay):
        """What a relay may not know: as a forwarder of what is at the other, and as a host."""
        other = self.other(relay)
        return [*self.people_needles(), *self.objects_of(other), *self.envelopes_at(other),
                *self.nonces_at(other)]

    def not_on_disk(self, relay):
        """What no thief of its disk may find: nonces and hashes in the index lie open, and tell
        nothing to whoever lacks the node's key (docs/protocol/04-relay.md, section 4.11)."""
        return self.hidden_from(relay) + self.objects_of(relay) + self.envelopes_at(relay)

    def not_on_wire(self):
        """What nobody may find who listens, or changes bytes, between nodes."""
        return self.not_on_disk(self.r1) + self.nonces_at(self.r1)

    # --- where it is searched for ---

    def raw_disks(self, relay):
        return [f for m in self.moments for f in files_of(m.disks[relay.name])]

    def opened_disks(self, relay):
        """A file of all rows at all moments, as the operator opens them with the node's key."""
        path = self.folder / f"rows-{relay.name}"
        with open(path, "wb") as file:
            for moment in self.moments:
                for _, key, _, value in self.rows[(moment.name, relay.name)]:
                    file.write(key + b"\n" + value + b"\n")
        return [path]

    def wire(self):
        """Every byte that passed between nodes: a file for each direction of a connection."""
        files = []
        for name, recorder in self.recorders.items():
            for i, connection in enumerate(recorder.connections):
                for way, stream in zip(("asked", "answered"), connection):
                    files.append(self.folder / f"wire-{name}-{i}-{way}")
                    files[-1].write_bytes(stream)
        return files

    def links_to(self, relay):
        """The links that others opened to a relay, as it sees them: where links are open."""
        return [Link(c) for c in self.recorders[relay.name].connections]

    def frames(self, relay):
        """Files of all frames that a relay sent and got: on links to it, and on its own to the
        other one, which are those that are not of a member."""
        links = self.links_to(relay)
        links += [x for x in self.links_to(self.other(relay)) if not x.queues]
        files = []
        for i, link in enumerate(links):
            files.append(self.folder / f"frames-{relay.name}-{i}")
            files[-1].write_bytes(link.frames())
        return files
