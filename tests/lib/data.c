/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/data.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/unit.h"

json_t *data_vectors(const char *name)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/data/vectors/%s.json", PETREL_TEST_DIR, name);
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s: line %d: %s", path, error.line, error.text);
    ck_assert_msg(json_array_size(root) > 0, "%s: no cases", path);
    return root;
}

const char *data_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    ck_assert_msg(text != NULL, "no text member %s", member);
    return text;
}

struct slice data_hex(const json_t *object, const char *member, uint8_t *out, size_t cap)
{
    return slice_of(out, unit_hex(data_text(object, member), out, cap));
}

void data_bytes(const json_t *object, const char *member, void *out, size_t len)
{
    struct slice got = data_hex(object, member, out, len);
    ck_assert_msg(got.len == len, "member %s has %zu bytes, not %zu", member, got.len, len);
}

uint64_t data_u64(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (json_is_integer(value)) {
        return (uint64_t)json_integer_value(value);
    }
    char *end;
    const char *text = data_text(object, member);
    uint64_t n = strtoull(text, &end, 10);
    ck_assert_msg(*text != '\0' && *end == '\0', "member %s is no number", member);
    return n;
}
