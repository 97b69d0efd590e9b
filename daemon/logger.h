/* SPDX-License-Identifier: Apache-2.0
 *
 * logger: leveled lines on stderr, "message key=value ...", limited in rate per message.
 *
 * docs/man/petreld.8, LOGS. Safe from any thread. It never writes a secret, because nobody hands it
 * one; addresses and keys are the caller's to keep at debug.
 */
#ifndef PETREL_DAEMON_LOGGER_H
#define PETREL_DAEMON_LOGGER_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum logger_level {
    LOGGER_ERROR,
    LOGGER_WARN,
    LOGGER_INFO,
    LOGGER_DEBUG
};

enum {
    LOGGER_SLOTS = 64,        /* messages whose rate is remembered */
    LOGGER_BURST = 10,        /* lines of one message in one window */
    LOGGER_WINDOW_MS = 10000, /* length of a window */
    LOGGER_LINE = 512,        /* longest line; the rest is cut off */
};

struct logger_slot {
    const char *message; /* compared as a pointer: messages are literals */
    uint64_t start_ms;
    unsigned lines;
    unsigned suppressed;
};

struct logger {
    int fd;
    atomic_int level;
    bool journal; /* begin lines with the journal's <priority> */
    pthread_mutex_t mutex;
    struct logger_slot slots[LOGGER_SLOTS];
};

/* fd is borrowed. Looks at $JOURNAL_STREAM. */
void logger_init(struct logger *log, int fd, enum logger_level level);
void logger_fini(struct logger *log);
void logger_set_level(struct logger *log, enum logger_level level);

/* message: a literal. fields: a format of "key=value" pairs. Control characters in the
 * result are written as \xNN. */
void logger_log(struct logger *log, enum logger_level level, const char *message,
                const char *fields, ...) __attribute__((format(printf, 4, 5)));
/* The same at a given time (monotonic, ms); for tests. */
void logger_log_at(struct logger *log, uint64_t now_ms, enum logger_level level,
                   const char *message, const char *fields, va_list args)
    __attribute__((format(printf, 5, 0)));

#endif
