/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/stamp.h"

#include <string.h>

#include "base/limits.h"
#include "lib/data.h"
#include "lib/unit.h"

static const uint64_t NOW = UINT64_C(1790000000000);

static struct stamp_goal some_goal(void)
{
    struct stamp_goal goal = {.minute = (uint32_t)(NOW / LIMIT_MINUTE_MS)};
    memset(goal.target, 1, sizeof goal.target);
    memset(goal.payload, 2, sizeof goal.payload);
    memset(goal.relay.b, 3, sizeof goal.relay.b);
    return goal;
}

START_TEST(mining_finds_what_the_check_accepts)
{
    struct stamp_goal goal = some_goal();
    uint64_t nonce = 0;
    ck_assert(stamp_mine(&goal, 12, 1u << 20, &nonce));
    ck_assert_uint_ge(stamp_bits(&goal, nonce), 12);
    ck_assert_ok(stamp_check(&goal, nonce, 12, NOW));
    ck_assert_err(stamp_check(&goal, nonce, stamp_bits(&goal, nonce) + 1, NOW),
                  ERR_STAMP_TOO_CHEAP);
}
END_TEST

START_TEST(mining_in_slices_goes_on_where_it_stopped)
{
    struct stamp_goal goal = some_goal();
    uint64_t whole = 0;
    uint64_t sliced = 0;
    unsigned slices = 1;
    ck_assert(stamp_mine(&goal, 12, 1u << 20, &whole));
    while (!stamp_mine(&goal, 12, 100, &sliced)) {
        ck_assert_uint_eq(sliced, slices * 100);
        slices++;
    }
    ck_assert_uint_eq(sliced, whole);
    ck_assert_uint_eq(slices, whole / 100 + 1);
}
END_TEST

START_TEST(every_part_of_the_goal_binds)
{
    struct stamp_goal goal = some_goal();
    uint64_t nonce = 0;
    ck_assert(stamp_mine(&goal, 16, 1u << 24, &nonce));
    struct stamp_goal other = goal;
    other.target[31] ^= 1;
    ck_assert_err(stamp_check(&other, nonce, 16, NOW), ERR_STAMP_TOO_CHEAP);
    other = goal;
    other.payload[0] ^= 1;
    ck_assert_err(stamp_check(&other, nonce, 16, NOW), ERR_STAMP_TOO_CHEAP);
    other = goal;
    other.relay.b[16] ^= 1;
    ck_assert_err(stamp_check(&other, nonce, 16, NOW), ERR_STAMP_TOO_CHEAP);
    other = goal;
    other.minute++;
    ck_assert_err(stamp_check(&other, nonce, 16, NOW), ERR_STAMP_TOO_CHEAP);
    ck_assert_err(stamp_check(&goal, nonce ^ 1, 16, NOW), ERR_STAMP_TOO_CHEAP);
}
END_TEST

START_TEST(a_stamp_holds_ten_minutes_either_way)
{
    struct stamp_goal goal = some_goal();
    uint64_t minute = goal.minute * LIMIT_MINUTE_MS;
    uint64_t last = minute + (LIMIT_STAMP_MINUTES + 1) * LIMIT_MINUTE_MS - 1;
    uint64_t first = minute - LIMIT_STAMP_MINUTES * LIMIT_MINUTE_MS;
    ck_assert_ok(stamp_check(&goal, 0, 0, last));
    ck_assert_err(stamp_check(&goal, 0, 0, last + 1), ERR_STAMP_STALE);
    ck_assert_ok(stamp_check(&goal, 0, 0, first));
    ck_assert_err(stamp_check(&goal, 0, 0, first - 1), ERR_STAMP_STALE);
    ck_assert_err(stamp_check(&goal, 0, 0, 0), ERR_STAMP_STALE);
    ck_assert_err(stamp_check(&goal, 0, 0, UINT64_MAX), ERR_STAMP_STALE);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("stamp");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        struct stamp_goal goal = {.minute = (uint32_t)data_u64(c, "minute")};
        data_bytes(c, "target", goal.target, sizeof goal.target);
        data_bytes(c, "payload", goal.payload, sizeof goal.payload);
        data_bytes(c, "relay", goal.relay.b, sizeof goal.relay.b);
        ck_assert_uint_eq(stamp_bits(&goal, data_u64(c, "nonce")), data_u64(c, "bits"));
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, mining_finds_what_the_check_accepts);
    tcase_add_test(tc, mining_in_slices_goes_on_where_it_stopped);
    tcase_add_test(tc, every_part_of_the_goal_binds);
    tcase_add_test(tc, a_stamp_holds_ten_minutes_either_way);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("crypto/stamp", add);
}
