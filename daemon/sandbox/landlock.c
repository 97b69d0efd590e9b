/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    BITS_ABI_1 = 13, /* execute, write and read files, read folders, remove and make seven kinds */
    BITS_ABI_2 = 14, /* and link or rename from one folder to another */
    BITS_ABI_3 = 15, /* and truncate */
    BITS_ABI_5 = 16, /* and ioctl on devices */
    ABI_NET = 4,
    ABI_SCOPE = 6,
};

static const uint64_t NET_BIND_TCP = 1;
static const uint64_t SCOPE_ABSTRACT = 1;
static const uint64_t SCOPE_SIGNAL = 2;
static const uint64_t FILE_RIGHTS = LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_TRUNCATE;

/* struct landlock_ruleset_attr of ABI 6; an older kernel gets as much of it as it knows. */
struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
};

static uint64_t handled_by(int abi)
{
    int bits = abi >= 5 ? BITS_ABI_5 : abi >= 3 ? BITS_ABI_3 : abi == 2 ? BITS_ABI_2 : BITS_ABI_1;
    return (UINT64_C(1) << bits) - 1;
}

static size_t size_for(int abi)
{
    return abi >= ABI_SCOPE ? sizeof(struct ruleset)
           : abi >= ABI_NET ? offsetof(struct ruleset, scoped)
                            : offsetof(struct ruleset, handled_net);
}

int landlock_begin(struct landlock *l, bool abstract)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *l = (struct landlock){.fd = -1};
    if (abi <= 0) { /* EPERM: the filter of a container that is older than Landlock */
        bool missing = abi == 0 || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;
        return missing ? 0 : errno;
    }
    l->abi = (int)abi;
    l->handled = handled_by(l->abi);
    const struct ruleset set = {.handled_fs = l->handled,
                                .handled_net = NET_BIND_TCP,
                                .scoped = SCOPE_SIGNAL | (abstract ? 0 : SCOPE_ABSTRACT)};
    l->fd = (int)syscall(SYS_landlock_create_ruleset, &set, size_for(l->abi), 0);
    return l->fd >= 0 ? 0 : errno;
}

int landlock_allow(struct landlock *l, const char *path, uint64_t access)
{
    struct stat st;
    struct landlock_path_beneath_attr rule = {
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
        .allowed_access = access & l->handled,
    };
    if (rule.parent_fd < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : errno;
    }
    int error = fstat(rule.parent_fd, &st) == 0 ? 0 : errno;
    if (error == 0 && !S_ISDIR(st.st_mode)) {
        rule.allowed_access &= FILE_RIGHTS;
    }
    if (error == 0 && rule.allowed_access != 0 &&
        syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
        error = errno;
    }
    (void)close(rule.parent_fd);
    return error;
}

int landlock_end(struct landlock *l, int error)
{
    if (error == 0 && syscall(SYS_landlock_restrict_self, l->fd, 0) != 0) {
        error = errno;
    }
    if (l->fd >= 0) {
        (void)close(l->fd);
        l->fd = -1;
    }
    return error;
}
