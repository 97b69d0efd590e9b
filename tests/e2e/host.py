# SPDX-License-Identifier: Apache-2.0
"""host: the daemon around the core, from outside: process, control socket, links.

usage: host.py PETRELD_FAKE PETRELCTL [NAME...]

Runs petreld-fake (tests/e2e/fake_node.c) in temporary homes on loopback ports that the system
chooses, and ends every process that it started."""
import inspect
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from control import Client, Error, pack
from lib import tap

PETRELD, PETRELCTL = sys.argv[1:3]
DAEMONS = []


def is_plain():
    with open(PETRELD, "rb") as f:
        program = f.read()
    return b"__asan_init" not in program and b"__tsan_init" not in program


# Sanitizers keep freed memory for a while: growth is then only bounded coarsely.
GROWTH_KIB = 40 * 1024 if is_plain() else 400 * 1024


IDLE_S = 4  # in which an idle daemon must not wake up


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Daemon:
    def __init__(self, home=None, args=(), env=None, wait=True):
        self.home = home or tempfile.mkdtemp(prefix="petrel-host-")
        self.log_path = os.path.join(self.home, "test.log")
        environ = dict(os.environ, **(env or {}))
        environ.pop("XDG_RUNTIME_DIR", None)
        environ.pop("JOURNAL_STREAM", None)
        self.log_file = open(self.log_path, "ab")
        self.log_start = self.log_file.tell()  # an earlier life of this home wrote what is before
        self.proc = subprocess.Popen(
            [PETRELD, "--home", self.home, "--listen", "127.0.0.1:0", "--sandbox", "strict",
             *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log_file, env=environ)
        DAEMONS.append(self)
        if wait:
            wait_for(lambda: "ready version" in self.log() or self.proc.poll() is not None)
            assert self.proc.poll() is None, self.log()
            self.port = int(re.findall(r"listening port=(\d+)", self.log())[-1])

    def log(self):
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode(errors="replace")

    def client(self, **kw):
        return Client(self.home, **kw)

    def address(self):
        c = self.client()
        node = c.call("daemon.status")["node"]
        c.close()
        return node

    def ctl(self, *args, data=None):
        return subprocess.run([PETRELCTL, "--home", self.home, *args], input=data,
                              capture_output=True, timeout=60)

    def rss_kib(self):
        with open(f"/proc/{self.proc.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def stop(self, how=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(how)
        self.proc.wait(timeout=30)
        self.log_file.close()
        return self.proc.returncode

    def remove(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def refused(name, call, *args, **kw):
    try:
        call(*args, **kw)
    except Error as e:
        assert e.name == name, e
        return e.error
    raise AssertionError("not refused: " + name)


# --- the process ---

def starts_says_hello_and_stops_cleanly():
    d = Daemon()
    c = d.client()
    hello = c.call("hello", api=1)
    assert hello["api"] == 1 and hello["min"] == 1 and "events" in hello["features"], hello
    refused("wrong-version", c.call, "hello", api=99)
    status = c.call("daemon.status")
    assert status["node"].endswith(f"@127.0.0.1:{d.port}"), status
    assert d.stop() == 0, d.log()
    assert not os.path.lexists(os.path.join(d.home, "control.sock"))


def sigint_and_daemon_stop_are_clean_too():
    d = Daemon()
    assert d.stop(signal.SIGINT) == 0
    e = Daemon()
    assert e.ctl("stop").returncode == 0
    # stop returns when the process has ended: the home is free again at once
    f = Daemon(home=e.home)
    assert e.proc.wait(timeout=20) == 0
    assert f.stop() == 0


def a_home_is_used_once():
    d = Daemon()
    e = Daemon(home=d.home, wait=False)
    assert e.proc.wait(timeout=20) == 1
    assert "home-locked" in e.log()
    assert d.client().call("hello")["api"] == 1
    assert d.stop() == 0


def a_start_that_fails_says_why_and_cleans_up():
    home = tempfile.mkdtemp(prefix="petrel-host-")
    os.makedirs(os.path.join(home, "control.sock", "in-the-way"))
    d = Daemon(home=home, wait=False)
    assert d.proc.wait(timeout=20) == 1
    assert "cannot open the control socket" in d.log(), d.log()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        e = Daemon(args=("--listen", f"127.0.0.1:{s.getsockname()[1]}"), wait=False)
        assert e.proc.wait(timeout=20) == 1
        refused_to_listen(e, s.getsockname()[1], "another program has this port")
    f = Daemon(args=("--listen", "192.0.2.1:0"), wait=False)  # nobody's: RFC 5737
    assert f.proc.wait(timeout=20) == 1
    refused_to_listen(f, 0, "this machine has no such address")


def refused_to_listen(d, port, words):
    """One line says where, whose fault it is, and what to do."""
    errors = [line for line in d.log().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, errors
    for wanted in ("cannot listen", f"port={port} ", "err=bad-config", words, "petreld.conf"):
        assert wanted in errors[0], (wanted, errors)


def a_home_that_is_not_safe_is_refused_by_name():
    home = tempfile.mkdtemp(prefix="petrel-host-")
    os.chmod(home, 0o770)
    d = Daemon(home=home, wait=False)
    assert d.proc.wait(timeout=20) == 1
    for wanted in ("err=bad-config", f"others may write to {home}", "mode is 0770", "chmod 700"):
        assert wanted in d.log(), d.log()
    assert os.listdir(home) == ["test.log"], os.listdir(home)  # nothing was made
    os.chmod(home, 0o700)
    if os.geteuid() == 0:
        os.chown(home, 12345, -1)
        e = Daemon(home=home, wait=False)
        assert e.proc.wait(timeout=20) == 1
        assert f"{home} belongs to user 12345, and this is user 0" in e.log(), e.log()
        os.chown(home, 0, -1)
    f = Daemon(home=home)
    assert f.stop() == 0


def the_node_and_its_events_survive_a_kill():
    d = Daemon()
    address = d.address().split("@")[0]
    d.client().change("message.send", contact="x", text="kept")
    assert d.stop(signal.SIGKILL) == -9
    e = Daemon(home=d.home)
    assert e.address().split("@")[0] == address
    c = e.client()
    c.call("event.subscribe", since=0)
    assert c.event()["data"]["text"] == "kept"
    assert e.stop() == 0


def configuration_errors_name_file_line_and_reason():
    home = tempfile.mkdtemp(prefix="petrel-host-")
    conf = os.path.join(home, "petreld.conf")

    def run(*args):
        return subprocess.run([PETRELD, "--home", home, *args], capture_output=True, text=True,
                              timeout=20)
    try:
        for text, reason in (("log.level = info\nno.such = 1\n", ":2: there is no key 'no.such'"),
                             ("relay = perhaps\n", ":1: relay: 'perhaps' is not yes|no"),
                             ("\n\nnonsense\n", ":3: neither")):
            with open(conf, "w") as f:
                f.write(text)
            for args in (("--check-config",), ()):
                r = run(*args)
                assert r.returncode == 1 and conf + reason in r.stderr, r
        with open(conf, "w") as f:
            f.write("listen = [::1]:0\n[log]\nlevel = debug\n")
        assert run("--check-config").returncode == 0
        printed = run("--print-config").stdout
        assert "listen = [::1]:0" in printed and "log.level = debug" in printed, printed
        with open(conf, "w") as f:
            f.write(printed)
        assert run("--print-config").stdout == printed
        assert run("--relay", "--listen", "", "--check-config").returncode == 1
        assert run("--no-such-flag").returncode == 2
    finally:
        shutil.rmtree(home)


def sighup_changes_the_log_level():
    d = Daemon()
    with open(os.path.join(d.home, "petreld.conf"), "w") as f:
        f.write("log.level = debug\nrelay.registration = open\n")
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: "configuration read again log_level=debug" in d.log())
    assert "needs a restart key=relay.registration" in d.log()
    assert d.stop() == 0


def systemd_is_notified():
    folder = tempfile.mkdtemp(prefix="petrel-host-")
    path = os.path.join(folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(20)
        d = Daemon(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        assert s.recv(100) == b"READY=1"
        assert s.recv(100) == b"WATCHDOG=1"
        assert d.stop() == 0
        while s.recv(100) != b"STOPPING=1":
            pass
    shutil.rmtree(folder)


def no_core_dumps_and_a_private_socket():
    d = Daemon()
    with open(f"/proc/{d.proc.pid}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0", f.read())
    assert os.stat(os.path.join(d.home, "control.sock")).st_mode & 0o777 == 0o600
    assert d.stop() == 0


# --- calls ---

def wrong_calls_get_named_errors():
    d = Daemon()
    c = d.client()
    e = refused("unknown-method", c.call, "message.sing")
    assert "message.sing" in e["message"] and e["class"] == "caller" and e["code"] == 401, e
    e = refused("unknown-parameter", c.call, "hello", colour="red")
    assert "colour" in e["message"], e
    e = refused("missing-parameter", c.change, "message.send", contact="x")
    assert "text" in e["message"], e
    e = refused("missing-parameter", c.call, "message.send", contact="x", text="y")
    assert "client_id" in e["message"], e
    e = refused("bad-type", c.change, "message.send", contact="x", text=7)
    assert "text" in e["message"], e
    refused("bad-type", c.call, "message.send", contact="x", text="y", client_id=b"short")
    assert c.call("hello")["api"] == 1
    assert d.stop() == 0


def garbage_on_the_control_socket_disturbs_nobody():
    d = Daemon()
    good = d.client()
    for garbage in (b"\xff" * 100, b"GET / HTTP/1.0\r\n\r\n", b"\xdd\x10\x00\x00\x00",
                    b"\x94\x00\x01\xdb\xff\xff\xff\xff", b"\x94" + b"\x91" * 64,
                    pack([1, 1, None, {}]), pack([0, 1, "hello", []]), os.urandom(4096)):
        bad = d.client()
        bad.sock.sendall(garbage)
        try:
            m = bad.message()
            assert m[0] == 1 and m[1] == 0 and m[2]["class"] == "peer", m
            assert bad.sock.recv(1) == b""
        except (EOFError, ConnectionResetError):
            pass
        bad.close()
        assert good.call("hello")["api"] == 1
    # a message that comes byte by byte is a message
    for b in pack([0, 77, "hello", [{}]]):
        good.sock.sendall(bytes([b]))
    assert good.wait(77)["api"] == 1
    assert d.stop() == 0


def the_65th_client_is_told_so():
    d = Daemon()
    clients = [d.client() for _ in range(64)]
    for c in clients:
        assert c.call("hello")["api"] == 1
    m = d.client().message()
    assert m[1] == 0 and m[2]["name"] == "busy", m
    clients.pop().close()

    def again():
        c = d.client()
        try:
            return c.call("hello")
        except (Error, EOFError, OSError):
            return None
    assert wait_for(again)["api"] == 1
    assert d.stop() == 0


def many_calls_at_once_are_all_answered():
    d = Daemon()
    c = d.client(timeout=60)
    n = 3000
    ids = []
    # written from a second thread of control: replies are read while calls are sent
    pid = os.fork()
    if pid == 0:
        for i in range(n):
            c.sock.sendall(pack([0, i + 1, "message.send",
                                 [{"contact": "x", "text": str(i), "client_id": os.urandom(16)}]]))
        os._exit(0)
    while len(ids) < n:
        m = c.message()
        assert m[0] == 1 and m[2] is None, m
        ids.append((m[3]["order"], m[1]))
    os.waitpid(pid, 0)
    assert [i for _, i in sorted(ids)] == list(range(1, n + 1))
    assert d.stop() == 0


# --- turns that fail ---

def a_turn_that_fails_once_is_repeated():
    d = Daemon()
    c = d.client()
    assert c.change("message.send", contact="x", text="once:no-memory")["order"] == 1
    assert d.log().count("turn failed") == 1
    assert d.stop() == 0


def the_input_that_always_fails_is_dropped_alone():
    d = Daemon()
    c = d.client()
    ids = [c.send("message.send", {"contact": "x", "text": t, "client_id": os.urandom(16)})
           for t in ("a", "fail:no-memory", "b", "fail:corrupt", "c")]
    results = {}
    while len(results) < len(ids):
        m = c.message()
        results[m[1]] = m[2]["name"] if m[2] else m[3]["order"]
    assert [results[i] for i in ids] == [1, "no-memory", 2, "corrupt", 3], results
    c.call("event.subscribe", since=0)
    assert [c.event()["data"]["text"] for _ in range(3)] == ["a", "b", "c"]
    assert d.proc.poll() is None
    assert d.stop() == 0


def a_push_that_always_fails_is_skipped():
    a, b = Daemon(), Daemon()
    c = a.client(timeout=60)
    watch = b.client(timeout=60)
    c.call("event.subscribe")
    watch.call("event.subscribe")
    types = []
    for _ in range(4):
        c.change("relay.use", address=b.address())
        while c.event()["type"] != "relay.ready":
            pass
        c.change("message.send", contact="x", text="push:P")
        if len(types) < 3:
            types.append(c.event()["type"])
            while types[-1] != "relay.failing":  # b has closed all links
                types[-1] = c.event()["type"]
    assert watch.event()["type"] == "message.skipped"
    assert b.log().count("turn failed") == 3, b.log()
    assert b.log().count("push skipped") == 1, b.log()
    assert a.stop() == 0 and b.stop() == 0


def a_store_that_stays_broken_ends_the_daemon():
    d = Daemon()
    c = d.client()
    c.send("message.send", {"contact": "x", "text": "fail:io-error", "client_id": os.urandom(16)})
    assert d.proc.wait(timeout=20) == 1
    assert "the engine gives up" in d.log()


def a_full_disk_drops_the_ballast_and_takes_it_up_again():
    d = Daemon()
    c = d.client()
    ballast = os.path.join(d.home, "db", "ballast")
    assert os.path.exists(ballast)
    refused("disk-full", c.change, "message.send", contact="x", text="fail:disk-full")
    assert not os.path.exists(ballast)
    wait_for(lambda: c.change("message.send", contact="x", text="a") and os.path.exists(ballast))
    assert d.stop() == 0


# --- events ---

def events_begin_where_asked_and_go_on():
    d = Daemon()
    c = d.client()
    for i in range(5):
        c.change("message.send", contact="x", text=str(i))
    old = d.client()
    r = old.call("event.subscribe", since=2)
    assert r["cursor"] == 5 and r["start"] == 2, r
    new = d.client()
    assert new.call("event.subscribe")["cursor"] == 5
    named = d.client()
    assert named.call("event.subscribe", name="bot")["start"] == 0
    assert [old.event()["cursor"] for _ in range(3)] == [3, 4, 5]
    c.change("message.send", contact="x", text="live")
    for s in (old, new):
        assert s.event() ["data"]["text"] == "live"
    assert [named.event()["cursor"] for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert d.stop() == 0


def a_client_that_does_not_read_events_blocks_nobody():
    d = Daemon()
    slow = d.client(timeout=60)
    slow.call("event.subscribe", since=0)
    c = d.client()
    before = d.rss_kib()
    for _ in range(40):
        c.change("message.send", contact="x", text="burst:20:50000")  # 40 MB of events
    fast = d.client()
    assert fast.call("hello")["api"] == 1
    assert d.rss_kib() - before < GROWTH_KIB, (before, d.rss_kib())
    cursors = [slow.event()["cursor"] for _ in range(800)]
    assert cursors == list(range(1, 801))
    assert d.stop() == 0


# --- links ---

def two_nodes_speak_over_a_link():
    a, b = Daemon(), Daemon()
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    e = c.event()
    assert e["type"] == "relay.ready" and e["data"]["text"] == "echo", e
    assert c.call("daemon.status")["links"] == 1
    # the other side says good-bye in order
    assert b.stop() == 0
    e = c.event()
    assert e["type"] == "relay.failing" and e["data"]["text"] == "link-closed", e
    assert a.stop() == 0


def an_idle_daemon_sleeps():
    """With an open link, and after a client: until the ping, two minutes later, nothing is due."""
    a, b = Daemon(), Daemon()
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"

    def slept():
        """How often each thread went to sleep; that for sockets alone beside a sanitizer's own."""
        found = {}
        for d in (a, b):
            tasks = f"/proc/{d.proc.pid}/task"
            for task in os.listdir(tasks) if is_plain() else [str(d.proc.pid)]:
                with open(f"{tasks}/{task}/status") as f:
                    found[task] = re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                            f.read()).group(1)
        assert len(found) >= (6 if is_plain() else 2), found  # sockets, engine, flusher
        return found

    def quiet():
        before = slept()
        time.sleep(IDLE_S)
        return slept() == before
    wait_for(quiet, 6 * IDLE_S)
    assert c.call("daemon.status")["links"] == 1
    assert a.stop() == 0 and b.stop() == 0


def a_peer_that_does_not_read_is_closed():
    a, b = Daemon(), Daemon()
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    before = a.rss_kib()
    b.proc.send_signal(signal.SIGSTOP)
    try:
        # what the kernel's buffers hold, 4 MiB, and then no more
        for _ in range(12):
            c.change("message.send", contact="x", text="flood:50:60000")
        e = c.event()
        assert e["type"] == "relay.failing" and e["data"]["text"] == "timeout", e
        assert a.rss_kib() - before < GROWTH_KIB, (before, a.rss_kib())
    finally:
        b.proc.send_signal(signal.SIGCONT)
    assert a.stop() == 0 and b.stop() == 0


def more_frames_than_the_queue_holds_all_arrive():
    a, b = Daemon(), Daemon()
    c = a.client(timeout=60)
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    for _ in range(3):
        c.change("message.send", contact="x", text="flood:10000:10")  # the queue holds 4,096
        for _ in range(10000):
            assert c.event()["type"] == "relay.ready"
    assert b.client().call("daemon.status")["outbox"] == 30001  # frames that the fake counts
    assert a.stop() == 0 and b.stop() == 0


def what_cannot_be_dialled_is_named():
    a, b = Daemon(), Daemon()
    c = a.client()
    c.call("event.subscribe")
    node, port = b.address().split("@")[0], b.port
    c.change("relay.use", address=node[::-1][:64] + f"@127.0.0.1:{port}")  # not that node's key
    e = c.event()
    assert e["data"]["text"] in ("bad-handshake", "bad-key", "decrypt-failed"), e
    b.stop()
    c.change("relay.use", address=f"{node}@127.0.0.1:{port}")
    assert c.event()["data"]["text"] == "unreachable"
    c.change("relay.use", address=f"{node}@no-such-host.invalid:1")
    assert c.event()["data"]["text"] == "unreachable"
    assert a.stop() == 0


def a_failed_turn_closes_the_links_and_new_ones_open():
    a, b = Daemon(), Daemon()
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    c.change("message.send", contact="x", text="once:no-memory")
    assert c.event()["type"] == "message.received"
    assert c.call("daemon.status")["links"] == 0
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    other = b.client()
    wait_for(lambda: other.call("daemon.status")["links"] == 1)
    assert a.stop() == 0 and b.stop() == 0


def garbage_on_the_port_disturbs_nobody():
    a, b = Daemon(), Daemon()
    for garbage in (b"\x00\x00", b"\xff\xff" + os.urandom(65535), b"\x04\xe0" + os.urandom(1248),
                    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200, os.urandom(100000)):
        with socket.create_connection(("127.0.0.1", b.port), timeout=20) as s:
            try:
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    assert a.stop() == 0 and b.stop() == 0


def half_open_links_are_bounded():
    a, b = Daemon(), Daemon()
    idle = [socket.create_connection(("127.0.0.1", b.port), timeout=20) for _ in range(600)]

    def open_sockets():
        folder = f"/proc/{b.proc.pid}/fd"
        n = 0
        for fd in os.listdir(folder):
            try:
                n += os.readlink(os.path.join(folder, fd)).startswith("socket:")
            except OSError:
                pass
        return n
    wait_for(lambda: "too many handshakes" in b.log())
    wait_for(lambda: open_sockets() <= 512 + 16)
    # an honest one gets through meanwhile
    c = a.client()
    c.call("event.subscribe")
    c.change("relay.use", address=b.address())
    assert c.event()["type"] == "relay.ready"
    # and the idle ones are gone after ten seconds
    wait_for(lambda: open_sockets() < 32, 25)
    for s in idle:
        s.close()
    assert a.stop() == 0 and b.stop() == 0


# --- accounts and petrelctl ---

def a_passphrase_never_reaches_the_core_or_the_log():
    d = Daemon(args=("--log-level", "debug"))
    c = d.client(timeout=60)
    refused("no-account", c.call, "account.show")
    refused("no-account", c.call, "account.unlock", passphrase="horse")
    r = c.change("account.create", passphrase="correct horse battery")
    assert r["leaked"] is False, r
    assert c.call("account.show")["id"] == "petrel1fake"
    refused("account-exists", c.change, "account.create", passphrase="another")
    assert d.stop() == 0
    e = Daemon(home=d.home)
    c = e.client(timeout=60)
    refused("no-account", c.call, "account.show")  # the fake's word for locked
    refused("wrong-key", c.call, "account.unlock", passphrase="wrong")
    assert c.call("account.unlock", passphrase="correct horse battery")["leaked"] is False
    assert c.call("account.show")["id"] == "petrel1fake"
    refused("missing-parameter", c.call, "account.passphrase", new="stapled donkey")
    refused("wrong-key", c.call, "account.passphrase", passphrase="wrong", new="stapled donkey")
    assert c.call("account.passphrase", passphrase="correct horse battery",
                  new="stapled donkey")["leaked"] is False
    refused("wrong-key", c.call, "account.unlock", passphrase="correct horse battery")
    assert c.call("account.unlock", passphrase="stapled donkey")["leaked"] is False
    for wrong in ({}, {"new": ""}, {"new": "x" * 1025}, {"new": "x", "remove": True},
                  {"remove": True, "credential": True}):
        refused("bad-argument", c.call, "account.passphrase", passphrase="stapled donkey", **wrong)
    assert e.stop() == 0
    assert not any(word in d.log() + e.log() for word in ("correct", "horse", "donkey"))


def petrelctl_keeps_its_word():
    d = Daemon()
    assert d.ctl("--json", "id").returncode == 4
    r = d.ctl("--json", "init")
    assert r.returncode == 0 and json.loads(r.stdout)["id"] == "petrel1fake", r
    assert d.ctl("id").stdout == b"petrel1fake\n"
    assert json.loads(d.ctl("id", "--json").stdout)["id"] == "petrel1fake"
    r = d.ctl("contacts")  # more than a page of them
    assert [line.split()[0] for line in r.stdout.splitlines()] == \
        [b"contact-%d" % i for i in range(1, 61)], r
    r = d.ctl("--json", "contacts")
    assert [json.loads(line)["id"] for line in r.stdout.splitlines()] == \
        [f"contact-{i}" for i in range(1, 61)], r
    assert d.ctl("nonsense").returncode == 2
    assert d.ctl("send", "x").returncode == 2
    assert d.ctl("send", "x", "-", data=b"\xff\xfe").returncode == 2
    assert d.ctl("send", "x", "-", data=b"a" * (56 * 1024 + 1)).returncode == 2
    assert d.ctl("send", "x", "-", data=b"a" * (56 * 1024) + b"\n").returncode == 0
    assert d.ctl("send", "x", "--", "--json").stdout.startswith(b"0000")
    evil = "\x1b]0;owned\x07 \u202e \x9b2J"
    assert d.ctl("send", "x", "--", evil).returncode == 0
    r = d.ctl("events", "--since", "2", "--no-follow")
    assert r.returncode == 0 and b"\x1b" not in r.stdout and b"<U+001B>" in r.stdout, r
    assert "\u202e".encode() not in r.stdout and "\x9b".encode() not in r.stdout, r
    r = d.ctl("--json", "events", "--since", "2", "--count", "1")
    assert json.loads(r.stdout)["data"]["text"] == evil and all(b < 0x7F for b in r.stdout), r
    r = d.ctl("--json", "send", "x", "fail:no-memory")
    assert r.returncode == 1 and json.loads(r.stdout)["error"]["name"] == "no-memory", r
    assert d.ctl("events", "--ack").returncode == 2
    assert d.stop() == 0
    r = d.ctl("status")
    assert r.returncode == 5 and b"petreld --home" in r.stderr, r


def what_cannot_be_printed_is_a_local_failure():
    d = Daemon()

    def check(program, *args, code=1):
        with open("/dev/full", "wb") as full:
            r = subprocess.run([program, "--home", d.home, *args], stdout=full,
                               stderr=subprocess.PIPE, timeout=60)
        name = "petreld" if program == PETRELD else "petrelctl"
        wanted = f"{name}: cannot write to standard output: No space left on device\n"
        assert r.returncode == code and r.stderr.decode() == wanted, (args, r)
    check(PETRELCTL, "--json", "id", code=4)  # there is no account: what failed first counts
    assert d.ctl("init").returncode == 0
    assert d.ctl("send", "x", "a").returncode == 0
    for args in (["status"], ["--json", "status"], ["id"], ["help"], ["help", "--list"], ["--help"],
                 ["--version"], ["events", "--since", "0"], ["--json", "events", "--since", "0"]):
        check(PETRELCTL, *args)
    for args in (["--help"], ["--version"], ["--print-config"]):
        check(PETRELD, *args)
    # an event that was not printed is not acknowledged
    check(PETRELCTL, "events", "--as", "bot", "--ack")
    assert d.client().call("event.subscribe", name="bot")["start"] == 0
    # what prints nothing has nothing to lose
    with open("/dev/full", "wb") as full:
        assert subprocess.run([PETRELD, "--home", d.home, "--check-config"], stdout=full,
                              timeout=60).returncode == 0
    assert d.stop() == 0


# Every function above that takes nothing is a check.
TESTS = [v for v in list(globals().values())
         if inspect.isfunction(v) and v.__module__ == __name__ and v.__code__.co_argcount == 0]


def main():
    wanted = sys.argv[3:]
    ran = 0
    for test in TESTS:
        if wanted and test.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            test()
        except BaseException:
            for d in DAEMONS:
                print(f"--- log of {d.home}\n{d.log()}", file=sys.stderr)
            raise
        finally:
            while DAEMONS:
                DAEMONS.pop().remove()
        tap.passed("host.py", test.__name__)
        ran += 1
        print(f"ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{ran} checks")
    return 0 if ran > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
