/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

enum {
    BEGIN = 1000000,
};

struct fixture {
    struct unit_env u;
    struct dht_table t;
    uint64_t now;
};

static void setup(struct fixture *f)
{
    struct dht_id own = {{0}};
    unit_env_init(&f->u, 9, BEGIN);
    f->now = BEGIN;
    ck_assert_ok(dht_table_init(&f->t, &own, false, f->now));
}

/* The n-th node whose ID has so many leading zeros, as ours has; at a local address. */
static struct dht_contact node(unsigned zeros, unsigned n)
{
    struct dht_contact c = {.address = {.ip = {127, 0, (uint8_t)zeros, (uint8_t)n}, .port = 1}};
    c.id.b[zeros / 8] = (uint8_t)(0x80U >> zeros % 8);
    c.id.b[DHT_ID - 1] = (uint8_t)n;
    return c;
}

static unsigned good(const struct fixture *f)
{
    unsigned n;
    (void)dht_table_size(&f->t, f->now, &n);
    return n;
}

START_TEST(far_buckets_stay_small_and_near_ones_are_split)
{
    struct fixture f;
    unsigned n;
    setup(&f);
    for (unsigned zeros = 0; zeros < 20; zeros++) {
        for (unsigned i = 0; i < 20; i++) {
            struct dht_contact c = node(zeros, i);
            dht_table_heard(&f.t, &c, true, f.now);
        }
    }
    ck_assert_uint_eq(dht_table_size(&f.t, f.now, &n), 20 * DHT_BUCKET);
    ck_assert_uint_eq(n, 20 * DHT_BUCKET);
    ck_assert_uint_ge(f.t.count, 20);
    struct dht_contact near[DHT_BUCKET];
    struct dht_id target = node(5, 3).id;
    ck_assert_uint_eq(dht_table_nearest(&f.t, &target, false, f.now, near, DHT_BUCKET), DHT_BUCKET);
    ck_assert(dht_id_equal(&near[0].id, &target));
    for (unsigned i = 1; i < DHT_BUCKET; i++) {
        ck_assert_int_le(dht_id_nearer(&target, &near[i - 1].id, &near[i].id), 0);
        ck_assert_uint_eq(near[i].id.b[0], target.b[0]);
    }
    dht_table_fini(&f.t);
}
END_TEST

START_TEST(who_never_answered_is_pinged_and_given_to_nobody)
{
    struct fixture f;
    struct dht_contact c = node(3, 1);
    struct dht_contact out;
    setup(&f);
    dht_table_heard(&f.t, &c, false, f.now);
    ck_assert_uint_eq(good(&f), 0);
    ck_assert_uint_eq(dht_table_nearest(&f.t, &c.id, false, f.now, &out, 1), 0);
    ck_assert_uint_eq(dht_table_nearest(&f.t, &c.id, true, f.now, &out, 1), 1);
    ck_assert_uint_le(dht_table_deadline(&f.t, true), f.now);
    ck_assert(dht_table_ping(&f.t, f.now, &out));
    ck_assert(dht_id_equal(&out.id, &c.id));
    ck_assert(!dht_table_ping(&f.t, f.now, &out)); /* not again at once */
    ck_assert_uint_eq(dht_table_deadline(&f.t, true), f.now + DHT_PING_AGAIN_MS);
    dht_table_heard(&f.t, &c, true, f.now);
    ck_assert_uint_eq(good(&f), 1);
    f.now += DHT_GOOD_MS;
    ck_assert_uint_eq(good(&f), 0); /* questionable */
    dht_table_heard(&f.t, &c, false, f.now);
    ck_assert_uint_eq(good(&f), 1); /* BEP 5: it answered once, and asked just now */
    dht_table_fini(&f.t);
}
END_TEST

START_TEST(who_waits_takes_the_place_of_who_is_bad)
{
    struct fixture f;
    struct dht_contact out;
    setup(&f);
    for (unsigned zeros = 0; zeros < 2; zeros++) {
        for (unsigned i = 0; i < DHT_BUCKET + 6; i++) {
            struct dht_contact c = node(zeros, i);
            dht_table_heard(&f.t, &c, true, f.now);
        }
    }
    struct dht_contact first = node(0, 0);
    ck_assert_uint_eq(good(&f), 2 * DHT_BUCKET);
    for (unsigned k = 0; k < DHT_FAILURES; k++) {
        ck_assert_uint_eq(dht_table_nearest(&f.t, &first.id, false, f.now, &out, 1), 1);
        ck_assert(dht_id_equal(&out.id, &first.id) == (k == 0)); /* failed once: not given */
        dht_table_failed(&f.t, &first);
    }
    ck_assert_uint_eq(good(&f), 2 * DHT_BUCKET);
    struct dht_id last = node(0, DHT_BUCKET + 5).id;
    ck_assert_uint_eq(dht_table_nearest(&f.t, &last, false, f.now, &out, 1), 1);
    ck_assert(dht_id_equal(&out.id, &last)); /* the newest of those that waited */
    dht_table_fini(&f.t);
}
END_TEST

/* Where somebody waits, a questionable one is asked whether it is there. */
START_TEST(a_questionable_one_is_pinged_when_its_place_is_wanted)
{
    struct fixture f;
    struct dht_contact out;
    setup(&f);
    for (unsigned zeros = 0; zeros < 2; zeros++) {
        for (unsigned i = 0; i < DHT_BUCKET + zeros; i++) {
            struct dht_contact c = node(1 - zeros, i);
            dht_table_heard(&f.t, &c, true, f.now);
        }
    }
    ck_assert(!dht_table_ping(&f.t, f.now, &out));
    f.now += DHT_GOOD_MS;
    for (unsigned i = 0; i < DHT_BUCKET; i++) {
        ck_assert(dht_table_ping(&f.t, f.now, &out));
        ck_assert_uint_eq(out.id.b[0], 0x80); /* of the full bucket alone */
    }
    ck_assert(!dht_table_ping(&f.t, f.now, &out));
    dht_table_fini(&f.t);
}
END_TEST

/* Anybody can have nodes ask us that are not there: they are in nobody's way. */
START_TEST(who_never_answered_makes_way)
{
    struct fixture f;
    struct dht_contact near[DHT_BUCKET];
    setup(&f);
    for (unsigned i = 0; i < DHT_BUCKET; i++) { /* a bucket of its own, so that the other is one */
        struct dht_contact c = node(1, i);
        dht_table_heard(&f.t, &c, true, f.now);
    }
    for (unsigned i = 0; i < 4 * DHT_BUCKET; i++) {
        struct dht_contact c = node(0, i);
        dht_table_heard(&f.t, &c, false, f.now);
    }
    for (unsigned i = 100; i < 100 + DHT_BUCKET + DHT_RESERVE; i++) {
        struct dht_contact c = node(0, i);
        dht_table_heard(&f.t, &c, true, f.now);
    }
    for (unsigned i = 0; i < 4 * DHT_BUCKET; i++) {
        struct dht_contact c = node(0, i);
        dht_table_heard(&f.t, &c, false, f.now);
    }
    ck_assert_uint_eq(good(&f), 2 * DHT_BUCKET);
    for (unsigned i = 0; i < DHT_RESERVE; i++) { /* those that wait answered, too */
        struct dht_contact c = node(0, 100 + i);
        for (unsigned k = 0; k < DHT_FAILURES; k++) {
            dht_table_failed(&f.t, &c);
        }
    }
    ck_assert_uint_eq(good(&f), 2 * DHT_BUCKET);
    dht_table_fini(&f.t);
    /* A lookup begins with those that answered, however near the others are. */
    setup(&f);
    for (unsigned i = 0; i < DHT_BUCKET; i++) {
        struct dht_contact c = node(2, i);
        struct dht_contact d = node(0, i);
        dht_table_heard(&f.t, &c, false, f.now);
        dht_table_heard(&f.t, &d, true, f.now);
    }
    struct dht_id target = node(2, 0).id;
    ck_assert_uint_eq(dht_table_nearest(&f.t, &target, true, f.now, near, DHT_BUCKET), DHT_BUCKET);
    for (unsigned i = 0; i < DHT_BUCKET; i++) {
        ck_assert_uint_eq(near[i].id.b[0], 0x80);
    }
    dht_table_fini(&f.t);
    /* Nor is it any better to be first at an address, or under an ID. */
    setup(&f);
    struct dht_contact made = {.address = {.ip = {1, 2, 3, 4}, .port = 1}};
    struct dht_contact real = {.address = {.ip = {1, 2, 3, 4}, .port = 2}};
    made.id = dht_id_for(&f.u.env, &made.address);
    real.id = dht_id_for(&f.u.env, &real.address);
    struct dht_contact moved = {.id = node(2, 0).id, .address = {.ip = {127, 9, 9, 9}, .port = 1}};
    dht_table_heard(&f.t, &made, false, f.now);
    dht_table_heard(&f.t, &real, false, f.now);
    ck_assert(!dht_table_is_good(&f.t, &real, f.now));
    dht_table_heard(&f.t, &real, true, f.now);
    ck_assert(dht_table_is_good(&f.t, &real, f.now));
    dht_table_heard(&f.t, &made, true, f.now);
    ck_assert(!dht_table_is_good(&f.t, &made, f.now)); /* the other one answered before, */
    for (unsigned i = 0; i < DHT_FAILURES; i++) {
        dht_table_failed(&f.t, &real);
    }
    dht_table_heard(&f.t, &made, false, f.now);
    ck_assert(!dht_table_is_good(&f.t, &made, f.now));
    dht_table_heard(&f.t, &made, true, f.now);
    ck_assert(dht_table_is_good(&f.t, &made, f.now)); /* and is gone */
    struct dht_contact restarted = made;
    restarted.id = dht_id_for(&f.u.env, &made.address);
    dht_table_heard(&f.t, &restarted, true, f.now);
    ck_assert(dht_table_is_good(&f.t, &restarted, f.now)); /* the same one, with another ID */
    ck_assert(!dht_table_is_good(&f.t, &made, f.now));
    struct dht_contact first = node(2, 0);
    dht_table_heard(&f.t, &first, false, f.now);
    dht_table_heard(&f.t, &moved, true, f.now);
    ck_assert(dht_table_is_good(&f.t, &moved, f.now));
    dht_table_fini(&f.t);
}
END_TEST

START_TEST(after_an_outage_those_that_were_there_are_asked)
{
    struct fixture f;
    struct dht_contact out;
    unsigned pings = 0;
    setup(&f);
    for (unsigned i = 0; i < DHT_BUCKET; i++) {
        struct dht_contact c = node(0, i);
        dht_table_heard(&f.t, &c, true, f.now);
    }
    f.now += DHT_GOOD_MS;
    ck_assert(!dht_table_ping(&f.t, f.now, &out));
    f.t.alone = true; /* nobody is good any more */
    for (uint64_t end = f.now + 8 * (uint64_t)DHT_GOOD_MS; f.now < end; f.now += 1000) {
        while (dht_table_ping(&f.t, f.now, &out)) {
            dht_table_failed(&f.t, &out);
            pings++;
        }
        ck_assert_uint_gt(dht_table_deadline(&f.t, false), f.now);
    }
    ck_assert_uint_ge(pings, DHT_BUCKET * 10);
    ck_assert_uint_le(pings, DHT_BUCKET * 20); /* ever less often */
    struct dht_contact first = node(0, 0);
    ck_assert_uint_eq(dht_table_nearest(&f.t, &first.id, true, f.now, &out, 1), 1);
    dht_table_heard(&f.t, &first, true, f.now);
    ck_assert_uint_eq(good(&f), 1);
    f.t.alone = false;
    for (unsigned i = 0; i < DHT_BUCKET - 1; i++) { /* whoever comes takes a place of theirs */
        struct dht_contact c = node(0, 100 + i);
        dht_table_heard(&f.t, &c, true, f.now);
    }
    ck_assert_uint_eq(good(&f), DHT_BUCKET);
    dht_table_fini(&f.t);
}
END_TEST

START_TEST(a_bucket_without_news_is_refreshed)
{
    struct fixture f;
    struct dht_id target;
    setup(&f);
    for (unsigned zeros = 0; zeros < 6; zeros++) {
        for (unsigned i = 0; i < DHT_BUCKET; i++) {
            struct dht_contact c = node(zeros, i);
            dht_table_heard(&f.t, &c, true, f.now);
        }
    }
    ck_assert(!dht_table_refresh(&f.t, &f.u.env, &target));
    f.u.env.now_ms = f.now += DHT_GOOD_MS - 1;
    struct dht_contact c = node(2, 1);
    dht_table_heard(&f.t, &c, true, f.now);
    f.u.env.now_ms = f.now += 1;
    unsigned seen = 0;
    unsigned count = 0;
    while (dht_table_refresh(&f.t, &f.u.env, &target)) {
        unsigned zeros = dht_id_common(&target, &f.t.own);
        seen |= 1U << (zeros < f.t.count ? zeros : f.t.count - 1);
        count++;
    }
    ck_assert_uint_eq(count, f.t.count - 1);
    ck_assert_uint_eq(seen, ((1U << f.t.count) - 1) & ~4U);
    dht_table_fini(&f.t);
}
END_TEST

START_TEST(who_may_not_be_there_is_not_taken)
{
    struct fixture f;
    unsigned n;
    setup(&f);
    struct dht_contact self = {.id = f.t.own, .address = {.ip = {127, 0, 0, 1}, .port = 1}};
    struct dht_contact wrong = {.id = node(1, 1).id, .address = {.ip = {1, 2, 3, 4}, .port = 1}};
    struct dht_contact six = {.id = node(1, 1).id,
                              .address = {.ip = {[15] = 1}, .port = 1, .v6 = true}};
    struct dht_contact nowhere = {.id = node(1, 1).id, .address = {.ip = {127, 0, 0, 1}}};
    dht_table_heard(&f.t, &self, true, f.now);
    dht_table_heard(&f.t, &wrong, true, f.now);
    dht_table_heard(&f.t, &six, true, f.now);
    dht_table_heard(&f.t, &nowhere, true, f.now);
    ck_assert_uint_eq(dht_table_size(&f.t, f.now, &n), 0);
    /* One host is one node, whatever it calls itself. */
    for (unsigned i = 0; i < 5; i++) {
        wrong.address.port = (uint16_t)(1 + i);
        wrong.id = dht_id_for(&f.u.env, &wrong.address);
        dht_table_heard(&f.t, &wrong, true, f.now);
    }
    ck_assert_uint_eq(dht_table_size(&f.t, f.now, &n), 1);
    /* An ID is where it was heard of first, while that one answers. */
    struct dht_contact thief = node(1, 1);
    struct dht_contact out;
    dht_table_heard(&f.t, &thief, true, f.now);
    thief.address.port = 2;
    dht_table_heard(&f.t, &thief, true, f.now);
    ck_assert_uint_eq(dht_table_nearest(&f.t, &thief.id, false, f.now, &out, 1), 1);
    ck_assert_uint_eq(out.address.port, 1);
    dht_table_fini(&f.t);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, far_buckets_stay_small_and_near_ones_are_split);
    tcase_add_test(tc, who_never_answered_is_pinged_and_given_to_nobody);
    tcase_add_test(tc, who_waits_takes_the_place_of_who_is_bad);
    tcase_add_test(tc, a_questionable_one_is_pinged_when_its_place_is_wanted);
    tcase_add_test(tc, who_never_answered_makes_way);
    tcase_add_test(tc, after_an_outage_those_that_were_there_are_asked);
    tcase_add_test(tc, a_bucket_without_news_is_refreshed);
    tcase_add_test(tc, who_may_not_be_there_is_not_taken);
}

int main(void)
{
    return unit_main("dht/table", add_tests);
}
