/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_sealed: relay cards, sealed requests and their replies, and what a forwarder is handed. The
 * first byte says what takes the rest. What is behind a signature or a seal is reached by signing
 * and sealing the input.
 * decodes: proto/relay/card.c proto/relay/sealed.c proto/crypto/signed.c proto/node/forward.c
 * decodes: proto/relay/wire.c proto/base/pack.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/signed.h"
#include "crypto/xwing.h"
#include "node/forward.h"
#include "relay/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW (20000 * LIMIT_DAY_MS)

static struct sign_pk node_pk;
static struct sign_sk node_sk;
static uint8_t kem_pk[SEALED_PUBLIC_KEY];
static uint8_t kem_sk[HPKE_SECRET_KEY];

static void zeros(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}

static const struct env ENV = {.now_ms = NOW, .random = zeros};

static void set_up(void)
{
    static const uint8_t seed[32] = {1};
    static bool done;
    if (!done) {
        enum err ready = prim_init();
        assert(ready == ERR_OK);
        (void)ready;
        prim_sign_keypair(&node_pk, &node_sk, seed);
        (void)crypto_kem_xwing_seed_keypair(kem_pk, kem_sk, seed);
        done = true;
    }
}

/* A card with this body, signed. What is read is written again to the same end. */
static void card(struct slice body)
{
    uint8_t bytes[2 * CARD_MAX];
    uint8_t again[2 * CARD_MAX];
    struct card card;
    struct card same;
    struct writer w = writer_of(bytes, sizeof bytes);
    if (signed_write(&w, CARD_LABEL, body, &node_sk) != ERR_OK ||
        card_open(writer_done(&w), &node_pk, NOW, &card) != ERR_OK) {
        return;
    }
    assert(card.until_ms > NOW && card.until_ms - card.created_ms <= 14 * LIMIT_DAY_MS);
    w = writer_of(again, sizeof again);
    enum err err = card_write(&w, &card, &node_sk);
    assert(err == ERR_OK);
    err = card_open(writer_done(&w), &node_pk, NOW, &same);
    assert(err == ERR_OK && memcmp(&card, &same, sizeof card) == 0);
    (void)err;
}

static void raw_request(struct arena *arena, struct slice sealed)
{
    struct sealed_reply_key key;
    struct slice body;
    uint8_t kind;
    enum err err = sealed_request_open(arena, &node_pk, kem_sk, sealed, &kind, &body, &key);
    assert(err != ERR_OK || body.len <= LIMIT_ENVELOPE + SEALED_SLACK);
    (void)err;
}

/* Any body comes out as it went in, and so does a reply. */
static void there_and_back(struct arena *arena, struct slice body)
{
    struct sealed_reply_key asker;
    struct sealed_reply_key relay;
    struct slice sealed;
    struct slice got;
    uint8_t kind = 0;
    if (sealed_request_seal(arena, &ENV, &node_pk, 1, kem_pk, 19, body, &sealed, &asker) !=
        ERR_OK) {
        assert(body.len + SEALED_INNER > LIMIT_ENVELOPE + SEALED_SLACK);
        return;
    }
    enum err err = sealed_request_open(arena, &node_pk, kem_sk, sealed, &kind, &got, &relay);
    assert(err == ERR_OK && kind == 19 && slice_equal(got, body));
    err = sealed_reply_seal(arena, &ENV, &relay, RELAY_RECORD_POP, body, &sealed);
    assert((err == ERR_OK) == (body.len + 2 <= SEALED_REPLY_LARGE));
    if (err == ERR_OK) {
        err = sealed_reply_open(arena, &asker, sealed, &got);
        assert(err == ERR_OK && slice_equal(got, body));
    }
}

static void raw_reply(struct arena *arena, struct slice sealed)
{
    static const struct sealed_reply_key key;
    struct slice body;
    (void)!sealed_reply_open(arena, &key, sealed, &body);
}

static void forward(struct slice bytes)
{
    uint8_t again[4096];
    struct forward f;
    struct forward same;
    struct writer w = writer_of(again, sizeof again);
    if (forward_read(bytes, &f) != ERR_OK) {
        return;
    }
    forward_write(&w, &f);
    if (w.err == ERR_OK) {
        enum err err = forward_read(writer_done(&w), &same);
        assert(err == ERR_OK && same.kind == f.kind && slice_equal(same.body, f.body) &&
               address_equal(&same.to, &f.to));
        (void)err;
    }
}

static void replies(struct slice bytes)
{
    struct card_reply card;
    struct sealed_reply sealed;
    struct forward_reply forward;
    struct slice request;
    (void)!card_get_read(bytes);
    (void)!sealed_request_read(bytes, &request);
    if (card_reply_read(bytes, &card) == ERR_OK) {
        assert(card.card.len <= CARD_MAX);
    }
    if (sealed_reply_read(bytes, &sealed) == ERR_OK) {
        assert(sealed.sealed.len <= SEALED_REPLY_MAX);
    }
    (void)!forward_reply_read(bytes, &forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena arena;
    if (len == 0) {
        return 0;
    }
    set_up();
    arena_init(&arena, SIZE_MAX);
    struct slice rest = slice_of(data + 1, len - 1);
    switch (data[0] % 6) {
    case 0:
        card(rest);
        break;
    case 1:
        raw_request(&arena, rest);
        break;
    case 2:
        there_and_back(&arena, rest);
        break;
    case 3:
        raw_reply(&arena, rest);
        break;
    case 4:
        forward(rest);
        break;
    default:
        replies(rest);
    }
    arena_fini(&arena);
    return 0;
}
