/* SPDX-License-Identifier: Apache-2.0
 *
 * A first envelope from anybody. Mode 0: the input is the envelope; mode 1: the input is the
 * introduction's plaintext, rightly sealed.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "lib/pair.h"
#include "pair/envelope.h"
#include "pair/pqxdh.h"

/* The keys of the seeds: tests/unit/pair/test_session_vectors.c. */
static struct pair_party a;
static struct pair_party b;
static struct prekey_keys keys[2]; /* last resort, one-time */
static struct pqxdh_message message;
static struct pqxdh_shared shared;

static void set_up(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    struct pair_bundle bundle;
    struct pair_self self;
    struct pair_peer peer;
    if (prim_init() != ERR_OK) {
        abort();
    }
    pair_party_init(&a, 100);
    pair_party_init(&b, 101);
    prekey_keys_init(&keys[0], &b.spk, NULL);
    prekey_keys_init(&keys[1], &b.spk, &b.otk);
    pair_party_bundle(&b, false, &bundle);
    self = pair_party_self(&a);
    peer = pair_party_peer(&b);
    if (pqxdh_initiate(&a.env.env, &self, &peer, &bundle, &message, &shared) != ERR_OK) {
        abort();
    }
}

/* data as the introduction of an envelope that is right up to there. */
static struct slice wrap(const uint8_t *data, size_t len, uint8_t *envelope)
{
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    if (len > ENVELOPE_INTRO) {
        len = ENVELOPE_INTRO;
    }
    memset(envelope, 0, 16384);
    struct writer w = writer_of(envelope, ENVELOPE_FIRST_FIXED);
    writer_u8(&w, ENVELOPE_FIRST);
    writer_u32(&w, PAIR_SPK_ID);
    writer_u32(&w, 0);
    writer_bytes(&w, message.ek.b, sizeof message.ek.b);
    writer_bytes(&w, message.kem_ct, sizeof message.kem_ct);
    writer_u16(&w, (uint16_t)(len + PRIM_AEAD_TAG));
    pqxdh_intro_key(&shared, &key, nonce);
    prim_aead_seal(envelope + ENVELOPE_FIRST_FIXED, &key, nonce, writer_done(&w),
                   slice_of(data, len));
    return slice_of(envelope, len < 2000 ? 4096 : 16384);
}

static void open_first(struct slice envelope)
{
    struct session_first first;
    struct session_intro intro;
    struct session_in in;
    struct pair_self self = pair_party_self(&b);
    struct pair_peer peer = pair_party_peer(&a);
    if (session_first_read(envelope, &first) != ERR_OK) {
        return;
    }
    const struct pair_prekeys *prekeys = &keys[first.one_time_id != 0].prekeys;
    if (session_first_open(&b.arena, &self, prekeys, envelope, &intro) != ERR_OK ||
        intro.device >= LIMIT_DEVICES || intro.device_list.len > LIMIT_DEVICE_LIST) {
        return;
    }
    if (session_accept(b.session, &b.env.env, &b.arena, &self, &peer, prekeys, NULL, envelope) ==
        ERR_OK) {
        (void)!session_open(b.session, &b.env.env, &b.arena, envelope, &in);
    }
}

void part_envelope_first(const uint8_t *data, size_t len)
{
    static uint8_t envelope[16384];
    set_up();
    if (len < 1) {
        return;
    }
    open_first(data[0] == 1 ? wrap(data + 1, len - 1, envelope) : slice_of(data + 1, len - 1));
    arena_reset(&b.arena);
}
