/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: memory that lives for one turn. Allocation is a bump, release is all at once, and every
 * byte is wiped on release, because decrypted rows and message bodies live here.
 */
#ifndef PETREL_BASE_ARENA_H
#define PETREL_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* newest chunk, owned */
    size_t total;             /* bytes in all chunks */
    size_t limit;             /* upper bound of total */
};

void arena_init(struct arena *a, size_t limit);
/* A place in the arena, to go back to. */
struct arena_mark {
    struct arena_chunk *head;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
/* Wipes and gives back what was handed out since the mark; marks made since are void. */
void arena_rewind(struct arena *a, struct arena_mark mark);
/* Wipes all and frees all but one chunk; the arena may be used again. */
void arena_reset(struct arena *a);
/* Wipes and frees all, the kept chunk too. */
void arena_fini(struct arena *a);
/* len zeroed bytes aligned for any type, or NULL when the limit or memory is used up. */
void *arena_alloc(struct arena *a, size_t len);
/* A copy of bytes in the arena; p is NULL when out of memory (and len > 0). */
struct slice arena_copy(struct arena *a, struct slice bytes);

#endif
