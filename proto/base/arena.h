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
/* Wipes all and frees all but one chunk; the arena may be used again. */
void arena_reset(struct arena *a);
/* Wipes and frees all, the kept chunk too. */
void arena_fini(struct arena *a);
/* len zeroed bytes aligned for any type, or NULL when the limit or memory is used up. */
void *arena_alloc(struct arena *a, size_t len);
/* A point to go back to, so that a loop over many rows needs the memory of one. */
struct arena_mark {
    struct arena_chunk *chunk; /* newest at that time; NULL: the arena was empty */
    size_t used;               /* of it */
};
struct arena_mark arena_mark(const struct arena *a);
/* Wipes and frees what was allocated after the mark, which must be of this arena and from after its
 * last reset. Marks that were taken later are void. */
void arena_rewind(struct arena *a, struct arena_mark mark);
/* A copy of bytes in the arena; p is NULL when out of memory (and len > 0). */
struct slice arena_copy(struct arena *a, struct slice bytes);

#endif
