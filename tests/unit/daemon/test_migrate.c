/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/migrate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"

enum {
    MAP_BYTES = 1 << 26,
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

static const struct migrate_step both[] = {{2, step_two}, {1, step_one}};
static const struct migrate_step second_fails[] = {{1, step_one}, {2, step_fails}};

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

/* A database of the first schema. */
static struct store_lmdb *open_first(const char *dir)
{
    struct store_lmdb *db = open_db(dir);
    struct store s;
    bool wrote;
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_schema_write(&s, 1));
    ck_assert_ok(store_lmdb_commit(db, &wrote));
    return db;
}

START_TEST(steps_run_in_order_and_a_copy_is_made_before)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 32];
    char writer[64];
    struct stat st;
    tmpdir_make(dir);
    struct store_lmdb *db = open_first(dir);
    ck_assert_ok(migrate_run(db, both, 2, 3));
    check_row(db, "two", 3);
    ck_assert_ok(migrate_run(db, both, 2, 3)); /* again: nothing to do */
    ck_assert_err(migrate_run(db, both, 2, 2), ERR_SCHEMA_NEWER);
    store_lmdb_close(db);
    ck_assert_err(store_lmdb_open(&db, dir, MAP_BYTES, writer), ERR_SCHEMA_NEWER);

    /* The copy is the database as it was: put in its place, it opens. */
    snprintf(path, sizeof path, "%s/schema-1.mdb", dir);
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
    struct store_lmdb *db = open_first(dir);
    ck_assert_err(migrate_run(db, second_fails, 2, 3), ERR_IO);
    check_row(db, "one", 2);
    ck_assert_ok(migrate_run(db, both, 2, 3)); /* a later version goes on from there */
    check_row(db, "two", 3);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_gap_in_the_steps_is_corrupt)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = open_first(dir);
    ck_assert_err(migrate_run(db, &both[0], 1, 3), ERR_CORRUPT);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(every_older_schema_becomes_this_one_and_keeps_its_rows)
{
    char dir[TMPDIR_PATH];
    struct store s;
    bool wrote;
    tmpdir_make(dir);
    struct store_lmdb *db = open_first(dir);
    ck_assert_ok(store_lmdb_begin(db, &s));
    ck_assert_ok(store_put(&s, STORE_CONSUMER, unit_str("step"), unit_str("none")));
    ck_assert_ok(store_lmdb_commit(db, &wrote));
    ck_assert_ok(migrate_store(db));
    check_row(db, "none", STORE_SCHEMA);
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_older_schema_becomes_this_one_and_keeps_its_rows);
    tcase_add_test(tc, steps_run_in_order_and_a_copy_is_made_before);
    tcase_add_test(tc, a_step_that_fails_leaves_the_version_before_it);
    tcase_add_test(tc, a_gap_in_the_steps_is_corrupt);
}

int main(void)
{
    return unit_main("daemon/migrate", add);
}
