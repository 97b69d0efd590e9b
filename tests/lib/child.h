/* SPDX-License-Identifier: Apache-2.0
 *
 * child: runs a part of a test in a process of its own, for what cannot be undone.
 */
#ifndef PETREL_TESTS_LIB_CHILD_H
#define PETREL_TESTS_LIB_CHILD_H

#include <stdbool.h>

/* How a child came to its end. */
struct child_end {
    int code;      /* what it returned, -1: it was killed */
    int signal;    /* by this signal, 0: none */
    char text[96]; /* what it wrote to stderr, cut */
};

/* Forks, runs what(arg) there, and waits. what returns at most 255. */
struct child_end child_run(int (*what)(void *arg), void *arg);
/* Whether this process runs under valgrind, which makes system calls of its own. */
bool child_under_valgrind(void);

#endif
