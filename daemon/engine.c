/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/channel.h"
#include "daemon/engine_fail.h"
#include "daemon/engine_space.h"
#include "daemon/flusher.h"
#include "daemon/hostenv.h"

enum {
    ENGINE_BATCH_MS = 200,        /* turns are in the log alone for this long, */
    ENGINE_BATCH_BYTES = 6 << 20, /* or until they are so many bytes */
    ENGINE_BACK_MS = 1000,        /* by which the clock is set back, at least, to be looked at */
};

struct engine {
    struct engine_config config;
    pthread_t thread;
    bool running; /* the thread was started and not joined */

    /* both threads */
    struct channel channel;
    atomic_int fatal;
    atomic_ullong turn_began; /* monotonic ms; 0: no turn */
    atomic_ullong told_ms;    /* Unix ms, as the core was told last */
    pthread_mutex_t mutex;    /* guards what follows */
    pthread_cond_t cond;      /* loaded */
    bool loaded;
    struct node_root *roots; /* secret_new; LIMIT_ACCOUNTS of them */
    size_t nroots;

    /* engine thread only */
    struct node *node;
    struct sign_pk id;  /* written before loaded, read-only afterwards */
    struct sign_sk *sk; /* secret_new; likewise */
    struct arena arena;
    struct hostenv_pool *random; /* secret_new */
    struct engine_inputs todo;
    struct engine_fail fail;
    struct node_skip skip;
    struct forward_policy forward; /* what the next core is built with */
    struct engine_space space;
    struct flusher flusher;
    uint64_t epoch;       /* lives of the core before this one */
    bool log_failed;      /* and that was said */
    uint64_t batch_until; /* monotonic ms at which what was logged is committed; 0: none */
};

/* --- a turn --- */

static enum err turn_begin(struct engine *e, struct store *store)
{
    atomic_store(&e->turn_began, hostenv_mono_ms());
    engine_space_check(&e->space, e->config.db, e->config.log);
    home_turn_open(e->config.home);
    enum err err = store_lmdb_begin(e->config.db, store);
    if (err == ERR_OK) {
        store->growth = e->space.growth;
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
    bool of_link = input->node.kind != NODE_COMMAND && input->node.kind != NODE_POLICY &&
                   input->node.kind != NODE_ERASED && input->node.kind != NODE_ROOTED;
    return of_link && input->epoch != e->epoch;
}

/* Runs inputs until one of the three limits of a turn is reached. What was run is in done. */
static enum err turn_steps(struct engine *e, struct turn *turn, struct engine_inputs *done,
                           struct node_outputs *outs)
{
    const size_t most = engine_fail_most(&e->fail);
    const uint64_t began = hostenv_mono_ms();
    size_t bytes = 0;
    size_t steps = 0;
    enum err err = ERR_OK;
    if (node_deadline(e->node) <= turn->env->now_ms) {
        const struct node_input tick = {.kind = NODE_TICK};
        err = node_step(e->node, turn, &tick, outs);
    }
    while (err == ERR_OK && steps < most && bytes < LIMIT_TURN_BYTES && e->todo.first != NULL &&
           hostenv_mono_ms() - began < LIMIT_TURN_MS) {
        struct engine_input *input = engine_input_pop(&e->todo);
        engine_input_append(done, input);
        if (input_stale(e, input)) {
            continue;
        }
        steps++;
        bytes += input->bytes;
        if (input->node.kind == NODE_POLICY) {
            forward_policy_copy(&e->forward, input->node.u.policy); /* whatever this turn becomes */
        }
        err = node_step(e->node, turn, &input->node, outs);
    }
    return err;
}

/* Whether somebody may look at the database because of these outputs: a client reads with a
 * transaction of its own what it was told of. */
static bool to_be_seen(const struct node_outputs *outs)
{
    const struct node_output *o = outs->first;
    while (o != NULL && (o->kind == NODE_OUT_CONNECT || o->kind == NODE_OUT_SEND ||
                         o->kind == NODE_OUT_CLOSE || o->kind == NODE_OUT_DHT_GET ||
                         o->kind == NODE_OUT_DHT_PUT || o->kind == NODE_OUT_DHT_NODE)) {
        o = o->next;
    }
    return o != NULL;
}

/* Commits all that there is: this turn, and the logged ones before it. */
static enum err commit(struct engine *e)
{
    enum err log_err = flusher_wait(&e->flusher);
    if (log_err != ERR_OK && !e->log_failed) {
        e->log_failed = true;
        logger_log(e->config.log, LOGGER_ERROR, "the log cannot be written", "err=%s",
                   err_name(log_err));
    }
    enum err err = store_lmdb_commit(e->config.db);
    if (err == ERR_OK) {
        e->batch_until = 0;
    }
    if (err == ERR_OK && log_err != ERR_OK) {
        flusher_release(&e->flusher); /* durable in another way */
    }
    return err;
}

/* Whether this turn is to be in the database and not only in the log. */
static bool to_be_committed(struct engine *e, const struct node_outputs *outs)
{
    return to_be_seen(outs) || !e->space.growth ||
           (e->batch_until != 0 && hostenv_mono_ms() >= e->batch_until) ||
           store_lmdb_logged(e->config.db) >= ENGINE_BATCH_BYTES ||
           flusher_failed(&e->flusher) != ERR_OK;
}

/* Ends the turn. *range: what is to be flushed before its outputs are released. */
static enum err turn_keep(struct engine *e, const struct node_outputs *outs,
                          struct wal_range *range)
{
    *range = (struct wal_range){.from = 0};
    enum err err = ERR_NO_SPACE;
    if (!to_be_committed(e, outs)) {
        err = store_lmdb_log(e->config.db, range);
    }
    if (err == ERR_NO_SPACE) {
        err = commit(e);
    }
    if (range->to > range->from && e->batch_until == 0) {
        e->batch_until = hostenv_mono_ms() + ENGINE_BATCH_MS;
    }
    return err;
}

/* One whole turn. On failure nothing of it remains but done and *stage. */
static enum err turn_run(struct engine *e, struct engine_inputs *done, struct node_outputs *outs,
                         struct wal_range *range, enum engine_stage *stage)
{
    struct env env = hostenv_pooled(e->random, hostenv_wall_ms());
    struct store store;
    atomic_store(&e->told_ms, env.now_ms);
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
            err = turn_keep(e, outs, range);
        } else {
            store_lmdb_abort(e->config.db);
        }
    }
    turn_end(e);
    if (err != ERR_OK) {
        node_outputs_free(outs);
        *outs = (struct node_outputs){0};
    }
    return err;
}

/* Whether the core took the R that came with the command for its account's. */
static bool root_taken(const struct node_outputs *outs, const struct node_input *command)
{
    const struct node_output *o = outs->first;
    while (o != NULL && !(o->kind == NODE_OUT_REPLY && o->client == command->u.command.client &&
                          o->id == command->u.command.id)) {
        o = o->next;
    }
    return o != NULL && o->account == command->u.command.root->account;
}

/* Whether the core wrapped the account's keys under this root. */
static bool root_kept(const struct node_outputs *outs, const struct node_root *root)
{
    const struct node_output *o = outs->first;
    while (o != NULL && !(o->kind == NODE_OUT_ROOT_KEEP && o->account == root->account &&
                          o->generation == root->generation)) {
        o = o->next;
    }
    return o != NULL;
}

/* The account's root, while it is open; else NULL. */
static struct node_root *root_find(struct engine *e, uint32_t account)
{
    size_t i = 0;
    while (i < e->nroots && e->roots[i].account != account) {
        i++;
    }
    return i < e->nroots ? &e->roots[i] : NULL;
}

static void root_forget(struct engine *e, uint32_t account)
{
    struct node_root *root = root_find(e, account);
    if (root != NULL) {
        *root = e->roots[--e->nroots];
        secret_wipe(&e->roots[e->nroots], sizeof e->roots[0]);
    }
}

static void root_adopt(struct engine *e, const struct node_root *root)
{
    root_forget(e, root->account);
    assert(e->nroots < LIMIT_ACCOUNTS); /* the core makes no more of them */
    e->roots[e->nroots++] = *root;
}

/* What seals it may be another one since the host wrote it: engine_secret knows. */
static void root_renew(struct engine *e, const struct node_root *root)
{
    struct node_root *mine = root_find(e, root->account);
    if (mine != NULL) {
        mine->generation = root->generation;
        memcpy(mine->r, root->r, sizeof mine->r);
    }
}

/* The R of an account that is locked, or to be erased, is nobody's any more. */
static void forget_shut(struct engine *e, const struct node_outputs *outs)
{
    for (const struct node_output *o = outs->first; o != NULL; o = o->next) {
        if (o->kind == NODE_OUT_ERASE || o->kind == NODE_OUT_LOCKED) {
            root_forget(e, o->account);
        }
    }
}

/* After a commit: the R with which the core made or opened an account, or under which it wrapped
 * its keys, is the account's. */
static void adopt_roots(struct engine *e, const struct engine_inputs *done,
                        const struct node_outputs *outs)
{
    pthread_mutex_lock(&e->mutex);
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        if (i->node.kind == NODE_COMMAND && i->node.u.command.root != NULL &&
            root_taken(outs, &i->node)) {
            root_adopt(e, &i->root);
        }
        if (i->node.kind == NODE_ROOTED && root_kept(outs, &i->root)) {
            root_renew(e, &i->root);
        }
    }
    forget_shut(e, outs);
    pthread_mutex_unlock(&e->mutex);
}

/* --- the life of the core --- */

/* Builds the core from the store; outputs in outs. */
static enum err core_load(struct engine *e, struct node_outputs *outs)
{
    struct env env = hostenv_pooled(e->random, hostenv_wall_ms());
    struct store store;
    struct node_root *roots = secret_new(LIMIT_ACCOUNTS * sizeof *roots);
    e->node = node_new(&e->config.node);
    if (e->node == NULL || roots == NULL) {
        secret_free(roots);
        return ERR_NO_MEMORY;
    }
    size_t nroots = engine_roots(e, roots);
    enum err err = turn_begin(e, &store);
    if (err == ERR_OK) {
        struct turn turn = {.env = &env, .store = &store, .arena = &e->arena};
        err = node_load(e->node, &turn, roots, nroots, outs);
        if (err == ERR_OK) {
            err = node_flush(e->node, &turn, outs);
        }
        if (err == ERR_OK) {
            err = commit(e);
        } else {
            store_lmdb_abort(e->config.db);
        }
    }
    turn_end(e);
    secret_free(roots);
    if (err == ERR_OK) {
        pthread_mutex_lock(&e->mutex);
        forget_shut(e, outs);
        pthread_mutex_unlock(&e->mutex);
    }
    return err;
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

/* Without such an output the core and the I/O thread would disagree for ever. */
static struct node_output *output_new(enum node_output_kind kind)
{
    struct node_output *o = calloc(1, sizeof *o);
    if (o == NULL) {
        abort();
    }
    o->kind = kind;
    return o;
}

static void append_close_all(struct engine *e, struct node_outputs *outs)
{
    struct node_output *o = output_new(NODE_OUT_CLOSE);
    o->link = ENGINE_ALL_LINKS;
    o->err = ERR_LINK_CLOSED;
    o->cursor = e->epoch;
    outputs_append(outs, o);
}

static void append_error_reply(struct node_outputs *outs, const struct engine_input *input,
                               enum err err)
{
    struct node_output *o = output_new(NODE_OUT_REPLY);
    o->client = input->node.u.command.client;
    o->id = input->node.u.command.id;
    o->err = err;
    outputs_append(outs, o);
}

static size_t live_inputs(const struct engine *e, const struct engine_inputs *done)
{
    size_t n = 0;
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        n += input_stale(e, i) ? 0 : 1;
    }
    return n;
}

static void give_up(struct engine *e, enum err err)
{
    logger_log(e->config.log, LOGGER_ERROR, "the engine gives up", "err=%s", err_name(err));
    atomic_store(&e->fatal, (int)err);
    e->config.wake(e->config.wake_ctx);
}

/* Tells the log, and the client whose command it was, that an input is given up. */
static void input_dropped(struct engine *e, const struct engine_input *input, enum err err,
                          struct node_outputs *outs)
{
    logger_log(e->config.log, LOGGER_ERROR, "input dropped", "kind=%d err=%s",
               (int)input->node.kind, err_name(err));
    if (input->node.kind == NODE_COMMAND) {
        append_error_reply(outs, input, err);
    }
}

/* A push that makes every turn fail would come again for ever, and nothing behind it. The step that
 * failed was that of the last input. A store that is full or broken is no fault of the input's. */
static void skip_culprit(struct engine *e, enum err err, enum engine_stage stage,
                         const struct engine_inputs *done)
{
    const struct engine_input *last = done->last;
    bool its_fault = stage == STAGE_STEP && err != ERR_IO && err != ERR_DISK_FULL &&
                     err != ERR_MAP_FULL && last != NULL && last->node.kind == NODE_FRAME;
    if (its_fault && node_skip_failed(&e->skip, last->node.u.frame)) {
        logger_log(e->config.log, LOGGER_ERROR, "push skipped", "err=%s", err_name(err));
    }
}

/* After a failed turn: drops or keeps its inputs, closes all links, builds the core again. */
static void turn_failed(struct engine *e, enum err err, enum engine_stage stage,
                        struct engine_inputs *done)
{
    static const char *const names[] = {"begin", "step", "flush", "commit"};
    struct node_outputs outs = {0};
    struct engine_inputs gone = {0};
    size_t inputs = live_inputs(e, done);
    logger_log(e->config.log, LOGGER_ERROR, "turn failed", "err=%s at=%s inputs=%zu failures=%u",
               err_name(err), names[stage], inputs, e->fail.failures + 1);
    if (err == ERR_DISK_FULL) {
        engine_space_full(&e->space, e->config.db);
    }
    skip_culprit(e, err, stage, done);
    enum engine_verdict verdict =
        engine_fail_judge(&e->fail, err, stage, inputs, !store_lmdb_low_space(e->config.db));
    if (verdict == ENGINE_FATAL) {
        give_up(e, err);
        channel_done(&e->channel, done);
        return;
    }
    e->epoch++;
    append_close_all(e, &outs);
    if (verdict == ENGINE_DROP) {
        assert(done->last != NULL); /* the one input that ran */
        input_dropped(e, done->last, err, &outs);
        channel_done(&e->channel, done);
    }
    engine_fail_sort(done, &e->todo, &gone);
    channel_done(&e->channel, &gone);
    engine_fail_next(&e->fail, verdict, e->todo.count);
    if (node_abandon(e->node, stage != STAGE_BEGIN, &outs) != ERR_OK) {
        abort(); /* as output_new */
    }
    node_free(e->node);
    e->node = NULL;
    err = core_load(e, &outs);
    if (err != ERR_OK) {
        node_outputs_free(&outs);
        give_up(e, err);
        return;
    }
    channel_release(&e->channel, &outs);
}

/* The outputs of a turn that went well. It may have to wait for a disk that hangs: the watchdog
 * sees that as it sees a turn. */
static void release(struct engine *e, struct wal_range range, struct node_outputs *outs)
{
    atomic_store(&e->turn_began, hostenv_mono_ms());
    flusher_put(&e->flusher, range, outs);
    atomic_store(&e->turn_began, 0);
}

static void turn(struct engine *e)
{
    struct engine_inputs done = {0};
    struct node_outputs outs = {0};
    struct wal_range range;
    enum engine_stage stage;
    enum err err = turn_run(e, &done, &outs, &range, &stage);
    if (err != ERR_OK) {
        turn_failed(e, err, stage, &done);
        return;
    }
    engine_fail_none(&e->fail, done.count, e->todo.first != NULL);
    adopt_roots(e, &done, &outs);
    release(e, range, &outs);
    channel_done(&e->channel, &done);
}

/* First load; tells engine_start how it went. On a disk that others filled meanwhile the ballast is
 * its room. */
static bool first_load(struct engine *e)
{
    struct node_outputs outs = {0};
    enum err err = core_load(e, &outs);
    if (err == ERR_DISK_FULL) {
        engine_space_full(&e->space, e->config.db);
        node_outputs_free(&outs);
        outs = (struct node_outputs){0};
        node_free(e->node);
        e->node = NULL;
        err = core_load(e, &outs);
    }
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
    channel_release(&e->channel, &outs);
    return true;
}

/* At the end: what is in the log alone goes to the database, so that the next start finds nothing
 * to do. If that fails it will do it. */
static void batch_end(struct engine *e)
{
    struct store store;
    if (e->batch_until == 0) {
        return;
    }
    enum err err = turn_begin(e, &store);
    if (err == ERR_OK) {
        err = commit(e);
    }
    turn_end(e);
    if (err != ERR_OK) {
        logger_log(e->config.log, LOGGER_WARN, "the last turns are not in the database", "err=%s",
                   err_name(err));
    }
}

static void *engine_main(void *arg)
{
    struct engine *e = arg;
    if (first_load(e)) {
        while (engine_fatal(e) == ERR_OK &&
               channel_wait(&e->channel, &e->todo, node_deadline(e->node), e->batch_until)) {
            turn(e);
        }
    }
    batch_end(e);
    flusher_stop(&e->flusher);
    node_free(e->node);
    e->node = NULL;
    arena_fini(&e->arena);
    return NULL;
}

/* --- the I/O thread's side --- */

void engine_put(struct engine *engine, struct engine_input *input)
{
    channel_put(&engine->channel, input);
}

void engine_flush(struct engine *engine)
{
    channel_flush(&engine->channel);
}

bool engine_full(struct engine *engine)
{
    return channel_full(&engine->channel);
}

void engine_take(struct engine *engine, struct node_outputs *outs)
{
    channel_take(&engine->channel, outs);
}

void engine_links_closed(struct engine *engine, uint64_t epoch)
{
    channel_links_closed(&engine->channel, epoch);
}

enum err engine_fatal(const struct engine *engine)
{
    return (enum err)atomic_load(&engine->fatal);
}

void engine_look_at_clock(struct engine *engine)
{
    struct engine_input *tick = hostenv_wall_ms() + ENGINE_BACK_MS < atomic_load(&engine->told_ms)
                                    ? engine_input_link(NODE_TICK, 0)
                                    : NULL;
    if (tick != NULL) {
        engine_put(engine, tick);
    }
}

uint64_t engine_turn_age_ms(const struct engine *engine)
{
    uint64_t began = atomic_load(&engine->turn_began);
    return began == 0 ? 0 : hostenv_mono_ms() - began;
}

size_t engine_roots(struct engine *engine, struct node_root roots[static LIMIT_ACCOUNTS])
{
    pthread_mutex_lock(&engine->mutex);
    size_t n = engine->nroots;
    memcpy(roots, engine->roots, n * sizeof roots[0]);
    pthread_mutex_unlock(&engine->mutex);
    return n;
}

void engine_secret(struct engine *engine, const struct node_root *root)
{
    pthread_mutex_lock(&engine->mutex);
    struct node_root *mine = root_find(engine, root->account);
    if (mine != NULL) {
        memcpy(mine->secret, root->secret, sizeof mine->secret);
        mine->former = root->former;
    }
    pthread_mutex_unlock(&engine->mutex);
}

void engine_identity(const struct engine *engine, struct sign_pk *id, struct sign_sk *sk)
{
    *id = engine->id;
    *sk = *engine->sk;
}

/* --- start and end --- */

static enum err engine_init(struct engine *e, const struct engine_config *config)
{
    e->config = *config;
    e->config.roots = NULL;
    e->config.node.skip = &e->skip;
    if (config->node.forward != NULL) {
        forward_policy_copy(&e->forward, config->node.forward);
    }
    e->config.node.forward = &e->forward;
    e->space.growth = true;
    e->sk = secret_new(sizeof *e->sk);
    e->roots = secret_new(LIMIT_ACCOUNTS * sizeof e->roots[0]);
    e->random = secret_new(sizeof *e->random);
    arena_init(&e->arena, LIMIT_TURN_ARENA);
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->cond, NULL);
    channel_init(&e->channel, config->wake, config->wake_ctx);
    if (e->sk == NULL || e->roots == NULL || e->random == NULL) {
        return ERR_NO_MEMORY;
    }
    assert(config->nroots <= LIMIT_ACCOUNTS);
    if (config->nroots > 0) {
        memcpy(e->roots, config->roots, config->nroots * sizeof e->roots[0]);
    }
    e->nroots = config->nroots;
    return ERR_OK;
}

enum err engine_start(struct engine **out, const struct engine_config *config)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = engine_init(e, config);
    if (err == ERR_OK) {
        err = flusher_start(&e->flusher, config->db, &e->channel, config->home);
    }
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
    channel_stop(&engine->channel);
    pthread_join(engine->thread, NULL);
    engine->running = false;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    flusher_fini(&engine->flusher);
    channel_fini(&engine->channel);
    engine_input_free_all(&engine->todo);
    secret_free(engine->sk);
    secret_free(engine->roots);
    secret_free(engine->random);
    pthread_cond_destroy(&engine->cond);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}
