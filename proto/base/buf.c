/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <string.h>

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

struct reader reader_of(struct slice bytes)
{
    return (struct reader){.p = bytes.p, .len = bytes.len, .pos = 0, .err = ERR_OK};
}

void reader_fail(struct reader *r, enum err err)
{
    if (r->err == ERR_OK) {
        r->err = err;
    }
}

size_t reader_left(const struct reader *r)
{
    return r->err == ERR_OK ? r->len - r->pos : 0;
}

struct slice reader_bytes(struct reader *r, size_t n)
{
    if (r->err != ERR_OK || n > r->len - r->pos) {
        reader_fail(r, ERR_MALFORMED);
        return slice_of(NULL, 0);
    }
    struct slice s = slice_of(n == 0 ? NULL : r->p + r->pos, n);
    r->pos += n;
    return s;
}

/* Reads n <= 8 bytes, big endian; 0 after a failure. */
static uint64_t reader_be(struct reader *r, size_t n)
{
    struct slice s = reader_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        v = v << 8 | s.p[i];
    }
    return v;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)reader_be(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)reader_be(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)reader_be(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return reader_be(r, 8);
}

void reader_copy(struct reader *r, void *out, size_t n)
{
    struct slice s = reader_bytes(r, n);
    if (n == 0) {
        return;
    }
    if (s.p == NULL) {
        memset(out, 0, n);
        return;
    }
    memcpy(out, s.p, n);
}

struct slice reader_rest(struct reader *r)
{
    return reader_bytes(r, reader_left(r));
}

enum err reader_end(const struct reader *r)
{
    if (r->err != ERR_OK) {
        return r->err;
    }
    return r->pos == r->len ? ERR_OK : ERR_MALFORMED;
}

struct writer writer_of(void *p, size_t cap)
{
    return (struct writer){.p = p, .cap = cap, .len = 0, .err = ERR_OK};
}

uint8_t *writer_reserve(struct writer *w, size_t n)
{
    if (w->err != ERR_OK || n > w->cap - w->len) {
        w->err = ERR_NO_SPACE;
        return NULL;
    }
    uint8_t *p = w->p + w->len;
    w->len += n;
    return p;
}

static void writer_be(struct writer *w, uint64_t v, size_t n)
{
    uint8_t *p = writer_reserve(w, n);
    if (p == NULL) {
        return;
    }
    for (size_t i = n; i-- > 0;) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

void writer_u8(struct writer *w, uint8_t v)
{
    writer_be(w, v, 1);
}

void writer_u16(struct writer *w, uint16_t v)
{
    writer_be(w, v, 2);
}

void writer_u32(struct writer *w, uint32_t v)
{
    writer_be(w, v, 4);
}

void writer_u64(struct writer *w, uint64_t v)
{
    writer_be(w, v, 8);
}

void writer_bytes(struct writer *w, const void *p, size_t n)
{
    uint8_t *out = writer_reserve(w, n);
    if (out != NULL && n > 0) {
        memcpy(out, p, n);
    }
}

void writer_slice(struct writer *w, struct slice s)
{
    writer_bytes(w, s.p, s.len);
}

void writer_zeros(struct writer *w, size_t n)
{
    uint8_t *out = writer_reserve(w, n);
    if (out != NULL && n > 0) {
        memset(out, 0, n);
    }
}

struct slice writer_done(const struct writer *w)
{
    return w->err == ERR_OK ? slice_of(w->p, w->len) : slice_of(NULL, 0);
}
