/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc: JSON-RPC 2.0 on standard input and output, one JSON value a line.
 * docs/protocol/09-control.md, 9.7. It waits here and nowhere else, except for who reads standard
 * output: whoever does not is not read from, either.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "ctl/clock.h"
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/rpc_calls.h"
#include "ctl/rpc_lines.h"

struct rpc {
    const struct args *args;
    struct rpc_calls calls;
    struct rpc_lines lines;
    uint8_t *params; /* LIMIT_CONTROL_MESSAGE bytes, for one request */
};

/* One request object, or what stands in its place. */
static int take_element(struct rpc *rpc, json_t *element, struct rpc_batch *batch)
{
    struct rpc_request request;
    struct writer params = writer_of(rpc->params, LIMIT_CONTROL_MESSAGE);
    json_t *error = rpc_request_read(element, rpc->args->account, &request, &params);
    if (batch != NULL) {
        rpc_batch_add(batch);
    }
    int rc = error != NULL ? rpc_answer(batch, request.id, NULL, error)
                           : rpc_calls_add(&rpc->calls, &request, writer_done(&params), batch,
                                           clock_mono_ms());
    rpc_request_fini(&request);
    return rc;
}

/* An error that no request object is known for. */
static int answer_null(enum rpc_code code, const char *detail)
{
    json_t *id = json_null();
    return rpc_answer(NULL, id, NULL, rpc_error(code, detail));
}

static int take_batch(struct rpc *rpc, json_t *elements)
{
    size_t count = json_array_size(elements);
    if (count == 0 || count > LIMIT_RPC_BATCH) {
        return answer_null(RPC_INVALID_REQUEST,
                           count == 0 ? "the batch is empty" : "the batch has too many elements");
    }
    struct rpc_batch *batch = rpc_batch_new();
    if (batch == NULL) {
        return json_print_value(NULL);
    }
    int rc = EXIT_OK;
    for (size_t i = 0; i < count && rc == EXIT_OK; i++) {
        rc = take_element(rpc, json_array_get(elements, i), batch);
    }
    if (rc != EXIT_OK) {
        rpc_batch_drop(batch);
        return rc;
    }
    return rpc_batch_close(batch);
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r') {
            return false;
        }
    }
    return true;
}

static int take_line(struct rpc *rpc, struct slice line)
{
    json_error_t why;
    if (is_blank(line)) {
        return EXIT_OK;
    }
    json_t *value = json_loadb((const char *)line.p, line.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (value == NULL) {
        return answer_null(RPC_PARSE, why.text);
    }
    int rc = json_is_array(value) ? take_batch(rpc, value) : take_element(rpc, value, NULL);
    json_decref(value);
    return rc;
}

/* The lines that are there, as long as not too many calls wait. *more: standard input is to be
 * read; *ended: there will be no other line. */
static int take_lines(struct rpc *rpc, bool *more, bool *ended)
{
    int rc = EXIT_OK;
    *more = *ended = false;
    while (rc == EXIT_OK && !*more && !*ended && rpc->calls.count < LIMIT_RPC_CALLS) {
        struct slice line;
        switch (rpc_lines_next(&rpc->lines, &line)) {
        case RPC_LINE:
            rc = take_line(rpc, line);
            break;
        case RPC_LINE_MORE:
            *more = true;
            break;
        case RPC_LINE_TOO_LONG:
            rc = answer_null(RPC_INVALID_REQUEST, "the line is too long");
            break;
        case RPC_LINE_END:
            *ended = true;
            break;
        }
    }
    return rc;
}

/* Waits until something happens; what did is in what, standard input first. */
static int wait_for(struct rpc *rpc, bool input, uint64_t deadline, struct pollfd what[static 2])
{
    uint64_t now = clock_mono_ms();
    uint64_t left = deadline > now ? deadline - now : 0;
    int events = POLLIN | (rpc_calls_unsent(&rpc->calls) ? POLLOUT : 0);
    what[0] = (struct pollfd){.fd = input ? STDIN_FILENO : -1, .events = POLLIN};
    what[1] = (struct pollfd){.fd = rpc->calls.wire.fd, .events = (short)events};
    int n = poll(what, 2, deadline == UINT64_MAX ? -1 : (int)(left < 60000 ? left : 60000));
    if (n < 0 && errno != EINTR) {
        fprintf(stderr, "petrelctl: cannot wait for input: %s\n", strerror(errno));
        return EXIT_LOCAL;
    }
    if (n < 0) {
        what[0].revents = what[1].revents = 0;
    }
    return EXIT_OK;
}

static int run(struct rpc *rpc)
{
    struct pollfd what[2];
    bool more = false;
    bool ended = false;
    for (;;) {
        int rc = take_lines(rpc, &more, &ended);
        if (rc != EXIT_OK || (ended && rpc->calls.count == 0)) {
            return rc;
        }
        rc = wait_for(rpc, more, rpc_calls_deadline(&rpc->calls), what);
        if (rc == EXIT_OK) {
            /* No time is over while there is something to read: the answer may be in it. */
            rc = what[1].revents != 0 ? rpc_calls_step(&rpc->calls, clock_mono_ms())
                                      : rpc_calls_expire(&rpc->calls, clock_mono_ms());
        }
        if (rc == EXIT_OK && what[0].revents != 0 && !rpc_lines_fill(&rpc->lines, STDIN_FILENO)) {
            fprintf(stderr, "petrelctl: standard input: %s\n", strerror(errno));
            rc = EXIT_LOCAL;
        }
        if (rc != EXIT_OK) {
            return rc;
        }
    }
}

int cmd_rpc(struct ctl *ctl, int argc, char **argv)
{
    struct rpc rpc = {.args = ctl->args};
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* who no longer reads is told of like any other failed write */
    rpc.params = malloc(LIMIT_CONTROL_MESSAGE);
    bool calls = rpc_calls_init(&rpc.calls, ctl->args->home, ctl->args->timeout_ms);
    bool lines = rpc_lines_init(&rpc.lines);
    if (rpc.params != NULL && calls && lines) {
        rc = run(&rpc);
    } else {
        fprintf(stderr, "petrelctl: out of memory\n");
        rc = EXIT_LOCAL;
    }
    rpc_calls_fini(&rpc.calls);
    rpc_lines_fini(&rpc.lines);
    if (rpc.params != NULL) {
        secret_wipe(rpc.params, LIMIT_CONTROL_MESSAGE);
        free(rpc.params);
    }
    return rc;
}
