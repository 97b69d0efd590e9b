/* SPDX-License-Identifier: Apache-2.0
 *
 * lmdb_rig: turns of a database on disk, where all must go well.
 */
#ifndef PETREL_TESTS_LMDB_RIG_H
#define PETREL_TESTS_LMDB_RIG_H

#include "daemon/store/store_lmdb.h"
#include "store/store.h"

enum {
    LMDB_RIG_MAP = 1 << 30, /* bytes */
};

/* Opens or makes the database there. */
struct store_lmdb *lmdb_rig_open(const char *dir, size_t map_bytes);
struct store lmdb_rig_begin(struct store_lmdb *db);
void lmdb_rig_commit(struct store_lmdb *db);
/* Ends the turn in the log, flushed. */
void lmdb_rig_log(struct store_lmdb *db);
/* v as a key, in k. */
struct slice lmdb_rig_key(struct store_key *k, uint64_t v);
/* Puts a row of STORE_CONSUMER. */
void lmdb_rig_put(struct store *s, const char *key);
/* Whether there is one: for this turn or reader, for readers that begin now. */
bool lmdb_rig_has(struct store *s, const char *key);
bool lmdb_rig_readers_see(struct store_lmdb *db, const char *key);
/* The number of the database's state. */
uint64_t lmdb_rig_state(struct store_lmdb *db);

#endif
