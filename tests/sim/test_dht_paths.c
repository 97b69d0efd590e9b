/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups where the nodes nearest to an item lie: what the disjoint paths are for. The variant
 * mutants/dht_one_path.patch has to fail here.
 */
#include "sim/dht_lookups.h"

START_TEST(liars_beside_an_item_do_not_hide_it)
{
    struct dht_net *net =
        dht_net_new(&(struct dht_net_options){.seed = 3, .nodes = 300, .lost_percent = 1});
    /* 20 % of the 24 nearest, and where they are worst: 5 of the 8 that an item belongs to. */
    struct dht_lookups t = dht_lookups_soon(net, 40, 5);
    dht_lookups_show("300 nodes, the 5 nearest lie", &t);
    ck_assert_uint_gt(t.lies, 2 * t.lookups);
    ck_assert_uint_ge(100 * t.newest, 99 * t.lookups);
    dht_net_free(net);
}
END_TEST

/* Each is at all places the nearest that it can be, and names the honest ones there wrongly before
 * anybody names them rightly. */
START_TEST(liars_that_choose_their_ids_hide_little)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){.seed = 13,
                                                                .nodes = 500,
                                                                .liars_percent = 10,
                                                                .replaced_percent = 20,
                                                                .lost_percent = 1,
                                                                .liars_choose = true});
    struct dht_lookups t = dht_lookups_late(net, 25);
    dht_lookups_show("500 nodes, 10 % lie under IDs of their choice, late", &t);
    ck_assert_uint_gt(t.lies, 2 * t.lookups);
    ck_assert_uint_ge(100 * t.newest, 97 * t.lookups);
    dht_net_free(net);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, liars_beside_an_item_do_not_hide_it);
    tcase_add_test(tc, liars_that_choose_their_ids_hide_little);
}

int main(void)
{
    return unit_main("sim/dht_paths", add_tests);
}
