/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_row: the form of a sealed row: format u8 | bucket u8 | key generation u32 | nonce 24 |
 * ciphertext + 16, XChaCha20-Poly1305, AD = table name | 0x00 | key. docs/protocol/08-at-rest.md,
 * section 8.2. Of store/ only seal.c and seal_keys.c use this.
 */
#ifndef PETREL_STORE_SEAL_ROW_H
#define PETREL_STORE_SEAL_ROW_H

#include "crypto/prim.h"
#include "store/store.h"

enum {
    SEAL_ROW_FORMAT = 1, /* first byte of a row */
    SEAL_ROW_HEADER = 1 + 1 + 4 + PRIM_AEAD_NONCE,
    SEAL_ROW_TABLE = 16, /* longest table name */
};

/* What a row's seal covers besides its bytes: where it lies. */
struct seal_place {
    uint8_t b[SEAL_ROW_TABLE + 1 + STORE_KEY];
    size_t len;
};

struct seal_header {
    uint8_t format;
    uint8_t bucket;
    uint32_t generation;
};

/* A key of a bucket, or the root's in its place. Secret. */
struct seal_key {
    uint32_t generation; /* 0: not there yet */
    struct aead_key key;
};

struct slice seal_place_of(struct seal_place *at, enum store_table t, struct slice key);
/* Writes the row to out, which has room for the header, plain, and a tag. */
void seal_row_write(uint8_t *out, const struct env *env, uint8_t bucket, const struct seal_key *k,
                    struct slice place, struct slice plain);
/* ERR_CORRUPT. */
enum err seal_row_header(struct slice row, struct seal_header *h) PETREL_MUST_USE;
/* Opens a row whose header was checked; out has room for its plaintext. ERR_CORRUPT. */
enum err seal_row_read(uint8_t *out, const struct aead_key *key, struct slice place,
                       struct slice row) PETREL_MUST_USE;

#endif
