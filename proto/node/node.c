/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"
#include "node/core.h"
#include "node/event.h"
#include "node/evidence.h"
#include "node/healing.h"
#include "node/prekeys.h"
#include "node/voiding.h"
#include "relay/queue.h"

enum {
    NODE_TIDY_MS = 3600000,     /* between trims of events and client ids */
    NODE_ANON_IDLE_MS = 300000, /* an anonymous link that carried nothing so long is closed */
};

struct node *node_new(const struct node_config *config)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->config = *config;
    if (config->listen_host != NULL) {
        size_t len = strnlen(config->listen_host, LIMIT_HOST);
        memcpy(node->listen_host, config->listen_host, len);
        node->config.listen_host = node->listen_host;
    }
    node->config.forward = NULL;
    node->deadline = UINT64_MAX;
    node->sk = secret_new(sizeof *node->sk);
    if (node->sk == NULL || links_init(&node->links) != ERR_OK) {
        node_free(node);
        return NULL;
    }
    if (config->forward != NULL) {
        forwarder_policy(node, config->forward);
    }
    return node;
}

void node_free(struct node *node)
{
    if (node == NULL) {
        return;
    }
    accounts_free(node);
    seek_free(node);
    resolve_free(node);
    forwarder_fini(&node->forwarder);
    relay_host_free(node->relay);
    links_fini(&node->links);
    secret_free(node->sk);
    free(node);
}

/* The node ID: made at the first start, kept in META under the node's key. */
static enum err load_identity(struct node *node, struct turn *turn)
{
    struct slice key = slice_of("node", 4);
    struct slice plain;
    uint8_t seed[32];
    enum err err = seal_get(node->config.node_keys, turn, STORE_META, key, &plain);
    if (err == ERR_OK && plain.len != sizeof seed) {
        return ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        memcpy(seed, plain.p, sizeof seed);
    } else if (err == ERR_NOT_FOUND) {
        env_random(turn->env, seed, sizeof seed);
        err =
            seal_put(node->config.node_keys, turn, STORE_META, key, 0, slice_of(seed, sizeof seed));
    }
    if (err == ERR_OK) {
        prim_sign_keypair(&node->id, node->sk, seed);
    }
    secret_wipe(seed, sizeof seed);
    return err;
}

static enum err load_relay(struct node *node, struct turn *turn)
{
    if (!node->config.relay) {
        return ERR_OK;
    }
    struct relay_host_config config = {
        .node_id = node->id,
        .node_sk = node->sk,
        .keys = node->config.node_keys,
        .registration_open = node->config.relay_open,
        .dht_port = node->config.dht_port,
        .spent_lru = node->config.spent_lru > 0 ? node->config.spent_lru : LIMIT_SPENT_LRU};
    node->relay = relay_host_new(&config);
    return node->relay == NULL ? ERR_NO_MEMORY : relay_host_load(node->relay, turn);
}

/* Nodes of the DHT that were there before: in META under the node's key. Whose machine stands where
 * is nobody's affair. */
static const struct slice DHT_KEY = {.p = (const uint8_t *)"dht", .len = 3};

static enum err load_table(struct node *node, struct step *step)
{
    struct slice table;
    enum err err = node->config.dht
                       ? seal_get(node->config.node_keys, step->turn, STORE_META, DHT_KEY, &table)
                       : ERR_NOT_FOUND;
    return err == ERR_OK ? step_dht_table(step, table) : err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err keep_table(struct node *node, struct step *step, struct slice table)
{
    return table.len > LIMIT_DHT_SAVED ? ERR_BUG
           : !step->turn->store->growth
               ? ERR_OK
               : seal_put(node->config.node_keys, step->turn, STORE_META, DHT_KEY, 0, table);
}

enum err node_load(struct node *node, struct turn *turn, const struct node_root *roots,
                   size_t nroots, struct node_outputs *outs)
{
    struct step step = {.turn = turn, .outs = outs};
    /* Numbers of links never come twice, also not after a failed turn: begin at the clock. */
    node->links.last_own = turn->env->now_ms << 16 & ~LINKS_OWN_BIT;
    node->last_seek = turn->env->now_ms << 16;
    enum err err = load_identity(node, turn);
    if (err == ERR_OK) {
        err = load_relay(node, turn);
    }
    if (err == ERR_OK) {
        err = accounts_load(node, &step, roots, nroots);
    }
    if (err == ERR_OK) {
        err = load_table(node, &step);
    }
    return err == ERR_OK ? node_flush(node, turn, outs) : err;
}

void node_identity(const struct node *node, struct sign_pk *id, struct sign_sk *sk)
{
    *id = node->id;
    *sk = *node->sk;
}

uint64_t node_deadline(const struct node *node)
{
    return node->deadline;
}

/* --- links --- */

/* A peer broke the rules: tell it why and forget the link. */
static enum err drop_link(struct node *node, struct step *step, uint64_t id, enum err reason);

static enum err link_gone(struct node *node, struct step *step, uint64_t id, enum err reason)
{
    struct node_link *link = links_find(&node->links, id);
    enum err err = ERR_OK;
    if (link == NULL) {
        return ERR_OK;
    }
    struct account *me = account_find(node, link->account);
    struct home *home = me == NULL ? NULL : home_of_link(me, id);
    switch (link->purpose) {
    case LINK_INBOUND:
        if (node->relay != NULL) {
            relay_host_link_closed(node->relay, id);
            forwarder_member_gone(node, id);
        }
        break;
    case LINK_OWNER:
        err = home != NULL ? home_closed(me, step, home, reason) : ERR_OK;
        if (me != NULL) {
            pump_link_closed(me, step, link, reason);
        }
        break;
    case LINK_ANONYMOUS:
        if (me != NULL) {
            pump_link_closed(me, step, link, reason);
        }
        break;
    case LINK_RESOLVE:
        resolve_link_closed(node, step, link, reason);
        break;
    case LINK_FORWARD:
        err = forwarder_link_closed(node, step, link, reason);
        break;
    }
    links_remove(&node->links, id);
    return err;
}

static enum err drop_link(struct node *node, struct step *step, uint64_t id, enum err reason)
{
    enum err err = step_close(step, id, reason);
    return err == ERR_OK ? link_gone(node, step, id, reason) : err;
}

static enum err link_opened(struct node *node, struct step *step, const struct node_input *input)
{
    if (!input->u.opened.initiator) {
        return links_opened_inbound(&node->links, input->link, input->u.opened.handshake_hash);
    }
    struct node_link *link = links_find(&node->links, input->link);
    if (link == NULL) {
        return step_close(step, input->link, ERR_OK); /* no longer wanted */
    }
    link->open = true;
    memcpy(link->hash, input->u.opened.handshake_hash, sizeof link->hash);
    if (link->purpose == LINK_FORWARD) {
        return forwarder_room(node, step, link);
    }
    if (link->purpose == LINK_RESOLVE) {
        enum err err = resolve_link_opened(node, step, link);
        return err != ERR_OK && err_class(err) != ERR_CLASS_LOCAL
                   ? drop_link(node, step, link->id, ERR_OK)
                   : err;
    }
    struct account *me = account_find(node, link->account);
    if (me == NULL) {
        return ERR_OK;
    }
    struct home *home = home_of_link(me, link->id);
    if (home != NULL) {
        home_opened(home);
    } else {
        pump_link_opened(me, link);
    }
    return ERR_OK;
}

/* --- frames --- */

static enum err frame_request(struct node *node, struct step *step, struct node_link *link,
                              const struct frame *frame)
{
    /* A link that we dialled is anonymous or an account's: answers would tell whose node this is.
     */
    if (link->purpose != LINK_INBOUND) {
        return ERR_PROTOCOL;
    }
    if (node->relay == NULL) {
        return ERR_UNSUPPORTED;
    }
    if (frame->kind == FRAME_RELAY_FORWARD) {
        return forwarder_request(node, step, link, frame);
    }
    struct writer reply = writer_of(node->reply, sizeof node->reply);
    struct relay_peer peer = {
        .link = link->id, .handshake_hash = link->hash, .kind = frame->kind, .id = frame->id};
    enum err err =
        relay_host_request(node->relay, step->turn, &peer, frame->kind, frame->body, &reply);
    if (err == ERR_OK && reply.len > 0) {
        err = step_send(step, link->id, (uint8_t)(frame->kind + FRAME_REPLY), frame->id,
                        writer_done(&reply));
    }
    secret_wipe(node->reply, reply.len);
    return err;
}

/* An answer for a contact, from the relay that was asked. */
static enum err contact_answer(struct account *me, struct step *step,
                               const struct link_request *request, struct slice body)
{
    struct work *work = work_find(me, request->peer);
    if (work == NULL) {
        return ERR_OK;
    }
    return request->kind == FRAME_QUEUE_DEPOSIT ? outbox_reply(me, step, work, request, body)
                                                : finding_reply(me, step, work, request, body);
}

/* The answer was out of form. The request is off its link: nothing else would wake the contact. */
static void contact_failed_answer(struct account *me, struct step *step,
                                  const struct link_request *request, enum err err)
{
    struct work *work = work_find(me, request->peer);
    if (work != NULL) {
        work->in_flight = false;
        finding_failed(work, request->kind);
        work_fail(step, work, err, 0);
    }
}

/* The same through our own relay, which is not to blame for what is inside. */
static enum err forwarded_reply(struct account *me, struct step *step, struct link_request *request,
                                struct slice body)
{
    struct work *work = work_find(me, request->peer);
    if (work == NULL) {
        return ERR_OK;
    }
    enum err err = foreign_reply(me, step, work, request, &body);
    if (err != ERR_OK || request->kind == 0) {
        return err;
    }
    err = contact_answer(me, step, request, body);
    if (err != ERR_OK && err_class(err) != ERR_CLASS_LOCAL) {
        contact_failed_answer(me, step, request, err);
        err = ERR_OK;
    }
    return err;
}

static enum err frame_reply(struct node *node, struct step *step, struct node_link *link,
                            const struct frame *frame)
{
    struct link_request request;
    enum err err = links_answered(link, frame->id, frame->kind, &request);
    if (err == ERR_OK && link->purpose == LINK_FORWARD) {
        return forwarder_reply(node, step, link, &request, frame->body);
    }
    if (err == ERR_OK && link->purpose == LINK_RESOLVE) {
        err = resolve_reply(node, step, link, frame->body);
        return err == ERR_OK ? drop_link(node, step, link->id, ERR_OK) : err;
    }
    struct account *me = account_find(node, link->account);
    if (err != ERR_OK || me == NULL || me->keys == NULL) {
        return err;
    }
    if (request.kind == FRAME_RELAY_FORWARD) {
        return forwarded_reply(me, step, &request, frame->body);
    }
    if (link->purpose == LINK_OWNER) {
        struct home *home = home_of_link(me, link->id);
        return home != NULL ? home_reply(me, step, home, &request, frame->body) : ERR_OK;
    }
    err = contact_answer(me, step, &request, frame->body);
    if (err != ERR_OK && err_class(err) != ERR_CLASS_LOCAL) {
        contact_failed_answer(me, step, &request, err);
    }
    /* An anonymous link carries one request: nothing ties it to the next one. */
    return err == ERR_OK ? drop_link(node, step, link->id, ERR_OK) : err;
}

static enum err frame_credit(struct node_link *link, const struct frame *frame)
{
    struct reader r = reader_of(frame->body);
    uint32_t more = (uint32_t)pack_read_uint(&r, LIMIT_LINK_CREDIT);
    enum err err = reader_end(&r);
    if (err == ERR_OK && more > LIMIT_LINK_CREDIT - link->credit) {
        err = ERR_FLOW;
    }
    if (err == ERR_OK) {
        link->credit += more;
    }
    return err;
}

/* A push that made turns fail: acknowledged to the relay, so that those behind it come. */
static enum err push_skipped(struct account *me, struct step *step, struct home *home,
                             uint64_t number)
{
    struct event event = event_begin(step, "message.skipped", 64);
    home_pushed(home, number);
    return event_commit(step, me->keys, &event);
}

static enum err frame_push(struct node *node, struct step *step, struct node_link *link,
                           const struct frame *frame)
{
    struct account *me = link->purpose == LINK_OWNER ? account_find(node, link->account) : NULL;
    struct home *home = me == NULL ? NULL : home_of_link(me, link->id);
    if (home == NULL || me->keys == NULL || !home->attached) {
        return ERR_PROTOCOL;
    }
    if (!step->turn->store->growth) {
        return ERR_DISK_FULL; /* it stays at the relay until there is room */
    }
    struct queue_push push;
    enum err err = queue_push_read(frame->body, &push);
    if (err == ERR_OK && node_skip_has(node->config.skip, push.envelope)) {
        return push_skipped(me, step, home, push.number);
    }
    return err == ERR_OK ? inbox_push(me, step, home, frame->body) : err;
}

static enum err handle_frame(struct node *node, struct step *step, struct node_link *link,
                             struct slice bytes)
{
    struct frame frame;
    enum err err = frame_read(bytes, &frame);
    if (err == ERR_OK) {
        err = links_received(&node->links, link, frame.kind);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (frame.kind == FRAME_CREDIT) {
        err = frame_credit(link, &frame);
        bool forward = err == ERR_OK && link->purpose == LINK_FORWARD;
        return forward ? forwarder_room(node, step, link) : err;
    }
    if (frame.kind >= FRAME_REPLY) {
        return frame_reply(node, step, link, &frame);
    }
    if (frame.kind == FRAME_QUEUE_PUSH) {
        return frame_push(node, step, link, &frame);
    }
    return frame_request(node, step, link, &frame);
}

static enum err frame_in(struct node *node, struct step *step, const struct node_input *input)
{
    struct node_link *link = links_find(&node->links, input->link);
    if (link == NULL) {
        return ERR_OK; /* closed by us; what was under way arrives for a while */
    }
    enum err err = handle_frame(node, step, link, input->u.frame);
    if (err == ERR_OK || (err_class(err) == ERR_CLASS_LOCAL && err != ERR_DISK_FULL)) {
        return err;
    }
    return drop_link(node, step, input->link, err);
}

/* --- time --- */

/* Links that are closed when they carry nothing for a while. */
static bool idles(const struct node_link *link)
{
    return link->purpose == LINK_ANONYMOUS || link->purpose == LINK_RESOLVE ||
           link->purpose == LINK_FORWARD;
}

/* Requests that were not answered in time take their link with them. */
static enum err expire_links(struct node *node, struct step *step)
{
    uint64_t now = step_now(step);
    struct node_link *next;
    for (struct node_link *link = node->links.own; link != NULL; link = next) {
        bool late = false;
        bool busy = links_busy(link);
        next = link->own_next;
        for (size_t i = 0; busy && i < LINK_REQUESTS; i++) {
            late |= link->requests[i].id != 0 && link->requests[i].deadline <= now;
        }
        bool idle = idles(link) && link->open && !busy && now - link->used_ms >= NODE_ANON_IDLE_MS;
        if (late || idle) {
            enum err err = drop_link(node, step, link->id, late ? ERR_TIMEOUT : ERR_OK);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

/* Secrets of first contacts that nobody can use any more, and what was noted about them. */
static enum err sweep(struct account *me, struct step *step, bool *more)
{
    uint64_t before;
    bool more_firsts = false;
    enum err err = prekeys_horizon(step, me->keys, &before);
    if (err == ERR_OK) {
        err = prekeys_sweep(step, me->keys, before, more);
    }
    if (err == ERR_OK) {
        err = inbox_sweep(me, step, before, &more_firsts);
    }
    *more |= more_firsts;
    return err;
}

static enum err tidy(struct node *node, struct step *step)
{
    bool more = false;
    if (step_now(step) - node->last_tidy < NODE_TIDY_MS) {
        return ERR_OK;
    }
    enum err err = command_tidy(step, &more);
    for (struct account *me = node->accounts; me != NULL && err == ERR_OK; me = me->next) {
        bool more_events = false;
        bool more_firsts = false;
        bool more_evidence = false;
        if (me->keys != NULL && !me->removing) {
            err = event_trim(step, me->keys, &more_events);
        }
        if (err == ERR_OK && me->keys != NULL && !me->removing) {
            err = evidence_trim(step, me->keys, &more_evidence);
        }
        if (err == ERR_OK && me->keys != NULL && !me->removing) {
            err = sweep(me, step, &more_firsts);
        }
        more |= more_events || more_firsts || more_evidence;
    }
    if (err == ERR_OK && !more) {
        node->last_tidy = step_now(step);
    }
    return err;
}

static void erased(struct node *node, uint32_t account)
{
    struct account *me = account_find(node, account);
    if (me != NULL) {
        removal_erased(me);
    }
}

static enum err rooted(struct node *node, struct step *step, const struct node_input *input)
{
    const struct node_root *root = input->u.rooted.root;
    struct account *me = account_find(node, root->account);
    return me != NULL && me->keys != NULL && !me->removing
               ? forget_rooted(me, step, root, input->u.rooted.err)
               : ERR_OK;
}

/* The first thing in a turn: the one before it was committed, or this object would be no more. */
static void turn_begin(struct node *node)
{
    if (node->flushed) {
        node->flushed = false;
        resolve_committed(node);
    }
}

enum err node_abandon(struct node *node, bool begun, struct node_outputs *outs)
{
    struct step step = {.outs = outs};
    if (!begun) {
        turn_begin(node);
    }
    return resolve_abandon(node, &step);
}

enum err node_step(struct node *node, struct turn *turn, const struct node_input *input,
                   struct node_outputs *outs)
{
    struct step step = {.turn = turn, .outs = outs};
    turn_begin(node);
    switch (input->kind) {
    case NODE_LINK_OPENED:
        return link_opened(node, &step, input);
    case NODE_FRAME:
        return frame_in(node, &step, input);
    case NODE_LINK_CLOSED:
        return link_gone(node, &step, input->link, input->u.closed);
    case NODE_TICK:
        return tidy(node, &step);
    case NODE_COMMAND:
        return command_run(node, &step, input);
    case NODE_POLICY:
        forwarder_policy(node, input->u.policy);
        return ERR_OK;
    case NODE_ERASED:
        erased(node, input->u.erased);
        return ERR_OK;
    case NODE_ROOTED:
        return rooted(node, &step, input);
    case NODE_DHT_ITEM:
        return seek_item(node, &step, input->link, input->u.item);
    case NODE_DHT_DONE:
        seek_done(node, &step, input->link);
        return ERR_OK;
    case NODE_DHT_TABLE:
        return keep_table(node, &step, input->u.table);
    }
    return ERR_BUG;
}

/* --- the end of a turn --- */

static bool link_has_credit(void *ctx, uint64_t id)
{
    struct node *node = ctx;
    struct node_link *link = links_find(&node->links, id);
    return link != NULL && link->credit > 0;
}

/* One push, in node->reply. ERR_NOT_FOUND: there is none that may go now. */
static enum err push_one(struct node *node, struct step *step)
{
    uint64_t id;
    struct writer body = writer_of(node->reply, sizeof node->reply);
    enum err err = relay_host_next_push(node->relay, step->turn, link_has_credit, node, &id, &body);
    if (err == ERR_OK) {
        links_find(&node->links, id)->credit--;
        err = step_send(step, id, FRAME_QUEUE_PUSH, 0, writer_done(&body));
    }
    secret_wipe(node->reply, body.len);
    return err;
}

/* The answers that waited for the end of the turn. */
static enum err answer_all(struct node *node, struct step *step)
{
    enum err err = node->relay != NULL ? ERR_OK : ERR_NOT_FOUND;
    while (err == ERR_OK) {
        struct relay_answer to;
        struct writer reply = writer_of(node->reply, sizeof node->reply);
        err = relay_host_next_answer(node->relay, step->turn, &to, &reply);
        if (err == ERR_OK && links_find(&node->links, to.link) != NULL) {
            err = step_send(step, to.link, (uint8_t)(to.kind + FRAME_REPLY), to.id,
                            writer_done(&reply));
        }
        secret_wipe(node->reply, reply.len);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err push_all(struct node *node, struct step *step)
{
    enum err err = node->relay != NULL ? ERR_OK : ERR_NOT_FOUND;
    while (err == ERR_OK) {
        err = push_one(node, step);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static uint64_t account_deadline(const struct account *me)
{
    uint64_t first = removal_deadline(me);
    if (me->keys == NULL) {
        return first;
    }
    first = earlier(first, home_deadline(me));
    if (!me->removing && !me->restoring && (me->rekey_next != 0 || me->news_next != 0)) {
        return 0; /* contacts wait for new sessions, or for our list */
    }
    if (!me->removing) {
        first = earlier(first, forget_deadline(me));
    }
    for (size_t i = 0; me->work_count > 0 && i < WORK_SLOTS; i++) {
        for (const struct work *work = me->work[i]; work != NULL; work = work->next) {
            uint64_t due = work->in_flight ? UINT64_MAX : earlier(work->due, work->ack_due);
            first = earlier(first, earlier(due, earlier(work->look_ms, work->heal_due)));
        }
    }
    return first;
}

/* When each part wants to be looked at again. */
static uint64_t next_deadline(const struct node *node)
{
    uint64_t first = earlier(links_deadline(&node->links), node->last_tidy + NODE_TIDY_MS);
    if (node->relay != NULL) {
        first = earlier(first, relay_host_deadline(node->relay));
    }
    first = earlier(first, announce_deadline(node));
    first = earlier(first, resolve_deadline(node));
    for (const struct node_link *link = node->links.own; link != NULL; link = link->own_next) {
        if (idles(link) && link->open) {
            first = earlier(first, link->used_ms + NODE_ANON_IDLE_MS);
        }
    }
    for (const struct account *me = node->accounts; me != NULL; me = me->next) {
        first = earlier(first, account_deadline(me));
    }
    return first;
}

/* What one identity has to do. */
static enum err account_progress(struct account *me, struct step *step)
{
    enum err err = ERR_OK;
    if (me->keys != NULL) {
        err = home_progress(me, step);
    }
    bool lives = me->keys != NULL && !me->removing && !me->restoring;
    if (err == ERR_OK && lives) {
        err = healing_progress(me, step);
    }
    if (err == ERR_OK && lives) {
        err = devices_progress(me, step);
    }
    if (err == ERR_OK && lives) {
        err = pump_progress(me, step);
    }
    if (err == ERR_OK && me->keys != NULL) {
        err = home_ack(me, step);
    }
    if (err == ERR_OK && me->keys != NULL) {
        err = voiding_progress(me, step);
    }
    if (err == ERR_OK && me->keys != NULL && !me->removing) {
        err = forget_progress(me, step);
    }
    bool gone = false;
    if (err == ERR_OK) {
        err = removal_progress(me, step, &gone);
    }
    if (gone) {
        account_forget(me);
    }
    return err;
}

enum err node_flush(struct node *node, struct turn *turn, struct node_outputs *outs)
{
    struct step step = {.turn = turn, .outs = outs};
    turn_begin(node);
    node->flushed = true;
    node->mining_budget = LIMIT_STAMP_SLICE;
    bool back = setback_look(node, step_now(&step));
    bool due = back || node->deadline <= step_now(&step);
    enum err err = due ? expire_links(node, &step) : ERR_OK;
    if (err == ERR_OK && node->relay != NULL &&
        (back || relay_host_deadline(node->relay) <= step_now(&step))) {
        err = relay_host_tick(node->relay, turn);
    }
    struct account *next;
    for (struct account *me = node->accounts; me != NULL && err == ERR_OK; me = next) {
        next = me->next;
        err = account_progress(me, &step);
    }
    if (err == ERR_OK) {
        err = answer_all(node, &step);
    }
    if (err == ERR_OK) {
        err = push_all(node, &step);
    }
    if (err == ERR_OK) {
        err = announce_progress(node, &step);
    }
    if (err == ERR_OK) {
        err = resolve_progress(node, &step);
    }
    if (err == ERR_OK) {
        err = links_grant(&node->links, &step);
    }
    node->deadline = next_deadline(node);
    return err;
}
