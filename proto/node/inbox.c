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

#include "base/hex.h"
#include "base/secret.h"
#include "node/batch.h"
#include "node/content.h"
#include "node/core.h"
#include "node/device.h"
#include "node/event.h"
#include "node/home_keys.h"
#include "node/invite.h"
#include "node/prekeys.h"
#include "node/route.h"
#include "node/stock.h"
#include "node/voiding.h"
#include "relay/queue.h"

/* One envelope on its way through. */
struct arrival {
    struct account *me;
    struct step *step;
    struct home *home; /* the relay that it came from */
    struct slice envelope;
    bool taken;             /* its contact's row was put */
    bool stamped;           /* came with a stamp: its sender had no token */
    uint32_t token_of;      /* contact that its token was minted for; 0: no token of ours */
    uint32_t counter;       /* of that token */
    uint64_t deposited_ms;  /* when the relay took it */
    struct contact_row row; /* whose it is */
    uint8_t slot;           /* of the session that opened it */
    struct session *s;
    struct session_in in;
};

/* --- sessions that run --- */

/* Tries one session of a.row. ERR_DECRYPT: not its envelope. */
static enum err try_slot(struct arrival *a, uint8_t slot)
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
        err = try_slot(a, (uint8_t)slot);
        if (err != ERR_DECRYPT) {
            return err;
        }
        arena_rewind(arena, mark);
    }
    return err;
}

/* The session that opens a kind-1 envelope: of the contact that the token was made for, else (a
 * stamp says nothing) of any. Who was not accepted yet has no answer of ours, so sends kind 2. */
static enum err open_established(struct arrival *a)
{
    if (a->token_of != 0) {
        enum err err = contact_row_get(a->step, a->me->keys, a->token_of, &a->row);
        return err == ERR_OK ? try_sessions(a) : err;
    }
    struct arena *arena = a->step->turn->arena;
    struct arena_mark mark = arena_mark(arena);
    uint32_t after = 0;
    for (;;) {
        enum err err = contact_row_next(a->step, a->me->keys, after, &a->row);
        if (err != ERR_OK) {
            return err;
        }
        if (a->row.state != CONTACT_INCOMING && a->row.state != CONTACT_BLOCKED) {
            err = try_sessions(a);
            if (err != ERR_DECRYPT && err != ERR_NO_SESSION) {
                return err;
            }
        }
        after = a->row.number;
        arena_rewind(arena, mark); /* what was looked at must not fill the turn's memory */
    }
}

/* --- first contact --- */

/* Where a first envelope's session is, once it was accepted: STORE_REPLAY, account | keyed hash of
 * its EK. That is the replay cache too: an EK begins one session. */
static struct store_key first_key(struct arrival *a, const struct session_first *first)
{
    uint8_t name[SEAL_NAME];
    seal_name(a->me->keys, "petrel/1 first name", slice_of(first->ek.b, sizeof first->ek.b), name);
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(a->me->keys));
    store_key_bytes(&k, name, sizeof name);
    return k;
}

static enum err first_find(struct arrival *a, const struct session_first *first, uint32_t *contact,
                           uint8_t *slot)
{
    struct store_key k = first_key(a, first);
    struct slice value;
    enum err err = store_get(a->step->turn->store, STORE_REPLAY, store_key_slice(&k), &value);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(value);
    *contact = reader_u32(&r);
    *slot = reader_u8(&r);
    (void)reader_u64(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err first_remember(struct arrival *a, const struct session_first *first)
{
    struct store_key k = first_key(a, first);
    struct store_key value = store_key_new();
    store_key_u32(&value, a->row.number);
    store_key_u8(&value, a->slot);
    store_key_u64(&value, step_now(a->step));
    return store_put(a->step->turn->store, STORE_REPLAY, store_key_slice(&k),
                     store_key_slice(&value));
}

enum err inbox_sweep(struct account *me, struct step *step, uint64_t before, bool *more)
{
    struct store_key prefix = store_key_new();
    struct store_key at = store_key_new();
    store_key_u32(&prefix, seal_keys_account(me->keys));
    store_key_u32(&at, seal_keys_account(me->keys));
    store_key_bytes(&at, me->swept, sizeof me->swept);
    *more = false;
    for (unsigned i = 0; before > 0 && i < LIMIT_SWEEP_ROWS; i++) {
        struct store_row row;
        enum err err = store_seek_prefix(step->turn->store, STORE_REPLAY, STORE_GT,
                                         store_key_slice(&at), store_key_slice(&prefix), &row);
        if (err != ERR_OK) {
            memset(me->swept, 0, sizeof me->swept);
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        struct reader r = reader_of(row.value);
        (void)reader_u32(&r);
        (void)reader_u8(&r);
        uint64_t began = reader_u64(&r);
        at = store_key_new();
        store_key_bytes(&at, row.key.p, row.key.len);
        if (reader_end(&r) != ERR_OK || row.key.len != sizeof(uint32_t) + SEAL_NAME) {
            return ERR_CORRUPT;
        }
        memcpy(me->swept, row.key.p + sizeof(uint32_t), SEAL_NAME);
        if (began < before) {
            err = store_del(step->turn->store, STORE_REPLAY, store_key_slice(&at));
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    *more = before > 0;
    return ERR_OK;
}

/* Whether one more who was not invited may wait for the user. */
static enum err room_for_request(struct arrival *a)
{
    uint64_t waiting;
    enum err err = contact_requests(a->me, a->step, &waiting);
    return err == ERR_OK && waiting >= LIMIT_REQUESTS ? ERR_QUOTA : err;
}

/* Whether it is, or holds, a message: too early from somebody who was not accepted. */
static bool too_early(const struct arrival *a)
{
    struct batch batch;
    struct content content;
    if (!a->in.has_content || batch_read(a->in.content, &batch) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < batch.count; i++) {
        if (content_decode(batch.content[i], &content) == ERR_OK &&
            content.type < CONTENT_REQUEST) {
            return true;
        }
    }
    return false;
}

/* The contact of this ID, or a new one (not put yet) under `number`, when that is free. */
static enum err contact_for(struct arrival *a, const struct sign_pk *id, bool welcome,
                            uint32_t number)
{
    struct step *step = a->step;
    uint32_t known;
    enum err err = contact_row_find(step, a->me->keys, id, &known);
    if (err == ERR_OK) {
        return contact_row_get(step, a->me->keys, known, &a->row);
    }
    if (err == ERR_NOT_FOUND) {
        /* Before a number is taken: there are only LIMIT_CONTACTS, and none comes back. */
        err = welcome ? ERR_OK : room_for_request(a);
        err = err == ERR_OK && too_early(a) ? ERR_NOT_ACCEPTED : err;
    }
    if (err != ERR_OK) {
        return err;
    }
    err = number == 0 ? ERR_OK : contact_row_get(step, a->me->keys, number, &a->row);
    if (number == 0 || err == ERR_OK) {
        err = account_next_contact(a->me, step, &number);
    } else if (err == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    a->row = (struct contact_row){
        .number = number, .id = *id, .state = CONTACT_INCOMING, .created = step_now(step)};
    return err;
}

/* What a first envelope says of its sender, checked as far as it can be before the session is. */
struct newcomer {
    struct session_intro intro;
    struct device_list *list;
    bool invited; /* the invitation is ours, whatever its state */
    struct invite_row invite;
};

static enum err newcomer_read(struct arrival *a, const struct pair_self *self,
                              const struct pair_prekeys *prekeys, struct newcomer *n)
{
    struct arena *arena = a->step->turn->arena;
    enum err err = session_first_open(arena, self, prekeys, a->envelope, &n->intro);
    n->list = arena_alloc(arena, sizeof *n->list);
    if (n->list == NULL) {
        return ERR_NO_MEMORY;
    }
    if (err == ERR_OK) {
        err = device_list_open(n->intro.device_list, &n->intro.id, n->list);
    }
    if (err == ERR_OK &&
        (n->intro.device >= n->list->count || n->list->entries[0].queue_count == 0)) {
        err = ERR_MALFORMED; /* the second: nobody could answer */
    }
    if (err == ERR_OK && memcmp(n->intro.id.b, self->id.b, sizeof self->id.b) == 0) {
        err = ERR_SELF;
    }
    if (err == ERR_OK && n->intro.has_invite) {
        err = invite_row_get(a->step, a->me->keys, n->intro.invite_id, &n->invite);
        n->invited = err == ERR_OK;
        if (err == ERR_NOT_FOUND) {
            err = ERR_NO_SESSION; /* its secret is part of the key: nothing to be opened */
        }
    }
    return err;
}

/* Accepts the session and opens the body, which proves who sent it. */
static enum err newcomer_accept(struct arrival *a, const struct pair_self *self,
                                const struct pair_prekeys *prekeys, const struct newcomer *n)
{
    const struct env *env = a->step->turn->env;
    struct arena *arena = a->step->turn->arena;
    const struct device_entry *entry = &n->list->entries[n->intro.device];
    struct pair_peer peer = {
        .id = n->intro.id, .certificate = entry->certificate, .dh = entry->device.dh};
    enum err err = session_accept(a->s, env, arena, self, &peer, prekeys,
                                  n->invited ? n->invite.secret : NULL, a->envelope);
    if (err == ERR_OK) {
        err = session_open(a->s, env, arena, a->envelope, &a->in);
    }
    if (err == ERR_OK) {
        bool welcome = n->invited && !n->invite.used && step_now(a->step) < n->invite.expires;
        err = contact_for(a, &n->intro.id, welcome, n->invited ? n->invite.contact : 0);
    }
    if (err == ERR_OK && a->row.state == CONTACT_BLOCKED) {
        err = ERR_CONTACT_BLOCKED;
    }
    if (err == ERR_OK && a->row.state == CONTACT_INCOMING && too_early(a)) {
        err = ERR_NOT_ACCEPTED;
    }
    if (err == ERR_OK) {
        err = contact_take_list(a->me, a->step, &a->row, n->intro.device_list, n->list,
                                n->intro.device);
    }
    return err == ERR_OK ? contact_new_session(a->me, a->step, &a->row, session_id(a->s), &a->slot)
                         : err;
}

/* An invitation of ours was used: once it makes a contact, by somebody else as well it is an alarm.
 * Who used it may begin anew with it, when an answer was lost. */
static enum err invite_use(struct arrival *a, struct newcomer *n)
{
    bool first = !n->invite.used;
    bool open = step_now(a->step) < n->invite.expires;
    if (!first && n->invite.contact == a->row.number) {
        return ERR_OK; /* the same person asks again, with a new session */
    }
    if (!first) {
        struct event event = event_begin(a->step, "invite.misused", 256);
        char id[ID_TEXT];
        id_encode(a->row.id.b, id);
        event_text(&event, "contact", id);
        return event_commit(a->step, a->me->keys, &event);
    }
    uint32_t number = n->invite.contact; /* that its tokens were made for */
    n->invite.used = true;
    n->invite.contact = a->row.number;
    memcpy(n->invite.session, session_id(a->s), SESSION_T);
    enum err err = invite_row_put(a->step, a->me->keys, n->intro.invite_id, &n->invite);
    if (err == ERR_OK && first && open) {
        a->row.invited = true;
    }
    if (err == ERR_OK && a->row.number == number && a->row.minted == 0) {
        /* Its counters are taken, also when it is used too late. The second pops and never comes
         * to our queue. */
        err = stock_made(a->step->turn->arena, &a->row, 1);
        a->row.minted = INVITE_COUNTERS;
    }
    return err;
}

/* A first envelope of a session that we do not have yet. */
static enum err open_newcomer(struct arrival *a, const struct session_first *first)
{
    struct step *step = a->step;
    struct seal_keys *keys = a->me->keys;
    struct prekey_secret signed_prekey;
    struct prekey_secret one_time;
    struct account_row account;
    enum err err = prekeys_get(step, keys, PREKEY_SIGNED, first->spk_id, &signed_prekey);
    if (err == ERR_OK && first->one_time_id != 0) {
        err = prekeys_get(step, keys, PREKEY_ONE_TIME, first->one_time_id, &one_time);
    }
    if (err == ERR_OK) {
        err = account_row_get(step, keys, &account);
    }
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_NO_SESSION : err;
    }
    struct prekey_keys *pk = arena_alloc(step->turn->arena, sizeof *pk);
    struct newcomer n = {.invited = false};
    struct pair_self self;
    account_pair_self(&account, &self);
    if (pk == NULL) {
        err = ERR_NO_MEMORY;
    } else {
        prekey_keys_init(pk, &signed_prekey, first->one_time_id != 0 ? &one_time : NULL);
        err = newcomer_read(a, &self, &pk->prekeys, &n);
    }
    if (err == ERR_OK) {
        err = newcomer_accept(a, &self, &pk->prekeys, &n);
    }
    if (err == ERR_OK) {
        err = first_remember(a, first);
    }
    if (err == ERR_OK && n.invited) {
        err = invite_use(a, &n);
    }
    if (err == ERR_OK && first->one_time_id != 0) {
        err = prekeys_del(step, keys, PREKEY_ONE_TIME, first->one_time_id);
        home_part_used(a->me);
    }
    if (pk != NULL) {
        prekey_keys_wipe(pk);
    }
    secret_wipe(&signed_prekey, sizeof signed_prekey);
    secret_wipe(&one_time, sizeof one_time);
    secret_wipe(&account, sizeof account);
    secret_wipe(&self, sizeof self);
    secret_wipe(&n.invite, sizeof n.invite);
    return err;
}

static enum err open_first(struct arrival *a)
{
    struct session_first first;
    uint32_t contact;
    uint8_t slot;
    enum err err = session_first_read(a->envelope, &first);
    if (err != ERR_OK) {
        return err;
    }
    err = first_find(a, &first, &contact, &slot);
    if (err == ERR_NOT_FOUND) {
        return open_newcomer(a, &first);
    }
    if (err == ERR_OK) {
        err = contact_row_get(a->step, a->me->keys, contact, &a->row);
    }
    if (err == ERR_OK && (a->row.sessions >> slot & 1) == 0) {
        err = ERR_NO_SESSION;
    }
    return err == ERR_OK ? try_slot(a, slot) : err;
}

/* --- content --- */

static void event_contact(struct event *event, const struct contact_row *row)
{
    char id[ID_TEXT];
    id_encode(row->id.b, id);
    event_text(event, "contact", id);
}

/* Adds a message to the history, once. */
static enum err take_message(struct arrival *a, struct slice bytes, const struct content *content)
{
    struct step *step = a->step;
    struct seal_keys *keys = a->me->keys;
    uint64_t order;
    enum err err = message_id_get(step, keys, a->row.number, content->id, &order);
    if (err != ERR_NOT_FOUND) {
        return err; /* sealed anew by its sender after a restart of the session */
    }
    struct message_row row = {.state = MESSAGE_RECEIVED,
                              .time = step_now(step),
                              .content = bytes,
                              .deposited = a->deposited_ms,
                              .gap = a->in.gap};
    err = outbox_next_order(a->me, step, a->row.number, &order);
    if (err == ERR_OK) {
        err = message_row_put(step, keys, a->row.number, order, &row);
    }
    if (err == ERR_OK) {
        err = message_id_put(step, keys, a->row.number, content->id, order);
    }
    if (err != ERR_OK) {
        return err;
    }
    char hex[2 * CONTENT_ID + 1];
    hex_encode(content->id, sizeof content->id, hex);
    struct event event = event_begin(step, "message.received", content->text.len + 512);
    event_contact(&event, &a->row);
    event_text(&event, "message", hex);
    event_uint(&event, "order", order);
    event_str(&event, "text", content->text);
    return event_commit(step, keys, &event);
}

/* Somebody asks to be a contact. */
static enum err take_request(struct arrival *a, const struct content *content)
{
    bool theirs = a->row.state == CONTACT_INCOMING && !a->row.invited;
    if (!theirs) {
        /* Invited by us, asked by us too, or a contact already who lost our answer. */
        return contact_accept(a->me, a->step, &a->row);
    }
    uint64_t order;
    enum err err = message_id_get(a->step, a->me->keys, a->row.number, content->id, &order);
    if (err != ERR_NOT_FOUND) {
        return err; /* asked again after a restart of the session */
    }
    err = message_id_put(a->step, a->me->keys, a->row.number, content->id, 0);
    if (err != ERR_OK) {
        return err;
    }
    a->row.text = content->text;
    struct event event = event_begin(a->step, "request.received", 1024);
    event_contact(&event, &a->row);
    event_str(&event, "text", content->text);
    return event_commit(a->step, a->me->keys, &event);
}

/* One content, as if it had come alone. */
static enum err take_one(struct arrival *a, struct slice bytes)
{
    struct content content;
    if (content_decode(bytes, &content) != ERR_OK) {
        return ERR_OK; /* acknowledged, since no retry would make it better */
    }
    if (content.type == CONTENT_REQUEST) {
        return take_request(a, &content);
    }
    if (a->row.state == CONTACT_INCOMING) {
        return ERR_OK; /* nothing but the request before it is accepted; messages are too_early */
    }
    if (a->row.state != CONTACT_ACCEPTED) {
        a->row.state = CONTACT_ACCEPTED;
        struct event event = event_begin(a->step, "contact.accepted", 256);
        event_contact(&event, &a->row);
        enum err err = event_commit(a->step, a->me->keys, &event);
        if (err != ERR_OK) {
            return err;
        }
        struct work *work = work_find(a->me, a->row.number);
        if (work != NULL) {
            work_wake(work); /* messages that waited for this */
        }
    }
    return content.type >= CONTENT_REQUEST ? ERR_OK : take_message(a, bytes, &content);
}

/* What the body held: one content, or a batch in its order. */
static enum err take_content(struct arrival *a)
{
    struct batch batch;
    if (batch_read(a->in.content, &batch) != ERR_OK) {
        return ERR_OK; /* as with one that is out of form */
    }
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch.count; i++) {
        struct arena_mark mark = arena_mark(a->step->turn->arena);
        err = take_one(a, batch.content[i]);
        arena_rewind(a->step->turn->arena, mark); /* many batches come in one turn */
    }
    return err;
}

/* What the session noticed beside the content. */
static enum err take_signs(struct arrival *a)
{
    const char *type = a->in.reset ? "session.reset" : "message.gap";
    if (!a->in.reset && !a->in.gap) {
        return ERR_OK;
    }
    struct event event = event_begin(a->step, type, 256);
    event_contact(&event, &a->row);
    return event_commit(a->step, a->me->keys, &event);
}

static enum err take_tokens(struct arrival *a)
{
    uint64_t have;
    enum err err = token_row_count(a->step, a->me->keys, a->row.number, &have);
    if (err != ERR_OK || a->in.tokens.len % TOKEN != 0 ||
        have + a->in.tokens.len / TOKEN > LIMIT_TOKEN_STOCK_MAX) {
        return err;
    }
    struct work *work = work_find(a->me, a->row.number);
    if (work != NULL && work->gave_up && a->in.tokens.len > 0) {
        work_wake(work); /* the price of a stamp was too high; now none is needed */
        a->row.failed = 0;
    }
    return token_row_add(a->step, a->me->keys, a->row.number, a->in.tokens);
}

/* Where their queues are by now. */
static enum err take_route(struct arrival *a)
{
    struct device_place first;
    struct slice second;
    uint64_t since;
    if (a->in.route.len == 0 || !a->in.has_content || a->in.duplicate ||
        route_read(a->in.route, &since, &first, &second) != ERR_OK) {
        return ERR_OK; /* the last: like content that is out of form */
    }
    if (since < a->row.queues_ms) {
        return ERR_OK; /* it was under way for long, and they have moved on since */
    }
    a->row.queues_ms = since;
    bool same = a->row.has_queue && address_equal(&first.relay, &a->row.queue_relay) &&
                memcmp(first.key.b, a->row.queue.b, sizeof first.key.b) == 0;
    a->row.second = second;
    if (same) {
        return ERR_OK;
    }
    a->row.has_queue = true;
    a->row.queue_relay = first.relay;
    a->row.queue = first.key;
    return outbox_moved(a->me, a->step, a->row.number);
}

/* When they were there: not when we fetched it, which may be much later. */
static void note_spoke(struct arrival *a)
{
    uint64_t now = step_now(a->step);
    uint64_t then = a->deposited_ms < now ? a->deposited_ms : now;
    a->row.spoke_ms = then > a->row.spoke_ms ? then : a->row.spoke_ms;
}

/* Whatever came with it: the relay has taken the token, and so it will not be voided. */
static enum err token_spent(struct arrival *a, struct contact_row *row)
{
    if (a->token_of != row->number) {
        return ERR_OK;
    }
    return stock_spent(a->step->turn->arena, row, a->counter);
}

/* The same for an envelope that changed nothing (of a blocked contact, say, or one that was opened
 * before), and for what waits to be voided. */
static enum err token_only(struct arrival *a)
{
    struct contact_row row;
    if (a->token_of == 0) {
        return ERR_OK;
    }
    enum err err = voiding_spent(a->me, a->step, a->token_of, a->counter);
    if (err == ERR_OK && !(a->taken && a->token_of == a->row.number)) {
        err = contact_row_get(a->step, a->me->keys, a->token_of, &row);
        if (err == ERR_OK) {
            err = token_spent(a, &row);
        }
        if (err == ERR_OK) {
            err = contact_row_put(a->step, a->me->keys, &row);
        }
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* All that an opened envelope changes. */
static enum err take(struct arrival *a)
{
    struct step *step = a->step;
    struct seal_keys *keys = a->me->keys;
    struct slice saved;
    a->taken = true;
    if (a->token_of == a->row.number) {
        stock_came_back(&a->row, a->counter, step_now(step), a->deposited_ms);
    }
    if (a->stamped) {
        stock_was_empty(&a->row, step_now(step));
    }
    a->row.first_sent = 0;
    a->row.heard_ms = step_now(a->step);
    a->row.heard_count++;
    note_spoke(a);
    a->row.heard |= (uint8_t)(1U << a->slot);
    enum err err = token_spent(a, &a->row);
    if (err == ERR_OK) {
        err = take_signs(a);
    }
    if (err == ERR_OK && a->in.has_content && !a->in.duplicate) {
        err = take_content(a);
    }
    if (err == ERR_OK) {
        err = take_route(a);
    }
    if (err == ERR_OK) {
        err = take_tokens(a);
    }
    if (err == ERR_OK) {
        err = session_save(a->s, step->turn->arena, &saved);
    }
    if (err == ERR_OK) {
        err = session_row_put(step, keys, a->row.number, a->slot, saved);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, keys, &a->row);
    }
    if (err == ERR_OK) {
        err = outbox_acked(a->me, step, a->row.number, a->s);
    }
    return err;
}

/* Sees to it that the other side hears that we have it. A stranger does not: an answer would tell
 * whoever asks when we are there and from where, and dial what their list names. The answer to an
 * accepted request acknowledges it. */
static enum err owe_ack(struct arrival *a)
{
    if (a->row.state == CONTACT_INCOMING) {
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

/* An envelope came with a contact's token and opens with nothing: it was spoiled on its way,
 * perhaps at our relay. The other side deposits it anew when it hears that we are here and do not
 * have it.
 */
static enum err owe_sign(struct arrival *a)
{
    enum err err = owe_ack(a);
    struct work *work = work_find(a->me, a->row.number);
    if (work != NULL) {
        work->unread = true;
    }
    return err;
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

static enum err open_and_take(struct arrival *a)
{
    enum err err = a->envelope.p[0] == ENVELOPE_FIRST ? open_first(a) : open_established(a);
    if (err == ERR_OK && a->row.state == CONTACT_INCOMING && too_early(a)) {
        return ERR_NOT_ACCEPTED; /* the session was not saved: as if it had not come */
    }
    if (err == ERR_OK && a->row.state != CONTACT_BLOCKED) {
        err = take(a);
        if (err == ERR_OK && session_owes_ack(a->s)) {
            err = owe_ack(a);
        }
    } else if (err == ERR_REPLAY && a->row.state != CONTACT_BLOCKED) {
        err = owe_ack(a); /* our acknowledgement did not get through */
    } else if (err == ERR_DECRYPT && a->token_of != 0 && contact_row_may_talk(&a->row) &&
               stock_holds(&a->row, a->counter)) {
        err = owe_sign(a);
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
        enum err spent = token_only(&a);
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
