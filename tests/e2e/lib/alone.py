# SPDX-License-Identifier: Apache-2.0
"""A network and an /etc of one's own, for tests of how names are resolved: namespaces of the calling
program, which need no root where the system lets anybody have them."""
import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

MARK = "PETREL_E2E_ALONE"
UNSHARE = ["unshare", "--map-root-user", "--net", "--mount"]
MS_BIND = 4096
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
KEPT = ("ld.so.cache", "passwd", "group", "localtime")


def enter():
    """Runs this program again inside. False where that is refused; inside it is true."""
    if MARK in os.environ:
        loopback_up()
        return True
    try:
        there = subprocess.run([*UNSHARE, "true"], check=False, stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, timeout=20).returncode == 0
    except OSError:
        there = False
    if there:
        os.environ[MARK] = "yes"
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv])
    return False


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = struct.pack("16sh14x", b"lo", 0)
        flags, = struct.unpack_from("h", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name), 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


class Etc:
    """/etc, as this program and its children see it from now on."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        for name in KEPT:
            if os.path.exists(f"/etc/{name}"):
                shutil.copyfile(f"/etc/{name}", self.folder / name)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(os.fsencode(self.folder), b"/etc", None, MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), "mount of /etc")

    def put(self, name, text):
        """Replaces a file by another one, as those do who write resolv.conf."""
        fresh = pathlib.Path("/etc") / f"{name}.new"
        fresh.write_text(text, encoding="ascii")
        fresh.rename(pathlib.Path("/etc") / name)

    def link(self, name, target):
        """Makes a file a link to another one, wherever that is."""
        (pathlib.Path("/etc") / name).symlink_to(target)


class NameServer(threading.Thread):
    """RFC 1035 over UDP: names is {name: IPv4 address}; other types of a known name have no data, other
    names are not there. asked: the names, in their order."""

    def __init__(self, address, names):
        super().__init__(daemon=True)
        self.names = names
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(1500)
            self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        number, _, _, _, _, _ = struct.unpack_from(">6H", query)
        labels, at = [], 12
        while query[at] != 0:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        type_, = struct.unpack_from(">H", query, at + 1)
        name = ".".join(labels)
        self.asked.append(name)
        address = self.names.get(name)
        found = address is not None and type_ == 1
        header = struct.pack(">6H", number, 0x8580 if address is not None else 0x8583, 1, found, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address) \
            if found else b""
        return header + question + record
