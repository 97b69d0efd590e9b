/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"

#include <string.h>

#include "lib/unit.h"

/* Values of the empty message and of "abc": FIPS 202's published examples. */
START_TEST(short_messages_give_their_published_hashes)
{
    uint8_t out[64];
    uint8_t expected[64];
    struct slice abc = unit_str("abc");
    keccak_sha3_256(out, NULL, 0);
    unit_hex("a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a", expected, 64);
    ck_assert_mem_eq(out, expected, 32);
    keccak_sha3_256(out, &abc, 1);
    unit_hex("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", expected, 64);
    ck_assert_mem_eq(out, expected, 32);
    keccak_sha3_512(out, &abc, 1);
    unit_hex("b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
             "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
             expected, 64);
    ck_assert_mem_eq(out, expected, 64);
    keccak_shake256(out, 32, NULL, 0);
    unit_hex("46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f", expected, 64);
    ck_assert_mem_eq(out, expected, 32);
}
END_TEST

/* However the input is cut and the output drawn, the stream is the same. */
START_TEST(pieces_give_the_same_as_the_whole)
{
    uint8_t in[400];
    uint8_t whole[400];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)(i * 7);
    }
    struct slice all = slice_of(in, sizeof in);
    keccak_shake256(whole, sizeof whole, &all, 1);
    for (size_t step = 1; step < 150; step += 13) {
        struct keccak k;
        uint8_t out[400];
        keccak_shake256_init(&k);
        for (size_t at = 0; at < sizeof in; at += step) {
            keccak_absorb(&k, in + at, sizeof in - at < step ? sizeof in - at : step);
        }
        keccak_pad(&k);
        for (size_t at = 0; at < sizeof out; at += step) {
            keccak_squeeze(&k, out + at, sizeof out - at < step ? sizeof out - at : step);
        }
        keccak_fini(&k);
        ck_assert_mem_eq(out, whole, sizeof out);
        ck_assert_uint_eq(k.lane[0], 0);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, short_messages_give_their_published_hashes);
    tcase_add_test(tc, pieces_give_the_same_as_the_whole);
}

int main(void)
{
    return unit_main("crypto/keccak", add);
}
