/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/safety.h"

#include <string.h>

#include "lib/data.h"
#include "lib/unit.h"

START_TEST(both_sides_read_the_same_sixty_digits)
{
    struct sign_pk a = {{1}};
    struct sign_pk b = {{2}};
    char ab[SAFETY_TEXT];
    char ba[SAFETY_TEXT];
    safety_number(&a, &b, ab);
    safety_number(&b, &a, ba);
    ck_assert_str_eq(ab, ba);
    ck_assert_uint_eq(strlen(ab), 60);
    ck_assert_uint_eq(strspn(ab, "0123456789"), 60);
    ck_assert_int_le(memcmp(ab, ab + SAFETY_HALF, SAFETY_HALF), 0);
}
END_TEST

START_TEST(another_id_changes_only_its_half)
{
    struct sign_pk a = {{1}};
    struct sign_pk b = {{2}};
    struct sign_pk c = {{3}};
    char ab[SAFETY_TEXT];
    char ac[SAFETY_TEXT];
    char aa[SAFETY_TEXT];
    safety_number(&a, &a, aa);
    safety_number(&a, &b, ab);
    safety_number(&a, &c, ac);
    ck_assert_mem_eq(aa, aa + SAFETY_HALF, SAFETY_HALF);
    ck_assert_str_ne(ab, ac);
    ck_assert_ptr_nonnull(strstr(ab, aa + SAFETY_HALF));
    ck_assert_ptr_nonnull(strstr(ac, aa + SAFETY_HALF));
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("safety");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        struct sign_pk a;
        struct sign_pk b;
        char text[SAFETY_TEXT];
        data_bytes(c, "a", a.b, sizeof a.b);
        data_bytes(c, "b", b.b, sizeof b.b);
        safety_number(&a, &b, text);
        ck_assert_str_eq(text, data_text(c, "number"));
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, both_sides_read_the_same_sixty_digits);
    tcase_add_test(tc, another_id_changes_only_its_half);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("crypto/safety", add);
}
