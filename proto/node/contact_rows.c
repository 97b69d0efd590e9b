/* SPDX-License-Identifier: Apache-2.0 */
#include "node/contact_rows.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "node/device.h"
#include "node/held.h"
#include "node/row_kind.h"

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
    FIELD(11, FIELD_SLICE, contact_row, pop_token, ROW_TOKEN),
    FIELD(12, FIELD_SLICE, contact_row, pop_nonce, 16),
    FIELD(13, FIELD_BOOL, contact_row, invited, 0),
    FIELD(14, FIELD_BOOL, contact_row, has_queue, 0),
    FIELD(15, FIELD_ADDRESS, contact_row, queue_relay, 0),
    FIELD(16, FIELD_FIXED, contact_row, queue, 32),
    FIELD(17, FIELD_U32, contact_row, minted, 0),
    FIELD(18, FIELD_U32, contact_row, past, 0),
    FIELD(19, FIELD_U8, contact_row, sessions, 0),
    FIELD(20, FIELD_FIXED, contact_row, session_id, SESSION_T *LIMIT_SESSIONS_PER_PAIR),
    FIELD(21, FIELD_U64, contact_row, first_sent, 0),
    FIELD(22, FIELD_U64, contact_row, gap_at, 0),
    FIELD(23, FIELD_U8, contact_row, heard, 0),
    FIELD(24, FIELD_U8, contact_row, begun, 0),
    FIELD(25, FIELD_LATER, contact_row, heard_ms, 0),
    FIELD(26, FIELD_LATER, contact_row, told, 0),
    FIELD(27, FIELD_LATER, contact_row, list_version, 0),
    FIELD(28, FIELD_SLICE, contact_row, list_hash, DEVICE_LIST_HASH),
    FIELD(29, FIELD_LATER, contact_row, trouble, 0),
    FIELD(30, FIELD_SLICE, contact_row, trouble_relay, sizeof(struct sign_pk)),
    FIELD(31, FIELD_LATER, contact_row, epoch, 0),
    FIELD(32, FIELD_LATER, contact_row, epoch_from, 0),
    FIELD(33, FIELD_LATER, contact_row, epoch_back, 0),
    FIELD(34, FIELD_LATER, contact_row, before_back, 0),
    FIELD(35, FIELD_LATER, contact_row, stock, 0),
    FIELD(36, FIELD_LATER, contact_row, day_ms, 0),
    FIELD(37, FIELD_LATER, contact_row, day_back, 0),
    FIELD(38, FIELD_SLICE, contact_row, second, LIMIT_BODY_ROUTE),
    FIELD(39, FIELD_LATER, contact_row, minted_for, 0),
    FIELD(40, FIELD_LATER, contact_row, spoke_ms, 0),
    FIELD(41, FIELD_LATER, contact_row, held_known, 0),
    FIELD(42, FIELD_SLICE, contact_row, held, HELD_MAX),
    FIELD(43, FIELD_LATER, contact_row, failed, 0),
    FIELD(44, FIELD_LATER, contact_row, queues_ms, 0),
    FIELD(45, FIELD_LATER, contact_row, heard_count, 0),
    FIELD(46, FIELD_SLICE, contact_row, misused, INVITE_ID),
    FIELD(47, FIELD_LATER, contact_row, alarmed, 0),
    FIELD(48, FIELD_LATER, contact_row, deleted, 0),
    FIELD(49, FIELD_LATER, contact_row, retired, 0),
    FIELD(50, FIELD_LATER, contact_row, healed_ms, 0),
    FIELD(51, FIELD_LATER, contact_row, doubtful, 0),
    FIELD(52, FIELD_LATER, contact_row, newcomer_ms, 0),
};

static const struct field OUTBOX_FIELDS[] = {
    FIELD(0, FIELD_ENUM, outbox_row, state, 3),
    FIELD(1, FIELD_BOOL, outbox_row, ack_only, 0),
    FIELD(2, FIELD_U64, outbox_row, created, 0),
    FIELD(3, FIELD_SLICE, outbox_row, content, LIMIT_ENVELOPE),
    FIELD(4, FIELD_FIXED, outbox_row, session, SESSION_T),
    FIELD(5, FIELD_U64, outbox_row, seq, 0),
    FIELD(6, FIELD_SLICE, outbox_row, envelope, LIMIT_ENVELOPE),
    FIELD(7, FIELD_SLICE, outbox_row, token, ROW_TOKEN),
    FIELD(8, FIELD_U64, outbox_row, at_relay_ms, 0),
    FIELD(9, FIELD_SLICE, outbox_row, receipt, ROW_RECEIPT),
    FIELD(10, FIELD_LATER, outbox_row, evidence_ms, 0),
    FIELD(11, FIELD_LATER, outbox_row, lead, 0),
    FIELD(12, FIELD_LATER, outbox_row, heard_count, 0),
    FIELD(13, FIELD_LATER, outbox_row, again, 0),
};

static const struct field MESSAGE_FIELDS[] = {
    FIELD(0, FIELD_ENUM, message_row, state, 5),
    FIELD(1, FIELD_U64, message_row, time, 0),
    FIELD(2, FIELD_SLICE, message_row, content, LIMIT_ENVELOPE),
    FIELD(3, FIELD_LATER, message_row, deposited, 0),
    FIELD(4, FIELD_LATER, message_row, gap, 0),
};

static const struct field VOIDING_FIELDS[] = {
    FIELD(0, FIELD_U64, voiding_row, queue, 0),
    FIELD(1, FIELD_U32, voiding_row, done, 0),
    FIELD(2, FIELD_U32, voiding_row, last, 0),
    FIELD(3, FIELD_SLICE, voiding_row, held, HELD_MAX),
};

enum {
    /* Messages of one conversation that share a bucket: when one of them is deleted, the others are
     * sealed again. docs/decisions/0018. */
    MESSAGE_GROUP = 512,
};

static const struct row_kind CONTACT_ROW = ROW_KIND(STORE_CONTACT, CONTACT_FIELDS, contact_row);
static const struct row_kind OUTBOX_ROW = ROW_KIND(STORE_OUTBOX, OUTBOX_FIELDS, outbox_row);
static const struct row_kind MESSAGE_ROW = ROW_KIND(STORE_MESSAGE, MESSAGE_FIELDS, message_row);
static const struct row_kind VOIDING_ROW = ROW_KIND(STORE_VOIDING, VOIDING_FIELDS, voiding_row);

static_assert(sizeof(enum contact_state) == sizeof(int), "FIELD_ENUM reads an int");

/* account | contact u32. */
static struct store_key contact_key(struct seal_keys *keys, uint32_t contact)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u32(&k, contact);
    return k;
}

/* Ratchets of a contact, and what is in the outbox for it: short-lived, and few at a time. */
static uint8_t session_bucket(uint32_t contact)
{
    return (uint8_t)(SEAL_BUCKET_SESSION + contact % SEAL_BUCKET_ACCOUNT);
}

/* account | contact u32 | order u64. */
static struct store_key order_key(struct seal_keys *keys, uint32_t contact, uint64_t order)
{
    struct store_key k = contact_key(keys, contact);
    store_key_u64(&k, order);
    return k;
}

/* The big-endian number in the last n bytes of a key. */
static uint64_t key_tail(struct slice key, size_t n)
{
    uint64_t v = 0;
    for (size_t i = key.len - n; i < key.len; i++) {
        v = v << 8 | key.p[i];
    }
    return v;
}

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

bool contact_row_may_talk(const struct contact_row *row)
{
    switch (row->state) {
    case CONTACT_ACCEPTED:
        return true;
    case CONTACT_RESOLVING:
    case CONTACT_REQUESTED:
        return row->invite.len > 0; /* who invited us accepts by that */
    case CONTACT_INCOMING:
    case CONTACT_BLOCKED:
        return false;
    }
    return false;
}

int contact_row_slot(const struct contact_row *row)
{
    int best = -1;
    for (int i = 0; i < LIMIT_SESSIONS_PER_PAIR; i++) {
        if ((row->sessions & row->heard & ~row->retired) >> i & 1 &&
            (best < 0 || memcmp(row->session_id[i], row->session_id[best], SESSION_T) < 0)) {
            best = i;
        }
    }
    return best >= 0 ? best : row->begun - 1;
}

enum err contact_row_get(struct step *step, struct seal_keys *keys, uint32_t number,
                         struct contact_row *row)
{
    struct store_key k = contact_key(keys, number);
    enum err err = row_get(step, keys, &CONTACT_ROW, &k, row);
    if (err == ERR_OK) {
        row->number = number;
        err = held_valid(row->held) ? ERR_OK : ERR_CORRUPT;
    }
    return err;
}

enum err contact_row_put(struct step *step, struct seal_keys *keys, const struct contact_row *row)
{
    struct store_key k = contact_key(keys, row->number);
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
    *number = (uint32_t)key_tail(value, value.len);
    return ERR_OK;
}

enum err contact_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                          struct contact_row *row)
{
    struct store_key k = contact_key(keys, after);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_CONTACT, STORE_GT, &k, &found);
    if (err != ERR_OK) {
        return err;
    }
    return contact_row_get(step, keys, (uint32_t)key_tail(found.key, 4), row);
}

enum err outbox_row_get(struct step *step, struct seal_keys *keys, uint32_t contact, uint64_t order,
                        struct outbox_row *row)
{
    struct store_key k = order_key(keys, contact, order);
    return row_get(step, keys, &OUTBOX_ROW, &k, row);
}

enum err outbox_row_put(struct step *step, struct seal_keys *keys, uint32_t contact, uint64_t order,
                        const struct outbox_row *row)
{
    struct store_key k = order_key(keys, contact, order);
    return row_put(step, keys, &OUTBOX_ROW, &k, session_bucket(contact), row);
}

enum err outbox_row_del(struct step *step, struct seal_keys *keys, uint32_t contact, uint64_t order)
{
    struct store_key k = order_key(keys, contact, order);
    return seal_del(keys, step->turn, STORE_OUTBOX, store_key_slice(&k));
}

/* Seeks in t among the rows of one contact. */
static enum err contact_seek(struct step *step, struct seal_keys *keys, enum store_table t,
                             enum store_seek how, uint32_t contact, uint64_t order,
                             struct store_row *found)
{
    struct store_key k = order_key(keys, contact, order);
    struct store_key prefix = contact_key(keys, contact);
    return store_seek_prefix(step->turn->store, t, how, store_key_slice(&k),
                             store_key_slice(&prefix), found);
}

enum err outbox_row_next(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t *order, struct outbox_row *row)
{
    struct store_row found;
    enum err err = contact_seek(step, keys, STORE_OUTBOX, STORE_GE, contact, *order, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = key_tail(found.key, 8);
    return outbox_row_get(step, keys, contact, *order, row);
}

enum err outbox_row_before(struct step *step, struct seal_keys *keys, uint32_t contact,
                           uint64_t before, uint64_t *order, struct outbox_row *row)
{
    struct store_row found;
    enum err err = contact_seek(step, keys, STORE_OUTBOX, STORE_LT, contact, before, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = key_tail(found.key, 8);
    return outbox_row_get(step, keys, contact, *order, row);
}

enum err outbox_rows(struct step *step, struct seal_keys *keys, uint64_t *count)
{
    struct store_key k = contact_key(keys, 0);
    struct store_row found;
    *count = 0;
    enum err err = row_seek(step, keys, STORE_OUTBOX, STORE_GE, &k, &found);
    while (err == ERR_OK) {
        ++*count;
        k = store_key_new();
        store_key_bytes(&k, found.key.p, found.key.len);
        err = row_seek(step, keys, STORE_OUTBOX, STORE_GT, &k, &found);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_contact_next(struct step *step, struct seal_keys *keys, uint32_t after,
                             uint32_t *contact)
{
    struct store_key k = order_key(keys, after, UINT64_MAX);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_OUTBOX, STORE_GT, &k, &found);
    if (err == ERR_OK) {
        *contact = (uint32_t)key_tail(slice_of(found.key.p, 8), 4);
    }
    return err;
}

enum err owed_row_put(struct step *step, struct seal_keys *keys, uint32_t contact)
{
    struct store_key k = contact_key(keys, contact);
    return store_put(step->turn->store, STORE_OWED, store_key_slice(&k), slice_of("", 1));
}

enum err owed_row_del(struct step *step, struct seal_keys *keys, uint32_t contact)
{
    struct store_key k = contact_key(keys, contact);
    enum err err = store_del(step->turn->store, STORE_OWED, store_key_slice(&k));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err owed_row_next(struct step *step, struct seal_keys *keys, uint32_t after, uint32_t *contact)
{
    struct store_key k = contact_key(keys, after);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_OWED, STORE_GT, &k, &found);
    if (err == ERR_OK) {
        *contact = (uint32_t)key_tail(found.key, 4);
    }
    return err;
}

enum err voiding_row_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                         struct voiding_row *row)
{
    struct store_key k = contact_key(keys, contact);
    enum err err = row_get(step, keys, &VOIDING_ROW, &k, row);
    return err == ERR_OK && !held_valid(row->held) ? ERR_CORRUPT : err;
}

enum err voiding_row_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                         const struct voiding_row *row)
{
    struct store_key k = contact_key(keys, contact);
    return row_put(step, keys, &VOIDING_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

enum err voiding_row_del(struct step *step, struct seal_keys *keys, uint32_t contact)
{
    struct store_key k = contact_key(keys, contact);
    return store_del(step->turn->store, STORE_VOIDING, store_key_slice(&k));
}

enum err voiding_row_first(struct step *step, struct seal_keys *keys, uint32_t *contact,
                           struct voiding_row *row)
{
    struct store_key k = contact_key(keys, 0);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_VOIDING, STORE_GE, &k, &found);
    if (err != ERR_OK) {
        return err;
    }
    *contact = (uint32_t)key_tail(found.key, 4);
    return voiding_row_get(step, keys, *contact, row);
}

enum err message_row_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, struct message_row *row)
{
    struct store_key k = order_key(keys, contact, order);
    return row_get(step, keys, &MESSAGE_ROW, &k, row);
}

enum err message_row_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, const struct message_row *row)
{
    struct store_key k = order_key(keys, contact, order);
    uint8_t bucket = seal_message_bucket(keys, contact, (uint32_t)(order / MESSAGE_GROUP));
    return row_put(step, keys, &MESSAGE_ROW, &k, bucket, row);
}

enum err message_row_del(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order)
{
    struct store_key k = order_key(keys, contact, order);
    return seal_del(keys, step->turn, STORE_MESSAGE, store_key_slice(&k));
}

enum err message_row_next(struct step *step, struct seal_keys *keys, uint32_t contact,
                          uint64_t *order, struct message_row *row)
{
    struct store_row found;
    enum err err = contact_seek(step, keys, STORE_MESSAGE, STORE_GE, contact, *order, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = key_tail(found.key, 8);
    return message_row_get(step, keys, contact, *order, row);
}

enum err message_row_before(struct step *step, struct seal_keys *keys, uint32_t contact,
                            uint64_t before, uint64_t *order, struct message_row *row)
{
    struct store_row found;
    enum err err = contact_seek(step, keys, STORE_MESSAGE, STORE_LT, contact, before, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = key_tail(found.key, 8);
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
        *order = key_tail(value, value.len < 8 ? value.len : 8);
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

/* account | contact u32 | slot u8. */
static struct store_key session_key(struct seal_keys *keys, uint32_t contact, uint8_t slot)
{
    struct store_key k = contact_key(keys, contact);
    store_key_u8(&k, slot);
    return k;
}

enum err session_row_get(struct step *step, struct seal_keys *keys, uint32_t contact, uint8_t slot,
                         struct slice *saved)
{
    struct store_key k = session_key(keys, contact, slot);
    return seal_get(keys, step->turn, STORE_SESSION, store_key_slice(&k), saved);
}

enum err session_row_put(struct step *step, struct seal_keys *keys, uint32_t contact, uint8_t slot,
                         struct slice saved)
{
    struct store_key k = session_key(keys, contact, slot);
    return seal_put(keys, step->turn, STORE_SESSION, store_key_slice(&k), session_bucket(contact),
                    saved);
}

enum err session_row_del(struct step *step, struct seal_keys *keys, uint32_t contact, uint8_t slot)
{
    struct store_key k = session_key(keys, contact, slot);
    return seal_del(keys, step->turn, STORE_SESSION, store_key_slice(&k));
}

enum err token_row_add(struct step *step, struct seal_keys *keys, uint32_t contact,
                       struct slice tokens)
{
    struct store_row found;
    uint64_t next = 1;
    enum err err = contact_seek(step, keys, STORE_TOKEN, STORE_LE, contact, UINT64_MAX, &found);
    if (err == ERR_OK) {
        next = key_tail(found.key, 8) + 1;
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    for (size_t at = 0; at + ROW_TOKEN <= tokens.len; at += ROW_TOKEN) {
        struct store_key k = order_key(keys, contact, next++);
        err = seal_put(keys, step->turn, STORE_TOKEN, store_key_slice(&k), SEAL_BUCKET_ACCOUNT,
                       slice_of(tokens.p + at, ROW_TOKEN));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err token_row_take(struct step *step, struct seal_keys *keys, uint32_t contact,
                        uint8_t token[ROW_TOKEN])
{
    struct store_row found;
    enum err err = contact_seek(step, keys, STORE_TOKEN, STORE_GE, contact, 0, &found);
    if (err != ERR_OK) {
        return err;
    }
    struct store_key k = order_key(keys, contact, key_tail(found.key, 8));
    struct slice plain;
    err = seal_open(keys, step->turn, STORE_TOKEN, store_key_slice(&k), found.value, &plain);
    if (err == ERR_OK && plain.len != ROW_TOKEN) {
        err = ERR_CORRUPT;
    }
    if (err != ERR_OK) {
        return err;
    }
    memcpy(token, plain.p, ROW_TOKEN);
    return store_del(step->turn->store, STORE_TOKEN, store_key_slice(&k));
}

enum err token_row_count(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t *count)
{
    struct store_row first;
    struct store_row last;
    *count = 0;
    enum err err = contact_seek(step, keys, STORE_TOKEN, STORE_GE, contact, 0, &first);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    uint64_t from = key_tail(first.key, 8);
    err = contact_seek(step, keys, STORE_TOKEN, STORE_LE, contact, UINT64_MAX, &last);
    if (err != ERR_OK) {
        return err;
    }
    /* Tokens are taken from the front only: the numbers in between are all there. */
    *count = key_tail(last.key, 8) - from + 1;
    return ERR_OK;
}
