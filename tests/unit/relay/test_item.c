/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/item.h"

#include <string.h>

#include "lib/unit.h"
#include "store/mem.h"

static struct {
    struct store_mem *mem;
    struct store store;
} R;

static void set_up(void)
{
    R.mem = store_mem_new();
    ck_assert_ptr_nonnull(R.mem);
    store_mem_strict(R.mem, true);
    store_mem_begin(R.mem, &R.store);
}

static void tear_down(void)
{
    store_mem_free(R.mem);
}

/* A row that names its arrival. */
static struct item_row row_of(uint64_t arrival, enum item_state state)
{
    struct item_row row = {.state = state,
                           .lifetime = 3,
                           .envelope_class = 2,
                           .stamp = arrival % 2 == 0,
                           .until = arrival * 2};
    memcpy(row.nonce, &arrival, sizeof arrival);
    memcpy(row.hash, &arrival, sizeof arrival);
    return row;
}

static void put(uint32_t queue, uint64_t arrival, enum item_state state)
{
    struct item_row row = row_of(arrival, state);
    ck_assert_ok(item_index_put(&R.store, queue, arrival, &row));
}

static void check_is(const struct item_row *row, uint64_t arrival, enum item_state state)
{
    struct item_row want = row_of(arrival, state);
    ck_assert_int_eq(row->state, state);
    ck_assert_uint_eq(row->lifetime, want.lifetime);
    ck_assert_uint_eq(row->envelope_class, want.envelope_class);
    ck_assert(row->stamp == want.stamp);
    ck_assert_uint_eq(row->until, want.until);
    ck_assert_mem_eq(row->nonce, want.nonce, sizeof want.nonce);
    ck_assert_mem_eq(row->hash, want.hash, sizeof want.hash);
}

START_TEST(a_row_belongs_to_its_queue_and_the_last_put_counts)
{
    struct item_row row;
    set_up();
    put(1, 10, ITEM_STORED);
    put(2, 11, ITEM_VOID);
    put(1, 10, ITEM_DONE);
    ck_assert_ok(item_index_get(&R.store, 1, 10, &row));
    check_is(&row, 10, ITEM_DONE);
    ck_assert_ok(item_index_get(&R.store, 2, 11, &row));
    check_is(&row, 11, ITEM_VOID);
    ck_assert_err(item_index_get(&R.store, 2, 10, &row), ERR_NOT_FOUND);
    ck_assert_ok(item_index_del(&R.store, 1, 10));
    ck_assert_err(item_index_get(&R.store, 1, 10, &row), ERR_NOT_FOUND);
    ck_assert_err(item_index_del(&R.store, 1, 10), ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(rows_come_in_the_order_of_arrival_queue_by_queue)
{
    static const uint64_t arrivals[] = {1, 255, 256, 1000, UINT64_C(1) << 40};
    static const uint32_t queues[] = {7, 8, 0x10000};
    enum {
        NARRIVALS = 5,
        NQUEUES = 3
    };
    struct item_row row;
    set_up();
    for (unsigned i = 0; i < NARRIVALS * NQUEUES; i++) { /* in another order */
        unsigned n = i * 7 % (NARRIVALS * NQUEUES);
        put(queues[n % NQUEUES], arrivals[n / NQUEUES] + n % NQUEUES, ITEM_STORED);
    }
    uint32_t queue = 0;
    uint64_t at = 0;
    for (unsigned q = 0; q < NQUEUES; q++) {
        uint64_t own = 0;
        for (unsigned i = 0; i < NARRIVALS; i++) {
            ck_assert_ok(item_index_next(&R.store, queues[q], &own, &row));
            ck_assert_uint_eq(own, arrivals[i] + q);
            check_is(&row, own, ITEM_STORED);
            ck_assert_ok(item_index_walk(&R.store, &queue, &at, &row));
            ck_assert_uint_eq(queue, queues[q]);
            ck_assert_uint_eq(at, own);
            check_is(&row, at, ITEM_STORED);
        }
        ck_assert_err(item_index_next(&R.store, queues[q], &own, &row), ERR_NOT_FOUND);
    }
    ck_assert_err(item_index_walk(&R.store, &queue, &at, &row), ERR_NOT_FOUND);
    tear_down();
}
END_TEST

START_TEST(a_row_of_another_form_is_corrupt)
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 0}, {0, ITEM_VOID + 1}, {1, 4}, {2, LIMIT_ENVELOPE_CLASSES}};
    uint8_t good[ITEM_ROW + 1] = {ITEM_STORED};
    struct item_row row;
    ck_assert_ok(item_row_read(slice_of(good, ITEM_ROW), &row));
    ck_assert_err(item_row_read(slice_of(good, ITEM_ROW - 1), &row), ERR_CORRUPT);
    ck_assert_err(item_row_read(slice_of(good, ITEM_ROW + 1), &row), ERR_CORRUPT);
    ck_assert_err(item_row_read(slice_of(NULL, 0), &row), ERR_CORRUPT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t damaged[ITEM_ROW];
        memcpy(damaged, good, sizeof damaged);
        damaged[bad[i].at] = bad[i].value;
        ck_assert_err(item_row_read(slice_of(damaged, sizeof damaged), &row), ERR_CORRUPT);
    }
}
END_TEST

START_TEST(a_damaged_row_is_corrupt_wherever_it_is_read)
{
    static const uint8_t key[12] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9};
    uint32_t queue = 0;
    uint64_t arrival = 0;
    struct item_row row;
    set_up();
    ck_assert_ok(
        store_put(&R.store, STORE_QUEUE_INDEX, slice_of(key, sizeof key), unit_str("short")));
    ck_assert_err(item_index_get(&R.store, 1, 9, &row), ERR_CORRUPT);
    ck_assert_err(item_index_next(&R.store, 1, &arrival, &row), ERR_CORRUPT);
    ck_assert_err(item_index_walk(&R.store, &queue, &arrival, &row), ERR_CORRUPT);
    ck_assert_uint_eq(queue, 0); /* where the walk stood */
    ck_assert_uint_eq(arrival, 0);
    tear_down();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_row_belongs_to_its_queue_and_the_last_put_counts);
    tcase_add_test(tc, rows_come_in_the_order_of_arrival_queue_by_queue);
    tcase_add_test(tc, a_row_of_another_form_is_corrupt);
    tcase_add_test(tc, a_damaged_row_is_corrupt_wherever_it_is_read);
}

int main(void)
{
    return unit_main("relay/item", add);
}
