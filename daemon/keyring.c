/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keyring.h"

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

#include "base/limits.h"
#include "base/secret.h"
#include "daemon/store/dir.h"
#include "store/erase.h"

enum {
    KEYRING_NAME = 32, /* longest file name, with its NUL */
};

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

static enum err path_of(char out[static PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
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

/* Reads a file of exactly len bytes. guarded: refuse what group or others may read, or what belongs
 * to somebody else. */
static enum err file_read(const char *dir, const char *name, bool guarded, uint8_t *out, size_t len)
{
    char path[PATH_MAX];
    struct stat st;
    enum err err = path_of(path, dir, name);
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

static enum err new_file_write(const char *path, struct slice bytes)
{
    (void)unlink(path); /* left by a crash */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == ENOENT ? ERR_IO : err_of_errno(errno);
    }
    enum err err = write_all(fd, bytes.p, bytes.len);
    if (err == ERR_OK && fsync(fd) != 0) {
        err = err_of_errno(errno);
    }
    (void)close(fd);
    return err;
}

/* Puts dir/name in place whole or not at all, and durable: temporary file, fsync, rename, fsync of
 * the folder. */
static enum err file_write(const char *dir, const char *name, struct slice bytes)
{
    char path[PATH_MAX];
    char temp[PATH_MAX];
    char temp_name[KEYRING_NAME + 8];
    (void)snprintf(temp_name, sizeof temp_name, "%s.new", name);
    enum err err = path_of(path, dir, name);
    if (err == ERR_OK) {
        err = path_of(temp, dir, temp_name);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = new_file_write(temp, bytes);
    if (err == ERR_OK && rename(temp, path) != 0) {
        err = err_of_errno(errno);
    }
    if (err != ERR_OK) {
        (void)unlink(temp);
        return err;
    }
    return dir_flush(dir);
}

/* A key that the service manager handed in. ERR_NOT_FOUND when there is none. Its permissions are
 * the manager's affair: an access list may show as a group bit. */
static enum err credential_read(const char *name, uint8_t key[static SEAL_KEY])
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL || dir[0] != '/') {
        return ERR_NOT_FOUND;
    }
    return file_read(dir, name, false, key, SEAL_KEY);
}

static void erase_name(char out[static KEYRING_NAME], uint32_t account)
{
    (void)snprintf(out, KEYRING_NAME, "erase-%lu", (unsigned long)account);
}

static void key_name(char out[static KEYRING_NAME], uint32_t account)
{
    (void)snprintf(out, KEYRING_NAME, "account-%lu.key", (unsigned long)account);
}

enum err keyring_node_key(const char *home, uint8_t key[static SEAL_KEY])
{
    uint8_t k[SEAL_KEY];
    enum err err = credential_read("node.key", k);
    if (err == ERR_NOT_FOUND) {
        err = file_read(home, "node.key", true, k, sizeof k);
    }
    if (err == ERR_NOT_FOUND) {
        randombytes_buf(k, sizeof k);
        err = file_write(home, "node.key", slice_of(k, sizeof k));
    }
    if (err == ERR_OK) {
        memcpy(key, k, sizeof k);
    }
    secret_wipe(k, sizeof k);
    return err;
}

static enum err erase_load(const char *home, uint32_t account, struct erase_file *out)
{
    char name[KEYRING_NAME];
    uint8_t bytes[ERASE_FILE];
    erase_name(name, account);
    enum err err = file_read(home, name, false, bytes, sizeof bytes);
    if (err == ERR_OK) {
        err = erase_decode(out, slice_of(bytes, sizeof bytes));
    }
    if (err == ERR_OK && out->account != account) {
        err = ERR_CORRUPT;
    }
    return err;
}

enum keyring_account keyring_account_kind(const char *home, uint32_t account)
{
    struct erase_file f;
    enum err err = erase_load(home, account, &f);
    if (err == ERR_NOT_FOUND) {
        return KEYRING_NONE;
    }
    return err == ERR_OK && f.kdf.kind == ERASE_KDF_ARGON2ID ? KEYRING_PASSPHRASE
                                                             : KEYRING_KEY_FILE;
}

static enum err passphrase_secret(const struct erase_kdf *kdf, struct slice passphrase,
                                  uint8_t secret[static SEAL_KEY])
{
    static_assert(ERASE_SALT == crypto_pwhash_argon2id_SALTBYTES, "Argon2id salt");
    int bad = crypto_pwhash_argon2id(secret, SEAL_KEY, (const char *)passphrase.p, passphrase.len,
                                     kdf->salt, kdf->ops, (size_t)kdf->mem_kib * 1024,
                                     crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return bad != 0 ? ERR_NO_MEMORY : ERR_OK; /* every other reason was excluded before */
}

/* The credential account.key, or a new key file. */
static enum err key_file_create(const char *home, uint32_t account, const struct env *env,
                                uint8_t secret[static SEAL_KEY])
{
    char name[KEYRING_NAME];
    enum err err = credential_read("account.key", secret);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    key_name(name, account);
    env_random(env, secret, SEAL_KEY);
    return file_write(home, name, slice_of(secret, SEAL_KEY));
}

/* A key file beside a passphrase would be an orphan's. */
static void key_file_remove(const char *home, uint32_t account)
{
    char name[KEYRING_NAME];
    char path[PATH_MAX];
    key_name(name, account);
    if (path_of(path, home, name) == ERR_OK) {
        (void)unlink(path);
    }
}

static enum err secret_create(const char *home, uint32_t account, struct slice passphrase,
                              const struct env *env, const struct erase_kdf *kdf,
                              uint8_t secret[static SEAL_KEY])
{
    if (kdf->kind == ERASE_KDF_KEY_FILE) {
        return key_file_create(home, account, env, secret);
    }
    key_file_remove(home, account);
    return passphrase_secret(kdf, passphrase, secret);
}

enum err keyring_account_create_at(const char *home, uint32_t account, struct slice passphrase,
                                   const struct env *env, struct keyring_cost cost,
                                   struct node_root *root)
{
    struct erase_file f = {.account = account};
    struct node_root fresh = {.account = account, .generation = 1};
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t bytes[ERASE_FILE];
    char name[KEYRING_NAME];
    if (account == 0 || passphrase.len > LIMIT_PASSPHRASE) {
        return ERR_ARGUMENT;
    }
    f.kdf.kind = passphrase.len > 0 ? ERASE_KDF_ARGON2ID : ERASE_KDF_KEY_FILE;
    f.kdf.ops = passphrase.len > 0 ? cost.ops : 0;
    f.kdf.mem_kib = passphrase.len > 0 ? cost.mem_kib : 0;
    env_random(env, f.kdf.salt, sizeof f.kdf.salt);
    env_random(env, fresh.r, sizeof fresh.r);
    env_random(env, nonce, sizeof nonce);
    enum err err = secret_create(home, account, passphrase, env, &f.kdf, fresh.secret);
    if (err == ERR_OK) {
        erase_slot_seal(&f, 0, fresh.generation, fresh.secret, nonce, fresh.r);
        erase_encode(bytes, &f);
        erase_name(name, account);
        err = file_write(home, name, slice_of(bytes, sizeof bytes));
    }
    if (err == ERR_OK) {
        *root = fresh;
    }
    secret_wipe(&fresh, sizeof fresh);
    return err;
}

enum err keyring_account_create(const char *home, uint32_t account, struct slice passphrase,
                                const struct env *env, struct node_root *root)
{
    struct keyring_cost cost = {
        .ops = crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
        .mem_kib = crypto_pwhash_argon2id_MEMLIMIT_MODERATE / 1024,
    };
    return keyring_account_create_at(home, account, passphrase, env, cost, root);
}

/* Tries the credential, then the key file: either may be the one that R was sealed under. */
static enum err key_file_open(const char *home, const struct erase_file *f, unsigned slot,
                              struct node_root *root)
{
    char name[KEYRING_NAME];
    enum err err = credential_read("account.key", root->secret);
    if (err == ERR_OK) {
        err = erase_slot_open(f, slot, root->secret, root->r);
    }
    if (err == ERR_NOT_FOUND || err == ERR_WRONG_KEY) {
        key_name(name, f->account);
        err = file_read(home, name, true, root->secret, sizeof root->secret);
        if (err == ERR_OK) {
            err = erase_slot_open(f, slot, root->secret, root->r);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_WRONG_KEY : err;
}

static enum err passphrase_open(struct slice passphrase, const struct erase_file *f, unsigned slot,
                                struct node_root *root)
{
    if (passphrase.len == 0 || passphrase.len > LIMIT_PASSPHRASE) {
        return ERR_WRONG_KEY;
    }
    enum err err = passphrase_secret(&f->kdf, passphrase, root->secret);
    return err == ERR_OK ? erase_slot_open(f, slot, root->secret, root->r) : err;
}

/* The slot with this generation; -1: none. */
static int slot_of(const struct erase_file *f, uint64_t generation)
{
    for (int i = 0; i < ERASE_SLOTS && generation != 0; i++) {
        if (f->slots[i].generation == generation) {
            return i;
        }
    }
    return -1;
}

enum err keyring_account_open(const char *home, uint32_t account, struct slice passphrase,
                              uint32_t generation, struct node_root *root)
{
    struct erase_file f;
    *root = (struct node_root){.account = account, .generation = generation, .opened = true};
    enum err err = erase_load(home, account, &f);
    if (err == ERR_OK) {
        int wanted = slot_of(&f, generation);
        /* Decode refuses a file without a slot. A wrong key is told first. */
        unsigned slot = (unsigned)(wanted >= 0 ? wanted : erase_newest(&f));
        err = f.kdf.kind == ERASE_KDF_ARGON2ID ? passphrase_open(passphrase, &f, slot, root)
                                               : key_file_open(home, &f, slot, root);
        err = err == ERR_OK && wanted < 0 ? ERR_ROLLBACK : err;
    }
    if (err != ERR_OK) {
        secret_wipe(root, sizeof *root);
    }
    return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
}

/* Writes one slot of the file in place, as it is in f. */
static enum err slot_write(const char *home, const struct erase_file *f, unsigned slot)
{
    char name[KEYRING_NAME];
    char path[PATH_MAX];
    uint8_t bytes[ERASE_FILE];
    off_t at = (off_t)ERASE_BLOCK * (off_t)(1 + slot);
    erase_name(name, f->account);
    erase_encode(bytes, f);
    enum err err = path_of(path, home, name);
    int fd = err == ERR_OK ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) {
        return err == ERR_OK ? ERR_IO : err;
    }
    if (lseek(fd, at, SEEK_SET) != at) {
        err = ERR_IO;
    }
    if (err == ERR_OK) {
        err = write_all(fd, bytes + at, ERASE_BLOCK);
    }
    if (err == ERR_OK && fsync(fd) != 0) {
        err = err_of_errno(errno);
    }
    (void)close(fd);
    return err;
}

/* The file, and which slot has this generation. */
static enum err slot_find(const char *home, uint32_t account, uint32_t generation,
                          struct erase_file *f, unsigned *slot)
{
    enum err err = erase_load(home, account, f);
    int found = err == ERR_OK ? slot_of(f, generation) : -1;
    *slot = (unsigned)(found < 0 ? 0 : found);
    if (err == ERR_OK && found < 0) {
        err = ERR_CORRUPT;
    }
    return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
}

enum err keyring_root_put(const char *home, const struct env *env, const struct node_root *root)
{
    struct erase_file f;
    unsigned slot;
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t former[SEAL_KEY];
    enum err err = slot_find(home, root->account, root->generation - 1, &f, &slot);
    if (err == ERR_OK) {
        err = erase_slot_open(&f, slot, root->secret, former);
        secret_wipe(former, sizeof former);
    }
    if (err != ERR_OK) {
        return err;
    }
    env_random(env, nonce, sizeof nonce);
    erase_slot_seal(&f, 1 - slot, root->generation, root->secret, nonce, root->r);
    return slot_write(home, &f, 1 - slot);
}

/* Whether a slot's block has anything in it, also what does not count as a root. */
static enum err slot_used(const char *home, uint32_t account, unsigned slot, bool *used)
{
    static const uint8_t zeros[ERASE_BLOCK];
    char name[KEYRING_NAME];
    uint8_t bytes[ERASE_FILE];
    erase_name(name, account);
    enum err err = file_read(home, name, false, bytes, sizeof bytes);
    *used =
        err == ERR_OK && memcmp(bytes + (size_t)ERASE_BLOCK * (1 + slot), zeros, sizeof zeros) != 0;
    return err;
}

enum err keyring_root_keep(const char *home, uint32_t account, uint32_t generation)
{
    struct erase_file f;
    unsigned slot;
    bool used = false;
    enum err err = slot_find(home, account, generation, &f, &slot);
    if (err == ERR_OK) {
        err = slot_used(home, account, 1 - slot, &used);
    }
    if (err != ERR_OK || !used) {
        return err;
    }
    f.slots[1 - slot] = (struct erase_slot){.generation = 0};
    return slot_write(home, &f, 1 - slot);
}

/* Overwrites the file in place, as far as the file system does that, and removes it. */
static enum err file_destroy(const char *dir, const char *name)
{
    static const uint8_t zeros[ERASE_FILE];
    char path[PATH_MAX];
    struct stat st;
    enum err err = path_of(path, dir, name);
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : ERR_IO;
    }
    if (fstat(fd, &st) != 0) {
        err = ERR_IO;
    }
    size_t len = err == ERR_OK && st.st_size < ERASE_FILE ? (size_t)st.st_size : sizeof zeros;
    if (err == ERR_OK) {
        err = write_all(fd, zeros, len);
    }
    if (err == ERR_OK && (fsync(fd) != 0 || unlink(path) != 0)) {
        err = ERR_IO;
    }
    (void)close(fd);
    return err;
}

enum err keyring_account_erase(const char *home, uint32_t account)
{
    char name[KEYRING_NAME];
    erase_name(name, account);
    enum err err = file_destroy(home, name);
    if (err == ERR_OK) {
        key_name(name, account);
        err = file_destroy(home, name);
    }
    return err == ERR_OK ? dir_flush(home) : err;
}
