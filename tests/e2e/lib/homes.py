# SPDX-License-Identifier: Apache-2.0
"""What a home holds, as its daemon tells: for homes that are kept and looked at again later."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from lib.control import Control

PASSPHRASE = b"of the backup, long enough"


@contextlib.contextmanager
def pipe_with(data):
    """The number of a descriptor from which data can be read."""
    there, here = os.pipe()
    os.write(here, data)
    os.close(here)
    try:
        yield there
    finally:
        os.close(there)


def copy_of(home, folder):
    """A copy of a home that no daemon uses."""
    shutil.copytree(home, folder, ignore=shutil.ignore_patterns("*.sock", "lock"))
    return folder


def put_back(copy, home):
    """The home is as it was when the copy was made; what it was is gone."""
    shutil.rmtree(home)
    shutil.copytree(copy, home)


def backup(person, path, *args, passphrase=PASSPHRASE):
    with pipe_with(passphrase) as fd:
        return person.ctl("--json", "backup", str(path), "--passphrase-fd", str(fd), *args,
                          pass_fds=(fd,))


def restore(person, path, *args, passphrase=PASSPHRASE):
    with pipe_with(passphrase) as fd:
        return person.ctl("restore", str(path), "--backup-passphrase-fd", str(fd), *args,
                          pass_fds=(fd,))


def unlock(person, passphrase):
    """Whether it opens the account."""
    with pipe_with(passphrase.encode() + b"\n") as fd:
        return person.ctl("unlock", "--passphrase-fd", str(fd), pass_fds=[fd]).returncode == 0


def histories(person):
    """All messages with each contact, as the daemon tells them."""
    with Control(person.home) as control:
        return {c["id"]: control.call("message.history", {"contact": c["id"], "limit": 500})
                ["messages"] for c in control.call("contact.list")["contacts"]}


def describe(person, words):
    """What must be the same whenever this home is opened again at the time made_ms."""
    status = person.status()
    contacts = person.call("contact.list")["contacts"]
    return {
        "made_ms": int(time.time() * 1000),
        "version": status["version"],
        "id": status["id"],
        "node_id": status["node_id"],
        "words": words,
        "outbox": status["outbox"],
        "members": status["members"],
        "queues": status["queues"],
        "requests": person.call("request.list")["requests"],
        "contacts": [{k: c[k] for k in ("id", "name", "state", "verified")} for c in contacts],
        "histories": histories(person),
        "events": person.lines("events", "--since", "0", "--no-follow"),
    }


def tables(tool, database, copy=None):
    """Rows of each table of a database that no daemon uses. copy: a folder for a compacted copy."""
    with tempfile.TemporaryDirectory(prefix="petrel-db-") as folder:
        # LMDB makes its lock file beside what it opens: look at a copy only.
        shutil.copyfile(database / "data.mdb", os.path.join(folder, "data.mdb"))
        if copy is not None:
            subprocess.run([tool, "copy", folder, copy], check=True)
        text = subprocess.run([tool, "tables", folder], check=True, capture_output=True,
                              text=True).stdout
    return {name: int(rows) for name, rows in map(str.split, text.splitlines())}
