/* SPDX-License-Identifier: Apache-2.0
 *
 * vectors: reading conformance vectors of other projects from $PETREL_VECTORS (see
 * tests/vectors/SOURCES). They are never part of this repository.
 */
#ifndef PETREL_TESTS_LIB_VECTORS_H
#define PETREL_TESTS_LIB_VECTORS_H

#include <jansson.h>

#include "base/buf.h"

enum {
    VECTORS_SKIP = 77, /* exit code of a visible skip */
};

/* The parsed file $PETREL_VECTORS/path. Without PETREL_VECTORS: says so and exits with
 * VECTORS_SKIP; a file that is missing or no JSON: says so and exits with 1. */
json_t *vectors_load(const char *path);
/* Bytes of a hex member, malloc'ed in *out (owned by the caller); exits with 1 when it is missing
 * or no hex. Either case of letters. */
struct slice vectors_hex(const json_t *object, const char *member);
/* Frees what vectors_hex gave. */
void vectors_free(struct slice s);
/* Counts a case; prints the failing one. */
void vectors_case(const char *file, const char *what, int ok);
/* Prints "FILE: N cases, M failed" and returns an exit code: 1 when any failed or none was run. */
int vectors_done(void);

#endif
