/* SPDX-License-Identifier: Apache-2.0
 *
 * words: 24 words that are an identity's 32-byte seed. BIP 39: its English list and checksum, and
 * nothing else of it: no passphrase, no stretching. Protocol section 1;
 * docs/protocol/06-identity.md, section 2.
 */
#ifndef PETREL_CRYPTO_WORDS_H
#define PETREL_CRYPTO_WORDS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    WORDS_COUNT = 24,
    WORDS_SEED = 32,        /* bytes */
    WORDS_LIST = 2048,      /* words of the list, sorted */
    WORDS_LETTERS = 8,      /* of the longest word */
    WORDS_TEXT = 24 * 9,    /* with spaces and NUL */
    WORDS_INPUT_MAX = 1024, /* longest text that words_decode looks at */
};

/* Sorted; words_list.c. */
extern const char words_list[WORDS_LIST][WORDS_LETTERS + 1];

/* Both are constant time but for the length of each word, which the text shows, and for what an
 * error says. */
/* Lower case, one space between, NUL-terminated. out is secret: wipe it after use. */
void words_encode(const uint8_t seed[static WORDS_SEED], char out[static WORDS_TEXT]);
/* Takes any case and any run of spaces, tabs and line ends between words. On failure seed is
 * wiped and *word says where: ERR_ARGUMENT with the number of the first word that is not in the
 * list (from 1), or 0 when there are not 24 words; ERR_BAD_CHECKSUM with 0. */
enum err words_decode(struct slice text, uint8_t seed[static WORDS_SEED],
                      unsigned *word) PETREL_MUST_USE;

#endif
