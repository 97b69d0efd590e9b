/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: content on its way out, kept until the other device has acknowledged it end to end.
 * docs/protocol/07-node.md, section 4.
 *
 * An entry is sealed when its turn to leave has come, in the same turn as its first deposit, and a
 * retry sends identical bytes. One deposit a contact is under way at a time: so the relay stores
 * them, and the reader gets them, in the order in which they were written.
 */
#include <assert.h>
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/home_keys.h"
#include "node/stock.h"
#include "relay/queue.h"
#include "relay/receipt.h"

enum {
    OUTBOX_LIFETIME = 3, /* class of lifetime: 30 days */
    OUTBOX_SCAN = 64,    /* entries looked at behind the first unacknowledged one */
    OUTBOX_FIELD = 4,    /* encoding of the tokens beside the tokens themselves */
};

static_assert((int)ROW_RECEIPT == (int)RELAY_RECEIPT, "a row holds any receipt");

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
        work->look_ms = step_now(step) + LIMIT_OUTBOX_LOOK_MS;
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
        work->look_ms = step_now(step) + LIMIT_OUTBOX_LOOK_MS;
        err = outbox_contact_next(step, node->keys, contact, &contact);
    }
    if (err == ERR_NOT_FOUND) {
        err = owed_row_next(step, node->keys, 0, &contact);
    }
    while (err == ERR_OK) {
        struct work *work = work_get(node, contact);
        if (work == NULL) {
            return ERR_NO_MEMORY;
        }
        work->ack_due = step_now(step);
        err = owed_row_next(step, node->keys, contact, &contact);
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

/* Tokens for our queue that fit beside content in the envelope that content needs. A body without
 * content takes the next larger one for a contact whose stock is low. */
static enum err mint(struct node *node, struct step *step, struct contact_row *row,
                     const struct session *s, size_t content_len, struct slice *tokens)
{
    size_t room = 0;
    unsigned smallest = content_len == 0 && stock_is_low(row, step_now(step)) ? 1 : 0;
    for (unsigned class = smallest; class < LIMIT_ENVELOPE_CLASSES && room == 0; class ++) {
        if (session_room(s, class) >= content_len) {
            room = session_room(s, class) - content_len;
            break;
        }
    }
    size_t n = stock_room(row, step_now(step));
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

/* Where our queue is, if content may carry it and the contact was not told yet. */
static enum err route(struct node *node, struct step *step, struct contact_row *row,
                      const struct session *s, struct session_out *out)
{
    struct relay_row relay;
    struct device_place place;
    enum err err = relay_row_get(step, node->keys, &relay);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    bool registered = relay.registered;
    place.relay = relay.address;
    home_queue(&relay, &place.key);
    secret_wipe(&relay, sizeof relay);
    uint64_t mark = home_queue_mark(&place.key);
    if (!registered || row->told == mark) {
        return ERR_OK;
    }
    struct writer w = step_writer(step, LIMIT_BODY_ROUTE);
    device_place_write(&w, &place);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    size_t need = out->content.len + w.len + OUTBOX_FIELD;
    if (session_room(s, LIMIT_ENVELOPE_CLASSES - 1) < need) {
        return ERR_OK; /* with the next message */
    }
    if (row->told != 0) {
        stock_reset(row); /* the tokens that they hold are for the old queue */
    }
    row->told = mark;
    out->route = writer_done(&w);
    return ERR_OK;
}

enum err outbox_seal(struct node *node, struct step *step, struct contact_row *row, uint8_t slot,
                     struct outbox_row *entry)
{
    struct arena *arena = step->turn->arena;
    struct slice saved;
    struct session *s = session_new();
    enum err err =
        s == NULL ? ERR_NO_MEMORY : session_row_get(step, node->keys, row->number, slot, &saved);
    if (err == ERR_OK) {
        err = session_load(s, saved);
    }
    if (err == ERR_OK && entry->ack_only && !session_owes_ack(s) &&
        !stock_is_low(row, step_now(step))) {
        err = ERR_NOT_NOW;
    }
    struct session_out out = {.content = entry->content};
    if (err == ERR_OK && !entry->ack_only) {
        err = route(node, step, row, s, &out);
    }
    if (err == ERR_OK) {
        size_t taken = out.content.len + (out.route.len > 0 ? out.route.len + OUTBOX_FIELD : 0);
        err = mint(node, step, row, s, taken, &out.tokens);
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
    bool ready;
    enum err err = foreign_open(node, step, work, &row->queue_relay, &ready);
    if (err != ERR_OK || !ready) {
        return err;
    }
    struct queue_deposit request = {
        .queue = row->queue, .lifetime = OUTBOX_LIFETIME, .envelope = entry->envelope};
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
    return foreign_send(node, step, work, &row->queue_relay, FRAME_QUEUE_DEPOSIT, writer_done(&w),
                        order);
}

/* Seals the entry when it waits, then deposits it. */
enum err outbox_send(struct node *node, struct step *step, struct work *work,
                     struct contact_row *row, uint64_t order, struct outbox_row *entry)
{
    enum err err = ERR_OK;
    if (entry->state == OUTBOX_WAITING) {
        err = outbox_seal(node, step, row, (uint8_t)contact_row_slot(row), entry);
        if (err == ERR_NOT_NOW) {
            return ERR_OK; /* an acknowledgement will wake us */
        }
        if (err == ERR_OK) {
            err = outbox_row_put(step, node->keys, row->number, order, entry);
        }
    }
    return err == ERR_OK ? deposit(node, step, work, row, order, entry) : err;
}

/* --- giving up --- */

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

/* A request leaves no message that could have failed. */
static enum err request_over(struct node *node, struct step *step, const struct contact_row *row,
                             const struct outbox_row *entry)
{
    struct content content;
    bool request = !entry->ack_only && content_decode(entry->content, &content) == ERR_OK &&
                   content.type == CONTENT_REQUEST;
    return request ? contact_alarm(node, step, row, ERR_EXPIRED) : ERR_OK;
}

/* Takes an entry out for good. Its message has failed, unless the relay has it: then it may still
 * arrive, and does not when its time is over. */
enum err outbox_give_up(struct node *node, struct step *step, const struct contact_row *row,
                        uint64_t order, const struct outbox_row *entry, enum err why)
{
    enum err err = forget(node, step, row, entry);
    if (err == ERR_OK) {
        err = outbox_row_del(step, node->keys, row->number, order);
    }
    if (err == ERR_OK && why == ERR_EXPIRED) {
        err = request_over(node, step, row, entry);
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
            err = outbox_give_up(node, step, row, order, &entry, why);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- the relay's answer --- */

/* Whether the relay where the contact's queue is now has signed for the entry's envelope. */
static enum err check_receipt(const struct contact_row *row, const struct outbox_row *entry,
                              const struct queue_deposit_reply *reply)
{
    struct receipt receipt;
    if (reply->outcome != QUEUE_STORED) {
        return ERR_PROTOCOL; /* nothing that we deposit is volatile */
    }
    enum err err = receipt_read(reply->receipt, &receipt);
    return err == ERR_OK
               ? receipt_verify(&receipt, &row->queue_relay.node_id, &row->queue, entry->envelope)
               : err;
}

/* Keeps for the user what is wrong with this relay's receipts, or that nothing is any more. */
static enum err note_receipt(struct node *node, struct step *step, struct work *work,
                             struct contact_row *row, enum err why)
{
    const struct sign_pk *relay = &row->queue_relay.node_id;
    struct slice who = slice_of(relay->b, why == ERR_OK ? 0 : sizeof relay->b);
    if (row->trouble == (uint64_t)why && slice_equal(row->trouble_relay, who)) {
        return ERR_OK;
    }
    row->trouble = (uint64_t)why;
    row->trouble_relay = who;
    work->untroubled = false;
    return contact_row_put(step, node->keys, row);
}

/* The relay has the entry on disk, and has signed for it. */
static enum err at_relay(struct node *node, struct step *step, struct work *work, uint64_t order,
                         struct outbox_row *entry, const struct queue_deposit_reply *reply)
{
    struct contact_row row;
    enum err err = contact_row_get(step, node->keys, work->contact, &row);
    if (err != ERR_OK) {
        return err;
    }
    enum err signature = check_receipt(&row, entry, reply);
    err = note_receipt(node, step, work, &row, signature);
    if (err != ERR_OK) {
        return err;
    }
    if (signature != ERR_OK) {
        work_fail(step, work, signature, 0); /* or the contact's queue is another by now */
        return ERR_OK;
    }
    work->attempts = 0;
    work->trouble = ERR_OK;
    work->bits = 0;
    work->mining = (struct mining){.wanted = false};
    work_wake(work);
    if (entry->ack_only) {
        bool more = work->ack_again || (entry->token.len > 0 && stock_is_low(&row, step_now(step)));
        if (more && work->ack_due == UINT64_MAX) {
            work->ack_due = work->acked_ms + LIMIT_ACK_INTERVAL_MS;
        }
        return outbox_row_del(step, node->keys, work->contact, order);
    }
    entry->state = OUTBOX_AT_RELAY;
    entry->at_relay_ms = step_now(step);
    entry->receipt = reply->receipt;
    err = outbox_row_put(step, node->keys, work->contact, order, entry);
    if (err == ERR_OK && row.state == CONTACT_RESOLVING) {
        row.state = CONTACT_REQUESTED;
        err = contact_row_put(step, node->keys, &row);
    }
    return err == ERR_OK
               ? message_became(node, step, work->contact, order, MESSAGE_AT_RELAY, ERR_OK)
               : err;
}

/* A token that we had not used was spent. Before their first answer it is the invitation's: then
 * somebody else used that. */
static enum err token_spent(struct node *node, struct step *step, const struct work *work)
{
    struct contact_row row;
    enum err err = contact_row_get(step, node->keys, work->contact, &row);
    if (err == ERR_OK && row.invite.len > 0 && row.heard == 0) {
        err = contact_alarm(node, step, &row, ERR_INVITE_USED);
    }
    secret_wipe(&row, sizeof row);
    return err;
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
        enum err err = outbox_row_put(step, node->keys, work->contact, order, entry);
        return err == ERR_OK && refusal == ERR_TOKEN_SPENT ? token_spent(node, step, work) : err;
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > LIMIT_STAMP_BITS_MAX) {
        struct contact_row row;
        enum err err = contact_row_get(step, node->keys, work->contact, &row);
        return err == ERR_OK ? contact_failed(node, step, work, &row, refusal) : err;
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > work->bits) {
        work->bits = reply->stamp_bits;
        work_wake(work);
        return ERR_OK;
    }
    work_fail(step, work, refusal, reply->head.retry_after_ms);
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
    return reply.head.err == ERR_OK ? at_relay(node, step, work, request->order, &entry, &reply)
                                    : refused(node, step, work, request->order, &entry, &reply);
}

/* An entry that its old queue may have: to the new one. */
static enum err moved(struct node *node, struct step *step, uint32_t contact, uint64_t order,
                      struct outbox_row *entry)
{
    if (entry->state == OUTBOX_WAITING) {
        return ERR_OK;
    }
    entry->state = OUTBOX_SEALED;
    entry->token = slice_of(NULL, 0);
    return outbox_row_put(step, node->keys, contact, order, entry);
}

enum err outbox_moved(struct node *node, struct step *step, uint32_t contact)
{
    struct outbox_row entry;
    uint64_t order = 0;
    uint8_t token[ROW_TOKEN];
    struct work *work = work_find(node, contact);
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = token_row_take(step, node->keys, contact, token);
    }
    secret_wipe(token, sizeof token);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, node->keys, contact, &order, &entry);
        if (err == ERR_OK) {
            err = moved(node, step, contact, order, &entry);
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    if (work != NULL) {
        work->head = 0;
        work_wake(work);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
