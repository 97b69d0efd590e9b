/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc_calls.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "ctl/args.h"
#include "ctl/json.h"

enum {
    REQUEST_HEAD = 96, /* of a request on the socket, at most: number and method */
};

struct rpc_call {
    struct rpc_call *next;
    struct rpc_request request;
    struct rpc_batch *batch; /* NULL: by itself */
    uint32_t number;         /* on the socket */
    bool repeated;
    uint64_t deadline; /* monotonic ms */
    size_t sent;       /* of bytes */
    size_t len;
    uint8_t bytes[]; /* the request */
};

bool rpc_calls_init(struct rpc_calls *calls, const char *home, uint64_t timeout_ms)
{
    *calls = (struct rpc_calls){.home = home, .timeout_ms = timeout_ms};
    return wire_init(&calls->wire);
}

static void call_free(struct rpc_call *call)
{
    rpc_request_fini(&call->request);
    secret_wipe(call->bytes, call->len); /* passphrases, texts */
    free(call);
}

void rpc_calls_fini(struct rpc_calls *calls)
{
    while (calls->first != NULL) {
        struct rpc_call *call = calls->first;
        calls->first = call->next;
        rpc_batch_drop(call->batch);
        call_free(call);
    }
    wire_fini(&calls->wire);
}

/* Answers the call at *at and takes it out. */
static int finish(struct rpc_calls *calls, struct rpc_call **at, json_t *result, json_t *error)
{
    struct rpc_call *call = *at;
    *at = call->next;
    calls->count--;
    int rc = rpc_answer(call->batch, call->request.id, result, error);
    call_free(call);
    return rc;
}

/* The same without a reply: with the client_id, whoever asked may repeat what the daemon may have
 * done. */
static int give_up(struct rpc_calls *calls, struct rpc_call **at, enum rpc_code code)
{
    const struct rpc_request *request = &(*at)->request;
    char hex[2 * CONTROL_CLIENT_ID + 1];
    json_t *error = rpc_error(code, NULL);
    if (request->method->mutates) {
        sodium_bin2hex(hex, sizeof hex, request->client_id, sizeof request->client_id);
        json_object_set_new(json_object_get(error, "data"), "client_id", json_string(hex));
    }
    return finish(calls, at, NULL, error);
}

/* --- connection --- */

static int give_up_all(struct rpc_calls *calls, enum rpc_code code)
{
    int rc = EXIT_OK;
    while (calls->first != NULL && rc == EXIT_OK) {
        rc = give_up(calls, &calls->first, code);
    }
    return rc;
}

/* The stream of events ended: who listens must know where to go on. */
static int end_events(struct rpc_calls *calls)
{
    if (!calls->subscribed) {
        return EXIT_OK;
    }
    calls->subscribed = false;
    return rpc_notify("event.lost", json_pack("{s:I}", "cursor", (json_int_t)calls->cursor));
}

/* The connection is broken. A repeat is harmless where nothing was sent, or because the daemon
 * knows the client_id again; it is tried once. */
static int broken(struct rpc_calls *calls, uint64_t now_ms)
{
    struct rpc_call **at = &calls->first;
    wire_close(&calls->wire);
    int rc = end_events(calls);
    while (*at != NULL && rc == EXIT_OK) {
        struct rpc_call *call = *at;
        if (call->repeated || (call->sent > 0 && !call->request.method->mutates)) {
            rc = give_up(calls, at, RPC_LOST);
            continue;
        }
        call->repeated = true;
        call->sent = 0;
        call->deadline = now_ms + calls->timeout_ms;
        at = &call->next;
    }
    if (rc == EXIT_OK && calls->first != NULL && !wire_connect(&calls->wire, calls->home)) {
        rc = give_up_all(calls, RPC_NO_DAEMON);
    }
    return rc;
}

/* --- sending --- */

bool rpc_calls_unsent(const struct rpc_calls *calls)
{
    for (const struct rpc_call *call = calls->first; call != NULL; call = call->next) {
        if (call->sent < call->len) {
            return true;
        }
    }
    return false;
}

/* false: the connection is broken. */
static bool send_calls(struct rpc_calls *calls)
{
    for (struct rpc_call *call = calls->first; call != NULL; call = call->next) {
        size_t n = 0;
        struct slice rest = slice_of(call->bytes + call->sent, call->len - call->sent);
        if (wire_send(&calls->wire, rest, &n) != ERR_OK) {
            return false;
        }
        call->sent += n;
        if (n < rest.len) {
            break;
        }
    }
    return true;
}

static struct rpc_call *call_new(struct rpc_calls *calls, struct rpc_request *request,
                                 struct slice params)
{
    struct rpc_call *call = calloc(1, sizeof *call + REQUEST_HEAD + params.len);
    if (call == NULL) {
        return NULL;
    }
    calls->last_number += calls->last_number == UINT32_MAX ? 2 : 1; /* 0 is the daemon's */
    call->number = calls->last_number;
    call->request = *request;
    struct writer w = writer_of(call->bytes, REQUEST_HEAD + params.len);
    control_write_request(&w, call->number, request->method->name, params);
    call->len = w.len;
    request->id = NULL;
    return call;
}

int rpc_calls_add(struct rpc_calls *calls, struct rpc_request *request, struct slice params,
                  struct rpc_batch *batch, uint64_t now_ms)
{
    struct rpc_call **end = &calls->first;
    struct rpc_call *call = call_new(calls, request, params);
    if (call == NULL) {
        rpc_batch_drop(batch);
        return json_print_value(NULL);
    }
    call->batch = batch;
    call->deadline = now_ms + calls->timeout_ms;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = call;
    calls->count++;
    if (call->len > LIMIT_CONTROL_MESSAGE) {
        return finish(calls, end, NULL, rpc_error_of(ERR_TOO_LARGE, slice_of(NULL, 0)));
    }
    if (!wire_connect(&calls->wire, calls->home)) {
        return give_up(calls, end, RPC_NO_DAEMON);
    }
    return send_calls(calls) ? EXIT_OK : broken(calls, now_ms);
}

/* --- receiving --- */

static int take_event(struct rpc_calls *calls, const struct control_message *m)
{
    (void)control_get_uint(m->params, "cursor", &calls->cursor);
    return rpc_notify("event", json_of(m->params));
}

static int take_reply(struct rpc_calls *calls, const struct control_message *m)
{
    struct rpc_call **at = &calls->first;
    while (*at != NULL && (*at)->number != m->id) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return EXIT_OK; /* it was given up before */
    }
    if (m->error.len > 0) {
        return finish(calls, at, NULL, rpc_error_from(m->error));
    }
    if (strcmp((*at)->request.method->name, "event.subscribe") == 0) {
        calls->subscribed = control_get_uint(m->result, "start", &calls->cursor);
    }
    return finish(calls, at, json_of(m->result), NULL);
}

/* An error under id 0 is about the connection, which the daemon closes then: no repeat helps. */
static int take_refusal(struct rpc_calls *calls, const struct control_message *m)
{
    int rc = EXIT_OK;
    while (calls->first != NULL && rc == EXIT_OK) {
        rc = finish(calls, &calls->first, NULL, rpc_error_from(m->error));
    }
    return rc;
}

static bool is_refusal(const struct control_message *m)
{
    return m->kind == CONTROL_REPLY && m->id == 0 && m->error.len > 0;
}

static int take(struct rpc_calls *calls, const struct control_message *m)
{
    if (m->kind == CONTROL_NOTIFY) {
        return take_event(calls, m);
    }
    return is_refusal(m) ? take_refusal(calls, m) : take_reply(calls, m);
}

int rpc_calls_step(struct rpc_calls *calls, uint64_t now_ms)
{
    struct control_message m;
    enum err err = ERR_NOT_NOW;
    int rc = EXIT_OK;
    /* Even when sending broke off, what came before may be an answer, or say why. */
    bool alive = send_calls(calls);
    bool open = wire_fill(&calls->wire) == ERR_OK;
    while (rc == EXIT_OK && (err = wire_next(&calls->wire, &m)) == ERR_OK) {
        rc = take(calls, &m);
        alive = alive && !is_refusal(&m); /* what comes next is for another connection */
    }
    if (rc == EXIT_OK && (!alive || !open || err != ERR_NOT_NOW)) {
        rc = broken(calls, now_ms);
    }
    return rc;
}

uint64_t rpc_calls_deadline(const struct rpc_calls *calls)
{
    uint64_t first = UINT64_MAX;
    for (const struct rpc_call *call = calls->first; call != NULL; call = call->next) {
        first = call->deadline < first ? call->deadline : first;
    }
    return first;
}

int rpc_calls_expire(struct rpc_calls *calls, uint64_t now_ms)
{
    struct rpc_call **at = &calls->first;
    bool cut = false; /* a request was given up in its middle: nothing can follow it */
    int rc = EXIT_OK;
    while (*at != NULL && rc == EXIT_OK) {
        struct rpc_call *call = *at;
        if (call->deadline > now_ms) {
            at = &call->next;
            continue;
        }
        cut |= call->sent > 0 && call->sent < call->len;
        rc = give_up(calls, at, RPC_NO_ANSWER);
    }
    return rc == EXIT_OK && cut ? broken(calls, now_ms) : rc;
}
