/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine_input.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static struct engine_input *input_new(enum node_input_kind kind, uint64_t link, size_t len)
{
    struct engine_input *input = malloc(sizeof *input + len);
    if (input != NULL) {
        memset(input, 0, sizeof *input);
        input->bytes = sizeof *input + len;
        input->node.kind = kind;
        input->node.link = link;
    }
    return input;
}

struct engine_input *engine_input_link(enum node_input_kind kind, uint64_t link)
{
    return input_new(kind, link, 0);
}

struct engine_input *engine_input_frame(uint64_t link, struct slice frame)
{
    struct engine_input *input = input_new(NODE_FRAME, link, frame.len);
    if (input != NULL) {
        memcpy(input->data, frame.p, frame.len);
        input->node.u.frame = slice_of(input->data, frame.len);
    }
    return input;
}

struct engine_input *engine_input_command(uint64_t client, uint32_t id, struct slice method,
                                          struct slice params, const struct node_root *root)
{
    struct engine_input *input = input_new(NODE_COMMAND, 0, method.len + params.len);
    if (input == NULL) {
        return NULL;
    }
    memcpy(input->data, method.p, method.len);
    memcpy(input->data + method.len, params.p, params.len);
    input->node.u.command.client = client;
    input->node.u.command.id = id;
    input->node.u.command.method = slice_of(input->data, method.len);
    input->node.u.command.params = slice_of(input->data + method.len, params.len);
    if (root != NULL) {
        input->root = *root;
        input->node.u.command.root = &input->root;
    }
    return input;
}

struct engine_input *engine_input_erased(uint32_t account)
{
    struct engine_input *input = input_new(NODE_ERASED, 0, 0);
    if (input != NULL) {
        input->node.u.erased = account;
    }
    return input;
}

struct engine_input *engine_input_rooted(const struct node_root *root, enum err err)
{
    struct engine_input *input = input_new(NODE_ROOTED, 0, 0);
    if (input != NULL) {
        input->root = *root;
        input->node.u.rooted.root = &input->root;
        input->node.u.rooted.err = err;
    }
    return input;
}

struct engine_input *engine_input_policy(const struct forward_policy *policy)
{
    struct engine_input *input = input_new(NODE_POLICY, 0, sizeof *policy);
    if (input != NULL) {
        memcpy(input->data, policy, sizeof *policy);
        input->node.u.policy = (const struct forward_policy *)(const void *)input->data;
    }
    return input;
}

struct engine_input *engine_input_table(struct slice table)
{
    struct engine_input *input = input_new(NODE_DHT_TABLE, 0, table.len);
    if (input != NULL) {
        memcpy(input->data, table.p, table.len);
        input->node.u.table = slice_of(input->data, table.len);
    }
    return input;
}

struct engine_input *engine_input_item(uint64_t number, const struct bep44_item *item)
{
    struct engine_input *input = input_new(NODE_DHT_ITEM, number, sizeof *item);
    if (input != NULL) {
        memcpy(input->data, item, sizeof *item);
        input->node.u.item = (const struct bep44_item *)(const void *)input->data;
    }
    return input;
}

void engine_input_free(struct engine_input *input)
{
    if (input != NULL) {
        if (input->node.kind == NODE_COMMAND || input->node.kind == NODE_ROOTED) {
            secret_wipe(input, input->bytes);
        }
        free(input);
    }
}

void engine_input_append(struct engine_inputs *l, struct engine_input *input)
{
    input->next = NULL;
    if (l->last != NULL) {
        l->last->next = input;
    } else {
        l->first = input;
    }
    l->last = input;
    l->count++;
}

struct engine_input *engine_input_pop(struct engine_inputs *l)
{
    struct engine_input *input = l->first;
    if (input != NULL) {
        l->first = input->next;
        if (l->first == NULL) {
            l->last = NULL;
        }
        l->count--;
    }
    return input;
}

/* Moves all of `from` behind `to`. */
void engine_input_splice(struct engine_inputs *to, struct engine_inputs *from)
{
    if (from->first == NULL) {
        return;
    }
    if (to->last != NULL) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    to->count += from->count;
    *from = (struct engine_inputs){0};
}

void engine_input_free_all(struct engine_inputs *l)
{
    for (struct engine_input *i = engine_input_pop(l); i != NULL; i = engine_input_pop(l)) {
        engine_input_free(i);
    }
}
