/* SPDX-License-Identifier: Apache-2.0 */
#include "node/way.h"

#include <string.h>

#include "node/hostname.h"

enum {
    NETWORK_IPV4 = 3, /* bytes */
    NETWORK_IPV6 = 6,
};

static bool same_node(const struct address *a, const struct address *b)
{
    return memcmp(a->node_id.b, b->node_id.b, sizeof a->node_id.b) == 0;
}

enum way way_of(const struct address *home, bool own_machine, const struct address *to)
{
    if (to->port == 0) {
        return WAY_UNKNOWN;
    }
    if (home->port == 0) {
        return WAY_NO_RELAY;
    }
    if (same_node(home, to)) {
        return WAY_SAME_RELAY;
    }
    return own_machine ? WAY_OWN_MACHINE : WAY_FORWARDED;
}

const char *way_name(enum way way)
{
    switch (way) {
    case WAY_UNKNOWN:
        return "unknown";
    case WAY_FORWARDED:
        return "forwarded";
    case WAY_SAME_RELAY:
        return "same-relay";
    case WAY_NO_RELAY:
        return "no-relay";
    case WAY_OWN_MACHINE:
        return "own-machine";
    }
    return "unknown";
}

/* The last two labels of a name, or all of it. */
static const char *domain_of(const char *host)
{
    const char *at = host + strlen(host);
    unsigned dots = 0;
    while (at > host && (at[-1] != '.' || ++dots < 2)) {
        at--;
    }
    return at;
}

bool way_same_operator(const struct address *a, const struct address *b)
{
    struct slice left = slice_of(a->host, strlen(a->host));
    struct slice right = slice_of(b->host, strlen(b->host));
    uint8_t x[16];
    uint8_t y[16];
    if (a->port == 0 || b->port == 0) {
        return false;
    }
    if (same_node(a, b) || slice_equal(left, right)) {
        return true;
    }
    if (hostname_ipv4(left, x)) {
        return hostname_ipv4(right, y) && memcmp(x, y, NETWORK_IPV4) == 0;
    }
    if (hostname_ipv6(left, x)) {
        return hostname_ipv6(right, y) && memcmp(x, y, NETWORK_IPV6) == 0;
    }
    return !hostname_ipv4(right, y) && !hostname_ipv6(right, y) &&
           strcmp(domain_of(a->host), domain_of(b->host)) == 0;
}
