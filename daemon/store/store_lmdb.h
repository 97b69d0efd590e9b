/* SPDX-License-Identifier: Apache-2.0
 *
 * store_lmdb: the store of a real node: one LMDB environment, one write transaction a turn, begun
 * and committed on the engine's thread alone, and short read transactions for workers.
 *
 * docs/protocol/08-at-rest.md, section 8.5. The map is fixed at 1 TiB (16 GiB under valgrind and
 * TSan) and is never resized while open.
 */
#ifndef PETREL_DAEMON_STORE_STORE_LMDB_H
#define PETREL_DAEMON_STORE_STORE_LMDB_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct store_lmdb;

/* Opens or creates dir (0700) with its database and ballast. Checks the schema
 * and leaves an older one to migrate: ERR_SCHEMA_NEWER (writer, 64 bytes, then names the version
 * that wrote it). ERR_IO, ERR_DISK_FULL, ERR_CORRUPT, ERR_NO_MEMORY.
 */
enum err store_lmdb_open(struct store_lmdb **out, const char *dir, size_t map_bytes,
                         char writer[static 64]) PETREL_MUST_USE;
/* No transaction may be open. NULL is fine. */
void store_lmdb_close(struct store_lmdb *db);

/* Begins the turn's transaction on this thread; *store is valid until commit or abort. A key that
 * seek handed out may be given to put and del, a value that was handed out not to put. */
enum err store_lmdb_begin(struct store_lmdb *db, struct store *store) PETREL_MUST_USE;
/* Commits with fsync; a turn that put and deleted nothing is aborted instead, which costs none.
 * *wrote says which. On error the transaction is gone: ERR_MAP_FULL, ERR_DISK_FULL, ERR_IO. */
enum err store_lmdb_commit(struct store_lmdb *db, bool *wrote) PETREL_MUST_USE;
void store_lmdb_abort(struct store_lmdb *db);

/* A read transaction, on any thread, for at most LIMIT_QUERY_ROWS rows or 20 ms. put and del on
 * *store give ERR_BUG. */
struct store_lmdb_reader;
enum err store_lmdb_read_begin(struct store_lmdb *db, struct store_lmdb_reader **reader,
                               struct store *store) PETREL_MUST_USE;
void store_lmdb_read_end(struct store_lmdb_reader *reader);

/* Copies the database as of now to <dir>/<name>, with fsync. ERR_DISK_FULL when that would leave
 * low space. */
enum err store_lmdb_copy(struct store_lmdb *db, const char *name) PETREL_MUST_USE;

/* Free bytes of the file system below max(64 MiB, 1 %): no growth. */
bool store_lmdb_low_space(const struct store_lmdb *db);
/* Unlinks the ballast file (after the first ERR_DISK_FULL) or makes it again when space allows. */
void store_lmdb_ballast_drop(struct store_lmdb *db);
void store_lmdb_ballast_restore(struct store_lmdb *db);

#endif
