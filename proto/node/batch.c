/* SPDX-License-Identifier: Apache-2.0 */
#include "node/batch.h"

enum {
    BATCH_HEAD = 3, /* of the array, */
    BATCH_PART = 3, /* and of each binary, at most */
};

size_t batch_size(size_t n, size_t bytes)
{
    return n > 1 ? BATCH_HEAD + n * BATCH_PART + bytes : bytes;
}

enum err batch_write(struct writer *w, const struct batch *batch)
{
    if (batch->count == 0 || batch->count > LIMIT_BATCH) {
        return ERR_ARGUMENT;
    }
    struct writer at = *w;
    if (batch->count > 1) {
        pack_array(&at, (uint32_t)batch->count);
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->content[i].len == 0) {
            return ERR_ARGUMENT;
        }
        if (batch->count > 1) {
            pack_bin_slice(&at, batch->content[i]);
        } else {
            writer_slice(&at, batch->content[i]);
        }
    }
    if (at.err == ERR_OK) {
        *w = at;
    }
    return at.err;
}

enum err batch_read(struct slice bytes, struct batch *out)
{
    struct batch b = {.count = 1};
    struct reader r = reader_of(bytes);
    b.content[0] = bytes;
    if (pack_peek(&r) == PACK_ARRAY) {
        b.count = pack_read_array(&r, LIMIT_BATCH);
        for (size_t i = 0; i < b.count; i++) {
            b.content[i] = pack_read_bin(&r, LIMIT_ENVELOPE);
            if (b.content[i].len == 0) {
                reader_fail(&r, ERR_MALFORMED);
            }
        }
        if (b.count < 2) { /* one is written as itself */
            reader_fail(&r, ERR_MALFORMED);
        }
        enum err err = reader_end(&r);
        if (err != ERR_OK) {
            return err;
        }
    }
    *out = b;
    return ERR_OK;
}
