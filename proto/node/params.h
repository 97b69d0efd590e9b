/* SPDX-License-Identifier: Apache-2.0
 *
 * params: reading a call's parameters: one msgpack map with text keys. The host has checked them
 * against the table in control/methods.h; here a parameter that is missing or of another type is
 * simply not there.
 */
#ifndef PETREL_NODE_PARAMS_H
#define PETREL_NODE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pack.h"

enum {
    PARAMS_MAX = 32, /* parameters of one call */
};

/* Each: whether the parameter is there with this type; out is unchanged otherwise. Slices borrow
 * from params. */
bool params_str(struct slice params, const char *name, struct slice *out);
bool params_bin(struct slice params, const char *name, size_t len, struct slice *out);
/* Of at most max bytes. */
bool params_blob(struct slice params, const char *name, size_t max, struct slice *out);
bool params_uint(struct slice params, const char *name, uint64_t *out);
bool params_bool(struct slice params, const char *name, bool *out);

/* Writers of one pair of a result. */
void result_str(struct writer *w, const char *name, struct slice text);
void result_text(struct writer *w, const char *name, const char *text);
void result_uint(struct writer *w, const char *name, uint64_t v);
void result_bool(struct writer *w, const char *name, bool v);

#endif
