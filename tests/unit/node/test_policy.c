/* SPDX-License-Identifier: Apache-2.0 */
#include "node/policy.h"

#include <string.h>

#include "lib/unit.h"

static struct sign_pk node_of(uint8_t n)
{
    const uint8_t seed[32] = {n};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, seed);
    return pk;
}

static struct address at(const char *host, uint8_t node)
{
    struct address a = {.node_id = node_of(node), .port = 1};
    memcpy(a.host, host, strlen(host) + 1);
    return a;
}

static bool allows(const struct forward_policy *policy, const char *host, uint8_t node)
{
    struct address to = at(host, node);
    return forward_policy_allows(policy, &to);
}

static void add(struct forward_policy *policy, const char *text)
{
    ck_assert_ok(forward_rule_parse(unit_str(text), &policy->rules[policy->count++]));
}

START_TEST(rules_are_read)
{
    struct forward_rule rule;
    struct sign_pk node = node_of(1);
    char text[NODE_ID_TEXT];
    node_id_encode(node.b, text);
    ck_assert_ok(forward_rule_parse(unit_str(text), &rule));
    ck_assert_int_eq(rule.kind, FORWARD_RULE_NODE);
    ck_assert_int_eq(memcmp(rule.u.node.b, node.b, sizeof node.b), 0);
    ck_assert_ok(forward_rule_parse(unit_str("Relay.Example"), &rule));
    ck_assert_int_eq(rule.kind, FORWARD_RULE_HOST);
    ck_assert_str_eq(rule.u.host, "relay.example");
    ck_assert_ok(forward_rule_parse(unit_str(".Example.ORG"), &rule));
    ck_assert_int_eq(rule.kind, FORWARD_RULE_SUFFIX);
    ck_assert_str_eq(rule.u.host, ".example.org");
    ck_assert_ok(forward_rule_parse(unit_str("2001:DB8:0::1"), &rule));
    ck_assert_str_eq(rule.u.host, "2001:db8::1");
    ck_assert_ok(forward_rule_parse(unit_str("petrelnode1.example.org"), &rule));
    ck_assert_int_eq(rule.kind, FORWARD_RULE_HOST);
}
END_TEST

START_TEST(what_is_no_rule_is_refused)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      ".1.2.3.4",
                                      ".a..b",
                                      "a b",
                                      "host:1",
                                      "[::1]",
                                      "*.example.org",
                                      "-a.example",
                                      "petrelnode1",
                                      "petrelnode1nonsense",
                                      "PETRELNODE1NONSENSE"};
    struct forward_rule rule = {.kind = FORWARD_RULE_SUFFIX};
    char text[NODE_ID_TEXT];
    struct sign_pk node = node_of(1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(forward_rule_parse(unit_str(bad[i]), &rule) == ERR_BAD_ADDRESS, "%s", bad[i]);
    }
    node_id_encode(node.b, text);
    text[20] = text[20] == 'q' ? 'p' : 'q';
    ck_assert_err(forward_rule_parse(unit_str(text), &rule), ERR_BAD_CHECKSUM);
    memset(node.b, 0, sizeof node.b);
    node_id_encode(node.b, text);
    ck_assert_err(forward_rule_parse(unit_str(text), &rule), ERR_BAD_KEY);
    ck_assert_int_eq(rule.kind, FORWARD_RULE_SUFFIX);
}
END_TEST

START_TEST(a_list_names_relays_hosts_and_endings)
{
    struct forward_policy policy = {.mode = FORWARD_ALLOW};
    char text[NODE_ID_TEXT];
    struct sign_pk node = node_of(1);
    node_id_encode(node.b, text);
    ck_assert(!allows(&policy, "a.example", 1)); /* an empty list names nobody */
    add(&policy, text);
    add(&policy, "relay.example");
    add(&policy, ".friends.example");
    for (unsigned deny = 0; deny < 2; deny++) {
        policy.mode = deny ? FORWARD_DENY : FORWARD_ALLOW;
        ck_assert(allows(&policy, "elsewhere.example", 1) != deny);
        ck_assert(allows(&policy, "relay.example", 2) != deny);
        ck_assert(allows(&policy, "a.friends.example", 2) != deny);
        ck_assert(allows(&policy, "a.b.friends.example", 2) != deny);
        ck_assert(allows(&policy, "friends.example", 2) == deny);
        ck_assert(allows(&policy, "notfriends.example", 2) == deny);
        ck_assert(allows(&policy, "sub.relay.example", 2) == deny);
        ck_assert(allows(&policy, "elsewhere.example", 2) == deny);
    }
    policy.mode = FORWARD_OPEN;
    ck_assert(allows(&policy, "elsewhere.example", 2));
}
END_TEST

START_TEST(private_hosts_are_refused_whatever_the_list_says)
{
    struct forward_policy policy = {.mode = FORWARD_OPEN};
    ck_assert(allows(&policy, "9.9.9.9", 1));
    ck_assert(!allows(&policy, "127.0.0.1", 1));
    ck_assert(!allows(&policy, "::1", 1));
    ck_assert(!allows(&policy, "localhost", 1));
    policy.mode = FORWARD_ALLOW;
    add(&policy, "127.0.0.1");
    ck_assert(!allows(&policy, "127.0.0.1", 1));
    policy.private_hosts = true;
    ck_assert(allows(&policy, "127.0.0.1", 1));
    ck_assert(!allows(&policy, "127.0.0.2", 1));
}
END_TEST

START_TEST(a_copy_is_the_same_policy)
{
    static struct forward_policy from = {.mode = FORWARD_DENY, .private_hosts = true};
    static struct forward_policy to;
    add(&from, "a.example");
    add(&from, "b.example");
    forward_policy_copy(&to, &from);
    ck_assert(!allows(&to, "b.example", 1));
    ck_assert(allows(&to, "127.0.0.1", 1));
    from.count = 0;
    forward_policy_copy(&to, &from);
    ck_assert(allows(&to, "b.example", 1));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, rules_are_read);
    tcase_add_test(tc, what_is_no_rule_is_refused);
    tcase_add_test(tc, a_list_names_relays_hosts_and_endings);
    tcase_add_test(tc, private_hosts_are_refused_whatever_the_list_says);
    tcase_add_test(tc, a_copy_is_the_same_policy);
}

int main(void)
{
    return unit_main("node/policy", add_tests);
}
