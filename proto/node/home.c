/* SPDX-License-Identifier: Apache-2.0
 *
 * home: our own relay: becoming a member, making the queue, reading it, and sending what
 * node/publish.h says is to be published. docs/protocol/07-node.md, section 1.
 *
 * Each step is one request; which one comes next follows from the row and from what is known of the
 * open link, so that a crash at any point just repeats a step, and every step is idempotent at the
 * relay.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "node/event.h"
#include "node/home_keys.h"
#include "node/publish.h"
#include "node/voiding.h"
#include "relay/member.h"
#include "relay/queue.h"

enum {
    HOME_LOOK_MS = 3600000, /* between looks at what the relay has left of our parts */
    HOME_FAILING_AFTER = 3, /* failures in a row before clients are told */
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

enum err home_load(struct node *node, struct step *step)
{
    struct relay_row row;
    struct home *home = &node->home;
    *home = (struct home){.due = UINT64_MAX, .parts = HOME_PARTS_UNKNOWN, .voids = true};
    enum err err = relay_row_get(step, node->keys, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    home->address = row.address;
    home->state = HOME_CONNECTING;
    home->news = row.record_seq == 0;
    home->quota_known = row.queue_days != 0;
    home->due = 0;
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

/* Whether our relay is this very node: queries see the row only. */
static void mark_own(const struct node *node, struct relay_row *row)
{
    const struct sign_pk *relay = &row->address.node_id;
    row->own_machine = memcmp(relay->b, node->id.b, sizeof relay->b) == 0;
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
    mark_own(node, &row);
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
        struct node_link *link = links_find(&node->links, node->home.link);
        err = step_close(step, node->home.link, ERR_OK);
        if (link != NULL) {
            pump_link_closed(node, step, link, ERR_LINK_CLOSED); /* what it passed on for us */
            links_remove(&node->links, link->id);
        }
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
    home->voiding = false;
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

/* The next request, if any is due. */
static enum err home_next(struct home_step *h)
{
    struct home *home = &h->node->home;
    if (home->state == HOME_READY) {
        home->parts = HOME_PARTS_UNKNOWN; /* parts go without a word to us: ask now and then */
        home->quota_known = false;        /* its operator may have set another */
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
    if (!home->quota_known) {
        return send_register(h); /* the answer says it again */
    }
    home->state = HOME_PUBLISHING;
    struct publish_request request;
    enum err err = publish_next(h, &request);
    if (err != ERR_OK) {
        return err;
    }
    if (request.due) {
        return home_request(h, request.kind, &request.body);
    }
    home->state = HOME_READY;
    home->due = (descriptor_period(step_now(h->step)) + 1) * LIMIT_DAY_MS;
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
    struct home_step h = {.node = node, .step = step};
    home->due = UINT64_MAX; /* the answer, or the link, says when to go on */
    enum err err = account_row_get(step, node->keys, &h.account);
    if (err != ERR_OK) {
        return err;
    }
    h.link = links_find(&node->links, home->link);
    if (h.link == NULL) {
        struct dh_sk key;
        account_link_key(&h.account, &home->address.node_id, &key);
        err = links_connect(&node->links, step, LINK_OWNER, &home->address, &key, &h.link);
        secret_wipe(&key, sizeof key);
        if (err == ERR_OK) {
            home->link = h.link->id;
        }
    } else if (h.link->open) {
        err = relay_row_get(step, node->keys, &h.row);
        if (err == ERR_OK) {
            home_signers_open(&h.row, &h.signers);
            err = home_next(&h);
        }
        if (err == ERR_NOT_NOW) {
            home->due = step_now(step) + LIMIT_SECOND_MS; /* no credit */
            err = ERR_OK;
        }
    }
    secret_wipe(&h, sizeof h);
    return err;
}

static enum err take_quota(struct home *home, struct relay_row *row, struct slice body)
{
    struct queue_register_reply reply;
    enum err err = queue_register_reply_read(body, &reply);
    if (err == ERR_OK) {
        row->queue_envelopes = reply.envelopes;
        row->queue_bytes = reply.bytes;
        row->queue_days = reply.days;
        home->quota_known = true;
    }
    return err;
}

static enum err attached(struct node *node, struct slice body)
{
    struct home *home = &node->home;
    struct queue_attach_reply reply;
    enum err err = queue_attach_reply_read(body, &reply);
    if (err == ERR_OK) {
        home->attached = true;
        home->arrival = 0;
        home->acked = 0;
        home->backlog = reply.waiting;
        pump_relay_ready(node);
    }
    return err;
}

/* What a good answer changes. */
static enum err home_done(struct node *node, struct step *step, struct relay_row *row,
                          struct account_row *account, uint8_t kind, struct slice body)
{
    struct home *home = &node->home;
    switch (kind) {
    case FRAME_MEMBER_JOIN:
        row->joined = true;
        row->code = slice_of(NULL, 0);
        return ERR_OK;
    case FRAME_QUEUE_REGISTER:
        row->registered = true;
        mark_own(node, row); /* rows of older versions do not say */
        return take_quota(home, row, body);
    case FRAME_QUEUE_ATTACH:
        return attached(node, body);
    default:
        return publish_done(node, step, row, account, kind, body);
    }
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
    if (request->kind == FRAME_QUEUE_VOID) {
        return voiding_reply(node, step, body);
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
        secret_wipe(&row, sizeof row);
        return err;
    }
    if (head.err == ERR_STALE && request->kind == FRAME_DESCRIPTOR_PUT) {
        head.err = ERR_OK; /* it has this period's already: the answer was lost in a crash */
    }
    if (head.err == ERR_OK) {
        err = home_done(node, step, &row, &account, request->kind, body);
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
