/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/contact.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/unit.h"

static struct dht_address ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct dht_address){.ip = {a, b, c, d}, .port = port};
}

START_TEST(nearness_is_xor)
{
    struct dht_id target = {{0}};
    struct dht_id a = {{0}};
    struct dht_id b = {{0}};
    ck_assert_int_eq(dht_id_nearer(&target, &a, &b), 0);
    ck_assert_uint_eq(dht_id_common(&a, &b), 160);
    a.b[19] = 1;
    b.b[19] = 2;
    ck_assert_int_lt(dht_id_nearer(&target, &a, &b), 0);
    target.b[19] = 3;
    ck_assert_int_gt(dht_id_nearer(&target, &a, &b), 0);
    ck_assert_uint_eq(dht_id_common(&a, &b), 158);
    a.b[0] = 0x80;
    ck_assert_uint_eq(dht_id_common(&a, &b), 0);
    ck_assert_int_gt(dht_id_nearer(&target, &a, &b), 0);
}
END_TEST

START_TEST(an_id_that_is_made_fits_and_no_other_does)
{
    struct unit_env u;
    unit_env_init(&u, 3, 0);
    struct dht_address six = {.v6 = true, .port = 1, .ip = {0x20, 0x01, 0x0d, 0xb8, 5, 6, 7, 8, 9}};
    for (unsigned i = 0; i < 64; i++) {
        struct dht_address a = ipv4((uint8_t)(20 + i), 2, 3, (uint8_t)i, 6881);
        struct dht_id id = dht_id_for(&u.env, &a);
        ck_assert(dht_id_fits(&id, &a));
        struct dht_address other = a;
        other.ip[3] ^= 1;
        ck_assert(!dht_id_fits(&id, &other));
        id.b[1] ^= 1;
        ck_assert(!dht_id_fits(&id, &a) || dht_address_local(&a));
        id = dht_id_for(&u.env, &six);
        ck_assert(dht_id_fits(&id, &six));
        id.b[2] ^= 8;
        ck_assert(!dht_id_fits(&id, &six));
    }
}
END_TEST

/* BEP 42 has no vectors for IPv6. These IDs libtorrent 2.0.8 made when it was told that these were
 * its addresses. */
START_TEST(ids_that_others_make_for_ipv6_fit)
{
    static const struct {
        const char *ip;
        const char *id;
    } made[] = {
        {"2000:aeb0:61ef:2f7e:b14b:4dd5:ee4e:dbe", "d0e32c558056db073e666ce666d1f72f85ae3990"},
        {"2113:2ab4:44ec:bdd0:af10:d231:6dad:1cbc", "1091cf58e684910c5d49dfd77bbdc5e6637a71f5"},
        {"2026:9544:3b84:dd4b:9e37:4017:ec8a:6045", "cd6ee6713c573738a9f1821e997ad918528d5fb3"},
        {"2139:4597:25a8:8627:aa1c:1cf8:b5b:ce62", "946f0b2837722dfb7055cee0629b0a82ea52482e"},
        {"204c:b56e:3e6f:26c9:70f4:66a2:ba40:553e", "45166145c4ae9ac3fb75b279c76b62e7e84dd2ea"},
        {"2185:2c8b:2300:5cd4:cbfb:356:b87c:727b", "f79106ec022a923ec6dd1d02b28d970abc84a398"},
        {"2098:3d66:1ab2:4fb0:7b85:af8a:1d3e:8bfb", "bb3e4d6bf3f801470f163f02592e7b3bd4f58e86"},
        {"2aff:ffff:ffff:ffff:1489:f328:2c2:103e", "c54e965dbc5a6c75a63e88f4686987b9e072beb4"},
    };
    static const uint8_t mask[] = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff}; /* its text */
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct dht_address a = {.v6 = true, .port = 1};
        struct dht_id id;
        ck_assert_int_eq(inet_pton(AF_INET6, made[i].ip, a.ip), 1);
        ck_assert_uint_eq(unit_hex(made[i].id, id.b, DHT_ID), DHT_ID);
        ck_assert_msg(dht_id_fits(&id, &a), "%s", made[i].ip);
        for (size_t bit = 0; bit < 8 * DHT_IPV6;
             bit++) { /* those of the mask count, and no other */
            struct dht_address other = a;
            uint8_t flip = (uint8_t)(1U << bit % 8);
            other.ip[bit / 8] ^= flip;
            bool counts = bit / 8 < sizeof mask && (mask[bit / 8] & flip) != 0;
            ck_assert(dht_id_fits(&id, &other) == !counts || dht_address_local(&other));
        }
        for (size_t bit = 0; bit < 8 * DHT_ID; bit++) { /* 21 bits, and 3 at the end */
            struct dht_id other = id;
            other.b[bit / 8] ^= (uint8_t)(0x80U >> bit % 8);
            ck_assert(dht_id_fits(&other, &a) == (bit >= 21 && bit < 8 * DHT_ID - 3));
        }
    }
}
END_TEST

START_TEST(what_no_node_can_have_is_no_address)
{
    struct dht_address mapped = {.v6 = true, .port = 1, .ip = {[10] = 0xff, [11] = 0xff, [12] = 1}};
    struct dht_address many = {.v6 = true, .port = 1, .ip = {0xff, 2}};
    struct dht_address none = {.v6 = true, .port = 1};
    struct dht_address good[] = {
        ipv4(1, 2, 3, 4, 1), ipv4(127, 0, 0, 1, 65535), {.v6 = true, .port = 1, .ip = {[15] = 1}}};
    struct dht_address bad[] = {ipv4(1, 2, 3, 4, 0),
                                ipv4(0, 2, 3, 4, 1),
                                ipv4(224, 0, 0, 1, 1),
                                ipv4(255, 255, 255, 255, 1),
                                mapped,
                                many,
                                none};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(dht_address_valid(&good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert(!dht_address_valid(&bad[i]));
    }
}
END_TEST

START_TEST(local_addresses_are_those_of_bep_42_and_their_like)
{
    struct dht_address local[] = {ipv4(10, 1, 2, 3, 1),           ipv4(127, 255, 0, 1, 1),
                                  ipv4(169, 254, 1, 1, 1),        ipv4(172, 16, 0, 1, 1),
                                  ipv4(172, 31, 255, 255, 1),     ipv4(192, 168, 0, 1, 1),
                                  {.v6 = true, .ip = {[15] = 1}}, {.v6 = true, .ip = {0xfe, 0x80}},
                                  {.v6 = true, .ip = {0xfd, 1}}};
    struct dht_address global[] = {ipv4(11, 1, 2, 3, 1),          ipv4(172, 15, 0, 1, 1),
                                   ipv4(172, 32, 0, 1, 1),        ipv4(192, 169, 0, 1, 1),
                                   {.v6 = true, .ip = {0x20, 1}}, {.v6 = true, .ip = {0xfe, 0xc0}}};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        ck_assert_msg(dht_address_local(&local[i]), "local %zu", i);
    }
    for (size_t i = 0; i < sizeof global / sizeof global[0]; i++) {
        ck_assert_msg(!dht_address_local(&global[i]), "global %zu", i);
    }
}
END_TEST

START_TEST(compact_forms_go_there_and_back)
{
    struct dht_contact c[2] = {{.address = ipv4(1, 2, 3, 4, 0x1234)},
                               {.address = {.v6 = true, .port = 7, .ip = {0x20, 1, [15] = 9}}}};
    for (unsigned v6 = 0; v6 < 2; v6++) {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        memset(c[v6].id.b, 0x55, DHT_ID);
        dht_contact_write(&w, &c[v6]);
        ck_assert_uint_eq(w.len, v6 ? 38 : 26);
        struct reader r = reader_of(writer_done(&w));
        struct dht_contact back = dht_contact_read(&r, v6 == 1);
        ck_assert_ok(reader_end(&r));
        ck_assert(dht_id_equal(&back.id, &c[v6].id));
        ck_assert(dht_address_equal(&back.address, &c[v6].address));
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, nearness_is_xor);
    tcase_add_test(tc, an_id_that_is_made_fits_and_no_other_does);
    tcase_add_test(tc, ids_that_others_make_for_ipv6_fit);
    tcase_add_test(tc, what_no_node_can_have_is_no_address);
    tcase_add_test(tc, local_addresses_are_those_of_bep_42_and_their_like);
    tcase_add_test(tc, compact_forms_go_there_and_back);
}

int main(void)
{
    return unit_main("dht/contact", add_tests);
}
