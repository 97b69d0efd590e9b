/* SPDX-License-Identifier: Apache-2.0
 *
 * moving: which relays an account uses, and how it goes from one to another: the new one comes
 * first, the old one is read until nothing more can be expected of it, then what is ours there is
 * deleted. docs/protocol/07-node.md, section 1.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/prekeys.h"
#include "node/route.h"

enum {
    MOVING_LOOK_MS = 10000,     /* between an acknowledgement and a look at relays that were left */
    MOVING_RECOUNT_MS = 600000, /* what waited at the attach, and has not come by then, is gone */
};

const char *home_role_name(enum home_role role)
{
    switch (role) {
    case HOME_MAIN:
        return "main";
    case HOME_SECOND:
        return "second";
    case HOME_LEFT:
        return "left";
    case HOME_LEAVING:
        return "leaving";
    }
    return "unknown";
}

/* --- rows --- */

static bool same_node(const struct home *home, const struct sign_pk *node_id)
{
    return home->address.port != 0 &&
           memcmp(home->address.node_id.b, node_id->b, sizeof node_id->b) == 0;
}

/* The place of the relay with this node ID; LIMIT_HOMES: none. */
static unsigned place_of(const struct account *me, const struct sign_pk *node_id)
{
    unsigned slot = 0;
    while (slot < LIMIT_HOMES && !same_node(&me->homes[slot], node_id)) {
        slot++;
    }
    return slot;
}

/* A place that is free, not the main one; LIMIT_HOMES: none. */
static unsigned free_place(const struct account *me)
{
    unsigned slot = 1;
    while (slot < LIMIT_HOMES && me->homes[slot].address.port != 0) {
        slot++;
    }
    return slot;
}

/* The device list names our queues: the next one that is published names those of now. */
static enum err list_again(struct account *me, struct step *step)
{
    struct account_row account;
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        account_queues_changed(&account, step_now(step));
        err = account_row_put(step, me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK) {
        home_main(me)->announced = false;
        home_main(me)->due = home_main(me)->waiting ? home_main(me)->due : 0;
    }
    return err;
}

/* The row of a relay that is not used from now on goes to this place. One that never took us in has
 * nothing of ours, and needs none. */
static enum err leave(struct account *me, struct step *step, struct relay_row *row, unsigned slot)
{
    if (!row->joined) {
        enum err gone = relay_row_del(step, me->keys, slot);
        gone = gone == ERR_NOT_FOUND ? ERR_OK : gone;
        return gone == ERR_OK ? home_reload(me, step, slot) : gone;
    }
    row->role = row->registered ? HOME_LEFT : HOME_LEAVING;
    row->left_ms = step_now(step);
    enum err err = relay_row_put(step, me->keys, slot, row);
    return err == ERR_OK ? home_reload(me, step, slot) : err;
}

/* --- the main relay --- */

/* The same relay once more: another code, for a membership that did not work out, or another
 * address. */
static enum err use_again(struct account *me, struct step *step, const struct address *address,
                          struct slice code)
{
    struct relay_row row;
    enum err err = home_hang_up(me, step, home_main(me));
    if (err == ERR_OK) {
        err = relay_row_get(step, me->keys, 0, &row);
    }
    if (err == ERR_OK) {
        bool moved = !address_equal(&row.address, address);
        row.address = *address;
        row.code = code.len > 0 ? code : row.code;
        err = relay_row_put(step, me->keys, 0, &row);
        if (err == ERR_OK && moved) {
            err = list_again(me, step);
        }
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_OK ? home_reload(me, step, 0) : err;
}

/* Prekeys go on where they were: none is published at two relays, and no number is left out. */
static enum err take_prekeys(struct account *me, struct step *step, struct relay_row *row,
                             const struct relay_row *old)
{
    struct prekey_secret secret;
    uint32_t sent = old->last_part > old->parts_sent ? old->last_part : old->parts_sent;
    enum err err = prekeys_get(step, me->keys, PREKEY_SIGNED, old->spk_id, &secret);
    secret_wipe(&secret, sizeof secret);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    row->spk_id = old->spk_id + (err == ERR_OK);
    row->parts_sent = sent > row->parts_sent ? sent : row->parts_sent;
    row->last_part = row->parts_sent;
    row->rekey |= old->rekey;
    row->record_seq = 0;
    row->described = 0;
    return ERR_OK;
}

/* The row that becomes the main one: of the relay in place slot, or a new one. */
static enum err next_main(struct account *me, struct step *step, const struct address *address,
                          unsigned slot, struct relay_row *row)
{
    if (slot == LIMIT_HOMES) {
        relay_row_fresh(step, address, row);
        return ERR_OK;
    }
    enum err err = home_hang_up(me, step, &me->homes[slot]);
    if (err == ERR_OK) {
        err = relay_row_get(step, me->keys, slot, row);
    }
    row->address = *address;
    row->role = HOME_MAIN;
    row->left_ms = 0;
    return err;
}

enum err moving_use(struct account *me, struct step *step, const struct address *address,
                    struct slice code)
{
    bool had = home_main(me)->address.port != 0;
    unsigned slot = place_of(me, &address->node_id);
    if (slot == 0) {
        return use_again(me, step, address, code);
    }
    unsigned place = slot < LIMIT_HOMES ? slot : free_place(me);
    if (slot < LIMIT_HOMES && me->homes[slot].role == HOME_LEAVING) {
        return ERR_BACKPRESSURE;
    }
    if (had && place == LIMIT_HOMES) {
        return ERR_BACKPRESSURE;
    }
    struct relay_row row = {.joined = false};
    struct relay_row old = {.joined = false};
    enum err err = next_main(me, step, address, slot, &row);
    if (err == ERR_OK && had) {
        err = home_hang_up(me, step, home_main(me));
    }
    if (err == ERR_OK && had) {
        err = relay_row_get(step, me->keys, 0, &old);
    }
    if (err == ERR_OK && had) {
        err = take_prekeys(me, step, &row, &old);
    }
    if (err == ERR_OK && had) {
        err = leave(me, step, &old, place);
    }
    row.code = code;
    if (err == ERR_OK) {
        err = relay_row_put(step, me->keys, 0, &row);
    }
    secret_wipe(&row, sizeof row);
    secret_wipe(&old, sizeof old);
    if (err == ERR_OK) {
        err = home_reload(me, step, 0);
    }
    return err == ERR_OK ? list_again(me, step) : err;
}

/* --- the second queue --- */

/* The second relay, if there is one, is not used any more. */
static enum err leave_second(struct account *me, struct step *step)
{
    for (unsigned slot = 1; slot < LIMIT_HOMES; slot++) {
        struct home *home = &me->homes[slot];
        struct relay_row row;
        if (home->address.port == 0 || home->role != HOME_SECOND) {
            continue;
        }
        enum err err = home_hang_up(me, step, home);
        if (err == ERR_OK) {
            err = relay_row_get(step, me->keys, slot, &row);
        }
        if (err == ERR_OK) {
            err = leave(me, step, &row, slot);
        }
        secret_wipe(&row, sizeof row);
        return err == ERR_OK ? list_again(me, step) : err;
    }
    return ERR_OK;
}

enum err moving_second(struct account *me, struct step *step, const struct address *address,
                       struct slice code)
{
    unsigned slot = place_of(me, &address->node_id);
    unsigned place = slot < LIMIT_HOMES ? slot : free_place(me);
    if (home_main(me)->address.port == 0) {
        return ERR_NO_RELAY;
    }
    if (slot == 0) {
        return ERR_EXISTS;
    }
    if (place == LIMIT_HOMES || me->homes[place].role == HOME_LEAVING) {
        return ERR_BACKPRESSURE;
    }
    struct relay_row row = {.joined = false};
    bool same = slot < LIMIT_HOMES && me->homes[slot].role == HOME_SECOND;
    enum err err = same ? ERR_OK : leave_second(me, step);
    if (err == ERR_OK) {
        err = next_main(me, step, address, slot, &row);
    }
    row.role = HOME_SECOND;
    row.code = code;
    row.described = 0;
    if (err == ERR_OK) {
        err = relay_row_put(step, me->keys, place, &row);
    }
    bool registered = row.registered;
    secret_wipe(&row, sizeof row);
    if (err == ERR_OK) {
        err = home_reload(me, step, place);
    }
    return err == ERR_OK && registered ? list_again(me, step) : err;
}

/* --- leaving for good --- */

enum err moving_finish(struct account *me, struct step *step, struct home *home)
{
    unsigned slot = home_slot(me, home);
    struct relay_row row;
    enum err err = home_hang_up(me, step, home);
    if (err == ERR_OK) {
        err = relay_row_get(step, me->keys, slot, &row);
    }
    if (err == ERR_OK) {
        row.role = HOME_LEAVING;
        row.left_ms = step_now(step);
        err = relay_row_put(step, me->keys, slot, &row);
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_OK ? home_reload(me, step, slot) : err;
}

enum err moving_leave(struct account *me, struct step *step, const struct sign_pk *node_id)
{
    unsigned slot = place_of(me, node_id);
    if (slot == 0 || slot == LIMIT_HOMES) {
        return slot == 0 ? ERR_NOT_NOW : ERR_NOT_FOUND;
    }
    struct home *home = &me->homes[slot];
    if (home->role == HOME_SECOND) {
        return leave_second(me, step);
    }
    /* The second time nothing is waited for, not even that the relay hears of it. */
    return home->role == HOME_LEFT ? moving_finish(me, step, home)
                                   : moving_gone(me, step, home, ERR_LINK_CLOSED);
}

enum err moving_leave_all(struct account *me, struct step *step)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < LIMIT_HOMES; i++) {
        if (me->homes[i].address.port != 0) {
            err = moving_finish(me, step, &me->homes[i]);
        }
    }
    return err;
}

enum err moving_gone(struct account *me, struct step *step, struct home *home, enum err why)
{
    unsigned slot = home_slot(me, home);
    struct address relay = home->address;
    enum err err = home_hang_up(me, step, home);
    if (err == ERR_OK) {
        err = relay_row_del(step, me->keys, slot);
    }
    if (err == ERR_OK) {
        err = home_reload(me, step, slot);
    }
    return err == ERR_OK ? home_event(me, step, &relay, "relay.left", why) : err;
}

/* --- draining --- */

/* Whether the contact may still write to a queue that is none of ours any more: it was not told, or
 * has not acknowledged all that we wrote, and what told it may be among that. */
static enum err may_write(struct account *me, struct step *step, const struct peer_row *row,
                          uint64_t mark, bool *may)
{
    struct outbox_row entry;
    uint64_t order = 0;
    if (row->who.state == CONTACT_BLOCKED || row->who.state == CONTACT_INCOMING ||
        row->leaving != 0) {
        return ERR_OK; /* nothing of theirs is waited for */
    }
    *may = row->told != mark;
    if (*may) {
        return ERR_OK;
    }
    enum err err = outbox_row_next(step, me->keys, row->number, &order, &entry);
    *may = err == ERR_OK && !entry.ack_only;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* What waited when we attached may have gone by itself: it is counted anew on another link. */
static enum err count_again(struct account *me, struct step *step, struct home *home)
{
    enum err err = home_hang_up(me, step, home);
    home->state = HOME_CONNECTING;
    home->due = 0;
    return err;
}

enum err moving_drained(struct account *me, struct step *step, struct home *home, bool *drained)
{
    struct peer_row row = {.number = 0};
    struct route route;
    bool may = false;
    *drained = step_since(step, home->left_ms) >= LIMIT_QUEUE_DAYS * LIMIT_DAY_MS;
    if (*drained) {
        return ERR_OK;
    }
    enum err err = route_own(me, step, &route);
    if (err == ERR_OK) {
        err = invite_row_open(step, me->keys, &may); /* it may name this relay */
    }
    may |= err == ERR_OK && route.mark == 0; /* nobody can have been told of a queue yet */
    while (err == ERR_OK && !may) {
        struct arena_mark at = arena_mark(step->turn->arena);
        err = peer_row_next(step, me->keys, row.number, &row);
        if (err == ERR_OK) {
            err = may_write(me, step, &row, route.mark, &may);
        }
        arena_rewind(step->turn->arena, at);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *drained = !may && home->owing == 0 && home->arrival == home->acked && !home->acking;
    bool recount =
        !may && home->owing > 0 && step_since(step, home->attached_ms) >= MOVING_RECOUNT_MS;
    return recount ? count_again(me, step, home) : ERR_OK;
}

void moving_look(struct account *me, struct step *step)
{
    uint64_t soon = step_now(step) + MOVING_LOOK_MS;
    for (size_t i = 1; i < LIMIT_HOMES; i++) {
        struct home *home = &me->homes[i];
        if (home->address.port != 0 && home->role == HOME_LEFT && home->state == HOME_READY &&
            home->due > soon) {
            home->due = soon;
        }
    }
}
