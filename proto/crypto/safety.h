/* SPDX-License-Identifier: Apache-2.0
 *
 * safety: 60 digits that two people compare to know that each has the other's true ID. Protocol
 * section 1; docs/protocol/06-identity.md, section 3. The construction is that of Signal's numeric
 * fingerprint, with our label.
 */
#ifndef PETREL_CRYPTO_SAFETY_H
#define PETREL_CRYPTO_SAFETY_H

#include "crypto/prim.h"

enum {
    SAFETY_HALF = 30,         /* digits for one ID */
    SAFETY_TEXT = 61,         /* with NUL */
    SAFETY_ITERATIONS = 5200, /* SHA-512 */
};

/* 60 digits and NUL; the same for (a, b) and (b, a). Takes some milliseconds. */
void safety_number(const struct sign_pk *a, const struct sign_pk *b, char out[static SAFETY_TEXT]);

#endif
