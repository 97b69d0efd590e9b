/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "lib/link_bench.h"
#include "link/hello.h"

/* -------------------------------------------------------------------------- two links, back to
 * back */

struct pair {
    struct link_keys keys;
    struct unit_env env;
    struct link *a; /* initiator */
    struct link *b;
};

static void pair_start(struct pair *p)
{
    link_keys_init(&p->keys, 3);
    unit_env_init(&p->env, 11, 5000);
    struct link_config a = link_keys_config(&p->keys, true);
    struct link_config b = link_keys_config(&p->keys, false);
    ck_assert_ok(link_new(&p->a, &a, &p->env.env));
    ck_assert_ok(link_new(&p->b, &b, &p->env.env));
}

static void pair_free(struct pair *p)
{
    link_free(p->a);
    link_free(p->b);
}

/* Moves all of from's output, chunk bytes at a time. */
static void move(struct pair *p, struct link *from, struct link *to, size_t chunk)
{
    for (struct slice out = link_output(from); out.len > 0; out = link_output(from)) {
        size_t n = out.len < chunk ? out.len : chunk;
        link_receive(to, &p->env.env, slice_of(out.p, n));
        link_output_done(from, n);
    }
}

static void pair_open(struct pair *p, size_t chunk)
{
    pair_start(p);
    for (unsigned i = 0; i < 3; i++) {
        move(p, p->a, p->b, chunk);
        move(p, p->b, p->a, chunk);
    }
    struct slice frame;
    ck_assert_int_eq(link_next(p->a, &p->env.env, &frame), LINK_OPENED);
    ck_assert_int_eq(link_next(p->b, &p->env.env, &frame), LINK_OPENED);
}

START_TEST(two_links_open_whatever_the_pieces)
{
    static const size_t chunks[] = {1, 2, 3, 100, 1249, 1250, 1251, 100000};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        struct pair p;
        pair_open(&p, chunks[i]);
        ck_assert_mem_eq(link_hash(p.a), link_hash(p.b), LINK_HASH);
        ck_assert_mem_eq(link_remote_static(p.b).b, p.keys.initiator_pk.b, 32);
        ck_assert_mem_eq(link_remote_static(p.a).b, p.keys.responder_pk.b, 32);
        pair_free(&p);
    }
}
END_TEST

START_TEST(a_run_repeats_exactly_under_the_same_env)
{
    struct pair p;
    struct pair q;
    pair_open(&p, 100);
    pair_open(&q, 7);
    ck_assert_mem_eq(link_hash(p.a), link_hash(q.a), LINK_HASH);
    pair_free(&p);
    pair_free(&q);
}
END_TEST

START_TEST(frames_arrive_in_order_whatever_the_pieces)
{
    static const size_t chunks[] = {1, 271, 1000, 65536, SIZE_MAX};
    static const size_t sizes[] = {4, 300, 2000, 65278, 60, 9};
    uint8_t *frame = malloc(LIMIT_FRAME);
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
        struct pair p;
        pair_open(&p, 4096);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct writer w = writer_of(frame, LIMIT_FRAME);
            size_t body = sizes[i] - 3;
            memset(frame, (int)i, LIMIT_FRAME);
            writer_bytes(&w, "\x93\x13\x01", 3);
            if (body > 3) {
                size_t head = body - 2 <= 255 ? 2 : 3;
                writer_u8(&w, head == 2 ? 0xc4 : 0xc5);
                head == 2 ? writer_u8(&w, (uint8_t)(body - head))
                          : writer_u16(&w, (uint16_t)(body - head));
            }
            ck_assert_ok(link_send(p.a, slice_of(frame, sizes[i])));
        }
        move(&p, p.a, p.b, chunks[c]);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct slice got;
            ck_assert_int_eq(link_next(p.b, &p.env.env, &got), LINK_FRAME);
            ck_assert_uint_eq(got.len, sizes[i]);
            ck_assert(sizes[i] == 4 || got.p[got.len - 1] == i);
        }
        struct slice none;
        ck_assert_int_eq(link_next(p.b, &p.env.env, &none), LINK_NOTHING);
        pair_free(&p);
    }
    free(frame);
}
END_TEST

START_TEST(frames_before_a_bye_are_delivered_first)
{
    struct pair p;
    struct slice frame;
    pair_open(&p, 4096);
    ck_assert_ok(link_send(p.a, unit_str("\x93\x13\x01\xc0")));
    link_close(p.a, ERR_STALE);
    move(&p, p.a, p.b, SIZE_MAX);
    ck_assert(!link_is_open(p.b));
    ck_assert_int_eq(link_next(p.b, &p.env.env, &frame), LINK_FRAME);
    ck_assert_uint_eq(frame.len, 4);
    ck_assert_int_eq(link_next(p.b, &p.env.env, &frame), LINK_CLOSED);
    ck_assert_int_eq(link_error(p.b), ERR_STALE);
    pair_free(&p);
}
END_TEST

START_TEST(a_sent_frame_of_no_or_too_many_bytes_is_refused)
{
    struct pair p;
    uint8_t *big = calloc(1, LIMIT_FRAME + 1);
    pair_open(&p, 4096);
    ck_assert_err(link_send(p.a, slice_of(big, LIMIT_FRAME + 1)), ERR_TOO_LARGE);
    ck_assert_uint_eq(link_output(p.a).len, 0);
    ck_assert(link_is_open(p.a));
    free(big);
    pair_free(&p);
}
END_TEST

START_TEST(anonymous_and_known_initiators_look_alike_in_size)
{
    size_t sizes[2][3];
    for (unsigned run = 0; run < 2; run++) {
        struct pair p;
        pair_start(&p);
        if (run == 1) { /* a fresh static instead of the link key */
            struct link_config config = link_keys_config(&p.keys, true);
            env_random(&p.env.env, config.static_key.b, 32);
            link_free(p.a);
            ck_assert_ok(link_new(&p.a, &config, &p.env.env));
        }
        sizes[run][0] = link_output(p.a).len;
        move(&p, p.a, p.b, SIZE_MAX);
        sizes[run][1] = link_output(p.b).len;
        move(&p, p.b, p.a, SIZE_MAX);
        sizes[run][2] = link_output(p.a).len;
        pair_free(&p);
    }
    ck_assert_mem_eq(sizes[0], sizes[1], sizeof sizes[0]);
    ck_assert_uint_eq(sizes[0][0], 2 + 1248);
    ck_assert_uint_eq(sizes[0][1], 2 + 1152);
    ck_assert_uint_eq(sizes[0][2], 2 + 64 + 2 + 272);
}
END_TEST

START_TEST(a_node_id_that_is_no_key_is_refused)
{
    struct pair p;
    struct link *link = NULL;
    pair_start(&p);
    struct link_config config = link_keys_config(&p.keys, true);
    memset(config.node_id.b, 0, 32);
    ck_assert_err(link_new(&link, &config, &p.env.env), ERR_BAD_KEY);
    ck_assert_ptr_null(link);
    pair_free(&p);
}
END_TEST

START_TEST(a_responder_that_is_someone_else_is_refused_in_silence)
{
    struct pair p;
    struct slice frame;
    struct link_keys other;
    pair_start(&p);
    link_keys_init(&other, 77);
    struct link_config config = link_keys_config(&other, false);
    link_free(p.b);
    ck_assert_ok(link_new(&p.b, &config, &p.env.env));
    move(&p, p.a, p.b, SIZE_MAX);
    ck_assert_uint_eq(link_output(p.b).len, 0);
    ck_assert_int_eq(link_next(p.b, &p.env.env, &frame), LINK_CLOSED);
    ck_assert_int_eq(link_error(p.b), ERR_HANDSHAKE);
    pair_free(&p);
}
END_TEST

/* --------------------------------------------------------------------------------- hostile peers
 */

START_TEST(every_first_byte_pair_of_garbage_is_dropped_at_once_but_the_right_length)
{
    struct link_bench *b = malloc(sizeof *b);
    for (unsigned len = 0; len < 65536; len += 13) {
        unsigned n = len == 1248 ? 1249 : len;
        uint8_t header[2] = {(uint8_t)(n >> 8), (uint8_t)n};
        link_bench_start(b, false);
        link_receive(b->link, &b->env.env, slice_of(header, 2));
        link_bench_expect_closed(b, ERR_HANDSHAKE, 0);
        link_free(b->link);
    }
    free(b);
}
END_TEST

START_TEST(a_peer_with_another_prologue_is_dropped_in_silence)
{
    struct link_bench *b = malloc(sizeof *b);
    link_bench_start(b, false);
    link_peer_init(&b->peer, &b->keys, true, "petrel/2 link", &b->env.env);
    link_peer_write(&b->peer, &b->w);
    link_bench_feed(b);
    link_bench_expect_closed(b, ERR_HANDSHAKE, 0);
    link_free(b->link);
    free(b);
}
END_TEST

START_TEST(a_replayed_record_closes_the_link)
{
    struct link_bench *b = malloc(sizeof *b);
    uint8_t copy[512];
    link_bench_open_link(b, false);
    link_peer_frame(&b->peer, FRAME_PONG, 0, "c0", &b->w);
    size_t n = b->w.len;
    memcpy(copy, b->wire, n);
    link_bench_feed(b);
    writer_bytes(&b->w, copy, n);
    link_bench_feed(b);
    link_bench_expect_closed(b, ERR_DECRYPT, ERR_DECRYPT);
    link_free(b->link);
    free(b);
}
END_TEST

START_TEST(control_frames_out_of_form_close_the_link)
{
    static const struct {
        uint8_t kind;
        uint32_t id;
        const char *body;
    } bad[] = {{FRAME_PING, 1, "c0"},  {FRAME_PING, 0, "00"}, {FRAME_PONG, 7, "c0"},
               {FRAME_PONG, 0, "80"},  {FRAME_BYE, 3, "00"},  {FRAME_BYE, 0, "c0"},
               {FRAME_BYE, 0, "a161"}, {FRAME_HELLO, 1, "c0"}};
    struct link_bench *b = malloc(sizeof *b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        link_bench_open_link(b, i % 2 == 0);
        link_peer_frame(&b->peer, bad[i].kind, bad[i].id, bad[i].body, &b->w);
        link_bench_feed(b);
        link_bench_expect_closed(b, ERR_MALFORMED, ERR_MALFORMED);
        link_free(b->link);
    }
    free(b);
}
END_TEST

START_TEST(a_bye_cannot_blame_our_disk)
{
    static const struct {
        const char *body;
        enum err err;
    } cases[] = {{"00", ERR_LINK_CLOSED},     {"cccb", ERR_LINK_CLOSED},
                 {"cd01f3", ERR_LINK_CLOSED}, {"cd0135", ERR_LINK_CLOSED},
                 {"69", ERR_VERSION},         {"cdffff", ERR_PROTOCOL}};
    struct link_bench *b = malloc(sizeof *b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        link_bench_open_link(b, true);
        link_peer_frame(&b->peer, FRAME_BYE, 0, cases[i].body, &b->w);
        link_bench_feed(b);
        link_bench_expect_closed(b, cases[i].err, 0);
        link_free(b->link);
    }
    free(b);
}
END_TEST

START_TEST(our_own_troubles_are_not_told)
{
    struct link_bench *b = malloc(sizeof *b);
    link_bench_open_link(b, true);
    link_close(b->link, ERR_DISK_FULL);
    link_bench_expect_closed(b, ERR_DISK_FULL, ERR_LINK_CLOSED);
    link_free(b->link);
    free(b);
}
END_TEST

START_TEST(two_nodes_of_different_versions_both_learn_why)
{
    struct link_bench *b = malloc(sizeof *b);
    for (unsigned initiator = 0; initiator < 2; initiator++) {
        link_bench_handshake(b, initiator == 1);
        /* version 3, min 2, keys of a later time */
        link_peer_frame(&b->peer, FRAME_HELLO, 0, "860003010202a178030009c00a8101c0", &b->w);
        link_bench_feed(b);
        link_bench_expect_closed(b, ERR_VERSION, ERR_VERSION);
        link_free(b->link);
        /* and the other way round: the refusal reaches the one refused */
        link_bench_handshake(b, initiator == 1);
        link_peer_frame(&b->peer, FRAME_BYE, 0, "69", &b->w);
        link_bench_feed(b);
        link_bench_expect_closed(b, ERR_VERSION, 0);
        link_free(b->link);
    }
    free(b);
}
END_TEST

START_TEST(a_newer_node_that_still_speaks_ours_is_welcome)
{
    struct link_bench *b = malloc(sizeof *b);
    link_bench_handshake(b, true);
    link_peer_frame(&b->peer, FRAME_HELLO, 0, "840002010102a1780300", &b->w);
    link_bench_feed(b);
    ck_assert_int_eq(link_bench_next(b), LINK_OPENED);
    link_free(b->link);
    free(b);
}
END_TEST

START_TEST(a_peer_that_pings_and_does_not_read_makes_no_output_grow)
{
    struct link_bench *b = malloc(sizeof *b);
    link_bench_open_link(b, false);
    for (unsigned i = 0; i < 1000; i++) {
        link_peer_frame(&b->peer, FRAME_PING, 0, "c0", &b->w);
        link_bench_feed(b);
    }
    ck_assert_uint_eq(link_output(b->link).len, sealer_size(4));
    link_bench_open(b, FRAME_PONG);
    link_free(b->link);
    free(b);
}
END_TEST

/* ------------------------------------------------------------------------------------------ time
 */

START_TEST(a_half_open_link_ends_at_its_deadline_even_when_bytes_trickle_in)
{
    struct link_bench *b = malloc(sizeof *b);
    link_bench_start(b, false);
    uint64_t deadline = link_deadline(b->link);
    ck_assert_uint_eq(deadline, b->env.env.now_ms + LIMIT_HANDSHAKE_MS);
    link_peer_write(&b->peer, &b->w);
    for (size_t i = 0; i < 1000; i++) {
        b->env.env.now_ms += 9;
        link_receive(b->link, &b->env.env, slice_of(b->wire + i, 1));
        ck_assert_uint_eq(link_deadline(b->link), deadline);
    }
    b->env.env.now_ms = deadline;
    link_tick(b->link, &b->env.env);
    link_bench_expect_closed(b, ERR_TIMEOUT, 0);
    link_free(b->link);
    free(b);
}
END_TEST

START_TEST(silence_is_asked_about_and_any_record_is_an_answer)
{
    struct link_bench *b = malloc(sizeof *b);
    static const char *const bodies[] = {"c0", "40"};
    static const uint8_t kinds[] = {FRAME_PONG, FRAME_CREDIT};
    for (unsigned i = 0; i < 2; i++) {
        link_bench_open_link(b, true);
        uint64_t idle = b->env.env.now_ms + LIMIT_LINK_IDLE_MS;
        ck_assert_uint_eq(link_deadline(b->link), idle);
        b->env.env.now_ms = idle + 5;
        link_tick(b->link, &b->env.env);
        link_bench_open(b, FRAME_PING);
        ck_assert_uint_eq(link_deadline(b->link), idle + 5 + LIMIT_LINK_DEAD_MS);
        link_tick(b->link, &b->env.env); /* not asked twice */
        ck_assert_uint_eq(link_output(b->link).len, 0);
        b->env.env.now_ms += LIMIT_LINK_DEAD_MS - 1;
        link_peer_frame(&b->peer, kinds[i], 0, bodies[i], &b->w);
        link_bench_feed(b);
        ck_assert_uint_eq(link_deadline(b->link), b->env.env.now_ms + LIMIT_LINK_IDLE_MS);
        link_free(b->link);
    }
    free(b);
}
END_TEST

START_TEST(two_idle_links_keep_each_other_alive)
{
    struct pair p;
    struct slice frame;
    pair_open(&p, 4096);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t a = link_deadline(p.a);
        uint64_t b = link_deadline(p.b);
        p.env.env.now_ms = a < b ? a : b;
        link_tick(p.a, &p.env.env);
        link_tick(p.b, &p.env.env);
        move(&p, p.a, p.b, 100);
        move(&p, p.b, p.a, 100);
        move(&p, p.a, p.b, 100);
    }
    ck_assert_int_eq(link_next(p.a, &p.env.env, &frame), LINK_NOTHING);
    ck_assert_int_eq(link_next(p.b, &p.env.env, &frame), LINK_NOTHING);
    ck_assert(link_is_open(p.a) && link_is_open(p.b));
    pair_free(&p);
}
END_TEST

/* ---------------------------------------------------------------------------------------- memory
 */

START_TEST(an_idle_link_costs_less_than_700_bytes)
{
#ifndef PETREL_SANITIZED
    enum {
        LINKS = 200
    };
    struct pair p[LINKS];
    struct mallinfo2 before = mallinfo2();
    for (unsigned i = 0; i < LINKS; i++) {
        pair_open(&p[i], 4096);
    }
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_lt((after.uordblks - before.uordblks) / (2 * LINKS), 700);
    for (unsigned i = 0; i < LINKS; i++) {
        pair_free(&p[i]);
    }
#endif
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, two_links_open_whatever_the_pieces);
    tcase_add_test(tc, a_run_repeats_exactly_under_the_same_env);
    tcase_add_test(tc, frames_arrive_in_order_whatever_the_pieces);
    tcase_add_test(tc, frames_before_a_bye_are_delivered_first);
    tcase_add_test(tc, a_sent_frame_of_no_or_too_many_bytes_is_refused);
    tcase_add_test(tc, anonymous_and_known_initiators_look_alike_in_size);
    tcase_add_test(tc, a_node_id_that_is_no_key_is_refused);
    tcase_add_test(tc, a_responder_that_is_someone_else_is_refused_in_silence);
    tcase_add_test(tc, every_first_byte_pair_of_garbage_is_dropped_at_once_but_the_right_length);
    tcase_add_test(tc, a_peer_with_another_prologue_is_dropped_in_silence);
    tcase_add_test(tc, a_replayed_record_closes_the_link);
    tcase_add_test(tc, control_frames_out_of_form_close_the_link);
    tcase_add_test(tc, a_bye_cannot_blame_our_disk);
    tcase_add_test(tc, our_own_troubles_are_not_told);
    tcase_add_test(tc, two_nodes_of_different_versions_both_learn_why);
    tcase_add_test(tc, a_newer_node_that_still_speaks_ours_is_welcome);
    tcase_add_test(tc, a_peer_that_pings_and_does_not_read_makes_no_output_grow);
    tcase_add_test(tc, a_half_open_link_ends_at_its_deadline_even_when_bytes_trickle_in);
    tcase_add_test(tc, silence_is_asked_about_and_any_record_is_an_answer);
    tcase_add_test(tc, two_idle_links_keep_each_other_alive);
    tcase_add_test(tc, an_idle_link_costs_less_than_700_bytes);
}

int main(void)
{
    return unit_main("link.link", add);
}
