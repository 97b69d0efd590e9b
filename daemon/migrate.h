/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate: the steps from an older schema to this one: one function a step, one transaction each, a
 * copy of the database first if space allows.
 *
 * docs/protocol/08-at-rest.md, section 8.6. The daemon's start calls it after store_lmdb_open,
 * before anything else uses the database.
 */
#ifndef PETREL_DAEMON_MIGRATE_H
#define PETREL_DAEMON_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/store/schema.h"
#include "daemon/store/store_lmdb.h"

/* Brings a database of schema version `from` to from + 1. */
struct migrate_step {
    uint32_t from;
    enum err (*run)(struct store *store);
};

/* Runs the steps that lead from the database's version to target, each with its schema row in one
 * transaction of its own; a copy of the database is made beside it before the first, when space
 * allows. ERR_SCHEMA_NEWER (already above target), ERR_CORRUPT (no step leads on), LOCAL. */
enum err migrate_run(struct store_lmdb *db, const struct migrate_step *steps, size_t count,
                     uint32_t target) PETREL_MUST_USE;

/* The same with all steps that there are, up to STORE_SCHEMA. */
enum err migrate_store(struct store_lmdb *db) PETREL_MUST_USE;

#endif
