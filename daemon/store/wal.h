/* SPDX-License-Identifier: Apache-2.0
 *
 * wal: the write-ahead log: what the turns since the database's last commit changed, one record a
 * turn, in a file that is flushed once for each group of turns. A start that finds records which
 * the database lacks puts them in.
 *
 * docs/protocol/08-at-rest.md, section 8.9. The file is the beginning of a buffer of WAL_CAPACITY
 * bytes, byte for byte; it is written again from its start after each commit of the database, and
 * never shrinks. Records begin at multiples of WAL_BLOCK, so that writing one never touches a block
 * of the one before.
 *
 * Owns the buffer and the file. Records are made on one thread (the engine's); wal_flush may run on
 * another one meanwhile, alone.
 */
#ifndef PETREL_DAEMON_STORE_WAL_H
#define PETREL_DAEMON_STORE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/wal_record.h"

enum {
    WAL_CAPACITY = 8 * 1024 * 1024, /* bytes of all records together */
};

struct wal;

/* Of the database: what the first record follows. */
struct wal_state {
    uint64_t number; /* each record and each commit takes the next one */
    uint64_t seed;   /* random, another one for each commit: a copy that is put back, and goes on in
                        another way, has other records */
};

/* What is to be written: bytes `from` to `to` of the buffer. */
struct wal_range {
    size_t from;
    size_t to;
};

/* Opens dir/wal, which need not be there. ERR_IO, ERR_NO_MEMORY, ERR_CONFIG (the path is too
 * long). */
enum err wal_open(struct wal **out, const char *dir) PETREL_MUST_USE;
/* NULL is fine. The file stays as it is. */
void wal_close(struct wal *w);

/* Takes the records behind state `after` from the file into the buffer, as far as they follow one
 * another without a gap and are whole: what comes after the first that is not was never
 * acknowledged. Before any record is made. *count: how many there are. ERR_IO, also when a read
 * stops before the end of the file. */
enum err wal_read(struct wal *w, struct wal_state after, uint64_t *count) PETREL_MUST_USE;
/* Makes the changes of all records in the buffer in *store, the oldest first. ERR_CORRUPT for what
 * this program did not write; else the store's errors. */
enum err wal_apply(const struct wal *w, struct store *store) PETREL_MUST_USE;

/* Adds a change to the record under construction; the first one begins it. One that does not fit
 * spoils the record. */
void wal_put(struct wal *w, enum store_table t, struct slice key, struct slice value);
void wal_del(struct wal *w, enum store_table t, struct slice key);
/* Drops the record under construction, if there is one. */
void wal_cancel(struct wal *w);
/* Ends it and gives it the next number. False when it did not fit: it is dropped, and its changes
 * must become durable in the database. */
bool wal_seal(struct wal *w, struct wal_range *range) PETREL_MUST_USE;

/* Writes range and waits for the disk. ERR_DISK_FULL, ERR_IO: after that the file is of no use any
 * more, and every later flush gives the same. */
enum err wal_flush(struct wal *w, struct wal_range range) PETREL_MUST_USE;

/* Number of the state that was reached last. */
uint64_t wal_last(const struct wal *w);
/* Bytes of the records in the buffer. */
size_t wal_bytes(const struct wal *w);
/* The database holds all records and was committed as this state: begins again at the start of the
 * file. No flush may be under way. */
void wal_restart(struct wal *w, struct wal_state state);

#endif
