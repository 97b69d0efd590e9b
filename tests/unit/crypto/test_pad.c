/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pad.h"

#include "lib/unit.h"

START_TEST(the_smallest_class_that_fits_is_taken)
{
    static const struct {
        size_t len;
        unsigned class;
    } cases[] = {{0, 0},    {1, 0},     {1024, 0},  {1025, 1}, {4096, 1},
                 {4097, 2}, {16384, 2}, {16385, 3}, {61440, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned class = 99;
        ck_assert_ok(pad_class(cases[i].len, &class));
        ck_assert_uint_eq(class, cases[i].class);
        ck_assert_uint_ge(pad_class_size(class), cases[i].len);
    }
}
END_TEST

START_TEST(above_the_largest_class_is_too_large)
{
    unsigned class = 99;
    ck_assert_err(pad_class(61441, &class), ERR_TOO_LARGE);
    ck_assert_err(pad_class(SIZE_MAX, &class), ERR_TOO_LARGE);
    ck_assert_uint_eq(class, 99);
}
END_TEST

START_TEST(only_the_four_sizes_are_exact)
{
    unsigned found = 0;
    for (size_t len = 0; len <= LIMIT_ENVELOPE + 1; len++) {
        unsigned class = 99;
        if (pad_class_exact(len, &class)) {
            ck_assert_uint_eq(class, found);
            ck_assert_uint_eq(pad_class_size(class), len);
            found++;
        }
    }
    ck_assert_uint_eq(found, LIMIT_ENVELOPE_CLASSES);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_smallest_class_that_fits_is_taken);
    tcase_add_test(tc, above_the_largest_class_is_too_large);
    tcase_add_test(tc, only_the_four_sizes_are_exact);
}

int main(void)
{
    return unit_main("crypto/pad", add);
}
