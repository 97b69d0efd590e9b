/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/watch.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <xxhash.h>

#include "pair/session.h"

enum {
    FIRST_CAP = 64,
    THIEF_ARENA = 1 << 20, /* for a session with many skipped keys */
    HEALED = 4, /* whose envelope has this stage, a copy of the other side does not open it */
};

static struct watch *watching;

enum err __real_session_open(struct session *, const struct env *, struct arena *, struct slice,
                             struct session_in *);
enum err __real_session_seal(struct session *, const struct env *, struct arena *,
                             const struct session_out *, struct slice *, uint64_t *);

/* --- pairs --- */

static uint64_t *place_of(const struct watch_pairs *p, uint64_t name)
{
    size_t i = (size_t)name & (p->cap - 1);
    while (p->slots[2 * i] != 0 && p->slots[2 * i] != name) {
        i = (i + 1) & (p->cap - 1);
    }
    return &p->slots[2 * i];
}

static void pairs_grow(struct watch *w, struct watch_pairs *p)
{
    struct watch_pairs more = {.cap = p->cap > 0 ? 2 * p->cap : FIRST_CAP, .count = p->count};
    more.slots = calloc(more.cap, 2 * sizeof *more.slots);
    sim_check(w->sim, more.slots != NULL, "out of memory");
    for (size_t i = 0; i < p->cap; i++) {
        if (p->slots[2 * i] != 0) {
            memcpy(place_of(&more, p->slots[2 * i]), &p->slots[2 * i], 2 * sizeof *p->slots);
        }
    }
    free(p->slots);
    *p = more;
}

/* Whether nothing else happened under this name before. */
static bool pairs_note(struct watch *w, struct watch_pairs *p, uint64_t name, uint64_t what)
{
    if (4 * (p->count + 1) > 3 * p->cap) {
        pairs_grow(w, p);
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
static const uint64_t *pairs_find(const struct watch_pairs *p, uint64_t name)
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

static uint32_t head_hash(uint64_t head)
{
    return (uint32_t)(head * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

void watch_needle(struct watch *w, struct slice bytes, const char *what)
{
    struct watch_needle *n;
    w->needles = realloc(w->needles, (w->needle_count + 1) * sizeof *w->needles);
    sim_check(w->sim, w->needles != NULL && bytes.len >= WATCH_HEAD && bytes.len <= sizeof n->bytes,
              "a needle of %zu bytes", bytes.len);
    n = &w->needles[w->needle_count++];
    *n = (struct watch_needle){.len = bytes.len, .what = what};
    memcpy(n->bytes, bytes.p, bytes.len);
    uint32_t hash = head_hash(head_of(bytes.p));
    w->map[hash / 8] |= (uint8_t)(1U << hash % 8);
}

static const struct watch_needle *needle_at(const struct watch *w, const uint8_t *p, size_t left)
{
    uint32_t hash = head_hash(head_of(p));
    if ((w->map[hash / 8] >> hash % 8 & 1) == 0) {
        return NULL;
    }
    for (size_t i = 0; i < w->needle_count; i++) {
        const struct watch_needle *n = &w->needles[i];
        if (left >= n->len && memcmp(p, n->bytes, n->len) == 0) {
            return n;
        }
    }
    return NULL;
}

static void search(struct watch *w, struct slice in, const char *where, const struct sim_node *n)
{
    w->searched += in.len;
    for (size_t i = 0; i + WATCH_HEAD <= in.len; i++) {
        const struct watch_needle *found = needle_at(w, in.p + i, in.len - i);
        sim_check(w->sim, found == NULL, "leaks: %s in %s of node %u, byte %zu of %zu", found->what,
                  where, (unsigned)n->index, i, in.len);
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

static void sealed(const uint8_t *key, const uint8_t *nonce, size_t nonce_len, struct slice ad,
                   struct slice plain)
{
    struct watch *w = watching;
    if (w == NULL) {
        return;
    }
    uint64_t name = XXH3_64bits_withSeed(nonce, nonce_len, XXH3_64bits(key, PRIM_KEY) ^ nonce_len);
    uint64_t what = XXH3_64bits_withSeed(plain.p, plain.len, XXH3_64bits(ad.p, ad.len));
    const struct sim_node *n = w->sim->running;
    w->sealed++;
    sim_check(w->sim, pairs_note(w, &w->seals, name, what),
              "keys: node %u sealed two things with one key and nonce, the second of %zu bytes",
              n != NULL ? (unsigned)n->index : 0, plain.len);
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
        sim_check(w->sim, pairs_note(w, &w->parts, name, XXH3_64bits(session_id(s), SESSION_T)),
                  "prekeys: node %u began two sessions with one one-time prekey",
                  (unsigned)n->index);
    }
    return err;
}

/* --- healing --- */

/* Somebody has a copy of one session of a node, and goes on with it by what they hear.
 *
 * How far the two of it have gone on since is counted in stages: who opens an envelope is one stage
 * further than its writer was when sealing it, or stays. After two round trips each has a ratchet
 * key that is of after the copy, made when the other's was known. */
struct thief {
    struct thief *next;
    uint8_t session[SESSION_T];
    const struct sim_node *victim;
    const struct sim_node *other; /* NULL: not heard yet */
    uint64_t undone[2];           /* of victim and other: what is counted must have stayed */
    uint64_t stage[2];
    struct watch_pairs stages; /* of envelopes */
    struct unit_env random;
    uint8_t *state; /* owned */
    size_t len;
};

static void thief_free(struct thief *t)
{
    free(t->stages.slots);
    free(t->state);
    free(t);
}

static void copy_session(struct watch *w, struct thief *t, const struct session *s)
{
    struct slice saved;
    struct arena arena;
    arena_init(&arena, THIEF_ARENA);
    enum err err = session_save(s, &arena, &saved);
    sim_check(w->sim, err == ERR_OK, "a session cannot be saved");
    t->state = realloc(t->state, saved.len);
    sim_check(w->sim, t->state != NULL, "out of memory");
    memcpy(t->state, saved.p, saved.len);
    t->len = saved.len;
    arena_fini(&arena);
}

/* A thief in n copies each session once, when it is used next. */
static void steal(struct watch *w, struct sim_node *n, const struct session *s)
{
    for (const struct thief *t = w->thieves; t != NULL; t = t->next) {
        if (t->victim == n && memcmp(t->session, session_id(s), SESSION_T) == 0) {
            return;
        }
    }
    struct thief *t = calloc(1, sizeof *t);
    sim_check(w->sim, t != NULL, "out of memory");
    *t = (struct thief){.next = w->thieves, .victim = n, .undone = {n->undone, 0}};
    memcpy(t->session, session_id(s), SESSION_T);
    unit_env_init(&t->random, w->stolen, 0);
    copy_session(w, t, s);
    w->thieves = t;
    w->stolen++;
}

void watch_steal(struct watch *w, struct sim_node *n)
{
    n->thief = true;
    /* One who was there before has another copy now. */
    for (struct thief **at = &w->thieves; *at != NULL;) {
        struct thief *t = *at;
        if (t->victim == n) {
            *at = t->next;
            thief_free(t);
        } else {
            at = &t->next;
        }
    }
}

/* Which side of the stolen session this node is: 0, the victim, or 1. */
static unsigned side_of(struct thief *t, const struct sim_node *n)
{
    if (n != t->victim && t->other == NULL) {
        t->other = n;
        t->undone[1] = n->undone;
    }
    return n != t->victim;
}

/* What was counted was undone: a turn of one of the two failed, or their home went back. */
static bool is_void(const struct thief *t)
{
    return t->victim->undone != t->undone[0] ||
           (t->other != NULL && t->other->undone != t->undone[1]);
}

/* Does the same with the copy as the victim did, and goes on from there: opens an envelope, or,
 * with none, seals one, since a side that writes may step its ratchet. */
static bool thief_does(struct watch *w, struct thief *t, struct slice envelope)
{
    struct arena arena;
    struct session_in in;
    struct session_out out = {.content = slice_of(NULL, 0)};
    struct slice sealed_one;
    uint64_t seq;
    struct session *s = session_new();
    sim_check(w->sim, s != NULL, "out of memory");
    arena_init(&arena, LIMIT_TURN_ARENA);
    enum err err = session_load(s, slice_of(t->state, t->len));
    sim_check(w->sim, err == ERR_OK, "a copied session cannot be read");
    t->random.env.now_ms = w->sim->running->random.env.now_ms;
    watching = NULL; /* what thieves do is their own business */
    err = envelope.len > 0
              ? __real_session_open(s, &t->random.env, &arena, envelope, &in)
              : __real_session_seal(s, &t->random.env, &arena, &out, &sealed_one, &seq);
    watching = w;
    if (err == ERR_OK) {
        copy_session(w, t, s);
    }
    session_free(s);
    arena_fini(&arena);
    return err == ERR_OK;
}

static void heard(struct watch *w, struct thief *t, struct slice envelope)
{
    unsigned side = side_of(t, w->sim->running);
    const uint64_t *of = pairs_find(&t->stages, XXH3_64bits(envelope.p, envelope.len));
    uint64_t stage = of != NULL ? *of : 0;
    t->stage[side] = stage + 1 > t->stage[side] ? stage + 1 : t->stage[side];
    if (side != 0) {
        return;
    }
    bool opened = thief_does(w, t, envelope);
    sim_check(w->sim, !opened || stage < HEALED,
              "healing: a copy of a session of node %u opens what was sealed at stage %llu",
              (unsigned)t->victim->index, (unsigned long long)stage);
    w->read += opened;
    w->closed += !opened && stage >= HEALED;
}

static void written(struct watch *w, struct thief *t, struct slice envelope)
{
    unsigned side = side_of(t, w->sim->running);
    (void)pairs_note(w, &t->stages, XXH3_64bits(envelope.p, envelope.len), t->stage[side]);
    if (side == 0) {
        (void)thief_does(w, t, slice_of(NULL, 0));
    }
}

/* What thieves make of an envelope that was sealed, or opened, in this session. */
static void tell_thieves(struct session *s, struct slice envelope, bool opened)
{
    struct watch *w = watching;
    struct sim_node *n = w != NULL ? w->sim->running : NULL;
    if (n == NULL) {
        return;
    }
    for (struct thief **at = &w->thieves; *at != NULL;) {
        struct thief *t = *at;
        if (is_void(t)) {
            *at = t->next;
            thief_free(t);
            continue;
        }
        if (memcmp(t->session, session_id(s), SESSION_T) == 0) {
            if (opened) {
                heard(w, t, envelope);
            } else {
                written(w, t, envelope);
            }
        }
        at = &t->next;
    }
    if (n->thief) {
        steal(w, n, s);
    }
}

enum err __wrap_session_open(struct session *, const struct env *, struct arena *, struct slice,
                             struct session_in *);
enum err __wrap_session_open(struct session *s, const struct env *env, struct arena *arena,
                             struct slice envelope, struct session_in *in)
{
    enum err err = __real_session_open(s, env, arena, envelope, in);
    if (err == ERR_OK) {
        tell_thieves(s, envelope, true);
    }
    return err;
}

enum err __wrap_session_seal(struct session *, const struct env *, struct arena *,
                             const struct session_out *, struct slice *, uint64_t *);
enum err __wrap_session_seal(struct session *s, const struct env *env, struct arena *arena,
                             const struct session_out *out, struct slice *envelope, uint64_t *seq)
{
    enum err err = __real_session_seal(s, env, arena, out, envelope, seq);
    if (err == ERR_OK) {
        tell_thieves(s, *envelope, false);
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

void watch_end(struct watch *w)
{
    watching = NULL;
    while (w->thieves != NULL) {
        struct thief *t = w->thieves;
        w->thieves = t->next;
        thief_free(t);
    }
    free(w->seals.slots);
    free(w->parts.slots);
    free(w->needles);
    w->sim->seen = NULL;
}
