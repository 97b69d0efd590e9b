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

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, liars_beside_an_item_do_not_hide_it);
}

int main(void)
{
    return unit_main("sim/dht_paths", add_tests);
}
