/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: memory of one turn: limits, wiping, and going back to a mark.
 */
#include <string.h>

#include "base/arena.h"
#include "lib/unit.h"

enum {
    MIB = 1024 * 1024,
};

START_TEST(memory_is_zeroed_and_aligned)
{
    struct arena a;
    arena_init(&a, MIB);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t *p = arena_alloc(&a, 1 + i);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
        for (unsigned b = 0; b <= i; b++) {
            ck_assert_uint_eq(p[b], 0);
        }
        memset(p, 0xff, 1 + i);
    }
    arena_reset(&a);
    uint8_t *again = arena_alloc(&a, 4096);
    ck_assert_uint_eq(again[0] | again[4095], 0);
    arena_fini(&a);
    ck_assert_uint_eq(a.total, 0);
}
END_TEST

START_TEST(the_limit_holds_and_nothing_overflows)
{
    struct arena a;
    arena_init(&a, MIB);
    ck_assert_ptr_null(arena_alloc(&a, MIB + 1));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_nonnull(arena_alloc(&a, MIB));
    ck_assert_ptr_null(arena_alloc(&a, 1));
    arena_reset(&a);
    ck_assert_ptr_nonnull(arena_alloc(&a, 1));
    arena_fini(&a);
}
END_TEST

START_TEST(a_loop_that_rewinds_needs_the_memory_of_one_round)
{
    struct arena a;
    arena_init(&a, MIB);
    uint8_t *kept = arena_alloc(&a, 1000);
    memset(kept, 7, 1000);
    for (unsigned i = 0; i < 100; i++) {
        struct arena_mark mark = arena_mark(&a);
        ck_assert_ptr_nonnull(arena_alloc(&a, 100));
        ck_assert_ptr_nonnull(arena_alloc(&a, 300000));
        ck_assert_ptr_nonnull(arena_alloc(&a, 300000));
        arena_rewind(&a, mark);
    }
    ck_assert_uint_le(a.total, MIB / 2);
    ck_assert_uint_eq(kept[0] & kept[999], 7);
    uint8_t *next = arena_alloc(&a, 64);
    ck_assert_uint_eq(next[0] | next[63], 0);
    arena_fini(&a);
}
END_TEST

START_TEST(an_empty_arena_can_be_rewound_to)
{
    struct arena a;
    arena_init(&a, MIB);
    struct arena_mark mark = arena_mark(&a);
    ck_assert_ptr_nonnull(arena_alloc(&a, 10));
    arena_rewind(&a, mark);
    ck_assert_uint_eq(a.total, 0);
    arena_fini(&a);
}
END_TEST

START_TEST(a_copy_is_a_copy)
{
    struct arena a;
    uint8_t bytes[3] = {1, 2, 3};
    arena_init(&a, MIB);
    struct slice copy = arena_copy(&a, slice_of(bytes, 3));
    bytes[0] = 9;
    ck_assert_uint_eq(copy.len, 3);
    ck_assert_uint_eq(copy.p[0], 1);
    ck_assert_uint_eq(arena_copy(&a, slice_of(NULL, 0)).len, 0);
    arena_fini(&a);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, memory_is_zeroed_and_aligned);
    tcase_add_test(tc, the_limit_holds_and_nothing_overflows);
    tcase_add_test(tc, a_loop_that_rewinds_needs_the_memory_of_one_round);
    tcase_add_test(tc, an_empty_arena_can_be_rewound_to);
    tcase_add_test(tc, a_copy_is_a_copy);
}

int main(void)
{
    return unit_main("base/arena", add_tests);
}
