/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/wal_record.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

static const char magic[] = "petrel w"; /* without its NUL */

enum {
    MAGIC = sizeof magic - 1,
    PUT = 1,
    DEL = 2,
};

static_assert(WAL_HEADER == WAL_SUM + MAGIC + 8 + 8 + WAL_LIFE, "the header");
static_assert(STORE_KEY <= UINT8_MAX, "a key's length is one byte");

static void change(struct writer *w, uint8_t kind, enum store_table t, struct slice key)
{
    const char *name = store_table_name(t); /* which is for ever, its number is not */
    size_t len = strlen(name);
    writer_u8(w, kind);
    writer_u8(w, (uint8_t)len);
    writer_bytes(w, name, len);
    writer_u8(w, (uint8_t)key.len);
    writer_slice(w, key);
}

void wal_change_put(struct writer *w, enum store_table t, struct slice key, struct slice value)
{
    change(w, PUT, t, key);
    writer_u32(w, (uint32_t)value.len);
    writer_slice(w, value);
}

void wal_change_del(struct writer *w, enum store_table t, struct slice key)
{
    change(w, DEL, t, key);
}

/* XXH3-64 of all that follows it, with the checksum before as the seed. */
static uint64_t checksum(const uint8_t *record, size_t changes, uint64_t before)
{
    return XXH3_64bits_withSeed(record + WAL_SUM, WAL_HEADER - WAL_SUM + changes, before);
}

uint64_t wal_record_seal(uint8_t *record, size_t changes, uint64_t number,
                         const uint8_t life[static WAL_LIFE], uint64_t before)
{
    struct writer rest = writer_of(record + WAL_SUM, WAL_HEADER - WAL_SUM);
    struct writer first = writer_of(record, WAL_SUM);
    writer_bytes(&rest, magic, MAGIC);
    writer_u64(&rest, number);
    writer_u64(&rest, changes);
    writer_bytes(&rest, life, WAL_LIFE);
    uint64_t sum = checksum(record, changes, before);
    writer_u64(&first, sum);
    return sum;
}

struct slice wal_record_open(struct slice bytes, uint64_t number, uint64_t before, uint64_t *sum)
{
    struct reader r = reader_of(bytes);
    *sum = reader_u64(&r);
    bool ours = slice_equal(reader_bytes(&r, MAGIC), slice_of(magic, MAGIC));
    bool next = reader_u64(&r) == number;
    uint64_t changes = reader_u64(&r);
    (void)reader_bytes(&r, WAL_LIFE);
    if (r.err != ERR_OK || !ours || !next || changes > reader_left(&r) ||
        checksum(bytes.p, (size_t)changes, before) != *sum) {
        return slice_of(NULL, 0);
    }
    return slice_of(bytes.p + WAL_HEADER, (size_t)changes);
}

size_t wal_record_size(size_t changes)
{
    return (WAL_HEADER + changes + WAL_BLOCK - 1) / WAL_BLOCK * WAL_BLOCK;
}

static enum err table_of(struct slice name, enum store_table *t)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        const char *have = store_table_name((enum store_table)i);
        if (slice_equal(name, slice_of(have, strlen(have)))) {
            *t = (enum store_table)i;
            return ERR_OK;
        }
    }
    return ERR_CORRUPT;
}

static enum err change_apply(struct reader *r, struct store *store)
{
    enum store_table t = STORE_META;
    struct slice value = slice_of(NULL, 0);
    uint8_t kind = reader_u8(r);
    uint8_t name_len = reader_u8(r);
    enum err err = table_of(reader_bytes(r, name_len), &t);
    uint8_t key_len = reader_u8(r);
    struct slice key = reader_bytes(r, key_len);
    if (kind == PUT) {
        uint32_t len = reader_u32(r);
        value = reader_bytes(r, len);
    }
    if (err != ERR_OK || r->err != ERR_OK || (kind != PUT && kind != DEL) || key.len == 0 ||
        key.len > STORE_KEY || value.len > STORE_VALUE) {
        return ERR_CORRUPT;
    }
    err = kind == PUT ? store_put(store, t, key, value) : store_del(store, t, key);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

enum err wal_changes_apply(struct slice changes, struct store *store)
{
    struct reader r = reader_of(changes);
    enum err err = ERR_OK;
    while (err == ERR_OK && reader_left(&r) > 0) {
        err = change_apply(&r, store);
    }
    return err;
}
