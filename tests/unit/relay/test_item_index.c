/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/item_index.h"

#include <string.h>

#include "lib/unit.h"
#include "store/mem.h"

enum {
    QUEUES = 3,
    MANY = 3000, /* rows of the walk against a plain list; more than LIMIT_QUEUE_FRESH */
};

static struct {
    struct unit_env unit;
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct turn turn;
    struct item_index ix;
} R;

static void set_up(size_t limit)
{
    unit_env_init(&R.unit, 1, 0);
    R.mem = store_mem_new();
    ck_assert_ptr_nonnull(R.mem);
    store_mem_strict(R.mem, true);
    arena_init(&R.arena, LIMIT_TURN_ARENA);
    store_mem_begin(R.mem, &R.store);
    R.turn = (struct turn){.env = &R.unit.env, .store = &R.store, .arena = &R.arena};
    item_index_init(&R.ix, limit);
    ck_assert_ok(item_index_load(&R.ix, &R.turn));
}

static void tear_down(void)
{
    store_mem_free(R.mem);
    arena_fini(&R.arena);
}

/* A row that names its arrival. */
static struct item_row row_of(uint64_t arrival, enum item_state state)
{
    struct item_row row = {.state = state, .lifetime = 3, .until = arrival * 2};
    memcpy(row.nonce, &arrival, sizeof arrival);
    return row;
}

static void add(uint32_t queue, uint64_t arrival)
{
    struct item_row row = row_of(arrival, ITEM_STORED);
    ck_assert_ok(item_index_add(&R.ix, &R.turn, queue, arrival, &row));
}

static void set_done(uint32_t queue, uint64_t arrival)
{
    struct item_row row = row_of(arrival, ITEM_DONE);
    ck_assert_ok(item_index_set(&R.ix, &R.turn, queue, arrival, &row));
}

static void check_is(const struct item_row *row, uint64_t arrival, enum item_state state)
{
    struct item_row want = row_of(arrival, state);
    ck_assert_int_eq(row->state, state);
    ck_assert_uint_eq(row->until, want.until);
    ck_assert_mem_eq(row->nonce, want.nonce, sizeof want.nonce);
}

static void check_row(uint32_t queue, uint64_t arrival, enum item_state state)
{
    struct item_row row;
    ck_assert_ok(item_index_get(&R.ix, &R.turn, queue, arrival, &row));
    check_is(&row, arrival, state);
}

static size_t fresh(void)
{
    return store_mem_count(R.mem, STORE_QUEUE_FRESH);
}

static size_t placed(void)
{
    return store_mem_count(R.mem, STORE_QUEUE_INDEX);
}

START_TEST(rows_go_to_one_table_until_it_is_full_then_all_to_their_place)
{
    set_up(4);
    for (uint64_t i = 1; i <= 4; i++) {
        add((uint32_t)(i % 2), i);
    }
    ck_assert_uint_eq(fresh(), 4);
    ck_assert_uint_eq(placed(), 0);
    add(0, 5);
    ck_assert_uint_eq(fresh(), 1);
    ck_assert_uint_eq(placed(), 4);
    for (uint64_t i = 1; i <= 5; i++) {
        check_row(i < 5 ? (uint32_t)(i % 2) : 0, i, ITEM_STORED);
    }
    tear_down();
}
END_TEST

START_TEST(a_row_belongs_to_its_queue_wherever_it_lies)
{
    struct item_row row;
    set_up(2);
    add(1, 10);
    add(2, 11);
    add(1, 12); /* moves the first two */
    ck_assert_err(item_index_get(&R.ix, &R.turn, 2, 10, &row), ERR_NOT_FOUND);
    ck_assert_err(item_index_get(&R.ix, &R.turn, 2, 12, &row), ERR_NOT_FOUND);
    ck_assert_err(item_index_get(&R.ix, &R.turn, 1, 13, &row), ERR_NOT_FOUND);
    ck_assert_err(item_index_get(&R.ix, &R.turn, 1, 9, &row), ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(a_changed_row_stays_changed_when_it_is_moved)
{
    set_up(2);
    add(1, 1);
    add(2, 2);
    set_done(1, 1);
    check_row(1, 1, ITEM_DONE);
    ck_assert_ok(item_index_settle(&R.ix, &R.turn));
    ck_assert_uint_eq(fresh(), 0);
    check_row(1, 1, ITEM_DONE);
    check_row(2, 2, ITEM_STORED);
    set_done(2, 2);
    check_row(2, 2, ITEM_DONE);
    ck_assert_uint_eq(fresh(), 0);
    tear_down();
}
END_TEST

START_TEST(nothing_to_move_is_fine)
{
    set_up(2);
    ck_assert_ok(item_index_settle(&R.ix, &R.turn));
    ck_assert_uint_eq(store_mem_puts(R.mem), 0);
    tear_down();
}
END_TEST

/* Every queue, from every arrival on: what comes next is what the plain list says. */
static void check_walks(const uint32_t queues[], const bool done[], uint64_t from, uint64_t to)
{
    for (uint32_t q = 0; q < QUEUES; q++) {
        uint64_t at = from;
        struct item_row row;
        for (uint64_t i = from + 1; i <= to; i++) {
            if (queues[i] == q) {
                ck_assert_ok(item_index_next(&R.ix, &R.turn, q, &at, &row));
                ck_assert_uint_eq(at, i);
                check_is(&row, i, done[i] ? ITEM_DONE : ITEM_STORED);
            }
        }
        ck_assert_err(item_index_next(&R.ix, &R.turn, q, &at, &row), ERR_NOT_FOUND);
    }
}

/* limit 0 is the real one. */
static void walk_of_many(size_t limit)
{
    static uint32_t queues[MANY + 1];
    static bool done[MANY + 1];
    set_up(limit);
    for (uint64_t i = 1; i <= MANY; i++) {
        uint8_t dice[4];
        env_random(&R.unit.env, dice, sizeof dice);
        queues[i] = dice[0] % QUEUES;
        done[i] = false;
        add(queues[i], i);
        uint64_t other = 1 + (dice[1] + 256u * dice[2]) % i;
        set_done(queues[other], other);
        done[other] = true;
        if (dice[3] == 0) { /* a new life */
            item_index_init(&R.ix, limit);
            ck_assert_ok(item_index_load(&R.ix, &R.turn));
        }
        if (i % 97 == 0) {
            check_walks(queues, done, i > 200 ? i - 200 : 0, i);
        }
    }
    check_walks(queues, done, 0, MANY);
    ck_assert_uint_eq(fresh() + placed(), MANY);
    ck_assert_uint_gt(placed(), 0);
    tear_down();
}

START_TEST(walks_agree_with_a_plain_list)
{
    static const size_t limits[] = {1, 2, 7, 100, 0};
    walk_of_many(limits[_i]);
}
END_TEST

START_TEST(more_fresh_rows_than_there_can_be_are_corrupt)
{
    set_up(0);
    struct item_row row = row_of(1, ITEM_STORED);
    for (uint64_t i = 1; i <= LIMIT_QUEUE_FRESH + 1; i++) {
        ck_assert_ok(item_fresh_append(&R.store, i, 1, &row));
    }
    ck_assert_err(item_index_load(&R.ix, &R.turn), ERR_CORRUPT);
    tear_down();
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, rows_go_to_one_table_until_it_is_full_then_all_to_their_place);
    tcase_add_test(tc, a_row_belongs_to_its_queue_wherever_it_lies);
    tcase_add_test(tc, a_changed_row_stays_changed_when_it_is_moved);
    tcase_add_test(tc, nothing_to_move_is_fine);
    tcase_add_loop_test(tc, walks_agree_with_a_plain_list, 0, 5);
    tcase_add_test(tc, more_fresh_rows_than_there_can_be_are_corrupt);
}

int main(void)
{
    return unit_main("relay/item_index", add_tests);
}
