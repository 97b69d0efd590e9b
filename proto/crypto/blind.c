/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/blind.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypto/ct.h"

enum {
    SCALAR = crypto_core_ed25519_SCALARBYTES,
    WIDE = crypto_core_ed25519_NONREDUCEDSCALARBYTES,
};

static_assert(SCALAR == 32 && WIDE == crypto_hash_sha512_BYTES, "scalars modulo L");

/* The signing key of one period; secret. */
struct blinded {
    struct sign_pk pk;      /* A' */
    uint8_t scalar[SCALAR]; /* a' */
    uint8_t prefix[32];     /* prefix' */
};

/* h: the factor that turns A into A'. */
static void factor(const uint8_t id[static 32], uint64_t period, uint8_t h[static SCALAR])
{
    uint8_t be[8];
    uint8_t wide[WIDE];
    struct writer w = writer_of(be, sizeof be);
    writer_u64(&w, period);
    const struct slice parts[] = {slice_of(id, 32), slice_of(be, sizeof be)};
    prim_blake2b(wide, sizeof wide, slice_of(NULL, 0), "petrel/1 blind", parts, 2);
    crypto_core_ed25519_scalar_reduce(h, wide);
}

enum err blind_public(const struct sign_pk *id, uint64_t period, struct sign_pk *out)
{
    uint8_t h[SCALAR];
    struct sign_pk blinded;
    if (!prim_sign_pk_valid(id)) {
        return ERR_BAD_KEY;
    }
    factor(id->b, period, h);
    if (crypto_scalarmult_ed25519_noclamp(blinded.b, h, id->b) != 0) {
        return ERR_BAD_KEY;
    }
    *out = blinded;
    return ERR_OK;
}

/* SHA-512 over up to three parts, modulo L. */
static void hash_to_scalar(uint8_t out[static SCALAR], struct slice a, struct slice b,
                           struct slice c)
{
    crypto_hash_sha512_state state;
    uint8_t wide[WIDE];
    (void)crypto_hash_sha512_init(&state);
    (void)crypto_hash_sha512_update(&state, a.p, a.len);
    (void)crypto_hash_sha512_update(&state, b.p, b.len);
    (void)crypto_hash_sha512_update(&state, c.p, c.len);
    (void)crypto_hash_sha512_final(&state, wide);
    crypto_core_ed25519_scalar_reduce(out, wide);
    secret_wipe(wide, sizeof wide);
    secret_wipe(&state, sizeof state);
}

static enum err derive(const struct sign_sk *identity, uint64_t period, struct blinded *out)
{
    const uint8_t *id = identity->b + 32;
    uint8_t expanded[64]; /* RFC 8032, section 5.1.5: scalar | prefix */
    uint8_t wide[WIDE] = {0};
    uint8_t h[SCALAR];
    (void)crypto_hash_sha512(expanded, identity->b, 32);
    memcpy(wide, expanded, 32);
    wide[0] &= 248;
    wide[31] &= 127;
    wide[31] |= 64;
    crypto_core_ed25519_scalar_reduce(out->scalar, wide);
    factor(id, period, h);
    crypto_core_ed25519_scalar_mul(out->scalar, out->scalar, h);
    int bad = crypto_scalarmult_ed25519_base_noclamp(out->pk.b, out->scalar);
    CT_PUBLIC(&bad, sizeof bad);
    /* It must depend on A': the same nonce under two keys whose ratio is public reveals a. */
    const struct slice parts[] = {slice_of(expanded + 32, 32), slice_of(out->pk.b, 32)};
    prim_blake2b(out->prefix, sizeof out->prefix, slice_of(NULL, 0), "petrel/1 blind nonce", parts,
                 2);
    secret_wipe(expanded, sizeof expanded);
    secret_wipe(wide, sizeof wide);
    return bad != 0 ? ERR_BAD_KEY : ERR_OK;
}

enum err blind_sign(const struct sign_sk *identity, uint64_t period, struct slice message,
                    uint8_t sig[static PRIM_SIGNATURE])
{
    struct blinded key;
    uint8_t r[SCALAR];
    uint8_t k[SCALAR];
    uint8_t out[PRIM_SIGNATURE];
    if (message.len > PRIM_SIGNED_MAX) {
        return ERR_TOO_LARGE;
    }
    enum err err = derive(identity, period, &key);
    if (err != ERR_OK) {
        goto out;
    }
    hash_to_scalar(r, slice_of(key.prefix, sizeof key.prefix), message, slice_of(NULL, 0));
    int bad = crypto_scalarmult_ed25519_base_noclamp(out, r);
    CT_PUBLIC(&bad, sizeof bad);
    if (bad != 0) {
        err = ERR_BAD_KEY;
        goto out;
    }
    hash_to_scalar(k, slice_of(out, 32), slice_of(key.pk.b, 32), message);
    crypto_core_ed25519_scalar_mul(k, k, key.scalar);
    crypto_core_ed25519_scalar_add(out + 32, r, k);
    memcpy(sig, out, sizeof out);
out:
    secret_wipe(&key, sizeof key);
    secret_wipe(r, sizeof r);
    secret_wipe(k, sizeof k);
    return err;
}

enum err blind_verify(const struct sign_pk *blinded, struct slice message,
                      const uint8_t sig[static PRIM_SIGNATURE])
{
    if (!prim_sign_pk_valid(blinded)) {
        return ERR_BAD_KEY;
    }
    if (message.len > PRIM_SIGNED_MAX ||
        crypto_sign_verify_detached(sig, message.p, message.len, blinded->b) != 0) {
        return ERR_BAD_SIGNATURE;
    }
    return ERR_OK;
}
