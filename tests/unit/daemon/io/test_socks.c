/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/socks.h"

#include <string.h>

#include "lib/unit.h"

static const struct socks_user NOBODY = {.name = ""};
static const struct socks_user USER = {.name = "user", .password = "secret"};

static void sends(struct socks *s, const char *bytes, size_t len)
{
    struct slice out = socks_output(s);
    ck_assert_uint_eq(out.len, len);
    ck_assert_mem_eq(out.p, bytes, len);
    ck_assert_uint_eq(socks_output(s).len, 0);
}

#define SENDS(s, literal) sends((s), (literal), sizeof(literal) - 1)
#define GETS(s, literal)  socks_receive((s), slice_of((literal), sizeof(literal) - 1))

START_TEST(a_name_is_left_to_the_proxy)
{
    struct socks s;
    socks_begin(&s, "relay.test", 4470, &NOBODY);
    SENDS(&s, "\5\1\0");
    ck_assert_int_eq(GETS(&s, "\5\0"), SOCKS_CONNECT);
    SENDS(&s, "\5\1\0\3\12relay.test\x11\x76");
    ck_assert_int_eq(GETS(&s, "\5\0\0\1\177\0\0\1\1\2"), SOCKS_DONE);
}
END_TEST

START_TEST(addresses_go_as_addresses)
{
    struct socks s;
    socks_begin(&s, "192.0.2.7", 1, &NOBODY);
    SENDS(&s, "\5\1\0");
    ck_assert_int_eq(GETS(&s, "\5\0"), SOCKS_CONNECT);
    SENDS(&s, "\5\1\0\1\300\0\2\7\0\1");

    socks_begin(&s, "2001:db8::17", 65535, &NOBODY);
    SENDS(&s, "\5\1\0");
    ck_assert_int_eq(GETS(&s, "\5\0"), SOCKS_CONNECT);
    SENDS(&s, "\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x17\xff\xff");
    ck_assert_int_eq(GETS(&s, "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), SOCKS_DONE);
}
END_TEST

START_TEST(a_user_is_named_when_the_proxy_asks)
{
    struct socks s;
    socks_begin(&s, "a.test", 2, &USER);
    SENDS(&s, "\5\2\0\2");
    ck_assert_int_eq(GETS(&s, "\5\2"), SOCKS_USER);
    SENDS(&s, "\1\4user\6secret");
    ck_assert_int_eq(GETS(&s, "\1\0"), SOCKS_CONNECT);
    SENDS(&s, "\5\1\0\3\6a.test\0\2");
    /* And not when it does not. */
    socks_begin(&s, "a.test", 2, &USER);
    SENDS(&s, "\5\2\0\2");
    ck_assert_int_eq(GETS(&s, "\5\0"), SOCKS_CONNECT);
    SENDS(&s, "\5\1\0\3\6a.test\0\2");
}
END_TEST

/* Until the request went out. */
static void ask(struct socks *s)
{
    socks_begin(s, "a.test", 2, &NOBODY);
    SENDS(s, "\5\1\0");
    ck_assert_int_eq(GETS(s, "\5\0"), SOCKS_CONNECT);
    SENDS(s, "\5\1\0\3\6a.test\0\2");
}

START_TEST(answers_may_come_byte_by_byte)
{
    static const char *answers[] = {"\5\0\0\1\1\2\3\4\5\6", "\5\0\0\3\4name\0\0",
                                    "\5\0\0\4\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\1\2"};
    static const size_t lens[] = {10, 11, 22};
    for (size_t i = 0; i < 3; i++) {
        struct socks s;
        ask(&s);
        for (size_t k = 0; k < lens[i]; k++) {
            enum socks_state wanted = k + 1 < lens[i] ? SOCKS_CONNECT : SOCKS_DONE;
            ck_assert_int_eq(socks_receive(&s, slice_of(answers[i] + k, 1)), wanted);
        }
        ck_assert_uint_eq(socks_output(&s).len, 0);
    }
}
END_TEST

START_TEST(what_the_other_end_did_is_told_from_what_the_proxy_did)
{
    static const enum err why[] = {
        ERR_OK,          ERR_UNREACHABLE, ERR_PROXY, ERR_UNREACHABLE, ERR_UNREACHABLE,
        ERR_UNREACHABLE, ERR_UNREACHABLE, ERR_PROXY, ERR_UNREACHABLE, ERR_PROXY};
    for (uint8_t reply = 1; reply < sizeof why / sizeof why[0]; reply++) {
        struct socks s;
        uint8_t head[] = {5, reply}; /* some say no more than that */
        ask(&s);
        ck_assert_int_eq(socks_receive(&s, slice_of(head, sizeof head)), SOCKS_FAILED);
        ck_assert_err(s.err, why[reply]);
        ck_assert(s.works == (reply != 1));
    }
}
END_TEST

static void fails(struct socks *s, const char *bytes, size_t len)
{
    ck_assert_int_eq(socks_receive(s, slice_of(bytes, len)), SOCKS_FAILED);
    ck_assert_err(s->err, ERR_PROXY);
    ck_assert_int_eq(socks_receive(s, slice_of("\5\0", 2)), SOCKS_FAILED);
}

#define FAILS(s, literal) fails((s), (literal), sizeof(literal) - 1)

START_TEST(what_is_no_proxy_is_found_out_at_once)
{
    struct socks s;
    socks_begin(&s, "a.test", 2, &NOBODY);
    FAILS(&s, "\5\0"); /* before anything was sent */
    static const char *firsts[] = {"HTTP/1.1", "\4", "\5\2", "\5\xff", "\5\1", "\5\0\5"};
    static const size_t lens[] = {8, 1, 2, 2, 2, 3};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        socks_begin(&s, "a.test", 2, &NOBODY);
        SENDS(&s, "\5\1\0");
        fails(&s, firsts[i], lens[i]); /* the last one says more than it was asked */
    }
    static const char *lasts[] = {"\4", "\5\0\0\2", "\5\0\0\1\1\2\3\4\5\6\7"};
    static const size_t last_lens[] = {1, 4, 11};
    for (size_t i = 0; i < sizeof last_lens / sizeof last_lens[0]; i++) {
        ask(&s);
        fails(&s, lasts[i], last_lens[i]);
    }
    socks_begin(&s, "a.test", 2, &USER);
    SENDS(&s, "\5\2\0\2");
    ck_assert_int_eq(GETS(&s, "\5\2"), SOCKS_USER);
    SENDS(&s, "\1\4user\6secret");
    FAILS(&s, "\1\1"); /* we are not who may */
}
END_TEST

START_TEST(the_longest_of_all_fits)
{
    struct socks s;
    struct socks_user user;
    char host[LIMIT_HOST + 1];
    memset(host, 'a', LIMIT_HOST);
    host[LIMIT_HOST] = '\0';
    memset(user.name, 'n', LIMIT_PROXY_WORD);
    memset(user.password, 'p', LIMIT_PROXY_WORD);
    user.name[LIMIT_PROXY_WORD] = user.password[LIMIT_PROXY_WORD] = '\0';
    socks_begin(&s, host, 65535, &user);
    SENDS(&s, "\5\2\0\2");
    ck_assert_int_eq(GETS(&s, "\5\2"), SOCKS_USER);
    ck_assert_uint_eq(socks_output(&s).len, 1 + 2 * (1 + LIMIT_PROXY_WORD));
    ck_assert_int_eq(GETS(&s, "\1\0"), SOCKS_CONNECT);
    ck_assert_uint_eq(socks_output(&s).len, 4 + 1 + LIMIT_HOST + 2);
    uint8_t answer[4 + 1 + 255 + 2] = {5, 0, 0, 3, 255};
    ck_assert_int_eq(socks_receive(&s, slice_of(answer, sizeof answer - 1)), SOCKS_CONNECT);
    ck_assert_int_eq(socks_receive(&s, slice_of(answer, 1)), SOCKS_DONE);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_name_is_left_to_the_proxy);
    tcase_add_test(tc, addresses_go_as_addresses);
    tcase_add_test(tc, a_user_is_named_when_the_proxy_asks);
    tcase_add_test(tc, answers_may_come_byte_by_byte);
    tcase_add_test(tc, what_the_other_end_did_is_told_from_what_the_proxy_did);
    tcase_add_test(tc, what_is_no_proxy_is_found_out_at_once);
    tcase_add_test(tc, the_longest_of_all_fits);
}

int main(void)
{
    return unit_main("daemon/io/socks", add);
}
