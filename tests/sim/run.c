/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/run.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/check.h"
#include "sim/crypto_sim.h"
#include "sim/flood.h"
#include "sim/heap.h"
#include "sim/inside.h"
#include "sim/invite_thief.h"
#include "sim/meet.h"
#include "sim/session_thief.h"
#include "sim/watch.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    MEET_DAYS = 3,             /* who asked in vain asks anew after one */
    HEAL_HOURS = 2,            /* a new session begins once an hour at most */
    QUIET_DAYS = 6,            /* until all has come to rest */
    CLOCK_OFF_MS = 2 * MINUTE, /* of a clock, at most then */
    REST_HOURS = 3,            /* in which nothing happens but what is due */
    REST_TURNS = 40,           /* of one node in an hour of that */
    CHECK_MS = 30 * MINUTE,    /* between looks into all stores, */
    CHECK_ROWS = 16,           /* and a turn for so many rows of them, at least */
    TRACE_LINES = 60,
};

struct run;

/* What ends later. */
struct end {
    struct end *next;
    struct run *run;
    enum plan_kind kind;
    struct sim_node *n;
    enum evil_kind lie;
};

struct run {
    struct crowd crowd;
    struct watch watch;
    struct thieves thieves;
    struct evil evil;
    const struct run_options *options;
    struct run_outcome *out;
    uint64_t begun; /* the plan, time of the world */
    uint64_t last_look;
    uint64_t last_check;
    uint64_t check_turns; /* turns until then */
    unsigned partitions;
    struct end *ends;
    jmp_buf failed;
};

static uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void failed(void *ctx, const char *text)
{
    struct run *r = ctx;
    r->out->failed = true;
    snprintf(r->out->why, sizeof r->out->why, "%s", text);
    longjmp(r->failed, 1);
}

/* --- doing --- */

static void ended(void *ctx)
{
    struct end *e = ctx;
    struct run *r = e->run;
    if (e->kind == PLAN_NAP && e->n->asleep && !e->n->lost) {
        sim_wake(&r->crowd.sim, e->n);
    } else if (e->kind == PLAN_FULL) {
        e->n->full = false;
    } else if (e->kind == PLAN_PARTITION) {
        r->partitions -= r->partitions > 0;
        if (r->partitions == 0) { /* else the last one goes on */
            sim_part(&r->crowd.sim, false);
        }
    } else if (e->kind == PLAN_LIE && r->crowd.liars > 0) {
        r->crowd.liars--;
        evil_lie(&r->evil, e->n, e->lie, false);
        crowd_unsure(&r->crowd);
    }
}

static struct end *end_later(struct run *r, enum plan_kind kind, struct sim_node *n, int64_t ms)
{
    struct end *e = malloc(sizeof *e);
    sim_check(&r->crowd.sim, e != NULL, "out of memory");
    *e = (struct end){.next = r->ends, .run = r, .kind = kind, .n = n};
    r->ends = e;
    sim_at(&r->crowd.sim, sim_now(&r->crowd.sim) + (uint64_t)ms, ended, e);
    return e;
}

static void nap(struct run *r, struct crowd_person *who, int64_t ms)
{
    if (!who->n->asleep) {
        sim_sleep(&r->crowd.sim, who->n);
        (void)end_later(r, PLAN_NAP, who->n, ms);
    }
}

static void part(struct run *r, uint32_t bits, int64_t ms, bool one_way)
{
    struct sim *sim = &r->crowd.sim;
    for (size_t i = 0; i < sim->count; i++) {
        sim->nodes[i]->side = bits >> i % 32 & 1;
    }
    r->partitions++;
    sim->one_way = one_way;
    if (one_way) {
        sim->partition = true;
    } else {
        sim_part(sim, true);
    }
    (void)end_later(r, PLAN_PARTITION, NULL, ms);
}

/* Only who is nobody's home lies: what people's own nodes do is what is checked. */
static void lie(struct run *r, uint32_t relay, enum evil_kind kind, int64_t ms)
{
    struct crowd *c = &r->crowd;
    struct sim_node *n = c->relays[relay % c->relay_count];
    if (!n->person) {
        c->liars++;
        c->lied = true;
        evil_lie(&r->evil, n, kind, true);
        crowd_unsure(c);
        end_later(r, PLAN_LIE, n, ms)->lie = kind;
    }
}

static void fault(struct run *r, struct sim_node *n, enum sim_point point, uint64_t k)
{
    sim_arm(n, point, k);
    if (point == SIM_LOAD) {
        sim_restart(&r->crowd.sim, n);
    }
}

static void carry_out(struct run *r, const struct plan_op *op)
{
    struct crowd *c = &r->crowd;
    struct crowd_person *who = &c->people[op->a % c->count];
    struct sim_node *n = c->sim.nodes[op->a % c->sim.count];
    trace_note(&c->sim, TRACE_PLAN + (uint64_t)op->kind, op->a, (uint64_t)op->b, slice_of(NULL, 0));
    r->out->done[op->kind]++;
    switch (op->kind) {
    case PLAN_SAY:
        crowd_say(c, who, (uint32_t)op->b);
        break;
    case PLAN_NAP:
        nap(r, who, op->b);
        break;
    case PLAN_DELETE:
        crowd_delete(c, who);
        break;
    case PLAN_MOVE:
        crowd_move(c, who, (uint32_t)op->b);
        break;
    case PLAN_COPY:
        crowd_copy(c, who);
        break;
    case PLAN_STEAL:
        thieves_enter(&r->thieves, who->n);
        break;
    case PLAN_BACK:
        crowd_roll_back(c, who);
        break;
    case PLAN_SAVE:
        crowd_save(c, who);
        break;
    case PLAN_RESTORE:
        crowd_restore(c, who);
        break;
    case PLAN_MEET:
        meet_somebody(c, who, (uint32_t)op->b, (enum meet_way)(op->c % MEET_WAY_COUNT));
        break;
    case PLAN_THIEF:
        theft_begin(c, who, (uint32_t)op->b, (enum theft_way)(op->c % THEFT_WAY_COUNT));
        break;
    case PLAN_POP:
        flood_pop(c, who, (uint32_t)op->b);
        break;
    case PLAN_FLOOD:
        flood_deposit(c, who, (enum flood_way)(op->c % FLOOD_WAY_COUNT), (uint32_t)op->b);
        break;
    case PLAN_FAULT:
        fault(r, n, (enum sim_point)op->b, (uint64_t)op->c);
        break;
    case PLAN_KILL:
        sim_restart(&c->sim, n);
        break;
    case PLAN_CUT:
        sim_cut(&c->sim, n);
        break;
    case PLAN_PARTITION:
        part(r, op->a, op->b, op->c != 0);
        break;
    case PLAN_LIE:
        lie(r, op->a, (enum evil_kind)op->c, op->b);
        break;
    case PLAN_CLOCK:
        sim_clock(&c->sim, n, op->b, (int32_t)op->c);
        break;
    case PLAN_FULL:
        n->full = true;
        (void)end_later(r, PLAN_FULL, n, op->b);
        break;
    case PLAN_KIND_COUNT:
        break;
    }
}

/* A look at all rows is worth its time when much has happened since the last one. */
static bool check_due(const struct run *r)
{
    const struct crowd *c = &r->crowd;
    uint64_t rows = 0;
    if (sim_now(&c->sim) < r->last_check + CHECK_MS) {
        return false;
    }
    for (size_t i = 0; i < c->relay_count; i++) {
        rows += store_mem_count(c->relays[i]->mem, STORE_QUEUE_INDEX);
    }
    return c->sim.turns - r->check_turns >= rows / CHECK_ROWS;
}

/* Goes on until this time, and looks at what came now and then. */
static void go_on(struct run *r, uint64_t until)
{
    struct sim *sim = &r->crowd.sim;
    while (sim_now(sim) < until) {
        uint64_t look = r->last_look + r->options->look_ms;
        uint64_t stop = look < until ? look : until;
        sim_settle(sim, stop > sim_now(sim) ? stop - sim_now(sim) : 0);
        if (sim_now(sim) >= look) {
            crowd_look_all(&r->crowd);
            meet_go_on(&r->crowd);
            theft_go_on(&r->crowd);
            check_forgotten(&r->crowd);
            r->last_look = sim_now(sim);
        }
        if (check_due(r)) {
            int64_t held = heap_check(sim);
            r->out->held = held > r->out->held ? held : r->out->held;
            check_relays(&r->crowd, false);
            check_receipts(&r->crowd);
            flood_check(&r->crowd);
            r->last_check = sim_now(sim);
            r->check_turns = sim->turns;
        }
    }
}

static void show_progress(const struct run *r, size_t done, size_t all)
{
    if (r->options->progress) {
        fprintf(stderr, "\r%3zu %% %12llu messages %8llu starts ", all > 0 ? done * 100 / all : 100,
                (unsigned long long)r->crowd.did.got,
                (unsigned long long)r->crowd.sim.nodes[0]->starts);
    }
}

/* A stamp's minute is good for ten, which two clocks may not be apart. */
static void set_clock(struct sim *sim, struct sim_node *n)
{
    int64_t off = (int64_t)(sim_clock_now(sim, n) - sim_now(sim));
    if (off > CLOCK_OFF_MS || off < -CLOCK_OFF_MS) {
        sim_clock(sim, n, -off, n->clock.ppm);
    }
}

/* Nothing goes wrong any more. */
static void calm_down(struct run *r)
{
    struct sim *sim = &r->crowd.sim;
    sim->lines.reset_ppm = 0;
    r->partitions = 0;
    sim_part(sim, false);
    r->crowd.liars = 0;
    evil_stop(&r->evil);
    crowd_unsure(&r->crowd);
    for (size_t i = 0; i < sim->count; i++) {
        struct sim_node *n = sim->nodes[i];
        n->full = false;
        sim_arm(n, SIM_POINTS, 0);
        set_clock(sim, n);
        if (n->asleep && !n->lost) {
            sim_wake(sim, n);
        }
    }
}

/* After homes went back nobody can know of some that they did, before the next word of each. */
static void last_words(struct run *r)
{
    struct crowd *c = &r->crowd;
    for (size_t i = 0; i < c->count; i++) {
        for (uint32_t k = 0; k < c->people[i].contacts; k++) {
            crowd_say(c, &c->people[i], k);
        }
    }
}

/* Whether something happened after which sessions are replaced. */
static bool may_heal(const struct run *r)
{
    const struct crowd *c = &r->crowd;
    bool back = false;
    for (size_t i = 0; i < c->sim.count; i++) {
        back |= c->sim.nodes[i]->backs > 0;
    }
    uint64_t longest = r->options->profile.nap_ms; /* an acknowledgement is waited for this long */
    return back || c->did.restored > 0 || c->lied || longest > DAY;
}

static size_t unmet(const struct crowd *c)
{
    size_t i = 0;
    while (i < c->count && meet_done(&c->people[i])) {
        i++;
    }
    return i;
}

static void all_meet(struct run *r)
{
    struct crowd *c = &r->crowd;
    uint64_t end = sim_now(&c->sim) + MEET_DAYS * (uint64_t)DAY;
    while (unmet(c) < c->count || (!theft_done(c) && sim_now(&c->sim) < end)) {
        sim_check(&c->sim, sim_now(&c->sim) < end,
                  "meetings: person %zu has not met somebody after %d days", unmet(c), MEET_DAYS);
        go_on(r, sim_now(&c->sim) + 10 * (uint64_t)MINUTE);
    }
}

static void come_to_rest(struct run *r)
{
    struct crowd *c = &r->crowd;
    struct sim *sim = &c->sim;
    calm_down(r);
    go_on(r, sim_now(sim) + HEAL_HOURS * (uint64_t)HOUR);
    all_meet(r);
    last_words(r);
    uint64_t end = sim_now(sim) + QUIET_DAYS * (uint64_t)DAY;
    uint64_t pause = MINUTE;
    go_on(r, sim_now(sim) + pause);
    while (crowd_waiting(c) > 0) {
        sim_check(sim, sim_now(sim) < end, "rest: %llu messages still wait after %d days",
                  (unsigned long long)crowd_waiting(c), QUIET_DAYS);
        pause = pause < HOUR ? 2 * pause : pause;
        go_on(r, sim_now(sim) + pause);
    }
    crowd_look_all(c);
    theft_check(c);
    theft_end(c);
    go_on(r, sim_now(sim) + MINUTE);
    crowd_settle_accounts(c);
    meet_check(c);
    flood_check(c);
    check_relays(c, true);
    sim_check(sim, c->did.healed == 0 || may_heal(r),
              "sessions: %llu were replaced, although nobody went back and nobody lied",
              (unsigned long long)c->did.healed);
    for (size_t i = 0; i < c->relay_count; i++) {
        watch_store(&r->watch, c->relays[i]);
    }
    uint64_t turns = sim->turns;
    go_on(r, sim_now(sim) + REST_HOURS * (uint64_t)HOUR);
    turns = sim->turns - turns;
    flood_check_stock(c);
    sim_check(sim, turns <= REST_TURNS * REST_HOURS * sim->count,
              "rest: %llu turns of %zu nodes in %d hours in which nothing was to be done",
              (unsigned long long)turns, sim->count, REST_HOURS);
    watch_settle(&r->watch);
}

/* --- all of it --- */

static void plan_of(struct run *r, struct plan *plan)
{
    struct crowd *c = &r->crowd;
    bool made = plan_make(plan, &r->options->profile, r->options->seed, r->options->ms, c->count,
                          c->sim.count, c->relay_count);
    sim_check(&c->sim, made, "out of memory");
}

static bool is_fault(enum plan_kind kind)
{
    return kind != PLAN_SAY && kind != PLAN_MEET && kind != PLAN_THIEF && kind != PLAN_POP &&
           kind != PLAN_FLOOD && kind != PLAN_DELETE && kind != PLAN_COPY && kind != PLAN_SAVE &&
           kind != PLAN_FAULT && kind != PLAN_LIE;
}

static void fill_outcome(struct run *r)
{
    const struct crowd *c = &r->crowd;
    struct run_outcome *out = r->out;
    out->did = c->did;
    out->asking = c->asking;
    out->sealed = r->watch.sealed;
    out->begun = r->watch.begun;
    out->searched = r->watch.searched;
    out->stolen = r->thieves.stolen;
    out->read = r->thieves.read;
    out->closed = r->thieves.closed;
    out->closed_broken = r->thieves.closed_broken;
    out->turns = c->sim.turns;
    out->frames = c->sim.frames;
    out->bytes = c->sim.bytes;
    out->resets = c->sim.resets;
    out->trace = c->sim.trace;
    memcpy(out->struck, c->sim.struck, sizeof out->struck);
    memcpy(out->lies, r->evil.done, sizeof out->lies);
    out->faults = out->resets;
    for (unsigned i = 0; i < SIM_POINTS; i++) {
        out->faults += out->struck[i];
    }
    for (unsigned i = 0; i < EVIL_KIND_COUNT; i++) {
        out->faults += out->lies[i];
    }
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        out->faults += is_fault((enum plan_kind)i) ? out->done[i] : 0;
    }
}

/* What only the two who talk may see. */
static void watch_crowd(struct run *r)
{
    struct crowd *c = &r->crowd;
    watch_needle(&r->watch, slice_of(CROWD_MARK, sizeof CROWD_MARK - 1), "a text");
    for (size_t i = 0; i < c->count; i++) {
        struct sign_pk id;
        const char *text = c->people[i].id;
        sim_check(&c->sim, id_decode(slice_of(text, strlen(text)), id.b) == ERR_OK, "no ID: %s",
                  text);
        watch_needle(&r->watch, slice_of(id.b, sizeof id.b), "an ID");
        watch_needle(&r->watch, slice_of(text, strlen(text)), "an ID in letters");
    }
}

static void run_all(struct run *r, const struct plan *given)
{
    struct plan own = {.count = 0};
    crowd_init(&r->crowd, r->options->seed, r->options->nodes, r->options->contacts,
               &r->options->profile.lines);
    watch_crowd(r);
    evil_begin(&r->evil, &r->crowd.sim);
    r->begun = sim_now(&r->crowd.sim);
    r->last_look = r->begun;
    if (given == NULL) {
        plan_of(r, &own);
        given = &own;
    }
    uint64_t wall = wall_ms();
    for (size_t i = 0; i < given->count; i++) {
        go_on(r, r->begun + given->ops[i].at);
        carry_out(r, &given->ops[i]);
        if (i % 256 == 0) {
            show_progress(r, i, given->count);
        }
    }
    go_on(r, r->begun + r->options->ms);
    come_to_rest(r);
    show_progress(r, 1, 1);
    r->out->wall_ms = wall_ms() - wall;
    plan_free(&own);
}

static struct run *run_new(const struct run_options *options, struct run_outcome *out)
{
    struct run *r = calloc(1, sizeof *r);
    if (r == NULL) {
        abort();
    }
    memset(out, 0, sizeof *out);
    r->options = options;
    r->out = out;
    r->crowd.sim.failed = failed;
    r->crowd.sim.failed_ctx = r;
    crypto_sim_use(options->crypto_sim);
    heap_count(&r->crowd.sim);
    watch_begin(&r->watch, &r->crowd.sim);
    thieves_begin(&r->thieves, &r->crowd.sim);
    return r;
}

static void run_free(struct run *r)
{
    while (r->ends != NULL) {
        struct end *e = r->ends;
        r->ends = e->next;
        free(e);
    }
    thieves_end(&r->thieves);
    watch_end(&r->watch);
    heap_count(NULL);
    if (r->evil.sim != NULL) {
        evil_end(&r->evil);
    }
    crowd_fini(&r->crowd);
    free(r);
    crypto_sim_use(false);
}

void run_once(const struct run_options *options, const struct plan *plan, bool trace,
              struct run_outcome *out)
{
    struct run *r = run_new(options, out);
    if (setjmp(r->failed) == 0) {
        run_all(r, plan);
    } else if (trace) {
        crowd_print_waiting(&r->crowd, stdout);
        sim_trace_print(&r->crowd.sim, stdout, TRACE_LINES, r->begun);
    }
    fill_outcome(r);
    run_free(r);
}

void run_plan(const struct run_options *options, struct plan *plan)
{
    struct run_outcome out;
    struct run *r = run_new(options, &out);
    *plan = (struct plan){.count = 0};
    if (setjmp(r->failed) == 0) {
        crowd_init(&r->crowd, options->seed, options->nodes, options->contacts,
                   &options->profile.lines);
        plan_of(r, plan);
    }
    run_free(r);
}
