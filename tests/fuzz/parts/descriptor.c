/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor: any bytes as an item of a link frame, and as the sealed and signed body of one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "node/descriptor.h"

enum {
    PERIOD = 9,
};

/* Seals body as an identity would that writes what it likes. */
static void seal(const struct sign_sk *sk, const struct sign_pk *id, struct slice body,
                 struct bep44_item *item)
{
    uint8_t plain[DESCRIPTOR_PLAIN] = {(uint8_t)(body.len >> 8), (uint8_t)body.len};
    uint8_t period[8] = {0, 0, 0, 0, 0, 0, 0, PERIOD};
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct aead_key key;
    if (body.len > 0) {
        memcpy(plain + 2, body.p, body.len);
    }
    if (prim_sign(plain + 2 + DESCRIPTOR_BODY, "petrel/1 descriptor body", body, sk) != ERR_OK ||
        blind_public(id, PERIOD, &item->key) != ERR_OK) {
        abort();
    }
    const struct slice parts[] = {slice_of(id->b, 32), slice_of(period, sizeof period)};
    prim_blake2b(key.b, sizeof key.b, slice_of(NULL, 0), "petrel/1 descriptor", parts, 2);
    prim_aead_seal(item->value + PRIM_AEAD_NONCE, &key, item->value, slice_of(NULL, 0),
                   slice_of(plain, sizeof plain));
    struct writer w = writer_of(buffer, sizeof buffer);
    bep44_item_buffer(&w, item->seq, item->value);
    if (blind_sign(sk, PERIOD, writer_done(&w), item->sig) != ERR_OK) {
        abort();
    }
}

void part_descriptor(const uint8_t *data, size_t len)
{
    static const uint8_t seed[32] = {1};
    struct sign_pk id;
    struct sign_sk sk;
    struct bep44_item item = {.seq = 1};
    struct descriptor d;
    if (prim_init() != ERR_OK) {
        abort();
    }
    prim_sign_keypair(&id, &sk, seed);
    struct reader r = reader_of(slice_of(data, len));
    bep44_item_read(&r, &item);
    if (reader_end(&r) == ERR_OK) {
        (void)!bep44_item_verify(&item);
    }
    if (len > DESCRIPTOR_BODY) {
        return;
    }
    seal(&sk, &id, slice_of(data, len), &item);
    if (descriptor_open(&id, PERIOD, &item, &d) == ERR_OK &&
        descriptor_seal(&sk, PERIOD, 2, &d, &item) != ERR_OK) {
        abort();
    }
}
