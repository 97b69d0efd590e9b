/* SPDX-License-Identifier: Apache-2.0
 *
 * row_kind: a sealed row of an account by its kind: what rows.c, contact_rows.c and
 * peer_rows.c are made of.
 * Nobody else includes this. docs/protocol/07-node.md, section 8.
 */
#ifndef PETREL_NODE_ROW_KIND_H
#define PETREL_NODE_ROW_KIND_H

#include "node/fields.h"
#include "node/step.h"
#include "store/seal.h"

/* A kind of sealed row: the table of the store that it is in, its plaintext, its struct. */
struct row_kind {
    enum store_table table;
    const struct field *fields;
    size_t nfields;
    size_t size;
};

#define ROW_KIND(table, fields, type)                                                              \
    {                                                                                              \
        table, fields, FIELD_COUNT(fields), sizeof(struct type)                                    \
    }

enum err row_put(struct step *step, struct seal_keys *keys, const struct row_kind *kind,
                 const struct store_key *key, uint8_t bucket, const void *row) PETREL_MUST_USE;
/* ERR_NOT_FOUND, ERR_CORRUPT or another LOCAL error. Slices of the row lie in the turn's arena. */
enum err row_get(struct step *step, struct seal_keys *keys, const struct row_kind *kind,
                 const struct store_key *key, void *row) PETREL_MUST_USE;
/* Seeks in t within this account's rows. */
enum err row_seek(struct step *step, struct seal_keys *keys, enum store_table t,
                  enum store_seek how, const struct store_key *key,
                  struct store_row *found) PETREL_MUST_USE;
/* account | number u32. */
struct store_key row_key(struct seal_keys *keys, uint32_t number);
/* account | number u32 | order u64. */
struct store_key row_key_order(struct seal_keys *keys, uint32_t number, uint64_t order);
/* The big-endian number in the last n bytes of a key. */
uint64_t row_key_tail(struct slice key, size_t n);
/* Seeks in t among the rows under one number, from order on. */
enum err row_seek_of(struct step *step, struct seal_keys *keys, enum store_table t,
                     enum store_seek how, uint32_t number, uint64_t order,
                     struct store_row *found) PETREL_MUST_USE;

#endif
