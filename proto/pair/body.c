/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/body.h"

#include <string.h>

#include "crypto/ct.h"
#include "crypto/prim.h"

enum {
    KEY_BOOT_ID = 0,
    KEY_SEQ = 1,
    KEY_PREV_HASH = 2,
    KEY_CONTENT = 3,
    KEY_ACK = 4,
    KEY_TOKENS = 5,
    KEY_ROUTE = 6,
    KEY_OFFER = 7,
    KEY_ANSWER = 8,
    KEY_SETTLED = 9,
    KEY_ACK_HASH = 10,
    BODY_FIELDS = 32, /* pairs in the map, unknown ones included */
};

void body_hash(struct slice content, uint8_t out[static BODY_HASH])
{
    prim_blake2b(out, BODY_HASH, slice_of(NULL, 0), "petrel/1 content hash", &content, 1);
}

/* Every key is one byte. */
size_t body_map_size(const struct body *b)
{
    size_t size = 1 + 1 + pack_bin_size(BODY_BOOT_ID);
    if (b->seq > 0) {
        size += 1 + pack_uint_size(b->seq);
        size += 1 + pack_bin_size(BODY_HASH);
        size += 1 + pack_bin_size(b->content.len);
    }
    if (b->has_ack) {
        size += 1 + 1 + pack_bin_size(BODY_BOOT_ID) + pack_uint_size(b->ack.cum) +
                pack_bin_size(b->ack.used);
    }
    if (b->tokens.len > 0) {
        size += 1 + pack_bin_size(b->tokens.len);
    }
    if (b->route.len > 0) {
        size += 1 + pack_bin_size(b->route.len);
    }
    if (b->offer.epoch > 0) {
        size += 1 + kem_part_size(&b->offer);
    }
    if (b->answer.epoch > 0) {
        size += 1 + kem_part_size(&b->answer);
    }
    if (b->settled > 0) {
        size += 1 + pack_uint_size(b->settled);
    }
    if (b->has_ack_hash) {
        size += 1 + pack_bin_size(BODY_HASH);
    }
    return size;
}

static uint32_t body_fields(const struct body *b)
{
    return 1U + (b->seq > 0 ? 3U : 0U) + (b->has_ack ? 1U : 0U) + (b->tokens.len > 0 ? 1U : 0U) +
           (b->route.len > 0 ? 1U : 0U) + (b->offer.epoch > 0 ? 1U : 0U) +
           (b->answer.epoch > 0 ? 1U : 0U) + (b->settled > 0 ? 1U : 0U) +
           (b->has_ack_hash ? 1U : 0U);
}

static void write_content(struct writer *w, const struct body *b)
{
    if (b->seq > 0) {
        pack_uint(w, KEY_SEQ);
        pack_uint(w, b->seq);
        pack_uint(w, KEY_PREV_HASH);
        pack_bin(w, b->prev_hash, BODY_HASH);
        pack_uint(w, KEY_CONTENT);
        pack_bin_slice(w, b->content);
    }
}

static void write_ack(struct writer *w, const struct body *b)
{
    if (b->has_ack) {
        pack_uint(w, KEY_ACK);
        pack_array(w, 3);
        pack_bin(w, b->ack_boot_id, BODY_BOOT_ID);
        pack_uint(w, b->ack.cum);
        pack_bin_slice(w, ack_bitmap(&b->ack));
    }
}

static void write_bin_field(struct writer *w, uint64_t key, struct slice bytes)
{
    if (bytes.len > 0) {
        pack_uint(w, key);
        pack_bin_slice(w, bytes);
    }
}

static void write_kem_field(struct writer *w, uint64_t key, const struct kem_part *part)
{
    if (part->epoch > 0) {
        pack_uint(w, key);
        kem_part_write(w, part);
    }
}

enum err body_write(uint8_t *plain, size_t len, const struct body *b)
{
    struct writer w = writer_of(plain, len);
    size_t size = body_map_size(b);
    if (len < BODY_LENGTH || size > len - BODY_LENGTH || size > UINT16_MAX) {
        return ERR_NO_SPACE;
    }
    writer_u16(&w, (uint16_t)size);
    pack_map(&w, body_fields(b));
    pack_uint(&w, KEY_BOOT_ID);
    pack_bin(&w, b->boot_id, BODY_BOOT_ID);
    write_content(&w, b);
    write_ack(&w, b);
    write_bin_field(&w, KEY_TOKENS, b->tokens);
    write_bin_field(&w, KEY_ROUTE, b->route);
    write_kem_field(&w, KEY_OFFER, &b->offer);
    write_kem_field(&w, KEY_ANSWER, &b->answer);
    if (b->settled > 0) {
        pack_uint(&w, KEY_SETTLED);
        pack_uint(&w, b->settled);
    }
    if (b->has_ack_hash) {
        pack_uint(&w, KEY_ACK_HASH);
        pack_bin(&w, b->ack_hash, BODY_HASH);
    }
    writer_zeros(&w, len - w.len);
    return w.err;
}

/* What is there must not be empty: an encoder leaves the field out. */
static struct slice read_bin_field(struct reader *r, size_t max)
{
    struct slice s = pack_read_bin(r, max);
    if (s.len == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
    return s;
}

static uint64_t read_positive(struct reader *r)
{
    uint64_t v = pack_read_uint(r, UINT64_MAX - ACK_WINDOW - 1);
    if (v == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
    return v;
}

static void read_ack(struct reader *r, struct body *b)
{
    if (pack_read_array(r, 3) != 3) {
        reader_fail(r, ERR_MALFORMED);
    }
    pack_read_bin_exact(r, b->ack_boot_id, BODY_BOOT_ID);
    uint64_t cum = pack_read_uint(r, UINT64_MAX);
    struct slice bitmap = pack_read_bin(r, LIMIT_ACK_BITMAP);
    if (r->err == ERR_OK && !ack_from(&b->ack, cum, bitmap)) {
        reader_fail(r, ERR_MALFORMED);
    }
    b->has_ack = true;
}

static void read_field(struct pack_fields *f, struct body *b)
{
    switch (f->key) {
    case KEY_BOOT_ID:
        pack_read_bin_exact(f->r, b->boot_id, BODY_BOOT_ID);
        break;
    case KEY_SEQ:
        b->seq = read_positive(f->r);
        break;
    case KEY_PREV_HASH:
        pack_read_bin_exact(f->r, b->prev_hash, BODY_HASH);
        break;
    case KEY_CONTENT:
        b->content = read_bin_field(f->r, LIMIT_ENVELOPE);
        break;
    case KEY_ACK:
        read_ack(f->r, b);
        break;
    case KEY_TOKENS:
        b->tokens = read_bin_field(f->r, LIMIT_BODY_TOKENS);
        break;
    case KEY_ROUTE:
        b->route = read_bin_field(f->r, LIMIT_BODY_ROUTE);
        break;
    case KEY_OFFER:
        kem_part_read(f->r, SESSION_KEM_EK, &b->offer);
        break;
    case KEY_ANSWER:
        kem_part_read(f->r, SESSION_KEM_CT, &b->answer);
        break;
    case KEY_SETTLED:
        b->settled = read_positive(f->r);
        break;
    case KEY_ACK_HASH:
        pack_read_bin_exact(f->r, b->ack_hash, BODY_HASH);
        b->has_ack_hash = true;
        break;
    default:
        pack_fields_skip(f);
        break;
    }
}

enum err body_read(struct slice plain, struct body *body)
{
    static const uint64_t content_fields =
        UINT64_C(1) << KEY_SEQ | UINT64_C(1) << KEY_PREV_HASH | UINT64_C(1) << KEY_CONTENT;
    CT_PUBLIC(plain.p, plain.len); /* to read a map is to branch on it; the tag was right before */
    struct reader outer = reader_of(plain);
    struct slice map = reader_bytes(&outer, reader_u16(&outer));
    if (outer.err != ERR_OK || !prim_zero(reader_rest(&outer))) {
        return ERR_MALFORMED;
    }
    struct body b;
    memset(&b, 0, sizeof b);
    struct reader r = reader_of(map);
    struct pack_fields f = pack_fields_begin(&r, BODY_FIELDS);
    while (pack_fields_next(&f)) {
        read_field(&f, &b);
    }
    pack_fields_require(&f, UINT64_C(1) << KEY_BOOT_ID);
    if ((f.seen & content_fields) != 0) {
        pack_fields_require(&f, content_fields);
    }
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *body = b;
    }
    return err;
}
