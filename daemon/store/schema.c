/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/schema.h"

static const char schema_key[] = "schema";
static const char this_writer[] = "petreld " PETREL_VERSION;

_Static_assert(sizeof this_writer <= SCHEMA_WRITER, "fits the row");

static struct slice schema_slice(void)
{
    return slice_of(schema_key, sizeof schema_key - 1);
}

enum err store_schema_read(struct store *store, struct store_schema *out)
{
    struct slice row;
    enum err err = store_get(store, STORE_META, schema_slice(), &row);
    if (err != ERR_OK) {
        return err;
    }
    struct store_schema schema = {.version = 0};
    struct reader r = reader_of(row);
    schema.version = reader_u32(&r);
    struct slice writer = reader_rest(&r);
    if (r.err != ERR_OK || schema.version == 0 || writer.len >= SCHEMA_WRITER) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < writer.len; i++) {
        if (writer.p[i] < ' ' || writer.p[i] > '~') {
            return ERR_CORRUPT;
        }
        schema.writer[i] = (char)writer.p[i];
    }
    *out = schema;
    return ERR_OK;
}

enum err store_schema_write(struct store *store, uint32_t version)
{
    uint8_t row[4 + SCHEMA_WRITER];
    struct writer w = writer_of(row, sizeof row);
    writer_u32(&w, version);
    writer_bytes(&w, this_writer, sizeof this_writer - 1);
    return store_put(store, STORE_META, schema_slice(), writer_done(&w));
}
