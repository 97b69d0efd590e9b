/* SPDX-License-Identifier: Apache-2.0
 *
 * landlock: what the calling thread may still reach by path, TCP port or abstract socket.
 * landlock(7), and the kernel's Documentation/userspace-api/landlock.rst.
 *
 * Everything that the running kernel can refuse is refused, but what was allowed by path; what it
 * cannot is left out. The kernel's own header may be older than the kernel, so the bits are here.
 */
#ifndef PETREL_DAEMON_SANDBOX_LANDLOCK_H
#define PETREL_DAEMON_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Rights, with the kernel's own numbers. Those behind the blank line mean nothing for a file. */
#define LANDLOCK_WRITE_FILE (UINT64_C(1) << 1)
#define LANDLOCK_READ_FILE  (UINT64_C(1) << 2)
#define LANDLOCK_TRUNCATE   (UINT64_C(1) << 14) /* ABI 3 */

#define LANDLOCK_READ_DIR    (UINT64_C(1) << 3)
#define LANDLOCK_REMOVE_FILE (UINT64_C(1) << 5)
#define LANDLOCK_MAKE_DIR    (UINT64_C(1) << 7)
#define LANDLOCK_MAKE_REG    (UINT64_C(1) << 8)
#define LANDLOCK_MAKE_SOCK   (UINT64_C(1) << 9)

struct landlock {
    int abi; /* of this kernel, 0: not to be had, and then there is nothing to do */
    int fd;  /* the ruleset, -1: none */
    uint64_t handled;
};

/* Asks the kernel what it can, and begins a set of rules. No TCP port can be bound and no process
 * outside signalled any more; abstract: whether abstract Unix sockets stay within reach. 0 or an
 * errno. */
int landlock_begin(struct landlock *l, bool abstract);
/* Adds access beneath path, or to it if it is a file; links are followed. Nothing is done where it
 * is not there. 0 or an errno. */
int landlock_allow(struct landlock *l, const char *path, uint64_t access);
/* Puts the rules in force unless error is set, and releases them. Needs no_new_privs. Gives error,
 * 0, or an errno. */
int landlock_end(struct landlock *l, int error);

#endif
