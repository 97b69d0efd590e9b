/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control_keys.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/io/control_events.h"

/* --- one after the other --- */

static void on_over(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    control->keys = job->next;
    job->then(job); /* frees it */
    if (control->keys != NULL) {
        worker_start(control->keys);
    }
}

void control_keys_start(struct control_shared *control, struct worker_job *job)
{
    struct worker_job **last = &control->keys;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = job;
    job->next = NULL;
    job->then = job->done;
    job->done = on_over;
    if (control->keys == job) {
        worker_start(job);
    }
}

/* A job for an output; the core must hear of it, so a few bytes that are not there end the process.
 */
static struct worker_job *job_new(struct control_shared *control, enum worker_kind kind,
                                  void (*done)(struct worker_job *))
{
    struct worker_job *job = worker_job_new(&control->worker, kind, "", slice_of(NULL, 0));
    if (job == NULL) {
        abort();
    }
    job->owner = control;
    job->done = done;
    return job;
}

/* --- an account is erased --- */

/* The core goes on when nothing can open the account any more; after a failure it asks again at the
 * next start. */
static void on_erased(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    struct engine_input *input = job->err == ERR_OK ? engine_input_erased(job->account) : NULL;
    control->erasing--;
    if (input != NULL) {
        engine_put(control->worker.engine, input);
    } else {
        logger_log(control->log, LOGGER_ERROR, "keys of a removed account not destroyed",
                   "account=%u err=%s", (unsigned)job->account, err_name(job->err));
    }
    worker_job_free(job);
}

static void erase(struct control_shared *control, uint32_t account)
{
    control_events_over(control, account);
    struct worker_job *job = job_new(control, WORKER_ERASE, on_erased);
    job->account = account;
    control->erasing++;
    control_keys_start(control, job);
}

/* --- roots --- */

static void on_root(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    if (job->kind == WORKER_ROOT || job->err != ERR_OK) {
        struct engine_input *input = engine_input_rooted(&job->root, job->err);
        if (input == NULL) {
            abort(); /* as in job_new */
        }
        engine_put(control->worker.engine, input);
    }
    /* An account that was removed meanwhile has no file any more. */
    if (job->err != ERR_OK && job->err != ERR_NO_ACCOUNT && job->err != ERR_ACCOUNT_LOCKED) {
        logger_log(control->log, LOGGER_ERROR, "an erase file cannot be written",
                   "account=%u err=%s", (unsigned)job->root.account, err_name(job->err));
    }
    worker_job_free(job);
}

static void root(struct control_shared *control, const struct node_output *o)
{
    enum worker_kind kind = o->kind == NODE_OUT_ROOT ? WORKER_ROOT : WORKER_KEEP;
    struct worker_job *job = job_new(control, kind, on_root);
    job->root.account = o->account;
    job->root.generation = o->generation;
    if (kind == WORKER_ROOT) {
        assert(o->len == sizeof job->root.r);
        memcpy(job->root.r, o->data, sizeof job->root.r);
    }
    control_keys_start(control, job);
}

void control_keys_output(struct control_shared *control, const struct node_output *o)
{
    if (o->kind == NODE_OUT_ERASE) {
        erase(control, o->account);
    } else {
        root(control, o);
    }
}
