/* SPDX-License-Identifier: Apache-2.0
 *
 * healing: which sessions a peer has, and how one that broke is replaced.
 * docs/protocol/07-node.md, section 7.3.1.
 *
 * A session breaks when one side went back to an earlier state, or when the two do not agree on
 * which ones there are. Whoever notices begins a new one, at most once an hour; what was sealed and
 * not acknowledged is sealed anew, and a line in the history of both says why.
 */
#include <string.h>

#include "base/secret.h"

#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/healing.h"
#include "node/home_keys.h"

enum {
    HEALING_SLICE = 32, /* devices a turn */
};

/* A free slot, else that of a session which nobody answered, else of one that was given up, else
 * that of the largest T: it is sent on last. */
static uint8_t slot_for(const struct peer_row *row)
{
    int silent = -1;
    int retired = -1;
    int largest = -1;
    for (int i = 0; i < LIMIT_SESSIONS_PER_PAIR; i++) {
        if ((row->sessions >> i & 1) == 0) {
            return (uint8_t)i;
        }
        if ((row->heard >> i & 1) == 0) {
            silent = silent < 0 && i != row->begun - 1 ? i : silent;
        } else if ((row->retired >> i & 1) != 0) {
            retired = retired < 0 ? i : retired;
        } else if (largest < 0 ||
                   memcmp(row->session_id[i], row->session_id[largest], SESSION_T) > 0) {
            largest = i;
        }
    }
    return (uint8_t)(silent >= 0 ? silent : retired >= 0 ? retired : largest);
}

/* Entries that this session sealed (NULL: any) wait again; its ack-only bodies are void. */
static enum err unseal(struct account *me, struct step *step, uint32_t peer, const uint8_t *session)
{
    struct outbox_row row = {.ack_only = false};
    uint64_t order = 0;
    enum err err = ERR_OK;
    struct work *work = work_find(me, peer);
    if (work != NULL) {
        work->head = 0;
    }
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = outbox_row_next(step, me->keys, peer, &order, &row);
        bool its = session == NULL || memcmp(row.session, session, SESSION_T) == 0;
        if (err == ERR_OK && its && row.ack_only) {
            err = outbox_row_del(step, me->keys, peer, order);
        } else if (err == ERR_OK && its && row.state != OUTBOX_WAITING) {
            row.state = OUTBOX_WAITING;
            row.envelope = slice_of(NULL, 0);
            row.token = slice_of(NULL, 0);
            row.receipt = slice_of(NULL, 0); /* it was for the other envelope */
            row.hash = slice_of(NULL, 0);
            row.lead = 0;
            row.again = 0;
            err = outbox_row_put(step, me->keys, peer, order, &row);
        }
        order++;
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err contact_new_session(struct account *me, struct step *step, struct peer_row *row,
                             const uint8_t id[SESSION_T], uint8_t *slot)
{
    enum err err = ERR_OK;
    *slot = slot_for(row);
    uint8_t bit = (uint8_t)(1U << *slot);
    if ((row->sessions & bit) != 0) {
        err = unseal(me, step, row->number, row->session_id[*slot]);
        row->told = 0;
    }
    row->sessions |= bit;
    row->heard &= (uint8_t)~bit;
    row->retired &= ~(uint64_t)bit;
    row->doubtful &= ~(uint64_t)bit;
    memcpy(row->session_id[*slot], id, SESSION_T);
    return err;
}

enum err contact_restart(struct account *me, struct step *step, struct work *work,
                         struct peer_row *row)
{
    /* The sessions stay, to receive on: an answer to them may be on its way. */
    row->begun = 0;
    row->first_sent = 0;
    row->told = 0; /* what told it is sealed anew */
    row->pop_nonce = slice_of(NULL, 0);
    row->pop_token = slice_of(NULL, 0);
    enum err err = peer_row_put(step, me->keys, row);
    if (err == ERR_OK) {
        err = unseal(me, step, row->number, NULL);
    }
    work_wake(work);
    return err;
}

/* Says so in the history of both sides, and tells clients. */
static enum err note(struct account *me, struct step *step, struct peer_row *row,
                     enum healing_why why)
{
    uint8_t body = (uint8_t)why;
    struct content content = {
        .type = CONTENT_REKEYED, .sent_ms = step_now(step), .body = slice_of(&body, 1)};
    env_random(step->turn->env, content.id, sizeof content.id);
    struct writer w = step_writer(step, CONTENT_OVERHEAD);
    uint64_t order;
    enum err err = content_encode(&w, &content);
    if (err == ERR_OK && contact_is_self(me, &row->who)) {
        return outbox_add_peer(me, step, row, writer_done(&w), false, &order);
    }
    if (err == ERR_OK) {
        err = outbox_add_peer(me, step, row, writer_done(&w), true, &order);
    }
    return err == ERR_OK ? healing_event(me, step, row, order, content.body, true) : err;
}

bool healing_asks(const struct peer_row *row)
{
    return row->begun > 0 && (row->heard >> (row->begun - 1) & 1) == 0;
}

enum err healing_begin(struct account *me, struct step *step, struct peer_row *row,
                       enum healing_why why, bool *begun)
{
    uint64_t now = step_now(step);
    bool lately = why < HEALING_ASKED && row->healed_ms != 0 && now >= row->healed_ms &&
                  now - row->healed_ms < LIMIT_HEALING_MS;
    struct work *work;
    *begun = false;
    bool wanted = why >= HEALING_ASKED && row->who.state == CONTACT_ACCEPTED;
    bool talks = contact_row_may_talk(&row->who, now);
    bool none = row->sessions == 0 && !wanted;
    if ((!talks && why != HEALING_ASKED) || none || lately || row->leaving != 0) {
        return ERR_OK;
    }
    work = work_get(me, row->number);
    if (work == NULL) {
        return ERR_NO_MEMORY;
    }
    healing_heard(me, row); /* what was wanted is there */
    row->healed_ms = now;
    row->retired |= row->sessions;
    row->doubtful = 0;
    enum err err = contact_restart(me, step, work, row);
    *begun = err == ERR_OK;
    return err == ERR_OK && talks ? note(me, step, row, why) : err;
}

enum err healing_later(struct account *me, struct step *step, struct peer_row *row)
{
    if (!contact_row_may_talk(&row->who, step_now(step)) || row->leaving != 0) {
        return ERR_OK; /* nothing that they do has an answer */
    }
    struct work *work = work_get(me, row->number);
    if (work == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = ERR_OK;
    if (row->unread_ms == 0) {
        row->unread_ms = step_now(step);
        err = peer_row_put(step, me->keys, row);
        err = err == ERR_OK ? owed_row_put(step, me->keys, row->number) : err;
    }
    healing_wait(work, row, step_now(step));
    return err;
}

void healing_wait(struct work *work, const struct peer_row *row, uint64_t now)
{
    if (row->unread_ms != 0 && work->heal_due == UINT64_MAX) {
        uint64_t since = row->unread_ms < now ? row->unread_ms : now; /* the clock was set back */
        work->heal_due = since + LIMIT_HEALING_MS;
    }
}

void healing_heard(struct account *me, struct peer_row *row)
{
    struct work *work = work_find(me, row->number);
    row->unread_ms = 0;
    if (work != NULL && work->heal_due != UINT64_MAX) {
        work->heal_due = UINT64_MAX;
        work->ack_due = work->acked_ms + LIMIT_ACK_INTERVAL_MS; /* the owed row goes */
    }
}

enum err healing_all(struct account *me, struct step *step)
{
    struct account_row account;
    struct relay_row relay;
    enum err err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        account.rekey_next = 1;
        account.rekey_why = HEALING_ASKED;
        err = account_row_put(step, me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK) {
        err = relay_row_get(step, me->keys, 0, &relay);
    }
    if (err == ERR_OK) {
        relay.rekey = 1;
        err = relay_row_put(step, me->keys, 0, &relay);
    }
    secret_wipe(&relay, sizeof relay);
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        me->rekey_next = 1;
        me->rekey_why = HEALING_ASKED;
        err = ERR_OK;
    }
    home_wake_main(me);
    return err;
}

enum err healing_progress(struct account *me, struct step *step)
{
    struct account_row account;
    struct peer_row row = {.number = (uint32_t)me->rekey_next - 1};
    enum err err = ERR_OK;
    if (me->rekey_next == 0) {
        return ERR_OK;
    }
    for (unsigned i = 0; err == ERR_OK && i < HEALING_SLICE; i++) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        bool begun;
        err = peer_row_next(step, me->keys, row.number, &row);
        if (err == ERR_OK) {
            err = healing_begin(me, step, &row, (enum healing_why)me->rekey_why, &begun);
        }
        arena_rewind(step->turn->arena, mark);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    uint64_t next = err == ERR_NOT_FOUND ? 0 : (uint64_t)row.number + 1;
    secret_wipe(&row, sizeof row);
    err = account_row_get(step, me->keys, &account);
    if (err == ERR_OK) {
        account.rekey_next = next;
        err = account_row_put(step, me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    me->rekey_next = err == ERR_OK ? next : me->rekey_next;
    return err;
}

enum err healing_newcomer(struct account *me, struct step *step, struct peer_row *row, uint8_t slot,
                          uint64_t deposited_ms)
{
    unsigned others = row->sessions & ~(1U << slot) & ~(unsigned)row->retired;
    unsigned crossing = healing_asks(row) ? others & 1U << (row->begun - 1) : 0;
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK && i < LIMIT_SESSIONS_PER_PAIR; i++) {
        if ((others >> i & 1) != 0) {
            /* Also in one that crosses: whether they can open that cannot be known, and what comes
             * twice is shown once. */
            err = unseal(me, step, row->number, row->session_id[i]);
        }
    }
    if (others != 0) {
        row->told = 0; /* what told them may be among that */
    }
    if ((others & ~crossing) != 0) {
        row->retired |= others & ~crossing;
        row->doubtful |= others & ~crossing;
        row->newcomer_ms = deposited_ms;
    }
    return err;
}

/* Deletes these sessions: nothing opens in them any more. */
static enum err drop(struct account *me, struct step *step, struct peer_row *row, unsigned slots)
{
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK && i < LIMIT_SESSIONS_PER_PAIR; i++) {
        if ((slots >> i & 1) != 0) {
            err = unseal(me, step, row->number, row->session_id[i]);
            err = err == ERR_OK ? session_row_del(step, me->keys, row->number, (uint8_t)i) : err;
        }
    }
    row->sessions &= (uint8_t)~slots;
    row->heard &= (uint8_t)~slots;
    row->retired &= ~(uint64_t)slots;
    row->doubtful &= ~(uint64_t)slots;
    return err;
}

enum err healing_again(struct account *me, struct step *step, struct peer_row *row,
                       const uint8_t session[SESSION_T])
{
    row->told = 0; /* what told it is sealed anew */
    return unseal(me, step, row->number, session);
}

enum err healing_answered(struct account *me, struct step *step, struct peer_row *row, uint8_t slot)
{
    if (row->begun != slot + 1 || (row->heard >> slot & 1) != 0) {
        return ERR_OK;
    }
    return drop(me, step, row, (unsigned)(row->retired & ~row->doubtful) & row->sessions);
}

enum err healing_told(struct account *me, struct step *step, struct peer_row *row, uint8_t slot)
{
    unsigned keep = 1U << slot;
    keep |= healing_asks(row) ? 1U << (row->begun - 1) : 0;
    unsigned others = row->sessions & ~keep;
    if (row->begun == slot + 1) {
        /* The two began one each: theirs, which we may send on, is not meant. */
        others &= (unsigned)row->retired;
    }
    return drop(me, step, row, others);
}

void healing_used(struct peer_row *row, uint8_t slot, uint64_t deposited_ms)
{
    uint64_t bit = UINT64_C(1) << slot;
    if ((row->doubtful & bit) != 0 && deposited_ms >= row->newcomer_ms) {
        row->retired &= ~bit;
        row->doubtful &= ~bit;
    }
}

static const char *const WHY[][2] = {
    {"a new session began", "the other side began a new session"},
    {"their device went back to an earlier state", "this device went back to an earlier state"},
    {"this device went back to an earlier state", "their device went back to an earlier state"},
    {"a message of theirs could not be read here", "a message of ours could not be read there"},
    {"messages were not acknowledged", "they had no acknowledgement of their messages"},
    {"asked for here", "asked for by the other side"},
    {"this account was restored from a backup, as a new device",
     "they restored their account from a backup, as a new device"},
};

const char *healing_line(struct slice body, bool mine)
{
    size_t why = body.len == 1 && body.p[0] < sizeof WHY / sizeof WHY[0] ? body.p[0] : 0;
    return WHY[why][mine ? 0 : 1];
}

enum err healing_event(struct account *me, struct step *step, const struct peer_row *row,
                       uint64_t order, struct slice body, bool mine)
{
    char id[ID_TEXT];
    id_encode(row->who.id.b, id);
    struct event event = event_begin(step, "session.reset", 256);
    event_text(&event, "contact", id);
    event_uint(&event, "order", order);
    event_text(&event, "why", healing_line(body, mine));
    return event_commit(step, me->keys, &event);
}
