/* SPDX-License-Identifier: Apache-2.0
 *
 * ML-KEM-768 against NIST's ACVP files and C2SP's CCTV, Keccak against hashlib.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/keccak.h"
#include "crypto/mlkem768.h"
#include "lib/vectors.h"

enum {
    PK = crypto_kem_mlkem768_PUBLICKEYBYTES,
    SK = crypto_kem_mlkem768_SECRETKEYBYTES,
    CT = crypto_kem_mlkem768_CIPHERTEXTBYTES,
    SS = crypto_kem_mlkem768_SHAREDSECRETBYTES,
};

/* The bytes of a member that must have this length, copied to out. */
static void take(uint8_t *out, size_t len, const json_t *object, const char *member)
{
    struct slice s = vectors_hex(object, member);
    if (s.len != len) {
        fprintf(stderr, "%s has %zu bytes instead of %zu\n", member, s.len, len);
        exit(EXIT_FAILURE);
    }
    memcpy(out, s.p, len);
    vectors_free(s);
}

static int member_is(const json_t *object, const char *member, const uint8_t *got, size_t len)
{
    struct slice s = vectors_hex(object, member);
    int same = slice_equal(s, slice_of(got, len));
    vectors_free(s);
    return same;
}

static void name_case(char *out, size_t cap, const json_t *test)
{
    snprintf(out, cap, "tcId %lld", (long long)json_integer_value(json_object_get(test, "tcId")));
}

static void keygen(void)
{
    const char *file = "mlkem/acvp-keygen-768.json";
    json_t *root = vectors_load(file);
    size_t g;
    size_t i;
    json_t *group;
    json_t *test;
    json_array_foreach(json_object_get(root, "testGroups"), g, group)
    {
        json_array_foreach(json_object_get(group, "tests"), i, test)
        {
            uint8_t seed[64];
            uint8_t pk[PK];
            uint8_t sk[SK];
            char name[64];
            take(seed, 32, test, "d");
            take(seed + 32, 32, test, "z");
            name_case(name, sizeof name, test);
            int ok = crypto_kem_mlkem768_seed_keypair(pk, sk, seed) == 0 &&
                     member_is(test, "ek", pk, sizeof pk) && member_is(test, "dk", sk, sizeof sk);
            vectors_case(file, name, ok);
        }
    }
    json_decref(root);
}

static int encapsulates(const json_t *test)
{
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t m[32];
    uint8_t ct[CT];
    uint8_t ss[SS];
    uint8_t back[SS];
    take(pk, sizeof pk, test, "ek");
    take(sk, sizeof sk, test, "dk");
    take(m, sizeof m, test, "m");
    return crypto_kem_mlkem768_enc_deterministic(ct, ss, pk, m) == 0 &&
           member_is(test, "c", ct, sizeof ct) && member_is(test, "k", ss, sizeof ss) &&
           crypto_kem_mlkem768_dec(back, ct, sk) == 0 && memcmp(back, ss, SS) == 0;
}

static int decapsulates(const json_t *test, const char *dk_member, const json_t *dk_holder,
                        const char *ct_member, const char *ss_member)
{
    uint8_t sk[SK];
    uint8_t ct[CT];
    uint8_t ss[SS];
    take(sk, sizeof sk, dk_holder, dk_member);
    take(ct, sizeof ct, test, ct_member);
    return crypto_kem_mlkem768_dec(ss, ct, sk) == 0 && member_is(test, ss_member, ss, sizeof ss);
}

static void encapdecap(void)
{
    const char *file = "mlkem/acvp-encapdecap-768.json";
    json_t *root = vectors_load(file);
    size_t g;
    size_t i;
    json_t *group;
    json_t *test;
    json_array_foreach(json_object_get(root, "testGroups"), g, group)
    {
        const char *function = json_string_value(json_object_get(group, "function"));
        int enc = function != NULL && strcmp(function, "encapsulation") == 0;
        json_array_foreach(json_object_get(group, "tests"), i, test)
        {
            char name[64];
            name_case(name, sizeof name, test);
            vectors_case(file, name,
                         enc ? encapsulates(test) : decapsulates(test, "dk", group, "c", "k"));
        }
    }
    json_decref(root);
}

static void strcmp_case(void)
{
    const char *file = "mlkem/cctv-strcmp-768.json";
    json_t *root = vectors_load(file);
    size_t i;
    json_t *test;
    json_array_foreach(root, i, test)
    {
        vectors_case(file, "strcmp", decapsulates(test, "dk", test, "c", "K"));
    }
    json_decref(root);
}

static void bad_modulus(void)
{
    const char *file = "mlkem/cctv-bad-ek-modulus-768.json";
    json_t *root = vectors_load(file);
    size_t i;
    json_t *test;
    json_array_foreach(root, i, test)
    {
        uint8_t pk[PK];
        uint8_t ct[CT];
        uint8_t ss[SS];
        const uint8_t m[32] = {0};
        char name[64];
        take(pk, sizeof pk, test, "ek");
        snprintf(name, sizeof name, "case %zu", i);
        vectors_case(file, name, crypto_kem_mlkem768_enc_deterministic(ct, ss, pk, m) == -1);
    }
    json_decref(root);
}

static void keccak(void)
{
    const char *file = "mlkem/keccak.json";
    json_t *root = vectors_load(file);
    size_t i;
    json_t *test;
    json_array_foreach(root, i, test)
    {
        uint8_t sha3_256[32];
        uint8_t sha3_512[64];
        uint8_t shake128[504];
        uint8_t shake256[200];
        struct slice msg = vectors_hex(test, "msg");
        struct keccak k;
        keccak_sha3_256(sha3_256, &msg, 1);
        keccak_sha3_512(sha3_512, &msg, 1);
        keccak_shake256(shake256, sizeof shake256, &msg, 1);
        keccak_shake128_init(&k);
        keccak_absorb(&k, msg.p, msg.len);
        keccak_pad(&k);
        keccak_squeeze(&k, shake128, sizeof shake128);
        keccak_fini(&k);
        char name[64];
        snprintf(name, sizeof name, "message of %zu bytes", msg.len);
        vectors_case(file, name,
                     member_is(test, "sha3_256", sha3_256, sizeof sha3_256) &&
                         member_is(test, "sha3_512", sha3_512, sizeof sha3_512) &&
                         member_is(test, "shake128_504", shake128, sizeof shake128) &&
                         member_is(test, "shake256_200", shake256, sizeof shake256));
        vectors_free(msg);
    }
    json_decref(root);
}

int main(void)
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    keccak();
    keygen();
    encapdecap();
    strcmp_case();
    bad_modulus();
    return vectors_done();
}
