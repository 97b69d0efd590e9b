/* SPDX-License-Identifier: Apache-2.0 */
/* What others say our address is, and what follows of it (BEP 42). */
#include "dht/dht.h"

#include <string.h>

#include "lib/dht_rig.h"

enum {
    HONEST = 20, /* each at a host of its own, and their ID fits: more than there are votes */
    NO_ID = 20,  /* behind them: likewise, and their ID does not fit */
    CROWD = 20,  /* behind them: all at one host, and their IDs fit */
    ALL = HONEST + NO_ID + CROWD,
    MINUTE = 60 * 1000,
    MOVED = 5 * MINUTE,
};

/* One node, and others that answer it, and say what its address is. */
struct field {
    struct unit_env u;
    struct dht *dht;
    struct dht_contact who[ALL];
    struct dht_address says[ALL];
    unsigned answers[ALL];
    struct dht_id shown; /* the ID in the node's last question */
    unsigned moves;      /* that were looked at: everybody is known by then */
    bool settled;
    bool v6;
};

/* Three addresses of ours: of IPv6 in three networks. */
static struct dht_address ours(bool v6, unsigned n)
{
    return dht_rig_at(240 + n, v6);
}

static void say(struct field *f, unsigned from, unsigned to, unsigned n)
{
    for (unsigned i = from; i < to; i++) {
        f->says[i] = ours(f->v6, n);
    }
}

static struct dht_status status_of(const struct field *f)
{
    struct dht_status s;
    dht_status(f->dht, &f->u.env, &s);
    return s;
}

/* In the table that it has now is who would be in a new one of this ID, and good as before. */
static void everybody_has_a_place(const struct field *f)
{
    struct dht_status s = status_of(f);
    struct dht_table t;
    unsigned good;
    ck_assert_ok(dht_table_init(&t, &s.id[f->v6], f->v6, f->u.env.now_ms));
    for (unsigned i = 0; i < ALL; i++) {
        dht_table_heard(&t, &f->who[i], true, f->u.env.now_ms);
    }
    ck_assert_uint_eq(s.nodes[f->v6], dht_table_size(&t, f->u.env.now_ms, &good));
    ck_assert_uint_eq(s.good[f->v6], good);
    dht_table_fini(&t);
}

static void answer(struct field *f, const struct dht_output *out)
{
    struct krpc q;
    uint8_t ip[DHT_COMPACT6];
    uint8_t bytes[KRPC_DATAGRAM];
    struct krpc m = {.kind = KRPC_REPLY, .method = KRPC_UNKNOWN, .has_id = true};
    unsigned i = 0;
    while (i < ALL && !dht_address_equal(&f->who[i].address, &out->to)) {
        i++;
    }
    ck_assert_uint_lt(i, ALL);
    ck_assert_ok(krpc_read(slice_of(out->bytes, out->len), &q));
    f->shown = q.id;
    f->answers[i]++;
    m.id = f->who[i].id;
    m.transaction = q.transaction;
    struct writer w = writer_of(ip, sizeof ip);
    dht_address_write(&w, &f->says[i]);
    m.ip = writer_done(&w);
    w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    struct dht_id before = status_of(f).id[f->v6];
    dht_datagram(f->dht, &f->u.env, &f->who[i].address, writer_done(&w));
    struct dht_id now = status_of(f).id[f->v6];
    if (f->settled && !dht_id_equal(&before, &now)) {
        everybody_has_a_place(f);
        f->moves++;
    }
}

static void deliver(struct field *f)
{
    struct dht_output out;
    while (dht_next_output(f->dht, &out)) {
        if (out.kind == DHT_OUT_DATAGRAM) {
            answer(f, &out);
        }
    }
}

/* A minute in which it looks somebody up, and asks those that it began with. */
static void minute(struct field *f)
{
    struct dht_id target;
    env_random(&f->u.env, target.b, sizeof target.b);
    (void)dht_get_immutable(f->dht, &f->u.env, &target);
    for (unsigned i = 0; i < ALL; i++) {
        dht_bootstrap(f->dht, &f->u.env, &f->who[i].address);
        deliver(f);
    }
    for (unsigned s = 0; s < 60; s++) {
        if (dht_deadline(f->dht) <= f->u.env.now_ms) {
            dht_tick(f->dht, &f->u.env);
        }
        deliver(f);
        f->u.env.now_ms += 1000;
    }
}

static bool is_at(const struct field *f, unsigned n)
{
    struct dht_status s = status_of(f);
    struct dht_address a = ours(f->v6, n);
    return dht_address_equal(&s.external[f->v6], &a) && dht_id_fits(&s.id[f->v6], &a);
}

/* All say the first address, and the node believes it. */
static void setup(struct field *f, bool v6)
{
    memset(f, 0, sizeof *f);
    f->v6 = v6;
    unit_env_init(&f->u, 8, DHT_RIG_NOW);
    struct dht_config config = {.families = {!v6, v6}};
    f->dht = dht_new(&config, &f->u.env);
    ck_assert_ptr_nonnull(f->dht);
    for (unsigned i = 0; i < ALL; i++) {
        f->who[i].address = dht_rig_at(i < HONEST + NO_ID ? i : (unsigned)HONEST + NO_ID, v6);
        f->who[i].address.port = (uint16_t)(DHT_RIG_PORT + i);
        f->who[i].id = dht_id_for(&f->u.env, &f->who[i].address);
        f->who[i].id.b[0] ^= i >= HONEST && i < HONEST + NO_ID ? 0x55 : 0;
    }
    say(f, 0, ALL, 0);
    for (unsigned m = 0; m < 10; m++) {
        minute(f);
    }
    ck_assert(is_at(f, 0));
    everybody_has_a_place(f);
    f->settled = true;
}

/* For an hour it stays where it is. */
static void stays(struct field *f, unsigned n)
{
    struct dht_id id = status_of(f).id[f->v6];
    memset(f->answers, 0, sizeof f->answers);
    for (unsigned m = 0; m < 60; m++) {
        minute(f);
        ck_assert(is_at(f, n));
        ck_assert(dht_id_equal(&status_of(f).id[f->v6], &id));
    }
    for (unsigned i = 0; i < ALL; i++) {
        ck_assert_uint_ge(f->answers[i], 10); /* they all had their say */
    }
}

/* Half of the honest that are asked last can be liars. */
START_TEST(a_minority_that_lies_changes_nothing)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct field f;
        setup(&f, v6 == 1);
        say(&f, 0, 8, 1);
        stays(&f, 0);
        dht_free(f.dht);
    }
}
END_TEST

START_TEST(who_is_in_no_table_has_no_word)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct field f;
        setup(&f, v6 == 1);
        say(&f, HONEST, ALL, 1); /* the crowd has one */
        say(&f, 0, 6, 1);
        stays(&f, 0);
        dht_free(f.dht);
    }
}
END_TEST

static void until_at(struct field *f, unsigned n)
{
    for (unsigned m = 0; m < 60 && !is_at(f, n); m++) {
        minute(f);
    }
    ck_assert(is_at(f, n));
}

START_TEST(a_majority_gives_us_another_address_and_id)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct field f;
        setup(&f, v6 == 1);
        struct dht_address before = ours(f.v6, 0);
        say(&f, 0, 13, 1);
        until_at(&f, 1);
        struct dht_status s = status_of(&f);
        ck_assert(!dht_id_fits(&s.id[v6], &before));
        ck_assert_uint_eq(f.moves, 1);
        stays(&f, 1); /* with seven who say what was */
        s = status_of(&f);
        ck_assert(dht_id_equal(&f.shown, &s.id[v6])); /* it goes by the new one */
        everybody_has_a_place(&f);
        dht_free(f.dht);
    }
}
END_TEST

/* Who can make most of them lie cannot make it wander from place to place all the time. */
START_TEST(we_move_once_in_five_minutes_at_most)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct field f;
        setup(&f, v6 == 1);
        say(&f, 0, ALL, 1);
        minute(&f);
        ck_assert(is_at(&f, 1));
        say(&f, 0, ALL, 2);
        uint64_t moved = f.u.env.now_ms;
        while (f.u.env.now_ms - moved < MOVED - 2 * MINUTE) {
            minute(&f);
            ck_assert(is_at(&f, 1));
        }
        until_at(&f, 2);
        ck_assert_uint_le(f.u.env.now_ms - moved, MOVED + 2 * MINUTE);
        dht_free(f.dht);
    }
}
END_TEST

/* Who is not in our network cannot know an address that means something only there. */
START_TEST(a_local_address_is_believed_to_nobody_from_elsewhere)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct field f;
        setup(&f, v6 == 1);
        for (unsigned i = 0; i < ALL; i++) {
            f.says[i] = v6 == 1 ? (struct dht_address){.v6 = true, .ip = {0xfd, 1}, .port = 7}
                                : (struct dht_address){.ip = {192, 168, 1, 1}, .port = 7};
        }
        stays(&f, 0);
        dht_free(f.dht);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_minority_that_lies_changes_nothing);
    tcase_add_test(tc, who_is_in_no_table_has_no_word);
    tcase_add_test(tc, a_majority_gives_us_another_address_and_id);
    tcase_add_test(tc, we_move_once_in_five_minutes_at_most);
    tcase_add_test(tc, a_local_address_is_believed_to_nobody_from_elsewhere);
}

int main(void)
{
    return unit_main("dht/address", add_tests);
}
