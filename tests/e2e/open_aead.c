/* SPDX-License-Identifier: Apache-2.0
 *
 * open_aead: encryption that does not hide anything, for daemons whose sealing is switched off in
 * one place, so that a search of what a relay sees can be shown to find what is not sealed. Only
 * in tests: compiled together with the sources of that place under other names of the functions
 * (CMakeLists.txt, petrel_open), never part of petreld.
 *
 * The ciphertext is the plaintext. The tag stays a keyed one over nonce, associated data and text,
 * so that a header is still found by trying keys, and a wrong key still opens nothing.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "crypto/prim.h"

enum {
    TAG = 16,
};
static_assert((int)TAG == (int)PRIM_AEAD_TAG, "XChaCha20-Poly1305");
static_assert((int)TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "ChaCha20-Poly1305");

static void tag_of(uint8_t out[static TAG], const uint8_t key[static 32], struct slice nonce,
                   struct slice ad, struct slice text)
{
    uint64_t lengths[2] = {ad.len, text.len};
    struct slice parts[] = {nonce, slice_of(lengths, sizeof lengths), ad, text};
    prim_blake2b(out, TAG, slice_of(key, 32), "open", parts, sizeof parts / sizeof parts[0]);
}

/* out may be text.p itself. */
static void seal(uint8_t *out, const uint8_t key[static 32], struct slice nonce, struct slice ad,
                 struct slice text)
{
    if (text.len > 0) {
        memmove(out, text.p, text.len);
    }
    tag_of(out + text.len, key, nonce, ad, slice_of(out, text.len));
}

static bool open(uint8_t *out, const uint8_t key[static 32], struct slice nonce, struct slice ad,
                 struct slice sealed)
{
    if (sealed.len < TAG) {
        return false;
    }
    uint8_t tag[TAG];
    struct slice text = slice_of(sealed.p, sealed.len - TAG);
    tag_of(tag, key, nonce, ad, text);
    if (!prim_equal(tag, sealed.p + text.len, TAG)) {
        return false;
    }
    if (text.len > 0) {
        memmove(out, text.p, text.len);
    }
    return true;
}

void prim_aead_seal(uint8_t *out, const struct aead_key *key,
                    const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                    struct slice plain)
{
    seal(out, key->b, slice_of(nonce, PRIM_AEAD_NONCE), ad, plain);
}

enum err prim_aead_open(uint8_t *out, const struct aead_key *key,
                        const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                        struct slice sealed)
{
    return open(out, key->b, slice_of(nonce, PRIM_AEAD_NONCE), ad, sealed) ? ERR_OK : ERR_DECRYPT;
}

int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c, unsigned long long *clen_p,
                                              const unsigned char *m, unsigned long long mlen,
                                              const unsigned char *ad, unsigned long long adlen,
                                              const unsigned char *nsec, const unsigned char *npub,
                                              const unsigned char *k)
{
    (void)nsec;
    seal(c, k, slice_of(npub, crypto_aead_chacha20poly1305_ietf_NPUBBYTES), slice_of(ad, adlen),
         slice_of(m, mlen));
    if (clen_p != NULL) {
        *clen_p = mlen + TAG;
    }
    return 0;
}

int crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *mlen_p,
                                              unsigned char *nsec, const unsigned char *c,
                                              unsigned long long clen, const unsigned char *ad,
                                              unsigned long long adlen, const unsigned char *npub,
                                              const unsigned char *k)
{
    (void)nsec;
    bool good = open(m, k, slice_of(npub, crypto_aead_chacha20poly1305_ietf_NPUBBYTES),
                     slice_of(ad, adlen), slice_of(c, clen));
    if (mlen_p != NULL) {
        *mlen_p = good ? clen - TAG : 0;
    }
    return good ? 0 : -1;
}
