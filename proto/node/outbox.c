/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: content on its way out, kept until the other device has acknowledged it end to end.
 * docs/protocol/07-node.md, section 4.
 *
 * An entry is sealed when its turn to leave has come, in the same turn as its first deposit, and a
 * retry sends identical bytes. One deposit a contact is under way at a time: so the relay stores
 * them, and the reader gets them, in the order in which they were written.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "crypto/pad.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "relay/queue.h"

#define OUTBOX_ACKS (UINT64_C(1) << 63) /* orders from here on are ack-only bodies */

enum {
    OUTBOX_LOOK_MS = 3600000,       /* between looks at what nobody acknowledged */
    OUTBOX_AGAIN_MS = 24 * 3600000, /* unacknowledged so long: deposit again, or ask again */
    OUTBOX_LIFETIME = 3,            /* class of lifetime: 30 days */
    OUTBOX_SCAN = 64,               /* entries looked at behind the first unacknowledged one */
    OUTBOX_FIELD = 4,               /* encoding of the tokens beside the tokens themselves */
};

bool mining_step(struct mining *mining, const struct stamp_goal *goal, unsigned bits,
                 unsigned *budget)
{
    bool fits = mining->wanted && mining->bits == bits &&
                memcmp(mining->goal.target, goal->target, sizeof goal->target) == 0 &&
                memcmp(mining->goal.payload, goal->payload, sizeof goal->payload) == 0 &&
                goal->minute - mining->goal.minute < LIMIT_STAMP_MINUTES / 2;
    if (!fits) {
        *mining = (struct mining){.wanted = true, .goal = *goal, .bits = bits};
    }
    if (!mining->found && *budget > 0) {
        mining->found = stamp_mine(&mining->goal, bits, *budget, &mining->nonce);
        *budget = 0;
    }
    return mining->found;
}

/* --- links --- */

enum err outbox_link(struct node *node, struct step *step, const struct address *address,
                     struct node_link **link)
{
    struct dh_sk key;
    env_random(step->turn->env, key.b, sizeof key.b); /* a fresh key: anonymous */
    enum err err = links_connect(&node->links, step, LINK_ANONYMOUS, address, &key, link);
    secret_wipe(&key, sizeof key);
    return err;
}

void outbox_link_opened(struct node *node, const struct node_link *link)
{
    (void)link;
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        for (struct work *work = node->work[i]; work != NULL; work = work->next) {
            work_resume(work);
        }
    }
}

/* Whether the contact's next request would go over a link to this address. */
static enum err uses_address(struct node *node, struct step *step, const struct work *work,
                             const struct address *address, bool *uses)
{
    struct contact_row row;
    enum err err = contact_row_get(step, node->keys, work->contact, &row);
    if (err != ERR_OK) {
        *uses = false;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    const struct address *wanted = contact_slot(&row) >= 0 ? &row.queue_relay
                                   : row.has_record        ? &row.relay
                                                           : &node->home.address;
    *uses = address_equal(wanted, address);
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

/* Who waits for an event may have waited for this link to open. */
static enum err waiter_link_closed(struct node *node, struct step *step, struct work *work,
                                   const struct address *address, enum err reason)
{
    bool uses;
    if (work->in_flight || work->gave_up || work->due != UINT64_MAX) {
        return ERR_OK;
    }
    struct arena_mark mark = arena_mark(step->turn->arena);
    enum err err = uses_address(node, step, work, address, &uses);
    arena_rewind(step->turn->arena, mark);
    if (err == ERR_OK && uses) {
        work_fail(node, step, work, reason, 0);
    } else if (err == ERR_OK) {
        work_wake(work); /* the contact's relay, or ours, is another by now: look where it is */
    }
    return err;
}

enum err outbox_link_closed(struct node *node, struct step *step, const struct node_link *link,
                            enum err reason)
{
    if (reason == ERR_OK) {
        reason = ERR_LINK_CLOSED;
    }
    for (size_t i = 0; link->requests != NULL && i < LINK_REQUESTS; i++) {
        const struct link_request *request = &link->requests[i];
        struct work *work = request->id != 0 ? work_find(node, request->contact) : NULL;
        if (work != NULL && work->in_flight) {
            work->in_flight = false;
            work_fail(node, step, work, reason, 0);
        }
    }
    for (size_t i = 0; node->keys != NULL && i < WORK_SLOTS; i++) {
        for (struct work *work = node->work[i]; work != NULL; work = work->next) {
            enum err err = waiter_link_closed(node, step, work, &link->address, reason);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

/* --- entries --- */

enum err outbox_next_order(struct node *node, struct step *step, uint32_t contact, uint64_t *order)
{
    struct message_row message;
    struct outbox_row entry;
    uint64_t last = 0;
    uint64_t at = 0;
    enum err err = message_row_before(step, node->keys, contact, UINT64_MAX, &last, &message);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    err = outbox_row_before(step, node->keys, contact, OUTBOX_ACKS, &at, &entry);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *order = (last > at ? last : at) + 1;
    return ERR_OK;
}

enum err outbox_add(struct node *node, struct step *step, uint32_t contact, struct slice content,
                    bool message, uint64_t *order)
{
    struct outbox_row entry = {
        .state = OUTBOX_WAITING, .created = step_now(step), .content = content};
    enum err err = outbox_next_order(node, step, contact, order);
    if (err == ERR_OK) {
        err = outbox_row_put(step, node->keys, contact, *order, &entry);
    }
    if (err == ERR_OK && message) {
        struct message_row row = {
            .state = MESSAGE_WAITING, .time = step_now(step), .content = content};
        err = message_row_put(step, node->keys, contact, *order, &row);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct work *work = work_get(node, contact);
    if (work == NULL) {
        return ERR_NO_MEMORY;
    }
    if (*order < work->head) {
        work->head = *order; /* the place of an entry that was acknowledged and left no message */
    }
    /* A contact whose relay does not answer keeps its back-off. */
    if (work->due == UINT64_MAX || work->trouble == ERR_OK) {
        work_wake(work); /* also when it was given up: the user did something */
    }
    if (work->look_ms == UINT64_MAX) {
        work->look_ms = step_now(step) + OUTBOX_LOOK_MS;
    }
    return ERR_OK;
}

enum err outbox_load(struct node *node, struct step *step)
{
    uint32_t contact = 0;
    enum err err = outbox_contact_next(step, node->keys, 0, &contact);
    while (err == ERR_OK) {
        struct work *work = work_get(node, contact);
        if (work == NULL) {
            return ERR_NO_MEMORY;
        }
        work_wake(work);
        work->look_ms = step_now(step) + OUTBOX_LOOK_MS;
        work->ack_due = step_now(step); /* the session says whether one is owed */
        err = outbox_contact_next(step, node->keys, contact, &contact);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_count(struct node *node, struct step *step, uint64_t *count)
{
    return outbox_rows(step, node->keys, count);
}

/* --- what became of a message --- */

/* Notes the state in the history and tells clients; nothing for content that has no history. */
static enum err message_became(struct node *node, struct step *step, uint32_t contact,
                               uint64_t order, enum message_state state, enum err trouble)
{
    struct message_row row;
    struct contact_row who;
    struct content content;
    enum err err = message_row_get(step, node->keys, contact, order, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (row.state >= state || content_decode(row.content, &content) != ERR_OK) {
        return ERR_OK;
    }
    row.state = state;
    err = message_row_put(step, node->keys, contact, order, &row);
    if (err == ERR_OK) {
        err = contact_row_get(step, node->keys, contact, &who);
    }
    if (err != ERR_OK) {
        return err;
    }
    char id[ID_TEXT];
    char hex[2 * CONTENT_ID + 1];
    id_encode(who.id.b, id);
    hex_encode(content.id, sizeof content.id, hex);
    struct event event = event_begin(step,
                                     state == MESSAGE_AT_RELAY    ? "message.at-relay"
                                     : state == MESSAGE_DELIVERED ? "message.delivered"
                                                                  : "message.failed",
                                     512);
    event_text(&event, "contact", id);
    event_text(&event, "message", hex);
    if (trouble != ERR_OK) {
        event_text(&event, "error", err_name(trouble));
    }
    return event_commit(step, node->keys, &event);
}

enum err outbox_acked(struct node *node, struct step *step, uint32_t contact,
                      const struct session *s)
{
    struct outbox_row row;
    uint64_t order = 0;
    unsigned behind = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && behind < OUTBOX_SCAN) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, node->keys, contact, &order, &row);
        if (err == ERR_OK && order >= OUTBOX_ACKS) {
            err = ERR_NOT_FOUND;
        }
        if (err == ERR_OK && row.state != OUTBOX_WAITING && session_acked(s, row.seq) &&
            memcmp(row.session, session_id(s), SESSION_T) == 0) {
            err = outbox_row_del(step, node->keys, contact, order);
            if (err == ERR_OK) {
                err = message_became(node, step, contact, order, MESSAGE_DELIVERED, ERR_OK);
            }
        } else {
            behind++;
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    struct work *work = work_find(node, contact);
    if (work != NULL) {
        work_resume(work); /* a session that was full may go on */
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- sealing --- */

/* Tokens for our queue that fit beside content in the envelope that content needs. */
static enum err mint(struct node *node, struct step *step, struct contact_row *row,
                     const struct session *s, size_t content_len, struct slice *tokens)
{
    uint32_t out = row->minted - row->seen; /* that the other side may still hold */
    size_t room = 0;
    for (unsigned class = 0; class < LIMIT_ENVELOPE_CLASSES && room == 0; class ++) {
        if (session_room(s, class) >= content_len) {
            room = session_room(s, class) - content_len;
            break;
        }
    }
    size_t n = out >= LIMIT_TOKEN_STOCK ? 0 : LIMIT_TOKEN_STOCK - out;
    if (n > LIMIT_TOKENS_PER_BODY) {
        n = LIMIT_TOKENS_PER_BODY;
    }
    if (room < OUTBOX_FIELD || n > (room - OUTBOX_FIELD) / TOKEN) {
        n = room < OUTBOX_FIELD ? 0 : (room - OUTBOX_FIELD) / TOKEN;
    }
    *tokens = slice_of(NULL, 0);
    struct relay_row relay;
    enum err err = n == 0 ? ERR_NOT_FOUND : relay_row_get(step, node->keys, &relay);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct sign_pk queue;
    struct token_key k;
    struct token_siv_key siv;
    home_queue(&relay, &queue);
    home_token_keys(&relay, &queue, &k, &siv);
    uint8_t *p = arena_alloc(step->turn->arena, n * TOKEN);
    for (size_t i = 0; p != NULL && i < n; i++) {
        struct token token;
        token_mint(&k, &siv, &queue, row->number, ++row->minted, token_epoch(step_now(step)),
                   &token);
        memcpy(p + i * TOKEN, token.b, TOKEN);
    }
    secret_wipe(&relay, sizeof relay);
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
    *tokens = slice_of(p, n * TOKEN);
    return p == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Seals content (or an ack-only body, when it is empty) into entry; saves session and contact.
 * ERR_NOT_NOW: too much is unacknowledged, or an ack-only body is not owed. */
static enum err seal_entry(struct node *node, struct step *step, struct contact_row *row,
                           uint8_t slot, struct outbox_row *entry)
{
    struct arena *arena = step->turn->arena;
    struct slice saved;
    struct session *s = session_new();
    enum err err =
        s == NULL ? ERR_NO_MEMORY : session_row_get(step, node->keys, row->number, slot, &saved);
    if (err == ERR_OK) {
        err = session_load(s, saved);
    }
    if (err == ERR_OK && entry->ack_only && !session_owes_ack(s)) {
        err = ERR_NOT_NOW;
    }
    struct session_out out = {.content = entry->content};
    if (err == ERR_OK) {
        err = mint(node, step, row, s, out.content.len, &out.tokens);
    }
    if (err == ERR_OK) {
        err = session_seal(s, step->turn->env, arena, &out, &entry->envelope, &entry->seq);
    }
    if (err == ERR_OK) {
        memcpy(entry->session, session_id(s), SESSION_T);
        entry->state = OUTBOX_SEALED;
        err = session_save(s, arena, &saved);
    }
    session_free(s);
    if (err == ERR_OK) {
        err = session_row_put(step, node->keys, row->number, slot, saved);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, node->keys, row);
    }
    return err == ERR_BACKPRESSURE ? ERR_NOT_NOW : err;
}

/* --- depositing --- */

/* A token for this entry, or a stamp; *ready when there is one. */
static enum err admission(struct node *node, struct step *step, struct work *work,
                          const struct contact_row *row, uint64_t order, struct outbox_row *entry,
                          struct relay_admission *out, bool *ready)
{
    *out = (struct relay_admission){.stamp = false};
    if (entry->token.len == 0) {
        uint8_t *token = arena_alloc(step->turn->arena, TOKEN);
        if (token == NULL) {
            return ERR_NO_MEMORY;
        }
        enum err err = token_row_take(step, node->keys, row->number, token);
        if (err == ERR_OK) {
            entry->token = slice_of(token, TOKEN);
            err = outbox_row_put(step, node->keys, row->number, order, entry);
        }
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            return err;
        }
    }
    *ready = entry->token.len == TOKEN;
    if (*ready) {
        memcpy(out->token.b, entry->token.p, TOKEN);
        return ERR_OK;
    }
    struct stamp_goal goal = {.relay = row->queue_relay.node_id,
                              .minute = (uint32_t)(step_now(step) / LIMIT_MINUTE_MS)};
    memcpy(goal.target, row->queue.b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &entry->envelope, 1);
    *ready =
        mining_step(&work->mining, &goal, work->bits > 0 ? work->bits : LIMIT_STAMP_DEPOSIT_BITS,
                    &node->mining_budget);
    out->stamp = true;
    out->stamp_minute = work->mining.goal.minute;
    out->stamp_nonce = work->mining.nonce;
    return ERR_OK;
}

/* Sends the deposit of a sealed entry. */
static enum err deposit(struct node *node, struct step *step, struct work *work,
                        const struct contact_row *row, uint64_t order, struct outbox_row *entry)
{
    struct node_link *link;
    enum err err = outbox_link(node, step, &row->queue_relay, &link);
    if (err != ERR_OK || !link->open) {
        return err; /* its opening or closing says when to go on */
    }
    struct queue_deposit request = {
        .queue = row->queue, .lifetime = OUTBOX_LIFETIME, .envelope = entry->envelope};
    bool ready;
    err = admission(node, step, work, row, order, entry, &request.admission, &ready);
    if (err != ERR_OK) {
        return err;
    }
    if (!ready) {
        work_wake(work); /* the search for a stamp goes on in the next turn */
        return ERR_OK;
    }
    struct writer w = step_writer(step, entry->envelope.len + 512);
    queue_deposit_write(&w, &request);
    return work_request(work, step, link, FRAME_QUEUE_DEPOSIT, writer_done(&w), order);
}

/* Seals the entry when it waits, then deposits it. */
static enum err send_entry(struct node *node, struct step *step, struct work *work,
                           struct contact_row *row, uint64_t order, struct outbox_row *entry)
{
    enum err err = ERR_OK;
    if (entry->state == OUTBOX_WAITING) {
        err = seal_entry(node, step, row, (uint8_t)contact_slot(row), entry);
        if (err == ERR_NOT_NOW) {
            return ERR_OK; /* an acknowledgement will wake us */
        }
        if (err == ERR_OK) {
            err = outbox_row_put(step, node->keys, row->number, order, entry);
        }
    }
    return err == ERR_OK ? deposit(node, step, work, row, order, entry) : err;
}

/* Whether content may leave now: talk only among contacts, control content always. */
static bool may_leave(const struct contact_row *row, const struct outbox_row *entry)
{
    struct content content;
    return contact_may_talk(row) ||
           (content_decode(entry->content, &content) == ERR_OK && content.type >= CONTENT_REQUEST);
}

/* Makes an ack-only entry for each session that still owes one: each acknowledges its own. None is
 * made while one waits to leave: a receiver can skip only so many. */
static enum err make_acks(struct node *node, struct step *step, struct work *work,
                          struct contact_row *row)
{
    uint64_t now = step_now(step);
    uint64_t order = OUTBOX_ACKS;
    struct outbox_row entry;
    work->ack_due = UINT64_MAX;
    if (row->state == CONTACT_BLOCKED) {
        return ERR_OK;
    }
    enum err err = outbox_row_next(step, node->keys, row->number, &order, &entry);
    work->ack_again = err == ERR_OK;
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = ERR_OK;
    for (uint8_t slot = 0; err == ERR_OK && slot < LIMIT_SESSIONS_PER_PAIR; slot++) {
        if (((row->sessions & row->heard) >> slot & 1) == 0) {
            continue;
        }
        entry = (struct outbox_row){.ack_only = true, .created = now};
        err = seal_entry(node, step, row, slot, &entry);
        if (err == ERR_OK) {
            work->acked_ms = now;
            err = outbox_row_put(step, node->keys, row->number, OUTBOX_ACKS | now << 3 | slot,
                                 &entry);
        } else if (err == ERR_NOT_NOW) {
            err = ERR_OK;
        }
    }
    return err;
}

/* The entry to send next: an ack-only body first, then the oldest that is not at the relay. */
static enum err next_entry(struct node *node, struct step *step, struct work *work, uint64_t *order,
                           struct outbox_row *entry)
{
    *order = OUTBOX_ACKS;
    enum err err = outbox_row_next(step, node->keys, work->contact, order, entry);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    *order = work->head;
    err = outbox_row_next(step, node->keys, work->contact, order, entry);
    while (err == ERR_OK && entry->state == OUTBOX_AT_RELAY) {
        work->head = ++*order;
        err = outbox_row_next(step, node->keys, work->contact, order, entry);
    }
    return err;
}

/* The entry will not be sent again: its session must not wait for its acknowledgement. */
static enum err forget(struct node *node, struct step *step, const struct contact_row *row,
                       const struct outbox_row *entry)
{
    int slot = LIMIT_SESSIONS_PER_PAIR - 1;
    while (slot >= 0 && ((row->sessions >> slot & 1) == 0 ||
                         memcmp(row->session_id[slot], entry->session, SESSION_T) != 0)) {
        slot--;
    }
    if (slot < 0 || entry->ack_only || entry->state == OUTBOX_WAITING) {
        return ERR_OK;
    }
    struct slice saved;
    struct session *s = session_new();
    enum err err = s == NULL
                       ? ERR_NO_MEMORY
                       : session_row_get(step, node->keys, row->number, (uint8_t)slot, &saved);
    if (err == ERR_OK) {
        err = session_load(s, saved);
    }
    if (err == ERR_OK) {
        session_forget(s, entry->seq);
        err = session_save(s, step->turn->arena, &saved);
    }
    session_free(s);
    return err == ERR_OK ? session_row_put(step, node->keys, row->number, (uint8_t)slot, saved)
                         : err;
}

/* Takes an entry out for good. Its message has failed, unless the relay has it: then it may still
 * arrive, and does not when its time is over. */
static enum err give_up(struct node *node, struct step *step, const struct contact_row *row,
                        uint64_t order, const struct outbox_row *entry, enum err why)
{
    enum err err = forget(node, step, row, entry);
    if (err == ERR_OK) {
        err = outbox_row_del(step, node->keys, row->number, order);
    }
    bool arrives = entry->state == OUTBOX_AT_RELAY && why != ERR_EXPIRED;
    return err == ERR_OK && !entry->ack_only && !arrives
               ? message_became(node, step, row->number, order, MESSAGE_FAILED, why)
               : err;
}

enum err outbox_clear(struct node *node, struct step *step, const struct contact_row *row,
                      enum err why)
{
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, node->keys, row->number, &order, &entry);
        if (err == ERR_OK) {
            err = give_up(node, step, row, order, &entry, why);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Looks after one entry that has been at the relay, or has waited, for long. */
static enum err look_at(struct node *node, struct step *step, struct work *work,
                        const struct contact_row *row, uint64_t order, struct outbox_row *entry)
{
    uint64_t now = step_now(step);
    if (now - entry->created >= LIMIT_OUTBOX_DAYS * LIMIT_DAY_MS) {
        work_resume(work); /* a session that was full may go on */
        return give_up(node, step, row, order, entry, ERR_EXPIRED);
    }
    if (entry->state != OUTBOX_AT_RELAY || now - entry->at_relay_ms < OUTBOX_AGAIN_MS) {
        return ERR_OK;
    }
    if (row->heard_ms > entry->at_relay_ms) {
        /* They were there since, and did not get it: with its token the relay would say that it has
         * it already. While they sleep that is just what it shall say. */
        entry->token = slice_of(NULL, 0);
    }
    entry->state = OUTBOX_SEALED;
    work->head = order < work->head ? order : work->head;
    work_resume(work);
    return outbox_row_put(step, node->keys, row->number, order, entry);
}

/* Looks after all entries of a contact. */
static enum err look(struct node *node, struct step *step, struct work *work,
                     struct contact_row *row)
{
    uint64_t now = step_now(step);
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    work->look_ms = now + OUTBOX_LOOK_MS;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, node->keys, row->number, &order, &entry);
        if (err == ERR_OK) {
            err = look_at(node, step, work, row, order, &entry);
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    if (err == ERR_NOT_FOUND && row->first_sent != 0 && now - row->first_sent >= OUTBOX_AGAIN_MS) {
        return contact_restart(node, step, work, row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Does what is due for one contact. *idle: there is nothing left to do. */
static enum err progress(struct node *node, struct step *step, struct work *work, bool *idle)
{
    uint64_t now = step_now(step);
    struct contact_row row;
    struct outbox_row entry;
    uint64_t order;
    bool ready = false;
    *idle = false;
    enum err err = contact_row_get(step, node->keys, work->contact, &row);
    if (err != ERR_OK || row.state == CONTACT_BLOCKED) {
        *idle = err == ERR_OK || err == ERR_NOT_FOUND;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (work->look_ms <= now) {
        err = look(node, step, work, &row);
    }
    if (err == ERR_OK && work->due <= now && !work->in_flight) {
        work->due = UINT64_MAX;
        err = next_entry(node, step, work, &order, &entry);
        if (err == ERR_OK) {
            err = contact_progress(node, step, work, &row, &ready);
        }
        if (err == ERR_OK && ready && (entry.ack_only || may_leave(&row, &entry))) {
            err = send_entry(node, step, work, &row, order, &entry);
        }
    }
    /* A body that just left carried the acknowledgement; else it goes alone. */
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && work->ack_due <= now && !work->in_flight) {
        bool backs_off = work->due > now && work->due != UINT64_MAX;
        err = make_acks(node, step, work, &row);
        order = OUTBOX_ACKS;
        if (err == ERR_OK && !backs_off) {
            err = outbox_row_next(step, node->keys, work->contact, &order, &entry);
        }
        if (err == ERR_OK && !backs_off) {
            err = send_entry(node, step, work, &row, order, &entry);
        }
    }
    if (err == ERR_NOT_FOUND) {
        uint64_t any = 0;
        err = outbox_row_next(step, node->keys, work->contact, &any, &entry);
        *idle = err == ERR_NOT_FOUND && work->ack_due == UINT64_MAX && !work->in_flight &&
                now - work->acked_ms >= LIMIT_ACK_INTERVAL_MS;
        if (err == ERR_NOT_FOUND && !*idle && work->due == UINT64_MAX) {
            work->due = work->acked_ms + LIMIT_ACK_INTERVAL_MS; /* only to be dropped then */
        }
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_progress(struct node *node, struct step *step)
{
    uint64_t now = step_now(step);
    if (node->keys == NULL || node->work_count == 0) {
        return ERR_OK;
    }
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        struct work *next;
        for (struct work *work = node->work[i]; work != NULL; work = next) {
            bool idle = false;
            next = work->next;
            if ((work->due <= now && !work->in_flight) || work->look_ms <= now ||
                (work->ack_due <= now && !work->in_flight)) {
                struct arena_mark mark = arena_mark(step->turn->arena);
                enum err err = progress(node, step, work, &idle);
                arena_rewind(step->turn->arena, mark);
                if (err_class(err) == ERR_CLASS_LOCAL) {
                    return err;
                }
                if (err != ERR_OK) {
                    work_fail(node, step, work, err, 0); /* one contact's trouble, not the node's */
                }
            }
            if (idle) {
                work_drop(node, work->contact);
            }
        }
    }
    return ERR_OK;
}

/* --- the relay's answer --- */

/* The relay has the entry on disk. */
static enum err at_relay(struct node *node, struct step *step, struct work *work, uint64_t order,
                         struct outbox_row *entry)
{
    work->attempts = 0;
    work->trouble = ERR_OK;
    work->bits = 0;
    work->mining = (struct mining){.wanted = false};
    work_wake(work);
    if (entry->ack_only) {
        if (work->ack_again && work->ack_due == UINT64_MAX) {
            work->ack_due = work->acked_ms + LIMIT_ACK_INTERVAL_MS;
        }
        return outbox_row_del(step, node->keys, work->contact, order);
    }
    entry->state = OUTBOX_AT_RELAY;
    entry->at_relay_ms = step_now(step);
    enum err err = outbox_row_put(step, node->keys, work->contact, order, entry);
    struct contact_row row;
    if (err == ERR_OK) {
        err = contact_row_get(step, node->keys, work->contact, &row);
    }
    if (err == ERR_OK && row.state == CONTACT_RESOLVING) {
        row.state = CONTACT_REQUESTED;
        err = contact_row_put(step, node->keys, &row);
    }
    return err == ERR_OK
               ? message_became(node, step, work->contact, order, MESSAGE_AT_RELAY, ERR_OK)
               : err;
}

/* The relay refused: what to change, and when to try again. */
static enum err refused(struct node *node, struct step *step, struct work *work, uint64_t order,
                        struct outbox_row *entry, const struct queue_deposit_reply *reply)
{
    enum err refusal = reply->head.err;
    bool had_token = entry->token.len > 0;
    work->mining = (struct mining){.wanted = false};
    if ((refusal == ERR_BAD_TOKEN || refusal == ERR_TOKEN_SPENT) && had_token) {
        entry->token = slice_of(NULL, 0); /* the next one, or a stamp */
        work_wake(work);
        return outbox_row_put(step, node->keys, work->contact, order, entry);
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits <= LIMIT_STAMP_BITS_MAX &&
        reply->stamp_bits > work->bits) {
        work->bits = reply->stamp_bits;
        work_wake(work);
        return ERR_OK;
    }
    work_fail(node, step, work, refusal, reply->head.retry_after_ms);
    return ERR_OK;
}

enum err outbox_reply(struct node *node, struct step *step, struct work *work,
                      const struct link_request *request, struct slice body)
{
    struct queue_deposit_reply reply;
    struct outbox_row entry;
    work->in_flight = false;
    enum err err = queue_deposit_reply_read(body, &reply);
    if (err != ERR_OK) {
        return err;
    }
    err = outbox_row_get(step, node->keys, work->contact, request->order, &entry);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && entry.state == OUTBOX_WAITING)) {
        work_wake(work); /* acknowledged end to end, or sealed anew, in the meantime */
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    return reply.head.err == ERR_OK ? at_relay(node, step, work, request->order, &entry)
                                    : refused(node, step, work, request->order, &entry, &reply);
}
