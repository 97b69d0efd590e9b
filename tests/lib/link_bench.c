/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/link_bench.h"

#include "base/pack.h"

void link_bench_start(struct link_bench *b, bool initiator)
{
    link_keys_init(&b->keys, 9);
    unit_env_init(&b->env, 5, 1000000);
    struct link_config config = link_keys_config(&b->keys, initiator);
    ck_assert_ok(link_new(&b->link, &config, &b->env.env));
    link_peer_init(&b->peer, &b->keys, !initiator, NULL, &b->env.env);
    b->w = writer_of(b->wire, sizeof b->wire);
}

void link_bench_feed(struct link_bench *b)
{
    link_receive(b->link, &b->env.env, writer_done(&b->w));
    b->w = writer_of(b->wire, sizeof b->wire);
}

enum link_event link_bench_next(struct link_bench *b)
{
    struct slice frame;
    return link_next(b->link, &b->env.env, &frame);
}

void link_bench_read(struct link_bench *b)
{
    link_output_done(b->link, link_peer_read(&b->peer, link_output(b->link)));
}

struct frame link_bench_open(struct link_bench *b, uint8_t kind)
{
    struct frame frame;
    size_t n = link_peer_open(&b->peer, link_output(b->link), b->plain, &frame);
    link_output_done(b->link, n);
    ck_assert_uint_eq(frame.kind, kind);
    return frame;
}

void link_bench_say_hello(struct link_bench *b)
{
    link_peer_frame(&b->peer, FRAME_HELLO, 0, "840001010102a1780300", &b->w);
}

void link_bench_handshake(struct link_bench *b, bool initiator)
{
    link_bench_start(b, initiator);
    if (initiator) {
        link_bench_read(b);
        link_peer_write(&b->peer, &b->w);
        link_bench_feed(b);
        link_bench_read(b);
    } else {
        link_peer_write(&b->peer, &b->w);
        link_bench_feed(b);
        link_bench_read(b);
        link_peer_write(&b->peer, &b->w);
        link_bench_feed(b);
    }
    link_peer_split(&b->peer);
    struct frame hello = link_bench_open(b, FRAME_HELLO);
    ck_assert_uint_eq(hello.id, 0);
    ck_assert_uint_eq(link_output(b->link).len, 0);
    ck_assert_int_eq(link_bench_next(b), LINK_NOTHING);
}

void link_bench_open_link(struct link_bench *b, bool initiator)
{
    link_bench_handshake(b, initiator);
    link_bench_say_hello(b);
    link_bench_feed(b);
    ck_assert_int_eq(link_bench_next(b), LINK_OPENED);
    ck_assert_int_eq(link_bench_next(b), LINK_NOTHING);
}

void link_bench_expect_closed(struct link_bench *b, enum err err, unsigned code)
{
    if (code != 0) {
        struct frame bye = link_bench_open(b, FRAME_BYE);
        struct reader r = reader_of(bye.body);
        ck_assert_uint_eq(pack_read_uint(&r, UINT16_MAX), code);
        ck_assert_ok(reader_end(&r));
    }
    ck_assert_uint_eq(link_output(b->link).len, 0);
    ck_assert_int_eq(link_bench_next(b), LINK_CLOSED);
    ck_assert_int_eq(link_bench_next(b), LINK_NOTHING);
    ck_assert_int_eq(link_error(b->link), err);
    ck_assert(!link_is_open(b->link));
    ck_assert_uint_eq(link_deadline(b->link), UINT64_MAX);
    ck_assert_err(link_send(b->link, unit_str("x")), ERR_NOT_NOW);
}
