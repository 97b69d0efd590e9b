/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/pqxdh.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"
#include "crypto/hkdf.h"
#include "crypto/mlkem768.h"

static_assert(SESSION_KEM_EK == crypto_kem_mlkem768_PUBLICKEYBYTES, "ML-KEM-768 key");
static_assert(SESSION_KEM_DK == crypto_kem_mlkem768_SECRETKEYBYTES, "ML-KEM-768 secret key");
static_assert(SESSION_KEM_CT == crypto_kem_mlkem768_CIPHERTEXTBYTES, "ML-KEM-768 ciphertext");
static_assert(crypto_kem_mlkem768_SHAREDSECRETBYTES == 32, "ML-KEM-768 shared secret");

static const char LABEL_T[] = "petrel/1 pqxdh";
static const char LABEL_SK[] = "petrel/1 pqxdh sk";
static const char LABEL_INTRO[] = "petrel/1 pqxdh introduction";
static const char LABEL_INVITE[] = "petrel/1 invite id";

static struct slice label_slice(const char *label)
{
    return slice_of(label, strlen(label));
}

enum err pqxdh_initiate(const struct env *env, const struct pair_self *self,
                        const struct pair_peer *peer, const struct pair_bundle *bundle,
                        struct pqxdh_message *message, struct pqxdh_shared *shared)
{
    struct dh_sk ek;
    uint8_t seed[32];
    struct pqxdh_message m;
    struct pqxdh_shared s;
    memset(&s, 0, sizeof s);
    env_random(env, ek.b, sizeof ek.b);
    env_random(env, seed, sizeof seed);
    prim_dh_public(&m.ek, &ek);
    enum err err = prim_dh(s.dh1, &self->dh, &bundle->spk);
    if (err == ERR_OK) {
        err = prim_dh(s.dh2, &ek, &peer->dh);
    }
    if (err == ERR_OK) {
        err = prim_dh(s.dh3, &ek, &bundle->spk);
    }
    if (err == ERR_OK && bundle->one_time) {
        err = prim_dh(s.dh4, &ek, &bundle->otk);
    }
    if (err == ERR_OK &&
        crypto_kem_mlkem768_enc_deterministic(m.kem_ct, s.ss, bundle->kem_ek, seed) != 0) {
        err = ERR_BAD_KEY;
    }
    if (err == ERR_OK) {
        *message = m;
        *shared = s;
    }
    secret_wipe(&ek, sizeof ek);
    secret_wipe(seed, sizeof seed);
    secret_wipe(&s, sizeof s);
    return err;
}

enum err pqxdh_respond(const struct pair_self *self, const struct dh_pk *peer_dh,
                       const struct pair_prekeys *prekeys, const struct dh_pk *ek,
                       const uint8_t kem_ct[static SESSION_KEM_CT], struct pqxdh_shared *shared)
{
    struct pqxdh_shared s;
    memset(&s, 0, sizeof s);
    enum err err = peer_dh != NULL ? prim_dh(s.dh1, &prekeys->spk, peer_dh) : ERR_OK;
    if (err == ERR_OK) {
        err = prim_dh(s.dh2, &self->dh, ek);
    }
    if (err == ERR_OK) {
        err = prim_dh(s.dh3, &prekeys->spk, ek);
    }
    if (err == ERR_OK && prekeys->one_time) {
        err = prim_dh(s.dh4, &prekeys->otk, ek);
    }
    if (err == ERR_OK && crypto_kem_mlkem768_dec(s.ss, kem_ct, prekeys->kem_dk) != 0) {
        err = ERR_BAD_KEY;
    }
    if (err == ERR_OK) {
        *shared = s;
    }
    secret_wipe(&s, sizeof s);
    return err;
}

void pqxdh_wipe(struct pqxdh_shared *shared)
{
    secret_wipe(shared, sizeof *shared);
}

void pqxdh_invite_id(const uint8_t s[static INVITE_SECRET], uint8_t out[static INVITE_ID])
{
    struct slice part = slice_of(s, INVITE_SECRET);
    prim_blake2b(out, INVITE_ID, slice_of(NULL, 0), LABEL_INVITE, &part, 1);
    CT_PUBLIC(out, INVITE_ID); /* a name to look the invitation up by */
}

enum {
    T_INPUTS = 10,
};

void pqxdh_transcript(const struct pqxdh_transcript *t, uint8_t out[static SESSION_T])
{
    uint8_t invite_id[INVITE_ID];
    if (t->invite != NULL) {
        pqxdh_invite_id(t->invite, invite_id);
    }
    const struct slice inputs[T_INPUTS] = {
        slice_of(t->id_a.b, sizeof t->id_a.b),
        slice_of(t->id_b.b, sizeof t->id_b.b),
        t->certificate_a,
        t->certificate_b,
        slice_of(t->spk.b, sizeof t->spk.b),
        slice_of(t->otk.b, t->one_time ? sizeof t->otk.b : 0),
        t->kem_ek,
        slice_of(t->ek.b, sizeof t->ek.b),
        t->kem_ct,
        slice_of(invite_id, t->invite != NULL ? sizeof invite_id : 0),
    };
    uint8_t lengths[T_INPUTS][2];
    struct slice parts[2 * T_INPUTS];
    for (size_t i = 0; i < T_INPUTS; i++) {
        assert(inputs[i].len <= UINT16_MAX);
        lengths[i][0] = (uint8_t)(inputs[i].len >> 8);
        lengths[i][1] = (uint8_t)inputs[i].len;
        parts[2 * i] = slice_of(lengths[i], 2);
        parts[2 * i + 1] = inputs[i];
    }
    prim_sha256(out, LABEL_T, parts, 2 * T_INPUTS);
}

/* 0xFF^32 | DH1 | DH2 | DH3 | DH4 | SS | s, no salt, info label | T. The 32 bytes of 0xFF are no
 * point of the curve: they keep this apart from uses of X25519 elsewhere (PQXDH, section 2.2). */
void pqxdh_sk(const struct pqxdh_shared *shared, const uint8_t t[static SESSION_T],
              uint8_t sk[static 32])
{
    uint8_t domain[32];
    memset(domain, 0xff, sizeof domain);
    const struct slice ikm[] = {slice_of(domain, 32),      slice_of(shared->dh1, 32),
                                slice_of(shared->dh2, 32), slice_of(shared->dh3, 32),
                                slice_of(shared->dh4, 32), slice_of(shared->ss, 32),
                                slice_of(shared->psk, 32)};
    const struct slice info[] = {label_slice(LABEL_SK), slice_of(t, SESSION_T)};
    uint8_t prk[HKDF_PRK];
    hkdf_extract(prk, slice_of("", 0), ikm, sizeof ikm / sizeof ikm[0]);
    enum err err = hkdf_expand(sk, 32, prk, info, 2);
    assert(err == ERR_OK);
    (void)err;
    secret_wipe(prk, sizeof prk);
}

void pqxdh_intro_key(const struct pqxdh_shared *shared, struct aead_key *key,
                     uint8_t nonce[static PRIM_AEAD_NONCE])
{
    const struct slice ikm[] = {slice_of(shared->dh2, 32), slice_of(shared->dh3, 32),
                                slice_of(shared->dh4, 32), slice_of(shared->ss, 32)};
    const struct slice info = label_slice(LABEL_INTRO);
    uint8_t prk[HKDF_PRK];
    uint8_t out[PRIM_KEY + PRIM_AEAD_NONCE];
    hkdf_extract(prk, slice_of("", 0), ikm, sizeof ikm / sizeof ikm[0]);
    enum err err = hkdf_expand(out, sizeof out, prk, &info, 1);
    assert(err == ERR_OK);
    (void)err;
    memcpy(key->b, out, PRIM_KEY);
    memcpy(nonce, out + PRIM_KEY, PRIM_AEAD_NONCE);
    secret_wipe(prk, sizeof prk);
    secret_wipe(out, sizeof out);
}
