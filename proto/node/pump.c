/* SPDX-License-Identifier: Apache-2.0
 *
 * pump: what is to be done next for each contact that has something to do: find it, send what
 * waits, acknowledge, look after what nobody acknowledged. docs/protocol/07-node.md, section 4.
 */
#include <string.h>

#include "base/secret.h"
#include "node/content.h"
#include "node/core.h"

enum {
    PUMP_AGAIN_MS = 24 * 3600000, /* unacknowledged so long: deposit again, or ask again */
};

void pump_link_opened(struct node *node, const struct node_link *link)
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
    const struct address *wanted = contact_row_slot(&row) >= 0 ? &row.queue_relay
                                   : row.has_record            ? &row.relay
                                                               : &node->home.address;
    *uses = address_equal(wanted, address);
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

enum err pump_link_closed(struct node *node, struct step *step, const struct node_link *link,
                          enum err reason)
{
    if (reason == ERR_OK) {
        reason = ERR_LINK_CLOSED;
    }
    for (size_t i = 0; node->keys != NULL && i < WORK_SLOTS; i++) {
        for (struct work *work = node->work[i]; work != NULL; work = work->next) {
            bool uses;
            enum err err = uses_address(node, step, work, &link->address, &uses);
            if (err != ERR_OK) {
                return err;
            }
            if (uses && (work->in_flight || work->due == UINT64_MAX)) {
                work->in_flight = false;
                work_fail(node, step, work, reason, 0);
            }
        }
    }
    return ERR_OK;
}

/* Whether content may leave now: talk only among contacts, control content always. */
static bool may_leave(const struct contact_row *row, const struct outbox_row *entry)
{
    struct content content;
    return contact_row_may_talk(row) ||
           (content_decode(entry->content, &content) == ERR_OK && content.type >= CONTENT_REQUEST);
}

/* Makes an ack-only entry when one is due and still owed. */
static enum err make_ack(struct node *node, struct step *step, struct work *work,
                         struct contact_row *row)
{
    work->ack_due = UINT64_MAX;
    if (contact_row_slot(row) < 0 || row->state == CONTACT_BLOCKED) {
        return ERR_OK;
    }
    struct outbox_row entry = {.ack_only = true, .created = step_now(step)};
    enum err err = outbox_seal(node, step, row, &entry);
    if (err != ERR_OK) {
        return err == ERR_NOT_NOW ? ERR_OK : err;
    }
    work->acked_ms = step_now(step);
    return outbox_row_put(step, node->keys, row->number, OUTBOX_ACKS | step_now(step), &entry);
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

/* Looks after entries that have been at the relay, or have waited, for long. */
static enum err look(struct node *node, struct step *step, struct work *work,
                     struct contact_row *row)
{
    uint64_t now = step_now(step);
    work->look_ms = now + LIMIT_OUTBOX_LOOK_MS;
    if (row->first_sent != 0 && now - row->first_sent >= PUMP_AGAIN_MS) {
        return contact_restart(node, step, work, row);
    }
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = outbox_row_next(step, node->keys, row->number, &order, &entry);
    while (err == ERR_OK && order < OUTBOX_ACKS) {
        if (now - entry.created >= LIMIT_OUTBOX_DAYS * LIMIT_DAY_MS) {
            err = outbox_row_del(step, node->keys, row->number, order);
            if (err == ERR_OK) {
                err = outbox_became(node, step, row->number, order, MESSAGE_FAILED, ERR_EXPIRED);
            }
        } else if (entry.state == OUTBOX_AT_RELAY && now - entry.at_relay_ms >= PUMP_AGAIN_MS) {
            entry.state = OUTBOX_SEALED;
            err = outbox_row_put(step, node->keys, row->number, order, &entry);
            work->head = order < work->head ? order : work->head;
            work_wake(work);
        }
        order++;
        if (err == ERR_OK) {
            err = outbox_row_next(step, node->keys, row->number, &order, &entry);
        }
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
            err = outbox_send(node, step, work, &row, order, &entry);
        }
    }
    /* A body that just left carried the acknowledgement; else it goes alone. */
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && work->ack_due <= now && !work->in_flight) {
        err = make_ack(node, step, work, &row);
        order = OUTBOX_ACKS;
        if (err == ERR_OK) {
            err = outbox_row_next(step, node->keys, work->contact, &order, &entry);
        }
        if (err == ERR_OK) {
            err = outbox_send(node, step, work, &row, order, &entry);
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

enum err pump_progress(struct node *node, struct step *step)
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
                enum err err = progress(node, step, work, &idle);
                if (err != ERR_OK) {
                    return err;
                }
            }
            if (idle) {
                work_drop(node, work->contact);
            }
        }
    }
    return ERR_OK;
}
