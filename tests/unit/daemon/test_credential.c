/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/credential.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "crypto/prim.h"
#include "lib/tmpdir.h"
#include "lib/unit.h"

struct fixture {
    char folder[TMPDIR_PATH];
    char path[TMPDIR_PATH + 16];
    uint8_t key[SEAL_KEY];
    char reason[CREDENTIAL_REASON];
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    tmpdir_make(f->folder);
    snprintf(f->path, sizeof f->path, "%s/c", f->folder);
    setenv("CREDENTIALS_DIRECTORY", f->folder, 1);
}

static void teardown(struct fixture *f)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    tmpdir_remove(f->folder);
}

/* A credential of len bytes 0, 1, 2, ... */
static void hand_in(struct fixture *f, size_t len)
{
    (void)unlink(f->path);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)i;
        ck_assert_int_eq(write(fd, &byte, 1), 1);
    }
    close(fd);
}

static enum err get(struct fixture *f)
{
    f->reason[0] = '\0';
    return credential_read("c", f->key, f->reason);
}

/* Refused by name, with a reason that says this; nothing is given. */
static void refused(struct fixture *f, const char *why)
{
    static const uint8_t zeros[SEAL_KEY];
    memset(f->key, 0, sizeof f->key);
    ck_assert_err(get(f), ERR_CONFIG);
    ck_assert_msg(strstr(f->reason, "credential c: ") == f->reason &&
                      strstr(f->reason, why) != NULL,
                  "reason: %s", f->reason);
    ck_assert_mem_eq(f->key, zeros, sizeof zeros);
}

START_TEST(none_was_handed_in)
{
    struct fixture f;
    setup(&f);
    ck_assert_err(get(&f), ERR_NOT_FOUND);
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    ck_assert_err(get(&f), ERR_NOT_FOUND);
    unsetenv("CREDENTIALS_DIRECTORY");
    ck_assert_err(get(&f), ERR_NOT_FOUND);
    setenv("CREDENTIALS_DIRECTORY", "relative", 1);
    refused(&f, "absolute");
    teardown(&f);
}
END_TEST

START_TEST(one_of_32_bytes_is_the_key_and_a_longer_one_is_hashed)
{
    struct fixture f;
    uint8_t bytes[LIMIT_CREDENTIAL];
    uint8_t hash[SEAL_KEY];
    struct slice all = slice_of(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    setup(&f);
    hand_in(&f, LIMIT_CREDENTIAL_MIN);
    ck_assert_ok(get(&f));
    ck_assert_mem_eq(f.key, bytes, SEAL_KEY);
    for (size_t len = LIMIT_CREDENTIAL_MIN + 1; len <= LIMIT_CREDENTIAL; len += 331 - len % 2) {
        hand_in(&f, len);
        ck_assert_ok(get(&f));
        all.len = len;
        prim_blake2b(hash, SEAL_KEY, slice_of(NULL, 0), "petrel/1 credential", &all, 1);
        ck_assert_mem_eq(f.key, hash, SEAL_KEY);
    }
    hand_in(&f, LIMIT_CREDENTIAL);
    ck_assert_ok(get(&f));
    teardown(&f);
}
END_TEST

START_TEST(a_short_or_long_one_is_refused)
{
    struct fixture f;
    setup(&f);
    hand_in(&f, 0);
    refused(&f, "less than 32 bytes");
    hand_in(&f, LIMIT_CREDENTIAL_MIN - 1);
    refused(&f, "less than 32 bytes");
    hand_in(&f, LIMIT_CREDENTIAL + 1);
    refused(&f, "more than 1024 bytes");
    teardown(&f);
}
END_TEST

START_TEST(one_that_others_may_read_is_refused)
{
    struct fixture f;
    setup(&f);
    hand_in(&f, SEAL_KEY);
    static const mode_t modes[] = {0404, 0402, 0440, 0420, 0401};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        ck_assert_int_eq(chmod(f.path, modes[i]), 0);
        refused(&f, "others may read it");
    }
    ck_assert_int_eq(chmod(f.path, 0600), 0);
    ck_assert_ok(get(&f));
    if (geteuid() == 0) { /* who else can give a file away */
        ck_assert_int_eq(chown(f.path, 12345, 0), 0);
        refused(&f, "belongs to another user");
    }
    teardown(&f);
}
END_TEST

/* As the service manager gives its own file to the user of the service: the mask of the access list
 * shows as the group's bits. */
START_TEST(an_access_list_shows_as_the_groups_bits)
{
    /* Version 2; owner r, user 12345 r, group none, mask r, others none. */
    static const uint8_t list[] = {
        2, 0,    0,    0,    1,    0,    4,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,
        0, 0x39, 0x30, 0,    0,    4,    0,    0, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
        4, 0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff};
    struct fixture f;
    struct stat st;
    setup(&f);
    hand_in(&f, SEAL_KEY);
    if (setxattr(f.path, "system.posix_acl_access", list, sizeof list, 0) == 0) {
        ck_assert_int_eq(stat(f.path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0440);
        ck_assert_ok(get(&f));
    } else {
        fprintf(stderr, "no access lists on this file system\n");
    }
    teardown(&f);
}
END_TEST

START_TEST(what_is_no_file_of_its_own_is_refused)
{
    struct fixture f;
    char other[TMPDIR_PATH + 16];
    setup(&f);
    hand_in(&f, SEAL_KEY);
    snprintf(other, sizeof other, "%s/other", f.folder);
    ck_assert_int_eq(rename(f.path, other), 0);
    ck_assert_int_eq(symlink(other, f.path), 0);
    refused(&f, "symbolic link");
    ck_assert_int_eq(unlink(f.path), 0);
    ck_assert_int_eq(symlink("nowhere", f.path), 0);
    refused(&f, "symbolic link"); /* it is there, so that nobody makes another key */
    ck_assert_int_eq(unlink(f.path), 0);
    ck_assert_int_eq(mkdir(f.path, 0700), 0);
    refused(&f, "not a file");
    ck_assert_int_eq(rmdir(f.path), 0);
    ck_assert_int_eq(mkfifo(f.path, 0600), 0);
    refused(&f, "not a file");
    teardown(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, none_was_handed_in);
    tcase_add_test(tc, one_of_32_bytes_is_the_key_and_a_longer_one_is_hashed);
    tcase_add_test(tc, a_short_or_long_one_is_refused);
    tcase_add_test(tc, one_that_others_may_read_is_refused);
    tcase_add_test(tc, an_access_list_shows_as_the_groups_bits);
    tcase_add_test(tc, what_is_no_file_of_its_own_is_refused);
}

int main(void)
{
    return unit_main("daemon/credential", add);
}
