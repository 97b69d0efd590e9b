/* SPDX-License-Identifier: Apache-2.0
 *
 * homes: the relays that an account uses: the main one, with its queue, key bundle and descriptors;
 * perhaps a second queue at another; and those that it left, which are read until nothing comes any
 * more. docs/protocol/07-node.md, section 1.
 *
 * Memory only; what must survive is in the relay's row (node/rows.h). A place's number in
 * account.homes is the slot of its row; place 0 is the main relay.
 */
#ifndef PETREL_NODE_HOMES_H
#define PETREL_NODE_HOMES_H

#include "node/links.h"
#include "node/rows.h"

struct account;

/* Where we are with one relay of ours. */
enum home_state {
    HOME_NONE,       /* no relay in this place, or the account is locked */
    HOME_CONNECTING, /* no open link */
    HOME_JOINING,    /* becoming a member, making the queue; or ceasing to be a member */
    HOME_PUBLISHING, /* attached; key bundle or descriptors are not all there yet */
    HOME_READY,
};

struct home {
    enum home_state state;
    enum home_role role;
    struct address address; /* of the relay; port 0: none in this place */
    struct sign_pk queue;   /* ours there */
    uint64_t link;          /* 0: none */
    bool attached;          /* pushes come in on link */
    bool waiting;           /* a request of ours to it is unanswered */
    bool acking;            /* a queue.ack is unanswered */
    uint64_t arrival;       /* newest arrival that was processed */
    uint64_t acked;         /* newest that the relay was told */
    uint64_t owing;         /* envelopes that waited when we attached and were not pushed yet */
    uint64_t attached_ms;   /* when that was */
    uint64_t relay_ms;      /* and by the relay's clock, Unix ms; 0: it did not say */
    uint64_t due;           /* when to go on; UINT64_MAX: an event will say */
    uint64_t left_ms;       /* HOME_LEFT, HOME_LEAVING: since when */
    uint32_t attempts;      /* failures in a row */
    enum err trouble;       /* the last failure */
    uint64_t parts;         /* one-time parts at the relay; HOME_PARTS_UNKNOWN: ask */
    struct tally made;      /* new ones that we made, in an hour */
    bool announced;         /* contacts hear of our queues, if they are others by now */
    bool news;              /* the next time all is in place is worth an event */
    bool quota_known;       /* the relay said lately what it gives our queue */
    bool stale;             /* the relay has another key bundle than we thought: ask which */
    bool asked;             /* it has said what it has of an identity that was published before */
    bool outrun;            /* it has a descriptor that is not older than ours: likewise */
    uint64_t describing;    /* the period that the request about a descriptor is about, */
    uint32_t describing_version; /* and the list that was the newest then */
    uint64_t described_ms;       /* when it took one last; 0: not since the start */
    bool voids;                  /* there may be tokens that the relay is to void */
    bool voiding;                /* a queue.void is unanswered, */
    uint32_t void_peer;          /* of this one's tokens, */
    uint32_t void_done;          /* up to this counter */
    uint64_t void_due;           /* when the next one may go */
};

#define HOME_PARTS_UNKNOWN UINT64_MAX

enum {
    HOME_FAILING_AFTER = 3, /* failures in a row before clients are told */
};

/* home.c */
enum err home_load(struct account *me, struct step *step) PETREL_MUST_USE;
/* Reads the row of one place again: its relay, or what it is to us, is another. */
enum err home_reload(struct account *me, struct step *step, unsigned slot) PETREL_MUST_USE;
/* Does what can be done now, with each relay. */
enum err home_progress(struct account *me, struct step *step) PETREL_MUST_USE;
/* The main relay; port 0: there is none. */
struct home *home_main(struct account *me);
/* How far the relay's clock is ahead of ours, as far as it said; wraps around when it is behind. */
uint64_t home_ahead(const struct home *home);
/* The minute of a stamp: by our relay's clock, if it said, since our own may be off; after every
 * other failure by ours, since that may have been set meanwhile, or theirs be wrong. */
uint32_t home_stamp_minute(struct account *me, const struct step *step, uint32_t attempts);
/* The relay on this link; NULL: none. */
struct home *home_of_link(struct account *me, uint64_t link);
/* The relay in use with this node ID, not one that was left; NULL: none. */
struct home *home_of_node(struct account *me, const struct sign_pk *node_id);
unsigned home_slot(const struct account *me, const struct home *home);
/* The earliest time at which one of them is to go on. */
uint64_t home_deadline(const struct account *me);
void home_opened(struct home *home);
enum err home_closed(struct account *me, struct step *step, struct home *home,
                     enum err err) PETREL_MUST_USE;
enum err home_reply(struct account *me, struct step *step, struct home *home,
                    const struct link_request *request, struct slice body) PETREL_MUST_USE;
/* The push with this number was dealt with. */
void home_pushed(struct home *home, uint64_t number);
/* Closes its link, if there is one, and what waits for answers on it goes on. */
enum err home_hang_up(struct account *me, struct step *step, struct home *home) PETREL_MUST_USE;
/* The main one, or those that are not, have something to publish. */
void home_wake_main(struct account *me);
void home_wake_others(struct account *me);
/* Somebody used a one-time part of ours. */
void home_part_used(struct account *me);
/* Tells each relay up to which push everything is on disk here. */
enum err home_ack(struct account *me, struct step *step) PETREL_MUST_USE;
/* Tells clients of an event that is about one relay. */
enum err home_event(struct account *me, struct step *step, const struct address *relay,
                    const char *type, enum err trouble) PETREL_MUST_USE;
const char *home_state_name(const struct home *home);

/* moving.c */
/* Makes the relay at address the main one: a new one, the second one, or one that was left. The one
 * before is left. code: 32 bytes or empty; borrowed. ERR_BACKPRESSURE: LIMIT_HOMES are there, or
 * this one is just being left for good. */
enum err moving_use(struct account *me, struct step *step, const struct address *address,
                    struct slice code) PETREL_MUST_USE;
/* Holds a second queue at the relay at address; the second one before is left. ERR_NO_RELAY: there
 * is no main one; ERR_EXISTS: it is the main one. */
enum err moving_second(struct account *me, struct step *step, const struct address *address,
                       struct slice code) PETREL_MUST_USE;
/* Leaves the second relay, or one that was left already for good, with what waits there.
 * ERR_NOT_FOUND: no such relay here; ERR_NOT_NOW: it is the main one. */
enum err moving_leave(struct account *me, struct step *step,
                      const struct sign_pk *node_id) PETREL_MUST_USE;
/* Leaves every relay for good; the account is being removed. */
enum err moving_leave_all(struct account *me, struct step *step) PETREL_MUST_USE;
/* A relay that was left, and is attached: whether nothing more can be expected of it. */
enum err moving_drained(struct account *me, struct step *step, struct home *home,
                        bool *drained) PETREL_MUST_USE;
/* From now on nothing is read there any more: member.leave is the only request that follows. */
enum err moving_finish(struct account *me, struct step *step, struct home *home) PETREL_MUST_USE;
/* The relay is forgotten here. why: for the event. */
enum err moving_gone(struct account *me, struct step *step, struct home *home,
                     enum err why) PETREL_MUST_USE;
/* Something was acknowledged: relays that were left may be drained by now. */
void moving_look(struct account *me, struct step *step);
const char *home_role_name(enum home_role role);

#endif
