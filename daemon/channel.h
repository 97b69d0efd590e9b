/* SPDX-License-Identifier: Apache-2.0
 *
 * channel: the two bounded queues between the I/O thread and the engine's thread, each handed over
 * in batches under one lock. docs/architecture.md, "A turn is a transaction".
 *
 * Owns what is in the queues. It never blocks the I/O thread and refuses it nothing: that thread
 * asks channel_full and stops reading. The engine's thread sleeps here, also while the outputs have
 * not been taken.
 */
#ifndef PETREL_DAEMON_CHANNEL_H
#define PETREL_DAEMON_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/engine_input.h"

struct channel {
    void (*wake)(void *ctx); /* called by the engine's threads: outputs wait, or room is back */
    void *wake_ctx;

    /* I/O thread only */
    struct engine_inputs batch; /* waits for channel_flush */
    uint64_t io_epoch;

    /* both threads */
    atomic_size_t in_items; /* inputs that were put and are not done */
    atomic_size_t in_bytes;
    atomic_bool paused;    /* the I/O thread waits for room */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t cond;
    struct engine_inputs in;
    struct node_outputs out;
    bool stop;
};

/* *ch is all zero. */
void channel_init(struct channel *ch, void (*wake)(void *ctx), void *wake_ctx);
/* Wipes and frees what is in the queues; no other thread uses them any more. */
void channel_fini(struct channel *ch);

/* The I/O thread's side. */

/* Takes input over; it travels with the next flush. */
void channel_put(struct channel *ch, struct engine_input *input);
void channel_flush(struct channel *ch);
/* Whether the queue towards the core is full; after true, wake is called at half. */
bool channel_full(struct channel *ch);
/* Moves all released outputs to outs (empty before). */
void channel_take(struct channel *ch, struct node_outputs *outs);
/* Inputs that are put from now on belong to this life of the core. */
void channel_links_closed(struct channel *ch, uint64_t epoch);
/* Ends the sleep of the engine's thread for good. */
void channel_stop(struct channel *ch);

/* The engine's side. */

/* Sleeps until there are inputs, or deadline (Unix ms; by the wall clock, also when it is set
 * meanwhile) or alarm (hostenv_mono_ms, within a second; 0: none) has come, and room for outputs;
 * moves the inputs behind todo. false: channel_stop was called. */
bool channel_wait(struct channel *ch, struct engine_inputs *todo, uint64_t deadline,
                  uint64_t alarm);
/* Gives the outputs of a turn that is durable to the I/O thread. Also the flusher's. */
void channel_release(struct channel *ch, struct node_outputs *outs);
/* Frees inputs that are over and done with, and says so to a waiting I/O thread. */
void channel_done(struct channel *ch, struct engine_inputs *done);

#endif
