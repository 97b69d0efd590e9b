/* SPDX-License-Identifier: Apache-2.0
 *
 * symmetric: Noise's SymmetricState: the chaining key, the handshake hash and the handshake's
 * cipher.
 *
 * Noise Protocol Framework revision 34, sections 4.3 and 5.2. docs/protocol/03-link.md, section
 * 3.1. HKDF is Noise's own: HMAC (RFC 2104) over BLAKE2b with blocks of 128 bytes, or over SHA-256
 * with blocks of 64. It knows nothing of patterns and keys: that is link/noise.h.
 */
#ifndef PETREL_LINK_SYMMETRIC_H
#define PETREL_LINK_SYMMETRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "link/cipher.h"

enum symmetric_hash {
    SYMMETRIC_BLAKE2B, /* 64 bytes */
    SYMMETRIC_SHA256,  /* 32 bytes; for the public test vectors */
};

enum {
    SYMMETRIC_HASH_MAX = 64,
};

struct symmetric {
    enum symmetric_hash hash;
    bool has_key;                   /* cipher is in use: after the first mix_key */
    struct cipher cipher;           /* secret */
    uint8_t ck[SYMMETRIC_HASH_MAX]; /* chaining key, secret */
    uint8_t h[SYMMETRIC_HASH_MAX];  /* handshake hash */
};

/* Bytes of a digest: 64 or 32. */
size_t symmetric_hash_len(enum symmetric_hash hash);

/* InitializeSymmetric. Whoever holds the struct wipes it. */
void symmetric_init(struct symmetric *s, enum symmetric_hash hash, const char *protocol_name);
void symmetric_mix_hash(struct symmetric *s, struct slice data);
void symmetric_mix_key(struct symmetric *s, const uint8_t secret[static 32]);
/* EncryptAndHash. Bytes that it adds to plain: symmetric_overhead. A full writer latches; nothing
 * was encrypted then. */
void symmetric_encrypt(struct symmetric *s, struct slice plain, struct writer *out);
/* DecryptAndHash. out has room for sealed.len - symmetric_overhead. ERR_DECRYPT: out is wiped. */
enum err symmetric_decrypt(struct symmetric *s, struct slice sealed, uint8_t *out) PETREL_MUST_USE;
/* CIPHER_TAG, or 0 as long as there is no key. */
size_t symmetric_overhead(const struct symmetric *s);
/* Split: first is for messages of the initiator, second for those of the responder. */
void symmetric_split(const struct symmetric *s, struct cipher *first, struct cipher *second);

#endif
