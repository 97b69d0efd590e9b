/* SPDX-License-Identifier: Apache-2.0
 *
 * hex: lower-case hexadecimal text of bytes that are shown to people. Not for secrets.
 */
#ifndef PETREL_BASE_HEX_H
#define PETREL_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Writes 2 * len digits and a NUL. */
void hex_encode(const uint8_t *p, size_t len, char *out);
/* Exactly 2 * len digits, either case; false and out unchanged otherwise. */
bool hex_decode(struct slice text, uint8_t *out, size_t len);

#endif
