/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/words.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"

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
            const char *word = words_list[acc >> bits & (WORDS_LIST - 1)];
            size_t len = strlen(word);
            memcpy(p, word, len);
            p[len] = ' ';
            p += len + 1;
        }
    }
    p[-1] = '\0';
    secret_wipe(code, sizeof code);
    secret_wipe(&acc, sizeof acc);
}

/* The word's place in the list, or -1. word is lower case and NUL-terminated. */
static int find(const char *word)
{
    int low = 0;
    int high = WORDS_LIST;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = strcmp(words_list[middle], word);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next word off text, in lower case; its length, 0 at the end. What is longer than any
 * word is cut to a length that no word has. */
static size_t next_word(struct slice *text, char word[static WORDS_LETTERS + 2])
{
    size_t n = 0;
    while (text->len > 0 && is_space(text->p[0])) {
        *text = slice_of(text->p + 1, text->len - 1);
    }
    while (text->len > 0 && !is_space(text->p[0])) {
        uint8_t c = text->p[0];
        if (n <= WORDS_LETTERS) {
            /* A NUL would end the word early. */
            c = c == 0 ? '?' : c;
            word[n++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        *text = slice_of(text->p + 1, text->len - 1);
    }
    word[n] = '\0';
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
    if (err == ERR_OK && checksum(code) != code[WORDS_SEED]) {
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
