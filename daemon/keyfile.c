/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keyfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/dir.h"

static enum err err_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static enum err path_of(char out[static PATH_MAX], const char *dir, const char *name,
                        const char *suffix)
{
    assert(strlen(name) < KEYFILE_NAME);
    int n = snprintf(out, PATH_MAX, "%s/%s%s", dir, name, suffix);
    return n > 0 && n < PATH_MAX ? ERR_OK : ERR_CONFIG;
}

static enum err read_all(int fd, uint8_t *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, out + done, len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? ERR_IO : ERR_CORRUPT;
        }
        done += (size_t)n;
    }
    return ERR_OK;
}

static enum err write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_of_errno(errno);
        }
        p += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err write_flushed(int fd, struct slice bytes)
{
    enum err err = write_all(fd, bytes.p, bytes.len);
    return err == ERR_OK && fsync(fd) != 0 ? err_of_errno(errno) : err;
}

enum err keyfile_read(const char *dir, const char *name, bool guarded, uint8_t *out, size_t len)
{
    char path[PATH_MAX];
    struct stat st;
    enum err err = path_of(path, dir, name, "");
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    if (fstat(fd, &st) != 0) {
        err = ERR_IO;
    } else if (guarded && ((st.st_mode & 077) != 0 || (st.st_uid != geteuid() && st.st_uid != 0))) {
        err = ERR_CONFIG;
    } else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != len) {
        err = ERR_CORRUPT;
    } else {
        err = read_all(fd, out, len);
    }
    (void)close(fd);
    return err;
}

bool keyfile_exists(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return path_of(path, dir, name, "") != ERR_OK || lstat(path, &st) == 0 || errno != ENOENT;
}

/* Zeros over all of an open file, flushed. */
static enum err overwrite(int fd)
{
    static const uint8_t zeros[KEYFILE_MAX];
    struct stat st;
    if (fstat(fd, &st) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return ERR_IO;
    }
    size_t len = st.st_size < KEYFILE_MAX ? (size_t)st.st_size : sizeof zeros;
    return write_flushed(fd, slice_of(zeros, len));
}

/* --- in place, whole or not at all --- */

static enum err new_file_write(const char *path, struct slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == ENOENT ? ERR_IO : err_of_errno(errno);
    }
    enum err err = write_flushed(fd, bytes);
    (void)close(fd);
    return err;
}

/* The two change their names, so that the old file keeps one: without it, a crash behind the rename
 * would leave its bytes in blocks that nobody can reach any more. */
static enum err exchange(const char *dir, const char *temp, const char *path)
{
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_EXCHANGE) != 0) {
        return errno == EINVAL || errno == ENOSYS ? ERR_UNSUPPORTED : err_of_errno(errno);
    }
    enum err err = dir_flush(dir);
    if (err != ERR_OK) {
        /* Which of the two a power cut leaves is not known: neither is overwritten. */
        (void)renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_EXCHANGE);
    }
    return err;
}

/* Where the file system knows no exchange: the old file is overwritten while it is held open. */
static enum err rename_over(const char *dir, const char *temp, const char *path)
{
    int old = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (old < 0) {
        return ERR_IO;
    }
    enum err err = rename(temp, path) != 0 ? err_of_errno(errno) : dir_flush(dir);
    if (err == ERR_OK && overwrite(old) != ERR_OK) {
        (void)overwrite(old); /* nobody finds it any more */
    }
    (void)close(old);
    return err;
}

static enum err put(const char *dir, const char *name, bool keep, struct slice bytes)
{
    char path[PATH_MAX];
    char temp[PATH_MAX];
    enum err err = path_of(path, dir, name, "");
    if (err == ERR_OK) {
        err = path_of(temp, dir, name, ".new");
    }
    if (err == ERR_OK) {
        err = keyfile_tidy(dir, name); /* left by a crash */
    }
    if (err != ERR_OK) {
        return err;
    }
    err = new_file_write(temp, bytes);
    if (err == ERR_OK && keep) {
        err = exchange(dir, temp, path);
        err = err == ERR_UNSUPPORTED ? rename_over(dir, temp, path) : err;
    } else if (err == ERR_OK) {
        err = rename(temp, path) != 0 ? err_of_errno(errno) : dir_flush(dir);
    }
    if (err != ERR_OK) {
        enum err left = keyfile_tidy(dir, name);
        (void)left; /* the next one tidies up */
    }
    return err;
}

enum err keyfile_write(const char *dir, const char *name, struct slice bytes)
{
    return put(dir, name, false, bytes);
}

enum err keyfile_replace(const char *dir, const char *name, struct slice bytes)
{
    return put(dir, name, true, bytes);
}

enum err keyfile_patch(const char *dir, const char *name, size_t at, struct slice bytes)
{
    char path[PATH_MAX];
    enum err err = path_of(path, dir, name, "");
    int fd = err == ERR_OK ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) {
        return err == ERR_OK ? ERR_IO : err;
    }
    if (lseek(fd, (off_t)at, SEEK_SET) != (off_t)at) {
        err = ERR_IO;
    }
    if (err == ERR_OK) {
        err = write_flushed(fd, bytes);
    }
    (void)close(fd);
    return err;
}

/* --- gone --- */

static enum err destroy(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : ERR_IO;
    }
    enum err err = overwrite(fd);
    if (err == ERR_OK && unlink(path) != 0) {
        err = ERR_IO;
    }
    (void)close(fd);
    return err;
}

enum err keyfile_destroy(const char *dir, const char *name)
{
    char path[PATH_MAX];
    enum err err = path_of(path, dir, name, "");
    return err == ERR_OK ? destroy(path) : err;
}

/* What is there may be the file that was replaced, which is needed until the exchange is durable.
 */
enum err keyfile_tidy(const char *dir, const char *name)
{
    char temp[PATH_MAX];
    struct stat st;
    enum err err = path_of(temp, dir, name, ".new");
    if (err != ERR_OK || (lstat(temp, &st) != 0 && errno == ENOENT)) {
        return err;
    }
    err = dir_flush(dir);
    return err == ERR_OK ? destroy(temp) : err;
}
