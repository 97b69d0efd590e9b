#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""People write to each other from hosts of their own, while the network and the hosts fail.

usage: hosts_test.py --bin FOLDER --tools FOLDER --shift LIBRARY [--seed N | --random]
       [--people N] [--devices N] [--relays N] [--messages N] [--each N] [--lasting N] [--files N]
       [--hours N] [--keep]

Every daemon is on a host of its own, which is a network namespace with a line to a bridge
(lib/network.py); one of them is behind an address translation. Meanwhile each kind of fault of
lib/faults.py comes --each times: which host, and at which message it begins and ends, comes from
the seed. A fault ends only after it has come to pass, by what the system or a daemon says.

Then nothing happens any more, until no outbox holds anything; --hours hours may go by on the clocks
of all, since whoever did not reach another one waits, up to an hour. All histories are compared
with what was written (lib/compare.py): each message whose sending was acknowledged is there exactly
once, in order; none has failed, since none is a month old. No daemon has ended by itself, or said
that something is wrong with it. The table at the end says how often each kind of fault came to
pass, and how many messages were acknowledged meanwhile.

77: this machine lets nobody have such a network, or what makes one is not installed.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import alone, network, tap  # noqa: E402
from lib.compare import Comparison  # noqa: E402
from lib.control import Lost, Refused  # noqa: E402
from lib.crowd import histories  # noqa: E402
from lib.hosts import Hosts  # noqa: E402
from lib.losses import Books  # noqa: E402
from lib.node import Died  # noqa: E402
from lib.people import Failure  # noqa: E402
from lib.schedule import Schedule  # noqa: E402

SEED = 20
SKIPPED = 77
STILL_S = 3.0   # without a change anywhere: an hour may go by
STUCK_S = 30.0  # and when none may go by any more, it stays so
REST_S = 400.0  # to come to rest in, at most

DIAL = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


def come_to_rest(hosts, schedule, hours):
    """Until no outbox holds anything. Where nothing changes any more, an hour goes by."""
    began, first = time.monotonic(), hosts.hours
    seen, since = None, began
    while True:
        waiting = hosts.waiting()
        if all(count == 0 for count in waiting.values()):
            schedule.say(f"at rest after {time.monotonic() - began:.0f} s, and "
                         f"{hosts.hours - first} hours by the clocks")
            return
        if waiting != seen:
            seen, since = waiting, time.monotonic()
        elif time.monotonic() - since > STUCK_S:
            break
        elif time.monotonic() - since > STILL_S and hosts.hours - first < hours:
            schedule.say(f"waiting: {waiting}; an hour goes by")
            hosts.pass_hours(1)
            since = time.monotonic()
        if time.monotonic() - began > REST_S:
            break
        time.sleep(0.1)
    raise Failure(f"not at rest after {time.monotonic() - began:.0f} s and {hosts.hours - first} "
                  f"hours: {waiting}: {hosts.troubles()}")


def compare(hosts, ledger):
    found = {device: histories(device, hosts.others(device.person)) for device in hosts.devices}
    comparison = Comparison(hosts.people, ledger, Books([]), found)
    try:
        comparison.run()
    finally:
        for kind, count in sorted(comparison.counts.items()):
            print(f"  {count:6} {kind}")
    if comparison.counts["reported as failed"]:
        raise Failure("messages have failed, and none is a month old")


def nobody_dials(hosts):
    """Who is behind the translation listens, and can be reached by its gateway alone."""
    host, relay = hosts.hosts[hosts.translated], hosts.hosts[hosts.relays[0]]
    port = hosts.translated.keep_port().rsplit(":", 1)[1]
    relay.run("ip", "route", "add", f"{host.address}/32", "via", host.gateway.address)
    for who, address, wanted in ((host.gateway, host.address, True),
                                 (relay, host.gateway.address, False),
                                 (relay, host.address, False)):
        if dials(who, address, port) != wanted:
            raise Failure(f"{who.name} dials {address}: wanted is {wanted}")
    if hosts.network.translated(host, "refused") == 0:
        raise Failure("the gateway has refused nothing")
    relay.run("ip", "route", "del", f"{host.address}/32")


def dials(host, address, port):
    """Whether a connection to that place is made from this host."""
    try:
        host.run(sys.executable, "-c", DIAL, address, port)
        return True
    except OSError:
        return False


def story(options, hosts):
    hosts.prepare()
    nobody_dials(hosts)
    schedule = Schedule(options, hosts)
    try:
        schedule.run()
        come_to_rest(hosts, schedule, options.hours)
        compare(hosts, schedule.ledger)
        hosts.must_be_well()
        hosts.stop()
        hosts.must_be_well()
        schedule.report()
    finally:
        schedule.give_up()


def read_options():
    parser = argparse.ArgumentParser(description="messages survive networks and hosts that fail")
    parser.add_argument("--bin", required=True, help="folder with petreld and petrelctl")
    parser.add_argument("--tools", required=True, help="folder with e2e_hostile")
    parser.add_argument("--shift", required=True, help="the library of clock_shift.c")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--random", action="store_true", help="another seed, which is printed")
    for name, count, text in (
            ("people", 5, ""), ("devices", 2, "of each"), ("relays", 3, ""), ("messages", 8000, ""),
            ("each", 16, "how often each kind of fault comes"),
            ("lasting", 30, "of those faults that somebody can notice last until that"),
            ("files", 256, "that the last relay may have open"),
            ("hours", 12, "that may go by until all is at rest")):
        parser.add_argument(f"--{name}", type=int, default=count, help=text)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to write the rest")
    parser.add_argument("--dir", default="/tmp", help="where the homes are made")
    parser.add_argument("--keep", action="store_true", help="keep homes and logs after a failure")
    options = parser.parse_args()
    if options.random:
        options.seed = int.from_bytes(os.urandom(4), "big")
    # What lib/machines.py asks for.
    options.helpers, options.tools = options.tools, options.bin
    options.program, options.full_disks = "petreld", 1
    return options


def skip(why):
    print(f"skipped: {why}")
    return SKIPPED


def main():
    options = read_options()
    missing = network.missing_tools()
    if missing:
        return skip(f"not installed: {', '.join(missing)}")
    if not alone.enter():
        return skip("nobody may have namespaces here")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"seed {options.seed}: {vars(options)}", flush=True)
    folder = tempfile.mkdtemp(prefix="petrel-hosts-", dir=options.dir)
    started, hosts, net, failed = time.monotonic(), None, None, True
    try:
        net = network.Network()
        hosts = Hosts(options, folder, random.Random(options.seed), net)
        story(options, hosts)
        failed = False
    except network.Missing as why:
        return skip(f"no such network can be made here: {why}")
    except (Failure, Refused, Died, Lost, OSError) as error:
        print(f"FAILED (seed {options.seed}): {error}")
        for node in hosts.nodes if hosts is not None else []:
            print(f"--- last lines of {node.name}'s log\n{node.log_tail()}")
        print(f"kept: {folder}" if options.keep else "nothing is kept: --keep")
        return 1
    finally:
        if hosts is not None:
            hosts.destroy()
        if net is not None:
            net.remove()
        if not failed or not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    tap.passed("hosts_test.py", "hosts_test")
    print(f"hosts_test: passed in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
