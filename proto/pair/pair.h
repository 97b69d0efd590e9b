/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: the sizes and plain types that the files of this room share: who talks, what a bundle gave,
 * what a first envelope says. Protocol sections 4 and 5; docs/protocol/05-session.md.
 *
 * Owns nothing; types only.
 */
#ifndef PETREL_PAIR_PAIR_H
#define PETREL_PAIR_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/limits.h"
#include "crypto/prim.h"

enum {
    ENVELOPE_ESTABLISHED = 1, /* kind byte */
    ENVELOPE_FIRST = 2,
    ENVELOPE_OVERHEAD = 102, /* kind 1: kind | nonce 24 | header 45+16 | body tag 16 */
    SESSION_T = 32,          /* the transcript hash T: names the session */
    SESSION_CONTENT_HASH = 16,
    SESSION_KEM_EK = 1184, /* ML-KEM-768 encapsulation key */
    SESSION_KEM_DK = 2400,
    SESSION_KEM_CT = 1088,
    INVITE_SECRET = 32,
    INVITE_ID = 16,
};

/* This device. All slices borrowed. */
struct pair_self {
    struct sign_pk id;        /* our identity */
    struct slice certificate; /* our device certificate, encoded */
    struct dh_sk dh;          /* our device DH secret */
};
/* The other device. */
struct pair_peer {
    struct sign_pk id;
    struct slice certificate;
    struct dh_pk dh; /* as in the certificate */
};

/* What a bundle gave us, signatures already checked (pair/prekey.h). */
struct pair_bundle {
    uint32_t spk_id;
    struct dh_pk spk;
    bool one_time;        /* otk and a one-time KEM key; else the last-resort KEM key of spk_id */
    uint32_t one_time_id; /* 0 when !one_time (ids begin with 1) */
    struct dh_pk otk;
    uint8_t kem_ek[SESSION_KEM_EK];
};

/* What the receiver of a first envelope looks up by its ids. */
struct pair_prekeys {
    struct dh_sk spk;
    bool one_time;
    struct dh_sk otk;
    const uint8_t *kem_dk; /* SESSION_KEM_DK bytes: the one-time part's, or the last resort's */
};

/* The plain part of a kind-2 envelope. */
struct session_first {
    uint32_t spk_id;
    uint32_t one_time_id; /* 0: none */
    struct dh_pk ek;      /* EK: the same in every kind-2 envelope of one session */
};

/* What is sealed inside a kind-2 envelope, opened but not yet proven by the body's tag. Borrowed
 * from the arena. */
struct session_intro {
    struct sign_pk id;        /* the claimed identity */
    struct slice device_list; /* encoded, signed; the caller verifies it under id */
    uint8_t device;           /* index of the sending device in it */
    bool has_invite;
    uint8_t invite_id[INVITE_ID];
};

#endif
