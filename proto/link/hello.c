/* SPDX-License-Identifier: Apache-2.0 */
#include "link/hello.h"

#include <assert.h>

#include "base/limits.h"
#include "base/pack.h"

static const char software[] = "petrel " PETREL_VERSION;
static_assert(sizeof software - 1 <= LIMIT_HELLO_SOFTWARE, "the software text fits");

enum {
    KEY_VERSION = 0,
    KEY_MIN = 1,
    KEY_SOFTWARE = 2,
    KEY_FEATURES = 3,
    KEYS = 4,
};

struct hello hello_own(void)
{
    return (struct hello){.version = HELLO_VERSION,
                          .min = HELLO_VERSION_MIN,
                          .software = slice_of(software, sizeof software - 1)};
}

void hello_write(struct writer *w, const struct hello *hello)
{
    pack_map(w, KEYS);
    pack_uint(w, KEY_VERSION);
    pack_uint(w, hello->version);
    pack_uint(w, KEY_MIN);
    pack_uint(w, hello->min);
    pack_uint(w, KEY_SOFTWARE);
    pack_str_slice(w, hello->software);
    pack_uint(w, KEY_FEATURES);
    pack_uint(w, hello->features);
}

enum err hello_read(struct slice body, struct hello *hello)
{
    struct reader r = reader_of(body);
    struct hello h = {.version = 0};
    struct pack_fields f = pack_fields_begin(&r, LIMIT_HELLO_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case KEY_VERSION:
            h.version = (uint16_t)pack_read_uint(&r, UINT16_MAX);
            break;
        case KEY_MIN:
            h.min = (uint16_t)pack_read_uint(&r, UINT16_MAX);
            break;
        case KEY_SOFTWARE:
            h.software = pack_read_str(&r, LIMIT_HELLO_SOFTWARE);
            break;
        case KEY_FEATURES:
            h.features = (uint32_t)pack_read_uint(&r, UINT32_MAX);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, (1U << KEYS) - 1);
    if (h.min == 0 || h.min > h.version) {
        reader_fail(&r, ERR_MALFORMED);
    }
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *hello = h;
    }
    return err;
}

uint16_t hello_agree(const struct hello *a, const struct hello *b)
{
    uint16_t newest = a->version < b->version ? a->version : b->version;
    return newest >= a->min && newest >= b->min ? newest : 0;
}
