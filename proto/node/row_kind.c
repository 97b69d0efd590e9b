/* SPDX-License-Identifier: Apache-2.0 */
#include "node/row_kind.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"

enum err row_put(struct step *step, struct seal_keys *keys, const struct row_kind *kind,
                 const struct store_key *key, uint8_t bucket, const void *row)
{
    size_t cap = 1024;
    for (size_t i = 0; i < kind->nfields; i++) {
        const struct field *field = &kind->fields[i];
        if (field->kind == FIELD_SLICE) {
            size_t len = ((const struct slice *)fields_member(field, row))->len;
            assert(len <= field->size); /* a row that nobody could read again */
            cap += len;
        }
    }
    struct writer w = step_writer(step, cap);
    fields_write(&w, kind->fields, kind->nfields, row);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    return seal_put(keys, step->turn, kind->table, store_key_slice(key), bucket, writer_done(&w));
}

enum err row_get(struct step *step, struct seal_keys *keys, const struct row_kind *kind,
                 const struct store_key *key, void *row)
{
    struct slice plain;
    enum err err = seal_get(keys, step->turn, kind->table, store_key_slice(key), &plain);
    if (err != ERR_OK) {
        return err;
    }
    memset(row, 0, kind->size);
    err = fields_read(plain, kind->fields, kind->nfields, row);
    if (err != ERR_OK) {
        secret_wipe(row, kind->size); /* what was read before may be keys */
    }
    return err;
}

enum err row_seek(struct step *step, struct seal_keys *keys, enum store_table t,
                  enum store_seek how, const struct store_key *key, struct store_row *found)
{
    struct store_key prefix = store_key_new();
    store_key_u32(&prefix, seal_keys_account(keys));
    return store_seek_prefix(step->turn->store, t, how, store_key_slice(key),
                             store_key_slice(&prefix), found);
}

struct store_key row_key(struct seal_keys *keys, uint32_t number)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u32(&k, number);
    return k;
}

struct store_key row_key_order(struct seal_keys *keys, uint32_t number, uint64_t order)
{
    struct store_key k = row_key(keys, number);
    store_key_u64(&k, order);
    return k;
}

uint64_t row_key_tail(struct slice key, size_t n)
{
    uint64_t v = 0;
    for (size_t i = key.len - n; i < key.len; i++) {
        v = v << 8 | key.p[i];
    }
    return v;
}

enum err row_seek_of(struct step *step, struct seal_keys *keys, enum store_table t,
                     enum store_seek how, uint32_t number, uint64_t order, struct store_row *found)
{
    struct store_key k = row_key_order(keys, number, order);
    struct store_key prefix = row_key(keys, number);
    return store_seek_prefix(step->turn->store, t, how, store_key_slice(&k),
                             store_key_slice(&prefix), found);
}
