#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""This version opens a home of version 1 and finds in it what was there.

usage: home_v1_test.py --bin FOLDER --shift LIBRARY --tools FOLDER [--data FOLDER]

tests/data/home-v1/README.md says what the home is. The daemon's clock is set to the time when it
was made (clock_shift.c), since much of it expires."""
import json
import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib.control import Control  # noqa: E402
from lib.homes import histories, pipe_with, tables  # noqa: E402
from lib.people import PATIENCE  # noqa: E402
from lib.thief import quiet  # noqa: E402
from lib.world import main  # noqa: E402

KEY_ROWS = 18  # name key, that of bucket 15, 16 packs
NEVER_KEPT = ("lock", "lock.mdb", "ballast", "control.sock")


def copied(w, data, expected):
    """A person whose home is a copy with the right modes."""
    person = w.person("home", start=False, relay=True)
    person.id = expected["id"]
    person.environment = w.shifted(expected["made_ms"] // 1000 - int(time.time()) + 60)
    shutil.copytree(data / "home", person.home)
    for place in [person.home, *person.home.rglob("*")]:
        place.chmod(0o700 if place.is_dir() else 0o600)
    return person


def load(w):
    data = pathlib.Path(w.options.data)
    expected = json.loads((data / "expected.json").read_text(encoding="utf-8"))
    return data, expected


def the_folder_is_small_and_clean(w):
    data, expected = load(w)
    names = sorted(p.name for p in (data / "home").rglob("*") if p.is_file())
    w.checks.same("files", names, ["data.mdb", "erase-1", "node.key"])
    w.checks.same("nothing that a daemon makes", [n for n in names if n in NEVER_KEPT], [])
    size = sum(p.stat().st_size for p in data.rglob("*") if p.is_file())
    w.checks.true("less than 2 MiB", size < 2 * 1024 * 1024)
    w.checks.same("the passphrase is documented",
                  expected["passphrase"] in (data / "README.md").read_text(encoding="utf-8"), True)
    rows = expected["tables"]
    for name in ("member", "queue", "queue_index", "log_30d", "record", "record_part", "descriptor",
                 "outbox", "message", "contact", "session", "invite", "prekey", "event", "consumer"):
        w.checks.true(f"rows in {name}", rows.get(name, 0) > 0)


def what_was_there_is_there(w):
    data, expected = load(w)
    home = copied(w, data, expected)
    home.start()
    status = home.status()
    w.checks.same("locked at start", status["account"], "locked")
    for key in ("node_id", "members", "queues"):
        w.checks.same(f"relay: {key}", status[key], expected[key])
    with pipe_with(b"not this\n") as fd:
        home.refused(1, "wrong-key", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    with pipe_with(expected["passphrase"].encode() + b"\n") as fd:
        done = home.ctl("--json", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("unlock", (done.returncode, json.loads(done.stdout)["id"]), (0, expected["id"]))
    w.checks.same("words", home.ask("words")["words"], expected["words"])
    contacts = [{k: c[k] for k in ("id", "name", "state", "verified")}
                for c in home.call("contact.list")["contacts"]]
    w.checks.same("contacts", contacts, expected["contacts"])
    w.checks.same("histories", histories(home), expected["histories"])
    w.checks.same("requests", home.call("request.list")["requests"], expected["requests"])
    w.checks.same("outbox", home.status()["outbox"], expected["outbox"])
    events = home.lines("events", "--since", "0", "--no-follow")
    w.checks.same("events", events[:len(expected["events"])], expected["events"])
    with Control(home.home) as control:
        start = control.call("event.subscribe", {"name": expected["consumer"]["name"]})["start"]
    w.checks.same("consumer", start, expected["consumer"]["cursor"])
    print(f"   made by petreld {expected['version']}: {len(contacts)} contacts, "
          f"{sum(map(len, expected['histories'].values()))} messages, outbox {expected['outbox']}, "
          f"{len(expected['events'])} events, relay: {expected['members']} members, "
          f"{expected['queues']} queues")


def it_goes_on_from_there(w):
    data, expected = load(w)
    home = copied(w, data, expected)
    with pipe_with(expected["passphrase"].encode() + b"\n") as fd:
        home.start(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
    address = home.keep_port()
    w.checks.true("its own relay's address", address.startswith(expected["node_id"]))
    # New people become members of its relay and write to each other over it.
    eve = w.person("eve", environment=home.environment).create(home)
    fred = w.person("fred", environment=home.environment).create(home)
    eve.meet(fred)
    eve.delivered(eve.send(fred, "over an old relay"))
    w.checks.same("members", home.status()["members"], expected["members"] + 2)
    # Its account takes another relay, since its own is gone, and is found there.
    home.join(home)
    home.meet(eve)
    home.delivered(home.send(eve, "from an old home"))
    w.checks.same("what she reads", eve.texts(home.id), ["from an old home"])
    quiet(home.home)  # its keys are under another root by then
    there = histories(home)
    w.checks.same("SIGTERM", home.terminate(timeout=PATIENCE), 0)
    rows = tables(pathlib.Path(w.options.tools) / "e2e_store", home.home / "db")
    w.checks.true("messages were added", rows["message"] > expected["tables"]["message"])
    w.checks.same("rows of keys", (expected["tables"]["bucket"], rows["bucket"]), (257, KEY_ROWS))
    with pipe_with(expected["passphrase"].encode() + b"\n") as fd:
        home.start(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
    w.checks.same("what they open", histories(home), there)
    w.checks.same("SIGTERM again", home.terminate(timeout=PATIENCE), 0)


STORIES = [the_folder_is_small_and_clean, what_was_there_is_there, it_goes_on_from_there]


def options_of(parser):
    parser.add_argument("--shift", required=True, help="the library of clock_shift.c")
    parser.add_argument("--tools", required=True, help="folder with e2e_store")
    parser.add_argument("--data", default=HERE.parent / "data" / "home-v1")


if __name__ == "__main__":
    main(STORIES, "a home of version 1 opens", options_of)
