/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/sequence.h"

#include <string.h>

#include "lib/unit.h"

static struct unit_env env;
static struct sequence a;
static struct sequence b;

static void setup(void)
{
    unit_env_init(&env, 6, 1);
    sequence_init(&a, &env.env);
    sequence_init(&b, &env.env);
}

static struct body next_body(struct sequence *q, const char *text)
{
    struct body body;
    memset(&body, 0, sizeof body);
    body.content = unit_str(text);
    sequence_fill(q, &body);
    sequence_sent(q, &body);
    return body;
}

static struct sequence_news taken(struct sequence *q, const struct body *body)
{
    struct sequence_news news;
    ck_assert_ok(sequence_take(q, body, &news));
    return news;
}

static void quiet(struct sequence_news news)
{
    ck_assert(!news.duplicate && !news.gap && !news.reset);
}

START_TEST(content_in_order_is_no_news)
{
    for (unsigned i = 0; i < 40; i++) {
        struct body body = next_body(&a, i % 2 == 0 ? "even" : "odd");
        ck_assert_uint_eq(body.seq, i + 1);
        quiet(taken(&b, &body));
    }
    ck_assert_uint_eq(b.have.cum, 40);
}
END_TEST

START_TEST(missing_content_is_a_gap_until_it_comes)
{
    struct body one = next_body(&a, "1");
    struct body two = next_body(&a, "2");
    struct body three = next_body(&a, "3");
    struct body four = next_body(&a, "4");
    quiet(taken(&b, &one));
    ck_assert(taken(&b, &three).gap);
    quiet(taken(&b, &two));
    quiet(taken(&b, &four));
}
END_TEST

START_TEST(a_wrong_prev_hash_is_a_gap_either_way_round)
{
    struct body one = next_body(&a, "1");
    struct body two = next_body(&a, "2");
    struct body three = next_body(&a, "3");
    struct sequence copy = b;
    two.prev_hash[0] ^= 1;
    quiet(taken(&b, &one));
    ck_assert(taken(&b, &two).gap);
    quiet(taken(&b, &three));
    /* the successor came first, and promised another hash */
    b = copy;
    ck_assert(taken(&b, &two).gap);
    ck_assert(taken(&b, &one).gap);
    /* the first has none before it */
    b = copy;
    one.prev_hash[5] = 1;
    ck_assert(taken(&b, &one).gap);
}
END_TEST

START_TEST(an_acknowledgement_of_other_content_counts_for_nothing)
{
    struct body one = next_body(&a, "1");
    struct sequence copy = a;
    struct body two = next_body(&a, "2");
    quiet(taken(&b, &one));
    quiet(taken(&b, &two));
    struct body back = next_body(&b, "back");
    ck_assert(back.has_ack_hash);
    a = copy; /* goes back, and writes something else under that number */
    struct body other = next_body(&a, "another 2");
    ck_assert_uint_eq(other.seq, two.seq);
    struct sequence_news news = taken(&a, &back);
    ck_assert(news.behind && !news.has_acked);
    ck_assert_uint_eq(a.acked.cum, 0);
    /* One more: then it is for who keeps what was sent to compare. */
    (void)next_body(&a, "3");
    back.seq++;
    news = taken(&a, &back);
    ck_assert(!news.behind && news.has_acked);
    ck_assert_uint_eq(news.acked_seq, two.seq);
    uint8_t hash[BODY_HASH];
    body_hash(unit_str("2"), hash);
    ck_assert_mem_eq(news.acked_hash, hash, sizeof hash);
}
END_TEST

START_TEST(content_behind_another_one_than_came_is_a_reset)
{
    struct body one = next_body(&a, "1");
    struct sequence copy = a;
    struct body two = next_body(&a, "2");
    quiet(taken(&b, &one));
    quiet(taken(&b, &two));
    a = copy;
    (void)next_body(&a, "another 2"); /* its key was used: it does not open */
    struct body three = next_body(&a, "3");
    ck_assert(taken(&b, &three).reset);
}
END_TEST

/* "another 2" never opens: an acknowledgement of 3 would be one of it, too. */
START_TEST(after_a_fork_nothing_is_acknowledged)
{
    struct body one = next_body(&a, "1");
    struct sequence copy = a;
    struct body two = next_body(&a, "2");
    quiet(taken(&b, &one));
    quiet(taken(&b, &two));
    ck_assert(next_body(&b, "before").has_ack);
    a = copy;
    (void)next_body(&a, "another 2");
    struct body three = next_body(&a, "3");
    struct body four = next_body(&a, "4");
    ck_assert(taken(&b, &three).reset);
    ck_assert(b.forked);
    ck_assert(!next_body(&b, "after").has_ack);
    quiet(taken(&b, &four));
    uint8_t bytes[SEQUENCE_SAVED_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    sequence_save(&b, &w);
    struct reader r = reader_of(writer_done(&w));
    struct sequence loaded;
    sequence_load(&loaded, &r);
    ck_assert_ok(reader_end(&r));
    ck_assert(!next_body(&loaded, "still").has_ack);
    /* Who numbers anew has nothing under the numbers of before. */
    struct sequence restored;
    sequence_init(&restored, &env.env);
    struct body fresh = next_body(&restored, "fresh");
    ck_assert(taken(&b, &fresh).reset);
    ck_assert(next_body(&b, "again").has_ack);
}
END_TEST

START_TEST(another_boot_id_is_a_reset)
{
    struct body one = next_body(&a, "1");
    quiet(taken(&b, &one));
    struct sequence restored;
    sequence_init(&restored, &env.env);
    struct body fresh = next_body(&restored, "fresh");
    struct sequence_news news = taken(&b, &fresh);
    ck_assert(news.reset && !news.duplicate && !news.gap);
    struct body more = next_body(&restored, "more");
    quiet(taken(&b, &more));
    ck_assert_uint_eq(b.have.cum, 2);
}
END_TEST

START_TEST(a_number_too_old_to_compare_is_a_reset)
{
    struct body first = next_body(&a, "1");
    quiet(taken(&b, &first));
    struct sequence_news news = taken(&b, &first);
    ck_assert(news.duplicate && !news.reset);
    for (unsigned i = 0; i < SEQUENCE_HASHES; i++) {
        struct body body = next_body(&a, "x");
        quiet(taken(&b, &body));
    }
    ck_assert(taken(&b, &first).reset);
}
END_TEST

START_TEST(acknowledgements_of_another_boot_are_ignored)
{
    struct body one = next_body(&a, "1");
    quiet(taken(&b, &one));
    struct body back = next_body(&b, "back");
    back.ack_boot_id[0] ^= 1;
    quiet(taken(&a, &back));
    ck_assert_uint_eq(a.acked.cum, 0);
    back.ack_boot_id[0] ^= 1;
    (void)taken(&a, &back);
    ck_assert_uint_eq(a.acked.cum, 1);
}
END_TEST

START_TEST(numbers_beyond_the_window_are_refused)
{
    struct body body = next_body(&a, "1");
    struct sequence_news news;
    struct sequence copy = b;
    body.seq = ACK_WINDOW + 1;
    ck_assert_err(sequence_take(&copy, &body, &news), ERR_TOO_FAR_AHEAD);
    body.seq = ACK_WINDOW;
    copy = b;
    ck_assert_ok(sequence_take(&copy, &body, &news));
    body = next_body(&a, "2");
    body.settled = ACK_WINDOW + 5;
    copy = b;
    ck_assert_err(sequence_take(&copy, &body, &news), ERR_TOO_FAR_AHEAD);
}
END_TEST

START_TEST(what_is_saved_is_loaded)
{
    for (unsigned i = 0; i < 60; i++) {
        struct body body = next_body(&a, "x");
        if (i % 5 != 1) {
            (void)taken(&b, &body);
        }
    }
    struct body back = next_body(&b, "back");
    (void)taken(&a, &back);
    const struct sequence *both[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[SEQUENCE_SAVED_MAX];
        struct writer w = writer_of(bytes, sizeof bytes);
        sequence_save(both[i], &w);
        struct reader r = reader_of(writer_done(&w));
        struct sequence loaded;
        sequence_load(&loaded, &r);
        ck_assert_ok(reader_end(&r));
        uint8_t again[SEQUENCE_SAVED_MAX];
        struct writer w2 = writer_of(again, sizeof again);
        sequence_save(&loaded, &w2);
        ck_assert(slice_equal(writer_done(&w), writer_done(&w2)));
        ck_assert_mem_eq(&loaded.have, &both[i]->have, sizeof loaded.have);
        ck_assert_mem_eq(&loaded.acked, &both[i]->acked, sizeof loaded.acked);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, content_in_order_is_no_news);
    tcase_add_test(tc, missing_content_is_a_gap_until_it_comes);
    tcase_add_test(tc, a_wrong_prev_hash_is_a_gap_either_way_round);
    tcase_add_test(tc, an_acknowledgement_of_other_content_counts_for_nothing);
    tcase_add_test(tc, content_behind_another_one_than_came_is_a_reset);
    tcase_add_test(tc, after_a_fork_nothing_is_acknowledged);
    tcase_add_test(tc, another_boot_id_is_a_reset);
    tcase_add_test(tc, a_number_too_old_to_compare_is_a_reset);
    tcase_add_test(tc, acknowledgements_of_another_boot_are_ignored);
    tcase_add_test(tc, numbers_beyond_the_window_are_refused);
    tcase_add_test(tc, what_is_saved_is_loaded);
}

int main(void)
{
    return unit_main("pair/sequence", add);
}
