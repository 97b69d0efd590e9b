/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/guard.h"

#include "lib/unit.h"

enum {
    NOW = 1000000,
};

static struct dht_address host(uint8_t n, uint16_t port)
{
    return (struct dht_address){.ip = {20, 1, n, 9}, .port = port};
}

START_TEST(a_token_is_good_for_its_host_and_for_ten_minutes_at_most)
{
    static struct dht_guard g;
    struct unit_env u;
    uint8_t token[DHT_TOKEN];
    struct dht_address a = host(1, 1);
    struct dht_address elsewhere = host(1, 2);
    struct dht_address b = host(2, 1);
    unit_env_init(&u, 1, NOW);
    dht_guard_init(&g, &u.env);
    dht_guard_token(&g, &u.env, &a, token);
    ck_assert(dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token)));
    ck_assert(dht_guard_token_good(&g, &u.env, &elsewhere, slice_of(token, sizeof token)));
    ck_assert(!dht_guard_token_good(&g, &u.env, &b, slice_of(token, sizeof token)));
    ck_assert(!dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token - 1)));
    ck_assert(!dht_guard_token_good(&g, &u.env, &a, slice_of(NULL, 0)));
    u.env.now_ms += DHT_TOKEN_MS;
    ck_assert(dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token)));
    u.env.now_ms += DHT_TOKEN_MS;
    ck_assert(!dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token)));
    dht_guard_token(&g, &u.env, &a, token);
    u.env.now_ms += 2 * (uint64_t)DHT_TOKEN_MS; /* nobody asked meanwhile */
    ck_assert(!dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token)));
    dht_guard_fini(&g);
}
END_TEST

START_TEST(a_host_is_answered_so_often_and_no_oftener)
{
    static struct dht_guard g;
    struct unit_env u;
    struct dht_address a = host(1, 1);
    unsigned answered = 0;
    unit_env_init(&u, 2, NOW);
    dht_guard_init(&g, &u.env);
    for (unsigned ms = 0; ms < 10000; ms++) { /* a question each millisecond, of many ports */
        a.port = (uint16_t)(1 + ms);
        answered += dht_guard_question(&g, &a, NOW + ms);
    }
    ck_assert_uint_ge(answered, DHT_GUARD_ANSWERS + 9 * DHT_GUARD_ANSWERS_S);
    ck_assert_uint_le(answered, DHT_GUARD_ANSWERS + 10 * DHT_GUARD_ANSWERS_S);
    struct dht_address b = host(2, 1);
    ck_assert(dht_guard_question(&g, &b, NOW + 10000)); /* another one has its own */
    dht_guard_fini(&g);
}
END_TEST

/* Somebody asks in the name of a victim, who never asked and so shows no token. */
START_TEST(who_shows_no_token_gets_little_more_than_was_asked_with)
{
    static struct dht_guard g;
    struct unit_env u;
    uint8_t token[DHT_TOKEN];
    struct dht_address a = host(1, 1);
    uint64_t asked = 0;
    uint64_t sent = 0;
    unit_env_init(&u, 3, NOW);
    dht_guard_init(&g, &u.env);
    for (unsigned s = 0; s < 600; s++) {
        u.env.now_ms = NOW + s * UINT64_C(1000);
        for (unsigned i = 0; i < 16; i++) {
            asked += 100;
            sent += dht_guard_answer(&g, &a, 100, 1300, u.env.now_ms) ? 1300 : 0;
            ck_assert(dht_guard_answer(&g, &a, 100, 200, u.env.now_ms)); /* small ones always */
        }
    }
    ck_assert_uint_le(sent, 2 * asked + DHT_GUARD_BYTES + 600 * DHT_GUARD_BYTES_S);
    dht_guard_token(&g, &u.env, &a, token);
    ck_assert(dht_guard_token_good(&g, &u.env, &a, slice_of(token, sizeof token)));
    for (unsigned i = 0; i < 10 * DHT_GUARD_HOSTS; i++) { /* also those that share its place */
        struct dht_address b = {.ip = {21, (uint8_t)(i >> 8), (uint8_t)i, 9}, .port = 1};
        unsigned large = 0;
        while (large < 100 && dht_guard_answer(&g, &b, 100, 1300, u.env.now_ms)) {
            large++;
        }
        ck_assert_uint_le(large, DHT_GUARD_BYTES / 1000);
    }
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(dht_guard_answer(&g, &a, 100, 1300, u.env.now_ms));
    }
    struct dht_address c = host(3, 1); /* a node that answered us: somewhat more */
    unsigned large = 0;
    u.env.now_ms += 60000; /* those that share its place have asked for nothing */
    dht_guard_reached(&g, &c, u.env.now_ms);
    while (large < 1000 && dht_guard_answer(&g, &c, 100, 1300, u.env.now_ms)) {
        large++;
    }
    ck_assert_uint_gt(large, DHT_GUARD_BYTES / 1100);
    ck_assert_uint_le(large, DHT_GUARD_REACHED * DHT_GUARD_BYTES / 1100 + 1);
    dht_guard_fini(&g);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_token_is_good_for_its_host_and_for_ten_minutes_at_most);
    tcase_add_test(tc, a_host_is_answered_so_often_and_no_oftener);
    tcase_add_test(tc, who_shows_no_token_gets_little_more_than_was_asked_with);
}

int main(void)
{
    return unit_main("dht/guard", add_tests);
}
