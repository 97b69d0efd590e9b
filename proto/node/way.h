/* SPDX-License-Identifier: Apache-2.0
 *
 * way: which way a request to a contact's relay goes, and what that hides.
 * docs/protocol/07-node.md, section 7.4. Pure functions.
 */
#ifndef PETREL_NODE_WAY_H
#define PETREL_NODE_WAY_H

#include "node/address.h"

enum way {
    WAY_UNKNOWN,     /* their relay is not known yet */
    WAY_FORWARDED,   /* sealed, over our own relay */
    WAY_SAME_RELAY,  /* directly: our relay is the one that is asked */
    WAY_NO_RELAY,    /* directly: we have none */
    WAY_OWN_MACHINE, /* directly: our relay is this very node, and could hide nothing */
};

/* home: our relay; to: theirs; port 0: none, or not known. */
enum way way_of(const struct address *home, bool own_machine, const struct address *to);
/* The name for people and programs. */
const char *way_name(enum way way);
/* Whether the two may well have one operator, who would see both ends: the same relay, host or
 * network (IPv4 /24, IPv6 /48), or names whose last two labels are the same. False says nothing:
 * two names and networks can have one owner. */
bool way_same_operator(const struct address *a, const struct address *b);

#endif
