/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/spent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct spent_entry) == 16, "a million of them are 16 MB, at most half full");

enum {
    SPENT_FIRST = 16
}; /* slots of the smallest set */

static uint64_t mark_of(const uint8_t nonce[static TOKEN_NONCE])
{
    uint64_t mark;
    memcpy(&mark, nonce, sizeof mark);
    return mark;
}

/* Where a mark belongs. The salt keeps a peer who can choose nonces from aiming at one place. */
static size_t slot_of(uint64_t mark, uint64_t salt, size_t cap)
{
    uint64_t h = (mark ^ salt) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ salt) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(h >> 32) & (cap - 1);
}

static void place(struct spent_entry *slots, size_t cap, uint64_t salt, struct spent_entry e)
{
    size_t i = slot_of(e.mark, salt, cap);
    while (slots[i].arrival != 0) {
        i = (i + 1) & (cap - 1);
    }
    slots[i] = e;
}

static enum err grow(struct spent_set *set, uint64_t salt)
{
    size_t cap = set->cap == 0 ? SPENT_FIRST : set->cap * 2;
    struct spent_entry *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < set->cap; i++) {
        if (set->slots[i].arrival != 0) {
            place(slots, cap, salt, set->slots[i]);
        }
    }
    free(set->slots);
    set->slots = slots;
    set->cap = cap;
    return ERR_OK;
}

enum err spent_add(struct spent_set *set, uint64_t salt, const uint8_t nonce[static TOKEN_NONCE],
                   uint64_t arrival)
{
    assert(arrival != 0);
    if (set->used + 1 > set->cap / 4 * 3) {
        enum err err = grow(set, salt);
        if (err != ERR_OK) {
            return err;
        }
    }
    place(set->slots, set->cap, salt,
          (struct spent_entry){.mark = mark_of(nonce), .arrival = arrival});
    set->used++;
    return ERR_OK;
}

uint64_t spent_next(const struct spent_set *set, uint64_t salt,
                    const uint8_t nonce[static TOKEN_NONCE], size_t *at)
{
    if (set->cap == 0) {
        return 0;
    }
    uint64_t mark = mark_of(nonce);
    size_t i = *at == SIZE_MAX ? slot_of(mark, salt, set->cap) : (*at + 1) & (set->cap - 1);
    while (set->slots[i].arrival != 0) { /* ends: a quarter of the slots is free */
        if (set->slots[i].mark == mark) {
            *at = i;
            return set->slots[i].arrival;
        }
        i = (i + 1) & (set->cap - 1);
    }
    return 0;
}

void spent_fini(struct spent_set *set)
{
    free(set->slots);
    *set = (struct spent_set){0};
}
