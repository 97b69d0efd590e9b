/* SPDX-License-Identifier: Apache-2.0
 *
 * flusher: the thread that waits for the disk while the engine goes on. It takes turns that were
 * logged, writes all that wait with one flush, and only then gives their outputs to the I/O thread,
 * in the order of the turns.
 *
 * docs/architecture.md, "A turn is a transaction". Owns the thread and the outputs that wait. All
 * functions are called by the engine's thread.
 */
#ifndef PETREL_DAEMON_FLUSHER_H
#define PETREL_DAEMON_FLUSHER_H

#include <pthread.h>
#include <stdbool.h>

#include "daemon/channel.h"
#include "daemon/home.h"
#include "daemon/store/store_lmdb.h"

struct flusher {
    struct store_lmdb *db;   /* borrowed */
    struct channel *channel; /* borrowed */
    struct home *home;       /* borrowed */
    pthread_t thread;
    bool running;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;   /* there is some, or stop */
    pthread_cond_t done;
    struct node_outputs outs; /* of turns that are not durable yet */
    struct wal_range range;   /* the records that wait; empty: none */
    uint64_t until_us; /* hostenv_mono_us until which they wait for company; 0: they do not */
    size_t company;    /* outputs that it takes */
    bool hurry;        /* somebody waits for the flush: company would be in vain */
    bool busy;         /* the thread has some of them in hand */
    bool stop;
    enum err err; /* why the log cannot be written; stays */
};

/* *f is all zero. ERR_NO_MEMORY. */
enum err flusher_start(struct flusher *f, struct store_lmdb *db, struct channel *channel,
                       struct home *home) PETREL_MUST_USE;
/* Flushes what waits and ends the thread. Idempotent. */
void flusher_stop(struct flusher *f);
/* Stops it, and frees what could not be flushed. */
void flusher_fini(struct flusher *f);

/* Releases outs when range, and all that was put before it, is durable; at once when range is empty
 * and nothing waits. Blocks while too much waits. */
void flusher_put(struct flusher *f, struct wal_range range, struct node_outputs *outs);
/* Waits until nothing is under way. ERR_OK: all is durable and released. Else the log cannot be
 * written, and what waits does so until flusher_release. */
enum err flusher_wait(struct flusher *f) PETREL_MUST_USE;
/* ERR_OK, or why the log cannot be written. */
enum err flusher_failed(struct flusher *f);
/* Releases what waited for a log that cannot be written: the database holds it all. */
void flusher_release(struct flusher *f);

#endif
