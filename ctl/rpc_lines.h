/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc_lines: standard input as lines of at most LIMIT_RPC_LINE bytes. What is longer is passed over
 * up to its end and told, so that one bad line costs only itself.
 */
#ifndef PETREL_CTL_RPC_LINES_H
#define PETREL_CTL_RPC_LINES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/limits.h"

struct rpc_lines {
    uint8_t *p;    /* LIMIT_RPC_LINE + 1 bytes, owned */
    size_t len;    /* of them filled */
    size_t pos;    /* where the next line begins */
    size_t looked; /* up to here there is no line break behind pos */
    bool over;     /* inside a line that is too long */
    bool ended;    /* nothing more will come */
};

enum rpc_line {
    RPC_LINE,          /* one line, without its end */
    RPC_LINE_MORE,     /* rpc_lines_fill first */
    RPC_LINE_TOO_LONG, /* one was passed over */
    RPC_LINE_END,      /* all lines were given */
};

/* false: out of memory; rpc_lines_fini is fine then, too. */
bool rpc_lines_init(struct rpc_lines *lines);
void rpc_lines_fini(struct rpc_lines *lines);
/* Reads what fd has; waits only when it has nothing. false: errno says why. */
bool rpc_lines_fill(struct rpc_lines *lines, int fd);
/* The next line; it is valid until the next call with lines. */
enum rpc_line rpc_lines_next(struct rpc_lines *lines, struct slice *line);

#endif
