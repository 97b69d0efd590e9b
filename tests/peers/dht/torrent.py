#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torrent.py HOST COUNT PORT: so many nodes of libtorrent, which answer the lines of dht_cli.c.

put takes neither a sequence number nor CAS: libtorrent reads the item and puts the next one. look
takes a target, too. live NODE says which ports are in the node's table, heard NODE which ones have
answered it so far."""
import hashlib
import os
import re
import sys
import time

import libtorrent

ANSWERED = re.compile(r"<== \[.*:(\d+)\] .*'y': 'r'", re.DOTALL)
PATIENCE = 30  # seconds
SETTLED = 0.3  # likewise, in which nothing newer comes


def session(host, port):
    name = f"[{host}]" if ":" in host else host
    settings = {
        "listen_interfaces": f"{name}:0", "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "dht_bootstrap_nodes": f"{name}:{port}",
        # All nodes here share one address.
        "dht_block_ratelimit": 1000000, "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False, "dht_ignore_dark_internet": False,
        "dht_upload_rate_limit": 100000000,
        "alert_queue_size": 100000,
        "alert_mask": libtorrent.alert.category_t.all_categories,
    }
    made = libtorrent.session(settings)
    made.add_dht_node((host, port))
    return made


class Node:
    """A session, and who has answered it."""

    def __init__(self, host, port):
        self.session = session(host, port)
        self.heard = set()

    def __getattr__(self, name):
        return getattr(self.session, name)

    def alerts(self):
        """Those that came since. An alert lives no longer than until the next ones are fetched."""
        for alert in self.session.pop_alerts():
            if type(alert).__name__ == "dht_pkt_alert":
                said = ANSWERED.match(alert.message())
                if said:
                    self.heard.add(int(said.group(1)))
            yield alert


def wait(node, kind, take, seconds=PATIENCE):
    """What take gives of the next alert of this kind. None: it does not come, which only a short wait
    may find."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        node.wait_for_alert(max(1, int(1000 * (end - time.monotonic()))))
        taken = [take(alert) for alert in node.alerts() if type(alert).__name__ == kind]
        if taken:
            return taken[-1]
    if seconds < PATIENCE:
        return None
    raise TimeoutError(kind)


def expanded(seed):
    """Ed25519's scalar and nonce prefix (RFC 8032, 5.1.5)."""
    key = bytearray(hashlib.sha512(seed).digest())
    key[0] &= 248
    key[31] = key[31] & 63 | 64
    return bytes(key)


def unbencoded(value):
    return value[value.index(b":") + 1:]


def shown(item, seq=0):
    value = item["value"] if isinstance(item, dict) else item
    if value is None:
        return "none"
    value = value if isinstance(value, bytes) else value.encode()
    return f"value {(b'%d:' % len(value) + value).hex()} seq {seq}"


def data(text):
    return b"" if text == "-" else bytes.fromhex(text)


def put(node, seed, key, salt, value):
    node.dht_put_mutable_item(expanded(data(seed)), data(key), unbencoded(data(value)).decode(),
                              data(salt))
    return f"stored {wait(node, 'dht_put_alert', lambda a: a.num_success)} refused 0 code 0"


def puti(node, value):
    node.dht_put_immutable_item(unbencoded(data(value)).decode())
    return f"stored {wait(node, 'dht_put_alert', lambda a: a.num_success)} refused 0 code 0"


def get(node, key, salt):
    node.dht_get_mutable_item(data(key), data(salt))
    def what(alert):
        return shown(alert.item, alert.seq)

    found = newer = wait(node, "dht_mutable_item_alert", what)
    while newer is not None:  # each is newer than those before; the lookup itself ends much later
        found = newer
        newer = wait(node, "dht_mutable_item_alert", what, SETTLED)
    return found


def geti(node, target):
    node.dht_get_immutable_item(libtorrent.sha1_hash(data(target)))
    return wait(node, "dht_immutable_item_alert", lambda a: shown(a.item))


def look(node, target=None):
    """Begins a lookup somewhere, and does not wait for its end."""
    node.dht_get_immutable_item(libtorrent.sha1_hash(data(target) if target else os.urandom(20)))
    return "ok"


def status(node):
    node.post_dht_stats()
    nodes = wait(node, "dht_stats_alert",
                 lambda a: sum(bucket["num_nodes"] for bucket in a.routing_table))
    return f"nodes {nodes}"


def live(node):
    """The table is asked for by the ID that it is kept for: the node's own."""
    own = node.save_state()[b"dht state"][b"node-id"][0][:20]
    node.dht_live_nodes(libtorrent.sha1_hash(own))
    ports = wait(node, "dht_live_nodes_alert", lambda a: [n["endpoint"][1] for n in a.nodes])
    return "live " + " ".join(map(str, ports))


def heard(node):
    return "heard " + " ".join(map(str, sorted(node.heard)))


COMMANDS = {f.__name__: f for f in (put, puti, get, geti, look, status, live, heard)}


def main(host, count, port):
    nodes = [Node(host, port) for _ in range(count)]
    for node in nodes:
        print("port", node.listen_port(), flush=True)
    for line in sys.stdin:
        name, number, *words = line.split()
        node = nodes[int(number)]
        for _ in node.alerts():
            pass
        print(COMMANDS[name](node, *words), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
