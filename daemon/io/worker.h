/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: what is answered beside the turns, on libuv's threads: queries with a short read
 * transaction of their own, and the opening of an account (Argon2id).
 *
 * docs/architecture.md, "Workers". A job is started and ended on the I/O thread; in between only
 * the worker touches it. Everything it holds is wiped when it is freed.
 */
#ifndef PETREL_DAEMON_IO_WORKER_H
#define PETREL_DAEMON_IO_WORKER_H

#include <stdint.h>

#include <uv.h>

#include "control/codec.h"
#include "daemon/engine.h"
#include "daemon/keyring.h"

/* What jobs work on; all borrowed. */
struct worker_env {
    uv_loop_t *uv;
    struct store_lmdb *db;
    struct engine *engine;
    const struct keyring *keyring;
};

enum worker_kind {
    WORKER_QUERY,     /* method with params: result */
    WORKER_SUBSCRIBE, /* a consumer's cursor and the log's ends: first, last, cursor */
    WORKER_EVENTS,    /* events after cursor: result, first, last */
    WORKER_CREATE,    /* account.create: root, unless the core needs none to answer */
    WORKER_UNLOCK,    /* account.unlock: root */
    WORKER_CHANGE,    /* account.passphrase: root, as it is sealed now; left */
    WORKER_ERASE,     /* what opens account is destroyed */
    WORKER_ROOT,      /* root is put beside the one in use */
    WORKER_KEEP,      /* of root.account, only root.generation is kept */
};

struct worker_job {
    uv_work_t req;
    const struct worker_env *env;
    void (*done)(struct worker_job *job); /* on the I/O thread; frees the job */
    void *owner;
    enum worker_kind kind;
    uint64_t client;
    uint32_t id;
    const char *method;  /* static text */
    struct slice params; /* in data */
    uint32_t account;    /* WORKER_EVENTS, WORKER_ERASE: in; WORKER_SUBSCRIBE: out */
    uint64_t cursor;     /* WORKER_EVENTS: in; WORKER_SUBSCRIBE: out */
    enum err err;
    uint8_t *result; /* LIMIT_CONTROL_MESSAGE bytes, malloc */
    size_t result_len;
    uint64_t first; /* oldest cursor of the event log */
    uint64_t last;  /* newest */
    struct node_root root;
    bool has_root;           /* WORKER_CREATE, WORKER_UNLOCK, WORKER_CHANGE: root is for the core */
    bool left;               /* what opened the account before is not destroyed yet */
    struct worker_job *next; /* of those that wait for one another; */
    void (*then)(struct worker_job *job); /* what is done when such a one is over */
    size_t size;                          /* of the whole block */
    uint8_t data[];
};

/* A job with a copy of params; NULL when out of memory. */
struct worker_job *worker_job_new(const struct worker_env *env, enum worker_kind kind,
                                  const char *method, struct slice params);
/* Hands the job to a worker; done will be called. */
void worker_start(struct worker_job *job);
struct slice worker_result(const struct worker_job *job);
/* NULL is fine. */
void worker_job_free(struct worker_job *job);

#endif
