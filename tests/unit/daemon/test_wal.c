/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/wal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tmpdir.h"
#include "lib/twin.h"
#include "lib/unit.h"
#include "store/mem.h"

enum {
    TURNS = 6,
};

static char DIR[TMPDIR_PATH];
static char PATH[TMPDIR_PATH + 8];
static struct wal *W;
static uint64_t SEED; /* of the database's state */

static void set_up(void)
{
    tmpdir_make(DIR);
    snprintf(PATH, sizeof PATH, "%s/wal", DIR);
    SEED = 0;
    ck_assert_ok(wal_open(&W, DIR));
}

static void tear_down(void)
{
    wal_close(W);
    tmpdir_remove(DIR);
}

/* As after a crash: what was not flushed is gone. Gives the number of records that are found. */
static uint64_t reopen(uint64_t after)
{
    uint64_t count = 0;
    wal_close(W);
    ck_assert_ok(wal_open(&W, DIR));
    ck_assert_ok(wal_read(W, (struct wal_state){.number = after, .seed = SEED}, &count));
    ck_assert_uint_eq(wal_last(W), after + count);
    return count;
}

/* What turn i changes: it counts, adds a row of its own, of i pages and a bit, and deletes the one
 * before. */
static void changes(struct wal *w, unsigned i)
{
    static const uint8_t bytes[TURNS * 4096 + 1];
    uint8_t key[] = {(uint8_t)i};
    uint8_t before[] = {(uint8_t)(i - 1)};
    wal_put(w, STORE_META, unit_str("turn"), slice_of(key, 1));
    wal_put(w, STORE_EVENT, slice_of(key, 1), slice_of(bytes, i * 4096 + 1));
    if (i > 1) {
        wal_del(w, STORE_EVENT, slice_of(before, 1));
    }
}

static struct wal_range turn(unsigned i)
{
    struct wal_range range;
    changes(W, i);
    ck_assert(wal_seal(W, &range));
    ck_assert_uint_eq(range.from % WAL_BLOCK, 0);
    ck_assert_uint_gt(range.to, range.from);
    return range;
}

/* The store after so many turns, from the log. */
static void check_state(uint64_t turns)
{
    struct store_mem *mem = store_mem_new();
    struct store s;
    struct slice v;
    uint8_t key[] = {(uint8_t)turns};
    store_mem_begin(mem, &s);
    ck_assert_ok(wal_apply(W, &s));
    ck_assert_uint_eq(store_mem_count(mem, STORE_EVENT), turns > 0 ? 1 : 0);
    if (turns > 0) {
        ck_assert_ok(store_get(&s, STORE_META, unit_str("turn"), &v));
        ck_assert(slice_equal(v, slice_of(key, 1)));
        ck_assert_ok(store_get(&s, STORE_EVENT, slice_of(key, 1), &v));
        ck_assert_uint_eq(v.len, turns * 4096 + 1);
    }
    store_mem_abort(mem);
    store_mem_free(mem);
}

START_TEST(what_was_flushed_is_found_and_nothing_else)
{
    set_up();
    ck_assert_uint_eq(reopen(0), 0); /* no file */
    struct wal_range a = turn(1);
    struct wal_range b = turn(2);
    ck_assert_uint_eq(a.to, b.from);
    ck_assert_ok(wal_flush(W, (struct wal_range){.from = a.from, .to = b.to}));
    (void)turn(3); /* not flushed */
    changes(W, 4); /* not even ended */
    check_state(3);
    wal_cancel(W);
    ck_assert_uint_eq(reopen(0), 2);
    check_state(2);
    ck_assert_ok(wal_flush(W, turn(3)));
    ck_assert_uint_eq(reopen(0), 3);
    check_state(3);
    tear_down();
}
END_TEST

START_TEST(a_record_that_the_database_has_is_left)
{
    set_up();
    ck_assert_ok(wal_flush(W, turn(1)));
    ck_assert_uint_eq(wal_last(W), 1);
    ck_assert_uint_gt(wal_bytes(W), 0);
    wal_restart(
        W, (struct wal_state){.number = 2, .seed = SEED}); /* the database has turn 1, as state 2 */
    ck_assert_uint_eq(wal_bytes(W), 0);
    ck_assert_uint_eq(wal_last(W), 2);
    struct wal_range second = turn(2);
    ck_assert_uint_eq(second.from, 0);
    ck_assert_uint_eq(reopen(2), 0); /* a crash before it was flushed: turn 1 is in the file */
    second = turn(2);
    ck_assert_ok(wal_flush(W, second));
    ck_assert_uint_eq(reopen(2), 1);
    ck_assert_uint_eq(reopen(1), 0); /* it follows state 2 and no other */
    ck_assert_uint_eq(reopen(3), 0);
    tear_down();
}
END_TEST

/* Another database may have come to a state of the same number. */
START_TEST(a_record_that_follows_another_seed_is_left)
{
    uint64_t none;
    set_up();
    SEED = 5;
    ck_assert_ok(wal_read(W, (struct wal_state){.number = 7, .seed = SEED}, &none));
    ck_assert_uint_eq(none, 0);
    ck_assert_ok(wal_flush(W, turn(1)));
    ck_assert_ok(wal_flush(W, turn(2)));
    ck_assert_uint_eq(reopen(7), 2);
    check_state(2);
    SEED = 6;
    ck_assert_uint_eq(reopen(7), 0);
    SEED = 5;
    ck_assert_uint_eq(reopen(7), 2);
    tear_down();
}
END_TEST

static size_t file_size(void)
{
    struct stat st;
    ck_assert_int_eq(stat(PATH, &st), 0);
    return (size_t)st.st_size;
}

static size_t log_of_turns(struct wal_range ranges[static TURNS])
{
    for (unsigned i = 0; i < TURNS; i++) {
        ranges[i] = turn(i + 1);
        ck_assert_ok(wal_flush(W, ranges[i]));
    }
    return ranges[TURNS - 1].to;
}

/* How many of the records lie before at. */
static unsigned whole_before(const struct wal_range ranges[static TURNS], size_t at)
{
    unsigned n = 0;
    while (n < TURNS && ranges[n].to <= at) {
        n++;
    }
    return n;
}

/* Whether this process has the log open past the page cache. */
static bool is_direct(void)
{
    struct stat log;
    struct stat st;
    ck_assert_int_eq(stat(PATH, &log), 0);
    for (int fd = 0; fd < 64; fd++) {
        if (fstat(fd, &st) == 0 && st.st_dev == log.st_dev && st.st_ino == log.st_ino) {
            return (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
        }
    }
    ck_abort_msg("the log is not open");
}

START_TEST(a_file_that_was_cut_gives_the_turns_before_the_cut)
{
    struct wal_range ranges[TURNS];
    set_up();
    size_t end = log_of_turns(ranges);
    bool direct = is_direct();
    ck_assert_uint_ge(file_size(), end);
    for (size_t cut = end; cut > 0; cut -= 512) {
        ck_assert_int_eq(truncate(PATH, (off_t)cut), 0);
        unsigned whole = whole_before(ranges, cut);
        ck_assert_uint_eq(reopen(0), whole);
        check_state(whole);
        ck_assert(is_direct() == direct); /* a length of no whole blocks is no reason */
    }
    tear_down();
}
END_TEST

/* Writes junk over one sector of the file; gives what was there. */
static void sector_swap(size_t at, uint8_t sector[static 512])
{
    uint8_t old[512];
    int fd = open(PATH, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, old, sizeof old, (off_t)at), sizeof old);
    ck_assert_int_eq(pwrite(fd, sector, sizeof old, (off_t)at), sizeof old);
    ck_assert_int_eq(close(fd), 0);
    memcpy(sector, old, sizeof old);
}

START_TEST(a_sector_that_never_reached_the_disk_ends_the_log_there)
{
    struct wal_range ranges[TURNS];
    unsigned shorter = 0;
    set_up();
    size_t end = log_of_turns(ranges);
    for (size_t at = 0; at < end; at += 512) {
        uint8_t sector[512];
        memset(sector, 0x5a, sizeof sector);
        sector_swap(at, sector);
        uint64_t found = reopen(0);
        unsigned whole = whole_before(ranges, at);
        /* Padding may hold anything. */
        ck_assert(found == whole || found == TURNS);
        check_state(found);
        shorter += found == whole;
        sector_swap(at, sector);
    }
    ck_assert_uint_gt(shorter, end / 512 / 2);
    ck_assert_uint_eq(reopen(0), TURNS);
    tear_down();
}
END_TEST

START_TEST(a_record_of_an_earlier_life_never_follows_a_new_one)
{
    struct wal_range ranges[TURNS];
    uint8_t sector[512] = {0};
    set_up();
    (void)log_of_turns(ranges);
    sector_swap(0, sector); /* the first turn never reached the disk, those behind it did */
    ck_assert_uint_eq(reopen(0), 0);
    struct wal_range again = turn(1); /* the very same changes, of the same size */
    ck_assert_uint_eq(again.to, ranges[0].to);
    ck_assert_ok(wal_flush(W, again));
    ck_assert_uint_eq(reopen(0), 1);
    check_state(1);
    tear_down();
}
END_TEST

START_TEST(a_turn_that_does_not_fit_leaves_the_log_as_it_was)
{
    struct wal_range range;
    uint8_t *value = calloc(1, STORE_VALUE);
    set_up();
    ck_assert_ok(wal_flush(W, turn(1)));
    for (size_t i = 0; i <= WAL_CAPACITY / STORE_VALUE; i++) {
        wal_put(W, STORE_LOG_1D, slice_of(&i, sizeof i), slice_of(value, STORE_VALUE));
    }
    ck_assert(!wal_seal(W, &range));
    ck_assert_uint_eq(wal_last(W), 1);
    ck_assert_ok(wal_flush(W, turn(2)));
    ck_assert_uint_eq(reopen(0), 2);
    check_state(2);
    free(value);
    tear_down();
}
END_TEST

START_TEST(the_log_is_full_to_the_last_block_and_not_beyond)
{
    static const uint8_t value[WAL_BLOCK - WAL_HEADER - 64];
    struct wal_range range;
    set_up();
    for (size_t n = 0; n < WAL_CAPACITY / WAL_BLOCK; n++) {
        wal_put(W, STORE_META, unit_str("k"), slice_of(value, sizeof value));
        ck_assert(wal_seal(W, &range));
    }
    ck_assert_uint_eq(range.to, WAL_CAPACITY);
    wal_put(W, STORE_META, unit_str("k"), slice_of(value, sizeof value));
    ck_assert(!wal_seal(W, &range));
    ck_assert_ok(wal_flush(W, (struct wal_range){.from = 0, .to = WAL_CAPACITY}));
    ck_assert_uint_eq(reopen(0), WAL_CAPACITY / WAL_BLOCK);
    tear_down();
}
END_TEST

START_TEST(a_log_that_cannot_be_written_says_so_each_time)
{
    set_up();
    ck_assert_int_eq(rmdir(DIR), 0);
    ck_assert_err(wal_flush(W, turn(1)), ERR_IO);
    ck_assert_int_eq(mkdir(DIR, 0700), 0);
    ck_assert_err(wal_flush(W, turn(2)), ERR_IO); /* turn 1 is not there */
    tear_down();
}
END_TEST

/* --- what is no record --- */

static const uint8_t life[WAL_LIFE] = {1, 2, 3};

static enum err apply(struct slice bytes)
{
    struct store_mem *mem = store_mem_new();
    struct store s;
    store_mem_begin(mem, &s);
    enum err err = wal_changes_apply(bytes, &s);
    store_mem_abort(mem);
    store_mem_free(mem);
    return err;
}

START_TEST(changes_that_nobody_wrote_are_corrupt)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x03\x04meta\x01k", 8},                   /* no kind */
        {"\x01\x04mete\x01k\0\0\0\0", 12},          /* no table */
        {"\x01\x04meta\0\0\0\0\0", 11},             /* no key */
        {"\x01\x04meta\x81", 7},                    /* a key that is not there */
        {"\x01\x04meta\x01k\0\0\0\x02v", 13},       /* half a value */
        {"\x01\x04meta\x01k\xff\xff\xff\xffv", 13}, /* a length beyond everything */
        {"\x02\x04meta\x01k", 8},                   /* deletes what is not there */
        {"\x01\x04meta\x01k\0\0\0\x01v\x01", 14},   /* a change that only begins */
    };
    static const char good[] = "\x01\x04meta\x01k\0\0\0\x01v\x02\x04meta\x01k";
    ck_assert_ok(apply(slice_of(good, sizeof good - 1)));
    ck_assert_ok(apply(slice_of(NULL, 0)));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_err(apply(slice_of(bad[i].bytes, bad[i].len)), ERR_CORRUPT);
    }
}
END_TEST

START_TEST(a_record_opens_only_whole_in_its_place)
{
    uint8_t record[WAL_HEADER + 100] = {0};
    uint64_t got;
    memset(record + WAL_HEADER, 7, 100);
    uint64_t sum = wal_record_seal(record, 100, 9, life, 5);
    struct slice whole = slice_of(record, sizeof record);
    ck_assert(slice_equal(wal_record_open(whole, 9, 5, &got), slice_of(record + WAL_HEADER, 100)));
    ck_assert_uint_eq(got, sum);
    ck_assert_ptr_null(wal_record_open(whole, 8, 5, &got).p);
    ck_assert_ptr_null(wal_record_open(whole, 9, 6, &got).p);
    for (size_t len = 0; len < sizeof record; len++) {
        ck_assert_ptr_null(wal_record_open(slice_of(record, len), 9, 5, &got).p);
    }
    for (size_t i = 0; i < 8 * sizeof record; i++) {
        record[i / 8] ^= (uint8_t)(1U << i % 8);
        ck_assert_ptr_null(wal_record_open(whole, 9, 5, &got).p);
        record[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    ck_assert_uint_eq(wal_record_size(0), WAL_BLOCK);
    ck_assert_uint_eq(wal_record_size(WAL_BLOCK - WAL_HEADER), WAL_BLOCK);
    ck_assert_uint_eq(wal_record_size(WAL_BLOCK - WAL_HEADER + 1), 2 * WAL_BLOCK);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_was_flushed_is_found_and_nothing_else);
    tcase_add_test(tc, a_record_that_the_database_has_is_left);
    tcase_add_test(tc, a_record_that_follows_another_seed_is_left);
    tcase_add_test(tc, a_file_that_was_cut_gives_the_turns_before_the_cut);
    tcase_add_test(tc, a_sector_that_never_reached_the_disk_ends_the_log_there);
    tcase_add_test(tc, a_record_of_an_earlier_life_never_follows_a_new_one);
    tcase_add_test(tc, a_turn_that_does_not_fit_leaves_the_log_as_it_was);
    tcase_add_test(tc, the_log_is_full_to_the_last_block_and_not_beyond);
    tcase_add_test(tc, a_log_that_cannot_be_written_says_so_each_time);
    tcase_add_test(tc, changes_that_nobody_wrote_are_corrupt);
    tcase_add_test(tc, a_record_opens_only_whole_in_its_place);
}

int main(void)
{
    return unit_main("daemon/wal", add);
}
