/* SPDX-License-Identifier: Apache-2.0
 *
 * alter: changes one place of a msgpack value and writes it again in form: another number, another
 * length, a pair more or less, what somebody else said in its place. A binary that is itself a map
 * or an array is looked into: contents in bodies, bodies in signed requests.
 */
#ifndef PETREL_TESTS_FUZZ_ALTER_H
#define PETREL_TESTS_FUZZ_ALTER_H

#include "base/pack.h"

enum alter_how {
    ALTER_NUMBER, /* a number at one of its limits; bytes of such a length */
    ALTER_NEAR,   /* a little more or less */
    ALTER_BITS,   /* one bit is another one */
    ALTER_OTHER,  /* a value of the same type that was kept before, of the same length if any is */
    ALTER_SWAP,   /* two values of one map or array change places */
    ALTER_DROP,   /* a pair or an element is missing, */
    ALTER_TWICE,  /* or comes again and again, */
    ALTER_KEY,    /* or has another key */
    ALTER_TYPE,   /* a value of another type, or more deeply nested */
    ALTER_MORE,   /* one more pair or element at the end of a map or array */
    ALTER_HOW_COUNT,
};

struct alter {
    enum alter_how how;
    uint16_t where; /* which place, modulo how many there are */
    uint16_t with;
};

enum {
    ALTER_KEPT = 64,
    ALTER_KEPT_BYTES = 2048,
};

/* Values that were seen, for ALTER_OTHER. */
struct alter_kept {
    struct {
        size_t len;
        uint8_t bytes[ALTER_KEPT_BYTES];
    } values[ALTER_KEPT];
    size_t count;
};

/* Keeps the binaries of this value. */
void alter_keep(struct alter_kept *kept, struct slice value);
/* in: one value. false: it is none, or too large, or nothing of it can be changed so; then w is as
 * it was. */
bool alter_value(const struct alter *a, const struct alter_kept *kept, struct slice in,
                 struct writer *w);

#endif
