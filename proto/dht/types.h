/* SPDX-License-Identifier: Apache-2.0
 *
 * types: what goes into a DHT node and comes out of it, for its host and for its own sources.
 */
#ifndef PETREL_DHT_TYPES_H
#define PETREL_DHT_TYPES_H

#include "dht/item.h"
#include "dht/table.h"

enum {
    DHT_FAMILIES = 2,    /* IPv4, IPv6 */
    DHT_OPERATIONS = 64, /* at a time */
    DHT_QUERIES = 512,   /* without an answer, all together; further ones wait */
    DHT_OUT = 256,       /* datagrams that wait to be sent; further ones are dropped */
    DHT_SEEDS = 16,      /* of our own table that a lookup begins with */
};

struct dht_config {
    bool read_only;              /* BEP 43: asks and does not answer, for who comes and goes */
    bool families[DHT_FAMILIES]; /* which of IPv4, IPv6 there is a socket for */
};

/* What a lookup cost, and how it went. */
struct dht_report {
    uint32_t queries; /* sent, the puts too */
    uint32_t answers; /* to the lookup */
    uint32_t hops;    /* to the nearest node that answered */
    uint32_t stored;  /* nodes that took the item */
    uint32_t refused; /* that did not */
    int32_t code;     /* the last reason, a krpc_code; 0: none */
    uint64_t took_ms;
};

enum dht_output_kind {
    DHT_OUT_DATAGRAM, /* to `to`: bytes, len */
    DHT_OUT_ITEM,     /* of a get: an item, newer than any that was given before; more may come */
    DHT_OUT_DONE,     /* an operation is over; report */
};

struct dht_output {
    enum dht_output_kind kind;
    struct dht_address to;
    size_t len;
    uint64_t operation;
    union {
        uint8_t bytes[KRPC_DATAGRAM];
        struct dht_item item;
        struct dht_report report;
    };
};

struct dht_status {
    unsigned nodes[DHT_FAMILIES];              /* in tables, */
    unsigned good[DHT_FAMILIES];               /* of them good */
    size_t items;                              /* kept for others */
    unsigned operations;                       /* under way */
    struct dht_address external[DHT_FAMILIES]; /* as others see us; port 0: not known yet */
    struct dht_id id[DHT_FAMILIES];
};

#endif
