/* SPDX-License-Identifier: Apache-2.0
 *
 * contact_rows: what the account keeps of the people it knows: who they are, and the history with
 * each; and the layout of each row's plaintext; otherwise as node/rows.h. Of their devices:
 * node/peer_rows.h.
 *
 * Slices of a row that was read lie in the turn's arena.
 */
#ifndef PETREL_NODE_CONTACT_ROWS_H
#define PETREL_NODE_CONTACT_ROWS_H

#include "node/address.h"
#include "node/step.h"
#include "pair/session.h"
#include "store/seal.h"

enum contact_state {
    CONTACT_RESOLVING = 0, /* ours to find: descriptor, bundle, first message not sent yet */
    CONTACT_REQUESTED = 1, /* asked, not answered */
    CONTACT_INCOMING = 2,  /* asked us; waits for the user */
    CONTACT_ACCEPTED = 3,
    CONTACT_BLOCKED = 4,
};

/* STORE_CONTACT, account | number u32: a person. Their devices are peers, node/peer_rows.h. */
struct contact_row {
    uint32_t number; /* of the key; from 1 */
    struct sign_pk id;
    enum contact_state state;
    bool verified;     /* safety number compared */
    uint64_t created;  /* Unix ms */
    struct slice name; /* local, UTF-8 */
    struct slice text; /* of the request, theirs or ours */
    struct slice list; /* their newest signed device list, or empty */
    /* Where a key bundle of theirs is, by their descriptor or invitation. */
    bool has_record;
    struct address relay;   /* where it is */
    struct sign_pk record;  /* its key */
    uint64_t list_version;  /* of the device list that their descriptor names; 0: none was read */
    struct slice list_hash; /* and its hash */
    uint64_t described_ms;  /* when they made that descriptor, Unix ms; 0: a row of before */
    struct slice invite;    /* secret s of their invitation, or empty */
    uint64_t invite_until;  /* and when it expires, Unix ms; 0: a row of before there was this */
    bool invited;           /* they came by an invitation of ours */
    struct slice misused;   /* id of one of ours that they and somebody else used, or empty */
    uint64_t alarmed;       /* 1: clients were told that somebody else used theirs, invite */
    uint64_t deleted;       /* largest order of a message that was deleted; none comes twice */
    struct slice peers;     /* numbers of their devices, u32 each */
    uint64_t read;          /* order of the newest message of theirs that was read; 0: none */
    uint64_t changed_ms;    /* when the person here changed name, state or verification last */
};

enum message_state {
    MESSAGE_WAITING = 0,
    MESSAGE_AT_RELAY = 1,
    MESSAGE_DELIVERED = 2,
    MESSAGE_FAILED = 3,
    MESSAGE_RECEIVED = 4, /* theirs */
    MESSAGE_MIRRORED = 5, /* written on another device of ours */
};

/* STORE_MESSAGE, account | contact u32 | order u64. */
struct message_row {
    enum message_state state;
    uint64_t time;        /* Unix ms: made here, or arrived here */
    struct slice content; /* encoded content */
    uint64_t deposited;   /* theirs: when our relay took it, by its clock */
    uint64_t gap;         /* theirs: 1: when it came, an earlier one had not come */
};

/* Each get gives ERR_NOT_FOUND, ERR_CORRUPT or another LOCAL error. */
enum err contact_row_get(struct step *step, struct seal_keys *keys, uint32_t number,
                         struct contact_row *row) PETREL_MUST_USE;
enum err contact_row_put(struct step *step, struct seal_keys *keys,
                         const struct contact_row *row) PETREL_MUST_USE;
/* The row, and what finds it by its ID. */
enum err contact_row_del(struct step *step, struct seal_keys *keys,
                         const struct contact_row *row) PETREL_MUST_USE;
/* When their invitation, by which we asked, expires. */
uint64_t contact_row_invite_until(const struct contact_row *row);
/* Whether we asked to be their contact and heard no answer yet. */
bool contact_row_asks(const struct contact_row *row);
/* Whether the two may exchange messages now, Unix ms. */
bool contact_row_may_talk(const struct contact_row *row, uint64_t now);
/* The number of the contact with this ID. */
enum err contact_row_find(struct step *step, struct seal_keys *keys, const struct sign_pk *id,
                          uint32_t *number) PETREL_MUST_USE;
/* The first contact with a number above `after`. */
enum err contact_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                          struct contact_row *row) PETREL_MUST_USE;
enum err message_row_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, struct message_row *row) PETREL_MUST_USE;
enum err message_row_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order, const struct message_row *row) PETREL_MUST_USE;
/* ERR_NOT_FOUND. */
enum err message_row_del(struct step *step, struct seal_keys *keys, uint32_t contact,
                         uint64_t order) PETREL_MUST_USE;
/* The oldest message with order >= *order; *order is then its order. */
enum err message_row_next(struct step *step, struct seal_keys *keys, uint32_t contact,
                          uint64_t *order, struct message_row *row) PETREL_MUST_USE;
/* The newest message with order < before: *order is then its order. */
enum err message_row_before(struct step *step, struct seal_keys *keys, uint32_t contact,
                            uint64_t before, uint64_t *order,
                            struct message_row *row) PETREL_MUST_USE;
/* A message's or an event's place that it may have only once: STORE_MESSAGE_ID,
 * account | keyed hash of (contact, content id). */
enum err message_id_get(struct step *step, struct seal_keys *keys, uint32_t contact,
                        const uint8_t id[16], uint64_t *order) PETREL_MUST_USE;
enum err message_id_put(struct step *step, struct seal_keys *keys, uint32_t contact,
                        const uint8_t id[16], uint64_t order) PETREL_MUST_USE;

#endif
