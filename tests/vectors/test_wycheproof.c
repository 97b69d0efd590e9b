/* SPDX-License-Identifier: Apache-2.0
 *
 * The primitives that this node is linked with, and HKDF, against C2SP's Wycheproof.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/hkdf.h"
#include "crypto/prim.h"
#include "lib/vectors.h"

/* Runs check on every test of every group of the file. */
static void each(const char *file, int (*check)(const json_t *group, const json_t *test))
{
    json_t *root = vectors_load(file);
    json_int_t expected = json_integer_value(json_object_get(root, "numberOfTests"));
    json_int_t count = 0;
    size_t g;
    size_t i;
    json_t *group;
    json_t *test;
    json_array_foreach(json_object_get(root, "testGroups"), g, group)
    {
        json_array_foreach(json_object_get(group, "tests"), i, test)
        {
            char name[64];
            snprintf(name, sizeof name, "tcId %lld",
                     (long long)json_integer_value(json_object_get(test, "tcId")));
            vectors_case(file, name, check(group, test));
            count++;
        }
    }
    if (count != expected) {
        vectors_case(file, "the number of tests is not the file's numberOfTests", 0);
    }
    json_decref(root);
}

static int is_valid(const json_t *test)
{
    const char *result = json_string_value(json_object_get(test, "result"));
    if (result == NULL) {
        fprintf(stderr, "a case without a result\n");
        exit(EXIT_FAILURE);
    }
    return strcmp(result, "invalid") != 0;
}

static int has_flag(const json_t *test, const char *flag)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(test, "flags"), i, value)
    {
        if (strcmp(json_string_value(value), flag) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Valid: gives shared. Flag ZeroSharedSecret: refused, though the file calls it acceptable. */
static int x25519(const json_t *group, const json_t *test)
{
    (void)group;
    struct slice public = vectors_hex(test, "public");
    struct slice private = vectors_hex(test, "private");
    struct slice shared = vectors_hex(test, "shared");
    struct dh_pk pk;
    struct dh_sk sk;
    uint8_t out[32];
    int ok = 0;
    if (public.len == sizeof pk.b && private.len == sizeof sk.b && is_valid(test)) {
        memcpy(pk.b, public.p, sizeof pk.b);
        memcpy(sk.b, private.p, sizeof sk.b);
        enum err err = prim_dh(out, &sk, &pk);
        ok = has_flag(test, "ZeroSharedSecret")
                 ? err == ERR_BAD_KEY
                 : err == ERR_OK && slice_equal(shared, slice_of(out, sizeof out));
    }
    vectors_free(public);
    vectors_free(private);
    vectors_free(shared);
    return ok;
}

/* All keys of the file are good ones; a signature of another length than 64 bytes cannot be handed
 * to the verifier. */
static int ed25519(const json_t *group, const json_t *test)
{
    struct slice pk_bytes = vectors_hex(json_object_get(group, "publicKey"), "pk");
    struct slice msg = vectors_hex(test, "msg");
    struct slice sig = vectors_hex(test, "sig");
    struct sign_pk pk = {{0}};
    int verified = 0;
    if (pk_bytes.len == sizeof pk.b) {
        memcpy(pk.b, pk_bytes.p, sizeof pk.b);
    }
    if (sig.len == PRIM_SIGNATURE) {
        verified = crypto_sign_verify_detached(sig.p, msg.p, msg.len, pk.b) == 0;
    }
    int ok = prim_sign_pk_valid(&pk) && verified == is_valid(test);
    vectors_free(pk_bytes);
    vectors_free(msg);
    vectors_free(sig);
    return ok;
}

struct aead_case {
    struct slice key, iv, aad, msg, ct, tag;
    uint8_t *sealed; /* ct | tag, owned */
    size_t sealed_len;
};

static struct aead_case aead_read(const json_t *test)
{
    struct aead_case c = {.key = vectors_hex(test, "key"),
                          .iv = vectors_hex(test, "iv"),
                          .aad = vectors_hex(test, "aad"),
                          .msg = vectors_hex(test, "msg"),
                          .ct = vectors_hex(test, "ct"),
                          .tag = vectors_hex(test, "tag")};
    c.sealed_len = c.ct.len + c.tag.len;
    c.sealed = malloc(c.sealed_len + 1);
    if (c.sealed == NULL || c.key.len != 32 || (c.tag.len != 16 && is_valid(test))) {
        fprintf(stderr, "a case out of form\n");
        exit(EXIT_FAILURE);
    }
    memcpy(c.sealed, c.ct.p, c.ct.len);
    memcpy(c.sealed + c.ct.len, c.tag.p, c.tag.len);
    return c;
}

static void aead_free(struct aead_case *c)
{
    vectors_free(c->key);
    vectors_free(c->iv);
    vectors_free(c->aad);
    vectors_free(c->msg);
    vectors_free(c->ct);
    vectors_free(c->tag);
    free(c->sealed);
}

/* ChaCha20-Poly1305 as hpke and noise use it. A nonce of a wrong size has no way in: such a case
 * holds when the file too calls it invalid. */
static int chacha20_poly1305(const json_t *group, const json_t *test)
{
    (void)group;
    struct aead_case c = aead_read(test);
    int ok = !is_valid(test);
    if (c.iv.len == crypto_aead_chacha20poly1305_ietf_NPUBBYTES) {
        uint8_t *plain = malloc(c.msg.len + 1);
        uint8_t *sealed = malloc(c.sealed_len + 1);
        int opened =
            crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, c.sealed, c.sealed_len,
                                                      c.aad.p, c.aad.len, c.iv.p, c.key.p) == 0;
        ok = opened == is_valid(test);
        if (opened) {
            (void)crypto_aead_chacha20poly1305_ietf_encrypt(
                sealed, NULL, c.msg.p, c.msg.len, c.aad.p, c.aad.len, NULL, c.iv.p, c.key.p);
            ok = ok && memcmp(plain, c.msg.p, c.msg.len) == 0 &&
                 memcmp(sealed, c.sealed, c.sealed_len) == 0;
        }
        free(plain);
        free(sealed);
    }
    aead_free(&c);
    return ok;
}

static int xchacha20_poly1305(const json_t *group, const json_t *test)
{
    (void)group;
    struct aead_case c = aead_read(test);
    int ok = !is_valid(test);
    if (c.iv.len == PRIM_AEAD_NONCE) {
        struct aead_key key;
        memcpy(key.b, c.key.p, sizeof key.b);
        uint8_t *plain = malloc(c.msg.len + 1);
        uint8_t *sealed = malloc(c.sealed_len + 1);
        int opened =
            prim_aead_open(plain, &key, c.iv.p, c.aad, slice_of(c.sealed, c.sealed_len)) == ERR_OK;
        ok = opened == is_valid(test);
        if (opened) {
            prim_aead_seal(sealed, &key, c.iv.p, c.aad, c.msg);
            ok = ok && memcmp(plain, c.msg.p, c.msg.len) == 0 &&
                 memcmp(sealed, c.sealed, c.sealed_len) == 0;
        }
        free(plain);
        free(sealed);
    }
    aead_free(&c);
    return ok;
}

static int hkdf_sha256(const json_t *group, const json_t *test)
{
    (void)group;
    struct slice ikm = vectors_hex(test, "ikm");
    struct slice salt = vectors_hex(test, "salt");
    struct slice info = vectors_hex(test, "info");
    struct slice okm = vectors_hex(test, "okm");
    size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
    uint8_t *out = malloc(size + 1);
    enum err err = hkdf(out, size, salt, ikm, info);
    int ok = is_valid(test) ? err == ERR_OK && slice_equal(okm, slice_of(out, size))
                            : err == ERR_ARGUMENT;
    free(out);
    vectors_free(ikm);
    vectors_free(salt);
    vectors_free(info);
    vectors_free(okm);
    return ok;
}

static int hmac_sha256(const json_t *group, const json_t *test)
{
    size_t tag_len = (size_t)json_integer_value(json_object_get(group, "tagSize")) / 8;
    struct slice key = vectors_hex(test, "key");
    struct slice msg = vectors_hex(test, "msg");
    struct slice tag = vectors_hex(test, "tag");
    uint8_t out[PRIM_SHA256];
    prim_hmac_sha256(out, key, &msg, 1);
    int ok =
        tag_len <= sizeof out && slice_equal(tag, slice_of(out, tag_len)) == (is_valid(test) != 0);
    vectors_free(key);
    vectors_free(msg);
    vectors_free(tag);
    return ok;
}

int main(void)
{
    if (prim_init() != ERR_OK) {
        return EXIT_FAILURE;
    }
    each("wycheproof/x25519_test.json", x25519);
    each("wycheproof/ed25519_test.json", ed25519);
    each("wycheproof/chacha20_poly1305_test.json", chacha20_poly1305);
    each("wycheproof/xchacha20_poly1305_test.json", xchacha20_poly1305);
    each("wycheproof/hkdf_sha256_test.json", hkdf_sha256);
    each("wycheproof/hmac_sha256_test.json", hmac_sha256);
    return vectors_done();
}
