/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/accounts.h"

#include "daemon/hostenv.h"
#include "node/node.h"

enum err accounts_wanted(struct store_lmdb *db, uint32_t account, bool *stays, uint32_t *generation)
{
    struct store_lmdb_reader *reader = NULL;
    struct store store;
    struct arena arena;
    struct env env = hostenv_at(hostenv_wall_ms());
    enum err err = store_lmdb_read_begin(db, &reader, &store);
    if (err != ERR_OK) {
        return err;
    }
    arena_init(&arena, LIMIT_TURN_ARENA);
    struct turn turn = {.env = &env, .store = &store, .arena = &arena};
    err = node_account_stays(&turn, account, stays);
    if (err == ERR_OK && *stays) {
        err = node_account_root(&turn, account, generation);
        err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    arena_fini(&arena);
    store_lmdb_read_end(reader);
    return err;
}
