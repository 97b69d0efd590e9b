/* SPDX-License-Identifier: Apache-2.0
 *
 * search: one iterative lookup in the DHT (BEP 5): asks nodes ever nearer to a target, until the
 * DHT_CLOSEST nearest that there are have answered. docs/protocol/11-dht.md, section 5.
 *
 * It goes along DHT_PATHS disjoint paths (S/Kademlia, section 4.4): every node is asked on one of
 * them only, each has its share of queries and of candidates, and goes to its end. So somebody who
 * lies about who is near can mislead the path that they are on, and no other: that a node was named
 * with another port or ID, or was named and not asked, keeps nobody from naming it on another path;
 * only that it was asked does. Whoever's ID does not fit their address (BEP 42) is no candidate:
 * else anybody could be nearest to everything.
 *
 *   candidate: NEW --asked--> ASKED --answer--> ANSWERED
 *                               |--1 s--> SLOW (asks no more of the parallelism) --> ANSWERED
 *                               +--5 s, or it is asked elsewhere--> FAILED
 *
 * Owns nothing but its own memory. Sends nothing: dht_search_next says whom to ask.
 */
#ifndef PETREL_DHT_SEARCH_H
#define PETREL_DHT_SEARCH_H

#include "dht/krpc.h"

enum {
    DHT_CLOSEST = 8,          /* nodes that hold an item (BEP 44) */
    DHT_PATHS = 3,            /* disjoint */
    DHT_PATH_WIDTH = 3,       /* nearest of a path that have to answer before it ends */
    DHT_PATH_ALPHA = 2,       /* queries under way on one path */
    DHT_PATH_CANDIDATES = 54, /* of one path; the farthest go */
    DHT_PATH_QUERIES = 40,    /* of one path, then it ends with what it has */
    DHT_CANDIDATES = DHT_PATHS * DHT_PATH_CANDIDATES,
    DHT_HOLDERS = DHT_CLOSEST + DHT_PATHS * DHT_PATH_WIDTH, /* of an item, at most */
    DHT_SLOW_MS = 1000,    /* without an answer: another one may be asked meanwhile */
    DHT_TIMEOUT_MS = 5000, /* likewise: it does not answer */
};

enum dht_candidate_state {
    DHT_NEW,
    DHT_ASKED,
    DHT_SLOW,
    DHT_ANSWERED,
    DHT_FAILED,
};

struct dht_candidate {
    struct dht_contact contact;
    enum dht_candidate_state state;
    uint8_t path;
    uint8_t hops; /* 1: from our own table */
    bool put;     /* the caller's: it was sent the item */
    uint64_t asked_ms;
    uint8_t token_len; /* 0: it gave none */
    uint8_t token[KRPC_TOKEN];
};

struct dht_search {
    struct dht_id target;
    struct dht_id own; /* is no candidate */
    unsigned count;
    unsigned of_path[DHT_PATHS]; /* of them */
    unsigned queries[DHT_PATHS]; /* sent so far */
    unsigned answers;
    unsigned seeds;                                  /* given so far */
    struct dht_candidate candidates[DHT_CANDIDATES]; /* nearest first */
};

void dht_search_init(struct dht_search *s, const struct dht_id *target, const struct dht_id *own);
/* A node of our own table, or another that we begin with. They are dealt out to the paths in turn.
 */
void dht_search_seed(struct dht_search *s, const struct dht_contact *c);
/* Whom to ask next: NULL: nobody now. The caller sends and calls dht_search_sent. */
struct dht_candidate *dht_search_next(struct dht_search *s);
void dht_search_sent(struct dht_search *s, struct dht_candidate *c, uint64_t now);
/* The candidate that was asked as this; NULL: there is none, or its time is over. */
struct dht_candidate *dht_search_find(struct dht_search *s, const struct dht_contact *asked);
/* It answered. id: its own, perhaps another than it was known by: then it is who it says, if its
 * address allows that. Gives where it is now; NULL: it does not count, as its ID does not fit, or
 * as the same host answered before. */
struct dht_candidate *dht_search_answer(struct dht_search *s, struct dht_candidate *c,
                                        const struct dht_id *id, struct slice token);
/* What one that answered named: compact, of the family v6; the 16 first are looked at. from: a copy
 * of it, since who is learnt of moves the others. */
void dht_search_learn(struct dht_search *s, const struct dht_candidate *from, struct slice nodes,
                      bool v6);
/* It refused, or is gone. */
void dht_search_fail(struct dht_candidate *c);
/* Lets time pass: who is slow, who has failed. */
void dht_search_tick(struct dht_search *s, uint64_t now);
/* When dht_search_tick has something to do; UINT64_MAX: nobody was asked. */
uint64_t dht_search_deadline(const struct dht_search *s);
/* Whether there is nobody to ask any more and nobody to wait for. */
bool dht_search_done(const struct dht_search *s);
/* Who is to hold an item: of those that answered and gave a token the DHT_CLOSEST nearest, and the
 * DHT_PATH_WIDTH nearest of each path, so that a path of liars that is nearest does not have it
 * alone. Nearest first; gives their number. */
unsigned dht_search_holders(struct dht_search *s, struct dht_candidate *out[static DHT_HOLDERS]);
/* Hops to the nearest one that answered; 0: none did. */
unsigned dht_search_hops(const struct dht_search *s);

#endif
