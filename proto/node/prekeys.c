/* SPDX-License-Identifier: Apache-2.0 */
#include "node/prekeys.h"

#include "base/secret.h"

enum {
    PREKEYS_BUCKET = SEAL_BUCKET_SESSION, /* with the ratchets, section 1 of the protocol */
};

static struct store_key prekey_key(struct seal_keys *keys, uint8_t kind, uint32_t id)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u8(&k, kind);
    store_key_u32(&k, id);
    return k;
}

enum err prekeys_get(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t id,
                     struct prekey_secret *secret)
{
    struct store_key k = prekey_key(keys, kind, id);
    struct slice plain;
    enum err err = seal_get(keys, step->turn, STORE_PREKEY, store_key_slice(&k), &plain);
    if (err != ERR_OK) {
        return err;
    }
    err = prekey_secret_decode(plain, secret);
    if (err == ERR_OK && (secret->kind != kind || secret->id != id)) {
        secret_wipe(secret, sizeof *secret);
        err = ERR_CORRUPT;
    }
    return err;
}

enum err prekeys_make(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t id,
                      struct prekey_secret *secret)
{
    enum err err = prekeys_get(step, keys, kind, id, secret);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    prekey_generate(secret, kind, id, step->turn->env);
    uint8_t plain[PREKEY_SECRET];
    prekey_secret_encode(secret, plain);
    struct store_key k = prekey_key(keys, kind, id);
    err = seal_put(keys, step->turn, STORE_PREKEY, store_key_slice(&k), PREKEYS_BUCKET,
                   slice_of(plain, sizeof plain));
    secret_wipe(plain, sizeof plain);
    if (err != ERR_OK) {
        secret_wipe(secret, sizeof *secret);
    }
    return err;
}

enum err prekeys_del(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t id)
{
    struct store_key k = prekey_key(keys, kind, id);
    return seal_del(keys, step->turn, STORE_PREKEY, store_key_slice(&k));
}

/* The oldest secret of this kind. */
static enum err prekeys_first(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t *id,
                              uint64_t *made)
{
    struct store_key k = prekey_key(keys, kind, 0);
    struct store_key prefix = store_key_new();
    struct store_row found;
    struct prekey_secret secret;
    store_key_u32(&prefix, seal_keys_account(keys));
    store_key_u8(&prefix, kind);
    enum err err = store_seek_prefix(step->turn->store, STORE_PREKEY, STORE_GE, store_key_slice(&k),
                                     store_key_slice(&prefix), &found);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(found.key);
    (void)reader_u32(&r);
    (void)reader_u8(&r);
    *id = reader_u32(&r);
    err = reader_end(&r) == ERR_OK ? prekeys_get(step, keys, kind, *id, &secret) : ERR_CORRUPT;
    if (err == ERR_OK) {
        *made = secret.created_ms;
        secret_wipe(&secret, sizeof secret);
    }
    return err;
}

enum err prekeys_horizon(struct step *step, struct seal_keys *keys, uint64_t *before)
{
    uint32_t id;
    uint64_t made;
    *before = 0;
    enum err err = prekeys_first(step, keys, PREKEY_SIGNED, &id, &made);
    if (err == ERR_OK && step_now(step) >= made &&
        step_now(step) - made >= LIMIT_PREKEY_KEEP_DAYS * LIMIT_DAY_MS) {
        *before = made;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err prekeys_sweep(struct step *step, struct seal_keys *keys, uint64_t before, bool *more)
{
    *more = false;
    for (unsigned i = 0; before > 0 && i < LIMIT_SWEEP_ROWS; i++) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        uint32_t id;
        uint64_t made;
        enum err err = prekeys_first(step, keys, PREKEY_ONE_TIME, &id, &made);
        arena_rewind(step->turn->arena, mark);
        if (err != ERR_OK || made >= before) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        err = prekeys_del(step, keys, PREKEY_ONE_TIME, id);
        if (err != ERR_OK) {
            return err;
        }
    }
    *more = before > 0;
    return ERR_OK;
}
