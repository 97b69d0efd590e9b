/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mining.h"

#include <string.h>

#include "base/limits.h"

bool mining_step(struct mining *mining, const struct stamp_goal *goal, unsigned bits,
                 unsigned *budget)
{
    bool fits = mining->wanted && mining->bits == bits &&
                memcmp(mining->goal.target, goal->target, sizeof goal->target) == 0 &&
                memcmp(mining->goal.payload, goal->payload, sizeof goal->payload) == 0 &&
                goal->minute - mining->goal.minute <= LIMIT_STAMP_MINUTES - LIMIT_STAMP_MARGIN;
    if (!fits) {
        *mining = (struct mining){.wanted = true, .goal = *goal, .bits = bits};
    }
    if (!mining->found && *budget > 0) {
        mining->found = stamp_mine(&mining->goal, bits, *budget, &mining->nonce);
        *budget = 0;
    }
    return mining->found;
}
