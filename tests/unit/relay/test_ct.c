/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: tokens, the sealing of records, and requests that carry secrets.
 */
#include <string.h>

#include "lib/ct.h"
#include "relay/record.h"
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

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, token_minted_checked_and_opened);
    tcase_add_test(tc, a_record_sealed_opened_and_refused);
}

int main(void)
{
    return ct_main("relay/ct", add_tests);
}
