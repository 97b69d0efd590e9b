/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bech32m.h"

#include <string.h>

static const char alphabet[32] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

enum {
    HRP_LOW = 33, /* '!' */
    HRP_HIGH = 126,
};

static const uint32_t BECH32M_CONST = 0x2bc830a3; /* BIP 350 */

/* One step of the BCH code, BIP 173's polymod. */
static uint32_t step(uint32_t chk, uint8_t group)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t top = chk >> 25;
    chk = (chk & 0x1ffffff) << 5 ^ group;
    for (unsigned i = 0; i < 5; i++) {
        if ((top >> i & 1) != 0) {
            chk ^= generator[i];
        }
    }
    return chk;
}

/* The checksum's state after the expanded human-readable part. */
static uint32_t start(const char *hrp, size_t len)
{
    uint32_t chk = 1;
    for (size_t i = 0; i < len; i++) {
        chk = step(chk, (uint8_t)((uint8_t)hrp[i] >> 5));
    }
    chk = step(chk, 0);
    for (size_t i = 0; i < len; i++) {
        chk = step(chk, (uint8_t)hrp[i] & 31);
    }
    return chk;
}

enum err bech32m_encode(const char *hrp, const uint8_t *groups, size_t count,
                        char out[static BECH32M_TEXT + 1])
{
    size_t len = strlen(hrp);
    if (len == 0 || len > BECH32M_HRP || count > BECH32M_TEXT - 1 - BECH32M_CHECKSUM - len) {
        return ERR_ARGUMENT;
    }
    for (size_t i = 0; i < len; i++) {
        if (hrp[i] < HRP_LOW || hrp[i] > HRP_HIGH || (hrp[i] >= 'A' && hrp[i] <= 'Z')) {
            return ERR_ARGUMENT;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (groups[i] > 31) {
            return ERR_ARGUMENT;
        }
    }
    uint32_t chk = start(hrp, len);
    char *p = out;
    memcpy(p, hrp, len);
    p += len;
    *p++ = '1';
    for (size_t i = 0; i < count; i++) {
        chk = step(chk, groups[i]);
        *p++ = alphabet[groups[i]];
    }
    for (unsigned i = 0; i < BECH32M_CHECKSUM; i++) {
        chk = step(chk, 0);
    }
    chk ^= BECH32M_CONST;
    for (unsigned i = BECH32M_CHECKSUM; i-- > 0;) {
        *p++ = alphabet[chk >> (5 * i) & 31];
    }
    *p = '\0';
    return ERR_OK;
}

/* Copies text in lower case; false when a character is out of range or both cases occur. */
static bool fold(struct slice text, char *out)
{
    bool lower = false;
    bool upper = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c < HRP_LOW || c > HRP_HIGH) {
            return false;
        }
        if (c >= 'A' && c <= 'Z') {
            upper = true;
            c = (uint8_t)(c - 'A' + 'a');
        } else if (c >= 'a' && c <= 'z') {
            lower = true;
        }
        out[i] = (char)c;
    }
    return !(lower && upper);
}

enum err bech32m_decode(struct slice text, struct bech32m *out)
{
    char folded[BECH32M_TEXT];
    if (text.len > BECH32M_TEXT || !fold(text, folded)) {
        return ERR_MALFORMED;
    }
    size_t len = text.len;
    while (len > 0 && folded[len - 1] != '1') {
        len--;
    }
    /* len counts the separator; before it at least one character, after it the checksum. */
    if (len < 2 || text.len - len < BECH32M_CHECKSUM) {
        return ERR_MALFORMED;
    }
    struct bech32m got = {.count = text.len - len - BECH32M_CHECKSUM};
    memcpy(got.hrp, folded, len - 1);
    uint32_t chk = start(got.hrp, len - 1);
    for (size_t i = len; i < text.len; i++) {
        const char *at = memchr(alphabet, folded[i], sizeof alphabet);
        if (at == NULL) {
            return ERR_MALFORMED;
        }
        uint8_t group = (uint8_t)(at - alphabet);
        chk = step(chk, group);
        if (i - len < got.count) {
            got.groups[i - len] = group;
        }
    }
    if (chk != BECH32M_CONST) {
        return ERR_BAD_CHECKSUM;
    }
    *out = got;
    return ERR_OK;
}

size_t bech32m_from_bytes(struct slice bytes, uint8_t *groups, size_t cap)
{
    if (bytes.len > cap || (bytes.len * 8 + 4) / 5 > cap) {
        return 0;
    }
    unsigned acc = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        acc = (acc << 8 | bytes.p[i]) & 0xfff;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            groups[n++] = (uint8_t)(acc >> bits & 31);
        }
    }
    if (bits > 0) {
        groups[n++] = (uint8_t)(acc << (5 - bits) & 31);
    }
    return n;
}

enum err bech32m_to_bytes(const uint8_t *groups, size_t count, uint8_t *out, size_t cap,
                          size_t *len)
{
    unsigned acc = 0;
    unsigned bits = 0;
    size_t n = 0;
    if (count / 8 * 5 > cap || count * 5 / 8 > cap) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        acc = (acc << 5 | groups[i]) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(acc >> bits & 0xff);
        }
    }
    if (bits >= 5 || (acc & ((1u << bits) - 1)) != 0) {
        return ERR_MALFORMED;
    }
    *len = n;
    return ERR_OK;
}
