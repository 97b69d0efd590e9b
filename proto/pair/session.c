/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "pair/envelope.h"
#include "pair/pqxdh.h"
#include "pair/session_state.h"

enum {
    SESSION_FORMAT = 2,     /* first byte of a saved session */
    SESSION_FORMAT_OLD = 1, /* of one before there was a KEM ratchet: without its part */
    FLAG_INITIATOR = 1,
    FLAG_ESTABLISHED = 2,
    SAVED_FIXED = 1 + 1 + SESSION_T + RATCHET_SAVED + SEQUENCE_SAVED_MAX + 2 + KEM_SAVED_MAX,
    /* ML-KEM's decapsulation key holds the encapsulation key (FIPS 203, algorithm 16). */
    KEM_EK_OFFSET = 1152,
};

struct session *session_new(void)
{
    return calloc(1, sizeof(struct session));
}

/* Wipes and frees what s owns. */
static void session_clear(struct session *s)
{
    skipped_fini(&s->skipped);
    free(s->first);
    secret_wipe(s, sizeof *s);
}

/* s becomes *made, which is wiped. */
static void session_replace(struct session *s, struct session *made)
{
    session_clear(s);
    *s = *made;
    secret_wipe(made, sizeof *made);
}

void session_free(struct session *s)
{
    if (s != NULL) {
        session_clear(s);
        free(s);
    }
}

const uint8_t *session_id(const struct session *s)
{
    return s->t;
}

bool session_established(const struct session *s)
{
    return s->established;
}

bool session_acked(const struct session *s, uint64_t seq)
{
    return seq > 0 && ack_has(&s->sequence.acked, seq);
}

uint64_t session_acked_up_to(const struct session *s)
{
    return s->sequence.acked.cum;
}

bool session_owes_ack(const struct session *s)
{
    return s->sequence.owes_ack;
}

bool session_forked(const struct session *s)
{
    return s->sequence.forked;
}

uint32_t session_kem_epoch(const struct session *s)
{
    return s->ratchet.kem;
}

void session_forget(struct session *s, uint64_t seq)
{
    if (seq > 0 && seq <= s->sequence.seq) {
        (void)ack_add(&s->sequence.acked, seq); /* sequence_may_send keeps it in the window */
    }
}

bool session_expire(struct session *s, uint64_t now_ms)
{
    return skipped_expire(&s->skipped, now_ms);
}

/* T, SK and the numbering, common to both sides; shared gets the invitation's secret. */
static void begin(struct session *made, const struct env *env,
                  const struct pqxdh_transcript *transcript, struct pqxdh_shared *shared,
                  bool initiator, uint8_t sk[static RATCHET_SK])
{
    made->initiator = initiator;
    kem_ratchet_init(&made->kem, initiator, env->now_ms);
    pqxdh_transcript(transcript, made->t);
    if (transcript->invite != NULL) {
        memcpy(shared->psk, transcript->invite, sizeof shared->psk);
    }
    pqxdh_sk(shared, made->t, sk);
    sequence_init(&made->sequence, env);
    skipped_init(&made->skipped);
}

static enum err check_sizes(const struct pair_self *self, const struct pair_peer *peer)
{
    bool fit =
        self->certificate.len <= LIMIT_CERTIFICATE && peer->certificate.len <= LIMIT_CERTIFICATE;
    return fit ? ERR_OK : ERR_TOO_LARGE;
}

static enum err check_initiate(const struct pair_self *self, const struct pair_peer *peer,
                               const struct pair_bundle *bundle, struct slice device_list,
                               uint8_t device)
{
    if (device >= LIMIT_DEVICES || bundle->spk_id == 0 ||
        bundle->one_time != (bundle->one_time_id != 0)) {
        return ERR_ARGUMENT;
    }
    return device_list.len > LIMIT_DEVICE_LIST ? ERR_TOO_LARGE : check_sizes(self, peer);
}

/* The agreement on the initiator's side, all of it but the check of arguments. */
static enum err initiate(struct session *made, const struct env *env, const struct pair_self *self,
                         const struct pair_peer *peer, const struct pair_bundle *bundle,
                         const struct envelope_intro *intro)
{
    struct pqxdh_message message;
    struct pqxdh_shared shared;
    uint8_t sk[RATCHET_SK];
    enum err err = pqxdh_initiate(env, self, peer, bundle, &message, &shared);
    if (err != ERR_OK) {
        return err;
    }
    made->first = malloc(ENVELOPE_PREFIX);
    if (made->first == NULL) {
        pqxdh_wipe(&shared);
        return ERR_NO_MEMORY;
    }
    made->first_len = envelope_first_write(made->first, &shared, &message, bundle, intro);
    struct pqxdh_transcript transcript = {
        .id_a = self->id,
        .id_b = peer->id,
        .certificate_a = self->certificate,
        .certificate_b = peer->certificate,
        .spk = bundle->spk,
        .one_time = bundle->one_time,
        .otk = bundle->otk,
        .kem_ek = slice_of(bundle->kem_ek, SESSION_KEM_EK),
        .ek = message.ek,
        .kem_ct = slice_of(message.kem_ct, SESSION_KEM_CT),
        .invite = intro->invite,
    };
    begin(made, env, &transcript, &shared, true, sk);
    ratchet_start_initiator(&made->ratchet, sk, &bundle->spk);
    secret_wipe(sk, sizeof sk);
    pqxdh_wipe(&shared);
    return ERR_OK;
}

enum err session_initiate(struct session *s, const struct env *env, struct arena *arena,
                          const struct pair_self *self, const struct pair_peer *peer,
                          const struct pair_bundle *bundle, const uint8_t *invite,
                          struct slice device_list, uint8_t device)
{
    (void)arena;
    enum err err = check_initiate(self, peer, bundle, device_list, device);
    if (err != ERR_OK) {
        return err;
    }
    struct session made;
    memset(&made, 0, sizeof made);
    struct envelope_intro intro = {
        .id = self->id, .device_list = device_list, .device = device, .invite = invite};
    err = initiate(&made, env, self, peer, bundle, &intro);
    if (err == ERR_OK) {
        session_replace(s, &made);
    }
    return err;
}

static enum err parse_first(struct slice bytes, struct envelope *e)
{
    enum err err = envelope_parse(bytes, e);
    return err == ERR_OK && e->kind != ENVELOPE_FIRST ? ERR_MALFORMED : err;
}

enum err session_first_read(struct slice bytes, struct session_first *first)
{
    struct envelope e;
    enum err err = parse_first(bytes, &e);
    if (err == ERR_OK) {
        *first = e.first;
    }
    return err;
}

enum err session_first_open(struct arena *arena, const struct pair_self *self,
                            const struct pair_prekeys *prekeys, struct slice bytes,
                            struct session_intro *intro)
{
    struct envelope e;
    struct pqxdh_shared shared;
    enum err err = parse_first(bytes, &e);
    if (err != ERR_OK) {
        return err;
    }
    err = pqxdh_respond(self, NULL, prekeys, &e.first.ek, e.kem_ct, &shared);
    if (err != ERR_OK) {
        return err;
    }
    err = envelope_intro_open(&e, &shared, arena, intro);
    pqxdh_wipe(&shared);
    return err;
}

/* The agreement on the responder's side. */
static enum err accept_first(struct session *made, const struct env *env,
                             const struct pair_self *self, const struct pair_peer *peer,
                             const struct pair_prekeys *prekeys, const uint8_t *invite,
                             const struct envelope *e)
{
    struct pqxdh_shared shared;
    uint8_t sk[RATCHET_SK];
    enum err err = pqxdh_respond(self, &peer->dh, prekeys, &e->first.ek, e->kem_ct, &shared);
    if (err != ERR_OK) {
        return err;
    }
    struct pqxdh_transcript transcript = {
        .id_a = peer->id,
        .id_b = self->id,
        .certificate_a = peer->certificate,
        .certificate_b = self->certificate,
        .one_time = prekeys->one_time,
        .kem_ek = slice_of(prekeys->kem_dk + KEM_EK_OFFSET, SESSION_KEM_EK),
        .ek = e->first.ek,
        .kem_ct = slice_of(e->kem_ct, SESSION_KEM_CT),
        .invite = invite,
    };
    prim_dh_public(&transcript.spk, &prekeys->spk);
    if (prekeys->one_time) {
        prim_dh_public(&transcript.otk, &prekeys->otk);
    }
    begin(made, env, &transcript, &shared, false, sk);
    ratchet_start_responder(&made->ratchet, sk, &prekeys->spk);
    secret_wipe(sk, sizeof sk);
    pqxdh_wipe(&shared);
    return ERR_OK;
}

enum err session_accept(struct session *s, const struct env *env, struct arena *arena,
                        const struct pair_self *self, const struct pair_peer *peer,
                        const struct pair_prekeys *prekeys, const uint8_t *invite,
                        struct slice bytes)
{
    (void)arena;
    struct envelope e;
    enum err err = check_sizes(self, peer);
    if (err == ERR_OK) {
        err = parse_first(bytes, &e);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct session made;
    memset(&made, 0, sizeof made);
    err = accept_first(&made, env, self, peer, prekeys, invite, &e);
    if (err == ERR_OK) {
        session_replace(s, &made);
    }
    return err;
}

enum err session_save(const struct session *s, struct arena *arena, struct slice *out)
{
    size_t cap = SAVED_FIXED + skipped_saved_size(&s->skipped) + s->first_len;
    uint8_t *p = arena_alloc(arena, cap);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(p, cap);
    writer_u8(&w, SESSION_FORMAT);
    writer_u8(&w, (uint8_t)((s->initiator ? FLAG_INITIATOR : 0) |
                            (s->established ? FLAG_ESTABLISHED : 0)));
    writer_bytes(&w, s->t, SESSION_T);
    ratchet_save(&s->ratchet, &w);
    sequence_save(&s->sequence, &w);
    skipped_save(&s->skipped, &w);
    writer_u16(&w, (uint16_t)s->first_len);
    writer_bytes(&w, s->first, s->first_len);
    kem_ratchet_save(&s->kem, &w);
    assert(w.err == ERR_OK);
    *out = writer_done(&w);
    return ERR_OK;
}

static enum err load(struct session *s, struct reader *r)
{
    uint8_t format = reader_u8(r);
    uint8_t flags = reader_u8(r);
    reader_copy(r, s->t, SESSION_T);
    ratchet_load(&s->ratchet, r);
    sequence_load(&s->sequence, r);
    enum err err = skipped_load(&s->skipped, r, s->ratchet.serial);
    if (err != ERR_OK) {
        return err;
    }
    struct slice first = reader_bytes(r, reader_u16(r));
    s->initiator = (flags & FLAG_INITIATOR) != 0;
    s->established = (flags & FLAG_ESTABLISHED) != 0;
    if (format == SESSION_FORMAT) {
        kem_ratchet_load(&s->kem, s->initiator, r);
    } else {
        kem_ratchet_init(&s->kem, s->initiator, 0);
    }
    if (reader_end(r) != ERR_OK || format < SESSION_FORMAT_OLD || format > SESSION_FORMAT ||
        (format == SESSION_FORMAT_OLD && s->ratchet.kem != 0) ||
        (s->kem.state != KEM_IDLE && (!s->established || s->ratchet.kem == UINT32_MAX)) ||
        flags > (FLAG_INITIATOR | FLAG_ESTABLISHED) || s->established != s->ratchet.receiving ||
        (first.len > 0) != (s->initiator && !s->established) ||
        (first.len > 0 && first.len <= ENVELOPE_FIRST_FIXED) || first.len > ENVELOPE_PREFIX) {
        return ERR_CORRUPT;
    }
    if (first.len > 0) {
        s->first = malloc(first.len);
        if (s->first == NULL) {
            return ERR_NO_MEMORY;
        }
        memcpy(s->first, first.p, first.len);
        s->first_len = first.len;
    }
    return ERR_OK;
}

enum err session_load(struct session *s, struct slice saved)
{
    struct session made;
    memset(&made, 0, sizeof made);
    struct reader r = reader_of(saved);
    enum err err = load(&made, &r);
    if (err == ERR_OK) {
        session_replace(s, &made);
    } else {
        session_clear(&made);
        err = err == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_CORRUPT;
    }
    return err;
}
