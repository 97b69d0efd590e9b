/* SPDX-License-Identifier: Apache-2.0
 *
 * step: what every function of the core is handed: the turn and the list that outputs go to.
 */
#ifndef PETREL_NODE_STEP_H
#define PETREL_NODE_STEP_H

#include "node/io.h"
#include "store/store.h"

struct step {
    struct turn *turn;
    struct node_outputs *outs;
};

static inline uint64_t step_now(const struct step *step)
{
    return step->turn->env->now_ms;
}

/* How long ago that was; 0 when the clock went back behind it. */
static inline uint64_t step_since(const struct step *step, uint64_t then_ms)
{
    return step_now(step) > then_ms ? step_now(step) - then_ms : 0;
}

/* How often something was done in a span of time. */
struct tally {
    uint64_t since_ms;
    uint32_t n;
};

/* The count of the span of ms that goes on now: a new one begins when the last is over, and when
 * the clock went back. */
static inline uint32_t *tally_of(struct tally *t, const struct step *step, uint64_t ms)
{
    uint64_t now = step_now(step);
    if (now < t->since_ms || now - t->since_ms >= ms) {
        *t = (struct tally){.since_ms = now};
    }
    return &t->n;
}

/* Of two times; UINT64_MAX: never. */
static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Appends outputs. Each gives ERR_NO_MEMORY or ERR_OK; what is handed in is copied. */
enum err step_send(struct step *step, uint64_t link, uint8_t kind, uint32_t id,
                   struct slice body) PETREL_MUST_USE;
enum err step_close(struct step *step, uint64_t link, enum err reason) PETREL_MUST_USE;
/* public_only: the host refuses addresses that are not public. */
enum err step_connect(struct step *step, uint64_t link, const struct address *to,
                      const struct dh_sk *link_key, bool public_only) PETREL_MUST_USE;
/* opened: the account that the command's root opened, or 0. result: an encoded map; ignored when
 * err is not ERR_OK. */
enum err step_reply(struct step *step, uint64_t client, uint32_t id, enum err err, uint32_t opened,
                    struct slice result) PETREL_MUST_USE;
enum err step_event(struct step *step, uint32_t account, uint64_t cursor) PETREL_MUST_USE;
enum err step_erase(struct step *step, uint32_t account) PETREL_MUST_USE;
enum err step_locked(struct step *step, uint32_t account) PETREL_MUST_USE;
enum err step_root(struct step *step, const struct node_root *root) PETREL_MUST_USE;
enum err step_root_keep(struct step *step, uint32_t account, uint32_t generation) PETREL_MUST_USE;
enum err step_dht_get(struct step *step, uint64_t number,
                      const struct sign_pk *key) PETREL_MUST_USE;
enum err step_dht_node(struct step *step, const char *host, uint16_t port) PETREL_MUST_USE;
enum err step_dht_table(struct step *step, struct slice table) PETREL_MUST_USE;
enum err step_dht_put(struct step *step, const struct bep44_item *item) PETREL_MUST_USE;

/* A writer over cap bytes of the turn's arena; its first use fails when there is no memory. */
struct writer step_writer(struct step *step, size_t cap);

#endif
