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
    return store_del(step->turn->store, STORE_PREKEY, store_key_slice(&k));
}
