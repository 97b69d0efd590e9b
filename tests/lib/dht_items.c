/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/dht_items.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "crypto/bep44.h"

struct dht_item dht_item_signed(const uint8_t seed[static DHT_SEED], struct slice salt, int64_t seq,
                                struct slice value)
{
    struct dht_item item = {.is_mutable = true, .seq = seq};
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct writer w = writer_of(buffer, sizeof buffer);
    assert(salt.len <= sizeof item.salt && value.len <= sizeof item.value);
    item.salt_len = (uint8_t)salt.len;
    item.value_len = (uint16_t)value.len;
    memcpy(item.value, value.p, value.len);
    if (salt.len > 0) {
        memcpy(item.salt, salt.p, salt.len);
    }
    int rc = crypto_sign_seed_keypair(item.key.b, sk, seed);
    assert(rc == 0);
    bep44_buffer_write(&w, salt, (uint64_t)seq, value);
    rc = crypto_sign_detached(item.sig, NULL, buffer, w.len, sk);
    assert(rc == 0 && w.err == ERR_OK);
    (void)rc;
    return item;
}
