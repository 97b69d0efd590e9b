/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_space: whether there is disk space for new rows, and what is done about it.
 * docs/architecture.md, "Full disk".
 *
 * Owns the last answer; engine thread only. It looks at the file system at most once a second.
 */
#ifndef PETREL_DAEMON_ENGINE_SPACE_H
#define PETREL_DAEMON_ENGINE_SPACE_H

#include "daemon/logger.h"
#include "daemon/store/store_lmdb.h"

struct engine_space {
    bool growth;      /* there is disk space for more */
    uint64_t checked; /* monotonic ms; 0: never */
};

/* Looks again if it is time; when space is back the ballast is too. */
void engine_space_check(struct engine_space *s, struct store_lmdb *db, struct logger *log);
/* A write found no space: gives the ballast up, refuses growth until the next look. */
void engine_space_full(struct engine_space *s, struct store_lmdb *db);

#endif
