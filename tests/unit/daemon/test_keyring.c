/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"
#include "store/erase.h"

static const struct keyring_cost cheap = {.ops = 1, .mem_kib = 8};

struct fixture {
    char home[TMPDIR_PATH];
    struct keyring keyring;
    char path[TMPDIR_PATH + 64];
    struct unit_env env;
    uint8_t root[SEAL_KEY];
    uint8_t got[SEAL_KEY];
    uint8_t secret[SEAL_KEY];
};

static void setup(struct fixture *f)
{
    tmpdir_make(f->home);
    f->keyring = (struct keyring){.home = f->home};
    unit_env_init(&f->env, 3, 0);
}

static const char *at(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->home, name);
    return f->path;
}

static bool exists(struct fixture *f, const char *name)
{
    return access(at(f, name), F_OK) == 0;
}

static void write_file(const char *path, const void *p, size_t len)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(p, 1, len, out), len);
    fclose(out);
}

static enum err create(struct fixture *f, const char *passphrase)
{
    struct node_root root;
    enum err err =
        keyring_account_create_at(&f->keyring, 1, unit_str(passphrase), &f->env.env, cheap, &root);
    if (err == ERR_OK) {
        memcpy(f->root, root.r, sizeof f->root);
    }
    return err;
}

static enum err open_as(struct fixture *f, uint32_t account, const char *passphrase,
                        uint32_t generation)
{
    struct node_root root;
    enum err err =
        keyring_account_open(&f->keyring, account, unit_str(passphrase), generation, &root);
    memcpy(f->got, root.r, sizeof f->got);
    memcpy(f->secret, root.secret, sizeof f->secret);
    return err;
}

static enum err open_with(struct fixture *f, const char *passphrase)
{
    return open_as(f, 1, passphrase, 1);
}

START_TEST(the_node_key_is_made_once_and_private)
{
    struct fixture f;
    struct stat st;
    setup(&f);
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.root));
    ck_assert_int_eq(stat(at(&f, "node.key"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(st.st_size, SEAL_KEY);
    ck_assert(!exists(&f, "node.key.new"));
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.got));
    ck_assert_mem_eq(f.root, f.got, SEAL_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_node_key_that_others_may_read_is_refused)
{
    struct fixture f;
    setup(&f);
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.root));
    ck_assert_int_eq(chmod(at(&f, "node.key"), 0640), 0);
    ck_assert_err(keyring_node_key(&f.keyring, true, f.got), ERR_CONFIG);
    ck_assert_int_eq(chmod(f.path, 0604), 0);
    ck_assert_err(keyring_node_key(&f.keyring, true, f.got), ERR_CONFIG);
    ck_assert_int_eq(chmod(f.path, 0400), 0);
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.got));
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_node_key_of_the_wrong_size_is_corrupt_and_stays)
{
    struct fixture f;
    struct stat st;
    setup(&f);
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.root));
    ck_assert_int_eq(truncate(at(&f, "node.key"), 31), 0);
    ck_assert_err(keyring_node_key(&f.keyring, true, f.got), ERR_CORRUPT);
    ck_assert_int_eq(stat(f.path, &st), 0);
    ck_assert_int_eq(st.st_size, 31);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_node_key_may_be_a_credential)
{
    struct fixture f;
    uint8_t key[SEAL_KEY];
    memset(key, 0x42, sizeof key);
    setup(&f);
    f.keyring.node = key;
    ck_assert_ok(keyring_node_key(&f.keyring, false, f.got));
    ck_assert_mem_eq(f.got, key, SEAL_KEY);
    ck_assert(!exists(&f, "node.key"));
    write_file(at(&f, "node.key"), key, sizeof key);
    ck_assert_int_eq(chmod(f.path, 0600), 0);
    ck_assert_ok(keyring_node_key(&f.keyring, false, f.got)); /* the file is not gone yet */
    key[0] ^= 1;
    ck_assert_err(keyring_node_key(&f.keyring, false, f.got), ERR_WRONG_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(no_new_node_key_is_made_for_a_home_that_is_not_new)
{
    struct fixture f;
    setup(&f);
    ck_assert_err(keyring_node_key(&f.keyring, false, f.got), ERR_NO_CREDENTIAL);
    ck_assert(!exists(&f, "node.key"));
    ck_assert_ok(keyring_node_key(&f.keyring, true, f.root));
    ck_assert_ok(keyring_node_key(&f.keyring, false, f.got));
    ck_assert_mem_eq(f.root, f.got, SEAL_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_credential_opens_what_was_put_under_it_and_nothing_else_does)
{
    struct fixture f;
    uint8_t key[SEAL_KEY];
    memset(key, 0x42, sizeof key);
    setup(&f);
    f.keyring.account = key;
    ck_assert_ok(create(&f, ""));
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 1), KEYRING_CREDENTIAL);
    ck_assert(!exists(&f, "account-1.key"));
    ck_assert_ok(open_with(&f, ""));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    key[0] ^= 1;
    ck_assert_err(open_with(&f, ""), ERR_WRONG_KEY);
    f.keyring.account = NULL;
    ck_assert_err(open_with(&f, ""), ERR_NO_CREDENTIAL);
    ck_assert_err(open_with(&f, "any"), ERR_NO_CREDENTIAL);
    tmpdir_remove(f.home);
}
END_TEST

/* As programs wrote it that had no kind of its own for it. */
START_TEST(a_credential_opens_an_account_of_kind_2_too)
{
    struct fixture f;
    setup(&f);
    uint8_t key[SEAL_KEY];
    ck_assert_ok(create(&f, ""));
    ck_assert_ok(open_with(&f, ""));
    memcpy(key, f.secret, sizeof key);
    ck_assert_int_eq(unlink(at(&f, "account-1.key")), 0);
    ck_assert_err(open_with(&f, ""), ERR_WRONG_KEY);
    f.keyring.account = key;
    ck_assert_ok(open_with(&f, ""));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_passphrase_opens_the_account_and_no_other_does)
{
    struct fixture f;
    static const uint8_t zeros[SEAL_KEY];
    setup(&f);
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 1), KEYRING_NONE);
    ck_assert_err(open_with(&f, "correct horse"), ERR_NO_ACCOUNT);
    ck_assert_ok(create(&f, "correct horse"));
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 1), KEYRING_PASSPHRASE);
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 2), KEYRING_NONE);
    ck_assert(!exists(&f, "account-1.key"));
    ck_assert_ok(open_with(&f, "correct horse"));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    ck_assert_err(open_with(&f, "correct horsf"), ERR_WRONG_KEY);
    ck_assert_mem_eq(f.got, zeros, SEAL_KEY);
    ck_assert_err(open_with(&f, ""), ERR_WRONG_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(the_usual_cost_is_written_and_opens)
{
    struct fixture f;
    setup(&f);
    struct node_root root;
    ck_assert_ok(keyring_account_create(&f.keyring, 1, unit_str("pw"), &f.env.env, &root));
    memcpy(f.root, root.r, sizeof f.root);
    ck_assert_ok(open_with(&f, "pw"));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    FILE *in = fopen(at(&f, "erase-1"), "rb");
    uint8_t header[30];
    ck_assert_uint_eq(fread(header, 1, sizeof header, in), sizeof header);
    fclose(in);
    ck_assert_mem_eq(header + 22, "\0\0\0\3\0\4\0\0", 8); /* 3 passes, 256 MiB */
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(without_a_passphrase_a_key_file_opens_the_account)
{
    struct fixture f;
    struct stat st;
    setup(&f);
    ck_assert_ok(create(&f, ""));
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 1), KEYRING_KEY_FILE);
    ck_assert_int_eq(stat(at(&f, "account-1.key"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_ok(open_with(&f, ""));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    ck_assert_int_eq(chmod(f.path, 0644), 0);
    ck_assert_err(open_with(&f, ""), ERR_CONFIG);
    ck_assert_int_eq(unlink(f.path), 0);
    ck_assert_err(open_with(&f, ""), ERR_WRONG_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_new_creation_replaces_an_orphan)
{
    struct fixture f;
    uint8_t first[SEAL_KEY];
    setup(&f);
    ck_assert_ok(create(&f, ""));
    memcpy(first, f.root, sizeof first);
    ck_assert_ok(create(&f, "pw"));
    ck_assert_mem_ne(first, f.root, SEAL_KEY);
    ck_assert(!exists(&f, "account-1.key"));
    ck_assert_ok(open_with(&f, "pw"));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_damaged_or_foreign_erase_file_is_corrupt)
{
    struct fixture f;
    char second[TMPDIR_PATH + 64];
    setup(&f);
    ck_assert_ok(create(&f, "pw"));
    snprintf(second, sizeof second, "%s/erase-2", f.home);
    ck_assert_int_eq(link(at(&f, "erase-1"), second), 0);
    ck_assert_err(open_as(&f, 2, "pw", 1), ERR_CORRUPT);
    ck_assert_int_eq(truncate(f.path, 100), 0);
    ck_assert_err(open_with(&f, "pw"), ERR_CORRUPT);
    ck_assert_int_eq(keyring_account_kind(&f.keyring, 1), KEYRING_KEY_FILE);
    tmpdir_remove(f.home);
}
END_TEST

static enum err put_root(struct fixture *f, uint32_t generation, uint8_t byte)
{
    struct node_root root = {.account = 1, .generation = generation};
    memcpy(root.secret, f->secret, sizeof root.secret);
    memset(root.r, byte, sizeof root.r);
    return keyring_root_put(&f->keyring, &f->env.env, &root);
}

static void read_erase(struct fixture *f, uint8_t out[static ERASE_FILE])
{
    FILE *in = fopen(at(f, "erase-1"), "rb");
    ck_assert_ptr_nonnull(in);
    ck_assert_uint_eq(fread(out, 1, ERASE_FILE, in), ERASE_FILE);
    fclose(in);
}

START_TEST(another_root_lies_beside_the_one_in_use_until_that_is_dropped)
{
    struct fixture f;
    uint8_t before[ERASE_FILE];
    uint8_t bytes[ERASE_FILE];
    static const uint8_t zeros[ERASE_BLOCK];
    setup(&f);
    ck_assert_ok(create(&f, "pw"));
    ck_assert_ok(open_with(&f, "pw"));
    read_erase(&f, before);
    ck_assert_ok(put_root(&f, 2, 0x52));
    ck_assert_ok(put_root(&f, 2, 0x55)); /* the core was built again, and drew another */
    ck_assert_ok(open_as(&f, 1, "pw", 1));
    ck_assert_mem_eq(f.got, f.root, SEAL_KEY);
    ck_assert_ok(open_as(&f, 1, "pw", 2));
    ck_assert_uint_eq(f.got[0], 0x55);
    ck_assert_err(open_as(&f, 1, "pw", 3), ERR_ROLLBACK);
    ck_assert_err(open_as(&f, 1, "wrong", 3), ERR_WRONG_KEY);
    ck_assert_ok(open_as(&f, 1, "pw", 1));

    ck_assert_ok(keyring_root_keep(&f.keyring, 1, 2));
    ck_assert_ok(keyring_root_keep(&f.keyring, 1, 2));
    read_erase(&f, bytes);
    ck_assert_mem_eq(bytes, before, ERASE_BLOCK); /* the header is the same */
    ck_assert_mem_eq(bytes + ERASE_BLOCK, zeros, ERASE_BLOCK);
    ck_assert_err(open_as(&f, 1, "pw", 1), ERR_ROLLBACK);
    ck_assert_ok(open_as(&f, 1, "pw", 2));
    ck_assert_ok(put_root(&f, 3, 0x66)); /* into the first slot again */
    ck_assert_ok(keyring_root_keep(&f.keyring, 1, 3));
    ck_assert_ok(open_as(&f, 1, "pw", 3));
    ck_assert_uint_eq(f.got[0], 0x66);
    ck_assert_err(open_as(&f, 1, "pw", 2), ERR_ROLLBACK);
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(no_root_is_dropped_for_one_that_is_not_there)
{
    struct fixture f;
    uint8_t bytes[ERASE_FILE];
    uint8_t after[ERASE_FILE];
    setup(&f);
    ck_assert_ok(create(&f, ""));
    ck_assert_ok(open_with(&f, ""));
    ck_assert_ok(put_root(&f, 2, 0x55));
    read_erase(&f, bytes);
    ck_assert_err(keyring_root_keep(&f.keyring, 1, 7), ERR_CORRUPT);
    ck_assert_err(put_root(&f, 9, 0x99), ERR_CORRUPT);
    f.secret[0] ^= 1;
    ck_assert_err(put_root(&f, 2, 0x77), ERR_WRONG_KEY);
    f.secret[0] ^= 1;
    ck_assert_err(keyring_root_keep(&f.keyring, 2, 1), ERR_NO_ACCOUNT);
    read_erase(&f, after);
    ck_assert_mem_eq(bytes, after, sizeof bytes);
    /* A slot that was being written when the machine stopped. */
    bytes[2 * ERASE_BLOCK + 50] ^= 1;
    write_file(at(&f, "erase-1"), bytes, sizeof bytes);
    ck_assert_err(open_as(&f, 1, "", 2), ERR_ROLLBACK);
    ck_assert_err(keyring_root_keep(&f.keyring, 1, 2), ERR_CORRUPT);
    ck_assert_ok(open_as(&f, 1, "", 1));
    ck_assert_ok(keyring_root_keep(&f.keyring, 1, 1));
    read_erase(&f, after);
    for (size_t i = 0; i < ERASE_BLOCK; i++) {
        ck_assert_uint_eq(after[2 * ERASE_BLOCK + i], 0);
    }
    ck_assert_ok(open_as(&f, 1, "", 1));
    tmpdir_remove(f.home);
}
END_TEST

START_TEST(a_home_that_is_not_there_is_an_error)
{
    struct fixture f;
    setup(&f);
    tmpdir_remove(f.home);
    struct node_root root;
    memset(f.root, 7, sizeof f.root);
    ck_assert_err(keyring_node_key(&f.keyring, true, f.root), ERR_IO);
    ck_assert_err(create(&f, ""), ERR_IO);
    ck_assert_uint_eq(f.root[0], 7);
    ck_assert_err(keyring_account_create_at(&f.keyring, 0, unit_str(""), &f.env.env, cheap, &root),
                  ERR_ARGUMENT);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_node_key_is_made_once_and_private);
    tcase_add_test(tc, a_node_key_that_others_may_read_is_refused);
    tcase_add_test(tc, a_node_key_of_the_wrong_size_is_corrupt_and_stays);
    tcase_add_test(tc, a_node_key_may_be_a_credential);
    tcase_add_test(tc, no_new_node_key_is_made_for_a_home_that_is_not_new);
    tcase_add_test(tc, a_credential_opens_what_was_put_under_it_and_nothing_else_does);
    tcase_add_test(tc, a_credential_opens_an_account_of_kind_2_too);
    tcase_add_test(tc, a_passphrase_opens_the_account_and_no_other_does);
    tcase_add_test(tc, the_usual_cost_is_written_and_opens);
    tcase_add_test(tc, without_a_passphrase_a_key_file_opens_the_account);
    tcase_add_test(tc, a_new_creation_replaces_an_orphan);
    tcase_add_test(tc, a_damaged_or_foreign_erase_file_is_corrupt);
    tcase_add_test(tc, another_root_lies_beside_the_one_in_use_until_that_is_dropped);
    tcase_add_test(tc, no_root_is_dropped_for_one_that_is_not_there);
    tcase_add_test(tc, a_home_that_is_not_there_is_an_error);
}

int main(void)
{
    return unit_main("daemon/keyring", add);
}
