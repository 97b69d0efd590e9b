/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/kem_ratchet.h"

#include <string.h>

#include "lib/unit.h"

/* Two sides of one session, without the Double Ratchet: epochs move with the steps. */
struct side {
    struct kem_ratchet k;
    uint32_t epoch;
};

static struct unit_env env;
static struct arena arena;
static struct side a; /* the initiator */
static struct side b;

static void setup(void)
{
    unit_env_init(&env, 9, LIMIT_DAY_MS * 20000);
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    a = (struct side){.epoch = 0};
    b = (struct side){.epoch = 0};
    kem_ratchet_init(&a.k, true, env.env.now_ms);
    kem_ratchet_init(&b.k, false, env.env.now_ms);
}

static void teardown(void)
{
    arena_fini(&arena);
}

/* What a body of this side carries. */
struct parts {
    struct kem_part offer;
    struct kem_part answer;
};

static struct parts speak(struct side *s, bool step)
{
    struct parts p;
    size_t room = kem_ratchet_room(&s->k, s->epoch, step, env.env.now_ms);
    ck_assert_ok(kem_ratchet_speak(&s->k, s->epoch, step, &env.env, &arena, &p.offer, &p.answer));
    size_t size = p.offer.epoch > 0    ? kem_part_size(&p.offer)
                  : p.answer.epoch > 0 ? kem_part_size(&p.answer)
                                       : 0;
    ck_assert_uint_eq(room, size);
    kem_ratchet_spoke(&s->k, size > 0, true);
    return p;
}

static bool hear(struct side *s, const struct parts *p)
{
    bool news;
    ck_assert_ok(kem_ratchet_take(&s->k, s->epoch, &env.env, &p->offer, &p->answer, true, &news));
    return news;
}

/* from takes the step that it has ready, and `to` follows: both have the same secret. */
static void step(struct side *from, struct side *to)
{
    struct kem_mix ours = kem_ratchet_ours(&from->k, from->epoch);
    struct kem_mix theirs = kem_ratchet_theirs(&to->k, to->epoch);
    ck_assert_uint_eq(ours.epoch, from->epoch + 1);
    ck_assert_uint_eq(theirs.epoch, ours.epoch);
    ck_assert_mem_eq(ours.secret, theirs.secret, KEM_SECRET);
    from->epoch = ours.epoch;
    to->epoch = ours.epoch;
    kem_ratchet_stepped(&from->k, env.env.now_ms);
    kem_ratchet_stepped(&to->k, env.env.now_ms);
}

static void exchange(struct side *from, struct side *to)
{
    struct parts p = speak(from, true);
    ck_assert_uint_eq(p.offer.epoch, from->epoch + 1);
    ck_assert(hear(to, &p));
    p = speak(to, true);
    ck_assert_uint_eq(p.answer.epoch, from->epoch + 1);
    ck_assert(hear(from, &p));
    step(from, to);
}

static bool silent(struct side *s)
{
    struct parts p = speak(s, true);
    return p.offer.epoch == 0 && p.answer.epoch == 0;
}

START_TEST(the_responder_begins_and_then_they_take_turns)
{
    ck_assert(silent(&a));
    exchange(&b, &a);
    for (unsigned i = 0; i < LIMIT_KEM_MESSAGES; i++) {
        ck_assert(silent(&b));
        if (i + 1 < LIMIT_KEM_MESSAGES) {
            ck_assert(silent(&a));
        } else {
            a.k.count = LIMIT_KEM_MESSAGES; /* the last one came from the other side */
        }
    }
    exchange(&a, &b);
    ck_assert(silent(&a));
    env.env.now_ms += LIMIT_DAY_MS - 1;
    ck_assert(silent(&b));
    env.env.now_ms++;
    ck_assert(silent(&a));
    exchange(&b, &a);
    ck_assert_uint_eq(a.epoch, 3);
}
END_TEST

START_TEST(who_does_not_begin_in_its_turn_is_not_waited_for)
{
    exchange(&b, &a);
    b.k.count = 2 * LIMIT_KEM_MESSAGES - 1; /* a's turn */
    ck_assert(silent(&b));
    exchange(&b, &a);
    env.env.now_ms += 2 * LIMIT_DAY_MS; /* b's turn */
    exchange(&a, &b);
    ck_assert_uint_eq(b.epoch, 3);
}
END_TEST

START_TEST(a_part_goes_once_in_each_chain_until_it_is_answered)
{
    struct parts offer = speak(&b, true);
    ck_assert_uint_eq(offer.offer.epoch, 1);
    ck_assert_uint_eq(speak(&b, false).offer.epoch, 0);
    struct parts again = speak(&b, true);
    ck_assert(slice_equal(offer.offer.bytes, again.offer.bytes));
    ck_assert(hear(&a, &offer));
    ck_assert(!hear(&a, &again));
    struct parts answer = speak(&a, true);
    ck_assert_uint_eq(answer.answer.epoch, 1);
    ck_assert_uint_eq(speak(&a, false).answer.epoch, 0);
    ck_assert(slice_equal(speak(&a, true).answer.bytes, answer.answer.bytes));
    ck_assert(hear(&b, &answer));
    ck_assert(!hear(&b, &answer));
    ck_assert(silent(&b)); /* the step says it */
    step(&b, &a);
    ck_assert(!hear(&a, &offer) && !hear(&b, &answer)); /* late */
    ck_assert(silent(&a) && silent(&b));
}
END_TEST

START_TEST(of_two_offers_that_cross_the_initiators_counts)
{
    env.env.now_ms += 2 * LIMIT_DAY_MS;
    struct parts from_a = speak(&a, true);
    struct parts from_b = speak(&b, true);
    ck_assert(from_a.offer.epoch == 1 && from_b.offer.epoch == 1);
    ck_assert(!hear(&a, &from_b));
    ck_assert(hear(&b, &from_a));
    struct parts answer = speak(&b, true);
    ck_assert(hear(&a, &answer));
    step(&a, &b);
    ck_assert_uint_eq(a.epoch, 1);
}
END_TEST

START_TEST(what_cannot_be_is_refused_and_nothing_moves)
{
    struct parts p = speak(&b, true);
    uint8_t bytes[SESSION_KEM_EK];
    bool news;
    struct kem_ratchet before = a.k;
    struct kem_part none = {.epoch = 0};
    p.offer.epoch = 2;
    ck_assert_err(kem_ratchet_take(&a.k, 0, &env.env, &p.offer, &none, false, &news),
                  ERR_MALFORMED);
    struct kem_part answer = {.epoch = 2, .bytes = slice_of(bytes, SESSION_KEM_CT)};
    ck_assert_err(kem_ratchet_take(&a.k, 0, &env.env, &none, &answer, false, &news), ERR_MALFORMED);
    memset(bytes, 0xff, sizeof bytes); /* coefficients of 4,095 */
    p.offer = (struct kem_part){.epoch = 1, .bytes = slice_of(bytes, sizeof bytes)};
    ck_assert_err(kem_ratchet_take(&a.k, 0, &env.env, &p.offer, &none, false, &news), ERR_BAD_KEY);
    ck_assert_int_eq(a.k.state, KEM_IDLE);
    ck_assert_mem_eq(before.secret, a.k.secret, sizeof before.secret);
    /* An answer that nobody asked for is nothing. */
    answer.epoch = 1;
    ck_assert_ok(kem_ratchet_take(&a.k, 0, &env.env, &none, &answer, false, &news));
    ck_assert(!news);
    ck_assert_int_eq(a.k.state, KEM_IDLE);
}
END_TEST

/* Every state meets every event: what is not in the header's drawing changes nothing. */
START_TEST(all_pairs_of_state_and_event)
{
    enum {
        STATES = 4,
        OFFER = 0,
        ANSWER = 1,
        EVENTS = 2
    };
    static const enum kem_state next[2][STATES][EVENTS] = {
        /* responder: an offer, an answer */
        {{KEM_ANSWERED, KEM_IDLE},
         {KEM_ANSWERED, KEM_READY},
         {KEM_READY, KEM_READY},
         {KEM_ANSWERED, KEM_ANSWERED}},
        /* initiator */
        {{KEM_ANSWERED, KEM_IDLE},
         {KEM_OFFERED, KEM_READY},
         {KEM_READY, KEM_READY},
         {KEM_ANSWERED, KEM_ANSWERED}},
    };
    struct parts offer = speak(&b, true);
    ck_assert(hear(&a, &offer));
    struct parts answer = speak(&a, true);
    unsigned pairs = 0;
    for (unsigned initiator = 0; initiator < 2; initiator++) {
        for (unsigned state = 0; state < STATES; state++) {
            for (unsigned event = 0; event < EVENTS; event++) {
                struct side s = {.epoch = 0};
                kem_ratchet_init(&s.k, initiator == 1, env.env.now_ms);
                s.k.state = (enum kem_state)state;
                (void)hear(
                    &s, &(struct parts){.offer = event == OFFER ? offer.offer : answer.offer,
                                        .answer = event == ANSWER ? answer.answer : offer.answer});
                ck_assert_int_eq(s.k.state, next[initiator][state][event]);
                pairs++;
            }
        }
    }
    ck_assert_uint_eq(pairs, 16);
}
END_TEST

START_TEST(a_saved_exchange_goes_on)
{
    unsigned states = 0;
    struct parts p;
    for (unsigned i = 0; i < 4; i++) {
        if (i == 1) {
            p = speak(&b, true);
        } else if (i == 2) {
            ck_assert(hear(&a, &p));
        } else if (i == 3) {
            p = speak(&a, true);
            ck_assert(hear(&b, &p));
        }
        for (unsigned side = 0; side < 2; side++) {
            struct kem_ratchet *k = side == 0 ? &a.k : &b.k;
            uint8_t bytes[KEM_SAVED_MAX];
            struct writer w = writer_of(bytes, sizeof bytes);
            kem_ratchet_save(k, &w);
            ck_assert_err(w.err, ERR_OK);
            struct kem_ratchet loaded;
            struct reader r = reader_of(writer_done(&w));
            kem_ratchet_load(&loaded, k->initiator, &r);
            ck_assert_ok(reader_end(&r));
            states |= 1U << loaded.state;
            ck_assert_int_eq(loaded.state, k->state);
            /* Going on from the copy equals going on. */
            *k = loaded;
        }
    }
    step(&b, &a);
    ck_assert_uint_eq(states, 15);
    uint8_t bad[2][14] = {{KEM_ANSWERED + 1}, {0, 2}};
    for (unsigned i = 0; i < 2; i++) {
        struct kem_ratchet loaded;
        struct reader r = reader_of(slice_of(bad[i], sizeof bad[i]));
        kem_ratchet_load(&loaded, false, &r);
        ck_assert_err(r.err, ERR_CORRUPT);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_responder_begins_and_then_they_take_turns);
    tcase_add_test(tc, who_does_not_begin_in_its_turn_is_not_waited_for);
    tcase_add_test(tc, a_part_goes_once_in_each_chain_until_it_is_answered);
    tcase_add_test(tc, of_two_offers_that_cross_the_initiators_counts);
    tcase_add_test(tc, what_cannot_be_is_refused_and_nothing_moves);
    tcase_add_test(tc, all_pairs_of_state_and_event);
    tcase_add_test(tc, a_saved_exchange_goes_on);
}

int main(void)
{
    return unit_main("pair/kem_ratchet", add);
}
