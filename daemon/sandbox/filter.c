/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

enum {
    FILTER_ARGS = 3,
};

struct rule {
    int call;
    unsigned count; /* of the conditions, which must all hold */
    struct scmp_arg_cmp args[FILTER_ARGS];
};

/* Conditions: the argument is the value, or its bits under the mask are. */
/* clang-format off */
#define IS(arg, value)         {(arg), SCMP_CMP_EQ, (scmp_datum_t)(value), 0}
#define BITS(arg, mask, value)                                                                     \
    {(arg), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value)}
#define ALWAYS(name)           {SCMP_SYS(name), 0, {IS(0, 0)}}
#define WHEN(name, condition)  {SCMP_SYS(name), 1, {condition}}
#define WHEN_BOTH(name, a, b)  {SCMP_SYS(name), 2, {a, b}}
/* Streams or datagrams in one family and protocol; the other bits are flags. */
#define SOCKET(family, type, protocol)                                                             \
    {SCMP_SYS(socket), 3, {IS(0, family), BITS(1, 0xf, type), IS(2, protocol)}}

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

static const struct rule ALLOWED[] = {
    /* Files that are open, or that Landlock lets be opened. Modes, owners and links stay. */
    ALWAYS(read), ALWAYS(write), ALWAYS(readv), ALWAYS(writev), ALWAYS(pread64), ALWAYS(pwrite64),
    ALWAYS(preadv), ALWAYS(pwritev), ALWAYS(lseek), ALWAYS(close), ALWAYS(open), ALWAYS(openat),
    ALWAYS(fstat), ALWAYS(stat), ALWAYS(lstat), ALWAYS(newfstatat), ALWAYS(statx), ALWAYS(fstatfs),
    ALWAYS(statfs), ALWAYS(access), ALWAYS(faccessat), ALWAYS(faccessat2), ALWAYS(flock),
    ALWAYS(fsync), ALWAYS(fdatasync), ALWAYS(ftruncate), ALWAYS(fallocate), ALWAYS(unlink),
    ALWAYS(unlinkat), ALWAYS(rename), ALWAYS(renameat), ALWAYS(renameat2), ALWAYS(getdents64),
    WHEN(fcntl, IS(1, F_DUPFD_CLOEXEC)),
    WHEN(fcntl, IS(1, F_GETFD)), WHEN(fcntl, IS(1, F_SETFD)),
    WHEN(fcntl, IS(1, F_GETFL)), WHEN(fcntl, IS(1, F_SETFL)),
    WHEN(fcntl, IS(1, F_GETLK)), WHEN(fcntl, IS(1, F_SETLK)), WHEN(fcntl, IS(1, F_SETLKW)),
    WHEN(ioctl, IS(1, FIONBIO)), WHEN(ioctl, IS(1, FIONREAD)), WHEN(ioctl, IS(1, FIOCLEX)),
    WHEN(ioctl, IS(1, TCGETS)),

    /* Memory. No page becomes executable that was not at the start: no code but the program's. */
    ALWAYS(brk), ALWAYS(munmap), ALWAYS(mremap), ALWAYS(madvise), ALWAYS(msync), ALWAYS(mlock),
    ALWAYS(munlock),
    WHEN(mmap, BITS(2, PROT_EXEC, 0)), WHEN(mprotect, BITS(2, PROT_EXEC, 0)),

    /* Sockets. They are not bound, so nobody is listened to but who was at the start. */
    ALWAYS(accept), ALWAYS(accept4), ALWAYS(connect), ALWAYS(sendto), ALWAYS(sendmsg),
    ALWAYS(sendmmsg), ALWAYS(recvfrom), ALWAYS(recvmsg), ALWAYS(recvmmsg), ALWAYS(shutdown),
    ALWAYS(getsockname), ALWAYS(getpeername), ALWAYS(getsockopt),
    SOCKET(AF_UNIX, SOCK_STREAM, 0), SOCKET(AF_UNIX, SOCK_DGRAM, 0),
    SOCKET(AF_INET, SOCK_STREAM, 0), SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(AF_INET, SOCK_DGRAM, 0), SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(AF_INET6, SOCK_STREAM, 0), SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(AF_INET6, SOCK_DGRAM, 0), SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    WHEN(setsockopt, IS(1, SOL_SOCKET)),
    WHEN_BOTH(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
    WHEN_BOTH(setsockopt, IS(1, IPPROTO_IP), IS(2, IP_RECVERR)), /* libc, towards name servers */
    WHEN_BOTH(setsockopt, IS(1, IPPROTO_IPV6), IS(2, IPV6_RECVERR)),

    /* Waiting. */
    ALWAYS(epoll_create1), ALWAYS(epoll_ctl), ALWAYS(epoll_wait), ALWAYS(epoll_pwait),
    ALWAYS(epoll_pwait2), ALWAYS(poll), ALWAYS(ppoll), ALWAYS(eventfd2), ALWAYS(pipe2),
    ALWAYS(futex), ALWAYS(restart_syscall), ALWAYS(sched_yield), ALWAYS(clock_nanosleep),
    ALWAYS(nanosleep),

    /* Threads, not processes; the signals of this one. */
    ALWAYS(set_robust_list), ALWAYS(rseq), ALWAYS(exit), ALWAYS(exit_group), ALWAYS(rt_sigaction),
    ALWAYS(rt_sigprocmask), ALWAYS(rt_sigreturn), ALWAYS(sigaltstack), ALWAYS(sched_getaffinity),
    WHEN(prlimit64, IS(2, 0)), /* reads a limit, sets none */
#ifdef PETREL_SANITIZED
    /* The leak check at the end stops all threads from a process of its own; reports read files. */
    ALWAYS(ptrace), ALWAYS(wait4), ALWAYS(prctl), ALWAYS(readlink), ALWAYS(readlinkat),
    ALWAYS(getppid), ALWAYS(getdents), ALWAYS(dup), ALWAYS(dup2), WHEN(clone, BITS(0, NAMESPACES, 0)),
#else
    WHEN(clone, BITS(0, NAMESPACES | CLONE_THREAD, CLONE_THREAD)),
    WHEN(prctl, IS(0, PR_SET_NAME)),
#endif

    /* Time, randomness, who and where we are. */
    ALWAYS(clock_gettime), ALWAYS(clock_getres), ALWAYS(gettimeofday), ALWAYS(time),
    ALWAYS(getrandom), ALWAYS(uname), ALWAYS(sysinfo), ALWAYS(getrusage), ALWAYS(getpid),
    ALWAYS(gettid), ALWAYS(getuid), ALWAYS(geteuid), ALWAYS(getgid), ALWAYS(getegid),
};

/* Libraries try these and have another way: strict knows them. clone3 hides its flags in memory,
 * which a filter cannot read; io_uring would carry calls past the filter; libc asks netlink which
 * families have an address, and without an answer assumes that all have. */
static const struct rule DONE_WITHOUT[] = {
    ALWAYS(clone3), ALWAYS(io_uring_setup), WHEN(socket, IS(0, AF_NETLINK)),
};

/* Nothing in petreld or its libraries asks for these. */
static const struct rule DEADLY[] = {
    ALWAYS(execve), ALWAYS(execveat), ALWAYS(fork), ALWAYS(vfork),
#ifndef PETREL_SANITIZED
    ALWAYS(ptrace),
#endif
    ALWAYS(process_vm_readv), ALWAYS(process_vm_writev), ALWAYS(pidfd_getfd), ALWAYS(kcmp),
    ALWAYS(perf_event_open), ALWAYS(bpf), ALWAYS(userfaultfd), ALWAYS(keyctl), ALWAYS(add_key),
    ALWAYS(request_key), ALWAYS(mount), ALWAYS(umount2), ALWAYS(move_mount), ALWAYS(open_tree),
    ALWAYS(fsopen), ALWAYS(fsmount), ALWAYS(pivot_root), ALWAYS(chroot), ALWAYS(unshare),
    ALWAYS(setns), ALWAYS(open_by_handle_at), ALWAYS(init_module), ALWAYS(finit_module),
    ALWAYS(delete_module), ALWAYS(kexec_load), ALWAYS(kexec_file_load), ALWAYS(iopl),
    ALWAYS(ioperm), ALWAYS(modify_ldt), ALWAYS(personality), ALWAYS(swapon), ALWAYS(swapoff),
    ALWAYS(reboot), ALWAYS(setuid), ALWAYS(setgid), ALWAYS(setreuid), ALWAYS(setregid),
    ALWAYS(setresuid), ALWAYS(setresgid), ALWAYS(setgroups), ALWAYS(setfsuid), ALWAYS(setfsgid),
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int rules_add(scmp_filter_ctx ctx, uint32_t action, const struct rule *rules, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = seccomp_rule_add_array(ctx, action, rules[i].call, rules[i].count, rules[i].args);
    }
    return rc;
}

static int rules_of(scmp_filter_ctx ctx, bool strict)
{
    /* clang-format off */
    const struct rule own = WHEN(tgkill, IS(0, getpid())); /* its own threads, for abort() */
    /* clang-format on */
    int rc = rules_add(ctx, SCMP_ACT_ALLOW, ALLOWED, COUNT(ALLOWED));
    if (rc == 0) {
        rc = rules_add(ctx, SCMP_ACT_ALLOW, &own, 1);
    }
    if (rc == 0) {
        rc = rules_add(ctx, SCMP_ACT_KILL_PROCESS, DEADLY, COUNT(DEADLY));
    }
    if (rc == 0 && strict) { /* without it that is the answer to everything else */
        rc = rules_add(ctx, SCMP_ACT_ERRNO(ENOSYS), DONE_WITHOUT, COUNT(DONE_WITHOUT));
    }
    return rc;
}

/* A call of another architecture is no call of ours. The tree makes the filter's cost grow with the
 * logarithm of its length. */
static int attributes_set(scmp_filter_ctx ctx)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) {
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 1);
    }
    if (rc == 0) {
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    }
    if (rc == 0) {
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    return rc;
}

/* Says which call it was, and dies of it: once handled, SIGSYS has its default effect again. */
static void on_refused(int signum, siginfo_t *info, void *context)
{
    char line[80];
    (void)context;
    int n = snprintf(line, sizeof line, "petreld: system call %d is outside the sandbox\n",
                     info->si_syscall);
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);
    (void)written;
    (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signum);
}

static int handler_set(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER;
    return sigaction(SIGSYS, &action, NULL) == 0 ? 0 : errno;
}

int filter_load(bool strict)
{
    int error = strict ? handler_set() : 0;
    if (error != 0) {
        return error;
    }
    scmp_filter_ctx ctx = seccomp_init(strict ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS));
    if (ctx == NULL) {
        return ENOMEM;
    }
    int rc = attributes_set(ctx);
    if (rc == 0) {
        rc = rules_of(ctx, strict);
    }
    if (rc == 0) {
        rc = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return rc == 0 ? 0 : -rc;
}
