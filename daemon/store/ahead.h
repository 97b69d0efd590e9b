/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead: keeps a file, the database or its log, longer than what is in use, by blocks that are
 * written already. A flush of a file that grew, or whose blocks are new, has to write the file
 * system's own records too and wait for them; one that overwrites has not.
 *
 * docs/protocol/08-at-rest.md, sections 8.5 and 8.9. Not durable by itself and need not be: what is
 * lost in a crash was not in use. A thread of its user's at a time, between its writes.
 */
#ifndef PETREL_DAEMON_STORE_AHEAD_H
#define PETREL_DAEMON_STORE_AHEAD_H

#include <stdint.h>

enum {
    AHEAD_LEAST = 1 << 18, /* bytes; with less than half of it left the file is lengthened, */
    AHEAD_MOST = 1 << 22,  /* by an eighth of what is used, within these two */
    AHEAD_BLOCK = 4096,    /* the steps are multiples of this */
};

struct ahead {
    int fd;        /* of the file; borrowed */
    uint64_t end;  /* its length */
    uint64_t used; /* bytes in use at the last call; UINT64_MAX: there was none */
};

/* Takes the file as it is. */
void ahead_init(struct ahead *a, int fd);
/* Lengthens the file with zeros when little is left behind its first `used` bytes. Not while it
 * grows by more than AHEAD_LEAST from call to call: that would write everything twice. What cannot
 * be written is left: then the file grows page by page, as it would have. */
void ahead_keep(struct ahead *a, uint64_t used);

#endif
