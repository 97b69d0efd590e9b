/* SPDX-License-Identifier: Apache-2.0
 *
 * roots: the core and the host agree on whose root is which (node_root).
 */
#include "lib/stranger.h"

#include <string.h>

#include "node/content.h"
#include "node/params.h"

static struct hostile h;

static void setup(void)
{
    hostile_init(&h);
}

static void teardown(void)
{
    hostile_fini(&h);
}

static void rooted(const struct node_root *root, enum err err)
{
    struct node_input in = {.kind = NODE_ROOTED};
    in.u.rooted.root = root;
    in.u.rooted.err = err;
    hostile_input(&h, &in);
    ck_assert_ok(h.turn);
}

static uint32_t generation(void)
{
    struct store store;
    uint32_t found = 0;
    store_mem_read(h.mem, &store);
    ck_assert_ok(seal_root_named(&store, ROW_ACCOUNT, &found));
    return found;
}

/* What the core before this one asked for, what is another account's, or was never asked for. */
START_TEST(only_the_root_that_was_asked_for_last_is_taken)
{
    struct stranger s;
    stranger_init(&h, &s);
    stranger_request(&h, &s); /* a session begins: something is replaced */
    hostile_tick(&h, LIMIT_FORGET_MS);
    while (h.wanted.account == 0) {
        hostile_tick(&h, 0);
        ck_assert_ok(h.turn);
    }
    struct node_root first = h.wanted;
    ck_assert_uint_eq(first.generation, 2);
    struct node_root wrong = first;
    wrong.r[31] ^= 1;
    rooted(&wrong, ERR_OK);
    wrong = first;
    wrong.generation = 3;
    rooted(&wrong, ERR_OK);
    wrong = first;
    wrong.account = 7;
    rooted(&wrong, ERR_OK);
    ck_assert_uint_eq(generation(), 1);
    /* The core is built again, and draws another one. */
    h.wanted.account = 0;
    hostile_restart(&h);
    while (h.wanted.account == 0) {
        hostile_tick(&h, 0);
        ck_assert_ok(h.turn);
    }
    ck_assert_mem_ne(h.wanted.r, first.r, sizeof first.r);
    rooted(&first, ERR_OK);
    ck_assert_uint_eq(generation(), 1);
    rooted(&h.wanted, ERR_IO);
    ck_assert_uint_eq(generation(), 1);
    h.wanted.account = 0;
    hostile_tick(&h, LIMIT_FORGET_RETRY_MS);
    ck_assert_uint_ne(h.wanted.account, 0);
    h.kept = 0;
    rooted(&h.wanted, ERR_OK);
    ck_assert_uint_eq(generation(), 2);
    ck_assert_uint_eq(h.kept, 2);
    rooted(&h.wanted, ERR_OK); /* twice */
    ck_assert_uint_eq(generation(), 2);
    h.root = h.wanted;
    hostile_restart(&h);
    ck_assert_ok(h.turn);
    stranger_fini(&s);
}
END_TEST

/* The account that a call made was removed while the host opened its file. */
START_TEST(a_root_that_was_opened_makes_no_account)
{
    uint8_t bytes[16];
    struct writer p = writer_of(bytes, sizeof bytes);
    struct node_root root = h.root;
    pack_str(&p, "another");
    pack_bool(&p, true);
    h.root.account = 2;
    h.root.opened = true;
    ck_assert_err(hostile_call(&h, "account.create", 1, writer_done(&p)), ERR_NOT_NOW);
    /* also where there is another one, and a second was not asked for */
    ck_assert_err(hostile_call(&h, "account.create", 0, slice_of(NULL, 0)), ERR_NOT_NOW);
    h.root = root;
}
END_TEST

/* The host changed the files of one account, and the call is about another by now. */
START_TEST(a_passphrase_is_changed_of_the_account_that_the_host_looked_at)
{
    struct node_root root = h.root;
    h.root.account = 2;
    h.root.former = 1;
    ck_assert_err(hostile_call(&h, "account.passphrase", 0, slice_of(NULL, 0)), ERR_NOT_NOW);
    hostile_tick(&h, 0);
    ck_assert_uint_eq(h.wanted.account, 0);
    h.root = root;
    h.root.former = 1;
    ck_assert_ok(hostile_call(&h, "account.passphrase", 0, slice_of(NULL, 0)));
    ck_assert_uint_eq(h.wanted.generation, 2); /* in the same turn */
    h.root = root;
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, only_the_root_that_was_asked_for_last_is_taken);
    tcase_add_test(tc, a_root_that_was_opened_makes_no_account);
    tcase_add_test(tc, a_passphrase_is_changed_of_the_account_that_the_host_looked_at);
}

int main(void)
{
    return unit_main("node/roots", add);
}
