/* SPDX-License-Identifier: Apache-2.0 */
#include "node/voiding.h"

#include "base/secret.h"
#include "node/held.h"
#include "node/home_keys.h"
#include "node/stock.h"
#include "relay/queue.h"

/* The mark of our queue. ERR_NOT_FOUND: we have none. */
static enum err queue_mark(struct account *me, struct step *step, uint64_t *mark)
{
    struct relay_row relay;
    struct sign_pk queue;
    enum err err = relay_row_get(step, me->keys, 0, &relay);
    if (err == ERR_OK) {
        home_queue(&relay, &queue);
        *mark = home_queue_mark(&queue);
        secret_wipe(&relay, sizeof relay);
    }
    return err;
}

/* A row of an older node does not say which: all of them. */
static enum err name_all(struct step *step, struct voiding_row *row)
{
    return row->held.len == 0 && row->last > row->done
               ? held_add(step->turn->arena, &row->held, row->done + 1, row->last)
               : ERR_OK;
}

/* Puts what is left of old before what add names; old counters are the smaller ones. */
static enum err join(struct step *step, struct voiding_row *old, struct voiding_row *add)
{
    struct slice more = add->held;
    uint32_t last = old->last;
    uint32_t counter;
    enum err err = name_all(step, old);
    if (err == ERR_OK) {
        err = held_drop(step->turn->arena, &old->held, old->done);
    }
    add->done = old->done;
    add->held = old->held;
    while (err == ERR_OK && held_next(more, last, &counter)) {
        last = held_end(more, counter);
        err = held_add(step->turn->arena, &add->held, counter, last);
    }
    return err;
}

enum err voiding_begin(struct account *me, struct step *step, struct peer_row *row)
{
    struct voiding_row old;
    struct voiding_row add = {.done = row->past, .last = row->minted};
    uint32_t any;
    enum err err = stock_held(step->turn->arena, row, step_now(step));
    if (err != ERR_OK) {
        return err;
    }
    add.held = row->held;
    stock_reset(row);
    err = held_next(add.held, 0, &any) ? queue_mark(me, step, &add.queue) : ERR_NOT_FOUND;
    if (err == ERR_OK && row->minted_for != 0 && row->minted_for != add.queue) {
        err = ERR_NOT_FOUND; /* theirs are for a queue that we left */
    }
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    err = voiding_row_get(step, me->keys, row->number, &old);
    if (err == ERR_OK && old.queue == add.queue) { /* of an earlier block, and not done yet */
        err = join(step, &old, &add);
    } else if (err == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    if (err == ERR_OK) {
        err = voiding_row_put(step, me->keys, row->number, &add);
    }
    home_main(me)->voids = true;
    return err;
}

enum err voiding_spent(struct account *me, struct step *step, uint32_t peer, uint32_t counter)
{
    struct voiding_row row;
    if (!home_main(me)->voids) {
        return ERR_OK; /* there is no row */
    }
    enum err err = voiding_row_get(step, me->keys, peer, &row);
    if (err == ERR_OK) {
        err = name_all(step, &row);
    }
    if (err == ERR_OK) {
        err = held_take(step->turn->arena, &row.held, counter);
    }
    if (err == ERR_OK) {
        err = row.held.len > 0 ? voiding_row_put(step, me->keys, peer, &row)
                               : voiding_row_del(step, me->keys, peer);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The first row that is for this queue; those for one that we left, and without any left, go. */
static enum err next_row(struct account *me, struct step *step, uint64_t mark, uint32_t *peer,
                         struct voiding_row *row)
{
    uint32_t any;
    for (unsigned i = 0; i < LIMIT_SWEEP_ROWS; i++) {
        enum err err = voiding_row_first(step, me->keys, peer, row);
        if (err == ERR_OK) {
            err = name_all(step, row);
        }
        if (err != ERR_OK || (row->queue == mark && held_next(row->held, row->done, &any))) {
            return err;
        }
        err = voiding_row_del(step, me->keys, *peer);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_NOT_NOW;
}

/* Asks the relay to void the next tokens of this row. */
static enum err send(struct account *me, struct step *step, struct node_link *link,
                     const struct relay_row *relay, uint32_t peer, const struct voiding_row *row)
{
    struct home *home = home_main(me);
    uint32_t n = 0;
    uint32_t counter = row->done;
    struct queue_void request;
    struct token_key k;
    struct token_siv_key siv;
    struct writer w = step_writer(step, LIMIT_VOID_NONCES * TOKEN_NONCE + 64);
    uint8_t *nonces = arena_alloc(step->turn->arena, LIMIT_VOID_NONCES * TOKEN_NONCE);
    if (nonces == NULL || w.cap == 0) {
        return ERR_NO_MEMORY;
    }
    home_queue(relay, &request.queue);
    home_token_keys(relay, &request.queue, &k, &siv);
    while (n < LIMIT_VOID_NONCES && held_next(row->held, counter, &counter)) {
        token_nonce(&siv, peer, counter, nonces + (size_t)n++ * TOKEN_NONCE);
    }
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
    request.nonces = slice_of(nonces, (size_t)n * TOKEN_NONCE);
    queue_void_write(&w, &request);
    enum err err = w.err != ERR_OK
                       ? ERR_BUG
                       : links_request(link, step, FRAME_QUEUE_VOID, writer_done(&w), 0, 0);
    if (err == ERR_OK) {
        home->voiding = true;
        home->void_peer = peer;
        home->void_done = counter;
    }
    return err;
}

enum err voiding_progress(struct account *me, struct step *step)
{
    struct home *home = home_main(me);
    struct node_link *link = links_find(&me->node->links, home->link);
    if (!home->voids || !home->attached || home->voiding || home->void_due > step_now(step) ||
        link == NULL) {
        return ERR_OK;
    }
    struct relay_row relay;
    struct voiding_row row;
    struct sign_pk queue;
    uint32_t peer;
    enum err err = relay_row_get(step, me->keys, 0, &relay);
    if (err == ERR_OK) {
        home_queue(&relay, &queue);
        err = next_row(me, step, home_queue_mark(&queue), &peer, &row);
    }
    if (err == ERR_NOT_FOUND) {
        home->voids = false;
    } else if (err == ERR_OK) {
        err = send(me, step, link, &relay, peer, &row);
    }
    secret_wipe(&relay, sizeof relay);
    if (err == ERR_NOT_NOW) {
        home->void_due = step_now(step) + LIMIT_SECOND_MS; /* no credit */
    }
    return err == ERR_NOT_NOW || err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The relay has voided what was asked last. */
static enum err done(struct account *me, struct step *step)
{
    const struct home *home = home_main(me);
    struct voiding_row row = {.queue = 0};
    uint32_t more;
    uint64_t mark;
    enum err err = queue_mark(me, step, &mark);
    if (err == ERR_OK) {
        err = voiding_row_get(step, me->keys, home->void_peer, &row);
    }
    if (err == ERR_OK) {
        err = name_all(step, &row);
    }
    if (err != ERR_OK || row.queue != mark || row.done >= home->void_done) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    row.done = home->void_done;
    return held_next(row.held, row.done, &more)
               ? voiding_row_put(step, me->keys, home->void_peer, &row)
               : voiding_row_del(step, me->keys, home->void_peer);
}

enum err voiding_reply(struct account *me, struct step *step, struct slice body)
{
    struct home *home = home_main(me);
    struct relay_reply head;
    home->voiding = false;
    enum err err = relay_reply_read(body, &head);
    if (err != ERR_OK) {
        return err;
    }
    if (head.err == ERR_NOT_NOW) {
        return ERR_REFUSED; /* begin again on a new link */
    }
    if (head.err != ERR_OK) { /* its queue or disk is full, or it is older than this request */
        home->void_due = step_now(step) + LIMIT_RETRY_MAX_MS;
        return ERR_OK;
    }
    return done(me, step);
}
