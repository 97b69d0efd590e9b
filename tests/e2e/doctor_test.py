#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""petrelctl doctor and petreld --check: each finding is made for real, and named with what to do.

usage: doctor_test.py --bin FOLDER --shift LIBRARY --tools FOLDER [STORY...]"""
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.homes import pipe_with  # noqa: E402
from lib.people import until  # noqa: E402
from lib.world import main, preloaded  # noqa: E402


def doctor(person, environment=None):
    """The exit code, and the findings."""
    environment = dict(os.environ, **(environment or {}))
    done = subprocess.run([person.tool, "--home", person.home, "--json", "doctor"],
                          capture_output=True, timeout=60, env=environment, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def finds(w, person, check, state, words, code=None, **more):
    """One finding of this name and state has these words, and says what to do."""
    exit_code, findings = doctor(person, **more)
    there = [f for f in findings if f["check"] == check and words in f["found"]]
    w.checks.same(f"{check}: {words}: {findings}", [f["state"] for f in there], [state])
    w.checks.true("what to do", state == "ok" or there[0].get("todo"))
    w.checks.same("exit code", exit_code, code if code is not None else
                  1 if "bad" in [f["state"] for f in findings] else 0)
    return there[0]


def daemon_check(w, person, code, *words):
    """What petreld --check says: all these words."""
    done = subprocess.run([person.program, "--home", person.home, "--check"], text=True,
                          capture_output=True, timeout=60, check=False)
    w.checks.same(f"exit code: {done.stdout}", done.returncode, code)
    for word in words:
        w.checks.true(f"{word}: {done.stdout}", word in done.stdout)
    lines = done.stdout.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("bad "):
            w.checks.true("what to do", lines[i + 1].startswith("     "))


def well(w, person, code=0):
    exit_code, findings = doctor(person)
    bad = [f for f in findings if f["state"] == "bad"]
    w.checks.same("nothing is bad", bad, [])
    w.checks.same("exit code", exit_code, code)
    return {f["check"] for f in findings if f["state"] == "ok"}


def files_of(person):
    """What a start would make or change, except the number in the lock file."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in person.home.iterdir()
            if p.is_file() and p.name != "lock"}


def a_node_that_is_well(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    for person in (relay, alice):
        checks = well(w, person)
        w.checks.true(f"what was checked: {checks}",
                      checks >= {"home", "owner", "mode", "space", "files", "daemon", "links",
                                 "outbox", "listening"})
    w.checks.true("of an account", well(w, alice) >= {"account", "relay", "clock"})
    text = alice.ctl("doctor").stdout.decode()
    w.checks.true("for people", "main relay" in text and "is ready" in text)
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    finds(w, alice, "daemon", "warn", "no petreld runs", 0)
    daemon_check(w, alice, 0, "account 1: opens with its key file", "database: schema",
                 "node.key: as it should be")
    before = files_of(alice)
    daemon_check(w, alice, 0)
    w.checks.same("it changes nothing", files_of(alice), before)


def a_home_that_is_not_as_it_should_be(w):
    alice = w.person("alice").create()
    nobody = w.person("nobody", start=False)
    finds(w, nobody, "home", "bad", "there is no home", 1)
    daemon_check(w, nobody, 1, "there is no home")
    w.checks.same("none is made", nobody.home.exists(), False)
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    for mode, state, words in ((0o755, "warn", "may look into"), (0o770, "bad", "may write")):
        alice.home.chmod(mode)
        finds(w, alice, "mode", state, words)
    daemon_check(w, alice, 1, "others may write")
    alice.home.chmod(0o700)
    key = alice.home / "node.key"
    key.chmod(0o644)
    finds(w, alice, "files", "bad", "node.key: others may read it: mode 0644")
    daemon_check(w, alice, 1, "node.key: others may read it")
    key.chmod(0o600)
    kept = key.read_bytes()
    key.write_bytes(kept[:31])
    finds(w, alice, "files", "bad", "node.key is damaged: it has 31 bytes")
    daemon_check(w, alice, 1, "node.key: stored data is damaged")
    key.unlink()
    found = finds(w, alice, "files", "bad", "node.key is missing")
    w.checks.true(f"its copy: {found}", "put its copy back" in found["todo"])
    daemon_check(w, alice, 1, "node.key is missing", "put its copy back")
    w.checks.same("no other is made", key.exists(), False)
    key.write_bytes(kept)
    key.chmod(0o600)
    daemon_check(w, alice, 0)
    database = alice.home / "db/data.mdb"
    kept = database.read_bytes()
    database.unlink()
    key.unlink()
    found = finds(w, alice, "files", "bad", "node.key is missing")
    w.checks.true(f"the whole home: {found}", "whole home" in found["todo"])
    database.write_bytes(kept)


def give(folder, uid):
    for path in [folder, *folder.rglob("*")]:
        os.lchown(path, uid, uid)


def a_home_of_somebody_else(w):
    """Root judges by the owner of the home, who runs petreld; others are told who that is."""
    if os.geteuid() != 0:
        print("   not shown: only root gives files away")
        return
    alice = w.person("alice").create()
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    for uid, name in ((12345, "user 12345"), (65534, f"{pwd.getpwuid(65534).pw_name} (65534)")):
        give(alice.home, uid)
        checks = well(w, alice)
        w.checks.true(f"files: {checks}", "files" in checks)
        finds(w, alice, "owner", "ok", f"the home belongs to {name}", 0)
        daemon_check(w, alice, 1, f"belongs to user {uid}, and this is user 0")
    for part in ("node.key", "account-1.key", "erase-1", "db/data.mdb"):
        os.chown(alice.home / part, 0, 0)  # as a copy made by root is
        found = finds(w, alice, "files", "bad", f"{part} belongs to root (0)", 1)
        w.checks.true(f"whose it should be: {found}", f"the home to {name}" in found["found"])
        os.chown(alice.home / part, 65534, 65534)
    os.chmod(w.folder, 0o711)  # so that another user finds the home
    os.chmod(alice.home, 0o755)
    done = subprocess.run([alice.tool, "--home", alice.home, "--json", "doctor"], user=12345,
                          capture_output=True, timeout=60, check=False)
    if b"the home belongs to" not in done.stdout:
        print("   not shown: another user cannot run", alice.tool, done.stderr)
        return
    owner = [f for f in map(json.loads, done.stdout.splitlines()) if f["check"] == "owner"]
    w.checks.same(f"for others: {owner}", owner[0]["state"], "bad")
    w.checks.true("who, and who asks", f"{name}, and you are user 12345" in owner[0]["found"])


def what_opens_an_account_is_gone(w):
    alice = w.person("alice").create()
    with pipe_with(b"correct horse\n") as fd:
        alice.ctl("init", "--another", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    daemon_check(w, alice, 0, "account 1: opens with its key file",
                 "account 2: opens with its passphrase, which was not tried")
    erase, key = alice.home / "erase-1", alice.home / "account-1.key"
    kept = erase.read_bytes(), key.read_bytes()
    key.unlink()
    daemon_check(w, alice, 1, "account 1: the passphrase or key file does not open",
                 "account-N.key")
    key.write_bytes(kept[1])
    key.chmod(0o600)
    erase.write_bytes(kept[0][:100])
    finds(w, alice, "files", "bad", "erase-1 is damaged: it has 100 bytes")
    erase.write_bytes(bytes(len(kept[0])))
    daemon_check(w, alice, 1, "account 1: stored data is damaged", "erase-N")
    alice.start()
    finds(w, alice, "account", "warn", "account 1 is locked", 0)
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    erase.unlink()
    daemon_check(w, alice, 1, "account 1: its erase file is missing")
    erase.write_bytes(kept[0])
    daemon_check(w, alice, 0)


def the_database_is_not_ours_to_open(w):
    alice = w.person("alice").create()
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    tool = pathlib.Path(w.options.tools) / "e2e_store"
    version = subprocess.run([tool, "schema", alice.home / "db"], check=True, capture_output=True,
                             text=True).stdout.strip()
    subprocess.run([tool, "schema", alice.home / "db", "99", "petreld 99.0"], check=True)
    daemon_check(w, alice, 1, "written by a newer version: petreld 99.0", "install that version")
    subprocess.run([tool, "schema", alice.home / "db", version, "petreld 0.1.0"], check=True)
    daemon_check(w, alice, 0)
    data = alice.home / "db/data.mdb"
    kept = data.read_bytes()
    data.write_bytes(b"nonsense" * 4096)
    daemon_check(w, alice, 1, "database: stored data is damaged")
    data.unlink()
    finds(w, alice, "files", "bad", "db/data.mdb is missing")
    data.write_bytes(kept)
    daemon_check(w, alice, 0)


def the_lock_is_held(w):
    alice = w.person("alice").create()
    daemon_check(w, alice, 1, "a petreld runs on", "petrelctl doctor")
    number = alice.process.pid
    socket_link = alice.home / "control.sock"
    target = os.readlink(socket_link)
    socket_link.unlink()
    finds(w, alice, "daemon", "bad", f"process {number} has the home locked", 1)
    socket_link.symlink_to(target)
    finds(w, alice, "daemon", "ok", "runs", 0)


@contextlib.contextmanager
def small_disk(folder, mib):
    """A file system of that size; false where none can be mounted."""
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "petrel-test", folder],
                             check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def the_disk_is_full(w):
    with small_disk(w.folder / "disk", 96) as mounted:
        if not mounted:
            print("   not shown: no file system can be mounted here")
            return
        alice = w.person("alice", start=False)
        alice.home = w.folder / "disk" / "home"
        alice.home.mkdir(mode=0o700)
        alice.start()
        finds(w, alice, "filesystem", "warn", "tmpfs")
        filler = w.folder / "disk" / "filler"
        with open(filler, "wb") as file:
            free = os.statvfs(filler).f_bavail * os.statvfs(filler).f_frsize
            os.posix_fallocate(file.fileno(), 0, free - (8 << 20))
        finds(w, alice, "space", "bad", "8 MiB are free, the reserve is 64 MiB", 1)
        w.checks.same("SIGTERM ends it", alice.terminate(), 0)
        daemon_check(w, alice, 1, "disk: nearly full")
        filler.unlink()
        finds(w, alice, "space", "ok", "MiB are free", 0)


def the_disk_is_of_a_kind_that_is_not_safe(w):
    """Numbers as statfs(2) has them; these file systems are not to be had in a test."""
    alice = w.person("alice").create()
    library = pathlib.Path(w.options.tools) / "libe2e_disk_kind.so"
    for kind, state, words in (("6969", "bad", "NFS"), ("ff534d42", "bad", "CIFS"),
                               ("fe534d42", "bad", "SMB"), ("01021997", "bad", "9p"),
                               ("65735546", "warn", "FUSE"), ("01021994", "warn", "tmpfs"),
                               ("ef53", "ok", "local")):
        found = finds(w, alice, "filesystem", state, words, 1 if state == "bad" else 0,
                      environment={**preloaded(library), "PETREL_DISK_KIND": kind})
        w.checks.true("what to do", state == "ok" or "local disk" in found["todo"])


def a_relay_cannot_be_reached(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    none = w.person("carol").create()
    finds(w, none, "relay", "warn", "uses no relay", 0)
    w.checks.same("SIGTERM ends it", relay.terminate(), 0)
    until("it is noticed", lambda: alice.call("relay.status")["state"] != "ready")
    until("it says why", lambda: alice.call("relay.status")["trouble"] != "")
    found = finds(w, alice, "relay", "bad", "Connection refused", 1)
    w.checks.true("which one", relay.listen in found["found"])
    w.checks.true("what to do", "firewall" in found["todo"])
    relay.start()
    until("it is back", lambda: alice.call("relay.status")["state"] == "ready")
    well(w, alice)


def our_own_port_is_not_where_we_say(w):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        relay = w.person("relay", relay=True, start=False)
        relay.configure(f"relay.address = 127.0.0.1:{taken.getsockname()[1]}")
        relay.start()
        found = finds(w, relay, "listening", "bad", "cannot be reached", 1)
        w.checks.true("what to do", "relay.address" in found["todo"])


def a_clock_is_off(w):
    relay = w.person("relay", relay=True)
    for shift, state, words in ((-300, "warn", "behind"), (300, "warn", "ahead of"),
                                (1200, "bad", "ahead of")):
        name = f"alice{shift}"
        alice = w.person(name, environment=w.shifted(shift)).create(relay)
        found = finds(w, alice, "clock", state, words, 1 if state == "bad" else 0)
        seconds = int(found["found"].split(" was ")[1].split()[0])
        w.checks.true(f"how far: {seconds}", abs(seconds - abs(shift)) <= 30)
        w.checks.true("what to do", "timedatectl" in found["todo"])


def messages_wait_for_long(w):
    relay, alice, bob = w.three()
    carol = w.person("carol").create(relay)
    for other in (bob, carol):
        alice.meet(other)
    until("nothing waits", lambda: alice.status()["outbox"] == 0)
    w.checks.true("no age", "outbox_oldest" not in alice.status())
    for other in (bob, carol):
        w.checks.same("SIGTERM ends it", other.terminate(), 0)
    for other in (carol, bob, carol):  # the oldest is not that of the contact who came first
        alice.send(other, "you are away")
    first = alice.call("message.history", contact=carol.id)["messages"][0]
    w.checks.same("the oldest", alice.status()["outbox_oldest"], first["sent"])
    finds(w, alice, "outbox", "ok", "3 messages wait, none for a day", 0)
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    relay.must_live()
    # Two days on, by petrelctl's clock alone: the message is as old as it says.
    alice.start()
    finds(w, alice, "outbox", "warn", "3 messages wait, the oldest for 2 days", 0,
          environment=w.shifted(2 * 86400 + 3600))


def it_waits_for_nobody(w):
    """A daemon that was stopped in its tracks: --timeout, and exit code 5."""
    alice = w.person("alice").create()
    alice.process.send_signal(signal.SIGSTOP)
    try:
        done = alice.ctl("--timeout", "1", "doctor")
        w.checks.same("exit code", done.returncode, 5)
        w.checks.true("it says so", b"does not answer in time" in done.stderr)
    finally:
        alice.process.send_signal(signal.SIGCONT)


STORIES = [a_node_that_is_well,
           a_home_that_is_not_as_it_should_be,
           a_home_of_somebody_else,
           what_opens_an_account_is_gone,
           the_database_is_not_ours_to_open,
           the_lock_is_held,
           the_disk_is_full,
           the_disk_is_of_a_kind_that_is_not_safe,
           a_relay_cannot_be_reached,
           our_own_port_is_not_where_we_say,
           a_clock_is_off,
           messages_wait_for_long,
           it_waits_for_nobody]


def more_options(parser):
    parser.add_argument("--shift", required=True, help="clock_shift, a library for LD_PRELOAD")
    parser.add_argument("--tools", required=True, help="folder with e2e_store")


if __name__ == "__main__":
    main(STORIES, "petrelctl doctor", more_options)
