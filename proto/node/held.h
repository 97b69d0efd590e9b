/* SPDX-License-Identifier: Apache-2.0
 *
 * held: which of the tokens that we made for a contact did not come back: ranges of counters, so
 * that voiding names no others. docs/protocol/07-node.md, sections 4 and 8.
 *
 * As bytes: first u32 | last u32 for each range, ascending, with a gap between two, at most
 * LIMIT_HELD_RANGES. An honest contact uses its tokens in the order in which it got them, so there
 * are few ranges: one, and one more for each token that was lost. When there are too many, a token
 * stays in the set although it came back. Slices are replaced by new ones in the arena.
 */
#ifndef PETREL_NODE_HELD_H
#define PETREL_NODE_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    HELD_RANGE = 8, /* bytes of one range */
    HELD_MAX = LIMIT_HELD_RANGES * HELD_RANGE,
};

/* Whether the bytes are in form. */
bool held_valid(struct slice held);
/* Adds first .. last, all above those that are there. Without room the last range grows over the
 * gap. */
enum err held_add(struct arena *arena, struct slice *held, uint32_t first,
                  uint32_t last) PETREL_MUST_USE;
/* This one came back. *held is as before when it was not there, or there is no room for two
 * ranges. */
enum err held_take(struct arena *arena, struct slice *held, uint32_t counter) PETREL_MUST_USE;
/* Those up to this one count no more. */
enum err held_drop(struct arena *arena, struct slice *held, uint32_t up_to) PETREL_MUST_USE;
/* The smallest one above `after`. false: there is none. */
bool held_next(struct slice held, uint32_t after, uint32_t *counter);
/* The last one of the range that this one is in. */
uint32_t held_end(struct slice held, uint32_t counter);

#endif
