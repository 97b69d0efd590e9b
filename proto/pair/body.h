/* SPDX-License-Identifier: Apache-2.0
 *
 * body: the plaintext of an envelope's body: len u16 | map | zeros to the class. Protocol sections
 * 4 and 5; docs/protocol/05-session.md, section 8.
 */
#ifndef PETREL_PAIR_BODY_H
#define PETREL_PAIR_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pack.h"
#include "pair/ack.h"
#include "pair/kem_ratchet.h"

enum {
    BODY_BOOT_ID = 8,
    BODY_HASH = 16,
    BODY_LENGTH = 2, /* the field before the map */
};

struct body {
    uint8_t boot_id[BODY_BOOT_ID]; /* of the sender's numbering */
    uint64_t seq;                  /* from 1; 0: ack-only, without content and prev_hash */
    uint8_t prev_hash[BODY_HASH];  /* of content seq - 1; zeros for the first */
    struct slice content;          /* not empty when seq is there */
    bool has_ack;
    uint8_t ack_boot_id[BODY_BOOT_ID]; /* whose numbers are acknowledged: the receiver's */
    struct ack_set ack;
    bool has_ack_hash;
    uint8_t ack_hash[BODY_HASH]; /* of the highest content that is acknowledged */
    struct slice tokens;         /* empty: none */
    struct slice route;          /* empty: none */
    struct kem_part offer;
    struct kem_part answer;
    uint64_t settled; /* all content up to it is settled: acknowledged or given up; 0: not said */
};

/* BLAKE2b-128("petrel/1 content hash" | content). */
void body_hash(struct slice content, uint8_t out[static BODY_HASH]);

/* Bytes of the map. */
size_t body_map_size(const struct body *body);
/* len | map | zeros, filling plain exactly. ERR_NO_SPACE when the map is too long. */
enum err body_write(uint8_t *plain, size_t len, const struct body *body) PETREL_MUST_USE;
/* Slices borrow from plain. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err body_read(struct slice plain, struct body *body) PETREL_MUST_USE;

#endif
