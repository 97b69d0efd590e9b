/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/prim.h"

enum {
    SEAL_FORMAT = 1,     /* first byte of a row */
    SEAL_GENERATION = 1, /* of new bucket keys, of the node's key, and of the first root */
    SEAL_HEADER = 1 + 1 + 4 + PRIM_AEAD_NONCE,
    SEAL_STACK = 8192, /* rows up to this size are sealed on the stack */
    SEAL_TABLE = 16,   /* longest table name */
};

static_assert((int)SEAL_OVERHEAD == (int)SEAL_HEADER + (int)PRIM_AEAD_TAG, "row format");
static_assert((int)SEAL_KEY == (int)PRIM_KEY, "bucket keys are AEAD keys");

struct bucket_key {
    uint32_t generation; /* 0: not unwrapped yet */
    struct aead_key key;
};

struct seal_keys {
    uint32_t account; /* 0: the node */
    bool named;       /* name holds the name key */
    struct aead_key wrap;
    uint8_t name[SEAL_KEY];
    struct bucket_key buckets[SEAL_BUCKETS]; /* the newest of each; the node: only bucket 0 */
};

/* What a row's seal covers besides its bytes: where it lies. */
struct place {
    uint8_t b[SEAL_TABLE + 1 + STORE_KEY];
    size_t len;
};

struct row_header {
    uint8_t format;
    uint8_t bucket;
    uint32_t generation;
};

static struct slice place_init(struct place *at, enum store_table t, struct slice key)
{
    const char *name = store_table_name(t);
    assert(name != NULL && key.len <= STORE_KEY);
    size_t n = strlen(name) + 1; /* the NUL is the separator */
    assert(n <= SEAL_TABLE + 1);
    memcpy(at->b, name, n);
    memcpy(at->b + n, key.p, key.len);
    at->len = n + key.len;
    return slice_of(at->b, at->len);
}

/* Writes the row to out, which has room for plain.len + SEAL_OVERHEAD. */
static void row_seal(uint8_t *out, const struct env *env, uint8_t bucket,
                     const struct bucket_key *k, struct slice place, struct slice plain)
{
    struct writer w = writer_of(out, SEAL_HEADER);
    writer_u8(&w, SEAL_FORMAT);
    writer_u8(&w, bucket);
    writer_u32(&w, k->generation);
    uint8_t *nonce = writer_reserve(&w, PRIM_AEAD_NONCE);
    assert(nonce != NULL);
    env_random(env, nonce, PRIM_AEAD_NONCE);
    prim_aead_seal(out + SEAL_HEADER, &k->key, nonce, place, plain);
}

static enum err row_header(struct slice row, struct row_header *h)
{
    struct reader r = reader_of(row);
    h->format = reader_u8(&r);
    h->bucket = reader_u8(&r);
    h->generation = reader_u32(&r);
    bool good = row.len >= SEAL_OVERHEAD && h->format == SEAL_FORMAT && h->generation > 0;
    return good ? ERR_OK : ERR_CORRUPT;
}

/* Opens a row whose header was checked; out has room for row.len - SEAL_OVERHEAD. */
static enum err row_open(uint8_t *out, const struct aead_key *key, struct slice place,
                         struct slice row)
{
    const uint8_t *nonce = row.p + SEAL_HEADER - PRIM_AEAD_NONCE;
    struct slice sealed = slice_of(row.p + SEAL_HEADER, row.len - SEAL_HEADER);
    enum err err = prim_aead_open(out, key, nonce, place, sealed);
    return err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

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
    struct place at;
    struct bucket_key root = {.generation = SEAL_GENERATION, .key = keys->wrap};
    struct slice place = place_init(&at, STORE_BUCKET, key);
    row_seal(row, turn->env, bucket, &root, place, slice_of(secret, SEAL_KEY));
    secret_wipe(&root, sizeof root);
    return store_put(turn->store, STORE_BUCKET, key, slice_of(row, sizeof row));
}

/* Unwraps a row of STORE_BUCKET. Which root it is under, the erase file decides: the header's
 * generation is not looked at. */
static enum err wrap_open(const struct seal_keys *keys, struct slice key, struct slice row,
                          uint8_t secret[static SEAL_KEY])
{
    struct place at;
    struct row_header h;
    enum err err = row_header(row, &h);
    if (err != ERR_OK || row.len != SEAL_OVERHEAD + SEAL_KEY) {
        return ERR_CORRUPT;
    }
    return row_open(secret, &keys->wrap, place_init(&at, STORE_BUCKET, key), row);
}

static struct seal_keys *keys_new(uint32_t account)
{
    struct seal_keys *keys = secret_new(sizeof *keys);
    if (keys != NULL) {
        keys->account = account;
    }
    return keys;
}

struct seal_keys *seal_keys_new_account(uint32_t account, const uint8_t root[static SEAL_KEY])
{
    assert(account > 0);
    struct seal_keys *keys = keys_new(account);
    if (keys != NULL) {
        prim_blake2b(keys->wrap.b, sizeof keys->wrap.b, slice_of(root, SEAL_KEY),
                     "petrel/1 bucket wrap", NULL, 0);
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
    keys->named = err == ERR_OK;
    return err;
}

/* A key that must be there: its absence is damage, not an answer. */
static enum err must_exist(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* Unwraps the newest key of bucket, unless that was done before. */
static enum err bucket_load(struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    struct bucket_key *k = &keys->buckets[bucket];
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

/* The key that a row names: the newest, or while a bucket is being re-sealed one before it. */
static enum err bucket_find(struct seal_keys *keys, struct turn *turn, struct row_header h,
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

uint8_t seal_message_bucket(struct seal_keys *keys, uint32_t conversation, uint32_t day)
{
    assert(keys->named);
    uint8_t in[8];
    uint8_t hash[16];
    struct writer w = writer_of(in, sizeof in);
    writer_u32(&w, conversation);
    writer_u32(&w, day);
    struct slice part = writer_done(&w);
    prim_blake2b(hash, sizeof hash, slice_of(keys->name, SEAL_KEY), "petrel/1 message bucket",
                 &part, 1);
    struct reader r = reader_of(slice_of(hash, sizeof hash));
    uint64_t v = reader_u64(&r);
    return (uint8_t)(SEAL_BUCKET_MESSAGE + v % (SEAL_BUCKETS - SEAL_BUCKET_MESSAGE));
}

void seal_name(struct seal_keys *keys, const char *label, struct slice name,
               uint8_t out[static SEAL_NAME])
{
    assert(keys->named && strncmp(label, "petrel/1", 8) == 0);
    prim_blake2b(out, SEAL_NAME, slice_of(keys->name, SEAL_KEY), label, &name, 1);
}

static enum err seal_write(struct seal_keys *keys, struct turn *turn, enum store_table t,
                           struct slice key, uint8_t bucket, struct slice plain, bool append)
{
    assert(plain.len <= STORE_VALUE - SEAL_OVERHEAD);
    enum err err = bucket_load(keys, turn, bucket);
    if (err != ERR_OK) {
        return err;
    }
    uint8_t small[SEAL_STACK]; /* holds only what goes to the disk anyway */
    size_t len = plain.len + SEAL_OVERHEAD;
    uint8_t *row = len <= sizeof small ? small : arena_alloc(turn->arena, len);
    if (row == NULL) {
        return ERR_NO_MEMORY;
    }
    struct place at;
    row_seal(row, turn->env, bucket, &keys->buckets[bucket], place_init(&at, t, key), plain);
    return append ? store_append(turn->store, t, key, slice_of(row, len))
                  : store_put(turn->store, t, key, slice_of(row, len));
}

enum err seal_put(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  uint8_t bucket, struct slice plain)
{
    return seal_write(keys, turn, t, key, bucket, plain, false);
}

enum err seal_append(struct seal_keys *keys, struct turn *turn, enum store_table t,
                     struct slice key, uint8_t bucket, struct slice plain)
{
    return seal_write(keys, turn, t, key, bucket, plain, true);
}

enum err seal_get(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  struct slice *plain)
{
    struct slice row;
    enum err err = store_get(turn->store, t, key, &row);
    return err == ERR_OK ? seal_open(keys, turn, t, key, row, plain) : err;
}

enum err seal_open(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                   struct slice row, struct slice *plain)
{
    struct row_header h;
    enum err err = row_header(row, &h);
    if (err != ERR_OK) {
        return err;
    }
    struct aead_key k;
    err = bucket_find(keys, turn, h, &k);
    if (err != ERR_OK) {
        return err;
    }
    size_t len = row.len - SEAL_OVERHEAD;
    uint8_t *out = arena_alloc(turn->arena, len);
    struct place at;
    err = out != NULL ? row_open(out, &k, place_init(&at, t, key), row) : ERR_NO_MEMORY;
    secret_wipe(&k, sizeof k);
    if (err == ERR_OK) {
        *plain = slice_of(out, len);
    }
    return err;
}
