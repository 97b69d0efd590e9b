/* SPDX-License-Identifier: Apache-2.0
 *
 * flood: strangers who know somebody's ID and where their queue and key bundle are, and ask the
 * relay for as much as they can pay stamps for: they take one-time parts until none is left, fill
 * the queue with noise, ask to be a contact again and again, and write before anybody accepted
 * them. docs/threat-model.md, section 4, says what comes of that.
 *
 * They ask the relay directly, without a link, at its prices; no two of them are the same person.
 */
#ifndef PETREL_TESTS_SIM_FLOOD_H
#define PETREL_TESTS_SIM_FLOOD_H

#include "sim/crowd.h"

/* X(constant, name) */
#define FLOOD_WAYS(X)                                                                              \
    X(NOISE, "noise") /* envelopes that nobody can open */                                         \
    X(ASK, "ask")     /* each one is a request of somebody else */                                 \
    X(TALK, "talk")   /* one request, and messages at once */

enum flood_way {
#define FLOOD_ENUM(constant, name) FLOOD_##constant,
    FLOOD_WAYS(FLOOD_ENUM)
#undef FLOOD_ENUM
    FLOOD_WAY_COUNT
};

const char *flood_way_name(enum flood_way way);

/* Somebody takes up to so many one-time parts of who. */
void flood_pop(struct crowd *c, struct crowd_person *who, uint32_t count);
/* Up to so many envelopes come to who's queue. */
void flood_deposit(struct crowd *c, struct crowd_person *who, enum flood_way way, uint32_t count);
/* Fails where more of strangers is kept than there is room for. */
void flood_check(struct crowd *c);
/* Fails where somebody's one-time parts were not filled up. */
void flood_check_stock(struct crowd *c);
void flood_fini(struct crowd *c);

#endif
