/* SPDX-License-Identifier: Apache-2.0
 *
 * kem_ratchet: the form of the sparse KEM ratchet's offers and answers in a body. Protocol section
 * 5; docs/protocol/05-session.md, section 10.
 *
 * An offer is an ML-KEM-768 key for epoch e, an answer its ciphertext. Neither is made or used in
 * this version: they are read, checked for form and left alone, and a header's kem_epoch is 0.
 */
#ifndef PETREL_PAIR_KEM_RATCHET_H
#define PETREL_PAIR_KEM_RATCHET_H

#include <stdint.h>

#include "base/pack.h"
#include "pair/pair.h"

enum {
    KEM_PART_OVERHEAD = 1 + 5 + 3, /* array, e, length of the bin; at most */
};

struct kem_part {
    uint32_t epoch;     /* e, from 1; 0: there is none */
    struct slice bytes; /* SESSION_KEM_EK (offer) or SESSION_KEM_CT (answer) bytes; borrowed */
};

/* Array [e, bin]. */
void kem_part_write(struct writer *w, const struct kem_part *part);
/* len: what the bin must hold. Latches ERR_MALFORMED, also for epoch 0. */
void kem_part_read(struct reader *r, size_t len, struct kem_part *part);
/* Bytes that kem_part_write will append. */
size_t kem_part_size(const struct kem_part *part);

#endif
