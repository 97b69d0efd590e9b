/* SPDX-License-Identifier: Apache-2.0
 *
 * clock_shift: for LD_PRELOAD under a daemon: its wall clock is PETREL_CLOCK_SHIFT seconds ahead,
 * and so are its waits until that clock says something. As many more as the file $PETREL_CLOCK_FILE
 * says, 8 bytes of this machine's order, while it runs: all daemons that have the file see the same
 * hour go by, each as soon as something wakes it. So tests see what expires in days. Other clocks
 * run as they do.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *file_shift;

/* Before the sandbox, which does not let it be opened. */
__attribute__((constructor)) static void file_map(void)
{
    const char *path = getenv("PETREL_CLOCK_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page =
        fd >= 0 ? mmap(NULL, sizeof *file_shift, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (path != NULL && page == MAP_FAILED) {
        _exit(EXIT_FAILURE);
    }
    if (fd >= 0) {
        close(fd);
        file_shift = page;
    }
}

static time_t shift(void)
{
    const char *text = getenv("PETREL_CLOCK_SHIFT");
    time_t more = file_shift != NULL ? (time_t)*file_shift : 0;
    return more + (text != NULL ? (time_t)strtoll(text, NULL, 10) : 0);
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
