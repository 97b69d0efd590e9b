/* SPDX-License-Identifier: Apache-2.0
 *
 * device_list: any bytes as a signed list or certificate, and as the signed body of one.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/signed.h"
#include "fuzz/parts/parts.h"
#include "node/device.h"

/* The identity of tests/data/vectors/device_list.json, so that its certificates verify. */
static const uint8_t SEED[32] = {0x7d, 0x24, 0x06, 0x73, 0xd7, 0xa7, 0xa3, 0x94, 0x62, 0x53, 0x82,
                                 0x85, 0x84, 0x8e, 0xa9, 0x85, 0xfa, 0x38, 0x5a, 0xcb, 0xf8, 0x38,
                                 0x19, 0xa0, 0x21, 0x73, 0x52, 0xba, 0x15, 0x60, 0x7c, 0x4b};

static void check(struct slice bytes, const struct sign_pk *id)
{
    struct device_list list;
    struct device_certificate certificate;
    if (device_list_open(bytes, id, &list) == ERR_OK &&
        (list.count < 1 || list.count > LIMIT_DEVICES)) {
        abort();
    }
    (void)!device_certificate_open(bytes, id, &certificate);
}

void part_device_list(const uint8_t *data, size_t len)
{
    static const char *const labels[] = {"petrel/1 device list", "petrel/1 device certificate"};
    struct sign_pk id;
    struct sign_sk sk;
    struct slice body = slice_of(data, len);
    if (prim_init() != ERR_OK) {
        abort();
    }
    prim_sign_keypair(&id, &sk, SEED);
    check(body, &id);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        uint8_t bytes[2 * LIMIT_DEVICE_LIST];
        struct writer w = writer_of(bytes, sizeof bytes);
        if (signed_write(&w, labels[i], body, &sk) == ERR_OK) {
            check(writer_done(&w), &id);
        }
    }
}
