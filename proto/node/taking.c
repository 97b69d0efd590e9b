/* SPDX-License-Identifier: Apache-2.0
 *
 * taking: what an opened envelope changes: history, contact, tokens, where the other side's queues
 * are, what is acknowledged. docs/protocol/07-node.md, section 7.5.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/arrival.h"
#include "node/batch.h"
#include "node/content.h"
#include "node/event.h"
#include "node/healing.h"
#include "node/mirror.h"
#include "node/mirror_body.h"
#include "node/route.h"
#include "node/stock.h"
#include "node/voiding.h"
#include "relay/token.h"

static void event_contact(struct event *event, const struct peer_row *row)
{
    char id[ID_TEXT];
    id_encode(row->who.id.b, id);
    event_text(event, "contact", id);
}

/* Adds a message to the history, once. */
static enum err take_message(struct arrival *a, struct slice bytes, const struct content *content)
{
    struct step *step = a->step;
    struct seal_keys *keys = a->me->keys;
    uint64_t order;
    enum err err = message_id_get(step, keys, a->row.who.number, content->id, &order);
    if (err != ERR_NOT_FOUND) {
        return err; /* sealed anew by its sender after a restart of the session */
    }
    struct message_row row = {.state = MESSAGE_RECEIVED,
                              .time = step_now(step),
                              .content = bytes,
                              .deposited = a->deposited_ms,
                              .gap = a->in.gap};
    err = outbox_next_order(a->me, step, &a->row.who, &order);
    if (err == ERR_OK) {
        err = message_row_put(step, keys, a->row.who.number, order, &row);
    }
    if (err == ERR_OK) {
        err = message_id_put(step, keys, a->row.who.number, content->id, order);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (content->type == CONTENT_REKEYED) {
        err = healing_told(a->me, step, &a->row, a->slot);
        return err != ERR_OK ? err
                             : healing_event(a->me, step, &a->row, order, content->body, false);
    }
    char hex[2 * CONTENT_ID + 1];
    hex_encode(content->id, sizeof content->id, hex);
    struct event event = event_begin(step, "message.received", 512);
    event_contact(&event, &a->row);
    event_text(&event, "message", hex);
    event_uint(&event, "order", order);
    event_message(&event, a->row.who.number, order);
    return event_commit(step, keys, &event);
}

/* Somebody asks to be a contact. */
static enum err take_request(struct arrival *a, const struct content *content)
{
    bool theirs = a->row.who.state == CONTACT_INCOMING && !a->row.who.invited;
    if (!theirs) {
        /* Invited by us, asked by us too, or a contact already who lost our answer. */
        a->who_changed = true;
        return contact_accept(a->me, a->step, &a->row.who);
    }
    uint64_t order;
    enum err err = message_id_get(a->step, a->me->keys, a->row.who.number, content->id, &order);
    if (err != ERR_NOT_FOUND) {
        return err; /* asked again after a restart of the session */
    }
    err = message_id_put(a->step, a->me->keys, a->row.who.number, content->id, 0);
    if (err != ERR_OK) {
        return err;
    }
    a->row.who.text = content->text;
    a->who_changed = true;
    struct event event = event_begin(a->step, "request.received", 1024);
    event_contact(&event, &a->row);
    event_str(&event, "text", content->text);
    return event_commit(a->step, a->me->keys, &event);
}

/* Their devices are others by now. */
static enum err take_list(struct arrival *a, const struct content *content)
{
    struct slice bytes;
    struct device_list *list = arena_alloc(a->step->turn->arena, sizeof *list);
    unsigned device = 0;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    if (!mirror_list_read(content->body, &bytes)) {
        return ERR_OK;
    }
    if (content->type == CONTENT_JOINED) {
        a->who_changed = true;
        return devices_joined(a->me, a->step, &a->row, bytes, &a->gone);
    }
    if (device_list_open(bytes, &a->row.who.id, list) != ERR_OK) {
        return ERR_OK;
    }
    while (device + 1 < list->count && !peer_row_is(&a->row, &list->entries[device])) {
        device++;
    }
    a->who_changed = true;
    enum err err = peers_take_list(a->me, a->step, &a->row, bytes, list, device, &a->gone);
    return err == ERR_STALE ? ERR_OK : err;
}

/* What another device of ours says. Where its queues are may be in the list, and so in its row, by
 * then. */
static enum err take_mirrored(struct arrival *a, const struct content *content)
{
    struct peer_row now;
    if (content->type == CONTENT_REKEYED) {
        return healing_told(a->me, a->step, &a->row, a->slot);
    }
    if (content->type == CONTENT_PLACES && content->sent_ms < a->row.places_ms) {
        return ERR_OK; /* later ones overtook it */
    }
    enum err err = mirror_take(a->me, a->step, &a->row, content);
    if (err != ERR_OK || content->type != CONTENT_PLACES) {
        return err;
    }
    a->row.places_ms = content->sent_ms;
    err = peer_row_get(a->step, a->me->keys, a->row.number, &now);
    if (err == ERR_OK) {
        a->who_changed = true;
        a->row.who = now.who;
        a->row.bundle = now.bundle;
        a->row.has_queue = now.has_queue;
        a->row.queue_relay = now.queue_relay;
        a->row.queue = now.queue;
        a->row.second = now.second;
        a->row.queues_ms = now.queues_ms;
    }
    secret_wipe(&now, sizeof now);
    return err;
}

/* Content between nodes, of a contact. *taken: it was of this kind. */
static enum err take_control(struct arrival *a, const struct content *content, bool *taken)
{
    bool own = contact_is_self(a->me, &a->row.who);
    *taken = true;
    if (content->type == CONTENT_LIST || content->type == CONTENT_JOINED) {
        return take_list(a, content);
    }
    if (own) {
        return take_mirrored(a, content);
    }
    if (content->type == CONTENT_INVITE_USED) {
        return contact_invite_alarm(a->me, a->step, &a->row.who, content->invite);
    }
    *taken = content->type >= CONTENT_REQUEST;
    return ERR_OK;
}

/* What came from somebody whom we asked is their yes. A device that we ask to join has none. */
static enum err take_answer(struct arrival *a)
{
    struct account_row account;
    enum err err = account_row_get(a->step, a->me->keys, &account);
    bool linking = err == ERR_OK && account.linking == a->row.who.number;
    secret_wipe(&account, sizeof account);
    if (err != ERR_OK || linking) {
        return err;
    }
    a->who_changed = true;
    err = contact_became(a->me, a->step, &a->row.who);
    if (err == ERR_OK) {
        err = mirror_contact(a->me, a->step, &a->row.who);
    }
    struct work *work = work_find(a->me, a->row.number);
    if (work != NULL) {
        work_wake(work); /* messages that waited for this */
    }
    return err;
}

/* One content, as if it had come alone. */
static enum err take_one(struct arrival *a, struct slice bytes)
{
    struct content content;
    bool taken = true;
    enum err err = ERR_OK;
    if (content_decode(bytes, &content) != ERR_OK) {
        return ERR_OK; /* acknowledged, since no retry would make it better */
    }
    if (content.type == CONTENT_REQUEST && contact_is_self(a->me, &a->row.who)) {
        return ERR_OK; /* of a device that joined by it */
    }
    if (content.type == CONTENT_REQUEST) {
        return take_request(a, &content);
    }
    if (a->row.who.state == CONTACT_INCOMING) {
        return ERR_OK; /* nothing but the request before it is accepted; messages are too_early */
    }
    if (a->row.who.state != CONTACT_ACCEPTED) {
        err = take_answer(a);
    }
    if (err == ERR_OK) {
        err = take_control(a, &content, &taken);
    }
    return err != ERR_OK || taken ? err : take_message(a, bytes, &content);
}

/* What the body held: one content, or a batch in its order. */
static enum err take_content(struct arrival *a)
{
    struct batch batch;
    if (batch_read(a->in.content, &batch) != ERR_OK) {
        return ERR_OK; /* as with one that is out of form */
    }
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch.count && !a->gone; i++) {
        struct arena_mark mark = arena_mark(a->step->turn->arena);
        err = take_one(a, batch.content[i]);
        if (!a->who_changed) {                        /* its slices may lie there */
            arena_rewind(a->step->turn->arena, mark); /* many batches come in one turn */
        }
    }
    return err;
}

/* An earlier one has not come. */
static enum err take_gap(struct arrival *a)
{
    if (!a->in.gap || a->in.reset) {
        return ERR_OK;
    }
    struct event event = event_begin(a->step, "message.gap", 256);
    event_contact(&event, &a->row);
    return event_commit(a->step, a->me->keys, &event);
}

static bool is_given_up(const struct arrival *a)
{
    return (a->row.retired >> a->slot & 1) != 0;
}

/* One of us went back to an earlier state. After all else: what is acknowledged is not sealed anew.
 */
static enum err take_reset(struct arrival *a)
{
    bool begun;
    bool forked = session_forked(a->s) && !is_given_up(a);
    if (!a->in.reset && !a->in.behind && !forked) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    if (a->in.behind) {
        err = healing_again(a->me, a->step, &a->row, session_id(a->s));
        err = err == ERR_OK ? peer_row_put(a->step, a->me->keys, &a->row) : err;
    }
    if (err == ERR_OK) {
        err = healing_begin(a->me, a->step, &a->row, a->in.behind ? HEALING_OURS : HEALING_THEIRS,
                            &begun);
    }
    return err == ERR_OK && !begun && forked ? healing_later(a->me, a->step, &a->row) : err;
}

static enum err take_tokens(struct arrival *a)
{
    uint64_t have;
    enum err err = token_row_count(a->step, a->me->keys, a->row.number, &have);
    if (err != ERR_OK || a->in.tokens.len % TOKEN != 0 ||
        have + a->in.tokens.len / TOKEN > LIMIT_TOKEN_STOCK_MAX) {
        return err;
    }
    struct work *work = work_find(a->me, a->row.number);
    if (work != NULL && work->gave_up && a->in.tokens.len > 0) {
        work_wake(work); /* the price of a stamp was too high; now none is needed */
        a->row.failed = 0;
    }
    return token_row_add(a->step, a->me->keys, a->row.number, a->in.tokens);
}

/* Where their queues are by now. */
static enum err take_route(struct arrival *a)
{
    struct device_place first;
    struct slice second;
    uint64_t since;
    if (a->in.route.len == 0 || !a->in.has_content || a->in.duplicate ||
        route_read(a->in.route, &since, &first, &second) != ERR_OK) {
        return ERR_OK; /* the last: like content that is out of form */
    }
    if (since < a->row.queues_ms) {
        return ERR_OK; /* it was under way for long, and they have moved on since */
    }
    a->row.queues_ms = since;
    bool same = a->row.has_queue && address_equal(&first.relay, &a->row.queue_relay) &&
                memcmp(first.key.b, a->row.queue.b, sizeof first.key.b) == 0;
    a->row.second = second;
    if (same) {
        return ERR_OK;
    }
    a->row.has_queue = true;
    a->row.queue_relay = first.relay;
    a->row.queue = first.key;
    return outbox_moved(a->me, a->step, a->row.number);
}

/* When they were there: not when we fetched it, which may be much later. */
static void note_spoke(struct arrival *a)
{
    uint64_t now = step_now(a->step);
    uint64_t then = a->deposited_ms < now ? a->deposited_ms : now;
    struct work *work = work_find(a->me, a->row.number);
    a->row.spoke_ms = then > a->row.spoke_ms ? then : a->row.spoke_ms;
    if (work != NULL) {
        work_heard(work, a->deposited_ms - home_ahead(a->home));
    }
}

/* Whatever came with it: the relay has taken the token, and so it will not be voided. */
static enum err token_spent(struct arrival *a, struct peer_row *row)
{
    if (a->token_of != row->number) {
        return ERR_OK;
    }
    return stock_spent(a->step->turn->arena, row, a->counter);
}

/* The same for an envelope that changed nothing (of a blocked contact, say, or one that was opened
 * before), and for what waits to be voided. */
enum err arrival_token(struct arrival *a)
{
    struct peer_row row;
    if (a->token_of == 0) {
        return ERR_OK;
    }
    enum err err = voiding_spent(a->me, a->step, a->token_of, a->counter);
    if (err == ERR_OK && !(a->taken && a->token_of == a->row.number)) {
        err = peer_row_get(a->step, a->me->keys, a->token_of, &row);
        if (err == ERR_OK) {
            err = token_spent(a, &row);
        }
        if (err == ERR_OK) {
            err = peer_row_put(a->step, a->me->keys, &row);
        }
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err arrival_take(struct arrival *a)
{
    struct step *step = a->step;
    struct seal_keys *keys = a->me->keys;
    struct slice saved;
    a->taken = true;
    if (a->token_of == a->row.number) {
        stock_came_back(&a->row, a->counter, step_now(step), a->deposited_ms);
    }
    if (a->stamped) {
        stock_was_empty(&a->row, step_now(step));
    }
    if (!healing_asks(&a->row) || a->row.begun == a->slot + 1) {
        a->row.first_sent = 0; /* else it is no answer to what we began: that may not open there */
    }
    a->row.heard_ms = step_now(a->step);
    a->row.heard_count++;
    if (!session_forked(a->s) && !is_given_up(a)) {
        healing_heard(a->me, &a->row);
    }
    note_spoke(a);
    enum err err = healing_answered(a->me, step, &a->row, a->slot);
    if (a->in.has_content && !a->in.duplicate) {
        healing_used(&a->row, a->slot, a->deposited_ms);
    }
    a->row.heard |= (uint8_t)(1U << a->slot);
    if (err == ERR_OK) {
        err = token_spent(a, &a->row);
    }
    if (err == ERR_OK) {
        err = take_gap(a);
    }
    bool leaving = a->row.leaving != 0; /* no word of its counts; what it has is acknowledged */
    if (err == ERR_OK && a->in.has_content && !a->in.duplicate && !leaving) {
        err = take_content(a);
    }
    if (err == ERR_OK && a->gone) {
        return ERR_OK; /* it was the last word of that device */
    }
    if (err == ERR_OK && !leaving) {
        err = take_route(a);
    }
    if (err == ERR_OK && !leaving) {
        err = take_tokens(a);
    }
    if (err == ERR_OK) {
        err = session_save(a->s, step->turn->arena, &saved);
    }
    if (err == ERR_OK) {
        err = session_row_put(step, keys, a->row.number, a->slot, saved);
    }
    if (err == ERR_OK) {
        err = peer_row_put(step, keys, &a->row);
    }
    if (err == ERR_OK && a->who_changed) {
        err = contact_row_put(step, keys, &a->row.who);
    }
    bool another = false;
    if (err == ERR_OK) {
        err = outbox_compare(a->me, step, &a->row, a->s, &a->in, &another);
    }
    a->in.behind |= another; /* they have what we sent before we went back */
    if (err == ERR_OK && !a->in.behind) {
        err = outbox_acked(a->me, step, &a->row, a->s);
    }
    return err == ERR_OK ? take_reset(a) : err;
}
