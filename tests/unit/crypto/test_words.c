/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/words.h"

#include <string.h>

#include <sodium.h>

#include "lib/data.h"
#include "lib/unit.h"

/* The text of BIP 39's own vector for 32 bytes of zeros. */
#define ZEROS                                                                                      \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "     \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "     \
    "abandon art"

static enum err decode(const char *text, uint8_t *seed, unsigned *word)
{
    return words_decode(slice_of(text, strlen(text)), seed, word);
}

START_TEST(every_seed_is_read_back)
{
    struct unit_env u;
    unit_env_init(&u, 1, 0);
    for (int i = 0; i < 200; i++) {
        uint8_t seed[WORDS_SEED];
        uint8_t got[WORDS_SEED];
        char text[WORDS_TEXT];
        unsigned word = 99;
        env_random(&u.env, seed, sizeof seed);
        words_encode(seed, text);
        ck_assert_ok(decode(text, got, &word));
        ck_assert_mem_eq(got, seed, sizeof seed);
        ck_assert_uint_eq(word, 0);
    }
}
END_TEST

START_TEST(the_list_is_bip_39s)
{
    crypto_hash_sha256_state state;
    uint8_t hash[32];
    uint8_t want[32];
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < WORDS_LIST; i++) {
        ck_assert(i == 0 || strcmp(words_list[i - 1], words_list[i]) < 0);
        crypto_hash_sha256_update(&state, (const uint8_t *)words_list[i], strlen(words_list[i]));
        crypto_hash_sha256_update(&state, (const uint8_t *)"\n", 1);
    }
    crypto_hash_sha256_final(&state, hash);
    /* sha256sum of bip-0039/english.txt */
    unit_hex("2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda", want, 32);
    ck_assert_mem_eq(hash, want, 32);
}
END_TEST

START_TEST(case_and_white_space_do_not_matter)
{
    static const uint8_t zeros[WORDS_SEED] = {0};
    char text[1024] = " \t\n";
    uint8_t seed[WORDS_SEED];
    unsigned word;
    for (unsigned i = 0; i < 23; i++) {
        strcat(text, i % 2 == 0 ? "Abandon   " : "ABANDON\r\n");
    }
    strcat(text, "aRt \n");
    ck_assert_ok(decode(text, seed, &word));
    ck_assert_mem_eq(seed, zeros, sizeof seed);
}
END_TEST

START_TEST(an_unknown_word_is_named_and_the_seed_wiped)
{
    uint8_t seed[WORDS_SEED];
    uint8_t none[WORDS_SEED] = {0};
    unsigned word = 0;
    memset(seed, 7, sizeof seed);
    ck_assert_err(decode("abandon abandon abandn abandon", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 3);
    ck_assert_mem_eq(seed, none, sizeof seed);
    ck_assert_err(decode("abandonabandon", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 1);
    ck_assert_err(decode("zoo zoo\xc3\xa9", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 2);
    ck_assert_err(words_decode(slice_of("zoo\0x", 5), seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 1);
    /* Beginnings and neighbours of words are no words. */
    ck_assert_err(decode("aban", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 1);
    ck_assert_err(decode("zooo", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 1);
}
END_TEST

START_TEST(another_number_of_words_is_refused)
{
    uint8_t seed[WORDS_SEED];
    unsigned word = 99;
    ck_assert_err(decode("", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 0);
    ck_assert_err(decode(ZEROS " art", seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 0);
    ck_assert_err(words_decode(slice_of(ZEROS, strlen(ZEROS) - 4), seed, &word), ERR_ARGUMENT);
    ck_assert_uint_eq(word, 0);
    ck_assert_ok(decode(ZEROS, seed, &word));
    static char spaces[WORDS_INPUT_MAX + 1];
    memset(spaces, ' ', sizeof spaces);
    ck_assert_err(words_decode(slice_of(spaces, sizeof spaces), seed, &word), ERR_ARGUMENT);
}
END_TEST

START_TEST(a_wrong_word_or_swapped_words_fail_the_checksum)
{
    uint8_t seed[WORDS_SEED];
    unsigned word = 99;
    char text[WORDS_TEXT];
    strcpy(text, ZEROS);
    strcpy(text + strlen(text) - 3, "arm");
    ck_assert_err(decode(text, seed, &word), ERR_BAD_CHECKSUM);
    ck_assert_uint_eq(word, 0);
    ck_assert_err(decode("art " ZEROS, seed, &word), ERR_ARGUMENT);
    strcpy(text, "art ");
    strncat(text, ZEROS, strlen(ZEROS) - 4);
    ck_assert_err(decode(text, seed, &word), ERR_BAD_CHECKSUM);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("words");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        uint8_t seed[WORDS_SEED];
        uint8_t got[WORDS_SEED];
        char text[WORDS_TEXT];
        unsigned word;
        data_bytes(c, "seed", seed, sizeof seed);
        words_encode(seed, text);
        ck_assert_str_eq(text, data_text(c, "words"));
        ck_assert_ok(decode(text, got, &word));
        ck_assert_mem_eq(got, seed, sizeof seed);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_seed_is_read_back);
    tcase_add_test(tc, the_list_is_bip_39s);
    tcase_add_test(tc, case_and_white_space_do_not_matter);
    tcase_add_test(tc, an_unknown_word_is_named_and_the_seed_wiped);
    tcase_add_test(tc, another_number_of_words_is_refused);
    tcase_add_test(tc, a_wrong_word_or_swapped_words_fail_the_checksum);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("crypto/words", add);
}
