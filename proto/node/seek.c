/* SPDX-License-Identifier: Apache-2.0
 *
 * seek: descriptors of contacts in the DHT. docs/protocol/11-dht.md, 11.8.
 *
 * What is looked up is a key of one day, which only who knows the ID can make. An item that comes
 * back is whatever somebody put there: finding.c checks it, as it does what our relay answers.
 */
#include <stdlib.h>

#include "crypto/blind.h"
#include "node/core.h"
#include "node/descriptor.h"

enum {
    SEEK_TURN_MS = 6 * 60 * 60 * 1000, /* protocol section 3 */
};

/* One key that is looked up, for a device of a contact or for a way of resolve.c's. */
struct seek {
    struct seek *next;
    uint64_t number;
    uint32_t account; /* 0: for resolve.c */
    uint32_t peer;    /* or which way */
    uint64_t period;
};

unsigned seek_periods(uint64_t now_ms, uint64_t periods[static SEEK_KEYS])
{
    uint64_t period = descriptor_period(now_ms);
    uint64_t into = now_ms % LIMIT_DAY_MS;
    unsigned n = 0;
    periods[n++] = period;
    if (into < SEEK_TURN_MS) {
        periods[n++] = period - 1;
    } else if (into >= LIMIT_DAY_MS - SEEK_TURN_MS) {
        periods[n++] = period + 1;
    }
    return n;
}

/* for_whom: account, peer and period. */
static enum err look_up(struct node *node, struct step *step, const struct sign_pk *id,
                        const struct seek *for_whom)
{
    struct sign_pk key;
    enum err err = blind_public(id, for_whom->period, &key);
    if (err != ERR_OK) {
        return err;
    }
    struct seek *s = malloc(sizeof *s);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    *s = *for_whom;
    s->next = node->seeks;
    s->number = ++node->last_seek;
    node->seeks = s;
    node->seek_count++;
    return step_dht_get(step, s->number, &key);
}

enum err seek_begin(struct account *me, struct step *step, struct work *work,
                    const struct peer_row *row)
{
    uint64_t periods[SEEK_KEYS];
    /* Who says ever anew where they are, and is not there, has us try at once, not look. */
    if (work->seeks > 0 || step_since(step, work->sought_ms) < work_pause(work->attempts)) {
        return ERR_OK;
    }
    if (me->node->seek_count + SEEK_KEYS > LIMIT_SEEKS) {
        return ERR_OK;
    }
    work->sought_ms = step_now(step);
    if (!me->node->config.dht || me->hidden) {
        return ERR_OK;
    }
    unsigned n = seek_periods(step_now(step), periods);
    enum err err = ERR_OK;
    for (unsigned i = 0; i < n && err == ERR_OK; i++) {
        const struct seek s = {.account = me->number, .peer = work->peer, .period = periods[i]};
        err = look_up(me->node, step, &row->who.id, &s);
        work->seeks = (uint8_t)(work->seeks + (err == ERR_OK ? 1 : 0));
    }
    return err_class(err) == ERR_CLASS_LOCAL ? err : ERR_OK; /* finding.c says so */
}

enum err seek_resolve(struct node *node, struct step *step, const struct sign_pk *id,
                      uint64_t period, uint32_t way)
{
    const struct seek s = {.peer = way, .period = period};
    return node->seek_count >= LIMIT_SEEKS ? ERR_BACKPRESSURE : look_up(node, step, id, &s);
}

/* Whose lookup this is; NULL: nobody wants it any more. */
static struct work *work_of(struct node *node, const struct seek *s, struct account **me)
{
    *me = account_find(node, s->account);
    return *me != NULL && (*me)->keys != NULL && !(*me)->removing ? work_find(*me, s->peer) : NULL;
}

static struct seek *find(struct node *node, uint64_t number)
{
    struct seek *s = node->seeks;
    while (s != NULL && s->number != number) {
        s = s->next;
    }
    return s;
}

enum err seek_item(struct node *node, struct step *step, uint64_t number,
                   const struct bep44_item *item)
{
    const struct seek *s = find(node, number);
    struct account *me = NULL;
    if (s != NULL && s->account == 0) {
        resolve_item(node, s->peer, item);
        return ERR_OK;
    }
    struct work *work = s != NULL ? work_of(node, s, &me) : NULL;
    return work != NULL ? finding_item(me, step, work, s->period, item) : ERR_OK;
}

void seek_done(struct node *node, struct step *step, uint64_t number)
{
    struct seek **at = &node->seeks;
    while (*at != NULL && (*at)->number != number) {
        at = &(*at)->next;
    }
    struct seek *s = *at;
    if (s == NULL) {
        return;
    }
    struct account *me;
    struct work *work = work_of(node, s, &me);
    if (s->account == 0) {
        resolve_sought(node, step, s->peer);
    } else if (work != NULL && work->seeks > 0 && --work->seeks == 0) {
        finding_sought(step, work);
    }
    *at = s->next;
    node->seek_count--;
    free(s);
}

void seek_free(struct node *node)
{
    while (node->seeks != NULL) {
        struct seek *next = node->seeks->next;
        free(node->seeks);
        node->seeks = next;
    }
    node->seek_count = 0;
}
