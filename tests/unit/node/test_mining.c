/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mining.h"

#include "base/limits.h"
#include "lib/unit.h"

enum {
    MINUTE = 1000,
    NEVER = 200, /* bits that no search finds */
};

START_TEST(a_search_goes_on_until_its_minute_is_nearly_stale)
{
    struct mining mining = {.wanted = false};
    struct stamp_goal goal = {.minute = MINUTE};
    uint64_t tried = 0;
    for (uint32_t later = 0; later <= LIMIT_STAMP_MINUTES - LIMIT_STAMP_MARGIN; later++) {
        unsigned budget = 16;
        goal.minute = MINUTE + later;
        ck_assert(!mining_step(&mining, &goal, NEVER, &budget));
        ck_assert_uint_eq(budget, 0);
        ck_assert_uint_eq(mining.goal.minute, MINUTE);
        ck_assert(later == 0 || mining.nonce > tried);
        tried = mining.nonce;
    }
    unsigned budget = 16;
    goal.minute++;
    ck_assert(!mining_step(&mining, &goal, NEVER, &budget));
    ck_assert_uint_eq(mining.goal.minute, goal.minute);
}
END_TEST

START_TEST(a_stamp_that_was_found_is_good_at_the_relay_until_then)
{
    struct mining mining = {.wanted = false};
    struct stamp_goal goal = {.minute = MINUTE};
    unsigned budget = 100000;
    ck_assert(mining_step(&mining, &goal, 8, &budget));
    goal.minute += LIMIT_STAMP_MINUTES - LIMIT_STAMP_MARGIN;
    ck_assert(mining_step(&mining, &goal, 8, &budget));
    ck_assert_ok(stamp_check(&mining.goal, mining.nonce, 8, goal.minute * LIMIT_MINUTE_MS));
}
END_TEST

START_TEST(another_price_or_target_begins_anew)
{
    struct mining mining = {.wanted = false};
    struct stamp_goal goal = {.minute = MINUTE};
    unsigned budget = 100000;
    ck_assert(mining_step(&mining, &goal, 4, &budget));
    budget = 0;
    ck_assert(!mining_step(&mining, &goal, 5, &budget));
    goal.target[0] = 1;
    budget = 100000;
    ck_assert(mining_step(&mining, &goal, 5, &budget));
    ck_assert_uint_eq(mining.goal.target[0], 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_search_goes_on_until_its_minute_is_nearly_stale);
    tcase_add_test(tc, a_stamp_that_was_found_is_good_at_the_relay_until_then);
    tcase_add_test(tc, another_price_or_target_begins_anew);
}

int main(void)
{
    return unit_main("node/mining", add);
}
