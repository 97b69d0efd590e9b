/* SPDX-License-Identifier: Apache-2.0
 *
 * mining: the search for a stamp, sliced over turns so that it never holds one up.
 * docs/decisions/0002 says why this is not a worker's job.
 */
#ifndef PETREL_NODE_MINING_H
#define PETREL_NODE_MINING_H

#include "crypto/stamp.h"

/* A search for a stamp, sliced over turns. */
struct mining {
    bool wanted; /* goal is set */
    bool found;  /* nonce is the stamp's */
    struct stamp_goal goal;
    unsigned bits;
    uint64_t nonce;
};

/* Goes on with the search for this goal, trying at most *budget hashes, which it takes off; begins
 * anew for another goal or price, or when the relay would soon call its minute stale. true:
 * mining->nonce is the stamp's, for mining->goal (whose minute may be a little older). */
bool mining_step(struct mining *mining, const struct stamp_goal *goal, unsigned bits,
                 unsigned *budget);

#endif
