/* SPDX-License-Identifier: Apache-2.0
 *
 * pad: the sizes that an envelope may have, so that its length says little. Protocol section 4;
 * docs/protocol/06-identity.md, section 11. Records of a link pad on their own (link/seal.h).
 */
#ifndef PETREL_CRYPTO_PAD_H
#define PETREL_CRYPTO_PAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

/* Bytes of class 0 .. LIMIT_ENVELOPE_CLASSES - 1: 1,024, 4,096, 16,384, 61,440. */
size_t pad_class_size(unsigned class);
/* The smallest class that holds len bytes. ERR_TOO_LARGE. */
enum err pad_class(size_t len, unsigned *class) PETREL_MUST_USE;
/* Whether len is exactly the size of a class, and which. */
bool pad_class_exact(size_t len, unsigned *class);

#endif
