/* SPDX-License-Identifier: Apache-2.0 */
#include "node/hostname.h"

#include <string.h>

#include "lib/unit.h"

static void is(const char *text, enum hostname_kind kind, const char *canonical)
{
    char out[LIMIT_HOST + 1] = "untouched";
    enum hostname_kind got = hostname_canonical(slice_of(text, strlen(text)), out);
    ck_assert_msg(got == kind, "%s: kind %d, expected %d", text, (int)got, (int)kind);
    ck_assert_str_eq(out, kind == HOSTNAME_BAD ? "untouched" : canonical);
    if (kind != HOSTNAME_BAD) {
        char again[LIMIT_HOST + 1];
        ck_assert_int_eq((int)hostname_canonical(slice_of(out, strlen(out)), again), (int)kind);
        ck_assert_str_eq(again, out);
    }
}

static void is_bad(const char *text)
{
    is(text, HOSTNAME_BAD, "");
}

START_TEST(names_become_lower_case)
{
    is("localhost", HOSTNAME_NAME, "localhost");
    is("Relay.Example", HOSTNAME_NAME, "relay.example");
    is("3com.example", HOSTNAME_NAME, "3com.example");
    is("xn--bcher-kva.example", HOSTNAME_NAME, "xn--bcher-kva.example");
    is("1.2.3.4a", HOSTNAME_NAME, "1.2.3.4a");
}
END_TEST

START_TEST(names_out_of_form_are_refused)
{
    static const char *const bad[] = {"",      ".",         "a.",       ".a",       "a..b",
                                      "-a",    "a-",        "a-.b",     "a.-b",     "a_b",
                                      "a b",   "b\xc3\xbc", "a/b",      "a@b",      "a:b",
                                      "a%",    "[a]",       "a.1",      "1",        "256.1.1.1",
                                      "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "0x7f.1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is_bad(bad[i]);
    }
}
END_TEST

START_TEST(lengths_end_at_64_and_labels_at_63)
{
    char text[LIMIT_HOST + 2];
    memset(text, 'a', sizeof text);
    text[63] = '\0';
    is(text, HOSTNAME_NAME, text);
    text[63] = 'a';
    text[64] = '\0';
    is_bad(text);
    text[30] = '.';
    is(text, HOSTNAME_NAME, text);
    text[64] = 'a';
    text[65] = '\0';
    is_bad(text);
}
END_TEST

START_TEST(ipv4_is_four_plain_octets)
{
    is("0.0.0.0", HOSTNAME_IPV4, "0.0.0.0");
    is("255.255.255.255", HOSTNAME_IPV4, "255.255.255.255");
    is("192.0.2.7", HOSTNAME_IPV4, "192.0.2.7");
}
END_TEST

/* RFC 5952, sections 4 and 5. */
START_TEST(ipv6_has_one_spelling)
{
    is("::", HOSTNAME_IPV6, "::");
    is("::1", HOSTNAME_IPV6, "::1");
    is("1::", HOSTNAME_IPV6, "1::");
    is("0:0:0:0:0:0:0:1", HOSTNAME_IPV6, "::1");
    is("2001:0db8::0001", HOSTNAME_IPV6, "2001:db8::1");
    is("2001:db8:0:0:0:0:2:1", HOSTNAME_IPV6, "2001:db8::2:1");
    is("2001:db8:0:1:1:1:1:1", HOSTNAME_IPV6, "2001:db8:0:1:1:1:1:1");
    is("2001:db8::1:1:1:1:1", HOSTNAME_IPV6, "2001:db8:0:1:1:1:1:1");
    is("2001:0:0:1:0:0:0:1", HOSTNAME_IPV6, "2001:0:0:1::1");
    is("2001:db8:0:0:1:0:0:1", HOSTNAME_IPV6, "2001:db8::1:0:0:1");
    is("2001:DB8::AbC", HOSTNAME_IPV6, "2001:db8::abc");
    is("1:2:3:4:5:6:7:8", HOSTNAME_IPV6, "1:2:3:4:5:6:7:8");
    is("1:2:3:4:5:6:7::", HOSTNAME_IPV6, "1:2:3:4:5:6:7:0");
    is("::2:3:4:5:6:7:8", HOSTNAME_IPV6, "0:2:3:4:5:6:7:8");
    is("1:2:3:4:5:6:0:0", HOSTNAME_IPV6, "1:2:3:4:5:6::");
    is("::ffff:192.0.2.1", HOSTNAME_IPV6, "::ffff:192.0.2.1");
    is("::ffff:c000:201", HOSTNAME_IPV6, "::ffff:192.0.2.1");
    is("64:ff9b::192.0.2.33", HOSTNAME_IPV6, "64:ff9b::c000:221");
    is("1:2:3:4:5:6:1.2.3.4", HOSTNAME_IPV6, "1:2:3:4:5:6:102:304");
}
END_TEST

START_TEST(ipv6_out_of_form_is_refused)
{
    static const char *const bad[] = {
        ":",          ":::",     "1",           "1:2:3:4:5:6:7",         "1:2:3:4:5:6:7:8:9",
        ":1",         "1:",      "1::2::3",     "1:2:3:4:5:6:7:",        "1:2:3:4:5:6:7:8:",
        "12345::",    "::g",     "fe80::1%lo",  "1:2:3:4:5:6:7:8::",     "::1:2:3:4:5:6:7:8",
        "1.2.3.4::",  "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "[::1]",
        "::1.2.3.256"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is_bad(bad[i]);
    }
}
END_TEST

START_TEST(literals_give_their_bytes)
{
    uint8_t v4[4];
    uint8_t v6[16];
    uint8_t want[16];
    ck_assert(hostname_ipv4(unit_str("192.0.2.7"), v4));
    unit_hex("c0000207", want, 4);
    ck_assert_mem_eq(v4, want, 4);
    ck_assert(!hostname_ipv4(unit_str("::1"), v4));
    ck_assert(hostname_ipv6(unit_str("2001:db8::17"), v6));
    unit_hex("20010db8000000000000000000000017", want, 16);
    ck_assert_mem_eq(v6, want, 16);
    ck_assert(!hostname_ipv6(unit_str("192.0.2.7"), v6));
}
END_TEST

START_TEST(any_sixteen_bytes_print_and_read_back)
{
    struct unit_env u;
    unit_env_init(&u, 1, 0);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t in[16];
        uint8_t got[16];
        uint8_t mask[8];
        char text[LIMIT_HOST + 1];
        env_random(&u.env, in, sizeof in);
        env_random(&u.env, mask, sizeof mask);
        for (unsigned k = 0; k < 8; k++) {
            if (mask[k] < 128) {
                in[2 * k] = in[2 * k + 1] = 0;
            }
        }
        hostname_print_ipv6(in, text);
        ck_assert(hostname_ipv6(slice_of(text, strlen(text)), got));
        ck_assert_mem_eq(got, in, sizeof in);
    }
}
END_TEST

START_TEST(what_is_not_public_is_known)
{
    static const char *const private[] = {"0.0.0.0",
                                          "10.255.0.1",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.9.9.9",
                                          "169.254.1.1",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.8",
                                          "192.0.2.1",
                                          "192.168.255.1",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.7",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fc00::1",
                                          "fdff::1",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "100::1",
                                          "2001:db8::1",
                                          "::ffff:127.0.0.1",
                                          "::10.0.0.1",
                                          "64:ff9b::a00:1",
                                          "2002:a00:1::1",
                                          "localhost",
                                          "a.localhost"};
    static const char *const public[] = {
        "1.1.1.1",          "9.255.255.255",   "11.0.0.0",      "100.63.255.255",
        "100.128.0.0",      "126.0.0.1",       "128.0.0.1",     "169.253.0.1",
        "172.15.0.1",       "172.32.0.1",      "192.0.1.1",     "192.167.0.1",
        "192.169.0.1",      "198.17.0.1",      "198.20.0.1",    "223.255.255.255",
        "2a00::1",          "fb00::1",         "fe7f::1",       "::ffff:9.9.9.9",
        "64:ff9b::909:909", "2002:909:909::1", "relay.example", "notlocalhost",
        "localhost.example"};
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++) {
        ck_assert_msg(hostname_is_private(unit_str(private[i])), "%s", private[i]);
    }
    for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
        ck_assert_msg(!hostname_is_private(unit_str(public[i])), "%s", public[i]);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_not_public_is_known);
    tcase_add_test(tc, names_become_lower_case);
    tcase_add_test(tc, names_out_of_form_are_refused);
    tcase_add_test(tc, lengths_end_at_64_and_labels_at_63);
    tcase_add_test(tc, ipv4_is_four_plain_octets);
    tcase_add_test(tc, ipv6_has_one_spelling);
    tcase_add_test(tc, ipv6_out_of_form_is_refused);
    tcase_add_test(tc, literals_give_their_bytes);
    tcase_add_test(tc, any_sixteen_bytes_print_and_read_back);
}

int main(void)
{
    return unit_main("node/hostname", add);
}
