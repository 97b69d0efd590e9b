/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that speak IPv6, alone or beside IPv4 (BEP 32). */
#include "dht/dht.h"

#include <string.h>

#include "dht/guard.h"
#include "dht/items.h"
#include "lib/dht_items.h"
#include "lib/dht_rig.h"

enum {
    BOTH = 4, /* nodes of both families; behind them those that have one */
    ONLY4 = BOTH,
    ONLY6,
};

static const struct dht_config OF[] = {
    {.families = {true, true}}, {.families = {true, false}}, {.families = {false, true}}};

/* Some of both families, of IPv4, and of IPv6. */
static struct dht_rig *net_of(unsigned both, unsigned four, unsigned six)
{
    struct dht_rig *r = dht_rig_new();
    for (unsigned i = 0; i < both + four + six; i++) {
        dht_rig_add(r, &OF[i < both ? 0 : i < both + four ? 1 : 2]);
    }
    for (unsigned f = 0; f < DHT_FAMILIES; f++) { /* the first one hears who it is */
        struct dht_address second = dht_rig_at(1, f == 1);
        dht_bootstrap(r->dht[0], &r->u.env, &second);
    }
    dht_rig_pass(r, 60000);
    return r;
}

static struct dht_item mutable_item(uint8_t k, int64_t seq, const char *value)
{
    uint8_t seed[DHT_SEED] = {k};
    return dht_item_signed(seed, slice_of(NULL, 0), seq, unit_str(value));
}

/* The longest value that there is. */
static struct dht_item long_item(void)
{
    uint8_t seed[DHT_SEED] = {9};
    uint8_t value[KRPC_VALUE];
    memset(value, 'x', sizeof value);
    memcpy(value, "996:", 4);
    return dht_item_signed(seed, slice_of(NULL, 0), 1, slice_of(value, sizeof value));
}

/* Somebody with no node; n: in one /64 of an IPv6 network, or one IPv4 address. */
static struct dht_address stranger(bool v6, uint8_t network, uint8_t n)
{
    if (v6) {
        return (struct dht_address){
            .v6 = true, .ip = {0x2a, 3, 4, 5, 6, 7, 8, network, [15] = n}, .port = 1000};
    }
    return (struct dht_address){.ip = {30, 1, 1, n}, .port = 1000};
}

static struct krpc asked_by(struct dht_rig *r, const struct dht_address *who, struct krpc q)
{
    uint8_t bytes[KRPC_DATAGRAM_IN];
    struct writer w = writer_of(bytes, sizeof bytes);
    q.kind = KRPC_QUERY;
    q.has_id = true;
    q.id = dht_id_for(&r->u.env, who);
    q.read_only = true; /* nobody for a table */
    q.transaction = slice_of("aa", 2);
    krpc_write(&w, &q);
    ck_assert_int_eq(w.err, ERR_OK);
    return dht_rig_asked(r, who, writer_done(&w));
}

START_TEST(each_family_has_a_table_an_address_and_an_id_of_its_own)
{
    struct dht_rig *r = net_of(BOTH, 1, 1);
    for (unsigned i = 0; i < r->count; i++) {
        struct dht_status s = dht_rig_status(r, i);
        ck_assert_uint_eq(s.good[0], i == ONLY6 ? 0 : BOTH);
        ck_assert_uint_eq(s.nodes[0], s.good[0]);
        ck_assert_uint_eq(s.good[1], i == ONLY4 ? 0 : BOTH);
        ck_assert_uint_eq(s.nodes[1], s.good[1]);
        for (unsigned f = 0; f < DHT_FAMILIES; f++) {
            struct dht_address own = dht_rig_at(i, f == 1);
            if (s.good[f] > 0) {
                ck_assert(dht_address_equal(&s.external[f], &own));
                ck_assert(dht_id_fits(&s.id[f], &own)); /* BEP 42 */
            }
        }
        ck_assert(!dht_id_equal(&s.id[0], &s.id[1]));
    }
    dht_rig_free(r);
}
END_TEST

/* It knows one node, by its IPv4 address, and asks it for nodes of both families. */
START_TEST(who_begins_with_one_family_finds_the_other)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct dht_rig *r = net_of(BOTH, 0, 0);
        struct dht *late = dht_new(&OF[0], &r->u.env);
        struct dht_address first = dht_rig_at(0, f == 1);
        ck_assert_ptr_nonnull(late);
        r->dht[r->count++] = late;
        r->wanted[0] = r->wanted[1] = 0;
        dht_bootstrap(late, &r->u.env, &first);
        dht_rig_pass(r, 60000);
        struct dht_status s = dht_rig_status(r, BOTH);
        ck_assert_uint_eq(s.good[0], BOTH);
        ck_assert_uint_eq(s.good[1], BOTH);
        ck_assert_uint_gt(r->wanted[f], 0);
        r->wanted[0] = r->wanted[1] = 0; /* now it knows both, and says no more what it wants */
        dht_rig_pass(r, 60 * 60 * 1000);
        ck_assert_uint_eq(r->wanted[0] + r->wanted[1], 0);
        dht_rig_free(r);
    }
}
END_TEST

/* BEP 32: without want those of the family of the datagram. */
START_TEST(who_asks_gets_nodes_of_the_families_that_they_want)
{
    struct dht_rig *r = net_of(BOTH, 1, 1);
    for (unsigned way = 0; way < DHT_FAMILIES; way++) {
        struct dht_address who = stranger(way == 1, 1, 1);
        for (unsigned want = 0; want < 4; want++) {
            for (unsigned get = 0; get < 2; get++) {
                struct krpc m =
                    asked_by(r, &who,
                             (struct krpc){.method = get != 0 ? KRPC_GET : KRPC_FIND_NODE,
                                           .has_target = true,
                                           .want4 = (want & 1) != 0,
                                           .want6 = (want & 2) != 0});
                bool gets[] = {want == 0 ? way == 0 : (want & 1) != 0,
                               want == 0 ? way == 1 : (want & 2) != 0};
                ck_assert_int_eq(m.kind, KRPC_REPLY);
                ck_assert_uint_eq(m.nodes.len, gets[0] ? BOTH * DHT_NODE4 : 0);
                ck_assert_uint_eq(m.nodes6.len, gets[1] ? BOTH * DHT_NODE6 : 0);
                ck_assert_uint_eq(m.ip.len, way == 1 ? DHT_COMPACT6 : DHT_COMPACT4);
            }
        }
        dht_rig_pass(r, 60000); /* as many answers as one host gets */
    }
    /* The nodes of nodes6 are the others, where they are. */
    struct dht_address who = stranger(true, 1, 1);
    struct krpc m = asked_by(
        r, &who, (struct krpc){.method = KRPC_FIND_NODE, .has_target = true, .want6 = true});
    struct reader reader = reader_of(m.nodes6);
    unsigned seen = 0;
    while (reader_left(&reader) > 0) {
        struct dht_contact c = dht_contact_read(&reader, true);
        unsigned i = c.address.ip[5];
        struct dht_address there = dht_rig_at(i, true);
        ck_assert(dht_address_equal(&c.address, &there));
        struct dht_status s = dht_rig_status(r, i);
        ck_assert(dht_id_equal(&c.id, &s.id[1]));
        seen |= 1U << i;
    }
    ck_assert_uint_eq(seen, 1U << 1 | 1U << 2 | 1U << 3 | 1U << ONLY6);
    dht_rig_free(r);
}
END_TEST

START_TEST(items_are_put_and_got_over_ipv6_alone)
{
    struct dht_rig *r = net_of(0, 0, BOTH + 2);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_item newer = mutable_item(1, 2, "6:second");
    struct dht_item fixed = {.value_len = 7};
    memcpy(fixed.value, "5:hello", 7);
    ck_assert(!dht_rig_get(r, 3, &item));
    ck_assert_uint_eq(dht_rig_put(r, 1, &item, false, 0).stored, BOTH + 1);
    ck_assert_uint_eq(dht_rig_put(r, 2, &newer, true, 1).stored, BOTH + 1);
    ck_assert_int_eq(dht_rig_put(r, 1, &item, false, 0).code, KRPC_SEQ_LESS);
    ck_assert(dht_rig_get(r, 4, &item));
    ck_assert_int_eq(r->last[0].item.seq, 2);
    ck_assert_mem_eq(r->last[0].item.value, newer.value, newer.value_len);
    ck_assert_uint_eq(dht_rig_put(r, 1, &fixed, false, 0).stored, BOTH + 1);
    ck_assert(dht_rig_get(r, 5, &fixed));
    ck_assert_mem_eq(r->last[0].item.value, fixed.value, fixed.value_len);
    ck_assert_uint_eq(r->longest[0], 0); /* nothing went over IPv4 */
    dht_rig_free(r);
}
END_TEST

START_TEST(who_has_both_families_puts_and_gets_in_both)
{
    struct dht_rig *r = net_of(BOTH, 1, 1);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_item of4 = mutable_item(2, 1, "4:four");
    struct dht_item of6 = mutable_item(3, 1, "3:six");
    ck_assert_uint_eq(dht_rig_put(r, 1, &item, false, 0).stored, 2 * BOTH);
    for (unsigned i = 0; i < r->count; i++) {
        ck_assert(dht_rig_get(r, i, &item));
    }
    ck_assert_uint_eq(dht_rig_put(r, ONLY4, &of4, false, 0).stored, BOTH);
    ck_assert_uint_eq(dht_rig_put(r, ONLY6, &of6, false, 0).stored, BOTH);
    for (unsigned i = 0; i < BOTH; i++) { /* one store for both */
        ck_assert(dht_rig_get(r, i, &of4));
        ck_assert(dht_rig_get(r, i, &of6));
    }
    dht_rig_free(r);
}
END_TEST

/* Nodes are left out of an answer until it fits; the item is whole. */
START_TEST(no_datagram_over_ipv6_is_longer_than_1232_bytes)
{
    struct dht_rig *r = net_of(DHT_RIG_NODES, 0, 0);
    struct dht_item item = long_item();
    ck_assert_uint_eq(dht_rig_put(r, 1, &item, false, 0).stored, 2 * (DHT_RIG_NODES - 1));
    ck_assert(dht_rig_get(r, 2, &item));
    for (unsigned way = 0; way < DHT_FAMILIES; way++) {
        struct dht_address who = stranger(way == 1, 1, 1);
        struct krpc q = {.method = KRPC_GET, .has_target = true, .want4 = true, .want6 = true};
        q.target = dht_item_target(&item);
        struct krpc m = asked_by(r, &who, q);
        size_t most = way == 1 ? KRPC_DATAGRAM6 : KRPC_DATAGRAM;
        ck_assert_uint_eq(m.value.len, KRPC_VALUE);
        ck_assert_uint_le(r->to_nobody.len, most);
        ck_assert_uint_gt(r->to_nobody.len + DHT_NODE6, most); /* no more than need be */
        ck_assert_uint_lt(m.nodes.len + m.nodes6.len,
                          (DHT_RIG_NODES - 1) * (DHT_NODE4 + DHT_NODE6));
    }
    ck_assert_uint_le(r->longest[0], KRPC_DATAGRAM);
    ck_assert_uint_gt(r->longest[0], KRPC_DATAGRAM6);
    ck_assert_uint_le(r->longest[1], KRPC_DATAGRAM6);
    dht_rig_free(r);
}
END_TEST

/* Somebody has all addresses of a /64: they are one host. */
START_TEST(a_64_is_one_host_for_answers)
{
    struct dht_rig *r = net_of(2, 0, 0);
    unsigned answered = 0;
    for (unsigned n = 0; n < 2 * DHT_GUARD_ANSWERS; n++) {
        struct dht_address who = stranger(true, 1, (uint8_t)n);
        answered += asked_by(r, &who, (struct krpc){.method = KRPC_PING}).kind == KRPC_REPLY;
    }
    ck_assert_uint_eq(answered, DHT_GUARD_ANSWERS);
    struct dht_address other = stranger(true, 2, 1);
    ck_assert_int_eq(asked_by(r, &other, (struct krpc){.method = KRPC_PING}).kind, KRPC_REPLY);
    dht_rig_free(r);
}
END_TEST

/* Puts so many items, one from each address of a network; gives how many were taken, and checks the
 * reason for which the others were not. */
static unsigned taken_of(struct dht_rig *r, uint8_t network, unsigned count)
{
    unsigned taken = 0;
    for (unsigned n = 0; n < count; n++) {
        struct dht_address who = stranger(true, network, (uint8_t)n);
        uint8_t value[] = {'3', ':', network, (uint8_t)(n >> 8), (uint8_t)n};
        uint8_t token[KRPC_TOKEN];
        struct krpc m = asked_by(r, &who, (struct krpc){.method = KRPC_GET, .has_target = true});
        ck_assert_int_eq(m.kind, KRPC_REPLY);
        memcpy(token, m.token.p, m.token.len);
        m = asked_by(r, &who,
                     (struct krpc){.method = KRPC_PUT,
                                   .token = slice_of(token, m.token.len),
                                   .value = slice_of(value, sizeof value)});
        ck_assert(m.kind == KRPC_REPLY || (m.kind == KRPC_ERROR && m.code == KRPC_SERVER));
        taken += m.kind == KRPC_REPLY;
        r->u.env.now_ms += 1000; /* no more than others answer */
    }
    return taken;
}

START_TEST(a_64_is_one_host_for_items)
{
    struct dht_rig *r = net_of(2, 0, 0);
    ck_assert_uint_eq(taken_of(r, 1, DHT_ITEMS_HOST + 5), DHT_ITEMS_HOST);
    ck_assert_uint_eq(taken_of(r, 2, 5), 5);
    ck_assert_uint_eq(dht_rig_status(r, 0).items, DHT_ITEMS_HOST + 5);
    dht_rig_free(r);
}
END_TEST

/* One place of a table, for whoever answers first, whatever IDs it has. */
START_TEST(a_64_is_one_host_for_a_table)
{
    struct dht_table t;
    struct unit_env u;
    struct dht_id own = {{0}};
    unit_env_init(&u, 4, DHT_RIG_NOW);
    ck_assert_ok(dht_table_init(&t, &own, true, DHT_RIG_NOW));
    unsigned good = 0;
    for (uint8_t network = 0; network < 3; network++) {
        for (uint8_t n = 0; n < 50; n++) {
            struct dht_contact c = {.address = stranger(true, network, n)};
            c.address.port = (uint16_t)(c.address.port + n);
            c.id = dht_id_for(&u.env, &c.address);
            dht_table_heard(&t, &c, true, DHT_RIG_NOW);
        }
        ck_assert_uint_eq(dht_table_size(&t, DHT_RIG_NOW, &good), network + 1U);
        ck_assert_uint_eq(good, network + 1U);
    }
    dht_table_fini(&t);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, each_family_has_a_table_an_address_and_an_id_of_its_own);
    tcase_add_test(tc, who_begins_with_one_family_finds_the_other);
    tcase_add_test(tc, who_asks_gets_nodes_of_the_families_that_they_want);
    tcase_add_test(tc, items_are_put_and_got_over_ipv6_alone);
    tcase_add_test(tc, who_has_both_families_puts_and_gets_in_both);
    tcase_add_test(tc, no_datagram_over_ipv6_is_longer_than_1232_bytes);
    tcase_add_test(tc, a_64_is_one_host_for_answers);
    tcase_add_test(tc, a_64_is_one_host_for_items);
    tcase_add_test(tc, a_64_is_one_host_for_a_table);
}

int main(void)
{
    return unit_main("dht/six", add_tests);
}
