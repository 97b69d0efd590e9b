# SPDX-License-Identifier: Apache-2.0
"""petrelctl rpc, driven line by line."""
import json
import os
import queue
import socket
import subprocess
import threading

from lib import mpack
from lib.people import PATIENCE, Failure


class Rpc:
    """A petrelctl rpc on a home."""

    def __init__(self, tool, home, runtime, arguments=()):
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(runtime))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [str(tool), "--home", str(home), *arguments, "rpc"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.came = queue.Queue()
        self.events = []
        self.number = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass

    def _read(self):
        for line in self.process.stdout:
            self.came.put(line)
        self.came.put(None)

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def line(self, value):
        self.raw(json.dumps(value).encode() + b"\n")

    def next(self):
        """The next line of output as JSON; None at its end."""
        try:
            line = self.came.get(timeout=PATIENCE)
        except queue.Empty:
            raise Failure(f"petrelctl rpc wrote nothing for {PATIENCE:.0f} s") from None
        return None if line is None else json.loads(line)

    def answer(self):
        """The next answer; notifications that come before it are kept in events."""
        while True:
            value = self.next()
            if not isinstance(value, dict) or "method" not in value:
                return value
            self.events.append(value)

    def notification(self):
        return self.events.pop(0) if self.events else self.next()

    def ask(self, method, **params):
        self.number += 1
        self.line({"jsonrpc": "2.0", "method": method, "params": params, "id": self.number})
        return self.number

    def call(self, method, **params):
        """The whole answer to one request; there may be none other under way."""
        number = self.ask(method, **params)
        answer = self.answer()
        if answer is None or answer.get("id") != number:
            raise Failure(f"{method}: answered by {answer}")
        return answer

    def end(self):
        """Closes standard input. What else was written, and the exit code."""
        self.process.stdin.close()
        rest = []
        while (value := self.next()) is not None:
            rest.append(value)
        return rest, self.process.wait(PATIENCE)



class Stand:
    """In a daemon's place: a control socket that plays one part for each connection. A part is
    called with request, which gives the next message of the client, and reply, which sends one; when
    it returns, the connection is closed."""

    def __init__(self, home, *parts):
        home.mkdir(mode=0o700)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(home / "control.sock"))
        self.listener.listen()
        self.thread = threading.Thread(target=self._play, args=parts, daemon=True)
        self.thread.start()

    def _play(self, *parts):
        for part in parts:
            connection, _ = self.listener.accept()
            buffer = bytearray()

            def request(connection=connection, buffer=buffer):
                while True:
                    try:
                        value, end = mpack.unpack(bytes(buffer))
                        del buffer[:end]
                        return value
                    except mpack.NeedMore:
                        got = connection.recv(65536)
                        if not got:
                            return None
                        buffer.extend(got)
            with connection:
                part(request, lambda value, c=connection: c.sendall(mpack.pack(value)))
        self.listener.close()

    def join(self):
        self.thread.join(PATIENCE)
        if self.thread.is_alive():
            raise Failure("not all connections were made that the test expects")
