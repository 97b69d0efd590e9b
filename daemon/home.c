/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/home.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/prim.h"

enum {
    HOME_SAID = 150, /* bytes of a path in a reason */
    HOME_HASH = 16,  /* bytes of the home's path hash in the socket's name */
    HOME_WORD_TURN = 0,
    HOME_WORD_PID = 1,
    HOME_WORD_FLUSH = 2,
};

static_assert(sizeof((struct sockaddr_un *)0)->sun_path == HOME_SOCKET, "sun_path");

struct home {
    char path[HOME_PATH];
    char socket[HOME_SOCKET]; /* "" until home_socket_path */
    int lock;                 /* file descriptor, -1: none */
    uint64_t *page;           /* the lock file, mapped; NULL: not yet */
};

/* Formats into out; false when it does not fit. */
__attribute__((format(printf, 3, 4))) static bool join(char *out, size_t cap, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, cap, format, args);
    va_end(args);
    return n > 0 && (size_t)n < cap;
}

/* An environment variable that is set and not empty, else NULL. */
static const char *env_text(const char *name)
{
    const char *v = getenv(name);
    return v != NULL && v[0] != '\0' ? v : NULL;
}

static enum err absolute(const char *path, char out[static HOME_PATH])
{
    char cwd[HOME_PATH];
    bool fits;
    if (path[0] == '/') {
        fits = join(out, HOME_PATH, "%s", path);
    } else {
        fits = getcwd(cwd, sizeof cwd) != NULL && join(out, HOME_PATH, "%s/%s", cwd, path);
    }
    return fits ? ERR_OK : ERR_CONFIG;
}

enum err home_resolve(const char *flag, char out[static HOME_PATH])
{
    char path[HOME_PATH];
    const char *own = flag != NULL ? flag : env_text("PETREL_HOME");
    const char *data = env_text("XDG_DATA_HOME");
    const char *user = env_text("HOME");
    bool fits = false;
    if (own != NULL) {
        return own[0] != '\0' ? absolute(own, out) : ERR_CONFIG;
    }
    if (data != NULL && data[0] == '/') { /* a relative one is to be ignored, says XDG */
        fits = join(path, sizeof path, "%s/petrel", data);
    } else if (user != NULL) {
        fits = join(path, sizeof path, "%s/.local/share/petrel", user);
    }
    return fits ? absolute(path, out) : ERR_CONFIG;
}

static enum err err_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case ELOOP:
        return ERR_CONFIG;
    default:
        return ERR_IO;
    }
}

/* errno and where it came from, as an error and a sentence. */
static enum err failed(char reason[static HOME_REASON], const char *path, int e)
{
    (void)snprintf(reason, HOME_REASON, "%.*s: %s", (int)HOME_SAID, path, strerror(e));
    return err_of_errno(e);
}

/* Creates path and the folders above it, 0700. */
static enum err make_folders(const char *path, char reason[static HOME_REASON])
{
    char part[HOME_PATH];
    size_t len = strlen(path);
    assert(len < sizeof part);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            struct stat st;
            int e = errno;
            /* A folder above may be there and refuse mkdir for another reason than EEXIST. */
            if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode)) {
                return failed(reason, part, e);
            }
        }
    }
    return ERR_OK;
}

/* A folder that is ours and that nobody else may write (forbidden: the mode bits that must be 0).
 * Else why not. */
static bool folder_is_safe(const char *path, mode_t forbidden, char reason[static HOME_REASON])
{
    struct stat st;
    if (stat(path, &st) != 0) {
        (void)failed(reason, path, errno);
    } else if (!S_ISDIR(st.st_mode)) {
        (void)failed(reason, path, ENOTDIR);
    } else if (st.st_uid != geteuid()) {
        (void)snprintf(reason, HOME_REASON,
                       "%.*s belongs to user %u, and this is user %u: run petreld as that one, or "
                       "chown -R the folder",
                       (int)HOME_SAID, path, (unsigned)st.st_uid, (unsigned)geteuid());
    } else if ((st.st_mode & forbidden) != 0) {
        (void)snprintf(reason, HOME_REASON,
                       "others may write to %.*s, where keys are: its mode is %04o; chmod 700 it, "
                       "and think about who may have changed it",
                       (int)HOME_SAID, path, (unsigned)st.st_mode & 07777);
    } else {
        return true;
    }
    return false;
}

/* The compiler may neither drop it nor move it across the turn. */
static void word_set(struct home *home, size_t word, uint64_t v)
{
    __atomic_store_n(&home->page[word], v, __ATOMIC_SEQ_CST);
}

/* Takes the lock and maps its page. The page is really allocated: a hole on a full disk would kill
 * the process at the first turn. */
static enum err lock_take(struct home *home, char reason[static HOME_REASON])
{
    char path[HOME_PATH];
    if (!join(path, sizeof path, "%s/lock", home->path)) {
        return ERR_CONFIG;
    }
    home->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (home->lock < 0) {
        return failed(reason, path, errno);
    }
    if (flock(home->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? ERR_HOME_LOCKED : ERR_IO;
    }
    int rc = posix_fallocate(home->lock, 0, HOME_LOCK_PAGE);
    if (rc != 0) {
        return failed(reason, path, rc);
    }
    void *page = mmap(NULL, HOME_LOCK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, home->lock, 0);
    if (page == MAP_FAILED) {
        return ERR_NO_MEMORY;
    }
    home->page = page;
    word_set(home, HOME_WORD_TURN, 0);
    word_set(home, HOME_WORD_FLUSH, 0);
    word_set(home, HOME_WORD_PID, (uint64_t)getpid());
    return ERR_OK;
}

/* The steps of home_open, with the folder's path in home. */
static enum err open_steps(struct home *home, char reason[static HOME_REASON])
{
    enum err err = make_folders(home->path, reason);
    if (err == ERR_OK && !folder_is_safe(home->path, 022, reason)) {
        err = ERR_CONFIG;
    }
    return err == ERR_OK ? lock_take(home, reason) : err;
}

enum err home_open(struct home **out, const char *path, char reason[static HOME_REASON])
{
    struct home *home = calloc(1, sizeof *home);
    if (home == NULL) {
        (void)snprintf(reason, HOME_REASON, "%s", err_message(ERR_NO_MEMORY));
        return ERR_NO_MEMORY;
    }
    home->lock = -1;
    (void)umask(077);
    reason[0] = '\0';
    enum err err = ERR_CONFIG;
    if (path[0] != '/' || !join(home->path, sizeof home->path, "%s", path)) {
        (void)failed(reason, path, path[0] == '/' ? ENAMETOOLONG : EINVAL);
    } else {
        err = open_steps(home, reason);
    }
    if (err != ERR_OK) {
        if (reason[0] == '\0') {
            (void)snprintf(reason, HOME_REASON, "%s", err_message(err));
        }
        home_close(home);
        return err;
    }
    *out = home;
    return ERR_OK;
}

void home_close(struct home *home)
{
    if (home == NULL) {
        return;
    }
    if (home->page != NULL) {
        (void)munmap(home->page, HOME_LOCK_PAGE);
    }
    if (home->lock >= 0) {
        (void)close(home->lock); /* the lock goes with it; the file stays */
    }
    free(home);
}

const char *home_path(const struct home *home)
{
    return home->path;
}

void home_turn_open(struct home *home)
{
    word_set(home, HOME_WORD_TURN, 1);
}

void home_turn_closed(struct home *home)
{
    word_set(home, HOME_WORD_TURN, 0);
}

void home_flush_waits(struct home *home, bool waits)
{
    word_set(home, HOME_WORD_FLUSH, waits ? 1 : 0);
}

static void home_hash(const char *path, char hex[static 2 * HOME_HASH + 1])
{
    char real[HOME_PATH];
    uint8_t hash[HOME_HASH];
    const char *name = realpath(path, real) != NULL ? real : path;
    struct slice part = slice_of(name, strlen(name));
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "petrel/1 home socket", &part, 1);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
}

/* The socket in the user's runtime folder; false when there is none that can be used. */
static bool runtime_socket(const struct home *home, char out[static HOME_SOCKET])
{
    char folder[HOME_PATH];
    char hex[2 * HOME_HASH + 1];
    char reason[HOME_REASON];
    const char *runtime = env_text("XDG_RUNTIME_DIR");
    if (runtime == NULL || runtime[0] != '/' ||
        !join(folder, sizeof folder, "%s/petrel", runtime)) {
        return false;
    }
    if ((mkdir(folder, 0700) != 0 && errno != EEXIST) || !folder_is_safe(folder, 077, reason)) {
        return false;
    }
    home_hash(home->path, hex);
    return join(out, HOME_SOCKET, "%s/%s.sock", folder, hex);
}

/* Points link to target, replacing what is there in one step. */
static enum err link_replace(const char *target, const char *link)
{
    char temp[HOME_PATH];
    if (!join(temp, sizeof temp, "%s.new", link)) {
        return ERR_CONFIG;
    }
    (void)unlink(temp);
    if (symlink(target, temp) != 0) {
        return err_of_errno(errno);
    }
    if (rename(temp, link) != 0) {
        enum err err = err_of_errno(errno);
        (void)unlink(temp);
        return err;
    }
    return ERR_OK;
}

enum err home_socket_path(struct home *home, char out[static HOME_SOCKET])
{
    char own[HOME_PATH];
    char path[HOME_SOCKET];
    if (!join(own, sizeof own, "%s/control.sock", home->path)) {
        return ERR_CONFIG;
    }
    bool runtime = runtime_socket(home, path);
    if (!runtime && !join(path, sizeof path, "%s", own)) {
        return ERR_CONFIG;
    }
    (void)unlink(path); /* this home is locked: nobody listens there any more */
    if (runtime) {
        enum err err = link_replace(path, own);
        if (err != ERR_OK) {
            return err;
        }
    }
    memcpy(home->socket, path, sizeof home->socket);
    memcpy(out, path, sizeof path);
    return ERR_OK;
}

void home_socket_remove(struct home *home)
{
    char own[HOME_PATH];
    if (home->socket[0] == '\0') {
        return;
    }
    (void)unlink(home->socket);
    if (join(own, sizeof own, "%s/control.sock", home->path)) {
        (void)unlink(own);
    }
    home->socket[0] = '\0';
}
