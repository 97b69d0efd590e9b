/* SPDX-License-Identifier: Apache-2.0
 *
 * row_rig: one turn over the memory store, with the keys of a new account: for tests of what the
 * node keeps in rows.
 */
#ifndef PETREL_TESTS_LIB_ROW_RIG_H
#define PETREL_TESTS_LIB_ROW_RIG_H

#include "lib/unit.h"
#include "node/step.h"
#include "store/mem.h"
#include "store/seal.h"

struct row_rig {
    struct unit_env env;
    struct arena arena;
    struct store_mem *mem;
    struct store store;
    struct turn turn;
    struct step step;
    struct seal_keys *keys;
};

/* The rig stays where it is: the turn points into it. */
void row_rig_init(struct row_rig *rig);
/* Aborts the turn. */
void row_rig_fini(struct row_rig *rig);

#endif
