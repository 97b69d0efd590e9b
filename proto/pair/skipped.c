/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/skipped.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static_assert(SKIPPED_KEY == 4 + 4 + 4 + 32, "saved key");
static_assert(SKIPPED_CHAIN == 4 + 4 + 32, "saved chain");

void skipped_init(struct skipped *s)
{
    memset(s, 0, sizeof *s);
}

static void keys_free(struct skipped_key *keys, size_t cap)
{
    if (keys != NULL) {
        secret_wipe(keys, cap * sizeof *keys);
        free(keys);
    }
}

void skipped_fini(struct skipped *s)
{
    keys_free(s->keys, s->cap);
    secret_wipe(s, sizeof *s);
}

enum err skipped_reserve(struct skipped *s, size_t n)
{
    size_t need = s->count + n;
    if (need > LIMIT_SKIPPED_KEYS) {
        need = LIMIT_SKIPPED_KEYS;
    }
    if (need <= s->cap) {
        return ERR_OK;
    }
    /* Half as much again, so that keys which come one by one do not copy everything each time. */
    size_t cap = need + need / 2 < LIMIT_SKIPPED_KEYS ? need + need / 2 : LIMIT_SKIPPED_KEYS;
    struct skipped_key *keys = calloc(cap, sizeof *keys);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    if (s->count > 0) {
        memcpy(keys, s->keys, s->count * sizeof *keys);
    }
    keys_free(s->keys, s->cap);
    s->keys = keys;
    s->cap = cap;
    return ERR_OK;
}

uint32_t skipped_hour(uint64_t now_ms)
{
    uint64_t hour = now_ms / LIMIT_HOUR_MS;
    return hour < UINT32_MAX ? (uint32_t)hour : UINT32_MAX;
}

static bool too_old(const struct skipped_key *key, uint32_t now_hour)
{
    return (uint64_t)key->hour + LIMIT_SKIPPED_DAYS * 24 <= now_hour;
}

static size_t place_of(const struct skipped *s, uint32_t chain, uint32_t n)
{
    for (size_t i = s->count; i-- > 0;) {
        if (s->keys[i].n == n && s->keys[i].chain == chain) {
            return i;
        }
    }
    return SIZE_MAX;
}

const struct skipped_key *skipped_find(const struct skipped *s, uint32_t chain, uint32_t n,
                                       uint64_t now_ms)
{
    size_t i = place_of(s, chain, n);
    if (i == SIZE_MAX || too_old(&s->keys[i], skipped_hour(now_ms))) {
        return NULL;
    }
    return &s->keys[i];
}

/* Removes the keys that drop says, keeping the order, and wipes what is left behind the end. */
static bool keys_filter(struct skipped *s, bool (*drop)(const struct skipped_key *key, uint32_t v),
                        uint32_t v)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!drop(&s->keys[i], v)) {
            if (kept != i) {
                s->keys[kept] = s->keys[i];
            }
            kept++;
        }
    }
    bool dropped = kept < s->count;
    if (dropped) {
        secret_wipe(s->keys + kept, (s->count - kept) * sizeof *s->keys);
        s->count = kept;
    }
    return dropped;
}

static bool of_chain(const struct skipped_key *key, uint32_t serial)
{
    return key->chain == serial;
}

static bool chain_has_keys(const struct skipped *s, uint32_t serial)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->keys[i].chain == serial) {
            return true;
        }
    }
    return false;
}

static void chain_drop(struct skipped *s, size_t i)
{
    (void)keys_filter(s, of_chain, s->chains[i].serial);
    s->chain_count--;
    memmove(&s->chains[i], &s->chains[i + 1], (s->chain_count - i) * sizeof s->chains[0]);
    secret_wipe(&s->chains[s->chain_count], sizeof s->chains[0]);
}

/* Past chains without keys go, but for the newest few. */
static void chains_prune(struct skipped *s)
{
    for (size_t i = s->chain_count; i-- > 0;) {
        if (i + SKIPPED_EMPTY_CHAINS < s->chain_count && !chain_has_keys(s, s->chains[i].serial)) {
            chain_drop(s, i);
        }
    }
}

void skipped_add(struct skipped *s, const struct skipped_key *keys, size_t n)
{
    if (n > LIMIT_SKIPPED_KEYS) {
        keys += n - LIMIT_SKIPPED_KEYS;
        n = LIMIT_SKIPPED_KEYS;
    }
    if (n == 0) {
        return;
    }
    size_t drop = s->count + n > LIMIT_SKIPPED_KEYS ? s->count + n - LIMIT_SKIPPED_KEYS : 0;
    assert(s->count - drop + n <= s->cap);
    if (drop > 0) {
        memmove(s->keys, s->keys + drop, (s->count - drop) * sizeof *s->keys);
        s->count -= drop;
    }
    memcpy(s->keys + s->count, keys, n * sizeof *keys);
    s->count += n;
    if (drop > 0) {
        chains_prune(s);
    }
}

void skipped_remove(struct skipped *s, uint32_t chain, uint32_t n)
{
    size_t i = place_of(s, chain, n);
    if (i == SIZE_MAX) {
        return;
    }
    s->count--;
    memmove(&s->keys[i], &s->keys[i + 1], (s->count - i) * sizeof *s->keys);
    secret_wipe(&s->keys[s->count], sizeof *s->keys);
    chains_prune(s);
}

void skipped_close_chain(struct skipped *s, const struct skipped_chain *chain)
{
    if (s->chain_count == LIMIT_SKIPPED_CHAINS) {
        chain_drop(s, 0);
    }
    s->chains[s->chain_count++] = *chain;
    chains_prune(s);
}

bool skipped_expire(struct skipped *s, uint64_t now_ms)
{
    /* Oldest first: when the first is young enough, mostly all are; a clock that jumped back only
     * delays the rest until then. */
    if (s->count == 0 || !too_old(&s->keys[0], skipped_hour(now_ms))) {
        return false;
    }
    bool dropped = keys_filter(s, too_old, skipped_hour(now_ms));
    chains_prune(s);
    return dropped;
}

size_t skipped_saved_size(const struct skipped *s)
{
    return 1 + s->chain_count * SKIPPED_CHAIN + 2 + s->count * SKIPPED_KEY;
}

void skipped_save(const struct skipped *s, struct writer *w)
{
    writer_u8(w, (uint8_t)s->chain_count);
    for (size_t i = 0; i < s->chain_count; i++) {
        writer_u32(w, s->chains[i].serial);
        writer_u32(w, s->chains[i].end);
        writer_bytes(w, s->chains[i].header.b, sizeof s->chains[i].header.b);
    }
    writer_u16(w, (uint16_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        writer_u32(w, s->keys[i].chain);
        writer_u32(w, s->keys[i].n);
        writer_u32(w, s->keys[i].hour);
        writer_bytes(w, s->keys[i].key, sizeof s->keys[i].key);
    }
}

static void load_chains(struct skipped *s, struct reader *r, uint32_t present)
{
    size_t count = reader_u8(r);
    if (count > LIMIT_SKIPPED_CHAINS) {
        reader_fail(r, ERR_CORRUPT);
        return;
    }
    for (size_t i = 0; i < count && r->err == ERR_OK; i++) {
        struct skipped_chain *c = &s->chains[i];
        c->serial = reader_u32(r);
        c->end = reader_u32(r);
        reader_copy(r, c->header.b, sizeof c->header.b);
        if (c->serial >= present || (i > 0 && c->serial <= s->chains[i - 1].serial)) {
            reader_fail(r, ERR_CORRUPT);
        }
        s->chain_count = i + 1;
    }
}

static bool chain_known(const struct skipped *s, uint32_t serial, uint32_t present)
{
    for (size_t i = 0; i < s->chain_count; i++) {
        if (s->chains[i].serial == serial) {
            return true;
        }
    }
    return serial == present;
}

enum err skipped_load(struct skipped *s, struct reader *r, uint32_t present)
{
    load_chains(s, r, present);
    size_t count = reader_u16(r);
    if (count > LIMIT_SKIPPED_KEYS || count * SKIPPED_KEY > reader_left(r)) {
        reader_fail(r, ERR_CORRUPT);
    }
    if (r->err != ERR_OK || count == 0) {
        return r->err;
    }
    enum err err = skipped_reserve(s, count);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        struct skipped_key *k = &s->keys[i];
        k->chain = reader_u32(r);
        k->n = reader_u32(r);
        k->hour = reader_u32(r);
        reader_copy(r, k->key, sizeof k->key);
        s->count = i + 1;
        if (!chain_known(s, k->chain, present)) {
            reader_fail(r, ERR_CORRUPT);
        }
    }
    return r->err;
}
