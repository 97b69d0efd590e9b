/* SPDX-License-Identifier: Apache-2.0 */
#include "control/codec.h"

#include <stdlib.h>
#include <string.h>

#include "control/methods.h"
#include "lib/unit.h"

static uint8_t buffer[1024];

static struct slice map_of(const char *name, const char *value)
{
    static uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 1);
    pack_str(&w, name);
    pack_str(&w, value);
    return writer_done(&w);
}

static struct slice request(uint32_t id, const char *method, struct slice params)
{
    struct writer w = writer_of(buffer, sizeof buffer);
    control_write_request(&w, id, method, params);
    ck_assert_int_eq(w.err, ERR_OK);
    return writer_done(&w);
}

START_TEST(a_request_is_read_back)
{
    struct slice params = map_of("link", "petrel:x");
    struct control_message m;
    ck_assert_ok(control_read(request(7, "contact.add", params), &m));
    ck_assert_int_eq(m.kind, CONTROL_REQUEST);
    ck_assert_uint_eq(m.id, 7);
    ck_assert(slice_equal(m.method, unit_str("contact.add")));
    ck_assert(slice_equal(m.params, params));
}
END_TEST

START_TEST(a_result_and_an_event_are_read_back)
{
    struct slice map = map_of("id", "x");
    struct control_message m;
    struct writer w = writer_of(buffer, sizeof buffer);
    control_write_result(&w, UINT32_MAX, map);
    ck_assert_ok(control_read(writer_done(&w), &m));
    ck_assert_int_eq(m.kind, CONTROL_REPLY);
    ck_assert_uint_eq(m.id, UINT32_MAX);
    ck_assert_uint_eq(m.error.len, 0);
    ck_assert(slice_equal(m.result, map));

    w = writer_of(buffer, sizeof buffer);
    control_write_event(&w, map);
    ck_assert_ok(control_read(writer_done(&w), &m));
    ck_assert_int_eq(m.kind, CONTROL_NOTIFY);
    ck_assert(slice_equal(m.method, unit_str("event")));
    ck_assert(slice_equal(m.params, map));
}
END_TEST

START_TEST(an_error_carries_code_name_class_and_sentence)
{
    struct control_message m;
    struct control_error e;
    struct writer w = writer_of(buffer, sizeof buffer);
    control_write_error(&w, 3, ERR_QUEUE_FULL, 1500, unit_str("here"));
    ck_assert_ok(control_read(writer_done(&w), &m));
    ck_assert_uint_eq(m.result.len, 0);
    ck_assert_ok(control_error_read(m.error, &e));
    ck_assert_uint_eq(e.code, ERR_QUEUE_FULL);
    ck_assert(slice_equal(e.name, unit_str("queue-full")));
    ck_assert(slice_equal(e.class_name, unit_str("peer")));
    ck_assert_uint_eq(e.retry_after_ms, 1500);
    const char *sentence = err_message(ERR_QUEUE_FULL);
    ck_assert_uint_eq(e.message.len, strlen(sentence) + strlen(": here"));
    ck_assert(memcmp(e.message.p, sentence, strlen(sentence)) == 0);
}
END_TEST

START_TEST(the_end_of_a_message_is_found_at_every_split)
{
    struct slice whole = request(300, "message.send", map_of("text", "some text in a call"));
    for (size_t split = 0; split < whole.len; split++) {
        struct control_scan scan = control_scan_new();
        size_t len = 0;
        ck_assert_err(control_scan(&scan, slice_of(whole.p, split), &len), ERR_NOT_NOW);
        ck_assert_ok(control_scan(&scan, whole, &len));
        ck_assert_uint_eq(len, whole.len);
    }
    struct control_scan scan = control_scan_new();
    size_t len = 0;
    for (size_t n = 0; n < whole.len; n++) {
        ck_assert_err(control_scan(&scan, slice_of(whole.p, n), &len), ERR_NOT_NOW);
    }
    ck_assert_ok(control_scan(&scan, whole, &len));
}
END_TEST

START_TEST(bytes_behind_a_message_are_the_next_one)
{
    uint8_t two[256];
    struct slice one = request(1, "hello", slice_of("\x80", 1));
    memcpy(two, one.p, one.len);
    memcpy(two + one.len, one.p, one.len);
    struct control_scan scan = control_scan_new();
    size_t len = 0;
    ck_assert_ok(control_scan(&scan, slice_of(two, 2 * one.len), &len));
    ck_assert_uint_eq(len, one.len);
}
END_TEST

/* What can never become a message is refused at once, not waited for. */
START_TEST(garbage_is_refused_at_once)
{
    static const struct {
        const char *hex;
        enum err err;
    } bad[] = {
        {"00", ERR_MALFORMED},
        {"92", ERR_MALFORMED},
        {"dc0004", ERR_MALFORMED},
        {"47455420", ERR_MALFORMED},
        {"94c1", ERR_MALFORMED},
        {"94ca", ERR_MALFORMED},
        {"94c7", ERR_MALFORMED},
        {"94d4", ERR_MALFORMED},
        {"949191919191919191919191", ERR_MALFORMED},
        {"940001dbffffffff", ERR_TOO_LARGE},
        {"940001c6ffffffff", ERR_TOO_LARGE},
        {"940001ddffffffff", ERR_TOO_LARGE},
        {"940001dfffffffff", ERR_TOO_LARGE},
        {"940001da00ff", ERR_NOT_NOW},
        {"940001c600040000", ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct control_scan scan = control_scan_new();
        size_t len = unit_hex(bad[i].hex, buffer, sizeof buffer);
        ck_assert_err(control_scan(&scan, slice_of(buffer, len), &len), bad[i].err);
    }
}
END_TEST

START_TEST(messages_out_of_form_are_refused)
{
    static const char *const bad[] = {
        "93000181",               /* a request of three */
        "94030180",               /* an unknown kind */
        "940001a568656c6c6f90",   /* no params */
        "940001a568656c6c6f9100", /* params that are no map */
        "940001a568656c6c6f918000" /* trailing byte */,
        "94cd000001a568656c6c6f9180", /* kind in a long form */
        "9401018080",                 /* an error without form is still a map: see below */
    };
    struct control_message m;
    for (size_t i = 0; i + 1 < sizeof bad / sizeof bad[0]; i++) {
        size_t len = unit_hex(bad[i], buffer, sizeof buffer);
        ck_assert_msg(control_read(slice_of(buffer, len), &m) != ERR_OK, "accepted %s", bad[i]);
    }
    size_t len = unit_hex("9401018080", buffer, sizeof buffer);
    struct control_error e;
    ck_assert_ok(control_read(slice_of(buffer, len), &m));
    ck_assert_err(control_error_read(m.error, &e), ERR_MALFORMED);
}
END_TEST

static enum err check(const char *method, struct slice params, struct slice *which)
{
    const struct control_method *row = control_method_find(unit_str(method));
    ck_assert_ptr_nonnull(row);
    return control_params_check(row, params, which);
}

START_TEST(parameters_are_checked_against_the_table)
{
    struct slice which;
    uint8_t id[CONTROL_CLIENT_ID] = {0};
    ck_assert_ok(check("hello", slice_of("\x80", 1), &which));
    ck_assert_err(check("hello", map_of("colour", "red"), &which), ERR_UNKNOWN_PARAM);
    ck_assert(slice_equal(which, unit_str("colour")));
    ck_assert_err(check("hello", map_of("api", "one"), &which), ERR_BAD_TYPE);
    ck_assert(slice_equal(which, unit_str("api")));
    ck_assert_err(check("event.ack", map_of("name", "bot"), &which), ERR_MISSING_PARAM);
    ck_assert(slice_equal(which, unit_str("cursor")));
    /* contact.block belongs to another method's parameters */
    ck_assert_err(check("account.show", map_of("contact", "x"), &which), ERR_UNKNOWN_PARAM);
    ck_assert_err(check("contact.block", map_of("contact", "x"), &which), ERR_MISSING_PARAM);
    ck_assert(slice_equal(which, unit_str("client_id")));

    for (size_t len = 15; len <= 17; len++) {
        uint8_t bytes[128];
        uint8_t long_id[17] = {0};
        struct writer w = writer_of(bytes, sizeof bytes);
        pack_map(&w, 2);
        pack_str(&w, "client_id");
        pack_bin(&w, len == 16 ? id : long_id, len);
        pack_str(&w, "contact");
        pack_str(&w, "x");
        ck_assert_err(check("contact.block", writer_done(&w), &which),
                      len == 16 ? ERR_OK : ERR_BAD_TYPE);
    }
}
END_TEST

START_TEST(a_parameter_given_twice_is_refused)
{
    struct slice which;
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 2);
    for (int i = 0; i < 2; i++) {
        pack_str(&w, "api");
        pack_uint(&w, 1);
    }
    ck_assert_err(check("hello", writer_done(&w), &which), ERR_MALFORMED);
}
END_TEST

START_TEST(every_row_of_the_tables_belongs_to_a_method)
{
    size_t methods = 0;
    size_t params = 0;
    for (; control_method_at(methods) != NULL; methods++) {
        const struct control_method *m = control_method_at(methods);
        ck_assert_ptr_eq(control_method_find(unit_str(m->name)), m);
        ck_assert_uint_ge(m->since, 1);
        ck_assert_uint_le(m->since, CONTROL_API);
    }
    for (; control_param_at(params) != NULL; params++) {
        ck_assert_ptr_nonnull(control_method_find(unit_str(control_param_at(params)->method)));
    }
    ck_assert_uint_gt(methods, 0);
    ck_assert_uint_gt(params, 0);
}
END_TEST

START_TEST(fields_are_found_by_name_and_type)
{
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 4);
    pack_str(&w, "n");
    pack_uint(&w, 9);
    pack_str(&w, "b");
    pack_bool(&w, true);
    pack_str(&w, "list");
    pack_array(&w, 1);
    pack_uint(&w, 1);
    pack_str(&w, "s");
    pack_str(&w, "text");
    struct slice map = writer_done(&w);
    uint64_t n = 0;
    bool b = false;
    struct slice s;
    ck_assert(control_get_uint(map, "n", &n) && n == 9);
    ck_assert(control_get_bool(map, "b", &b) && b);
    ck_assert(control_get_str(map, "s", &s) && slice_equal(s, unit_str("text")));
    ck_assert(control_get(map, "list", &s) && s.len == 2);
    ck_assert(!control_get_str(map, "n", &s));
    ck_assert(!control_get_bin(map, "s", &s));
    ck_assert(!control_get_uint(map, "missing", &n) && n == 9);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_request_is_read_back);
    tcase_add_test(tc, a_result_and_an_event_are_read_back);
    tcase_add_test(tc, an_error_carries_code_name_class_and_sentence);
    tcase_add_test(tc, the_end_of_a_message_is_found_at_every_split);
    tcase_add_test(tc, bytes_behind_a_message_are_the_next_one);
    tcase_add_test(tc, garbage_is_refused_at_once);
    tcase_add_test(tc, messages_out_of_form_are_refused);
    tcase_add_test(tc, parameters_are_checked_against_the_table);
    tcase_add_test(tc, a_parameter_given_twice_is_refused);
    tcase_add_test(tc, every_row_of_the_tables_belongs_to_a_method);
    tcase_add_test(tc, fields_are_found_by_name_and_type);
}

int main(void)
{
    return unit_main("control/codec", add);
}
