# SPDX-License-Identifier: Apache-2.0
"""What somebody has who copied a home, and when an erase file has forgotten
(docs/protocol/08-at-rest.md, sections 8.4 and 8.10)."""
import pathlib
import shutil
import subprocess
import time

from lib.people import until

BLOCK = 4096
MINUTE = 60  # seconds in which what was deleted has to be forgotten


def slots(home):
    """Generations in the two slots of the erase file; 0: nothing at all is in that block."""
    data = (home / "erase-1").read_bytes()
    blocks = [data[BLOCK * i:BLOCK * (i + 1)] for i in (1, 2)]
    return [int.from_bytes(b[:8], "big") if any(b) else 0 for b in blocks]


def copy_of(w, person, name):
    """A copy of a home whose daemon does not run."""
    folder = w.folder / name
    shutil.copytree(person.home, folder, ignore=shutil.ignore_patterns("*.sock", "lock"))
    return folder


def opened(w, home):
    """The texts that whoever has this home can read in it, without asking for a passphrase."""
    tool = pathlib.Path(w.options.tools) / "e2e_rows"
    done = subprocess.run([tool, "messages", home, "1"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        return None
    return {bytes.fromhex(line.split()[2]).decode() for line in done.stdout.splitlines()}


class Carved:
    """All that somebody finds in files at any offset who has an erase file, its home's key file and
    this passphrase (carve_tool.c). open_: where sealing is switched off, or None."""

    def __init__(self, w, home, passphrase, files, open_=None):
        suffix = "" if open_ is None else f"-open-{open_}"
        tool = pathlib.Path(w.options.tools) / f"e2e_carve{suffix}"
        done = subprocess.run([tool, home, "1", passphrase, *files], capture_output=True, text=True,
                              check=True)
        self.roots = {}  # generation: (sealed, root)
        self.keys = {}   # (bucket, generation): (sealed, key), as found first
        self.under = {}  # generation of a root: how many keys it wraps
        self.rows = []   # (bucket, generation, table, plain)
        for line in done.stdout.splitlines():
            kind, *words = line.split(" ")
            if kind == "root":
                self.roots[int(words[0])] = tuple(map(bytes.fromhex, words[1:]))
            elif kind == "key":
                bucket, generation, root = map(int, words[:3])
                self.under[root] = self.under.get(root, 0) + 1
                self.keys.setdefault((bucket, generation), tuple(map(bytes.fromhex, words[3:])))
            else:
                self.rows.append((int(words[0]), int(words[1]), words[2], bytes.fromhex(words[3])))

    def having(self, text):
        """Where it stands: {(bucket, generation, table)}."""
        return {row[:3] for row in self.rows if text.encode() in row[3]}


def mixed(w, name, database, keys):
    """A home of the database of one copy and all else of another."""
    folder = w.folder / name
    shutil.copytree(keys, folder)
    shutil.rmtree(folder / "db")
    shutil.copytree(database / "db", folder / "db")
    return folder


def forgotten_in(home, since):
    """Waits until no root of a generation up to this one is left; how long after the moment."""
    until("the old root is gone", lambda: max(slots(home)) > since[0] and min(slots(home)) == 0,
          2 * MINUTE)
    return time.monotonic() - since[1]


def quiet(home):
    """Waits until a whole cycle after now is over, whatever was touched before."""
    return forgotten_in(home, (max(slots(home)), time.monotonic()))
