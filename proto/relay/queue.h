/* SPDX-License-Identifier: Apache-2.0
 *
 * queue: the requests of a mailbox with many writers and one reader: register, attach, deposit,
 * push, acknowledge. docs/protocol/04-relay.md, section 6. Codec, both ends; what a relay does with
 * them is relay/host_queue.h.
 *
 * A queue's name is a random Ed25519 public key. Writers need a token or stamp, the reader signs
 * once for each link (attach).
 */
#ifndef PETREL_RELAY_QUEUE_H
#define PETREL_RELAY_QUEUE_H

#include "relay/wire.h"

#define QUEUE_REGISTER_LABEL "petrel/1 register"
#define QUEUE_ATTACH_LABEL   "petrel/1 attach"

/* How long an envelope is kept at most: 1 hour, 1 day, 7 days, 30 days. */
enum {
    QUEUE_LIFETIMES = 4
};
uint64_t queue_lifetime_ms(unsigned lifetime);
/* The smallest class whose time is at least ms; the last one for more. */
unsigned queue_lifetime_class(uint64_t ms);
/* The number 0-3 of the envelope class with exactly this size; -1: no class has it. */
int queue_envelope_class(size_t len);
/* Bytes of an envelope of class 0-3: 1,024, 4,096, 16,384, 61,440. */
size_t queue_envelope_size(unsigned envelope_class);

/* --- Register: a member makes a queue. Signed by the queue's key and by the member's. Idempotent;
 * the same queue with another token key or member is ERR_EXISTS. --- */
struct queue_register {
    struct sign_pk queue;  /* filled by read; write takes both from the secret keys */
    struct sign_pk member; /* likewise */
    struct token_key k;    /* what the relay checks tokens with */
};
/* ERR_REFUSED (no member), ERR_QUOTA, ERR_EXISTS, ERR_BAD_SIGNATURE, ERR_BACKPRESSURE. */
struct queue_register_reply {
    struct relay_reply head;
    uint32_t envelopes; /* limits of this queue: number, */
    uint64_t bytes;     /* size, */
    uint16_t days;      /* and longest time */
};
enum err queue_register_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH], const struct queue_register *q,
                              const struct sign_sk *queue,
                              const struct sign_sk *member) PETREL_MUST_USE;
enum err queue_register_read(struct slice bytes, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH],
                             struct queue_register *q) PETREL_MUST_USE;
enum err queue_register_body_read(struct slice body, struct queue_register *q) PETREL_MUST_USE;
void queue_register_reply_write(struct writer *w, const struct queue_register_reply *reply);
enum err queue_register_reply_read(struct slice bytes,
                                   struct queue_register_reply *reply) PETREL_MUST_USE;

/* --- Attach: the reader says on this link that the queue is its own. Pushes follow, and the link
 * may acknowledge. Takes over from an older link. --- */
struct queue_attach {
    struct sign_pk queue; /* filled by read */
};
/* ERR_NOT_FOUND, ERR_BAD_SIGNATURE. */
struct queue_attach_reply {
    struct relay_reply head;
    uint32_t waiting;  /* envelopes that are stored now */
    uint64_t time_ms;  /* the relay's clock, Unix ms; 0: not said */
    uint16_t dht_port; /* where its node of the DHT is, at the host of its address; 0: nowhere */
};
enum err queue_attach_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH],
                            const struct sign_sk *queue) PETREL_MUST_USE;
enum err queue_attach_read(struct slice bytes, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH],
                           struct queue_attach *attach) PETREL_MUST_USE;
void queue_attach_reply_write(struct writer *w, const struct queue_attach_reply *reply);
enum err queue_attach_reply_read(struct slice bytes,
                                 struct queue_attach_reply *reply) PETREL_MUST_USE;

/* --- Deposit: anyone with a token or stamp. The body is byte for byte the inner request of the
 * later sealed request. --- */
struct queue_deposit {
    struct sign_pk queue;
    struct relay_admission admission; /* a stamp's payload: BLAKE2b-256 of the envelope */
    uint8_t lifetime;                 /* class 0-3 */
    bool volatile_only;               /* push to an attached reader, or drop */
    struct slice envelope;            /* exactly a class's size */
};
enum queue_outcome {
    QUEUE_STORED = 0,  /* or was stored before, with the same token or the same bytes */
    QUEUE_PUSHED = 1,  /* volatile: on its way to the reader, not stored */
    QUEUE_DROPPED = 2, /* volatile: no reader, nothing happened; the token is not spent */
};
/* ERR_BAD_TOKEN (also: no such queue), ERR_TOKEN_SPENT, ERR_STAMP_TOO_CHEAP, ERR_STAMP_STALE,
 * ERR_QUEUE_FULL. */
struct queue_deposit_reply {
    struct relay_reply head;
    uint8_t stamp_bits;         /* with ERR_STAMP_TOO_CHEAP: the price; else 0 */
    enum queue_outcome outcome; /* with ERR_OK */
    struct slice receipt;       /* room for a later receipt; empty */
};
void queue_deposit_write(struct writer *w, const struct queue_deposit *d);
enum err queue_deposit_read(struct slice bytes, struct queue_deposit *d) PETREL_MUST_USE;
void queue_deposit_reply_write(struct writer *w, const struct queue_deposit_reply *reply);
enum err queue_deposit_reply_read(struct slice bytes,
                                  struct queue_deposit_reply *reply) PETREL_MUST_USE;

/* --- Push: relay to reader, no reply. --- */
struct queue_push {
    struct sign_pk queue;
    uint64_t number; /* ascending, for the acknowledgement on this link; 0: volatile, never
                        acknowledged. Says nothing about other queues of the relay */
    bool has_nonce;  /* came with a token, not with a stamp */
    uint8_t nonce[TOKEN_NONCE];
    uint64_t deposited_ms; /* the relay's clock */
    struct slice envelope;
};
void queue_push_write(struct writer *w, const struct queue_push *push);
enum err queue_push_read(struct slice bytes, struct queue_push *push) PETREL_MUST_USE;

/* --- Acknowledge: everything pushed on this link up to and including number is safe with the
 * reader; the relay deletes it. Reply: relay_reply, after the commit. ERR_NOT_NOW: this link is not
 * (or no longer) attached; ERR_PROTOCOL: a number that was never pushed. --- */
struct queue_ack {
    struct sign_pk queue;
    uint64_t number;
};
void queue_ack_write(struct writer *w, const struct queue_ack *ack);
enum err queue_ack_read(struct slice bytes, struct queue_ack *ack) PETREL_MUST_USE;

/* --- Void: the tokens with these nonces are not taken any more, as if they had never been made.
 * One that was spent stays spent. Idempotent. Reply: relay_reply, after the commit. ERR_NOT_NOW:
 * this link is not attached; ERR_QUOTA: the queue's index is full; ERR_BACKPRESSURE. --- */
struct queue_void {
    struct sign_pk queue;
    struct slice nonces; /* 1 to LIMIT_VOID_NONCES of TOKEN_NONCE bytes, one behind the other */
};
void queue_void_write(struct writer *w, const struct queue_void *v);
enum err queue_void_read(struct slice bytes, struct queue_void *v) PETREL_MUST_USE;

#endif
