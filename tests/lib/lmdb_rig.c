/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/lmdb_rig.h"

#include "lib/unit.h"

struct store_lmdb *lmdb_rig_open(const char *dir, size_t map_bytes)
{
    struct store_lmdb *db = NULL;
    char writer[64];
    ck_assert_ok(store_lmdb_open(&db, dir, map_bytes, writer));
    return db;
}

struct store lmdb_rig_begin(struct store_lmdb *db)
{
    struct store s;
    ck_assert_ok(store_lmdb_begin(db, &s));
    return s;
}

void lmdb_rig_commit(struct store_lmdb *db)
{
    ck_assert_ok(store_lmdb_commit(db));
}

void lmdb_rig_log(struct store_lmdb *db)
{
    struct wal_range range;
    ck_assert_ok(store_lmdb_log(db, &range));
    if (range.to > range.from) {
        ck_assert_ok(store_lmdb_flush(db, range));
    }
}

struct slice lmdb_rig_key(struct store_key *k, uint64_t v)
{
    *k = store_key_new();
    store_key_u64(k, v);
    return store_key_slice(k);
}

bool lmdb_rig_has(struct store *s, const char *key)
{
    struct slice v;
    return store_get(s, STORE_CONSUMER, unit_str(key), &v) == ERR_OK;
}

bool lmdb_rig_readers_see(struct store_lmdb *db, const char *key)
{
    struct store_lmdb_reader *reader;
    struct store r;
    ck_assert_ok(store_lmdb_read_begin(db, &reader, &r));
    bool seen = lmdb_rig_has(&r, key);
    store_lmdb_read_end(reader);
    return seen;
}

void lmdb_rig_put(struct store *s, const char *key)
{
    ck_assert_ok(store_put(s, STORE_CONSUMER, unit_str(key), unit_str("v")));
}

uint64_t lmdb_rig_state(struct store_lmdb *db)
{
    struct store s = lmdb_rig_begin(db);
    struct slice row;
    ck_assert_ok(store_get(&s, STORE_META, unit_str("wal"), &row));
    struct reader r = reader_of(row);
    uint64_t number = reader_u64(&r);
    store_lmdb_abort(db);
    return number;
}
