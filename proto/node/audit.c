/* SPDX-License-Identifier: Apache-2.0 */
#include "node/audit.h"

#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/core.h"
#include "node/evidence.h"
#include "node/params.h"

enum {
    AUDIT_BYTES = 192 * 1024, /* of one page, about */
    AUDIT_ITEM = 4096,        /* one item, at most */
    AUDIT_CURSOR = 8 + 4 + 8, /* bytes: made, peer and order of the last item */
};

/* A page under construction. */
struct page {
    struct step *step;
    struct seal_keys *keys;
    struct writer list;
    uint32_t count;
    unsigned rows;          /* that were looked at */
    struct evidence at;     /* the last one; made UINT64_MAX: of the outbox */
    struct contact_row who; /* of the evidence at hand */
};

static bool page_full(const struct page *p)
{
    return p->rows >= LIMIT_QUERY_ROWS || p->list.cap - p->list.len < AUDIT_ITEM;
}

static const char *state_name(const struct evidence *e)
{
    if (e->given_up != 0) {
        return e->given_up == (uint64_t)ERR_EXPIRED ? "expired" : "given-up";
    }
    return e->heard_ms != 0 ? "missed" : "waiting";
}

static void result_hex(struct writer *w, const char *name, const uint8_t *bytes, size_t len)
{
    char text[2 * ROW_RECEIPT + 1];
    hex_encode(bytes, len, text);
    result_text(w, name, text);
}

static void write_item(struct page *p, const struct evidence *e)
{
    struct writer *w = &p->list;
    struct receipt receipt;
    char contact[ID_TEXT];
    char relay[NODE_ID_TEXT];
    char address[ADDRESS_TEXT];
    if (receipt_read(e->receipt, &receipt) != ERR_OK) {
        return; /* not one that was verified before it was kept */
    }
    id_encode(p->who.id.b, contact);
    node_id_encode(e->relay.node_id.b, relay);
    address_print(&e->relay, address);
    pack_map(w, e->heard_ms != 0 ? 11 : 10);
    result_text(w, "relay", relay);
    result_text(w, "address", address);
    result_text(w, "contact", contact);
    result_hex(w, "message", e->message, sizeof e->message);
    result_text(w, "state", state_name(e));
    result_uint(w, "signed", receipt.time_ms);
    result_uint(w, "until", receipt.until_ms);
    if (e->heard_ms != 0) {
        result_uint(w, "heard", e->heard_ms);
    }
    result_hex(w, "queue", e->queue.b, sizeof e->queue.b);
    result_hex(w, "envelope", e->envelope, sizeof e->envelope);
    result_hex(w, "receipt", e->receipt.p, e->receipt.len);
    p->count++;
}

/* What was kept. ERR_NOT_FOUND: that was all of it. */
static enum err write_kept(struct page *p)
{
    struct arena *arena = p->step->turn->arena;
    enum err err = ERR_OK;
    while (err == ERR_OK && !page_full(p)) {
        struct arena_mark mark = arena_mark(arena);
        err = evidence_next(p->step, p->keys, &p->at);
        if (err == ERR_OK) {
            err = contact_row_get(p->step, p->keys, (uint32_t)p->at.contact, &p->who);
            err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        }
        if (err == ERR_OK) {
            write_item(p, &p->at);
            p->rows++;
        }
        arena_rewind(arena, mark);
    }
    return err;
}

/* What is in the outbox of the contact at p->at, behind the order there. */
static enum err write_entries(struct page *p)
{
    struct arena *arena = p->step->turn->arena;
    enum err err = ERR_OK;
    while (err == ERR_OK && !page_full(p)) {
        struct arena_mark mark = arena_mark(arena);
        struct outbox_row entry;
        struct evidence e;
        struct peer_row row;
        uint64_t order = p->at.order + 1;
        err = outbox_row_next(p->step, p->keys, p->at.peer, &order, &entry);
        if (err == ERR_OK && order >= OUTBOX_ACKS) {
            err = ERR_NOT_FOUND;
        }
        if (err == ERR_OK) {
            p->at.order = order;
            p->rows++;
            err = peer_row_get(p->step, p->keys, p->at.peer, &row);
            err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        }
        /* Of what was kept as evidence, write_kept has told. */
        if (err == ERR_OK && entry.evidence_ms == 0 &&
            evidence_of(&row, order, &entry, &e) == ERR_OK) {
            p->who = row.who;
            write_item(p, &e);
        }
        arena_rewind(arena, mark);
    }
    return err;
}

/* What waits. ERR_NOT_FOUND: that was all of it. */
static enum err write_waiting(struct page *p)
{
    enum err err = write_entries(p);
    while (err == ERR_NOT_FOUND) {
        err = outbox_peer_next(p->step, p->keys, p->at.peer, &p->at.peer);
        if (err != ERR_OK) {
            return err;
        }
        p->at.order = 0;
        err = write_entries(p);
    }
    return err;
}

static bool cursor_read(struct slice text, struct evidence *at)
{
    uint8_t bytes[AUDIT_CURSOR];
    if (text.len == 0) {
        return true;
    }
    if (!hex_decode(text, bytes, sizeof bytes)) {
        return false;
    }
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    at->made = reader_u64(&r);
    at->peer = reader_u32(&r);
    at->order = reader_u64(&r);
    return at->order != UINT64_MAX;
}

static void cursor_write(struct writer *out, const struct evidence *at)
{
    uint8_t bytes[AUDIT_CURSOR];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u64(&w, at->made);
    writer_u32(&w, at->peer);
    writer_u64(&w, at->order);
    result_hex(out, "next", bytes, sizeof bytes);
}

enum err audit_read(struct step *step, struct seal_keys *keys, struct slice after, struct writer *w)
{
    struct page *p = arena_alloc(step->turn->arena, sizeof *p);
    uint8_t *bytes = arena_alloc(step->turn->arena, AUDIT_BYTES);
    if (p == NULL || bytes == NULL) {
        return ERR_NO_MEMORY;
    }
    *p = (struct page){.step = step, .keys = keys, .list = writer_of(bytes, AUDIT_BYTES)};
    if (!cursor_read(after, &p->at)) {
        return ERR_ARGUMENT;
    }
    enum err err = p->at.made == UINT64_MAX ? ERR_NOT_FOUND : write_kept(p);
    if (err == ERR_NOT_FOUND) {
        if (p->at.made != UINT64_MAX) {
            p->at = (struct evidence){.made = UINT64_MAX};
        }
        err = write_waiting(p);
    }
    secret_wipe(&p->who, sizeof p->who);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    pack_map(w, err == ERR_OK ? 2 : 1);
    pack_str(w, "items");
    pack_array(w, p->count);
    writer_slice(w, writer_done(&p->list));
    if (err == ERR_OK) {
        cursor_write(w, &p->at);
    }
    return ERR_OK;
}

enum err audit_verify(struct slice relay, struct slice queue, struct slice envelope,
                      struct slice receipt, uint64_t *signed_ms, uint64_t *until_ms)
{
    uint8_t bytes[ROW_RECEIPT];
    uint8_t hash[RECEIPT_HASH];
    struct sign_pk node;
    struct sign_pk key;
    struct receipt got;
    size_t len = receipt.len / 2;
    if (address_parse_node(relay, &node) != ERR_OK || len > sizeof bytes ||
        !hex_decode(receipt, bytes, len) || !hex_decode(queue, key.b, sizeof key.b) ||
        !hex_decode(envelope, hash, sizeof hash)) {
        return ERR_MALFORMED;
    }
    enum err err = receipt_read(slice_of(bytes, len), &got);
    if (err == ERR_OK) {
        err = receipt_verify_hash(&got, &node, &key, hash);
    }
    if (err == ERR_OK) {
        *signed_ms = got.time_ms;
        *until_ms = got.until_ms;
    }
    return err;
}
