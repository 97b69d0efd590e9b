/* SPDX-License-Identifier: Apache-2.0
 *
 * healing: sessions that broke begin anew, by themselves, and people are told why; nothing that was
 * acknowledged or waits is lost or doubled. docs/protocol/07-node.md, section 7.3.1.
 */
#include <stdio.h>
#include <string.h>

#include "link/frame.h"
#include "node/core.h"
#include "node/prekeys.h"
#include "relay/queue.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    MANY = 6,
};

/* Both say MANY things, "a <part> 0" and so on; all of it arrives, once and in order, within ms. */
static void talk(struct people *p, struct person *a, struct person *b, const char *part,
                 uint64_t ms)
{
    char of_a[32];
    char of_b[32];
    (void)snprintf(of_a, sizeof of_a, "a %s ", part);
    (void)snprintf(of_b, sizeof of_b, "b %s ", part);
    for (unsigned i = 0; i < MANY; i++) {
        people_say(p, a, b, of_a, i);
        people_say(p, b, a, of_b, i);
        sim_settle(&p->sim, 5000);
    }
    people_quiet(p, ms);
    people_in_order(p, b, a, of_a, MANY);
    people_in_order(p, a, b, of_b, MANY);
    ck_assert_uint_eq(people_outbox(p, a) + people_outbox(p, b), 0);
}

static unsigned notes(struct people *p, struct person *a, struct person *b)
{
    unsigned found = people_notes(p, a, b, NULL);
    ck_assert_uint_eq(found, people_notes(p, b, a, NULL)); /* both are told */
    return found;
}

/* One of the two starts from a copy of before; `first` is the first to say something then. */
static void rolled_back(uint64_t seed, bool other_speaks)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(seed, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    struct sim_copy copy = sim_copy_of(b->n);
    talk(p, a, b, "two", HOUR);
    sim_settle(&p->sim, MINUTE);
    sim_roll_back(&p->sim, b->n, &copy);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "a two 1"), 0);
    people_say(p, other_speaks ? a : b, other_speaks ? b : a, "first ", 0);
    people_quiet(p, 10 * MINUTE);
    people_in_order(p, other_speaks ? b : a, other_speaks ? a : b, "first ", 1);
    talk(p, a, b, "three", 10 * MINUTE);
    ck_assert_uint_eq(notes(p, a, b), 1);
    struct person *reader = other_speaks ? b : a;
    struct person *writer = other_speaks ? a : b;
    bool known = people_notes(p, b, a, "this device went back to an earlier state") == 1;
    ck_assert(known ||
              (people_notes(p, reader, writer, "a message of theirs could not be read here") == 1 &&
               people_notes(p, writer, reader, "a message of ours could not be read there") == 1));
    ck_assert_uint_eq(people_events(p, a, "session.reset"), 1);
    ck_assert_uint_eq(people_events(p, b, "session.reset"), 1);
    sim_copy_free(&copy);
    people_free(p);
}

START_TEST(who_went_back_hears_the_other_one_again)
{
    rolled_back(700, true);
}
END_TEST

START_TEST(who_went_back_is_heard_again)
{
    rolled_back(701, false);
}
END_TEST

/* a and b went back to different times: each finds the other's messages unreadable, and both begin
 * anew at once. */
START_TEST(two_who_begin_anew_at_once_agree)
{
    for (uint64_t seed = 710; seed < 716; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, false, &a, &b);
        talk(p, a, b, "one", HOUR);
        struct sim_copy of_a = sim_copy_of(a->n);
        talk(p, a, b, "two", HOUR);
        struct sim_copy of_b = sim_copy_of(b->n);
        talk(p, a, b, "three", HOUR);
        sim_roll_back(&p->sim, a->n, &of_a);
        sim_roll_back(&p->sim, b->n, &of_b);
        talk(p, a, b, "four", 10 * MINUTE);
        sim_settle(&p->sim, 2 * HOUR);
        talk(p, a, b, "five", MINUTE);
        ck_assert_uint_le(notes(p, a, b), 2);
        sim_copy_free(&of_a);
        sim_copy_free(&of_b);
        people_free(p);
    }
}
END_TEST

START_TEST(two_who_went_back_together_go_on)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(720, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    struct sim_copy of_a = sim_copy_of(a->n);
    struct sim_copy of_b = sim_copy_of(b->n);
    talk(p, a, b, "two", HOUR);
    sim_roll_back(&p->sim, a->n, &of_a);
    sim_roll_back(&p->sim, b->n, &of_b);
    talk(p, a, b, "three", 10 * MINUTE);
    sim_copy_free(&of_a);
    sim_copy_free(&of_b);
    people_free(p);
}
END_TEST

/* Many times back, while they talk: the healing itself is rolled back too. */
START_TEST(who_goes_back_again_and_again_heals_each_time)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(730, false, &a, &b);
    talk(p, a, b, "start", HOUR);
    struct sim_copy copy = sim_copy_of(b->n);
    for (unsigned i = 0; i < 5; i++) {
        char prefix[16];
        sim_roll_back(&p->sim, b->n, &copy);
        sim_settle(&p->sim, 2 * HOUR);
        (void)snprintf(prefix, sizeof prefix, "round%u", i);
        talk(p, a, b, prefix, 10 * MINUTE);
    }
    ck_assert_uint_le(people_notes(p, a, b, NULL), 5);
    sim_copy_free(&copy);
    people_free(p);
}
END_TEST

struct spoiler {
    struct sim_node *from;
    struct sim_node *to;
    unsigned spoiled;
};

/* The relay changes every envelope that it hands to one reader. */
static enum sim_fate spoil(void *ctx, struct sim *sim, const struct sim_node *from,
                           const struct sim_node *to, uint8_t *frame, size_t len)
{
    struct spoiler *s = ctx;
    (void)sim;
    if (from == s->from && to == s->to && len >= 1024) {
        frame[len / 2] ^= 1;
        s->spoiled++;
    }
    return SIM_PASS;
}

START_TEST(a_relay_that_spoils_all_has_keys_renewed_once_an_hour)
{
    enum {
        HOURS = 5
    };
    struct person *a;
    struct person *b;
    struct people *p = people_two(740, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    struct spoiler spoiler = {.from = p->relay, .to = b->n};
    p->sim.fate = spoil;
    p->sim.fate_ctx = &spoiler;
    for (unsigned i = 0; i < HOURS * 6; i++) {
        people_say(p, a, b, "spoiled ", i);
        sim_settle(&p->sim, 10 * MINUTE);
    }
    p->sim.fate = NULL;
    ck_assert_uint_ge(spoiler.spoiled, HOURS * 6);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "spoiled 3"), 0);
    people_quiet(p, 3 * (uint64_t)DAY);
    people_in_order(p, b, a, "spoiled ", HOURS * 6);
    unsigned renewed = people_notes(p, b, a, "a message of theirs could not be read here");
    ck_assert_uint_ge(renewed, 2);
    ck_assert_uint_le(renewed, HOURS + 1);
    ck_assert_uint_eq(people_notes(p, a, b, "a message of ours could not be read there"), renewed);
    people_free(p);
}
END_TEST

/* Each has a session that the other one has not, and both began anew within the hour: neither can
 * say so to the other. They try again when the hour is over, and until then do not spend what they
 * have on telling each other that nothing can be read. */
START_TEST(two_who_cannot_read_each_other_keep_their_tokens)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(790, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    people_quiet(p, 10 * MINUTE);
    struct sim_copy copy = sim_copy_of(a->n);
    ck_assert_ok(people_call(p, people_as(b), "account.rekey", NULL));
    talk(p, a, b, "two", 10 * MINUTE);
    sim_roll_back(&p->sim, a->n, &copy);
    uint64_t of_a = people_tokens_count(p, a, b); /* some of these were used before */
    uint64_t of_b = people_tokens_count(p, b, a);
    people_say(p, a, b, "a late ", 0);
    people_say(p, b, a, "b late ", 0);
    sim_settle(&p->sim, 30 * MINUTE);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "a late 0"), 0);
    ck_assert_uint_le(of_a, people_tokens_count(p, a, b) + 20);
    ck_assert_uint_le(of_b, people_tokens_count(p, b, a) + 20);
    sim_restart(&p->sim, a->n); /* what is wanted is not forgotten */
    sim_restart(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    people_in_order(p, b, a, "a late ", 1);
    people_in_order(p, a, b, "b late ", 1);
    sim_settle(&p->sim, 2 * HOUR);
    talk(p, a, b, "three", MINUTE);
    sim_copy_free(&copy);
    people_free(p);
}
END_TEST

static bool has_late(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return people_messages(p, two[0], two[1], NULL, "late 0") == 1;
}

static bool has_after(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return people_messages(p, two[0], two[1], NULL, "after 0") == 1;
}

/* b goes back behind what it said, or what it heard, and says something else, while a says nothing:
 * its envelope has a key that was used, or one of a chain that b had left. */
static void heard_in_silence(uint64_t seed, bool said)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(seed, false, &a, &b);
    struct person *two[] = {a, b};
    talk(p, a, b, "one", HOUR);
    people_say(p, b, a, "zero ", 0);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, HOUR);
    struct sim_copy copy = sim_copy_of(b->n);
    people_say(p, said ? b : a, said ? a : b, "between ", 0);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, HOUR);
    sim_roll_back(&p->sim, b->n, &copy);
    people_say(p, b, a, "after ", 0);
    ck_assert(people_until(p, has_after, two, 3 * (uint64_t)HOUR));
    people_quiet(p, HOUR);
    ck_assert_uint_eq(notes(p, a, b), 1);
    sim_copy_free(&copy);
    people_free(p);
}

START_TEST(who_used_a_key_again_is_heard_in_silence)
{
    heard_in_silence(792, true);
}
END_TEST

START_TEST(who_went_on_in_a_chain_of_before_is_heard_in_silence)
{
    heard_in_silence(793, false);
}
END_TEST

/* a begins a new session while b is away, and b comes back from a copy that is older than the
 * signed prekey that it was begun with. What b says in the old one is no answer to it. */
START_TEST(who_lacks_the_prekey_of_a_new_session_gets_another_one)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(776, false, &a, &b);
    struct person *two[] = {b, a};
    talk(p, a, b, "one", HOUR);
    struct sim_copy copy = sim_copy_of(b->n);
    sim_settle(&p->sim, 12 * (uint64_t)DAY);
    sim_sleep(&p->sim, b->n);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    people_say(p, a, b, "late ", 0);
    sim_settle(&p->sim, HOUR);
    sim_roll_back(&p->sim, b->n, &copy);
    sim_wake(&p->sim, b->n);
    people_say(p, b, a, "early ", 0);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "late 0"), 0);
    ck_assert(people_until(p, has_late, two, 3 * (uint64_t)DAY));
    people_quiet(p, 3 * (uint64_t)DAY);
    people_in_order(p, a, b, "early ", 1);
    talk(p, a, b, "two", HOUR);
    sim_copy_free(&copy);
    people_free(p);
}
END_TEST

struct replayer {
    struct sim_node *from;
    struct sim_node *to;
    bool on;
    size_t len; /* of the envelope */
    uint8_t envelope[LIMIT_FRAME];
    uint8_t nonce[TOKEN_NONCE];
    uint8_t frame[LIMIT_FRAME];
    unsigned replayed;
};

/* The relay keeps the first envelope that it hands to one reader, and later hands it on in the
 * place of every other one. */
static enum sim_fate replay(void *ctx, struct sim *sim, const struct sim_node *from,
                            const struct sim_node *to, uint8_t *bytes, size_t len)
{
    static uint8_t body[LIMIT_FRAME];
    struct replayer *r = ctx;
    struct frame frame;
    struct queue_push push;
    if (from != r->from || to != r->to || frame_read(slice_of(bytes, len), &frame) != ERR_OK ||
        frame.kind != FRAME_QUEUE_PUSH || queue_push_read(frame.body, &push) != ERR_OK ||
        !push.has_nonce) {
        return SIM_PASS;
    }
    if (!r->on && r->len == 0) {
        r->len = push.envelope.len;
        memcpy(r->envelope, push.envelope.p, push.envelope.len);
        memcpy(r->nonce, push.nonce, sizeof r->nonce);
    } else if (r->on) {
        struct writer w = writer_of(body, sizeof body);
        push.envelope = slice_of(r->envelope, r->len);
        memcpy(push.nonce, r->nonce, sizeof push.nonce);
        queue_push_write(&w, &push);
        frame.body = writer_done(&w);
        struct writer all = writer_of(r->frame, sizeof r->frame);
        frame_write(&all, &frame);
        ck_assert_ok(all.err);
        sim->instead = writer_done(&all);
        r->replayed++;
    }
    return SIM_PASS;
}

START_TEST(a_relay_that_replays_has_no_keys_renewed)
{
    enum {
        DAYS = 5
    };
    static struct replayer replayer;
    struct person *a;
    struct person *b;
    struct people *p = people_two(744, false, &a, &b);
    replayer = (struct replayer){.from = p->relay, .to = b->n};
    p->sim.fate = replay;
    p->sim.fate_ctx = &replayer;
    talk(p, a, b, "one", HOUR);
    ck_assert_uint_gt(replayer.len, 0);
    ck_assert_ok(people_call(p, people_as(b), "account.rekey", NULL));
    talk(p, a, b, "two", HOUR);
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    replayer.on = true;
    for (unsigned i = 0; i < DAYS * 12; i++) {
        people_say(p, a, b, "kept back ", i);
        sim_settle(&p->sim, 2 * HOUR);
    }
    p->sim.fate = NULL;
    ck_assert_uint_ge(replayer.replayed, DAYS * 12);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "kept back 3"), 0);
    people_say(p, b, a, "nothing for days ", 0); /* else the relay is believed that it has them */
    people_quiet(p, 3 * (uint64_t)DAY);
    for (unsigned i = 0; i < DAYS * 12; i++) { /* the relay's order */
        char text[32];
        (void)snprintf(text, sizeof text, "kept back %u", i);
        ck_assert_uint_eq(people_messages(p, b, a, NULL, text), 1);
    }
    ck_assert_uint_eq(people_notes(p, b, a, "a message of theirs could not be read here"), 0);
    people_free(p);
}
END_TEST

/* All but two of the tokens that from has for to are lost. */
static void keep_two_tokens(struct people *p, struct person *from, struct person *to)
{
    struct token tokens[LIMIT_TOKEN_STOCK_MAX];
    size_t had = people_tokens_take(p, from, to, tokens, LIMIT_TOKEN_STOCK_MAX);
    ck_assert_uint_ge(had, 2);
    people_tokens_put(p, from, to, tokens, 2);
}

/* Both go back, to different times, with few tokens, all of which were used since: what comes with
 * a stamp and opens with nothing may be anybody's, and nothing tells them. Whoever asks for new
 * keys ends that, as operations.md says to do after a home was put back. Decision 0024. */
START_TEST(two_who_went_back_with_spent_tokens_need_new_keys)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(770, false, &a, &b);
    struct person *two[] = {b, a};
    talk(p, a, b, "one", HOUR);
    keep_two_tokens(p, a, b);
    struct sim_copy of_a = sim_copy_of(a->n);
    talk(p, a, b, "two", HOUR);
    keep_two_tokens(p, b, a);
    struct sim_copy of_b = sim_copy_of(b->n);
    talk(p, a, b, "three", HOUR);
    sim_settle(&p->sim, 2 * HOUR);
    sim_roll_back(&p->sim, a->n, &of_a);
    sim_roll_back(&p->sim, b->n, &of_b);
    people_say(p, a, b, "late ", 0);
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    ck_assert(people_until(p, has_late, two, HOUR));
    people_quiet(p, HOUR);
    talk(p, a, b, "four", 10 * MINUTE);
    sim_copy_free(&of_a);
    sim_copy_free(&of_b);
    people_free(p);
}
END_TEST

/* Both begin anew while what they said before waits: each hears of the other's new session in its
 * own. */
START_TEST(two_whose_notes_cross_keep_both_sessions)
{
    for (uint64_t seed = 794; seed < 800; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, false, &a, &b);
        talk(p, a, b, "one", HOUR);
        sim_sleep(&p->sim, p->relay);
        people_say(p, a, b, "a waits ", 0);
        people_say(p, b, a, "b waits ", 0);
        ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
        ck_assert_ok(people_call(p, people_as(b), "account.rekey", NULL));
        sim_wake(&p->sim, p->relay);
        sim_settle(&p->sim, 2 * HOUR);
        uint64_t tokens = people_tokens_count(p, a, b);
        people_in_order(p, b, a, "a waits ", 1);
        people_in_order(p, a, b, "b waits ", 1);
        talk(p, a, b, "two", MINUTE);
        ck_assert_uint_le(tokens, people_tokens_count(p, a, b) + 30);
        ck_assert_uint_le(notes(p, a, b), 2);
        people_free(p);
    }
}
END_TEST

/* The session of its third contact, which is what it meets last. */
static void spoil_session(void *ctx, struct turn *turn)
{
    (void)ctx;
    struct store_row row;
    struct store_key last = store_key_new();
    uint8_t bytes[64] = {1};
    store_key_u32(&last, 1);
    store_key_u32(&last, UINT32_MAX);
    ck_assert_ok(store_seek(turn->store, STORE_SESSION, STORE_LE, store_key_slice(&last), &row));
    struct store_key key = store_key_new();
    store_key_bytes(&key, row.key.p, row.key.len);
    ck_assert_ok(store_put(turn->store, STORE_SESSION, store_key_slice(&key),
                           slice_of(bytes, sizeof bytes)));
}

/* What nobody can read is tried with the sessions of all, and one of these is damaged. */
START_TEST(a_damaged_session_is_no_trouble_for_other_contacts)
{
    struct people *p = people_new(756, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_meet(p, a, &p->person[2]);
    talk(p, a, &p->person[2], "one", MINUTE);
    talk(p, a, b, "one", MINUTE);
    struct sim_copy copy = sim_copy_of(a->n);
    talk(p, a, b, "forgotten", MINUTE);
    sim_roll_back(&p->sim, a->n, &copy);
    sim_turn(&p->sim, a->n, spoil_session, NULL);
    people_say(p, b, a, "b two ", 0);
    sim_settle(&p->sim, 2 * HOUR);
    people_in_order(p, a, b, "b two ", 1);
    ck_assert_uint_eq(a->n->crashes, 0);
    sim_copy_free(&copy);
    people_free(p);
}
END_TEST

static void lose_parts(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    for (uint32_t id = 1; id <= 2 * LIMIT_ONE_TIME_PARTS; id++) {
        enum err err = prekeys_del(&step, who->n->node->accounts->keys, PREKEY_ONE_TIME, id);
        ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
    }
}

/* Its one-time parts are at the relay still: a first envelope names one that opens nothing. */
START_TEST(who_lost_one_time_keys_is_reached_without_one)
{
    struct people *p = people_new(750, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, b, link);
    sim_turn(&p->sim, b->n, lose_parts, b);
    people_add(p, a, link);
    sim_settle(&p->sim, 10 * MINUTE);
    ck_assert_str_eq(people_state(p, a, b), "requested");
    sim_settle(&p->sim, DAY + HOUR);
    ck_assert_str_eq(people_state(p, a, b), "accepted");
    ck_assert_str_eq(people_state(p, b, a), "accepted");
    talk(p, a, b, "x", HOUR);
    people_free(p);
}
END_TEST

static uint32_t newest_prekey;

static void look_for_prekeys(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = who->n->node->accounts->keys;
    struct relay_row relay;
    struct prekey_secret secret;
    ck_assert_ok(relay_row_get(&step, keys, 0, &relay));
    for (uint32_t id = 1; id < relay.spk_id; id++) {
        ck_assert_err(prekeys_get(&step, keys, PREKEY_SIGNED, id, &secret), ERR_NOT_FOUND);
    }
    ck_assert_ok(prekeys_get(&step, keys, PREKEY_SIGNED, relay.spk_id, &secret));
    newest_prekey = relay.spk_id;
    ck_assert_uint_eq(relay.rekey, 0);
}

/* 40 contacts are more than a slice; a crash in the middle goes on. */
START_TEST(new_keys_at_the_owners_word)
{
    enum {
        CONTACTS = 40
    };
    struct people *p = people_new(760, CONTACTS + 2);
    struct person *a = &p->person[0];
    struct person *late = &p->person[CONTACTS + 1];
    char link[INVITE_TEXT];
    for (size_t i = 1; i <= CONTACTS; i++) {
        people_meet(p, a, &p->person[i]);
    }
    sim_turn(&p->sim, a->n, look_for_prekeys, a);
    uint32_t before = newest_prekey;
    people_invite(p, a, link);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    sim_restart(&p->sim, a->n);
    people_quiet(p, 10 * MINUTE);
    sim_turn(&p->sim, a->n, look_for_prekeys, a);
    ck_assert_uint_eq(newest_prekey, before + 1);
    for (size_t i = 1; i <= CONTACTS; i++) {
        ck_assert_uint_eq(people_notes(p, a, &p->person[i], "asked for here"), 1);
        ck_assert_uint_eq(people_notes(p, &p->person[i], a, "asked for by the other side"), 1);
    }
    talk(p, a, &p->person[1], "one", MINUTE);
    talk(p, a, &p->person[CONTACTS], "last", MINUTE);
    people_add(p, late, link); /* the new bundle is there */
    people_wait_state(p, late, a, "accepted");
    /* Once more at once, since it is asked for. */
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    people_quiet(p, 10 * MINUTE);
    ck_assert_uint_eq(people_notes(p, a, &p->person[7], NULL), 2);
    people_free(p);
}
END_TEST

/* The sessions that there are with the first contact. */
struct look {
    struct person *who;
    struct peer_row row;
};

static void look_at(void *ctx, struct turn *turn)
{
    struct look *l = ctx;
    struct step step = {.turn = turn};
    ck_assert_ok(peer_row_get(&step, l->who->n->node->accounts->keys, 1, &l->row));
}

static struct look look(struct people *p, struct person *who)
{
    struct look l = {.who = who};
    sim_turn(&p->sim, who->n, look_at, &l);
    return l;
}

/* Whether there is one that was there before. */
static bool shares(const struct look *before, const struct look *now)
{
    for (unsigned i = 0; i < LIMIT_SESSIONS_PER_PAIR; i++) {
        for (unsigned k = 0; k < LIMIT_SESSIONS_PER_PAIR; k++) {
            if ((before->row.sessions >> i & now->row.sessions >> k & 1) != 0 &&
                memcmp(before->row.session_id[i], now->row.session_id[k], SESSION_T) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Who has a copy of one could write in the other's name for as long as it is there to receive on.
 */
START_TEST(after_new_keys_the_sessions_of_before_are_gone_on_both_sides)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(770, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    struct look a_had = look(p, a);
    struct look b_had = look(p, b);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    people_quiet(p, HOUR);
    talk(p, a, b, "two", HOUR);
    struct look a_has = look(p, a);
    struct look b_has = look(p, b);
    ck_assert(shares(&a_had, &b_had) && shares(&a_has, &b_has));
    ck_assert(!shares(&a_had, &a_has) && !shares(&b_had, &b_has));
    people_free(p);
}
END_TEST

START_TEST(new_keys_also_for_who_is_blocked)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(771, false, &a, &b);
    talk(p, a, b, "one", HOUR);
    struct look before = look(p, a);
    ck_assert_ok(people_call(p, people_as(a), "contact.block", "contact", b->id, NULL));
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    sim_settle(&p->sim, HOUR);
    ck_assert_ok(people_call(p, people_as(a), "contact.add", "link", b->id, NULL));
    people_say(p, a, b, "again ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "again ", 1);
    struct look now = look(p, a);
    ck_assert(memcmp(before.row.session_id[peer_row_slot(&before.row)],
                     now.row.session_id[peer_row_slot(&now.row)], SESSION_T) != 0);
    people_free(p);
}
END_TEST

/* The relay that the bundle is at is away, and another one becomes the main one. */
START_TEST(new_keys_are_not_forgotten_with_another_relay)
{
    struct people *p = people_new(772, 2);
    struct person *a = &p->person[0];
    people_meet(p, a, &p->person[1]);
    struct sim_node *other = sim_add(&p->sim, true);
    sim_sleep(&p->sim, p->relay);
    sim_settle(&p->sim, MINUTE);
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    sim_settle(&p->sim, MINUTE);
    people_use_relay(p, other, a);
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, p->relay);
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert(people_ready(p, a));
    sim_turn(&p->sim, a->n, look_for_prekeys, a);
    people_free(p);
}
END_TEST

static bool has_it(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return people_messages(p, two[1], two[0], NULL, "after 5") == 1;
}

/* b goes back by `before` messages of its own and writes others under their numbers, with keys that
 * were used, while what a says about the first ones is still on its way. */
START_TEST(what_is_written_after_going_back_is_not_taken_for_what_was_before)
{
    for (unsigned before = 1; before <= 9; before += 2) {
        for (unsigned asleep = 0; asleep < 2; asleep++) {
            struct person *a;
            struct person *b;
            struct people *p = people_two(760 + before, false, &a, &b);
            struct person *two[] = {b, a};
            talk(p, a, b, "one", HOUR);
            struct sim_copy copy = sim_copy_of(b->n);
            for (unsigned i = 0; i < before; i++) {
                people_say(p, b, a, "before ", i);
            }
            if (asleep != 0) {
                sim_settle(&p->sim, MINUTE); /* a has them, and has said so to nobody who listens */
            } else {
                people_quiet(p, HOUR);
            }
            sim_roll_back(&p->sim, b->n, &copy);
            for (unsigned i = 0; i < 6; i++) {
                people_say(p, b, a, "after ", i);
            }
            people_say(p, a, b, "a word ", 0);
            ck_assert_msg(people_until(p, has_it, two, 72 * HOUR), "%u before", before);
            people_quiet(p, 72 * HOUR);
            for (unsigned i = 0; i < 6; i++) {
                char text[16];
                snprintf(text, sizeof text, "after %u", i);
                ck_assert_msg(people_messages(p, a, b, NULL, text) == 1, "%u before, %s: %u",
                              before, text, people_messages(p, a, b, NULL, text));
            }
            sim_copy_free(&copy);
            people_free(p);
        }
    }
}
END_TEST

/* b forgot that it met a, whose tokens name a contact that is not there, or is somebody else. */
START_TEST(who_went_back_to_before_they_met_meets_again)
{
    for (unsigned taken = 0; taken < 2; taken++) {
        struct people *p = people_new(720 + taken, 3);
        struct person *a = &p->person[0];
        struct person *b = &p->person[1];
        char link[INVITE_TEXT];
        struct sim_copy copy = sim_copy_of(b->n);
        people_add(p, b, a->id);
        people_add(p, a, b->id);
        people_wait_state(p, b, a, "accepted");
        people_wait_state(p, a, b, "accepted");
        talk(p, a, b, "one", HOUR);
        sim_roll_back(&p->sim, b->n, &copy);
        ck_assert_str_eq(people_state(p, b, a), "");
        if (taken != 0) {
            people_meet(p, &p->person[2], b);
            talk(p, &p->person[2], b, "else", HOUR);
        }
        people_invite(p, a, link);
        people_add(p, b, link);
        people_wait_state(p, b, a, "accepted");
        talk(p, a, b, "two", HOUR);
        sim_copy_free(&copy);
        people_free(p);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, who_went_back_hears_the_other_one_again);
    tcase_add_test(tc, who_went_back_is_heard_again);
    tcase_add_test(tc, who_went_back_to_before_they_met_meets_again);
    tcase_add_test(tc, two_who_begin_anew_at_once_agree);
    tcase_add_test(tc, a_damaged_session_is_no_trouble_for_other_contacts);
    tcase_add_test(tc, two_who_went_back_together_go_on);
    tcase_add_test(tc, who_goes_back_again_and_again_heals_each_time);
    tcase_add_test(tc, a_relay_that_spoils_all_has_keys_renewed_once_an_hour);
    tcase_add_test(tc, two_who_cannot_read_each_other_keep_their_tokens);
    tcase_add_test(tc, who_used_a_key_again_is_heard_in_silence);
    tcase_add_test(tc, who_went_on_in_a_chain_of_before_is_heard_in_silence);
    tcase_add_test(tc, who_lacks_the_prekey_of_a_new_session_gets_another_one);
    tcase_add_test(tc, a_relay_that_replays_has_no_keys_renewed);
    tcase_add_test(tc, two_who_went_back_with_spent_tokens_need_new_keys);
    tcase_add_test(tc, two_whose_notes_cross_keep_both_sessions);
    tcase_add_test(tc, who_lost_one_time_keys_is_reached_without_one);
    tcase_add_test(tc, what_is_written_after_going_back_is_not_taken_for_what_was_before);
    tcase_add_test(tc, new_keys_at_the_owners_word);
    tcase_add_test(tc, after_new_keys_the_sessions_of_before_are_gone_on_both_sides);
    tcase_add_test(tc, new_keys_also_for_who_is_blocked);
    tcase_add_test(tc, new_keys_are_not_forgotten_with_another_relay);
}

int main(void)
{
    return unit_main("sim/healing", add_tests);
}
