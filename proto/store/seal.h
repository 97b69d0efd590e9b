/* SPDX-License-Identifier: Apache-2.0
 *
 * seal: rows that are sealed at rest, in the form of store/seal_row.h, under the keys of
 * store/seal_keys.h, and so that they can be forgotten. docs/protocol/08-at-rest.md.
 */
#ifndef PETREL_STORE_SEAL_H
#define PETREL_STORE_SEAL_H

#include "store/seal_keys.h"

/* Seals plain and puts it. */
enum err seal_put(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  uint8_t bucket, struct slice plain) PETREL_MUST_USE;
/* As seal_put with store_append. */
enum err seal_append(struct seal_keys *keys, struct turn *turn, enum store_table t,
                     struct slice key, uint8_t bucket, struct slice plain) PETREL_MUST_USE;
/* Gets and opens; plain lies in the turn's arena. ERR_NOT_FOUND, ERR_CORRUPT (wrong key, another
 * row's bytes, changed bytes), LOCAL. */
enum err seal_get(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  struct slice *plain) PETREL_MUST_USE;
/* Opens a row that seek returned. */
enum err seal_open(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                   struct slice row, struct slice *plain) PETREL_MUST_USE;
/* Deletes a row so that it will be forgotten: its bucket is touched. ERR_NOT_FOUND, ERR_CORRUPT,
 * LOCAL. */
enum err seal_del(struct seal_keys *keys, struct turn *turn, enum store_table t,
                  struct slice key) PETREL_MUST_USE;

/* Whether a row of this table may be in this bucket. */
bool seal_may_hold(enum store_table t, uint8_t bucket);
/* Whether the row is in one of these buckets and under another key than the newest. ERR_CORRUPT,
 * LOCAL. */
enum err seal_stale(struct seal_keys *keys, struct turn *turn, const struct seal_set *set,
                    struct slice row, bool *stale) PETREL_MUST_USE;
/* Puts the row, which seek returned, again under the newest key of its bucket. */
enum err seal_again(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                    struct slice row) PETREL_MUST_USE;

#endif
