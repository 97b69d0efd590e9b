/* SPDX-License-Identifier: Apache-2.0
 *
 * first: first envelopes: who is it, may they ask, which session begins, was it there before; and
 * invitations that are used. docs/protocol/07-node.md, sections 7.3 and 7.5.
 */
#include <string.h>

#include "base/secret.h"
#include "node/arrival.h"
#include "node/batch.h"
#include "node/content.h"
#include "node/device.h"
#include "node/event.h"
#include "node/healing.h"
#include "node/invite.h"
#include "node/prekeys.h"
#include "node/stock.h"

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

static enum err first_find(struct arrival *a, const struct session_first *first, uint32_t *peer,
                           uint8_t *slot)
{
    struct store_key k = first_key(a, first);
    struct slice value;
    enum err err = store_get(a->step->turn->store, STORE_REPLAY, store_key_slice(&k), &value);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(value);
    *peer = reader_u32(&r);
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
bool arrival_too_early(const struct arrival *a)
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

/* A contact of this ID and its first device, under `number`, when that is free. */
static enum err contact_new(struct arrival *a, const struct sign_pk *id, uint32_t number)
{
    struct contact_row who;
    enum err err = number == 0 ? ERR_OK : contact_row_get(a->step, a->me->keys, number, &who);
    if (err == ERR_OK && number != 0) {
        number = 0;
    }
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    if (err == ERR_OK && number == 0) {
        err = account_next_contact(a->me, a->step, &number);
    }
    who = (struct contact_row){
        .number = number, .id = *id, .state = CONTACT_INCOMING, .created = step_now(a->step)};
    return err == ERR_OK ? peers_add(a->me, a->step, &who, number, NULL, 0, &a->row) : err;
}

/* The peer that sent it, one of a contact that is known: this device, or the one that we asked
 * without knowing which it would be, or a new one. */
static enum err peer_for(struct arrival *a, const struct contact_row *who,
                         const struct device_list *list, const struct device_entry *entry)
{
    struct contact_row known = *who;
    enum list_age age;
    enum err err = peers_find(a->me, a->step, who, entry, &a->row);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = peer_row_of(a->step, a->me->keys, who, 0, &a->row);
    if ((err != ERR_OK && err != ERR_NOT_FOUND) || (err == ERR_OK && a->row.device.len == 0)) {
        return err;
    }
    err = contact_list_age(a->step, who, slice_of(NULL, 0), list, (unsigned)(entry - list->entries),
                           &age);
    if (err == ERR_OK && age == LIST_REVOKED) {
        return ERR_STALE; /* before it gets a place */
    }
    return err == ERR_OK ? peers_add(a->me, a->step, &known, 0, entry, list->created_ms, &a->row)
                         : err;
}

/* The peer whose this device is, a new contact's under `number`, when that is free. */
static enum err sender_for(struct arrival *a, const struct sign_pk *id, bool welcome,
                           uint32_t number, const struct device_list *list,
                           const struct device_entry *entry)
{
    struct step *step = a->step;
    struct contact_row who;
    uint32_t known;
    enum err err = contact_row_find(step, a->me->keys, id, &known);
    if (err == ERR_OK) {
        err = contact_row_get(step, a->me->keys, known, &who);
        if (err == ERR_OK && who.state == CONTACT_BLOCKED) {
            return ERR_CONTACT_BLOCKED;
        }
        return err == ERR_OK ? peer_for(a, &who, list, entry) : err;
    }
    if (err == ERR_NOT_FOUND) {
        /* Before a number is taken: there are only LIMIT_CONTACTS, and none comes back. */
        err = welcome ? ERR_OK : room_for_request(a);
        err = err == ERR_OK && arrival_too_early(a) ? ERR_NOT_ACCEPTED : err;
    }
    return err == ERR_OK ? contact_new(a, id, number) : err;
}

/* What a first envelope says of its sender, checked as far as it can be before the session is. */
struct newcomer {
    struct session_intro intro;
    struct device_list *list;
    bool invited; /* the invitation is ours, whatever its state */
    struct invite_row invite;
};

/* It says that it is a device of our own identity: another one, since we know that there are such.
 */
static enum err own_device(struct arrival *a, const struct pair_self *self,
                           const struct device_entry *entry)
{
    uint32_t number;
    enum err err = contact_row_find(a->step, a->me->keys, &self->id, &number);
    bool ours = err == ERR_NOT_FOUND ||
                (err == ERR_OK && slice_equal(entry->certificate, self->certificate));
    return ours ? ERR_SELF : err;
}

/* A link code is good once, for a short while, and for who is nobody yet. */
static enum err link_valid(struct arrival *a, const struct newcomer *n)
{
    uint32_t known;
    if (n->invite.used) {
        struct event event = event_begin(a->step, "device.misused", 128);
        enum err err = event_commit(a->step, a->me->keys, &event);
        return err == ERR_OK ? ERR_INVITE_USED : err;
    }
    enum err err = contact_row_find(a->step, a->me->keys, &n->intro.id, &known);
    if (err != ERR_NOT_FOUND) {
        return err == ERR_OK ? ERR_EXISTS : err;
    }
    if (step_now(a->step) >= n->invite.expires) {
        return ERR_EXPIRED;
    }
    return devices_room(a->me, a->step, &n->list->entries[n->intro.device].device);
}

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
        (n->intro.device >= n->list->count || n->list->entries[n->intro.device].queue_count == 0)) {
        err = ERR_MALFORMED; /* the second: nobody could answer */
    }
    if (err == ERR_OK && memcmp(n->intro.id.b, self->id.b, sizeof self->id.b) == 0) {
        err = own_device(a, self, &n->list->entries[n->intro.device]);
    }
    if (err == ERR_OK && n->intro.has_invite) {
        err = invite_row_get(a->step, a->me->keys, n->intro.invite_id, &n->invite);
        n->invited = err == ERR_OK;
        if (err == ERR_NOT_FOUND) {
            err = ERR_NO_SESSION; /* its secret is part of the key: nothing to be opened */
        }
    }
    if (err == ERR_OK && n->invited && n->invite.device != 0) {
        err = link_valid(a, n);
    }
    return err;
}

/* Whether it came while the invitation was good, by the clock of our relay: we may have slept. */
static bool in_time(const struct arrival *a, const struct newcomer *n)
{
    uint64_t now = step_now(a->step);
    uint64_t came = a->deposited_ms < now ? a->deposited_ms : now;
    return came < n->invite.expires + LIMIT_INVITE_LATE * LIMIT_DAY_MS;
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
    bool gone = false;
    enum err err = session_accept(a->s, env, arena, self, &peer, prekeys,
                                  n->invited ? n->invite.secret : NULL, a->envelope);
    if (err == ERR_OK) {
        err = session_open(a->s, env, arena, a->envelope, &a->in);
    }
    if (err == ERR_OK) {
        bool welcome = n->invited && !n->invite.used && in_time(a, n);
        err = sender_for(a, &n->intro.id, welcome, n->invited ? n->invite.contact : 0, n->list,
                         entry);
    }
    if (err == ERR_OK && a->row.who.state == CONTACT_INCOMING && arrival_too_early(a)) {
        err = ERR_NOT_ACCEPTED;
    }
    if (err == ERR_OK) {
        err = peers_take_list(a->me, a->step, &a->row, n->intro.device_list, n->list,
                              n->intro.device, &gone);
        err = err == ERR_OK && gone ? ERR_STALE : err;
    }
    struct work *work = err == ERR_OK ? work_find(a->me, a->row.number) : NULL;
    if (work != NULL && peer_row_slot(&a->row) < 0) {
        work_anew(work); /* they came by themselves */
        finding_over(work, &a->row);
    }
    return err == ERR_OK ? contact_new_session(a->me, a->step, &a->row, session_id(a->s), &a->slot)
                         : err;
}

/* An invitation of ours was used by somebody else before: our clients hear of it, and both who used
 * it, since nobody knows which of them was meant. Each may begin anew with it. */
static enum err invite_misuse(struct arrival *a, const struct newcomer *n)
{
    struct slice which = arena_copy(a->step->turn->arena, slice_of(n->intro.invite_id, INVITE_ID));
    if (which.p == NULL) {
        return ERR_NO_MEMORY;
    }
    if (n->invite.contact == a->row.who.number || slice_equal(a->row.who.misused, which)) {
        return ERR_OK;
    }
    a->row.who.misused = which;
    a->who_changed = true;
    enum err err = contact_misused(a->me, a->step, n->invite.contact, n->intro.invite_id);
    if (err != ERR_OK) {
        return err;
    }
    struct event event = event_begin(a->step, "invite.misused", 256);
    char id[ID_TEXT];
    id_encode(a->row.who.id.b, id);
    event_text(&event, "contact", id);
    return event_commit(a->step, a->me->keys, &event);
}

/* A link code of ours was used: who did is a device of ours. */
static enum err link_use(struct arrival *a, struct newcomer *n)
{
    n->invite.used = true;
    memcpy(n->invite.session, session_id(a->s), SESSION_T);
    secret_wipe(n->invite.secret, sizeof n->invite.secret); /* nothing asks for it again */
    enum err err = invite_row_put(a->step, a->me->keys, n->intro.invite_id, &n->invite);
    if (err == ERR_OK && a->row.number == n->invite.contact && a->row.minted == 0) {
        err = stock_made(a->step->turn->arena, &a->row, 1);
        a->row.minted = INVITE_COUNTERS;
    }
    return err == ERR_OK ? devices_join(a->me, a->step, &a->row, &n->list->entries[n->intro.device])
                         : err;
}

/* An invitation of ours was used: once it makes a contact, by somebody else as well it is an
 * alarm. */
static enum err invite_use(struct arrival *a, struct newcomer *n)
{
    bool open = in_time(a, n);
    if (n->invite.used && open && n->invite.device == 0 && n->invite.contact == a->row.who.number &&
        a->row.who.state == CONTACT_INCOMING) {
        a->row.who.invited = true; /* they used it in time too, by a queue that we read later */
        a->who_changed = true;
        return ERR_OK;
    }
    if (n->invite.used) {
        return invite_misuse(a, n);
    }
    if (n->invite.device != 0) {
        a->who_changed = false; /* its contact ends */
        return link_use(a, n);
    }
    uint32_t number = n->invite.contact; /* that its tokens were made for */
    n->invite.used = true;
    n->invite.contact = a->row.who.number;
    memcpy(n->invite.session, session_id(a->s), SESSION_T);
    enum err err = invite_row_put(a->step, a->me->keys, n->intro.invite_id, &n->invite);
    if (err == ERR_OK && open) {
        a->row.who.invited = true;
        a->who_changed = true;
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
    struct prekey_secret one_time = {.kind = PREKEY_ONE_TIME};
    struct account_row account;
    enum err err = prekeys_get(step, keys, PREKEY_SIGNED, first->spk_id, &signed_prekey);
    if (err == ERR_OK && first->one_time_id != 0) {
        err = prekeys_get(step, keys, PREKEY_ONE_TIME, first->one_time_id, &one_time);
    }
    if (err == ERR_OK) {
        err = account_row_get(step, keys, &account);
    }
    if (err != ERR_OK) {
        secret_wipe(&signed_prekey, sizeof signed_prekey);
        secret_wipe(&one_time, sizeof one_time);
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
        err = healing_newcomer(a->me, step, &a->row, a->slot, a->deposited_ms);
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

enum err arrival_open_first(struct arrival *a)
{
    struct session_first first;
    uint32_t peer;
    uint8_t slot;
    enum err err = session_first_read(a->envelope, &first);
    if (err != ERR_OK) {
        return err;
    }
    err = first_find(a, &first, &peer, &slot);
    if (err == ERR_NOT_FOUND) {
        return open_newcomer(a, &first);
    }
    if (err == ERR_OK) {
        err = peer_row_get(a->step, a->me->keys, peer, &a->row);
        err = err == ERR_NOT_FOUND ? ERR_NO_SESSION : err; /* that device is gone */
    }
    if (err == ERR_OK && (a->row.sessions >> slot & 1) == 0) {
        err = ERR_NO_SESSION;
    }
    return err == ERR_OK ? arrival_try_slot(a, slot) : err;
}
