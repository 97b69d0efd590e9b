# SPDX-License-Identifier: Apache-2.0
"""Daemons with petrelctl beside them, and the ways in which tests wait and check."""
import contextlib
import json
import os
import pathlib
import pty
import signal
import subprocess
import time

from lib.control import Control, Lost
from lib.node import Node

PATIENCE = float(os.environ.get("PETREL_PATIENCE", "60"))  # seconds that one step may take


# Calls that are about the node, not about one of its accounts.
OF_NODE = ("daemon.status", "daemon.stop", "dht.status", "account.create", "account.list",
           "relay.invite", "relay.members", "relay.waiting", "relay.remove", "relay.limits")


class Failure(Exception):
    """What a test is there to find."""


def until(what, condition, patience=PATIENCE, pause=0.02):
    """The first true value of condition(); Failure after patience seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            value = condition()
            if value:
                return value
        except Lost:
            pass
        if time.monotonic() > deadline:
            raise Failure(f"not within {patience:.0f} s: {what}")
        time.sleep(pause)


class Checks:
    """Counts what was compared; the first difference ends the test."""

    def __init__(self):
        self.count = 0

    def same(self, what, there, wanted):
        if there != wanted:
            raise Failure(f"{what}: there is {there!r}, wanted is {wanted!r}")
        self.count += 1

    def true(self, what, there):
        if not there:
            raise Failure(f"{what}: there is {there!r}")
        self.count += 1


class Person(Node):
    """A daemon and its petrelctl. relay: whether it acts as one."""

    def __init__(self, bin_folder, folder, name, arguments=()):
        super().__init__(pathlib.Path(bin_folder) / "petreld", folder, name, arguments)
        self.tool = str(pathlib.Path(bin_folder) / "petrelctl")
        self.id = None
        self.account = None  # number; None: the first one
        self.checks = Checks()  # that refused() counts in
        self.begun = []

    def configure(self, *lines):
        """Writes the configuration file. Read at the next start, or at reload()."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "petreld.conf").write_text("".join(line + "\n" for line in lines))

    def reload(self, expected):
        """SIGHUP; waits until the log has this behind what it has now."""
        had = self.log.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        until(f"the log says {expected!r}",
              lambda: expected in self.log.read_bytes()[had:].decode(errors="replace"))

    # --- petrelctl ---

    def _command(self, args):
        return {"args": [self.tool, "--home", str(self.home), *args],
                "env": dict(os.environ, XDG_RUNTIME_DIR=str(self.runtime))}

    def ctl(self, *args, data=b"", pass_fds=()):
        return subprocess.run(**self._command(args), input=data, capture_output=True,
                              timeout=4 * PATIENCE, pass_fds=pass_fds, check=False)

    def begin(self, *args):
        """A petrelctl that goes on beside the test, and ends with the person."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            **self._command(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.begun.append(process)
        return process

    def destroy(self):
        for process in self.begun:
            process.kill()
            process.communicate()
        super().destroy()

    def lines(self, *args, data=b""):
        """The JSON objects that a command prints, one a line; it must succeed."""
        done = self.ctl("--json", *args, data=data)
        if done.returncode != 0:
            raise Failure(f"{self.name}: {args}: exit code {done.returncode}: {done.stdout} "
                          f"{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, *args, data=b""):
        return self.lines(*args, data=data)[0]

    def refused(self, code, error, *args, data=b"", pass_fds=()):
        """The command must end with this exit code, and the daemon's error have this name."""
        done = self.ctl("--json", *args, data=data, pass_fds=pass_fds)
        name = None
        if done.stdout.startswith(b"{"):
            name = json.loads(done.stdout.splitlines()[0]).get("error", {}).get("name")
        if (done.returncode, name) != (code, error):
            raise Failure(f"{self.name}: {args}: exit code {done.returncode}, error {name}; wanted "
                          f"{code}, {error}: {done.stdout} {done.stderr}")
        self.checks.count += 1

    # --- what the daemon says ---

    def about(self, **params):
        """The parameters of a call about this account."""
        return params if self.account is None else dict(params, account=self.account)

    def call(self, method, **params):
        if method not in OF_NODE:
            params = self.about(**params)
        with Control(self.home) as control:
            return control.call(method, params)

    def status(self):
        return self.call("daemon.status")

    def contact(self, other_id):
        for contact in self.call("contact.list")["contacts"]:
            if contact["id"] == other_id:
                return contact
        return {"state": None}

    def texts(self, contact, mine=False):
        with Control(self.home) as control:
            page = control.call("message.history", self.about(contact=contact, limit=500))
        return [m["text"] for m in page["messages"] if m["mine"] == mine]

    def event(self, wanted, since=0, patience=PATIENCE):
        """The first event behind since for which wanted(event) holds."""
        with Control(self.home) as control:
            control.call("event.subscribe", self.about(since=since))
            event = control.wait_event(wanted, patience)
        if event is None:
            raise Failure(f"{self.name}: an event did not come within {patience:.0f} s")
        return event

    def event_of(self, type_, since=0, **data):
        return self.event(lambda e: e["type"] == type_ and
                          all(e["data"].get(k) == v for k, v in data.items()), since)

    # --- steps of stories ---

    def create(self, relay=None, **params):
        """An account, and a place at this relay."""
        self.id = self.call("account.create", **params)["id"]
        if relay is not None:
            self.join(relay)
        return self

    def join(self, relay):
        self.call("relay.use", address=relay.status()["node"],
                  code=relay.call("relay.invite")["code"])
        until(f"{self.name}'s relay is ready",
              lambda: self.call("relay.status")["state"] == "ready")

    def meet(self, other):
        """Contacts by an invitation of self."""
        other.call("contact.add", link=self.call("invite.create")["link"])
        for a, b in ((self, other), (other, self)):
            until(f"{a.name} has {b.name} as a contact",
                  lambda a=a, b=b: a.contact(b.id)["state"] == "accepted")

    def send(self, other, text):
        return self.call("message.send", contact=other.id, text=text)["message"]

    def delivered(self, message):
        self.event_of("message.delivered", message=message)


def at_terminal(person, answers, *args):
    """petrelctl with a terminal, where it is answered prompt by prompt; exit code and what it
    printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(person.tool, [person.tool, "--home", str(person.home), *args])
    printed = b""
    for prompt, answer in answers:
        while not printed.endswith(prompt):
            printed += os.read(terminal, 1)
        os.write(terminal, answer + b"\n")
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while more := os.read(terminal, 4096):
            printed += more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed


class Identity(Person):
    """One more account on the node of beside, who owns the process."""

    def __init__(self, beside, name):
        super().__init__(pathlib.Path(beside.tool).parent, beside.home.parent, beside.home.name)
        self.name = name
        self.checks = beside.checks

    def create(self, relay=None, **params):
        made = self.call("account.create", another=True, **params)
        self.id, self.account = made["id"], made["account"]
        if relay is not None:
            self.join(relay)
        return self
