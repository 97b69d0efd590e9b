/* SPDX-License-Identifier: Apache-2.0
 *
 * setback: what waits for a time that the wall clock said before it was set back does not wait
 * until it says so again. docs/protocol/07-node.md, section 7.4.
 *
 * Only what is in memory: rows that carry a time to come are as if they were of now (step_since).
 */
#include "node/core.h"

enum {
    SETBACK_MS = LIMIT_SECOND_MS, /* less is nothing that anybody would notice */
};

/* A time at which something is to be done; UINT64_MAX: an event will say. */
static uint64_t due_by(uint64_t due, uint64_t latest)
{
    return due == UINT64_MAX ? due : earlier(due, latest);
}

static void links_set_back(struct links *links, uint64_t now)
{
    for (struct node_link *link = links->own; link != NULL; link = link->own_next) {
        link->used_ms = earlier(link->used_ms, now);
        for (size_t i = 0; link->requests != NULL && i < LINK_REQUESTS; i++) {
            struct link_request *request = &link->requests[i];
            request->deadline = earlier(request->deadline, now + LIMIT_FORWARD_TIMEOUT_MS);
        }
    }
}

static void work_set_back(struct work *work, uint64_t now)
{
    work->due = due_by(work->due, now);
    work->ack_due = due_by(work->ack_due, now);
    work->heal_due = due_by(work->heal_due, now + LIMIT_HEALING_MS);
    work->acked_ms = earlier(work->acked_ms, now);
    work->failed_ms = earlier(work->failed_ms, now);
    work->sought_ms = earlier(work->sought_ms, now);
    work->look_ms = due_by(work->look_ms, now + LIMIT_OUTBOX_LOOK_MS);
    work->second_until = earlier(work->second_until, now + LIMIT_OUTBOX_LOOK_MS);
}

static void account_set_back(struct account *me, uint64_t now, uint64_t by)
{
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        me->homes[i].attached_ms -= by; /* how far the relay's clock is ahead: home_ahead */
        me->homes[i].due = due_by(me->homes[i].due, now);
        me->homes[i].void_due = earlier(me->homes[i].void_due, now);
    }
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        for (struct work *work = me->work[i]; work != NULL; work = work->next) {
            work_set_back(work, now);
        }
    }
}

bool setback_look(struct node *node, uint64_t now)
{
    bool back = now + SETBACK_MS < node->seen_ms;
    if (back) {
        uint64_t by = node->seen_ms - now;
        node->last_tidy = earlier(node->last_tidy, now);
        links_set_back(&node->links, now);
        node->announcer = (struct announcer){.due_ms = now};
        for (struct account *me = node->accounts; me != NULL; me = me->next) {
            account_set_back(me, now, by);
        }
    }
    node->seen_ms = now;
    return back;
}
