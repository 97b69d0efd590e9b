/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_card.h"

#include <string.h>

#include "lib/relay_rig.h"

/* A relay with one queue, and somebody who asks it. */
struct setting {
    struct relay_rig r;
    struct arena arena; /* the asker's */
    struct unit_env asker;
    struct card card;
    uint8_t body[LIMIT_FRAME];
};

static void card_fetch(struct setting *s, struct card *card)
{
    struct writer w = writer_of(s->body, sizeof s->body);
    struct card_reply reply;
    card_get_write(&w);
    ck_assert_ok(rig_request(&s->r, RELAY_CARD, writer_done(&w)));
    ck_assert_ok(card_reply_read(s->r.reply, &reply));
    ck_assert_ok(reply.head.err);
    ck_assert_ok(card_open(reply.card, &s->r.config.node_id, s->r.unit.env.now_ms, card));
}

static struct setting *setting_new(void)
{
    static struct setting s;
    memset(&s, 0, sizeof s);
    rig_init(&s.r, 1000);
    unit_env_init(&s.asker, 77, RIG_NOW);
    arena_init(&s.arena, SIZE_MAX);
    ck_assert_ok(rig_join(&s.r, 1, NULL));
    ck_assert_ok(rig_register(&s.r, 1, 1, 1));
    card_fetch(&s, &s.card);
    return &s;
}

static void setting_free(struct setting *s)
{
    arena_fini(&s->arena);
    rig_fini(&s->r);
}

/* Seals (kind, body) to the card that was fetched; the frame's body lies in s->body. */
static struct slice seal(struct setting *s, uint8_t kind, struct slice body,
                         struct sealed_reply_key *key)
{
    struct slice sealed;
    struct writer w = writer_of(s->body, sizeof s->body);
    ck_assert_ok(sealed_request_seal(&s->arena, &s->asker.env, &s->r.config.node_id, s->card.key_id,
                                     s->card.pk, kind, body, &sealed, key));
    sealed_request_write(&w, sealed);
    ck_assert_int_eq(w.err, ERR_OK);
    return writer_done(&w);
}

/* Hands the frame to the relay; the outer code, and the opened inner reply. */
static enum err ask(struct setting *s, struct slice frame, const struct sealed_reply_key *key,
                    struct slice *inner)
{
    struct sealed_reply reply;
    ck_assert_ok(rig_request(&s->r, RELAY_SEALED, frame));
    ck_assert_ok(sealed_reply_read(s->r.reply, &reply));
    if (reply.head.err == ERR_OK) {
        ck_assert_ok(sealed_reply_open(&s->arena, key, reply.sealed, inner));
    }
    return reply.head.err;
}

static struct slice deposit_body(struct setting *s, unsigned queue, uint32_t n, uint8_t fill)
{
    static uint8_t space[1024];
    static uint8_t body[2048];
    struct queue_deposit d = rig_deposit_of(&s->r, queue, n, space, 0, fill);
    struct writer w = writer_of(body, sizeof body);
    queue_deposit_write(&w, &d);
    return writer_done(&w);
}

static enum err deposit_answer(struct slice inner, struct queue_deposit_reply *reply)
{
    ck_assert_ok(queue_deposit_reply_read(inner, reply));
    return reply->head.err;
}

START_TEST(a_sealed_deposit_is_stored_and_answered)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct queue_deposit_reply reply;
    struct queue_push push;
    struct slice inner;
    struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 1, 'a'), &key);
    ck_assert_ok(ask(s, frame, &key, &inner));
    ck_assert_ok(deposit_answer(inner, &reply));
    ck_assert_int_eq(reply.outcome, QUEUE_STORED);
    ck_assert_ok(rig_attach(&s->r, 1, NULL));
    ck_assert_ok(rig_push(&s->r, &push, NULL));
    ck_assert_uint_eq(push.envelope.p[0], 'a');
    setting_free(s);
}
END_TEST

START_TEST(a_repeated_one_is_stored_once)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct queue_deposit_reply reply;
    struct queue_push push;
    struct slice inner;
    struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 1, 'a'), &key);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ok(ask(s, frame, &key, &inner));
        ck_assert_ok(deposit_answer(inner, &reply));
    }
    ck_assert_ok(rig_attach(&s->r, 1, NULL));
    ck_assert_ok(rig_push(&s->r, &push, NULL));
    ck_assert_err(rig_push(&s->r, &push, NULL), ERR_NOT_FOUND);
    setting_free(s);
}
END_TEST

/* To whoever carried it, a right one, a wrong token and an unknown queue look alike. */
START_TEST(refusals_are_inside_the_seal)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct queue_deposit_reply reply;
    struct slice inner;
    size_t size = 0;
    for (unsigned queue = 1; queue <= 2; queue++) {
        struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, queue, 1, 'a'), &key);
        ck_assert_ok(ask(s, frame, &key, &inner));
        ck_assert_err(deposit_answer(inner, &reply), queue == 1 ? ERR_OK : ERR_BAD_TOKEN);
        ck_assert(queue == 1 || s->r.reply.len == size);
        size = s->r.reply.len;
    }
    setting_free(s);
}
END_TEST

START_TEST(what_only_owners_may_ask_is_refused)
{
    static const uint8_t owners[] = {RELAY_MEMBER_JOIN,   RELAY_QUEUE_REGISTER, RELAY_QUEUE_ATTACH,
                                     RELAY_QUEUE_PUSH,    RELAY_QUEUE_ACK,      RELAY_RECORD_PUT,
                                     RELAY_RECORD_STATUS, RELAY_DESCRIPTOR_PUT, RELAY_CARD,
                                     RELAY_SEALED,        RELAY_QUEUE_VOID,     RELAY_MEMBER_LEAVE};
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct relay_reply reply;
    struct slice inner;
    for (size_t i = 0; i < sizeof owners; i++) {
        struct slice frame = seal(s, owners[i], deposit_body(s, 1, 1, 'a'), &key);
        ck_assert_ok(ask(s, frame, &key, &inner));
        ck_assert_ok(relay_reply_read(inner, &reply));
        ck_assert_err(reply.err, ERR_UNSUPPORTED);
    }
    setting_free(s);
}
END_TEST

/* The link is the forwarder's, who is not to blame. */
START_TEST(an_inner_body_out_of_form_does_not_close_the_link)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct relay_reply reply;
    struct slice inner;
    struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, unit_str("\xc1"), &key);
    ck_assert_ok(ask(s, frame, &key, &inner));
    ck_assert_ok(relay_reply_read(inner, &reply));
    ck_assert_err(reply.err, ERR_MALFORMED);
    setting_free(s);
}
END_TEST

START_TEST(a_changed_one_is_answered_in_the_open)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct slice inner;
    struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 1, 'a'), &key);
    s->body[frame.len - 1] ^= 1;
    ck_assert_err(ask(s, frame, &key, &inner), ERR_DECRYPT);
    setting_free(s);
}
END_TEST

START_TEST(a_new_key_comes_after_a_week_and_the_old_one_opens_as_long_as_its_card)
{
    struct setting *s = setting_new();
    struct sealed_reply_key key;
    struct slice inner;
    struct card later;
    s->r.unit.env.now_ms += LIMIT_CARD_NEW_DAYS * LIMIT_DAY_MS - 1;
    rig_settle(&s->r);
    card_fetch(s, &later);
    ck_assert_uint_eq(later.key_id, s->card.key_id);
    s->r.unit.env.now_ms += 1;
    rig_settle(&s->r);
    card_fetch(s, &later);
    ck_assert_uint_ne(later.key_id, s->card.key_id);
    ck_assert_mem_ne(later.pk, s->card.pk, sizeof later.pk);
    s->r.unit.env.now_ms = s->card.until_ms;
    rig_settle(&s->r);
    ck_assert_ok(
        ask(s, seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 1, 'a'), &key), &key, &inner));
    s->r.unit.env.now_ms = s->card.until_ms + LIMIT_CARD_SKEW_MS;
    rig_settle(&s->r);
    ck_assert_err(
        ask(s, seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 2, 'a'), &key), &key, &inner),
        ERR_EXPIRED);
    setting_free(s);
}
END_TEST

START_TEST(keys_survive_a_restart)
{
    struct setting *s = setting_new();
    struct card again;
    struct sealed_reply_key key;
    struct slice inner;
    s->r.unit.env.now_ms += LIMIT_CARD_NEW_DAYS * LIMIT_DAY_MS;
    rig_settle(&s->r);
    rig_restart(&s->r);
    ck_assert_ok(
        ask(s, seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, 1, 'a'), &key), &key, &inner));
    card_fetch(s, &s->card);
    rig_restart(&s->r);
    card_fetch(s, &again);
    ck_assert_mem_eq(&again, &s->card, sizeof again);
    setting_free(s);
}
END_TEST

/* Whether a request that is sealed to the card of this setting is opened. */
static bool opens(struct setting *s, uint32_t n)
{
    struct sealed_reply_key key;
    struct slice inner;
    struct slice frame = seal(s, RELAY_QUEUE_DEPOSIT, deposit_body(s, 1, n, 'a'), &key);
    return ask(s, frame, &key, &inner) == ERR_OK;
}

START_TEST(a_start_with_the_clock_behind_makes_no_card_stale)
{
    struct setting *s = setting_new();
    struct card first = s->card;
    const uint64_t hours = 3 * LIMIT_HOUR_MS;
    for (unsigned i = 0; i < 2 * RELAY_CARD_KEYS; i++) {
        s->r.unit.env.now_ms -= hours;
        rig_restart(&s->r);
        ck_assert(opens(s, 2 * i + 1)); /* by who has the right time, and the card from before */
        card_fetch(s, &s->card);
        ck_assert_uint_ne(s->card.key_id, first.key_id);
        s->r.unit.env.now_ms += hours;
        rig_settle(&s->r);
        ck_assert(opens(s, 2 * i + 2)); /* by who came in between */
        card_fetch(s, &s->card);
        ck_assert_mem_eq(&s->card, &first, sizeof first); /* which is not older than any */
    }
    setting_free(s);
}
END_TEST

START_TEST(a_card_that_was_made_with_the_clock_ahead_is_not_handed_out)
{
    struct setting *s = setting_new();
    struct card first = s->card;
    const uint64_t days = 8 * LIMIT_DAY_MS;
    s->r.unit.env.now_ms += days;
    rig_settle(&s->r);
    card_fetch(s, &s->card);
    ck_assert_uint_ne(s->card.key_id, first.key_id);
    s->r.unit.env.now_ms -= days;
    ck_assert_ok(rig_tick(&s->r)); /* which the node makes when it sees that */
    card_fetch(s, &s->card);       /* and is taken: by readers with the right time */
    ck_assert_mem_eq(&s->card, &first, sizeof first);
    rig_restart(&s->r);
    card_fetch(s, &s->card);
    ck_assert_mem_eq(&s->card, &first, sizeof first);
    ck_assert(opens(s, 1));
    setting_free(s);
}
END_TEST

START_TEST(a_card_is_checked)
{
    struct setting *s = setting_new();
    struct card card = s->card;
    struct card got;
    struct sign_pk other = rig_pk(9, 8);
    uint64_t now = s->r.unit.env.now_ms;
    uint8_t bytes[CARD_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(card_write(&w, &card, &s->r.node_sk));
    ck_assert_ok(card_open(writer_done(&w), &s->r.config.node_id, now, &got));
    ck_assert_mem_eq(&got, &card, sizeof got);
    ck_assert_err(card_open(writer_done(&w), &other, now, &got), ERR_BAD_SIGNATURE);
    ck_assert_err(card_open(writer_done(&w), &s->r.config.node_id, card.until_ms, &got),
                  ERR_EXPIRED);
    ck_assert_err(card_open(writer_done(&w), &s->r.config.node_id,
                            card.created_ms - LIMIT_CARD_SKEW_MS - 1, &got),
                  ERR_STALE);
    for (size_t i = 0; i < w.len; i++) {
        bytes[i] ^= 1;
        ck_assert(card_open(writer_done(&w), &s->r.config.node_id, now, &got) != ERR_OK);
        bytes[i] ^= 1;
    }
    card.until_ms = card.created_ms + LIMIT_CARD_DAYS * LIMIT_DAY_MS + 1;
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(card_write(&w, &card, &s->r.node_sk));
    ck_assert_err(card_open(writer_done(&w), &s->r.config.node_id, now, &got), ERR_EXPIRED);
    setting_free(s);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_sealed_deposit_is_stored_and_answered);
    tcase_add_test(tc, a_repeated_one_is_stored_once);
    tcase_add_test(tc, refusals_are_inside_the_seal);
    tcase_add_test(tc, what_only_owners_may_ask_is_refused);
    tcase_add_test(tc, an_inner_body_out_of_form_does_not_close_the_link);
    tcase_add_test(tc, a_changed_one_is_answered_in_the_open);
    tcase_add_test(tc, a_new_key_comes_after_a_week_and_the_old_one_opens_as_long_as_its_card);
    tcase_add_test(tc, keys_survive_a_restart);
    tcase_add_test(tc, a_start_with_the_clock_behind_makes_no_card_stale);
    tcase_add_test(tc, a_card_that_was_made_with_the_clock_ahead_is_not_handed_out);
    tcase_add_test(tc, a_card_is_checked);
}

int main(void)
{
    return unit_main("relay/host_card", add);
}
