/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_socks: what a SOCKS proxy may say. Input: which u8 | (length u8 | bytes)*; which & 1: we
 * have a user. Each piece is read at once and byte by byte, to the same end, and nothing goes on
 * after it. decodes: daemon/io/socks.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "daemon/io/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void same(struct socks *a, struct socks *b)
{
    assert(a->state == b->state && a->err == b->err);
    struct slice one = socks_output(a);
    struct slice two = socks_output(b);
    assert(slice_equal(one, two));
    assert(one.len == 0 || a->state < SOCKS_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct socks_user user = {.name = ""};
    struct socks whole;
    struct socks bytes;
    if (len == 0) {
        return 0;
    }
    if ((data[0] & 1) != 0) {
        user = (struct socks_user){.name = "user", .password = "word"};
    }
    socks_begin(&whole, "relay.test", 4470, &user);
    socks_begin(&bytes, "relay.test", 4470, &user);
    same(&whole, &bytes);
    for (size_t at = 1; at + 1 < len && whole.state < SOCKS_DONE;) {
        size_t n = data[at] < len - at - 1 ? data[at] : len - at - 1;
        const uint8_t *piece = data + at + 1;
        (void)!socks_receive(&whole, slice_of(piece, n));
        for (size_t i = 0; i < n && bytes.state < SOCKS_FAILED; i++) {
            (void)!socks_receive(&bytes, slice_of(piece + i, 1));
        }
        same(&whole, &bytes);
        at += 1 + n;
    }
    bool failed = whole.state == SOCKS_FAILED;
    assert(failed == (whole.err != ERR_OK));
    if (whole.state == SOCKS_DONE) {
        assert(socks_receive(&whole, slice_of(data, 1)) == SOCKS_FAILED);
    }
    return 0;
}
