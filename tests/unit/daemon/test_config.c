/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

static char reason[CONFIG_REASON];

static enum err parse(struct config *c, const char *text)
{
    config_init(c);
    return config_parse(c, unit_str(text), "file", reason);
}

static void refused(const char *text, const char *because)
{
    struct config c;
    struct config before;
    config_init(&before);
    ck_assert_err(parse(&c, text), ERR_CONFIG);
    ck_assert_msg(strstr(reason, because) != NULL, "'%s' says '%s'", text, reason);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        ck_assert_str_eq(c.value[i], before.value[i]);
    }
}

START_TEST(an_empty_file_means_the_defaults)
{
    struct config c;
    ck_assert_ok(parse(&c, ""));
    for (int i = 0; i < CONFIG_COUNT; i++) {
        ck_assert_str_eq(c.value[i], config_row((enum config_key)i)->fallback);
    }
    ck_assert_ok(config_check(&c, reason));
}
END_TEST

START_TEST(defaults_fit_their_own_ranges)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        struct config c;
        const struct config_row *row = config_row((enum config_key)i);
        config_init(&c);
        ck_assert_ok(config_set(&c, row->name, row->fallback, reason));
    }
}
END_TEST

START_TEST(values_comments_and_sections_are_read)
{
    struct config c;
    char host[LIMIT_HOST + 1];
    uint16_t port = 0;
    ck_assert_ok(parse(&c, "# a comment\nlisten = [::1]:7740 ; behind\n\n[relay]\n"
                           "registration = open\n[log]\nlevel=debug\n"));
    ck_assert(config_address(&c, CONFIG_KEY_LISTEN, host, &port));
    ck_assert_str_eq(host, "::1");
    ck_assert_uint_eq(port, 7740);
    ck_assert_uint_eq(config_choice(&c, CONFIG_KEY_REGISTRATION), 1);
    ck_assert_uint_eq(config_choice(&c, CONFIG_KEY_LOG_LEVEL), 3);
    ck_assert(!config_bool(&c, CONFIG_KEY_RELAY));
}
END_TEST

START_TEST(errors_name_file_line_and_reason)
{
    refused("listen = 127.0.0.1:1\nfoo = 1\n", "file:2: there is no key 'foo'");
    refused("\n\nrelay = maybe\n", "file:3: relay: 'maybe' is not yes|no");
    refused("relay = yes\nrelay = no\n", "file:2: relay: given twice");
    refused("just words\n", "file:1: neither");
    refused("just words\nfoo = 1\n", "file:1: neither");
    refused("[relay\n", "file:1: neither");
    refused("log.level = loud", "file:1: log.level");
}
END_TEST

START_TEST(addresses_are_checked)
{
    static const char *const bad[] = {
        "host", "host:", ":1",          "host:65536", "host:1x",     "::1:1",   "[::1:1",
        "[]:1", "a b:1", "host:123456", "host:-1",    "user@host:1", "[::1]x:1"};
    static const char *const good[] = {"host:0", "[::]:65535", "127.0.0.1:1", ""};
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(config_set(&c, "listen", bad[i], reason) == ERR_CONFIG, "accepted %s",
                      bad[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_ok(config_set(&c, "listen", good[i], reason));
    }
}
END_TEST

START_TEST(lines_that_would_be_cut_are_refused)
{
    char text[600];
    memset(text, 'a', sizeof text);
    memcpy(text, "\nlisten = ", 10);
    text[sizeof text - 1] = '\0';
    refused(text, "file:2: the line is too long");
    struct config c;
    config_init(&c);
    ck_assert_err(config_parse(&c, slice_of("relay = no\0x\n", 13), "file", reason), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(reason, "file:1: a zero byte"));
}
END_TEST

START_TEST(a_relay_needs_an_address)
{
    struct config c;
    ck_assert_ok(parse(&c, "relay = yes\n"));
    ck_assert_err(config_check(&c, reason), ERR_CONFIG);
    ck_assert_ok(parse(&c, "relay = yes\nlisten = 0.0.0.0:7740\n"));
    ck_assert_ok(config_check(&c, reason));
}
END_TEST

START_TEST(what_is_said_of_the_dht_needs_its_address)
{
    struct config c;
    config_init(&c);
    ck_assert_ok(config_set(&c, "dht.bootstrap", "192.0.2.1:6881", reason));
    ck_assert_err(config_check(&c, reason), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(reason, "dht.listen"));
    ck_assert_ok(config_set(&c, "dht.listen", "0.0.0.0:0", reason));
    ck_assert_ok(config_check(&c, reason));
    ck_assert_ok(config_set(&c, "dht.bootstrap", "[2001:db8::1]:6881", reason));
    ck_assert_err(config_set(&c, "dht.bootstrap", "192.0.2.1", reason), ERR_CONFIG);
    char host[LIMIT_HOST + 1];
    uint16_t port;
    ck_assert_uint_eq(c.lists[CONFIG_LIST_HOSTS].count, 2);
    config_host(&c, 1, host, &port);
    ck_assert_str_eq(host, "2001:db8::1");
    ck_assert_uint_eq(port, 6881);
    ck_assert_ok(parse(&c, "dht.public = yes\n"));
    ck_assert_err(config_check(&c, reason), ERR_CONFIG);
    ck_assert_ok(parse(&c, "dht.public = yes\ndht.listen = 0.0.0.0:0\n"));
    ck_assert_ok(config_check(&c, reason));
}
END_TEST

START_TEST(a_proxy_is_read)
{
    struct config c;
    struct socks_proxy proxy;
    ck_assert_ok(parse(&c, "proxy = socks5://127.0.0.1:9050\n"));
    ck_assert(config_proxy(&c, &proxy));
    ck_assert_str_eq(proxy.host, "127.0.0.1");
    ck_assert_uint_eq(proxy.port, 9050);
    ck_assert_str_eq(proxy.user.name, "");
    ck_assert_str_eq(proxy.user.password, "");
    ck_assert_ok(parse(&c, "proxy = socks5://me:hush!@[::1]:1\n"));
    ck_assert(config_proxy(&c, &proxy));
    ck_assert_str_eq(proxy.host, "::1");
    ck_assert_uint_eq(proxy.port, 1);
    ck_assert_str_eq(proxy.user.name, "me");
    ck_assert_str_eq(proxy.user.password, "hush!");
    ck_assert_ok(parse(&c, "proxy =\n"));
    ck_assert(!config_proxy(&c, &proxy));
    static const char *bad[] = {"127.0.0.1:9050",
                                "socks4://127.0.0.1:9050",
                                "socks5://127.0.0.1",
                                "socks5://127.0.0.1:0",
                                "socks5://me@127.0.0.1:1",
                                "socks5://me:@127.0.0.1:1",
                                "socks5://:it@127.0.0.1:1",
                                "socks5://a:b:c@127.0.0.1:1",
                                "socks5://a:b@c@127.0.0.1:1",
                                "socks5://a:b c@127.0.0.1:1",
                                "socks5://me:123456789012345678901234567890123@1.1.1.1:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(config_set(&c, "proxy", bad[i], reason) == ERR_CONFIG, "%s", bad[i]);
    }
    ck_assert_ok(
        config_set(&c, "proxy", "socks5://me:12345678901234567890123456789012@1.1.1.1:1", reason));
}
END_TEST

START_TEST(the_dht_does_not_go_around_a_proxy)
{
    struct config c;
    ck_assert_ok(parse(&c, "proxy = socks5://127.0.0.1:9050\nlisten = 127.0.0.1:1\n"));
    ck_assert_ok(config_check(&c, reason));
    ck_assert_ok(config_set(&c, "dht.listen", "127.0.0.1:0", reason));
    ck_assert_err(config_check(&c, reason), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(reason, "around the proxy"));
    ck_assert_ok(config_set(&c, "proxy", "", reason));
    ck_assert_ok(config_check(&c, reason));
}
END_TEST

START_TEST(the_policy_for_forwards_is_read)
{
    struct config c;
    static struct forward_policy policy;
    ck_assert_ok(parse(&c, ""));
    config_forward_policy(&c, &policy);
    ck_assert_int_eq(policy.mode, FORWARD_OPEN);
    ck_assert(!policy.private_hosts);
    ck_assert_uint_eq(policy.count, 0);
    ck_assert_ok(parse(&c, "[relay]\nforward = deny\nforward_rule = a.example\n"
                           "forward_rule = .b.example\nforward_private = yes\n"));
    config_forward_policy(&c, &policy);
    ck_assert_int_eq(policy.mode, FORWARD_DENY);
    ck_assert(policy.private_hosts);
    ck_assert_uint_eq(policy.count, 2);
    ck_assert_str_eq(policy.rules[0].u.host, "a.example");
    ck_assert_int_eq(policy.rules[1].kind, FORWARD_RULE_SUFFIX);
    ck_assert_ok(parse(&c, "relay.forward = allow\n"));
    config_forward_policy(&c, &policy);
    ck_assert_int_eq(policy.mode, FORWARD_ALLOW);
    ck_assert_uint_eq(policy.count, 0);
    refused("relay.forward = maybe", "file:1: relay.forward: 'maybe' is not open|allow|deny");
    refused("relay.forward_rule = a.example\nrelay.forward_rule = a b\n",
            "file:2: relay.forward_rule: 'a b' is not");
}
END_TEST

START_TEST(rules_end_at_a_limit)
{
    static char text[(LIMIT_FORWARD_RULES + 1) * 40];
    struct config c;
    size_t len = 0;
    for (unsigned i = 0; i < LIMIT_FORWARD_RULES; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "relay.forward_rule = r%u\n", i);
    }
    ck_assert_ok(parse(&c, text));
    ck_assert_uint_eq(c.lists[CONFIG_LIST_RULES].count, LIMIT_FORWARD_RULES);
    snprintf(text + len, sizeof text - len, "relay.forward_rule = more\n");
    refused(text, "file:257: more than 256 rules");
}
END_TEST

START_TEST(a_key_is_taken_over_alone)
{
    struct config c;
    struct config other;
    ck_assert_ok(parse(&c, "relay.forward_rule = old\nlog.level = warn\n"));
    ck_assert_ok(parse(&other, "relay.forward_rule = a\nrelay.forward_rule = b\n"));
    config_take(&c, &other, CONFIG_KEY_FORWARD_RULE);
    ck_assert_uint_eq(c.lists[CONFIG_LIST_RULES].count, 2);
    ck_assert_str_eq(c.lists[CONFIG_LIST_RULES].value[1], "b");
    ck_assert_uint_eq(config_choice(&c, CONFIG_KEY_LOG_LEVEL), 1);
    config_take(&c, &other, CONFIG_KEY_LOG_LEVEL);
    ck_assert_uint_eq(config_choice(&c, CONFIG_KEY_LOG_LEVEL), 2);
}
END_TEST

static size_t print(const struct config *c, char *out, size_t cap)
{
    FILE *f = fmemopen(out, cap, "w");
    ck_assert_ptr_nonnull(f);
    config_print(c, f);
    long len = ftell(f);
    fclose(f);
    return (size_t)len;
}

START_TEST(what_is_printed_is_read_back)
{
    struct config c;
    struct config again;
    char text[4096];
    char second[4096];
    ck_assert_ok(parse(&c, "listen = [fe80::1]:1\nrelay = yes\nlog.level = warn\n"
                           "relay.forward_rule = a.example\nrelay.forward_rule = b.example\n"));
    size_t len = print(&c, text, sizeof text);
    config_init(&again);
    ck_assert_ok(config_parse(&again, slice_of(text, len), "file", reason));
    ck_assert_uint_eq(print(&again, second, sizeof second), len);
    ck_assert_int_eq(memcmp(text, second, len), 0);
    ck_assert_uint_eq(again.lists[CONFIG_LIST_RULES].count, 2);
}
END_TEST

/* The man page says of every key what the table says. */
START_TEST(the_man_page_knows_every_key)
{
    static char page[65536];
    FILE *f = fopen(PETREL_SOURCE_DIR "/docs/man/petreld.conf.5", "rb");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    page[len] = '\0';
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct config_row *row = config_row((enum config_key)i);
        char item[256];
        snprintf(item, sizeof item, ".It Cm %s No =", row->name);
        const char *at = strstr(page, item);
        ck_assert_msg(at != NULL, "no '%s'", item);
        snprintf(item, sizeof item, "\n.\\\" %s; default: %s%s\n", row->range,
                 row->fallback[0] != '\0' ? row->fallback : "empty",
                 row->reloadable ? "; reloadable" : "");
        ck_assert_msg(strstr(at, item) != NULL, "%s: no '%s'", row->name, item);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, an_empty_file_means_the_defaults);
    tcase_add_test(tc, defaults_fit_their_own_ranges);
    tcase_add_test(tc, values_comments_and_sections_are_read);
    tcase_add_test(tc, errors_name_file_line_and_reason);
    tcase_add_test(tc, addresses_are_checked);
    tcase_add_test(tc, lines_that_would_be_cut_are_refused);
    tcase_add_test(tc, a_relay_needs_an_address);
    tcase_add_test(tc, what_is_said_of_the_dht_needs_its_address);
    tcase_add_test(tc, a_proxy_is_read);
    tcase_add_test(tc, the_dht_does_not_go_around_a_proxy);
    tcase_add_test(tc, the_policy_for_forwards_is_read);
    tcase_add_test(tc, rules_end_at_a_limit);
    tcase_add_test(tc, a_key_is_taken_over_alone);
    tcase_add_test(tc, what_is_printed_is_read_back);
    tcase_add_test(tc, the_man_page_knows_every_key);
}

int main(void)
{
    return unit_main("daemon/config", add);
}
