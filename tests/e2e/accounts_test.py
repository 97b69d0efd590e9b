#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several accounts on one node, and accounts that go from relay to relay.

usage: accounts_test.py --bin FOLDER [STORY...]"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.control import Control, Refused, new_client_id  # noqa: E402
from lib.homes import pipe_with  # noqa: E402
from lib.people import Identity, until  # noqa: E402
from lib.world import main  # noqa: E402


def accounts_of(node):
    return {a["account"]: a["state"] for a in node.lines("accounts")}


def an_account_is_added_used_and_removed(w):
    relay, alice, bob = w.three()
    alice.refused(4, "account-exists", "init")
    made = alice.ask("init", "--another")
    w.checks.same("its number", made["account"], 2)
    other = Identity(alice, "alice-2")
    other.id, other.account = made["id"], 2
    other.join(relay)
    w.checks.same("accounts", accounts_of(alice), {1: "open", 2: "open"})
    w.checks.same("its ID", alice.ask("--account", "2", "id")["id"], made["id"])
    w.checks.same("members", len(relay.lines("relay", "members")), 3)
    other.meet(bob)
    alice.meet(bob)
    other.delivered(other.send(bob, "from the other"))
    bob.delivered(bob.send(other, "to the other"))
    bob.delivered(bob.send(alice, "to the first"))
    w.checks.same("what the other reads", other.texts(bob.id), ["to the other"])
    w.checks.same("what the first reads", alice.texts(bob.id), ["to the first"])
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    alice.start()
    until("both are ready", lambda: all(x.call("relay.status")["state"] == "ready"
                                        for x in (alice, other)))
    files = [alice.home / "erase-2", alice.home / "account-2.key"]
    w.checks.true("its files", all(f.exists() for f in files))
    alice.refused(4, None, "remove-account", "petrel1nobody")
    alice.ask("remove-account", made["id"])
    until("it is gone", lambda: accounts_of(alice) == {1: "open"})
    w.checks.same("its files", [f.exists() for f in files], [False, False])
    w.checks.same("members", len(relay.lines("relay", "members")), 2)
    alice.refused(4, "no-account", "--account", "2", "id")
    alice.delivered(alice.send(bob, "the first goes on"))
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    alice.start()
    w.checks.same("accounts", accounts_of(alice), {1: "open"})
    w.checks.same("what the first reads", alice.texts(bob.id), ["to the first"])


def an_account_with_a_passphrase_beside_one_without(w):
    alice = w.person("alice").create()
    with pipe_with(b"correct horse\n") as fd:
        done = alice.ctl("--json", "init", "--another", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("init", done.returncode, 0)
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    alice.start()
    w.checks.same("accounts", accounts_of(alice), {1: "open", 2: "locked"})
    alice.refused(4, "account-locked", "--account", "2", "id")
    with pipe_with(b"wrong\n") as fd:
        alice.refused(1, "wrong-key", "--account", "2", "unlock", "--passphrase-fd", str(fd),
                      pass_fds=[fd])
    with pipe_with(b"correct horse\n") as fd:
        done = alice.ctl("--account", "2", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    w.checks.same("unlock", done.returncode, 0)
    w.checks.same("accounts", accounts_of(alice), {1: "open", 2: "open"})
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    alice.start()
    alice.refused(4, "account-locked", "remove-account", "2")
    alice.ask("remove-account", "2", "--now")
    until("it is gone", lambda: accounts_of(alice) == {1: "open"})
    w.checks.same("its erase file", (alice.home / "erase-2").exists(), False)


def a_broken_key_locks_no_other_account_out(w):
    alice = w.person("alice").create()
    other = Identity(alice, "alice-2").create()
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    erase = alice.home / "erase-2"
    erase.write_bytes(bytes(erase.stat().st_size))  # as a machine may stop while it is destroyed
    alice.start()
    w.checks.same("accounts", accounts_of(alice), {1: "open", 2: "locked"})
    w.checks.same("the first one", alice.ask("id")["id"], alice.id)
    alice.refused(4, "account-locked", "--account", "2", "id")
    alice.ask("remove-account", "2", "--now")
    until("it is gone", lambda: accounts_of(alice) == {1: "open"})
    w.checks.same("its files", [f.name for f in alice.home.iterdir() if "2" in f.name], [])
    other.create()
    w.checks.same("its number is given again", other.account, 2)


def create_as(person, client_id, **params):
    """account.create, as a client calls that draws the client_id once and may repeat."""
    with Control(person.home) as control:
        try:
            return control.call("account.create", params, client_id)
        except Refused as refusal:
            return refusal.name


def key_files(person):
    return sorted(f.name for f in person.home.iterdir()
                  if f.name.startswith(("account-", "erase-")))


def a_creation_is_repeated_when_its_reply_was_lost(w):
    """SIGKILL after the turn: the account is there, and locked when it has a passphrase."""
    alice = w.person("alice")
    for params in ({}, {"another": True}):
        client_id = new_client_id()
        made = create_as(alice, client_id, passphrase="correct horse", **params)
        files = key_files(alice)
        alice.kill()
        alice.start()
        accounts = accounts_of(alice)
        w.checks.same("the new one", accounts[made["account"]], "locked")
        w.checks.same("without the passphrase", create_as(alice, client_id, **params),
                      "account-locked")
        w.checks.same("with another one",
                      create_as(alice, client_id, passphrase="wrong", **params), "wrong-key")
        w.checks.same("accounts", accounts_of(alice), accounts)
        w.checks.same("repeated",
                      create_as(alice, client_id, passphrase="correct horse", **params), made)
        w.checks.same("it is open", accounts_of(alice)[made["account"]], "open")
        w.checks.same("once more", create_as(alice, client_id, **params), made)
        w.checks.same("with another passphrase, though it is open",
                      create_as(alice, client_id, passphrase="wrong", **params), "wrong-key")
        w.checks.same("how many", len(accounts_of(alice)), len(accounts))
        w.checks.same("the files", key_files(alice), files)
    other = Identity(alice, "alice-2")
    other.account = 2
    w.checks.same("the one that was opened is asked", other.call("account.show")["id"], made["id"])


def a_creation_is_repeated_beside_an_older_account_that_is_locked(w):
    alice = w.person("alice").create(passphrase="correct horse")
    client_id = new_client_id()
    made = create_as(alice, client_id, another=True)
    files = key_files(alice)
    alice.kill()
    alice.start()
    w.checks.same("accounts", accounts_of(alice), {1: "locked", 2: "open"})
    w.checks.same("repeated", create_as(alice, client_id, another=True), made)
    w.checks.same("with a passphrase, where it has none",
                  create_as(alice, client_id, another=True, passphrase="correct horse"),
                  "wrong-key")
    w.checks.same("accounts", accounts_of(alice), {1: "locked", 2: "open"})
    w.checks.same("the files", key_files(alice), files)


def a_creation_is_repeated_when_there_are_only_its_files(w):
    """SIGKILL before the turn: what it left is nobody's, and is replaced."""
    alice = w.person("alice")
    w.checks.same("SIGTERM ends it", alice.terminate(), 0)
    before = alice.home.with_name("before")
    shutil.copytree(alice.home, before, ignore=shutil.ignore_patterns("*.sock"))
    alice.start()
    client_id = new_client_id()
    create_as(alice, client_id, passphrase="correct horse")
    alice.kill()
    orphan = (alice.home / "erase-1").read_bytes()
    shutil.rmtree(alice.home)
    before.rename(alice.home)
    (alice.home / "erase-1").write_bytes(orphan)
    with pipe_with(b"of no account\n") as fd:
        alice.start(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
    w.checks.same("accounts", accounts_of(alice), {})
    made = create_as(alice, client_id, passphrase="correct horse")
    w.checks.same("its number", made["account"], 1)
    w.checks.true("its file is another", (alice.home / "erase-1").read_bytes() != orphan)
    alice.kill()
    with pipe_with(b"correct horse\n") as fd:
        alice.start(arguments=["--passphrase-fd", str(fd)], pass_fds=[fd])
    w.checks.same("accounts", accounts_of(alice), {1: "open"})
    w.checks.same("repeated", create_as(alice, client_id, passphrase="correct horse"), made)
    w.checks.same("the files", key_files(alice), ["erase-1"])


def one_creation_at_a_time_whatever_its_number(w):
    """A client gives each of its calls the same number. Argon2id takes half a second: enough for
    the others to be answered while the first creation runs."""
    alice = w.person("alice")
    with Control(alice.home) as control:
        create = {"passphrase": "correct horse", "another": True}
        control.ask(7, "account.create", {**create, "client_id": new_client_id()})
        for _ in range(3):
            control.ask(7, "account.list", {})
            accounts = control.answer()[3]
            w.checks.same("no account yet", accounts, {"accounts": []})
            control.ask(7, "account.create", {**create, "client_id": new_client_id()})
            w.checks.same("the second is put off", control.answer()[2]["name"], "busy")
        made = control.answer()
        w.checks.same("the first one's number and error", made[:3], [1, 7, None])
        control.ask(7, "account.create", {**create, "client_id": new_client_id()})
        w.checks.same("then another one", control.answer()[3]["account"], 2)
    alice.kill()
    alice.start()
    for number in (1, 2):
        w.checks.same("it opens", alice.call("account.unlock", account=number,
                                             passphrase="correct horse")["account"], number)


def two_relays(w):
    """Two relays that pass requests on to each other, and two members of the first."""
    relays = w.relays("relay", "other")
    return (*relays, *(w.person(name).create(relays[0]) for name in ("alice", "bob")))


def an_account_moves_to_another_relay(w):
    relay, other, alice, bob = two_relays(w)
    alice.meet(bob)
    alice.delivered(alice.send(bob, "before"))
    bob.terminate()
    code = other.ask("relay", "invite")["code"]
    alice.ask("relay", "use", other.status()["node"], "--code", code)
    until("the new one is ready", lambda: alice.call("relay.status")["state"] == "ready")
    status = alice.ask("relay", "status")
    w.checks.same("what else is read", [(o["role"], o["relay"]) for o in status["others"]],
                  [("left", relay.status()["node_id"])])
    bob.start()  # and hears of it
    bob.delivered(bob.send(alice, "after"))
    alice.event_of("relay.left", relay=relay.status()["node_id"])
    w.checks.same("no other is read", alice.ask("relay", "status")["others"], [])
    w.checks.same("members of the old one", len(relay.lines("relay", "members")), 1)
    w.checks.same("members of the new one", len(other.lines("relay", "members")), 1)
    w.checks.same("what she reads", alice.texts(bob.id), ["after"])


def a_second_relay_takes_what_the_first_cannot(w):
    relay, other, alice, bob = two_relays(w)
    bob.join(other)
    alice.meet(bob)
    code = other.ask("relay", "invite")["code"]
    alice.ask("relay", "use", other.status()["node"], "--code", code, "--second")
    until("the second is ready",
          lambda: [o["state"] for o in alice.ask("relay", "status")["others"]] == ["ready"])
    alice.delivered(alice.send(bob, "this tells him"))
    until("nothing waits", lambda: alice.status()["outbox"] == 0)
    w.checks.same("SIGTERM ends the first", relay.terminate(), 0)
    bob.delivered(bob.send(alice, "over the second"))
    alice.delivered(alice.send(bob, "so does the answer"))
    w.checks.same("what she reads", alice.texts(bob.id), ["over the second"])
    relay.start()


STORIES = [an_account_is_added_used_and_removed,
           an_account_with_a_passphrase_beside_one_without,
           a_broken_key_locks_no_other_account_out,
           a_creation_is_repeated_when_its_reply_was_lost,
           a_creation_is_repeated_beside_an_older_account_that_is_locked,
           a_creation_is_repeated_when_there_are_only_its_files,
           one_creation_at_a_time_whatever_its_number,
           an_account_moves_to_another_relay,
           a_second_relay_takes_what_the_first_cannot]

if __name__ == "__main__":
    main(STORIES, "accounts and their relays")
