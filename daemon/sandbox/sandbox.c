/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/names.h"

/* What the daemon does with its own files. It makes no folder, device or pipe. */
static const uint64_t OWN_FILES = LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | LANDLOCK_WRITE_FILE |
                                  LANDLOCK_TRUNCATE | LANDLOCK_MAKE_REG | LANDLOCK_MAKE_SOCK |
                                  LANDLOCK_REMOVE_FILE;
static const uint64_t OWN_SOCKETS = LANDLOCK_MAKE_SOCK | LANDLOCK_REMOVE_FILE;

static enum err failed(const struct sandbox *s, const char *step, int error)
{
    logger_log(s->log, LOGGER_ERROR, "cannot enter the sandbox; 'sandbox = off' starts without",
               "step=\"%s\" reason=\"%s\"", step, strerror(error));
    return ERR_CONFIG;
}

/* capset(2) and capabilities(7): the bounding set while the right to is still there. Who has none
 * is not asked: a unit's own filter may refuse capset. */
static int capabilities_drop(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        /* EPERM for everybody but root; with no_new_privs it then changes nothing. */
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
        return errno;
    }
    if (syscall(SYS_capget, &header, caps) != 0) {
        return errno;
    }
    if (memcmp(caps, none, sizeof caps) == 0) {
        return 0;
    }
    return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

static int paths_allow(struct landlock *l, const struct sandbox_paths *paths)
{
    const struct {
        const char *path;
        uint64_t access;
    } own[] = {
        {paths->home, OWN_FILES},
        {paths->database, OWN_FILES},
        {paths->sockets, OWN_SOCKETS},
        {paths->config, LANDLOCK_READ_FILE},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        int error = own[i].path == NULL ? 0 : landlock_allow(l, own[i].path, own[i].access);
        if (error != 0) {
            return error;
        }
    }
    /* libuv holds this to have a descriptor to give up when there are no more. */
    int error = landlock_allow(l, "/dev/null", LANDLOCK_READ_FILE);
    const char *const *name = names_paths();
    for (; error == 0 && *name != NULL; name++) {
        error = landlock_allow(l, *name, LANDLOCK_READ_FILE);
    }
    return error;
}

/* What a sanitizer's report and the counters of a coverage build need. */
static int tools_allow(struct landlock *l)
{
#if defined(PETREL_COVERAGE)
    return landlock_allow(l, "/", OWN_FILES | LANDLOCK_MAKE_DIR);
#elif defined(PETREL_SANITIZED)
    return landlock_allow(l, "/", LANDLOCK_READ_FILE | LANDLOCK_READ_DIR);
#else
    (void)l;
    return 0;
#endif
}

static int files_confine(const struct sandbox_paths *paths, int *abi)
{
    struct landlock l;
    bool abstract = paths->notify != NULL && paths->notify[0] == '@';
    int error = landlock_begin(&l, abstract);
    *abi = l.abi;
    if (error != 0 || l.abi == 0) {
        return error;
    }
    error = paths_allow(&l, paths);
    if (error == 0) {
        error = tools_allow(&l);
    }
    return landlock_end(&l, error);
}

enum err sandbox_confine(struct sandbox *s, const struct sandbox_paths *paths)
{
    if (s->mode == SANDBOX_OFF) {
        logger_log(s->log, LOGGER_WARN, "no sandbox", "sandbox=%s", "off");
        return ERR_OK;
    }
    size_t modules = names_load();
    logger_log(s->log, LOGGER_DEBUG, "modules for names", "loaded=%zu", modules);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failed(s, "no new privileges", errno);
    }
    int error = capabilities_drop();
    if (error != 0) {
        return failed(s, "capabilities", error);
    }
    error = files_confine(paths, &s->landlock);
    if (error != 0) {
        return failed(s, "landlock", error);
    }
    if (s->landlock == 0) {
        logger_log(s->log, LOGGER_WARN, "the sandbox does not hold files", "reason=\"%s\"",
                   "Landlock is not to be had here");
    }
    return ERR_OK;
}

enum err sandbox_filter(const struct sandbox *s)
{
    if (s->mode == SANDBOX_OFF) {
        return ERR_OK;
    }
    int error = filter_load(s->mode == SANDBOX_STRICT);
    if (error != 0) {
        return failed(s, "filter", error);
    }
    logger_log(s->log, LOGGER_INFO, "in the sandbox", "sandbox=%s landlock=%d",
               s->mode == SANDBOX_STRICT ? "strict" : "on", s->landlock);
    return ERR_OK;
}
