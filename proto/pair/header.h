/* SPDX-License-Identifier: Apache-2.0
 *
 * header: the 45 bytes that tell a receiver which ratchet step and message key an envelope uses,
 * and their encryption. Double Ratchet with header encryption; docs/protocol/05-session.md,
 * section 6.
 */
#ifndef PETREL_PAIR_HEADER_H
#define PETREL_PAIR_HEADER_H

#include <stdint.h>

#include "crypto/prim.h"

enum {
    HEADER_PLAIN = 45,
    HEADER_SEALED = HEADER_PLAIN + PRIM_AEAD_TAG,
};

struct header {
    struct dh_pk dh;    /* the sender's ratchet key */
    uint32_t pn;        /* messages in the sender's previous chain */
    uint32_t n;         /* number in this chain, from 0 */
    uint32_t kem_epoch; /* of the KEM ratchet; 0 before its first step */
    uint8_t flags;      /* 0 */
};

/* key: the chain's header key; nonce: the envelope's; ad: T. */
void header_seal(uint8_t out[static HEADER_SEALED], const struct aead_key *key,
                 const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                 const struct header *header);
/* ERR_DECRYPT: another chain's. What it says is not judged here. */
enum err header_open(struct header *header, const struct aead_key *key,
                     const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                     const uint8_t sealed[static HEADER_SEALED]) PETREL_MUST_USE;

#endif
