/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/logger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/hostenv.h"

static const char *const NAMES[] = {"error", "warn", "info", "debug"};
static const int PRIORITIES[] = {3, 4, 6, 7}; /* syslog(3) */

void logger_init(struct logger *log, int fd, enum logger_level level)
{
    memset(log, 0, sizeof *log);
    log->fd = fd;
    atomic_init(&log->level, (int)level);
    log->journal = getenv("JOURNAL_STREAM") != NULL;
    pthread_mutex_init(&log->mutex, NULL);
}

void logger_fini(struct logger *log)
{
    pthread_mutex_destroy(&log->mutex);
}

void logger_set_level(struct logger *log, enum logger_level level)
{
    atomic_store(&log->level, (int)level);
}

/* The slot of message: its own, a free one, or the one that was used longest ago. */
static struct logger_slot *slot_of(struct logger *log, const char *message)
{
    struct logger_slot *oldest = &log->slots[0];
    for (size_t i = 0; i < LOGGER_SLOTS; i++) {
        struct logger_slot *s = &log->slots[i];
        if (s->message == message) {
            return s;
        }
        if (oldest->message != NULL && (s->message == NULL || s->start_ms < oldest->start_ms)) {
            oldest = s;
        }
    }
    *oldest = (struct logger_slot){.message = message};
    return oldest;
}

/* Whether a line may be written now; *suppressed: how many of its kind were left out before it. */
static bool admit(struct logger *log, uint64_t now_ms, const char *message, unsigned *suppressed)
{
    struct logger_slot *s = slot_of(log, message);
    *suppressed = 0;
    if (s->lines == 0 || now_ms - s->start_ms >= LOGGER_WINDOW_MS) {
        *suppressed = s->suppressed;
        *s = (struct logger_slot){.message = message, .start_ms = now_ms};
    }
    if (s->lines >= LOGGER_BURST) {
        s->suppressed++;
        return false;
    }
    s->lines++;
    return true;
}

/* Appends text with control characters made visible; returns the new length. */
static size_t append(char *line, size_t len, const char *text)
{
    const size_t room = LOGGER_LINE - 1; /* and the newline */
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= 0x20 && c != 0x7f;
        if (room - len < (plain ? 1U : 4U)) {
            break;
        }
        if (plain) {
            line[len++] = (char)c;
        } else {
            static const char hex[] = "0123456789abcdef";
            line[len++] = '\\';
            line[len++] = 'x';
            line[len++] = hex[c >> 4];
            line[len++] = hex[c & 15];
        }
    }
    return len;
}

static void write_line(struct logger *log, enum logger_level level, const char *message,
                       const char *fields, unsigned suppressed)
{
    char line[LOGGER_LINE];
    char number[48];
    size_t len = 0;
    if (log->journal) {
        snprintf(number, sizeof number, "<%d>", PRIORITIES[level]);
        len = append(line, len, number);
    } else {
        len = append(line, len, NAMES[level]);
        len = append(line, len, ": ");
    }
    len = append(line, len, message);
    if (fields[0] != '\0') {
        len = append(line, len, " ");
        len = append(line, len, fields);
    }
    if (suppressed > 0) {
        snprintf(number, sizeof number, " suppressed=%u", suppressed);
        len = append(line, len, number);
    }
    line[len++] = '\n';
    /* A log that cannot be written has nobody to tell. */
    ssize_t written = write(log->fd, line, len);
    (void)written;
}

static void emit(struct logger *log, uint64_t now_ms, enum logger_level level, const char *message,
                 const char *fields)
{
    unsigned suppressed = 0;
    pthread_mutex_lock(&log->mutex);
    if (admit(log, now_ms, message, &suppressed)) {
        write_line(log, level, message, fields, suppressed);
    }
    pthread_mutex_unlock(&log->mutex);
}

static bool wanted(struct logger *log, enum logger_level level)
{
    return (int)level <= atomic_load(&log->level);
}

void logger_log_at(struct logger *log, uint64_t now_ms, enum logger_level level,
                   const char *message, const char *fields, va_list args)
{
    char text[LOGGER_LINE];
    if (wanted(log, level)) {
        vsnprintf(text, sizeof text, fields, args);
        emit(log, now_ms, level, message, text);
    }
}

void logger_log(struct logger *log, enum logger_level level, const char *message,
                const char *fields, ...)
{
    char text[LOGGER_LINE];
    va_list args;
    if (!wanted(log, level)) {
        return;
    }
    va_start(args, fields);
    vsnprintf(text, sizeof text, fields, args);
    va_end(args);
    emit(log, hostenv_mono_ms(), level, message, text);
}
