#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""petrelctl events --exec: programs that are run for events of real daemons.

usage: hook_test.py --bin FOLDER [STORY...]"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.people import until  # noqa: E402
from lib.world import main  # noqa: E402

# Beside each story's script: what it was given, one line an event.
SEEN = 'cat >> "$0.seen"\n'

# One that is told to end, and does what it was at first.
PATIENT = """import os, pathlib, signal, sys
name = sys.argv[0]
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path(name + ".signal").touch())
os.mkfifo(name + ".fifo")
pathlib.Path(name + ".ready").touch()
with open(name + ".fifo") as fifo:
    fifo.read()
with open(name + ".seen", "a") as seen:
    seen.write(sys.stdin.read())
"""


def script(w, name, text, head="#!/bin/sh\nset -eu\n"):
    path = w.folder / name
    path.write_text(head + text)
    path.chmod(0o700)
    return path


def seen(path):
    file = pathlib.Path(f"{path}.seen")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def texts(path):
    return [e["data"]["text"] for e in seen(path) if e["type"] == "message.received"]


@contextlib.contextmanager
def launch(person, *args):
    environment = dict(os.environ, XDG_RUNTIME_DIR=str(person.runtime))
    with subprocess.Popen([person.tool, "--home", person.home, "events", *args],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment,
                          start_new_session=True) as process:
        try:
            yield process
        finally:
            # A test that failed ends what it started, and what that one started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def two(w):
    relay = w.person("relay", relay=True)
    alice, bob = (w.person(name).create(relay) for name in ("alice", "bob"))
    alice.meet(bob)
    return alice, bob


def drain(person, name):
    """The consumer has nothing before it that came until now."""
    person.lines("events", "--as", name, "--ack", "--no-follow")


def a_program_runs_for_each_event_in_order(w):
    alice, bob = two(w)
    hook = script(w, "hook", 'printf "%s " "$#" "$@" >> "$0.args"\n'
                  'printf "%s\\n" "$PETREL_EVENT_TYPE $PETREL_EVENT_CURSOR $PETREL_EVENT_TIME '
                  '$PETREL_ACCOUNT $PETREL_HOME" >> "$0.env"\n' + SEEN)
    drain(alice, "bot")
    for text in ("one", "two; $(rm -rf /) `id`\n\"'\\", "three"):
        bob.delivered(bob.send(alice, text))
    alice.event_of("message.received", text="three")
    done = alice.ctl("events", "--as", "bot", "--no-follow", "--exec", "--", hook, "a b", "$HOME",
                     "--json", "--as")
    w.checks.same("exit code", (done.returncode, done.stdout, done.stderr), (0, b"", b""))
    w.checks.same("texts", texts(hook), ["one", "two; $(rm -rf /) `id`\n\"'\\", "three"])
    events = [e for e in alice.lines("events", "--since", "0", "--no-follow")
              if e["cursor"] >= seen(hook)[0]["cursor"]]
    w.checks.same("as --json prints them", seen(hook), events)
    w.checks.same("environment", pathlib.Path(f"{hook}.env").read_text().splitlines(),
                  [f"{e['type']} {e['cursor']} {e['time']} 1 {alice.home}" for e in events])
    w.checks.same("arguments, without a shell", pathlib.Path(f"{hook}.args").read_text(),
                  "4 a b $HOME --json --as " * len(events))
    w.checks.same("all are acknowledged", alice.lines("events", "--as", "bot", "--no-follow"), [])


def a_program_answers_with_petrelctl(w):
    """What a bot is: PETREL_HOME and PETREL_ACCOUNT make its petrelctl speak for the same account."""
    relay = w.person("relay", relay=True)
    alice, bob = (w.person(name).create(relay) for name in ("alice", "bob"))
    other = alice.ask("init", "--another")
    alice.account, alice.id = 2, other["id"]
    alice.join(relay)
    alice.meet(bob)
    hook = script(w, "hook", f'[ "$PETREL_EVENT_TYPE" = message.received ] || exit 0\n'
                  f'exec "{alice.tool}" send {bob.id} "heard you"\n')
    with launch(alice, "--account", "2", "--as", "bot", "--exec", hook) as ctl:
        bob.send(alice, "hello")
        event = bob.event_of("message.received", text="heard you")
        w.checks.same("the second account", event["data"]["contact"], alice.id)
        ctl.terminate()
        w.checks.same("SIGTERM ends it", ctl.wait(60), -signal.SIGTERM)


def a_failing_program_is_run_again(w):
    alice, bob = two(w)
    drain(alice, "bot")
    bob.delivered(bob.send(alice, "one"))
    bob.delivered(bob.send(alice, "two"))
    hook = script(w, "hook", 'echo x >> "$0.tries"\n'
                  '[ "$(wc -l < "$0.tries")" != 1 ] || exit 7\n'
                  '[ "$(wc -l < "$0.tries")" != 2 ] || kill -9 $$\n' + SEEN)
    done = alice.ctl("events", "--as", "bot", "--no-follow", "--exec", hook)
    w.checks.same("exit code", done.returncode, 0)
    w.checks.same("each once, in order", texts(hook), ["one", "two"])
    lines = done.stderr.decode().splitlines()
    w.checks.true("it says so", len(lines) == 2 and "exited with 7 for event" in lines[0] and
                  "again in 1 s" in lines[0] and "signal 9" in lines[1] and
                  "again in 2 s" in lines[1])


def it_stops_after_so_many_tries_and_loses_nothing(w):
    alice, bob = two(w)
    drain(alice, "bot")
    for text in ("one", "two", "three"):
        bob.delivered(bob.send(alice, text))
    hook = script(w, "hook", 'cat > "$0.now"\nif grep -q \'"two"\' "$0.now" && [ ! -e "$0.well" ]\n'
                  'then echo x >> "$0.failed"; exit 1; fi\ncat "$0.now" >> "$0.seen"\n')
    done = alice.ctl("events", "--as", "bot", "--exec", "--tries", "2", hook)
    w.checks.same("exit code", done.returncode, 1)
    w.checks.same("how often", pathlib.Path(f"{hook}.failed").read_text(), "x\nx\n")
    w.checks.same("those before it", texts(hook), ["one"])
    w.checks.true("it says so", b"stopped, and the event is not acknowledged" in done.stderr)
    pathlib.Path(f"{hook}.well").touch()
    done = alice.ctl("events", "--as", "bot", "--no-follow", "--exec", hook)
    w.checks.same("exit code", done.returncode, 0)
    w.checks.same("it goes on there", texts(hook), ["one", "two", "three"])


def an_event_comes_again_after_sigkill(w):
    """SIGKILL of petrelctl when the program has done its work: nothing was acknowledged yet."""
    alice, bob = two(w)
    drain(alice, "bot")
    bob.delivered(bob.send(alice, "one"))
    hook = script(w, "hook", SEEN + '[ -e "$0.killed" ] || { : > "$0.killed"; kill -9 "$PPID"; }\n')
    with launch(alice, "--as", "bot", "--exec", hook) as ctl:
        w.checks.same("it was killed", ctl.wait(60), -signal.SIGKILL)
    first = seen(hook)
    w.checks.same("one event was run for", len(first), 1)
    done = alice.ctl("events", "--as", "bot", "--no-follow", "--exec", hook)
    w.checks.same("exit code", done.returncode, 0)
    w.checks.same("it came again, and the others once", [e["cursor"] for e in seen(hook)],
                  [first[0]["cursor"]] + [*range(first[0]["cursor"], seen(hook)[-1]["cursor"] + 1)])


def sigterm_waits_for_the_program(w):
    """It is passed on; an event that was dealt with all the same is acknowledged, and no other is
    begun."""
    alice, bob = two(w)
    drain(alice, "bot")
    bob.delivered(bob.send(alice, "one"))
    bob.delivered(bob.send(alice, "two"))
    hook = script(w, "hook", PATIENT, f"#!{sys.executable}\n")
    with launch(alice, "--as", "bot", "--exec", hook) as ctl:
        until("it runs", pathlib.Path(f"{hook}.ready").exists)
        ctl.terminate()
        until("it is told", pathlib.Path(f"{hook}.signal").exists)
        w.checks.same("petrelctl is still there", ctl.poll(), None)
        with open(f"{hook}.fifo", "w", encoding="ascii") as fifo:
            fifo.write("go on\n")
        w.checks.same("it ends as it was asked", ctl.wait(60), -signal.SIGTERM)
    w.checks.same("events", len(seen(hook)), 1)
    left = alice.lines("events", "--as", "bot", "--no-follow")
    w.checks.true("the next one is the next", left[0]["cursor"] == seen(hook)[0]["cursor"] + 1)
    # While it waits for another try, it ends at once.
    failing = script(w, "failing", ": > \"$0.ran\"\nexit 1\n")
    with launch(alice, "--as", "bot", "--exec", failing) as ctl:
        until("it failed", lambda: b"again in" in ctl.stderr.readline())
        ctl.send_signal(signal.SIGINT)
        w.checks.same("SIGINT ends it", ctl.wait(60), -signal.SIGINT)
    w.checks.same("nothing was acknowledged", alice.lines("events", "--as", "bot", "--no-follow"),
                  left)


def wrong_use_is_named(w):
    alice = w.person("alice").create()
    for args, words in ((("--exec",), b"--exec needs a program"),
                        (("./hook",), b"a program to run needs --exec"),
                        (("--tries", "3"), b"--tries goes with --exec")):
        done = alice.ctl("events", *args)
        w.checks.same(f"exit code of {args}", done.returncode, 2)
        w.checks.true(f"what {args} is told", words in done.stderr)
    bob = w.person("bob").create(w.person("relay", relay=True))
    since = ("--since", "0", "--count", "1")
    w.checks.true("an event", bob.lines("events", *since))
    for program, words in (("/no/such/program", b"No such file"), ("/etc/passwd", b"denied"),
                           (script(w, "empty", "").parent, b"denied")):
        done = bob.ctl("events", *since, "--exec", program)
        w.checks.same(f"exit code of {program}", done.returncode, 2)
        w.checks.true(f"what {program} is told", words in done.stderr and
                      b"again" not in done.stderr)
    # Who does not read its input is as good as any other.
    done = bob.ctl("events", *since, "--exec", "true")
    w.checks.same("a program of $PATH", done.returncode, 0)


STORIES = [a_program_runs_for_each_event_in_order,
           a_program_answers_with_petrelctl,
           a_failing_program_is_run_again,
           it_stops_after_so_many_tries_and_loses_nothing,
           an_event_comes_again_after_sigkill,
           sigterm_waits_for_the_program,
           wrong_use_is_named]

if __name__ == "__main__":
    main(STORIES, "petrelctl events --exec")
