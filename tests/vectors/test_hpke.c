/* SPDX-License-Identifier: Apache-2.0
 *
 * HPKE against the vectors that RFC 9180 was made from: setup, every encryption in sequence, and
 * the exports, as sender and as receiver.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "crypto/hpke.h"
#include "lib/vectors.h"

static const char file[] = "hpke/rfc9180-base-x25519-hkdfsha256-chacha20poly1305.json";

static int member_is(const json_t *object, const char *member, const void *got, size_t len)
{
    struct slice s = vectors_hex(object, member);
    int same = slice_equal(s, slice_of(got, len));
    vectors_free(s);
    return same;
}

static int is_suite(const json_t *context)
{
    return json_integer_value(json_object_get(context, "mode")) == 0 &&
           json_integer_value(json_object_get(context, "kem_id")) == HPKE_KEM_X25519 &&
           json_integer_value(json_object_get(context, "kdf_id")) == 1 &&
           json_integer_value(json_object_get(context, "aead_id")) == 3;
}

static int has_secrets(const json_t *context, const struct hpke *h)
{
    return member_is(context, "key", h->key, sizeof h->key) &&
           member_is(context, "base_nonce", h->base_nonce, sizeof h->base_nonce) &&
           member_is(context, "exporter_secret", h->exporter, sizeof h->exporter) && h->seq == 0;
}

/* Both contexts, checked against every value of the key schedule that is left in them. */
static void setup(const json_t *context, struct hpke *sender, struct hpke *receiver)
{
    struct slice info = vectors_hex(context, "info");
    struct slice seed = vectors_hex(context, "ikmE");
    struct slice ikm = vectors_hex(context, "ikmR");
    struct dh_pk pk;
    struct dh_sk sk;
    uint8_t enc[HPKE_ENC_MAX];
    size_t enc_len = hpke_enc_len(HPKE_KEM_X25519);
    hpke_x25519_keypair(&pk, &sk, ikm);
    int ok = is_suite(context) && seed.len == hpke_seed_len(HPKE_KEM_X25519) &&
             member_is(context, "skRm", sk.b, sizeof sk.b) &&
             member_is(context, "pkRm", pk.b, sizeof pk.b) &&
             hpke_setup_sender(sender, enc, HPKE_KEM_X25519, slice_of(pk.b, sizeof pk.b), info,
                               seed.p) == ERR_OK &&
             member_is(context, "enc", enc, enc_len) &&
             hpke_setup_receiver(receiver, HPKE_KEM_X25519, slice_of(enc, enc_len), sk.b, info) ==
                 ERR_OK &&
             has_secrets(context, sender) && has_secrets(context, receiver);
    vectors_case(file, "setup", ok);
    vectors_free(info);
    vectors_free(seed);
    vectors_free(ikm);
}

static int encryption(const json_t *test, struct hpke *sender, struct hpke *receiver)
{
    struct slice aad = vectors_hex(test, "aad");
    struct slice plain = vectors_hex(test, "pt");
    struct slice sealed = vectors_hex(test, "ct");
    uint8_t out[256];
    int ok = plain.len + HPKE_TAG <= sizeof out && hpke_seal(sender, out, aad, plain) == ERR_OK &&
             slice_equal(sealed, slice_of(out, plain.len + HPKE_TAG)) &&
             hpke_open(receiver, out, aad, sealed) == ERR_OK &&
             slice_equal(plain, slice_of(out, plain.len));
    vectors_free(aad);
    vectors_free(plain);
    vectors_free(sealed);
    return ok;
}

static int export(const json_t *test, const struct hpke *h)
{
    struct slice context = vectors_hex(test, "exporter_context");
    size_t len = (size_t)json_integer_value(json_object_get(test, "L"));
    uint8_t out[256];
    int ok = len <= sizeof out && hpke_export(h, out, len, context) == ERR_OK &&
             member_is(test, "exported_value", out, len);
    vectors_free(context);
    return ok;
}

static void run(const json_t *context)
{
    struct hpke sender;
    struct hpke receiver;
    setup(context, &sender, &receiver);
    size_t i;
    json_t *test;
    char name[64];
    json_array_foreach(json_object_get(context, "encryptions"), i, test)
    {
        snprintf(name, sizeof name, "encryption %zu", i);
        vectors_case(file, name, encryption(test, &sender, &receiver));
    }
    json_array_foreach(json_object_get(context, "exports"), i, test)
    {
        snprintf(name, sizeof name, "export %zu", i);
        vectors_case(file, name, export(test, &sender) && export(test, &receiver));
    }
}

int main(void)
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    json_t *root = vectors_load(file);
    size_t i;
    json_t *context;
    if (json_is_array(root)) {
        json_array_foreach(root, i, context)
        {
            run(context);
        }
    } else {
        run(root);
    }
    json_decref(root);
    return vectors_done();
}
