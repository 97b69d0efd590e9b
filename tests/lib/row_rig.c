/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/row_rig.h"

#include "node/rows.h"

void row_rig_init(struct row_rig *rig)
{
    static const uint8_t root[SEAL_KEY] = {1};
    unit_env_init(&rig->env, 1, 1000000);
    arena_init(&rig->arena, LIMIT_TURN_ARENA);
    rig->mem = store_mem_new();
    store_mem_strict(rig->mem, true);
    store_mem_begin(rig->mem, &rig->store);
    rig->turn = (struct turn){.env = &rig->env.env, .store = &rig->store, .arena = &rig->arena};
    rig->step = (struct step){.turn = &rig->turn};
    rig->keys = seal_keys_new_account(ROW_ACCOUNT, root);
    ck_assert_ok(seal_keys_create(rig->keys, &rig->turn));
}

void row_rig_fini(struct row_rig *rig)
{
    store_mem_abort(rig->mem);
    store_mem_free(rig->mem);
    seal_keys_free(rig->keys);
    arena_fini(&rig->arena);
}
