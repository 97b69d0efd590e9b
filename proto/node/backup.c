/* SPDX-License-Identifier: Apache-2.0 */
#include "node/backup.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/fields.h"
#include "node/healing.h"

enum record_kind {
    RECORD_ACCOUNT = 1,
    RECORD_RELAY = 2,
    RECORD_CONTACT = 3,
    RECORD_MESSAGE = 4,
    RECORD_OUTBOX = 5,
};

enum {
    RECORD_MAX = LIMIT_ENVELOPE + 1024, /* fields of one */
};

struct account_record {
    uint64_t created;
    uint64_t queues_ms;
    uint32_t list_version;
};
struct relay_record {
    struct address address;
    uint8_t member[32];
    uint64_t role;
};
struct message_record {
    uint32_t contact;
    uint64_t order;
    struct message_row row;
};
struct outbox_record {
    uint32_t contact;
    uint64_t order;
    struct outbox_row row;
};

static const struct field OF_ACCOUNT[] = {
    FIELD(0, FIELD_U64, account_record, created, 0),
    FIELD(1, FIELD_U64, account_record, queues_ms, 0),
    FIELD(2, FIELD_U32, account_record, list_version, 0),
};
static const struct field OF_RELAY[] = {
    FIELD(0, FIELD_ADDRESS, relay_record, address, 0),
    FIELD(1, FIELD_FIXED, relay_record, member, 32),
    FIELD(2, FIELD_LATER, relay_record, role, 0),
};
static const struct field OF_CONTACT[] = {
    FIELD(0, FIELD_U32, contact_row, number, 0),
    FIELD(1, FIELD_FIXED, contact_row, id, 32),
    FIELD(2, FIELD_ENUM, contact_row, state, 5),
    FIELD(3, FIELD_BOOL, contact_row, verified, 0),
    FIELD(4, FIELD_U64, contact_row, created, 0),
    FIELD(5, FIELD_SLICE, contact_row, name, LIMIT_NAME),
    FIELD(6, FIELD_SLICE, contact_row, text, LIMIT_REQUEST_TEXT),
    FIELD(7, FIELD_SLICE, contact_row, list, LIMIT_DEVICE_LIST),
    FIELD(8, FIELD_BOOL, contact_row, has_record, 0),
    FIELD(9, FIELD_ADDRESS, contact_row, relay, 0),
    FIELD(10, FIELD_FIXED, contact_row, record, 32),
    FIELD(11, FIELD_SLICE, contact_row, invite, INVITE_SECRET),
    FIELD(12, FIELD_BOOL, contact_row, invited, 0),
    FIELD(13, FIELD_BOOL, contact_row, has_queue, 0),
    FIELD(14, FIELD_ADDRESS, contact_row, queue_relay, 0),
    FIELD(15, FIELD_FIXED, contact_row, queue, 32),
    FIELD(16, FIELD_LATER, contact_row, queues_ms, 0),
    FIELD(17, FIELD_SLICE, contact_row, second, LIMIT_BODY_ROUTE),
    FIELD(18, FIELD_LATER, contact_row, list_version, 0),
    FIELD(19, FIELD_SLICE, contact_row, list_hash, DEVICE_LIST_HASH),
    FIELD(20, FIELD_LATER, contact_row, deleted, 0),
};
static const struct field OF_MESSAGE[] = {
    FIELD(0, FIELD_U32, message_record, contact, 0),
    FIELD(1, FIELD_U64, message_record, order, 0),
    FIELD(2, FIELD_ENUM, message_record, row.state, 5),
    FIELD(3, FIELD_U64, message_record, row.time, 0),
    FIELD(4, FIELD_SLICE, message_record, row.content, LIMIT_ENVELOPE),
    FIELD(5, FIELD_LATER, message_record, row.deposited, 0),
    FIELD(6, FIELD_LATER, message_record, row.gap, 0),
};
static const struct field OF_OUTBOX[] = {
    FIELD(0, FIELD_U32, outbox_record, contact, 0),
    FIELD(1, FIELD_U64, outbox_record, order, 0),
    FIELD(2, FIELD_U64, outbox_record, row.created, 0),
    FIELD(3, FIELD_SLICE, outbox_record, row.content, LIMIT_ENVELOPE),
};

/* --- where a reader is --- */

/* One contact after the other, what waits for it before its messages: a message that is
 * acknowledged in between is saved as delivered, and sent once more. */
enum stage {
    STAGE_ACCOUNT = 0,
    STAGE_CONTACT = 1, /* the next one after `contact` */
    STAGE_OUTBOX = 2,  /* of `contact`, behind `order` */
    STAGE_MESSAGES = 3,
    STAGE_END = 4,
};

struct cursor {
    uint8_t stage;
    uint32_t contact;
    uint64_t order;
};

enum {
    CURSOR_BYTES = 1 + 4 + 8,
};
static_assert(2 * CURSOR_BYTES + 1 <= BACKUP_CURSOR, "a cursor's text");

static void cursor_text(const struct cursor *at, char text[static BACKUP_CURSOR])
{
    uint8_t bytes[CURSOR_BYTES];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, at->stage);
    writer_u32(&w, at->contact);
    writer_u64(&w, at->order);
    if (at->stage == STAGE_END) {
        text[0] = '\0';
    } else {
        hex_encode(bytes, sizeof bytes, text);
    }
}

static enum err cursor_read(struct slice text, struct cursor *at)
{
    uint8_t bytes[CURSOR_BYTES];
    *at = (struct cursor){.stage = STAGE_ACCOUNT};
    if (text.len == 0) {
        return ERR_OK;
    }
    if (!hex_decode(text, bytes, sizeof bytes)) {
        return ERR_ARGUMENT;
    }
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    at->stage = reader_u8(&r);
    at->contact = reader_u32(&r);
    at->order = reader_u64(&r);
    return at->stage < STAGE_END ? ERR_OK : ERR_ARGUMENT;
}

/* --- out --- */

static enum err record_write(struct step *step, struct writer *out, enum record_kind kind,
                             const struct field *table, size_t n, const void *row)
{
    struct writer w = step_writer(step, RECORD_MAX);
    fields_write(&w, table, n, row);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    pack_array(out, 2);
    pack_uint(out, kind);
    pack_bin_slice(out, writer_done(&w));
    return out->err == ERR_OK ? ERR_OK : ERR_BUG;
}

#define RECORD_WRITE(step, out, kind, table, row)                                                  \
    record_write(step, out, kind, table, FIELD_COUNT(table), row)

static enum err write_account(struct step *step, struct seal_keys *keys, struct writer *out)
{
    struct account_row row;
    struct relay_row relay;
    enum err err = account_row_get(step, keys, &row);
    if (err == ERR_OK) {
        struct account_record record = {
            .created = row.created, .queues_ms = row.queues_ms, .list_version = row.list_version};
        err = RECORD_WRITE(step, out, RECORD_ACCOUNT, OF_ACCOUNT, &record);
    }
    secret_wipe(&row, sizeof row);
    for (unsigned slot = 0; err == ERR_OK && slot < LIMIT_HOMES; slot++) {
        err = relay_row_get(step, keys, slot, &relay);
        if (err == ERR_OK && relay.joined && relay.role <= HOME_SECOND) {
            struct relay_record record = {.address = relay.address, .role = relay.role};
            memcpy(record.member, relay.member, sizeof record.member);
            err = RECORD_WRITE(step, out, RECORD_RELAY, OF_RELAY, &record);
            secret_wipe(&record, sizeof record);
        }
        secret_wipe(&relay, sizeof relay);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    return err;
}

/* The next row of each stage. ERR_NOT_FOUND: there is none. */
static enum err write_contact(struct step *step, struct seal_keys *keys, struct cursor *at,
                              struct writer *out)
{
    struct contact_row row;
    enum err err = contact_row_next(step, keys, at->contact, &row);
    if (err == ERR_OK) {
        *at = (struct cursor){.contact = row.number};
        err = RECORD_WRITE(step, out, RECORD_CONTACT, OF_CONTACT, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err write_message(struct step *step, struct seal_keys *keys, struct cursor *at,
                              struct writer *out)
{
    struct message_record record = {.order = at->order + 1};
    enum err err = message_row_next(step, keys, at->contact, &record.order, &record.row);
    if (err == ERR_OK) {
        record.contact = at->contact;
        at->order = record.order;
        err = RECORD_WRITE(step, out, RECORD_MESSAGE, OF_MESSAGE, &record);
    }
    return err;
}

static enum err write_outbox(struct step *step, struct seal_keys *keys, struct cursor *at,
                             struct writer *out)
{
    struct outbox_record record = {.order = at->order + 1};
    enum err err = outbox_row_next(step, keys, at->contact, &record.order, &record.row);
    if (err == ERR_OK && record.row.ack_only) {
        err = ERR_NOT_FOUND; /* these come last, and are of sessions */
    }
    if (err == ERR_OK) {
        record.contact = at->contact;
        at->order = record.order;
        err = RECORD_WRITE(step, out, RECORD_OUTBOX, OF_OUTBOX, &record);
    }
    return err;
}

/* One record, or a move of the cursor. */
static enum err read_on(struct step *step, struct seal_keys *keys, struct cursor *at,
                        struct writer *out)
{
    enum err err = ERR_OK;
    switch (at->stage) {
    case STAGE_ACCOUNT:
        err = write_account(step, keys, out);
        at->stage = STAGE_CONTACT;
        return err;
    case STAGE_CONTACT:
        err = write_contact(step, keys, at, out);
        at->stage = err == ERR_OK ? STAGE_OUTBOX : STAGE_END;
        break;
    case STAGE_OUTBOX:
        err = write_outbox(step, keys, at, out);
        at->stage = err == ERR_OK ? STAGE_OUTBOX : STAGE_MESSAGES;
        break;
    default:
        err = write_message(step, keys, at, out);
        at->stage = err == ERR_OK ? STAGE_MESSAGES : STAGE_CONTACT;
        break;
    }
    at->order = err == ERR_OK ? at->order : 0;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err backup_read(struct step *step, struct seal_keys *keys, struct slice after,
                     struct writer *records, char next[static BACKUP_CURSOR])
{
    struct cursor at;
    enum err err = cursor_read(after, &at);
    while (err == ERR_OK && at.stage < STAGE_END && records->len < BACKUP_BYTES) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = read_on(step, keys, &at, records);
        arena_rewind(step->turn->arena, mark);
    }
    if (err == ERR_OK) {
        cursor_text(&at, next);
    }
    return err;
}

/* --- in --- */

static enum err put_account(struct account *me, struct step *step, const struct account_record *r)
{
    struct account_row row;
    enum err err = account_row_get(step, me->keys, &row);
    if (err == ERR_OK) {
        row.created = r->created;
        row.queues_ms = r->queues_ms;
        row.list_version = r->list_version;
        err = account_row_put(step, me->keys, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* The membership goes on, with a queue and a record of this device's own. */
static enum err put_relay(struct account *me, struct step *step, const struct relay_record *r)
{
    unsigned slot = r->role == HOME_MAIN ? 0 : 1;
    struct relay_row row;
    enum err err = relay_row_get(step, me->keys, slot, &row);
    if (err == ERR_NOT_FOUND) {
        relay_row_fresh(step, &r->address, &row);
        memcpy(row.member, r->member, sizeof row.member);
        row.joined = true;
        row.role = r->role;
        err = relay_row_put(step, me->keys, slot, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err put_contact(struct account *me, struct step *step, const struct contact_row *r)
{
    struct account_row account;
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && account.last_contact < r->number) {
        account.last_contact = r->number;
        err = account_row_put(step, me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    return err == ERR_OK ? contact_row_put(step, me->keys, r) : err;
}

static enum err put_message(struct account *me, struct step *step, const struct message_record *r)
{
    struct content content;
    enum err err = message_row_put(step, me->keys, r->contact, r->order, &r->row);
    if (err == ERR_OK && r->row.state == MESSAGE_RECEIVED &&
        content_decode(r->row.content, &content) == ERR_OK) {
        err = message_id_put(step, me->keys, r->contact, content.id, r->order);
    }
    return err;
}

/* A record, decoded. Slices borrow from its bytes. */
struct record {
    enum record_kind kind;
    union {
        struct account_record account;
        struct relay_record relay;
        struct contact_row contact;
        struct message_record message;
        struct outbox_record outbox;
    } u;
};

static const struct {
    const struct field *fields;
    size_t n;
} KINDS[] = {
    [RECORD_ACCOUNT] = {OF_ACCOUNT, FIELD_COUNT(OF_ACCOUNT)},
    [RECORD_RELAY] = {OF_RELAY, FIELD_COUNT(OF_RELAY)},
    [RECORD_CONTACT] = {OF_CONTACT, FIELD_COUNT(OF_CONTACT)},
    [RECORD_MESSAGE] = {OF_MESSAGE, FIELD_COUNT(OF_MESSAGE)},
    [RECORD_OUTBOX] = {OF_OUTBOX, FIELD_COUNT(OF_OUTBOX)},
};

static enum err record_read(struct reader *r, struct record *out)
{
    bool pair = pack_read_array(r, 2) == 2;
    uint64_t kind = pack_read_uint(r, UINT8_MAX);
    struct slice fields = pack_read_bin(r, RECORD_MAX);
    memset(out, 0, sizeof *out);
    if (r->err != ERR_OK || !pair || kind < RECORD_ACCOUNT || kind > RECORD_OUTBOX) {
        return ERR_MALFORMED;
    }
    out->kind = (enum record_kind)kind;
    enum err err = fields_read(fields, KINDS[kind].fields, KINDS[kind].n, &out->u);
    return err == ERR_OK ? ERR_OK : ERR_MALFORMED;
}

/* Contacts that records of this call make. */
struct newcomers {
    uint32_t *number;
    size_t count;
};

static bool is_new(const struct newcomers *made, uint32_t contact)
{
    for (size_t i = made->count; i > 0; i--) {
        if (made->number[i - 1] == contact) {
            return true;
        }
    }
    return false;
}

/* Of a contact that is there, with content in form. */
static enum err check_row(struct account *me, struct step *step, const struct newcomers *made,
                          uint32_t contact, uint64_t order, struct slice bytes)
{
    struct contact_row row;
    struct content content;
    if (order == 0 || order >= OUTBOX_ACKS || content_decode(bytes, &content) != ERR_OK) {
        return ERR_MALFORMED;
    }
    if (is_new(made, contact)) {
        return ERR_OK;
    }
    enum err err = contact_row_get(step, me->keys, contact, &row);
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_MALFORMED : err;
}

static enum err check(struct account *me, struct step *step, struct newcomers *made,
                      const struct record *r)
{
    const struct contact_row *contact = &r->u.contact;
    struct device_list *list;
    switch (r->kind) {
    case RECORD_ACCOUNT:
        return ERR_OK;
    case RECORD_RELAY:
        return r->u.relay.role <= HOME_SECOND ? ERR_OK : ERR_MALFORMED;
    case RECORD_CONTACT:
        if (contact->number == 0 || contact->number > LIMIT_CONTACTS ||
            (contact->list.len > 0 && contact_list_known(step, contact, &list) != ERR_OK) ||
            !pack_utf8_valid(contact->name) || !pack_utf8_valid(contact->text)) {
            return ERR_MALFORMED;
        }
        made->number[made->count++] = contact->number;
        return ERR_OK;
    case RECORD_MESSAGE:
        return check_row(me, step, made, r->u.message.contact, r->u.message.order,
                         r->u.message.row.content);
    case RECORD_OUTBOX:
        return check_row(me, step, made, r->u.outbox.contact, r->u.outbox.order,
                         r->u.outbox.row.content);
    }
    return ERR_MALFORMED;
}

static enum err put(struct account *me, struct step *step, const struct record *r)
{
    switch (r->kind) {
    case RECORD_ACCOUNT:
        return put_account(me, step, &r->u.account);
    case RECORD_RELAY:
        return put_relay(me, step, &r->u.relay);
    case RECORD_CONTACT:
        return put_contact(me, step, &r->u.contact);
    case RECORD_MESSAGE:
        return put_message(me, step, &r->u.message);
    case RECORD_OUTBOX:
        return outbox_row_put(step, me->keys, r->u.outbox.contact, r->u.outbox.order,
                              &r->u.outbox.row);
    }
    return ERR_MALFORMED;
}

/* Checks all records, or puts them. */
static enum err walk(struct account *me, struct step *step, struct slice records,
                     struct newcomers *made)
{
    struct reader r = reader_of(records);
    struct record record;
    enum err err = ERR_OK;
    while (err == ERR_OK && r.pos < records.len) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = record_read(&r, &record);
        if (err == ERR_OK) {
            err = made != NULL ? check(me, step, made, &record) : put(me, step, &record);
        }
        arena_rewind(step->turn->arena, mark);
    }
    secret_wipe(&record, sizeof record);
    return err;
}

enum err backup_put(struct account *me, struct step *step, struct slice records)
{
    enum {
        CONTACT_LEAST = 64 /* bytes of a contact's record, at least */
    };
    struct newcomers made = {.count = 0};
    if (!me->restoring) {
        return ERR_NOT_NOW;
    }
    made.number =
        arena_alloc(step->turn->arena, (records.len / CONTACT_LEAST + 1) * sizeof *made.number);
    if (made.number == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = walk(me, step, records, &made);
    return err == ERR_OK ? walk(me, step, records, NULL) : err;
}

enum err backup_end(struct account *me, struct step *step)
{
    struct account_row row;
    if (!me->restoring) {
        return ERR_NOT_NOW;
    }
    enum err err = account_row_get(step, me->keys, &row);
    if (err == ERR_OK) {
        row.restoring = 0;
        row.rekey_next = 1;
        row.rekey_why = HEALING_RESTORED;
        err = account_row_put(step, me->keys, &row);
    }
    if (err == ERR_OK) {
        me->restoring = false;
        me->rekey_next = 1;
        me->rekey_why = HEALING_RESTORED;
        err = home_load(me, step);
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_OK ? outbox_load(me, step) : err;
}
