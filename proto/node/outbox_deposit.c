/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_deposit: an entry on its way to the relay of its peer, and what that relay answers.
 * docs/protocol/07-node.md, section 7.4.
 */
#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/route.h"
#include "node/stock.h"
#include "relay/queue.h"
#include "relay/receipt.h"

enum {
    OUTBOX_LIFETIME = 3, /* class of lifetime: 30 days */
    OUTBOX_TRIES = 2,    /* failures at one queue before the other is tried */
};

static_assert((int)ROW_RECEIPT == (int)RELAY_RECEIPT, "a row holds any receipt");

/* --- depositing --- */

/* Their queue that the next deposit goes to: the first one, or when that failed the second one, in
 * turn; and the other way round for a while after the second one took something. */
static struct device_place choose_place(struct step *step, struct work *work,
                                        const struct peer_row *row)
{
    struct device_place first = {.relay = row->queue_relay, .key = row->queue};
    struct device_place second;
    work->second = false;
    if (!route_second(row, &second)) {
        return first;
    }
    if (work->attempts < OUTBOX_TRIES) {
        work->other = false;
        work->other_at = 0;
    } else if (work->attempts != work->other_at) {
        work->other = !work->other;
        work->other_at = work->attempts;
    }
    work->second = (step_now(step) < work->second_until) != work->other;
    return work->second ? second : first;
}

/* A token of this entry's own. ERR_NOT_FOUND: there is none. */
static enum err take_token(struct account *me, struct step *step, const struct peer_row *row,
                           uint64_t order, struct outbox_row *entry)
{
    if (entry->token.len == TOKEN) {
        return ERR_OK;
    }
    uint8_t *token = arena_alloc(step->turn->arena, TOKEN);
    if (token == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = token_row_take(step, me->keys, row->number, token);
    if (err == ERR_OK) {
        entry->token = slice_of(token, TOKEN);
        err = outbox_row_put(step, me->keys, row->number, order, entry);
    }
    return err;
}

/* A token for this entry, or a stamp; *ready when there is one. Tokens are for the first queue. */
static enum err admission(struct account *me, struct step *step, struct work *work,
                          const struct peer_row *row, const struct device_place *place,
                          uint64_t order, struct outbox_row *entry, struct relay_admission *out,
                          bool *ready)
{
    *out = (struct relay_admission){.stamp = false};
    enum err err = work->second ? ERR_NOT_FOUND : take_token(me, step, row, order, entry);
    if (err == ERR_OK) {
        memcpy(out->token.b, entry->token.p, TOKEN);
        *ready = true;
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    struct stamp_goal goal = {.relay = place->relay.node_id,
                              .minute = home_stamp_minute(me, step, work->attempts)};
    memcpy(goal.target, place->key.b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &entry->envelope, 1);
    *ready =
        mining_step(&work->mining, &goal, work->bits > 0 ? work->bits : LIMIT_STAMP_DEPOSIT_BITS,
                    &me->node->mining_budget);
    out->stamp = true;
    out->stamp_minute = work->mining.goal.minute;
    out->stamp_nonce = work->mining.nonce;
    return ERR_OK;
}

/* Sends the deposit of a sealed entry. */
static enum err deposit(struct account *me, struct step *step, struct work *work,
                        const struct peer_row *row, uint64_t order, struct outbox_row *entry)
{
    bool ready;
    struct device_place place = choose_place(step, work, row);
    enum err err = foreign_open(me, step, work, &place.relay, &ready);
    if (err != ERR_OK || !ready) {
        return err;
    }
    struct queue_deposit request = {
        .queue = place.key, .lifetime = OUTBOX_LIFETIME, .envelope = entry->envelope};
    err = admission(me, step, work, row, &place, order, entry, &request.admission, &ready);
    if (err != ERR_OK) {
        return err;
    }
    if (!ready) {
        work_wake(work); /* the search for a stamp goes on in the next turn */
        return ERR_OK;
    }
    struct writer w = step_writer(step, entry->envelope.len + 512);
    queue_deposit_write(&w, &request);
    secret_wipe(&request.admission, sizeof request.admission);
    work->asked_relay = place.relay.node_id;
    work->asked_queue = place.key;
    return foreign_send(me, step, work, &place.relay, FRAME_QUEUE_DEPOSIT, writer_done(&w), order);
}

/* An envelope that begins a session has our device list in it, and what is to go does not fit
 * beside that: something small goes first, for which the session is answered. */
static enum err knock(struct account *me, struct step *step, struct work *work,
                      struct peer_row *row)
{
    unsigned slot = (unsigned)peer_row_slot(row);
    struct outbox_row word = {.ack_only = true, .anyway = true, .created = step_now(step)};
    if (memcmp(work->knocked, row->session_id[slot], SESSION_T) == 0) {
        return ERR_OK; /* the answer will wake us */
    }
    memcpy(work->knocked, row->session_id[slot], SESSION_T);
    enum err err = contact_word(step, &word.content);
    if (err == ERR_OK) {
        err = outbox_seal(me, step, row, (uint8_t)slot, OUTBOX_ACKS, &word);
    }
    work_wake(work);
    return err == ERR_OK ? outbox_row_put(step, me->keys, row->number,
                                          OUTBOX_ACKS | step_now(step) << 3 | slot, &word)
                         : err;
}

enum err outbox_send(struct account *me, struct step *step, struct work *work, struct peer_row *row,
                     uint64_t order, struct outbox_row *entry)
{
    enum err err = ERR_OK;
    if (entry->state == OUTBOX_WAITING) {
        err = outbox_seal(me, step, row, (uint8_t)peer_row_slot(row), order, entry);
        if (err == ERR_NOT_NOW) {
            return ERR_OK; /* an acknowledgement will wake us */
        }
        if (err == ERR_TEXT_TOO_LONG) {
            return knock(me, step, work, row);
        }
        if (err == ERR_OK) {
            err = outbox_row_put(step, me->keys, row->number, order, entry);
        }
    }
    return err == ERR_OK ? deposit(me, step, work, row, order, entry) : err;
}

/* --- the relay's answer --- */

/* Whether the relay of the contact's queue has signed for the entry's envelope. */
static enum err check_receipt(const struct work *work, const struct outbox_row *entry,
                              const struct queue_deposit_reply *reply)
{
    struct receipt receipt;
    if (reply->outcome != QUEUE_STORED) {
        return ERR_PROTOCOL; /* nothing that we deposit is volatile */
    }
    enum err err = receipt_read(reply->receipt, &receipt);
    return err == ERR_OK
               ? receipt_verify(&receipt, &work->asked_relay, &work->asked_queue, entry->envelope)
               : err;
}

/* Keeps for the user what is wrong with this relay's receipts, or that nothing is any more. */
static enum err note_receipt(struct account *me, struct step *step, struct work *work,
                             struct peer_row *row, const struct sign_pk *relay, enum err why)
{
    struct slice who = slice_of(relay->b, why == ERR_OK ? 0 : sizeof relay->b);
    if (row->trouble == (uint64_t)why && slice_equal(row->trouble_relay, who)) {
        return ERR_OK;
    }
    row->trouble = (uint64_t)why;
    row->trouble_relay = who;
    work->untroubled = false;
    return peer_row_put(step, me->keys, row);
}

/* The entry, and all that is in its envelope, are at the relay. */
static enum err now_there(struct account *me, struct step *step, const struct peer_row *row,
                          uint64_t order)
{
    struct outbox_row also;
    uint64_t at = order + 1;
    enum err err = outbox_became(me, step, &row->who, order, MESSAGE_AT_RELAY, ERR_OK);
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_batch_next(me, step, row->number, order, &at, &also);
        if (err == ERR_OK) {
            also.state = OUTBOX_AT_RELAY;
            err = outbox_row_put(step, me->keys, row->number, at, &also);
        }
        if (err == ERR_OK) {
            err = outbox_became(me, step, &row->who, at, MESSAGE_AT_RELAY, ERR_OK);
        }
        at++;
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The relay has the entry on disk, and has signed for it. */
static enum err at_relay(struct account *me, struct step *step, struct work *work, uint64_t order,
                         struct outbox_row *entry, const struct queue_deposit_reply *reply)
{
    struct peer_row row;
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err != ERR_OK) {
        return err;
    }
    enum err signature = check_receipt(work, entry, reply);
    err = note_receipt(me, step, work, &row, &work->asked_relay, signature);
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
    work->second_until = work->second ? step_now(step) + LIMIT_OUTBOX_LOOK_MS : 0;
    work_wake(work);
    if (entry->ack_only) {
        bool more = work->ack_again || (entry->token.len > 0 && stock_is_low(&row, step_now(step)));
        if (more && work->ack_due == UINT64_MAX) {
            work->ack_due = work->acked_ms + LIMIT_ACK_INTERVAL_MS;
        }
        return outbox_row_del(step, me->keys, work->peer, order);
    }
    entry->state = OUTBOX_AT_RELAY;
    entry->at_relay_ms = step_now(step);
    entry->heard_count = row.heard_count;
    entry->receipt = reply->receipt;
    err = outbox_row_put(step, me->keys, work->peer, order, entry);
    if (err == ERR_OK && row.failed != 0) {
        row.failed = 0;
        err = peer_row_put(step, me->keys, &row);
    }
    if (err == ERR_OK && row.who.state == CONTACT_RESOLVING) {
        row.who.state = CONTACT_REQUESTED;
        err = contact_row_put(step, me->keys, &row.who);
    }
    return err == ERR_OK ? now_there(me, step, &row, order) : err;
}

/* A token that we had not used was spent. Before their first answer it is the invitation's: then
 * somebody else used that. */
static enum err token_spent(struct account *me, struct step *step, const struct work *work)
{
    struct peer_row row;
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err == ERR_OK && row.heard == 0) {
        err = contact_invite_alarm(me, step, &row.who, NULL);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* The relay refused: what to change, and when to try again. */
static enum err refused(struct account *me, struct step *step, struct work *work, uint64_t order,
                        struct outbox_row *entry, const struct queue_deposit_reply *reply)
{
    enum err refusal = reply->head.err;
    bool had_token = entry->token.len > 0 && !work->second;
    work->mining = (struct mining){.wanted = false};
    if ((refusal == ERR_BAD_TOKEN || refusal == ERR_TOKEN_SPENT) && had_token) {
        entry->token = slice_of(NULL, 0); /* the next one, or a stamp */
        work_wake(work);
        enum err err = outbox_row_put(step, me->keys, work->peer, order, entry);
        return err == ERR_OK && refusal == ERR_TOKEN_SPENT ? token_spent(me, step, work) : err;
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > LIMIT_STAMP_BITS_MAX) {
        struct peer_row row;
        enum err err = peer_row_get(step, me->keys, work->peer, &row);
        return err == ERR_OK ? contact_failed(me, step, work, &row, refusal) : err;
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > work->bits) {
        work->bits = reply->stamp_bits;
        work_wake(work);
        return ERR_OK;
    }
    /* No such queue any more, although a stamp was paid. */
    work->lost = work->lost || (refusal == ERR_BAD_TOKEN && !work->second);
    work_fail(step, work, refusal, reply->head.retry_after_ms);
    return ERR_OK;
}

enum err outbox_reply(struct account *me, struct step *step, struct work *work,
                      const struct link_request *request, struct slice body)
{
    struct queue_deposit_reply reply;
    struct outbox_row entry;
    work->in_flight = false;
    enum err err = queue_deposit_reply_read(body, &reply);
    if (err != ERR_OK) {
        return err;
    }
    err = outbox_row_get(step, me->keys, work->peer, request->order, &entry);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && entry.state == OUTBOX_WAITING)) {
        work_wake(work); /* acknowledged end to end, or sealed anew, in the meantime */
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    return reply.head.err == ERR_OK ? at_relay(me, step, work, request->order, &entry, &reply)
                                    : refused(me, step, work, request->order, &entry, &reply);
}
