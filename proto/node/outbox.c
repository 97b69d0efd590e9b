/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: content on its way out, kept until the other device has acknowledged it end to end.
 * docs/protocol/07-node.md, section 7.4.
 *
 * An entry is sealed when its turn to leave has come, in the same turn as its first deposit, and a
 * retry sends identical bytes. One deposit a peer is under way at a time: so the relay stores
 * them, and the reader gets them, in the order in which they were written.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/evidence.h"
#include "node/mirror.h"

enum {
    OUTBOX_SCAN = 64, /* entries looked at behind the first unacknowledged one */
};

/* --- entries --- */

enum err outbox_next_order(struct account *me, struct step *step, const struct contact_row *who,
                           uint64_t *order)
{
    struct message_row message;
    struct outbox_row entry;
    struct reader peers = reader_of(who->peers);
    uint64_t last = 0;
    enum err err = message_row_before(step, me->keys, who->number, UINT64_MAX, &last, &message);
    last = last > who->deleted ? last : who->deleted;
    while ((err == ERR_OK || err == ERR_NOT_FOUND) && reader_left(&peers) > 0) {
        uint64_t at = 0;
        err = outbox_row_before(step, me->keys, reader_u32(&peers), OUTBOX_ACKS, &at, &entry);
        last = last > at ? last : at;
    }
    *order = last + 1;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The user, or an answer, asks for another try: its failure is news again. */
static enum err ask_again(struct account *me, struct step *step, struct peer_row *row)
{
    if (row->failed == 0) {
        return ERR_OK;
    }
    row->failed = 0;
    return peer_row_put(step, me->keys, row);
}

/* An entry that waits, for this peer. */
static enum err put_waiting(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                            uint64_t created, struct slice content)
{
    struct outbox_row entry = {.state = OUTBOX_WAITING, .created = created, .content = content};
    enum err err = outbox_row_put(step, me->keys, peer, order, &entry);
    struct work *work = err == ERR_OK ? work_get(me, peer) : NULL;
    if (work == NULL) {
        return err == ERR_OK ? ERR_NO_MEMORY : err;
    }
    if (order < work->head) {
        work->head = order; /* the place of an entry that was acknowledged and left no message */
    }
    /* A peer whose relay does not answer keeps its back-off. */
    if (work->due == UINT64_MAX || work->trouble == ERR_OK) {
        work_wake(work); /* also when it was given up: the user did something */
    }
    if (work->look_ms == UINT64_MAX) {
        work->look_ms = step_now(step) + LIMIT_OUTBOX_LOOK_MS;
    }
    return ERR_OK;
}

static enum err put_message(struct account *me, struct step *step, const struct contact_row *who,
                            uint64_t order, struct slice content)
{
    struct message_row row = {.state = MESSAGE_WAITING, .time = step_now(step), .content = content};
    return message_row_put(step, me->keys, who->number, order, &row);
}

enum err outbox_add(struct account *me, struct step *step, const struct contact_row *who,
                    struct slice content, bool message, uint64_t *order)
{
    enum err err = outbox_next_order(me, step, who, order);
    if (err == ERR_OK && message) {
        err = put_message(me, step, who, *order, content);
    }
    for (unsigned i = 0; err == ERR_OK; i++) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        struct peer_row row;
        err = peer_row_of(step, me->keys, who, i, &row);
        if (err == ERR_OK) {
            err = put_waiting(me, step, row.number, *order, step_now(step), content);
        }
        if (err == ERR_OK) {
            err = ask_again(me, step, &row);
        }
        secret_wipe(&row, sizeof row);
        arena_rewind(step->turn->arena, mark);
    }
    if (err == ERR_NOT_FOUND && message) {
        return mirror_sent(me, step, who, content);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_add_peer(struct account *me, struct step *step, struct peer_row *row,
                         struct slice content, bool message, uint64_t *order)
{
    enum err err = outbox_next_order(me, step, &row->who, order);
    if (err == ERR_OK && message) {
        err = put_message(me, step, &row->who, *order, content);
    }
    if (err == ERR_OK) {
        err = put_waiting(me, step, row->number, *order, step_now(step), content);
    }
    return err == ERR_OK ? ask_again(me, step, row) : err;
}

enum err outbox_inherit(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                        const struct outbox_row *entry)
{
    struct outbox_row there;
    enum err err = outbox_row_get(step, me->keys, peer, order, &there);
    return err == ERR_NOT_FOUND ? put_waiting(me, step, peer, order, entry->created, entry->content)
                                : err;
}

enum err outbox_load(struct account *me, struct step *step)
{
    uint32_t peer = 0;
    enum err err = outbox_peer_next(step, me->keys, 0, &peer);
    while (err == ERR_OK) {
        struct work *work = work_get(me, peer);
        if (work == NULL) {
            return ERR_NO_MEMORY;
        }
        work_wake(work);
        work->look_ms = step_now(step); /* a node that is never up for long looks too */
        err = outbox_peer_next(step, me->keys, peer, &peer);
    }
    if (err == ERR_NOT_FOUND) {
        err = owed_row_next(step, me->keys, 0, &peer);
    }
    while (err == ERR_OK) {
        struct work *work = work_get(me, peer);
        if (work == NULL) {
            return ERR_NO_MEMORY;
        }
        work->ack_due = step_now(step);
        err = owed_row_next(step, me->keys, peer, &peer);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_count(struct account *me, struct step *step, uint64_t *count)
{
    return outbox_rows(step, me->keys, count);
}

enum err outbox_oldest(struct account *me, struct step *step, uint64_t *created_ms)
{
    uint32_t peer = 0;
    enum err err = outbox_peer_next(step, me->keys, 0, &peer);
    while (err == ERR_OK) {
        struct outbox_row row;
        uint64_t order = 0;
        err = outbox_row_next(step, me->keys, peer, &order, &row);
        bool message = err == ERR_OK && order < OUTBOX_ACKS;
        if (message && (*created_ms == 0 || row.created < *created_ms)) {
            *created_ms = row.created;
        }
        if (err == ERR_OK || err == ERR_NOT_FOUND) {
            err = outbox_peer_next(step, me->keys, peer, &peer);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- what became of a message --- */

/* Whether a device of this contact has the entry at order still to come. */
static enum err to_come(struct account *me, struct step *step, const struct contact_row *who,
                        uint64_t order, bool *comes)
{
    struct outbox_row entry;
    struct reader peers = reader_of(who->peers);
    enum err err = ERR_NOT_FOUND;
    while (err == ERR_NOT_FOUND && reader_left(&peers) > 0) {
        err = outbox_row_get(step, me->keys, reader_u32(&peers), order, &entry);
    }
    *comes = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Whether it has failed: it has with the last device only, and not once one has it. */
static enum err has_failed(struct account *me, struct step *step, const struct contact_row *who,
                           uint64_t order, enum message_state state, enum err why, bool *failed)
{
    bool comes = false;
    enum err err = to_come(me, step, who, order, &comes);
    *failed =
        !comes && state != MESSAGE_DELIVERED && (state != MESSAGE_AT_RELAY || why == ERR_EXPIRED);
    return err;
}

enum err outbox_became(struct account *me, struct step *step, const struct contact_row *who,
                       uint64_t order, enum message_state state, enum err trouble)
{
    struct message_row row;
    struct content content;
    bool news = true;
    if (contact_is_self(me, who)) {
        return ERR_OK;
    }
    enum err err = message_row_get(step, me->keys, who->number, order, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (row.state >= state || content_decode(row.content, &content) != ERR_OK) {
        return ERR_OK;
    }
    if (state == MESSAGE_FAILED) {
        err = has_failed(me, step, who, order, row.state, trouble, &news);
    }
    if (err != ERR_OK || !news) {
        return err;
    }
    row.state = state;
    err = message_row_put(step, me->keys, who->number, order, &row);
    if (err != ERR_OK) {
        return err;
    }
    char id[ID_TEXT];
    char hex[2 * CONTENT_ID + 1];
    id_encode(who->id.b, id);
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
    return event_commit(step, me->keys, &event);
}

enum err outbox_compare(struct account *me, struct step *step, const struct peer_row *peer,
                        const struct session *s, const struct session_in *in, bool *another)
{
    struct outbox_row row;
    uint64_t order = 0;
    bool done = false;
    enum err err = in->has_acked ? ERR_OK : ERR_NOT_FOUND;
    *another = false;
    while (err == ERR_OK && !done) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer->number, &order, &row);
        bool its = err == ERR_OK && order < OUTBOX_ACKS && row.state != OUTBOX_WAITING &&
                   memcmp(row.session, session_id(s), SESSION_T) == 0;
        if (its && row.seq == in->acked_seq && row.hash.len > 0) {
            *another = row.hash.len != sizeof in->acked_hash ||
                       !prim_equal(row.hash.p, in->acked_hash, sizeof in->acked_hash);
        }
        done = order >= OUTBOX_ACKS || (its && row.seq >= in->acked_seq);
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_acked(struct account *me, struct step *step, const struct peer_row *peer,
                      const struct session *s)
{
    struct outbox_row row;
    uint64_t order = 0;
    unsigned behind = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && behind < OUTBOX_SCAN) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer->number, &order, &row);
        if (err == ERR_OK && order >= OUTBOX_ACKS) {
            err = ERR_NOT_FOUND;
        }
        if (err == ERR_OK && row.state != OUTBOX_WAITING && session_acked(s, row.seq) &&
            memcmp(row.session, session_id(s), SESSION_T) == 0) {
            err = outbox_row_del(step, me->keys, peer->number, order);
            if (err == ERR_OK) {
                err = evidence_drop(step, me->keys, peer->number, order, &row);
            }
            if (err == ERR_OK) {
                err = outbox_became(me, step, &peer->who, order, MESSAGE_DELIVERED, ERR_OK);
            }
        } else {
            behind += row.lead == 0;
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    struct work *work = work_find(me, peer->number);
    if (work != NULL) {
        work_resume(work); /* a session that was full may go on */
    }
    moving_look(me, step);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

bool outbox_is_request(const struct outbox_row *entry)
{
    struct content content;
    return !entry->ack_only && content_decode(entry->content, &content) == ERR_OK &&
           content.type == CONTENT_REQUEST;
}

enum err outbox_prolong(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                        struct outbox_row *entry)
{
    struct outbox_row next;
    uint64_t at = order + 1;
    uint64_t last = entry->created;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer, &at, &next);
        if (err == ERR_OK && next.created > last && !next.ack_only) {
            last = next.created;
        }
        at++;
        arena_rewind(step->turn->arena, mark);
    }
    if (err != ERR_NOT_FOUND || last == entry->created) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    entry->created = last;
    return outbox_row_put(step, me->keys, peer, order, entry);
}

/* --- giving up --- */

/* The entry will not be sent again: its session must not wait for its acknowledgement. */
static enum err forget(struct account *me, struct step *step, const struct peer_row *row,
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
    enum err err = s == NULL ? ERR_NO_MEMORY
                             : session_row_get(step, me->keys, row->number, (uint8_t)slot, &saved);
    if (err == ERR_OK) {
        err = session_load(s, saved);
    }
    if (err == ERR_OK) {
        session_forget(s, entry->seq);
        err = session_save(s, step->turn->arena, &saved);
    }
    session_free(s);
    return err == ERR_OK ? session_row_put(step, me->keys, row->number, (uint8_t)slot, saved) : err;
}

/* A request leaves no message that could have failed. It is over with the last device that was
 * asked. */
static enum err request_over(struct account *me, struct step *step, const struct peer_row *row,
                             uint64_t order, const struct outbox_row *entry)
{
    bool comes = false;
    enum err err = contact_row_asks(&row->who) && outbox_is_request(entry)
                       ? to_come(me, step, &row->who, order, &comes)
                       : ERR_NOT_FOUND;
    if (err == ERR_OK && !comes) {
        err = contact_alarm(me, step, &row->who, ERR_EXPIRED);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Takes the row out. failed: its message has failed. */
static enum err take_out(struct account *me, struct step *step, const struct peer_row *row,
                         uint64_t order, bool failed, enum err why)
{
    enum err err = outbox_row_del(step, me->keys, row->number, order);
    return err == ERR_OK && failed ? outbox_became(me, step, &row->who, order, MESSAGE_FAILED, why)
                                   : err;
}

/* An entry, and all that is in its envelope. */
enum err outbox_give_up(struct account *me, struct step *step, const struct peer_row *row,
                        uint64_t order, const struct outbox_row *entry, enum err why)
{
    struct outbox_row last = *entry;
    struct outbox_row also;
    uint64_t at = order + 1;
    bool arrives = entry->state == OUTBOX_AT_RELAY && why != ERR_EXPIRED;
    bool failed = !entry->ack_only && !arrives;
    enum err err = forget(me, step, row, entry);
    if (err == ERR_OK) {
        err = evidence_note(step, me->keys, row, order, &last, why);
    }
    if (err == ERR_OK) {
        err = take_out(me, step, row, order, failed, why);
    }
    if (err == ERR_OK && why == ERR_EXPIRED) {
        err = request_over(me, step, row, order, entry);
    }
    while (err == ERR_OK && !entry->ack_only) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_batch_next(me, step, row->number, order, &at, &also);
        if (err == ERR_OK) {
            err = take_out(me, step, row, at, failed, why);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err outbox_clear(struct account *me, struct step *step, const struct peer_row *row,
                      enum err why)
{
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, row->number, &order, &entry);
        if (err == ERR_OK) {
            err = outbox_give_up(me, step, row, order, &entry, why);
        }
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- another queue --- */

/* An entry that its old queue may have: to the new one. */
static enum err moved(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                      struct outbox_row *entry)
{
    if (entry->state == OUTBOX_WAITING) {
        return ERR_OK;
    }
    entry->state = OUTBOX_SEALED;
    entry->token = slice_of(NULL, 0);
    entry->receipt = slice_of(NULL, 0); /* who leaves a relay may leave what waits there */
    return outbox_row_put(step, me->keys, peer, order, entry);
}

enum err outbox_moved(struct account *me, struct step *step, uint32_t peer)
{
    struct outbox_row entry;
    uint64_t order = 0;
    uint8_t token[ROW_TOKEN];
    struct work *work = work_find(me, peer);
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = token_row_take(step, me->keys, peer, token);
    }
    secret_wipe(token, sizeof token);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer, &order, &entry);
        if (err == ERR_OK) {
            err = moved(me, step, peer, order, &entry);
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    if (work != NULL) {
        work->head = 0;
        work->second_until = 0;
        work->other = false;
        work->other_at = work->attempts;
        work->lost = work->found = work->absent = false;
        work_wake(work);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
