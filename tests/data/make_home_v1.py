#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/home-v1: the home of one node, as this version of petreld leaves it behind.

usage: make_home_v1.py --bin FOLDER --tools FOLDER [--out FOLDER]

The node is a relay and has an account with a passphrase. Its people: Bob, whose relay is another
one that is no longer there, and Carol, whose relay is this node. e2e.home_v1 compares what
expected.json says with what a later petreld says of a copy. Made again only while the formats of
version 1 may still change."""
import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from lib.homes import describe, pipe_with, tables  # noqa: E402
from lib.people import until  # noqa: E402
from lib.world import run  # noqa: E402

PASSPHRASE = "petrel home version 1"
KEPT = ("node.key", "erase-1")  # beside the database
README = """# A home of version 1

`home/` is the home folder of one petreld {version}, made by `tests/data/make_home_v1.py`; what it
holds is in `expected.json`. The test `e2e.home_v1` starts petreld on a copy and compares. Every later
version must open it: it is never made again once version 1 was released.

- Passphrase of the account: `{passphrase}`
- The database is a compacted copy, as LMDB writes it on a 64-bit little-endian machine. There is no
  lock file, no ballast, no socket: a daemon makes them.
- Key files must be readable by their owner alone; version control does not keep that, so whoever
  copies the folder sets mode 0700 for folders and 0600 for files.
- The clock matters: invitations, envelopes and events expire. `made_ms` says when it was made.

The keys in it were made for this folder and guard nothing else.
"""


def befriend(home, relay, bob, carol):
    """Contacts, sessions, history."""
    home.join(relay)
    bob.create(relay)
    carol.create(home)
    home.meet(bob)
    home.call("contact.add", link=carol.call("invite.create")["link"], name="Carol")
    for one, other in ((home, carol), (carol, home)):
        until("Carol is a contact",
              lambda a=one, b=other: a.contact(b.id)["state"] == "accepted")
    bob.meet(carol)
    for sender, reader, text in ((home, bob, "first message"), (bob, home, "an answer"),
                                 (home, carol, "to you too"), (carol, home, "thank you")):
        sender.delivered(sender.send(reader, text))


def story(w):
    relay = w.person("relay", relay=True)
    home = w.person("home", relay=True)
    bob, carol, dave = w.person("bob"), w.person("carol"), w.person("dave")
    with pipe_with(PASSPHRASE.encode() + b"\n") as fd:
        done = home.ctl("--json", "init", "--passphrase-fd", str(fd), pass_fds=[fd])
    created = json.loads(done.stdout)
    home.id = created["id"]
    befriend(home, relay, bob, carol)
    number = home.call("contact.verify", contact=bob.id)["number"]
    home.call("contact.verify", contact=bob.id, number=number)
    home.call("invite.create")
    dave.create(relay)
    dave.call("contact.add", link=home.id, text="may I?")
    home.event_of("request.received", contact=dave.id)
    cursor = home.call("event.subscribe")["cursor"]
    home.call("event.ack", name="bot", cursor=cursor)

    # What waits: in this relay for Carol, in the outbox for her, and for Bob with nobody there.
    until("all is quiet", lambda: all(p.status()["outbox"] == 0 for p in (home, bob, carol)))
    for person in (carol, dave):
        person.terminate()
    waits = bob.send(carol, "waiting on the relay")
    bob.event_of("message.at-relay", message=waits)
    waits = home.send(carol, "waiting for you")
    home.event_of("message.at-relay", message=waits)
    bob.terminate()
    relay.terminate()
    for text in ("into the void", "and one more, äöü €"):
        home.send(bob, text)
    expected = describe(home, created["words"])
    expected["passphrase"] = PASSPHRASE
    expected["consumer"] = {"name": "bot", "cursor": cursor}
    w.checks.same("SIGTERM", home.terminate(), 0)
    keep(w, home, expected)


def keep(w, home, expected):
    out = pathlib.Path(w.options.out)
    target = out / "home"
    shutil.rmtree(target, ignore_errors=True)
    (target / "db").mkdir(parents=True)
    tool = pathlib.Path(w.options.tools) / "e2e_store"
    expected["tables"] = tables(tool, home.home / "db", target / "db")
    for name in KEPT:
        shutil.copyfile(home.home / name, target / name)
    (out / "README.md").write_text(README.format(version=expected["version"],
                                                 passphrase=PASSPHRASE), encoding="utf-8")
    text = json.dumps(expected, indent=2, sort_keys=True, ensure_ascii=False)
    (out / "expected.json").write_text(text + "\n", encoding="utf-8")
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"   {out}: {size // 1024} KiB")
    w.checks.true("less than 2 MiB", size < 2 * 1024 * 1024)


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_store")
    parser.add_argument("--out", default=HERE / "home-v1")


if __name__ == "__main__":
    sys.exit(run([story], __doc__, options_of))
