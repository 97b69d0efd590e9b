/* SPDX-License-Identifier: Apache-2.0
 *
 * bep44: the signed buffer of a mutable BitTorrent DHT item, without salt, whose value is a
 * bencoded string. Source: BEP 44, "Signature Verification".
 *
 * The one signature in Petrel without a label of ours: its form is given by the DHT.
 */
#ifndef PETREL_CRYPTO_BEP44_H
#define PETREL_CRYPTO_BEP44_H

#include "base/buf.h"
#include "crypto/prim.h"

enum {
    BEP44_VALUE = 1000, /* longest value, bencoded */
    BEP44_BUFFER = BEP44_VALUE + 40,
};

/* Writes "3:seqi<seq>e1:v<length>:<v>", the bytes that are signed. */
void bep44_buffer(struct writer *w, uint64_t seq, struct slice v);
/* Ed25519 over that buffer. ERR_BAD_SIGNATURE; ERR_TOO_LARGE: v is longer than fits, or seq above
 * 2^63 - 1. */
enum err bep44_verify(const struct sign_pk *pk, uint64_t seq, struct slice v,
                      const uint8_t sig[static PRIM_SIGNATURE]) PETREL_MUST_USE;

#endif
