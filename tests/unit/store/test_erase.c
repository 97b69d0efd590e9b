/* SPDX-License-Identifier: Apache-2.0 */
#include "store/erase.h"

#include <string.h>

#include "base/limits.h"
#include "lib/unit.h"

static const uint8_t secret[SEAL_KEY] = {1, 2, 3};
static const uint8_t root_a[SEAL_KEY] = {0xaa};
static const uint8_t root_b[SEAL_KEY] = {0xbb};
static const uint8_t nonce[PRIM_AEAD_NONCE] = {9};

static struct erase_file one_slot(void)
{
    struct erase_file f = {
        .account = 1,
        .kdf = {.kind = ERASE_KDF_ARGON2ID, .ops = 3, .mem_kib = 262144, .salt = {5}}};
    erase_slot_seal(&f, 0, 1, secret, nonce, root_a);
    return f;
}

static enum err decode(struct erase_file *f, const uint8_t *bytes)
{
    return erase_decode(f, slice_of(bytes, ERASE_FILE));
}

START_TEST(what_is_encoded_decodes_and_opens)
{
    uint8_t bytes[ERASE_FILE];
    uint8_t root[SEAL_KEY];
    struct erase_file in = one_slot();
    struct erase_file f;
    erase_encode(bytes, &in);
    ck_assert_ok(decode(&f, bytes));
    ck_assert_uint_eq(f.account, 1);
    ck_assert_int_eq(f.kdf.kind, ERASE_KDF_ARGON2ID);
    ck_assert_uint_eq(f.kdf.ops, 3);
    ck_assert_uint_eq(f.kdf.mem_kib, 262144);
    ck_assert_mem_eq(f.kdf.salt, in.kdf.salt, ERASE_SALT);
    ck_assert_int_eq(erase_newest(&f), 0);
    ck_assert_uint_eq(f.slots[1].generation, 0);
    ck_assert_ok(erase_slot_open(&f, 0, secret, root));
    ck_assert_mem_eq(root, root_a, SEAL_KEY);
}
END_TEST

START_TEST(another_secret_is_a_wrong_key_and_gives_nothing)
{
    uint8_t root[SEAL_KEY] = {7};
    static const uint8_t zeros[SEAL_KEY];
    uint8_t wrong[SEAL_KEY];
    struct erase_file f = one_slot();
    memcpy(wrong, secret, sizeof wrong);
    wrong[31] ^= 1;
    ck_assert_err(erase_slot_open(&f, 0, wrong, root), ERR_WRONG_KEY);
    ck_assert_mem_eq(root, zeros, SEAL_KEY);
}
END_TEST

START_TEST(the_newer_slot_wins_and_a_torn_one_counts_as_empty)
{
    uint8_t bytes[ERASE_FILE];
    uint8_t root[SEAL_KEY];
    struct erase_file f = one_slot();
    erase_slot_seal(&f, 1, 2, secret, nonce, root_b);
    erase_encode(bytes, &f);
    ck_assert_ok(decode(&f, bytes));
    ck_assert_int_eq(erase_newest(&f), 1);
    ck_assert_ok(erase_slot_open(&f, 1, secret, root));
    ck_assert_mem_eq(root, root_b, SEAL_KEY);

    bytes[2 * ERASE_BLOCK + 20] ^= 1; /* a write that was cut short */
    ck_assert_ok(decode(&f, bytes));
    ck_assert_int_eq(erase_newest(&f), 0);
    ck_assert_uint_eq(f.slots[1].generation, 0);
    ck_assert_ok(erase_slot_open(&f, 0, secret, root));
    ck_assert_mem_eq(root, root_a, SEAL_KEY);
    bytes[ERASE_BLOCK + 40] ^= 1;
    ck_assert_err(decode(&f, bytes), ERR_CORRUPT);
}
END_TEST

START_TEST(slots_cannot_be_exchanged_nor_the_header)
{
    uint8_t bytes[ERASE_FILE];
    uint8_t root[SEAL_KEY];
    struct erase_file f = one_slot();
    erase_encode(bytes, &f);
    memcpy(bytes + 2 * ERASE_BLOCK, bytes + ERASE_BLOCK, ERASE_BLOCK);
    ck_assert_ok(decode(&f, bytes));
    ck_assert_uint_eq(f.slots[1].generation, 0); /* its checksum names its place */
    f.account = 2;
    ck_assert_err(erase_slot_open(&f, 0, secret, root), ERR_WRONG_KEY);
    f = one_slot();
    f.kdf.ops = 1;
    ck_assert_err(erase_slot_open(&f, 0, secret, root), ERR_WRONG_KEY);
    f = one_slot();
    f.slots[0].generation = 2;
    ck_assert_err(erase_slot_open(&f, 0, secret, root), ERR_WRONG_KEY);
}
END_TEST

START_TEST(every_flipped_byte_of_the_header_is_refused)
{
    uint8_t bytes[ERASE_FILE];
    struct erase_file in = one_slot();
    struct erase_file f = {.account = 77};
    erase_encode(bytes, &in);
    for (size_t i = 0; i < 62; i++) {
        bytes[i] ^= 0x02;
        ck_assert_err(decode(&f, bytes), i == 16 ? ERR_SCHEMA_NEWER : ERR_CORRUPT);
        bytes[i] ^= 0x02;
    }
    ck_assert_err(erase_decode(&f, slice_of(bytes, ERASE_FILE - 1)), ERR_CORRUPT);
    ck_assert_err(erase_decode(&f, slice_of(NULL, 0)), ERR_CORRUPT);
    ck_assert_uint_eq(f.account, 77);
}
END_TEST

START_TEST(costs_beyond_the_limits_are_refused)
{
    static const struct erase_kdf bad[] = {
        {.kind = ERASE_KDF_ARGON2ID, .ops = 0, .mem_kib = 1024},
        {.kind = ERASE_KDF_ARGON2ID, .ops = LIMIT_KDF_OPS + 1, .mem_kib = 1024},
        {.kind = ERASE_KDF_ARGON2ID, .ops = 1, .mem_kib = 7},
        {.kind = ERASE_KDF_ARGON2ID, .ops = 1, .mem_kib = LIMIT_KDF_MEM_KIB + 1},
        {.kind = ERASE_KDF_KEY_FILE, .ops = 1, .mem_kib = 0},
        {.kind = ERASE_KDF_CREDENTIAL, .ops = 0, .mem_kib = 8},
        {.kind = (enum erase_kdf_kind)4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[ERASE_FILE];
        struct erase_file f = {.account = 1, .kdf = bad[i]};
        erase_slot_seal(&f, 0, 1, secret, nonce, root_a);
        erase_encode(bytes, &f);
        ck_assert_err(decode(&f, bytes), ERR_CORRUPT);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_encoded_decodes_and_opens);
    tcase_add_test(tc, another_secret_is_a_wrong_key_and_gives_nothing);
    tcase_add_test(tc, the_newer_slot_wins_and_a_torn_one_counts_as_empty);
    tcase_add_test(tc, slots_cannot_be_exchanged_nor_the_header);
    tcase_add_test(tc, every_flipped_byte_of_the_header_is_refused);
    tcase_add_test(tc, costs_beyond_the_limits_are_refused);
}

int main(void)
{
    return unit_main("store/erase", add);
}
