/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/migrate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"
#include "relay/item.h"

enum {
    MAP_BYTES = 1 << 26,
    NOW = STORE_SCHEMA,
    BEFORE = NOW - 1,
    LATER = NOW + 1, /* no program knows it yet */
};

static enum err step_one(struct store *s)
{
    return store_put(s, STORE_CONSUMER, unit_str("step"), unit_str("one"));
}

/* Needs what step one did. */
static enum err step_two(struct store *s)
{
    struct slice v;
    enum err err = store_get(s, STORE_CONSUMER, unit_str("step"), &v);
    if (err != ERR_OK || !slice_equal(v, unit_str("one"))) {
        return ERR_CORRUPT;
    }
    return store_put(s, STORE_CONSUMER, unit_str("step"), unit_str("two"));
}

static enum err step_fails(struct store *s)
{
    enum err err = store_put(s, STORE_CONSUMER, unit_str("step"), unit_str("half"));
    return err == ERR_OK ? ERR_IO : err;
}

static const struct migrate_step both[] = {{NOW, step_two}, {BEFORE, step_one}};
static const struct migrate_step second_fails[] = {{BEFORE, step_one}, {NOW, step_fails}};

static void check_row(struct store_lmdb *db, const char *step, uint32_t version)
{
    struct store s;
    struct slice v;
    struct store_schema schema;
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_get(&s, STORE_CONSUMER, unit_str("step"), &v));
    ck_assert(slice_equal(v, unit_str(step)));
    ck_assert_ok(store_schema_read(&s, &schema));
    ck_assert_uint_eq(schema.version, version);
    ck_assert_str_eq(schema.writer, "petreld " PETREL_VERSION);
    store_lmdb_abort(db);
}

static struct store_lmdb *open_db(const char *dir)
{
    struct store_lmdb *db = NULL;
    char writer[64];
    ck_assert_ok(store_lmdb_open(&db, dir, MAP_BYTES, writer));
    return db;
}

/* A database of this schema. */
static struct store_lmdb *open_schema(const char *dir, uint32_t version)
{
    struct store_lmdb *db = open_db(dir);
    struct store s;
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_schema_write(&s, version));
    ck_assert_ok(store_lmdb_commit(db));
    return db;
}

START_TEST(steps_run_in_order_and_a_copy_is_made_before)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 32];
    char writer[64];
    struct stat st;
    tmpdir_make(dir);
    struct store_lmdb *db = open_schema(dir, BEFORE);
    ck_assert_ok(migrate_run(db, both, 2, LATER));
    check_row(db, "two", LATER);
    ck_assert_ok(migrate_run(db, both, 2, LATER)); /* again: nothing to do */
    ck_assert_err(migrate_run(db, both, 2, NOW), ERR_SCHEMA_NEWER);
    store_lmdb_close(db);
    ck_assert_err(store_lmdb_open(&db, dir, MAP_BYTES, writer), ERR_SCHEMA_NEWER);

    /* The copy is the database as it was: put in its place, it opens. */
    snprintf(path, sizeof path, "%s/schema-%d.mdb", dir, BEFORE);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    char data[TMPDIR_PATH + 32];
    snprintf(data, sizeof data, "%s/data.mdb", dir);
    ck_assert_int_eq(rename(path, data), 0);
    db = open_db(dir);
    struct store s;
    struct slice v;
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_err(store_get(&s, STORE_CONSUMER, unit_str("step"), &v), ERR_NOT_FOUND);
    store_lmdb_abort(db);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_step_that_fails_leaves_the_version_before_it)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_schema(dir, BEFORE);
    ck_assert_err(migrate_run(db, second_fails, 2, LATER), ERR_IO);
    check_row(db, "one", NOW);
    ck_assert_ok(migrate_run(db, both, 2, LATER)); /* a later version goes on from there */
    check_row(db, "two", LATER);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_gap_in_the_steps_is_corrupt)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_schema(dir, BEFORE);
    ck_assert_err(migrate_run(db, &both[0], 1, LATER), ERR_CORRUPT);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(every_older_schema_becomes_this_one_and_keeps_its_rows)
{
    char dir[TMPDIR_PATH];
    struct store s;
    tmpdir_make(dir);
    struct store_lmdb *db = open_schema(dir, 1);
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_put(&s, STORE_CONSUMER, unit_str("step"), unit_str("none")));
    ck_assert_ok(store_lmdb_commit(db));
    ck_assert_ok(migrate_store(db));
    check_row(db, "none", STORE_SCHEMA);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

/* --- schema 2: the table queue_fresh --- */

enum {
    FRESH_ROW = 4 + ITEM_ROW, /* queue u32 | index row */
    FRESH_QUEUES = 3,
    FRESH_PLACED = 100, /* index rows of before */
    FRESH_DAMAGES = 6,
    FRESH_ROWS = 2048, /* as many as a program of schema 2 left at most */
};

static uint32_t queue_of(uint64_t arrival)
{
    return (uint32_t)(arrival * 7 % FRESH_QUEUES);
}

/* A row that names its arrival. */
static struct item_row row_of(uint64_t arrival)
{
    struct item_row row = {.state = ITEM_DONE,
                           .lifetime = 1,
                           .envelope_class = 3,
                           .stamp = arrival % 2 == 0,
                           .until = arrival * 1000};
    memcpy(row.nonce, &arrival, sizeof arrival);
    memcpy(row.hash, &arrival, sizeof arrival);
    return row;
}

/* As schema 2 wrote it. */
static void put_fresh(struct store *s, uint64_t arrival)
{
    uint8_t buf[FRESH_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    struct item_row row = row_of(arrival);
    struct store_key k = store_key_new();
    store_key_u64(&k, arrival);
    writer_u32(&w, queue_of(arrival));
    writer_u8(&w, (uint8_t)row.state);
    writer_u8(&w, row.lifetime);
    writer_u8(&w, row.envelope_class);
    writer_u8(&w, row.stamp ? 1 : 0);
    writer_bytes(&w, row.nonce, sizeof row.nonce);
    writer_bytes(&w, row.hash, sizeof row.hash);
    writer_u64(&w, row.until);
    ck_assert_ok(store_append(s, STORE_QUEUE_FRESH, store_key_slice(&k), writer_done(&w)));
}

/* A database of schema 2: the first `placed` rows are in the index, the rest are fresh. */
static struct store_lmdb *open_second(const char *dir, uint64_t placed, uint64_t fresh)
{
    struct store_lmdb *db = open_schema(dir, 2);
    struct store s;
    ck_assert_ok(store_lmdb_begin(db, &s));
    for (uint64_t arrival = 1; arrival <= placed; arrival++) {
        struct item_row row = row_of(arrival);
        ck_assert_ok(item_index_put(&s, queue_of(arrival), arrival, &row));
    }
    for (uint64_t arrival = placed + 1; arrival <= placed + fresh; arrival++) {
        put_fresh(&s, arrival);
    }
    ck_assert_ok(store_lmdb_commit(db));
    return db;
}

static void check_index(struct store *s, uint64_t rows)
{
    struct item_row row;
    for (uint32_t q = 0; q < FRESH_QUEUES; q++) {
        uint64_t at = 0;
        for (uint64_t arrival = 1; arrival <= rows; arrival++) {
            if (queue_of(arrival) != q) {
                continue;
            }
            struct item_row want = row_of(arrival);
            ck_assert_ok(item_index_next(s, q, &at, &row));
            ck_assert_uint_eq(at, arrival);
            ck_assert_int_eq(row.state, want.state);
            ck_assert_uint_eq(row.lifetime, want.lifetime);
            ck_assert_uint_eq(row.envelope_class, want.envelope_class);
            ck_assert(row.stamp == want.stamp);
            ck_assert_uint_eq(row.until, want.until);
            ck_assert_mem_eq(row.nonce, want.nonce, sizeof want.nonce);
            ck_assert_mem_eq(row.hash, want.hash, sizeof want.hash);
        }
        ck_assert_err(item_index_next(s, q, &at, &row), ERR_NOT_FOUND);
    }
}

static size_t fresh_count(struct store *s)
{
    struct store_key k = store_key_new();
    struct store_row row;
    size_t n = 0;
    while (store_seek(s, STORE_QUEUE_FRESH, STORE_GT, store_key_slice(&k), &row) == ERR_OK) {
        k = store_key_new();
        store_key_bytes(&k, row.key.p, row.key.len);
        n++;
    }
    return n;
}

static void check_second(struct store_lmdb *db, uint32_t version, uint64_t rows, size_t fresh)
{
    struct store s;
    struct store_schema schema;
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_schema_read(&s, &schema));
    ck_assert_uint_eq(schema.version, version);
    check_index(&s, rows);
    ck_assert_uint_eq(fresh_count(&s), fresh);
    store_lmdb_abort(db);
}

START_TEST(index_rows_of_schema_2_go_to_their_place)
{
    static const uint64_t fresh[] = {0, 1, FRESH_ROWS};
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_second(dir, FRESH_PLACED, fresh[_i]);
    check_second(db, 2, FRESH_PLACED, fresh[_i]);
    ck_assert_ok(migrate_store(db));
    check_second(db, STORE_SCHEMA, FRESH_PLACED + fresh[_i], 0);
    store_lmdb_close(db);
    db = open_db(dir); /* it is durable */
    check_second(db, STORE_SCHEMA, FRESH_PLACED + fresh[_i], 0);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_damaged_row_of_schema_2_is_corrupt_and_nothing_moves)
{
    static const uint8_t zero[FRESH_ROW + 1] = {0};
    static const uint8_t good[FRESH_ROW + 1] = {0, 0, 0, 1, ITEM_STORED};
    const struct {
        size_t key;
        struct slice value;
    } damaged[] = {
        {8, slice_of(zero, FRESH_ROW)}, /* no state */
        {8, slice_of(good, FRESH_ROW - 1)},
        {8, slice_of(good, FRESH_ROW + 1)},
        {8, slice_of(good, 3)},
        {7, slice_of(good, FRESH_ROW)},
        {9, slice_of(good, FRESH_ROW)},
    };
    static const uint8_t last[] = {255, 255, 255, 255, 255, 255, 255, 255, 255};
    char dir[TMPDIR_PATH];
    struct store s;
    ck_assert_uint_eq(sizeof damaged / sizeof damaged[0], FRESH_DAMAGES);
    tmpdir_make(dir);
    struct store_lmdb *db = open_second(dir, FRESH_PLACED, 10);
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(
        store_append(&s, STORE_QUEUE_FRESH, slice_of(last, damaged[_i].key), damaged[_i].value));
    ck_assert_ok(store_lmdb_commit(db));
    ck_assert_err(migrate_store(db), ERR_CORRUPT);
    check_second(db, 2, FRESH_PLACED, 11);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, index_rows_of_schema_2_go_to_their_place, 0, 3);
    tcase_add_loop_test(tc, a_damaged_row_of_schema_2_is_corrupt_and_nothing_moves, 0,
                        FRESH_DAMAGES);
    tcase_add_test(tc, every_older_schema_becomes_this_one_and_keeps_its_rows);
    tcase_add_test(tc, steps_run_in_order_and_a_copy_is_made_before);
    tcase_add_test(tc, a_step_that_fails_leaves_the_version_before_it);
    tcase_add_test(tc, a_gap_in_the_steps_is_corrupt);
}

int main(void)
{
    return unit_main("daemon/migrate", add);
}
