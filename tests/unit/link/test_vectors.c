/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays our own wire vectors, tests/data/vectors/noise-xkhfs.json and frames.json. They were
 * written by the second implementation in tests/peers/noise, so every byte of them is the opinion
 * of two.
 */
#include <stdio.h>
#include <string.h>

#include "lib/unit.h"
#include "lib/vectors.h"
#include "link/frame.h"
#include "link/hello.h"
#include "link/noise.h"
#include "link/sealer.h"

static json_t *load(const char *name)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/data/vectors/%s", PETREL_TEST_DIR, name);
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", path, error.text);
    return root;
}

static void copy(const json_t *c, const char *member, void *out, size_t len)
{
    struct slice s = vectors_hex(c, member);
    ck_assert_uint_eq(s.len, len);
    memcpy(out, s.p, len);
    vectors_free(s);
}

static void expect(const json_t *c, const char *member, struct slice got)
{
    struct slice s = vectors_hex(c, member);
    ck_assert_msg(slice_equal(s, got), "%s differs", member);
    vectors_free(s);
}

static uint64_t number(const json_t *c, const char *member)
{
    const json_t *n = json_object_get(c, member);
    ck_assert(json_is_integer(n));
    return (uint64_t)json_integer_value(n);
}

static void start(struct noise *n, const json_t *c, bool initiator)
{
    uint8_t seed[32];
    struct sign_pk node_id;
    struct sign_sk node;
    struct dh_sk s;
    struct dh_pk rs;
    struct noise_ephemeral e = {.kem = {0}};
    copy(c, "resp_node_seed", seed, sizeof seed);
    prim_sign_keypair(&node_id, &node, seed);
    expect(c, "resp_node_id", slice_of(node_id.b, 32));
    ck_assert_ok(prim_sign_pk_to_dh(&rs, &node_id));
    expect(c, "resp_static_public", slice_of(rs.b, 32));
    prim_sign_sk_to_dh(&s, &node);
    if (initiator) {
        copy(c, "init_static", s.b, 32);
    }
    copy(c, initiator ? "init_ephemeral" : "resp_ephemeral", e.dh.b, 32);
    copy(c, initiator ? "init_kem_seed" : "resp_kem_seed", e.kem, initiator ? 64 : 32);
    struct slice prologue = vectors_hex(c, "prologue");
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = initiator,
                                  .prologue = prologue,
                                  .s = &s,
                                  .rs = initiator ? &rs : NULL,
                                  .ephemeral = &e};
    ck_assert_ok(noise_init(n, &config));
    vectors_free(prologue);
}

struct end {
    struct noise noise;
    struct sealer send;
    struct sealer receive;
};

static void split(struct end *end, const json_t *c)
{
    struct cipher send;
    struct cipher receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
    bool initiator = end->noise.initiator;
    ck_assert_ok(noise_split(&end->noise, &send, &receive, hash, &remote));
    expect(c, "handshake_hash", slice_of(hash, sizeof hash));
    expect(c, initiator ? "resp_static_public" : "init_static_public", slice_of(remote.b, 32));
    sealer_init(&end->send, &send, (uint32_t)number(c, "rekey_every"));
    sealer_init(&end->receive, &receive, (uint32_t)number(c, "rekey_every"));
}

static void shake(struct end ends[static 2], const json_t *c)
{
    const json_t *messages = json_object_get(c, "messages");
    ck_assert_uint_eq(json_array_size(messages), 3);
    start(&ends[0].noise, c, true);
    start(&ends[1].noise, c, false);
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[NOISE_XKHFS_MAX];
        uint8_t expected[NOISE_XKHFS_MAX];
        struct writer w = writer_of(bytes, sizeof bytes);
        struct writer none = writer_of(expected, sizeof expected);
        size_t len =
            unit_hex(json_string_value(json_array_get(messages, i)), expected, sizeof expected);
        ck_assert_ok(noise_write(&ends[i % 2].noise, slice_of(NULL, 0), &w));
        ck_assert(slice_equal(writer_done(&w), slice_of(expected, len)));
        ck_assert_ok(noise_read(&ends[1 - i % 2].noise, writer_done(&w), &none));
    }
    split(&ends[0], c);
    split(&ends[1], c);
}

static void exchange(struct end ends[static 2], const json_t *record)
{
    uint8_t wire[4096];
    struct slice back;
    const char *from = json_string_value(json_object_get(record, "from"));
    ck_assert_ptr_nonnull(from);
    size_t i = strcmp(from, "initiator") == 0 ? 0 : 1;
    struct slice frame = vectors_hex(record, "frame");
    ck_assert_uint_le(sealer_size(frame.len), sizeof wire);
    ck_assert_ok(sealer_seal(&ends[i].send, frame, wire));
    expect(record, "record", slice_of(wire, sealer_size(frame.len)));
    struct slice sealed = slice_of(wire + RECORD_HEADER, sealer_size(frame.len) - RECORD_HEADER);
    ck_assert_ok(sealer_open(&ends[1 - i].receive, sealed, wire + RECORD_HEADER, &back));
    ck_assert(slice_equal(back, frame));
    vectors_free(frame);
}

START_TEST(handshakes_and_records_replay_byte_for_byte)
{
    json_t *root = load("noise-xkhfs.json");
    const json_t *cases = json_object_get(root, "cases");
    size_t records = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const json_t *list = json_object_get(c, "records");
        struct end ends[2];
        shake(ends, c);
        for (size_t r = 0; r < json_array_size(list); r++) {
            exchange(ends, json_array_get(list, r));
            records++;
        }
    }
    printf("noise-xkhfs.json: %zu handshakes, %zu records\n", json_array_size(cases), records);
    ck_assert_uint_gt(records, 0);
    json_decref(root);
}
END_TEST

static void check_accepted(const json_t *v)
{
    struct frame frame;
    uint8_t again[1024];
    struct writer w = writer_of(again, sizeof again);
    struct slice bytes = vectors_hex(v, "frame");
    ck_assert_ok(frame_read(bytes, &frame));
    ck_assert_uint_eq(frame.kind, number(v, "kind"));
    ck_assert_uint_eq(frame.id, number(v, "id"));
    expect(v, "body", frame.body);
    frame_write(&w, &frame);
    ck_assert(slice_equal(writer_done(&w), bytes));
    vectors_free(bytes);
}

static void check_hello(const json_t *v)
{
    struct hello hello;
    struct hello own = {.version = 1, .min = 1};
    struct slice body = vectors_hex(v, "body");
    ck_assert_ok(hello_read(body, &hello));
    ck_assert_uint_eq(hello.version, number(v, "version"));
    ck_assert_uint_eq(hello.min, number(v, "min"));
    ck_assert_uint_eq(hello.features, number(v, "features"));
    ck_assert_uint_eq(hello_agree(&own, &hello), number(v, "agreed"));
    vectors_free(body);
}

START_TEST(frames_and_hellos_are_accepted_and_refused_as_listed)
{
    json_t *root = load("frames.json");
    const json_t *accepted = json_object_get(root, "accepted");
    const json_t *refused = json_object_get(root, "refused");
    const json_t *hellos = json_object_get(root, "hellos");
    const json_t *hellos_refused = json_object_get(root, "hellos_refused");
    for (size_t i = 0; i < json_array_size(accepted); i++) {
        check_accepted(json_array_get(accepted, i));
    }
    for (size_t i = 0; i < json_array_size(refused); i++) {
        struct frame frame;
        struct slice bytes = vectors_hex(json_array_get(refused, i), "frame");
        ck_assert_int_ne(frame_read(bytes, &frame), ERR_OK);
        vectors_free(bytes);
    }
    for (size_t i = 0; i < json_array_size(hellos); i++) {
        check_hello(json_array_get(hellos, i));
    }
    for (size_t i = 0; i < json_array_size(hellos_refused); i++) {
        struct hello hello;
        struct slice body = vectors_hex(json_array_get(hellos_refused, i), "body");
        ck_assert_int_ne(hello_read(body, &hello), ERR_OK);
        vectors_free(body);
    }
    size_t n = json_array_size(accepted) + json_array_size(refused) + json_array_size(hellos) +
               json_array_size(hellos_refused);
    printf("frames.json: %zu cases\n", n);
    ck_assert_uint_gt(json_array_size(accepted), 0);
    ck_assert_uint_gt(json_array_size(refused), 0);
    ck_assert_uint_gt(json_array_size(hellos), 0);
    ck_assert_uint_gt(json_array_size(hellos_refused), 0);
    json_decref(root);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, handshakes_and_records_replay_byte_for_byte);
    tcase_add_test(tc, frames_and_hellos_are_accepted_and_refused_as_listed);
}

int main(void)
{
    return unit_main("link.vectors", add);
}
