/* SPDX-License-Identifier: Apache-2.0
 *
 * kem_ratchet: the sparse KEM ratchet of a session: now and then an ML-KEM-768 secret goes into the
 * root, so that a session heals also from who broke X25519. Protocol section 5;
 * docs/protocol/05-session.md, section 10.
 *
 * One exchange at a time: an offer (a new encapsulation key), the answer (a ciphertext for it), and
 * the step: the offerer's next sending step, whose header names the exchange's epoch, mixes the
 * secret into the root. Offer and answer travel in bodies and are repeated, once in each sending
 * chain, until what follows them came. Epochs are counted from 1; the one that the root has is the
 * caller's (struct ratchet) and handed in.
 *
 *                offer goes                    answer comes
 *        IDLE ----------------> OFFERED ------------------------> READY --+ our step
 *         |  ^                     | offer comes, and we are              v
 *         |  |                     | the responder                       IDLE, epoch + 1
 *         |  +--- their step       v
 *         +----------------> ANSWERED
 *            offer comes
 *
 * Everything else that comes leaves the state alone. Moves only what it is given: on a copy, until
 * the body is accepted. Holds secrets: kem_ratchet_wipe.
 */
#ifndef PETREL_PAIR_KEM_RATCHET_H
#define PETREL_PAIR_KEM_RATCHET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/pack.h"
#include "pair/pair.h"

enum {
    KEM_PART_OVERHEAD = 1 + 5 + 3, /* array, e, length of the bin; at most */
    KEM_SECRET = 32,
    KEM_SEED = 64,
    KEM_SAVED_MAX = 1 + 1 + 4 + 8 + KEM_SECRET + SESSION_KEM_CT,
};

struct kem_part {
    uint32_t epoch;     /* e, from 1; 0: there is none */
    struct slice bytes; /* SESSION_KEM_EK (offer) or SESSION_KEM_CT (answer) bytes; borrowed */
};

/* Array [e, bin]. */
void kem_part_write(struct writer *w, const struct kem_part *part);
/* len: what the bin must hold. Latches ERR_MALFORMED, also for epoch 0. */
void kem_part_read(struct reader *r, size_t len, struct kem_part *part);
/* Bytes that kem_part_write will append. */
size_t kem_part_size(const struct kem_part *part);

enum kem_state {
    KEM_IDLE = 0,
    KEM_OFFERED = 1,  /* ours: secret is the key pair's seed */
    KEM_READY = 2,    /* ours: secret (the first half) goes into our next sending step */
    KEM_ANSWERED = 3, /* theirs: secret goes into their step that names it; ct is repeated */
};

struct kem_ratchet {
    enum kem_state state;
    bool initiator;    /* of the session: whose offer counts when two cross */
    bool told;         /* the part is in this sending chain already */
    uint32_t count;    /* contents sealed and opened since the epoch began */
    uint64_t since_ms; /* when it began */
    uint8_t secret[KEM_SEED];
    uint8_t ct[SESSION_KEM_CT];
};

/* What a step mixes in beside DH; borrowed. */
struct kem_mix {
    uint32_t epoch;
    const uint8_t *secret; /* KEM_SECRET bytes */
};

void kem_ratchet_init(struct kem_ratchet *k, bool initiator, uint64_t now_ms);
void kem_ratchet_wipe(struct kem_ratchet *k);

/* Bytes of the offer or answer that the next body shall carry, as kem_part_size counts; 0: none.
 * step: that body begins a sending chain. */
size_t kem_ratchet_room(const struct kem_ratchet *k, uint32_t epoch, bool step, uint64_t now_ms);
/* Makes an offer when one is due (drawing 64 bytes), and gives what the next body shall carry; the
 * part's bytes are in the arena or in k. ERR_NO_MEMORY. */
enum err kem_ratchet_speak(struct kem_ratchet *k, uint32_t epoch, bool step, const struct env *env,
                           struct arena *arena, struct kem_part *offer,
                           struct kem_part *answer) PETREL_MUST_USE;
/* The body was sealed, with a part or without. content: it held content. */
void kem_ratchet_spoke(struct kem_ratchet *k, bool part, bool content);
/* What a body held; content: it held content. Answers an offer, drawing 32 bytes. *news: something
 * of it was waited for, so the other side should hear from us. ERR_MALFORMED: an epoch that cannot
 * be; ERR_BAD_KEY: an offer that is no key. */
enum err kem_ratchet_take(struct kem_ratchet *k, uint32_t epoch, const struct env *env,
                          const struct kem_part *offer, const struct kem_part *answer, bool content,
                          bool *news) PETREL_MUST_USE;

/* What our next sending step mixes in, or what a step of theirs may name; epoch 0: nothing. */
struct kem_mix kem_ratchet_ours(const struct kem_ratchet *k, uint32_t epoch);
struct kem_mix kem_ratchet_theirs(const struct kem_ratchet *k, uint32_t epoch);
/* That step was taken. */
void kem_ratchet_stepped(struct kem_ratchet *k, uint64_t now_ms);

/* At most KEM_SAVED_MAX bytes. */
void kem_ratchet_save(const struct kem_ratchet *k, struct writer *w);
/* Latches ERR_CORRUPT. */
void kem_ratchet_load(struct kem_ratchet *k, bool initiator, struct reader *r);

#endif
