/* SPDX-License-Identifier: Apache-2.0
 *
 * observer: somebody sees every datagram in a network of DHT nodes while descriptors are put and
 * looked up there, on two days. What ties the days together, or to a person? The nodes themselves
 * stay who they are: their IDs, and the address from which somebody announces, are on the wire on
 * both days whatever they put, and so in what is seen when others' items are put from there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "dht/krpc.h"
#include "lib/dht_items.h"
#include "node/address.h"
#include "sim/dht_net.h"
#include "sim/people.h"
#include "sim/shelf.h"

enum {
    HOUR = 3600000,
    NODES = 50,
    PEOPLE = 12, /* on one relay */
    RELAY = 0,   /* the node that announces for it */
    DAYS = 2,
    OTHERS = 40,            /* items of somebody else, that are put in the same way */
    WINDOW = 8,             /* bytes in a row that are compared */
    DESCRIPTOR = 992,       /* bytes of an item's value, */
    VALUE = 4 + DESCRIPTOR, /* and bencoded */
};

/* --- what is seen --- */

/* Every WINDOW bytes in a row of every value in every datagram. */
struct view {
    uint64_t *windows;
    size_t count, cap;
    uint64_t datagrams;
    uint8_t put[(1 + DAYS) * OTHERS][32]; /* keys under which something was put */
    size_t nput;
};

static void add(struct view *v, const void *p, size_t len)
{
    for (size_t i = 0; i + WINDOW <= len; i++) {
        if (v->count == v->cap) {
            v->cap = v->cap > 0 ? 2 * v->cap : 1 << 16;
            v->windows = realloc(v->windows, v->cap * sizeof *v->windows);
            ck_assert_ptr_nonnull(v->windows);
        }
        memcpy(&v->windows[v->count++], (const uint8_t *)p + i, WINDOW);
    }
}

/* Among how many one that is put there may be. */
static void add_put(struct view *v, const uint8_t key[static 32])
{
    size_t i = 0;
    while (i < v->nput && memcmp(v->put[i], key, sizeof v->put[i]) != 0) {
        i++;
    }
    if (i == v->nput) {
        ck_assert_uint_lt(v->nput, sizeof v->put / sizeof v->put[0]);
        memcpy(v->put[v->nput++], key, sizeof v->put[0]);
    }
}

static void add_nodes(struct view *v, struct slice nodes, size_t each)
{
    for (size_t at = 0; at < nodes.len; at += each) {
        add(v, nodes.p + at, each); /* each alone: their order is that of the target */
    }
}

/* All that a datagram says is in the fields: written again it is the same. */
static void see(void *ctx, struct slice datagram)
{
    struct view *v = *(struct view **)ctx;
    struct krpc m;
    uint8_t again[KRPC_DATAGRAM_IN];
    struct writer w = writer_of(again, sizeof again);
    ck_assert_ok(krpc_read(datagram, &m));
    krpc_write(&w, &m);
    ck_assert(slice_equal(writer_done(&w), datagram));
    v->datagrams++;
    add(v, m.id.b, m.has_id ? sizeof m.id.b : 0);
    add(v, m.target.b, m.has_target ? sizeof m.target.b : 0);
    add(v, m.key, m.has_key ? sizeof m.key : 0);
    if (m.kind == KRPC_QUERY && m.method == KRPC_PUT) {
        add_put(v, m.key);
    }
    add(v, m.signature, m.has_signature ? sizeof m.signature : 0);
    add(v, m.token.p, m.token.len);
    add(v, m.salt.p, m.salt.len);
    add(v, m.value.p, m.value.len);
    add(v, m.transaction.p, m.transaction.len);
    add(v, m.version.p, m.version.len);
    add(v, m.text.p, m.text.len);
    add_nodes(v, m.nodes, 26);
    add_nodes(v, m.nodes6, 38);
    ck_assert(!m.has_seq || m.seq <= 3); /* of descriptors; the rest of a seq says nothing */
}

static int by_value(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static void sort(struct view *v)
{
    qsort(v->windows, v->count, sizeof v->windows[0], by_value);
}

static bool has(const struct view *v, const void *window)
{
    uint64_t w;
    memcpy(&w, window, sizeof w);
    return bsearch(&w, v->windows, v->count, sizeof w, by_value) != NULL;
}

/* Any window of these bytes. */
static bool has_any(const struct view *v, const void *p, size_t len)
{
    bool found = false;
    for (size_t i = 0; i + WINDOW <= len; i++) {
        found = found || has(v, (const uint8_t *)p + i);
    }
    return found;
}

/* Windows that were seen on both days, and not where only others' items were put. */
static unsigned in_common(const struct view *a, const struct view *b, const struct view *others)
{
    unsigned n = 0;
    for (size_t i = 0; i < a->count; i++) {
        n += has(b, &a->windows[i]) && !has(others, &a->windows[i]);
    }
    return n;
}

/* --- what is put --- */

/* Of each day those items that were put around noon. */
struct items {
    struct sim *sim;
    uint64_t first_day;
    struct bep44_item item[DAYS][PEOPLE];
    unsigned count[DAYS];
};

static void note(void *ctx, const struct sim_node *by, const struct bep44_item *item)
{
    struct items *all = ctx;
    uint64_t day = sim_now(all->sim) / LIMIT_DAY_MS - all->first_day;
    uint64_t hour = sim_now(all->sim) % LIMIT_DAY_MS / HOUR;
    (void)by;
    if (day >= DAYS || hour < 8 || hour > 16) {
        return;
    }
    unsigned n = all->count[day];
    for (unsigned i = 0; i < n; i++) {
        if (memcmp(all->item[day][i].key.b, item->key.b, sizeof item->key.b) == 0) {
            return;
        }
    }
    ck_assert_uint_lt(n, PEOPLE);
    all->item[day][n] = *item;
    all->count[day]++;
}

static struct dht_item as_put(const struct bep44_item *item)
{
    struct dht_item put = {
        .is_mutable = true, .key = item->key, .seq = (int64_t)item->seq, .value_len = VALUE};
    memcpy(put.sig, item->sig, sizeof put.sig);
    memcpy(put.value, "992:", 4);
    memcpy(put.value + 4, item->value, sizeof item->value);
    return put;
}

/* From the relay's node; then two others look for it. */
static void put_and_get(struct dht_net *net, const struct dht_item *item)
{
    struct dht_report report;
    struct dht_item got;
    bool found;
    uint64_t op = dht_put(dht_net_node(net, RELAY), dht_net_env(net), item, false, 0);
    ck_assert(dht_net_finish(net, RELAY, op, &got, &found, &report));
    ck_assert_uint_gt(report.stored, 0);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t who = 1 + dht_net_below(net, NODES - 1);
        op = dht_get_mutable(dht_net_node(net, who), dht_net_env(net), &item->key,
                             slice_of(NULL, 0));
        ck_assert(dht_net_finish(net, who, op, &got, &found, &report));
        ck_assert(found);
    }
}

static void put_others(struct dht_net *net)
{
    for (unsigned i = 0; i < OTHERS; i++) {
        uint8_t seed[DHT_SEED];
        uint8_t value[VALUE] = "992:";
        env_random(dht_net_env(net), seed, sizeof seed);
        env_random(dht_net_env(net), value + 4, DESCRIPTOR);
        struct dht_item item =
            dht_item_signed(seed, slice_of(NULL, 0), 1, slice_of(value, sizeof value));
        put_and_get(net, &item);
    }
    dht_net_run(net, 2 * (uint64_t)HOUR);
}

/* --- the test --- */

static void describe(struct items *all, struct people *p)
{
    all->sim = &p->sim;
    all->first_day = sim_now(&p->sim) / LIMIT_DAY_MS + 1;
    shelf_open(&p->sim);
    shelf_watch(&p->sim, note, all);
    sim_settle(&p->sim, (DAYS + 1) * (uint64_t)LIMIT_DAY_MS);
    for (unsigned day = 0; day < DAYS; day++) {
        ck_assert_uint_eq(all->count[day], PEOPLE);
    }
}

/* Nothing that says who it is, was seen. */
static void names_nobody(const struct view *v, struct people *p)
{
    char address[ADDRESS_TEXT];
    struct sign_pk node;
    ck_assert_ok(people_call(p, p->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(p->relay, "node", address, sizeof address));
    ck_assert_ok(address_parse_node(unit_str(address), &node));
    ck_assert(!has_any(v, node.b, sizeof node.b));
    ck_assert(!has_any(v, address, strlen(address)));
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct sign_pk id;
        ck_assert_ok(id_decode(unit_str(p->person[i].id), id.b));
        ck_assert(!has_any(v, id.b, sizeof id.b));
        ck_assert(!has_any(v, p->person[i].id, strlen(p->person[i].id)));
    }
}

START_TEST(two_days_on_the_wire_have_nothing_in_common)
{
    static struct items all;
    struct view others = {.count = 0};
    struct view days[DAYS] = {{.count = 0}};
    struct view twice = {.count = 0};
    struct view *now = &others;
    struct people *p = people_new(31, PEOPLE);
    describe(&all, p);
    struct dht_net *net = dht_net_new(&(struct dht_net_options){.seed = 5, .nodes = NODES});
    dht_net_watch(net, see, &now);
    dht_net_run(net, HOUR);
    put_others(net);
    for (unsigned day = 0; day < DAYS; day++) {
        now = &days[day];
        for (unsigned i = 0; i < PEOPLE; i++) {
            struct dht_item item = as_put(&all.item[day][i]);
            put_and_get(net, &item);
        }
        dht_net_run(net, 2 * (uint64_t)HOUR);
        now = &others;
        put_others(net);
        sort(&days[day]);
    }
    now = &twice; /* somebody whose item is that of the first day, still */
    struct dht_item again = as_put(&all.item[0][0]);
    put_and_get(net, &again);
    sort(&twice);
    sort(&others);

    ck_assert_uint_eq(in_common(&days[0], &days[1], &others), 0);
    ck_assert_uint_gt(in_common(&days[0], &twice, &others), DESCRIPTOR / 2); /* that is seen */
    for (unsigned day = 0; day < DAYS; day++) {
        ck_assert(has_any(&days[day], all.item[day][0].key.b, sizeof all.item[day][0].key.b));
        names_nobody(&days[day], p);
        ck_assert_uint_eq(days[day].nput, PEOPLE); /* one from another by nothing but their keys */
    }
    printf("%llu and %llu datagrams of two days among %d nodes, %zu and %zu values of %d bytes; "
           "anonymity set: %zu keys that one relay announced on each day\n",
           (unsigned long long)days[0].datagrams, (unsigned long long)days[1].datagrams, NODES,
           days[0].count, days[1].count, WINDOW, days[0].nput);
    dht_net_free(net);
    people_free(p);
    free(others.windows);
    free(twice.windows);
    free(days[0].windows);
    free(days[1].windows);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, two_days_on_the_wire_have_nothing_in_common);
}

int main(void)
{
    return unit_main("sim/observer", add_tests);
}
