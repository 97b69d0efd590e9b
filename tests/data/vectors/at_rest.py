#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of docs/protocol/08-at-rest.md, for its vectors alone.

Prints at_rest.json. Uses nothing but the standard library; XChaCha20-Poly1305 is written out
(RFC 8439 and draft-irtf-cfrg-xchacha-03), BLAKE2b is hashlib's.
"""
import hashlib
import json
import struct


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        v = s[z] ^ s[x]
        s[z] = ((v << turn) | (v >> (32 - turn))) & 0xFFFFFFFF


def rounds(state):
    s = list(state)
    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, *q)
    return s


CONSTANT = struct.unpack("<4I", b"expand 32-byte k")


def hchacha20(key, nonce16):
    s = rounds(CONSTANT + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))
    return struct.pack("<8I", *(s[0:4] + s[12:16]))


def chacha20(key, nonce12, counter, data):
    out = b""
    for i in range(0, len(data), 64):
        state = (CONSTANT + struct.unpack("<8I", key) + (counter + i // 64,) +
                 struct.unpack("<3I", nonce12))
        block = struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)))
        out += bytes(a ^ b for a, b in zip(data[i:i + 64], block))
    return out


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(message), 16):
        acc = (acc + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def aead_seal(key, nonce, ad, plain):
    sub, n12 = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    cipher = chacha20(sub, n12, 1, plain)
    pad = [bytes(-len(x) % 16) for x in (ad, cipher)]
    mac = ad + pad[0] + cipher + pad[1] + struct.pack("<QQ", len(ad), len(cipher))
    return cipher + poly1305(chacha20(sub, n12, 0, bytes(32)), mac)


def blake2b(size, label, *parts, key=b""):
    return hashlib.blake2b(label.encode() + b"".join(parts), digest_size=size, key=key).digest()


def row(key, table, where, bucket, generation, nonce, plain):
    return (struct.pack(">BBI", 1, bucket, generation) + nonce +
            aead_seal(key, nonce, table.encode() + b"\0" + where, plain))


def fill(first, count):
    return bytes((first + i) % 256 for i in range(count))


def account_rows():
    root, bucket_key, name_key = fill(0x10, 32), fill(0x40, 32), fill(0x70, 32)
    account, bucket, generation = 1, 3, 1
    wrap = blake2b(32, "petrel/1 bucket wrap", key=root)
    bucket_where = struct.pack(">IBI", account, bucket, generation)
    name_where = struct.pack(">I", account)
    pack_where = struct.pack(">IBI", account, 0, 0)
    pack = b"".join(struct.pack(">I", 1) + (bucket_key if b == bucket else fill(b, 32))
                    for b in range(15)) + bytes(36)
    where, plain, nonce = bytes.fromhex("000000010000000700000001"), b"a ratchet state", fill(3, 24)
    day = blake2b(16, "petrel/1 message bucket", struct.pack(">II", 7, 20000), key=name_key)
    return {
        "root": root.hex(), "account": account, "bucket": bucket, "generation": generation,
        "bucket_key_at": bucket_where.hex(),
        "bucket_key_row": row(wrap, "bucket", bucket_where, bucket, 1, fill(1, 24),
                              bucket_key).hex(),
        "pack_at": pack_where.hex(),
        "pack_row": row(wrap, "bucket", pack_where, 0, 1, fill(6, 24), pack).hex(),
        "name_key_at": name_where.hex(),
        "name_key_row": row(wrap, "bucket", name_where, 0, 1, fill(2, 24), name_key).hex(),
        "table": "session", "at": where.hex(), "nonce": nonce.hex(), "plain": plain.hex(),
        "row": row(bucket_key, "session", where, bucket, generation, nonce, plain).hex(),
        "name_label": "petrel/1 test name", "name": b"somebody".hex(),
        "name_hash": blake2b(16, "petrel/1 test name", b"somebody", key=name_key).hex(),
        "conversation": 7, "day": 20000,
        "message_bucket": 16 + int.from_bytes(day[:8], "big") % 240,
    }


def node_rows():
    key, where, plain, nonce = fill(0x20, 32), fill(0xA0, 32), b"queue 1", fill(4, 24)
    rows = blake2b(32, "petrel/1 node rows", key=key)
    names = blake2b(32, "petrel/1 node names", key=key)
    return {
        "key": key.hex(), "table": "queue", "at": where.hex(), "nonce": nonce.hex(),
        "plain": plain.hex(), "row": row(rows, "queue", where, 0, 1, nonce, plain).hex(),
        "name_label": "petrel/1 test name", "name": b"somebody".hex(),
        "name_hash": blake2b(16, "petrel/1 test name", b"somebody", key=names).hex(),
    }


def erase_file():
    secret, root, salt, nonce = fill(0x30, 32), fill(0x50, 32), fill(0xC0, 16), fill(5, 24)
    account, kind, ops, mem_kib, slot, generation, former = 1, 2, 0, 0, 1, 2, 1
    header = b"petrel/1 erase\0\0" + struct.pack(">BBIII", 1, kind, account, ops, mem_kib) + salt
    key = blake2b(32, "petrel/1 erase key", salt, key=secret)
    body = struct.pack(">Q", generation) + nonce + aead_seal(
        key, nonce, header + struct.pack(">BQ", slot, generation), root)
    return {
        "secret": secret.hex(), "root": root.hex(), "salt": salt.hex(), "nonce": nonce.hex(),
        "account": account, "kind": kind, "slot": slot, "generation": generation,
        "former": former,
        "header": (header + blake2b(16, "petrel/1 erase header", header)
                   + struct.pack(">Q", former)).hex(),
        "slot_bytes": (body + blake2b(16, "petrel/1 erase slot", bytes([slot]), body)).hex(),
    }


print(json.dumps({"source": "at_rest.py", "account": account_rows(), "node": node_rows(),
                  "erase": erase_file()}, indent=2))
