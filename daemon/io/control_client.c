/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control_client.h"

#include <assert.h>
#include <stdlib.h>

#include "base/secret.h"
#include "control/methods.h"

enum {
    REPLY_SPARE = 64, /* bytes of a reply around its result */
    ERROR_MAX = 1024, /* an encoded error reply */
};

struct control_client *control_client_find(struct control_shared *control, uint64_t number)
{
    struct control_client *c = control->clients;
    while (c != NULL && (c->number != number || c->closing)) {
        c = c->next;
    }
    return c;
}

void control_client_forget_input(struct control_client *client)
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
    struct control_client *client = handle->data;
    struct control_client **at = &client->control->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    client->control->client_all--;
    control_client_forget_input(client);
    free(client);
}

void control_client_close(struct control_client *client, bool now)
{
    if (!client->closing) {
        client->closing = true;
        client->control->client_count--;
        (void)uv_read_stop((uv_stream_t *)&client->handle);
        control_client_forget_input(client);
    }
    if ((now || client->out_bytes == 0) && !uv_is_closing((uv_handle_t *)&client->handle)) {
        uv_close((uv_handle_t *)&client->handle, on_client_closed);
    }
}

struct out_block {
    uv_write_t req;
    struct control_client *client;
    size_t len;
    bool event;
    uint8_t bytes[];
};

static void on_client_written(uv_write_t *req, int status)
{
    struct out_block *block = req->data;
    struct control_client *client = block->client;
    client->out_bytes -= block->len;
    client->event_bytes -= block->event ? block->len : 0;
    secret_wipe(block->bytes, block->len); /* recovery words, texts */
    free(block);
    if (status < 0) {
        control_client_close(client, true);
    } else if (client->closing) {
        control_client_close(client, false);
    } else {
        client->control->drained(client);
    }
}

static struct out_block *block_new(size_t cap)
{
    return malloc(sizeof(struct out_block) + cap);
}

/* Takes block over; w wrote into it. */
static void client_write(struct control_client *client, struct out_block *block,
                         const struct writer *w, bool event)
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
        control_client_close(client, true);
    }
}

void control_client_error(struct control_client *client, uint32_t id, enum err err,
                          uint32_t retry_after_ms, struct slice detail)
{
    struct out_block *block = block_new(ERROR_MAX);
    if (block == NULL) {
        control_client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, ERROR_MAX);
    control_write_error(&w, id, err, retry_after_ms, detail);
    client_write(client, block, &w, false);
}

void control_client_result(struct control_client *client, uint32_t id, struct slice result)
{
    struct out_block *block = block_new(result.len + REPLY_SPARE);
    if (block == NULL) {
        control_client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, result.len + REPLY_SPARE);
    control_write_result(&w, id, result);
    if (w.len > LIMIT_CONTROL_MESSAGE) {
        free(block);
        control_client_error(client, id, ERR_TOO_LARGE, 0, slice_of(NULL, 0));
        return;
    }
    client_write(client, block, &w, false);
}

/* The reply to a call that went elsewhere; the client may be gone. */
void control_client_reply(struct control_shared *control, uint64_t number, uint32_t id,
                          enum err err, uint32_t retry_after_ms, struct slice result)
{
    struct control_client *client = control_client_find(control, number);
    if (client == NULL) {
        return;
    }
    assert(client->calls > 0);
    client->calls--;
    if (err != ERR_OK) {
        control_client_error(client, id, err, retry_after_ms, slice_of(NULL, 0));
    } else {
        control_client_result(client, id, result);
    }
}

void control_client_event(struct control_client *client, struct slice event)
{
    struct out_block *block = block_new(event.len + REPLY_SPARE);
    if (block == NULL) {
        control_client_close(client, true);
        return;
    }
    struct writer w = writer_of(block->bytes, event.len + REPLY_SPARE);
    control_write_event(&w, event);
    client_write(client, block, &w, true);
}
