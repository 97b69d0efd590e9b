/* SPDX-License-Identifier: Apache-2.0
 *
 * twin: runs the same random transactions on two stores and fails the test where they differ: in a
 * result, a value, a seek in any direction, or the rows that are left after commits and aborts.
 */
#ifndef PETREL_TESTS_LIB_TWIN_H
#define PETREL_TESTS_LIB_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct twin_side {
    void *ctx;
    void (*begin)(void *ctx, struct store *store);
    void (*end)(void *ctx, bool commit);
};

/* transactions, each of up to 60 operations on three tables (not META), from seed. Returns how many
 * results were compared. */
uint64_t twin_run(const struct twin_side *a, const struct twin_side *b, uint64_t seed,
                  unsigned transactions);
/* Fails unless a and b hold the same rows in every table but META, in which each keeps rows of its
 * own; read in both directions. */
uint64_t twin_compare(struct store *a, struct store *b);

#endif
