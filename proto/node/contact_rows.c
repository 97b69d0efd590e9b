/* SPDX-License-Identifier: Apache-2.0 */
#include "node/contact_rows.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "node/device.h"
#include "node/invite.h"
#include "node/row_kind.h"

/* Keys 11 to 52 that are missing here were of the contact's only device: PEER_FIELDS. */
static const struct field CONTACT_FIELDS[] = {
    FIELD(0, FIELD_FIXED, contact_row, id, 32),
    FIELD(1, FIELD_ENUM, contact_row, state, 5),
    FIELD(2, FIELD_BOOL, contact_row, verified, 0),
    FIELD(3, FIELD_U64, contact_row, created, 0),
    FIELD(4, FIELD_SLICE, contact_row, name, LIMIT_NAME),
    FIELD(5, FIELD_SLICE, contact_row, text, LIMIT_REQUEST_TEXT),
    FIELD(6, FIELD_SLICE, contact_row, list, LIMIT_DEVICE_LIST),
    FIELD(7, FIELD_BOOL, contact_row, has_record, 0),
    FIELD(8, FIELD_ADDRESS, contact_row, relay, 0),
    FIELD(9, FIELD_FIXED, contact_row, record, 32),
    FIELD(10, FIELD_SLICE, contact_row, invite, INVITE_SECRET),
    FIELD(13, FIELD_BOOL, contact_row, invited, 0),
    FIELD(27, FIELD_LATER, contact_row, list_version, 0),
    FIELD(28, FIELD_SLICE, contact_row, list_hash, DEVICE_LIST_HASH),
    FIELD(46, FIELD_SLICE, contact_row, misused, INVITE_ID),
    FIELD(47, FIELD_LATER, contact_row, alarmed, 0),
    FIELD(48, FIELD_LATER, contact_row, deleted, 0),
    FIELD(53, FIELD_SLICE, contact_row, peers, 2 * sizeof(uint32_t) * LIMIT_DEVICES),
    FIELD(54, FIELD_LATER, contact_row, read, 0),
    FIELD(55, FIELD_LATER, contact_row, changed_ms, 0),
    FIELD(56, FIELD_LATER, contact_row, invite_until, 0),
    FIELD(57, FIELD_LATER, contact_row, described_ms, 0),
};

static const struct field MESSAGE_FIELDS[] = {
    FIELD(0, FIELD_ENUM, message_row, state, 6),
    FIELD(1, FIELD_U64, message_row, time, 0),
    FIELD(2, FIELD_SLICE, message_row, content, LIMIT_ENVELOPE),
    FIELD(3, FIELD_LATER, message_row, deposited, 0),
    FIELD(4, FIELD_LATER, message_row, gap, 0),
};

enum {
    /* Messages of one conversation that share a bucket: when one of them is deleted, the others are
     * sealed again. docs/decisions/0018. */
    MESSAGE_GROUP = 512,
};

static const struct row_kind CONTACT_ROW = ROW_KIND(STORE_CONTACT, CONTACT_FIELDS, contact_row);
static const struct row_kind MESSAGE_ROW = ROW_KIND(STORE_MESSAGE, MESSAGE_FIELDS, message_row);
static_assert(sizeof(enum contact_state) == sizeof(int), "FIELD_ENUM reads an int");

/* account | keyed hash of the ID. */
static struct store_key contact_id_key(struct seal_keys *keys, const struct sign_pk *id)
{
    uint8_t name[SEAL_NAME];
    seal_name(keys, "petrel/1 contact name", slice_of(id->b, sizeof id->b), name);
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_bytes(&k, name, sizeof name);
    return k;
}

uint64_t contact_row_invite_until(const struct contact_row *row)
{
    return row->invite_until != 0 ? row->invite_until
                                  : row->created + LIMIT_INVITE_DAYS * LIMIT_DAY_MS;
}

bool contact_row_asks(const struct contact_row *row)
{
    return row->state == CONTACT_RESOLVING || row->state == CONTACT_REQUESTED;
}

bool contact_row_may_talk(const struct contact_row *row, uint64_t now)
{
    switch (row->state) {
    case CONTACT_ACCEPTED:
        return true;
    case CONTACT_RESOLVING:
    case CONTACT_REQUESTED:
        /* Who invited us accepts by that, unless it comes too late or somebody else used it. What
         * came behind a mere request would be dropped there. */
        return row->invite.len > 0 && row->alarmed == 0 && now < contact_row_invite_until(row);
    case CONTACT_INCOMING:
    case CONTACT_BLOCKED:
        return false;
    }
    return false;
}

enum err contact_row_get(struct step *step, struct seal_keys *keys, uint32_t number,
                         struct contact_row *row)
{
    struct store_key k = row_key(keys, number);
    enum err err = row_get(step, keys, &CONTACT_ROW, &k, row);
    if (err == ERR_OK) {
        row->number = number;
    }
    return err;
}

enum err contact_row_put(struct step *step, struct seal_keys *keys, const struct contact_row *row)
{
    struct store_key k = row_key(keys, row->number);
    enum err err = row_put(step, keys, &CONTACT_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
    if (err != ERR_OK) {
        return err;
    }
    struct store_key id = contact_id_key(keys, &row->id);
    struct slice there;
    err = store_get(step->turn->store, STORE_CONTACT_ID, store_key_slice(&id), &there);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    struct store_key number = store_key_new();
    store_key_u32(&number, row->number);
    return store_put(step->turn->store, STORE_CONTACT_ID, store_key_slice(&id),
                     store_key_slice(&number));
}

enum err contact_row_del(struct step *step, struct seal_keys *keys, const struct contact_row *row)
{
    struct store_key k = row_key(keys, row->number);
    struct store_key id = contact_id_key(keys, &row->id);
    enum err err = store_del(step->turn->store, STORE_CONTACT, store_key_slice(&k));
    return err == ERR_OK ? store_del(step->turn->store, STORE_CONTACT_ID, store_key_slice(&id))
                         : err;
}

enum err contact_row_find(struct step *step, struct seal_keys *keys, const struct sign_pk *id,
                          uint32_t *number)
{
    struct store_key k = contact_id_key(keys, id);
    struct slice value;
    enum err err = store_get(step->turn->store, STORE_CONTACT_ID, store_key_slice(&k), &value);
    if (err != ERR_OK) {
        return err;
    }
    if (value.len != sizeof(uint32_t)) {
        return ERR_CORRUPT;
    }
    *number = (uint32_t)row_key_tail(value, value.len);
    return ERR_OK;
}

enum err contact_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                          struct contact_row *row)
{
    struct store_key k = row_key(keys, after);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_CONTACT, STORE_GT, &k, &found);
    if (err != ERR_OK) {
        return err;
    }
    return contact_row_get(step, keys, (uint32_t)row_key_tail(found.key, 4), row);
}

enum err message_row_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, struct message_row *row)
{
    struct store_key k = row_key_order(keys, contact, order);
    return row_get(step, keys, &MESSAGE_ROW, &k, row);
}

enum err message_row_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, const struct message_row *row)
{
    struct store_key k = row_key_order(keys, contact, order);
    uint8_t bucket = seal_message_bucket(keys, contact, (uint32_t)(order / MESSAGE_GROUP));
    return row_put(step, keys, &MESSAGE_ROW, &k, bucket, row);
}

enum err message_row_del(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order)
{
    struct store_key k = row_key_order(keys, contact, order);
    return seal_del(keys, step->turn, STORE_MESSAGE, store_key_slice(&k));
}

enum err message_row_next(struct step *step, struct seal_keys *keys, uint32_t contact,
                          uint64_t *order, struct message_row *row)
{
    struct store_row found;
    enum err err = row_seek_of(step, keys, STORE_MESSAGE, STORE_GE, contact, *order, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = row_key_tail(found.key, 8);
    return message_row_get(step, keys, contact, *order, row);
}

enum err message_row_before(struct step *step, struct seal_keys *keys, uint32_t contact,
                            uint64_t before, uint64_t *order, struct message_row *row)
{
    struct store_row found;
    enum err err = row_seek_of(step, keys, STORE_MESSAGE, STORE_LT, contact, before, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = row_key_tail(found.key, 8);
    return message_row_get(step, keys, contact, *order, row);
}

/* account | keyed hash of (contact, content id). */
static struct store_key message_id_key(struct seal_keys *keys, uint32_t contact,
                                       const uint8_t id[16])
{
    struct store_key name = store_key_new();
    store_key_u32(&name, contact);
    store_key_bytes(&name, id, 16);
    uint8_t hash[SEAL_NAME];
    seal_name(keys, "petrel/1 message name", store_key_slice(&name), hash);
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_bytes(&k, hash, sizeof hash);
    return k;
}

enum err message_id_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                        const uint8_t id[16], uint64_t *order)
{
    struct store_key k = message_id_key(keys, contact, id);
    struct slice value;
    enum err err = store_get(step->turn->store, STORE_MESSAGE_ID, store_key_slice(&k), &value);
    if (err == ERR_OK) {
        *order = row_key_tail(value, value.len < 8 ? value.len : 8);
    }
    return err;
}

enum err message_id_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                        const uint8_t id[16], uint64_t order)
{
    struct store_key k = message_id_key(keys, contact, id);
    struct store_key value = store_key_new();
    store_key_u64(&value, order);
    return store_put(step->turn->store, STORE_MESSAGE_ID, store_key_slice(&k),
                     store_key_slice(&value));
}
