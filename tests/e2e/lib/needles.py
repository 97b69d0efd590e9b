# SPDX-License-Identifier: Apache-2.0
"""What is searched for: values in every form in which they could be written down, and the proof
that a search finds them."""
import base64
import os
import pathlib
import subprocess

PIECE = 16  # bytes of a value that are enough: memory that was freed loses its beginning
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SLOT = 512  # bytes from one planted canary to the next


class Needle:
    """A value that must not be found. text: how the product itself writes it, if it does."""

    def __init__(self, name, data, text=None):
        assert len(data) >= PIECE, name
        self.name = name
        self.data = bytes(data)
        self.text = text

    def pieces(self):
        ends = list(range(PIECE, len(self.data), PIECE)) + [len(self.data)]
        return [self.data[end - PIECE:end] for end in ends]


def _grouped(data, bits, alphabet):
    """The whole groups of bits in the text of an encoding in which data stands at any place."""
    stream = "".join(f"{byte:08b}" for byte in data)
    return [bytes(ord(alphabet[int(stream[at:at + bits], 2)])
                  for at in range(lead, len(stream) - bits + 1, bits)) for lead in range(bits)]


def patterns(piece):
    """{bytes to look for: name of the form} of one piece."""
    found = {piece: "raw", piece.hex().encode(): "hex", piece.hex().upper().encode(): "HEX"}
    for lead in (0, 2, 4):  # bits of the piece that belong to the character before it
        plain = _grouped(piece, 6, BASE64)[lead]
        found[plain] = "base64"
        found.setdefault(plain.replace(b"+", b"-").replace(b"/", b"_"), "base64url")
    for lower in _grouped(piece, 5, BECH32):
        found[lower] = "bech32"
        found[lower.upper()] = "BECH32"
    return found


def _bech32(data):
    bits = int.from_bytes(data, "big") << (-8 * len(data) % 5)
    count = -(-8 * len(data) // 5)
    return "".join(BECH32[bits >> 5 * (count - 1 - i) & 31] for i in range(count)).encode()


def written(needle):
    """The value as others write it, by encoders that share nothing with patterns(): with any number
    of bytes before and behind it that moves it within the groups of characters."""
    forms = [("raw", needle.data), ("hex", needle.data.hex().encode()),
             ("HEX", needle.data.hex().upper().encode())]
    for lead in range(3):
        data = os.urandom(lead) + needle.data + os.urandom(3)
        forms += [("base64", base64.b64encode(data)), ("base64url", base64.urlsafe_b64encode(data))]
    for lead in range(5):
        data = _bech32(os.urandom(lead) + needle.data + os.urandom(5))
        forms += [("bech32", data), ("BECH32", data.upper())]
    if needle.text is not None:
        forms += [("bech32", needle.text.encode()), ("BECH32", needle.text.upper().encode())]
    return forms


class Hit:
    def __init__(self, needle, form, file, offset):
        self.needle, self.form, self.file, self.offset = needle, form, file, offset

    def __repr__(self):
        return f"{self.needle.name} ({self.form}) in {self.file} at {self.offset}"


class Search:
    """e2e_search with the patterns of needles. folder: for its files."""

    def __init__(self, tool, folder):
        self.tool = str(tool)
        self.folder = pathlib.Path(folder)
        self.bytes = 0  # that were searched so far
        self.planted = 0

    def hits(self, needles, files):
        """Every place of any form of any needle in the files."""
        files = [str(f) for f in files]
        known = {}
        for needle in needles:
            for piece in needle.pieces():
                for pattern, form in patterns(piece).items():
                    known.setdefault(pattern, (needle, form))
        order = list(known)
        listing = self.folder / "patterns"
        listing.write_text("".join(p.hex() + "\n" for p in order), encoding="ascii")
        self.bytes += sum(os.path.getsize(f) for f in files)
        found = []
        # As many files a call as a command line takes.
        for at in range(0, len(files), 500):
            done = subprocess.run([self.tool, listing, *files[at:at + 500]], check=True,
                                  capture_output=True, text=True)
            for line in done.stdout.splitlines():
                pattern, file, offset = map(int, line.split())
                found.append(Hit(*known[order[pattern]], files[at + file], offset))
        return found

    def finds_all(self, needles, files):
        """Whether it finds every form of every needle in a copy of the files; else what it missed.
        Each is written over what stands there, so that its surroundings are those of the files."""
        material = b"".join(pathlib.Path(f).read_bytes() for f in files)
        todo = [(needle, form, text) for needle in needles for form, text in written(needle)]
        missed = []
        copy = self.folder / "planted"
        room = max(len(material) // SLOT - 1, 1)
        for at in range(0, len(todo), room):
            part = todo[at:at + room]
            page = bytearray(material.ljust(2 * SLOT, b"\0"))
            step = (len(page) - SLOT) // len(part)
            for i, (_, _, text) in enumerate(part):
                page[i * step:i * step + len(text)] = text
            copy.write_bytes(page)
            there = {(h.needle.name, h.form, h.offset // step) for h in self.hits(needles, [copy])}
            missed += [(needle.name, form) for i, (needle, form, text) in enumerate(part)
                       if not self._seen(there, needle, form, i * step, text, step)]
        copy.unlink(missing_ok=True)
        self.planted += len(todo)
        return missed

    @staticmethod
    def _seen(there, needle, form, start, text, step):
        # The two alphabets of base64, and the two cases of hex, give one text where no character
        # differs: it is known under one name.
        forms = {form, {"base64url": "base64", "hex": "HEX"}.get(form, form)}
        slots = {start // step, (start + len(text)) // step}
        return any((needle.name, f, slot) in there for f in forms for slot in slots)
