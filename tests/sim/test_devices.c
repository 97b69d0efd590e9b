/* SPDX-License-Identifier: Apache-2.0
 *
 * devices: several devices of one person: they join, show the same, and one that is removed reads
 * nothing more. docs/protocol/07-node.md, sections 7.1.1 and 7.3.2.
 */
#include <stdio.h>
#include <string.h>

#include "link/frame.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
    TALK = 8,
};

/* --- what the tests do over and over --- */

static bool nothing_left(struct people *p, void *ctx)
{
    return people_outbox(p, ctx) == 0;
}

static bool is_linked(struct people *p, void *ctx)
{
    return people_events(p, ctx, "device.linked") > 0;
}

/* Two who have met, each on a relay of its own, and more nodes with a fresh account each. */
struct scene {
    struct people *p;
    struct person *a;
    struct person *b;
    struct person *more[3];
};

static struct scene scene(uint64_t seed, size_t more)
{
    struct scene s = {.p = people_new_apart(seed, 2 + more)};
    s.a = &s.p->person[0];
    s.b = &s.p->person[1];
    for (size_t i = 0; i < more; i++) {
        s.more[i] = &s.p->person[2 + i];
    }
    people_meet(s.p, s.a, s.b);
    return s;
}

/* Both write n texts, "<prefix><i>" each. */
static void talk(struct people *p, struct person *from, struct person *to, const char *prefix)
{
    for (unsigned i = 0; i < TALK; i++) {
        people_say(p, from, to, prefix, i);
        sim_settle(&p->sim, sim_random(&p->sim, MINUTE));
    }
}

/* --- cases --- */

START_TEST(a_linked_device_shows_what_the_first_one_shows)
{
    struct scene s = scene(1, 1);
    struct person *a2 = s.more[0];
    people_say(s.p, s.b, s.a, "before ", 0);
    people_quiet(s.p, HOUR);
    people_link(s.p, s.a, a2);
    ck_assert_str_eq(people_state(s.p, a2, s.b), "accepted");
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 2);
    ck_assert_uint_eq(people_number(s.p, a2, s.b, "devices"), 1);
    talk(s.p, s.b, s.a, "b ");
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.a, s.b, "b ", TALK);
    people_in_order(s.p, a2, s.b, "b ", TALK);
    talk(s.p, s.a, s.b, "a1 ");
    talk(s.p, a2, s.b, "a2 ");
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.b, s.a, "a1 ", TALK);
    people_in_order(s.p, s.b, s.a, "a2 ", TALK);
    people_in_order(s.p, a2, s.b, "a1 ", TALK);
    people_in_order(s.p, s.a, s.b, "a2 ", TALK);
    ck_assert_uint_eq(people_messages(s.p, a2, s.b, "mirrored", NULL), TALK);
    ck_assert_uint_eq(people_messages(s.p, s.a, s.b, "mirrored", NULL), TALK);
    ck_assert_uint_eq(people_messages(s.p, s.a, s.b, "delivered", NULL), TALK);
    /* What was before it joined is not there: the history is not handed on. */
    ck_assert_uint_eq(people_messages(s.p, a2, s.b, NULL, "before 0"), 0);
    people_free(s.p);
}
END_TEST

START_TEST(both_sides_with_two_devices)
{
    struct scene s = scene(2, 2);
    struct person *all[4] = {s.a, s.more[0], s.b, s.more[1]};
    static const char *const prefix[4] = {"a1 ", "a2 ", "b1 ", "b2 "};
    people_link(s.p, s.a, all[1]);
    people_link(s.p, s.b, all[3]);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(people_number(s.p, all[i], all[(i + 2) % 4], "devices"), 2);
    }
    for (unsigned i = 0; i < TALK; i++) {
        for (unsigned k = 0; k < 4; k++) {
            people_say(s.p, all[k], all[(k + 2) % 4], prefix[k], i);
            sim_settle(&s.p->sim, sim_random(&s.p->sim, MINUTE));
        }
        sim_cut(&s.p->sim, all[sim_random(&s.p->sim, 4)]->n);
    }
    people_quiet(s.p, 8 * HOUR);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 4; k++) {
            if (i != k) { /* one's own texts are there anyway */
                struct person *with = all[i / 2 == 0 ? 2 : 0];
                people_in_order(s.p, all[i], with, prefix[k], TALK);
            }
        }
    }
    people_free(s.p);
}
END_TEST

START_TEST(what_is_read_on_one_is_read_on_the_other)
{
    struct scene s = scene(3, 1);
    struct person *a2 = s.more[0];
    people_link(s.p, s.a, a2);
    talk(s.p, s.b, s.a, "b ");
    people_quiet(s.p, 4 * HOUR);
    ck_assert_uint_eq(people_number(s.p, s.a, s.b, "unread"), TALK);
    ck_assert_uint_eq(people_number(s.p, a2, s.b, "unread"), TALK);
    ck_assert_ok(people_call(s.p, people_as(a2), "message.read", "contact", s.b->id, NULL));
    people_quiet(s.p, 4 * HOUR);
    ck_assert_uint_eq(people_number(s.p, s.a, s.b, "unread"), 0);
    ck_assert_uint_eq(people_events(s.p, s.a, "message.read"), 1);
    /* The other person hears nothing of it. */
    ck_assert_uint_eq(people_events(s.p, s.b, "message.read"), 0);
    people_free(s.p);
}
END_TEST

START_TEST(contacts_follow)
{
    struct scene s = scene(4, 2);
    struct person *a2 = s.more[0];
    struct person *c = s.more[1];
    char safety[128];
    char link[INVITE_TEXT];
    people_link(s.p, s.a, a2);
    people_invite(s.p, c, link);
    people_add(s.p, a2, link); /* met on the second one */
    people_wait_state(s.p, a2, c, "accepted");
    people_quiet(s.p, 4 * HOUR);
    ck_assert_str_eq(people_state(s.p, s.a, c), "accepted");
    ck_assert_uint_eq(people_number(s.p, c, s.a, "devices"), 2);
    people_say(s.p, c, s.a, "c ", 0);
    people_say(s.p, s.a, c, "to c ", 0);
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.a, c, "c ", 1);
    people_in_order(s.p, a2, c, "c ", 1);
    people_in_order(s.p, c, s.a, "to c ", 1);
    ck_assert_ok(people_call(s.p, people_as(a2), "contact.verify", "contact", s.b->id, NULL));
    ck_assert(sim_result_str(a2->n, "number", safety, sizeof safety));
    ck_assert_ok(people_call(s.p, people_as(a2), "contact.verify", "contact", s.b->id, "number",
                             safety, NULL));
    ck_assert_ok(people_call(s.p, people_as(a2), "contact.block", "contact", c->id, NULL));
    people_quiet(s.p, 4 * HOUR);
    ck_assert_str_eq(people_state(s.p, s.a, c), "blocked");
    people_free(s.p);
}
END_TEST

START_TEST(a_request_is_answered_on_any_device)
{
    struct scene s = scene(5, 2);
    struct person *a2 = s.more[0];
    struct person *c = s.more[1];
    people_link(s.p, s.a, a2);
    people_use_relay(s.p, s.a->relay, c); /* which has the descriptor */
    sim_sleep(&s.p->sim, a2->n);
    people_add(s.p, c, s.a->id);
    people_wait_state(s.p, s.a, c, "incoming");
    ck_assert_ok(people_call(s.p, people_as(s.a), "request.accept", "contact", c->id, NULL));
    people_wait_state(s.p, c, s.a, "accepted");
    people_say(s.p, c, s.a, "c ", 0);
    sim_wake(&s.p->sim, a2->n);
    people_quiet(s.p, 4 * HOUR);
    ck_assert_str_eq(people_state(s.p, a2, c), "accepted");
    people_in_order(s.p, s.a, c, "c ", 1);
    people_in_order(s.p, a2, c, "c ", 1);
    people_free(s.p);
}
END_TEST

START_TEST(a_removed_device_reads_nothing_more)
{
    struct scene s = scene(6, 1);
    struct person *a2 = s.more[0];
    char name[32];
    people_link(s.p, s.a, a2);
    talk(s.p, s.b, s.a, "b ");
    talk(s.p, a2, s.b, "a2 ");
    people_quiet(s.p, 4 * HOUR);
    people_device(s.p, s.a, 1, name);
    ck_assert_err(people_call(s.p, people_as(a2), "device.remove", "device", name, NULL),
                  ERR_NO_IDENTITY);
    ck_assert_err(people_call(s.p, people_as(a2), "device.invite", NULL), ERR_NO_IDENTITY);
    ck_assert_ok(people_call(s.p, people_as(s.a), "device.remove", "device", name, NULL));
    ck_assert_err(people_call(s.p, people_as(s.a), "device.remove", "device", name, NULL),
                  ERR_UNKNOWN_DEVICE);
    people_quiet(s.p, 4 * HOUR);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 1);
    ck_assert_uint_eq(people_events(s.p, a2, "device.removed"), 1);
    ck_assert_err(people_send(s.p, a2, s.b, "no more"), ERR_DEVICE_REMOVED);
    talk(s.p, s.b, s.a, "after ");
    talk(s.p, s.a, s.b, "own ");
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.a, s.b, "after ", TALK);
    for (unsigned i = 0; i < TALK; i++) {
        char text[16];
        snprintf(text, sizeof text, "after %u", i);
        ck_assert_uint_eq(people_messages(s.p, a2, s.b, NULL, text), 0);
        snprintf(text, sizeof text, "own %u", i);
        ck_assert_uint_eq(people_messages(s.p, a2, s.b, NULL, text), 0);
    }
    people_free(s.p);
}
END_TEST

START_TEST(a_removed_device_cannot_come_back)
{
    struct scene s = scene(7, 1);
    struct person *a2 = s.more[0];
    char name[32];
    people_link(s.p, s.a, a2);
    talk(s.p, a2, s.b, "a2 ");
    people_quiet(s.p, 4 * HOUR);
    sim_sleep(&s.p->sim, a2->n); /* does not hear of it */
    people_device(s.p, s.a, 1, name);
    ck_assert_ok(people_call(s.p, people_as(s.a), "device.remove", "device", name, NULL));
    sim_settle(&s.p->sim, 4 * HOUR);
    sim_wake(&s.p->sim, a2->n);
    ck_assert_ok(people_send(s.p, a2, s.b, "let me in")); /* before it is told */
    for (unsigned days = 0; days < 4; days++) { /* it asks for new sessions, with its old list */
        sim_settle(&s.p->sim, 24 * HOUR);
    }
    ck_assert_uint_eq(people_messages(s.p, s.b, s.a, NULL, "let me in"), 0);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 1);
    people_free(s.p);
}
END_TEST

START_TEST(a_link_code_is_good_once_and_not_for_long)
{
    struct scene s = scene(8, 3);
    char code[PEOPLE_CODE];
    char invite[INVITE_TEXT];
    people_link_code(s.p, s.a, code);
    /* Not for who has contacts, not as an invitation, and an invitation is no link code. */
    ck_assert_err(people_call(s.p, people_as(s.b), "device.link", "link", code, NULL), ERR_EXISTS);
    ck_assert_err(people_call(s.p, people_as(s.more[0]), "contact.add", "link", code, NULL),
                  ERR_BAD_ID);
    people_invite(s.p, s.a, invite);
    ck_assert_err(people_call(s.p, people_as(s.more[0]), "device.link", "link", invite, NULL),
                  ERR_BAD_INVITATION);
    ck_assert_ok(people_call(s.p, people_as(s.more[0]), "device.link", "link", code, NULL));
    ck_assert(people_until(s.p, is_linked, s.more[0], HOUR));
    /* Whoever saw it over the shoulder. */
    ck_assert_ok(people_call(s.p, people_as(s.more[1]), "device.link", "link", code, NULL));
    sim_settle(&s.p->sim, 2 * HOUR);
    ck_assert(!is_linked(s.p, s.more[1]));
    ck_assert_uint_ge(people_events(s.p, s.a, "device.misused"), 1);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 2);
    people_link_code(s.p, s.a, code);
    sim_settle(&s.p->sim, 20 * MINUTE);
    ck_assert_err(people_call(s.p, people_as(s.more[2]), "device.link", "link", code, NULL),
                  ERR_EXPIRED);
    people_free(s.p);
}
END_TEST

/* Whoever used the code first has it; the one for which it was made is not stuck with that. */
START_TEST(another_code_is_taken_when_one_led_to_nothing)
{
    struct scene s = scene(12, 2);
    char code[PEOPLE_CODE];
    char again[PEOPLE_CODE];
    struct person *a2 = s.more[1];
    people_link_code(s.p, s.a, code);
    ck_assert_ok(people_call(s.p, people_as(s.more[0]), "device.link", "link", code, NULL));
    ck_assert(people_until(s.p, is_linked, s.more[0], HOUR));
    ck_assert_ok(people_call(s.p, people_as(a2), "device.link", "link", code, NULL));
    ck_assert_ok(people_call(s.p, people_as(a2), "device.link", "link", code, NULL));
    sim_settle(&s.p->sim, HOUR);
    ck_assert(!is_linked(s.p, a2));
    people_link_code(s.p, s.a, again);
    ck_assert_ok(people_call(s.p, people_as(a2), "device.link", "link", again, NULL));
    ck_assert(people_until(s.p, is_linked, a2, HOUR));
    ck_assert_err(people_call(s.p, people_as(a2), "device.link", "link", again, NULL), ERR_EXISTS);
    sim_settle(&s.p->sim, HOUR);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 3);
    people_free(s.p);
}
END_TEST

START_TEST(a_linked_device_moves_to_another_relay)
{
    struct scene s = scene(9, 2);
    struct person *a2 = s.more[0];
    people_link(s.p, s.a, a2);
    people_use_relay(s.p, s.more[1]->relay, a2);
    people_quiet(s.p, 8 * HOUR);
    talk(s.p, s.b, s.a, "b ");
    talk(s.p, s.a, s.b, "a ");
    people_quiet(s.p, 8 * HOUR);
    people_in_order(s.p, a2, s.b, "b ", TALK);
    people_in_order(s.p, a2, s.b, "a ", TALK);
    /* Who meets them now finds both where they are. */
    people_meet(s.p, s.more[1], s.a);
    people_say(s.p, s.more[1], s.a, "c ", 0);
    people_quiet(s.p, 8 * HOUR);
    people_in_order(s.p, a2, s.more[1], "c ", 1);
    people_free(s.p);
}
END_TEST

/* What the first device hears late is not how things are by then: the list that it makes of it
 * comes back to the device that knows better. */
START_TEST(a_linked_device_moves_there_and_back_while_the_first_one_sleeps)
{
    struct scene s = scene(10, 3);
    struct person *a2 = s.more[0];
    people_link(s.p, s.a, a2);
    sim_sleep(&s.p->sim, s.a->n);
    people_use_relay(s.p, s.more[1]->relay, a2);
    sim_settle(&s.p->sim, HOUR);
    people_use_relay(s.p, a2->relay, a2);
    sim_settle(&s.p->sim, HOUR);
    ck_assert(people_ready(s.p, a2));
    sim_wake(&s.p->sim, s.a->n);
    people_quiet(s.p, 8 * HOUR);
    sim_sleep(&s.p->sim, s.more[1]->relay); /* nothing can be fetched from there any more */
    people_meet(s.p, s.more[2], s.a);
    people_say(s.p, s.more[2], s.a, "c ", 0);
    sim_settle(&s.p->sim, 8 * HOUR);
    people_in_order(s.p, a2, s.more[2], "c ", 1);
    people_free(s.p);
}
END_TEST

struct late {
    const struct sim_node *n;
    unsigned left;
};

/* Holds back the first envelopes that its relay pushes to this node. */
static enum sim_fate first_are_late(void *ctx, struct sim *sim, const struct sim_node *from,
                                    const struct sim_node *to, uint8_t *bytes, size_t len)
{
    struct late *late = ctx;
    struct frame frame;
    (void)from;
    if (to != late->n || late->left == 0 || frame_read(slice_of(bytes, len), &frame) != ERR_OK ||
        frame.kind != FRAME_QUEUE_PUSH) {
        return SIM_PASS;
    }
    late->left--;
    sim->late_ms = 2 * MINUTE;
    return SIM_LATE;
}

struct puts {
    const struct sim_node *n;
    unsigned count;
};

/* Of what this node publishes everything but the first is late. */
static enum sim_fate later_puts_are_late(void *ctx, struct sim *sim, const struct sim_node *from,
                                         const struct sim_node *to, uint8_t *bytes, size_t len)
{
    struct puts *puts = ctx;
    struct frame frame;
    (void)to;
    if (from != puts->n || frame_read(slice_of(bytes, len), &frame) != ERR_OK ||
        frame.kind != FRAME_RECORD_PUT || puts->count++ == 0) {
        return SIM_PASS;
    }
    sim->late_ms = HOUR;
    return SIM_LATE;
}

/* Nobody may begin a session with prekeys that go at once. */
START_TEST(the_first_bundle_of_a_linked_device_lasts)
{
    struct scene s = scene(17, 1);
    struct person *a2 = s.more[0];
    char code[PEOPLE_CODE];
    struct puts puts = {.n = a2->n};
    sim_settle(&s.p->sim, HOUR);
    s.p->sim.fate = later_puts_are_late;
    s.p->sim.fate_ctx = &puts;
    people_link_code(s.p, s.a, code);
    ck_assert_ok(people_call(s.p, people_as(a2), "device.link", "link", code, NULL));
    sim_settle(&s.p->sim, 30 * MINUTE);
    ck_assert_uint_ge(puts.count, 2); /* the second: one-time parts */
    people_say(s.p, s.b, s.a, "b ", 0);
    sim_settle(&s.p->sim, 10 * MINUTE);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 2);
    snprintf(a2->id, sizeof a2->id, "%s", s.a->id);
    people_in_order(s.p, a2, s.b, "b ", 1);
    people_free(s.p);
}
END_TEST

START_TEST(what_a_linked_device_says_of_its_queues_may_come_in_the_wrong_order)
{
    struct scene s = scene(11, 3);
    struct person *a2 = s.more[0];
    struct late late = {.n = s.a->n, .left = 3}; /* all about the first move */
    people_link(s.p, s.a, a2);
    sim_sleep(&s.p->sim, s.a->n);
    for (unsigned i = 1; i <= 2; i++) {
        people_use_relay(s.p, s.more[i]->relay, a2);
        sim_settle(&s.p->sim, HOUR);
        ck_assert(people_ready(s.p, a2));
    }
    sim_sleep(&s.p->sim, s.more[1]->relay); /* nothing can be fetched from there any more */
    s.p->sim.fate = first_are_late;
    s.p->sim.fate_ctx = &late;
    sim_wake(&s.p->sim, s.a->n);
    sim_settle(&s.p->sim, HOUR);
    ck_assert_uint_eq(late.left, 0);
    people_say(s.p, s.b, s.a, "b ", 0);
    sim_settle(&s.p->sim, HOUR);
    people_in_order(s.p, a2, s.b, "b ", 1);
    people_free(s.p);
}
END_TEST

START_TEST(crashes_at_any_moment_of_joining_lose_nothing)
{
    for (uint64_t k = 1; k < 400; k += 13) {
        struct scene s = scene(100 + k, 1);
        struct person *a2 = s.more[0];
        char code[PEOPLE_CODE];
        people_link_code(s.p, s.a, code);
        sim_crash_at(k % 2 == 0 ? s.a->n : a2->n, k);
        if (people_call(s.p, people_as(a2), "device.link", "link", code, NULL) != ERR_OK) {
            (void)people_call(s.p, people_as(a2), "device.link", "link", code, NULL);
        }
        ck_assert_msg(people_until(s.p, is_linked, a2, 12 * HOUR), "crash at %d", (int)k);
        snprintf(a2->id, sizeof a2->id, "%s", s.a->id);
        people_say(s.p, s.b, s.a, "b ", 0);
        people_quiet(s.p, 48 * HOUR);
        people_say(s.p, s.b, s.a, "b ", 1);
        people_quiet(s.p, 48 * HOUR);
        ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 2);
        people_in_order(s.p, s.a, s.b, "b ", 2);
        ck_assert_uint_eq(people_messages(s.p, a2, s.b, NULL, "b 1"), 1);
        people_free(s.p);
    }
}
END_TEST

/* --- what came up in review --- */

START_TEST(a_node_starts_after_its_only_other_device_was_removed)
{
    struct scene s = scene(20, 2);
    char name[32];
    people_link(s.p, s.a, s.more[0]);
    people_device(s.p, s.a, 1, name);
    ck_assert_ok(people_call(s.p, people_as(s.a), "device.remove", "device", name, NULL));
    people_quiet(s.p, 4 * HOUR);
    sim_restart(&s.p->sim, s.a->n);
    talk(s.p, s.a, s.b, "a ");
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.b, s.a, "a ", TALK);
    people_link(s.p, s.a, s.more[1]);
    ck_assert_uint_eq(people_number(s.p, s.b, s.a, "devices"), 2);
    people_free(s.p);
}
END_TEST

START_TEST(we_ourselves_are_no_contact)
{
    struct scene s = scene(21, 1);
    people_link(s.p, s.a, s.more[0]);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const method[3] = {"contact.block", "contact.verify", "message.read"};
        ck_assert_err(people_call(s.p, people_as(s.a), method[i], "contact", s.a->id, NULL),
                      ERR_SELF);
    }
    ck_assert_err(people_send(s.p, s.a, s.a, "to myself"), ERR_SELF);
    talk(s.p, s.a, s.b, "a ");
    people_quiet(s.p, 4 * HOUR);
    people_in_order(s.p, s.more[0], s.b, "a ", TALK);
    people_free(s.p);
}
END_TEST

/* The first one does not answer; the other one is asked too. */
START_TEST(invitations_of_two_devices_of_one_person)
{
    struct scene s = scene(22, 2);
    struct person *a2 = s.more[0];
    struct person *c = s.more[1];
    char link[INVITE_TEXT];
    people_link(s.p, s.a, a2);
    people_invite(s.p, s.a, link);
    sim_sleep(&s.p->sim, s.a->n);
    people_add(s.p, c, link);
    sim_settle(&s.p->sim, 10 * MINUTE);
    ck_assert_str_eq(people_state(s.p, c, s.a), "requested");
    people_invite(s.p, a2, link);
    people_add(s.p, c, link);
    people_wait_state(s.p, c, s.a, "accepted");
    people_say(s.p, c, s.a, "c ", 0);
    sim_wake(&s.p->sim, s.a->n);
    people_quiet(s.p, 8 * HOUR);
    people_in_order(s.p, s.a, c, "c ", 1);
    people_in_order(s.p, a2, c, "c ", 1);
    people_free(s.p);
}
END_TEST

START_TEST(a_ninth_device_is_refused_as_a_whole)
{
    struct people *p = people_new(23, LIMIT_DEVICES + 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[LIMIT_DEVICES + 1];
    struct person *ninth = &p->person[LIMIT_DEVICES];
    char early[PEOPLE_CODE];
    people_meet(p, a, b);
    for (unsigned i = 1; i < LIMIT_DEVICES; i++) {
        if (i == LIMIT_DEVICES - 1) {
            people_link_code(p, a, early); /* a code of before the last place was taken */
        }
        people_link(p, a, &p->person[i]);
    }
    ck_assert_uint_eq(people_number(p, b, a, "devices"), LIMIT_DEVICES);
    ck_assert_err(people_call(p, people_as(a), "device.invite", NULL), ERR_QUOTA);
    ck_assert_ok(people_call(p, people_as(ninth), "device.link", "link", early, NULL));
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert(!is_linked(p, ninth));
    people_say(p, a, b, "a ", 0);
    ck_assert(people_until(p, nothing_left, a, 8 * HOUR)); /* nothing waits for the ninth */
    people_in_order(p, b, a, "a ", 1);
    people_free(p);
}
END_TEST

/* The envelopes that begin a session hold a list that leaves no room for the longest text. */
START_TEST(the_longest_text_begins_a_session_of_many_devices)
{
    struct people *p = people_new(24, LIMIT_DEVICES + 1);
    struct person *a = &p->person[0];
    struct person *b = &p->person[LIMIT_DEVICES];
    static char text[LIMIT_TEXT + 1];
    memset(text, 'x', LIMIT_TEXT);
    people_meet(p, a, b);
    for (unsigned i = 1; i < LIMIT_DEVICES; i++) {
        people_link(p, a, &p->person[i]);
    }
    ck_assert_ok(people_send(p, a, b, text));
    ck_assert_ok(people_call(p, people_as(a), "account.rekey", NULL));
    ck_assert_ok(people_send(p, a, b, text));
    people_quiet(p, 8 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, text), 2);
    ck_assert_uint_eq(people_messages(p, &p->person[1], b, NULL, text), 2);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_node_starts_after_its_only_other_device_was_removed);
    tcase_add_test(tc, we_ourselves_are_no_contact);
    tcase_add_test(tc, invitations_of_two_devices_of_one_person);
    tcase_add_test(tc, a_ninth_device_is_refused_as_a_whole);
    tcase_add_test(tc, the_longest_text_begins_a_session_of_many_devices);
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, a_linked_device_shows_what_the_first_one_shows);
    tcase_add_test(tc, both_sides_with_two_devices);
    tcase_add_test(tc, what_is_read_on_one_is_read_on_the_other);
    tcase_add_test(tc, contacts_follow);
    tcase_add_test(tc, a_request_is_answered_on_any_device);
    tcase_add_test(tc, a_removed_device_reads_nothing_more);
    tcase_add_test(tc, a_removed_device_cannot_come_back);
    tcase_add_test(tc, a_link_code_is_good_once_and_not_for_long);
    tcase_add_test(tc, another_code_is_taken_when_one_led_to_nothing);
    tcase_add_test(tc, a_linked_device_moves_to_another_relay);
    tcase_add_test(tc, a_linked_device_moves_there_and_back_while_the_first_one_sleeps);
    tcase_add_test(tc, the_first_bundle_of_a_linked_device_lasts);
    tcase_add_test(tc, what_a_linked_device_says_of_its_queues_may_come_in_the_wrong_order);
    tcase_add_test(tc, crashes_at_any_moment_of_joining_lose_nothing);
}

int main(void)
{
    return unit_main("sim/devices", add_tests);
}
