/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/worker.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/hostenv.h"

enum {
    WORKER_RESULT_SPARE = 64, /* bytes that the reply around a result takes */
    WORKER_EVENTS_MAX = 64,   /* events read at once */
    WORKER_ROOT_TRIES = 10000,
};

struct worker_job *worker_job_new(const struct worker_env *env, enum worker_kind kind,
                                  const char *method, struct slice params)
{
    struct worker_job *job = calloc(1, sizeof *job + params.len);
    if (job == NULL) {
        return NULL;
    }
    job->result = malloc(LIMIT_CONTROL_MESSAGE);
    if (job->result == NULL) {
        free(job);
        return NULL;
    }
    job->req.data = job;
    job->env = env;
    job->kind = kind;
    job->method = method;
    job->size = sizeof *job + params.len;
    if (params.len > 0) {
        memcpy(job->data, params.p, params.len);
    }
    job->params = slice_of(job->data, params.len);
    return job;
}

void worker_job_free(struct worker_job *job)
{
    if (job != NULL) {
        secret_wipe(job->result, job->result_len);
        free(job->result);
        secret_wipe(job, job->size);
        free(job);
    }
}

struct slice worker_result(const struct worker_job *job)
{
    return slice_of(job->result, job->result_len);
}

/* A read transaction with all that node_query wants. */
struct session {
    struct env env;
    struct store store;
    struct arena arena;
    struct store_lmdb_reader *reader;
    struct node_root roots[LIMIT_ACCOUNTS];
    size_t nroots;
};

/* Whether the roots are those that the transaction sees. */
static bool roots_fit(struct session *s)
{
    struct turn turn = {.env = &s->env, .store = &s->store, .arena = &s->arena};
    for (size_t i = 0; i < s->nroots; i++) {
        uint32_t generation;
        enum err err = node_account_root(&turn, s->roots[i].account, &generation);
        if (err == ERR_OK && generation != s->roots[i].generation) {
            return false;
        }
    }
    return true;
}

static enum err session_begin(struct session *s, const struct worker_job *job)
{
    memset(s, 0, sizeof *s);
    s->env = hostenv_at(hostenv_wall_ms());
    for (unsigned i = 0; i < WORKER_ROOT_TRIES; i++) {
        enum err err = store_lmdb_read_begin(job->env->db, &s->reader, &s->store);
        if (err != ERR_OK) {
            return err;
        }
        s->nroots = engine_roots(job->env->engine, s->roots);
        if (roots_fit(s)) {
            arena_init(&s->arena, LIMIT_TURN_ARENA);
            return ERR_OK;
        }
        /* The engine has committed another root and not told it yet, or the other way round: in a
         * moment they agree. */
        store_lmdb_read_end(s->reader);
        secret_wipe(s->roots, sizeof s->roots);
        (void)sched_yield();
    }
    return ERR_NOT_NOW;
}

static void session_end(struct session *s)
{
    store_lmdb_read_end(s->reader);
    arena_fini(&s->arena);
    secret_wipe(s->roots, sizeof s->roots);
}

/* One query; its result replaces what the job's buffer held. */
static enum err session_query(struct session *s, struct worker_job *job, const char *method,
                              struct slice params)
{
    struct turn turn = {.env = &s->env, .store = &s->store, .arena = &s->arena};
    struct writer w = writer_of(job->result, LIMIT_CONTROL_MESSAGE - WORKER_RESULT_SPARE);
    enum err err =
        node_query(&turn, s->roots, s->nroots, slice_of(method, strlen(method)), params, &w);
    job->result_len = w.len;
    if (err == ERR_OK && w.err != ERR_OK) {
        err = w.err;
    }
    return err;
}

/* event.read: the events after cursor, and the ends of the log. */
static enum err session_events(struct session *s, struct worker_job *job, uint64_t since,
                               uint64_t limit)
{
    uint8_t params[64];
    struct writer w = writer_of(params, sizeof params);
    pack_map(&w, 3);
    pack_str(&w, "account");
    pack_uint(&w, job->account);
    pack_str(&w, "since");
    pack_uint(&w, since);
    pack_str(&w, "limit");
    pack_uint(&w, limit);
    enum err err = session_query(s, job, "event.read", writer_done(&w));
    if (err == ERR_OK && (!control_get_uint(worker_result(job), "first", &job->first) ||
                          !control_get_uint(worker_result(job), "last", &job->last))) {
        err = ERR_BUG;
    }
    return err;
}

/* The stored cursor of a named consumer; 0, the beginning of the log, for a new name. */
static enum err consumer_cursor(struct session *s, struct worker_job *job, struct slice name,
                                uint64_t *cursor)
{
    uint8_t params[128];
    struct writer w = writer_of(params, sizeof params);
    pack_map(&w, 2);
    pack_str(&w, "account");
    pack_uint(&w, job->account);
    pack_str(&w, "name");
    pack_str_slice(&w, name);
    if (w.err != ERR_OK || name.len == 0 || name.len > LIMIT_CONSUMER_NAME) {
        return ERR_ARGUMENT;
    }
    enum err err = session_query(s, job, "consumer.get", writer_done(&w));
    *cursor = 0;
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (err == ERR_OK && !control_get_uint(worker_result(job), "cursor", cursor)) {
        err = ERR_BUG;
    }
    return err;
}

static enum err run_subscribe(struct session *s, struct worker_job *job)
{
    struct slice name;
    struct turn turn = {.env = &s->env, .store = &s->store, .arena = &s->arena};
    enum err named = node_account_named(&turn, job->params, &job->account);
    if (named != ERR_OK) {
        return named;
    }
    bool given = control_get_uint(job->params, "since", &job->cursor);
    if (!given && control_get_str(job->params, "name", &name)) {
        enum err err = consumer_cursor(s, job, name, &job->cursor);
        if (err != ERR_OK) {
            return err;
        }
        given = true;
    }
    /* Nothing is newer than the largest cursor: this only asks for the ends of the log. */
    enum err err = session_events(s, job, UINT64_MAX - 1, 1);
    if (err == ERR_OK && !given) {
        job->cursor = job->last;
    }
    return err;
}

static enum err run_query(struct worker_job *job)
{
    struct session s;
    enum err err = session_begin(&s, job);
    if (err != ERR_OK) {
        return err;
    }
    if (job->kind == WORKER_SUBSCRIBE) {
        err = run_subscribe(&s, job);
    } else if (job->kind == WORKER_EVENTS) {
        err = session_events(&s, job, job->cursor, WORKER_EVENTS_MAX);
    } else {
        err = session_query(&s, job, job->method, job->params);
    }
    session_end(&s);
    return err;
}

/* R of the account root.account, out of its files. */
static enum err root_open(struct session *s, struct worker_job *job, struct slice passphrase)
{
    uint32_t generation;
    struct turn turn = {.env = &s->env, .store = &s->store, .arena = &s->arena};
    enum err err = node_account_root(&turn, job->root.account, &generation);
    if (err == ERR_NOT_FOUND) {
        return ERR_NO_ACCOUNT; /* its rows go already */
    }
    if (err == ERR_OK) {
        err = keyring_account_open(job->env->keyring, job->root.account, passphrase, generation,
                                   &job->root);
    }
    job->has_root = err == ERR_OK;
    return err;
}

/* An erase file is only ever made when no row depends on an older one. */
static enum err root_make(struct session *s, struct worker_job *job, struct slice passphrase)
{
    struct turn turn = {.env = &s->env, .store = &s->store, .arena = &s->arena};
    bool another = false;
    (void)control_get_bool(job->params, "another", &another);
    enum err err = node_account_free(&turn, another, &job->root.account);
    if (err == ERR_OK) {
        err = keyring_account_create(job->env->keyring, job->root.account, passphrase, &s->env,
                                     &job->root);
        job->has_root = err == ERR_OK;
    }
    return err == ERR_ACCOUNT_EXISTS ? ERR_OK : err; /* the core says so */
}

/* A call that has made its account already is answered by the core. A passphrase must be the
 * account's, open or not; the core opens it with that. */
static enum err root_again(struct session *s, struct worker_job *job, struct slice passphrase)
{
    if (passphrase.len == 0) {
        return ERR_OK;
    }
    enum err err = root_open(s, job, passphrase);
    if (err == ERR_NO_ACCOUNT) {
        err = ERR_NOT_NOW; /* its files are being destroyed */
    }
    if (err == ERR_OK &&
        keyring_account_kind(job->env->keyring, job->root.account) != KEYRING_PASSPHRASE) {
        err = ERR_WRONG_KEY; /* it has none */
    }
    job->has_root = err == ERR_OK;
    return err;
}

static enum err run_create(struct worker_job *job)
{
    struct session s;
    struct slice passphrase = {0};
    if (control_get_str(job->params, "passphrase", &passphrase) && passphrase.len == 0) {
        return ERR_ARGUMENT;
    }
    enum err err = session_begin(&s, job);
    if (err != ERR_OK) {
        return err;
    }
    struct turn turn = {.env = &s.env, .store = &s.store, .arena = &s.arena};
    err = node_account_made(&turn, job->params, &job->root.account);
    if (err == ERR_NOT_FOUND) {
        err = root_make(&s, job, passphrase);
    } else if (err == ERR_OK) {
        err = root_again(&s, job, passphrase);
    }
    session_end(&s);
    return err;
}

static enum err run_unlock(struct worker_job *job)
{
    struct session s;
    struct slice passphrase = {0};
    (void)control_get_str(job->params, "passphrase", &passphrase);
    enum err err = session_begin(&s, job);
    if (err != ERR_OK) {
        return err;
    }
    struct turn turn = {.env = &s.env, .store = &s.store, .arena = &s.arena};
    err = node_account_named(&turn, job->params, &job->root.account);
    if (err == ERR_OK && passphrase.len == 0 &&
        keyring_account_kind(job->env->keyring, job->root.account) == KEYRING_PASSPHRASE) {
        err = ERR_MISSING_PARAM;
    }
    if (err == ERR_OK) {
        err = root_open(&s, job, passphrase);
    }
    session_end(&s);
    return err;
}

/* What account.passphrase asks for: one of new, remove and credential. */
static enum err change_wanted(struct slice params, struct keyring_change *change)
{
    bool remove = false;
    bool credential = false;
    *change = (struct keyring_change){.to = KEYRING_PASSPHRASE, .cost = keyring_cost_usual()};
    (void)control_get_str(params, "passphrase", &change->passphrase);
    bool fresh = control_get_str(params, "new", &change->fresh);
    (void)control_get_bool(params, "remove", &remove);
    (void)control_get_bool(params, "credential", &credential);
    if (remove) {
        change->to = KEYRING_KEY_FILE;
    } else if (credential) {
        change->to = KEYRING_CREDENTIAL;
    }
    return (fresh ? 1 : 0) + (remove ? 1 : 0) + (credential ? 1 : 0) == 1 ? ERR_OK : ERR_ARGUMENT;
}

/* The store may name the next root by the time this writes: the file keeps both that it has, and
 * nothing else writes it meanwhile. */
static enum err run_change(struct worker_job *job)
{
    struct session s;
    struct keyring_change change;
    uint32_t generation = 0;
    enum err err = change_wanted(job->params, &change);
    if (err == ERR_OK) {
        err = session_begin(&s, job);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct turn turn = {.env = &s.env, .store = &s.store, .arena = &s.arena};
    bool erasing = false;
    err = node_account_named(&turn, job->params, &job->root.account);
    uint32_t account = job->root.account;
    if (err == ERR_OK) {
        err = node_account_erasing(&turn, account, &erasing);
    }
    if (err == ERR_OK) {
        err = erasing ? ERR_NOT_FOUND : node_account_root(&turn, account, &generation);
    }
    session_end(&s);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
    }
    if (change.passphrase.len == 0 &&
        keyring_account_kind(job->env->keyring, account) == KEYRING_PASSPHRASE) {
        return ERR_MISSING_PARAM;
    }
    struct env env = hostenv_at(hostenv_wall_ms());
    err = keyring_account_change(job->env->keyring, account, &change, generation, &env, &job->root,
                                 &job->left);
    job->has_root = err == ERR_OK;
    return err;
}

/* The number may be another account's by the time this runs: the store says whether it still is the
 * one that goes. */
static enum err run_erase(struct worker_job *job)
{
    struct session s;
    bool erasing = false;
    enum err err = session_begin(&s, job);
    if (err != ERR_OK) {
        return err;
    }
    struct turn turn = {.env = &s.env, .store = &s.store, .arena = &s.arena};
    err = node_account_erasing(&turn, job->account, &erasing);
    session_end(&s);
    return err == ERR_OK && erasing ? keyring_account_erase(job->env->keyring, job->account) : err;
}

/* What seals the account's roots is known as long as it is open. */
static enum err run_root(struct worker_job *job)
{
    struct node_root roots[LIMIT_ACCOUNTS];
    struct env env = hostenv_at(hostenv_wall_ms());
    size_t n = engine_roots(job->env->engine, roots);
    size_t i = 0;
    while (i < n && roots[i].account != job->root.account) {
        i++;
    }
    enum err err = i < n ? ERR_OK : ERR_ACCOUNT_LOCKED;
    if (err == ERR_OK) {
        memcpy(job->root.secret, roots[i].secret, sizeof job->root.secret);
        err = keyring_root_put(job->env->keyring, &env, &job->root);
    }
    secret_wipe(roots, sizeof roots);
    return err;
}

static void on_work(uv_work_t *req)
{
    struct worker_job *job = req->data;
    switch (job->kind) {
    case WORKER_QUERY:
    case WORKER_SUBSCRIBE:
    case WORKER_EVENTS:
        job->err = run_query(job);
        break;
    case WORKER_CREATE:
        job->err = run_create(job);
        break;
    case WORKER_UNLOCK:
        job->err = run_unlock(job);
        break;
    case WORKER_CHANGE:
        job->err = run_change(job);
        break;
    case WORKER_ERASE:
        job->err = run_erase(job);
        break;
    case WORKER_ROOT:
        job->err = run_root(job);
        break;
    case WORKER_KEEP:
        job->err = keyring_root_keep(job->env->keyring, job->root.account, job->root.generation);
        break;
    }
}

static void on_work_done(uv_work_t *req, int status)
{
    struct worker_job *job = req->data;
    if (status != 0) {
        job->err = ERR_NOT_NOW; /* cancelled: the daemon stops */
    }
    job->done(job);
}

void worker_start(struct worker_job *job)
{
    if (uv_queue_work(job->env->uv, &job->req, on_work, on_work_done) != 0) {
        job->err = ERR_NO_MEMORY;
        job->done(job);
    }
}
