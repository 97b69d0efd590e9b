/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc_calls: calls of the control protocol, many at a time over one connection: sent in order,
 * answered as the daemon answers them, repeated once when the connection breaks and the daemon
 * knows them again. docs/protocol/09-control.md, 9.7. It never waits.
 */
#ifndef PETREL_CTL_RPC_CALLS_H
#define PETREL_CTL_RPC_CALLS_H

#include "ctl/rpc_answer.h"
#include "ctl/rpc_request.h"
#include "ctl/wire.h"

struct rpc_call;

struct rpc_calls {
    const char *home;       /* borrowed */
    uint64_t timeout_ms;    /* for one answer */
    struct wire wire;       /* to poll */
    struct rpc_call *first; /* without an answer yet, in the order of sending */
    size_t count;           /* of them */
    uint32_t last_number;   /* given on the socket */
    bool subscribed;        /* events come over this connection */
    uint64_t cursor;        /* of the last one */
};

/* false: out of memory; rpc_calls_fini is fine then, too. */
bool rpc_calls_init(struct rpc_calls *calls, const char *home, uint64_t timeout_ms);
/* Closes, and drops what has no answer, with its batches. */
void rpc_calls_fini(struct rpc_calls *calls);

/* All that follow give an exit code: not EXIT_OK when an answer could not be written. */

/* Makes the call at now_ms (monotonic). Takes request->id; params is what rpc_request_read encoded;
 * batch may be NULL. Connects when there is no connection. */
int rpc_calls_add(struct rpc_calls *calls, struct rpc_request *request, struct slice params,
                  struct rpc_batch *batch, uint64_t now_ms);
/* Whether there is something to send. */
bool rpc_calls_unsent(const struct rpc_calls *calls);
/* Sends what the connection takes, and takes in what came: answers, events, its end. */
int rpc_calls_step(struct rpc_calls *calls, uint64_t now_ms);
/* When the time of the first one is over; UINT64_MAX: never. */
uint64_t rpc_calls_deadline(const struct rpc_calls *calls);
/* Answers those whose time is over. */
int rpc_calls_expire(struct rpc_calls *calls, uint64_t now_ms);

#endif
