/* SPDX-License-Identifier: Apache-2.0 */
#include "link/frame.h"

#include "base/pack.h"
#include "crypto/ct.h"

enum {
    FRAME_ELEMENTS = 3,
};

bool frame_costs_credit(uint8_t kind)
{
    return kind >= FRAME_MEMBER_JOIN && kind < FRAME_REPLY;
}

void frame_write(struct writer *w, const struct frame *frame)
{
    pack_array(w, FRAME_ELEMENTS);
    pack_uint(w, frame->kind);
    pack_uint(w, frame->id);
    writer_slice(w, frame->body);
}

enum err frame_read(struct slice bytes, struct frame *frame)
{
    if (bytes.len > LIMIT_FRAME) {
        return ERR_TOO_LARGE;
    }
    CT_PUBLIC(bytes.p, bytes.len); /* to read a frame is to branch on it; the tag was right */
    struct reader r = reader_of(bytes);
    struct frame f = {.kind = 0};
    if (pack_read_array(&r, FRAME_ELEMENTS) != FRAME_ELEMENTS) {
        reader_fail(&r, ERR_MALFORMED);
    }
    f.kind = (uint8_t)pack_read_uint(&r, FRAME_KIND_MAX);
    f.id = (uint32_t)pack_read_uint(&r, UINT32_MAX);
    size_t start = r.pos;
    /* A body is a map whose unknown fields are skipped to depth 4: one level more for itself. */
    pack_skip(&r, LIMIT_FRAME_DEPTH);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        f.body = slice_of(bytes.p + start, bytes.len - start);
        *frame = f;
    }
    return err;
}
