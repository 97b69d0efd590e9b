/* SPDX-License-Identifier: Apache-2.0
 *
 * hostile: what a node's own relay, a stranger or a foreign relay must not be able to do to it.
 */
#include "lib/stranger.h"

#include <string.h>

#include "link/frame.h"
#include "node/content.h"
#include "node/invite.h"
#include "node/params.h"
#include "relay/queue.h"

static struct hostile h;

static void setup(void)
{
    hostile_init(&h);
}

static void teardown(void)
{
    hostile_fini(&h);
}

START_TEST(a_request_arrives)
{
    struct stranger s;
    struct peer_row row;
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_int_eq(row.who.state, CONTACT_INCOMING);
    ck_assert_uint_eq(h.acked, 1);
    stranger_fini(&s);
}
END_TEST

START_TEST(what_comes_before_acceptance_is_not_received)
{
    struct stranger s;
    struct stranger hasty;
    struct peer_row row;
    stranger_init(&h, &hasty);
    stranger_begin(&h, &hasty, NULL);
    hostile_push(&h, stranger_seal(&h, &hasty, CONTENT_TEXT, "no request before"));
    ck_assert_err(hostile_contact(&h, &hasty.id, &row), ERR_NOT_FOUND);
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    struct slice early = stranger_seal(&h, &s, CONTENT_TEXT, "too early");
    hostile_push(&h, early);
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(h.acked, 3); /* the relay is rid of it */
    stranger_accepted(&h, &s);
    ck_assert_uint_eq(hostile_events(&h, "message.received"), 0);
    hostile_push(&h, early); /* a day later; a session that had received it would say replay */
    ck_assert_uint_eq(hostile_events(&h, "message.received"), 1);
    stranger_fini(&s);
    stranger_fini(&hasty);
}
END_TEST

START_TEST(strangers_who_are_turned_away_use_up_no_numbers)
{
    struct account_row before;
    struct account_row after;
    struct stranger s;
    struct peer_row row;
    hostile_requests(&h, LIMIT_REQUESTS);
    hostile_account(&h, &before);
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND);
    hostile_account(&h, &after);
    ck_assert_uint_eq(after.last_contact, before.last_contact);
    stranger_fini(&s);
}
END_TEST

START_TEST(a_stranger_is_not_answered_before_the_user_accepts)
{
    struct stranger s;
    stranger_init(&h, &s);
    stranger_list(&h, &s, 1, h.unit.env.now_ms, "10.0.0.1");
    stranger_request(&h, &s);
    for (unsigned i = 0; i < 10; i++) {
        hostile_tick(&h, 5000);
        ck_assert_ok(h.turn);
    }
    ck_assert_uint_eq(h.dialled, 0);
    stranger_fini(&s);
}
END_TEST

/* Says one thing to itself and another to us: whoever was accepted would get a new session. */
static void fork_of(struct stranger *s)
{
    struct slice saved;
    ck_assert_ok(session_save(s->session, &h.scratch, &saved));
    struct slice said = stranger_seal(&h, s, CONTENT_REQUEST, "hello again");
    ck_assert_ok(session_load(s->session, saved));
    (void)stranger_seal(&h, s, CONTENT_REQUEST, "something else");
    hostile_push(&h, said);
    ck_assert_ok(h.turn);
    hostile_push(&h, stranger_seal(&h, s, CONTENT_REQUEST, "and more"));
    ck_assert_ok(h.turn);
}

START_TEST(a_stranger_who_goes_back_is_not_answered_either)
{
    struct stranger s;
    struct peer_row row;
    stranger_init(&h, &s);
    stranger_list(&h, &s, 1, h.unit.env.now_ms, "10.0.0.1");
    stranger_request(&h, &s);
    fork_of(&s);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_int_eq(row.who.state, CONTACT_INCOMING);
    ck_assert_uint_eq(row.unread_ms, 0);
    for (unsigned i = 0; i < 10; i++) {
        hostile_tick(&h, LIMIT_HEALING_MS / 4);
        ck_assert_ok(h.turn);
    }
    hostile_restart(&h);
    hostile_tick(&h, 5000);
    ck_assert_uint_eq(h.dialled, 0);
    ck_assert_uint_eq(hostile_rows(&h, STORE_OWED), 0);
    stranger_fini(&s);
}
END_TEST

START_TEST(a_relay_that_was_dialled_gets_no_answers_from_ours)
{
    struct stranger s;
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    stranger_accepted(&h, &s);
    ck_assert_uint_eq(h.dialled, 1); /* the answer goes to the stranger's relay */
    hostile_open(&h, h.others[0]);
    unsigned sent = h.sent;
    unsigned closed = h.closed;
    record_get_write(&w, &(struct record_get){.record = h.record});
    hostile_frame(&h, h.others[0], FRAME_RECORD_GET, 7, writer_done(&w));
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(h.sent, sent);
    ck_assert_uint_eq(h.closed, closed + 1);
    stranger_fini(&s);
}
END_TEST

START_TEST(a_relay_cannot_run_part_numbers_over)
{
    hostile_restart(&h);
    h.lies = true;
    h.lie_seq = 1;
    h.lie_part = UINT32_MAX;
    h.parts = 0;
    hostile_restart(&h);
    for (unsigned i = 0; i < 5; i++) {
        hostile_tick(&h, LIMIT_HOUR_MS);
        ck_assert_ok(h.turn);
    }
    h.lies = false;
    hostile_tick(&h, LIMIT_HOUR_MS);
    ck_assert_ok(h.turn);
    ck_assert_uint_gt(h.parts, 0);
}
END_TEST

START_TEST(prekeys_rotate_and_old_ones_open_for_37_days)
{
    struct stranger early;
    struct stranger late;
    struct stranger now;
    struct peer_row row;
    stranger_init(&h, &early);
    stranger_begin(&h, &early, NULL);
    struct slice too_old = stranger_seal(&h, &early, CONTENT_REQUEST, "");
    for (unsigned day = 0; day < 60; day++) {
        hostile_tick(&h, LIMIT_DAY_MS);
        ck_assert_ok(h.turn);
    }
    stranger_init(&h, &late);
    stranger_begin(&h, &late, NULL); /* with a bundle that is not expired */
    struct slice slow = stranger_seal(&h, &late, CONTENT_REQUEST, "");
    for (unsigned day = 0; day < 37; day++) {
        hostile_tick(&h, LIMIT_DAY_MS);
        ck_assert_ok(h.turn);
    }
    stranger_init(&h, &now);
    stranger_request(&h, &now);
    hostile_push(&h, slow);
    hostile_push(&h, too_old);
    ck_assert_ok(hostile_contact(&h, &now.id, &row));
    ck_assert_ok(hostile_contact(&h, &late.id, &row));
    ck_assert_err(hostile_contact(&h, &early.id, &row), ERR_NOT_FOUND);
    stranger_fini(&early);
    stranger_fini(&late);
    stranger_fini(&now);
}
END_TEST

static void days(unsigned n)
{
    for (unsigned day = 0; day < n; day++) {
        hostile_tick(&h, LIMIT_DAY_MS);
        ck_assert_ok(h.turn);
    }
}

START_TEST(unused_one_time_secrets_and_old_first_envelopes_go)
{
    enum {
        A_WEEK = LIMIT_ONE_TIME_PARTS + LIMIT_ONE_TIME_REFILL,
        KEPT_WEEKS = (LIMIT_PREKEY_KEEP_DAYS + LIMIT_PREKEY_DAYS) / 7 + 2,
    };
    struct stranger s;
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    ck_assert_uint_eq(hostile_rows(&h, STORE_REPLAY), 1);
    size_t parts = h.last_part;
    days(37);
    ck_assert_uint_eq(hostile_rows(&h, STORE_REPLAY), 1);
    ck_assert_uint_gt(h.last_part, parts + 4 * LIMIT_ONE_TIME_REFILL); /* new ones each week */
    ck_assert_uint_ge(hostile_rows(&h, STORE_PREKEY), h.last_part);    /* all are kept */
    days(30);
    ck_assert_uint_eq(hostile_rows(&h, STORE_REPLAY), 0);
    days(100);
    ck_assert_uint_gt(h.last_part, A_WEEK * KEPT_WEEKS);
    ck_assert_uint_le(hostile_rows(&h, STORE_PREKEY), A_WEEK * KEPT_WEEKS);
    ck_assert_uint_gt(h.parts, 0);
    stranger_fini(&s);
}
END_TEST

START_TEST(an_older_device_list_changes_nothing)
{
    struct stranger s;
    struct stranger thief;
    struct peer_row row;
    stranger_init(&h, &s);
    thief = s; /* an earlier device of the same person, with its list */
    thief.session = NULL;
    stranger_list(&h, &thief, 1, HOSTILE_NOW - LIMIT_DAY_MS, "thief.test");
    stranger_device(&h, &s);
    stranger_list(&h, &s, 2, HOSTILE_NOW, "stranger.test");
    stranger_request(&h, &s);
    stranger_request(&h, &thief);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_str_eq(row.queue_relay.host, "stranger.test");
    ck_assert_uint_eq(row.sessions, 1);
    stranger_fini(&s);
    stranger_fini(&thief);
}
END_TEST

/* The person began anew from an old backup, and with it with smaller numbers. */
START_TEST(a_list_of_before_is_older_whatever_its_version)
{
    struct stranger s;
    struct stranger thief;
    struct peer_row row;
    stranger_init(&h, &s);
    thief = s;
    thief.session = NULL;
    stranger_list(&h, &thief, 9, HOSTILE_NOW - LIMIT_DAY_MS, "thief.test");
    stranger_device(&h, &s);
    stranger_list(&h, &s, 2, HOSTILE_NOW, "stranger.test");
    stranger_request(&h, &s);
    stranger_request(&h, &thief);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_str_eq(row.queue_relay.host, "stranger.test");
    ck_assert_uint_eq(row.sessions, 1);
    stranger_fini(&s);
    stranger_fini(&thief);
}
END_TEST

START_TEST(a_bundle_older_than_the_descriptor_is_refused)
{
    static const struct {
        uint32_t version;
        uint64_t later_ms; /* makes it another list */
        bool good;
    } cases[] = {{1, 0, false}, {2, 1, false}, {2, 0, true}, {3, 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stranger s;
        struct prekey_secret prekey;
        struct peer_row row;
        if (i > 0) {
            hostile_fini(&h);
            hostile_init(&h);
        }
        stranger_init(&h, &s);
        stranger_relist(&h, &s, 2);
        prekey_generate(&prekey, PREKEY_SIGNED, 1, &h.unit.env);
        stranger_look_up(&h, &s);
        hostile_mine(&h, FRAME_RECORD_POP);
        h.unit.env.now_ms += cases[i].later_ms;
        stranger_relist(&h, &s, cases[i].version);
        h.unit.env.now_ms -= cases[i].later_ms;
        stranger_popped(&h, &s, &prekey);
        ck_assert_ok(h.turn);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        ck_assert_msg((row.sessions != 0) == cases[i].good, "case %zu", i);
        stranger_fini(&s);
    }
}
END_TEST

static void price_of_pop(unsigned bits)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct record_pop_reply reply = {.head = {.err = ERR_STAMP_TOO_CHEAP},
                                     .stamp_bits = (uint8_t)bits};
    record_pop_reply_write(&w, &reply);
    hostile_answer(&h, writer_done(&w));
    ck_assert_ok(h.turn);
}

static void price_of_deposit(unsigned bits)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct queue_deposit_reply reply = {.head = {.err = ERR_STAMP_TOO_CHEAP},
                                        .stamp_bits = (uint8_t)bits};
    queue_deposit_reply_write(&w, &reply);
    hostile_answer(&h, writer_done(&w));
    ck_assert_ok(h.turn);
}

static void nothing_is_asked(void)
{
    unsigned dialled = h.dialled;
    for (unsigned i = 0; i < 50; i++) {
        hostile_tick(&h, LIMIT_MINUTE_MS);
    }
    ck_assert_uint_eq(h.asked_link, 0);
    ck_assert_uint_eq(h.dialled, dialled);
}

START_TEST(a_price_above_the_cap_is_not_paid)
{
    struct stranger s;
    stranger_init(&h, &s);
    stranger_look_up(&h, &s);
    hostile_mine(&h, FRAME_RECORD_POP);
    price_of_pop(LIMIT_STAMP_POP_BITS + 1);
    ck_assert_uint_eq(hostile_events(&h, "contact.failed"), 0);
    ck_assert_uint_eq(h.dialled, 3); /* each request has a link of its own */
    hostile_open(&h, h.others[2]);
    hostile_mine(&h, FRAME_RECORD_POP);
    price_of_pop(LIMIT_STAMP_BITS_MAX + 1);
    ck_assert_uint_eq(hostile_events(&h, "contact.failed"), 1);
    nothing_is_asked();
    stranger_add_again(&h, &s); /* the user may know why it is to be tried again */
    hostile_open(&h, h.others[h.dialled - 1]);
    hostile_mine(&h, FRAME_RECORD_POP);
    price_of_pop(LIMIT_STAMP_BITS_MAX + 1);
    ck_assert_uint_eq(hostile_events(&h, "contact.failed"), 2);
    stranger_fini(&s);
    hostile_fini(&h);
    hostile_init(&h);
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    stranger_accepted(&h, &s);
    hostile_open(&h, h.others[0]);
    hostile_mine(&h, FRAME_QUEUE_DEPOSIT);
    price_of_deposit(LIMIT_STAMP_BITS_MAX + 1);
    ck_assert_uint_eq(hostile_events(&h, "contact.failed"), 1);
    nothing_is_asked();
    stranger_fini(&s);
}
END_TEST

START_TEST(a_relay_puts_nobody_off_for_more_than_an_hour)
{
    struct stranger s;
    uint8_t pairs[128];
    uint8_t bytes[64];
    char id[ID_TEXT];
    struct writer p = writer_of(pairs, sizeof pairs);
    struct writer w = writer_of(bytes, sizeof bytes);
    struct relay_reply busy = {.err = ERR_BACKPRESSURE, .retry_after_ms = UINT32_MAX};
    /* Our own relay: the parts are refilled an hour later. */
    h.put_off = true;
    h.parts = 0;
    hostile_tick(&h, LIMIT_HOUR_MS);
    ck_assert_uint_eq(h.parts, 0);
    h.put_off = false;
    hostile_tick(&h, LIMIT_RETRY_MAX_MS);
    ck_assert_uint_gt(h.parts, 0);
    /* A contact's request. */
    stranger_init(&h, &s);
    id_encode(s.id.b, id);
    result_text(&p, "link", id);
    ck_assert_ok(hostile_call(&h, "contact.add", 1, writer_done(&p)));
    hostile_open(&h, h.others[0]);
    relay_reply_write(&w, &busy);
    hostile_answer(&h, writer_done(&w));
    ck_assert_uint_eq(h.asked_link, 0);
    hostile_tick(&h, LIMIT_RETRY_MAX_MS);
    hostile_tick(&h, 0); /* the link that was idle is gone, a new one is dialled */
    hostile_open(&h, h.others[h.dialled - 1]);
    ck_assert_uint_eq(h.asked_kind, FRAME_DESCRIPTOR_GET);
    ck_assert_uint_ne(h.asked_link, 0);
    stranger_fini(&s);
}
END_TEST

/* The secret of a new invitation. */
static void invite(uint8_t secret[static INVITE_SECRET])
{
    struct slice link;
    struct invite in;
    ck_assert_ok(hostile_call(&h, "invite.create", 0, slice_of(NULL, 0)));
    ck_assert(params_str(slice_of(h.result, h.result_len), "link", &link));
    ck_assert_ok(invite_decode(link, &in));
    memcpy(secret, in.secret, INVITE_SECRET);
}

static void use_invite(struct stranger *s, const uint8_t *secret)
{
    stranger_begin(&h, s, secret);
    hostile_push(&h, stranger_seal(&h, s, CONTENT_REQUEST, "hello"));
    ck_assert_ok(h.turn);
}

START_TEST(an_invitation_alarms_when_two_people_use_it)
{
    uint8_t secret[INVITE_SECRET];
    struct stranger s;
    struct stranger thief;
    struct peer_row row;
    invite(secret);
    stranger_init(&h, &s);
    stranger_init(&h, &thief);
    use_invite(&s, secret);
    use_invite(&s, secret); /* the answer was lost: a new session, as section 4 asks */
    ck_assert_uint_eq(hostile_events(&h, "invite.misused"), 0);
    use_invite(&thief, secret);
    ck_assert_uint_eq(hostile_events(&h, "invite.misused"), 1);
    ck_assert_ok(hostile_contact(&h, &thief.id, &row));
    ck_assert_int_eq(row.who.state, CONTACT_INCOMING);
    stranger_fini(&s);
    stranger_fini(&thief);
}
END_TEST

/* The secret of a new link code. */
static void link_code(uint8_t secret[static INVITE_SECRET])
{
    char text[INVITE_TEXT] = INVITE_PREFIX;
    struct slice code;
    struct invite in;
    size_t prefix = strlen(DEVICE_PREFIX);
    ck_assert_ok(hostile_call(&h, "device.invite", 0, slice_of(NULL, 0)));
    ck_assert(params_str(slice_of(h.result, h.result_len), "link", &code));
    memcpy(text + strlen(text), code.p + prefix, code.len - prefix);
    ck_assert_ok(invite_decode(unit_str(text), &in));
    memcpy(secret, in.secret, INVITE_SECRET);
}

/* How many devices our list names: it is always one that others can open. */
static unsigned own_devices(void)
{
    struct account_row account;
    struct device_list list;
    hostile_account(&h, &account);
    ck_assert_ok(device_list_open(account.device_list, &h.id, &list));
    return list.count;
}

START_TEST(a_link_code_adds_no_device_with_a_key_of_ours)
{
    uint8_t secret[INVITE_SECRET];
    struct account_row account;
    struct device_certificate own;
    struct stranger s;
    struct stranger thief;
    struct peer_row row;
    hostile_account(&h, &account);
    ck_assert_ok(device_certificate_open(account.certificate, &h.id, &own));
    stranger_init(&h, &thief);
    thief.device.mls = own.mls;
    struct writer w = writer_of(thief.certificate, sizeof thief.certificate);
    ck_assert_ok(device_certificate_make(&w, &thief.device, &thief.identity));
    stranger_list(&h, &thief, 1, h.unit.env.now_ms, "thief.test");
    stranger_init(&h, &s);
    link_code(secret);
    use_invite(&thief, secret);
    ck_assert_uint_eq(hostile_events(&h, "device.added"), 0);
    ck_assert_uint_eq(own_devices(), 1);
    ck_assert_err(hostile_contact(&h, &thief.id, &row), ERR_NOT_FOUND);
    use_invite(&s, secret);
    ck_assert_uint_eq(hostile_events(&h, "device.added"), 1);
    ck_assert_uint_eq(own_devices(), 2);
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND); /* nobody's but ours */
    stranger_device(&h, &thief);
    stranger_list(&h, &thief, 2, h.unit.env.now_ms, "thief.test");
    use_invite(&thief, secret);
    ck_assert_uint_eq(hostile_events(&h, "device.misused"), 1);
    ck_assert_uint_eq(own_devices(), 2);
    stranger_fini(&s);
    stranger_fini(&thief);
}
END_TEST

START_TEST(who_was_not_asked_by_an_invitation_of_theirs_raises_no_alarm_about_one)
{
    struct stranger s;
    stranger_init(&h, &s);
    stranger_request(&h, &s);
    hostile_push(&h, stranger_seal(&h, &s, CONTENT_INVITE_USED, ""));
    ck_assert_ok(h.turn);
    stranger_accepted(&h, &s);
    hostile_push(&h, stranger_seal(&h, &s, CONTENT_INVITE_USED, ""));
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(hostile_events(&h, "contact.failed"), 0);
    stranger_fini(&s);
}
END_TEST

START_TEST(a_used_or_late_invitation_is_no_way_around_the_limit_of_requests)
{
    uint8_t used[INVITE_SECRET];
    uint8_t late[INVITE_SECRET];
    struct stranger s;
    struct peer_row row;
    invite(used);
    invite(late);
    stranger_init(&h, &s);
    use_invite(&s, used);
    stranger_fini(&s);
    h.unit.env.now_ms += (LIMIT_INVITE_DAYS + LIMIT_INVITE_LATE) * LIMIT_DAY_MS;
    hostile_requests(&h, LIMIT_REQUESTS);
    stranger_init(&h, &s);
    use_invite(&s, used);
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND);
    use_invite(&s, late);
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND);
    stranger_fini(&s);
}
END_TEST

START_TEST(a_push_that_fails_every_turn_does_not_block_the_queue)
{
    struct stranger s;
    struct stranger next;
    struct peer_row row;
    uint8_t bytes[8192];
    struct writer w = writer_of(bytes, sizeof bytes);
    stranger_init(&h, &s);
    stranger_begin(&h, &s, NULL);
    struct slice poison = stranger_seal(&h, &s, CONTENT_REQUEST, "poison");
    struct queue_push push = {.queue = h.queue, .number = 1, .envelope = poison};
    uint8_t body[6000];
    struct writer b = writer_of(body, sizeof body);
    queue_push_write(&b, &push);
    struct frame frame = {.kind = FRAME_QUEUE_PUSH, .body = writer_done(&b)};
    frame_write(&w, &frame);
    ck_assert_ok(w.err);
    for (unsigned i = 0; i < SKIP_AFTER; i++) {
        arena_fini(&h.arena);
        arena_init(&h.arena, 64);
        hostile_push(&h, poison);
        ck_assert_err(h.turn, ERR_NO_MEMORY);
        arena_fini(&h.arena);
        arena_init(&h.arena, LIMIT_TURN_ARENA);
        ck_assert(node_skip_failed(&h.skip, writer_done(&w)) == (i + 1 == SKIP_AFTER));
        hostile_restart(&h);
    }
    hostile_push(&h, poison);
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(h.acked, 1);
    ck_assert_uint_eq(hostile_events(&h, "message.skipped"), 1);
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND);
    stranger_init(&h, &next);
    stranger_request(&h, &next);
    ck_assert_ok(hostile_contact(&h, &next.id, &row));
    stranger_fini(&s);
    stranger_fini(&next);
}
END_TEST

/* A session whose first envelope skips as many messages as one may. */
static void large_session(struct stranger *s)
{
    struct session_out nothing = {.content = slice_of(NULL, 0)};
    struct slice envelope;
    uint64_t seq;
    stranger_begin(&h, s, NULL);
    for (unsigned i = 0; i < LIMIT_SKIP_JUMP; i++) {
        ck_assert_ok(session_seal(s->session, &h.unit.env, &h.scratch, &nothing, &envelope, &seq));
    }
    hostile_push(&h, stranger_seal(&h, s, CONTENT_REQUEST, "hello"));
    ck_assert_ok(h.turn);
    arena_reset(&h.scratch);
}

/* With real limits: 64 MiB of a turn against 256 strangers with 4 sessions of 88 KB each. */
START_TEST(an_envelope_for_nobody_fits_in_a_turn)
{
    enum {
        STRANGERS = 2,
        MEMORY = 512 * 1024,
    };
    struct stranger s;
    for (unsigned i = 0; i < STRANGERS; i++) {
        stranger_init(&h, &s);
        for (unsigned k = 0; k < LIMIT_SESSIONS_PER_PAIR; k++) {
            large_session(&s);
        }
        if (i % 2 == 0) {
            stranger_accepted(&h, &s);
        }
        stranger_fini(&s);
    }
    uint8_t nobody[1024] = {1};
    h.arena.limit = MEMORY;
    hostile_push(&h, slice_of(nobody, sizeof nobody));
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(h.acked, h.pushed);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_request_arrives);
    tcase_add_test(tc, what_comes_before_acceptance_is_not_received);
    tcase_add_test(tc, strangers_who_are_turned_away_use_up_no_numbers);
    tcase_add_test(tc, a_stranger_is_not_answered_before_the_user_accepts);
    tcase_add_test(tc, a_stranger_who_goes_back_is_not_answered_either);
    tcase_add_test(tc, a_relay_that_was_dialled_gets_no_answers_from_ours);
    tcase_add_test(tc, a_relay_cannot_run_part_numbers_over);
    tcase_add_test(tc, prekeys_rotate_and_old_ones_open_for_37_days);
    tcase_add_test(tc, unused_one_time_secrets_and_old_first_envelopes_go);
    tcase_add_test(tc, an_older_device_list_changes_nothing);
    tcase_add_test(tc, a_list_of_before_is_older_whatever_its_version);
    tcase_add_test(tc, a_bundle_older_than_the_descriptor_is_refused);
    tcase_add_test(tc, a_price_above_the_cap_is_not_paid);
    tcase_add_test(tc, a_relay_puts_nobody_off_for_more_than_an_hour);
    tcase_add_test(tc, an_invitation_alarms_when_two_people_use_it);
    tcase_add_test(tc, a_link_code_adds_no_device_with_a_key_of_ours);
    tcase_add_test(tc, who_was_not_asked_by_an_invitation_of_theirs_raises_no_alarm_about_one);
    tcase_add_test(tc, a_used_or_late_invitation_is_no_way_around_the_limit_of_requests);
    tcase_add_test(tc, a_push_that_fails_every_turn_does_not_block_the_queue);
    tcase_add_test(tc, an_envelope_for_nobody_fits_in_a_turn);
}

int main(void)
{
    return unit_main("hostile", add_tests);
}
