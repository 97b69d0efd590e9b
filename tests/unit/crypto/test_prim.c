/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/prim.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/unit.h"

/* Public key of test 1 of RFC 8032, section 7.1, and of its seed. */
static const char good_key[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const char good_seed[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static struct sign_pk key_of(const char *hex)
{
    struct sign_pk pk;
    ck_assert_uint_eq(unit_hex(hex, pk.b, sizeof pk.b), sizeof pk.b);
    return pk;
}

START_TEST(a_seed_gives_the_key_of_the_rfc)
{
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32];
    unit_hex(good_seed, seed, sizeof seed);
    prim_sign_keypair(&pk, &sk, seed);
    struct sign_pk expected = key_of(good_key);
    ck_assert_mem_eq(pk.b, expected.b, sizeof pk.b);
    ck_assert(prim_sign_pk_valid(&pk));
}
END_TEST

START_TEST(good_keys_are_valid)
{
    static const char *const good[] = {
        good_key,
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", /* RFC 8032, test 2 */
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", /* test 3 */
        "5866666666666666666666666666666666666666666666666666666666666666", /* the base point */
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct sign_pk pk = key_of(good[i]);
        ck_assert_msg(prim_sign_pk_valid(&pk), "refused %s", good[i]);
    }
}
END_TEST

static const char *const bad_keys[] = {
    /* good_key and the base point, plus the point of order 2: order 2L. libsodium before December
     * 2025 lets these through (CVE-2025-69277). */
    "16a567fe7d4ef5482ab4012c369bf8c5f11e8d0c2559dcda50fde59708f8aee5",
    "9599999999999999999999999999999999999999999999999999999999999999",
    /* good_key and the base point, plus a point of order 4 */
    "ad38a8f0b22ab7ca46ecee7bbef12b5f336c182652fac34392f859dbd9666a7d",
    "40c7570f4dd54835b9131184410ed4a0cc93e7d9ad053cbc6d07a62426999582",
    /* good_key plus a point of order 8 */
    "9158312a9a8d6e3b34c891d6d61444f8b8211c5117ebad15bdb0bd68b07e0245",
    "3b5b475c4b82dd1572799fc546f4c6c03e478c6654aa4c7f945b347ea32af60d",
    "5ca7ced5657291c4cb376e2929ebbb0747dee3aee81452ea424f42974f81fdba",
    "b2a4b8a3b47d22ea8d86603ab90b393fc1b87399ab55b3806ba4cb815cd509f2",
    /* the eight points of small order */
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    /* points of small order in forms that are not canonical: x = 0 with its sign set, y >= p */
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    /* y = 3 written as p + 3, and y = 2, which is on no point */
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0200000000000000000000000000000000000000000000000000000000000000",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

START_TEST(known_bad_points_are_no_keys)
{
    for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
        struct sign_pk pk = key_of(bad_keys[i]);
        struct dh_pk dh = {{0}};
        const uint8_t zeros[PRIM_SIGNATURE] = {0};
        ck_assert_msg(!prim_sign_pk_valid(&pk), "accepted %s", bad_keys[i]);
        ck_assert_err(prim_sign_pk_to_dh(&dh, &pk), ERR_BAD_KEY);
        ck_assert_err(prim_verify(zeros, "petrel/1 test", unit_str("x"), &pk), ERR_BAD_KEY);
    }
}
END_TEST

/* For any key (x, y), (-x, -y) is the key plus the point of order 2. */
START_TEST(every_key_plus_the_point_of_order_two_is_refused)
{
    struct unit_env u;
    unit_env_init(&u, 1, 0);
    for (unsigned n = 0; n < 16; n++) {
        uint8_t seed[32];
        struct sign_pk pk;
        struct sign_sk sk;
        env_random(&u.env, seed, sizeof seed);
        prim_sign_keypair(&pk, &sk, seed);
        ck_assert(prim_sign_pk_valid(&pk));
        struct sign_pk moved;
        int borrow = 0;
        for (size_t i = 0; i < sizeof pk.b; i++) { /* p - y, p = 2^255 - 19 */
            int p = i == 0 ? 0xed : i == 31 ? 0x7f : 0xff;
            int digit = p - (i == 31 ? pk.b[i] & 0x7f : pk.b[i]) - borrow;
            borrow = digit < 0;
            moved.b[i] = (uint8_t)digit;
        }
        moved.b[31] |= (uint8_t)(~pk.b[31] & 0x80);
        ck_assert(!prim_sign_pk_valid(&moved));
    }
}
END_TEST

START_TEST(a_signature_covers_label_and_body)
{
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32] = {7};
    uint8_t sig[PRIM_SIGNATURE];
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_ok(prim_sign(sig, "petrel/1 a", unit_str("body"), &sk));

    ck_assert_ok(prim_verify(sig, "petrel/1 a", unit_str("body"), &pk));
    ck_assert_err(prim_verify(sig, "petrel/1 b", unit_str("body"), &pk), ERR_BAD_SIGNATURE);
    ck_assert_err(prim_verify(sig, "petrel/1 a", unit_str("bodz"), &pk), ERR_BAD_SIGNATURE);
    ck_assert_err(prim_verify(sig, "petrel/1 a", unit_str("bod"), &pk), ERR_BAD_SIGNATURE);
    sig[40] ^= 1;
    ck_assert_err(prim_verify(sig, "petrel/1 a", unit_str("body"), &pk), ERR_BAD_SIGNATURE);
}
END_TEST

/* label | 0x00 | body: no byte can move from the label to the body. */
START_TEST(the_label_ends_with_a_zero_byte)
{
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32] = {8};
    uint8_t sig[PRIM_SIGNATURE];
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_ok(prim_sign(sig, "petrel/1 a", slice_of("b\0c", 3), &sk));
    ck_assert_int_eq(
        crypto_sign_verify_detached(sig, (const uint8_t *)"petrel/1 a\0b\0c", 14, pk.b), 0);
    ck_assert_err(prim_verify(sig, "petrel/1 ab", slice_of("\0c", 2), &pk), ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(a_body_longer_than_the_limit_is_refused)
{
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32] = {9};
    uint8_t sig[PRIM_SIGNATURE];
    uint8_t *body = calloc(1, PRIM_SIGNED_MAX + 1);
    ck_assert_ptr_nonnull(body);
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_err(prim_sign(sig, "l", slice_of(body, PRIM_SIGNED_MAX + 1), &sk), ERR_TOO_LARGE);
    ck_assert_ok(prim_sign(sig, "l", slice_of(body, PRIM_SIGNED_MAX), &sk));
    ck_assert_ok(prim_verify(sig, "l", slice_of(body, PRIM_SIGNED_MAX), &pk));
    ck_assert_err(prim_verify(sig, "l", slice_of(body, PRIM_SIGNED_MAX + 1), &pk), ERR_TOO_LARGE);
    ck_assert_ok(prim_sign(sig, "l", slice_of(NULL, 0), &sk));
    ck_assert_ok(prim_verify(sig, "l", slice_of(NULL, 0), &pk));
    free(body);
}
END_TEST

START_TEST(both_sides_of_a_dh_agree)
{
    struct dh_sk a = {{1, 2, 3}};
    struct dh_sk b = {{4, 5, 6}};
    struct dh_pk pa;
    struct dh_pk pb;
    uint8_t ab[32];
    uint8_t ba[32];
    prim_dh_public(&pa, &a);
    prim_dh_public(&pb, &b);
    ck_assert_ok(prim_dh(ab, &a, &pb));
    ck_assert_ok(prim_dh(ba, &b, &pa));
    ck_assert_mem_eq(ab, ba, sizeof ab);
}
END_TEST

START_TEST(a_dh_key_of_small_order_is_refused_and_writes_nothing)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct dh_sk sk = {{9}};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        struct dh_pk pk;
        uint8_t out[32];
        uint8_t before[32];
        memset(out, 0xa5, sizeof out);
        memcpy(before, out, sizeof out);
        unit_hex(small[i], pk.b, sizeof pk.b);
        ck_assert_err(prim_dh(out, &sk, &pk), ERR_BAD_KEY);
        ck_assert_mem_eq(out, before, sizeof out);
    }
}
END_TEST

START_TEST(the_dh_form_of_a_signing_pair_is_a_pair)
{
    struct sign_pk pk;
    struct sign_sk sk;
    uint8_t seed[32] = {10};
    struct dh_pk dh_pk;
    struct dh_pk from_secret;
    struct dh_sk dh_sk;
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_ok(prim_sign_pk_to_dh(&dh_pk, &pk));
    prim_sign_sk_to_dh(&dh_sk, &sk);
    prim_dh_public(&from_secret, &dh_sk);
    ck_assert_mem_eq(dh_pk.b, from_secret.b, sizeof dh_pk.b);
}
END_TEST

START_TEST(blake2b_is_over_label_and_parts_in_order)
{
    uint8_t whole[32];
    uint8_t parts_hash[32];
    uint8_t keyed[32];
    const struct slice parts[] = {unit_str("ab"), slice_of(NULL, 0), unit_str("c")};
    uint8_t key[32] = {1};
    crypto_generichash(whole, sizeof whole, (const uint8_t *)"labelabc", 8, NULL, 0);
    prim_blake2b(parts_hash, sizeof parts_hash, slice_of(NULL, 0), "label", parts, 3);
    ck_assert_mem_eq(whole, parts_hash, sizeof whole);

    crypto_generichash(whole, sizeof whole, (const uint8_t *)"labelabc", 8, key, sizeof key);
    prim_blake2b(keyed, sizeof keyed, slice_of(key, sizeof key), "label", parts, 3);
    ck_assert_mem_eq(whole, keyed, sizeof whole);
    ck_assert_mem_ne(keyed, parts_hash, sizeof keyed);
}
END_TEST

START_TEST(sha256_and_hmac_are_over_all_parts)
{
    const struct slice parts[] = {unit_str("a"), unit_str("bc")};
    uint8_t expected[32];
    uint8_t out[32];
    /* FIPS 180-4, example "abc" */
    unit_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected, 32);
    prim_sha256(out, "", parts, 2);
    ck_assert_mem_eq(out, expected, sizeof out);
    prim_sha256(out, "ab", parts + 1, 0);
    ck_assert_mem_ne(out, expected, sizeof out);
    prim_sha256(out, "a", parts + 1, 1);
    ck_assert_mem_eq(out, expected, sizeof out);

    /* RFC 4231, test case 2 */
    const struct slice words[] = {unit_str("what do ya want "), unit_str("for nothing?")};
    unit_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected, 32);
    prim_hmac_sha256(out, unit_str("Jefe"), words, 2);
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

/* Its second half is for the sanitizers: what libsodium declares may not be NULL. */
START_TEST(an_empty_hmac_key_may_be_null)
{
    uint8_t expected[32];
    uint8_t out[32] = {0};
    /* HMAC-SHA-256 of nothing under the empty key, as Python's hmac has it. */
    unit_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", expected, 32);
    prim_hmac_sha256(out, unit_str(""), NULL, 0);
    ck_assert_mem_eq(out, expected, sizeof out);
    memset(out, 0, sizeof out);
    prim_hmac_sha256(out, slice_of(NULL, 0), NULL, 0);
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

START_TEST(what_is_sealed_opens_in_place)
{
    struct aead_key key = {{1}};
    const uint8_t nonce[PRIM_AEAD_NONCE] = {2};
    uint8_t buf[5 + PRIM_AEAD_TAG] = "hello";
    prim_aead_seal(buf, &key, nonce, unit_str("ad"), slice_of(buf, 5));
    ck_assert_mem_ne(buf, "hello", 5);
    ck_assert_ok(prim_aead_open(buf, &key, nonce, unit_str("ad"), slice_of(buf, sizeof buf)));
    ck_assert_mem_eq(buf, "hello", 5);
}
END_TEST

START_TEST(a_changed_bit_anywhere_does_not_open_and_wipes)
{
    struct aead_key key = {{1}};
    const uint8_t nonce[PRIM_AEAD_NONCE] = {2};
    const uint8_t zeros[5] = {0};
    uint8_t sealed[5 + PRIM_AEAD_TAG];
    uint8_t out[5];
    prim_aead_seal(sealed, &key, nonce, unit_str("ad"), unit_str("hello"));
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        memset(out, 0xa5, sizeof out);
        ck_assert_err(
            prim_aead_open(out, &key, nonce, unit_str("ad"), slice_of(sealed, sizeof sealed)),
            ERR_DECRYPT);
        ck_assert_mem_eq(out, zeros, sizeof out);
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    ck_assert_err(prim_aead_open(out, &key, nonce, unit_str("aD"), slice_of(sealed, sizeof sealed)),
                  ERR_DECRYPT);
    ck_assert_err(
        prim_aead_open(out, &key, nonce, unit_str("ad"), slice_of(sealed, PRIM_AEAD_TAG - 1)),
        ERR_DECRYPT);
    ck_assert_ok(prim_aead_open(out, &key, nonce, unit_str("ad"), slice_of(sealed, sizeof sealed)));
}
END_TEST

START_TEST(zero_means_every_byte)
{
    uint8_t bytes[70] = {0};
    ck_assert(prim_zero(slice_of(NULL, 0)));
    ck_assert(prim_zero(slice_of(bytes, sizeof bytes)));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(1 << i % 8);
        ck_assert(!prim_zero(slice_of(bytes, sizeof bytes)));
        ck_assert(prim_zero(slice_of(bytes, i)));
        bytes[i] = 0;
    }
}
END_TEST

START_TEST(equal_means_every_byte)
{
    ck_assert(prim_equal("abc", "abc", 3));
    ck_assert(!prim_equal("abc", "abd", 3));
    ck_assert(!prim_equal("a\0c", "a\0d", 3));
    ck_assert(prim_equal("abc", "xyz", 0));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_seed_gives_the_key_of_the_rfc);
    tcase_add_test(tc, good_keys_are_valid);
    tcase_add_test(tc, known_bad_points_are_no_keys);
    tcase_add_test(tc, every_key_plus_the_point_of_order_two_is_refused);
    tcase_add_test(tc, a_signature_covers_label_and_body);
    tcase_add_test(tc, the_label_ends_with_a_zero_byte);
    tcase_add_test(tc, a_body_longer_than_the_limit_is_refused);
    tcase_add_test(tc, both_sides_of_a_dh_agree);
    tcase_add_test(tc, a_dh_key_of_small_order_is_refused_and_writes_nothing);
    tcase_add_test(tc, the_dh_form_of_a_signing_pair_is_a_pair);
    tcase_add_test(tc, blake2b_is_over_label_and_parts_in_order);
    tcase_add_test(tc, sha256_and_hmac_are_over_all_parts);
    tcase_add_test(tc, an_empty_hmac_key_may_be_null);
    tcase_add_test(tc, what_is_sealed_opens_in_place);
    tcase_add_test(tc, a_changed_bit_anywhere_does_not_open_and_wipes);
    tcase_add_test(tc, equal_means_every_byte);
    tcase_add_test(tc, zero_means_every_byte);
}

int main(void)
{
    return unit_main("crypto/prim", add);
}
