/* SPDX-License-Identifier: Apache-2.0 */
#include "node/invite.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/pack.h"
#include "base/secret.h"
#include "crypto/signed.h"

enum {
    INVITE_FIELDS = 16, /* of a map, unknown ones included */
    PREFIX = sizeof INVITE_PREFIX - 1,
    BYTES = INVITE_PAYLOAD + INVITE_CHECKSUM,
};

static_assert(sizeof(INVITE_PREFIX) - 1 +
                      sodium_base64_ENCODED_LEN(INVITE_PAYLOAD + INVITE_CHECKSUM,
                                                sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                  INVITE_TEXT,
              "longest invitation");

static void checksum(struct slice payload, uint8_t out[static INVITE_CHECKSUM])
{
    uint8_t hash[16]; /* BLAKE2b's output is never shorter here */
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "petrel/1 invite checksum", &payload, 1);
    memcpy(out, hash, INVITE_CHECKSUM);
}

static void payload_write(struct writer *w, const struct invite *invite)
{
    pack_map(w, 8);
    pack_uint(w, 0);
    pack_uint(w, INVITE_VERSION);
    pack_uint(w, 1);
    pack_bin(w, invite->id.b, sizeof invite->id.b);
    pack_uint(w, 2);
    address_write(w, &invite->relay);
    pack_uint(w, 3);
    pack_bin(w, invite->record.b, sizeof invite->record.b);
    pack_uint(w, 4);
    pack_bin(w, invite->pop_token, sizeof invite->pop_token);
    pack_uint(w, 5);
    pack_bin(w, invite->deposit_token, sizeof invite->deposit_token);
    pack_uint(w, 6);
    pack_bin(w, invite->secret, sizeof invite->secret);
    pack_uint(w, 7);
    pack_uint(w, invite->expires_ms);
}

void invite_encode(const struct invite *invite, char out[static INVITE_TEXT])
{
    uint8_t bytes[BYTES];
    struct writer w = writer_of(bytes, INVITE_PAYLOAD);
    payload_write(&w, invite);
    assert(w.err == ERR_OK);
    checksum(writer_done(&w), bytes + w.len);
    memcpy(out, INVITE_PREFIX, PREFIX);
    (void)sodium_bin2base64(out + PREFIX, INVITE_TEXT - PREFIX, bytes, w.len + INVITE_CHECKSUM,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    secret_wipe(bytes, sizeof bytes);
}

static void version_read(struct reader *r)
{
    if (pack_read_uint(r, UINT32_MAX) != INVITE_VERSION) {
        reader_fail(r, ERR_VERSION);
    }
}

static enum err payload_read(struct slice payload, struct invite *out)
{
    struct reader r = reader_of(payload);
    struct pack_fields f = pack_fields_begin(&r, INVITE_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            version_read(&r);
            break;
        case 1:
            signed_read_key(&r, &out->id);
            break;
        case 2:
            address_read(&r, &out->relay);
            break;
        case 3:
            signed_read_key(&r, &out->record);
            break;
        case 4:
            pack_read_bin_exact(&r, out->pop_token, sizeof out->pop_token);
            break;
        case 5:
            pack_read_bin_exact(&r, out->deposit_token, sizeof out->deposit_token);
            break;
        case 6:
            pack_read_bin_exact(&r, out->secret, sizeof out->secret);
            break;
        case 7:
            out->expires_ms = pack_read_uint(&r, UINT64_MAX);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0xff);
    enum err err = reader_end(&r);
    return err == ERR_OK || err == ERR_VERSION || err == ERR_BAD_KEY ? err : ERR_BAD_INVITATION;
}

/* A URI scheme is the same in either case; what follows is not. */
static bool has_prefix(struct slice text)
{
    for (size_t i = 0; i < PREFIX; i++) {
        uint8_t c = i < text.len ? text.p[i] : 0;
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != INVITE_PREFIX[i]) {
            return false;
        }
    }
    return true;
}

static enum err decode(struct slice text, uint8_t bytes[static BYTES], struct invite *out)
{
    uint8_t want[INVITE_CHECKSUM];
    size_t len = 0;
    if (text.len >= INVITE_TEXT || !has_prefix(text) ||
        sodium_base642bin(bytes, BYTES, (const char *)text.p + PREFIX, text.len - PREFIX, NULL,
                          &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len < INVITE_CHECKSUM) {
        return ERR_BAD_INVITATION;
    }
    len -= INVITE_CHECKSUM;
    checksum(slice_of(bytes, len), want);
    if (!prim_equal(want, bytes + len, sizeof want)) {
        return ERR_BAD_CHECKSUM;
    }
    return payload_read(slice_of(bytes, len), out);
}

enum err invite_decode(struct slice text, struct invite *out)
{
    uint8_t bytes[BYTES];
    struct invite invite;
    memset(&invite, 0, sizeof invite);
    enum err err = decode(text, bytes, &invite);
    if (err == ERR_OK) {
        *out = invite;
    } else {
        secret_wipe(out, sizeof *out);
    }
    secret_wipe(&invite, sizeof invite);
    secret_wipe(bytes, sizeof bytes);
    return err;
}

void invite_id(const uint8_t secret[static INVITE_SECRET], uint8_t out[static INVITE_ID])
{
    struct slice part = slice_of(secret, INVITE_SECRET);
    prim_blake2b(out, INVITE_ID, slice_of(NULL, 0), "petrel/1 invite id", &part, 1);
}
