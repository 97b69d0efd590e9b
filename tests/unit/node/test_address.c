/* SPDX-License-Identifier: Apache-2.0 */
#include "node/address.h"

#include <stdio.h>
#include <string.h>

#include "lib/unit.h"

/* A valid public key that depends on seed. */
static struct sign_pk some_key(uint8_t seed)
{
    uint8_t bytes[32] = {seed};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, bytes);
    return pk;
}

static struct address some_address(const char *host, uint16_t port)
{
    struct address a = {.node_id = some_key(1), .port = port};
    strcpy(a.host, host);
    return a;
}

static enum err parse(const char *text, struct address *out)
{
    return address_parse(slice_of(text, strlen(text)), out);
}

START_TEST(what_is_printed_is_parsed)
{
    static const char *const hosts[] = {
        "relay.example", "192.0.2.7", "::1", "2001:db8::17",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org"};
    static const uint16_t ports[] = {1, 80, 4470, 65535};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        for (size_t k = 0; k < sizeof ports / sizeof ports[0]; k++) {
            struct address a = some_address(hosts[i], ports[k]);
            struct address got;
            char text[ADDRESS_TEXT];
            address_print(&a, text);
            ck_assert_ok(parse(text, &got));
            ck_assert(address_equal(&a, &got));
        }
    }
}
END_TEST

START_TEST(ipv6_stands_in_brackets_and_nothing_else_does)
{
    struct address a = some_address("::1", 4470);
    char text[ADDRESS_TEXT];
    char host[LIMIT_HOST + 1];
    uint16_t port;
    address_print(&a, text);
    ck_assert_str_eq(text + NODE_ID_TEXT - 1, "@[::1]:4470");
    ck_assert_err(address_parse_host_port(unit_str("::1:4470"), host, &port), ERR_BAD_ADDRESS);
    ck_assert_err(address_parse_host_port(unit_str("[relay.example]:1"), host, &port),
                  ERR_BAD_ADDRESS);
    ck_assert_err(address_parse_host_port(unit_str("[192.0.2.7]:1"), host, &port), ERR_BAD_ADDRESS);
    ck_assert_ok(address_parse_host_port(unit_str("[0:0::1]:1"), host, &port));
    ck_assert_str_eq(host, "::1");
}
END_TEST

START_TEST(ports_are_strict)
{
    static const char *const bad[] = {"a:",    "a",      "a:0",   "a:65536", "a:99999", "a:100000",
                                      "a:01",  "a:+1",   "a: 1",  "a:1 ",    ":1",      "",
                                      "a:1:2", "[::1]1", "a:0x1", "[::1",    "[]:1",    "[:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char host[LIMIT_HOST + 1] = "untouched";
        uint16_t port = 7;
        enum err err = address_parse_host_port(slice_of(bad[i], strlen(bad[i])), host, &port);
        ck_assert_msg(err == ERR_BAD_ADDRESS, "accepted %s", bad[i]);
        ck_assert_str_eq(host, "untouched");
        ck_assert_uint_eq(port, 7);
    }
}
END_TEST

START_TEST(the_node_id_is_checked)
{
    struct address a = some_address("relay.example", 4470);
    struct address got;
    char text[ADDRESS_TEXT];
    address_print(&a, text);
    text[20] = text[20] == 'q' ? 'p' : 'q';
    ck_assert_err(parse(text, &got), ERR_BAD_CHECKSUM);
    ck_assert_err(parse("relay.example:4470", &got), ERR_BAD_ADDRESS);
    ck_assert_err(parse("@relay.example:4470", &got), ERR_BAD_ADDRESS);
    ck_assert_err(parse("", &got), ERR_BAD_ADDRESS);

    /* A person's ID in place of a node's. */
    char id[ID_TEXT];
    char both[ADDRESS_TEXT];
    id_encode(a.node_id.b, id);
    snprintf(both, sizeof both, "%s@relay.example:4470", id);
    ck_assert_err(parse(both, &got), ERR_BAD_ADDRESS);

    a.node_id = (struct sign_pk){{2}}; /* not on the curve */
    address_print(&a, text);
    ck_assert_err(parse(text, &got), ERR_BAD_KEY);
}
END_TEST

START_TEST(an_id_must_be_a_valid_point)
{
    static const struct sign_pk zero = {{0}};
    struct sign_pk pk = some_key(3);
    struct sign_pk got;
    char text[ID_TEXT];
    id_encode(pk.b, text);
    ck_assert_ok(id_parse(slice_of(text, ID_TEXT - 1), &got));
    ck_assert_mem_eq(got.b, pk.b, 32);
    ck_assert_err(id_parse(slice_of(text, ID_TEXT - 2), &got), ERR_BAD_ID);
    id_encode(zero.b, text);
    ck_assert_err(id_parse(slice_of(text, ID_TEXT - 1), &got), ERR_BAD_KEY);
    ck_assert_mem_eq(got.b, pk.b, 32);
}
END_TEST

static enum err read(struct slice bytes, struct address *out)
{
    struct reader r = reader_of(bytes);
    address_read(&r, out);
    return reader_end(&r);
}

START_TEST(the_wire_form_is_read_back_and_at_most_107_bytes)
{
    struct address a =
        some_address("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", 65535);
    struct address got;
    uint8_t bytes[200];
    struct writer w = writer_of(bytes, sizeof bytes);
    address_write(&w, &a);
    ck_assert_uint_eq(w.len, ADDRESS_WIRE);
    ck_assert_ok(read(writer_done(&w), &got));
    ck_assert(address_equal(&a, &got));
    for (size_t len = 0; len < w.len; len++) {
        ck_assert_err(read(slice_of(bytes, len), &got), ERR_MALFORMED);
    }
}
END_TEST

/* The wire form with any host and port and key. */
static enum err read_fields(struct sign_pk key, const char *host, uint64_t port)
{
    struct address got;
    uint8_t bytes[300];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 4);
    pack_uint(&w, 0);
    pack_bin(&w, key.b, sizeof key.b);
    pack_uint(&w, 1);
    pack_str(&w, host);
    pack_uint(&w, 2);
    pack_uint(&w, port);
    pack_uint(&w, 9); /* a field of a later version */
    pack_array(&w, 0);
    return read(writer_done(&w), &got);
}

START_TEST(the_wire_form_is_strict)
{
    struct sign_pk key = some_key(1);
    ck_assert_ok(read_fields(key, "relay.example", 4470));
    ck_assert_err(read_fields(key, "Relay.example", 4470), ERR_MALFORMED);
    ck_assert_err(read_fields(key, "0::1", 4470), ERR_MALFORMED);
    ck_assert_err(read_fields(key, "[::1]", 4470), ERR_MALFORMED);
    ck_assert_err(read_fields(key, "", 4470), ERR_MALFORMED);
    ck_assert_err(read_fields(key, "a", 0), ERR_MALFORMED);
    ck_assert_err(read_fields(key, "a", 65536), ERR_TOO_LARGE);
    ck_assert_err(read_fields((struct sign_pk){{1}}, "a", 1), ERR_BAD_KEY);
    char host[LIMIT_HOST + 2];
    memset(host, 'a', sizeof host);
    host[LIMIT_HOST + 1] = '\0';
    ck_assert_err(read_fields(key, host, 1), ERR_TOO_LARGE);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_printed_is_parsed);
    tcase_add_test(tc, ipv6_stands_in_brackets_and_nothing_else_does);
    tcase_add_test(tc, ports_are_strict);
    tcase_add_test(tc, the_node_id_is_checked);
    tcase_add_test(tc, an_id_must_be_a_valid_point);
    tcase_add_test(tc, the_wire_form_is_read_back_and_at_most_107_bytes);
    tcase_add_test(tc, the_wire_form_is_strict);
}

int main(void)
{
    return unit_main("node/address", add);
}
