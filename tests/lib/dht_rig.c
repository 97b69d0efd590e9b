/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/dht_rig.h"

#include <stdlib.h>
#include <string.h>

struct dht_address dht_rig_at(unsigned i, bool v6)
{
    if (v6) {
        return (struct dht_address){.v6 = true,
                                    .ip = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)i, [15] = 1},
                                    .port = DHT_RIG_PORT};
    }
    return (struct dht_address){.ip = {20, 0, (uint8_t)i, 1}, .port = DHT_RIG_PORT};
}

struct dht_rig *dht_rig_new(void)
{
    struct dht_rig *r = calloc(1, sizeof *r);
    ck_assert_ptr_nonnull(r);
    unit_env_init(&r->u, 5, DHT_RIG_NOW);
    return r;
}

void dht_rig_free(struct dht_rig *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        dht_free(r->dht[i]);
    }
    free(r);
}

void dht_rig_add(struct dht_rig *r, const struct dht_config *config)
{
    ck_assert_uint_lt(r->count, DHT_RIG_NODES);
    struct dht *dht = dht_new(config, &r->u.env);
    ck_assert_ptr_nonnull(dht);
    for (unsigned f = 0; f < DHT_FAMILIES && r->count > 0; f++) {
        struct dht_address first = dht_rig_at(0, f == 1);
        dht_bootstrap(dht, &r->u.env, &first);
    }
    r->dht[r->count++] = dht;
    dht_rig_deliver(r);
}

/* NULL: nobody is there. */
static struct dht *who_is_at(const struct dht_rig *r, const struct dht_address *a)
{
    unsigned i = a->v6 ? a->ip[5] : a->ip[2];
    struct dht_address own = dht_rig_at(i, a->v6);
    return i < r->count && dht_address_equal(&own, a) ? r->dht[i] : NULL;
}

static void datagram(struct dht_rig *r, unsigned i, const struct dht_output *out)
{
    struct dht_address from = dht_rig_at(i, out->to.v6);
    struct dht *to = who_is_at(r, &out->to);
    struct krpc m;
    ck_assert_ok(krpc_read(slice_of(out->bytes, out->len), &m));
    r->longest[out->to.v6] = out->len > r->longest[out->to.v6] ? out->len : r->longest[out->to.v6];
    r->wanted[out->to.v6] += m.want4 || m.want6;
    if (to != NULL) {
        dht_datagram(to, &r->u.env, &from, slice_of(out->bytes, out->len));
    } else {
        r->to_nobody = *out;
        r->to_nobody_count++;
    }
}

void dht_rig_deliver(struct dht_rig *r)
{
    struct dht_output out;
    bool any = true;
    while (any) {
        any = false;
        for (unsigned i = 0; i < r->count; i++) {
            while (r->dht[i] != NULL && dht_next_output(r->dht[i], &out)) {
                any = true;
                if (out.kind == DHT_OUT_ITEM) {
                    r->last[0] = out;
                    r->found = true;
                } else if (out.kind == DHT_OUT_DONE) {
                    r->last[1] = out;
                    r->done = true;
                } else {
                    datagram(r, i, &out);
                }
            }
        }
    }
}

void dht_rig_pass(struct dht_rig *r, uint64_t ms)
{
    for (uint64_t end = r->u.env.now_ms + ms; r->u.env.now_ms < end; r->u.env.now_ms += 500) {
        for (unsigned i = 0; i < r->count; i++) {
            if (r->dht[i] != NULL && dht_deadline(r->dht[i]) <= r->u.env.now_ms) {
                dht_tick(r->dht[i], &r->u.env);
            }
        }
        dht_rig_deliver(r);
    }
}

struct dht_status dht_rig_status(const struct dht_rig *r, unsigned i)
{
    struct dht_status status;
    dht_status(r->dht[i], &r->u.env, &status);
    return status;
}

struct krpc dht_rig_asked(struct dht_rig *r, const struct dht_address *stranger,
                          struct slice question)
{
    struct krpc m = {.kind = KRPC_QUERY};
    r->to_nobody_count = 0;
    dht_datagram(r->dht[0], &r->u.env, stranger, question);
    dht_rig_deliver(r);
    for (unsigned i = 0; i < r->to_nobody_count; i++) {
        ck_assert_ok(krpc_read(slice_of(r->to_nobody.bytes, r->to_nobody.len), &m));
    }
    return m;
}

static void until_done(struct dht_rig *r, uint64_t operation)
{
    ck_assert_uint_ne(operation, 0);
    r->done = r->found = false;
    dht_rig_deliver(r);
    dht_rig_pass(r, r->done ? 500 : 30000);
    ck_assert(r->done);
}

struct dht_report dht_rig_put(struct dht_rig *r, unsigned i, const struct dht_item *item,
                              bool has_cas, int64_t cas)
{
    until_done(r, dht_put(r->dht[i], &r->u.env, item, has_cas, cas));
    return r->last[1].report;
}

bool dht_rig_get(struct dht_rig *r, unsigned i, const struct dht_item *item)
{
    struct dht_id target = dht_item_target(item);
    until_done(r, item->is_mutable ? dht_get_mutable(r->dht[i], &r->u.env, &item->key,
                                                     slice_of(item->salt, item->salt_len))
                                   : dht_get_immutable(r->dht[i], &r->u.env, &target));
    return r->found;
}
