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
    SEEK_KEYS = 2,                     /* of one contact at a time */
};

/* One key that is looked up. */
struct seek {
    struct seek *next;
    uint64_t number;
    uint32_t account;
    uint32_t peer;
    uint64_t period;
};

static enum err look_up(struct account *me, struct step *step, struct work *work,
                        const struct peer_row *row, uint64_t period)
{
    struct node *node = me->node;
    struct sign_pk key;
    enum err err = blind_public(&row->who.id, period, &key);
    if (err != ERR_OK) {
        return err_class(err) == ERR_CLASS_LOCAL ? err : ERR_OK; /* finding.c says so */
    }
    struct seek *s = malloc(sizeof *s);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    *s = (struct seek){.next = node->seeks,
                       .number = ++node->last_seek,
                       .account = me->number,
                       .peer = work->peer,
                       .period = period};
    node->seeks = s;
    node->seek_count++;
    work->seeks++;
    return step_dht_get(step, s->number, &key);
}

enum err seek_begin(struct account *me, struct step *step, struct work *work,
                    const struct peer_row *row)
{
    uint64_t now = step_now(step);
    uint64_t period = descriptor_period(now);
    uint64_t into = now % LIMIT_DAY_MS;
    if (!me->node->config.dht || me->hidden || work->seeks > 0 ||
        me->node->seek_count + SEEK_KEYS > LIMIT_SEEKS) {
        return ERR_OK;
    }
    enum err err = look_up(me, step, work, row, period);
    if (err == ERR_OK && into < SEEK_TURN_MS) {
        err = look_up(me, step, work, row, period - 1);
    }
    if (err == ERR_OK && into >= LIMIT_DAY_MS - SEEK_TURN_MS) {
        err = look_up(me, step, work, row, period + 1);
    }
    return err;
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
    if (work != NULL && work->seeks > 0 && --work->seeks == 0) {
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
