/* SPDX-License-Identifier: Apache-2.0
 *
 * invite_thief: an invitation is copied on its way, and somebody else uses it, before the one who
 * was invited, after, or at the same time. docs/threat-model.md, section 4, says what comes of
 * that:
 *
 *   - one of the two becomes a contact by it, the other one may ask, like anybody;
 *   - the inviter hears of it, once, and so does who was invited;
 *   - nothing that the thief writes comes in the name of another, nor before they are a contact,
 * nor after the inviter has blocked them, as they do when they hear of it.
 *
 * A thief has a node of its own, which runs undisturbed.
 */
#ifndef PETREL_TESTS_SIM_INVITE_THIEF_H
#define PETREL_TESTS_SIM_INVITE_THIEF_H

#include "sim/crowd.h"

/* X(constant, name): who is first. */
#define THEFT_WAYS(X)                                                                              \
    X(BEFORE, "before")                                                                            \
    X(AFTER, "after")                                                                              \
    X(TOGETHER, "together")

enum theft_way {
#define THEFT_ENUM(constant, name) THEFT_##constant,
    THEFT_WAYS(THEFT_ENUM)
#undef THEFT_ENUM
    THEFT_WAY_COUNT
};

const char *theft_way_name(enum theft_way way);

/* who invites somebody whom they do not know, from this place on, and a thief has the invitation.
 */
void theft_begin(struct crowd *c, struct crowd_person *who, uint32_t from, enum theft_way way);
/* What an event of this type says about the contact. */
void theft_heard(struct crowd *c, struct crowd_person *who, struct slice type, struct slice contact,
                 struct slice error);
/* A message came: whether a thief may have written it; fails when one may not have. */
bool theft_spoke(struct crowd *c, const struct crowd_person *who, struct slice contact);
/* Everybody does what is to be done now. */
void theft_go_on(struct crowd *c);
/* Whether all that was stolen was used by both, and both have heard of it. */
bool theft_done(const struct crowd *c);
/* Thieves end. */
void theft_end(struct crowd *c);
/* Fails unless all was noticed. */
void theft_check(struct crowd *c);
/* Contacts that who has by thieves. */
uint32_t theft_contacts(const struct crowd *c, const struct crowd_person *who);

#endif
