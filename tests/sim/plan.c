/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/evil.h"
#include "sim/flood.h"
#include "sim/invite_thief.h"
#include "sim/meet.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    HOURS = 1000,    /* that a rate is for */
    FLOOD_MOST = 64, /* envelopes at once */
};

static const char *const NAMES[PLAN_KIND_COUNT] = {
#define PLAN_NAME(constant, name) [PLAN_##constant] = (name),
    PLAN_KINDS(PLAN_NAME)
#undef PLAN_NAME
};

const char *plan_kind_name(enum plan_kind kind)
{
    return NAMES[kind];
}

/* What people have at home. */
#define HOME_LINES                                                                                 \
    {                                                                                              \
        .latency_ms = 5, .spread_ms = 250, .jitter_ms = 40, .bytes_per_ms = 500, .reset_ppm = 300, \
        .timeout_ms = 30 * SECOND                                                                  \
    }

static const struct plan_profile PROFILES[] = {
    {.name = "calm",
     .rate = {[PLAN_SAY] = 30 * HOURS},
     .lines = {.latency_ms = 5, .spread_ms = 150, .jitter_ms = 10, .bytes_per_ms = 1000}},
    {.name = "daily", /* people as they are */
     .rate = {[PLAN_SAY] = 30 * HOURS,
              [PLAN_NAP] = 100,
              [PLAN_DELETE] = 100,
              [PLAN_MOVE] = 3,
              [PLAN_STEAL] = 20,
              [PLAN_SAVE] = 50,
              [PLAN_RESTORE] = 5,
              [PLAN_MEET] = 20,
              [PLAN_THIEF] = 5,
              [PLAN_POP] = 5,
              [PLAN_FLOOD] = 5,
              [PLAN_CUT] = 200,
              [PLAN_KILL] = 20,
              [PLAN_CLOCK] = 10},
     .nap_ms = 8 * HOUR,
     .clock_ms = 2 * MINUTE,
     .clock_ppm = 100,
     .lines = HOME_LINES},
    {.name = "rough", /* everything goes wrong, all the time */
     .rate = {[PLAN_SAY] = 30 * HOURS, [PLAN_NAP] = 300,         [PLAN_DELETE] = 500,
              [PLAN_MOVE] = 40,        [PLAN_COPY] = 300,        [PLAN_STEAL] = 100,
              [PLAN_BACK] = 60,        [PLAN_SAVE] = 400,        [PLAN_RESTORE] = 150,
              [PLAN_MEET] = 250,       [PLAN_THIEF] = 250,       [PLAN_POP] = 100,
              [PLAN_FLOOD] = 150,      [PLAN_FAULT] = 6 * HOURS, [PLAN_KILL] = 300,
              [PLAN_CUT] = 1 * HOURS,  [PLAN_PARTITION] = 200,   [PLAN_LIE] = 300,
              [PLAN_CLOCK] = 100,      [PLAN_FULL] = 60},
     .nap_ms = 2 * HOUR,
     .partition_ms = 10 * MINUTE,
     .full_ms = 10 * MINUTE,
     .lie_ms = 30 * MINUTE,
     .clock_ms = 10 * MINUTE,
     .clock_ppm = 500,
     .lines = {.latency_ms = 5,
               .spread_ms = 300,
               .jitter_ms = 100,
               .bytes_per_ms = 200,
               .reset_ppm = 2000,
               .timeout_ms = 30 * SECOND}},
    {.name = "sleepy", /* who sleeps for weeks while others write: tokens run out */
     .rate = {[PLAN_SAY] = 1 * HOURS,
              [PLAN_NAP] = 3,
              [PLAN_DELETE] = 5,
              [PLAN_CUT] = 20,
              [PLAN_KILL] = 5,
              [PLAN_STEAL] = 1,
              [PLAN_MEET] = 2},
     .nap_ms = 21 * 24 * HOUR,
     .lines = HOME_LINES},
};

const struct plan_profile *plan_profile(const char *name)
{
    for (size_t i = 0; i < sizeof PROFILES / sizeof PROFILES[0]; i++) {
        if (strcmp(PROFILES[i].name, name) == 0) {
            return &PROFILES[i];
        }
    }
    return NULL;
}

const char *plan_profiles(void)
{
    return "calm daily rough sleepy";
}

struct maker {
    struct plan *plan;
    const struct plan_profile *profile;
    struct unit_env random;
    uint64_t ms;
    size_t relays;
    bool failed;
};

static uint64_t below(struct maker *m, uint64_t n)
{
    uint64_t v;
    env_random(&m->random.env, &v, sizeof v);
    return n > 0 ? v % n : 0;
}

/* Between -n and n. */
static int64_t around(struct maker *m, uint64_t n)
{
    return (int64_t)below(m, 2 * n + 1) - (int64_t)n;
}

static void add(struct maker *m, struct plan_op op)
{
    struct plan *plan = m->plan;
    if (plan->count == plan->cap) {
        size_t cap = plan->cap > 0 ? 2 * plan->cap : 1024;
        struct plan_op *ops = realloc(plan->ops, cap * sizeof *ops);
        if (ops == NULL) {
            m->failed = true;
            return;
        }
        plan->ops = ops;
        plan->cap = cap;
    }
    plan->ops[plan->count++] = op;
}

/* What of this kind happens to `who` at this time. */
static struct plan_op draw(struct maker *m, enum plan_kind kind, uint32_t who, uint64_t at)
{
    const struct plan_profile *p = m->profile;
    struct plan_op op = {.at = at, .kind = kind, .a = who};
    switch (kind) {
    case PLAN_SAY:
        op.b = (int64_t)below(m, UINT32_MAX);
        break;
    case PLAN_MEET:
        op.b = (int64_t)below(m, UINT32_MAX);
        op.c = (int64_t)below(m, MEET_WAY_COUNT);
        break;
    case PLAN_THIEF:
        op.b = (int64_t)below(m, UINT32_MAX);
        op.c = (int64_t)below(m, THEFT_WAY_COUNT);
        break;
    case PLAN_POP:
        op.b = 1 + (int64_t)below(m, 2 * LIMIT_ONE_TIME_PARTS);
        break;
    case PLAN_FLOOD:
        op.b = 1 + (int64_t)below(m, FLOOD_MOST);
        op.c = (int64_t)below(m, FLOOD_WAY_COUNT);
        break;
    case PLAN_NAP:
        op.b = 1 + (int64_t)below(m, p->nap_ms);
        break;
    case PLAN_MOVE:
        op.b = (int64_t)below(m, m->relays);
        break;
    case PLAN_FAULT:
        op.b = (int64_t)below(m, SIM_POINTS);
        op.c = 1 + (int64_t)below(m, op.b == SIM_READ_ERROR ? 40 : op.b == SIM_RELEASED ? 3 : 12);
        break;
    case PLAN_PARTITION:
        op.a = (uint32_t)below(m, UINT32_MAX);
        op.b = 1 + (int64_t)below(m, p->partition_ms);
        op.c = (int64_t)below(m, 2);
        break;
    case PLAN_LIE:
        op.b = 1 + (int64_t)below(m, p->lie_ms);
        op.c = (int64_t)below(m, EVIL_KIND_COUNT);
        break;
    case PLAN_CLOCK:
        op.b = around(m, p->clock_ms);
        op.c = around(m, p->clock_ppm);
        break;
    case PLAN_FULL:
        op.b = 1 + (int64_t)below(m, p->full_ms);
        break;
    case PLAN_DELETE:
    case PLAN_COPY:
    case PLAN_SAVE:
    case PLAN_RESTORE:
    case PLAN_STEAL:
    case PLAN_BACK:
    case PLAN_KILL:
    case PLAN_CUT:
    case PLAN_KIND_COUNT:
        break;
    }
    return op;
}

/* Of one kind, for one person or node: the pauses are between 0 and twice the mean. */
static void fill(struct maker *m, enum plan_kind kind, uint32_t who)
{
    uint64_t rate = m->profile->rate[kind];
    uint64_t pause = rate > 0 ? 2 * (uint64_t)HOUR * HOURS / rate : 0;
    if (rate == 0) {
        return;
    }
    for (uint64_t at = below(m, pause); at < m->ms; at += 1 + below(m, pause)) {
        add(m, draw(m, kind, who, at));
    }
}

static int by_time(const void *a, const void *b)
{
    const struct plan_op *x = a;
    const struct plan_op *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    if (x->a != y->a) {
        return x->a < y->a ? -1 : 1;
    }
    return x->b != y->b ? (x->b < y->b ? -1 : 1) : (x->c > y->c) - (x->c < y->c);
}

bool plan_make(struct plan *plan, const struct plan_profile *profile, uint64_t seed, uint64_t ms,
               size_t people, size_t nodes, size_t relays)
{
    struct maker m = {.plan = plan, .profile = profile, .ms = ms, .relays = relays};
    unit_env_init(&m.random, seed ^ UINT64_C(0x706c616e), 0);
    *plan = (struct plan){.count = 0};
    for (unsigned kind = 0; kind < PLAN_KIND_COUNT; kind++) {
        size_t who = kind <= PLAN_FLOOD       ? people
                     : kind == PLAN_PARTITION ? 1
                     : kind == PLAN_LIE       ? relays
                                              : nodes;
        for (uint32_t i = 0; i < who; i++) {
            fill(&m, (enum plan_kind)kind, i);
        }
    }
    if (plan->count > 0) {
        qsort(plan->ops, plan->count, sizeof *plan->ops, by_time);
    }
    return !m.failed;
}

void plan_free(struct plan *plan)
{
    free(plan->ops);
    *plan = (struct plan){.count = 0};
}

void plan_op_text(const struct plan_op *op, char *out, size_t cap)
{
    unsigned long long s = op->at / SECOND;
    snprintf(out, cap, "%02llu:%02llu:%02llu.%03llu %s %u %lld %lld%s%s", s / 3600, s / 60 % 60,
             s % 60, (unsigned long long)op->at % SECOND, plan_kind_name(op->kind), (unsigned)op->a,
             (long long)op->b, (long long)op->c, op->kind == PLAN_FAULT ? " " : "",
             op->kind == PLAN_FAULT ? sim_point_name((enum sim_point)op->b) : "");
}

static bool op_read(const char *text, struct plan_op *op)
{
    unsigned long long h;
    unsigned m;
    unsigned s;
    unsigned ms;
    char name[16];
    unsigned a;
    long long b;
    long long c;
    if (sscanf(text, " %llu:%u:%u.%u %15s %u %lld %lld", &h, &m, &s, &ms, name, &a, &b, &c) != 8) {
        return false;
    }
    *op = (struct plan_op){
        .at = h * HOUR + m * (uint64_t)MINUTE + s * (uint64_t)SECOND + ms, .a = a, .b = b, .c = c};
    unsigned kind = 0;
    while (kind < PLAN_KIND_COUNT && strcmp(name, NAMES[kind]) != 0) {
        kind++;
    }
    op->kind = (enum plan_kind)kind;
    return kind < PLAN_KIND_COUNT;
}

bool plan_read(struct plan *plan, FILE *from, unsigned *line)
{
    char text[256];
    struct maker m = {.plan = plan};
    *plan = (struct plan){.count = 0};
    for (*line = 1; fgets(text, sizeof text, from) != NULL; ++*line) {
        struct plan_op op;
        if (!op_read(text, &op)) {
            return false;
        }
        add(&m, op);
    }
    return !m.failed;
}
