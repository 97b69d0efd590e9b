/* SPDX-License-Identifier: Apache-2.0
 *
 * stock: what a contact may still hold of our tokens, and how many it may get.
 */
#include "lib/unit.h"
#include "node/held.h"
#include "node/stock.h"
#include "relay/token.h"

#define EPOCH_MS (LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS)
#define NOW      (600 * EPOCH_MS + LIMIT_DAY_MS)

/* Gives all that may be given. */
static uint32_t fill(struct peer_row *row, uint64_t now)
{
    uint32_t n = stock_room(row, now);
    row->minted += n;
    ck_assert_uint_eq(stock_room(row, now), 0);
    return n;
}

START_TEST(every_token_that_came_back_counts_and_no_other)
{
    struct peer_row row = {.number = 1};
    ck_assert_uint_eq(fill(&row, NOW), LIMIT_TOKEN_STOCK);
    stock_came_back(&row, LIMIT_TOKEN_STOCK, NOW, NOW); /* the newest first */
    ck_assert_uint_eq(stock_out(&row, NOW), LIMIT_TOKEN_STOCK - 1);
    ck_assert_uint_eq(fill(&row, NOW), 1);
    stock_came_back(&row, 0, NOW, NOW); /* there is no such counter */
    ck_assert_uint_eq(stock_out(&row, NOW), LIMIT_TOKEN_STOCK);
}
END_TEST

START_TEST(tokens_count_to_the_end_of_the_epoch_behind_their_own)
{
    struct peer_row row = {.number = 1};
    fill(&row, NOW);
    ck_assert_uint_eq(fill(&row, NOW + EPOCH_MS), 0);
    stock_came_back(&row, 7, NOW + EPOCH_MS, NOW);
    ck_assert_uint_eq(fill(&row, NOW + EPOCH_MS), 1); /* of the next epoch */
    ck_assert_uint_eq(stock_out(&row, NOW + 2 * EPOCH_MS), 1);
    stock_came_back(&row, 8, NOW + 2 * EPOCH_MS, NOW); /* came late: it was not counted any more */
    ck_assert_uint_eq(stock_out(&row, NOW + 2 * EPOCH_MS), 1);
    ck_assert_uint_eq(stock_out(&row, NOW), 1); /* a clock that goes back */
    ck_assert_uint_eq(stock_out(&row, NOW + 3 * EPOCH_MS), 0);
    fill(&row, NOW + 3 * EPOCH_MS);
    ck_assert_uint_eq(stock_out(&row, NOW + 9 * EPOCH_MS), 0);
}
END_TEST

START_TEST(a_row_of_an_older_node_goes_on)
{
    struct peer_row row = {.number = 1, .minted = 400, .past = 300};
    ck_assert_uint_eq(stock_out(&row, NOW), 100);
    ck_assert_uint_eq(stock_out(&row, NOW + 2 * EPOCH_MS), 0);
}
END_TEST

/* Spends n, one each `apart` ms, and gets new ones at once. */
static void spend(struct peer_row *row, unsigned n, uint64_t *at, uint64_t apart)
{
    for (unsigned i = 0; i < n; i++) {
        fill(row, *at);
        stock_came_back(row, row->minted, *at, *at);
        *at += apart;
    }
    fill(row, *at);
}

START_TEST(a_stock_that_is_spent_within_a_day_doubles_up_to_the_cap)
{
    struct peer_row row = {.number = 1};
    uint64_t at = NOW;
    spend(&row, 255, &at, 60000);
    ck_assert_uint_eq(stock_out(&row, at), 256);
    spend(&row, 1, &at, 60000);
    ck_assert_uint_eq(stock_out(&row, at), 512);
    spend(&row, 512, &at, 60000);
    spend(&row, 1024, &at, 60000);
    ck_assert_uint_eq(stock_out(&row, at), 2048);
    spend(&row, 10000, &at, 1000);
    ck_assert_uint_eq(stock_out(&row, at), LIMIT_TOKEN_STOCK_MAX);
}
END_TEST

START_TEST(a_stock_that_lasts_for_a_day_stays)
{
    struct peer_row row = {.number = 1};
    uint64_t at = NOW;
    spend(&row, 3000, &at, LIMIT_DAY_MS / 250);
    ck_assert_uint_eq(stock_out(&row, at), LIMIT_TOKEN_STOCK);
}
END_TEST

START_TEST(the_relays_clock_says_what_a_day_is_even_when_all_comes_at_once)
{
    struct peer_row row = {.number = 1};
    fill(&row, NOW);
    for (uint32_t i = 1; i <= 256; i++) {
        stock_came_back(&row, i, NOW + 9 * LIMIT_DAY_MS, NOW + i * LIMIT_HOUR_MS / 2);
    }
    ck_assert_uint_eq(stock_room(&row, NOW), LIMIT_TOKEN_STOCK);
}
END_TEST

START_TEST(a_stamp_says_that_tokens_were_lost_and_never_goes_above_the_cap)
{
    struct peer_row row = {.number = 1};
    stock_was_empty(&row, NOW);
    ck_assert_uint_eq(fill(&row, NOW), LIMIT_TOKEN_STOCK); /* none was out: it is as it says */
    for (unsigned i = 0; i < 20; i++) {
        stock_was_empty(&row, NOW);
        fill(&row, NOW);
    }
    ck_assert_uint_eq(row.minted, LIMIT_TOKEN_STOCK_MAX);
}
END_TEST

START_TEST(who_hoards_in_any_order_never_has_more_than_the_cap)
{
    struct peer_row row = {.number = 1};
    struct unit_env env;
    uint64_t at = NOW;
    uint32_t back = 0;
    uint8_t r[4];
    unit_env_init(&env, 9, NOW);
    while (at < NOW + EPOCH_MS - 2 * LIMIT_DAY_MS) { /* one epoch: all that was minted is good */
        fill(&row, at);
        ck_assert_uint_le(row.minted - back, LIMIT_TOKEN_STOCK_MAX);
        env_random(&env.env, r, sizeof r);
        if (r[0] < 8) {
            stock_was_empty(&row, at);
        } else if (row.minted > back) {
            stock_came_back(&row, row.minted - (r[1] & 3) % row.minted, at, at);
            back++;
        }
        at += r[2] * UINT64_C(1000);
    }
    ck_assert_uint_gt(back, 10000);
}
END_TEST

START_TEST(after_a_reset_nothing_is_out)
{
    struct peer_row row = {.number = 1};
    fill(&row, NOW);
    stock_reset(&row);
    ck_assert_uint_eq(stock_out(&row, NOW), 0);
    stock_came_back(&row, 5, NOW, NOW);
    ck_assert_uint_eq(stock_out(&row, NOW), 0);
    ck_assert_uint_eq(fill(&row, NOW + EPOCH_MS), LIMIT_TOKEN_STOCK);
}
END_TEST

START_TEST(the_set_of_what_is_out_follows_counts_epochs_and_resets)
{
    struct peer_row row = {.number = 1, .minted = 400, .past = 300};
    struct arena arena;
    uint32_t next;
    arena_init(&arena, 1024 * 1024);
    ck_assert_ok(stock_spent(&arena, &row, 301)); /* a row of an older node: any may be out */
    ck_assert(held_next(row.held, 0, &next));
    ck_assert_uint_eq(next, 302);
    ck_assert_uint_eq(held_end(row.held, next), 400);
    ck_assert_ok(stock_held(&arena, &row, NOW));
    ck_assert_ok(stock_made(&arena, &row, 0));
    ck_assert_ok(stock_made(&arena, &row, 10));
    ck_assert_uint_eq(row.minted, 410);
    ck_assert_uint_eq(held_end(row.held, 302), 410);
    ck_assert_ok(stock_held(&arena, &row, NOW + EPOCH_MS));
    ck_assert_ok(stock_made(&arena, &row, 5));
    ck_assert_ok(stock_held(&arena, &row, NOW + 2 * EPOCH_MS)); /* 410 and before are over */
    ck_assert(held_next(row.held, 0, &next));
    ck_assert_uint_eq(next, 411);
    stock_reset(&row);
    ck_assert(!held_next(row.held, 0, &next));
    ck_assert_ok(stock_made(&arena, &row, 1));
    ck_assert(held_next(row.held, 0, &next));
    ck_assert_uint_eq(next, 416);
    arena_fini(&arena);
}
END_TEST

START_TEST(only_a_grown_stock_is_worth_a_body_of_its_own)
{
    struct peer_row row = {.number = 1};
    uint64_t at = NOW;
    ck_assert(!stock_is_low(&row, at));
    spend(&row, 256, &at, 1000);
    ck_assert(!stock_is_low(&row, at));
    for (uint32_t i = 0; i < 257; i++) {
        stock_came_back(&row, row.minted, at, at);
    }
    ck_assert(stock_is_low(&row, at));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, every_token_that_came_back_counts_and_no_other);
    tcase_add_test(tc, tokens_count_to_the_end_of_the_epoch_behind_their_own);
    tcase_add_test(tc, a_row_of_an_older_node_goes_on);
    tcase_add_test(tc, a_stock_that_is_spent_within_a_day_doubles_up_to_the_cap);
    tcase_add_test(tc, a_stock_that_lasts_for_a_day_stays);
    tcase_add_test(tc, the_relays_clock_says_what_a_day_is_even_when_all_comes_at_once);
    tcase_add_test(tc, a_stamp_says_that_tokens_were_lost_and_never_goes_above_the_cap);
    tcase_add_test(tc, who_hoards_in_any_order_never_has_more_than_the_cap);
    tcase_add_test(tc, after_a_reset_nothing_is_out);
    tcase_add_test(tc, the_set_of_what_is_out_follows_counts_epochs_and_resets);
    tcase_add_test(tc, only_a_grown_stock_is_worth_a_body_of_its_own);
}

int main(void)
{
    return unit_main("node/stock", add_tests);
}
