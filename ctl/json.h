/* SPDX-License-Identifier: Apache-2.0
 *
 * json: results and events as JSON, one object a line, ASCII only (so that nothing in it can steer
 * a terminal). Binary values become hexadecimal text.
 */
#ifndef PETREL_CTL_JSON_H
#define PETREL_CTL_JSON_H

#include <jansson.h>

#include "control/codec.h"

/* Before any other call: what jansson frees is wiped, since passphrases and recovery words pass
 * through it. */
void json_begin(void);
/* The JSON value of one encoded value, owned by the caller; NULL: out of memory. Whole numbers
 * above 2^63 - 1, which are more than jansson's integers hold, become decimal text. */
json_t *json_of(struct slice encoded);
/* Prints a line; takes value, NULL is an error. Gives an exit code. */
int json_print_value(json_t *value);
/* Prints one encoded map. Gives an exit code. */
int json_print(struct slice map);
/* Prints every map of the array that stands under name in map. */
int json_print_each(struct slice map, const char *name);
/* Prints {"error": map}. */
void json_print_error(struct slice map);

#endif
