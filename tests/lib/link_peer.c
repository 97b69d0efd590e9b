/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/link_peer.h"

#include <string.h>

void link_keys_init(struct link_keys *keys, uint8_t seed)
{
    uint8_t bytes[32];
    struct sign_sk sk;
    memset(bytes, seed, sizeof bytes);
    prim_sign_keypair(&keys->node_id, &sk, bytes);
    prim_sign_sk_to_dh(&keys->responder, &sk);
    prim_dh_public(&keys->responder_pk, &keys->responder);
    memset(keys->initiator.b, seed + 1, sizeof keys->initiator.b);
    prim_dh_public(&keys->initiator_pk, &keys->initiator);
}

struct link_config link_keys_config(const struct link_keys *keys, bool initiator)
{
    return (struct link_config){.initiator = initiator,
                                .static_key = initiator ? keys->initiator : keys->responder,
                                .node_id = keys->node_id};
}

void link_peer_init(struct link_peer *peer, const struct link_keys *keys, bool initiator,
                    const char *prologue, const struct env *env)
{
    struct noise_ephemeral ephemeral;
    env_random(env, &ephemeral, sizeof ephemeral);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = initiator,
                                  .prologue =
                                      unit_str(prologue == NULL ? "petrel/1 link" : prologue),
                                  .s = initiator ? &keys->initiator : &keys->responder,
                                  .rs = initiator ? &keys->responder_pk : NULL,
                                  .ephemeral = &ephemeral};
    memset(peer, 0, sizeof *peer);
    ck_assert_ok(noise_init(&peer->noise, &config));
}

void link_peer_write(struct link_peer *peer, struct writer *w)
{
    writer_u16(w, (uint16_t)noise_message_size(&peer->noise));
    ck_assert_ok(noise_write(&peer->noise, slice_of(NULL, 0), w));
}

size_t link_peer_read(struct link_peer *peer, struct slice bytes)
{
    uint8_t none[1];
    struct writer payload = writer_of(none, sizeof none);
    struct reader r = reader_of(bytes);
    struct slice message = reader_bytes(&r, reader_u16(&r));
    ck_assert_ok(r.err);
    ck_assert_ok(noise_read(&peer->noise, message, &payload));
    return r.pos;
}

void link_peer_split(struct link_peer *peer)
{
    struct cipher send;
    struct cipher receive;
    ck_assert_ok(noise_split(&peer->noise, &send, &receive, peer->hash, &peer->remote));
    sealer_init(&peer->send, &send, LIMIT_REKEY_RECORDS);
    sealer_init(&peer->receive, &receive, LIMIT_REKEY_RECORDS);
}

void link_peer_seal(struct link_peer *peer, struct slice bytes, struct writer *w)
{
    uint8_t *at = writer_reserve(w, sealer_size(bytes.len));
    ck_assert_ptr_nonnull(at);
    ck_assert_ok(sealer_seal(&peer->send, bytes, at));
}

void link_peer_frame(struct link_peer *peer, uint8_t kind, uint32_t id, const char *body,
                     struct writer *w)
{
    uint8_t bytes[512];
    uint8_t raw[256];
    size_t len = unit_hex(body, raw, sizeof raw);
    struct writer f = writer_of(bytes, sizeof bytes);
    struct frame frame = {.kind = kind, .id = id, .body = slice_of(raw, len)};
    frame_write(&f, &frame);
    ck_assert_ok(f.err);
    link_peer_seal(peer, writer_done(&f), w);
}

size_t link_peer_open(struct link_peer *peer, struct slice bytes, uint8_t *plain,
                      struct frame *frame)
{
    struct reader r = reader_of(bytes);
    struct slice sealed = reader_bytes(&r, reader_u16(&r));
    struct slice inner;
    ck_assert_ok(r.err);
    ck_assert_ok(sealer_open(&peer->receive, sealed, plain, &inner));
    ck_assert_ok(frame_read(inner, frame));
    return r.pos;
}
