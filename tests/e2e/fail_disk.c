/* SPDX-License-Identifier: Apache-2.0
 *
 * fail_disk: for LD_PRELOAD under a daemon. While the file $PETREL_FAIL_LOG is there, its
 * write-ahead log cannot be written. When the file $PETREL_FAIL_COMMIT is there, the next flush of
 * its database fails, and the file goes; when $PETREL_FULL_COMMIT is, as on a full disk. These
 * files lie in the daemon's home, and nothing is called but what its sandbox allows.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t write_at(int fd, const void *bytes, size_t len, off_t at);
typedef int flush(int fd);

/* Whether the file that a variable names is there, and fd is open on `name` in the same folder. */
static bool is_failing(const char *variable, int fd, const char *name)
{
    const char *file = getenv(variable);
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    struct stat open_one;
    struct stat named;
    char path[4096];
    if (slash == NULL || access(file, F_OK) != 0) {
        return false;
    }
    snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file), file, name);
    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
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
    if (is_failing("PETREL_FAIL_LOG", fd, "db/wal")) {
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

/* The same for the database, once: the file is not there any more. */
static bool take(const char *variable, int fd)
{
    return is_failing(variable, fd, "db/data.mdb") && unlink(getenv(variable)) == 0;
}

int fdatasync(int fd)
{
    static flush *real;
    int e = take("PETREL_FAIL_COMMIT", fd) ? EIO : take("PETREL_FULL_COMMIT", fd) ? ENOSPC : 0;
    if (e != 0) {
        errno = e;
        return -1;
    }
    if (real == NULL) {
        *(void **)&real = next("fdatasync");
    }
    return real(fd);
}
