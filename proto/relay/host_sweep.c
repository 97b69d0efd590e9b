/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_sweep.h"

#include <assert.h>
#include <string.h>

#include "relay/host_descriptor.h"
#include "relay/host_limits.h"
#include "relay/host_queue.h"
#include "relay/host_remove.h"
#include "relay/item.h"

enum {
    SWEEP_TOGETHER_MS = 10000, /* what ends within this goes in one turn, with one fsync */
    SWEEP_PASS_MS = 20,        /* between two slices of the pass over the index */
};

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a sweep stops at something with this end: at once if it is due already. */
static uint64_t later(const struct turn *turn, uint64_t due)
{
    return due > turn->env->now_ms ? due : 0;
}

/* --- ages --- */

static enum err age_first(struct turn *turn, struct relay_age_row *row)
{
    static const uint8_t zero[8] = {0};
    struct store_row found;
    enum err err =
        store_seek(turn->store, STORE_SPENT_AGE, STORE_GE, slice_of(zero, sizeof zero), &found);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(found.key);
    row->until = reader_u64(&r);
    row->kind = (enum relay_age)reader_u8(&r);
    reader_copy(&r, row->name, sizeof row->name);
    reader_copy(&r, row->extra, sizeof row->extra);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* Deletes what the row stands for; it may be gone already. */
static enum err age_end(struct relay_host *host, struct turn *turn, const struct relay_age_row *row)
{
    struct store_key k = store_key_new();
    store_key_bytes(&k, row->name, sizeof row->name);
    enum err err = ERR_CORRUPT;
    switch (row->kind) {
    case RELAY_AGE_SPENT:
        store_key_bytes(&k, row->extra, sizeof row->extra);
        err = store_del(turn->store, STORE_SPENT, store_key_slice(&k));
        break;
    case RELAY_AGE_POP:
        store_key_bytes(&k, row->extra, sizeof row->extra);
        err = store_del(turn->store, STORE_RECORD_POP, store_key_slice(&k));
        break;
    case RELAY_AGE_DESCRIPTOR:
        err = host_descriptor_end(host, turn, row->name);
        break;
    case RELAY_AGE_CODE:
        err = store_del(turn->store, STORE_JOIN_CODE, store_key_slice(&k));
        break;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err sweep_ages(struct relay_host *host, struct turn *turn, unsigned *rows)
{
    host->age_due = UINT64_MAX;
    for (;;) {
        struct relay_age_row row;
        enum err err = age_first(turn, &row);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (row.until > turn->env->now_ms || *rows == 0) {
            host->age_due = later(turn, row.until);
            return ERR_OK;
        }
        --*rows;
        err = age_end(host, turn, &row);
        if (err == ERR_OK) {
            err = relay_age_del(turn, &row);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* --- arrival logs: each in the order in which its envelopes end --- */

static enum err sweep_log(struct relay_host *host, struct turn *turn, unsigned lifetime,
                          unsigned *rows)
{
    host->log_due[lifetime] = UINT64_MAX;
    for (;;) {
        uint64_t arrival;
        struct item_payload payload;
        enum err err = item_log_head(host->config.keys, turn, lifetime, &arrival, &payload);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        uint64_t due = payload.deposited_ms + host_limits_lifetime_ms(host, lifetime);
        if (due > turn->env->now_ms || *rows == 0) {
            host->log_due[lifetime] = later(turn, due);
            return ERR_OK;
        }
        --*rows;
        struct relay_queue *q = relay_cache_by_number(&host->cache, payload.queue);
        err = host_item_done(turn, q, payload.queue, arrival);
        if (err == ERR_OK) {
            /* Gone by now, unless its index row was: then it would stay at the head for ever. */
            err = item_log_del(turn->store, lifetime, arrival);
            err = err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* --- the pass over the queue index, once a day: spent rows whose time is over --- */

static enum err pass_row(struct relay_host *host, struct turn *turn, const struct item_row *row)
{
    if (row->state == ITEM_STORED || row->until > turn->env->now_ms) {
        return ERR_OK;
    }
    struct relay_queue *q = relay_cache_by_number(&host->cache, host->pass_queue);
    if (q != NULL && q->scanned) {
        relay_cache_drop(&host->cache, q); /* it is scanned again when it is needed */
    }
    return item_index_del(turn->store, host->pass_queue, host->pass_arrival);
}

static enum err sweep_index(struct relay_host *host, struct turn *turn, unsigned *rows)
{
    uint64_t now = turn->env->now_ms;
    if (!host->pass_runs && host->pass_due > now) {
        return ERR_OK;
    }
    if (!host->pass_runs) {
        host->pass_runs = true;
        host->pass_began = now;
        host->pass_queue = 0;
        host->pass_arrival = 0;
    }
    while (*rows > 0) {
        struct item_row row;
        enum err err = item_index_walk(turn->store, &host->pass_queue, &host->pass_arrival, &row);
        if (err == ERR_NOT_FOUND) {
            host->pass_runs = false;
            host->pass_due = host->pass_began + LIMIT_QUEUE_SWEEP_MS;
            return relay_meta_put(turn, "relay.swept", host->pass_began);
        }
        --*rows;
        if (err == ERR_OK) {
            err = pass_row(host, turn, &row);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    host->pass_due = now + SWEEP_PASS_MS;
    return ERR_OK;
}

enum err host_sweep_load(struct relay_host *host, struct turn *turn)
{
    uint64_t swept;
    enum err err = relay_meta_get(turn, "relay.swept", &swept);
    if (err == ERR_OK) {
        memset(host->log_due, 0, sizeof host->log_due);
        host->age_due = 0;
        host->pass_due = swept + LIMIT_QUEUE_SWEEP_MS;
        host->pass_runs = false;
    }
    return err;
}

enum err host_sweep_tick(struct relay_host *host, struct turn *turn)
{
    uint64_t now = turn->env->now_ms;
    unsigned rows = LIMIT_SWEEP_ROWS;
    host->push_held = false;
    for (unsigned i = 0; i < QUEUE_LIFETIMES; i++) {
        if (host->log_due[i] <= now) {
            enum err err = sweep_log(host, turn, i, &rows);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    if (host->age_due <= now) {
        enum err err = sweep_ages(host, turn, &rows);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = host_remove_tick(host, turn, &rows);
    return err == ERR_OK ? sweep_index(host, turn, &rows) : err;
}

/* Up to the next multiple of SWEEP_TOGETHER_MS. */
static uint64_t together(uint64_t due)
{
    if (due > UINT64_MAX - SWEEP_TOGETHER_MS) {
        return UINT64_MAX;
    }
    return (due + SWEEP_TOGETHER_MS - 1) / SWEEP_TOGETHER_MS * SWEEP_TOGETHER_MS;
}

uint64_t host_sweep_deadline(const struct relay_host *host)
{
    if (host->push_held) {
        return 0;
    }
    uint64_t due = min64(host->age_due, host_remove_deadline(host));
    for (unsigned i = 0; i < QUEUE_LIFETIMES; i++) {
        due = min64(due, host->log_due[i]);
    }
    return min64(together(due), host->pass_due);
}
