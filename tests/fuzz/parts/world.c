/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/parts/world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "link/frame.h"
#include "sim/people.h"

/* A core that lives from one input to the next looks like a leak to libFuzzer, which then searches
 * all memory after each input. The simulator's tests search for leaks. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static struct world WORLD;

static enum sim_fate keep(void *ctx, struct sim *sim, const struct sim_node *from,
                          const struct sim_node *to, uint8_t *p, size_t len)
{
    struct frame frame;
    (void)ctx;
    (void)sim;
    (void)from;
    if (to != WORLD.n || WORLD.push_count == WORLD_PUSHES ||
        frame_read(slice_of(p, len), &frame) != ERR_OK || frame.kind != FRAME_QUEUE_PUSH) {
        return SIM_PASS;
    }
    uint8_t *copy = malloc(frame.body.len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, frame.body.p, frame.body.len);
    WORLD.pushes[WORLD.push_count++] = slice_of(copy, frame.body.len);
    return SIM_DROP;
}

START_TEST(made)
{
    struct people *p = people_new(4242, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    uint8_t seed[32] = {1};
    struct sign_pk pk;
    struct sign_sk sk;
    char nobody[ID_TEXT];
    prim_sign_keypair(&pk, &sk, seed);
    id_encode(pk.b, nobody);
    people_meet(p, a, b);
    ck_assert_ok(people_call(p, a->n, "invite.create", NULL));
    WORLD.n = a->n;
    p->sim.fate = keep;
    ck_assert_ok(people_send(p, b, a, "b 0"));
    ck_assert_ok(people_send(p, b, a, "b 1"));
    ck_assert_ok(people_call(p, c->n, "contact.add", "link", a->id, "text", "it is c", NULL));
    sim_settle(&p->sim, 15000); /* less than the time in which a request must be answered */
    ck_assert_ok(people_send(p, a, b, "a 0"));
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", nobody, NULL));
    sim_sleep(&p->sim, a->n);
    WORLD.env = &p->sim.random;
}
END_TEST

const struct world *world_get(void)
{
    if (WORLD.env == NULL) {
        if (prim_init() != ERR_OK) {
            abort();
        }
        Suite *suite = suite_create("world");
        TCase *tc = tcase_create("world");
        tcase_add_test(tc, made);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_set_fork_status(runner, CK_NOFORK);
        srunner_run_all(runner, CK_SILENT);
        if (srunner_ntests_failed(runner) != 0 || WORLD.push_count < 3) {
            abort();
        }
        srunner_free(runner);
    }
    return &WORLD;
}

static struct turn turn_of(struct visit *v)
{
    return (struct turn){.env = &v->env.env, .store = &v->store, .arena = &v->arena};
}

static void check(enum err err)
{
    if (err != ERR_OK && err != ERR_NO_MEMORY) {
        abort();
    }
}

void visit_open(struct visit *v)
{
    const struct world *w = world_get();
    memset(v, 0, sizeof *v);
    unit_env_init(&v->env, 1, w->env->env.now_ms);
    arena_init(&v->arena, LIMIT_TURN_ARENA);
    store_mem_begin(w->n->mem, &v->store);
    struct node_config config = {.node_keys = w->n->node_keys,
                                 .relay = true,
                                 .relay_open = true,
                                 .listen_host = "127.0.0.9",
                                 .listen_port = 9,
                                 .spent_lru = 4096};
    v->node = node_new(&config);
    struct turn turn = turn_of(v);
    check(v->node == NULL ? ERR_BUG
                          : node_load(v->node, &turn, w->n->roots, LIMIT_ACCOUNTS, &v->outs));
    arena_reset(&v->arena);
}

void visit_step(struct visit *v, const struct node_input *in)
{
    struct turn turn = turn_of(v);
    check(node_step(v->node, &turn, in, &v->outs));
    arena_reset(&v->arena);
}

void visit_turn(struct visit *v, const struct node_input *in)
{
    struct turn turn = turn_of(v);
    if (in != NULL) {
        check(node_step(v->node, &turn, in, &v->outs));
    }
    check(node_flush(v->node, &turn, &v->outs));
    arena_reset(&v->arena);
}

void visit_close(struct visit *v)
{
    node_outputs_free(&v->outs);
    node_free(v->node);
    store_mem_abort(world_get()->n->mem);
    arena_fini(&v->arena);
}
