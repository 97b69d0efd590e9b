/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: tokens, the sealing of records, and requests that carry secrets.
 */
#include <string.h>

#include "crypto/xwing.h"
#include "lib/ct.h"
#include "relay/card.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/receipt.h"
#include "relay/record.h"
#include "relay/sealed.h"
#include "relay/token.h"

static const uint64_t EPOCH_MS = LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS;

/* Minted from secret keys; the token, and whether it fits, are public afterwards. */
START_TEST(token_minted_checked_and_opened)
{
    struct token_key key = {{1}};
    struct token_siv_key siv = {{2}};
    const struct sign_pk target = {{3}};
    const uint64_t now = 40 * EPOCH_MS;
    struct token token;
    struct token_kept kept = {.there = false};
    uint32_t epoch = 0;
    uint32_t contact = 0;
    uint32_t counter = 0;
    CT_SECRET(key.b, sizeof key.b);
    CT_SECRET(siv.b, sizeof siv.b);
    token_mint(&key, &siv, &target, 11, 12, token_epoch(now), &token);
    CT_PUBLIC(&token, sizeof token);
    ck_assert_ok(token_check(&key, &kept, &target, now, &token, &epoch));
    ck_assert_uint_eq(epoch, token_epoch(now));
    ck_assert(kept.there); /* a secret as k is, for the next check */
    ck_assert_ok(token_check(&key, &kept, &target, now, &token, &epoch));
    ck_assert_ok(token_check(&key, &kept, &target, now + EPOCH_MS, &token, &epoch));
    ck_assert_ok(token_open_nonce(&siv, token.b, &contact, &counter));
    CT_PUBLIC(&contact, sizeof contact);
    CT_PUBLIC(&counter, sizeof counter);
    ck_assert_uint_eq(contact, 11);
    ck_assert_uint_eq(counter, 12);

    token_check_rest(&key, &target, now, &token);
    token_nonce(&siv, 11, 12, token.b);
    CT_PUBLIC(&token, sizeof token);
    token.b[TOKEN - 1] ^= 1;
    ck_assert_err(token_check(&key, &kept, &target, now, &token, &epoch), ERR_BAD_TOKEN);
    token.b[0] ^= 1;
    ck_assert_err(token_open_nonce(&siv, token.b, &contact, &counter), ERR_DECRYPT);
}
END_TEST

START_TEST(a_record_sealed_opened_and_refused)
{
    struct unit_env u;
    struct aead_key key;
    const struct sign_pk id = {{4}};
    const struct sign_pk record = {{5}};
    uint8_t plain[50];
    uint8_t got[50];
    uint8_t sealed[sizeof plain + RECORD_OVERHEAD];
    size_t len = 0;
    unit_env_init(&u, 3, 0);
    record_key(&key, &id, &record);
    CT_SECRET(key.b, sizeof key.b);
    ct_fill(plain, sizeof plain, 1);
    record_seal(sealed, &key, &u.env, 8, slice_of(plain, sizeof plain));
    ck_assert_ok(record_open(got, &len, &key, 8, slice_of(sealed, sizeof sealed)));
    ck_assert_uint_eq(len, sizeof plain);
    CT_PUBLIC(plain, sizeof plain);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(got, plain, sizeof got);
    ck_assert_err(record_open(got, &len, &key, 9, slice_of(sealed, sizeof sealed)), ERR_DECRYPT);
}
END_TEST

static struct sign_sk signer(uint8_t with, struct sign_pk *pk)
{
    uint8_t seed[32];
    struct sign_sk sk;
    ct_fill(seed, sizeof seed, with);
    prim_sign_keypair(pk, &sk, seed);
    return sk;
}

/* Requests that a secret key signs, and those that carry the token key to the relay. */
START_TEST(requests_signed_and_read)
{
    static uint8_t bytes[LIMIT_FRAME];
    const uint8_t hash[RELAY_HASH] = {1};
    struct arena arena;
    struct sign_pk pk[2];
    const struct sign_sk key = signer(1, &pk[0]);
    const struct sign_sk member = signer(2, &pk[1]);
    arena_init(&arena, 1 << 20);
    struct relay_signed open;
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(
        relay_signed_write(&w, &arena, hash, "petrel/1 test", slice_of(NULL, 0), &key, &member));
    ck_assert_ok(relay_signed_open(writer_done(&w), true, &arena, "petrel/1 test", hash, &open));
    const struct relay_signer blinded = {.sk = &key, .blinded = true, .period = 20000};
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(relay_signed_write_by(&w, &arena, hash, "petrel/1 test", slice_of(NULL, 0),
                                       &blinded, &member));
    CT_PUBLIC(bytes, w.len); /* a request is made to be seen */
    ck_assert_ok(relay_signed_open(writer_done(&w), true, &arena, "petrel/1 test", hash, &open));

    struct queue_register q = {.queue = pk[0]};
    ct_fill(q.k.b, sizeof q.k.b, 3);
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(queue_register_write(&w, &arena, hash, &q, &key, &member));
    struct queue_attach attach;
    uint8_t more[512];
    struct writer a = writer_of(more, sizeof more);
    ck_assert_ok(queue_attach_write(&a, &arena, hash, &key));
    ck_assert_ok(queue_attach_read(writer_done(&a), &arena, hash, &attach));

    static struct record_put put;
    struct record_status status;
    put = (struct record_put){.seq = 1, .has_body = true, .body = unit_str("sealed")};
    ct_fill(put.k.b, sizeof put.k.b, 4);
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(record_put_write(&w, &arena, hash, &put, &key, &member));
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(record_status_write(&w, &arena, hash, &key));
    ck_assert_ok(record_status_read(writer_done(&w), &arena, hash, &status));

    struct member_join join = {.has_code = true};
    ct_fill(join.code, sizeof join.code, 5);
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(member_join_write(&w, &arena, hash, &join, &member));
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(member_leave_write(&w, &arena, hash, &member));
    static struct descriptor_put descriptor;
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(descriptor_put_write(&w, &arena, hash, &descriptor, &blinded, &member));
    arena_fini(&arena);
}
END_TEST

START_TEST(what_a_node_signs)
{
    struct sign_pk pk;
    const struct sign_sk node = signer(1, &pk);
    struct arena arena;
    struct card card = {.created_ms = 1000, .until_ms = 2000};
    struct card got;
    uint8_t bytes[CARD_MAX];
    const uint8_t leaves[2][RECEIPT_HASH] = {{1}, {2}};
    struct receipt_tree tree;
    uint8_t sig[PRIM_SIGNATURE];
    arena_init(&arena, 1 << 16);
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(card_write(&w, &card, &node));
    ck_assert_ok(card_open(writer_done(&w), &pk, 1500, &got));
    ck_assert_ok(receipt_tree_make(&tree, &arena, leaves, 2));
    ck_assert_ok(receipt_tree_sign(&tree, 1000, &node, sig));
    arena_fini(&arena);
}
END_TEST

/* A request through another node, and its reply; both changed, too. */
START_TEST(sealed_requests_and_replies)
{
    struct unit_env u;
    struct ct_env c;
    struct arena arena;
    const struct sign_pk relay = {{6}};
    uint8_t seed[32];
    uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES];
    uint8_t text[90];
    uint8_t kind = 0;
    struct sealed_reply_key ours;
    struct sealed_reply_key theirs;
    struct slice sealed;
    struct slice body;
    unit_env_init(&u, 8, 0);
    struct env env = ct_env_of(&c, &u.env);
    arena_init(&arena, 1 << 20);
    ct_fill(seed, sizeof seed, 1);
    ct_fill(text, sizeof text, 2);
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(pk, sk, seed), 0);
    ck_assert_ok(sealed_request_seal(&arena, &env, &relay, 3, pk, 40, slice_of(text, sizeof text),
                                     &sealed, &ours));
    ck_assert_ok(sealed_request_open(&arena, &relay, sk, sealed, &kind, &body, &theirs));
    ck_assert_uint_eq(body.len, sizeof text);
    ck_assert_ok(
        sealed_reply_seal(&arena, &u.env, &theirs, kind, slice_of(text, sizeof text), &sealed));
    ck_assert_ok(sealed_reply_open(&arena, &ours, sealed, &body));
    ours.secret[0] ^= 1;
    ck_assert_err(sealed_reply_open(&arena, &ours, sealed, &body), ERR_DECRYPT);
    arena_fini(&arena);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, token_minted_checked_and_opened);
    tcase_add_test(tc, a_record_sealed_opened_and_refused);
    tcase_add_test(tc, requests_signed_and_read);
    tcase_add_test(tc, what_a_node_signs);
    tcase_add_test(tc, sealed_requests_and_replies);
}

int main(void)
{
    return ct_main("relay/ct", add_tests);
}
