/* SPDX-License-Identifier: Apache-2.0
 *
 * removal: an identity goes: it leaves its relays, then the host destroys what opens its keys, and
 * all its rows are deleted, in slices. docs/protocol/07-node.md, section 7.9.
 *
 * Row: STORE_ACCOUNT, account | 0x02: since u64 | phase u8, not sealed, so that a node goes on with
 * an account that nobody can open any more. It is the last to be deleted: a number is not given
 * again before nothing of the account is left.
 */
#include <string.h>

#include "node/core.h"
#include "node/node.h"
#include "node/removal.h"

enum removal_phase {
    REMOVAL_LEAVING = 0,
    REMOVAL_ERASING = 1,
};

/* All tables whose keys begin with an account. Its bucket keys go first, and what says that there
 * is one goes last. */
static const enum store_table TABLES[] = {
    STORE_BUCKET,     STORE_SESSION,   STORE_PREKEY,   STORE_MESSAGE, STORE_OUTBOX,
    STORE_TOKEN,      STORE_INVITE,    STORE_PEER,     STORE_CONTACT, STORE_CONTACT_ID,
    STORE_VOIDING,    STORE_REPLAY,    STORE_OWED,     STORE_EVENT,   STORE_CONSUMER,
    STORE_MESSAGE_ID, STORE_CLIENT_ID, STORE_EVIDENCE, STORE_ACCOUNT,
};

/* --- the marker --- */

static struct store_key marker_key(uint32_t account)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, account);
    store_key_u8(&k, 2);
    return k;
}

static enum err marker_put(struct account *me, struct step *step, enum removal_phase phase)
{
    struct store_key k = marker_key(me->number);
    struct store_key value = store_key_new();
    store_key_u64(&value, me->removing_ms);
    store_key_u8(&value, (uint8_t)phase);
    return store_put(step->turn->store, STORE_ACCOUNT, store_key_slice(&k),
                     store_key_slice(&value));
}

static enum err marker_get(struct step *step, uint32_t account, uint64_t *since,
                           enum removal_phase *phase)
{
    struct store_key k = marker_key(account);
    struct slice value;
    enum err err = store_get(step->turn->store, STORE_ACCOUNT, store_key_slice(&k), &value);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(value);
    *since = reader_u64(&r);
    *phase = reader_u8(&r) == REMOVAL_ERASING ? REMOVAL_ERASING : REMOVAL_LEAVING;
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err removal_load(struct account *me, struct step *step)
{
    enum removal_phase phase;
    enum err err = marker_get(step, me->number, &me->removing_ms, &phase);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    me->removing = true;
    me->removed = phase == REMOVAL_ERASING;
    return me->removed ? step_erase(step, me->number) : ERR_OK;
}

enum err removal_noted(struct step *step, uint32_t account, bool *removing)
{
    enum removal_phase phase;
    uint64_t since;
    enum err err = marker_get(step, account, &since, &phase);
    *removing = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err node_account_erasing(struct turn *turn, uint32_t account, bool *erasing)
{
    struct step step = {.turn = turn};
    enum removal_phase phase = REMOVAL_LEAVING;
    uint64_t since;
    enum err err = marker_get(&step, account, &since, &phase);
    *erasing = phase == REMOVAL_ERASING;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err node_account_stays(struct turn *turn, uint32_t account, bool *stays)
{
    struct step step = {.turn = turn};
    uint32_t found = 0;
    bool erasing = false;
    enum err err = account_row_after(&step, account - 1, &found);
    if (err == ERR_OK && found == account) {
        err = node_account_erasing(turn, account, &erasing);
    }
    *stays = err == ERR_OK && found == account && !erasing;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- the two phases --- */

/* From here on nothing opens what it had. */
static enum err erase(struct account *me, struct step *step)
{
    /* Its number may be another account's by the time that anything would be answered. */
    enum err err = account_shut(me, step);
    me->removed = true;
    if (err == ERR_OK) {
        err = marker_put(me, step, REMOVAL_ERASING);
    }
    return err == ERR_OK ? step_erase(step, me->number) : err;
}

enum err removal_begin(struct account *me, struct step *step, bool now)
{
    me->removing = true;
    if (me->removing_ms == 0) {
        me->removing_ms = step_now(step);
    }
    if (now || me->keys == NULL) {
        return erase(me, step);
    }
    work_drop_all(me);
    enum err err = marker_put(me, step, REMOVAL_LEAVING);
    return err == ERR_OK ? moving_leave_all(me, step) : err;
}

void removal_erased(struct account *me)
{
    me->erased = me->removed;
}

/* Deletes rows of one table, but not the marker. *rows counts down. */
static enum err purge_table(struct account *me, struct step *step, enum store_table table,
                            unsigned *rows)
{
    struct store_key prefix = store_key_new();
    struct store_key marker = marker_key(me->number);
    struct store_row row;
    store_key_u32(&prefix, me->number);
    enum err err = ERR_OK;
    while (err == ERR_OK && *rows > 0) {
        err = store_seek_prefix(step->turn->store, table, STORE_GE, store_key_slice(&prefix),
                                store_key_slice(&prefix), &row);
        if (err == ERR_OK && table == STORE_ACCOUNT &&
            slice_equal(row.key, store_key_slice(&marker))) {
            return ERR_OK; /* its key is the largest */
        }
        if (err == ERR_OK) {
            struct store_key k = store_key_new();
            store_key_bytes(&k, row.key.p, row.key.len);
            err = store_del(step->turn->store, table, store_key_slice(&k));
            --*rows;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The same for the ages of its calls, whose keys begin with the time. They are looked through from
 * the beginning: none is older than LIMIT_CLIENT_ID_DAYS. */
static enum err purge_ages(struct account *me, struct step *step, unsigned *rows)
{
    struct store_key at = store_key_new();
    struct store_row row;
    enum err err =
        store_seek(step->turn->store, STORE_CLIENT_AGE, STORE_GE, slice_of("\0", 1), &row);
    while (err == ERR_OK && *rows > 0) {
        struct reader r = reader_of(row.key);
        (void)reader_u64(&r);
        uint32_t account = reader_u32(&r);
        at = store_key_new();
        store_key_bytes(&at, row.key.p, row.key.len);
        if (account == me->number) {
            err = store_del(step->turn->store, STORE_CLIENT_AGE, store_key_slice(&at));
            --*rows;
        }
        if (err == ERR_OK) {
            err = store_seek(step->turn->store, STORE_CLIENT_AGE, STORE_GT, store_key_slice(&at),
                             &row);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err purge(struct account *me, struct step *step, bool *gone)
{
    unsigned rows = LIMIT_SWEEP_ROWS;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < sizeof TABLES / sizeof TABLES[0]; i++) {
        err = purge_table(me, step, TABLES[i], &rows);
    }
    if (err == ERR_OK) {
        err = purge_ages(me, step, &rows);
    }
    me->purged = err == ERR_OK && rows > 0;
    if (err != ERR_OK || !me->purged || !me->erased) {
        return err;
    }
    struct store_key k = marker_key(me->number);
    *gone = true;
    return store_del(step->turn->store, STORE_ACCOUNT, store_key_slice(&k));
}

enum err removal_progress(struct account *me, struct step *step, bool *gone)
{
    *gone = false;
    if (!me->removing || (me->purged && !me->erased)) {
        return ERR_OK;
    }
    if (me->removed) {
        return purge(me, step, gone);
    }
    bool left = me->keys != NULL;
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        left = left && me->homes[i].address.port == 0;
    }
    bool late = step_since(step, me->removing_ms) >= LIMIT_REMOVAL_HOURS * LIMIT_HOUR_MS;
    return left || late ? erase(me, step) : ERR_OK;
}

uint64_t removal_deadline(const struct account *me)
{
    if (!me->removing) {
        return UINT64_MAX;
    }
    if (me->removed) {
        return me->purged ? UINT64_MAX : 0; /* the host answers, or the next slice */
    }
    return me->removing_ms + LIMIT_REMOVAL_HOURS * LIMIT_HOUR_MS;
}
