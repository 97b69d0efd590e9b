/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/card.h"

#include <string.h>

#include "crypto/signed.h"

enum {
    CARD_BODY = CARD_MAX - SIGNED_OVERHEAD,
    CARD_REQUIRED = 0x1ff,
};

enum err card_write(struct writer *w, const struct card *card, const struct sign_sk *node)
{
    uint8_t buf[CARD_BODY];
    struct writer body = writer_of(buf, sizeof buf);
    pack_map(&body, 9);
    pack_uint(&body, 0);
    pack_uint(&body, card->key_id);
    pack_uint(&body, 1);
    pack_bin(&body, card->pk, sizeof card->pk);
    pack_uint(&body, 2);
    pack_uint(&body, card->created_ms);
    pack_uint(&body, 3);
    pack_uint(&body, card->until_ms);
    pack_uint(&body, 4);
    pack_uint(&body, card->deposit_bits);
    pack_uint(&body, 5);
    pack_uint(&body, card->pop_bits);
    pack_uint(&body, 6);
    pack_uint(&body, card->envelopes);
    pack_uint(&body, 7);
    pack_uint(&body, card->bytes);
    pack_uint(&body, 8);
    pack_uint(&body, card->days);
    return body.err != ERR_OK ? body.err : signed_write(w, CARD_LABEL, writer_done(&body), node);
}

static enum err body_read(struct slice body, struct card *card)
{
    struct reader r = reader_of(body);
    struct card got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            got.key_id = (uint8_t)pack_read_uint(&r, UINT8_MAX);
            break;
        case 1:
            pack_read_bin_exact(&r, got.pk, sizeof got.pk);
            break;
        case 2:
            got.created_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        case 3:
            got.until_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        case 4:
            got.deposit_bits = (uint8_t)pack_read_uint(&r, UINT8_MAX);
            break;
        case 5:
            got.pop_bits = (uint8_t)pack_read_uint(&r, UINT8_MAX);
            break;
        case 6:
            got.envelopes = (uint32_t)pack_read_uint(&r, UINT32_MAX);
            break;
        case 7:
            got.bytes = pack_read_uint(&r, UINT64_MAX);
            break;
        case 8:
            got.days = (uint16_t)pack_read_uint(&r, UINT16_MAX);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, CARD_REQUIRED);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *card = got;
    }
    return err;
}

enum err card_open(struct slice bytes, const struct sign_pk *node, uint64_t now_ms,
                   struct card *card)
{
    struct slice body;
    struct card got;
    enum err err = signed_open(bytes, CARD_MAX, CARD_LABEL, node, &body);
    if (err == ERR_OK) {
        err = body_read(body, &got);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (got.created_ms > now_ms && got.created_ms - now_ms > LIMIT_CARD_SKEW_MS) {
        return ERR_STALE;
    }
    if (got.until_ms <= now_ms || got.until_ms < got.created_ms ||
        got.until_ms - got.created_ms > LIMIT_CARD_DAYS * LIMIT_DAY_MS) {
        return ERR_EXPIRED;
    }
    *card = got;
    return ERR_OK;
}

void card_get_write(struct writer *w)
{
    pack_map(w, 0);
}

enum err card_get_read(struct slice bytes)
{
    struct reader r = reader_of(bytes);
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        pack_fields_skip(&f);
    }
    return reader_end(&r);
}

void card_reply_write(struct writer *w, const struct card_reply *reply)
{
    bool ok = reply->head.err == ERR_OK;
    relay_reply_begin(w, &reply->head, ok ? 1 : 0);
    if (ok) {
        pack_uint(w, 2);
        pack_bin_slice(w, reply->card);
    }
}

enum err card_reply_read(struct slice bytes, struct card_reply *reply)
{
    struct reader r = reader_of(bytes);
    struct card_reply got = {0};
    struct pack_fields f = pack_fields_begin(&r, RELAY_FIELDS);
    while (pack_fields_next(&f)) {
        if (relay_reply_field(&f, &got.head)) {
            continue;
        }
        if (f.key == 2) {
            got.card = pack_read_bin(&r, CARD_MAX);
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
