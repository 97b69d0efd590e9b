/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/invite_thief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/invite.h"
#include "sim/meet.h"

enum {
    MINUTE = 60000,
    LATER = 20 * MINUTE, /* at most, between the two */
    WORDS = 3,           /* that a thief says */
};

/* By whom this use of an invitation is. */
struct use {
    uint64_t at; /* when it is to be */
    bool done;
    bool seen; /* the inviter has heard of who used it */
};

struct crowd_theft {
    struct sim_node *n; /* the thief's */
    char id[ID_TEXT];
    uint32_t from; /* invited */
    uint32_t to;
    char link[INVITE_TEXT];
    struct use thief;
    struct use right;
    uint64_t backs[2]; /* of the homes of both, then; */
    uint32_t relay;    /* that it names */
    bool unsure;       /* one went back since, or it was used too late */
    bool accepted;     /* the thief became a contact */
    bool blocked;
    unsigned said;
    unsigned alarms; /* that the inviter heard, */
    unsigned warned; /* and who was invited */
};

static const char *const NAMES[THEFT_WAY_COUNT] = {
#define THEFT_NAME(constant, name) [THEFT_##constant] = (name),
    THEFT_WAYS(THEFT_NAME)
#undef THEFT_NAME
};

const char *theft_way_name(enum theft_way way)
{
    return NAMES[way];
}

/* --- stealing --- */

static struct crowd_theft *theft_new(struct crowd *c)
{
    c->thefts = realloc(c->thefts, (c->theft_count + 1) * sizeof *c->thefts);
    sim_check(&c->sim, c->thefts != NULL, "out of memory");
    struct crowd_theft *t = &c->thefts[c->theft_count++];
    *t = (struct crowd_theft){.said = 0};
    return t;
}

/* A relay that answers now, from this one on; NULL: there is none. */
static struct sim_node *a_relay(const struct crowd *c, uint32_t from)
{
    for (size_t i = 0; i < c->relay_count; i++) {
        struct sim_node *n = c->relays[(from + i) % c->relay_count];
        if (!n->asleep && !n->full) {
            return n;
        }
    }
    return NULL;
}

void theft_begin(struct crowd *c, struct crowd_person *who, uint32_t from, enum theft_way way)
{
    struct crowd_person *to = meet_new(c, who, from);
    struct sim_node *relay = a_relay(c, from);
    char link[INVITE_TEXT];
    if (to == NULL || relay == NULL || !meet_invite(c, who, link)) {
        return;
    }
    uint64_t now = sim_now(&c->sim);
    uint64_t later = now + 1 + sim_random(&c->sim, LATER);
    struct crowd_theft *t = theft_new(c);
    memcpy(t->link, link, sizeof t->link);
    t->from = who->index;
    t->to = to->index;
    t->thief.at = way == THEFT_AFTER ? later : now;
    t->right.at = way == THEFT_BEFORE ? later : now;
    t->relay = who->relay;
    t->backs[0] = who->n->backs;
    t->backs[1] = to->n->backs;
    t->n = sim_add(&c->sim, false);
    t->n->undialled = true;
    t->n->person = true;
    crowd_must(c, crowd_call(c, t->n, "account.create", NULL), "account.create");
    crowd_result(c, t->n, "id", t->id, sizeof t->id);
    crowd_use_relay(c, t->n, relay);
    meet_lanes(c, to, who, MEET_INVITED);
    c->did.stolen[way]++;
}

/* --- using --- */

static void thief_adds(struct crowd *c, struct crowd_theft *t)
{
    enum err err = crowd_call(c, t->n, "contact.add", "link", t->link, NULL);
    sim_check(&c->sim, err == ERR_OK || err == ERR_EXPIRED, "contact.add: %s", err_name(err));
    t->thief.done = true;
    t->unsure |= err != ERR_OK;
}

/* It leads nowhere any more: who was invited asks for another one. */
static void give_up(struct crowd *c, struct crowd_theft *t)
{
    uint32_t unused;
    struct crowd_lane *lane = crowd_lane(c, t->to, t->from, &unused);
    t->unsure = t->right.done = true;
    lane->again = !lane->met;
}

static void rightful_adds(struct crowd *c, struct crowd_theft *t)
{
    struct crowd_person *to = &c->people[t->to];
    enum err err = t->unsure ? ERR_OK : crowd_call(c, to->n, "contact.add", "link", t->link, NULL);
    sim_check(&c->sim, err == ERR_OK || err == ERR_DISK_FULL || err == ERR_EXPIRED,
              "contact.add: %s", err_name(err));
    t->right.done = err != ERR_DISK_FULL;
    if (err == ERR_EXPIRED) {
        give_up(c, t);
    }
}

/* In the name of who was invited; as with any invitation one may write at once. */
static void thief_says(struct crowd *c, struct crowd_theft *t)
{
    char text[CROWD_TEXT];
    snprintf(text, sizeof text, "%s %u %u 0", CROWD_MARK, (unsigned)t->to, (unsigned)t->from);
    crowd_must(
        c,
        crowd_call(c, t->n, "message.send", "contact", c->people[t->from].id, "text", text, NULL),
        "message.send");
    t->said++;
}

static void thief_is_blocked(struct crowd *c, struct crowd_theft *t)
{
    struct crowd_person *from = &c->people[t->from];
    crowd_look(c, from);
    enum err err = crowd_call(c, from->n, "contact.block", "contact", t->id, NULL);
    bool unknown = t->unsure && err == ERR_UNKNOWN_CONTACT;
    sim_check(&c->sim, err == ERR_OK || err == ERR_DISK_FULL || unknown, "contact.block: %s",
              err_name(err));
    t->blocked = err == ERR_OK || unknown;
}

static void one_only(struct crowd *c, const struct crowd_theft *t)
{
    uint32_t unused;
    const struct crowd_lane *lane = crowd_lane(c, t->from, t->to, &unused);
    sim_check(&c->sim, t->unsure || !t->accepted || lane == NULL || !lane->met || lane->by_hand,
              "invitations: one invitation of person %u made two contacts", (unsigned)t->from);
}

static void go_on(struct crowd *c, struct crowd_theft *t)
{
    struct crowd_person *from = &c->people[t->from];
    struct crowd_person *to = &c->people[t->to];
    uint64_t now = sim_now(&c->sim);
    if (from->n->backs != t->backs[0] || to->n->backs != t->backs[1]) {
        t->backs[0] = from->n->backs;
        t->backs[1] = to->n->backs;
        t->unsure = true;
        t->blocked = false; /* or so its home says */
    }
    one_only(c, t);
    if (from->relay != t->relay && !t->unsure && !(t->thief.seen && t->right.seen)) {
        give_up(c, t); /* once it was used, nothing keeps its maker there */
    }
    if (!t->thief.done && now >= t->thief.at) {
        thief_adds(c, t);
    }
    if (!t->right.done && now >= t->right.at && !to->n->asleep) {
        rightful_adds(c, t);
    }
    if (t->thief.done && t->said < WORDS && !t->unsure) {
        thief_says(c, t);
    }
    if (t->alarms > 0 && !t->blocked && t->thief.seen && !from->n->asleep) {
        thief_is_blocked(c, t);
    }
}

void theft_go_on(struct crowd *c)
{
    for (size_t i = 0; i < c->theft_count; i++) {
        go_on(c, &c->thefts[i]);
    }
}

/* --- what is heard of it --- */

static void heard(struct crowd *c, struct crowd_theft *t, bool thief, struct slice type)
{
    struct use *use = thief ? &t->thief : &t->right;
    (void)c;
    use->seen |= slice_equal(type, unit_str("request.received"));
    if (slice_equal(type, unit_str("contact.accepted"))) {
        use->seen = true;
        t->accepted |= thief;
    }
    if (slice_equal(type, unit_str("invite.misused"))) {
        use->seen = true;
        t->alarms++;
        c->did.alarms++;
    }
}

void theft_heard(struct crowd *c, struct crowd_person *who, struct slice type, struct slice contact,
                 struct slice error)
{
    bool used = slice_equal(error, unit_str(err_name(ERR_INVITE_USED)));
    bool known = !used && !slice_equal(type, unit_str("invite.misused"));
    const struct crowd_lane *lane = meet_lane(c, who, contact);
    if (used && lane != NULL && c->people[lane->to].n->backs > 0) {
        known = true; /* whose home went back makes invitations with tokens of before */
    }
    for (size_t i = 0; i < c->theft_count; i++) {
        struct crowd_theft *t = &c->thefts[i];
        bool thief = slice_equal(contact, unit_str(t->id));
        if (t->from == who->index &&
            (thief || slice_equal(contact, unit_str(c->people[t->to].id)))) {
            heard(c, t, thief, type);
            known = true;
        }
        if (used && t->to == who->index && slice_equal(contact, unit_str(c->people[t->from].id))) {
            t->warned++;
            c->did.warned++;
            known = true;
        }
    }
    sim_check(&c->sim, known || c->lied,
              "invitations: person %u was told of a misuse that nobody made", (unsigned)who->index);
}

bool theft_spoke(struct crowd *c, const struct crowd_person *who, struct slice contact)
{
    for (size_t i = 0; i < c->theft_count; i++) {
        const struct crowd_theft *t = &c->thefts[i];
        if (t->from == who->index && slice_equal(contact, unit_str(t->id))) {
            sim_check(&c->sim, t->accepted && !t->blocked,
                      "strangers: person %u got a message of a thief who is %s",
                      (unsigned)who->index, t->blocked ? "blocked" : "no contact");
            c->did.thief_words++;
            return true;
        }
    }
    return false;
}

bool theft_done(const struct crowd *c)
{
    for (size_t i = 0; i < c->theft_count; i++) {
        const struct crowd_theft *t = &c->thefts[i];
        bool told = t->alarms > 0 && t->warned > 0 && t->blocked;
        if (!t->thief.done || !t->right.done || !(t->unsure || told)) {
            return false;
        }
    }
    return true;
}

void theft_end(struct crowd *c)
{
    for (size_t i = 0; i < c->theft_count; i++) {
        if (!c->thefts[i].n->asleep) {
            sim_sleep(&c->sim, c->thefts[i].n);
        }
    }
}

void theft_check(struct crowd *c)
{
    for (size_t i = 0; i < c->theft_count; i++) {
        const struct crowd_theft *t = &c->thefts[i];
        sim_check(
            &c->sim, t->unsure || (t->alarms == 1 && t->warned == 1),
            "invitations: two used one of person %u, who was told %u times; person %u, who was "
            "invited, %u times",
            (unsigned)t->from, t->alarms, (unsigned)t->to, t->warned);
    }
}

uint32_t theft_contacts(const struct crowd *c, const struct crowd_person *who)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < c->theft_count; i++) {
        sum += c->thefts[i].from == who->index;
    }
    return sum;
}
