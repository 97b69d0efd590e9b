/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/words.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypto/ct.h"

enum {
    WORD_BITS = 11,
    CODE = WORDS_SEED + 1, /* seed | first byte of its SHA-256 */
};

static_assert(CODE * 8 == WORDS_COUNT * WORD_BITS, "24 words carry 264 bits");
static_assert(1 << WORD_BITS == WORDS_LIST, "11 bits a word");
static_assert(WORDS_TEXT == WORDS_COUNT * (WORDS_LETTERS + 1), "longest text");

static uint8_t checksum(const uint8_t seed[static WORDS_SEED])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(hash, seed, WORDS_SEED);
    uint8_t first = hash[0];
    secret_wipe(hash, sizeof hash);
    return first;
}

/* All ones when a == b, else 0; without a branch. */
static uint32_t equal_mask(uint64_t a, uint64_t b)
{
    uint64_t differ = a ^ b;
    return ct_hide((uint32_t)((differ | (0 - differ)) >> 63) - 1);
}

/* The letters of a word in one number; zeros behind the last. */
static uint64_t packed(const char letters[static WORDS_LETTERS])
{
    uint64_t all = 0;
    for (unsigned i = 0; i < WORDS_LETTERS; i++) {
        all = all << 8 | (uint8_t)letters[i];
    }
    return all;
}

/* The word at this place of the list, which is a secret: all of the list is read. */
static uint64_t word_at(unsigned place)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < WORDS_LIST; i++) {
        uint64_t mask = equal_mask(i, place);
        word |= packed(words_list[i]) & (mask << 32 | mask);
    }
    return word;
}

/* Appends the word and a space; gives where the next one begins. How long each word is cannot be
 * hidden: the text shows it, and is as long as they are together. */
static char *append(char *p, uint64_t word)
{
    size_t len = 0;
    for (unsigned i = 0; i < WORDS_LETTERS; i++) {
        char letter = (char)(word >> (8 * (WORDS_LETTERS - 1 - i)) & 0xff);
        bool end = letter == 0;
        CT_PUBLIC(&end, sizeof end);
        if (end) {
            break;
        }
        p[len++] = letter;
    }
    p[len] = ' ';
    return p + len + 1;
}

void words_encode(const uint8_t seed[static WORDS_SEED], char out[static WORDS_TEXT])
{
    uint8_t code[CODE];
    char *p = out;
    unsigned acc = 0;
    unsigned bits = 0;
    memcpy(code, seed, WORDS_SEED);
    code[WORDS_SEED] = checksum(seed);
    for (unsigned i = 0; i < CODE; i++) {
        acc = (acc << 8 | code[i]) & 0x7ffff;
        bits += 8;
        if (bits >= WORD_BITS) {
            bits -= WORD_BITS;
            p = append(p, word_at(acc >> bits & (WORDS_LIST - 1)));
        }
    }
    p[-1] = '\0';
    secret_wipe(code, sizeof code);
    secret_wipe(&acc, sizeof acc);
}

/* The word's place in the list, or -1: all of the list is read. word is lower case, with zeros
 * behind. Whether it is there is told to the user. */
static int find(const char word[static WORDS_LETTERS + 2])
{
    uint64_t letters = packed(word);
    uint32_t place = 0;
    uint32_t there = 0;
    for (uint32_t i = 0; i < WORDS_LIST; i++) {
        uint32_t mask = equal_mask(packed(words_list[i]), letters);
        place |= i & mask;
        there |= mask;
    }
    bool found = (there & equal_mask((uint8_t)word[WORDS_LETTERS], 0)) != 0;
    CT_PUBLIC(&found, sizeof found);
    return found ? (int)place : -1;
}

/* Where words end is no secret: see append. */
static bool is_space(uint8_t c)
{
    bool space = (c == ' ') | ((c >= '\t') & (c <= '\r'));
    CT_PUBLIC(&space, sizeof space);
    return space;
}

/* c in lower case; a NUL, which would end the word early, as a '?'. Without a branch. */
static char lower(uint8_t c)
{
    uint32_t upper = (uint32_t)(c >= 'A') & (uint32_t)(c <= 'Z');
    return (char)(c | ct_hide(upper) << 5 | (equal_mask(c, 0) & '?'));
}

/* Takes the next word off text, in lower case; its length, 0 at the end. What is longer than any
 * word is cut to a length that no word has. */
static size_t next_word(struct slice *text, char word[static WORDS_LETTERS + 2])
{
    size_t n = 0;
    memset(word, 0, WORDS_LETTERS + 2);
    while (text->len > 0 && is_space(text->p[0])) {
        *text = slice_of(text->p + 1, text->len - 1);
    }
    while (text->len > 0 && !is_space(text->p[0])) {
        if (n <= WORDS_LETTERS) {
            word[n++] = lower(text->p[0]);
        }
        *text = slice_of(text->p + 1, text->len - 1);
    }
    return n;
}

/* Puts the 11 bits of the word at place n into code. */
static void put(uint8_t code[static CODE], unsigned n, unsigned value)
{
    for (unsigned i = 0; i < WORD_BITS; i++) {
        unsigned bit = n * WORD_BITS + i;
        unsigned set = value >> (WORD_BITS - 1 - i) & 1;
        code[bit / 8] = (uint8_t)(code[bit / 8] | set << (7 - bit % 8));
    }
}

static enum err decode(struct slice text, uint8_t code[static CODE], unsigned *word)
{
    char letters[WORDS_LETTERS + 2];
    unsigned n = 0;
    enum err err = ERR_OK;
    *word = 0;
    if (text.len > WORDS_INPUT_MAX) {
        return ERR_ARGUMENT;
    }
    while (err == ERR_OK && next_word(&text, letters) > 0) {
        int place = find(letters);
        if (place < 0) {
            *word = n + 1;
            err = ERR_ARGUMENT;
        } else if (n < WORDS_COUNT) {
            put(code, n, (unsigned)place);
        }
        n++;
    }
    secret_wipe(letters, sizeof letters);
    if (err == ERR_OK && n != WORDS_COUNT) {
        err = ERR_ARGUMENT;
    }
    return err;
}

enum err words_decode(struct slice text, uint8_t seed[static WORDS_SEED], unsigned *word)
{
    uint8_t code[CODE] = {0};
    enum err err = decode(text, code, word);
    bool good = checksum(code) == code[WORDS_SEED];
    CT_PUBLIC(&good, sizeof good); /* the user hears of it */
    if (err == ERR_OK && !good) {
        err = ERR_BAD_CHECKSUM;
    }
    if (err == ERR_OK) {
        memcpy(seed, code, WORDS_SEED);
    } else {
        secret_wipe(seed, WORDS_SEED);
    }
    secret_wipe(code, sizeof code);
    return err;
}
