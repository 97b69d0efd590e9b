/* SPDX-License-Identifier: Apache-2.0
 *
 * core: what the sources of a DHT node share. Private to proto/dht/dht*.c.
 */
#ifndef PETREL_DHT_CORE_H
#define PETREL_DHT_CORE_H

#include "dht/guard.h"
#include "dht/items.h"
#include "dht/search.h"
#include "dht/types.h"

enum {
    DHT_VOTES = 16,               /* words of others about our address that are remembered */
    DHT_BOOT = 64,                /* nodes to begin with */
    DHT_BOOT_MS = 2 * 1000,       /* while nobody is known: from one try to the next, then twice, */
    DHT_BOOT_MAX_MS = 60 * 1000,  /* up to this, or, when one family is known, DHT_GOOD_MS */
    DHT_JOIN_WAIT_MS = 10 * 1000, /* an operation waits for somebody to be known so long */
    DHT_AGAIN_MS = 100,           /* after a query that there was no room for */
    DHT_MOVED_MS = 5 * 60 * 1000, /* our address changes no oftener */
    DHT_LOOKS = 4,                /* of our own at a time; the others are what somebody waits for */
    DHT_JOIN_MS = 5 * 1000, /* from the first look at our neighbourhood to the second; then twice */
};

/* What a query without an answer was for. */
enum dht_query_for {
    DHT_FOR_PING,   /* of the table */
    DHT_FOR_BOOT,   /* to begin with */
    DHT_FOR_LOOKUP, /* of an operation */
    DHT_FOR_PUT,    /* likewise */
};

struct dht_query {
    uint32_t transaction; /* 0: this place is free */
    enum dht_query_for what;
    uint64_t operation;
    uint64_t sent_ms;
    bool has_id; /* it was known by an ID */
    struct dht_contact to;
};

enum dht_operation_kind {
    DHT_OP_NODES, /* who is near a target: refresh */
    DHT_OP_GET,
    DHT_OP_PUT,
};

struct dht_operation {
    struct dht_operation *next;
    uint64_t number;
    enum dht_operation_kind kind;
    bool putting;
    bool over; /* it has waited long enough for somebody to be known */
    bool has_cas;
    bool found;         /* item is one that was found */
    bool wants_mutable; /* of a get */
    struct dht_id target;
    uint64_t begun_ms;
    int64_t cas;
    uint8_t salt[KRPC_SALT];
    uint8_t salt_len;
    struct dht_item item; /* to put; or the newest found */
    unsigned puts;        /* without an answer */
    struct dht_report report;
    struct dht_pending *done;              /* what says that it is over; NULL: one of ours */
    struct dht_search *legs[DHT_FAMILIES]; /* NULL: nobody was known there */
};

/* One word of a host about our address. */
struct dht_vote {
    struct dht_address by;
    struct dht_address ours;
};

struct dht_pending {
    struct dht_pending *next;
    struct dht_output out;
};

struct dht {
    struct dht_config config;
    struct dht_id id[DHT_FAMILIES];
    struct dht_address external[DHT_FAMILIES]; /* port 0: not known */
    struct dht_table tables[DHT_FAMILIES];
    struct dht_items *items;
    struct dht_guard guard;
    struct dht_query queries[DHT_QUERIES];
    unsigned query_count;
    uint64_t next_operation;
    unsigned operation_count;
    struct dht_operation *operations;
    struct dht_vote votes[DHT_FAMILIES][DHT_VOTES];
    unsigned vote_count[DHT_FAMILIES];
    uint64_t moved_ms[DHT_FAMILIES]; /* when most of them changed our address last; 0: never */
    struct dht_address boot[DHT_BOOT];
    unsigned boot_count;
    uint64_t boot_ms;                 /* when they are asked next, */
    uint64_t boot_wait;               /* and how long after that again */
    uint64_t again_ms;                /* when what there was no room for is tried again */
    uint64_t expire_ms;               /* when something kept for others is over */
    uint64_t join_ms[DHT_FAMILIES];   /* when our own neighbourhood is looked up next, */
    uint64_t join_wait[DHT_FAMILIES]; /* and how long after that again; 0: not yet */
    unsigned out_count;
    struct dht_pending *out_first;
    struct dht_pending **out_last;
};

static inline unsigned dht_family(const struct dht_address *a)
{
    return a->v6 ? 1 : 0;
}

/* An output that the host will take; NULL when there are too many, or out of memory. */
struct dht_output *dht_out(struct dht *dht, enum dht_output_kind kind);
/* Sends m to `to`; false when there is no room. */
bool dht_send(struct dht *dht, const struct dht_address *to, const struct krpc *m);
/* Puts one that was made before at the end: that cannot fail. */
void dht_out_append(struct dht *dht, struct dht_pending *p);
/* Sends a query and remembers it. about: all but transaction and ID. false: there is no room; who
 * has to get through tries again at again_ms. */
bool dht_ask(struct dht *dht, const struct env *env, const struct dht_contact *to, bool has_id,
             const struct krpc *about, enum dht_query_for what, uint64_t operation);
/* Nodes of both families are asked for while of one of them nobody is known: each has its own
 * lookups (BEP 32). */
void dht_want_both(const struct dht *dht, struct krpc *m);

/* dht_operation.c */
/* The answer to a query of an operation; NULL: there is none. */
void dht_operation_heard(struct dht *dht, const struct env *env, const struct dht_query *was,
                         const struct krpc *m);
/* Somebody is known now: what waited for that begins. */
void dht_operations_start(struct dht *dht, const struct env *env);
void dht_operations_tick(struct dht *dht, const struct env *env);
uint64_t dht_operations_deadline(const struct dht *dht);
void dht_operations_free(struct dht *dht);
/* Looks up who is near target; nobody hears of its end. */
void dht_look_around(struct dht *dht, const struct env *env, const struct dht_id *target);
/* How many of these are under way. */
unsigned dht_looks_around(const struct dht *dht);

/* Answers a query, which is of this many bytes. dht_serve.c. */
void dht_serve(struct dht *dht, const struct env *env, const struct dht_address *from,
               const struct krpc *m, size_t len);
/* Answers what could not be read. */
void dht_serve_malformed(struct dht *dht, const struct env *env, const struct dht_address *from,
                         const struct krpc *m, size_t len);

#endif
