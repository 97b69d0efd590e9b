/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: several contents that travel in one envelope, under one number of their session: what a
 * sender with few tokens does. docs/protocol/06-identity.md, section 12.1; 07-node.md, section 4.
 *
 * The content of a body is a map (one content) or an array of 2 .. LIMIT_BATCH binaries, each of
 * them the bytes of one content. What is inside is not looked at here: each is dealt with as if it
 * had come alone.
 */
#ifndef PETREL_NODE_BATCH_H
#define PETREL_NODE_BATCH_H

#include "base/limits.h"
#include "base/pack.h"

struct batch {
    size_t count;
    struct slice content[LIMIT_BATCH];
};

/* Bytes of a batch of n contents of `bytes` bytes together, at most. */
size_t batch_size(size_t n, size_t bytes);
/* A batch of one is that content itself. ERR_ARGUMENT (none, too many, an empty one),
 * ERR_NO_SPACE. */
enum err batch_write(struct writer *w, const struct batch *batch) PETREL_MUST_USE;
/* The contents of a body's content; what is no array is one. Slices borrow from bytes.
 * ERR_MALFORMED, ERR_TOO_LARGE. */
enum err batch_read(struct slice bytes, struct batch *out) PETREL_MUST_USE;

#endif
