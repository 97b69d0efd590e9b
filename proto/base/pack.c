/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pack.h"

#include <string.h>

#include <msgpack/pack.h>

/* A value's head: its type, and the number that stands in it (value, length or count). */
struct head {
    enum pack_type type;
    uint64_t n;
    int64_t negative; /* for PACK_INT */
};

static const struct head HEAD_BAD = {.type = PACK_BAD};

/* Reads n big-endian bytes and refuses a value below min: it had a shorter form. */
static struct head head_be(struct reader *r, enum pack_type type, size_t n, uint64_t min)
{
    uint64_t v = 0;
    struct slice s = reader_bytes(r, n);
    for (size_t i = 0; i < s.len; i++) {
        v = v << 8 | s.p[i];
    }
    if (r->err == ERR_OK && v < min) {
        reader_fail(r, ERR_MALFORMED);
    }
    return (struct head){.type = type, .n = v};
}

/* int 8 .. int 64: only negative values that no shorter form holds. */
static struct head head_negative(struct reader *r, size_t n)
{
    static const int64_t above[9] = {[1] = -32, [2] = INT8_MIN, [4] = INT16_MIN, [8] = INT32_MIN};
    struct head h = head_be(r, PACK_INT, n, 0);
    uint64_t sign = UINT64_C(1) << (8 * n - 1);
    int64_t v = (h.n & sign) != 0 ? -(int64_t)((~h.n & (sign - 1))) - 1 : 0;
    if (r->err == ERR_OK && v >= above[n]) {
        reader_fail(r, ERR_MALFORMED);
    }
    h.negative = v;
    return h;
}

/* The values that are one byte; PACK_BAD: b begins a longer one. */
static struct head head_byte(uint8_t b)
{
    if (b <= 0x7f) {
        return (struct head){.type = PACK_UINT, .n = b};
    }
    if (b <= 0x8f) {
        return (struct head){.type = PACK_MAP, .n = b & 0x0f};
    }
    if (b <= 0x9f) {
        return (struct head){.type = PACK_ARRAY, .n = b & 0x0f};
    }
    if (b <= 0xbf) {
        return (struct head){.type = PACK_STR, .n = b & 0x1f};
    }
    if (b >= 0xe0) {
        return (struct head){.type = PACK_INT, .negative = (int8_t)b};
    }
    switch (b) {
    case 0xc0:
        return (struct head){.type = PACK_NIL};
    case 0xc2:
    case 0xc3:
        return (struct head){.type = PACK_BOOL, .n = b & 1};
    default:
        return HEAD_BAD;
    }
}

static struct head read_head(struct reader *r)
{
    uint8_t b = reader_u8(r);
    struct head h = r->err == ERR_OK ? head_byte(b) : HEAD_BAD;
    if (r->err != ERR_OK || h.type != PACK_BAD) {
        return h;
    }
    switch (b) {
    case 0xc4:
        return head_be(r, PACK_BIN, 1, 0);
    case 0xc5:
        return head_be(r, PACK_BIN, 2, UINT8_MAX + 1);
    case 0xc6:
        return head_be(r, PACK_BIN, 4, UINT16_MAX + 1);
    case 0xcc:
        return head_be(r, PACK_UINT, 1, 0x80);
    case 0xcd:
        return head_be(r, PACK_UINT, 2, UINT8_MAX + 1);
    case 0xce:
        return head_be(r, PACK_UINT, 4, UINT16_MAX + 1);
    case 0xcf:
        return head_be(r, PACK_UINT, 8, UINT64_C(1) + UINT32_MAX);
    case 0xd0:
        return head_negative(r, 1);
    case 0xd1:
        return head_negative(r, 2);
    case 0xd2:
        return head_negative(r, 4);
    case 0xd3:
        return head_negative(r, 8);
    case 0xd9:
        return head_be(r, PACK_STR, 1, 32);
    case 0xda:
        return head_be(r, PACK_STR, 2, UINT8_MAX + 1);
    case 0xdb:
        return head_be(r, PACK_STR, 4, UINT16_MAX + 1);
    case 0xdc:
        return head_be(r, PACK_ARRAY, 2, 16);
    case 0xdd:
        return head_be(r, PACK_ARRAY, 4, UINT16_MAX + 1);
    case 0xde:
        return head_be(r, PACK_MAP, 2, 16);
    case 0xdf:
        return head_be(r, PACK_MAP, 4, UINT16_MAX + 1);
    default:
        reader_fail(r, ERR_MALFORMED);
        return HEAD_BAD;
    }
}

/* The head of a value that must be of this type; zeros otherwise. */
static struct head expect(struct reader *r, enum pack_type type)
{
    struct head h = read_head(r);
    if (r->err == ERR_OK && h.type != type) {
        reader_fail(r, ERR_MALFORMED);
    }
    return r->err == ERR_OK ? h : (struct head){.type = PACK_BAD};
}

static uint64_t expect_max(struct reader *r, enum pack_type type, uint64_t max)
{
    struct head h = expect(r, type);
    if (r->err == ERR_OK && h.n > max) {
        reader_fail(r, ERR_TOO_LARGE);
    }
    return r->err == ERR_OK ? h.n : 0;
}

enum pack_type pack_peek(const struct reader *r)
{
    if (reader_left(r) == 0) {
        return PACK_END;
    }
    struct reader copy = *r;
    struct head h = read_head(&copy);
    return copy.err == ERR_OK ? h.type : PACK_BAD;
}

void pack_read_nil(struct reader *r)
{
    (void)expect(r, PACK_NIL);
}

bool pack_read_bool(struct reader *r)
{
    return expect(r, PACK_BOOL).n == 1;
}

uint64_t pack_read_uint(struct reader *r, uint64_t max)
{
    return expect_max(r, PACK_UINT, max);
}

int64_t pack_read_int(struct reader *r)
{
    struct head h = read_head(r);
    if (r->err == ERR_OK && h.type == PACK_INT) {
        return h.negative;
    }
    if (r->err == ERR_OK && (h.type != PACK_UINT || h.n > INT64_MAX)) {
        reader_fail(r, ERR_MALFORMED);
    }
    return r->err == ERR_OK ? (int64_t)h.n : 0;
}

struct slice pack_read_bin(struct reader *r, size_t max)
{
    return reader_bytes(r, (size_t)expect_max(r, PACK_BIN, max));
}

void pack_read_bin_exact(struct reader *r, void *out, size_t len)
{
    struct head h = expect(r, PACK_BIN);
    if (r->err == ERR_OK && h.n != len) {
        reader_fail(r, ERR_MALFORMED);
    }
    reader_copy(r, out, len);
}

bool pack_utf8_valid(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        uint8_t b = s.p[i++];
        if (b < 0x80) {
            continue;
        }
        unsigned more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : 1;
        if (b < 0xc2 || b > 0xf4 || s.len - i < more) {
            return false;
        }
        /* RFC 3629, section 4: the second byte excludes overlong forms and surrogates. */
        uint8_t low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
        uint8_t high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
        if (s.p[i] < low || s.p[i] > high) {
            return false;
        }
        for (unsigned k = 1; k < more; k++) {
            if ((s.p[i + k] & 0xc0) != 0x80) {
                return false;
            }
        }
        i += more;
    }
    return true;
}

struct slice pack_read_str(struct reader *r, size_t max)
{
    struct slice s = reader_bytes(r, (size_t)expect_max(r, PACK_STR, max));
    if (r->err == ERR_OK && !pack_utf8_valid(s)) {
        reader_fail(r, ERR_MALFORMED);
        return slice_of(NULL, 0);
    }
    return s;
}

/* A count whose elements, at one byte each at least, must be there. */
static uint32_t read_count(struct reader *r, enum pack_type type, uint32_t max, uint64_t width)
{
    uint64_t n = expect_max(r, type, max);
    if (r->err == ERR_OK && n * width > reader_left(r)) {
        reader_fail(r, ERR_MALFORMED);
    }
    return r->err == ERR_OK ? (uint32_t)n : 0;
}

uint32_t pack_read_array(struct reader *r, uint32_t max)
{
    return read_count(r, PACK_ARRAY, max, 1);
}

uint32_t pack_read_map(struct reader *r, uint32_t max)
{
    return read_count(r, PACK_MAP, max, 2);
}

enum {
    PACK_SKIP_DEPTH = 8, /* deepest nesting that pack_skip can be asked for */
};

void pack_skip(struct reader *r, unsigned depth)
{
    uint64_t left[PACK_SKIP_DEPTH + 1] = {1};
    unsigned level = 0;
    if (depth > PACK_SKIP_DEPTH) {
        depth = PACK_SKIP_DEPTH;
    }
    for (;;) {
        while (left[level] == 0) {
            if (level == 0) {
                return;
            }
            level--;
        }
        left[level]--;
        struct reader at = *r;
        struct head h = read_head(r);
        if (r->err != ERR_OK) {
            return;
        }
        if (h.type == PACK_STR) {
            *r = at;
            (void)pack_read_str(r, UINT32_MAX);
        } else if (h.type == PACK_BIN) {
            (void)reader_bytes(r, (size_t)h.n);
        } else if (h.type == PACK_ARRAY || h.type == PACK_MAP) {
            uint64_t n = h.type == PACK_MAP ? h.n * 2 : h.n;
            if (level == depth || n > reader_left(r)) {
                reader_fail(r, ERR_MALFORMED);
                return;
            }
            left[++level] = n;
        }
    }
}

struct pack_fields pack_fields_begin(struct reader *r, uint32_t max)
{
    return (struct pack_fields){.r = r, .left = pack_read_map(r, max), .first = true};
}

bool pack_fields_next(struct pack_fields *f)
{
    if (f->left == 0 || f->r->err != ERR_OK) {
        return false;
    }
    f->left--;
    uint64_t key = pack_read_uint(f->r, UINT32_MAX);
    if (f->r->err == ERR_OK && !f->first && key <= f->key) {
        reader_fail(f->r, ERR_MALFORMED);
    }
    if (f->r->err != ERR_OK) {
        return false;
    }
    f->first = false;
    f->key = key;
    if (key < 64) {
        f->seen |= UINT64_C(1) << key;
    }
    return true;
}

void pack_fields_skip(struct pack_fields *f)
{
    pack_skip(f->r, 4);
}

void pack_fields_require(struct pack_fields *f, uint64_t mask)
{
    if ((f->seen & mask) != mask) {
        reader_fail(f->r, ERR_MALFORMED);
    }
}

static int write_bytes(void *data, const char *buf, size_t len)
{
    struct writer *w = data;
    writer_bytes(w, buf, len);
    return w->err == ERR_OK ? 0 : -1;
}

static msgpack_packer packer(struct writer *w)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, w, write_bytes);
    return pk;
}

/* The writer's sticky error says whether packing worked; msgpack-c's return value says the same. */
void pack_nil(struct writer *w)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_nil(&pk);
}

void pack_bool(struct writer *w, bool v)
{
    msgpack_packer pk = packer(w);
    (void)(v ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk));
}

void pack_uint(struct writer *w, uint64_t v)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_uint64(&pk, v);
}

void pack_int(struct writer *w, int64_t v)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_int64(&pk, v);
}

void pack_bin(struct writer *w, const void *p, size_t len)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_bin(&pk, len);
    writer_bytes(w, p, len);
}

void pack_bin_slice(struct writer *w, struct slice s)
{
    pack_bin(w, s.p, s.len);
}

void pack_str_slice(struct writer *w, struct slice s)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_str(&pk, s.len);
    writer_slice(w, s);
}

void pack_str(struct writer *w, const char *s)
{
    pack_str_slice(w, slice_of(s, strlen(s)));
}

void pack_array(struct writer *w, uint32_t n)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_array(&pk, n);
}

void pack_map(struct writer *w, uint32_t n)
{
    msgpack_packer pk = packer(w);
    (void)msgpack_pack_map(&pk, n);
}

size_t pack_uint_size(uint64_t v)
{
    return v < 128 ? 1 : v <= UINT8_MAX ? 2 : v <= UINT16_MAX ? 3 : v <= UINT32_MAX ? 5 : 9;
}

size_t pack_bin_size(size_t len)
{
    return len + (len <= UINT8_MAX ? 2U : len <= UINT16_MAX ? 3U : 5U);
}
