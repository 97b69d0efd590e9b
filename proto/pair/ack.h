/* SPDX-License-Identifier: Apache-2.0
 *
 * ack: a set of sequence numbers from 1 on: all up to cum, and those of a bitmap above it. What the
 * receiver has, and what the sender knows of it. docs/protocol/05-session.md, section 9.
 *
 * Bit i of the bitmap, bit 0 of each byte first, is cum + 1 + i. Canonical: bit 0 is clear and the
 * last byte in use is not zero.
 */
#ifndef PETREL_PAIR_ACK_H
#define PETREL_PAIR_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"

enum {
    ACK_WINDOW = LIMIT_ACK_BITMAP * 8, /* how far above cum a number may be */
};

struct ack_set {
    uint64_t cum;
    uint16_t used; /* bytes of bits in use; the rest is zero */
    uint8_t bits[LIMIT_ACK_BITMAP];
};

bool ack_has(const struct ack_set *a, uint64_t seq);
/* false, and nothing changes, when seq is more than ACK_WINDOW above cum. */
bool ack_add(struct ack_set *a, uint64_t seq);
/* Everything up to seq is in the set now. */
void ack_raise(struct ack_set *a, uint64_t seq);
/* Adds all of another set; its numbers above limit are left out. */
void ack_merge(struct ack_set *a, const struct ack_set *other, uint64_t limit);
/* Numbers up to last that are not in the set. */
uint64_t ack_missing(const struct ack_set *a, uint64_t last);
/* The highest number in the set; 0 when it is empty. */
uint64_t ack_top(const struct ack_set *a);
/* The bitmap's bytes in use. */
struct slice ack_bitmap(const struct ack_set *a);
/* From cum and bitmap as they came; false, and the set is empty, when they are not canonical or too
 * long. */
bool ack_from(struct ack_set *a, uint64_t cum, struct slice bitmap);

#endif
