/* SPDX-License-Identifier: Apache-2.0
 *
 * announce: our relay puts the descriptors of its members into the DHT: a new one at once, all of
 * them every hour. It needs no secret for that: they are signed. docs/protocol/11-dht.md, 11.8.
 */
#include "node/core.h"
#include "relay/host.h"

enum {
    ANNOUNCE_TURN = 4, /* of a round, in one turn; the next ones a second later */
};

static bool announces(const struct node *node)
{
    return node->relay != NULL && node->config.dht;
}

/* Those that came lately: who is new is to be found at once. */
static enum err fresh(struct node *node, struct step *step)
{
    struct bep44_item item;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = relay_host_fresh(node->relay, step->turn, &item);
        err = err == ERR_OK ? step_dht_put(step, &item) : err;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err announce_progress(struct node *node, struct step *step)
{
    struct announcer *a = &node->announcer;
    uint64_t now = step_now(step);
    enum err err = announces(node) ? fresh(node, step) : ERR_OK;
    if (err != ERR_OK || !announces(node) || a->due_ms > now) {
        return err;
    }
    for (unsigned n = 0; n < ANNOUNCE_TURN && err == ERR_OK; n++) {
        struct bep44_item item;
        bool got;
        err = relay_host_announce(node->relay, step->turn, a->at, &item, &got);
        err = err == ERR_OK && got ? step_dht_put(step, &item) : err;
    }
    a->begun_ms = a->begun_ms != 0 ? a->begun_ms : now;
    a->due_ms = now + LIMIT_SECOND_MS;
    if (err == ERR_NOT_FOUND) {
        uint64_t next = a->begun_ms + LIMIT_HOUR_MS;
        *a = (struct announcer){.due_ms = next > a->due_ms ? next : a->due_ms};
        err = ERR_OK;
    }
    return err;
}

uint64_t announce_deadline(const struct node *node)
{
    return announces(node) ? node->announcer.due_ms : UINT64_MAX;
}
