/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine_space.h"

#include "daemon/hostenv.h"

enum {
    ENGINE_SPACE_CHECK_MS = 1000, /* free space is looked at this often at most */
};

void engine_space_check(struct engine_space *s, struct store_lmdb *db, struct logger *log)
{
    uint64_t now = hostenv_mono_ms();
    if (s->checked != 0 && now - s->checked < ENGINE_SPACE_CHECK_MS) {
        return;
    }
    s->checked = now;
    bool growth = !store_lmdb_low_space(db);
    if (growth != s->growth) {
        logger_log(log, LOGGER_WARN, "disk space", "low=%s new_rows=%s", growth ? "no" : "yes",
                   growth ? "accepted" : "refused");
    }
    if (growth && !s->growth) {
        store_lmdb_ballast_restore(db);
    }
    s->growth = growth;
}

void engine_space_full(struct engine_space *s, struct store_lmdb *db)
{
    store_lmdb_ballast_drop(db);
    s->growth = false;
    s->checked = hostenv_mono_ms();
}
