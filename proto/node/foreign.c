/* SPDX-License-Identifier: Apache-2.0
 *
 * foreign: requests to a relay where we own nothing: deposits and pops for a contact. Each goes by
 * the way that tells the relays least. docs/protocol/07-node.md, section 5.
 *
 * With a relay of our own that is another one: sealed, and handed to our relay to pass on. It sees
 * which relay is asked, not what; the other sees what, not who. Without one: openly, on an
 * anonymous link that carries this one request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/forward.h"
#include "node/way.h"

enum foreign_way {
    FOREIGN_DIRECT,  /* nobody could pass it on */
    FOREIGN_FORWARD, /* over our own relay */
    FOREIGN_LATER,   /* our own relay is to do it, and is not ready */
};

/* What is on its way through our relay for one contact. */
struct foreign {
    uint32_t id;                 /* of our request to it, */
    struct sign_pk by;           /* which is this one */
    struct sign_pk relay;        /* whom it is for */
    uint8_t kind;                /* of the inner request, or FRAME_RELAY_CARD */
    struct sealed_reply_key key; /* opens the reply; not for a card */
};

static bool same_node(const struct sign_pk *a, const struct sign_pk *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static enum way way_over(const struct account *me, const struct home *home,
                         const struct address *to)
{
    bool own_machine = same_node(&home->address.node_id, &me->node->id);
    return way_of(&home->address, own_machine, to);
}

/* The relay of ours that can pass a request on now: the main one, else the second. NULL: none. */
static struct home *passer(struct account *me, const struct address *to)
{
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        struct home *home = &me->homes[i];
        if (home->attached && home->role <= HOME_SECOND &&
            way_over(me, home, to) == WAY_FORWARDED) {
            return home;
        }
    }
    return NULL;
}

static enum foreign_way way_to(struct account *me, const struct address *to)
{
    const struct home *main = home_main(me);
    if (way_over(me, main, to) != WAY_FORWARDED) {
        return FOREIGN_DIRECT;
    }
    if (passer(me, to) != NULL) {
        return FOREIGN_FORWARD;
    }
    /* Our second relay is theirs, and knows where we are: better than waiting for ever. */
    const struct home *theirs = home_of_node(me, &to->node_id);
    bool failing = main->attempts >= HOME_FAILING_AFTER;
    return failing && theirs != NULL && theirs->attached ? FOREIGN_DIRECT : FOREIGN_LATER;
}

/* Our own relay is where we know it to be, whatever a contact says: the address of a node ID that
 * we trust must not be a stranger's to choose. */
static const struct address *place_of(struct account *me, const struct address *to)
{
    const struct home *home = home_of_node(me, &to->node_id);
    return home != NULL ? &home->address : to;
}

void foreign_free(struct foreign *foreign)
{
    if (foreign != NULL) {
        secret_wipe(foreign, sizeof *foreign);
        free(foreign);
    }
}

/* Hands (kind, body), for the relay at `to`, to our own relay. Takes over what is under way. */
static enum err forward(struct account *me, struct step *step, struct work *work,
                        const struct address *to, uint8_t kind, struct slice body, uint64_t order,
                        const struct foreign *under_way)
{
    const struct home *by = passer(me, to);
    struct node_link *link = by == NULL ? NULL : links_find(&me->node->links, by->link);
    struct foreign *own = malloc(sizeof *own);
    if (own == NULL || link == NULL) {
        free(own);
        return own == NULL ? ERR_NO_MEMORY : ERR_BUG;
    }
    *own = *under_way;
    own->by = by->address.node_id;
    foreign_free(work->foreign);
    work->foreign = own;
    struct forward request = {.to = *to, .kind = kind, .body = body};
    struct writer w = step_writer(step, body.len + 256);
    forward_write(&w, &request);
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    enum err err = work_request(work, step, link, FRAME_RELAY_FORWARD, writer_done(&w), order);
    own->id = link->last_id;
    return err;
}

/* Cards that another relay of ours handed on are of no use with this one: a relay that gave each
 * another key would know both for one. */
static void cards_of(struct account *me, const struct home *by)
{
    if (!same_node(&me->cards_by, &by->address.node_id)) {
        cards_fini(&me->cards);
        me->cards_by = by->address.node_id;
    }
}

static enum err fetch_card(struct account *me, struct step *step, struct work *work,
                           const struct address *to)
{
    struct foreign under_way = {.relay = to->node_id, .kind = FRAME_RELAY_CARD};
    uint8_t body[8];
    struct writer w = writer_of(body, sizeof body);
    card_get_write(&w);
    return forward(me, step, work, to, RELAY_CARD, writer_done(&w), 0, &under_way);
}

enum err foreign_open(struct account *me, struct step *step, struct work *work,
                      const struct address *to, bool *ready)
{
    struct node_link *link;
    enum err err = ERR_OK;
    *ready = false;
    switch (way_to(me, to)) {
    case FOREIGN_DIRECT:
        err = links_anonymous(&me->node->links, step, me->number, work->peer, place_of(me, to),
                              &link);
        *ready = err == ERR_OK && link->open;
        break;
    case FOREIGN_FORWARD:
        cards_of(me, passer(me, to));
        *ready = cards_find(&me->cards, &to->node_id, step_now(step)) != NULL;
        err = *ready ? ERR_OK : fetch_card(me, step, work, to);
        break;
    case FOREIGN_LATER:
        break; /* pump_relay_ready says when */
    }
    return err;
}

enum err foreign_send(struct account *me, struct step *step, struct work *work,
                      const struct address *to, uint8_t kind, struct slice body, uint64_t order)
{
    struct node_link *link;
    if (way_to(me, to) == FOREIGN_DIRECT) {
        enum err err = links_anonymous(&me->node->links, step, me->number, work->peer,
                                       place_of(me, to), &link);
        return err == ERR_OK ? work_request(work, step, link, kind, body, order) : err;
    }
    const struct card *card = cards_find(&me->cards, &to->node_id, step_now(step));
    struct foreign under_way = {.relay = to->node_id, .kind = kind};
    struct slice sealed;
    if (card == NULL) {
        return ERR_BUG;
    }
    enum err err = sealed_request_seal(step->turn->arena, step->turn->env, &to->node_id,
                                       card->key_id, card->pk, kind, body, &sealed, &under_way.key);
    struct writer w = step_writer(step, sealed.len + 16);
    if (err == ERR_OK) {
        sealed_request_write(&w, sealed);
        err = w.err == ERR_OK
                  ? forward(me, step, work, to, RELAY_SEALED, writer_done(&w), order, &under_way)
                  : ERR_NO_MEMORY;
    }
    secret_wipe(&under_way, sizeof under_way);
    return err;
}

/* The other relay's card. */
static enum err card_came(struct account *me, struct step *step, struct work *work,
                          const struct sign_pk *relay, const struct sign_pk *by, struct slice body)
{
    struct card_reply reply;
    enum err err = card_reply_read(body, &reply);
    if (err == ERR_OK) {
        err = reply.head.err;
    }
    if (err == ERR_OK && same_node(by, &me->cards_by)) {
        err = cards_put(&me->cards, relay, reply.card, step_now(step));
    }
    if (err == ERR_OK) {
        work_wake(work);
    }
    return err;
}

/* Opens what the other relay sealed; inner: its reply. */
static enum err sealed_came(struct account *me, struct step *step, const struct foreign *foreign,
                            struct slice body, struct slice *inner)
{
    struct sealed_reply reply;
    enum err err = sealed_reply_read(body, &reply);
    if (err == ERR_OK) {
        err = reply.head.err;
    }
    if (err != ERR_OK) {
        cards_doubt(&me->cards, &foreign->relay); /* it may have another key by now */
        return err;
    }
    return sealed_reply_open(step->turn->arena, &foreign->key, reply.sealed, inner);
}

/* Keeps what stood in the way of a request, for the user: which relay refused, or could not be
 * reached. A relay that is busy is not worth a word. */
static enum err note(struct account *me, struct step *step, struct work *work, enum err why,
                     const struct sign_pk *relay)
{
    struct peer_row row;
    if (why == ERR_BACKPRESSURE || (why == ERR_OK && work->untroubled)) {
        return ERR_OK;
    }
    enum err err = peer_row_get(step, me->keys, work->peer, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct slice who = slice_of(relay->b, why == ERR_OK ? 0 : sizeof relay->b);
    if (row.trouble != (uint64_t)why || !slice_equal(row.trouble_relay, who)) {
        row.trouble = (uint64_t)why;
        row.trouble_relay = who;
        err = peer_row_put(step, me->keys, &row);
    }
    work->untroubled = err == ERR_OK && why == ERR_OK;
    secret_wipe(&row, sizeof row);
    return err;
}

enum err foreign_reply(struct account *me, struct step *step, struct work *work,
                       struct link_request *request, struct slice *body)
{
    struct forward_reply reply;
    struct foreign *foreign = work->foreign;
    request->kind = 0;
    if (foreign == NULL || foreign->id != request->id) {
        return ERR_OK; /* of a request that was given up */
    }
    work->in_flight = false;
    work->foreign = NULL;
    enum err err = forward_reply_read(*body, &reply);
    if (err == ERR_OK && reply.head.err == ERR_NOT_NOW) {
        err = ERR_REFUSED; /* not attached any more, as far as the relay knows: begin again */
    }
    if (err != ERR_OK) {
        const struct home *by = home_of_node(me, &foreign->by);
        foreign_free(foreign);
        work_fail(step, work, err, 0);
        work->ours = by != NULL ? home_slot(me, by) + 1 : 0;
        return err; /* our own relay's mistake: its link closes */
    }
    err = reply.head.err;
    /* What our own relay says of another that it cannot reach is that other's trouble. */
    bool own = err != ERR_OK && err != ERR_UNREACHABLE;
    struct sign_pk relay = own ? foreign->by : foreign->relay;
    if (err == ERR_OK && foreign->kind == FRAME_RELAY_CARD) {
        err = card_came(me, step, work, &foreign->relay, &foreign->by, reply.body);
    } else if (err == ERR_OK) {
        err = sealed_came(me, step, foreign, reply.body, body);
        request->kind = err == ERR_OK ? foreign->kind : 0;
    }
    uint8_t kind = foreign->kind;
    foreign_free(foreign);
    if (err_class(err) == ERR_CLASS_LOCAL) {
        return err;
    }
    if (err != ERR_OK && (!own || err == ERR_REFUSED)) { /* the last: nor will it be passed on */
        finding_failed(work, kind);
    }
    if (err != ERR_OK) {
        work_fail(step, work, err, reply.head.retry_after_ms);
    }
    return note(me, step, work, err, &relay);
}
