/* SPDX-License-Identifier: Apache-2.0
 *
 * bech32m: text with a human-readable part and a checksum that always finds up to four wrong
 * characters. BIP 350 (and BIP 173 for everything but the constant);
 * docs/protocol/01-encoding.md, section 4.
 */
#ifndef PETREL_BASE_BECH32M_H
#define PETREL_BASE_BECH32M_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    BECH32M_TEXT = 90,    /* longest text, without NUL: BIP 173's bound, which the code needs */
    BECH32M_HRP = 83,     /* longest human-readable part */
    BECH32M_CHECKSUM = 6, /* characters */
    BECH32M_GROUPS = 82,  /* 5-bit groups of a text at most, without checksum */
};

/* A decoded text. */
struct bech32m {
    char hrp[BECH32M_HRP + 1];      /* lower case, NUL-terminated */
    uint8_t groups[BECH32M_GROUPS]; /* 5 bits each */
    size_t count;                   /* of groups */
};

/* Writes lower-case text and NUL. hrp: 1-83 characters of 33-126, no capitals. ERR_ARGUMENT when
 * hrp or a group is out of form or the text would be longer than BECH32M_TEXT. */
enum err bech32m_encode(const char *hrp, const uint8_t *groups, size_t count,
                        char out[static BECH32M_TEXT + 1]) PETREL_MUST_USE;
/* ERR_MALFORMED (form, alphabet, mixed case, length), ERR_BAD_CHECKSUM. */
enum err bech32m_decode(struct slice text, struct bech32m *out) PETREL_MUST_USE;

/* Bytes to groups, the last one filled up with zero bits. Gives the number of groups, 0 when they
 * do not fit cap. */
size_t bech32m_from_bytes(struct slice bytes, uint8_t *groups, size_t cap);
/* Groups to bytes. ERR_MALFORMED when 5 bits or more, or a set bit, are left over, or out (cap
 * bytes) is too small. */
enum err bech32m_to_bytes(const uint8_t *groups, size_t count, uint8_t *out, size_t cap,
                          size_t *len) PETREL_MUST_USE;

#endif
