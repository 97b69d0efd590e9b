/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bep44.h"

#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

void bep44_buffer(struct writer *w, uint64_t seq, struct slice v)
{
    char head[64];
    int n = snprintf(head, sizeof head, "3:seqi%" PRIu64 "e1:v%zu:", seq, v.len);
    if (n < 0 || (size_t)n >= sizeof head) {
        w->err = ERR_NO_SPACE;
        return;
    }
    writer_bytes(w, head, (size_t)n);
    writer_slice(w, v);
}

enum err bep44_verify(const struct sign_pk *pk, uint64_t seq, struct slice v,
                      const uint8_t sig[static PRIM_SIGNATURE])
{
    uint8_t buf[BEP44_BUFFER];
    struct writer w = writer_of(buf, sizeof buf);
    bep44_buffer(&w, seq, v);
    if (w.err != ERR_OK || seq > INT64_MAX) {
        return ERR_TOO_LARGE;
    }
    return crypto_sign_verify_detached(sig, buf, w.len, pk->b) == 0 ? ERR_OK : ERR_BAD_SIGNATURE;
}
