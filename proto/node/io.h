/* SPDX-License-Identifier: Apache-2.0
 *
 * io: what goes into the core and what comes out of it. docs/architecture.md, "A turn is a
 * transaction". The functions that take them are in node/node.h.
 */
#ifndef PETREL_NODE_IO_H
#define PETREL_NODE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "crypto/bep44.h"
#include "crypto/prim.h"
#include "node/policy.h"
#include "node/skip.h"
#include "store/seal.h"

/* The root R of an account, which opens its rows (store/seal.h). Secret. */
struct node_root {
    uint32_t account;
    uint32_t generation; /* from 1 */
    uint32_t former;     /* roots up to this generation were sealed under another secret before */
    bool opened;         /* out of files that were there: it makes no account */
    uint8_t r[SEAL_KEY];
    uint8_t secret[SEAL_KEY]; /* the host's affair: what seals R in the erase file */
};

/* What the host knows and the core must be told. */
struct node_config {
    struct seal_keys *node_keys; /* opened node store key; borrowed for the node's life */
    bool relay;                  /* act as a relay */
    bool relay_open;             /* relay.registration = open: members need no invite code */
    const char *listen_host;     /* what others dial to reach this relay, text; or NULL. Copied */
    uint16_t listen_port;
    const struct forward_policy *forward; /* copied; NULL: the standard one */
    uint64_t spent_lru;                   /* nonces held in memory; 0: LIMIT_SPENT_LRU */
    const struct node_skip *skip;         /* pushes to pass over, borrowed; or NULL */
    bool dht;                             /* the host has a node of the DHT, */
    uint16_t dht_port;                    /* which others may begin with, there; 0: not */
    bool proxy;                           /* all links go out through one; for daemon.status */
};

enum node_input_kind {
    NODE_LINK_OPENED, /* handshake and hello done, either direction */
    NODE_FRAME,       /* a frame that is the core's to handle */
    NODE_LINK_CLOSED, /* closed or never opened: err says why */
    NODE_TICK,        /* the deadline has passed (or any other time) */
    NODE_COMMAND,     /* a call over the control socket that changes or shows live state */
    NODE_POLICY,      /* the operator has another policy for forwards */
    NODE_ERASED,      /* NODE_OUT_ERASE is done, durably */
    NODE_ROOTED,      /* NODE_OUT_ROOT is done, durably, or could not be */
    NODE_DHT_ITEM,    /* NODE_OUT_DHT_GET `link` found an item, whoever wrote it; more may come */
    NODE_DHT_DONE,    /* it is over */
    NODE_DHT_TABLE,   /* nodes of the DHT that were there lately, to be kept: opaque */
};

struct node_input {
    enum node_input_kind kind;
    uint64_t link; /* host's number of the link, never reused; LINK_OPENED, FRAME, LINK_CLOSED;
                      DHT_ITEM, DHT_DONE: the core's number of the get */
    union {
        struct {
            bool initiator;             /* true: this node dialled (NODE_OUT_CONNECT) */
            uint8_t handshake_hash[64]; /* channel binding, Noise h */
            struct dh_pk remote_static; /* the other side's link key */
        } opened;
        struct slice frame; /* encoded frame, borrowed for the call */
        enum err closed;
        const struct forward_policy *policy; /* borrowed for the call */
        struct {
            uint64_t client;              /* host's number of the control client */
            uint32_t id;                  /* msgpack-RPC message id */
            struct slice method;          /* text */
            struct slice params;          /* one msgpack map */
            const struct node_root *root; /* of the account: account.create, account.unlock and
                                             account.passphrase only, else NULL */
        } command;
        uint32_t erased;               /* account */
        const struct bep44_item *item; /* borrowed for the call */
        struct slice table;            /* LIMIT_DHT_SAVED at most; likewise */
        struct {
            const struct node_root *root; /* borrowed for the call */
            enum err err;
        } rooted;
    } u;
};

enum node_output_kind {
    NODE_OUT_CONNECT, /* dial host:port; the core's chosen link number comes back in LINK_* */
    NODE_OUT_SEND,    /* data: one encoded frame for link */
    NODE_OUT_CLOSE,   /* close link after what was sent before; err is told to the other side */
    NODE_OUT_REPLY,   /* data: encoded result for a command; or err and nothing */
    NODE_OUT_EVENT,   /* the event log of account has grown up to cursor */
    NODE_OUT_ERASE,   /* destroy all that opens account, then NODE_ERASED; comes again after a
                         restart, until that was said */
    NODE_OUT_LOCKED,  /* the account is locked: forget its R, and end what its clients listen to */
    NODE_OUT_ROOT,    /* data: R of this generation, for the slot of the account's erase file that
                         is not in use. Then NODE_ROOTED, whatever comes of it */
    NODE_OUT_ROOT_KEEP, /* this generation is in use: destroy every other R of the account. These
                           two are done one after the other, in the order in which they come */
    NODE_OUT_DHT_TABLE, /* data: what the last NODE_DHT_TABLE said; once, after the start */
    NODE_OUT_DHT_GET,   /* data: key of a mutable item without salt, to be looked up under number
                           `link`; then NODE_DHT_DONE, whatever comes of it */
    NODE_OUT_DHT_NODE,  /* connect.host and port: one to begin with, as good as configured */
    NODE_OUT_DHT_PUT,   /* data: an item (bep44_item_write) to be put; nothing comes back */
};

/* Outputs are a list in order; each is one malloc block, owned by whoever holds the list. */
struct node_output {
    struct node_output *next;
    enum node_output_kind kind;
    enum err err;            /* CLOSE, REPLY */
    uint64_t link;           /* CONNECT, SEND, CLOSE; links that the core opens have bit 63 set;
                                DHT_GET: its number */
    uint64_t client;         /* REPLY */
    uint32_t id;             /* REPLY */
    uint32_t retry_after_ms; /* REPLY with err: when it may be worth trying again; 0: not said */
    uint64_t cursor;         /* EVENT */
    uint32_t account; /* EVENT, ERASE, LOCKED, ROOT, ROOT_KEEP; REPLY: which one the command's root
                         opened; 0: none */
    uint32_t generation; /* ROOT, ROOT_KEEP */
    struct {
        struct sign_pk node_id; /* whose relay this must be */
        struct dh_sk link_key;  /* our static for this link; wipe after use */
        char host[LIMIT_HOST + 1];
        uint16_t port;
        bool public_only; /* refuse private addresses, also those that a name resolves to */
    } connect;
    size_t len;     /* SEND, REPLY, ROOT, DHT_GET, DHT_PUT, DHT_TABLE */
    uint8_t data[]; /* likewise */
};

struct node_outputs {
    struct node_output *first;
    struct node_output *last;
    size_t count;
    size_t bytes;
};

/* Moves all of `from` behind `to`. */
void node_outputs_splice(struct node_outputs *to, struct node_outputs *from);
/* Wipes and frees every output of the list. */
void node_outputs_free(struct node_outputs *outs);

#endif
