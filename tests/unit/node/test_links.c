/* SPDX-License-Identifier: Apache-2.0
 *
 * links: which are open, credit both ways, requests that wait.
 */
#include <string.h>

#include "base/pack.h"
#include "lib/unit.h"
#include "node/links.h"

struct rig {
    struct unit_env env;
    struct turn turn;
    struct node_outputs outs;
    struct step step;
    struct links links;
};

static void set_up(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    unit_env_init(&rig->env, 1, 1000000);
    rig->turn.env = &rig->env.env;
    rig->step = (struct step){.turn = &rig->turn, .outs = &rig->outs};
    ck_assert_ok(links_init(&rig->links));
}

static void tear_down(struct rig *rig)
{
    node_outputs_free(&rig->outs);
    links_fini(&rig->links);
}

static struct node_link *dial(struct rig *rig, enum link_purpose purpose, uint16_t port)
{
    struct address address = {.host = "host", .port = port};
    struct dh_sk key = {{0}};
    struct node_link *link;
    switch (purpose) {
    case LINK_OWNER:
        ck_assert_ok(links_owner(&rig->links, &rig->step, 1, &address, &key, &link));
        break;
    case LINK_ANONYMOUS:
        ck_assert_ok(links_anonymous(&rig->links, &rig->step, 1, 0, &address, &link));
        break;
    case LINK_RESOLVE:
        ck_assert_ok(links_resolve(&rig->links, &rig->step, 1, 0, &address, &link));
        break;
    case LINK_INBOUND:
    case LINK_FORWARD:
        ck_assert_ok(links_forward(&rig->links, &rig->step, &address, &link));
    }
    return link;
}

START_TEST(only_what_is_passed_on_must_be_public)
{
    struct rig rig;
    set_up(&rig);
    (void)dial(&rig, LINK_OWNER, 1);
    ck_assert(!rig.outs.last->connect.public_only);
    (void)dial(&rig, LINK_ANONYMOUS, 1);
    ck_assert(!rig.outs.last->connect.public_only);
    (void)dial(&rig, LINK_RESOLVE, 1);
    ck_assert(!rig.outs.last->connect.public_only);
    (void)dial(&rig, LINK_FORWARD, 1);
    ck_assert(rig.outs.last->connect.public_only);
    rig.links.forward_private = true;
    (void)dial(&rig, LINK_FORWARD, 2);
    ck_assert(!rig.outs.last->connect.public_only);
    tear_down(&rig);
}
END_TEST

START_TEST(one_link_serves_a_relay_and_a_purpose)
{
    struct rig rig;
    set_up(&rig);
    struct node_link *a = dial(&rig, LINK_ANONYMOUS, 1);
    ck_assert_ptr_eq(dial(&rig, LINK_ANONYMOUS, 1), a);
    ck_assert_ptr_ne(dial(&rig, LINK_ANONYMOUS, 2), a);
    ck_assert_ptr_ne(dial(&rig, LINK_OWNER, 1), a);
    ck_assert_uint_eq(rig.outs.count, 3); /* connects */
    ck_assert((a->id & LINKS_OWN_BIT) != 0);
    uint64_t id = a->id;
    links_remove(&rig.links, id);
    links_remove(&rig.links, id);
    ck_assert_ptr_null(links_find(&rig.links, id));
    ck_assert_uint_ne(dial(&rig, LINK_ANONYMOUS, 1)->id, id); /* numbers never come twice */
    tear_down(&rig);
}
END_TEST

START_TEST(thousands_of_links_are_found)
{
    struct rig rig;
    uint8_t hash[64] = {1};
    set_up(&rig);
    for (uint64_t id = 1; id <= 3000; id++) {
        ck_assert_ok(links_opened_inbound(&rig.links, id, hash));
    }
    for (uint64_t id = 1; id <= 3000; id += 2) {
        links_remove(&rig.links, id);
    }
    for (uint64_t id = 1; id <= 3000; id++) {
        ck_assert_int_eq(links_find(&rig.links, id) != NULL, id % 2 == 0);
    }
    ck_assert_uint_eq(rig.links.count, 1500);
    tear_down(&rig);
}
END_TEST

START_TEST(requests_need_an_open_link_a_place_and_credit)
{
    struct rig rig;
    set_up(&rig);
    struct node_link *link = dial(&rig, LINK_ANONYMOUS, 1);
    struct slice body = slice_of("\x80", 1);
    struct link_request request;
    ck_assert_err(links_request(link, &rig.step, FRAME_QUEUE_DEPOSIT, body, 1, 1), ERR_NOT_NOW);
    ck_assert_uint_eq(links_deadline(&rig.links), UINT64_MAX);
    link->open = true;
    for (unsigned i = 0; i < LINK_REQUESTS; i++) {
        ck_assert_ok(links_request(link, &rig.step, FRAME_QUEUE_DEPOSIT, body, i + 1, i));
    }
    ck_assert_err(links_request(link, &rig.step, FRAME_QUEUE_DEPOSIT, body, 1, 1), ERR_NOT_NOW);
    ck_assert_uint_eq(links_deadline(&rig.links), 1000000 + LIMIT_REQUEST_TIMEOUT_MS);
    /* Of another kind, with no number, or twice: not an answer. */
    uint8_t reply = FRAME_QUEUE_DEPOSIT + FRAME_REPLY;
    ck_assert_err(links_answered(link, 1, reply + 1, &request), ERR_PROTOCOL);
    ck_assert_err(links_answered(link, 0, reply, &request), ERR_PROTOCOL);
    ck_assert_ok(links_answered(link, 1, reply, &request));
    ck_assert_uint_eq(request.peer, 1);
    ck_assert_err(links_answered(link, 1, reply, &request), ERR_PROTOCOL);
    link->credit = 0;
    ck_assert_err(links_request(link, &rig.step, FRAME_QUEUE_DEPOSIT, body, 1, 1), ERR_NOT_NOW);
    tear_down(&rig);
}
END_TEST

START_TEST(credit_is_granted_in_time_and_its_limit_holds)
{
    struct rig rig;
    uint8_t hash[64] = {1};
    set_up(&rig);
    ck_assert_ok(links_opened_inbound(&rig.links, 1, hash));
    struct node_link *link = links_find(&rig.links, 1);
    /* Within one turn no more than the whole credit, however often we would have granted. */
    for (unsigned i = 0; i < LIMIT_LINK_CREDIT; i++) {
        ck_assert_ok(links_received(&rig.links, link, FRAME_QUEUE_DEPOSIT));
    }
    ck_assert_uint_eq(rig.outs.count, 0);
    ck_assert_ok(links_received(&rig.links, link, FRAME_CREDIT)); /* costs none */
    ck_assert_err(links_received(&rig.links, link, FRAME_QUEUE_DEPOSIT), ERR_FLOW);
    /* Its end gives it back, once. */
    ck_assert_ok(links_grant(&rig.links, &rig.step));
    ck_assert_uint_eq(rig.outs.count, 1);
    ck_assert_ok(links_grant(&rig.links, &rig.step));
    ck_assert_uint_eq(rig.outs.count, 1);
    /* Turns with less than half of it give nothing back until half is used up. */
    for (unsigned i = 0; i < LIMIT_LINK_CREDIT / 2; i++) {
        ck_assert_ok(links_received(&rig.links, link, FRAME_QUEUE_DEPOSIT));
        ck_assert_ok(links_grant(&rig.links, &rig.step));
        ck_assert_uint_eq(rig.outs.count, i + 1 < LIMIT_LINK_CREDIT / 2 ? 1 : 2);
    }
    /* A link that is gone gets none. */
    for (unsigned i = 0; i < LIMIT_LINK_CREDIT; i++) {
        ck_assert_ok(links_received(&rig.links, link, FRAME_QUEUE_DEPOSIT));
    }
    links_remove(&rig.links, 1);
    ck_assert_ok(links_grant(&rig.links, &rig.step));
    ck_assert_uint_eq(rig.outs.count, 2);
    tear_down(&rig);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, only_what_is_passed_on_must_be_public);
    tcase_add_test(tc, one_link_serves_a_relay_and_a_purpose);
    tcase_add_test(tc, thousands_of_links_are_found);
    tcase_add_test(tc, requests_need_an_open_link_a_place_and_credit);
    tcase_add_test(tc, credit_is_granted_in_time_and_its_limit_holds);
}

int main(void)
{
    return unit_main("node/links", add_tests);
}
