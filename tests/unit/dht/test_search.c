/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/search.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

enum {
    NOW = 1000000,
};

static const struct dht_id TARGET = {{0}};
static const struct dht_id OWN = {{0xff, 0xff}};

/* Node n is the n-th nearest to the target, at a local address. */
static struct dht_contact node(unsigned n)
{
    struct dht_contact c = {.address = {.ip = {127, 1, (uint8_t)(n >> 8), (uint8_t)n}, .port = 1}};
    c.id.b[DHT_ID - 2] = (uint8_t)(n >> 8);
    c.id.b[DHT_ID - 1] = (uint8_t)n;
    c.id.b[0] = 1; /* never the target itself */
    return c;
}

static struct dht_search *begin(unsigned first, unsigned count)
{
    struct dht_search *s = malloc(sizeof *s);
    ck_assert_ptr_nonnull(s);
    dht_search_init(s, &TARGET, &OWN);
    for (unsigned i = 0; i < count; i++) {
        struct dht_contact c = node(first + i);
        dht_search_seed(s, &c);
    }
    return s;
}

/* It answers and names these. */
static void answer(struct dht_search *s, const struct dht_contact *who, unsigned first,
                   unsigned count)
{
    uint8_t nodes[64 * DHT_NODE4];
    struct writer w = writer_of(nodes, sizeof nodes);
    for (unsigned i = 0; i < count; i++) {
        struct dht_contact c = node(first + i);
        dht_contact_write(&w, &c);
    }
    struct dht_candidate *c = dht_search_find(s, &who->address);
    ck_assert_ptr_nonnull(c);
    dht_search_answer(s, c, &who->id, unit_str("token"));
    struct dht_candidate was = *c;
    dht_search_learn(s, &was, writer_done(&w), false);
}

/* Asks whoever is to be asked; gives how many. */
static unsigned ask(struct dht_search *s, struct dht_contact *asked, unsigned max, uint64_t now)
{
    unsigned n = 0;
    struct dht_candidate *c;
    while (n < max && (c = dht_search_next(s)) != NULL) {
        asked[n++] = c->contact;
        dht_search_sent(s, c, now);
    }
    return n;
}

START_TEST(it_ends_when_the_nearest_have_answered)
{
    struct dht_search *s = begin(1000, 16);
    struct dht_contact asked[32];
    struct dht_candidate *closest[DHT_CLOSEST];
    unsigned rounds = 0;
    while (!dht_search_done(s)) {
        unsigned n = ask(s, asked, 32, NOW);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(n, DHT_PATHS * DHT_PATH_ALPHA);
        for (unsigned i = 0; i < n; i++) {
            unsigned at = (unsigned)asked[i].id.b[DHT_ID - 2] << 8 | asked[i].id.b[DHT_ID - 1];
            answer(s, &asked[i], at > 16 ? at / 2 : 1, 8); /* always some half as far */
        }
        ck_assert_uint_lt(rounds++, 30);
    }
    ck_assert_uint_eq(dht_search_closest(s, closest, DHT_CLOSEST), DHT_CLOSEST);
    for (unsigned i = 0; i < DHT_CLOSEST; i++) {
        struct dht_contact want = node(1 + i);
        ck_assert(dht_id_equal(&closest[i]->contact.id, &want.id));
    }
    ck_assert_ptr_null(dht_search_next(s));
    ck_assert_uint_gt(dht_search_hops(s), 3);
    free(s);
}
END_TEST

START_TEST(who_is_slow_holds_up_nobody_and_who_is_gone_is_left_out)
{
    struct dht_search *s = begin(100, 8);
    struct dht_contact asked[32];
    struct dht_candidate *closest[DHT_CLOSEST];
    unsigned first = ask(s, asked, 32, NOW);
    ck_assert_uint_eq(first, DHT_PATHS * DHT_PATH_ALPHA);
    ck_assert_uint_eq(dht_search_deadline(s), NOW + DHT_SLOW_MS);
    dht_search_tick(s, NOW + DHT_SLOW_MS);
    unsigned more = ask(s, asked + first, 32 - first, NOW + DHT_SLOW_MS);
    ck_assert_uint_eq(first + more, 8); /* the others are asked meanwhile */
    answer(s, &asked[0], 0, 0);         /* late, and good all the same */
    ck_assert(!dht_search_done(s));
    dht_search_tick(s, NOW + DHT_TIMEOUT_MS);
    for (unsigned i = first; i < 8; i++) {
        answer(s, &asked[i], 0, 0);
    }
    ck_assert(dht_search_done(s));
    ck_assert_uint_eq(dht_search_closest(s, closest, DHT_CLOSEST), 1 + more);
    ck_assert_ptr_null(dht_search_find(s, &asked[1].address)); /* its time is over */
    free(s);
}
END_TEST

/* A liar on one path names only who does not answer; the other paths get there. */
START_TEST(a_liar_misleads_one_path)
{
    struct dht_search *s = begin(2000, 6);
    struct dht_contact asked[64];
    uint64_t now = NOW;
    struct dht_contact liar = node(2000);
    while (!dht_search_done(s)) {
        unsigned n = ask(s, asked, 64, now);
        for (unsigned i = 0; i < n; i++) {
            unsigned at = (unsigned)asked[i].id.b[DHT_ID - 2] << 8 | asked[i].id.b[DHT_ID - 1];
            if (dht_id_equal(&asked[i].id, &liar.id)) {
                answer(s, &asked[i], 1, 16); /* nearer than all, and not there */
            } else if (at >= 100) {
                answer(s, &asked[i], at >= 400 ? at / 2 : 100, 8);
            }
        }
        now += DHT_SLOW_MS;
        dht_search_tick(s, now);
        ck_assert_uint_lt(now, NOW + 60 * DHT_TIMEOUT_MS);
    }
    struct dht_candidate *closest[DHT_CLOSEST];
    ck_assert_uint_eq(dht_search_closest(s, closest, DHT_CLOSEST), DHT_CLOSEST);
    for (unsigned i = 0; i < DHT_CLOSEST; i++) {
        struct dht_contact want = node(100 + i);
        ck_assert(dht_id_equal(&closest[i]->contact.id, &want.id));
    }
    free(s);
}
END_TEST

START_TEST(who_is_not_who_they_were_said_to_be_does_not_count)
{
    struct dht_search *s = begin(1, 1);
    struct dht_contact asked[4];
    struct dht_candidate *closest[DHT_CLOSEST];
    ck_assert_uint_eq(ask(s, asked, 4, NOW), 1);
    struct dht_candidate *c = dht_search_find(s, &asked[0].address);
    struct dht_id other = node(2).id;
    dht_search_answer(s, c, &other, unit_str("token"));
    ck_assert(dht_search_done(s));
    ck_assert_uint_eq(dht_search_closest(s, closest, DHT_CLOSEST), 0);
    free(s);
}
END_TEST

START_TEST(it_ends_however_many_are_named)
{
    struct dht_search *s = begin(60000, 16);
    struct dht_contact asked[64];
    unsigned sent = 0;
    unsigned next = 59000;
    while (!dht_search_done(s)) {
        unsigned n = ask(s, asked, 64, NOW);
        sent += n;
        for (unsigned i = 0; i < n; i++) {
            next -= 16;
            answer(s, &asked[i], next, 16); /* always nearer ones */
        }
        ck_assert_uint_le(sent, DHT_QUERIES_MAX);
    }
    ck_assert_uint_eq(sent, DHT_QUERIES_MAX);
    ck_assert_uint_le(s->count, DHT_CANDIDATES);
    free(s);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, it_ends_when_the_nearest_have_answered);
    tcase_add_test(tc, who_is_slow_holds_up_nobody_and_who_is_gone_is_left_out);
    tcase_add_test(tc, a_liar_misleads_one_path);
    tcase_add_test(tc, who_is_not_who_they_were_said_to_be_does_not_count);
    tcase_add_test(tc, it_ends_however_many_are_named);
}

int main(void)
{
    return unit_main("dht/search", add_tests);
}
