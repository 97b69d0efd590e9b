/* SPDX-License-Identifier: Apache-2.0
 *
 * session_state: what a session holds. docs/protocol/05-session.md, sections 5 to 10.
 *
 * Private to session.c (begin, queries, saving) and session_talk.c (seal, open).
 */
#ifndef PETREL_PAIR_SESSION_STATE_H
#define PETREL_PAIR_SESSION_STATE_H

#include "pair/kem_ratchet.h"
#include "pair/pair.h"
#include "pair/ratchet.h"
#include "pair/sequence.h"
#include "pair/skipped.h"

struct session {
    uint8_t t[SESSION_T];
    bool initiator;
    bool established;
    struct ratchet ratchet;
    struct kem_ratchet kem;
    struct sequence sequence;
    struct skipped skipped;
    uint8_t *first; /* kind-2 bytes before the tail, until we are answered; owned */
    size_t first_len;
};

#endif
