/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/files.h"

#include <sys/resource.h>

#include "base/limits.h"
#include "lib/unit.h"

enum {
    FILES_OWN = 20, /* of a daemon without links and clients: home, database, loops */
};

START_TEST(however_few_there_are_some_are_left)
{
    for (uint64_t limit = 64; limit <= 1 << 20; limit++) {
        struct files files = files_share(limit);
        ck_assert_uint_ge(limit - files.links - files.clients, FILES_OWN);
        ck_assert_uint_ge(files.clients, 10);
        ck_assert_uint_ge(files.links, limit / 2);
        ck_assert_uint_lt(files.handshakes, files.links);
    }
}
END_TEST

START_TEST(strangers_leave_half_of_the_links_to_who_completes_a_handshake)
{
    ck_assert_uint_eq(files_share(256).links, 128);
    ck_assert_uint_eq(files_share(256).handshakes, 64);
    ck_assert_uint_eq(files_share(1024).links, 832);
    ck_assert_uint_eq(files_share(1024).handshakes, 416);
}
END_TEST

START_TEST(with_many_the_limits_of_the_protocol_hold)
{
    uint64_t limits[] = {4096, 1 << 20, UINT64_MAX};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct files files = files_share(limits[i]);
        ck_assert_uint_eq(files.links, limits[i] - FILES_RESERVED);
        ck_assert_uint_eq(files.handshakes, LIMIT_HALF_OPEN);
        ck_assert_uint_eq(files.clients, LIMIT_CONTROL_CLIENTS);
    }
}
END_TEST

START_TEST(the_limit_is_that_of_the_process)
{
    struct rlimit was;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    struct rlimit few = {.rlim_cur = 256, .rlim_max = was.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_uint_eq(files_of_process().links, 128);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, however_few_there_are_some_are_left);
    tcase_add_test(tc, strangers_leave_half_of_the_links_to_who_completes_a_handshake);
    tcase_add_test(tc, with_many_the_limits_of_the_protocol_hold);
    tcase_add_test(tc, the_limit_is_that_of_the_process);
}

int main(void)
{
    return unit_main("daemon/io/files", add);
}
