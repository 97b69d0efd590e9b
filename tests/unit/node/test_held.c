/* SPDX-License-Identifier: Apache-2.0
 *
 * held: a set of counters as few ranges, against a plain array of bits.
 */
#include "node/held.h"

#include <string.h>

#include "base/buf.h"
#include "lib/unit.h"

enum {
    COUNTERS = 4000,
    MEMORY = 64 * 1024 * 1024,
};

static struct arena arena;
static struct slice held;

static void setup(void)
{
    arena_init(&arena, MEMORY);
    held = slice_of(NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

/* The set as a walk gives it must be just that of the bits. */
static void same(const bool *in)
{
    uint32_t at = 0;
    ck_assert(held_valid(held));
    for (uint32_t c = 1; c < COUNTERS; c++) {
        if (in[c]) {
            ck_assert(held_next(held, at, &at));
            ck_assert_uint_eq(at, c);
        }
    }
    ck_assert(!held_next(held, at, &at));
}

START_TEST(what_came_back_is_out_of_the_set_in_whatever_order)
{
    static bool in[COUNTERS];
    struct unit_env env;
    uint32_t last = 0;
    uint32_t past = 0;
    unsigned most = 0;
    unit_env_init(&env, 3, 0);
    memset(in, 0, sizeof in);
    while (last + 64 < COUNTERS) {
        uint8_t r[4];
        env_random(&env.env, r, sizeof r);
        uint32_t n = 1 + r[0] % 64U;
        ck_assert_ok(held_add(&arena, &held, last + 1, last + n));
        for (uint32_t i = 1; i <= n; i++) {
            in[last + i] = true;
        }
        last += n + (r[1] % 8 == 0); /* now and then one that is no token */
        for (unsigned i = 0; i < 2U * (r[2] % 32U); i++) {
            env_random(&env.env, r, sizeof r);
            uint32_t c = last - r[3] % (last < 250 ? last : 250U);
            if (held.len < HELD_MAX) {
                ck_assert_ok(held_take(&arena, &held, c));
                in[c] = false;
            }
        }
        if (r[1] % 16 == 1 && last > 1000) {
            past = last - 1000;
            ck_assert_ok(held_drop(&arena, &held, past));
            memset(in, 0, past + 1);
        }
        same(in);
        most = held.len / HELD_RANGE > most ? (unsigned)(held.len / HELD_RANGE) : most;
    }
    ck_assert_uint_gt(most, 50);
    ck_assert_uint_gt(past, 0);
    ck_assert_ok(held_drop(&arena, &held, COUNTERS));
    ck_assert_uint_eq(held.len, 0);
}
END_TEST

START_TEST(when_there_are_too_many_ranges_the_set_is_too_large_and_never_too_small)
{
    uint32_t next;
    ck_assert_ok(held_add(&arena, &held, 1, 2000));
    for (uint32_t c = 2; c < 2000; c += 2) {
        ck_assert_ok(held_take(&arena, &held, c));
        ck_assert_uint_le(held.len, HELD_MAX);
    }
    ck_assert(held_valid(held));
    ck_assert_uint_eq(held.len, HELD_MAX);
    for (uint32_t c = 1; c < 2000; c += 2) {
        ck_assert(held_next(held, c - 1, &next));
        ck_assert_uint_eq(next, c);
    }
    ck_assert_ok(held_add(&arena, &held, 3000, 3000));
    ck_assert_uint_eq(held.len, HELD_MAX);
    ck_assert(held_next(held, 2000, &next));
    ck_assert_uint_le(next, 3000);
    ck_assert_uint_eq(held_end(held, 3000), 3000);
    /* What takes no room is taken out all the same. */
    ck_assert_ok(held_take(&arena, &held, 3000));
    ck_assert(!held_next(held, 2999, &next));
}
END_TEST

START_TEST(what_is_not_there_changes_nothing)
{
    ck_assert_ok(held_take(&arena, &held, 5));
    ck_assert_ok(held_drop(&arena, &held, 5));
    ck_assert_uint_eq(held.len, 0);
    ck_assert_ok(held_add(&arena, &held, 10, 20));
    struct slice before = held;
    ck_assert_ok(held_take(&arena, &held, 9));
    ck_assert_ok(held_take(&arena, &held, 21));
    ck_assert_ok(held_drop(&arena, &held, 9));
    ck_assert(slice_equal(before, held));
}
END_TEST

static struct slice ranges(const uint32_t *n, size_t count)
{
    static uint8_t bytes[HELD_MAX + HELD_RANGE];
    struct writer w = writer_of(bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        writer_u32(&w, n[i]);
    }
    return writer_done(&w);
}

START_TEST(a_damaged_set_is_seen)
{
    const uint32_t good[] = {1, 1, 3, 3, 5, UINT32_MAX};
    const uint32_t bad[][4] = {{0, 1, 5, 6},  {2, 1, 5, 6}, {1, 2, 3, 4},
                               {5, 9, 9, 12}, {5, 9, 2, 3}, {1, 2, 9, 8}};
    ck_assert(held_valid(ranges(good, 6)));
    ck_assert(held_valid(ranges(good, 0)));
    ck_assert(!held_valid(slice_of(ranges(good, 6).p, 23)));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!held_valid(ranges(bad[i], 4)), "case %zu", i);
    }
    const uint32_t behind_the_last[] = {1, UINT32_MAX, 5, 6};
    ck_assert(!held_valid(ranges(behind_the_last, 4)));
    uint32_t many[2 * LIMIT_HELD_RANGES + 2];
    for (uint32_t i = 0; i < LIMIT_HELD_RANGES + 1; i++) {
        many[2 * i] = many[2 * i + 1] = 2 * i + 1;
    }
    ck_assert(held_valid(ranges(many, 2 * LIMIT_HELD_RANGES)));
    ck_assert(!held_valid(ranges(many, 2 * LIMIT_HELD_RANGES + 2)));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_came_back_is_out_of_the_set_in_whatever_order);
    tcase_add_test(tc, when_there_are_too_many_ranges_the_set_is_too_large_and_never_too_small);
    tcase_add_test(tc, what_is_not_there_changes_nothing);
    tcase_add_test(tc, a_damaged_set_is_seen);
}

int main(void)
{
    return unit_main("node/held", add_tests);
}
