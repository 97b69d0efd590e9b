/* SPDX-License-Identifier: Apache-2.0
 *
 * slow_turn: for LD_PRELOAD under a daemon: each row that its engine puts into the database takes
 * 0.3 ms more, or $PETREL_SLOW_US microseconds below a second, so that somebody from outside can
 * look at it, or do something, within a turn.
 */
#include <dlfcn.h>
#include <lmdb.h>
#include <stdlib.h>
#include <time.h>

typedef int cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);

int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags)
{
    static cursor_put *put;
    const char *us = getenv("PETREL_SLOW_US");
    const struct timespec pause = {.tv_nsec = 1000 * (us != NULL ? atol(us) : 300)};
    if (put == NULL) {
        *(void **)&put = dlsym(RTLD_NEXT, "mdb_cursor_put");
        if (put == NULL) {
            abort();
        }
    }
    int rc = put(cursor, key, data, flags);
    (void)nanosleep(&pause, NULL);
    return rc;
}
