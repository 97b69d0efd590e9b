/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include <uv.h>

#include "daemon/io/control.h"
#include "daemon/io/finder.h"
#include "daemon/io/sd.h"
#include "daemon/io/tcp.h"
#include "daemon/io/tcp_conn.h"

enum {
    LOOP_TICK_MS = 1000,   /* from a tick, or from whatever else happened, to the next, at least */
    LOOP_LOOK_MS = 120000, /* from a tick to the next at most: as often as an idle link pings */
    LOOP_SIGNALS = 3,
    LOOP_STUCK_MS = 60000, /* a turn that takes longer is not reported as alive */
};

struct loop {
    struct loop_config config;
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_timer_t tick;
    uv_timer_t watchdog;
    uv_signal_t signals[LOOP_SIGNALS];
    struct tcp *tcp;
    struct finder *finder; /* NULL: no DHT */
    struct control *control;
    struct engine *engine;
    bool handles; /* the loop's own handles are open */
    bool ticked;  /* the tick is all that happened in this pass, so far as deadlines go */
    bool stopping;
};

/* Carries out what the engine released. */
static void take_outputs(struct loop *loop)
{
    struct node_outputs outs = {0};
    engine_take(loop->engine, &outs);
    for (const struct node_output *o = outs.first; o != NULL; o = o->next) {
        if (o->kind == NODE_OUT_CLOSE && o->link == ENGINE_ALL_LINKS) {
            tcp_close_all(loop->tcp, o->err);
            engine_links_closed(loop->engine, o->cursor);
        } else if (o->kind == NODE_OUT_CONNECT || o->kind == NODE_OUT_SEND ||
                   o->kind == NODE_OUT_CLOSE) {
            tcp_output(loop->tcp, o);
        } else if (o->kind == NODE_OUT_DHT_GET || o->kind == NODE_OUT_DHT_PUT ||
                   o->kind == NODE_OUT_DHT_TABLE || o->kind == NODE_OUT_DHT_NODE) {
            finder_output(loop->finder, o);
        } else {
            control_output(loop->control, o);
        }
    }
    tcp_flush(loop->tcp);
    node_outputs_free(&outs);
}

static void loop_stop(void *ctx)
{
    struct loop *loop = ctx;
    if (!loop->stopping) {
        loop->stopping = true;
        uv_stop(&loop->uv);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->engine == NULL) {
        return;
    }
    take_outputs(loop);
    if (engine_fatal(loop->engine) != ERR_OK) {
        loop_stop(loop);
    }
}

static void on_tick(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    engine_look_at_clock(loop->engine);
    tcp_tick(loop->tcp);
    control_tick(loop->control);
    loop->ticked = true;
}

/* When to look at deadlines again: a second after anything happened, since that may have set one;
 * and after a tick when the first of all is over, or two minutes later. So an idle daemon sleeps.
 */
static void tick_arm(struct loop *loop)
{
    uint64_t in = LOOP_TICK_MS;
    if (loop->ticked && !loop->stopping) { /* drain looks at its own deadline */
        in = control_stalled(loop->control) ? 0 : tcp_next_ms(loop->tcp);
        in = in < LOOP_TICK_MS ? LOOP_TICK_MS : in;
        in = in > LOOP_LOOK_MS ? LOOP_LOOK_MS : in;
    } else if (uv_is_active((uv_handle_t *)&loop->tick) &&
               uv_timer_get_due_in(&loop->tick) <= LOOP_TICK_MS) {
        return;
    }
    loop->ticked = false;
    (void)uv_timer_start(&loop->tick, on_tick, in, 0); /* fails for a closing handle only */
}

/* Last thing before the loop waits: what this pass read goes to the engine in one batch. */
static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->engine == NULL) {
        return;
    }
    control_pass(loop->control);
    tcp_pass(loop->tcp);
    tcp_flush(loop->tcp);
    engine_flush(loop->engine);
    tick_arm(loop);
}

static void on_watchdog(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    if (engine_turn_age_ms(loop->engine) < LOOP_STUCK_MS) {
        sd_notify_state("WATCHDOG=1");
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct loop *loop = handle->data;
    if (signum != SIGHUP) {
        logger_log(loop->config.log, LOGGER_INFO, "stopping", "signal=%d", signum);
        loop_stop(loop);
    } else if (loop->config.reload != NULL) {
        loop->config.reload(loop->config.reload_ctx);
    }
}

static int handles_init(struct loop *loop)
{
    int rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc != 0) {
        return rc;
    }
    /* These only enter themselves into the loop's lists: they cannot fail. */
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_timer_init(&loop->uv, &loop->tick);
    (void)uv_timer_init(&loop->uv, &loop->watchdog);
    for (size_t i = 0; i < LOOP_SIGNALS; i++) {
        (void)uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
    }
    loop->wake.data = loop->prepare.data = loop->tick.data = loop->watchdog.data = loop;
    loop->handles = true;
    return 0;
}

static void handles_close(struct loop *loop)
{
    if (!loop->handles) {
        return;
    }
    loop->handles = false;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->watchdog, NULL);
    for (size_t i = 0; i < LOOP_SIGNALS; i++) {
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    }
}

enum err loop_new(struct loop **out, const struct loop_config *config)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return ERR_NO_MEMORY;
    }
    loop->config = *config;
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return ERR_NO_MEMORY;
    }
    enum err err = handles_init(loop) == 0 ? ERR_OK : ERR_NO_MEMORY;
    if (err == ERR_OK) {
        err = tcp_new(&loop->tcp, &loop->uv, config->log);
    }
    if (err != ERR_OK) {
        loop_free(loop);
        return err;
    }
    *out = loop;
    return ERR_OK;
}

enum err loop_listen(struct loop *loop, const char *host, uint16_t port, uint16_t *bound)
{
    return tcp_listen(loop->tcp, host, port, bound);
}

void loop_set_proxy(struct loop *loop, const struct socks_proxy *proxy)
{
    tcp_set_proxy(loop->tcp, proxy);
}

enum err loop_listen_dht(struct loop *loop, const char *host, uint16_t port, bool read_only,
                         uint16_t *bound)
{
    const struct finder_config config = {
        .uv = &loop->uv, .log = loop->config.log, .read_only = read_only};
    enum err err = finder_new(&loop->finder, &config);
    return err == ERR_OK ? finder_listen(loop->finder, host, port, bound) : err;
}

void loop_dht_host(struct loop *loop, const char *host, uint16_t port)
{
    finder_host(loop->finder, host, port);
}

void loop_wake(void *ctx)
{
    struct loop *loop = ctx;
    (void)uv_async_send(&loop->wake);
}

static int timers_start(struct loop *loop)
{
    static const int signals[LOOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    uint64_t watchdog = sd_watchdog_ms();
    int rc = uv_prepare_start(&loop->prepare, on_prepare);
    if (rc == 0 && watchdog > 0) {
        rc = uv_timer_start(&loop->watchdog, on_watchdog, watchdog, watchdog);
    }
    for (size_t i = 0; i < LOOP_SIGNALS && rc == 0; i++) {
        rc = uv_signal_start(&loop->signals[i], on_signal, signals[i]);
    }
    return rc;
}

enum err loop_start(struct loop *loop, struct engine *engine, struct store_lmdb *db,
                    const struct keyring *keyring, const char *path, bool relay)
{
    const struct control_config config = {
        .worker = {.uv = &loop->uv, .db = db, .engine = engine, .keyring = keyring},
        .log = loop->config.log,
        .relay = relay,
        .finder = loop->finder,
        .stop = loop_stop,
        .stop_ctx = loop};
    enum err err = control_new(&loop->control, &config, path);
    if (err != ERR_OK) {
        return err;
    }
    if (timers_start(loop) != 0) {
        return ERR_NO_MEMORY;
    }
    loop->engine = engine;
    tcp_start(loop->tcp, engine);
    if (loop->finder != NULL) {
        finder_start(loop->finder, engine);
    }
    loop_wake(loop); /* outputs of the first load wait already */
    return ERR_OK;
}

/* Ends the engine, lets out what it committed last, and closes all handles in order. */
static void shut_down(struct loop *loop)
{
    loop->stopping = true;
    if (loop->engine != NULL) {
        engine_stop(loop->engine);
        take_outputs(loop);
    }
    if (loop->control != NULL) {
        control_stop(loop->control);
    }
    if (loop->tcp != NULL) {
        tcp_stop(loop->tcp);
    }
    if (loop->finder != NULL) {
        finder_stop(loop->finder);
    }
}

/* Runs the loop until every handle is gone. Links linger for a moment, clients that do not read
 * are not waited for. */
static void drain(struct loop *loop)
{
    uint64_t until = uv_now(&loop->uv) + TCP_LINGER_MS;
    while (loop->handles) {
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
        bool idle = (loop->tcp == NULL || tcp_idle(loop->tcp)) &&
                    (loop->control == NULL || control_idle(loop->control)) &&
                    (loop->finder == NULL || finder_idle(loop->finder));
        if (idle || uv_now(&loop->uv) >= until) {
            handles_close(loop);
        } else {
            (void)uv_run(&loop->uv, UV_RUN_ONCE);
        }
    }
    if (loop->tcp != NULL) {
        tcp_abort(loop->tcp);
    }
    if (loop->control != NULL) {
        control_abort(loop->control);
    }
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

enum err loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    shut_down(loop);
    return engine_fatal(loop->engine);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    shut_down(loop);
    drain(loop);
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
    control_free(loop->control);
    tcp_free(loop->tcp);
    finder_free(loop->finder);
    free(loop);
}
