/* SPDX-License-Identifier: Apache-2.0
 *
 * rig: what every bench of real daemons needs: a folder on a real disk, daemons that end with the
 * bench, time, medians, and the lines that the target bench prints. docs/bench.md.
 *
 * A bench that cannot measure ends with a sentence on stderr: a wrong figure is worse than none.
 */
#ifndef PETREL_TESTS_BENCH_RIG_H
#define PETREL_TESTS_BENCH_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/env.h"

enum {
    RIG_HOME = 32,    /* name of a home in the bench's folder, with NUL */
    RIG_STOP_S = 60,  /* a daemon may take this long to end */
    RIG_REPLY_S = 60, /* or to answer */
};

/* Says why and ends the bench; its daemons end with it. */
__attribute__((format(printf, 1, 2))) _Noreturn void rig_die(const char *format, ...);

/* Enters $PETREL_BENCH_DIR, or a fresh folder in the build folder, as the working folder. Refuses a
 * file system in memory. Raises the limit of open files. */
void rig_begin(void);
/* Leaves the folder, and removes it if rig_begin made it. */
void rig_end(void);

uint64_t rig_ns(void); /* monotonic */
struct env rig_env(void);
void rig_sleep_ms(unsigned ms);
/* A port on 127.0.0.1 that was free a moment ago, for TCP and for UDP. */
uint16_t rig_port(void);

/* Prints "name: value unit". */
void rig_value(const char *name, double value, const char *unit);
/* Both sort values. n > 0. */
double rig_median(double *values, size_t n);
double rig_percentile(double *values, size_t n, double percent);

struct rig_daemon {
    pid_t pid; /* 0: not running */
    char home[RIG_HOME];
};
/* Runs argv, a NULL-terminated list with the program's path first, its output in <name>.log. It is
 * killed when the bench ends. */
pid_t rig_run(const char *name, const char *const argv[]);
/* Writes the petreld.conf of a home, which may be there or not. */
void rig_config(const char *home, const char *text);
/* Starts petreld on <home> with up to 6 more arguments, NULL-terminated, and waits until it answers
 * on its control socket. fd: handed over as --passphrase-fd; -1: none. Gives the time from before
 * the fork to the first reply, in ns. */
uint64_t rig_start(struct rig_daemon *d, const char *home, const char *const args[], int fd);
/* SIGTERM, and a look at the exit code. */
void rig_stop(struct rig_daemon *d);
/* Ends a program of rig_run. */
void rig_end_program(pid_t pid);

/* A line of /proc/<pid>/status, its number. */
uint64_t rig_status(pid_t pid, const char *field);
/* How often the threads of pid went to sleep until now: each is one wake-up. */
uint64_t rig_wakeups(pid_t pid);
/* Processor time of pid so far, all its threads, s. */
double rig_cpu(pid_t pid);

#endif
