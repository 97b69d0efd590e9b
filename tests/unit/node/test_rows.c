/* SPDX-License-Identifier: Apache-2.0
 *
 * rows, contact_rows, peer_rows, bundle, params, work: layouts that come back as they went, and
 * what is out of form.
 */
#include <string.h>

#include "base/pack.h"
#include "lib/row_rig.h"
#include "node/bundle.h"
#include "node/core.h"
#include "node/params.h"

START_TEST(a_contact_comes_back_as_it_went)
{
    static const uint8_t relay[32] = {9};
    struct row_rig rig;
    struct contact_row who = {.number = 7,
                              .id = {{1, 2, 3}},
                              .state = CONTACT_BLOCKED,
                              .verified = true,
                              .name = unit_str("name")};
    struct peer_row in;
    struct peer_row out;
    uint32_t number;
    const uint8_t seed[32] = {3};
    struct sign_sk sk;
    row_rig_init(&rig);
    ck_assert_ok(peer_row_new(&rig.step, rig.keys, &who, 7, &in));
    ck_assert_ok(peer_row_new(&rig.step, rig.keys, &who, 70000, &out));
    in.has_queue = true;
    in.queue_relay = (struct address){.host = "example.org", .port = 7};
    in.sessions = 5;
    in.heard = 4;
    in.begun = 1;
    in.told = 99;
    in.trouble = ERR_REFUSED;
    in.trouble_relay = slice_of(relay, sizeof relay);
    in.past = 3;
    in.epoch = 625;
    in.stock = 512;
    prim_sign_keypair(&in.queue_relay.node_id, &sk, seed);
    ck_assert_ok(peer_row_put(&rig.step, rig.keys, &in));
    ck_assert_ok(peer_row_get(&rig.step, rig.keys, 7, &out));
    ck_assert_uint_eq(out.number, 7);
    ck_assert_uint_eq(out.who.number, 7);
    ck_assert_int_eq(out.who.state, CONTACT_BLOCKED);
    ck_assert(slice_equal(out.who.name, who.name));
    ck_assert_str_eq(out.queue_relay.host, "example.org");
    ck_assert_uint_eq(out.who.relay.port, 0);
    ck_assert_uint_eq(out.who.text.len, 0);
    ck_assert_uint_eq(out.past, 3);
    ck_assert_uint_eq(out.epoch, 625);
    ck_assert_uint_eq(out.stock, 512);
    ck_assert_uint_eq(out.day_back, 0);
    ck_assert_uint_eq(out.told, 99);
    ck_assert_uint_eq(out.trouble, ERR_REFUSED);
    ck_assert(slice_equal(out.trouble_relay, in.trouble_relay));
    ck_assert_uint_eq(out.heard_ms, 0);
    ck_assert_ok(peer_row_of(&rig.step, rig.keys, &who, 1, &out));
    ck_assert_uint_eq(out.number, 70000);
    ck_assert_uint_eq(out.who.number, 7);
    ck_assert_err(peer_row_of(&rig.step, rig.keys, &who, 2, &out), ERR_NOT_FOUND);
    ck_assert_ok(peer_row_next(&rig.step, rig.keys, 7, &out));
    ck_assert_uint_eq(out.number, 70000);
    ck_assert_err(peer_row_next(&rig.step, rig.keys, 70000, &out), ERR_NOT_FOUND);
    ck_assert_ok(contact_row_find(&rig.step, rig.keys, &who.id, &number));
    ck_assert_uint_eq(number, 7);
    ck_assert_ok(contact_row_next(&rig.step, rig.keys, 6, &who));
    ck_assert_uint_eq(who.peers.len, 8);
    ck_assert_err(contact_row_next(&rig.step, rig.keys, 7, &who), ERR_NOT_FOUND);
    who.id.b[0]++;
    ck_assert_err(contact_row_find(&rig.step, rig.keys, &who.id, &number), ERR_NOT_FOUND);
    row_rig_fini(&rig);
}
END_TEST

START_TEST(a_row_that_is_out_of_form_is_corrupt)
{
    static const char *const rows[] = {"", "\x80", "\xc0", "\x81\x00\x01", "\x90"};
    struct row_rig rig;
    row_rig_init(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_key k = store_key_new();
        struct contact_row out = {.created = 77};
        store_key_u32(&k, ROW_ACCOUNT);
        store_key_u32(&k, 9);
        ck_assert_ok(seal_put(rig.keys, &rig.turn, STORE_CONTACT, store_key_slice(&k),
                              SEAL_BUCKET_ACCOUNT, slice_of(rows[i], strlen(rows[i]))));
        ck_assert_err(contact_row_get(&rig.step, rig.keys, 9, &out), ERR_CORRUPT);
    }
    row_rig_fini(&rig);
}
END_TEST

START_TEST(entries_are_found_by_contact_and_order)
{
    struct row_rig rig;
    struct outbox_row in = {.content = unit_str("x")};
    struct outbox_row out;
    uint64_t order = 0;
    uint64_t count;
    uint32_t contact;
    row_rig_init(&rig);
    ck_assert_ok(outbox_row_put(&rig.step, rig.keys, 2, 5, &in));
    ck_assert_ok(outbox_row_put(&rig.step, rig.keys, 2, 9, &in));
    ck_assert_ok(outbox_row_put(&rig.step, rig.keys, 4, 1, &in));
    ck_assert_ok(outbox_row_next(&rig.step, rig.keys, 2, &order, &out));
    ck_assert_uint_eq(order, 5);
    ck_assert_ok(outbox_row_before(&rig.step, rig.keys, 2, UINT64_MAX, &order, &out));
    ck_assert_uint_eq(order, 9);
    order = 10;
    ck_assert_err(outbox_row_next(&rig.step, rig.keys, 2, &order, &out), ERR_NOT_FOUND);
    ck_assert_ok(outbox_peer_next(&rig.step, rig.keys, 2, &contact));
    ck_assert_uint_eq(contact, 4);
    ck_assert_ok(outbox_rows(&rig.step, rig.keys, &count));
    ck_assert_uint_eq(count, 3);
    ck_assert_ok(outbox_row_del(&rig.step, rig.keys, 2, 5));
    ck_assert_err(outbox_row_get(&rig.step, rig.keys, 2, 5, &out), ERR_NOT_FOUND);
    row_rig_fini(&rig);
}
END_TEST

START_TEST(tokens_are_taken_oldest_first)
{
    struct row_rig rig;
    uint8_t tokens[3 * ROW_TOKEN];
    uint8_t token[ROW_TOKEN];
    uint64_t count;
    for (size_t i = 0; i < sizeof tokens; i++) {
        tokens[i] = (uint8_t)(i / ROW_TOKEN);
    }
    row_rig_init(&rig);
    ck_assert_err(token_row_take(&rig.step, rig.keys, 1, token), ERR_NOT_FOUND);
    ck_assert_ok(token_row_add(&rig.step, rig.keys, 1, slice_of(tokens, sizeof tokens)));
    ck_assert_ok(token_row_count(&rig.step, rig.keys, 1, &count));
    ck_assert_uint_eq(count, 3);
    for (uint8_t i = 0; i < 3; i++) {
        ck_assert_ok(token_row_take(&rig.step, rig.keys, 1, token));
        ck_assert_uint_eq(token[0], i);
    }
    ck_assert_ok(token_row_count(&rig.step, rig.keys, 1, &count));
    ck_assert_uint_eq(count, 0);
    row_rig_fini(&rig);
}
END_TEST

START_TEST(a_bundle_needs_both_parts)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct bundle in = {.device_list = unit_str("list"), .prekey = unit_str("prekey")};
    struct bundle out;
    bundle_write(&w, &in);
    ck_assert_ok(bundle_read(writer_done(&w), &out));
    ck_assert(slice_equal(out.prekey, in.prekey));
    ck_assert_err(bundle_read(slice_of(bytes, w.len - 1), &out), ERR_MALFORMED);
    ck_assert_err(bundle_read(slice_of("\x81\x00\xc4\x01x", 5), &out), ERR_MALFORMED);
    ck_assert_err(bundle_read(slice_of("\x80", 1), &out), ERR_MALFORMED);
}
END_TEST

START_TEST(a_parameter_of_another_type_is_not_there)
{
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct slice s = unit_str("before");
    uint64_t v = 5;
    pack_map(&w, 3);
    result_text(&w, "text", "abc");
    result_uint(&w, "number", 9);
    pack_str(&w, "bin");
    pack_bin(&w, "1234", 4);
    struct slice params = writer_done(&w);
    ck_assert(!params_str(params, "number", &s));
    ck_assert(!params_str(params, "tex", &s));
    ck_assert(!params_uint(params, "text", &v));
    ck_assert(!params_bin(params, "bin", 3, &s));
    ck_assert(slice_equal(s, unit_str("before")));
    ck_assert_uint_eq(v, 5);
    ck_assert(params_str(params, "text", &s));
    ck_assert(slice_equal(s, unit_str("abc")));
    ck_assert(params_uint(params, "number", &v));
    ck_assert_uint_eq(v, 9);
    ck_assert(params_bin(params, "bin", 4, &s));
    ck_assert(!params_uint(slice_of("\xc0", 1), "number", &v));
    ck_assert(!params_uint(slice_of(bytes, 3), "number", &v));
}
END_TEST

START_TEST(delays_double_up_to_an_hour_with_jitter)
{
    struct row_rig rig;
    row_rig_init(&rig);
    uint64_t full = LIMIT_RETRY_FIRST_MS;
    for (uint32_t n = 1; n < 40; n++) {
        uint64_t d = work_backoff(&rig.step, n);
        ck_assert_uint_ge(d, full / 2);
        ck_assert_uint_le(d, full);
        full = full * 2 > LIMIT_RETRY_MAX_MS ? LIMIT_RETRY_MAX_MS : full * 2;
    }
    ck_assert_uint_le(work_backoff(&rig.step, UINT32_MAX), LIMIT_RETRY_MAX_MS);
    row_rig_fini(&rig);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_contact_comes_back_as_it_went);
    tcase_add_test(tc, a_row_that_is_out_of_form_is_corrupt);
    tcase_add_test(tc, entries_are_found_by_contact_and_order);
    tcase_add_test(tc, tokens_are_taken_oldest_first);
    tcase_add_test(tc, a_bundle_needs_both_parts);
    tcase_add_test(tc, a_parameter_of_another_type_is_not_there);
    tcase_add_test(tc, delays_double_up_to_an_hour_with_jitter);
}

int main(void)
{
    return unit_main("node/rows", add_tests);
}
