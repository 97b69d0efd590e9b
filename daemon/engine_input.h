/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_input: one input on its way to the core, with its bytes behind it, and lists of them.
 * docs/architecture.md, "A turn is a transaction".
 *
 * An input belongs to one list, thread and transaction at a time; nothing here locks. Those that
 * hold recovery words, texts, R are wiped before they are freed.
 */
#ifndef PETREL_DAEMON_ENGINE_INPUT_H
#define PETREL_DAEMON_ENGINE_INPUT_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "node/node.h"

struct engine_input {
    struct engine_input *next;
    uint64_t epoch; /* life of the core in which its link was opened; set by channel_put */
    size_t bytes;   /* what it counts for in the queue */
    struct node_input node;
    struct node_root root;               /* for node.u.command.root and node.u.rooted.root */
    alignas(max_align_t) uint8_t data[]; /* frame; method and params; policy; item; table */
};

/* NULL when out of memory. The bytes are copied. */
struct engine_input *engine_input_link(enum node_input_kind kind, uint64_t link);
struct engine_input *engine_input_frame(uint64_t link, struct slice frame);
/* root: NULL, or that of the account which the command makes or opens. */
struct engine_input *engine_input_command(uint64_t client, uint32_t id, struct slice method,
                                          struct slice params, const struct node_root *root);
struct engine_input *engine_input_erased(uint32_t account);
struct engine_input *engine_input_rooted(const struct node_root *root, enum err err);
struct engine_input *engine_input_table(struct slice table);
/* What the DHT has for the core's lookup number. */
struct engine_input *engine_input_item(uint64_t number, const struct bep44_item *item);
struct engine_input *engine_input_policy(const struct forward_policy *policy);
/* Wipes and frees an input that is in no list. NULL is fine. */
void engine_input_free(struct engine_input *input);

/* Oldest first; all zero is empty. */
struct engine_inputs {
    struct engine_input *first;
    struct engine_input *last;
    size_t count;
};

void engine_input_append(struct engine_inputs *l, struct engine_input *input);
/* Takes the oldest out; NULL when there is none. */
struct engine_input *engine_input_pop(struct engine_inputs *l);
/* Moves all of `from` behind `to`. */
void engine_input_splice(struct engine_inputs *to, struct engine_inputs *from);
void engine_input_free_all(struct engine_inputs *l);

#endif
