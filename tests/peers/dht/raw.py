# SPDX-License-Identifier: Apache-2.0
"""raw: questions to one node of a DHT over a socket, for what no implementation would say itself."""
import hashlib
import os
import socket
import time

PATIENCE = 20  # seconds, of a node that has to answer


def bencode(v):
    if isinstance(v, int):
        return b"i%de" % v
    if isinstance(v, bytes):
        return b"%d:" % len(v) + v
    if isinstance(v, list):
        return b"l" + b"".join(map(bencode, v)) + b"e"
    return b"d" + b"".join(bencode(k) + bencode(v[k]) for k in sorted(v)) + b"e"


def bdecode(data, at=0):
    """(value, where it ends)"""
    if data[at:at + 1] == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if data[at:at + 1] in (b"l", b"d"):
        items, is_dict = [], data[at:at + 1] == b"d"
        at += 1
        while data[at:at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return dict(zip(items[::2], items[1::2])) if is_dict else items, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


class Asker:
    """One address that asks. It answers nothing, and says so (BEP 43)."""

    def __init__(self, host):
        self.host = host
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                                    socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.id = os.urandom(20)

    def close(self):
        self.socket.close()

    def send(self, port, method, arguments):
        t = os.urandom(4)
        query = {b"a": {b"id": self.id, **arguments}, b"q": method, b"ro": 1, b"t": t, b"y": b"q"}
        self.socket.sendto(bencode(query), (self.host, port))
        return t

    def ask(self, port, method, arguments):
        """What it answers, None when it is silent. A node takes its datagrams in their order: once it
        answered a ping that was sent behind the question there is nothing left to wait for."""
        asked = self.send(port, method, arguments)
        ping = self.send(port, b"ping", {})
        answer = None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.socket.settimeout(end - time.monotonic())
            m = bdecode(self.socket.recv(4096))[0]
            if m[b"y"] != b"q" and m[b"t"] == asked:
                answer = m
            elif m[b"y"] != b"q" and m[b"t"] == ping:
                return answer
        raise TimeoutError(f"the node at port {port}")

    def token(self, port, target):
        return self.ask(port, b"get", {b"target": target})[b"r"][b"token"]


def target_of(key, salt=b""):
    return hashlib.sha1(key + salt).digest()


def code_of(answer):
    """0: it was taken; a code of BEP 5 or 44; None: nothing was said."""
    if answer is None:
        return None
    return answer[b"e"][0] if answer[b"y"] == b"e" else 0


class Signer:
    """A key of which ours signs (dht_cli.c), whatever is to be signed: BEP 44's buffer is made here."""

    def __init__(self, ours, seed):
        self.ours = ours
        self.seed = seed
        self.key = bytes.fromhex(ours.ask("key", seed).split()[1])

    def item(self, seq, value, salt=b""):
        """Arguments of a put, all but the token."""
        v = bencode(value)
        signed = (b"4:salt" + bencode(salt) if salt else b"") + b"3:seq" + bencode(seq) + b"1:v" + v
        sig = bytes.fromhex(self.ours.ask("sign", self.seed, signed.hex()).split()[1])
        return {b"k": self.key, b"seq": seq, b"sig": sig, b"v": value,
                **({b"salt": salt} if salt else {})}
