/* SPDX-License-Identifier: Apache-2.0 */
#include "link/cipher.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypto/ct.h"

static_assert(CIPHER_KEY == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "key");
static_assert(CIPHER_TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");

enum {
    NONCE = 12,
    NONCE_ZEROS = 4, /* section 12.3: 32 bits of zeros, then the counter, little endian */
};
static_assert(NONCE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonce");

static void nonce_of(uint8_t out[static NONCE], uint64_t n)
{
    memset(out, 0, NONCE_ZEROS);
    for (unsigned i = 0; i < 8; i++) {
        out[NONCE_ZEROS + i] = (uint8_t)(n >> (8 * i));
    }
}

void cipher_init(struct cipher *c, const uint8_t key[static CIPHER_KEY])
{
    memcpy(c->key, key, CIPHER_KEY);
    c->n = 0;
}

void cipher_fini(struct cipher *c)
{
    secret_wipe(c, sizeof *c);
}

enum err cipher_encrypt(struct cipher *c, struct slice ad, struct slice plain, uint8_t *out)
{
    /* 2^64-1 is reserved for rekey (section 5.1). */
    if (c->n == UINT64_MAX) {
        return ERR_EXPIRED;
    }
    uint8_t nonce[NONCE];
    nonce_of(nonce, c->n);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.len, ad.p, ad.len, NULL,
                                              nonce, c->key);
    CT_PUBLIC(out, plain.len + CIPHER_TAG); /* made to be seen */
    c->n++;
    return ERR_OK;
}

enum err cipher_decrypt(struct cipher *c, struct slice ad, struct slice sealed, uint8_t *out)
{
    if (c->n == UINT64_MAX) {
        return ERR_EXPIRED;
    }
    if (sealed.len < CIPHER_TAG) {
        return ERR_DECRYPT;
    }
    uint8_t nonce[NONCE];
    nonce_of(nonce, c->n);
    int bad = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.p, sealed.len, ad.p,
                                                        ad.len, nonce, c->key);
    CT_PUBLIC(&bad, sizeof bad); /* the outcome of comparing tags: what we do next tells it */
    if (bad != 0) {
        secret_wipe(out, sealed.len - CIPHER_TAG);
        return ERR_DECRYPT;
    }
    c->n++;
    return ERR_OK;
}

void cipher_rekey(struct cipher *c)
{
    static const uint8_t zeros[CIPHER_KEY] = {0};
    uint8_t nonce[NONCE];
    uint8_t out[CIPHER_KEY + CIPHER_TAG];
    nonce_of(nonce, UINT64_MAX);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, zeros, sizeof zeros, NULL, 0, NULL, nonce,
                                              c->key);
    memcpy(c->key, out, CIPHER_KEY);
    secret_wipe(out, sizeof out);
}
