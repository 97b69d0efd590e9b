#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""petrelctl rpc: JSON-RPC 2.0 with real daemons, and with a socket that breaks off where it is told
to. docs/protocol/09-control.md, 9.7.

usage: rpc_test.py --bin FOLDER [STORY...]"""
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.people import until  # noqa: E402
from lib.rpc import Rpc, Stand  # noqa: E402
from lib.world import main  # noqa: E402

METHODS = pathlib.Path(__file__).resolve().parents[2] / "proto/control/methods.h"
PARSE, INVALID, NO_METHOD, BAD_PARAMS = -32700, -32600, -32601, -32602
NO_DAEMON, LOST, NO_ANSWER = -32000, -32001, -32002


def rpc(person, *arguments):
    return Rpc(person.tool, person.home, person.runtime, arguments)


def code(answer):
    return answer["error"]["code"], answer["id"]


def is_alive(w, what, r):
    """That nothing came before, and that the next request is answered."""
    w.checks.same(f"hello after {what}", r.call("hello")["result"]["api"], 1)


def the_examples_of_the_specification(w):
    """Section 7 of JSON-RPC 2.0, with methods of ours where it has subtract and sum."""
    with rpc(w.person("alice").create()) as r:
        r.raw(b'{"jsonrpc": "2.0", "method": "hello", "params": {"api": 1}, "id": 3}\n')
        answer = r.answer()
        w.checks.same("named parameters", sorted(answer), ["id", "jsonrpc", "result"])
        w.checks.same("its id", (answer["jsonrpc"], answer["id"]), ("2.0", 3))
        r.raw(b'{"jsonrpc": "2.0", "method": "daemon.status", "params": [], "id": "x"}\n')
        w.checks.same("no parameters", r.answer()["id"], "x")
        for line in (b'{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}\n',
                     b'{"jsonrpc": "2.0", "method": "foobar"}\n',
                     b'{"jsonrpc": "2.0", "method": "hello"}\n'):
            r.raw(line)
            is_alive(w, "a notification", r)
        r.raw(b'{"jsonrpc": "2.0", "method": "foobar", "id": "1"}\n')
        w.checks.same("a method that is none", code(r.answer()), (NO_METHOD, "1"))
        r.raw(b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]\n')
        w.checks.same("no JSON", code(r.answer()), (PARSE, None))
        r.raw(b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}\n')
        w.checks.same("no request", code(r.answer()), (INVALID, None))
        r.raw(b'[{"jsonrpc": "2.0", "method": "hello", "id": "1"},{"jsonrpc": "2.0", "method"]\n')
        w.checks.same("a batch that is no JSON", code(r.answer()), (PARSE, None))
        r.raw(b'[]\n')
        w.checks.same("an empty batch", code(r.answer()), (INVALID, None))
        r.raw(b'[1]\n')
        w.checks.same("a batch of nothing", [code(a) for a in r.answer()], [(INVALID, None)])
        r.raw(b'[1,2,3]\n')
        w.checks.same("more of it", [code(a) for a in r.answer()], [(INVALID, None)] * 3)
        r.raw(b'[{"jsonrpc": "2.0", "method": "daemon.status", "id": "1"},'
              b'{"jsonrpc": "2.0", "method": "account.list"},'
              b'{"jsonrpc": "2.0", "method": "account.show", "params": {}, "id": "2"},'
              b'{"foo": "boo"},'
              b'{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
              b'{"jsonrpc": "2.0", "method": "hello", "id": "9"}]\n')
        answers = {a["id"]: a.get("error", {}).get("code") for a in r.answer()}
        w.checks.same("a batch", answers, {"1": None, "2": None, None: INVALID, "5": NO_METHOD,
                                           "9": None})
        r.raw(b'[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
              b'{"jsonrpc": "2.0", "method": "daemon.status"}]\n')
        is_alive(w, "a batch of notifications", r)
        w.checks.same("end", r.end(), ([], 0))


def every_method_and_parameter_is_that_of_the_table(w):
    text = METHODS.read_text()
    methods = re.findall(r'METHOD\("([a-z.]+)", [A-Z]+, [A-Z]+, (true|false)', text)
    params = re.findall(r'PARAM\("([a-z.]+)", "([a-z_]+)", ([A-Z]+), (true|false)', text)
    wrong = {"STR": 7, "UINT": "seven", "BOOL": "true", "BIN": "no hex"}
    alice = w.person("alice")
    with rpc(alice) as r:
        for method, _ in methods:
            error = r.call(method, no_such=1)["error"]
            w.checks.same(method, (error["code"], error["data"]["name"]),
                          (BAD_PARAMS, "unknown-parameter"))
            w.checks.true("it is named", "no_such" in error["message"])
        for method, name, kind, required in params:
            error = r.call(method, **{name: wrong[kind]})["error"]
            w.checks.same(f"{method} {name}", (error["code"], error["data"]),
                          (BAD_PARAMS, {"name": "bad-type", "class": "caller"}))
            if required == "true":
                error = r.call(method)["error"]
                w.checks.same(f"{method} without", (error["code"], error["data"]["name"]),
                              (BAD_PARAMS, "missing-parameter"))
        changing = [method for method, mutates in methods if mutates == "true"]
        for method in changing:
            for bad in ("", "00", "zz" * 16, "00" * 15, "0" * 31, 7, None):
                error = r.call(method, client_id=bad)["error"]
                w.checks.same(f"{method} client_id {bad!r}", error["data"]["name"], "bad-type")
        w.checks.true("methods, parameters and changes", len(methods) > 25 and len(params) > 30
                      and len(changing) > 10)
        for number in (-1, 1.5, "1.0", "-1", "", "18446744073709551616", "1\0", None, True):
            error = r.call("relay.invite", days=number)["error"]
            w.checks.same(f"days {number!r}", error["data"]["name"], "bad-type")
        r.line({"jsonrpc": "2.0", "method": "hello", "params": [1], "id": 1})
        w.checks.same("by position", code(r.answer()), (BAD_PARAMS, 1))


def errors_are_those_of_the_daemon(w):
    alice = w.person("alice")
    with rpc(alice) as r:
        error = r.call("account.show")["error"]
        w.checks.same("state", (error["code"], error["data"]),
                      (301, {"name": "no-account", "class": "state"}))
        w.checks.true("its sentence", len(error["message"]) > 10)
        # Argon2id takes half a second: the second creation comes while the first runs.
        first = r.ask("account.create", passphrase="correct horse")
        second = r.ask("account.create", passphrase="correct horse", another=True)
        third = r.ask("hello")
        answers = {answer["id"]: answer for answer in (r.answer(), r.answer(), r.answer())}
        busy = answers[second]["error"]
        w.checks.same("busy", (busy["code"], busy["data"]["name"]), (309, "busy"))
        w.checks.true("when again", busy["data"]["retry_after_ms"] > 0)
        w.checks.same("order of answers", list(answers)[-1], first)
        w.checks.true("one that is quick", "result" in answers[third])


def results_are_as_json_prints_them(w):
    alice = w.person("alice").create()
    with rpc(alice) as r:
        w.checks.same("status", r.call("daemon.status")["result"], alice.ask("status"))
        w.checks.same("id", r.call("account.show", account="1")["result"], alice.ask("id"))
        # Numbers may be given as text: those of JavaScript end at 2^53.
        big = {"name": "bot", "cursor": "9007199254740993"}
        w.checks.true("a big number is refused by the core alone",
                      r.call("event.ack", **big)["error"]["code"] > 0)
    other = alice.ask("init", "--another")
    with rpc(alice, "--account", "2") as r:
        w.checks.same("--account", r.call("account.show")["result"]["id"], other["id"])
        w.checks.same("account", r.call("account.show", account=1)["result"]["id"], alice.id)


def the_same_client_id_is_the_same_call(w):
    _, alice, bob = w.three()
    alice.meet(bob)
    with rpc(alice) as r:
        send = {"contact": bob.id, "text": "once \0 and \u00e4", "client_id": "ab" * 16}
        first = r.call("message.send", **send)["result"]
        w.checks.same("repeated", r.call("message.send", **send)["result"], first)
        drawn = [r.call("message.send", contact=bob.id, text="twice")["result"]["message"]
                 for _ in range(2)]
        w.checks.true("drawn anew", drawn[0] != drawn[1])
        for message in (first["message"], *drawn):
            alice.delivered(message)
    w.checks.same("what he reads", bob.texts(alice.id), ["once \0 and \u00e4", "twice", "twice"])


def bad_input_costs_only_itself(w):
    with rpc(w.person("alice")) as r:
        limit = 1 << 20
        hello = b'{"jsonrpc":"2.0","method":"hello","id":%d}'
        for what, line, wanted in (
                ("bytes", bytes(range(1, 10)) + bytes(range(11, 256)), PARSE),
                ("no UTF-8", b'{"jsonrpc":"2.0","method":"\xff","id":1}', PARSE),
                ("half a surrogate", b'{"jsonrpc":"2.0","method":"\\ud800","id":1}', PARSE),
                ("NUL", b"\0", PARSE),
                ("NUL in a key", b'{"jsonrpc":"2.0","method":"hello","\\u0000":1,"id":1}', PARSE),
                ("depth", b"[" * 100000, PARSE),
                ("a key twice", b'{"jsonrpc":"2.0","method":"hello","id":1,"id":2}', PARSE),
                ("a parameter twice", b'{"jsonrpc":"2.0","method":"hello",'
                 b'"params":{"api":1,"api":2},"id":1}', PARSE),
                ("more behind it", hello % 1 + hello % 2, PARSE),
                ("an id too large", hello % (1 << 63), PARSE),
                ("a version", b'{"jsonrpc":"1.0","method":"hello","id":null}', INVALID),
                ("no version", b'{"method":"hello"}', INVALID),
                ("a number", b"7", INVALID),
                ("an id of another type", b'{"jsonrpc":"2.0","method":"hello","id":[]}', INVALID),
                ("a batch in a batch", b"[[]]", INVALID),
                ("a long line", b" " * limit + hello % 1, INVALID),
                ("a longer one", b"x" * (3 * limit), INVALID),
                ("a batch too large", b"[" + b",".join([hello % 1] * 257) + b"]", INVALID)):
            r.raw(line + b"\n")
            answer = r.answer()
            answer = answer[0] if isinstance(answer, list) else answer
            w.checks.same(what, code(answer), (wanted, None))
            is_alive(w, what, r)
        r.raw(b" " * (limit - len(hello % 1)) + hello % 1 + b"\n")
        w.checks.same("a line of the very limit", r.answer()["id"], 1)
        for id_ in ("", 1.5, -7, 2 ** 63 - 1, None, "\u00e4\u20ac"):
            r.line({"jsonrpc": "2.0", "method": "hello", "id": id_})
            w.checks.same("an id", r.answer()["id"], id_)
        r.raw(b"\r\n \t\n" + hello % 5 + b"\r\n")
        w.checks.same("blank lines", r.answer()["id"], 5)
        # As large as no call may be, and with a text that is no method.
        error = r.call("contact.add", link="x" * 300000)["error"]
        w.checks.same("a call that is too large", error["data"]["name"], "too-large")
        w.checks.same("a method", code(r.call("x" * 100000))[0], NO_METHOD)
        is_alive(w, "large calls", r)
        r.raw(hello % 6)
        w.checks.same("the last line needs no end", [a["id"] for a in r.end()[0]], [6])
    with rpc(w.person("bob")) as r:
        r.raw(b"x" * (2 * limit))
        rest, exit_code = r.end()
        w.checks.same("a last line that is too long", [code(a) for a in rest], [(INVALID, None)])
        w.checks.same("exit code", exit_code, 0)


def many_requests_are_each_answered_once(w):
    with rpc(w.person("alice").create()) as r:
        single = [{"jsonrpc": "2.0", "method": "account.show", "id": i} for i in range(300)]
        batch = [{"jsonrpc": "2.0", "method": "hello", "id": 1000 + i} for i in range(256)]
        text = "".join(json.dumps(v) + "\n" for v in (*single, batch, *batch))
        r.raw(text.encode())
        ids, arrays = [], []
        for _ in range(len(single) + 1 + len(batch)):
            answer = r.answer()
            (arrays if isinstance(answer, list) else ids).append(answer)
        w.checks.same("ids", sorted(a["id"] for a in ids if "result" in a),
                      [*range(300), *range(1000, 1256)])
        w.checks.same("the batch", sorted(a["id"] for a in arrays[0] if "result" in a),
                      [*range(1000, 1256)])
        w.checks.same("end", r.end(), ([], 0))


def input_ends_after_the_answers_were_written(w):
    alice = w.person("alice")
    with rpc(alice) as r:
        number = r.ask("account.create", passphrase="correct horse")
        rest, exit_code = r.end()
        w.checks.same("answers", [(a["id"], "words" in a["result"]) for a in rest],
                      [(number, True)])
        w.checks.same("exit code", exit_code, 0)
    there, here = os.pipe()
    os.close(there)
    done = subprocess.run([alice.tool, "--home", alice.home, "rpc"], stdout=here, timeout=60,
                          input=b'{"jsonrpc":"2.0","method":"hello","id":1}', check=False,
                          stderr=subprocess.PIPE)
    os.close(here)
    w.checks.same("nobody reads", done.returncode, 1)
    w.checks.true("it says so", b"standard output" in done.stderr)


def events_come_as_notifications_and_their_end_is_told(w):
    relay, alice, bob = w.three()
    alice.meet(bob)
    with rpc(alice) as r:
        start = r.call("event.subscribe", name="bot")["result"]
        w.checks.true("cursor", start["start"] <= start["cursor"])
        r.call("event.subscribe", since=start["cursor"])
        bob.send(alice, "hello")
        event = r.notification()
        while event["params"]["type"] != "message.received":
            event = r.notification()
        w.checks.same("form", sorted(event), ["jsonrpc", "method", "params"])
        w.checks.same("event", (event["method"], event["params"]["data"]["text"]),
                      ("event", "hello"))
        cursor = event["params"]["cursor"]
        w.checks.same("another call meanwhile", r.call("hello")["result"]["api"], 1)
        until("nothing waits", lambda: bob.status()["outbox"] == 0)
        alice.kill()
        lost = r.notification()
        while lost["method"] == "event":
            cursor = lost["params"]["cursor"]
            lost = r.notification()
        w.checks.same("the end", lost, {"jsonrpc": "2.0", "method": "event.lost",
                                        "params": {"cursor": cursor}})
        w.checks.same("no daemon", code(r.call("hello"))[0], NO_DAEMON)
        alice.start()
        bob.send(alice, "again")
        w.checks.same("from there", r.call("event.subscribe", since=lost["params"]["cursor"])
                      ["result"]["start"], cursor)
        event = r.notification()
        while event["params"]["type"] != "message.received":
            event = r.notification()
        w.checks.same("nothing is missing", event["params"]["data"]["text"], "again")
        w.checks.same("end", r.end()[1], 0)
    relay.must_live()


def stand(w, name, *parts):
    home = w.folder / name
    return home, Stand(home, *parts)


def on(w, home, *arguments):
    return Rpc(w.bin / "petrelctl", home, w.folder, arguments)


def a_call_is_repeated_where_the_daemon_knows_it_again(w):
    seen = []

    def breaks(request, _):
        seen.append(request())

    def answers(request, reply):
        seen.append(request())
        reply([1, seen[-1][1], None, {"code": "x", "expires": 2 ** 64 - 1}])

    home, daemon = stand(w, "repeats", breaks, answers)
    with on(w, home) as r:
        answer = r.call("relay.invite")
        daemon.join()
        w.checks.same("the second answers", answer["result"],
                      {"code": "x", "expires": str(2 ** 64 - 1)})
        w.checks.same("the same call", seen[0], seen[1])
        w.checks.same("with a client_id", len(seen[0][3][0]["client_id"]), 16)

    home, daemon = stand(w, "not-again", breaks, breaks, breaks)
    with on(w, home) as r:
        error = r.call("relay.invite", client_id="0f" * 16)["error"]
        w.checks.same("twice and not again", (error["code"], error["data"]),
                      (LOST, {"name": "connection-lost", "class": "local",
                              "client_id": "0f" * 16}))
        error = r.call("account.lock")["error"]
        daemon.join()
        w.checks.same("not one that it does not know", (error["code"], error["data"]["name"]),
                      (LOST, "connection-lost"))
        w.checks.same("without a client_id", sorted(error["data"]), ["class", "name"])
        error = r.call("relay.invite")["error"]
        w.checks.same("nobody there", (error["code"], error["data"]["name"]),
                      (NO_DAEMON, "no-daemon"))
        w.checks.same("a client_id to repeat it with", len(error["data"]["client_id"]), 32)


def what_a_daemon_does_wrong_is_an_error(w):
    after = []

    def busy(request, reply):
        request()
        reply([1, 0, {"code": 309, "name": "busy", "class": "state", "message": "not now",
                      "retry_after_ms": 70}, None])
        after.append(request())

    def nonsense(request, reply):
        request()
        reply("no message of this protocol")

    def silent(request, reply):
        first = request()
        request()
        request()
        reply([1, first[1], None, {"late": True}])
        reply([1, request()[1], None, {}])

    home, daemon = stand(w, "wrong", busy, nonsense, silent)
    with on(w, home, "--timeout", "2") as r:
        error = r.call("hello")["error"]
        w.checks.same("of the connection", (error["code"], error["data"]),
                      (309, {"name": "busy", "class": "state", "retry_after_ms": 70}))
        w.checks.same("nonsense", r.call("hello")["error"]["code"], LOST)
        asked = [r.ask("hello"), r.ask("relay.invite")]
        errors = [r.answer(), r.answer()]
        w.checks.same("no answer in time", [code(e) for e in errors],
                      [(NO_ANSWER, n) for n in asked])
        w.checks.same("with the client_id", len(errors[1]["error"]["data"]["client_id"]), 32)
        r.ask("hello")
        w.checks.same("the late answer is nobody's", code(r.answer())[0], NO_ANSWER)
        w.checks.same("the next one", r.call("hello")["result"], {})
        daemon.join()
        w.checks.same("nothing more on a connection that was refused", after, [None])


STORIES = [the_examples_of_the_specification,
           every_method_and_parameter_is_that_of_the_table,
           errors_are_those_of_the_daemon,
           results_are_as_json_prints_them,
           the_same_client_id_is_the_same_call,
           bad_input_costs_only_itself,
           many_requests_are_each_answered_once,
           input_ends_after_the_answers_were_written,
           events_come_as_notifications_and_their_end_is_told,
           a_call_is_repeated_where_the_daemon_knows_it_again,
           what_a_daemon_does_wrong_is_an_error]

if __name__ == "__main__":
    main(STORIES, "petrelctl rpc")
