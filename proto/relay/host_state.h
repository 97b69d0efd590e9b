/* SPDX-License-Identifier: Apache-2.0
 *
 * host_state: the relay object that the host_ files share, and how a refusal becomes a reply.
 * Private to proto/relay/host*.c, whose caller owns it. docs/protocol/04-relay.md.
 */
#ifndef PETREL_RELAY_HOST_STATE_H
#define PETREL_RELAY_HOST_STATE_H

#include "relay/card.h"
#include "relay/host_cache.h"
#include "relay/host_types.h"
#include "relay/price.h"
#include "relay/queue.h"
#include "relay/receipt.h"
#include "relay/wire.h"

enum {
    RELAY_CARD_KEYS = 4, /* in use at a time: one in the card, the others still in older cards */
};

/* A key that requests are sealed to. */
struct relay_card_key {
    uint8_t id;
    uint8_t sk[HPKE_SECRET_KEY];
    uint64_t created_ms;
};

struct relay_card_state {
    struct relay_card_key keys[RELAY_CARD_KEYS]; /* as they were made */
    size_t nkeys;
    size_t current;          /* which of them is in the card; nkeys: none */
    uint8_t bytes[CARD_MAX]; /* the signed card */
    size_t len;              /* 0: to be made */
};

struct relay_promise;

/* Answers that wait for the end of the turn, in its arena: all are given before it ends. */
struct relay_promises {
    struct relay_promise *first;
    struct relay_promise *last;
    uint32_t count;    /* all of this turn */
    uint32_t answered; /* of those */
    bool is_signed;    /* tree and sig are made */
    struct receipt_tree tree;
    uint8_t sig[PRIM_SIGNATURE];
};

enum {
    RELAY_FRESH = 64, /* more wait for their hour */
};

struct relay_host {
    struct relay_host_config config;
    struct relay_cache cache;
    struct relay_card_state card;
    struct relay_promises promises;
    struct price_table prices;

    struct relay_limits limits;
    struct relay_removals removals;
    unsigned remove_table;        /* where their pass stands: number of the table, */
    uint8_t remove_at[SEAL_NAME]; /* name of the last row that was looked at */

    uint64_t arrival_next; /* number of the next envelope */
    uint64_t arrival_end;  /* numbers below are reserved in the store */
    uint32_t queues;       /* that were ever registered; they have the numbers 1 to this */
    uint32_t queues_gone;  /* removed of these */
    uint32_t members;

    struct relay_queue *ready_first; /* the round: queues that may have something to push */
    struct relay_queue *ready_last;
    size_t ready;
    size_t attached;
    size_t volatile_bytes; /* of all queues */
    bool push_held;        /* the turn's memory is used up: more pushes in the next one */

    uint8_t fresh[RELAY_FRESH][SEAL_NAME]; /* descriptors that were put and not announced yet */
    unsigned fresh_count;

    uint64_t log_due[QUEUE_LIFETIMES]; /* Unix ms; UINT64_MAX: the log is empty */
    uint64_t age_due;                  /* likewise, for the table of ages */
    uint64_t pass_due;                 /* next look through the whole queue index */
    bool pass_runs;
    uint64_t pass_began;   /* Unix ms */
    uint32_t pass_queue;   /* where it stands */
    uint64_t pass_arrival; /* likewise */
};

/* A result of the inside: ERR_OK; a refusal, which goes into head and gives ERR_OK; or what must go
 * out as it is: bytes out of form, a failed turn, a bug. */
enum err relay_refusal(enum err err, struct relay_reply *head) PETREL_MUST_USE;

/* Counters in STORE_META, 8 bytes each, not sealed. 0 when absent. */
enum err relay_meta_get(struct turn *turn, const char *name, uint64_t *value) PETREL_MUST_USE;
enum err relay_meta_put(struct turn *turn, const char *name, uint64_t value) PETREL_MUST_USE;

/* --- ages: rows that end at a known time, in STORE_SPENT_AGE: until u64 | kind u8 | name 16 |
 * extra 16 --- */
enum relay_age {
    RELAY_AGE_SPENT = 1,      /* record name, token nonce */
    RELAY_AGE_POP = 2,        /* record name, pop nonce */
    RELAY_AGE_DESCRIPTOR = 3, /* descriptor name, zeros */
    RELAY_AGE_CODE = 4,       /* join code name, zeros */
};
struct relay_age_row {
    uint64_t until;
    enum relay_age kind;
    uint8_t name[SEAL_NAME];
    uint8_t extra[16];
};
enum err relay_age_put(struct relay_host *host, struct turn *turn,
                       const struct relay_age_row *row) PETREL_MUST_USE;
enum err relay_age_del(struct turn *turn, const struct relay_age_row *row) PETREL_MUST_USE;

#endif
