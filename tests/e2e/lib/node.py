# SPDX-License-Identifier: Apache-2.0
"""A petreld under test: its home, its process, its log."""
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import time

from lib.control import Control, Lost


class Died(Exception):
    """A daemon ended although nobody had asked it to."""


class Still:
    """A process that is stopped meanwhile: what is seen of it belongs to one moment."""

    def __init__(self, node):
        node.must_live()
        self.name = node.name
        self.pid = node.process.pid

    def stop(self, timeout=60.0):
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + timeout
        while self._state() != "T":
            if time.monotonic() > deadline:
                raise Died(f"{self.name} does not stop")

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self):
        self.stop()

    def __exit__(self, *_):
        self.go_on()

    def _state(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        return stat.rsplit(")", 1)[1].split()[0]


class Node:
    def __init__(self, program, folder, name, arguments=()):
        self.program = str(program)
        self.name = name
        self.home = pathlib.Path(folder) / name
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.runtime = pathlib.Path(folder) / "run"
        self.arguments = list(arguments)
        self.listen = "127.0.0.1:0"
        self.environment = {}  # added to that of the test
        self.prefix = []  # a program that becomes the daemon: elsewhere, or with less
        self.process = None
        self.runtime.mkdir(mode=0o700, exist_ok=True)

    def launch(self, arguments=(), pass_fds=()):
        """Starts it and returns at once."""
        command = [*self.prefix, self.program, "--home", str(self.home), "--listen", self.listen,
                   "--sandbox", "strict",
                   *self.arguments, *arguments]
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.runtime))
        environment.pop("NOTIFY_SOCKET", None)
        environment.update(self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                pass_fds=pass_fds)

    def start(self, timeout=60.0, arguments=(), pass_fds=()):
        """Starts it and waits until it answers."""
        self.launch(arguments, pass_fds)
        deadline = time.monotonic() + timeout
        while True:
            self.must_live()
            try:
                with Control(self.home, timeout=5.0):
                    return
            except Lost:
                if time.monotonic() > deadline:
                    raise Died(f"{self.name} does not answer within {timeout} s") from None
                time.sleep(0.01)

    def keep_port(self):
        """Listens on the same port after a restart. Returns the node's address."""
        with Control(self.home) as control:
            address = control.call("daemon.status")["node"]
        self.listen = address.split("@", 1)[1]
        return address

    def must_live(self):
        if self.process is not None and self.process.poll() is not None:
            raise Died(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")

    def kill(self, into=None, patience=0.0):
        """SIGKILL. Whether a turn was open at that moment, or waited for the disk: words 0 and 2 of
        the lock file's page. With into, it waits at most patience seconds for a turn in which the
        process can be stopped, so many seconds after it was seen to be open."""
        self.must_live()
        if into is not None:
            self._stop_within_a_turn(time.monotonic() + patience, into)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        with open(self.home / "lock", "rb") as lock:
            turn, _, flush = struct.unpack("=3Q", lock.read(24))
            return 1 in (turn, flush)

    def _stop_within_a_turn(self, deadline, into):
        closed = bytes(8)
        still = Still(self)
        with open(self.home / "lock", "rb") as lock, \
                mmap.mmap(lock.fileno(), 8, prot=mmap.PROT_READ) as page:
            while time.monotonic() < deadline:
                if page[:8] == closed:
                    continue
                end = time.monotonic() + into
                while time.monotonic() < end:
                    pass
                still.stop()
                if page[:8] != closed:
                    return
                still.go_on()

    def stop(self, timeout=60.0):
        """Asks it to end; its exit code."""
        with Control(self.home) as control:
            control.call("daemon.stop")
        code = self.process.wait(timeout)
        self.process = None
        return code

    def replayed(self):
        """How many turns its starts so far have taken from the log."""
        return sum(int(line.rsplit("count=", 1)[1]) for line in self.log.read_text().splitlines()
                   if "turns taken from the log" in line)

    def terminate(self, how=signal.SIGTERM, timeout=60.0):
        """Sends a signal; the exit code."""
        self.process.send_signal(how)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def rss_kib(self, line="VmRSS:"):
        """Memory of the process now, or with VmHWM: the most that it ever was."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(row.split()[1]) for row in status.splitlines() if row.startswith(line))

    def destroy(self):
        """For the end of a test, however it ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log_tail(self, lines=20):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
