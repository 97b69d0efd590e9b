/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operator lets a queue hold.
 */
#include "lib/relay_rig.h"
#include "relay/card.h"
#include "relay/wire.h"

static struct relay_rig R;

static enum err set_limits(uint32_t envelopes, uint32_t mib, uint16_t days)
{
    struct turn turn;
    struct relay_limits limits = {.envelopes = envelopes, .mib = mib, .days = days};
    arena_reset(&R.arena);
    store_mem_begin(R.mem, &R.store);
    turn = (struct turn){.env = &R.unit.env, .store = &R.store, .arena = &R.arena};
    enum err err = relay_host_set_limits(R.host, &turn, &limits);
    ck_assert_ok(store_mem_commit(R.mem));
    return err;
}

static struct queue_register_reply registered(unsigned queue)
{
    struct queue_register_reply reply;
    ck_assert_ok(rig_register(&R, queue, 0, queue));
    ck_assert_ok(queue_register_reply_read(R.reply, &reply));
    return reply;
}

START_TEST(the_operator_sets_what_a_queue_may_hold)
{
    uint8_t envelope[61440];
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_uint_eq(registered(0).envelopes, LIMIT_QUEUE_ENVELOPES);
    ck_assert_ok(set_limits(3, 1, 2));
    for (unsigned restarted = 0; restarted < 2; restarted++) {
        struct queue_register_reply reply = registered(0);
        ck_assert_uint_eq(reply.envelopes, 3);
        ck_assert_uint_eq(reply.bytes, 1 << 20);
        ck_assert_uint_eq(reply.days, 2);
        rig_restart(&R);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ok(rig_put(&R, 0, i + 1, 1));
    }
    ck_assert_err(rig_put(&R, 0, 4, 1), ERR_QUEUE_FULL);
    ck_assert_ok(set_limits(1000, 1, 2));
    for (unsigned i = 0; i < 17; i++) {
        struct queue_deposit d = rig_deposit_of(&R, 0, 10 + i, envelope, 3, (uint8_t)i);
        ck_assert_ok(rig_deposit(&R, &d, NULL));
    }
    struct queue_deposit d = rig_deposit_of(&R, 0, 99, envelope, 3, 99);
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_QUEUE_FULL);
    rig_fini(&R);
}
END_TEST

START_TEST(fewer_days_hold_for_what_is_there_too)
{
    uint32_t waiting;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    (void)registered(0);
    ck_assert_ok(rig_put(&R, 0, 1, 1));
    rig_settle(&R);
    R.unit.env.now_ms += 3 * LIMIT_DAY_MS;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 1);
    ck_assert_ok(set_limits(10, 1, 2));
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    ck_assert_ok(rig_attach(&R, 0, &waiting));
    ck_assert_uint_eq(waiting, 0);
    ck_assert_ok(rig_put(&R, 0, 2, 2));
    R.unit.env.now_ms += 2 * LIMIT_DAY_MS + 20000;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(the_card_names_them)
{
    uint8_t body[8];
    struct card_reply reply;
    struct card card;
    rig_init(&R, 0);
    for (unsigned set = 0; set < 2; set++) {
        struct writer w = writer_of(body, sizeof body);
        card_get_write(&w);
        ck_assert_ok(rig_request(&R, RELAY_CARD, writer_done(&w)));
        ck_assert_ok(card_reply_read(R.reply, &reply));
        ck_assert_ok(card_open(reply.card, &R.config.node_id, R.unit.env.now_ms, &card));
        ck_assert_uint_eq(card.envelopes, set ? 7 : LIMIT_QUEUE_ENVELOPES);
        ck_assert_uint_eq(card.days, set ? 3 : LIMIT_QUEUE_DAYS);
        ck_assert_ok(set_limits(7, 5, 3));
    }
    rig_fini(&R);
}
END_TEST

START_TEST(limits_out_of_range_change_nothing)
{
    rig_init(&R, 0);
    ck_assert_err(set_limits(0, 1, 1), ERR_ARGUMENT);
    ck_assert_err(set_limits(LIMIT_QUEUE_ENVELOPES_MAX + 1, 1, 1), ERR_ARGUMENT);
    ck_assert_err(set_limits(1, 0, 1), ERR_ARGUMENT);
    ck_assert_err(set_limits(1, LIMIT_QUEUE_MIB_MAX + 1, 1), ERR_ARGUMENT);
    ck_assert_err(set_limits(1, 1, 0), ERR_ARGUMENT);
    ck_assert_err(set_limits(1, 1, LIMIT_QUEUE_DAYS + 1), ERR_ARGUMENT);
    ck_assert_uint_eq(relay_host_limits(R.host).envelopes, LIMIT_QUEUE_ENVELOPES);
    ck_assert_ok(set_limits(LIMIT_QUEUE_ENVELOPES_MAX, LIMIT_QUEUE_MIB_MAX, LIMIT_QUEUE_DAYS));
    rig_restart(&R);
    ck_assert_uint_eq(relay_host_limits(R.host).mib, LIMIT_QUEUE_MIB_MAX);
    rig_fini(&R);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_operator_sets_what_a_queue_may_hold);
    tcase_add_test(tc, fewer_days_hold_for_what_is_there_too);
    tcase_add_test(tc, the_card_names_them);
    tcase_add_test(tc, limits_out_of_range_change_nothing);
}

int main(void)
{
    return unit_main("relay/host_limits", add);
}
