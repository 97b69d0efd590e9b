/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/ahead.h"
#include "daemon/store/ballast.h"
#include "daemon/store/schema.h"

enum {
    LMDB_READERS = 256, /* read transactions at one time, petrel's own workers and mdb tools */
};

/* A transaction, with one cursor for each table that it has touched: a row next to the last one is
 * found without a walk from the root, and an append always is. */
struct lmdb_txn {
    struct store_lmdb *db;
    MDB_txn *txn; /* NULL: none open */
    MDB_cursor *cursors[STORE_TABLE_COUNT];
    enum err err; /* the first LOCAL error, which LMDB forgets */
    bool wrote;
};

struct store_lmdb {
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    struct lmdb_txn write;
    struct ahead ahead;
    char dir[PATH_MAX];
};

struct store_lmdb_reader {
    struct lmdb_txn read;
};

/* LMDB gives EIO as often as ENOSPC when the disk is full (a short write is EIO to it), so the free
 * space decides. */
static enum err err_of(const struct store_lmdb *db, int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
        return ERR_MAP_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case EIO:
        return store_lmdb_low_space(db) ? ERR_DISK_FULL : ERR_IO;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return ERR_CORRUPT;
    default:
        return ERR_IO;
    }
}

/* The result of an operation; a failure of this machine is latched for the commit. */
static enum err result(struct lmdb_txn *x, int rc)
{
    enum err err = err_of(x->db, rc);
    if (err_class(err) == ERR_CLASS_LOCAL && x->err == ERR_OK) {
        x->err = err;
    }
    return err;
}

static int cursor_of(struct lmdb_txn *x, enum store_table t, MDB_cursor **out)
{
    assert(x->txn != NULL);
    int rc = 0;
    if (x->cursors[t] == NULL) {
        rc = mdb_cursor_open(x->txn, x->db->tables[t], &x->cursors[t]);
    }
    *out = x->cursors[t];
    return rc;
}

/* LMDB takes keys and values through a pointer that is not const, and does not write there. */
static MDB_val val_of(struct slice s)
{
    union {
        const void *in;
        void *out;
    } p = {.in = s.p};
    return (MDB_val){.mv_size = s.len, .mv_data = p.out};
}

static struct slice slice_of_val(const MDB_val *v)
{
    return slice_of(v->mv_data, v->mv_size);
}

static enum err txn_get(void *ctx, enum store_table t, struct slice key, struct slice *value)
{
    struct lmdb_txn *x = ctx;
    MDB_cursor *c;
    MDB_val k = val_of(key);
    MDB_val v;
    if (key.len == 0) {
        return ERR_NOT_FOUND;
    }
    int rc = cursor_of(x, t, &c);
    if (rc == 0) {
        rc = mdb_cursor_get(c, &k, &v, MDB_SET);
    }
    if (rc == 0) {
        *value = slice_of_val(&v);
    }
    return result(x, rc);
}

/* GE, GT: the smallest key at or above, then past an equal one. */
static int seek_up(MDB_cursor *c, enum store_seek how, struct slice key, MDB_val *k, MDB_val *v)
{
    *k = val_of(key);
    int rc = mdb_cursor_get(c, k, v, key.len > 0 ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && how == STORE_GT && slice_equal(slice_of_val(k), key)) {
        rc = mdb_cursor_get(c, k, v, MDB_NEXT);
    }
    return rc;
}

/* LE, LT: the row before the smallest key at or above, unless that one is equal and wanted. */
static int seek_down(MDB_cursor *c, enum store_seek how, struct slice key, MDB_val *k, MDB_val *v)
{
    if (key.len == 0) {
        return MDB_NOTFOUND;
    }
    *k = val_of(key);
    int rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND) {
        return mdb_cursor_get(c, k, v, MDB_LAST);
    }
    if (rc == 0 && !(how == STORE_LE && slice_equal(slice_of_val(k), key))) {
        rc = mdb_cursor_get(c, k, v, MDB_PREV);
    }
    return rc;
}

static enum err txn_seek(void *ctx, enum store_table t, enum store_seek how, struct slice key,
                         struct store_row *row)
{
    struct lmdb_txn *x = ctx;
    MDB_cursor *c;
    MDB_val k;
    MDB_val v;
    bool up = how == STORE_GE || how == STORE_GT;
    int rc = cursor_of(x, t, &c);
    if (rc == 0) {
        rc = up ? seek_up(c, how, key, &k, &v) : seek_down(c, how, key, &k, &v);
    }
    if (rc == 0) {
        *row = (struct store_row){.key = slice_of_val(&k), .value = slice_of_val(&v)};
    }
    return result(x, rc);
}

static int put(struct lmdb_txn *x, enum store_table t, struct slice key, struct slice value,
               unsigned flags)
{
    /* The key may be one that a seek handed out: its page moves under the put. */
    uint8_t copy[STORE_KEY];
    assert(key.len <= sizeof copy);
    memcpy(copy, key.p, key.len);
    MDB_cursor *c;
    MDB_val k = val_of(slice_of(copy, key.len));
    MDB_val v = val_of(value);
    int rc = cursor_of(x, t, &c);
    if (rc == 0) {
        rc = mdb_cursor_put(c, &k, &v, flags);
    }
    if (rc == 0) {
        x->wrote = true;
    }
    return rc;
}

static enum err txn_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    return result(ctx, put(ctx, t, key, value, 0));
}

static enum err txn_append(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    int rc = put(ctx, t, key, value, MDB_APPEND);
    return rc == MDB_KEYEXIST ? ERR_BUG : result(ctx, rc);
}

static enum err txn_del(void *ctx, enum store_table t, struct slice key)
{
    struct lmdb_txn *x = ctx;
    MDB_cursor *c;
    MDB_val k = val_of(key);
    MDB_val v;
    if (key.len == 0) {
        return ERR_NOT_FOUND;
    }
    int rc = cursor_of(x, t, &c);
    if (rc == 0) {
        rc = mdb_cursor_get(c, &k, &v, MDB_SET);
    }
    if (rc == 0) {
        rc = mdb_cursor_del(c, 0);
    }
    if (rc == 0) {
        x->wrote = true;
    }
    return result(x, rc);
}

static enum err read_refuse_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    (void)ctx, (void)t, (void)key, (void)value;
    return ERR_BUG;
}

static enum err read_refuse_del(void *ctx, enum store_table t, struct slice key)
{
    (void)ctx, (void)t, (void)key;
    return ERR_BUG;
}

static const struct store_ops write_ops = {
    .get = txn_get,
    .seek = txn_seek,
    .put = txn_put,
    .append = txn_append,
    .del = txn_del,
};

static const struct store_ops read_ops = {
    .get = txn_get,
    .seek = txn_seek,
    .put = read_refuse_put,
    .append = read_refuse_put,
    .del = read_refuse_del,
};

static enum err txn_begin(struct lmdb_txn *x, struct store_lmdb *db, unsigned flags)
{
    *x = (struct lmdb_txn){.db = db};
    int rc = mdb_txn_begin(db->env, NULL, flags, &x->txn);
    if (rc != 0) {
        x->txn = NULL;
    }
    return err_of(db, rc);
}

/* LMDB closes a write transaction's cursors itself, but a reader's not. Closing them all, before
 * the end, is right for both. */
static void cursors_close(struct lmdb_txn *x)
{
    for (size_t t = 0; t < STORE_TABLE_COUNT; t++) {
        if (x->cursors[t] != NULL) {
            mdb_cursor_close(x->cursors[t]);
            x->cursors[t] = NULL;
        }
    }
}

static void txn_abort(struct lmdb_txn *x)
{
    cursors_close(x);
    mdb_txn_abort(x->txn);
    x->txn = NULL;
}

static enum err txn_commit(struct lmdb_txn *x)
{
    cursors_close(x);
    int rc = mdb_txn_commit(x->txn); /* frees it in any case */
    x->txn = NULL;
    enum err err = err_of(x->db, rc);
    return err != ERR_OK && x->err != ERR_OK ? x->err : err;
}

/* The file has blocks for the turn that begins, if space allows. */
static void keep_ahead(struct store_lmdb *db)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(db->env, &info) == 0 && mdb_env_stat(db->env, &stat) == 0) {
        ahead_keep(&db->ahead, ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize);
    }
}

enum err store_lmdb_begin(struct store_lmdb *db, struct store *store)
{
    assert(db->write.txn == NULL);
    bool growth = !store_lmdb_low_space(db);
    if (growth) {
        keep_ahead(db);
    }
    enum err err = txn_begin(&db->write, db, 0);
    if (err == ERR_OK) {
        *store = (struct store){.ops = &write_ops, .ctx = &db->write, .growth = growth};
    }
    return err;
}

enum err store_lmdb_commit(struct store_lmdb *db, bool *wrote)
{
    assert(db->write.txn != NULL);
    *wrote = db->write.wrote;
    if (db->write.wrote) {
        return txn_commit(&db->write);
    }
    enum err err = db->write.err;
    txn_abort(&db->write);
    return err;
}

void store_lmdb_abort(struct store_lmdb *db)
{
    assert(db->write.txn != NULL);
    txn_abort(&db->write);
}

enum err store_lmdb_read_begin(struct store_lmdb *db, struct store_lmdb_reader **reader,
                               struct store *store)
{
    struct store_lmdb_reader *r = malloc(sizeof *r);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = txn_begin(&r->read, db, MDB_RDONLY);
    if (err != ERR_OK) {
        free(r);
        return err;
    }
    *store = (struct store){.ops = &read_ops, .ctx = &r->read, .growth = false};
    *reader = r;
    return ERR_OK;
}

void store_lmdb_read_end(struct store_lmdb_reader *reader)
{
    txn_abort(&reader->read);
    free(reader);
}

bool store_lmdb_low_space(const struct store_lmdb *db)
{
    return ballast_low_space(db->dir, 0);
}

void store_lmdb_ballast_drop(struct store_lmdb *db)
{
    ballast_drop(db->dir);
}

void store_lmdb_ballast_restore(struct store_lmdb *db)
{
    (void)ballast_make(db->dir);
}

/* Makes the names in dir durable: LMDB flushes its file, not the folder that names it. */
static int dir_flush(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int rc = fsync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return rc;
}

enum err store_lmdb_copy(struct store_lmdb *db, const char *name)
{
    char path[PATH_MAX];
    MDB_envinfo info;
    int rc = mdb_env_info(db->env, &info);
    int n = snprintf(path, sizeof path, "%s/%s", db->dir, name);
    if (rc != 0 || n < 0 || (size_t)n >= sizeof path) {
        return ERR_IO;
    }
    uint64_t bytes = ((uint64_t)info.me_last_pgno + 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (ballast_low_space(db->dir, bytes)) {
        return ERR_DISK_FULL;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_of(db, errno);
    }
    rc = mdb_env_copyfd2(db->env, fd, 0);
    if (rc == 0 && fsync(fd) != 0) {
        rc = errno;
    }
    (void)close(fd);
    if (rc == 0) {
        rc = dir_flush(db->dir);
    } else {
        (void)unlink(path);
    }
    return err_of(db, rc);
}

static int env_open(struct store_lmdb *db, size_t map_bytes)
{
    mdb_filehandle_t fd = -1;
    int rc = mdb_env_create(&db->env);
    if (rc != 0) {
        db->env = NULL;
        return rc;
    }
    rc = mdb_env_set_maxdbs(db->env, STORE_TABLE_COUNT);
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(db->env, LMDB_READERS);
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize(db->env, map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_open(db->env, db->dir, MDB_NOTLS, 0600);
    }
    if (rc == 0) {
        rc = mdb_env_get_fd(db->env, &fd);
    }
    if (rc == 0) {
        ahead_init(&db->ahead, fd);
        rc = mdb_reader_check(db->env, NULL); /* slots of a process that was killed */
    }
    return rc;
}

/* Opens all tables in the open transaction. *rows: how many they hold together. */
static int tables_open(struct store_lmdb *db, size_t *rows)
{
    *rows = 0;
    for (int t = 0; t < STORE_TABLE_COUNT; t++) {
        const char *name = store_table_name((enum store_table)t);
        MDB_stat stat;
        int rc = mdb_dbi_open(db->write.txn, name, MDB_CREATE, &db->tables[t]);
        if (rc == 0) {
            rc = mdb_stat(db->write.txn, db->tables[t], &stat);
        }
        if (rc != 0) {
            return rc;
        }
        *rows += stat.ms_entries;
    }
    return 0;
}

/* Reads the schema row, or puts it into a database that holds nothing at all. */
static enum err schema_check(struct store_lmdb *db, struct store *store, char writer[static 64])
{
    size_t rows;
    enum err err = err_of(db, tables_open(db, &rows));
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    struct store_schema schema;
    err = store_schema_read(store, &schema);
    if (err == ERR_NOT_FOUND) {
        return rows == 0 ? store_schema_write(store, STORE_SCHEMA) : ERR_CORRUPT;
    }
    if (err == ERR_OK && schema.version > STORE_SCHEMA) {
        memcpy(writer, schema.writer, sizeof schema.writer);
        return ERR_SCHEMA_NEWER;
    }
    return err;
}

static enum err tables_begin(struct store_lmdb *db, char writer[static 64])
{
    struct store store = {.ops = &write_ops, .ctx = &db->write, .growth = true};
    enum err err = txn_begin(&db->write, db, 0); /* nothing ahead: it may not be ours to write to */
    if (err != ERR_OK) {
        return err;
    }
    err = schema_check(db, &store, writer);
    if (err != ERR_OK) {
        txn_abort(&db->write); /* a newer database is left as it was */
        return err;
    }
    /* Committed even when nothing was put: an abort would close the tables again. */
    return txn_commit(&db->write);
}

static enum err db_open(struct store_lmdb *db, size_t map_bytes, char writer[static 64])
{
    if (mkdir(db->dir, 0700) != 0 && errno != EEXIST) {
        return err_of(db, errno);
    }
    (void)ballast_make(db->dir);
    enum err err = err_of(db, env_open(db, map_bytes));
    if (err == ERR_OK) {
        err = tables_begin(db, writer);
    }
    if (err == ERR_OK) {
        err = err_of(db, dir_flush(db->dir));
    }
    return err;
}

enum err store_lmdb_open(struct store_lmdb **out, const char *dir, size_t map_bytes,
                         char writer[static 64])
{
    struct store_lmdb *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return ERR_NO_MEMORY;
    }
    int n = snprintf(db->dir, sizeof db->dir, "%s", dir);
    enum err err = n >= 0 && (size_t)n < sizeof db->dir ? ERR_OK : ERR_ARGUMENT;
    if (err == ERR_OK) {
        err = db_open(db, map_bytes, writer);
    }
    if (err != ERR_OK) {
        store_lmdb_close(db);
        return err;
    }
    *out = db;
    return ERR_OK;
}

void store_lmdb_close(struct store_lmdb *db)
{
    if (db == NULL) {
        return;
    }
    assert(db->write.txn == NULL);
    if (db->env != NULL) {
        mdb_env_close(db->env);
    }
    free(db);
}
