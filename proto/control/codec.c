/* SPDX-License-Identifier: Apache-2.0 */
#include "control/codec.h"

#include <assert.h>
#include <string.h>

#include "control/methods.h"

#define HOST    CONTROL_HOST
#define TURN    CONTROL_TURN
#define QUERY   CONTROL_QUERY
#define NODE    CONTROL_NODE
#define ACCOUNT CONTROL_ACCOUNT
#define STR     CONTROL_STR
#define BIN     CONTROL_BIN
#define UINT    CONTROL_UINT
#define BOOL    CONTROL_BOOL

static const struct control_method METHODS[] = {
#define METHOD_ROW(method, place, scope, changes, version)                                         \
    {.name = (method),                                                                             \
     .where = (place),                                                                             \
     .whose = (scope),                                                                             \
     .mutates = (changes),                                                                         \
     .since = (version)},
    CONTROL_METHODS(METHOD_ROW)
#undef METHOD_ROW
};

static const struct control_param PARAMS[] = {
#define PARAM_ROW(of, param, kind, must)                                                           \
    {.method = (of), .name = (param), .type = (kind), .required = (must)},
    CONTROL_PARAMS(PARAM_ROW)
#undef PARAM_ROW
};

/* client_id, which every mutating method takes beside its own parameters. */
static const struct control_param CLIENT_ID = {
    .method = "", .name = "client_id", .type = CONTROL_BIN, .required = true};
/* account, which every method of an account takes. */
static const struct control_param WHOSE = {
    .method = "", .name = "account", .type = CONTROL_UINT, .required = false};

#undef HOST
#undef TURN
#undef QUERY
#undef NODE
#undef ACCOUNT
#undef STR
#undef BIN
#undef UINT
#undef BOOL

enum {
    METHOD_COUNT = sizeof METHODS / sizeof METHODS[0],
    PARAM_COUNT = sizeof PARAMS / sizeof PARAMS[0],
    CLIENT_ID_BIT = 63, /* of the set of parameters seen */
    WHOSE_BIT = 62,
    METHOD_NAME_MAX = 64,
};
static_assert(PARAM_COUNT < WHOSE_BIT, "parameters seen fit one word");

static bool slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of(text, strlen(text)));
}

const struct control_method *control_method_at(size_t i)
{
    return i < METHOD_COUNT ? &METHODS[i] : NULL;
}

const struct control_param *control_param_at(size_t i)
{
    return i < PARAM_COUNT ? &PARAMS[i] : NULL;
}

const struct control_method *control_method_find(struct slice name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (slice_is(name, METHODS[i].name)) {
            return &METHODS[i];
        }
    }
    return NULL;
}

/* The parameter of this name and its bit; NULL when the method has none. */
static const struct control_param *param_find(const struct control_method *method,
                                              struct slice name, unsigned *bit)
{
    if (method->mutates && slice_is(name, CLIENT_ID.name)) {
        *bit = CLIENT_ID_BIT;
        return &CLIENT_ID;
    }
    if (method->whose == CONTROL_ACCOUNT && slice_is(name, WHOSE.name)) {
        *bit = WHOSE_BIT;
        return &WHOSE;
    }
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        if (strcmp(PARAMS[i].method, method->name) == 0 && slice_is(name, PARAMS[i].name)) {
            *bit = i;
            return &PARAMS[i];
        }
    }
    return NULL;
}

const struct control_param *control_param_find(const struct control_method *method,
                                               struct slice name)
{
    unsigned bit = 0;
    return param_find(method, name, &bit);
}

/* Reads the value of p; ERR_BAD_TYPE when it has another type. */
static enum err param_read(struct reader *r, const struct control_param *p)
{
    static const enum pack_type types[] = {[CONTROL_STR] = PACK_STR,
                                           [CONTROL_BIN] = PACK_BIN,
                                           [CONTROL_UINT] = PACK_UINT,
                                           [CONTROL_BOOL] = PACK_BOOL};
    if (pack_peek(r) != types[p->type]) {
        return ERR_BAD_TYPE;
    }
    size_t start = r->pos;
    pack_skip(r, 1);
    if (r->err != ERR_OK) {
        return r->err;
    }
    if (p == &CLIENT_ID && r->pos - start != 2 + CONTROL_CLIENT_ID) {
        return ERR_BAD_TYPE;
    }
    return ERR_OK;
}

/* Whether all that is required was seen; *which names the first that was not. */
static enum err params_complete(const struct control_method *method, uint64_t seen,
                                struct slice *which)
{
    const char *missing = NULL;
    if (method->mutates && (seen >> CLIENT_ID_BIT & 1) == 0) {
        missing = CLIENT_ID.name;
    }
    for (unsigned i = 0; i < PARAM_COUNT && missing == NULL; i++) {
        if (PARAMS[i].required && strcmp(PARAMS[i].method, method->name) == 0 &&
            (seen >> i & 1) == 0) {
            missing = PARAMS[i].name;
        }
    }
    if (missing == NULL) {
        return ERR_OK;
    }
    *which = slice_of(missing, strlen(missing));
    return ERR_MISSING_PARAM;
}

enum err control_params_check(const struct control_method *method, struct slice params,
                              struct slice *which)
{
    struct reader r = reader_of(params);
    struct control_fields f = control_fields_begin(&r);
    uint64_t seen = 0;
    *which = slice_of(NULL, 0);
    while (control_fields_next(&f)) {
        unsigned bit = 0;
        const struct control_param *p = param_find(method, f.key, &bit);
        *which = f.key;
        if (p == NULL) {
            return ERR_UNKNOWN_PARAM;
        }
        enum err err = (seen >> bit & 1) != 0 ? ERR_MALFORMED : param_read(&r, p);
        if (err != ERR_OK) {
            return err;
        }
        seen |= UINT64_C(1) << bit;
    }
    *which = slice_of(NULL, 0);
    enum err err = reader_end(&r);
    return err == ERR_OK ? params_complete(method, seen, which) : err;
}

struct control_scan control_scan_new(void)
{
    return (struct control_scan){.left = {1}};
}

/* The head of a value: how long it is, how many bytes of content follow, how many values. */
struct scan_head {
    size_t head;
    uint64_t bytes;
    uint64_t values;
};

/* A head with an n-byte number behind its first byte. */
static enum err scan_number(struct slice at, size_t n, uint64_t *v)
{
    if (at.len < 1 + n) {
        return ERR_NOT_NOW;
    }
    *v = 0;
    for (size_t i = 1; i <= n; i++) {
        *v = *v << 8 | at.p[i];
    }
    return ERR_OK;
}

/* Heads from 0xc0 to 0xdf. Whether a form is the shortest is checked later, by base/pack. */
static enum err scan_long_head(struct slice at, struct scan_head *h)
{
    uint8_t b = at.p[0];
    uint64_t n = 0;
    enum err err = ERR_OK;
    if (b == 0xc0 || b == 0xc2 || b == 0xc3) { /* nil, false, true */
        *h = (struct scan_head){.head = 1};
    } else if (b >= 0xc4 && b <= 0xc6) { /* bin 8, 16, 32 */
        size_t width = (size_t)1 << (b - 0xc4);
        err = scan_number(at, width, &n);
        *h = (struct scan_head){.head = 1 + width, .bytes = n};
    } else if (b >= 0xcc && b <= 0xd3) { /* uint and int 8, 16, 32, 64 */
        *h = (struct scan_head){.head = 1, .bytes = UINT64_C(1) << ((b - 0xcc) & 3)};
    } else if (b >= 0xd9 && b <= 0xdb) { /* str 8, 16, 32 */
        size_t width = (size_t)1 << (b - 0xd9);
        err = scan_number(at, width, &n);
        *h = (struct scan_head){.head = 1 + width, .bytes = n};
    } else if (b >= 0xdc && b <= 0xdf) { /* array and map, 16 and 32 */
        size_t width = (b & 1) != 0 ? 4 : 2;
        err = scan_number(at, width, &n);
        *h = (struct scan_head){.head = 1 + width, .values = b >= 0xde ? 2 * n : n};
    } else { /* unused, extension, float */
        err = ERR_MALFORMED;
    }
    return err;
}

static enum err scan_head(struct slice at, struct scan_head *h)
{
    if (at.len == 0) {
        return ERR_NOT_NOW;
    }
    uint8_t b = at.p[0];
    if (b <= 0x7f || b >= 0xe0) { /* small integers */
        *h = (struct scan_head){.head = 1};
    } else if (b <= 0x8f) {
        *h = (struct scan_head){.head = 1, .values = 2 * (uint64_t)(b & 0x0f)};
    } else if (b <= 0x9f) {
        *h = (struct scan_head){.head = 1, .values = b & 0x0f};
    } else if (b <= 0xbf) {
        *h = (struct scan_head){.head = 1, .bytes = b & 0x1f};
    } else {
        return scan_long_head(at, h);
    }
    return ERR_OK;
}

/* Takes one value's head: steps over its content, or goes one level down. */
static enum err scan_step(struct control_scan *s, struct slice bytes)
{
    struct scan_head h = {0};
    enum err err = scan_head(slice_of(bytes.p + s->pos, bytes.len - s->pos), &h);
    if (err != ERR_OK) {
        return err;
    }
    /* Every value has a byte at least, so a count above the room that is left is a lie. */
    uint64_t room = LIMIT_CONTROL_MESSAGE - s->pos;
    if (h.head > room || h.bytes > room - h.head || h.values > room - h.head) {
        return ERR_TOO_LARGE;
    }
    if (h.values > 0 && s->level == CONTROL_DEPTH) {
        return ERR_MALFORMED;
    }
    s->pos += h.head + (size_t)h.bytes;
    s->left[s->level]--;
    if (h.values > 0) {
        s->left[++s->level] = h.values;
    }
    while (s->level > 0 && s->left[s->level] == 0) {
        s->level--;
    }
    return ERR_OK;
}

enum err control_scan(struct control_scan *scan, struct slice bytes, size_t *len)
{
    if (bytes.len > 0 && bytes.p[0] != 0x93 && bytes.p[0] != 0x94) {
        return ERR_MALFORMED;
    }
    while (scan->level > 0 || scan->left[0] > 0) {
        if (scan->pos >= bytes.len) {
            return ERR_NOT_NOW;
        }
        enum err err = scan_step(scan, bytes);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (scan->pos > bytes.len) {
        return ERR_NOT_NOW;
    }
    *len = scan->pos;
    return ERR_OK;
}

/* The next value, encoded; its form is checked. */
static struct slice read_value(struct reader *r)
{
    size_t start = r->pos;
    pack_skip(r, CONTROL_DEPTH - 1);
    return r->err == ERR_OK ? slice_of(r->p + start, r->pos - start) : slice_of(NULL, 0);
}

static struct slice read_map(struct reader *r)
{
    if (pack_peek(r) != PACK_MAP) {
        reader_fail(r, ERR_MALFORMED);
    }
    return read_value(r);
}

/* An error map or a result, or nil: empty. */
static struct slice read_optional(struct reader *r, bool map)
{
    if (pack_peek(r) == PACK_NIL) {
        pack_read_nil(r);
        return slice_of(NULL, 0);
    }
    return map ? read_map(r) : read_value(r);
}

static void read_call(struct reader *r, struct control_message *m)
{
    m->method = pack_read_str(r, METHOD_NAME_MAX);
    if (pack_read_array(r, 1) != 1) {
        reader_fail(r, ERR_MALFORMED);
    }
    m->params = read_map(r);
}

enum err control_read(struct slice bytes, struct control_message *m)
{
    if (bytes.len > LIMIT_CONTROL_MESSAGE) {
        return ERR_TOO_LARGE;
    }
    struct reader r = reader_of(bytes);
    uint32_t n = pack_read_array(&r, 4);
    struct control_message got = {.kind = (enum control_kind)pack_read_uint(&r, CONTROL_NOTIFY)};
    if (n != (got.kind == CONTROL_NOTIFY ? 3 : 4)) {
        reader_fail(&r, ERR_MALFORMED);
    }
    if (got.kind != CONTROL_NOTIFY) {
        got.id = (uint32_t)pack_read_uint(&r, UINT32_MAX);
    }
    if (got.kind == CONTROL_REPLY) {
        got.error = read_optional(&r, true);
        got.result = read_optional(&r, false);
    } else {
        read_call(&r, &got);
    }
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *m = got;
    }
    return err;
}

enum err control_error_read(struct slice map, struct control_error *e)
{
    struct control_error got = {0};
    uint64_t code = 0;
    uint64_t retry = 0;
    if (!control_get_uint(map, "code", &code) || code > UINT32_MAX ||
        !control_get_str(map, "name", &got.name) ||
        !control_get_str(map, "class", &got.class_name) ||
        !control_get_str(map, "message", &got.message)) {
        return ERR_MALFORMED;
    }
    if (control_get_uint(map, "retry_after_ms", &retry) && retry <= UINT32_MAX) {
        got.retry_after_ms = (uint32_t)retry;
    }
    got.code = (uint32_t)code;
    *e = got;
    return ERR_OK;
}

const char *control_class_name(enum err_class class)
{
    switch (class) {
    case ERR_CLASS_LOCAL:
        return "local";
    case ERR_CLASS_STATE:
        return "state";
    case ERR_CLASS_CALLER:
        return "caller";
    case ERR_CLASS_NONE:
    case ERR_CLASS_PEER:
        break;
    }
    return "peer";
}

void control_write_request(struct writer *w, uint32_t id, const char *method, struct slice params)
{
    pack_array(w, 4);
    pack_uint(w, CONTROL_REQUEST);
    pack_uint(w, id);
    pack_str(w, method);
    pack_array(w, 1);
    writer_slice(w, params);
}

void control_write_result(struct writer *w, uint32_t id, struct slice result)
{
    pack_array(w, 4);
    pack_uint(w, CONTROL_REPLY);
    pack_uint(w, id);
    pack_nil(w);
    if (result.len == 0) {
        pack_map(w, 0);
    } else {
        writer_slice(w, result);
    }
}

/* One sentence: that of the error, and what it is about. */
static void write_sentence(struct writer *w, enum err err, struct slice detail)
{
    char text[512];
    struct writer t = writer_of(text, sizeof text);
    const char *message = err_message(err);
    writer_bytes(&t, message, strlen(message));
    size_t sentence = t.len;
    if (detail.len > 0) {
        writer_bytes(&t, ": ", 2);
        writer_slice(&t, detail);
    }
    /* A detail that does not fit is left out. */
    pack_str_slice(w, slice_of(text, t.err == ERR_OK ? t.len : sentence));
}

void control_write_error(struct writer *w, uint32_t id, enum err err, uint32_t retry_after_ms,
                         struct slice detail)
{
    pack_array(w, 4);
    pack_uint(w, CONTROL_REPLY);
    pack_uint(w, id);
    pack_map(w, retry_after_ms > 0 ? 5 : 4);
    pack_str(w, "code");
    pack_uint(w, (uint64_t)err);
    pack_str(w, "name");
    pack_str(w, err_name(err));
    pack_str(w, "class");
    pack_str(w, control_class_name(err_class(err)));
    pack_str(w, "message");
    write_sentence(w, err, detail);
    if (retry_after_ms > 0) {
        pack_str(w, "retry_after_ms");
        pack_uint(w, retry_after_ms);
    }
    pack_nil(w);
}

void control_write_event(struct writer *w, struct slice event)
{
    pack_array(w, 3);
    pack_uint(w, CONTROL_NOTIFY);
    pack_str(w, "event");
    pack_array(w, 1);
    writer_slice(w, event);
}

struct control_fields control_fields_begin(struct reader *r)
{
    return (struct control_fields){.r = r, .left = pack_read_map(r, CONTROL_MAP_MAX)};
}

bool control_fields_next(struct control_fields *f)
{
    if (f->left == 0 || f->r->err != ERR_OK) {
        return false;
    }
    f->left--;
    f->key = pack_read_str(f->r, METHOD_NAME_MAX);
    return f->r->err == ERR_OK;
}

bool control_key_is(const struct control_fields *f, const char *name)
{
    return slice_is(f->key, name);
}

struct slice control_value(struct control_fields *f)
{
    return read_value(f->r);
}

bool control_get(struct slice map, const char *name, struct slice *out)
{
    struct reader r = reader_of(map);
    struct control_fields f = control_fields_begin(&r);
    while (control_fields_next(&f)) {
        struct slice value = control_value(&f);
        if (control_key_is(&f, name) && r.err == ERR_OK) {
            *out = value;
            return true;
        }
    }
    return false;
}

bool control_get_str(struct slice map, const char *name, struct slice *out)
{
    struct slice value;
    if (!control_get(map, name, &value)) {
        return false;
    }
    struct reader r = reader_of(value);
    struct slice got = pack_read_str(&r, LIMIT_CONTROL_MESSAGE);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = got;
    return true;
}

bool control_get_bin(struct slice map, const char *name, struct slice *out)
{
    struct slice value;
    if (!control_get(map, name, &value)) {
        return false;
    }
    struct reader r = reader_of(value);
    struct slice got = pack_read_bin(&r, LIMIT_CONTROL_MESSAGE);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = got;
    return true;
}

bool control_get_uint(struct slice map, const char *name, uint64_t *out)
{
    struct slice value;
    if (!control_get(map, name, &value)) {
        return false;
    }
    struct reader r = reader_of(value);
    uint64_t got = pack_read_uint(&r, UINT64_MAX);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = got;
    return true;
}

bool control_get_bool(struct slice map, const char *name, bool *out)
{
    struct slice value;
    if (!control_get(map, name, &value)) {
        return false;
    }
    struct reader r = reader_of(value);
    bool got = pack_read_bool(&r);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = got;
    return true;
}
