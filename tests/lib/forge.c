/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/forge.h"

#include <string.h>

#include "pair/body.h"
#include "pair/pqxdh.h"

enum {
    SIZE = 4096, /* of a first envelope without much in it */
};

/* Header and body of the session's first message, behind first_len bytes. */
static void write_tail(struct pair_party *thief, uint8_t *envelope, size_t first_len,
                       const uint8_t *t, struct ratchet *r)
{
    struct header header;
    struct ratchet_key key;
    struct aead_key body_key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t *at = envelope + first_len;
    ck_assert_ok(ratchet_send(r, &thief->env.env, &(struct kem_mix){.epoch = 0}, &header, &key));
    env_random(&thief->env.env, at, PRIM_AEAD_NONCE);
    header_seal(at + PRIM_AEAD_NONCE, &r->send_head, at, slice_of(t, SESSION_T), &header);
    size_t head = first_len + PRIM_AEAD_NONCE + HEADER_SEALED;
    size_t plain = SIZE - head - PRIM_AEAD_TAG;
    struct body body = {.seq = 1, .content = unit_str("I am a")};
    ck_assert_ok(body_write(envelope + head, plain, &body));
    uint8_t ad[SESSION_T + SIZE];
    memcpy(ad, t, SESSION_T);
    memcpy(ad + SESSION_T, envelope, head);
    ratchet_message_keys(&key, at, &body_key, nonce);
    prim_aead_seal(envelope + head, &body_key, nonce, slice_of(ad, SESSION_T + head),
                   slice_of(envelope + head, plain));
}

struct slice forge_first(struct pair_party *thief, const struct pair_party *a, struct pair_party *b,
                         const uint8_t dh1[static 32])
{
    uint8_t *envelope = arena_alloc(&thief->arena, SIZE);
    struct pair_bundle bundle;
    struct pqxdh_message message;
    struct pqxdh_shared shared;
    uint8_t t[SESSION_T];
    uint8_t sk[RATCHET_SK];
    struct pair_self self = pair_party_self(a);
    struct pair_peer peer = pair_party_peer(b);
    ck_assert_ptr_nonnull(envelope);
    self.dh = thief->dh_sk;
    pair_party_bundle(b, true, &bundle);
    ck_assert_ok(pqxdh_initiate(&thief->env.env, &self, &peer, &bundle, &message, &shared));
    memcpy(shared.dh1, dh1, sizeof shared.dh1);
    struct envelope_intro intro = {.id = a->id, .device_list = slice_of(a->list, sizeof a->list)};
    size_t first_len = envelope_first_write(envelope, &shared, &message, &bundle, &intro);
    struct pqxdh_transcript transcript = {
        .id_a = a->id,
        .id_b = b->id,
        .certificate_a = self.certificate,
        .certificate_b = peer.certificate,
        .spk = bundle.spk,
        .one_time = true,
        .otk = bundle.otk,
        .kem_ek = slice_of(bundle.kem_ek, SESSION_KEM_EK),
        .ek = message.ek,
        .kem_ct = slice_of(message.kem_ct, SESSION_KEM_CT),
    };
    pqxdh_transcript(&transcript, t);
    pqxdh_sk(&shared, t, sk);
    struct ratchet r;
    ratchet_start_initiator(&r, sk, &bundle.spk);
    write_tail(thief, envelope, first_len, t, &r);
    return slice_of(envelope, SIZE);
}

bool forge_body_opens(struct arena *arena, const uint8_t t[static SESSION_T],
                      const struct envelope *e, const struct ratchet_key *message)
{
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t *ad = arena_alloc(arena, SESSION_T + e->head.len);
    uint8_t *out = arena_alloc(arena, e->body.len);
    ck_assert(ad != NULL && out != NULL);
    memcpy(ad, t, SESSION_T);
    memcpy(ad + SESSION_T, e->head.p, e->head.len);
    ratchet_message_keys(message, e->nonce, &key, nonce);
    return prim_aead_open(out, &key, nonce, slice_of(ad, SESSION_T + e->head.len), e->body) ==
           ERR_OK;
}
