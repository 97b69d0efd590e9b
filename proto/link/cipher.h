/* SPDX-License-Identifier: Apache-2.0
 *
 * cipher: Noise's CipherState over ChaCha20-Poly1305: one key, one counter, one direction.
 *
 * Noise Protocol Framework revision 34, sections 4.2, 5.1, 12.3; RFC 8439.
 * docs/protocol/03-link.md, section 3.2. The nonce is 32 zero bits and the counter as 64 bits
 * little endian. It knows nothing of lengths on a wire or of padding: that is link/sealer.h.
 */
#ifndef PETREL_LINK_CIPHER_H
#define PETREL_LINK_CIPHER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CIPHER_KEY = 32,
    CIPHER_TAG = 16, /* bytes that encryption adds */
};

struct cipher {
    uint8_t key[CIPHER_KEY]; /* secret */
    uint64_t n;              /* of the next message; never reset, not even by a rekey */
};

void cipher_init(struct cipher *c, const uint8_t key[static CIPHER_KEY]);
/* Wipes. */
void cipher_fini(struct cipher *c);
/* Encrypts to out, which has room for plain.len + CIPHER_TAG and may be plain.p itself. ERR_EXPIRED
 * when the counter is used up: nothing was written. */
enum err cipher_encrypt(struct cipher *c, struct slice ad, struct slice plain,
                        uint8_t *out) PETREL_MUST_USE;
/* Decrypts to out, which has room for sealed.len - CIPHER_TAG and may be sealed.p itself.
 * ERR_DECRYPT: out is wiped and the counter has not moved. ERR_EXPIRED as above. */
enum err cipher_decrypt(struct cipher *c, struct slice ad, struct slice sealed,
                        uint8_t *out) PETREL_MUST_USE;
/* REKEY of section 4.2: the key becomes the first 32 bytes of ENCRYPT(k, 2^64-1, empty, zeros). */
void cipher_rekey(struct cipher *c);

#endif
