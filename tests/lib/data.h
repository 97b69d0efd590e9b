/* SPDX-License-Identifier: Apache-2.0
 *
 * data: reading Petrel's own vectors, tests/data/vectors/NAME.json: an array of cases, bytes in
 * hex, integers as numbers or as decimal strings. Everything here fails the test on bad data.
 */
#ifndef PETREL_TESTS_LIB_DATA_H
#define PETREL_TESTS_LIB_DATA_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

/* The array in NAME.json; never empty. Release with json_decref. */
json_t *data_vectors(const char *name);
/* A text member; valid as long as its object. */
const char *data_text(const json_t *object, const char *member);
/* Exactly len bytes of a hex member. */
void data_bytes(const json_t *object, const char *member, void *out, size_t len);
/* A hex member of any length up to cap, decoded into out. */
struct slice data_hex(const json_t *object, const char *member, uint8_t *out, size_t cap);
uint64_t data_u64(const json_t *object, const char *member);

#endif
