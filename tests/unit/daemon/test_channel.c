/* SPDX-License-Identifier: Apache-2.0
 *
 * The wall clock of these tests is what the machine says and SHIFT_S; a wait until it says
 * something (pthread_cond_clockwait) is noted, and sets it.
 */
#include "daemon/channel.h"

#include <errno.h>
#include <time.h>

#include "daemon/hostenv.h"
#include "lib/unit.h"

enum {
    HOUR_S = 3600,
};

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until);

static struct channel CH;
static struct engine_inputs TODO;
static time_t SHIFT_S;   /* the wall clock is ahead */
static time_t SETS_S[2]; /* by how much each wait sets it */
static unsigned WAITS;
static clockid_t WAIT_CLOCK;
static uint64_t WAIT_UNTIL_MS; /* of the last one */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int rc = __real_clock_gettime(clock, out);
    out->tv_sec += clock == CLOCK_REALTIME ? SHIFT_S : 0;
    return rc;
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    (void)cond;
    (void)mutex;
    ck_assert_uint_lt(WAITS, sizeof SETS_S / sizeof SETS_S[0]);
    WAIT_CLOCK = clock;
    WAIT_UNTIL_MS = (uint64_t)until->tv_sec * 1000 + (uint64_t)until->tv_nsec / 1000000;
    SHIFT_S += SETS_S[WAITS++];
    return ETIMEDOUT;
}

static void wake(void *ctx)
{
    (void)ctx;
}

static void set_up(void)
{
    CH = (struct channel){.wake = NULL};
    TODO = (struct engine_inputs){.first = NULL};
    SHIFT_S = SETS_S[0] = SETS_S[1] = 0;
    WAITS = 0;
    channel_init(&CH, wake, NULL);
}

static void tear_down(void)
{
    engine_input_free_all(&TODO);
    channel_fini(&CH);
}

START_TEST(a_deadline_is_waited_for_by_the_wall_clock)
{
    uint64_t deadline = hostenv_wall_ms() + HOUR_S * 1000;
    SETS_S[0] = HOUR_S + 1;
    ck_assert(channel_wait(&CH, &TODO, deadline, 0));
    ck_assert_uint_eq(WAITS, 1);
    ck_assert_int_eq(WAIT_CLOCK, CLOCK_REALTIME);
    ck_assert_uint_eq(WAIT_UNTIL_MS, deadline);
}
END_TEST

START_TEST(a_clock_that_is_set_back_does_not_make_it_due)
{
    uint64_t deadline = hostenv_wall_ms() + HOUR_S * 1000;
    SETS_S[0] = -HOUR_S;
    SETS_S[1] = 2 * HOUR_S + 1;
    ck_assert(channel_wait(&CH, &TODO, deadline, 0));
    ck_assert_uint_eq(WAITS, 2);
    ck_assert_uint_eq(WAIT_UNTIL_MS, deadline);
}
END_TEST

START_TEST(what_has_come_is_not_waited_for)
{
    ck_assert(channel_wait(&CH, &TODO, hostenv_wall_ms(), 0));
    ck_assert(channel_wait(&CH, &TODO, UINT64_MAX, 1)); /* the alarm */
    struct engine_input *input = engine_input_erased(7);
    ck_assert_ptr_nonnull(input);
    channel_put(&CH, input);
    channel_flush(&CH);
    ck_assert(channel_wait(&CH, &TODO, UINT64_MAX, 0));
    ck_assert_ptr_eq(TODO.first, input);
    ck_assert(channel_wait(&CH, &TODO, UINT64_MAX, 0)); /* it is still to do */
    ck_assert_uint_eq(WAITS, 0);
}
END_TEST

START_TEST(an_alarm_is_waited_for_by_the_other_clock)
{
    uint64_t alarm = hostenv_mono_ms() + 20;
    ck_assert(channel_wait(&CH, &TODO, hostenv_wall_ms() + HOUR_S * 1000, alarm));
    ck_assert_uint_ge(hostenv_mono_ms(), alarm);
    uint64_t deadline = hostenv_wall_ms() + 20; /* and one that comes first */
    ck_assert(channel_wait(&CH, &TODO, deadline, hostenv_mono_ms() + HOUR_S * 1000));
    ck_assert_uint_ge(hostenv_wall_ms(), deadline);
    ck_assert_uint_eq(WAITS, 0);
}
END_TEST

START_TEST(a_channel_that_was_stopped_waits_for_nothing)
{
    channel_stop(&CH);
    ck_assert(!channel_wait(&CH, &TODO, UINT64_MAX, 0));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_deadline_is_waited_for_by_the_wall_clock);
    tcase_add_test(tc, a_clock_that_is_set_back_does_not_make_it_due);
    tcase_add_test(tc, what_has_come_is_not_waited_for);
    tcase_add_test(tc, an_alarm_is_waited_for_by_the_other_clock);
    tcase_add_test(tc, a_channel_that_was_stopped_waits_for_nothing);
}

int main(void)
{
    return unit_main("daemon/channel", add);
}
