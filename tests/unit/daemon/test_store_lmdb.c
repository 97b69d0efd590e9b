/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/ballast.h"
#include "daemon/store/schema.h"
#include "lib/tmpdir.h"
#include "lib/twin.h"
#include "lib/unit.h"
#include "store/mem.h"

enum {
    MAP_BYTES = 1 << 30,
    NO_DISK = 77, /* exit code: no small file system to be had */
    FULL_START_TURNS = 50,
    FULL_START_ROWS = 30, /* a turn: together more than the database's file has kept ahead */
};

static struct store_lmdb *open_db(const char *dir, size_t map_bytes)
{
    struct store_lmdb *db = NULL;
    char writer[64];
    ck_assert_ok(store_lmdb_open(&db, dir, map_bytes, writer));
    return db;
}

static struct store begin(struct store_lmdb *db)
{
    struct store s;
    ck_assert_ok(store_lmdb_begin(db, &s));
    return s;
}

static void commit(struct store_lmdb *db)
{
    ck_assert_ok(store_lmdb_commit(db));
}

static struct slice key_of(struct store_key *k, uint64_t v)
{
    *k = store_key_new();
    store_key_u64(k, v);
    return store_key_slice(k);
}

static void lmdb_begin(void *ctx, struct store *store)
{
    ck_assert_ok(store_lmdb_begin(ctx, store));
}

static void lmdb_end(void *ctx, bool keep)
{
    if (keep) {
        (void)commit(ctx);
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store_mem *mem = store_mem_new();
    struct twin_side a = {.ctx = db, .begin = lmdb_begin, .end = lmdb_end};
    struct twin_side b = {.ctx = mem, .begin = mem_begin, .end = mem_end};
    ck_assert_uint_gt(twin_run(&a, &b, 11, 200), 5000);

    store_lmdb_close(db); /* and the same after a restart */
    db = open_db(dir, MAP_BYTES);
    a.ctx = db;
    ck_assert_uint_gt(twin_run(&a, &b, 12, 50), 1000);
    store_lmdb_close(db);
    store_mem_free(mem);
    tmpdir_remove(dir);
}
END_TEST

/* Ends the turn in the log, flushed. */
static void keep_in_log(struct store_lmdb *db)
{
    struct wal_range range;
    ck_assert_ok(store_lmdb_log(db, &range));
    if (range.to > range.from) {
        ck_assert_ok(store_lmdb_flush(db, range));
    }
}

/* Of the turns that are kept one in eight is committed. */
static void mixed_end(void *ctx, bool keep)
{
    static unsigned n;
    if (!keep) {
        store_lmdb_abort(ctx);
    } else if (n++ % 8 == 7) {
        (void)commit(ctx);
    } else {
        keep_in_log(ctx);
    }
}

START_TEST(logged_and_committed_turns_agree_with_the_memory_store)
{
    char dir[TMPDIR_PATH];
    uint64_t replayed = 0;
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store_mem *mem = store_mem_new();
    struct twin_side a = {.ctx = db, .begin = lmdb_begin, .end = mixed_end};
    struct twin_side b = {.ctx = mem, .begin = mem_begin, .end = mem_end};
    for (unsigned life = 0; life < 12; life++) {
        a.ctx = db;
        ck_assert_uint_gt(twin_run(&a, &b, 100 + life, 30), 500);
        store_lmdb_close(db); /* as good as a crash: what was not committed is in the log alone */
        db = open_db(dir, MAP_BYTES);
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

static bool has(struct store *s, const char *key)
{
    struct slice v;
    return store_get(s, STORE_CONSUMER, unit_str(key), &v) == ERR_OK;
}

static void put_row(struct store *s, const char *key)
{
    ck_assert_ok(store_put(s, STORE_CONSUMER, unit_str(key), unit_str("v")));
}

static bool readers_see(struct store_lmdb *db, const char *key)
{
    struct store_lmdb_reader *reader;
    struct store r;
    ck_assert_ok(store_lmdb_read_begin(db, &reader, &r));
    bool seen = has(&r, key);
    store_lmdb_read_end(reader);
    return seen;
}

START_TEST(a_logged_turn_is_seen_by_turns_at_once_and_by_readers_after_a_commit)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    put_row(&s, "a");
    ck_assert_uint_eq(store_lmdb_logged(db), 0);
    keep_in_log(db);
    ck_assert_uint_gt(store_lmdb_logged(db), 0);
    ck_assert(!readers_see(db, "a"));

    s = begin(db); /* a turn that puts nothing leaves it as it is */
    ck_assert(has(&s, "a"));
    keep_in_log(db);
    ck_assert(!readers_see(db, "a"));

    s = begin(db); /* and committing such a one commits the others */
    ck_assert_ok(store_lmdb_commit(db));
    ck_assert(readers_see(db, "a"));
    ck_assert_uint_eq(store_lmdb_logged(db), 0);
    store_lmdb_close(db);
    db = open_db(dir, MAP_BYTES);
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    put_row(&s, "a");
    keep_in_log(db);
    s = begin(db);
    put_row(&s, "b");
    ck_assert_ok(store_del(&s, STORE_CONSUMER, unit_str("a")));
    store_lmdb_abort(db);
    s = begin(db);
    ck_assert(has(&s, "a"));
    ck_assert(!has(&s, "b"));
    put_row(&s, "c");
    ck_assert_ok(store_lmdb_log(db, &range)); /* and is never flushed */
    store_lmdb_close(db);

    db = open_db(dir, MAP_BYTES);
    ck_assert_uint_eq(store_lmdb_replayed(db), 1);
    ck_assert(readers_see(db, "a"));
    ck_assert(!readers_see(db, "b"));
    ck_assert(!readers_see(db, "c"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

/* The number of the database's state. */
static uint64_t state(struct store_lmdb *db)
{
    struct store s = begin(db);
    struct slice row;
    ck_assert_ok(store_get(&s, STORE_META, unit_str("wal"), &row));
    struct reader r = reader_of(row);
    uint64_t number = reader_u64(&r);
    store_lmdb_abort(db);
    return number;
}

/* A row is committed and another one logged; then somebody puts a copy from before both back as
 * data, and leaves the log. Gives the number of the state that the log follows. */
static uint64_t log_and_put_back(const char *dir, const char *data)
{
    char old[TMPDIR_PATH + 16];
    snprintf(old, sizeof old, "%s/old.mdb", dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    ck_assert_ok(store_lmdb_copy(db, "old.mdb"));
    struct store s = begin(db);
    put_row(&s, "committed");
    commit(db);
    s = begin(db);
    put_row(&s, "logged");
    keep_in_log(db);
    uint64_t logged = state(db);
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(!readers_see(db, "committed"));
    ck_assert(!readers_see(db, "logged"));
    store_lmdb_close(db);
    ck_assert_int_eq(unlink(path), 0); /* or a new database is made beside it */
    db = open_db(dir, MAP_BYTES);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(!readers_see(db, "logged"));
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    put_row(&s, "another");
    commit(db);
    ck_assert_uint_eq(state(db), logged);
    store_lmdb_close(db);
    db = open_db(dir, MAP_BYTES);
    ck_assert_uint_eq(store_lmdb_replayed(db), 0);
    ck_assert(readers_see(db, "another"));
    ck_assert(!readers_see(db, "logged"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(many_rows_split_and_merge_pages_like_the_memory_store)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store_mem *mem = store_mem_new();
    struct store_key k;
    static const uint8_t value[300];
    for (uint64_t round = 0; round < 6; round++) {
        struct store a = begin(db);
        struct store b;
        store_mem_begin(mem, &b);
        for (uint64_t i = 0; i < 5000; i++) {
            struct slice key = key_of(&k, (round * 5000 + i) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
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
            while (store_seek(&a, STORE_SPENT, STORE_GE, key_of(&k, 30000), &row) == ERR_OK) {
                ck_assert_ok(store_del(&b, STORE_SPENT, row.key));
                ck_assert_ok(store_del(&a, STORE_SPENT, row.key));
            }
        }
        ck_assert_uint_gt(twin_compare(&a, &b), 1000);
        commit(db);
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    uint64_t before = state(db);
    struct store s = begin(db);
    ck_assert(s.growth);
    ck_assert_ok(store_seek(&s, STORE_META, STORE_GE, slice_of(NULL, 0), &row));
    ck_assert_err(store_del(&s, STORE_META, unit_str("none")), ERR_NOT_FOUND);
    commit(db);
    ck_assert_uint_eq(state(db), before);
    s = begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    commit(db);
    ck_assert_uint_eq(state(db), before + 1);
    store_lmdb_close(db);
    db = open_db(dir, MAP_BYTES);
    ck_assert_uint_eq(state(db), before + 1);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(append_refuses_a_key_that_is_not_the_largest)
{
    char dir[TMPDIR_PATH];
    struct store_key k;
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    for (uint64_t i = 1; i <= 1000; i++) {
        ck_assert_ok(store_append(&s, STORE_LOG_1D, key_of(&k, i), unit_str("payload")));
    }
    ck_assert_err(store_append(&s, STORE_LOG_1D, key_of(&k, 1000), unit_str("x")), ERR_BUG);
    ck_assert_err(store_append(&s, STORE_LOG_1D, key_of(&k, 7), unit_str("x")), ERR_BUG);
    ck_assert_ok(store_append(&s, STORE_LOG_1D, key_of(&k, 1001), unit_str("x")));
    commit(db);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_reader_keeps_its_snapshot_and_cannot_write)
{
    char dir[TMPDIR_PATH];
    struct slice v;
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    (void)commit(db);

    struct store_lmdb_reader *reader;
    struct store r;
    ck_assert_ok(store_lmdb_read_begin(db, &reader, &r));
    s = begin(db);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("2")));
    (void)commit(db);
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
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    if (row.p != NULL) {
        ck_assert_ok(store_put(&s, STORE_META, unit_str("schema"), row));
    } else {
        ck_assert_ok(store_del(&s, STORE_META, unit_str("schema")));
    }
    ck_assert_ok(store_put(&s, STORE_META, unit_str("x"), unit_str("a row")));
    (void)commit(db);
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
    ck_assert_err(store_lmdb_open(&db, dir, MAP_BYTES, writer), ERR_SCHEMA_NEWER);
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
        ck_assert_err(store_lmdb_open(&db, dir, MAP_BYTES, writer), ERR_CORRUPT);
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
    ck_assert_err(store_lmdb_open(&db, dir, MAP_BYTES, writer), ERR_CORRUPT);
    tmpdir_remove(dir);
}
END_TEST

/* In the child: commits 20 rows one by one, begins a turn, puts more, says so and waits. */
static void child_that_is_killed(const char *dir, int fd)
{
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store_key k;
    for (uint64_t i = 0; i < 20; i++) {
        struct store s = begin(db);
        ck_assert_ok(store_append(&s, STORE_EVENT, key_of(&k, i), unit_str("committed")));
        (void)commit(db);
    }
    struct store s = begin(db);
    for (uint64_t i = 20; i < 500; i++) {
        ck_assert_ok(store_append(&s, STORE_EVENT, key_of(&k, i), unit_str("never committed")));
    }
    ck_assert_ok(store_del(&s, STORE_EVENT, key_of(&k, 3)));
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

    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    struct store s = begin(db);
    struct store_row row;
    struct store_key k;
    struct slice at = slice_of(NULL, 0);
    uint64_t n = 0;
    while (store_seek(&s, STORE_EVENT, STORE_GT, at, &row) == ERR_OK) {
        ck_assert(slice_equal(row.key, key_of(&k, n)));
        ck_assert(slice_equal(row.value, unit_str("committed")));
        at = store_key_slice(&k);
        n++;
    }
    ck_assert_uint_eq(n, 20);
    ck_assert_ok(store_append(&s, STORE_EVENT, key_of(&k, 20), unit_str("goes on")));
    commit(db);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

/* Turns of 16 rows until one fails; returns the error. *rows: what was committed. */
static enum err fill(struct store_lmdb *db, uint64_t *rows)
{
    static const uint8_t payload[4096];
    struct store_key k;
    for (;;) {
        struct store s;
        enum err err = store_lmdb_begin(db, &s);
        for (uint64_t i = 0; i < 16 && err == ERR_OK; i++) {
            err = store_append(&s, STORE_LOG_1D, key_of(&k, *rows + i),
                               slice_of(payload, sizeof payload));
        }
        if (err != ERR_OK) {
            store_lmdb_abort(db);
            return err;
        }
        err = store_lmdb_commit(db);
        if (err != ERR_OK) {
            return err;
        }
        *rows += 16;
    }
}

/* After a failed turn: all committed rows are there, and rows can be deleted, then put again. */
static void check_goes_on(struct store_lmdb *db, uint64_t rows)
{
    struct store_key k;
    struct slice v;
    struct store s = begin(db);
    for (uint64_t i = 0; i < rows; i++) {
        ck_assert_ok(store_get(&s, STORE_LOG_1D, key_of(&k, i), &v));
    }
    ck_assert_err(store_get(&s, STORE_LOG_1D, key_of(&k, rows), &v), ERR_NOT_FOUND);
    store_lmdb_abort(db);
    for (uint64_t i = 0; i < rows / 2; i += 8) {
        s = begin(db);
        for (uint64_t j = i; j < i + 8; j++) {
            ck_assert_ok(store_del(&s, STORE_LOG_1D, key_of(&k, j)));
        }
        commit(db);
    }
    s = begin(db);
    ck_assert_ok(store_append(&s, STORE_LOG_1D, key_of(&k, rows), unit_str("again")));
    commit(db);
}

START_TEST(a_full_map_fails_the_turn_and_nothing_else)
{
    char dir[TMPDIR_PATH];
    uint64_t rows = 0;
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, 2 << 20);
    struct store s = begin(db);
    put_row(&s, "logged before");
    keep_in_log(db);
    ck_assert_err(fill(db, &rows), ERR_MAP_FULL);
    ck_assert_uint_gt(rows, 100);
    s = begin(db);
    put_row(&s, "logged behind");
    keep_in_log(db);
    check_goes_on(db, rows);
    ck_assert(readers_see(db, "logged before"));
    ck_assert(readers_see(db, "logged behind"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static bool ballast_whole(const char *dir)
{
    char path[TMPDIR_PATH + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/ballast", dir);
    return stat(path, &st) == 0 && (uint64_t)st.st_blocks * 512 >= BALLAST_BYTES;
}

START_TEST(the_ballast_is_really_allocated_dropped_and_restored)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    ck_assert(ballast_whole(dir));
    store_lmdb_ballast_drop(db);
    ck_assert(!ballast_whole(dir));
    store_lmdb_ballast_restore(db);
    ck_assert(ballast_whole(dir));
    ck_assert(!store_lmdb_low_space(db));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Root needs only a mount namespace, others a user namespace in which they are root. */
static bool namespaces(void)
{
    char uid[32];
    char gid[32];
    if (geteuid() == 0) {
        return unshare(CLONE_NEWNS) == 0;
    }
    snprintf(uid, sizeof uid, "0 %u 1", (unsigned)geteuid());
    snprintf(gid, sizeof gid, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/uid_map", uid) &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/gid_map", gid);
}

/* A small file system of our own, where the system lets us have one. */
static bool small_disk(const char *dir)
{
    return namespaces() && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("petrel-test", dir, "tmpfs", 0, "size=96m,mode=0700") == 0;
}

/* A story's exit code: 0 all held, else (an assertion) something failed. */
static int disk_full_story(const char *dir)
{
    uint64_t rows = 0;
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    ck_assert(ballast_whole(dir));
    struct store s = begin(db);
    ck_assert(s.growth);
    store_lmdb_abort(db);
    ck_assert_err(fill(db, &rows), ERR_DISK_FULL);
    ck_assert(store_lmdb_low_space(db));
    s = begin(db);
    ck_assert(!s.growth);
    store_lmdb_abort(db);
    store_lmdb_ballast_drop(db);
    check_goes_on(db, rows);
    store_lmdb_ballast_restore(db);
    ck_assert(!ballast_whole(dir)); /* LMDB never shrinks: space is still low */
    store_lmdb_close(db);
    return 0;
}

/* Leaves no byte of the disk free. */
static void fill_disk(const char *dir)
{
    static const uint8_t bytes[4096] = {1};
    char path[TMPDIR_PATH + 16];
    snprintf(path, sizeof path, "%s/filling", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}

static int full_start_story(const char *dir)
{
    static const uint8_t value[4096] = {2};
    struct store_lmdb *db = open_db(dir, MAP_BYTES);
    for (uint64_t turn = 0; turn < FULL_START_TURNS; turn++) {
        struct store_key k;
        struct wal_range range;
        struct store s = begin(db);
        for (uint64_t i = 0; i < FULL_START_ROWS; i++) {
            ck_assert_ok(store_put(&s, STORE_EVENT, key_of(&k, turn * FULL_START_ROWS + i),
                                   slice_of(value, sizeof value)));
        }
        ck_assert_ok(store_lmdb_log(db, &range));
        ck_assert_ok(store_lmdb_flush(db, range));
    }
    store_lmdb_close(db);
    fill_disk(dir);
    db = open_db(dir, MAP_BYTES);
    ck_assert(!ballast_whole(dir)); /* it was needed */
    ck_assert_uint_eq(store_lmdb_replayed(db), FULL_START_TURNS);
    struct store s = begin(db);
    struct slice row;
    struct store_key k;
    for (uint64_t i = 0; i < FULL_START_TURNS * FULL_START_ROWS; i++) {
        ck_assert_ok(store_get(&s, STORE_EVENT, key_of(&k, i), &row));
        ck_assert(slice_equal(row, slice_of(value, sizeof value)));
    }
    store_lmdb_abort(db);
    uint64_t before = state(db);
    store_lmdb_close(db);
    fill_disk(dir);
    db = open_db(dir, MAP_BYTES); /* with nothing to take over it needs no room */
    ck_assert_uint_eq(state(db), before);
    store_lmdb_close(db);
    return 0;
}

/* Runs a story that has a small disk in a process of its own. */
static void on_small_disk(int (*story)(const char *dir), const char *name)
{
    char dir[TMPDIR_PATH];
    int status;
    tmpdir_make(dir);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(small_disk(dir) ? story(dir) : NO_DISK);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_DISK) {
        fprintf(stderr, "SKIPPED %s: no mount namespace here\n", name);
    } else {
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    }
    tmpdir_remove(dir);
}

START_TEST(a_full_disk_fails_the_turn_and_the_ballast_lets_it_delete)
{
    on_small_disk(disk_full_story, "a_full_disk_fails_the_turn_...");
}
END_TEST

START_TEST(a_start_on_a_full_disk_takes_over_what_the_log_holds)
{
    on_small_disk(full_start_story, "a_start_on_a_full_disk_...");
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
    tcase_add_test(tc, a_full_map_fails_the_turn_and_nothing_else);
    tcase_add_test(tc, the_ballast_is_really_allocated_dropped_and_restored);
    tcase_add_test(tc, a_full_disk_fails_the_turn_and_the_ballast_lets_it_delete);
    tcase_add_test(tc, a_start_on_a_full_disk_takes_over_what_the_log_holds);
}

int main(void)
{
    return unit_main("daemon/store_lmdb", add);
}
