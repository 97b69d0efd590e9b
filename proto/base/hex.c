/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <limits.h>

void hex_encode(const uint8_t *p, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

/* 0-15; above that for what is no digit. */
static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (unsigned)(c - 'a' + 10);
    }
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : UINT_MAX;
}

bool hex_decode(struct slice text, uint8_t *out, size_t len)
{
    if (text.len != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (digit_of(text.p[i]) > 15) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(digit_of(text.p[2 * i]) << 4 | digit_of(text.p[2 * i + 1]));
    }
    return true;
}
