/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/methods.h"
#include "daemon/io/control_call.h"
#include "daemon/io/control_events.h"
#include "daemon/io/control_input.h"
#include "daemon/io/control_keys.h"
#include "daemon/io/files.h"

enum {
    CONTROL_BACKLOG = 64, /* waiting connections */
};

struct control {
    struct control_shared shared; /* what its clients need */
    uv_pipe_t listener;
};

/* Whether the process at the other end runs under our user, or root. */
static bool peer_allowed(uv_pipe_t *handle)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)handle, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof cred) {
        return false;
    }
    return cred.uid == geteuid() || cred.uid == 0;
}

static void client_admit(struct control_client *client)
{
    struct control_shared *control = client->control;
    if (!peer_allowed(&client->handle)) {
        logger_log(control->log, LOGGER_WARN, "control client refused", "reason=%s", "other-user");
        control_input_refuse(client, ERR_REFUSED);
    } else if (control->client_count > control->max_clients) {
        logger_log(control->log, LOGGER_WARN, "control client refused", "reason=%s", "too-many");
        control_input_refuse(client, ERR_BACKPRESSURE);
    } else {
        control_input_read(client);
    }
}

static void on_client(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    struct control_client *client = status < 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL || uv_pipe_init(control->shared.worker.uv, &client->handle, 0) < 0) {
        free(client);
        return;
    }
    client->handle.data = client;
    client->control = &control->shared;
    client->number = control->shared.next_number++;
    client->scan = control_scan_new();
    client->next = control->shared.clients;
    control->shared.clients = client;
    control->shared.client_count++;
    control->shared.client_all++;
    if (uv_accept(server, (uv_stream_t *)&client->handle) < 0 || control->shared.stopping) {
        control_client_close(client, true);
        return;
    }
    client_admit(client);
}

static void on_reply(struct control_shared *control, const struct node_output *o)
{
    struct slice result = slice_of(o->data, o->len);
    if (o->client == control->account_call) {
        control_call_account_over(control, o->err, o->retry_after_ms, result);
    } else {
        control_client_reply(control, o->client, o->id, o->err, o->retry_after_ms, result);
    }
}

static void on_event(struct control_shared *control, const struct node_output *o)
{
    control_events_heard(control, o->account, o->cursor);
    for (struct control_client *c = control->clients; c != NULL; c = c->next) {
        control_events_pull(c);
    }
}

void control_output(struct control *control, const struct node_output *o)
{
    if (o->kind == NODE_OUT_REPLY) {
        on_reply(&control->shared, o);
    } else if (o->kind == NODE_OUT_EVENT) {
        on_event(&control->shared, o);
    } else if (o->kind == NODE_OUT_LOCKED) {
        control_events_over(&control->shared, o->account);
    } else {
        control_keys_output(&control->shared, o);
    }
}

void control_pass(struct control *control)
{
    for (struct control_client *c = control->shared.clients; c != NULL; c = c->next) {
        control_input_resume(c);
    }
}

bool control_stalled(const struct control *control)
{
    for (const struct control_client *c = control->shared.clients; c != NULL; c = c->next) {
        if (c->stalled) {
            return true;
        }
    }
    return false;
}

void control_tick(struct control *control)
{
    for (struct control_client *c = control->shared.clients; c != NULL; c = c->next) {
        c->stalled = false;
        control_events_pull(c);
    }
}

enum err control_new(struct control **out, const struct control_config *config, const char *path)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return ERR_NO_MEMORY;
    }
    control->shared.worker = config->worker;
    control->shared.log = config->log;
    control->shared.relay = config->relay;
    control->shared.finder = config->finder;
    control->shared.stop = config->stop;
    control->shared.stop_ctx = config->stop_ctx;
    control->shared.drained = control_events_pull;
    control->shared.next_number = 1;
    control->shared.max_clients = files_of_process().clients;
    if (uv_pipe_init(config->worker.uv, &control->listener, 0) < 0) {
        free(control);
        return ERR_NO_MEMORY;
    }
    control->listener.data = control;
    *out = control;
    /* umask is 077 already; chmod says what is meant. */
    if (uv_pipe_bind(&control->listener, path) < 0 || chmod(path, 0600) != 0 ||
        uv_listen((uv_stream_t *)&control->listener, CONTROL_BACKLOG, on_client) < 0) {
        return ERR_IO; /* the caller stops and frees it */
    }
    return ERR_OK;
}

void control_stop(struct control *control)
{
    if (control->shared.stopping) {
        return;
    }
    control->shared.stopping = true;
    uv_close((uv_handle_t *)&control->listener, NULL);
    for (struct control_client *c = control->shared.clients; c != NULL; c = c->next) {
        control_client_close(c, false);
    }
}

bool control_idle(const struct control *control)
{
    return control->shared.client_all == 0;
}

void control_abort(struct control *control)
{
    for (struct control_client *c = control->shared.clients; c != NULL; c = c->next) {
        control_client_close(c, true);
    }
}

void control_free(struct control *control)
{
    if (control != NULL) {
        assert(control_idle(control));
        free(control);
    }
}
