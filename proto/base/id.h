/* SPDX-License-Identifier: Apache-2.0
 *
 * id: the text form of a person's ID (petrel1...) and of a node's (petrelnode1...): bech32m over a
 * version byte 0 and the 32 bytes of an Ed25519 public key. Protocol section 1;
 * docs/protocol/01-encoding.md, section 5.
 *
 * This layer knows no curve: whether the bytes are a valid point is checked by id_parse and
 * address_parse (node/address.h), which everything that takes an ID from outside uses.
 */
#ifndef PETREL_BASE_ID_H
#define PETREL_BASE_ID_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define ID_HRP      "petrel"
#define NODE_ID_HRP "petrelnode"

enum {
    ID_VERSION = 0,    /* first byte of the payload */
    ID_GROUPS = 53,    /* 33 bytes in groups of 5 bits */
    ID_TEXT = 67,      /* with NUL: hrp 6, '1', 53 groups, checksum 6 */
    NODE_ID_TEXT = 71, /* with NUL: hrp 10 */
};

/* Lower case, NUL-terminated. */
void id_encode(const uint8_t pk[static 32], char out[static ID_TEXT]);
/* All lower or all upper case. ERR_BAD_ID (length, prefix, alphabet, case, version, padding),
 * ERR_BAD_CHECKSUM. */
enum err id_decode(struct slice text, uint8_t pk[static 32]) PETREL_MUST_USE;

void node_id_encode(const uint8_t pk[static 32], char out[static NODE_ID_TEXT]);
enum err node_id_decode(struct slice text, uint8_t pk[static 32]) PETREL_MUST_USE;

#endif
