/* SPDX-License-Identifier: Apache-2.0 */
#include "node/cards.h"

#include <string.h>

#include "lib/unit.h"

#define NOW (UINT64_C(20000) * LIMIT_DAY_MS)

static struct sign_sk sk;
static uint8_t bytes[CARD_MAX];

/* A relay by number; its secret key is sk then. */
static struct sign_pk relay_of(uint8_t n)
{
    uint8_t seed[32] = {n, 1};
    struct sign_pk pk;
    prim_sign_keypair(&pk, &sk, seed);
    return pk;
}

static struct slice card_of(uint64_t created, uint8_t key_id)
{
    struct card card = {
        .key_id = key_id, .created_ms = created, .until_ms = created + 14 * LIMIT_DAY_MS};
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(card_write(&w, &card, &sk));
    return writer_done(&w);
}

START_TEST(a_card_is_found_until_its_time_is_over)
{
    struct cards cards = {.count = 0};
    struct sign_pk a = relay_of(1);
    ck_assert_ok(cards_put(&cards, &a, card_of(NOW, 3), NOW));
    ck_assert_uint_eq(cards_find(&cards, &a, NOW)->key_id, 3);
    ck_assert_ptr_nonnull(cards_find(&cards, &a, NOW + 14 * LIMIT_DAY_MS - 1));
    ck_assert_ptr_null(cards_find(&cards, &a, NOW + 14 * LIMIT_DAY_MS));
    ck_assert_uint_eq(cards.count, 0);
    cards_fini(&cards);
}
END_TEST

START_TEST(an_older_card_is_refused_also_after_doubt)
{
    struct cards cards = {.count = 0};
    struct sign_pk a = relay_of(1);
    ck_assert_ok(cards_put(&cards, &a, card_of(NOW, 3), NOW));
    ck_assert_err(cards_put(&cards, &a, card_of(NOW - 1, 2), NOW), ERR_STALE);
    ck_assert_uint_eq(cards_find(&cards, &a, NOW)->key_id, 3);
    cards_doubt(&cards, &a);
    ck_assert_ptr_null(cards_find(&cards, &a, NOW));
    ck_assert_err(cards_put(&cards, &a, card_of(NOW - 1, 2), NOW), ERR_STALE);
    ck_assert_ok(cards_put(&cards, &a, card_of(NOW + 1, 4), NOW + 1));
    ck_assert_uint_eq(cards_find(&cards, &a, NOW + 1)->key_id, 4);
    cards_fini(&cards);
}
END_TEST

START_TEST(the_signed_bytes_are_handed_on_while_they_are_fresh)
{
    struct cards cards = {.count = 0};
    struct sign_pk a = relay_of(1);
    struct slice signed_bytes = card_of(NOW, 3);
    ck_assert_ok(cards_put(&cards, &a, signed_bytes, NOW));
    ck_assert(slice_equal(cards_fresh(&cards, &a, NOW + LIMIT_CARD_FRESH_MS - 1), signed_bytes));
    ck_assert_uint_eq(cards_fresh(&cards, &a, NOW + LIMIT_CARD_FRESH_MS).len, 0);
    ck_assert_ptr_nonnull(cards_find(&cards, &a, NOW + LIMIT_CARD_FRESH_MS));
    cards_fini(&cards);
}
END_TEST

START_TEST(the_least_recently_used_goes)
{
    struct cards cards = {.count = 0};
    struct sign_pk first = relay_of(0);
    for (unsigned i = 0; i < 200; i++) {
        struct sign_pk a = relay_of((uint8_t)i);
        ck_assert_ok(cards_put(&cards, &a, card_of(NOW, 3), NOW));
        ck_assert_ptr_nonnull(cards_find(&cards, &first, NOW));
    }
    ck_assert_uint_eq(cards.count, 128);
    struct sign_pk second = relay_of(1);
    ck_assert_ptr_null(cards_find(&cards, &second, NOW));
    cards_fini(&cards);
}
END_TEST

START_TEST(a_card_of_another_relay_is_refused)
{
    struct cards cards = {.count = 0};
    struct sign_pk other = relay_of(2);
    struct sign_pk a = relay_of(1);
    ck_assert_err(cards_put(&cards, &other, card_of(NOW, 3), NOW), ERR_BAD_SIGNATURE);
    ck_assert_ptr_null(cards_find(&cards, &other, NOW));
    ck_assert_ptr_null(cards_find(&cards, &a, NOW));
    cards_fini(&cards);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_card_is_found_until_its_time_is_over);
    tcase_add_test(tc, an_older_card_is_refused_also_after_doubt);
    tcase_add_test(tc, the_signed_bytes_are_handed_on_while_they_are_fresh);
    tcase_add_test(tc, the_least_recently_used_goes);
    tcase_add_test(tc, a_card_of_another_relay_is_refused);
}

int main(void)
{
    return unit_main("node/cards", add);
}
