/* SPDX-License-Identifier: Apache-2.0
 *
 * store_full: a database that has no room any more, in its map or on its disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/ballast.h"
#include "lib/lmdb_rig.h"
#include "lib/tmpdir.h"
#include "lib/unit.h"

enum {
    NO_DISK = 77, /* exit code: no small file system to be had */
    FULL_START_TURNS = 50,
    FULL_START_ROWS = 30, /* a turn: together more than the database's file has kept ahead */
};

/* Turns of 16 rows until one fails; returns the error. *rows: what was committed. */
static enum err fill(struct store_lmdb *db, uint64_t *rows)
{
    static const uint8_t payload[4096];
    struct store_key k;
    for (;;) {
        struct store s;
        enum err err = store_lmdb_begin(db, &s);
        for (uint64_t i = 0; i < 16 && err == ERR_OK; i++) {
            err = store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, *rows + i),
                               slice_of(payload, sizeof payload));
        }
        if (err != ERR_OK) {
            store_lmdb_abort(db);
            return err;
        }
        err = store_lmdb_commit(db);
        if (err != ERR_OK) {
            return err;
        }
        *rows += 16;
    }
}

/* After a failed turn: all committed rows are there, and rows can be deleted, then put again. */
static void check_goes_on(struct store_lmdb *db, uint64_t rows)
{
    struct store_key k;
    struct slice v;
    struct store s = lmdb_rig_begin(db);
    for (uint64_t i = 0; i < rows; i++) {
        ck_assert_ok(store_get(&s, STORE_LOG_1D, lmdb_rig_key(&k, i), &v));
    }
    ck_assert_err(store_get(&s, STORE_LOG_1D, lmdb_rig_key(&k, rows), &v), ERR_NOT_FOUND);
    store_lmdb_abort(db);
    for (uint64_t i = 0; i < rows / 2; i += 8) {
        s = lmdb_rig_begin(db);
        for (uint64_t j = i; j < i + 8; j++) {
            ck_assert_ok(store_del(&s, STORE_LOG_1D, lmdb_rig_key(&k, j)));
        }
        lmdb_rig_commit(db);
    }
    s = lmdb_rig_begin(db);
    ck_assert_ok(store_append(&s, STORE_LOG_1D, lmdb_rig_key(&k, rows), unit_str("again")));
    lmdb_rig_commit(db);
}

START_TEST(a_full_map_fails_the_turn_and_nothing_else)
{
    char dir[TMPDIR_PATH];
    uint64_t rows = 0;
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, 2 << 20);
    struct store s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "logged before");
    lmdb_rig_log(db);
    ck_assert_err(fill(db, &rows), ERR_MAP_FULL);
    ck_assert_uint_gt(rows, 100);
    s = lmdb_rig_begin(db);
    lmdb_rig_put(&s, "logged behind");
    lmdb_rig_log(db);
    check_goes_on(db, rows);
    ck_assert(lmdb_rig_readers_see(db, "logged before"));
    ck_assert(lmdb_rig_readers_see(db, "logged behind"));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static bool ballast_whole(const char *dir)
{
    char path[TMPDIR_PATH + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/ballast", dir);
    return stat(path, &st) == 0 && (uint64_t)st.st_blocks * 512 >= BALLAST_BYTES;
}

START_TEST(the_ballast_is_really_allocated_dropped_and_restored)
{
    char dir[TMPDIR_PATH];
    tmpdir_make(dir);
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert(ballast_whole(dir));
    store_lmdb_ballast_drop(db);
    ck_assert(!ballast_whole(dir));
    store_lmdb_ballast_restore(db);
    ck_assert(ballast_whole(dir));
    ck_assert(!store_lmdb_low_space(db));
    store_lmdb_close(db);
    tmpdir_remove(dir);
}
END_TEST

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Root needs only a mount namespace, others a user namespace in which they are root. */
static bool namespaces(void)
{
    char uid[32];
    char gid[32];
    if (geteuid() == 0) {
        return unshare(CLONE_NEWNS) == 0;
    }
    snprintf(uid, sizeof uid, "0 %u 1", (unsigned)geteuid());
    snprintf(gid, sizeof gid, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/uid_map", uid) &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/gid_map", gid);
}

/* A small file system of our own, where the system lets us have one. */
static bool small_disk(const char *dir)
{
    return namespaces() && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("petrel-test", dir, "tmpfs", 0, "size=96m,mode=0700") == 0;
}

/* A story's exit code: 0 all held, else (an assertion) something failed. */
static int disk_full_story(const char *dir)
{
    uint64_t rows = 0;
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert(ballast_whole(dir));
    struct store s = lmdb_rig_begin(db);
    ck_assert(s.growth);
    store_lmdb_abort(db);
    ck_assert_err(fill(db, &rows), ERR_DISK_FULL);
    ck_assert(store_lmdb_low_space(db));
    s = lmdb_rig_begin(db);
    ck_assert(!s.growth);
    store_lmdb_abort(db);
    store_lmdb_ballast_drop(db);
    check_goes_on(db, rows);
    store_lmdb_ballast_restore(db);
    ck_assert(!ballast_whole(dir)); /* LMDB never shrinks: space is still low */
    store_lmdb_close(db);
    return 0;
}

/* Leaves no byte of the disk free. */
static void fill_disk(const char *dir)
{
    static const uint8_t bytes[4096] = {1};
    char path[TMPDIR_PATH + 16];
    snprintf(path, sizeof path, "%s/filling", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}

static int full_start_story(const char *dir)
{
    static const uint8_t value[4096] = {2};
    struct store_lmdb *db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    for (uint64_t turn = 0; turn < FULL_START_TURNS; turn++) {
        struct store_key k;
        struct wal_range range;
        struct store s = lmdb_rig_begin(db);
        for (uint64_t i = 0; i < FULL_START_ROWS; i++) {
            ck_assert_ok(store_put(&s, STORE_EVENT, lmdb_rig_key(&k, turn * FULL_START_ROWS + i),
                                   slice_of(value, sizeof value)));
        }
        ck_assert_ok(store_lmdb_log(db, &range));
        ck_assert_ok(store_lmdb_flush(db, range));
    }
    store_lmdb_close(db);
    fill_disk(dir);
    db = lmdb_rig_open(dir, LMDB_RIG_MAP);
    ck_assert(!ballast_whole(dir)); /* it was needed */
    ck_assert_uint_eq(store_lmdb_replayed(db), FULL_START_TURNS);
    struct store s = lmdb_rig_begin(db);
    struct slice row;
    struct store_key k;
    for (uint64_t i = 0; i < FULL_START_TURNS * FULL_START_ROWS; i++) {
        ck_assert_ok(store_get(&s, STORE_EVENT, lmdb_rig_key(&k, i), &row));
        ck_assert(slice_equal(row, slice_of(value, sizeof value)));
    }
    store_lmdb_abort(db);
    uint64_t before = lmdb_rig_state(db);
    store_lmdb_close(db);
    fill_disk(dir);
    db = lmdb_rig_open(dir, LMDB_RIG_MAP); /* with nothing to take over it needs no room */
    ck_assert_uint_eq(lmdb_rig_state(db), before);
    store_lmdb_close(db);
    return 0;
}

/* Runs a story that has a small disk in a process of its own. */
static void on_small_disk(int (*story)(const char *dir), const char *name)
{
    char dir[TMPDIR_PATH];
    int status;
    tmpdir_make(dir);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(small_disk(dir) ? story(dir) : NO_DISK);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_DISK) {
        fprintf(stderr, "SKIPPED %s: no mount namespace here\n", name);
    } else {
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    }
    tmpdir_remove(dir);
}

START_TEST(a_full_disk_fails_the_turn_and_the_ballast_lets_it_delete)
{
    on_small_disk(disk_full_story, "a_full_disk_fails_the_turn_...");
}
END_TEST

START_TEST(a_start_on_a_full_disk_takes_over_what_the_log_holds)
{
    on_small_disk(full_start_story, "a_start_on_a_full_disk_...");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_full_map_fails_the_turn_and_nothing_else);
    tcase_add_test(tc, the_ballast_is_really_allocated_dropped_and_restored);
    tcase_add_test(tc, a_full_disk_fails_the_turn_and_the_ballast_lets_it_delete);
    tcase_add_test(tc, a_start_on_a_full_disk_takes_over_what_the_log_holds);
}

int main(void)
{
    return unit_main("daemon/store_full", add);
}
