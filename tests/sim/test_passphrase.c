/* SPDX-License-Identifier: Apache-2.0
 *
 * passphrase: the host has changed what opens an account, and the core replaces the root that the
 * former passphrase opened, whatever is under way and wherever it crashes.
 * docs/protocol/08-at-rest.md, section 8.11.
 */
#include <string.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
};

static uint32_t generation(const struct person *who)
{
    struct store store;
    uint32_t found = 0;
    store_mem_read(who->n->mem, &store);
    ck_assert_ok(seal_root_named(&store, 1, &found));
    return found;
}

/* Whether this R opens the account in this store. */
static bool opens(struct people *p, struct store_mem *mem, const struct node_root *root)
{
    struct store store;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    store_mem_read(mem, &store);
    struct turn turn = {.env = &p->sim.random.env, .store = &store, .arena = &arena};
    struct seal_keys *keys = seal_keys_new_account(1, root->r);
    enum err err = seal_keys_load(keys, &turn);
    ck_assert(err == ERR_OK || err == ERR_CORRUPT);
    seal_keys_free(keys);
    arena_fini(&arena);
    return err == ERR_OK;
}

/* The one root that the host has is in use, and was never under a former passphrase. */
static bool at_rest(const struct person *who)
{
    const struct node_root *used = &who->n->roots[0];
    return store_mem_count(who->n->mem, STORE_BUCKET) == SEAL_KEY_ROWS &&
           who->n->roots[LIMIT_ACCOUNTS].account == 0 && used->generation == generation(who) &&
           used->generation > used->former;
}

static enum err change(struct people *p, struct person *who)
{
    return people_call(p, who->n, "account.passphrase", NULL);
}

/* Two people, and nothing is left to be forgotten. */
static struct people *quiet_two(uint64_t seed, struct person **a, struct person **b)
{
    struct people *p = people_two(seed, false, a, b);
    people_say(p, *b, *a, "b ", 0);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    return p;
}

static enum err forget(struct people *p, struct person *who, struct person *of, uint64_t order)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_str(&w, "contact");
    pack_str(&w, of->id);
    sim_pair_uint(&w, "order", order);
    return sim_call(&p->sim, people_as(who), "message.delete", 2, writer_done(&w));
}

START_TEST(another_root_follows_and_the_former_one_opens_nothing_of_now)
{
    struct person *a;
    struct person *b;
    char text[16];
    struct people *p = quiet_two(600, &a, &b);
    struct node_root before = a->n->roots[0];
    struct store_mem *copy = store_mem_clone(a->n->mem);
    uint32_t was = generation(a);
    ck_assert_ok(change(p, a));
    ck_assert(sim_result_str(a->n, "opens", text, sizeof text));
    ck_assert_str_eq(text, "passphrase");
    sim_settle(&p->sim, SECOND); /* nothing was touched, and nothing is waited for */
    ck_assert_uint_eq(generation(a), was + 1);
    ck_assert(at_rest(a));
    ck_assert(!opens(p, a->n->mem, &before));
    ck_assert(!opens(p, copy, &a->n->roots[0]));
    ck_assert(opens(p, copy, &before)); /* a copy of both is what it was */
    /* Once, also where it starts again. */
    sim_settle(&p->sim, HOUR);
    sim_restart(&p->sim, a->n);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(generation(a), was + 1);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 0"), 1);
    people_say(p, b, a, "b ", 1);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 1"), 1);
    store_mem_free(copy);
    people_free(p);
}
END_TEST

/* The host's part is done, and the node crashes before the k-th change of what follows. */
START_TEST(a_crash_at_any_point_replaces_the_root_all_the_same)
{
    struct person *a;
    struct person *b;
    struct people *p = quiet_two(601, &a, &b);
    unsigned crashes = 0;
    bool struck = true;
    for (uint64_t k = 1; struck; k++) {
        struct node_root before = a->n->roots[0];
        uint64_t crashed = a->n->crashes;
        store_mem_crash_at(a->n->mem, k);
        ck_assert_ok(change(p, a));
        sim_settle(&p->sim, SECOND);
        struck = a->n->crashes > crashed;
        store_mem_crash_at(a->n->mem, 0);
        crashes += struck;
        ck_assert_msg(at_rest(a), "a crash before change %u", (unsigned)k);
        ck_assert(!opens(p, a->n->mem, &before));
    }
    ck_assert_uint_ge(crashes, SEAL_KEY_ROWS);
    people_say(p, b, a, "b ", 1);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 2);
    people_free(p);
}
END_TEST

START_TEST(a_locked_account_gets_another_root_once_it_is_open)
{
    struct person *a;
    struct person *b;
    char state[16];
    struct people *p = quiet_two(602, &a, &b);
    struct node_root before = a->n->roots[0];
    uint32_t was = generation(a);
    ck_assert_ok(people_call(p, a->n, "account.lock", NULL));
    ck_assert_ok(change(p, a));
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(generation(a), was);
    ck_assert_ok(people_call(p, a->n, "daemon.status", NULL));
    ck_assert(sim_result_str(a->n, "account", state, sizeof state));
    ck_assert_str_eq(state, "locked");
    ck_assert_ok(people_call(p, a->n, "account.unlock", NULL));
    sim_settle(&p->sim, SECOND);
    ck_assert_uint_eq(generation(a), was + 1);
    ck_assert(at_rest(a));
    ck_assert(!opens(p, a->n->mem, &before));
    people_free(p);
}
END_TEST

/* While something is forgotten, at every moment of that: when it waits, when rows are sealed again,
 * when the host is asked and fails. */
START_TEST(a_change_while_something_is_forgotten_loses_neither)
{
    struct person *a;
    struct person *b;
    struct people *p = quiet_two(603, &a, &b);
    unsigned said = 1;
    for (unsigned ms = 0; ms <= LIMIT_FORGET_MS + 20 * SECOND; ms += 1700) {
        people_say(p, b, a, "more ", said++);
        people_quiet(p, HOUR);
        sim_settle(&p->sim, MINUTE);
        struct store_mem *copy = store_mem_clone(a->n->mem);
        struct node_root before = a->n->roots[0];
        ck_assert_ok(forget(p, a, b, said));
        a->n->put_fails = said % 2;
        a->n->keep_fails = said % 3;
        sim_settle(&p->sim, ms);
        uint32_t was = generation(a);
        ck_assert_ok(change(p, a));
        sim_settle(&p->sim, 2 * MINUTE);
        ck_assert_uint_gt(generation(a), was);
        ck_assert_uint_le(generation(a), was + 2);
        ck_assert_msg(at_rest(a), "changed %u ms after", ms);
        ck_assert(!opens(p, copy, &a->n->roots[0]));
        ck_assert(!opens(p, a->n->mem, &before));
        store_mem_free(copy);
    }
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 1);
    people_free(p);
}
END_TEST

START_TEST(a_full_disk_puts_the_root_off)
{
    struct person *a;
    struct person *b;
    struct people *p = quiet_two(604, &a, &b);
    uint32_t was = generation(a);
    a->n->full = true;
    ck_assert_ok(change(p, a));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(generation(a), was);
    a->n->full = false;
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(generation(a), was + 1);
    ck_assert(at_rest(a));
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, another_root_follows_and_the_former_one_opens_nothing_of_now);
    tcase_add_test(tc, a_crash_at_any_point_replaces_the_root_all_the_same);
    tcase_add_test(tc, a_locked_account_gets_another_root_once_it_is_open);
    tcase_add_test(tc, a_change_while_something_is_forgotten_loses_neither);
    tcase_add_test(tc, a_full_disk_puts_the_root_off);
}

int main(void)
{
    return unit_main("sim/passphrase", add_tests);
}
