/* SPDX-License-Identifier: Apache-2.0 */
#include "node/step.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "link/frame.h"

enum {
    FRAME_HEAD = 16, /* more than array head, kind and id can take */
};

/* A new last output with room for len bytes of data. */
static struct node_output *output_add(struct step *step, enum node_output_kind kind, size_t len)
{
    struct node_output *out = malloc(sizeof *out + len);
    if (out == NULL) {
        return NULL;
    }
    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->len = len;
    struct node_outputs *outs = step->outs;
    if (outs->last == NULL) {
        outs->first = out;
    } else {
        outs->last->next = out;
    }
    outs->last = out;
    outs->count++;
    outs->bytes += len;
    return out;
}

enum err step_send(struct step *step, uint64_t link, uint8_t kind, uint32_t id, struct slice body)
{
    struct node_output *out = output_add(step, NODE_OUT_SEND, body.len + FRAME_HEAD);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(out->data, out->len);
    struct frame frame = {.kind = kind, .id = id, .body = body};
    frame_write(&w, &frame);
    assert(w.err == ERR_OK);
    out->link = link;
    out->len = w.len;
    return ERR_OK;
}

enum err step_close(struct step *step, uint64_t link, enum err reason)
{
    struct node_output *out = output_add(step, NODE_OUT_CLOSE, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->link = link;
    out->err = reason;
    return ERR_OK;
}

enum err step_connect(struct step *step, uint64_t link, const struct address *to,
                      const struct dh_sk *link_key, bool public_only)
{
    struct node_output *out = output_add(step, NODE_OUT_CONNECT, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t len = strlen(to->host);
    assert(len <= LIMIT_HOST);
    out->link = link;
    out->connect.node_id = to->node_id;
    out->connect.link_key = *link_key;
    memcpy(out->connect.host, to->host, len + 1);
    out->connect.port = to->port;
    out->connect.public_only = public_only;
    return ERR_OK;
}

enum err step_reply(struct step *step, uint64_t client, uint32_t id, enum err err, uint32_t opened,
                    struct slice result)
{
    size_t len = err == ERR_OK ? result.len : 0;
    struct node_output *out = output_add(step, NODE_OUT_REPLY, len);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->client = client;
    out->id = id;
    out->err = err;
    out->account = opened;
    if (len > 0) {
        memcpy(out->data, result.p, len);
    }
    return ERR_OK;
}

enum err step_event(struct step *step, uint32_t account, uint64_t cursor)
{
    struct node_output *out = output_add(step, NODE_OUT_EVENT, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->account = account;
    out->cursor = cursor;
    return ERR_OK;
}

/* An output that says no more than which account. */
static enum err account_output(struct step *step, enum node_output_kind kind, uint32_t account)
{
    struct node_output *out = output_add(step, kind, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->account = account;
    return ERR_OK;
}

enum err step_erase(struct step *step, uint32_t account)
{
    return account_output(step, NODE_OUT_ERASE, account);
}

enum err step_locked(struct step *step, uint32_t account)
{
    return account_output(step, NODE_OUT_LOCKED, account);
}

enum err step_root(struct step *step, const struct node_root *root)
{
    struct node_output *out = output_add(step, NODE_OUT_ROOT, sizeof root->r);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->account = root->account;
    out->generation = root->generation;
    memcpy(out->data, root->r, sizeof root->r);
    return ERR_OK;
}

enum err step_root_keep(struct step *step, uint32_t account, uint32_t generation)
{
    struct node_output *out = output_add(step, NODE_OUT_ROOT_KEEP, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->account = account;
    out->generation = generation;
    return ERR_OK;
}

enum err step_dht_get(struct step *step, uint64_t number, const struct sign_pk *key)
{
    struct node_output *out = output_add(step, NODE_OUT_DHT_GET, sizeof key->b);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    out->link = number;
    memcpy(out->data, key->b, sizeof key->b);
    return ERR_OK;
}

enum err step_dht_node(struct step *step, const char *host, uint16_t port)
{
    struct node_output *out = output_add(step, NODE_OUT_DHT_NODE, 0);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t len = strlen(host);
    assert(len <= LIMIT_HOST);
    memcpy(out->connect.host, host, len + 1);
    out->connect.port = port;
    return ERR_OK;
}

enum err step_dht_table(struct step *step, struct slice table)
{
    struct node_output *out = output_add(step, NODE_OUT_DHT_TABLE, table.len);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    if (table.len > 0) {
        memcpy(out->data, table.p, table.len);
    }
    return ERR_OK;
}

enum err step_dht_put(struct step *step, const struct bep44_item *item)
{
    struct node_output *out = output_add(step, NODE_OUT_DHT_PUT, BEP44_ITEM);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(out->data, out->len);
    bep44_item_write(&w, item);
    assert(w.err == ERR_OK);
    out->len = w.len;
    return ERR_OK;
}

struct writer step_writer(struct step *step, size_t cap)
{
    uint8_t *p = arena_alloc(step->turn->arena, cap);
    return writer_of(p, p == NULL ? 0 : cap);
}
