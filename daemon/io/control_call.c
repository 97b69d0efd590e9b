/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control_call.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "control/methods.h"
#include "daemon/io/control_events.h"
#include "daemon/io/control_keys.h"
#include "daemon/io/finder.h"

enum {
    CLIENT_DETAIL = 80,      /* bytes of a client's own words in an error */
    ACCOUNT_RETRY_MS = 1000, /* advice to the second of two account calls */
};

/* A name out of a client's mouth, fit to be put into a sentence. */
static struct slice plain_name(struct slice name, char out[static CLIENT_DETAIL])
{
    size_t n = name.len < CLIENT_DETAIL ? name.len : CLIENT_DETAIL;
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)(name.p[i] > 0x20 && name.p[i] < 0x7f ? name.p[i] : '?');
    }
    return slice_of(out, n);
}

static void refuse(struct control_client *client, uint32_t id, enum err err, struct slice name)
{
    char text[CLIENT_DETAIL];
    control_client_error(client, id, err, 0, plain_name(name, text));
}

static void call_hello(struct control_client *client, const struct control_message *m)
{
    uint8_t bytes[256];
    uint64_t api = CONTROL_API;
    bool relay = client->control->relay;
    if (control_get_uint(m->params, "api", &api) && (api < CONTROL_API_MIN || api > CONTROL_API)) {
        control_client_error(client, m->id, ERR_VERSION, 0, slice_of(NULL, 0));
        return;
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 4);
    pack_str(&w, "api");
    pack_uint(&w, CONTROL_API);
    pack_str(&w, "min");
    pack_uint(&w, CONTROL_API_MIN);
    pack_str(&w, "version");
    pack_str(&w, PETREL_VERSION);
    pack_str(&w, "features");
    pack_array(&w, relay ? 3 : 2);
    pack_str(&w, "account");
    pack_str(&w, "events");
    if (relay) {
        pack_str(&w, "relay");
    }
    control_client_result(client, m->id, writer_done(&w));
}

/* A job for a call of client; the call counts as open until its reply. */
static struct worker_job *call_job(struct control_client *client, const struct control_message *m,
                                   enum worker_kind kind, const char *method,
                                   void (*done)(struct worker_job *))
{
    struct worker_job *job = worker_job_new(&client->control->worker, kind, method, m->params);
    if (job == NULL) {
        control_client_error(client, m->id, ERR_NO_MEMORY, 0, slice_of(NULL, 0));
        return NULL;
    }
    job->owner = client->control;
    job->done = done;
    job->client = client->number;
    job->id = m->id;
    client->calls++;
    return job;
}

static void on_query(struct worker_job *job)
{
    control_client_reply(job->owner, job->client, job->id, job->err, 0, worker_result(job));
    worker_job_free(job);
}

static void start_job(struct worker_job *job)
{
    if (job != NULL) {
        worker_start(job);
    }
}

/* "address", where others see this node; nothing when they did not say yet. */
static void write_address(struct writer *w, const char *name, const struct dht_address *a)
{
    char host[INET6_ADDRSTRLEN];
    char text[INET6_ADDRSTRLEN + 10];
    if (a->port != 0 && inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->ip, host, sizeof host) != NULL) {
        snprintf(text, sizeof text, a->v6 ? "[%s]:%u" : "%s:%u", host, (unsigned)a->port);
        pack_str(w, name);
        pack_str(w, text);
    }
}

static void write_uint(struct writer *w, const char *name, uint64_t v)
{
    pack_str(w, name);
    pack_uint(w, v);
}

static void call_dht_status(struct control_client *client, const struct control_message *m)
{
    uint8_t bytes[1024];
    struct writer w = writer_of(bytes, sizeof bytes);
    const struct finder *finder = client->control->finder;
    struct finder_status s = {.puts = 0};
    if (finder != NULL) {
        finder_status(finder, &s);
    }
    const struct dht_status *d = &s.dht;
    uint32_t addresses =
        (d->external[0].port != 0 ? 1U : 0U) + (d->external[1].port != 0 ? 1U : 0U);
    pack_map(&w, finder == NULL
                     ? 1
                     : 10 + addresses + (s.put_ms != 0 ? 1U : 0U) + (s.kept_ms != 0 ? 1U : 0U));
    pack_str(&w, "on");
    pack_bool(&w, finder != NULL);
    if (finder != NULL) {
        write_uint(&w, "nodes4", d->nodes[0]);
        write_uint(&w, "good4", d->good[0]);
        write_uint(&w, "nodes6", d->nodes[1]);
        write_uint(&w, "good6", d->good[1]);
        write_address(&w, "address4", &d->external[0]);
        write_address(&w, "address6", &d->external[1]);
        write_uint(&w, "items", d->items);
        write_uint(&w, "lookups", d->operations);
        write_uint(&w, "put", s.puts);
        write_uint(&w, "put_failed", s.put_failed);
        write_uint(&w, "put_waiting", s.put_waiting);
        if (s.put_ms != 0) {
            write_uint(&w, "put_last", s.put_ms);
        }
        if (s.kept_ms != 0) {
            write_uint(&w, "kept", s.kept_ms);
        }
    }
    control_client_result(client, m->id, writer_done(&w));
}

static void call_host(struct control_client *client, const struct control_message *m,
                      const struct control_method *method)
{
    struct control_shared *control = client->control;
    if (strcmp(method->name, "hello") == 0) {
        call_hello(client, m);
    } else if (strcmp(method->name, "daemon.stop") == 0) {
        control_client_result(client, m->id, slice_of(NULL, 0));
        control->stop(control->stop_ctx);
    } else if (strcmp(method->name, "dht.status") == 0) {
        call_dht_status(client, m);
    } else {
        assert(strcmp(method->name, "event.subscribe") == 0);
        start_job(
            call_job(client, m, WORKER_SUBSCRIBE, "event.subscribe", control_events_subscribed));
    }
}

/* Puts a command into the engine's queue; false: out of memory. */
static bool command_put(struct control_shared *control, uint64_t client, uint32_t id,
                        const char *method, struct slice params, const struct node_root *root)
{
    struct engine_input *input =
        engine_input_command(client, id, slice_of(method, strlen(method)), params, root);
    if (input != NULL) {
        engine_put(control->worker.engine, input);
    }
    return input != NULL;
}

/* Copies a params map without the passphrases, which never reach the core. */
static enum err params_without_passphrases(struct slice params, struct writer *w)
{
    struct reader r = reader_of(params);
    struct slice dropped;
    uint32_t drop = (control_get(params, "passphrase", &dropped) ? 1U : 0U) +
                    (control_get(params, "new", &dropped) ? 1U : 0U);
    struct control_fields f = control_fields_begin(&r);
    pack_map(w, f.left - drop);
    while (control_fields_next(&f)) {
        struct slice key = f.key;
        bool skip = control_key_is(&f, "passphrase") || control_key_is(&f, "new");
        struct slice value = control_value(&f);
        if (!skip) {
            pack_str_slice(w, key);
            writer_slice(w, value);
        }
    }
    return r.err != ERR_OK ? r.err : w->err;
}

void control_call_account_over(struct control_shared *control, enum err err,
                               uint32_t retry_after_ms, struct slice result)
{
    control->account_call = 0;
    control_client_reply(control, control->account_client, control->account_id, err, retry_after_ms,
                         result);
}

/* Before any other job writes a root: it is sealed under the new secret then. */
static void changed(struct control_shared *control, const struct worker_job *job)
{
    engine_secret(control->worker.engine, &job->root);
    if (job->left) {
        logger_log(control->log, LOGGER_ERROR, "what opened an account before is not destroyed yet",
                   "account=%u", (unsigned)job->root.account);
    }
}

/* The keyring has spoken: the rest is a turn. */
static void on_account(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    enum err err = job->err;
    if (job->kind == WORKER_CHANGE && err == ERR_OK) {
        changed(control, job);
    }
    uint8_t *params = malloc(job->params.len + 1);
    if (err == ERR_OK && params == NULL) {
        err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK) {
        struct writer w = writer_of(params, job->params.len + 1);
        err = params_without_passphrases(job->params, &w);
        if (err == ERR_OK && !command_put(control, control->account_call, job->id, job->method,
                                          writer_done(&w), job->has_root ? &job->root : NULL)) {
            err = ERR_NO_MEMORY;
        }
        secret_wipe(params, job->params.len + 1);
    }
    free(params);
    if (err != ERR_OK) {
        control_call_account_over(control, err, 0, slice_of(NULL, 0));
    }
    worker_job_free(job);
}

/* Only one of them is open at a time, whoever calls: the keyring's files and the account's rows
 * change together. The core knows the call by a number of its own, since a client may give two
 * calls the same one. */
static void call_account(struct control_client *client, const struct control_message *m,
                         const struct control_method *method, enum worker_kind kind)
{
    struct control_shared *control = client->control;
    if (control->account_call != 0 || (kind == WORKER_CREATE && control->erasing > 0)) {
        control_client_error(client, m->id, ERR_BACKPRESSURE, ACCOUNT_RETRY_MS, slice_of(NULL, 0));
        return;
    }
    struct worker_job *job = call_job(client, m, kind, method->name, on_account);
    if (job != NULL) {
        control->account_call = control->next_number++;
        control->account_client = client->number;
        control->account_id = m->id;
        if (kind == WORKER_CREATE || kind == WORKER_CHANGE) {
            control_keys_start(control, job);
        } else {
            worker_start(job);
        }
    }
}

static void call_turn(struct control_client *client, const struct control_message *m,
                      const struct control_method *method)
{
    if (strcmp(method->name, "account.create") == 0) {
        call_account(client, m, method, WORKER_CREATE);
    } else if (strcmp(method->name, "account.unlock") == 0) {
        call_account(client, m, method, WORKER_UNLOCK);
    } else if (strcmp(method->name, "account.passphrase") == 0) {
        call_account(client, m, method, WORKER_CHANGE);
    } else if (command_put(client->control, client->number, m->id, method->name, m->params, NULL)) {
        client->calls++;
    } else {
        control_client_error(client, m->id, ERR_NO_MEMORY, 0, slice_of(NULL, 0));
    }
}

void control_call(struct control_client *client, const struct control_message *m)
{
    const struct control_method *method = control_method_find(m->method);
    struct slice which;
    if (method == NULL) {
        refuse(client, m->id, ERR_UNKNOWN_METHOD, m->method);
        return;
    }
    enum err err = control_params_check(method, m->params, &which);
    if (err != ERR_OK) {
        refuse(client, m->id, err, which);
        return;
    }
    switch (method->where) {
    case CONTROL_HOST:
        call_host(client, m, method);
        break;
    case CONTROL_TURN:
        call_turn(client, m, method);
        break;
    case CONTROL_QUERY:
        start_job(call_job(client, m, WORKER_QUERY, method->name, on_query));
        break;
    }
}
