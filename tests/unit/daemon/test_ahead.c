/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/ahead.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"

static char DIR[TMPDIR_PATH];
static int FD;
static struct ahead A;

static void set_up(uint64_t len)
{
    char path[TMPDIR_PATH + 8];
    tmpdir_make(DIR);
    snprintf(path, sizeof path, "%s/file", DIR);
    FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(FD, 0);
    for (uint64_t at = 0; at < len; at++) {
        ck_assert_int_eq(pwrite(FD, "x", 1, (off_t)at), 1);
    }
    ahead_init(&A, FD);
}

static void tear_down(void)
{
    ck_assert_int_eq(close(FD), 0);
    tmpdir_remove(DIR);
}

static struct stat file(void)
{
    struct stat st;
    ck_assert_int_eq(fstat(FD, &st), 0);
    return st;
}

START_TEST(the_file_is_lengthened_before_it_is_full_and_what_is_used_stays)
{
    char byte;
    set_up(10000);
    ahead_keep(&A, 10000);
    struct stat st = file();
    ck_assert_uint_eq((uint64_t)st.st_size, 10000 + AHEAD_LEAST);
    ck_assert_uint_ge((uint64_t)st.st_blocks * 512, AHEAD_LEAST); /* no hole */
    ck_assert_int_eq(pread(FD, &byte, 1, 9999), 1);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(pread(FD, &byte, 1, 10000), 1);
    ck_assert_int_eq(byte, 0);
    ahead_keep(&A, 10000 + AHEAD_LEAST / 2);
    ck_assert_uint_eq((uint64_t)file().st_size, 10000 + AHEAD_LEAST);
    ahead_keep(&A, 10001 + AHEAD_LEAST / 2);
    ck_assert_uint_eq((uint64_t)file().st_size, 10000 + 2 * AHEAD_LEAST);
    tear_down();
}
END_TEST

START_TEST(a_step_is_an_eighth_of_what_is_used_within_bounds)
{
    set_up(0);
    ck_assert_int_eq(ftruncate(FD, 1 << 24), 0);
    ahead_keep(&A, 1 << 24);
    ck_assert_uint_eq((uint64_t)file().st_size, (1 << 24) + (1 << 21));
    ck_assert_int_eq(ftruncate(FD, 1 << 26), 0); /* the database itself did so */
    ahead_keep(&A, 1 << 26);
    ck_assert_uint_eq((uint64_t)file().st_size, 1 << 26); /* it grew by more than a step */
    ahead_keep(&A, 1 << 26);
    ck_assert_uint_eq((uint64_t)file().st_size, (1 << 26) + AHEAD_MOST);
    tear_down();
}
END_TEST

START_TEST(a_file_that_grows_fast_is_not_written_twice)
{
    uint64_t used = 1 << 20;
    set_up(0);
    ck_assert_int_eq(ftruncate(FD, (off_t)used), 0);
    ahead_keep(&A, used);
    used += 2 * AHEAD_LEAST;
    ck_assert_int_eq(ftruncate(FD, (off_t)used), 0);
    ahead_keep(&A, used);
    ck_assert_uint_eq((uint64_t)file().st_size, used);
    ahead_keep(&A, used - 1); /* slower, or back at the start */
    ck_assert_uint_gt((uint64_t)file().st_size, used);
    tear_down();
}
END_TEST

START_TEST(a_file_that_cannot_be_lengthened_is_left)
{
    char path[TMPDIR_PATH + 8];
    set_up(100);
    snprintf(path, sizeof path, "%s/file", DIR);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ahead_init(&A, fd);
    ahead_keep(&A, 100);
    ck_assert_uint_eq((uint64_t)file().st_size, 100);
    ck_assert_int_eq(close(fd), 0);
    tear_down();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_file_is_lengthened_before_it_is_full_and_what_is_used_stays);
    tcase_add_test(tc, a_step_is_an_eighth_of_what_is_used_within_bounds);
    tcase_add_test(tc, a_file_that_grows_fast_is_not_written_twice);
    tcase_add_test(tc, a_file_that_cannot_be_lengthened_is_left);
}

int main(void)
{
    return unit_main("daemon/ahead", add);
}
