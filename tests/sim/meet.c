/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/meet.h"

#include <stdlib.h>
#include <string.h>

#include "node/params.h"

static const char *const NAMES[MEET_WAY_COUNT] = {
#define MEET_NAME(constant, name) [MEET_##constant] = (name),
    MEET_WAYS(MEET_NAME)
#undef MEET_NAME
};

const char *meet_way_name(enum meet_way way)
{
    return NAMES[way];
}

/* --- lanes --- */

bool meet_knows(const struct crowd_person *who, uint32_t other)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        if (who->lanes[i].to == other) {
            return true;
        }
    }
    return who->index == other;
}

static void lane_add(struct crowd *c, struct crowd_person *who, uint32_t other, bool by_id)
{
    who->lanes = realloc(who->lanes, (who->contacts + 1) * sizeof *who->lanes);
    sim_check(&c->sim, who->lanes != NULL, "out of memory");
    who->lanes[who->contacts++] =
        (struct crowd_lane){.to = other, .unsure = UINT32_MAX, .by_id = by_id};
}

void meet_lanes(struct crowd *c, struct crowd_person *a, struct crowd_person *b, enum meet_way way)
{
    bool by_id = way == MEET_ID || way == MEET_BOTH_ID;
    lane_add(c, a, b->index, by_id);
    lane_add(c, b, a->index, by_id);
    c->did.met[way]++;
}

struct crowd_lane *meet_lane(struct crowd *c, struct crowd_person *who, struct slice contact)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        if (slice_equal(contact, unit_str(c->people[who->lanes[i].to].id))) {
            return &who->lanes[i];
        }
    }
    return NULL;
}

/* --- asking --- */

/* A call that has to go well unless the disk is full, or the relay is not there yet. */
static bool done(struct crowd *c, enum err err, const char *what)
{
    sim_check(&c->sim,
              err == ERR_OK || err == ERR_DISK_FULL || err == ERR_NOT_NOW || err == ERR_NO_RELAY,
              "%s: %s", what, err_name(err));
    return err == ERR_OK;
}

bool meet_invite(struct crowd *c, struct crowd_person *who, char link[static INVITE_TEXT])
{
    if (!done(c, crowd_call(c, who->n, "invite.create", NULL), "invite.create")) {
        return false;
    }
    crowd_result(c, who->n, "link", link, INVITE_TEXT);
    return true;
}

static bool add(struct crowd *c, struct crowd_person *who, const char *link)
{
    return done(c, crowd_call(c, who->n, "contact.add", "link", link, NULL), "contact.add");
}

/* who adds other. */
static bool ask(struct crowd *c, struct crowd_person *who, struct crowd_person *other, bool by_id)
{
    char link[INVITE_TEXT];
    return by_id ? add(c, who, other->id) : meet_invite(c, other, link) && add(c, who, link);
}

/* Both invitations are made before one is used: else one of the two knows the other already. */
static bool ask_both(struct crowd *c, struct crowd_person *a, struct crowd_person *b, bool by_id)
{
    char of_a[INVITE_TEXT];
    char of_b[INVITE_TEXT];
    if (!by_id && (!meet_invite(c, a, of_a) || !meet_invite(c, b, of_b))) {
        return false;
    }
    bool one = add(c, a, by_id ? b->id : of_b);
    return add(c, b, by_id ? a->id : of_a) || one;
}

static void meet(struct crowd *c, struct crowd_person *a, struct crowd_person *b, enum meet_way way)
{
    bool by_id = way == MEET_ID || way == MEET_BOTH_ID;
    bool both = way == MEET_BOTH_ID || way == MEET_BOTH_INVITED;
    if (both ? ask_both(c, a, b, by_id) : ask(c, a, b, by_id)) {
        meet_lanes(c, a, b, way);
    }
}

void meet_everybody(struct crowd *c, size_t contacts)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < (contacts + 1) / 2; k++) {
            uint32_t other =
                k == 0 ? (uint32_t)((i + 1) % c->count) : (uint32_t)sim_random(&c->sim, c->count);
            if (!meet_knows(&c->people[i], other)) {
                meet(c, &c->people[other], &c->people[i], MEET_INVITED);
            }
        }
    }
}

struct crowd_person *meet_new(struct crowd *c, const struct crowd_person *who, uint32_t from)
{
    uint32_t i = 0;
    while (i < c->count && meet_knows(who, (uint32_t)((from + (uint64_t)i) % c->count))) {
        i++;
    }
    struct crowd_person *other = &c->people[(from + (uint64_t)i) % c->count];
    return i < c->count && !who->n->asleep && !other->n->asleep ? other : NULL;
}

void meet_somebody(struct crowd *c, struct crowd_person *who, uint32_t from, enum meet_way way)
{
    struct crowd_person *other = meet_new(c, who, from);
    if (other == NULL) {
        return;
    }
    /* Descriptors of members of other relays are not found yet. */
    if (who->relay != other->relay) {
        way = way == MEET_ID ? MEET_INVITED : way == MEET_BOTH_ID ? MEET_BOTH_INVITED : way;
    }
    meet(c, who, other, way);
}

/* --- what becomes of it --- */

void meet_heard(struct crowd *c, struct crowd_person *who, struct slice contact, bool accepted)
{
    struct crowd_lane *lane = meet_lane(c, who, contact);
    if (lane != NULL) {
        lane->met |= accepted;
        lane->asked = !accepted;
        lane->again = lane->again && !accepted;
    }
}

static void accept(struct crowd *c, struct crowd_person *who, struct crowd_lane *lane)
{
    enum err err = crowd_call(c, who->n, "request.accept", "contact", c->people[lane->to].id, NULL);
    if (err == ERR_UNKNOWN_REQUEST || done(c, err, "request.accept")) {
        lane->asked = false; /* else it was accepted already, or forgotten */
        lane->by_hand |= err == ERR_OK;
    }
}

void meet_go_on(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        for (uint32_t k = 0; !who->n->asleep && k < who->contacts; k++) {
            struct crowd_lane *lane = &who->lanes[k];
            if (lane->asked) {
                accept(c, who, lane);
            }
            if (lane->again && !c->people[lane->to].n->asleep &&
                ask(c, who, &c->people[lane->to], false)) {
                lane->again = lane->by_id = false;
                c->did.met_again++;
            }
        }
    }
}

void meet_moved(struct crowd *c, struct crowd_person *who)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        struct crowd_lane *lane = &who->lanes[i];
        uint32_t unused;
        struct crowd_lane *back = crowd_lane(c, lane->to, who->index, &unused);
        if (lane->by_id && (!lane->met || !back->met)) {
            lane->again = true;
        }
    }
}

void meet_forgotten(struct crowd *c, struct crowd_person *who, uint32_t contacts)
{
    (void)c;
    for (uint32_t i = contacts; i < who->contacts; i++) {
        struct crowd_lane *lane = &who->lanes[i];
        lane->met = lane->asked = lane->by_hand = false;
        lane->again = true;
    }
}

bool meet_done(const struct crowd_person *who)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        if (!who->lanes[i].met || who->lanes[i].again) {
            return false;
        }
    }
    return true;
}

static void check_one(struct crowd *c, struct crowd_person *who)
{
    uint32_t accepted = 0;
    enum err err = sim_query(&c->sim, who->n, "contact.list", 0, slice_of(NULL, 0));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    (void)pack_read_map(&r, 4);
    (void)pack_read_str(&r, 32);
    uint32_t count = err == ERR_OK ? pack_read_array(&r, LIMIT_CONTACTS) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice state;
        struct slice id;
        size_t start = r.pos;
        pack_skip(&r, 4);
        struct slice contact = slice_of(r.p + start, r.pos - start);
        accepted += params_str(contact, "state", &state) && params_str(contact, "id", &id) &&
                    slice_equal(state, unit_str("accepted")) && meet_lane(c, who, id) != NULL;
    }
    sim_check(&c->sim, err == ERR_OK && r.err == ERR_OK && accepted == who->contacts,
              "meetings: person %u has %u contacts of %u that they met", (unsigned)who->index,
              (unsigned)accepted, (unsigned)who->contacts);
}

void meet_check(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        check_one(c, &c->people[i]);
    }
}
