/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: the store in memory, for unit tests and the simulator: ordered tables, transactions whose
 * abort restores everything exactly, and a crash on demand. docs/protocol/08-at-rest.md, 8.8.
 *
 * It keeps no promise of durability and wipes nothing: a real node uses daemon/store. One thread.
 */
#ifndef PETREL_STORE_MEM_H
#define PETREL_STORE_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct store_mem;

/* An empty store, no transaction open. NULL when out of memory. */
struct store_mem *store_mem_new(void);
/* Frees all, an open transaction included. NULL is fine. */
void store_mem_free(struct store_mem *m);
/* A copy of the committed state: counters at 0, no crash armed, strict as m is. No transaction may
 * be open in m. NULL when out of memory. */
struct store_mem *store_mem_clone(const struct store_mem *m);

/* Begins a transaction; *out is valid until commit or abort (growth is allowed in it). Values that
 * get and seek hand out stay valid until then, unless strict. No transaction may be open. */
void store_mem_begin(struct store_mem *m, struct store *out);
/* Makes the transaction's rows permanent. ERR_IO after an armed crash has struck: then nothing is,
 * as with abort. */
enum err store_mem_commit(struct store_mem *m);
/* Restores what begin found, and ends a crash: the store may be used again. */
void store_mem_abort(struct store_mem *m);
/* A view for queries: put and del give ERR_BUG. Sees what m holds, an open transaction included. */
void store_mem_read(struct store_mem *m, struct store *out);

/* Calls of put, append and del since new or clone that were not refused by a crash, whether they
 * were committed or not. */
uint64_t store_mem_puts(const struct store_mem *m);
/* Crashes before the k-th put, append or del from now on (k = 1: the next): it and every operation
 * after it gives ERR_IO, until abort. k = 0 disarms. */
void store_mem_crash_at(struct store_mem *m, uint64_t k);
/* Strict: every put and del overwrites and frees the values and keys that were handed out before,
 * so that a caller who keeps one too long reads rubbish here as it would in LMDB. */
void store_mem_strict(struct store_mem *m, bool strict);
/* Rows in table t, those of an open transaction included. */
size_t store_mem_count(const struct store_mem *m, enum store_table t);

#endif
