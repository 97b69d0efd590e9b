/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/price.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/secret.h"

enum {
    WAYS = 8, /* places that a target may have */
    SETS = LIMIT_PRICE_TARGETS / WAYS,
    FRACTION = 10, /* bits of a level behind the point */
};

static_assert(SETS * WAYS == LIMIT_PRICE_TARGETS && (SETS & (SETS - 1)) == 0, "sets of places");

/* What a kind of stamp costs. */
static const struct tariff {
    unsigned general; /* bits without load */
    unsigned free;    /* units at that price; each doubling from here on is a bit */
    uint64_t half_ms; /* a load has halved after this */
} TARIFFS[] = {
    [PRICE_DEPOSIT] = {LIMIT_STAMP_DEPOSIT_BITS, LIMIT_PRICE_DEPOSIT_FREE,
                       LIMIT_PRICE_DEPOSIT_HALF_MS},
    [PRICE_POP] = {LIMIT_STAMP_POP_BITS, LIMIT_PRICE_POP_FREE, LIMIT_PRICE_POP_HALF_MS},
};

void price_init(struct price_table *t, const struct env *env)
{
    *t = (struct price_table){.loads = NULL};
    env_random(env, t->salt, sizeof t->salt);
}

void price_fini(struct price_table *t)
{
    free(t->loads);
    secret_wipe(t, sizeof *t);
}

unsigned price_general(enum price_kind kind)
{
    return TARIFFS[kind].general;
}

uint8_t price_told(unsigned price)
{
    return (uint8_t)(price < LIMIT_STAMP_BITS_MAX ? price + 1 : LIMIT_STAMP_BITS_MAX);
}

unsigned price_scarcity(uint64_t left, uint64_t most)
{
    unsigned bits = 0;
    while (bits < LIMIT_PRICE_SCARCITY && left < most >> (bits + 1)) {
        bits++;
    }
    return bits;
}

/* The level at now_ms: halved for each half-life, on a straight line in between. A clock that went
 * back lets nothing fall. */
static uint32_t level_at(const struct price_load *load, uint64_t now_ms)
{
    uint64_t half = TARIFFS[load->kind].half_ms;
    uint64_t gone = now_ms > load->at_ms ? now_ms - load->at_ms : 0;
    if (gone / half >= 32) {
        return 0;
    }
    uint64_t level = load->level >> (gone / half);
    return (uint32_t)(level - level * (gone % half) / (2 * half));
}

/* Above this the price would not rise any more; what is cut off here need not fall again. */
static uint32_t level_max(const struct tariff *tariff)
{
    return tariff->free << (LIMIT_STAMP_BITS_MAX - tariff->general + FRACTION);
}

/* The places of this target. */
static struct price_load *set_of(const struct price_table *t, const struct sign_pk *target)
{
    uint8_t h[16];
    struct slice part = slice_of(target->b, sizeof target->b);
    prim_blake2b(h, sizeof h, slice_of(t->salt, sizeof t->salt), "", &part, 1);
    size_t set = (size_t)(h[0] << 8 | h[1]) & (SETS - 1);
    return t->loads + set * WAYS;
}

static bool is_of(const struct price_load *load, enum price_kind kind, const struct sign_pk *target)
{
    return load->level != 0 && load->kind == kind &&
           memcmp(load->target, target->b, sizeof load->target) == 0;
}

unsigned price_now(const struct price_table *t, enum price_kind kind, const struct sign_pk *target,
                   unsigned scarcity, uint64_t now_ms)
{
    const struct tariff *tariff = &TARIFFS[kind];
    const struct price_load *set = t->loads == NULL ? NULL : set_of(t, target);
    unsigned bits = tariff->general + scarcity;
    for (unsigned i = 0; set != NULL && i < WAYS; i++) {
        if (is_of(&set[i], kind, target)) {
            uint32_t level = level_at(&set[i], now_ms) >> FRACTION;
            for (unsigned k = 0; bits < LIMIT_STAMP_BITS_MAX && level >= tariff->free << k; k++) {
                bits++;
            }
        }
    }
    return bits < LIMIT_STAMP_BITS_MAX ? bits : LIMIT_STAMP_BITS_MAX;
}

/* The target's own place, or else the one with the smallest load. */
static struct price_load *place_of(struct price_load *set, enum price_kind kind,
                                   const struct sign_pk *target, uint64_t now_ms)
{
    struct price_load *least = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (is_of(&set[i], kind, target)) {
            return &set[i];
        }
        if (level_at(&set[i], now_ms) < level_at(least, now_ms)) {
            least = &set[i];
        }
    }
    *least = (struct price_load){.kind = kind, .at_ms = now_ms};
    memcpy(least->target, target->b, sizeof least->target);
    return least;
}

enum err price_add(struct price_table *t, enum price_kind kind, const struct sign_pk *target,
                   unsigned units, uint64_t now_ms)
{
    const struct tariff *tariff = &TARIFFS[kind];
    assert(units >= 1 && units <= LIMIT_ENVELOPE);
    if (t->loads == NULL) {
        t->loads = calloc(LIMIT_PRICE_TARGETS, sizeof *t->loads);
        if (t->loads == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    struct price_load *load = place_of(set_of(t, target), kind, target, now_ms);
    uint32_t level = level_at(load, now_ms) + (units << FRACTION);
    load->level = level < level_max(tariff) ? level : level_max(tariff);
    load->at_ms = now_ms;
    return ERR_OK;
}
