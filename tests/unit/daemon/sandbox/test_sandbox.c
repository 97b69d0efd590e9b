/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process may still do with files, ports, sockets and rights after sandbox_confine, each in
 * a process of its own. Without Landlock in this kernel the cases that need it say so and the
 * program ends with 77, the others having run.
 */
#include "daemon/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/sandbox/landlock.h"
#include "lib/child.h"
#include "lib/tmpdir.h"
#include "lib/unit.h"

enum {
    NOT_ENTERED = 250,
    ABI_NET = 4,
    ABI_SCOPE = 6,
};

/* Counters of a coverage build are written everywhere: nothing is held there that concerns files.
 */
#ifdef PETREL_COVERAGE
#define FILES_ARE_HELD false
#else
#define FILES_ARE_HELD true
#endif

/* The folder of a test: home, home/db, run, other, other/config. */
static char root[TMPDIR_PATH];

static const char *at(const char *name)
{
    static char path[8][2 * TMPDIR_PATH];
    static unsigned next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", root, name);
    return out;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
    static const char *const folders[] = {"home", "run", "other", "disk"};
    tmpdir_make(root);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(mkdir(at(folders[i]), 0700), 0);
    }
    ck_assert_int_eq(symlink(at("disk"), at("home/db")), 0);
    write_text(at("home/mine"), "mine");
    write_text(at("other/theirs"), "theirs");
    write_text(at("other/config"), "log.level = info\n");
}

static void teardown(void)
{
    tmpdir_remove(root);
}

static const char *notify;

/* Enters the first half. The log goes nowhere. */
static bool confined(struct sandbox *s)
{
    static struct logger log;
    const struct sandbox_paths paths = {.home = at("home"),
                                        .database = at("home/db"),
                                        .sockets = at("run"),
                                        .config = at("other/config"),
                                        .notify = notify};
    logger_init(&log, STDERR_FILENO, LOGGER_WARN);
    *s = (struct sandbox){.mode = SANDBOX_STRICT, .log = &log};
    return sandbox_confine(s, &paths) == ERR_OK;
}

/* The number of the step that failed. */
#define STEP(number, condition)                                                                    \
    if (!(condition)) {                                                                            \
        return (number);                                                                           \
    }

static void passes(int (*what)(void *))
{
    struct child_end end = child_run(what, NULL);
    ck_assert_msg(end.code == 0, "step %d, signal %d: %s", end.code, end.signal, end.text);
}

/* Opens, and closes again; 0 or the errno. */
static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

/* --- rights --- */

static int no_rights(void *arg)
{
    struct sandbox s;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    bool root_before = geteuid() == 0;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    STEP(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    memset(caps, 0xff, sizeof caps);
    STEP(2, syscall(SYS_capget, &header, caps) == 0);
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        STEP(3, caps[i].effective == 0 && caps[i].permitted == 0 && caps[i].inheritable == 0);
    }
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        STEP(4, !root_before || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0);
        STEP(5, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 0);
    }
    return 0;
}

START_TEST(no_capability_and_no_way_to_one_is_left)
{
    passes(no_rights);
}
END_TEST

static int both_halves(void *arg)
{
    struct sandbox s;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s) && sandbox_filter(&s) == ERR_OK);
    STEP(1, opened(at("home/new"), O_RDWR | O_CREAT | O_EXCL) == 0);
    (void)syscall(SYS_mkdirat, AT_FDCWD, at("home/folder"), 0700);
    return 2;
}

START_TEST(the_filter_comes_with_the_second_half)
{
    struct child_end end = child_run(both_halves, NULL);
    ck_assert_msg(end.signal == SIGSYS, "code %d: %s", end.code, end.text);
}
END_TEST

static int switched_off(void *arg)
{
    static struct logger log;
    struct sandbox s = {.mode = SANDBOX_OFF, .log = &log};
    const struct sandbox_paths none = {0};
    (void)arg;
    logger_init(&log, STDERR_FILENO, LOGGER_WARN);
    STEP(NOT_ENTERED, sandbox_confine(&s, &none) == ERR_OK && sandbox_filter(&s) == ERR_OK);
    STEP(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    STEP(2, opened(at("other/new"), O_RDWR | O_CREAT | O_EXCL) == 0);
    return 0;
}

START_TEST(off_means_nothing_but_a_warning)
{
    struct child_end end = child_run(switched_off, NULL);
    ck_assert_int_eq(end.code, 0);
    ck_assert_ptr_nonnull(strstr(end.text, "no sandbox sandbox=off"));
}
END_TEST

/* --- files --- */

static int own_files(void *arg)
{
    struct sandbox s;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    STEP(1, opened(at("home/mine"), O_RDWR) == 0);
    STEP(2, opened(at("home/new"), O_RDWR | O_CREAT | O_EXCL) == 0);
    STEP(3, rename(at("home/new"), at("home/mine")) == 0);
    STEP(4, opened(at("home/mine"), O_WRONLY | O_TRUNC) == 0);
    STEP(5, unlink(at("home/mine")) == 0);
    STEP(6, opened(at("home"), O_RDONLY | O_DIRECTORY) == 0);
    STEP(7, opened(at("home/db/data.mdb"), O_RDWR | O_CREAT) == 0); /* through a link */
    STEP(8, opened(at("other/config"), O_RDONLY) == 0);
    STEP(9, opened("/etc/passwd", O_RDONLY) == 0 && opened("/dev/null", O_RDONLY) == 0);
    return 0;
}

START_TEST(the_home_is_read_and_written)
{
    passes(own_files);
}
END_TEST

static int other_files(void *arg)
{
    struct sandbox s;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    if (!FILES_ARE_HELD) {
        return 0;
    }
    STEP(1, opened(at("other/theirs"), O_WRONLY) == EACCES);
    STEP(2, opened(at("other/new"), O_WRONLY | O_CREAT) == EACCES);
    STEP(3, unlink(at("other/theirs")) != 0 && errno == EACCES);
    STEP(4, rename(at("home/mine"), at("other/mine")) != 0 && (errno == EACCES || errno == EXDEV));
    STEP(5, opened(at("other/config"), O_WRONLY) == EACCES);
    STEP(6, opened("/etc/passwd", O_WRONLY) == EACCES);
    STEP(7, opened(at("run/new"), O_WRONLY | O_CREAT) == EACCES);
    STEP(8, mkdir(at("home/folder"), 0700) != 0 && errno == EACCES);
    STEP(9, symlink("/etc", at("home/link")) != 0 && errno == EACCES);
    STEP(10, mkfifo(at("home/pipe"), 0600) != 0 && errno == EACCES);
    if (s.landlock >= 3) {
        STEP(11, truncate(at("other/theirs"), 0) != 0 && errno == EACCES);
    }
#ifndef PETREL_SANITIZED /* whose reports read files */
    STEP(12, opened(at("other/theirs"), O_RDONLY) == EACCES);
    STEP(13, opened("/etc", O_RDONLY | O_DIRECTORY) == EACCES);
    STEP(14, opened("/proc/self/maps", O_RDONLY) == EACCES);
    STEP(15, opened("/usr/bin/env", O_RDONLY) == EACCES);
#endif
    return 0;
}

START_TEST(nothing_else_is_written_nor_made_nor_read)
{
    passes(other_files);
}
END_TEST

static int executes(void *arg)
{
    struct sandbox s;
    char *const argv[] = {(char[]){"env"}, NULL};
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    (void)execv("/usr/bin/env", argv);
    return errno;
}

START_TEST(no_program_is_executed_even_without_the_filter)
{
    struct child_end end = child_run(executes, NULL);
    ck_assert_int_eq(end.code, EACCES);
}
END_TEST

static void *opens_elsewhere(void *arg)
{
    *(int *)arg = opened(at("other/theirs"), O_WRONLY);
    return NULL;
}

static int later_thread(void *arg)
{
    struct sandbox s;
    pthread_t thread;
    int error = 0;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    STEP(1, pthread_create(&thread, NULL, opens_elsewhere, &error) == 0);
    STEP(2, pthread_join(thread, NULL) == 0);
    STEP(3, error == (FILES_ARE_HELD ? EACCES : 0));
    return 0;
}

START_TEST(threads_that_come_later_are_held_too)
{
    passes(later_thread);
}
END_TEST

/* --- sockets --- */

static socklen_t unix_address(struct sockaddr_un *out, const char *name)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(out->sun_path, name, len);
    if (name[0] == '@') {
        out->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static int control_socket(void *arg)
{
    struct sandbox s;
    struct sockaddr_un address;
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = unix_address(&address, at("run/a.sock"));
    STEP(1, bind(fd, (const struct sockaddr *)&address, len) == 0);
    STEP(2, unlink(at("run/a.sock")) == 0);
    return 0;
}

START_TEST(the_control_socket_is_made_and_removed)
{
    passes(control_socket);
}
END_TEST

static int binds(void *arg)
{
    struct sandbox s;
    const struct sockaddr_in any = {.sin_family = AF_INET};
    (void)arg;
    STEP(NOT_ENTERED, confined(&s));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    STEP(1, s.landlock < ABI_NET ||
                (bind(fd, (const struct sockaddr *)&any, sizeof any) != 0 && errno == EACCES));
    STEP(2, s.landlock < ABI_SCOPE || (kill(getppid(), 0) != 0 && errno == EPERM));
    return 0;
}

START_TEST(no_port_is_bound_and_nobody_signalled)
{
    passes(binds);
}
END_TEST

/* Connects to a socket of the parent's that has no file. */
static int connects(void *arg)
{
    struct sandbox s;
    struct sockaddr_un address;
    STEP(NOT_ENTERED, confined(&s));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = unix_address(&address, arg);
    int error = connect(fd, (const struct sockaddr *)&address, len) == 0 ? 0 : errno;
    return s.landlock < ABI_SCOPE ? (notify != NULL ? 0 : EPERM) : error;
}

START_TEST(abstract_sockets_are_out_of_reach_but_for_the_manager)
{
    struct sockaddr_un address;
    char name[64];
    snprintf(name, sizeof name, "@petrel-test-%ld", (long)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = unix_address(&address, name);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, len), 0);
    notify = NULL;
    ck_assert_int_eq(child_run(connects, name).code, EPERM);
    notify = name;
    ck_assert_int_eq(child_run(connects, name).code, 0);
    notify = NULL;
    (void)close(fd);
}
END_TEST

static bool landlock_is_there(void)
{
    struct landlock l;
    bool there = landlock_begin(&l, false) == 0 && l.abi > 0;
    if (l.fd >= 0) {
        (void)close(l.fd);
    }
    return there;
}

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, no_capability_and_no_way_to_one_is_left);
    tcase_add_test(tc, the_filter_comes_with_the_second_half);
    tcase_add_test(tc, off_means_nothing_but_a_warning);
    tcase_add_test(tc, the_home_is_read_and_written);
    tcase_add_test(tc, the_control_socket_is_made_and_removed);
    if (landlock_is_there()) {
        tcase_add_test(tc, nothing_else_is_written_nor_made_nor_read);
        tcase_add_test(tc, no_program_is_executed_even_without_the_filter);
        tcase_add_test(tc, threads_that_come_later_are_held_too);
        tcase_add_test(tc, no_port_is_bound_and_nobody_signalled);
        tcase_add_test(tc, abstract_sockets_are_out_of_reach_but_for_the_manager);
    }
}

int main(void)
{
    if (child_under_valgrind()) {
        printf("skipped: valgrind makes system calls of its own\n");
        return 77;
    }
    int status = unit_main("daemon/sandbox", add);
    if (status == EXIT_SUCCESS && !landlock_is_there()) {
        printf("skipped: what Landlock refuses, this kernel has none\n");
        return 77;
    }
    return status;
}
