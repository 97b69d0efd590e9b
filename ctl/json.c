/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/json.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/secret.h"
#include "ctl/args.h"
#include "ctl/output.h"

enum {
    JSON_KEY = 128, /* longest key, with its NUL */
};

/* A container that is being filled. */
struct level {
    json_t *value; /* borrowed from its parent; the lowest is owned */
    uint32_t left;
    bool map;
};

static void wipe_and_free(void *p)
{
    if (p != NULL) {
        secret_wipe(p, malloc_usable_size(p));
        free(p);
    }
}

void json_begin(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

static json_t *bin_value(struct slice s)
{
    char *hex = malloc(2 * s.len + 1);
    if (hex == NULL) {
        return NULL;
    }
    sodium_bin2hex(hex, 2 * s.len + 1, s.p, s.len);
    json_t *v = json_string(hex);
    free(hex);
    return v;
}

static json_t *uint_value(uint64_t v)
{
    char text[24];
    if (v <= INT64_MAX) {
        return json_integer((json_int_t)v);
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)v); /* jansson's integers are signed */
    return json_string(text);
}

/* The next value; a container comes empty, with *count of what is to be put into it. */
static json_t *next_value(struct reader *r, uint32_t *count, bool *map)
{
    struct slice s;
    *count = 0;
    *map = false;
    switch (pack_peek(r)) {
    case PACK_NIL:
        pack_read_nil(r);
        return json_null();
    case PACK_BOOL:
        return json_boolean(pack_read_bool(r));
    case PACK_UINT:
        return uint_value(pack_read_uint(r, UINT64_MAX));
    case PACK_INT:
        return json_integer((json_int_t)pack_read_int(r));
    case PACK_BIN:
        return bin_value(pack_read_bin(r, LIMIT_CONTROL_MESSAGE));
    case PACK_STR:
        s = pack_read_str(r, LIMIT_CONTROL_MESSAGE);
        return json_stringn(s.p == NULL ? "" : (const char *)s.p, s.len);
    case PACK_ARRAY:
        *count = pack_read_array(r, LIMIT_CONTROL_MESSAGE);
        return json_array();
    case PACK_MAP:
        *map = true;
        *count = pack_read_map(r, LIMIT_CONTROL_MESSAGE);
        return json_object();
    case PACK_END:
    case PACK_BAD:
        break;
    }
    return NULL;
}

/* Reads key and value of one element into the container at the top. NULL: not possible. */
static json_t *put_next(struct reader *r, struct level *top, uint32_t *count, bool *map)
{
    char key[JSON_KEY];
    if (top->map) {
        struct slice k = pack_read_str(r, JSON_KEY - 1);
        snprintf(key, sizeof key, "%.*s", (int)k.len, k.p == NULL ? "" : (const char *)k.p);
    }
    json_t *v = next_value(r, count, map);
    if (v == NULL || r->err != ERR_OK) {
        json_decref(v);
        return NULL;
    }
    int rc =
        top->map ? json_object_set_new(top->value, key, v) : json_array_append_new(top->value, v);
    return rc == 0 ? v : NULL;
}

json_t *json_of(struct slice encoded)
{
    struct reader r = reader_of(encoded);
    struct level stack[CONTROL_DEPTH + 1];
    unsigned depth = 1;
    uint32_t count = 0;
    bool map = false;
    json_t *root = next_value(&r, &count, &map);
    if (root == NULL) {
        return NULL;
    }
    stack[0] = (struct level){.value = root, .left = count, .map = map};
    while (depth > 0) {
        struct level *top = &stack[depth - 1];
        if (top->left == 0) {
            depth--;
            continue;
        }
        top->left--;
        json_t *v = put_next(&r, top, &count, &map);
        if (v == NULL || (count > 0 && depth > CONTROL_DEPTH)) {
            json_decref(root);
            return NULL;
        }
        if (count > 0) {
            stack[depth++] = (struct level){.value = v, .left = count, .map = map};
        }
    }
    return root;
}

int json_print_value(json_t *value)
{
    int rc = EXIT_LOCAL;
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL) {
        puts(text);
        rc = output_flush();
    } else {
        fprintf(stderr, "petrelctl: the result cannot be printed\n");
    }
    wipe_and_free(text);
    json_decref(value);
    return rc;
}

int json_print(struct slice map)
{
    return json_print_value(json_of(map));
}

int json_print_each(struct slice map, const char *name)
{
    struct slice array = {0};
    if (!control_get(map, name, &array)) {
        return json_print(map);
    }
    struct reader r = reader_of(array);
    int rc = EXIT_OK;
    for (uint32_t n = pack_read_array(&r, LIMIT_CONTROL_MESSAGE); n > 0 && rc == EXIT_OK; n--) {
        size_t start = r.pos;
        pack_skip(&r, CONTROL_DEPTH);
        rc = json_print(slice_of(array.p + start, r.pos - start));
    }
    return rc;
}

void json_print_error(struct slice map)
{
    json_t *object = json_object();
    json_t *error = json_of(map);
    if (error != NULL && json_object_set_new(object, "error", error) == 0) {
        (void)json_print_value(object);
    } else {
        json_decref(object);
    }
}
