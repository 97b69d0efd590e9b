/* SPDX-License-Identifier: Apache-2.0
 *
 * fail_log: for LD_PRELOAD under a daemon: from the moment on at which the file $PETREL_FAIL_LOG is
 * there, its write-ahead log cannot be written.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef ssize_t write_at(int fd, const void *bytes, size_t len, off_t at);

static int fails(int fd)
{
    char link[64];
    char path[4096];
    const char *file = getenv("PETREL_FAIL_LOG");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (file == NULL || access(file, F_OK) != 0 || len < 4) {
        return 0;
    }
    path[len] = '\0';
    return strcmp(path + len - 4, "/wal") == 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    static write_at *real;
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
        if (real == NULL) {
            abort();
        }
    }
    return real(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}
