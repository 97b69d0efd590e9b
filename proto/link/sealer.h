/* SPDX-License-Identifier: Apache-2.0
 *
 * sealer: frames in padded, encrypted records, one direction of an open link.
 *
 * docs/protocol/03-link.md, section 4. On the wire: length u16 | ciphertext of length bytes, the
 * last CIPHER_TAG of them the tag. Plaintext: frame length u16 | frame | zeros, a multiple of
 * LIMIT_RECORD_PAD bytes, at most LIMIT_RECORD. No associated data: length and order are bound by
 * the counter and the tag. After every rekey_every records the key is replaced (cipher_rekey).
 * Not to be confused with the relay's records or with store/seal.h.
 */
#ifndef PETREL_LINK_SEALER_H
#define PETREL_LINK_SEALER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "link/cipher.h"

enum {
    RECORD_HEADER = 2, /* length before a handshake message or a record's ciphertext */
    RECORD_PREFIX = 2, /* length of the frame, inside */
    RECORD_MIN = LIMIT_RECORD_PAD + CIPHER_TAG, /* smallest ciphertext */
    RECORD_MAX = LIMIT_RECORD + CIPHER_TAG,     /* largest */
};

struct sealer {
    struct cipher cipher;
    uint32_t rekey_every; /* records under one key; LIMIT_REKEY_RECORDS but in tests */
};

/* Takes the cipher over; the caller wipes its own copy. */
void sealer_init(struct sealer *r, const struct cipher *cipher, uint32_t rekey_every);
/* Wipes. */
void sealer_fini(struct sealer *r);

/* Bytes on the wire, header included, of a record that carries len <= LIMIT_FRAME bytes. */
size_t sealer_size(size_t len);
/* Writes exactly sealer_size(frame.len) bytes to out, which must not overlap frame. ERR_TOO_LARGE;
 * ERR_EXPIRED. */
enum err sealer_seal(struct sealer *r, struct slice frame, uint8_t *out) PETREL_MUST_USE;

/* Whether a ciphertext may have this length: what the header says, checked before anything is
 * kept. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err sealer_check_length(size_t len) PETREL_MUST_USE;
/* Opens a ciphertext (without header) into plain, which has room for sealed.len - CIPHER_TAG bytes
 * and may be sealed.p itself; frame then borrows from plain. ERR_DECRYPT; ERR_MALFORMED or
 * ERR_TOO_LARGE for the length; ERR_PROTOCOL for a frame length that exceeds the record or padding
 * that is not zero. On error plain is wiped. Any error is the end of the link. */
enum err sealer_open(struct sealer *r, struct slice sealed, uint8_t *plain,
                     struct slice *frame) PETREL_MUST_USE;

#endif
