/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/host_limits.h"
#include "relay/host_queue.h"
#include "relay/item.h"

/* --- the round of queues that may have something to push --- */

static void ready_remove(struct relay_host *host, struct relay_queue *q)
{
    if (!q->ready) {
        return;
    }
    *(q->ready_before != NULL ? &q->ready_before->ready_next : &host->ready_first) = q->ready_next;
    *(q->ready_next != NULL ? &q->ready_next->ready_before : &host->ready_last) = q->ready_before;
    q->ready = false;
    host->ready--;
}

static void ready_append(struct relay_host *host, struct relay_queue *q)
{
    if (q->ready) {
        return;
    }
    q->ready_next = NULL;
    q->ready_before = host->ready_last;
    *(host->ready_last != NULL ? &host->ready_last->ready_next : &host->ready_first) = q;
    host->ready_last = q;
    q->ready = true;
    host->ready++;
}

void host_reader_wake(struct relay_host *host, struct relay_queue *q)
{
    if (q->attached) {
        ready_append(host, q);
    }
}

/* --- attach, detach --- */

static void detach(struct relay_host *host, struct relay_queue *q)
{
    ready_remove(host, q);
    q->acked = q->pushed; /* what was in flight is pushed again, under new numbers */
    host->volatile_bytes -= relay_cache_detach(&host->cache, q);
    host->attached--;
}

void host_reader_link_closed(struct relay_host *host, uint64_t link)
{
    for (;;) {
        struct relay_queue *q = relay_cache_by_link(&host->cache, link);
        if (q == NULL) {
            return;
        }
        detach(host, q);
    }
}

void host_reader_remove(struct relay_host *host, const uint8_t member[static SEAL_NAME])
{
    for (;;) {
        struct relay_queue *q = relay_cache_of_member(&host->cache, member);
        if (q == NULL) {
            return;
        }
        bool scanned = q->scanned;
        if (q->attached) {
            detach(host, q); /* and frees it, when it was not scanned */
        }
        if (scanned) {
            relay_cache_drop(&host->cache, q);
        }
    }
}

static enum err attach(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                       const struct queue_attach *req, uint32_t *waiting)
{
    struct relay_queue *q;
    enum err err = relay_cache_open(&host->cache, host->config.keys, turn, &req->queue, &q);
    if (err != ERR_OK) {
        return err;
    }
    if (q->attached && peer->link < q->link) {
        return ERR_NOT_NOW; /* its reader has another link by now: this comes late */
    }
    if (q->attached) {
        detach(host, q); /* it was just scanned, so it is still there */
    }
    err = relay_cache_attach(&host->cache, q, peer->link);
    if (err != ERR_OK) {
        return err;
    }
    host->attached++;
    q->cursor = q->low;
    *waiting = q->waiting;
    host_reader_wake(host, q);
    return ERR_OK;
}

enum err host_queue_attach(struct relay_host *host, struct turn *turn,
                           const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct queue_attach req;
    struct queue_attach_reply rep = {.time_ms = turn->env->now_ms,
                                     .dht_port = host->config.dht_port};
    enum err err = queue_attach_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = attach(host, turn, peer, &req, &rep.waiting);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        queue_attach_reply_write(reply, &rep);
    }
    return err;
}

/* --- acknowledge --- */

static enum err ack(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                    const struct queue_ack *req)
{
    struct relay_queue *q = relay_cache_by_key(&host->cache, &req->queue);
    if (q == NULL || !q->attached || q->link != peer->link) {
        return ERR_NOT_NOW;
    }
    if (req->number > q->pushed) {
        return ERR_PROTOCOL;
    }
    while (q->acked < req->number) {
        uint64_t arrival = q->window[(q->acked + 1) % LIMIT_PUSH_WINDOW];
        enum err err = host_item_done(turn, q, q->number, arrival);
        if (err != ERR_OK) {
            return err;
        }
        q->acked++;
        q->low = arrival;
    }
    host_reader_wake(host, q);
    return ERR_OK;
}

enum err host_queue_ack(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                        struct slice body, struct writer *reply)
{
    struct queue_ack req;
    struct relay_reply rep = {.err = ERR_OK};
    enum err err = queue_ack_read(body, &req);
    if (err == ERR_OK) {
        err = ack(host, turn, peer, &req);
    }
    err = relay_refusal(err, &rep);
    if (err == ERR_OK) {
        relay_reply_write(reply, &rep);
    }
    return err;
}

/* --- push --- */

static bool window_full(const struct relay_queue *q)
{
    return q->pushed - q->acked >= LIMIT_PUSH_WINDOW;
}

bool host_reader_has_room(const struct relay_host *host, const struct relay_queue *q, size_t len)
{
    return q->attached && !window_full(q) && host->volatile_bytes + len <= LIMIT_VOLATILE_BYTES;
}

enum err host_reader_volatile(struct relay_host *host, struct relay_queue *q, bool has_nonce,
                              const uint8_t nonce[static TOKEN_NONCE], uint64_t now_ms,
                              struct slice envelope)
{
    struct relay_volatile *v = malloc(sizeof *v + envelope.len);
    if (v == NULL) {
        return ERR_NO_MEMORY;
    }
    *v = (struct relay_volatile){
        .has_nonce = has_nonce, .deposited_ms = now_ms, .len = envelope.len};
    memcpy(v->nonce, nonce, sizeof v->nonce);
    memcpy(v->envelope, envelope.p, envelope.len);
    *(q->volatile_last != NULL ? &q->volatile_last->next : &q->volatile_first) = v;
    q->volatile_last = v;
    host->volatile_bytes += v->len;
    host_reader_wake(host, q);
    return ERR_OK;
}

static void push_volatile(struct relay_host *host, struct relay_queue *q, struct writer *body)
{
    struct relay_volatile *v = q->volatile_first;
    struct queue_push push = {.queue = q->key,
                              .number = 0,
                              .has_nonce = v->has_nonce,
                              .deposited_ms = v->deposited_ms,
                              .envelope = slice_of(v->envelope, v->len)};
    memcpy(push.nonce, v->nonce, sizeof push.nonce);
    queue_push_write(body, &push);
    q->volatile_first = v->next;
    q->volatile_last = v->next == NULL ? NULL : q->volatile_last;
    host->volatile_bytes -= v->len;
    free(v);
}

/* The next stored envelope above the cursor whose time is not over. ERR_NOT_FOUND. */
static enum err next_stored(struct relay_host *host, struct turn *turn, struct relay_queue *q,
                            struct item_row *row, struct item_payload *payload)
{
    for (;;) {
        enum err err = item_index_next(turn->store, q->number, &q->cursor, row);
        if (err != ERR_OK) {
            return err;
        }
        if (row->state != ITEM_STORED) {
            continue;
        }
        err = item_log_get(host->config.keys, turn, row->lifetime, q->cursor, payload);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        }
        if (payload->deposited_ms + host_limits_lifetime_ms(host, row->lifetime) >
            turn->env->now_ms) {
            return ERR_OK;
        }
    }
}

static enum err push_stored(struct relay_host *host, struct turn *turn, struct relay_queue *q,
                            struct writer *body)
{
    struct item_row row;
    struct item_payload payload;
    enum err err = next_stored(host, turn, q, &row, &payload);
    if (err != ERR_OK) {
        return err;
    }
    if (q->window == NULL) {
        q->window = calloc(LIMIT_PUSH_WINDOW, sizeof *q->window);
        if (q->window == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    struct queue_push push = {.queue = q->key,
                              .number = q->pushed + 1,
                              .has_nonce = !row.stamp,
                              .deposited_ms = payload.deposited_ms,
                              .envelope = payload.envelope};
    memcpy(push.nonce, row.nonce, sizeof push.nonce);
    queue_push_write(body, &push);
    q->pushed++;
    q->window[q->pushed % LIMIT_PUSH_WINDOW] = q->cursor;
    return ERR_OK;
}

/* ERR_NOT_FOUND: nothing now; a deposit or acknowledgement wakes the queue again. */
static enum err push_one(struct relay_host *host, struct turn *turn, struct relay_queue *q,
                         struct writer *body)
{
    if (q->volatile_first != NULL) {
        push_volatile(host, q, body);
        return ERR_OK;
    }
    if (window_full(q)) {
        return ERR_NOT_FOUND;
    }
    return push_stored(host, turn, q, body);
}

enum err host_reader_next_push(struct relay_host *host, struct turn *turn,
                               bool (*may_send)(void *ctx, uint64_t link), void *ctx,
                               uint64_t *link, struct writer *body)
{
    for (size_t left = host->ready; left > 0; left--) {
        struct relay_queue *q = host->ready_first;
        assert(q != NULL); /* host->ready is how many there are */
        ready_remove(host, q);
        if (!may_send(ctx, q->link)) {
            ready_append(host, q);
            continue;
        }
        if (turn->arena->total > turn->arena->limit / 2) {
            ready_append(host, q);
            host->push_held = true; /* opened payloads fill the turn's memory */
            return ERR_NOT_FOUND;
        }
        enum err err = push_one(host, turn, q, body);
        if (err == ERR_NOT_FOUND) {
            continue;
        }
        if (err == ERR_OK && body->err != ERR_OK) {
            err = ERR_BUG; /* the caller's buffer */
        }
        if (err == ERR_OK) {
            ready_append(host, q);
            *link = q->link;
        }
        return err;
    }
    return ERR_NOT_FOUND;
}
