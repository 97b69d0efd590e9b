/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_record.h"

#include <string.h>

#include "base/secret.h"
#include "relay/host_member.h"
#include "relay/record.h"

/* --- rows: seq u64 | k 32 | member name 16 | last part u32 | body; one row for each part --- */

static void record_name(struct relay_host *host, const struct sign_pk *record,
                        uint8_t out[static SEAL_NAME])
{
    seal_name(host->config.keys, "petrel/1 relay record", slice_of(record->b, sizeof record->b),
              out);
}

static enum err row_read(struct slice plain, struct relay_record_row *row)
{
    struct reader r = reader_of(plain);
    row->seq = reader_u64(&r);
    reader_copy(&r, row->k.b, sizeof row->k.b);
    reader_copy(&r, row->member, sizeof row->member);
    row->last_part = reader_u32(&r);
    row->body = reader_rest(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err relay_record_get(struct relay_host *host, struct turn *turn, const struct sign_pk *record,
                          struct relay_record_row *row)
{
    *row = (struct relay_record_row){.seq = 0};
    record_name(host, record, row->name);
    struct slice plain;
    enum err err =
        seal_get(host->config.keys, turn, STORE_RECORD, slice_of(row->name, SEAL_NAME), &plain);
    if (err != ERR_OK) {
        return err;
    }
    err = row_read(plain, row);
    row->opened = plain.len;
    if (err == ERR_OK && relay_removals_has(&host->removals, row->member)) {
        secret_wipe(&row->k, sizeof row->k);
        return ERR_NOT_FOUND; /* nobody gets anything of it any more */
    }
    return err;
}

static enum err row_put(struct relay_host *host, struct turn *turn,
                        const struct relay_record_row *row)
{
    size_t len = RELAY_RECORD_HEAD + row->body.len;
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

struct store_key relay_record_part_key(const uint8_t name[static SEAL_NAME], uint32_t id)
{
    struct store_key k = store_key_new();
    store_key_bytes(&k, name, SEAL_NAME);
    store_key_u32(&k, id);
    return k;
}

enum err relay_record_part_next(struct turn *turn, const uint8_t name[static SEAL_NAME],
                                uint32_t from, uint32_t *id)
{
    struct store_key k = relay_record_part_key(name, from);
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

enum err relay_record_parts_count(struct turn *turn, const uint8_t name[static SEAL_NAME],
                                  uint32_t from, size_t *count)
{
    *count = 0;
    for (;;) {
        uint32_t id;
        enum err err = relay_record_part_next(turn, name, from, &id);
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
        enum err err = relay_record_part_next(turn, name, 0, &id);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && id >= below)) {
            return ERR_OK;
        }
        if (err == ERR_OK) {
            struct store_key k = relay_record_part_key(name, id);
            err = store_del(turn->store, STORE_RECORD_PART, store_key_slice(&k));
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* --- put --- */

/* Whether the request may change this row. *body: whether it changes body or key. */
static enum err put_allowed(const struct relay_record_row *row, const struct record_put *put,
                            bool *body)
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
                          struct relay_record_row *row)
{
    for (size_t i = 0; i < put->nparts; i++) {
        const struct record_part *part = &put->parts[i];
        if (part->id <= row->last_part) {
            continue;
        }
        struct store_key k = relay_record_part_key(row->name, part->id);
        enum err err = seal_put(host->config.keys, turn, STORE_RECORD_PART, store_key_slice(&k), 0,
                                part->sealed);
        if (err != ERR_OK) {
            return err;
        }
        row->last_part = part->id;
    }
    return ERR_OK;
}

static size_t fresh_parts(const struct record_put *put, const struct relay_record_row *row)
{
    size_t n = 0;
    for (size_t i = 0; i < put->nparts; i++) {
        n += put->parts[i].id > row->last_part ? 1 : 0;
    }
    return n;
}

/* Everything that can be refused comes before this. */
static enum err put_apply(struct relay_host *host, struct turn *turn, const struct record_put *put,
                          struct relay_record_row *row, bool body)
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
    struct relay_record_row row;
    bool body = true;
    err = relay_record_get(host, turn, &put->record, &row);
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
        err = relay_record_parts_count(turn, row.name, put->drop_below, &count);
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
    struct relay_record_row row;
    struct record_get_reply rep = {.seq = 0};
    enum err err = record_get_read(body, &get);
    if (err == ERR_OK) {
        err = relay_record_get(host, turn, &get.record, &row);
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
    struct relay_record_row row;
    struct record_status_reply rep = {.seq = 0};
    enum err err = record_status_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = relay_record_get(host, turn, &req.record, &row);
    }
    size_t count = 0;
    if (err == ERR_OK) {
        err = relay_record_parts_count(turn, row.name, 0, &count);
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

/* --- removal --- */

bool host_record_member(struct slice plain, uint8_t member[static SEAL_NAME])
{
    struct relay_record_row row;
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
