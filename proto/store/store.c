/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <assert.h>
#include <string.h>

const char *store_table_name(enum store_table table)
{
    static const char *const names[] = {
#define STORE_TABLE_NAME(constant, name) name,
        STORE_TABLES(STORE_TABLE_NAME)
#undef STORE_TABLE_NAME
    };
    return (unsigned)table < STORE_TABLE_COUNT ? names[table] : NULL;
}

enum err store_get(struct store *s, enum store_table t, struct slice key, struct slice *value)
{
    return s->ops->get(s->ctx, t, key, value);
}

enum err store_seek(struct store *s, enum store_table t, enum store_seek how, struct slice key,
                    struct store_row *row)
{
    return s->ops->seek(s->ctx, t, how, key, row);
}

enum err store_seek_prefix(struct store *s, enum store_table t, enum store_seek how,
                           struct slice key, struct slice prefix, struct store_row *row)
{
    enum err err = store_seek(s, t, how, key, row);
    if (err != ERR_OK) {
        return err;
    }
    if (row->key.len < prefix.len || memcmp(row->key.p, prefix.p, prefix.len) != 0) {
        return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

enum err store_put(struct store *s, enum store_table t, struct slice key, struct slice value)
{
    assert(key.len > 0 && key.len <= STORE_KEY && value.len <= STORE_VALUE);
    return s->ops->put(s->ctx, t, key, value);
}

enum err store_append(struct store *s, enum store_table t, struct slice key, struct slice value)
{
    assert(key.len > 0 && key.len <= STORE_KEY && value.len <= STORE_VALUE);
    return s->ops->append(s->ctx, t, key, value);
}

enum err store_del(struct store *s, enum store_table t, struct slice key)
{
    return s->ops->del(s->ctx, t, key);
}

struct store_key store_key_new(void)
{
    struct store_key k;
    k.len = 0;
    return k;
}

void store_key_bytes(struct store_key *k, const void *p, size_t len)
{
    assert(len <= STORE_KEY - k->len);
    memcpy(k->b + k->len, p, len);
    k->len += len;
}

static void key_be(struct store_key *k, uint64_t v, size_t n)
{
    uint8_t b[8];
    for (size_t i = n; i-- > 0;) {
        b[i] = (uint8_t)v;
        v >>= 8;
    }
    store_key_bytes(k, b, n);
}

void store_key_u8(struct store_key *k, uint8_t v)
{
    key_be(k, v, 1);
}

void store_key_u32(struct store_key *k, uint32_t v)
{
    key_be(k, v, 4);
}

void store_key_u64(struct store_key *k, uint64_t v)
{
    key_be(k, v, 8);
}

struct slice store_key_slice(const struct store_key *k)
{
    return slice_of(k->b, k->len);
}
