#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of tokens, sealed records and all requests and replies of a relay, from
the specification alone (docs/protocol/04-relay.md), with nothing but Python's standard library.

  relay.py check FILE      recompute every vector of FILE
  relay.py generate FILE   write it anew (after the specification was changed on purpose)
"""
import hashlib
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "names"))
import names  # Ed25519, XChaCha20, msgpack  # noqa: E402


def be(n, size):
    return n.to_bytes(size, "big")


def blake(size, key, label, *parts):
    return hashlib.blake2b(label.encode() + b"".join(parts), digest_size=size, key=key).digest()


def pack(v):
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, dict):
        out = bytes([0x80 | len(v)])
        return out + b"".join(names.pack(k) + pack(v[k]) for k in sorted(v))
    if isinstance(v, list):
        return names.head(0x90, 15, ((0xDC, 2),), len(v)) + b"".join(map(pack, v))
    return names.pack(v)


# --- section 4: tokens ---------------------------------------------------------------------------


def token(k, siv, target, contact, counter, epoch):
    plain = be(contact, 4) + be(counter, 4)
    tag = blake(16, siv, "petrel/1 token siv", plain)[:8]
    stream = blake(16, siv, "petrel/1 token stream", tag)[:8]
    nonce = tag + bytes(a ^ b for a, b in zip(plain, stream))
    k_epoch = blake(32, k, "petrel/1 token epoch", be(epoch, 4))
    return nonce + blake(16, k_epoch, "petrel/1 token", target, nonce)


# --- section 7: sealed records ---------------------------------------------------------------------


def xchacha_seal(key, nonce, ad, plain):
    _, s = names.chacha_rounds(key, nonce[:16])
    key, nonce = names.pack_words(s[:4] + s[12:]), bytes(4) + nonce[16:]
    blocks = len(plain) // 64 + 1
    stream = b"".join(names.chacha_block(key, 1 + i, nonce) for i in range(blocks))
    ct = bytes(a ^ b for a, b in zip(plain, stream))
    lengths = len(ad).to_bytes(8, "little") + len(ct).to_bytes(8, "little")
    mac = ad + bytes(-len(ad) % 16) + ct + bytes(-len(ct) % 16) + lengths
    return ct + names.poly1305(names.chacha_block(key, 0, nonce)[:32], mac)


def sealed(identity, record, part, nonce, plain):
    key = blake(32, b"", "petrel/1 record", identity, record)
    ad = b"body" if part == 0 else b"part" + be(part, 4)
    return nonce + xchacha_seal(key, nonce, ad, plain)


# --- sections 2 and 3: requests and replies --------------------------------------------------------


def signed(label, key_seed, member_seed, handshake_hash, body, period=None):
    """With a period, key_seed is an identity, whose blinded key signs."""
    key = names.public(key_seed)
    if period is not None:
        key = names.blind_public(key, period)
    keys = [key] + ([names.public(member_seed)] if member_seed else [])
    covered = handshake_hash + b"".join(keys) + body
    out = {0: key, 1: names.sign(key_seed, label, covered) if period is None else
           names.blind_sign(key_seed, period, label.encode() + b"\0" + covered)}
    if member_seed:
        out[2] = keys[1]
        out[3] = names.sign(member_seed, label, covered)
    if body:
        out[4] = body
    return pack(out)


def admission(c):
    if "token" in c:
        return {1: c["token"]}
    return {2: [c["stamp_minute"], c["stamp_nonce"]]}


def optional(key, c, name):
    return {key: c[name]} if name in c else {}


def parts_of(c):
    return [[first, bytes([fill]) * size] for first, fill, size in c.get("parts", [])]


def item(c):
    value = bytes([c["fill"]]) * 992
    sig = bytes([c["fill"] ^ 0xFF]) * 64
    key = c["blinded"] if "blinded" in c else names.blind_public(
        names.public(c["seed"]), c["period"])
    return {0: key, 1: c["seq"], 2: sig, 3: value}


def head(c):
    return {0: c.get("code", 0), **optional(1, c, "retry_after_ms")}


def envelope(c):
    return bytes([c["fill"]]) * c["size"]


REQUESTS = {
    "member_join": lambda c: signed(
        "petrel/1 member join", c["seed"], None, c["hash"], pack(optional(0, c, "join_code"))),
    "member_leave": lambda c: signed(
        "petrel/1 member leave", c["seed"], None, c["hash"], pack({})),
    "queue_register": lambda c: signed(
        "petrel/1 register", c["seed"], c["member_seed"], c["hash"], pack({0: c["k"]})),
    "queue_attach": lambda c: signed("petrel/1 attach", c["seed"], None, c["hash"], b""),
    "queue_deposit": lambda c: pack({
        0: c["target"], **admission(c), 3: c["lifetime"],
        **({4: True} if c["volatile"] else {}), 5: envelope(c)}),
    "queue_push": lambda c: pack({
        0: c["target"], 1: c["number"], **optional(2, c, "nonce"), 3: c["deposited_ms"],
        4: envelope(c)}),
    "queue_ack": lambda c: pack({0: c["target"], 1: c["number"]}),
    "queue_void": lambda c: pack({0: c["target"], 1: bytes([c["fill"]]) * (16 * c["count"])}),
    "record_put": lambda c: signed(
        "petrel/1 record put", c["seed"], c["member_seed"], c["hash"], pack({
            0: c["seq"], 1: c["k"], **optional(2, c, "body"), **optional(3, c, "drop_below"),
            **({4: parts_of(c)} if parts_of(c) else {})})),
    "record_get": lambda c: pack({0: c["target"]}),
    "record_pop": lambda c: pack({0: c["target"], **admission(c), 3: c["pop_nonce"]}),
    "record_status": lambda c: signed(
        "petrel/1 record status", c["seed"], None, c["hash"], b""),
    "descriptor_put": lambda c: signed(
        "petrel/1 descriptor put", c["seed"], c["member_seed"], c["hash"],
        pack({0: item(c), 1: c["period"], **({2: True} if c["quiet"] else {})}), c["period"]),
    "descriptor_get": lambda c: pack({0: c["target"]}),
    "reply": lambda c: pack(head(c)),
    "member_join_reply": lambda c: pack({**head(c), 2: c["queues"], 3: c["records"]}),
    "queue_register_reply": lambda c: pack({
        **head(c), 2: c["envelopes"], 3: c["bytes"], 4: c["days"]}),
    "queue_attach_reply": lambda c: pack({
        **head(c), 2: c["waiting"], **optional(3, c, "time"), **optional(4, c, "dht_port")}),
    "queue_deposit_reply": lambda c: pack({
        **head(c), **optional(2, c, "stamp_bits"), **optional(3, c, "outcome"),
        **optional(4, c, "receipt")}),
    "record_put_reply": lambda c: pack({**head(c), 2: c["parts_left"]}),
    "record_get_reply": lambda c: pack({**head(c), 2: c["seq"], 3: c["body"]}),
    "record_pop_reply": lambda c: pack({
        **head(c), **optional(2, c, "stamp_bits"), **optional(3, c, "seq"),
        **optional(4, c, "body"), **({5: parts_of(c)[0]} if parts_of(c) else {})}),
    "record_status_reply": lambda c: pack({
        **head(c), 2: c["seq"], 3: c["parts_left"], 4: c["last_part"]}),
    "descriptor_get_reply": lambda c: pack({**head(c), 2: item(c)}),
    "token": lambda c: token(
        c["k"], c["siv"], c["target"], c["contact"], c["counter"], c["epoch"]),
    "record_seal": lambda c: sealed(
        c["identity"], c["target"], c["part"], c["nonce"], c["plain"]),
}


# --- the cases -------------------------------------------------------------------------------------


def draw(name, size=32):
    return hashlib.blake2b(b"relay vector " + name.encode(), digest_size=size).digest()


HASH = draw("hash", 64)
SEED = draw("seed")
MEMBER = draw("member")
TARGET = draw("target")
TOKEN = draw("token")
NONCE = draw("nonce", 16)


def cases():
    link = {"seed": SEED, "hash": HASH}
    both = {**link, "member_seed": MEMBER}
    small = {"fill": 0xA5, "size": 1024}
    stamp = {"stamp_minute": 29833333, "stamp_nonce": 2**64 - 1}
    yield "token", dict(k=draw("k"), siv=draw("siv"), target=TARGET, contact=7, counter=0, epoch=625)
    yield "token", dict(k=draw("k2"), siv=draw("siv2"), target=TARGET, contact=2**32 - 1,
                        counter=2**32 - 2, epoch=0)
    seal = {"identity": draw("identity"), "target": TARGET, "nonce": draw("seal", 24)}
    yield "record_seal", dict(**seal, part=0, plain=b"the body")
    yield "record_seal", dict(**seal, part=1, plain=draw("part", 64) + b"and more than a block")
    yield "record_seal", dict(**seal, part=0x626F6479, plain=b"")
    yield "member_join", dict(**link)
    yield "member_join", dict(**link, join_code=draw("code"))
    yield "member_leave", dict(**link)
    yield "queue_register", dict(**both, k=draw("k"))
    yield "queue_attach", dict(**link)
    yield "queue_deposit", dict(target=TARGET, token=TOKEN, lifetime=0, volatile=False, **small)
    yield "queue_deposit", dict(target=TARGET, **stamp, lifetime=3, volatile=True, fill=1, size=4096)
    yield "queue_push", dict(target=TARGET, number=1, nonce=NONCE, deposited_ms=1728000000123, **small)
    yield "queue_push", dict(target=TARGET, number=0, deposited_ms=0, **small)
    yield "queue_ack", dict(target=TARGET, number=2**64 - 1)
    yield "queue_void", dict(target=TARGET, fill=7, count=1)
    yield "queue_void", dict(target=TARGET, fill=8, count=512)
    yield "record_put", dict(**both, seq=1, k=draw("k"), body=b"sealed body",
                             parts=[[1, 0x11, 100], [2, 0x22, 200], [300, 0x33, 1]])
    yield "record_put", dict(**both, seq=2**64 - 1, k=draw("k"), drop_below=70000)
    yield "record_get", dict(target=TARGET)
    yield "record_pop", dict(target=TARGET, token=TOKEN, pop_nonce=NONCE)
    yield "record_pop", dict(target=TARGET, stamp_minute=0, stamp_nonce=0, pop_nonce=NONCE)
    yield "record_status", dict(**link)
    yield "descriptor_put", dict(**both, seq=1, fill=0x42, period=20000, quiet=False)
    yield "descriptor_put", dict(**both, seq=7, fill=0x43, period=20001, quiet=True)
    yield "descriptor_get", dict(target=TARGET)
    for code in (0, 112, 65535):
        yield "reply", dict(code=code)
    yield "reply", dict(code=112, retry_after_ms=60000)
    yield "member_join_reply", dict(queues=8, records=8)
    yield "queue_register_reply", dict(envelopes=65536, bytes=134217728, days=30)
    yield "queue_attach_reply", dict(waiting=70000)
    yield "queue_attach_reply", dict(waiting=0, time=1790000000000)
    yield "queue_attach_reply", dict(waiting=0, time=1790000000000, dht_port=65535)
    for outcome in range(3):
        yield "queue_deposit_reply", dict(outcome=outcome)
    yield "queue_deposit_reply", dict(outcome=0, receipt=b"a receipt")
    yield "queue_deposit_reply", dict(code=110, stamp_bits=20)
    yield "queue_deposit_reply", dict(code=112, retry_after_ms=60000)
    yield "record_put_reply", dict(parts_left=64)
    yield "record_get_reply", dict(seq=3, body=b"sealed body")
    yield "record_pop_reply", dict(seq=3, body=b"sealed body", parts=[[9, 0x77, 40]])
    yield "record_pop_reply", dict(seq=3, body=b"sealed body")
    yield "record_pop_reply", dict(code=110, stamp_bits=18)
    yield "record_pop_reply", dict(code=108)
    yield "record_status_reply", dict(seq=3, parts_left=31, last_part=64)
    yield "descriptor_get_reply", dict(blinded=draw("blinded"), seq=2**63 - 1, fill=0x42)


def to_json(v):
    if isinstance(v, bytes):
        return v.hex()
    if isinstance(v, list):
        return [to_json(x) for x in v]
    return str(v) if type(v) is int and v >= 2**53 else v


def rows():
    for kind, c in cases():
        inputs = {k: to_json(v) for k, v in c.items()}
        yield {"kind": kind, **inputs, "encoded": REQUESTS[kind](c).hex()}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "generate"):
        sys.exit(__doc__)
    made = list(rows())
    if sys.argv[1] == "generate":
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            json.dump(made, f, indent=1)
            f.write("\n")
    with open(sys.argv[2], encoding="utf-8") as f:
        stored = json.load(f)
    bad = sum(a != b for a, b in zip(made, stored)) + abs(len(made) - len(stored))
    print(f"relay: {len(made)} cases, {bad} failed")
    sys.exit(0 if made and bad == 0 else 1)


if __name__ == "__main__":
    main()
