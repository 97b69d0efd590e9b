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

/* Both ends and the message that is due after 0, 1 and 2 good messages: made once. */
struct stage {
    struct noise reader;
    uint8_t message[NOISE_XKHFS_MAX];
    size_t len;
};

static const struct stage *stage_of(unsigned good)
{
    static struct stage stages[3];
    static bool made;
    if (!made) {
        struct noise ends[2];
        struct dh_sk responder;
        struct dh_pk rs;
        memset(responder.b, 2, sizeof responder.b);
        prim_dh_public(&rs, &responder);
        start(&ends[0], true, &rs);
        start(&ends[1], false, NULL);
        for (unsigned i = 0; i < 3; i++) {
            struct writer w = writer_of(stages[i].message, NOISE_XKHFS_MAX);
            check(noise_write(&ends[i % 2], slice_of(NULL, 0), &w) == ERR_OK);
            stages[i].len = w.len;
            stages[i].reader = ends[1 - i % 2];
            check(read_any(&ends[1 - i % 2], stages[i].message, w.len) == ERR_OK);
        }
        made = true;
    }
    return &stages[good];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t message[2 * NOISE_XKHFS_MAX];
    if (len < 1 || len > sizeof message) {
        return 0;
    }
    const struct stage *stage = stage_of(data[0] % 3);
    bool xored = data[0] >= 128;
    size_t n = len - 1;
    memcpy(message, data + 1, n);
    if (xored) {
        memcpy(message, stage->message, stage->len);
        n = stage->len;
        for (size_t i = 0; i < n && i < len - 1; i++) {
            message[i] ^= data[1 + i];
        }
    }
    bool same = n == stage->len && memcmp(message, stage->message, n) == 0;
    struct noise reader = stage->reader;
    enum err err = read_any(&reader, message, n);
    check((err == ERR_OK) == same);
    check(err == ERR_OK || noise_action(&reader) == NOISE_DONE);
    noise_fini(&reader);
    return 0;
}
