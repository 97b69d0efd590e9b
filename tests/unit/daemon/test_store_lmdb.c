/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/ballast.h"
#include "daemon/store/schema.h"
#include "lib/lmdb_rig.h"
#include "lib/tmpdir.h"
#include "lib/twin.h"
#include "lib/unit.h"
#include "store/mem.h"

static void lmdb_begin(void *ctx, struct store *store)
{
    ck_assert_ok(store_lmdb_begin(ctx, store));
}

static void lmdb_end(void *ctx, bool keep)
{
    if (keep) {
        (void)lmdb_rig_commit(ctx);
    } else {
        store_lmdb_abort(ctx);
    }
}

static void mem_begin(void *ctx, struct store *store)
{
    store_mem_begin(ctx, store);
}

static void mem_end(void *ctx, bool keep)
{
    if (keep) {
        ck_assert_ok(store_mem_commit(ctx));
    } else {
        store_mem_abort(ctx);
    }
}

START_TEST(random_transactions_agree_with_the_memory_store)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store_mem *mem = store_mem_new();
    struct twin_side a = {.ctx = db, .begin = lmdb_begin, .end = lmdb_end};
    struct twin_side b = {.ctx = mem, .begin = mem_begin, .end = mem_end};
    ck_assert_uint_gt(twin_run(&a, &b, 11, 200), 5000);

    store_lmdb_close(db); /* and the same after a restart */
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    a.ctx = db;
    ck_assert_uint_gt(twin_run(&a, &b, 12, 50), 1000);
    store_lmdb_close(db);
    store_mem_free(mem);
    tmpdir_remove(dir);
}
END_TEST

/* Of the turns that are kept one in eight is committed. */
static void mixed_end(void *ctx, bool keep)
{
    static unsigned n;
    if (!keep) {
        store_lmdb_abort(ctx);
    } else if (n++ % 8 == 7) {
        (void)lmdb_rig_commit(ctx);
    } else {
        lmdb_rig_log(ctx);
    }
}

START_TEST(logged_and_committed_turns_agree_with_the_memory_store)
{
    char dir[TMPDIR_PATH];
    uint64_t replayed = 0;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store_mem *mem = store_mem_new();
    struct twin_side a = {.ctx = db, .begin = lmdb_begin, .end = mixed_end};
    struct twin_side b = {.ctx = mem, .begin = mem_begin, .end = mem_end};
    for (unsigned life = 0; life < 12; life++) {
        a.ctx = db;
        ck_assert_uint_gt(twin_run(&a, &b, 100 + life, 30), 500);
        store_lmdb_close(db); /* as good as a crash: what was not committed is in the log alone */
        db = lmdb_rig_open(dir, LMDB_RIG_MAP);
        replayed += store_lmdb_replayed(db);
    }
    ck_assert_uint_gt(replayed, 12);
    a.ctx = db;
    ck_assert_uint_gt(twin_run(&a, &b, 99, 10), 100);
    store_lmdb_close(db);
    store_mem_free(mem);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_logged_turn_is_seen_by_turns_at_once_and_by_readers_after_a_commit)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "a");
    ck_assert_uint_eq(store_lmdb_logged(db), 0);
    lmdb_rig_log(db);
    ck_assert_uint_gt(store_lmdb_logged(db), 0);
    ck_assert(!lmdb_rig_readers_see(db, "a"));

    s = lmdb_rig_begin(db); /* a turn that puts nothing leaves it as it is */
    ck_assert(lmdb_rig_has(&s, "a"));
    lmdb_rig_log(db);
    ck_assert(!lmdb_rig_readers_see(db, "a"));

    s = lmdb_rig_begin(db); /* and committing such a one commits the others */
    ck_assert_ok(store_lmdb_commit(db));
    ck_assert(lmdb_rig_readers_see(db, "a"));
    ck_assert_uint_eq(store_lmdb_logged(db), 0);
    store_lmdb_close(db);
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(an_aborted_turn_takes_no_logged_one_with_it)
{
    char dir[TMPDIR_PATH];
    struct wal_range range;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "a");
    lmdb_rig_log(db);
    s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "b");
    ck_assert_ok(store_del(&s, STORE_CONSUMER, unit_str("a")));
    store_lmdb_abort(db);
    s = lmdb_rig_begin(db);
    ck_assert(lmdb_rig_has(&s, "a"));
    ck_assert(!lmdb_rig_has(&s, "b"));
    lmdb_rig_put(&s, "c");
    ck_assert_ok(store_lmdb_log(db, &range)); /* and is never flushed */
    store_lmdb_close(db);

    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(store_lmdb_replayed(db), 1);
    ck_assert(lmdb_rig_readers_see(db, "a"));
    ck_assert(!lmdb_rig_readers_see(db, "b"));
    ck_assert(!lmdb_rig_readers_see(db, "c"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

/* A row is committed and another one logged; then somebody puts a copy from before both back as
 * data, and leaves the log. Gives the number of the state that the log follows. */
static uint64_t log_and_put_back(const char *dir, const char *data)
{
    char old[TMPDIR_PATH + 16];
    snprintf(old, sizeof old, "%s/old.mdb", dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_ok(store_lmdb_copy(db, "old.mdb"));
    struct store s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "committed");
    lmdb_rig_commit(db);
    s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "logged");
    lmdb_rig_log(db);
    uint64_t logged = lmdb_rig_state(db);
    store_lmdb_close(db);
    ck_assert_int_eq(rename(old, data), 0);
    return logged;
}

START_TEST(a_log_fits_the_database_that_it_was_written_for_and_no_other)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 16];
    tmpdir_make(dir);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    (void)log_and_put_back(dir, path);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(!lmdb_rig_readers_see(db, "committed"));
    ck_assert(!lmdb_rig_readers_see(db, "logged"));
    store_lmdb_close(db);
    ck_assert_int_eq(unlink(path), 0); /* or a new database is made beside it */
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(!lmdb_rig_readers_see(db, "logged"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

/* The numbers fit, and what was done since was something else. */
START_TEST(a_log_does_not_fit_a_copy_that_went_on_in_another_way)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 16];
    tmpdir_make(dir);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    uint64_t logged = log_and_put_back(dir, path);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "another");
    lmdb_rig_commit(db);
    ck_assert_uint_eq(lmdb_rig_state(db), logged);
    store_lmdb_close(db);
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(lmdb_rig_readers_see(db, "another"));
    ck_assert(!lmdb_rig_readers_see(db, "logged"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(many_rows_split_and_merge_pages_like_the_memory_store)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store_mem *mem = store_mem_new();
    struct store_key k;
    static const uint8_t value[300];
    for (uint64_t round = 0; round < 6; round++) {
        struct store a = lmdb_rig_begin(db);
        struct store b;
        store_mem_begin(mem, &b);
        for (uint64_t i = 0; i < 5000; i++) {
            struct slice key =
                lmdb_rig_key(&k, (round * 5000 + i) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
            bool del = round % 2 == 1 && i % 8 != 0;
            struct slice v = slice_of(value, i % sizeof value);
            enum err ea =
                del ? store_del(&a, STORE_SPENT, key) : store_put(&a, STORE_SPENT, key, v);
            enum err eb =
                del ? store_del(&b, STORE_SPENT, key) : store_put(&b, STORE_SPENT, key, v);
            ck_assert_int_eq(ea, eb);
        }
        if (round % 2 == 1) { /* and a whole range */
            struct store_row row;
            while (store_seek(&a, STORE_SPENT, STORE_GE, lmdb_rig_key(&k, 30000), &row) == ERR_OK) {
                ck_assert_ok(store_del(&b, STORE_SPENT, row.key));
                ck_assert_ok(store_del(&a, STORE_SPENT, row.key));
            }
        }
        ck_assert_uint_gt(twin_compare(&a, &b), 1000);
        lmdb_rig_commit(db);
        ck_assert_ok(store_mem_commit(mem));
    }
    store_lmdb_close(db);
    store_mem_free(mem);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_turn_or_a_start_that_wrote_nothing_commits_nothing)
{
    char dir[TMPDIR_PATH];
    struct store_row row;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    uint64_t before = lmdb_rig_state(db);
    struct store s = lmdb_rig_begin(db);
    ck_assert(s.growth);
    ck_assert_ok(store_seek(&s, STORE_META, STORE_GE, slice_of(NULL, 0), &row));
    ck_assert_err(store_del(&s, STORE_META, unit_str("none")), ERR_NOT_FOUND);
    lmdb_rig_commit(db);
    ck_assert_uint_eq(lmdb_rig_state(db), before);
    s = lmdb_rig_begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    lmdb_rig_commit(db);
    ck_assert_uint_eq(lmdb_rig_state(db), before + 1);
    store_lmdb_close(db);
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert_uint_eq(lmdb_rig_state(db), before + 1);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(append_refuses_a_key_that_is_not_the_largest)
{
    char dir[TMPDIR_PATH];
    struct store_key k;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    for (uint64_t i = 1; i <= 1000; i++) {
        ck_assert_ok(store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, i), unit_str("payload")));
    }
    ck_assert_err(store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, 1000), unit_str("x")), ERR_BUG);
    ck_assert_err(store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, 7), unit_str("x")), ERR_BUG);
    ck_assert_ok(store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, 1001), unit_str("x")));
    lmdb_rig_commit(db);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_reader_keeps_its_snapshot_and_cannot_write)
{
    char dir[TMPDIR_PATH];
    struct slice v;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    (void)lmdb_rig_commit(db);

    struct store_lmdb_reader *reader;
    struct store r;
    ck_assert_ok(store_lmdb_read_begin(db, &reader, &r));
    s = lmdb_rig_begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("2")));
    (void)lmdb_rig_commit(db);
    ck_assert_ok(store_get(&r, STORE_META, unit_str("a"), &v));
    ck_assert(slice_equal(v, unit_str("1")));
    ck_assert_err(store_put(&r, STORE_META, unit_str("a"), unit_str("3")), ERR_BUG);
    ck_assert_err(store_append(&r, STORE_META, unit_str("z"), unit_str("3")), ERR_BUG);
    ck_assert_err(store_del(&r, STORE_META, unit_str("a")), ERR_BUG);
    store_lmdb_read_end(reader);

    ck_assert_ok(store_lmdb_read_begin(db, &reader, &r));
    ck_assert_ok(store_get(&r, STORE_META, unit_str("a"), &v));
    ck_assert(slice_equal(v, unit_str("2")));
    store_lmdb_read_end(reader);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static void put_raw_schema(const char *dir, struct slice row)
{
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    if (row.p != NULL) {
        ck_assert_ok(store_put(&s, STORE_META, unit_str("schema"), row));
    } else {
        ck_assert_ok(store_del(&s, STORE_META, unit_str("schema")));
    }
    ck_assert_ok(store_put(&s, STORE_META, unit_str("x"), unit_str("a row")));
    (void)lmdb_rig_commit(db);
    store_lmdb_close(db);
}

START_TEST(a_newer_schema_is_refused_by_the_name_of_its_writer)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 16];
    char writer[64] = "";
    struct stat st;
    struct store_lmdb *db = NULL;
    tmpdir_make(dir);
    put_raw_schema(dir, slice_of("\0\0\0\xffpetreld 9.8", 15));
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    ck_assert_int_eq(truncate(path, 100000), 0); /* all its pages, and little more */
    ck_assert_err(store_lmdb_open(&db, dir, LMDB_RIG_MAP, writer), ERR_SCHEMA_NEWER);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 100000);
    ck_assert_str_eq(writer, "petreld 9.8");
    ck_assert_ptr_null(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_damaged_or_missing_schema_row_is_corrupt)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"\0\0\0", 3}, {"\0\0\0\0x", 5}, {"\0\0\0\1p\n", 6}, {NULL, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char dir[TMPDIR_PATH];
        char writer[64];
        struct store_lmdb *db = NULL;
        tmpdir_make(dir);
        put_raw_schema(dir, slice_of(bad[i].bytes, bad[i].len));
        ck_assert_err(store_lmdb_open(&db, dir, LMDB_RIG_MAP, writer), ERR_CORRUPT);
        ck_assert_ptr_null(db);
        tmpdir_remove(dir);
    }
}
END_TEST

START_TEST(a_file_that_is_no_database_is_corrupt)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 16];
    char writer[64];
    struct store_lmdb *db = NULL;
    tmpdir_make(dir);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 8192; i++) {
        fputc('x', f);
    }
    fclose(f);
    ck_assert_err(store_lmdb_open(&db, dir, LMDB_RIG_MAP, writer), ERR_CORRUPT);
    tmpdir_remove(dir);
}
END_TEST

/* In the child: commits 20 rows one by one, begins a turn, puts more, says so and waits. */
static void child_that_is_killed(const char *dir, int fd)
{
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store_key k;
    for (uint64_t i = 0; i < 20; i++) {
        struct store s = lmdb_rig_begin(db);
        ck_assert_ok(store_append(&s, STORE_EVENT, lmdb_rig_key(&k, i), unit_str("committed")));
        (void)lmdb_rig_commit(db);
    }
    struct store s = lmdb_rig_begin(db);
    for (uint64_t i = 20; i < 500; i++) {
        ck_assert_ok(
            store_append(&s, STORE_EVENT, lmdb_rig_key(&k, i), unit_str("never committed")));
    }
    ck_assert_ok(store_del(&s, STORE_EVENT, lmdb_rig_key(&k, 3)));
    (void)!write(fd, "x", 1);
    for (;;) {
        pause();
    }
}

START_TEST(a_kill_in_the_middle_of_a_turn_leaves_only_committed_rows)
{
    char dir[TMPDIR_PATH];
    char byte;
    int fds[2];
    int status;
    tmpdir_make(dir);
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child_that_is_killed(dir, fds[1]);
    }
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    close(fds[0]);

    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    struct store s = lmdb_rig_begin(db);
    struct store_row row;
    struct store_key k;
    struct slice at = slice_of(NULL, 0);
    uint64_t n = 0;
    while (store_seek(&s, STORE_EVENT, STORE_GT, at, &row) == ERR_OK) {
        ck_assert(slice_equal(row.key, lmdb_rig_key(&k, n)));
        ck_assert(slice_equal(row.value, unit_str("committed")));
        at = store_key_slice(&k);
        n++;
    }
    ck_assert_uint_eq(n, 20);
    ck_assert_ok(store_append(&s, STORE_EVENT, lmdb_rig_key(&k, 20), unit_str("goes on")));
    lmdb_rig_commit(db);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, random_transactions_agree_with_the_memory_store);
    tcase_add_test(tc, logged_and_committed_turns_agree_with_the_memory_store);
    tcase_add_test(tc, a_logged_turn_is_seen_by_turns_at_once_and_by_readers_after_a_commit);
    tcase_add_test(tc, an_aborted_turn_takes_no_logged_one_with_it);
    tcase_add_test(tc, a_log_fits_the_database_that_it_was_written_for_and_no_other);
    tcase_add_test(tc, a_log_does_not_fit_a_copy_that_went_on_in_another_way);
    tcase_add_test(tc, many_rows_split_and_merge_pages_like_the_memory_store);
    tcase_add_test(tc, a_turn_or_a_start_that_wrote_nothing_commits_nothing);
    tcase_add_test(tc, append_refuses_a_key_that_is_not_the_largest);
    tcase_add_test(tc, a_reader_keeps_its_snapshot_and_cannot_write);
    tcase_add_test(tc, a_newer_schema_is_refused_by_the_name_of_its_writer);
    tcase_add_test(tc, a_damaged_or_missing_schema_row_is_corrupt);
    tcase_add_test(tc, a_file_that_is_no_database_is_corrupt);
    tcase_add_test(tc, a_kill_in_the_middle_of_a_turn_leaves_only_committed_rows);
}

int main(void)
{
    return unit_main("daemon/store_lmdb", add);
}
