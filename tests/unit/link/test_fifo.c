/* SPDX-License-Identifier: Apache-2.0 */
#include "link/fifo.h"

#include <string.h>

#include "lib/unit.h"

static void put(struct fifo *f, const uint8_t *p, size_t n)
{
    uint8_t *at = fifo_reserve(f, n, SIZE_MAX);
    ck_assert_ptr_nonnull(at);
    memcpy(at, p, n);
    fifo_commit(f, n);
}

START_TEST(bytes_come_out_in_the_order_they_went_in)
{
    struct fifo f = {.p = NULL};
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t chunk[97];
        size_t in = 1 + round * 31 % sizeof chunk;
        for (size_t i = 0; i < in; i++) {
            chunk[i] = next_in++;
        }
        put(&f, chunk, in);
        size_t out = round % 100 == 99 ? f.len : round * 17 % (f.len + 1);
        for (size_t i = 0; i < out; i++) {
            ck_assert_uint_eq(fifo_bytes(&f).p[i], next_out++);
        }
        fifo_take(&f, out);
        ck_assert(f.len > 0 || f.p == NULL);
    }
    fifo_fini(&f);
}
END_TEST

START_TEST(an_empty_fifo_owns_no_memory)
{
    struct fifo f = {.p = NULL};
    ck_assert_uint_eq(fifo_bytes(&f).len, 0);
    fifo_take(&f, 0);
    ck_assert_ptr_nonnull(fifo_reserve(&f, 10, SIZE_MAX));
    fifo_take(&f, 0); /* reserved, never committed */
    ck_assert_ptr_null(f.p);
    put(&f, (const uint8_t *)"ab", 2);
    fifo_take(&f, 1);
    ck_assert_ptr_nonnull(f.p);
    fifo_take(&f, 1);
    ck_assert_ptr_null(f.p);
    ck_assert_uint_eq(f.cap, 0);
}
END_TEST

START_TEST(growth_doubles_and_stops_at_what_is_wanted)
{
    static const uint8_t bytes[4096];
    struct fifo f = {.p = NULL};
    put(&f, bytes, 1000);
    ck_assert_uint_eq(f.cap, 1000);
    put(&f, bytes, 1);
    ck_assert_uint_eq(f.cap, 2000);
    ck_assert_ptr_nonnull(fifo_reserve(&f, 1500, 3000));
    ck_assert_uint_eq(f.cap, 3000);
    fifo_fini(&f);
}
END_TEST

START_TEST(a_fifo_that_is_fed_and_drained_does_not_grow)
{
    static const uint8_t bytes[100];
    struct fifo f = {.p = NULL};
    put(&f, bytes, 100);
    for (unsigned i = 0; i < 1000; i++) {
        put(&f, bytes, 100);
        fifo_take(&f, 100);
    }
    ck_assert_uint_le(f.cap, 400);
    fifo_fini(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, bytes_come_out_in_the_order_they_went_in);
    tcase_add_test(tc, an_empty_fifo_owns_no_memory);
    tcase_add_test(tc, growth_doubles_and_stops_at_what_is_wanted);
    tcase_add_test(tc, a_fifo_that_is_fed_and_drained_does_not_grow);
}

int main(void)
{
    return unit_main("link.fifo", add);
}
