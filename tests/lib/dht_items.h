/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_items: items of the DHT as a test wants them.
 */
#ifndef PETREL_TESTS_LIB_DHT_ITEMS_H
#define PETREL_TESTS_LIB_DHT_ITEMS_H

#include "dht/item.h"

enum {
    DHT_SEED = 32, /* Ed25519, RFC 8032 */
};

/* A mutable item, signed by the key of a seed. value: bencoded. Salt and value fit. */
struct dht_item dht_item_signed(const uint8_t seed[static DHT_SEED], struct slice salt, int64_t seq,
                                struct slice value);

#endif
