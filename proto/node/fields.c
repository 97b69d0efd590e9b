/* SPDX-License-Identifier: Apache-2.0 */
#include "node/fields.h"

#include "node/address.h"

const void *fields_member(const struct field *f, const void *p)
{
    return (const uint8_t *)p + f->offset;
}

static bool field_left_out(const struct field *f, const void *member)
{
    if (f->kind == FIELD_SLICE) {
        return ((const struct slice *)member)->len == 0;
    }
    if (f->kind == FIELD_LATER) {
        return *(const uint64_t *)member == 0;
    }
    return f->kind == FIELD_ADDRESS && ((const struct address *)member)->port == 0;
}

static void field_write(struct writer *w, const struct field *f, const void *member)
{
    pack_uint(w, f->key);
    switch (f->kind) {
    case FIELD_U8:
        pack_uint(w, *(const uint8_t *)member);
        break;
    case FIELD_U32:
        pack_uint(w, *(const uint32_t *)member);
        break;
    case FIELD_U64:
    case FIELD_LATER:
        pack_uint(w, *(const uint64_t *)member);
        break;
    case FIELD_BOOL:
        pack_bool(w, *(const bool *)member);
        break;
    case FIELD_ENUM:
        pack_uint(w, (uint64_t) * (const int *)member);
        break;
    case FIELD_FIXED:
        pack_bin(w, member, f->size);
        break;
    case FIELD_SLICE:
        pack_bin_slice(w, *(const struct slice *)member);
        break;
    case FIELD_ADDRESS:
        address_write(w, member);
        break;
    }
}

void fields_write(struct writer *w, const struct field *table, size_t n, const void *row)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += !field_left_out(&table[i], fields_member(&table[i], row));
    }
    pack_map(w, count);
    for (size_t i = 0; i < n; i++) {
        const void *member = fields_member(&table[i], row);
        if (!field_left_out(&table[i], member)) {
            field_write(w, &table[i], member);
        }
    }
}

static void field_read(struct reader *r, const struct field *f, void *member)
{
    switch (f->kind) {
    case FIELD_U8:
        *(uint8_t *)member = (uint8_t)pack_read_uint(r, UINT8_MAX);
        break;
    case FIELD_U32:
        *(uint32_t *)member = (uint32_t)pack_read_uint(r, UINT32_MAX);
        break;
    case FIELD_U64:
    case FIELD_LATER:
        *(uint64_t *)member = pack_read_uint(r, UINT64_MAX);
        break;
    case FIELD_BOOL:
        *(bool *)member = pack_read_bool(r);
        break;
    case FIELD_ENUM:
        *(int *)member = (int)pack_read_uint(r, f->size - 1);
        break;
    case FIELD_FIXED:
        pack_read_bin_exact(r, member, f->size);
        break;
    case FIELD_SLICE:
        *(struct slice *)member = pack_read_bin(r, f->size);
        break;
    case FIELD_ADDRESS:
        address_read_own(r, member);
        break;
    }
}

enum err fields_read(struct slice plain, const struct field *table, size_t n, void *row)
{
    struct reader r = reader_of(plain);
    struct pack_fields f = pack_fields_begin(&r, UINT8_MAX);
    uint64_t required = 0;
    for (size_t i = 0; i < n; i++) {
        if (table[i].kind != FIELD_SLICE && table[i].kind != FIELD_ADDRESS &&
            table[i].kind != FIELD_LATER) {
            required |= UINT64_C(1) << table[i].key;
        }
    }
    while (pack_fields_next(&f)) {
        size_t i = 0;
        while (i < n && table[i].key != f.key) {
            i++;
        }
        if (i == n) {
            pack_fields_skip(&f);
        } else {
            field_read(&r, &table[i], (uint8_t *)row + table[i].offset);
        }
    }
    pack_fields_require(&f, required);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}
