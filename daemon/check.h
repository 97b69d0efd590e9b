/* SPDX-License-Identifier: Apache-2.0
 *
 * check: looks at a home that no daemon uses: lock, node key, database, and what opens each
 * account. `petreld --check`, docs/man/petreld.8. What only needs the file system, and what a
 * running daemon knows, is petrelctl doctor's (docs/decisions/0019-who-checks-a-home.md).
 *
 * It makes no home, no key, and no database, and migrates none. It opens the database as a start
 * does, which takes over what only the write-ahead log has.
 */
#ifndef PETREL_DAEMON_CHECK_H
#define PETREL_DAEMON_CHECK_H

#include <stdbool.h>
#include <stdio.h>

/* Writes a line for each thing that it looked at, "ok ..." or "bad ..." with a line behind it that
 * says what to do. Whether all is well. home is absolute. */
bool check_home(const char *home, FILE *out);

#endif
