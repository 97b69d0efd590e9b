/* SPDX-License-Identifier: Apache-2.0
 *
 * host_queue, void: tokens that the reader takes back. docs/protocol/04-relay.md, section 6.6.
 */
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/host_state.h"
#include "relay/wire.h"

#define EPOCH_MS (LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS)

static struct relay_rig R;

/* Two queues of one member; the first is attached on link 1. */
static void set_up(void)
{
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    ck_assert_ok(rig_register(&R, 1, 0, 1));
    ck_assert_ok(rig_attach(&R, 0, NULL));
}

START_TEST(a_voided_token_is_answered_like_one_that_never_was)
{
    uint8_t space[1024];
    uint8_t bad[64];
    set_up();
    struct queue_deposit d = rig_deposit_of(&R, 0, 9, space, 0, 'a');
    d.admission.token.b[TOKEN - 1] ^= 1;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    size_t len = R.reply.len;
    ck_assert_uint_le(len, sizeof bad);
    memcpy(bad, R.reply.p, len);
    ck_assert_ok(rig_void(&R, 0, 2, 3));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    for (uint32_t n = 2; n < 5; n++) {
        ck_assert_err(rig_put(&R, 0, n, 'a'), ERR_BAD_TOKEN);
        ck_assert(slice_equal(R.reply, slice_of(bad, len)));
    }
    ck_assert_ok(rig_put(&R, 0, 5, 'a'));
    ck_assert_ok(rig_put(&R, 1, 2, 'a')); /* the same numbers in another queue */
    d = rig_deposit_of(&R, 0, 3, space, 0, 'a');
    d.volatile_only = true;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    rig_fini(&R);
}
END_TEST

START_TEST(voiding_again_adds_nothing_and_a_restart_forgets_nothing)
{
    set_up();
    ck_assert_ok(rig_void(&R, 0, 1, 100));
    ck_assert_uint_eq(rig_index_rows(&R), 100);
    ck_assert_ok(rig_void(&R, 0, 50, 60));
    ck_assert_uint_eq(rig_index_rows(&R), 109);
    rig_restart(&R);
    ck_assert_err(rig_put(&R, 0, 7, 'a'), ERR_BAD_TOKEN);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_void(&R, 0, 1, 109));
    ck_assert_uint_eq(rig_index_rows(&R), 109);
    ck_assert_ok(rig_put(&R, 0, 110, 'a'));
    rig_fini(&R);
}
END_TEST

START_TEST(what_was_deposited_before_stays)
{
    uint8_t space[1024];
    struct queue_deposit_reply reply;
    struct queue_push push;
    set_up();
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    ck_assert_ok(rig_void(&R, 0, 1, 2));
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    ck_assert_ok(rig_deposit(&R, &d, &reply)); /* the answer to it was lost */
    ck_assert_int_eq(reply.outcome, QUEUE_STORED);
    ck_assert_err(rig_put(&R, 0, 1, 'b'), ERR_TOKEN_SPENT);
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_uint_eq(push.envelope.p[0], 'a');
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_ok(rig_ack(&R, 0, 1));
    rig_fini(&R);
}
END_TEST

START_TEST(only_the_link_that_reads_the_queue_may_void)
{
    set_up();
    ck_assert_err(rig_void(&R, 1, 1, 1), ERR_NOT_NOW);
    ck_assert_err(rig_void(&R, 7, 1, 1), ERR_NOT_NOW); /* no such queue: alike */
    rig_use_link(&R, 2);
    ck_assert_err(rig_void(&R, 0, 1, 1), ERR_NOT_NOW);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_void(&R, 0, 1, 1));
    rig_use_link(&R, 1);
    ck_assert_err(rig_void(&R, 0, 2, 1), ERR_NOT_NOW); /* another link took over */
    rig_fini(&R);
}
END_TEST

START_TEST(the_row_of_a_voided_token_outlives_the_token)
{
    set_up();
    uint8_t space[1024];
    struct queue_deposit d = rig_deposit_of(&R, 0, 1, space, 0, 'a');
    uint64_t over = RIG_NOW / EPOCH_MS * EPOCH_MS + 2 * EPOCH_MS;
    ck_assert_ok(rig_void(&R, 0, 1, 3));
    R.unit.env.now_ms = over - LIMIT_DAY_MS;
    rig_settle(&R);
    ck_assert_uint_eq(rig_index_rows(&R), 3);
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
    R.unit.env.now_ms = over + LIMIT_HOUR_MS;
    rig_settle(&R);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN); /* its tag is of an old epoch */
    rig_fini(&R);
}
END_TEST

START_TEST(nothing_is_voided_beyond_the_quota_or_without_room)
{
    set_up();
    struct sign_pk key = rig_pk(RIG_QUEUE, 0);
    struct relay_queue *q = relay_cache_by_key(&R.host->cache, &key);
    ck_assert_ptr_nonnull(q);
    q->rows = LIMIT_QUEUE_SPENT - 5; /* a million rows would take long */
    ck_assert_err(rig_void(&R, 0, 1, 6), ERR_QUOTA);
    ck_assert_uint_eq(rig_index_rows(&R), 0);
    ck_assert_ok(rig_void(&R, 0, 1, 5));
    ck_assert_uint_eq(q->rows, LIMIT_QUEUE_SPENT);
    q->rows = 5;
    R.growth = false;
    ck_assert_err(rig_void(&R, 0, 6, 1), ERR_BACKPRESSURE);
    ck_assert_uint_eq(rig_index_rows(&R), 5);
    rig_fini(&R);
}
END_TEST

START_TEST(a_request_out_of_form_closes_the_link)
{
    uint8_t nonces[2 * TOKEN_NONCE] = {0};
    static const size_t bad[] = {0, 1, TOKEN_NONCE - 1, TOKEN_NONCE + 1, 2 * TOKEN_NONCE - 1};
    set_up();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct queue_void v = {.queue = rig_pk(RIG_QUEUE, 0), .nonces = slice_of(nonces, bad[i])};
        struct writer w = writer_of(R.body, sizeof R.body);
        queue_void_write(&w, &v);
        ck_assert_err(rig_request(&R, RELAY_QUEUE_VOID, writer_done(&w)), ERR_MALFORMED);
    }
    ck_assert_ok(rig_void(&R, 0, 1, LIMIT_VOID_NONCES));
    ck_assert_err(rig_void(&R, 0, 1, LIMIT_VOID_NONCES + 1), ERR_TOO_LARGE);
    ck_assert_uint_eq(rig_index_rows(&R), LIMIT_VOID_NONCES);
    rig_fini(&R);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_voided_token_is_answered_like_one_that_never_was);
    tcase_add_test(tc, voiding_again_adds_nothing_and_a_restart_forgets_nothing);
    tcase_add_test(tc, what_was_deposited_before_stays);
    tcase_add_test(tc, only_the_link_that_reads_the_queue_may_void);
    tcase_add_test(tc, the_row_of_a_voided_token_outlives_the_token);
    tcase_add_test(tc, nothing_is_voided_beyond_the_quota_or_without_room);
    tcase_add_test(tc, a_request_out_of_form_closes_the_link);
}

int main(void)
{
    return unit_main("relay/host_void", add_tests);
}
