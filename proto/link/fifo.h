/* SPDX-License-Identifier: Apache-2.0
 *
 * fifo: bytes that wait: added at the end, taken from the front, memory only while there are any.
 *
 * A link has three: a message that came in part, frames for the core, bytes for the socket. The
 * memory is wiped before it is given back.
 */
#ifndef PETREL_LINK_FIFO_H
#define PETREL_LINK_FIFO_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct fifo {
    uint8_t *p;   /* owned; NULL when cap is 0 */
    size_t start; /* first byte that waits */
    size_t len;   /* bytes that wait */
    size_t cap;
};

/* Wipes and frees; the fifo is empty and may be used again. A fifo of zeros is empty. */
void fifo_fini(struct fifo *f);
/* Room for n bytes behind the last one, or NULL when out of memory (nothing has changed then). What
 * fifo_bytes gave is no longer valid. Grows by doubling, but not needlessly beyond most bytes. */
uint8_t *fifo_reserve(struct fifo *f, size_t n, size_t most);
/* The first n bytes of what was reserved last now wait. */
void fifo_commit(struct fifo *f, size_t n);
/* What waits; valid until the next call that is not fifo_bytes. */
struct slice fifo_bytes(const struct fifo *f);
/* Takes n bytes off the front; gives the memory back when none are left. n may be 0. */
void fifo_take(struct fifo *f, size_t n);

#endif
