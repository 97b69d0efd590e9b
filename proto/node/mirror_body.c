/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror_body.h"

#include <string.h>

#include "base/pack.h"

enum {
    MIRROR_FIELDS = 16, /* of a map, unknown ones included */
};

void mirror_about_write(struct writer *w, const struct mirror_about *about)
{
    pack_map(w, 8);
    pack_uint(w, 0);
    pack_bin(w, about->id.b, sizeof about->id.b);
    pack_uint(w, 1);
    pack_uint(w, (uint64_t)about->state);
    pack_uint(w, 2);
    pack_bool(w, about->verified);
    pack_uint(w, 3);
    pack_uint(w, about->created_ms);
    pack_uint(w, 4);
    pack_uint(w, about->changed_ms);
    pack_uint(w, 5);
    pack_bin_slice(w, about->name);
    pack_uint(w, 6);
    pack_bin_slice(w, about->text);
    pack_uint(w, 7);
    pack_bin_slice(w, about->list);
}

static void read_field(struct reader *r, struct pack_fields *f, struct mirror_about *out)
{
    switch (f->key) {
    case 0:
        pack_read_bin_exact(r, out->id.b, sizeof out->id.b);
        break;
    case 1:
        out->state = (enum contact_state)pack_read_uint(r, CONTACT_BLOCKED);
        break;
    case 2:
        out->verified = pack_read_bool(r);
        break;
    case 3:
        out->created_ms = pack_read_uint(r, UINT64_MAX);
        break;
    case 4:
        out->changed_ms = pack_read_uint(r, UINT64_MAX);
        break;
    case 5:
        out->name = pack_read_bin(r, LIMIT_NAME);
        break;
    case 6:
        out->text = pack_read_bin(r, LIMIT_REQUEST_TEXT);
        break;
    case 7:
        out->list = pack_read_bin(r, LIMIT_DEVICE_LIST);
        break;
    default:
        pack_fields_skip(f);
    }
}

bool mirror_about_read(struct slice body, struct mirror_about *out)
{
    struct reader r = reader_of(body);
    struct pack_fields f = pack_fields_begin(&r, MIRROR_FIELDS);
    memset(out, 0, sizeof *out);
    while (pack_fields_next(&f)) {
        read_field(&r, &f, out);
    }
    pack_fields_require(&f, 0xff);
    return reader_end(&r) == ERR_OK && out->state >= CONTACT_INCOMING &&
           pack_utf8_valid(out->name) && pack_utf8_valid(out->text) && prim_sign_pk_valid(&out->id);
}

void mirror_pair_write(struct writer *w, const struct sign_pk *id, struct slice bytes)
{
    pack_array(w, 2);
    pack_bin(w, id->b, sizeof id->b);
    pack_bin_slice(w, bytes);
}

bool mirror_pair_read(struct slice body, struct sign_pk *id, struct slice *bytes, size_t max)
{
    struct reader r = reader_of(body);
    bool two = pack_read_array(&r, 2) == 2;
    pack_read_bin_exact(&r, id->b, sizeof id->b);
    *bytes = pack_read_bin(&r, max);
    return reader_end(&r) == ERR_OK && two && prim_sign_pk_valid(id);
}

void mirror_places_write(struct writer *w, const struct device_entry *entry)
{
    pack_array(w, entry->queue_count + 1);
    device_place_write(w, &entry->record);
    for (unsigned i = 0; i < entry->queue_count; i++) {
        device_place_write(w, &entry->queues[i]);
    }
}

bool mirror_places_read(struct slice body, struct device_entry *entry)
{
    struct reader r = reader_of(body);
    uint32_t n = pack_read_array(&r, LIMIT_DEVICE_QUEUES + 1);
    *entry = (struct device_entry){.queue_count = n > 0 ? n - 1 : 0};
    device_place_read(&r, &entry->record);
    for (unsigned i = 0; i < entry->queue_count; i++) {
        device_place_read(&r, &entry->queues[i]);
    }
    return reader_end(&r) == ERR_OK && entry->queue_count > 0;
}

bool mirror_list_read(struct slice body, struct slice *list)
{
    struct reader r = reader_of(body);
    *list = pack_read_bin(&r, LIMIT_DEVICE_LIST);
    return reader_end(&r) == ERR_OK;
}
