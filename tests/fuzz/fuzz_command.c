/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_command: any bytes as the parameters of any call or query (method u8 | parameters), without
 * the checks that the control socket makes before; no call may fail a turn.
 * decodes: proto/node/command.c proto/node/query.c proto/node/params.c proto/node/lookup.c
 * decodes: proto/node/event.c proto/node/rows.c proto/node/contact_rows.c
 * decodes: proto/node/content.c proto/node/invite.c proto/node/backup.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/world.h"
#include "node/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const METHODS[] = {
    "daemon.status",  "account.create", "account.unlock",  "invite.create", "contact.add",
    "contact.block",  "contact.verify", "request.accept",  "message.send",  "event.ack",
    "relay.use",      "relay.status",   "relay.invite",    "account.show",  "account.words",
    "contact.list",   "request.list",   "message.history", "event.read",    "consumer.get",
    "no.such.method", "relay.members",  "relay.waiting",   "relay.remove",  "relay.limits",
    "relay.audit",    "relay.verify",   "message.delete",  "account.lock",  "account.rekey",
    "backup.read",    "restore.end",    "restore.put",     "account.dht",   "contact.resolve",
};

static void query(struct visit *v, struct slice method, struct slice params)
{
    static uint8_t out[LIMIT_CONTROL_MESSAGE];
    struct writer w = writer_of(out, sizeof out);
    struct turn turn = {.env = &v->env.env, .store = &v->store, .arena = &v->arena};
    enum err err = node_query(&turn, world_get()->n->roots, 2 * LIMIT_ACCOUNTS, method, params, &w);
    if (err == ERR_OK && w.len == 0) {
        abort();
    }
    if (err_class(err) == ERR_CLASS_LOCAL && err != ERR_NO_MEMORY) {
        abort();
    }
    arena_reset(&v->arena);
}

/* What the call was answered with. */
static enum err answer(struct visit *v)
{
    enum err err = ERR_BUG;
    for (const struct node_output *o = v->outs.first; o != NULL; o = o->next) {
        err = o->kind == NODE_OUT_REPLY ? o->err : err;
    }
    node_outputs_free(&v->outs);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct visit v;
    static bool open;
    if (len == 0 || len > 65536) {
        return 0;
    }
    const char *name = METHODS[data[0] % (sizeof METHODS / sizeof METHODS[0])];
    struct slice method = slice_of(name, strlen(name));
    struct slice params = slice_of(data + 1, len - 1);
    struct node_input in = {.kind = NODE_COMMAND};
    in.u.command.method = method;
    in.u.command.params = params;
    in.u.command.root = &world_get()->n->roots[0];
    if (!open) {
        visit_open(&v);
        node_outputs_free(&v.outs);
        open = true;
    }
    uint64_t puts = store_mem_puts(world_get()->n->mem);
    v.node->accounts->restoring = strncmp(name, "restore.", 8) == 0;
    visit_step(&v, &in);
    if (answer(&v) != ERR_OK) {
        if (store_mem_puts(world_get()->n->mem) != puts) {
            abort(); /* a call that failed has changed something */
        }
        query(&v, method, params);
        return 0; /* nothing has moved: the next input finds the same node */
    }
    visit_turn(&v, NULL);
    /* Whatever it changed can be read again: a row that was put must not be out of form. */
    query(&v, slice_of("contact.list", 12), slice_of("\x80", 1));
    query(&v, method, params);
    visit_close(&v);
    open = false;
    return 0;
}
