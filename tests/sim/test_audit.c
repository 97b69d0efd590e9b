/* SPDX-License-Identifier: Apache-2.0
 *
 * audit: a relay that signs for messages and does not deliver them is listed, with all that others
 * need to check it; what it delivered is not. docs/protocol/07-node.md, section 4.
 */
#include <stdio.h>
#include <string.h>

#include "node/audit.h"
#include "node/core.h"
#include "relay/queue.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 3600000,
    DAY = 86400000,
    DOOMED = 8, /* envelopes that a relay swallows, at most */
    ITEMS = 64,
    TEXT = 2048,
};

/* --- a relay that swallows envelopes --- */

struct swallow {
    const struct sim_node *sender;
    bool hungry; /* marks what is deposited now */
    uint8_t hash[DOOMED][32];
    unsigned count;
    unsigned swallowed;
};

static bool is_doomed(struct swallow *s, struct slice envelope, bool mark)
{
    uint8_t hash[32];
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "", &envelope, 1);
    for (unsigned i = 0; i < s->count; i++) {
        if (memcmp(s->hash[i], hash, sizeof hash) == 0) {
            return true;
        }
    }
    if (mark) {
        ck_assert_uint_lt(s->count, DOOMED);
        memcpy(s->hash[s->count++], hash, sizeof hash);
    }
    return false;
}

static enum sim_fate swallow(void *ctx, struct sim *sim, const struct sim_node *from,
                             const struct sim_node *to, uint8_t *p, size_t len)
{
    struct swallow *s = ctx;
    struct frame frame;
    struct queue_deposit deposit;
    struct queue_push push;
    (void)sim;
    (void)to;
    if (frame_read(slice_of(p, len), &frame) != ERR_OK) {
        return SIM_PASS;
    }
    if (from == s->sender && s->hungry && frame.kind == FRAME_QUEUE_DEPOSIT &&
        queue_deposit_read(frame.body, &deposit) == ERR_OK) {
        (void)is_doomed(s, deposit.envelope, true);
    }
    if (frame.kind == FRAME_QUEUE_PUSH && queue_push_read(frame.body, &push) == ERR_OK &&
        is_doomed(s, push.envelope, false)) {
        s->swallowed++;
        return SIM_DROP;
    }
    return SIM_PASS;
}

/* a says "a 0" to "a 3", of which 1 and 2 are swallowed for ever. */
static void say_four(struct people *p, struct swallow *s, struct person *a, struct person *b)
{
    *s = (struct swallow){.sender = a->n};
    p->sim.fate = swallow;
    p->sim.fate_ctx = s;
    for (unsigned i = 0; i < 4; i++) {
        s->hungry = i == 1 || i == 2;
        people_say(p, a, b, "a ", i);
        sim_settle(&p->sim, MINUTE);
    }
    s->hungry = false;
}

/* --- the list --- */

struct item {
    char relay[128];
    char message[64];
    char state[16];
    char queue[128];
    char envelope[128];
    char receipt[TEXT];
    uint64_t signed_ms;
    uint64_t until_ms;
    uint64_t heard_ms;
};

struct list {
    struct item items[ITEMS];
    unsigned count;
    char next[64];
};

static void text_to(struct reader *r, char *out, size_t cap)
{
    struct slice text = pack_read_str(r, TEXT);
    ck_assert_uint_lt(text.len, cap);
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
}

static void read_item(struct reader *r, struct item *item)
{
    const struct {
        const char *name;
        char *out;
        size_t cap;
    } texts[] = {
        {"relay", item->relay, sizeof item->relay},
        {"message", item->message, sizeof item->message},
        {"state", item->state, sizeof item->state},
        {"queue", item->queue, sizeof item->queue},
        {"envelope", item->envelope, sizeof item->envelope},
        {"receipt", item->receipt, sizeof item->receipt},
    };
    memset(item, 0, sizeof *item);
    for (uint32_t pairs = pack_read_map(r, 16); pairs > 0; pairs--) {
        struct slice name = pack_read_str(r, 32);
        size_t i = 0;
        while (i < sizeof texts / sizeof texts[0] && !slice_equal(name, unit_str(texts[i].name))) {
            i++;
        }
        if (i < sizeof texts / sizeof texts[0]) {
            text_to(r, texts[i].out, texts[i].cap);
        } else if (slice_equal(name, unit_str("signed"))) {
            item->signed_ms = pack_read_uint(r, UINT64_MAX);
        } else if (slice_equal(name, unit_str("until"))) {
            item->until_ms = pack_read_uint(r, UINT64_MAX);
        } else if (slice_equal(name, unit_str("heard"))) {
            item->heard_ms = pack_read_uint(r, UINT64_MAX);
        } else {
            pack_skip(r, 2);
        }
    }
    ck_assert_int_eq(r->err, ERR_OK);
}

/* The page behind list->next. */
static void read_page(struct people *p, struct person *who, struct list *list)
{
    ck_assert_ok(list->next[0] == '\0'
                     ? people_query(p, who->n, "relay.audit", NULL)
                     : people_query(p, who->n, "relay.audit", "after", list->next, NULL));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    uint32_t pairs = pack_read_map(&r, 2);
    ck_assert(slice_equal(pack_read_str(&r, 32), unit_str("items")));
    for (uint32_t n = pack_read_array(&r, 100000); n > 0; n--) {
        ck_assert_uint_lt(list->count, ITEMS);
        read_item(&r, &list->items[list->count++]);
    }
    list->next[0] = '\0';
    if (pairs == 2) {
        ck_assert(slice_equal(pack_read_str(&r, 32), unit_str("next")));
        text_to(&r, list->next, sizeof list->next);
    }
    ck_assert_ok(reader_end(&r));
}

static enum err verify(const struct item *item)
{
    uint64_t signed_ms = 0;
    uint64_t until_ms = 0;
    enum err err =
        audit_verify(unit_str(item->relay), unit_str(item->queue), unit_str(item->envelope),
                     unit_str(item->receipt), &signed_ms, &until_ms);
    ck_assert(err != ERR_OK || (signed_ms == item->signed_ms && until_ms == item->until_ms));
    return err;
}

/* The whole list; all of it verifies. */
static unsigned audit(struct people *p, struct person *who, struct list *list)
{
    *list = (struct list){.count = 0};
    do {
        read_page(p, who, list);
    } while (list->next[0] != '\0');
    for (unsigned i = 0; i < list->count; i++) {
        ck_assert_ok(verify(&list->items[i]));
    }
    return list->count;
}

static void all_are(const struct list *list, const char *state, bool heard)
{
    for (unsigned i = 0; i < list->count; i++) {
        ck_assert_str_eq(list->items[i].state, state);
        ck_assert_int_eq(list->items[i].heard_ms != 0, heard);
    }
}

/* --- tests --- */

START_TEST(what_was_signed_for_and_dropped_is_listed_and_nothing_else)
{
    struct person *a;
    struct person *b;
    struct swallow s;
    struct list list;
    struct people *p = people_two(200, false, &a, &b);
    say_four(p, &s, a, b);
    ck_assert_uint_eq(s.count, 2);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 2);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), 2);
    /* Signed for, and the acknowledgements that came were of the same minute. */
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "waiting", false);
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "missed", true);
    char messages[2][64];
    memcpy(messages[0], list.items[0].message, sizeof messages[0]);
    memcpy(messages[1], list.items[1].message, sizeof messages[1]);
    /* Deposited again after a day, signed for again, swallowed again. */
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    ck_assert_uint_ge(s.swallowed, 4);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "missed", true);
    sim_restart(&p->sim, a->n);
    sim_settle(&p->sim, 31 * (uint64_t)DAY);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 2);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "expired", true);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(strcmp(list.items[i].message, messages[0]) == 0 ||
                  strcmp(list.items[i].message, messages[1]) == 0);
    }
    ck_assert_str_ne(list.items[0].message, list.items[1].message);
    ck_assert_uint_eq(audit(p, b, &list), 0);
    /* Kept for 90 days. */
    sim_settle(&p->sim, DAY);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    p->sim.random.env.now_ms += 89 * (uint64_t)DAY;
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    ck_assert_uint_eq(audit(p, a, &list), 0);
    people_free(p);
}
END_TEST

START_TEST(crashes_change_nothing_of_it)
{
    for (uint64_t seed = 210; seed < 212; seed++) {
        struct person *a;
        struct person *b;
        struct swallow s;
        struct list list;
        struct people *p = people_two(seed, false, &a, &b);
        say_four(p, &s, a, b);
        sim_settle(&p->sim, 2 * (uint64_t)HOUR);
        people_say(p, b, a, "b ", 0);
        p->sim.crash_one_in = 8;
        sim_settle(&p->sim, 32 * (uint64_t)DAY);
        p->sim.crash_one_in = 0;
        ck_assert_uint_gt(a->n->crashes, 0);
        sim_settle(&p->sim, 2 * (uint64_t)HOUR);
        ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 2);
        ck_assert_uint_eq(audit(p, a, &list), 2);
        all_are(&list, "expired", true);
        people_free(p);
    }
}
END_TEST

START_TEST(what_arrives_after_all_is_taken_off_the_list)
{
    struct person *a;
    struct person *b;
    struct swallow s;
    struct list list;
    struct people *p = people_two(220, false, &a, &b);
    say_four(p, &s, a, b);
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "missed", true);
    p->sim.fate = NULL; /* the relay has mended its ways, and they are awake: another token */
    people_say(p, b, a, "b ", 1);
    people_quiet(p, 3 * (uint64_t)DAY);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), 4);
    ck_assert_uint_eq(audit(p, a, &list), 0);
    people_free(p);
}
END_TEST

START_TEST(a_relay_that_keeps_it_for_a_sleeper_is_said_to_wait)
{
    struct person *a;
    struct person *b;
    struct list list;
    struct people *p = people_two(230, true, &a, &b); /* each on a relay of its own */
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 0);
    people_say(p, a, b, "a ", 1);
    sim_settle(&p->sim, 10 * (uint64_t)DAY);
    ck_assert_uint_eq(audit(p, a, &list), 2);
    all_are(&list, "waiting", false);
    ck_assert_uint_gt(list.items[0].until_ms, list.items[0].signed_ms);
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(audit(p, a, &list), 0);
    /* Nobody ever came for it. */
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 2);
    sim_settle(&p->sim, 31 * (uint64_t)DAY);
    ck_assert_uint_eq(audit(p, a, &list), 1);
    all_are(&list, "expired", false);
    /* Given up by ourselves. */
    people_say(p, a, b, "a ", 3);
    sim_settle(&p->sim, MINUTE);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    ck_assert_uint_eq(audit(p, a, &list), 2);
    ck_assert_str_eq(list.items[0].state, "expired");
    ck_assert_str_eq(list.items[1].state, "given-up");
    people_free(p);
}
END_TEST

static enum sim_fate drop_pushes(void *ctx, struct sim *sim, const struct sim_node *from,
                                 const struct sim_node *to, uint8_t *p, size_t len)
{
    struct frame frame;
    (void)sim;
    (void)from;
    return to == ctx && frame_read(slice_of(p, len), &frame) == ERR_OK &&
                   frame.kind == FRAME_QUEUE_PUSH
               ? SIM_DROP
               : SIM_PASS;
}

START_TEST(what_was_written_before_and_fetched_later_accuses_no_relay)
{
    struct person *a;
    struct person *b;
    struct list list;
    struct people *p = people_two(235, false, &a, &b);
    p->sim.fate = drop_pushes;
    p->sim.fate_ctx = a->n;
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, MINUTE);
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 5 * (uint64_t)HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 0);
    p->sim.fate = NULL;
    sim_cut(&p->sim, a->n);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 1);
    ck_assert_uint_eq(audit(p, a, &list), 1);
    all_are(&list, "waiting", false);
    sim_settle(&p->sim, 31 * (uint64_t)DAY);
    ck_assert_uint_eq(audit(p, a, &list), 1);
    all_are(&list, "expired", false);
    people_free(p);
}
END_TEST

START_TEST(silence_of_who_was_only_asked_accuses_no_relay)
{
    struct list list;
    struct people *p = people_new(240, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", b->id, "text", "it is me", NULL));
    sim_settle(&p->sim, HOUR);
    ck_assert_str_eq(people_state(p, b, a), "incoming");
    ck_assert_uint_eq(people_outbox(p, a), 1);
    ck_assert_uint_eq(audit(p, a, &list), 0);
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    p->sim.random.env.now_ms += 29 * (uint64_t)DAY;
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(audit(p, a, &list), 0);
    people_free(p);
}
END_TEST

/* Changes the digit to another one. */
static void change(char *digit)
{
    *digit = *digit == '0' ? '1' : '0';
}

START_TEST(what_is_listed_verifies_and_not_after_any_digit_changed)
{
    struct person *a;
    struct person *b;
    struct list list;
    struct people *p = people_two(250, false, &a, &b);
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(audit(p, a, &list), 1);
    const struct item good = list.items[0];
    struct item bad = good;
    char *const texts[] = {bad.queue, bad.envelope, bad.receipt};
    unsigned changed = 0;
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        for (size_t i = 0; texts[t][i] != '\0'; i++) {
            change(&texts[t][i]);
            ck_assert_int_ne(verify(&bad), ERR_OK);
            bad = good;
            changed++;
        }
    }
    ck_assert_uint_gt(changed, 2 * (32 + 32 + 100));
    bad.receipt[strlen(bad.receipt) - 1] = '\0';
    ck_assert_err(verify(&bad), ERR_MALFORMED);
    people_free(p);
}
END_TEST

START_TEST(pages_of_a_long_list_hold_every_message_once)
{
    enum {
        MANY = ITEMS
    };
    struct person *a;
    struct person *b;
    struct list list;
    struct people *p = people_two(260, false, &a, &b);
    people_tokens(p, a, b, MANY);
    sim_sleep(&p->sim, b->n);
    for (unsigned i = 0; i < MANY; i++) {
        people_say(p, a, b, "a ", i);
        /* Half of them are old when the other half is written. */
        sim_settle(&p->sim, i == MANY / 2 - 1 ? 16 * (uint64_t)DAY : 1000);
    }
    sim_settle(&p->sim, 15 * (uint64_t)DAY);
    ck_assert_uint_eq(audit(p, a, &list), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_str_eq(list.items[i].state, i < MANY / 2 ? "expired" : "waiting");
        for (unsigned k = 0; k < i; k++) {
            ck_assert_str_ne(list.items[i].message, list.items[k].message);
        }
    }
    ck_assert_err(people_query(p, a->n, "relay.audit", "after", "00", NULL), ERR_ARGUMENT);
    people_free(p);
}
END_TEST

/* The last message of the history: when the relay took it, when it came, whether there is a gap. */
static void last_message(struct people *p, struct person *who, struct person *of,
                         uint64_t *deposited, uint64_t *received, bool *gap)
{
    ck_assert_ok(people_query(p, who->n, "message.history", "contact", of->id, NULL));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    (void)pack_read_map(&r, 2);
    (void)pack_read_str(&r, 32);
    for (uint32_t n = pack_read_array(&r, 1000); n > 0; n--) {
        for (uint32_t pairs = pack_read_map(&r, 16); pairs > 0; pairs--) {
            struct slice name = pack_read_str(&r, 32);
            if (slice_equal(name, unit_str("deposited"))) {
                *deposited = pack_read_uint(&r, UINT64_MAX);
            } else if (slice_equal(name, unit_str("received"))) {
                *received = pack_read_uint(&r, UINT64_MAX);
            } else if (slice_equal(name, unit_str("gap"))) {
                *gap = pack_read_bool(&r);
            } else {
                pack_skip(&r, 2);
            }
        }
    }
    ck_assert_int_eq(r.err, ERR_OK);
}

START_TEST(the_reader_sees_when_the_relay_took_it_and_that_one_is_missing)
{
    struct person *a;
    struct person *b;
    struct swallow s;
    uint64_t deposited = 0;
    uint64_t received = 0;
    bool gap = false;
    struct people *p = people_two(270, false, &a, &b);
    say_four(p, &s, a, b);
    last_message(p, b, a, &deposited, &received, &gap);
    ck_assert(gap);
    ck_assert_uint_ge(people_events(p, b, "message.gap"), 1);
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 4);
    uint64_t now = p->sim.random.env.now_ms;
    sim_settle(&p->sim, 5 * (uint64_t)HOUR);
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, MINUTE);
    last_message(p, b, a, &deposited, &received, &gap);
    ck_assert(gap);
    ck_assert_uint_ge(deposited, now);
    ck_assert_uint_lt(deposited, now + MINUTE);
    ck_assert_uint_ge(received, now + 5 * (uint64_t)HOUR);
    /* What was missing comes after all. */
    p->sim.fate = NULL;
    people_say(p, b, a, "b ", 0);
    people_quiet(p, 3 * (uint64_t)DAY);
    people_say(p, a, b, "a ", 5);
    people_quiet(p, HOUR);
    last_message(p, b, a, &deposited, &received, &gap);
    ck_assert(!gap);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, what_was_signed_for_and_dropped_is_listed_and_nothing_else);
    tcase_add_test(tc, crashes_change_nothing_of_it);
    tcase_add_test(tc, what_arrives_after_all_is_taken_off_the_list);
    tcase_add_test(tc, a_relay_that_keeps_it_for_a_sleeper_is_said_to_wait);
    tcase_add_test(tc, what_was_written_before_and_fetched_later_accuses_no_relay);
    tcase_add_test(tc, silence_of_who_was_only_asked_accuses_no_relay);
    tcase_add_test(tc, what_is_listed_verifies_and_not_after_any_digit_changed);
    tcase_add_test(tc, pages_of_a_long_list_hold_every_message_once);
    tcase_add_test(tc, the_reader_sees_when_the_relay_took_it_and_that_one_is_missing);
}

int main(void)
{
    return unit_main("sim/audit", add_tests);
}
