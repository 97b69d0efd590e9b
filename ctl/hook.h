/* SPDX-License-Identifier: Apache-2.0
 *
 * hook: a program that is run for each event, one at a time, until it did what it is to do.
 * docs/man/petrelctl.1, "events".
 *
 * The event is its standard input, as one JSON object; its type and so on stand in the
 * environment. No shell is involved: argv goes to the program as it is. What asks this process to
 * end (SIGTERM, SIGINT, SIGHUP) is passed on to the program and waits for it, so that no event is
 * left half done or done twice for want of its acknowledgement.
 */
#ifndef PETREL_CTL_HOOK_H
#define PETREL_CTL_HOOK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    HOOK_RETRY_FIRST_MS = 1000, /* wait after the first failure; doubled with each further one */
    HOOK_RETRY_MAX_MS = 60000,
};

struct hook {
    char *const *argv; /* borrowed; argv[0] is looked for in $PATH */
    const char *home;  /* borrowed; handed on as $PETREL_HOME */
    uint64_t tries;    /* runs for one event before giving up; 0: no limit */
    sigset_t before;   /* signals that were blocked before hook_init */
    int signals;       /* signalfd, -1: none */
    int stop;          /* the signal that asked to end; 0: none */
};

/* From here on the signals that end a process wait until hook_fini. false: errno says why. */
bool hook_init(struct hook *hook, char *const *argv, const char *home, uint64_t tries);
/* Gives signals their way again: with one that came, this process ends here. */
void hook_fini(struct hook *hook);

/* Runs the program for this event (one encoded map), again after a while when it fails. EXIT_OK: it
 * exited with 0. Otherwise a sentence is on stderr: EXIT_USAGE it cannot be run, EXIT_LOCAL it
 * failed for the last time, or hook->stop was asked for before it succeeded. */
int hook_run(struct hook *hook, struct slice event);
/* Waits until fd is readable, and not longer than until somebody asks to end. */
void hook_wait(struct hook *hook, int fd);

#endif
