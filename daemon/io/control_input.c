/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control_input.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "control/methods.h"
#include "daemon/io/control_call.h"

enum {
    CLIENT_READ = 4096, /* room that a read gets at least */
};

/* Takes the first len bytes off the input, wiping them: a passphrase may be among them. */
static void input_take(struct control_client *client, size_t len)
{
    size_t left = client->in_len - len;
    memmove(client->in, client->in + len, left);
    secret_wipe(client->in + left, len);
    client->in_len = left;
    client->scan = control_scan_new();
    if (left == 0) {
        control_client_forget_input(client);
    }
}

void control_input_refuse(struct control_client *client, enum err err)
{
    control_client_error(client, 0, err, 0, slice_of(NULL, 0));
    control_client_close(client, false);
}

static bool has_room(const struct control_client *client)
{
    return client->calls < CONTROL_CALLS_MAX &&
           client->out_bytes - client->event_bytes <= LIMIT_CONTROL_MESSAGE &&
           !engine_full(client->control->worker.engine);
}

/* Handles the messages that are complete. */
static void consume(struct control_client *client)
{
    while (!client->closing && client->in_len > 0) {
        size_t len = 0;
        struct control_message m;
        if (!has_room(client)) {
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
            control_input_refuse(client, err);
            return;
        }
        control_call(client, &m);
        if (!client->closing) {
            input_take(client, len);
        }
    }
}

/* Gives the next read room behind what is there; grows by copying, so that nothing is left over
 * in freed memory. */
static void on_client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_client *client = handle->data;
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
        control_client_forget_input(client);
        client->in = in;
        client->in_cap = cap;
        client->in_len = len;
    }
    *buf = uv_buf_init((char *)client->in + client->in_len,
                       (unsigned)(client->in_cap - client->in_len));
}

static void on_client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct control_client *client = stream->data;
    (void)buf;
    if (n < 0) {
        control_client_close(client, true);
        return;
    }
    client->in_len += (size_t)n;
    consume(client);
    if (client->in_len == 0) {
        control_client_forget_input(client);
    }
}

void control_input_read(struct control_client *client)
{
    client->blocked = false;
    if (uv_read_start((uv_stream_t *)&client->handle, on_client_alloc, on_client_read) < 0) {
        control_client_close(client, true);
    }
}

void control_input_resume(struct control_client *client)
{
    if (client->blocked && !client->closing && has_room(client)) {
        client->blocked = false;
        consume(client);
        if (!client->blocked && !client->closing) {
            control_input_read(client);
        }
    }
}
