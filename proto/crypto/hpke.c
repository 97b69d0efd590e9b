/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hpke.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "crypto/ct.h"
#include "crypto/hkdf.h"
#include "crypto/xwing.h"

enum {
    KDF_HKDF_SHA256 = 0x0001,
    AEAD_CHACHA20POLY1305 = 0x0003,
    MODE_BASE = 0x00,
    SUITE_KEM = 5,   /* "KEM" | kem u16 */
    SUITE_HPKE = 10, /* "HPKE" | kem u16 | kdf u16 | aead u16 */
    X25519 = 32,
    SHARED_SECRET = 32,
};

static_assert(HPKE_PUBLIC_KEY_MAX == crypto_kem_xwing_PUBLICKEYBYTES, "X-Wing public key");
static_assert(HPKE_ENC_MAX == crypto_kem_xwing_CIPHERTEXTBYTES, "X-Wing ciphertext");
static_assert(HPKE_SECRET_KEY == crypto_kem_xwing_SECRETKEYBYTES, "X-Wing secret key");
static_assert(SHARED_SECRET == crypto_kem_xwing_SHAREDSECRETBYTES, "X-Wing shared secret");
static_assert(HPKE_TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");
static_assert(HPKE_NONCE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonce");

size_t hpke_public_key_len(enum hpke_kem kem)
{
    return kem == HPKE_KEM_XWING ? crypto_kem_xwing_PUBLICKEYBYTES : X25519;
}

size_t hpke_enc_len(enum hpke_kem kem)
{
    return kem == HPKE_KEM_XWING ? crypto_kem_xwing_CIPHERTEXTBYTES : X25519;
}

size_t hpke_seed_len(enum hpke_kem kem)
{
    return kem == HPKE_KEM_XWING ? 64 : 32;
}

/* --- labeled KDF (RFC 9180, section 4) --- */

static struct slice text(const char *s)
{
    return slice_of(s, strlen(s));
}

static struct slice suite_of_kem(uint8_t out[static SUITE_KEM], enum hpke_kem kem)
{
    struct writer w = writer_of(out, SUITE_KEM);
    writer_bytes(&w, "KEM", 3);
    writer_u16(&w, (uint16_t)kem);
    return writer_done(&w);
}

static struct slice suite_of_hpke(uint8_t out[static SUITE_HPKE], enum hpke_kem kem)
{
    struct writer w = writer_of(out, SUITE_HPKE);
    writer_bytes(&w, "HPKE", 4);
    writer_u16(&w, (uint16_t)kem);
    writer_u16(&w, KDF_HKDF_SHA256);
    writer_u16(&w, AEAD_CHACHA20POLY1305);
    return writer_done(&w);
}

static void labeled_extract(uint8_t prk[static HKDF_PRK], struct slice suite, struct slice salt,
                            const char *label, struct slice ikm)
{
    const struct slice parts[] = {text("HPKE-v1"), suite, text(label), ikm};
    hkdf_extract(prk, salt, parts, sizeof parts / sizeof parts[0]);
}

static enum err labeled_expand(uint8_t *out, size_t len, struct slice suite,
                               const uint8_t prk[static HKDF_PRK], const char *label,
                               struct slice info)
{
    if (len > HKDF_OUTPUT_MAX) {
        return ERR_ARGUMENT;
    }
    const uint8_t length[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    const struct slice parts[] = {slice_of(length, sizeof length), text("HPKE-v1"), suite,
                                  text(label), info};
    return hkdf_expand(out, len, prk, parts, sizeof parts / sizeof parts[0]);
}

/* The same for a length that is known to be in range. */
static void labeled_expand_fixed(uint8_t *out, size_t len, struct slice suite,
                                 const uint8_t prk[static HKDF_PRK], const char *label,
                                 struct slice info)
{
    enum err err = labeled_expand(out, len, suite, prk, label, info);
    assert(err == ERR_OK);
    (void)err;
}

/* --- DHKEM(X25519, HKDF-SHA256) (sections 4.1 and 7.1.3) --- */

void hpke_x25519_keypair(struct dh_pk *pk, struct dh_sk *sk, struct slice ikm)
{
    uint8_t suite_bytes[SUITE_KEM];
    struct slice suite = suite_of_kem(suite_bytes, HPKE_KEM_X25519);
    uint8_t prk[HKDF_PRK];
    labeled_extract(prk, suite, text(""), "dkp_prk", ikm);
    labeled_expand_fixed(sk->b, sizeof sk->b, suite, prk, "sk", text(""));
    prim_dh_public(pk, sk);
    sodium_memzero(prk, sizeof prk);
}

/* ExtractAndExpand, with the context enc | pkR. */
static enum err dhkem_secret(uint8_t secret[static SHARED_SECRET], const struct dh_sk *sk,
                             const struct dh_pk *pk, const uint8_t *enc, const uint8_t *receiver_pk)
{
    uint8_t suite_bytes[SUITE_KEM];
    struct slice suite = suite_of_kem(suite_bytes, HPKE_KEM_X25519);
    uint8_t context[2 * X25519];
    uint8_t dh[X25519];
    uint8_t prk[HKDF_PRK];
    enum err err = prim_dh(dh, sk, pk);
    if (err == ERR_OK) {
        memcpy(context, enc, X25519);
        memcpy(context + X25519, receiver_pk, X25519);
        labeled_extract(prk, suite, text(""), "eae_prk", slice_of(dh, sizeof dh));
        labeled_expand_fixed(secret, SHARED_SECRET, suite, prk, "shared_secret",
                             slice_of(context, sizeof context));
    }
    sodium_memzero(dh, sizeof dh);
    sodium_memzero(prk, sizeof prk);
    return err;
}

static enum err dhkem_encap(uint8_t secret[static SHARED_SECRET], uint8_t *enc, const uint8_t *pk,
                            const uint8_t *seed)
{
    struct dh_pk ephemeral_pk;
    struct dh_sk ephemeral_sk;
    struct dh_pk receiver;
    memcpy(receiver.b, pk, sizeof receiver.b);
    hpke_x25519_keypair(&ephemeral_pk, &ephemeral_sk, slice_of(seed, X25519));
    enum err err = dhkem_secret(secret, &ephemeral_sk, &receiver, ephemeral_pk.b, receiver.b);
    if (err == ERR_OK) {
        memcpy(enc, ephemeral_pk.b, sizeof ephemeral_pk.b);
    }
    sodium_memzero(&ephemeral_sk, sizeof ephemeral_sk);
    return err;
}

static enum err dhkem_decap(uint8_t secret[static SHARED_SECRET], const uint8_t *enc,
                            const uint8_t *sk)
{
    struct dh_sk receiver_sk;
    struct dh_pk receiver_pk;
    struct dh_pk ephemeral;
    memcpy(receiver_sk.b, sk, sizeof receiver_sk.b);
    memcpy(ephemeral.b, enc, sizeof ephemeral.b);
    prim_dh_public(&receiver_pk, &receiver_sk);
    enum err err = dhkem_secret(secret, &receiver_sk, &ephemeral, enc, receiver_pk.b);
    sodium_memzero(&receiver_sk, sizeof receiver_sk);
    return err;
}

/* --- either KEM --- */

static enum err encap(enum hpke_kem kem, uint8_t secret[static SHARED_SECRET], uint8_t *enc,
                      const uint8_t *pk, const uint8_t *seed)
{
    if (kem == HPKE_KEM_X25519) {
        return dhkem_encap(secret, enc, pk, seed);
    }
    return crypto_kem_xwing_enc_deterministic(enc, secret, pk, seed) == 0 ? ERR_OK : ERR_BAD_KEY;
}

static enum err decap(enum hpke_kem kem, uint8_t secret[static SHARED_SECRET], const uint8_t *enc,
                      const uint8_t *sk)
{
    if (kem == HPKE_KEM_X25519) {
        return dhkem_decap(secret, enc, sk);
    }
    return crypto_kem_xwing_dec(secret, enc, sk) == 0 ? ERR_OK : ERR_BAD_KEY;
}

/* KeySchedule for base mode (section 5.1): no PSK, so psk and psk_id are empty. */
static void key_schedule(struct hpke *h, enum hpke_kem kem,
                         const uint8_t shared[static SHARED_SECRET], struct slice info)
{
    uint8_t suite_bytes[SUITE_HPKE];
    struct slice suite = suite_of_hpke(suite_bytes, kem);
    uint8_t context[1 + 2 * HKDF_PRK];
    uint8_t secret[HKDF_PRK];
    context[0] = MODE_BASE;
    labeled_extract(context + 1, suite, text(""), "psk_id_hash", text(""));
    labeled_extract(context + 1 + HKDF_PRK, suite, text(""), "info_hash", info);
    labeled_extract(secret, suite, slice_of(shared, SHARED_SECRET), "secret", text(""));
    struct slice ctx = slice_of(context, sizeof context);
    *h = (struct hpke){.kem = kem};
    labeled_expand_fixed(h->key, sizeof h->key, suite, secret, "key", ctx);
    labeled_expand_fixed(h->base_nonce, sizeof h->base_nonce, suite, secret, "base_nonce", ctx);
    labeled_expand_fixed(h->exporter, sizeof h->exporter, suite, secret, "exp", ctx);
    sodium_memzero(secret, sizeof secret);
}

enum err hpke_setup_sender(struct hpke *h, uint8_t *enc, enum hpke_kem kem, struct slice pk,
                           struct slice info, const uint8_t *seed)
{
    if (pk.len != hpke_public_key_len(kem)) {
        return ERR_BAD_KEY;
    }
    uint8_t shared[SHARED_SECRET];
    enum err err = encap(kem, shared, enc, pk.p, seed);
    if (err == ERR_OK) {
        key_schedule(h, kem, shared, info);
    }
    sodium_memzero(shared, sizeof shared);
    return err;
}

enum err hpke_setup_receiver(struct hpke *h, enum hpke_kem kem, struct slice enc,
                             const uint8_t sk[static HPKE_SECRET_KEY], struct slice info)
{
    if (enc.len != hpke_enc_len(kem)) {
        return ERR_MALFORMED;
    }
    uint8_t shared[SHARED_SECRET];
    enum err err = decap(kem, shared, enc.p, sk);
    if (err == ERR_OK) {
        key_schedule(h, kem, shared, info);
    }
    sodium_memzero(shared, sizeof shared);
    return err;
}

void hpke_fini(struct hpke *h)
{
    sodium_memzero(h, sizeof *h);
}

/* --- messages (section 5.2) --- */

/* base_nonce XOR seq as 12 bytes, big endian. */
static void nonce_of(uint8_t nonce[static HPKE_NONCE], const struct hpke *h)
{
    memcpy(nonce, h->base_nonce, HPKE_NONCE);
    for (unsigned i = 0; i < sizeof h->seq; i++) {
        nonce[HPKE_NONCE - 1 - i] ^= (uint8_t)(h->seq >> 8 * i);
    }
}

enum err hpke_seal(struct hpke *h, uint8_t *out, struct slice aad, struct slice plain)
{
    if (h->seq == UINT64_MAX) {
        return ERR_NOT_NOW;
    }
    uint8_t nonce[HPKE_NONCE];
    nonce_of(nonce, h);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.len, aad.p, aad.len,
                                                    NULL, nonce, h->key);
    CT_PUBLIC(out, plain.len + HPKE_TAG); /* made to be seen */
    h->seq++;
    return ERR_OK;
}

enum err hpke_open(struct hpke *h, uint8_t *out, struct slice aad, struct slice sealed)
{
    if (sealed.len < HPKE_TAG) {
        return ERR_DECRYPT;
    }
    if (h->seq == UINT64_MAX) {
        return ERR_NOT_NOW;
    }
    uint8_t nonce[HPKE_NONCE];
    nonce_of(nonce, h);
    int bad = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.p, sealed.len,
                                                        aad.p, aad.len, nonce, h->key);
    CT_PUBLIC(&bad, sizeof bad); /* the outcome of comparing tags: what we do next tells it */
    if (bad != 0) {
        sodium_memzero(out, sealed.len - HPKE_TAG);
        return ERR_DECRYPT;
    }
    h->seq++;
    return ERR_OK;
}

enum err hpke_export(const struct hpke *h, uint8_t *out, size_t len, struct slice context)
{
    uint8_t suite_bytes[SUITE_HPKE];
    struct slice suite = suite_of_hpke(suite_bytes, h->kem);
    return labeled_expand(out, len, suite, h->exporter, "sec", context);
}
