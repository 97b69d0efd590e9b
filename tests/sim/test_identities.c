/* SPDX-License-Identifier: Apache-2.0
 *
 * identities: several accounts on one node, and one that goes. docs/protocol/07-node.md, section
 * 7.9.
 */
#include <stdio.h>
#include <string.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    HOUR = 3600000,
    DAY = 86400000,
};

static bool both_ready(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return people_ready(p, two[0]) && people_ready(p, two[1]);
}

/* a and b on nodes of their own; c is another identity on a's node, at a relay of its own. All have
 * met each other, but a and c. */
static struct people *three(uint64_t seed, struct person *who[3])
{
    struct people *p = people_two(seed, true, &who[0], &who[1]);
    struct sim_node *relay = sim_add(&p->sim, true);
    who[2] = people_beside(p, who[0], relay);
    struct person *two[] = {who[0], who[2]};
    ck_assert(people_until(p, both_ready, two, HOUR));
    people_meet(p, who[2], who[1]);
    return p;
}

/* --- what is left of an account --- */

struct left {
    uint32_t account;
    uint64_t rows;
    uint64_t ages;
};

static void count_left(void *ctx, struct turn *turn)
{
    struct left *left = ctx;
    struct store_row row;
    left->rows = 0;
    left->ages = 0;
    /* This node is no relay: all other tables have the account first. */
    for (enum store_table t = 0; t < STORE_TABLE_COUNT; t++) {
        struct store_key k = store_key_new();
        store_key_u32(&k, left->account);
        struct store_key at = k;
        while (t != STORE_META && t != STORE_CLIENT_AGE &&
               store_seek_prefix(turn->store, t, STORE_GE, store_key_slice(&at),
                                 store_key_slice(&k), &row) == ERR_OK) {
            left->rows++;
            at = store_key_new();
            store_key_bytes(&at, row.key.p, row.key.len);
            store_key_u8(&at, 0);
        }
    }
    struct store_key at = store_key_new();
    store_key_u8(&at, 0);
    while (store_seek(turn->store, STORE_CLIENT_AGE, STORE_GT, store_key_slice(&at), &row) ==
           ERR_OK) {
        struct reader r = reader_of(row.key);
        (void)reader_u64(&r);
        left->ages += reader_u32(&r) == left->account;
        at = store_key_new();
        store_key_bytes(&at, row.key.p, row.key.len);
    }
}

static struct left left_of(struct people *p, struct sim_node *n, uint32_t account)
{
    struct left left = {.account = account};
    sim_turn(&p->sim, n, count_left, &left);
    return left;
}

static bool gone(struct people *p, void *ctx)
{
    struct person *who = ctx;
    (void)p;
    return account_find(who->n->node, who->account) == NULL;
}

static bool none_left(struct people *p, void *ctx)
{
    struct sim_node *n = ctx;
    (void)p;
    return n->node->accounts == NULL;
}

static enum err remove_account(struct people *p, struct person *who, bool now)
{
    uint8_t bytes[16];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (now) {
        sim_pair_true(&w, "now");
    }
    return sim_call(&p->sim, people_as(who), "account.remove", now ? 1 : 0, writer_done(&w));
}

START_TEST(two_identities_of_one_node_do_not_mix)
{
    struct person *who[3];
    struct people *p = three(140, who);
    struct person *a = who[0];
    struct person *b = who[1];
    struct person *c = who[2];
    for (unsigned i = 0; i < 4; i++) {
        people_say(p, a, b, "a ", i);
        people_say(p, c, b, "c ", i);
        people_say(p, b, a, "to a ", i);
        people_say(p, b, c, "to c ", i);
        sim_restart(&p->sim, a->n);
    }
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "a ", 4);
    people_in_order(p, b, c, "c ", 4);
    people_in_order(p, a, b, "to a ", 4);
    people_in_order(p, c, b, "to c ", 4);
    ck_assert_uint_eq(people_messages(p, a, b, "received", "to c 0"), 0);
    ck_assert_uint_eq(people_messages(p, c, b, "received", "to a 0"), 0);
    ck_assert_str_eq(people_state(p, a, c), "");
    ck_assert_uint_eq(people_events(p, a, "message.received"), 4);
    ck_assert_uint_eq(people_events(p, c, "message.received"), 4);
    people_free(p);
}
END_TEST

/* Link keys, names of members, queues and records. */
START_TEST(their_keys_at_one_relay_have_nothing_in_common)
{
    struct people *p = people_new(141, 1);
    struct person *a = &p->person[0];
    struct person *c = people_beside(p, a, p->relay);
    struct person *two[] = {a, c};
    ck_assert(people_until(p, both_ready, two, HOUR));
    ck_assert_uint_eq(people_members(p, p->relay), 2);
    struct account *first = account_find(a->n->node, 1);
    struct account *second = account_find(a->n->node, 2);
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_ne(first->homes[0].link, second->homes[0].link);
    ck_assert_mem_ne(first->homes[0].queue.b, second->homes[0].queue.b, sizeof first->id.b);
    people_meet(p, a, c); /* even with each other they speak over the relay */
    people_say(p, a, c, "a ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, c, a, "a ", 1);
    people_free(p);
}
END_TEST

START_TEST(a_removed_identity_leaves_nothing_here_and_at_its_relay)
{
    struct person *who[3];
    struct people *p = three(142, who);
    struct person *c = who[2];
    people_say(p, who[1], c, "to c ", 0);
    people_say(p, c, who[1], "c ", 0);
    people_quiet(p, HOUR);
    ck_assert_uint_gt(left_of(p, c->n, c->account).rows, 100);
    ck_assert_uint_eq(people_members(p, c->relay), 1);
    ck_assert_ok(remove_account(p, c, false));
    ck_assert_err(people_send(p, c, who[1], "too late"), ERR_NOT_NOW);
    ck_assert(people_until(p, gone, c, HOUR));
    struct left left = left_of(p, c->n, c->account);
    ck_assert_uint_eq(left.rows, 0);
    ck_assert_uint_eq(left.ages, 0);
    ck_assert_uint_eq(people_members(p, c->relay), 0);
    ck_assert_err(people_send(p, c, who[1], "too late"), ERR_NO_ACCOUNT);
    /* The other one goes on, and the number can be given again. */
    people_say(p, who[0], who[1], "a ", 0);
    p->count = 2;
    people_quiet(p, HOUR);
    people_in_order(p, who[1], who[0], "a ", 1);
    struct person *d = people_beside(p, who[0], c->relay);
    struct person *two[] = {who[0], d};
    ck_assert_uint_eq(d->account, 2);
    ck_assert(people_until(p, both_ready, two, HOUR));
    people_meet(p, d, who[1]);
    people_free(p);
}
END_TEST

START_TEST(a_removal_goes_on_after_a_crash_at_any_point)
{
    bool crashed = true;
    unsigned runs = 0;
    for (uint64_t k = 1; crashed; k += 5) {
        struct person *who[3];
        struct people *p = three(143, who);
        struct person *c = who[2];
        people_say(p, who[1], c, "to c ", 0);
        uint64_t crashes = c->n->crashes;
        sim_crash_at(c->n, k);
        ck_assert_ok(remove_account(p, c, false));
        ck_assert(people_until(p, gone, c, DAY));
        crashed = c->n->crashes != crashes;
        runs += crashed;
        struct left left = left_of(p, c->n, c->account);
        ck_assert_uint_eq(left.rows, 0);
        ck_assert_uint_eq(left.ages, 0);
        people_say(p, who[1], who[0], "to a ", 0);
        sim_settle(&p->sim, HOUR);
        people_in_order(p, who[0], who[1], "to a ", 1);
        people_free(p);
        if (runs >= 12) {
            break;
        }
    }
    ck_assert_uint_gt(runs, 2);
}
END_TEST

START_TEST(without_its_relay_a_removal_waits_a_day)
{
    struct person *who[3];
    struct people *p = three(144, who);
    struct person *c = who[2];
    sim_sleep(&p->sim, c->relay);
    ck_assert_ok(remove_account(p, c, false));
    sim_settle(&p->sim, 20 * (uint64_t)HOUR);
    ck_assert(!gone(p, c));
    sim_restart(&p->sim, c->n);
    ck_assert(people_until(p, gone, c, DAY));
    ck_assert_uint_eq(left_of(p, c->n, c->account).rows, 0);
    people_free(p);
}
END_TEST

START_TEST(a_locked_identity_is_removed_at_once_or_not_at_all)
{
    struct person *who[3];
    struct people *p = three(145, who);
    struct person *c = who[2];
    c->n->locked = true;
    sim_restart(&p->sim, c->n);
    ck_assert_err(remove_account(p, c, false), ERR_ACCOUNT_LOCKED);
    ck_assert_ok(remove_account(p, c, true));
    ck_assert(people_until(p, gone, c, HOUR));
    ck_assert_uint_eq(left_of(p, c->n, c->account).rows, 0);
    ck_assert_uint_eq(people_members(p, c->relay), 1); /* that has not heard of it */
    people_free(p);
}
END_TEST

START_TEST(no_identity_is_there_twice)
{
    struct people *p = people_new(147, 1);
    struct person *a = &p->person[0];
    uint8_t bytes[512];
    char words[256];
    ck_assert_ok(people_query(p, a->n, "account.words", NULL));
    ck_assert(sim_result_str(a->n, "words", words, sizeof words));
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "words", words);
    sim_pair_true(&w, "another");
    ck_assert_err(sim_call(&p->sim, a->n, "account.create", 2, writer_done(&w)), ERR_EXISTS);
    a->n->locked = true; /* and then it cannot be told whether it is there */
    sim_restart(&p->sim, a->n);
    ck_assert_err(sim_call(&p->sim, a->n, "account.create", 2, writer_done(&w)),
                  ERR_ACCOUNT_LOCKED);
    ck_assert_ok(people_call(p, a->n, "account.unlock", NULL));
    ck_assert_err(sim_call(&p->sim, a->n, "account.create", 2, writer_done(&w)), ERR_EXISTS);
    /* Nor while it waits for its relay to hear that it goes: until then it can be unlocked. */
    sim_sleep(&p->sim, a->relay);
    ck_assert_ok(remove_account(p, a, false));
    sim_restart(&p->sim, a->n);
    ck_assert_err(sim_call(&p->sim, a->n, "account.create", 2, writer_done(&w)),
                  ERR_ACCOUNT_LOCKED);
    ck_assert(people_until(p, none_left, a->n, 3 * (uint64_t)DAY));
    ck_assert_ok(sim_call(&p->sim, a->n, "account.create", 2, writer_done(&w)));
    people_free(p);
}
END_TEST

/* A link of an account that went must not bring answers to the next one of its number. */
START_TEST(links_of_a_removed_identity_are_closed)
{
    struct person *who[3];
    struct people *p = three(148, who);
    struct person *c = who[2];
    people_say(p, c, who[1], "c ", 0);
    ck_assert_ok(remove_account(p, c, true));
    for (const struct node_link *link = c->n->node->links.own; link != NULL;
         link = link->own_next) {
        ck_assert_uint_ne(link->account, c->account);
    }
    ck_assert(people_until(p, gone, c, HOUR));
    people_free(p);
}
END_TEST

/* --- creation, repeated --- */

static enum err create_as(struct people *p, struct sim_node *n, uint8_t call, const char *words)
{
    uint8_t bytes[512];
    const uint8_t client_id[16] = {call};
    struct writer w = writer_of(bytes, sizeof bytes);
    n->account = 0;
    sim_pair_true(&w, "another");
    if (words != NULL) {
        sim_pair_str(&w, "words", words);
    }
    return sim_call_as(&p->sim, n, "account.create", words != NULL ? 2 : 1, writer_done(&w),
                       client_id);
}

static size_t accounts_on(const struct sim_node *n, bool open)
{
    size_t count = 0;
    for (const struct account *me = n->node->accounts; me != NULL; me = me->next) {
        count += !open || me->keys != NULL;
    }
    return count;
}

static void created_as(struct people *p, struct sim_node *n, uint8_t call, char id[static 80])
{
    ck_assert_ok(create_as(p, n, call, NULL));
    ck_assert(sim_result_str(n, "id", id, 80));
}

START_TEST(there_are_so_many_identities_and_no_more)
{
    struct people *p = people_new(146, 1);
    struct sim_node *n = p->person[0].n;
    for (unsigned i = 1; i < LIMIT_ACCOUNTS; i++) {
        uint64_t number = 0;
        ck_assert_ok(create_as(p, n, (uint8_t)i, NULL));
        ck_assert(sim_result_uint(n, "account", &number));
        ck_assert_uint_eq(number, i + 1);
    }
    ck_assert_err(people_call(p, n, "account.create", NULL), ERR_ACCOUNT_EXISTS);
    ck_assert_ok(create_as(p, n, LIMIT_ACCOUNTS - 1, NULL)); /* the last one, repeated */
    sim_restart(&p->sim, n);
    n->account = LIMIT_ACCOUNTS;
    ck_assert_ok(people_query(p, n, "account.show", NULL));
    n->account = LIMIT_ACCOUNTS + 1;
    ck_assert_err(people_query(p, n, "account.show", NULL), ERR_NO_ACCOUNT);
    ck_assert_err(people_call(p, n, "relay.status", NULL), ERR_NO_ACCOUNT);
    people_free(p);
}
END_TEST

START_TEST(a_creation_that_is_repeated_finds_its_identity)
{
    struct people *p = people_new(150, 1);
    struct sim_node *n = p->person[0].n;
    char first[80];
    char again[80];
    created_as(p, n, 1, first);
    created_as(p, n, 1, again); /* while it is open */
    ck_assert_str_eq(first, again);
    n->locked = true;
    sim_restart(&p->sim, n);
    n->roots[1].r[0] ^= 1;
    ck_assert_err(create_as(p, n, 1, NULL), ERR_WRONG_KEY);
    n->roots[1].r[0] ^= 1;
    ck_assert_err(create_as(p, n, 1, "other words"), ERR_CLIENT_ID_REUSED);
    ck_assert_uint_eq(accounts_on(n, true), 0);
    created_as(p, n, 1, again);
    ck_assert_str_eq(first, again);
    ck_assert_uint_eq(accounts_on(n, true), 1);
    ck_assert_uint_eq(accounts_on(n, false), 2);
    created_as(p, n, 2, again); /* another call makes another, whatever is locked */
    ck_assert_str_ne(first, again);
    ck_assert_uint_eq(accounts_on(n, false), 3);
    people_free(p);
}
END_TEST

/* What it gave lies under an identity's keys: it is not done a second time. */
START_TEST(a_call_about_the_node_that_is_repeated_waits_for_a_locked_identity)
{
    struct people *p = people_new(151, 0);
    const uint8_t client_id[16] = {1};
    char code[80];
    char again[80];
    struct slice none = slice_of(NULL, 0);
    ck_assert_ok(people_call(p, p->relay, "account.create", NULL));
    ck_assert_ok(sim_call_as(&p->sim, p->relay, "relay.invite", 0, none, client_id));
    ck_assert(sim_result_str(p->relay, "code", code, sizeof code));
    p->relay->locked = true;
    sim_restart(&p->sim, p->relay);
    ck_assert_err(sim_call_as(&p->sim, p->relay, "relay.invite", 0, none, client_id),
                  ERR_ACCOUNT_LOCKED);
    ck_assert_ok(people_call(p, p->relay, "relay.invite", NULL));
    ck_assert_ok(people_call(p, p->relay, "account.unlock", NULL));
    ck_assert_ok(sim_call_as(&p->sim, p->relay, "relay.invite", 0, none, client_id));
    ck_assert(sim_result_str(p->relay, "code", again, sizeof again));
    ck_assert_str_eq(code, again);
    people_free(p);
}
END_TEST

START_TEST(a_creation_repeated_after_a_removal_makes_a_new_identity)
{
    struct person *who[3];
    struct people *p = three(152, who);
    struct sim_node *n = who[0]->n;
    char first[80];
    char again[80];
    created_as(p, n, 1, first);
    struct person made = *who[0];
    made.account = 3;
    ck_assert_ok(remove_account(p, &made, true));
    created_as(p, n, 1, again);
    ck_assert_str_ne(first, again);
    people_free(p);
}
END_TEST

START_TEST(nothing_of_an_identity_that_goes_can_be_read)
{
    struct person *who[3];
    struct people *p = three(149, who);
    struct person *c = who[2];
    sim_sleep(&p->sim, c->relay);
    ck_assert_ok(remove_account(p, c, false));
    ck_assert_err(people_call(p, people_as(c), "relay.status", NULL), ERR_NOT_NOW);
    ck_assert_int_ne(people_query(p, people_as(c), "contact.list", NULL), ERR_OK);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, two_identities_of_one_node_do_not_mix);
    tcase_add_test(tc, their_keys_at_one_relay_have_nothing_in_common);
    tcase_add_test(tc, a_removed_identity_leaves_nothing_here_and_at_its_relay);
    tcase_add_test(tc, a_removal_goes_on_after_a_crash_at_any_point);
    tcase_add_test(tc, without_its_relay_a_removal_waits_a_day);
    tcase_add_test(tc, a_locked_identity_is_removed_at_once_or_not_at_all);
    tcase_add_test(tc, no_identity_is_there_twice);
    tcase_add_test(tc, links_of_a_removed_identity_are_closed);
    tcase_add_test(tc, there_are_so_many_identities_and_no_more);
    tcase_add_test(tc, a_creation_that_is_repeated_finds_its_identity);
    tcase_add_test(tc, a_call_about_the_node_that_is_repeated_waits_for_a_locked_identity);
    tcase_add_test(tc, a_creation_repeated_after_a_removal_makes_a_new_identity);
    tcase_add_test(tc, nothing_of_an_identity_that_goes_can_be_read);
}

int main(void)
{
    return unit_main("sim/identities", add_tests);
}
