/* SPDX-License-Identifier: Apache-2.0
 *
 * address: any text as a relay's address, any bytes as its wire form; both read back.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "node/address.h"

static void check(const struct address *a)
{
    char text[ADDRESS_TEXT];
    uint8_t bytes[ADDRESS_WIRE];
    struct address got;
    address_print(a, text);
    if (address_parse(slice_of(text, strlen(text)), &got) != ERR_OK || !address_equal(a, &got)) {
        abort();
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    address_write(&w, a);
    struct reader r = reader_of(writer_done(&w));
    address_read(&r, &got);
    if (reader_end(&r) != ERR_OK || !address_equal(a, &got)) {
        abort();
    }
}

void part_address(const uint8_t *data, size_t len)
{
    struct address a = {.port = 1};
    if (prim_init() != ERR_OK) {
        abort();
    }
    if (address_parse(slice_of(data, len), &a) == ERR_OK) {
        check(&a);
    }
    struct reader r = reader_of(slice_of(data, len));
    address_read(&r, &a);
    if (reader_end(&r) == ERR_OK) {
        check(&a);
    }
    /* Without the 70 characters of an ID that a fuzzer seldom gets right. */
    if (address_parse_host_port(slice_of(data, len), a.host, &a.port) == ERR_OK) {
        uint8_t seed[32] = {1};
        struct sign_sk sk;
        prim_sign_keypair(&a.node_id, &sk, seed);
        check(&a);
    }
}
