/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device.h"

#include <string.h>

#include "base/hex.h"
#include "base/pack.h"
#include "crypto/signed.h"

#define CERTIFICATE_LABEL "petrel/1 device certificate"
#define LIST_LABEL        "petrel/1 device list"

enum {
    DEVICE_FIELDS = 16, /* of a map, unknown ones included */
};

enum err device_certificate_make(struct writer *w, const struct device_certificate *certificate,
                                 const struct sign_sk *identity)
{
    uint8_t body[LIMIT_CERTIFICATE];
    struct writer b = writer_of(body, sizeof body);
    pack_map(&b, 5);
    pack_uint(&b, 0);
    pack_bin(&b, certificate->sign.b, sizeof certificate->sign.b);
    pack_uint(&b, 1);
    pack_bin(&b, certificate->dh.b, sizeof certificate->dh.b);
    pack_uint(&b, 2);
    pack_bin(&b, certificate->mls.b, sizeof certificate->mls.b);
    pack_uint(&b, 3);
    pack_uint(&b, certificate->capabilities);
    pack_uint(&b, 4);
    pack_uint(&b, certificate->added_ms);
    return signed_write(w, CERTIFICATE_LABEL, writer_done(&b), identity);
}

static enum err certificate_decode(struct slice body, struct device_certificate *out)
{
    struct device_certificate c;
    memset(&c, 0, sizeof c);
    struct reader r = reader_of(body);
    struct pack_fields f = pack_fields_begin(&r, DEVICE_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            signed_read_key(&r, &c.sign);
            break;
        case 1:
            pack_read_bin_exact(&r, c.dh.b, sizeof c.dh.b);
            break;
        case 2:
            signed_read_key(&r, &c.mls);
            break;
        case 3:
            c.capabilities = pack_read_uint(&r, UINT64_MAX);
            break;
        case 4:
            c.added_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x1f);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *out = c;
    }
    return err;
}

enum err device_certificate_open(struct slice bytes, const struct sign_pk *id,
                                 struct device_certificate *out)
{
    struct slice body;
    enum err err = signed_open(bytes, LIMIT_CERTIFICATE, CERTIFICATE_LABEL, id, &body);
    return err == ERR_OK ? certificate_decode(body, out) : err;
}

void device_place_write(struct writer *w, const struct device_place *place)
{
    pack_map(w, 2);
    pack_uint(w, 0);
    address_write(w, &place->relay);
    pack_uint(w, 1);
    pack_bin(w, place->key.b, sizeof place->key.b);
}

void device_place_read(struct reader *r, struct device_place *out)
{
    struct device_place place = {.relay = {.port = 0}};
    struct pack_fields f = pack_fields_begin(r, DEVICE_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            address_read(r, &place.relay);
            break;
        case 1:
            signed_read_key(r, &place.key);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x3);
    if (r->err == ERR_OK) {
        *out = place;
    }
}

static void entry_write(struct writer *w, const struct device_entry *entry)
{
    pack_map(w, 3);
    pack_uint(w, 0);
    pack_bin_slice(w, entry->certificate);
    pack_uint(w, 1);
    pack_array(w, entry->queue_count);
    for (unsigned i = 0; i < entry->queue_count; i++) {
        device_place_write(w, &entry->queues[i]);
    }
    pack_uint(w, 2);
    device_place_write(w, &entry->record);
}

enum err device_list_make(struct writer *w, const struct device_list *list,
                          const struct sign_sk *identity)
{
    uint8_t body[LIMIT_DEVICE_LIST];
    struct writer b = writer_of(body, LIMIT_DEVICE_LIST - SIGNED_OVERHEAD);
    if (list->count < 1 || list->count > LIMIT_DEVICES) {
        return ERR_ARGUMENT;
    }
    pack_map(&b, 3);
    pack_uint(&b, 0);
    pack_uint(&b, list->version);
    pack_uint(&b, 1);
    pack_uint(&b, list->created_ms);
    pack_uint(&b, 2);
    pack_array(&b, list->count);
    for (unsigned i = 0; i < list->count; i++) {
        if (list->entries[i].queue_count > LIMIT_DEVICE_QUEUES) {
            return ERR_ARGUMENT;
        }
        entry_write(&b, &list->entries[i]);
    }
    if (b.err != ERR_OK) {
        return ERR_TOO_LARGE;
    }
    return signed_write(w, LIST_LABEL, writer_done(&b), identity);
}

static void entry_read(struct reader *r, const struct sign_pk *id, struct device_entry *out)
{
    struct pack_fields f = pack_fields_begin(r, DEVICE_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            out->certificate = pack_read_bin(r, LIMIT_CERTIFICATE);
            if (r->err == ERR_OK) {
                enum err err = device_certificate_open(out->certificate, id, &out->device);
                if (err != ERR_OK) {
                    reader_fail(r, err);
                }
            }
            break;
        case 1:
            out->queue_count = pack_read_array(r, LIMIT_DEVICE_QUEUES);
            for (unsigned i = 0; i < out->queue_count; i++) {
                device_place_read(r, &out->queues[i]);
            }
            break;
        case 2:
            device_place_read(r, &out->record);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x7);
}

bool device_twins(const struct device_certificate *a, const struct device_certificate *b)
{
    return memcmp(a->sign.b, b->sign.b, sizeof a->sign.b) == 0 ||
           memcmp(a->dh.b, b->dh.b, sizeof a->dh.b) == 0 ||
           memcmp(a->mls.b, b->mls.b, sizeof a->mls.b) == 0;
}

static bool same_place(const struct device_place *a, const struct device_place *b)
{
    return address_equal(&a->relay, &b->relay) && memcmp(a->key.b, b->key.b, sizeof a->key.b) == 0;
}

bool device_same_places(const struct device_entry *a, const struct device_entry *b)
{
    bool same = a->queue_count == b->queue_count && same_place(&a->record, &b->record);
    for (unsigned i = 0; same && i < a->queue_count; i++) {
        same = same_place(&a->queues[i], &b->queues[i]);
    }
    return same;
}

/* Whether two entries share a device key. */
static bool has_twins(const struct device_list *list)
{
    for (unsigned i = 1; i < list->count; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (device_twins(&list->entries[i].device, &list->entries[k].device)) {
                return true;
            }
        }
    }
    return false;
}

static void entries_read(struct reader *r, const struct sign_pk *id, struct device_list *out)
{
    out->count = pack_read_array(r, LIMIT_DEVICES);
    for (unsigned i = 0; i < out->count && r->err == ERR_OK; i++) {
        entry_read(r, id, &out->entries[i]);
    }
    if (r->err == ERR_OK && (out->count == 0 || has_twins(out))) {
        reader_fail(r, ERR_MALFORMED);
    }
}

enum err device_list_open(struct slice bytes, const struct sign_pk *id, struct device_list *out)
{
    struct slice body;
    enum err err = signed_open(bytes, LIMIT_DEVICE_LIST, LIST_LABEL, id, &body);
    if (err != ERR_OK) {
        return err;
    }
    struct device_list list;
    memset(&list, 0, sizeof list);
    struct reader r = reader_of(body);
    struct pack_fields f = pack_fields_begin(&r, DEVICE_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            list.version = (uint32_t)pack_read_uint(&r, UINT32_MAX);
            break;
        case 1:
            list.created_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        case 2:
            entries_read(&r, id, &list);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x7);
    err = reader_end(&r);
    if (err == ERR_OK) {
        *out = list;
    }
    return err;
}

void device_list_hash(struct slice bytes, uint8_t out[static DEVICE_LIST_HASH])
{
    prim_blake2b(out, DEVICE_LIST_HASH, slice_of(NULL, 0), "petrel/1 device list hash", &bytes, 1);
}

void device_name(const uint8_t sign_pk[static 32], char out[static DEVICE_NAME])
{
    hex_encode(sign_pk, (DEVICE_NAME - 1) / 2, out);
}
