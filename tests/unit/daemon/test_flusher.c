/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flusher.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"

enum {
    MAP_BYTES = 1 << 26,
};

static char DIR[TMPDIR_PATH];
static struct store_lmdb *DB;
static struct home *HOME;
static struct channel CH;
static struct flusher F;

static void wake(void *ctx)
{
    (void)ctx;
}

static void set_up(void)
{
    char writer[64];
    char reason[HOME_REASON];
    tmpdir_make(DIR);
    ck_assert_ok(home_open(&HOME, DIR, reason));
    ck_assert_ok(store_lmdb_open(&DB, DIR, MAP_BYTES, writer));
    CH = (struct channel){.wake = NULL};
    channel_init(&CH, wake, NULL);
    F = (struct flusher){.db = NULL};
    ck_assert_ok(flusher_start(&F, DB, &CH, HOME));
}

static void tear_down(void)
{
    flusher_stop(&F);
    flusher_fini(&F);
    channel_fini(&CH);
    store_lmdb_close(DB);
    home_close(HOME);
    tmpdir_remove(DIR);
}

static struct node_outputs output(uint64_t link)
{
    struct node_output *o = calloc(1, sizeof *o);
    ck_assert_ptr_nonnull(o);
    o->kind = NODE_OUT_CLOSE;
    o->link = link;
    return (struct node_outputs){.first = o, .last = o, .count = 1};
}

/* A turn that puts something and has an output for link. */
static void turn(uint64_t link)
{
    struct store s;
    struct wal_range range;
    struct node_outputs outs = output(link);
    ck_assert_ok(store_lmdb_begin(DB, &s));
    ck_assert_ok(store_put(&s, STORE_CONSUMER, slice_of(&link, sizeof link), unit_str("v")));
    ck_assert_ok(store_lmdb_log(DB, &range));
    ck_assert_uint_gt(range.to, range.from);
    flusher_put(&F, range, &outs);
    ck_assert_ptr_null(outs.first);
}

/* One that puts nothing. */
static void idle_turn(uint64_t link)
{
    struct node_outputs outs = output(link);
    flusher_put(&F, (struct wal_range){.from = 0}, &outs);
}

/* The released outputs are those for first, first + 1 and so on. */
static void check_released(uint64_t first, size_t count)
{
    struct node_outputs outs = {.first = NULL};
    channel_take(&CH, &outs);
    ck_assert_uint_eq(outs.count, count);
    for (const struct node_output *o = outs.first; o != NULL; o = o->next) {
        ck_assert_uint_eq(o->link, first++);
    }
    node_outputs_free(&outs);
}

START_TEST(outputs_are_released_in_the_order_of_turns_when_they_are_durable)
{
    set_up();
    for (uint64_t i = 1; i <= 200; i++) {
        if (i % 3 == 0) {
            idle_turn(i);
        } else {
            turn(i);
        }
    }
    ck_assert_ok(flusher_wait(&F));
    check_released(1, 200);
    ck_assert_ok(flusher_failed(&F));
    size_t logged = store_lmdb_logged(DB);
    ck_assert_uint_gt(logged, 100 * WAL_BLOCK);
    tear_down();
}
END_TEST

START_TEST(what_changed_nothing_is_released_at_once)
{
    set_up();
    idle_turn(1);
    check_released(1, 1);
    tear_down();
}
END_TEST

START_TEST(what_was_put_is_flushed_before_the_thread_ends)
{
    char writer[64];
    set_up();
    for (uint64_t i = 1; i <= 50; i++) {
        turn(i);
    }
    flusher_stop(&F);
    check_released(1, 50);
    store_lmdb_close(DB);
    ck_assert_ok(store_lmdb_open(&DB, DIR, MAP_BYTES, writer));
    ck_assert_uint_eq(store_lmdb_replayed(DB), 50);
    tear_down();
}
END_TEST

START_TEST(what_was_read_in_a_turn_that_is_not_durable_is_not_released)
{
    char path[TMPDIR_PATH + 8];
    struct store s;
    struct wal_range range;
    struct node_outputs none = {.first = NULL};
    set_up();
    snprintf(path, sizeof path, "%s/wal", DIR);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* where the file is to be */
    ck_assert_ok(store_lmdb_begin(DB, &s));
    ck_assert_ok(store_put(&s, STORE_CONSUMER, unit_str("k"), unit_str("v")));
    ck_assert_ok(store_lmdb_log(DB, &range));
    flusher_put(&F, range, &none); /* a turn without outputs */
    ck_assert_err(flusher_wait(&F), ERR_IO);
    idle_turn(1);
    check_released(1, 0);
    ck_assert_ok(store_lmdb_begin(DB, &s));
    ck_assert_ok(store_lmdb_commit(DB));
    flusher_release(&F);
    check_released(1, 1);
    tear_down();
}
END_TEST

START_TEST(nothing_is_released_that_the_log_could_not_take)
{
    char path[TMPDIR_PATH + 8];
    struct store s;
    set_up();
    snprintf(path, sizeof path, "%s/wal", DIR);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* where the file is to be */
    turn(1);
    ck_assert_err(flusher_wait(&F), ERR_IO);
    ck_assert_err(flusher_failed(&F), ERR_IO);
    idle_turn(2); /* what was read in it must not get out either */
    turn(3);
    check_released(1, 0);
    ck_assert_err(flusher_wait(&F), ERR_IO);

    ck_assert_ok(store_lmdb_begin(DB, &s));
    ck_assert_ok(store_lmdb_commit(DB));
    flusher_release(&F);
    check_released(1, 3);
    idle_turn(4);
    check_released(4, 1);
    tear_down();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, outputs_are_released_in_the_order_of_turns_when_they_are_durable);
    tcase_add_test(tc, what_changed_nothing_is_released_at_once);
    tcase_add_test(tc, what_was_put_is_flushed_before_the_thread_ends);
    tcase_add_test(tc, what_was_read_in_a_turn_that_is_not_durable_is_not_released);
    tcase_add_test(tc, nothing_is_released_that_the_log_could_not_take);
}

int main(void)
{
    return unit_main("daemon/flusher", add);
}
