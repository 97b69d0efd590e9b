#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of Petrel's names and signed objects, from the specification alone
(docs/protocol/01-encoding.md and 06-identity.md), with nothing but Python's standard library.

  names.py check DIR      recompute every vector of DIR/*.json that this program knows
  names.py generate DIR   write them anew (after the specification was changed on purpose)
  names.py corpus DIR     write DIR/<target>/*: the seeds of the fuzzers of these decoders
"""
import base64
import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# --- Ed25519, RFC 8032, section 5.1 and 6 -------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(n, point):
    out = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            out = add(out, point)
        point = add(point, point)
        n >>= 1
    return out


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_M1 % P
    assert (x * x - x2) % P == 0
    return P - x if x & 1 != sign else x


GY = 4 * pow(5, P - 2, P) % P
GX = recover_x(GY, 0)
G = (GX, GY, 1, GX * GY % P)


def compress(point):
    zi = pow(point[2], P - 2, P)
    x, y = point[0] * zi % P, point[1] * zi % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(s):
    y = int.from_bytes(s, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = recover_x(y, sign)
    return x, y, 1, x * y % P


def expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254
    return a, h[32:]


def public(seed):
    return compress(mul(expand(seed)[0], G))


def hash_scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def sign_raw(a, prefix, pk, m):
    r = hash_scalar(prefix, m)
    big_r = compress(mul(r, G))
    s = (r + hash_scalar(big_r, pk, m) * a) % L
    return big_r + s.to_bytes(32, "little")


def verify_raw(pk, m, sig):
    s = int.from_bytes(sig[32:], "little")
    k = hash_scalar(sig[:32], pk, m)
    left, right = mul(s, G), add(decompress(sig[:32]), mul(k, decompress(pk)))
    return s < L and compress(left) == compress(right)


def sign(seed, label, body):
    a, prefix = expand(seed)
    return sign_raw(a, prefix, public(seed), label.encode() + b"\0" + body)


# --- hashes and XChaCha20-Poly1305 ---------------------------------------------------------------


def blake(size, label, *parts):
    return hashlib.blake2b(label.encode() + b"".join(parts), digest_size=size).digest()


def rotl(v, n):
    return (v << n | v >> (32 - n)) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] = rotl(s[z] ^ s[x], n)


def chacha_rounds(key, tail):
    words = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    words += [int.from_bytes((key + tail)[i : i + 4], "little") for i in range(0, 48, 4)]
    s = list(words)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return words, s


def pack_words(words):
    return b"".join((w & 0xFFFFFFFF).to_bytes(4, "little") for w in words)


def chacha_block(key, counter, nonce12):
    words, s = chacha_rounds(key, counter.to_bytes(4, "little") + nonce12)
    return pack_words(a + b for a, b in zip(words, s))


def poly1305(key, m):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(m), 16):
        acc = (acc + int.from_bytes(m[i : i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def xchacha_seal(key, nonce, plain):
    _, s = chacha_rounds(key, nonce[:16])
    key, nonce = pack_words(s[:4] + s[12:]), bytes(4) + nonce[16:]
    stream = b"".join(chacha_block(key, 1 + i, nonce) for i in range(len(plain) // 64 + 1))
    ct = bytes(a ^ b for a, b in zip(plain, stream))
    lengths = (0).to_bytes(8, "little") + len(ct).to_bytes(8, "little")
    tag = poly1305(chacha_block(key, 0, nonce)[:32], ct + bytes(-len(ct) % 16) + lengths)
    return ct + tag


# --- msgpack, shortest forms; maps as lists of pairs, text as str, bin as bytes ---------------


def head(fix, fix_max, sizes, n):
    if fix is not None and n <= fix_max:
        return bytes([fix | n])
    for code, width in sizes:
        if n < 256**width:
            return bytes([code]) + n.to_bytes(width, "big")
    raise ValueError(n)


def pack(v):
    if isinstance(v, int):
        return head(0, 127, ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)), v)
    if isinstance(v, bytes):
        return head(None, 0, ((0xC4, 1), (0xC5, 2), (0xC6, 4)), len(v)) + v
    if isinstance(v, str):
        b = v.encode()
        return head(0xA0, 31, ((0xD9, 1), (0xDA, 2), (0xDB, 4)), len(b)) + b
    if isinstance(v, list):
        return head(0x90, 15, ((0xDC, 2), (0xDD, 4)), len(v)) + b"".join(map(pack, v))
    if isinstance(v, dict):
        out = head(0x80, 15, ((0xDE, 2), (0xDF, 4)), len(v))
        return out + b"".join(pack(k) + pack(v[k]) for k in sorted(v))
    raise TypeError(type(v))


# --- bech32m, BIP 350 ----------------------------------------------------------------------------

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    chk = 1
    for v in values:
        top = chk >> 25
        chk = (chk & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            chk ^= g if top >> i & 1 else 0
    return chk


def bech32m(hrp, data):
    bits = "".join(f"{b:08b}" for b in data)
    bits += "0" * (-len(bits) % 5)
    groups = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    chk = polymod(expanded + groups + [0] * 6) ^ 0x2BC830A3
    groups += [chk >> 5 * (5 - i) & 31 for i in range(6)]
    return hrp + "1" + "".join(ALPHABET[g] for g in groups)


# --- the objects of 06-identity.md ---------------------------------------------------------------


def blind_factor(pk, period):
    return int.from_bytes(blake(64, "petrel/1 blind", pk, period.to_bytes(8, "big")), "little") % L


def blind_public(pk, period):
    return compress(mul(blind_factor(pk, period), decompress(pk)))


def blind_sign(seed, period, m):
    a, prefix = expand(seed)
    pk = public(seed)
    scalar = blind_factor(pk, period) * a % L
    blinded = compress(mul(scalar, G))
    assert blinded == blind_public(pk, period)
    sig = sign_raw(scalar, blake(32, "petrel/1 blind nonce", prefix, blinded), blinded, m)
    assert verify_raw(blinded, m, sig)
    return sig


def stamp_bits(c):
    h = blake(32, "petrel/1 stamp", c["target"], c["payload"], c["relay"],
              c["minute"].to_bytes(4, "big"), c["nonce"].to_bytes(8, "big"))
    return 256 - int.from_bytes(h, "big").bit_length()


def safety_half(pk):
    h = b"petrel/1 safety" + pk
    for _ in range(5200):
        h = hashlib.sha512(h + pk).digest()
    return "".join(f"{int.from_bytes(h[i:i + 5], 'big') % 100000:05d}" for i in range(0, 30, 5))


def safety(a, b):
    return "".join(sorted((safety_half(a), safety_half(b))))


def word_list():
    path = os.path.join(HERE, "..", "..", "..", "proto", "crypto", "words_list.c")
    with open(path, encoding="ascii") as f:
        words = re.findall(r'"([a-z]+)",', f.read())
    digest = hashlib.sha256(("\n".join(words) + "\n").encode()).hexdigest()
    # SHA-256 of bip-0039/english.txt
    assert digest == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    return words


def words(seed):
    v = int.from_bytes(seed + hashlib.sha256(seed).digest()[:1], "big")
    return " ".join(word_list()[v >> 11 * (23 - i) & 2047] for i in range(24))


def address(a):
    return {0: a["node_id"], 1: a["host"], 2: a["port"]}


def place(p):
    return {0: address(p["relay"]), 1: p["key"]}


def signed(seed, label, body):
    return pack([body, sign(seed, label, body)])


def certificate(seed, c):
    body = pack({0: c["sign"], 1: c["dh"], 2: c["mls"], 3: c["capabilities"], 4: c["added"]})
    return signed(seed, "petrel/1 device certificate", body)


def device_list(seed, c):
    entries = [{0: certificate(seed, e), 1: [place(q) for q in e["queues"]],
                2: place(e["record"])} for e in c["entries"]]
    body = pack({0: c["version"], 1: c["created"], 2: entries})
    return signed(seed, "petrel/1 device list", body)


def relay_entry(r):
    e = address(r)
    if r["flags"]:
        e[3] = r["flags"]
    if r["ipv4"]:
        e[4] = r["ipv4"]
    if r["ipv6"]:
        e[5] = r["ipv6"]
    assert len(pack(e)) <= 124
    return e


def descriptor(seed, c):
    pk, period = public(seed), c["period"]
    body = pack({0: 1, 1: c["created"], 2: c["list_version"], 3: c["list_hash"], 4: c["record"],
                 5: [relay_entry(r) for r in c["relays"]]})
    plain = len(body).to_bytes(2, "big") + body + bytes(886 - len(body))
    plain += sign(seed, "petrel/1 descriptor body", body)
    be_period = period.to_bytes(8, "big")
    key = blake(32, "petrel/1 descriptor", pk, be_period)
    nonce = blake(24, "petrel/1 descriptor nonce", pk, be_period, c["seq"].to_bytes(8, "big"), plain)
    value = nonce + xchacha_seal(key, nonce, plain)
    assert len(value) == 992
    buffer = b"3:seqi%de1:v992:" % c["seq"] + value
    return {"body": body, "key": blind_public(pk, period), "value": value,
            "sig": blind_sign(seed, period, buffer)}


def invite(c):
    payload = pack({0: 1, 1: c["id"], 2: address(c["relay"]), 3: c["record"], 4: c["pop_token"],
                    5: c["deposit_token"], 6: c["secret"], 7: c["expires"]})
    payload += blake(16, "petrel/1 invite checksum", payload)[:4]
    return "petrel:" + base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def content(c):
    m = {0: c["type"], 1: c["id"], 2: c["sent"]}
    if c["conversation"]:
        m[3] = c["conversation"]
    if c["text"] is not None:
        m[4] = c["text"]
    if c["type"] == 66:
        m[4] = c["invite"]
    if c["reply_to"]:
        m[5] = c["reply_to"]
    if c["expires"]:
        m[6] = c["expires"]
    return pack(m)


def batch(contents):
    return contents[0] if len(contents) == 1 else pack(contents)


# --- the cases: inputs as they are in the files, outputs recomputed -------------------------------


def draw(name, size=32):
    return hashlib.shake_128(b"petrel test vector " + name.encode()).digest(size)


def draw_pk(name):
    return public(draw(name))


def an_address(name, host, port):
    return {"node_id": draw_pk("node " + name), "host": host, "port": port}


def a_device(name, queues):
    return {"sign": draw_pk("sign " + name), "dh": draw("dh " + name),
            "mls": draw_pk("mls " + name), "capabilities": 0, "added": 1790000000000,
            "queues": [{"relay": an_address(r, h, p), "key": draw_pk(f"queue {r} {name}")}
                       for r, h, p in queues],
            "record": {"relay": an_address("one", "relay.example", 4470),
                       "key": draw_pk("record " + name)}}


def id_out(c):
    return {"id": bech32m("petrel", b"\0" + c["public_key"]),
            "node_id": bech32m("petrelnode", b"\0" + c["public_key"])}


def blind_out(c):
    pk = public(c["seed"])
    return {"public_key": pk, "blinded": blind_public(pk, c["period"]),
            "sig": blind_sign(c["seed"], c["period"], c["message"])}


def device_out(c):
    encoded = device_list(c["seed"], c)
    return {"id": public(c["seed"]), "certificate": certificate(c["seed"], c["entries"][0]),
            "list": encoded, "hash": blake(32, "petrel/1 device list hash", encoded)}


def invite_out(c):
    return {"text": invite(c), "invite_id": blake(16, "petrel/1 invite id", c["secret"])}


def a_relay(name, host, port, flags=0, ipv4=b"", ipv6=b""):
    return dict(an_address(name, host, port), flags=flags, ipv4=ipv4, ipv6=ipv6)


def a_descriptor(seed, period, seq, relays):
    return {"seed": draw(seed), "period": period, "seq": seq, "created": 1790000000000,
            "list_version": len(relays) + 2, "list_hash": draw("hash"),
            "record": draw_pk("record laptop"), "relays": relays}


def a_content(kind, text, **more):
    c = {"type": kind, "id": draw(f"content {kind}", 16), "sent": 1790000000123,
         "conversation": b"", "text": text, "reply_to": b"", "expires": 0}
    return dict(c, **more)


def stamp_case(nonce, minute):
    return {"target": draw("target"), "payload": draw("payload"), "relay": draw_pk("node one"),
            "minute": minute, "nonce": nonce}


def mined(bits):
    c = stamp_case(0, 29833333)
    while stamp_bits(c) < bits:
        c["nonce"] += 1
    return c


def cases():
    one = a_device("laptop", [("one", "relay.example", 4470)])
    two = a_device("phone", [("one", "relay.example", 4470), ("two", "2001:db8::17", 65535)])
    name = "a" * 60 + ".org"
    return {
        "id.json": [{"public_key": draw_pk(n)} for n in ("alice", "bob", "carol")],
        "blind.json": [{"seed": draw(s), "period": p, "message": m} for s, p, m in (
            ("alice", 0, b""), ("alice", 20717, b"hello"), ("alice", 20718, b"hello"),
            ("bob", 20717, b"hello"), ("bob", 2**64 - 1, draw("message", 1016)))],
        "stamp.json": [stamp_case(0, 0), stamp_case(2**64 - 1, 2**32 - 1), mined(8), mined(14)],
        "safety.json": [{"a": draw_pk(a), "b": draw_pk(b)} for a, b in (
            ("alice", "bob"), ("bob", "carol"), ("carol", "alice"), ("alice", "alice"))],
        "words.json": [{"seed": s} for s in (bytes(32), b"\xff" * 32, draw("alice"), draw("bob"))],
        "device_list.json": [
            {"seed": draw("alice"), "version": 1, "created": 1790000000000, "entries": [one]},
            {"seed": draw("alice"), "version": 2, "created": 1790000086400, "entries": [one, two]},
            {"seed": draw("bob"), "version": 2**32 - 1, "created": 0,
             "entries": [dict(one, queues=[], capabilities=2**64 - 1)]}],
        "descriptor.json": [
            a_descriptor("alice", 20717, 1, [a_relay("one", "relay.example", 4470)]),
            a_descriptor("alice", 20718, 2, [a_relay("one", "192.0.2.7", 1)]),
            a_descriptor("bob", 20717, 2**63 - 1 - 2**62, [
                a_relay("one", "relay.example", 4470, 1, bytes([192, 0, 2, 7]),
                        bytes([0x20, 1, 0xD, 0xB8]) + bytes(11) + b"\x17"),
                a_relay("two", name, 65535, 7, bytes([198, 51, 100, 1])),
                a_relay("three", "2001:db8::17", 443)])],
        "invite.json": [{"id": draw_pk(i), "relay": an_address("one", h, p),
                         "record": draw_pk("record laptop"), "pop_token": draw("pop"),
                         "deposit_token": draw("deposit"), "secret": draw("secret " + i),
                         "expires": 1790604800000}
                        for i, h, p in (("alice", "relay.example", 4470), ("bob", name, 65535),
                                        ("carol", "::1", 1))],
        "content.json": [
            a_content(1, "Hello"), a_content(1, "x" * 300, conversation=draw("group")),
            a_content(1, "caf\u00e9 \U0001F426", reply_to=draw("reply", 16), expires=1790086400000),
            a_content(64, ""), a_content(64, "It is me"), a_content(65, None),
            a_content(66, None, invite=draw("invite", 16))],
        "batch.json": [{"contents": [content(a_content(1, f"text {i}")) for i in range(n)]}
                       for n in (1, 2, 15, 16, 32)] +
                      [{"contents": [content(a_content(1, "x" * n)) for n in (200, 300, 1000)]}],
    }


OUTPUTS = {
    "id.json": id_out,
    "blind.json": blind_out,
    "stamp.json": lambda c: {"bits": stamp_bits(c)},
    "safety.json": lambda c: {"number": safety(c["a"], c["b"])},
    "words.json": lambda c: {"words": words(c["seed"])},
    "device_list.json": device_out,
    "descriptor.json": lambda c: descriptor(c["seed"], c),
    "invite.json": invite_out,
    "content.json": lambda c: {"encoded": content(c)},
    "batch.json": lambda c: {"encoded": batch(c["contents"])},
}

# In the files bytes are lower-case hex; integers that may pass 2^53 are
# decimal strings, because many readers of JSON would round them.
BIG = {"period", "seq", "nonce", "capabilities"}


def to_json(v, key="", path=""):
    if isinstance(v, dict):
        return {k: to_json(x, k, path) for k, x in v.items()}
    if isinstance(v, list):
        return [to_json(x, key, path) for x in v]
    if isinstance(v, bytes):
        return v.hex()
    return str(v) if isinstance(v, int) and key in BIG else v


def run(mode, folder):
    checked = failed = 0
    for name, inputs in cases().items():
        rows = [to_json(dict(c, **OUTPUTS[name](c))) for c in inputs]
        path = os.path.join(folder, name)
        if mode == "generate":
            with open(path, "w", encoding="utf-8") as f:
                json.dump(rows, f, indent=1, ensure_ascii=True)
                f.write("\n")
        with open(path, encoding="utf-8") as f:
            stored = json.load(f)
        bad = sum(a != b for a, b in zip(rows, stored)) + abs(len(rows) - len(stored))
        checked += len(rows)
        failed += bad
        print(f"{name}: {len(rows)} cases, {bad} failed")
    print(f"names: {checked} cases, {failed} failed")
    return 0 if checked > 0 and failed == 0 else 1


def item(c):
    return pack({0: c["key"], 1: 1, 2: c["sig"], 3: c["value"]})


def seeds():
    """Target, name and bytes of each seed."""
    made = {name: [dict(c, **OUTPUTS[name](c)) for c in inputs] for name, inputs in cases().items()}
    for c in made["id.json"]:
        yield "id", c["id"].encode()
        yield "id", c["node_id"].encode()
    for c in made["invite.json"]:
        r = c["relay"]
        host = f"[{r['host']}]" if ":" in r["host"] else r["host"]
        node = bech32m("petrelnode", b"\0" + r["node_id"])
        yield "address", f"{node}@{host}:{r['port']}".encode()
        yield "address", f"{host}:{r['port']}".encode()
        yield "address", pack(address(r))
        yield "invite", c["text"].encode()
        data = c["text"][7:]
        yield "invite", base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))[:-4]
    for c in made["device_list.json"]:
        yield "device_list", c["list"]
        yield "device_list", c["list"][4:-66]
        yield "device_list", c["certificate"]
        yield "device_list", c["certificate"][3:-66]
    for c in made["descriptor.json"]:
        yield "descriptor", c["body"]
        yield "descriptor", item(c)
    for c in made["content.json"]:
        yield "content", content(c)
    for c in made["batch.json"]:
        yield "content", c["encoded"]
    yield "content", pack({0: 77, 1: bytes(16), 2: 1, 4: [1, "two", {3: b"4"}], 9: 0})
    for c in made["words.json"]:
        yield "words", c["words"].encode()
    yield "words", b"  Abandon\tzoo\r\nnoword "


def write_corpus(folder):
    for target, data in seeds():
        path = os.path.join(folder, target)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, hashlib.sha1(data).hexdigest()[:16]), "wb") as f:
            f.write(data)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "corpus":
        write_corpus(sys.argv[2])
        return
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "generate"):
        sys.exit(__doc__)
    sys.exit(run(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    main()
