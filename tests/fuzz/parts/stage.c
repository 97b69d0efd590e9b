/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/parts/stage.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sim/crypto_sim.h"
#include "sim/inside.h"

static struct stage STAGE;

static void failed(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "FOUND %s\n", text);
    if (getenv("STAGE_TRACE") != NULL) {
        sim_trace_print(&STAGE.crowd.sim, stderr, 200, STAGE.sim.random.env.now_ms);
    }
    abort();
}

/* What was under way is lost. */
static void events_clear(struct sim *sim)
{
    while (sim->events > 0) {
        struct sim_event *e = sim->heap[--sim->events];
        free(e->input);
        free(e);
    }
}

static void sleep_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i]->asleep) {
            sim_sleep(sim, sim->nodes[i]);
        }
    }
    events_clear(sim);
}

/* --- making --- */

/* Calls a method with one text parameter, or none; its result has this text. */
static void call(struct crowd *c, struct sim_node *n, const char *method, const char *name,
                 const char *value, const char *result, char *out, size_t cap)
{
    static uint8_t bytes[4096];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (name != NULL) {
        sim_pair_str(&w, name, value);
    }
    enum err err = sim_call(&c->sim, n, method, name != NULL, writer_done(&w));
    sim_check(&c->sim, err == ERR_OK && (result == NULL || sim_result_str(n, result, out, cap)),
              "%s: %s", method, err_name(err));
}

static void person_make(struct crowd *c, uint32_t node, uint32_t relay)
{
    struct crowd_person *who = &c->people[c->count];
    who->n = c->sim.nodes[node];
    who->n->person = true;
    who->n->undialled = !who->n->relay;
    who->index = (uint32_t)c->count++;
    who->relay = UINT32_MAX; /* none yet */
    call(c, who->n, "account.create", NULL, NULL, "id", who->id, sizeof who->id);
    crowd_move(c, who, relay);
    sim_settle(&c->sim, LIMIT_MINUTE_MS);
}

static void meet(struct crowd *c, const struct crowd_person *a, const struct crowd_person *b)
{
    char link[2048];
    call(c, a->n, "invite.create", NULL, NULL, "link", link, sizeof link);
    call(c, b->n, "contact.add", "link", link, NULL, NULL, 0);
    sim_settle(&c->sim, 10 * LIMIT_MINUTE_MS);
}

static void link_device(struct crowd *c, const struct crowd_person *who,
                        struct crowd_person *device)
{
    char code[2048];
    call(c, who->n, "device.invite", NULL, NULL, "link", code, sizeof code);
    call(c, device->n, "device.link", "link", code, NULL, NULL, 0);
    sim_settle(&c->sim, LIMIT_HOUR_MS);
    memcpy(device->id, who->id, sizeof device->id);
}

static size_t list_length(struct crowd *c, const struct crowd_person *who, const char *method)
{
    enum err err = sim_query(&c->sim, who->n, method, 0, slice_of(NULL, 0));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    (void)pack_read_map(&r, 4);
    (void)pack_read_str(&r, 32);
    return err == ERR_OK ? pack_read_array(&r, 100) : 0;
}

/* Who knows whom, and from where the events are not of the making. */
static void check_made(struct crowd *c)
{
    static const size_t contacts[STAGE_PERSONS] = {1, 2, 1, 1};
    for (size_t i = 0; i < STAGE_PERSONS; i++) {
        size_t devices = list_length(c, &c->people[i], "device.list");
        size_t known = list_length(c, &c->people[i], "contact.list");
        sim_check(&c->sim, devices == (i % 3 == 0 ? 2 : 1) && known == contacts[i],
                  "the stage: person %zu has %zu devices and %zu contacts", i, devices, known);
    }
    sim_check(&c->sim, crowd_waiting(c) == 0, "the stage: something waits");
    crowd_look_all(c);
}

static void make(struct stage *s)
{
    struct crowd *c = &s->crowd;
    c->sim.failed = failed;
    sim_init(&c->sim, 1);
    c->sim.lines.latency_ms = 1;
    c->people = calloc(STAGE_PERSONS, sizeof *c->people);
    c->relays = calloc(2, sizeof *c->relays);
    sim_check(&c->sim, c->people != NULL && c->relays != NULL, "out of memory");
    for (uint32_t i = 0; i < STAGE_NODES; i++) {
        struct sim_node *n = sim_add(&c->sim, i <= STAGE_HYBRID);
        if (n->relay) {
            c->relays[c->relay_count++] = n;
        }
    }
    for (uint32_t i = STAGE_HYBRID; i < STAGE_NODES; i++) {
        person_make(c, i, i == STAGE_HYBRID || i == STAGE_DEVICE ? STAGE_HYBRID : STAGE_RELAY);
    }
    meet(c, &c->people[1], &c->people[2]);
    meet(c, &c->people[0], &c->people[1]);
    link_device(c, &c->people[0], &c->people[3]);
    check_made(c);
    sleep_all(&c->sim);
    s->sim = c->sim;
    for (size_t i = 0; i < STAGE_NODES; i++) {
        s->home[i] = sim_copy_of(c->sim.nodes[i]);
        s->was[i] = *c->sim.nodes[i];
    }
    memcpy(s->person, c->people, sizeof s->person);
    stage_end(s);
}

/* --- using --- */

struct stage *stage_get(void)
{
    if (STAGE.crowd.count == 0) {
        if (prim_init() != ERR_OK) {
            abort();
        }
        crypto_sim_use(true);
        make(&STAGE);
    }
    return &STAGE;
}

void stage_begin(struct stage *s)
{
    struct sim *sim = &s->crowd.sim;
    struct sim_event **heap = sim->heap;
    size_t cap = sim->events_cap;
    *sim = s->sim;
    sim->heap = heap;
    sim->events_cap = cap;
    arena_init(&sim->arena, LIMIT_TURN_ARENA);
    memcpy(s->crowd.people, s->person, sizeof s->person);
    for (size_t i = 0; i < STAGE_NODES; i++) {
        *sim->nodes[i] = s->was[i];
        sim->nodes[i]->mem = NULL;
        sim_roll_back(sim, sim->nodes[i], &s->home[i]);
        sim->nodes[i]->backs = sim->nodes[i]->undone = 0;
    }
    watch_begin(&s->watch, sim);
    watch_needle(&s->watch, slice_of(CROWD_MARK, sizeof CROWD_MARK - 1), "a text");
    for (size_t i = 0; i < STAGE_NODES; i++) {
        sim_wake(sim, sim->nodes[i]);
    }
}

void stage_end(struct stage *s)
{
    struct sim *sim = &s->crowd.sim;
    sleep_all(sim);
    for (size_t i = 0; i < STAGE_NODES; i++) {
        store_mem_free(sim->nodes[i]->mem);
        sim->nodes[i]->mem = NULL;
    }
    arena_fini(&sim->arena);
    if (s->watch.sim != NULL) {
        watch_settle(&s->watch);
        watch_end(&s->watch);
    }
}

/* Of the sanitizers' allocator, where it is linked. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t stage_memory(void)
{
    if (__sanitizer_get_current_allocated_bytes != NULL) {
        return __sanitizer_get_current_allocated_bytes();
    }
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
