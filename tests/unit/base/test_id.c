/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <ctype.h>
#include <string.h>

#include "base/bech32m.h"
#include "lib/data.h"
#include "lib/unit.h"

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static void some_key(struct unit_env *u, uint8_t pk[static 32])
{
    env_random(&u->env, pk, 32);
}

START_TEST(an_id_is_read_back_in_lower_and_upper_case)
{
    struct unit_env u;
    unit_env_init(&u, 1, 0);
    for (int i = 0; i < 32; i++) {
        uint8_t pk[32];
        uint8_t got[32];
        char text[ID_TEXT];
        some_key(&u, pk);
        id_encode(pk, text);
        ck_assert_uint_eq(strlen(text), ID_TEXT - 1);
        ck_assert_int_eq(strncmp(text, "petrel1", 7), 0);
        ck_assert_ok(id_decode(unit_str(text), got));
        ck_assert_mem_eq(got, pk, 32);
        for (char *c = text; *c != '\0'; c++) {
            *c = (char)toupper((unsigned char)*c);
        }
        memset(got, 0, sizeof got);
        ck_assert_ok(id_decode(unit_str(text), got));
        ck_assert_mem_eq(got, pk, 32);
    }
}
END_TEST

START_TEST(a_node_id_is_read_back_and_is_no_id)
{
    struct unit_env u;
    uint8_t pk[32];
    uint8_t got[32];
    char node[NODE_ID_TEXT];
    char id[ID_TEXT];
    unit_env_init(&u, 2, 0);
    some_key(&u, pk);
    node_id_encode(pk, node);
    id_encode(pk, id);
    ck_assert_int_eq(strncmp(node, "petrelnode1", 11), 0);
    ck_assert_ok(node_id_decode(unit_str(node), got));
    ck_assert_mem_eq(got, pk, 32);
    ck_assert_err(id_decode(unit_str(node), got), ERR_BAD_ID);
    ck_assert_err(node_id_decode(unit_str(id), got), ERR_BAD_ID);
}
END_TEST

START_TEST(mixed_case_is_refused)
{
    uint8_t pk[32] = {7};
    uint8_t got[32];
    char text[ID_TEXT];
    id_encode(pk, text);
    text[0] = 'P';
    ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_ID);
    id_encode(pk, text);
    char *letter = text + ID_TEXT - 2;
    while (!islower((unsigned char)*letter)) {
        letter--;
    }
    *letter = (char)toupper((unsigned char)*letter);
    ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_ID);
}
END_TEST

/* Replaces n characters of the data part by others of the alphabet. */
static void damage(struct unit_env *u, char *text, unsigned n)
{
    bool used[ID_TEXT] = {false};
    while (n > 0) {
        uint8_t r[2];
        env_random(&u->env, r, sizeof r);
        size_t at = 7 + r[0] % (ID_TEXT - 1 - 7);
        char c = alphabet[r[1] % 32];
        if (used[at] || text[at] == c) {
            continue;
        }
        used[at] = true;
        text[at] = c;
        n--;
    }
}

START_TEST(up_to_four_wrong_characters_are_always_found)
{
    struct unit_env u;
    unit_env_init(&u, 3, 0);
    uint8_t pk[32];
    some_key(&u, pk);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t got[32] = {0};
        char text[ID_TEXT];
        id_encode(pk, text);
        damage(&u, text, 1 + i % 4);
        ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_CHECKSUM);
        ck_assert_uint_eq(got[0] | got[31], 0);
    }
}
END_TEST

START_TEST(two_neighbours_swapped_are_found)
{
    struct unit_env u;
    unit_env_init(&u, 4, 0);
    uint8_t pk[32];
    some_key(&u, pk);
    char good[ID_TEXT];
    id_encode(pk, good);
    for (size_t i = 7; i + 2 < ID_TEXT; i++) {
        char text[ID_TEXT];
        uint8_t got[32];
        memcpy(text, good, sizeof text);
        text[i] = good[i + 1];
        text[i + 1] = good[i];
        if (good[i] != good[i + 1]) {
            ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_CHECKSUM);
        }
    }
}
END_TEST

START_TEST(every_other_length_is_refused)
{
    uint8_t pk[32] = {1};
    uint8_t got[32];
    char text[ID_TEXT + 1];
    id_encode(pk, text);
    for (size_t len = 0; len < ID_TEXT - 1; len++) {
        ck_assert_err(id_decode(slice_of(text, len), got), ERR_BAD_ID);
    }
    text[ID_TEXT - 1] = 'q';
    ck_assert_err(id_decode(slice_of(text, ID_TEXT), got), ERR_BAD_ID);
}
END_TEST

/* Text of any payload with a right checksum. */
static void with_groups(const char *hrp, const uint8_t *groups, size_t n, char *out)
{
    ck_assert_ok(bech32m_encode(hrp, groups, n, out));
}

START_TEST(another_version_prefix_or_set_padding_is_refused_with_a_right_checksum)
{
    uint8_t payload[33] = {ID_VERSION + 1};
    uint8_t groups[ID_GROUPS + 1] = {0};
    uint8_t got[32];
    char text[BECH32M_TEXT + 1];

    size_t n = bech32m_from_bytes(slice_of(payload, sizeof payload), groups, sizeof groups);
    with_groups(ID_HRP, groups, n, text);
    ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_ID);

    groups[0] = groups[1] = 0;
    with_groups("petrol", groups, n, text);
    ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_ID);
    with_groups(ID_HRP, groups, n, text);
    ck_assert_ok(id_decode(unit_str(text), got));

    groups[ID_GROUPS - 1] |= 1;
    with_groups(ID_HRP, groups, n, text);
    ck_assert_err(id_decode(unit_str(text), got), ERR_BAD_ID);
}
END_TEST

START_TEST(regrouping_reads_back_every_length)
{
    struct unit_env u;
    unit_env_init(&u, 5, 0);
    for (size_t len = 0; len <= 40; len++) {
        uint8_t in[40];
        uint8_t out[40];
        uint8_t groups[64];
        size_t got = 99;
        env_random(&u.env, in, sizeof in);
        size_t n = bech32m_from_bytes(slice_of(in, len), groups, sizeof groups);
        ck_assert_uint_eq(n, (len * 8 + 4) / 5);
        ck_assert_ok(bech32m_to_bytes(groups, n, out, sizeof out, &got));
        ck_assert_uint_eq(got, len);
        ck_assert_int_eq(memcmp(in, out, len), 0);
        if (len > 0) {
            ck_assert_err(bech32m_to_bytes(groups, n, out, len - 1, &got), ERR_MALFORMED);
            ck_assert_uint_eq(bech32m_from_bytes(slice_of(in, len), groups, n - 1), 0);
        }
    }
    static const uint8_t spare[8] = {0};
    uint8_t out[8];
    size_t got;
    ck_assert_err(bech32m_to_bytes(spare, 1, out, sizeof out, &got), ERR_MALFORMED);
}
END_TEST

START_TEST(encoding_refuses_what_is_out_of_form)
{
    uint8_t groups[90] = {0};
    char text[BECH32M_TEXT + 1];
    ck_assert_err(bech32m_encode("", groups, 1, text), ERR_ARGUMENT);
    ck_assert_err(bech32m_encode("Ab", groups, 1, text), ERR_ARGUMENT);
    ck_assert_err(bech32m_encode("a b", groups, 1, text), ERR_ARGUMENT);
    ck_assert_err(bech32m_encode("a", groups, 83, text), ERR_ARGUMENT);
    ck_assert_ok(bech32m_encode("a", groups, 82, text));
    groups[0] = 32;
    ck_assert_err(bech32m_encode("a", groups, 1, text), ERR_ARGUMENT);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("id");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        uint8_t pk[32];
        uint8_t got[32];
        char id[ID_TEXT];
        char node[NODE_ID_TEXT];
        data_bytes(c, "public_key", pk, sizeof pk);
        id_encode(pk, id);
        node_id_encode(pk, node);
        ck_assert_str_eq(id, data_text(c, "id"));
        ck_assert_str_eq(node, data_text(c, "node_id"));
        ck_assert_ok(id_decode(unit_str(id), got));
        ck_assert_mem_eq(got, pk, 32);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, own_vectors_hold);
    tcase_add_test(tc, an_id_is_read_back_in_lower_and_upper_case);
    tcase_add_test(tc, a_node_id_is_read_back_and_is_no_id);
    tcase_add_test(tc, mixed_case_is_refused);
    tcase_add_test(tc, up_to_four_wrong_characters_are_always_found);
    tcase_add_test(tc, two_neighbours_swapped_are_found);
    tcase_add_test(tc, every_other_length_is_refused);
    tcase_add_test(tc, another_version_prefix_or_set_padding_is_refused_with_a_right_checksum);
    tcase_add_test(tc, regrouping_reads_back_every_length);
    tcase_add_test(tc, encoding_refuses_what_is_out_of_form);
}

int main(void)
{
    return unit_main("base/id", add);
}
