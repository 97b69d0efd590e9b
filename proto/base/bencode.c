/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bencode.h"

#include <assert.h>
#include <string.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

enum bencode_type bencode_peek(const struct reader *r)
{
    if (reader_left(r) == 0) {
        return BENCODE_END;
    }
    uint8_t c = r->p[r->pos];
    switch (c) {
    case 'i':
        return BENCODE_INT;
    case 'l':
        return BENCODE_LIST;
    case 'd':
        return BENCODE_DICT;
    case 'e':
        return BENCODE_CLOSE;
    default:
        return is_digit(c) ? BENCODE_STRING : BENCODE_BAD;
    }
}

static bool expect(struct reader *r, enum bencode_type type)
{
    if (bencode_peek(r) != type) {
        reader_fail(r, ERR_MALFORMED);
    }
    return r->err == ERR_OK;
}

/* Digits up to `end`, which is consumed. No leading zero. */
static uint64_t read_decimal(struct reader *r, uint8_t end, uint64_t max)
{
    uint64_t v = 0;
    unsigned digits = 0;
    bool zero = false;
    uint8_t c = reader_u8(r);
    while (r->err == ERR_OK && c != end) {
        uint64_t digit = (uint64_t)c - '0';
        if (!is_digit(c) || zero || v > (max - digit) / 10) {
            reader_fail(r, ERR_MALFORMED);
            return 0;
        }
        v = v * 10 + digit;
        zero = digits == 0 && c == '0';
        digits++;
        c = reader_u8(r);
    }
    if (digits == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
    return r->err == ERR_OK ? v : 0;
}

int64_t bencode_read_int(struct reader *r)
{
    if (!expect(r, BENCODE_INT)) {
        return 0;
    }
    (void)reader_u8(r);
    bool negative = reader_left(r) > 0 && r->p[r->pos] == '-';
    if (!negative) {
        return (int64_t)read_decimal(r, 'e', INT64_MAX);
    }
    (void)reader_u8(r);
    uint64_t v = read_decimal(r, 'e', (uint64_t)INT64_MAX + 1);
    if (v == 0) {
        reader_fail(r, ERR_MALFORMED);
        return 0;
    }
    return -(int64_t)(v - 1) - 1;
}

struct slice bencode_read_string(struct reader *r, size_t max)
{
    if (!expect(r, BENCODE_STRING)) {
        return slice_of(NULL, 0);
    }
    uint64_t len = read_decimal(r, ':', SIZE_MAX);
    if (len > reader_left(r)) {
        reader_fail(r, ERR_MALFORMED);
    } else if (len > max) {
        reader_fail(r, ERR_TOO_LARGE);
    }
    return reader_bytes(r, r->err == ERR_OK ? (size_t)len : 0);
}

void bencode_read_exact(struct reader *r, void *out, size_t len)
{
    struct slice s = bencode_read_string(r, SIZE_MAX);
    if (s.len != len) {
        reader_fail(r, ERR_MALFORMED);
    }
    struct reader bytes = reader_of(r->err == ERR_OK ? s : slice_of(NULL, 0));
    reader_copy(&bytes, out, len);
}

void bencode_list_begin(struct reader *r)
{
    if (expect(r, BENCODE_LIST)) {
        (void)reader_u8(r);
    }
}

/* Whether a value comes; what closes the list or dictionary is consumed. */
static bool value_follows(struct reader *r)
{
    switch (bencode_peek(r)) {
    case BENCODE_CLOSE:
        (void)reader_u8(r);
        return false;
    case BENCODE_END:
    case BENCODE_BAD:
        reader_fail(r, ERR_MALFORMED);
        return false;
    case BENCODE_INT:
    case BENCODE_STRING:
    case BENCODE_LIST:
    case BENCODE_DICT:
        break;
    }
    return true;
}

bool bencode_list_next(struct reader *r)
{
    return value_follows(r);
}

struct bencode_dict bencode_dict_begin(struct reader *r)
{
    if (expect(r, BENCODE_DICT)) {
        (void)reader_u8(r);
    }
    return (struct bencode_dict){.r = r, .first = true};
}

/* Whether a sorts before b, as raw bytes. */
static bool ascends(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return order < 0 || (order == 0 && a.len < b.len);
}

bool bencode_dict_next(struct bencode_dict *d)
{
    if (!value_follows(d->r)) {
        return false;
    }
    struct slice key = bencode_read_string(d->r, SIZE_MAX);
    if (!d->first && !ascends(d->key, key)) {
        reader_fail(d->r, ERR_MALFORMED);
    }
    d->key = key;
    d->first = false;
    return d->r->err == ERR_OK;
}

bool bencode_key(const struct bencode_dict *d, const char *key)
{
    return slice_equal(d->key, slice_of(key, strlen(key)));
}

/* What is open around a value that is being skipped. */
struct level {
    bool is_dict;
    struct bencode_dict dict;
};

struct slice bencode_read_value(struct reader *r)
{
    struct level open[BENCODE_DEPTH];
    unsigned depth = 0;
    size_t begun = r->pos;
    do {
        enum bencode_type type = bencode_peek(r);
        if (type == BENCODE_INT) {
            (void)bencode_read_int(r);
        } else if (type == BENCODE_STRING) {
            (void)bencode_read_string(r, SIZE_MAX);
        } else if ((type == BENCODE_LIST || type == BENCODE_DICT) && depth < BENCODE_DEPTH) {
            struct level *in = &open[depth++];
            in->is_dict = type == BENCODE_DICT;
            if (in->is_dict) {
                in->dict = bencode_dict_begin(r);
            } else {
                bencode_list_begin(r);
            }
        } else {
            reader_fail(r, ERR_MALFORMED);
        }
        while (depth > 0 && r->err == ERR_OK &&
               !(open[depth - 1].is_dict ? bencode_dict_next(&open[depth - 1].dict)
                                         : bencode_list_next(r))) {
            depth--;
        }
    } while (depth > 0 && r->err == ERR_OK);
    return r->err == ERR_OK ? slice_of(r->p + begun, r->pos - begun) : slice_of(NULL, 0);
}

/* --- writing --- */

static void put_decimal(struct writer *w, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    writer_bytes(w, digits + at, sizeof digits - at);
}

void bencode_int(struct writer *w, int64_t v)
{
    writer_u8(w, 'i');
    if (v < 0) {
        writer_u8(w, '-');
    }
    put_decimal(w, v < 0 ? (uint64_t)(-(v + 1)) + 1 : (uint64_t)v);
    writer_u8(w, 'e');
}

void bencode_string(struct writer *w, struct slice s)
{
    put_decimal(w, s.len);
    writer_u8(w, ':');
    writer_slice(w, s);
}

void bencode_text(struct writer *w, const char *s)
{
    bencode_string(w, slice_of(s, strlen(s)));
}

void bencode_list(struct writer *w)
{
    writer_u8(w, 'l');
}

void bencode_dict(struct writer *w)
{
    writer_u8(w, 'd');
}

void bencode_close(struct writer *w)
{
    writer_u8(w, 'e');
}
