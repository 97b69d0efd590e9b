/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/prekey.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "lib/pair.h"

static struct pair_party p;
static uint8_t spk_bytes[PREKEY_PART];
static uint8_t otk_bytes[PREKEY_PART];
static struct slice spk;
static struct slice otk;

static void setup(void)
{
    pair_party_init(&p, 21);
    struct writer w = writer_of(spk_bytes, sizeof spk_bytes);
    ck_assert_ok(prekey_write(&w, &p.spk, &p.sign_sk));
    spk = writer_done(&w);
    w = writer_of(otk_bytes, sizeof otk_bytes);
    ck_assert_ok(prekey_write(&w, &p.otk, &p.sign_sk));
    otk = writer_done(&w);
}

static void teardown(void)
{
    pair_party_fini(&p);
}

static enum err open_parts(struct slice s, struct slice o)
{
    struct pair_bundle bundle;
    uint64_t created;
    return prekey_bundle_open(s, o, &p.sign, PAIR_NOW, &bundle, &created);
}

START_TEST(a_published_bundle_is_read_back)
{
    struct pair_bundle bundle;
    uint64_t created;
    struct dh_pk pk;
    ck_assert_ok(prekey_bundle_open(spk, otk, &p.sign, PAIR_NOW, &bundle, &created));
    ck_assert_uint_eq(created, PAIR_NOW);
    ck_assert_uint_eq(bundle.spk_id, PAIR_SPK_ID);
    ck_assert(bundle.one_time);
    ck_assert_uint_eq(bundle.one_time_id, PAIR_OTK_ID);
    prim_dh_public(&pk, &p.spk.dh);
    ck_assert_mem_eq(bundle.spk.b, pk.b, 32);
    prim_dh_public(&pk, &p.otk.dh);
    ck_assert_mem_eq(bundle.otk.b, pk.b, 32);
    struct prekey_keys keys;
    prekey_keys_init(&keys, &p.spk, &p.otk);
    ck_assert_mem_eq(bundle.kem_ek, keys.kem_dk + 1152, SESSION_KEM_EK);

    ck_assert_ok(prekey_bundle_open(spk, slice_of(NULL, 0), &p.sign, PAIR_NOW, &bundle, &created));
    ck_assert(!bundle.one_time && bundle.one_time_id == 0);
    prekey_keys_init(&keys, &p.spk, NULL);
    ck_assert_mem_eq(bundle.kem_ek, keys.kem_dk + 1152, SESSION_KEM_EK);
    prekey_keys_wipe(&keys);
}
END_TEST

START_TEST(both_kinds_fit_a_records_part)
{
    ck_assert_uint_le(spk.len, PREKEY_PART);
    ck_assert_uint_le(otk.len, PREKEY_PART);
    ck_assert_uint_le(spk.len + 256, LIMIT_RECORD_PART); /* sealing and framing */
    uint8_t small[100];
    struct writer w = writer_of(small, sizeof small);
    ck_assert_err(prekey_write(&w, &p.spk, &p.sign_sk), ERR_NO_SPACE);
}
END_TEST

START_TEST(a_changed_byte_or_another_signer_is_refused)
{
    for (size_t i = 0; i < otk.len; i += 13) {
        otk_bytes[i] ^= 1;
        enum err err = open_parts(spk, otk);
        ck_assert_msg(err == ERR_BAD_SIGNATURE || err == ERR_MALFORMED || err == ERR_TOO_LARGE,
                      "byte %zu: %s", i, err_name(err));
        otk_bytes[i] ^= 1;
    }
    struct pair_party other;
    pair_party_init(&other, 22);
    p.sign = other.sign;
    ck_assert_err(open_parts(spk, otk), ERR_BAD_SIGNATURE);
    memset(&p.sign, 0, sizeof p.sign);
    ck_assert_err(open_parts(spk, otk), ERR_BAD_KEY);
    pair_party_fini(&other);
}
END_TEST

START_TEST(one_kind_is_not_taken_for_the_other)
{
    ck_assert_err(open_parts(otk, slice_of(NULL, 0)), ERR_BAD_SIGNATURE);
    ck_assert_err(open_parts(spk, spk), ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(other_forms_are_refused)
{
    ck_assert_err(open_parts(slice_of(NULL, 0), otk), ERR_MALFORMED);
    for (size_t len = 0; len < spk.len; len += 7) {
        ck_assert_err(open_parts(slice_of(spk.p, len), slice_of(NULL, 0)), ERR_MALFORMED);
    }
    static const uint8_t large[LIMIT_RECORD_PART + 1];
    ck_assert_err(open_parts(slice_of(large, sizeof large), slice_of(NULL, 0)), ERR_TOO_LARGE);
}
END_TEST

/* A map signed rightly but with other contents. */
static enum err open_signed_map(uint32_t id, size_t ek_len, bool created)
{
    uint8_t body[1400];
    uint8_t out[1600];
    uint8_t bytes[1300] = {0};
    uint8_t signature[PRIM_SIGNATURE];
    struct writer w = writer_of(body, sizeof body);
    pack_map(&w, created ? 4 : 3);
    pack_uint(&w, 0);
    pack_uint(&w, id);
    pack_uint(&w, 1);
    pack_bin(&w, bytes, 32);
    pack_uint(&w, 2);
    pack_bin(&w, bytes, ek_len);
    if (created) {
        pack_uint(&w, 3);
        pack_uint(&w, PAIR_NOW);
    }
    ck_assert_ok(prim_sign(signature, "petrel/1 prekey", writer_done(&w), &p.sign_sk));
    struct writer o = writer_of(out, sizeof out);
    pack_array(&o, 2);
    pack_bin_slice(&o, writer_done(&w));
    pack_bin(&o, signature, sizeof signature);
    return open_parts(writer_done(&o), slice_of(NULL, 0));
}

START_TEST(a_signed_map_with_missing_or_wrong_fields_is_refused)
{
    ck_assert_ok(open_signed_map(1, SESSION_KEM_EK, true));
    ck_assert_err(open_signed_map(0, SESSION_KEM_EK, true), ERR_MALFORMED);
    ck_assert_err(open_signed_map(1, SESSION_KEM_EK - 1, true), ERR_MALFORMED);
    ck_assert_err(open_signed_map(1, SESSION_KEM_EK + 1, true), ERR_TOO_LARGE);
    ck_assert_err(open_signed_map(1, SESSION_KEM_EK, false), ERR_MALFORMED);
}
END_TEST

START_TEST(a_bundle_whose_secrets_are_gone_is_expired)
{
    struct pair_bundle bundle;
    uint64_t created;
    uint64_t life = (LIMIT_PREKEY_DAYS + LIMIT_PREKEY_KEEP_DAYS) * LIMIT_DAY_MS;
    struct slice none = slice_of(NULL, 0);
    ck_assert_ok(prekey_bundle_open(spk, none, &p.sign, PAIR_NOW + life, &bundle, &created));
    ck_assert_err(prekey_bundle_open(spk, none, &p.sign, PAIR_NOW + life + 1, &bundle, &created),
                  ERR_EXPIRED);
    /* A clock that is behind the publisher's is no reason to refuse. */
    ck_assert_ok(prekey_bundle_open(spk, none, &p.sign, PAIR_NOW - life, &bundle, &created));
}
END_TEST

START_TEST(a_secret_is_stored_and_read_back)
{
    uint8_t row[PREKEY_SECRET + 1] = {0};
    struct prekey_secret back;
    prekey_secret_encode(&p.otk, row);
    ck_assert_ok(prekey_secret_decode(slice_of(row, PREKEY_SECRET), &back));
    ck_assert_uint_eq(back.kind, PREKEY_ONE_TIME);
    ck_assert_uint_eq(back.id, PAIR_OTK_ID);
    ck_assert_uint_eq(back.created_ms, PAIR_NOW);
    ck_assert_mem_eq(back.dh.b, p.otk.dh.b, 32);
    ck_assert_mem_eq(back.kem_seed, p.otk.kem_seed, PREKEY_KEM_SEED);
    static const struct prekey_secret wiped;
    for (size_t i = 0; i < 6; i++) {
        memset(&back, 1, sizeof back);
        size_t len = i == 0 ? PREKEY_SECRET - 1 : i == 1 ? PREKEY_SECRET + 1 : PREKEY_SECRET;
        prekey_secret_encode(&p.otk, row);
        row[0] = i == 2 ? 2 : row[0];
        row[1] = i == 3 ? 0 : i == 4 ? 3 : row[1];
        if (i == 5) {
            memset(row + 2, 0, 4);
        }
        ck_assert_err(prekey_secret_decode(slice_of(row, len), &back), ERR_CORRUPT);
        ck_assert_mem_eq(back.dh.b, wiped.dh.b, sizeof back.dh.b);
        ck_assert_mem_eq(back.kem_seed, wiped.kem_seed, sizeof back.kem_seed);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_published_bundle_is_read_back);
    tcase_add_test(tc, both_kinds_fit_a_records_part);
    tcase_add_test(tc, a_changed_byte_or_another_signer_is_refused);
    tcase_add_test(tc, one_kind_is_not_taken_for_the_other);
    tcase_add_test(tc, other_forms_are_refused);
    tcase_add_test(tc, a_signed_map_with_missing_or_wrong_fields_is_refused);
    tcase_add_test(tc, a_bundle_whose_secrets_are_gone_is_expired);
    tcase_add_test(tc, a_secret_is_stored_and_read_back);
}

int main(void)
{
    return unit_main("pair/prekey", add);
}
