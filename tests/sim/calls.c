/* SPDX-License-Identifier: Apache-2.0
 *
 * calls: the control interface of a node.
 */
#include <string.h>

#include "node/params.h"
#include "sim/inside.h"

enum {
    TURNS_MAX = 200000, /* of one call: more means that it never ends */
};

void sim_pair_str(struct writer *w, const char *name, const char *text)
{
    result_text(w, name, text);
}

void sim_pair_uint(struct writer *w, const char *name, uint64_t v)
{
    result_uint(w, name, v);
}

static void pair_account(struct writer *w, const struct sim_node *n)
{
    if (n->account != 0) {
        sim_pair_uint(w, "account", n->account);
    }
}

void sim_pair_true(struct writer *w, const char *name)
{
    pack_str(w, name);
    pack_bool(w, true);
}

enum err sim_call(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                  struct slice encoded_pairs)
{
    uint8_t client_id[16];
    env_random(&sim->random.env, client_id, sizeof client_id);
    return sim_call_as(sim, n, method, pairs, encoded_pairs, client_id);
}

enum err sim_call_as(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                     struct slice encoded_pairs, const uint8_t client_id[16])
{
    uint8_t bytes[LIMIT_CONTROL_MESSAGE];
    size_t method_len = strlen(method);
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_bytes(&w, method, method_len);
    pack_map(&w, pairs + 1 + (n->account != 0));
    writer_slice(&w, encoded_pairs);
    pair_account(&w, n);
    pack_str(&w, "client_id");
    pack_bin(&w, client_id, 16);
    sim_check(sim, w.err == ERR_OK, "%s: too many parameters", method);

    n->replied = false;
    uint64_t crashes = n->crashes;
    for (unsigned i = 0; !n->replied; i++) {
        sim_check(sim, i < TURNS_MAX, "%s was not answered", method);
        if (i == 0 || crashes != n->crashes) {
            struct node_input in = {.kind = NODE_COMMAND};
            in.u.command.client = 1;
            in.u.command.id = ++sim->next_call;
            in.u.command.method.len = method_len;
            in.u.command.root =
                roots_for(sim, n, method, slice_of(bytes + method_len, w.len - method_len));
            crashes = n->crashes;
            (void)input_send(sim, n, 0, &in, slice_of(bytes, w.len));
        }
        if (!sim_run(sim)) {
            sim_advance(sim); /* the answer comes later */
        }
    }
    return n->reply_err;
}

enum err sim_query(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                   struct slice encoded_pairs)
{
    struct store store;
    struct writer w = writer_of(n->reply, SIM_RESULT);
    uint8_t bytes[4096];
    struct writer params = writer_of(bytes, sizeof bytes);
    pack_map(&params, pairs + (n->account != 0));
    writer_slice(&params, encoded_pairs);
    pair_account(&params, n);
    store_mem_read(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    enum err err = node_query(&turn, n->roots, SIM_ROOTS, slice_of(method, strlen(method)),
                              writer_done(&params), &w);
    n->reply_len = w.len;
    arena_reset(&sim->arena);
    return err;
}

bool sim_result_str(const struct sim_node *n, const char *name, char *out, size_t cap)
{
    struct slice s;
    if (!params_str(slice_of(n->reply, n->reply_len), name, &s) || s.len >= cap) {
        return false;
    }
    memcpy(out, s.p, s.len);
    out[s.len] = '\0';
    return true;
}

bool sim_result_uint(const struct sim_node *n, const char *name, uint64_t *out)
{
    return params_uint(slice_of(n->reply, n->reply_len), name, out);
}
