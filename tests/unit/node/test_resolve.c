/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: a call that is answered when everybody has, whatever our relay does. (With a DHT:
 * sim.finding.)
 */
#include <string.h>

#include "base/id.h"
#include "lib/stranger.h"
#include "link/frame.h"
#include "node/params.h"

static struct hostile h;

/* Asks where that is. */
static void ask_for(const char *whom)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    result_text(&w, "contact", whom);
    hostile_ask(&h, "contact.resolve", 1, writer_done(&w));
}

static void ask(const struct stranger *s)
{
    char id[ID_TEXT];
    id_encode(s->id.b, id);
    ask_for(id);
}

/* Whether the answer has two texts in a row: of a way, its result. */
static bool says(const char *way, const char *result)
{
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    result_text(&w, "way", way);
    result_text(&w, "result", result);
    return h.replied && h.reply == ERR_OK && memmem(h.result, h.result_len, bytes, w.len) != NULL;
}

static bool found(void)
{
    static const uint8_t yes[] = {0xa5, 'f', 'o', 'u', 'n', 'd', 0xc3};
    return memmem(h.result, h.result_len, yes, sizeof yes) != NULL;
}

START_TEST(what_our_relay_says_is_shown)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    unsigned dialled = h.dialled;
    ask(&s);
    ck_assert(!h.replied);
    ck_assert_uint_eq(h.dialled, dialled + 1); /* a link of its own */
    hostile_open(&h, h.others[h.dialled - 1]);
    ck_assert_uint_eq(h.asked_kind, FRAME_DESCRIPTOR_GET);
    ck_assert(!h.replied);
    unsigned closed = h.closed;
    h.unit.env.now_ms += 123;
    stranger_described(&h, &s);
    ck_assert(says("contact", "not-found"));
    ck_assert(says("relay", "found"));
    ck_assert(says("dht", "off"));
    ck_assert(found());
    ck_assert_uint_eq(h.closed, closed + 1);
    /* It was only shown. */
    struct peer_row row;
    ck_assert_err(hostile_contact(&h, &s.id, &row), ERR_NOT_FOUND);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(what_is_known_of_a_contact_is_shown_too)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    stranger_look_up(&h, &s);
    ask(&s);
    hostile_open(&h, h.others[h.dialled - 1]);
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct descriptor_get_reply reply = {.head = {.err = ERR_NOT_FOUND}};
    descriptor_get_reply_write(&w, &reply);
    hostile_answer(&h, writer_done(&w));
    ck_assert(says("contact", "found"));
    ck_assert(says("relay", "not-found"));
    ck_assert(found());
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(a_relay_that_lies_or_goes_is_named)
{
    struct stranger s;
    struct stranger other;
    hostile_init(&h);
    stranger_init(&h, &s);
    stranger_init(&h, &other);
    /* somebody else's item */
    ask(&s);
    hostile_open(&h, h.others[h.dialled - 1]);
    stranger_described(&h, &other);
    ck_assert(says("relay", "bad-signature"));
    ck_assert(!found());
    /* nothing that is an answer */
    ask(&s);
    hostile_open(&h, h.others[h.dialled - 1]);
    hostile_answer(&h, slice_of("\xc0", 1));
    ck_assert(says("relay", "malformed"));
    /* cannot be dialled, or hangs up */
    for (unsigned i = 0; i < 2; i++) {
        ask(&s);
        struct node_input in = {.kind = NODE_LINK_CLOSED, .link = h.others[h.dialled - 1]};
        in.u.closed = i == 0 ? ERR_UNREACHABLE : ERR_LINK_CLOSED;
        if (i > 0) {
            hostile_open(&h, in.link);
        }
        hostile_input(&h, &in);
        ck_assert(says("relay", i == 0 ? "unreachable" : "link-closed"));
    }
    stranger_fini(&other);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(who_does_not_answer_is_not_waited_for)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    ask(&s);
    hostile_tick(&h, LIMIT_RESOLVE_MS - 1);
    ck_assert(!h.replied);
    hostile_tick(&h, 1);
    ck_assert(says("relay", "timeout"));
    ck_assert(!found());
    /* What comes then is nobody's. */
    unsigned sent = h.sent;
    unsigned closed = h.closed;
    hostile_open(&h, h.others[h.dialled - 1]);
    ck_assert_ok(h.turn);
    ck_assert_uint_eq(h.sent, sent);
    ck_assert_uint_eq(h.closed, closed + 1);
    /* The clock is set back meanwhile. */
    ask(&s);
    h.unit.env.now_ms -= LIMIT_DAY_MS;
    hostile_tick(&h, 0);
    ck_assert(!h.replied);
    hostile_tick(&h, LIMIT_RESOLVE_MS);
    ck_assert(says("relay", "timeout"));
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(few_wait_at_a_time_and_what_is_no_name_is_refused)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    ask_for("nobody");
    ck_assert_err(h.reply, ERR_UNKNOWN_CONTACT);
    char id[ID_TEXT];
    id_encode(s.id.b, id);
    id[20] = id[20] == 'q' ? 'p' : 'q';
    ask_for(id);
    ck_assert_err(h.reply, ERR_BAD_CHECKSUM);
    for (unsigned i = 0; i < LIMIT_RESOLVES; i++) {
        ask(&s);
        ck_assert(!h.replied);
    }
    ask(&s);
    ck_assert(h.replied);
    ck_assert_err(h.reply, ERR_BACKPRESSURE);
    hostile_tick(&h, LIMIT_RESOLVE_MS);
    ask(&s);
    ck_assert(!h.replied);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

static unsigned abandoned(bool begun)
{
    struct node_outputs outs = {0};
    unsigned n = 0;
    ck_assert_ok(node_abandon(h.node, begun, &outs));
    for (const struct node_output *o = outs.first; o != NULL; o = o->next) {
        ck_assert_int_eq(o->kind, NODE_OUT_REPLY);
        ck_assert_err(o->err, ERR_BACKPRESSURE);
        n++;
    }
    node_outputs_free(&outs);
    return n;
}

START_TEST(who_waits_hears_of_a_turn_that_failed)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    ck_assert_uint_eq(abandoned(true), 0);
    ask(&s);
    ck_assert_uint_eq(abandoned(true), 0); /* it was the turn of the call: that comes again */
    ck_assert_uint_eq(abandoned(false), 1);
    hostile_tick(&h, 1);
    ask(&s);
    ck_assert_uint_eq(abandoned(true), 1);
    /* The turn in which it is answered may fail, too. */
    hostile_tick(&h, LIMIT_RESOLVE_MS - 1);
    ck_assert(h.replied);
    ck_assert_uint_eq(abandoned(true), 2);
    hostile_tick(&h, 1);
    ck_assert_uint_eq(abandoned(true), 1);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(an_account_that_is_removed_does_not_wait)
{
    struct stranger s;
    uint8_t pairs[32];
    struct writer w = writer_of(pairs, sizeof pairs);
    hostile_init(&h);
    stranger_init(&h, &s);
    ask(&s);
    ck_assert(!h.replied);
    result_uint(&w, "account", h.root.account);
    hostile_ask(&h, "account.remove", 1, writer_done(&w));
    ck_assert_err(h.reply, ERR_NO_ACCOUNT);
    ck_assert_uint_eq(abandoned(false), 0);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

START_TEST(an_account_that_is_locked_does_not_wait)
{
    struct stranger s;
    hostile_init(&h);
    stranger_init(&h, &s);
    ask(&s);
    ck_assert(!h.replied);
    hostile_ask(&h, "account.lock", 0, slice_of(NULL, 0));
    ck_assert_err(h.reply, ERR_ACCOUNT_LOCKED); /* the last one of that turn */
    ck_assert_uint_eq(abandoned(false), 0);
    stranger_fini(&s);
    hostile_fini(&h);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_our_relay_says_is_shown);
    tcase_add_test(tc, what_is_known_of_a_contact_is_shown_too);
    tcase_add_test(tc, a_relay_that_lies_or_goes_is_named);
    tcase_add_test(tc, who_does_not_answer_is_not_waited_for);
    tcase_add_test(tc, few_wait_at_a_time_and_what_is_no_name_is_refused);
    tcase_add_test(tc, who_waits_hears_of_a_turn_that_failed);
    tcase_add_test(tc, an_account_that_is_removed_does_not_wait);
    tcase_add_test(tc, an_account_that_is_locked_does_not_wait);
}

int main(void)
{
    return unit_main("node/resolve", add);
}
