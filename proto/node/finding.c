/* SPDX-License-Identifier: Apache-2.0
 *
 * finding: a contact's descriptor and key bundle, for a first session, or because their queues are
 * gone: look-up, pop, get, and what is begun with them. docs/protocol/07-node.md, section 7.3.
 */
#include <string.h>

#include "base/secret.h"
#include "crypto/bep44.h"
#include "crypto/blind.h"
#include "node/bundle.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "pair/prekey.h"
#include "relay/descriptor_record.h"
#include "relay/record.h"

enum {
    FINDING_WAIT_MS = 2000, /* between looks at whether our own relay is ready */
};

/* Where the key bundle is that a session is to begin with: of that device, else, while none is
 * known, or where its queue is gone, the one that their descriptor or invitation names. */
static struct device_place bundle_place(const struct work *work, const struct peer_row *row)
{
    struct device_place place = {.relay = row->who.relay, .key = row->who.record};
    struct device_place own;
    struct reader r = reader_of(row->bundle);
    if (!work->lost && row->bundle.len > 0) {
        device_place_read(&r, &own);
        place = reader_end(&r) == ERR_OK ? own : place;
    }
    return place;
}

/* Asks our own relay, over an anonymous link, for the descriptor of this period; and the DHT at the
 * same time. */
static enum err resolve(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row)
{
    const struct home *home = home_main(me);
    enum err err = seek_begin(me, step, work, row);
    if (err != ERR_OK) {
        return err;
    }
    if (home->address.port == 0) {
        work->trouble = ERR_NO_RELAY;
        work->due = step_now(step) + FINDING_WAIT_MS;
        return ERR_OK;
    }
    struct node_link *link;
    err = links_anonymous(&me->node->links, step, me->number, work->peer, &home->address, &link);
    if (err != ERR_OK || !link->open) {
        return err;
    }
    /* Around midnight an item may be there for one period only: ask for both in turn. */
    work->period = descriptor_period(step_now(step)) - (work->before ? 1 : 0);
    struct descriptor_get get;
    err = blind_public(&row->who.id, work->period, &get.blinded);
    if (err != ERR_OK) {
        return contact_failed(me, step, work, row, err);
    }
    struct writer w = step_writer(step, 128);
    descriptor_get_write(&w, &get);
    err = work_request(work, step, link, FRAME_DESCRIPTOR_GET, writer_done(&w), 0);
    work->before = work->before != work->in_flight;
    return err;
}

/* A descriptor that names an older list than the one that is known leads nowhere. */
static enum err not_older(struct step *step, const struct peer_row *row,
                          const struct descriptor *descriptor)
{
    if (row->who.list.len == 0) {
        return ERR_OK;
    }
    struct device_list *known;
    enum err err = contact_list_known(step, &row->who, &known);
    if (err != ERR_OK) {
        return err;
    }
    bool older = descriptor->list_version < known->version &&
                 descriptor->created_ms < known->created_ms; /* a restored account begins anew */
    return older ? ERR_STALE : ERR_OK;
}

/* What the contact's descriptor says goes into row. PEER: it is not theirs, or tells nothing new.
 */
static enum err take_descriptor(struct step *step, const struct work *work, struct peer_row *row,
                                uint64_t period, const struct bep44_item *from)
{
    struct descriptor descriptor;
    struct bep44_item item = *from;
    enum err err = blind_public(&row->who.id, period, &item.key);
    if (err == ERR_OK) {
        err = descriptor_open(&row->who.id, period, &item, &descriptor);
    }
    if (err != ERR_OK) {
        return err; /* somebody who lies, or something new */
    }
    /* The other way was faster. A restored account begins anew with its versions. */
    bool known = row->who.has_record && (!work->lost || work->found) &&
                 descriptor.list_version <= row->who.list_version &&
                 descriptor.created_ms <= row->who.described_ms;
    err = known ? ERR_STALE : not_older(step, row, &descriptor);
    if (err != ERR_OK) {
        return err;
    }
    struct slice hash = slice_of(descriptor.list_hash, sizeof descriptor.list_hash);
    row->who.list_hash = arena_copy(step->turn->arena, hash);
    if (row->who.list_hash.p == NULL) {
        return ERR_NO_MEMORY;
    }
    row->who.has_record = true;
    row->who.record = descriptor.record;
    row->who.relay = descriptor.relays[0].address;
    row->who.list_version = descriptor.list_version;
    row->who.described_ms = descriptor.created_ms;
    return ERR_OK;
}

/* It is known where to ask for the bundle, the first time or anew. Where somebody moved to may be
 * gone as well: that they say where they are ends no row of failures. */
static enum err located(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row, bool first)
{
    work->found = work->lost;
    work->absent = false;
    if (first && !work->lost) {
        work->attempts = 0;
    }
    work_wake(work);
    return contact_row_put(step, me->keys, &row->who);
}

static enum err resolved(struct account *me, struct step *step, struct work *work,
                         struct peer_row *row, struct slice body)
{
    struct descriptor_get_reply reply;
    enum err err = descriptor_get_reply_read(body, &reply);
    if (err != ERR_OK) {
        return err;
    }
    bool first = !row->who.has_record;
    err = reply.head.err == ERR_OK ? take_descriptor(step, work, row, work->period, &reply.item)
                                   : reply.head.err;
    if (err_class(err) == ERR_CLASS_LOCAL) {
        return err;
    }
    work->newer = false; /* what failed is no place of theirs */
    if (err == ERR_OK) {
        return located(me, step, work, row, first);
    }
    if (work->found || (row->who.has_record && !work->lost)) {
        work_resume(work); /* the DHT was faster */
        return ERR_OK;
    }
    finding_failed(work, FRAME_DESCRIPTOR_GET);
    work_fail(step, work, err, reply.head.retry_after_ms);
    return ERR_OK;
}

void finding_failed(struct work *work, uint8_t kind)
{
    bool other = kind == FRAME_QUEUE_DEPOSIT || kind == FRAME_RELAY_FORWARD;
    if (other || work->newer) {
        return; /* or it is not where they are by now */
    }
    work->found = false;
    work->lost = work->lost && work->seeks > 0;
    work->absent = work->lost;
}

void finding_sought(struct step *step, struct work *work)
{
    if (work->absent && work->lost && !work->found) {
        work->lost = work->absent = false; /* as when our relay is the last to answer */
        work->due = earlier(work->due, step_now(step));
    }
}

enum err finding_item(struct account *me, struct step *step, struct work *work, uint64_t period,
                      const struct bep44_item *item)
{
    struct peer_row row;
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    bool wanted = row.who.state != CONTACT_BLOCKED && (work->lost || peer_row_slot(&row) < 0);
    bool first = !row.who.has_record;
    bool busy = work->in_flight || work->due == UINT64_MAX; /* with where they were */
    err = wanted ? take_descriptor(step, work, &row, period, item) : ERR_STALE;
    if (err == ERR_OK) {
        work->trouble = ERR_OK;
        work->newer = busy;
        err = located(me, step, work, &row, first);
    }
    secret_wipe(&row, sizeof row);
    return err_class(err) == ERR_CLASS_LOCAL ? err : ERR_OK;
}

/* Admission of a pop: the invitation's token, or a stamp; *ready when there is one. */
static void pop_admission(struct account *me, struct step *step, struct work *work,
                          const struct peer_row *row, const struct device_place *place,
                          struct relay_admission *admission, bool *ready)
{
    *admission = (struct relay_admission){.stamp = row->pop_token.len == 0};
    if (!admission->stamp) {
        memcpy(admission->token.b, row->pop_token.p, sizeof admission->token.b);
        *ready = true;
        return;
    }
    struct stamp_goal goal = {.relay = place->relay.node_id,
                              .minute = home_stamp_minute(me, step, work->attempts)};
    memcpy(goal.target, place->key.b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &row->pop_nonce, 1);
    *ready = mining_step(&work->mining, &goal, work->bits > 0 ? work->bits : LIMIT_STAMP_POP_BITS,
                         &me->node->mining_budget);
    admission->stamp_minute = work->mining.goal.minute;
    admission->stamp_nonce = work->mining.nonce;
}

/* Who did not answer is asked again without a one-time part: a part whose secret is gone (a relay
 * that gives old ones out, a person who restored a backup) would be in the way every time. */
static enum err get(struct account *me, struct step *step, struct work *work,
                    const struct peer_row *row)
{
    bool ready;
    struct device_place place = bundle_place(work, row);
    enum err err = foreign_open(me, step, work, &place.relay, &ready);
    if (err != ERR_OK || !ready) {
        return err;
    }
    struct record_get request = {.record = place.key};
    struct writer w = step_writer(step, 128);
    record_get_write(&w, &request);
    return foreign_send(me, step, work, &place.relay, FRAME_RECORD_GET, writer_done(&w), 0);
}

/* Takes the key bundle and a one-time part from the contact's relay. */
static enum err pop(struct account *me, struct step *step, struct work *work, struct peer_row *row)
{
    bool ready;
    struct device_place place = bundle_place(work, row);
    enum err err = foreign_open(me, step, work, &place.relay, &ready);
    if (err != ERR_OK || !ready) {
        return err;
    }
    if (row->pop_nonce.len == 0) {
        uint8_t *nonce = arena_alloc(step->turn->arena, RELAY_POP_NONCE);
        if (nonce == NULL) {
            return ERR_NO_MEMORY;
        }
        env_random(step->turn->env, nonce, RELAY_POP_NONCE);
        row->pop_nonce = slice_of(nonce, RELAY_POP_NONCE);
        err = peer_row_put(step, me->keys, row);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct record_pop request = {.record = place.key};
    pop_admission(me, step, work, row, &place, &request.admission, &ready);
    if (!ready) {
        work_wake(work); /* goes on in the next turn */
        return ERR_OK;
    }
    memcpy(request.pop_nonce, row->pop_nonce.p, RELAY_POP_NONCE);
    struct writer w = step_writer(step, 512);
    record_pop_write(&w, &request);
    secret_wipe(&request.admission, sizeof request.admission);
    return foreign_send(me, step, work, &place.relay, FRAME_RECORD_POP, writer_done(&w), 0);
}

/* What a pop or a get gave. */
struct found {
    struct device_place place; /* there */
    struct slice list_bytes;
    struct device_list *list;
    unsigned device; /* which of it the bundle is of */
    struct pair_bundle *bundle;
};

/* A relay may hold an old bundle back against who knows no list yet: what it gives must not be
 * older than the list that the descriptor named. A newer one may have come since. */
static enum err fits_descriptor(const struct peer_row *row, const struct found *found)
{
    uint8_t hash[DEVICE_LIST_HASH];
    bool named = memcmp(found->place.key.b, row->who.record.b, sizeof found->place.key.b) == 0;
    if (!named || row->who.list_version == 0 || found->list->version > row->who.list_version) {
        return ERR_OK;
    }
    device_list_hash(found->list_bytes, hash);
    bool same = found->list->version == row->who.list_version &&
                slice_equal(row->who.list_hash, slice_of(hash, sizeof hash));
    return same ? ERR_OK : ERR_STALE;
}

/* Which device of the list has its bundle there. ERR_STALE: none, any more. */
static enum err which_device(struct found *found)
{
    for (unsigned i = 0; i < found->list->count; i++) {
        const struct device_entry *entry = &found->list->entries[i];
        if (memcmp(entry->record.key.b, found->place.key.b, sizeof entry->record.key.b) == 0) {
            found->device = i;
            return entry->queue_count == 0 ? ERR_MALFORMED : ERR_OK;
        }
    }
    return ERR_STALE;
}

/* Opens what came: the contact's device list and a bundle to begin a session with. */
static enum err open_bundle(struct step *step, const struct peer_row *row,
                            const struct record_pop_reply *reply, struct found *found)
{
    struct arena *arena = step->turn->arena;
    uint8_t *body = arena_alloc(arena, reply->body.len + 1);
    uint8_t *part = arena_alloc(arena, LIMIT_RECORD_PART);
    found->list = arena_alloc(arena, sizeof *found->list);
    found->bundle = arena_alloc(arena, sizeof *found->bundle);
    if (body == NULL || part == NULL || found->list == NULL || found->bundle == NULL) {
        return ERR_NO_MEMORY;
    }
    struct aead_key key;
    size_t body_len = 0;
    size_t part_len = 0;
    record_key(&key, &row->who.id, &found->place.key);
    enum err err = record_open(body, &body_len, &key, RECORD_BODY_ID, reply->body);
    if (err == ERR_OK && reply->has_part) {
        err = record_open(part, &part_len, &key, reply->part.id, reply->part.sealed);
    }
    secret_wipe(&key, sizeof key);
    struct bundle bundle;
    if (err == ERR_OK) {
        err = bundle_read(slice_of(body, body_len), &bundle);
    }
    if (err == ERR_OK) {
        err = device_list_open(bundle.device_list, &row->who.id, found->list);
    }
    if (err == ERR_OK) {
        found->list_bytes = bundle.device_list;
        err = which_device(found);
    }
    if (err == ERR_OK) {
        err = fits_descriptor(row, found);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint64_t created;
    return prekey_bundle_open(bundle.prekey, slice_of(part, part_len),
                              &found->list->entries[found->device].device.sign, step_now(step),
                              found->bundle, &created);
}

/* Begins a session with what was popped. */
static enum err begin(struct account *me, struct step *step, struct peer_row *row,
                      const struct found *found)
{
    const struct device_entry *entry = &found->list->entries[found->device];
    struct account_row account;
    enum err err = account_row_get(step, me->keys, &account);
    if (err != ERR_OK) {
        return err;
    }
    struct session *s = session_new();
    struct pair_self self;
    account_pair_self(&account, &self);
    struct pair_peer peer = {
        .id = row->who.id, .certificate = entry->certificate, .dh = entry->device.dh};
    struct slice saved;
    /* To a contact it says nothing, and a device that they made since does not know it. */
    bool invited = row->who.invite.len == INVITE_SECRET && row->who.state != CONTACT_ACCEPTED;
    err = s == NULL ? ERR_NO_MEMORY
                    : session_initiate(s, step->turn->env, step->turn->arena, &self, &peer,
                                       found->bundle, invited ? row->who.invite.p : NULL,
                                       account.device_list, (uint8_t)account.list_place);
    if (err == ERR_OK) {
        err = session_save(s, step->turn->arena, &saved);
    }
    uint8_t slot;
    if (err == ERR_OK) {
        err = contact_new_session(me, step, row, session_id(s), &slot);
    }
    if (err == ERR_OK) {
        err = session_row_put(step, me->keys, row->number, slot, saved);
    }
    if (err == ERR_OK) {
        row->begun = (uint8_t)(slot + 1);
        row->first_sent = step_now(step);
    }
    session_free(s);
    secret_wipe(&self, sizeof self);
    secret_wipe(&account, sizeof account);
    return err;
}

/* Somebody else used this invitation. The request goes on, with stamps: when it comes with a secret
 * that was used, the inviter hears of it too. */
static enum err invite_used(struct account *me, struct step *step, struct work *work,
                            struct peer_row *row)
{
    uint8_t deposit[ROW_TOKEN]; /* as good as spent, and one alarm is enough */
    row->pop_token = slice_of(NULL, 0);
    enum err err = token_row_take(step, me->keys, row->number, deposit);
    secret_wipe(deposit, sizeof deposit);
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        err = peer_row_put(step, me->keys, row);
    }
    work_wake(work);
    return err == ERR_OK ? contact_invite_alarm(me, step, &row->who, NULL) : err;
}

/* What a refused pop means. */
static enum err pop_refused(struct account *me, struct step *step, struct work *work,
                            struct peer_row *row, const struct record_pop_reply *reply)
{
    enum err refusal = reply->head.err;
    work->mining = (struct mining){.wanted = false};
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > LIMIT_STAMP_BITS_MAX) {
        return contact_failed(me, step, work, row, refusal); /* not at any price */
    }
    if (refusal == ERR_STAMP_TOO_CHEAP && reply->stamp_bits > work->bits) {
        work->bits = reply->stamp_bits;
        work_wake(work);
        return ERR_OK;
    }
    if (refusal == ERR_STAMP_STALE && work->attempts == 0) {
        work->attempts++;
        work_wake(work);
        return ERR_OK;
    }
    if (refusal == ERR_TOKEN_SPENT && row->pop_token.len > 0) {
        return invite_used(me, step, work, row);
    }
    if (refusal == ERR_BAD_TOKEN && row->pop_token.len > 0) {
        row->pop_token = slice_of(NULL, 0); /* its epoch is over; a stamp always works */
        work_wake(work);
        return peer_row_put(step, me->keys, row);
    }
    work_fail(step, work, refusal, reply->head.retry_after_ms);
    return ERR_OK;
}

/* The answer to a get or a pop: the same but for the part. */
static enum err bundle_reply_read(uint8_t kind, struct slice body, struct record_pop_reply *reply)
{
    if (kind == FRAME_RECORD_POP) {
        return record_pop_reply_read(body, reply);
    }
    struct record_get_reply got;
    enum err err = record_get_reply_read(body, &got);
    if (err == ERR_OK) {
        *reply = (struct record_pop_reply){.head = got.head, .seq = got.seq, .body = got.body};
    }
    return err;
}

/* Takes over where the contact's queues are, and begins a session where there is none to send on.
 * *row may be of a device that the contact has no more, then; *gone. */
static enum err take_bundle(struct account *me, struct step *step, const struct work *work,
                            struct peer_row *row, const struct record_pop_reply *reply, bool *gone)
{
    struct found found = {.place = bundle_place(work, row)};
    enum list_age age = LIST_NEWER;
    enum err err = open_bundle(step, row, reply, &found);
    if (err == ERR_OK) {
        err = contact_list_age(step, &row->who, found.list_bytes, found.list, found.device, &age);
    }
    bool named = memcmp(found.place.key.b, row->who.record.b, sizeof found.place.key.b) == 0;
    if (err == ERR_OK && (age == LIST_REVOKED || (age == LIST_OLDER && named))) {
        err = ERR_STALE; /* its prekey may be one that was stolen, and has been replaced */
    }
    if (err == ERR_OK && work->lost && peer_row_slot(row) >= 0 &&
        slice_equal(found.list_bytes, row->who.list)) {
        err = ERR_BAD_TOKEN; /* they say that they are where nothing is */
    }
    if (err == ERR_OK) {
        err = peers_take_list(me, step, row, found.list_bytes, found.list, found.device, gone);
    }
    if (err != ERR_OK || *gone || peer_row_slot(row) >= 0) {
        return err;
    }
    /* That of another device of theirs begins no session with this one, however often it comes. */
    return peer_row_is(row, &found.list->entries[found.device]) ? begin(me, step, row, &found)
                                                                : ERR_STALE;
}

void finding_over(struct work *work, struct peer_row *row)
{
    work->lost = work->absent = work->found = false;
    work->trouble = ERR_OK;
    work->bits = 0;
    work->mining = (struct mining){.wanted = false};
    work_wake(work);
    row->failed = 0;
}

/* A bundle came, or why not. */
static enum err bundled(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row, uint8_t kind, struct slice body)
{
    struct record_pop_reply reply;
    bool gone = false;
    bool began = !work->lost;
    enum err err = bundle_reply_read(kind, body, &reply);
    if (err != ERR_OK) {
        return err;
    }
    if (work->newer) {
        work_fail(step, work, ERR_STALE, 0); /* it is of where they were before: at once again */
        return ERR_OK;
    }
    if (reply.head.err != ERR_OK && !work->lost) {
        return pop_refused(me, step, work, row, &reply);
    }
    err =
        reply.head.err == ERR_OK ? take_bundle(me, step, work, row, &reply, &gone) : reply.head.err;
    if (gone) {
        return err;
    }
    if (err != ERR_OK) {
        finding_failed(work, kind);
    }
    if (err_class(err) == ERR_CLASS_PEER) {
        /* Not what this person published, or too old: a new pop later, with a stamp. */
        row->pop_nonce = slice_of(NULL, 0);
        row->pop_token = slice_of(NULL, 0);
        work_fail(step, work, err, 0);
        return peer_row_put(step, me->keys, row);
    }
    if (err != ERR_OK) {
        return err;
    }
    finding_over(work, row);
    if (began) {
        work->attempts = 0; /* else it may be ever another queue that is not there */
    }
    return peer_row_put(step, me->keys, row);
}

enum err finding_reply(struct account *me, struct step *step, struct work *work,
                       const struct link_request *request, struct slice body)
{
    struct peer_row row;
    work->in_flight = false;
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (peer_row_slot(&row) >= 0 && !work->lost) {
        return ERR_OK; /* they were faster: their session is here already */
    }
    err = request->kind == FRAME_DESCRIPTOR_GET
              ? resolved(me, step, work, &row, body)
              : bundled(me, step, work, &row, request->kind, body);
    secret_wipe(&row, sizeof row);
    return err;
}

enum err finding_progress(struct account *me, struct step *step, struct work *work,
                          struct peer_row *row, bool *ready)
{
    *ready = peer_row_slot(row) >= 0 && !work->lost;
    if (*ready) {
        return ERR_OK;
    }
    if (work->lost) {
        return work->found ? get(me, step, work, row) : resolve(me, step, work, row);
    }
    struct account_row account;
    enum err err = account_row_get(step, me->keys, &account);
    bool listed = err == ERR_OK && account.device_list.len > 0;
    secret_wipe(&account, sizeof account);
    if (err != ERR_OK) {
        return err;
    }
    if (!listed) {
        work->trouble = ERR_NO_RELAY; /* an answer could not reach us */
        work->due = step_now(step) + FINDING_WAIT_MS;
        return ERR_OK;
    }
    if (!row->who.has_record) {
        return resolve(me, step, work, row);
    }
    /* What it was found by may be over: they moved since, or it was an old one. */
    err = work->attempts > 0 ? seek_begin(me, step, work, row) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    /* A session that was begun, and is not sent on any more: contact_restart. */
    return row->sessions != 0 ? get(me, step, work, row) : pop(me, step, work, row);
}
