/* SPDX-License-Identifier: Apache-2.0
 *
 * link_bench: a link, and a scripted peer at its other end.
 */
#ifndef PETREL_TESTS_LINK_BENCH_H
#define PETREL_TESTS_LINK_BENCH_H

#include "lib/link_peer.h"
#include "link/link.h"

struct link_bench {
    struct link_keys keys;
    struct unit_env env;
    struct link *link;
    struct link_peer peer;
    uint8_t wire[LINK_PEER_WIRE]; /* what the peer sends next */
    struct writer w;
    uint8_t plain[LIMIT_RECORD];
};

void link_bench_start(struct link_bench *b, bool initiator);
/* Gives the link what the peer has written. */
void link_bench_feed(struct link_bench *b);
enum link_event link_bench_next(struct link_bench *b);
/* Lets the peer read one handshake message of the link's output. */
void link_bench_read(struct link_bench *b);
/* Opens one record of the link's output; it must hold a frame of this kind. */
struct frame link_bench_open(struct link_bench *b, uint8_t kind);
void link_bench_say_hello(struct link_bench *b);
/* All but the peer's hello. */
void link_bench_handshake(struct link_bench *b, bool initiator);
void link_bench_open_link(struct link_bench *b, bool initiator);
/* Closed with err, told once, and BYE with code sent (0: none). */
void link_bench_expect_closed(struct link_bench *b, enum err err, unsigned code);

#endif
