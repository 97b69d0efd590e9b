/* SPDX-License-Identifier: Apache-2.0
 *
 * event: the durable log of what happened, for clients of the control interface, and the cursors of
 * its named consumers. docs/protocol/09-control.md, "Events".
 *
 * Rows: STORE_EVENT, account | cursor u64; STORE_CONSUMER, account | keyed hash of the name. The
 * newest event is never trimmed, so cursors never come twice.
 */
#ifndef PETREL_NODE_EVENT_H
#define PETREL_NODE_EVENT_H

#include "node/step.h"
#include "store/seal.h"

/* An event under construction: its data is a map whose pairs are added one by one. */
struct event {
    const char *type;
    struct writer data; /* pairs only; the map's head is written by event_commit */
    uint32_t pairs;
    uint32_t contact; /* of event_message; 0: none */
    uint64_t order;
};

enum {
    EVENT_DATA = 60 * 1024, /* encoded data, at most */
};

/* cap: bytes of data that will do. */
struct event event_begin(struct step *step, const char *type, size_t cap);
void event_str(struct event *event, const char *key, struct slice text);
void event_text(struct event *event, const char *key, const char *text);
void event_uint(struct event *event, const char *key, uint64_t v);
/* It is about this message, whose text clients get as "text" as long as the history has it: the log
 * itself has none, or a message that was deleted would be in it. */
void event_message(struct event *event, uint32_t contact, uint64_t order);
/* Appends it to the log and tells the host. */
enum err event_commit(struct step *step, struct seal_keys *keys,
                      struct event *event) PETREL_MUST_USE;

/* Removes events that are too old or too many, LIMIT_SWEEP_ROWS at a time; *more: call again. */
enum err event_trim(struct step *step, struct seal_keys *keys, bool *more) PETREL_MUST_USE;

/* The oldest and the newest cursor in the log; both 0 when it is empty. */
enum err event_range(struct turn *turn, struct seal_keys *keys, uint64_t *first,
                     uint64_t *last) PETREL_MUST_USE;
/* Writes {events: [...], first, last}: events with cursor > since, oldest first, at most limit. */
enum err event_read(struct turn *turn, struct seal_keys *keys, uint64_t since, uint64_t limit,
                    struct writer *w) PETREL_MUST_USE;

/* A named consumer's cursor; 0 when the name is new. */
enum err event_consumer_get(struct turn *turn, struct seal_keys *keys, struct slice name,
                            uint64_t *cursor) PETREL_MUST_USE;
/* Moves it forward (never back). ERR_ARGUMENT: beyond the newest event; ERR_BACKPRESSURE:
 * LIMIT_CONSUMERS are there already. */
enum err event_consumer_ack(struct step *step, struct seal_keys *keys, struct slice name,
                            uint64_t cursor) PETREL_MUST_USE;

#endif
