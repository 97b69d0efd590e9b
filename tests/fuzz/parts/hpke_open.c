/* SPDX-License-Identifier: Apache-2.0
 *
 * hpke_open: HPKE over X25519 and X-Wing with arbitrary encapsulated keys and ciphertexts. The
 * first byte's lowest bit chooses the KEM; with the next bit the encapsulation is a good one, so
 * that the AEAD is reached with a context that a sender has; then enc, aad length u8, aad, sealed.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/hpke.h"
#include "crypto/xwing.h"
#include "fuzz/parts/parts.h"

/* An assertion that stays in every build. */
static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

enum {
    MAX = 4096,
};

/* A sender's encapsulation to sk, and its context. */
static void good_sender(struct hpke *h, uint8_t *enc, enum hpke_kem kem, const uint8_t *sk)
{
    const uint8_t seed[HPKE_SEED_MAX] = {1};
    uint8_t pk[HPKE_PUBLIC_KEY_MAX];
    uint8_t copy[HPKE_SECRET_KEY];
    if (kem == HPKE_KEM_XWING) {
        (void)crypto_kem_xwing_seed_keypair(pk, copy, sk);
    } else {
        (void)crypto_scalarmult_base(pk, sk);
    }
    enum err err = hpke_setup_sender(h, enc, kem, slice_of(pk, hpke_public_key_len(kem)),
                                     slice_of("i", 1), seed);
    must(err == ERR_OK);
}

/* What the sender seals must open; a context that a failed opening has moved would not. */
static void still_in_step(struct hpke *sender, struct hpke *receiver)
{
    uint8_t sealed[4 + HPKE_TAG];
    uint8_t out[4];
    enum err sent = hpke_seal(sender, sealed, slice_of(NULL, 0), slice_of("abcd", 4));
    enum err got = hpke_open(receiver, out, slice_of(NULL, 0), slice_of(sealed, sizeof sealed));
    must(sent == ERR_OK && got == ERR_OK && memcmp(out, "abcd", 4) == 0);
}

void part_hpke_open(const uint8_t *data, size_t len)
{
    struct reader r = reader_of(slice_of(data, len));
    const uint8_t sk[HPKE_SECRET_KEY] = {1};
    uint8_t good_enc[HPKE_ENC_MAX];
    uint8_t out[MAX];
    struct hpke sender;
    struct hpke receiver;
    uint8_t flags = reader_u8(&r);
    enum hpke_kem kem = flags & 1 ? HPKE_KEM_XWING : HPKE_KEM_X25519;
    bool good = (flags & 2) != 0;
    struct slice enc;
    if (good) {
        good_sender(&sender, good_enc, kem, sk);
        enc = slice_of(good_enc, hpke_enc_len(kem));
    } else {
        size_t want = hpke_enc_len(kem);
        enc = reader_bytes(&r, reader_left(&r) < want ? reader_left(&r) : want);
    }
    struct slice aad = reader_bytes(&r, reader_u8(&r));
    struct slice sealed = reader_rest(&r);
    if (sealed.len > MAX ||
        hpke_setup_receiver(&receiver, kem, enc, sk, slice_of("i", 1)) != ERR_OK) {
        must(!good || sealed.len > MAX);
        return;
    }
    if (hpke_open(&receiver, out, aad, sealed) != ERR_OK && good) {
        still_in_step(&sender, &receiver);
    }
}
