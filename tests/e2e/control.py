# SPDX-License-Identifier: Apache-2.0
"""control: a small client of the control socket with the Python standard library alone: msgpack,
calls, events. A second implementation of docs/protocol/09-control.md."""
import os
import socket
import struct


def pack(v):
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return pack_int(v)
    if isinstance(v, str):
        b = v.encode()
        return head(len(b), 0xA0, 32, ((0xD9, "B"), (0xDA, ">H"), (0xDB, ">I"))) + b
    if isinstance(v, bytes):
        return head(len(v), None, 0, ((0xC4, "B"), (0xC5, ">H"), (0xC6, ">I"))) + v
    if isinstance(v, (list, tuple)):
        return head(len(v), 0x90, 16, ((0xDC, ">H"), (0xDD, ">I"))) + b"".join(map(pack, v))
    pairs = b"".join(pack(k) + pack(x) for k, x in v.items())
    return head(len(v), 0x80, 16, ((0xDE, ">H"), (0xDF, ">I"))) + pairs


def pack_int(v):
    if 0 <= v < 128 or -32 <= v < 0:
        return struct.pack("b" if v < 0 else "B", v)
    for code, fmt, top in ((0xCC, "B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)):
        if 0 <= v < 1 << top:
            return bytes([code]) + struct.pack(fmt, v)
    raise ValueError(v)


def head(n, fix, room, forms):
    if fix is not None and n < room:
        return bytes([fix | n])
    for code, fmt in forms:
        if n < 1 << 8 * struct.calcsize(fmt):
            return bytes([code]) + struct.pack(fmt, n)
    raise ValueError(n)


def unpack(b, i=0):
    """The value at i, and where the next begins. IndexError or struct.error: not all there."""
    c = b[i]
    if c < 0x80 or c >= 0xE0:
        return (c if c < 0x80 else c - 256), i + 1
    if c in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[c], i + 1
    if 0xCC <= c <= 0xD3:
        fmt = ">" + "BHIQbhiq"[c - 0xCC]
        return struct.unpack_from(fmt, b, i + 1)[0], i + 1 + struct.calcsize(fmt)
    if c < 0xC0:
        kind, n, i = ("map" if c < 0x90 else "array" if c < 0xA0 else "str",
                      c & (0x1F if c >= 0xA0 else 0x0F), i + 1)
    else:
        kind, fmt = {0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"),
                     0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"),
                     0xDC: ("array", ">H"), 0xDD: ("array", ">I"),
                     0xDE: ("map", ">H"), 0xDF: ("map", ">I")}[c]
        n = struct.unpack_from(fmt, b, i + 1)[0]
        i += 1 + struct.calcsize(fmt)
    if kind in ("str", "bin"):
        if i + n > len(b):
            raise IndexError
        return (b[i:i + n].decode() if kind == "str" else b[i:i + n]), i + n
    items = []
    for _ in range(n * (2 if kind == "map" else 1)):
        v, i = unpack(b, i)
        items.append(v)
    return (dict(zip(items[::2], items[1::2])) if kind == "map" else items), i


class Error(Exception):
    def __init__(self, error):
        super().__init__(error["name"] + ": " + error["message"])
        self.error = error
        self.name = error["name"]


class Client:
    """One connection. Calls block; events are collected in order."""

    def __init__(self, home, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(os.path.join(home, "control.sock"))
        self.buf = b""
        self.events = []
        self.next = 1

    def close(self):
        self.sock.close()

    def message(self):
        while True:
            try:
                v, end = unpack(self.buf)
                self.buf = self.buf[end:]
                return v
            except (IndexError, struct.error):
                got = self.sock.recv(65536)
                if not got:
                    raise EOFError
                self.buf += got

    def send(self, method, params):
        id_ = self.next
        self.next += 1
        self.sock.sendall(pack([0, id_, method, [params]]))
        return id_

    def wait(self, id_):
        while True:
            m = self.message()
            if m[0] == 2:
                self.events.append(m[2][0])
            elif m[1] in (id_, 0):
                if m[2] is not None:
                    raise Error(m[2])
                return m[3]

    def call(self, method, **params):
        return self.wait(self.send(method, params))

    def change(self, method, **params):
        """A call that changes something: with a client_id."""
        return self.call(method, client_id=os.urandom(16), **params)

    def event(self):
        while not self.events:
            m = self.message()
            assert m[0] == 2, m
            self.events.append(m[2][0])
        return self.events.pop(0)
