/* SPDX-License-Identifier: Apache-2.0
 *
 * fields: a struct as a msgpack map with small-integer keys, both ways, by a table of its members.
 * docs/protocol/07-node.md, "Rows".
 */
#ifndef PETREL_NODE_FIELDS_H
#define PETREL_NODE_FIELDS_H

#include <stddef.h>

#include "base/pack.h"

enum field_kind {
    FIELD_U8,
    FIELD_U32,
    FIELD_U64,
    FIELD_BOOL,
    FIELD_ENUM,    /* size: number of values */
    FIELD_FIXED,   /* size bytes in place */
    FIELD_SLICE,   /* at most size bytes; left out when empty */
    FIELD_ADDRESS, /* struct address; left out when its port is 0 */
    FIELD_LATER,   /* u64; left out when it is 0, since older rows do not have it */
};

/* One member of a row's struct, under its key in the map. Keys ascend in each table. */
struct field {
    uint8_t key;
    enum field_kind kind;
    size_t offset;
    size_t size;
};

#define FIELD(key, kind, type, member, size)                                                       \
    {                                                                                              \
        key, kind, offsetof(struct type, member), size                                             \
    }
#define FIELD_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Member f of the struct at row. */
const void *fields_member(const struct field *f, const void *row);
/* Writes the n members of table; what is empty is left out where its kind says so. */
void fields_write(struct writer *w, const struct field *table, size_t n, const void *row);
/* Reads them into row, which is zeroed before: what is left out stays zero. Slices borrow from
 * plain. ERR_CORRUPT. */
enum err fields_read(struct slice plain, const struct field *table, size_t n,
                     void *row) PETREL_MUST_USE;

#endif
