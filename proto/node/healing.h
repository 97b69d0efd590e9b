/* SPDX-License-Identifier: Apache-2.0
 *
 * healing: a session that broke is replaced, and why. docs/protocol/07-node.md, section 7.3.1.
 */
#ifndef PETREL_NODE_HEALING_H
#define PETREL_NODE_HEALING_H

#include "node/peer_rows.h"
#include "node/step.h"

struct account;
struct work;

/* The body of a content REKEYED, from the view of who began: goes over the wire. */
enum healing_why {
    HEALING_THEIRS = 1,     /* the other side went back to an earlier state */
    HEALING_OURS = 2,       /* this side did */
    HEALING_UNREADABLE = 3, /* an envelope of theirs opened with nothing */
    HEALING_UNACKED = 4,    /* they were there, and did not acknowledge ours, twice */
    HEALING_ASKED = 5,      /* somebody wants new keys */
    HEALING_RESTORED = 6,   /* a new device, made from a backup */
};

/* Gives all sessions with this contact up, to receive on alone, and begins a new one; what waits
 * for an acknowledgement is sealed anew. Nothing, and *begun is false, within LIMIT_HEALING_MS of
 * the last time unless it is asked for, and before the two may talk: then what is asked for is done
 * without a line in the history. Puts row. */
enum err healing_begin(struct account *me, struct step *step, struct peer_row *row,
                       enum healing_why why, bool *begun) PETREL_MUST_USE;
/* Whether one that we began has no answer yet. */
bool healing_asks(const struct peer_row *row);
/* They began the session in this slot: whatever their reason, they do not send on others any more,
 * nor perhaps have them. One that we began and that has no answer yet stays: the two cross.
 * deposited_ms: when our relay took the envelope that began it. The caller puts row. */
enum err healing_newcomer(struct account *me, struct step *step, struct peer_row *row, uint8_t slot,
                          uint64_t deposited_ms) PETREL_MUST_USE;
/* An envelope of theirs came in the session in this slot. If that is the first one in one that we
 * began after giving others up, they have sealed anew what those had, and these go: who has a copy
 * of them can write in nobody's name any more. Before the slot counts as heard; the caller puts
 * row. */
enum err healing_answered(struct account *me, struct step *step, struct peer_row *row,
                          uint8_t slot) PETREL_MUST_USE;
/* They said in the session in this slot that it replaces all others: these go, but for one of ours
 * that has no answer yet; in one that we began, only those that were given up. The caller puts row.
 */
enum err healing_told(struct account *me, struct step *step, struct peer_row *row,
                      uint8_t slot) PETREL_MUST_USE;
/* They sent content in the session in this slot, which our relay took then. If that was after they
 * began another one, they have this one and send on it: the two had crossed. The caller puts row.
 */
void healing_used(struct peer_row *row, uint8_t slot, uint64_t deposited_ms);
/* What waits for an acknowledgement in this session is sealed anew, whatever becomes of that: what
 * they acknowledged in it is not what we sent. The caller puts row. */
enum err healing_again(struct account *me, struct step *step, struct peer_row *row,
                       const uint8_t session[SESSION_T]) PETREL_MUST_USE;
/* One is to begin in an hour, when it may whatever there was before; with nobody who may not talk
 * to us. Puts row. */
enum err healing_later(struct account *me, struct step *step, struct peer_row *row) PETREL_MUST_USE;
/* Sees to it that it is begun then, also after a restart. */
void healing_wait(struct work *work, const struct peer_row *row, uint64_t now);
/* An envelope of theirs was read, and none is needed any more. The caller puts row. */
void healing_heard(struct account *me, struct peer_row *row);
/* New sessions with all contacts, and new prekeys, the old ones gone as soon as the main relay is
 * asked to take the new: begins it. It goes on in healing_progress, over restarts. */
enum err healing_all(struct account *me, struct step *step) PETREL_MUST_USE;
/* A slice of that. */
enum err healing_progress(struct account *me, struct step *step) PETREL_MUST_USE;
/* What a content REKEYED with this body means, in words; mine: we began. */
const char *healing_line(struct slice body, bool mine);
/* Tells clients of it. order: its place in the history. */
enum err healing_event(struct account *me, struct step *step, const struct peer_row *row,
                       uint64_t order, struct slice body, bool mine) PETREL_MUST_USE;

#endif
