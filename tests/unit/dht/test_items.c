/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/items.h"

#include <string.h>

#include "lib/dht_items.h"
#include "lib/unit.h"

enum {
    NOW = 1000000,
};

/* A mutable item of key number n. */
static struct dht_item mutable_item(uint8_t n, int64_t seq, const char *value, const char *salt)
{
    uint8_t seed[DHT_SEED] = {n};
    return dht_item_signed(seed, unit_str(salt), seq, unit_str(value));
}

static struct dht_address host(uint8_t n)
{
    return (struct dht_address){.ip = {20, 1, 2, n}, .port = 6881};
}

START_TEST(what_is_put_is_read_back_from_its_place)
{
    struct dht_item item = mutable_item(1, 5, "3:abc", "salty");
    struct dht_item back;
    struct krpc m = {.kind = KRPC_QUERY};
    struct dht_id target = dht_item_target(&item);
    dht_item_write(&m, &item, true);
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &back), 0);
    ck_assert_mem_eq(&back, &item, sizeof item);
    ck_assert_int_eq(dht_item_read(&m, m.salt, &target, &back), 0);
    ck_assert_int_eq(dht_item_read(&m, unit_str("other"), &target, &back), KRPC_PROTOCOL);
    ck_assert_int_eq(dht_item_read(&m, unit_str(""), NULL, &back), KRPC_BAD_SIGNATURE);
    m.signature[5] ^= 1;
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &back), KRPC_BAD_SIGNATURE);
    m.has_signature = false;
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &back), KRPC_PROTOCOL);
}
END_TEST

START_TEST(sizes_have_the_codes_of_bep_44)
{
    static uint8_t value[KRPC_VALUE + 1] = "997:";
    struct krpc m = {.value = slice_of(value, KRPC_VALUE)};
    struct dht_item item;
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &item), 0);
    m.value = slice_of(value, KRPC_VALUE + 1);
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &item), KRPC_VALUE_TOO_BIG);
    m.value = slice_of(NULL, 0);
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &item), KRPC_PROTOCOL);
    m = (struct krpc){
        .value = unit_str("1:x"), .has_key = true, .has_seq = true, .has_signature = true};
    ck_assert_int_eq(dht_item_read(&m, slice_of(value, KRPC_SALT + 1), NULL, &item),
                     KRPC_SALT_TOO_BIG);
    m.seq = -1;
    ck_assert_int_eq(dht_item_read(&m, m.salt, NULL, &item), KRPC_PROTOCOL);
}
END_TEST

START_TEST(a_newer_one_replaces_and_an_older_one_does_not)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address by = host(1);
    struct dht_item first = mutable_item(1, 5, "3:abc", "");
    struct dht_item same = first;
    struct dht_item other = mutable_item(1, 5, "3:xyz", "");
    struct dht_item older = mutable_item(1, 4, "3:old", "");
    struct dht_item newer = mutable_item(1, 6, "3:new", "");
    struct dht_id target = dht_item_target(&first);
    ck_assert_int_eq(dht_items_put(items, &first, false, 0, &by, NOW), 0);
    ck_assert_int_eq(dht_items_put(items, &same, false, 0, &by, NOW), 0);
    ck_assert_int_eq(dht_items_put(items, &other, false, 0, &by, NOW), KRPC_SEQ_LESS);
    ck_assert_int_eq(dht_items_put(items, &older, false, 0, &by, NOW), KRPC_SEQ_LESS);
    ck_assert_int_eq(dht_items_put(items, &newer, true, 4, &by, NOW), KRPC_CAS_MISMATCH);
    ck_assert_int_eq(dht_items_get(items, &target, NOW)->seq, 5);
    ck_assert_int_eq(dht_items_put(items, &newer, true, 5, &by, NOW), 0);
    ck_assert_int_eq(dht_items_get(items, &target, NOW)->seq, 6);
    ck_assert_uint_eq(dht_items_count(items), 1);
    dht_items_free(items);
}
END_TEST

START_TEST(what_is_not_put_again_is_forgotten_after_two_hours)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address by = host(1);
    struct dht_item a = mutable_item(1, 5, "3:abc", "");
    struct dht_item b = mutable_item(2, 5, "3:abc", "");
    struct dht_id of_a = dht_item_target(&a);
    struct dht_id of_b = dht_item_target(&b);
    ck_assert_int_eq(dht_items_put(items, &a, false, 0, &by, NOW), 0);
    ck_assert_int_eq(dht_items_put(items, &b, false, 0, &by, NOW), 0);
    ck_assert_int_eq(dht_items_put(items, &b, false, 0, &by, NOW + DHT_ITEM_MS / 2), 0);
    ck_assert_uint_eq(dht_items_expire(items, NOW), NOW + DHT_ITEM_MS);
    ck_assert_ptr_nonnull(dht_items_get(items, &of_a, NOW + DHT_ITEM_MS - 1));
    ck_assert_ptr_null(dht_items_get(items, &of_a, NOW + DHT_ITEM_MS));
    ck_assert_uint_eq(dht_items_expire(items, NOW + DHT_ITEM_MS), NOW + DHT_ITEM_MS * 3 / 2);
    ck_assert_uint_eq(dht_items_count(items), 1);
    ck_assert_ptr_nonnull(dht_items_get(items, &of_b, NOW + DHT_ITEM_MS));
    ck_assert_uint_eq(dht_items_expire(items, NOW + 2 * (uint64_t)DHT_ITEM_MS), UINT64_MAX);
    dht_items_free(items);
}
END_TEST

/* An immutable item of a number. */
static struct dht_item numbered(unsigned n)
{
    struct dht_item item = {.value_len = 5};
    memcpy(item.value, "3:", 2);
    item.value[2] = (uint8_t)(n >> 16);
    item.value[3] = (uint8_t)(n >> 8);
    item.value[4] = (uint8_t)n;
    return item;
}

START_TEST(one_host_crowds_out_nobody)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address by = host(1);
    struct dht_address flood = host(2);
    struct dht_item first = numbered(1 << 20);
    struct dht_id target = dht_item_target(&first);
    ck_assert_int_eq(dht_items_put(items, &first, false, 0, &by, NOW), 0);
    for (unsigned i = 0; i < 2 * DHT_ITEMS_HOST; i++) {
        struct dht_item item = numbered(i);
        flood.port = (uint16_t)(1 + i);
        ck_assert_int_eq(dht_items_put(items, &item, false, 0, &flood, NOW + i),
                         i < DHT_ITEMS_HOST ? 0 : KRPC_SERVER);
    }
    ck_assert_uint_eq(dht_items_count(items), 1 + DHT_ITEMS_HOST);
    ck_assert_ptr_nonnull(dht_items_get(items, &target, NOW));
    dht_items_free(items);
}
END_TEST

/* Twenty networks with many hosts in each, in IPv4 and IPv6: they displace each other, and what
 * each put last is there. Nor is it of use to put the item of another once more. */
START_TEST(a_flood_displaces_itself)
{
    enum {
        NETS = 20,
        EACH = 1000,
    };
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address by = host(1);
    struct dht_item first = numbered(1 << 20);
    struct dht_id target = dht_item_target(&first);
    ck_assert_int_eq(dht_items_put(items, &first, false, 0, &by, NOW), 0);
    for (unsigned i = 0; i < NETS * EACH; i++) {
        struct dht_item item = numbered(i);
        uint8_t net = (uint8_t)(100 + i % NETS);
        uint8_t in = (uint8_t)(i / NETS % 250);
        struct dht_address flood = {.port = 1, .v6 = i % 2 == 0};
        const uint8_t v4[] = {20, 1, net, in};
        const uint8_t v6[] = {0x20, 1, 0xd, 0xb8, 0, net, 0, in, 0, 0, 0, 0, 0, 0, 0, 1};
        memcpy(flood.ip, flood.v6 ? v6 : v4, flood.v6 ? sizeof v6 : sizeof v4);
        ck_assert_int_eq(dht_items_put(items, &item, false, 0, &flood, NOW + 1 + i), 0);
        if (i < 2 * NETS) {
            ck_assert_int_eq(dht_items_put(items, &first, false, 0, &flood, NOW + 1 + i), 0);
        }
        ck_assert_uint_le(dht_items_count(items), DHT_ITEMS);
    }
    ck_assert_uint_eq(dht_items_count(items), DHT_ITEMS);
    ck_assert_ptr_nonnull(dht_items_get(items, &target, NOW + NETS * EACH));
    for (unsigned i = (NETS - 1) * EACH; i < NETS * EACH; i++) {
        struct dht_item item = numbered(i);
        struct dht_id there = dht_item_target(&item);
        ck_assert_ptr_nonnull(dht_items_get(items, &there, NOW + NETS * EACH));
    }
    dht_items_free(items);
}
END_TEST

/* The n-th /64 of one /48 puts an item. */
static void flood(struct dht_items *items, unsigned n, const struct dht_item *item, uint64_t now)
{
    const struct dht_address by = {
        .ip = {0x20, 1, 0xd, 0xb8, 0, 1, (uint8_t)(n >> 8), (uint8_t)n}, .port = 1, .v6 = true};
    ck_assert_int_eq(dht_items_put(items, item, false, 0, &by, now), 0);
}

/* A network with nothing here puts somebody's item again, which is to be its own then, and floods.
 */
START_TEST(who_puts_an_item_again_does_not_take_it_over)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address by = host(1);
    struct dht_item first = numbered(1 << 20);
    struct dht_id target = dht_item_target(&first);
    uint64_t now = NOW;
    ck_assert_int_eq(dht_items_put(items, &first, false, 0, &by, now), 0);
    for (unsigned i = 0; i < 2 * DHT_ITEMS; i++) {
        struct dht_item item = numbered(i);
        if (i < 2) {
            flood(items, i, &first, now);
        }
        flood(items, i, &item, ++now);
    }
    ck_assert_ptr_nonnull(dht_items_get(items, &target, now));
    /* Who was first with it has it until then: its owner takes it, and it stays. */
    struct dht_item second = numbered(1 << 20 | 1);
    target = dht_item_target(&second);
    flood(items, 0, &second, ++now);
    by = host(2);
    ck_assert_int_eq(dht_items_put(items, &second, false, 0, &by, ++now), 0);
    for (unsigned i = 0; i < 2 * DHT_ITEMS; i++) {
        struct dht_item item = numbered(1 << 21 | i);
        flood(items, i, &item, ++now);
    }
    ck_assert_ptr_nonnull(dht_items_get(items, &target, now));
    dht_items_free(items);
}
END_TEST

/* What its owner puts no more is of who goes on with it, and fills nobody else's share. */
START_TEST(what_somebody_else_keeps_alive_is_theirs)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_address owner = host(1);
    struct dht_address other = {.ip = {20, 9, 2, 1}, .port = 6881}; /* of another network */
    for (unsigned i = 0; i < DHT_ITEMS_HOST; i++) {
        struct dht_item item = numbered(i);
        ck_assert_int_eq(dht_items_put(items, &item, false, 0, &owner, NOW), 0);
    }
    for (uint64_t at = NOW; at <= NOW + DHT_ITEM_MS; at += DHT_ITEM_MS / 4) {
        for (unsigned i = 0; i < DHT_ITEMS_HOST; i++) {
            struct dht_item item = numbered(i);
            ck_assert_int_eq(dht_items_put(items, &item, false, 0, &other, at), 0);
        }
    }
    struct dht_item fresh = numbered(1 << 20);
    ck_assert_int_eq(dht_items_put(items, &fresh, false, 0, &owner, NOW + DHT_ITEM_MS), 0);
    dht_items_free(items);
}
END_TEST

START_TEST(peers_are_given_by_family_and_forgotten)
{
    struct unit_env u;
    unit_env_init(&u, 1, NOW);
    struct dht_items *items = dht_items_new(&u.env);
    struct dht_id hash = {{7}};
    struct dht_id other = {{8}};
    uint8_t bytes[4096];
    for (unsigned i = 0; i < 3 * DHT_PEERS_HASH; i++) {
        struct dht_address a = host((uint8_t)i);
        a.port = (uint16_t)(i + 1);
        dht_items_announce(items, &hash, &a, NOW);
    }
    struct dht_address one = host(1); /* one of a host: */
    for (unsigned i = 0; i < 10; i++) {
        one.port = (uint16_t)(1000 + i);
        dht_items_announce(items, &(struct dht_id){{9}}, &one, NOW);
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    dht_items_peers(items, &(struct dht_id){{9}}, false, NOW, &w, 1000);
    ck_assert_uint_eq(w.len, DHT_COMPACT4);
    ck_assert_uint_eq(bytes[5], 1009 & 0xff); /* what it said last */
    struct dht_address six = {.v6 = true, .ip = {0x20, 1}, .port = 1};
    dht_items_announce(items, &other, &six, NOW);
    w = writer_of(bytes, sizeof bytes);
    dht_items_peers(items, &hash, false, NOW, &w, 1000);
    ck_assert_uint_eq(w.len, DHT_PEERS_HASH * DHT_COMPACT4);
    w = writer_of(bytes, sizeof bytes);
    dht_items_peers(items, &hash, false, NOW, &w, 3);
    dht_items_peers(items, &hash, true, NOW, &w, 3);
    ck_assert_uint_eq(w.len, 3 * DHT_COMPACT4);
    w = writer_of(bytes, sizeof bytes);
    dht_items_peers(items, &other, true, NOW, &w, 3);
    ck_assert_uint_eq(w.len, DHT_COMPACT6);
    w = writer_of(bytes, sizeof bytes);
    dht_items_peers(items, &hash, false, NOW + DHT_PEER_MS, &w, 3);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_uint_eq(dht_items_expire(items, NOW + DHT_PEER_MS), UINT64_MAX);
    dht_items_free(items);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, what_is_put_is_read_back_from_its_place);
    tcase_add_test(tc, sizes_have_the_codes_of_bep_44);
    tcase_add_test(tc, a_newer_one_replaces_and_an_older_one_does_not);
    tcase_add_test(tc, what_is_not_put_again_is_forgotten_after_two_hours);
    tcase_add_test(tc, one_host_crowds_out_nobody);
    tcase_add_test(tc, a_flood_displaces_itself);
    tcase_add_test(tc, who_puts_an_item_again_does_not_take_it_over);
    tcase_add_test(tc, what_somebody_else_keeps_alive_is_theirs);
    tcase_add_test(tc, peers_are_given_by_family_and_forgotten);
}

int main(void)
{
    return unit_main("dht/items", add_tests);
}
