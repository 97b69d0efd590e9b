/* SPDX-License-Identifier: Apache-2.0
 *
 * peers: the devices of a contact: which there are by its list, one that is new, one that is gone.
 * docs/protocol/07-node.md, section 7.3.2.
 *
 * The list that a person signed says which devices are theirs. A peer that it does not name any
 * more goes with all that we had with it: nobody writes to that device again. What it had not
 * acknowledged goes to the devices that the list names for the first time, since a device that was
 * replaced is why there is a new one.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/event.h"
#include "node/mirror.h"
#include "node/voiding.h"

/* Where this device's queues are by now. *moved: the first one is another than before. */
static enum err take_queues(struct step *step, struct peer_row *row,
                            const struct device_entry *entry, bool *moved)
{
    *moved =
        row->has_queue &&
        (entry->queue_count == 0 || !address_equal(&row->queue_relay, &entry->queues[0].relay) ||
         memcmp(row->queue.b, entry->queues[0].key.b, sizeof row->queue.b) != 0);
    row->has_queue = entry->queue_count > 0;
    if (row->has_queue) {
        row->queue_relay = entry->queues[0].relay;
        row->queue = entry->queues[0].key;
    }
    row->second = slice_of(NULL, 0);
    if (entry->queue_count > 1) {
        struct writer w = step_writer(step, LIMIT_BODY_ROUTE);
        device_place_write(&w, &entry->queues[1]);
        row->second = writer_done(&w);
        return w.err == ERR_OK ? ERR_OK : ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* What a list of then says of this device. The caller puts row. */
static enum err take_entry(struct account *me, struct step *step, struct peer_row *row,
                           const struct device_entry *entry, uint64_t created_ms)
{
    bool moved = false;
    enum err err = peer_row_device(step, row, entry);
    if (err != ERR_OK || created_ms < row->queues_ms) {
        return err; /* the last: what it has told us since is newer than this list */
    }
    row->queues_ms = created_ms;
    err = take_queues(step, row, entry, &moved);
    return err == ERR_OK && moved ? outbox_moved(me, step, row->number) : err;
}

enum err peers_add(struct account *me, struct step *step, struct contact_row *who, uint32_t number,
                   const struct device_entry *entry, uint64_t created_ms, struct peer_row *row)
{
    enum err err = ERR_OK;
    if (number == 0) {
        err = account_next_peer(me, step, &number);
    }
    if (err == ERR_OK) {
        err = peer_row_new(step, me->keys, who, number, row);
    }
    if (err == ERR_OK && entry != NULL) {
        err = take_entry(me, step, row, entry, created_ms);
    }
    return err == ERR_OK ? peer_row_put(step, me->keys, row) : err;
}

enum err peers_find(struct account *me, struct step *step, const struct contact_row *who,
                    const struct device_entry *entry, struct peer_row *row)
{
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK; i++) {
        err = peer_row_of(step, me->keys, who, i, row);
        if (err == ERR_OK && peer_row_is(row, entry)) {
            return ERR_OK;
        }
    }
    return err;
}

/* Which entry of the list is this device. NULL: none. */
static const struct device_entry *entry_of(const struct device_list *list,
                                           const struct peer_row *row)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (peer_row_is(row, &list->entries[i])) {
            return &list->entries[i];
        }
    }
    return NULL;
}

/* Whether the list names this device; list may be NULL. */
static bool names(const struct device_list *list, const struct device_entry *entry)
{
    for (unsigned i = 0; list != NULL && i < list->count; i++) {
        if (slice_equal(list->entries[i].certificate, entry->certificate)) {
            return true;
        }
    }
    return false;
}

/* --- one that is gone --- */

/* Takes its number out of the contact's. */
static enum err strike(struct step *step, struct contact_row *who, uint32_t number)
{
    struct reader r = reader_of(who->peers);
    struct writer w = step_writer(step, who->peers.len + 1);
    while (reader_left(&r) > 0) {
        uint32_t each = reader_u32(&r);
        if (each != number) {
            writer_u32(&w, each);
        }
    }
    who->peers = writer_done(&w);
    return w.err == ERR_OK && r.err == ERR_OK ? ERR_OK : ERR_NO_MEMORY;
}

/* Gives what it had not acknowledged to these others, and empties its outbox. */
static enum err pass_on(struct account *me, struct step *step, const struct peer_row *row,
                        const uint32_t *heirs, size_t nheirs)
{
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, row->number, &order, &entry);
        for (size_t i = 0; err == ERR_OK && !entry.ack_only && i < nheirs; i++) {
            err = outbox_inherit(me, step, heirs[i], order, &entry);
        }
        if (err == ERR_OK) {
            err = outbox_row_del(step, me->keys, row->number, order);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Its sessions, and the tokens of both sides. */
static enum err end_sessions(struct account *me, struct step *step, struct peer_row *row)
{
    uint8_t token[ROW_TOKEN];
    enum err err = voiding_begin(me, step, row);
    for (unsigned slot = 0; err == ERR_OK && slot < LIMIT_SESSIONS_PER_PAIR; slot++) {
        if ((row->sessions >> slot & 1) != 0) {
            err = session_row_del(step, me->keys, row->number, (uint8_t)slot);
        }
    }
    while (err == ERR_OK) {
        err = token_row_take(step, me->keys, row->number, token);
    }
    secret_wipe(token, sizeof token);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err peers_remove(struct account *me, struct step *step, struct contact_row *who,
                      struct peer_row *row, const uint32_t *heirs, size_t nheirs)
{
    enum err err = pass_on(me, step, row, heirs, nheirs);
    if (err == ERR_OK) {
        err = end_sessions(me, step, row);
    }
    if (err == ERR_OK) {
        err = owed_row_del(step, me->keys, row->number);
    }
    if (err == ERR_OK) {
        err = peer_row_del(step, me->keys, row->number);
    }
    if (err == ERR_OK) {
        err = strike(step, who, row->number);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, me->keys, who);
    }
    struct work *work = work_find(me, row->number);
    if (work != NULL) {
        work_wake(work); /* to be dropped: whoever has it in hand need not know */
    }
    return err;
}

/* One of our own devices, which we remove: it hears of that, as the last thing, and goes then. */
static enum err part(struct account *me, struct step *step, struct contact_row *who,
                     struct peer_row *row)
{
    struct slice content;
    uint64_t order;
    enum err err = pass_on(me, step, row, NULL, 0);
    if (err == ERR_OK) {
        err = strike(step, who, row->number);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, me->keys, who);
    }
    if (err == ERR_OK) {
        row->leaving = 1;
        err = peer_row_put(step, me->keys, row);
    }
    if (err == ERR_OK) {
        err = mirror_list(step, CONTENT_LIST, who->list, &content);
    }
    return err == ERR_OK ? outbox_add_peer(me, step, row, content, false, &order) : err;
}

/* --- a list --- */

/* A device that the known list does not name: whoever has it reads what we write from now on. */
static enum err tell_devices(struct account *me, struct step *step, const struct contact_row *who,
                             const struct device_list *known, const struct device_list *list)
{
    bool news = false;
    for (unsigned i = 0; known != NULL && i < list->count; i++) {
        news |= !names(known, &list->entries[i]);
    }
    if (!news || contact_is_self(me, who)) {
        return ERR_OK;
    }
    char id[ID_TEXT];
    id_encode(who->id.b, id);
    struct event event = event_begin(step, "contact.devices", 256);
    event_text(&event, "contact", id);
    event_text(&event, "verified", who->verified ? "yes" : "no");
    return event_commit(step, me->keys, &event);
}

/* Who may not talk to us has one device at least, and no more for the sake of a list: a stranger's
 * must not cost more than a stranger. */
static enum err meet_one(struct account *me, struct step *step, struct contact_row *who,
                         const struct device_list *list)
{
    struct peer_row row;
    enum err err = ERR_NOT_FOUND;
    for (unsigned i = 0; err == ERR_NOT_FOUND && i < list->count; i++) {
        err = peers_find(me, step, who, &list->entries[i], &row);
    }
    if (err == ERR_NOT_FOUND) {
        err = peers_add(me, step, who, 0, &list->entries[0], list->created_ms, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* Peers for the devices that have none. Our own device is none. */
static enum err meet(struct account *me, struct step *step, struct contact_row *who,
                     const struct device_list *list)
{
    struct account_row account;
    enum err err = ERR_OK;
    bool self = contact_is_self(me, who);
    account.certificate = slice_of(NULL, 0);
    bool invited = who->invite.len > 0 && contact_row_asks(who);
    if (!invited && !contact_row_may_talk(who, step_now(step))) {
        return meet_one(me, step, who, list);
    }
    if (self) {
        err = account_row_get(step, me->keys, &account);
    }
    for (unsigned i = 0; err == ERR_OK && i < list->count; i++) {
        struct peer_row row;
        if (self && slice_equal(list->entries[i].certificate, account.certificate)) {
            continue;
        }
        err = peers_find(me, step, who, &list->entries[i], &row);
        if (err == ERR_NOT_FOUND) {
            err = peers_add(me, step, who, 0, &list->entries[i], list->created_ms, &row);
        }
        secret_wipe(&row, sizeof row);
    }
    secret_wipe(&account, sizeof account);
    return err;
}

enum err peers_meet(struct account *me, struct step *step, struct contact_row *who)
{
    struct device_list *list;
    if (who->list.len == 0) {
        return ERR_OK;
    }
    enum err err = contact_list_known(step, who, &list);
    return err == ERR_OK ? meet(me, step, who, list) : err;
}

/* What happens to the peers of a contact with a new list. */
struct change {
    const struct device_list *known; /* before; NULL: none */
    const struct device_list *list;
    struct contact_row *who;
    uint32_t held;                 /* number of the peer that the caller has in hand, and puts */
    uint32_t heirs[LIMIT_DEVICES]; /* peers that known does not name */
    size_t nheirs;
};

/* All peers but the one in hand: those that stay. */
static enum err update(struct account *me, struct step *step, struct change *c)
{
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct peer_row row;
        err = peer_row_of(step, me->keys, c->who, i, &row);
        const struct device_entry *entry = err == ERR_OK ? entry_of(c->list, &row) : NULL;
        if (entry != NULL && row.number != c->held) {
            err = take_entry(me, step, &row, entry, c->list->created_ms);
            err = err == ERR_OK ? peer_row_put(step, me->keys, &row) : err;
        }
        if (err == ERR_OK && entry != NULL && !names(c->known, entry)) {
            c->heirs[c->nheirs++] = row.number;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Those that do not. *gone: the one in hand is among them. */
static enum err drop(struct account *me, struct step *step, struct change *c, bool *gone)
{
    enum err err = ERR_OK;
    unsigned i = 0;
    while (err == ERR_OK) {
        struct peer_row row;
        err = peer_row_of(step, me->keys, c->who, i, &row);
        if (err == ERR_OK && entry_of(c->list, &row) != NULL) {
            i++;
        } else if (err == ERR_OK) {
            bool tell = contact_is_self(me, c->who) && !me->linked && peer_row_slot(&row) >= 0;
            *gone |= row.number == c->held;
            err = tell ? part(me, step, c->who, &row)
                       : peers_remove(me, step, c->who, &row, c->heirs, c->nheirs);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The peer in hand, where it is not known which device it is: this one, unless that has a peer. */
static enum err settle(struct account *me, struct step *step, struct peer_row *row,
                       const struct device_entry *entry, uint64_t created_ms)
{
    struct peer_row other;
    enum err err = ERR_NOT_FOUND;
    if (row->device.len == 0) {
        err = peers_find(me, step, &row->who, entry, &other);
        secret_wipe(&other, sizeof other);
    } else if (!peer_row_is(row, entry)) {
        return ERR_OK;
    }
    return err == ERR_NOT_FOUND ? take_entry(me, step, row, entry, created_ms) : err;
}

/* held: number of the peer that the caller has in hand, and has put; 0: none. */
static enum err take(struct account *me, struct step *step, struct contact_row *who, uint32_t held,
                     struct slice bytes, const struct device_list *known,
                     const struct device_list *list, bool *gone)
{
    struct change c = {.known = known, .list = list, .who = who, .held = held};
    enum err err = tell_devices(me, step, who, known, list);
    who->list = bytes;
    who->has_record = true;
    who->relay = list->entries[0].record.relay;
    who->record = list->entries[0].record.key;
    if (err == ERR_OK) {
        err = meet(me, step, who, list);
    }
    if (err == ERR_OK) {
        err = update(me, step, &c);
    }
    if (err == ERR_OK) {
        err = drop(me, step, &c, gone);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, me->keys, who);
    }
    return err == ERR_OK && contact_is_self(me, who) ? devices_taken(me, step, bytes, list) : err;
}

/* The list that is known of a contact; NULL: none is. */
static enum err known_of(struct step *step, const struct contact_row *who,
                         struct device_list **known)
{
    *known = NULL;
    return who->list.len > 0 ? contact_list_known(step, who, known) : ERR_OK;
}

enum err peers_list(struct account *me, struct step *step, struct contact_row *who,
                    struct slice list_bytes)
{
    struct device_list *known;
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    enum list_age age;
    bool gone = false;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = device_list_open(list_bytes, &who->id, list);
    if (err == ERR_OK) {
        err = contact_list_age(step, who, list_bytes, list, 0, &age);
    }
    if (err == ERR_OK) {
        err = known_of(step, who, &known);
    }
    return err == ERR_OK && age == LIST_NEWER
               ? take(me, step, who, 0, list_bytes, known, list, &gone)
               : err;
}

enum err peers_take_list(struct account *me, struct step *step, struct peer_row *row,
                         struct slice list_bytes, const struct device_list *list, unsigned device,
                         bool *gone)
{
    struct device_list *known;
    enum list_age age;
    *gone = false;
    enum err err = contact_list_age(step, &row->who, list_bytes, list, device, &age);
    if (err == ERR_OK) {
        err = known_of(step, &row->who, &known);
    }
    if (err != ERR_OK || age == LIST_REVOKED) {
        return err == ERR_OK ? ERR_STALE : err;
    }
    if (age == LIST_NEWER || row->device.len == 0) {
        err = settle(me, step, row, &list->entries[device], list->created_ms);
    }
    if (err != ERR_OK || age != LIST_NEWER) {
        return err;
    }
    err = peer_row_put(step, me->keys, row);
    return err == ERR_OK ? take(me, step, &row->who, row->number, list_bytes, known, list, gone)
                         : err;
}
