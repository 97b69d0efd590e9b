/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/ballast.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool ballast_low_space(const char *path, uint64_t extra)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0) {
        return false;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t reserve = (uint64_t)fs.f_blocks / 100 * fs.f_frsize;
    if (reserve < BALLAST_RESERVE) {
        reserve = BALLAST_RESERVE;
    }
    return free_bytes < reserve || free_bytes - reserve < extra;
}

static bool ballast_path(const char *dir, char out[static PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/ballast", dir);
    return n > 0 && n < PATH_MAX;
}

bool ballast_make(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;
    if (!ballast_path(dir, path)) {
        return false;
    }
    /* Blocks, not the size: a crash may have left it half allocated. */
    if (stat(path, &st) == 0 && (uint64_t)st.st_blocks * 512 >= BALLAST_BYTES) {
        return true;
    }
    if (ballast_low_space(dir, BALLAST_BYTES)) {
        return false;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool made = posix_fallocate(fd, 0, (off_t)BALLAST_BYTES) == 0;
    (void)close(fd);
    if (!made) {
        (void)unlink(path);
    }
    return made;
}

void ballast_drop(const char *dir)
{
    char path[PATH_MAX];
    if (ballast_path(dir, path)) {
        (void)unlink(path);
    }
}
