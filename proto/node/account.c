/* SPDX-License-Identifier: Apache-2.0
 *
 * account: a person's identity on this node: creation, loading, keys.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/device.h"

void account_identity(const struct account_row *row, struct sign_pk *pk, struct sign_sk *sk)
{
    prim_sign_keypair(pk, sk, row->identity);
}

void account_link_key(const struct account_row *row, const struct sign_pk *relay, struct dh_sk *key)
{
    struct slice part = slice_of(relay->b, sizeof relay->b);
    prim_blake2b(key->b, sizeof key->b, slice_of(row->device_seed, sizeof row->device_seed),
                 "petrel/1 link key", &part, 1);
}

void account_pair_self(const struct account_row *row, struct pair_self *self)
{
    struct sign_sk sk;
    prim_sign_keypair(&self->id, &sk, row->identity);
    secret_wipe(&sk, sizeof sk);
    self->certificate = row->certificate;
    memcpy(self->dh.b, row->device_dh, sizeof self->dh.b);
}

/* Draws this device's keys and certifies them. */
static enum err device_create(struct step *step, struct account_row *row)
{
    const struct env *env = step->turn->env;
    env_random(env, row->device_sign, sizeof row->device_sign);
    env_random(env, row->device_dh, sizeof row->device_dh);
    env_random(env, row->device_mls, sizeof row->device_mls);
    env_random(env, row->device_seed, sizeof row->device_seed);

    struct device_certificate certificate = {.added_ms = env->now_ms};
    struct sign_sk sk;
    struct dh_sk dh;
    prim_sign_keypair(&certificate.sign, &sk, row->device_sign);
    prim_sign_keypair(&certificate.mls, &sk, row->device_mls);
    memcpy(dh.b, row->device_dh, sizeof dh.b);
    prim_dh_public(&certificate.dh, &dh);

    struct sign_pk id;
    account_identity(row, &id, &sk);
    struct writer w = step_writer(step, LIMIT_CERTIFICATE);
    enum err err = w.cap == 0 ? ERR_NO_MEMORY : device_certificate_make(&w, &certificate, &sk);
    row->certificate = writer_done(&w);
    secret_wipe(&sk, sizeof sk);
    secret_wipe(&dh, sizeof dh);
    return err;
}

enum err account_create(struct node *node, struct step *step, const uint8_t *root,
                        const uint8_t *seed)
{
    struct seal_keys *keys = seal_keys_new_account(ROW_ACCOUNT, root);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    struct account_row row = {.created = step_now(step)};
    if (seed != NULL) {
        memcpy(row.identity, seed, sizeof row.identity);
    } else {
        env_random(step->turn->env, row.identity, sizeof row.identity);
    }
    enum err err = seal_keys_create(keys, step->turn);
    if (err == ERR_OK) {
        err = device_create(step, &row);
    }
    if (err == ERR_OK) {
        err = account_row_put(step, keys, &row);
    }
    if (err == ERR_OK) {
        struct sign_sk sk;
        account_identity(&row, &node->account_id, &sk);
        secret_wipe(&sk, sizeof sk);
        node->keys = keys;
        node->has_account = true;
        keys = NULL;
    }
    seal_keys_free(keys);
    secret_wipe(&row, sizeof row);
    return err;
}

enum err account_load(struct node *node, struct step *step, const uint8_t *root)
{
    enum err err = account_row_exists(step, ROW_ACCOUNT, &node->has_account);
    if (err != ERR_OK || !node->has_account || root == NULL) {
        return err;
    }
    struct seal_keys *keys = seal_keys_new_account(ROW_ACCOUNT, root);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    struct account_row row;
    err = seal_keys_load(keys, step->turn);
    if (err == ERR_OK) {
        err = account_row_get(step, keys, &row);
    }
    if (err != ERR_OK) {
        seal_keys_free(keys);
        return err;
    }
    struct sign_sk sk;
    account_identity(&row, &node->account_id, &sk);
    secret_wipe(&sk, sizeof sk);
    secret_wipe(&row, sizeof row);
    node->keys = keys;
    return ERR_OK;
}

enum err account_next_contact(struct node *node, struct step *step, uint32_t *number)
{
    struct account_row row;
    enum err err = account_row_get(step, node->keys, &row);
    if (err == ERR_OK && row.last_contact >= LIMIT_CONTACTS) {
        err = ERR_QUOTA;
    }
    if (err == ERR_OK) {
        *number = ++row.last_contact;
        err = account_row_put(step, node->keys, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}
