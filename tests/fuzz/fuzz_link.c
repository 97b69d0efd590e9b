/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_link: a link against a peer that the fuzzer plays. Byte 0: which end the link is (bit 0),
 * how far the handshake goes before the fuzzer takes over (bits 1-2: not at all, one message, all
 * but the hello, open), whether its bytes are raw or sealed into good records (bit 3). Byte 1: how
 * long the pieces are that the link is fed with. Then, sealed: length u8 | bytes of a frame, again
 * and again. Checked: contracts of link.h, and memory that stays bounded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/link.h"
#include "link/noise.h"
#include "link/sealer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct peer {
    struct noise noise;
    struct sealer send;
};

struct fuzz {
    struct env env;
    uint8_t counter;
    struct link *link;
    struct peer peer;
    size_t piece;
    bool opened;
    bool closed;
};

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void fill(void *ctx, uint8_t *out, size_t len)
{
    struct fuzz *f = ctx;
    memset(out, ++f->counter, len);
}

/* Takes every event and all output, as a host would; drops what goes out. */
static void drain(struct fuzz *f, bool output)
{
    struct slice frame = slice_of(NULL, 0);
    for (;;) {
        enum link_event e = link_next(f->link, &f->env, &frame);
        if (e == LINK_NOTHING) {
            break;
        }
        check(!f->closed);
        if (e == LINK_OPENED) {
            check(!f->opened);
            f->opened = true;
        } else if (e == LINK_FRAME) {
            struct frame read;
            check(f->opened && frame_read(frame, &read) == ERR_OK);
            check(read.kind == FRAME_CREDIT || read.kind > FRAME_BYE);
        } else {
            f->closed = true;
            check(!link_is_open(f->link) && link_error(f->link) != ERR_OK);
        }
    }
    struct slice out = link_output(f->link);
    check(out.len <= 65536); /* nothing that a peer sends makes it grow without end */
    if (output) {
        link_output_done(f->link, out.len);
    }
}

static void feed(struct fuzz *f, const uint8_t *p, size_t len)
{
    while (len > 0) {
        size_t n = len < f->piece ? len : f->piece;
        link_receive(f->link, &f->env, slice_of(p, n));
        drain(f, false);
        p += n;
        len -= n;
    }
}

static void feed_sealed(struct fuzz *f, const uint8_t *p, size_t len)
{
    uint8_t wire[1024];
    while (len > 0) {
        size_t n = p[0] < len - 1 ? p[0] : len - 1;
        check(sealer_seal(&f->peer.send, slice_of(p + 1, n), wire) == ERR_OK);
        feed(f, wire, sealer_size(n));
        p += 1 + n;
        len -= 1 + n;
    }
}

/* The peer's side of the handshake: one message read or written. false: none is left. */
static bool shake(struct fuzz *f)
{
    uint8_t wire[RECORD_HEADER + NOISE_XKHFS_MAX];
    if (noise_action(&f->peer.noise) == NOISE_WRITE) {
        struct writer w = writer_of(wire, sizeof wire);
        writer_u16(&w, (uint16_t)noise_message_size(&f->peer.noise));
        check(noise_write(&f->peer.noise, slice_of(NULL, 0), &w) == ERR_OK);
        feed(f, wire, w.len);
        return true;
    }
    if (noise_action(&f->peer.noise) == NOISE_READ) {
        struct reader r = reader_of(link_output(f->link));
        struct writer none = writer_of(wire, sizeof wire);
        struct slice message = reader_bytes(&r, reader_u16(&r));
        check(noise_read(&f->peer.noise, message, &none) == ERR_OK);
        link_output_done(f->link, r.pos);
        return true;
    }
    return false;
}

static void start(struct fuzz *f, bool initiator)
{
    uint8_t seed[32] = {1};
    struct sign_pk id;
    struct sign_sk sk;
    struct dh_sk mine;
    struct dh_sk responder;
    struct dh_pk rs;
    struct noise_ephemeral e;
    static const char prologue[] = "petrel/1 link";
    prim_sign_keypair(&id, &sk, seed);
    prim_sign_sk_to_dh(&responder, &sk);
    prim_dh_public(&rs, &responder);
    memset(mine.b, 5, sizeof mine.b);
    memset(&e, 6, sizeof e);
    f->env = (struct env){.now_ms = 1000, .random = fill, .random_ctx = f};
    struct link_config config = {
        .initiator = initiator, .static_key = initiator ? mine : responder, .node_id = id};
    check(link_new(&f->link, &config, &f->env) == ERR_OK);
    struct noise_config peer = {.pattern = NOISE_XKHFS,
                                .hash = SYMMETRIC_BLAKE2B,
                                .initiator = !initiator,
                                .prologue = slice_of(prologue, sizeof prologue - 1),
                                .s = initiator ? &responder : &mine,
                                .rs = initiator ? NULL : &rs,
                                .ephemeral = &e};
    check(noise_init(&f->peer.noise, &peer) == ERR_OK);
}

static void split(struct fuzz *f)
{
    struct cipher send;
    struct cipher receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
    check(noise_split(&f->peer.noise, &send, &receive, hash, &remote) == ERR_OK);
    check(memcmp(hash, link_hash(f->link), sizeof hash) == 0);
    sealer_init(&f->peer.send, &send, LIMIT_REKEY_RECORDS);
    drain(f, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t hello[] = {0x0d, 0x93, 0x00, 0x00, 0x84, 0x00, 0x01,
                                    0x01, 0x01, 0x02, 0xa1, 0x78, 0x03, 0x00};
    struct fuzz f = {.piece = 1};
    if (len < 2) {
        return 0;
    }
    unsigned stage = (data[0] >> 1) & 3;
    f.piece = data[1] == 0 ? SIZE_MAX : data[1];
    start(&f, (data[0] & 1) != 0);
    if (stage >= 1) {
        shake(&f);
    }
    if (stage >= 2) {
        while (shake(&f)) {
        }
        split(&f);
    }
    if (stage == 3) {
        feed_sealed(&f, hello, sizeof hello);
        check(f.opened && link_is_open(f.link));
    }
    if (stage >= 2 && (data[0] & 8) != 0) {
        feed_sealed(&f, data + 2, len - 2);
    } else {
        feed(&f, data + 2, len - 2);
    }
    f.env.now_ms = link_deadline(f.link);
    link_tick(f.link, &f.env);
    drain(&f, true);
    link_close(f.link, ERR_REFUSED);
    drain(&f, true);
    check(f.closed);
    link_free(f.link);
    noise_fini(&f.peer.noise);
    return 0;
}
