/* SPDX-License-Identifier: Apache-2.0
 *
 * links: the links that the core knows: which are open, what each is for, credit both ways, and the
 * requests of ours that wait for a reply. docs/protocol/03-link.md, "Credit".
 *
 * Memory only: after a failed turn the host has closed every link.
 */
#ifndef PETREL_NODE_LINKS_H
#define PETREL_NODE_LINKS_H

#include "link/frame.h"
#include "node/address.h"
#include "node/step.h"

enum link_purpose {
    LINK_INBOUND,   /* somebody dialled us: requests to our relay come in */
    LINK_OWNER,     /* to a relay that an account uses, under its link key for it */
    LINK_ANONYMOUS, /* to any relay, under a fresh key: one deposit, pop or look-up */
    LINK_RESOLVE,   /* the same, for what resolve.c asks our relay */
    LINK_FORWARD,   /* to another relay, under a fresh key: sealed requests of our members */
};

#define LINKS_OWN_BIT (UINT64_C(1) << 63) /* set in the number of every link that we open */

/* What a reply is for. The core keeps no pointer here: numbers are looked up again. */
struct link_request {
    uint32_t id;       /* 0: this slot is free */
    uint8_t kind;      /* FRAME_* of the request */
    uint32_t peer;     /* whom it serves, 0: the account's own relay; LINK_FORWARD: the member's
                             request id */
    uint64_t order;    /* of the outbox entry, where it is a deposit; LINK_FORWARD: the member's
                          link */
    uint64_t deadline; /* Unix ms */
};

enum {
    LINK_REQUESTS = 64,    /* unanswered requests of ours on one link */
    LINK_OWN_REQUESTS = 8, /* of these, kept free of what is to be forwarded */
};

struct node_link {
    uint64_t id;
    enum link_purpose purpose;
    bool open;              /* false: still connecting */
    uint8_t hash[64];       /* handshake hash */
    struct address address; /* of the relay; not for LINK_INBOUND */
    uint32_t account;       /* LINK_OWNER, LINK_ANONYMOUS, LINK_RESOLVE: whose it is */
    uint32_t peer;          /* LINK_ANONYMOUS: whom its one request is for; LINK_RESOLVE: what */
    uint32_t forwarding;    /* LINK_INBOUND: its requests that are passed on and unanswered */
    uint32_t credit;        /* frames that we may still send */
    uint32_t received;      /* frames that cost credit, since we last granted some */
    uint32_t last_id;       /* of the newest request of ours */
    uint64_t used_ms;       /* when it last carried a request of ours */
    struct link_request *requests; /* LINK_REQUESTS of them; NULL until the first */
    uint32_t unanswered;           /* of those */
    struct node_link *next;        /* of its hash chain */
    struct node_link *own_next;    /* of the list of links that we opened */
    bool granting;                 /* is on the list of links that get credit in this turn */
    struct node_link *grant_next;  /* of that list */
};

struct links {
    struct node_link **slots; /* hash chains by id */
    size_t slot_count;        /* a power of two */
    size_t count;
    bool forward_private;     /* LINK_FORWARD may lead to private addresses */
    uint64_t last_own;        /* number of the newest link that we opened */
    struct node_link *own;    /* list of the links that we opened */
    struct node_link *grants; /* list of the links that get credit in this turn */
};

enum err links_init(struct links *links) PETREL_MUST_USE;
void links_fini(struct links *links);

struct node_link *links_find(const struct links *links, uint64_t id);
/* The inbound link `id` is open. */
enum err links_opened_inbound(struct links *links, uint64_t id,
                              const uint8_t hash[static 64]) PETREL_MUST_USE;
/* Forgets the link; its unanswered requests are the caller's to fail first. */
void links_remove(struct links *links, uint64_t id);

/* Each gives the link that there is, or opens one (NODE_OUT_CONNECT). */

/* The link of an account to a relay of its own. */
enum err links_owner(struct links *links, struct step *step, uint32_t account,
                     const struct address *address, const struct dh_sk *key,
                     struct node_link **link) PETREL_MUST_USE;
/* The link to another relay that all members of ours share, opened under a fresh key. */
enum err links_forward(struct links *links, struct step *step, const struct address *address,
                       struct node_link **link) PETREL_MUST_USE;
/* The anonymous link to this relay for one request of an account's peer, opened under a fresh
 * key. Close it when the request is answered. */
enum err links_anonymous(struct links *links, struct step *step, uint32_t account, uint32_t peer,
                         const struct address *address, struct node_link **link) PETREL_MUST_USE;
/* The same for a way of resolve.c's. */
enum err links_resolve(struct links *links, struct step *step, uint32_t account, uint32_t name,
                       const struct address *address, struct node_link **link) PETREL_MUST_USE;
/* Closes and forgets all links of an account, with what waits on them. */
enum err links_close_account(struct links *links, struct step *step,
                             uint32_t account) PETREL_MUST_USE;
/* The link to another relay that all members share; NULL: none. */
struct node_link *links_find_forward(const struct links *links, const struct address *address);
/* Links that we opened for this purpose. */
size_t links_count(const struct links *links, enum link_purpose purpose);
/* Whether a request of ours waits for an answer on it. */
bool links_busy(const struct node_link *link);

/* Sends a request. ERR_NOT_NOW: not open yet, no credit, or LINK_REQUESTS wait already. */
enum err links_request(struct node_link *link, struct step *step, uint8_t kind, struct slice body,
                       uint32_t peer, uint64_t order) PETREL_MUST_USE;
/* Takes the request that this reply answers off the link. ERR_PROTOCOL: there is none. */
enum err links_answered(struct node_link *link, uint32_t id, uint8_t reply_kind,
                        struct link_request *request) PETREL_MUST_USE;
/* Counts a frame that came in. ERR_FLOW: more came since we last granted credit than the other side
 * can have had. */
enum err links_received(struct links *links, struct node_link *link, uint8_t kind) PETREL_MUST_USE;
/* At the end of a turn: grants credit anew to whoever used up half of it. */
enum err links_grant(struct links *links, struct step *step) PETREL_MUST_USE;
/* The earliest deadline of any request of ours; UINT64_MAX when none waits. */
uint64_t links_deadline(const struct links *links);

#endif
