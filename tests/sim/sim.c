/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "node/params.h"

enum {
    SIM_START_DAY = 20000, /* the clock begins on this day after 1970 */
    SIM_TURNS_MAX = 200000 /* of one call or wait: more means that it never ends */
};

struct sim_input {
    struct sim_input *next;
    struct node_input in;
    size_t len;
    uint8_t bytes[]; /* frame, or method and parameters */
};

/* A frame that is held back. */
struct sim_late {
    struct sim_late *next;
    struct sim_node *to;
    uint64_t link; /* as `to` knows it */
    uint64_t due;
    size_t len;
    uint8_t bytes[];
};

/* One link: two ends. */
struct sim_link {
    struct sim_link *next;
    struct sim_node *end[2]; /* 0 dialled */
    uint64_t id[2];
};

void sim_init(struct sim *sim, uint64_t seed)
{
    memset(sim, 0, sizeof *sim);
    unit_env_init(&sim->random, seed, SIM_START_DAY * LIMIT_DAY_MS + 12 * LIMIT_HOUR_MS);
}

static struct sim_input *input_add(struct sim_node *n, const struct node_input *in, const void *p,
                                   size_t len)
{
    struct sim_input *i = malloc(sizeof *i + len + 1);
    ck_assert_ptr_nonnull(i);
    i->next = NULL;
    i->in = *in;
    i->len = len;
    if (len > 0) {
        memcpy(i->bytes, p, len);
    }
    if (n->last == NULL) {
        n->first = i;
    } else {
        n->last->next = i;
    }
    n->last = i;
    return i;
}

static void inputs_clear(struct sim_node *n)
{
    while (n->first != NULL) {
        struct sim_input *i = n->first;
        n->first = i->next;
        free(i);
    }
    n->last = NULL;
}

static struct turn turn_of(struct sim *sim, struct sim_node *n, struct store *store)
{
    return (struct turn){.env = &sim->random.env, .store = store, .arena = &n->arena};
}

/* --- links --- */

static struct sim_link *link_find(struct sim *sim, const struct sim_node *n, uint64_t id, int *side)
{
    for (struct sim_link *l = sim->links; l != NULL; l = l->next) {
        for (*side = 0; *side < 2; ++*side) {
            if (l->end[*side] == n && l->id[*side] == id) {
                return l;
            }
        }
    }
    return NULL;
}

static void link_remove(struct sim *sim, struct sim_link *link)
{
    for (struct sim_link **at = &sim->links; *at != NULL; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            free(link);
            return;
        }
    }
}

static void tell_closed(struct sim_node *n, uint64_t id, enum err err)
{
    struct node_input in = {.kind = NODE_LINK_CLOSED, .link = id, .u.closed = err};
    (void)input_add(n, &in, NULL, 0);
}

static void out_connect(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *peer = &sim->nodes[i];
        if (peer->asleep) {
            continue;
        }
        struct sign_pk id;
        struct sign_sk sk;
        node_identity(peer->node, &id, &sk);
        if (memcmp(id.b, out->connect.node_id.b, sizeof id.b) != 0 ||
            strcmp(peer->host, out->connect.host) != 0) {
            continue;
        }
        struct sim_link *l = calloc(1, sizeof *l);
        sim->links_made++;
        ck_assert_ptr_nonnull(l);
        *l = (struct sim_link){
            .next = sim->links, .end = {n, peer}, .id = {out->link, ++peer->next_inbound}};
        sim->links = l;
        struct node_input in = {.kind = NODE_LINK_OPENED, .link = l->id[0]};
        in.u.opened.initiator = true;
        env_random(&sim->random.env, in.u.opened.handshake_hash, 64);
        (void)input_add(n, &in, NULL, 0);
        in.link = l->id[1];
        in.u.opened.initiator = false;
        prim_dh_public(&in.u.opened.remote_static, &out->connect.link_key);
        (void)input_add(peer, &in, NULL, 0);
        return;
    }
    tell_closed(n, out->link, ERR_UNREACHABLE);
}

/* One end hears that the link is gone; the host closes the other silently. */
static void link_break(struct sim *sim, struct sim_link *l)
{
    for (int side = 0; side < 2; side++) {
        tell_closed(l->end[side], l->id[side], ERR_LINK_CLOSED);
    }
    link_remove(sim, l);
}

static void hold(struct sim *sim, struct sim_node *to, uint64_t link, const uint8_t *p, size_t len)
{
    struct sim_late *late = malloc(sizeof *late + len);
    ck_assert_ptr_nonnull(late);
    *late = (struct sim_late){.next = sim->late,
                              .to = to,
                              .link = link,
                              .due = sim->random.env.now_ms + sim->late_ms,
                              .len = len};
    memcpy(late->bytes, p, len);
    sim->late = late;
}

static void release_late(struct sim *sim)
{
    for (struct sim_late **at = &sim->late; *at != NULL;) {
        struct sim_late *late = *at;
        int side;
        if (late->due > sim->random.env.now_ms) {
            at = &late->next;
            continue;
        }
        if (link_find(sim, late->to, late->link, &side) != NULL) {
            struct node_input in = {.kind = NODE_FRAME, .link = late->link};
            (void)input_add(late->to, &in, late->bytes, late->len);
        }
        *at = late->next;
        free(late);
    }
}

static void send_frame(struct sim *sim, struct sim_link *l, int side, const struct node_output *out)
{
    struct sim_node *to = l->end[!side];
    struct node_input in = {.kind = NODE_FRAME, .link = l->id[!side]};
    struct sim_input *i = input_add(to, &in, out->data, out->len);
    sim->frames++;
    enum sim_fate fate = SIM_PASS;
    if (sim->fate != NULL) {
        fate = sim->fate(sim->fate_ctx, sim, l->end[side], to, i->bytes, out->len);
    }
    if (fate == SIM_TWICE) {
        (void)input_add(to, &in, i->bytes, out->len);
    }
    if (fate == SIM_LATE) {
        hold(sim, to, in.link, i->bytes, out->len);
    }
    if (fate == SIM_DROP || fate == SIM_CUT || fate == SIM_LATE) {
        i->in.link = 0; /* no link has this number */
    }
    if (fate == SIM_CUT) {
        link_break(sim, l);
    }
}

/* The host destroys a root, and says so. */
static void erase(struct sim *sim, struct sim_node *n, uint32_t account)
{
    struct node_input in = {.kind = NODE_ERASED, .u.erased = account};
    ck_assert_uint_le(account, LIMIT_ACCOUNTS);
    n->roots[account - 1].generation = 1;
    env_random(&sim->random.env, n->roots[account - 1].r, sizeof n->roots[0].r);
    n->roots[LIMIT_ACCOUNTS + account - 1] = (struct node_root){.account = 0};
    (void)input_add(n, &in, NULL, 0);
}

static bool fails(unsigned *left)
{
    bool yes = *left > 0;
    *left -= yes ? 1 : 0;
    return yes;
}

/* The host puts a root into the spare slot, and says so. */
static void root_put(struct sim_node *n, const struct node_output *out)
{
    struct node_root root = {.account = out->account, .generation = out->generation};
    struct node_input in = {.kind = NODE_ROOTED};
    ck_assert_uint_le(out->account, LIMIT_ACCOUNTS);
    ck_assert_uint_eq(out->len, sizeof root.r);
    memcpy(root.r, out->data, sizeof root.r);
    root.former = n->roots[out->account - 1].former; /* the file's, not the slot's */
    if (fails(&n->put_fails)) {
        in.u.rooted.err = ERR_IO;
    } else {
        n->roots[LIMIT_ACCOUNTS + out->account - 1] = root;
    }
    (void)input_add(n, &in, (const uint8_t *)&root, sizeof root);
}

/* One slot is in use, and the other one is overwritten. */
static void root_keep(struct sim_node *n, const struct node_output *out)
{
    struct node_root *used = &n->roots[out->account - 1];
    struct node_root *spare = &n->roots[LIMIT_ACCOUNTS + out->account - 1];
    struct node_root other = {.account = 0};
    if (spare->account != 0 && spare->generation == out->generation) {
        other = *used;
        *used = *spare;
    }
    ck_assert_uint_eq(used->generation, out->generation);
    *spare = (struct node_root){.account = 0};
    if (fails(&n->keep_fails)) {
        struct node_input in = {.kind = NODE_ROOTED};
        struct node_root root = {.account = out->account, .generation = out->generation};
        *spare = other;
        in.u.rooted.err = ERR_IO;
        (void)input_add(n, &in, (const uint8_t *)&root, sizeof root);
    }
}

static void output(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    int side;
    struct sim_link *l;
    switch (out->kind) {
    case NODE_OUT_CONNECT:
        out_connect(sim, n, out);
        break;
    case NODE_OUT_SEND:
        l = link_find(sim, n, out->link, &side);
        if (l != NULL) {
            send_frame(sim, l, side, out);
        }
        break;
    case NODE_OUT_CLOSE:
        l = link_find(sim, n, out->link, &side);
        if (l != NULL) {
            tell_closed(l->end[!side], l->id[!side], out->err);
            link_remove(sim, l);
        }
        break;
    case NODE_OUT_REPLY:
        n->replied = true;
        n->reply_err = out->err;
        n->reply_len = out->len;
        ck_assert_uint_le(out->len, sizeof n->reply);
        memcpy(n->reply, out->data, out->len);
        break;
    case NODE_OUT_EVENT:
        break;
    case NODE_OUT_ERASE:
        erase(sim, n, out->account);
        break;
    case NODE_OUT_LOCKED: /* its files stay */
        break;
    case NODE_OUT_ROOT:
        root_put(n, out);
        break;
    case NODE_OUT_ROOT_KEEP:
        root_keep(n, out);
        break;
    }
}

/* --- turns --- */

static void node_make(struct sim *sim, struct sim_node *n)
{
    static const struct forward_policy loopback = {.private_hosts = true};
    struct node_config config = {.node_keys = n->node_keys,
                                 .relay = n->relay,
                                 .listen_host = n->host,
                                 .listen_port = 1,
                                 .forward = &loopback};
    struct node_outputs outs = {.first = NULL};
    struct store store;
    n->node = node_new(&config);
    ck_assert_ptr_nonnull(n->node);
    store_mem_begin(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    enum err err = node_load(n->node, &turn, n->roots, n->locked ? 0 : 2 * LIMIT_ACCOUNTS, &outs);
    if (err == ERR_OK) {
        err = store_mem_commit(n->mem);
    }
    if (err != ERR_OK) {
        /* A crash while starting up: start again. */
        ck_assert_msg(err == ERR_IO, "node_load: %s", err_name(err));
        store_mem_abort(n->mem);
        node_outputs_free(&outs);
        arena_reset(&n->arena);
        node_free(n->node);
        n->crashes++;
        node_make(sim, n);
        return;
    }
    for (const struct node_output *out = outs.first; out != NULL; out = out->next) {
        output(sim, n, out);
    }
    node_outputs_free(&outs);
    arena_reset(&n->arena);
}

struct sim_node *sim_add(struct sim *sim, bool relay)
{
    ck_assert_uint_lt(sim->count, SIM_NODES);
    struct sim_node *n = &sim->nodes[sim->count];
    uint8_t key[SEAL_KEY];
    env_random(&sim->random.env, key, sizeof key);
    for (uint32_t i = 0; i < LIMIT_ACCOUNTS; i++) {
        n->roots[i].account = i + 1;
        n->roots[i].generation = 1;
        env_random(&sim->random.env, n->roots[i].r, sizeof n->roots[i].r);
    }
    n->node_keys = seal_keys_new_node(key);
    n->mem = store_mem_new();
    ck_assert_ptr_nonnull(n->mem);
    store_mem_strict(n->mem, true);
    n->relay = relay;
    snprintf(n->host, sizeof n->host, "127.0.0.%zu", sim->count + 1);
    arena_init(&n->arena, LIMIT_TURN_ARENA);
    sim->count++;
    node_make(sim, n);
    return n;
}

void sim_fini(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *n = &sim->nodes[i];
        inputs_clear(n);
        node_free(n->node);
        seal_keys_free(n->node_keys);
        store_mem_free(n->mem);
        arena_fini(&n->arena);
    }
    while (sim->links != NULL) {
        link_remove(sim, sim->links);
    }
    while (sim->late != NULL) {
        struct sim_late *late = sim->late;
        sim->late = late->next;
        free(late);
    }
}

void sim_crash_at(struct sim_node *n, uint64_t k)
{
    store_mem_crash_at(n->mem, k);
}

/* All links of n break, as when its process ends. */
static void stop(struct sim *sim, struct sim_node *n)
{
    inputs_clear(n);
    struct sim_link *next;
    for (struct sim_link *l = sim->links; l != NULL; l = next) {
        next = l->next;
        for (int side = 0; side < 2; side++) {
            if (l->end[side] == n) {
                if (l->end[!side] != n) {
                    tell_closed(l->end[!side], l->id[!side], ERR_LINK_CLOSED);
                }
                link_remove(sim, l);
                break;
            }
        }
    }
    node_free(n->node);
    n->node = NULL;
    arena_reset(&n->arena);
}

static void restart(struct sim *sim, struct sim_node *n)
{
    stop(sim, n);
    n->crashes++;
    node_make(sim, n);
}

enum sim_fate sim_mischief(struct sim *sim, uint8_t *frame, size_t len)
{
    switch (sim_random(sim, 4)) {
    case 0:
        return SIM_CUT;
    case 1:
        return SIM_TWICE;
    case 2:
        return SIM_DROP;
    default:
        frame[sim_random(sim, len)] ^= (uint8_t)(1U << sim_random(sim, 8));
        return SIM_PASS;
    }
}

void sim_restart(struct sim *sim, struct sim_node *n)
{
    stop(sim, n);
    node_make(sim, n);
}

struct sim_copy sim_copy_of(const struct sim_node *n)
{
    struct sim_copy copy = {.mem = store_mem_clone(n->mem)};
    memcpy(copy.roots, n->roots, sizeof copy.roots);
    return copy;
}

void sim_copy_free(struct sim_copy *copy)
{
    store_mem_free(copy->mem);
    secret_wipe(copy, sizeof *copy);
}

void sim_roll_back(struct sim *sim, struct sim_node *n, const struct sim_copy *copy)
{
    stop(sim, n);
    store_mem_free(n->mem);
    n->mem = store_mem_clone(copy->mem);
    memcpy(n->roots, copy->roots, sizeof n->roots);
    node_make(sim, n);
}

void sim_sleep(struct sim *sim, struct sim_node *n)
{
    stop(sim, n);
    n->asleep = true;
}

void sim_wake(struct sim *sim, struct sim_node *n)
{
    n->asleep = false;
    node_make(sim, n);
}

void sim_cut(struct sim *sim, struct sim_node *n)
{
    struct sim_link *next;
    for (struct sim_link *l = sim->links; l != NULL; l = next) {
        next = l->next;
        if (l->end[0] == n || l->end[1] == n) {
            link_break(sim, l);
        }
    }
}

uint64_t sim_random(struct sim *sim, uint64_t n)
{
    uint64_t v;
    env_random(&sim->random.env, &v, sizeof v);
    return v % n;
}

void sim_turn(struct sim *sim, struct sim_node *n, void (*what)(void *ctx, struct turn *turn),
              void *ctx)
{
    struct store store;
    store_mem_begin(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    what(ctx, &turn);
    ck_assert_ok(store_mem_commit(n->mem));
    arena_reset(&n->arena);
}

static void turn_run(struct sim *sim, struct sim_node *n)
{
    struct node_outputs outs = {.first = NULL};
    struct store store;
    struct sim_input *i = n->first;
    n->first = NULL;
    n->last = NULL;
    n->turns++;
    if (sim->crash_one_in > 0 && sim_random(sim, sim->crash_one_in) == 0) {
        store_mem_crash_at(n->mem, 1 + sim_random(sim, 8));
    }
    store_mem_begin(n->mem, &store);
    store.growth = !n->full;
    struct turn turn = turn_of(sim, n, &store);
    enum err err = ERR_OK;
    struct node_root root;
    struct node_input tick = {.kind = NODE_TICK};
    err = node_step(n->node, &turn, &tick, &outs);
    while (i != NULL) {
        struct sim_input *next = i->next;
        if (i->in.kind == NODE_FRAME) {
            i->in.u.frame = slice_of(i->bytes, i->len);
        } else if (i->in.kind == NODE_COMMAND) {
            size_t method = i->in.u.command.method.len;
            i->in.u.command.method = slice_of(i->bytes, method);
            i->in.u.command.params = slice_of(i->bytes + method, i->len - method);
        } else if (i->in.kind == NODE_ROOTED) {
            memcpy(&root, i->bytes, sizeof root);
            i->in.u.rooted.root = &root;
        }
        if (err == ERR_OK) {
            err = node_step(n->node, &turn, &i->in, &outs);
        }
        free(i);
        i = next;
    }
    if (err == ERR_OK) {
        err = node_flush(n->node, &turn, &outs);
    }
    if (err == ERR_OK) {
        err = store_mem_commit(n->mem);
    }
    if (err != ERR_OK) {
        ck_assert_msg(err == ERR_IO, "a turn failed by itself: %s", err_name(err));
        node_outputs_free(&outs);
        store_mem_abort(n->mem);
        restart(sim, n);
        return;
    }
    for (const struct node_output *out = outs.first; out != NULL; out = out->next) {
        output(sim, n, out);
    }
    node_outputs_free(&outs);
    arena_reset(&n->arena);
}

bool sim_run(struct sim *sim)
{
    bool any = false;
    release_late(sim);
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *n = &sim->nodes[i];
        if (!n->asleep && (n->first != NULL || node_deadline(n->node) <= sim->random.env.now_ms)) {
            turn_run(sim, n);
            any = true;
        }
    }
    return any;
}

void sim_advance(struct sim *sim)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *n = &sim->nodes[i];
        uint64_t d = n->asleep ? UINT64_MAX : node_deadline(n->node);
        first = d < first ? d : first;
    }
    for (const struct sim_late *late = sim->late; late != NULL; late = late->next) {
        first = late->due < first ? late->due : first;
    }
    ck_assert_msg(first != UINT64_MAX, "nothing is under way and nobody has a deadline");
    if (first > sim->random.env.now_ms) {
        sim->random.env.now_ms = first;
    }
}

void sim_settle(struct sim *sim, uint64_t ms)
{
    uint64_t end = sim->random.env.now_ms + ms;
    for (unsigned i = 0;; i++) {
        ck_assert_msg(i < 50 * SIM_TURNS_MAX, "never at rest");
        if (sim_run(sim)) {
            continue;
        }
        uint64_t before = sim->random.env.now_ms;
        sim_advance(sim);
        if (sim->random.env.now_ms > end) {
            sim->random.env.now_ms = before > end ? before : end;
            return;
        }
    }
}

/* --- calls --- */

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

/* The erase file has another passphrase: its roots were under the former one. */
static void file_changed(struct node_root *used, struct node_root *spare)
{
    uint32_t newest = spare->account != 0 && spare->generation > used->generation
                          ? spare->generation
                          : used->generation;
    used->former = newest;
    spare->former = newest;
}

/* What the host would open, or make, for this call. */
static const struct node_root *root_for(struct sim *sim, struct sim_node *n, const char *method,
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
    arena_reset(&n->arena);
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
    ck_assert_int_eq(w.err, ERR_OK);

    n->replied = false;
    uint64_t crashes = n->crashes;
    for (unsigned i = 0; !n->replied; i++) {
        ck_assert_msg(i < SIM_TURNS_MAX, "%s was not answered", method);
        if (i == 0 || crashes != n->crashes) {
            struct node_input in = {.kind = NODE_COMMAND};
            in.u.command.client = 1;
            in.u.command.id = ++sim->next_call;
            in.u.command.method.len = method_len;
            in.u.command.root =
                root_for(sim, n, method, slice_of(bytes + method_len, w.len - method_len));
            crashes = n->crashes;
            (void)input_add(n, &in, bytes, w.len);
        }
        (void)sim_run(sim);
    }
    return n->reply_err;
}

enum err sim_query(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                   struct slice encoded_pairs)
{
    struct store store;
    struct writer w = writer_of(n->reply, sizeof n->reply);
    uint8_t bytes[4096];
    struct writer params = writer_of(bytes, sizeof bytes);
    pack_map(&params, pairs + (n->account != 0));
    writer_slice(&params, encoded_pairs);
    pair_account(&params, n);
    store_mem_read(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    enum err err = node_query(&turn, n->roots, 2 * LIMIT_ACCOUNTS, slice_of(method, strlen(method)),
                              writer_done(&params), &w);
    n->reply_len = w.len;
    arena_reset(&n->arena);
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
