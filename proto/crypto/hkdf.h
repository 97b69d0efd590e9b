/* SPDX-License-Identifier: Apache-2.0
 *
 * hkdf: HKDF with SHA-256 (RFC 5869). docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_HKDF_H
#define PETREL_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    HKDF_PRK = 32,              /* pseudorandom key, bytes */
    HKDF_OUTPUT_MAX = 255 * 32, /* longest output, RFC 5869, section 2.3 */
};

/* HKDF-Extract. The input key material is the parts, one after the other; salt may be empty. */
void hkdf_extract(uint8_t prk[static HKDF_PRK], struct slice salt, const struct slice *ikm,
                  size_t nikm);
/* HKDF-Expand. info is the parts, one after the other. ERR_ARGUMENT, and nothing written, when len
 * is above HKDF_OUTPUT_MAX. out and prk may be the same memory. */
enum err hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[static HKDF_PRK],
                     const struct slice *info, size_t ninfo) PETREL_MUST_USE;
/* Both in one: out = Expand(Extract(salt, ikm), info, len). Errors as hkdf_expand. */
enum err hkdf(uint8_t *out, size_t len, struct slice salt, struct slice ikm,
              struct slice info) PETREL_MUST_USE;

#endif
