/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/token.h"

#include <string.h>

#include "lib/unit.h"

#define EPOCH_MS (LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS)

static const struct token_key K = {{1}};
static const struct token_siv_key SIV = {{2}};
static const struct sign_pk TARGET = {{3}};

static struct token mint(uint32_t counter, uint32_t epoch)
{
    struct token t;
    token_mint(&K, &SIV, &TARGET, 77, counter, epoch, &t);
    return t;
}

/* With nothing kept. */
static enum err check(const struct token_key *k, const struct sign_pk *target, uint64_t now_ms,
                      const struct token *token, uint32_t *epoch)
{
    struct token_kept kept = {.there = false};
    return token_check(k, &kept, target, now_ms, token, epoch);
}

START_TEST(a_token_opens_the_door_and_names_its_contact)
{
    struct token t = mint(5, 100);
    uint32_t epoch = 0;
    uint32_t contact = 0;
    uint32_t counter = 0;
    ck_assert_ok(check(&K, &TARGET, 100 * EPOCH_MS, &t, &epoch));
    ck_assert_uint_eq(epoch, 100);
    ck_assert_ok(token_open_nonce(&SIV, t.b, &contact, &counter));
    ck_assert_uint_eq(contact, 77);
    ck_assert_uint_eq(counter, 5);
}
END_TEST

START_TEST(the_epoch_and_the_one_before_are_accepted)
{
    struct token t = mint(1, 100);
    uint32_t epoch = 0;
    ck_assert_ok(check(&K, &TARGET, 101 * EPOCH_MS - 1, &t, &epoch));
    ck_assert_ok(check(&K, &TARGET, 102 * EPOCH_MS - 1, &t, &epoch));
    ck_assert_uint_eq(epoch, 100);
    ck_assert_err(check(&K, &TARGET, 102 * EPOCH_MS, &t, &epoch), ERR_BAD_TOKEN);
    ck_assert_err(check(&K, &TARGET, 100 * EPOCH_MS - 1, &t, &epoch), ERR_BAD_TOKEN);
    ck_assert_uint_eq(token_epoch_over(100), 102 * EPOCH_MS);
}
END_TEST

START_TEST(another_target_or_key_refuses_it)
{
    struct token t = mint(1, 100);
    struct sign_pk other_target = {{4}};
    struct token_key other_k = {{9}};
    uint32_t epoch = 42;
    ck_assert_err(check(&K, &other_target, 100 * EPOCH_MS, &t, &epoch), ERR_BAD_TOKEN);
    ck_assert_err(check(&other_k, &TARGET, 100 * EPOCH_MS, &t, &epoch), ERR_BAD_TOKEN);
    ck_assert_uint_eq(epoch, 42);
}
END_TEST

/* Whatever was checked before with the same key, the answer is that of a first check. */
START_TEST(what_is_kept_changes_no_answer)
{
    const struct sign_pk other_target = {{4}};
    struct token_kept kept = {.there = false};
    struct token_kept before;
    unsigned good = 0;
    for (unsigned i = 0; i < 4000; i++) {
        uint32_t epoch[2] = {7, 7};
        uint32_t minted = 100 + i * 7 % 5;
        uint64_t now = (100 + i / 3 % 5) * EPOCH_MS;
        struct token t = mint(i, minted);
        const struct sign_pk *target = i % 4 == 3 ? &other_target : &TARGET;
        t.b[i % TOKEN] ^= (uint8_t)(i % 3 == 2 ? 1 : 0);
        before = kept;
        enum err err = token_check(&K, &kept, target, now, &t, &epoch[0]);
        ck_assert_err(check(&K, target, now, &t, &epoch[1]), err);
        ck_assert_uint_eq(epoch[0], epoch[1]);
        good += err == ERR_OK ? 1 : 0;
        if (err == ERR_OK && epoch[0] == token_epoch(now)) {
            ck_assert(kept.there && kept.epoch == epoch[0]);
        } else { /* only what fits now is kept */
            ck_assert(kept.there == before.there && kept.epoch == before.epoch);
            ck_assert_mem_eq(kept.k_epoch, before.k_epoch, sizeof kept.k_epoch);
        }
    }
    ck_assert_uint_gt(good, 400);
}
END_TEST

/* In the first epoch of all, zeros are the epoch's number. */
START_TEST(zeros_are_no_key)
{
    struct token_kept zeros = {.there = false};
    struct token_kept none = {.there = true};
    struct token t = mint(1, 0);
    uint32_t epoch;
    uint8_t tag[TOKEN_TAG];
    const struct slice parts[2] = {slice_of(TARGET.b, sizeof TARGET.b), slice_of(t.b, TOKEN_NONCE)};
    prim_blake2b(tag, sizeof tag, slice_of(none.k_epoch, sizeof none.k_epoch), "petrel/1 token",
                 parts, 2);
    memcpy(t.b + TOKEN_NONCE, tag, sizeof tag);
    ck_assert_ok(token_check(&K, &none, &TARGET, 0, &t, &epoch)); /* that would be it */
    ck_assert_err(token_check(&K, &zeros, &TARGET, 0, &t, &epoch), ERR_BAD_TOKEN);
}
END_TEST

START_TEST(every_changed_bit_refuses_it)
{
    uint32_t epoch;
    for (unsigned bit = 0; bit < 8 * TOKEN; bit++) {
        struct token t = mint(1, 100);
        t.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_err(check(&K, &TARGET, 100 * EPOCH_MS, &t, &epoch), ERR_BAD_TOKEN);
    }
}
END_TEST

START_TEST(a_nonce_opens_only_with_its_own_key)
{
    struct token t = mint(1, 100);
    struct token_siv_key other = {{8}};
    uint32_t contact = 1;
    uint32_t counter = 2;
    ck_assert_err(token_open_nonce(&other, t.b, &contact, &counter), ERR_DECRYPT);
    for (unsigned bit = 0; bit < 8 * TOKEN_NONCE; bit++) {
        struct token bad = t;
        bad.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_err(token_open_nonce(&SIV, bad.b, &contact, &counter), ERR_DECRYPT);
    }
    ck_assert_uint_eq(contact, 1);
    ck_assert_uint_eq(counter, 2);
}
END_TEST

START_TEST(counters_give_different_nonces)
{
    struct token a = mint(1, 100);
    struct token b = mint(2, 100);
    ck_assert_mem_ne(a.b, b.b, TOKEN_NONCE);
    struct token next = mint(1, 101);
    ck_assert_mem_eq(a.b, next.b, TOKEN_NONCE);
    ck_assert_mem_ne(a.b + TOKEN_NONCE, next.b + TOKEN_NONCE, TOKEN_TAG);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_token_opens_the_door_and_names_its_contact);
    tcase_add_test(tc, the_epoch_and_the_one_before_are_accepted);
    tcase_add_test(tc, another_target_or_key_refuses_it);
    tcase_add_test(tc, what_is_kept_changes_no_answer);
    tcase_add_test(tc, zeros_are_no_key);
    tcase_add_test(tc, every_changed_bit_refuses_it);
    tcase_add_test(tc, a_nonce_opens_only_with_its_own_key);
    tcase_add_test(tc, counters_give_different_nonces);
}

int main(void)
{
    return unit_main("relay/token", add);
}
