/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal_row.h"

#include <assert.h>
#include <string.h>

struct slice seal_place_of(struct seal_place *at, enum store_table t, struct slice key)
{
    const char *name = store_table_name(t);
    assert(name != NULL && key.len <= STORE_KEY);
    size_t n = strlen(name) + 1; /* the NUL is the separator */
    assert(n <= SEAL_ROW_TABLE + 1);
    memcpy(at->b, name, n);
    memcpy(at->b + n, key.p, key.len);
    at->len = n + key.len;
    return slice_of(at->b, at->len);
}

/* Writes the row to out, which has room for plain.len + SEAL_OVERHEAD. */
void seal_row_write(uint8_t *out, const struct env *env, uint8_t bucket, const struct seal_key *k,
                    struct slice place, struct slice plain)
{
    struct writer w = writer_of(out, SEAL_ROW_HEADER);
    writer_u8(&w, SEAL_ROW_FORMAT);
    writer_u8(&w, bucket);
    writer_u32(&w, k->generation);
    uint8_t *nonce = writer_reserve(&w, PRIM_AEAD_NONCE);
    assert(nonce != NULL);
    env_random(env, nonce, PRIM_AEAD_NONCE);
    prim_aead_seal(out + SEAL_ROW_HEADER, &k->key, nonce, place, plain);
}

enum err seal_row_header(struct slice row, struct seal_header *h)
{
    struct reader r = reader_of(row);
    h->format = reader_u8(&r);
    h->bucket = reader_u8(&r);
    h->generation = reader_u32(&r);
    bool good = row.len >= SEAL_ROW_HEADER + PRIM_AEAD_TAG && h->format == SEAL_ROW_FORMAT &&
                h->generation > 0;
    return good ? ERR_OK : ERR_CORRUPT;
}

/* Opens a row whose header was checked; out has room for row.len - SEAL_OVERHEAD. */
enum err seal_row_read(uint8_t *out, const struct aead_key *key, struct slice place,
                       struct slice row)
{
    const uint8_t *nonce = row.p + SEAL_ROW_HEADER - PRIM_AEAD_NONCE;
    struct slice sealed = slice_of(row.p + SEAL_ROW_HEADER, row.len - SEAL_ROW_HEADER);
    enum err err = prim_aead_open(out, key, nonce, place, sealed);
    return err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}
