/* SPDX-License-Identifier: Apache-2.0
 *
 * noise_cli raw|link initiator|responder NODE_SEED INIT_STATIC REKEY_EVERY: one end of a link over
 * stdin and stdout, for the second implementation in exchange.mjs. The seeds are 32 bytes in hex:
 * of the responder's node ID, and of the initiator's static.
 *
 * raw: link/noise.h and link/sealer.h by hand; says the handshake hash in its first record, then
 * sends every frame back with its bytes reversed. link: link/link.h; sends every frame back.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "link/link.h"
#include "link/noise.h"
#include "link/sealer.h"

struct ends {
    bool initiator;
    struct sign_pk node_id;
    struct dh_sk s;
    struct dh_pk rs;
    uint32_t rekey_every;
};

static void fail(const char *what, enum err err)
{
    fprintf(stderr, "noise_cli: %s: %s\n", what, err_name(err));
    exit(EXIT_FAILURE);
}

static void need(const char *what, enum err err)
{
    if (err != ERR_OK) {
        fail(what, err);
    }
}

static void say(const uint8_t *p, size_t len)
{
    if (len > 0 && (fwrite(p, 1, len, stdout) != len || fflush(stdout) != 0)) {
        fail("stdout", ERR_IO);
    }
}

/* One message, length first, to p (65,535 bytes); false at the end of stdin. */
static bool hear(uint8_t *p, size_t *len)
{
    uint8_t header[2];
    if (fread(header, 1, 2, stdin) != 2) {
        return false;
    }
    *len = (size_t)header[0] << 8 | header[1];
    return fread(p, 1, *len, stdin) == *len;
}

static void shake(struct noise *n, const struct ends *ends)
{
    uint8_t wire[65535];
    struct noise_ephemeral e;
    randombytes_buf(&e, sizeof e);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = ends->initiator,
                                  .prologue = slice_of("petrel/1 link", 13),
                                  .s = &ends->s,
                                  .rs = ends->initiator ? &ends->rs : NULL,
                                  .ephemeral = &e};
    need("noise_init", noise_init(n, &config));
    while (noise_action(n) != NOISE_SPLIT) {
        struct writer w = writer_of(wire, sizeof wire);
        size_t len = 0;
        if (noise_action(n) == NOISE_WRITE) {
            writer_u16(&w, (uint16_t)noise_message_size(n));
            need("noise_write", noise_write(n, slice_of(NULL, 0), &w));
            say(wire, w.len);
        } else if (hear(wire, &len)) {
            uint8_t none[1];
            w = writer_of(none, sizeof none);
            need("noise_read", noise_read(n, slice_of(wire, len), &w));
        } else {
            fail("stdin", ERR_LINK_CLOSED);
        }
    }
}

static void run_raw(const struct ends *ends)
{
    static uint8_t wire[RECORD_HEADER + RECORD_MAX];
    static uint8_t in[65535];
    struct noise n;
    struct cipher ciphers[2];
    struct sealer send;
    struct sealer receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
    size_t len;
    shake(&n, ends);
    need("noise_split", noise_split(&n, &ciphers[0], &ciphers[1], hash, &remote));
    sealer_init(&send, &ciphers[0], ends->rekey_every);
    sealer_init(&receive, &ciphers[1], ends->rekey_every);
    need("sealer_seal", sealer_seal(&send, slice_of(hash, sizeof hash), wire));
    say(wire, sealer_size(sizeof hash));
    while (hear(in, &len)) {
        struct slice frame;
        need("sealer_open", sealer_open(&receive, slice_of(in, len), in, &frame));
        uint8_t *p = in + RECORD_PREFIX;
        for (size_t i = 0; i < frame.len / 2; i++) {
            uint8_t b = p[i];
            p[i] = p[frame.len - 1 - i];
            p[frame.len - 1 - i] = b;
        }
        need("sealer_seal", sealer_seal(&send, frame, wire));
        say(wire, sealer_size(frame.len));
    }
}

static void fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

static void flush(struct link *link)
{
    struct slice out = link_output(link);
    say(out.p, out.len);
    link_output_done(link, out.len);
}

static void run_link(const struct ends *ends)
{
    struct env env = {.now_ms = (uint64_t)time(NULL) * 1000, .random = fill};
    struct link_config config = {
        .initiator = ends->initiator, .static_key = ends->s, .node_id = ends->node_id};
    struct link *link = NULL;
    uint8_t in[5000];
    ssize_t got = 0;
    enum link_event event = LINK_NOTHING;
    need("link_new", link_new(&link, &config, &env));
    do {
        struct slice frame;
        link_receive(link, &env, slice_of(in, (size_t)got));
        while ((event = link_next(link, &env, &frame)) == LINK_OPENED || event == LINK_FRAME) {
            if (event == LINK_FRAME) {
                need("link_send", link_send(link, frame));
            }
        }
        flush(link);
        if (event == LINK_CLOSED) {
            break;
        }
        got = read(STDIN_FILENO, in, sizeof in);
    } while (got > 0);
    enum err why = link_error(link);
    link_free(link);
    if (event != LINK_CLOSED || (why != ERR_LINK_CLOSED && why != ERR_VERSION)) {
        fail("the link ended", why);
    }
}

static void read_key(const char *hex, uint8_t out[static 32])
{
    size_t len = 0;
    if (sodium_hex2bin(out, 32, hex, strlen(hex), NULL, &len, NULL) != 0 || len != 32) {
        fail("key", ERR_ARGUMENT);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 || sodium_init() < 0) {
        fail("usage", ERR_ARGUMENT);
    }
    struct ends ends = {.initiator = strcmp(argv[2], "initiator") == 0,
                        .rekey_every = (uint32_t)strtoul(argv[5], NULL, 10)};
    uint8_t seed[32];
    struct sign_sk node;
    struct dh_sk responder;
    read_key(argv[3], seed);
    read_key(argv[4], ends.s.b);
    prim_sign_keypair(&ends.node_id, &node, seed);
    need("node ID", prim_sign_pk_to_dh(&ends.rs, &ends.node_id));
    if (!ends.initiator) {
        prim_sign_sk_to_dh(&responder, &node);
        ends.s = responder;
    }
    if (strcmp(argv[1], "raw") == 0) {
        run_raw(&ends);
    } else {
        run_link(&ends);
    }
    return EXIT_SUCCESS;
}
