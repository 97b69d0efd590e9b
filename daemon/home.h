/* SPDX-License-Identifier: Apache-2.0
 *
 * home: the folder that everything of a node lives in: found, made, checked and locked.
 *
 * docs/protocol/08-at-rest.md, section 8.7. The lock file holds one mapped page: word 0 (u64,
 * native order) is 1 while a turn is open, word 2 while logged turns wait for the disk; both
 * survive SIGKILL, so that a kill test can read what the kill hit. Word 1 is the process id. The
 * lock file is never unlinked.
 */
#ifndef PETREL_DAEMON_HOME_H
#define PETREL_DAEMON_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    HOME_PATH = PATH_MAX, /* with its NUL */
    HOME_SOCKET = 108,    /* sun_path, with its NUL */
    HOME_LOCK_PAGE = 4096,
    HOME_REASON = 320, /* a sentence of home_open, with its NUL */
};

/* Where the home is: flag (--home, may be NULL), else $PETREL_HOME, else $XDG_DATA_HOME/petrel,
 * else ~/.local/share/petrel. Absolute, nothing is created. ERR_CONFIG when none is set or the path
 * is too long. */
enum err home_resolve(const char *flag, char out[static HOME_PATH]) PETREL_MUST_USE;

/* An open and locked home. */
struct home;

/* Sets umask 077, creates path (0700, parents too), refuses a home that belongs to somebody else
 * or that others may write (ERR_CONFIG), and takes the lock: ERR_HOME_LOCKED. ERR_IO,
 * ERR_DISK_FULL, ERR_NO_MEMORY. On an error reason says what is wrong with which folder, and what
 * to do where that is known. */
enum err home_open(struct home **out, const char *path,
                   char reason[static HOME_REASON]) PETREL_MUST_USE;
/* Gives the lock up. NULL is fine. */
void home_close(struct home *home);
/* The path given at open. */
const char *home_path(const struct home *home);

/* Marks a turn as open, and as over after its commit or abort. */
void home_turn_open(struct home *home);
void home_turn_closed(struct home *home);
/* Marks whether turns that are over wait for the disk. On any thread. */
void home_flush_waits(struct home *home, bool waits);

/* The path that the control socket is to be bound to: $XDG_RUNTIME_DIR/petrel/<hash of the home's
 * path>.sock, with the symbolic link <home>/control.sock to it, or <home>/control.sock itself when
 * that variable is not set or that folder cannot be used. Creates the folder (0700), removes what
 * an earlier life left there. ERR_CONFIG when the path does not fit into HOME_SOCKET bytes. */
enum err home_socket_path(struct home *home, char out[static HOME_SOCKET]) PETREL_MUST_USE;
/* Removes socket and link at the end. */
void home_socket_remove(struct home *home);

#endif
