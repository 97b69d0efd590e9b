/* SPDX-License-Identifier: Apache-2.0
 *
 * crypto_sim: public-key functions that only look like it, for runs in which the cost of the real
 * ones is all that one would see. They have the same sizes, the same errors and the same equations
 * (what is signed verifies, both sides of an agreement get the same secret, a changed byte is
 * noticed), and no security at all: whoever knows a public key can do what its owner can. Hashes,
 * ciphers and key derivation stay the real ones.
 *
 * The program is linked with --wrap for each of them; off, they are the real ones. But stamps,
 * which are cheap always.
 */
#include "sim/crypto_sim.h"

#include <string.h>

#include "crypto/blind.h"
#include "crypto/mlkem768.h"
#include "crypto/prim.h"
#include "crypto/stamp.h"
#include "crypto/xwing.h"

static bool on;
static void (*liar_signs)(const struct sign_pk *pk);
static bool (*liar_is)(const struct sign_pk *pk);

void crypto_sim_use(bool use)
{
    on = use;
}

void crypto_sim_liars(void (*signs)(const struct sign_pk *pk), bool (*is)(const struct sign_pk *pk))
{
    liar_signs = signs;
    liar_is = is;
}

/* Declares __real_NAME and defines __wrap_NAME: ours when it is on. */
#define WRAP_VOID(name, params, args)                                                              \
    void __real_##name params;                                                                     \
    void __wrap_##name params;                                                                     \
    static void sim_##name params;                                                                 \
    void __wrap_##name params                                                                      \
    {                                                                                              \
        if (on) {                                                                                  \
            sim_##name args;                                                                       \
        } else {                                                                                   \
            __real_##name args;                                                                    \
        }                                                                                          \
    }

#define WRAP(type, name, params, args)                                                             \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    static type sim_##name params;                                                                 \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return on ? sim_##name args : __real_##name args;                                          \
    }

WRAP_VOID(prim_sign_keypair, (struct sign_pk * pk, struct sign_sk *sk, const uint8_t *seed),
          (pk, sk, seed))
WRAP_VOID(prim_dh_public, (struct dh_pk * pk, const struct dh_sk *sk), (pk, sk))
WRAP(enum err, prim_sign_pk_to_dh, (struct dh_pk * out, const struct sign_pk *pk), (out, pk))
WRAP_VOID(prim_sign_sk_to_dh, (struct dh_sk * out, const struct sign_sk *sk), (out, sk))
WRAP(bool, prim_sign_pk_valid, (const struct sign_pk *pk), (pk))
WRAP(enum err, prim_sign,
     (uint8_t * sig, const char *label, struct slice body, const struct sign_sk *sk),
     (sig, label, body, sk))
WRAP(enum err, prim_verify,
     (const uint8_t *sig, const char *label, struct slice body, const struct sign_pk *pk),
     (sig, label, body, pk))
WRAP(enum err, prim_dh, (uint8_t * out, const struct dh_sk *sk, const struct dh_pk *pk),
     (out, sk, pk))
WRAP(enum err, blind_public, (const struct sign_pk *id, uint64_t period, struct sign_pk *out),
     (id, period, out))
WRAP(enum err, blind_sign,
     (const struct sign_sk *identity, uint64_t period, struct slice message, uint8_t *sig),
     (identity, period, message, sig))
WRAP(enum err, blind_verify,
     (const struct sign_pk *blinded, struct slice message, const uint8_t *sig),
     (blinded, message, sig))
WRAP(int, crypto_kem_mlkem768_seed_keypair, (uint8_t * pk, uint8_t *sk, const uint8_t *seed),
     (pk, sk, seed))
WRAP(int, crypto_kem_mlkem768_enc_deterministic,
     (uint8_t * ct, uint8_t *ss, const uint8_t *pk, const uint8_t *seed), (ct, ss, pk, seed))
WRAP(int, crypto_kem_mlkem768_dec, (uint8_t * ss, const uint8_t *ct, const uint8_t *sk),
     (ss, ct, sk))
WRAP(int, crypto_kem_xwing_seed_keypair, (uint8_t * pk, uint8_t *sk, const uint8_t *seed),
     (pk, sk, seed))
WRAP(int, crypto_kem_xwing_enc_deterministic,
     (uint8_t * ct, uint8_t *ss, const uint8_t *pk, const uint8_t *seed), (ct, ss, pk, seed))
WRAP(int, crypto_kem_xwing_dec, (uint8_t * ss, const uint8_t *ct, const uint8_t *sk), (ss, ct, sk))

static void hash(uint8_t *out, size_t len, const char *label, struct slice a, struct slice b)
{
    const struct slice parts[2] = {a, b};
    prim_blake2b(out, len, slice_of(NULL, 0), label, parts, 2);
}

static struct slice bytes(const uint8_t *p, size_t len)
{
    return slice_of(p, len);
}

static struct slice none(void)
{
    return slice_of(NULL, 0);
}

/* --- signatures --- */

static void sim_prim_sign_keypair(struct sign_pk *pk, struct sign_sk *sk, const uint8_t *seed)
{
    struct sign_pk made;
    hash(made.b, sizeof made.b, "sim sign", bytes(seed, 32), none());
    memmove(sk->b, seed, 32);
    memcpy(sk->b + 32, made.b, 32);
    *pk = made;
}

static bool sim_prim_sign_pk_valid(const struct sign_pk *pk)
{
    return !prim_zero(bytes(pk->b, sizeof pk->b));
}

/* By whoever knows pk. label: empty where there is none; a message that begins with one, and a
 * zero, is the same as its rest under that label. */
static enum err signature(uint8_t *sig, const char *label, struct slice body,
                          const struct sign_pk *pk)
{
    uint8_t of[32 + PRIM_SHA256];
    if (body.len > PRIM_SIGNED_MAX) {
        return ERR_TOO_LARGE;
    }
    const struct slice parts[] = {slice_of("", label[0] != '\0' ? 1 : 0), body};
    memcpy(of, pk->b, 32);
    prim_sha256(of + 32, label, parts, 2);
    hash(sig, PRIM_SIGNATURE, "sim signature", bytes(of, sizeof of), none());
    return ERR_OK;
}

static enum err verified(const uint8_t *sig, const char *label, struct slice body,
                         const struct sign_pk *pk)
{
    uint8_t wanted[PRIM_SIGNATURE];
    enum err err = sim_prim_sign_pk_valid(pk) ? signature(wanted, label, body, pk) : ERR_BAD_KEY;
    if (err == ERR_OK && liar_is != NULL && liar_is(pk)) {
        return ERR_OK;
    }
    return err == ERR_OK && memcmp(wanted, sig, sizeof wanted) != 0 ? ERR_BAD_SIGNATURE : err;
}

static enum err signed_with(uint8_t *sig, const char *label, struct slice body,
                            const struct sign_pk *pk)
{
    if (liar_signs != NULL) {
        liar_signs(pk);
    }
    return signature(sig, label, body, pk);
}

static enum err sim_prim_sign(uint8_t *sig, const char *label, struct slice body,
                              const struct sign_sk *sk)
{
    struct sign_pk pk;
    memcpy(pk.b, sk->b + 32, sizeof pk.b);
    return signed_with(sig, label, body, &pk);
}

static enum err sim_prim_verify(const uint8_t *sig, const char *label, struct slice body,
                                const struct sign_pk *pk)
{
    return verified(sig, label, body, pk);
}

static enum err sim_blind_public(const struct sign_pk *id, uint64_t period, struct sign_pk *out)
{
    uint8_t number[8];
    for (unsigned i = 0; i < 8; i++) {
        number[i] = (uint8_t)(period >> 8 * i);
    }
    hash(out->b, sizeof out->b, "sim blind", bytes(id->b, sizeof id->b), bytes(number, 8));
    return sim_prim_sign_pk_valid(id) ? ERR_OK : ERR_BAD_KEY;
}

static enum err sim_blind_sign(const struct sign_sk *identity, uint64_t period,
                               struct slice message, uint8_t *sig)
{
    struct sign_pk pk;
    memcpy(pk.b, identity->b + 32, sizeof pk.b);
    enum err err = sim_blind_public(&pk, period, &pk);
    return err == ERR_OK ? signed_with(sig, "", message, &pk) : err;
}

static enum err sim_blind_verify(const struct sign_pk *blinded, struct slice message,
                                 const uint8_t *sig)
{
    return verified(sig, "", message, blinded);
}

/* --- agreement --- */

enum {
    MASK = 0x5c, /* a public key is its secret with these bits the other way round */
};

static void sim_prim_dh_public(struct dh_pk *pk, const struct dh_sk *sk)
{
    for (unsigned i = 0; i < sizeof pk->b; i++) {
        pk->b[i] = sk->b[i] ^ MASK;
    }
}

static enum err sim_prim_dh(uint8_t *out, const struct dh_sk *sk, const struct dh_pk *pk)
{
    struct dh_pk own;
    sim_prim_dh_public(&own, sk);
    bool first = memcmp(own.b, pk->b, sizeof own.b) < 0;
    hash(out, 32, "sim dh", bytes(first ? own.b : pk->b, 32), bytes(first ? pk->b : own.b, 32));
    return prim_zero(bytes(pk->b, sizeof pk->b)) ? ERR_BAD_KEY : ERR_OK;
}

static enum err sim_prim_sign_pk_to_dh(struct dh_pk *out, const struct sign_pk *pk)
{
    hash(out->b, sizeof out->b, "sim to dh", bytes(pk->b, sizeof pk->b), none());
    return sim_prim_sign_pk_valid(pk) ? ERR_OK : ERR_BAD_KEY;
}

static void sim_prim_sign_sk_to_dh(struct dh_sk *out, const struct sign_sk *sk)
{
    hash(out->b, sizeof out->b, "sim to dh", bytes(sk->b + 32, 32), none());
    for (unsigned i = 0; i < sizeof out->b; i++) {
        out->b[i] ^= MASK;
    }
}

/* --- encapsulation: 32 bytes that name a key, then as many again as the real one has --- */

static void name_of(uint8_t name[32], const uint8_t *seed, size_t len)
{
    hash(name, 32, "sim kem", bytes(seed, len), none());
}

static void fill(uint8_t *out, size_t len, const uint8_t name[32])
{
    for (size_t at = 0; at < len; at += 32) {
        memcpy(out + at, name, len - at < 32 ? len - at : 32);
    }
}

/* ct: the seed under the key's name | its hash | filling. */
static void encapsulate(uint8_t *ct, size_t ct_len, uint8_t *ss, const uint8_t *pk,
                        const uint8_t *seed, size_t seed_len)
{
    uint8_t m[32];
    uint8_t pad[32];
    uint8_t check[32];
    hash(m, sizeof m, "sim kem seed", bytes(seed, seed_len), none());
    hash(pad, sizeof pad, "sim kem pad", bytes(pk, 32), none());
    hash(check, sizeof check, "sim kem check", bytes(pk, 32), bytes(m, 32));
    hash(ss, 32, "sim kem shared", bytes(pk, 32), bytes(m, 32));
    fill(ct, ct_len, check);
    for (unsigned i = 0; i < 32; i++) {
        ct[i] = m[i] ^ pad[i];
    }
}

/* Another ciphertext than encapsulate makes gives another secret, as implicit rejection does. */
static void decapsulate(uint8_t *ss, const uint8_t *ct, size_t ct_len, const uint8_t name[32])
{
    uint8_t m[32];
    uint8_t check[32];
    uint8_t all[crypto_kem_xwing_CIPHERTEXTBYTES];
    hash(m, sizeof m, "sim kem pad", bytes(name, 32), none());
    for (unsigned i = 0; i < 32; i++) {
        m[i] ^= ct[i];
    }
    hash(check, sizeof check, "sim kem check", bytes(name, 32), bytes(m, 32));
    fill(all, ct_len, check);
    if (memcmp(all + 32, ct + 32, ct_len - 32) == 0) {
        hash(ss, 32, "sim kem shared", bytes(name, 32), bytes(m, 32));
    } else {
        hash(ss, 32, "sim kem reject", bytes(name, 32), bytes(ct, ct_len));
    }
}

static int sim_crypto_kem_mlkem768_seed_keypair(uint8_t *pk, uint8_t *sk, const uint8_t *seed)
{
    uint8_t name[32];
    name_of(name, seed, crypto_kem_mlkem768_SEEDBYTES);
    fill(pk, crypto_kem_mlkem768_PUBLICKEYBYTES, name);
    fill(sk, crypto_kem_mlkem768_SECRETKEYBYTES, name);
    return 0;
}

static int sim_crypto_kem_mlkem768_enc_deterministic(uint8_t *ct, uint8_t *ss, const uint8_t *pk,
                                                     const uint8_t *seed)
{
    encapsulate(ct, crypto_kem_mlkem768_CIPHERTEXTBYTES, ss, pk, seed, 32);
    return 0;
}

static int sim_crypto_kem_mlkem768_dec(uint8_t *ss, const uint8_t *ct, const uint8_t *sk)
{
    decapsulate(ss, ct, crypto_kem_mlkem768_CIPHERTEXTBYTES, sk);
    return 0;
}

static int sim_crypto_kem_xwing_seed_keypair(uint8_t *pk, uint8_t *sk, const uint8_t *seed)
{
    uint8_t name[32];
    name_of(name, seed, crypto_kem_xwing_SEEDBYTES);
    fill(pk, crypto_kem_xwing_PUBLICKEYBYTES, name);
    memmove(sk, seed, crypto_kem_xwing_SEEDBYTES);
    return 0;
}

static int sim_crypto_kem_xwing_enc_deterministic(uint8_t *ct, uint8_t *ss, const uint8_t *pk,
                                                  const uint8_t *seed)
{
    encapsulate(ct, crypto_kem_xwing_CIPHERTEXTBYTES, ss, pk, seed, 64);
    return 0;
}

static int sim_crypto_kem_xwing_dec(uint8_t *ss, const uint8_t *ct, const uint8_t *sk)
{
    uint8_t name[32];
    name_of(name, sk, crypto_kem_xwing_SECRETKEYBYTES);
    decapsulate(ss, ct, crypto_kem_xwing_CIPHERTEXTBYTES, name);
    return 0;
}

/* --- stamps --- */

/* A turn takes no time, so what a stamp costs would be seen by nobody: always with less work. */
enum {
    SPARED_BITS = 14,
};

static unsigned spared(unsigned bits)
{
    return bits > SPARED_BITS ? bits - SPARED_BITS : 0;
}

unsigned __real_stamp_bits(const struct stamp_goal *, uint64_t);
unsigned __wrap_stamp_bits(const struct stamp_goal *, uint64_t);
unsigned __wrap_stamp_bits(const struct stamp_goal *goal, uint64_t nonce)
{
    return __real_stamp_bits(goal, nonce) + SPARED_BITS;
}

bool __real_stamp_mine(const struct stamp_goal *, unsigned, unsigned, uint64_t *);
bool __wrap_stamp_mine(const struct stamp_goal *, unsigned, unsigned, uint64_t *);
bool __wrap_stamp_mine(const struct stamp_goal *goal, unsigned bits, unsigned tries,
                       uint64_t *nonce)
{
    return __real_stamp_mine(goal, spared(bits), tries, nonce);
}

enum err __real_stamp_check(const struct stamp_goal *, uint64_t, unsigned, uint64_t);
enum err __wrap_stamp_check(const struct stamp_goal *, uint64_t, unsigned, uint64_t);
enum err __wrap_stamp_check(const struct stamp_goal *goal, uint64_t nonce, unsigned bits,
                            uint64_t now_ms)
{
    return __real_stamp_check(goal, nonce, spared(bits), now_ms);
}
