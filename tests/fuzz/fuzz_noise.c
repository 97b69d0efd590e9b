/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_noise: a handshake in which one end hears the fuzzer. The first byte says after how many
 * good messages (0, 1, 2) and with what: bytes as they are, or a good message with the bytes
 * xor-ed in. Only an unchanged message may be accepted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void start(struct noise *n, bool initiator, const struct dh_pk *rs)
{
    static const char prologue[] = "petrel/1 link";
    struct dh_sk s;
    struct noise_ephemeral e;
    memset(s.b, initiator ? 1 : 2, sizeof s.b);
    memset(&e, initiator ? 3 : 4, sizeof e);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = initiator,
                                  .prologue = slice_of(prologue, sizeof prologue - 1),
                                  .s = &s,
                                  .rs = rs,
                                  .ephemeral = &e};
    check(noise_init(n, &config) == ERR_OK);
}

static enum err read_any(struct noise *n, const uint8_t *p, size_t len)
{
    uint8_t out[2 * NOISE_XKHFS_MAX];
    struct writer payload = writer_of(out, sizeof out);
    return noise_read(n, slice_of(p, len), &payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct noise ends[2];
    struct dh_sk responder;
    struct dh_pk rs;
    uint8_t message[NOISE_XKHFS_MAX];
    if (len < 1 || len > 2 * NOISE_XKHFS_MAX) {
        return 0;
    }
    unsigned good = data[0] % 3;
    bool xored = data[0] >= 128;
    data++;
    len--;
    memset(responder.b, 2, sizeof responder.b);
    prim_dh_public(&rs, &responder);
    start(&ends[0], true, &rs);
    start(&ends[1], false, NULL);
    for (unsigned i = 0;; i++) {
        struct writer w = writer_of(message, sizeof message);
        check(noise_write(&ends[i % 2], slice_of(NULL, 0), &w) == ERR_OK);
        if (i < good) {
            check(read_any(&ends[1 - i % 2], message, w.len) == ERR_OK);
            continue;
        }
        bool same = !xored && len == w.len && memcmp(data, message, len) == 0;
        if (xored) {
            bool changed = false;
            for (size_t b = 0; b < len && b < w.len; b++) {
                message[b] ^= data[b];
                changed = changed || data[b] != 0;
            }
            same = !changed;
        }
        enum err err = xored ? read_any(&ends[1 - i % 2], message, w.len)
                             : read_any(&ends[1 - i % 2], data, len);
        check((err == ERR_OK) == same);
        check(err == ERR_OK || noise_action(&ends[1 - i % 2]) == NOISE_DONE);
        break;
    }
    noise_fini(&ends[0]);
    noise_fini(&ends[1]);
    return 0;
}
