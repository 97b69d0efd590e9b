/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/descriptor_record.h"

#include <string.h>

static void write_item(struct writer *w, const struct descriptor_item *item, uint64_t first)
{
    pack_uint(w, first);
    pack_uint(w, item->seq);
    pack_uint(w, first + 1);
    pack_bin(w, item->sig, sizeof item->sig);
    pack_uint(w, first + 2);
    pack_bin_slice(w, item->v);
}

/* Reads field f when it is one of write_item's. */
static bool read_item(struct pack_fields *f, struct descriptor_item *item, uint64_t first)
{
    if (f->key == first) {
        item->seq = pack_read_uint(f->r, INT64_MAX);
    } else if (f->key == first + 1) {
        pack_read_bin_exact(f->r, item->sig, sizeof item->sig);
    } else if (f->key == first + 2) {
        item->v = pack_read_bin(f->r, LIMIT_DESCRIPTOR);
        if (f->r->err == ERR_OK && item->v.len != LIMIT_DESCRIPTOR) {
            reader_fail(f->r, ERR_MALFORMED);
        }
    } else {
        return false;
    }
    return true;
}

enum err descriptor_put_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH],
                              const struct descriptor_put *put, const struct sign_sk *member)
{
    uint8_t buf[LIMIT_DESCRIPTOR + 160];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, 5);
    pack_uint(&body, 0);
    pack_bin(&body, put->item.blinded.b, sizeof put->item.blinded.b);
    write_item(&body, &put->item, 1);
    pack_uint(&body, 4);
    pack_uint(&body, put->period);
    if (body.err != ERR_OK) {
        return ERR_TOO_LARGE;
    }
    return relay_signed_write(w, arena, hash, DESCRIPTOR_PUT_LABEL, writer_done(&body), member,
                              NULL);
}

enum err descriptor_put_body_read(struct slice body, struct descriptor_put *put)
{
    struct reader r = reader_of(body);
    struct descriptor_put got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (read_item(&f, &got.item, 1)) {
            continue;
        }
        if (f.key == 0) {
            pack_read_bin_exact(&r, got.item.blinded.b, sizeof got.item.blinded.b);
        } else if (f.key == 4) {
            got.period = (uint32_t)pack_read_uint(&r, UINT32_MAX);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x1f);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *put = got;
    }
    return err;
}

enum err descriptor_put_read(struct slice bytes, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH], struct descriptor_put *put)
{
    struct relay_signed s;
    struct descriptor_put got;
    enum err err = relay_signed_read(bytes, false, &s);
    if (err == ERR_OK) {
        err = relay_signed_verify(&s, arena, DESCRIPTOR_PUT_LABEL, hash);
    }
    if (err == ERR_OK) {
        err = descriptor_put_body_read(s.body, &got);
    }
    if (err == ERR_OK) {
        got.member = s.key;
        *put = got;
    }
    return err;
}

void descriptor_get_write(struct writer *w, const struct descriptor_get *get)
{
    pack_map(w, 1);
    pack_uint(w, 0);
    pack_bin(w, get->blinded.b, sizeof get->blinded.b);
}

enum err descriptor_get_read(struct slice bytes, struct descriptor_get *get)
{
    struct reader r = reader_of(bytes);
    struct descriptor_get got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (f.key == 0) {
            pack_read_bin_exact(&r, got.blinded.b, sizeof got.blinded.b);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x01);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *get = got;
    }
    return err;
}

void descriptor_get_reply_write(struct writer *w, const struct descriptor_get_reply *reply)
{
    bool ok = reply->head.err == ERR_OK;
    relay_reply_begin(w, &reply->head, ok ? 3 : 0);
    if (ok) {
        write_item(w, &reply->item, 2);
    }
}

enum err descriptor_get_reply_read(struct slice bytes, struct descriptor_get_reply *reply)
{
    struct reader r = reader_of(bytes);
    struct descriptor_get_reply got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (!relay_reply_field(&f, &got.head) && !read_item(&f, &got.item, 2)) {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, got.head.err == ERR_OK ? 0x1d : 0x01);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
