/* SPDX-License-Identifier: Apache-2.0
 *
 * price: how many zero bits a stamp must have at a queue or record, by what strangers did there
 * lately and by how much is left. docs/protocol/04-relay.md, section 4.4.2; docs/decisions/0011.
 *
 * Memory only, and bounded: LIMIT_PRICE_TARGETS loads; where there is no place the smallest one
 * of a few is forgotten. A load halves with time. Knows neither store nor clock: the caller says
 * what was taken, what is left and when it is.
 */
#ifndef PETREL_RELAY_PRICE_H
#define PETREL_RELAY_PRICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "crypto/prim.h"

enum price_kind {
    PRICE_DEPOSIT, /* target: a queue; load in units of LIMIT_PRICE_UNIT bytes */
    PRICE_POP,     /* target: a record; load in pops */
};

/* What strangers did at one target. */
struct price_load {
    uint8_t target[32];
    enum price_kind kind;
    uint32_t level; /* 1/1024 units, as of at_ms; 0: the place is free */
    uint64_t at_ms;
};

struct price_table {
    struct price_load *loads; /* owned; NULL until the first one */
    uint8_t salt[16];         /* peers must not know which targets share a few places */
};

void price_init(struct price_table *t, const struct env *env);
void price_fini(struct price_table *t);

/* What everybody pays where there is no load, and the least that is looked at anywhere. */
unsigned price_general(enum price_kind kind);
/* What is asked of a stamp now: general price, load, and scarcity (0 or more bits), up to
 * LIMIT_STAMP_BITS_MAX. */
unsigned price_now(const struct price_table *t, enum price_kind kind, const struct sign_pk *target,
                   unsigned scarcity, uint64_t now_ms);
/* What a stamp that was too cheap for this price is told to have: a bit more, so that it is enough
 * after the price has risen once more. Never above LIMIT_STAMP_BITS_MAX. */
uint8_t price_told(unsigned price);
/* A bit for each time that what is left has halved: of `most` so many are left. At most
 * LIMIT_PRICE_SCARCITY. */
unsigned price_scarcity(uint64_t left, uint64_t most);
/* A stamp was taken: adds to the target's load. units >= 1. ERR_NO_MEMORY. */
enum err price_add(struct price_table *t, enum price_kind kind, const struct sign_pk *target,
                   unsigned units, uint64_t now_ms) PETREL_MUST_USE;

#endif
