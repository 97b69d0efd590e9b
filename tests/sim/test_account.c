/* SPDX-License-Identifier: Apache-2.0
 *
 * account: calls and their repeats, events and their cursors, a locked account, a full disk, the
 * key bundle's upkeep, another relay. docs/protocol/07-node.md, sections 1, 6 and 7.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "node/event.h"
#include "node/params.h"
#include "node/prekeys.h"
#include "sim/people.h"

enum {
    DAY = 86400000,
    HOUR = 3600000,
};

/* --- client_id --- */

static struct slice send_params(struct writer *w, const char *contact, const char *text)
{
    sim_pair_str(w, "contact", contact);
    sim_pair_str(w, "text", text);
    return writer_done(w);
}

START_TEST(a_repeated_call_gives_the_first_result_and_does_nothing)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(80, false, &a, &b);
    uint8_t bytes[2][512];
    const uint8_t id[16] = {1};
    char first[64];
    char again[64];
    struct writer w = writer_of(bytes[0], sizeof bytes[0]);
    struct slice params = send_params(&w, b->id, "once");
    ck_assert_ok(sim_call_as(&p->sim, a->n, "message.send", 2, params, id));
    ck_assert(sim_result_str(a->n, "message", first, sizeof first));
    sim_restart(&p->sim, a->n);
    ck_assert_ok(sim_call_as(&p->sim, a->n, "message.send", 2, params, id));
    ck_assert(sim_result_str(a->n, "message", again, sizeof again));
    ck_assert_str_eq(first, again);
    w = writer_of(bytes[1], sizeof bytes[1]);
    struct slice other = send_params(&w, b->id, "other");
    ck_assert_err(sim_call_as(&p->sim, a->n, "message.send", 2, other, id), ERR_CLIENT_ID_REUSED);
    ck_assert_err(sim_call_as(&p->sim, a->n, "invite.create", 0, slice_of(NULL, 0), id),
                  ERR_CLIENT_ID_REUSED);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 1);
    /* After LIMIT_CLIENT_ID_DAYS it is forgotten. */
    sim_settle(&p->sim, LIMIT_CLIENT_ID_DAYS * (uint64_t)DAY + 2 * HOUR);
    ck_assert_ok(sim_call_as(&p->sim, a->n, "message.send", 2, params, id));
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 2);
    people_free(p);
}
END_TEST

START_TEST(a_failed_call_is_not_remembered)
{
    struct people *p = people_new(81, 1);
    struct person *a = &p->person[0];
    uint8_t bytes[512];
    const uint8_t id[16] = {2};
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "contact", "nobody");
    struct slice params = writer_done(&w);
    for (int i = 0; i < 2; i++) {
        ck_assert_err(sim_call_as(&p->sim, a->n, "contact.block", 1, params, id),
                      ERR_UNKNOWN_CONTACT);
    }
    ck_assert_ok(sim_call_as(&p->sim, a->n, "invite.create", 0, slice_of(NULL, 0), id));
    ck_assert_err(people_call(p, a->n, "no.method", NULL), ERR_UNKNOWN_METHOD);
    ck_assert_err(people_call(p, a->n, "relay.invite", NULL), ERR_NOT_RELAY);
    ck_assert_err(people_call(p, a->n, "account.create", NULL), ERR_ACCOUNT_EXISTS);
    ck_assert_err(people_call(p, a->n, "relay.use", "address", "nowhere", NULL), ERR_BAD_ADDRESS);
    people_free(p);
}
END_TEST

/* --- events --- */

struct event_test {
    struct person *who;
    uint64_t since;
    uint64_t first;
    uint64_t last;
};

static void many_events(void *ctx, struct turn *turn)
{
    struct event_test *t = ctx;
    struct node_outputs outs = {.first = NULL};
    struct step step = {.turn = turn, .outs = &outs};
    for (unsigned i = 0; i < 1200; i++) {
        struct event event = event_begin(&step, "test.event", 64);
        event_uint(&event, "i", i);
        ck_assert_ok(event_commit(&step, t->who->n->node->accounts->keys, &event));
        arena_reset(turn->arena);
    }
    node_outputs_free(&outs);
}

static void range(void *ctx, struct turn *turn)
{
    struct event_test *t = ctx;
    ck_assert_ok(event_range(turn, t->who->n->node->accounts->keys, &t->first, &t->last));
}

static enum err ack(struct people *p, struct person *who, const char *name, uint64_t cursor)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "name", name);
    sim_pair_uint(&w, "cursor", cursor);
    return sim_call(&p->sim, who->n, "event.ack", 2, writer_done(&w));
}

static uint64_t consumer(struct people *p, struct person *who, const char *name)
{
    uint64_t cursor = UINT64_MAX;
    ck_assert_ok(people_query(p, who->n, "consumer.get", "name", name, NULL));
    ck_assert(sim_result_uint(who->n, "cursor", &cursor));
    return cursor;
}

START_TEST(consumers_keep_their_cursors_and_never_go_back)
{
    struct people *p = people_new(82, 1);
    struct person *a = &p->person[0];
    struct event_test t = {.who = a};
    sim_turn(&p->sim, a->n, many_events, &t);
    sim_turn(&p->sim, a->n, range, &t);
    ck_assert_uint_eq(t.first, 1);
    ck_assert_uint_ge(t.last, 1200);
    ck_assert_uint_eq(consumer(p, a, "x"), 0);
    ck_assert_ok(ack(p, a, "x", 700));
    ck_assert_ok(ack(p, a, "x", 600));
    sim_restart(&p->sim, a->n);
    ck_assert_uint_eq(consumer(p, a, "x"), 700);
    ck_assert_err(ack(p, a, "x", t.last + 1), ERR_ARGUMENT);
    ck_assert_err(ack(p, a, "", 1), ERR_ARGUMENT);
    char name[16];
    for (unsigned i = 1; i < LIMIT_CONSUMERS; i++) {
        snprintf(name, sizeof name, "c%u", i);
        ck_assert_ok(ack(p, a, name, 1));
    }
    ck_assert_err(ack(p, a, "one more", 1), ERR_BACKPRESSURE);
    ck_assert_ok(ack(p, a, "x", 701));
    people_free(p);
}
END_TEST

START_TEST(old_events_are_trimmed_and_the_newest_stays)
{
    struct people *p = people_new(83, 1);
    struct person *a = &p->person[0];
    struct event_test t = {.who = a};
    sim_turn(&p->sim, a->n, many_events, &t);
    sim_turn(&p->sim, a->n, range, &t);
    uint64_t last = t.last;
    p->sim.random.env.now_ms += (LIMIT_EVENT_DAYS + 1) * (uint64_t)DAY;
    sim_settle(&p->sim, 3 * HOUR);
    sim_turn(&p->sim, a->n, range, &t);
    ck_assert_uint_ge(t.last, last); /* cursors never come twice */
    ck_assert_uint_ge(t.first, last);
    people_free(p);
}
END_TEST

/* --- a long list of contacts --- */

enum {
    MANY = 3000, /* contacts: more than a page holds */
};

/* Contacts that were never met; every tenth one waits for an answer, and is in no list of these. */
static void many_contacts(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    for (uint32_t i = 1; i <= MANY; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "contact %u", (unsigned)i);
        struct contact_row row = {.number = i,
                                  .state = i % 10 == 0 ? CONTACT_INCOMING : CONTACT_BLOCKED,
                                  .created = 1,
                                  .name = unit_str(name)};
        env_random(turn->env, row.id.b, sizeof row.id.b);
        struct peer_row peer;
        ck_assert_ok(peer_row_new(&step, who->n->node->accounts->keys, &row, i, &peer));
        arena_reset(turn->arena);
    }
}

/* The next page begins with contact *i, and ends before what *i is then. Whether there is more. */
static bool page(struct people *p, struct person *who, uint64_t *after, uint32_t *i)
{
    uint8_t bytes[32];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_uint(&w, "after", *after);
    ck_assert_ok(sim_query(&p->sim, who->n, "contact.list", 1, writer_done(&w)));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    struct slice name;
    (void)pack_read_map(&r, 3);
    (void)pack_read_str(&r, 32);
    uint32_t count = pack_read_array(&r, MANY);
    ck_assert_uint_gt(count, 0);
    for (; count > 0; count--, ++*i) {
        char wanted[16];
        *i += *i % 10 == 0;
        (void)snprintf(wanted, sizeof wanted, "contact %u", (unsigned)*i);
        struct reader item = r;
        pack_skip(&r, 4);
        ck_assert(params_str(reader_rest(&item), "name", &name));
        ck_assert(slice_equal(name, unit_str(wanted)));
    }
    ck_assert_int_eq(r.err, ERR_OK);
    return sim_result_uint(who->n, "next", after);
}

START_TEST(a_long_list_of_contacts_comes_in_pages)
{
    struct people *p = people_new(82, 1);
    struct person *a = &p->person[0];
    uint64_t after = 0;
    uint32_t i = 1;
    unsigned pages = 1;
    sim_turn(&p->sim, a->n, many_contacts, a);
    for (; page(p, a, &after, &i); pages++) {
    }
    ck_assert_uint_eq(i, MANY);
    ck_assert_uint_gt(pages, 2);
    people_free(p);
}
END_TEST

/* --- locked --- */

START_TEST(a_locked_account_waits_for_its_root)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(84, false, &a, &b);
    a->n->locked = true;
    sim_restart(&p->sim, a->n);
    ck_assert_err(people_send(p, a, b, "no"), ERR_ACCOUNT_LOCKED);
    ck_assert_err(people_call(p, a->n, "relay.status", NULL), ERR_ACCOUNT_LOCKED);
    char state[16];
    ck_assert_ok(people_call(p, a->n, "daemon.status", NULL));
    ck_assert(sim_result_str(a->n, "account", state, sizeof state));
    ck_assert_str_eq(state, "locked");
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, HOUR);
    uint8_t right[SEAL_KEY];
    memcpy(right, a->n->roots[0].r, sizeof right);
    a->n->roots[0].r[0] ^= 1;
    ck_assert_err(people_call(p, a->n, "account.unlock", NULL), ERR_WRONG_KEY);
    memcpy(a->n->roots[0].r, right, sizeof right);
    ck_assert_ok(people_call(p, a->n, "account.unlock", NULL));
    a->n->locked = false;
    ck_assert_ok(people_call(p, a->n, "account.unlock", NULL));
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

START_TEST(an_account_that_is_locked_goes_on_where_it_was)
{
    struct person *a;
    struct person *b;
    char state[16];
    struct people *p = people_two(85, false, &a, &b);
    ck_assert_ok(people_send(p, a, b, "a 0")); /* sealed, and not at the relay */
    ck_assert_ok(people_call(p, a->n, "account.lock", NULL));
    ck_assert_ok(people_call(p, a->n, "account.lock", NULL));
    ck_assert_ok(people_call(p, a->n, "daemon.status", NULL));
    ck_assert(sim_result_str(a->n, "account", state, sizeof state));
    ck_assert_str_eq(state, "locked");
    ck_assert_err(people_send(p, a, b, "no"), ERR_ACCOUNT_LOCKED);
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, HOUR);
    ck_assert_ok(people_call(p, a->n, "account.unlock", NULL));
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_in_order(p, b, a, "a ", 1);
    ck_assert_err(people_call(p, p->relay, "account.lock", NULL), ERR_NO_ACCOUNT);
    people_free(p);
}
END_TEST

START_TEST(without_an_account_calls_say_so)
{
    struct people *p = people_new(85, 0);
    ck_assert_err(people_call(p, p->relay, "invite.create", NULL), ERR_NO_ACCOUNT);
    ck_assert_err(people_call(p, p->relay, "account.unlock", NULL), ERR_NO_ACCOUNT);
    people_free(p);
}
END_TEST

/* --- a full disk --- */

START_TEST(with_a_full_disk_nothing_grows_and_later_everything_comes)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(86, false, &a, &b);
    a->n->full = true;
    ck_assert_err(people_send(p, a, b, "no"), ERR_DISK_FULL);
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 0);
    a->n->full = false;
    people_quiet(p, 3 * HOUR);
    people_in_order(p, a, b, "b ", 1);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 1);
    people_free(p);
}
END_TEST

START_TEST(a_relay_with_a_full_disk_refuses_and_the_sender_keeps_it)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(87, false, &a, &b);
    p->relay->full = true;
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_outbox(p, b), 1);
    p->relay->full = false;
    people_quiet(p, 3 * HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

/* --- the key bundle --- */

static void pop_all(void *ctx, struct turn *turn)
{
    struct store_row row;
    (void)ctx;
    while (store_seek(turn->store, STORE_RECORD_PART, STORE_GE, slice_of("\0", 1), &row) ==
           ERR_OK) {
        struct store_key k = store_key_new();
        store_key_bytes(&k, row.key.p, row.key.len);
        ck_assert_ok(store_del(turn->store, STORE_RECORD_PART, store_key_slice(&k)));
    }
}

START_TEST(without_one_time_parts_the_last_resort_serves_and_parts_come_back)
{
    struct people *p = people_new(88, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    sim_turn(&p->sim, p->relay, pop_all, NULL);
    sim_restart(&p->sim, p->relay);
    ck_assert_uint_eq(store_mem_count(p->relay->mem, STORE_RECORD_PART), 0);
    people_meet(p, a, b);
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert_uint_ge(store_mem_count(p->relay->mem, STORE_RECORD_PART), 2 * 33);
    people_free(p);
}
END_TEST

static void prekeys(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct relay_row row;
    struct prekey_secret secret;
    struct seal_keys *keys = who->n->node->accounts->keys;
    ck_assert_ok(relay_row_get(&step, keys, 0, &row));
    ck_assert_uint_ge(row.spk_id, 60 / 8);
    ck_assert_ok(prekeys_get(&step, keys, PREKEY_SIGNED, row.spk_id, &secret));
    ck_assert_uint_le(turn->env->now_ms - secret.created_ms, 8 * (uint64_t)DAY);
    ck_assert_ok(prekeys_get(&step, keys, PREKEY_SIGNED, row.spk_id - 4, &secret));
    ck_assert_err(prekeys_get(&step, keys, PREKEY_SIGNED, 1, &secret), ERR_NOT_FOUND);
}

START_TEST(signed_prekeys_rotate_and_old_ones_go)
{
    struct people *p = people_new(89, 2);
    struct person *a = &p->person[0];
    sim_settle(&p->sim, 60 * (uint64_t)DAY);
    sim_turn(&p->sim, a->n, prekeys, a);
    ck_assert(people_ready(p, a));
    /* And who comes then finds a bundle that is young enough. */
    people_meet(p, a, &p->person[1]);
    people_free(p);
}
END_TEST

START_TEST(an_id_is_found_around_midnight_and_a_week_later)
{
    struct people *p = people_new(90, 3);
    struct person *a = &p->person[0];
    p->sim.random.env.now_ms += 12 * (uint64_t)HOUR - 500; /* the clock begins at noon */
    ck_assert_ok(people_call(p, p->person[1].n, "contact.add", "link", a->id, NULL));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    sim_settle(&p->sim, 9 * (uint64_t)DAY);
    ck_assert_ok(people_call(p, p->person[2].n, "contact.add", "link", a->id, NULL));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 2);
    people_free(p);
}
END_TEST

static bool both_ready(struct people *p, void *ctx)
{
    (void)ctx;
    return people_ready(p, &p->person[0]) && people_ready(p, &p->person[1]);
}

START_TEST(contacts_follow_to_another_relay)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(91, false, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    sim_sleep(&p->sim, b->n);
    ck_assert_ok(people_send(p, a, b, "a 0"));
    sim_settle(&p->sim, HOUR);
    people_use_relay(p, other, a);
    sim_wake(&p->sim, b->n); /* writes to the old queue until it hears of the new one */
    ck_assert_ok(people_send(p, b, a, "b 0"));
    ck_assert(people_until(p, both_ready, NULL, HOUR));
    people_quiet(p, HOUR);
    ck_assert_ok(people_send(p, b, a, "b 1")); /* a reads from the new relay only */
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", "b 1"), 1);
    ck_assert_ok(people_send(p, a, b, "a 1"));
    people_quiet(p, 3 * HOUR);
    people_in_order(p, a, b, "b ", 2);
    people_in_order(p, b, a, "a ", 2);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, a_repeated_call_gives_the_first_result_and_does_nothing);
    tcase_add_test(tc, a_failed_call_is_not_remembered);
    tcase_add_test(tc, consumers_keep_their_cursors_and_never_go_back);
    tcase_add_test(tc, old_events_are_trimmed_and_the_newest_stays);
    tcase_add_test(tc, a_long_list_of_contacts_comes_in_pages);
    tcase_add_test(tc, a_locked_account_waits_for_its_root);
    tcase_add_test(tc, an_account_that_is_locked_goes_on_where_it_was);
    tcase_add_test(tc, without_an_account_calls_say_so);
    tcase_add_test(tc, with_a_full_disk_nothing_grows_and_later_everything_comes);
    tcase_add_test(tc, a_relay_with_a_full_disk_refuses_and_the_sender_keeps_it);
    tcase_add_test(tc, without_one_time_parts_the_last_resort_serves_and_parts_come_back);
    tcase_add_test(tc, signed_prekeys_rotate_and_old_ones_go);
    tcase_add_test(tc, contacts_follow_to_another_relay);
    tcase_add_test(tc, an_id_is_found_around_midnight_and_a_week_later);
}

int main(void)
{
    return unit_main("sim/account", add_tests);
}
