/* SPDX-License-Identifier: Apache-2.0
 *
 * forwarder: our relay passes requests of its members on to other relays, and their answers back.
 * docs/protocol/04-relay.md, section 4.9.3.
 *
 * It stores nothing. A request waits in memory while the link to the other relay is opened or full,
 * and is on that link until it is answered; whatever goes wrong is told to the member, who asks
 * again. Which answer is whose is in the link's own list: contact = the member's request id, order
 * = the member's link.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/forward.h"

enum {
    FORWARD_RETRY_MS = 5000, /* what is suggested when the other relay cannot be reached */
    FORWARD_BUSY_MS = 1000,  /* and when too much is under way */
    FORWARD_REPLY = SEALED_REPLY_MAX + 64, /* longest reply that is passed back */
};

/* A request whose link is not open yet, or carries as many as it may. */
struct forward_wait {
    struct forward_wait *next;
    uint64_t link;   /* to the other relay */
    uint64_t member; /* the link that it came on */
    uint32_t id;     /* the member's request */
    uint8_t kind;
    size_t len;
    uint8_t body[];
};

void forwarder_fini(struct forwarder *f)
{
    cards_fini(&f->cards);
    while (f->waiting != NULL) {
        struct forward_wait *next = f->waiting->next;
        free(f->waiting);
        f->waiting = next;
    }
}

void forwarder_policy(struct node *node, const struct forward_policy *policy)
{
    forward_policy_copy(&node->forward, policy);
    node->links.forward_private = policy->private_hosts;
}

static enum err answer(struct node *node, struct step *step, uint64_t member, uint32_t id,
                       const struct forward_reply *reply)
{
    struct node_link *link = links_find(&node->links, member);
    if (link == NULL) {
        return ERR_OK; /* gone in the meantime */
    }
    link->forwarding--;
    struct writer w = step_writer(step, reply->body.len + 64);
    forward_reply_write(&w, reply);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    return step_send(step, member, FRAME_RELAY_FORWARD + FRAME_REPLY, id, writer_done(&w));
}

static enum err refuse(struct node *node, struct step *step, uint64_t member, uint32_t id,
                       enum err why, uint32_t retry_after_ms)
{
    struct forward_reply reply = {.head = {.err = why, .retry_after_ms = retry_after_ms}};
    return answer(node, step, member, id, &reply);
}

/* Whether the bytes are what the kind says, as far as we can see: a link that all members share
 * must not be closed for one of them. */
static enum err check_form(const struct forward *forward)
{
    struct slice sealed;
    uint8_t key_id;
    if (forward->kind == RELAY_CARD) {
        return card_get_read(forward->body);
    }
    enum err err = sealed_request_read(forward->body, &sealed);
    return err == ERR_OK ? sealed_request_key_id(sealed, &key_id) : err;
}

static enum err wait_for_link(struct node *node, const struct forward_wait *head, struct slice body)
{
    struct forwarder *f = &node->forwarder;
    if (f->count == LIMIT_FORWARD_WAITING || f->bytes + body.len > LIMIT_FORWARD_BYTES) {
        return ERR_BACKPRESSURE;
    }
    struct forward_wait *wait = malloc(sizeof *wait + body.len);
    if (wait == NULL) {
        return ERR_NO_MEMORY;
    }
    *wait = *head;
    wait->len = body.len;
    memcpy(wait->body, body.p, body.len);
    struct forward_wait **at = &f->waiting;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = wait;
    f->count++;
    f->bytes += wait->len;
    return ERR_OK;
}

/* Where the first one that waits for this link is; what is there is NULL: none does. */
static struct forward_wait **first_waiting(struct forwarder *f, uint64_t link)
{
    struct forward_wait **at = &f->waiting;
    while (*at != NULL && (*at)->link != link) {
        at = &(*at)->next;
    }
    return at;
}

/* Takes one off the list. The caller frees it. */
static struct forward_wait *take_waiting(struct forwarder *f, struct forward_wait **at)
{
    struct forward_wait *wait = *at;
    *at = wait->next;
    f->count--;
    f->bytes -= wait->len;
    return wait;
}

/* Closes the link to another relay that was used least lately and carries nothing. */
static enum err make_room(struct node *node, struct step *step)
{
    struct node_link *oldest = NULL;
    if (links_count(&node->links, LINK_FORWARD) < LIMIT_FORWARD_LINKS) {
        return ERR_OK;
    }
    for (struct node_link *link = node->links.own; link != NULL; link = link->own_next) {
        if (link->purpose == LINK_FORWARD && link->open && !links_busy(link) &&
            (oldest == NULL || link->used_ms < oldest->used_ms)) {
            oldest = link;
        }
    }
    if (oldest == NULL) {
        return ERR_BACKPRESSURE;
    }
    enum err err = step_close(step, oldest->id, ERR_OK);
    links_remove(&node->links, oldest->id);
    return err;
}

/* The link to another relay: one for all members, under a key that is fresh each time. */
static enum err forward_link(struct node *node, struct step *step, const struct address *to,
                             struct node_link **link)
{
    *link = links_find_forward(&node->links, to);
    if (*link != NULL) {
        return ERR_OK;
    }
    enum err err = make_room(node, step);
    return err == ERR_OK ? links_forward(&node->links, step, to, link) : err;
}

/* The card that other members got, when there is one. *done: it went out. */
static enum err answer_card(struct node *node, struct step *step, uint64_t member, uint32_t id,
                            const struct forward *forward, bool *done)
{
    struct slice card =
        forward->kind == RELAY_CARD
            ? cards_fresh(&node->forwarder.cards, &forward->to.node_id, step_now(step))
            : slice_of(NULL, 0);
    *done = card.len > 0;
    if (!*done) {
        return ERR_OK;
    }
    uint8_t body[CARD_MAX + 16];
    struct writer w = writer_of(body, sizeof body);
    card_reply_write(&w, &(struct card_reply){.card = card});
    struct forward_reply reply = {.body = writer_done(&w)};
    return w.err == ERR_OK ? answer(node, step, member, id, &reply) : ERR_BUG;
}

static enum err pass_on(struct node *node, struct step *step, const struct node_link *member,
                        uint32_t id, const struct forward *forward)
{
    struct node_link *link;
    if (!relay_host_is_reader(node->relay, member->id)) {
        return ERR_NOT_NOW;
    }
    if (memcmp(forward->to.node_id.b, node->id.b, sizeof node->id.b) == 0 ||
        !forward_policy_allows(&node->forward, &forward->to)) {
        return ERR_REFUSED;
    }
    if (member->forwarding > LIMIT_FORWARD_MEMBER) {
        return ERR_BACKPRESSURE;
    }
    bool done;
    enum err err = answer_card(node, step, member->id, id, forward, &done);
    if (err != ERR_OK || done) {
        return err;
    }
    err = forward_link(node, step, &forward->to, &link);
    if (err != ERR_OK) {
        return err;
    }
    err = ERR_NOT_NOW;
    if (*first_waiting(&node->forwarder, link->id) ==
        NULL) { /* else those that came before go first */
        err = links_request(link, step, forward->kind, forward->body, id, member->id);
    }
    if (err != ERR_NOT_NOW) {
        return err;
    }
    struct forward_wait wait = {
        .link = link->id, .member = member->id, .id = id, .kind = forward->kind};
    return wait_for_link(node, &wait, forward->body);
}

enum err forwarder_request(struct node *node, struct step *step, struct node_link *member,
                           const struct frame *frame)
{
    struct forward forward;
    enum err err = forward_read(frame->body, &forward);
    if (err == ERR_OK) {
        err = check_form(&forward);
    }
    if (err != ERR_OK) {
        return err;
    }
    member->forwarding++; /* until it is answered, whatever the answer */
    err = pass_on(node, step, member, frame->id, &forward);
    if (err == ERR_OK || err_class(err) == ERR_CLASS_LOCAL) {
        return err;
    }
    return refuse(node, step, member->id, frame->id, err,
                  err == ERR_BACKPRESSURE ? FORWARD_BUSY_MS : 0);
}

/* Keeps a card for the other members. ERR_STALE: an older one than they have. */
static enum err card_came(struct node *node, struct step *step, const struct sign_pk *relay,
                          struct slice body)
{
    struct card_reply reply;
    enum err err = card_reply_read(body, &reply);
    if (err == ERR_OK) {
        err = reply.head.err;
    }
    return err == ERR_OK ? cards_put(&node->forwarder.cards, relay, reply.card, step_now(step))
                         : err;
}

static enum err pass_back(struct node *node, struct step *step, const struct node_link *link,
                          const struct link_request *request, struct slice body)
{
    struct forward_reply reply = {.body = body};
    enum err err = request->kind == FRAME_RELAY_CARD
                       ? card_came(node, step, &link->address.node_id, body)
                       : ERR_OK;
    if (err_class(err) == ERR_CLASS_LOCAL) {
        return err;
    }
    if (err != ERR_OK) {
        return refuse(node, step, request->order, request->peer, ERR_UNREACHABLE, FORWARD_RETRY_MS);
    }
    if (body.len > FORWARD_REPLY) {
        return refuse(node, step, request->order, request->peer, ERR_UNREACHABLE, FORWARD_RETRY_MS);
    }
    return answer(node, step, request->order, request->peer, &reply);
}

enum err forwarder_room(struct node *node, struct step *step, struct node_link *link)
{
    struct forwarder *f = &node->forwarder;
    enum err err = ERR_OK;
    struct forward_wait **at = first_waiting(f, link->id);
    while (err == ERR_OK && *at != NULL) {
        struct forward_wait *wait = *at;
        err = links_request(link, step, wait->kind, slice_of(wait->body, wait->len), wait->id,
                            wait->member);
        if (err == ERR_OK) {
            free(take_waiting(f, at));
            at = first_waiting(f, link->id);
        }
    }
    return err == ERR_NOT_NOW ? ERR_OK : err; /* it is full again: an answer or credit makes room */
}

enum err forwarder_reply(struct node *node, struct step *step, struct node_link *link,
                         const struct link_request *request, struct slice body)
{
    enum err err = pass_back(node, step, link, request, body);
    return err == ERR_OK ? forwarder_room(node, step, link) : err;
}

void forwarder_member_gone(struct node *node, uint64_t member)
{
    struct forwarder *f = &node->forwarder;
    struct forward_wait **at = &f->waiting;
    while (*at != NULL) {
        struct forward_wait *wait = *at;
        if (wait->member != member) {
            at = &wait->next;
            continue;
        }
        free(take_waiting(f, at));
    }
}

/* A link that the host would not open, because of where its name leads, is our own policy. */
enum err forwarder_link_closed(struct node *node, struct step *step, const struct node_link *link,
                               enum err reason)
{
    enum err err = ERR_OK;
    bool refused = !link->open && reason == ERR_REFUSED;
    enum err why = refused ? ERR_REFUSED : ERR_UNREACHABLE;
    uint32_t retry = refused ? 0 : FORWARD_RETRY_MS;
    for (size_t i = 0; err == ERR_OK && link->requests != NULL && i < LINK_REQUESTS; i++) {
        const struct link_request *request = &link->requests[i];
        if (request->id != 0) {
            err = refuse(node, step, request->order, request->peer, why, retry);
        }
    }
    struct forward_wait **at = first_waiting(&node->forwarder, link->id);
    while (*at != NULL) {
        struct forward_wait *wait = take_waiting(&node->forwarder, at);
        if (err == ERR_OK) {
            err = refuse(node, step, wait->member, wait->id, why, retry);
        }
        free(wait);
        at = first_waiting(&node->forwarder, link->id);
    }
    return err;
}
