/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/queue.h"

#include <string.h>

static const uint32_t ENVELOPE_SIZES[LIMIT_ENVELOPE_CLASSES] = {1024, 4096, 16384, LIMIT_ENVELOPE};

uint64_t queue_lifetime_ms(unsigned lifetime)
{
    static const uint64_t ms[QUEUE_LIFETIMES] = {LIMIT_HOUR_MS, LIMIT_DAY_MS, 7 * LIMIT_DAY_MS,
                                                 LIMIT_QUEUE_DAYS * LIMIT_DAY_MS};
    return ms[lifetime < QUEUE_LIFETIMES ? lifetime : QUEUE_LIFETIMES - 1];
}

unsigned queue_lifetime_class(uint64_t ms)
{
    unsigned c = 0;
    while (c + 1 < QUEUE_LIFETIMES && queue_lifetime_ms(c) < ms) {
        c++;
    }
    return c;
}

int queue_envelope_class(size_t len)
{
    for (int i = 0; i < LIMIT_ENVELOPE_CLASSES; i++) {
        if (ENVELOPE_SIZES[i] == len) {
            return i;
        }
    }
    return -1;
}

size_t queue_envelope_size(unsigned envelope_class)
{
    return ENVELOPE_SIZES[envelope_class % LIMIT_ENVELOPE_CLASSES];
}

/* --- register --- */

enum err queue_register_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH], const struct queue_register *q,
                              const struct sign_sk *queue, const struct sign_sk *member)
{
    uint8_t *buf = arena_alloc(arena, 64); /* k is a secret: the arena is wiped */
    if (buf == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer body = writer_of(buf, 64);
    pack_map(&body, 1);
    pack_uint(&body, 0);
    pack_bin(&body, q->k.b, sizeof q->k.b);
    return relay_signed_write(w, arena, hash, QUEUE_REGISTER_LABEL, writer_done(&body), queue,
                              member);
}

enum err queue_register_body_read(struct slice body, struct queue_register *q)
{
    struct queue_register got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.k.b, sizeof got.k.b);
        }
    }
    enum err err = relay_fields_end(&f, 0x01);
    if (err == ERR_OK) {
        *q = got;
    }
    return err;
}

enum err queue_register_read(struct slice bytes, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH], struct queue_register *q)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, true, arena, QUEUE_REGISTER_LABEL, hash, &s);
    if (err == ERR_OK) {
        err = queue_register_body_read(s.body, q);
    }
    if (err == ERR_OK) {
        q->queue = s.key;
        q->member = s.member;
    }
    return err;
}

void queue_register_reply_write(struct writer *w, const struct queue_register_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 3)) {
        pack_uint(w, 2);
        pack_uint(w, reply->envelopes);
        pack_uint(w, 3);
        pack_uint(w, reply->bytes);
        pack_uint(w, 4);
        pack_uint(w, reply->days);
    }
}

enum err queue_register_reply_read(struct slice bytes, struct queue_register_reply *reply)
{
    struct queue_register_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.envelopes = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
        } else if (f.map.key == 3) {
            got.bytes = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 4) {
            got.days = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x1d);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- attach --- */

enum err queue_attach_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH], const struct sign_sk *queue)
{
    return relay_signed_write(w, arena, hash, QUEUE_ATTACH_LABEL, slice_of(NULL, 0), queue, NULL);
}

enum err queue_attach_read(struct slice bytes, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH], struct queue_attach *attach)
{
    return relay_signed_open_key(bytes, arena, QUEUE_ATTACH_LABEL, hash, &attach->queue);
}

void queue_attach_reply_write(struct writer *w, const struct queue_attach_reply *reply)
{
    bool timed = reply->time_ms != 0;
    bool placed = reply->dht_port != 0;
    if (relay_reply_write_head(w, &reply->head, 1U + (timed ? 1U : 0U) + (placed ? 1U : 0U))) {
        pack_uint(w, 2);
        pack_uint(w, reply->waiting);
        if (timed) {
            pack_uint(w, 3);
            pack_uint(w, reply->time_ms);
        }
        if (placed) {
            pack_uint(w, 4);
            pack_uint(w, reply->dht_port);
        }
    }
}

enum err queue_attach_reply_read(struct slice bytes, struct queue_attach_reply *reply)
{
    struct queue_attach_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.waiting = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
        } else if (f.map.key == 3) {
            got.time_ms = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 4) {
            got.dht_port = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- deposit --- */

/* An envelope: a bin of exactly one class's size. */
static struct slice read_envelope(struct reader *r)
{
    struct slice s = pack_read_bin(r, LIMIT_ENVELOPE);
    if (r->err == ERR_OK && queue_envelope_class(s.len) < 0) {
        reader_fail(r, ERR_MALFORMED);
    }
    return s;
}

void queue_deposit_write(struct writer *w, const struct queue_deposit *d)
{
    pack_map(w, d->volatile_only ? 5 : 4);
    pack_uint(w, 0);
    pack_bin(w, d->queue.b, sizeof d->queue.b);
    relay_admission_write(w, &d->admission);
    pack_uint(w, 3);
    pack_uint(w, d->lifetime);
    if (d->volatile_only) {
        pack_uint(w, 4);
        pack_bool(w, true);
    }
    pack_uint(w, 5);
    pack_bin_slice(w, d->envelope);
}

enum err queue_deposit_read(struct slice bytes, struct queue_deposit *d)
{
    struct queue_deposit got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_admission_next(&f, &got.admission)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.queue.b, sizeof got.queue.b);
        } else if (f.map.key == 3) {
            got.lifetime = (uint8_t)pack_read_uint(&f.r, QUEUE_LIFETIMES - 1);
        } else if (f.map.key == 4) {
            got.volatile_only = pack_read_bool(&f.r);
        } else if (f.map.key == 5) {
            got.envelope = read_envelope(&f.r);
        }
    }
    enum err err = relay_admission_end(&f, 0x29);
    if (err == ERR_OK) {
        *d = got;
    }
    return err;
}

void queue_deposit_reply_write(struct writer *w, const struct queue_deposit_reply *reply)
{
    if (reply->head.err == ERR_STAMP_TOO_CHEAP) {
        relay_reply_write_price(w, &reply->head, reply->stamp_bits);
        return;
    }
    bool receipt = reply->receipt.len > 0;
    if (relay_reply_write_head(w, &reply->head, receipt ? 2 : 1)) {
        pack_uint(w, 3);
        pack_uint(w, (uint64_t)reply->outcome);
        if (receipt) {
            pack_uint(w, 4);
            pack_bin_slice(w, reply->receipt);
        }
    }
}

enum err queue_deposit_reply_read(struct slice bytes, struct queue_deposit_reply *reply)
{
    struct queue_deposit_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.stamp_bits = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
        } else if (f.map.key == 3) {
            got.outcome = (enum queue_outcome)pack_read_uint(&f.r, QUEUE_DROPPED);
        } else if (f.map.key == 4) {
            got.receipt = pack_read_bin(&f.r, RELAY_RECEIPT);
        }
    }
    if (got.head.err == ERR_STAMP_TOO_CHEAP) {
        pack_fields_require(&f.map, 0x05);
    }
    enum err err = relay_reply_end(&f, &got.head, 0x09);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* --- push, acknowledge --- */

void queue_push_write(struct writer *w, const struct queue_push *push)
{
    pack_map(w, push->has_nonce ? 5 : 4);
    pack_uint(w, 0);
    pack_bin(w, push->queue.b, sizeof push->queue.b);
    pack_uint(w, 1);
    pack_uint(w, push->number);
    if (push->has_nonce) {
        pack_uint(w, 2);
        pack_bin(w, push->nonce, sizeof push->nonce);
    }
    pack_uint(w, 3);
    pack_uint(w, push->deposited_ms);
    pack_uint(w, 4);
    pack_bin_slice(w, push->envelope);
}

enum err queue_push_read(struct slice bytes, struct queue_push *push)
{
    struct queue_push got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.queue.b, sizeof got.queue.b);
        } else if (f.map.key == 1) {
            got.number = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 2) {
            pack_read_bin_exact(&f.r, got.nonce, sizeof got.nonce);
            got.has_nonce = true;
        } else if (f.map.key == 3) {
            got.deposited_ms = pack_read_uint(&f.r, UINT64_MAX);
        } else if (f.map.key == 4) {
            got.envelope = read_envelope(&f.r);
        }
    }
    enum err err = relay_fields_end(&f, 0x1b);
    if (err == ERR_OK) {
        *push = got;
    }
    return err;
}

void queue_ack_write(struct writer *w, const struct queue_ack *ack)
{
    pack_map(w, 2);
    pack_uint(w, 0);
    pack_bin(w, ack->queue.b, sizeof ack->queue.b);
    pack_uint(w, 1);
    pack_uint(w, ack->number);
}

enum err queue_ack_read(struct slice bytes, struct queue_ack *ack)
{
    struct queue_ack got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.queue.b, sizeof got.queue.b);
        } else if (f.map.key == 1) {
            got.number = pack_read_uint(&f.r, UINT64_MAX);
        }
    }
    enum err err = relay_fields_end(&f, 0x03);
    if (err == ERR_OK) {
        *ack = got;
    }
    return err;
}

void queue_void_write(struct writer *w, const struct queue_void *v)
{
    pack_map(w, 2);
    pack_uint(w, 0);
    pack_bin(w, v->queue.b, sizeof v->queue.b);
    pack_uint(w, 1);
    pack_bin_slice(w, v->nonces);
}

enum err queue_void_read(struct slice bytes, struct queue_void *v)
{
    struct queue_void got = {.nonces = slice_of(NULL, 0)};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.queue.b, sizeof got.queue.b);
        } else if (f.map.key == 1) {
            got.nonces = pack_read_bin(&f.r, LIMIT_VOID_NONCES * TOKEN_NONCE);
        }
    }
    enum err err = relay_fields_end(&f, 0x03);
    if (err == ERR_OK && (got.nonces.len == 0 || got.nonces.len % TOKEN_NONCE != 0)) {
        err = ERR_MALFORMED;
    }
    if (err == ERR_OK) {
        *v = got;
    }
    return err;
}
