/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/dht.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dht_items.h"
#include "lib/dht_rig.h"

enum {
    NODES = 6,
};

static struct dht_address at(unsigned i)
{
    return dht_rig_at(i, false);
}

static void add_node(struct dht_rig *n, bool read_only)
{
    struct dht_config config = {.read_only = read_only, .families = {true, false}};
    dht_rig_add(n, &config);
}

static struct dht_rig *net_new(unsigned count)
{
    struct dht_rig *n = dht_rig_new();
    for (unsigned i = 0; i < count; i++) {
        add_node(n, false);
    }
    if (count > 1) { /* the first one hears from the second who it is */
        struct dht_address second = at(1);
        dht_bootstrap(n->dht[0], &n->u.env, &second);
    }
    dht_rig_pass(n, 60000);
    return n;
}

static struct krpc asked_len(struct dht_rig *n, const char *text, size_t len)
{
    struct dht_address stranger = {.ip = {30, 1, 1, 1}, .port = 1000};
    return dht_rig_asked(n, &stranger, slice_of(text, len));
}

static struct krpc asked(struct dht_rig *n, const char *text)
{
    return asked_len(n, text, strlen(text));
}

#define ID     "abcdefghij0123456789"
#define TARGET "mnopqrstuvwxyz123456"

static struct dht_item mutable_item(uint8_t k, int64_t seq, const char *value)
{
    uint8_t seed[DHT_SEED] = {k};
    return dht_item_signed(seed, slice_of(NULL, 0), seq, unit_str(value));
}

START_TEST(nodes_find_each_other_and_keep_each_others_items)
{
    struct dht_rig *n = net_new(NODES);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_item newer = mutable_item(1, 2, "6:second");
    struct dht_status status;
    for (unsigned i = 0; i < NODES; i++) {
        status = dht_rig_status(n, i);
        ck_assert_uint_eq(status.good[0], NODES - 1);
        struct dht_address own = at(i);
        ck_assert(dht_address_equal(&status.external[0], &own));
        ck_assert(dht_id_fits(&status.id[0], &own)); /* BEP 42 */
    }
    ck_assert(!dht_rig_get(n, 3, &item));
    struct dht_report report = dht_rig_put(n, 1, &item, false, 0);
    ck_assert_uint_eq(report.stored, NODES - 1);
    ck_assert_uint_eq(report.refused, 0);
    ck_assert(dht_rig_get(n, 4, &item));
    ck_assert_int_eq(n->last[0].item.seq, 1);
    report = dht_rig_put(n, 2, &newer, false, 0);
    ck_assert_uint_eq(report.stored, NODES - 1);
    ck_assert(dht_rig_get(n, 4, &item));
    ck_assert_int_eq(n->last[0].item.seq, 2);
    report = dht_rig_put(n, 1, &item, false, 0);
    ck_assert_uint_ge(report.refused, NODES - 2);
    ck_assert_int_eq(report.code, KRPC_SEQ_LESS);
    struct dht_item third = mutable_item(1, 3, "5:third");
    report = dht_rig_put(n, 1, &third, true, 1);
    ck_assert_int_eq(report.code, KRPC_CAS_MISMATCH);
    dht_rig_pass(n, 3 * 60 * 60 * 1000); /* nobody put it again */
    ck_assert(!dht_rig_get(n, 4, &item));
    dht_rig_free(n);
}
END_TEST

START_TEST(an_immutable_item_is_found_by_its_hash)
{
    struct dht_rig *n = net_new(NODES);
    struct dht_item item = {.value_len = 7};
    memcpy(item.value, "5:hello", 7);
    struct dht_report report = dht_rig_put(n, 1, &item, false, 0);
    ck_assert_uint_eq(report.stored, NODES - 1);
    ck_assert(dht_rig_get(n, 2, &item));
    ck_assert(!n->last[0].item.is_mutable);
    ck_assert_mem_eq(n->last[0].item.value, item.value, item.value_len);
    dht_rig_free(n);
}
END_TEST

START_TEST(who_only_reads_answers_nobody_and_is_in_no_table)
{
    struct dht_rig *n = net_new(3);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_status status;
    add_node(n, true);
    dht_rig_pass(n, 60000);
    status = dht_rig_status(n, 3);
    ck_assert_uint_eq(status.good[0], 3);
    for (unsigned i = 0; i < 3; i++) {
        status = dht_rig_status(n, i);
        ck_assert_uint_eq(status.nodes[0], 2);
    }
    ck_assert_uint_eq(dht_rig_put(n, 3, &item, false, 0).stored, 3);
    ck_assert(dht_rig_get(n, 3, &item));
    dht_rig_free(n);
}
END_TEST

START_TEST(questions_are_answered_by_the_book)
{
    struct dht_rig *n = net_new(NODES);
    struct krpc m = asked(n, "d1:ad2:id20:" ID "e1:q4:ping1:t2:aa1:y1:qe");
    ck_assert_int_eq(m.kind, KRPC_REPLY);
    ck_assert(slice_equal(m.transaction, unit_str("aa")));
    ck_assert(slice_equal(m.ip, slice_of("\x1e\1\1\1\3\xe8", 6)));
    m = asked(n, "d1:ad2:id20:" ID "6:target20:" TARGET "e1:q9:find_node1:t2:aa1:y1:qe");
    ck_assert_uint_eq(m.nodes.len, (NODES - 1) * DHT_NODE4);
    ck_assert_uint_eq(m.token.len, 0);
    m = asked(n, "d1:ad2:id20:" ID "9:info_hash20:" TARGET "e1:q9:get_peers1:t2:aa1:y1:qe");
    ck_assert_uint_gt(m.token.len, 0);
    ck_assert(!m.has_peers);
    m = asked(n, "d1:ad2:id20:" ID "6:target20:" TARGET "e1:q3:get1:t2:aa1:y1:qe");
    ck_assert_uint_gt(m.token.len, 0);
    ck_assert_uint_eq(m.nodes.len, (NODES - 1) * DHT_NODE4);
    /* An unknown question that has a target is one for nodes; without one it is unknown. */
    m = asked(n, "d1:ad2:id20:" ID "6:target20:" TARGET "e1:q4:vote1:t2:aa1:y1:qe");
    ck_assert_uint_eq(m.nodes.len, (NODES - 1) * DHT_NODE4);
    m = asked(n, "d1:ad2:id20:" ID "e1:q4:vote1:t2:aa1:y1:qe");
    ck_assert_int_eq(m.code, KRPC_METHOD_UNKNOWN);
    m = asked(n, "d1:ad2:id20:" ID "e1:q3:get1:t2:aa1:y1:qe");
    ck_assert_int_eq(m.code, KRPC_PROTOCOL);
    m = asked(n, "d1:ad2:id20:" ID "5:token4:abcd1:v5:helloe1:q3:put1:t2:aa1:y1:qe");
    ck_assert_int_eq(m.code, KRPC_PROTOCOL);
    m = asked(n, "d1:ad2:id20:" ID "1:xi01eee1:q4:ping1:t2:aa1:y1:qe");
    ck_assert_int_eq(m.kind, KRPC_QUERY); /* so broken that nothing can be said */
    dht_rig_free(n);
}
END_TEST

START_TEST(peers_are_announced_with_a_token_and_found)
{
    struct dht_rig *n = net_new(2);
    struct krpc m =
        asked(n, "d1:ad2:id20:" ID "9:info_hash20:" TARGET "e1:q9:get_peers1:t2:aa1:y1:qe");
    char text[512];
    ck_assert_uint_eq(m.token.len, 8);
    size_t len = 0;
    static const char head[] = "d1:ad2:id20:" ID "9:info_hash20:" TARGET "4:porti77e5:token8:";
    static const char tail[] = "e1:q13:announce_peer1:t2:aa1:y1:qe";
    memcpy(text, head, sizeof head - 1);
    len += sizeof head - 1;
    memcpy(text + len, m.token.p, 8);
    len += 8;
    memcpy(text + len, tail, sizeof tail - 1);
    len += sizeof tail - 1;
    m = asked_len(n, text, len);
    ck_assert_int_eq(m.kind, KRPC_REPLY);
    m = asked(n, "d1:ad2:id20:" ID "9:info_hash20:" TARGET "e1:q9:get_peers1:t2:aa1:y1:qe");
    ck_assert(m.has_peers);
    dht_rig_free(n);
}
END_TEST

/* Who did not see the question cannot answer it, and nobody answers twice. */
START_TEST(an_answer_that_was_not_asked_for_changes_nothing)
{
    struct dht_rig *n = net_new(1);
    struct dht_address victim = {.ip = {30, 1, 1, 1}, .port = 1000};
    struct dht_address other = {.ip = {30, 1, 1, 2}, .port = 1000};
    struct dht_status status;
    uint8_t bytes[KRPC_DATAGRAM];
    dht_bootstrap(n->dht[0], &n->u.env, &victim);
    dht_rig_deliver(n);
    struct krpc q;
    ck_assert_ok(krpc_read(slice_of(n->to_nobody.bytes, n->to_nobody.len), &q));
    struct krpc m = {.kind = KRPC_REPLY, .has_id = true, .method = KRPC_UNKNOWN};
    m.id = dht_id_for(&n->u.env, &victim);
    for (unsigned k = 0; k < 4; k++) {
        uint8_t wrong[4];
        memcpy(wrong, q.transaction.p, sizeof wrong);
        wrong[0] ^= k == 0;
        m.transaction = slice_of(wrong, sizeof wrong);
        struct writer w = writer_of(bytes, sizeof bytes);
        krpc_write(&w, &m);
        dht_datagram(n->dht[0], &n->u.env, k == 1 ? &other : &victim, writer_done(&w));
        status = dht_rig_status(n, 0);
        ck_assert_uint_eq(status.good[0], k >= 2);
    }
    dht_rig_free(n);
}
END_TEST

START_TEST(a_table_is_saved_and_asked_again)
{
    struct dht_rig *n = net_new(NODES);
    uint8_t bytes[8192];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct dht_status status;
    dht_save(n->dht[2], &w);
    struct slice saved = writer_done(&w);
    ck_assert_uint_eq(saved.len, 2 + (NODES - 1) * DHT_NODE4 + 2);
    struct dht_config config = {.families = {true, false}};
    dht_free(n->dht[2]);
    n->dht[2] = dht_new(&config, &n->u.env);
    ck_assert_err(dht_restore(n->dht[2], &n->u.env, slice_of(saved.p, saved.len - 1)),
                  ERR_MALFORMED);
    status = dht_rig_status(n, 2);
    ck_assert_uint_eq(status.nodes[0], 0);
    ck_assert_ok(dht_restore(n->dht[2], &n->u.env, saved));
    dht_rig_pass(n, 30000);
    status = dht_rig_status(n, 2);
    ck_assert_uint_eq(status.good[0], NODES - 1);
    dht_rig_free(n);
}
END_TEST

/* Nobody is there: it asks again, and ends what was begun. */
START_TEST(without_anybody_everything_ends)
{
    struct dht_rig *n = net_new(1);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_address nobody = {.ip = {30, 1, 1, 1}, .port = 1000};
    ck_assert(!dht_rig_get(n, 0, &item));
    ck_assert_uint_eq(dht_rig_put(n, 0, &item, false, 0).stored, 0);
    for (unsigned i = 0; i < 4; i++) { /* told again it is no other one */
        dht_bootstrap(n->dht[0], &n->u.env, &nobody);
    }
    dht_rig_deliver(n);
    n->to_nobody_count = 1;
    dht_rig_pass(n, 10 * 60000);
    ck_assert_uint_ge(n->to_nobody_count, 12);
    ck_assert_uint_le(n->to_nobody_count, 16);
    dht_rig_free(n);
}
END_TEST

/* A host whose ID does not fit its address is in no table; whom it names is asked all the same. */
START_TEST(what_is_begun_too_early_waits)
{
    struct dht_rig *n = net_new(4);
    struct dht_item item = mutable_item(1, 1, "5:first");
    struct dht_config config = {.families = {true, false}};
    struct dht_address first = at(0);
    struct dht_address nobody = {.ip = {30, 1, 1, 1}, .port = 1000};
    ck_assert_uint_eq(dht_rig_put(n, 1, &item, false, 0).stored, 3);
    n->dht[4] = dht_new(&config, &n->u.env);
    n->dht[5] = dht_new(&config, &n->u.env);
    n->count = NODES;
    dht_bootstrap(n->dht[4], &n->u.env, &first);
    ck_assert(dht_rig_get(n, 4, &item)); /* before the first answer */
    dht_bootstrap(n->dht[5], &n->u.env, &nobody);
    uint64_t began = n->u.env.now_ms;
    ck_assert(!dht_rig_get(n, 5, &item));
    ck_assert_uint_ge(n->u.env.now_ms - began, 10000);
    ck_assert_uint_ge(n->last[1].report.took_ms, 10000);
    ck_assert_uint_le(n->last[1].report.took_ms, 10500);
    dht_rig_free(n);
}
END_TEST

START_TEST(who_is_begun_with_may_have_any_id)
{
    struct dht_rig *n = net_new(3);
    struct dht_config config = {.families = {true, false}};
    struct dht_address router = {.ip = {30, 1, 1, 1}, .port = 6881};
    struct dht_status status;
    uint8_t nodes[2 * DHT_NODE4];
    uint8_t bytes[KRPC_DATAGRAM];
    struct writer w = writer_of(nodes, sizeof nodes);
    for (unsigned i = 0; i < 2; i++) {
        status = dht_rig_status(n, i);
        struct dht_contact c = {.id = status.id[0], .address = at(i)};
        dht_contact_write(&w, &c);
    }
    n->dht[3] = dht_new(&config, &n->u.env);
    n->count = 4;
    n->to_nobody_count = 0;
    dht_bootstrap(n->dht[3], &n->u.env, &router);
    dht_rig_deliver(n);
    ck_assert_uint_eq(n->to_nobody_count, 1);
    struct krpc q;
    ck_assert_ok(krpc_read(slice_of(n->to_nobody.bytes, n->to_nobody.len), &q));
    struct krpc m = {.kind = KRPC_REPLY, .has_id = true, .method = KRPC_UNKNOWN};
    memset(m.id.b, 0xab, sizeof m.id.b);
    m.transaction = q.transaction;
    m.nodes = writer_done(&w);
    w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    dht_datagram(n->dht[3], &n->u.env, &router, writer_done(&w));
    dht_rig_pass(n, 30000);
    status = dht_rig_status(n, 3);
    ck_assert_uint_eq(status.good[0], 3);
    dht_rig_free(n);
}
END_TEST

/* BEP 5: with implied_port the port of the datagram counts, and the other one says nothing. */
START_TEST(an_implied_port_is_that_of_the_datagram)
{
    struct dht_rig *n = net_new(2);
    struct krpc m =
        asked(n, "d1:ad2:id20:" ID "9:info_hash20:" TARGET "e1:q9:get_peers1:t2:aa1:y1:qe");
    uint8_t bytes[512];
    uint8_t token[8];
    ck_assert_uint_eq(m.token.len, sizeof token);
    memcpy(token, m.token.p, sizeof token);
    for (unsigned k = 0; k < 2; k++) {
        struct krpc q = {.kind = KRPC_QUERY,
                         .method = KRPC_ANNOUNCE_PEER,
                         .has_id = true,
                         .has_target = true,
                         .transaction = slice_of("aa", 2),
                         .token = slice_of(token, sizeof token),
                         .has_port = true,
                         .implied_port = k == 1};
        memcpy(q.id.b, ID, DHT_ID);
        memcpy(q.target.b, TARGET, DHT_ID);
        struct writer w = writer_of(bytes, sizeof bytes);
        krpc_write(&w, &q);
        struct krpc reply = asked_len(n, (const char *)bytes, w.len);
        ck_assert_int_eq(reply.kind, k == 1 ? KRPC_REPLY : KRPC_ERROR);
    }
    dht_rig_free(n);
}
END_TEST

/* What dht_deadline promises comes true: a tick or two, and it lies ahead again. */
static void settled(struct dht_rig *n, unsigned i)
{
    for (unsigned ticks = 0; dht_deadline(n->dht[i]) <= n->u.env.now_ms; ticks++) {
        ck_assert_uint_lt(ticks, 64);
        dht_tick(n->dht[i], &n->u.env);
        dht_rig_deliver(n);
    }
}

START_TEST(it_wakes_up_for_something_and_not_for_ever)
{
    struct dht_rig *n = net_new(NODES - 1);
    struct dht_config config = {.families = {true, true}};
    struct dht_address nobody = {.ip = {30, 1, 1, 1}, .port = 1000};
    struct dht_address six = {.v6 = true, .ip = {0x20, 1, 0xd, 0xb8, 1}, .port = 1000};
    struct dht_address first = at(0);
    struct dht_item item = mutable_item(1, 1, "5:first");
    dht_free(n->dht[4]);
    n->count = NODES;
    n->dht[4] = dht_new(&config, &n->u.env); /* knows the others, and nobody in IPv6 */
    n->dht[5] = dht_new(&config, &n->u.env); /* alone */
    dht_bootstrap(n->dht[4], &n->u.env, &first);
    dht_bootstrap(n->dht[4], &n->u.env, &six);
    dht_bootstrap(n->dht[5], &n->u.env, &nobody);
    dht_bootstrap(n->dht[5], &n->u.env, &six);
    unsigned woken = 0;
    uint64_t end = n->u.env.now_ms + 20 * 60 * 1000;
    while (n->u.env.now_ms < end) {
        uint64_t next = end;
        for (unsigned i = 0; i < n->count; i++) {
            settled(n, i);
            next = dht_deadline(n->dht[i]) < next ? dht_deadline(n->dht[i]) : next;
        }
        n->u.env.now_ms = next;
        woken++;
    }
    ck_assert_uint_lt(woken, 1500);
    struct dht_status status;
    status = dht_rig_status(n, 4);
    ck_assert_uint_eq(status.good[0], NODES - 2);
    ck_assert(!dht_rig_get(n, 5, &item));
    /* The network is gone for hours, and then there again. */
    struct dht *rest[4];
    memcpy(rest, n->dht, sizeof rest);
    memset(n->dht, 0, sizeof rest);
    for (uint64_t back = n->u.env.now_ms + 3 * 3600 * 1000; n->u.env.now_ms < back;) {
        settled(n, 4);
        uint64_t next = dht_deadline(n->dht[4]);
        n->u.env.now_ms = next < back ? next : back;
    }
    status = dht_rig_status(n, 4);
    ck_assert_uint_eq(status.good[0], 0);
    memcpy(n->dht, rest, sizeof rest);
    dht_rig_pass(n, 20 * 60 * 1000);
    status = dht_rig_status(n, 4);
    ck_assert_uint_eq(status.good[0], NODES - 2);
    dht_rig_free(n);
}
END_TEST

enum {
    PUTS = 60, /* more than there is room for queries of theirs, */
    EACH = 10, /* when so many datagrams leave in 100 ms: no more than others answer */
};

/* A table whose nodes are all gone, and whose buckets are all due: lookups that last. */
START_TEST(few_lookups_of_its_own_go_on_at_a_time)
{
    enum {
        GONE = 2000,
        LOOKS = 4,
    };
    static uint8_t saved[2 + GONE * DHT_NODE4 + 2];
    struct dht_rig *n = net_new(2);
    struct writer w = writer_of(saved, sizeof saved);
    unsigned most = 0;
    writer_u16(&w, GONE);
    for (unsigned i = 0; i < GONE; i++) {
        struct dht_address a = {.ip = {40, (uint8_t)(i >> 8), (uint8_t)i, 1}, .port = DHT_RIG_PORT};
        struct dht_contact c = {.id = dht_id_for(&n->u.env, &a), .address = a};
        dht_contact_write(&w, &c);
    }
    writer_u16(&w, 0);
    ck_assert_ok(dht_restore(n->dht[0], &n->u.env, writer_done(&w)));
    dht_rig_pass(n, 14 * 60000);
    dht_free(n->dht[1]); /* who is asked does not answer either, and all buckets are due soon */
    n->dht[1] = NULL;
    for (unsigned s = 0; s < 240; s++) {
        dht_rig_pass(n, 500);
        struct dht_status status = dht_rig_status(n, 0);
        most = status.operations > most ? status.operations : most;
    }
    ck_assert_uint_eq(most, LOOKS); /* there were more to do */
    dht_rig_free(n);
}
END_TEST

START_TEST(puts_wait_for_room)
{
    struct dht_rig *n = net_new(NODES);
    struct dht_output out;
    unsigned ended = 0;
    for (unsigned k = 0; k < PUTS; k++) {
        struct dht_item item = mutable_item((uint8_t)(k + 1), 1, "5:first");
        ck_assert_uint_ne(dht_put(n->dht[1], &n->u.env, &item, false, 0), 0);
    }
    for (uint64_t end = n->u.env.now_ms + 120000; n->u.env.now_ms < end; n->u.env.now_ms += 100) {
        for (unsigned i = 0; i < n->count; i++) {
            struct dht_address from = at(i);
            for (unsigned k = 0; k < EACH && dht_next_output(n->dht[i], &out); k++) {
                if (out.kind == DHT_OUT_DATAGRAM) {
                    dht_datagram(n->dht[out.to.ip[2]], &n->u.env, &from,
                                 slice_of(out.bytes, out.len));
                } else if (out.kind == DHT_OUT_DONE) {
                    ck_assert_uint_eq(out.report.stored, NODES - 1);
                    ended++;
                }
            }
            if (dht_deadline(n->dht[i]) <= n->u.env.now_ms) {
                dht_tick(n->dht[i], &n->u.env);
            }
        }
    }
    ck_assert_uint_eq(ended, PUTS);
    dht_rig_free(n);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, nodes_find_each_other_and_keep_each_others_items);
    tcase_add_test(tc, an_immutable_item_is_found_by_its_hash);
    tcase_add_test(tc, who_only_reads_answers_nobody_and_is_in_no_table);
    tcase_add_test(tc, questions_are_answered_by_the_book);
    tcase_add_test(tc, peers_are_announced_with_a_token_and_found);
    tcase_add_test(tc, an_answer_that_was_not_asked_for_changes_nothing);
    tcase_add_test(tc, a_table_is_saved_and_asked_again);
    tcase_add_test(tc, without_anybody_everything_ends);
    tcase_add_test(tc, what_is_begun_too_early_waits);
    tcase_add_test(tc, who_is_begun_with_may_have_any_id);
    tcase_add_test(tc, an_implied_port_is_that_of_the_datagram);
    tcase_add_test(tc, it_wakes_up_for_something_and_not_for_ever);
    tcase_add_test(tc, few_lookups_of_its_own_go_on_at_a_time);
    tcase_add_test(tc, puts_wait_for_room);
}

int main(void)
{
    return unit_main("dht/dht", add_tests);
}
