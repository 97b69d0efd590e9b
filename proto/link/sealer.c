/* SPDX-License-Identifier: Apache-2.0 */
#include "link/sealer.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"
#include "crypto/prim.h"

static_assert(LIMIT_RECORD % LIMIT_RECORD_PAD == 0, "the largest record is padded, too");
static_assert(LIMIT_FRAME + RECORD_PREFIX == LIMIT_RECORD, "the largest frame fills it");
static_assert(RECORD_MAX <= 65535, "Noise's message limit and the header's range");

void sealer_init(struct sealer *r, const struct cipher *cipher, uint32_t rekey_every)
{
    assert(rekey_every > 0);
    r->cipher = *cipher;
    r->rekey_every = rekey_every;
}

void sealer_fini(struct sealer *r)
{
    secret_wipe(r, sizeof *r);
}

static size_t padded(size_t len)
{
    size_t with_prefix = len + RECORD_PREFIX;
    return (with_prefix + LIMIT_RECORD_PAD - 1) / LIMIT_RECORD_PAD * LIMIT_RECORD_PAD;
}

size_t sealer_size(size_t len)
{
    return RECORD_HEADER + padded(len) + CIPHER_TAG;
}

/* Counting is the cipher's counter: it is never reset. */
static void rekey_when_due(struct sealer *r)
{
    if (r->cipher.n % r->rekey_every == 0) {
        cipher_rekey(&r->cipher);
    }
}

enum err sealer_seal(struct sealer *r, struct slice frame, uint8_t *out)
{
    if (frame.len > LIMIT_FRAME) {
        return ERR_TOO_LARGE;
    }
    size_t plain = padded(frame.len);
    struct writer w = writer_of(out, sealer_size(frame.len));
    writer_u16(&w, (uint16_t)(plain + CIPHER_TAG));
    writer_u16(&w, (uint16_t)frame.len);
    writer_slice(&w, frame);
    writer_zeros(&w, plain - RECORD_PREFIX - frame.len);
    assert(w.err == ERR_OK);
    uint8_t *at = out + RECORD_HEADER;
    enum err err = cipher_encrypt(&r->cipher, slice_of(NULL, 0), slice_of(at, plain), at);
    if (err != ERR_OK) {
        secret_wipe(out, sealer_size(frame.len));
        return err;
    }
    rekey_when_due(r);
    return ERR_OK;
}

enum err sealer_check_length(size_t len)
{
    if (len > RECORD_MAX) {
        return ERR_TOO_LARGE;
    }
    return len >= RECORD_MIN && (len - CIPHER_TAG) % LIMIT_RECORD_PAD == 0 ? ERR_OK : ERR_MALFORMED;
}

enum err sealer_open(struct sealer *r, struct slice sealed, uint8_t *plain, struct slice *frame)
{
    enum err err = sealer_check_length(sealed.len);
    if (err != ERR_OK) {
        return err;
    }
    err = cipher_decrypt(&r->cipher, slice_of(NULL, 0), sealed, plain);
    if (err != ERR_OK) {
        return err;
    }
    size_t len = sealed.len - CIPHER_TAG;
    /* The frame is cut out by it: the time to handle a frame goes with its length anyway. */
    CT_PUBLIC(plain, RECORD_PREFIX);
    struct reader in = reader_of(slice_of(plain, len));
    struct slice body = reader_bytes(&in, reader_u16(&in));
    if (in.err != ERR_OK || !prim_zero(reader_rest(&in))) {
        secret_wipe(plain, len);
        return ERR_PROTOCOL;
    }
    rekey_when_due(r);
    *frame = body;
    return ERR_OK;
}
