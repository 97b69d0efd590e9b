/* SPDX-License-Identifier: Apache-2.0
 *
 * pqxdh: the key agreement that begins a session, between device keys: X25519 four times and
 * ML-KEM-768 once. Protocol section 5; docs/protocol/05-session.md, section 3. After Signal's
 * PQXDH, revision 3, with both certificates and an invitation's secret bound in.
 *
 *     DH1 = DH(IK_A, SPK_B)  DH2 = DH(EK_A, IK_B)  DH3 = DH(EK_A, SPK_B)  DH4 = DH(EK_A, OTK_B)
 *
 * Owns nothing; results are secrets, to be wiped with pqxdh_wipe.
 */
#ifndef PETREL_PAIR_PQXDH_H
#define PETREL_PAIR_PQXDH_H

#include <stdint.h>

#include "base/env.h"
#include "crypto/prim.h"
#include "pair/pair.h"

/* The raw agreement. Absent parts are zeros. */
struct pqxdh_shared {
    uint8_t dh1[32];
    uint8_t dh2[32];
    uint8_t dh3[32];
    uint8_t dh4[32];
    uint8_t ss[32];  /* of ML-KEM */
    uint8_t psk[32]; /* the invitation's secret s */
};

/* What T covers. */
struct pqxdh_transcript {
    struct sign_pk id_a;
    struct sign_pk id_b;
    struct slice certificate_a;
    struct slice certificate_b;
    struct dh_pk spk;
    bool one_time;
    struct dh_pk otk;    /* if one_time */
    struct slice kem_ek; /* SESSION_KEM_EK */
    struct dh_pk ek;
    struct slice kem_ct;   /* SESSION_KEM_CT */
    const uint8_t *invite; /* INVITE_SECRET bytes or NULL */
};

/* What the envelope carries of it. */
struct pqxdh_message {
    struct dh_pk ek;
    uint8_t kem_ct[SESSION_KEM_CT];
};

/* Fills *shared and *message with a fresh EK; psk stays zero. ERR_BAD_KEY: a key of the bundle
 * gives a zero secret or is no ML-KEM key. */
enum err pqxdh_initiate(const struct env *env, const struct pair_self *self,
                        const struct pair_peer *peer, const struct pair_bundle *bundle,
                        struct pqxdh_message *message, struct pqxdh_shared *shared) PETREL_MUST_USE;
/* The responder's side. peer_dh NULL: not known yet, and dh1 stays zero. ERR_BAD_KEY. */
enum err pqxdh_respond(const struct pair_self *self, const struct dh_pk *peer_dh,
                       const struct pair_prekeys *prekeys, const struct dh_pk *ek,
                       const uint8_t kem_ct[static SESSION_KEM_CT],
                       struct pqxdh_shared *shared) PETREL_MUST_USE;
void pqxdh_wipe(struct pqxdh_shared *shared);

/* BLAKE2b-128("petrel/1 invite id" | s). */
void pqxdh_invite_id(const uint8_t s[static INVITE_SECRET], uint8_t out[static INVITE_ID]);
/* out: T. */
void pqxdh_transcript(const struct pqxdh_transcript *t, uint8_t out[static SESSION_T]);
/* SK, from all of shared. */
void pqxdh_sk(const struct pqxdh_shared *shared, const uint8_t t[static SESSION_T],
              uint8_t sk[static 32]);
/* Key and nonce of the introduction, from dh2, dh3, dh4 and ss. One message is sealed under it. */
void pqxdh_intro_key(const struct pqxdh_shared *shared, struct aead_key *key,
                     uint8_t nonce[static PRIM_AEAD_NONCE]);

#endif
