/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/ahead.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

static void measure(struct ahead *a)
{
    struct stat st;
    a->end = fstat(a->fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

void ahead_init(struct ahead *a, int fd)
{
    a->fd = fd;
    a->used = UINT64_MAX;
    measure(a);
}

static uint64_t step(uint64_t used)
{
    uint64_t bytes = used / 8 / AHEAD_BLOCK * AHEAD_BLOCK;
    bytes = bytes < AHEAD_LEAST ? AHEAD_LEAST : bytes;
    return bytes > AHEAD_MOST ? AHEAD_MOST : bytes;
}

void ahead_keep(struct ahead *a, uint64_t used)
{
    static const alignas(AHEAD_BLOCK) uint8_t zeros[1 << 16];
    bool fast = used > a->used && used - a->used > AHEAD_LEAST;
    a->used = used;
    if (fast || a->end >= used + AHEAD_LEAST / 2) {
        return;
    }
    measure(a); /* the database may have lengthened it itself */
    uint64_t end = (a->end > used ? a->end : used) + step(used);
    while (a->end < end) {
        size_t len = end - a->end < sizeof zeros ? (size_t)(end - a->end) : sizeof zeros;
        ssize_t n = pwrite(a->fd, zeros, len, (off_t)a->end);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        a->end += (uint64_t)n;
    }
}
