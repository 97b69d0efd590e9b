/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/disk.h"

static const struct {
    const char *name;
    bool dies;
} POINTS[SIM_POINTS] = {
#define SIM_POINT_ROW(constant, text, kills) [SIM_##constant] = {.name = (text), .dies = (kills)},
    SIM_POINT_LIST(SIM_POINT_ROW)
#undef SIM_POINT_ROW
};

const char *sim_point_name(enum sim_point point)
{
    return POINTS[point].name;
}

bool sim_point_dies(enum sim_point point)
{
    return POINTS[point].dies;
}

bool sim_disk_strikes(struct sim_disk *d, enum sim_point point)
{
    if (d->point != point || --d->left > 0) {
        return false;
    }
    d->point = SIM_POINTS;
    d->struck = true;
    d->hit = point;
    return true;
}

static enum err disk_get(void *ctx, enum store_table t, struct slice key, struct slice *value)
{
    struct sim_disk *d = ctx;
    if (d->struck || sim_disk_strikes(d, SIM_READ_ERROR)) {
        return ERR_IO;
    }
    d->inside = true;
    enum err err = store_get(&d->inner, t, key, value);
    d->inside = false;
    return err;
}

static enum err disk_seek(void *ctx, enum store_table t, enum store_seek how, struct slice key,
                          struct store_row *row)
{
    struct sim_disk *d = ctx;
    if (d->struck || sim_disk_strikes(d, SIM_READ_ERROR)) {
        return ERR_IO;
    }
    d->inside = true;
    enum err err = store_seek(&d->inner, t, how, key, row);
    d->inside = false;
    return err;
}

/* Whether a write goes through. */
static enum err write_chance(struct sim_disk *d, bool puts)
{
    if (d->struck || sim_disk_strikes(d, SIM_PUT) || sim_disk_strikes(d, SIM_LOAD) ||
        sim_disk_strikes(d, SIM_WRITE_ERROR)) {
        return ERR_IO;
    }
    return puts && sim_disk_strikes(d, SIM_NO_SPACE) ? ERR_DISK_FULL : ERR_OK;
}

static enum err disk_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct sim_disk *d = ctx;
    enum err err = write_chance(d, true);
    d->inside = true;
    err = err == ERR_OK ? store_put(&d->inner, t, key, value) : err;
    d->inside = false;
    return err;
}

static enum err disk_append(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct sim_disk *d = ctx;
    enum err err = write_chance(d, true);
    d->inside = true;
    err = err == ERR_OK ? store_append(&d->inner, t, key, value) : err;
    d->inside = false;
    return err;
}

static enum err disk_del(void *ctx, enum store_table t, struct slice key)
{
    struct sim_disk *d = ctx;
    enum err err = write_chance(d, false);
    d->inside = true;
    err = err == ERR_OK ? store_del(&d->inner, t, key) : err;
    d->inside = false;
    return err;
}

void sim_disk_begin(struct sim_disk *d, struct store_mem *mem, bool growth, struct store *out)
{
    static const struct store_ops ops = {.get = disk_get,
                                         .seek = disk_seek,
                                         .put = disk_put,
                                         .append = disk_append,
                                         .del = disk_del};
    d->struck = false;
    store_mem_begin(mem, &d->inner);
    d->inner.growth = growth;
    *out = (struct store){.ops = &ops, .ctx = d, .growth = growth};
}
