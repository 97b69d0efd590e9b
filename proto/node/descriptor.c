/* SPDX-License-Identifier: Apache-2.0 */
#include "node/descriptor.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/signed.h"

#define DESCRIPTOR_LABEL "petrel/1 descriptor body"

enum {
    DESCRIPTOR_FIELDS = 16, /* of a map, unknown ones included */
};

static_assert(DESCRIPTOR_PLAIN == 2 + DESCRIPTOR_BODY + PRIM_SIGNATURE, "plaintext");
static_assert(LIMIT_DESCRIPTOR == PRIM_AEAD_NONCE + DESCRIPTOR_PLAIN + PRIM_AEAD_TAG, "value");
static_assert(LIMIT_DESCRIPTOR + 4 <= BEP44_VALUE_MAX, "\"992:\" and the value fit BEP 44");

uint64_t descriptor_period(uint64_t now_ms)
{
    return now_ms / LIMIT_DAY_MS;
}

static void value_key(const uint8_t id[static 32], uint64_t period, struct aead_key *out)
{
    uint8_t be[8];
    struct writer w = writer_of(be, sizeof be);
    writer_u64(&w, period);
    const struct slice parts[] = {slice_of(id, 32), slice_of(be, sizeof be)};
    prim_blake2b(out->b, sizeof out->b, slice_of(NULL, 0), "petrel/1 descriptor", parts, 2);
}

static void relay_write(struct writer *w, const struct descriptor_relay *relay)
{
    uint8_t entry[LIMIT_RELAY_ENTRY];
    struct writer e = writer_of(entry, sizeof entry);
    pack_map(&e, 3u + (relay->flags != 0) + relay->has_ipv4 + relay->has_ipv6);
    address_write_fields(&e, &relay->address);
    if (relay->flags != 0) {
        pack_uint(&e, 3);
        pack_uint(&e, relay->flags);
    }
    if (relay->has_ipv4) {
        pack_uint(&e, 4);
        pack_bin(&e, relay->ipv4, sizeof relay->ipv4);
    }
    if (relay->has_ipv6) {
        pack_uint(&e, 5);
        pack_bin(&e, relay->ipv6, sizeof relay->ipv6);
    }
    if (e.err != ERR_OK) {
        w->err = ERR_NO_SPACE;
    }
    writer_slice(w, writer_done(&e));
}

static enum err body_write(struct writer *w, const struct descriptor *d)
{
    if (d->relay_count < 1 || d->relay_count > LIMIT_RELAYS) {
        return ERR_ARGUMENT;
    }
    pack_map(w, 6);
    pack_uint(w, 0);
    pack_uint(w, DESCRIPTOR_TYPE);
    pack_uint(w, 1);
    pack_uint(w, d->created_ms);
    pack_uint(w, 2);
    pack_uint(w, d->list_version);
    pack_uint(w, 3);
    pack_bin(w, d->list_hash, sizeof d->list_hash);
    pack_uint(w, 4);
    pack_bin(w, d->record.b, sizeof d->record.b);
    pack_uint(w, 5);
    pack_array(w, d->relay_count);
    for (unsigned i = 0; i < d->relay_count; i++) {
        relay_write(w, &d->relays[i]);
    }
    return w->err == ERR_OK ? ERR_OK : ERR_TOO_LARGE;
}

/* len | body | zeros | signature. */
static enum err plain_write(uint8_t plain[static DESCRIPTOR_PLAIN], const struct sign_sk *identity,
                            const struct descriptor *d)
{
    memset(plain, 0, DESCRIPTOR_PLAIN);
    struct writer body = writer_of(plain + 2, DESCRIPTOR_BODY);
    enum err err = body_write(&body, d);
    if (err != ERR_OK) {
        return err;
    }
    struct writer len = writer_of(plain, 2);
    writer_u16(&len, (uint16_t)body.len);
    return prim_sign(plain + 2 + DESCRIPTOR_BODY, DESCRIPTOR_LABEL, writer_done(&body), identity);
}

/* Different for any two plaintexts, periods or numbers, and random to whoever knows no ID. */
static void value_nonce(const uint8_t id[static 32], uint64_t period, uint64_t seq,
                        const uint8_t plain[static DESCRIPTOR_PLAIN],
                        uint8_t out[static PRIM_AEAD_NONCE])
{
    uint8_t be[16];
    struct writer w = writer_of(be, sizeof be);
    writer_u64(&w, period);
    writer_u64(&w, seq);
    const struct slice parts[] = {slice_of(id, 32), slice_of(be, sizeof be),
                                  slice_of(plain, DESCRIPTOR_PLAIN)};
    prim_blake2b(out, PRIM_AEAD_NONCE, slice_of(NULL, 0), "petrel/1 descriptor nonce", parts, 3);
}

enum err descriptor_seal(const struct sign_sk *identity, uint64_t period, uint64_t seq,
                         const struct descriptor *descriptor, struct bep44_item *out)
{
    uint8_t plain[DESCRIPTOR_PLAIN];
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct sign_pk id;
    struct aead_key key;
    struct bep44_item item = {.seq = seq};
    if (seq > BEP44_SEQ_MAX) {
        return ERR_ARGUMENT;
    }
    memcpy(id.b, identity->b + 32, sizeof id.b);
    enum err err = blind_public(&id, period, &item.key);
    if (err == ERR_OK) {
        err = plain_write(plain, identity, descriptor);
    }
    if (err != ERR_OK) {
        return err;
    }
    value_key(id.b, period, &key);
    value_nonce(id.b, period, seq, plain, item.value);
    prim_aead_seal(item.value + PRIM_AEAD_NONCE, &key, item.value, slice_of(NULL, 0),
                   slice_of(plain, sizeof plain));
    secret_wipe(&key, sizeof key);
    secret_wipe(plain, sizeof plain);
    struct writer w = writer_of(buffer, sizeof buffer);
    bep44_item_buffer(&w, seq, item.value);
    err = blind_sign(identity, period, writer_done(&w), item.sig);
    if (err == ERR_OK) {
        *out = item;
    }
    return err;
}

static void relay_read(struct reader *r, struct descriptor_relay *out)
{
    size_t before = r->pos;
    struct pack_fields f = pack_fields_begin(r, DESCRIPTOR_FIELDS);
    while (pack_fields_next(&f)) {
        if (address_read_field(r, f.key, &out->address)) {
            continue;
        }
        switch (f.key) {
        case 3:
            out->flags = (uint32_t)pack_read_uint(r, UINT32_MAX);
            break;
        case 4:
            pack_read_bin_exact(r, out->ipv4, sizeof out->ipv4);
            out->has_ipv4 = true;
            break;
        case 5:
            pack_read_bin_exact(r, out->ipv6, sizeof out->ipv6);
            out->has_ipv6 = true;
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, ADDRESS_REQUIRED);
    if (r->err == ERR_OK && r->pos - before > LIMIT_RELAY_ENTRY) {
        reader_fail(r, ERR_TOO_LARGE);
    }
}

static void relays_read(struct reader *r, struct descriptor *out)
{
    out->relay_count = pack_read_array(r, LIMIT_RELAYS);
    for (unsigned i = 0; i < out->relay_count; i++) {
        relay_read(r, &out->relays[i]);
    }
    if (out->relay_count == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
}

static void type_read(struct reader *r)
{
    if (pack_read_uint(r, UINT32_MAX) != DESCRIPTOR_TYPE) {
        reader_fail(r, ERR_UNSUPPORTED);
    }
}

static enum err body_read(struct slice body, struct descriptor *out)
{
    struct reader r = reader_of(body);
    struct pack_fields f = pack_fields_begin(&r, DESCRIPTOR_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            type_read(&r);
            break;
        case 1:
            out->created_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        case 2:
            out->list_version = (uint32_t)pack_read_uint(&r, UINT32_MAX);
            break;
        case 3:
            pack_read_bin_exact(&r, out->list_hash, sizeof out->list_hash);
            break;
        case 4:
            signed_read_key(&r, &out->record);
            break;
        case 5:
            relays_read(&r, out);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x3f);
    return reader_end(&r);
}

/* Checks the filling and the identity's signature, then decodes. */
static enum err plain_read(const uint8_t plain[static DESCRIPTOR_PLAIN], const struct sign_pk *id,
                           struct descriptor *out)
{
    struct reader r = reader_of(slice_of(plain, DESCRIPTOR_PLAIN));
    size_t len = reader_u16(&r);
    if (len > DESCRIPTOR_BODY) {
        return ERR_MALFORMED;
    }
    struct slice body = reader_bytes(&r, len);
    struct slice filling = reader_bytes(&r, DESCRIPTOR_BODY - len);
    for (size_t i = 0; i < filling.len; i++) {
        if (filling.p[i] != 0) {
            return ERR_MALFORMED;
        }
    }
    enum err err = prim_verify(plain + 2 + DESCRIPTOR_BODY, DESCRIPTOR_LABEL, body, id);
    return err == ERR_OK ? body_read(body, out) : err;
}

enum err descriptor_open(const struct sign_pk *id, uint64_t period, const struct bep44_item *item,
                         struct descriptor *out)
{
    uint8_t plain[DESCRIPTOR_PLAIN];
    struct sign_pk blinded;
    struct aead_key key;
    struct descriptor d;
    memset(&d, 0, sizeof d);
    enum err err = blind_public(id, period, &blinded);
    if (err == ERR_OK && !prim_equal(blinded.b, item->key.b, sizeof blinded.b)) {
        err = ERR_BAD_KEY;
    }
    if (err == ERR_OK) {
        err = bep44_item_verify(item);
    }
    if (err != ERR_OK) {
        return err;
    }
    value_key(id->b, period, &key);
    err = prim_aead_open(
        plain, &key, item->value, slice_of(NULL, 0),
        slice_of(item->value + PRIM_AEAD_NONCE, sizeof item->value - PRIM_AEAD_NONCE));
    secret_wipe(&key, sizeof key);
    if (err == ERR_OK) {
        err = plain_read(plain, id, &d);
    }
    if (err == ERR_OK) {
        *out = d;
    }
    secret_wipe(plain, sizeof plain);
    return err;
}
