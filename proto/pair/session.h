/* SPDX-License-Identifier: Apache-2.0
 *
 * session: one conversation between two devices: PQXDH (pair/pqxdh.h) to begin with, then the
 * Double Ratchet with header encryption (pair/ratchet.h); seals bodies into envelopes and opens
 * envelopes into bodies. Protocol sections 4 (envelope), 5 (sessions); docs/protocol/05-session.md.
 *
 * Owns ratchet state and the per-direction sequence (boot_id, seq, prev_hash, acknowledgements).
 * Never touches a store: the caller loads, calls, saves, in one turn. On error nothing has moved.
 */
#ifndef PETREL_PAIR_SESSION_H
#define PETREL_PAIR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "crypto/prim.h"
#include "pair/pair.h"

/* What the sender wants carried; the session adds sequence, acknowledgements and KEM parts. */
struct session_out {
    struct slice content; /* empty: an ack-only body, which has no seq and is never acknowledged */
    struct slice tokens;  /* encoded deposit tokens for the other side, or empty */
    struct slice route;   /* encoded queue (relay and key) to answer to, or empty */
};

/* What an opened body held. Slices are in the arena. */
struct session_in {
    bool has_content;
    uint64_t seq;   /* of the content, from 1 in each boot */
    bool duplicate; /* this seq with the same hash was seen: acknowledge, show nothing */
    bool gap;       /* an earlier seq has not come yet, or prev_hash does not fit */
    bool reset;     /* same seq with another hash, or another boot_id: the other side was
                       restored or rolled back */
    bool behind;    /* it acknowledges what we never sent: we were, and it counts for nothing */
    bool has_acked; /* of the highest content of ours that it acknowledges it has this hash */
    uint64_t acked_seq;
    uint8_t acked_hash[SESSION_CONTENT_HASH];
    struct slice content;
    struct slice tokens;
    struct slice route;
};

/* What acknowledgements name content by: BLAKE2b-128("petrel/1 content hash" | content). */
void session_content_hash(struct slice content, uint8_t out[static SESSION_CONTENT_HASH]);

struct session; /* about 2 KiB, more with skipped keys; secrets: wiped by session_free */

struct session *session_new(void);
void session_free(struct session *s);
/* Complete state, for a sealed row: under 1.5 KiB in an established session without skipped keys
 * and gaps. Skipped message keys are part of it, 44 bytes each. session_load checks form and
 * bounds: ERR_CORRUPT, and s is as before; it may be called again and again on the same s. */
enum err session_save(const struct session *s, struct arena *arena,
                      struct slice *out) PETREL_MUST_USE;
enum err session_load(struct session *s, struct slice saved) PETREL_MUST_USE;

/* Initiator. invite: INVITE_SECRET bytes or NULL; device_list and device are what the other side
 * will verify us by. Envelopes are kind 2 until the first one of theirs was opened. ERR_BAD_KEY
 * when a key of the bundle is none; ERR_TOO_LARGE (LIMIT_DEVICE_LIST), ERR_ARGUMENT (device). */
enum err session_initiate(struct session *s, const struct env *env, struct arena *arena,
                          const struct pair_self *self, const struct pair_peer *peer,
                          const struct pair_bundle *bundle, const uint8_t *invite,
                          struct slice device_list, uint8_t device) PETREL_MUST_USE;

/* Responder, step 1: the ids to look up. An envelope of a session that runs already (the other
 * side has not heard from us yet) is opened with session_open alone. ERR_MALFORMED. */
enum err session_first_read(struct slice envelope, struct session_first *first) PETREL_MUST_USE;
/* Step 2: opens the introduction. ERR_DECRYPT, ERR_BAD_KEY, ERR_MALFORMED. */
enum err session_first_open(struct arena *arena, const struct pair_self *self,
                            const struct pair_prekeys *prekeys, struct slice envelope,
                            struct session_intro *intro) PETREL_MUST_USE;
/* Step 3: with the peer's verified certificate and the invitation's secret (or NULL), starts the
 * session; then session_open on the same envelope gives the body and proves the sender. T, also
 * the replay cache's key, is session_id afterwards. */
enum err session_accept(struct session *s, const struct env *env, struct arena *arena,
                        const struct pair_self *self, const struct pair_peer *peer,
                        const struct pair_prekeys *prekeys, const uint8_t *invite,
                        struct slice envelope) PETREL_MUST_USE;

/* T. */
const uint8_t *session_id(const struct session *s);
/* Whether an envelope of the other side was opened: we know that it has the session. */
bool session_established(const struct session *s);

/* Bytes of content, tokens and route that fit an envelope of this class (0-3) at most, beside what
 * the KEM ratchet has to say now. */
size_t session_room(const struct session *s, unsigned envelope_class, uint64_t now_ms);
/* Seals into the smallest class that fits. seq_out: the content's seq (0 for ack-only).
 * ERR_BACKPRESSURE: LIMIT_UNACKED are unacknowledged; ERR_TEXT_TOO_LONG: fits no class;
 * ERR_NOT_NOW: accepted, but the first envelope was not opened yet. */
enum err session_seal(struct session *s, const struct env *env, struct arena *arena,
                      const struct session_out *out, struct slice *envelope,
                      uint64_t *seq_out) PETREL_MUST_USE;
/* Opens an envelope of this session. ERR_DECRYPT when it is not one of this session (try the
 * next) or was changed; ERR_REPLAY when its key was used: the other side did not get our
 * acknowledgement, so send one; ERR_TOO_FAR_AHEAD, ERR_MALFORMED, ERR_TOO_LARGE, ERR_BAD_KEY. */
enum err session_open(struct session *s, const struct env *env, struct arena *arena,
                      struct slice envelope, struct session_in *in) PETREL_MUST_USE;

/* Whether content of ours with this seq (of the present boot) was acknowledged by the other side,
 * or forgotten. */
bool session_acked(const struct session *s, uint64_t seq);
/* All content of ours up to and including this seq is acknowledged. */
uint64_t session_acked_up_to(const struct session *s);
/* Whether we owe the other side an acknowledgement: content, or a part of a KEM exchange, arrived
 * since the last body sent. */
bool session_owes_ack(const struct session *s);
/* The other side went back to an earlier state in this session: nothing is acknowledged in it any
 * more, since that could be taken for what was lost, and another one is to replace it. */
bool session_forked(const struct session *s);
/* KEM epoch of the root: how many exchanges were completed. */
uint32_t session_kem_epoch(const struct session *s);
/* Content of ours with this seq will not be sent again (the outbox gave it up): it no longer counts
 * as unacknowledged, and the other side is told not to wait for it. */
void session_forget(struct session *s, uint64_t seq);
/* Drops skipped keys older than LIMIT_SKIPPED_DAYS; true when there were any, so that the caller
 * saves. Opening does it too: this is for sessions that fell silent. */
bool session_expire(struct session *s, uint64_t now_ms);

#endif
