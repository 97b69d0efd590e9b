/* SPDX-License-Identifier: Apache-2.0
 *
 * inbox: envelopes that our relay pushes: which session opens them, and what their content does.
 * docs/protocol/07-node.md, section 5.
 *
 * Whatever an envelope holds, it is dealt with in the turn that it came in, and acknowledged to the
 * relay after that turn's commit. What nobody can open is dropped: it would come again for ever.
 *
 * Messages of somebody who was not accepted yet are neither kept nor acknowledged end to end: their
 * session does not move, so that "delivered" never means a message that nobody saw. Its sender
 * keeps such a message, deposits it again after a day, and it is shown when it comes after the
 * acceptance. They can come when an invitation was used or too late: its user may write at once.
 */
#include <string.h>

#include "base/secret.h"
#include "node/arrival.h"
#include "node/healing.h"
#include "node/home_keys.h"
#include "node/stock.h"
#include "relay/queue.h"

/* --- sessions that run --- */

enum err arrival_try_slot(struct arrival *a, uint8_t slot)
{
    struct slice saved;
    enum err err = session_row_get(a->step, a->me->keys, a->row.number, slot, &saved);
    if (err == ERR_OK) {
        err = session_load(a->s, saved);
    }
    if (err == ERR_OK) {
        err = session_open(a->s, a->step->turn->env, a->step->turn->arena, a->envelope, &a->in);
    }
    a->slot = slot;
    return err;
}

/* Tries every session of a.row. */
static enum err try_sessions(struct arrival *a)
{
    struct arena *arena = a->step->turn->arena;
    struct arena_mark mark = arena_mark(arena);
    enum err err = ERR_NO_SESSION;
    for (unsigned slot = 0; slot < LIMIT_SESSIONS_PER_PAIR; slot++) {
        if ((a->row.sessions >> slot & 1) == 0) {
            continue;
        }
        err = arrival_try_slot(a, (uint8_t)slot);
        if (err != ERR_DECRYPT) {
            return err;
        }
        arena_rewind(arena, mark);
    }
    return err;
}

/* The contacts of whom something may come, one after the other. Who was not accepted yet has no
 * answer of ours, so sends kind 2. */
static enum err try_everybody(struct arrival *a)
{
    struct arena *arena = a->step->turn->arena;
    struct arena_mark mark = arena_mark(arena);
    uint32_t after = 0;
    for (;;) {
        enum err err = peer_row_next(a->step, a->me->keys, after, &a->row);
        if (err != ERR_OK) {
            return err;
        }
        if (a->row.who.state != CONTACT_INCOMING && a->row.who.state != CONTACT_BLOCKED) {
            err = try_sessions(a);
            /* A row that is damaged is its own contact's trouble. */
            bool next = err == ERR_DECRYPT || err == ERR_NO_SESSION || err == ERR_CORRUPT ||
                        err == ERR_NOT_FOUND;
            if (!next) {
                return err;
            }
        }
        after = a->row.number;
        arena_rewind(arena, mark); /* what was looked at must not fill the turn's memory */
    }
}

/* A contact can send what nobody can read: that has us look through all only so often. */
static bool may_go_round(struct account *me, const struct step *step)
{
    uint32_t *rounds = tally_of(&me->rounds, step, LIMIT_MINUTE_MS);
    bool may = *rounds < LIMIT_ROUNDS_MINUTE;
    *rounds += may;
    return may;
}

/* The session that opens a kind-1 envelope: of the contact that the token was made for, else of
 * any: a stamp says nothing, and a home that went back may have given its number to another one, or
 * to nobody. */
static enum err open_established(struct arrival *a)
{
    if (a->token_of == 0) {
        return try_everybody(a);
    }
    enum err first = peer_row_get(a->step, a->me->keys, a->token_of, &a->row);
    if (first == ERR_OK) {
        first = try_sessions(a);
    }
    if (first != ERR_DECRYPT && first != ERR_NO_SESSION && first != ERR_NOT_FOUND) {
        return first;
    }
    enum err err = may_go_round(a->me, a->step) ? try_everybody(a) : ERR_NOT_FOUND;
    if ((err == ERR_NOT_FOUND || err == ERR_CORRUPT) && first != ERR_NOT_FOUND) {
        err = peer_row_get(a->step, a->me->keys, a->token_of, &a->row);
        err = err == ERR_OK ? first : err;
    }
    return err;
}

/* Sees to it that the other side hears that we have it. A stranger does not: an answer would tell
 * whoever asks when we are there and from where, and dial what their list names. The answer to an
 * accepted request acknowledges it. */
static enum err owe_ack(struct arrival *a)
{
    if (a->row.who.state == CONTACT_INCOMING) {
        return ERR_OK;
    }
    struct work *work = work_get(a->me, a->row.number);
    if (work == NULL) {
        return ERR_NO_MEMORY;
    }
    uint64_t next = work->acked_ms + LIMIT_ACK_INTERVAL_MS;
    uint64_t now = step_now(a->step);
    if (work->ack_due != UINT64_MAX) {
        return ERR_OK;
    }
    work->ack_due = next > now ? next : now;
    return owed_row_put(a->step, a->me->keys, a->row.number);
}

/* What they sent cannot be read: they hear that we are here, if they can read us, and a new session
 * follows later unless they are read before. Once, since what we say may be as unreadable to them:
 * two who answer each other's would do so for as long as they have tokens. */
static enum err knock(struct arrival *a)
{
    bool again = a->row.unread_ms != 0;
    enum err err = again ? ERR_OK : owe_ack(a);
    if (err == ERR_OK) {
        err = healing_later(a->me, a->step, &a->row);
    }
    struct work *work = work_find(a->me, a->row.number);
    if (work != NULL && !again) {
        work->unread = true;
    }
    return err;
}

/* An envelope came with a contact's token and opens with nothing: its session is not here any more,
 * or it was spoiled on its way, perhaps at our relay. A new session has it sealed anew. When that
 * was tried lately, the other side deposits it again as it is when it hears that we are here and do
 * not have it. */
static enum err unreadable(struct arrival *a)
{
    bool begun;
    enum err err =
        healing_begin(a->me, a->step, &a->row,
                      a->counter > a->row.minted ? HEALING_OURS : HEALING_UNREADABLE, &begun);
    return err == ERR_OK && !begun ? knock(a) : err;
}

/* An envelope whose key was used. Pushed once more by the relay it says nothing. Deposited anew,
 * our acknowledgement did not get through, or its writer went back and it says something else; of
 * the two who went back each may find the other's so. */
static enum err used(struct arrival *a, bool deposited)
{
    return deposited && contact_row_may_talk(&a->row.who, step_now(a->step)) ? knock(a)
                                                                             : owe_ack(a);
}

/* Notes which contact its token was minted for. A stamp says that somebody had no token left only
 * where tokens are for. */
static enum err whose_token(struct arrival *a, const struct queue_push *push)
{
    struct relay_row relay;
    struct token_key k;
    struct token_siv_key siv;
    if (memcmp(push->queue.b, a->home->queue.b, sizeof push->queue.b) != 0) {
        return ERR_PROTOCOL;
    }
    enum err err = relay_row_get(a->step, a->me->keys, home_slot(a->me, a->home), &relay);
    if (err != ERR_OK) {
        return err;
    }
    if (push->has_nonce) {
        home_token_keys(&relay, &push->queue, &k, &siv);
        if (token_open_nonce(&siv, push->nonce, &a->token_of, &a->counter) != ERR_OK) {
            a->token_of = 0;
        }
        secret_wipe(&k, sizeof k);
        secret_wipe(&siv, sizeof siv);
    } else {
        a->stamped = a->home->role == HOME_MAIN;
    }
    secret_wipe(&relay, sizeof relay);
    return ERR_OK;
}

/* It was deposited with a token of theirs that did not come back before. */
static bool is_fresh(const struct arrival *a)
{
    return a->token_of != 0 && a->token_of == a->row.number &&
           (stock_holds(&a->row, a->counter) || a->counter > a->row.minted);
}

static enum err open_and_take(struct arrival *a)
{
    enum err err = a->envelope.p[0] == ENVELOPE_FIRST ? arrival_open_first(a) : open_established(a);
    if (err == ERR_OK && a->row.who.state == CONTACT_INCOMING && arrival_too_early(a)) {
        return ERR_NOT_ACCEPTED; /* the session was not saved: as if it had not come */
    }
    if (err == ERR_OK && a->row.who.state != CONTACT_BLOCKED) {
        err = arrival_take(a);
        if (err == ERR_OK && !a->gone && session_owes_ack(a->s)) {
            err = owe_ack(a);
        }
    } else if (err == ERR_REPLAY && a->row.who.state != CONTACT_BLOCKED) {
        err = used(a, is_fresh(a));
    } else if (err == ERR_DECRYPT && is_fresh(a) &&
               contact_row_may_talk(&a->row.who, step_now(a->step))) {
        err = unreadable(a);
    }
    return err;
}

enum err inbox_push(struct account *me, struct step *step, struct home *home, struct slice body)
{
    struct queue_push push;
    enum err err = queue_push_read(body, &push);
    if (err != ERR_OK) {
        return err;
    }
    struct arrival a = {.me = me,
                        .step = step,
                        .home = home,
                        .envelope = push.envelope,
                        .deposited_ms = push.deposited_ms};
    err = whose_token(&a, &push);
    if (err != ERR_OK) {
        return err;
    }
    a.s = session_new();
    if (a.s == NULL) {
        return ERR_NO_MEMORY;
    }
    err = open_and_take(&a);
    session_free(a.s);
    if (err == ERR_OK || err_class(err) != ERR_CLASS_LOCAL) {
        enum err spent = arrival_token(&a);
        err = spent != ERR_OK ? spent : err;
    }
    secret_wipe(&a.row, sizeof a.row);
    secret_wipe(&a.in, sizeof a.in);
    if (err != ERR_OK && err_class(err) == ERR_CLASS_LOCAL) {
        return err;
    }
    home_pushed(home, push.number);
    return ERR_OK;
}
