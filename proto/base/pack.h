/* SPDX-License-Identifier: Apache-2.0
 *
 * pack: msgpack, strict and bounded, on top of reader and writer.
 *
 * Reading refuses what a canonical encoder would not have written: integers, lengths and headers
 * that are not in their shortest form, text that is not UTF-8, extension types, floats, maps whose
 * keys do not ascend. Nothing is allocated; an unchecked length is never trusted. Writing is
 * msgpack-c's packer. Source: the msgpack specification; docs/protocol/01-encoding.md.
 */
#ifndef PETREL_BASE_PACK_H
#define PETREL_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum pack_type {
    PACK_END, /* no bytes left, or an earlier failure */
    PACK_NIL,
    PACK_BOOL,
    PACK_UINT, /* 0 .. 2^64-1 */
    PACK_INT,  /* negative */
    PACK_BIN,
    PACK_STR,
    PACK_ARRAY,
    PACK_MAP,
    PACK_BAD, /* float, extension, or a byte that is never used */
};

/* The type of the next value; consumes nothing. */
enum pack_type pack_peek(const struct reader *r);

/* Each latches ERR_MALFORMED when the next value has another type or is out of form, ERR_TOO_LARGE
 * when it is above max, and then gives zero or an empty slice. Slices borrow the reader's bytes. */
void pack_read_nil(struct reader *r);
bool pack_read_bool(struct reader *r);
uint64_t pack_read_uint(struct reader *r, uint64_t max);
int64_t pack_read_int(struct reader *r); /* any integer that fits */
struct slice pack_read_bin(struct reader *r, size_t max);
void pack_read_bin_exact(struct reader *r, void *out, size_t len); /* ERR_MALFORMED unless len */
struct slice pack_read_str(struct reader *r, size_t max);          /* bytes, valid UTF-8 */
uint32_t pack_read_array(struct reader *r, uint32_t max);          /* number of elements */
uint32_t pack_read_map(struct reader *r, uint32_t max);            /* number of pairs */
/* Skips one value of any allowed type, nested at most depth levels. */
void pack_skip(struct reader *r, unsigned depth);

/* A map with small integer keys in ascending order, as all Petrel bodies are:
 *     struct pack_fields f = pack_fields_begin(r, MAX);
 *     while (pack_fields_next(&f)) {
 *         switch (f.key) { case 0: x = pack_read_uint(r, M); break; default: pack_fields_skip(&f);
 * }
 *     }
 * Required fields: check f.seen (bit k is set when key k < 64 came) with pack_fields_require. */
struct pack_fields {
    struct reader *r;
    uint32_t left;
    uint64_t key;  /* of the field at hand */
    uint64_t seen; /* bit set of keys below 64 */
    bool first;
};

struct pack_fields pack_fields_begin(struct reader *r, uint32_t max);
bool pack_fields_next(struct pack_fields *f);
void pack_fields_skip(struct pack_fields *f);
/* Latches ERR_MALFORMED unless every bit of mask was seen. */
void pack_fields_require(struct pack_fields *f, uint64_t mask);

void pack_nil(struct writer *w);
void pack_bool(struct writer *w, bool v);
void pack_uint(struct writer *w, uint64_t v);
void pack_int(struct writer *w, int64_t v);
void pack_bin(struct writer *w, const void *p, size_t len);
/* Bytes that pack_uint and pack_bin append. */
size_t pack_uint_size(uint64_t v);
size_t pack_bin_size(size_t len);
void pack_bin_slice(struct writer *w, struct slice s);
void pack_str(struct writer *w, const char *s); /* NUL-terminated */
void pack_str_slice(struct writer *w, struct slice s);
void pack_array(struct writer *w, uint32_t n);
void pack_map(struct writer *w, uint32_t n);

/* Whether bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool pack_utf8_valid(struct slice s);

#endif
