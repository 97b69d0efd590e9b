/* SPDX-License-Identifier: Apache-2.0
 *
 * The Double Ratchet's chain step against double-ratchet/chain-key.json.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/hkdf.h"
#include "lib/vectors.h"
#include "pair/ratchet.h"

static const char FILE_NAME[] = "double-ratchet/chain-key.json";

static void key_of(const json_t *object, const char *member, uint8_t out[static 32])
{
    struct slice s = vectors_hex(object, member);
    if (s.len != 32) {
        exit(EXIT_FAILURE);
    }
    memcpy(out, s.p, 32);
    vectors_free(s);
}

/* One step from *chain; checks both outputs and leaves the next chain key in *chain. */
static bool step(const json_t *object, struct ratchet_key *chain)
{
    uint8_t message[32];
    uint8_t next[32];
    struct ratchet_key got;
    key_of(object, "message_key_seed", message);
    key_of(object, "next_chain_key", next);
    ratchet_chain_step(chain, &got);
    return memcmp(got.b, message, 32) == 0 && memcmp(chain->b, next, 32) == 0;
}

/* libsignal's own derivation from the message key, as a check of HKDF: cipher | mac | iv. */
static bool derived(const json_t *test)
{
    static const char *const names[] = {"cipher_key", "mac_key", "iv"};
    uint8_t seed[32];
    uint8_t out[80];
    key_of(test, "message_key_seed", seed);
    const char *info = json_string_value(json_object_get(test, "hkdf_info"));
    if (info == NULL || hkdf(out, sizeof out, slice_of("", 0), slice_of(seed, 32),
                             slice_of(info, strlen(info))) != ERR_OK) {
        return false;
    }
    size_t at = 0;
    bool ok = true;
    for (size_t i = 0; i < 3; i++) {
        struct slice s = vectors_hex(test, names[i]);
        ok = ok && at + s.len <= sizeof out && memcmp(out + at, s.p, s.len) == 0;
        at += s.len;
        vectors_free(s);
    }
    return ok && at == sizeof out;
}

int main(void)
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    json_t *root = vectors_load(FILE_NAME);
    const json_t *tests = json_object_get(root, "tests");
    const json_t *test = json_array_get(tests, 0);
    struct ratchet_key chain;
    for (size_t i = 0; i < json_array_size(tests); i++) {
        test = json_array_get(tests, i);
        key_of(test, "chain_key", chain.b);
        vectors_case(FILE_NAME, "one step", step(test, &chain) && derived(test));
    }
    const json_t *steps = json_object_get(root, "chain");
    key_of(json_array_get(tests, 0), "chain_key", chain.b);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        vectors_case(FILE_NAME, "a step of the chain", step(json_array_get(steps, i), &chain));
    }
    json_decref(root);
    return vectors_done();
}
