/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror.h"

#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/event.h"
#include "node/lookup.h"
#include "node/mirror_body.h"

/* --- out --- */

static enum err encode(struct step *step, enum content_type type, uint64_t sent_ms,
                       const struct writer *body, struct slice *out)
{
    struct content content = {.type = type, .sent_ms = sent_ms, .body = writer_done(body)};
    env_random(step->turn->env, content.id, sizeof content.id);
    struct writer w = step_writer(step, CONTENT_OVERHEAD + body->len);
    if (body->err != ERR_OK || w.cap == 0) {
        return ERR_NO_MEMORY;
    }
    enum err err = content_encode(&w, &content);
    *out = writer_done(&w);
    return err;
}

static enum err to_others(struct account *me, struct step *step, enum content_type type,
                          uint64_t sent_ms, const struct writer *body)
{
    struct contact_row self;
    struct slice content;
    uint64_t order;
    enum err err = encode(step, type, sent_ms, body, &content);
    if (err == ERR_OK) {
        err = contact_row_get(step, me->keys, me->self, &self);
    }
    return err == ERR_OK ? outbox_add(me, step, &self, content, false, &order) : err;
}

enum err mirror_list(struct step *step, enum content_type type, struct slice list,
                     struct slice *content)
{
    struct writer w = step_writer(step, list.len + MIRROR_SPARE);
    pack_bin_slice(&w, list);
    return encode(step, type, step_now(step), &w, content);
}

enum err mirror_sent(struct account *me, struct step *step, const struct contact_row *who,
                     struct slice content)
{
    if (me->self == 0 || contact_is_self(me, who)) {
        return ERR_OK;
    }
    struct writer w = step_writer(step, content.len + MIRROR_SPARE);
    mirror_pair_write(&w, &who->id, content);
    return to_others(me, step, CONTENT_SENT, step_now(step), &w);
}

enum err mirror_read(struct account *me, struct step *step, const struct contact_row *who,
                     const uint8_t id[CONTENT_ID])
{
    if (me->self == 0) {
        return ERR_OK;
    }
    struct writer w = step_writer(step, MIRROR_SPARE);
    mirror_pair_write(&w, &who->id, slice_of(id, CONTENT_ID));
    return to_others(me, step, CONTENT_READ, step_now(step), &w);
}

enum err mirror_contact(struct account *me, struct step *step, const struct contact_row *who)
{
    if (me->self == 0 || contact_row_asks(who)) {
        return ERR_OK;
    }
    struct writer w =
        step_writer(step, who->name.len + who->text.len + who->list.len + MIRROR_SPARE);
    mirror_about_write(&w, &(struct mirror_about){.id = who->id,
                                                  .state = who->state,
                                                  .verified = who->verified,
                                                  .created_ms = who->created,
                                                  .changed_ms = who->changed_ms,
                                                  .name = who->name,
                                                  .text = who->text,
                                                  .list = who->list});
    return to_others(me, step, CONTENT_CONTACT, step_now(step), &w);
}

/* Whether the list says of this device what entry says. *since: at least since when that is so. */
static enum err is_listed(struct account *me, struct step *step, const struct device_entry *entry,
                          bool *listed, uint64_t *since)
{
    struct account_row account;
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    enum err err = list == NULL ? ERR_NO_MEMORY : account_row_get(step, me->keys, &account);
    if (err != ERR_OK) {
        return err;
    }
    if (device_list_open(account.device_list, &me->id, list) != ERR_OK ||
        account.list_place >= list->count) {
        err = ERR_CORRUPT;
    } else {
        *listed = device_same_places(&list->entries[account.list_place], entry);
        *since = account.queues_ms;
    }
    secret_wipe(&account, sizeof account);
    return err;
}

enum err mirror_places(struct account *me, struct step *step)
{
    struct device_entry entry = {.queue_count = 0};
    if (me->self == 0) {
        return ERR_OK;
    }
    bool listed = false;
    uint64_t since = 0;
    enum err err = devices_places(me, step, &entry);
    if (err == ERR_OK) {
        err = is_listed(me, step, &entry, &listed, &since);
    }
    if (err != ERR_OK || listed) {
        return err;
    }
    struct writer w = step_writer(step, LIMIT_DEVICE_LIST);
    mirror_places_write(&w, &entry);
    /* The time tells which of two is the later one, also when the clock was set back since. */
    return to_others(me, step, CONTENT_PLACES, since > step_now(step) ? since : step_now(step), &w);
}

/* --- in --- */

/* A contact that this device does not have yet; one whose list is not known is looked for. */
static enum err make_contact(struct account *me, struct step *step,
                             const struct mirror_about *about, struct contact_row *who)
{
    struct device_list *list = arena_alloc(step->turn->arena, sizeof *list);
    struct peer_row row;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    bool listed = about->list.len > 0 && device_list_open(about->list, &about->id, list) == ERR_OK;
    *who = (struct contact_row){.id = about->id,
                                .state = about->state,
                                .verified = about->verified,
                                .created = about->created_ms,
                                .changed_ms = about->changed_ms,
                                .text = about->text};
    enum err err = account_next_contact(me, step, &who->number);
    if (err == ERR_OK) {
        err = peers_add(me, step, who, who->number, listed ? &list->entries[0] : NULL,
                        listed ? list->created_ms : 0, &row);
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_OK && listed ? peers_list(me, step, who, about->list) : err;
}

/* A name that no other contact has here. */
static enum err take_name(struct account *me, struct step *step, struct contact_row *who,
                          struct slice name)
{
    bool taken;
    enum err err = lookup_name_taken(step, me->keys, name, who->number, &taken);
    if (err == ERR_OK && !taken) {
        who->name = name;
    }
    return err;
}

/* What the person did elsewhere, later than here. */
static enum err take_changes(struct account *me, struct step *step, struct contact_row *who,
                             const struct mirror_about *about)
{
    enum contact_state before = who->state;
    who->changed_ms = about->changed_ms;
    who->verified = about->verified;
    enum err err = take_name(me, step, who, about->name);
    if (err == ERR_OK && about->state == CONTACT_BLOCKED && before != CONTACT_BLOCKED) {
        return contact_block(me, step, who);
    }
    if (err == ERR_OK && about->state == CONTACT_ACCEPTED && before != CONTACT_ACCEPTED) {
        return contact_became(me, step, who);
    }
    return err == ERR_OK ? contact_row_put(step, me->keys, who) : err;
}

/* The contact with this ID. *made: it was not known here. */
static enum err find_contact(struct account *me, struct step *step,
                             const struct mirror_about *about, struct contact_row *who, bool *made)
{
    uint32_t number;
    enum err err = contact_row_find(step, me->keys, &about->id, &number);
    *made = err == ERR_NOT_FOUND;
    return *made           ? make_contact(me, step, about, who)
           : err == ERR_OK ? contact_row_get(step, me->keys, number, who)
                           : err;
}

static enum err take_contact(struct account *me, struct step *step, const struct content *content)
{
    struct mirror_about about;
    struct contact_row who;
    bool made;
    if (!mirror_about_read(content->body, &about) ||
        memcmp(about.id.b, me->id.b, sizeof about.id.b) == 0) {
        return ERR_OK;
    }
    enum err err = find_contact(me, step, &about, &who, &made);
    if (err == ERR_OK && made) {
        err = take_name(me, step, &who, about.name);
        err = err == ERR_OK ? contact_row_put(step, me->keys, &who) : err;
        return err == ERR_OK ? contact_event(me, step, &who, "contact.synced", ERR_OK) : err;
    }
    if (err == ERR_OK && about.list.len > 0) {
        err = peers_list(me, step, &who, about.list);
    }
    return err == ERR_OK && about.changed_ms > who.changed_ms ? take_changes(me, step, &who, &about)
                                                              : err;
}

/* A message that was written on another device goes into the history, once. */
static enum err take_sent(struct account *me, struct step *step, const struct content *content)
{
    struct mirror_about about = {.state = CONTACT_ACCEPTED, .created_ms = step_now(step)};
    struct slice bytes;
    struct content inner;
    struct contact_row who;
    uint64_t order;
    bool made;
    if (!mirror_pair_read(content->body, &about.id, &bytes, LIMIT_ENVELOPE) ||
        content_decode(bytes, &inner) != ERR_OK || inner.type >= CONTENT_REQUEST) {
        return ERR_OK;
    }
    enum err err = find_contact(me, step, &about, &who, &made);
    if (err == ERR_OK) {
        err = message_id_get(step, me->keys, who.number, inner.id, &order);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    struct message_row row = {.state = MESSAGE_MIRRORED, .time = step_now(step), .content = bytes};
    err = outbox_next_order(me, step, &who, &order);
    if (err == ERR_OK) {
        err = message_row_put(step, me->keys, who.number, order, &row);
    }
    if (err == ERR_OK) {
        err = message_id_put(step, me->keys, who.number, inner.id, order);
    }
    if (err != ERR_OK) {
        return err;
    }
    char id[ID_TEXT];
    char hex[2 * CONTENT_ID + 1];
    id_encode(who.id.b, id);
    hex_encode(inner.id, sizeof inner.id, hex);
    struct event event = event_begin(step, "message.mirrored", 512);
    event_text(&event, "contact", id);
    event_text(&event, "message", hex);
    event_uint(&event, "order", order);
    event_message(&event, who.number, order);
    return event_commit(step, me->keys, &event);
}

static enum err take_read(struct account *me, struct step *step, const struct content *content)
{
    struct sign_pk id;
    struct slice which;
    struct contact_row who;
    uint32_t number;
    uint64_t order = 0;
    if (!mirror_pair_read(content->body, &id, &which, CONTENT_ID) || which.len != CONTENT_ID) {
        return ERR_OK;
    }
    enum err err = contact_row_find(step, me->keys, &id, &number);
    if (err == ERR_OK) {
        err = contact_row_get(step, me->keys, number, &who);
    }
    if (err == ERR_OK) {
        err = message_id_get(step, me->keys, number, which.p, &order);
    }
    if (err != ERR_OK || order <= who.read) {
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* it has not come here yet, or is deleted */
    }
    return contact_read(me, step, &who, order);
}

/* Queues and record of another device: the list is to say so. */
static enum err take_places(struct account *me, struct step *step, const struct peer_row *row,
                            const struct content *content)
{
    struct device_entry entry;
    if (!mirror_places_read(content->body, &entry)) {
        return ERR_OK;
    }
    return devices_moved(me, step, row, &entry);
}

enum err mirror_take(struct account *me, struct step *step, const struct peer_row *row,
                     const struct content *content)
{
    switch (content->type) {
    case CONTENT_SENT:
        return take_sent(me, step, content);
    case CONTENT_READ:
        return take_read(me, step, content);
    case CONTENT_CONTACT:
        return take_contact(me, step, content);
    case CONTENT_PLACES:
        return take_places(me, step, row, content);
    default:
        return ERR_OK;
    }
}
