# SPDX-License-Identifier: Apache-2.0
"""What a relay's operator, and whoever listens on its links, can look at: its disk, the memory of
its process, bytes that pass."""
import hashlib
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from lib import mpack
from lib.node import Still
from lib.people import PATIENCE

PAGE = os.sysconf("SC_PAGE_SIZE")
HUGE = 64 << 30  # bytes of address space; only a sanitizer's shadow and the database's map have it
THERE = re.compile(rb"[\x40-\xff]+")  # highest bytes of entries of pagemap: bit 62 or 63 is set
CAP_SYS_PTRACE = 19
TURN_S = 0.3  # how long a turn is waited for
UNREADABLE = ("[vvar]", "[vsyscall]", "[vvar_vclock]")

# Frames (docs/protocol/03-link.md, section 3.5; 04-relay.md, section 4.1).
ATTACH, DEPOSIT, POP, SEALED, REPLY = 18, 19, 24, 29, 128


def within_a_turn(node, look):
    """Waits until the node works on a turn, as its lock file says (docs/protocol/08-at-rest.md,
    section 8.7), stops it there and looks. false: it was not to be caught within TURN_S."""
    still = Still(node)
    with open(node.home / "lock", "rb") as lock, \
            mmap.mmap(lock.fileno(), 8, prot=mmap.PROT_READ) as page:
        end = time.monotonic() + TURN_S
        while time.monotonic() < end:
            if page[:8] != bytes(8):
                with still:
                    if page[:8] != bytes(8):
                        look()
                        return True
    return False


def memory_is_ours_to_read():
    """petreld is not dumpable: its memory is for those who may trace any process, as root may."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(mask, 16) >> CAP_SYS_PTRACE & 1)


def memory_image(pid, path):
    """Writes all resident pages of a process to a file: a core image without the empty parts.
    What was left out."""
    left_out = set()
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        regions = [line.split(maxsplit=5) for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, \
            open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pages, open(path, "wb") as image:
        for region in regions:
            name = region[5].strip() if len(region) > 5 else ""
            start, end = (int(x, 16) for x in region[0].split("-"))
            if "r" not in region[1] or name in UNREADABLE:
                continue
            if name.startswith("/") and os.path.exists(name):
                end = min(end, start + -(-os.path.getsize(name) // PAGE) * PAGE)
            if end - start > HUGE:
                left_out.add(f"{(end - start) >> 30} GiB {name or 'without a name'}")
                continue
            for first, count in _resident(pages, start // PAGE, end // PAGE):
                at, last = first * PAGE, (first + count) * PAGE
                while at < last:
                    memory.seek(at)
                    at += image.write(memory.read(last - at))
    return left_out


def _resident(pages, first, end):
    """Runs (first page, count) that are in memory or swapped out."""
    pages.seek(first * 8)
    flags = pages.read((end - first) * 8)[7::8]
    for run in THERE.finditer(flags):
        yield first + run.start(), run.end() - run.start()


def copy_home(node, target):
    """All files of a home and the log, except the socket."""
    shutil.copytree(node.home, target, symlinks=True,
                    ignore=lambda _, names: [n for n in names if n == "control.sock"])
    shutil.copyfile(node.log, target / "log")


def files_of(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


class Reader:
    """e2e_rows on copies of homes. folder: for them."""

    def __init__(self, tool, folder):
        self.tool = str(tool)
        self.folder = pathlib.Path(folder)

    def _run(self, what, home, *args, data=None):
        copy = self.folder / "opened-home"
        # What a process held in its lock file has no meaning for another one.
        shutil.copytree(home, copy, symlinks=True, ignore=lambda _, names: [
            n for n in names if n in ("control.sock", "lock.mdb", "ballast")])
        try:
            done = subprocess.run([self.tool, what, copy, *args], input=data, check=True,
                                  capture_output=True, text=True)
        finally:
            shutil.rmtree(copy)
        return done.stdout.splitlines()

    def rows(self, home):
        """[(table, key, opened, value)] of all rows, opened with the node's key where it fits."""
        return [(table, bytes.fromhex(key), state == "opened", bytes.fromhex(value))
                for table, key, state, value in
                (line.split(" ") for line in self._run("node", home))]

    def names(self, home, account=1, passphrase=""):
        """{name: bytes} of an account's public keys; siv opens token nonces."""
        return {name: bytes.fromhex(value) for name, value in
                (line.split(" ") for line in self._run("names", home, str(account), passphrase))}

    def requests(self, home, sealed):
        """[(kind, body) or None] of sealed requests to this relay."""
        lines = self._run("requests", home, data="".join(s.hex() + "\n" for s in sealed))
        return [None if line == "-" else (int(line.split(" ")[0]),
                                          bytes.fromhex(line.split(" ")[1])) for line in lines]


def opened_nonce(siv, nonce):
    """The number of the contact who was given the token with this nonce; None: not one of ours."""
    def hashed(label, data):
        return hashlib.blake2b(label + data, key=siv, digest_size=16).digest()[:8]
    plain = bytes(a ^ b for a, b in zip(nonce[8:], hashed(b"petrel/1 token stream", nonce[:8])))
    return struct.unpack_from(">I", plain)[0] if hashed(b"petrel/1 token siv", plain) == nonce[:8] \
        else None


class Recorder:
    """Passes connections on to a port and keeps every byte."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.target = None
        self.connections = []  # [asked, answered]: what either end sent
        self.threads = []
        self._spawn(self._accept)

    def _spawn(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            kept = [bytearray(), bytearray()]
            self.connections.append(kept)
            self._spawn(self._pass, client, server, kept[0])
            self._spawn(self._pass, server, client, kept[1])

    @staticmethod
    def _pass(source, sink, kept):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # One end is gone: so is the other.
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        """All daemons have ended: every connection is at its end, too."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)


def frames(stream, handshake):
    """The frames in a stream of a daemon whose links are open. handshake: lengths of this end's
    messages."""
    at, found = 0, []
    while at + 2 <= len(stream):
        length = struct.unpack_from(">H", stream, at)[0]
        message = bytes(stream[at + 2:at + 2 + length])
        at += 2 + length
        if handshake:
            assert length == handshake[0], (length, handshake)
            handshake = handshake[1:]
        elif len(message) == length:
            found.append(message[2:2 + struct.unpack_from(">H", message)[0]])
    return found


class Link:
    """A recorded connection between daemons whose links are open."""

    def __init__(self, connection):
        self.streams = [bytes(c) for c in connection]
        self.asked = self._read(connection[0], (1248, 64))    # [(frame, [kind, id, body])]
        self.answered = self._read(connection[1], (1152,))
        self.queues = {frame[2][0] for _, frame in self.asked if frame[0] == ATTACH}

    @staticmethod
    def _read(stream, handshake):
        return [(data, mpack.unpack(data)[0]) for data in frames(stream, handshake)]

    def frames(self):
        return b"".join(data for data, _ in self.asked + self.answered)
