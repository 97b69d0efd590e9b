/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_record.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/stamp.h"
#include "relay/host_member.h"
#include "relay/record.h"

/* --- rows: seq u64 | k 32 | member name 16 | last part u32 | body; one row for each part --- */

enum {
    RECORD_ROW_HEAD = 8 + 32 + SEAL_NAME + 4
};

struct record_row {
    uint8_t name[SEAL_NAME]; /* keyed hash of the record's key: begins all its keys */
    uint64_t seq;
    struct token_key k;
    uint8_t member[SEAL_NAME];
    uint32_t last_part; /* highest id ever added */
    struct slice body;  /* in the turn's arena */
};

static void record_name(struct relay_host *host, const struct sign_pk *record,
                        uint8_t out[static SEAL_NAME])
{
    seal_name(host->config.keys, "petrel/1 relay record", slice_of(record->b, sizeof record->b),
              out);
}

static enum err row_read(struct slice plain, struct record_row *row)
{
    struct reader r = reader_of(plain);
    row->seq = reader_u64(&r);
    reader_copy(&r, row->k.b, sizeof row->k.b);
    reader_copy(&r, row->member, sizeof row->member);
    row->last_part = reader_u32(&r);
    row->body = reader_rest(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* ERR_NOT_FOUND: row->name is set all the same, and row->member when it is being removed. */
static enum err row_get(struct relay_host *host, struct turn *turn, const struct sign_pk *record,
                        struct record_row *row)
{
    *row = (struct record_row){.seq = 0};
    record_name(host, record, row->name);
    struct slice plain;
    enum err err =
        seal_get(host->config.keys, turn, STORE_RECORD, slice_of(row->name, SEAL_NAME), &plain);
    if (err != ERR_OK) {
        return err;
    }
    err = row_read(plain, row);
    if (err == ERR_OK && relay_removals_has(&host->removals, row->member)) {
        secret_wipe(&row->k, sizeof row->k);
        return ERR_NOT_FOUND; /* nobody gets anything of it any more */
    }
    return err;
}

static enum err row_put(struct relay_host *host, struct turn *turn, const struct record_row *row)
{
    size_t len = RECORD_ROW_HEAD + row->body.len;
    uint8_t *buf = arena_alloc(turn->arena, len);
    if (buf == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(buf, len);
    writer_u64(&w, row->seq);
    writer_bytes(&w, row->k.b, sizeof row->k.b);
    writer_bytes(&w, row->member, sizeof row->member);
    writer_u32(&w, row->last_part);
    writer_slice(&w, row->body);
    return seal_put(host->config.keys, turn, STORE_RECORD, slice_of(row->name, SEAL_NAME), 0,
                    writer_done(&w));
}

static struct store_key part_key(const uint8_t name[static SEAL_NAME], uint32_t id)
{
    struct store_key k = store_key_new();
    store_key_bytes(&k, name, SEAL_NAME);
    store_key_u32(&k, id);
    return k;
}

/* Id of the first part with an id >= from. ERR_NOT_FOUND. */
static enum err part_next(struct turn *turn, const uint8_t name[static SEAL_NAME], uint32_t from,
                          uint32_t *id)
{
    struct store_key k = part_key(name, from);
    struct store_row row;
    enum err err = store_seek_prefix(turn->store, STORE_RECORD_PART, STORE_GE, store_key_slice(&k),
                                     slice_of(name, SEAL_NAME), &row);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(row.key);
    (void)reader_bytes(&r, SEAL_NAME);
    uint32_t got = reader_u32(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    *id = got;
    return ERR_OK;
}

/* Number of parts with an id >= from; at most LIMIT_ONE_TIME_PARTS are stored. */
static enum err parts_count(struct turn *turn, const uint8_t name[static SEAL_NAME], uint32_t from,
                            size_t *count)
{
    *count = 0;
    for (;;) {
        uint32_t id;
        enum err err = part_next(turn, name, from, &id);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        ++*count;
        if (id == UINT32_MAX) {
            return ERR_OK;
        }
        from = id + 1;
    }
}

static enum err parts_drop(struct turn *turn, const uint8_t name[static SEAL_NAME], uint32_t below)
{
    for (;;) {
        uint32_t id;
        enum err err = part_next(turn, name, 0, &id);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && id >= below)) {
            return ERR_OK;
        }
        if (err == ERR_OK) {
            struct store_key k = part_key(name, id);
            err = store_del(turn->store, STORE_RECORD_PART, store_key_slice(&k));
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* --- put --- */

/* Whether the request may change this row. *body: whether it changes body or key. */
static enum err put_allowed(const struct record_row *row, const struct record_put *put, bool *body)
{
    bool same_k = prim_equal(row->k.b, put->k.b, sizeof row->k.b);
    *body = put->has_body && put->seq > row->seq;
    if (*body) {
        return ERR_OK;
    }
    if (put->seq != row->seq || !same_k) {
        return ERR_STALE;
    }
    return !put->has_body || slice_equal(put->body, row->body) ? ERR_OK : ERR_STALE;
}

/* Adds the parts that this record never had: a retry of a put whose part was popped meanwhile must
 * not bring it back. */
static enum err put_parts(struct relay_host *host, struct turn *turn, const struct record_put *put,
                          struct record_row *row)
{
    for (size_t i = 0; i < put->nparts; i++) {
        const struct record_part *part = &put->parts[i];
        if (part->id <= row->last_part) {
            continue;
        }
        struct store_key k = part_key(row->name, part->id);
        enum err err = seal_put(host->config.keys, turn, STORE_RECORD_PART, store_key_slice(&k), 0,
                                part->sealed);
        if (err != ERR_OK) {
            return err;
        }
        row->last_part = part->id;
    }
    return ERR_OK;
}

static size_t fresh_parts(const struct record_put *put, const struct record_row *row)
{
    size_t n = 0;
    for (size_t i = 0; i < put->nparts; i++) {
        n += put->parts[i].id > row->last_part ? 1 : 0;
    }
    return n;
}

/* Everything that can be refused comes before this. */
static enum err put_apply(struct relay_host *host, struct turn *turn, const struct record_put *put,
                          struct record_row *row, bool body)
{
    uint32_t last_part = row->last_part;
    if (body) {
        row->seq = put->seq;
        row->k = put->k;
        row->body = put->body;
    }
    enum err err = parts_drop(turn, row->name, put->drop_below);
    if (err == ERR_OK) {
        err = put_parts(host, turn, put, row);
    }
    if (err == ERR_OK && (body || row->last_part != last_part)) {
        err = row_put(host, turn, row);
    }
    return err;
}

static enum err put_record(struct relay_host *host, struct turn *turn, const struct record_put *put,
                           uint16_t *left)
{
    struct relay_member member;
    enum err err = relay_member_get(host, turn, &put->member, &member);
    if (err != ERR_OK) {
        return err;
    }
    struct record_row row;
    bool body = true;
    err = row_get(host, turn, &put->record, &row);
    bool fresh = err == ERR_NOT_FOUND;
    if (fresh && relay_removals_has(&host->removals, row.member)) {
        return ERR_BACKPRESSURE;
    }
    if (fresh) {
        if (!put->has_body) {
            return ERR_NOT_FOUND;
        }
        memcpy(row.member, member.name, sizeof row.member);
        err = member.records < LIMIT_MEMBER_RECORDS ? ERR_OK : ERR_QUOTA;
    } else if (err == ERR_OK) {
        bool own = memcmp(row.member, member.name, sizeof member.name) == 0;
        err = own ? put_allowed(&row, put, &body) : ERR_REFUSED;
    }
    size_t count = 0;
    size_t more = fresh_parts(put, &row);
    if (err == ERR_OK) {
        err = parts_count(turn, row.name, put->drop_below, &count);
    }
    if (err == ERR_OK && count + more > LIMIT_ONE_TIME_PARTS) {
        err = ERR_QUOTA;
    }
    if (err == ERR_OK && (body || more > 0) && !turn->store->growth) {
        err = ERR_BACKPRESSURE;
    }
    if (err == ERR_OK) {
        err = put_apply(host, turn, put, &row, body);
    }
    if (err == ERR_OK && fresh) {
        member.records++;
        err = relay_member_put(host, turn, &member);
    }
    if (err == ERR_OK) {
        *left = (uint16_t)(count + more);
    }
    secret_wipe(&row.k, sizeof row.k);
    return err;
}

enum err host_record_put(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         struct slice body, struct writer *reply)
{
    struct record_put put;
    struct record_put_reply rep = {.parts_left = 0};
    enum err err = record_put_read(body, turn->arena, peer->handshake_hash, &put);
    if (err == ERR_OK) {
        err = put_record(host, turn, &put, &rep.parts_left);
        secret_wipe(&put.k, sizeof put.k);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        record_put_reply_write(reply, &rep);
    }
    return err;
}

/* --- get, status --- */

enum err host_record_get(struct relay_host *host, struct turn *turn, struct slice body,
                         struct writer *reply)
{
    struct record_get get;
    struct record_row row;
    struct record_get_reply rep = {.seq = 0};
    enum err err = record_get_read(body, &get);
    if (err == ERR_OK) {
        err = row_get(host, turn, &get.record, &row);
    }
    if (err == ERR_OK) {
        rep.seq = row.seq;
        rep.body = row.body;
        secret_wipe(&row.k, sizeof row.k);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        record_get_reply_write(reply, &rep);
    }
    return err;
}

enum err host_record_status(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct record_status req;
    struct record_row row;
    struct record_status_reply rep = {.seq = 0};
    enum err err = record_status_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = row_get(host, turn, &req.record, &row);
    }
    size_t count = 0;
    if (err == ERR_OK) {
        err = parts_count(turn, row.name, 0, &count);
    }
    if (err == ERR_OK) {
        rep.seq = row.seq;
        rep.parts_left = (uint16_t)count;
        rep.last_part = row.last_part;
        secret_wipe(&row.k, sizeof row.k);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        record_status_reply_write(reply, &rep);
    }
    return err;
}

/* --- pop --- */

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

/* Stamps come before the record is looked up, and a token of an unknown record is checked against
 * a key that nobody has: neither answer nor work says whether there is such a record. */
static enum err pop_admit(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          struct record_row *row, struct pop_admitted *a, uint8_t *told)
{
    static const struct token_key nobody = {{0}};
    if (pop->admission.stamp) {
        enum err err = pop_stamp(host, turn, pop, &a->bits, told);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = row_get(host, turn, &pop->record, row);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (pop->admission.stamp) {
        return err == ERR_OK ? ERR_OK : ERR_BAD_TOKEN;
    }
    enum err admitted = token_check(err == ERR_OK ? &row->k : &nobody, &pop->record,
                                    turn->env->now_ms, &pop->admission.token, &a->epoch);
    return err == ERR_OK ? admitted : ERR_BAD_TOKEN;
}

/* ERR_OK: the token is new, or was spent for this very pop; *spent says which. */
static enum err pop_spent(struct relay_host *host, struct turn *turn, const struct record_pop *pop,
                          const struct record_row *row, bool *spent)
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
                          const struct record_row *row, struct record_pop_reply *rep)
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
static enum err pop_take(struct relay_host *host, struct turn *turn, const struct record_row *row,
                         struct record_pop_reply *rep)
{
    uint32_t id;
    enum err err = part_next(turn, row->name, 0, &id);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct store_key k = part_key(row->name, id);
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
                             const struct record_pop *pop, const struct record_row *row,
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
                          const struct record_row *row, uint32_t epoch)
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
                          const struct record_row *row, unsigned bits, uint8_t *told)
{
    size_t left;
    enum err err = parts_count(turn, row->name, 0, &left);
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
                           const struct record_row *row, const struct pop_admitted *a,
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
    struct record_row row;
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

/* --- removal --- */

bool host_record_member(struct slice plain, uint8_t member[static SEAL_NAME])
{
    struct record_row row;
    bool good = row_read(plain, &row) == ERR_OK;
    memcpy(member, row.member, SEAL_NAME);
    secret_wipe(&row.k, sizeof row.k);
    return good;
}

enum err host_record_remove(struct relay_host *host, struct turn *turn,
                            const uint8_t name[static SEAL_NAME], struct slice plain,
                            unsigned *rows, bool *done)
{
    /* Rows of these in STORE_SPENT_AGE end by themselves. */
    static const enum store_table tables[] = {STORE_RECORD_PART, STORE_RECORD_POP, STORE_SPENT};
    struct slice prefix = slice_of(name, SEAL_NAME);
    (void)host;
    (void)plain;
    *done = false;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (;;) {
            struct store_row row;
            struct store_key k = store_key_new();
            enum err err =
                store_seek_prefix(turn->store, tables[i], STORE_GE, prefix, prefix, &row);
            if (err == ERR_NOT_FOUND) {
                break;
            }
            if (err == ERR_OK && *rows == 0) {
                return ERR_OK;
            }
            if (err == ERR_OK) {
                store_key_bytes(&k, row.key.p, row.key.len);
                err = store_del(turn->store, tables[i], store_key_slice(&k));
            }
            if (err != ERR_OK) {
                return err;
            }
            --*rows;
        }
    }
    *done = true;
    return store_del(turn->store, STORE_RECORD, prefix);
}
