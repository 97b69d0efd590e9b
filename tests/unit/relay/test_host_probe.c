/* SPDX-License-Identifier: Apache-2.0
 *
 * host_probe: what somebody gets from a relay who has a stamp that was used, or names without keys.
 * docs/protocol/04-relay.md, sections 4.1 and 4.4.
 */
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

static struct relay_rig R;

enum {
    KNOWN = 0,
    UNKNOWN = 44,
    SIGNATURE_AT = 50, /* a byte in the first signature of a signed request (4.2) */
};

static void set_up(struct relay_rig *r)
{
    rig_init(r, 0);
    ck_assert_ok(rig_join(r, 0, NULL));
    ck_assert_ok(rig_register(r, 0, 0, 0));
    ck_assert_ok(rig_register(r, 1, 0, 1));
}

/* --- stamps --- */

static uint8_t SPACE[1024];

/* A deposit in queue 0 with a stamp. */
static struct queue_deposit stamped(struct relay_rig *r, uint8_t fill)
{
    struct queue_deposit d = rig_deposit_of(r, 0, 1, SPACE, 0, fill);
    d.admission = rig_stamp(r, &d.queue, d.envelope, LIMIT_STAMP_DEPOSIT_BITS);
    return d;
}

START_TEST(a_stamp_is_for_one_envelope_one_queue_and_its_minute)
{
    set_up(&R);
    struct queue_deposit d = stamped(&R, 's');
    struct queue_deposit other = d;
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    SPACE[500] ^= 1;
    ck_assert_err(rig_deposit(&R, &d, NULL), ERR_STAMP_TOO_CHEAP);
    SPACE[500] ^= 1;
    other.queue = rig_pk(RIG_QUEUE, 1);
    ck_assert_err(rig_deposit(&R, &other, NULL), ERR_STAMP_TOO_CHEAP);
    other = d;
    other.admission.stamp_minute++;
    ck_assert_err(rig_deposit(&R, &other, NULL), ERR_STAMP_TOO_CHEAP);
    static const int away[] = {-LIMIT_STAMP_MINUTES - 1, LIMIT_STAMP_MINUTES + 1};
    for (size_t i = 0; i < 2; i++) {
        uint64_t now = R.unit.env.now_ms;
        R.unit.env.now_ms += (uint64_t)((int64_t)away[i] * (int64_t)LIMIT_MINUTE_MS);
        ck_assert_err(rig_deposit(&R, &d, NULL), ERR_STAMP_STALE);
        R.unit.env.now_ms = now;
    }
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 1);
    rig_fini(&R);
}
END_TEST

/* Also when the envelope was fetched meanwhile, and the relay has started anew. */
START_TEST(a_stamp_that_is_used_again_stores_nothing_more)
{
    set_up(&R);
    struct queue_deposit d = stamped(&R, 's');
    struct queue_push push;
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    for (int i = 0; i < 2; i++) {
        ck_assert_ok(rig_deposit(&R, &d, NULL));
        ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
        ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
        rig_restart(&R);
        ck_assert_ok(rig_attach(&R, 0, NULL));
    }
    rig_fini(&R);
}
END_TEST

START_TEST(a_stamp_for_one_relay_is_none_for_another)
{
    static struct relay_rig other;
    set_up(&R);
    set_up(&other);
    other.config.node_id = rig_pk(9, 10);
    rig_restart(&other);
    struct queue_deposit d = stamped(&R, 's');
    ck_assert_err(rig_deposit(&other, &d, NULL), ERR_STAMP_TOO_CHEAP);
    ck_assert_ok(rig_deposit(&R, &d, NULL));
    rig_fini(&other);
    rig_fini(&R);
}
END_TEST

/* --- names --- */

/* What somebody asks who knows a name and not its key. */
enum question {
    ASK_ATTACH,
    ASK_REGISTER,
    ASK_ACK,
    ASK_VOID,
    ASK_STATUS,
    ASK_PUT,
    ASK_DEPOSIT,
    ASK_POP,
    QUESTIONS,
};

static void bad_token(struct relay_admission *admission)
{
    *admission = (struct relay_admission){.stamp = false};
    memset(admission->token.b, 0x5a, sizeof admission->token.b);
}

static uint8_t ask(enum question question, unsigned n, struct writer *w)
{
    struct sign_sk queue;
    struct sign_sk record;
    struct sign_sk member;
    rig_sk(&queue, RIG_QUEUE, n);
    rig_sk(&record, RIG_RECORD, n);
    rig_sk(&member, RIG_MEMBER, 1); /* of somebody else */
    struct queue_register reg = {.k = rig_k(3)};
    struct record_put put = {.seq = 9, .has_body = true, .body = slice_of(SPACE, 100)};
    struct queue_ack ack = {.queue = rig_pk(RIG_QUEUE, n), .number = 1};
    struct queue_void voids = {.queue = rig_pk(RIG_QUEUE, n),
                               .nonces = slice_of(SPACE, TOKEN_NONCE)};
    struct queue_deposit deposit = {
        .queue = rig_pk(RIG_QUEUE, n), .lifetime = 3, .envelope = slice_of(SPACE, sizeof SPACE)};
    struct record_pop pop = {.record = rig_pk(RIG_RECORD, n)};
    switch (question) {
    case ASK_ATTACH:
        ck_assert_ok(queue_attach_write(w, &R.arena, R.hash, &queue));
        return RELAY_QUEUE_ATTACH;
    case ASK_REGISTER:
        ck_assert_ok(queue_register_write(w, &R.arena, R.hash, &reg, &queue, &member));
        return RELAY_QUEUE_REGISTER;
    case ASK_ACK:
        queue_ack_write(w, &ack);
        return RELAY_QUEUE_ACK;
    case ASK_VOID:
        queue_void_write(w, &voids);
        return RELAY_QUEUE_VOID;
    case ASK_STATUS:
        ck_assert_ok(record_status_write(w, &R.arena, R.hash, &record));
        return RELAY_RECORD_STATUS;
    case ASK_PUT:
        ck_assert_ok(record_put_write(w, &R.arena, R.hash, &put, &record, &member));
        return RELAY_RECORD_PUT;
    case ASK_DEPOSIT:
        bad_token(&deposit.admission);
        queue_deposit_write(w, &deposit);
        return RELAY_QUEUE_DEPOSIT;
    case ASK_POP:
    case QUESTIONS:
        break;
    }
    bad_token(&pop.admission);
    record_pop_write(w, &pop);
    return RELAY_RECORD_POP;
}

static void answer(enum question question, unsigned n, uint8_t *out, size_t *len, enum err *err)
{
    struct writer w = writer_of(R.body, sizeof R.body);
    uint8_t kind = ask(question, n, &w);
    ck_assert_ok(w.err);
    bool is_signed = question != ASK_ACK && question != ASK_VOID && question < ASK_DEPOSIT;
    if (is_signed) {
        R.body[SIGNATURE_AT] ^= 1; /* who has the key is its owner */
    }
    ck_assert_ok(rig_request(&R, kind, writer_done(&w)));
    *err = rig_refusal(&R);
    *len = R.reply.len;
    ck_assert_uint_le(*len, 64);
    memcpy(out, R.reply.p, *len);
}

static void put_record(void)
{
    struct sign_sk record;
    struct sign_sk member;
    struct record_put put = {
        .seq = 1, .k = rig_k(0), .has_body = true, .body = slice_of(SPACE, 100)};
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_sk(&record, RIG_RECORD, KNOWN);
    rig_sk(&member, RIG_MEMBER, 0);
    ck_assert_ok(record_put_write(&w, &R.arena, R.hash, &put, &record, &member));
    ck_assert_ok(rig_request(&R, RELAY_RECORD_PUT, writer_done(&w)));
    ck_assert_ok(rig_refusal(&R));
}

START_TEST(without_a_key_what_is_there_answers_like_what_is_not)
{
    set_up(&R);
    put_record();
    ck_assert_ok(rig_put(&R, KNOWN, 1, 'x')); /* and something waits */
    rig_use_link(&R, 7);
    for (enum question question = 0; question < QUESTIONS; question++) {
        uint8_t known[64];
        uint8_t unknown[64];
        size_t known_len;
        size_t unknown_len;
        enum err err;
        answer(question, KNOWN, known, &known_len, &err);
        ck_assert_msg(err != ERR_OK, "question %d", question);
        answer(question, UNKNOWN, unknown, &unknown_len, &err);
        ck_assert_msg(known_len == unknown_len && memcmp(known, unknown, known_len) == 0,
                      "question %d", question);
    }
    rig_fini(&R);
}
END_TEST

/* The one question that has an answer: the body of a record is for everybody who has its name. */
START_TEST(a_record_that_one_has_the_name_of_is_there_or_not)
{
    set_up(&R);
    put_record();
    for (unsigned i = 0; i < 2; i++) {
        struct record_get get = {.record = rig_pk(RIG_RECORD, i == 0 ? KNOWN : UNKNOWN)};
        struct writer w = writer_of(R.body, sizeof R.body);
        record_get_write(&w, &get);
        ck_assert_ok(rig_request(&R, RELAY_RECORD_GET, writer_done(&w)));
        ck_assert_err(rig_refusal(&R), i == 0 ? ERR_OK : ERR_NOT_FOUND);
    }
    rig_fini(&R);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_stamp_is_for_one_envelope_one_queue_and_its_minute);
    tcase_add_test(tc, a_stamp_that_is_used_again_stores_nothing_more);
    tcase_add_test(tc, a_stamp_for_one_relay_is_none_for_another);
    tcase_add_test(tc, without_a_key_what_is_there_answers_like_what_is_not);
    tcase_add_test(tc, a_record_that_one_has_the_name_of_is_there_or_not);
}

int main(void)
{
    return unit_main("host_probe", add_tests);
}
