/* SPDX-License-Identifier: Apache-2.0
 *
 * peer_rows: what the account keeps of each device that it talks to, its peers: where its queues
 * are, its sessions, the tokens of both, what is on its way to it; and the layout of each row's
 * plaintext; otherwise as node/rows.h.
 *
 * Slices of a row that was read lie in the turn's arena.
 */
#ifndef PETREL_NODE_PEER_ROWS_H
#define PETREL_NODE_PEER_ROWS_H

#include "node/contact_rows.h"
#include "node/device.h"
#include "pair/session.h"

enum {
    ROW_TOKEN = 32,
    ROW_RECEIPT = 1024,
};

/* STORE_PEER, account | number u32. Numbers of peers and of contacts are of one series, and the
 * first device of a contact has the contact's. */
struct peer_row {
    struct contact_row who; /* whose device it is: read along, put on its own */
    uint32_t number;        /* of the key */
    uint64_t contact;       /* number of that contact */
    struct slice device;    /* public key that signs its prekeys, or empty: not known yet */
    struct slice bundle;    /* where its key bundle is, an encoded device_place; or empty */
    uint64_t places_ms;     /* a device of ours: when it said last where it is, its clock */
    uint64_t leaving;       /* 1: removed, and is told so; it is none of its contact's peers */
    struct slice pop_token; /* of the invitation, or empty */
    struct slice pop_nonce; /* committed before the first pop; empty: none yet */
    /* Where their queue is. */
    bool has_queue;
    struct address queue_relay;
    struct sign_pk queue;
    uint64_t queues_ms;  /* since when, by their word; older news is not taken */
    struct slice second; /* their second queue, an encoded device_place; or empty */
    /* Tokens for our main queue that they got from us. */
    uint64_t minted_for;  /* home_queue_mark of that queue; 0: not known */
    uint32_t minted;      /* counter of the newest */
    uint32_t past;        /* those up to this counter count no more: their epoch is over */
    uint64_t epoch;       /* token epoch of these counts; 0: none yet */
    uint64_t epoch_from;  /* those above this counter are of that epoch, */
    uint64_t epoch_back;  /* and of them so many came back; */
    uint64_t before_back; /* and so many of those from past to epoch_from */
    uint64_t stock;       /* tokens that they may hold; 0: LIMIT_TOKEN_STOCK */
    uint64_t day_ms;      /* since then, Unix ms, */
    uint64_t day_back;    /* so many came back; 0: count from the next one */
    uint64_t held_known;  /* 1: held says which did not come back; 0: an older row, any */
    struct slice held;    /* ranges of counters, see node/held.h */
    /* Sessions: T of each slot in use. */
    uint8_t sessions; /* bit set of slots in use */
    uint8_t session_id[LIMIT_SESSIONS_PER_PAIR][SESSION_T];
    uint8_t heard;        /* bit set of slots in which an envelope of theirs was opened */
    uint8_t begun;        /* 1 + slot of the session that we began last; 0: begin one */
    uint64_t first_sent;  /* when that session, still unanswered, was begun; 0: none */
    uint64_t heard_ms;    /* when an envelope of theirs was opened last; 0: never */
    uint64_t heard_count; /* how many were */
    uint64_t spoke_ms;    /* when our relay took the newest of those, by its clock; 0: never */
    uint64_t told;        /* first 8 bytes of the queue of ours that they were told; 0: none */
    /* The last request that went over our relay. */
    uint64_t trouble;           /* enum err: what stood in its way; 0: nothing */
    struct slice trouble_relay; /* node ID of the relay that it was, or empty */
    uint64_t failed;            /* enum err that clients were told it failed with; 0: none */
    uint64_t retired;           /* bit set of slots that are not sent on any more; */
    uint64_t doubtful;          /* those of them that a session of theirs stands for, */
    uint64_t newcomer_ms;       /* which our relay took then, by its clock */
    uint64_t healed_ms;         /* when a session was replaced last; 0: never */
    uint64_t unread_ms;         /* since when another one is wanted and has to wait; 0: none is */
};

enum outbox_state {
    OUTBOX_WAITING = 0,  /* content only */
    OUTBOX_SEALED = 1,   /* sealed; not at the relay yet */
    OUTBOX_AT_RELAY = 2, /* the relay has it; not acknowledged end to end */
};

/* STORE_OUTBOX, account | peer u32 | order u64. */
struct outbox_row {
    enum outbox_state state;
    bool ack_only;              /* gone once it is at the relay */
    bool anyway;                /* of an ack_only: made although none is owed. Not stored */
    uint64_t created;           /* Unix ms */
    struct slice content;       /* encoded content; empty when ack_only */
    uint8_t session[SESSION_T]; /* that sealed it */
    uint64_t seq;               /* in that session */
    struct slice envelope;      /* sealed bytes */
    struct slice token;         /* ROW_TOKEN bytes for this deposit; empty: a stamp */
    uint64_t at_relay_ms;       /* when the relay said so */
    uint64_t heard_count;       /* of the peer, then */
    struct slice receipt;       /* what it signed then, encoded; empty before */
    uint64_t evidence_ms;       /* of the evidence against a relay (node/evidence.h); 0: none */
    uint64_t again;             /* times that they were heard and did not have it */
    struct slice hash;          /* of what was sealed, when it is its own lead; or empty */
    uint64_t lead;              /* order of the entry whose envelope holds it too; 0: its own */
};

/* STORE_VOIDING, account | peer u32: tokens of a peer that our relay is to void. */
struct voiding_row {
    uint64_t queue; /* home_queue_mark of the queue that they are for */
    uint32_t done;  /* counters up to this one are void there */
    uint32_t last;  /* the last one that is to be */
    /* Which of them, see node/held.h; empty: all, in a row of an older node. */
    struct slice held;
};

/* Each get gives ERR_NOT_FOUND, ERR_CORRUPT or another LOCAL error. */
enum err peer_row_get(struct step *step, struct seal_keys *keys, uint32_t number,
                      struct peer_row *row) PETREL_MUST_USE;
/* The i-th device of a contact, from 0; row->who is a copy of who. ERR_NOT_FOUND: there are no
 * more.
 */
enum err peer_row_of(struct step *step, struct seal_keys *keys, const struct contact_row *who,
                     unsigned i, struct peer_row *row) PETREL_MUST_USE;
/* The one with the smallest number > after. */
enum err peer_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                       struct peer_row *row) PETREL_MUST_USE;
/* Without row->who: that is contact_row_put's. */
enum err peer_row_put(struct step *step, struct seal_keys *keys,
                      const struct peer_row *row) PETREL_MUST_USE;
/* The row alone: peers_remove. */
enum err peer_row_del(struct step *step, struct seal_keys *keys, uint32_t number) PETREL_MUST_USE;
/* One more device of a contact, under a number that is free. Puts both. */
enum err peer_row_new(struct step *step, struct seal_keys *keys, struct contact_row *who,
                      uint32_t number, struct peer_row *row) PETREL_MUST_USE;
/* It is a device of this contact from now on. Puts both; the contact that it had is not changed. */
enum err peer_row_move(struct step *step, struct seal_keys *keys, struct peer_row *row,
                       struct contact_row *who) PETREL_MUST_USE;
/* It is the device of this entry of its person's list. The caller puts row. ERR_NO_MEMORY. */
enum err peer_row_device(struct step *step, struct peer_row *row,
                         const struct device_entry *entry) PETREL_MUST_USE;
bool peer_row_is(const struct peer_row *row, const struct device_entry *entry);
/* Rows of contacts of before they had several devices become two each. Once for an account, when it
 * is opened; changes nothing the second time. */
enum err peer_rows_split(struct step *step, struct seal_keys *keys) PETREL_MUST_USE;
/* The session slot to send on: of those that the other side has used, and that were not given up,
 * the smallest T; else the one that we began last. -1: none, begin one. */
int peer_row_slot(const struct peer_row *row);
enum err outbox_row_get(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                        struct outbox_row *row) PETREL_MUST_USE;
enum err outbox_row_put(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                        const struct outbox_row *row) PETREL_MUST_USE;
enum err outbox_row_del(struct step *step, struct seal_keys *keys, uint32_t peer,
                        uint64_t order) PETREL_MUST_USE;
/* The first entry of this peer with order >= *order; *order is then its order. */
enum err outbox_row_next(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t *order,
                         struct outbox_row *row) PETREL_MUST_USE;
/* The last entry with order < before. */
enum err outbox_row_before(struct step *step, struct seal_keys *keys, uint32_t peer,
                           uint64_t before, uint64_t *order,
                           struct outbox_row *row) PETREL_MUST_USE;
/* Entries of all contacts. */
enum err outbox_rows(struct step *step, struct seal_keys *keys, uint64_t *count) PETREL_MUST_USE;
/* STORE_OWED, account | peer u32: an end-to-end acknowledgement is owed; which session owes it
 * the session says. del: nothing when there is none. next: the smallest number > after. */
enum err owed_row_put(struct step *step, struct seal_keys *keys, uint32_t peer) PETREL_MUST_USE;
enum err owed_row_del(struct step *step, struct seal_keys *keys, uint32_t peer) PETREL_MUST_USE;
enum err owed_row_next(struct step *step, struct seal_keys *keys, uint32_t after,
                       uint32_t *peer) PETREL_MUST_USE;
/* The smallest peer number > after that has entries. */
enum err outbox_peer_next(struct step *step, struct seal_keys *keys, uint32_t after,
                          uint32_t *peer) PETREL_MUST_USE;
/* STORE_SESSION, account | peer u32 | slot u8: what session_save gave. */
enum err session_row_get(struct step *step, struct seal_keys *keys, uint32_t peer, uint8_t slot,
                         struct slice *saved) PETREL_MUST_USE;
enum err session_row_put(struct step *step, struct seal_keys *keys, uint32_t peer, uint8_t slot,
                         struct slice saved) PETREL_MUST_USE;
enum err session_row_del(struct step *step, struct seal_keys *keys, uint32_t peer,
                         uint8_t slot) PETREL_MUST_USE;
/* STORE_TOKEN, account | peer u32 | counter u64: tokens for their queue, in order of arrival. */
enum err token_row_add(struct step *step, struct seal_keys *keys, uint32_t peer,
                       struct slice tokens) PETREL_MUST_USE;
/* Takes the oldest out. ERR_NOT_FOUND: none left. */
enum err token_row_take(struct step *step, struct seal_keys *keys, uint32_t peer,
                        uint8_t token[ROW_TOKEN]) PETREL_MUST_USE;
/* How many there are. */
enum err token_row_count(struct step *step, struct seal_keys *keys, uint32_t peer,
                         uint64_t *count) PETREL_MUST_USE;
enum err voiding_row_get(struct step *step, struct seal_keys *keys, uint32_t peer,
                         struct voiding_row *row) PETREL_MUST_USE;
enum err voiding_row_put(struct step *step, struct seal_keys *keys, uint32_t peer,
                         const struct voiding_row *row) PETREL_MUST_USE;
enum err voiding_row_del(struct step *step, struct seal_keys *keys, uint32_t peer) PETREL_MUST_USE;
/* The one with the smallest number. */
enum err voiding_row_first(struct step *step, struct seal_keys *keys, uint32_t *peer,
                           struct voiding_row *row) PETREL_MUST_USE;

#endif
