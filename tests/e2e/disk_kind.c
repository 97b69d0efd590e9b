/* SPDX-License-Identifier: Apache-2.0
 *
 * disk_kind: for LD_PRELOAD: every file system is of the kind that PETREL_DISK_KIND names, a number
 * of statfs(2) in hexadecimal. So tests see what is said of those that cannot be mounted anywhere.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int statfs(const char *path, struct statfs *out)
{
    const char *text = getenv("PETREL_DISK_KIND");
    int rc = (int)syscall(SYS_statfs, path, out);
    if (rc == 0 && text != NULL) {
        out->f_type = (__typeof__(out->f_type))strtoul(text, NULL, 16);
    }
    return rc;
}
