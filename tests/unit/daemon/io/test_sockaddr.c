/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/sockaddr.h"

#include <arpa/inet.h>

#include "lib/unit.h"

static const struct {
    const char *text;
    bool is_private;
} V4[] =
    {
        {"127.0.0.1", true},     {"10.1.2.3", true},    {"172.16.0.1", true},
        {"192.168.255.1", true}, {"169.254.0.9", true}, {"100.64.0.1", true},
        {"0.0.0.0", true},       {"172.32.0.1", false}, {"192.167.0.1", false},
        {"100.128.0.1", false},  {"8.8.8.8", false},
},
  V6[] = {
      {"::1", true},
      {"::", true},
      {"fe80::1", true},
      {"fd00::1", true},
      {"::ffff:10.0.0.1", true},
      {"::ffff:8.8.8.8", false},
      {"2606:4700::1111", false},
};

START_TEST(an_ipv4_address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    ck_assert_int_eq(inet_pton(AF_INET, V4[_i].text, &to.sin_addr), 1);
    ck_assert_int_eq(sockaddr_is_private((const struct sockaddr *)&to), V4[_i].is_private);
}
END_TEST

START_TEST(an_ipv6_address)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6};
    ck_assert_int_eq(inet_pton(AF_INET6, V6[_i].text, &to.sin6_addr), 1);
    ck_assert_int_eq(sockaddr_is_private((const struct sockaddr *)&to), V6[_i].is_private);
}
END_TEST

START_TEST(another_family_is_nowhere_public)
{
    struct sockaddr to = {.sa_family = AF_UNIX};
    ck_assert(sockaddr_is_private(&to));
}
END_TEST

START_TEST(an_address_is_no_name)
{
    ck_assert(sockaddr_is_literal("192.0.2.7"));
    ck_assert(sockaddr_is_literal("2001:db8::7"));
    ck_assert(!sockaddr_is_literal("relay.example"));
    ck_assert(!sockaddr_is_literal("192.0.2.7.example"));
    ck_assert(!sockaddr_is_literal(""));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, an_ipv4_address, 0, sizeof V4 / sizeof V4[0]);
    tcase_add_loop_test(tc, an_ipv6_address, 0, sizeof V6 / sizeof V6[0]);
    tcase_add_test(tc, another_family_is_nowhere_public);
    tcase_add_test(tc, an_address_is_no_name);
}

int main(void)
{
    return unit_main("daemon/io/sockaddr", add);
}
