/* SPDX-License-Identifier: Apache-2.0
 *
 * json: results and events as JSON, one object a line, ASCII only (so that nothing in it can steer
 * a terminal). Binary values become hexadecimal text.
 */
#ifndef PETREL_CTL_JSON_H
#define PETREL_CTL_JSON_H

#include "control/codec.h"

/* Prints one encoded map. Gives an exit code. */
int json_print(struct slice map);
/* Prints every map of the array that stands under name in map. */
int json_print_each(struct slice map, const char *name);
/* Prints {"error": map}. */
void json_print_error(struct slice map);

#endif
