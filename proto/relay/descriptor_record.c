/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/descriptor_record.h"

#include <string.h>

enum err descriptor_put_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH],
                              const struct descriptor_put *put, const struct sign_sk *member)
{
    uint8_t buf[LIMIT_DESCRIPTOR + 160];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, 2);
    pack_uint(&body, 0);
    bep44_item_write(&body, &put->item);
    pack_uint(&body, 1);
    pack_uint(&body, put->period);
    return relay_signed_write(w, arena, hash, DESCRIPTOR_PUT_LABEL, writer_done(&body), member,
                              NULL);
}

enum err descriptor_put_body_read(struct slice body, struct descriptor_put *put)
{
    struct reader r = reader_of(body);
    struct descriptor_put got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (f.key == 0) {
            bep44_item_read(&r, &got.item);
        } else if (f.key == 1) {
            got.period = (uint32_t)pack_read_uint(&r, UINT32_MAX);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0x03);
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
    enum err err = relay_signed_open(bytes, false, arena, DESCRIPTOR_PUT_LABEL, hash, &s);
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
    relay_key_write(w, &get->blinded);
}

enum err descriptor_get_read(struct slice bytes, struct descriptor_get *get)
{
    return relay_key_read(bytes, &get->blinded);
}

void descriptor_get_reply_write(struct writer *w, const struct descriptor_get_reply *reply)
{
    bool ok = reply->head.err == ERR_OK;
    relay_reply_begin(w, &reply->head, ok ? 1 : 0);
    if (ok) {
        pack_uint(w, 2);
        bep44_item_write(w, &reply->item);
    }
}

enum err descriptor_get_reply_read(struct slice bytes, struct descriptor_get_reply *reply)
{
    struct reader r = reader_of(bytes);
    struct descriptor_get_reply got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (relay_reply_field(&f, &got.head)) {
            continue;
        }
        if (f.key == 2) {
            bep44_item_read(&r, &got.item);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, got.head.err == ERR_OK ? 0x05 : 0x01);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
