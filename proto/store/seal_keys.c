/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal_keys.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"

enum {
    SEAL_GENERATION = 1, /* of new bucket keys, of the node's key, and of the first root */
};

static_assert((int)SEAL_KEY == (int)PRIM_KEY, "bucket keys are AEAD keys");

struct seal_keys {
    uint32_t account; /* 0: the node */
    bool named;       /* name holds the name key */
    uint32_t root;    /* generation of the root that wraps them; when named */
    struct aead_key wrap;
    uint8_t name[SEAL_KEY];
    struct seal_key buckets[SEAL_BUCKETS]; /* the newest of each; the node: only bucket 0 */
    struct seal_set touched;
};

/* --- sets of buckets --- */

void seal_set_add(struct seal_set *set, uint8_t bucket)
{
    set->bits[bucket / 8] |= (uint8_t)(1U << bucket % 8);
}

void seal_set_remove(struct seal_set *set, uint8_t bucket)
{
    set->bits[bucket / 8] &= (uint8_t) ~(1U << bucket % 8);
}

bool seal_set_has(const struct seal_set *set, uint8_t bucket)
{
    return (set->bits[bucket / 8] >> bucket % 8 & 1) != 0;
}

bool seal_set_empty(const struct seal_set *set)
{
    static const struct seal_set none;
    return memcmp(set, &none, sizeof none) == 0;
}

void seal_set_join(struct seal_set *set, const struct seal_set *more)
{
    for (size_t i = 0; i < sizeof set->bits; i++) {
        set->bits[i] |= more->bits[i];
    }
}

struct seal_set *seal_touched(struct seal_keys *keys)
{
    return &keys->touched;
}

/* --- wrapping --- */

static struct store_key bucket_place(const struct seal_keys *keys, uint8_t bucket,
                                     uint32_t generation)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, keys->account);
    store_key_u8(&k, bucket);
    store_key_u32(&k, generation);
    return k;
}

static struct store_key name_place(const struct seal_keys *keys)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, keys->account);
    return k;
}

/* Wraps one 32-byte key under the root and puts it. */
static enum err wrap_put(const struct seal_keys *keys, struct turn *turn, struct slice key,
                         uint8_t bucket, const uint8_t secret[static SEAL_KEY])
{
    uint8_t row[SEAL_OVERHEAD + SEAL_KEY];
    struct seal_place at;
    struct seal_key root = {.generation = keys->root, .key = keys->wrap};
    struct slice place = seal_place_of(&at, STORE_BUCKET, key);
    seal_row_write(row, turn->env, bucket, &root, place, slice_of(secret, SEAL_KEY));
    secret_wipe(&root, sizeof root);
    return store_put(turn->store, STORE_BUCKET, key, slice_of(row, sizeof row));
}

/* Unwraps a row of STORE_BUCKET. */
static enum err wrap_open(const struct seal_keys *keys, struct slice key, struct slice row,
                          uint8_t secret[static SEAL_KEY])
{
    struct seal_place at;
    struct seal_header h;
    enum err err = seal_row_header(row, &h);
    if (err != ERR_OK || row.len != SEAL_OVERHEAD + SEAL_KEY) {
        return ERR_CORRUPT;
    }
    return seal_row_read(secret, &keys->wrap, seal_place_of(&at, STORE_BUCKET, key), row);
}

static struct seal_keys *keys_new(uint32_t account)
{
    struct seal_keys *keys = secret_new(sizeof *keys);
    if (keys != NULL) {
        keys->account = account;
    }
    return keys;
}

static void wrap_under(struct seal_keys *keys, const uint8_t root[static SEAL_KEY])
{
    prim_blake2b(keys->wrap.b, sizeof keys->wrap.b, slice_of(root, SEAL_KEY),
                 "petrel/1 bucket wrap", NULL, 0);
}

struct seal_keys *seal_keys_new_account(uint32_t account, const uint8_t root[static SEAL_KEY])
{
    assert(account > 0);
    struct seal_keys *keys = keys_new(account);
    if (keys != NULL) {
        wrap_under(keys, root);
    }
    return keys;
}

struct seal_keys *seal_keys_new_node(const uint8_t key[static SEAL_KEY])
{
    struct seal_keys *keys = keys_new(0);
    if (keys == NULL) {
        return NULL;
    }
    struct slice k = slice_of(key, SEAL_KEY);
    prim_blake2b(keys->name, sizeof keys->name, k, "petrel/1 node names", NULL, 0);
    prim_blake2b(keys->buckets[0].key.b, SEAL_KEY, k, "petrel/1 node rows", NULL, 0);
    keys->buckets[0].generation = SEAL_GENERATION;
    keys->named = true;
    return keys;
}

void seal_keys_free(struct seal_keys *keys)
{
    secret_free(keys);
}

uint32_t seal_keys_account(const struct seal_keys *keys)
{
    return keys->account;
}

enum err seal_keys_create(struct seal_keys *keys, struct turn *turn)
{
    assert(keys->account > 0);
    uint8_t secret[SEAL_KEY];
    struct store_key k = name_place(keys);
    keys->root = SEAL_GENERATION;
    env_random(turn->env, secret, sizeof secret);
    enum err err = wrap_put(keys, turn, store_key_slice(&k), 0, secret);
    for (unsigned b = 0; b < SEAL_BUCKETS && err == ERR_OK; b++) {
        env_random(turn->env, secret, sizeof secret);
        k = bucket_place(keys, (uint8_t)b, SEAL_GENERATION);
        err = wrap_put(keys, turn, store_key_slice(&k), (uint8_t)b, secret);
    }
    secret_wipe(secret, sizeof secret);
    return err == ERR_OK ? seal_keys_load(keys, turn) : err;
}

static enum err root_of_row(struct slice row, uint32_t *generation)
{
    struct seal_header h;
    enum err err = seal_row_header(row, &h);
    if (err == ERR_OK) {
        *generation = h.generation;
    }
    return err;
}

enum err seal_keys_load(struct seal_keys *keys, struct turn *turn)
{
    if (keys->named) {
        return ERR_OK;
    }
    struct store_key k = name_place(keys);
    struct slice row;
    enum err err = store_get(turn->store, STORE_BUCKET, store_key_slice(&k), &row);
    if (err == ERR_OK) {
        err = wrap_open(keys, store_key_slice(&k), row, keys->name);
    }
    if (err == ERR_OK) {
        err = root_of_row(row, &keys->root);
    }
    keys->named = err == ERR_OK;
    return err;
}

uint32_t seal_root(const struct seal_keys *keys)
{
    assert(keys->named);
    return keys->root;
}

enum err seal_root_named(struct store *s, uint32_t account, uint32_t *generation)
{
    struct store_key k = store_key_new();
    struct slice row;
    store_key_u32(&k, account);
    enum err err = store_get(s, STORE_BUCKET, store_key_slice(&k), &row);
    return err == ERR_OK ? root_of_row(row, generation) : err;
}

/* A key that must be there: its absence is damage, not an answer. */
static enum err must_exist(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* Unwraps the newest key of bucket, unless that was done before. */
static enum err bucket_load(struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    struct seal_key *k = &keys->buckets[bucket];
    if (k->generation > 0) {
        return ERR_OK;
    }
    assert(keys->account > 0); /* the node's rows are all in bucket 0 */
    enum err err = must_exist(seal_keys_load(keys, turn));
    if (err != ERR_OK) {
        return err;
    }
    struct store_key last = bucket_place(keys, bucket, UINT32_MAX);
    struct slice prefix = slice_of(last.b, last.len - 4);
    struct store_row row;
    err = must_exist(store_seek_prefix(turn->store, STORE_BUCKET, STORE_LE, store_key_slice(&last),
                                       prefix, &row));
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(row.key);
    (void)reader_bytes(&r, prefix.len);
    uint32_t generation = reader_u32(&r);
    if (reader_end(&r) != ERR_OK || generation == 0) {
        return ERR_CORRUPT;
    }
    err = wrap_open(keys, row.key, row.value, k->key.b);
    if (err == ERR_OK) {
        k->generation = generation;
    }
    return err;
}

enum err seal_key_newest(struct seal_keys *keys, struct turn *turn, uint8_t bucket,
                         const struct seal_key **key)
{
    enum err err = bucket_load(keys, turn, bucket);
    *key = &keys->buckets[bucket];
    return err;
}

/* The key that a row names: the newest, or while a bucket is being re-sealed one before it. */
enum err seal_key_find(struct seal_keys *keys, struct turn *turn, struct seal_header h,
                       struct aead_key *out)
{
    if (keys->account == 0 && h.bucket != 0) {
        return ERR_CORRUPT;
    }
    enum err err = bucket_load(keys, turn, h.bucket);
    if (err != ERR_OK) {
        return err;
    }
    if (h.generation == keys->buckets[h.bucket].generation) {
        *out = keys->buckets[h.bucket].key;
        return ERR_OK;
    }
    struct store_key k = bucket_place(keys, h.bucket, h.generation);
    struct slice row;
    err = must_exist(store_get(turn->store, STORE_BUCKET, store_key_slice(&k), &row));
    return err == ERR_OK ? wrap_open(keys, store_key_slice(&k), row, out->b) : err;
}

uint8_t seal_message_bucket(struct seal_keys *keys, uint32_t conversation, uint32_t group)
{
    assert(keys->named);
    uint8_t in[8];
    uint8_t hash[16];
    struct writer w = writer_of(in, sizeof in);
    writer_u32(&w, conversation);
    writer_u32(&w, group);
    struct slice part = writer_done(&w);
    prim_blake2b(hash, sizeof hash, slice_of(keys->name, SEAL_KEY), "petrel/1 message bucket",
                 &part, 1);
    CT_PUBLIC(hash, sizeof hash); /* the bucket stands open in the row */
    struct reader r = reader_of(slice_of(hash, sizeof hash));
    uint64_t v = reader_u64(&r);
    return (uint8_t)(SEAL_BUCKET_MESSAGE + v % (SEAL_BUCKETS - SEAL_BUCKET_MESSAGE));
}

void seal_name(struct seal_keys *keys, const char *label, struct slice name,
               uint8_t out[static SEAL_NAME])
{
    assert(keys->named && strncmp(label, "petrel/1", 8) == 0);
    prim_blake2b(out, SEAL_NAME, slice_of(keys->name, SEAL_KEY), label, &name, 1);
    CT_PUBLIC(out, SEAL_NAME); /* stands open in the database's keys */
}

/* --- renewal --- */

enum err seal_renew(struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    assert(keys->account > 0 && bucket != SEAL_BUCKET_ACCOUNT);
    struct seal_key *k = &keys->buckets[bucket];
    enum err err = bucket_load(keys, turn, bucket);
    if (err == ERR_OK && k->generation == UINT32_MAX) {
        err = ERR_QUOTA;
    }
    if (err != ERR_OK) {
        return err;
    }
    k->generation++;
    env_random(turn->env, k->key.b, sizeof k->key.b);
    struct store_key at = bucket_place(keys, bucket, k->generation);
    return wrap_put(keys, turn, store_key_slice(&at), bucket, k->key.b);
}

/* The row of a bucket's key above that of (bucket, generation), of any bucket. What has no key of
 * that form is passed over. */
static enum err next_key(struct seal_keys *keys, struct turn *turn, unsigned *bucket,
                         uint32_t *generation)
{
    struct store_key k = bucket_place(keys, (uint8_t)*bucket, *generation);
    for (;;) {
        struct store_row row;
        enum err err = store_seek_prefix(turn->store, STORE_BUCKET, STORE_GT, store_key_slice(&k),
                                         slice_of(k.b, sizeof(uint32_t)), &row);
        if (err != ERR_OK) {
            return err;
        }
        struct reader r = reader_of(row.key);
        (void)reader_u32(&r);
        *bucket = reader_u8(&r);
        *generation = reader_u32(&r);
        if (reader_end(&r) == ERR_OK && *generation > 0) {
            return ERR_OK;
        }
        k = store_key_new();
        store_key_bytes(&k, row.key.p, row.key.len);
    }
}

enum err seal_renewing(struct seal_keys *keys, struct turn *turn, struct seal_set *set)
{
    unsigned bucket = 0;
    unsigned before = SEAL_BUCKETS;
    uint32_t generation = 0;
    memset(set, 0, sizeof *set);
    enum err err = next_key(keys, turn, &bucket, &generation);
    while (err == ERR_OK) {
        if (bucket == before) {
            seal_set_add(set, (uint8_t)bucket);
        }
        before = bucket;
        err = next_key(keys, turn, &bucket, &generation);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Deletes every key of this bucket but the newest. */
static enum err drop_old(struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    unsigned at = bucket;
    uint32_t generation = 0;
    enum err err = next_key(keys, turn, &at, &generation);
    while (err == ERR_OK && at == bucket && generation != keys->buckets[bucket].generation) {
        struct store_key k = bucket_place(keys, bucket, generation);
        err = store_del(turn->store, STORE_BUCKET, store_key_slice(&k));
        if (err == ERR_OK) {
            err = next_key(keys, turn, &at, &generation);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err seal_whole(struct seal_keys *keys, struct turn *turn)
{
    enum err err = must_exist(seal_keys_load(keys, turn));
    for (unsigned b = 0; b < SEAL_BUCKETS && err == ERR_OK; b++) {
        err = bucket_load(keys, turn, (uint8_t)b);
    }
    return err;
}

enum err seal_reroot(struct seal_keys *keys, struct turn *turn, const struct seal_set *renewed,
                     const uint8_t root[static SEAL_KEY], uint32_t generation)
{
    enum err err = seal_whole(keys, turn);
    for (unsigned b = 0; b < SEAL_BUCKETS && err == ERR_OK; b++) {
        if (seal_set_has(renewed, (uint8_t)b) && b != SEAL_BUCKET_ACCOUNT) {
            err = drop_old(keys, turn, (uint8_t)b);
        }
    }
    if (err != ERR_OK) {
        return err;
    }
    wrap_under(keys, root);
    keys->root = generation;
    struct store_key k = name_place(keys);
    err = wrap_put(keys, turn, store_key_slice(&k), 0, keys->name);
    for (unsigned b = 0; b < SEAL_BUCKETS && err == ERR_OK; b++) {
        k = bucket_place(keys, (uint8_t)b, keys->buckets[b].generation);
        err = wrap_put(keys, turn, store_key_slice(&k), (uint8_t)b, keys->buckets[b].key.b);
    }
    return err;
}
