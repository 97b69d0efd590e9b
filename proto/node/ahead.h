/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead: which sequence number the descriptor of each period has, of those that are signed and not
 * over. docs/protocol/06-identity.md, section 9.
 *
 * It begins at 1 in every period, so that it ties no two days together, and grows by 1 with each
 * new device list that is published in it. Kept in the account's row.
 */
#ifndef PETREL_NODE_AHEAD_H
#define PETREL_NODE_AHEAD_H

#include "node/rows.h"

enum {
    AHEAD_PERIODS = LIMIT_DESCRIPTORS_AHEAD - 2, /* periods that are signed ahead: all of those
                                                    but this one and the one before it */
};

/* The number for the list of account's version: the same as long as that is the same. Changes
 * account, which the caller puts; *fresh: it did. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err ahead_seq(struct step *step, struct account_row *account, uint64_t period, uint64_t *seq,
                   bool *fresh) PETREL_MUST_USE;
/* The one that was given last for this period; 0: none. */
uint64_t ahead_last(const struct account_row *account, uint64_t period);
/* Those of all periods that are not over become greater than seq: somebody has published it, or may
 * have. The caller puts account. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err ahead_raise(struct step *step, struct account_row *account, uint64_t seq) PETREL_MUST_USE;

#endif
