/* SPDX-License-Identifier: Apache-2.0
 *
 * names: what getaddrinfo needs, made ready before the sandbox closes.
 *
 * libc resolves names by modules that nsswitch.conf(5) lists, and loads those other than `files`
 * and `dns` at the first use. Inside, no new code can be mapped: they are loaded before.
 */
#ifndef PETREL_DAEMON_SANDBOX_NAMES_H
#define PETREL_DAEMON_SANDBOX_NAMES_H

#include <stddef.h>

#include "base/buf.h"

enum {
    NAMES_MODULES = 16, /* at most so many are loaded */
    NAMES_MODULE = 64,  /* longest name of a module's library, with its NUL */
};

/* Loads the modules that /etc/nsswitch.conf has for hosts. One that is not installed is passed
 * over, as libc does. They stay loaded until the process ends. How many. */
size_t names_load(void);
/* The libraries of the modules for hosts in a file's text, without those that are part of libc;
 * how many. */
size_t names_modules(struct slice text, char out[NAMES_MODULES][NAMES_MODULE]);
/* What is read meanwhile, NULL at the end: files, and folders with all that is in them. Folders
 * because resolv.conf and others are replaced by new files when the machine changes networks, and a
 * rule for a file would go with the file. */
const char *const *names_paths(void);

#endif
