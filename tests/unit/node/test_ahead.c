/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ahead.h"

#include "lib/row_rig.h"
#include "node/descriptor.h"

static struct row_rig rig;
static struct account_row account;
static uint64_t today;

static void setup(void)
{
    row_rig_init(&rig);
    account = (struct account_row){.list_version = 7};
    rig.env.env.now_ms = UINT64_C(20000) * LIMIT_DAY_MS + 5;
    today = descriptor_period(rig.env.env.now_ms);
}

static void teardown(void)
{
    row_rig_fini(&rig);
}

/* The next one for a period that is days from today. */
static uint64_t seq(unsigned days)
{
    uint64_t got = 0;
    bool fresh;
    uint64_t before = ahead_last(&account, today + days);
    ck_assert_ok(ahead_seq(&rig.step, &account, today + days, &got, &fresh));
    ck_assert(fresh == (got != before));
    ck_assert_uint_eq(ahead_last(&account, today + days), got);
    return got;
}

START_TEST(each_period_begins_at_one)
{
    for (unsigned days = 0; days <= 8; days++) {
        ck_assert_uint_eq(ahead_last(&account, today + days), 0);
        ck_assert_uint_eq(seq(days), 1);
        ck_assert_uint_eq(seq(days), 1); /* the same list again, at another relay */
    }
    ck_assert_uint_le(account.ahead.len, ROW_AHEAD);
}
END_TEST

START_TEST(a_newer_list_is_the_next_of_each)
{
    ck_assert_uint_eq(seq(0), 1);
    ck_assert_uint_eq(seq(3), 1);
    account.list_version = 9; /* whatever came between was not published */
    ck_assert_uint_eq(seq(0), 2);
    ck_assert_uint_eq(seq(3), 2);
    ck_assert_uint_eq(seq(4), 1);
    account.list_version = 10;
    ck_assert_uint_eq(seq(3), 3);
    ck_assert_uint_eq(seq(4), 2);
    ck_assert_uint_eq(seq(0), 3);
}
END_TEST

START_TEST(years_do_not_add_up)
{
    for (unsigned day = 0; day < 1000; day++) {
        for (unsigned days = 0; days <= 8; days++) {
            ck_assert_uint_le(seq(days), 3);
        }
        account.list_version += day % 7 == 0;
        rig.env.env.now_ms += LIMIT_DAY_MS;
        today++;
        ck_assert_uint_le(account.ahead.len, ROW_AHEAD);
    }
    ck_assert_uint_eq(ahead_last(&account, today - 3), 0); /* they are forgotten */
}
END_TEST

START_TEST(what_somebody_else_published_is_passed)
{
    ck_assert_uint_eq(seq(0), 1);
    ck_assert_ok(ahead_raise(&rig.step, &account, 40));
    for (unsigned days = 0; days <= 8; days++) {
        ck_assert_uint_eq(seq(days), 41);
    }
    ck_assert_ok(ahead_raise(&rig.step, &account, 40)); /* ours are later already */
    ck_assert_uint_eq(seq(2), 41);
    rig.env.env.now_ms += LIMIT_DAY_MS;
    today++;
    ck_assert_uint_eq(seq(8), 1); /* of a day of which there cannot have been any */
    ck_assert_uint_eq(seq(7), 41);
}
END_TEST

START_TEST(a_clock_that_goes_back_or_far_on_leaves_room)
{
    uint64_t then = rig.env.env.now_ms;
    for (unsigned i = 0; i < 5; i++) {
        rig.env.env.now_ms = then + i % 2 * 400 * (uint64_t)LIMIT_DAY_MS;
        today = descriptor_period(rig.env.env.now_ms);
        for (unsigned days = 0; days <= 8; days++) {
            ck_assert_uint_eq(seq(days), 1);
        }
    }
}
END_TEST

START_TEST(what_is_no_such_row_is_corrupt)
{
    uint64_t got;
    bool fresh;
    ck_assert_uint_eq(seq(0), 1);
    account.ahead.len--;
    ck_assert_err(ahead_seq(&rig.step, &account, today, &got, &fresh), ERR_CORRUPT);
    ck_assert_err(ahead_raise(&rig.step, &account, 1), ERR_CORRUPT);
    ck_assert_uint_eq(ahead_last(&account, today), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_period_begins_at_one);
    tcase_add_test(tc, a_newer_list_is_the_next_of_each);
    tcase_add_test(tc, years_do_not_add_up);
    tcase_add_test(tc, what_somebody_else_published_is_passed);
    tcase_add_test(tc, a_clock_that_goes_back_or_far_on_leaves_room);
    tcase_add_test(tc, what_is_no_such_row_is_corrupt);
}

int main(void)
{
    return unit_main("node/ahead", add);
}
