/* SPDX-License-Identifier: Apache-2.0
 *
 * node: the core. Inputs go in one by one inside a turn, outputs come out, a deadline says when it
 * next wants a tick. Everything durable is in the turn's store; what the object holds in memory can
 * be rebuilt from there, and is, by node_load, at start and after a failed turn.
 *
 * docs/architecture.md, "A turn is a transaction". It owns no socket, clock, disk or thread.
 */
#ifndef PETREL_NODE_NODE_H
#define PETREL_NODE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "crypto/prim.h"
#include "node/skip.h"
#include "store/seal.h"
#include "store/store.h"

struct node;

/* What the host knows and the core must be told. */
struct node_config {
    struct seal_keys *node_keys; /* opened node store key; borrowed for the node's life */
    bool relay;                  /* act as a relay */
    bool relay_open;             /* relay.registration = open: members need no invite code */
    const char *listen_host;     /* what others dial to reach this relay, text; or NULL. Copied */
    uint16_t listen_port;
    uint64_t spent_lru;           /* nonces held in memory; 0: LIMIT_SPENT_LRU */
    const struct node_skip *skip; /* pushes to pass over, borrowed; or NULL */
};

enum node_input_kind {
    NODE_LINK_OPENED, /* handshake and hello done, either direction */
    NODE_FRAME,       /* a frame that is the core's to handle */
    NODE_LINK_CLOSED, /* closed or never opened: err says why */
    NODE_TICK,        /* the deadline has passed (or any other time) */
    NODE_COMMAND,     /* a call over the control socket that changes or shows live state */
};

struct node_input {
    enum node_input_kind kind;
    uint64_t link; /* host's number of the link, never reused; LINK_OPENED, FRAME, LINK_CLOSED */
    union {
        struct {
            bool initiator;             /* true: this node dialled (NODE_OUT_CONNECT) */
            uint8_t handshake_hash[64]; /* channel binding, Noise h */
            struct dh_pk remote_static; /* the other side's link key */
        } opened;
        struct slice frame; /* encoded frame, borrowed for the call */
        enum err closed;
        struct {
            uint64_t client;     /* host's number of the control client */
            uint32_t id;         /* msgpack-RPC message id */
            struct slice method; /* text */
            struct slice params; /* one msgpack map */
            const uint8_t *root; /* SEAL_KEY bytes, the account's root R: account.create and
                                    account.unlock only, else NULL */
        } command;
    } u;
};

enum node_output_kind {
    NODE_OUT_CONNECT, /* dial host:port; the core's chosen link number comes back in LINK_* */
    NODE_OUT_SEND,    /* data: one encoded frame for link */
    NODE_OUT_CLOSE,   /* close link after what was sent before; err is told to the other side */
    NODE_OUT_REPLY,   /* data: encoded result for a command; or err and nothing */
    NODE_OUT_EVENT,   /* the event log has grown up to cursor */
};

/* Outputs are a list in order; each is one malloc block, owned by whoever holds the list. */
struct node_output {
    struct node_output *next;
    enum node_output_kind kind;
    enum err err;            /* CLOSE, REPLY */
    uint64_t link;           /* CONNECT, SEND, CLOSE; links that the core opens have bit 63 set */
    uint64_t client;         /* REPLY */
    uint32_t id;             /* REPLY */
    uint32_t retry_after_ms; /* REPLY with err: when it may be worth trying again; 0: not said */
    uint64_t cursor;         /* EVENT */
    struct {
        struct sign_pk node_id; /* whose relay this must be */
        struct dh_sk link_key;  /* our static for this link; wipe after use */
        char host[LIMIT_HOST + 1];
        uint16_t port;
    } connect;
    size_t len;     /* SEND, REPLY */
    uint8_t data[]; /* SEND, REPLY */
};

struct node_outputs {
    struct node_output *first;
    struct node_output *last;
    size_t count;
    size_t bytes;
};

/* Wipes and frees every output of the list. */
void node_outputs_free(struct node_outputs *outs);

/* NULL when out of memory. Copies config. */
struct node *node_new(const struct node_config *config);
void node_free(struct node *node);
/* Rebuilds memory from the store; on an empty store it makes what must exist (the node ID). Call
 * once, in a turn of its own, before anything else. account_root: R of account 1 when the host
 * could open it, or NULL (then the account is locked until account.unlock). */
enum err node_load(struct node *node, struct turn *turn, const uint8_t *account_root,
                   struct node_outputs *outs) PETREL_MUST_USE;
/* Handles one input. A peer's or client's mistake is answered in outs and gives ERR_OK; any other
 * result is LOCAL and means that the turn has failed: abort it, free outs, free the node. */
enum err node_step(struct node *node, struct turn *turn, const struct node_input *input,
                   struct node_outputs *outs) PETREL_MUST_USE;
/* Call after the last input of a turn, before the commit: pushes, sends and connects that the
 * turn's inputs made possible. */
enum err node_flush(struct node *node, struct turn *turn,
                    struct node_outputs *outs) PETREL_MUST_USE;
/* When the core wants NODE_TICK, Unix ms; UINT64_MAX: never. */
uint64_t node_deadline(const struct node *node);

/* The node's own ID and the secret of its Noise responder static, for the I/O thread. After load.
 */
void node_identity(const struct node *node, struct sign_pk *id, struct sign_sk *sk);

/* Queries: history, contacts, events and the like, from a read transaction, on any thread. root: R
 * of the account, NULL when locked. Gives the result map in w, which has LIMIT_CONTROL_MESSAGE
 * bytes. Errors as a control error, STATE or CALLER or LOCAL. */
enum err node_query(struct turn *turn, const uint8_t *root, struct slice method,
                    struct slice params, struct writer *w) PETREL_MUST_USE;

#endif
