/* SPDX-License-Identifier: Apache-2.0 */
#include "node/evidence.h"

#include <string.h>

#include "node/fields.h"
#include "node/route.h"

enum {
    EVIDENCE_PLAIN = 2048, /* encoded row, at most */
};

static const struct field EVIDENCE_FIELDS[] = {
    FIELD(0, FIELD_FIXED, evidence, message, CONTENT_ID),
    FIELD(1, FIELD_ADDRESS, evidence, relay, 0),
    FIELD(2, FIELD_FIXED, evidence, queue, 32),
    FIELD(3, FIELD_FIXED, evidence, envelope, RECEIPT_HASH),
    FIELD(4, FIELD_SLICE, evidence, receipt, ROW_RECEIPT),
    FIELD(5, FIELD_LATER, evidence, heard_ms, 0),
    FIELD(6, FIELD_LATER, evidence, given_up, 0),
    FIELD(7, FIELD_LATER, evidence, contact, 0),
};

/* --- rows --- */

static struct store_key row_key(struct seal_keys *keys, const struct evidence *e)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u64(&k, e->made);
    store_key_u32(&k, e->peer);
    store_key_u64(&k, e->order);
    return k;
}

/* The row that key is of. */
static enum err key_read(struct slice key, struct evidence *e)
{
    struct reader r = reader_of(key);
    (void)reader_u32(&r);
    e->made = reader_u64(&r);
    e->peer = reader_u32(&r);
    e->order = reader_u64(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err row_put(struct step *step, struct seal_keys *keys, const struct evidence *e)
{
    struct store_key k = row_key(keys, e);
    struct writer w = step_writer(step, EVIDENCE_PLAIN);
    fields_write(&w, EVIDENCE_FIELDS, FIELD_COUNT(EVIDENCE_FIELDS), e);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    return seal_put(keys, step->turn, STORE_EVIDENCE, store_key_slice(&k),
                    seal_message_bucket(keys, e->peer, 0), writer_done(&w));
}

/* The row with the key in *e. */
static enum err row_get(struct step *step, struct seal_keys *keys, struct evidence *e)
{
    struct evidence got = {.made = e->made, .peer = e->peer, .order = e->order};
    struct store_key k = row_key(keys, e);
    struct slice plain;
    enum err err = seal_get(keys, step->turn, STORE_EVIDENCE, store_key_slice(&k), &plain);
    if (err == ERR_OK) {
        err = fields_read(plain, EVIDENCE_FIELDS, FIELD_COUNT(EVIDENCE_FIELDS), &got);
    }
    if (err == ERR_OK) {
        *e = got;
        e->contact = got.contact != 0 ? got.contact : got.peer; /* an older row */
    }
    return err;
}

/* --- what an entry shows --- */

uint64_t evidence_heard_ms(const struct peer_row *row, const struct outbox_row *entry)
{
    return row->spoke_ms >= entry->at_relay_ms + LIMIT_EVIDENCE_HEARD_MS ? row->spoke_ms : 0;
}

/* Whether the contact has answered in the session that sealed the entry. */
static bool answered(const struct peer_row *row, const struct outbox_row *entry)
{
    for (int slot = 0; slot < LIMIT_SESSIONS_PER_PAIR; slot++) {
        if ((row->sessions & row->heard) >> slot & 1 &&
            memcmp(row->session_id[slot], entry->session, SESSION_T) == 0) {
            return true;
        }
    }
    return false;
}

enum err evidence_of(const struct peer_row *row, uint64_t order, const struct outbox_row *entry,
                     struct evidence *out)
{
    struct receipt receipt;
    struct content content;
    struct evidence e = {.peer = row->number,
                         .contact = row->contact,
                         .order = order,
                         .relay = row->queue_relay,
                         .queue = row->queue,
                         .receipt = entry->receipt,
                         .heard_ms = evidence_heard_ms(row, entry)};
    if (entry->ack_only || entry->receipt.len == 0 || !row->has_queue || !answered(row, entry) ||
        content_decode(entry->content, &content) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    memcpy(e.message, content.id, sizeof e.message);
    prim_blake2b(e.envelope, sizeof e.envelope, slice_of(NULL, 0), "", &entry->envelope, 1);
    if (receipt_read(entry->receipt, &receipt) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    struct device_place second;
    enum err err = receipt_verify_hash(&receipt, &e.relay.node_id, &e.queue, e.envelope);
    if (err != ERR_OK && route_second(row, &second)) {
        e.relay = second.relay;
        e.queue = second.key;
        err = receipt_verify_hash(&receipt, &e.relay.node_id, &e.queue, e.envelope);
    }
    if (err != ERR_OK) {
        return ERR_NOT_FOUND; /* their queue is another since */
    }
    *out = e;
    return ERR_OK;
}

enum err evidence_note(struct step *step, struct seal_keys *keys, const struct peer_row *row,
                       uint64_t order, struct outbox_row *entry, enum err why)
{
    struct evidence e = {.made = entry->evidence_ms, .peer = row->number, .order = order};
    enum err err = e.made == 0 ? ERR_NOT_FOUND : row_get(step, keys, &e);
    if (err == ERR_NOT_FOUND) {
        err = evidence_of(row, order, entry, &e);
        e.made = step_now(step);
    }
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (e.made == entry->evidence_ms && e.given_up == (uint64_t)why) {
        return ERR_OK;
    }
    e.given_up = (uint64_t)why;
    entry->evidence_ms = e.made;
    return row_put(step, keys, &e);
}

enum err evidence_drop(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                       const struct outbox_row *entry)
{
    const struct evidence e = {.made = entry->evidence_ms, .peer = peer, .order = order};
    struct store_key k = row_key(keys, &e);
    if (e.made == 0) {
        return ERR_OK;
    }
    enum err err = store_del(step->turn->store, STORE_EVIDENCE, store_key_slice(&k));
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* trimmed */
}

/* --- all of them --- */

static enum err seek(struct step *step, struct seal_keys *keys, enum store_seek how,
                     const struct evidence *at, struct store_row *found)
{
    struct store_key k = row_key(keys, at);
    struct store_key prefix = store_key_new();
    store_key_u32(&prefix, seal_keys_account(keys));
    return store_seek_prefix(step->turn->store, STORE_EVIDENCE, how, store_key_slice(&k),
                             store_key_slice(&prefix), found);
}

enum err evidence_next(struct step *step, struct seal_keys *keys, struct evidence *at)
{
    struct store_row found;
    struct evidence next;
    enum err err = seek(step, keys, STORE_GT, at, &found);
    if (err == ERR_OK) {
        err = key_read(found.key, &next);
    }
    if (err == ERR_OK) {
        err = row_get(step, keys, &next);
    }
    if (err == ERR_OK) {
        *at = next;
    }
    return err;
}

enum err evidence_trim(struct step *step, struct seal_keys *keys, bool *more)
{
    struct evidence at = {.made = UINT64_MAX, .peer = UINT32_MAX, .order = UINT64_MAX};
    unsigned kept = 0;
    unsigned removed = 0;
    enum err err = ERR_OK;
    *more = false;
    while (err == ERR_OK && removed < LIMIT_SWEEP_ROWS) {
        struct store_row found;
        err = seek(step, keys, STORE_LT, &at, &found);
        if (err == ERR_OK) {
            err = key_read(found.key, &at);
        }
        bool young = at.made + LIMIT_EVIDENCE_DAYS * LIMIT_DAY_MS > step_now(step);
        if (err == ERR_OK && young && kept < LIMIT_EVIDENCE_ROWS) {
            kept++;
        } else if (err == ERR_OK) {
            struct store_key k = row_key(keys, &at);
            err = store_del(step->turn->store, STORE_EVIDENCE, store_key_slice(&k));
            removed++;
        }
    }
    *more = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
