/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/files.h"

#include <sys/resource.h>

#include "base/limits.h"

enum {
    FILES_UNKNOWN = 1024, /* a system that does not tell */
};

static size_t least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

struct files files_share(uint64_t limit)
{
    size_t reserved = least(limit / 2, FILES_RESERVED);
    size_t links = least(limit - reserved, SIZE_MAX);
    return (struct files){.links = links,
                          .handshakes = least(links / 2, LIMIT_HALF_OPEN),
                          .clients = least(reserved / 3, LIMIT_CONTROL_CLIENTS)};
}

struct files files_of_process(void)
{
    struct rlimit files = {.rlim_cur = FILES_UNKNOWN};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    return files_share(files.rlim_cur);
}
