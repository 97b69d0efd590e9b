/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

#define EPOCH_MS (LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS)

static struct relay_rig R;

/* Member 0 with queues 0 and 1. */
static void set_up(uint64_t spent_lru)
{
    rig_init(&R, spent_lru);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    ck_assert_ok(rig_register(&R, 1, 0, 1));
}

START_TEST(register_is_idempotent_and_keeps_the_first_key)
{
    set_up(0);
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    struct queue_register_reply reply;
    ck_assert_ok(queue_register_reply_read(R.reply, &reply));
    ck_assert_uint_eq(reply.envelopes, LIMIT_QUEUE_ENVELOPES);
    ck_assert_uint_eq(reply.bytes, UINT64_C(128) << 20);
    ck_assert_uint_eq(reply.days, 30);
    ck_assert_err(rig_register(&R, 0, 0, 7), ERR_EXISTS);
    ck_assert_ok(rig_join(&R, 1, NULL));
    ck_assert_err(rig_register(&R, 0, 1, 0), ERR_EXISTS);
    ck_assert_err(rig_register(&R, 5, 9, 0), ERR_REFUSED);
    rig_fini(&R);
}
END_TEST

START_TEST(a_member_has_so_many_queues_and_no_more)
{
    set_up(0);
    for (unsigned i = 2; i < LIMIT_MEMBER_QUEUES; i++) {
        ck_assert_ok(rig_register(&R, i, 0, 0));
    }
    ck_assert_err(rig_register(&R, LIMIT_MEMBER_QUEUES, 0, 0), ERR_QUOTA);
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    rig_fini(&R);
}
END_TEST

START_TEST(a_signature_for_another_link_is_refused)
{
    set_up(0);
    struct sign_sk sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_sk(&sk, RIG_QUEUE, 0);
    ck_assert_ok(queue_attach_write(&w, &R.arena, R.hash, &sk));
    rig_use_link(&R, 2);
    ck_assert_ok(rig_request(&R, RELAY_QUEUE_ATTACH, writer_done(&w)));
    ck_assert_err(rig_refusal(&R), ERR_BAD_SIGNATURE);
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    struct queue_push push;
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    rig_fini(&R);
}
END_TEST

START_TEST(a_changed_signature_is_refused)
{
    set_up(0);
    struct sign_sk sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_sk(&sk, RIG_QUEUE, 0);
    ck_assert_ok(queue_attach_write(&w, &R.arena, R.hash, &sk));
    R.body[w.len - 1] ^= 1;
    ck_assert_ok(rig_request(&R, RELAY_QUEUE_ATTACH, writer_done(&w)));
    ck_assert_err(rig_refusal(&R), ERR_BAD_SIGNATURE);
    ck_assert_err(rig_attach(&R, 77, NULL), ERR_NOT_FOUND);
    rig_fini(&R);
}
END_TEST

START_TEST(unknown_queue_and_bad_token_answer_alike)
{
    set_up(0);
    uint8_t space[1024];
    uint8_t first[64];
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    d.admission.token.b[20] ^= 1;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    size_t len = R.reply.len;
    memcpy(first, R.reply.p, len);
    d = rig_deposit_of(&R, 40, 1, space, 0, 'a');
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    ck_assert_uint_eq(R.reply.len, len);
    ck_assert_mem_eq(R.reply.p, first, len);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(a_token_stolen_for_another_queue_is_worth_nothing)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    d.queue = rig_pk(RIG_QUEUE, 1);
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    rig_fini(&R);
}
END_TEST

START_TEST(tokens_of_this_and_the_last_epoch_are_taken)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    R.unit.env.now_ms = RIG_NOW / EPOCH_MS * EPOCH_MS + 2 * EPOCH_MS;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    R.unit.env.now_ms -= 1;
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    struct queue_deposit next = rig_deposit_of(&R, 0, 2, space, 0, 'b');
    R.unit.env.now_ms = RIG_NOW / EPOCH_MS * EPOCH_MS;
    ck_assert_err(rig_deposit(&R, &next, NULL), ERR_BAD_TOKEN);
    rig_fini(&R);
}
END_TEST

START_TEST(a_retry_is_stored_once_and_a_second_use_is_refused)
{
    set_up(0);
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_err(rig_put(&R, 0, 1, 'b'), ERR_TOKEN_SPENT);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 1);
    rig_restart(&R);
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_err(rig_put(&R, 0, 1, 'b'), ERR_TOKEN_SPENT);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 1);
    rig_fini(&R);
}
END_TEST

START_TEST(the_row_outlives_the_acknowledgement)
{
    set_up(0);
    struct queue_push push;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_ok(rig_put(&R, 0, 1, 'a'));
        ck_assert_err(rig_put(&R, 0, 1, 'b'), ERR_TOKEN_SPENT);
        ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
        rig_restart(&R);
        ck_assert_ok(rig_attach(&R, 0, NULL));
    }
    rig_fini(&R);
}
END_TEST

START_TEST(spent_rows_go_when_the_epoch_after_theirs_ends)
{
    set_up(0);
    struct queue_push push;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    uint64_t over = RIG_NOW / EPOCH_MS * EPOCH_MS + 2 * EPOCH_MS;
    R.unit.env.now_ms = over - LIMIT_DAY_MS;
    rig_settle(&R);
    ck_assert_uint_eq(rig_index_rows(&R), 1);
    R.unit.env.now_ms = over + LIMIT_HOUR_MS;
    rig_settle(&R);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    ck_assert_ok(rig_put(&R, 0, 1, 'b')); /* the same nonce, minted in the new epoch */
    rig_fini(&R);
}
END_TEST

START_TEST(envelopes_of_no_class_are_malformed)
{
    set_up(0);
    uint8_t space[1025] = {0};
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    d.envelope.len = 1025;
    struct writer w = writer_of(R.body, sizeof R.body);
    queue_deposit_write(&w, &d);
    ck_assert_err(rig_request(&R, RELAY_QUEUE_DEPOSIT, writer_done(&w)), ERR_MALFORMED);
    rig_fini(&R);
}
END_TEST

START_TEST(a_stamp_admits_without_a_token)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_deposit_reply reply;
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 's');
    d.admission = rig_stamp(&R, &d.queue, d.envelope, LIMIT_STAMP_DEPOSIT_BITS);
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    ck_assert_ok(rig_deposit(&R, &d, NULL)); /* a retry */
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 1);
    struct queue_push push;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert(!push.has_nonce);
    ck_assert(slice_equal(push.envelope, d.envelope));

    struct queue_deposit cheap = d;
    cheap.admission.stamp_nonce++;
    ck_assert_err(rig_deposit(&R, &cheap, &reply), ERR_STAMP_TOO_CHEAP);
    ck_assert_uint_eq(reply.stamp_bits, LIMIT_STAMP_DEPOSIT_BITS);
    space[0] ^= 1; /* bound to the envelope */
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_STAMP_TOO_CHEAP);
    space[0] ^= 1;
    R.unit.env.now_ms += (LIMIT_STAMP_MINUTES + 1) * LIMIT_MINUTE_MS;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_STAMP_STALE);

    struct queue_deposit unknown = rig_deposit_of(&R, 44, 1, space, 0, 's');
    unknown.admission = rig_stamp(&R, &unknown.queue, unknown.envelope, LIMIT_STAMP_DEPOSIT_BITS);
    ck_assert_err(rig_deposit(&R, &unknown, NULL), ERR_BAD_TOKEN);
    rig_fini(&R);
}
END_TEST

START_TEST(a_queue_is_full_by_bytes)
{
    set_up(0);
    static uint8_t space[LIMIT_ENVELOPE];
    struct queue_deposit_reply reply;
    uint32_t fit = (128u << 20) / LIMIT_ENVELOPE;
    for (uint32_t i = 0; i < fit; i++) {
        struct queue_deposit d = rig_deposit_of(&R, 0, i, space, 3, (uint8_t)i);
        ck_assert_ok(rig_deposit(&R, &d, NULL));
    }
    struct queue_deposit d = rig_deposit_of(&R, 0, fit, space, 3, 'x');
    ck_assert_err(rig_deposit(&R, &d, &reply), ERR_QUEUE_FULL);
    ck_assert_uint_gt(reply.head.retry_after_ms, 0);
    struct queue_deposit again = rig_deposit_of(&R, 0, 3, space, 3, 3);
    ck_assert_ok(rig_deposit(&R, &again, NULL)); /* a retry is still answered */
    struct queue_push push;
    uint32_t waiting = 0;
    ck_assert_ok(rig_attach(&R, 0, &waiting));
    ck_assert_uint_eq(waiting, fit);
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    rig_fini(&R);
}
END_TEST

START_TEST(a_full_disk_refuses_deposits_and_takes_acknowledgements)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_deposit_reply reply;
    struct queue_push push;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    R.growth = false;
    struct queue_deposit d = rig_deposit_of(&R, 0, 2, space, 0, 'b');
    ck_assert_err(rig_deposit(&R, &d, &reply), ERR_QUEUE_FULL);
    ck_assert_uint_gt(reply.head.retry_after_ms, 0);
    ck_assert_err(rig_register(&R, 3, 0, 3), ERR_BACKPRESSURE);
    ck_assert_err(rig_join(&R, 3, NULL), ERR_BACKPRESSURE);
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    R.growth = true;
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    rig_fini(&R);
}
END_TEST

START_TEST(envelopes_end_with_their_class)
{
    set_up(0);
    uint8_t space[1024];
    static const enum store_table logs[] = {STORE_LOG_1H, STORE_LOG_1D, STORE_LOG_7D,
                                            STORE_LOG_30D};
    rig_settle(&R);
    for (uint32_t i = 0; i < QUEUE_LIFETIMES; i++) {
        struct queue_deposit d = rig_deposit_of(&R, 0, i, space, 0, (uint8_t)i);
        d.lifetime = (uint8_t)i;
        ck_assert_ok(rig_deposit(&R, &d, NULL));
    }
    for (unsigned i = 0; i < QUEUE_LIFETIMES; i++) {
        R.unit.env.now_ms = RIG_NOW + queue_lifetime_ms(i) - 1;
        rig_settle(&R);
        ck_assert_uint_eq(store_mem_count(R.mem, logs[i]), 1);
        ck_assert_uint_le(relay_host_deadline(R.host), RIG_NOW + queue_lifetime_ms(i) + 10000);
        R.unit.env.now_ms += 1;
        ck_assert_ok(rig_tick(&R));
        ck_assert_uint_eq(store_mem_count(R.mem, logs[i]), 0);
        uint32_t waiting = 0;
        ck_assert_ok(rig_attach(&R, 0, &waiting));
        ck_assert_uint_eq(waiting, QUEUE_LIFETIMES - 1 - i);
    }
    rig_fini(&R);
}
END_TEST

START_TEST(what_is_over_is_not_pushed)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_push push;
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    d.lifetime = 0;
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    ck_assert_ok(rig_put(&R, 0, 2, 'b'));
    R.unit.env.now_ms += LIMIT_HOUR_MS;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_int_eq(push.envelope.p[0], 'b');
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    rig_fini(&R);
}
END_TEST

START_TEST(a_sweep_is_bounded_and_goes_on_at_once)
{
    set_up(0);
    rig_settle(&R);
    uint8_t space[1024];
    for (uint32_t i = 0; i < LIMIT_SWEEP_ROWS + 100; i++) {
        struct queue_deposit d = rig_deposit_of(&R, 0, i, space, 0, (uint8_t)i);
        d.lifetime = 0;
        ck_assert_ok(rig_deposit(&R, &d, NULL));
    }
    R.unit.env.now_ms += LIMIT_HOUR_MS;
    ck_assert_ok(rig_tick(&R));
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_1H), 100);
    ck_assert_uint_le(relay_host_deadline(R.host), R.unit.env.now_ms);
    ck_assert_ok(rig_tick(&R));
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_1H), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(pushes_come_in_order_within_the_window)
{
    set_up(0);
    struct queue_push push;
    for (uint32_t i = 0; i < LIMIT_PUSH_WINDOW + 10; i++) {
        ck_assert_ok(rig_put(&R, 0, i, (uint8_t)i));
    }
    uint32_t waiting = 0;
    ck_assert_ok(rig_attach(&R, 0, &waiting));
    ck_assert_uint_eq(waiting, LIMIT_PUSH_WINDOW + 10);
    for (uint32_t i = 0; i < LIMIT_PUSH_WINDOW; i++) {
        ck_assert_ok(rig_push(&R, &push, NULL));
        ck_assert_uint_eq(push.number, i + 1);
        ck_assert_uint_eq(push.envelope.p[0], i);
        ck_assert_uint_eq(push.deposited_ms, RIG_NOW);
        struct token_siv_key siv = rig_siv(0);
        uint32_t contact;
        uint32_t counter;
        ck_assert_ok(token_open_nonce(&siv, push.nonce, &contact, &counter));
        ck_assert_uint_eq(counter, i);
    }
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_ok(rig_ack(&R, 0, 5));
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_ok(rig_push(&R, &push, NULL));
        ck_assert_uint_eq(push.envelope.p[0], LIMIT_PUSH_WINDOW + i);
    }
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_err(rig_ack(&R, 0, LIMIT_PUSH_WINDOW + 6), ERR_PROTOCOL);
    ck_assert_ok(rig_ack(&R, 0, 3)); /* an old one does nothing */
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), LIMIT_PUSH_WINDOW + 5);
    rig_fini(&R);
}
END_TEST

START_TEST(a_second_attach_takes_over)
{
    set_up(0);
    struct queue_push push;
    uint64_t link = 0;
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_ok(rig_put(&R, 0, 2, 'b'));
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, &link));
    ck_assert_uint_eq(link, 1);
    uint64_t old = push.number;
    rig_use_link(&R, 2);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, &link));
    ck_assert_uint_eq(link, 2);
    ck_assert_int_eq(push.envelope.p[0], 'a');
    rig_use_link(&R, 1);
    ck_assert_err(rig_ack(&R, 0, old), ERR_NOT_NOW);
    ck_assert_err(rig_attach(&R, 0, NULL), ERR_NOT_NOW); /* it was under way for long */
    relay_host_link_closed(R.host, 1);
    rig_use_link(&R, 2);
    ck_assert_ok(rig_ack(&R, 0, push.number));
    ck_assert_ok(rig_push(&R, &push, &link));
    ck_assert_int_eq(push.envelope.p[0], 'b');
    struct relay_host_stats stats;
    ck_assert_ok(relay_host_stats(R.host, &R.turn, &stats));
    ck_assert_uint_eq(stats.attached, 1);
    ck_assert_uint_eq(stats.queues, 2);
    ck_assert_uint_eq(stats.members, 1);
    relay_host_link_closed(R.host, 2);
    ck_assert_err(rig_ack(&R, 0, push.number), ERR_NOT_NOW);
    ck_assert_ok(relay_host_stats(R.host, &R.turn, &stats));
    ck_assert_uint_eq(stats.attached, 0);
    rig_fini(&R);
}
END_TEST

START_TEST(queues_take_turns_and_a_link_without_credit_waits)
{
    set_up(0);
    struct queue_push push;
    uint64_t link = 0;
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_attach(&R, 1, NULL));
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_ok(rig_put(&R, 0, i, 'a'));
        ck_assert_ok(rig_put(&R, 1, i, 'b'));
    }
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_ok(rig_push(&R, &push, &link));
        int first = push.envelope.p[0];
        ck_assert_ok(rig_push(&R, &push, &link));
        ck_assert_int_ne(push.envelope.p[0], first);
    }
    rig_use_link(&R, 1001); /* no credit */
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_err(rig_push(&R, &push, &link), ERR_NOT_FOUND);
    rig_use_link(&R, 2);
    ck_assert_ok(rig_attach(&R, 1, NULL));
    ck_assert_ok(rig_push(&R, &push, &link));
    ck_assert_uint_eq(link, 2);
    rig_fini(&R);
}
END_TEST

START_TEST(volatile_is_pushed_or_dropped)
{
    set_up(0);
    uint8_t space[1024];
    struct queue_push push;
    struct queue_deposit_reply reply;
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'v');
    d.volatile_only = true;
    ck_assert_ok(rig_deposit(&R, &d, &reply));
    ck_assert_int_eq(reply.outcome, QUEUE_DROPPED);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_deposit(&R, &d, &reply));
    ck_assert_int_eq(reply.outcome, QUEUE_PUSHED);
    ck_assert_ok(rig_deposit(&R, &d, &reply)); /* the token is spent, a retry is known */
    ck_assert_int_eq(reply.outcome, QUEUE_PUSHED);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_uint_eq(push.number, 0);
    ck_assert(push.has_nonce);
    ck_assert_int_eq(push.envelope.p[0], 'v');
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_ok(rig_put(&R, 0, 2, 's'));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_uint_eq(push.number, 1);
    rig_fini(&R);
}
END_TEST

START_TEST(a_tiny_cache_forgets_and_is_still_right)
{
    set_up(4);
    for (unsigned q = 2; q < LIMIT_MEMBER_QUEUES; q++) {
        ck_assert_ok(rig_register(&R, q, 0, q));
    }
    ck_assert_ok(rig_attach(&R, 0, NULL));
    for (uint32_t i = 0; i < 6; i++) {
        for (unsigned q = 0; q < LIMIT_MEMBER_QUEUES; q++) {
            ck_assert_ok(rig_put(&R, q, i, (uint8_t)q));
        }
    }
    for (uint32_t i = 0; i < 6; i++) {
        for (unsigned q = 0; q < LIMIT_MEMBER_QUEUES; q++) {
            ck_assert_ok(rig_put(&R, q, i, (uint8_t)q));
            ck_assert_err(rig_put(&R, q, i, 'x'), ERR_TOKEN_SPENT);
        }
    }
    struct queue_push push;
    for (uint32_t i = 0; i < 6; i++) {
        ck_assert_ok(rig_push(&R, &push, NULL));
    }
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_ok(rig_ack(&R, 0, 6));
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 6 * (LIMIT_MEMBER_QUEUES - 1));
    uint32_t waiting = 9;
    ck_assert_ok(rig_attach(&R, 0, &waiting));
    ck_assert_uint_eq(waiting, 0);
    rig_fini(&R);
}
END_TEST

START_TEST(unknown_kinds_are_unsupported_and_a_push_from_outside_ends_the_link)
{
    set_up(0);
    static const uint8_t map[] = {0x80};
    ck_assert_ok(rig_request(&R, 99, slice_of(map, 1)));
    ck_assert_err(rig_refusal(&R), ERR_UNSUPPORTED);
    ck_assert_err(rig_request(&R, RELAY_QUEUE_PUSH, slice_of(map, 1)), ERR_PROTOCOL);
    for (uint8_t kind = RELAY_MEMBER_JOIN; kind <= RELAY_DESCRIPTOR_GET; kind++) {
        if (kind != RELAY_QUEUE_PUSH) {
            ck_assert_err(rig_request(&R, kind, slice_of(map, 1)), ERR_MALFORMED);
        }
    }
    rig_fini(&R);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, register_is_idempotent_and_keeps_the_first_key);
    tcase_add_test(tc, a_member_has_so_many_queues_and_no_more);
    tcase_add_test(tc, a_signature_for_another_link_is_refused);
    tcase_add_test(tc, a_changed_signature_is_refused);
    tcase_add_test(tc, unknown_queue_and_bad_token_answer_alike);
    tcase_add_test(tc, a_token_stolen_for_another_queue_is_worth_nothing);
    tcase_add_test(tc, tokens_of_this_and_the_last_epoch_are_taken);
    tcase_add_test(tc, a_retry_is_stored_once_and_a_second_use_is_refused);
    tcase_add_test(tc, the_row_outlives_the_acknowledgement);
    tcase_add_test(tc, spent_rows_go_when_the_epoch_after_theirs_ends);
    tcase_add_test(tc, envelopes_of_no_class_are_malformed);
    tcase_add_test(tc, a_stamp_admits_without_a_token);
    tcase_add_test(tc, a_queue_is_full_by_bytes);
    tcase_add_test(tc, a_full_disk_refuses_deposits_and_takes_acknowledgements);
    tcase_add_test(tc, envelopes_end_with_their_class);
    tcase_add_test(tc, what_is_over_is_not_pushed);
    tcase_add_test(tc, a_sweep_is_bounded_and_goes_on_at_once);
    tcase_add_test(tc, pushes_come_in_order_within_the_window);
    tcase_add_test(tc, a_second_attach_takes_over);
    tcase_add_test(tc, queues_take_turns_and_a_link_without_credit_waits);
    tcase_add_test(tc, volatile_is_pushed_or_dropped);
    tcase_add_test(tc, a_tiny_cache_forgets_and_is_still_right);
    tcase_add_test(tc, unknown_kinds_are_unsupported_and_a_push_from_outside_ends_the_link);
}

int main(void)
{
    return unit_main("relay/host_queue", add);
}
