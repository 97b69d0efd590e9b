/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/credential.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/prim.h"

static_assert((int)LIMIT_CREDENTIAL_MIN == (int)SEAL_KEY, "the shortest is the key itself");

static enum err refused(const char *name, const char *why, char reason[static CREDENTIAL_REASON])
{
    (void)snprintf(reason, CREDENTIAL_REASON, "credential %.40s: %.100s", name, why);
    return ERR_CONFIG;
}

/* With an access list the group's bits are its mask: the service manager gives its file, which
 * belongs to root, to the service's user in this way. */
static bool has_access_list(int fd)
{
    return fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0;
}

static enum err check(int fd, const char *name, char reason[static CREDENTIAL_REASON])
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return refused(name, strerror(errno), reason);
    }
    if (!S_ISREG(st.st_mode)) {
        return refused(name, "not a file", reason);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return refused(name, "belongs to another user", reason);
    }
    if ((st.st_mode & 07) != 0 || ((st.st_mode & 070) != 0 && !has_access_list(fd))) {
        return refused(name, "others may read it", reason);
    }
    return ERR_OK;
}

/* The whole file into out, at most cap bytes. */
static enum err read_whole(int fd, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    while (*len < cap) {
        ssize_t n = read(fd, out + *len, cap - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? ERR_IO : ERR_OK;
        }
        *len += (size_t)n;
    }
    return ERR_OK;
}

static enum err key_of(int fd, const char *name, uint8_t key[static SEAL_KEY],
                       char reason[static CREDENTIAL_REASON])
{
    uint8_t bytes[LIMIT_CREDENTIAL + 1];
    char why[80];
    size_t len = 0;
    enum err err = read_whole(fd, bytes, sizeof bytes, &len);
    if (err != ERR_OK) {
        (void)refused(name, strerror(errno), reason);
    } else if (len < LIMIT_CREDENTIAL_MIN || len > LIMIT_CREDENTIAL) {
        (void)snprintf(why, sizeof why, "%s than %d bytes",
                       len < LIMIT_CREDENTIAL_MIN ? "less" : "more",
                       len < LIMIT_CREDENTIAL_MIN ? LIMIT_CREDENTIAL_MIN : LIMIT_CREDENTIAL);
        err = refused(name, why, reason);
    } else if (len == SEAL_KEY) {
        memcpy(key, bytes, SEAL_KEY);
    } else {
        struct slice all = slice_of(bytes, len);
        prim_blake2b(key, SEAL_KEY, slice_of(NULL, 0), "petrel/1 credential", &all, 1);
    }
    secret_wipe(bytes, sizeof bytes);
    return err;
}

enum err credential_read(const char *name, uint8_t key[static SEAL_KEY],
                         char reason[static CREDENTIAL_REASON])
{
    char path[PATH_MAX];
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL || dir[0] == '\0') {
        return ERR_NOT_FOUND;
    }
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (dir[0] != '/' || n < 0 || (size_t)n >= sizeof path) {
        return refused(name, "$CREDENTIALS_DIRECTORY is not an absolute path that fits", reason);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        return ERR_NOT_FOUND;
    }
    if (fd < 0) {
        return refused(name, errno == ELOOP ? "a symbolic link" : strerror(errno), reason);
    }
    enum err err = check(fd, name, reason);
    if (err == ERR_OK) {
        err = key_of(fd, name, key, reason);
    }
    (void)close(fd);
    return err;
}

/* One that is there must be usable: to go on without it would be to make other keys. */
static enum err read_if_there(const char *name, uint8_t *key, const uint8_t **found,
                              char reason[static CREDENTIAL_REASON])
{
    enum err err = credential_read(name, key, reason);
    *found = err == ERR_OK ? key : NULL;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err credentials_read(uint8_t *into, const uint8_t **node, const uint8_t **account,
                          char reason[static CREDENTIAL_REASON])
{
    *account = NULL;
    enum err err = read_if_there(CREDENTIAL_NODE, into, node, reason);
    return err == ERR_OK ? read_if_there(CREDENTIAL_ACCOUNT, into + SEAL_KEY, account, reason)
                         : err;
}
