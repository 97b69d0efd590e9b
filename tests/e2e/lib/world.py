# SPDX-License-Identifier: Apache-2.0
"""One test program: its stories, each in a folder of its own, and the end of all its processes."""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

from lib import tap
from lib.control import Lost, Refused
from lib.node import Died
from lib.people import Checks, Failure, Person


def preloaded(library):
    """The environment of a daemon with this library under it."""
    return {"LD_PRELOAD": str(library),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class World:
    """What a story is given: a folder, people that end with it, checks that are counted."""

    def __init__(self, options, folder):
        self.bin = pathlib.Path(options.bin)
        self.options = options
        self.folder = pathlib.Path(folder)
        self.people = []
        self.checks = Checks()

    def sanitized(self):
        program = (self.bin / "petreld").read_bytes()
        return b"__asan_init" in program or b"__tsan_init" in program

    def person(self, name, start=True, relay=False, environment=None, prefix=()):
        person = Person(self.bin, self.folder, name, ["--relay"] if relay else [])
        person.prefix = list(prefix)
        person.environment = dict(environment or {})
        person.checks = self.checks
        self.people.append(person)
        if start:
            person.start()
        if start and relay:
            person.keep_port()
        return person

    def relays(self, *names):
        """Relays that pass requests on to each other, although all of them are on loopback."""
        made = [self.person(name, start=False) for name in names]
        for relay in made:
            relay.arguments = ["--relay"]
            relay.configure("relay.forward_private = yes")
            relay.start()
            relay.keep_port()
        return made

    def shifted(self, seconds):
        """The environment of a daemon whose clock is that far ahead, or behind."""
        return {**preloaded(self.options.shift), "PETREL_CLOCK_SHIFT": str(seconds)}

    def three(self, prefix=()):
        """A relay, and two members of it who do not know each other."""
        relay = self.person("relay", relay=True, prefix=prefix)
        return (relay, *(self.person(name).create(relay) for name in ("alice", "bob")))

    def end(self):
        for person in self.people:
            if person.process is not None:
                person.must_live()
        for person in reversed(self.people):
            if person.process is not None:
                self.checks.same(f"exit code of {person.name}", person.stop(), 0)


def play(story, options):
    """Runs one story; how many checks held."""
    folder = tempfile.mkdtemp(prefix="petrel-e2e-", dir=options.dir)
    world = World(options, folder)
    try:
        story(world)
        world.end()
    except BaseException:
        for person in world.people:
            print(f"--- last lines of {person.name}'s log\n{person.log_tail()}")
        raise
    finally:
        for person in world.people:
            person.destroy()
        shutil.rmtree(folder)
    return world.checks.count


def run(stories, description, more_options=None):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bin", required=True, help="folder with petreld and petrelctl")
    parser.add_argument("--dir", default="/tmp", help="where the homes are made")
    parser.add_argument("names", nargs="*", help="only these stories")
    if more_options is not None:
        more_options(parser)
    options = parser.parse_args()
    ran = total = 0
    for story in stories:
        if options.names and story.__name__ not in options.names:
            continue
        began = time.monotonic()
        try:
            count = play(story, options)
        except (Failure, Refused, Died, Lost, AssertionError) as error:
            print(f"FAILED {story.__name__}: {error}", flush=True)
            return 1
        print(f"ok {story.__name__}: {count} checks, {time.monotonic() - began:.1f} s", flush=True)
        tap.passed(pathlib.Path(sys.argv[0]).name, story.__name__)
        ran += 1
        total += count
    print(f"{ran} stories, {total} checks")
    return 0 if ran > 0 else 1


def main(stories, description, more_options=None):
    sys.exit(run(stories, description, more_options))
