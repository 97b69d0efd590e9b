/* SPDX-License-Identifier: Apache-2.0
 *
 * The cacophony vectors of the Noise patterns that are built here, against link/noise.h; those of
 * other patterns are counted and listed as not applicable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/vectors.h"
#include "link/noise.h"

static const char own[] = "noise/cacophony-xk-ik-xx.json";
static const char others[] = "noise/cacophony-other-patterns.json";

enum {
    MESSAGE_MAX = 1024,
};

static const struct {
    const char *name;
    enum noise_pattern pattern;
    enum symmetric_hash hash;
} known[] = {
    {"Noise_XK_25519_ChaChaPoly_BLAKE2b", NOISE_XK, SYMMETRIC_BLAKE2B},
    {"Noise_XK_25519_ChaChaPoly_SHA256", NOISE_XK, SYMMETRIC_SHA256},
    {"Noise_IK_25519_ChaChaPoly_BLAKE2b", NOISE_IK, SYMMETRIC_BLAKE2B},
    {"Noise_IK_25519_ChaChaPoly_SHA256", NOISE_IK, SYMMETRIC_SHA256},
    {"Noise_XX_25519_ChaChaPoly_BLAKE2b", NOISE_XX, SYMMETRIC_BLAKE2B},
    {"Noise_XX_25519_ChaChaPoly_SHA256", NOISE_XX, SYMMETRIC_SHA256},
};

/* Index in known, or -1. */
static int find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool key_of(const json_t *c, const char *member, uint8_t out[static 32])
{
    if (json_object_get(c, member) == NULL) {
        return false;
    }
    struct slice s = vectors_hex(c, member);
    bool ok = s.len == 32;
    if (ok) {
        memcpy(out, s.p, 32);
    }
    vectors_free(s);
    return ok;
}

static bool start(struct noise *n, const json_t *c, int which, bool initiator)
{
    struct dh_sk s;
    struct dh_pk rs;
    struct noise_ephemeral e = {.kem = {0}};
    bool ok = key_of(c, initiator ? "init_static" : "resp_static", s.b) &&
              key_of(c, initiator ? "init_ephemeral" : "resp_ephemeral", e.dh.b);
    bool has_rs = key_of(c, initiator ? "init_remote_static" : "resp_remote_static", rs.b);
    struct slice prologue = vectors_hex(c, initiator ? "init_prologue" : "resp_prologue");
    struct noise_config config = {.pattern = known[which].pattern,
                                  .hash = known[which].hash,
                                  .initiator = initiator,
                                  .prologue = prologue,
                                  .s = &s,
                                  .rs = has_rs ? &rs : NULL,
                                  .ephemeral = &e};
    ok = ok && noise_init(n, &config) == ERR_OK;
    vectors_free(prologue);
    return ok;
}

/* One handshake message from a to b. */
static bool handshake(struct noise *a, struct noise *b, struct slice payload, struct slice expected)
{
    uint8_t out[MESSAGE_MAX];
    uint8_t back[MESSAGE_MAX];
    struct writer w = writer_of(out, sizeof out);
    struct writer r = writer_of(back, sizeof back);
    size_t size = noise_message_size(a);
    return size == noise_message_size(b) && noise_write(a, payload, &w) == ERR_OK &&
           slice_equal(writer_done(&w), expected) && w.len == size + payload.len &&
           noise_read(b, expected, &r) == ERR_OK && slice_equal(writer_done(&r), payload);
}

static bool transport(struct cipher *a, struct cipher *b, struct slice payload,
                      struct slice expected)
{
    uint8_t out[MESSAGE_MAX];
    uint8_t back[MESSAGE_MAX];
    struct slice none = slice_of(NULL, 0);
    return payload.len + CIPHER_TAG == expected.len &&
           cipher_encrypt(a, none, payload, out) == ERR_OK &&
           slice_equal(slice_of(out, expected.len), expected) &&
           cipher_decrypt(b, none, expected, back) == ERR_OK &&
           slice_equal(slice_of(back, payload.len), payload);
}

struct side {
    struct noise noise;
    struct cipher send;
    struct cipher receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
};

static bool split(struct side *side)
{
    return noise_split(&side->noise, &side->send, &side->receive, side->hash, &side->remote) ==
           ERR_OK;
}

static bool hash_is(const json_t *c, const struct side *side)
{
    struct slice h = vectors_hex(c, "handshake_hash");
    bool ok = h.len <= NOISE_HASH && slice_equal(h, slice_of(side->hash, h.len));
    vectors_free(h);
    return ok;
}

static bool message(struct side *from, struct side *to, const json_t *m)
{
    struct slice payload = vectors_hex(m, "payload");
    struct slice expected = vectors_hex(m, "ciphertext");
    bool ok;
    if (noise_action(&from->noise) == NOISE_WRITE) {
        ok = handshake(&from->noise, &to->noise, payload, expected);
    } else {
        ok = transport(&from->send, &to->receive, payload, expected);
    }
    vectors_free(payload);
    vectors_free(expected);
    return ok;
}

static bool run(const json_t *c, int which)
{
    struct side sides[2]; /* initiator, responder */
    bool ok = start(&sides[0].noise, c, which, true) && start(&sides[1].noise, c, which, false);
    const json_t *messages = json_object_get(c, "messages");
    bool transported = false;
    for (size_t i = 0; ok && i < json_array_size(messages); i++) {
        transported = noise_action(&sides[0].noise) == NOISE_DONE;
        ok = message(&sides[i % 2], &sides[1 - i % 2], json_array_get(messages, i));
        if (ok && noise_action(&sides[0].noise) == NOISE_SPLIT) {
            ok = split(&sides[0]) && split(&sides[1]) && hash_is(c, &sides[0]) &&
                 hash_is(c, &sides[1]);
        }
    }
    return ok && transported;
}

static const char *name_of(const json_t *c)
{
    const char *name = json_string_value(json_object_get(c, "protocol_name"));
    return name == NULL ? "" : name;
}

int main(void)
{
    json_t *root = vectors_load(own);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *c = json_array_get(root, i);
        int which = find(name_of(c));
        vectors_case(own, name_of(c), which >= 0 && run(c, which));
    }
    json_decref(root);

    root = vectors_load(others);
    size_t applicable = 0;
    for (size_t i = 0; i < json_array_size(root); i++) {
        applicable += find(name_of(json_array_get(root, i))) >= 0;
        printf("not applicable: %s\n", name_of(json_array_get(root, i)));
    }
    printf("%s: %zu not applicable: other patterns\n", others, json_array_size(root));
    json_decref(root);
    if (applicable > 0) {
        fprintf(stderr, "%zu cases of %s have a pattern that is built here\n", applicable, others);
        return EXIT_FAILURE;
    }
    return vectors_done();
}
