/* SPDX-License-Identifier: Apache-2.0
 *
 * contact: a contact's row: what its device list says, accepting, alarms.
 * docs/protocol/07-node.md, section 3.
 */
#include <string.h>

#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/invite.h"
#include "node/mirror.h"
#include "node/route.h"
#include "node/voiding.h"

enum err contact_list_known(struct step *step, const struct contact_row *row,
                            struct device_list **list)
{
    *list = arena_alloc(step->turn->arena, sizeof **list);
    if (*list == NULL) {
        return ERR_NO_MEMORY;
    }
    return device_list_open(row->list, &row->id, *list) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* Which of two lists of one person was made later: versions count among those of the same moment,
 * since a restored account begins with smaller ones again. A version alone would bring devices back
 * that were removed before. */
static bool is_later(const struct device_list *list, const struct device_list *known)
{
    return list->created_ms != known->created_ms ? list->created_ms > known->created_ms
                                                 : list->version > known->version;
}

enum err contact_list_age(struct step *step, const struct contact_row *row, struct slice list_bytes,
                          const struct device_list *list, unsigned device, enum list_age *age)
{
    *age = LIST_NEWER;
    if (row->list.len == 0 || slice_equal(row->list, list_bytes)) {
        return ERR_OK;
    }
    struct device_list *known;
    enum err err = contact_list_known(step, row, &known);
    if (err != ERR_OK) {
        return err;
    }
    if (is_later(list, known)) {
        return ERR_OK;
    }
    *age = LIST_REVOKED;
    for (unsigned i = 0; i < known->count; i++) {
        if (slice_equal(known->entries[i].certificate, list->entries[device].certificate)) {
            *age = LIST_OLDER;
        }
    }
    return ERR_OK;
}

enum err contact_event(struct account *me, struct step *step, const struct contact_row *row,
                       const char *type, enum err trouble)
{
    char id[ID_TEXT];
    id_encode(row->id.b, id);
    struct event event = event_begin(step, type, 256);
    event_text(&event, "contact", id);
    if (trouble != ERR_OK) {
        event_text(&event, "error", err_name(trouble));
    }
    return event_commit(step, me->keys, &event);
}

/* id: NULL: a random one. */
static enum err say(struct account *me, struct step *step, const struct contact_row *who,
                    struct content *content, const uint8_t *id)
{
    content->sent_ms = step_now(step);
    if (id != NULL) {
        memcpy(content->id, id, sizeof content->id);
    } else {
        env_random(step->turn->env, content->id, sizeof content->id);
    }
    struct writer w = step_writer(step, CONTENT_OVERHEAD + content->text.len);
    uint64_t order;
    enum err err = content_encode(&w, content);
    return err == ERR_OK ? outbox_add(me, step, who, writer_done(&w), false, &order) : err;
}

/* Every request to this contact is the same one: who has it hears of it once. */
enum err contact_ask(struct account *me, struct step *step, const struct contact_row *who)
{
    uint8_t created[sizeof(uint64_t)];
    uint8_t id[CONTENT_ID];
    struct writer w = writer_of(created, sizeof created);
    writer_u64(&w, who->created);
    const struct slice parts[] = {slice_of(me->id.b, sizeof me->id.b),
                                  slice_of(who->id.b, sizeof who->id.b), writer_done(&w)};
    prim_blake2b(id, sizeof id, slice_of(NULL, 0), "petrel/1 request id", parts, 3);
    return say(me, step, who, &(struct content){.type = CONTENT_REQUEST, .text = who->text}, id);
}

/* Whether a request to this device waits, or is at its relay and was not answered. */
static enum err is_asked(struct account *me, struct step *step, uint32_t peer, bool *asked)
{
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    *asked = false;
    while (err == ERR_OK && !*asked && order < OUTBOX_ACKS) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer, &order, &entry);
        *asked = err == ERR_OK && outbox_is_request(&entry);
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Nothing more is sent on a session that names this invitation. */
static enum err invite_over(struct account *me, struct step *step, struct contact_row *who)
{
    who->invite = slice_of(NULL, 0);
    who->invite_until = 0;
    who->alarmed = 0;
    enum err err = contact_row_put(step, me->keys, who);
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct peer_row row;
        err = peer_row_of(step, me->keys, who, i, &row);
        struct work *work = err == ERR_OK ? work_get(me, row.number) : NULL;
        if (err == ERR_OK) {
            err = work != NULL ? contact_restart(me, step, work, &row) : ERR_NO_MEMORY;
        }
        secret_wipe(&row, sizeof row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err contact_ask_again(struct account *me, struct step *step, struct contact_row *who)
{
    bool asked = false;
    struct reader peers = reader_of(who->peers);
    enum err err = ERR_OK;
    if (!contact_row_asks(who)) {
        return ERR_OK;
    }
    while (err == ERR_OK && !asked && reader_left(&peers) > 0) {
        err = is_asked(me, step, reader_u32(&peers), &asked);
    }
    if (err != ERR_OK || asked) {
        return err;
    }
    if (who->invite.len > 0 &&
        contact_row_invite_until(who) + LIMIT_INVITE_LATE * LIMIT_DAY_MS <= step_now(step)) {
        err = invite_over(me, step, who);
    }
    return err == ERR_OK ? contact_ask(me, step, who) : err;
}

enum err contact_try_again(struct account *me, struct step *step, const struct contact_row *who)
{
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        struct peer_row row;
        err = peer_row_of(step, me->keys, who, i, &row);
        struct work *work = err == ERR_OK ? work_find(me, row.number) : NULL;
        if (work != NULL) {
            work_anew(work);
        }
        if (err == ERR_OK && row.failed != 0) {
            row.failed = 0; /* that it fails is news again */
            err = peer_row_put(step, me->keys, &row);
        }
        secret_wipe(&row, sizeof row);
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* "You are a contact": the answer to a request, and a word that says nothing to one. */
static enum err say_accepted(struct account *me, struct step *step, const struct contact_row *who)
{
    return say(me, step, who, &(struct content){.type = CONTENT_ACCEPT}, NULL);
}

/* The same, and that somebody else used the invitation by which they asked. */
static enum err say_misused(struct account *me, struct step *step, const struct contact_row *row)
{
    struct content content = {.type = CONTENT_INVITE_USED};
    memcpy(content.invite, row->misused.p, sizeof content.invite);
    return say(me, step, row, &content, NULL);
}

enum err contact_word(struct step *step, struct slice *word)
{
    struct content content = {.type = CONTENT_ACCEPT, .sent_ms = step_now(step)};
    struct writer w = step_writer(step, CONTENT_OVERHEAD);
    env_random(step->turn->env, content.id, sizeof content.id);
    enum err err = content_encode(&w, &content);
    *word = writer_done(&w);
    return err;
}

/* To one device of a contact. */
static enum err call(struct account *me, struct step *step, struct peer_row *row)
{
    struct slice word;
    uint64_t order;
    enum err err = contact_word(step, &word);
    return err == ERR_OK ? outbox_add_peer(me, step, row, word, false, &order) : err;
}

enum err contact_announce(struct account *me, struct step *step)
{
    struct peer_row row = {.number = 0};
    struct route route;
    enum err err = route_own(me, step, &route);
    while (err == ERR_OK) {
        struct arena_mark at = arena_mark(step->turn->arena);
        err = peer_row_next(step, me->keys, row.number, &row);
        if (err == ERR_OK && row.who.state == CONTACT_ACCEPTED && row.leaving == 0 &&
            row.told != route.mark && peer_row_slot(&row) >= 0) {
            err = call(me, step, &row);
        }
        arena_rewind(step->turn->arena, at);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err contact_became(struct account *me, struct step *step, struct contact_row *row)
{
    row->state = CONTACT_ACCEPTED;
    enum err err = contact_row_put(step, me->keys, row);
    if (err == ERR_OK) {
        err = contact_event(me, step, row, "contact.accepted", ERR_OK);
    }
    if (err == ERR_OK) {
        err = peers_meet(me, step, row);
    }
    return err == ERR_OK ? devices_tell(me, step, row) : err;
}

enum err contact_changed(struct account *me, struct step *step, struct contact_row *row)
{
    uint64_t now = step_now(step);
    row->changed_ms = now > row->changed_ms ? now : row->changed_ms + 1;
    enum err err = contact_row_put(step, me->keys, row);
    return err == ERR_OK ? mirror_contact(me, step, row) : err;
}

enum err contact_accept(struct account *me, struct step *step, struct contact_row *row)
{
    enum err err = ERR_OK;
    if (row->state != CONTACT_ACCEPTED) {
        err = contact_became(me, step, row);
        err = err == ERR_OK ? contact_changed(me, step, row) : err;
    }
    if (err != ERR_OK) {
        return err;
    }
    return row->misused.len == INVITE_ID ? say_misused(me, step, row) : say_accepted(me, step, row);
}

enum err contact_block(struct account *me, struct step *step, struct contact_row *row)
{
    row->state = CONTACT_BLOCKED;
    enum err err = contact_row_put(step, me->keys, row);
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct peer_row peer;
        err = peer_row_of(step, me->keys, row, i, &peer);
        if (err == ERR_OK) {
            err = voiding_begin(me, step, &peer);
        }
        if (err == ERR_OK) {
            err = peer_row_put(step, me->keys, &peer);
        }
        if (err == ERR_OK) {
            err = outbox_clear(me, step, &peer, ERR_CONTACT_BLOCKED);
        }
        secret_wipe(&peer, sizeof peer);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err contact_read(struct account *me, struct step *step, struct contact_row *row,
                      uint64_t order)
{
    char id[ID_TEXT];
    row->read = order;
    enum err err = contact_row_put(step, me->keys, row);
    if (err != ERR_OK) {
        return err;
    }
    id_encode(row->id.b, id);
    struct event event = event_begin(step, "message.read", 256);
    event_text(&event, "contact", id);
    event_uint(&event, "order", order);
    return event_commit(step, me->keys, &event);
}

enum err contact_misused(struct account *me, struct step *step, uint32_t number,
                         const uint8_t id[INVITE_ID])
{
    struct contact_row row;
    enum err err = contact_row_get(step, me->keys, number, &row);
    if (err == ERR_OK && !slice_equal(row.misused, slice_of(id, INVITE_ID))) {
        row.misused = slice_of(id, INVITE_ID);
        err = contact_row_put(step, me->keys, &row);
        if (err == ERR_OK && row.state == CONTACT_ACCEPTED) {
            err = say_misused(me, step, &row);
        }
    }
    secret_wipe(&row, sizeof row);
    return err;
}

enum err contact_requests(struct account *me, struct step *step, uint64_t *count)
{
    struct contact_row row = {.number = 0};
    enum err err = ERR_OK;
    *count = 0;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = contact_row_next(step, me->keys, row.number, &row);
        *count += err == ERR_OK && row.state == CONTACT_INCOMING;
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err contact_alarm(struct account *me, struct step *step, const struct contact_row *row,
                       enum err trouble)
{
    return contact_event(me, step, row, "contact.failed", trouble);
}

enum err contact_invite_alarm(struct account *me, struct step *step, struct contact_row *row,
                              const uint8_t *id)
{
    uint8_t own[INVITE_ID];
    if (row->invite.len != INVITE_SECRET || row->alarmed != 0) {
        return ERR_OK;
    }
    invite_id(row->invite.p, own);
    if (id != NULL && memcmp(id, own, sizeof own) != 0) {
        return ERR_OK;
    }
    row->alarmed = 1;
    enum err err = contact_row_put(step, me->keys, row);
    return err == ERR_OK ? contact_alarm(me, step, row, ERR_INVITE_USED) : err;
}

enum err contact_failed(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row, enum err trouble)
{
    work->trouble = trouble;
    work->due = UINT64_MAX;
    work->gave_up = true;
    if (row->failed == (uint64_t)trouble) {
        return ERR_OK; /* tried again because the node started */
    }
    row->failed = (uint64_t)trouble;
    enum err err = peer_row_put(step, me->keys, row);
    return err == ERR_OK ? contact_alarm(me, step, &row->who, trouble) : err;
}

bool contact_is_self(const struct account *me, const struct contact_row *who)
{
    return memcmp(who->id.b, me->id.b, sizeof who->id.b) == 0;
}
