/* SPDX-License-Identifier: Apache-2.0 */
#include "node/forward.h"

void forward_write(struct writer *w, const struct forward *forward)
{
    pack_map(w, 3);
    pack_uint(w, 0);
    address_write(w, &forward->to);
    pack_uint(w, 1);
    pack_uint(w, forward->kind);
    pack_uint(w, 2);
    pack_bin_slice(w, forward->body);
}

enum err forward_read(struct slice bytes, struct forward *forward)
{
    struct forward got = {.kind = 0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        switch (f.map.key) {
        case 0:
            address_read(&f.r, &got.to);
            break;
        case 1:
            got.kind = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
            break;
        case 2:
            got.body = pack_read_bin(&f.r, LIMIT_FRAME);
            break;
        default:
            break;
        }
    }
    enum err err = relay_fields_end(&f, 0x07);
    if (err == ERR_OK && got.kind != RELAY_CARD && got.kind != RELAY_SEALED) {
        err = ERR_MALFORMED;
    }
    if (err == ERR_OK) {
        *forward = got;
    }
    return err;
}

void forward_reply_write(struct writer *w, const struct forward_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 1)) {
        pack_uint(w, 2);
        pack_bin_slice(w, reply->body);
    }
}

enum err forward_reply_read(struct slice bytes, struct forward_reply *reply)
{
    struct forward_reply got = {.body = {.len = 0}};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.body = pack_read_bin(&f.r, LIMIT_FRAME);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
