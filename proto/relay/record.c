/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/record.h"

#include <string.h>

/* --- sealing --- */

void record_key(struct aead_key *out, const struct sign_pk *id, const struct sign_pk *record)
{
    struct slice parts[2] = {slice_of(id->b, sizeof id->b), slice_of(record->b, sizeof record->b)};
    prim_blake2b(out->b, sizeof out->b, slice_of(NULL, 0), "petrel/1 record", parts, 2);
}

/* AD of the body ("body") or of a part ("part" | id): a relay cannot hand out one as the other. */
static struct slice seal_ad(uint8_t buf[static 8], uint32_t part)
{
    struct writer w = writer_of(buf, 8);
    writer_bytes(&w, part == RECORD_BODY_ID ? "body" : "part", 4);
    if (part != RECORD_BODY_ID) {
        writer_u32(&w, part);
    }
    return writer_done(&w);
}

void record_seal(uint8_t *out, const struct aead_key *key, const struct env *env, uint32_t part,
                 struct slice plain)
{
    uint8_t ad[8];
    env_random(env, out, PRIM_AEAD_NONCE);
    prim_aead_seal(out + PRIM_AEAD_NONCE, key, out, seal_ad(ad, part), plain);
}

enum err record_open(uint8_t *out, size_t *len, const struct aead_key *key, uint32_t part,
                     struct slice sealed)
{
    if (sealed.len < RECORD_OVERHEAD) {
        return ERR_DECRYPT;
    }
    uint8_t ad[8];
    struct slice box = slice_of(sealed.p + PRIM_AEAD_NONCE, sealed.len - PRIM_AEAD_NONCE);
    enum err err = prim_aead_open(out, key, sealed.p, seal_ad(ad, part), box);
    if (err == ERR_OK) {
        *len = sealed.len - RECORD_OVERHEAD;
    }
    return err;
}

/* --- put --- */

static void write_part(struct writer *w, const struct record_part *part)
{
    pack_array(w, 2);
    pack_uint(w, part->id);
    pack_bin_slice(w, part->sealed);
}

static struct record_part read_part(struct reader *r)
{
    struct record_part part = {0};
    if (pack_read_array(r, 2) != 2) {
        reader_fail(r, ERR_MALFORMED);
    }
    part.id = (uint32_t)pack_read_uint(r, UINT32_MAX);
    part.sealed = pack_read_bin(r, LIMIT_RECORD_PART);
    if (part.id == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
    return part;
}

static size_t put_room(const struct record_put *put)
{
    size_t n = 128 + put->body.len;
    for (size_t i = 0; i < put->nparts; i++) {
        n += put->parts[i].sealed.len + 16;
    }
    return n;
}

static void put_body_write(struct writer *w, const struct record_put *put)
{
    pack_map(w, 2 + (put->has_body ? 1u : 0u) + (put->drop_below != 0 ? 1u : 0u) +
                    (put->nparts > 0 ? 1u : 0u));
    pack_uint(w, 0);
    pack_uint(w, put->seq);
    pack_uint(w, 1);
    pack_bin(w, put->k.b, sizeof put->k.b);
    if (put->has_body) {
        pack_uint(w, 2);
        pack_bin_slice(w, put->body);
    }
    if (put->drop_below != 0) {
        pack_uint(w, 3);
        pack_uint(w, put->drop_below);
    }
    if (put->nparts > 0) {
        pack_uint(w, 4);
        pack_array(w, (uint32_t)put->nparts);
        for (size_t i = 0; i < put->nparts; i++) {
            write_part(w, &put->parts[i]);
        }
    }
}

enum err record_put_write(struct writer *w, struct arena *arena,
                          const uint8_t hash[static RELAY_HASH], const struct record_put *put,
                          const struct sign_sk *record, const struct sign_sk *member)
{
    if (put->nparts > LIMIT_ONE_TIME_REFILL) {
        return ERR_TOO_LARGE;
    }
    size_t room = put_room(put);
    uint8_t *buf = arena_alloc(arena, room);
    if (buf == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer body = writer_of(buf, room);
    put_body_write(&body, put);
    return relay_signed_write(w, arena, hash, RECORD_PUT_LABEL, writer_done(&body), record, member);
}

static void read_parts(struct reader *r, struct record_put *put)
{
    put->nparts = pack_read_array(r, LIMIT_ONE_TIME_REFILL);
    for (size_t i = 0; i < put->nparts && r->err == ERR_OK; i++) {
        put->parts[i] = read_part(r);
        if (i > 0 && put->parts[i].id <= put->parts[i - 1].id) {
            reader_fail(r, ERR_MALFORMED);
        }
    }
}

enum err record_put_body_read(struct slice body, struct record_put *put)
{
    struct record_put got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            got.seq = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 1) {
            pack_read_bin_exact(&f.r, got.k.b, sizeof got.k.b);
        } else if (f.map.key == 2) {
            got.body = pack_read_bin(&f.r, LIMIT_RECORD_BODY);
            got.has_body = true;
        } else if (f.map.key == 3) {
            got.drop_below = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
        } else if (f.map.key == 4) {
            read_parts(&f.r, &got);
        }
    }
    enum err err = relay_fields_end(&f, 0x03);
    if (err == ERR_OK) {
        *put = got;
    }
    return err;
}

enum err record_put_read(struct slice bytes, struct arena *arena,
                         const uint8_t hash[static RELAY_HASH], struct record_put *put)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, true, arena, RECORD_PUT_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = record_put_body_read(s.body, put);
    }
    if (err == ERR_OK) {
        put->record = s.key;
        put->member = s.member;
    }
    return err;
}

void record_put_reply_write(struct writer *w, const struct record_put_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 1)) {
        pack_uint(w, 2);
        pack_uint(w, reply->parts_left);
    }
}

enum err record_put_reply_read(struct slice bytes, struct record_put_reply *reply)
{
    struct record_put_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.parts_left = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- get --- */

void record_get_write(struct writer *w, const struct record_get *get)
{
    relay_key_write(w, &get->record);
}

enum err record_get_read(struct slice bytes, struct record_get *get)
{
    return relay_key_read(bytes, &get->record);
}

void record_get_reply_write(struct writer *w, const struct record_get_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 2)) {
        pack_uint(w, 2);
        pack_uint(w, reply->seq);
        pack_uint(w, 3);
        pack_bin_slice(w, reply->body);
    }
}

enum err record_get_reply_read(struct slice bytes, struct record_get_reply *reply)
{
    struct record_get_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.seq = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 3) {
            got.body = pack_read_bin(&f.r, LIMIT_RECORD_BODY);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x0d);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- pop --- */

void record_pop_write(struct writer *w, const struct record_pop *pop)
{
    pack_map(w, 3);
    pack_uint(w, 0);
    pack_bin(w, pop->record.b, sizeof pop->record.b);
    relay_admission_write(w, &pop->admission);
    pack_uint(w, 3);
    pack_bin(w, pop->pop_nonce, sizeof pop->pop_nonce);
}

enum err record_pop_read(struct slice bytes, struct record_pop *pop)
{
    struct record_pop got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_admission_next(&f, &got.admission)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.record.b, sizeof got.record.b);
        } else if (f.map.key == 3) {
            pack_read_bin_exact(&f.r, got.pop_nonce, sizeof got.pop_nonce);
        }
    }
    enum err err = relay_admission_end(&f, 0x09);
    if (err == ERR_OK) {
        *pop = got;
    }
    return err;
}

void record_pop_reply_write(struct writer *w, const struct record_pop_reply *reply)
{
    if (reply->head.err == ERR_STAMP_TOO_CHEAP) {
        relay_reply_write_price(w, &reply->head, reply->stamp_bits);
        return;
    }
    if (relay_reply_write_head(w, &reply->head, reply->has_part ? 3 : 2)) {
        pack_uint(w, 3);
        pack_uint(w, reply->seq);
        pack_uint(w, 4);
        pack_bin_slice(w, reply->body);
        if (reply->has_part) {
            pack_uint(w, 5);
            write_part(w, &reply->part);
        }
    }
}

enum err record_pop_reply_read(struct slice bytes, struct record_pop_reply *reply)
{
    struct record_pop_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.stamp_bits = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
        } else if (f.map.key == 3) {
            got.seq = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 4) {
            got.body = pack_read_bin(&f.r, LIMIT_RECORD_BODY);
        } else if (f.map.key == 5) {
            got.part = read_part(&f.r);
            got.has_part = true;
        }
    }
    if (got.head.err == ERR_STAMP_TOO_CHEAP) {
        pack_fields_require(&f.map, 0x05);
    }
    enum err err = relay_reply_end(&f, &got.head, 0x19);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- status --- */

enum err record_status_write(struct writer *w, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH], const struct sign_sk *record)
{
    return relay_signed_write(w, arena, hash, RECORD_STATUS_LABEL, slice_of(NULL, 0), record, NULL);
}

enum err record_status_read(struct slice bytes, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH], struct record_status *status)
{
    return relay_signed_open_key(bytes, arena, RECORD_STATUS_LABEL, hash, &status->record);
}

void record_status_reply_write(struct writer *w, const struct record_status_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 3)) {
        pack_uint(w, 2);
        pack_uint(w, reply->seq);
        pack_uint(w, 3);
        pack_uint(w, reply->parts_left);
        pack_uint(w, 4);
        pack_uint(w, reply->last_part);
    }
}

enum err record_status_reply_read(struct slice bytes, struct record_status_reply *reply)
{
    struct record_status_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.seq = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 3) {
            got.parts_left = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        } else if (f.map.key == 4) {
            got.last_part = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x1d);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
