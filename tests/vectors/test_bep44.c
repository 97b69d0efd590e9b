/* SPDX-License-Identifier: Apache-2.0
 *
 * bep44 against the test vectors and examples in the text of BEP 44: signed buffers, and that the
 * published signatures verify over them. The immutable item has neither and is counted as not
 * applicable.
 */
#include "crypto/bep44.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/blind.h"
#include "lib/vectors.h"

#define FILE_NAME "dht/bep44.json"

static int check_signature(const json_t *c, struct slice buffer)
{
    struct slice k = vectors_hex(c, "k");
    struct slice sig = vectors_hex(c, "sig");
    struct sign_pk pk;
    int ok = k.len == sizeof pk.b && sig.len == PRIM_SIGNATURE;
    if (ok) {
        struct reader r = reader_of(k);
        reader_copy(&r, pk.b, sizeof pk.b);
        ok = blind_verify(&pk, buffer, sig.p) == ERR_OK;
    }
    vectors_free(k);
    vectors_free(sig);
    return ok;
}

static int check(const json_t *c)
{
    uint8_t bytes[BEP44_BUFFER_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct slice salt = vectors_hex(c, "salt");
    struct slice v = vectors_hex(c, "v");
    struct slice want = vectors_hex(c, "signed_buffer");
    bep44_buffer_write(&w, salt, (uint64_t)json_integer_value(json_object_get(c, "seq")), v);
    int ok = slice_equal(writer_done(&w), want);
    if (ok && json_object_get(c, "sig") != NULL) {
        ok = check_signature(c, want);
    }
    vectors_free(salt);
    vectors_free(v);
    vectors_free(want);
    return ok;
}

int main(void)
{
    if (prim_init() != ERR_OK) {
        return EXIT_FAILURE;
    }
    json_t *root = vectors_load(FILE_NAME);
    unsigned other = 0;
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(root, "tests"), i, c)
    {
        if (json_object_get(c, "signed_buffer") == NULL) {
            other++;
            continue;
        }
        vectors_case(FILE_NAME, json_string_value(json_object_get(c, "name")), check(c));
    }
    json_decref(root);
    printf("%s: %u not applicable (immutable items)\n", FILE_NAME, other);
    return vectors_done();
}
