/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_descriptor.h"

#include <string.h>

#include "relay/descriptor_record.h"
#include "relay/host_member.h"

/* A row: period u32 | member name 16 | item, encoded | quiet u8, which rows of before lack. */
struct descriptor_row {
    uint8_t name[SEAL_NAME]; /* keyed hash of the blinded key */
    uint32_t period;
    uint8_t member[SEAL_NAME];
    bool quiet; /* its member does not want it in the DHT */
    struct bep44_item item;
};

enum {
    DESCRIPTOR_ROW = 4 + SEAL_NAME + BEP44_ITEM + 1,
    PERIODS_AHEAD = LIMIT_DESCRIPTORS_AHEAD - 1, /* and one for yesterday's */
    DESCRIPTOR_ANNOUNCE_ROWS = 64,               /* looked at in one call */
    DESCRIPTOR_TURN_MS = 6 * 60 * 60 * 1000,     /* protocol section 3 */
};

static uint64_t period_over(uint32_t period)
{
    return ((uint64_t)period + 2) * LIMIT_DAY_MS; /* one day after its end */
}

static enum err row_read(struct slice plain, struct descriptor_row *row)
{
    struct reader r = reader_of(plain);
    row->period = reader_u32(&r);
    reader_copy(&r, row->member, sizeof row->member);
    bep44_item_read(&r, &row->item);
    row->quiet = reader_left(&r) > 0 && reader_u8(&r) != 0;
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* ERR_NOT_FOUND. */
static enum err row_load(struct relay_host *host, struct turn *turn,
                         const uint8_t name[static SEAL_NAME], struct descriptor_row *row)
{
    struct slice plain;
    enum err err =
        seal_get(host->config.keys, turn, STORE_DESCRIPTOR, slice_of(name, SEAL_NAME), &plain);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(row->name, name, SEAL_NAME);
    return row_read(plain, row);
}

static struct relay_age_row row_age(const struct descriptor_row *row)
{
    struct relay_age_row age = {.until = period_over(row->period), .kind = RELAY_AGE_DESCRIPTOR};
    memcpy(age.name, row->name, sizeof age.name);
    return age;
}

static enum err row_put(struct relay_host *host, struct turn *turn,
                        const struct descriptor_row *row)
{
    uint8_t buf[DESCRIPTOR_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u32(&w, row->period);
    writer_bytes(&w, row->member, sizeof row->member);
    bep44_item_write(&w, &row->item);
    writer_u8(&w, row->quiet ? 1 : 0);
    enum err err = seal_put(host->config.keys, turn, STORE_DESCRIPTOR,
                            slice_of(row->name, sizeof row->name), 0, writer_done(&w));
    struct relay_age_row age = row_age(row);
    return err == ERR_OK ? relay_age_put(host, turn, &age) : err;
}

static void descriptor_name(struct relay_host *host, const struct sign_pk *blinded,
                            uint8_t out[static SEAL_NAME])
{
    seal_name(host->config.keys, "petrel/1 relay descriptor",
              slice_of(blinded->b, sizeof blinded->b), out);
}

static enum err check_period(const struct turn *turn, uint32_t period)
{
    uint64_t today = turn->env->now_ms / LIMIT_DAY_MS;
    if (period_over(period) <= turn->env->now_ms) {
        return ERR_EXPIRED;
    }
    return period > today + PERIODS_AHEAD ? ERR_TOO_FAR_AHEAD : ERR_OK;
}

/* --- for the DHT --- */

/* An item is announced from a moment of the last DESCRIPTOR_TURN_MS before its period on, and until
 * one of the first after it: each at its own, so that not all change at once. */
static bool is_announced(const struct relay_host *host, const struct descriptor_row *row,
                         uint64_t now)
{
    uint64_t today = now / LIMIT_DAY_MS;
    uint64_t into = now % LIMIT_DAY_MS;
    struct reader r = reader_of(slice_of(row->name, sizeof row->name)); /* a keyed hash */
    uint64_t moment = reader_u64(&r) % DESCRIPTOR_TURN_MS;
    bool due = row->period == today ||
               (row->period == today + 1 && into >= LIMIT_DAY_MS - moment) ||
               (row->period + UINT64_C(1) == today && into < moment);
    return due && !row->quiet && !relay_removals_has(&host->removals, row->member);
}

/* To be put at once, once. */
static void remember_fresh(struct relay_host *host, const struct turn *turn,
                           const struct descriptor_row *row)
{
    bool known = !is_announced(host, row, turn->env->now_ms);
    for (unsigned i = 0; i < host->fresh_count && !known; i++) {
        known = memcmp(host->fresh[i], row->name, SEAL_NAME) == 0;
    }
    if (!known && host->fresh_count < RELAY_FRESH) {
        memcpy(host->fresh[host->fresh_count++], row->name, SEAL_NAME);
    }
}

enum err host_descriptor_fresh(struct relay_host *host, struct turn *turn, struct bep44_item *item)
{
    while (host->fresh_count > 0) {
        struct descriptor_row row;
        enum err err = row_load(host, turn, host->fresh[--host->fresh_count], &row);
        if (err == ERR_OK && is_announced(host, &row, turn->env->now_ms)) {
            *item = row.item;
            return ERR_OK;
        }
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            return err;
        }
    }
    return ERR_NOT_FOUND;
}

enum err host_descriptor_announce(struct relay_host *host, struct turn *turn,
                                  uint8_t at[static SEAL_NAME], struct bep44_item *item, bool *got)
{
    *got = false;
    for (unsigned i = 0; i < DESCRIPTOR_ANNOUNCE_ROWS && !*got; i++) {
        struct store_row found;
        struct slice plain;
        struct descriptor_row row;
        struct arena_mark mark = arena_mark(turn->arena);
        enum err err =
            store_seek(turn->store, STORE_DESCRIPTOR, STORE_GT, slice_of(at, SEAL_NAME), &found);
        if (err != ERR_OK || found.key.len != SEAL_NAME) {
            return err != ERR_OK ? err : ERR_CORRUPT;
        }
        memcpy(at, found.key.p, SEAL_NAME);
        memcpy(row.name, at, SEAL_NAME);
        err = seal_open(host->config.keys, turn, STORE_DESCRIPTOR, found.key, found.value, &plain);
        err = err == ERR_OK ? row_read(plain, &row) : err;
        arena_rewind(turn->arena, mark);
        if (err != ERR_OK) {
            return err;
        }
        *got = is_announced(host, &row, turn->env->now_ms);
        *item = row.item;
    }
    return ERR_OK;
}

/* The place of an item becomes this member's: it ends with the membership of who put it last. */
static enum err take_place(struct relay_host *host, struct turn *turn, struct descriptor_row *row,
                           struct relay_member *member)
{
    if (memcmp(row->member, member->name, sizeof row->member) == 0) {
        return ERR_OK;
    }
    if (member->descriptors >= LIMIT_DESCRIPTORS) {
        return ERR_QUOTA;
    }
    enum err err = relay_member_descriptor_gone(host, turn, row->member);
    memcpy(row->member, member->name, sizeof row->member);
    member->descriptors++;
    return err == ERR_OK ? relay_member_put(host, turn, member) : err;
}

/* A newer item in the place of old, or the same one, which another membership may have put. */
static enum err replace(struct relay_host *host, struct turn *turn,
                        const struct descriptor_row *old, const struct descriptor_put *put,
                        struct relay_member *member)
{
    bool newer = put->item.seq > old->item.seq;
    bool same = put->item.seq == old->item.seq &&
                memcmp(put->item.value, old->item.value, sizeof old->item.value) == 0;
    bool theirs = memcmp(old->member, member->name, sizeof old->member) == 0;
    if (relay_removals_has(&host->removals, old->member)) {
        return ERR_BACKPRESSURE;
    }
    if (!newer && (!same || theirs)) {
        return same ? ERR_OK : ERR_STALE;
    }
    if (!turn->store->growth) {
        return ERR_BACKPRESSURE;
    }
    struct relay_age_row age = row_age(old);
    struct descriptor_row row = *old;
    enum err err = take_place(host, turn, &row, member);
    if (err != ERR_OK) {
        return err;
    }
    row.period = put->period;
    row.quiet = put->quiet;
    row.item = put->item;
    remember_fresh(host, turn, &row);
    err = relay_age_del(turn, &age);
    return err == ERR_OK ? row_put(host, turn, &row) : err;
}

static enum err put_item(struct relay_host *host, struct turn *turn,
                         const struct descriptor_put *put)
{
    struct relay_member member;
    enum err err = relay_member_get(host, turn, &put->member, &member);
    if (err == ERR_OK) {
        err = check_period(turn, put->period);
    }
    if (err == ERR_OK) {
        err = bep44_item_verify(&put->item);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct descriptor_row row;
    uint8_t name[SEAL_NAME];
    descriptor_name(host, &put->item.key, name);
    err = row_load(host, turn, name, &row);
    if (err == ERR_OK) {
        return replace(host, turn, &row, put, &member);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    if (member.descriptors >= LIMIT_DESCRIPTORS) {
        return ERR_QUOTA;
    }
    if (!turn->store->growth) {
        return ERR_BACKPRESSURE;
    }
    row = (struct descriptor_row){.period = put->period, .quiet = put->quiet, .item = put->item};
    memcpy(row.name, name, sizeof row.name);
    memcpy(row.member, member.name, sizeof row.member);
    member.descriptors++;
    remember_fresh(host, turn, &row);
    err = row_put(host, turn, &row);
    return err == ERR_OK ? relay_member_put(host, turn, &member) : err;
}

enum err host_descriptor_put(struct relay_host *host, struct turn *turn,
                             const struct relay_peer *peer, struct slice body, struct writer *reply)
{
    struct descriptor_put put;
    struct relay_reply rep = {.err = ERR_OK};
    enum err err = descriptor_put_read(body, turn->arena, peer->handshake_hash, &put);
    if (err == ERR_OK) {
        err = put_item(host, turn, &put);
    }
    err = relay_refusal(err, &rep);
    if (err == ERR_OK) {
        relay_reply_write(reply, &rep);
    }
    return err;
}

enum err host_descriptor_get(struct relay_host *host, struct turn *turn, struct slice body,
                             struct writer *reply)
{
    struct descriptor_get get;
    struct descriptor_get_reply rep = {.head = {.err = ERR_OK}};
    enum err err = descriptor_get_read(body, &get);
    if (err == ERR_OK) {
        struct descriptor_row row;
        uint8_t name[SEAL_NAME];
        descriptor_name(host, &get.blinded, name);
        err = row_load(host, turn, name, &row);
        if (err == ERR_OK && (period_over(row.period) <= turn->env->now_ms ||
                              relay_removals_has(&host->removals, row.member))) {
            err = ERR_NOT_FOUND;
        }
        if (err == ERR_OK) {
            rep.item = row.item;
        }
    }
    err = relay_refusal(err, &rep.head);
    if (err == ERR_OK) {
        descriptor_get_reply_write(reply, &rep);
    }
    return err;
}

enum err host_descriptor_end(struct relay_host *host, struct turn *turn,
                             const uint8_t name[static SEAL_NAME])
{
    struct descriptor_row row;
    enum err err = row_load(host, turn, name, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    err = store_del(turn->store, STORE_DESCRIPTOR, slice_of(name, SEAL_NAME));
    return err == ERR_OK ? relay_member_descriptor_gone(host, turn, row.member) : err;
}

bool host_descriptor_member(struct slice plain, uint8_t member[static SEAL_NAME])
{
    struct descriptor_row row;
    bool good = row_read(plain, &row) == ERR_OK;
    memcpy(member, row.member, SEAL_NAME);
    return good;
}

enum err host_descriptor_remove(struct relay_host *host, struct turn *turn,
                                const uint8_t name[static SEAL_NAME], struct slice plain,
                                unsigned *rows, bool *done)
{
    struct descriptor_row row;
    (void)host;
    (void)rows;
    *done = true;
    memcpy(row.name, name, sizeof row.name);
    enum err err = row_read(plain, &row);
    if (err != ERR_OK) {
        return err;
    }
    struct relay_age_row age = row_age(&row);
    err = relay_age_del(turn, &age);
    return err == ERR_OK ? store_del(turn->store, STORE_DESCRIPTOR, slice_of(name, SEAL_NAME))
                         : err;
}
