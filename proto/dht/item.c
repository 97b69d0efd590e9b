/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/item.h"

#include <assert.h>
#include <string.h>

#include <sha1.h>

#include "crypto/bep44.h"
#include "crypto/blind.h"

static_assert((int)KRPC_SIGNATURE == (int)PRIM_SIGNATURE, "Ed25519");
static_assert((int)KRPC_SALT == (int)BEP44_SALT_MAX && (int)KRPC_VALUE == (int)BEP44_VALUE_MAX,
              "BEP 44");
static_assert((int)DHT_ID == (int)SHA1_DIGEST_LENGTH, "SHA-1");

static struct dht_id hash_of(struct slice a, struct slice b)
{
    struct dht_id id;
    SHA1_CTX ctx;
    SHA1Init(&ctx);
    SHA1Update(&ctx, a.p, a.len);
    SHA1Update(&ctx, b.p, b.len);
    SHA1Final(id.b, &ctx);
    return id;
}

struct dht_id dht_target_mutable(const struct sign_pk *key, struct slice salt)
{
    return hash_of(slice_of(key->b, sizeof key->b), salt);
}

struct dht_id dht_target_immutable(struct slice value)
{
    return hash_of(value, slice_of("", 0));
}

static struct slice salt_of(const struct dht_item *item)
{
    return slice_of(item->salt, item->salt_len);
}

struct dht_id dht_item_target(const struct dht_item *item)
{
    return item->is_mutable ? dht_target_mutable(&item->key, salt_of(item))
                            : dht_target_immutable(slice_of(item->value, item->value_len));
}

static bool is_signed(const struct dht_item *item)
{
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct writer w = writer_of(buffer, sizeof buffer);
    bep44_buffer_write(&w, salt_of(item), (uint64_t)item->seq,
                       slice_of(item->value, item->value_len));
    assert(w.err == ERR_OK);
    return blind_verify(&item->key, writer_done(&w), item->sig) == ERR_OK;
}

int dht_item_read(const struct krpc *m, struct slice salt, const struct dht_id *target,
                  struct dht_item *out)
{
    struct dht_item item = {.is_mutable = m->has_key};
    if (m->value.len == 0) {
        return KRPC_PROTOCOL;
    }
    if (m->value.len > KRPC_VALUE) {
        return KRPC_VALUE_TOO_BIG;
    }
    if (salt.len > KRPC_SALT) {
        return KRPC_SALT_TOO_BIG;
    }
    item.value_len = (uint16_t)m->value.len;
    memcpy(item.value, m->value.p, m->value.len);
    if (item.is_mutable) {
        if (!m->has_signature || !m->has_seq || m->seq < 0) {
            return KRPC_PROTOCOL;
        }
        memcpy(item.key.b, m->key, sizeof item.key.b);
        memcpy(item.sig, m->signature, sizeof item.sig);
        item.seq = m->seq;
        item.salt_len = (uint8_t)salt.len;
        if (salt.len > 0) {
            memcpy(item.salt, salt.p, salt.len);
        }
    }
    struct dht_id at = dht_item_target(&item);
    if (target != NULL && !dht_id_equal(&at, target)) {
        return KRPC_PROTOCOL;
    }
    if (item.is_mutable && !is_signed(&item)) {
        return KRPC_BAD_SIGNATURE;
    }
    *out = item;
    return 0;
}

void dht_item_write(struct krpc *m, const struct dht_item *item, bool with_salt)
{
    m->value = slice_of(item->value, item->value_len);
    m->has_key = m->has_signature = m->has_seq = item->is_mutable;
    if (item->is_mutable) {
        memcpy(m->key, item->key.b, sizeof m->key);
        memcpy(m->signature, item->sig, sizeof m->signature);
        m->seq = item->seq;
        m->salt = with_salt ? salt_of(item) : slice_of(NULL, 0);
    }
}

int dht_item_replaces(const struct dht_item *a, const struct dht_item *b, bool has_cas, int64_t cas)
{
    if (a->is_mutable != b->is_mutable) {
        return KRPC_PROTOCOL; /* a key that is a value, too */
    }
    if (!a->is_mutable) {
        return 0; /* the same value: it is announced again */
    }
    if (has_cas && cas != b->seq) {
        return KRPC_CAS_MISMATCH;
    }
    bool same = a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0;
    return a->seq < b->seq || (a->seq == b->seq && !same) ? KRPC_SEQ_LESS : 0;
}
