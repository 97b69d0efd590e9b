/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/member.h"

#include <string.h>

enum err member_join_write(struct writer *w, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH], const struct member_join *join,
                           const struct sign_sk *member)
{
    uint8_t buf[64];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, join->has_code ? 1 : 0);
    if (join->has_code) {
        pack_uint(&body, 0);
        pack_bin(&body, join->code, sizeof join->code);
    }
    return relay_signed_write(w, arena, hash, MEMBER_JOIN_LABEL, writer_done(&body), member, NULL);
}

enum err member_join_body_read(struct slice body, struct member_join *join)
{
    struct reader r = reader_of(body);
    struct member_join got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (f.key == 0) {
            pack_read_bin_exact(&r, got.code, sizeof got.code);
            got.has_code = true;
        } else {
            pack_fields_skip(&f);
        }
    }
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *join = got;
    }
    return err;
}

enum err member_join_read(struct slice bytes, struct arena *arena,
                          const uint8_t hash[static RELAY_HASH], struct member_join *join)
{
    struct relay_signed s;
    struct member_join got;
    enum err err = relay_signed_open(bytes, false, arena, MEMBER_JOIN_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = member_join_body_read(s.body, &got);
    }
    if (err == ERR_OK) {
        got.member = s.key;
        *join = got;
    }
    return err;
}

void member_join_reply_write(struct writer *w, const struct member_join_reply *reply)
{
    bool ok = reply->head.err == ERR_OK;
    relay_reply_begin(w, &reply->head, ok ? 2 : 0);
    if (ok) {
        pack_uint(w, 2);
        pack_uint(w, reply->queues);
        pack_uint(w, 3);
        pack_uint(w, reply->records);
    }
}

enum err member_join_reply_read(struct slice bytes, struct member_join_reply *reply)
{
    struct reader r = reader_of(bytes);
    struct member_join_reply got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (relay_reply_field(&f, &got.head)) {
            continue;
        }
        if (f.key == 2) {
            got.queues = (uint16_t)pack_read_uint(&r, UINT16_MAX);
        } else if (f.key == 3) {
            got.records = (uint16_t)pack_read_uint(&r, UINT16_MAX);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, got.head.err == ERR_OK ? 0x0d : 0x01);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
