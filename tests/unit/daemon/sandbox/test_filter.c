/* SPDX-License-Identifier: Apache-2.0
 *
 * What the filter lets through and what it refuses, each call in a process of its own that has
 * entered it. 77: under valgrind, which makes system calls that petreld does not.
 */
#include "daemon/sandbox/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/unit.h"

enum {
    NOT_ENTERED = 250, /* exit code of a child: the filter was not taken */
    PAGE = 4096,
};

/* A system call with raw arguments, made inside. */
struct call {
    const char *name;
    long number;
    unsigned long args[6];
};

struct probe {
    const struct call *call;
    bool strict;
};

/* The exit code is the errno of the call, 0: it went through. */
static int make_call(void *arg)
{
    const struct probe *p = arg;
    const unsigned long *a = p->call->args;
    if (filter_load(p->strict) != 0) {
        return NOT_ENTERED;
    }
    return syscall(p->call->number, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0 ? 0 : errno;
}

static struct child_end probe(const struct call *call, bool strict)
{
    struct probe p = {.call = call, .strict = strict};
    return child_run(make_call, &p);
}

/* ENOSYS, and in strict mode the end of the process, which names the call. */
static void is_refused(const struct call *call)
{
    char line[96];
    struct child_end end = probe(call, false);
    ck_assert_msg(end.code == ENOSYS, "%s: code %d, signal %d", call->name, end.code, end.signal);
    end = probe(call, true);
    ck_assert_msg(end.signal == SIGSYS, "strict %s: code %d", call->name, end.code);
    snprintf(line, sizeof line, "petreld: system call %ld is outside the sandbox\n", call->number);
    ck_assert_str_eq(end.text, line);
}

static void is_deadly(const struct call *call)
{
    for (int strict = 0; strict < 2; strict++) {
        struct child_end end = probe(call, strict != 0);
        ck_assert_msg(end.signal == SIGSYS, "%s: code %d", call->name, end.code);
    }
}

static void is_done_without(const struct call *call)
{
    for (int strict = 0; strict < 2; strict++) {
        struct child_end end = probe(call, strict != 0);
        ck_assert_msg(end.code == ENOSYS, "%s: code %d, signal %d", call->name, end.code,
                      end.signal);
    }
}

#define EACH(list, check)                                                                          \
    for (size_t each = 0; each < sizeof(list) / sizeof(list)[0]; each++) {                         \
        check(&(list)[each]);                                                                      \
    }
/* A row of a list. */
#define ROW(call, ...)                                                                             \
    {                                                                                              \
#call, SYS_##call,                                                                         \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

START_TEST(starting_a_program_or_a_process_ends_this_one)
{
    const char *const argv[] = {"/bin/true", NULL};
    const struct call calls[] = {
        ROW(execve, (unsigned long)argv[0], (unsigned long)argv, 0),
        ROW(execveat, (unsigned long)AT_FDCWD, (unsigned long)argv[0], (unsigned long)argv, 0, 0),
#ifdef SYS_fork
        ROW(fork, 0),
        ROW(vfork, 0),
#endif
    };
    EACH(calls, is_deadly);
}
END_TEST

START_TEST(looking_into_other_processes_ends_this_one)
{
    const struct call calls[] = {
#ifndef PETREL_SANITIZED
        ROW(ptrace, PTRACE_ATTACH, (unsigned long)getppid(), 0, 0),
#endif
        ROW(process_vm_readv, (unsigned long)getppid(), 0, 0, 0, 0, 0),
        ROW(process_vm_writev, (unsigned long)getppid(), 0, 0, 0, 0, 0),
        ROW(kcmp, 0),
    };
    EACH(calls, is_deadly);
}
END_TEST

START_TEST(asking_the_kernel_for_more_power_ends_this_one)
{
    const struct call calls[] = {
        ROW(bpf, 0),          ROW(perf_event_open, 0), ROW(userfaultfd, 0),
        ROW(keyctl, 0),       ROW(mount, 0),           ROW(unshare, CLONE_NEWUSER),
        ROW(setns, 0),        ROW(chroot, 0),          ROW(init_module, 0),
        ROW(finit_module, 0), ROW(setuid, 0),          ROW(setgroups, 0),
        ROW(personality, 0),  ROW(reboot, 0),          ROW(open_by_handle_at, 0),
    };
    EACH(calls, is_deadly);
}
END_TEST

START_TEST(no_new_code_is_mapped)
{
    static uint8_t page[2 * PAGE] __attribute__((aligned(PAGE)));
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const unsigned long none = (unsigned long)-1;
    const struct call calls[] = {
        ROW(mmap, 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, none),
        ROW(mmap, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, none),
        ROW(mmap, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, (unsigned long)program),
        ROW(mprotect, (unsigned long)page, PAGE, PROT_READ | PROT_EXEC),
        ROW(mprotect, (unsigned long)page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC),
        ROW(pkey_mprotect, (unsigned long)page, PAGE, PROT_READ | PROT_EXEC, none),
        ROW(memfd_create, (unsigned long)"code", 0),
    };
    EACH(calls, is_refused);
    (void)close(program);
}
END_TEST

START_TEST(sockets_of_other_kinds_are_refused)
{
    const struct call calls[] = {
        ROW(socket, AF_PACKET, SOCK_RAW, 0),
        ROW(socket, AF_INET, SOCK_RAW, IPPROTO_TCP),
        ROW(socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
        ROW(socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP),
        ROW(socket, AF_INET, SOCK_STREAM, IPPROTO_MPTCP),
        ROW(socket, AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE),
        ROW(socket, AF_UNIX, SOCK_SEQPACKET, 0),
        ROW(socket, AF_VSOCK, SOCK_STREAM, 0),
        ROW(socket, AF_ALG, SOCK_SEQPACKET, 0),
        ROW(socket, AF_BLUETOOTH, SOCK_STREAM, 0),
        ROW(socketpair, AF_UNIX, SOCK_STREAM, 0, 0),
    };
    EACH(calls, is_refused);
}
END_TEST

START_TEST(nothing_new_listens)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct call calls[] = {
        ROW(bind, (unsigned long)fd, (unsigned long)&any, sizeof any),
        ROW(listen, (unsigned long)fd, 1),
    };
    EACH(calls, is_refused);
    (void)close(fd);
}
END_TEST

START_TEST(other_processes_get_no_signal)
{
    const struct call calls[] = {
#ifndef PETREL_SANITIZED
        ROW(clone, SIGCHLD, 0, 0, 0, 0),
        ROW(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0),
#endif
        ROW(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
        ROW(kill, (unsigned long)getppid(), 0),
        ROW(tgkill, (unsigned long)getpid(), (unsigned long)getpid(), 0), /* the parent, inside */
        ROW(tkill, (unsigned long)getpid(), 0),
        ROW(rt_sigqueueinfo, (unsigned long)getpid(), 0, 0),
        ROW(pidfd_open, (unsigned long)getpid(), 0),
    };
    EACH(calls, is_refused);
}
END_TEST

START_TEST(modes_owners_links_and_limits_stay)
{
    const struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};
    const unsigned long path = (unsigned long)"/tmp/petrel-filter";
    const unsigned long here = (unsigned long)AT_FDCWD;
    const struct call calls[] = {
        ROW(fchmodat, here, path, 0777),
        ROW(fchmod, 1, 0777),
        ROW(fchownat, here, path, 0, 0, 0),
        ROW(linkat, here, path, here, path, 0),
        ROW(symlinkat, path, here, path),
        ROW(mkdirat, here, path, 0700),
        ROW(mknodat, here, path, S_IFIFO | 0600, 0),
        ROW(setxattr, path, path, path, 1, 0),
        ROW(ioctl, 0, TIOCSTI, path),
        ROW(fcntl, 0, F_SETOWN, 1),
        ROW(setsockopt, 0, IPPROTO_IP, 64, 0, 0),
        ROW(prlimit64, 0, RLIMIT_NOFILE, (unsigned long)&limit, 0),
        ROW(umask, 0),
        ROW(setpriority, 0),
        ROW(getpriority, 0),
    };
    EACH(calls, is_refused);
}
END_TEST

START_TEST(what_libraries_try_first_is_not_deadly)
{
    const struct call calls[] = {
        ROW(clone3, 0, 0),
        ROW(io_uring_setup, 1, 0),
        ROW(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0),
    };
    EACH(calls, is_done_without);
}
END_TEST

#ifdef __x86_64__
START_TEST(a_call_by_another_convention_ends_the_process)
{
    const struct call x32 = {"getpid of x32", 0x40000000 | SYS_getpid, {0}};
    is_deadly(&x32);
}
END_TEST
#endif

/* A thread that was there before the filter, and waits until it is. */
struct early {
    int go;
    int error; /* of bind, made then */
};

static void *early_main(void *arg)
{
    struct early *e = arg;
    const struct sockaddr_in any = {.sin_family = AF_INET};
    uint64_t count = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (read(e->go, &count, sizeof count) == (ssize_t)sizeof count) {
        e->error = bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 ? 0 : errno;
    }
    return NULL;
}

static int early_thread(void *arg)
{
    struct early e = {.go = eventfd(0, 0)};
    pthread_t thread;
    const uint64_t one = 1;
    (void)arg;
    if (pthread_create(&thread, NULL, early_main, &e) != 0 || filter_load(false) != 0 ||
        write(e.go, &one, sizeof one) != (ssize_t)sizeof one || pthread_join(thread, NULL) != 0) {
        return NOT_ENTERED;
    }
    return e.error;
}

START_TEST(threads_that_were_there_before_are_held_too)
{
    struct child_end end = child_run(early_thread, NULL);
    ck_assert_int_eq(end.code, ENOSYS);
}
END_TEST

/* --- what goes on --- */

/* The number of the step that failed. */
#define STEP(number, condition)                                                                    \
    if (!(condition)) {                                                                            \
        return (number);                                                                           \
    }

static void *nothing(void *arg)
{
    return arg;
}

static int inside(void *arg)
{
    const struct sockaddr_in *peer = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    pthread_t thread;
    uint8_t random[32];
    int on = 1;
    STEP(NOT_ENTERED, filter_load(true) == 0);
    STEP(1, pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
    STEP(2, getaddrinfo("localhost", "1", &hints, &found) == 0 && found != NULL);
    freeaddrinfo(found);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    STEP(3, fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    STEP(4, connect(fd, (const struct sockaddr *)peer, sizeof *peer) == 0 || errno == EINPROGRESS);
    STEP(5, ioctl(fd, FIONBIO, &on) == 0 && close(fd) == 0);
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(6, page != MAP_FAILED && mprotect(page, PAGE, PROT_NONE) == 0 && munmap(page, PAGE) == 0);
    STEP(7, syscall(SYS_getrandom, random, sizeof random, 0) == (long)sizeof random);
    FILE *f = fopen("/etc/passwd", "re");
    STEP(8, f != NULL && fgetc(f) != EOF && fclose(f) == 0);
    STEP(9, prctl(PR_SET_NAME, "petreld") == 0);
    return 0;
}

START_TEST(threads_names_links_memory_and_files_go_on)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof peer;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&peer, sizeof peer), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&peer, &len), 0);
    struct child_end end = child_run(inside, &peer);
    ck_assert_msg(end.code == 0, "step %d, signal %d: %s", end.code, end.signal, end.text);
    (void)close(fd);
}
END_TEST

static int abort_inside(void *arg)
{
    (void)arg;
    STEP(NOT_ENTERED, filter_load(false) == 0);
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

START_TEST(an_assertion_that_fails_still_ends_as_one)
{
    struct child_end end = child_run(abort_inside, NULL);
    ck_assert_int_eq(end.signal, SIGABRT);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, starting_a_program_or_a_process_ends_this_one);
    tcase_add_test(tc, looking_into_other_processes_ends_this_one);
    tcase_add_test(tc, asking_the_kernel_for_more_power_ends_this_one);
    tcase_add_test(tc, no_new_code_is_mapped);
    tcase_add_test(tc, sockets_of_other_kinds_are_refused);
    tcase_add_test(tc, nothing_new_listens);
    tcase_add_test(tc, other_processes_get_no_signal);
    tcase_add_test(tc, modes_owners_links_and_limits_stay);
    tcase_add_test(tc, what_libraries_try_first_is_not_deadly);
#ifdef __x86_64__
    tcase_add_test(tc, a_call_by_another_convention_ends_the_process);
#endif
    tcase_add_test(tc, threads_that_were_there_before_are_held_too);
    tcase_add_test(tc, threads_names_links_memory_and_files_go_on);
    tcase_add_test(tc, an_assertion_that_fails_still_ends_as_one);
}

int main(void)
{
    if (child_under_valgrind()) {
        printf("skipped: valgrind makes system calls of its own\n");
        return 77;
    }
    return unit_main("daemon/sandbox/filter", add);
}
