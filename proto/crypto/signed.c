/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signed.h"

enum err signed_write(struct writer *w, const char *label, struct slice body,
                      const struct sign_sk *sk)
{
    uint8_t sig[PRIM_SIGNATURE];
    enum err err = prim_sign(sig, label, body, sk);
    if (err != ERR_OK) {
        return err;
    }
    struct writer at = *w;
    pack_array(&at, 2);
    pack_bin_slice(&at, body);
    pack_bin(&at, sig, sizeof sig);
    if (at.err != ERR_OK) {
        return at.err;
    }
    *w = at;
    return ERR_OK;
}

enum err signed_open(struct slice bytes, size_t max, const char *label, const struct sign_pk *pk,
                     struct slice *body)
{
    uint8_t sig[PRIM_SIGNATURE];
    if (bytes.len > max) {
        return ERR_TOO_LARGE;
    }
    struct reader r = reader_of(bytes);
    if (pack_read_array(&r, 2) != 2) {
        reader_fail(&r, ERR_MALFORMED);
    }
    struct slice inside = pack_read_bin(&r, max);
    pack_read_bin_exact(&r, sig, sizeof sig);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        err = prim_verify(sig, label, inside, pk);
    }
    if (err == ERR_OK) {
        *body = inside;
    }
    return err;
}

void signed_read_key(struct reader *r, struct sign_pk *out)
{
    struct sign_pk key;
    pack_read_bin_exact(r, key.b, sizeof key.b);
    if (r->err == ERR_OK && !prim_sign_pk_valid(&key)) {
        reader_fail(r, ERR_BAD_KEY);
    }
    if (r->err == ERR_OK) {
        *out = key;
    }
}
