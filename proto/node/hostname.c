/* SPDX-License-Identifier: Apache-2.0 */
#include "node/hostname.h"

#include <string.h>

enum {
    LABEL = 63, /* longest label of a DNS name, RFC 1035, section 2.3.4 */
    WORDS = 8,  /* 16-bit words of an IPv6 address */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* A decimal number 0-255 without leading zeros at the start of *text; -1 when there is none. */
static int take_octet(struct slice *text)
{
    int v = 0;
    size_t n = 0;
    while (n < text->len && n < 4 && is_digit(text->p[n])) {
        v = v * 10 + (text->p[n] - '0');
        n++;
    }
    if (n == 0 || n > 3 || v > 255 || (n > 1 && text->p[0] == '0')) {
        return -1;
    }
    *text = slice_of(text->p + n, text->len - n);
    return v;
}

static bool take_char(struct slice *text, char c)
{
    if (text->len == 0 || text->p[0] != (uint8_t)c) {
        return false;
    }
    *text = slice_of(text->p + 1, text->len - 1);
    return true;
}

bool hostname_ipv4(struct slice text, uint8_t out[static 4])
{
    uint8_t bytes[4];
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && !take_char(&text, '.')) {
            return false;
        }
        int v = take_octet(&text);
        if (v < 0) {
            return false;
        }
        bytes[i] = (uint8_t)v;
    }
    if (text.len > 0) {
        return false;
    }
    memcpy(out, bytes, sizeof bytes);
    return true;
}

/* One to four hex digits; -1 when there are none. */
static int take_word(struct slice *text)
{
    int v = 0;
    size_t n = 0;
    while (n < text->len && n < 4) {
        uint8_t c = lower(text->p[n]);
        if (!is_digit(c) && (c < 'a' || c > 'f')) {
            break;
        }
        v = v * 16 + (is_digit(c) ? c - '0' : c - 'a' + 10);
        n++;
    }
    *text = slice_of(text->p + n, text->len - n);
    return n == 0 ? -1 : v;
}

/* Reads the words on one side of "::" (or all of them): hex words with ':' between, the last two
 * perhaps as an IPv4 literal. Stops in front of "::" or at the end; false when out of form. */
static bool take_words(struct slice *text, uint16_t words[static WORDS], unsigned *count)
{
    unsigned n = 0;
    if (text->len == 0 || text->p[0] == ':') {
        *count = 0;
        return true;
    }
    for (;;) {
        uint8_t v4[4];
        if (n <= WORDS - 2 && hostname_ipv4(*text, v4)) {
            words[n++] = (uint16_t)(v4[0] << 8 | v4[1]);
            words[n++] = (uint16_t)(v4[2] << 8 | v4[3]);
            *text = slice_of(NULL, 0);
            break;
        }
        int v = n < WORDS ? take_word(text) : -1;
        if (v < 0) {
            return false;
        }
        words[n++] = (uint16_t)v;
        if (text->len < 2 || text->p[0] != ':' || text->p[1] == ':') {
            break;
        }
        (void)take_char(text, ':');
    }
    *count = n;
    return true;
}

bool hostname_ipv6(struct slice text, uint8_t out[static 16])
{
    uint16_t head[WORDS] = {0};
    uint16_t tail[WORDS] = {0};
    unsigned n = 0;
    unsigned m = 0;
    if (!take_words(&text, head, &n)) {
        return false;
    }
    if (text.len == 0) {
        if (n != WORDS) {
            return false;
        }
    } else if (!take_char(&text, ':') || !take_char(&text, ':') || !take_words(&text, tail, &m) ||
               text.len > 0 || n + m >= WORDS) {
        return false;
    }
    for (unsigned i = 0; i < m; i++) {
        head[WORDS - m + i] = tail[i];
    }
    for (unsigned i = 0; i < WORDS; i++) {
        out[2 * i] = (uint8_t)(head[i] >> 8);
        out[2 * i + 1] = (uint8_t)head[i];
    }
    return true;
}

static char *put_number(char *p, unsigned v, unsigned base)
{
    char digits[8];
    unsigned n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v > 0);
    while (n > 0) {
        *p++ = digits[--n];
    }
    return p;
}

static char *put_ipv4(char *p, const uint8_t in[static 4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            *p++ = '.';
        }
        p = put_number(p, in[i], 10);
    }
    return p;
}

void hostname_print_ipv4(const uint8_t in[static 4], char out[static LIMIT_HOST + 1])
{
    *put_ipv4(out, in) = '\0';
}

/* RFC 5952, section 4.2: the longest run of two or more zero words, the first of equal ones. */
static void longest_zeros(const uint16_t words[static WORDS], unsigned *at, unsigned *len)
{
    *at = WORDS;
    *len = 1;
    for (unsigned i = 0; i < WORDS; i++) {
        unsigned n = 0;
        while (i + n < WORDS && words[i + n] == 0) {
            n++;
        }
        if (n > *len) {
            *at = i;
            *len = n;
        }
        i += n;
    }
}

void hostname_print_ipv6(const uint8_t in[static 16], char out[static LIMIT_HOST + 1])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint16_t words[WORDS];
    unsigned zeros;
    unsigned len;
    char *p = out;
    if (memcmp(in, mapped, sizeof mapped) == 0) { /* RFC 5952, section 5 */
        memcpy(p, "::ffff:", 7);
        *put_ipv4(p + 7, in + 12) = '\0';
        return;
    }
    for (unsigned i = 0; i < WORDS; i++) {
        words[i] = (uint16_t)(in[2 * i] << 8 | in[2 * i + 1]);
    }
    longest_zeros(words, &zeros, &len);
    for (unsigned i = 0; i < WORDS; i++) {
        if (i == zeros) {
            *p++ = ':';
            *p++ = ':';
            i += len - 1;
            continue;
        }
        if (i > 0 && i != zeros + len) {
            *p++ = ':';
        }
        p = put_number(p, words[i], 16);
    }
    *p = '\0';
}

/* A DNS name in the letter-digit-hyphen form; copies it in lower case. */
static bool take_name(struct slice text, char *out)
{
    size_t label = 0;
    bool digits = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = lower(text.p[i]);
        out[i] = (char)c;
        if (c == '.') {
            if (label == 0 || out[i - 1] == '-') {
                return false;
            }
            label = 0;
            digits = true;
            continue;
        }
        if (!is_digit(c) && (c < 'a' || c > 'z') && (c != '-' || label == 0)) {
            return false;
        }
        digits = digits && is_digit(c);
        if (++label > LABEL) {
            return false;
        }
    }
    out[text.len] = '\0';
    /* A last label of digits only would look like a bad IPv4 literal. */
    return label > 0 && out[text.len - 1] != '-' && !digits;
}

enum hostname_kind hostname_canonical(struct slice text, char out[static LIMIT_HOST + 1])
{
    uint8_t bytes[16];
    char name[LIMIT_HOST + 1];
    if (text.len == 0 || text.len > LIMIT_HOST) {
        return HOSTNAME_BAD;
    }
    if (hostname_ipv4(text, bytes)) {
        hostname_print_ipv4(bytes, out);
        return HOSTNAME_IPV4;
    }
    if (hostname_ipv6(text, bytes)) {
        hostname_print_ipv6(bytes, out);
        return HOSTNAME_IPV6;
    }
    if (!take_name(text, name)) {
        return HOSTNAME_BAD;
    }
    memcpy(out, name, text.len + 1);
    return HOSTNAME_NAME;
}

/* --- addresses that are not public --- */

struct prefix {
    uint8_t bytes[16];
    uint8_t bits;
};

static bool has_prefix(const uint8_t *in, const struct prefix *prefix)
{
    unsigned whole = prefix->bits / 8;
    unsigned rest = prefix->bits % 8;
    return memcmp(in, prefix->bytes, whole) == 0 &&
           (rest == 0 || (in[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0);
}

/* RFC 6890, tables 1 to 16; RFC 5771; RFC 1112, section 4. */
bool hostname_ipv4_is_private(const uint8_t in[static 4])
{
    static const struct prefix ranges[] = {
        {{0}, 8},         {{10}, 8},       {{100, 64}, 10},      {{127}, 8},
        {{169, 254}, 16}, {{172, 16}, 12}, {{192, 0, 0}, 24},    {{192, 0, 2}, 24},
        {{192, 168}, 16}, {{198, 18}, 15}, {{198, 51, 100}, 24}, {{203, 0, 113}, 24},
        {{224}, 3},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (has_prefix(in, &ranges[i])) {
            return true;
        }
    }
    return false;
}

/* RFC 6890, tables 17 to 28; RFC 4291, section 2.5.7 and 2.7; RFC 3879. */
bool hostname_ipv6_is_private(const uint8_t in[static 16])
{
    static const struct prefix ranges[] = {
        {{0}, 127}, /* unspecified and loopback */
        {{0x01, 0x00}, 64}, {{0x20, 0x01, 0x0d, 0xb8}, 32},
        {{0xfc}, 7},        {{0xfe, 0x80}, 9}, /* link-local and site-local */
        {{0xff}, 8},
    };
    static const struct {
        struct prefix prefix;
        unsigned at; /* where the IPv4 address lies */
    } holds[] = {
        {{{0}, 96}, 12},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12},
        {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},
        {{{0x20, 0x02}, 16}, 2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (has_prefix(in, &ranges[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        if (has_prefix(in, &holds[i].prefix) && hostname_ipv4_is_private(in + holds[i].at)) {
            return true;
        }
    }
    return false;
}

bool hostname_is_private(struct slice text)
{
    static const char local[] = ".localhost";
    uint8_t bytes[16];
    size_t n = sizeof local - 1;
    if (hostname_ipv4(text, bytes)) {
        return hostname_ipv4_is_private(bytes);
    }
    if (hostname_ipv6(text, bytes)) {
        return hostname_ipv6_is_private(bytes);
    }
    return slice_equal(text, slice_of(local + 1, n - 1)) ||
           (text.len > n && memcmp(text.p + text.len - n, local, n) == 0);
}
