/* SPDX-License-Identifier: Apache-2.0 */
#include "node/publish.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/bep44.h"
#include "crypto/blind.h"
#include "node/ahead.h"
#include "node/bundle.h"
#include "node/descriptor.h"
#include "node/prekeys.h"
#include "relay/descriptor_record.h"
#include "relay/record.h"

enum {
    PUBLISH_BODY = LIMIT_FRAME - 64, /* largest body of a request */
    PUBLISH_JUMP = 65536, /* a relay may be so far ahead of an older copy of this store */
};

/* More than any sequence number of ours: hours since 1970, and some. */
static const uint64_t PUBLISH_SEQ = UINT32_MAX;

/* Begins a request with a body of at most cap bytes. */
static void request_begin(struct publish_request *request, struct step *step, uint8_t kind,
                          size_t cap)
{
    *request = (struct publish_request){.due = true, .kind = kind, .body = step_writer(step, cap)};
}

/* Asks what the relay has of our record. */
static enum err make_status(struct home_step *h, struct publish_request *request)
{
    request_begin(request, h->step, FRAME_RECORD_STATUS, 1024);
    return record_status_write(&request->body, h->step->turn->arena, h->link->hash,
                               &h->signers.record);
}

/* A new version of our device list; of a device that does not sign that, of its bundle alone. */
static enum err make_list(struct home_step *h)
{
    if (account_row_holds(&h->account)) {
        return devices_list(h->me, h->step, &h->account, NULL);
    }
    h->account.list_version++;
    return account_row_put(h->step, h->me->keys, &h->account);
}

/* The sealed body of our record: device list and signed prekey. */
static enum err make_body(struct home_step *h, struct slice *sealed)
{
    struct step *step = h->step;
    struct prekey_secret secret;
    enum err err = prekeys_make(step, h->me->keys, PREKEY_SIGNED, h->row.spk_id, &secret);
    if (err != ERR_OK) {
        return err;
    }
    struct sign_pk sign_pk;
    struct sign_sk sign;
    struct writer prekey = step_writer(step, LIMIT_RECORD_PART);
    prim_sign_keypair(&sign_pk, &sign, h->account.device_sign);
    err = prekey.cap == 0 ? ERR_NO_MEMORY : prekey_write(&prekey, &secret, &sign);
    secret_wipe(&sign, sizeof sign);
    secret_wipe(&secret, sizeof secret);
    if (err != ERR_OK) {
        return err;
    }
    struct bundle bundle = {.device_list = h->account.device_list, .prekey = writer_done(&prekey)};
    struct writer w = step_writer(step, LIMIT_RECORD_BODY);
    bundle_write(&w, &bundle);
    uint8_t *out = arena_alloc(step->turn->arena, LIMIT_RECORD_BODY);
    if (out == NULL || w.err != ERR_OK || w.len + RECORD_OVERHEAD > LIMIT_RECORD_BODY) {
        return out == NULL ? ERR_NO_MEMORY : ERR_BUG;
    }
    struct aead_key key;
    record_key(&key, &h->me->id, &h->signers.record_pk);
    record_seal(out, &key, step->turn->env, RECORD_BODY_ID, writer_done(&w));
    secret_wipe(&key, sizeof key);
    *sealed = slice_of(out, w.len + RECORD_OVERHEAD);
    return ERR_OK;
}

/* One-time parts that the relay does not have yet, made where needed. */
static enum err make_parts(struct home_step *h, struct record_put *put)
{
    struct step *step = h->step;
    struct sign_pk sign_pk;
    struct sign_sk sign;
    struct aead_key key;
    prim_sign_keypair(&sign_pk, &sign, h->account.device_sign);
    record_key(&key, &h->me->id, &h->signers.record_pk);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < LIMIT_ONE_TIME_REFILL; i++) {
        struct prekey_secret secret;
        uint32_t id = h->row.parts_sent + 1 + (uint32_t)i;
        err = prekeys_make(step, h->me->keys, PREKEY_ONE_TIME, id, &secret);
        if (err != ERR_OK) {
            break;
        }
        uint8_t plain[PREKEY_PART];
        struct writer w = writer_of(plain, sizeof plain);
        err = prekey_write(&w, &secret, &sign);
        secret_wipe(&secret, sizeof secret);
        uint8_t *out = arena_alloc(step->turn->arena, w.len + RECORD_OVERHEAD);
        if (err == ERR_OK && out == NULL) {
            err = ERR_NO_MEMORY;
        }
        if (err == ERR_OK) {
            record_seal(out, &key, step->turn->env, id, writer_done(&w));
            put->parts[i] =
                (struct record_part){.id = id, .sealed = slice_of(out, w.len + RECORD_OVERHEAD)};
            put->nparts = i + 1;
        }
    }
    secret_wipe(&sign, sizeof sign);
    secret_wipe(&key, sizeof key);
    return err;
}

/* Key bundle: the body when the relay does not have this version, else more one-time parts. */
static enum err make_bundle(struct home_step *h, bool body, struct publish_request *request)
{
    struct step *step = h->step;
    struct record_put *put = arena_alloc(step->turn->arena, sizeof *put);
    request_begin(request, step, FRAME_RECORD_PUT, PUBLISH_BODY);
    if (put == NULL || request->body.cap == 0) {
        return ERR_NO_MEMORY;
    }
    enum err err = ERR_OK;
    if (body && h->account.device_list.len == 0) {
        err = make_list(h);
    }
    if (h->row.spk_id == 0 && err == ERR_OK) {
        h->row.spk_id = 1;
        err = relay_row_put(step, h->me->keys, home_slot(h->me, h->home), &h->row);
    }
    put->seq = h->account.list_version;
    put->has_body = body;
    if (body && h->row.parts_sent > 0) {
        put->drop_below = h->row.parts_sent + 1; /* new parts go with a new signed prekey */
    }
    struct token_siv_key siv;
    home_token_keys(&h->row, &h->signers.record_pk, &put->k, &siv);
    secret_wipe(&siv, sizeof siv);
    if (err == ERR_OK) {
        err = body ? make_body(h, &put->body) : make_parts(h, put);
    }
    if (err == ERR_OK && !body) {
        uint32_t last = h->row.parts_sent + (uint32_t)put->nparts;
        h->home->made.n += last > h->row.last_part ? (uint32_t)put->nparts : 0;
        h->row.last_part = last;
        err = relay_row_put(step, h->me->keys, home_slot(h->me, h->home), &h->row);
    }
    if (err == ERR_OK) {
        err = record_put_write(&request->body, step->turn->arena, h->link->hash, put,
                               &h->signers.record, &h->signers.member);
    }
    return err;
}

uint64_t publish_described(const struct relay_row *row, const struct account_row *account,
                           uint64_t now_ms)
{
    bool real = row->described <= descriptor_period(now_ms) + AHEAD_PERIODS;
    return row->list_version == account->list_version && real ? row->described : 0;
}

/* The first period of which it does not. While some still look for yesterday's, that is replaced
 * too. */
static uint64_t undescribed(const struct relay_row *row, const struct account_row *account,
                            uint64_t now_ms)
{
    uint64_t periods[SEEK_KEYS];
    unsigned n = seek_periods(now_ms, periods);
    uint64_t first = n > 1 && periods[1] < periods[0] ? periods[1] : periods[0];
    uint64_t done = publish_described(row, account, now_ms);
    return done >= first ? done + 1 : first;
}

/* A request about the descriptor of this period goes out: its answer is about that one, whatever
 * becomes of the list meanwhile. */
static void describing(struct home_step *h, uint64_t period)
{
    h->home->describing = period;
    h->home->describing_version = h->account.list_version;
}

/* What the relay has of that period, since it took ours for old. */
static enum err make_descriptor_get(struct home_step *h, struct publish_request *request)
{
    struct descriptor_get get;
    uint64_t period = undescribed(&h->row, &h->account, step_now(h->step));
    enum err err = blind_public(&h->me->id, period, &get.blinded);
    describing(h, period);
    request_begin(request, h->step, FRAME_DESCRIPTOR_GET, 128);
    if (err == ERR_OK) {
        descriptor_get_write(&request->body, &get);
    }
    return err;
}

/* When the descriptor of this list and period is said to be made: the same at all relays whenever
 * they get it, so that they put the same item; and not before the list itself. */
static uint64_t created_ms(const struct account_row *account, uint64_t period)
{
    uint64_t first = period > AHEAD_PERIODS ? (period - AHEAD_PERIODS) * LIMIT_DAY_MS : 0;
    return account->queues_ms > first ? account->queues_ms : first;
}

/* The descriptor of that period, if it is time for it. record: where our key bundle is. */
static enum err make_descriptor(struct home_step *h, const struct device_place *record,
                                struct publish_request *request)
{
    struct step *step = h->step;
    uint64_t period = undescribed(&h->row, &h->account, step_now(step));
    if (period > descriptor_period(step_now(step)) + AHEAD_PERIODS ||
        !account_row_holds(&h->account)) {
        return ERR_OK;
    }
    struct descriptor descriptor = {
        .created_ms = created_ms(&h->account, period),
        .list_version = h->account.list_version,
        .record = record->key,
        .relay_count = 1,
        .relays = {{.address = record->relay}},
    };
    device_list_hash(h->account.device_list, descriptor.list_hash);
    struct descriptor_put put = {.period = (uint32_t)period, .quiet = h->account.hidden != 0};
    struct sign_pk id;
    struct sign_sk identity;
    account_identity(&h->account, &id, &identity);
    uint64_t seq;
    bool fresh = false;
    enum err err = ahead_seq(step, &h->account, period, &seq, &fresh);
    if (err == ERR_OK && fresh) {
        err = account_row_put(step, h->me->keys, &h->account);
    }
    if (err == ERR_OK) {
        err = descriptor_seal(&identity, period, seq, &descriptor, &put.item);
    }
    describing(h, period);
    request_begin(request, step, FRAME_DESCRIPTOR_PUT, 2048);
    if (err == ERR_OK) {
        const struct relay_signer blinded = {.sk = &identity, .blinded = true, .period = period};
        err = descriptor_put_write(&request->body, step->turn->arena, h->link->hash, &put, &blinded,
                                   &h->signers.member);
    }
    secret_wipe(&identity, sizeof identity);
    return err;
}

/* Whether the secret whose successor is so old may go: a bundle that held it is older than its
 * reader allows, and what was sealed with it has been fetched. A relay that never lets the queue
 * end keeps it no longer than an envelope may wait. */
static bool is_over(const struct account *me, uint64_t age_ms)
{
    const uint64_t keep_ms = LIMIT_PREKEY_KEEP_DAYS * LIMIT_DAY_MS;
    bool owing = false;
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        owing |= me->homes[i].owing > 0;
    }
    return age_ms >= keep_ms && (!owing || age_ms - keep_ms >= LIMIT_QUEUE_DAYS * LIMIT_DAY_MS);
}

/* Removes signed prekeys that nobody may use any more. */
static enum err drop_old(struct home_step *h)
{
    struct seal_keys *keys = h->me->keys;
    uint64_t successor = 0; /* when the one after it was made */
    for (uint32_t id = h->row.spk_id; id > 0; id--) {
        struct prekey_secret secret;
        enum err err = prekeys_get(h->step, keys, PREKEY_SIGNED, id, &secret);
        uint64_t made = err == ERR_OK ? secret.created_ms : 0;
        secret_wipe(&secret, sizeof secret);
        if (err == ERR_OK && successor != 0 && is_over(h->me, step_now(h->step) - successor)) {
            err = prekeys_del(h->step, keys, PREKEY_SIGNED, id);
        }
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err; /* the older ones are gone already */
        }
        successor = made;
    }
    return ERR_OK;
}

/* Removes all secrets of prekeys, at the owner's word: who may have copies of them cannot begin a
 * session with us any more. First envelopes that are under way are lost, and come anew. */
static enum err drop_all(struct home_step *h)
{
    struct seal_keys *keys = h->me->keys;
    enum err err = ERR_OK;
    bool more = true;
    for (uint32_t id = h->row.spk_id; err == ERR_OK && id > 0; id--) {
        err = prekeys_del(h->step, keys, PREKEY_SIGNED, id);
        if (err == ERR_NOT_FOUND && id == h->row.spk_id) {
            err = ERR_OK; /* at a relay that is new to us it was not made yet */
        }
    }
    err = err == ERR_NOT_FOUND ? ERR_OK : err; /* the older ones are gone already */
    while (err == ERR_OK && more) {
        err = prekeys_sweep(h->step, keys, UINT64_MAX, &more);
    }
    h->row.rekey = 0;
    return err;
}

/* Every LIMIT_PREKEY_DAYS the bundle gets a new signed prekey, and with it a new list version. */
static enum err rotate(struct home_step *h)
{
    struct prekey_secret secret;
    bool on_its_way = h->row.record_seq != h->account.list_version;
    if (h->row.spk_id == 0 || (on_its_way && h->row.rekey == 0)) {
        return ERR_OK;
    }
    enum err err = prekeys_get(h->step, h->me->keys, PREKEY_SIGNED, h->row.spk_id, &secret);
    uint64_t made = err == ERR_OK ? secret.created_ms : 0;
    secret_wipe(&secret, sizeof secret);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (h->row.rekey == 0 && step_now(h->step) < made + LIMIT_PREKEY_DAYS * LIMIT_DAY_MS) {
        return ERR_OK;
    }
    err = h->row.rekey != 0 ? drop_all(h) : drop_old(h);
    h->row.spk_id++;
    if (h->row.last_part > h->row.parts_sent) {
        h->row.parts_sent = h->row.last_part; /* whether they are there or not: to be dropped too */
    }
    if (err == ERR_OK) {
        err = relay_row_put(h->step, h->me->keys, home_slot(h->me, h->home), &h->row);
    }
    return err == ERR_OK ? make_list(h) : err;
}

/* A relay that is not the main one has our descriptors, so that who asks there finds us. */
static enum err publish_elsewhere(struct home_step *h, struct publish_request *request)
{
    struct relay_row main;
    struct device_place record;
    enum err err = relay_row_get(h->step, h->me->keys, 0, &main);
    bool bundle = err == ERR_OK && h->account.device_list.len > 0 &&
                  main.record_seq == h->account.list_version;
    if (bundle) {
        record.relay = main.address;
        home_record(&main, &record.key);
        err = make_descriptor(h, &record, request);
    }
    secret_wipe(&main, sizeof main);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Whether the relay wants parts, and we make more: one that says that it never has any would have
 * us make secrets as fast as it answers, and keep them for weeks. */
static bool wants_parts(struct home_step *h)
{
    struct home *home = h->home;
    uint32_t made = *tally_of(&home->made, h->step, LIMIT_HOUR_MS);
    return home->parts <= LIMIT_ONE_TIME_PARTS - LIMIT_ONE_TIME_REFILL &&
           made <= LIMIT_ONE_TIME_HOUR - LIMIT_ONE_TIME_REFILL &&
           h->row.parts_sent < UINT32_MAX - LIMIT_ONE_TIME_REFILL;
}

enum err publish_next(struct home_step *h, struct publish_request *request)
{
    const struct home *home = h->home;
    bool anew = h->account.anew != 0 && !home->asked && account_row_holds(&h->account);
    *request = (struct publish_request){.due = false};
    if (home->outrun || anew) {
        return make_descriptor_get(h, request);
    }
    if (home->role != HOME_MAIN) {
        return publish_elsewhere(h, request);
    }
    if (home->stale) {
        return make_status(h, request);
    }
    enum err err = rotate(h);
    if (err != ERR_OK) {
        return err;
    }
    if (h->account.device_list.len == 0 || h->row.record_seq != h->account.list_version) {
        return make_bundle(h, true, request);
    }
    if (home->parts == HOME_PARTS_UNKNOWN) {
        return make_status(h, request);
    }
    if (wants_parts(h)) {
        return make_bundle(h, false, request);
    }
    struct device_place record = {.relay = h->row.address, .key = h->signers.record_pk};
    return make_descriptor(h, &record, request);
}

/* The next version is to be later than this one. */
static void later(struct account_row *account, uint64_t seq)
{
    bool holds = account_row_holds(account);
    account->list_version = (uint32_t)seq + (holds ? 0 : 1);
    account->device_list = holds ? slice_of(NULL, 0) : account->device_list;
}

/* What the relay has of our record. After a crash it can be the version that we were about to send,
 * or, for a restored account, a later one: then ours becomes the next. */
static enum err status_done(struct account *me, struct relay_row *row, struct account_row *account,
                            struct slice body)
{
    struct record_status_reply status;
    enum err err = record_status_reply_read(body, &status);
    if (err != ERR_OK) {
        return err;
    }
    struct home *home = home_main(me);
    /* Numbers that are used up never come back: a relay must not be able to use them all up. */
    if ((status.last_part > row->last_part && status.last_part - row->last_part > PUBLISH_JUMP) ||
        (status.seq > account->list_version && status.seq - account->list_version > PUBLISH_JUMP)) {
        return ERR_PROTOCOL;
    }
    home->parts = status.parts_left;
    if (status.last_part > row->parts_sent) {
        row->parts_sent = status.last_part;
    }
    if (home->stale && status.seq == account->list_version) {
        row->record_seq = status.seq;
    } else if (home->stale && status.seq < UINT32_MAX) {
        later(account, status.seq);
    }
    home->stale = false;
    return ERR_OK;
}

/* The relay took what we put: a body with its list, or one-time parts. */
static enum err put_done(struct account *me, struct relay_row *row,
                         const struct account_row *account, struct slice body)
{
    struct record_put_reply put;
    enum err err = record_put_reply_read(body, &put);
    if (err != ERR_OK) {
        return err;
    }
    if (row->record_seq == account->list_version) {
        row->parts_sent = row->last_part;
    }
    if (row->record_seq != account->list_version) {
        home_wake_others(me); /* descriptors there are to name this version */
    }
    row->record_seq = account->list_version;
    home_main(me)->parts = put.parts_left;
    return ERR_OK;
}

/* Nothing is noted of a list that is not the newest any more. */
static void described_one(const struct home *home, struct relay_row *row,
                          const struct account_row *account)
{
    if (home->describing_version == account->list_version) {
        row->described = home->describing;
        row->list_version = account->list_version;
    }
}

/* What stood in the way of our descriptor: the same list, put before a crash, or a list of another
 * device, or of this one before it was made anew: then ours becomes the next. Or what there is of
 * an identity that was published before, by a device that is gone. */
static enum err get_done(struct account *me, struct step *step, struct home *home,
                         struct relay_row *row, struct account_row *account, struct slice body)
{
    struct descriptor_get_reply reply;
    struct descriptor there;
    uint8_t hash[DEVICE_LIST_HASH];
    uint64_t period = home->describing;
    enum err err = descriptor_get_reply_read(body, &reply);
    if (err == ERR_OK) {
        err = descriptor_open(&me->id, period, &reply.item, &there);
    }
    bool newer_form = err == ERR_UNSUPPORTED; /* of a program after this one; signed all the same */
    if (err != ERR_OK && !newer_form) {
        return err;
    }
    if (reply.item.seq >= PUBLISH_SEQ) {
        return ERR_PROTOCOL;
    }
    home->asked = true;
    if (newer_form && reply.item.seq < ahead_last(account, period)) {
        return ERR_PROTOCOL; /* nor did that */
    }
    if (newer_form) {
        return ahead_raise(step, account, reply.item.seq);
    }
    device_list_hash(account->device_list, hash);
    bool same = there.list_version == account->list_version &&
                memcmp(there.list_hash, hash, sizeof hash) == 0;
    if (same) {
        described_one(home, row, account);
        return ERR_OK;
    }
    if (reply.item.seq < ahead_last(account, period) || there.list_version >= UINT32_MAX - 1) {
        return ERR_PROTOCOL; /* that did not stand in the way */
    }
    if (there.list_version >= account->list_version) {
        if (account->queues_ms < there.created_ms) {
            account->queues_ms = there.created_ms; /* the list that was made later counts */
        }
        later(account, there.list_version);
        home_wake_main(me);
    }
    return ahead_raise(step, account, reply.item.seq);
}

enum err publish_done(struct account *me, struct step *step, struct home *home,
                      struct relay_row *row, struct account_row *account, uint8_t kind,
                      struct slice body)
{
    switch (kind) {
    case FRAME_RECORD_PUT:
        return put_done(me, row, account, body);
    case FRAME_RECORD_STATUS:
        return status_done(me, row, account, body);
    case FRAME_DESCRIPTOR_PUT:
        home->described_ms = step_now(step);
        described_one(home, row, account);
        account->anew = 0; /* the relay has looked at the period: the clock is right, too */
        return ERR_OK;
    case FRAME_DESCRIPTOR_GET:
        return get_done(me, step, home, row, account, body);
    default:
        return ERR_PROTOCOL;
    }
}

/* The relay has no descriptor of an identity that was published before: elsewhere there may be
 * some, for days. Ours are to be later than any that a device before this one may have made: by the
 * hour, so that one that comes after this one is later still. */
static enum err unknown(struct step *step, struct home *home, struct account_row *account)
{
    home->asked = true;
    return ahead_raise(step, account, step_now(step) / LIMIT_HOUR_MS);
}

enum err publish_refused(struct step *step, struct home *home, struct relay_row *row,
                         struct account_row *account, uint8_t kind, enum err refusal, bool *settled)
{
    bool put = kind == FRAME_DESCRIPTOR_PUT;
    bool over = home->describing < descriptor_period(step_now(step));
    *settled = true;
    if (put && refusal == ERR_STALE) {
        home->outrun = true; /* the answer was lost in a crash, or another device put it */
    } else if (put && refusal == ERR_EXPIRED && over) {
        described_one(home, row, account); /* by the relay's clock: it is not put again */
    } else if (kind == FRAME_DESCRIPTOR_GET && refusal == ERR_NOT_FOUND && account->anew != 0 &&
               !home->asked) {
        return unknown(step, home, account);
    } else {
        *settled = false;
    }
    return ERR_OK;
}
