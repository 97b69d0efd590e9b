/* SPDX-License-Identifier: Apache-2.0
 *
 * clock_shift: for LD_PRELOAD under a daemon: its wall clock is PETREL_CLOCK_SHIFT seconds ahead,
 * and so are its waits until that clock says something. So tests see what expires in days. Other
 * clocks run as they do.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void)
{
    const char *text = getenv("PETREL_CLOCK_SHIFT");
    return text != NULL ? (time_t)strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    long rc = syscall(SYS_clock_gettime, clock, out);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += shift();
    }
    return (int)rc;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    if (rc == 0) {
        out->tv_sec = now.tv_sec;
        out->tv_usec = now.tv_nsec / 1000;
    }
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           clockid_t clock, const struct timespec *restrict until)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *) = NULL;
    void *found = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    struct timespec kernels = *until;
    if (found == NULL) {
        abort();
    }
    memcpy(&real, &found, sizeof real);
    kernels.tv_sec -= clock == CLOCK_REALTIME ? shift() : 0;
    return real(cond, mutex, clock, &kernels);
}
