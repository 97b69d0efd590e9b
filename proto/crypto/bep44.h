/* SPDX-License-Identifier: Apache-2.0
 *
 * bep44: a mutable item of the Mainline DHT (BEP 44) with the value that Petrel puts: a 992-byte
 * string, no salt. A relay checks and serves it without knowing whose it is.
 * docs/protocol/06-identity.md, section 9.
 */
#ifndef PETREL_CRYPTO_BEP44_H
#define PETREL_CRYPTO_BEP44_H

#include <stdint.h>

#include "base/limits.h"
#include "crypto/prim.h"

#define BEP44_SEQ_MAX INT64_MAX /* BEP 44: a signed 64-bit integer */

enum {
    BEP44_SALT_MAX = 64,
    BEP44_VALUE_MAX = 1000,              /* bencoded */
    BEP44_BUFFER_MAX = 1000 + 128,       /* signed buffer with the longest salt, seq and value */
    BEP44_ITEM = LIMIT_DESCRIPTOR + 160, /* as bep44_item_write writes it, at most */
};

struct bep44_item {
    struct sign_pk key; /* k: the blinded key */
    uint64_t seq;       /* 0 .. BEP44_SEQ_MAX */
    uint8_t sig[PRIM_SIGNATURE];
    uint8_t value[LIMIT_DESCRIPTOR]; /* the string itself, without its "992:" */
};

/* The bytes that are signed: "4:salt<n>:<salt>" when salt is not empty, then "3:seqi<seq>e1:v" and
 * bencoded, the value as it goes on the wire. */
void bep44_buffer_write(struct writer *w, struct slice salt, uint64_t seq, struct slice bencoded);
/* The signed buffer of an item's seq and value; w needs BEP44_BUFFER_MAX bytes at most. */
void bep44_item_buffer(struct writer *w, uint64_t seq,
                       const uint8_t value[static LIMIT_DESCRIPTOR]);
/* All that a relay can check. ERR_BAD_KEY, ERR_BAD_SIGNATURE, ERR_MALFORMED (seq). */
enum err bep44_item_verify(const struct bep44_item *item) PETREL_MUST_USE;
/* Map {0 key, 1 seq, 2 sig, 3 value}, as link frames and store rows carry it. */
void bep44_item_write(struct writer *w, const struct bep44_item *item);
/* Reads one such value; verifies nothing. The reader's error latches. */
void bep44_item_read(struct reader *r, struct bep44_item *out);

#endif
