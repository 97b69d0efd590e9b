/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc_request: one JSON-RPC 2.0 request object becomes a request of the control protocol, checked
 * against control/methods.h; and errors as JSON-RPC has them. docs/protocol/09-control.md, 9.7.
 */
#ifndef PETREL_CTL_RPC_REQUEST_H
#define PETREL_CTL_RPC_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "control/codec.h"

/* Codes of JSON-RPC 2.0, section 5.1; those from -32000 downwards are ours. Any other error has the
 * daemon's own code. */
enum rpc_code {
    RPC_PARSE = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_NO_DAEMON = -32000, /* no petreld runs on the home */
    RPC_LOST = -32001,      /* the connection broke before the reply */
    RPC_NO_ANSWER = -32002, /* no reply in time */
};

struct rpc_request {
    json_t *id; /* owned; NULL: a notification, which nobody waits for */
    const struct control_method *method;
    uint8_t client_id[CONTROL_CLIENT_ID]; /* of a method that mutates: the caller's, or drawn */
};

/* Reads one element of a line (any JSON value). NULL: *request is set and params holds the encoded
 * map of parameters. Otherwise the error object that answers it, owned by the caller; request->id
 * is what it is answered under (a null where there was none to be found), and NULL when it was a
 * notification, which gets no answer. account: for methods of an account that name none; 0: the
 * first. */
json_t *rpc_request_read(json_t *element, uint64_t account, struct rpc_request *request,
                         struct writer *params);
void rpc_request_fini(struct rpc_request *request);

/* Error objects, owned by the caller; NULL: out of memory. detail may be NULL. */
json_t *rpc_error(enum rpc_code code, const char *detail);
/* That of an error of the table, about detail (may be empty). */
json_t *rpc_error_of(enum err err, struct slice detail);
/* That of an error map of the daemon. */
json_t *rpc_error_from(struct slice map);

#endif
