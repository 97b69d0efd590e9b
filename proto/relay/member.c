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
    struct member_join got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.code, sizeof got.code);
            got.has_code = true;
        }
    }
    enum err err = relay_fields_end(&f, 0);
    if (err == ERR_OK) {
        *join = got;
    }
    return err;
}

enum err member_join_read(struct slice bytes, struct arena *arena,
                          const uint8_t hash[static RELAY_HASH], struct member_join *join)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, false, arena, MEMBER_JOIN_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = member_join_body_read(s.body, join);
    }
    if (err == ERR_OK) {
        join->member = s.key;
    }
    return err;
}

void member_join_reply_write(struct writer *w, const struct member_join_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 2)) {
        pack_uint(w, 2);
        pack_uint(w, reply->queues);
        pack_uint(w, 3);
        pack_uint(w, reply->records);
    }
}

enum err member_join_reply_read(struct slice bytes, struct member_join_reply *reply)
{
    struct member_join_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.queues = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        } else if (f.map.key == 3) {
            got.records = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x0d);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

enum err member_leave_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH], const struct sign_sk *member)
{
    uint8_t buf[8];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, 0);
    return relay_signed_write(w, arena, hash, MEMBER_LEAVE_LABEL, writer_done(&body), member, NULL);
}

enum err member_leave_body_read(struct slice body)
{
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        continue; /* what comes to be said later is skipped */
    }
    return relay_fields_end(&f, 0);
}

enum err member_leave_read(struct slice bytes, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH], struct member_leave *leave)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, false, arena, MEMBER_LEAVE_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = member_leave_body_read(s.body);
    }
    if (err == ERR_OK) {
        leave->member = s.key;
    }
    return err;
}
