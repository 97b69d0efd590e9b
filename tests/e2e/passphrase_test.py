#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What opens an account is changed: passphrase, key file, credential; the former one opens nothing
any more and is not on the disk (docs/protocol/08-at-rest.md, sections 8.4 and 8.11).

usage: passphrase_test.py --bin FOLDER --tools FOLDER [STORY...]"""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.control import Control, new_client_id  # noqa: E402
from lib.homes import pipe_with, unlock  # noqa: E402
from lib.people import at_terminal, until  # noqa: E402
from lib.thief import MINUTE, copy_of, mixed, opened, slots  # noqa: E402
from lib.world import main, preloaded  # noqa: E402

FIRST = "correct horse"
SECOND = "battery staple"
HEADER = slice(30, 46)  # of an erase file: the salt
SEALED = slice(4096 + 8, 4096 + 80)  # R in its first slot


@contextlib.contextmanager
def change(present, fresh):
    """The command line of petrelctl passphrase, and the descriptors that it reads."""
    with contextlib.ExitStack() as stack:
        args, fds = ["passphrase"], []
        for option, secret in (("--passphrase-fd", present), ("--new-fd", fresh)):
            if secret is not None and secret.startswith("--"):
                args.append(secret)
            elif secret is not None:
                fds.append(stack.enter_context(pipe_with(secret.encode() + b"\n")))
                args += [option, str(fds[-1])]
        yield args, fds


def changed(w, person, present, fresh, opens):
    with change(present, fresh) as (args, fds):
        done = person.ctl(*args, pass_fds=fds)
    w.checks.same(f"passphrase: {done.stderr}", (done.returncode, done.stdout.decode().strip()),
                  (0, f"opens with: {opens}"))


def refused(person, code, error, present, fresh):
    with change(present, fresh) as (args, fds):
        person.refused(code, error, *args, pass_fds=fds)


def again(w, person):
    """Ends and starts the daemon; in what state the account is then."""
    w.checks.same("SIGTERM ends it", person.terminate(), 0)
    person.start()
    return person.status()["account"]


class Watched:
    """A file of a home under another name, by which it can be looked at when it is gone."""

    def __init__(self, w, path, needles):
        self.path = w.folder / f"watched-{path.name}-{time.monotonic_ns()}"
        os.link(path, self.path)
        data = path.read_bytes()
        self.needles = [data[n] for n in needles]
        self.home = path.parent

    def gone(self, w):
        w.checks.true(f"{self.path.name} is nothing but zeros", not any(self.path.read_bytes()))
        found = [str(f) for f in self.home.rglob("*") if f.is_file()
                 and any(n in f.read_bytes() for n in self.needles)]
        w.checks.same("files of the home with what it held", found, [])


def other_root(home, generation):
    """Waits until the roots up to this one are destroyed."""
    until("the old root is gone",
          lambda: max(slots(home)) > generation and min(slots(home)) == 0, MINUTE)


def a_passphrase_is_changed(w):
    relay = w.person("relay", relay=True)
    bob = w.person("bob").create(relay)
    alice = w.person("alice").create(relay, passphrase=FIRST)
    alice.meet(bob)
    erase = alice.home / "erase-1"
    watched = Watched(w, erase, [HEADER, SEALED])
    generation = max(slots(alice.home))
    refused(alice, 1, "wrong-key", "wrong", SECOND)
    w.checks.same("it is as it was", erase.read_bytes()[HEADER], watched.needles[0])
    changed(w, alice, FIRST, SECOND, "passphrase")
    other_root(alice.home, generation)
    watched.gone(w)
    w.checks.same("once more, as after a lost reply", alice.status()["account"], "open")
    changed(w, alice, FIRST, SECOND, "passphrase")
    refused(alice, 1, "wrong-key", FIRST, "a third")
    bob.delivered(bob.send(alice, "one"))
    w.checks.same("after a restart", again(w, alice), "locked")
    w.checks.same("the former one", unlock(alice, FIRST), False)
    w.checks.same("the present one", unlock(alice, SECOND), True)
    # A locked account keeps being locked, and is given another root when it is open.
    generation = max(slots(alice.home))
    alice.ask("lock")
    changed(w, alice, SECOND, FIRST, "passphrase")
    w.checks.same("its state", alice.status()["account"], "locked")
    w.checks.same("the former one", unlock(alice, SECOND), False)
    w.checks.same("the present one", unlock(alice, FIRST), True)
    other_root(alice.home, generation)
    bob.delivered(bob.send(alice, "two"))
    w.checks.same("her history", alice.texts(bob.id), ["one", "two"])
    for secret in (FIRST, SECOND):
        w.checks.true("no log has it", secret not in alice.log.read_text())


def a_passphrase_is_removed_and_given_again(w):
    _, alice, bob = w.three()  # with key files
    bob.meet(alice)
    bob.delivered(bob.send(alice, "one"))
    alice.terminate()
    early = copy_of(w, alice, "early")
    alice.start()
    key = Watched(w, alice.home / "account-1.key", [slice(None)])
    erase = Watched(w, alice.home / "erase-1", [HEADER, SEALED])
    generation = max(slots(alice.home))
    one = FIRST.encode()
    code, printed = at_terminal(alice, [(b"New passphrase: ", one), (b"Once more: ", one)],
                                "passphrase")
    w.checks.same("exit code", code, 0)
    w.checks.true("nothing is shown", one not in printed)
    other_root(alice.home, generation)
    key.gone(w)
    erase.gone(w)
    w.checks.same("after a restart", again(w, alice), "locked")
    late = copy_of(w, alice, "late")
    w.checks.same("who copied all opens that", opened(w, early), {"one"})
    w.checks.same("but nothing of now with it", opened(w, mixed(w, "both", late, early)), None)
    code, printed = at_terminal(alice, [(b"Passphrase: ", one)], "unlock")
    w.checks.same("exit code", code, 0)

    generation = max(slots(alice.home))
    code, printed = at_terminal(alice, [(b"Present passphrase: ", b"wrong")], "passphrase",
                                "--remove")
    w.checks.same("exit code with a wrong one", code, 1)
    w.checks.true("it says so", b"wrong-key" in printed)
    w.checks.true("no key file", not (alice.home / "account-1.key").exists())
    code, printed = at_terminal(alice, [(b"Present passphrase: ", one)], "passphrase", "--remove")
    w.checks.same("exit code", code, 0)
    w.checks.true("it says what opens it", b"opens with: key-file" in printed)
    other_root(alice.home, generation)
    w.checks.same("its key file", (alice.home / "account-1.key").stat().st_mode & 0o777, 0o600)
    w.checks.same("after a restart", again(w, alice), "open")
    alice.ask("lock")
    w.checks.same("it opens without being asked for anything", alice.ask("unlock")["id"], alice.id)
    changed(w, alice, None, SECOND, "passphrase")
    w.checks.same("after a restart", again(w, alice), "locked")
    w.checks.same("the one that was removed", unlock(alice, FIRST), False)
    w.checks.same("the present one", unlock(alice, SECOND), True)
    bob.delivered(bob.send(alice, "two"))
    w.checks.same("her history", alice.texts(bob.id), ["one", "two"])


def leftovers(home):
    return sorted(f.name for f in home.iterdir() if f.name.endswith(".new"))


def kills_during_a_change_leave_one_of_the_two(w):
    alice = w.person("alice")
    alice.create(passphrase=FIRST)
    now, other = FIRST, SECOND
    erase = alice.home / "erase-1"
    outcomes = []
    # When something of the change is seen, at once or that much later; or before.
    for later in (0, 0, 0.001, 0.003, 0.01, 0.03, None):
        before = erase.read_bytes()[HEADER]
        with change(now, other) as (args, fds):
            tool = subprocess.Popen([alice.tool, "--home", str(alice.home), *args], pass_fds=fds,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    env=dict(os.environ, XDG_RUNTIME_DIR=str(alice.runtime)))
        if later is None:
            until("the call is there", lambda: tool.poll() is not None)
        else:
            until("the change begins",
                  lambda: leftovers(alice.home) or erase.read_bytes()[HEADER] != before,
                  MINUTE, 0)
            time.sleep(later)
        alice.kill()
        tool.wait()
        was = erase.read_bytes()[HEADER] == before
        outcomes.append(was)
        alice.start()
        w.checks.same("what the kill left", leftovers(alice.home), [])
        if not was:
            now, other = other, now
        w.checks.same("the one that is not in force", unlock(alice, other), False)
        w.checks.same("the one that is", unlock(alice, now), True)
        w.checks.same("it is she", alice.ask("id")["id"], alice.id)
    generation = max(slots(alice.home))
    w.checks.true("the last change was made", not outcomes[-1])
    changed(w, alice, now, "--remove", "key-file")
    other_root(alice.home, generation)
    w.checks.same("after a restart", again(w, alice), "open")


def two_changes_and_a_removal_do_not_meet(w):
    alice = w.person("alice")
    alice.create(passphrase=FIRST)
    one = {"passphrase": FIRST, "new": SECOND}
    with Control(alice.home) as first, Control(alice.home) as second:
        first.ask(1, "account.passphrase", one)
        first.ask(2, "account.passphrase", {"passphrase": FIRST, "new": "a third"})
        answers = {m[1]: m[2] for m in (first.answer(), first.answer())}
        w.checks.same("the second", answers[2]["name"], "busy")
        w.checks.same("it may come again", answers[2]["retry_after_ms"], 1000)
        w.checks.same("the first", answers[1], None)
        # While the next one runs the account is removed: what it makes goes too.
        first.ask(3, "account.passphrase", {"passphrase": SECOND, "remove": True})
        second.call("account.remove", {"now": True, "client_id": new_client_id()})
        number, error = first.answer()[1:3]
        w.checks.same("its answer", (number, error and error["name"] in ("no-account", "not-now")),
                      (3, True))
    until("it is gone", lambda: alice.lines("accounts") == [])
    w.checks.same("its files", [f.name for f in alice.home.iterdir()
                                if f.name.startswith(("erase-", "account-"))], [])
    alice.create(passphrase=FIRST)
    w.checks.same("another one", again(w, alice), "locked")
    w.checks.same("and its passphrase", unlock(alice, FIRST), True)


def a_change_while_a_root_is_being_taken_is_what_the_next_one_is_sealed_under(w):
    alice = w.person("alice")
    alice.create(passphrase=FIRST)
    alice.terminate()
    alice.environment = {**preloaded(pathlib.Path(w.options.tools) / "libe2e_slow_turn.so"),
                         "PETREL_SLOW_US": "180000"}  # 18 rows: three seconds
    alice.start()
    w.checks.same("the first", unlock(alice, FIRST), True)
    generation = max(slots(alice.home))
    changed(w, alice, FIRST, SECOND, "passphrase")
    until("another root is there", lambda: max(slots(alice.home)) > generation, MINUTE, 0.001)
    changed(w, alice, SECOND, "a third", "passphrase")
    other_root(alice.home, generation + 1)
    w.checks.true("every root was written", "cannot be written" not in alice.log.read_text())
    alice.environment = {}
    w.checks.same("after a restart", again(w, alice), "locked")
    w.checks.same("the second", unlock(alice, SECOND), False)
    w.checks.same("the third", unlock(alice, "a third"), True)


def hand_in(folder, name, key, mode=0o400):
    path = folder / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key)
    path.chmod(mode)


def fails_to_start(w, person, reason):
    said = person.log.stat().st_size if person.log.exists() else 0
    person.launch()
    w.checks.true("it does not start", person.process.wait(MINUTE) != 0)
    person.process = None
    log = person.log.read_bytes()[said:].decode()
    w.checks.true(f"the log says {reason!r}: {log}", reason in log)


def credentials_open_the_node_and_its_accounts(w):
    folder = w.folder / "credentials"
    folder.mkdir(mode=0o700)
    node_key, account_key = os.urandom(32), os.urandom(64)
    hand_in(folder, "node.key", node_key)
    hand_in(folder, "account.key", account_key)
    alice = w.person("alice", environment={"CREDENTIALS_DIRECTORY": str(folder)}).create()
    node_id = alice.status()["node_id"]
    names = {f.name for f in alice.home.iterdir()}
    w.checks.same("no key file", names & {"node.key", "account-1.key"}, set())
    w.checks.same("after a restart", again(w, alice), "open")
    w.checks.same("it is the same node", alice.status()["node_id"], node_id)
    everything = b"".join(f.read_bytes() for f in alice.home.rglob("*") if f.is_file())
    w.checks.true("the home holds neither", node_key not in everything
                  and account_key not in everything)

    alice.terminate()
    (folder / "account.key").unlink()
    alice.start()
    w.checks.same("without its credential", alice.status()["account"], "locked")
    w.checks.true("the log names it", "err=no-credential" in alice.log.read_text()
                  and "credential=account.key" in alice.log.read_text())
    alice.refused(1, "no-credential", "unlock")
    refused(alice, 1, "no-credential", None, FIRST)
    alice.terminate()
    (folder / "node.key").unlink()
    fails_to_start(w, alice, "the node's key is missing")
    w.checks.true("and none is made", not (alice.home / "node.key").exists())
    hand_in(folder, "node.key", os.urandom(31))
    fails_to_start(w, alice, "credential node.key: less than 32 bytes")
    hand_in(folder, "node.key", node_key, 0o444)
    fails_to_start(w, alice, "credential node.key: others may read it")
    hand_in(folder, "node.key", node_key)
    hand_in(folder, "account.key", account_key)
    alice.start()
    w.checks.same("with both", alice.status()["account"], "open")

    generation = max(slots(alice.home))
    watched = Watched(w, alice.home / "erase-1", [HEADER, SEALED])
    changed(w, alice, None, FIRST, "passphrase")
    other_root(alice.home, generation)
    watched.gone(w)
    w.checks.same("after a restart", again(w, alice), "locked")
    w.checks.same("the passphrase", unlock(alice, FIRST), True)
    generation = max(slots(alice.home))
    refused(alice, 1, "wrong-key", "wrong", "--credential")
    changed(w, alice, FIRST, "--credential", "credential")
    other_root(alice.home, generation)
    w.checks.same("after a restart", again(w, alice), "open")
    # The node's key goes from the file to a credential by a copy of it.
    bob = w.person("bob").create()
    refused(bob, 1, "no-credential", None, "--credential")
    node_id = bob.status()["node_id"]
    bob.terminate()
    hand_in(folder, "node.key", os.urandom(32))
    bob.environment = {"CREDENTIALS_DIRECTORY": str(folder)}
    fails_to_start(w, bob, "the node has two keys, and they differ")
    hand_in(folder, "node.key", (bob.home / "node.key").read_bytes())
    bob.start()
    bob.terminate()
    (bob.home / "node.key").unlink()
    bob.start()
    w.checks.same("it is the same node", bob.status()["node_id"], node_id)
    key = Watched(w, bob.home / "account-1.key", [slice(None)])
    changed(w, bob, None, "--credential", "credential")
    key.gone(w)
    w.checks.same("after a restart", again(w, bob), "open")


STORIES = [a_passphrase_is_changed, a_passphrase_is_removed_and_given_again,
           kills_during_a_change_leave_one_of_the_two, two_changes_and_a_removal_do_not_meet,
           a_change_while_a_root_is_being_taken_is_what_the_next_one_is_sealed_under,
           credentials_open_the_node_and_its_accounts]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_rows")


if __name__ == "__main__":
    main(STORIES, "what opens an account is changed", options_of)
