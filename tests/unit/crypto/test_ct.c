/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: primitives, KEMs, HPKE, HKDF, blinded keys, words.
 */
#include <string.h>

#include "crypto/blind.h"
#include "crypto/hkdf.h"
#include "crypto/hpke.h"
#include "crypto/mlkem768.h"
#include "crypto/signed.h"
#include "crypto/words.h"
#include "crypto/xwing.h"
#include "lib/ct.h"

#if defined(PETREL_OWN_MLKEM768) && defined(PETREL_OWN_XWING) /* else it is libsodium's duty */
START_TEST(mlkem_key_generation_and_both_ends)
{
    uint8_t seed[crypto_kem_mlkem768_SEEDBYTES] = {1};
    uint8_t m[32] = {2};
    uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES];
    uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES];
    uint8_t sent[32];
    uint8_t got[32];
    CT_SECRET(seed, sizeof seed);
    CT_SECRET(m, sizeof m);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk, sk, seed), 0);
    CT_PUBLIC(pk, sizeof pk);
    ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, m), 0);
    CT_PUBLIC(ct, sizeof ct);
    ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
    CT_PUBLIC(sent, sizeof sent);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(sent, got, sizeof sent);

    ct[5] ^= 1; /* the way of a rejected ciphertext */
    ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_ne(sent, got, sizeof sent);
}
END_TEST

START_TEST(xwing_key_generation_and_both_ends)
{
    uint8_t seed[crypto_kem_xwing_SEEDBYTES] = {1};
    uint8_t eseed[64] = {2};
    uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES];
    uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES];
    uint8_t sent[32];
    uint8_t got[32];
    CT_SECRET(seed, sizeof seed);
    CT_SECRET(eseed, sizeof eseed);
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(pk, sk, seed), 0);
    CT_PUBLIC(pk, sizeof pk);
    ck_assert_int_eq(crypto_kem_xwing_enc_deterministic(ct, sent, pk, eseed), 0);
    CT_PUBLIC(ct, sizeof ct);
    ck_assert_int_eq(crypto_kem_xwing_dec(got, ct, sk), 0);
    CT_PUBLIC(sent, sizeof sent);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(sent, got, sizeof sent);
}
END_TEST
#endif

START_TEST(comparison)
{
    uint8_t a[64] = {1};
    uint8_t b[64] = {1};
    CT_SECRET(a, sizeof a);
    bool equal = prim_equal(a, b, sizeof a);
    CT_PUBLIC(&equal, sizeof equal);
    ck_assert(equal);
    b[63] = 1;
    equal = prim_equal(a, b, sizeof a);
    CT_PUBLIC(&equal, sizeof equal);
    ck_assert(!equal);
    ck_assert(!prim_zero(slice_of(a, sizeof a)));
    ck_assert(prim_zero(slice_of(a + 1, sizeof a - 1)));
}
END_TEST

START_TEST(blinded_signature)
{
    const uint8_t seed[32] = {5};
    struct sign_pk pk;
    struct sign_sk sk;
    struct sign_pk blinded;
    uint8_t sig[PRIM_SIGNATURE];
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_ok(blind_public(&pk, 7, &blinded));
    CT_SECRET(sk.b, 32); /* the other half is the public key */
    ck_assert_ok(blind_sign(&sk, 7, unit_str("descriptor"), sig));
    CT_PUBLIC(sig, sizeof sig);
    ck_assert_ok(blind_verify(&blinded, unit_str("descriptor"), sig));
}
END_TEST

START_TEST(key_pairs_agreement_and_signatures)
{
    uint8_t seed[32];
    struct sign_pk sign_pk;
    struct sign_sk sign_sk;
    struct dh_pk node_pk;
    struct dh_sk node_sk;
    struct dh_pk pk;
    struct dh_sk sk;
    uint8_t ours[32];
    uint8_t theirs[32];
    uint8_t sig[PRIM_SIGNATURE];
    uint8_t text[256];
    struct slice body;
    ct_fill(seed, sizeof seed, 1);
    ct_fill(sk.b, sizeof sk.b, 2);
    prim_sign_keypair(&sign_pk, &sign_sk, seed);
    ck_assert_ok(prim_sign(sig, "petrel/1 test", unit_str("text"), &sign_sk));
    ck_assert_ok(prim_verify(sig, "petrel/1 test", unit_str("text"), &sign_pk));
    struct writer w = writer_of(text, sizeof text);
    ck_assert_ok(signed_write(&w, "petrel/1 test", unit_str("text"), &sign_sk));
    ck_assert_ok(signed_open(writer_done(&w), sizeof text, "petrel/1 test", &sign_pk, &body));

    prim_sign_sk_to_dh(&node_sk, &sign_sk);
    ck_assert_ok(prim_sign_pk_to_dh(&node_pk, &sign_pk));
    prim_dh_public(&pk, &sk);
    ck_assert_ok(prim_dh(ours, &sk, &node_pk));
    ck_assert_ok(prim_dh(theirs, &node_sk, &pk));
    CT_PUBLIC(ours, sizeof ours);
    CT_PUBLIC(theirs, sizeof theirs);
    ck_assert_mem_eq(ours, theirs, sizeof ours);
    memset(pk.b, 0, sizeof pk.b); /* of small order */
    ck_assert_err(prim_dh(ours, &sk, &pk), ERR_BAD_KEY);
}
END_TEST

START_TEST(keyed_hashes_and_derivation)
{
    uint8_t key[32];
    uint8_t out[64];
    uint8_t prk[HKDF_PRK];
    uint8_t again[64];
    ct_fill(key, sizeof key, 3);
    struct slice secret = slice_of(key, sizeof key);
    prim_blake2b(out, 32, secret, "petrel/1 test", &secret, 1);
    prim_sha256(out, "petrel/1 test", &secret, 1);
    prim_hmac_sha256(out, secret, &secret, 1);
    hkdf_extract(prk, unit_str("salt"), &secret, 1);
    struct slice info = unit_str("info");
    ck_assert_ok(hkdf_expand(out, sizeof out, prk, &info, 1));
    ck_assert_ok(hkdf(again, sizeof again, unit_str("salt"), secret, info));
    CT_PUBLIC(out, sizeof out);
    CT_PUBLIC(again, sizeof again);
    ck_assert_mem_eq(out, again, sizeof out);
}
END_TEST

START_TEST(sealed_opened_and_refused)
{
    struct aead_key key;
    uint8_t plain[40];
    uint8_t got[40];
    uint8_t sealed[sizeof plain + PRIM_AEAD_TAG];
    const uint8_t nonce[PRIM_AEAD_NONCE] = {1};
    struct slice ad = unit_str("ad");
    ct_fill(key.b, sizeof key.b, 4);
    ct_fill(plain, sizeof plain, 5);
    prim_aead_seal(sealed, &key, nonce, ad, slice_of(plain, sizeof plain));
    ck_assert_ok(prim_aead_open(got, &key, nonce, ad, slice_of(sealed, sizeof sealed)));
    CT_PUBLIC(plain, sizeof plain);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(got, plain, sizeof got);
    sealed[0] ^= 1;
    ck_assert_err(prim_aead_open(got, &key, nonce, ad, slice_of(sealed, sizeof sealed)),
                  ERR_DECRYPT);
}
END_TEST

/* One way of HPKE from secret seeds; plaintext, exported secret and state are secrets, too. */
static void hpke_way(enum hpke_kem kem, struct slice pk, const uint8_t sk[static HPKE_SECRET_KEY])
{
    struct hpke sender;
    struct hpke receiver;
    uint8_t seed[HPKE_SEED_MAX];
    uint8_t enc[HPKE_ENC_MAX];
    uint8_t plain[33];
    uint8_t got[33];
    uint8_t sealed[sizeof plain + HPKE_TAG];
    uint8_t out[2][32];
    struct slice info = unit_str("info");
    ct_fill(seed, sizeof seed, 6);
    ct_fill(plain, sizeof plain, 7);
    ck_assert_ok(hpke_setup_sender(&sender, enc, kem, pk, info, seed));
    ck_assert_ok(hpke_setup_receiver(&receiver, kem, slice_of(enc, hpke_enc_len(kem)), sk, info));
    ck_assert_ok(hpke_seal(&sender, sealed, info, slice_of(plain, sizeof plain)));
    sealed[3] ^= 1;
    ck_assert_err(hpke_open(&receiver, got, info, slice_of(sealed, sizeof sealed)), ERR_DECRYPT);
    sealed[3] ^= 1;
    ck_assert_ok(hpke_open(&receiver, got, info, slice_of(sealed, sizeof sealed)));
    ck_assert_ok(hpke_export(&sender, out[0], sizeof out[0], info));
    ck_assert_ok(hpke_export(&receiver, out[1], sizeof out[1], info));
    CT_PUBLIC(plain, sizeof plain);
    CT_PUBLIC(got, sizeof got);
    CT_PUBLIC(out, sizeof out);
    ck_assert_mem_eq(plain, got, sizeof got);
    ck_assert_mem_eq(out[0], out[1], sizeof out[0]);
    hpke_fini(&sender);
    hpke_fini(&receiver);
}

START_TEST(hpke_over_x25519)
{
    uint8_t ikm[32];
    struct dh_pk pk;
    struct dh_sk sk;
    ct_fill(ikm, sizeof ikm, 8);
    hpke_x25519_keypair(&pk, &sk, slice_of(ikm, sizeof ikm));
    hpke_way(HPKE_KEM_X25519, slice_of(pk.b, sizeof pk.b), sk.b);
}
END_TEST

START_TEST(hpke_over_xwing)
{
    uint8_t seed[32];
    uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES];
    ct_fill(seed, sizeof seed, 9);
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(pk, sk, seed), 0);
    hpke_way(HPKE_KEM_XWING, slice_of(pk, sizeof pk), sk);
}
END_TEST

/* Typed badly, in capitals, with tabs; and with a word that is none, one too many, one changed. */
START_TEST(words_written_and_read)
{
    uint8_t seed[WORDS_SEED];
    uint8_t got[WORDS_SEED];
    char text[WORDS_TEXT + 16];
    unsigned word = 99;
    ct_fill(seed, sizeof seed, 10);
    memset(text, 0, sizeof text);
    words_encode(seed, text);
    CT_PUBLIC(text, sizeof text); /* for the length alone */
    size_t len = strlen(text);
    ck_assert_uint_gt(len, 24 * 4 - 1);
    CT_SECRET(text, len);
    ck_assert_ok(words_decode(slice_of(text, len), got, &word));
    CT_PUBLIC(got, sizeof got);
    CT_PUBLIC(seed, sizeof seed);
    ck_assert_mem_eq(got, seed, sizeof got);

    text[len] = 'x';
    ck_assert_err(words_decode(slice_of(text, len + 1), got, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 24);
    memcpy(text + len, "\tZOO", 4);
    CT_SECRET(text, len + 4);
    ck_assert_err(words_decode(slice_of(text, len + 4), got, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 0);
    static const char zoo[] = "ZOO zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
                              "zoo zoo zoo zoo zoo zoo zoo";
    memcpy(text, zoo, sizeof zoo - 1);
    CT_SECRET(text, sizeof zoo - 1);
    ck_assert_err(words_decode(slice_of(text, sizeof zoo - 1), got, &word), ERR_BAD_CHECKSUM);
}
END_TEST

static void add_tests(TCase *tc)
{
#if defined(PETREL_OWN_MLKEM768) && defined(PETREL_OWN_XWING)
    tcase_add_test(tc, mlkem_key_generation_and_both_ends);
    tcase_add_test(tc, xwing_key_generation_and_both_ends);
#endif
    tcase_add_test(tc, comparison);
    tcase_add_test(tc, blinded_signature);
    tcase_add_test(tc, key_pairs_agreement_and_signatures);
    tcase_add_test(tc, keyed_hashes_and_derivation);
    tcase_add_test(tc, sealed_opened_and_refused);
    tcase_add_test(tc, hpke_over_x25519);
    tcase_add_test(tc, hpke_over_xwing);
    tcase_add_test(tc, words_written_and_read);
}

int main(void)
{
    return ct_main("crypto/ct", add_tests);
}
