/* SPDX-License-Identifier: Apache-2.0 */
#include "node/rows.h"

#include <stddef.h>
#include <string.h>

#include "base/secret.h"
#include "node/row_kind.h"

static const struct field ACCOUNT_FIELDS[] = {
    FIELD(0, FIELD_U64, account_row, created, 0),
    FIELD(1, FIELD_FIXED, account_row, identity, 32),
    FIELD(2, FIELD_FIXED, account_row, device_sign, 32),
    FIELD(3, FIELD_FIXED, account_row, device_dh, 32),
    FIELD(4, FIELD_FIXED, account_row, device_mls, 32),
    FIELD(5, FIELD_FIXED, account_row, device_seed, 32),
    FIELD(6, FIELD_U32, account_row, last_contact, 0),
    FIELD(7, FIELD_U32, account_row, list_version, 0),
    FIELD(8, FIELD_SLICE, account_row, certificate, LIMIT_CERTIFICATE),
    FIELD(9, FIELD_SLICE, account_row, device_list, LIMIT_DEVICE_LIST),
    FIELD(10, FIELD_LATER, account_row, queues_ms, 0),
    FIELD(11, FIELD_LATER, account_row, rekey_next, 0),
    FIELD(12, FIELD_LATER, account_row, rekey_why, 0),
    FIELD(13, FIELD_LATER, account_row, restoring, 0),
    FIELD(14, FIELD_LATER, account_row, last_peer, 0),
    FIELD(15, FIELD_LATER, account_row, list_place, 0),
    FIELD(16, FIELD_SLICE, account_row, owner, sizeof(struct sign_pk)),
    FIELD(17, FIELD_LATER, account_row, linking, 0),
    FIELD(18, FIELD_LATER, account_row, removed, 0),
    FIELD(19, FIELD_LATER, account_row, news_next, 0),
    FIELD(20, FIELD_LATER, account_row, hidden, 0),
    FIELD(21, FIELD_SLICE, account_row, ahead, ROW_AHEAD),
    FIELD(22, FIELD_LATER, account_row, anew, 0),
};

static const struct field RELAY_FIELDS[] = {
    FIELD(0, FIELD_ADDRESS, relay_row, address, 0),
    FIELD(1, FIELD_FIXED, relay_row, member, 32),
    FIELD(2, FIELD_FIXED, relay_row, queue, 32),
    FIELD(3, FIELD_FIXED, relay_row, record, 32),
    FIELD(4, FIELD_FIXED, relay_row, token_key, 32),
    FIELD(5, FIELD_FIXED, relay_row, siv_key, 32),
    FIELD(6, FIELD_SLICE, relay_row, code, 32),
    FIELD(7, FIELD_BOOL, relay_row, joined, 0),
    FIELD(8, FIELD_BOOL, relay_row, registered, 0),
    FIELD(9, FIELD_U64, relay_row, record_seq, 0),
    FIELD(10, FIELD_U32, relay_row, parts_sent, 0),
    FIELD(11, FIELD_U32, relay_row, spk_id, 0),
    FIELD(12, FIELD_U32, relay_row, last_part, 0),
    FIELD(13, FIELD_U64, relay_row, described, 0),
    FIELD(14, FIELD_LATER, relay_row, queue_envelopes, 0),
    FIELD(15, FIELD_LATER, relay_row, queue_bytes, 0),
    FIELD(16, FIELD_LATER, relay_row, queue_days, 0),
    FIELD(17, FIELD_LATER, relay_row, own_machine, 0),
    FIELD(18, FIELD_LATER, relay_row, role, 0),
    FIELD(19, FIELD_LATER, relay_row, left_ms, 0),
    FIELD(20, FIELD_LATER, relay_row, list_version, 0),
    FIELD(21, FIELD_LATER, relay_row, rekey, 0),
};

static const struct field INVITE_FIELDS[] = {
    FIELD(0, FIELD_FIXED, invite_row, secret, INVITE_SECRET),
    FIELD(1, FIELD_U64, invite_row, expires, 0),
    FIELD(2, FIELD_U32, invite_row, contact, 0),
    FIELD(3, FIELD_BOOL, invite_row, used, 0),
    FIELD(4, FIELD_FIXED, invite_row, session, SESSION_T),
    FIELD(5, FIELD_LATER, invite_row, device, 0),
};

static const struct row_kind ACCOUNT_ROW = ROW_KIND(STORE_ACCOUNT, ACCOUNT_FIELDS, account_row);
static const struct row_kind RELAY_ROW = ROW_KIND(STORE_ACCOUNT, RELAY_FIELDS, relay_row);
static const struct row_kind INVITE_ROW = ROW_KIND(STORE_INVITE, INVITE_FIELDS, invite_row);

/* account | 0x00 or 0x01. */
static struct store_key account_key(struct seal_keys *keys, uint8_t what)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u8(&k, what);
    return k;
}

enum err account_row_get(struct step *step, struct seal_keys *keys, struct account_row *row)
{
    struct store_key k = account_key(keys, 0);
    return row_get(step, keys, &ACCOUNT_ROW, &k, row);
}

enum err account_row_after(struct step *step, uint32_t after, uint32_t *account)
{
    struct store_key k = store_key_new();
    struct store_row row;
    if (after == UINT32_MAX) {
        return ERR_NOT_FOUND;
    }
    store_key_u32(&k, after + 1);
    enum err err =
        store_seek(step->turn->store, STORE_ACCOUNT, STORE_GE, store_key_slice(&k), &row);
    if (err == ERR_OK) {
        struct reader r = reader_of(row.key);
        *account = reader_u32(&r);
    }
    return err;
}

enum err account_row_put(struct step *step, struct seal_keys *keys, const struct account_row *row)
{
    struct store_key k = account_key(keys, 0);
    return row_put(step, keys, &ACCOUNT_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

/* account | 0x01, and the slot when it is not 0. */
static struct store_key relay_key(struct seal_keys *keys, unsigned slot)
{
    struct store_key k = account_key(keys, 1);
    if (slot > 0) {
        store_key_u8(&k, (uint8_t)slot);
    }
    return k;
}

void relay_row_fresh(struct step *step, const struct address *address, struct relay_row *row)
{
    const struct env *env = step->turn->env;
    *row = (struct relay_row){.address = *address};
    env_random(env, row->member, sizeof row->member);
    env_random(env, row->queue, sizeof row->queue);
    env_random(env, row->record, sizeof row->record);
    env_random(env, row->token_key, sizeof row->token_key);
    env_random(env, row->siv_key, sizeof row->siv_key);
}

enum err relay_row_get(struct step *step, struct seal_keys *keys, unsigned slot,
                       struct relay_row *row)
{
    struct store_key k = relay_key(keys, slot);
    enum err err = row_get(step, keys, &RELAY_ROW, &k, row);
    if (err == ERR_OK && row->role > HOME_LEAVING) {
        secret_wipe(row, sizeof *row);
        err = ERR_CORRUPT;
    }
    return err;
}

enum err relay_row_put(struct step *step, struct seal_keys *keys, unsigned slot,
                       const struct relay_row *row)
{
    struct store_key k = relay_key(keys, slot);
    return row_put(step, keys, &RELAY_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

enum err relay_row_del(struct step *step, struct seal_keys *keys, unsigned slot)
{
    struct store_key k = relay_key(keys, slot);
    return store_del(step->turn->store, STORE_ACCOUNT, store_key_slice(&k));
}

/* account | invite id 16. */
static struct store_key invite_key(struct seal_keys *keys, const uint8_t id[INVITE_ID])
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_bytes(&k, id, INVITE_ID);
    return k;
}

enum err invite_row_get(struct step *step, struct seal_keys *keys, const uint8_t id[INVITE_ID],
                        struct invite_row *row)
{
    struct store_key k = invite_key(keys, id);
    return row_get(step, keys, &INVITE_ROW, &k, row);
}

enum err invite_row_put(struct step *step, struct seal_keys *keys, const uint8_t id[INVITE_ID],
                        const struct invite_row *row)
{
    struct store_key k = invite_key(keys, id);
    return row_put(step, keys, &INVITE_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

enum err invite_row_open(struct step *step, struct seal_keys *keys, bool *open)
{
    struct store_key at = store_key_new();
    struct store_row found;
    store_key_u32(&at, seal_keys_account(keys));
    *open = false;
    enum err err = row_seek(step, keys, STORE_INVITE, STORE_GE, &at, &found);
    while (err == ERR_OK && !*open) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        struct invite_row row;
        at = store_key_new();
        store_key_bytes(&at, found.key.p, found.key.len);
        err = row_get(step, keys, &INVITE_ROW, &at, &row);
        *open = err == ERR_OK && !row.used &&
                row.expires + LIMIT_INVITE_LATE * LIMIT_DAY_MS > step_now(step);
        secret_wipe(&row, sizeof row);
        arena_rewind(step->turn->arena, mark);
        if (err == ERR_OK) {
            err = row_seek(step, keys, STORE_INVITE, STORE_GT, &at, &found);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

const struct node_root *account_root(struct store *store, uint32_t account,
                                     const struct node_root *roots, size_t n)
{
    uint32_t generation = 0;
    if (seal_root_named(store, account, &generation) != ERR_OK) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (roots[i].account == account && roots[i].generation == generation) {
            return &roots[i];
        }
    }
    return NULL;
}

bool account_row_holds(const struct account_row *row)
{
    return row->owner.len == 0;
}

void account_row_id(const struct account_row *row, struct sign_pk *id)
{
    struct sign_sk sk;
    if (!account_row_holds(row)) {
        memcpy(id->b, row->owner.p, sizeof id->b);
        return;
    }
    prim_sign_keypair(id, &sk, row->identity);
    secret_wipe(&sk, sizeof sk);
}
