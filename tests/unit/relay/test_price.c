/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/price.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "lib/unit.h"
#include "relay/queue.h"

enum {
    GENERAL = LIMIT_STAMP_DEPOSIT_BITS,
    FREE = LIMIT_PRICE_DEPOSIT_FREE,
    DRAINED = LIMIT_ONE_TIME_PARTS,
};

static const uint64_t NOW = UINT64_C(20000) * LIMIT_DAY_MS;
static const uint64_t HALF = LIMIT_PRICE_DEPOSIT_HALF_MS;

static struct unit_env ENV;
static struct price_table T;

static void set_up(void)
{
    unit_env_init(&ENV, 3, NOW);
    price_init(&T, &ENV.env);
}

static void tear_down(void)
{
    price_fini(&T);
}

static struct sign_pk target(unsigned n)
{
    struct sign_pk pk = {{(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)}};
    return pk;
}

static unsigned price(unsigned n, uint64_t at)
{
    struct sign_pk pk = target(n);
    return price_now(&T, PRICE_DEPOSIT, &pk, 0, at);
}

static void add_units(unsigned n, unsigned units, uint64_t at)
{
    struct sign_pk pk = target(n);
    ck_assert_ok(price_add(&T, PRICE_DEPOSIT, &pk, units, at));
}

START_TEST(each_doubling_of_the_load_is_a_bit_up_to_the_cap)
{
    unsigned most = FREE << (LIMIT_STAMP_BITS_MAX - GENERAL);
    for (unsigned load = 0; load < 4 * most; load++) {
        unsigned want = GENERAL;
        for (unsigned at = FREE; load >= at && want < LIMIT_STAMP_BITS_MAX; at *= 2) {
            want++;
        }
        ck_assert_uint_eq(price(1, NOW), want);
        add_units(1, 1, NOW);
    }
    ck_assert_uint_eq(price(1, NOW), LIMIT_STAMP_BITS_MAX);
}
END_TEST

START_TEST(a_large_envelope_counts_like_many_small_ones)
{
    add_units(1, LIMIT_ENVELOPE / LIMIT_PRICE_UNIT, NOW);
    ck_assert_uint_eq(price(1, NOW), GENERAL);
    add_units(1, 1, NOW);
    ck_assert_uint_eq(price(1, NOW), GENERAL + 1);
}
END_TEST

START_TEST(a_load_halves_with_time)
{
    add_units(1, 8 * FREE, NOW);
    ck_assert_uint_eq(price(1, NOW), GENERAL + 4);
    for (unsigned halves = 1; halves <= 4; halves++) {
        ck_assert_uint_eq(price(1, NOW + halves * HALF - HALF / 2), GENERAL + 4 - halves);
        ck_assert_uint_eq(price(1, NOW + halves * HALF), GENERAL + 4 - halves);
    }
    unsigned before = price(1, NOW);
    for (uint64_t at = 0; at < 40 * HALF; at += HALF / 7) {
        ck_assert_uint_le(price(1, NOW + at), before);
        before = price(1, NOW + at);
    }
    ck_assert_uint_eq(before, GENERAL);
    ck_assert_uint_eq(price(1, UINT64_MAX), GENERAL);
}
END_TEST

START_TEST(a_flood_of_any_size_is_forgotten_alike)
{
    add_units(1, 1024, NOW);
    for (unsigned i = 0; i < 100; i++) {
        add_units(2, 10000, NOW);
    }
    ck_assert_uint_eq(price(2, NOW), LIMIT_STAMP_BITS_MAX);
    ck_assert_uint_eq(price(1, NOW + 8 * HALF), GENERAL);
    ck_assert_uint_eq(price(2, NOW + 8 * HALF), GENERAL);
}
END_TEST

START_TEST(a_clock_that_goes_back_neither_lowers_nor_keeps_a_price_for_good)
{
    add_units(1, FREE, NOW);
    ck_assert_uint_eq(price(1, NOW - LIMIT_DAY_MS), GENERAL + 1);
    add_units(1, FREE, NOW - LIMIT_DAY_MS);
    ck_assert_uint_eq(price(1, NOW - LIMIT_DAY_MS), GENERAL + 2);
    ck_assert_uint_eq(price(1, NOW - LIMIT_DAY_MS + 2 * HALF), GENERAL);
}
END_TEST

START_TEST(targets_and_kinds_do_not_touch_each_other)
{
    struct sign_pk one = target(1);
    add_units(1, 1024, NOW);
    for (unsigned i = 2; i < 5000; i++) {
        ck_assert_uint_eq(price(i, NOW), GENERAL);
    }
    ck_assert_uint_eq(price_now(&T, PRICE_POP, &one, 0, NOW), LIMIT_STAMP_POP_BITS);
    ck_assert_ok(price_add(&T, PRICE_POP, &one, LIMIT_PRICE_POP_FREE, NOW));
    ck_assert_uint_eq(price_now(&T, PRICE_POP, &one, 0, NOW), LIMIT_STAMP_POP_BITS + 1);
    ck_assert_uint_eq(price(1, NOW), LIMIT_STAMP_BITS_MAX);
}
END_TEST

START_TEST(memory_is_bounded_and_the_largest_loads_stay)
{
    enum {
        LARGE = 64
    };
    for (unsigned i = 0; i < LARGE; i++) {
        add_units(i, 4 * FREE, NOW);
    }
    for (unsigned i = 0; i < 6 * LIMIT_PRICE_TARGETS; i++) {
        add_units(LARGE + i, 1, NOW + i);
    }
    for (unsigned i = 0; i < LARGE; i++) {
        ck_assert_uint_eq(price(i, NOW), GENERAL + 3);
    }
}
END_TEST

START_TEST(what_is_told_is_enough_after_one_more_rise)
{
    for (unsigned p = 0; p <= LIMIT_STAMP_BITS_MAX; p++) {
        ck_assert_uint_le(price_told(p), LIMIT_STAMP_BITS_MAX);
        ck_assert(price_told(p) > p || p == LIMIT_STAMP_BITS_MAX);
    }
    for (unsigned load = FREE; load < 2048; load++) {
        struct price_table t;
        struct sign_pk pk = target(1);
        price_init(&t, &ENV.env);
        ck_assert_ok(price_add(&t, PRICE_DEPOSIT, &pk, load, NOW));
        unsigned told = price_told(price_now(&t, PRICE_DEPOSIT, &pk, 0, NOW));
        ck_assert_ok(price_add(&t, PRICE_DEPOSIT, &pk, load, NOW)); /* as many again meanwhile */
        ck_assert_uint_le(price_now(&t, PRICE_DEPOSIT, &pk, 0, NOW), told);
        price_fini(&t);
    }
}
END_TEST

START_TEST(scarcity_counts_how_often_what_is_left_has_halved)
{
    static const struct {
        uint64_t left;
        unsigned bits;
    } of_64[] = {{64, 0}, {32, 0}, {31, 1}, {16, 1}, {15, 2}, {8, 2},
                 {7, 3},  {4, 3},  {3, 4},  {1, 4},  {0, 4}};
    for (size_t i = 0; i < sizeof of_64 / sizeof of_64[0]; i++) {
        ck_assert_uint_eq(price_scarcity(of_64[i].left, 64), of_64[i].bits);
    }
    ck_assert_uint_eq(price_scarcity(UINT64_MAX, UINT64_MAX), 0);
    ck_assert_uint_eq(price_scarcity(1, 1), 0); /* of one, one is left */
    struct sign_pk pk = target(1);
    ck_assert_uint_eq(price_now(&T, PRICE_POP, &pk, 30, NOW), LIMIT_STAMP_BITS_MAX);
}
END_TEST

/* --- what an attacker pays, in hashes, and what it was at the general price --- */

/* n envelopes of this class, spread evenly over so much time; the reader is away. */
static double fill(unsigned envelope_class, unsigned n, uint64_t over_ms)
{
    struct sign_pk pk = target(1);
    size_t size = queue_envelope_size(envelope_class);
    unsigned units = (unsigned)((size + LIMIT_PRICE_UNIT - 1) / LIMIT_PRICE_UNIT);
    double hashes = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = NOW + over_ms / n * i;
        hashes += exp2(price_now(&T, PRICE_DEPOSIT, &pk, price_scarcity(n - i, n), at));
        ck_assert_ok(price_add(&T, PRICE_DEPOSIT, &pk, units, at));
    }
    return hashes / (n * exp2(GENERAL));
}

static double drain(uint64_t over_ms)
{
    struct sign_pk pk = target(1);
    double hashes = 0;
    for (unsigned i = 0; i < DRAINED; i++) {
        uint64_t at = NOW + over_ms / DRAINED * i;
        unsigned scarcity = price_scarcity(DRAINED - i, DRAINED);
        hashes += exp2(price_now(&T, PRICE_POP, &pk, scarcity, at));
        ck_assert_ok(price_add(&T, PRICE_POP, &pk, 1, at));
    }
    return hashes / (DRAINED * exp2(LIMIT_STAMP_POP_BITS));
}

START_TEST(to_fill_a_queue_or_to_drain_a_record_is_dear_also_when_it_is_done_slowly)
{
    static const uint64_t times[] = {LIMIT_HOUR_MS, LIMIT_DAY_MS, 7 * LIMIT_DAY_MS,
                                     30 * LIMIT_DAY_MS};
    unsigned by_size = (unsigned)(((uint64_t)LIMIT_QUEUE_MIB << 20) / LIMIT_ENVELOPE);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        double small = fill(0, LIMIT_QUEUE_ENVELOPES, times[i]);
        tear_down();
        set_up();
        double large = fill(3, by_size, times[i]);
        tear_down();
        set_up();
        double parts = drain(times[i]);
        tear_down();
        set_up();
        printf("over %3u hours: a queue of 1 KiB envelopes %.0f times, of 60 KiB %.0f times, a "
               "record's parts %.0f times the general price\n",
               (unsigned)(times[i] / LIMIT_HOUR_MS), small, large, parts);
        ck_assert(small > 30);
        ck_assert(large > 30);
        ck_assert(i == 3 || parts > 20);
        ck_assert(parts > 5);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, each_doubling_of_the_load_is_a_bit_up_to_the_cap);
    tcase_add_test(tc, a_large_envelope_counts_like_many_small_ones);
    tcase_add_test(tc, a_load_halves_with_time);
    tcase_add_test(tc, a_flood_of_any_size_is_forgotten_alike);
    tcase_add_test(tc, a_clock_that_goes_back_neither_lowers_nor_keeps_a_price_for_good);
    tcase_add_test(tc, targets_and_kinds_do_not_touch_each_other);
    tcase_add_test(tc, memory_is_bounded_and_the_largest_loads_stay);
    tcase_add_test(tc, what_is_told_is_enough_after_one_more_rise);
    tcase_add_test(tc, scarcity_counts_how_often_what_is_left_has_halved);
    tcase_add_test(tc, to_fill_a_queue_or_to_drain_a_record_is_dear_also_when_it_is_done_slowly);
}

int main(void)
{
    return unit_main("relay/price", add);
}
