/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/hook.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/json.h"

bool hook_init(struct hook *hook, char *const *argv, const char *home, uint64_t tries)
{
    sigset_t ending;
    *hook = (struct hook){.argv = argv, .home = home, .tries = tries, .signals = -1};
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &ending, &hook->before) != 0) {
        return false;
    }
    hook->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    return hook->signals >= 0;
}

void hook_fini(struct hook *hook)
{
    if (hook->signals >= 0) {
        close(hook->signals);
    }
    (void)sigprocmask(SIG_SETMASK, &hook->before, NULL);
    if (hook->stop != 0) {
        (void)raise(hook->stop);
    }
}

/* --- the environment --- */

static bool set_text(const char *name, struct slice text)
{
    char value[128];
    int n = snprintf(value, sizeof value, "%.*s", (int)text.len, (const char *)text.p);
    return n >= 0 && (size_t)n < sizeof value && setenv(name, value, 1) == 0;
}

static bool set_number(const char *name, struct slice event, const char *field)
{
    char value[24];
    uint64_t n = 0;
    if (!control_get_uint(event, field, &n)) {
        return unsetenv(name) == 0;
    }
    snprintf(value, sizeof value, "%llu", (unsigned long long)n);
    return setenv(name, value, 1) == 0;
}

/* PETREL_HOME and PETREL_ACCOUNT make a petrelctl in the program speak for whose event it is. */
static bool set_environment(const struct hook *hook, struct slice event)
{
    struct slice type = {0};
    uint64_t account = 0;
    return control_get_str(event, "type", &type) && set_text("PETREL_EVENT_TYPE", type) &&
           set_number("PETREL_EVENT_CURSOR", event, "cursor") &&
           set_number("PETREL_EVENT_TIME", event, "time") &&
           setenv("PETREL_HOME", hook->home, 1) == 0 &&
           (!control_get_uint(event, "account", &account) ||
            set_number("PETREL_ACCOUNT", event, "account"));
}

/* --- one run --- */

/* A file in memory with the event in it: whether the program reads it or not, nobody waits. */
static int event_file(struct slice event)
{
    int fd = memfd_create("petrel-event", MFD_CLOEXEC);
    json_t *value = json_of(event);
    bool written = fd >= 0 && value != NULL &&
                   json_dumpfd(value, fd, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 &&
                   write(fd, "\n", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0;
    json_decref(value);
    if (fd >= 0 && !written) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Starts the program with input as its standard input. 0, or an errno. */
static int start(const struct hook *hook, int input, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    if (posix_spawn_file_actions_init(&files) != 0) {
        return ENOMEM;
    }
    int rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawnattr_setsigmask(&attr, &hook->before);
        rc = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
        if (rc == 0) {
            rc = posix_spawnp(pid, hook->argv[0], &files, &attr, hook->argv, environ);
        }
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Takes a signal that came; the first one counts. Passes it on to pid (0: nobody), unless the
 * terminal has given it to that one, too. */
static void take_signal(struct hook *hook, pid_t pid)
{
    struct signalfd_siginfo info;
    while (read(hook->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        hook->stop = hook->stop != 0 ? hook->stop : (int)info.ssi_signo;
        if (pid > 0 && info.ssi_code != SI_KERNEL) {
            (void)kill(pid, (int)info.ssi_signo);
        }
    }
}

/* The wait status of the program when it has ended. */
static int await(struct hook *hook, pid_t pid)
{
    int status = 0;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd what[2] = {{.fd = pidfd, .events = POLLIN},
                             {.fd = hook->signals, .events = POLLIN}};
    while (pidfd >= 0 && what[0].revents == 0) {
        if (poll(what, 2, -1) > 0 && what[1].revents != 0) {
            take_signal(hook, pid);
        }
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    /* After the end nothing is left to wait for; without a pidfd signals wait for it, too. */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* Whether there is no point in another try. */
static bool cannot_run(int error)
{
    return error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR ||
           error == ELOOP || error == E2BIG;
}

/* Says what became of it, without the end of the line. *again: another try may help. true: it has
 * succeeded, and nothing was said. */
static bool run_once(struct hook *hook, struct slice event, bool *again)
{
    pid_t pid = 0;
    int input = event_file(event);
    *again = true;
    int error = input < 0 || !set_environment(hook, event) ? ENOMEM : start(hook, input, &pid);
    if (input >= 0) {
        close(input);
    }
    if (error != 0) {
        *again = !cannot_run(error);
        fprintf(stderr, "petrelctl: cannot run '%s': %s", hook->argv[0], strerror(error));
        return false;
    }
    int status = await(hook, pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    fprintf(stderr, "petrelctl: '%s' %s %d", hook->argv[0],
            WIFSIGNALED(status) ? "was ended by signal" : "exited with",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return false;
}

/* --- until it is done --- */

void hook_wait(struct hook *hook, int fd)
{
    struct pollfd what[2] = {{.fd = fd, .events = POLLIN}, {.fd = hook->signals, .events = POLLIN}};
    while (hook->stop == 0 && what[0].revents == 0) {
        if (poll(what, 2, -1) > 0 && what[1].revents != 0) {
            take_signal(hook, 0);
        }
    }
}

static void pause_ms(struct hook *hook, int ms)
{
    struct pollfd signals = {.fd = hook->signals, .events = POLLIN};
    if (poll(&signals, 1, ms) > 0) {
        take_signal(hook, 0);
    }
}

int hook_run(struct hook *hook, struct slice event)
{
    int wait_ms = HOOK_RETRY_FIRST_MS;
    uint64_t cursor = 0;
    (void)control_get_uint(event, "cursor", &cursor);
    for (uint64_t tried = 1;; tried++) {
        bool again = false;
        if (run_once(hook, event, &again)) {
            return EXIT_OK;
        }
        fprintf(stderr, " for event %llu; ", (unsigned long long)cursor);
        if (!again || hook->stop != 0 || tried == hook->tries) {
            fprintf(stderr, "stopped, and the event is not acknowledged\n");
            return again ? EXIT_LOCAL : EXIT_USAGE;
        }
        fprintf(stderr, "again in %d s\n", wait_ms / 1000);
        pause_ms(hook, wait_ms);
        if (hook->stop != 0) {
            return EXIT_LOCAL;
        }
        wait_ms = wait_ms * 2 < HOOK_RETRY_MAX_MS ? wait_ms * 2 : HOOK_RETRY_MAX_MS;
    }
}
