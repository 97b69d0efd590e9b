/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/secret.h"

enum {
    ENGINE_SPACE_CHECK_MS = 1000,  /* free space is looked at this often at most */
    ENGINE_WAIT_MS = 60000,        /* longest sleep: the wall clock may be set meanwhile */
    ENGINE_LONE_FAILURES = 3,      /* a turn without inputs may fail so often in a row */
    ENGINE_FAILURES_TO_SINGLE = 2, /* failures in a row after which inputs run one a turn */
    ENGINE_SLOW_COMMIT_US = 2000,  /* from here on a commit is worth waiting for company */
    ENGINE_GATHER_SHARE = 4,       /* which takes this part of it at most, */
    ENGINE_GATHER_US = 4000,       /* and not longer than this */
};

struct input_list {
    struct engine_input *first;
    struct engine_input *last;
    size_t count;
};

/* Where in a turn something failed. */
enum stage {
    STAGE_BEGIN,
    STAGE_STEP,
    STAGE_FLUSH,
    STAGE_COMMIT
};

struct engine {
    struct engine_config config;
    pthread_t thread;
    bool running; /* the thread was started and not joined */

    /* I/O thread only */
    struct input_list batch; /* waits for engine_flush */
    uint64_t io_epoch;

    /* both threads */
    atomic_size_t in_items; /* inputs that were put and are not done */
    atomic_size_t in_bytes;
    atomic_bool paused; /* the I/O thread waits for room */
    atomic_int fatal;
    atomic_ullong turn_began; /* monotonic ms; 0: no turn */
    pthread_mutex_t mutex;    /* guards what follows */
    pthread_cond_t cond;
    struct input_list in;
    struct node_outputs out;
    bool stop;
    bool loaded;
    bool has_root;
    uint8_t *root; /* secret_new */

    /* engine thread only */
    struct node *node;
    struct sign_pk id;  /* written before loaded, read-only afterwards */
    struct sign_sk *sk; /* secret_new; likewise */
    struct arena arena;
    struct input_list todo;
    uint64_t epoch;
    unsigned failures;      /* in a row */
    size_t single;          /* inputs that still run one a turn */
    bool growth;            /* there is disk space for more */
    uint64_t space_checked; /* monotonic ms */
    uint64_t gather_until;  /* monotonic us: no turn begins before it, unless */
    size_t gather_count;    /* so many inputs wait */
    uint64_t commit_us;     /* what the last commit took; 0: it had nothing to write */
};

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void env_fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

static struct env env_now(void)
{
    return (struct env){.now_ms = clock_ms(CLOCK_REALTIME), .random = env_fill};
}

/* --- lists --- */

static void list_append(struct input_list *l, struct engine_input *input)
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

static struct engine_input *list_pop(struct input_list *l)
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
static void list_splice(struct input_list *to, struct input_list *from)
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
    *from = (struct input_list){0};
}

static void outputs_append(struct node_outputs *outs, struct node_output *o)
{
    o->next = NULL;
    if (outs->last != NULL) {
        outs->last->next = o;
    } else {
        outs->first = o;
    }
    outs->last = o;
    outs->count++;
    outs->bytes += o->len;
}

static void outputs_splice(struct node_outputs *to, struct node_outputs *from)
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
    to->bytes += from->bytes;
    *from = (struct node_outputs){0};
}

/* --- inputs --- */

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
                                          struct slice params, const uint8_t *root)
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
        memcpy(input->root, root, SEAL_KEY);
        input->node.u.command.root = input->root;
    }
    return input;
}

void engine_input_free(struct engine_input *input)
{
    if (input != NULL) {
        if (input->node.kind == NODE_COMMAND) { /* recovery words, texts, R */
            secret_wipe(input, input->bytes);
        }
        free(input);
    }
}

static void list_free(struct input_list *l)
{
    for (struct engine_input *i = list_pop(l); i != NULL; i = list_pop(l)) {
        engine_input_free(i);
    }
}

void engine_put(struct engine *engine, struct engine_input *input)
{
    input->epoch = engine->io_epoch;
    list_append(&engine->batch, input);
    atomic_fetch_add(&engine->in_items, 1);
    atomic_fetch_add(&engine->in_bytes, input->bytes);
}

void engine_flush(struct engine *engine)
{
    if (engine->batch.first == NULL) {
        return;
    }
    pthread_mutex_lock(&engine->mutex);
    list_splice(&engine->in, &engine->batch);
    pthread_cond_signal(&engine->cond);
    pthread_mutex_unlock(&engine->mutex);
}

static bool in_above(struct engine *engine, size_t items, size_t bytes)
{
    return atomic_load(&engine->in_items) >= items || atomic_load(&engine->in_bytes) >= bytes;
}

bool engine_full(struct engine *engine)
{
    if (atomic_load(&engine->paused)) {
        if (!in_above(engine, LIMIT_CHANNEL_ITEMS / 2, LIMIT_CHANNEL_BYTES / 2)) {
            atomic_store(&engine->paused, false);
        }
    } else if (in_above(engine, LIMIT_CHANNEL_ITEMS, LIMIT_CHANNEL_BYTES)) {
        atomic_store(&engine->paused, true);
    }
    return atomic_load(&engine->paused);
}

void engine_take(struct engine *engine, struct node_outputs *outs)
{
    pthread_mutex_lock(&engine->mutex);
    outputs_splice(outs, &engine->out);
    pthread_cond_signal(&engine->cond);
    pthread_mutex_unlock(&engine->mutex);
}

void engine_links_closed(struct engine *engine, uint64_t epoch)
{
    engine->io_epoch = epoch;
}

enum err engine_fatal(const struct engine *engine)
{
    return (enum err)atomic_load(&engine->fatal);
}

uint64_t engine_turn_age_ms(const struct engine *engine)
{
    uint64_t began = atomic_load(&engine->turn_began);
    return began == 0 ? 0 : clock_ms(CLOCK_MONOTONIC) - began;
}

bool engine_root(struct engine *engine, uint8_t root[static SEAL_KEY])
{
    pthread_mutex_lock(&engine->mutex);
    bool has = engine->has_root;
    if (has) {
        memcpy(root, engine->root, SEAL_KEY);
    }
    pthread_mutex_unlock(&engine->mutex);
    return has;
}

void engine_identity(const struct engine *engine, struct sign_pk *id, struct sign_sk *sk)
{
    *id = engine->id;
    *sk = *engine->sk;
}

/* --- a turn --- */

/* Looks at the free space at most once a second. */
static void space_check(struct engine *e)
{
    uint64_t now = clock_ms(CLOCK_MONOTONIC);
    if (e->space_checked != 0 && now - e->space_checked < ENGINE_SPACE_CHECK_MS) {
        return;
    }
    e->space_checked = now;
    bool growth = !store_lmdb_low_space(e->config.db);
    if (growth != e->growth) {
        logger_log(e->config.log, LOGGER_WARN, "disk space", "low=%s new_rows=%s",
                   growth ? "no" : "yes", growth ? "accepted" : "refused");
    }
    if (growth && !e->growth) {
        store_lmdb_ballast_restore(e->config.db);
    }
    e->growth = growth;
}

static enum err turn_begin(struct engine *e, struct store *store)
{
    atomic_store(&e->turn_began, clock_ms(CLOCK_MONOTONIC));
    space_check(e);
    home_turn_open(e->config.home);
    enum err err = store_lmdb_begin(e->config.db, store);
    if (err == ERR_OK) {
        store->growth = e->growth;
    }
    return err;
}

static void turn_end(struct engine *e)
{
    arena_reset(&e->arena);
    home_turn_closed(e->config.home);
    atomic_store(&e->turn_began, 0);
}

/* Whether input belongs to a link of an earlier life of the core. */
static bool input_stale(const struct engine *e, const struct engine_input *input)
{
    return input->node.kind != NODE_COMMAND && input->epoch != e->epoch;
}

/* Runs inputs until one of the three limits of a turn is reached. What was run is in done. */
static enum err turn_steps(struct engine *e, struct turn *turn, struct input_list *done,
                           struct node_outputs *outs)
{
    const size_t most = e->single > 0 ? 1 : LIMIT_TURN_INPUTS;
    const uint64_t began = clock_ms(CLOCK_MONOTONIC);
    size_t bytes = 0;
    size_t steps = 0;
    enum err err = ERR_OK;
    if (node_deadline(e->node) <= turn->env->now_ms) {
        const struct node_input tick = {.kind = NODE_TICK};
        err = node_step(e->node, turn, &tick, outs);
    }
    while (err == ERR_OK && steps < most && bytes < LIMIT_TURN_BYTES && e->todo.first != NULL &&
           clock_ms(CLOCK_MONOTONIC) - began < LIMIT_TURN_MS) {
        struct engine_input *input = list_pop(&e->todo);
        list_append(done, input);
        if (input_stale(e, input)) {
            continue;
        }
        steps++;
        bytes += input->bytes;
        err = node_step(e->node, turn, &input->node, outs);
    }
    return err;
}

/* One whole turn. On failure nothing of it remains but done and *stage. */
static enum err turn_run(struct engine *e, struct input_list *done, struct node_outputs *outs,
                         enum stage *stage)
{
    struct env env = env_now();
    struct store store;
    bool wrote = false;
    *stage = STAGE_BEGIN;
    enum err err = turn_begin(e, &store);
    if (err == ERR_OK) {
        struct turn turn = {.env = &env, .store = &store, .arena = &e->arena};
        *stage = STAGE_STEP;
        err = turn_steps(e, &turn, done, outs);
        if (err == ERR_OK) {
            *stage = STAGE_FLUSH;
            err = node_flush(e->node, &turn, outs);
        }
        if (err == ERR_OK) {
            *stage = STAGE_COMMIT;
            uint64_t began = monotonic_us();
            err = store_lmdb_commit(e->config.db, &wrote);
            e->commit_us = wrote ? monotonic_us() - began : 0;
        } else {
            store_lmdb_abort(e->config.db);
        }
    }
    turn_end(e);
    if (err != ERR_OK) {
        e->commit_us = 0;
        node_outputs_free(outs);
        *outs = (struct node_outputs){0};
    }
    return err;
}

/* Gives the outputs of a committed turn to the I/O thread. */
static void release(struct engine *e, struct node_outputs *outs)
{
    if (outs->first == NULL) {
        return;
    }
    pthread_mutex_lock(&e->mutex);
    outputs_splice(&e->out, outs);
    pthread_mutex_unlock(&e->mutex);
    e->config.wake(e->config.wake_ctx);
}

static bool reply_failed(const struct node_outputs *outs, const struct node_input *command)
{
    for (const struct node_output *o = outs->first; o != NULL; o = o->next) {
        if (o->kind == NODE_OUT_REPLY && o->client == command->u.command.client &&
            o->id == command->u.command.id) {
            return o->err != ERR_OK;
        }
    }
    return false;
}

/* After the commit of an account.create or account.unlock that went well, its R is the account's.
 */
static void adopt_roots(struct engine *e, const struct input_list *done,
                        const struct node_outputs *outs)
{
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        if (i->node.kind == NODE_COMMAND && i->node.u.command.root != NULL &&
            !reply_failed(outs, &i->node)) {
            pthread_mutex_lock(&e->mutex);
            memcpy(e->root, i->root, SEAL_KEY);
            e->has_root = true;
            pthread_mutex_unlock(&e->mutex);
        }
    }
}

/* Frees inputs that are over and done with, and says so to a waiting I/O thread. */
static void inputs_done(struct engine *e, struct input_list *done)
{
    size_t bytes = 0;
    size_t items = done->count;
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        bytes += i->bytes;
    }
    list_free(done);
    atomic_fetch_sub(&e->in_items, items);
    atomic_fetch_sub(&e->in_bytes, bytes);
    if (atomic_load(&e->paused) && !in_above(e, LIMIT_CHANNEL_ITEMS / 2, LIMIT_CHANNEL_BYTES / 2)) {
        e->config.wake(e->config.wake_ctx);
    }
}

/* --- the life of the core --- */

/* Builds the core from the store; outputs in outs. */
static enum err core_load(struct engine *e, struct node_outputs *outs)
{
    struct env env = env_now();
    struct store store;
    bool wrote = false;
    e->node = node_new(&e->config.node);
    if (e->node == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = turn_begin(e, &store);
    if (err == ERR_OK) {
        struct turn turn = {.env = &env, .store = &store, .arena = &e->arena};
        err = node_load(e->node, &turn, e->has_root ? e->root : NULL, outs);
        if (err == ERR_OK) {
            err = node_flush(e->node, &turn, outs);
        }
        if (err == ERR_OK) {
            err = store_lmdb_commit(e->config.db, &wrote);
        } else {
            store_lmdb_abort(e->config.db);
        }
    }
    turn_end(e);
    return err;
}

static void append_close_all(struct engine *e, struct node_outputs *outs)
{
    struct node_output *o = calloc(1, sizeof *o);
    if (o == NULL) {
        abort(); /* without this output the core and the I/O thread would disagree for ever */
    }
    o->kind = NODE_OUT_CLOSE;
    o->link = ENGINE_ALL_LINKS;
    o->err = ERR_LINK_CLOSED;
    o->cursor = e->epoch;
    outputs_append(outs, o);
}

static void append_error_reply(struct node_outputs *outs, const struct engine_input *input,
                               enum err err)
{
    struct node_output *o = calloc(1, sizeof *o);
    if (o != NULL) {
        o->kind = NODE_OUT_REPLY;
        o->client = input->node.u.command.client;
        o->id = input->node.u.command.id;
        o->err = err;
        outputs_append(outs, o);
    }
}

/* The inputs of a failed turn that are worth another try: commands; links are all closed. */
static void requeue(struct engine *e, struct input_list *done)
{
    struct input_list again = {0};
    struct input_list gone = {0};
    list_splice(done, &e->todo);
    for (struct engine_input *i = list_pop(done); i != NULL; i = list_pop(done)) {
        list_append(i->node.kind == NODE_COMMAND ? &again : &gone, i);
    }
    e->todo = again;
    inputs_done(e, &gone);
}

static size_t live_inputs(const struct engine *e, const struct input_list *done)
{
    size_t n = 0;
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        n += input_stale(e, i) ? 0 : 1;
    }
    return n;
}

/* Whether this failure is one that the daemon cannot live with. */
static bool failure_is_fatal(struct engine *e, enum err err, enum stage stage, size_t inputs)
{
    bool space = !store_lmdb_low_space(e->config.db);
    bool store_broke = stage == STAGE_BEGIN || stage == STAGE_COMMIT || err == ERR_IO;
    if (err == ERR_DISK_FULL || err == ERR_MAP_FULL) {
        store_broke = false; /* growth is refused now, or the one that grows is dropped */
    }
    if (store_broke && space && e->failures >= 2) {
        return true;
    }
    return inputs == 0 && e->failures >= ENGINE_LONE_FAILURES;
}

static void give_up(struct engine *e, enum err err)
{
    logger_log(e->config.log, LOGGER_ERROR, "the engine gives up", "err=%s", err_name(err));
    atomic_store(&e->fatal, (int)err);
    e->config.wake(e->config.wake_ctx);
}

/* After a failed turn: drops or keeps its inputs, closes all links, builds the core again. */
static void turn_failed(struct engine *e, enum err err, enum stage stage, struct input_list *done)
{
    static const char *const names[] = {"begin", "step", "flush", "commit"};
    struct node_outputs outs = {0};
    size_t inputs = live_inputs(e, done);
    e->failures++;
    logger_log(e->config.log, LOGGER_ERROR, "turn failed", "err=%s at=%s inputs=%zu failures=%u",
               err_name(err), names[stage], inputs, e->failures);
    if (err == ERR_DISK_FULL) {
        store_lmdb_ballast_drop(e->config.db);
        e->growth = false;
        e->space_checked = clock_ms(CLOCK_MONOTONIC);
    }
    if (failure_is_fatal(e, err, stage, inputs)) {
        give_up(e, err);
        inputs_done(e, done);
        return;
    }
    e->epoch++;
    append_close_all(e, &outs);
    bool culprit = e->single > 0 && inputs == 1;
    if (culprit) {
        const struct engine_input *input = done->last;
        logger_log(e->config.log, LOGGER_ERROR, "input dropped", "kind=%d err=%s",
                   (int)input->node.kind, err_name(err));
        if (input->node.kind == NODE_COMMAND) {
            append_error_reply(&outs, input, err);
        }
        inputs_done(e, done);
        e->failures = 0;
    }
    requeue(e, done);
    if (culprit) {
        e->single = e->todo.count; /* there may be another one among them */
    } else if (e->failures >= ENGINE_FAILURES_TO_SINGLE) {
        e->single = e->todo.count + 1;
    }
    node_free(e->node);
    e->node = NULL;
    err = core_load(e, &outs);
    if (err != ERR_OK) {
        node_outputs_free(&outs);
        give_up(e, err);
        return;
    }
    release(e, &outs);
}

/* Those that this turn answered are likely to ask again at once. Where a commit is slow they would
 * just miss the next one, and two halves would take turns, each with a commit of its own: so the
 * next turn waits a moment for as many as there were. */
static void gather(struct engine *e, size_t inputs)
{
    e->gather_until = 0;
    if (inputs < 2 || e->commit_us < ENGINE_SLOW_COMMIT_US) {
        return;
    }
    uint64_t most = e->commit_us / ENGINE_GATHER_SHARE;
    e->gather_until = monotonic_us() + (most < ENGINE_GATHER_US ? most : ENGINE_GATHER_US);
    e->gather_count = inputs + e->todo.count;
    pthread_mutex_lock(&e->mutex);
    e->gather_count += e->in.count;
    pthread_mutex_unlock(&e->mutex);
}

static void turn(struct engine *e)
{
    struct input_list done = {0};
    struct node_outputs outs = {0};
    enum stage stage;
    enum err err = turn_run(e, &done, &outs, &stage);
    if (err != ERR_OK) {
        turn_failed(e, err, stage, &done);
        return;
    }
    e->failures = 0;
    e->single -= e->single < done.count ? e->single : done.count;
    if (e->todo.first == NULL) {
        e->single = 0;
    }
    adopt_roots(e, &done, &outs);
    size_t inputs = done.count;
    release(e, &outs);
    inputs_done(e, &done);
    gather(e, inputs);
}

/* How long to sleep until the core's deadline, us; 0: it has passed. */
static uint64_t deadline_us(const struct engine *e)
{
    uint64_t deadline = node_deadline(e->node);
    uint64_t now = clock_ms(CLOCK_REALTIME);
    uint64_t left = deadline > now ? deadline - now : 0;
    return (left < ENGINE_WAIT_MS ? left : ENGINE_WAIT_MS) * 1000;
}

/* How long to wait for more inputs although there are some. */
static uint64_t company_us(const struct engine *e)
{
    uint64_t now = e->gather_until > 0 ? monotonic_us() : 0;
    bool wait = now < e->gather_until && e->todo.count + e->in.count < e->gather_count;
    return wait ? e->gather_until - now : 0;
}

static bool out_full(const struct engine *e)
{
    return e->out.count >= LIMIT_CHANNEL_ITEMS || e->out.bytes >= LIMIT_CHANNEL_BYTES;
}

static void cond_wait_us(struct engine *e, uint64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&e->cond, &e->mutex, &until);
}

/* Sleeps until there is something to do, and takes it; false: the thread must end. */
static bool wait_for_work(struct engine *e)
{
    pthread_mutex_lock(&e->mutex);
    while (!e->stop) {
        bool due = e->todo.first != NULL || e->in.first != NULL;
        uint64_t us = due ? company_us(e) : deadline_us(e);
        if (out_full(e)) {
            us = (uint64_t)ENGINE_WAIT_MS * 1000; /* engine_take signals */
        }
        if (us == 0) {
            break;
        }
        cond_wait_us(e, us);
    }
    list_splice(&e->todo, &e->in);
    bool go = !e->stop;
    pthread_mutex_unlock(&e->mutex);
    return go;
}

/* First load; tells engine_start how it went. */
static bool first_load(struct engine *e)
{
    struct node_outputs outs = {0};
    enum err err = core_load(e, &outs);
    if (err == ERR_OK) {
        node_identity(e->node, &e->id, e->sk);
    }
    pthread_mutex_lock(&e->mutex);
    atomic_store(&e->fatal, (int)err);
    e->loaded = true;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
    if (err != ERR_OK) {
        node_outputs_free(&outs);
        return false;
    }
    release(e, &outs);
    return true;
}

static void *engine_main(void *arg)
{
    struct engine *e = arg;
    if (first_load(e)) {
        while (engine_fatal(e) == ERR_OK && wait_for_work(e)) {
            turn(e);
        }
    }
    node_free(e->node);
    e->node = NULL;
    arena_fini(&e->arena);
    return NULL;
}

/* --- start and end --- */

static enum err engine_init(struct engine *e, const struct engine_config *config)
{
    pthread_condattr_t attr;
    e->config = *config;
    e->config.account_root = NULL;
    e->growth = true;
    e->sk = secret_new(sizeof *e->sk);
    e->root = secret_new(SEAL_KEY);
    arena_init(&e->arena, LIMIT_TURN_ARENA);
    pthread_mutex_init(&e->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->cond, &attr);
    pthread_condattr_destroy(&attr);
    if (e->sk == NULL || e->root == NULL) {
        return ERR_NO_MEMORY;
    }
    if (config->account_root != NULL) {
        memcpy(e->root, config->account_root, SEAL_KEY);
        e->has_root = true;
    }
    return ERR_OK;
}

enum err engine_start(struct engine **out, const struct engine_config *config)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = engine_init(e, config);
    if (err == ERR_OK && pthread_create(&e->thread, NULL, engine_main, e) != 0) {
        err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK) {
        e->running = true;
        pthread_mutex_lock(&e->mutex);
        while (!e->loaded) {
            pthread_cond_wait(&e->cond, &e->mutex);
        }
        pthread_mutex_unlock(&e->mutex);
        err = engine_fatal(e);
    }
    if (err != ERR_OK) {
        engine_stop(e);
        engine_free(e);
        return err;
    }
    *out = e;
    return ERR_OK;
}

void engine_stop(struct engine *engine)
{
    if (!engine->running) {
        return;
    }
    pthread_mutex_lock(&engine->mutex);
    engine->stop = true;
    pthread_cond_broadcast(&engine->cond);
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->thread, NULL);
    engine->running = false;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    list_free(&engine->batch);
    list_free(&engine->in);
    list_free(&engine->todo);
    node_outputs_free(&engine->out);
    secret_free(engine->sk);
    secret_free(engine->root);
    pthread_cond_destroy(&engine->cond);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}
