/* SPDX-License-Identifier: Apache-2.0
 *
 * rows: what the account keeps of itself in the store: its keys, its relays, its invitations, and
 * the layout of each row's plaintext. Of its contacts: node/contact_rows.h.
 * docs/protocol/07-node.md, section 8. Every row is sealed (store/seal.h); layouts are msgpack maps
 * with small-integer keys, so that a later version can add a field.
 *
 * Slices of a row that was read lie in the turn's arena.
 */
#ifndef PETREL_NODE_ROWS_H
#define PETREL_NODE_ROWS_H

#include "node/address.h"
#include "node/step.h"
#include "pair/session.h"
#include "store/seal.h"

enum {
    ROW_ACCOUNT = 1, /* number of the first account */
};

/* STORE_ACCOUNT, account | 0x00. */
enum {
    ROW_AHEAD = 16 * LIMIT_DESCRIPTORS_AHEAD, /* see ahead.c */
};

struct account_row {
    uint64_t created;         /* Unix ms */
    uint8_t identity[32];     /* Ed25519 seed; zeros: see owner */
    uint8_t device_sign[32];  /* Ed25519 seed: prekeys */
    uint8_t device_dh[32];    /* X25519 secret: PQXDH's IK */
    uint8_t device_mls[32];   /* Ed25519 seed: leaves */
    uint8_t device_seed[32];  /* link keys are derived from it, one per relay */
    uint32_t last_contact;    /* number of the newest contact */
    uint64_t last_peer;       /* of the newest device of one that is not its first */
    uint32_t list_version;    /* of device_list */
    struct slice certificate; /* ours, encoded */
    struct slice device_list; /* signed, encoded; empty before there is a queue */
    uint64_t queues_ms;       /* when our queues were others last, Unix ms, always ascending */
    uint64_t rekey_next;      /* contacts from this number on are to get new sessions; 0: none */
    uint64_t rekey_why;       /* enum healing_why */
    struct slice owner;       /* our ID where this device does not hold the identity, or empty */
    uint64_t linking;         /* number of the contact that we asked to be a device of; 0: none */
    uint64_t removed;         /* 1: our person's list does not name this device any more */
    uint64_t news_next;       /* contacts from this number on are to hear of our list; 0: none */
    uint64_t list_place;      /* which device of device_list we are, from 0 */
    uint64_t hidden;          /* 1: nothing of it is put into the DHT, or looked up there */
    struct slice ahead;       /* sequence numbers of descriptors, see ahead.h */
    uint64_t anew;      /* 1: it is of an identity that was published before, who knows what */
    uint64_t restoring; /* 1: a backup is being put in; it does nothing before the end */
};

enum home_role {
    HOME_MAIN = 0,    /* queue, key bundle, descriptors */
    HOME_SECOND = 1,  /* one more queue, in case that the first one cannot be reached */
    HOME_LEFT = 2,    /* read until nothing comes any more */
    HOME_LEAVING = 3, /* not read any more: what is ours there is to be deleted */
};

/* STORE_ACCOUNT, account | 0x01: the main relay that this account uses; account | 0x01 | slot u8
 * (from 1): others that it uses or has left. */
struct relay_row {
    struct address address;
    uint8_t member[32];    /* Ed25519 seed: our membership */
    uint8_t queue[32];     /* Ed25519 seed */
    uint8_t record[32];    /* Ed25519 seed */
    uint8_t token_key[32]; /* k of queue and record: the relay holds it too */
    uint8_t siv_key[32];   /* opens token nonces: only we */
    struct slice code;     /* 32-byte code for joining, or empty */
    bool joined;
    bool registered;
    uint64_t record_seq; /* of the bundle that the relay has; 0: none */
    uint32_t parts_sent; /* one-time parts up to this id are at the relay */
    uint32_t spk_id;     /* of the signed prekey in the bundle; 0: none made */
    uint32_t last_part;  /* id of the newest one-time part that was made */
    uint64_t described;  /* descriptors up to this period are at the relay; 0: none */
    /* What the relay gives our queue; days 0: it has not said. */
    uint64_t queue_envelopes;
    uint64_t queue_bytes;
    uint64_t queue_days;
    uint64_t own_machine;  /* 1: the relay is this very node */
    uint64_t role;         /* enum home_role */
    uint64_t left_ms;      /* HOME_LEFT, HOME_LEAVING: since when, Unix ms */
    uint64_t list_version; /* of the device list that the descriptors at the relay name */
    uint64_t rekey;        /* 1: the main one's bundle is to get new prekeys, the old ones to go */
};

/* STORE_INVITE, account | invite id 16. */
struct invite_row {
    uint8_t secret[INVITE_SECRET];
    uint64_t expires;
    uint32_t contact; /* number that its tokens were minted for; once used, who used it */
    bool used;
    uint8_t session[SESSION_T]; /* of the session that used it */
    uint64_t device;            /* 1: who uses it becomes a device of ours */
};

/* Each get gives ERR_NOT_FOUND, ERR_CORRUPT or another LOCAL error. */
enum err account_row_get(struct step *step, struct seal_keys *keys,
                         struct account_row *row) PETREL_MUST_USE;
/* The smallest number of an account, locked or not, that is > after. */
enum err account_row_after(struct step *step, uint32_t after, uint32_t *account) PETREL_MUST_USE;
enum err account_row_put(struct step *step, struct seal_keys *keys,
                         const struct account_row *row) PETREL_MUST_USE;
/* Whether this device holds the identity. */
bool account_row_holds(const struct account_row *row);
/* Our ID, also where it does not. */
void account_row_id(const struct account_row *row, struct sign_pk *id);
/* slot: 0, the main relay, to LIMIT_HOMES - 1. */
enum err relay_row_get(struct step *step, struct seal_keys *keys, unsigned slot,
                       struct relay_row *row) PETREL_MUST_USE;
enum err relay_row_put(struct step *step, struct seal_keys *keys, unsigned slot,
                       const struct relay_row *row) PETREL_MUST_USE;
enum err relay_row_del(struct step *step, struct seal_keys *keys, unsigned slot) PETREL_MUST_USE;
enum err invite_row_get(struct step *step, struct seal_keys *keys, const uint8_t id[INVITE_ID],
                        struct invite_row *row) PETREL_MUST_USE;
enum err invite_row_put(struct step *step, struct seal_keys *keys, const uint8_t id[INVITE_ID],
                        const struct invite_row *row) PETREL_MUST_USE;

/* A relay at address that we do not use yet: keys of its own for everything. */
void relay_row_fresh(struct step *step, const struct address *address, struct relay_row *row);
/* Whether there is an invitation that nobody used and whose time is not over. */
enum err invite_row_open(struct step *step, struct seal_keys *keys, bool *open) PETREL_MUST_USE;

/* Of the roots that the host could open, the one that the account's keys are wrapped under. NULL:
 * none of them is. */
const struct node_root *account_root(struct store *store, uint32_t account,
                                     const struct node_root *roots, size_t n);

#endif
