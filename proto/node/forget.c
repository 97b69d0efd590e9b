/* SPDX-License-Identifier: Apache-2.0
 *
 * forget: what an account overwrote or deleted is forgotten. Some seconds after the first touch the
 * touched buckets get new keys, what lives in them is sealed again in slices, one a turn, and then
 * the host is asked to put another root beside the old one; under that all keys are wrapped, and
 * the old root is destroyed. docs/protocol/08-at-rest.md, section 8.10.
 *
 *   idle --touched--> due --its time--> sealing --all done--> asked --NODE_ROOTED--> idle
 *   idle --the passphrase was changed--> asked
 *
 * Row: STORE_ACCOUNT, account | 0x00 | 0x01: set of touched buckets 32 | due ms u64, not sealed;
 * none: nothing is touched. That a cycle is under way shows in STORE_BUCKET: a bucket has two keys.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"

/* Where rows may lie that are sealed in buckets which are touched (seal_may_hold). */
static const enum store_table TABLES[] = {STORE_SESSION, STORE_PREKEY, STORE_OUTBOX, STORE_MESSAGE,
                                          STORE_EVIDENCE};

enum {
    FORGET_TABLES = sizeof TABLES / sizeof TABLES[0],
};

/* --- what is touched --- */

static struct store_key touched_key(const struct account *me)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, me->number);
    store_key_u8(&k, 0);
    store_key_u8(&k, 1);
    return k;
}

static enum err touched_put(const struct account *me, struct step *step)
{
    const struct forget *f = me->forget;
    struct store_key k = touched_key(me);
    struct store_key value = store_key_new();
    store_key_bytes(&value, f->noted.bits, sizeof f->noted.bits);
    store_key_u64(&value, f->due);
    return store_put(step->turn->store, STORE_ACCOUNT, store_key_slice(&k),
                     store_key_slice(&value));
}

static enum err touched_get(struct account *me, struct step *step)
{
    struct forget *f = me->forget;
    struct store_key k = touched_key(me);
    struct slice value;
    enum err err = store_get(step->turn->store, STORE_ACCOUNT, store_key_slice(&k), &value);
    f->due = UINT64_MAX;
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct reader r = reader_of(value);
    reader_copy(&r, f->noted.bits, sizeof f->noted.bits);
    f->due = reader_u64(&r);
    if (reader_end(&r) != ERR_OK) {
        memset(f->noted.bits, 0xff, sizeof f->noted.bits); /* it may have been any */
        f->due = step_now(step);
    }
    seal_set_remove(&f->noted, SEAL_BUCKET_ACCOUNT); /* of which TABLES has none */
    return ERR_OK;
}

/* Notes what this turn touched, so that a restart knows it too. */
static enum err note(struct account *me, struct step *step)
{
    struct forget *f = me->forget;
    struct seal_set before = f->noted;
    seal_set_join(&f->noted, seal_touched(me->keys));
    *seal_touched(me->keys) = (struct seal_set){{0}};
    if (memcmp(&before, &f->noted, sizeof before) == 0) {
        return ERR_OK;
    }
    if (seal_set_empty(&before)) {
        f->due = step_now(step) + LIMIT_FORGET_MS;
    }
    return touched_put(me, step);
}

enum err forget_load(struct account *me, struct step *step)
{
    if (me->forget == NULL) {
        me->forget = secret_new(sizeof *me->forget);
    }
    if (me->forget == NULL) {
        return ERR_NO_MEMORY;
    }
    me->forget->keep = UINT64_MAX;
    enum err err = touched_get(me, step);
    return err == ERR_OK ? seal_renewing(me->keys, step->turn, &me->forget->cycle) : err;
}

void forget_free(struct account *me)
{
    secret_free(me->forget);
    me->forget = NULL;
}

/* --- a cycle --- */

static enum err begin(struct account *me, struct step *step)
{
    struct forget *f = me->forget;
    struct store_key k = touched_key(me);
    enum err err = store_del(step->turn->store, STORE_ACCOUNT, store_key_slice(&k));
    for (unsigned b = 0; err == ERR_OK && b < SEAL_BUCKETS; b++) {
        if (seal_set_has(&f->noted, (uint8_t)b)) {
            err = seal_renew(me->keys, step->turn, (uint8_t)b);
        }
        if (err == ERR_CORRUPT) { /* nothing opens what is in it, and the root stays (below) */
            seal_set_remove(&f->noted, (uint8_t)b);
            err = ERR_OK;
        }
    }
    f->cycle = f->noted;
    f->noted = (struct seal_set){{0}};
    f->due = UINT64_MAX;
    f->table = 0;
    f->at = store_key_new();
    return err;
}

/* Whether a bucket of the cycle may have rows in this table. */
static bool concerns(const struct forget *f, enum store_table t)
{
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        if (seal_set_has(&f->cycle, (uint8_t)b) && seal_may_hold(t, (uint8_t)b)) {
            return true;
        }
    }
    return false;
}

/* How much of a slice is left. */
struct slice_room {
    unsigned looks;
    unsigned rows;
    size_t bytes;
};

static bool used_up(const struct slice_room *room)
{
    return room->looks == 0 || room->rows == 0 || room->bytes == 0;
}

/* Seals again what is under an old key in one table, from f->at on. ERR_NOT_FOUND: its end. */
static enum err seal_table(struct account *me, struct step *step, enum store_table t,
                           struct slice_room *room)
{
    struct forget *f = me->forget;
    struct store_key prefix = store_key_new();
    struct store_row row;
    store_key_u32(&prefix, me->number);
    if (f->at.len == 0) {
        f->at = prefix;
    }
    while (!used_up(room)) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        bool stale;
        enum err err = store_seek_prefix(step->turn->store, t, STORE_GT, store_key_slice(&f->at),
                                         store_key_slice(&prefix), &row);
        if (err == ERR_OK) {
            f->at = store_key_new();
            store_key_bytes(&f->at, row.key.p, row.key.len);
            room->looks--;
            err = seal_stale(me->keys, step->turn, &f->cycle, row.value, &stale);
        }
        if (err == ERR_OK && stale) {
            room->rows--;
            room->bytes -= row.value.len < room->bytes ? row.value.len : room->bytes;
            err = seal_again(me->keys, step->turn, t, row.key, row.value);
        }
        err = err == ERR_CORRUPT ? ERR_OK : err; /* nothing opens it, and nothing will */
        arena_rewind(step->turn->arena, mark);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* One slice. *done: nothing is left under an old key. */
static enum err seal_slice(struct account *me, struct step *step, bool *done)
{
    struct forget *f = me->forget;
    struct slice_room room = {
        .looks = LIMIT_FORGET_LOOKS, .rows = LIMIT_FORGET_ROWS, .bytes = LIMIT_FORGET_BYTES};
    *done = false;
    while (f->table < FORGET_TABLES) {
        enum store_table t = TABLES[f->table];
        enum err err = concerns(f, t) ? seal_table(me, step, t, &room) : ERR_NOT_FOUND;
        if (err != ERR_NOT_FOUND) {
            return err; /* the rest in the next turn */
        }
        f->table++;
        f->at = store_key_new();
    }
    *done = true;
    return ERR_OK;
}

/* Asks the host to keep another root beside the one in use. */
static enum err ask(struct account *me, struct step *step)
{
    struct forget *f = me->forget;
    struct node_root root = {.account = me->number, .generation = seal_root(me->keys) + 1};
    env_random(step->turn->env, f->root, sizeof f->root);
    memcpy(root.r, f->root, sizeof root.r);
    f->asked = root.generation;
    enum err err = step_root(step, &root);
    secret_wipe(&root, sizeof root);
    return err;
}

enum err forget_rooted(struct account *me, struct step *step, const struct node_root *root,
                       enum err result)
{
    struct forget *f = me->forget;
    uint64_t now = step_now(step);
    if (result != ERR_OK && root->generation == seal_root(me->keys)) {
        f->keep = now + LIMIT_FORGET_RETRY_MS; /* the other one is there still */
        return ERR_OK;
    }
    if (f->asked == 0 || root->generation != f->asked ||
        !prim_equal(root->r, f->root, sizeof f->root)) {
        return ERR_OK; /* an answer to the core before this one */
    }
    f->asked = 0;
    secret_wipe(f->root, sizeof f->root);
    if (result != ERR_OK) {
        f->later = now + LIMIT_FORGET_RETRY_MS;
        return ERR_OK;
    }
    enum err err = seal_whole(me->keys, step->turn);
    if (err == ERR_CORRUPT) {
        f->later = now + LIMIT_DAY_MS; /* what it wraps would be lost with the old root */
        return step_root_keep(step, me->number, seal_root(me->keys));
    }
    if (err == ERR_OK) {
        err = seal_reroot(me->keys, step->turn, root->r, root->generation);
    }
    f->cycle = (struct seal_set){{0}};
    return err == ERR_OK ? step_root_keep(step, me->number, root->generation) : err;
}

void forget_former(struct account *me, uint32_t former)
{
    me->forget->former = former;
}

/* Whether the root in use was sealed under a passphrase that is not in force any more. */
static bool outlived(const struct account *me)
{
    return seal_root(me->keys) <= me->forget->former;
}

/* The clock may have been set back. */
static bool is_due(struct forget *f, uint64_t now)
{
    if (f->due != UINT64_MAX && f->due > now + LIMIT_FORGET_MS) {
        f->due = now + LIMIT_FORGET_MS;
    }
    if (f->later > now + LIMIT_DAY_MS) {
        f->later = 0;
    }
    if (f->keep != UINT64_MAX && f->keep > now + LIMIT_FORGET_RETRY_MS) {
        f->keep = now;
    }
    return f->due <= now;
}

enum err forget_progress(struct account *me, struct step *step)
{
    struct forget *f = me->forget;
    enum err err = note(me, step);
    bool due = is_due(f, step_now(step));
    bool done = false;
    if (err == ERR_OK && f->keep <= step_now(step)) {
        f->keep = UINT64_MAX;
        err = step_root_keep(step, me->number, seal_root(me->keys));
    }
    if (err != ERR_OK || f->asked != 0 || f->later > step_now(step)) {
        return err;
    }
    if (!step->turn->store->growth) {
        f->later = step_now(step) + LIMIT_FORGET_RETRY_MS; /* to seal again takes room */
        return ERR_OK;
    }
    if (seal_set_empty(&f->cycle)) {
        return due            ? begin(me, step) /* which is enough for one turn */
               : outlived(me) ? ask(me, step)
                              : ERR_OK;
    }
    err = seal_slice(me, step, &done);
    return err == ERR_OK && done ? ask(me, step) : err;
}

uint64_t forget_deadline(const struct account *me)
{
    const struct forget *f = me->forget;
    uint64_t due = seal_set_empty(&f->cycle) && !outlived(me) ? f->due : 0;
    due = f->asked != 0 ? UINT64_MAX : due; /* the host answers */
    due = due > f->later ? due : f->later;
    return due < f->keep ? due : f->keep;
}
