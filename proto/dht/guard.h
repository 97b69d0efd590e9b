/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: what a node of the DHT does for one host at most, so that it neither drowns nor floods
 * somebody in whose name it was asked; and the tokens by which who writes shows that the answer to
 * an earlier question reached them (BEP 5). docs/protocol/11-dht.md, section 7.
 */
#ifndef PETREL_DHT_GUARD_H
#define PETREL_DHT_GUARD_H

#include "crypto/prim.h"
#include "dht/contact.h"

enum {
    DHT_GUARD_HOSTS = 1024,       /* remembered; two that share a place share what they get */
    DHT_GUARD_ANSWERS = 64,       /* answers at once to one host, */
    DHT_GUARD_ANSWERS_S = 16,     /* and so many a second */
    DHT_GUARD_BYTES = 4096,       /* bytes at once beyond twice of what was asked with, */
    DHT_GUARD_BYTES_S = 512,      /* and so many a second, while the host has shown no token; */
    DHT_GUARD_REACHED = 4,        /* so many times as much where it is a node that answered us */
    DHT_TOKEN = 8,                /* bytes */
    DHT_TOKEN_MS = 5 * 60 * 1000, /* a token is good for this long, up to twice */
};

struct dht_guard_host {
    uint64_t last_ms;
    uint64_t shown_ms;   /* when a host gave a good token last; 0: never; */
    uint64_t shown_by;   /* which, of those that share this place */
    uint64_t reached_ms; /* likewise: when one answered us */
    uint64_t reached_by;
    uint32_t answers; /* left, thousandths */
    uint32_t bytes;   /* left, thousandths */
    bool used;
};

struct dht_guard {
    uint8_t place_key[PRIM_KEY];     /* of hosts in the table */
    uint8_t token_keys[2][PRIM_KEY]; /* now and before */
    uint64_t turned_ms;
    struct dht_guard_host hosts[DHT_GUARD_HOSTS];
};

void dht_guard_init(struct dht_guard *g, const struct env *env);
void dht_guard_fini(struct dht_guard *g);
/* Whether this host may be answered once more. */
bool dht_guard_question(struct dht_guard *g, const struct dht_address *from, uint64_t now);
/* Whether an answer of so many bytes may go to a question of so many; it counts as sent. */
bool dht_guard_answer(struct dht_guard *g, const struct dht_address *to, size_t question,
                      size_t answer, uint64_t now);
/* This host is a node: it answered a question of ours. That does not say that it asks us, as a good
 * token does, but there is a node. */
void dht_guard_reached(struct dht_guard *g, const struct dht_address *host, uint64_t now);
/* A token for this host; another every five minutes. */
void dht_guard_token(struct dht_guard *g, const struct env *env, const struct dht_address *host,
                     uint8_t token[static DHT_TOKEN]);
/* Whether it is one that this host was given in the last ten minutes; it is remembered. */
bool dht_guard_token_good(struct dht_guard *g, const struct env *env,
                          const struct dht_address *host, struct slice token);

#endif
