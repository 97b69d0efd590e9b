# SPDX-License-Identifier: Apache-2.0
"""refusals: puts and questions that are wrong, and what a node of each kind says to them."""
import raw

TAKEN, SILENT, UNASKED = 0, None, -1
NODES = (1, 2)  # of each kind


def without(arguments, name):
    return {key: value for key, value in arguments.items() if key != name}


# What is put; what ours, libtorrent's and bittorrent-dht's say. Where libtorrent takes what ours refuses
# it passes over a signature that is none, and keeps the value unsigned, at the place of the key.
# bittorrent-dht counts a value's bytes without its length, knows no longest salt, looks at no ID, and
# says nothing to most that is wrong. A put without a signature ends the process there.
PUTS = (
    ("a value of 1,001 bytes", lambda s: s.item(1, b"x" * 997), 205, 205, TAKEN),
    ("a value of 1,104 bytes", lambda s: s.item(1, b"x" * 1100), 205, 205, 205),
    ("an immutable one of 1,104 bytes", lambda s: {b"v": b"x" * 1100}, 205, 205, 205),
    ("a wrong signature", lambda s: {**s.item(1, b"x"), b"sig": bytes(64)}, 206, 206, SILENT),
    ("another one's signature", lambda s: {**s.item(1, b"x"), b"sig": s.item(2, b"x")[b"sig"]}, 206,
     206, SILENT),
    ("a salt that was not signed", lambda s: {**s.item(1, b"x"), b"salt": b"s"}, 206, 206, SILENT),
    ("a salt of 65 bytes", lambda s: s.item(1, b"x", b"s" * 65), 207, 207, TAKEN),
    ("a number below 0", lambda s: s.item(-1, b"x"), 203, 203, TAKEN),
    ("no value", lambda s: without(s.item(1, b"x"), b"v"), 203, 203, SILENT),
    ("a token that is none", lambda s: {**s.item(1, b"x"), b"token": b"abcd"}, 203, 203, 203),
    ("no signature", lambda s: without(s.item(1, b"x"), b"sig"), 203, TAKEN, UNASKED),
    ("a signature of 63 bytes", lambda s: {**s.item(1, b"x"), b"sig": bytes(63)}, 203, TAKEN, SILENT),
)

QUESTIONS = (
    ("a place of 19 bytes", b"find_node", {b"target": bytes(19)}, 203, 203, TAKEN),
    ("no place", b"get", {}, 203, 203, SILENT),
    ("what nobody knows", b"vote", {}, 204, 203, SILENT),  # 204: BEP 5
)

# One item, step by step: number, value, cas; what is said; the value that is there then. All keep what
# they have when there is another value of the same number. Ours says so; libtorrent does not;
# bittorrent-dht refuses the same value, too, which BEP 44 wants to be put again.
STEPS = (
    (5, b"fifth", {}, TAKEN, TAKEN, TAKEN, b"fifth"),
    (4, b"fourth", {}, 302, 302, 302, b"fifth"),
    (6, b"sixth", {b"cas": 4}, 301, 301, 301, b"fifth"),
    (5, b"fifth", {}, TAKEN, TAKEN, 302, b"fifth"),
    (5, b"other", {}, 302, TAKEN, 302, b"fifth"),
    (6, b"sixth", {b"cas": 5}, TAKEN, TAKEN, TAKEN, b"sixth"),
)


def expected(kind, codes):
    return codes[("petrel", "libtorrent", "bittorrent-dht").index(kind.name)]


class Holder:
    """One node that is asked to keep what is put."""

    def __init__(self, host, kind, port, checks):
        self.host, self.kind, self.port, self.checks = host, kind, port, checks

    def put(self, what, arguments, codes):
        """Gives what is there then."""
        asker = raw.Asker(self.host)
        if b"k" in arguments:
            target = raw.target_of(arguments[b"k"], arguments.get(b"salt", b""))
        else:
            target = raw.target_of(raw.bencode(arguments[b"v"]))
        token = asker.token(self.port, target)
        answer = asker.ask(self.port, b"put", {b"token": token, **arguments})
        code = expected(self.kind, codes)
        self.checks.true(f"{self.kind.name}: {what}: {code}", raw.code_of(answer) == code, answer)
        there = asker.ask(self.port, b"get", {b"target": target})[b"r"].get(b"v")
        asker.close()
        return there

    def question(self, what, method, arguments, codes):
        asker = raw.Asker(self.host)
        answer = asker.ask(self.port, method, arguments)
        code = expected(self.kind, codes)
        self.checks.true(f"{self.kind.name}: {what}: {code}", raw.code_of(answer) == code, answer)
        asker.close()


def what_is_wrong_is_refused(host, kinds, checks, chance):
    ours = kinds[0]
    for kind in kinds:
        for node in NODES:
            holder = Holder(host, kind, kind.ports[node], checks)
            for what, made, *codes in PUTS:
                if expected(kind, codes) == UNASKED:
                    continue
                arguments = made(raw.Signer(ours, chance.randbytes(32).hex()))
                there = holder.put(what, arguments, codes)
                if expected(kind, codes) != TAKEN:
                    checks.true(f"{kind.name} does not keep {what}", there is None, there)
            for what, method, arguments, *codes in QUESTIONS:
                holder.question(what, method, arguments, codes)
            signer = raw.Signer(ours, chance.randbytes(32).hex())
            for seq, value, cas, *codes, left in STEPS:
                there = holder.put(f"number {seq}, {value}", {**signer.item(seq, value), **cas}, codes)
                checks.true(f"{kind.name} has {left}", there == left, there)
