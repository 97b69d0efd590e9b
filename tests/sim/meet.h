/* SPDX-License-Identifier: Apache-2.0
 *
 * meet: people of a crowd become contacts: by an invitation, or by their ID where both are on one
 * relay; one asks, or both do at once. Who is asked by somebody accepts it. A home that goes back
 * to before they met has forgotten the other one, and adds them again.
 */
#ifndef PETREL_TESTS_SIM_MEET_H
#define PETREL_TESTS_SIM_MEET_H

#include "node/invite.h"
#include "sim/crowd.h"

/* X(constant, name) */
#define MEET_WAYS(X)                                                                               \
    X(INVITED, "by-invitation")                                                                    \
    X(BOTH_INVITED, "both-by-invitation") /* each one uses an invitation of the other */           \
    X(ID, "by-id")                                                                                 \
    X(BOTH_ID, "both-by-id")

enum meet_way {
#define MEET_ENUM(constant, name) MEET_##constant,
    MEET_WAYS(MEET_ENUM)
#undef MEET_ENUM
    MEET_WAY_COUNT
};

const char *meet_way_name(enum meet_way way);

/* Everybody knows the next ones in a ring, and some others. */
void meet_everybody(struct crowd *c, size_t contacts);
/* who adds somebody whom they do not know, from this place on, unless one of the two sleeps. */
void meet_somebody(struct crowd *c, struct crowd_person *who, uint32_t from, enum meet_way way);
/* What an event says about the contact. */
void meet_heard(struct crowd *c, struct crowd_person *who, struct slice contact, bool accepted);
/* Everybody does what is to be done now: accepts who asked, adds again whom they forgot. */
void meet_go_on(struct crowd *c);
/* who moves: whom they asked by ID, or who asked them, may not be found any more. */
void meet_moved(struct crowd *c, struct crowd_person *who);
/* The home of who goes back: contacts from this place on are forgotten. */
void meet_forgotten(struct crowd *c, struct crowd_person *who, uint32_t contacts);
/* Whether all contacts of who have become that, as far as who knows. */
bool meet_done(const struct crowd_person *who);
/* Fails unless all who met are contacts, at both ends. */
void meet_check(struct crowd *c);

/* Somebody whom who does not know, from this place on; NULL: there is nobody, or one of the two
 * sleeps. */
struct crowd_person *meet_new(struct crowd *c, const struct crowd_person *who, uint32_t from);
/* An invitation of who; false: not now. */
bool meet_invite(struct crowd *c, struct crowd_person *who, char link[static INVITE_TEXT]);
/* Those of whom they have no lane yet. */
bool meet_knows(const struct crowd_person *who, uint32_t other);
/* They are about to meet. */
void meet_lanes(struct crowd *c, struct crowd_person *a, struct crowd_person *b, enum meet_way way);
/* The lane of who to this one; NULL: there is none. */
struct crowd_lane *meet_lane(struct crowd *c, struct crowd_person *who, struct slice contact);

#endif
