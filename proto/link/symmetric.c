/* SPDX-License-Identifier: Apache-2.0 */
#include "link/symmetric.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"

enum {
    BLOCK_MAX = 128, /* HMAC block of BLAKE2b; SHA-256 has 64 */
};
static_assert(CIPHER_KEY <= crypto_hash_sha256_BYTES, "a digest holds a key");

union hash_state {
    crypto_generichash_state blake2b;
    crypto_hash_sha256_state sha256;
};

size_t symmetric_hash_len(enum symmetric_hash hash)
{
    return hash == SYMMETRIC_BLAKE2B ? 64 : crypto_hash_sha256_BYTES;
}

static void hash_start(union hash_state *st, enum symmetric_hash hash)
{
    if (hash == SYMMETRIC_BLAKE2B) {
        crypto_generichash_init(&st->blake2b, NULL, 0, symmetric_hash_len(hash));
    } else {
        crypto_hash_sha256_init(&st->sha256);
    }
}

static void hash_add(union hash_state *st, enum symmetric_hash hash, const void *p, size_t len)
{
    if (hash == SYMMETRIC_BLAKE2B) {
        crypto_generichash_update(&st->blake2b, p, len);
    } else {
        crypto_hash_sha256_update(&st->sha256, p, len);
    }
}

static void hash_end(union hash_state *st, enum symmetric_hash hash, uint8_t *out)
{
    if (hash == SYMMETRIC_BLAKE2B) {
        crypto_generichash_final(&st->blake2b, out, symmetric_hash_len(hash));
    } else {
        crypto_hash_sha256_final(&st->sha256, out);
    }
    secret_wipe(st, sizeof *st);
}

/* HMAC (RFC 2104) over a | b; key is at most one block long. */
static void hmac(enum symmetric_hash hash, uint8_t *out, struct slice key, struct slice a,
                 struct slice b)
{
    size_t block = hash == SYMMETRIC_BLAKE2B ? BLOCK_MAX : 64;
    size_t len = symmetric_hash_len(hash);
    uint8_t pad[BLOCK_MAX];
    uint8_t inner[SYMMETRIC_HASH_MAX];
    union hash_state st;

    assert(key.len <= block);
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < key.len; i++) {
        pad[i] ^= key.p[i];
    }
    hash_start(&st, hash);
    hash_add(&st, hash, pad, block);
    hash_add(&st, hash, a.p, a.len);
    hash_add(&st, hash, b.p, b.len);
    hash_end(&st, hash, inner);
    for (size_t i = 0; i < block; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    hash_start(&st, hash);
    hash_add(&st, hash, pad, block);
    hash_add(&st, hash, inner, len);
    hash_end(&st, hash, out);
    secret_wipe(pad, sizeof pad);
    secret_wipe(inner, sizeof inner);
}

/* HKDF with two outputs, section 4.3. first and second may be the memory of ck. */
static void hkdf(enum symmetric_hash hash, const uint8_t *ck, struct slice ikm, uint8_t *first,
                 uint8_t *second)
{
    static const uint8_t one = 1;
    static const uint8_t two = 2;
    size_t len = symmetric_hash_len(hash);
    uint8_t temp[SYMMETRIC_HASH_MAX];
    uint8_t out[SYMMETRIC_HASH_MAX];
    hmac(hash, temp, slice_of(ck, len), ikm, slice_of(NULL, 0));
    hmac(hash, out, slice_of(temp, len), slice_of(&one, 1), slice_of(NULL, 0));
    hmac(hash, second, slice_of(temp, len), slice_of(out, len), slice_of(&two, 1));
    memcpy(first, out, len);
    secret_wipe(temp, sizeof temp);
    secret_wipe(out, sizeof out);
}

void symmetric_init(struct symmetric *s, enum symmetric_hash hash, const char *protocol_name)
{
    size_t len = strlen(protocol_name);
    memset(s, 0, sizeof *s);
    s->hash = hash;
    if (len <= symmetric_hash_len(hash)) {
        memcpy(s->h, protocol_name, len);
    } else {
        union hash_state st;
        hash_start(&st, hash);
        hash_add(&st, hash, protocol_name, len);
        hash_end(&st, hash, s->h);
    }
    memcpy(s->ck, s->h, sizeof s->ck);
}

void symmetric_mix_hash(struct symmetric *s, struct slice data)
{
    union hash_state st;
    hash_start(&st, s->hash);
    hash_add(&st, s->hash, s->h, symmetric_hash_len(s->hash));
    hash_add(&st, s->hash, data.p, data.len);
    hash_end(&st, s->hash, s->h);
}

void symmetric_mix_key(struct symmetric *s, const uint8_t secret[static 32])
{
    uint8_t key[SYMMETRIC_HASH_MAX];
    hkdf(s->hash, s->ck, slice_of(secret, 32), s->ck, key);
    cipher_init(&s->cipher, key); /* the first 32 bytes, section 5.2 */
    s->has_key = true;
    secret_wipe(key, sizeof key);
}

size_t symmetric_overhead(const struct symmetric *s)
{
    return s->has_key ? CIPHER_TAG : 0;
}

void symmetric_encrypt(struct symmetric *s, struct slice plain, struct writer *out)
{
    size_t len = plain.len + symmetric_overhead(s);
    uint8_t *p = writer_reserve(out, len);
    if (p == NULL) {
        return;
    }
    if (!s->has_key) {
        if (plain.len > 0) {
            memcpy(p, plain.p, plain.len);
        }
    } else {
        struct slice ad = slice_of(s->h, symmetric_hash_len(s->hash));
        enum err err = cipher_encrypt(&s->cipher, ad, plain, p);
        assert(err == ERR_OK); /* a handshake encrypts fewer than 2^64-1 times */
    }
    symmetric_mix_hash(s, slice_of(p, len));
}

enum err symmetric_decrypt(struct symmetric *s, struct slice sealed, uint8_t *out)
{
    if (sealed.len < symmetric_overhead(s)) {
        return ERR_DECRYPT;
    }
    struct symmetric before = *s;
    symmetric_mix_hash(s, sealed);
    enum err err = ERR_OK;
    if (s->has_key) {
        err = cipher_decrypt(&s->cipher, slice_of(before.h, symmetric_hash_len(s->hash)), sealed,
                             out);
    } else if (sealed.len > 0) {
        memcpy(out, sealed.p, sealed.len);
    }
    if (err != ERR_OK) {
        *s = before;
    }
    secret_wipe(&before, sizeof before);
    return err;
}

void symmetric_split(const struct symmetric *s, struct cipher *first, struct cipher *second)
{
    uint8_t k1[SYMMETRIC_HASH_MAX];
    uint8_t k2[SYMMETRIC_HASH_MAX];
    hkdf(s->hash, s->ck, slice_of(NULL, 0), k1, k2);
    cipher_init(first, k1);
    cipher_init(second, k2);
    secret_wipe(k1, sizeof k1);
    secret_wipe(k2, sizeof k2);
}
