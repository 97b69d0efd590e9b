/* SPDX-License-Identifier: Apache-2.0 */
#include "node/way.h"

#include <string.h>

#include "lib/unit.h"

static struct address at(const char *host, uint8_t node)
{
    struct address a = {.node_id = {{node}}, .port = 1};
    memcpy(a.host, host, strlen(host) + 1);
    return a;
}

static void same(const char *a, const char *b, bool expected)
{
    struct address x = at(a, 1);
    struct address y = at(b, 2);
    ck_assert_msg(way_same_operator(&x, &y) == expected, "%s %s", a, b);
    ck_assert_msg(way_same_operator(&y, &x) == expected, "%s %s", b, a);
}

START_TEST(each_way_has_its_reason)
{
    struct address none = {.port = 0};
    struct address home = at("a.example", 1);
    struct address theirs = at("b.example", 2);
    ck_assert_str_eq(way_name(way_of(&home, false, &none)), "unknown");
    ck_assert_str_eq(way_name(way_of(&none, false, &theirs)), "no-relay");
    ck_assert_str_eq(way_name(way_of(&home, false, &theirs)), "forwarded");
    ck_assert_str_eq(way_name(way_of(&home, true, &theirs)), "own-machine");
    ck_assert_str_eq(way_name(way_of(&home, false, &home)), "same-relay");
    ck_assert_str_eq(way_name(way_of(&home, true, &home)), "same-relay");
}
END_TEST

START_TEST(one_operator_is_suspected)
{
    struct address a = at("a.example", 1);
    struct address moved = at("9.9.9.9", 1);
    struct address none = {.port = 0};
    ck_assert(way_same_operator(&a, &moved)); /* the same key elsewhere */
    ck_assert(!way_same_operator(&a, &none));
    ck_assert(!way_same_operator(&none, &none));
    same("relay.example", "relay.example", true);
    same("a.relay.example", "b.relay.example", true);
    same("relay.example", "deep.a.relay.example", true);
    same("relay.example", "other.example", false);
    same("myrelay.example", "relay.example", false);
    same("localhost", "otherhost", false);
    same("9.9.9.1", "9.9.9.254", true);
    same("9.9.9.1", "9.9.8.1", false);
    same("2a00:1:2::1", "2a00:1:2:ffff::2", true);
    same("2a00:1:2::1", "2a00:1:3::1", false);
    same("9.9.9.9", "relay.example", false);
    same("2a00::1", "relay.example", false);
    same("2a00::1", "9.9.9.9", false);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, each_way_has_its_reason);
    tcase_add_test(tc, one_operator_is_suspected);
}

int main(void)
{
    return unit_main("node/way", add);
}
