/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/sealed.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypto/ct.h"
#include "crypto/hkdf.h"
#include "crypto/prim.h"
#include "relay/queue.h"

#define REQUEST_LABEL "petrel/1 sealed request"
#define REPLY_LABEL   "petrel/1 sealed reply"

enum {
    KDF_HKDF_SHA256 = 0x0001,       /* RFC 9180, section 7.2 */
    AEAD_CHACHA20POLY1305 = 0x0003, /* RFC 9180, section 7.3 */
    INFO_MAX = 128,
};

static_assert(SEALED_REPLY_NONCE >= crypto_aead_chacha20poly1305_ietf_KEYBYTES, "RFC 9458, 4.4");

/* The smallest padded request, an envelope class and some slack, that holds len; 0: none does. */
static size_t request_size(size_t len)
{
    for (unsigned i = 0; i < LIMIT_ENVELOPE_CLASSES; i++) {
        size_t size = queue_envelope_size(i) + SEALED_SLACK;
        if (len <= size) {
            return size;
        }
    }
    return 0;
}

static void header_write(struct writer *w, uint8_t key_id)
{
    writer_u8(w, key_id);
    writer_u16(w, HPKE_KEM_XWING);
    writer_u16(w, KDF_HKDF_SHA256);
    writer_u16(w, AEAD_CHACHA20POLY1305);
}

/* info of the HPKE context: label | 0x00 | header | node ID. */
static struct slice request_info(uint8_t buf[static INFO_MAX], uint8_t key_id,
                                 const struct sign_pk *relay)
{
    struct writer w = writer_of(buf, INFO_MAX);
    writer_bytes(&w, REQUEST_LABEL, sizeof REQUEST_LABEL);
    header_write(&w, key_id);
    writer_bytes(&w, relay->b, sizeof relay->b);
    return writer_done(&w);
}

static enum err reply_key(const struct hpke *h, const uint8_t *enc, struct sealed_reply_key *key)
{
    memcpy(key->enc, enc, SEALED_ENC);
    return hpke_export(h, key->secret, sizeof key->secret,
                       slice_of(REPLY_LABEL, sizeof REPLY_LABEL - 1));
}

enum err sealed_request_seal(struct arena *arena, const struct env *env,
                             const struct sign_pk *relay, uint8_t key_id,
                             const uint8_t pk[static SEALED_PUBLIC_KEY], uint8_t kind,
                             struct slice body, struct slice *sealed,
                             struct sealed_reply_key *reply)
{
    size_t size = request_size(SEALED_INNER + body.len);
    if (size == 0) {
        return ERR_TOO_LARGE;
    }
    size_t total = SEALED_REQUEST_OVERHEAD + size;
    uint8_t *out = arena_alloc(arena, total);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    uint8_t seed[HPKE_SEED_MAX];
    uint8_t info[INFO_MAX];
    struct hpke h;
    struct writer w = writer_of(out, total);
    header_write(&w, key_id);
    uint8_t *enc = writer_reserve(&w, SEALED_ENC);
    uint8_t *inner = out + w.len;
    env_random(env, seed, sizeof seed);
    enum err err = hpke_setup_sender(&h, enc, HPKE_KEM_XWING, slice_of(pk, SEALED_PUBLIC_KEY),
                                     request_info(info, key_id, relay), seed);
    secret_wipe(seed, sizeof seed);
    if (err != ERR_OK) {
        return err;
    }
    writer_u8(&w, kind);
    writer_u16(&w, (uint16_t)body.len);
    writer_slice(&w, body);
    writer_zeros(&w, size - SEALED_INNER - body.len);
    err = hpke_seal(&h, inner, slice_of(NULL, 0), slice_of(inner, size));
    if (err == ERR_OK) {
        err = reply_key(&h, enc, reply);
    }
    hpke_fini(&h);
    *sealed = slice_of(out, total);
    return err;
}

enum err sealed_request_key_id(struct slice sealed, uint8_t *key_id)
{
    struct reader r = reader_of(sealed);
    uint8_t id = reader_u8(&r);
    uint16_t kem = reader_u16(&r);
    uint16_t kdf = reader_u16(&r);
    uint16_t aead = reader_u16(&r);
    (void)reader_bytes(&r, SEALED_ENC);
    size_t left = reader_left(&r);
    if (kem != HPKE_KEM_XWING || kdf != KDF_HKDF_SHA256 || aead != AEAD_CHACHA20POLY1305 ||
        left < HPKE_TAG || request_size(left - HPKE_TAG) != left - HPKE_TAG) {
        return ERR_MALFORMED;
    }
    *key_id = id;
    return ERR_OK;
}

/* The body behind its length, and nothing but zeros behind that. */
static enum err inner_read(struct reader *r, struct slice *body)
{
    uint16_t len = reader_u16(r);
    CT_PUBLIC(&len, sizeof len); /* the body is cut out by it and goes on with its length */
    *body = reader_bytes(r, len);
    return r->err == ERR_OK && prim_zero(reader_rest(r)) ? ERR_OK : ERR_MALFORMED;
}

enum err sealed_request_open(struct arena *arena, const struct sign_pk *relay,
                             const uint8_t sk[static HPKE_SECRET_KEY], struct slice sealed,
                             uint8_t *kind, struct slice *body, struct sealed_reply_key *reply)
{
    uint8_t key_id;
    uint8_t info[INFO_MAX];
    enum err err = sealed_request_key_id(sealed, &key_id);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(sealed);
    (void)reader_bytes(&r, SEALED_HEADER);
    struct slice enc = reader_bytes(&r, SEALED_ENC);
    struct slice ct = reader_rest(&r);
    size_t len = ct.len - HPKE_TAG;
    uint8_t *inner = arena_alloc(arena, len);
    struct hpke h;
    if (inner == NULL) {
        return ERR_NO_MEMORY;
    }
    err = hpke_setup_receiver(&h, HPKE_KEM_XWING, enc, sk, request_info(info, key_id, relay));
    if (err != ERR_OK) {
        return ERR_DECRYPT;
    }
    err = hpke_open(&h, inner, slice_of(NULL, 0), ct);
    if (err == ERR_OK) {
        r = reader_of(slice_of(inner, len));
        *kind = reader_u8(&r);
        CT_PUBLIC(kind, sizeof *kind); /* what is done next depends on it */
        err = inner_read(&r, body);
    }
    if (err == ERR_OK) {
        err = reply_key(&h, enc.p, reply);
    }
    hpke_fini(&h);
    return err;
}

/* --- the reply: nonce 32 | ciphertext, RFC 9458, section 4.4 --- */

struct reply_cipher {
    uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
};

static enum err reply_cipher(struct reply_cipher *c, const struct sealed_reply_key *key,
                             const uint8_t nonce[static SEALED_REPLY_NONCE])
{
    uint8_t salt[SEALED_ENC + SEALED_REPLY_NONCE];
    uint8_t prk[HKDF_PRK];
    struct slice ikm = slice_of(key->secret, sizeof key->secret);
    struct slice key_info = slice_of("key", 3);
    struct slice nonce_info = slice_of("nonce", 5);
    memcpy(salt, key->enc, SEALED_ENC);
    memcpy(salt + SEALED_ENC, nonce, SEALED_REPLY_NONCE);
    hkdf_extract(prk, slice_of(salt, sizeof salt), &ikm, 1);
    enum err err = hkdf_expand(c->key, sizeof c->key, prk, &key_info, 1);
    if (err == ERR_OK) {
        err = hkdf_expand(c->nonce, sizeof c->nonce, prk, &nonce_info, 1);
    }
    secret_wipe(prk, sizeof prk);
    return err;
}

enum err sealed_reply_seal(struct arena *arena, const struct env *env,
                           const struct sealed_reply_key *key, uint8_t kind, struct slice body,
                           struct slice *sealed)
{
    size_t size = kind == RELAY_QUEUE_DEPOSIT ? SEALED_REPLY_SMALL : SEALED_REPLY_LARGE;
    if (2 + body.len > size) {
        return ERR_TOO_LARGE;
    }
    size_t total = SEALED_REPLY_OVERHEAD + size;
    uint8_t *out = arena_alloc(arena, total);
    struct reply_cipher c;
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    env_random(env, out, SEALED_REPLY_NONCE);
    enum err err = reply_cipher(&c, key, out);
    if (err != ERR_OK) {
        return err;
    }
    uint8_t *plain = out + SEALED_REPLY_NONCE;
    struct writer w = writer_of(plain, size);
    writer_u16(&w, (uint16_t)body.len);
    writer_slice(&w, body);
    writer_zeros(&w, size - 2 - body.len);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(plain, NULL, plain, size, NULL, 0, NULL,
                                                    c.nonce, c.key);
    secret_wipe(&c, sizeof c);
    *sealed = slice_of(out, total);
    return ERR_OK;
}

enum err sealed_reply_open(struct arena *arena, const struct sealed_reply_key *key,
                           struct slice sealed, struct slice *body)
{
    if (sealed.len != SEALED_REPLY_OVERHEAD + SEALED_REPLY_SMALL &&
        sealed.len != SEALED_REPLY_OVERHEAD + SEALED_REPLY_LARGE) {
        return ERR_MALFORMED;
    }
    size_t len = sealed.len - SEALED_REPLY_OVERHEAD;
    uint8_t *plain = arena_alloc(arena, len);
    struct reply_cipher c;
    if (plain == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = reply_cipher(&c, key, sealed.p);
    if (err == ERR_OK) {
        int bad = crypto_aead_chacha20poly1305_ietf_decrypt(
            plain, NULL, NULL, sealed.p + SEALED_REPLY_NONCE, len + HPKE_TAG, NULL, 0, c.nonce,
            c.key);
        CT_PUBLIC(&bad, sizeof bad); /* the outcome of comparing tags: what we do next tells it */
        err = bad == 0 ? ERR_OK : ERR_DECRYPT;
    }
    secret_wipe(&c, sizeof c);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(slice_of(plain, len));
    return inner_read(&r, body);
}

/* --- frames --- */

void sealed_request_write(struct writer *w, struct slice sealed)
{
    pack_map(w, 1);
    pack_uint(w, 0);
    pack_bin_slice(w, sealed);
}

enum err sealed_request_read(struct slice bytes, struct slice *sealed)
{
    struct slice got = slice_of(NULL, 0);
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            got = pack_read_bin(&f.r, SEALED_REQUEST_MAX);
        }
    }
    enum err err = relay_fields_end(&f, 0x01);
    if (err == ERR_OK) {
        *sealed = got;
    }
    return err;
}

void sealed_reply_write(struct writer *w, const struct sealed_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 1)) {
        pack_uint(w, 2);
        pack_bin_slice(w, reply->sealed);
    }
}

enum err sealed_reply_read(struct slice bytes, struct sealed_reply *reply)
{
    struct sealed_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.sealed = pack_read_bin(&f.r, SEALED_REPLY_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
