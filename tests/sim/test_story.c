/* SPDX-License-Identifier: Apache-2.0
 *
 * story: a relay and two people, from empty stores to messages that were delivered both ways; then
 * the same with a crash before the k-th put of each node, for every k. Whatever crashes, what was
 * acknowledged to a caller is there, exactly once and in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/invite.h"
#include "sim/sim.h"

enum {
    STORY_MESSAGES = 3,
    STORY_STEPS = 20000,
    STORY_STRIDE = 24, /* the largest outside of valgrind: a check of fewer runs says little */
};

struct story {
    struct sim sim;
    struct sim_node *relay;
    struct sim_node *alice;
    struct sim_node *bob;
    char alice_id[128];
    char bob_id[128];
    uint64_t puts_before; /* of the node that is to crash, when the story begins */
    bool late;            /* Bob writes only when the request has just been answered */
};

/* Runs until what(story) holds. */
static void until(struct story *s, bool (*what)(struct story *s), const char *name)
{
    for (unsigned i = 0; !what(s); i++) {
        ck_assert_msg(i < STORY_STEPS, "never came: %s", name);
        if (!sim_run(&s->sim)) {
            sim_advance(&s->sim);
        }
    }
}

static bool ready(struct story *s, struct sim_node *n)
{
    char state[32];
    return sim_call(&s->sim, n, "relay.status", 0, slice_of(NULL, 0)) == ERR_OK &&
           sim_result_str(n, "state", state, sizeof state) && strcmp(state, "ready") == 0;
}

static bool both_ready(struct story *s)
{
    return ready(s, s->alice) && ready(s, s->bob);
}

/* Whether n's only contact is in this state. */
static bool contact_is(struct story *s, struct sim_node *n, const char *wanted)
{
    struct slice list = slice_of(NULL, 0);
    ck_assert_ok(sim_query(&s->sim, n, "contact.list", 0, list));
    struct reader r = reader_of(slice_of(n->reply, n->reply_len));
    char state[32] = "";
    if (pack_read_map(&r, 4) == 0) {
        return false;
    }
    (void)pack_read_str(&r, 32);
    uint32_t count = pack_read_array(&r, 16);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pairs = pack_read_map(&r, 16);
        for (uint32_t p = 0; p < pairs; p++) {
            struct slice key = pack_read_str(&r, 32);
            if (slice_equal(key, unit_str("state"))) {
                struct slice v = pack_read_str(&r, sizeof state - 1);
                memcpy(state, v.p, v.len);
                state[v.len] = '\0';
            } else {
                pack_skip(&r, 4);
            }
        }
    }
    return count == 1 && strcmp(state, wanted) == 0;
}

static bool both_accepted(struct story *s)
{
    return contact_is(s, s->alice, "accepted") && contact_is(s, s->bob, "accepted");
}

static bool outboxes_empty(struct story *s)
{
    uint64_t a = 1;
    uint64_t b = 1;
    (void)sim_call(&s->sim, s->alice, "daemon.status", 0, slice_of(NULL, 0));
    ck_assert(sim_result_uint(s->alice, "outbox", &a));
    (void)sim_call(&s->sim, s->bob, "daemon.status", 0, slice_of(NULL, 0));
    ck_assert(sim_result_uint(s->bob, "outbox", &b));
    return a == 0 && b == 0;
}

static void create(struct story *s, struct sim_node *n, char *id, size_t cap)
{
    ck_assert_ok(sim_call(&s->sim, n, "account.create", 0, slice_of(NULL, 0)));
    ck_assert(sim_result_str(n, "id", id, cap));
}

static void use_relay(struct story *s, struct sim_node *n, const char *address)
{
    char code[80];
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(sim_call(&s->sim, s->relay, "relay.invite", 0, slice_of(NULL, 0)));
    ck_assert(sim_result_str(s->relay, "code", code, sizeof code));
    sim_pair_str(&w, "address", address);
    sim_pair_str(&w, "code", code);
    ck_assert_ok(sim_call(&s->sim, n, "relay.use", 2, writer_done(&w)));
}

static void add(struct story *s, struct sim_node *n, const char *link, const char *text)
{
    uint8_t bytes[1024];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "link", link);
    sim_pair_str(&w, "text", text);
    ck_assert_ok(sim_call(&s->sim, n, "contact.add", 2, writer_done(&w)));
}

static void send(struct story *s, struct sim_node *n, const char *to, const char *who, unsigned i)
{
    uint8_t bytes[512];
    char text[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    snprintf(text, sizeof text, "%s %u", who, i);
    sim_pair_str(&w, "contact", to);
    sim_pair_str(&w, "text", text);
    ck_assert_ok(sim_call(&s->sim, n, "message.send", 2, writer_done(&w)));
}

static struct slice text_of(struct reader *r, struct slice *state)
{
    struct slice text = slice_of(NULL, 0);
    uint32_t pairs = pack_read_map(r, 16);
    for (uint32_t p = 0; p < pairs; p++) {
        struct slice key = pack_read_str(r, 32);
        if (slice_equal(key, unit_str("text"))) {
            text = pack_read_str(r, LIMIT_TEXT);
        } else if (slice_equal(key, unit_str("state"))) {
            *state = pack_read_str(r, 32);
        } else {
            pack_skip(r, 4);
        }
    }
    return text;
}

/* n's history with contact: what each side wrote, exactly once and in its order. */
static void check_history(struct story *s, struct sim_node *n, const char *contact, const char *me,
                          const char *them)
{
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "contact", contact);
    ck_assert_ok(sim_query(&s->sim, n, "message.history", 1, writer_done(&w)));
    struct reader r = reader_of(slice_of(n->reply, n->reply_len));
    ck_assert_uint_eq(pack_read_map(&r, 2), 2);
    (void)pack_read_str(&r, 32);
    uint32_t count = pack_read_array(&r, 1000);
    ck_assert_msg(count == 2 * STORY_MESSAGES, "%s has %u messages", me, count);
    unsigned mine = 0;
    unsigned theirs = 0;
    for (uint32_t i = 0; i < count; i++) {
        char wanted[2][64];
        struct slice state = slice_of(NULL, 0);
        struct slice text = text_of(&r, &state);
        snprintf(wanted[0], sizeof wanted[0], "%s %u", me, mine);
        snprintf(wanted[1], sizeof wanted[1], "%s %u", them, theirs);
        if (slice_equal(text, unit_str(wanted[0]))) {
            ck_assert(slice_equal(state, unit_str("delivered")));
            mine++;
        } else {
            ck_assert_msg(slice_equal(text, unit_str(wanted[1])), "%s: '%.*s' is not '%s'", me,
                          (int)text.len, (const char *)text.p, wanted[1]);
            ck_assert(slice_equal(state, unit_str("received")));
            theirs++;
        }
    }
    ck_assert_uint_eq(mine, STORY_MESSAGES);
    ck_assert_uint_eq(theirs, STORY_MESSAGES);
}

/* Who is to crash, before which put; 0: nobody. by_id: contact by ID and request, not by link. */
static void tell(struct story *s, unsigned who, uint64_t k, bool by_id)
{
    char address[256];
    char link[INVITE_TEXT];
    sim_init(&s->sim, 7);
    s->relay = sim_add(&s->sim, true);
    s->alice = sim_add(&s->sim, false);
    s->bob = sim_add(&s->sim, false);
    s->puts_before = store_mem_puts(s->sim.nodes[who]->mem);
    if (k > 0) {
        sim_crash_at(s->sim.nodes[who], k);
    }
    ck_assert_ok(sim_call(&s->sim, s->relay, "daemon.status", 0, slice_of(NULL, 0)));
    ck_assert(sim_result_str(s->relay, "node", address, sizeof address));
    create(s, s->alice, s->alice_id, sizeof s->alice_id);
    create(s, s->bob, s->bob_id, sizeof s->bob_id);
    use_relay(s, s->alice, address);
    use_relay(s, s->bob, address);
    until(s, both_ready, "both are ready");
    if (by_id) {
        add(s, s->bob, s->alice_id, "it is me");
        while (!contact_is(s, s->bob, "requested")) {
            if (!sim_run(&s->sim)) {
                sim_advance(&s->sim);
            }
        }
        uint8_t bytes[256];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_str(&w, "contact", s->bob_id);
        while (sim_call(&s->sim, s->alice, "request.accept", 1, writer_done(&w)) != ERR_OK) {
            ck_assert_msg(s->alice->reply_err == ERR_UNKNOWN_REQUEST, "request.accept: %s",
                          err_name(s->alice->reply_err));
            if (!sim_run(&s->sim)) {
                sim_advance(&s->sim);
            }
        }
    } else {
        ck_assert_ok(sim_call(&s->sim, s->alice, "invite.create", 0, slice_of(NULL, 0)));
        ck_assert(sim_result_str(s->alice, "link", link, sizeof link));
        add(s, s->bob, link, "");
    }
    if (!s->late) {
        send(s, s->bob, s->alice_id, "bob", 0);
    }
    until(s, both_accepted, "both accepted");
    if (s->late) {
        send(s, s->bob, s->alice_id, "bob", 0);
    }
    for (unsigned i = 0; i < STORY_MESSAGES; i++) {
        send(s, s->alice, s->bob_id, "alice", i);
        if (i > 0) {
            send(s, s->bob, s->alice_id, "bob", i);
        }
    }
    until(s, outboxes_empty, "everything is acknowledged");
    check_history(s, s->alice, s->bob_id, "alice", "bob");
    check_history(s, s->bob, s->alice_id, "bob", "alice");
}

START_TEST(two_people_meet_by_an_invitation_and_talk)
{
    struct story *s = calloc(1, sizeof *s);
    tell(s, 0, 0, false);
    sim_fini(&s->sim);
    free(s);
}
END_TEST

START_TEST(two_people_meet_by_an_id_and_talk)
{
    struct story *s = calloc(1, sizeof *s);
    tell(s, 0, 0, true);
    sim_fini(&s->sim);
    free(s);
}
END_TEST

/* The numbers of the entries that made the contact are used again: nothing may think them sent. */
START_TEST(a_message_right_after_the_request_is_sent_first)
{
    struct story *s = calloc(1, sizeof *s);
    s->late = true;
    tell(s, 0, 0, false);
    sim_fini(&s->sim);
    free(s);
}
END_TEST

/* Every k, or every SIM_STRIDE-th (the whole takes long under sanitizers). */
static unsigned stride(void)
{
    const char *text = getenv("SIM_STRIDE");
    int v = text == NULL ? 1 : atoi(text);
    return v < 1 ? 1 : (unsigned)v;
}

static void crash_everywhere(unsigned who, bool by_id)
{
    struct story *s = calloc(1, sizeof *s);
    tell(s, who, 0, by_id);
    uint64_t puts = store_mem_puts(s->sim.nodes[who]->mem) - s->puts_before;
    sim_fini(&s->sim);
    unsigned runs = 0;
    for (uint64_t k = 1; k <= puts; k += stride()) {
        memset(s, 0, sizeof *s);
        tell(s, who, k, by_id);
        ck_assert_uint_eq(s->sim.nodes[who]->crashes, 1);
        sim_fini(&s->sim);
        runs++;
    }
    printf("node %u: %u runs, one crash each, of %llu puts\n", who, runs, (unsigned long long)puts);
    ck_assert_uint_gt(puts, 200); /* else the story is not the one that is meant */
    if (stride() <= STORY_STRIDE) {
        ck_assert_uint_gt(runs, 10);
    }
    free(s);
}

START_TEST(the_relay_may_crash_before_any_put)
{
    crash_everywhere(0, false);
}
END_TEST

START_TEST(the_inviter_may_crash_before_any_put)
{
    crash_everywhere(1, false);
}
END_TEST

START_TEST(the_invited_may_crash_before_any_put)
{
    crash_everywhere(2, false);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 1700); /* before every put, on a busy machine; ctest has its own limits */
    tcase_add_test(tc, two_people_meet_by_an_invitation_and_talk);
    tcase_add_test(tc, two_people_meet_by_an_id_and_talk);
    tcase_add_test(tc, a_message_right_after_the_request_is_sent_first);
    tcase_add_test(tc, the_relay_may_crash_before_any_put);
    tcase_add_test(tc, the_inviter_may_crash_before_any_put);
    tcase_add_test(tc, the_invited_may_crash_before_any_put);
}

int main(void)
{
    return unit_main("sim/story", add_tests);
}
