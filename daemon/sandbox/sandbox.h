/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox: what petreld gives up before it reads a byte of somebody else.
 * docs/decisions/0020-what-the-sandbox-refuses.md.
 *
 * Entered in two steps, since files are confined for a thread and its children, system calls for
 * the whole process. sandbox_confine comes when home, database, keys and listening sockets are open
 * and no other thread was made; sandbox_filter when all threads and the control socket are there.
 * There is no way back.
 */
#ifndef PETREL_DAEMON_SANDBOX_SANDBOX_H
#define PETREL_DAEMON_SANDBOX_SANDBOX_H

#include "base/err.h"
#include "daemon/logger.h"

/* The words of the key `sandbox`, in their order. */
enum sandbox_mode {
    SANDBOX_ON,
    SANDBOX_STRICT, /* a call that is missing in the filter ends the process and is named */
    SANDBOX_OFF,
};

/* What may still be reached by path. All are borrowed; NULL or missing ones are left out. */
struct sandbox_paths {
    const char *home;     /* read and written, with all beneath it */
    const char *database; /* the same: it may be a link to another disk */
    const char *sockets;  /* the folder of the control socket: made and removed there */
    const char *config;   /* read, that one file */
    const char *notify;   /* $NOTIFY_SOCKET, which may be a name without a file */
};

/* What is asked, and what became of it. */
struct sandbox {
    enum sandbox_mode mode;
    struct logger *log; /* borrowed */
    int landlock;       /* out: the ABI of Landlock that is in force, 0: none */
};

/* No new privileges, no capabilities, Landlock, for the calling thread and those that it makes from
 * now on; loads first what name resolution would load later. Where Landlock is not to be had there
 * is a warning. ERR_CONFIG, and a line in the log that says what was refused; with SANDBOX_OFF that
 * line is all. */
enum err sandbox_confine(struct sandbox *s, const struct sandbox_paths *paths) PETREL_MUST_USE;
/* The filter of system calls, on all threads; says in the log what is in force. Nothing with
 * SANDBOX_OFF. ERR_CONFIG, and a line in the log. */
enum err sandbox_filter(const struct sandbox *s) PETREL_MUST_USE;

#endif
