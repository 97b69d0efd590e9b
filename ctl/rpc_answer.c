/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc_answer.h"

#include <stdlib.h>

#include "ctl/args.h"
#include "ctl/json.h"

struct rpc_batch *rpc_batch_new(void)
{
    struct rpc_batch *batch = calloc(1, sizeof *batch);
    if (batch != NULL) {
        *batch = (struct rpc_batch){.left = 1, .answers = json_array()};
    }
    return batch;
}

void rpc_batch_add(struct rpc_batch *batch)
{
    batch->left++;
}

void rpc_batch_drop(struct rpc_batch *batch)
{
    if (batch != NULL && --batch->left == 0) {
        json_decref(batch->answers);
        free(batch);
    }
}

/* One element is done, or all are read. A batch of notifications alone has no answer. */
static int batch_step(struct rpc_batch *batch)
{
    int rc = EXIT_OK;
    if (batch->left == 1 && json_array_size(batch->answers) > 0) {
        rc = json_print_value(json_incref(batch->answers));
    }
    rpc_batch_drop(batch);
    return rc;
}

int rpc_batch_close(struct rpc_batch *batch)
{
    return batch_step(batch);
}

int rpc_answer(struct rpc_batch *batch, json_t *id, json_t *result, json_t *error)
{
    json_t *answer = NULL;
    if (id != NULL && (result != NULL || error != NULL)) {
        answer = json_pack("{s:s, s:O*, s:O*, s:O}", "jsonrpc", "2.0", "result", result, "error",
                           error, "id", id);
    }
    json_decref(result);
    json_decref(error);
    if (batch == NULL) {
        return id == NULL ? EXIT_OK : json_print_value(answer);
    }
    if (id != NULL && json_array_append_new(batch->answers, answer) != 0) {
        rpc_batch_drop(batch);
        return json_print_value(NULL);
    }
    return batch_step(batch);
}

int rpc_notify(const char *method, json_t *params)
{
    return json_print_value(
        json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params));
}
