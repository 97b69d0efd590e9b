/* SPDX-License-Identifier: Apache-2.0
 *
 * bencode: the encoding of the Mainline DHT (BEP 3, "bencoding"), strict and bounded, on top of
 * reader and writer.
 *
 * Reading refuses what a canonical encoder would not have written: numbers with leading zeros or a
 * negative zero, dictionaries whose keys do not ascend or come twice, integers that do not fit 64
 * bits. Nothing is allocated, nothing recurses. docs/protocol/11-dht.md, section 1.
 */
#ifndef PETREL_BASE_BENCODE_H
#define PETREL_BASE_BENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    BENCODE_DEPTH = 8, /* nesting of a value that is skipped or taken as it stands */
};

enum bencode_type {
    BENCODE_END, /* no bytes left, or an earlier failure */
    BENCODE_INT,
    BENCODE_STRING,
    BENCODE_LIST,
    BENCODE_DICT,
    BENCODE_CLOSE, /* the end of a list or dictionary */
    BENCODE_BAD,
};

/* The type of the next value; consumes nothing. */
enum bencode_type bencode_peek(const struct reader *r);

/* Each latches ERR_MALFORMED when the next value has another type or is out of form, ERR_TOO_LARGE
 * when it is longer than max, and then gives zero or an empty slice. Slices are borrowed. */
int64_t bencode_read_int(struct reader *r);
struct slice bencode_read_string(struct reader *r, size_t max);
void bencode_read_exact(struct reader *r, void *out, size_t len); /* a string of just len bytes */
/* One value of any type as it stands, all of it checked, nested at most BENCODE_DEPTH levels. */
struct slice bencode_read_value(struct reader *r);

/* A list:
 *     bencode_list_begin(r);
 *     while (bencode_list_next(r)) { x = bencode_read_int(r); } */
void bencode_list_begin(struct reader *r);
bool bencode_list_next(struct reader *r);

/* A dictionary:
 *     struct bencode_dict d = bencode_dict_begin(r);
 *     while (bencode_dict_next(&d)) {
 *         if (bencode_key(&d, "id")) { ... } else { (void)bencode_read_value(r); }
 *     } */
struct bencode_dict {
    struct reader *r;
    struct slice key; /* of the value at hand; borrowed */
    bool first;
};
struct bencode_dict bencode_dict_begin(struct reader *r);
bool bencode_dict_next(struct bencode_dict *d);
bool bencode_key(const struct bencode_dict *d, const char *key);

void bencode_int(struct writer *w, int64_t v);
void bencode_string(struct writer *w, struct slice s);
void bencode_text(struct writer *w, const char *s); /* NUL-terminated; keys, too */
void bencode_list(struct writer *w);
void bencode_dict(struct writer *w); /* the caller writes keys in ascending order */
void bencode_close(struct writer *w);

#endif
