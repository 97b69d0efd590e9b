/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/krpc.h"

#include <string.h>

#include "lib/unit.h"

#define ID "abcdefghij0123456789"

static enum err read_text(const char *text, struct krpc *m)
{
    return krpc_read(unit_str(text), m);
}

START_TEST(a_query_is_read_and_written_the_same)
{
    static const char text[] =
        "d1:ad3:casi3e2:id20:" ID "1:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk4:salt3:foo3:seqi4e"
        "3:sig64:ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
        "5:token4:tttt1:v5:12345e1:q3:put2:roi1e1:t2:aa1:v4:PT011:y1:qe";
    struct krpc m;
    uint8_t bytes[512];
    ck_assert_ok(read_text(text, &m));
    ck_assert_int_eq(m.kind, KRPC_QUERY);
    ck_assert_int_eq(m.method, KRPC_PUT);
    ck_assert(m.read_only && m.has_cas && m.has_seq && m.has_key && m.has_signature && m.has_id);
    ck_assert_int_eq(m.cas, 3);
    ck_assert_int_eq(m.seq, 4);
    ck_assert(slice_equal(m.salt, unit_str("foo")));
    ck_assert(slice_equal(m.value, unit_str("5:12345")));
    ck_assert(slice_equal(m.token, unit_str("tttt")));
    ck_assert(slice_equal(m.transaction, unit_str("aa")));
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    ck_assert(slice_equal(writer_done(&w), unit_str(text)));
}
END_TEST

START_TEST(a_reply_is_read_and_written_the_same)
{
    static const char text[] = "d2:ip6:\1\2\3\4\5\6"
                               "1:rd2:id20:" ID "5:nodes26:" ID "\1\2\3\4\5\6"
                               "5:token2:xx6:valuesl6:abcdefee"
                               "1:t1:a1:y1:re";
    struct krpc m;
    uint8_t bytes[512];
    ck_assert_ok(krpc_read(slice_of(text, sizeof text - 1), &m));
    ck_assert_int_eq(m.kind, KRPC_REPLY);
    ck_assert(m.has_peers);
    ck_assert_uint_eq(m.nodes.len, DHT_NODE4);
    ck_assert_uint_eq(m.ip.len, DHT_COMPACT4);
    m.peers = unit_str("abcdef");
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    ck_assert(slice_equal(writer_done(&w), slice_of(text, sizeof text - 1)));
}
END_TEST

START_TEST(an_error_is_read_and_written_the_same)
{
    static const char text[] = "d1:eli301e12:CAS mismatche1:t2:aa1:y1:ee";
    struct krpc m;
    uint8_t bytes[512];
    ck_assert_ok(read_text(text, &m));
    ck_assert_int_eq(m.kind, KRPC_ERROR);
    ck_assert_int_eq(m.code, KRPC_CAS_MISMATCH);
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    ck_assert(slice_equal(writer_done(&w), unit_str(text)));
}
END_TEST

START_TEST(what_is_unknown_is_passed_over)
{
    struct krpc m;
    ck_assert_ok(
        read_text("d1:ad1:0i1e2:id20:" ID "1:zlli1eeee1:q5:votes1:t1:a1:y1:q1:zd1:ai1eee", &m));
    ck_assert_int_eq(m.method, KRPC_UNKNOWN);
    ck_assert_ok(read_text("d1:eli203e4:what1:xe1:t1:a1:y1:ee", &m)); /* a third one in the list */
}
END_TEST

/* Whatever is wrong with it, who asked can be told, if it has a transaction. */
START_TEST(bad_ones_are_refused_and_name_their_transaction)
{
    static const struct {
        const char *text;
        bool answerable;
    } bad[] = {
        {"", false},
        {"d", false},
        {"de", false},
        {"i1e", false},
        {"d1:t1:a1:y1:qe", true},                   /* no q, no a */
        {"d1:ad2:id20:" ID "e1:t1:a1:y1:qe", true}, /* no q */
        {"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t1:a1:y1:qe", true},
        {"d1:ade1:q4:ping1:t1:a1:y1:qe", true},              /* no ID */
        {"d1:ad2:id20:" ID "e1:q4:ping1:t0:1:y1:qe", false}, /* an empty transaction */
        {"d1:ad2:id20:" ID "e1:q4:ping1:y1:qe", false},      /* none */
        {"d1:ad2:id20:" ID "e1:q4:ping1:t1:a1:y1:xe", false},
        {"d1:ad2:id20:" ID "e1:q4:ping1:t1:a1:y1:qe1:x", true}, /* more behind it */
        {"d1:q4:ping1:ad2:id20:" ID "e1:t1:a1:y1:qe", false},   /* keys that descend */
        {"d1:ad2:id20:" ID "4:porti-1ee1:q13:announce_peer1:t1:a1:y1:qe", true},
        {"d1:ad2:id20:" ID "4:porti65536ee1:q13:announce_peer1:t1:a1:y1:qe", true},
        {"d1:ad2:id20:" ID "3:seqi01ee1:q3:put1:t1:a1:y1:qe", false},
        {"d1:rd2:id20:" ID "5:nodes3:abce1:t1:a1:y1:re", false},
        {"d1:rd2:id20:" ID "6:valuesl3:abcee1:t1:a1:y1:re", false},
        {"d1:ad2:id20:" ID "e1:q4:ping1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe", false},
        {"d1:ad2:id20:" ID "e1:q4:ping1:rd2:id20:" ID "e1:t1:a1:y1:qe", true},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct krpc m;
        enum err err = read_text(bad[i].text, &m);
        ck_assert_msg(err != ERR_OK && err_class(err) == ERR_CLASS_PEER, "%s", bad[i].text);
        bool answerable = m.kind == KRPC_QUERY && m.transaction.len > 0;
        ck_assert_msg(answerable == bad[i].answerable, "%s", bad[i].text);
    }
}
END_TEST

START_TEST(a_datagram_that_is_too_large_is_not_read)
{
    static uint8_t bytes[KRPC_DATAGRAM_IN + 1] = {'d'};
    struct krpc m;
    ck_assert_err(krpc_read(slice_of(bytes, sizeof bytes), &m), ERR_TOO_LARGE);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_query_is_read_and_written_the_same);
    tcase_add_test(tc, a_reply_is_read_and_written_the_same);
    tcase_add_test(tc, an_error_is_read_and_written_the_same);
    tcase_add_test(tc, what_is_unknown_is_passed_over);
    tcase_add_test(tc, bad_ones_are_refused_and_name_their_transaction);
    tcase_add_test(tc, a_datagram_that_is_too_large_is_not_read);
}

int main(void)
{
    return unit_main("dht/krpc", add_tests);
}
