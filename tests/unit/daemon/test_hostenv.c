/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hostenv.h"

#include <string.h>

#include "lib/unit.h"

enum {
    DRAWS = 500, /* several times what a pool holds */
    DRAW = 24,
};

static size_t zeros(const uint8_t *p, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += p[i] == 0;
    }
    return n;
}

START_TEST(no_bytes_of_a_pool_come_twice)
{
    static uint8_t got[DRAWS][DRAW];
    struct hostenv_pool pool = {.left = 0};
    struct env env = hostenv_pooled(&pool, 7);
    ck_assert_uint_eq(env.now_ms, 7);
    for (size_t i = 0; i < DRAWS; i++) {
        env_random(&env, got[i], DRAW);
        for (size_t j = 0; j < i; j++) {
            ck_assert(memcmp(got[i], got[j], DRAW) != 0);
        }
    }
    ck_assert_uint_lt(zeros(got[0], sizeof got), sizeof got / 64);
}
END_TEST

START_TEST(a_pool_forgets_what_it_handed_out)
{
    uint8_t out[DRAW];
    struct hostenv_pool pool = {.left = 0};
    struct env env = hostenv_pooled(&pool, 0);
    for (size_t i = 1; i <= 10; i++) {
        env_random(&env, out, sizeof out);
        ck_assert_uint_eq(pool.left, sizeof pool.bytes - i * DRAW);
        ck_assert_uint_eq(zeros(pool.bytes, i * DRAW), i * DRAW);
    }
    ck_assert_uint_lt(zeros(pool.bytes + sizeof pool.bytes - pool.left, pool.left), pool.left / 8);
}
END_TEST

START_TEST(much_at_once_does_not_come_from_the_pool)
{
    static uint8_t out[4096];
    struct hostenv_pool pool = {.left = 0};
    struct env env = hostenv_pooled(&pool, 0);
    env_random(&env, out, sizeof out);
    ck_assert_uint_eq(pool.left, 0);
    ck_assert_uint_lt(zeros(out, sizeof out), sizeof out / 64);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, no_bytes_of_a_pool_come_twice);
    tcase_add_test(tc, a_pool_forgets_what_it_handed_out);
    tcase_add_test(tc, much_at_once_does_not_come_from_the_pool);
}

int main(void)
{
    return unit_main("daemon/hostenv", add);
}
