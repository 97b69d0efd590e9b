/* SPDX-License-Identifier: Apache-2.0
 *
 * pair_ours: Petrel's sessions as the node runs them: load, seal or open, save, for each envelope.
 */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/pair.h"

static struct pair_party parties[2];
static struct arena turn; /* memory of one turn, as the engine has it */
static struct {
    uint8_t bytes[256 * 1024];
    size_t len;
} store[2];
static unsigned since_ack;

static void random_bytes(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

static void load(int side)
{
    bench_must(session_load(parties[side].session, slice_of(store[side].bytes, store[side].len)) ==
                   ERR_OK,
               "session_load");
}

static void save(int side)
{
    struct slice saved;
    bench_must(session_save(parties[side].session, &turn, &saved) == ERR_OK, "session_save");
    memcpy(store[side].bytes, saved.p, saved.len);
    store[side].len = saved.len;
}

static void pass_content(int from, struct slice content)
{
    struct session_out out = {.content = content};
    struct session_in in;
    struct slice envelope;
    uint64_t seq;
    struct pair_party *a = &parties[from];
    struct pair_party *b = &parties[1 - from];
    load(from);
    bench_must(session_seal(a->session, &a->env.env, &turn, &out, &envelope, &seq) == ERR_OK,
               "session_seal");
    save(from);
    load(1 - from);
    bench_must(session_open(b->session, &b->env.env, &turn, envelope, &in) == ERR_OK,
               "session_open");
    bench_must(slice_equal(in.content, content), "comparison");
    save(1 - from);
    arena_reset(&turn);
}

static void pass(int from)
{
    pass_content(from, slice_of(bench_message, BENCH_MESSAGE));
    since_ack++;
    if (since_ack == BENCH_ACK_EVERY) {
        pass_content(1 - from, slice_of(NULL, 0));
        since_ack = 0;
    }
}

static void start(void)
{
    arena_init(&turn, (size_t)64 * 1024 * 1024);
    pair_party_init(&parties[0], 1);
    pair_party_init(&parties[1], 2);
    parties[0].env.env.random = random_bytes;
    parties[1].env.env.random = random_bytes;
    pair_established(&parties[0], &parties[1]);
    save(0);
    save(1);
}

static void stop(void)
{
    pair_party_fini(&parties[0]);
    pair_party_fini(&parties[1]);
    arena_fini(&turn);
}

/* Three bodies in turn, without content, beginning with this side; how long, s. */
static double three(int side)
{
    double began = bench_now_s();
    for (int i = 0; i < 3; i++) {
        pass_content(i == 1 ? 1 - side : side, slice_of(NULL, 0));
    }
    return bench_now_s() - began;
}

double bench_kem_us(void)
{
    enum {
        EXCHANGES = 400
    };
    double with = 0;
    double without = 0;
    start();
    three(0); /* what was offered at the beginning is answered */
    three(1);
    for (unsigned i = 0; i < EXCHANGES; i++) {
        load(0);
        uint32_t epoch = session_kem_epoch(parties[0].session);
        int turn_of = epoch % 2 == 1 ? 0 : 1; /* whose offer is due: the initiator's are even */
        without += three(1 - turn_of);
        parties[0].env.env.now_ms += LIMIT_DAY_MS;
        parties[1].env.env.now_ms += LIMIT_DAY_MS;
        with += three(turn_of);
        load(0);
        bench_must(session_kem_epoch(parties[0].session) == epoch + 1, "a KEM exchange");
    }
    stop();
    return (with - without) / EXCHANGES * 1e6;
}

const struct bench_pair bench_pair_ours = {
    .name = "petrel", .start = start, .pass = pass, .stop = stop};
