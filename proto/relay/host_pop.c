/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/secret.h"
#include "crypto/stamp.h"
#include "relay/decoy.h"
#include "relay/host_record.h"
#include "relay/record.h"

static struct store_key name_key(const uint8_t name[static SEAL_NAME],
                                 const uint8_t nonce[static 16])
{
    struct store_key k = store_key_new();
    store_key_bytes(&k, name, SEAL_NAME);
    store_key_bytes(&k, nonce, 16);
    return k;
}

/* What a pop is admitted by. */
struct pop_admitted {
    uint32_t epoch; /* a token's */
    unsigned bits;  /* a stamp's */
};

static enum err pop_stamp(struct relay_host *host, const struct turn *turn,
                          const struct record_pop *pop, unsigned *bits, uint8_t *told)
{
    struct stamp_goal goal = {.relay = host->config.node_id, .minute = pop->admission.stamp_minute};
    struct slice nonce = slice_of(pop->pop_nonce, sizeof pop->pop_nonce);
    memcpy(goal.target, pop->record.b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &nonce, 1);
    *bits = stamp_bits(&goal, pop->admission.stamp_nonce);
    *told = (uint8_t)price_general(PRICE_POP);
    return stamp_check(&goal, pop->admission.stamp_nonce, *told, turn->env->now_ms);
}

/* Does what is missing of opening the largest row in two parts, so that it takes the same time to
 * refuse, whether there is such a record and however long its body is. */
static enum err refuse_alike(struct turn *turn, const struct relay_record_row *row)
{
    size_t opened = row->opened;
    enum err err = ERR_OK;
    if (opened == 0) {
        opened = RELAY_RECORD_HEAD;
        err = decoy_open(turn, STORE_RECORD, opened);
    }
    if (err == ERR_OK) {
        err = decoy_open(turn, STORE_RECORD, RELAY_RECORD_HEAD + LIMIT_RECORD_BODY - opened);
    }
    return err == ERR_OK ? ERR_BAD_TOKEN : err;
}

/* Stamps come before the record is looked up, and a token of an unknown record is checked against
 * a key of zeros, and refused: neither answer nor work says whether there is such a record. */
static enum err pop_admit(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          struct relay_record_row *row, struct pop_admitted *a, uint8_t *told)
{
    static const struct token_key nobody = {{0}};
    if (pop->admission.stamp) {
        enum err err = pop_stamp(host, turn, pop, &a->bits, told);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = relay_record_get(host, turn, &pop->record, row);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (pop->admission.stamp) {
        return err == ERR_OK ? ERR_OK : ERR_BAD_TOKEN;
    }
    struct token_kept kept = {.there = false};
    enum err admitted = token_check(err == ERR_OK ? &row->k : &nobody, &kept, &pop->record,
                                    turn->env->now_ms, &pop->admission.token, &a->epoch);
    secret_wipe(&kept, sizeof kept);
    return err == ERR_OK && admitted == ERR_OK ? ERR_OK : refuse_alike(turn, row);
}

/* ERR_OK: the token is new, or was spent for this very pop; *spent says which. */
static enum err pop_spent(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          const struct relay_record_row *row, bool *spent)
{
    struct store_key k = name_key(row->name, pop->admission.token.b);
    struct slice plain;
    enum err err = seal_get(host->config.keys, turn, STORE_SPENT, store_key_slice(&k), &plain);
    *spent = err == ERR_OK;
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    bool same = slice_equal(plain, slice_of(pop->pop_nonce, sizeof pop->pop_nonce));
    return same ? ERR_OK : ERR_TOKEN_SPENT;
}

/* The answer that this pop nonce got: part id u32 (0: none was left) | part. ERR_NOT_FOUND. */
static enum err pop_again(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          const struct relay_record_row *row, struct record_pop_reply *rep)
{
    struct store_key k = name_key(row->name, pop->pop_nonce);
    struct slice plain;
    enum err err = seal_get(host->config.keys, turn, STORE_RECORD_POP, store_key_slice(&k), &plain);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(plain);
    rep->part.id = reader_u32(&r);
    rep->part.sealed = reader_rest(&r);
    rep->has_part = rep->part.id != 0;
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* Takes the part with the smallest id, if there is one. */
static enum err pop_take(struct relay_host *host, struct turn *turn,
                         const struct relay_record_row *row, struct record_pop_reply *rep)
{
    uint32_t id;
    enum err err = relay_record_part_next(turn, row->name, 0, &id);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct store_key k = relay_record_part_key(row->name, id);
    struct slice key = store_key_slice(&k);
    err = seal_get(host->config.keys, turn, STORE_RECORD_PART, key, &rep->part.sealed);
    if (err == ERR_OK) {
        err = store_del(turn->store, STORE_RECORD_PART, key);
    }
    rep->part.id = id;
    rep->has_part = err == ERR_OK;
    return err;
}

static enum err pop_remember(struct relay_host *host, struct turn *turn,
                             const struct record_pop *pop, const struct relay_record_row *row,
                             const struct record_pop_reply *rep)
{
    uint8_t buf[4 + LIMIT_RECORD_PART];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u32(&w, rep->has_part ? rep->part.id : 0);
    if (rep->has_part) {
        writer_slice(&w, rep->part.sealed);
    }
    struct store_key k = name_key(row->name, pop->pop_nonce);
    enum err err = seal_put(host->config.keys, turn, STORE_RECORD_POP, store_key_slice(&k), 0,
                            writer_done(&w));
    if (err != ERR_OK) {
        return err;
    }
    struct relay_age_row age = {.until = turn->env->now_ms + LIMIT_POP_HOURS * LIMIT_HOUR_MS,
                                .kind = RELAY_AGE_POP};
    memcpy(age.name, row->name, sizeof age.name);
    memcpy(age.extra, pop->pop_nonce, sizeof age.extra);
    return relay_age_put(host, turn, &age);
}

static enum err pop_spend(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          const struct relay_record_row *row, uint32_t epoch)
{
    struct store_key k = name_key(row->name, pop->admission.token.b);
    enum err err = seal_put(host->config.keys, turn, STORE_SPENT, store_key_slice(&k), 0,
                            slice_of(pop->pop_nonce, sizeof pop->pop_nonce));
    if (err != ERR_OK) {
        return err;
    }
    struct relay_age_row age = {.until = token_epoch_over(epoch), .kind = RELAY_AGE_SPENT};
    memcpy(age.name, row->name, sizeof age.name);
    memcpy(age.extra, pop->admission.token.b, sizeof age.extra);
    return relay_age_put(host, turn, &age);
}

/* Whether a stamp is enough for this record as it is now. Where no part is left there is none to
 * save. */
static enum err pop_price(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          const struct relay_record_row *row, unsigned bits, uint8_t *told)
{
    size_t left;
    enum err err = relay_record_parts_count(turn, row->name, 0, &left);
    if (err != ERR_OK) {
        return err;
    }
    unsigned scarcity = left == 0 ? 0 : price_scarcity(left, LIMIT_ONE_TIME_PARTS);
    unsigned price = price_now(&host->prices, PRICE_POP, &pop->record, scarcity, turn->env->now_ms);
    if (bits >= price) {
        return price_add(&host->prices, PRICE_POP, &pop->record, 1, turn->env->now_ms);
    }
    *told = price_told(price);
    return ERR_STAMP_TOO_CHEAP;
}

/* An admitted pop. A pop nonce that was answered is answered the same way, whatever admits it: the
 * asker's first stamp may be stale by now. */
static enum err pop_answer(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                           const struct relay_record_row *row, const struct pop_admitted *a,
                           struct record_pop_reply *rep)
{
    bool spent = false;
    enum err err = ERR_OK;
    if (!pop->admission.stamp) {
        err = pop_spent(host, turn, pop, row, &spent);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = pop_again(host, turn, pop, row, rep);
    bool again = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        err = spent ? ERR_TOKEN_SPENT : ERR_OK; /* its 24 hours are over */
    }
    if (err == ERR_OK && (!again || (!spent && !pop->admission.stamp)) && !turn->store->growth) {
        rep->head.retry_after_ms = RELAY_RETRY_MS;
        err = ERR_BACKPRESSURE;
    }
    if (err == ERR_OK && !again && pop->admission.stamp) {
        err = pop_price(host, turn, pop, row, a->bits, &rep->stamp_bits);
    }
    if (err == ERR_OK && !again) {
        err = pop_take(host, turn, row, rep);
        if (err == ERR_OK) {
            err = pop_remember(host, turn, pop, row, rep);
        }
    }
    if (err == ERR_OK && !spent && !pop->admission.stamp) {
        err = pop_spend(host, turn, pop, row, a->epoch);
    }
    return err;
}

enum err host_record_pop(struct relay_host *host, struct turn *turn, struct slice body,
                         struct writer *reply)
{
    struct record_pop pop;
    struct relay_record_row row;
    struct record_pop_reply rep = {.seq = 0};
    struct pop_admitted a = {.epoch = 0};
    enum err err = record_pop_read(body, &pop);
    if (err == ERR_OK) {
        err = pop_admit(host, turn, &pop, &row, &a, &rep.stamp_bits);
    }
    if (err == ERR_OK) {
        rep.seq = row.seq;
        rep.body = row.body;
        err = pop_answer(host, turn, &pop, &row, &a, &rep);
        secret_wipe(&row.k, sizeof row.k);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        record_pop_reply_write(reply, &rep);
    }
    return err;
}
