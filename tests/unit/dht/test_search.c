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
    struct dht_candidate *c = dht_search_find(s, who);
    ck_assert_ptr_nonnull(c);
    c = dht_search_answer(s, c, &who->id, unit_str("token"));
    ck_assert_ptr_nonnull(c);
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
    struct dht_candidate *closest[DHT_HOLDERS];
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
    ck_assert_uint_ge(dht_search_holders(s, closest), DHT_CLOSEST);
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
    struct dht_candidate *closest[DHT_HOLDERS];
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
    ck_assert_uint_eq(dht_search_holders(s, closest), 1 + more);
    ck_assert_ptr_null(dht_search_find(s, &asked[1])); /* its time is over */
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
    struct dht_candidate *closest[DHT_HOLDERS];
    ck_assert_uint_ge(dht_search_holders(s, closest), DHT_CLOSEST);
    for (unsigned i = 0; i < DHT_CLOSEST; i++) {
        struct dht_contact want = node(100 + i);
        ck_assert(dht_id_equal(&closest[i]->contact.id, &want.id));
    }
    free(s);
}
END_TEST

START_TEST(who_says_another_id_is_that_one_if_it_may_be)
{
    struct dht_search *s = begin(1, 2);
    struct dht_contact asked[4];
    struct dht_candidate *holders[DHT_HOLDERS];
    ck_assert_uint_eq(ask(s, asked, 4, NOW), 2);
    struct dht_contact other = node(3);
    struct dht_candidate *c = dht_search_find(s, &asked[0]);
    c = dht_search_answer(s, c, &other.id, unit_str("token"));
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_eq(c, &s->candidates[1]); /* farther than node 2 now */
    ck_assert(dht_address_equal(&c->contact.address, &asked[0].address));
    ck_assert_ptr_null(dht_search_find(s, &asked[0])); /* nobody is asked twice */
    c = dht_search_find(s, &asked[1]);
    ck_assert_ptr_null(dht_search_answer(s, c, &other.id, unit_str("token"))); /* who is taken */
    ck_assert(dht_search_done(s));
    ck_assert_uint_eq(dht_search_holders(s, holders), 1);
    dht_search_init(s, &TARGET, &OWN);
    struct dht_contact far = {.address = {.ip = {124, 31, 75, 21}, .port = 1}};
    far.id = (struct dht_id){{0x5f, 0xbf, 0xbf}}; /* BEP 42, the first of its examples */
    far.id.b[DHT_ID - 1] = 1;
    dht_search_seed(s, &far);
    ck_assert_uint_eq(ask(s, asked, 4, NOW), 1);
    c = dht_search_find(s, &far);
    ck_assert_ptr_null(dht_search_answer(s, c, &TARGET, unit_str("token"))); /* none of its own */
    ck_assert(dht_search_done(s));
    ck_assert_uint_eq(dht_search_holders(s, holders), 0);
    free(s);
}
END_TEST

/* A liar names nodes of the other paths with other ports, or other IDs: they are asked there. */
START_TEST(who_is_named_wrongly_is_asked_on_another_path)
{
    struct dht_search *s = begin(2000, 3);
    struct dht_contact asked[64];
    struct dht_contact liar = node(2000);
    uint8_t nodes[16 * DHT_NODE4];
    struct writer w = writer_of(nodes, sizeof nodes);
    for (unsigned i = 0; i < 16; i++) {
        struct dht_contact c = node(100 + i);
        c.address.port = (uint16_t)(c.address.port + i % 2);
        c.id.b[DHT_ID - 3] = i % 2 == 0; /* not there under this one */
        dht_contact_write(&w, &c);
    }
    uint64_t now = NOW;
    unsigned n = ask(s, asked, 64, now);
    ck_assert_uint_eq(n, 3);
    struct dht_candidate was =
        *dht_search_answer(s, dht_search_find(s, &liar), &liar.id, unit_str("token"));
    dht_search_learn(s, &was, writer_done(&w), false); /* before anybody else is heard */
    for (unsigned i = 0; i < 3; i++) {
        if (!dht_id_equal(&asked[i].id, &liar.id)) {
            answer(s, &asked[i], 100, 16);
        }
    }
    while (!dht_search_done(s)) {
        n = ask(s, asked, 64, now);
        for (unsigned i = 0; i < n; i++) {
            struct dht_contact is =
                node((unsigned)asked[i].id.b[DHT_ID - 2] << 8 | asked[i].id.b[DHT_ID - 1]);
            if (dht_id_equal(&is.id, &asked[i].id) &&
                dht_address_equal(&is.address, &asked[i].address)) {
                answer(s, &asked[i], 100, 16);
            }
        }
        now += DHT_TIMEOUT_MS;
        dht_search_tick(s, now);
    }
    struct dht_candidate *holders[DHT_HOLDERS];
    ck_assert_uint_ge(dht_search_holders(s, holders), DHT_CLOSEST);
    for (unsigned i = 0; i < DHT_CLOSEST; i++) {
        struct dht_contact want = node(100 + i);
        ck_assert(dht_id_equal(&holders[i]->contact.id, &want.id));
    }
    free(s);
}
END_TEST

/* The same on one path: who is named rightly after that is asked once the wrong one is overdue. */
START_TEST(who_was_named_wrongly_first_is_asked_when_that_is_overdue)
{
    struct dht_search *s = begin(2000, 1); /* one path */
    struct dht_contact asked[8];
    struct dht_contact liar = node(2000);
    struct dht_contact honest = node(150);
    struct dht_contact right = node(100);
    struct dht_contact wrong = right;
    uint8_t nodes[2 * DHT_NODE4];
    struct writer w = writer_of(nodes, sizeof nodes);
    wrong.address.port++;
    dht_contact_write(&w, &wrong);
    dht_contact_write(&w, &honest);
    ck_assert_uint_eq(ask(s, asked, 8, NOW), 1);
    struct dht_candidate was =
        *dht_search_answer(s, dht_search_find(s, &liar), &liar.id, unit_str("token"));
    dht_search_learn(s, &was, writer_done(&w), false);
    ck_assert_uint_eq(ask(s, asked, 8, NOW), 2);
    ck_assert(dht_address_equal(&asked[0].address, &wrong.address));
    dht_search_tick(s, NOW + DHT_SLOW_MS);
    answer(s, &honest, 100, 1);
    ck_assert_uint_eq(ask(s, asked, 8, NOW + DHT_SLOW_MS), 1);
    ck_assert(dht_address_equal(&asked[0].address, &right.address));
    answer(s, &right, 100, 1); /* and the wrong one, named once more, is not asked again */
    ck_assert_uint_eq(ask(s, asked, 8, NOW + DHT_SLOW_MS), 0);
    dht_search_tick(s, NOW + DHT_TIMEOUT_MS);
    ck_assert(dht_search_done(s));
    free(s);
}
END_TEST

/* Liars fill their path with themselves, nearest of all: of the others each path holds its own. */
START_TEST(a_path_of_liars_does_not_hold_an_item_alone)
{
    struct dht_search *s = begin(2000, 3);
    struct dht_contact asked[64];
    unsigned next = 50;
    unsigned queries = 0;
    while (!dht_search_done(s)) {
        unsigned n = ask(s, asked, 64, NOW);
        queries += n;
        for (unsigned i = 0; i < n; i++) {
            unsigned at = (unsigned)asked[i].id.b[DHT_ID - 2] << 8 | asked[i].id.b[DHT_ID - 1];
            if (at < 100 || at == 2000) { /* the liars: always one of them is nearer */
                answer(s, &asked[i], next > 1 ? --next : 1, 1);
            } else {
                answer(s, &asked[i], 1000, 12);
            }
        }
    }
    struct dht_candidate *holders[DHT_HOLDERS];
    unsigned n = dht_search_holders(s, holders);
    unsigned honest = 0;
    for (unsigned i = 0; i < n; i++) {
        honest += holders[i]->contact.id.b[DHT_ID - 2] == 1000 >> 8;
    }
    ck_assert_uint_eq(n, DHT_CLOSEST + honest);
    ck_assert_uint_eq(honest, 2 * DHT_PATH_WIDTH);
    ck_assert_uint_ge(queries, DHT_PATH_QUERIES); /* all that one path has, and no other's */
    ck_assert_uint_lt(queries, DHT_PATH_QUERIES + 30);
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
        ck_assert_uint_le(sent, DHT_PATHS * DHT_PATH_QUERIES);
    }
    ck_assert_uint_eq(sent, DHT_PATHS * DHT_PATH_QUERIES);
    ck_assert_uint_le(s->count, DHT_CANDIDATES);
    free(s);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, it_ends_when_the_nearest_have_answered);
    tcase_add_test(tc, who_is_slow_holds_up_nobody_and_who_is_gone_is_left_out);
    tcase_add_test(tc, a_liar_misleads_one_path);
    tcase_add_test(tc, who_says_another_id_is_that_one_if_it_may_be);
    tcase_add_test(tc, who_is_named_wrongly_is_asked_on_another_path);
    tcase_add_test(tc, who_was_named_wrongly_first_is_asked_when_that_is_overdue);
    tcase_add_test(tc, a_path_of_liars_does_not_hold_an_item_alone);
    tcase_add_test(tc, it_ends_however_many_are_named);
}

int main(void)
{
    return unit_main("dht/search", add_tests);
}
