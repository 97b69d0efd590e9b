/* SPDX-License-Identifier: Apache-2.0
 *
 * home: our relays: becoming a member, making the queue, reading it, and sending what
 * node/publish.h says is to be published; ceasing to be a member. docs/protocol/07-node.md,
 * section 1.
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
#include "node/mirror.h"
#include "node/publish.h"
#include "node/voiding.h"
#include "relay/member.h"
#include "relay/queue.h"

enum {
    HOME_LOOK_MS = 3600000, /* between looks at what the relay has left of our parts */
};

const char *home_state_name(const struct home *home)
{
    if (home->attempts > 0) {
        return "failing";
    }
    switch (home->state) {
    case HOME_NONE:
        return "none";
    case HOME_CONNECTING:
        return "connecting";
    case HOME_JOINING:
        return home->role == HOME_LEAVING ? "leaving" : "joining";
    case HOME_PUBLISHING:
        return "publishing";
    case HOME_READY:
        return "ready";
    }
    return "none";
}

/* --- places --- */

struct home *home_main(struct account *me)
{
    return &me->homes[0];
}

uint64_t home_ahead(const struct home *home)
{
    return home->relay_ms != 0 ? home->relay_ms - home->attached_ms : 0;
}

uint32_t home_stamp_minute(struct account *me, const struct step *step, uint32_t attempts)
{
    uint64_t ahead = attempts % 2 == 0 ? home_ahead(home_main(me)) : 0;
    return (uint32_t)((step_now(step) + ahead) / LIMIT_MINUTE_MS);
}

struct home *home_of_link(struct account *me, uint64_t link)
{
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        if (me->homes[i].link == link && link != 0) {
            return &me->homes[i];
        }
    }
    return NULL;
}

struct home *home_of_node(struct account *me, const struct sign_pk *node_id)
{
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        struct home *home = &me->homes[i];
        if (home->address.port != 0 && home->role <= HOME_SECOND &&
            memcmp(home->address.node_id.b, node_id->b, sizeof node_id->b) == 0) {
            return home;
        }
    }
    return NULL;
}

unsigned home_slot(const struct account *me, const struct home *home)
{
    return (unsigned)(home - me->homes);
}

uint64_t home_deadline(const struct account *me)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        const struct home *home = &me->homes[i];
        if (home->address.port == 0) {
            continue;
        }
        if (!home->waiting && home->due < first) {
            first = home->due;
        }
        if (home->voids && home->attached && !home->voiding && home->void_due < first) {
            first = home->void_due;
        }
    }
    return first;
}

enum err home_reload(struct account *me, struct step *step, unsigned slot)
{
    struct relay_row row;
    struct home *home = &me->homes[slot];
    *home = (struct home){.due = UINT64_MAX, .parts = HOME_PARTS_UNKNOWN};
    enum err err = relay_row_get(step, me->keys, slot, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    home->role = (enum home_role)row.role;
    home->voids = home->role == HOME_MAIN;
    home->address = row.address;
    home_queue(&row, &home->queue);
    home->state = HOME_CONNECTING;
    home->news = !row.registered || (home->role == HOME_MAIN && row.record_seq == 0);
    home->quota_known = row.queue_days != 0;
    home->left_ms = row.left_ms;
    home->due = 0;
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

enum err home_load(struct account *me, struct step *step)
{
    enum err err = ERR_OK;
    for (unsigned slot = 0; err == ERR_OK && slot < LIMIT_HOMES; slot++) {
        err = home_reload(me, step, slot);
    }
    return err;
}

enum err home_event(struct account *me, struct step *step, const struct address *relay,
                    const char *type, enum err trouble)
{
    char text[NODE_ID_TEXT];
    node_id_encode(relay->node_id.b, text);
    struct event event = event_begin(step, type, 256);
    event_text(&event, "relay", text);
    if (trouble != ERR_OK) {
        event_text(&event, "error", err_name(trouble));
    }
    return event_commit(step, me->keys, &event);
}

/* --- the link --- */

/* Notes a failure; tries again after a while. One that we left is not tried for ever. */
static enum err home_fail(struct account *me, struct step *step, struct home *home,
                          enum err trouble, uint64_t retry_after_ms)
{
    uint64_t longest =
        me->removing ? LIMIT_REMOVAL_HOURS * LIMIT_HOUR_MS : LIMIT_QUEUE_DAYS * LIMIT_DAY_MS;
    if (home->role >= HOME_LEFT && step_since(step, home->left_ms) >= longest) {
        return moving_gone(me, step, home, trouble);
    }
    home->trouble = trouble;
    home->due = step_now(step) + work_delay(step, ++home->attempts, retry_after_ms);
    if (home->attempts != HOME_FAILING_AFTER) {
        return ERR_OK;
    }
    home->news = true;
    pump_relay_ready(me, step, NULL); /* some may be written to without it now: foreign.c */
    return home_event(me, step, &home->address, "relay.failing", trouble);
}

enum err home_closed(struct account *me, struct step *step, struct home *home, enum err err)
{
    home->link = 0;
    home->attached = false;
    home->waiting = false;
    home->acking = false;
    home->voiding = false;
    home->state = HOME_CONNECTING;
    if (err == ERR_OK) {
        err = ERR_LINK_CLOSED;
    }
    return home_fail(me, step, home, err, 0);
}

void home_opened(struct home *home)
{
    home->due = 0;
}

void home_pushed(struct home *home, uint64_t number)
{
    if (number > home->arrival) {
        home->arrival = number;
        home->owing -= home->owing > 0;
    }
}

enum err home_hang_up(struct account *me, struct step *step, struct home *home)
{
    struct links *links = &me->node->links;
    struct node_link *link = links_find(links, home->link);
    if (link == NULL) {
        return ERR_OK;
    }
    enum err err = step_close(step, link->id, ERR_OK);
    pump_link_closed(me, step, link, ERR_LINK_CLOSED); /* what it passed on for us */
    links_remove(links, link->id);
    home->link = 0;
    home->attached = false;
    home->waiting = false;
    home->acking = false;
    home->voiding = false;
    return err;
}

void home_wake_main(struct account *me)
{
    struct home *home = home_main(me);
    if (home->state == HOME_READY) {
        home->due = 0;
    }
}

void home_wake_others(struct account *me)
{
    for (size_t i = 1; i < LIMIT_HOMES; i++) {
        if (me->homes[i].state == HOME_READY) {
            me->homes[i].due = 0;
        }
    }
}

void home_part_used(struct account *me)
{
    struct home *home = home_main(me);
    if (home->parts != HOME_PARTS_UNKNOWN && home->parts > 0) {
        home->parts--;
    }
    if (home->parts <= LIMIT_ONE_TIME_REFILL && home->state == HOME_READY) {
        home->due = 0;
    }
}

/* --- requests --- */

static enum err home_request(struct home_step *h, uint8_t kind, const struct writer *body)
{
    if (body->err != ERR_OK) {
        return body->cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    enum err err = links_request(h->link, h->step, kind, writer_done(body), 0, 0);
    if (err == ERR_OK) {
        h->home->waiting = true;
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

/* Everything that is ours there goes. */
static enum err send_leave(struct home_step *h)
{
    struct writer w = step_writer(h->step, 512);
    enum err err = member_leave_write(&w, h->step->turn->arena, h->link->hash, &h->signers.member);
    return err == ERR_OK ? home_request(h, FRAME_MEMBER_LEAVE, &w) : err;
}

/* All is in place: when to look again, and who is to hear of it. */
static enum err home_ready(struct home_step *h)
{
    struct home *home = h->home;
    uint64_t now = step_now(h->step);
    uint64_t midnight = (descriptor_period(now) + 1) * LIMIT_DAY_MS;
    home->state = HOME_READY;
    home->due = midnight < now + HOME_LOOK_MS ? midnight : now + HOME_LOOK_MS;
    home->trouble = ERR_OK;
    home->attempts = 0;
    enum err err = ERR_OK;
    if (home->role == HOME_MAIN && !home->announced) {
        home->announced = true;
        err = contact_announce(h->me, h->step);
        if (err == ERR_OK && h->me->linked) {
            err = mirror_places(h->me, h->step);
        }
    }
    if (home->role != HOME_LEFT && home->news && err == ERR_OK) {
        err = home_event(h->me, h->step, &home->address, "relay.ready", ERR_OK);
    }
    home->news = false;
    return err;
}

/* One that we left: gives it up when nothing more can be expected of it. */
static enum err home_left(struct home_step *h)
{
    bool drained = false;
    enum err err = moving_drained(h->me, h->step, h->home, &drained);
    return err == ERR_OK && drained ? moving_finish(h->me, h->step, h->home) : err;
}

/* The next request, if any is due. */
static enum err home_next(struct home_step *h)
{
    struct home *home = h->home;
    if (home->state == HOME_READY) {
        home->parts = HOME_PARTS_UNKNOWN; /* parts go without a word to us: ask now and then */
        home->quota_known = false;        /* its operator may have set another */
    }
    home->state = HOME_JOINING;
    if (home->role == HOME_LEAVING) {
        return send_leave(h);
    }
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
    err = home_ready(h);
    return err == ERR_OK && home->role == HOME_LEFT ? home_left(h) : err;
}

static enum err progress(struct account *me, struct step *step, struct home *home)
{
    struct home_step h = {.me = me, .step = step, .home = home};
    home->due = UINT64_MAX; /* the answer, or the link, says when to go on */
    enum err err = account_row_get(step, me->keys, &h.account);
    if (err != ERR_OK) {
        return err;
    }
    h.link = links_find(&me->node->links, home->link);
    if (h.link == NULL) {
        struct dh_sk key;
        account_link_key(&h.account, &home->address.node_id, &key);
        err = links_owner(&me->node->links, step, me->number, &home->address, &key, &h.link);
        secret_wipe(&key, sizeof key);
        if (err == ERR_OK) {
            home->link = h.link->id;
        }
    } else if (h.link->open) {
        err = relay_row_get(step, me->keys, home_slot(me, home), &h.row);
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

enum err home_progress(struct account *me, struct step *step)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < LIMIT_HOMES; i++) {
        struct home *home = &me->homes[i];
        if (home->address.port != 0 && !home->waiting && home->due <= step_now(step)) {
            err = progress(me, step, home);
        }
    }
    return err;
}

/* --- answers --- */

/* Everything that one answer changes. */
struct home_answer {
    struct account *me;
    struct step *step;
    struct home *home;
    struct account_row account;
    struct relay_row row;
    bool relist; /* account is to be put */
};

static enum err take_quota(struct home_answer *a, struct slice body)
{
    struct queue_register_reply reply;
    enum err err = queue_register_reply_read(body, &reply);
    if (err == ERR_OK) {
        a->row.queue_envelopes = reply.envelopes;
        a->row.queue_bytes = reply.bytes;
        a->row.queue_days = reply.days;
        a->home->quota_known = true;
    }
    return err;
}

/* Contacts are to hear of it, and the device list to say so. */
static void queues_changed(struct home_answer *a)
{
    struct home *main = home_main(a->me);
    account_queues_changed(&a->account, step_now(a->step));
    a->relist = true;
    main->announced = false;
    main->due = main->waiting ? main->due : 0;
}

/* The queue is there. */
static enum err registered(struct home_answer *a, struct slice body)
{
    const struct sign_pk *relay = &a->row.address.node_id;
    bool news = !a->row.registered;
    a->row.registered = true;
    /* Whether it is this very node: queries see the row only, and rows of older versions do not
     * say. */
    a->row.own_machine = memcmp(relay->b, a->me->node->id.b, sizeof relay->b) == 0;
    if (news && a->home->role <= HOME_SECOND) {
        queues_changed(a);
    }
    return take_quota(a, body);
}

static enum err attached(struct home_answer *a, struct slice body)
{
    struct queue_attach_reply reply;
    enum err err = queue_attach_reply_read(body, &reply);
    if (err != ERR_OK) {
        return err;
    }
    a->home->attached = true;
    a->home->arrival = 0;
    a->home->acked = 0;
    a->home->owing = reply.waiting;
    a->home->attached_ms = step_now(a->step);
    a->home->relay_ms = reply.time_ms;
    pump_relay_ready(a->me, a->step, a->home);
    bool begins =
        a->me->node->config.dht && !a->me->hidden && reply.dht_port != 0 && !a->row.own_machine;
    return begins ? step_dht_node(a->step, a->home->address.host, reply.dht_port) : ERR_OK;
}

/* What a good answer changes. */
static enum err home_done(struct home_answer *a, uint8_t kind, struct slice body)
{
    switch (kind) {
    case FRAME_MEMBER_JOIN:
        a->row.joined = true;
        a->row.code = slice_of(NULL, 0);
        return ERR_OK;
    case FRAME_QUEUE_REGISTER:
        return registered(a, body);
    case FRAME_QUEUE_ATTACH:
        return attached(a, body);
    default:
        return publish_done(a->me, a->step, a->home, &a->row, &a->account, kind, body);
    }
}

/* What a refusal says of our state at the relay. */
static void home_refused(struct home_answer *a, uint8_t kind, enum err refusal)
{
    struct relay_row *row = &a->row;
    bool had = row->registered;
    if (refusal == ERR_REFUSED) {
        row->joined = false;
        row->registered = false;
    }
    if (refusal == ERR_NOT_FOUND && kind == FRAME_QUEUE_ATTACH) {
        row->registered = false;
    }
    if (had && !row->registered && a->home->role == HOME_SECOND) {
        queues_changed(a); /* nobody is to write there until we have one again */
    }
    if (refusal == ERR_NOT_FOUND && (kind == FRAME_RECORD_STATUS || kind == FRAME_RECORD_PUT)) {
        row->record_seq = 0;
        a->home->parts = HOME_PARTS_UNKNOWN;
    }
    a->home->stale = refusal == ERR_STALE && kind == FRAME_RECORD_PUT;
    a->home->outrun = false;
}

/* An answer about the state of our things there. */
static enum err take_answer(struct home_answer *a, uint8_t kind, const struct relay_reply *head,
                            struct slice body)
{
    unsigned slot = home_slot(a->me, a->home);
    uint64_t anew = a->account.anew;
    bool good = head->err == ERR_OK;
    enum err err =
        good ? home_done(a, kind, body)
             : publish_refused(a->step, a->home, &a->row, &a->account, kind, head->err, &good);
    if (good) {
        a->home->outrun = a->home->outrun && kind != FRAME_DESCRIPTOR_GET;
        a->home->due = 0; /* failures are in a row until all is in place (home_ready) */
    } else {
        home_refused(a, kind, head->err);
    }
    if (err == ERR_OK && a->home->role == HOME_LEFT && !a->row.registered) {
        return moving_gone(a->me, a->step, a->home, head->err); /* all of ours is gone there */
    }
    if (err == ERR_OK) {
        err = relay_row_put(a->step, a->me->keys, slot, &a->row);
    }
    bool relist = a->relist || kind == FRAME_RECORD_STATUS || kind == FRAME_DESCRIPTOR_GET ||
                  a->account.anew != anew;
    if (err == ERR_OK && relist) {
        err = account_row_put(a->step, a->me->keys, &a->account);
    }
    return err == ERR_OK && !good
               ? home_fail(a->me, a->step, a->home, head->err, head->retry_after_ms)
               : err;
}

enum err home_reply(struct account *me, struct step *step, struct home *home,
                    const struct link_request *request, struct slice body)
{
    struct relay_reply head;
    struct home_answer a = {.me = me, .step = step, .home = home};
    if (request->kind == FRAME_QUEUE_ACK) {
        home->acking = false;
        enum err read = relay_reply_read(body, &head);
        /* Not attached any more, as far as the relay knows: begin again on a new link. */
        return read == ERR_OK && head.err != ERR_OK ? ERR_REFUSED : read;
    }
    if (request->kind == FRAME_QUEUE_VOID) {
        return voiding_reply(me, step, body);
    }
    home->waiting = false;
    enum err err = relay_reply_read(body, &head);
    if (err == ERR_OK && request->kind == FRAME_MEMBER_LEAVE) {
        return head.err == ERR_OK ? moving_gone(me, step, home, ERR_OK)
                                  : home_fail(me, step, home, head.err, head.retry_after_ms);
    }
    if (err == ERR_OK) {
        err = relay_row_get(step, me->keys, home_slot(me, home), &a.row);
    }
    if (err == ERR_OK) {
        err = account_row_get(step, me->keys, &a.account);
    }
    if (err == ERR_OK) {
        err = take_answer(&a, request->kind, &head, body);
    }
    secret_wipe(&a, sizeof a);
    return err;
}

static enum err ack(struct account *me, struct step *step, struct home *home)
{
    struct node_link *link = links_find(&me->node->links, home->link);
    if (!home->attached || home->acking || home->arrival == home->acked || link == NULL) {
        return ERR_OK;
    }
    struct queue_ack request = {.queue = home->queue, .number = home->arrival};
    struct writer w = step_writer(step, 128);
    queue_ack_write(&w, &request);
    enum err err = links_request(link, step, FRAME_QUEUE_ACK, writer_done(&w), 0, 0);
    if (err == ERR_OK) {
        home->acking = true;
        home->acked = home->arrival;
    }
    return err == ERR_NOT_NOW ? ERR_OK : err;
}

enum err home_ack(struct account *me, struct step *step)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < LIMIT_HOMES; i++) {
        err = ack(me, step, &me->homes[i]);
    }
    return err;
}
