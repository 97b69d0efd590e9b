/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/dir.h"

#include <fcntl.h>
#include <unistd.h>

enum err dir_flush(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    enum err err = fsync(fd) == 0 ? ERR_OK : ERR_IO;
    (void)close(fd);
    return err;
}
