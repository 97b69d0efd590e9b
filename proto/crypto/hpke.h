/* SPDX-License-Identifier: Apache-2.0
 *
 * hpke: hybrid public key encryption (RFC 9180), base mode, with HKDF-SHA256 and
 * ChaCha20-Poly1305, over DHKEM(X25519, HKDF-SHA256) or X-Wing.
 *
 * Draws no randomness: the sender hands in a seed that is used once. Secrets of a context are
 * wiped by hpke_fini. docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_HPKE_H
#define PETREL_CRYPTO_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/prim.h"

enum hpke_kem {
    HPKE_KEM_X25519 = 0x0020, /* DHKEM(X25519, HKDF-SHA256) */
    HPKE_KEM_XWING = 0x647a,  /* X-Wing */
};

enum {
    HPKE_SECRET_KEY = 32, /* both KEMs */
    HPKE_PUBLIC_KEY_MAX = 1216,
    HPKE_ENC_MAX = 1120,
    HPKE_SEED_MAX = 64,
    HPKE_TAG = 16,
    HPKE_NONCE = 12,
};

/* Sizes of a KEM in bytes. */
size_t hpke_public_key_len(enum hpke_kem kem); /* 32, or 1,216 */
size_t hpke_enc_len(enum hpke_kem kem);        /* 32, or 1,120 */
size_t hpke_seed_len(enum hpke_kem kem);       /* 32: ikmE; or 64: X-Wing's eseed */

/* One direction of messages under one encapsulated key. Copy it only to keep a state to go back
 * to: a sender that seals twice under one sequence number gives its key away. */
struct hpke {
    enum hpke_kem kem;
    uint8_t key[32];
    uint8_t base_nonce[HPKE_NONCE];
    uint8_t exporter[32];
    uint64_t seq; /* of the next message */
};

/* DeriveKeyPair of DHKEM(X25519) (RFC 9180, section 7.1.3). A secret key of X-Wing is its seed:
 * 32 random bytes, and crypto_kem_xwing_seed_keypair gives the public key. */
void hpke_x25519_keypair(struct dh_pk *pk, struct dh_sk *sk, struct slice ikm);

/* SetupBaseS. seed: hpke_seed_len(kem) fresh random bytes. enc has room for hpke_enc_len(kem).
 * ERR_BAD_KEY: pk has not its length, or the KEM refuses it. */
enum err hpke_setup_sender(struct hpke *h, uint8_t *enc, enum hpke_kem kem, struct slice pk,
                           struct slice info, const uint8_t *seed) PETREL_MUST_USE;
/* SetupBaseR. ERR_MALFORMED: enc has not its length; ERR_BAD_KEY: the KEM refuses it. */
enum err hpke_setup_receiver(struct hpke *h, enum hpke_kem kem, struct slice enc,
                             const uint8_t sk[static HPKE_SECRET_KEY],
                             struct slice info) PETREL_MUST_USE;
/* Wipes. */
void hpke_fini(struct hpke *h);

/* out has room for plain.len + HPKE_TAG and may be plain.p itself. ERR_NOT_NOW: no sequence number
 * is left. */
enum err hpke_seal(struct hpke *h, uint8_t *out, struct slice aad,
                   struct slice plain) PETREL_MUST_USE;
/* out has room for sealed.len - HPKE_TAG and may be sealed.p itself. ERR_DECRYPT: out is wiped and
 * the sequence has not moved. */
enum err hpke_open(struct hpke *h, uint8_t *out, struct slice aad,
                   struct slice sealed) PETREL_MUST_USE;
/* A secret of len bytes that both sides can derive. ERR_ARGUMENT: len above 255 * 32. */
enum err hpke_export(const struct hpke *h, uint8_t *out, size_t len,
                     struct slice context) PETREL_MUST_USE;

#endif
