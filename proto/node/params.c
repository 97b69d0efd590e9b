/* SPDX-License-Identifier: Apache-2.0 */
#include "node/params.h"

#include <string.h>

/* A reader that stands at the parameter's value; false when there is none. */
static bool params_find(struct slice params, const char *name, struct reader *r)
{
    *r = reader_of(params);
    uint32_t n = pack_read_map(r, PARAMS_MAX);
    for (uint32_t i = 0; i < n && r->err == ERR_OK; i++) {
        struct slice key = pack_read_str(r, UINT8_MAX);
        if (r->err == ERR_OK && slice_equal(key, slice_of(name, strlen(name)))) {
            return true;
        }
        pack_skip(r, 4);
    }
    return false;
}

bool params_str(struct slice params, const char *name, struct slice *out)
{
    struct reader r;
    if (!params_find(params, name, &r)) {
        return false;
    }
    struct slice s = pack_read_str(&r, UINT32_MAX);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = s;
    return true;
}

bool params_blob(struct slice params, const char *name, size_t max, struct slice *out)
{
    struct reader r;
    if (!params_find(params, name, &r)) {
        return false;
    }
    struct slice s = pack_read_bin(&r, max);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = s;
    return true;
}

bool params_bin(struct slice params, const char *name, size_t len, struct slice *out)
{
    struct slice s;
    if (!params_blob(params, name, len, &s) || s.len != len) {
        return false;
    }
    *out = s;
    return true;
}

bool params_uint(struct slice params, const char *name, uint64_t *out)
{
    struct reader r;
    if (!params_find(params, name, &r)) {
        return false;
    }
    uint64_t v = pack_read_uint(&r, UINT64_MAX);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = v;
    return true;
}

void result_str(struct writer *w, const char *name, struct slice text)
{
    pack_str(w, name);
    pack_str_slice(w, text);
}

void result_text(struct writer *w, const char *name, const char *text)
{
    pack_str(w, name);
    pack_str(w, text);
}

void result_uint(struct writer *w, const char *name, uint64_t v)
{
    pack_str(w, name);
    pack_uint(w, v);
}

void result_bool(struct writer *w, const char *name, bool v)
{
    pack_str(w, name);
    pack_bool(w, v);
}

bool params_bool(struct slice params, const char *name, bool *out)
{
    struct reader r;
    if (!params_find(params, name, &r)) {
        return false;
    }
    bool v = pack_read_bool(&r);
    if (r.err != ERR_OK) {
        return false;
    }
    *out = v;
    return true;
}
