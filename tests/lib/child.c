/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

struct child_end child_run(int (*what)(void *arg), void *arg)
{
    struct child_end end = {.code = -1};
    int pipes[2];
    int status = 0;
    size_t len = 0;
    fflush(NULL);
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)dup2(pipes[1], STDERR_FILENO);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        _exit(what(arg));
    }
    (void)close(pipes[1]);
    while (len < sizeof end.text - 1) {
        ssize_t n = read(pipes[0], end.text + len, sizeof end.text - 1 - len);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    (void)close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0) {
        ck_assert_int_eq(errno, EINTR);
    }
    end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return end;
}

bool child_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}
