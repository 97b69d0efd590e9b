/* SPDX-License-Identifier: Apache-2.0
 *
 * bep44 against the test vectors and examples in the text of BEP 44: signed buffers, that the
 * published signatures verify over them, and that the items of all three lie where they say and are
 * taken as a message brings them.
 */
#include "crypto/bep44.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/blind.h"
#include "dht/item.h"
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

/* The item as a put has it. */
static int check_item(const json_t *c)
{
    bool is_mutable = json_object_get(c, "k") != NULL;
    struct slice v = vectors_hex(c, "v");
    struct slice target = vectors_hex(c, "target");
    struct slice k = is_mutable ? vectors_hex(c, "k") : slice_of(NULL, 0);
    struct slice sig = is_mutable ? vectors_hex(c, "sig") : slice_of(NULL, 0);
    struct slice salt = is_mutable ? vectors_hex(c, "salt") : slice_of(NULL, 0);
    struct krpc m = {.value = v, .has_key = is_mutable, .has_signature = is_mutable};
    struct reader r = reader_of(k);
    struct dht_item item;
    struct dht_id at;
    if (is_mutable) {
        reader_copy(&r, m.key, sizeof m.key);
        r = reader_of(sig);
        reader_copy(&r, m.signature, sizeof m.signature);
        m.has_seq = true;
        m.seq = json_integer_value(json_object_get(c, "seq"));
    }
    r = reader_of(target);
    reader_copy(&r, at.b, DHT_ID);
    int ok = reader_end(&r) == ERR_OK && dht_item_read(&m, salt, &at, &item) == 0;
    if (ok && is_mutable) {
        m.signature[0] ^= 1;
        ok = dht_item_read(&m, salt, &at, &item) == KRPC_BAD_SIGNATURE;
    }
    at.b[0] ^= 1;
    ok = ok && dht_item_read(&m, salt, &at, &item) == KRPC_PROTOCOL;
    vectors_free(v);
    vectors_free(target);
    if (is_mutable) {
        vectors_free(k);
        vectors_free(sig);
        vectors_free(salt);
    }
    return ok;
}

int main(void)
{
    if (prim_init() != ERR_OK) {
        return EXIT_FAILURE;
    }
    json_t *root = vectors_load(FILE_NAME);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(root, "tests"), i, c)
    {
        const char *name = json_string_value(json_object_get(c, "name"));
        if (json_object_get(c, "signed_buffer") != NULL) {
            vectors_case(FILE_NAME, name, check(c));
        }
        if (json_object_get(c, "target") != NULL) {
            vectors_case(FILE_NAME, name, check_item(c));
        }
    }
    json_decref(root);
    return vectors_done();
}
