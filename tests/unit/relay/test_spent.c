/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/spent.h"

#include <string.h>

#include "lib/unit.h"

static void nonce_of(uint8_t out[static TOKEN_NONCE], uint64_t n)
{
    memset(out, 0, TOKEN_NONCE);
    memcpy(out, &n, sizeof n);
}

START_TEST(what_was_added_is_found_and_nothing_else)
{
    struct spent_set set = {0};
    uint8_t nonce[TOKEN_NONCE];
    for (uint64_t i = 1; i <= 10000; i++) {
        nonce_of(nonce, i * 3);
        ck_assert_ok(spent_add(&set, 99, nonce, i));
    }
    ck_assert_uint_eq(set.used, 10000);
    ck_assert_uint_le(set.cap, 16384);
    for (uint64_t i = 1; i <= 30000; i++) {
        size_t at = SIZE_MAX;
        nonce_of(nonce, i);
        ck_assert_uint_eq(spent_next(&set, 99, nonce, &at), i % 3 == 0 ? i / 3 : 0);
    }
    spent_fini(&set);
}
END_TEST

START_TEST(equal_marks_are_all_walked)
{
    struct spent_set set = {0};
    uint8_t nonce[TOKEN_NONCE];
    uint64_t sum = 0;
    nonce_of(nonce, 7);
    for (uint64_t i = 1; i <= 40; i++) {
        nonce[15] = (uint8_t)i; /* behind the mark */
        ck_assert_ok(spent_add(&set, 1, nonce, i));
    }
    size_t at = SIZE_MAX;
    for (uint64_t a = spent_next(&set, 1, nonce, &at); a != 0;
         a = spent_next(&set, 1, nonce, &at)) {
        sum += a;
    }
    ck_assert_uint_eq(sum, 820);
    spent_fini(&set);
}
END_TEST

START_TEST(an_empty_set_has_no_memory)
{
    struct spent_set set = {0};
    uint8_t nonce[TOKEN_NONCE] = {0};
    size_t at = SIZE_MAX;
    ck_assert_uint_eq(spent_next(&set, 0, nonce, &at), 0);
    ck_assert_ok(spent_add(&set, 0, nonce, 1));
    spent_fini(&set);
    ck_assert_ptr_null(set.slots);
    at = SIZE_MAX;
    ck_assert_uint_eq(spent_next(&set, 0, nonce, &at), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_was_added_is_found_and_nothing_else);
    tcase_add_test(tc, equal_marks_are_all_walked);
    tcase_add_test(tc, an_empty_set_has_no_memory);
}

int main(void)
{
    return unit_main("relay/spent", add);
}
