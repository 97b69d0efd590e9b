# SPDX-License-Identifier: Apache-2.0
"""A client of the control socket (docs/protocol/09-control.md), synchronous, one call at a time."""
import os
import pathlib
import socket
import time

from lib import mpack

MUTATING = {"account.create", "invite.create", "contact.add", "contact.block", "contact.verify",
            "request.accept", "message.send", "relay.use", "relay.invite", "relay.remove",
            "device.invite", "device.link", "device.remove"}


class Lost(Exception):
    """There is no daemon, or it went away before it answered."""


class Refused(Exception):
    """The daemon answered with an error."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error.get('name')}: {error.get('message')}")
        self.name = error.get("name")
        self.error_class = error.get("class")
        self.retry_after_ms = error.get("retry_after_ms") or 0


def new_client_id():
    return os.urandom(16)


class Control:
    """One connection. events: notifications that came between replies, oldest first."""

    def __init__(self, home, timeout=30.0):
        self.path = str(pathlib.Path(home) / "control.sock")
        self.timeout = timeout
        self.socket = None
        self.buffer = bytearray()
        self.next_id = 1
        self.events = []

    def __enter__(self):
        self.connect()
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        self.close()
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh.settimeout(self.timeout)
        try:
            fresh.connect(self.path)
        except OSError as error:
            fresh.close()
            raise Lost(f"{self.path}: {error}") from error
        self.socket = fresh
        self.buffer.clear()
        return self.call("hello", {"api": 1})

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def call(self, method, params=None, client_id=None):
        """The result map; Refused or Lost. Mutating calls get a client_id if none is given."""
        if self.socket is None:
            self.connect()
        params = dict(params or {})
        if method in MUTATING:
            params["client_id"] = client_id or new_client_id()
        number = self.next_id
        self.next_id += 1
        try:
            self.ask(number, method, params)
            while True:
                message = self.answer()
                if message[1] == number:
                    if message[2] is not None:
                        raise Refused(method, message[2])
                    return message[3]
        except OSError as error:
            self.close()
            raise Lost(f"{method}: {error}") from error

    def ask(self, number, method, params):
        """Sends a call under this number and does not wait for its reply."""
        self.socket.sendall(mpack.pack([0, number, method, [params]]))

    def answer(self):
        """The next reply, [1, number, error, result]; what comes before it is kept in events."""
        while True:
            message = self._receive()
            if message[0] == 1:
                return message
            self.events.append(message[2][0])

    def wait_event(self, wanted, timeout):
        """The next event for which wanted(event) holds, out of order with others, or None."""
        deadline = time.monotonic() + timeout
        while True:
            while self.events:
                event = self.events.pop(0)
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                return None
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                message = self._receive()
            except TimeoutError:
                return None
            finally:
                self.socket.settimeout(self.timeout)
            if message[0] == 2:
                self.events.append(message[2][0])

    def _receive(self):
        while True:
            if self.buffer:
                try:
                    message, end = mpack.unpack(self.buffer)
                    del self.buffer[:end]
                    return message
                except mpack.NeedMore:
                    pass
            data = self.socket.recv(65536)
            if not data:
                self.close()
                raise Lost(f"{self.path}: closed")
            self.buffer += data


def history(control, contact):
    """All messages with a contact, oldest first, whatever the size of a page."""
    messages, before = [], None
    while True:
        params = {"contact": contact, "limit": 500}
        if before is not None:
            params["before"] = before
        page = control.call("message.history", params)
        messages = page["messages"] + messages
        if not page["more"] or not page["messages"]:
            return messages
        before = page["messages"][0]["order"]
