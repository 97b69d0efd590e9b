/* SPDX-License-Identifier: Apache-2.0
 *
 * control_client: one client of the control socket: its life, and everything that is written to
 * it. docs/protocol/09-control.md.
 *
 * Owns the client's handle and its output that the socket has not taken; I/O thread only. What a
 * client sent is read by control_input, carried out by control_call.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_CLIENT_H
#define PETREL_DAEMON_IO_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "control/codec.h"
#include "daemon/io/worker.h"
#include "daemon/logger.h"

struct control_client;
struct finder;

/* What all clients share. */
struct control_shared {
    struct worker_env worker; /* uv, db, engine, home */
    struct logger *log;
    bool relay;              /* told as a feature */
    struct finder *finder;   /* NULL: no DHT */
    void (*stop)(void *ctx); /* daemon.stop was called */
    void *stop_ctx;
    void (*drained)(struct control_client *client); /* its socket took some output */
    bool stopping;
    struct control_client *clients;
    size_t client_count;                 /* not closing */
    size_t max_clients;                  /* of those, at most */
    size_t client_all;                   /* handles that are not closed */
    uint64_t newest[LIMIT_ACCOUNTS + 1]; /* newest event of each account that was heard of */
    uint64_t next_number;                /* of clients and account calls, from 1 */
    uint64_t account_call;               /* the open call that opens an account; 0: none */
    uint64_t account_client;             /* whose it is, */
    uint32_t account_id;                 /* and the number that he gave it */
    unsigned erasing;                    /* accounts whose keys are being destroyed */
    struct worker_job *keys;             /* jobs that write key files; the first is under way */
};

struct control_client {
    uv_pipe_t handle;
    struct control_shared *control;
    struct control_client *next;
    uint64_t number;
    uint8_t *in; /* bytes received and not understood yet; NULL when none */
    size_t in_len;
    size_t in_cap;
    struct control_scan scan;
    size_t out_bytes;   /* written and not taken by the socket yet, events included */
    size_t event_bytes; /* of these, events */
    unsigned calls;     /* without a reply yet */
    bool blocked;       /* not read from until calls, output or the engine have room */
    bool closing;
    bool subscribed;
    bool pulling;     /* a worker reads the log for this client */
    bool stalled;     /* the last read failed: try again at the next tick */
    uint32_t account; /* subscribed: whose events */
    uint64_t cursor;  /* newest event that was sent */
};

/* The client of this number; NULL when it is gone or closing. */
struct control_client *control_client_find(struct control_shared *control, uint64_t number);
/* Closes the client once its output is written; at once when there is none, or when now says so.
 * Frees it in a later pass of the loop. */
void control_client_close(struct control_client *client, bool now);
/* Wipes and frees what was received and not understood yet. */
void control_client_forget_input(struct control_client *client);

/* Each of these copies what it writes; out of memory closes the client. */
void control_client_error(struct control_client *client, uint32_t id, enum err err,
                          uint32_t retry_after_ms, struct slice detail);
void control_client_result(struct control_client *client, uint32_t id, struct slice result);
void control_client_event(struct control_client *client, struct slice event);
/* The reply to a call that went elsewhere and was counted in calls; the client may be gone. */
void control_client_reply(struct control_shared *control, uint64_t number, uint32_t id,
                          enum err err, uint32_t retry_after_ms, struct slice result);

#endif
