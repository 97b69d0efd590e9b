/* SPDX-License-Identifier: Apache-2.0
 *
 * keyring_change: what opens an account is exchanged, and every step of that may be the last one:
 * because the process is killed before it, or because it fails. The linker hands the calls that
 * change the disk to us first. docs/protocol/08-at-rest.md, section 8.11.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keyring.h"
#include "lib/tmpdir.h"
#include "lib/unit.h"
#include "store/erase.h"

static const struct keyring_cost cheap = {.ops = 1, .mem_kib = 8};

/* --- the disk --- */

enum {
    NEVER = 0,
    STEPS_MAX = 100, /* more than any change takes */
    TRACE = 512,
};

static struct {
    unsigned steps; /* changes so far */
    unsigned last;  /* the process ends before this one; NEVER */
    unsigned fails; /* this one fails, and with forever all behind it; NEVER */
    bool forever;
    bool no_exchange; /* the file system knows none */
    char trace[TRACE];
} disk;

/* Whether the step fails. */
static bool step(const char *what)
{
    disk.steps++;
    if (disk.steps == disk.last) {
        (void)kill(getpid(), SIGKILL);
    }
    size_t used = strlen(disk.trace);
    (void)snprintf(disk.trace + used, sizeof disk.trace - used, "%s ", what);
    bool fails =
        disk.fails != NEVER && (disk.forever ? disk.steps >= disk.fails : disk.steps == disk.fails);
    if (fails) {
        errno = ENOSPC;
    }
    return fails;
}

int __real_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_fsync(int fd);
ssize_t __real_write(int fd, const void *p, size_t len);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_fsync(int fd);
ssize_t __wrap_write(int fd, const void *p, size_t len);

int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    if (disk.no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return step("exchange") ? -1 : __real_renameat2(from_at, from, to_at, to, flags);
}

int __wrap_rename(const char *from, const char *to)
{
    return step("rename") ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    return access(path, F_OK) == 0 && step("unlink") ? -1 : __real_unlink(path);
}

int __wrap_fsync(int fd)
{
    struct stat st;
    bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return step(folder ? "flush-folder" : "flush") ? -1 : __real_fsync(fd);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
    static const uint8_t zeros[ERASE_FILE];
    bool empty = len <= sizeof zeros && memcmp(p, zeros, len) == 0;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return __real_write(fd, p, len); /* Check's own pipes */
    }
    return step(empty ? "zeros" : "write") ? -1 : __real_write(fd, p, len);
}

/* --- accounts --- */

enum {
    PASSPHRASE,
    OTHER_PASSPHRASE,
    KEY_FILE,
    CREDENTIAL,
    WAYS
};

struct fixture {
    char home[TMPDIR_PATH];
    char beside[TMPDIR_PATH]; /* other names of the files that go */
    char path[TMPDIR_PATH + 64];
    uint8_t credential[SEAL_KEY];
    struct keyring keyring;
    struct unit_env env;
    struct node_root made;
};

static struct slice phrase(int way)
{
    return way == PASSPHRASE         ? unit_str("correct horse")
           : way == OTHER_PASSPHRASE ? unit_str("battery staple")
                                     : slice_of(NULL, 0);
}

static struct keyring_change change_of(int from, int to)
{
    enum keyring_kind kind = to == KEY_FILE     ? KEYRING_KEY_FILE
                             : to == CREDENTIAL ? KEYRING_CREDENTIAL
                                                : KEYRING_PASSPHRASE;
    return (struct keyring_change){
        .passphrase = phrase(from), .to = kind, .fresh = phrase(to), .cost = cheap};
}

static const char *at(struct fixture *f, const char *folder, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", folder, name);
    return f->path;
}

/* Gives a file of the home another name, under which it can be looked at when it is gone. */
static void watch(struct fixture *f, const char *name)
{
    char beside[TMPDIR_PATH + 64];
    snprintf(beside, sizeof beside, "%s/%s", f->beside, name);
    if (access(at(f, f->home, name), F_OK) == 0) {
        ck_assert_int_eq(link(f->path, beside), 0);
    }
}

static void setup(struct fixture *f, int way)
{
    memset(&disk, 0, sizeof disk);
    tmpdir_make(f->home);
    tmpdir_make(f->beside);
    unit_env_init(&f->env, 3, 0);
    memset(f->credential, 0x42, sizeof f->credential);
    f->keyring = (struct keyring){.home = f->home};
    f->keyring.account = way == CREDENTIAL ? f->credential : NULL;
    ck_assert_ok(
        keyring_account_create_at(&f->keyring, 1, phrase(way), &f->env.env, cheap, &f->made));
    f->keyring.account = f->credential;
    watch(f, "erase-1");
    watch(f, "account-1.key");
    memset(&disk, 0, sizeof disk);
}

static void teardown(struct fixture *f)
{
    memset(&disk, 0, sizeof disk);
    tmpdir_remove(f->home);
    tmpdir_remove(f->beside);
}

static enum err change(struct fixture *f, int from, int to, struct node_root *root)
{
    struct keyring_change c = change_of(from, to);
    bool left;
    enum err err = keyring_account_change(&f->keyring, 1, &c, 1, &f->env.env, root, &left);
    return err == ERR_OK && left ? ERR_NOT_NOW : err;
}

/* Which way opens the account, and gives the R that it was made with; -1: none, -2: several. */
static int in_force(struct fixture *f)
{
    static const enum keyring_kind kinds[WAYS] = {KEYRING_PASSPHRASE, KEYRING_PASSPHRASE,
                                                  KEYRING_KEY_FILE, KEYRING_CREDENTIAL};
    int found = -1;
    for (int way = 0; way < WAYS; way++) {
        struct node_root root;
        if (kinds[way] == keyring_account_kind(&f->keyring, 1) &&
            keyring_account_open(&f->keyring, 1, phrase(way), 1, &root) == ERR_OK) {
            ck_assert_mem_eq(root.r, f->made.r, sizeof root.r);
            found = found == -1 ? way : -2;
        }
    }
    return found;
}

/* Whether the home has just the files that it needs. */
static bool tidy(struct fixture *f, int way)
{
    DIR *dir = opendir(f->home);
    ck_assert_ptr_nonnull(dir);
    bool good = true;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        good = good && (e->d_name[0] == '.' || strcmp(e->d_name, "erase-1") == 0 ||
                        (way == KEY_FILE && strcmp(e->d_name, "account-1.key") == 0));
    }
    closedir(dir);
    return good;
}

/* Whether a watched file holds nothing but zeros; so does one that there never was. */
static bool zeroed(struct fixture *f, const char *name)
{
    FILE *in = fopen(at(f, f->beside, name), "rb");
    bool zeros = true;
    for (int c = 0; in != NULL && (c = fgetc(in)) != EOF;) {
        zeros = zeros && c == 0;
    }
    if (in != NULL) {
        fclose(in);
    }
    return zeros;
}

static void everything_of_before_is_gone(struct fixture *f, int way)
{
    ck_assert(tidy(f, way));
    ck_assert(zeroed(f, "erase-1"));
    ck_assert(zeroed(f, "account-1.key"));
}

/* All exchanges of one way for another. */
struct pair {
    int from;
    int to;
};

static bool next_pair(struct pair *p)
{
    do {
        p->to++;
        p->from += p->to == WAYS ? 1 : 0;
        p->to %= WAYS;
    } while (p->from < WAYS && p->from == p->to);
    return p->from < WAYS;
}

START_TEST(each_way_can_be_exchanged_for_each_other)
{
    struct pair p = {0, 0};
    unsigned count = 0;
    for (; next_pair(&p); count++) {
        struct fixture f;
        struct node_root root;
        struct node_root opened;
        setup(&f, p.from);
        ck_assert_int_eq(in_force(&f), p.from);
        ck_assert_ok(change(&f, p.from, p.to, &root));
        ck_assert_int_eq(in_force(&f), p.to);
        everything_of_before_is_gone(&f, p.to);
        /* What the caller was told is what opens it; the roots are due to be replaced. */
        ck_assert_ok(keyring_account_open(&f.keyring, 1, phrase(p.to), 1, &opened));
        ck_assert_mem_eq(&root, &opened, sizeof root);
        ck_assert_uint_eq(root.former, 1);
        ck_assert_mem_ne(root.secret, f.made.secret, sizeof root.secret);
        /* The next root is sealed under the new secret, and is not due. */
        root.generation = 2;
        ck_assert_ok(keyring_root_put(&f.keyring, &f.env.env, &root));
        ck_assert_ok(keyring_root_keep(&f.keyring, 1, 2));
        ck_assert_ok(keyring_account_open(&f.keyring, 1, phrase(p.to), 2, &opened));
        ck_assert_uint_eq(opened.former, 1);
        teardown(&f);
    }
    ck_assert_uint_eq(count, WAYS * (WAYS - 1));
}
END_TEST

/* The process is killed before the k-th change of the disk, for each k. */
static unsigned killed_at(struct pair p, unsigned k, bool *over)
{
    struct fixture f;
    struct node_root root;
    int status;
    setup(&f, p.from);
    pid_t child = fork();
    if (child == 0) {
        disk.last = k;
        _exit(change(&f, p.from, p.to, &root) == ERR_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    *over = WIFEXITED(status);
    ck_assert(!*over || WEXITSTATUS(status) == 0);
    int way = in_force(&f);
    ck_assert_msg(way == p.from || way == p.to, "%d to %d, killed before %u: %d", p.from, p.to, k,
                  way);
    ck_assert(way == p.to || !zeroed(&f, "erase-1"));
    /* The next start tidies up, and changes nothing of that. */
    ck_assert_ok(keyring_account_tidy(&f.keyring, 1));
    ck_assert_int_eq(in_force(&f), way);
    ck_assert(tidy(&f, way));
    if (way == p.to) {
        everything_of_before_is_gone(&f, way);
    }
    /* And it can be called again, with what was in force before, whatever is now. */
    ck_assert_ok(change(&f, p.from, p.to, &root));
    ck_assert_int_eq(in_force(&f), p.to);
    everything_of_before_is_gone(&f, p.to);
    teardown(&f);
    return way == p.to;
}

START_TEST(a_kill_at_any_point_leaves_an_account_that_opens_with_one_of_the_two)
{
    struct pair p = {0, 0};
    while (next_pair(&p)) {
        bool over = false;
        unsigned after = 0;
        unsigned k = 0;
        while (!over) {
            k++;
            ck_assert_uint_lt(k, STEPS_MAX);
            unsigned now = killed_at(p, k, &over);
            ck_assert(now || after == 0); /* once in force, it stays */
            after += now;
        }
        ck_assert_uint_gt(k, 7);
        ck_assert_uint_gt(after, 3);
        ck_assert_uint_lt(after, k);
    }
}
END_TEST

/* The k-th change of the disk fails, alone or with all that follow. */
static bool failed_at(struct pair p, unsigned k, bool forever)
{
    struct fixture f;
    struct node_root root;
    setup(&f, p.from);
    disk.fails = k;
    disk.forever = forever;
    enum err err = change(&f, p.from, p.to, &root);
    bool over = disk.steps < k;
    disk.fails = NEVER;
    int way = in_force(&f);
    /* ERR_NOT_NOW: done, but something of before is left. */
    int told = err == ERR_OK || err == ERR_NOT_NOW ? p.to : p.from;
    /* A folder that cannot be flushed is set right; a disk that takes nothing any more is not. */
    bool dead = forever && err == ERR_IO && way == p.to;
    ck_assert_msg(way == told || dead, "%d to %d, %u fails: %s, but it opens with %d", p.from, p.to,
                  k, err_name(err), way);
    if (told == p.from) {
        static const struct node_root none;
        ck_assert_mem_eq(&root, &none, sizeof none);
        ck_assert(err == ERR_DISK_FULL || err == ERR_IO);
        ck_assert(!zeroed(&f, "erase-1"));
    }
    ck_assert_ok(keyring_account_tidy(&f.keyring, 1));
    ck_assert_int_eq(in_force(&f), way);
    ck_assert(tidy(&f, way));
    ck_assert_ok(change(&f, p.from, p.to, &root));
    everything_of_before_is_gone(&f, p.to);
    teardown(&f);
    return over;
}

START_TEST(a_change_that_fails_leaves_the_old_one_in_force)
{
    struct pair p = {0, 0};
    unsigned count = 0;
    while (next_pair(&p)) {
        for (int forever = 0; forever < 2; forever++) {
            unsigned k = 1;
            while (!failed_at(p, k, forever)) {
                ck_assert_uint_lt(k, STEPS_MAX);
                k++;
                count++;
            }
        }
    }
    ck_assert_uint_gt(count, 120);
}
END_TEST

/* There the old file cannot be found after a kill, and nothing else differs. */
START_TEST(a_file_system_that_cannot_exchange_gets_a_rename)
{
    struct pair p = {0, 0};
    while (next_pair(&p)) {
        bool over = false;
        for (unsigned k = 1; !over; k++) {
            struct fixture f;
            struct node_root root;
            int status;
            setup(&f, p.from);
            disk.no_exchange = true;
            pid_t child = fork();
            if (child == 0) {
                disk.last = k;
                _exit(change(&f, p.from, p.to, &root) == ERR_OK ? 0 : 1);
            }
            ck_assert_int_eq(waitpid(child, &status, 0), child);
            over = WIFEXITED(status);
            ck_assert(!over || WEXITSTATUS(status) == 0);
            int way = in_force(&f);
            ck_assert(way == p.to || (way == p.from && !over));
            ck_assert_ok(keyring_account_tidy(&f.keyring, 1));
            ck_assert_int_eq(in_force(&f), way);
            ck_assert(tidy(&f, way));
            if (over) {
                everything_of_before_is_gone(&f, way);
            }
            teardown(&f);
        }
    }
}
END_TEST

START_TEST(what_is_in_force_is_on_the_disk_before_what_was_is_overwritten)
{
    struct fixture f;
    struct node_root root;
    setup(&f, PASSPHRASE);
    ck_assert_ok(change(&f, PASSPHRASE, OTHER_PASSPHRASE, &root));
    ck_assert_str_eq(disk.trace, "write flush exchange flush-folder "
                                 "flush-folder zeros flush unlink flush-folder ");
    teardown(&f);
    setup(&f, KEY_FILE);
    ck_assert_ok(change(&f, KEY_FILE, PASSPHRASE, &root));
    ck_assert_str_eq(disk.trace, "write flush exchange flush-folder "
                                 "flush-folder zeros flush unlink "
                                 "flush-folder zeros flush unlink flush-folder ");
    teardown(&f);
    setup(&f, PASSPHRASE);
    ck_assert_ok(change(&f, PASSPHRASE, KEY_FILE, &root));
    ck_assert_str_eq(disk.trace, "write flush rename flush-folder "
                                 "write flush exchange flush-folder "
                                 "flush-folder zeros flush unlink flush-folder ");
    teardown(&f);
}
END_TEST

START_TEST(a_wrong_passphrase_changes_nothing)
{
    struct fixture f;
    struct node_root root;
    static const struct node_root none;
    struct keyring_change c = change_of(OTHER_PASSPHRASE, KEY_FILE);
    bool left;
    setup(&f, PASSPHRASE);
    ck_assert_err(change(&f, OTHER_PASSPHRASE, KEY_FILE, &root), ERR_WRONG_KEY);
    ck_assert_err(change(&f, KEY_FILE, CREDENTIAL, &root), ERR_WRONG_KEY); /* none is given */
    ck_assert_mem_eq(&root, &none, sizeof root);
    c.fresh = unit_str("x");
    ck_assert_err(keyring_account_change(&f.keyring, 1, &c, 1, &f.env.env, &root, &left),
                  ERR_ARGUMENT);
    c = change_of(PASSPHRASE, OTHER_PASSPHRASE);
    c.fresh.len = 0;
    ck_assert_err(keyring_account_change(&f.keyring, 1, &c, 1, &f.env.env, &root, &left),
                  ERR_ARGUMENT);
    c = change_of(PASSPHRASE, OTHER_PASSPHRASE);
    ck_assert_err(keyring_account_change(&f.keyring, 1, &c, 2, &f.env.env, &root, &left),
                  ERR_ROLLBACK);
    ck_assert_err(keyring_account_change(&f.keyring, 2, &c, 1, &f.env.env, &root, &left),
                  ERR_NO_ACCOUNT);
    f.keyring.account = NULL;
    ck_assert_err(change(&f, PASSPHRASE, CREDENTIAL, &root), ERR_NO_CREDENTIAL);
    ck_assert_uint_eq(disk.steps, 0);
    ck_assert_int_eq(in_force(&f), PASSPHRASE);
    teardown(&f);
}
END_TEST

START_TEST(a_change_that_was_made_is_not_made_again)
{
    for (int to = 0; to < WAYS; to++) {
        struct fixture f;
        struct node_root root;
        struct node_root again;
        int from = to == PASSPHRASE ? KEY_FILE : PASSPHRASE;
        setup(&f, from);
        ck_assert_ok(change(&f, from, to, &root));
        disk.steps = 0;
        ck_assert_ok(change(&f, from, to, &again));
        ck_assert_mem_eq(&root, &again, sizeof root);
        ck_assert_uint_le(disk.steps, 1); /* the folder's flush */
        teardown(&f);
    }
}
END_TEST

/* The store may name either root by the time the file is there. */
START_TEST(both_roots_of_a_file_are_taken_along)
{
    struct fixture f;
    struct node_root root;
    struct node_root opened;
    setup(&f, PASSPHRASE);
    root = f.made;
    root.generation = 2;
    memset(root.r, 0x55, sizeof root.r);
    ck_assert_ok(keyring_root_put(&f.keyring, &f.env.env, &root));
    ck_assert_ok(change(&f, PASSPHRASE, OTHER_PASSPHRASE, &root));
    ck_assert_uint_eq(root.former, 2);
    ck_assert_ok(keyring_account_open(&f.keyring, 1, phrase(OTHER_PASSPHRASE), 2, &opened));
    ck_assert_uint_eq(opened.r[0], 0x55);
    ck_assert_ok(keyring_account_open(&f.keyring, 1, phrase(OTHER_PASSPHRASE), 1, &opened));
    ck_assert_mem_eq(opened.r, f.made.r, sizeof opened.r);
    ck_assert_err(keyring_account_open(&f.keyring, 1, phrase(PASSPHRASE), 2, &opened),
                  ERR_WRONG_KEY);
    ck_assert_ok(keyring_root_keep(&f.keyring, 1, 2));
    ck_assert_err(keyring_account_open(&f.keyring, 1, phrase(OTHER_PASSPHRASE), 1, &opened),
                  ERR_ROLLBACK);
    teardown(&f);
}
END_TEST

START_TEST(an_account_that_is_erased_takes_what_a_kill_left_along)
{
    struct fixture f;
    struct node_root root;
    int status;
    setup(&f, KEY_FILE);
    pid_t child = fork();
    if (child == 0) {
        disk.last = 5; /* behind the exchange */
        _exit(change(&f, KEY_FILE, PASSPHRASE, &root) == ERR_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(access(at(&f, f.home, "erase-1.new"), F_OK), 0);
    ck_assert_int_eq(access(at(&f, f.home, "account-1.key"), F_OK), 0);
    ck_assert(!zeroed(&f, "erase-1") && !zeroed(&f, "account-1.key"));
    ck_assert_ok(keyring_account_erase(&f.keyring, 1));
    ck_assert(zeroed(&f, "erase-1") && zeroed(&f, "account-1.key"));
    ck_assert_int_ne(access(at(&f, f.home, "erase-1"), F_OK), 0);
    ck_assert(tidy(&f, PASSPHRASE));
    teardown(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, each_way_can_be_exchanged_for_each_other);
    tcase_add_test(tc, a_kill_at_any_point_leaves_an_account_that_opens_with_one_of_the_two);
    tcase_add_test(tc, a_change_that_fails_leaves_the_old_one_in_force);
    tcase_add_test(tc, a_file_system_that_cannot_exchange_gets_a_rename);
    tcase_add_test(tc, what_is_in_force_is_on_the_disk_before_what_was_is_overwritten);
    tcase_add_test(tc, a_wrong_passphrase_changes_nothing);
    tcase_add_test(tc, a_change_that_was_made_is_not_made_again);
    tcase_add_test(tc, both_roots_of_a_file_are_taken_along);
    tcase_add_test(tc, an_account_that_is_erased_takes_what_a_kill_left_along);
}

int main(void)
{
    return unit_main("daemon/keyring_change", add);
}
