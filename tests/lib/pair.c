/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not Check's assertions: benches and fuzzers use this too. Aborting fails a test as well. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define MUST_OK(expression) MUST((expression) == ERR_OK)

void pair_party_init(struct pair_party *p, uint64_t seed)
{
    uint8_t bytes[32];
    struct sign_sk unused;
    memset(p, 0, sizeof *p);
    unit_env_init(&p->env, seed, PAIR_NOW);
    arena_init(&p->arena, (size_t)256 * 1024 * 1024);
    const struct env *env = &p->env.env;
    env_random(env, bytes, sizeof bytes);
    prim_sign_keypair(&p->id, &unused, bytes);
    env_random(env, bytes, sizeof bytes);
    prim_sign_keypair(&p->sign, &p->sign_sk, bytes);
    env_random(env, p->dh_sk.b, sizeof p->dh_sk.b);
    prim_dh_public(&p->dh, &p->dh_sk);
    env_random(env, p->certificate, sizeof p->certificate);
    env_random(env, p->list, sizeof p->list);
    prekey_generate(&p->spk, PREKEY_SIGNED, PAIR_SPK_ID, env);
    prekey_generate(&p->otk, PREKEY_ONE_TIME, PAIR_OTK_ID, env);
    p->session = session_new();
    MUST(p->session != NULL);
}

void pair_party_fini(struct pair_party *p)
{
    session_free(p->session);
    arena_fini(&p->arena);
}

struct pair_self pair_party_self(const struct pair_party *p)
{
    return (struct pair_self){.id = p->id,
                              .certificate = slice_of(p->certificate, sizeof p->certificate),
                              .dh = p->dh_sk};
}

struct pair_peer pair_party_peer(const struct pair_party *p)
{
    return (struct pair_peer){
        .id = p->id, .certificate = slice_of(p->certificate, sizeof p->certificate), .dh = p->dh};
}

void pair_party_bundle(struct pair_party *p, bool one_time, struct pair_bundle *bundle)
{
    uint8_t spk[PREKEY_PART];
    uint8_t otk[PREKEY_PART];
    uint64_t created;
    struct writer w = writer_of(spk, sizeof spk);
    struct writer o = writer_of(otk, sizeof otk);
    MUST_OK(prekey_write(&w, &p->spk, &p->sign_sk));
    MUST_OK(prekey_write(&o, &p->otk, &p->sign_sk));
    MUST_OK(prekey_bundle_open(writer_done(&w), one_time ? writer_done(&o) : slice_of(NULL, 0),
                               &p->sign, p->env.env.now_ms, bundle, &created));
}

void pair_initiate(struct pair_party *a, struct pair_party *b, bool one_time, const uint8_t *invite)
{
    struct pair_bundle bundle;
    pair_party_bundle(b, one_time, &bundle);
    struct pair_self self = pair_party_self(a);
    struct pair_peer peer = pair_party_peer(b);
    MUST_OK(session_initiate(a->session, &a->env.env, &a->arena, &self, &peer, &bundle, invite,
                             slice_of(a->list, sizeof a->list), 0));
}

struct slice pair_seal_slice(struct pair_party *p, struct slice content)
{
    struct session_out out = {.content = content};
    struct slice envelope = slice_of(NULL, 0);
    uint64_t seq = 0;
    MUST_OK(session_seal(p->session, &p->env.env, &p->arena, &out, &envelope, &seq));
    MUST((seq > 0) == (content.len > 0));
    return envelope;
}

struct slice pair_seal(struct pair_party *p, const char *text)
{
    return pair_seal_slice(p, unit_str(text));
}

enum err pair_accept(struct pair_party *b, struct pair_party *a, const uint8_t *invite,
                     struct slice envelope)
{
    struct session_first first;
    enum err err = session_first_read(envelope, &first);
    if (err != ERR_OK) {
        return err;
    }
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(b);
    struct pair_peer peer = pair_party_peer(a);
    prekey_keys_init(&keys, &b->spk, first.one_time_id != 0 ? &b->otk : NULL);
    err = session_accept(b->session, &b->env.env, &b->arena, &self, &peer, &keys.prekeys, invite,
                         envelope);
    prekey_keys_wipe(&keys);
    return err;
}

enum err pair_open(struct pair_party *p, struct slice envelope, struct session_in *in)
{
    return session_open(p->session, &p->env.env, &p->arena, envelope, in);
}

void pair_open_text(struct pair_party *p, struct slice envelope, const char *text)
{
    struct session_in in;
    MUST_OK(pair_open(p, envelope, &in));
    MUST(in.has_content);
    MUST(slice_equal(in.content, unit_str(text)));
    MUST(!in.duplicate && !in.reset);
}

void pair_established(struct pair_party *a, struct pair_party *b)
{
    pair_initiate(a, b, true, NULL);
    struct slice first = pair_seal(a, "hello");
    MUST_OK(pair_accept(b, a, NULL, first));
    pair_open_text(b, first, "hello");
    pair_open_text(a, pair_seal(b, "hello yourself"), "hello yourself");
}

void pair_kem_step(struct pair_party *a, struct pair_party *b)
{
    struct session_in in;
    MUST_OK(pair_open(b, pair_seal_slice(a, slice_of(NULL, 0)), &in)); /* the answer */
    MUST_OK(pair_open(a, pair_seal_slice(b, slice_of(NULL, 0)), &in)); /* the step */
}

struct slice pair_saved(const struct session *s)
{
    struct arena arena;
    struct slice saved;
    arena_init(&arena, (size_t)1024 * 1024);
    MUST_OK(session_save(s, &arena, &saved));
    uint8_t *copy = malloc(saved.len);
    MUST(copy != NULL);
    memcpy(copy, saved.p, saved.len);
    arena_fini(&arena);
    return slice_of(copy, saved.len);
}

void pair_slice_free(struct slice s)
{
    void *p;
    memcpy(&p, &s.p, sizeof p);
    free(p);
}

uint8_t *pair_copy(struct slice s)
{
    uint8_t *copy = malloc(s.len + 1);
    MUST(copy != NULL);
    memcpy(copy, s.p, s.len);
    return copy;
}
