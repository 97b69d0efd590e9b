/* SPDX-License-Identifier: Apache-2.0
 *
 * erase: what stands for the host's key files: the roots of accounts, put, kept and destroyed.
 * docs/protocol/08-at-rest.md.
 */
#include <string.h>

#include "sim/inside.h"

void roots_init(struct sim_node *n)
{
    for (uint32_t i = 0; i < LIMIT_ACCOUNTS; i++) {
        n->roots[i].account = i + 1;
        n->roots[i].generation = 1;
        env_random(&n->random.env, n->roots[i].r, sizeof n->roots[i].r);
    }
}

/* The host destroys a root, and says so. */
static void erase(struct sim *sim, struct sim_node *n, uint32_t account)
{
    struct node_input in = {.kind = NODE_ERASED, .u.erased = account};
    n->roots[account - 1].generation = 1;
    env_random(&n->random.env, n->roots[account - 1].r, sizeof n->roots[0].r);
    n->roots[LIMIT_ACCOUNTS + account - 1] = (struct node_root){.account = 0};
    (void)input_send(sim, n, 0, &in, slice_of(NULL, 0));
}

static bool fails(unsigned *left)
{
    bool yes = *left > 0;
    *left -= yes ? 1 : 0;
    return yes;
}

/* The host puts a root into the spare slot, and says so. */
static void root_put(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct node_root root = {.account = out->account, .generation = out->generation};
    struct node_input in = {.kind = NODE_ROOTED};
    sim_check(sim, out->len == sizeof root.r, "a root of %zu bytes", out->len);
    memcpy(root.r, out->data, sizeof root.r);
    root.former = n->roots[out->account - 1].former; /* the file's, not the slot's */
    if (fails(&n->put_fails)) {
        in.u.rooted.err = ERR_IO;
    } else {
        n->roots[LIMIT_ACCOUNTS + out->account - 1] = root;
    }
    (void)input_send(sim, n, 0, &in, slice_of(&root, sizeof root));
}

/* One slot is in use, and the other one is overwritten. */
static void root_keep(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct node_root *used = &n->roots[out->account - 1];
    struct node_root *spare = &n->roots[LIMIT_ACCOUNTS + out->account - 1];
    struct node_root other = {.account = 0};
    if (spare->account != 0 && spare->generation == out->generation) {
        other = *used;
        *used = *spare;
    }
    sim_check(sim, used->generation == out->generation, "a root is kept that is not there");
    *spare = (struct node_root){.account = 0};
    if (fails(&n->keep_fails)) {
        struct node_input in = {.kind = NODE_ROOTED};
        struct node_root root = {.account = out->account, .generation = out->generation};
        *spare = other;
        in.u.rooted.err = ERR_IO;
        (void)input_send(sim, n, 0, &in, slice_of(&root, sizeof root));
    }
}

void roots_output(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    sim_check(sim, out->account > 0 && out->account <= LIMIT_ACCOUNTS, "no account %u",
              (unsigned)out->account);
    if (out->kind == NODE_OUT_ERASE) {
        erase(sim, n, out->account);
    } else if (out->kind == NODE_OUT_ROOT) {
        root_put(sim, n, out);
    } else {
        root_keep(sim, n, out);
    }
}

/* The erase file has another passphrase: its roots were under the former one. */
static void file_changed(struct node_root *used, struct node_root *spare)
{
    uint32_t newest = spare->account != 0 && spare->generation > used->generation
                          ? spare->generation
                          : used->generation;
    used->former = newest;
    spare->former = newest;
}

const struct node_root *roots_for(struct sim *sim, struct sim_node *n, const char *method,
                                  struct slice params)
{
    struct store store;
    uint32_t account = 1;
    bool creates = strcmp(method, "account.create") == 0;
    bool changes = strcmp(method, "account.passphrase") == 0;
    if (!creates && !changes && strcmp(method, "account.unlock") != 0) {
        return NULL;
    }
    store_mem_read(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    enum err err = creates ? node_account_made(&turn, params, &account)
                           : node_account_named(&turn, params, &account);
    bool opened = err == ERR_OK;
    if (creates && err == ERR_NOT_FOUND) {
        err = node_account_free(&turn, true, &account);
    }
    arena_reset(&sim->arena);
    account = err == ERR_OK ? account : 1;
    uint32_t generation;
    struct node_root *spare = &n->roots[LIMIT_ACCOUNTS + account - 1];
    if (changes) {
        file_changed(&n->roots[account - 1], spare);
    }
    n->opened = n->roots[account - 1];
    if (seal_root_named(&store, account, &generation) == ERR_OK && spare->account != 0 &&
        spare->generation == generation) {
        n->opened = *spare;
    }
    n->opened.opened = true;
    return opened ? &n->opened : &n->roots[account - 1];
}
