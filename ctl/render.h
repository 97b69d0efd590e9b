/* SPDX-License-Identifier: Apache-2.0
 *
 * render: results for people. Text that others wrote may not steer the terminal: control
 * characters, and those that turn the direction of writing, are shown as <U+XXXX>.
 */
#ifndef PETREL_CTL_RENDER_H
#define PETREL_CTL_RENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "control/codec.h"

/* One line of text; line breaks too are made visible. */
void render_text(FILE *out, struct slice text);
/* Text that may have line breaks; every further line begins with indent. */
void render_lines(FILE *out, struct slice text, const char *indent);
/* Local date and time. */
void render_time(FILE *out, uint64_t unix_ms);
/* "label  value" for a field of map that is a text, number or truth; nothing when it is missing or
 * an empty text. */
void render_field(FILE *out, struct slice map, const char *name, const char *label);
/* "described  until TIME, taken TIME" for a relay, by what relay.status says of it; nothing when it
 * has no descriptor of ours. */
void render_described(FILE *out, struct slice relay);
/* The text of a field, or fallback. */
void render_str(FILE *out, struct slice map, const char *name, const char *fallback);

/* Walks the array of maps that stands under name in map. */
struct render_list {
    struct reader r;
    uint32_t left;
};
struct render_list render_list_of(struct slice map, const char *name);
bool render_list_next(struct render_list *list, struct slice *item);

#endif
