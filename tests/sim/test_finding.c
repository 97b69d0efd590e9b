/* SPDX-License-Identifier: Apache-2.0
 *
 * finding: who is known by an ID alone is found through the DHT, wherever their relay is.
 * docs/protocol/11-dht.md, section 8.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "node/descriptor.h"
#include "sim/people.h"
#include "sim/shelf.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
    SEEKERS = 10,
};

/* People who each have a relay of their own, and a DHT. */
static struct people *apart(uint64_t seed, size_t n)
{
    struct people *p = people_new_apart(seed, n);
    shelf_open(&p->sim);
    sim_settle(&p->sim, MINUTE);
    return p;
}

/* To the hour of a day, at the world's clock. */
static void until_hour(struct people *p, unsigned hour)
{
    uint64_t into = sim_now(&p->sim) % LIMIT_DAY_MS;
    uint64_t at = hour * (uint64_t)HOUR;
    sim_settle(&p->sim, at > into ? at - into : at + LIMIT_DAY_MS - into);
}

START_TEST(two_who_know_their_ids_meet)
{
    struct people *p = apart(1, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    uint64_t began = sim_now(&p->sim);
    people_add(p, a, b->id);
    people_add(p, b, a->id);
    people_say(p, a, b, "a ", 0);
    people_wait_state(p, a, b, "accepted");
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, HOUR);
    ck_assert_uint_lt(sim_now(&p->sim) - began, 10 * MINUTE);
    people_in_order(p, b, a, "a ", 1);
    ck_assert_uint_eq(shelf_stats(&p->sim).found, 2);
    people_free(p);
}
END_TEST

START_TEST(a_relay_puts_what_its_members_signed_again_every_hour)
{
    struct people *p = apart(2, 3);
    uint64_t before = shelf_stats(&p->sim).puts;
    until_hour(p, 9);
    sim_settle(&p->sim, HOUR / 2);
    uint64_t then = shelf_stats(&p->sim).puts;
    ck_assert_uint_gt(before, 0);
    sim_settle(&p->sim, 6 * HOUR);
    ck_assert_uint_eq(shelf_stats(&p->sim).puts - then, 6 * 3); /* one each: it is midday */
    people_add(p, &p->person[2], p->person[1].id);
    people_wait_state(p, &p->person[1], &p->person[2], "incoming");
    /* A week later nobody but the relays did anything. */
    for (size_t i = 0; i < 2; i++) {
        sim_sleep(&p->sim, p->person[i].n);
    }
    sim_settle(&p->sim, 5 * LIMIT_DAY_MS);
    people_add(p, &p->person[2], p->person[0].id);
    people_wait_state(p, &p->person[2], &p->person[0], "requested");
    people_free(p);
}
END_TEST

START_TEST(who_is_not_there_is_asked_for_ever_less_often)
{
    struct people *p = apart(3, 1);
    struct people *others = people_new(99, 1); /* somebody of another world */
    people_add(p, &p->person[0], others->person[0].id);
    people_free(others);
    sim_settle(&p->sim, LIMIT_DAY_MS);
    struct shelf_stats s = shelf_stats(&p->sim);
    ck_assert_uint_ge(s.gets, 20);
    ck_assert_uint_le(s.gets, 100);
    ck_assert_uint_eq(s.found, 0);
    people_free(p);
}
END_TEST

START_TEST(what_is_damaged_or_old_is_passed_over)
{
    struct people *p = apart(4, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    shelf_lie(&p->sim);
    people_use_relay(p, c->relay, b); /* what its first relay announced is old now */
    sim_settle(&p->sim, HOUR);
    sim_sleep(&p->sim, b->relay);
    people_add(p, a, b->id);
    people_wait_state(p, b, a, "incoming");
    ck_assert_uint_ge(shelf_stats(&p->sim).lies, 2);
    ck_assert_ok(people_call(p, b->n, "request.accept", "contact", a->id, NULL));
    people_wait_state(p, a, b, "accepted");
    people_free(p);
}
END_TEST

START_TEST(a_contact_who_moved_while_their_relay_was_gone_is_found_again)
{
    struct people *p = apart(5, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, a->n);
    people_use_relay(p, p->person[2].relay, b);
    sim_settle(&p->sim, 20 * (uint64_t)LIMIT_DAY_MS); /* the old queue is given up, and gone */
    sim_sleep(&p->sim, b->relay);
    sim_wake(&p->sim, a->n);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, 2 * LIMIT_DAY_MS);
    people_in_order(p, b, a, "a ", 1);
    people_free(p);
}
END_TEST

/* A contact who is silent for a day is looked for; in no DHT and at no relay of ours, they get what
 * is written all the same. */
START_TEST(who_is_not_in_the_dht_is_written_to_as_before)
{
    struct people *p = people_new_apart(9, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    shelf_open(&p->sim);
    shelf_lose(&p->sim); /* as if b's relay had none */
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 30 * (uint64_t)HOUR);
    ck_assert_uint_gt(shelf_stats(&p->sim).gets, 0); /* it was looked for */
    people_say(p, a, b, "a ", 1);
    sim_settle(&p->sim, HOUR);
    sim_sleep(&p->sim, a->n); /* what is at b's relay by now has to do */
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    people_in_order(p, b, a, "a ", 2);
    people_free(p);
}
END_TEST

/* They moved, and their relay is gone, after their descriptor was found and before anything else.
 */
START_TEST(what_leads_nowhere_is_looked_for_again)
{
    struct people *p = apart(10, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    sim_sleep(&p->sim, b->relay);
    people_add(p, a, b->id);
    sim_settle(&p->sim, 10 * MINUTE);
    ck_assert_uint_ge(shelf_stats(&p->sim).found, 1);
    ck_assert_str_eq(people_state(p, a, b), "resolving");
    people_use_relay(p, p->person[2].relay, b);
    sim_settle(&p->sim, 4 * HOUR);
    ck_assert_str_eq(people_state(p, b, a), "incoming");
    people_free(p);
}
END_TEST

/* While they sleep, all that they had at their relay goes. Their descriptor is found for a while,
 * and leads to nothing. */
START_TEST(what_leads_to_nothing_is_asked_for_ever_less_often)
{
    struct people *p = apart(16, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_add(p, a, b->id);
    people_add(p, b, a->id);
    people_wait_state(p, a, b, "accepted");
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, b->n);
    people_remove_member(p, b->relay);
    struct shelf_stats before = shelf_stats(&p->sim);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 15 * MINUTE);
    struct shelf_stats soon = shelf_stats(&p->sim);
    sim_settle(&p->sim, 75 * MINUTE);
    struct shelf_stats late = shelf_stats(&p->sim);
    ck_assert_uint_ge(soon.found - before.found, 2);
    ck_assert_uint_ge(late.found - soon.found, 1); /* again, as they may be there again */
    ck_assert_uint_lt(late.gets - soon.gets, soon.gets - before.gets);
    ck_assert_uint_le(late.gets - before.gets, 20);
    sim_wake(&p->sim, b->n);
    people_use_relay(p, a->relay, b); /* and they are */
    sim_settle(&p->sim, 4 * HOUR);
    people_in_order(p, b, a, "a ", 1);
    people_free(p);
}
END_TEST

/* However long they were looked for before. */
START_TEST(who_comes_by_themselves_is_answered_at_once)
{
    struct people *p = apart(17, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    sim_sleep(&p->sim, a->n);
    sim_sleep(&p->sim, a->relay);
    sim_settle(&p->sim, 3 * (uint64_t)HOUR); /* nothing of theirs is in the DHT any more */
    people_add(p, b, a->id);
    sim_settle(&p->sim, 12 * (uint64_t)HOUR);
    ck_assert_str_eq(people_state(p, b, a), "resolving");
    sim_wake(&p->sim, a->relay);
    sim_wake(&p->sim, a->n);
    people_add(p, a, b->id);
    sim_settle(&p->sim, 2 * MINUTE);
    ck_assert_str_eq(people_state(p, b, a), "accepted");
    ck_assert_str_eq(people_state(p, a, b), "accepted");
    people_quiet(p, 2 * MINUTE);
    people_free(p);
}
END_TEST

/* At every hour around the turn of the period, by clocks two hours ahead or behind: both of who
 * seeks and, off: of who is sought and their relay. */
static void around_midnight(uint64_t seed, int64_t off)
{
    struct people *p = apart(seed, 1 + SEEKERS);
    struct person *b = &p->person[0];
    sim_clock(&p->sim, b->n, off, 0);
    sim_clock(&p->sim, b->relay, off, 0);
    sim_settle(&p->sim, 2 * HOUR);
    for (unsigned k = 0; k < SEEKERS; k++) {
        struct person *who = &p->person[1 + k];
        sim_clock(&p->sim, who->n, k % 2 == 0 ? 2 * HOUR : -2 * HOUR, 0);
        sim_restart(&p->sim, who->n);
        until_hour(p, (19 + k) % 24);
        uint64_t found = shelf_stats(&p->sim).found;
        people_add(p, who, b->id);
        sim_settle(&p->sim, 5000); /* at the first try */
        ck_assert_uint_gt(shelf_stats(&p->sim).found, found);
        if (off == 0) { /* stamps are made by our relay's clock */
            people_wait_state(p, who, b, "requested");
        }
    }
    people_free(p);
}

START_TEST(clocks_that_are_two_hours_off_hide_nobody)
{
    around_midnight(6, 0);
    around_midnight(7, 2 * HOUR);
    around_midnight(8, -2 * HOUR);
}
END_TEST

static void use_dht(struct people *p, struct sim_node *n, bool on)
{
    uint8_t bytes[16];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_str(&w, "on");
    pack_bool(&w, on);
    ck_assert_ok(sim_call(&p->sim, n, "account.dht", 1, writer_done(&w)));
    sim_settle(&p->sim, MINUTE);
}

/* Puts and gets of that many hours. */
static uint64_t traffic(struct people *p, unsigned hours)
{
    struct shelf_stats before = shelf_stats(&p->sim);
    sim_settle(&p->sim, hours * (uint64_t)HOUR);
    struct shelf_stats after = shelf_stats(&p->sim);
    return after.puts - before.puts + after.gets - before.gets;
}

/* Whether it is put and asked for until then, and not from then on. */
static void leave_dht(struct people *p, const struct person *a, unsigned hour, unsigned minute)
{
    until_hour(p, hour);
    sim_settle(&p->sim, minute * (uint64_t)MINUTE);
    ck_assert_uint_ge(traffic(p, 2), 2);
    use_dht(p, a->n, false); /* within the minute */
    ck_assert_uint_eq(traffic(p, 24), 0);
    uint64_t before = shelf_stats(&p->sim).puts;
    use_dht(p, a->n, true);
    ck_assert_uint_ge(shelf_stats(&p->sim).puts, before + 1);
}

START_TEST(who_leaves_the_dht_is_put_there_no_more)
{
    struct people *p = people_new_apart(16, 1);
    struct person *a = &p->person[0];
    shelf_open(&p->sim);
    sim_settle(&p->sim, HOUR);
    leave_dht(p, a, 11, 0); /* at any time of the hour, and when yesterday's is put, too */
    leave_dht(p, a, 11, 7);
    leave_dht(p, a, 12, 31);
    leave_dht(p, a, 23, 3);
    leave_dht(p, a, 0, 20);
    leave_dht(p, a, 22, 55);
    /* What is under way meanwhile does not stand for what comes. */
    p->sim.lines.latency_ms = 50;
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_ok(people_call(p, a->n, "account.rekey", NULL));
        sim_settle(&p->sim, i * 50);
        use_dht(p, a->n, false);
        ck_assert_uint_eq(traffic(p, 3), 0);
        use_dht(p, a->n, true);
    }
    people_free(p);
}
END_TEST

START_TEST(who_does_not_want_to_is_in_no_dht)
{
    struct people *p = people_new_apart(12, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct people *others = people_new(99, 1);
    use_dht(p, a->n, false);
    use_dht(p, b->n, false);
    shelf_open(&p->sim);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(shelf_stats(&p->sim).puts, 0);
    people_add(p, a, others->person[0].id);
    people_free(others);
    ck_assert_uint_eq(traffic(p, 3 * 24), 0);
    sim_restart(&p->sim, a->n);
    sim_restart(&p->sim, a->relay);
    ck_assert_uint_eq(traffic(p, 24), 0);
    use_dht(p, a->n, true);
    ck_assert_uint_ge(shelf_stats(&p->sim).puts, 1); /* at once */
    ck_assert_uint_ge(traffic(p, 24), 24);
    use_dht(p, a->n, false);
    ck_assert_uint_eq(traffic(p, 24), 0);
    /* Whoever has the same relay finds them all the same. */
    people_use_relay(p, a->relay, b);
    people_add(p, b, a->id);
    people_wait_state(p, a, b, "incoming");
    people_free(p);
}
END_TEST

/* Whether the answer to the last call has this way with this result, and items like that. */
static bool way_says(const struct sim_node *n, const char *way, const char *result)
{
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "way", way);
    sim_pair_str(&w, "result", result);
    return memmem(n->reply, n->reply_len, bytes, w.len) != NULL;
}

static void resolve(struct people *p, const struct person *who, const char *id)
{
    ck_assert_ok(people_call(p, who->n, "contact.resolve", "contact", id, NULL));
}

START_TEST(all_who_may_know_are_asked)
{
    char there[ADDRESS_TEXT];
    char text[ADDRESS_TEXT];
    struct people *p = apart(13, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct people *others = people_new(99, 1);
    ck_assert_ok(people_call(p, b->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(b->relay, "node", there, sizeof there));
    resolve(p, a, b->id);
    ck_assert(way_says(a->n, "contact", "not-found"));
    ck_assert(way_says(a->n, "relay", "not-found"));
    ck_assert(way_says(a->n, "dht", "found"));
    ck_assert(sim_result_str(a->n, "relay", text, sizeof text));
    ck_assert_str_eq(text, there);
    resolve(p, a, a->id); /* whether we are found ourselves */
    ck_assert(way_says(a->n, "relay", "found"));
    ck_assert(way_says(a->n, "dht", "found"));
    resolve(p, a, others->person[0].id);
    ck_assert(way_says(a->n, "relay", "not-found"));
    ck_assert(way_says(a->n, "dht", "not-found"));
    ck_assert(!sim_result_str(a->n, "relay", text, sizeof text));
    people_free(others);
    /* A contact by name, whose relay has changed, and old items and damaged ones beside. */
    people_meet(p, a, b);
    shelf_lie(&p->sim);
    people_use_relay(p, a->relay, b);
    sim_settle(&p->sim, HOUR);
    resolve(p, a, b->id);
    ck_assert(way_says(a->n, "contact", "found"));
    ck_assert(way_says(a->n, "dht", "found"));
    ck_assert(sim_result_str(a->n, "relay", text, sizeof text));
    ck_assert_str_ne(text, there);
    uint8_t wrong[16];
    struct writer w = writer_of(wrong, sizeof wrong);
    pack_str(&w, "wrong");
    pack_uint(&w, 1);
    ck_assert_ptr_nonnull(memmem(a->n->reply, a->n->reply_len, wrong, w.len));
    /* Who stays out asks nobody there. */
    use_dht(p, a->n, false);
    uint64_t gets = shelf_stats(&p->sim).gets;
    resolve(p, a, b->id);
    ck_assert(way_says(a->n, "dht", "off"));
    ck_assert_uint_eq(shelf_stats(&p->sim).gets, gets);
    people_free(p);
}
END_TEST

/* What was put of somebody's descriptors: the newest of each period. */
struct seen_periods {
    struct sim *sim;
    struct sign_pk id;
    uint64_t first; /* period */
    struct {
        uint64_t seq;
        uint32_t version; /* of the list that it names; 0: none was put */
    } period[32];
};

static void open_put(void *ctx, const struct sim_node *by, const struct bep44_item *item)
{
    struct seen_periods *s = ctx;
    struct descriptor d;
    uint64_t today = sim_now(s->sim) / LIMIT_DAY_MS;
    (void)by;
    for (uint64_t period = today - 1; period <= today + 1; period++) {
        if (descriptor_open(&s->id, period, item, &d) == ERR_OK) {
            ck_assert_uint_lt(period - s->first, 32);
            ck_assert_uint_ge(item->seq, s->period[period - s->first].seq);
            s->period[period - s->first].seq = item->seq;
            s->period[period - s->first].version = d.list_version;
        }
    }
}

/* A device is removed: all that was signed ahead is signed anew, whatever the clocks show. */
static void remove_device(uint64_t seed, int64_t off)
{
    struct seen_periods s = {.first = 0};
    char name[32];
    struct people *p = apart(seed, 2);
    struct person *a = &p->person[0];
    people_link(p, a, &p->person[1]);
    sim_sleep(&p->sim, p->person[1].n);
    s.sim = &p->sim;
    s.first = sim_now(&p->sim) / LIMIT_DAY_MS - 2;
    ck_assert_ok(id_decode(unit_str(a->id), s.id.b));
    shelf_watch(&p->sim, open_put, &s);
    sim_clock(&p->sim, a->n, off, 0);
    sim_clock(&p->sim, a->relay, -off, 0);
    sim_settle(&p->sim, 26 * (uint64_t)HOUR);
    uint64_t today = sim_now(&p->sim) / LIMIT_DAY_MS - s.first;
    uint64_t seq = s.period[today].seq;
    uint32_t version = s.period[today].version;
    ck_assert_uint_gt(version, 0);
    people_device(p, a, 1, name);
    ck_assert_ok(people_call(p, people_as(a), "device.remove", "device", name, NULL));
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert_uint_gt(s.period[today].seq, seq);
    ck_assert_uint_gt(s.period[today].version, version);
    sim_sleep(&p->sim, a->n); /* the relay has all there is */
    sim_settle(&p->sim, 7 * (uint64_t)LIMIT_DAY_MS);
    for (uint64_t period = today; period < today + 7; period++) {
        ck_assert_uint_gt(s.period[period].version, version);
    }
    people_free(p);
}

START_TEST(a_removed_device_is_in_no_descriptor_any_more)
{
    remove_device(18, 0);
    remove_device(19, 2 * HOUR);
    remove_device(20, -2 * HOUR);
}
END_TEST

/* What was published by a clock that was ahead is nothing to rely on when it is right again. */
START_TEST(a_clock_that_was_ahead_leaves_no_gap)
{
    struct seen_periods s = {.first = 0};
    struct people *p = apart(21, 1);
    struct person *a = &p->person[0];
    s.sim = &p->sim;
    s.first = sim_now(&p->sim) / LIMIT_DAY_MS - 2;
    ck_assert_ok(id_decode(unit_str(a->id), s.id.b));
    sim_clock(&p->sim, a->n, 20 * (int64_t)LIMIT_DAY_MS, 0);
    sim_clock(&p->sim, a->relay, 20 * (int64_t)LIMIT_DAY_MS, 0);
    sim_settle(&p->sim, 3 * HOUR);
    sim_clock(&p->sim, a->n, -20 * (int64_t)LIMIT_DAY_MS, 0);
    sim_clock(&p->sim, a->relay, -20 * (int64_t)LIMIT_DAY_MS, 0);
    sim_restart(&p->sim, a->relay); /* who has nothing to do looks when something comes, else */
    sim_restart(&p->sim, a->n);
    shelf_watch(&p->sim, open_put, &s);
    sim_settle(&p->sim, 3 * HOUR);
    uint64_t today = sim_now(&p->sim) / LIMIT_DAY_MS - s.first;
    uint32_t version = s.period[today].version;
    ck_assert_uint_gt(version, 0);
    ck_assert_ok(people_call(p, a->n, "account.rekey", NULL));
    sim_settle(&p->sim, 3 * HOUR);
    ck_assert_uint_gt(s.period[today].version, version);
    people_free(p);
}
END_TEST

/* The words are all that is left, and the relay of then is not the one of now. It goes on to put
 * what was signed ahead, with numbers that are higher than 1. */
START_TEST(who_is_made_anew_from_words_elsewhere_is_found_there)
{
    char words[PEOPLE_WORDS];
    char text[ADDRESS_TEXT];
    char here[ADDRESS_TEXT];
    struct people *p = apart(15, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_ok(people_call(p, a->n, "account.rekey", NULL));
        sim_settle(&p->sim, HOUR);
    }
    people_words(p, a, words);
    sim_sleep(&p->sim, a->n);
    struct person *anew = people_anew(p, a, words, p->person[2].relay);
    sim_settle(&p->sim, 3 * HOUR);
    ck_assert_ok(people_call(p, anew->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(anew->relay, "node", here, sizeof here));
    resolve(p, b, a->id);
    ck_assert(sim_result_str(b->n, "relay", text, sizeof text));
    ck_assert_str_eq(text, here);
    people_add(p, b, a->id);
    people_wait_state(p, anew, b, "incoming");
    people_free(p);
}
END_TEST

/* In no DHT, by the relay where both are, for one period: what is there for the one before is of
 * the past, or nothing. However many failures there are in a round, both periods are asked for. */
START_TEST(who_is_made_anew_at_our_relay_is_found_on_the_same_day)
{
    char words[PEOPLE_WORDS];
    struct people *p = people_new_apart(18, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    until_hour(p, 10);
    people_words(p, a, words);
    sim_sleep(&p->sim, a->n);
    people_remove_member(p, a->relay);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, HOUR / 2);
    (void)people_anew(p, a, words, b->relay);
    sim_settle(&p->sim, 5 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "at-relay", "b 0"), 1); /* in their queue of now */
    people_free(p);
}
END_TEST

/* --- what those see who keep it (sim.observer has more) --- */

/* The largest and the smallest number that an item had. */
struct numbers {
    uint64_t least;
    uint64_t most;
    unsigned count;
};

static void number(void *ctx, const struct sim_node *by, const struct bep44_item *item)
{
    struct numbers *n = ctx;
    (void)by;
    n->least = n->count == 0 || item->seq < n->least ? item->seq : n->least;
    n->most = item->seq > n->most ? item->seq : n->most;
    n->count++;
}

/* A person's list gets a new version every week: its number is in no item. */
START_TEST(numbers_begin_again_with_every_day)
{
    struct numbers n = {.count = 0};
    struct people *p = people_new_apart(14, 1);
    shelf_open(&p->sim);
    shelf_watch(&p->sim, number, &n);
    sim_settle(&p->sim, 60 * (uint64_t)LIMIT_DAY_MS);
    ck_assert_uint_ge(n.count, 60);
    ck_assert_uint_eq(n.least, 1);
    ck_assert_uint_le(n.most, 3);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, two_who_know_their_ids_meet);
    tcase_add_test(tc, a_relay_puts_what_its_members_signed_again_every_hour);
    tcase_add_test(tc, who_is_not_there_is_asked_for_ever_less_often);
    tcase_add_test(tc, what_is_damaged_or_old_is_passed_over);
    tcase_add_test(tc, a_contact_who_moved_while_their_relay_was_gone_is_found_again);
    tcase_add_test(tc, who_is_not_in_the_dht_is_written_to_as_before);
    tcase_add_test(tc, what_leads_nowhere_is_looked_for_again);
    tcase_add_test(tc, what_leads_to_nothing_is_asked_for_ever_less_often);
    tcase_add_test(tc, who_comes_by_themselves_is_answered_at_once);
    tcase_add_test(tc, who_leaves_the_dht_is_put_there_no_more);
    tcase_add_test(tc, who_does_not_want_to_is_in_no_dht);
    tcase_add_test(tc, all_who_may_know_are_asked);
    tcase_add_test(tc, a_removed_device_is_in_no_descriptor_any_more);
    tcase_add_test(tc, a_clock_that_was_ahead_leaves_no_gap);
    tcase_add_test(tc, who_is_made_anew_from_words_elsewhere_is_found_there);
    tcase_add_test(tc, who_is_made_anew_at_our_relay_is_found_on_the_same_day);
    tcase_add_test(tc, numbers_begin_again_with_every_day);
    tcase_add_test(tc, clocks_that_are_two_hours_off_hide_nobody);
}

int main(void)
{
    return unit_main("sim/finding", add_tests);
}
