/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: bounded reader and writer over the caller's memory, with a sticky error.
 *
 * The first failure latches; later reads give zeros and later writes do nothing, so that one check
 * at the end is enough. Integers are big endian. Neither owns the bytes that it works on.
 */
#ifndef PETREL_BASE_BUF_H
#define PETREL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrowed bytes; p may be NULL when len is 0. */
struct slice {
    const uint8_t *p;
    size_t len; /* bytes */
};

static inline struct slice slice_of(const void *p, size_t len)
{
    return (struct slice){.p = p, .len = len};
}

/* Whether both hold the same bytes. Not constant time: never for secrets. */
bool slice_equal(struct slice a, struct slice b);

struct reader {
    const uint8_t *p; /* borrowed */
    size_t len;
    size_t pos;
    enum err err; /* ERR_OK, or the first failure */
};

struct reader reader_of(struct slice bytes);
/* Latches err unless an earlier one is latched. */
void reader_fail(struct reader *r, enum err err);
/* Bytes not read yet; 0 after a failure. */
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* The next n bytes, borrowed; an empty slice after a failure (ERR_MALFORMED when too short). */
struct slice reader_bytes(struct reader *r, size_t n);
/* Copies the next n bytes to out; zeros after a failure. */
void reader_copy(struct reader *r, void *out, size_t n);
/* All that is left. */
struct slice reader_rest(struct reader *r);
/* The latched error, or ERR_MALFORMED when bytes are left over. */
enum err reader_end(const struct reader *r) PETREL_MUST_USE;

struct writer {
    uint8_t *p; /* the caller's memory */
    size_t cap;
    size_t len;   /* bytes written so far */
    enum err err; /* ERR_OK, or ERR_NO_SPACE */
};

struct writer writer_of(void *p, size_t cap);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, const void *p, size_t n);
void writer_slice(struct writer *w, struct slice s);
void writer_zeros(struct writer *w, size_t n);
/* Room for n bytes that the caller fills in; NULL after a failure. */
uint8_t *writer_reserve(struct writer *w, size_t n);
/* What was written; empty after a failure. */
struct slice writer_done(const struct writer *w);

#endif
