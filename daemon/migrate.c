/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/migrate.h"

#include <stdio.h>

#include "relay/item.h"

static const struct migrate_step *step_from(const struct migrate_step *steps, size_t count,
                                            uint32_t version)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].from == version) {
            return &steps[i];
        }
    }
    return NULL;
}

static enum err version_read(struct store_lmdb *db, uint32_t *version)
{
    struct store store;
    struct store_schema schema;
    enum err err = store_lmdb_begin(db, &store);
    if (err != ERR_OK) {
        return err;
    }
    err = store_schema_read(&store, &schema);
    store_lmdb_abort(db);
    if (err == ERR_OK) {
        *version = schema.version;
    }
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static enum err step_run(struct store_lmdb *db, const struct migrate_step *step)
{
    struct store store;
    enum err err = store_lmdb_begin(db, &store);
    if (err != ERR_OK) {
        return err;
    }
    err = step->run(&store);
    if (err == ERR_OK) {
        err = store_schema_write(&store, step->from + 1);
    }
    if (err != ERR_OK) {
        store_lmdb_abort(db);
        return err;
    }
    return store_lmdb_commit(db);
}

/* A copy of the database as it was, for somebody who must go back. Without space there is none. */
static enum err copy_before(struct store_lmdb *db, uint32_t version)
{
    char name[64];
    (void)snprintf(name, sizeof name, "schema-%lu.mdb", (unsigned long)version);
    enum err err = store_lmdb_copy(db, name);
    return err == ERR_DISK_FULL ? ERR_OK : err;
}

enum err migrate_run(struct store_lmdb *db, const struct migrate_step *steps, size_t count,
                     uint32_t target)
{
    uint32_t version;
    enum err err = version_read(db, &version);
    if (err == ERR_OK && version > target) {
        err = ERR_SCHEMA_NEWER;
    }
    if (err == ERR_OK && version < target) {
        err = copy_before(db, version);
    }
    for (; err == ERR_OK && version < target; version++) {
        const struct migrate_step *step = step_from(steps, count, version);
        err = step != NULL ? step_run(db, step) : ERR_CORRUPT;
    }
    return err;
}

/* Schema 2 has the table queue_fresh. Opening made it, and no row moves there. It is a step of its
 * own because a program that does not look there would miss what was deposited last. */
static enum err to_schema_2(struct store *store)
{
    (void)store;
    return ERR_OK;
}

/* A row of queue_fresh: arrival u64, then queue u32 | index row. */
static enum err fresh_place(struct store *store, const struct store_row *fresh)
{
    struct reader key = reader_of(fresh->key);
    struct reader value = reader_of(fresh->value);
    uint64_t arrival = reader_u64(&key);
    uint32_t queue = reader_u32(&value);
    struct item_row row;
    if (reader_end(&key) != ERR_OK || item_row_read(reader_rest(&value), &row) != ERR_OK) {
        return ERR_CORRUPT;
    }
    enum err err = item_index_put(store, queue, arrival, &row);
    if (err != ERR_OK) {
        return err;
    }
    struct store_key k = store_key_new();
    store_key_u64(&k, arrival);
    return store_del(store, STORE_QUEUE_FRESH, store_key_slice(&k));
}

/* Schema 3 has all index rows in queue_index. The rows of queue_fresh go there, 2,048 at most: the
 * programs of schema 2 left no more. It also keeps out programs that do not know the write-ahead
 * log and would miss what is only there. */
static enum err to_schema_3(struct store *store)
{
    for (;;) {
        struct store_row fresh;
        enum err err = store_seek(store, STORE_QUEUE_FRESH, STORE_GE, slice_of(NULL, 0), &fresh);
        if (err == ERR_OK) {
            err = fresh_place(store, &fresh);
        }
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
    }
}

/* Schema 4 has the table peer, and what was in the rows of contacts goes there. Those are sealed,
 * so each account does it when it is opened (peer_rows_split); here is what keeps out programs that
 * would not find the rest of a contact. */
static enum err to_schema_4(struct store *store)
{
    (void)store;
    return ERR_OK;
}

/* Schema 5 may have several keys of an account in one row of table bucket. They are sealed, so they
 * are brought together when the account has its next root (seal_reroot); here is what keeps out
 * programs that would not find them. */
static enum err to_schema_5(struct store *store)
{
    (void)store;
    return ERR_OK;
}

/* Schema 6 has rows of descriptors with a byte more: whether they are to be announced. Those of
 * before are read as they are; here is what keeps out programs that would take the others for
 * damaged. */
static enum err to_schema_6(struct store *store)
{
    (void)store;
    return ERR_OK;
}

enum err migrate_store(struct store_lmdb *db)
{
    static const struct migrate_step steps[] = {
        {1, to_schema_2}, {2, to_schema_3}, {3, to_schema_4}, {4, to_schema_5}, {5, to_schema_6}};
    return migrate_run(db, steps, sizeof steps / sizeof steps[0], STORE_SCHEMA);
}
