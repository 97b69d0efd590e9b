/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/ack.h"

#include <string.h>

#include "lib/unit.h"

START_TEST(numbers_in_order_need_no_bitmap)
{
    struct ack_set a = {.cum = 0};
    for (uint64_t i = 1; i <= 5000; i++) {
        ck_assert(!ack_has(&a, i));
        ck_assert(ack_add(&a, i));
        ck_assert(ack_has(&a, i));
    }
    ck_assert_uint_eq(a.cum, 5000);
    ck_assert_uint_eq(a.used, 0);
    ck_assert_uint_eq(ack_top(&a), 5000);
}
END_TEST

/* Against a plain table of flags. */
START_TEST(any_order_gives_the_same_set)
{
    enum {
        N = 1500
    };
    static bool have[N + 1];
    struct ack_set a = {.cum = 0};
    for (uint64_t i = 0; i < N; i++) {
        uint64_t seq = i * 677 % N + 1; /* 677 and 1,500 have no common factor */
        ck_assert(ack_add(&a, seq));
        have[seq] = true;
        if (i % 50 == 0 || i + 1 == N) {
            uint64_t missing = 0;
            for (uint64_t k = 1; k <= N; k++) {
                ck_assert(ack_has(&a, k) == have[k]);
                missing += have[k] ? 0 : 1;
            }
            ck_assert_uint_eq(ack_missing(&a, N), missing);
            struct ack_set copy;
            ck_assert(ack_from(&copy, a.cum, ack_bitmap(&a)));
            ck_assert_mem_eq(&copy.bits, &a.bits, sizeof a.bits);
        }
    }
    ck_assert_uint_eq(a.cum, N);
    ck_assert_uint_eq(a.used, 0);
}
END_TEST

START_TEST(the_window_ends_2048_above)
{
    struct ack_set a = {.cum = 10};
    ck_assert(!ack_add(&a, 10 + ACK_WINDOW + 1));
    ck_assert_uint_eq(a.used, 0);
    ck_assert(ack_add(&a, 10 + ACK_WINDOW));
    ck_assert_uint_eq(a.used, LIMIT_ACK_BITMAP);
    ck_assert_uint_eq(ack_top(&a), 10 + ACK_WINDOW);
    ck_assert(!ack_has(&a, 10 + ACK_WINDOW + 1));
    ck_assert(!ack_has(&a, UINT64_MAX));
}
END_TEST

START_TEST(raising_takes_in_what_lies_above)
{
    struct ack_set a = {.cum = 0};
    ck_assert(ack_add(&a, 3) && ack_add(&a, 6) && ack_add(&a, 7));
    ack_raise(&a, 2);
    ck_assert_uint_eq(a.cum, 3);
    ack_raise(&a, 1);
    ck_assert_uint_eq(a.cum, 3);
    ack_raise(&a, 5);
    ck_assert_uint_eq(a.cum, 7);
    ck_assert_uint_eq(a.used, 0);
    ck_assert(ack_add(&a, 20));
    ack_raise(&a, 5000);
    ck_assert_uint_eq(a.cum, 5000);
    ck_assert_uint_eq(a.used, 0);
}
END_TEST

START_TEST(merging_is_union_up_to_the_limit)
{
    struct ack_set a = {.cum = 4};
    struct ack_set b = {.cum = 2};
    ck_assert(ack_add(&a, 8));
    ck_assert(ack_add(&b, 6) && ack_add(&b, 5) && ack_add(&b, 10) && ack_add(&b, 30));
    ack_merge(&a, &b, 20);
    ck_assert_uint_eq(a.cum, 6);
    ck_assert(ack_has(&a, 8) && ack_has(&a, 10) && !ack_has(&a, 7) && !ack_has(&a, 30));
    struct ack_set far = {.cum = 1000};
    ack_merge(&a, &far, 20);
    ck_assert_uint_eq(a.cum, 20);
}
END_TEST

START_TEST(only_the_canonical_form_is_read)
{
    struct ack_set a;
    uint8_t bits[LIMIT_ACK_BITMAP + 1];
    memset(bits, 2, sizeof bits);
    ck_assert(ack_from(&a, 0, slice_of(NULL, 0)));
    ck_assert(ack_from(&a, 0, slice_of(bits, LIMIT_ACK_BITMAP)));
    ck_assert(!ack_from(&a, 0, slice_of(bits, LIMIT_ACK_BITMAP + 1)));
    bits[3] = 0;
    ck_assert(!ack_from(&a, 0, slice_of(bits, 4)));
    bits[0] = 3;
    ck_assert(!ack_from(&a, 0, slice_of(bits, 2)));
    ck_assert(!ack_from(&a, UINT64_MAX, slice_of(NULL, 0)));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, numbers_in_order_need_no_bitmap);
    tcase_add_test(tc, any_order_gives_the_same_set);
    tcase_add_test(tc, the_window_ends_2048_above);
    tcase_add_test(tc, raising_takes_in_what_lies_above);
    tcase_add_test(tc, merging_is_union_up_to_the_limit);
    tcase_add_test(tc, only_the_canonical_form_is_read);
}

int main(void)
{
    return unit_main("pair/ack", add);
}
