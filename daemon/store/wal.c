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
#include <unistd.h>

#include <xxhash.h>

#include "daemon/store/ahead.h"
#include "daemon/store/dir.h"

static const char magic[] = "petrel w"; /* and no NUL */

enum {
    WAL_MAGIC = sizeof magic - 1,
    WAL_LIFE = 16,
    WAL_SUM = 8, /* checksum of all that follows */
    WAL_HEADER = WAL_SUM + WAL_MAGIC + 8 + 8 + WAL_LIFE, /* magic, number, bytes of changes, life */
    WAL_PUT = 1,
    WAL_DEL = 2,
};

struct wal {
    /* Whoever makes records. */
    uint8_t *buf;           /* WAL_CAPACITY bytes */
    size_t end;             /* of the sealed records; a multiple of WAL_BLOCK */
    size_t at;              /* of the record under construction; 0: there is none */
    bool spoilt;            /* a change did not fit into it */
    uint64_t last;          /* number of the last sealed record */
    uint64_t sum;           /* its checksum, with which that of the next one begins */
    uint8_t life[WAL_LIFE]; /* random: tells records of this opening from those of others */

    /* Whoever flushes. */
    int fd; /* -1: no file yet */
    struct ahead ahead;
    enum err failed;
    char dir[PATH_MAX];
};

/* --- records --- */

/* XXH3-64 of a record with so many bytes of changes, behind the one whose checksum is seed. */
static uint64_t checksum(uint64_t seed, const uint8_t *record, size_t changes)
{
    return XXH3_64bits_withSeed(record + WAL_SUM, WAL_HEADER - WAL_SUM + changes, seed);
}

static size_t blocks(size_t bytes)
{
    return (bytes + WAL_BLOCK - 1) / WAL_BLOCK * WAL_BLOCK;
}

/* Where the next change goes. */
static struct writer change_begin(struct wal *w, uint8_t kind, enum store_table t, struct slice key)
{
    const char *name = store_table_name(t);
    if (w->at == 0) {
        w->at = w->end + WAL_HEADER;
        w->spoilt = w->at > WAL_CAPACITY;
    }
    struct writer out =
        w->spoilt ? writer_of(NULL, 0) : writer_of(w->buf + w->at, WAL_CAPACITY - w->at);
    writer_u8(&out, kind);
    writer_u8(&out, (uint8_t)strlen(name));
    writer_bytes(&out, name, strlen(name));
    writer_u8(&out, (uint8_t)key.len);
    writer_slice(&out, key);
    return out;
}

static void change_end(struct wal *w, const struct writer *out)
{
    if (out->err == ERR_OK) {
        w->at += out->len;
    } else {
        w->spoilt = true;
    }
}

void wal_put(struct wal *w, enum store_table t, struct slice key, struct slice value)
{
    struct writer out = change_begin(w, WAL_PUT, t, key);
    writer_u32(&out, (uint32_t)value.len);
    writer_slice(&out, value);
    change_end(w, &out);
}

void wal_del(struct wal *w, enum store_table t, struct slice key)
{
    struct writer out = change_begin(w, WAL_DEL, t, key);
    change_end(w, &out);
}

void wal_cancel(struct wal *w)
{
    w->at = 0;
}

bool wal_seal(struct wal *w, struct wal_range *range)
{
    assert(w->at != 0);
    size_t end = w->at;
    size_t padded = blocks(end);
    w->at = 0;
    if (w->spoilt || padded > WAL_CAPACITY) {
        return false;
    }
    uint8_t *record = w->buf + w->end;
    size_t changes = end - w->end - WAL_HEADER;
    struct writer out = writer_of(record + WAL_SUM, WAL_HEADER - WAL_SUM);
    writer_bytes(&out, magic, WAL_MAGIC);
    writer_u64(&out, ++w->last);
    writer_u64(&out, changes);
    writer_bytes(&out, w->life, sizeof w->life);
    w->sum = checksum(w->sum, record, changes);
    struct writer sum = writer_of(record, WAL_SUM);
    writer_u64(&sum, w->sum);
    memset(w->buf + end, 0, padded - end);
    *range = (struct wal_range){.from = w->end, .to = padded};
    w->end = padded;
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

void wal_restart(struct wal *w)
{
    assert(w->at == 0);
    w->end = 0;
    w->sum = 0;
}

/* --- what a start finds --- */

/* The changes of the whole record at `at` that is number `number`; p is NULL when there is no such
 * record. */
static struct slice record_at(const struct wal *w, size_t at, size_t have, uint64_t number,
                              uint64_t seed, uint64_t *sum)
{
    const struct slice none = {.p = NULL};
    struct reader r = reader_of(slice_of(w->buf + at, have - at));
    *sum = reader_u64(&r);
    bool ours = memcmp(reader_bytes(&r, WAL_MAGIC).p, magic, WAL_MAGIC) == 0;
    uint64_t found = reader_u64(&r);
    uint64_t changes = reader_u64(&r);
    (void)reader_bytes(&r, WAL_LIFE);
    if (r.err != ERR_OK || !ours || found != number || changes > reader_left(&r) ||
        checksum(seed, w->buf + at, (size_t)changes) != *sum) {
        return none;
    }
    return reader_bytes(&r, (size_t)changes);
}

/* Reads the beginning of the file. *have: bytes, a multiple of WAL_BLOCK. */
static enum err file_read(struct wal *w, size_t *have)
{
    size_t n = 0;
    while (w->fd >= 0 && n < WAL_CAPACITY) {
        ssize_t got = pread(w->fd, w->buf + n, WAL_CAPACITY - n, (off_t)n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ERR_IO;
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    *have = n / WAL_BLOCK * WAL_BLOCK;
    return ERR_OK;
}

enum err wal_read(struct wal *w, uint64_t after, uint64_t *count)
{
    size_t have;
    enum err err = file_read(w, &have);
    w->last = after;
    w->end = 0;
    w->sum = 0;
    *count = 0;
    while (err == ERR_OK && w->end < have) {
        uint64_t sum;
        struct slice changes = record_at(w, w->end, have, w->last + 1, w->sum, &sum);
        if (changes.p == NULL) {
            break;
        }
        w->end += blocks(WAL_HEADER + changes.len);
        w->sum = sum;
        w->last++;
        ++*count;
    }
    return err;
}

static enum err table_of(struct slice name, enum store_table *t)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        const char *have = store_table_name((enum store_table)i);
        if (slice_equal(name, slice_of(have, strlen(have)))) {
            *t = (enum store_table)i;
            return ERR_OK;
        }
    }
    return ERR_CORRUPT;
}

static enum err change_apply(struct reader *r, struct store *store)
{
    enum store_table t = STORE_META;
    uint8_t kind = reader_u8(r);
    uint8_t name_len = reader_u8(r);
    enum err err = table_of(reader_bytes(r, name_len), &t);
    uint8_t key_len = reader_u8(r);
    struct slice key = reader_bytes(r, key_len);
    struct slice value = slice_of(NULL, 0);
    if (kind == WAL_PUT) {
        uint32_t len = reader_u32(r);
        value = reader_bytes(r, len);
    }
    if (err != ERR_OK || r->err != ERR_OK || (kind != WAL_PUT && kind != WAL_DEL) ||
        key.len > STORE_KEY) {
        return ERR_CORRUPT;
    }
    err = kind == WAL_PUT ? store_put(store, t, key, value) : store_del(store, t, key);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

enum err wal_apply(const struct wal *w, struct store *store)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < w->end && err == ERR_OK;) {
        struct reader head = reader_of(slice_of(w->buf + at, WAL_HEADER));
        (void)reader_bytes(&head, WAL_SUM + WAL_MAGIC + 8);
        size_t changes = (size_t)reader_u64(&head);
        struct reader r = reader_of(slice_of(w->buf + at + WAL_HEADER, changes));
        while (err == ERR_OK && reader_left(&r) > 0) {
            err = change_apply(&r, store);
        }
        at += blocks(WAL_HEADER + changes);
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
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_of_errno(errno);
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
