/* SPDX-License-Identifier: Apache-2.0
 *
 * schema: the row that says which version of the tables a database has, and who wrote it.
 * docs/protocol/08-at-rest.md, section 8.6.
 *
 * Owns nothing; on the thread of the transaction that it is handed.
 */
#ifndef PETREL_DAEMON_STORE_SCHEMA_H
#define PETREL_DAEMON_STORE_SCHEMA_H

#include <stdint.h>

#include "store/store.h"

enum {
    STORE_SCHEMA = 6,   /* version of the tables that this program knows */
    SCHEMA_WRITER = 64, /* text of the version that wrote the schema row, with its NUL */
};

struct store_schema {
    uint32_t version;
    char writer[SCHEMA_WRITER];
};

/* Reads the schema row. ERR_NOT_FOUND, ERR_CORRUPT, LOCAL. */
enum err store_schema_read(struct store *store, struct store_schema *out) PETREL_MUST_USE;
/* Puts the schema row, this program as the writer. */
enum err store_schema_write(struct store *store, uint32_t version) PETREL_MUST_USE;

#endif
