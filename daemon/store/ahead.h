/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead: keeps the database file longer than what is in use, by blocks that are written already.
 * A flush of a file that grew, or whose blocks are new, has to write the file system's own records
 * too and wait for them; one that overwrites has not.
 *
 * docs/protocol/08-at-rest.md, section 8.5. Not durable by itself and need not be: what is lost in
 * a crash was not in use. On the engine's thread, between transactions.
 */
#ifndef PETREL_DAEMON_STORE_AHEAD_H
#define PETREL_DAEMON_STORE_AHEAD_H

#include <stdint.h>

enum {
    AHEAD_LEAST = 1 << 18, /* bytes; with less than half of it left the file is lengthened, */
    AHEAD_MOST = 1 << 22,  /* by an eighth of what is used, within these two */
};

struct ahead {
    int fd;       /* of the file; borrowed */
    uint64_t end; /* its length */
};

/* Takes the file as it is. */
void ahead_init(struct ahead *a, int fd);
/* Lengthens the file with zeros when little is left behind its first `used` bytes. What cannot be
 * written is left: then the file grows page by page, as it would have. */
void ahead_keep(struct ahead *a, uint64_t used);

#endif
