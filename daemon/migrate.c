/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/migrate.h"

#include <stdio.h>
#include <string.h>

static const char schema_key[] = "schema";
static const char this_writer[] = "petreld " PETREL_VERSION;

_Static_assert(sizeof this_writer <= MIGRATE_WRITER, "fits the row");

static struct slice schema_slice(void)
{
    return slice_of(schema_key, sizeof schema_key - 1);
}

enum err migrate_schema_read(struct store *store, struct migrate_schema *out)
{
    struct slice row;
    enum err err = store_get(store, STORE_META, schema_slice(), &row);
    if (err != ERR_OK) {
        return err;
    }
    struct migrate_schema schema = {.version = 0};
    struct reader r = reader_of(row);
    schema.version = reader_u32(&r);
    struct slice writer = reader_rest(&r);
    if (r.err != ERR_OK || schema.version == 0 || writer.len >= MIGRATE_WRITER) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < writer.len; i++) {
        if (writer.p[i] < ' ' || writer.p[i] > '~') {
            return ERR_CORRUPT;
        }
        schema.writer[i] = (char)writer.p[i];
    }
    *out = schema;
    return ERR_OK;
}

enum err migrate_schema_write(struct store *store, uint32_t version)
{
    uint8_t row[4 + MIGRATE_WRITER];
    struct writer w = writer_of(row, sizeof row);
    writer_u32(&w, version);
    writer_bytes(&w, this_writer, sizeof this_writer - 1);
    return store_put(store, STORE_META, schema_slice(), writer_done(&w));
}

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
    struct migrate_schema schema;
    enum err err = store_lmdb_begin(db, &store);
    if (err != ERR_OK) {
        return err;
    }
    err = migrate_schema_read(&store, &schema);
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
        err = migrate_schema_write(&store, step->from + 1);
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
