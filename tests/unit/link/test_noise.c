/* SPDX-License-Identifier: Apache-2.0 */
#include "link/noise.h"

#include <string.h>

#include "base/limits.h"
#include "crypto/mlkem768.h"
#include "lib/link_peer.h"

static const char prologue[] = "petrel/1 link";

struct pair {
    struct link_keys keys;
    struct unit_env env;
    struct noise i;
    struct noise r;
    uint8_t bytes[3][NOISE_XKHFS_MAX];
    struct slice messages[3];
};

static void start(struct noise *n, struct pair *p, bool initiator, const char *said,
                  const struct dh_pk *rs)
{
    struct noise_ephemeral e;
    env_random(&p->env.env, &e, sizeof e);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = initiator,
                                  .prologue = unit_str(said),
                                  .s = initiator ? &p->keys.initiator : &p->keys.responder,
                                  .rs = rs,
                                  .ephemeral = &e};
    ck_assert_ok(noise_init(n, &config));
}

static void pair_init(struct pair *p)
{
    link_keys_init(&p->keys, 7);
    unit_env_init(&p->env, 1, 0);
    start(&p->i, p, true, prologue, &p->keys.responder_pk);
    start(&p->r, p, false, prologue, NULL);
}

/* Writes message m; nothing reads it. */
static void pair_write(struct pair *p, unsigned m)
{
    struct writer w = writer_of(p->bytes[m], NOISE_XKHFS_MAX);
    ck_assert_ok(noise_write(m == 1 ? &p->r : &p->i, slice_of(NULL, 0), &w));
    p->messages[m] = writer_done(&w);
}

static enum err read_empty(struct noise *n, struct slice message)
{
    uint8_t none[NOISE_XKHFS_MAX];
    struct writer payload = writer_of(none, sizeof none);
    enum err err = noise_read(n, message, &payload);
    ck_assert_uint_eq(payload.len, 0);
    return err;
}

/* Runs the handshake up to, and without, the reading of message m. */
static void pair_until(struct pair *p, unsigned m)
{
    pair_init(p);
    for (unsigned i = 0; i <= m; i++) {
        pair_write(p, i);
        if (i < m) {
            ck_assert_ok(read_empty(i == 1 ? &p->i : &p->r, p->messages[i]));
        }
    }
}

static struct noise *reader_of_message(struct pair *p, unsigned m)
{
    return m == 1 ? &p->i : &p->r;
}

START_TEST(both_ends_agree_and_learn_each_other)
{
    struct pair p;
    struct cipher si;
    struct cipher ri;
    struct cipher sr;
    struct cipher rr;
    uint8_t hi[NOISE_HASH];
    uint8_t hr[NOISE_HASH];
    struct dh_pk ki;
    struct dh_pk kr;
    pair_until(&p, 2);
    ck_assert_uint_eq(p.messages[0].len, 1248);
    ck_assert_uint_eq(p.messages[1].len, 1152);
    ck_assert_uint_eq(p.messages[2].len, 64);
    ck_assert_ok(read_empty(&p.r, p.messages[2]));
    ck_assert_ok(noise_split(&p.i, &si, &ri, hi, &ki));
    ck_assert_ok(noise_split(&p.r, &sr, &rr, hr, &kr));
    ck_assert_mem_eq(hi, hr, sizeof hi);
    ck_assert_mem_eq(si.key, rr.key, CIPHER_KEY);
    ck_assert_mem_eq(sr.key, ri.key, CIPHER_KEY);
    ck_assert_mem_ne(si.key, sr.key, CIPHER_KEY);
    ck_assert_mem_eq(kr.b, p.keys.initiator_pk.b, 32);
    ck_assert_mem_eq(ki.b, p.keys.responder_pk.b, 32);
}
END_TEST

START_TEST(every_changed_byte_of_every_message_is_refused)
{
    for (unsigned m = 0; m < 3; m++) {
        struct pair p;
        pair_until(&p, m);
        struct noise before = *reader_of_message(&p, m);
        for (size_t i = 0; i < p.messages[m].len; i++) {
            struct noise n = before;
            p.bytes[m][i] ^= (uint8_t)(1U << (i % 8));
            ck_assert_err(read_empty(&n, p.messages[m]), ERR_HANDSHAKE);
            ck_assert_int_eq(noise_action(&n), NOISE_DONE);
            p.bytes[m][i] ^= (uint8_t)(1U << (i % 8));
        }
        ck_assert_ok(read_empty(&before, p.messages[m]));
    }
}
END_TEST

START_TEST(every_shorter_message_is_refused)
{
    for (unsigned m = 0; m < 3; m++) {
        struct pair p;
        pair_until(&p, m);
        struct noise before = *reader_of_message(&p, m);
        for (size_t len = 0; len < p.messages[m].len; len++) {
            struct noise n = before;
            ck_assert_err(read_empty(&n, slice_of(p.bytes[m], len)), ERR_HANDSHAKE);
        }
    }
}
END_TEST

START_TEST(longer_messages_are_refused)
{
    struct pair p;
    pair_until(&p, 2);
    uint8_t longer[65] = {0};
    memcpy(longer, p.bytes[2], 64);
    ck_assert_err(read_empty(&p.r, slice_of(longer, sizeof longer)), ERR_HANDSHAKE);
}
END_TEST

START_TEST(another_prologue_is_refused)
{
    struct pair p;
    pair_init(&p);
    start(&p.i, &p, true, "petrel/2 link", &p.keys.responder_pk);
    pair_write(&p, 0);
    ck_assert_err(read_empty(&p.r, p.messages[0]), ERR_HANDSHAKE);
}
END_TEST

START_TEST(a_responder_with_another_static_is_refused)
{
    struct pair p;
    pair_init(&p);
    start(&p.i, &p, true, prologue, &p.keys.initiator_pk);
    pair_write(&p, 0);
    ck_assert_err(read_empty(&p.r, p.messages[0]), ERR_HANDSHAKE);
}
END_TEST

START_TEST(a_replayed_first_message_gets_another_answer_and_no_further)
{
    struct pair p;
    pair_until(&p, 2);
    struct noise again;
    struct writer w = writer_of(p.bytes[1], NOISE_XKHFS_MAX);
    start(&again, &p, false, prologue, NULL);
    ck_assert_ok(read_empty(&again, p.messages[0]));
    ck_assert_ok(noise_write(&again, slice_of(NULL, 0), &w));
    ck_assert_err(read_empty(&again, p.messages[2]), ERR_HANDSHAKE);
}
END_TEST

START_TEST(calls_out_of_turn_end_the_handshake)
{
    struct pair p;
    struct cipher c[2];
    uint8_t h[NOISE_HASH];
    struct dh_pk rs;
    uint8_t out[NOISE_XKHFS_MAX];
    struct writer w = writer_of(out, sizeof out);

    pair_init(&p);
    ck_assert_err(read_empty(&p.i, slice_of(out, 1)), ERR_NOT_NOW);
    ck_assert_err(noise_write(&p.i, slice_of(NULL, 0), &w), ERR_NOT_NOW);
    ck_assert_err(noise_write(&p.r, slice_of(NULL, 0), &w), ERR_NOT_NOW);
    ck_assert_err(read_empty(&p.r, slice_of(out, 1)), ERR_NOT_NOW);
    pair_init(&p);
    ck_assert_err(noise_split(&p.i, &c[0], &c[1], h, &rs), ERR_NOT_NOW);
    ck_assert_int_eq(noise_action(&p.i), NOISE_DONE);
    ck_assert_uint_eq(noise_message_size(&p.i), 0);
    pair_until(&p, 2);
    ck_assert_int_eq(noise_action(&p.i), NOISE_SPLIT);
    ck_assert_err(noise_write(&p.i, slice_of(NULL, 0), &w), ERR_NOT_NOW);
    ck_assert_err(noise_split(&p.i, &c[0], &c[1], h, &rs), ERR_NOT_NOW);
}
END_TEST

START_TEST(nothing_secret_is_left_after_the_split_or_a_failure)
{
    static const struct noise zeros;
    struct pair p;
    struct cipher c[2];
    uint8_t h[NOISE_HASH];
    struct dh_pk rs;
    pair_until(&p, 2);
    ck_assert_ok(noise_split(&p.i, &c[0], &c[1], h, &rs));
    p.bytes[2][0] ^= 1;
    ck_assert_err(read_empty(&p.r, p.messages[2]), ERR_HANDSHAKE);
    p.i.action = NOISE_WRITE;
    p.r.action = NOISE_WRITE;
    ck_assert_mem_eq(&p.i, &zeros, sizeof zeros);
    ck_assert_mem_eq(&p.r, &zeros, sizeof zeros);
}
END_TEST

START_TEST(a_full_buffer_fails_and_leaves_nothing_in_it)
{
    static const uint8_t zeros[NOISE_XKHFS_MAX];
    struct pair p;
    uint8_t out[NOISE_XKHFS_MAX] = {0};
    struct writer w = writer_of(out, NOISE_XKHFS_1 - 1);
    pair_init(&p);
    ck_assert_err(noise_write(&p.i, slice_of(NULL, 0), &w), ERR_NO_SPACE);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_mem_eq(out, zeros, sizeof out);
}
END_TEST

START_TEST(configurations_that_make_no_sense_are_refused)
{
    struct pair p;
    struct noise n;
    struct noise_ephemeral e = {.kem = {0}};
    pair_init(&p);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_SHA256,
                                  .initiator = true,
                                  .s = &p.keys.initiator,
                                  .rs = &p.keys.responder_pk,
                                  .ephemeral = &e};
    ck_assert_err(noise_init(&n, &config), ERR_ARGUMENT);
    config.hash = SYMMETRIC_BLAKE2B;
    config.rs = NULL;
    ck_assert_err(noise_init(&n, &config), ERR_ARGUMENT);
    config.rs = &p.keys.responder_pk;
    config.initiator = false;
    ck_assert_err(noise_init(&n, &config), ERR_ARGUMENT);
    config.pattern = NOISE_PATTERNS;
    ck_assert_err(noise_init(&n, &config), ERR_ARGUMENT);
}
END_TEST

/* An initiator made by hand, so that it can do what noise.c never would. */
struct hand {
    struct symmetric s;
    struct dh_sk e;
    uint8_t kem_sk[NOISE_KEM_SECRET];
    struct dh_pk re;
    uint8_t bytes[NOISE_XKHFS_MAX];
    struct writer w;
};

static void hand_dh(struct hand *h, const struct dh_sk *sk, const struct dh_pk *pk)
{
    uint8_t shared[32];
    ck_assert_ok(prim_dh(shared, sk, pk));
    symmetric_mix_key(&h->s, shared);
}

/* -> e, es, e1 with the KEM key given, or a good one when it is NULL. */
static struct slice hand_first(struct hand *h, const struct pair *p, const uint8_t *kem_pk)
{
    struct dh_pk e;
    uint8_t pk[NOISE_KEM_PUBLIC];
    memset(h->e.b, 0x33, sizeof h->e.b);
    prim_dh_public(&e, &h->e);
    h->w = writer_of(h->bytes, sizeof h->bytes);
    symmetric_init(&h->s, SYMMETRIC_BLAKE2B, "Noise_XKhfs_25519+MLKEM768_ChaChaPoly_BLAKE2b");
    symmetric_mix_hash(&h->s, unit_str(prologue));
    symmetric_mix_hash(&h->s, slice_of(p->keys.responder_pk.b, 32));
    writer_bytes(&h->w, e.b, 32);
    symmetric_mix_hash(&h->s, slice_of(e.b, 32));
    hand_dh(h, &h->e, &p->keys.responder_pk);
    uint8_t seed[NOISE_KEM_SEED];
    memset(seed, 0x44, sizeof seed);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk, h->kem_sk, seed), 0);
    symmetric_encrypt(&h->s, slice_of(kem_pk == NULL ? pk : kem_pk, NOISE_KEM_PUBLIC), &h->w);
    symmetric_encrypt(&h->s, slice_of(NULL, 0), &h->w);
    return writer_done(&h->w);
}

/* <- e, ee, ekem1 */
static void hand_second(struct hand *h, struct slice message)
{
    uint8_t ct[NOISE_KEM_CIPHERTEXT];
    uint8_t shared[32];
    struct reader r = reader_of(message);
    reader_copy(&r, h->re.b, 32);
    symmetric_mix_hash(&h->s, slice_of(h->re.b, 32));
    hand_dh(h, &h->e, &h->re);
    ck_assert_ok(symmetric_decrypt(&h->s, reader_bytes(&r, sizeof ct + 16), ct));
    ck_assert_int_eq(crypto_kem_mlkem768_dec(shared, ct, h->kem_sk), 0);
    symmetric_mix_key(&h->s, shared);
    ck_assert_ok(symmetric_decrypt(&h->s, reader_rest(&r), ct));
}

/* -> s, se, claiming to be `claimed`; the DH of se is sk with pk. */
static struct slice hand_third(struct hand *h, const struct dh_pk *claimed, const struct dh_sk *sk,
                               const struct dh_pk *pk)
{
    h->w = writer_of(h->bytes, sizeof h->bytes);
    symmetric_encrypt(&h->s, slice_of(claimed->b, 32), &h->w);
    hand_dh(h, sk, pk);
    symmetric_encrypt(&h->s, slice_of(NULL, 0), &h->w);
    return writer_done(&h->w);
}

START_TEST(a_kem_key_out_of_range_is_refused)
{
    struct pair p;
    struct hand h;
    uint8_t bad[NOISE_KEM_PUBLIC];
    uint8_t out[NOISE_XKHFS_MAX];
    struct writer w = writer_of(out, sizeof out);
    memset(bad, 0xff, sizeof bad); /* coefficients of 4095 */
    pair_init(&p);
    ck_assert_ok(read_empty(&p.r, hand_first(&h, &p, bad)));
    ck_assert_err(noise_write(&p.r, slice_of(NULL, 0), &w), ERR_HANDSHAKE);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_int_eq(noise_action(&p.r), NOISE_DONE);
}
END_TEST

START_TEST(an_ephemeral_of_small_order_is_refused)
{
    struct pair p;
    uint8_t message[NOISE_XKHFS_1] = {0};
    pair_init(&p);
    ck_assert_err(read_empty(&p.r, slice_of(message, sizeof message)), ERR_HANDSHAKE);
    message[0] = 1;
    pair_init(&p);
    ck_assert_err(read_empty(&p.r, slice_of(message, sizeof message)), ERR_HANDSHAKE);
}
END_TEST

/* Key compromise impersonation: the thief holds the responder's static secret, and knows the public
 * static of the initiator that he wants to pass for. Whatever he puts in place of se fails. */
START_TEST(with_the_responders_static_nobody_can_pass_for_an_initiator)
{
    for (unsigned trial = 0; trial < 5; trial++) {
        struct pair p;
        struct hand h;
        pair_init(&p);
        ck_assert_ok(read_empty(&p.r, hand_first(&h, &p, NULL)));
        pair_write(&p, 1);
        hand_second(&h, p.messages[1]);
        const struct dh_pk *claimed = &p.keys.initiator_pk;
        struct slice third;
        if (trial == 0) { /* the real initiator: what is made by hand does pass */
            third = hand_third(&h, claimed, &p.keys.initiator, &h.re);
            ck_assert_ok(read_empty(&p.r, third));
            continue;
        }
        const struct dh_sk *sk = trial == 1 || trial == 2 ? &p.keys.responder : &h.e;
        const struct dh_pk *pk = trial == 1 || trial == 3 ? claimed : &h.re;
        third = hand_third(&h, claimed, sk, pk);
        ck_assert_err(read_empty(&p.r, third), ERR_HANDSHAKE);
    }
}
END_TEST

/* The other way round: with the initiator's static, nobody passes for the responder. */
START_TEST(with_the_initiators_static_nobody_can_pass_for_a_responder)
{
    struct pair p;
    struct noise thief;
    pair_init(&p);
    struct noise_ephemeral e;
    env_random(&p.env.env, &e, sizeof e);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .prologue = unit_str(prologue),
                                  .s = &p.keys.initiator,
                                  .ephemeral = &e};
    ck_assert_ok(noise_init(&thief, &config));
    pair_write(&p, 0);
    ck_assert_err(read_empty(&thief, p.messages[0]), ERR_HANDSHAKE);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, both_ends_agree_and_learn_each_other);
    tcase_add_test(tc, every_changed_byte_of_every_message_is_refused);
    tcase_add_test(tc, every_shorter_message_is_refused);
    tcase_add_test(tc, longer_messages_are_refused);
    tcase_add_test(tc, another_prologue_is_refused);
    tcase_add_test(tc, a_responder_with_another_static_is_refused);
    tcase_add_test(tc, a_replayed_first_message_gets_another_answer_and_no_further);
    tcase_add_test(tc, calls_out_of_turn_end_the_handshake);
    tcase_add_test(tc, nothing_secret_is_left_after_the_split_or_a_failure);
    tcase_add_test(tc, a_full_buffer_fails_and_leaves_nothing_in_it);
    tcase_add_test(tc, configurations_that_make_no_sense_are_refused);
    tcase_add_test(tc, a_kem_key_out_of_range_is_refused);
    tcase_add_test(tc, an_ephemeral_of_small_order_is_refused);
    tcase_add_test(tc, with_the_responders_static_nobody_can_pass_for_an_initiator);
    tcase_add_test(tc, with_the_initiators_static_nobody_can_pass_for_a_responder);
}

int main(void)
{
    return unit_main("link.noise", add);
}
