/* SPDX-License-Identifier: Apache-2.0
 *
 * signed: [bin(body), bin(signature)], the form of what an identity or a node signs for others to
 * keep.
 *
 * The signature covers label | 0x00 | the exact bytes of body, is verified before body is decoded,
 * and never re-encoded. docs/protocol/06-identity.md, section 1.
 */
#ifndef PETREL_CRYPTO_SIGNED_H
#define PETREL_CRYPTO_SIGNED_H

#include "base/pack.h"
#include "crypto/prim.h"

enum {
    SIGNED_OVERHEAD = 1 + 3 + 2 + PRIM_SIGNATURE, /* at most, body apart (up to 64 KiB) */
};

/* Appends the array to w. ERR_TOO_LARGE (PRIM_SIGNED_MAX), ERR_NO_SPACE. */
enum err signed_write(struct writer *w, const char *label, struct slice body,
                      const struct sign_sk *sk) PETREL_MUST_USE;
/* Checks form and signature; body borrows from bytes. ERR_TOO_LARGE when bytes.len > max,
 * ERR_MALFORMED, ERR_BAD_KEY, ERR_BAD_SIGNATURE. */
enum err signed_open(struct slice bytes, size_t max, const char *label, const struct sign_pk *pk,
                     struct slice *body) PETREL_MUST_USE;

/* A bin of 32 bytes that is a valid Ed25519 point; latches ERR_MALFORMED or ERR_BAD_KEY. */
void signed_read_key(struct reader *r, struct sign_pk *out);

#endif
