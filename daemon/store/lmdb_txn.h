/* SPDX-License-Identifier: Apache-2.0
 *
 * lmdb_txn: one LMDB transaction as the store that a turn or a query sees.
 *
 * docs/protocol/08-at-rest.md, section 8.5. What a write transaction changes is also added to the
 * write-ahead log's record under construction, if it has one. Owns the transaction and its cursors;
 * one thread at a time.
 */
#ifndef PETREL_DAEMON_STORE_LMDB_TXN_H
#define PETREL_DAEMON_STORE_LMDB_TXN_H

#include <limits.h>

#include <lmdb.h>

#include "daemon/store/wal.h"

/* An open environment. */
struct lmdb {
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    char dir[PATH_MAX];
};

/* A transaction, with one cursor for each table that it has touched: a row next to the last one is
 * found without a walk from the root, and an append always is. */
struct lmdb_txn {
    const struct lmdb *lmdb;
    MDB_txn *txn; /* NULL: none open */
    MDB_cursor *cursors[STORE_TABLE_COUNT];
    enum err err; /* the first LOCAL error, which LMDB forgets */
    bool wrote;
    struct wal *wal; /* or NULL */
};

/* The error for LMDB's result code, or errno's. */
enum err lmdb_err(const struct lmdb *lmdb, int rc);

/* Begins; *store works on it until commit or abort. */
enum err lmdb_txn_begin_write(struct lmdb_txn *x, const struct lmdb *lmdb,
                              struct store *store) PETREL_MUST_USE;
/* put and del on *store give ERR_BUG. */
enum err lmdb_txn_begin_read(struct lmdb_txn *x, const struct lmdb *lmdb,
                             struct store *store) PETREL_MUST_USE;
/* The transaction is gone in any case. */
enum err lmdb_txn_commit(struct lmdb_txn *x) PETREL_MUST_USE;
void lmdb_txn_abort(struct lmdb_txn *x);

#endif
