/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/descriptor_record.h"

#include <string.h>

enum err descriptor_put_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH],
                              const struct descriptor_put *put, const struct relay_signer *blinded,
                              const struct sign_sk *member)
{
    uint8_t buf[LIMIT_DESCRIPTOR + 160];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, put->quiet ? 3 : 2);
    pack_uint(&body, 0);
    bep44_item_write(&body, &put->item);
    pack_uint(&body, 1);
    pack_uint(&body, put->period);
    if (put->quiet) {
        pack_uint(&body, 2);
        pack_bool(&body, true);
    }
    return relay_signed_write_by(w, arena, hash, DESCRIPTOR_PUT_LABEL, writer_done(&body), blinded,
                                 member);
}

enum err descriptor_put_body_read(struct slice body, struct descriptor_put *put)
{
    struct descriptor_put got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            bep44_item_read(&f.r, &got.item);
        } else if (f.map.key == 1) {
            got.period = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
        } else if (f.map.key == 2) {
            got.quiet = pack_read_bool(&f.r);
            if (!got.quiet) {
                reader_fail(&f.r, ERR_MALFORMED); /* it is left out */
            }
        }
    }
    enum err err = relay_fields_end(&f, 0x03);
    if (err == ERR_OK) {
        *put = got;
    }
    return err;
}

enum err descriptor_put_read(struct slice bytes, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH], struct descriptor_put *put)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, true, arena, DESCRIPTOR_PUT_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = descriptor_put_body_read(s.body, put);
    }
    if (err == ERR_OK && memcmp(put->item.key.b, s.key.b, sizeof s.key.b) != 0) {
        err = ERR_BAD_SIGNATURE; /* an item of somebody else */
    }
    if (err == ERR_OK) {
        put->member = s.member;
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
    if (relay_reply_write_head(w, &reply->head, 1)) {
        pack_uint(w, 2);
        bep44_item_write(w, &reply->item);
    }
}

enum err descriptor_get_reply_read(struct slice bytes, struct descriptor_get_reply *reply)
{
    struct descriptor_get_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            bep44_item_read(&f.r, &got.item);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
