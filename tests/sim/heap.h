/* SPDX-License-Identifier: Apache-2.0
 *
 * heap: how much memory the core of each node holds, in turns and between them. The checker
 * `memory`: however long it runs, whatever comes to it, a node holds no more than HEAP_MOST, and a
 * relay HEAP_NONCE more for each nonce of its queues (docs/protocol/04-relay.md, 4.11).
 *
 * Counted is what it allocates and frees in its own turns, with --wrap, the copies that a turn
 * reads left out. What stands for its disk is not its memory, nor is locked memory (base/secret.h),
 * of which an account has a fixed number of pieces.
 */
#ifndef PETREL_TESTS_SIM_HEAP_H
#define PETREL_TESTS_SIM_HEAP_H

#include "sim/sim.h"

#define HEAP_MOST  (INT64_C(1) << 20)
#define HEAP_NONCE INT64_C(48) /* 16 in a table that is three eighths full, or more */

/* Counts in this world from now on; NULL: nowhere. What is done meanwhile with NULL is not counted:
 * gives what was there. */
struct sim *heap_count(struct sim *sim);
/* Looks at every node; the largest of what they hold now. */
int64_t heap_check(struct sim *sim);

#endif
