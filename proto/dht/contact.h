/* SPDX-License-Identifier: Apache-2.0
 *
 * contact: a node of the DHT as others speak of it: its ID, 160 bits that are also a place (BEP 5),
 * and the UDP address that it answers at; what of an ID its address determines (BEP 42).
 * docs/protocol/11-dht.md, section 2.
 */
#ifndef PETREL_DHT_CONTACT_H
#define PETREL_DHT_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/env.h"

enum {
    DHT_ID = 20,
    DHT_IPV4 = 4,
    DHT_IPV6 = 16,
    DHT_COMPACT4 = DHT_IPV4 + 2, /* address and port, as BEP 5 writes them */
    DHT_COMPACT6 = DHT_IPV6 + 2, /* BEP 32 */
    DHT_NODE4 = DHT_ID + DHT_COMPACT4,
    DHT_NODE6 = DHT_ID + DHT_COMPACT6,
};

/* The ID of a node, or the place of an item: both are points of one space. */
struct dht_id {
    uint8_t b[DHT_ID];
};

struct dht_address {
    uint8_t ip[DHT_IPV6]; /* network order; the rest of an IPv4 address is zeros */
    uint16_t port;        /* UDP */
    bool v6;
};

struct dht_contact {
    struct dht_id id;
    struct dht_address address;
};

bool dht_id_equal(const struct dht_id *a, const struct dht_id *b);
/* Less than 0, 0, or more: whether a is nearer to target than b, as near, or farther (XOR). */
int dht_id_nearer(const struct dht_id *target, const struct dht_id *a, const struct dht_id *b);
/* Leading bits that both have: 0 .. 160. */
unsigned dht_id_common(const struct dht_id *a, const struct dht_id *b);

static inline size_t dht_ip_len(const struct dht_address *a)
{
    return a->v6 ? DHT_IPV6 : DHT_IPV4;
}
bool dht_address_equal(const struct dht_address *a, const struct dht_address *b);
/* Whether a and b are of one host: the same address, or, where it is not local, the same /64. */
bool dht_address_same_host(const struct dht_address *a, const struct dht_address *b);
/* Whether nodes may be there: a port, and no multicast, unspecified or mapped address. */
bool dht_address_valid(const struct dht_address *a);
/* Of this machine or a local network (BEP 42 exempts them). */
bool dht_address_local(const struct dht_address *a);
/* The first v4 or v6 bytes of the address, in out; all of a local one with its port, since there
 * many nodes share one address. */
struct slice dht_address_prefix(const struct dht_address *a, size_t v4, size_t v6,
                                uint8_t out[static DHT_COMPACT6]);

void dht_address_write(struct writer *w, const struct dht_address *a); /* compact */
struct dht_address dht_address_read(struct reader *r, bool v6);
void dht_contact_write(struct writer *w, const struct dht_contact *c); /* compact */
struct dht_contact dht_contact_read(struct reader *r, bool v6);

/* BEP 42: an ID that a node at this address may have; random where the address says nothing. */
struct dht_id dht_id_for(const struct env *env, const struct dht_address *a);
/* Whether a node at this address may have this ID; always of a local one. */
bool dht_id_fits(const struct dht_id *id, const struct dht_address *a);

#endif
