/* SPDX-License-Identifier: Apache-2.0
 *
 * engine: the thread that owns the core. It takes what waits and runs it as one turn of the store;
 * when the turn is durable its outputs go to the I/O thread.
 *
 * docs/architecture.md, "A turn is a transaction". Owns the thread, the core, and the channel
 * between the threads. Nothing of a failed turn gets out: the core is thrown away and built again
 * from the store, engine_fail says what becomes of its inputs.
 *
 * All functions are called by the I/O thread, except engine_roots, which any thread may call.
 */
#ifndef PETREL_DAEMON_ENGINE_H
#define PETREL_DAEMON_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine_input.h"
#include "daemon/home.h"
#include "daemon/logger.h"
#include "daemon/store/store_lmdb.h"
#include "node/node.h"

struct engine;

struct engine_config {
    struct node_config node; /* what it points to is borrowed for the engine's life */
    struct store_lmdb *db;   /* borrowed, as are home and log */
    struct home *home;
    struct logger *log;
    const struct node_root *roots; /* of the accounts that are open; copied */
    size_t nroots;
    void (*wake)(void *ctx); /* called by the engine's threads: outputs wait, or room is back */
    void *wake_ctx;
};

/* Starts the thread and waits until the core is loaded from the store. */
enum err engine_start(struct engine **out, const struct engine_config *config) PETREL_MUST_USE;
/* Finishes the turn that is under way, drops what was not begun, ends the thread. What the last
 * turn gave can still be taken. Idempotent. */
void engine_stop(struct engine *engine);
/* After engine_stop. Wipes and frees; NULL is fine. */
void engine_free(struct engine *engine);

/* The node's ID and the secret of its Noise responder static. */
void engine_identity(const struct engine *engine, struct sign_pk *id, struct sign_sk *sk);

/* Takes input over; it travels with the next engine_flush. Never refuses: the caller looks at
 * engine_full and stops reading, so that only what was read already comes on top. */
void engine_put(struct engine *engine, struct engine_input *input);
void engine_flush(struct engine *engine);
/* Whether the queue towards the core is full. After true, wake is called when half of it is free
 * again. */
bool engine_full(struct engine *engine);

/* NODE_OUT_CLOSE of this number stands for every link there is: the core was built anew and knows
 * none of them. Answer with engine_links_closed(cursor of that output). */
#define ENGINE_ALL_LINKS UINT64_C(0)
/* Moves all released outputs to outs (empty before); the caller frees them. */
void engine_take(struct engine *engine, struct node_outputs *outs);
void engine_links_closed(struct engine *engine, uint64_t epoch);

/* ERR_OK, or why the engine gave up: the daemon must exit with a failure. */
enum err engine_fatal(const struct engine *engine);
/* The engine sleeps until the wall clock says something. If that was set back since the last turn,
 * this makes one, in which the core sees it. Call it now and then. */
void engine_look_at_clock(struct engine *engine);
/* How long the turn that is under way has taken, ms; 0 when none is. */
uint64_t engine_turn_age_ms(const struct engine *engine);
/* What seals the roots of an account is another one from now on: if it is open, takes secret and
 * former over. On the I/O thread. */
void engine_secret(struct engine *engine, const struct node_root *root);
/* The roots of the accounts that are open; gives their number. Wipe them after use. */
size_t engine_roots(struct engine *engine, struct node_root roots[static LIMIT_ACCOUNTS]);

#endif
