/* SPDX-License-Identifier: Apache-2.0
 *
 * ratchet: the Double Ratchet with header encryption (Signal's specification, sections 2.2-2.4 and
 * 4): from the session secret SK to one key for each message. Protocol section 5;
 * docs/protocol/05-session.md, sections 5-7.
 *
 * A sending step is taken when the first message after a received ratchet key is sealed, not when
 * that key comes: the same on the wire, a secret less at rest. Opening works on a copy: nothing
 * moves before ratchet_commit, which comes after the body's tag was checked.
 */
#ifndef PETREL_PAIR_RATCHET_H
#define PETREL_PAIR_RATCHET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "crypto/prim.h"
#include "pair/header.h"
#include "pair/kem_ratchet.h"
#include "pair/skipped.h"

enum {
    RATCHET_SK = 32,
    RATCHET_SAVED = 1 + 10 * 32 + 5 * 4, /* bytes of a saved struct ratchet */
};

struct ratchet_key { /* root, chain and message keys */
    uint8_t b[32];
};

struct ratchet {
    struct ratchet_key root;
    struct dh_sk dh;           /* our ratchet key */
    struct dh_pk dh_public;    /* and its public half */
    struct dh_pk dh_other;     /* theirs, when can_send */
    struct ratchet_key send;   /* chain keys: */
    struct ratchet_key recv;   /* when receiving */
    struct aead_key send_head; /* header keys of the two chains */
    struct aead_key recv_head;
    struct aead_key send_next; /* header keys after the next step of each side */
    struct aead_key recv_next;
    uint32_t send_n; /* messages sealed in this chain */
    uint32_t recv_n; /* messages received or skipped in this chain */
    uint32_t prev_n; /* messages sealed in our previous chain */
    uint32_t serial; /* receiving steps so far */
    uint32_t kem;    /* KEM epoch that the root has; 0: none yet */
    bool can_send;   /* their ratchet key is known */
    bool step_due;   /* a sending step comes before the next message */
    bool receiving;  /* there is a receiving chain */
};

/* Chain step (HMAC-SHA-256 with constants 1 and 2): gives a message key, moves the chain. */
void ratchet_chain_step(struct ratchet_key *chain, struct ratchet_key *message);
/* Body key and nonce, from the message key and the envelope's random nonce: a state that was
 * restored from a copy gives the same message key again, and still no two bodies the same key. */
void ratchet_message_keys(const struct ratchet_key *message,
                          const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                          struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE]);

/* The initiator's start: the responder's first ratchet key is its signed prekey. */
void ratchet_start_initiator(struct ratchet *r, const uint8_t sk[static RATCHET_SK],
                             const struct dh_pk *spk);
void ratchet_start_responder(struct ratchet *r, const uint8_t sk[static RATCHET_SK],
                             const struct dh_sk *spk);

/* Takes the next sending key; the step first, when one is due, with mix in it (epoch 0: nothing).
 * Moves r, so call it on a copy. ERR_NOT_NOW: their ratchet key is not known yet; ERR_BAD_KEY: it
 * gives a zero secret. */
enum err ratchet_send(struct ratchet *r, const struct env *env, const struct kem_mix *mix,
                      struct header *header, struct ratchet_key *message) PETREL_MUST_USE;

/* What a sealed header leads to. Holds secrets: ratchet_opened_wipe on every way out. */
struct ratchet_opened {
    struct ratchet next; /* the state after this message */
    struct header header;
    struct ratchet_key message;
    bool from_store;             /* message is a skipped key of (chain, header.n) */
    uint32_t chain;              /* serial */
    bool closed;                 /* a ratchet step ended the present chain: */
    struct skipped_chain close;  /* what is to be kept of it */
    struct skipped_key *skipped; /* keys to be stored, in the arena */
    size_t skipped_count;
};

/* Finds the chain by trying its header key, and the message key. mix: what goes into a step that
 * names its epoch; epoch 0: none may. ERR_DECRYPT: no chain of this session; ERR_REPLAY: that key
 * was used (or dropped); ERR_TOO_FAR_AHEAD; ERR_BAD_KEY; ERR_MALFORMED. */
enum err ratchet_open(const struct ratchet *r, const struct skipped *skipped, const struct env *env,
                      const struct kem_mix *mix, struct arena *arena, struct slice ad,
                      const uint8_t nonce[static PRIM_AEAD_NONCE],
                      const uint8_t sealed[static HEADER_SEALED],
                      struct ratchet_opened *opened) PETREL_MUST_USE;
/* Moves r and skipped. ERR_NO_MEMORY: nothing has moved. */
enum err ratchet_commit(struct ratchet *r, struct skipped *skipped, const struct env *env,
                        const struct ratchet_opened *opened) PETREL_MUST_USE;
void ratchet_opened_wipe(struct ratchet_opened *opened);

void ratchet_save(const struct ratchet *r, struct writer *w);
/* Latches ERR_CORRUPT. */
void ratchet_load(struct ratchet *r, struct reader *in);

#endif
