/* SPDX-License-Identifier: Apache-2.0
 *
 * devices: our own devices: the list that says which there are, one that joins, one that goes.
 * docs/protocol/07-node.md, section 7.1.1; docs/decisions/0023.
 *
 * One device holds the identity and signs the list, in which it stands first. The others hold
 * nothing but keys of their own, which the list names: one that is removed can sign nothing that
 * brings it back. Our other devices are the peers of a contact whose ID is our own.
 */
#include <string.h>

#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/home_keys.h"
#include "node/mirror.h"

enum {
    DEVICES_SLICE = 32, /* contacts a turn that hear of a new list */
};

/* --- the list --- */

enum err devices_places(struct account *me, struct step *step, struct device_entry *entry)
{
    struct relay_row row;
    enum err err = relay_row_get(step, me->keys, 0, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_NO_RELAY : err;
    }
    *entry = (struct device_entry){.certificate = entry->certificate};
    entry->record.relay = row.address;
    home_record(&row, &entry->record.key);
    entry->queues[0].relay = row.address;
    home_queue(&row, &entry->queues[0].key);
    entry->queue_count = 1;
    for (unsigned slot = 1; err == ERR_OK && slot < LIMIT_HOMES; slot++) {
        bool second = me->homes[slot].address.port != 0 && me->homes[slot].role == HOME_SECOND;
        err = second ? relay_row_get(step, me->keys, slot, &row) : ERR_OK;
        if (err == ERR_OK && second && row.registered) {
            entry->queues[1].relay = row.address;
            home_queue(&row, &entry->queues[1].key);
            entry->queue_count = 2;
        }
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* The contact that stands for our other devices. ERR_NOT_FOUND: there are none. */
static enum err self_get(struct account *me, struct step *step, struct contact_row *who)
{
    return me->self == 0 ? ERR_NOT_FOUND : contact_row_get(step, me->keys, me->self, who);
}

/* All but the first of the list that was: that one is the device that signed it, which is this one,
 * or the one that this one was made from a backup of. */
static enum err keep_others(struct step *step, const struct contact_row *who,
                            const struct device_change *change, struct device_list *list)
{
    struct device_list *known;
    if (who->list.len == 0) {
        return ERR_OK;
    }
    enum err err = contact_list_known(step, who, &known);
    for (unsigned i = 1; err == ERR_OK && i < known->count; i++) {
        const struct device_entry *entry = &known->entries[i];
        bool put = change != NULL && change->put != NULL &&
                   slice_equal(change->put->certificate, entry->certificate);
        bool gone = change != NULL && change->remove != NULL &&
                    memcmp(change->remove->b, entry->device.sign.b, sizeof change->remove->b) == 0;
        if (!put && !gone) {
            list->entries[list->count++] = *entry;
        }
    }
    return err;
}

/* Many devices with long addresses do not fit with two queues each: then the list names the first
 * ones alone. Contacts hear of the second in sessions. */
static enum err sign(struct step *step, const struct account_row *account, struct device_list *list,
                     struct slice *bytes)
{
    struct writer w = step_writer(step, LIMIT_DEVICE_LIST);
    struct sign_pk id;
    struct sign_sk identity;
    account_identity(account, &id, &identity);
    enum err err = w.cap == 0 ? ERR_NO_MEMORY : device_list_make(&w, list, &identity);
    for (unsigned i = 0; err == ERR_TOO_LARGE && i < list->count; i++) {
        list->entries[i].queue_count = list->entries[i].queue_count > 0;
    }
    if (err == ERR_TOO_LARGE) {
        err = device_list_make(&w, list, &identity);
    }
    secret_wipe(&identity, sizeof identity);
    *bytes = writer_done(&w);
    return err;
}

/* Contacts, and our own devices, are to hear of it. */
static void spread(struct account *me, struct account_row *account)
{
    account->news_next = 1;
    me->news_next = 1;
}

enum err devices_list(struct account *me, struct step *step, struct account_row *account,
                      const struct device_change *change)
{
    struct contact_row who = {.number = 0};
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    struct slice bytes;
    bool moved = account->device_list.len == 0 && account->list_version > 0;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    if (account->queues_ms < step_now(step)) {
        account->queues_ms = step_now(step);
    }
    *list = (struct device_list){
        .version = account->list_version + 1, .created_ms = account->queues_ms, .count = 1};
    list->entries[0].certificate = account->certificate;
    enum err err = devices_places(me, step, &list->entries[0]);
    if (err == ERR_OK) {
        err = self_get(me, step, &who);
    }
    if (err == ERR_OK) {
        err = keep_others(step, &who, change, list);
    }
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    if (err == ERR_OK && change != NULL && change->put != NULL) {
        if (list->count == LIMIT_DEVICES) {
            return ERR_QUOTA;
        }
        list->entries[list->count++] = *change->put;
    }
    if (err == ERR_OK) {
        err = sign(step, account, list, &bytes);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (change != NULL && change->listed != NULL &&
        device_same_places(&list->entries[list->count - 1], change->listed)) {
        return ERR_OK; /* sign left out what is new */
    }
    account->list_version = list->version;
    account->device_list = bytes;
    account->list_place = 0;
    if (change != NULL || moved) {
        spread(me, account);
    }
    err = account_row_put(step, me->keys, account);
    return err == ERR_OK && who.number != 0 ? peers_list(me, step, &who, bytes) : err;
}

/* --- one that joins: the device that holds the identity --- */

enum err devices_room(struct account *me, struct step *step, const struct device_certificate *keys)
{
    struct account_row account;
    struct contact_row who;
    struct device_certificate own;
    struct device_list *known = NULL;
    if (me->linked) {
        return ERR_NO_IDENTITY; /* a code of before it was */
    }
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && device_certificate_open(account.certificate, &me->id, &own) != ERR_OK) {
        err = ERR_CORRUPT;
    }
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK) {
        err = self_get(me, step, &who);
    }
    if (err == ERR_OK && who.list.len > 0) {
        err = contact_list_known(step, &who, &known);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    bool twins = keys != NULL && device_twins(&own, keys);
    for (unsigned i = 1; keys != NULL && known != NULL && i < known->count; i++) {
        twins |= device_twins(&known->entries[i].device, keys);
    }
    if (twins) {
        return ERR_EXISTS;
    }
    return known != NULL && known->count == LIMIT_DEVICES ? ERR_QUOTA : ERR_OK;
}

/* The certificate of the device whose keys these are. */
static enum err certify(struct step *step, const struct account_row *account,
                        const struct device_certificate *keys, struct slice *certificate)
{
    struct device_certificate c = *keys;
    struct sign_pk id;
    struct sign_sk identity;
    struct writer w = step_writer(step, LIMIT_CERTIFICATE);
    c.added_ms = step_now(step);
    account_identity(account, &id, &identity);
    enum err err = w.cap == 0 ? ERR_NO_MEMORY : device_certificate_make(&w, &c, &identity);
    secret_wipe(&identity, sizeof identity);
    *certificate = writer_done(&w);
    return err;
}

/* The contact that stands for our other devices, made when there is none. */
static enum err self_make(struct account *me, struct step *step, struct contact_row *who)
{
    enum err err = self_get(me, step, who);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    *who = (struct contact_row){.id = me->id, .state = CONTACT_ACCEPTED, .created = step_now(step)};
    err = account_next_contact(me, step, &who->number);
    if (err == ERR_OK) {
        err = contact_row_put(step, me->keys, who);
    }
    me->self = err == ERR_OK ? who->number : me->self;
    return err;
}

/* The stranger that it was is one of ours from now on; the session goes on. */
static enum err adopt(struct account *me, struct step *step, struct peer_row *row,
                      const struct device_entry *entry)
{
    struct contact_row who;
    struct contact_row stranger = row->who;
    enum err err = self_make(me, step, &who);
    if (err == ERR_OK) {
        err = peer_row_device(step, row, entry);
    }
    if (err == ERR_OK) {
        err = peer_row_move(step, me->keys, row, &who);
    }
    return err == ERR_OK ? contact_row_del(step, me->keys, &stranger) : err;
}

static enum err tell_joined(struct account *me, struct step *step, struct peer_row *row,
                            struct slice list)
{
    struct slice content;
    uint64_t order;
    enum err err = mirror_list(step, CONTENT_JOINED, list, &content);
    return err == ERR_OK ? outbox_add_peer(me, step, row, content, false, &order) : err;
}

static void event_device(struct event *event, struct slice key)
{
    char text[DEVICE_NAME];
    device_name(key.p, text);
    event_text(event, "device", text);
}

enum err devices_join(struct account *me, struct step *step, struct peer_row *row,
                      const struct device_entry *entry)
{
    struct account_row account;
    struct device_entry put = *entry;
    const struct device_change change = {.put = &put};
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        err = certify(step, &account, &entry->device, &put.certificate);
    }
    if (err == ERR_OK) {
        err = adopt(me, step, row, entry);
    }
    if (err == ERR_OK) {
        secret_wipe(&account, sizeof account);
        err = account_row_get(step, me->keys, &account); /* a number was taken */
    }
    if (err == ERR_OK) {
        err = devices_list(me, step, &account, &change);
    }
    if (err == ERR_OK) {
        err = contact_row_get(step, me->keys, me->self, &row->who);
    }
    if (err == ERR_OK) {
        err = tell_joined(me, step, row, account.device_list);
    }
    secret_wipe(&account, sizeof account);
    home_wake_main(me);
    if (err != ERR_OK) {
        return err;
    }
    struct event event = event_begin(step, "device.added", 128);
    event_device(&event, row->device);
    return event_commit(step, me->keys, &event);
}

enum err devices_moved(struct account *me, struct step *step, const struct peer_row *row,
                       const struct device_entry *places)
{
    struct account_row account;
    struct device_list *known;
    struct device_entry put;
    struct device_change change = {.put = &put};
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        err = contact_list_known(step, &row->who, &known);
    }
    for (unsigned i = 1; err == ERR_OK && account_row_holds(&account) && i < known->count; i++) {
        if (!peer_row_is(row, &known->entries[i])) {
            continue;
        }
        put = *places;
        put.certificate = known->entries[i].certificate;
        change.listed = &known->entries[i];
        if (!device_same_places(&known->entries[i], places)) {
            err = devices_list(me, step, &account, &change);
            home_wake_main(me);
        }
        break;
    }
    secret_wipe(&account, sizeof account);
    return err;
}

enum err devices_remove(struct account *me, struct step *step, const struct sign_pk *device)
{
    struct account_row account;
    const struct device_change change = {.remove = device};
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && !account_row_holds(&account)) {
        err = ERR_NO_IDENTITY;
    }
    if (err == ERR_OK) {
        err = devices_list(me, step, &account, &change);
    }
    secret_wipe(&account, sizeof account);
    home_wake_main(me);
    if (err != ERR_OK) {
        return err;
    }
    struct event event = event_begin(step, "device.removed", 128);
    event_device(&event, slice_of(device->b, sizeof device->b));
    return event_commit(step, me->keys, &event);
}

/* --- one that joins: the new device --- */

/* Which device of the list has our keys. ERR_NOT_FOUND. */
static enum err own_place(const struct account_row *account, const struct device_list *list,
                          unsigned *place)
{
    struct sign_pk sign_pk;
    struct sign_pk mls;
    struct sign_sk sk;
    struct dh_pk dh;
    struct dh_sk dh_sk;
    prim_sign_keypair(&sign_pk, &sk, account->device_sign);
    prim_sign_keypair(&mls, &sk, account->device_mls);
    memcpy(dh_sk.b, account->device_dh, sizeof dh_sk.b);
    prim_dh_public(&dh, &dh_sk);
    secret_wipe(&sk, sizeof sk);
    secret_wipe(&dh_sk, sizeof dh_sk);
    for (unsigned i = 0; i < list->count; i++) {
        const struct device_certificate *c = &list->entries[i].device;
        if (memcmp(c->sign.b, sign_pk.b, sizeof sign_pk.b) == 0 &&
            memcmp(c->mls.b, mls.b, sizeof mls.b) == 0 && memcmp(c->dh.b, dh.b, sizeof dh.b) == 0) {
            *place = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* Its own identity ends: the key bundle is made anew under the new ID, with new prekeys. */
static enum err publish_anew(struct account *me, struct step *step)
{
    struct relay_row relay;
    enum err err = relay_row_get(step, me->keys, 0, &relay);
    if (err == ERR_OK) {
        relay.rekey = 1;
        err = relay_row_put(step, me->keys, 0, &relay);
    }
    secret_wipe(&relay, sizeof relay);
    home_wake_main(me);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* We are the device in this place of the list from now on. */
static enum err become(struct account *me, struct step *step, struct account_row *account,
                       const struct sign_pk *id, const struct device_list *list, unsigned place,
                       struct slice list_bytes)
{
    account->owner = slice_of(id->b, sizeof id->b);
    account->certificate = list->entries[place].certificate;
    account->device_list = list_bytes;
    account->list_place = place;
    account->list_version++; /* of the key bundle: the list's own is in it */
    account->linking = 0;
    secret_wipe(account->identity, sizeof account->identity);
    me->id = *id;
    me->linked = true;
    return account_row_put(step, me->keys, account);
}

enum err devices_joined(struct account *me, struct step *step, struct peer_row *row,
                        struct slice list_bytes, bool *gone)
{
    struct account_row account;
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    unsigned place = 0;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = account_row_get(step, me->keys, &account);
    bool ours = err == ERR_OK && account.linking == row->who.number &&
                device_list_open(list_bytes, &row->who.id, list) == ERR_OK &&
                own_place(&account, list, &place) == ERR_OK;
    if (ours) {
        err = become(me, step, &account, &row->who.id, list, place, list_bytes);
    }
    secret_wipe(&account, sizeof account);
    if (err != ERR_OK || !ours) {
        return err; /* the last: whoever that is, we did not ask them */
    }
    me->self = row->who.number;
    row->who.state = CONTACT_ACCEPTED;
    row->who.invite = slice_of(NULL, 0);
    row->who.name = slice_of(NULL, 0);
    err = publish_anew(me, step);
    if (err == ERR_OK) {
        err = peers_take_list(me, step, row, list_bytes, list, 0, gone);
    }
    if (err != ERR_OK) {
        return err;
    }
    char id[ID_TEXT];
    id_encode(me->id.b, id);
    struct event event = event_begin(step, "device.linked", 256);
    event_text(&event, "id", id);
    return event_commit(step, me->keys, &event);
}

enum err devices_taken(struct account *me, struct step *step, struct slice list_bytes,
                       const struct device_list *list)
{
    struct account_row account;
    unsigned place = 0;
    bool removed = false;
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && !account_row_holds(&account) &&
        !slice_equal(account.device_list, list_bytes)) {
        removed = own_place(&account, list, &place) != ERR_OK;
        account.device_list = removed ? account.device_list : list_bytes;
        account.list_place = removed ? account.list_place : place;
        account.removed = removed;
        account.list_version++;
        err = account_row_put(step, me->keys, &account);
        home_main(me)->announced = false; /* where it says that we are may be over */
        home_wake_main(me);
    }
    if (err == ERR_OK && removed) {
        struct event event = event_begin(step, "device.removed", 128);
        struct sign_pk own;
        struct sign_sk sk;
        prim_sign_keypair(&own, &sk, account.device_sign);
        secret_wipe(&sk, sizeof sk);
        event_device(&event, slice_of(own.b, sizeof own.b));
        err = event_commit(step, me->keys, &event);
    }
    secret_wipe(&account, sizeof account);
    return err;
}

/* --- news of it --- */

/* One contact hears of our list, and our other devices of this contact. */
static enum err tell_one(struct account *me, struct step *step, const struct contact_row *who,
                         struct slice content)
{
    uint64_t order;
    enum err err = ERR_OK;
    if (who->state == CONTACT_ACCEPTED) {
        err = outbox_add(me, step, who, content, false, &order);
    }
    return err == ERR_OK && !contact_is_self(me, who) ? mirror_contact(me, step, who) : err;
}

enum err devices_tell(struct account *me, struct step *step, const struct contact_row *who)
{
    struct account_row account;
    struct slice content;
    uint64_t order;
    if (me->self == 0) {
        return ERR_OK;
    }
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && account.device_list.len > 0) {
        err = mirror_list(step, CONTENT_LIST, account.device_list, &content);
        err = err == ERR_OK ? outbox_add(me, step, who, content, false, &order) : err;
    }
    secret_wipe(&account, sizeof account);
    return err;
}

enum err devices_progress(struct account *me, struct step *step)
{
    struct account_row account;
    struct slice content;
    struct contact_row who = {.number = (uint32_t)me->news_next - 1};
    if (me->news_next == 0) {
        return ERR_OK;
    }
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK && account.device_list.len == 0) {
        err = devices_list(me, step, &account, NULL);
    }
    if (err == ERR_OK) {
        err = mirror_list(step, CONTENT_LIST, account.device_list, &content);
    }
    secret_wipe(&account, sizeof account);
    for (unsigned i = 0; err == ERR_OK && i < DEVICES_SLICE; i++) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = contact_row_next(step, me->keys, who.number, &who);
        if (err == ERR_OK) {
            err = tell_one(me, step, &who, content);
        }
        arena_rewind(step->turn->arena, mark);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    uint64_t next = err == ERR_NOT_FOUND ? 0 : (uint64_t)who.number + 1;
    err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        account.news_next = next;
        err = account_row_put(step, me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    me->news_next = err == ERR_OK ? next : me->news_next;
    return err;
}
