/* SPDX-License-Identifier: Apache-2.0
 *
 * pump: what is to be done next for each contact that has something to do: find it, send what
 * waits, acknowledge, look after what nobody acknowledged. docs/protocol/07-node.md, section 4.
 */
#include <limits.h>
#include <string.h>

#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"
#include "node/evidence.h"
#include "node/healing.h"

enum {
    PUMP_AGAIN_MS = 24 * 3600000, /* unacknowledged so long: deposit again, or ask again */
};

void pump_relay_ready(struct account *me, struct step *step, const struct home *back)
{
    unsigned ours = back != NULL ? home_slot(me, back) + 1 : UINT_MAX;
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        for (struct work *work = me->work[i]; work != NULL; work = work->next) {
            if (work->ours == ours && !work->in_flight && !work->gave_up) {
                /* Not all in one moment: it would see whose they are. Nor for ever at once: it may
                 * fail at just this. */
                uint64_t soon = step_now(step) + work_backoff(step, 2);
                uint64_t again = work->failed_ms + LIMIT_MINUTE_MS;
                work->ours = 0;
                work->due = earlier(work->due, soon > again ? soon : again);
            } else {
                work_resume(work);
            }
        }
    }
}

void pump_link_opened(struct account *me, const struct node_link *link)
{
    struct work *work = work_find(me, link->peer);
    if (work != NULL) {
        work_resume(work);
    }
}

/* kind: of the request that it carried; 0: it was waited for. */
static void link_failed(struct account *me, struct step *step, struct work *work,
                        const struct node_link *link, uint8_t kind, enum err reason)
{
    const struct home *home = home_of_node(me, &link->address.node_id);
    finding_failed(work, kind);
    work_fail(step, work, reason, 0);
    work->ours = home != NULL ? home_slot(me, home) + 1 : 0;
}

void pump_link_closed(struct account *me, struct step *step, const struct node_link *link,
                      enum err reason)
{
    if (reason == ERR_OK) {
        reason = ERR_LINK_CLOSED;
    }
    for (size_t i = 0; link->requests != NULL && i < LINK_REQUESTS; i++) {
        const struct link_request *request = &link->requests[i];
        struct work *work = request->id != 0 ? work_find(me, request->peer) : NULL;
        if (work != NULL && work->in_flight) {
            work->in_flight = false;
            foreign_free(work->foreign);
            work->foreign = NULL;
            link_failed(me, step, work, link, request->kind, reason);
        }
    }
    struct work *work = link->open ? NULL : work_find(me, link->peer);
    if (work != NULL && !work->in_flight && !work->gave_up && work->due == UINT64_MAX) {
        link_failed(me, step, work, link, 0, reason);
    }
}

/* Whether content may leave now: talk only among contacts, control content always. */
static bool may_leave(const struct peer_row *row, const struct outbox_row *entry, uint64_t now)
{
    struct content content;
    return contact_row_may_talk(&row->who, now) ||
           (content_decode(entry->content, &content) == ERR_OK && content.type >= CONTENT_REQUEST);
}

/* Makes an ack-only entry for each session that still owes one: each acknowledges its own. None is
 * made while one waits to leave: a receiver can skip only so many. */
static enum err make_acks(struct account *me, struct step *step, struct work *work,
                          struct peer_row *row)
{
    uint64_t now = step_now(step);
    uint64_t order = OUTBOX_ACKS;
    struct outbox_row entry;
    work->ack_due = UINT64_MAX;
    if (row->who.state == CONTACT_BLOCKED || row->who.state == CONTACT_INCOMING) {
        return owed_row_del(step, me->keys, row->number);
    }
    healing_wait(work, row, now);
    enum err err = outbox_row_next(step, me->keys, row->number, &order, &entry);
    work->ack_again = err == ERR_OK;
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = ERR_OK;
    for (unsigned slot = 0; err == ERR_OK && slot < LIMIT_SESSIONS_PER_PAIR; slot++) {
        if (((row->sessions & row->heard & ~row->retired) >> slot & 1) == 0) {
            continue; /* what came in one that was given up is sealed anew, and acknowledged there
                       */
        }
        entry = (struct outbox_row){.ack_only = true,
                                    .anyway = work->unread && (int)slot == peer_row_slot(row),
                                    .created = now};
        err = outbox_seal(me, step, row, (uint8_t)slot, OUTBOX_ACKS, &entry);
        if (err == ERR_OK) {
            work->acked_ms = now;
            err =
                outbox_row_put(step, me->keys, row->number, OUTBOX_ACKS | now << 3 | slot, &entry);
        } else if (err == ERR_NOT_NOW) {
            err = ERR_OK;
        }
    }
    work->unread = false;
    /* The row stays while a new session is wanted, so that it is after a restart, too. */
    return err == ERR_OK && row->unread_ms == 0 ? owed_row_del(step, me->keys, row->number) : err;
}

/* The entry to send next: an ack-only body first, then the oldest that is not at the relay and may
 * leave. */
static enum err next_entry(struct account *me, struct step *step, struct work *work,
                           const struct peer_row *row, uint64_t *order, struct outbox_row *entry)
{
    bool held = false;
    *order = OUTBOX_ACKS;
    enum err err = outbox_row_next(step, me->keys, work->peer, order, entry);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    *order = work->head;
    for (;;) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, work->peer, order, entry);
        bool over = err == ERR_OK && (entry->state == OUTBOX_AT_RELAY || entry->lead != 0);
        if (err != ERR_OK || (!over && may_leave(row, entry, step_now(step)))) {
            return err;
        }
        arena_rewind(step->turn->arena, mark);
        held = held || !over;
        ++*order;
        work->head = held ? work->head : *order;
    }
}

static bool is_over(struct step *step, const struct outbox_row *entry)
{
    return step_since(step, entry->created) >= LIMIT_OUTBOX_DAYS * LIMIT_DAY_MS;
}

/* Looks after one entry that has been at the relay, or has waited, for long. */
static enum err look_at(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row, uint64_t order, struct outbox_row *entry)
{
    if (entry->lead != 0) {
        return ERR_OK; /* goes with its lead */
    }
    if (is_over(step, entry) && outbox_is_request(entry)) {
        enum err err = outbox_prolong(me, step, row->number, order, entry);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (is_over(step, entry)) {
        work_resume(work); /* a session that was full may go on */
        row->told = 0;     /* it may have been what told them of our queue */
        enum err err = peer_row_put(step, me->keys, row);
        if (err != ERR_OK) {
            return err;
        }
        return outbox_give_up(me, step, row, order, entry, ERR_EXPIRED);
    }
    if (entry->state != OUTBOX_AT_RELAY) {
        /* A day, and nobody is where they were: they may have gone, with nobody left to tell us. */
        work->lost = work->lost || (work_unreached(work) && peer_row_slot(row) >= 0 &&
                                    step_since(step, entry->created) >= PUMP_AGAIN_MS &&
                                    step_since(step, work->sought_ms) >= PUMP_AGAIN_MS);
        return ERR_OK;
    }
    if (step_since(step, entry->at_relay_ms) < PUMP_AGAIN_MS) {
        return ERR_OK;
    }
    /* The next receipt takes the place of this one. */
    enum err err = evidence_heard_ms(row, entry) > 0
                       ? evidence_note(step, me->keys, row, order, entry, ERR_OK)
                       : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    if (row->heard_count == entry->heard_count) {
        /* Not a word in a day: they may read another queue by now. Once: they may just sleep. */
        work->lost = work->lost || step_since(step, entry->created) < 2 * (uint64_t)PUMP_AGAIN_MS;
    } else {
        /* They were there since, and did not get it: with its token the relay would say that it has
         * it already. While they sleep that is just what it shall say. */
        entry->token = slice_of(NULL, 0);
        entry->again++;
    }
    if (entry->again > 1) {
        bool begun;
        err = healing_begin(me, step, row, HEALING_UNACKED, &begun);
        if (err != ERR_OK || begun) {
            return err; /* it waits again, like all others */
        }
    }
    entry->state = OUTBOX_SEALED;
    work->head = order < work->head ? order : work->head;
    work_resume(work);
    return outbox_row_put(step, me->keys, row->number, order, entry);
}

/* Looks after all entries of a contact. */
static enum err look(struct account *me, struct step *step, struct work *work, struct peer_row *row)
{
    uint64_t now = step_now(step);
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    work->look_ms = now + LIMIT_OUTBOX_LOOK_MS;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, row->number, &order, &entry);
        if (err == ERR_OK) {
            err = look_at(me, step, work, row, order, &entry);
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    if (err == ERR_NOT_FOUND && row->first_sent != 0 &&
        step_since(step, row->first_sent) >= PUMP_AGAIN_MS) {
        work->lost = true; /* the queue that we know may be one that nobody reads any more */
        return contact_restart(me, step, work, row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The time has come for the new session that something unreadable asked for. */
static enum err heal(struct account *me, struct step *step, struct work *work, struct peer_row *row)
{
    bool begun;
    work->heal_due = UINT64_MAX;
    if (row->unread_ms == 0) {
        return ERR_OK;
    }
    enum err err = healing_begin(me, step, row, HEALING_UNREADABLE, &begun);
    if (err == ERR_OK && !begun) {
        row->unread_ms = 0; /* there is nobody to begin one with */
        err = peer_row_put(step, me->keys, row);
    }
    work->ack_due = step_now(step); /* the owed row goes */
    return err;
}

/* Does what is due for one contact. *idle: there is nothing left to do. */
static enum err progress(struct account *me, struct step *step, struct work *work, bool *idle)
{
    uint64_t now = step_now(step);
    struct peer_row row;
    struct outbox_row entry;
    uint64_t order;
    bool ready = false;
    *idle = false;
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err != ERR_OK || row.who.state == CONTACT_BLOCKED) {
        *idle = err == ERR_OK || err == ERR_NOT_FOUND;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (work->look_ms <= now) {
        err = look(me, step, work, &row);
    }
    if (err == ERR_OK && work->heal_due <= now) {
        err = heal(me, step, work, &row);
    }
    if (err == ERR_OK && work->due <= now && !work->in_flight) {
        work->due = UINT64_MAX;
        err = next_entry(me, step, work, &row, &order, &entry);
        if (err == ERR_OK) {
            err = finding_progress(me, step, work, &row, &ready);
        }
        if (err == ERR_OK && ready) {
            err = outbox_send(me, step, work, &row, order, &entry);
        }
    }
    /* A body that just left carried the acknowledgement; else it goes alone. */
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && work->ack_due <= now && !work->in_flight) {
        /* Nor does one go to a queue that is in doubt: it would fail in the place of the search. */
        bool backs_off = work->lost || (work->due > now && work->due != UINT64_MAX);
        err = make_acks(me, step, work, &row);
        if (work->lost && work->due == UINT64_MAX) {
            work_wake(work); /* behind the search */
        }
        order = OUTBOX_ACKS;
        if (err == ERR_OK && !backs_off) {
            err = outbox_row_next(step, me->keys, work->peer, &order, &entry);
        }
        if (err == ERR_OK && !backs_off) {
            err = outbox_send(me, step, work, &row, order, &entry);
        }
    }
    if (err == ERR_NOT_FOUND) {
        uint64_t any = 0;
        err = outbox_row_next(step, me->keys, work->peer, &any, &entry);
        bool lately = step_since(step, work->acked_ms) < LIMIT_ACK_INTERVAL_MS;
        *idle = err == ERR_NOT_FOUND && work->ack_due == UINT64_MAX &&
                work->heal_due == UINT64_MAX && !work->in_flight && !lately;
        if (err == ERR_NOT_FOUND && lately && work->due == UINT64_MAX) {
            work->due = work->acked_ms + LIMIT_ACK_INTERVAL_MS; /* only to be dropped then */
        }
    }
    if (*idle && row.leaving != 0) {
        err = peers_remove(me, step, &row.who, &row, NULL, 0); /* it was told, or never will be */
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err pump_progress(struct account *me, struct step *step)
{
    uint64_t now = step_now(step);
    if (me->keys == NULL || me->work_count == 0) {
        return ERR_OK;
    }
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        struct work *next;
        for (struct work *work = me->work[i]; work != NULL; work = next) {
            bool idle = false;
            next = work->next;
            if ((work->due <= now && !work->in_flight) || work->look_ms <= now ||
                work->heal_due <= now || (work->ack_due <= now && !work->in_flight)) {
                struct arena_mark mark = arena_mark(step->turn->arena);
                enum err err = progress(me, step, work, &idle);
                arena_rewind(step->turn->arena, mark);
                if (err_class(err) == ERR_CLASS_LOCAL) {
                    return err;
                }
                if (err != ERR_OK) {
                    finding_failed(work, 0);
                    work_fail(step, work, err, 0); /* one contact's trouble, not the node's */
                }
            }
            if (idle) {
                work_drop(me, work->peer);
            }
        }
    }
    return ERR_OK;
}
