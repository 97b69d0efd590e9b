/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_member.h"

#include <string.h>

#include "base/secret.h"
#include "relay/item.h"
#include "relay/member.h"

enum {
    MEMBER_ROW = 8 + 2 + 2 + 2
};

static void member_name(struct relay_host *host, const struct sign_pk *key,
                        uint8_t out[static SEAL_NAME])
{
    seal_name(host->config.keys, "petrel/1 relay member", slice_of(key->b, sizeof key->b), out);
}

/* ERR_NOT_FOUND. */
static enum err member_load(struct relay_host *host, struct turn *turn,
                            const uint8_t name[static SEAL_NAME], struct relay_member *member)
{
    struct slice plain;
    enum err err =
        seal_get(host->config.keys, turn, STORE_MEMBER, slice_of(name, SEAL_NAME), &plain);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(plain);
    struct relay_member got;
    memcpy(got.name, name, sizeof got.name);
    got.joined_ms = reader_u64(&r);
    got.queues = reader_u16(&r);
    got.records = reader_u16(&r);
    got.descriptors = reader_u16(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    *member = got;
    return ERR_OK;
}

enum err relay_member_get(struct relay_host *host, struct turn *turn, const struct sign_pk *key,
                          struct relay_member *member)
{
    uint8_t name[SEAL_NAME];
    member_name(host, key, name);
    if (relay_removals_has(&host->removals, name)) {
        return ERR_REFUSED;
    }
    enum err err = member_load(host, turn, name, member);
    return err == ERR_NOT_FOUND ? ERR_REFUSED : err;
}

enum err relay_member_put(struct relay_host *host, struct turn *turn,
                          const struct relay_member *member)
{
    uint8_t buf[MEMBER_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u64(&w, member->joined_ms);
    writer_u16(&w, member->queues);
    writer_u16(&w, member->records);
    writer_u16(&w, member->descriptors);
    return seal_put(host->config.keys, turn, STORE_MEMBER,
                    slice_of(member->name, sizeof member->name), 0, writer_done(&w));
}

enum err relay_member_descriptor_gone(struct relay_host *host, struct turn *turn,
                                      const uint8_t name[static SEAL_NAME])
{
    struct relay_member member;
    enum err err = member_load(host, turn, name, &member);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (member.descriptors > 0) {
        member.descriptors--;
    }
    return relay_member_put(host, turn, &member);
}

/* --- join codes: key = keyed hash of the code, value = until u64 --- */

static void code_name(struct relay_host *host, const uint8_t code[static RELAY_CODE],
                      uint8_t out[static SEAL_NAME])
{
    seal_name(host->config.keys, "petrel/1 relay join code", slice_of(code, RELAY_CODE), out);
}

enum err host_member_invite(struct relay_host *host, struct turn *turn, unsigned days,
                            uint8_t code[static 32])
{
    if (days < 1 || days > LIMIT_JOIN_CODE_DAYS_MAX) {
        return ERR_ARGUMENT;
    }
    uint8_t fresh[RELAY_CODE];
    env_random(turn->env, fresh, sizeof fresh);
    struct relay_age_row age = {.until = turn->env->now_ms + days * LIMIT_DAY_MS,
                                .kind = RELAY_AGE_CODE};
    code_name(host, fresh, age.name);
    uint8_t buf[8];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u64(&w, age.until);
    enum err err = seal_put(host->config.keys, turn, STORE_JOIN_CODE,
                            slice_of(age.name, sizeof age.name), 0, writer_done(&w));
    if (err == ERR_OK) {
        err = relay_age_put(host, turn, &age);
    }
    if (err == ERR_OK) {
        memcpy(code, fresh, sizeof fresh);
    }
    secret_wipe(fresh, sizeof fresh);
    return err;
}

/* Takes the code out of the store. ERR_BAD_INVITE_CODE. */
static enum err code_use(struct relay_host *host, struct turn *turn,
                         const uint8_t code[static RELAY_CODE])
{
    uint8_t name[SEAL_NAME];
    code_name(host, code, name);
    struct slice key = slice_of(name, sizeof name);
    struct slice plain;
    enum err err = seal_get(host->config.keys, turn, STORE_JOIN_CODE, key, &plain);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_BAD_INVITE_CODE : err;
    }
    struct reader r = reader_of(plain);
    uint64_t until = reader_u64(&r);
    if (reader_end(&r) != ERR_OK) {
        return ERR_CORRUPT;
    }
    if (until <= turn->env->now_ms) {
        return ERR_BAD_INVITE_CODE; /* the sweep deletes it */
    }
    return store_del(turn->store, STORE_JOIN_CODE, key); /* its age row ends by itself */
}

static enum err join(struct relay_host *host, struct turn *turn, const struct member_join *req)
{
    struct relay_member member = {.joined_ms = turn->env->now_ms};
    enum err err = relay_member_get(host, turn, &req->member, &member);
    if (err != ERR_REFUSED) {
        return err; /* a member already, or LOCAL */
    }
    member_name(host, &req->member, member.name);
    if (!turn->store->growth || relay_removals_has(&host->removals, member.name)) {
        return ERR_BACKPRESSURE; /* what it had is not all gone yet */
    }
    if (!host->config.registration_open) {
        err = req->has_code ? code_use(host, turn, req->code) : ERR_BAD_INVITE_CODE;
        if (err != ERR_OK) {
            return err;
        }
    }
    err = relay_member_put(host, turn, &member);
    if (err == ERR_OK) {
        err = relay_meta_put(turn, "relay.members", host->members + 1);
    }
    if (err == ERR_OK) {
        host->members++;
    }
    return err;
}

enum err host_member_join(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                          struct slice body, struct writer *reply)
{
    struct member_join req;
    struct member_join_reply rep = {.queues = LIMIT_MEMBER_QUEUES, .records = LIMIT_MEMBER_RECORDS};
    enum err err = member_join_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = join(host, turn, &req);
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        member_join_reply_write(reply, &rep);
    }
    return err;
}

/* --- the operator's side --- */

enum err host_member_list(struct relay_host *host, struct turn *turn,
                          const uint8_t after[static SEAL_NAME], struct relay_host_member *out,
                          size_t cap, size_t *count)
{
    uint8_t name[SEAL_NAME];
    memcpy(name, after, sizeof name);
    for (*count = 0; *count < cap; ++*count) {
        struct store_row row;
        struct relay_member member;
        enum err err =
            store_seek(turn->store, STORE_MEMBER, STORE_GT, slice_of(name, sizeof name), &row);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (row.key.len != sizeof name) {
            return ERR_CORRUPT;
        }
        memcpy(name, row.key.p, sizeof name);
        err = member_load(host, turn, name, &member);
        if (err != ERR_OK) {
            return err;
        }
        struct relay_host_member *m = &out[*count];
        memcpy(m->name, name, sizeof m->name);
        m->joined_ms = member.joined_ms;
        m->queues = member.queues;
        m->records = member.records;
        m->descriptors = member.descriptors;
        m->removing = relay_removals_has(&host->removals, name);
    }
    return ERR_OK;
}

enum err host_member_find(struct turn *turn, const uint8_t begin[static RELAY_NAME_SHORT],
                          uint8_t name[static SEAL_NAME])
{
    struct store_row row;
    uint8_t found[SEAL_NAME];
    struct slice prefix = slice_of(begin, RELAY_NAME_SHORT);
    enum err err = store_seek_prefix(turn->store, STORE_MEMBER, STORE_GE, prefix, prefix, &row);
    if (err == ERR_OK && row.key.len != sizeof found) {
        err = ERR_CORRUPT;
    }
    if (err != ERR_OK) {
        return err;
    }
    memcpy(found, row.key.p, sizeof found);
    err = store_seek_prefix(turn->store, STORE_MEMBER, STORE_GT, slice_of(found, sizeof found),
                            prefix, &row);
    if (err != ERR_NOT_FOUND) {
        return err == ERR_OK ? ERR_AMBIGUOUS : err;
    }
    memcpy(name, found, sizeof found);
    return ERR_OK;
}

/* Counts in one queue, from *arrival on, at most *rows. *arrival is 0 when it is through. */
static enum err tally_queue(struct turn *turn, uint32_t queue, uint64_t *arrival, unsigned *rows,
                            struct relay_host_waiting *out)
{
    while (*rows > 0) {
        struct item_row row;
        enum err err = item_index_next(turn->store, queue, arrival, &row);
        if (err != ERR_OK) {
            *arrival = 0;
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        --*rows;
        if (row.state == ITEM_STORED) {
            out->envelopes++;
            out->bytes += queue_envelope_size(row.envelope_class);
        }
    }
    return ERR_OK;
}

enum err host_member_waiting(struct relay_host *host, struct turn *turn,
                             struct relay_host_cursor *cursor, struct relay_host_waiting *out,
                             size_t cap, size_t *count)
{
    unsigned rows = LIMIT_TALLY_ROWS;
    for (*count = 0; *count < cap && rows > 0; ++*count) {
        struct store_row row;
        struct slice plain;
        struct relay_queue_row queue;
        struct slice at = slice_of(cursor->queue, sizeof cursor->queue);
        enum err err = store_seek(turn->store, STORE_QUEUE,
                                  cursor->arrival == 0 ? STORE_GT : STORE_GE, at, &row);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (row.key.len != sizeof cursor->queue) {
            return ERR_CORRUPT;
        }
        if (!slice_equal(row.key, at)) {
            cursor->arrival = 0; /* the one that it stood in is gone */
        }
        memcpy(cursor->queue, row.key.p, sizeof cursor->queue);
        err = seal_open(host->config.keys, turn, STORE_QUEUE, row.key, row.value, &plain);
        if (err == ERR_OK) {
            err = relay_queue_row_read(plain, &queue);
        }
        if (err == ERR_OK) {
            out[*count] = (struct relay_host_waiting){.envelopes = 0};
            memcpy(out[*count].member, queue.member, sizeof queue.member);
            err = tally_queue(turn, queue.number, &cursor->arrival, &rows, &out[*count]);
        }
        secret_wipe(&queue, sizeof queue);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
