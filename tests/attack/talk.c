/* SPDX-License-Identifier: Apache-2.0 */
#include "attack/talk.h"

#include <stdlib.h>
#include <string.h>

static const char TEXT[] = "what is said";
enum {
    LATE = LIMIT_SKIPPED_CHAINS, /* half of what is kept, as chains of both sides are counted */
};

static struct pair_party *party(struct talk *t, bool victim)
{
    return victim == (t->victim == &t->a) ? &t->a : &t->b;
}

uint32_t talk_random(struct talk *t, uint32_t n)
{
    uint32_t v;
    env_random(&t->thief.env.env, (uint8_t *)&v, sizeof v);
    return v % n;
}

static struct talk_key ratchet_key_of(const struct session *s)
{
    return (struct talk_key){.secret = s->ratchet.dh, .public = s->ratchet.dh_public};
}

struct talk *talk_new(uint64_t seed, bool victim_a)
{
    struct talk *t = calloc(1, sizeof *t);
    ck_assert_ptr_nonnull(t);
    pair_party_init(&t->a, 3 * seed);
    pair_party_init(&t->b, 3 * seed + 1);
    pair_party_init(&t->thief, 3 * seed + 2);
    t->victim = victim_a ? &t->a : &t->b;
    pair_established(&t->a, &t->b);
    t->keys[t->key_count++] = ratchet_key_of(t->victim->session);
    return t;
}

void talk_free(struct talk *t)
{
    for (size_t i = 0; t != NULL && i < t->copy_count; i++) {
        session_free(t->copies[i].state);
    }
    if (t != NULL) {
        pair_party_fini(&t->a);
        pair_party_fini(&t->b);
        pair_party_fini(&t->thief);
    }
    free(t);
}

static void happened(struct talk *t, struct talk_letter *l, bool seal, bool by_victim)
{
    t->events[t->event_count++] =
        (struct talk_event){.letter = l, .seal = seal, .by_victim = by_victim};
}

void talk_seal(struct talk *t, bool victim)
{
    struct pair_party *p = party(t, victim);
    ck_assert_uint_lt(t->event_count, TALK_EVENTS);
    struct talk_letter *l = &t->letters[t->letter_count++];
    bool step = p->session->ratchet.step_due;
    l->bytes = pair_seal(p, TEXT);
    const struct ratchet *r = &p->session->ratchet;
    l->by_victim = victim;
    l->chain = 2 * r->serial + (p == &t->a ? 1 : 0);
    l->kem = r->kem;
    l->sealed = t->event_count;
    l->opened = SIZE_MAX;
    l->content = t->content;
    t->content += victim ? 1 : 0;
    if (victim && step) {
        t->keys[t->key_count++] = ratchet_key_of(p->session);
    }
    happened(t, l, true, victim);
}

void talk_open(struct talk *t, struct talk_letter *l)
{
    struct session_in in;
    ck_assert_uint_lt(t->event_count, TALK_EVENTS);
    ck_assert_ok(pair_open(party(t, !l->by_victim), l->bytes, &in));
    ck_assert(slice_equal(in.content, unit_str(TEXT)));
    l->opened = t->event_count;
    t->content += l->by_victim ? 0 : 1;
    happened(t, l, false, !l->by_victim);
}

void talk_any(struct talk *t)
{
    struct talk_letter *way[TALK_EVENTS];
    size_t count = 0;
    for (size_t i = 0; i < t->letter_count; i++) {
        /* What waits for longer is lost: past chains are not kept for ever. */
        bool late = t->letters[i].chain + LATE < t->letters[t->letter_count - 1].chain;
        if (t->letters[i].opened == SIZE_MAX && !late) {
            way[count++] = &t->letters[i];
        }
    }
    if (count == 0 || talk_random(t, 5) < 2) {
        talk_seal(t, talk_random(t, 2) == 0);
        return;
    }
    uint32_t range = count > 6 ? 6 : (uint32_t)count; /* the longer it waits, the likelier later */
    uint32_t at = talk_random(t, 3) == 0 ? talk_random(t, range) : range > 3 ? range - 3 : 0;
    talk_open(t, way[at]);
}

void talk_copy(struct talk *t)
{
    ck_assert_uint_lt(t->copy_count, TALK_COPIES);
    struct talk_copy *c = &t->copies[t->copy_count++];
    struct slice saved = pair_saved(t->victim->session);
    c->state = session_new();
    ck_assert_ok(session_load(c->state, saved));
    pair_slice_free(saved);
    const struct ratchet *r = &c->state->ratchet;
    bool first = t->victim == &t->a;
    /* A step that is due leaves the other side's root the newest. */
    c->root = 2 * r->serial + (first ? 1 : 0) - (r->step_due ? 1 : 0);
    c->key = ratchet_key_of(c->state);
    c->kem = r->kem;
    c->exchanged = c->state->kem.state != KEM_IDLE;
    c->content = t->content;
    c->at = t->event_count;
}

bool talk_used(const struct talk_copy *copy, const struct talk_letter *l)
{
    size_t used = l->by_victim ? l->sealed : l->opened;
    return used != SIZE_MAX && used < copy->at;
}

/* --- the thief --- */

/* Randomness of a thief that takes the victim's place: a ratchet secret that it has is drawn where
 * the victim drew it. */
struct stand_in {
    struct env *env; /* guesses */
    const struct dh_sk *secret;
};

static void stand_in_random(void *ctx, uint8_t *out, size_t len)
{
    struct stand_in *s = ctx;
    if (s->secret != NULL && len == sizeof s->secret->b) {
        memcpy(out, s->secret->b, len);
    } else {
        env_random(s->env, out, len);
    }
}

static const struct dh_sk *secret_of(const struct talk_key *keys, size_t count,
                                     const struct dh_pk *public)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(keys[i].public.b, public->b, sizeof public->b) == 0) {
            return &keys[i].secret;
        }
    }
    return NULL;
}

/* A letter of the victim's: the thief seals the same in its place, and sees whether its message key
 * opens what went out. */
static bool follow_seal(struct talk *t, struct session *s, const struct talk_key *keys,
                        size_t key_count, const struct talk_letter *l)
{
    struct envelope e;
    struct header header;
    struct ratchet_key key;
    struct stand_in stand_in = {.env = &t->thief.env.env};
    struct env env = {
        .now_ms = t->thief.env.env.now_ms, .random = stand_in_random, .random_ctx = &stand_in};
    ck_assert_ok(envelope_parse(l->bytes, &e));
    struct ratchet r = s->ratchet;
    const struct aead_key *head = r.step_due ? &r.send_next : &r.send_head;
    if (header_open(&header, head, e.nonce, slice_of(s->t, SESSION_T), e.header) == ERR_OK) {
        stand_in.secret = secret_of(keys, key_count, &header.dh);
    }
    struct kem_mix mix = kem_ratchet_ours(&s->kem, r.kem);
    bool opens = ratchet_send(&r, &env, &mix, &header, &key) == ERR_OK &&
                 forge_body_opens(&t->thief.arena, s->t, &e, &key);
    struct session_out out = {.content = unit_str(TEXT)};
    struct slice ignored;
    uint64_t seq;
    (void)!session_seal(s, &env, &t->thief.arena, &out, &ignored, &seq);
    return opens;
}

void talk_follow(struct talk *t, const struct talk_copy *copy, const struct talk_key *keys,
                 size_t key_count, bool *opened)
{
    struct session_in in;
    struct slice saved = pair_saved(copy->state);
    struct session *s = session_new();
    ck_assert_ok(session_load(s, saved));
    pair_slice_free(saved);
    for (size_t i = copy->at; i < t->event_count; i++) {
        const struct talk_event *e = &t->events[i];
        bool *done = &opened[e->letter - t->letters];
        struct arena_mark mark = arena_mark(&t->thief.arena);
        if (e->by_victim && e->seal) {
            *done = follow_seal(t, s, keys, key_count, e->letter) || *done;
        } else if (e->by_victim) {
            *done = session_open(s, &t->thief.env.env, &t->thief.arena, e->letter->bytes, &in) ==
                        ERR_OK ||
                    *done;
        }
        arena_rewind(&t->thief.arena, mark);
    }
    session_free(s);
}

bool talk_try(struct talk *t, const struct talk_copy *copy, const struct talk_letter *l)
{
    enum {
        NEXT = 3,
    };
    struct envelope e;
    const struct session *s = copy->state;
    struct arena_mark mark = arena_mark(&t->thief.arena);
    ck_assert_ok(envelope_parse(l->bytes, &e));
    bool opens = false;
    struct ratchet_key message;
    struct ratchet_key chains[2] = {s->ratchet.send, s->ratchet.recv};
    for (size_t i = 0; i < 2 * NEXT && !opens; i++) {
        ratchet_chain_step(&chains[i % 2], &message);
        opens = forge_body_opens(&t->thief.arena, s->t, &e, &message);
    }
    for (size_t i = 0; i < s->skipped.count && !opens; i++) {
        memcpy(message.b, s->skipped.keys[i].key, sizeof message.b);
        opens = forge_body_opens(&t->thief.arena, s->t, &e, &message);
    }
    arena_rewind(&t->thief.arena, mark);
    return opens;
}
