/* SPDX-License-Identifier: Apache-2.0
 *
 * control: the Unix socket that petrelctl and other local programs talk to.
 * docs/protocol/09-control.md.
 *
 * Owns the listening socket and admits clients, which control_client keeps; I/O thread only. A
 * client that does not read lags behind and holds up nobody; one that writes nonsense is told so
 * and closed.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_H
#define PETREL_DAEMON_IO_CONTROL_H

#include <uv.h>

#include "daemon/io/worker.h"
#include "daemon/logger.h"

struct control;
struct finder;

struct control_config {
    struct worker_env worker; /* uv, db, engine, home */
    struct logger *log;
    bool relay;              /* told as a feature */
    struct finder *finder;   /* NULL: no DHT */
    void (*stop)(void *ctx); /* daemon.stop was called */
    void *stop_ctx;
};

/* Listens on path (0600). ERR_IO, ERR_NO_MEMORY. */
enum err control_new(struct control **out, const struct control_config *config,
                     const char *path) PETREL_MUST_USE;
/* Carries out NODE_OUT_REPLY, NODE_OUT_EVENT, NODE_OUT_ERASE, NODE_OUT_ROOT, NODE_OUT_ROOT_KEEP. */
void control_output(struct control *control, const struct node_output *o);
/* Before the loop waits: clients that had to wait go on. */
void control_pass(struct control *control);
/* Subscribers whose last read of the log failed try again. */
void control_tick(struct control *control);
/* Whether there are such. */
bool control_stalled(const struct control *control);
/* Stops listening and closes every client after what was written to it. */
void control_stop(struct control *control);
/* Whether no client has a handle any more. */
bool control_idle(const struct control *control);
/* After control_stop: gives up on clients that do not read. */
void control_abort(struct control *control);
/* After the loop has ended. NULL is fine. */
void control_free(struct control *control);

#endif
