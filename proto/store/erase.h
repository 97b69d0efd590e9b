/* SPDX-License-Identifier: Apache-2.0
 *
 * erase: the format of an account's erase file: a header that says how the account is opened, and
 * two slots of which each can hold one generation of the root R, sealed under the account's key.
 *
 * docs/protocol/08-at-rest.md, section 8.4. Sans I/O: it encodes and decodes; who writes when, and
 * what is flushed in between, is the host's (daemon/keyring). Header and slots lie in 4 KiB blocks
 * of their own, so that writing one slot cannot tear the other.
 */
#ifndef PETREL_STORE_ERASE_H
#define PETREL_STORE_ERASE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/prim.h"
#include "store/seal.h"

enum {
    ERASE_BLOCK = 4096,           /* header, slot 0 and slot 1 start at multiples of this */
    ERASE_FILE = 3 * ERASE_BLOCK, /* the whole file */
    ERASE_SLOTS = 2,
    ERASE_SALT = 16,
};

enum erase_kdf_kind {
    ERASE_KDF_ARGON2ID = 1,   /* secret: 32 bytes from Argon2id over the passphrase and the salt */
    ERASE_KDF_KEY_FILE = 2,   /* secret: the 32 bytes of a key file */
    ERASE_KDF_CREDENTIAL = 3, /* secret: 32 bytes out of a credential of the service manager's */
};

/* How the secret that opens the slots is made. The host runs Argon2id. */
struct erase_kdf {
    enum erase_kdf_kind kind;
    uint32_t ops;     /* Argon2id passes, 1 to LIMIT_KDF_OPS; else 0 */
    uint32_t mem_kib; /* Argon2id memory, 8 to LIMIT_KDF_MEM_KIB; else 0 */
    uint8_t salt[ERASE_SALT];
};

struct erase_slot {
    uint64_t generation; /* 0: empty, or damaged */
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t sealed[SEAL_KEY + PRIM_AEAD_TAG];
};

struct erase_file {
    uint32_t account;
    struct erase_kdf kdf;
    uint64_t former; /* roots up to this generation were in a file under another secret; 0: none */
    struct erase_slot slots[ERASE_SLOTS];
};

/* ERR_SCHEMA_NEWER for a format of a later version; ERR_CORRUPT for a wrong size, a wrong magic, a
 * header whose checksum or values are wrong, or when no slot is valid. A slot whose checksum is
 * wrong counts as empty: a crash may have torn it. */
enum err erase_decode(struct erase_file *out, struct slice file) PETREL_MUST_USE;
/* The whole file, empty slots as zeros. */
void erase_encode(uint8_t out[static ERASE_FILE], const struct erase_file *file);

/* The slot with the highest generation; -1 when both are empty. */
int erase_newest(const struct erase_file *file);
/* Seals root as generation into a slot. secret: what file->kdf names. generation > 0. */
void erase_slot_seal(struct erase_file *file, unsigned slot, uint64_t generation,
                     const uint8_t secret[static SEAL_KEY],
                     const uint8_t nonce[static PRIM_AEAD_NONCE],
                     const uint8_t root[static SEAL_KEY]);
/* Opens a slot that is not empty. ERR_WRONG_KEY; root is wiped then. */
enum err erase_slot_open(const struct erase_file *file, unsigned slot,
                         const uint8_t secret[static SEAL_KEY],
                         uint8_t root[static SEAL_KEY]) PETREL_MUST_USE;

#endif
