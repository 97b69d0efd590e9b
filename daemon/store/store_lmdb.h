/* SPDX-License-Identifier: Apache-2.0
 *
 * store_lmdb: the store of a real node: one LMDB environment with one write transaction, begun and
 * committed on the engine's thread alone, a write-ahead log, and short read transactions for
 * workers.
 *
 * docs/protocol/08-at-rest.md, sections 8.5 and 8.9. A turn ends in one of two ways. Committed: the
 * database has it, and readers see it. Logged: the log has it once it was flushed, and it stays in
 * the write transaction, in which the next turns go on; they see it, readers do not until one of
 * them is committed. The map is fixed at 1 TiB (16 GiB under valgrind and TSan) and is never
 * resized while open.
 */
#ifndef PETREL_DAEMON_STORE_STORE_LMDB_H
#define PETREL_DAEMON_STORE_STORE_LMDB_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/wal.h"
#include "store/store.h"

struct store_lmdb;

/* Size of the map for store_lmdb_open: address space, not memory. */
size_t store_lmdb_map_bytes(void);
/* Opens or creates dir (0700) with its database and ballast. Checks the schema
 * and leaves an older one to migrate: ERR_SCHEMA_NEWER (writer, 64 bytes, then names the version
 * that wrote it). ERR_IO, ERR_DISK_FULL, ERR_CORRUPT, ERR_NO_MEMORY.
 */
enum err store_lmdb_open(struct store_lmdb **out, const char *dir, size_t map_bytes,
                         char writer[static 64]) PETREL_MUST_USE;
/* Turns that were only in the log when the database was opened. They are in it now. */
uint64_t store_lmdb_replayed(const struct store_lmdb *db);
/* Between turns. What was logged and not committed is replayed at the next opening. NULL is fine.
 */
void store_lmdb_close(struct store_lmdb *db);

/* Begins a turn on this thread; *store is valid until commit, log or abort. A key that seek handed
 * out may be given to put and del, a value that was handed out not to put. */
enum err store_lmdb_begin(struct store_lmdb *db, struct store *store) PETREL_MUST_USE;
/* Commits this turn, and those before it that were logged, with fsync. A turn that put and deleted
 * nothing costs none when there are no others. No flush of the log may be under way. On error this
 * turn is gone, and the logged ones wait for the next begin: ERR_MAP_FULL, ERR_DISK_FULL, ERR_IO.
 */
enum err store_lmdb_commit(struct store_lmdb *db) PETREL_MUST_USE;
/* Ends this turn as a record of the log, which is durable after store_lmdb_flush of *range. An
 * empty range: it put nothing. ERR_NO_SPACE: the log has no room, the turn is still open. Other
 * errors: this turn is gone. */
enum err store_lmdb_log(struct store_lmdb *db, struct wal_range *range) PETREL_MUST_USE;
/* Undoes this turn alone. */
void store_lmdb_abort(struct store_lmdb *db);

/* Writes range of the log and waits for the disk. On any one thread. After an error the log is of
 * no use: what was logged becomes durable by a commit. ERR_DISK_FULL, ERR_IO. */
enum err store_lmdb_flush(struct store_lmdb *db, struct wal_range range) PETREL_MUST_USE;
/* Bytes of the turns that are logged and not committed. */
size_t store_lmdb_logged(const struct store_lmdb *db);

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
