/* SPDX-License-Identifier: Apache-2.0
 *
 * query: calls that only read, on a worker's thread and in a read transaction of their own. They
 * see the store alone, never the core object.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "crypto/words.h"
#include "node/audit.h"
#include "node/backup.h"
#include "node/content.h"
#include "node/event.h"
#include "node/healing.h"
#include "node/lookup.h"
#include "node/node.h"
#include "node/params.h"
#include "node/removal.h"
#include "node/rows.h"
#include "node/way.h"

enum {
    QUERY_BYTES = 192 * 1024, /* of one answer's list, about; an entry can be 57 KiB */
    QUERY_UNREAD = 100,       /* messages of one contact that are looked at for unread ones */
    QUERY_HISTORY = 100,      /* messages of one answer unless asked for fewer or more */
};

/* One query. */
struct query {
    struct step step; /* outs is NULL: nothing here has outputs */
    struct seal_keys *keys;
    struct slice params;
    struct writer *out;
    struct address home; /* contact.list: our relay; port 0: none */
    bool own_machine;    /* likewise: it is this very node */
    struct sign_pk self; /* likewise, and request.list: our ID, which stands for our devices */
};

static enum err query_account_show(struct query *q)
{
    struct account_row row;
    enum err err = account_row_get(&q->step, q->keys, &row);
    if (err != ERR_OK) {
        return err;
    }
    struct sign_pk id;
    char text[ID_TEXT];
    account_row_id(&row, &id);
    id_encode(id.b, text);
    pack_map(q->out, 3);
    result_text(q->out, "id", text);
    result_uint(q->out, "created", row.created);
    result_bool(q->out, "dht", row.hidden == 0);
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

static enum err query_account_words(struct query *q)
{
    struct account_row row;
    char text[WORDS_TEXT];
    enum err err = account_row_get(&q->step, q->keys, &row);
    if (err != ERR_OK) {
        return err;
    }
    if (!account_row_holds(&row)) {
        secret_wipe(&row, sizeof row);
        return ERR_NO_IDENTITY;
    }
    words_encode(row.identity, text);
    pack_map(q->out, 1);
    result_text(q->out, "words", text);
    secret_wipe(text, sizeof text);
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

static const char *contact_state_name(enum contact_state state)
{
    switch (state) {
    case CONTACT_RESOLVING:
        return "resolving";
    case CONTACT_REQUESTED:
        return "requested";
    case CONTACT_INCOMING:
        return "incoming";
    case CONTACT_ACCEPTED:
        return "accepted";
    case CONTACT_BLOCKED:
        return "blocked";
    }
    return "unknown";
}

/* Which way messages to the contact go, and whether one operator might see both ends of it. */
static void write_way(const struct query *q, struct writer *w, const struct peer_row *row)
{
    static const struct address unknown = {.port = 0};
    const struct address *to = row->has_queue        ? &row->queue_relay
                               : row->who.has_record ? &row->who.relay
                                                     : &unknown;
    result_text(w, "way", way_name(way_of(&q->home, q->own_machine, to)));
    result_bool(w, "same_operator", way_same_operator(&q->home, to));
}

static void write_trouble(struct writer *w, const struct peer_row *row)
{
    char relay[NODE_ID_TEXT] = "";
    if (row->trouble_relay.len == sizeof(struct sign_pk)) {
        node_id_encode(row->trouble_relay.p, relay);
    }
    result_text(w, "trouble", row->trouble == 0 ? "" : err_name((enum err)row->trouble));
    result_text(w, "trouble_relay", relay);
}

/* What all devices of a contact come to: tokens that we hold for them; the first one, and the first
 * that has trouble. */
struct devices {
    unsigned count;
    uint64_t tokens;
    struct peer_row first;
    struct peer_row troubled;
};

static enum err sum_devices(struct query *q, const struct contact_row *who, struct devices *all)
{
    enum err err = ERR_OK;
    memset(all, 0, sizeof *all);
    while (err == ERR_OK) {
        struct peer_row row;
        uint64_t tokens = 0;
        err = peer_row_of(&q->step, q->keys, who, all->count, &row);
        if (err == ERR_OK) {
            err = token_row_count(&q->step, q->keys, row.number, &tokens);
        }
        if (err == ERR_OK) {
            all->tokens += tokens;
            all->first = all->count == 0 ? row : all->first;
            all->troubled = all->troubled.trouble == 0 ? row : all->troubled;
            all->count++;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Messages of theirs behind the last that was read, QUERY_UNREAD at most. */
static enum err count_unread(struct query *q, const struct contact_row *who, uint64_t *count)
{
    uint64_t before = UINT64_MAX;
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK && i < QUERY_UNREAD; i++) {
        struct arena_mark mark = arena_mark(q->step.turn->arena);
        struct message_row row;
        err = message_row_before(&q->step, q->keys, who->number, before, &before, &row);
        if (err == ERR_OK && before <= who->read) {
            err = ERR_NOT_FOUND;
        }
        *count += err == ERR_OK && row.state == MESSAGE_RECEIVED;
        arena_rewind(q->step.turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err write_contact(struct query *q, struct writer *w, const struct contact_row *who)
{
    struct devices all;
    char id[ID_TEXT];
    uint64_t unread = 0;
    enum err err = sum_devices(q, who, &all);
    if (err == ERR_OK) {
        err = count_unread(q, who, &unread);
    }
    id_encode(who->id.b, id);
    pack_map(w, 12);
    result_text(w, "id", id);
    result_str(w, "name", who->name);
    result_text(w, "state", contact_state_name(who->state));
    result_bool(w, "verified", who->verified);
    result_uint(w, "devices", all.count);
    result_uint(w, "read", who->read);
    result_uint(w, "unread", unread);
    result_uint(w, "tokens", all.tokens);
    write_way(q, w, &all.first);
    write_trouble(w, &all.troubled);
    return err;
}

static void write_request(struct writer *w, const struct contact_row *row)
{
    char id[ID_TEXT];
    id_encode(row->id.b, id);
    pack_map(w, 3);
    result_text(w, "id", id);
    result_str(w, "text", row->text);
    result_uint(w, "time", row->created);
}

/* contact.list and request.list: the contacts in one state, or all others. */
static enum err list_contacts(struct query *q, bool requests)
{
    uint8_t *p = arena_alloc(q->step.turn->arena, QUERY_BYTES);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer list = writer_of(p, QUERY_BYTES);
    struct contact_row row;
    struct account_row account;
    uint64_t from = 0;
    uint32_t count = 0;
    bool more = false;
    struct arena_mark mark = arena_mark(q->step.turn->arena);
    (void)params_uint(q->params, "after", &from);
    uint32_t after = from > UINT32_MAX ? UINT32_MAX : (uint32_t)from;
    enum err err = account_row_get(&q->step, q->keys, &account);
    if (err == ERR_OK) {
        account_row_id(&account, &q->self);
        err = contact_row_next(&q->step, q->keys, after, &row);
    }
    secret_wipe(&account, sizeof account);
    while (err == ERR_OK) {
        struct writer before = list;
        bool self = memcmp(row.id.b, q->self.b, sizeof row.id.b) == 0;
        if ((row.state == CONTACT_INCOMING) == requests && !self) {
            if (requests) {
                write_request(&list, &row);
            } else {
                err = write_contact(q, &list, &row);
            }
            count++;
        }
        if (err != ERR_OK || list.err != ERR_OK) {
            list = before;
            count--;
            more = true;
            break;
        }
        after = row.number;
        arena_rewind(q->step.turn->arena, mark);
        err = contact_row_next(&q->step, q->keys, after, &row);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    pack_map(q->out, requests ? 1 : more ? 3 : 2);
    pack_str(q->out, requests ? "requests" : "contacts");
    pack_array(q->out, count);
    writer_slice(q->out, writer_done(&list));
    if (!requests) {
        result_bool(q->out, "more", more);
    }
    if (!requests && more) {
        result_uint(q->out, "next", after);
    }
    return ERR_OK;
}

static enum err query_contact_list(struct query *q)
{
    struct relay_row relay;
    enum err err = relay_row_get(&q->step, q->keys, 0, &relay);
    if (err == ERR_OK) {
        q->home = relay.address;
        q->own_machine = relay.own_machine != 0;
        secret_wipe(&relay, sizeof relay);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    return list_contacts(q, false);
}

static enum err query_request_list(struct query *q)
{
    return list_contacts(q, true);
}

/* The identity's words come with the first part alone. */
static enum err query_backup_read(struct query *q)
{
    struct slice after = slice_of(NULL, 0);
    struct account_row row;
    struct writer records = step_writer(&q->step, BACKUP_BYTES + LIMIT_ENVELOPE + 4096);
    char next[BACKUP_CURSOR];
    char words[WORDS_TEXT];
    (void)params_str(q->params, "after", &after);
    enum err err = account_row_get(&q->step, q->keys, &row);
    if (err == ERR_OK && row.restoring != 0) {
        err = ERR_NOT_NOW;
    }
    if (err == ERR_OK && !account_row_holds(&row)) {
        err = ERR_NO_IDENTITY;
    }
    if (err == ERR_OK) {
        words_encode(row.identity, words);
        err = records.cap == 0 ? ERR_NO_MEMORY
                               : backup_read(&q->step, q->keys, after, &records, next);
    }
    secret_wipe(&row, sizeof row);
    if (err == ERR_OK) {
        pack_map(q->out, 1U + (after.len == 0 ? 1U : 0U) + (next[0] != '\0' ? 1U : 0U));
        pack_str(q->out, "records");
        pack_bin_slice(q->out, writer_done(&records));
        if (after.len == 0) {
            result_text(q->out, "words", words);
        }
        if (next[0] != '\0') {
            result_text(q->out, "next", next);
        }
    }
    secret_wipe(words, sizeof words);
    return err;
}

static const char *message_state_name(enum message_state state)
{
    switch (state) {
    case MESSAGE_WAITING:
        return "waiting";
    case MESSAGE_AT_RELAY:
        return "at-relay";
    case MESSAGE_DELIVERED:
        return "delivered";
    case MESSAGE_FAILED:
        return "failed";
    case MESSAGE_RECEIVED:
        return "received";
    case MESSAGE_MIRRORED:
        return "mirrored";
    }
    return "unknown";
}

/* One message of an answer, newest first while they are collected. */
struct shown {
    struct shown *next; /* the newer one */
    uint64_t order;
    struct message_row row;
    struct content content;
};

static void write_message(struct writer *w, const struct shown *m, const char *me, const char *them)
{
    bool mine = m->row.state != MESSAGE_RECEIVED;
    char hex[2 * CONTENT_ID + 1];
    char type[32];
    hex_encode(m->content.id, sizeof m->content.id, hex);
    struct writer t = writer_of(type, sizeof type - 1);
    writer_bytes(&t, "unknown-", 8);
    for (uint32_t v = m->content.type, div = 10000, begun = 0; div > 0; div /= 10) {
        if (v / div % 10 != 0 || begun || div == 1) {
            writer_u8(&t, (uint8_t)('0' + v / div % 10));
            begun = 1;
        }
    }
    type[t.len] = '\0';
    pack_map(w, mine ? 8 : m->row.deposited == 0 ? 9 : 11);
    result_text(w, "message", hex);
    result_uint(w, "order", m->order);
    result_text(w, "from", mine ? me : them);
    result_bool(w, "mine", mine);
    result_uint(w, "sent", m->content.sent_ms);
    if (!mine) {
        result_uint(w, "received", m->row.time);
    }
    if (!mine && m->row.deposited != 0) { /* older versions did not note these two */
        result_uint(w, "deposited", m->row.deposited);
        result_bool(w, "gap", m->row.gap != 0);
    }
    result_text(w, "state", message_state_name(m->row.state));
    if (m->content.type == CONTENT_REKEYED) {
        result_text(w, "type", "rekeyed");
        result_text(w, "text", healing_line(m->content.body, mine));
        return;
    }
    result_text(w, "type", m->content.type == CONTENT_TEXT ? "text" : type);
    result_str(w, "text", m->content.text);
}

/* Collects at most limit messages with order < before. *more: there are older ones. */
static enum err collect(struct query *q, uint32_t contact, uint64_t before, uint64_t limit,
                        struct shown **first, uint32_t *count, bool *more)
{
    size_t bytes = 0;
    *first = NULL;
    *count = 0;
    *more = false;
    for (;;) {
        struct shown *m = arena_alloc(q->step.turn->arena, sizeof *m);
        if (m == NULL) {
            return ERR_NO_MEMORY;
        }
        enum err err = message_row_before(&q->step, q->keys, contact, before, &m->order, &m->row);
        if (err == ERR_NOT_FOUND) {
            return ERR_OK;
        }
        if (err == ERR_OK) {
            err = content_decode(m->row.content, &m->content) == ERR_OK ? ERR_OK : ERR_CORRUPT;
        }
        if (err != ERR_OK) {
            return err;
        }
        bytes += m->row.content.len + 512;
        if (*count == limit || bytes > QUERY_BYTES) {
            *more = true;
            return ERR_OK;
        }
        m->next = *first;
        *first = m;
        ++*count;
        before = m->order;
    }
}

static enum err query_message_history(struct query *q)
{
    struct slice name = slice_of(NULL, 0);
    uint64_t before = UINT64_MAX;
    uint64_t limit = QUERY_HISTORY;
    (void)params_str(q->params, "contact", &name);
    (void)params_uint(q->params, "before", &before);
    (void)params_uint(q->params, "limit", &limit);
    if (limit > LIMIT_QUERY_ROWS) {
        limit = LIMIT_QUERY_ROWS;
    }
    struct contact_row row;
    struct account_row account;
    struct sign_pk id;
    struct shown *first;
    uint32_t count;
    bool more;
    enum err err = lookup_contact(&q->step, q->keys, name, &row);
    if (err == ERR_OK) {
        err = account_row_get(&q->step, q->keys, &account);
    }
    if (err == ERR_OK) {
        account_row_id(&account, &id);
        secret_wipe(&account, sizeof account);
        err = collect(q, row.number, before, limit, &first, &count, &more);
    }
    if (err != ERR_OK) {
        return err;
    }
    char me[ID_TEXT];
    char them[ID_TEXT];
    id_encode(id.b, me);
    id_encode(row.id.b, them);
    pack_map(q->out, 2);
    pack_str(q->out, "messages");
    pack_array(q->out, count);
    for (const struct shown *m = first; m != NULL; m = m->next) {
        write_message(q->out, m, me, them);
    }
    result_bool(q->out, "more", more);
    return ERR_OK;
}

static void write_device(struct writer *w, const struct device_entry *entry, bool own, bool first)
{
    char name[DEVICE_NAME];
    device_name(entry->device.sign.b, name);
    pack_map(w, 4);
    result_text(w, "device", name);
    result_uint(w, "added", entry->device.added_ms);
    result_bool(w, "this", own);
    result_bool(w, "identity", first);
}

/* The newest list, or, before there is one, nothing. */
static enum err query_device_list(struct query *q)
{
    struct account_row account;
    struct contact_row self;
    struct sign_pk id;
    uint32_t number;
    struct device_list *list = arena_alloc(q->step.turn->arena, sizeof *list);
    enum err err = list == NULL ? ERR_NO_MEMORY : account_row_get(&q->step, q->keys, &account);
    if (err != ERR_OK) {
        return err;
    }
    account_row_id(&account, &id);
    struct slice bytes = account.device_list;
    struct slice own = account.certificate;
    secret_wipe(&account, sizeof account);
    err = contact_row_find(&q->step, q->keys, &id, &number);
    if (err == ERR_OK && bytes.len == 0) { /* it is about to be made anew */
        err = contact_row_get(&q->step, q->keys, number, &self);
        bytes = err == ERR_OK ? self.list : bytes;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    list->count = 0;
    if (bytes.len > 0 && device_list_open(bytes, &id, list) != ERR_OK) {
        return ERR_CORRUPT;
    }
    pack_map(q->out, 1);
    pack_str(q->out, "devices");
    pack_array(q->out, list->count);
    for (unsigned i = 0; i < list->count; i++) {
        write_device(q->out, &list->entries[i], slice_equal(list->entries[i].certificate, own),
                     i == 0);
    }
    return ERR_OK;
}

/* What relays signed for and did not deliver. */
static enum err query_relay_audit(struct query *q)
{
    struct slice after = slice_of(NULL, 0);
    (void)params_str(q->params, "after", &after);
    return audit_read(&q->step, q->keys, after, q->out);
}

/* For the host's own use: events with cursor > since. */
static enum err query_event_read(struct query *q)
{
    uint64_t since = 0;
    uint64_t limit = LIMIT_QUERY_ROWS;
    (void)params_uint(q->params, "since", &since);
    (void)params_uint(q->params, "limit", &limit);
    return event_read(q->step.turn, q->keys, since, limit, q->out);
}

/* For the host's own use: a named consumer's cursor. */
static enum err query_consumer_get(struct query *q)
{
    struct slice name = slice_of(NULL, 0);
    uint64_t cursor = 0;
    (void)params_str(q->params, "name", &name);
    enum err err = event_consumer_get(q->step.turn, q->keys, name, &cursor);
    pack_map(q->out, 1);
    result_uint(q->out, "cursor", cursor);
    return err;
}

static const struct {
    const char *name;
    enum err (*run)(struct query *q);
} QUERIES[] = {
    {"account.show", query_account_show},       {"account.words", query_account_words},
    {"contact.list", query_contact_list},       {"request.list", query_request_list},
    {"message.history", query_message_history}, {"relay.audit", query_relay_audit},
    {"event.read", query_event_read},           {"consumer.get", query_consumer_get},
    {"backup.read", query_backup_read},         {"device.list", query_device_list},
};

enum err node_account_free(struct turn *turn, bool another, uint32_t *number)
{
    struct step step = {.turn = turn};
    uint32_t taken = 0;
    uint32_t count = 0;
    *number = 1;
    enum err err = account_row_after(&step, 0, &taken);
    while (err == ERR_OK) {
        *number += taken == *number;
        count++;
        err = account_row_after(&step, taken, &taken);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    if (count > 0 && !another) {
        return ERR_ACCOUNT_EXISTS;
    }
    return count >= LIMIT_ACCOUNTS ? ERR_QUOTA : ERR_OK;
}

enum err node_account_named(struct turn *turn, struct slice params, uint32_t *number)
{
    struct step step = {.turn = turn};
    uint64_t named = 0;
    uint32_t found = 0;
    bool given = params_uint(params, "account", &named);
    if (given && (named == 0 || named > UINT32_MAX)) {
        return ERR_NO_ACCOUNT;
    }
    bool removing = false;
    enum err err = account_row_after(&step, given ? (uint32_t)named - 1 : 0, &found);
    if (err == ERR_OK && !given) {
        err = removal_noted(&step, found, &removing);
    }
    while (err == ERR_OK && removing) { /* the first one that stays */
        err = account_row_after(&step, found, &found);
        if (err == ERR_OK) {
            err = removal_noted(&step, found, &removing);
        }
    }
    if (err == ERR_NOT_FOUND || (err == ERR_OK && given && found != named)) {
        return ERR_NO_ACCOUNT;
    }
    *number = found;
    return err;
}

/* The keys of the account that the parameters name. */
static enum err open_keys(struct query *q, const struct node_root *roots, size_t nroots)
{
    uint32_t number;
    bool removing = false;
    enum err err = node_account_named(q->step.turn, q->params, &number);
    if (err == ERR_OK) {
        err = removal_noted(&q->step, number, &removing);
    }
    if (err != ERR_OK || removing) {
        return err != ERR_OK ? err : ERR_NOT_NOW;
    }
    const struct node_root *root = account_root(q->step.turn->store, number, roots, nroots);
    if (root == NULL) {
        return ERR_ACCOUNT_LOCKED;
    }
    q->keys = seal_keys_new_account(number, root->r);
    return q->keys == NULL ? ERR_NO_MEMORY : seal_keys_load(q->keys, q->step.turn);
}

enum err node_query(struct turn *turn, const struct node_root *roots, size_t nroots,
                    struct slice method, struct slice params, struct writer *w)
{
    size_t i = 0;
    size_t n = sizeof QUERIES / sizeof QUERIES[0];
    while (i < n && !slice_equal(method, slice_of(QUERIES[i].name, strlen(QUERIES[i].name)))) {
        i++;
    }
    if (i == n) {
        return ERR_UNKNOWN_METHOD;
    }
    struct query q = {.step = {.turn = turn}, .params = params, .out = w};
    enum err err = open_keys(&q, roots, nroots);
    if (err == ERR_OK) {
        err = QUERIES[i].run(&q);
    }
    seal_keys_free(q.keys);
    return err == ERR_OK && w->err != ERR_OK ? ERR_TOO_LARGE : err;
}
