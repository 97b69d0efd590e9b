/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal_keys.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"

enum {
    SEAL_GENERATION = 1, /* of new bucket keys, of the node's key, and of the first root */
    PACK_ENTRY = 4 + SEAL_KEY,
    PACK_BYTES = SEAL_PACK * PACK_ENTRY,
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

/* Where the keys of a bucket and its neighbours lie together. No key has generation 0. */
static struct store_key pack_place(const struct seal_keys *keys, uint8_t bucket)
{
    return bucket_place(keys, (uint8_t)(bucket / SEAL_PACK * SEAL_PACK), 0);
}

/* Wraps a key, or a pack of them, under the root and puts it. */
static enum err wrap_put(const struct seal_keys *keys, struct turn *turn, struct slice key,
                         uint8_t bucket, struct slice secret)
{
    uint8_t row[SEAL_OVERHEAD + PACK_BYTES];
    assert(secret.len <= PACK_BYTES);
    struct seal_place at;
    struct seal_key root = {.generation = keys->root, .key = keys->wrap};
    struct slice place = seal_place_of(&at, STORE_BUCKET, key);
    seal_row_write(row, turn->env, bucket, &root, place, secret);
    secret_wipe(&root, sizeof root);
    return store_put(turn->store, STORE_BUCKET, key, slice_of(row, SEAL_OVERHEAD + secret.len));
}

/* Unwraps a row of STORE_BUCKET that holds len bytes. */
static enum err wrap_open(const struct seal_keys *keys, struct slice key, struct slice row,
                          uint8_t *secret, size_t len)
{
    struct seal_place at;
    struct seal_header h;
    enum err err = seal_row_header(row, &h);
    if (err != ERR_OK || row.len != SEAL_OVERHEAD + len) {
        return ERR_CORRUPT;
    }
    return seal_row_read(secret, &keys->wrap, seal_place_of(&at, STORE_BUCKET, key), row);
}

/* Wraps the newest key of a bucket by itself. */
static enum err wrap_single(const struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    const struct seal_key *key = &keys->buckets[bucket];
    struct store_key k = bucket_place(keys, bucket, key->generation);
    return wrap_put(keys, turn, store_key_slice(&k), bucket, slice_of(key->key.b, SEAL_KEY));
}

/* Wraps the newest key of every bucket, and the name key; what is not loaded is lost. The identity
 * depends on no row that is larger than it has to be: the key of its bucket lies by itself. */
static enum err wrap_all(const struct seal_keys *keys, struct turn *turn)
{
    uint8_t pack[PACK_BYTES];
    struct store_key k = name_place(keys);
    enum err err = wrap_put(keys, turn, store_key_slice(&k), 0, slice_of(keys->name, SEAL_KEY));
    if (err == ERR_OK) {
        err = wrap_single(keys, turn, SEAL_BUCKET_ACCOUNT);
    }
    for (unsigned first = 0; first < SEAL_BUCKETS && err == ERR_OK; first += SEAL_PACK) {
        struct writer w = writer_of(pack, sizeof pack);
        for (unsigned b = first; b < first + SEAL_PACK; b++) {
            assert(keys->buckets[b].generation > 0);
            if (b == SEAL_BUCKET_ACCOUNT) {
                writer_zeros(&w, PACK_ENTRY);
                continue;
            }
            writer_u32(&w, keys->buckets[b].generation);
            writer_bytes(&w, keys->buckets[b].key.b, SEAL_KEY);
        }
        k = pack_place(keys, (uint8_t)first);
        err = wrap_put(keys, turn, store_key_slice(&k), (uint8_t)first, writer_done(&w));
    }
    secret_wipe(pack, sizeof pack);
    return err;
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
    keys->root = SEAL_GENERATION;
    env_random(turn->env, keys->name, sizeof keys->name);
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        keys->buckets[b].generation = SEAL_GENERATION;
        env_random(turn->env, keys->buckets[b].key.b, SEAL_KEY);
    }
    keys->named = true;
    return wrap_all(keys, turn);
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
        err = wrap_open(keys, store_key_slice(&k), row, keys->name, SEAL_KEY);
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

/* The key of this bucket that lies in its pack. ERR_NOT_FOUND: there is no pack. ERR_CORRUPT,
 * LOCAL. */
static enum err pack_find(const struct seal_keys *keys, struct turn *turn, uint8_t bucket,
                          struct seal_key *out)
{
    uint8_t pack[PACK_BYTES];
    struct store_key k = pack_place(keys, bucket);
    struct slice row;
    enum err err = store_get(turn->store, STORE_BUCKET, store_key_slice(&k), &row);
    if (err == ERR_OK) {
        err = wrap_open(keys, store_key_slice(&k), row, pack, sizeof pack);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(slice_of(pack + bucket % SEAL_PACK * PACK_ENTRY, PACK_ENTRY));
    uint32_t generation = reader_u32(&r);
    CT_PUBLIC(&generation, sizeof generation); /* stands open in the rows */
    if (generation > 0) {
        out->generation = generation;
        reader_copy(&r, out->key.b, SEAL_KEY);
    }
    secret_wipe(pack, sizeof pack);
    return generation > 0 ? ERR_OK : ERR_CORRUPT;
}

/* The key of this bucket that lies by itself, if there is one the newest. ERR_NOT_FOUND. */
static enum err single_newest(const struct seal_keys *keys, struct turn *turn, uint8_t bucket,
                              struct seal_key *out)
{
    struct store_key last = bucket_place(keys, bucket, UINT32_MAX);
    struct slice prefix = slice_of(last.b, last.len - 4);
    struct store_row row;
    enum err err = store_seek_prefix(turn->store, STORE_BUCKET, STORE_LE, store_key_slice(&last),
                                     prefix, &row);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(row.key);
    (void)reader_bytes(&r, prefix.len);
    uint32_t generation = reader_u32(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    if (generation == 0) { /* a pack */
        return ERR_NOT_FOUND;
    }
    err = wrap_open(keys, row.key, row.value, out->key.b, SEAL_KEY);
    if (err == ERR_OK) {
        out->generation = generation;
    }
    return err;
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
    err = single_newest(keys, turn, bucket, k);
    return err == ERR_NOT_FOUND ? must_exist(pack_find(keys, turn, bucket, k)) : err;
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
    err = store_get(turn->store, STORE_BUCKET, store_key_slice(&k), &row);
    if (err != ERR_NOT_FOUND) {
        return err == ERR_OK ? wrap_open(keys, store_key_slice(&k), row, out->b, SEAL_KEY) : err;
    }
    struct seal_key packed;
    err = must_exist(pack_find(keys, turn, h.bucket, &packed));
    if (err == ERR_OK && packed.generation != h.generation) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        *out = packed.key;
    }
    secret_wipe(&packed, sizeof packed);
    return err;
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
    return wrap_single(keys, turn, bucket);
}

/* The next key that lies by itself above (bucket, generation), of any bucket but that which is
 * never renewed. What is not in that form is passed over. */
static enum err next_single(struct seal_keys *keys, struct turn *turn, unsigned *bucket,
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
        if (reader_end(&r) == ERR_OK && *generation > 0 && *bucket != SEAL_BUCKET_ACCOUNT) {
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
    enum err err = next_single(keys, turn, &bucket, &generation);
    while (err == ERR_OK) {
        struct store_key k = pack_place(keys, (uint8_t)bucket);
        struct slice row;
        err = store_get(turn->store, STORE_BUCKET, store_key_slice(&k), &row);
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            return err;
        }
        if (err == ERR_OK || bucket == before) {
            seal_set_add(set, (uint8_t)bucket);
        }
        before = bucket;
        err = next_single(keys, turn, &bucket, &generation);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Deletes every key that lies by itself and not for ever. */
static enum err drop_singles(struct seal_keys *keys, struct turn *turn)
{
    unsigned bucket = 0;
    uint32_t generation = 0;
    enum err err = next_single(keys, turn, &bucket, &generation);
    while (err == ERR_OK) {
        struct store_key k = bucket_place(keys, (uint8_t)bucket, generation);
        err = store_del(turn->store, STORE_BUCKET, store_key_slice(&k));
        if (err == ERR_OK) {
            err = next_single(keys, turn, &bucket, &generation);
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

enum err seal_reroot(struct seal_keys *keys, struct turn *turn, const uint8_t root[static SEAL_KEY],
                     uint32_t generation)
{
    enum err err = seal_whole(keys, turn);
    if (err == ERR_OK) {
        err = drop_singles(keys, turn);
    }
    if (err != ERR_OK) {
        return err;
    }
    wrap_under(keys, root);
    keys->root = generation;
    return wrap_all(keys, turn);
}
