/* SPDX-License-Identifier: Apache-2.0
 *
 * HPKE over both KEMs, and our own vectors over X-Wing (tests/data/vectors/hpke-xwing.json, made by
 * the second implementation in tests/peers/xwing). RFC 9180's are in tests/vectors/test_hpke.c.
 */
#include "crypto/hpke.h"

#include <string.h>

#include <jansson.h>

#include "crypto/hkdf.h"
#include "crypto/xwing.h"
#include "lib/unit.h"

static const enum hpke_kem kems[] = {HPKE_KEM_X25519, HPKE_KEM_XWING};

struct pair {
    struct hpke sender;
    struct hpke receiver;
    uint8_t pk[HPKE_PUBLIC_KEY_MAX];
    uint8_t sk[HPKE_SECRET_KEY];
    uint8_t enc[HPKE_ENC_MAX];
};

static void pair_setup(struct pair *p, enum hpke_kem kem)
{
    const uint8_t seed[HPKE_SEED_MAX] = {1, 2, 3};
    const uint8_t sk_bytes[HPKE_SECRET_KEY] = {5, 5};
    memcpy(p->sk, sk_bytes, sizeof sk_bytes);
    if (kem == HPKE_KEM_XWING) {
        ck_assert_int_eq(crypto_kem_xwing_seed_keypair(p->pk, p->sk, sk_bytes), 0);
    } else {
        struct dh_sk sk;
        struct dh_pk pk;
        memcpy(sk.b, p->sk, sizeof sk.b);
        prim_dh_public(&pk, &sk);
        memcpy(p->pk, pk.b, sizeof pk.b);
    }
    ck_assert_ok(hpke_setup_sender(&p->sender, p->enc, kem,
                                   slice_of(p->pk, hpke_public_key_len(kem)), unit_str("info"),
                                   seed));
    ck_assert_ok(hpke_setup_receiver(&p->receiver, kem, slice_of(p->enc, hpke_enc_len(kem)), p->sk,
                                     unit_str("info")));
}

START_TEST(messages_open_in_their_order)
{
    struct pair p;
    pair_setup(&p, kems[_i]);
    uint8_t first[5 + HPKE_TAG];
    uint8_t second[5 + HPKE_TAG];
    uint8_t out[5];
    ck_assert_ok(hpke_seal(&p.sender, first, unit_str("a"), unit_str("hello")));
    ck_assert_ok(hpke_seal(&p.sender, second, unit_str("a"), unit_str("hello")));
    ck_assert_mem_ne(first, second, sizeof first);

    struct slice second_bytes = slice_of(second, sizeof second);
    ck_assert_err(hpke_open(&p.receiver, out, unit_str("a"), second_bytes), ERR_DECRYPT);
    ck_assert_uint_eq(p.receiver.seq, 0);
    ck_assert_ok(hpke_open(&p.receiver, out, unit_str("a"), slice_of(first, sizeof first)));
    ck_assert_mem_eq(out, "hello", 5);
    ck_assert_ok(hpke_open(&p.receiver, out, unit_str("a"), second_bytes));
    ck_assert_err(hpke_open(&p.receiver, out, unit_str("a"), second_bytes), ERR_DECRYPT);
}
END_TEST

START_TEST(changed_bytes_do_not_open_and_are_wiped)
{
    struct pair p;
    pair_setup(&p, kems[_i]);
    uint8_t sealed[5 + HPKE_TAG];
    const uint8_t zeros[5] = {0};
    uint8_t out[5];
    ck_assert_ok(hpke_seal(&p.sender, sealed, unit_str("aad"), unit_str("hello")));
    for (size_t i = 0; i < sizeof sealed; i++) {
        memset(out, 0xa5, sizeof out);
        sealed[i] ^= 0x40;
        ck_assert_err(hpke_open(&p.receiver, out, unit_str("aad"), slice_of(sealed, sizeof sealed)),
                      ERR_DECRYPT);
        ck_assert_mem_eq(out, zeros, sizeof out);
        sealed[i] ^= 0x40;
    }
    for (size_t len = 0; len < HPKE_TAG; len++) {
        ck_assert_err(hpke_open(&p.receiver, out, unit_str("aad"), slice_of(sealed, len)),
                      ERR_DECRYPT);
    }
    ck_assert_err(hpke_open(&p.receiver, out, unit_str("aae"), slice_of(sealed, sizeof sealed)),
                  ERR_DECRYPT);
    ck_assert_ok(hpke_open(&p.receiver, out, unit_str("aad"), slice_of(sealed, sizeof sealed)));
}
END_TEST

START_TEST(another_info_or_key_gives_another_context)
{
    struct pair p;
    enum hpke_kem kem = kems[_i];
    pair_setup(&p, kem);
    struct slice enc = slice_of(p.enc, hpke_enc_len(kem));
    struct hpke other;
    ck_assert_ok(hpke_setup_receiver(&other, kem, enc, p.sk, unit_str("infO")));
    ck_assert_mem_ne(other.key, p.sender.key, sizeof other.key);
    p.sk[1] ^= 1;
    ck_assert_ok(hpke_setup_receiver(&other, kem, enc, p.sk, unit_str("info")));
    ck_assert_mem_ne(other.key, p.sender.key, sizeof other.key);
    ck_assert_mem_ne(other.exporter, p.sender.exporter, sizeof other.exporter);
}
END_TEST

START_TEST(keys_and_encapsulations_out_of_form_are_refused)
{
    struct pair p;
    enum hpke_kem kem = kems[_i];
    pair_setup(&p, kem);
    const uint8_t seed[HPKE_SEED_MAX] = {9};
    struct hpke h;
    uint8_t enc[HPKE_ENC_MAX];
    struct slice info = unit_str("");
    size_t pk_len = hpke_public_key_len(kem);
    size_t enc_len = hpke_enc_len(kem);
    ck_assert_err(hpke_setup_sender(&h, enc, kem, slice_of(p.pk, pk_len - 1), info, seed),
                  ERR_BAD_KEY);
    ck_assert_err(hpke_setup_receiver(&h, kem, slice_of(p.enc, enc_len - 1), p.sk, info),
                  ERR_MALFORMED);
    /* X25519 halves of small order */
    memset(p.pk + pk_len - 32, 0, 32);
    memset(p.enc + enc_len - 32, 0, 32);
    ck_assert_err(hpke_setup_sender(&h, enc, kem, slice_of(p.pk, pk_len), info, seed), ERR_BAD_KEY);
    ck_assert_err(hpke_setup_receiver(&h, kem, slice_of(p.enc, enc_len), p.sk, info), ERR_BAD_KEY);
}
END_TEST

START_TEST(both_sides_export_the_same_and_no_more_than_hkdf_can)
{
    struct pair p;
    pair_setup(&p, kems[_i]);
    uint8_t a[64];
    uint8_t b[64];
    static uint8_t longest[HKDF_OUTPUT_MAX + 1];
    ck_assert_ok(hpke_export(&p.sender, a, sizeof a, unit_str("response")));
    ck_assert_ok(hpke_export(&p.receiver, b, sizeof b, unit_str("response")));
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_ok(hpke_export(&p.receiver, b, sizeof b, unit_str("another")));
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert_ok(hpke_export(&p.sender, longest, HKDF_OUTPUT_MAX, unit_str("")));
    ck_assert_err(hpke_export(&p.sender, longest, sizeof longest, unit_str("")), ERR_ARGUMENT);
}
END_TEST

START_TEST(the_last_sequence_number_is_never_used)
{
    struct pair p;
    pair_setup(&p, kems[_i]);
    uint8_t buf[1 + HPKE_TAG];
    p.sender.seq = UINT64_MAX;
    p.receiver.seq = UINT64_MAX;
    ck_assert_err(hpke_seal(&p.sender, buf, unit_str(""), unit_str("x")), ERR_NOT_NOW);
    ck_assert_err(hpke_open(&p.receiver, buf, unit_str(""), slice_of(buf, sizeof buf)),
                  ERR_NOT_NOW);
    hpke_fini(&p.sender);
    ck_assert_uint_eq(p.sender.key[0] | p.sender.exporter[0] | p.sender.base_nonce[0], 0);
}
END_TEST

static size_t hex_of(const json_t *object, const char *member, uint8_t *out, size_t cap)
{
    const char *hex = json_string_value(json_object_get(object, member));
    ck_assert_msg(hex != NULL, "no member %s", member);
    return unit_hex(hex, out, cap);
}

static void check_member(const json_t *object, const char *member, const void *got, size_t len)
{
    uint8_t expected[2048];
    ck_assert_uint_eq(hex_of(object, member, expected, sizeof expected), len);
    ck_assert_msg(memcmp(expected, got, len) == 0, "%s differs", member);
}

static void replay_messages(const json_t *item, struct hpke *sender, struct hpke *receiver)
{
    size_t i;
    json_t *test;
    uint8_t aad[256];
    uint8_t plain[256];
    uint8_t out[256];
    json_array_foreach(json_object_get(item, "encryptions"), i, test)
    {
        struct slice aad_bytes = slice_of(aad, hex_of(test, "aad", aad, sizeof aad));
        struct slice plain_bytes = slice_of(plain, hex_of(test, "plain", plain, sizeof plain));
        ck_assert_ok(hpke_seal(sender, out, aad_bytes, plain_bytes));
        check_member(test, "sealed", out, plain_bytes.len + HPKE_TAG);
        ck_assert_ok(
            hpke_open(receiver, out, aad_bytes, slice_of(out, plain_bytes.len + HPKE_TAG)));
        check_member(test, "plain", out, plain_bytes.len);
    }
    ck_assert_uint_ge(i, 3);
    json_array_foreach(json_object_get(item, "exports"), i, test)
    {
        struct slice context = slice_of(aad, hex_of(test, "context", aad, sizeof aad));
        size_t len = (size_t)json_integer_value(json_object_get(test, "len"));
        ck_assert_uint_le(len, sizeof out);
        ck_assert_ok(hpke_export(receiver, out, len, context));
        check_member(test, "value", out, len);
    }
    ck_assert_uint_ge(i, 2);
}

static void replay(const json_t *item)
{
    uint8_t sk[HPKE_SECRET_KEY];
    uint8_t pk[HPKE_PUBLIC_KEY_MAX];
    uint8_t enc[HPKE_ENC_MAX];
    uint8_t seed[HPKE_SEED_MAX];
    uint8_t info[64];
    struct hpke sender;
    struct hpke receiver;
    uint8_t sk_bytes[HPKE_SECRET_KEY];
    ck_assert_uint_eq(hex_of(item, "sk", sk_bytes, sizeof sk_bytes), sizeof sk_bytes);
    ck_assert_uint_eq(hex_of(item, "seed", seed, sizeof seed), sizeof seed);
    struct slice info_bytes = slice_of(info, hex_of(item, "info", info, sizeof info));
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(pk, sk, sk_bytes), 0);
    check_member(item, "pk", pk, sizeof pk);
    ck_assert_ok(
        hpke_setup_sender(&sender, enc, HPKE_KEM_XWING, slice_of(pk, sizeof pk), info_bytes, seed));
    check_member(item, "enc", enc, sizeof enc);
    ck_assert_ok(
        hpke_setup_receiver(&receiver, HPKE_KEM_XWING, slice_of(enc, sizeof enc), sk, info_bytes));
    check_member(item, "key", receiver.key, sizeof receiver.key);
    check_member(item, "base_nonce", receiver.base_nonce, sizeof receiver.base_nonce);
    check_member(item, "exporter_secret", receiver.exporter, sizeof receiver.exporter);
    uint8_t shared[crypto_kem_xwing_SHAREDSECRETBYTES];
    ck_assert_int_eq(crypto_kem_xwing_dec(shared, enc, sk), 0);
    check_member(item, "shared_secret", shared, sizeof shared);
    replay_messages(item, &sender, &receiver);
}

START_TEST(our_vectors_over_xwing_hold)
{
    json_error_t error;
    json_t *root = json_load_file(PETREL_TEST_DIR "/data/vectors/hpke-xwing.json", 0, &error);
    ck_assert_msg(root != NULL, "hpke-xwing.json: line %d: %s", error.line, error.text);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(root, "cases"), i, item)
    {
        replay(item);
    }
    ck_assert_uint_eq(i, 4);
    json_decref(root);
}
END_TEST

static void add(TCase *tc)
{
    const int n = (int)(sizeof kems / sizeof kems[0]);
    tcase_add_loop_test(tc, messages_open_in_their_order, 0, n);
    tcase_add_loop_test(tc, changed_bytes_do_not_open_and_are_wiped, 0, n);
    tcase_add_loop_test(tc, another_info_or_key_gives_another_context, 0, n);
    tcase_add_loop_test(tc, keys_and_encapsulations_out_of_form_are_refused, 0, n);
    tcase_add_loop_test(tc, both_sides_export_the_same_and_no_more_than_hkdf_can, 0, n);
    tcase_add_loop_test(tc, the_last_sequence_number_is_never_used, 0, n);
    tcase_add_test(tc, our_vectors_over_xwing_hold);
}

int main(void)
{
    return unit_main("crypto/hpke", add);
}
