/* SPDX-License-Identifier: Apache-2.0
 *
 * bech32m against the vectors of BIP 350 and BIP 173. The segwit address around it is built here:
 * Petrel has no use for it, nor for the older constant that its version 0 asks for.
 */
#include "base/bech32m.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/vectors.h"

#define FILE_NAME "encoding/bech32m.json"

static struct slice text_of(const char *s)
{
    return slice_of(s, strlen(s));
}

static int check_valid(const json_t *c)
{
    const char *string = json_string_value(json_object_get(c, "string"));
    const json_t *groups = json_object_get(c, "data5");
    struct bech32m b;
    if (bech32m_decode(text_of(string), &b) != ERR_OK ||
        strcmp(b.hrp, json_string_value(json_object_get(c, "hrp"))) != 0 ||
        b.count != json_array_size(groups)) {
        return 0;
    }
    for (size_t i = 0; i < b.count; i++) {
        if (b.groups[i] != json_integer_value(json_array_get(groups, i))) {
            return 0;
        }
    }
    char again[BECH32M_TEXT + 1];
    return bech32m_encode(b.hrp, b.groups, b.count, again) == ERR_OK &&
           strcasecmp(again, string) == 0;
}

static int check_invalid(const json_t *c)
{
    struct slice text = vectors_hex(c, "hex");
    struct bech32m b;
    enum err err = bech32m_decode(text, &b);
    vectors_free(text);
    return err == ERR_MALFORMED || err == ERR_BAD_CHECKSUM;
}

/* BIP 173's checksum over expanded hrp and groups, written down once more for version 0. */
static uint32_t polymod(const uint8_t *values, size_t n)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t chk = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t top = chk >> 25;
        chk = (chk & 0x1ffffff) << 5 ^ values[i];
        for (unsigned k = 0; k < 5; k++) {
            chk ^= (top >> k & 1) != 0 ? generator[k] : 0;
        }
    }
    return chk;
}

/* Whether text, whose form bech32m_decode found good, has the constant 1 of BIP 173; if so its
 * groups are put into *b. */
static int decode_bech32(const char *text, struct bech32m *b)
{
    static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const char *one = strrchr(text, '1');
    uint8_t values[2 * BECH32M_TEXT];
    size_t n = 0;
    if (one == NULL || strlen(one + 1) < BECH32M_CHECKSUM) {
        return 0;
    }
    memset(b, 0, sizeof *b);
    for (const char *p = text; p < one; p++) {
        b->hrp[p - text] = (char)tolower((unsigned char)*p);
        values[n++] = (uint8_t)(tolower((unsigned char)*p) >> 5);
    }
    values[n++] = 0;
    for (const char *p = b->hrp; *p != '\0'; p++) {
        values[n++] = (uint8_t)*p & 31;
    }
    b->count = strlen(one + 1) - BECH32M_CHECKSUM;
    for (size_t i = 0; one[1 + i] != '\0'; i++) {
        const char *at = strchr(alphabet, tolower((unsigned char)one[1 + i]));
        if (at == NULL) {
            return 0;
        }
        values[n++] = (uint8_t)(at - alphabet);
        if (i < b->count) {
            b->groups[i] = (uint8_t)(at - alphabet);
        }
    }
    return polymod(values, n) == 1;
}

/* BIP 350: version 0 with the old constant, 1-16 with the new one. Gives the script's length, 0
 * when the address is not valid. */
static size_t segwit_script(const char *address, uint8_t *script, size_t cap)
{
    struct bech32m b;
    enum err err = bech32m_decode(text_of(address), &b);
    bool old = false;
    if (err == ERR_BAD_CHECKSUM) {
        old = decode_bech32(address, &b);
    }
    if (err != ERR_OK && !old) {
        return 0;
    }
    size_t n = 0;
    if ((strcmp(b.hrp, "bc") != 0 && strcmp(b.hrp, "tb") != 0) || b.count < 1 || b.groups[0] > 16 ||
        (b.groups[0] == 0) != old ||
        bech32m_to_bytes(b.groups + 1, b.count - 1, script + 2, cap - 2, &n) != ERR_OK || n < 2 ||
        n > 40 || (old && n != 20 && n != 32)) {
        return 0;
    }
    script[0] = (uint8_t)(b.groups[0] == 0 ? 0 : 0x50 + b.groups[0]);
    script[1] = (uint8_t)n;
    return n + 2;
}

static int check_segwit_valid(const json_t *c)
{
    uint8_t script[80];
    struct slice want = vectors_hex(c, "script_pubkey");
    const char *address = json_string_value(json_object_get(c, "address"));
    size_t n = segwit_script(address, script, sizeof script);
    int ok = slice_equal(slice_of(script, n), want);
    vectors_free(want);
    return ok;
}

int main(void)
{
    json_t *root = vectors_load(FILE_NAME);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(root, "valid"), i, c)
    {
        vectors_case(FILE_NAME, json_string_value(json_object_get(c, "string")), check_valid(c));
    }
    json_array_foreach(json_object_get(root, "invalid"), i, c)
    {
        vectors_case(FILE_NAME, json_string_value(json_object_get(c, "why")), check_invalid(c));
    }
    json_array_foreach(json_object_get(root, "bech32_only"), i, c)
    {
        struct bech32m b;
        const char *s = json_string_value(c);
        vectors_case(FILE_NAME, s, bech32m_decode(text_of(s), &b) == ERR_BAD_CHECKSUM);
    }
    json_array_foreach(json_object_get(root, "segwit_valid"), i, c)
    {
        vectors_case(FILE_NAME, json_string_value(json_object_get(c, "address")),
                     check_segwit_valid(c));
    }
    json_array_foreach(json_object_get(root, "segwit_invalid"), i, c)
    {
        uint8_t script[80];
        const char *s = json_string_value(json_object_get(c, "address"));
        vectors_case(FILE_NAME, s, segwit_script(s, script, sizeof script) == 0);
    }
    json_decref(root);
    return vectors_done();
}
