/* SPDX-License-Identifier: Apache-2.0
 *
 * world: the time, who does what next, and the turns of nodes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "sim/inside.h"

enum {
    START_DAY = 20000, /* the time begins at noon of this day after 1970 */
    AT_REST = 10000000 /* steps of one wait: more means that it never ends */
};

void sim_init(struct sim *sim, uint64_t seed)
{
    *sim = (struct sim){.seed = seed,
                        .failed = sim->failed,
                        .failed_ctx = sim->failed_ctx,
                        .seen = sim->seen,
                        .seen_ctx = sim->seen_ctx};
    unit_env_init(&sim->random, seed, START_DAY * LIMIT_DAY_MS + 12 * LIMIT_HOUR_MS);
    arena_init(&sim->arena, LIMIT_TURN_ARENA);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sim->failed != NULL) {
        sim->failed(sim->failed_ctx, text);
    }
    ck_abort_msg("%s", text);
    abort();
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->random.env.now_ms;
}

uint64_t sim_random(struct sim *sim, uint64_t n)
{
    uint64_t v;
    env_random(&sim->random.env, &v, sizeof v);
    return v % n;
}

/* SipHash of what happened, chained. */
void trace_note(struct sim *sim, uint64_t kind, uint64_t who, uint64_t what, struct slice bytes)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES] = {0};
    enum {
        SAMPLE = 64 /* of a frame: what differs, differs everywhere, and the end is ciphertext */
    };
    uint64_t in[6 + SAMPLE / 8] = {sim->trace, kind, who, what, sim_now(sim), bytes.len};
    size_t n = bytes.len < SAMPLE ? bytes.len : SAMPLE;
    if (n > 0) {
        memcpy(in + 6, bytes.p + bytes.len - n, n);
    }
    crypto_shorthash((uint8_t *)&sim->trace, (const uint8_t *)in, sizeof in, key);
    sim->ring[sim->traced++ % SIM_RING] = (struct sim_trace){
        .at = sim_now(sim), .kind = kind, .who = who, .what = what, .len = bytes.len};
}

static const char *trace_name(uint64_t kind)
{
    static const char *const out[] = {"connects", "sends",  "closes", "replies",  "event",
                                      "erase",    "locked", "root",   "root keep"};
    static const char *const in[] = {"opened", "frame",  "closed", "tick",
                                     "call",   "policy", "erased", "rooted"};
    if (kind < sizeof out / sizeof out[0]) {
        return out[kind];
    }
    if (kind >= TRACE_INPUT && kind < TRACE_INPUT + sizeof in / sizeof in[0]) {
        return in[kind - TRACE_INPUT];
    }
    return kind == TRACE_FAULT ? "FAULT" : "PLAN";
}

void sim_trace_print(const struct sim *sim, FILE *to, unsigned lines, uint64_t from)
{
    uint64_t first = sim->traced > lines ? sim->traced - lines : 0;
    for (uint64_t i = first; i < sim->traced; i++) {
        const struct sim_trace *t = &sim->ring[i % SIM_RING];
        uint64_t ms = t->at - from;
        fprintf(to, "%6llu.%03llu  node %-4llu %-10s %016llx %zu\n", (unsigned long long)ms / 1000,
                (unsigned long long)ms % 1000, (unsigned long long)t->who, trace_name(t->kind),
                (unsigned long long)t->what, t->len);
    }
}

/* --- clocks --- */

uint64_t sim_clock_now(const struct sim *sim, const struct sim_node *n)
{
    int64_t gone = (int64_t)(sim_now(sim) - n->clock.since);
    return n->clock.showed + (uint64_t)(gone + gone * n->clock.ppm / 1000000);
}

/* The first time of the world at which n's clock shows this. */
static uint64_t when_shown(const struct sim *sim, const struct sim_node *n, uint64_t shown)
{
    uint64_t now = sim_clock_now(sim, n);
    if (shown == UINT64_MAX || shown <= now) {
        return shown == UINT64_MAX ? UINT64_MAX : sim_now(sim);
    }
    uint64_t left = shown - now;
    uint64_t speed = (uint64_t)(1000000 + n->clock.ppm);
    return sim_now(sim) + (n->clock.ppm == 0 ? left : left * 1000000 / speed + 1);
}

/* --- what comes --- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void event_push(struct sim *sim, struct sim_event event)
{
    struct sim_event *e = malloc(sizeof *e);
    if (sim->events == sim->events_cap) {
        sim->events_cap = sim->events_cap > 0 ? 2 * sim->events_cap : 1024;
        sim->heap = realloc(sim->heap, sim->events_cap * sizeof *sim->heap);
    }
    sim_check(sim, e != NULL && sim->heap != NULL, "out of memory");
    *e = event;
    e->seq = ++sim->event_seq;
    size_t i = sim->events++;
    while (i > 0 && before(e, sim->heap[(i - 1) / 2])) {
        sim->heap[i] = sim->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim->heap[i] = e;
}

static struct sim_event *event_pop(struct sim *sim)
{
    struct sim_event *first = sim->heap[0];
    struct sim_event *last = sim->heap[--sim->events];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < sim->events && before(sim->heap[child + 1], sim->heap[child])) {
            child++;
        }
        if (child >= sim->events || !before(sim->heap[child], last)) {
            break;
        }
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    if (sim->events > 0) {
        sim->heap[i] = last;
    }
    return first;
}

static void set_ready(struct sim *sim, const struct sim_node *n)
{
    sim->ready[n->index / 64] |= UINT64_C(1) << n->index % 64;
}

/* Looks when n's deadline comes, and puts that down when it is earlier than what is. */
static void wake_when_due(struct sim *sim, struct sim_node *n)
{
    uint64_t due = n->asleep ? UINT64_MAX : when_shown(sim, n, node_deadline(n->node));
    if (due < n->wake) {
        n->wake = due;
        event_push(sim, (struct sim_event){.at = due, .kind = SIM_EVENT_WAKE, .to = n});
    }
}

static void input_arrive(struct sim *sim, struct sim_node *n, struct sim_input *i)
{
    i->next = NULL;
    if (n->last == NULL) {
        n->first = i;
    } else {
        n->last->next = i;
    }
    n->last = i;
    set_ready(sim, n);
}

struct sim_input *input_send(struct sim *sim, struct sim_node *n, uint64_t at,
                             const struct node_input *in, struct slice bytes)
{
    struct sim_input *i = malloc(sizeof *i + bytes.len + 1);
    sim_check(sim, i != NULL, "out of memory");
    i->next = NULL;
    i->in = *in;
    i->len = bytes.len;
    i->start = n->starts;
    if (bytes.len > 0) {
        memcpy(i->bytes, bytes.p, bytes.len);
    }
    if (at <= sim_now(sim)) {
        input_arrive(sim, n, i);
    } else {
        event_push(sim, (struct sim_event){.at = at, .kind = SIM_EVENT_INPUT, .to = n, .input = i});
    }
    return i;
}

void sim_at(struct sim *sim, uint64_t at_ms, void (*what)(void *ctx), void *ctx)
{
    event_push(sim,
               (struct sim_event){.at = at_ms, .kind = SIM_EVENT_CALL, .what = what, .ctx = ctx});
}

static void event_take(struct sim *sim, struct sim_event *e)
{
    struct sim_node *n = e->to;
    switch (e->kind) {
    case SIM_EVENT_WAKE:
        if (n->wake == e->at) {
            n->wake = UINT64_MAX;
            if (!n->asleep && node_deadline(n->node) <= sim_clock_now(sim, n)) {
                set_ready(sim, n);
            } else {
                wake_when_due(sim, n);
            }
        }
        break;
    case SIM_EVENT_INPUT:
        if (e->input->start == n->starts && !n->asleep) {
            input_arrive(sim, n, e->input);
        } else {
            free(e->input);
        }
        break;
    case SIM_EVENT_CALL:
        e->what(e->ctx);
        break;
    }
}

uint64_t sim_next(struct sim *sim)
{
    return sim->events > 0 ? sim->heap[0]->at : UINT64_MAX;
}

/* --- nodes --- */

struct turn turn_of(struct sim *sim, struct sim_node *n, struct store *store)
{
    n->random.env.now_ms = sim_clock_now(sim, n);
    return (struct turn){.env = &n->random.env, .store = store, .arena = &sim->arena};
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

static void output(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    trace_note(sim, out->kind, n->index, out->link, slice_of(out->data, out->len));
    switch (out->kind) {
    case NODE_OUT_CONNECT:
    case NODE_OUT_SEND:
    case NODE_OUT_CLOSE:
        lines_output(sim, n, out);
        break;
    case NODE_OUT_REPLY:
        sim_check(sim, out->len <= SIM_RESULT, "a reply of %zu bytes", out->len);
        n->replied = true;
        n->reply_err = out->err;
        n->reply_len = out->len;
        memcpy(n->reply, out->data, out->len);
        break;
    case NODE_OUT_EVENT:
        n->news |= UINT64_C(1) << out->account;
        break;
    case NODE_OUT_DHT_NODE: /* the shelf is everywhere */
    case NODE_OUT_LOCKED:   /* its files stay */
        break;
    case NODE_OUT_ERASE:
    case NODE_OUT_ROOT:
    case NODE_OUT_ROOT_KEEP:
        roots_output(sim, n, out);
        break;
    case NODE_OUT_DHT_GET:
    case NODE_OUT_DHT_PUT:
        shelf_output(sim, n, out);
        break;
    case NODE_OUT_DHT_TABLE:
        sim_check(sim, sim->shelf != NULL, "node %u has a table", (unsigned)n->index);
        break;
    }
}

/* What n needed for a turn. */
static void forget_turn(struct sim *sim, struct sim_node *n, struct node_outputs *outs)
{
    sim->running = n;
    node_outputs_free(outs);
    arena_reset(&sim->arena);
    sim->running = NULL;
}

/* Lets outputs out; false: the process died in the middle of it. */
static bool release(struct sim *sim, struct sim_node *n, struct node_outputs *outs)
{
    bool dead = sim_disk_strikes(&n->disk, SIM_COMMITTED);
    for (const struct node_output *out = outs->first; out != NULL && !dead; out = out->next) {
        output(sim, n, out);
        dead = sim_disk_strikes(&n->disk, SIM_RELEASED);
    }
    forget_turn(sim, n, outs);
    return !dead;
}

/* A fault that was armed or that the store had; any other error is the core's own. */
static void count_fault(struct sim *sim, struct sim_node *n, enum err err)
{
    if (n->disk.struck) {
        sim->struck[n->disk.hit]++;
    } else {
        sim_check(sim, err == ERR_IO, "turns: node %u: one failed by itself: %s",
                  (unsigned)n->index, err_name(err));
        sim->struck[SIM_PUT]++; /* of sim_crash_at */
    }
    trace_note(sim, TRACE_FAULT, n->index, n->disk.struck ? n->disk.hit : SIM_PUT,
               slice_of(NULL, 0));
}

static void load(struct sim *sim, struct sim_node *n)
{
    static const struct forward_policy loopback = {.private_hosts = true};
    struct node_config config = {.node_keys = n->node_keys,
                                 .relay = n->relay,
                                 .dht = sim->shelf != NULL,
                                 .listen_host = n->host,
                                 .listen_port = 1,
                                 .forward = &loopback};
    for (;;) {
        struct node_outputs outs = {.first = NULL};
        struct store store;
        n->starts++;
        n->held = 0;
        sim_disk_begin(&n->disk, n->mem, !n->full, &store);
        sim->running = n;
        n->node = node_new(&config);
        sim_check(sim, n->node != NULL, "out of memory");
        struct turn turn = turn_of(sim, n, &store);
        enum err err = node_load(n->node, &turn, n->roots, n->locked ? 0 : SIM_ROOTS, &outs);
        sim->running = NULL;
        if (err == ERR_OK) {
            err = sim_disk_strikes(&n->disk, SIM_LOAD) || n->disk.struck ? ERR_IO
                                                                         : store_mem_commit(n->mem);
        }
        if (err == ERR_OK && release(sim, n, &outs)) {
            break;
        }
        count_fault(sim, n, err);
        if (err != ERR_OK) {
            store_mem_abort(n->mem);
            forget_turn(sim, n, &outs);
        }
        lines_dead(sim, n);
        inputs_clear(n);
        node_free(n->node);
        n->crashes++;
    }
    n->news = UINT64_MAX; /* whoever listens asks from where they were */
    n->wake = UINT64_MAX;
    wake_when_due(sim, n);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* What a node draws: a key of 32 bytes for each of millions of rows is to cost nothing. */
static void node_random(void *ctx, uint8_t *out, size_t len)
{
    struct unit_env *u = ctx;
    while (len > 0) {
        uint64_t z = mix(u->seed + mix(++u->counter * UINT64_C(0x9e3779b97f4a7c15)));
        uint8_t bytes[8];
        for (unsigned i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(z >> 8 * i);
        }
        size_t n = len < sizeof bytes ? len : sizeof bytes;
        memcpy(out, bytes, n);
        out += n;
        len -= n;
    }
}

struct sim_node *sim_add(struct sim *sim, bool relay)
{
    struct sim_node *n = calloc(1, sizeof *n);
    uint8_t key[SEAL_KEY];
    sim_check(sim, sim->count < SIM_NODES, "too many nodes");
    if ((sim->count & (sim->count - 1)) == 0) {
        size_t cap = sim->count > 0 ? 2 * sim->count : 1;
        sim->nodes = realloc(sim->nodes, cap * sizeof *sim->nodes);
        sim->ready = realloc(sim->ready, (cap + 63) / 64 * sizeof *sim->ready);
    }
    sim_check(sim, n != NULL && sim->nodes != NULL && sim->ready != NULL, "out of memory");
    n->index = (uint32_t)sim->count;
    if (n->index % 64 == 0) {
        sim->ready[n->index / 64] = 0;
    }
    sim->nodes[sim->count++] = n;
    unit_env_init(&n->random, 0, 0);
    n->random.env.random = node_random;
    env_random(&sim->random.env, &n->random.seed, sizeof n->random.seed);
    n->clock = (struct sim_clock){.since = sim_now(sim), .showed = sim_now(sim)};
    n->disk.point = SIM_POINTS;
    n->wake = UINT64_MAX;
    n->relay = relay;
    n->reply = malloc(SIM_RESULT);
    env_random(&n->random.env, key, sizeof key);
    roots_init(n);
    n->node_keys = seal_keys_new_node(key);
    n->mem = store_mem_new();
    sim_check(sim, n->node_keys != NULL && n->mem != NULL && n->reply != NULL, "out of memory");
    store_mem_strict(n->mem, true);
    uint32_t host = n->index + 1;
    snprintf(n->host, sizeof n->host, "127.%u.%u.%u", host >> 16 & 0xff, host >> 8 & 0xff,
             host & 0xff);
    load(sim, n);
    return n;
}

void sim_fini(struct sim *sim)
{
    lines_fini(sim);
    shelf_fini(sim);
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *n = sim->nodes[i];
        inputs_clear(n);
        node_free(n->node);
        seal_keys_free(n->node_keys);
        store_mem_free(n->mem);
        free(n->reply);
        secret_wipe(n, sizeof *n);
        free(n);
    }
    while (sim->events > 0) {
        struct sim_event *e = event_pop(sim);
        free(e->input);
        free(e);
    }
    free(sim->heap);
    free(sim->nodes);
    free(sim->ready);
    arena_fini(&sim->arena);
}

void sim_arm(struct sim_node *n, enum sim_point point, uint64_t k)
{
    n->disk.point = point;
    n->disk.left = k;
}

void sim_crash_at(struct sim_node *n, uint64_t k)
{
    store_mem_crash_at(n->mem, k);
}

/* The process of n ends. */
static void stop(struct sim *sim, struct sim_node *n)
{
    inputs_clear(n);
    lines_dead(sim, n);
    node_free(n->node);
    n->node = NULL;
    arena_reset(&sim->arena);
}

void sim_restart(struct sim *sim, struct sim_node *n)
{
    if (!n->asleep) {
        stop(sim, n);
        load(sim, n);
    }
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
    if (!n->asleep) {
        stop(sim, n);
    }
    store_mem_free(n->mem);
    n->mem = store_mem_clone(copy->mem);
    n->backs++;
    n->undone++;
    sim_check(sim, n->mem != NULL, "out of memory");
    memcpy(n->roots, copy->roots, sizeof n->roots);
    if (!n->asleep) {
        load(sim, n);
    }
}

void sim_sleep(struct sim *sim, struct sim_node *n)
{
    stop(sim, n);
    n->asleep = true;
}

void sim_wake(struct sim *sim, struct sim_node *n)
{
    n->asleep = false;
    load(sim, n);
}

void sim_clock(struct sim *sim, struct sim_node *n, int64_t ms, int32_t ppm)
{
    n->clock = (struct sim_clock){
        .since = sim_now(sim), .showed = sim_clock_now(sim, n) + (uint64_t)ms, .ppm = ppm};
    n->wake = UINT64_MAX;
    wake_when_due(sim, n);
}

void sim_turn(struct sim *sim, struct sim_node *n, void (*what)(void *ctx, struct turn *turn),
              void *ctx)
{
    struct store store;
    store_mem_begin(n->mem, &store);
    struct turn turn = turn_of(sim, n, &store);
    what(ctx, &turn);
    sim_check(sim, store_mem_commit(n->mem) == ERR_OK, "a turn of the test failed");
    arena_reset(&sim->arena);
}

/* --- turns --- */

/* What the bytes of an input are. */
static void input_bytes(struct sim_input *i, struct node_root *root)
{
    if (i->in.kind == NODE_FRAME) {
        i->in.u.frame = slice_of(i->bytes, i->len);
    } else if (i->in.kind == NODE_COMMAND) {
        size_t method = i->in.u.command.method.len;
        i->in.u.command.method = slice_of(i->bytes, method);
        i->in.u.command.params = slice_of(i->bytes + method, i->len - method);
    } else if (i->in.kind == NODE_ROOTED) {
        memcpy(root, i->bytes, sizeof *root);
        i->in.u.rooted.root = root;
    } else if (i->in.kind == NODE_DHT_ITEM) {
        i->in.u.item = (const struct bep44_item *)(const void *)i->bytes;
    }
}

static bool is_of_link(const struct sim_input *i)
{
    return i->in.kind == NODE_FRAME || i->in.kind == NODE_LINK_OPENED;
}

static enum err step_input(struct sim *sim, struct sim_node *n, struct turn *turn,
                           struct sim_input *i, struct node_outputs *outs)
{
    struct node_root root;
    if (is_of_link(i) && !lines_has(sim, n, i->in.link)) {
        return ERR_OK;
    }
    if (i->in.kind == NODE_LINK_CLOSED) {
        lines_closed(sim, n, i->in.link);
    }
    input_bytes(i, &root);
    trace_note(sim, TRACE_INPUT + (uint64_t)i->in.kind, n->index, i->in.link,
               slice_of(i->bytes, i->len));
    return node_step(n->node, turn, &i->in, outs);
}

/* The whole of it but the end. */
static enum err turn_do(struct sim *sim, struct sim_node *n, struct turn *turn,
                        struct node_outputs *outs)
{
    struct node_input tick = {.kind = NODE_TICK};
    enum err err = sim_disk_strikes(&n->disk, SIM_BEGIN) ? ERR_IO : ERR_OK;
    if (err == ERR_OK) {
        err = node_step(n->node, turn, &tick, outs);
    }
    for (struct sim_input *i = n->first; err == ERR_OK && i != NULL; i = i->next) {
        err = step_input(sim, n, turn, i, outs);
    }
    if (err == ERR_OK) {
        err = node_flush(n->node, turn, outs);
    }
    if (err == ERR_OK && (sim_disk_strikes(&n->disk, SIM_COMMIT) ||
                          sim_disk_strikes(&n->disk, SIM_COMMIT_ERROR) || n->disk.struck)) {
        err = ERR_IO; /* what failed in a transaction fails its commit */
    }
    sim->running = NULL;
    return err == ERR_OK ? store_mem_commit(n->mem) : err;
}

/* A turn that failed: what came over links is gone with them, calls are made again. */
static void turn_failed(struct sim *sim, struct sim_node *n, bool dies)
{
    struct sim_input *calls = NULL;
    struct sim_input **end = &calls;
    for (struct sim_input *i = n->first, *next; i != NULL; i = next) {
        next = i->next;
        if (!dies && i->in.kind == NODE_COMMAND) {
            *end = i;
            end = &i->next;
        } else {
            free(i);
        }
    }
    *end = NULL;
    n->first = n->last = NULL;
    lines_dead(sim, n);
    node_free(n->node);
    n->crashes += dies;
    n->undone++;
    load(sim, n);
    while (calls != NULL) {
        struct sim_input *i = calls;
        calls = i->next;
        input_arrive(sim, n, i);
    }
}

static void turn_run(struct sim *sim, struct sim_node *n)
{
    struct node_outputs outs = {.first = NULL};
    struct store store;
    n->turns++;
    sim->turns++;
    if (sim->crash_one_in > 0 && sim_random(sim, sim->crash_one_in) == 0) {
        store_mem_crash_at(n->mem, 1 + sim_random(sim, 8));
    }
    sim_disk_begin(&n->disk, n->mem, !n->full, &store);
    struct turn turn = turn_of(sim, n, &store);
    sim->running = n;
    enum err err = turn_do(sim, n, &turn, &outs);
    if (err != ERR_OK) {
        store_mem_abort(n->mem);
        forget_turn(sim, n, &outs);
        count_fault(sim, n, err);
        turn_failed(sim, n, !n->disk.struck || sim_point_dies(n->disk.hit));
        return;
    }
    inputs_clear(n);
    if (!release(sim, n, &outs)) {
        count_fault(sim, n, ERR_IO);
        turn_failed(sim, n, true);
        return;
    }
    wake_when_due(sim, n);
}

bool sim_run(struct sim *sim)
{
    bool any = false;
    while (sim->events > 0 && sim->heap[0]->at <= sim_now(sim)) {
        struct sim_event *e = event_pop(sim);
        event_take(sim, e);
        free(e);
    }
    for (size_t word = 0; word * 64 < sim->count; word++) {
        for (unsigned bit = 0; bit < 64 && sim->ready[word] >> bit != 0; bit++) {
            if ((sim->ready[word] >> bit & 1) == 0) {
                continue;
            }
            sim->ready[word] &= ~(UINT64_C(1) << bit);
            if (!sim->nodes[word * 64 + bit]->asleep) {
                turn_run(sim, sim->nodes[word * 64 + bit]);
                any = true;
            }
        }
    }
    return any;
}

void sim_advance(struct sim *sim)
{
    uint64_t next = sim_next(sim);
    sim_check(sim, next != UINT64_MAX, "nothing is under way and nobody has a deadline");
    if (next > sim_now(sim)) {
        sim->random.env.now_ms = next;
    }
}

void sim_settle(struct sim *sim, uint64_t ms)
{
    uint64_t end = sim_now(sim) + ms;
    for (unsigned i = 0;; i++) {
        sim_check(sim, i < AT_REST, "never at rest");
        if (sim_run(sim)) {
            continue;
        }
        uint64_t next = sim_next(sim);
        if (next > end) {
            sim->random.env.now_ms = sim_now(sim) > end ? sim_now(sim) : end;
            return;
        }
        sim_advance(sim);
    }
}
