/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_dht: a node of the DHT among eight others that say what they want. Input: steps, each an op
 * u8 and what it needs:
 *
 *   0  datagram: from u8, len u8, bytes
 *   1  a reply to a query that waits: which u8, flags u8 (nodes, token, item, error, another ID)
 *   2  time: 100 ms steps u8
 *   3  gets the item of key u8 & 3, or begins with a node
 *   4  puts it
 *   5  a query: from u8, method u8
 *   6  a table that was kept: len u8, bytes
 *
 * Whatever comes, what it sends can be read, is no larger than a datagram may be, and goes to
 * nobody who is not there; every operation ends; and the table that it keeps is of use to its next
 * life.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dht/dht.h"
#include "lib/dht_items.h"
#include "lib/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    OTHERS = 8,
    WAITING = 16,
    KEYS = 4,
};

struct run {
    struct reader in;
    struct unit_env u;
    struct dht *dht;
    unsigned waiting;
    struct dht_output queries[WAITING]; /* of ours, without an answer; the oldest are forgotten */
    unsigned begun, ended;
};

static struct dht_item items[KEYS];

static struct dht_address other(unsigned i)
{
    return (struct dht_address){.ip = {20, 0, (uint8_t)(i % OTHERS), 1}, .port = 6881};
}

static void items_make(void)
{
    for (unsigned k = 0; k < KEYS; k++) {
        uint8_t seed[DHT_SEED] = {(uint8_t)k};
        items[k] = dht_item_signed(seed, slice_of(NULL, 0), (int64_t)k / 2, slice_of("1:x", 3));
    }
}

/* Looks at all that comes out. */
static void take(struct run *r)
{
    struct dht_output out;
    while (dht_next_output(r->dht, &out)) {
        struct krpc m;
        if (out.kind != DHT_OUT_DATAGRAM) {
            r->ended += out.kind == DHT_OUT_DONE;
            assert(out.kind != DHT_OUT_ITEM || out.item.value_len > 0);
            continue;
        }
        enum err err = krpc_read(slice_of(out.bytes, out.len), &m);
        assert(err == ERR_OK && out.len <= KRPC_DATAGRAM);
        assert(dht_address_valid(&out.to));
        if (m.kind == KRPC_QUERY) {
            if (r->waiting == WAITING) {
                memmove(r->queries, r->queries + 1, (WAITING - 1) * sizeof r->queries[0]);
                r->waiting--;
            }
            r->queries[r->waiting++] = out;
        }
    }
}

static void deliver(struct run *r, const struct dht_address *from, const struct krpc *m)
{
    uint8_t bytes[KRPC_DATAGRAM_IN];
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, m);
    dht_datagram(r->dht, &r->u.env, from, writer_done(&w));
}

static void reply(struct run *r)
{
    uint8_t which = reader_u8(&r->in);
    uint8_t flags = reader_u8(&r->in);
    uint8_t nodes[OTHERS * DHT_NODE4];
    struct krpc q;
    if (r->waiting == 0) {
        return;
    }
    struct dht_output asked = r->queries[which % r->waiting];
    enum err err = krpc_read(slice_of(asked.bytes, asked.len), &q);
    assert(err == ERR_OK);
    struct unit_env ids;
    unit_env_init(&ids, (flags & 16) != 0 ? 2 : 1, 0);
    struct krpc m = {.kind = (flags & 8) != 0 ? KRPC_ERROR : KRPC_REPLY,
                     .transaction = q.transaction,
                     .has_id = true,
                     .code = KRPC_SEQ_LESS,
                     .text = slice_of("no", 2),
                     .method = KRPC_UNKNOWN};
    m.id = dht_id_for(&ids.env, &asked.to);
    if ((flags & 1) != 0) {
        struct writer w = writer_of(nodes, sizeof nodes);
        for (unsigned i = 0; i < OTHERS; i++) {
            struct dht_contact c = {.address = other(i + flags)};
            c.id = dht_id_for((flags & 32) != 0 ? &r->u.env : &ids.env, &c.address);
            dht_contact_write(&w, &c);
        }
        m.nodes = writer_done(&w);
    }
    m.token = slice_of("token", (flags & 2) != 0 ? 5 : 0);
    if ((flags & 4) != 0) {
        dht_item_write(&m, &items[flags >> 6], false);
    }
    deliver(r, &asked.to, &m);
}

static void query(struct run *r)
{
    struct dht_address from = other(reader_u8(&r->in));
    uint8_t what = reader_u8(&r->in);
    struct krpc m = {.kind = KRPC_QUERY,
                     .transaction = slice_of("tt", 2),
                     .has_id = true,
                     .method = (enum krpc_method)(what % KRPC_UNKNOWN),
                     .has_target = (what & 8) == 0,
                     .has_seq = (what & 16) != 0,
                     .want6 = (what & 32) != 0,
                     .read_only = (what & 64) != 0};
    m.id = dht_id_for(&r->u.env, &from);
    m.target = dht_item_target(&items[what >> 6]);
    deliver(r, &from, &m);
}

static void operate(struct run *r, bool put)
{
    uint8_t k = reader_u8(&r->in);
    if (!put && (k & 4) != 0) {
        struct dht_address node = other(k >> 3);
        dht_bootstrap(r->dht, &r->u.env, &node);
        return;
    }
    uint64_t number =
        put ? dht_put(r->dht, &r->u.env, &items[k % KEYS], (k & 8) != 0, k)
            : dht_get_mutable(r->dht, &r->u.env, &items[k % KEYS].key, slice_of(NULL, 0));
    r->begun += number != 0;
}

/* Nothing, or all of it. */
static void restore(struct run *r)
{
    struct dht_output out;
    struct slice bytes = reader_bytes(&r->in, reader_u8(&r->in));
    enum err err = dht_restore(r->dht, &r->u.env, bytes);
    assert(err == ERR_OK || (err == ERR_MALFORMED && !dht_next_output(r->dht, &out)));
}

static void step(struct run *r)
{
    struct dht_address from;
    struct slice bytes;
    switch (reader_u8(&r->in) % 7) {
    case 0:
        from = other(reader_u8(&r->in));
        bytes = reader_bytes(&r->in, reader_u8(&r->in));
        dht_datagram(r->dht, &r->u.env, &from, bytes);
        break;
    case 1:
        reply(r);
        break;
    case 2:
        r->u.env.now_ms += 100 * (uint64_t)reader_u8(&r->in);
        dht_tick(r->dht, &r->u.env);
        break;
    case 3:
        operate(r, false);
        break;
    case 4:
        operate(r, true);
        break;
    case 5:
        query(r);
        break;
    default:
        restore(r);
    }
    take(r);
}

/* What this node keeps is taken by the next one. */
static void kept(struct run *r, const struct dht_config *config)
{
    static uint8_t bytes[LIMIT_DHT_SAVED];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct dht_status status;
    struct run next = {.in = reader_of(slice_of(bytes, 0))};
    dht_save(r->dht, &w);
    assert(w.err == ERR_OK);
    unit_env_init(&next.u, 2, r->u.env.now_ms);
    next.dht = dht_new(config, &next.u.env);
    assert(next.dht != NULL);
    enum err err = dht_restore(next.dht, &next.u.env, writer_done(&w));
    assert(err == ERR_OK);
    dht_status(next.dht, &next.u.env, &status);
    assert((status.nodes[0] > 0) == (w.len > 2 * sizeof(uint16_t)));
    dht_free(next.dht);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bool made;
    struct dht_config config = {.families = {true, false}};
    if (len == 0 || len > 4096 || prim_init() != ERR_OK) {
        return 0;
    }
    if (!made) {
        items_make();
        made = true;
    }
    struct run r = {.in = reader_of(slice_of(data, len))};
    unit_env_init(&r.u, 1, 1000000);
    r.dht = dht_new(&config, &r.u.env);
    assert(r.dht != NULL);
    while (reader_left(&r.in) > 0) {
        step(&r);
    }
    for (unsigned s = 0; s < 120 && r.ended < r.begun; s++) { /* nobody answers any more */
        r.u.env.now_ms += 5000;
        dht_tick(r.dht, &r.u.env);
        take(&r);
    }
    assert(r.ended == r.begun);
    kept(&r, &config);
    dht_free(r.dht);
    return 0;
}
