/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

enum {
    ROOM = LIMIT_RPC_LINE + 1, /* a line and its end */
};

bool rpc_lines_init(struct rpc_lines *lines)
{
    *lines = (struct rpc_lines){.p = malloc(ROOM)};
    return lines->p != NULL;
}

void rpc_lines_fini(struct rpc_lines *lines)
{
    if (lines->p != NULL) { /* passphrases */
        secret_wipe(lines->p, ROOM);
        free(lines->p);
        lines->p = NULL;
    }
}

bool rpc_lines_fill(struct rpc_lines *lines, int fd)
{
    if (lines->pos > 0) {
        memmove(lines->p, lines->p + lines->pos, lines->len - lines->pos);
        lines->len -= lines->pos;
        lines->looked -= lines->pos;
        lines->pos = 0;
    }
    ssize_t n = read(fd, lines->p + lines->len, ROOM - lines->len);
    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        return false;
    }
    lines->ended = n == 0;
    lines->len += n > 0 ? (size_t)n : 0;
    return true;
}

enum rpc_line rpc_lines_next(struct rpc_lines *lines, struct slice *line)
{
    size_t left = lines->len - lines->looked;
    uint8_t *end = left == 0 ? NULL : memchr(lines->p + lines->looked, '\n', left);
    if (end == NULL && !lines->ended) {
        lines->over |= lines->len - lines->pos > LIMIT_RPC_LINE;
        lines->pos = lines->over ? lines->len : lines->pos;
        lines->looked = lines->len;
        return RPC_LINE_MORE;
    }
    if (end == NULL && lines->pos == lines->len && !lines->over) {
        return RPC_LINE_END;
    }
    size_t stop = end == NULL ? lines->len : (size_t)(end - lines->p);
    *line = slice_of(lines->p + lines->pos, stop - lines->pos);
    lines->pos = lines->looked = end == NULL ? stop : stop + 1;
    if (lines->over || line->len > LIMIT_RPC_LINE) {
        lines->over = false;
        return RPC_LINE_TOO_LONG;
    }
    return RPC_LINE;
}
