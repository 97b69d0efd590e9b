/* SPDX-License-Identifier: Apache-2.0 */
#include "node/route.h"

#include <string.h>

#include "base/secret.h"
#include "node/home_keys.h"

/* Adds the queue of this place, when contacts may write to it. */
static enum err add(struct account *me, struct step *step, unsigned slot, struct writer *w,
                    uint64_t *mark)
{
    struct relay_row row;
    enum err err = relay_row_get(step, me->keys, slot, &row);
    if (err == ERR_OK && row.registered && row.role <= HOME_SECOND) {
        struct device_place place = {.relay = row.address, .key = me->homes[slot].queue};
        device_place_write(w, &place);
        *mark = *mark * 3 + home_queue_mark(&place.key); /* which one is first counts */
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err route_own(struct account *me, struct step *step, struct route *route)
{
    struct account_row account;
    struct writer w = step_writer(step, LIMIT_BODY_ROUTE);
    *route = (struct route){.mark = 0};
    enum err err = account_row_get(step, me->keys, &account);
    pack_uint(&w, err == ERR_OK ? account.queues_ms : 0);
    secret_wipe(&account, sizeof account);
    if (err == ERR_OK) {
        err = add(me, step, 0, &w, &route->mark);
    }
    if (route->mark == 0) {
        return err; /* without the first one there is no second */
    }
    for (unsigned slot = 1; err == ERR_OK && slot < LIMIT_HOMES; slot++) {
        err = add(me, step, slot, &w, &route->mark);
    }
    if (err == ERR_OK && w.err != ERR_OK) {
        err = w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    route->bytes = writer_done(&w);
    return err;
}

enum err route_read(struct slice bytes, uint64_t *since_ms, struct device_place *first,
                    struct slice *second)
{
    struct reader r = reader_of(bytes);
    struct device_place other;
    *since_ms = pack_read_uint(&r, UINT64_MAX);
    device_place_read(&r, first);
    *second = reader_left(&r) > 0 ? slice_of(r.p + r.pos, reader_left(&r)) : slice_of(NULL, 0);
    if (second->len > 0) {
        device_place_read(&r, &other);
    }
    return reader_end(&r);
}

bool route_second(const struct peer_row *row, struct device_place *place)
{
    struct reader r = reader_of(row->second);
    if (row->second.len == 0) {
        return false;
    }
    device_place_read(&r, place);
    return reader_end(&r) == ERR_OK;
}
