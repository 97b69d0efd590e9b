/* SPDX-License-Identifier: Apache-2.0
 *
 * ops: a program of short steps of one size, as the bytes of a fuzzer's input, and how it is
 * mutated: steps come and go, change places and change in one of their fields.
 *
 * An input: how the world is u8, then each step: what u8 | who u8 | a u8 | b u8 | c u16 | d u16.
 */
#ifndef PETREL_TESTS_FUZZ_OPS_H
#define PETREL_TESTS_FUZZ_OPS_H

#include <stddef.h>
#include <stdint.h>

enum op_kind {
    OP_LIE,     /* node, place and which chances, how, where, with: parts/lies.h */
    OP_SAY,     /* person, contact, length */
    OP_TIME,    /* goes on: which length */
    OP_NAP,     /* node: falls asleep, or wakes up */
    OP_CUT,     /* node: all its links break */
    OP_BREAK,   /* node, point, which chance: a turn breaks there */
    OP_RESTART, /* node */
    OP_MOVE,    /* person, relay, second or not: relay.use */
    OP_BACK,    /* node: its home goes back to where all began */
    OP_MEET,    /* person, other, by link or ID: contact.add */
    OP_CALL,    /* person, method, contact, number */
    OP_KIND_COUNT,
};

struct op {
    enum op_kind kind;
    uint8_t who;
    uint8_t a;
    uint8_t b;
    uint16_t c;
    uint16_t d;
};

enum {
    OPS_HEAD = 1,
    OPS_STEP = 8,
    OPS_MOST = 40,
};

/* How many steps there are. */
size_t ops_count(size_t len);
struct op ops_at(const uint8_t *data, size_t index);
/* Changes the program, of size bytes where max fit; the new size. */
size_t ops_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
/* The beginning of one and the end of another. */
size_t ops_cross(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out,
                 size_t max, unsigned seed);

#endif
