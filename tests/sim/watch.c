/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/watch.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <xxhash.h>

#include "pair/session.h"
#include "sim/heap.h"

enum {
    FIRST_CAP = 64,
};

static struct watch *watching;

/* --- pairs --- */

static uint64_t *place_of(const struct watch_pairs *p, uint64_t name)
{
    size_t i = (size_t)name & (p->cap - 1);
    while (p->slots[2 * i] != 0 && p->slots[2 * i] != name) {
        i = (i + 1) & (p->cap - 1);
    }
    return &p->slots[2 * i];
}

static void pairs_grow(struct sim *sim, struct watch_pairs *p)
{
    struct watch_pairs more = {.cap = p->cap > 0 ? 2 * p->cap : FIRST_CAP, .count = p->count};
    struct sim *counted = heap_count(NULL); /* in the turn of whoever is watched */
    more.slots = calloc(more.cap, 2 * sizeof *more.slots);
    sim_check(sim, more.slots != NULL, "out of memory");
    for (size_t i = 0; i < p->cap; i++) {
        if (p->slots[2 * i] != 0) {
            memcpy(place_of(&more, p->slots[2 * i]), &p->slots[2 * i], 2 * sizeof *p->slots);
        }
    }
    free(p->slots);
    (void)heap_count(counted);
    *p = more;
}

/* Whether nothing else happened under this name before. */
bool watch_pairs_note(struct sim *sim, struct watch_pairs *p, uint64_t name, uint64_t what)
{
    if (4 * (p->count + 1) > 3 * p->cap) {
        pairs_grow(sim, p);
    }
    uint64_t *at = place_of(p, name == 0 ? 1 : name);
    if (at[0] == 0) {
        at[0] = name == 0 ? 1 : name;
        at[1] = what;
        p->count++;
    }
    return at[1] == what;
}

/* NULL: nothing did. */
const uint64_t *watch_pairs_find(const struct watch_pairs *p, uint64_t name)
{
    const uint64_t *at = p->cap > 0 ? place_of(p, name == 0 ? 1 : name) : NULL;
    return at == NULL || at[0] == 0 ? NULL : &at[1];
}

/* --- needles --- */

static uint64_t head_of(const uint8_t *p)
{
    uint64_t head;
    memcpy(&head, p, sizeof head);
    return head;
}

static uint64_t head_hash(uint64_t head)
{
    return head * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static bool may_be_head(const struct watch *w, uint64_t head)
{
    uint64_t bit = head_hash(head) & (WATCH_MAP - 1);
    return (w->map[bit / 8] >> bit % 8 & 1) != 0;
}

static void head_put(struct watch *w, const struct watch_head *h)
{
    size_t i = (size_t)head_hash(h->head) & (w->heads_cap - 1);
    while (w->heads[i].needle != 0) {
        i = (i + 1) & (w->heads_cap - 1);
    }
    w->heads[i] = *h;
}

static void head_add(struct watch *w, const struct watch_head *h)
{
    if (2 * (w->heads_count + 1) > w->heads_cap) {
        struct watch_head *old = w->heads;
        size_t cap = w->heads_cap;
        w->heads_cap = cap > 0 ? 2 * cap : FIRST_CAP;
        w->heads = calloc(w->heads_cap, sizeof *w->heads);
        sim_check(w->sim, w->heads != NULL, "out of memory");
        for (size_t i = 0; i < cap; i++) {
            if (old[i].needle != 0) {
                head_put(w, &old[i]);
            }
        }
        free(old);
    }
    uint64_t bit = head_hash(h->head) & (WATCH_MAP - 1);
    w->map[bit / 8] |= (uint8_t)(1U << bit % 8);
    head_put(w, h);
    w->heads_count++;
}

/* It is looked for at every eighth byte: wherever it begins, one of these is within its first
 * eight, and the eight bytes from there on are one of its heads. */
void watch_needle(struct watch *w, struct slice bytes, const char *what)
{
    struct watch_needle *n;
    w->needles = realloc(w->needles, (w->needle_count + 1) * sizeof *w->needles);
    sim_check(w->sim,
              w->needles != NULL && bytes.len >= WATCH_SHORTEST && bytes.len <= sizeof n->bytes,
              "a needle of %zu bytes", bytes.len);
    n = &w->needles[w->needle_count++];
    *n = (struct watch_needle){.len = bytes.len, .what = what};
    memcpy(n->bytes, bytes.p, bytes.len);
    for (uint32_t shift = 0; shift < WATCH_HEAD; shift++) {
        struct watch_head h = {
            .head = head_of(bytes.p + shift), .needle = (uint32_t)w->needle_count, .shift = shift};
        head_add(w, &h);
    }
}

/* The needle of which a head is at this byte. */
static const struct watch_needle *needle_at(const struct watch *w, struct slice in, size_t at)
{
    uint64_t head = head_of(in.p + at);
    if (!may_be_head(w, head)) {
        return NULL;
    }
    for (size_t i = (size_t)head_hash(head);; i++) {
        const struct watch_head *h = &w->heads[i & (w->heads_cap - 1)];
        if (h->needle == 0) {
            return NULL;
        }
        const struct watch_needle *n = &w->needles[h->needle - 1];
        if (h->head == head && h->shift <= at && n->len <= in.len - (at - h->shift) &&
            memcmp(in.p + at - h->shift, n->bytes, n->len) == 0) {
            return n;
        }
    }
}

static void search(struct watch *w, struct slice in, const char *where, const struct sim_node *n)
{
    w->searched += in.len;
    for (size_t i = 0; i + WATCH_HEAD <= in.len; i += WATCH_HEAD) {
        const struct watch_needle *found = needle_at(w, in, i);
        sim_check(w->sim, found == NULL, "leaks: %s in %s of node %u, about byte %zu of %zu",
                  found->what, where, (unsigned)n->index, i, in.len);
    }
}

static void seen(void *ctx, const struct sim_node *from, struct slice frame)
{
    search(ctx, frame, "a frame", from);
}

/* What it seals or opens, and what it stores as it is, is all that it knows. */
static bool is_relay_only(const struct sim_node *n)
{
    return n != NULL && n->relay && !n->person;
}

void watch_store(struct watch *w, struct sim_node *n)
{
    struct store store;
    if (!is_relay_only(n)) {
        return;
    }
    store_mem_read(n->mem, &store);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        struct store_row row;
        struct store_key key = store_key_new();
        while (store_seek(&store, (enum store_table)t, STORE_GT, store_key_slice(&key), &row) ==
               ERR_OK) {
            search(w, row.key, "a key", n);
            search(w, row.value, "a row", n);
            key = store_key_new();
            store_key_bytes(&key, row.key.p, row.key.len);
        }
    }
}

/* --- keys --- */

/* A relay that refuses does the work of opening a row (relay/decoy.h): zeros, under a key and a
 * nonce of zeros, for nobody. */
static bool is_decoy(const uint8_t *key, const uint8_t *nonce, size_t nonce_len, struct slice plain)
{
    static const uint8_t zeros[PRIM_KEY];
    return memcmp(key, zeros, PRIM_KEY) == 0 && memcmp(nonce, zeros, nonce_len) == 0 &&
           sodium_is_zero(plain.p, plain.len);
}

static void compare(struct watch *w, const struct watch_seal *seal)
{
    sim_check(w->sim, watch_pairs_note(w->sim, &w->seals, seal->name, seal->what),
              "keys: node %u sealed two things with one key and nonce, the second of %zu bytes",
              (unsigned)seal->node, seal->len);
}

void watch_settle(struct watch *w)
{
    for (unsigned i = 0; i < WATCH_WAIT; i++) {
        struct watch_seal seal = w->waiting[(w->sealed + i) % WATCH_WAIT]; /* the oldest first */
        w->waiting[(w->sealed + i) % WATCH_WAIT] = (struct watch_seal){.name = 0};
        if (seal.name != 0) {
            compare(w, &seal);
        }
    }
}

/* Millions of pairs are in no cache: what has to be read is asked for now, and compared later. */
static void compare_later(struct watch *w, const struct watch_seal *seal)
{
    struct watch_seal *place = &w->waiting[w->sealed++ % WATCH_WAIT];
    struct watch_seal oldest = *place;
    *place = *seal;
    if (w->seals.cap > 0) {
        __builtin_prefetch(&w->seals.slots[2 * (seal->name & (w->seals.cap - 1))], 1);
    }
    if (oldest.name != 0) {
        compare(w, &oldest);
    }
}

static void sealed(const uint8_t *key, const uint8_t *nonce, size_t nonce_len, struct slice ad,
                   struct slice plain)
{
    struct watch *w = watching;
    if (w == NULL || is_decoy(key, nonce, nonce_len, plain)) {
        return;
    }
    uint64_t name = XXH3_64bits_withSeed(nonce, nonce_len, XXH3_64bits(key, PRIM_KEY) ^ nonce_len);
    uint64_t what = XXH3_64bits_withSeed(plain.p, plain.len, XXH3_64bits(ad.p, ad.len));
    const struct sim_node *n = w->sim->running;
    compare_later(w, &(struct watch_seal){.name = name != 0 ? name : 1,
                                          .what = what,
                                          .node = n != NULL ? n->index : 0,
                                          .len = plain.len});
    if (is_relay_only(n)) {
        search(w, plain, "what is sealed", n);
    }
}

/* Defines __wrap_NAME_encrypt, which notes what is sealed. */
#define WATCH_SEAL(name)                                                                           \
    int __real_##name##_encrypt(uint8_t *, unsigned long long *, const uint8_t *,                  \
                                unsigned long long, const uint8_t *, unsigned long long,           \
                                const uint8_t *, const uint8_t *, const uint8_t *);                \
    int __wrap_##name##_encrypt(uint8_t *, unsigned long long *, const uint8_t *,                  \
                                unsigned long long, const uint8_t *, unsigned long long,           \
                                const uint8_t *, const uint8_t *, const uint8_t *);                \
    int __wrap_##name##_encrypt(uint8_t *c, unsigned long long *clen, const uint8_t *m,            \
                                unsigned long long mlen, const uint8_t *ad,                        \
                                unsigned long long adlen, const uint8_t *nsec,                     \
                                const uint8_t *npub, const uint8_t *k)                             \
    {                                                                                              \
        sealed(k, npub, name##_NPUBBYTES, slice_of(ad, (size_t)adlen), slice_of(m, (size_t)mlen)); \
        return __real_##name##_encrypt(c, clen, m, mlen, ad, adlen, nsec, npub, k);                \
    }

WATCH_SEAL(crypto_aead_xchacha20poly1305_ietf)
WATCH_SEAL(crypto_aead_chacha20poly1305_ietf)

enum err __real_prim_aead_open(uint8_t *, const struct aead_key *, const uint8_t *, struct slice,
                               struct slice);
enum err __wrap_prim_aead_open(uint8_t *, const struct aead_key *, const uint8_t *, struct slice,
                               struct slice);
enum err __wrap_prim_aead_open(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                               struct slice ad, struct slice in)
{
    enum err err = __real_prim_aead_open(out, key, nonce, ad, in);
    if (err == ERR_OK && watching != NULL && is_relay_only(watching->sim->running)) {
        search(watching, slice_of(out, in.len - PRIM_AEAD_TAG), "what is opened",
               watching->sim->running);
    }
    return err;
}

/* --- prekeys --- */

enum err __real_session_accept(struct session *, const struct env *, struct arena *,
                               const struct pair_self *, const struct pair_peer *,
                               const struct pair_prekeys *, const uint8_t *, struct slice);
enum err __wrap_session_accept(struct session *, const struct env *, struct arena *,
                               const struct pair_self *, const struct pair_peer *,
                               const struct pair_prekeys *, const uint8_t *, struct slice);
enum err __wrap_session_accept(struct session *s, const struct env *env, struct arena *arena,
                               const struct pair_self *self, const struct pair_peer *peer,
                               const struct pair_prekeys *prekeys, const uint8_t *invite,
                               struct slice envelope)
{
    enum err err = __real_session_accept(s, env, arena, self, peer, prekeys, invite, envelope);
    struct watch *w = watching;
    if (err == ERR_OK && prekeys->one_time && w != NULL && w->sim->running != NULL) {
        /* A home that went back has what it had used up. */
        const struct sim_node *n = w->sim->running;
        uint64_t name = XXH3_64bits_withSeed(prekeys->otk.b, sizeof prekeys->otk.b, n->backs);
        w->begun++;
        sim_check(w->sim,
                  watch_pairs_note(w->sim, &w->parts, name, XXH3_64bits(session_id(s), SESSION_T)),
                  "prekeys: node %u began two sessions with one one-time prekey",
                  (unsigned)n->index);
    }
    return err;
}

/* --- all of it --- */

void watch_begin(struct watch *w, struct sim *sim)
{
    *w = (struct watch){.sim = sim};
    sim->seen = seen;
    sim->seen_ctx = w;
    watching = w;
}

struct watch *watch_away(struct watch *w)
{
    struct watch *was = watching;
    watching = w;
    return was;
}

void watch_end(struct watch *w)
{
    watching = NULL;
    free(w->seals.slots);
    free(w->parts.slots);
    free(w->needles);
    free(w->heads);
    w->sim->seen = NULL;
}
