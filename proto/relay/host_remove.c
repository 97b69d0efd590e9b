/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_remove.h"

#include <string.h>

#include "relay/host_descriptor.h"
#include "relay/host_member.h"
#include "relay/host_queue.h"
#include "relay/host_record.h"
#include "relay/member.h"

/* What members own, in the order in which the pass looks at it. Each table's keys are names. */
static const struct owned {
    enum store_table table;
    /* The member of an opened row; false when it is out of form. */
    bool (*member)(struct slice plain, uint8_t member[static SEAL_NAME]);
    /* Deletes what can be deleted of one row within *rows; *done: nothing of it is left. */
    enum err (*remove)(struct relay_host *host, struct turn *turn,
                       const uint8_t name[static SEAL_NAME], struct slice plain, unsigned *rows,
                       bool *done);
} OWNED[] = {
    {STORE_QUEUE, host_queue_member, host_queue_remove},
    {STORE_RECORD, host_record_member, host_record_remove},
    {STORE_DESCRIPTOR, host_descriptor_member, host_descriptor_remove},
};

enum {
    OWNED_TABLES = sizeof OWNED / sizeof OWNED[0]
};

/* STORE_META "relay.removing": names, 16 bytes each, not sealed. */
static struct slice row_name(void)
{
    static const char name[] = "relay.removing";
    return slice_of(name, sizeof name - 1);
}

/* The pass begins at the beginning. */
static void rewind_pass(struct relay_host *host)
{
    host->remove_table = 0;
    memset(host->remove_at, 0, sizeof host->remove_at);
}

enum err host_remove_load(struct relay_host *host, struct turn *turn)
{
    struct slice row;
    struct relay_removals *r = &host->removals;
    rewind_pass(host);
    r->count = 0;
    enum err err = store_get(turn->store, STORE_META, row_name(), &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (row.len % SEAL_NAME != 0 || row.len > sizeof r->names) {
        return ERR_CORRUPT;
    }
    memcpy(r->names, row.p, row.len);
    r->count = row.len / SEAL_NAME;
    return ERR_OK;
}

enum err host_remove_member(struct relay_host *host, struct turn *turn,
                            const uint8_t name[static SEAL_NAME])
{
    struct relay_removals *r = &host->removals;
    if (relay_removals_has(r, name)) {
        return ERR_OK;
    }
    if (r->count == LIMIT_REMOVALS) {
        return ERR_BACKPRESSURE;
    }
    memcpy(r->names[r->count], name, SEAL_NAME);
    size_t len = (r->count + 1) * SEAL_NAME;
    enum err err =
        store_put(turn->store, STORE_META, row_name(), slice_of((const uint8_t *)r->names, len));
    if (err == ERR_OK) {
        r->count++;
        rewind_pass(host); /* what was passed by already may be this one's */
        host_reader_remove(host, name);
    }
    return err;
}

/* A stranger's name must not get among the removals: there are few places. */
static enum err leave(struct relay_host *host, struct turn *turn, const struct member_leave *req)
{
    struct relay_member member;
    enum err err = relay_member_get(host, turn, &req->member, &member);
    if (err == ERR_OK) {
        return host_remove_member(host, turn, member.name);
    }
    return err == ERR_REFUSED ? ERR_OK : err;
}

enum err host_remove_leave(struct relay_host *host, struct turn *turn,
                           const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct member_leave req;
    struct relay_reply rep = {.err = ERR_OK};
    enum err err = member_leave_read(body, turn->arena, peer->handshake_hash, &req);
    if (err == ERR_OK) {
        err = leave(host, turn, &req);
    }
    err = relay_refusal(err, &rep);
    if (err == ERR_OK) {
        relay_reply_write(reply, &rep);
    }
    return err;
}

/* --- the pass --- */

/* The next row behind remove_at. ERR_NOT_FOUND: the table has no more. */
static enum err next_row(struct relay_host *host, struct turn *turn, enum store_table table,
                         uint8_t name[static SEAL_NAME], struct slice *plain)
{
    struct store_row row;
    struct slice at = slice_of(host->remove_at, sizeof host->remove_at);
    enum err err = store_seek(turn->store, table, STORE_GT, at, &row);
    if (err != ERR_OK) {
        return err;
    }
    if (row.key.len != SEAL_NAME) {
        return ERR_CORRUPT;
    }
    memcpy(name, row.key.p, SEAL_NAME);
    return seal_open(host->config.keys, turn, table, row.key, row.value, plain);
}

/* One row of the pass. */
static enum err pass_one(struct relay_host *host, struct turn *turn, unsigned *rows)
{
    const struct owned *owned = &OWNED[host->remove_table];
    uint8_t name[SEAL_NAME];
    uint8_t owner[SEAL_NAME];
    struct slice plain;
    bool done = true;
    enum err err = next_row(host, turn, owned->table, name, &plain);
    if (err == ERR_NOT_FOUND) {
        host->remove_table++;
        memset(host->remove_at, 0, sizeof host->remove_at);
        return ERR_OK;
    }
    --*rows;
    if (err == ERR_OK && !owned->member(plain, owner)) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK && relay_removals_has(&host->removals, owner)) {
        err = owned->remove(host, turn, name, plain, rows, &done);
    }
    if (err == ERR_OK && done) {
        memcpy(host->remove_at, name, sizeof host->remove_at);
    }
    return err;
}

/* The pass is through: the members themselves. */
static enum err finish(struct relay_host *host, struct turn *turn)
{
    struct relay_removals *r = &host->removals;
    uint32_t members = host->members;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < r->count; i++) {
        err = store_del(turn->store, STORE_MEMBER, slice_of(r->names[i], SEAL_NAME));
        if (err == ERR_OK && members > 0) {
            members--;
        }
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err == ERR_OK) {
        err = relay_meta_put(turn, "relay.members", members);
    }
    if (err == ERR_OK) {
        err = store_del(turn->store, STORE_META, row_name());
    }
    if (err == ERR_OK) {
        host->members = members;
        r->count = 0;
        rewind_pass(host);
    }
    return err;
}

enum err host_remove_tick(struct relay_host *host, struct turn *turn, unsigned *rows)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && host->removals.count > 0 && *rows > 0) {
        struct arena_mark mark = arena_mark(turn->arena);
        err = host->remove_table < OWNED_TABLES ? pass_one(host, turn, rows) : finish(host, turn);
        arena_rewind(turn->arena, mark);
    }
    return err;
}

uint64_t host_remove_deadline(const struct relay_host *host)
{
    return host->removals.count > 0 ? 0 : UINT64_MAX;
}
