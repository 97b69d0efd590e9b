/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/migrate.h"

#include <stdio.h>

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
    bool wrote;
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
    return store_lmdb_commit(db, &wrote);
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

enum err migrate_store(struct store_lmdb *db)
{
    static const struct migrate_step steps[] = {{1, to_schema_2}};
    return migrate_run(db, steps, sizeof steps / sizeof steps[0], STORE_SCHEMA);
}
