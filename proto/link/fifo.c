/* SPDX-License-Identifier: Apache-2.0 */
#include "link/fifo.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void fifo_fini(struct fifo *f)
{
    if (f->p != NULL) {
        secret_wipe(f->p, f->cap);
        free(f->p);
    }
    *f = (struct fifo){.p = NULL};
}

/* Not realloc: that would leave a copy behind that nobody wipes. */
static bool grow(struct fifo *f, size_t need, size_t most)
{
    size_t cap = f->cap > SIZE_MAX / 2 ? need : f->cap * 2;
    cap = cap > most ? most : cap;
    cap = cap < need ? need : cap;
    uint8_t *p = malloc(cap);
    if (p == NULL) {
        return false;
    }
    struct fifo bigger = {.p = p, .len = f->len, .cap = cap};
    if (f->len > 0) {
        memcpy(p, f->p + f->start, f->len);
    }
    fifo_fini(f);
    *f = bigger;
    return true;
}

uint8_t *fifo_reserve(struct fifo *f, size_t n, size_t most)
{
    assert(n > 0 && n <= SIZE_MAX / 4 && f->len <= SIZE_MAX / 4);
    if (f->cap - f->start - f->len >= n) {
        return f->p + f->start + f->len;
    }
    /* Moving pays once at least half of the memory lies before the first byte. */
    if (f->cap - f->len >= n && f->len <= f->start) {
        memmove(f->p, f->p + f->start, f->len);
        f->start = 0;
    } else if (!grow(f, f->len + n, most)) {
        return NULL;
    }
    return f->p + f->start + f->len;
}

void fifo_commit(struct fifo *f, size_t n)
{
    assert(n <= f->cap - f->start - f->len);
    f->len += n;
}

struct slice fifo_bytes(const struct fifo *f)
{
    return f->len == 0 ? slice_of(NULL, 0) : slice_of(f->p + f->start, f->len);
}

void fifo_take(struct fifo *f, size_t n)
{
    assert(n <= f->len);
    f->start += n;
    f->len -= n;
    if (f->len == 0) {
        fifo_fini(f);
    }
}
