/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: PQXDH, both ratchets, headers, prekeys, and whole sessions.
 */
#include <string.h>

#include "crypto/mlkem768.h"
#include "lib/ct.h"
#include "lib/pair.h"
#include "pair/envelope.h"
#include "pair/header.h"
#include "pair/kem_ratchet.h"
#include "pair/pqxdh.h"
#include "pair/ratchet.h"

static struct unit_env u;
static struct ct_env c;
static struct env env;
static struct arena arena;

static void setup(void)
{
    unit_env_init(&u, 4, PAIR_NOW);
    env = ct_env_of(&c, &u.env);
    arena_init(&arena, (size_t)16 * 1024 * 1024);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static void public_and_equal(void *x, void *y, size_t len)
{
    CT_PUBLIC(x, len);
    CT_PUBLIC(y, len);
    ck_assert_mem_eq(x, y, len);
}

START_TEST(a_header_sealed_opened_and_of_another_chain)
{
    struct aead_key key;
    struct aead_key other;
    struct header header = {.dh = {{1}}, .pn = 2, .n = 3, .kem_epoch = 4};
    struct header got;
    uint8_t sealed[HEADER_SEALED];
    const uint8_t nonce[PRIM_AEAD_NONCE] = {5};
    ct_fill(key.b, sizeof key.b, 1);
    ct_fill(other.b, sizeof other.b, 2);
    CT_SECRET(&header, sizeof header); /* which message of which chain it is, is hidden */
    header_seal(sealed, &key, nonce, unit_str("t"), &header);
    ck_assert_err(header_open(&got, &other, nonce, unit_str("t"), sealed), ERR_DECRYPT);
    ck_assert_ok(header_open(&got, &key, nonce, unit_str("t"), sealed));
    ck_assert_uint_eq(got.n, 3);
}
END_TEST

START_TEST(a_chain_step_and_the_keys_of_a_message)
{
    struct ratchet_key chain;
    struct ratchet_key message;
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    const uint8_t sent[PRIM_AEAD_NONCE] = {6};
    ct_fill(chain.b, sizeof chain.b, 1);
    ratchet_chain_step(&chain, &message);
    ratchet_message_keys(&message, sent, &key, nonce);
}
END_TEST

/* From an SK to a turn of each side: steps without and with a KEM secret, skipped keys, past
 * chains, and a header that is nobody's; saved and loaded in between. */
START_TEST(root_steps_with_and_without_a_kem_secret)
{
    struct ratchet a;
    struct ratchet b;
    struct dh_sk spk;
    struct dh_pk spk_pk;
    struct skipped skipped;
    struct ratchet_opened opened;
    struct header header;
    struct ratchet_key message;
    struct ratchet_key late = {{0}};
    uint8_t sk[RATCHET_SK];
    uint8_t secret[KEM_SECRET];
    uint8_t saved[RATCHET_SAVED];
    uint8_t sealed[HEADER_SEALED];
    uint8_t sealed_late[HEADER_SEALED];
    const uint8_t nonce[PRIM_AEAD_NONCE] = {7};
    const struct slice ad = unit_str("t");
    setup();
    skipped_init(&skipped);
    ct_fill(sk, sizeof sk, 1);
    ct_fill(spk.b, sizeof spk.b, 2);
    ct_fill(secret, sizeof secret, 3);
    prim_dh_public(&spk_pk, &spk);
    ratchet_start_initiator(&a, sk, &spk_pk);
    ratchet_start_responder(&b, sk, &spk);
    for (unsigned turn = 0; turn < 6; turn++) {
        struct ratchet *from = turn % 2 == 0 ? &a : &b;
        struct ratchet *to = turn % 2 == 0 ? &b : &a;
        struct kem_mix mix = {.epoch = turn == 3 ? 1 : 0, .secret = secret};
        ck_assert_ok(ratchet_send(from, &env, &mix, &header, &late));
        header_seal(sealed_late, &from->send_head, nonce, ad, &header);
        ck_assert_ok(ratchet_send(from, &env, &mix, &header, &message));
        header_seal(sealed, &from->send_head, nonce, ad, &header);
        struct writer w = writer_of(saved, sizeof saved);
        ratchet_save(to, &w);
        struct reader r = reader_of(writer_done(&w));
        ratchet_load(to, &r);
        ck_assert_ok(reader_end(&r));
        sealed[0] ^= 1;
        ck_assert_err(ratchet_open(to, &skipped, &env, &mix, &arena, ad, nonce, sealed, &opened),
                      ERR_DECRYPT);
        sealed[0] ^= 1;
        ck_assert_ok(ratchet_open(to, &skipped, &env, &mix, &arena, ad, nonce, sealed, &opened));
        public_and_equal(opened.message.b, message.b, sizeof message.b);
        ck_assert_ok(ratchet_commit(to, &skipped, &env, &opened));
        ratchet_opened_wipe(&opened);
        ck_assert_ok(
            ratchet_open(to, &skipped, &env, &mix, &arena, ad, nonce, sealed_late, &opened));
        ck_assert(opened.from_store);
        public_and_equal(opened.message.b, late.b, sizeof late.b);
        ratchet_opened_wipe(&opened);
        skipped_fini(&skipped); /* one side's keys only */
        skipped_init(&skipped);
    }
    ck_assert_uint_eq(a.kem, 1);
    skipped_fini(&skipped);
    teardown();
}
END_TEST

START_TEST(skipped_keys_kept_and_found)
{
    struct skipped s;
    struct skipped again;
    struct skipped_chain chain = {.serial = 1, .end = 9};
    struct skipped_key keys[2] = {{.chain = 1, .n = 3}, {.chain = 1, .n = 4}};
    uint8_t saved[512];
    keys[0].hour = keys[1].hour = skipped_hour(PAIR_NOW);
    ct_fill(chain.header.b, sizeof chain.header.b, 1);
    ct_fill(keys[0].key, sizeof keys[0].key, 2);
    ct_fill(keys[1].key, sizeof keys[1].key, 3);
    skipped_init(&s);
    skipped_init(&again);
    ck_assert_ok(skipped_reserve(&s, 2));
    skipped_add(&s, keys, 2);
    skipped_close_chain(&s, &chain);
    struct writer w = writer_of(saved, sizeof saved);
    skipped_save(&s, &w);
    ck_assert_uint_eq(w.len, skipped_saved_size(&s));
    struct reader r = reader_of(writer_done(&w));
    ck_assert_ok(skipped_load(&again, &r, 2));
    ck_assert_ptr_nonnull(skipped_find(&again, 1, 4, PAIR_NOW));
    skipped_remove(&again, 1, 4);
    ck_assert_ptr_null(skipped_find(&again, 1, 4, PAIR_NOW));
    ck_assert(skipped_expire(&again, PAIR_NOW + 2 * LIMIT_SKIPPED_DAYS * LIMIT_DAY_MS));
    skipped_fini(&again);
    skipped_fini(&s);
}
END_TEST

/* An offer, the answer, and what both sides mix in; saved and loaded in between. */
START_TEST(a_kem_exchange_offered_answered_and_taken)
{
    struct kem_ratchet a;
    struct kem_ratchet b;
    struct kem_part offer;
    struct kem_part answer;
    uint8_t saved[KEM_SAVED_MAX];
    bool news = false;
    setup();
    kem_ratchet_init(&a, true, PAIR_NOW);
    kem_ratchet_init(&b, false, PAIR_NOW);
    ck_assert_uint_gt(kem_ratchet_room(&b, 0, true, PAIR_NOW), 0);
    ck_assert_ok(kem_ratchet_speak(&b, 0, true, &env, &arena, &offer, &answer)); /* its turn */
    ck_assert_uint_eq(offer.epoch, 1);
    kem_ratchet_spoke(&b, true, true);
    struct writer w = writer_of(saved, sizeof saved);
    kem_ratchet_save(&b, &w);
    struct reader r = reader_of(writer_done(&w));
    kem_ratchet_load(&b, false, &r);
    ck_assert_ok(reader_end(&r));
    ck_assert_ok(kem_ratchet_take(&a, 0, &env, &offer, &answer, true, &news));
    ck_assert(news);
    ck_assert_ok(kem_ratchet_speak(&a, 0, true, &env, &arena, &offer, &answer));
    ck_assert_uint_eq(answer.epoch, 1);
    ck_assert_ok(kem_ratchet_take(&b, 0, &env, &offer, &answer, true, &news));
    struct kem_mix ours = kem_ratchet_ours(&b, 0);
    struct kem_mix theirs = kem_ratchet_theirs(&a, 0);
    ck_assert_uint_eq(ours.epoch, 1);
    ck_assert_uint_eq(theirs.epoch, 1);
    CT_PUBLIC(ours.secret, KEM_SECRET);
    CT_PUBLIC(theirs.secret, KEM_SECRET);
    ck_assert_mem_eq(ours.secret, theirs.secret, KEM_SECRET);
    kem_ratchet_stepped(&a, PAIR_NOW);
    kem_ratchet_wipe(&b);
    teardown();
}
END_TEST

START_TEST(prekey_secrets_made_written_and_read)
{
    struct prekey_secret secret;
    struct prekey_secret got;
    struct prekey_keys keys;
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32];
    uint8_t bytes[PREKEY_SECRET];
    uint8_t part[PREKEY_PART];
    setup();
    ct_fill(seed, sizeof seed, 1);
    prim_sign_keypair(&pk, &sk, seed);
    for (uint8_t kind = PREKEY_SIGNED; kind <= PREKEY_ONE_TIME; kind++) {
        struct writer w = writer_of(part, sizeof part);
        prekey_generate(&secret, kind, 7, &env);
        prekey_secret_encode(&secret, bytes);
        ck_assert_ok(prekey_secret_decode(slice_of(bytes, sizeof bytes), &got));
        ck_assert_ok(prekey_write(&w, &got, &sk));
        prekey_keys_init(&keys, &secret, kind == PREKEY_ONE_TIME ? &got : NULL);
        prekey_keys_wipe(&keys);
        public_and_equal(&got.dh, &secret.dh, sizeof got.dh);
        public_and_equal(got.kem_seed, secret.kem_seed, sizeof got.kem_seed);
        CT_SECRET(bytes + 14, sizeof bytes - 14);
        bytes[1] = 9; /* no kind */
        ck_assert_err(prekey_secret_decode(slice_of(bytes, sizeof bytes), &got), ERR_CORRUPT);
    }
    teardown();
}
END_TEST

/* A party whose secrets are secret: those that it was made with, and those that it will draw. */
static struct pair_party party[2];
static struct ct_env party_env[2];

static void party_init(unsigned i)
{
    struct pair_party *p = &party[i];
    pair_party_init(p, i + 1);
    party_env[i].from = p->env.env;
    CT_SECRET(p->dh_sk.b, sizeof p->dh_sk.b);
    CT_SECRET(p->sign_sk.b, 32); /* the other half is the public key */
    CT_SECRET(p->spk.dh.b, sizeof p->spk.dh.b);
    CT_SECRET(p->spk.kem_seed, sizeof p->spk.kem_seed);
    CT_SECRET(p->otk.dh.b, sizeof p->otk.dh.b);
    CT_SECRET(p->otk.kem_seed, sizeof p->otk.kem_seed);
    p->env.env.random = ct_random;
    p->env.env.random_ctx = &party_env[i];
}

static void party_fini(void)
{
    pair_party_fini(&party[0]);
    pair_party_fini(&party[1]);
}

/* With a one-time part and an invitation, and without. */
START_TEST(pqxdh_at_both_ends)
{
    bool with = _i == 1;
    struct pair_bundle bundle;
    struct pqxdh_message message;
    struct pqxdh_shared a;
    struct pqxdh_shared b;
    struct prekey_keys keys;
    struct aead_key key[2];
    uint8_t nonce[2][PRIM_AEAD_NONCE];
    uint8_t invite[INVITE_SECRET];
    uint8_t t[SESSION_T];
    uint8_t sk[2][32];
    party_init(0);
    party_init(1);
    ct_fill(invite, sizeof invite, 1);
    pair_party_bundle(&party[1], with, &bundle);
    struct pair_self self[2] = {pair_party_self(&party[0]), pair_party_self(&party[1])};
    struct pair_peer peer = pair_party_peer(&party[1]);
    ck_assert_ok(pqxdh_initiate(&party[0].env.env, &self[0], &peer, &bundle, &message, &a));
    prekey_keys_init(&keys, &party[1].spk, with ? &party[1].otk : NULL);
    ck_assert_ok(
        pqxdh_respond(&self[1], &party[0].dh, &keys.prekeys, &message.ek, message.kem_ct, &b));
    struct pqxdh_transcript transcript = {.id_a = party[0].id,
                                          .id_b = party[1].id,
                                          .spk = bundle.spk,
                                          .one_time = with,
                                          .otk = bundle.otk,
                                          .ek = message.ek,
                                          .kem_ct = slice_of(message.kem_ct, SESSION_KEM_CT),
                                          .invite = with ? invite : NULL};
    static uint8_t first[ENVELOPE_PREFIX + ENVELOPE_TAIL];
    uint8_t invite_id[INVITE_ID];
    struct envelope_intro intro = {.id = party[0].id, .invite = with ? invite : NULL};
    struct session_intro got;
    pqxdh_invite_id(invite, invite_id);
    size_t len = envelope_first_write(first, &a, &message, &bundle, &intro);
    struct envelope e = {.before = slice_of(first, ENVELOPE_FIRST_FIXED),
                         .intro =
                             slice_of(first + ENVELOPE_FIRST_FIXED, len - ENVELOPE_FIRST_FIXED)};
    ck_assert_ok(envelope_intro_open(&e, &b, &party[1].arena, &got));
    ck_assert(got.has_invite == with);
    pqxdh_transcript(&transcript, t);
    pqxdh_sk(&a, t, sk[0]);
    pqxdh_sk(&b, t, sk[1]);
    pqxdh_intro_key(&a, &key[0], nonce[0]);
    pqxdh_intro_key(&b, &key[1], nonce[1]);
    public_and_equal(sk[0], sk[1], sizeof sk[0]);
    public_and_equal(&key[0], &key[1], sizeof key[0]);
    prekey_keys_wipe(&keys);
    pqxdh_wipe(&a);
    pqxdh_wipe(&b);
    party_fini();
}
END_TEST

/* The agreement, both kinds of envelope, a KEM step, messages out of order, a body that was
 * changed, and a saved session. What is said is a secret until it is opened. */
START_TEST(a_session_from_its_beginning_to_a_kem_step)
{
    struct pair_party *a = &party[0];
    struct pair_party *b = &party[1];
    struct session_in in;
    uint8_t invite[INVITE_SECRET];
    uint8_t text[100];
    party_init(0);
    party_init(1);
    ct_fill(invite, sizeof invite, 1);
    ct_fill(text, sizeof text, 2);
    struct slice content = slice_of(text, sizeof text);
    pair_initiate(a, b, true, invite);
    struct slice first = pair_seal_slice(a, content);
    struct session_intro intro;
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(b);
    prekey_keys_init(&keys, &b->spk, &b->otk);
    ck_assert_ok(session_first_open(&b->arena, &self, &keys.prekeys, first, &intro));
    prekey_keys_wipe(&keys);
    ck_assert(intro.has_invite);
    ck_assert_ok(pair_accept(b, a, invite, first));
    ck_assert_ok(pair_open(b, first, &in));
    ck_assert_ok(pair_open(a, pair_seal_slice(b, content), &in));
    pair_kem_step(a, b);
    ck_assert_uint_eq(session_kem_epoch(a->session), 1);
    struct slice late = pair_seal_slice(a, content);
    ck_assert_ok(pair_open(b, pair_seal_slice(a, content), &in));
    uint8_t *changed = pair_copy(late);
    changed[late.len - 1] ^= 1;
    ck_assert_err(pair_open(b, slice_of(changed, late.len), &in), ERR_DECRYPT);
    pair_slice_free(slice_of(changed, late.len));
    struct slice saved = pair_saved(b->session);
    ck_assert_ok(session_load(b->session, saved));
    pair_slice_free(saved);
    ck_assert_ok(pair_open(b, late, &in));
    ck_assert_err(pair_open(b, late, &in), ERR_REPLAY);
    CT_PUBLIC(text, sizeof text);
    ck_assert(slice_equal(in.content, content));
    (void)session_expire(b->session, PAIR_NOW);
    party_fini();
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_header_sealed_opened_and_of_another_chain);
    tcase_add_test(tc, a_chain_step_and_the_keys_of_a_message);
    tcase_add_test(tc, root_steps_with_and_without_a_kem_secret);
    tcase_add_test(tc, skipped_keys_kept_and_found);
    tcase_add_test(tc, a_kem_exchange_offered_answered_and_taken);
    tcase_add_test(tc, prekey_secrets_made_written_and_read);
    tcase_add_loop_test(tc, pqxdh_at_both_ends, 0, 2);
    tcase_add_test(tc, a_session_from_its_beginning_to_a_kem_step);
}

int main(void)
{
    return ct_main("pair/ct", add_tests);
}
