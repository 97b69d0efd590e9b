/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_queue.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/stamp.h"
#include "relay/decoy.h"
#include "relay/host_limits.h"
#include "relay/host_member.h"
#include "relay/host_receipt.h"
#include "relay/item.h"

/* --- register --- */

/* A queue that is there already: fine when everything is the same. */
static enum err register_again(struct turn *turn, struct relay_host *host,
                               const struct queue_register *req)
{
    struct relay_queue_row row;
    struct relay_member member;
    enum err err = relay_queue_row_get(host->config.keys, turn, &req->queue, &row);
    if (err != ERR_OK) {
        return err;
    }
    err = relay_member_get(host, turn, &req->member, &member);
    if (err == ERR_OK && (memcmp(row.member, member.name, sizeof member.name) != 0 ||
                          !prim_equal(row.k.b, req->k.b, sizeof row.k.b))) {
        err = ERR_EXISTS;
    }
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err register_new(struct relay_host *host, struct turn *turn,
                             const struct queue_register *req)
{
    struct relay_member member;
    enum err err = relay_member_get(host, turn, &req->member, &member);
    if (err != ERR_OK) {
        return err;
    }
    if (member.queues >= LIMIT_MEMBER_QUEUES || host->queues == UINT32_MAX) {
        return ERR_QUOTA;
    }
    if (!turn->store->growth) {
        return ERR_BACKPRESSURE;
    }
    struct relay_queue_row row = {.number = host->queues + 1, .k = req->k};
    memcpy(row.member, member.name, sizeof row.member);
    member.queues++;
    err = relay_queue_row_put(host->config.keys, turn, &req->queue, &row);
    if (err == ERR_OK) {
        err = relay_member_put(host, turn, &member);
    }
    if (err == ERR_OK) {
        err = relay_meta_put(turn, "relay.queues", row.number);
    }
    if (err == ERR_OK) {
        host->queues = row.number;
    }
    secret_wipe(&row, sizeof row);
    return err;
}

enum err host_queue_register(struct relay_host *host, struct turn *turn,
                             const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct queue_register req;
    struct queue_register_reply rep = {.envelopes = host->limits.envelopes,
                                       .bytes = host_limits_bytes(host),
                                       .days = host->limits.days};
    enum err err = queue_register_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = register_again(turn, host, &req);
        if (err == ERR_NOT_FOUND) {
            err = register_new(host, turn, &req);
        }
        secret_wipe(&req, sizeof req);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        queue_register_reply_write(reply, &rep);
    }
    return err;
}

/* --- deposit --- */

/* Where a queue's token key was found. */
enum looked_at {
    LOOKED_AT_MEMORY,
    LOOKED_AT_ROW,
    LOOKED_FOR_ROW, /* there is none */
};

/* What the relay has found out about an admitted deposit. */
struct admitted {
    struct relay_queue *q;
    uint8_t nonce[TOKEN_NONCE]; /* the token's; for a stamp, the second half of the hash */
    uint8_t hash[32];           /* of the envelope */
    uint64_t until;             /* when the spent row may go */
    unsigned bits;              /* a stamp's */
    bool short_check;           /* of the token: what was kept fitted */
    enum looked_at looked;      /* a token's */
};

/* Comes before the queue is looked up: who has not paid the general price gets the same answer for
 * queues there are and queues there are not. */
static enum err check_stamp(struct relay_host *host, const struct turn *turn,
                            const struct queue_deposit *d, struct admitted *a, uint8_t *told)
{
    struct stamp_goal goal = {.relay = host->config.node_id, .minute = d->admission.stamp_minute};
    memcpy(goal.target, d->queue.b, sizeof goal.target);
    memcpy(goal.payload, a->hash, sizeof goal.payload);
    a->until = ((uint64_t)goal.minute + LIMIT_STAMP_MINUTES + 1) * LIMIT_MINUTE_MS;
    a->bits = stamp_bits(&goal, d->admission.stamp_nonce);
    *told = (uint8_t)price_general(PRICE_DEPOSIT);
    return stamp_check(&goal, d->admission.stamp_nonce, *told, turn->env->now_ms);
}

/* What a deposit's token is checked with. */
struct door {
    struct token_key k;
    struct token_kept nothing; /* where a queue that is not in memory keeps it: for this once */
    struct token_kept *kept;
    bool known;
    enum looked_at looked;
};

/* The token key of a queue, from memory or its row: no more than that is looked at, so that who has
 * no token cannot make the relay walk an index. An unknown queue, and one that is being removed,
 * has a key, too: it costs the same check, and is not known. */
static enum err door_of(struct relay_host *host, struct turn *turn, const struct sign_pk *key,
                        struct door *door)
{
    struct relay_queue *q = relay_cache_by_key(&host->cache, key);
    struct relay_queue_row row;
    *door = (struct door){.known = q != NULL, .looked = LOOKED_AT_MEMORY};
    door->kept = q != NULL ? &q->kept : &door->nothing;
    if (q != NULL) {
        door->k = q->k;
        return ERR_OK;
    }
    enum err err = relay_queue_row_get(host->config.keys, turn, key, &row);
    door->looked = err == ERR_OK ? LOOKED_AT_ROW : LOOKED_FOR_ROW;
    if (err == ERR_OK) {
        door->known = !relay_removals_has(&host->removals, row.member);
        door->k = row.k;
        secret_wipe(&row, sizeof row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Does what is missing of a look at the queue's row, so that it takes the same time to refuse,
 * whether there is such a queue and whether it is in memory or not. */
static enum err refuse_alike(struct relay_host *host, struct turn *turn, const struct sign_pk *key,
                             enum looked_at looked)
{
    struct relay_queue_row row;
    enum err err = ERR_OK;
    switch (looked) {
    case LOOKED_AT_MEMORY:
        err = relay_queue_row_get(host->config.keys, turn, key, &row);
        secret_wipe(&row, sizeof row);
        break;
    case LOOKED_FOR_ROW:
        err = decoy_open(turn, STORE_QUEUE, RELAY_QUEUE_ROW);
        break;
    case LOOKED_AT_ROW:
        break;
    }
    return err == ERR_OK || err == ERR_NOT_FOUND ? ERR_BAD_TOKEN : err;
}

static enum err check_token(struct relay_host *host, struct turn *turn,
                            const struct queue_deposit *d, struct admitted *a)
{
    struct door door;
    uint32_t epoch = 0;
    enum err err = door_of(host, turn, &d->queue, &door);
    if (err != ERR_OK) {
        return err;
    }
    bool was_kept = door.kept->there && door.kept->epoch == token_epoch(turn->env->now_ms);
    err =
        token_check(&door.k, door.kept, &d->queue, turn->env->now_ms, &d->admission.token, &epoch);
    bool known = door.known;
    a->looked = door.looked;
    a->short_check = was_kept && epoch == door.kept->epoch;
    secret_wipe(&door, sizeof door);
    a->until = token_epoch_over(epoch);
    return known && err == ERR_OK ? ERR_OK : refuse_alike(host, turn, &d->queue, a->looked);
}

static enum err admit(struct relay_host *host, struct turn *turn, const struct queue_deposit *d,
                      struct admitted *a, uint8_t *told)
{
    prim_blake2b(a->hash, sizeof a->hash, slice_of(NULL, 0), "", &d->envelope, 1);
    const uint8_t *nonce = d->admission.stamp ? a->hash + ITEM_HASH : d->admission.token.b;
    memcpy(a->nonce, nonce, sizeof a->nonce);
    enum err err =
        d->admission.stamp ? check_stamp(host, turn, d, a, told) : check_token(host, turn, d, a);
    if (err != ERR_OK) {
        return err;
    }
    err = relay_cache_open(&host->cache, host->config.keys, turn, &d->queue, &a->q);
    return err == ERR_NOT_FOUND ? ERR_BAD_TOKEN : err;
}

/* Until when the envelope of this row is kept: now, when its reader has it already. */
static enum err kept_until(struct relay_host *host, struct turn *turn, uint64_t arrival,
                           const struct item_row *row, uint64_t *until)
{
    struct item_payload payload;
    *until = turn->env->now_ms;
    if (row->state != ITEM_STORED) {
        return ERR_OK;
    }
    enum err err = item_log_get(host->config.keys, turn, row->lifetime, arrival, &payload);
    if (err == ERR_OK) {
        *until = payload.deposited_ms + host_limits_lifetime_ms(host, row->lifetime);
    }
    return err;
}

/* The row of a nonce, and its arrival number. ERR_NOT_FOUND: it was neither used nor voided. */
static enum err find_spent(struct relay_host *host, struct turn *turn, const struct relay_queue *q,
                           const uint8_t nonce[static TOKEN_NONCE], struct item_row *row,
                           uint64_t *arrival)
{
    size_t at = SIZE_MAX;
    for (;;) {
        *arrival = spent_next(&q->spent, host->cache.salt, nonce, &at);
        if (*arrival == 0) {
            return ERR_NOT_FOUND;
        }
        enum err err = item_index_get(turn->store, q->number, *arrival, row);
        if (err == ERR_NOT_FOUND) {
            continue; /* swept since */
        }
        if (err != ERR_OK || memcmp(row->nonce, nonce, sizeof row->nonce) == 0) {
            return err;
        }
    }
}

/* A voided token is one that never was, and its refusal no quicker. */
static enum err refuse_void(struct relay_host *host, struct turn *turn,
                            const struct queue_deposit *d, const struct admitted *a)
{
    if (d->admission.stamp) {
        return ERR_BAD_TOKEN;
    }
    if (a->short_check) {
        token_check_rest(&a->q->k, &d->queue, turn->env->now_ms, &d->admission.token);
    }
    return refuse_alike(host, turn, &d->queue, a->looked);
}

/* Whether the nonce was used before: ERR_NOT_FOUND if not, ERR_OK with what became of it if it
 * was for the same bytes, else ERR_TOKEN_SPENT. */
static enum err check_spent(struct relay_host *host, struct turn *turn,
                            const struct queue_deposit *d, const struct admitted *a,
                            enum queue_outcome *outcome, uint64_t *until)
{
    struct item_row row;
    uint64_t arrival;
    enum err err = find_spent(host, turn, a->q, a->nonce, &row, &arrival);
    if (err != ERR_OK) {
        return err;
    }
    if (row.state == ITEM_VOID) {
        return refuse_void(host, turn, d, a);
    }
    *outcome = row.state == ITEM_PUSHED ? QUEUE_PUSHED : QUEUE_STORED;
    return memcmp(row.hash, a->hash, sizeof row.hash) == 0
               ? kept_until(host, turn, arrival, &row, until)
               : ERR_TOKEN_SPENT;
}

enum {
    ARRIVAL_BLOCK = 65536
}; /* numbers reserved at a time */

/* A number that was never given out before, not even in a turn that failed. */
static enum err arrival_take(struct relay_host *host, struct turn *turn, uint64_t *arrival)
{
    if (host->arrival_next == host->arrival_end) {
        uint64_t end = host->arrival_next + ARRIVAL_BLOCK;
        enum err err = relay_meta_put(turn, "relay.arrival", end);
        if (err != ERR_OK) {
            return err;
        }
        host->arrival_end = end;
    }
    *arrival = host->arrival_next++;
    return ERR_OK;
}

static enum err item_put(struct relay_host *host, struct turn *turn, const struct queue_deposit *d,
                         const struct admitted *a, enum item_state state)
{
    uint64_t now = turn->env->now_ms;
    uint64_t arrival;
    enum err err = arrival_take(host, turn, &arrival);
    if (err != ERR_OK) {
        return err;
    }
    struct relay_queue *q = a->q;
    struct item_row row = {.state = state,
                           .lifetime = d->lifetime,
                           .envelope_class = (uint8_t)queue_envelope_class(d->envelope.len),
                           .stamp = d->admission.stamp,
                           .until = a->until};
    memcpy(row.nonce, a->nonce, sizeof row.nonce);
    memcpy(row.hash, a->hash, sizeof row.hash);
    if (state == ITEM_STORED) {
        struct item_payload payload = {
            .queue = q->number, .deposited_ms = now, .envelope = d->envelope};
        err = item_log_append(host->config.keys, turn, d->lifetime, arrival, &payload);
    }
    if (err == ERR_OK) {
        err = item_index_put(turn->store, q->number, arrival, &row);
    }
    if (err == ERR_OK) {
        err = relay_cache_spend(&host->cache, q, a->nonce, arrival);
    }
    if (err != ERR_OK) {
        return err;
    }
    q->rows++;
    if (state == ITEM_STORED) {
        uint64_t due = now + host_limits_lifetime_ms(host, d->lifetime);
        q->waiting++;
        q->bytes += d->envelope.len;
        host->log_due[d->lifetime] =
            due < host->log_due[d->lifetime] ? due : host->log_due[d->lifetime];
        host_reader_wake(host, q);
    }
    return ERR_OK;
}

static bool queue_full(const struct relay_host *host, const struct turn *turn,
                       const struct relay_queue *q, size_t len)
{
    return !turn->store->growth || q->rows >= LIMIT_QUEUE_SPENT ||
           q->waiting >= host->limits.envelopes || q->bytes + len > host_limits_bytes(host);
}

/* More may wait than the operator gives now. */
static uint64_t left_of(uint64_t most, uint64_t used)
{
    return used < most ? most - used : 0;
}

/* Whether a stamp is enough for this queue as it is now; what a token admits has been paid for.
 * Nobody comes here with what is stored already, nor when there is no room: neither costs more than
 * the general price. */
static enum err check_price(const struct relay_host *host, const struct turn *turn,
                            const struct queue_deposit *d, const struct admitted *a, uint8_t *told)
{
    if (!d->admission.stamp) {
        return ERR_OK;
    }
    uint64_t bytes = host_limits_bytes(host);
    uint64_t number = host->limits.envelopes;
    unsigned by_number = price_scarcity(left_of(number, a->q->waiting), number);
    unsigned by_size = price_scarcity(left_of(bytes, a->q->bytes), bytes);
    unsigned price = price_now(&host->prices, PRICE_DEPOSIT, &d->queue,
                               by_number > by_size ? by_number : by_size, turn->env->now_ms);
    if (a->bits >= price) {
        return ERR_OK;
    }
    *told = price_told(price);
    return ERR_STAMP_TOO_CHEAP;
}

/* Takes the envelope at its price. */
static enum err take(struct relay_host *host, struct turn *turn, const struct queue_deposit *d,
                     const struct admitted *a, enum item_state state, uint8_t *told)
{
    enum err err = check_price(host, turn, d, a, told);
    if (err == ERR_OK) {
        err = item_put(host, turn, d, a, state);
    }
    if (err == ERR_OK && d->admission.stamp) {
        unsigned units = (unsigned)((d->envelope.len + LIMIT_PRICE_UNIT - 1) / LIMIT_PRICE_UNIT);
        err = price_add(&host->prices, PRICE_DEPOSIT, &d->queue, units, turn->env->now_ms);
    }
    return err;
}

static enum err deposit_volatile(struct relay_host *host, struct turn *turn,
                                 const struct queue_deposit *d, const struct admitted *a,
                                 struct queue_deposit_reply *rep)
{
    if (!host_reader_has_room(host, a->q, d->envelope.len) || !turn->store->growth ||
        a->q->rows >= LIMIT_QUEUE_SPENT) {
        rep->outcome = QUEUE_DROPPED;
        return ERR_OK;
    }
    enum err err = take(host, turn, d, a, ITEM_PUSHED, &rep->stamp_bits);
    if (err == ERR_OK) {
        err = host_reader_volatile(host, a->q, !d->admission.stamp, a->nonce, turn->env->now_ms,
                                   d->envelope);
    }
    if (err == ERR_OK) {
        rep->outcome = QUEUE_PUSHED;
    }
    return err;
}

static enum err deposit(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                        const struct queue_deposit *d, struct queue_deposit_reply *rep)
{
    struct admitted a;
    uint64_t until = 0;
    enum err err = admit(host, turn, d, &a, &rep->stamp_bits);
    if (err != ERR_OK) {
        return err;
    }
    err = check_spent(host, turn, d, &a, &rep->outcome, &until);
    if (err == ERR_OK && rep->outcome == QUEUE_STORED) {
        return host_receipt_promise(host, turn, peer, &d->queue, a.hash, until);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    if (d->volatile_only) {
        return deposit_volatile(host, turn, d, &a, rep);
    }
    if (queue_full(host, turn, a.q, d->envelope.len)) {
        rep->head.retry_after_ms = RELAY_RETRY_MS;
        return ERR_QUEUE_FULL;
    }
    rep->outcome = QUEUE_STORED;
    until = turn->env->now_ms + host_limits_lifetime_ms(host, d->lifetime);
    err = take(host, turn, d, &a, ITEM_STORED, &rep->stamp_bits);
    return err == ERR_OK ? host_receipt_promise(host, turn, peer, &d->queue, a.hash, until) : err;
}

enum err host_queue_deposit(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct queue_deposit req;
    struct queue_deposit_reply rep = {.outcome = QUEUE_STORED};
    enum err err = queue_deposit_read(body, &req);
    if (err == ERR_OK) {
        err = deposit(host, turn, peer, &req, &rep);
    }
    bool promised = err == ERR_OK && rep.outcome == QUEUE_STORED;
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK && !promised) {
        queue_deposit_reply_write(reply, &rep);
    }
    return err;
}

/* --- void --- */

/* The row lives as long as any token that could have this nonce: the relay has not seen its tag, so
 * does not know its epoch. */
static enum err void_one(struct relay_host *host, struct turn *turn, struct relay_queue *q,
                         const uint8_t nonce[static TOKEN_NONCE])
{
    struct item_row row;
    uint64_t arrival;
    enum err err = find_spent(host, turn, q, nonce, &row, &arrival);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = arrival_take(host, turn, &arrival);
    if (err != ERR_OK) {
        return err;
    }
    row = (struct item_row){.state = ITEM_VOID,
                            .until = token_epoch_over(token_epoch(turn->env->now_ms))};
    memcpy(row.nonce, nonce, sizeof row.nonce);
    err = item_index_put(turn->store, q->number, arrival, &row);
    if (err == ERR_OK) {
        err = relay_cache_spend(&host->cache, q, nonce, arrival);
    }
    q->rows += err == ERR_OK;
    return err;
}

static enum err void_all(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         const struct queue_void *req)
{
    struct relay_queue *q = relay_cache_by_key(&host->cache, &req->queue);
    if (q == NULL || !q->attached || q->link != peer->link) {
        return ERR_NOT_NOW;
    }
    enum err err = relay_cache_open(&host->cache, host->config.keys, turn, &req->queue, &q);
    if (err != ERR_OK) {
        return err;
    }
    if (q->rows + req->nonces.len / TOKEN_NONCE > LIMIT_QUEUE_SPENT) {
        return ERR_QUOTA;
    }
    if (!turn->store->growth) {
        return ERR_BACKPRESSURE;
    }
    for (size_t at = 0; err == ERR_OK && at < req->nonces.len; at += TOKEN_NONCE) {
        err = void_one(host, turn, q, req->nonces.p + at);
    }
    return err;
}

enum err host_queue_void(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         struct slice body, struct writer *reply)
{
    struct queue_void req;
    struct relay_reply rep = {.err = ERR_OK};
    enum err err = queue_void_read(body, &req);
    if (err == ERR_OK) {
        err = void_all(host, turn, peer, &req);
    }
    err = relay_refusal(err, &rep);
    if (err == ERR_OK) {
        relay_reply_write(reply, &rep);
    }
    return err;
}

enum err host_item_done(struct turn *turn, struct relay_queue *q, uint32_t number, uint64_t arrival)
{
    struct item_row row;
    enum err err = item_index_get(turn->store, number, arrival, &row);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && row.state != ITEM_STORED)) {
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    err = item_log_del(turn->store, row.lifetime, arrival);
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        row.state = ITEM_DONE;
        err = item_index_put(turn->store, number, arrival, &row);
    }
    if (err == ERR_OK && q != NULL && q->scanned) {
        q->waiting--;
        q->bytes -= queue_envelope_size(row.envelope_class);
    }
    return err;
}

/* --- removal --- */

bool host_queue_member(struct slice plain, uint8_t member[static SEAL_NAME])
{
    struct relay_queue_row row;
    bool good = relay_queue_row_read(plain, &row) == ERR_OK;
    memcpy(member, row.member, SEAL_NAME);
    secret_wipe(&row, sizeof row);
    return good;
}

/* Deletes index rows and payloads of a queue. ERR_NOT_FOUND: there are none. */
static enum err remove_items(struct turn *turn, uint32_t queue, unsigned *rows)
{
    while (*rows > 0) {
        uint64_t arrival = 0;
        struct item_row row;
        enum err err = item_index_next(turn->store, queue, &arrival, &row);
        if (err == ERR_OK && row.state == ITEM_STORED) {
            err = item_log_del(turn->store, row.lifetime, arrival);
            err = err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (err == ERR_OK) {
            err = item_index_del(turn->store, queue, arrival);
        }
        if (err != ERR_OK) {
            return err;
        }
        --*rows;
    }
    return ERR_OK;
}

enum err host_queue_remove(struct relay_host *host, struct turn *turn,
                           const uint8_t name[static SEAL_NAME], struct slice plain, unsigned *rows,
                           bool *done)
{
    struct relay_queue_row row;
    enum err err = relay_queue_row_read(plain, &row);
    uint32_t number = row.number;
    secret_wipe(&row, sizeof row);
    *done = false;
    if (err == ERR_OK) {
        err = remove_items(turn, number, rows);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = store_del(turn->store, STORE_QUEUE, slice_of(name, SEAL_NAME));
    if (err == ERR_OK) {
        err = relay_meta_put(turn, "relay.queues_gone", host->queues_gone + 1);
    }
    if (err == ERR_OK) {
        host->queues_gone++;
        *done = true;
    }
    return err;
}
