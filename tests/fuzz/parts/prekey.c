/* SPDX-License-Identifier: Apache-2.0
 *
 * Published prekeys. Mode 0: the input is a part as it comes; mode 1: the map in it, rightly
 * signed; mode 2: a stored secret.
 */
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "fuzz/parts/parts.h"
#include "lib/pair.h"

static void open_part(struct slice part, const struct sign_pk *sign)
{
    struct pair_bundle bundle;
    uint64_t created;
    if (prekey_bundle_open(part, slice_of(NULL, 0), sign, PAIR_NOW, &bundle, &created) == ERR_OK &&
        (bundle.spk_id == 0 || bundle.one_time)) {
        abort();
    }
}

static void open_signed(struct slice body, const struct sign_pk *pk, const struct sign_sk *sk)
{
    uint8_t part[LIMIT_RECORD_PART];
    uint8_t signature[PRIM_SIGNATURE];
    struct writer w = writer_of(part, sizeof part);
    if (body.len > PRIM_SIGNED_MAX || prim_sign(signature, "petrel/1 prekey", body, sk) != ERR_OK) {
        return;
    }
    pack_array(&w, 2);
    pack_bin_slice(&w, body);
    pack_bin(&w, signature, sizeof signature);
    if (w.err == ERR_OK) {
        open_part(writer_done(&w), pk);
    }
}

void part_prekey(const uint8_t *data, size_t len)
{
    static const uint8_t seed[32] = {1};
    struct sign_pk pk;
    struct sign_sk sk;
    struct prekey_secret secret;
    if (len < 1 || prim_init() != ERR_OK) {
        return;
    }
    prim_sign_keypair(&pk, &sk, seed);
    struct slice rest = slice_of(data + 1, len - 1);
    if (data[0] == 1) {
        open_signed(rest, &pk, &sk);
    } else if (data[0] == 2) {
        uint8_t row[PREKEY_SECRET];
        if (prekey_secret_decode(rest, &secret) == ERR_OK) {
            prekey_secret_encode(&secret, row);
            if (!slice_equal(slice_of(row, sizeof row), rest)) {
                abort();
            }
        }
    } else {
        open_part(rest, &pk);
    }
}
