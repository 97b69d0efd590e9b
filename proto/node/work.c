/* SPDX-License-Identifier: Apache-2.0
 *
 * work: the peers that have something to do, in memory, and when.
 */
#include <stdlib.h>

#include "node/core.h"

static struct work **work_slot(struct account *me, uint32_t peer)
{
    return &me->work[peer % WORK_SLOTS];
}

struct work *work_find(const struct account *me, uint32_t peer)
{
    struct work *work = me->work[peer % WORK_SLOTS];
    while (work != NULL && work->peer != peer) {
        work = work->next;
    }
    return work;
}

struct work *work_get(struct account *me, uint32_t peer)
{
    struct work *work = work_find(me, peer);
    if (work != NULL) {
        return work;
    }
    work = calloc(1, sizeof *work);
    if (work == NULL) {
        return NULL;
    }
    struct work **slot = work_slot(me, peer);
    work->peer = peer;
    work->due = UINT64_MAX;
    work->ack_due = UINT64_MAX;
    work->heal_due = UINT64_MAX;
    work->look_ms = UINT64_MAX;
    work->next = *slot;
    *slot = work;
    me->work_count++;
    return work;
}

void work_drop(struct account *me, uint32_t peer)
{
    for (struct work **at = work_slot(me, peer); *at != NULL; at = &(*at)->next) {
        if ((*at)->peer == peer) {
            struct work *work = *at;
            *at = work->next;
            foreign_free(work->foreign);
            free(work);
            me->work_count--;
            return;
        }
    }
}

void work_drop_all(struct account *me)
{
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        while (me->work[i] != NULL) {
            work_drop(me, me->work[i]->peer);
        }
    }
}

void work_wake(struct work *work)
{
    work->due = 0;
    work->gave_up = false;
}

void work_resume(struct work *work)
{
    if (!work->in_flight && !work->gave_up &&
        (work->due == UINT64_MAX || work->trouble == ERR_OK)) {
        work_wake(work);
    }
}

void work_anew(struct work *work)
{
    work->attempts = 0;
    work->trouble = ERR_OK;
    work->sought_ms = 0;
    work_wake(work);
}

bool work_unreached(const struct work *work)
{
    return work->trouble == ERR_UNREACHABLE || work->trouble == ERR_LINK_CLOSED ||
           work->trouble == ERR_TIMEOUT;
}

void work_heard(struct work *work, uint64_t when_ms)
{
    bool to_wait = work->trouble == ERR_BACKPRESSURE || work->trouble == ERR_QUOTA ||
                   work->trouble == ERR_REFUSED;
    if (!work->in_flight && !work->gave_up && work->due != UINT64_MAX && !to_wait &&
        work->trouble != ERR_OK && when_ms >= work->failed_ms) {
        work->due = earlier(work->due, work->failed_ms + LIMIT_MINUTE_MS);
    }
}

uint64_t work_pause(uint32_t attempts)
{
    uint64_t delay = LIMIT_RETRY_FIRST_MS;
    for (uint32_t i = 1; i < attempts && delay < LIMIT_RETRY_MAX_MS; i++) {
        delay *= 2;
    }
    return (delay < LIMIT_RETRY_MAX_MS ? delay : (uint64_t)LIMIT_RETRY_MAX_MS) / 2;
}

uint64_t work_backoff(struct step *step, uint32_t attempts)
{
    uint64_t pause = work_pause(attempts);
    /* Jitter, so that nodes that failed together do not come back together. */
    uint32_t random;
    env_random(step->turn->env, &random, sizeof random);
    return pause + random % (pause + 1);
}

uint64_t work_delay(struct step *step, uint32_t attempts, uint64_t retry_after_ms)
{
    uint64_t delay = work_backoff(step, attempts);
    uint64_t asked =
        retry_after_ms < LIMIT_RETRY_MAX_MS ? retry_after_ms : (uint64_t)LIMIT_RETRY_MAX_MS;
    return delay > asked ? delay : asked;
}

void work_fail(struct step *step, struct work *work, enum err trouble, uint64_t retry_after_ms)
{
    if (work->attempts < UINT32_MAX) {
        work->attempts++;
    }
    work->trouble = trouble;
    work->failed_ms = step_now(step);
    work->ours = 0;
    /* Where it failed they are no more, and nobody was asked where they are now. */
    uint64_t delay = work->newer ? 0 : work_delay(step, work->attempts, retry_after_ms);
    work->newer = false;
    work->due = step_now(step) + delay;
}

enum err work_request(struct work *work, struct step *step, struct node_link *link, uint8_t kind,
                      struct slice body, uint64_t order)
{
    enum err err = links_request(link, step, kind, body, work->peer, order);
    if (err == ERR_NOT_NOW) {
        work->due = step_now(step) + LIMIT_SECOND_MS;
        return ERR_OK;
    }
    work->in_flight = err == ERR_OK;
    work->newer = false;
    return err;
}
