/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/logger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/unit.h"

static int pipes[2];
static char text[8192];

__attribute__((format(printf, 5, 6))) static void log_at(struct logger *log, uint64_t now_ms,
                                                         enum logger_level level,
                                                         const char *message, const char *fields,
                                                         ...)
{
    va_list args;
    va_start(args, fields);
    logger_log_at(log, now_ms, level, message, fields, args);
    va_end(args);
}

static void begin(struct logger *log, enum logger_level level, const char *journal)
{
    ck_assert_int_eq(pipe(pipes), 0);
    if (journal != NULL) {
        setenv("JOURNAL_STREAM", journal, 1);
    } else {
        unsetenv("JOURNAL_STREAM");
    }
    logger_init(log, pipes[1], level);
}

/* All that was written. */
static const char *end(struct logger *log)
{
    size_t len = 0;
    logger_fini(log);
    close(pipes[1]);
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        n = read(pipes[0], text + len, sizeof text - 1 - len);
        ck_assert_int_ge(n, 0);
    }
    close(pipes[0]);
    text[len] = '\0';
    return text;
}

static size_t lines(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) {
        n += *s == '\n' ? 1 : 0;
    }
    return n;
}

START_TEST(a_line_has_level_message_and_fields)
{
    struct logger log;
    begin(&log, LOGGER_INFO, NULL);
    log_at(&log, 1, LOGGER_WARN, "disk is low", "free=%d", 7);
    ck_assert_str_eq(end(&log), "warn: disk is low free=7\n");
}
END_TEST

START_TEST(the_journal_gets_a_priority)
{
    struct logger log;
    begin(&log, LOGGER_INFO, "8:1");
    log_at(&log, 1, LOGGER_ERROR, "broken", "a=%d", 1);
    log_at(&log, 1, LOGGER_INFO, "fine", "a=%d", 1);
    ck_assert_str_eq(end(&log), "<3>broken a=1\n<6>fine a=1\n");
}
END_TEST

START_TEST(what_is_below_the_level_is_left_out)
{
    struct logger log;
    begin(&log, LOGGER_INFO, NULL);
    log_at(&log, 1, LOGGER_DEBUG, "detail", "a=%d", 1);
    logger_set_level(&log, LOGGER_DEBUG);
    log_at(&log, 1, LOGGER_DEBUG, "detail", "a=%d", 2);
    ck_assert_str_eq(end(&log), "debug: detail a=2\n");
}
END_TEST

START_TEST(one_message_is_limited_and_others_are_not)
{
    struct logger log;
    static const char noisy[] = "noisy";
    begin(&log, LOGGER_INFO, NULL);
    for (int i = 0; i < 1000; i++) {
        log_at(&log, 100, LOGGER_INFO, noisy, "i=%d", i);
    }
    log_at(&log, 100, LOGGER_INFO, "other", "i=%d", 0);
    log_at(&log, 100 + LOGGER_WINDOW_MS, LOGGER_INFO, noisy, "i=%d", 1000);
    const char *out = end(&log);
    ck_assert_uint_eq(lines(out), LOGGER_BURST + 2);
    ck_assert_ptr_nonnull(strstr(out, "info: other i=0\n"));
    ck_assert_ptr_nonnull(strstr(out, "info: noisy i=1000 suppressed=990\n"));
}
END_TEST

START_TEST(more_messages_than_slots_are_all_written)
{
    struct logger log;
    static char names[LOGGER_SLOTS * 2][16];
    begin(&log, LOGGER_INFO, NULL);
    for (int i = 0; i < LOGGER_SLOTS * 2; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        log_at(&log, (uint64_t)i, LOGGER_INFO, names[i], "i=%d", i);
    }
    ck_assert_uint_eq(lines(end(&log)), (size_t)LOGGER_SLOTS * 2);
}
END_TEST

START_TEST(control_characters_cannot_make_a_line)
{
    struct logger log;
    begin(&log, LOGGER_INFO, NULL);
    log_at(&log, 1, LOGGER_INFO, "name", "v=\"%s\"", "a\nerror: forged\x1b[2J\x7f");
    ck_assert_str_eq(end(&log), "info: name v=\"a\\x0aerror: forged\\x1b[2J\\x7f\"\n");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
    struct logger log;
    static char big[2 * LOGGER_LINE];
    memset(big, '\n', sizeof big - 1);
    begin(&log, LOGGER_INFO, NULL);
    log_at(&log, 1, LOGGER_INFO, "name", "v=%s", big);
    const char *out = end(&log);
    ck_assert_uint_eq(lines(out), 1);
    ck_assert_uint_le(strlen(out), LOGGER_LINE);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_line_has_level_message_and_fields);
    tcase_add_test(tc, the_journal_gets_a_priority);
    tcase_add_test(tc, what_is_below_the_level_is_left_out);
    tcase_add_test(tc, one_message_is_limited_and_others_are_not);
    tcase_add_test(tc, more_messages_than_slots_are_all_written);
    tcase_add_test(tc, control_characters_cannot_make_a_line);
    tcase_add_test(tc, a_long_line_is_cut);
}

int main(void)
{
    return unit_main("daemon/logger", add);
}
