/* SPDX-License-Identifier: Apache-2.0
 *
 * wal_record: the format of the write-ahead log: a record is what one turn changed.
 *
 * docs/protocol/08-at-rest.md, section 8.9. Owns nothing. The checksum finds what a crash left half
 * written; whoever can write to the file can make one that fits.
 */
#ifndef PETREL_DAEMON_STORE_WAL_RECORD_H
#define PETREL_DAEMON_STORE_WAL_RECORD_H

#include <stdint.h>

#include "store/store.h"

enum {
    WAL_BLOCK = 4096, /* records begin at multiples of this; what is left of a block is zeros */
    WAL_LIFE = 16,    /* random bytes, the same in all records of one opening of the log */
    WAL_SUM = 8,
    WAL_HEADER = WAL_SUM + 8 + 8 + 8 + WAL_LIFE, /* checksum, magic, number, bytes, life */
};

/* Appends a change to those of a record. NO_SPACE is latched in w. */
void wal_change_put(struct writer *w, enum store_table t, struct slice key, struct slice value);
void wal_change_del(struct writer *w, enum store_table t, struct slice key);

/* Writes the header of a record before so many bytes of changes, which are in place. before: the
 * checksum of the record before it in the file, for the first the state's seed. Returns its own. */
uint64_t wal_record_seal(uint8_t *record, size_t changes, uint64_t number,
                         const uint8_t life[static WAL_LIFE], uint64_t before);
/* The changes of the record that bytes begin with, borrowed, if it is whole, has this number and
 * follows the one with the checksum `before`; else p is NULL. *sum: its own checksum. */
struct slice wal_record_open(struct slice bytes, uint64_t number, uint64_t before, uint64_t *sum);
/* Bytes that a record of so many bytes of changes takes in the file. */
size_t wal_record_size(size_t changes);

/* Makes the changes in *store. ERR_CORRUPT for what this program would not have written; else the
 * store's errors. */
enum err wal_changes_apply(struct slice changes, struct store *store) PETREL_MUST_USE;

#endif
