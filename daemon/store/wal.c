/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/wal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/ahead.h"
#include "daemon/store/dir.h"

struct wal {
    /* Whoever makes records. */
    uint8_t *buf;           /* WAL_CAPACITY bytes */
    size_t end;             /* of the sealed records; a multiple of WAL_BLOCK */
    size_t at;              /* of the record under construction; 0: there is none */
    bool spoilt;            /* a change did not fit into it */
    uint64_t count;         /* of the sealed records */
    uint64_t last;          /* number of the state that the last of them, or a commit, led to */
    uint64_t seed;          /* with which the checksum of the first of them begins */
    uint64_t sum;           /* checksum of the last of them, with which that of the next begins */
    uint8_t life[WAL_LIFE]; /* random: tells records of this opening from those of others */

    /* Whoever flushes. */
    int fd; /* -1: no file yet */
    struct ahead ahead;
    enum err failed;
    char dir[PATH_MAX];
};

/* --- records --- */

/* Where the next change goes; without any room in a record that is spoilt. */
static struct writer change_begin(struct wal *w)
{
    if (w->at == 0) {
        w->at = w->end + WAL_HEADER;
        w->spoilt = w->at > WAL_CAPACITY;
    }
    return w->spoilt ? writer_of(NULL, 0) : writer_of(w->buf + w->at, WAL_CAPACITY - w->at);
}

static void change_end(struct wal *w, const struct writer *change)
{
    if (change->err == ERR_OK) {
        w->at += change->len;
    } else {
        w->spoilt = true;
    }
}

void wal_put(struct wal *w, enum store_table t, struct slice key, struct slice value)
{
    struct writer change = change_begin(w);
    wal_change_put(&change, t, key, value);
    change_end(w, &change);
}

void wal_del(struct wal *w, enum store_table t, struct slice key)
{
    struct writer change = change_begin(w);
    wal_change_del(&change, t, key);
    change_end(w, &change);
}

void wal_cancel(struct wal *w)
{
    w->at = 0;
}

bool wal_seal(struct wal *w, struct wal_range *range)
{
    assert(w->at != 0);
    size_t changes = w->at - w->end - WAL_HEADER;
    size_t size = wal_record_size(changes);
    size_t at = w->at;
    w->at = 0;
    if (w->spoilt || w->end + size > WAL_CAPACITY) {
        return false;
    }
    w->sum = wal_record_seal(w->buf + w->end, changes, ++w->last, w->life, w->sum);
    memset(w->buf + at, 0, w->end + size - at);
    *range = (struct wal_range){.from = w->end, .to = w->end + size};
    w->end += size;
    w->count++;
    return true;
}

uint64_t wal_last(const struct wal *w)
{
    return w->last;
}

size_t wal_bytes(const struct wal *w)
{
    return w->end;
}

void wal_restart(struct wal *w, struct wal_state state)
{
    assert(w->at == 0);
    w->last = state.number;
    w->end = 0;
    w->count = 0;
    w->seed = w->sum = state.seed;
}

/* --- what a start finds --- */

/* Whether the last call failed because the file system takes O_DIRECT but not these addresses; then
 * it is given up. */
static bool direct_refused(int fd)
{
    int flags = errno == EINVAL ? fcntl(fd, F_GETFL) : -1;
    return flags >= 0 && (flags & O_DIRECT) != 0 && fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

/* Bytes of the file's whole blocks, as far as they can be a log's. */
static enum err file_size(const struct wal *w, size_t *bytes)
{
    struct stat st;
    *bytes = 0;
    if (w->fd >= 0 && fstat(w->fd, &st) != 0) {
        return ERR_IO;
    }
    if (w->fd >= 0) {
        uint64_t size = (uint64_t)st.st_size < WAL_CAPACITY ? (uint64_t)st.st_size : WAL_CAPACITY;
        *bytes = (size_t)size / WAL_BLOCK * WAL_BLOCK;
    }
    return ERR_OK;
}

/* Reads the beginning of the file. *have: bytes, a multiple of WAL_BLOCK. */
static enum err file_read(struct wal *w, size_t *have)
{
    enum err err = file_size(w, have);
    size_t n = 0;
    while (err == ERR_OK && n < *have) {
        ssize_t got = pread(w->fd, w->buf + n, *have - n, (off_t)n);
        if (got < 0 && (errno == EINTR || direct_refused(w->fd))) {
            continue;
        }
        size_t whole = got > 0 ? (size_t)got / WAL_BLOCK * WAL_BLOCK : 0;
        err = whole > 0 ? ERR_OK : ERR_IO; /* less than a block would be the end of the log */
        n += whole;                        /* O_DIRECT wants that too */
    }
    return err;
}

enum err wal_read(struct wal *w, struct wal_state after, uint64_t *count)
{
    size_t have;
    enum err err = file_read(w, &have);
    wal_restart(w, after);
    while (err == ERR_OK && w->end < have) {
        uint64_t sum;
        struct slice changes =
            wal_record_open(slice_of(w->buf + w->end, have - w->end), w->last + 1, w->sum, &sum);
        if (changes.p == NULL) {
            break;
        }
        w->end += wal_record_size(changes.len);
        w->sum = sum;
        w->last++;
        w->count++;
    }
    *count = w->count;
    return err;
}

enum err wal_apply(const struct wal *w, struct store *store)
{
    uint64_t number = w->last - w->count;
    uint64_t sum = w->seed;
    enum err err = ERR_OK;
    for (size_t at = 0; err == ERR_OK && at < w->end;) {
        struct slice changes =
            wal_record_open(slice_of(w->buf + at, w->end - at), ++number, sum, &sum);
        if (changes.p == NULL) {
            return ERR_BUG;
        }
        err = wal_changes_apply(changes, store);
        at += wal_record_size(changes.len);
    }
    return err;
}

/* --- the file --- */

static enum err err_of_errno(int e)
{
    switch (e) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    default:
        return ERR_IO;
    }
}

/* Past the page cache where the file system can: it saves a third of the time of a small write. */
static enum err file_open(struct wal *w, int flags)
{
    int at = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return ERR_IO;
    }
    enum err err = ERR_OK;
    flags |= O_RDWR | O_DSYNC | O_CLOEXEC | O_NOFOLLOW;
    w->fd = openat(at, "wal", flags | O_DIRECT, 0600);
    if (w->fd < 0 && errno == EINVAL) {
        w->fd = openat(at, "wal", flags, 0600);
    }
    if (w->fd < 0) {
        err = err_of_errno(errno);
    } else {
        ahead_init(&w->ahead, w->fd);
    }
    (void)close(at);
    return err;
}

static enum err file_write(struct wal *w, struct wal_range range)
{
    while (range.from < range.to) {
        ssize_t n = pwrite(w->fd, w->buf + range.from, range.to - range.from, (off_t)range.from);
        if (n < 0 && (errno == EINTR || direct_refused(w->fd))) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ERR_IO : err_of_errno(errno);
        }
        range.from += (size_t)n;
    }
    return ERR_OK;
}

enum err wal_flush(struct wal *w, struct wal_range range)
{
    if (w->failed == ERR_OK && w->fd < 0) {
        w->failed = file_open(w, O_CREAT);
        if (w->failed == ERR_OK) {
            w->failed = dir_flush(w->dir);
        }
        w->failed = w->failed == ERR_NOT_FOUND ? ERR_IO : w->failed; /* the folder is gone */
    }
    if (w->failed == ERR_OK) {
        ahead_keep(&w->ahead, range.to);
        w->failed = file_write(w, range);
    }
    return w->failed;
}

enum err wal_open(struct wal **out, const char *dir)
{
    struct wal *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ERR_NO_MEMORY;
    }
    w->fd = -1;
    w->buf = aligned_alloc(WAL_BLOCK, WAL_CAPACITY); /* O_DIRECT wants that */
    int n = snprintf(w->dir, sizeof w->dir, "%s", dir);
    enum err err = w->buf == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK && (n < 0 || (size_t)n >= sizeof w->dir)) {
        err = ERR_CONFIG;
    }
    if (err == ERR_OK && getrandom(w->life, sizeof w->life, 0) != (ssize_t)sizeof w->life) {
        err = ERR_IO;
    }
    if (err == ERR_OK) {
        err = file_open(w, 0);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err != ERR_OK) {
        wal_close(w);
        return err;
    }
    *out = w;
    return ERR_OK;
}

void wal_close(struct wal *w)
{
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    free(w->buf);
    free(w);
}
