#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sandbox of a running petreld, from outside: who is held by it, what it refuses, and that names
are resolved in it. (That the daemons of all other tests stay inside shows in those: lib/node.py
starts them with --sandbox strict, where one call too many is their end.)

usage: sandbox_test.py --bin FOLDER --tools FOLDER [STORY...]

77, with all else done: this kernel has no Landlock, or there are no namespaces for the stories of
names."""
import errno
import os
import pathlib
import re
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import alone  # noqa: E402
from lib.control import Lost  # noqa: E402
from lib.people import PATIENCE, until  # noqa: E402
from lib.world import preloaded, run  # noqa: E402

SKIPPED = 77
MISSING = []  # what could not be shown here


def landlock(person):
    """The ABI that a daemon says is in force."""
    return int(re.findall(r"in the sandbox sandbox=\w+ landlock=(\d+)", person.log.read_text())[-1])


def threads(person):
    """What the kernel says of each thread of a daemon."""
    texts = [(t / "status").read_text() for t in
             pathlib.Path(f"/proc/{person.process.pid}/task").iterdir()]
    return [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            for text in texts]


def every_thread_is_held(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    alice.delivered(alice.send(bob, "through all threads"))
    nothing = "0" * 16
    for person in (relay, alice, bob):
        held = threads(person)
        w.checks.true(f"{person.name} has its three threads, or workers too", len(held) >= 3)
        if w.sanitized():
            # A thread of the sanitizer's own was there before petreld: only the filter is put on it.
            held = [t for t in held if t["CapEff"].strip() == nothing]
            w.checks.true("threads of petreld", len(held) >= 3)
        for status in held:
            w.checks.same(f"filter on {status['Name']}", status["Seccomp"], "2")
            w.checks.same("no new privileges", status["NoNewPrivs"], "1")
            for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                w.checks.same(rights, status[rights].strip(), nothing)


def hacked(w, name, *arguments):
    """A daemon that does what a file in its home says (break_out.c)."""
    library = pathlib.Path(w.options.tools) / "libe2e_break_out.so"
    person = w.person(name, start=False, environment={
        **preloaded(library), "PETREL_BREAK_OUT": str(w.folder / name / "break out")})
    person.arguments += arguments
    person.start()
    return person


def order(person, word):
    """Leaves the word there, and makes a turn that is flushed."""
    path = person.home / "break out"
    path.write_text(word)
    try:
        person.call("account.create", another=True)
    except Lost:
        person.process.wait(PATIENCE)  # nothing else may be the reason
    return path


def tries(person, word):
    """The errno of a call that is made inside."""
    path = order(person, word)
    until("the call was made", lambda: path.read_text().strip().isdigit())
    return int(path.read_text())


def a_call_outside_is_refused_and_the_daemon_goes_on(w):
    mallory = hacked(w, "mallory", "--sandbox", "on")
    outside = w.folder / "outside"
    w.checks.same("a raw socket", tries(mallory, "socket"), errno.ENOSYS)
    w.checks.same("a back door that listens", tries(mallory, "listen"), errno.ENOSYS)
    w.checks.same("code in memory", tries(mallory, "code"), errno.ENOSYS)
    w.checks.same("a file in the home", tries(mallory, f"+{mallory.home}/inside"), 0)
    if landlock(mallory) > 0:
        w.checks.same("a file elsewhere", tries(mallory, f"+{outside}"), errno.EACCES)
        w.checks.same("is not there", outside.exists(), False)
    else:
        MISSING.append("files, since this kernel has no Landlock")


def a_program_cannot_be_started_from_inside(w):
    for name, word in (("eve", "program"), ("trudy", "trace")):
        if word == "trace" and w.sanitized():
            continue  # its leak check traces
        person = hacked(w, name, "--sandbox", "on")
        person.call("account.create")
        order(person, word)
        w.checks.same(f"{word}: ended by", person.process.wait(PATIENCE), -signal.SIGSYS)
        person.process = None
        (person.home / "break out").unlink()
        person.start()
        w.checks.same("what was acknowledged is there", person.status()["account"], "open")


def strict_ends_the_daemon_and_names_the_call(w):
    mallory = hacked(w, "mallory", "--sandbox", "strict")
    order(mallory, "socket")
    w.checks.same("ended by", mallory.process.wait(PATIENCE), -signal.SIGSYS)
    mallory.process = None
    w.checks.true("the log names it", re.search(r"^petreld: system call \d+ is outside the sandbox$",
                                                mallory.log.read_text(), re.M))


def off_is_off_and_says_so(w):
    alice = w.person("alice", start=False)
    alice.arguments += ["--sandbox", "off"]
    alice.start()
    w.checks.same("filters", {t["Seccomp"] for t in threads(alice)}, {"0"})
    w.checks.true("the log warns", "warn: no sandbox sandbox=off" in alice.log.read_text())


def a_reload_reads_the_file_that_was_given(w):
    given = w.folder / "given.conf"
    given.write_text("log.level = info\n")
    alice = w.person("alice", start=False)
    alice.arguments += ["--config", str(given)]
    alice.start()
    given.write_text("log.level = debug\nsandbox = off\n")
    alice.reload("configuration read again log_level=debug")
    # Nobody gets out by it; the flag of the command line is what counts here.
    w.checks.same("still held", {t["Seccomp"] for t in threads(alice)} - {"0"}, {"2"})
    if landlock(alice) > 0 and not w.sanitized():
        given.unlink()
        given.write_text("log.level = info\n")  # another file of this name
        alice.reload(f"{given}: Permission denied")


def the_units_let_it_run(w):
    """Under the system calls of a unit, and without a capability, it still closes its own sandbox."""
    if shutil.which("systemd-analyze") is None or shutil.which("setpriv") is None:
        MISSING.append("units, without systemd-analyze or setpriv")
        return
    tests = pathlib.Path(__file__).resolve().parent
    # The leak check at the end of a sanitized program traces it, which no unit has a reason to let.
    quiet = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    plain = w.person("plain")
    for unit in ("petreld", "petreld-user"):
        path = tests.parents[1] / "contrib" / "systemd" / f"{unit}.service.in"
        program = w.folder / f"under-{unit}"
        program.write_text(
            f"#!/bin/sh\nexec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all "
            f"{sys.executable} {tests}/lib/unit_filter.py {path} {w.bin}/petreld \"$@\"\n")
        program.chmod(0o700)
        relay = w.person(f"relay of {unit}", start=False, relay=True, environment=quiet)
        relay.program = str(program)
        relay.start()
        alice = w.person(f"alice of {unit}", start=False, environment=quiet)
        alice.program = str(program)
        alice.start()
        alice.create(relay)
        held = threads(alice)
        w.checks.same("filters: its own, beside the unit's", {t["Seccomp_filters"] for t in held},
                      {"2"})
        w.checks.same("Landlock", landlock(alice), landlock(plain))


# --- names ---

def resolver(address):
    return f"nameserver {address}\noptions timeout:1 attempts:2\n"


def names_are_resolved_inside(w):
    """By a server, by another one after the network has changed, by /etc/hosts, by a module."""
    if alone.MARK not in alone.os.environ:
        MISSING.append("names, since there are no namespaces to have")
        return
    etc = alone.Etc(w.folder / "etc")
    etc.put("nsswitch.conf", "hosts: files petreltest [NOTFOUND=continue] dns\n")
    etc.put("hosts", "127.0.0.1 hosts.petrel.test\n")
    elsewhere = w.folder / "resolv.conf"
    elsewhere.write_text(resolver("127.0.0.3"))
    etc.link("resolv.conf", elsewhere)
    first = alone.NameServer("127.0.0.3", {"first.petrel.test": "127.0.0.1"})
    second = alone.NameServer("127.0.0.2", {"second.petrel.test": "127.0.0.1"})
    relay = w.person("relay", relay=True)
    node, port = re.fullmatch(r"(.+)@127\.0\.0\.1:(\d+)", relay.status()["node"]).groups()
    people = {}
    for name in ("first", "hosts", "module", "second"):
        people[name] = w.person(name, start=False,
                                environment={"LD_LIBRARY_PATH": str(w.options.tools)})
        people[name].start()
        people[name].create()

    def join(name):
        people[name].call("relay.use", address=f"{node}@{name}.petrel.test:{port}",
                          code=relay.call("relay.invite")["code"])
        until(f"a relay by the name {name}.petrel.test is ready",
              lambda: people[name].call("relay.status")["state"] == "ready")
        w.checks.true(f"{name}: found", True)

    join("first")
    w.checks.true("the server was asked", "first.petrel.test" in first.asked)
    join("hosts")
    join("module")
    w.checks.same("nobody was asked for what files and the module know",
                  {"hosts.petrel.test", "module.petrel.test"} & set(first.asked), set())
    etc.put("resolv.conf", resolver("127.0.0.2"))
    join("second")
    w.checks.true("the new server was asked", "second.petrel.test" in second.asked)
    w.checks.same("the old one was not", "second.petrel.test" in first.asked, False)


STORIES = [every_thread_is_held, a_call_outside_is_refused_and_the_daemon_goes_on,
           a_program_cannot_be_started_from_inside, strict_ends_the_daemon_and_names_the_call,
           off_is_off_and_says_so, a_reload_reads_the_file_that_was_given,
           the_units_let_it_run, names_are_resolved_inside]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with what is loaded into petreld")


def main():
    alone.enter()
    status = run(STORIES, "the sandbox of petreld", options_of)
    for what in MISSING:
        print(f"skipped: {what}")
    return SKIPPED if status == 0 and MISSING else status


if __name__ == "__main__":
    sys.exit(main())
