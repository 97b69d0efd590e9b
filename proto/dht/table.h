/* SPDX-License-Identifier: Apache-2.0
 *
 * table: the nodes that a node of the DHT knows, of one address family: BEP 5's routing table. Many
 * near its own ID, few far away; who answers stays, whoever is new waits until somebody does not.
 * docs/protocol/11-dht.md, section 4.
 *
 * A bucket holds DHT_BUCKET nodes whose IDs begin like those of its range; the last one, in which
 * our own ID lies, is split when it is full. What a full bucket has no place for waits in its
 * reserve, the newest DHT_RESERVE of them, and takes the place of one that turns bad. Anybody can
 * have nodes ask us that are not there, so who answered goes before who did not, everywhere.
 *
 *   unproven --answers--> good --15 minutes without a word--> questionable --answers--> good
 *      |                                                          |
 *      +--------------- does not answer DHT_FAILURES times -------+--> bad
 *
 * A bad one that never answered goes. Of the others somebody else takes the place; while nobody
 * wants it they stay, and are asked ever less often: after an outage they may be all that there is.
 *
 * Owns its buckets. Never sends: dht_table_ping and dht_table_refresh say what is to be asked.
 */
#ifndef PETREL_DHT_TABLE_H
#define PETREL_DHT_TABLE_H

#include "dht/contact.h"

enum {
    DHT_BUCKET = 8, /* K of BEP 5 */
    DHT_RESERVE = 4,
    DHT_FAILURES = 2,              /* queries in a row without an answer: bad */
    DHT_BUCKETS = 8 * DHT_ID,      /* at most */
    DHT_GOOD_MS = 15 * 60 * 1000,  /* BEP 5 */
    DHT_PING_AGAIN_MS = 10 * 1000, /* one node is pinged once in this time at most, and with each
                                      failure half as often, down to once in DHT_GOOD_MS */
    DHT_SAVE = 128,                /* nodes of a saved table, at most */
};

struct dht_node {
    struct dht_contact contact;
    uint64_t heard_ms;    /* when it asked or answered last */
    uint64_t answered_ms; /* when it answered last; 0: never */
    uint64_t pinged_ms;   /* when dht_table_ping gave it last */
    uint8_t failures;     /* in a row */
};

struct dht_bucket {
    uint8_t count;
    uint8_t waiting;     /* of the reserve */
    uint64_t changed_ms; /* when a node was added, or answered, last */
    struct dht_node nodes[DHT_BUCKET];
    struct dht_node reserve[DHT_RESERVE]; /* the oldest first */
};

struct dht_table {
    struct dht_id own;
    bool v6;
    bool
        alone; /* nobody good was known when the owner looked last: all that there are, are asked */
    struct dht_bucket
        *buckets; /* bucket i: IDs with i bits like ours; the last: at least so many */
    unsigned count;
};

/* The table is empty. ERR_NO_MEMORY. */
enum err dht_table_init(struct dht_table *t, const struct dht_id *own, bool v6,
                        uint64_t now) PETREL_MUST_USE;
void dht_table_fini(struct dht_table *t);

/* A node was heard from: it asked us, or answered. It is taken in, renewed, or waits. What BEP 42
 * does not allow, our own ID, a second node of one host that is not local (unless it answered, and
 * the other never did, or is bad, or was at the same port), and whom there is no memory for, is
 * passed over. */
void dht_table_heard(struct dht_table *t, const struct dht_contact *c, bool answered, uint64_t now);
/* It did not answer. */
void dht_table_failed(struct dht_table *t, const struct dht_contact *c);

/* The good nodes nearest to target, nearest first; gives their number, at most max. With any,
 * behind them those that are questionable, and then those that are unproven, and did not fail;
 * alone, also those that did. */
unsigned dht_table_nearest(const struct dht_table *t, const struct dht_id *target, bool any,
                           uint64_t now, struct dht_contact *out, unsigned max);
/* Whether this node is in the table, and good. */
bool dht_table_is_good(const struct dht_table *t, const struct dht_contact *c, uint64_t now);
/* Nodes in buckets, and how many of them are good. */
unsigned dht_table_size(const struct dht_table *t, uint64_t now, unsigned *good);

/* One node that is to be pinged now, because it never answered, or did not last, or is questionable
 * where somebody waits for its place, or nobody is good. It counts as pinged. */
bool dht_table_ping(struct dht_table *t, uint64_t now, struct dht_contact *out);
/* A target in a bucket in which nothing changed for 15 minutes (BEP 5), to be looked up now. It
 * counts as changed. */
bool dht_table_refresh(struct dht_table *t, const struct env *env, struct dht_id *target);
/* When dht_table_ping, or with refresh either of the two, has something to say, at the earliest. */
uint64_t dht_table_deadline(const struct dht_table *t, bool refresh);

/* Good and questionable nodes, DHT_SAVE at most, compact, the farthest buckets first: whoever is
 * there leads to the near ones. */
void dht_table_save(const struct dht_table *t, struct writer *w);

#endif
