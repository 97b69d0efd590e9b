/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/header.h"

#include <assert.h>

#include "base/secret.h"
#include "crypto/ct.h"

static_assert(HEADER_PLAIN == 32 + 4 + 4 + 4 + 1, "header layout");
static_assert(HEADER_SEALED == 61, "sealed header, as in the envelope");

void header_seal(uint8_t out[static HEADER_SEALED], const struct aead_key *key,
                 const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                 const struct header *header)
{
    uint8_t plain[HEADER_PLAIN];
    struct writer w = writer_of(plain, sizeof plain);
    writer_bytes(&w, header->dh.b, sizeof header->dh.b);
    writer_u32(&w, header->pn);
    writer_u32(&w, header->n);
    writer_u32(&w, header->kem_epoch);
    writer_u8(&w, header->flags);
    prim_aead_seal(out, key, nonce, ad, writer_done(&w));
    secret_wipe(plain, sizeof plain);
}

enum err header_open(struct header *header, const struct aead_key *key,
                     const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                     const uint8_t sealed[static HEADER_SEALED])
{
    uint8_t plain[HEADER_PLAIN];
    enum err err = prim_aead_open(plain, key, nonce, ad, slice_of(sealed, HEADER_SEALED));
    if (err != ERR_OK) {
        return err;
    }
    /* The tag was right, so the other side wrote it: its numbers say how many keys are derived and
     * which one is looked up. */
    CT_PUBLIC(plain, sizeof plain);
    struct reader r = reader_of(slice_of(plain, sizeof plain));
    reader_copy(&r, header->dh.b, sizeof header->dh.b);
    header->pn = reader_u32(&r);
    header->n = reader_u32(&r);
    header->kem_epoch = reader_u32(&r);
    header->flags = reader_u8(&r);
    secret_wipe(plain, sizeof plain);
    return ERR_OK;
}
