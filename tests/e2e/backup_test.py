#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backups with real daemons: saved, checked, restored as a new device (docs/protocol/10-backup.md).

usage: backup_test.py --bin FOLDER [STORY...]"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.control import Control  # noqa: E402
from lib.homes import PASSPHRASE, backup, pipe_with, restore  # noqa: E402
from lib.people import until  # noqa: E402
from lib.world import main  # noqa: E402

HEAD = 13 + 1 + 4 + 4 + 16 + 24  # up to the first part, 10.2


def played(w):
    """alice has a verified contact, a history, and a message that waits for bob, who is away."""
    relay, alice, bob = w.three()
    bob.meet(alice)
    number = alice.ask("verify", bob.id)["number"]
    alice.ask("verify", bob.id, "--number", number)
    secret = os.urandom(16).hex()
    alice.delivered(alice.send(bob, secret))
    bob.delivered(bob.send(alice, "from bob"))
    bob.stop()
    alice.send(bob, "waits")
    return relay, alice, bob, secret


def damaged(path, name, change):
    """A copy of the file with a change."""
    other = path.with_name(name)
    other.write_bytes(change(bytearray(path.read_bytes())))
    return other


def flipped(at):
    def change(data):
        data[at] ^= 1
        return data
    return change


def a_backup_is_whole_or_refused(w):
    _, alice, bob, secret = played(w)
    path = w.folder / "alice.backup"
    done = backup(alice, path)
    w.checks.same("exit code", done.returncode, 0)
    w.checks.same("counts", done.stdout, b'{"contacts":1,"messages":3,"waiting":1}\n')
    w.checks.same("mode", oct(path.stat().st_mode & 0o777), "0o600")
    w.checks.same("checked", backup(alice, path, "--verify").stdout, done.stdout)
    data = path.read_bytes()
    for needle in (secret, "from bob", alice.id, bob.id):
        w.checks.same("in the file", needle.encode() in data, False)
    again = backup(alice, path)
    w.checks.same("a second one in its place", again.returncode, 1)
    w.checks.true("says why", b"is there already" in again.stderr)
    w.checks.same("the file", path.read_bytes(), data)

    anew = w.person("anew")
    wrong = backup(alice, path, "--verify", passphrase=b"another one")
    w.checks.same("another passphrase", wrong.returncode, 1)
    w.checks.true("says so", b"another passphrase, or damaged" in wrong.stderr)
    cases = {}
    spots = [0, 13, 14, 18, 22, 40, HEAD, HEAD + 3, HEAD + 10, len(data) // 2, len(data) - 30,
             len(data) - 1]
    for at in spots:
        cases[f"byte {at}"] = flipped(at)
    for cut in (1, 18, 22, len(data) // 2, len(data) - HEAD, len(data)):
        cases[f"{cut} cut off"] = lambda d, c=cut: d[:len(d) - c]
    cases["one byte more"] = lambda d: d + b"\0"
    for name, change in cases.items():
        other = damaged(path, "damaged", change)
        w.checks.same(f"{name}: exit code", backup(alice, other, "--verify").returncode, 1)
    for name in ("byte 40", f"byte {len(data) - 1}", "1 cut off"):
        other = damaged(path, "damaged", cases[name])
        w.checks.same(f"{name}: restored", restore(anew, other).returncode, 1)
        w.checks.same(f"{name}: accounts", anew.call("account.list")["accounts"], [])
    bob.start()


def a_restored_account_is_a_new_device(w):
    _, alice, bob, secret = played(w)
    path = w.folder / "alice.backup"
    w.checks.same("in the DHT", alice.ctl("dht").stdout, b"found through the DHT\n")
    w.checks.same("not any more", alice.ctl("dht", "off").stdout, b"not in the DHT\n")
    w.checks.same("neither on nor off", alice.ctl("dht", "maybe").returncode, 2)
    w.checks.same("saved", backup(alice, path).returncode, 0)
    alice.stop()
    anew = w.person("anew")
    with pipe_with(PASSPHRASE) as fd, pipe_with(b"of the account") as own:
        done = anew.ctl("restore", str(path), "--backup-passphrase-fd", str(fd),
                        "--passphrase-fd", str(own), pass_fds=(fd, own))
    w.checks.same(f"restored: {done.stderr}", done.returncode, 0)
    anew.id = alice.id
    w.checks.same("her ID", anew.ask("id")["id"], alice.id)
    w.checks.same("a second time", restore(anew, path).returncode, 4)
    bob.start()
    until("what waited comes", lambda: "waits" in bob.texts(alice.id))
    w.checks.same("what she has", sorted(anew.texts(bob.id, mine=False))[:1], ["from bob"])
    w.checks.true("her own words too", secret in anew.texts(bob.id, mine=True))
    w.checks.same("nor is the restored one", anew.ctl("dht").stdout, b"not in the DHT\n")
    w.checks.same("and back", anew.ask("dht", "on")["on"], True)
    w.checks.same("verified", anew.contact(bob.id)["verified"], True)
    bob.event_of("contact.devices", contact=alice.id, verified="no")
    until("bob's history says why", lambda: [m["text"] for m in bob.lines("history", alice.id)
                                             if m["type"] == "rekeyed"] ==
          ["they restored their account from a backup, as a new device"])
    bob.delivered(bob.send(anew, "again"))
    anew.delivered(anew.send(bob, "and again"))
    w.checks.same("once each", [t for t in bob.texts(alice.id) if t in (secret, "waits",
                                                                        "and again")],
                  [secret, "waits", "and again"])
    anew.stop()
    anew.start()
    w.checks.same("its passphrase", anew.status()["account"], "locked")


def a_restoration_that_was_killed_leaves_nothing_that_lives(w):
    _, alice, bob, _ = played(w)
    path = w.folder / "alice.backup"
    w.checks.same("saved", backup(alice, path).returncode, 0)
    part = alice.call("backup.read")
    anew = w.person("anew")
    with Control(anew.home) as control:
        made = control.call("account.create", {"words": part["words"], "restore": True})
        control.call("restore.put", {"account": made["account"], "records": part["records"]})
    anew.kill()
    anew.start()
    accounts = anew.call("account.list")["accounts"]
    w.checks.same("half of it", [a["state"] for a in accounts], ["restoring"])
    anew.refused(4, "not-now", "send", bob.id, "not yet")
    anew.refused(4, "not-now", "invite")
    w.checks.same("removed", anew.ctl("remove-account", "1", "--now").returncode, 0)
    until("it is gone", lambda: anew.call("account.list")["accounts"] == [])
    alice.stop()
    w.checks.same("restored", restore(anew, path).returncode, 0)
    bob.start()
    until("what waited comes", lambda: "waits" in bob.texts(alice.id))


STORIES = [a_backup_is_whole_or_refused, a_restored_account_is_a_new_device,
           a_restoration_that_was_killed_leaves_nothing_that_lives]

if __name__ == "__main__":
    sys.exit(main(STORIES, __doc__))
