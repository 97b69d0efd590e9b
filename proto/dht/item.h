/* SPDX-License-Identifier: Apache-2.0
 *
 * item: what the DHT stores, mutable or immutable (BEP 44): its place, whether it is whole, and
 * whether it may take another one's place. docs/protocol/11-dht.md, section 6.
 */
#ifndef PETREL_DHT_ITEM_H
#define PETREL_DHT_ITEM_H

#include "crypto/prim.h"
#include "dht/krpc.h"

struct dht_item {
    bool is_mutable;
    struct sign_pk key; /* of a mutable one, like all up to value */
    uint8_t salt[KRPC_SALT];
    uint8_t salt_len; /* 0: none */
    int64_t seq;      /* from 0 */
    uint8_t sig[PRIM_SIGNATURE];
    uint16_t value_len;
    uint8_t value[KRPC_VALUE]; /* bencoded, as it stands */
};

/* SHA-1 (FIPS 180-4) of key | salt, or of the value: the place of an item. */
struct dht_id dht_target_mutable(const struct sign_pk *key, struct slice salt);
struct dht_id dht_target_immutable(struct slice value);
struct dht_id dht_item_target(const struct dht_item *item);

/* The item of a put, or of the reply to a get: sizes and signature are checked. 0: fine; else the
 * krpc_code that says what is wrong. target: where it is said to be; NULL: anywhere. salt: of the
 * question, since a reply does not have it. */
int dht_item_read(const struct krpc *m, struct slice salt, const struct dht_id *target,
                  struct dht_item *out);
/* Fills in v, and k, seq and sig; salt: of a put only. Slices borrow from the item. */
void dht_item_write(struct krpc *m, const struct dht_item *item, bool with_salt);

/* Whether a may take b's place by the rules of BEP 44; 0 or a krpc_code. */
int dht_item_replaces(const struct dht_item *a, const struct dht_item *b, bool has_cas,
                      int64_t cas);

#endif
