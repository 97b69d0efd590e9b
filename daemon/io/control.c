/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "control/methods.h"

enum {
    CLIENT_READ = 4096,      /* room that a read gets at least */
    CLIENT_BACKLOG = 64,     /* waiting connections */
    CLIENT_DETAIL = 80,      /* bytes of a client's own words in an error */
    ACCOUNT_RETRY_MS = 1000, /* advice to the second of two account calls */
    REPLY_SPARE = 64,        /* bytes of a reply around its result */
    ERROR_MAX = 1024,        /* an encoded error reply */
};

struct client {
    uv_pipe_t handle;
    struct control *control;
    struct client *next;
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
    bool pulling;    /* a worker reads the log for this client */
    bool stalled;    /* the last read failed: try again in a second */
    uint64_t cursor; /* newest event that was sent */
};

struct control {
    struct control_config config;
    uv_pipe_t listener;
    bool listening;
    bool stopping;
    struct client *clients;
    size_t client_count; /* not closing */
    size_t client_all;   /* handles that are not closed */
    uint64_t next_number;
    uint64_t newest;         /* newest event that was heard of */
    bool account_busy;       /* one account.create or account.unlock at a time */
    uint64_t account_client; /* whose it is */
    uint32_t account_id;
};

static void client_pull(struct client *client);

/* --- clients: life --- */

static struct client *client_find(struct control *control, uint64_t number)
{
    struct client *c = control->clients;
    while (c != NULL && (c->number != number || c->closing)) {
        c = c->next;
    }
    return c;
}

static void input_drop(struct client *client)
{
    if (client->in != NULL) {
        secret_wipe(client->in, client->in_cap);
        free(client->in);
    }
    client->in = NULL;
    client->in_len = client->in_cap = 0;
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct client **at = &client->control->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    client->control->client_all--;
    input_drop(client);
    free(client);
}

/* Closes the client once its output is written; at once when there is none. */
static void client_close(struct client *client, bool now)
{
    if (!client->closing) {
        client->closing = true;
        client->control->client_count--;
        (void)uv_read_stop((uv_stream_t *)&client->handle);
        input_drop(client);
    }
    if ((now || client->out_bytes == 0) && !uv_is_closing((uv_handle_t *)&client->handle)) {
        uv_close((uv_handle_t *)&client->handle, on_client_closed);
    }
}

/* --- clients: output --- */

struct out_block {
    uv_write_t req;
    struct client *client;
    size_t len;
    bool event;
    uint8_t bytes[];
};

static void on_client_written(uv_write_t *req, int status)
{
    struct out_block *block = req->data;
    struct client *client = block->client;
    client->out_bytes -= block->len;
    client->event_bytes -= block->event ? block->len : 0;
    secret_wipe(block->bytes, block->len); /* recovery words, texts */
    free(block);
    if (status < 0) {
        client_close(client, true);
    } else if (client->closing) {
        client_close(client, false);
    } else {
        client_pull(client);
    }
}

static struct out_block *block_new(size_t cap)
{
    return malloc(sizeof(struct out_block) + cap);
}

/* Takes block over; w wrote into it. */
static void client_write(struct client *client, struct out_block *block, const struct writer *w,
                         bool event)
{
    assert(w->err == ERR_OK);
    block->client = client;
    block->len = w->len;
    block->event = event;
    block->req.data = block;
    uv_buf_t buf = uv_buf_init((char *)block->bytes, (unsigned)block->len);
    client->out_bytes += block->len;
    client->event_bytes += event ? block->len : 0;
    if (uv_write(&block->req, (uv_stream_t *)&client->handle, &buf, 1, on_client_written) < 0) {
        client->out_bytes -= block->len;
        client->event_bytes -= event ? block->len : 0;
        secret_wipe(block->bytes, block->len);
        free(block);
        client_close(client, true);
    }
}

static void client_error(struct client *client, uint32_t id, enum err err, uint32_t retry_after_ms,
                         struct slice detail)
{
    struct out_block *block = block_new(ERROR_MAX);
    if (block == NULL) {
        client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, ERROR_MAX);
    control_write_error(&w, id, err, retry_after_ms, detail);
    client_write(client, block, &w, false);
}

static void client_result(struct client *client, uint32_t id, struct slice result)
{
    struct out_block *block = block_new(result.len + REPLY_SPARE);
    if (block == NULL) {
        client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, result.len + REPLY_SPARE);
    control_write_result(&w, id, result);
    if (w.len > LIMIT_CONTROL_MESSAGE) {
        free(block);
        client_error(client, id, ERR_TOO_LARGE, 0, slice_of(NULL, 0));
        return;
    }
    client_write(client, block, &w, false);
}

/* The reply to a call that went elsewhere; the client may be gone. */
static void call_reply(struct control *control, uint64_t number, uint32_t id, enum err err,
                       uint32_t retry_after_ms, struct slice result)
{
    struct client *client = client_find(control, number);
    if (client == NULL) {
        return;
    }
    assert(client->calls > 0);
    client->calls--;
    if (err != ERR_OK) {
        client_error(client, id, err, retry_after_ms, slice_of(NULL, 0));
    } else {
        client_result(client, id, result);
    }
}

static void event_write(struct client *client, struct slice event)
{
    struct out_block *block = block_new(event.len + REPLY_SPARE);
    if (block == NULL) {
        client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, event.len + REPLY_SPARE);
    control_write_event(&w, event);
    client_write(client, block, &w, true);
}

/* --- events --- */

/* Tells that what lies between the client's cursor and first was trimmed. */
static void event_gap(struct client *client, uint64_t first)
{
    uint8_t bytes[128];
    uv_timeval64_t now;
    if (first == 0 || client->cursor >= first - 1) {
        return;
    }
    (void)uv_gettimeofday(&now);
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 4);
    pack_str(&w, "cursor");
    pack_uint(&w, first - 1);
    pack_str(&w, "type");
    pack_str(&w, "gap");
    pack_str(&w, "time");
    pack_uint(&w, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000);
    pack_str(&w, "data");
    pack_map(&w, 1);
    pack_str(&w, "first");
    pack_uint(&w, first);
    event_write(client, writer_done(&w));
    client->cursor = first - 1;
}

/* Sends events until the client has enough under way; the rest is read again later. */
static void events_send(struct client *client, struct slice result)
{
    struct slice events;
    if (!control_get(result, "events", &events)) {
        return;
    }
    struct reader r = reader_of(events);
    uint32_t n = pack_read_array(&r, CONTROL_MAP_MAX);
    for (; n > 0 && !client->closing; n--) {
        size_t start = r.pos;
        uint64_t cursor = 0;
        pack_skip(&r, CONTROL_DEPTH - 1);
        struct slice event = slice_of(events.p + start, r.pos - start);
        if (r.err != ERR_OK || !control_get_uint(event, "cursor", &cursor) ||
            (client->event_bytes > 0 && client->event_bytes + event.len > LIMIT_CONTROL_INFLIGHT)) {
            return;
        }
        event_write(client, event);
        client->cursor = cursor > client->cursor ? cursor : client->cursor;
    }
}

static void on_events(struct worker_job *job)
{
    struct control *control = job->owner;
    struct client *client = client_find(control, job->client);
    if (client != NULL) {
        client->pulling = false;
        client->stalled = job->err != ERR_OK;
        /* A newer subscription of the same client made this read pointless. */
        if (job->err == ERR_OK && client->cursor == job->cursor) {
            uint64_t before = client->cursor;
            event_gap(client, job->first);
            events_send(client, worker_result(job));
            client->stalled = client->cursor == before && client->event_bytes == 0;
            control->newest = job->last > control->newest ? job->last : control->newest;
        }
        client_pull(client);
    }
    worker_job_free(job);
}

/* Reads on in the log when there is more and the client keeps up. */
static void client_pull(struct client *client)
{
    struct control *control = client->control;
    if (!client->subscribed || client->pulling || client->stalled || client->closing ||
        control->stopping || client->cursor >= control->newest ||
        client->event_bytes > LIMIT_CONTROL_INFLIGHT / 2) {
        return;
    }
    struct worker_job *job =
        worker_job_new(&control->config.worker, WORKER_EVENTS, "event.read", slice_of(NULL, 0));
    if (job == NULL) {
        client->stalled = true;
        return;
    }
    job->owner = control;
    job->done = on_events;
    job->client = client->number;
    job->cursor = client->cursor;
    client->pulling = true;
    worker_start(job);
}

static void on_subscribed(struct worker_job *job)
{
    struct control *control = job->owner;
    struct client *client = client_find(control, job->client);
    if (client != NULL && job->err == ERR_OK) {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        pack_map(&w, 2);
        pack_str(&w, "cursor");
        pack_uint(&w, job->last);
        pack_str(&w, "start");
        pack_uint(&w, job->cursor);
        client->subscribed = true;
        client->stalled = false;
        client->cursor = job->cursor;
        control->newest = job->last > control->newest ? job->last : control->newest;
        call_reply(control, job->client, job->id, ERR_OK, 0, writer_done(&w));
        event_gap(client, job->first);
        client_pull(client);
    } else {
        call_reply(control, job->client, job->id, job->err, 0, slice_of(NULL, 0));
    }
    worker_job_free(job);
}

/* --- calls --- */

/* A name out of a client's mouth, fit to be put into a sentence. */
static struct slice plain_name(struct slice name, char out[static CLIENT_DETAIL])
{
    size_t n = name.len < CLIENT_DETAIL ? name.len : CLIENT_DETAIL;
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)(name.p[i] > 0x20 && name.p[i] < 0x7f ? name.p[i] : '?');
    }
    return slice_of(out, n);
}

static void refuse(struct client *client, uint32_t id, enum err err, struct slice name)
{
    char text[CLIENT_DETAIL];
    client_error(client, id, err, 0, plain_name(name, text));
}

static void call_hello(struct client *client, const struct control_message *m)
{
    uint8_t bytes[256];
    uint64_t api = CONTROL_API;
    bool relay = client->control->config.relay;
    if (control_get_uint(m->params, "api", &api) && (api < CONTROL_API_MIN || api > CONTROL_API)) {
        client_error(client, m->id, ERR_VERSION, 0, slice_of(NULL, 0));
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
    client_result(client, m->id, writer_done(&w));
}

/* A job for a call of client; the call counts as open until its reply. */
static struct worker_job *call_job(struct client *client, const struct control_message *m,
                                   enum worker_kind kind, const char *method,
                                   void (*done)(struct worker_job *))
{
    struct worker_job *job =
        worker_job_new(&client->control->config.worker, kind, method, m->params);
    if (job == NULL) {
        client_error(client, m->id, ERR_NO_MEMORY, 0, slice_of(NULL, 0));
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
    call_reply(job->owner, job->client, job->id, job->err, 0, worker_result(job));
    worker_job_free(job);
}

static void start_job(struct worker_job *job)
{
    if (job != NULL) {
        worker_start(job);
    }
}

static void call_host(struct client *client, const struct control_message *m,
                      const struct control_method *method)
{
    struct control *control = client->control;
    if (strcmp(method->name, "hello") == 0) {
        call_hello(client, m);
    } else if (strcmp(method->name, "daemon.stop") == 0) {
        client_result(client, m->id, slice_of(NULL, 0));
        control->config.stop(control->config.stop_ctx);
    } else {
        assert(strcmp(method->name, "event.subscribe") == 0);
        start_job(call_job(client, m, WORKER_SUBSCRIBE, "event.subscribe", on_subscribed));
    }
}

/* Puts a command into the engine's queue; false: out of memory. */
static bool command_put(struct control *control, uint64_t client, uint32_t id, const char *method,
                        struct slice params, const uint8_t *root)
{
    struct engine_input *input =
        engine_input_command(client, id, slice_of(method, strlen(method)), params, root);
    if (input != NULL) {
        engine_put(control->config.worker.engine, input);
    }
    return input != NULL;
}

/* Copies a params map without the passphrase, which never reaches the core. */
static enum err params_without_passphrase(struct slice params, struct writer *w)
{
    struct reader r = reader_of(params);
    struct slice passphrase;
    uint32_t drop = control_get(params, "passphrase", &passphrase) ? 1 : 0;
    struct control_fields f = control_fields_begin(&r);
    pack_map(w, f.left - drop);
    while (control_fields_next(&f)) {
        struct slice key = f.key;
        bool skip = control_key_is(&f, "passphrase");
        struct slice value = control_value(&f);
        if (!skip) {
            pack_str_slice(w, key);
            writer_slice(w, value);
        }
    }
    return r.err != ERR_OK ? r.err : w->err;
}

static void account_over(struct control *control)
{
    control->account_busy = false;
}

/* The keyring has spoken: the rest is a turn. */
static void on_account(struct worker_job *job)
{
    struct control *control = job->owner;
    enum err err = job->err;
    uint8_t *params = malloc(job->params.len + 1);
    if (err == ERR_OK && params == NULL) {
        err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK) {
        struct writer w = writer_of(params, job->params.len + 1);
        err = params_without_passphrase(job->params, &w);
        if (err == ERR_OK && !command_put(control, job->client, job->id, job->method,
                                          writer_done(&w), job->has_root ? job->root : NULL)) {
            err = ERR_NO_MEMORY;
        }
        secret_wipe(params, job->params.len + 1);
    }
    free(params);
    if (err != ERR_OK) {
        account_over(control);
        call_reply(control, job->client, job->id, err, 0, slice_of(NULL, 0));
    }
    worker_job_free(job);
}

static void call_account(struct client *client, const struct control_message *m,
                         const struct control_method *method, enum worker_kind kind)
{
    struct control *control = client->control;
    if (control->account_busy) {
        client_error(client, m->id, ERR_BACKPRESSURE, ACCOUNT_RETRY_MS, slice_of(NULL, 0));
        return;
    }
    struct worker_job *job = call_job(client, m, kind, method->name, on_account);
    if (job != NULL) {
        control->account_busy = true;
        control->account_client = client->number;
        control->account_id = m->id;
        worker_start(job);
    }
}

static void call_turn(struct client *client, const struct control_message *m,
                      const struct control_method *method)
{
    if (strcmp(method->name, "account.create") == 0) {
        call_account(client, m, method, WORKER_CREATE);
    } else if (strcmp(method->name, "account.unlock") == 0) {
        call_account(client, m, method, WORKER_UNLOCK);
    } else if (command_put(client->control, client->number, m->id, method->name, m->params, NULL)) {
        client->calls++;
    } else {
        client_error(client, m->id, ERR_NO_MEMORY, 0, slice_of(NULL, 0));
    }
}

static void client_call(struct client *client, const struct control_message *m)
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

/* --- clients: input --- */

/* Takes the first len bytes off the input, wiping them: a passphrase may be among them. */
static void input_take(struct client *client, size_t len)
{
    size_t left = client->in_len - len;
    memmove(client->in, client->in + len, left);
    secret_wipe(client->in + left, len);
    client->in_len = left;
    client->scan = control_scan_new();
    if (left == 0) {
        input_drop(client);
    }
}

/* The client does not speak this protocol: it is told, under id 0, and closed. */
static void client_nonsense(struct client *client, enum err err)
{
    client_error(client, 0, err, 0, slice_of(NULL, 0));
    client_close(client, false);
}

static bool client_has_room(const struct client *client)
{
    return client->calls < CONTROL_CALLS_MAX &&
           client->out_bytes - client->event_bytes <= LIMIT_CONTROL_MESSAGE &&
           !engine_full(client->control->config.worker.engine);
}

/* Handles the messages that are complete. */
static void client_consume(struct client *client)
{
    while (!client->closing && client->in_len > 0) {
        size_t len = 0;
        struct control_message m;
        if (!client_has_room(client)) {
            client->blocked = true;
            (void)uv_read_stop((uv_stream_t *)&client->handle);
            return;
        }
        enum err err = control_scan(&client->scan, slice_of(client->in, client->in_len), &len);
        if (err == ERR_NOT_NOW) {
            return;
        }
        if (err == ERR_OK) {
            err = control_read(slice_of(client->in, len), &m);
        }
        if (err == ERR_OK && m.kind != CONTROL_REQUEST) {
            err = ERR_PROTOCOL;
        }
        if (err != ERR_OK) {
            client_nonsense(client, err);
            return;
        }
        client_call(client, &m);
        if (!client->closing) {
            input_take(client, len);
        }
    }
}

/* Gives the next read room behind what is there; grows by copying, so that nothing is left over
 * in freed memory. */
static void on_client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)suggested;
    if (client->in_cap - client->in_len < CLIENT_READ) {
        size_t cap = client->in_cap * 2 > CLIENT_READ ? client->in_cap * 2 : 2 * CLIENT_READ;
        uint8_t *in = malloc(cap);
        if (in == NULL) {
            *buf = uv_buf_init(NULL, 0);
            return;
        }
        if (client->in_len > 0) {
            memcpy(in, client->in, client->in_len);
        }
        size_t len = client->in_len;
        input_drop(client);
        client->in = in;
        client->in_cap = cap;
        client->in_len = len;
    }
    *buf = uv_buf_init((char *)client->in + client->in_len,
                       (unsigned)(client->in_cap - client->in_len));
}

static void on_client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    (void)buf;
    if (n < 0) {
        client_close(client, true);
        return;
    }
    client->in_len += (size_t)n;
    client_consume(client);
    if (client->in_len == 0) {
        input_drop(client);
    }
}

static void client_read_start(struct client *client)
{
    client->blocked = false;
    if (uv_read_start((uv_stream_t *)&client->handle, on_client_alloc, on_client_read) < 0) {
        client_close(client, true);
    }
}

void control_pass(struct control *control)
{
    for (struct client *c = control->clients; c != NULL; c = c->next) {
        if (c->blocked && !c->closing && client_has_room(c)) {
            c->blocked = false;
            client_consume(c);
            if (!c->blocked && !c->closing) {
                client_read_start(c);
            }
        }
    }
}

/* --- the socket --- */

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

static void client_admit(struct client *client)
{
    struct control *control = client->control;
    if (!peer_allowed(&client->handle)) {
        logger_log(control->config.log, LOGGER_WARN, "control client refused", "reason=%s",
                   "other-user");
        client_nonsense(client, ERR_REFUSED);
    } else if (control->client_count > LIMIT_CONTROL_CLIENTS) {
        logger_log(control->config.log, LOGGER_WARN, "control client refused", "reason=%s",
                   "too-many");
        client_nonsense(client, ERR_BACKPRESSURE);
    } else {
        client_read_start(client);
    }
}

static void on_client(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    struct client *client = status < 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL || uv_pipe_init(control->config.worker.uv, &client->handle, 0) < 0) {
        free(client);
        return;
    }
    client->handle.data = client;
    client->control = control;
    client->number = control->next_number++;
    client->scan = control_scan_new();
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    control->client_all++;
    if (uv_accept(server, (uv_stream_t *)&client->handle) < 0 || control->stopping) {
        client_close(client, true);
        return;
    }
    client_admit(client);
}

static void on_reply(struct control *control, const struct node_output *o)
{
    if (control->account_busy && o->client == control->account_client &&
        o->id == control->account_id) {
        account_over(control);
    }
    call_reply(control, o->client, o->id, o->err, o->retry_after_ms, slice_of(o->data, o->len));
}

void control_output(struct control *control, const struct node_output *o)
{
    if (o->kind == NODE_OUT_REPLY) {
        on_reply(control, o);
    } else if (o->kind == NODE_OUT_EVENT && o->cursor > control->newest) {
        control->newest = o->cursor;
        for (struct client *c = control->clients; c != NULL; c = c->next) {
            client_pull(c);
        }
    }
}

void control_tick(struct control *control)
{
    for (struct client *c = control->clients; c != NULL; c = c->next) {
        c->stalled = false;
        client_pull(c);
    }
}

enum err control_new(struct control **out, const struct control_config *config, const char *path)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return ERR_NO_MEMORY;
    }
    control->config = *config;
    control->next_number = 1;
    if (uv_pipe_init(config->worker.uv, &control->listener, 0) < 0) {
        free(control);
        return ERR_NO_MEMORY;
    }
    control->listener.data = control;
    control->listening = true;
    *out = control;
    /* umask is 077 already; chmod says what is meant. */
    if (uv_pipe_bind(&control->listener, path) < 0 || chmod(path, 0600) != 0 ||
        uv_listen((uv_stream_t *)&control->listener, CLIENT_BACKLOG, on_client) < 0) {
        return ERR_IO; /* the caller stops and frees it */
    }
    return ERR_OK;
}

void control_stop(struct control *control)
{
    if (control->stopping) {
        return;
    }
    control->stopping = true;
    uv_close((uv_handle_t *)&control->listener, NULL);
    for (struct client *c = control->clients; c != NULL; c = c->next) {
        client_close(c, false);
    }
}

bool control_idle(const struct control *control)
{
    return control->client_all == 0;
}

void control_abort(struct control *control)
{
    for (struct client *c = control->clients; c != NULL; c = c->next) {
        client_close(c, true);
    }
}

void control_free(struct control *control)
{
    if (control != NULL) {
        assert(control_idle(control));
        free(control);
    }
}
