/* SPDX-License-Identifier: Apache-2.0
 *
 * files: how the descriptors that a process may have are shared out, so that strangers who connect
 * never take the last one. docs/protocol/03-link.md, section 7.
 *
 * Owns nothing. Nobody else has to expect that there is none left:
 * when accept(2) finds none, libuv's loop asks for one again and again and does nothing else, since
 * the spare one that it keeps cannot be opened anew inside the sandbox.
 */
#ifndef PETREL_DAEMON_IO_FILES_H
#define PETREL_DAEMON_IO_FILES_H

#include <stddef.h>
#include <stdint.h>

enum {
    FILES_RESERVED = 192, /* that links leave for everything else; half of a small limit */
};

struct files {
    size_t links;      /* accepted and dialled, in all */
    size_t handshakes; /* of the accepted ones, those under way */
    size_t clients;    /* of the control socket */
};

/* Of so many. */
struct files files_share(uint64_t limit);
/* Of RLIMIT_NOFILE of this process. */
struct files files_of_process(void);

#endif
