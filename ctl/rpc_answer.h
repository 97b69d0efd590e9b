/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc_answer: what petrelctl rpc writes: answers of single requests at once, those of a batch as
 * one array when the last of them is there, and events. docs/protocol/09-control.md, 9.7.
 */
#ifndef PETREL_CTL_RPC_ANSWER_H
#define PETREL_CTL_RPC_ANSWER_H

#include <stddef.h>

#include <jansson.h>

/* Answers that go out together. */
struct rpc_batch {
    size_t left;     /* elements without an answer, and one for who still reads the batch */
    json_t *answers; /* array, owned */
};

/* NULL: out of memory. */
struct rpc_batch *rpc_batch_new(void);
/* One element more, that rpc_answer will be called for. */
void rpc_batch_add(struct rpc_batch *batch);
/* Nothing more will be added. Gives an exit code, as all that print. */
int rpc_batch_close(struct rpc_batch *batch);
/* Without writing anything; NULL is fine. For one that has no element left it was freed already. */
void rpc_batch_drop(struct rpc_batch *batch);

/* The answer to one element: result or error, of which one is NULL; takes both. id is borrowed;
 * NULL: a notification, and nothing is written. batch: NULL when the request stood by itself. */
int rpc_answer(struct rpc_batch *batch, json_t *id, json_t *result, json_t *error);
/* A notification of ours; takes params. */
int rpc_notify(const char *method, json_t *params);

#endif
