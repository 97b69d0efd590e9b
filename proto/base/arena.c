/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum {
    ARENA_CHUNK = 64 * 1024, /* usual size of a chunk */
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.head = NULL, .total = 0, .limit = limit};
}

/* Frees chunk after wiping what was handed out of it. */
static void chunk_free(struct arena_chunk *chunk)
{
    sodium_memzero(chunk->bytes, chunk->used);
    free(chunk);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = NULL;
    while (a->head != NULL) {
        struct arena_chunk *chunk = a->head;
        a->head = chunk->next;
        /* The first chunk is kept: most turns need no other. */
        if (a->head == NULL && chunk->cap == ARENA_CHUNK) {
            keep = chunk;
            break;
        }
        chunk_free(chunk);
    }
    if (keep != NULL) {
        sodium_memzero(keep->bytes, keep->used);
        keep->used = 0;
        keep->next = NULL;
    }
    a->head = keep;
    a->total = keep != NULL ? keep->cap : 0;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t len)
{
    size_t cap = len > ARENA_CHUNK ? len : ARENA_CHUNK;
    if (cap > a->limit || a->total > a->limit - cap) {
        return NULL;
    }
    struct arena_chunk *chunk = malloc(sizeof *chunk + cap);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->cap = cap;
    chunk->used = 0;
    chunk->next = a->head;
    a->head = chunk;
    a->total += cap;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t len)
{
    const size_t align = alignof(max_align_t);
    if (len > SIZE_MAX - align) {
        return NULL;
    }
    size_t need = (len + align - 1) / align * align;
    if (need == 0) {
        need = align;
    }
    struct arena_chunk *chunk = a->head;
    if (chunk == NULL || need > chunk->cap - chunk->used) {
        chunk = chunk_new(a, need);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += need;
    memset(p, 0, need);
    return p;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){.chunk = a->head, .used = a->head == NULL ? 0 : a->head->used};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    while (a->head != mark.chunk) {
        struct arena_chunk *chunk = a->head;
        assert(chunk != NULL); /* else the mark is of another arena */
        a->head = chunk->next;
        a->total -= chunk->cap;
        chunk_free(chunk);
    }
    if (a->head != NULL) {
        assert(mark.used <= a->head->used);
        sodium_memzero(a->head->bytes + mark.used, a->head->used - mark.used);
        a->head->used = mark.used;
    }
}

struct slice arena_copy(struct arena *a, struct slice bytes)
{
    if (bytes.len == 0) {
        return slice_of(NULL, 0);
    }
    uint8_t *p = arena_alloc(a, bytes.len);
    if (p == NULL) {
        return slice_of(NULL, 0);
    }
    memcpy(p, bytes.p, bytes.len);
    return slice_of(p, bytes.len);
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
    if (a->head != NULL) {
        chunk_free(a->head);
        a->head = NULL;
    }
    a->total = 0;
}
