/* SPDX-License-Identifier: Apache-2.0
 *
 * words: any text as recovery words; what decodes must encode to words that decode alike.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/words.h"
#include "fuzz/parts/parts.h"

void part_words(const uint8_t *data, size_t len)
{
    uint8_t seed[WORDS_SEED];
    uint8_t got[WORDS_SEED];
    char text[WORDS_TEXT];
    unsigned word;
    if (words_decode(slice_of(data, len), seed, &word) != ERR_OK) {
        return;
    }
    words_encode(seed, text);
    if (words_decode(slice_of(text, strlen(text)), got, &word) != ERR_OK ||
        memcmp(seed, got, sizeof seed) != 0) {
        abort();
    }
}
