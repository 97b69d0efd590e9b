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
    RECORD_PEER = 6,
};

enum {
    RECORD_MAX = LIMIT_ENVELOPE + 1024, /* fields of one */
};

struct account_record {
    uint64_t created;
    uint64_t queues_ms;
    uint32_t list_version;
    uint64_t hidden;
};
struct relay_record {
    struct address address;
    uint8_t member[32];
    uint64_t role;
};
struct contact_record {
    struct peer_row row;
    uint64_t peer; /* its number; 0: the contact's, as it was before contacts had several */
};
struct message_record {
    uint32_t contact;
    uint64_t order;
    struct message_row row;
};
struct outbox_record {
    uint32_t peer;
    uint64_t order;
    struct outbox_row row;
};

static const struct field OF_ACCOUNT[] = {
    FIELD(0, FIELD_U64, account_record, created, 0),
    FIELD(1, FIELD_U64, account_record, queues_ms, 0),
    FIELD(2, FIELD_U32, account_record, list_version, 0),
    FIELD(3, FIELD_LATER, account_record, hidden, 0),
};
static const struct field OF_RELAY[] = {
    FIELD(0, FIELD_ADDRESS, relay_record, address, 0),
    FIELD(1, FIELD_FIXED, relay_record, member, 32),
    FIELD(2, FIELD_LATER, relay_record, role, 0),
};
/* A contact, and the first of its devices. */
static const struct field OF_CONTACT[] = {
    FIELD(0, FIELD_U32, contact_record, row.who.number, 0),
    FIELD(1, FIELD_FIXED, contact_record, row.who.id, 32),
    FIELD(2, FIELD_ENUM, contact_record, row.who.state, 5),
    FIELD(3, FIELD_BOOL, contact_record, row.who.verified, 0),
    FIELD(4, FIELD_U64, contact_record, row.who.created, 0),
    FIELD(5, FIELD_SLICE, contact_record, row.who.name, LIMIT_NAME),
    FIELD(6, FIELD_SLICE, contact_record, row.who.text, LIMIT_REQUEST_TEXT),
    FIELD(7, FIELD_SLICE, contact_record, row.who.list, LIMIT_DEVICE_LIST),
    FIELD(8, FIELD_BOOL, contact_record, row.who.has_record, 0),
    FIELD(9, FIELD_ADDRESS, contact_record, row.who.relay, 0),
    FIELD(10, FIELD_FIXED, contact_record, row.who.record, 32),
    FIELD(11, FIELD_SLICE, contact_record, row.who.invite, INVITE_SECRET),
    FIELD(12, FIELD_BOOL, contact_record, row.who.invited, 0),
    FIELD(13, FIELD_BOOL, contact_record, row.has_queue, 0),
    FIELD(14, FIELD_ADDRESS, contact_record, row.queue_relay, 0),
    FIELD(15, FIELD_FIXED, contact_record, row.queue, 32),
    FIELD(16, FIELD_LATER, contact_record, row.queues_ms, 0),
    FIELD(17, FIELD_SLICE, contact_record, row.second, LIMIT_BODY_ROUTE),
    FIELD(18, FIELD_LATER, contact_record, row.who.list_version, 0),
    FIELD(19, FIELD_SLICE, contact_record, row.who.list_hash, DEVICE_LIST_HASH),
    FIELD(20, FIELD_LATER, contact_record, row.who.deleted, 0),
    FIELD(21, FIELD_LATER, contact_record, row.who.read, 0),
    FIELD(22, FIELD_LATER, contact_record, row.who.changed_ms, 0),
    FIELD(23, FIELD_LATER, contact_record, peer, 0),
    FIELD(24, FIELD_SLICE, contact_record, row.device, sizeof(struct sign_pk)),
    FIELD(25, FIELD_SLICE, contact_record, row.bundle, LIMIT_BODY_ROUTE),
    FIELD(26, FIELD_LATER, contact_record, row.who.invite_until, 0),
    FIELD(27, FIELD_LATER, contact_record, row.who.alarmed, 0),
};
/* One more device of a contact. */
static const struct field OF_PEER[] = {
    FIELD(0, FIELD_U64, peer_row, contact, 0),
    FIELD(1, FIELD_U32, peer_row, number, 0),
    FIELD(2, FIELD_SLICE, peer_row, device, sizeof(struct sign_pk)),
    FIELD(3, FIELD_SLICE, peer_row, bundle, LIMIT_BODY_ROUTE),
    FIELD(4, FIELD_BOOL, peer_row, has_queue, 0),
    FIELD(5, FIELD_ADDRESS, peer_row, queue_relay, 0),
    FIELD(6, FIELD_FIXED, peer_row, queue, 32),
    FIELD(7, FIELD_LATER, peer_row, queues_ms, 0),
    FIELD(8, FIELD_SLICE, peer_row, second, LIMIT_BODY_ROUTE),
};
static const struct field OF_MESSAGE[] = {
    FIELD(0, FIELD_U32, message_record, contact, 0),
    FIELD(1, FIELD_U64, message_record, order, 0),
    FIELD(2, FIELD_ENUM, message_record, row.state, 6),
    FIELD(3, FIELD_U64, message_record, row.time, 0),
    FIELD(4, FIELD_SLICE, message_record, row.content, LIMIT_ENVELOPE),
    FIELD(5, FIELD_LATER, message_record, row.deposited, 0),
    FIELD(6, FIELD_LATER, message_record, row.gap, 0),
};
static const struct field OF_OUTBOX[] = {
    FIELD(0, FIELD_U32, outbox_record, peer, 0),
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
    STAGE_OUTBOX = 2,  /* of this device of `contact`, behind `order` */
    STAGE_MESSAGES = 3,
    STAGE_END = 4,
};

struct cursor {
    uint8_t stage;
    uint8_t device; /* from 0 */
    uint32_t contact;
    uint64_t order;
};

enum {
    CURSOR_BYTES = 1 + 1 + 4 + 8,
};
static_assert(2 * CURSOR_BYTES + 1 <= BACKUP_CURSOR, "a cursor's text");

static void cursor_text(const struct cursor *at, char text[static BACKUP_CURSOR])
{
    uint8_t bytes[CURSOR_BYTES];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, at->stage);
    writer_u8(&w, at->device);
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
    at->device = reader_u8(&r);
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
        struct account_record record = {.created = row.created,
                                        .queues_ms = row.queues_ms,
                                        .list_version = row.list_version,
                                        .hidden = row.hidden};
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

/* The next rows of each stage. ERR_NOT_FOUND: there are none. */
static enum err write_contact(struct step *step, struct seal_keys *keys, struct cursor *at,
                              struct writer *out)
{
    struct contact_row who;
    enum err err = contact_row_next(step, keys, at->contact, &who);
    if (err != ERR_OK) {
        return err;
    }
    *at = (struct cursor){.contact = who.number};
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct peer_row row;
        err = peer_row_of(step, keys, &who, i, &row);
        if (err == ERR_OK && i > 0) {
            err = RECORD_WRITE(step, out, RECORD_PEER, OF_PEER, &row);
        } else if (err == ERR_OK) {
            struct contact_record record = {.row = row, .peer = row.number};
            err = RECORD_WRITE(step, out, RECORD_CONTACT, OF_CONTACT, &record);
            secret_wipe(&record, sizeof record);
        }
        secret_wipe(&row, sizeof row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
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
    struct contact_row who;
    struct peer_row row;
    struct outbox_record record = {.order = at->order + 1};
    enum err err = contact_row_get(step, keys, at->contact, &who);
    if (err == ERR_OK) {
        err = peer_row_of(step, keys, &who, at->device, &row);
    }
    if (err != ERR_OK) {
        return err;
    }
    record.peer = row.number;
    secret_wipe(&row, sizeof row);
    err = outbox_row_next(step, keys, record.peer, &record.order, &record.row);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && record.row.ack_only)) {
        at->order = 0; /* these come last, and are of sessions */
        at->device++;
        return ERR_OK;
    }
    if (err == ERR_OK) {
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
    for (unsigned looks = 0; err == ERR_OK && at.stage < STAGE_END && looks < LIMIT_QUERY_ROWS &&
                             records->len < BACKUP_BYTES;
         looks++) {
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
        row.hidden = r->hidden;
        me->hidden = r->hidden != 0;
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

/* Puts the device, with what is known of it. Backups of before there were several name one device
 * alone, and not by its key. */
static enum err put_peer(struct account *me, struct step *step, struct contact_row *who,
                         const struct peer_row *r)
{
    struct device_list *list;
    struct peer_row row = *r;
    struct peer_row there;
    row.contact = who->number;
    enum err err = peer_row_new(step, me->keys, who, row.number, &there);
    if (err == ERR_OK && row.device.len == 0 && who->list.len > 0) {
        err = contact_list_known(step, who, &list);
        err = err == ERR_OK ? peer_row_device(step, &row, &list->entries[0]) : err;
    }
    secret_wipe(&there, sizeof there);
    return err == ERR_OK ? peer_row_put(step, me->keys, &row) : err;
}

/* Numbers that are taken are not given out again. */
static enum err count_numbers(struct account *me, struct step *step, const struct peer_row *r)
{
    struct account_row row;
    enum err err = account_row_get(step, me->keys, &row);
    if (err != ERR_OK) {
        return err;
    }
    row.last_contact = row.last_contact < r->who.number ? r->who.number : row.last_contact;
    if (r->number > LIMIT_CONTACTS) {
        row.last_peer = row.last_peer < r->number ? r->number : row.last_peer;
    } else {
        row.last_contact = row.last_contact < r->number ? r->number : row.last_contact;
    }
    err = account_row_put(step, me->keys, &row);
    secret_wipe(&row, sizeof row);
    return err;
}

/* Of the first device of this contact. */
static uint32_t first_number(const struct contact_record *r)
{
    return r->peer == 0 ? r->row.who.number : (uint32_t)r->peer;
}

static enum err put_contact(struct account *me, struct step *step, const struct contact_record *r)
{
    struct contact_row who = r->row.who;
    struct peer_row row = r->row;
    row.number = first_number(r);
    enum err err = count_numbers(me, step, &row);
    err = err == ERR_OK ? put_peer(me, step, &who, &row) : err;
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err put_more(struct account *me, struct step *step, const struct peer_row *r)
{
    struct contact_row who;
    enum err err = count_numbers(me, step, r);
    if (err == ERR_OK) {
        err = contact_row_get(step, me->keys, (uint32_t)r->contact, &who);
    }
    return err == ERR_OK ? put_peer(me, step, &who, r) : err;
}

static enum err put_message(struct account *me, struct step *step, const struct message_record *r)
{
    struct content content;
    enum err err = message_row_put(step, me->keys, r->contact, r->order, &r->row);
    bool came = r->row.state == MESSAGE_RECEIVED || r->row.state == MESSAGE_MIRRORED;
    if (err == ERR_OK && came && content_decode(r->row.content, &content) == ERR_OK) {
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
        struct contact_record contact;
        struct peer_row peer;
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
    [RECORD_PEER] = {OF_PEER, FIELD_COUNT(OF_PEER)},
};

static enum err record_read(struct reader *r, struct record *out)
{
    bool pair = pack_read_array(r, 2) == 2;
    uint64_t kind = pack_read_uint(r, UINT8_MAX);
    struct slice fields = pack_read_bin(r, RECORD_MAX);
    memset(out, 0, sizeof *out);
    if (r->err != ERR_OK || !pair || kind < RECORD_ACCOUNT || kind > RECORD_PEER) {
        return ERR_MALFORMED;
    }
    out->kind = (enum record_kind)kind;
    enum err err = fields_read(fields, KINDS[kind].fields, KINDS[kind].n, &out->u);
    return err == ERR_OK ? ERR_OK : ERR_MALFORMED;
}

/* Contacts and peers that records of this call make. */
struct newcomers {
    uint64_t *number; /* a peer's with NEWCOMER_PEER */
    size_t count;
    struct sign_pk *id; /* of the contacts among them */
    size_t contacts;
};

#define NEWCOMER_PEER (UINT64_C(1) << 32)

static bool is_new(const struct newcomers *made, uint64_t number)
{
    for (size_t i = made->count; i > 0; i--) {
        if (made->number[i - 1] == number) {
            return true;
        }
    }
    return false;
}

static enum err check_content(uint64_t order, struct slice bytes)
{
    struct content content;
    return order == 0 || order >= OUTBOX_ACKS || content_decode(bytes, &content) != ERR_OK
               ? ERR_MALFORMED
               : ERR_OK;
}

/* Of a contact that is there, with content in form. */
static enum err check_message(struct account *me, struct step *step, const struct newcomers *made,
                              const struct message_record *r)
{
    struct contact_row row;
    enum err err = check_content(r->order, r->row.content);
    if (err != ERR_OK || is_new(made, r->contact)) {
        return err;
    }
    err = contact_row_get(step, me->keys, r->contact, &row);
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_MALFORMED : err;
}

static enum err check_outbox(struct account *me, struct step *step, const struct newcomers *made,
                             const struct outbox_record *r)
{
    struct peer_row row;
    enum err err = check_content(r->order, r->row.content);
    if (err != ERR_OK || is_new(made, r->peer | NEWCOMER_PEER)) {
        return err;
    }
    err = peer_row_get(step, me->keys, r->peer, &row);
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_MALFORMED : err;
}

static bool place_valid(struct slice bytes)
{
    struct device_place place;
    struct reader r = reader_of(bytes);
    device_place_read(&r, &place);
    return bytes.len == 0 || reader_end(&r) == ERR_OK;
}

/* What a record says of a device. */
static bool peer_valid(const struct peer_row *r)
{
    return (r->device.len == 0 || r->device.len == sizeof(struct sign_pk)) &&
           place_valid(r->bundle) && place_valid(r->second);
}

/* A contact's number and ID are of each other alone, among those that are there and those of this
 * call, in which the number is new: of two with one ID, one would never be found by it. */
static enum err check_alone(struct account *me, struct step *step, const struct newcomers *made,
                            const struct contact_row *who)
{
    struct contact_row there;
    uint32_t number;
    for (size_t i = 0; i < made->contacts; i++) {
        if (memcmp(made->id[i].b, who->id.b, sizeof who->id.b) == 0) {
            return ERR_MALFORMED;
        }
    }
    enum err err = contact_row_find(step, me->keys, &who->id, &number);
    if (err == ERR_OK) {
        return number == who->number ? ERR_OK : ERR_MALFORMED;
    }
    if (err == ERR_NOT_FOUND) {
        err = contact_row_get(step, me->keys, who->number, &there);
        secret_wipe(&there, sizeof there);
        err = err == ERR_OK ? ERR_MALFORMED : err;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err check_contact(struct account *me, struct step *step, struct newcomers *made,
                              const struct contact_record *r)
{
    struct device_list *list;
    const struct contact_row *who = &r->row.who;
    uint64_t number = first_number(r);
    if (who->number == 0 || who->number > LIMIT_CONTACTS || is_new(made, who->number) ||
        is_new(made, number | NEWCOMER_PEER) ||
        (who->list.len > 0 && contact_list_known(step, who, &list) != ERR_OK) ||
        !peer_valid(&r->row) || r->peer > UINT32_MAX || !pack_utf8_valid(who->name) ||
        !pack_utf8_valid(who->text)) {
        return ERR_MALFORMED;
    }
    enum err err = check_alone(me, step, made, who);
    made->number[made->count++] = who->number;
    made->number[made->count++] = number | NEWCOMER_PEER;
    made->id[made->contacts++] = who->id;
    return err;
}

/* It comes in one call with its contact. */
static enum err check_peer(struct newcomers *made, const struct peer_row *r)
{
    uint64_t number = r->number | NEWCOMER_PEER;
    if (r->number == 0 || !is_new(made, r->contact) || is_new(made, number) || r->device.len == 0 ||
        !peer_valid(r)) {
        return ERR_MALFORMED;
    }
    made->number[made->count++] = number;
    return ERR_OK;
}

static enum err check(struct account *me, struct step *step, struct newcomers *made,
                      const struct record *r)
{
    switch (r->kind) {
    case RECORD_ACCOUNT:
        return ERR_OK;
    case RECORD_RELAY:
        return r->u.relay.role <= HOME_SECOND ? ERR_OK : ERR_MALFORMED;
    case RECORD_CONTACT:
        return check_contact(me, step, made, &r->u.contact);
    case RECORD_MESSAGE:
        return check_message(me, step, made, &r->u.message);
    case RECORD_OUTBOX:
        return check_outbox(me, step, made, &r->u.outbox);
    case RECORD_PEER:
        return check_peer(made, &r->u.peer);
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
        return outbox_row_put(step, me->keys, r->u.outbox.peer, r->u.outbox.order,
                              &r->u.outbox.row);
    case RECORD_PEER:
        return put_more(me, step, &r->u.peer);
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
        RECORD_LEAST = 32 /* bytes of a record that makes one or two, at least */
    };
    struct newcomers made = {.count = 0};
    size_t most = records.len / RECORD_LEAST + 1;
    if (!me->restoring) {
        return ERR_NOT_NOW;
    }
    made.number = arena_alloc(step->turn->arena, 2 * most * sizeof *made.number);
    made.id = arena_alloc(step->turn->arena, most * sizeof *made.id);
    if (made.number == NULL || made.id == NULL) {
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
        err = contact_row_find(step, me->keys, &me->id, &me->self);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err == ERR_OK) {
        err = home_load(me, step);
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_OK ? outbox_load(me, step) : err;
}
