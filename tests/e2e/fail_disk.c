/* SPDX-License-Identifier: Apache-2.0
 *
 * fail_disk: for LD_PRELOAD under a daemon. While the file $PETREL_FAIL_LOG is there, its
 * write-ahead log cannot be written. When the file $PETREL_FAIL_COMMIT is there, the next flush of
 * its database fails, and the file goes; when $PETREL_FULL_COMMIT is, as on a full disk.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef ssize_t write_at(int fd, const void *bytes, size_t len, off_t at);
typedef int flush(int fd);

/* Whether fd is open on a file whose path ends so. */
static bool is_file(int fd, const char *end)
{
    char link[64];
    char path[4096];
    size_t n = strlen(end);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < (ssize_t)n) {
        return false;
    }
    path[len] = '\0';
    return strcmp(path + (size_t)len - n, end) == 0;
}

/* The next definition of a function of this name. */
static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (f == NULL) {
        abort();
    }
    return f;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    static write_at *real;
    const char *file = getenv("PETREL_FAIL_LOG");
    if (file != NULL && access(file, F_OK) == 0 && is_file(fd, "/wal")) {
        errno = EIO;
        return -1;
    }
    if (real == NULL) {
        *(void **)&real = next("pwrite64");
    }
    return real(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}

/* Whether the file that a variable names was there; it is not any more. */
static bool take(const char *variable)
{
    const char *file = getenv(variable);
    return file != NULL && unlink(file) == 0;
}

int fdatasync(int fd)
{
    static flush *real;
    if (is_file(fd, "/data.mdb")) {
        int e = take("PETREL_FAIL_COMMIT") ? EIO : take("PETREL_FULL_COMMIT") ? ENOSPC : 0;
        if (e != 0) {
            errno = e;
            return -1;
        }
    }
    if (real == NULL) {
        *(void **)&real = next("fdatasync");
    }
    return real(fd);
}
