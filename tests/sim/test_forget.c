/* SPDX-License-Identifier: Apache-2.0
 *
 * forget: what was deleted or overwritten is forgotten a minute later, through crashes at any
 * point, and nothing that lives is. docs/protocol/08-at-rest.md, section 8.10.
 */
#include <string.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
};

/* What somebody has who copied the store at one time and has the erase file of another. */
struct thief {
    struct store_mem *copy;
    const struct person *who;
};

/* Whether one of the roots that there are now opens the account's keys in the copy. */
static bool opens(struct people *p, const struct thief *t, const struct node_root *root)
{
    struct store store;
    struct arena arena;
    if (root->account != 1) {
        return false;
    }
    arena_init(&arena, 1 << 20);
    store_mem_read(t->copy, &store);
    struct turn turn = {.env = &p->sim.random.env, .store = &store, .arena = &arena};
    struct seal_keys *keys = seal_keys_new_account(1, root->r);
    enum err err = seal_keys_load(keys, &turn);
    ck_assert(err == ERR_OK || err == ERR_CORRUPT);
    seal_keys_free(keys);
    arena_fini(&arena);
    return err == ERR_OK;
}

static bool thief_opens(struct people *p, const struct thief *t)
{
    const struct node_root *roots = t->who->n->roots;
    return opens(p, t, &roots[0]) || opens(p, t, &roots[LIMIT_ACCOUNTS]);
}

/* b says one more thing, and what that left is forgotten; then somebody copies a's store. */
static struct thief copied(struct people *p, struct person *a, struct person *b, unsigned i)
{
    people_say(p, b, a, "b ", i);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    return (struct thief){.copy = store_mem_clone(a->n->mem), .who = a};
}

static uint32_t generation(const struct person *who)
{
    struct store store;
    uint32_t found = 0;
    store_mem_read(who->n->mem, &store);
    ck_assert_ok(seal_root_named(&store, 1, &found));
    return found;
}

/* No key but the newest of each bucket, and one root. */
static bool at_rest(const struct person *who)
{
    return store_mem_count(who->n->mem, STORE_BUCKET) == SEAL_KEY_ROWS &&
           who->n->roots[LIMIT_ACCOUNTS].account == 0 &&
           who->n->roots[0].generation == generation(who);
}

static enum err forget(struct people *p, struct person *who, struct person *of, uint64_t order)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_str(&w, "contact");
    pack_str(&w, of->id);
    sim_pair_uint(&w, "order", order);
    return sim_call(&p->sim, people_as(who), "message.delete", 2, writer_done(&w));
}

/* The texts of message.received that the event log gives. */
static unsigned texts_of_events(struct people *p, struct person *who, const char *text)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    unsigned found = 0;
    sim_pair_uint(&w, "since", 0);
    ck_assert_ok(sim_query(&p->sim, people_as(who), "event.read", 1, writer_done(&w)));
    for (size_t i = 0; i + strlen(text) <= who->n->reply_len; i++) {
        found += memcmp(who->n->reply + i, text, strlen(text)) == 0;
    }
    return found;
}

START_TEST(an_earlier_copy_opens_with_nothing_that_there_is_a_minute_later)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(500, false, &a, &b);
    people_chat(p, a, b, 4, MINUTE);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE); /* what the chat itself left is forgotten */
    ck_assert(at_rest(a));
    struct thief thief = {.copy = store_mem_clone(a->n->mem), .who = a};
    ck_assert(thief_opens(p, &thief));
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 1"), 1);
    ck_assert_uint_eq(texts_of_events(p, a, "b 1"), 1);
    uint32_t before = generation(a);
    sim_settle(&p->sim, HOUR); /* nothing was touched: nothing is done */
    ck_assert_uint_eq(generation(a), before);

    ck_assert_err(forget(p, a, b, 999), ERR_UNKNOWN_MESSAGE);
    ck_assert_ok(forget(p, a, b, 4));
    ck_assert_err(forget(p, a, b, 4), ERR_UNKNOWN_MESSAGE);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 1"), 0);
    ck_assert_uint_eq(texts_of_events(p, a, "b 1"), 0);
    ck_assert_uint_eq(people_events(p, a, "message.deleted"), 1);
    ck_assert(thief_opens(p, &thief)); /* not yet */
    sim_settle(&p->sim, MINUTE);
    ck_assert(!thief_opens(p, &thief));
    ck_assert_uint_eq(generation(a), before + 1);
    ck_assert(at_rest(a));
    /* All the rest is there, and they go on. */
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 7);
    people_say(p, b, a, "b ", 4);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 4"), 1);
    store_mem_free(thief.copy);
    people_free(p);
}
END_TEST

START_TEST(a_place_in_the_history_is_not_given_twice)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(501, false, &a, &b);
    people_say(p, b, a, "b ", 0);
    people_say(p, b, a, "b ", 1);
    people_quiet(p, HOUR);
    ck_assert_ok(forget(p, a, b, 2)); /* the last one */
    people_say(p, b, a, "b ", 2);
    people_quiet(p, HOUR);
    ck_assert_err(forget(p, a, b, 2), ERR_UNKNOWN_MESSAGE);
    ck_assert_ok(forget(p, a, b, 3));
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 0"), 1);
    people_free(p);
}
END_TEST

START_TEST(what_waits_to_be_sent_is_not_sent_once_it_was_deleted)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(502, false, &a, &b);
    sim_sleep(&p->sim, p->relay);
    sim_settle(&p->sim, HOUR);
    /* The first is sealed and tried, the ones behind it wait. */
    for (unsigned i = 0; i < 3; i++) {
        people_say(p, a, b, "a ", i);
    }
    ck_assert_ok(forget(p, a, b, 3));
    sim_wake(&p->sim, p->relay);
    people_quiet(p, 2 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "a 0"), 1);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "a 1"), 1);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "a 2"), 0);
    people_free(p);
}
END_TEST

/* Each time something is deleted, and the node crashes before the k-th change of what follows. */
START_TEST(a_crash_at_any_point_loses_nothing_and_the_rest_is_forgotten)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(503, false, &a, &b);
    unsigned crashes = 0;
    unsigned said = 0;
    bool struck = true;
    for (uint64_t k = 1; struck; k++) {
        struct thief thief = copied(p, a, b, said++);
        uint64_t before = a->n->crashes;
        ck_assert_ok(forget(p, a, b, said));
        store_mem_crash_at(a->n->mem, k);
        sim_settle(&p->sim, MINUTE);
        struck = a->n->crashes > before;
        store_mem_crash_at(a->n->mem, 0);
        crashes += struck;
        ck_assert_msg(!thief_opens(p, &thief), "a crash before change %u", (unsigned)k);
        ck_assert_msg(at_rest(a), "a crash before change %u", (unsigned)k);
        store_mem_free(thief.copy);
    }
    ck_assert_uint_gt(crashes, SEAL_KEY_ROWS);
    people_say(p, b, a, "last ", 0);
    people_say(p, a, b, "back ", 0);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "last 0"), 1);
    ck_assert_uint_eq(people_messages(p, b, a, NULL, "back 0"), 1);
    people_free(p);
}
END_TEST

START_TEST(a_store_that_was_put_back_stays_locked)
{
    struct person *a;
    struct person *b;
    char state[16];
    struct people *p = people_two(504, false, &a, &b);
    struct store_mem *copy = store_mem_clone(a->n->mem);
    people_say(p, b, a, "b ", 0);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    struct store_mem *newer = a->n->mem;
    sim_sleep(&p->sim, a->n);
    a->n->mem = copy;
    sim_wake(&p->sim, a->n);
    ck_assert_ok(people_call(p, a->n, "daemon.status", NULL));
    ck_assert(sim_result_str(a->n, "account", state, sizeof state));
    ck_assert_str_eq(state, "locked");
    ck_assert_err(people_call(p, a->n, "account.unlock", NULL), ERR_ROLLBACK);
    sim_sleep(&p->sim, a->n);
    a->n->mem = newer;
    sim_wake(&p->sim, a->n);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 0"), 1);
    store_mem_free(copy);
    people_free(p);
}
END_TEST

/* Nothing is sealed again where there is no room; it is done when there is. */
START_TEST(a_full_disk_puts_it_off)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(505, false, &a, &b);
    struct thief thief = copied(p, a, b, 0);
    a->n->full = true;
    ck_assert_ok(forget(p, a, b, 1));
    sim_settle(&p->sim, HOUR);
    ck_assert(thief_opens(p, &thief));
    a->n->full = false;
    sim_settle(&p->sim, MINUTE);
    ck_assert(!thief_opens(p, &thief));
    store_mem_free(thief.copy);
    people_free(p);
}
END_TEST

/* --- damage --- */

struct damage {
    struct person *who;
    enum store_table table;
    struct store_key key;
    size_t at; /* byte of the row */
};

static void change(void *ctx, struct turn *turn)
{
    const struct damage *d = ctx;
    uint8_t bytes[4096];
    struct slice row;
    ck_assert_ok(store_get(turn->store, d->table, store_key_slice(&d->key), &row));
    ck_assert_uint_le(row.len, sizeof bytes);
    memcpy(bytes, row.p, row.len);
    bytes[d->at] ^= 1;
    ck_assert_ok(
        store_put(turn->store, d->table, store_key_slice(&d->key), slice_of(bytes, row.len)));
}

static void damage(struct people *p, struct person *who, enum store_table table, size_t at,
                   uint64_t order, uint8_t bucket)
{
    struct damage d = {.who = who, .table = table, .key = store_key_new(), .at = at};
    store_key_u32(&d.key, 1);
    if (table == STORE_MESSAGE) {
        store_key_u32(&d.key, 1); /* contact */
        store_key_u64(&d.key, order);
    } else {
        store_key_u8(&d.key, bucket);
        store_key_u32(&d.key, 0); /* a pack of keys */
    }
    sim_turn(&p->sim, who->n, change, &d);
}

static void they_go_on(struct people *p, struct person *a, struct person *b, unsigned i)
{
    people_say(p, b, a, "to a ", i);
    people_say(p, a, b, "to b ", i);
    people_quiet(p, HOUR);
    sim_restart(&p->sim, a->n);
    people_say(p, a, b, "again ", i);
    people_quiet(p, HOUR);
    ck_assert_ok(people_call(p, a->n, "daemon.status", NULL));
}

START_TEST(a_damaged_row_is_passed_over_and_the_others_are_there)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(506, false, &a, &b);
    for (unsigned i = 0; i < 3; i++) {
        people_say(p, b, a, "b ", i);
    }
    struct thief thief = copied(p, a, b, 3);
    damage(p, a, STORE_MESSAGE, 40, 2, 0); /* its ciphertext */
    ck_assert_ok(forget(p, a, b, 4));
    sim_settle(&p->sim, MINUTE);
    ck_assert(!thief_opens(p, &thief));
    ck_assert(at_rest(a));
    ck_assert_uint_eq(texts_of_events(p, a, "b 0"), 1); /* the log is read over the gap */
    ck_assert_uint_eq(texts_of_events(p, a, "b 1"), 0);
    ck_assert_uint_eq(texts_of_events(p, a, "b 2"), 1);
    they_go_on(p, a, b, 0);
    store_mem_free(thief.copy);
    people_free(p);
}
END_TEST

static void touch_all(void *ctx, struct turn *turn)
{
    uint8_t set[SEAL_BUCKETS / 8];
    struct store_key k = store_key_new();
    struct store_key value = store_key_new();
    (void)ctx;
    memset(set, 0xff, sizeof set);
    store_key_u32(&k, 1);
    store_key_u8(&k, 0);
    store_key_u8(&k, 1);
    store_key_bytes(&value, set, sizeof set);
    store_key_u64(&value, 0);
    ck_assert_ok(
        store_put(turn->store, STORE_ACCOUNT, store_key_slice(&k), store_key_slice(&value)));
}

/* The set is not sealed: whatever it says costs work, and no row. */
/* What it wraps would be lost with the root: so that stays, and nothing is forgotten. */
START_TEST(a_damaged_bucket_key_keeps_the_root)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(507, false, &a, &b);
    sim_settle(&p->sim, MINUTE);
    uint32_t before = generation(a);
    damage(p, a, STORE_BUCKET, 40, 0, 192);
    sim_turn(&p->sim, a->n, touch_all, NULL); /* also what has this key */
    sim_restart(&p->sim, a->n);
    sim_settle(&p->sim, MINUTE);
    they_go_on(p, a, b, 0);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(generation(a), before);
    ck_assert_uint_eq(a->n->roots[LIMIT_ACCOUNTS].account, 0);
    damage(p, a, STORE_BUCKET, 40, 0, 192); /* whole again */
    sim_restart(&p->sim, a->n);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_gt(generation(a), before);
    ck_assert(at_rest(a));
    they_go_on(p, a, b, 1);
    people_free(p);
}
END_TEST

START_TEST(a_set_that_names_every_bucket_loses_nothing)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(508, false, &a, &b);
    people_chat(p, a, b, 3, MINUTE);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    uint32_t before = generation(a);
    sim_turn(&p->sim, a->n, touch_all, NULL);
    sim_restart(&p->sim, a->n);
    sim_settle(&p->sim, MINUTE);
    ck_assert_uint_gt(generation(a), before);
    ck_assert(at_rest(a));
    sim_restart(&p->sim, a->n);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 6);
    they_go_on(p, a, b, 0);
    people_free(p);
}
END_TEST

START_TEST(a_host_that_cannot_write_is_asked_again)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(509, false, &a, &b);
    sim_settle(&p->sim, MINUTE);
    for (unsigned fails = 1; fails < 5; fails++) {
        struct thief thief = copied(p, a, b, fails);
        ck_assert_ok(forget(p, a, b, fails));
        a->n->put_fails = fails % 2 * fails;
        a->n->keep_fails = fails;
        sim_settle(&p->sim, MINUTE / 2);
        sim_settle(&p->sim, 2 * MINUTE);
        ck_assert_uint_eq(a->n->put_fails + a->n->keep_fails, 0);
        ck_assert(!thief_opens(p, &thief));
        ck_assert(at_rest(a));
        store_mem_free(thief.copy);
    }
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, an_earlier_copy_opens_with_nothing_that_there_is_a_minute_later);
    tcase_add_test(tc, a_place_in_the_history_is_not_given_twice);
    tcase_add_test(tc, what_waits_to_be_sent_is_not_sent_once_it_was_deleted);
    tcase_add_test(tc, a_crash_at_any_point_loses_nothing_and_the_rest_is_forgotten);
    tcase_add_test(tc, a_store_that_was_put_back_stays_locked);
    tcase_add_test(tc, a_full_disk_puts_it_off);
    tcase_add_test(tc, a_damaged_row_is_passed_over_and_the_others_are_there);
    tcase_add_test(tc, a_damaged_bucket_key_keeps_the_root);
    tcase_add_test(tc, a_set_that_names_every_bucket_loses_nothing);
    tcase_add_test(tc, a_host_that_cannot_write_is_asked_again);
}

int main(void)
{
    return unit_main("sim/forget", add_tests);
}
