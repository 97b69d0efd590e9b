/* SPDX-License-Identifier: Apache-2.0
 *
 * forward: people on relays of their own reach each other through them, whatever the links and the
 * relays between do, and what a forwarder sees names no queue and no record.
 * docs/protocol/04-relay.md, section 4.9.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    DAY = 86400000,
    HOUR = 3600000,
    MINUTE = 60000,
};

static void talk(struct people *p, struct person *a, struct person *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        people_say(p, a, b, "a ", i);
        people_say(p, b, a, "b ", i);
    }
}

static void heard(struct people *p, struct person *a, struct person *b, unsigned n)
{
    people_in_order(p, b, a, "a ", n);
    people_in_order(p, a, b, "b ", n);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), n);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), n);
}

static uint8_t frame_kind(const uint8_t *p, size_t len)
{
    struct frame frame;
    return frame_read(slice_of(p, len), &frame) == ERR_OK ? frame.kind : 0;
}

/* --- who speaks with whom --- */

struct traffic {
    struct people *p;
    unsigned strange;   /* frames between a person and another's relay */
    unsigned open;      /* deposits, gets and pops that are not sealed */
    unsigned forwarded; /* frames between relays */
};

static bool stranger(const struct people *p, const struct sim_node *x, const struct sim_node *y)
{
    for (size_t i = 0; i < p->count; i++) {
        if (x == p->person[i].n && y != p->person[i].relay) {
            return true;
        }
    }
    return false;
}

static enum sim_fate watch(void *ctx, struct sim *sim, const struct sim_node *from,
                           const struct sim_node *to, uint8_t *frame, size_t len)
{
    struct traffic *t = ctx;
    uint8_t kind = frame_kind(frame, len);
    (void)sim;
    t->strange += stranger(t->p, from, to) || stranger(t->p, to, from);
    t->open += kind == FRAME_QUEUE_DEPOSIT || kind == FRAME_RECORD_GET || kind == FRAME_RECORD_POP;
    t->forwarded += from->relay && to->relay;
    return SIM_PASS;
}

START_TEST(nobody_speaks_with_a_foreign_relay)
{
    struct people *p = people_new_apart(70, 2);
    struct traffic t = {.p = p};
    p->sim.fate = watch;
    p->sim.fate_ctx = &t;
    people_meet(p, &p->person[0], &p->person[1]);
    talk(p, &p->person[0], &p->person[1], 5);
    people_quiet(p, HOUR);
    heard(p, &p->person[0], &p->person[1], 5);
    ck_assert_uint_eq(t.strange, 0);
    ck_assert_uint_eq(t.open, 0);
    ck_assert_uint_gt(t.forwarded, 20);
    people_free(p);
}
END_TEST

START_TEST(on_one_relay_each_request_has_a_link_of_its_own)
{
    struct people *p = people_new(71, 2);
    struct traffic t = {.p = p};
    people_meet(p, &p->person[0], &p->person[1]);
    p->sim.fate = watch;
    p->sim.fate_ctx = &t;
    uint64_t before = p->sim.links_made;
    talk(p, &p->person[0], &p->person[1], 5);
    people_quiet(p, HOUR);
    ck_assert_uint_gt(t.open, 0);
    ck_assert_uint_ge(p->sim.links_made - before, t.open);
    people_free(p);
}
END_TEST

/* --- what a forwarder can find --- */

enum {
    NAME = 32,
    FORMS = 4, /* raw, hex, base64 in both alphabets */
};

struct forms {
    char text[FORMS][3 * NAME];
    size_t len[FORMS];
};

static void forms_of(const uint8_t name[NAME], struct forms *f)
{
    memcpy(f->text[0], name, NAME);
    f->len[0] = NAME;
    sodium_bin2hex(f->text[1], sizeof f->text[1], name, NAME);
    f->len[1] = 2 * NAME;
    sodium_bin2base64(f->text[2], sizeof f->text[2], name, NAME,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    f->len[2] = strlen(f->text[2]) - 1; /* the last character depends on what follows */
    sodium_bin2base64(f->text[3], sizeof f->text[3], name, NAME,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    f->len[3] = strlen(f->text[3]) - 1;
}

static unsigned found_in(const struct forms *f, const uint8_t *bytes, size_t len)
{
    unsigned n = 0;
    for (size_t i = 0; i < FORMS; i++) {
        n += memmem(bytes, len, f->text[i], f->len[i]) != NULL;
    }
    return n;
}

struct search {
    struct sim_node *forwarder;
    struct forms queue;
    struct forms record;
    unsigned frames;
    unsigned found;
};

static enum sim_fate look(void *ctx, struct sim *sim, const struct sim_node *from,
                          const struct sim_node *to, uint8_t *frame, size_t len)
{
    struct search *s = ctx;
    (void)sim;
    if (from == s->forwarder || to == s->forwarder) {
        s->frames++;
        s->found += found_in(&s->queue, frame, len) + found_in(&s->record, frame, len);
    }
    return SIM_PASS;
}

/* The frames of the first person's relay, searched for the second person's queue and record. */
static struct search search(struct people *p)
{
    struct search s = {.forwarder = p->person[0].relay};
    struct sign_pk queue;
    struct sign_pk record;
    people_names(p, &p->person[1], &queue, &record);
    forms_of(queue.b, &s.queue);
    forms_of(record.b, &s.record);
    p->sim.fate = look;
    p->sim.fate_ctx = &s;
    people_meet(p, &p->person[1], &p->person[0]); /* the first one pops and deposits */
    talk(p, &p->person[0], &p->person[1], 5);
    people_quiet(p, HOUR);
    p->sim.fate = NULL;
    people_free(p);
    return s;
}

START_TEST(a_forwarder_sees_no_name_of_a_queue_or_record)
{
    struct search s = search(people_new_apart(72, 2));
    ck_assert_uint_gt(s.frames, 50);
    ck_assert_uint_eq(s.found, 0);
}
END_TEST

/* The same search finds both where nothing is sealed: on one relay. */
START_TEST(the_search_finds_what_is_not_sealed)
{
    struct search s = search(people_new(73, 2));
    ck_assert_uint_gt(s.found, 5);
}
END_TEST

START_TEST(the_search_finds_every_form)
{
    uint8_t name[NAME];
    uint8_t page[4096];
    struct forms f;
    randombytes_buf(name, sizeof name);
    forms_of(name, &f);
    for (size_t i = 0; i < FORMS; i++) {
        randombytes_buf(page, sizeof page);
        ck_assert_uint_eq(found_in(&f, page, sizeof page), 0);
        memcpy(page + 1000, f.text[i], f.len[i]);
        ck_assert_uint_ge(found_in(&f, page, sizeof page), 1);
    }
}
END_TEST

/* --- trouble --- */

struct fate {
    uint8_t kind;
    unsigned left;
    enum sim_fate what;
};

static enum sim_fate strike(void *ctx, struct sim *sim, const struct sim_node *from,
                            const struct sim_node *to, uint8_t *p, size_t len)
{
    struct fate *f = ctx;
    (void)sim;
    (void)from;
    (void)to;
    if (f->left == 0 || frame_kind(p, len) != f->kind) {
        return SIM_PASS;
    }
    f->left--;
    return f->what;
}

static void suffer(uint8_t kind, enum sim_fate what, uint64_t seed)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(seed, true, &a, &b);
    struct fate f = {.kind = kind, .left = 3, .what = what};
    p->sim.fate = strike;
    p->sim.fate_ctx = &f;
    talk(p, a, b, 6);
    people_quiet(p, 2 * HOUR);
    ck_assert_uint_eq(f.left, 0);
    heard(p, a, b, 6);
    people_free(p);
}

START_TEST(lost_cut_and_repeated_frames_lose_and_double_nothing)
{
    static const uint8_t kinds[] = {FRAME_RELAY_FORWARD, FRAME_RELAY_FORWARD + FRAME_REPLY,
                                    FRAME_RELAY_SEALED, FRAME_RELAY_SEALED + FRAME_REPLY};
    for (size_t i = 0; i < sizeof kinds; i++) {
        suffer(kinds[i], SIM_DROP, 80 + i);
        suffer(kinds[i], SIM_CUT, 84 + i);
        suffer(kinds[i], SIM_TWICE, 88 + i);
    }
}
END_TEST

/* Answers that come in time, late, or after their request was given up. */
static enum sim_fate delay(void *ctx, struct sim *sim, const struct sim_node *from,
                           const struct sim_node *to, uint8_t *p, size_t len)
{
    unsigned *delayed = ctx;
    uint8_t kind = frame_kind(p, len);
    (void)from;
    (void)to;
    bool passed_on = kind == FRAME_RELAY_SEALED || kind == FRAME_RELAY_FORWARD + FRAME_REPLY;
    if (!passed_on || sim_random(sim, 2) == 0) {
        return SIM_PASS;
    }
    sim->late_ms = sim_random(sim, 2 * LIMIT_FORWARD_TIMEOUT_MS);
    ++*delayed;
    return SIM_LATE;
}

START_TEST(delays_lose_and_double_nothing)
{
    for (uint64_t seed = 117; seed < 120; seed++) {
        struct person *a;
        struct person *b;
        unsigned delayed = 0;
        struct people *p = people_two(seed, true, &a, &b);
        p->sim.fate = delay;
        p->sim.fate_ctx = &delayed;
        people_chat(p, a, b, 10, MINUTE);
        sim_settle(&p->sim, HOUR);
        p->sim.fate = NULL;
        people_quiet(p, 2 * (uint64_t)DAY);
        ck_assert_uint_gt(delayed, 10);
        heard(p, a, b, 10);
        people_free(p);
    }
}
END_TEST

/* Every second frame of one kind carries the body of the one before, and the other way round. */
struct swap {
    uint8_t kind;
    uint8_t kept[LIMIT_FRAME];
    size_t len;
    unsigned swapped;
};

static enum sim_fate exchange(void *ctx, struct sim *sim, const struct sim_node *from,
                              const struct sim_node *to, uint8_t *p, size_t len)
{
    struct swap *s = ctx;
    struct frame f;
    (void)sim;
    (void)from;
    (void)to;
    if (frame_read(slice_of(p, len), &f) != ERR_OK || f.kind != s->kind) {
        return SIM_PASS;
    }
    uint8_t body[LIMIT_FRAME];
    size_t had = s->len;
    memcpy(body, f.body.p, f.body.len);
    if (had == f.body.len && sim_random(sim, 2) == 0) {
        memcpy(p + (f.body.p - p), s->kept, had);
        s->swapped++;
    }
    memcpy(s->kept, body, f.body.len);
    s->len = f.body.len;
    return SIM_PASS;
}

START_TEST(swapped_requests_and_answers_lose_and_double_nothing)
{
    static const uint8_t kinds[] = {FRAME_RELAY_SEALED, FRAME_RELAY_SEALED + FRAME_REPLY,
                                    FRAME_RELAY_FORWARD + FRAME_REPLY};
    static struct swap s;
    for (size_t i = 0; i < sizeof kinds; i++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(120 + i, true, &a, &b);
        s = (struct swap){.kind = kinds[i]};
        p->sim.fate = exchange;
        p->sim.fate_ctx = &s;
        people_chat(p, a, b, 10, MINUTE);
        ck_assert_uint_gt(s.swapped, 5);
        p->sim.fate = NULL;
        people_quiet(p, 2 * (uint64_t)DAY);
        heard(p, a, b, 10);
        ck_assert_uint_eq(people_events(p, a, "session.reset"), 0);
        ck_assert_uint_eq(people_events(p, b, "session.reset"), 0);
        people_free(p);
    }
}
END_TEST

static enum sim_fate lie(void *ctx, struct sim *sim, const struct sim_node *from,
                         const struct sim_node *to, uint8_t *p, size_t len)
{
    (void)ctx;
    if ((!from->relay && !to->relay) || sim_random(sim, 8) != 0) {
        return SIM_PASS;
    }
    return sim_mischief(sim, p, len);
}

START_TEST(relays_that_lie_lose_nothing_for_good_and_double_nothing)
{
    for (uint64_t seed = 100; seed < 103; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, true, &a, &b);
        p->sim.fate = lie;
        people_chat(p, a, b, 15, 5000);
        p->sim.fate = NULL;
        people_quiet(p, 3 * (uint64_t)DAY);
        ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 15);
        ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 15);
        people_free(p);
    }
}
END_TEST

/* All slots but one of the link between the relays wait for an answer. */
static void fill_link(struct node_link *link, uint32_t id)
{
    for (size_t i = 1; i < LINK_REQUESTS; i++) {
        link->requests[i].id = id;
        link->requests[i].kind = FRAME_RELAY_SEALED;
        link->requests[i].deadline = UINT64_MAX;
    }
}

START_TEST(what_a_link_has_no_room_for_waits_for_the_next_answer)
{
    struct people *p = people_new_apart(125, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = people_beside(p, b, b->relay);
    people_meet(p, a, b);
    people_meet(p, a, c);
    people_quiet(p, HOUR);
    struct links *links = &a->relay->node->links;
    struct node_link *link = links->own;
    while (link != NULL && link->purpose != LINK_FORWARD) {
        link = link->own_next;
    }
    ck_assert_ptr_nonnull(link);
    fill_link(link, UINT32_MAX);
    people_say(p, a, b, "a ", 0);
    people_say(p, a, c, "a ", 0);
    sim_settle(&p->sim, LIMIT_SECOND_MS / 2); /* sooner than who was told that it is busy asks */
    ck_assert_uint_eq(people_messages(p, b, a, "received", "a 0"), 1);
    ck_assert_uint_eq(people_messages(p, c, a, "received", "a 0"), 1);
    fill_link(link, 0);
    people_quiet(p, HOUR);
    people_free(p);
}
END_TEST

START_TEST(a_relay_that_sleeps_is_waited_for)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(110, true, &a, &b);
    sim_sleep(&p->sim, b->relay);
    people_say(p, a, b, "a ", 0);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 0);
    sim_wake(&p->sim, b->relay);
    people_quiet(p, 2 * HOUR);
    sim_sleep(&p->sim, a->relay);
    people_say(p, a, b, "a ", 1);
    people_say(p, b, a, "b ", 1);
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, a->relay);
    people_quiet(p, 2 * HOUR);
    heard(p, a, b, 2);
    people_free(p);
}
END_TEST

/* A card that is kept in memory names a key that is over by then, or the relay has lost it. */
START_TEST(a_new_key_of_the_relay_is_fetched)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(111, true, &a, &b);
    for (unsigned week = 0; week < 5; week++) {
        people_say(p, a, b, "a ", week);
        people_say(p, b, a, "b ", week);
        people_quiet(p, HOUR);
        sim_settle(&p->sim, 7 * (uint64_t)DAY);
    }
    heard(p, a, b, 5);
    people_free(p);
}
END_TEST

struct deaf {
    struct sim_node *relay;
    unsigned frames;
};

static enum sim_fate be_deaf(void *ctx, struct sim *sim, const struct sim_node *from,
                             const struct sim_node *to, uint8_t *p, size_t len)
{
    struct deaf *d = ctx;
    (void)sim;
    (void)from;
    if (to != d->relay || frame_kind(p, len) != FRAME_RELAY_SEALED) {
        return SIM_PASS;
    }
    d->frames++;
    return SIM_DROP;
}

static struct node_link *own_link(struct sim_node *n, enum link_purpose purpose)
{
    struct node_link *link = n->node->links.own;
    while (link != NULL && link->purpose != purpose) {
        link = link->own_next;
    }
    return link;
}

/* Makes the suite of the sealed request inside one that nobody knows. */
static enum sim_fate spoil(void *ctx, struct sim *sim, const struct sim_node *from,
                           const struct sim_node *to, uint8_t *p, size_t len)
{
    static const uint8_t suite[] = {0x64, 0x7a, 0x00, 0x01, 0x00, 0x03};
    struct fate *f = ctx;
    (void)sim;
    (void)from;
    (void)to;
    uint8_t *at = frame_kind(p, len) == f->kind ? memmem(p, len, suite, sizeof suite) : NULL;
    if (f->left > 0 && at != NULL) {
        f->left--;
        at[1] ^= 1;
    }
    return SIM_PASS;
}

/* Every contact's queue is at our own relay, but at a place that does not exist. */
static void misplace(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct peer_row row;
    struct seal_keys *keys = who->n->node->accounts->keys;
    ck_assert_ok(peer_row_get(&step, keys, 1, &row));
    snprintf(row.queue_relay.host, sizeof row.queue_relay.host, "elsewhere.test");
    ck_assert_ok(peer_row_put(&step, keys, &row));
}

static void forget_card(void *ctx, struct turn *turn)
{
    (void)ctx;
    ck_assert_ok(store_del(turn->store, STORE_META, slice_of("relay.card", 10)));
}

START_TEST(a_relay_that_lost_its_key_is_asked_for_the_new_one)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(112, true, &a, &b);
    sim_turn(&p->sim, b->relay, forget_card, NULL);
    sim_restart(&p->sim, b->relay);
    talk(p, a, b, 3);
    people_quiet(p, HOUR);
    heard(p, a, b, 3);
    people_free(p);
}
END_TEST

/* A relay that takes requests and never answers: the members' own links stay, and others go on. */
START_TEST(a_relay_that_never_answers_costs_nobody_a_link)
{
    struct people *p = people_new_apart(114, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    people_meet(p, a, b);
    people_meet(p, a, c);
    struct deaf deaf = {.relay = b->relay};
    p->sim.fate = be_deaf;
    p->sim.fate_ctx = &deaf;
    uint64_t link = a->n->node->accounts->homes[0].link;
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_gt(deaf.frames, 2);
    ck_assert_uint_eq(a->n->node->accounts->homes[0].link, link);
    ck_assert_uint_eq(people_events(p, a, "relay.failing"), 0);
    people_say(p, a, c, "a ", 0);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(people_messages(p, c, a, "received", "a 0"), 1);
    p->sim.fate = NULL;
    people_quiet(p, 2 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", "a 0"), 1);
    people_free(p);
}
END_TEST

/* A member sends bytes on that are no request: its own link closes, the shared one stays. */
START_TEST(a_member_cannot_break_the_link_that_others_use)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(115, true, &a, &b);
    struct node_link *shared = own_link(a->relay, LINK_FORWARD);
    ck_assert_ptr_nonnull(shared);
    uint64_t id = shared->id;
    struct fate f = {.kind = FRAME_RELAY_FORWARD, .left = 1};
    p->sim.fate = spoil;
    p->sim.fate_ctx = &f;
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_eq(f.left, 0);
    shared = own_link(a->relay, LINK_FORWARD);
    ck_assert_ptr_nonnull(shared);
    ck_assert_uint_eq(shared->id, id);
    p->sim.fate = NULL;
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", "a 0"), 1);
    people_free(p);
}
END_TEST

/* The same relay, but another place, as a contact may claim: it is dialled where we know it. */
START_TEST(our_own_relay_is_where_we_know_it)
{
    struct person *a;
    struct person *b;
    struct people *p = people_new(116, 2);
    a = &p->person[0];
    b = &p->person[1];
    people_meet(p, a, b);
    sim_turn(&p->sim, a->n, misplace, a);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", "a 0"), 1);
    people_free(p);
}
END_TEST

/* Crashes of everybody at random puts. */
START_TEST(crashes_lose_and_double_nothing)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(113, true, &a, &b);
    p->sim.crash_one_in = 10;
    people_chat(p, a, b, 20, 5000);
    p->sim.crash_one_in = 0;
    people_quiet(p, 2 * (uint64_t)DAY);
    heard(p, a, b, 20);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, nobody_speaks_with_a_foreign_relay);
    tcase_add_test(tc, on_one_relay_each_request_has_a_link_of_its_own);
    tcase_add_test(tc, a_forwarder_sees_no_name_of_a_queue_or_record);
    tcase_add_test(tc, the_search_finds_what_is_not_sealed);
    tcase_add_test(tc, the_search_finds_every_form);
    tcase_add_test(tc, lost_cut_and_repeated_frames_lose_and_double_nothing);
    tcase_add_test(tc, relays_that_lie_lose_nothing_for_good_and_double_nothing);
    tcase_add_test(tc, delays_lose_and_double_nothing);
    tcase_add_test(tc, swapped_requests_and_answers_lose_and_double_nothing);
    tcase_add_test(tc, what_a_link_has_no_room_for_waits_for_the_next_answer);
    tcase_add_test(tc, a_relay_that_sleeps_is_waited_for);
    tcase_add_test(tc, a_new_key_of_the_relay_is_fetched);
    tcase_add_test(tc, a_relay_that_lost_its_key_is_asked_for_the_new_one);
    tcase_add_test(tc, a_relay_that_never_answers_costs_nobody_a_link);
    tcase_add_test(tc, a_member_cannot_break_the_link_that_others_use);
    tcase_add_test(tc, our_own_relay_is_where_we_know_it);
    tcase_add_test(tc, crashes_lose_and_double_nothing);
}

int main(void)
{
    return unit_main("sim/forward", add_tests);
}
