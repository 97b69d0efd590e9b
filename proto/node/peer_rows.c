/* SPDX-License-Identifier: Apache-2.0 */
#include "node/peer_rows.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "node/held.h"
#include "node/row_kind.h"

/* Keys below 53 are those that they had in the row of the contact: see peer_rows_split. */
static const struct field PEER_FIELDS[] = {
    FIELD(11, FIELD_SLICE, peer_row, pop_token, ROW_TOKEN),
    FIELD(12, FIELD_SLICE, peer_row, pop_nonce, 16),
    FIELD(14, FIELD_BOOL, peer_row, has_queue, 0),
    FIELD(15, FIELD_ADDRESS, peer_row, queue_relay, 0),
    FIELD(16, FIELD_FIXED, peer_row, queue, 32),
    FIELD(17, FIELD_U32, peer_row, minted, 0),
    FIELD(18, FIELD_U32, peer_row, past, 0),
    FIELD(19, FIELD_U8, peer_row, sessions, 0),
    FIELD(20, FIELD_FIXED, peer_row, session_id, SESSION_T *LIMIT_SESSIONS_PER_PAIR),
    FIELD(21, FIELD_U64, peer_row, first_sent, 0),
    FIELD(23, FIELD_U8, peer_row, heard, 0),
    FIELD(24, FIELD_U8, peer_row, begun, 0),
    FIELD(25, FIELD_LATER, peer_row, heard_ms, 0),
    FIELD(26, FIELD_LATER, peer_row, told, 0),
    FIELD(29, FIELD_LATER, peer_row, trouble, 0),
    FIELD(30, FIELD_SLICE, peer_row, trouble_relay, sizeof(struct sign_pk)),
    FIELD(31, FIELD_LATER, peer_row, epoch, 0),
    FIELD(32, FIELD_LATER, peer_row, epoch_from, 0),
    FIELD(33, FIELD_LATER, peer_row, epoch_back, 0),
    FIELD(34, FIELD_LATER, peer_row, before_back, 0),
    FIELD(35, FIELD_LATER, peer_row, stock, 0),
    FIELD(36, FIELD_LATER, peer_row, day_ms, 0),
    FIELD(37, FIELD_LATER, peer_row, day_back, 0),
    FIELD(38, FIELD_SLICE, peer_row, second, LIMIT_BODY_ROUTE),
    FIELD(39, FIELD_LATER, peer_row, minted_for, 0),
    FIELD(40, FIELD_LATER, peer_row, spoke_ms, 0),
    FIELD(41, FIELD_LATER, peer_row, held_known, 0),
    FIELD(42, FIELD_SLICE, peer_row, held, HELD_MAX),
    FIELD(43, FIELD_LATER, peer_row, failed, 0),
    FIELD(44, FIELD_LATER, peer_row, queues_ms, 0),
    FIELD(45, FIELD_LATER, peer_row, heard_count, 0),
    FIELD(49, FIELD_LATER, peer_row, retired, 0),
    FIELD(50, FIELD_LATER, peer_row, healed_ms, 0),
    FIELD(51, FIELD_LATER, peer_row, doubtful, 0),
    FIELD(52, FIELD_LATER, peer_row, newcomer_ms, 0),
    FIELD(56, FIELD_LATER, peer_row, contact, 0),
    FIELD(57, FIELD_SLICE, peer_row, device, sizeof(struct sign_pk)),
    FIELD(58, FIELD_SLICE, peer_row, bundle, LIMIT_BODY_ROUTE),
    FIELD(59, FIELD_LATER, peer_row, leaving, 0),
    FIELD(60, FIELD_LATER, peer_row, places_ms, 0),
    FIELD(61, FIELD_LATER, peer_row, unread_ms, 0),
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
    FIELD(14, FIELD_SLICE, outbox_row, hash, SESSION_CONTENT_HASH),
};

static const struct field VOIDING_FIELDS[] = {
    FIELD(0, FIELD_U64, voiding_row, queue, 0),
    FIELD(1, FIELD_U32, voiding_row, done, 0),
    FIELD(2, FIELD_U32, voiding_row, last, 0),
    FIELD(3, FIELD_SLICE, voiding_row, held, HELD_MAX),
};

static const struct row_kind PEER_ROW = ROW_KIND(STORE_PEER, PEER_FIELDS, peer_row);
static const struct row_kind OUTBOX_ROW = ROW_KIND(STORE_OUTBOX, OUTBOX_FIELDS, outbox_row);
static const struct row_kind VOIDING_ROW = ROW_KIND(STORE_VOIDING, VOIDING_FIELDS, voiding_row);

/* Ratchets of a peer, and what is in the outbox for it: short-lived, and few at a time. */
static uint8_t session_bucket(uint32_t peer)
{
    return (uint8_t)(SEAL_BUCKET_SESSION + peer % SEAL_BUCKET_ACCOUNT);
}

int peer_row_slot(const struct peer_row *row)
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

enum err peer_row_get(struct step *step, struct seal_keys *keys, uint32_t number,
                      struct peer_row *row)
{
    struct store_key k = row_key(keys, number);
    enum err err = row_get(step, keys, &PEER_ROW, &k, row);
    if (err == ERR_OK) {
        row->number = number;
        err = held_valid(row->held) && row->contact <= UINT32_MAX ? ERR_OK : ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        err = contact_row_get(step, keys, (uint32_t)row->contact, &row->who);
        err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    return err;
}

enum err peer_row_of(struct step *step, struct seal_keys *keys, const struct contact_row *who,
                     unsigned i, struct peer_row *row)
{
    struct reader r = reader_of(who->peers);
    uint32_t number = 0;
    for (unsigned k = 0; k <= i; k++) {
        number = reader_u32(&r);
    }
    if (r.err != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    enum err err = peer_row_get(step, keys, number, row);
    if (err != ERR_OK || row->contact != who->number) {
        return err == ERR_OK || err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    row->who = *who;
    return ERR_OK;
}

enum err peer_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                       struct peer_row *row)
{
    struct store_key k = row_key(keys, after);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_PEER, STORE_GT, &k, &found);
    if (err != ERR_OK) {
        return err;
    }
    return peer_row_get(step, keys, (uint32_t)row_key_tail(found.key, 4), row);
}

enum err peer_row_put(struct step *step, struct seal_keys *keys, const struct peer_row *row)
{
    struct store_key k = row_key(keys, row->number);
    return row_put(step, keys, &PEER_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

enum err peer_row_del(struct step *step, struct seal_keys *keys, uint32_t number)
{
    struct store_key k = row_key(keys, number);
    return store_del(step->turn->store, STORE_PEER, store_key_slice(&k));
}

enum err peer_row_device(struct step *step, struct peer_row *row, const struct device_entry *entry)
{
    struct writer w = step_writer(step, LIMIT_BODY_ROUTE);
    device_place_write(&w, &entry->record);
    row->bundle = writer_done(&w);
    row->device =
        arena_copy(step->turn->arena, slice_of(entry->device.sign.b, sizeof entry->device.sign.b));
    return w.err != ERR_OK || row->device.p == NULL ? ERR_NO_MEMORY : ERR_OK;
}

bool peer_row_is(const struct peer_row *row, const struct device_entry *entry)
{
    return slice_equal(row->device, slice_of(entry->device.sign.b, sizeof entry->device.sign.b));
}

/* Adds a number to those of the contact, and puts that. */
static enum err name_peer(struct step *step, struct seal_keys *keys, struct contact_row *who,
                          uint32_t number)
{
    struct writer w = step_writer(step, who->peers.len + sizeof number);
    writer_slice(&w, who->peers);
    writer_u32(&w, number);
    if (w.err != ERR_OK) {
        return ERR_NO_MEMORY;
    }
    who->peers = writer_done(&w);
    return contact_row_put(step, keys, who);
}

enum err peer_row_new(struct step *step, struct seal_keys *keys, struct contact_row *who,
                      uint32_t number, struct peer_row *row)
{
    enum err err = name_peer(step, keys, who, number);
    *row = (struct peer_row){.who = *who, .number = number, .contact = who->number};
    return err == ERR_OK ? peer_row_put(step, keys, row) : err;
}

enum err peer_row_move(struct step *step, struct seal_keys *keys, struct peer_row *row,
                       struct contact_row *who)
{
    enum err err = name_peer(step, keys, who, row->number);
    row->who = *who;
    row->contact = who->number;
    return err == ERR_OK ? peer_row_put(step, keys, row) : err;
}

enum err outbox_row_get(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                        struct outbox_row *row)
{
    struct store_key k = row_key_order(keys, peer, order);
    return row_get(step, keys, &OUTBOX_ROW, &k, row);
}

enum err outbox_row_put(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                        const struct outbox_row *row)
{
    struct store_key k = row_key_order(keys, peer, order);
    return row_put(step, keys, &OUTBOX_ROW, &k, session_bucket(peer), row);
}

enum err outbox_row_del(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order)
{
    struct store_key k = row_key_order(keys, peer, order);
    return seal_del(keys, step->turn, STORE_OUTBOX, store_key_slice(&k));
}

enum err outbox_row_next(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t *order,
                         struct outbox_row *row)
{
    struct store_row found;
    enum err err = row_seek_of(step, keys, STORE_OUTBOX, STORE_GE, peer, *order, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = row_key_tail(found.key, 8);
    return outbox_row_get(step, keys, peer, *order, row);
}

enum err outbox_row_before(struct step *step, struct seal_keys *keys, uint32_t peer,
                           uint64_t before, uint64_t *order, struct outbox_row *row)
{
    struct store_row found;
    enum err err = row_seek_of(step, keys, STORE_OUTBOX, STORE_LT, peer, before, &found);
    if (err != ERR_OK) {
        return err;
    }
    *order = row_key_tail(found.key, 8);
    return outbox_row_get(step, keys, peer, *order, row);
}

enum err outbox_rows(struct step *step, struct seal_keys *keys, uint64_t *count)
{
    struct store_key k = row_key(keys, 0);
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

enum err outbox_peer_next(struct step *step, struct seal_keys *keys, uint32_t after, uint32_t *peer)
{
    struct store_key k = row_key_order(keys, after, UINT64_MAX);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_OUTBOX, STORE_GT, &k, &found);
    if (err == ERR_OK) {
        *peer = (uint32_t)row_key_tail(slice_of(found.key.p, 8), 4);
    }
    return err;
}

enum err owed_row_put(struct step *step, struct seal_keys *keys, uint32_t peer)
{
    struct store_key k = row_key(keys, peer);
    return store_put(step->turn->store, STORE_OWED, store_key_slice(&k), slice_of("", 1));
}

enum err owed_row_del(struct step *step, struct seal_keys *keys, uint32_t peer)
{
    struct store_key k = row_key(keys, peer);
    enum err err = store_del(step->turn->store, STORE_OWED, store_key_slice(&k));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err owed_row_next(struct step *step, struct seal_keys *keys, uint32_t after, uint32_t *peer)
{
    struct store_key k = row_key(keys, after);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_OWED, STORE_GT, &k, &found);
    if (err == ERR_OK) {
        *peer = (uint32_t)row_key_tail(found.key, 4);
    }
    return err;
}

enum err voiding_row_get(struct step *step, struct seal_keys *keys, uint32_t peer,
                         struct voiding_row *row)
{
    struct store_key k = row_key(keys, peer);
    enum err err = row_get(step, keys, &VOIDING_ROW, &k, row);
    return err == ERR_OK && !held_valid(row->held) ? ERR_CORRUPT : err;
}

enum err voiding_row_put(struct step *step, struct seal_keys *keys, uint32_t peer,
                         const struct voiding_row *row)
{
    struct store_key k = row_key(keys, peer);
    return row_put(step, keys, &VOIDING_ROW, &k, SEAL_BUCKET_ACCOUNT, row);
}

enum err voiding_row_del(struct step *step, struct seal_keys *keys, uint32_t peer)
{
    struct store_key k = row_key(keys, peer);
    return store_del(step->turn->store, STORE_VOIDING, store_key_slice(&k));
}

enum err voiding_row_first(struct step *step, struct seal_keys *keys, uint32_t *peer,
                           struct voiding_row *row)
{
    struct store_key k = row_key(keys, 0);
    struct store_row found;
    enum err err = row_seek(step, keys, STORE_VOIDING, STORE_GE, &k, &found);
    if (err != ERR_OK) {
        return err;
    }
    *peer = (uint32_t)row_key_tail(found.key, 4);
    return voiding_row_get(step, keys, *peer, row);
}

/* account | peer u32 | slot u8. */
static struct store_key session_key(struct seal_keys *keys, uint32_t peer, uint8_t slot)
{
    struct store_key k = row_key(keys, peer);
    store_key_u8(&k, slot);
    return k;
}

enum err session_row_get(struct step *step, struct seal_keys *keys, uint32_t peer, uint8_t slot,
                         struct slice *saved)
{
    struct store_key k = session_key(keys, peer, slot);
    return seal_get(keys, step->turn, STORE_SESSION, store_key_slice(&k), saved);
}

enum err session_row_put(struct step *step, struct seal_keys *keys, uint32_t peer, uint8_t slot,
                         struct slice saved)
{
    struct store_key k = session_key(keys, peer, slot);
    return seal_put(keys, step->turn, STORE_SESSION, store_key_slice(&k), session_bucket(peer),
                    saved);
}

enum err session_row_del(struct step *step, struct seal_keys *keys, uint32_t peer, uint8_t slot)
{
    struct store_key k = session_key(keys, peer, slot);
    return seal_del(keys, step->turn, STORE_SESSION, store_key_slice(&k));
}

enum err token_row_add(struct step *step, struct seal_keys *keys, uint32_t peer,
                       struct slice tokens)
{
    struct store_row found;
    uint64_t next = 1;
    enum err err = row_seek_of(step, keys, STORE_TOKEN, STORE_LE, peer, UINT64_MAX, &found);
    if (err == ERR_OK) {
        next = row_key_tail(found.key, 8) + 1;
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    for (size_t at = 0; at + ROW_TOKEN <= tokens.len; at += ROW_TOKEN) {
        struct store_key k = row_key_order(keys, peer, next++);
        err = seal_put(keys, step->turn, STORE_TOKEN, store_key_slice(&k), SEAL_BUCKET_ACCOUNT,
                       slice_of(tokens.p + at, ROW_TOKEN));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err token_row_take(struct step *step, struct seal_keys *keys, uint32_t peer,
                        uint8_t token[ROW_TOKEN])
{
    struct store_row found;
    enum err err = row_seek_of(step, keys, STORE_TOKEN, STORE_GE, peer, 0, &found);
    if (err != ERR_OK) {
        return err;
    }
    struct store_key k = row_key_order(keys, peer, row_key_tail(found.key, 8));
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

enum err token_row_count(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t *count)
{
    struct store_row first;
    struct store_row last;
    *count = 0;
    enum err err = row_seek_of(step, keys, STORE_TOKEN, STORE_GE, peer, 0, &first);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    uint64_t from = row_key_tail(first.key, 8);
    err = row_seek_of(step, keys, STORE_TOKEN, STORE_LE, peer, UINT64_MAX, &last);
    if (err != ERR_OK) {
        return err;
    }
    /* Tokens are taken from the front only: the numbers in between are all there. */
    *count = row_key_tail(last.key, 8) - from + 1;
    return ERR_OK;
}

/* --- rows of before contacts had several devices --- */

/* The row of a contact as it was: all of it in one. */
static const struct row_kind OLD_ROW = ROW_KIND(STORE_CONTACT, PEER_FIELDS, peer_row);

/* What only such a row has: a contact without devices, as we are when our other ones are gone, has
 * a row of now. */
struct old_mark {
    struct slice session_ids;
};

static const struct field OLD_MARK_FIELDS[] = {
    FIELD(20, FIELD_SLICE, old_mark, session_ids, SESSION_T *LIMIT_SESSIONS_PER_PAIR),
};

static const struct row_kind OLD_MARK = ROW_KIND(STORE_CONTACT, OLD_MARK_FIELDS, old_mark);

static enum err is_old(struct step *step, struct seal_keys *keys, const struct contact_row *who,
                       bool *old)
{
    struct store_key k = row_key(keys, who->number);
    struct old_mark mark;
    enum err err = who->peers.len > 0 ? ERR_OK : row_get(step, keys, &OLD_MARK, &k, &mark);
    *old = err == ERR_OK && who->peers.len == 0 && mark.session_ids.len > 0;
    return err;
}

/* What the list of a contact says of its only device. */
static enum err split_device(struct step *step, const struct contact_row *who, struct peer_row *row)
{
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    if (who->list.len == 0) {
        return ERR_OK;
    }
    if (device_list_open(who->list, &who->id, list) != ERR_OK) {
        return ERR_CORRUPT;
    }
    return peer_row_device(step, row, &list->entries[0]);
}

static enum err split_one(struct step *step, struct seal_keys *keys, struct contact_row *who)
{
    struct store_key k = row_key(keys, who->number);
    struct store_key number = store_key_new();
    struct peer_row row;
    enum err err = row_get(step, keys, &OLD_ROW, &k, &row);
    row.number = who->number;
    row.contact = who->number;
    store_key_u32(&number, who->number);
    who->peers = store_key_slice(&number);
    if (err == ERR_OK) {
        err = split_device(step, who, &row);
    }
    if (err == ERR_OK) {
        err = peer_row_put(step, keys, &row);
    }
    return err == ERR_OK ? contact_row_put(step, keys, who) : err;
}

enum err peer_rows_split(struct step *step, struct seal_keys *keys)
{
    struct contact_row who = {.number = 0};
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        bool old = false;
        err = contact_row_next(step, keys, who.number, &who);
        if (err == ERR_OK) {
            err = is_old(step, keys, &who, &old);
        }
        if (err == ERR_OK && old) {
            err = split_one(step, keys, &who);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
