/* SPDX-License-Identifier: Apache-2.0
 *
 * filter: the system calls that petreld may make once it runs, by seccomp(2).
 * docs/decisions/0020-what-the-sandbox-refuses.md.
 *
 * Three answers. What is listed goes through. What only an attacker would want (start a program,
 * look into another process, load kernel code) ends the process with SIGSYS. Everything else gets
 * ENOSYS, as from a kernel that does not have the call: libc and libuv then do without.
 */
#ifndef PETREL_DAEMON_SANDBOX_FILTER_H
#define PETREL_DAEMON_SANDBOX_FILTER_H

#include <stdbool.h>

/* Puts the filter on every thread of the process, with no_new_privs. strict: instead of ENOSYS the
 * process names the call's number on stderr and dies of SIGSYS; what libraries are known to try and
 * to do without still gets ENOSYS. 0 or an errno. */
int filter_load(bool strict);

#endif
