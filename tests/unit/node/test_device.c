/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device.h"

#include <string.h>

#include "base/pack.h"
#include "crypto/signed.h"
#include "lib/data.h"
#include "lib/unit.h"

enum {
    BIG = 2 * LIMIT_DEVICE_LIST,
};

static struct sign_pk key_of(unsigned seed, struct sign_sk *sk_out)
{
    uint8_t bytes[32] = {(uint8_t)seed, (uint8_t)(seed >> 8)};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, bytes);
    if (sk_out != NULL) {
        *sk_out = sk;
    }
    return pk;
}

static struct device_place place_of(unsigned seed)
{
    struct device_place place = {.key = key_of(seed, NULL)};
    place.relay = (struct address){.node_id = key_of(1, NULL), .host = "relay.example", .port = 1};
    return place;
}

static struct device_certificate certificate_of(unsigned seed)
{
    struct device_certificate c = {.sign = key_of(seed, NULL),
                                   .dh = {{(uint8_t)seed, 1}},
                                   .mls = key_of(seed + 100, NULL),
                                   .capabilities = 5,
                                   .added_ms = 1790000000000};
    return c;
}

/* A list of n devices; certificates live in bytes. */
static void fill(struct device_list *list, unsigned n, const struct sign_sk *identity,
                 uint8_t bytes[LIMIT_DEVICES][LIMIT_CERTIFICATE])
{
    memset(list, 0, sizeof *list);
    list->version = 3;
    list->created_ms = 1790000000001;
    list->count = n;
    for (unsigned i = 0; i < n; i++) {
        struct device_entry *e = &list->entries[i];
        struct writer w = writer_of(bytes[i], LIMIT_CERTIFICATE);
        e->device = certificate_of(200 + i);
        ck_assert_ok(device_certificate_make(&w, &e->device, identity));
        e->certificate = writer_done(&w);
        e->queue_count = i % (LIMIT_DEVICE_QUEUES + 1);
        for (unsigned k = 0; k < e->queue_count; k++) {
            e->queues[k] = place_of(1000 + 10 * i + k);
        }
        e->record = place_of(2000 + i);
    }
}

static void same_place(const struct device_place *a, const struct device_place *b)
{
    ck_assert(address_equal(&a->relay, &b->relay));
    ck_assert_mem_eq(a->key.b, b->key.b, 32);
}

static void same_list(const struct device_list *a, const struct device_list *b)
{
    ck_assert_uint_eq(a->version, b->version);
    ck_assert_uint_eq(a->created_ms, b->created_ms);
    ck_assert_uint_eq(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        const struct device_entry *x = &a->entries[i];
        const struct device_entry *y = &b->entries[i];
        ck_assert(slice_equal(x->certificate, y->certificate));
        ck_assert_mem_eq(x->device.dh.b, y->device.dh.b, 32);
        ck_assert_mem_eq(x->device.sign.b, y->device.sign.b, 32);
        ck_assert_mem_eq(x->device.mls.b, y->device.mls.b, 32);
        ck_assert_uint_eq(x->device.capabilities, y->device.capabilities);
        ck_assert_uint_eq(x->device.added_ms, y->device.added_ms);
        ck_assert_uint_eq(x->queue_count, y->queue_count);
        for (unsigned k = 0; k < x->queue_count; k++) {
            same_place(&x->queues[k], &y->queues[k]);
        }
        same_place(&x->record, &y->record);
    }
}

START_TEST(a_certificate_opens_under_its_identity_only)
{
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    struct sign_pk other = key_of(8, NULL);
    struct device_certificate c = certificate_of(9);
    struct device_certificate got;
    uint8_t bytes[LIMIT_CERTIFICATE];
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(device_certificate_make(&w, &c, &sk));
    ck_assert_ok(device_certificate_open(writer_done(&w), &id, &got));
    ck_assert_mem_eq(got.sign.b, c.sign.b, 32);
    ck_assert_mem_eq(got.dh.b, c.dh.b, 32);
    ck_assert_mem_eq(got.mls.b, c.mls.b, 32);
    ck_assert_uint_eq(got.capabilities, 5);
    ck_assert_uint_eq(got.added_ms, 1790000000000);
    ck_assert_err(device_certificate_open(writer_done(&w), &other, &got), ERR_BAD_SIGNATURE);
    ck_assert_err(device_certificate_open(writer_done(&w), &(struct sign_pk){{0}}, &got),
                  ERR_BAD_KEY);
}
END_TEST

START_TEST(no_changed_byte_and_no_other_length_opens)
{
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    struct device_certificate c = certificate_of(9);
    struct device_certificate got;
    uint8_t bytes[LIMIT_CERTIFICATE];
    struct writer w = writer_of(bytes, sizeof bytes - 1);
    ck_assert_ok(device_certificate_make(&w, &c, &sk));
    for (size_t i = 0; i < w.len; i++) {
        bytes[i] ^= 0x10;
        enum err err = device_certificate_open(writer_done(&w), &id, &got);
        ck_assert_msg(err == ERR_BAD_SIGNATURE || err == ERR_MALFORMED || err == ERR_TOO_LARGE,
                      "byte %zu: %s", i, err_name(err));
        bytes[i] ^= 0x10;
    }
    for (size_t len = 0; len < w.len; len++) {
        ck_assert_err(device_certificate_open(slice_of(bytes, len), &id, &got), ERR_MALFORMED);
    }
    bytes[w.len] = 0;
    ck_assert_err(device_certificate_open(slice_of(bytes, w.len + 1), &id, &got), ERR_MALFORMED);
}
END_TEST

START_TEST(a_body_signed_under_another_label_is_refused)
{
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    struct device_certificate c = certificate_of(9);
    struct device_certificate got;
    uint8_t bytes[LIMIT_CERTIFICATE];
    uint8_t again[LIMIT_CERTIFICATE];
    struct slice body;
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(device_certificate_make(&w, &c, &sk));
    ck_assert_ok(
        signed_open(writer_done(&w), sizeof bytes, "petrel/1 device certificate", &id, &body));
    w = writer_of(again, sizeof again);
    ck_assert_ok(signed_write(&w, "petrel/1 device list", body, &sk));
    ck_assert_err(device_certificate_open(writer_done(&w), &id, &got), ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(lists_of_one_to_eight_devices_are_read_back)
{
    static uint8_t certificates[LIMIT_DEVICES][LIMIT_CERTIFICATE];
    static uint8_t bytes[BIG];
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    for (unsigned n = 1; n <= LIMIT_DEVICES; n++) {
        struct device_list list;
        struct device_list got;
        struct writer w = writer_of(bytes, sizeof bytes);
        fill(&list, n, &sk, certificates);
        ck_assert_ok(device_list_make(&w, &list, &sk));
        ck_assert_uint_le(w.len, LIMIT_DEVICE_LIST);
        ck_assert_ok(device_list_open(writer_done(&w), &id, &got));
        same_list(&list, &got);
    }
}
END_TEST

START_TEST(a_list_without_devices_or_with_one_twice_is_refused)
{
    static uint8_t certificates[LIMIT_DEVICES][LIMIT_CERTIFICATE];
    static uint8_t bytes[BIG];
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    struct device_list list;
    struct device_list got;
    struct writer w = writer_of(bytes, sizeof bytes);
    fill(&list, 2, &sk, certificates);
    list.entries[1].certificate = list.entries[0].certificate;
    ck_assert_ok(device_list_make(&w, &list, &sk));
    ck_assert_err(device_list_open(writer_done(&w), &id, &got), ERR_MALFORMED);

    list.count = 0;
    ck_assert_err(device_list_make(&w, &list, &sk), ERR_ARGUMENT);
    list.count = LIMIT_DEVICES + 1;
    ck_assert_err(device_list_make(&w, &list, &sk), ERR_ARGUMENT);

    w = writer_of(bytes, sizeof bytes);
    uint8_t body[32];
    struct writer b = writer_of(body, sizeof body);
    pack_map(&b, 3);
    pack_uint(&b, 0);
    pack_uint(&b, 1);
    pack_uint(&b, 1);
    pack_uint(&b, 1);
    pack_uint(&b, 2);
    pack_array(&b, 0);
    ck_assert_ok(signed_write(&w, "petrel/1 device list", writer_done(&b), &sk));
    ck_assert_err(device_list_open(writer_done(&w), &id, &got), ERR_MALFORMED);
}
END_TEST

START_TEST(a_certificate_of_another_identity_inside_is_refused)
{
    static uint8_t certificates[LIMIT_DEVICES][LIMIT_CERTIFICATE];
    static uint8_t bytes[BIG];
    struct sign_sk sk;
    struct sign_sk thief;
    struct device_list list;
    struct device_list got;
    struct sign_pk id = key_of(7, &sk);
    struct sign_pk other = key_of(8, &thief);
    struct writer w = writer_of(bytes, sizeof bytes);
    memset(&got, 0, sizeof got);
    fill(&list, 2, &thief, certificates);
    ck_assert_ok(device_list_make(&w, &list, &sk));
    ck_assert_err(device_list_open(writer_done(&w), &id, &got), ERR_BAD_SIGNATURE);
    ck_assert_err(device_list_open(writer_done(&w), &other, &got), ERR_BAD_SIGNATURE);
    ck_assert_uint_eq(got.count, 0);
}
END_TEST

START_TEST(a_list_above_its_limit_is_not_made)
{
    static uint8_t certificates[LIMIT_DEVICES][LIMIT_CERTIFICATE];
    static uint8_t bytes[BIG];
    struct sign_sk sk;
    struct sign_pk id = key_of(7, &sk);
    struct device_list list;
    struct device_list got;
    struct writer w = writer_of(bytes, sizeof bytes);
    fill(&list, LIMIT_DEVICES, &sk, certificates);
    for (unsigned i = 0; i < list.count; i++) {
        struct device_entry *e = &list.entries[i];
        e->queue_count = LIMIT_DEVICE_QUEUES;
        for (unsigned k = 0; k < e->queue_count; k++) {
            e->queues[k] = place_of(1);
            memset(e->queues[k].relay.host, 'a', LIMIT_HOST);
            e->queues[k].relay.host[20] = '.';
        }
    }
    ck_assert_err(device_list_make(&w, &list, &sk), ERR_TOO_LARGE);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_err(device_list_open(slice_of(bytes, LIMIT_DEVICE_LIST + 1), &id, &got),
                  ERR_TOO_LARGE);
    /* As many with one queue each always fit: node/devices.c counts on it. */
    for (unsigned i = 0; i < list.count; i++) {
        list.entries[i].queue_count = 1;
        list.entries[i].record.relay = list.entries[i].queues[0].relay;
    }
    ck_assert_ok(device_list_make(&w, &list, &sk));
    ck_assert_ok(device_list_open(writer_done(&w), &id, &got));
}
END_TEST

START_TEST(too_little_room_leaves_the_writer_alone)
{
    struct sign_sk sk;
    struct device_certificate c = certificate_of(9);
    uint8_t bytes[100];
    (void)key_of(7, &sk);
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_err(device_certificate_make(&w, &c, &sk), ERR_NO_SPACE);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_int_eq(w.err, ERR_OK);
}
END_TEST

START_TEST(the_hash_covers_every_byte)
{
    uint8_t bytes[64] = {0};
    uint8_t a[DEVICE_LIST_HASH];
    uint8_t b[DEVICE_LIST_HASH];
    device_list_hash(slice_of(bytes, sizeof bytes), a);
    bytes[63] = 1;
    device_list_hash(slice_of(bytes, sizeof bytes), b);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

static void read_place_data(const json_t *c, struct device_place *out)
{
    const json_t *relay = json_object_get(c, "relay");
    memset(out, 0, sizeof *out);
    data_bytes(c, "key", out->key.b, 32);
    data_bytes(relay, "node_id", out->relay.node_id.b, 32);
    strcpy(out->relay.host, data_text(relay, "host"));
    out->relay.port = (uint16_t)data_u64(relay, "port");
}

static void read_entry_data(const json_t *c, struct device_entry *out)
{
    const json_t *queues = json_object_get(c, "queues");
    data_bytes(c, "sign", out->device.sign.b, 32);
    data_bytes(c, "dh", out->device.dh.b, 32);
    data_bytes(c, "mls", out->device.mls.b, 32);
    out->device.capabilities = data_u64(c, "capabilities");
    out->device.added_ms = data_u64(c, "added");
    out->queue_count = (unsigned)json_array_size(queues);
    for (unsigned i = 0; i < out->queue_count; i++) {
        read_place_data(json_array_get(queues, i), &out->queues[i]);
    }
    read_place_data(json_object_get(c, "record"), &out->record);
}

static void check_vector(const json_t *c)
{
    static uint8_t certificates[LIMIT_DEVICES][LIMIT_CERTIFICATE];
    static uint8_t bytes[BIG];
    static uint8_t want[BIG];
    uint8_t seed[32];
    uint8_t hash[DEVICE_LIST_HASH];
    struct sign_pk id;
    struct sign_sk sk;
    struct device_list list = {.version = (uint32_t)data_u64(c, "version"),
                               .created_ms = data_u64(c, "created")};
    struct device_list got;
    const json_t *entries = json_object_get(c, "entries");
    data_bytes(c, "seed", seed, sizeof seed);
    prim_sign_keypair(&id, &sk, seed);
    list.count = (unsigned)json_array_size(entries);
    for (unsigned i = 0; i < list.count; i++) {
        struct device_entry *e = &list.entries[i];
        struct writer w = writer_of(certificates[i], LIMIT_CERTIFICATE);
        read_entry_data(json_array_get(entries, i), e);
        ck_assert_ok(device_certificate_make(&w, &e->device, &sk));
        e->certificate = writer_done(&w);
    }
    ck_assert(
        slice_equal(list.entries[0].certificate, data_hex(c, "certificate", want, sizeof want)));
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(device_list_make(&w, &list, &sk));
    struct slice encoded = data_hex(c, "list", want, sizeof want);
    ck_assert(slice_equal(writer_done(&w), encoded));
    device_list_hash(encoded, hash);
    ck_assert_ok(device_list_open(encoded, &id, &got));
    same_list(&list, &got);
    data_bytes(c, "hash", seed, sizeof seed);
    ck_assert_mem_eq(hash, seed, sizeof hash);
}

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("device_list");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        check_vector(c);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_certificate_opens_under_its_identity_only);
    tcase_add_test(tc, no_changed_byte_and_no_other_length_opens);
    tcase_add_test(tc, a_body_signed_under_another_label_is_refused);
    tcase_add_test(tc, lists_of_one_to_eight_devices_are_read_back);
    tcase_add_test(tc, a_list_without_devices_or_with_one_twice_is_refused);
    tcase_add_test(tc, a_certificate_of_another_identity_inside_is_refused);
    tcase_add_test(tc, a_list_above_its_limit_is_not_made);
    tcase_add_test(tc, too_little_room_leaves_the_writer_alone);
    tcase_add_test(tc, the_hash_covers_every_byte);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("node/device", add);
}
