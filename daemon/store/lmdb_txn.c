/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/lmdb_txn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/store/ballast.h"

/* LMDB gives EIO as often as ENOSPC when the disk is full (a short write is EIO to it), so the free
 * space decides. */
enum err lmdb_err(const struct lmdb *lmdb, int rc)
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
        return ballast_low_space(lmdb->dir, 0) ? ERR_DISK_FULL : ERR_IO;
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
    enum err err = lmdb_err(x->lmdb, rc);
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
        rc = mdb_cursor_open(x->txn, x->lmdb->tables[t], &x->cursors[t]);
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

/* Puts the table's cursor on the row with this key. */
static int find(struct lmdb_txn *x, enum store_table t, struct slice key, MDB_cursor **c,
                MDB_val *v)
{
    MDB_val k = val_of(key);
    int rc = key.len > 0 ? cursor_of(x, t, c) : MDB_NOTFOUND;
    return rc == 0 ? mdb_cursor_get(*c, &k, v, MDB_SET) : rc;
}

static enum err txn_get(void *ctx, enum store_table t, struct slice key, struct slice *value)
{
    struct lmdb_txn *x = ctx;
    MDB_cursor *c;
    MDB_val v;
    int rc = find(x, t, key, &c, &v);
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
        if (x->wal != NULL) {
            wal_put(x->wal, t, slice_of(copy, key.len), value);
        }
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
    MDB_val v;
    int rc = find(x, t, key, &c, &v);
    if (rc == 0 && x->wal != NULL) {
        wal_del(x->wal, t, key); /* before its page moves, with which the key may go */
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

static enum err begin(struct lmdb_txn *x, const struct lmdb *lmdb, unsigned flags)
{
    *x = (struct lmdb_txn){.lmdb = lmdb};
    int rc = mdb_txn_begin(lmdb->env, NULL, flags, &x->txn);
    if (rc != 0) {
        x->txn = NULL;
    }
    return lmdb_err(lmdb, rc);
}

enum err lmdb_txn_begin_write(struct lmdb_txn *x, const struct lmdb *lmdb, struct store *store)
{
    *store = (struct store){.ops = &write_ops, .ctx = x, .growth = true};
    return begin(x, lmdb, 0);
}

enum err lmdb_txn_begin_read(struct lmdb_txn *x, const struct lmdb *lmdb, struct store *store)
{
    *store = (struct store){.ops = &read_ops, .ctx = x, .growth = false};
    return begin(x, lmdb, MDB_RDONLY);
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

void lmdb_txn_abort(struct lmdb_txn *x)
{
    cursors_close(x);
    mdb_txn_abort(x->txn);
    x->txn = NULL;
}

enum err lmdb_txn_commit(struct lmdb_txn *x)
{
    cursors_close(x);
    int rc = mdb_txn_commit(x->txn); /* frees it in any case */
    x->txn = NULL;
    enum err err = lmdb_err(x->lmdb, rc);
    return err != ERR_OK && x->err != ERR_OK ? x->err : err;
}
