/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/heap.h"

#include <malloc.h>

static struct sim *counting;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

/* Whose memory it is; NULL: that of the world. */
static struct sim_node *owner(void)
{
    struct sim_node *n = counting != NULL ? counting->running : NULL;
    return n != NULL && !n->disk.inside ? n : NULL;
}

static void count(struct sim_node *n, void *p, int sign)
{
    if (n != NULL && p != NULL) {
        n->held += sign * (int64_t)malloc_usable_size(p);
    }
}

void *__wrap_malloc(size_t size)
{
    void *p = __real_malloc(size);
    count(owner(), p, 1);
    return p;
}

void *__wrap_calloc(size_t members, size_t size)
{
    void *p = __real_calloc(members, size);
    count(owner(), p, 1);
    return p;
}

void *__wrap_realloc(void *p, size_t size)
{
    struct sim_node *n = owner();
    count(n, p, -1);
    void *more = __real_realloc(p, size);
    count(n, more != NULL ? more : p, 1);
    return more;
}

void __wrap_free(void *p)
{
    count(owner(), p, -1);
    __real_free(p);
}

struct sim *heap_count(struct sim *sim)
{
    struct sim *was = counting;
    counting = sim;
    return was;
}

int64_t heap_check(struct sim *sim)
{
    int64_t most = 0;
    for (size_t i = 0; i < sim->count; i++) {
        const struct sim_node *n = sim->nodes[i];
        int64_t nonces = (int64_t)store_mem_count(n->mem, STORE_QUEUE_INDEX);
        sim_check(sim, n->held <= HEAP_MOST + HEAP_NONCE * nonces,
                  "memory: node %u holds %lld bytes, with %lld nonces", (unsigned)n->index,
                  (long long)n->held, (long long)nonces);
        most = n->held > most ? n->held : most;
    }
    return most;
}
