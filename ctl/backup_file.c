/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/backup_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"
#include "ctl/args.h"

#define MAGIC "petrel backup"

enum {
    VERSION = 1,
    MAGIC_LEN = sizeof MAGIC - 1,
    SALT = crypto_pwhash_argon2id_SALTBYTES,
    HEAD = MAGIC_LEN + 1 + 4 + 4 + SALT, /* magic, version, passes u32, KiB u32, salt */
    STREAM = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    TAG = crypto_secretstream_xchacha20poly1305_ABYTES,
    PASSES_MAX = 16,
    MEM_MAX = 1024 * 1024, /* KiB: whoever made the file cannot have us take all there is */
    MEM_MIN = 8,
};

static_assert(SALT == 16, "docs/protocol/10-backup.md, section 10.2");
static_assert(STREAM == 24 && TAG == 17, "likewise");

struct backup_file {
    const char *path;
    char part_path[PATH_MAX];
    FILE *f;
    bool writing;
    bool finished;
    bool first; /* the next part is bound to the head */
    uint8_t head[HEAD];
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t sealed[BACKUP_PART + TAG];
    uint8_t plain[BACKUP_PART];
};

static int fail(const struct backup_file *b, const char *what)
{
    fprintf(stderr, "petrelctl: %s: %s\n", b->path, what);
    return EXIT_LOCAL;
}

static int fail_errno(const struct backup_file *b)
{
    return fail(b, ferror(b->f) != 0 || errno != 0 ? strerror(errno) : "cut off");
}

/* The key of the stream, out of the passphrase and what the head says. */
static int key_of(const struct backup_file *b, struct slice passphrase,
                  uint8_t key[static crypto_secretstream_xchacha20poly1305_KEYBYTES])
{
    struct reader r = reader_of(slice_of(b->head + MAGIC_LEN + 1, HEAD - MAGIC_LEN - 1));
    uint32_t passes = reader_u32(&r);
    uint32_t kib = reader_u32(&r);
    if (passes == 0 || passes > PASSES_MAX || kib < MEM_MIN || kib > MEM_MAX) {
        return fail(b, "asks for more work on the passphrase than this program does");
    }
    int bad =
        crypto_pwhash_argon2id(key, crypto_secretstream_xchacha20poly1305_KEYBYTES,
                               (const char *)passphrase.p, passphrase.len, b->head + HEAD - SALT,
                               passes, (size_t)kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return bad == 0 ? EXIT_OK : fail(b, "not enough memory for the passphrase");
}

static struct backup_file *begin(const char *path, int *rc)
{
    struct backup_file *b = calloc(1, sizeof *b);
    if (b == NULL) {
        fprintf(stderr, "petrelctl: out of memory\n");
        *rc = EXIT_LOCAL;
        return NULL;
    }
    b->path = path;
    b->first = true;
    *rc = EXIT_OK;
    return b;
}

/* --- writing --- */

static int create(struct backup_file *b, struct slice passphrase)
{
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    uint8_t header[STREAM];
    struct stat st;
    if (stat(b->path, &st) == 0) {
        return fail(b, "is there already");
    }
    int n = snprintf(b->part_path, sizeof b->part_path, "%s.part", b->path);
    if (n < 0 || (size_t)n >= sizeof b->part_path) {
        b->part_path[0] = '\0';
        return fail(b, "too long a name");
    }
    int fd = open(b->part_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    b->f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (b->f == NULL) {
        fprintf(stderr, "petrelctl: %s: %s\n", b->part_path, strerror(errno));
        b->part_path[0] = '\0'; /* somebody else's */
        return EXIT_LOCAL;
    }
    struct writer w = writer_of(b->head, sizeof b->head);
    writer_bytes(&w, (const uint8_t *)MAGIC, MAGIC_LEN);
    writer_u8(&w, VERSION);
    writer_u32(&w, crypto_pwhash_argon2id_OPSLIMIT_MODERATE);
    writer_u32(&w, crypto_pwhash_argon2id_MEMLIMIT_MODERATE / 1024);
    randombytes_buf(b->head + HEAD - SALT, SALT);
    int rc = key_of(b, passphrase, key);
    if (rc == EXIT_OK) {
        (void)crypto_secretstream_xchacha20poly1305_init_push(&b->stream, header, key);
    }
    secret_wipe(key, sizeof key);
    if (rc == EXIT_OK && (fwrite(b->head, 1, HEAD, b->f) != HEAD ||
                          fwrite(header, 1, sizeof header, b->f) != sizeof header)) {
        rc = fail_errno(b);
    }
    return rc;
}

struct backup_file *backup_file_create(const char *path, struct slice passphrase, int *rc)
{
    struct backup_file *b = begin(path, rc);
    if (b == NULL) {
        return NULL;
    }
    b->writing = true;
    *rc = create(b, passphrase);
    if (*rc != EXIT_OK) {
        backup_file_close(b);
        b = NULL;
    }
    return b;
}

int backup_file_write(struct backup_file *b, struct slice part, bool last)
{
    uint8_t length[4];
    struct writer w = writer_of(length, sizeof length);
    assert(part.len <= BACKUP_PART);
    writer_u32(&w, (uint32_t)(part.len + TAG));
    (void)crypto_secretstream_xchacha20poly1305_push(
        &b->stream, b->sealed, NULL, part.p, part.len, b->first ? b->head : NULL,
        b->first ? HEAD : 0, last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
    b->first = false;
    errno = 0;
    if (fwrite(length, 1, sizeof length, b->f) != sizeof length ||
        fwrite(b->sealed, 1, part.len + TAG, b->f) != part.len + TAG) {
        return fail_errno(b);
    }
    return EXIT_OK;
}

/* What came to be there meanwhile stays. Old kernels and some file systems cannot rename like that;
 * FAT, which has no links, can. */
static bool give_name(const struct backup_file *b)
{
    if (renameat2(AT_FDCWD, b->part_path, AT_FDCWD, b->path, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if ((errno != EINVAL && errno != ENOSYS) || link(b->part_path, b->path) != 0) {
        return false;
    }
    (void)unlink(b->part_path);
    return true;
}

int backup_file_finish(struct backup_file *b)
{
    errno = 0;
    if (fflush(b->f) != 0 || fsync(fileno(b->f)) != 0 || !give_name(b)) {
        return fail_errno(b);
    }
    b->finished = true;
    char folder[PATH_MAX];
    const char *slash = strrchr(b->path, '/');
    size_t len = slash == NULL ? 0 : slash == b->path ? 1 : (size_t)(slash - b->path);
    (void)snprintf(folder, sizeof folder, "%.*s", len > 0 ? (int)len : 1, len > 0 ? b->path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int bad = fd < 0 ? -1 : fsync(fd);
    if (bad != 0) {
        fprintf(stderr, "petrelctl: %s: %s\n", folder, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return bad == 0 ? EXIT_OK : EXIT_LOCAL;
}

/* --- reading --- */

/* Exactly len bytes. */
static int read_all(struct backup_file *b, uint8_t *out, size_t len)
{
    errno = 0;
    return fread(out, 1, len, b->f) == len ? EXIT_OK : fail_errno(b);
}

static int open_file(struct backup_file *b, struct slice passphrase)
{
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    uint8_t header[STREAM];
    b->f = fopen(b->path, "rbe");
    if (b->f == NULL) {
        fprintf(stderr, "petrelctl: %s: %s\n", b->path, strerror(errno));
        return EXIT_LOCAL;
    }
    int rc = read_all(b, b->head, HEAD);
    if (rc == EXIT_OK && memcmp(b->head, MAGIC, MAGIC_LEN) != 0) {
        rc = fail(b, "is no backup of petrel");
    }
    if (rc == EXIT_OK && b->head[MAGIC_LEN] != VERSION) {
        fprintf(stderr, "petrelctl: %s: version %u; this program reads version %d\n", b->path,
                b->head[MAGIC_LEN], VERSION);
        rc = EXIT_LOCAL;
    }
    if (rc == EXIT_OK) {
        rc = read_all(b, header, sizeof header);
    }
    if (rc == EXIT_OK) {
        rc = key_of(b, passphrase, key);
    }
    if (rc == EXIT_OK &&
        crypto_secretstream_xchacha20poly1305_init_pull(&b->stream, header, key) != 0) {
        rc = fail(b, "damaged");
    }
    secret_wipe(key, sizeof key);
    return rc;
}

struct backup_file *backup_file_open(const char *path, struct slice passphrase, int *rc)
{
    struct backup_file *b = begin(path, rc);
    if (b == NULL) {
        return NULL;
    }
    *rc = open_file(b, passphrase);
    if (*rc != EXIT_OK) {
        backup_file_close(b);
        b = NULL;
    }
    return b;
}

int backup_file_read(struct backup_file *b, struct slice *part, bool *last)
{
    uint8_t bytes[4];
    unsigned char tag = 0;
    unsigned long long len = 0;
    int rc = read_all(b, bytes, sizeof bytes);
    if (rc != EXIT_OK) {
        return rc;
    }
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    size_t size = reader_u32(&r);
    if (size < TAG || size > BACKUP_PART + TAG) {
        return fail(b, "damaged");
    }
    rc = read_all(b, b->sealed, size);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (crypto_secretstream_xchacha20poly1305_pull(&b->stream, b->plain, &len, &tag, b->sealed,
                                                   size, b->first ? b->head : NULL,
                                                   b->first ? HEAD : 0) != 0) {
        return fail(b, b->first ? "another passphrase, or damaged" : "damaged");
    }
    b->first = false;
    *last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    *part = slice_of(b->plain, (size_t)len);
    if (*last && fgetc(b->f) != EOF) {
        return fail(b, "there is more behind its end");
    }
    return EXIT_OK;
}

void backup_file_close(struct backup_file *b)
{
    if (b == NULL) {
        return;
    }
    if (b->f != NULL) {
        (void)fclose(b->f);
    }
    if (b->writing && !b->finished && b->part_path[0] != '\0') {
        (void)unlink(b->part_path);
    }
    secret_wipe(b, sizeof *b);
    free(b);
}
