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
