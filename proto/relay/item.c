/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/item.h"

#include <assert.h>

static_assert(4 + TOKEN_NONCE + ITEM_HASH + 8 == ITEM_ROW, "index row");

enum {
    QUEUE_NUMBER = 4,     /* bytes at the beginning of an index key */
    PAYLOAD_HEAD = 4 + 8, /* queue number u32 | deposit time u64 */
};

static struct store_key index_key(uint32_t queue, uint64_t arrival)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, queue);
    store_key_u64(&k, arrival);
    return k;
}

static struct store_key arrival_key(uint64_t arrival)
{
    struct store_key k = store_key_new();
    store_key_u64(&k, arrival);
    return k;
}

static enum store_table log_table(unsigned lifetime)
{
    static const enum store_table tables[] = {STORE_LOG_1H, STORE_LOG_1D, STORE_LOG_7D,
                                              STORE_LOG_30D};
    assert(lifetime < sizeof tables / sizeof tables[0]);
    return tables[lifetime];
}

enum err item_row_read(struct slice value, struct item_row *row)
{
    struct reader r = reader_of(value);
    struct item_row got;
    uint8_t state = reader_u8(&r);
    got.state = (enum item_state)state;
    got.lifetime = reader_u8(&r);
    got.envelope_class = reader_u8(&r);
    got.stamp = reader_u8(&r) != 0;
    reader_copy(&r, got.nonce, sizeof got.nonce);
    reader_copy(&r, got.hash, sizeof got.hash);
    got.until = reader_u64(&r);
    if (reader_end(&r) != ERR_OK || state < ITEM_STORED || state > ITEM_VOID || got.lifetime > 3 ||
        got.envelope_class >= LIMIT_ENVELOPE_CLASSES) {
        return ERR_CORRUPT;
    }
    *row = got;
    return ERR_OK;
}

static void row_encode(struct writer *w, const struct item_row *row)
{
    writer_u8(w, (uint8_t)row->state);
    writer_u8(w, row->lifetime);
    writer_u8(w, row->envelope_class);
    writer_u8(w, row->stamp ? 1 : 0);
    writer_bytes(w, row->nonce, sizeof row->nonce);
    writer_bytes(w, row->hash, sizeof row->hash);
    writer_u64(w, row->until);
}

/* --- the index --- */

enum err item_index_put(struct store *s, uint32_t queue, uint64_t arrival,
                        const struct item_row *row)
{
    uint8_t buf[ITEM_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    row_encode(&w, row);
    struct store_key k = index_key(queue, arrival);
    return store_put(s, STORE_QUEUE_INDEX, store_key_slice(&k), writer_done(&w));
}

enum err item_index_get(struct store *s, uint32_t queue, uint64_t arrival, struct item_row *row)
{
    struct store_key k = index_key(queue, arrival);
    struct slice value;
    enum err err = store_get(s, STORE_QUEUE_INDEX, store_key_slice(&k), &value);
    return err != ERR_OK ? err : item_row_read(value, row);
}

enum err item_index_del(struct store *s, uint32_t queue, uint64_t arrival)
{
    struct store_key k = index_key(queue, arrival);
    return store_del(s, STORE_QUEUE_INDEX, store_key_slice(&k));
}

/* The first row above (*queue, *arrival) whose key begins with the same `same` bytes. */
static enum err index_above(struct store *s, size_t same, uint32_t *queue, uint64_t *arrival,
                            struct item_row *row)
{
    struct store_key k = index_key(*queue, *arrival);
    struct store_row found;
    enum err err = store_seek_prefix(s, STORE_QUEUE_INDEX, STORE_GT, store_key_slice(&k),
                                     slice_of(k.b, same), &found);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(found.key);
    uint32_t q = reader_u32(&r);
    uint64_t a = reader_u64(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    err = item_row_read(found.value, row);
    if (err == ERR_OK) {
        *queue = q;
        *arrival = a;
    }
    return err;
}

enum err item_index_next(struct store *s, uint32_t queue, uint64_t *arrival, struct item_row *row)
{
    return index_above(s, QUEUE_NUMBER, &queue, arrival, row);
}

enum err item_index_walk(struct store *s, uint32_t *queue, uint64_t *arrival, struct item_row *row)
{
    return index_above(s, 0, queue, arrival, row);
}

/* --- payloads --- */

enum err item_log_append(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                         uint64_t arrival, const struct item_payload *payload)
{
    size_t len = PAYLOAD_HEAD + payload->envelope.len;
    uint8_t *buf = arena_alloc(turn->arena, len);
    if (buf == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(buf, len);
    writer_u32(&w, payload->queue);
    writer_u64(&w, payload->deposited_ms);
    writer_slice(&w, payload->envelope);
    struct store_key k = arrival_key(arrival);
    return seal_append(keys, turn, log_table(lifetime), store_key_slice(&k), 0, writer_done(&w));
}

static enum err payload_decode(struct slice plain, struct item_payload *payload)
{
    struct reader r = reader_of(plain);
    uint32_t queue = reader_u32(&r);
    uint64_t deposited = reader_u64(&r);
    struct slice envelope = reader_rest(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    *payload =
        (struct item_payload){.queue = queue, .deposited_ms = deposited, .envelope = envelope};
    return ERR_OK;
}

enum err item_log_get(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                      uint64_t arrival, struct item_payload *payload)
{
    struct store_key k = arrival_key(arrival);
    struct slice plain;
    enum err err = seal_get(keys, turn, log_table(lifetime), store_key_slice(&k), &plain);
    return err != ERR_OK ? err : payload_decode(plain, payload);
}

enum err item_log_head(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                       uint64_t *arrival, struct item_payload *payload)
{
    struct store_key k = arrival_key(0);
    struct store_row row;
    enum err err =
        store_seek(turn->store, log_table(lifetime), STORE_GE, store_key_slice(&k), &row);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(row.key);
    uint64_t a = reader_u64(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    struct slice plain;
    err = seal_open(keys, turn, log_table(lifetime), row.key, row.value, &plain);
    if (err == ERR_OK) {
        err = payload_decode(plain, payload);
    }
    if (err == ERR_OK) {
        *arrival = a;
    }
    return err;
}

enum err item_log_del(struct store *s, unsigned lifetime, uint64_t arrival)
{
    struct store_key k = arrival_key(arrival);
    return store_del(s, log_table(lifetime), store_key_slice(&k));
}
