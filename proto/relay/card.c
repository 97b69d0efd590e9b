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
    struct card got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, body);
    while (relay_fields_next(&f)) {
        switch (f.map.key) {
        case 0:
            got.key_id = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
            break;
        case 1:
            pack_read_bin_exact(&f.r, got.pk, sizeof got.pk);
            break;
        case 2:
            got.created_ms = pack_read_uint(&f.r, UINT64_MAX);
            break;
        case 3:
            got.until_ms = pack_read_uint(&f.r, UINT64_MAX);
            break;
        case 4:
            got.deposit_bits = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
            break;
        case 5:
            got.pop_bits = (uint8_t)pack_read_uint(&f.r, UINT8_MAX);
            break;
        case 6:
            got.envelopes = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
            break;
        case 7:
            got.bytes = pack_read_uint(&f.r, UINT64_MAX);
            break;
        case 8:
            got.days = (uint16_t)pack_read_uint(&f.r, UINT16_MAX);
            break;
        default:
            break;
        }
    }
    enum err err = relay_fields_end(&f, CARD_REQUIRED);
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
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
    }
    return relay_fields_end(&f, 0);
}

void card_reply_write(struct writer *w, const struct card_reply *reply)
{
    if (relay_reply_write_head(w, &reply->head, 1)) {
        pack_uint(w, 2);
        pack_bin_slice(w, reply->card);
    }
}

enum err card_reply_read(struct slice bytes, struct card_reply *reply)
{
    struct card_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got.head)) {
        if (f.map.key == 2) {
            got.card = pack_read_bin(&f.r, CARD_MAX);
        }
    }
    enum err err = relay_reply_end(&f, &got.head, 0x05);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}
