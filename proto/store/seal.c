/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <assert.h>

#include "base/secret.h"

enum {
    SEAL_STACK = 8192, /* rows up to this size are sealed on the stack */
};

static_assert((int)SEAL_OVERHEAD == (int)SEAL_ROW_HEADER + (int)PRIM_AEAD_TAG, "row format");

static enum err seal_write(struct seal_keys *keys, struct turn *turn, enum store_table t,
                           struct slice key, uint8_t bucket, struct slice plain, bool append)
{
    assert(plain.len <= STORE_VALUE - SEAL_OVERHEAD);
    const struct seal_key *newest;
    enum err err = seal_key_newest(keys, turn, bucket, &newest);
    if (err != ERR_OK) {
        return err;
    }
    uint8_t small[SEAL_STACK]; /* holds only what goes to the disk anyway */
    size_t len = plain.len + SEAL_OVERHEAD;
    uint8_t *row = len <= sizeof small ? small : arena_alloc(turn->arena, len);
    if (row == NULL) {
        return ERR_NO_MEMORY;
    }
    struct seal_place at;
    seal_row_write(row, turn->env, bucket, newest, seal_place_of(&at, t, key), plain);
    return append ? store_append(turn->store, t, key, slice_of(row, len))
                  : store_put(turn->store, t, key, slice_of(row, len));
}

/* Tables of which every row that is overwritten was a secret of its own. */
static bool replaces_secrets(enum store_table t)
{
    return t == STORE_SESSION || t == STORE_PREKEY || t == STORE_OUTBOX;
}

bool seal_may_hold(enum store_table t, uint8_t bucket)
{
    switch ((int)t) {
    case STORE_SESSION:
    case STORE_PREKEY:
        return bucket < SEAL_BUCKET_ACCOUNT;
    case STORE_OUTBOX: /* older programs: with the messages */
        return bucket != SEAL_BUCKET_ACCOUNT;
    case STORE_MESSAGE:
    case STORE_EVIDENCE:
        return bucket >= SEAL_BUCKET_MESSAGE;
    default:
        return bucket == SEAL_BUCKET_ACCOUNT;
    }
}

enum err seal_put(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  uint8_t bucket, struct slice plain)
{
    assert(seal_keys_account(keys) == 0 || seal_may_hold(t, bucket));
    if (replaces_secrets(t)) {
        seal_set_add(seal_touched(keys), bucket);
    }
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
    struct seal_header h;
    enum err err = seal_row_header(row, &h);
    if (err != ERR_OK) {
        return err;
    }
    struct aead_key k;
    err = seal_key_find(keys, turn, h, &k);
    if (err != ERR_OK) {
        return err;
    }
    size_t len = row.len - SEAL_OVERHEAD;
    uint8_t *out = arena_alloc(turn->arena, len);
    struct seal_place at;
    err = out != NULL ? seal_row_read(out, &k, seal_place_of(&at, t, key), row) : ERR_NO_MEMORY;
    secret_wipe(&k, sizeof k);
    if (err == ERR_OK) {
        *plain = slice_of(out, len);
    }
    return err;
}

enum err seal_del(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key)
{
    struct seal_header h;
    struct slice row;
    enum err err = store_get(turn->store, t, key, &row);
    if (err == ERR_OK) {
        err = seal_row_header(row, &h);
    }
    if (err == ERR_OK && !seal_may_hold(t, h.bucket)) {
        err = ERR_CORRUPT;
    }
    if (err != ERR_OK) {
        return err;
    }
    seal_set_add(seal_touched(keys), h.bucket);
    return store_del(turn->store, t, key);
}

enum err seal_stale(struct seal_keys *keys, struct turn *turn, const struct seal_set *set,
                    struct slice row, bool *stale)
{
    struct seal_header h;
    enum err err = seal_row_header(row, &h);
    *stale = false;
    if (err != ERR_OK || !seal_set_has(set, h.bucket)) {
        return err;
    }
    const struct seal_key *newest;
    err = seal_key_newest(keys, turn, h.bucket, &newest);
    *stale = err == ERR_OK && h.generation != newest->generation;
    return err;
}

enum err seal_again(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                    struct slice row)
{
    struct seal_header h;
    struct slice plain;
    struct store_key at = store_key_new();
    store_key_bytes(&at, key.p, key.len); /* what seek returned is gone with the put */
    enum err err = seal_row_header(row, &h);
    if (err == ERR_OK) {
        err = seal_open(keys, turn, t, store_key_slice(&at), row, &plain);
    }
    return err == ERR_OK ? seal_write(keys, turn, t, store_key_slice(&at), h.bucket, plain, false)
                         : err;
}
