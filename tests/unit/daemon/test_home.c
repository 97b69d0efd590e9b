/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/home.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tmpdir.h"
#include "lib/unit.h"

static char REASON[HOME_REASON];

static void clear_environment(void)
{
    unsetenv("PETREL_HOME");
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("HOME");
}

START_TEST(the_flag_comes_before_the_environment_and_that_before_the_user)
{
    char out[HOME_PATH];
    char cwd[HOME_PATH];
    char want[HOME_PATH + 16];
    clear_environment();
    ck_assert_err(home_resolve(NULL, out), ERR_CONFIG);
    ck_assert_err(home_resolve("", out), ERR_CONFIG);
    setenv("HOME", "/home/x", 1);
    setenv("XDG_DATA_HOME", "relative", 1);
    ck_assert_ok(home_resolve(NULL, out));
    ck_assert_str_eq(out, "/home/x/.local/share/petrel");
    setenv("XDG_DATA_HOME", "/data", 1);
    ck_assert_ok(home_resolve(NULL, out));
    ck_assert_str_eq(out, "/data/petrel");
    setenv("PETREL_HOME", "/petrel", 1);
    ck_assert_ok(home_resolve(NULL, out));
    ck_assert_str_eq(out, "/petrel");
    ck_assert_ok(home_resolve("/flag", out));
    ck_assert_str_eq(out, "/flag");
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    snprintf(want, sizeof want, "%s/here", cwd);
    ck_assert_ok(home_resolve("here", out));
    ck_assert_str_eq(out, want);
}
END_TEST

START_TEST(a_home_is_made_private_with_the_folders_above)
{
    char dir[TMPDIR_PATH];
    char path[TMPDIR_PATH + 32];
    struct home *home = NULL;
    struct stat st;
    tmpdir_make(dir);
    snprintf(path, sizeof path, "%s/a/b//petrel/", dir);
    ck_assert_ok(home_open(&home, path, REASON));
    ck_assert_str_eq(home_path(home), path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    home_close(home);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_home_that_others_can_write_is_refused)
{
    static const mode_t bad[] = {0720, 0702, 0777};
    char dir[TMPDIR_PATH];
    char words[TMPDIR_PATH + 80];
    struct home *home = NULL;
    tmpdir_make(dir);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(chmod(dir, bad[i]), 0);
        ck_assert_err(home_open(&home, dir, REASON), ERR_CONFIG);
        snprintf(words, sizeof words, "others may write to %s, where keys are: its mode is %04o; ",
                 dir, (unsigned)bad[i]);
        ck_assert_ptr_eq(strstr(REASON, words), REASON);
        ck_assert_ptr_nonnull(strstr(REASON, "chmod 700"));
    }
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_ok(home_open(&home, dir, REASON));
    home_close(home);
    ck_assert_err(home_open(&home, "relative", REASON), ERR_CONFIG);
    ck_assert_str_eq(REASON, "relative: Invalid argument");
    ck_assert_err(home_open(&home, "/dev/null", REASON), ERR_CONFIG);
    ck_assert_str_eq(REASON, "/dev/null: Not a directory");
    tmpdir_remove(dir);
}
END_TEST

START_TEST(a_home_is_locked_for_one)
{
    char dir[TMPDIR_PATH];
    struct home *home = NULL;
    struct home *second = NULL;
    tmpdir_make(dir);
    ck_assert_ok(home_open(&home, dir, REASON));
    ck_assert_err(home_open(&second, dir, REASON), ERR_HOME_LOCKED);
    ck_assert_str_eq(REASON, err_message(ERR_HOME_LOCKED));
    ck_assert_ptr_null(second);
    home_close(home);
    ck_assert_ok(home_open(&second, dir, REASON));
    home_close(second);
    tmpdir_remove(dir);
}
END_TEST

static uint64_t lock_word(const char *dir, int index)
{
    char path[TMPDIR_PATH + 8];
    uint64_t words[3];
    snprintf(path, sizeof path, "%s/lock", dir);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(words, sizeof words[0], 3, f), 3);
    fclose(f);
    return words[index];
}

/* Runs a child that opens the home, marks its turn, and is killed. Returns its process id. */
static pid_t killed_child(const char *dir, bool in_turn)
{
    int fds[2];
    char byte;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct home *home = NULL;
        if (home_open(&home, dir, REASON) != ERR_OK) {
            _exit(1);
        }
        home_turn_open(home);
        home_flush_waits(home, true);
        if (!in_turn) {
            home_turn_closed(home);
            home_flush_waits(home, false);
        }
        (void)!write(fds[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return pid;
}

START_TEST(the_turn_marker_survives_a_kill_and_the_lock_does_not)
{
    char dir[TMPDIR_PATH];
    struct home *home = NULL;
    tmpdir_make(dir);
    pid_t pid = killed_child(dir, true);
    ck_assert_uint_eq(lock_word(dir, 0), 1);
    ck_assert_uint_eq(lock_word(dir, 2), 1);
    ck_assert_uint_eq(lock_word(dir, 1), (uint64_t)pid);
    (void)killed_child(dir, false);
    ck_assert_uint_eq(lock_word(dir, 0), 0);
    (void)killed_child(dir, true);
    ck_assert_ok(home_open(&home, dir, REASON));
    ck_assert_uint_eq(lock_word(dir, 0), 0); /* a new life begins without a turn */
    home_close(home);
    tmpdir_remove(dir);
}
END_TEST

START_TEST(the_socket_lies_in_the_runtime_folder_and_is_linked)
{
    char dir[TMPDIR_PATH];
    char runtime[TMPDIR_PATH];
    char link[TMPDIR_PATH + 32];
    char target[HOME_SOCKET + 1] = "";
    char path[HOME_SOCKET];
    struct home *home = NULL;
    struct stat st;
    clear_environment();
    tmpdir_make(dir);
    tmpdir_make(runtime);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    ck_assert_ok(home_open(&home, dir, REASON));
    snprintf(link, sizeof link, "%s/control.sock", dir);
    for (int life = 0; life < 2; life++) {
        ck_assert_ok(home_socket_path(home, path));
        ck_assert_int_eq(strncmp(path, runtime, strlen(runtime)), 0);
        ck_assert_int_gt(readlink(link, target, HOME_SOCKET), 0);
        ck_assert_str_eq(target, path);
        ck_assert_int_eq(access(path, F_OK), -1); /* what an earlier life left is gone */
        fclose(fopen(path, "w"));
    }
    home_socket_remove(home);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(lstat(link, &st), -1);
    home_close(home);
    tmpdir_remove(dir);
    tmpdir_remove(runtime);
}
END_TEST

START_TEST(without_a_usable_runtime_folder_the_socket_lies_in_the_home)
{
    char dir[TMPDIR_PATH];
    char runtime[TMPDIR_PATH];
    char shared[TMPDIR_PATH + 16];
    char want[TMPDIR_PATH + 32];
    char path[HOME_SOCKET];
    struct home *home = NULL;
    clear_environment();
    tmpdir_make(dir);
    tmpdir_make(runtime);
    snprintf(want, sizeof want, "%s/control.sock", dir);
    ck_assert_ok(home_open(&home, dir, REASON));
    ck_assert_ok(home_socket_path(home, path));
    ck_assert_str_eq(path, want);
    snprintf(shared, sizeof shared, "%s/petrel", runtime);
    ck_assert_int_eq(mkdir(shared, 0700), 0);
    ck_assert_int_eq(chmod(shared, 0777), 0);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    ck_assert_ok(home_socket_path(home, path));
    ck_assert_str_eq(path, want);
    home_close(home);
    tmpdir_remove(dir);
    tmpdir_remove(runtime);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_said)
{
    char dir[TMPDIR_PATH];
    char deep[TMPDIR_PATH + 128];
    char path[HOME_SOCKET] = "unchanged";
    struct home *home = NULL;
    clear_environment();
    tmpdir_make(dir);
    snprintf(deep, sizeof deep, "%s/%0100d", dir, 1);
    ck_assert_ok(home_open(&home, deep, REASON));
    ck_assert_err(home_socket_path(home, path), ERR_CONFIG);
    ck_assert_str_eq(path, "unchanged");
    home_close(home);
    tmpdir_remove(dir);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_flag_comes_before_the_environment_and_that_before_the_user);
    tcase_add_test(tc, a_home_is_made_private_with_the_folders_above);
    tcase_add_test(tc, a_home_that_others_can_write_is_refused);
    tcase_add_test(tc, a_home_is_locked_for_one);
    tcase_add_test(tc, the_turn_marker_survives_a_kill_and_the_lock_does_not);
    tcase_add_test(tc, the_socket_lies_in_the_runtime_folder_and_is_linked);
    tcase_add_test(tc, without_a_usable_runtime_folder_the_socket_lies_in_the_home);
    tcase_add_test(tc, a_path_too_long_for_a_socket_is_said);
}

int main(void)
{
    return unit_main("daemon/home", add);
}
