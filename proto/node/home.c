/* SPDX-License-Identifier: Apache-2.0
 *
 * home: our own relay: becoming a member, making the queue, reading it, publishing the key bundle
 * and the descriptors. docs/protocol/07-node.md, section 1.
 *
 * Each step is one request; which one comes next follows from the row and from what is known of the
 * open link, so that a crash at any point just repeats a step, and every step is idempotent at the
 * relay.
 */
#include <string.h>

#include "base/secret.h"
#include "crypto/bep44.h"
#include "node/bundle.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "node/event.h"
#include "node/prekeys.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/record.h"

enum {
    HOME_AHEAD = 8,               /* periods that are signed ahead, section 3 of the protocol */
    HOME_LOOK_MS = 3600000,       /* between looks at what the relay has left of our parts */
    HOME_FAILING_AFTER = 3,       /* failures in a row before clients are told */
    HOME_BODY = LIMIT_FRAME - 64, /* largest body of a request */
    HOME_JUMP = 65536,            /* a relay may be so far ahead of an older copy of this store */
};

const char *home_state_name(enum home_state state)
{
    switch (state) {
    case HOME_NONE:
        return "none";
    case HOME_CONNECTING:
        return "connecting";
    case HOME_JOINING:
        return "joining";
    case HOME_PUBLISHING:
        return "publishing";
    case HOME_READY:
        return "ready";
    }
    return "none";
}

void home_token_keys(const struct relay_row *row, const struct sign_pk *target, struct token_key *k,
                     struct token_siv_key *siv)
{
    struct slice part = slice_of(target->b, sizeof target->b);
    prim_blake2b(k->b, sizeof k->b, slice_of(row->token_key, sizeof row->token_key),
                 "petrel/1 token key", &part, 1);
    prim_blake2b(siv->b, sizeof siv->b, slice_of(row->siv_key, sizeof row->siv_key),
                 "petrel/1 token siv key", &part, 1);
}

static void public_of(const uint8_t seed[32], struct sign_pk *pk)
{
    struct sign_sk sk;
    prim_sign_keypair(pk, &sk, seed);
    secret_wipe(&sk, sizeof sk);
}

void home_queue(const struct relay_row *row, struct sign_pk *queue)
{
    public_of(row->queue, queue);
}

uint64_t home_queue_mark(const struct sign_pk *queue)
{
    uint64_t mark = 0;
    for (size_t i = 0; i < sizeof mark; i++) {
        mark = mark << 8 | queue->b[i];
    }
    return mark == 0 ? 1 : mark;
}

void home_record(const struct relay_row *row, struct sign_pk *record)
{
    public_of(row->record, record);
}

enum err home_load(struct node *node, struct step *step)
{
    struct relay_row row;
    struct home *home = &node->home;
    *home = (struct home){.due = UINT64_MAX, .parts = HOME_PARTS_UNKNOWN};
    enum err err = relay_row_get(step, node->keys, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    home->address = row.address;
    home->state = HOME_CONNECTING;
    home->news = row.record_seq == 0;
    home->due = 0;
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

enum err home_use(struct node *node, struct step *step, const struct address *address,
                  struct slice code)
{
    struct account_row account;
    struct relay_row old;
    enum err err = relay_row_get(step, node->keys, &old);
    bool had = err == ERR_OK;
    bool same = had && address_equal(&old.address, address);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    const struct env *env = step->turn->env;
    struct relay_row row = {.address = *address};
    if (same) {
        row = old; /* only a new code, for a membership that did not work out */
    } else {
        env_random(env, row.member, sizeof row.member);
        env_random(env, row.queue, sizeof row.queue);
        env_random(env, row.record, sizeof row.record);
        env_random(env, row.token_key, sizeof row.token_key);
        env_random(env, row.siv_key, sizeof row.siv_key);
        if (had) {
            /* Prekeys go on where they were: none is published at two relays. */
            row.spk_id = old.spk_id + 1;
            row.parts_sent = old.last_part > old.parts_sent ? old.last_part : old.parts_sent;
            row.last_part = row.parts_sent;
        }
    }
    row.code = code;
    err = relay_row_put(step, node->keys, &row);
    secret_wipe(&row, sizeof row);
    secret_wipe(&old, sizeof old);
    if (err == ERR_OK) {
        err = account_row_get(step, node->keys, &account);
    }
    if (err == ERR_OK && !same) {
        account.device_list = slice_of(NULL, 0); /* it names the old queue */
        err = account_row_put(step, node->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK && node->home.link != 0) {
        err = step_close(step, node->home.link, ERR_OK);
        links_remove(&node->links, node->home.link);
    }
    return err == ERR_OK ? home_load(node, step) : err;
}

static enum err home_event(struct node *node, struct step *step, const char *type, enum err trouble)
{
    char relay[NODE_ID_TEXT];
    node_id_encode(node->home.address.node_id.b, relay);
    struct event event = event_begin(step, type, 256);
    event_text(&event, "relay", relay);
    if (trouble != ERR_OK) {
        event_text(&event, "error", err_name(trouble));
    }
    return event_commit(step, node->keys, &event);
}

/* Notes a failure; tries again after a while. */
static enum err home_fail(struct node *node, struct step *step, enum err trouble,
                          uint64_t retry_after_ms)
{
    struct home *home = &node->home;
    home->trouble = trouble;
    home->due = step_now(step) + work_delay(step, ++home->attempts, retry_after_ms);
    if (home->attempts != HOME_FAILING_AFTER) {
        return ERR_OK;
    }
    home->news = true;
    return home_event(node, step, "relay.failing", trouble);
}

enum err home_closed(struct node *node, struct step *step, enum err err)
{
    struct home *home = &node->home;
    home->link = 0;
    home->attached = false;
    home->waiting = false;
    home->acking = false;
    home->state = HOME_CONNECTING;
    return home_fail(node, step, err == ERR_OK ? ERR_LINK_CLOSED : err, 0);
}

void home_opened(struct node *node)
{
    node->home.due = 0;
}

void home_part_used(struct node *node)
{
    struct home *home = &node->home;
    if (home->parts != HOME_PARTS_UNKNOWN && home->parts > 0) {
        home->parts--;
    }
    if (home->parts <= LIMIT_ONE_TIME_REFILL && home->state == HOME_READY) {
        home->due = 0;
    }
}

/* The keys that sign requests to our relay. Wipe after use. */
struct home_signers {
    struct sign_pk member_pk;
    struct sign_sk member;
    struct sign_pk queue_pk;
    struct sign_sk queue;
    struct sign_pk record_pk;
    struct sign_sk record;
};

static void signers_open(const struct relay_row *row, struct home_signers *s)
{
    prim_sign_keypair(&s->member_pk, &s->member, row->member);
    prim_sign_keypair(&s->queue_pk, &s->queue, row->queue);
    prim_sign_keypair(&s->record_pk, &s->record, row->record);
}

/* Everything that one step of home_progress looks at. */
struct home_step {
    struct node *node;
    struct step *step;
    struct node_link *link;
    struct relay_row row;
    struct home_signers signers;
};

static enum err home_request(struct home_step *h, uint8_t kind, const struct writer *body)
{
    if (body->err != ERR_OK) {
        return body->cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    enum err err = links_request(h->link, h->step, kind, writer_done(body), 0, 0);
    if (err == ERR_OK) {
        h->node->home.waiting = true;
    }
    return err;
}

static enum err send_join(struct home_step *h)
{
    struct member_join join = {.has_code = h->row.code.len == RELAY_CODE};
    if (join.has_code) {
        memcpy(join.code, h->row.code.p, RELAY_CODE);
    }
    struct writer w = step_writer(h->step, 1024);
    enum err err =
        member_join_write(&w, h->step->turn->arena, h->link->hash, &join, &h->signers.member);
    return err == ERR_OK ? home_request(h, FRAME_MEMBER_JOIN, &w) : err;
}

static enum err send_register(struct home_step *h)
{
    struct queue_register reg = {.queue = h->signers.queue_pk};
    struct token_siv_key siv;
    home_token_keys(&h->row, &h->signers.queue_pk, &reg.k, &siv);
    struct writer w = step_writer(h->step, 1024);
    enum err err = queue_register_write(&w, h->step->turn->arena, h->link->hash, &reg,
                                        &h->signers.queue, &h->signers.member);
    secret_wipe(&reg, sizeof reg);
    secret_wipe(&siv, sizeof siv);
    return err == ERR_OK ? home_request(h, FRAME_QUEUE_REGISTER, &w) : err;
}

static enum err send_attach(struct home_step *h)
{
    struct writer w = step_writer(h->step, 1024);
    enum err err = queue_attach_write(&w, h->step->turn->arena, h->link->hash, &h->signers.queue);
    return err == ERR_OK ? home_request(h, FRAME_QUEUE_ATTACH, &w) : err;
}

static enum err send_status(struct home_step *h)
{
    struct writer w = step_writer(h->step, 1024);
    enum err err = record_status_write(&w, h->step->turn->arena, h->link->hash, &h->signers.record);
    return err == ERR_OK ? home_request(h, FRAME_RECORD_STATUS, &w) : err;
}

/* A new version of our device list, naming the queue and record of this relay. */
static enum err make_list(struct home_step *h, struct account_row *account)
{
    struct device_list *list = arena_alloc(h->step->turn->arena, sizeof *list);
    struct writer w = step_writer(h->step, LIMIT_DEVICE_LIST);
    if (list == NULL || w.cap == 0) {
        return ERR_NO_MEMORY;
    }
    list->version = account->list_version + 1;
    list->created_ms = step_now(h->step);
    list->count = 1;
    list->entries[0] = (struct device_entry){
        .certificate = account->certificate,
        .queue_count = 1,
        .queues = {{.relay = h->row.address, .key = h->signers.queue_pk}},
        .record = {.relay = h->row.address, .key = h->signers.record_pk},
    };
    struct sign_pk id;
    struct sign_sk identity;
    account_identity(account, &id, &identity);
    enum err err = device_list_make(&w, list, &identity);
    secret_wipe(&identity, sizeof identity);
    if (err != ERR_OK) {
        return err;
    }
    account->list_version = list->version;
    account->device_list = writer_done(&w);
    h->row.described = 0; /* the descriptors name the old version */
    err = relay_row_put(h->step, h->node->keys, &h->row);
    return err == ERR_OK ? account_row_put(h->step, h->node->keys, account) : err;
}

/* The sealed body of our record: device list and signed prekey. */
static enum err make_body(struct home_step *h, const struct account_row *account,
                          struct slice *sealed)
{
    struct step *step = h->step;
    struct prekey_secret secret;
    enum err err = prekeys_make(step, h->node->keys, PREKEY_SIGNED, h->row.spk_id, &secret);
    if (err != ERR_OK) {
        return err;
    }
    struct sign_pk sign_pk;
    struct sign_sk sign;
    struct writer prekey = step_writer(step, LIMIT_RECORD_PART);
    prim_sign_keypair(&sign_pk, &sign, account->device_sign);
    err = prekey.cap == 0 ? ERR_NO_MEMORY : prekey_write(&prekey, &secret, &sign);
    secret_wipe(&sign, sizeof sign);
    secret_wipe(&secret, sizeof secret);
    if (err != ERR_OK) {
        return err;
    }
    struct bundle bundle = {.device_list = account->device_list, .prekey = writer_done(&prekey)};
    struct writer w = step_writer(step, LIMIT_RECORD_BODY);
    bundle_write(&w, &bundle);
    uint8_t *out = arena_alloc(step->turn->arena, LIMIT_RECORD_BODY);
    if (out == NULL || w.err != ERR_OK || w.len + RECORD_OVERHEAD > LIMIT_RECORD_BODY) {
        return out == NULL ? ERR_NO_MEMORY : ERR_BUG;
    }
    struct aead_key key;
    record_key(&key, &h->node->account_id, &h->signers.record_pk);
    record_seal(out, &key, step->turn->env, RECORD_BODY_ID, writer_done(&w));
    secret_wipe(&key, sizeof key);
    *sealed = slice_of(out, w.len + RECORD_OVERHEAD);
    return ERR_OK;
}

/* One-time parts that the relay does not have yet, made where needed. */
static enum err make_parts(struct home_step *h, const struct account_row *account,
                           struct record_put *put)
{
    struct step *step = h->step;
    struct sign_pk sign_pk;
    struct sign_sk sign;
    struct aead_key key;
    prim_sign_keypair(&sign_pk, &sign, account->device_sign);
    record_key(&key, &h->node->account_id, &h->signers.record_pk);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < LIMIT_ONE_TIME_REFILL; i++) {
        struct prekey_secret secret;
        uint32_t id = h->row.parts_sent + 1 + (uint32_t)i;
        err = prekeys_make(step, h->node->keys, PREKEY_ONE_TIME, id, &secret);
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
static enum err send_bundle(struct home_step *h, struct account_row *account, bool body)
{
    struct step *step = h->step;
    struct record_put *put = arena_alloc(step->turn->arena, sizeof *put);
    struct writer w = step_writer(step, HOME_BODY);
    if (put == NULL || w.cap == 0) {
        return ERR_NO_MEMORY;
    }
    enum err err = ERR_OK;
    if (body && account->device_list.len == 0) {
        err = make_list(h, account);
    }
    if (h->row.spk_id == 0 && err == ERR_OK) {
        h->row.spk_id = 1;
        err = relay_row_put(step, h->node->keys, &h->row);
    }
    put->seq = account->list_version;
    put->has_body = body;
    if (body && h->row.parts_sent > 0) {
        put->drop_below = h->row.parts_sent + 1; /* new parts go with a new signed prekey */
    }
    struct token_siv_key siv;
    home_token_keys(&h->row, &h->signers.record_pk, &put->k, &siv);
    secret_wipe(&siv, sizeof siv);
    if (err == ERR_OK) {
        err = body ? make_body(h, account, &put->body) : make_parts(h, account, put);
    }
    if (err == ERR_OK && !body) {
        h->row.last_part = h->row.parts_sent + (uint32_t)put->nparts;
        err = relay_row_put(step, h->node->keys, &h->row);
    }
    if (err == ERR_OK) {
        err = record_put_write(&w, step->turn->arena, h->link->hash, put, &h->signers.record,
                               &h->signers.member);
    }
    return err == ERR_OK ? home_request(h, FRAME_RECORD_PUT, &w) : err;
}

/* The descriptor of the first period that the relay does not have yet. */
static enum err send_descriptor(struct home_step *h, const struct account_row *account)
{
    struct step *step = h->step;
    uint64_t period = descriptor_period(step_now(step));
    if (h->row.described >= period) {
        period = h->row.described + 1;
    }
    struct descriptor descriptor = {
        .created_ms = step_now(step),
        .list_version = account->list_version,
        .record = h->signers.record_pk,
        .relay_count = 1,
        .relays = {{.address = h->row.address}},
    };
    device_list_hash(account->device_list, descriptor.list_hash);
    uint8_t nonce[PRIM_AEAD_NONCE];
    env_random(step->turn->env, nonce, sizeof nonce);
    struct bep44_item item;
    struct sign_pk id;
    struct sign_sk identity;
    account_identity(account, &id, &identity);
    /* Signed ahead = 1; a newer device list replaces what was published, so its version does. */
    enum err err =
        descriptor_seal(&identity, period, account->list_version, nonce, &descriptor, &item);
    secret_wipe(&identity, sizeof identity);
    struct descriptor_put put = {.period = (uint32_t)period, .item = item};
    struct writer w = step_writer(step, 2048);
    if (err == ERR_OK) {
        err = descriptor_put_write(&w, step->turn->arena, h->link->hash, &put, &h->signers.member);
    }
    return err == ERR_OK ? home_request(h, FRAME_DESCRIPTOR_PUT, &w) : err;
}

/* Removes signed prekeys that nobody may use any more: a bundle that held one is older than its
 * reader allows. */
static enum err drop_old(struct home_step *h)
{
    struct seal_keys *keys = h->node->keys;
    uint64_t successor = 0; /* when the one after it was made */
    for (uint32_t id = h->row.spk_id; id > 0; id--) {
        struct prekey_secret secret;
        enum err err = prekeys_get(h->step, keys, PREKEY_SIGNED, id, &secret);
        uint64_t made = err == ERR_OK ? secret.created_ms : 0;
        secret_wipe(&secret, sizeof secret);
        if (err == ERR_OK && successor != 0 &&
            step_now(h->step) - successor >= LIMIT_PREKEY_KEEP_DAYS * LIMIT_DAY_MS) {
            err = prekeys_del(h->step, keys, PREKEY_SIGNED, id);
        }
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err; /* the older ones are gone already */
        }
        successor = made;
    }
    return ERR_OK;
}

/* Every LIMIT_PREKEY_DAYS the bundle gets a new signed prekey, and with it a new list version. */
static enum err rotate(struct home_step *h, struct account_row *account)
{
    struct prekey_secret secret;
    if (h->row.spk_id == 0 || h->row.record_seq != account->list_version) {
        return ERR_OK; /* a bundle is on its way already */
    }
    enum err err = prekeys_get(h->step, h->node->keys, PREKEY_SIGNED, h->row.spk_id, &secret);
    uint64_t made = err == ERR_OK ? secret.created_ms : 0;
    secret_wipe(&secret, sizeof secret);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (step_now(h->step) < made + LIMIT_PREKEY_DAYS * LIMIT_DAY_MS) {
        return ERR_OK;
    }
    err = drop_old(h);
    h->row.spk_id++;
    if (h->row.last_part > h->row.parts_sent) {
        h->row.parts_sent = h->row.last_part; /* whether they are there or not: to be dropped too */
    }
    if (err == ERR_OK) {
        err = relay_row_put(h->step, h->node->keys, &h->row);
    }
    return err == ERR_OK ? make_list(h, account) : err;
}

/* The next request, if any is due. */
static enum err home_next(struct home_step *h, struct account_row *account)
{
    struct home *home = &h->node->home;
    uint64_t period = descriptor_period(step_now(h->step));
    if (home->state == HOME_READY) {
        home->parts = HOME_PARTS_UNKNOWN; /* parts go without a word to us: ask now and then */
    }
    home->state = HOME_JOINING;
    if (!h->row.joined) {
        return send_join(h);
    }
    if (!h->row.registered) {
        return send_register(h);
    }
    if (!home->attached) {
        return send_attach(h);
    }
    home->state = HOME_PUBLISHING;
    if (home->stale) {
        return send_status(h);
    }
    enum err err = rotate(h, account);
    if (err != ERR_OK) {
        return err;
    }
    if (account->device_list.len == 0 || h->row.record_seq != account->list_version) {
        return send_bundle(h, account, true);
    }
    if (home->parts == HOME_PARTS_UNKNOWN) {
        return send_status(h);
    }
    if (home->parts <= LIMIT_ONE_TIME_PARTS - LIMIT_ONE_TIME_REFILL &&
        h->row.parts_sent < UINT32_MAX - LIMIT_ONE_TIME_REFILL) {
        return send_bundle(h, account, false);
    }
    if (h->row.described < period + HOME_AHEAD) {
        return send_descriptor(h, account);
    }
    home->state = HOME_READY;
    home->due = (period + 1) * LIMIT_DAY_MS;
    if (home->due > step_now(h->step) + HOME_LOOK_MS) {
        home->due = step_now(h->step) + HOME_LOOK_MS;
    }
    home->trouble = ERR_OK;
    home->attempts = 0;
    if (!home->announced) {
        home->announced = true;
        err = contact_announce(h->node, h->step, home_queue_mark(&h->signers.queue_pk));
    }
    if (!home->news || err != ERR_OK) {
        return err;
    }
    home->news = false;
    return home_event(h->node, h->step, "relay.ready", ERR_OK);
}

enum err home_progress(struct node *node, struct step *step)
{
    struct home *home = &node->home;
    if (node->keys == NULL || home->address.port == 0 || home->waiting ||
        home->due > step_now(step)) {
        return ERR_OK;
    }
    struct account_row account;
    struct home_step h = {.node = node, .step = step};
    home->due = UINT64_MAX; /* the answer, or the link, says when to go on */
    enum err err = account_row_get(step, node->keys, &account);
    if (err != ERR_OK) {
        return err;
    }
    h.link = links_find(&node->links, home->link);
    if (h.link == NULL) {
        struct dh_sk key;
        account_link_key(&account, &home->address.node_id, &key);
        err = links_connect(&node->links, step, LINK_OWNER, &home->address, &key, &h.link);
        secret_wipe(&key, sizeof key);
        if (err == ERR_OK) {
            home->link = h.link->id;
        }
    } else if (h.link->open) {
        err = relay_row_get(step, node->keys, &h.row);
        if (err == ERR_OK) {
            signers_open(&h.row, &h.signers);
            err = home_next(&h, &account);
        }
        if (err == ERR_NOT_NOW) {
            home->due = step_now(step) + LIMIT_SECOND_MS; /* no credit */
            err = ERR_OK;
        }
    }
    secret_wipe(&account, sizeof account);
    secret_wipe(&h, sizeof h);
    return err;
}

/* What the relay has of our record. After a crash it can be the version that we were about to send,
 * or, for a restored account, a later one: then ours becomes the next. */
static enum err status_done(struct node *node, struct relay_row *row, struct account_row *account,
                            struct slice body)
{
    struct record_status_reply status;
    enum err err = record_status_reply_read(body, &status);
    if (err != ERR_OK) {
        return err;
    }
    struct home *home = &node->home;
    /* Numbers that are used up never come back: a relay must not be able to use them all up. */
    if ((status.last_part > row->last_part && status.last_part - row->last_part > HOME_JUMP) ||
        (status.seq > account->list_version && status.seq - account->list_version > HOME_JUMP)) {
        return ERR_PROTOCOL;
    }
    home->parts = status.parts_left;
    if (status.last_part > row->parts_sent) {
        row->parts_sent = status.last_part;
    }
    if (home->stale && status.seq == account->list_version) {
        row->record_seq = status.seq;
    } else if (home->stale && status.seq < UINT32_MAX) {
        account->list_version = (uint32_t)status.seq;
        account->device_list = slice_of(NULL, 0);
    }
    home->stale = false;
    return ERR_OK;
}

/* What a good answer changes. */
static enum err home_done(struct node *node, struct relay_row *row, struct account_row *account,
                          uint8_t kind, struct slice body)
{
    uint32_t list_version = account->list_version;
    struct home *home = &node->home;
    struct record_put_reply put;
    enum err err = ERR_OK;
    switch (kind) {
    case FRAME_MEMBER_JOIN:
        row->joined = true;
        row->code = slice_of(NULL, 0);
        break;
    case FRAME_QUEUE_REGISTER:
        row->registered = true;
        break;
    case FRAME_QUEUE_ATTACH:
        home->attached = true;
        home->arrival = 0;
        home->acked = 0;
        break;
    case FRAME_RECORD_PUT:
        err = record_put_reply_read(body, &put);
        if (err == ERR_OK && row->record_seq == list_version) {
            row->parts_sent = row->last_part;
        }
        if (err == ERR_OK) {
            row->record_seq = list_version;
            home->parts = put.parts_left;
        }
        break;
    case FRAME_RECORD_STATUS:
        err = status_done(node, row, account, body);
        break;
    case FRAME_DESCRIPTOR_PUT:
        break; /* the caller counts the periods */
    default:
        err = ERR_PROTOCOL;
    }
    return err;
}

/* What a refusal says of our state at the relay. */
static void home_refused(struct node *node, struct relay_row *row, uint8_t kind, enum err refusal)
{
    if (refusal == ERR_REFUSED) {
        row->joined = false;
        row->registered = false;
    }
    if (refusal == ERR_NOT_FOUND && kind == FRAME_QUEUE_ATTACH) {
        row->registered = false;
    }
    if (refusal == ERR_NOT_FOUND && (kind == FRAME_RECORD_STATUS || kind == FRAME_RECORD_PUT)) {
        row->record_seq = 0;
        node->home.parts = HOME_PARTS_UNKNOWN;
    }
    node->home.stale = refusal == ERR_STALE && kind == FRAME_RECORD_PUT;
}

enum err home_reply(struct node *node, struct step *step, const struct link_request *request,
                    struct slice body)
{
    struct home *home = &node->home;
    struct relay_reply head;
    if (request->kind == FRAME_QUEUE_ACK) {
        home->acking = false;
        enum err read = relay_reply_read(body, &head);
        /* Not attached any more, as far as the relay knows: begin again on a new link. */
        return read == ERR_OK && head.err != ERR_OK ? ERR_REFUSED : read;
    }
    home->waiting = false;
    enum err err = relay_reply_read(body, &head);
    if (err != ERR_OK) {
        return err;
    }
    struct account_row account;
    struct relay_row row;
    err = relay_row_get(step, node->keys, &row);
    if (err == ERR_OK) {
        err = account_row_get(step, node->keys, &account);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (head.err == ERR_STALE && request->kind == FRAME_DESCRIPTOR_PUT) {
        head.err = ERR_OK; /* it has this period's already: the answer was lost in a crash */
    }
    if (head.err == ERR_OK) {
        err = home_done(node, &row, &account, request->kind, body);
        if (request->kind == FRAME_DESCRIPTOR_PUT) {
            uint64_t period = descriptor_period(step_now(step));
            row.described = row.described >= period ? row.described + 1 : period;
        }
        home->attempts = 0;
        home->due = 0;
    } else {
        home_refused(node, &row, request->kind, head.err);
    }
    if (err == ERR_OK) {
        err = relay_row_put(step, node->keys, &row);
    }
    if (err == ERR_OK && request->kind == FRAME_RECORD_STATUS) {
        err = account_row_put(step, node->keys, &account);
    }
    secret_wipe(&row, sizeof row);
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK && head.err != ERR_OK) {
        err = home_fail(node, step, head.err, head.retry_after_ms);
    }
    return err;
}

enum err home_ack(struct node *node, struct step *step)
{
    struct home *home = &node->home;
    struct node_link *link = links_find(&node->links, home->link);
    if (!home->attached || home->acking || home->arrival == home->acked || link == NULL) {
        return ERR_OK;
    }
    struct relay_row row;
    enum err err = relay_row_get(step, node->keys, &row);
    if (err != ERR_OK) {
        return err;
    }
    struct queue_ack ack = {.number = home->arrival};
    home_queue(&row, &ack.queue);
    secret_wipe(&row, sizeof row);
    struct writer w = step_writer(step, 128);
    queue_ack_write(&w, &ack);
    err = links_request(link, step, FRAME_QUEUE_ACK, writer_done(&w), 0, 0);
    if (err == ERR_OK) {
        home->acking = true;
        home->acked = home->arrival;
    }
    return err == ERR_NOT_NOW ? ERR_OK : err;
}
