/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/prim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/ct.h"

static_assert(sizeof(struct sign_pk) == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key");
static_assert(sizeof(struct sign_sk) == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
static_assert(sizeof(struct dh_pk) == crypto_scalarmult_BYTES, "X25519 public key");
static_assert(sizeof(struct dh_sk) == crypto_scalarmult_SCALARBYTES, "X25519 secret key");
static_assert(PRIM_SIGNATURE == crypto_sign_BYTES, "Ed25519 signature");
static_assert(PRIM_AEAD_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "AEAD nonce");
static_assert(PRIM_AEAD_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "AEAD tag");
static_assert(PRIM_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "AEAD key");
static_assert(PRIM_SHA256 == crypto_hash_sha256_BYTES, "SHA-256");

enum err prim_init(void)
{
    return sodium_init() < 0 ? ERR_BUG : ERR_OK;
}

void prim_sign_keypair(struct sign_pk *pk, struct sign_sk *sk, const uint8_t seed[static 32])
{
    (void)crypto_sign_seed_keypair(pk->b, sk->b, seed); /* always 0 */
    CT_PUBLIC(pk->b, sizeof pk->b);
    CT_PUBLIC(sk->b + 32, 32); /* the public key again */
}

void prim_dh_public(struct dh_pk *pk, const struct dh_sk *sk)
{
    (void)crypto_scalarmult_base(pk->b, sk->b); /* always 0 */
    CT_PUBLIC(pk->b, sizeof pk->b);
}

enum err prim_sign_pk_to_dh(struct dh_pk *out, const struct sign_pk *pk)
{
    struct dh_pk dh;
    if (!prim_sign_pk_valid(pk) || crypto_sign_ed25519_pk_to_curve25519(dh.b, pk->b) != 0) {
        return ERR_BAD_KEY;
    }
    *out = dh;
    return ERR_OK;
}

void prim_sign_sk_to_dh(struct dh_sk *out, const struct sign_sk *sk)
{
    (void)crypto_sign_ed25519_sk_to_curve25519(out->b, sk->b); /* always 0 */
}

/* libsodium before the mending of CVE-2025-69277 tests only that L*P has x = 0, which also holds
 * for the point of order 2: so P = Q + (0, -1) passes. (L - 1)*P == -P says L*P == 0 and nothing
 * weaker; the negative of a canonical point with x != 0 is the same bytes with the other sign. */
bool prim_sign_pk_valid(const struct sign_pk *pk)
{
    static const uint8_t order_less_one[32] = {0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                               0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                               0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                               0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};
    uint8_t product[32];
    if (crypto_core_ed25519_is_valid_point(pk->b) != 1 ||
        crypto_scalarmult_ed25519_noclamp(product, order_less_one, pk->b) != 0) {
        return false;
    }
    product[31] ^= 0x80;
    return memcmp(product, pk->b, sizeof product) == 0;
}

/* label | 0x00 | body in fresh memory: Ed25519 needs it in one piece. */
static enum err signed_bytes(uint8_t **out, size_t *len, const char *label, struct slice body)
{
    if (body.len > PRIM_SIGNED_MAX) {
        return ERR_TOO_LARGE;
    }
    size_t label_len = strlen(label) + 1;
    uint8_t *p = malloc(label_len + body.len);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(p, label, label_len);
    if (body.len > 0) {
        memcpy(p + label_len, body.p, body.len);
    }
    *out = p;
    *len = label_len + body.len;
    return ERR_OK;
}

static void signed_bytes_free(uint8_t *p, size_t len)
{
    sodium_memzero(p, len);
    free(p);
}

enum err prim_sign(uint8_t sig[static PRIM_SIGNATURE], const char *label, struct slice body,
                   const struct sign_sk *sk)
{
    uint8_t *m;
    size_t len;
    enum err err = signed_bytes(&m, &len, label, body);
    if (err != ERR_OK) {
        return err;
    }
    (void)crypto_sign_detached(sig, NULL, m, len, sk->b); /* always 0 */
    CT_PUBLIC(sig, PRIM_SIGNATURE);
    signed_bytes_free(m, len);
    return ERR_OK;
}

enum err prim_verify(const uint8_t sig[static PRIM_SIGNATURE], const char *label, struct slice body,
                     const struct sign_pk *pk)
{
    if (!prim_sign_pk_valid(pk)) {
        return ERR_BAD_KEY;
    }
    uint8_t *m;
    size_t len;
    enum err err = signed_bytes(&m, &len, label, body);
    if (err != ERR_OK) {
        return err;
    }
    int bad = crypto_sign_verify_detached(sig, m, len, pk->b);
    signed_bytes_free(m, len);
    return bad != 0 ? ERR_BAD_SIGNATURE : ERR_OK;
}

enum err prim_dh(uint8_t out[static 32], const struct dh_sk *sk, const struct dh_pk *pk)
{
    uint8_t shared[32];
    int bad = crypto_scalarmult(shared, sk->b, pk->b);
    /* All zeros come from a pk of small order, whatever the secret: sk is clamped. */
    CT_PUBLIC(&bad, sizeof bad);
    if (bad == 0) {
        memcpy(out, shared, sizeof shared);
    }
    sodium_memzero(shared, sizeof shared);
    return bad != 0 ? ERR_BAD_KEY : ERR_OK;
}

void prim_blake2b(uint8_t *out, size_t outlen, struct slice key, const char *label,
                  const struct slice *parts, size_t nparts)
{
    assert(outlen >= crypto_generichash_BYTES_MIN && outlen <= crypto_generichash_BYTES_MAX);
    assert(key.p == NULL || (key.len >= crypto_generichash_KEYBYTES_MIN &&
                             key.len <= crypto_generichash_KEYBYTES_MAX));
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, key.p, key.p == NULL ? 0 : key.len, outlen);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, strlen(label));
    for (size_t i = 0; i < nparts; i++) {
        (void)crypto_generichash_update(&state, parts[i].p, parts[i].len);
    }
    (void)crypto_generichash_final(&state, out, outlen);
    sodium_memzero(&state, sizeof state);
}

void prim_sha256(uint8_t out[static PRIM_SHA256], const char *label, const struct slice *parts,
                 size_t nparts)
{
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)label, strlen(label));
    for (size_t i = 0; i < nparts; i++) {
        (void)crypto_hash_sha256_update(&state, parts[i].p, parts[i].len);
    }
    (void)crypto_hash_sha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void prim_hmac_sha256(uint8_t out[static PRIM_SHA256], struct slice key, const struct slice *parts,
                      size_t nparts)
{
    static const uint8_t empty[1];
    assert(key.p != NULL || key.len == 0);
    crypto_auth_hmacsha256_state state;
    /* libsodium declares the key not NULL, even where it is empty. */
    (void)crypto_auth_hmacsha256_init(&state, key.p != NULL ? key.p : empty, key.len);
    for (size_t i = 0; i < nparts; i++) {
        (void)crypto_auth_hmacsha256_update(&state, parts[i].p, parts[i].len);
    }
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void prim_aead_seal(uint8_t *out, const struct aead_key *key,
                    const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                    struct slice plain)
{
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.len, ad.p, ad.len,
                                                     NULL, nonce, key->b);
    CT_PUBLIC(out, plain.len + PRIM_AEAD_TAG); /* made to be seen */
}

enum err prim_aead_open(uint8_t *out, const struct aead_key *key,
                        const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                        struct slice sealed)
{
    if (sealed.len < PRIM_AEAD_TAG) {
        return ERR_DECRYPT;
    }
    size_t len = sealed.len - PRIM_AEAD_TAG;
    int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.p, sealed.len,
                                                         ad.p, ad.len, nonce, key->b);
    CT_PUBLIC(&bad, sizeof bad); /* the outcome of comparing tags: what we do next tells it */
    if (bad != 0) {
        sodium_memzero(out, len);
        return ERR_DECRYPT;
    }
    return ERR_OK;
}

bool prim_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

bool prim_zero(struct slice bytes)
{
    bool zero = bytes.len == 0 || sodium_is_zero(bytes.p, bytes.len) == 1;
    CT_PUBLIC(&zero, sizeof zero);
    return zero;
}
