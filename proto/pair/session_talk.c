/* SPDX-License-Identifier: Apache-2.0
 *
 * session_talk: a session that runs: bodies into envelopes, envelopes into bodies.
 * docs/protocol/05-session.md, sections 4 to 10.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/pad.h"
#include "pair/body.h"
#include "pair/envelope.h"
#include "pair/session.h"
#include "pair/session_state.h"

/* Bytes of an envelope around its body's plaintext. */
static size_t overhead(const struct session *s)
{
    return s->first_len > 0 ? s->first_len + ENVELOPE_TAIL : ENVELOPE_OVERHEAD;
}

/* Bytes of the map that the KEM ratchet's part takes. */
static size_t kem_room(const struct session *s, uint64_t now_ms)
{
    size_t part =
        s->established ? kem_ratchet_room(&s->kem, s->ratchet.kem, s->ratchet.step_due, now_ms) : 0;
    return part > 0 ? 1 + part : 0;
}

size_t session_room(const struct session *s, unsigned envelope_class, uint64_t now_ms)
{
    enum {
        BIN_HEAD = 1 + 3
    }; /* key and length of a field of at most 64 KiB */
    if (envelope_class >= LIMIT_ENVELOPE_CLASSES) {
        return 0;
    }
    static const uint8_t one_byte;
    struct body body;
    memset(&body, 0, sizeof body);
    body.content = slice_of(&one_byte, 1);
    sequence_fill(&s->sequence, &body);
    size_t used = overhead(s) + BODY_LENGTH + body_map_size(&body) - (1 + pack_bin_size(1)) +
                  3 * BIN_HEAD + kem_room(s, now_ms);
    size_t size = pad_class_size(envelope_class);
    return size > used ? size - used : 0;
}

/* Seals a body of this class; moves only r and kem, copies. */
static enum err seal(const struct session *s, const struct env *env, struct arena *arena,
                     unsigned class, const struct body *body, struct ratchet *r,
                     struct kem_ratchet *kem, struct slice *envelope)
{
    struct header header;
    struct ratchet_key message = {.b = {0}};
    struct aead_key key;
    uint8_t body_nonce[PRIM_AEAD_NONCE];
    size_t size = pad_class_size(class);
    size_t head = overhead(s) - PRIM_AEAD_TAG;
    /* T first, so that the body's AD is one piece. */
    uint8_t *p = arena_alloc(arena, SESSION_T + size);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    struct kem_mix mix = kem_ratchet_ours(kem, r->kem);
    enum err err = ratchet_send(r, env, &mix, &header, &message);
    if (err != ERR_OK) {
        return err;
    }
    if (r->kem != s->ratchet.kem) {
        kem_ratchet_stepped(kem, env->now_ms);
    }
    kem_ratchet_spoke(kem, body->offer.epoch > 0 || body->answer.epoch > 0, body->seq > 0);
    uint8_t *out = p + SESSION_T;
    uint8_t *nonce = out + head - HEADER_SEALED - PRIM_AEAD_NONCE;
    memcpy(p, s->t, SESSION_T);
    if (s->first_len > 0) {
        memcpy(out, s->first, s->first_len);
    } else {
        out[0] = ENVELOPE_ESTABLISHED;
    }
    env_random(env, nonce, PRIM_AEAD_NONCE);
    header_seal(nonce + PRIM_AEAD_NONCE, &r->send_head, nonce, slice_of(s->t, SESSION_T), &header);
    size_t plain = size - head - PRIM_AEAD_TAG;
    err = body_write(out + head, plain, body);
    assert(err == ERR_OK); /* the class was chosen by its size */
    ratchet_message_keys(&message, nonce, &key, body_nonce);
    prim_aead_seal(out + head, &key, body_nonce, slice_of(p, SESSION_T + head),
                   slice_of(out + head, plain));
    secret_wipe(&key, sizeof key);
    secret_wipe(&message, sizeof message);
    *envelope = slice_of(out, size);
    return err;
}

/* The smallest class that fits; when none does, the KEM ratchet's part waits for another body. */
static enum err choose_class(const struct session *s, struct body *body, unsigned *class)
{
    size_t size = overhead(s) + BODY_LENGTH + body_map_size(body);
    if (size > pad_class_size(LIMIT_ENVELOPE_CLASSES - 1)) {
        body->offer = (struct kem_part){.epoch = 0};
        body->answer = (struct kem_part){.epoch = 0};
        size = overhead(s) + BODY_LENGTH + body_map_size(body);
    }
    if (pad_class(size, class) != ERR_OK) {
        return ERR_TEXT_TOO_LONG;
    }
    if (s->first_len > 0 && *class < ENVELOPE_FIRST_CLASS) {
        *class = ENVELOPE_FIRST_CLASS;
    }
    return ERR_OK;
}

enum err session_seal(struct session *s, const struct env *env, struct arena *arena,
                      const struct session_out *out, struct slice *envelope, uint64_t *seq_out)
{
    if (out->tokens.len > LIMIT_BODY_TOKENS || out->route.len > LIMIT_BODY_ROUTE) {
        return ERR_ARGUMENT;
    }
    if (out->content.len > LIMIT_ENVELOPE) {
        return ERR_TEXT_TOO_LONG;
    }
    if (out->content.len > 0 && !sequence_may_send(&s->sequence)) {
        return ERR_BACKPRESSURE;
    }
    struct body body;
    memset(&body, 0, sizeof body);
    body.content = out->content;
    body.tokens = out->tokens;
    body.route = out->route;
    sequence_fill(&s->sequence, &body);
    unsigned class;
    struct ratchet next = s->ratchet;
    struct kem_ratchet kem = s->kem;
    enum err err = s->established ? kem_ratchet_speak(&kem, next.kem, next.step_due, env, arena,
                                                      &body.offer, &body.answer)
                                  : ERR_OK;
    if (err == ERR_OK) {
        err = choose_class(s, &body, &class);
    }
    if (err == ERR_OK) {
        err = seal(s, env, arena, class, &body, &next, &kem, envelope);
    }
    if (err == ERR_OK) {
        s->ratchet = next;
        s->kem = kem;
        sequence_sent(&s->sequence, &body);
        *seq_out = body.seq;
    }
    secret_wipe(&next, sizeof next);
    kem_ratchet_wipe(&kem);
    return err;
}

/* The body under the message key, into the arena. */
static enum err open_body(const struct session *s, struct arena *arena, const struct envelope *e,
                          const struct ratchet_key *message, struct slice *plain)
{
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t *ad = arena_alloc(arena, SESSION_T + e->head.len);
    uint8_t *out = arena_alloc(arena, e->body.len);
    if (ad == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(ad, s->t, SESSION_T);
    memcpy(ad + SESSION_T, e->head.p, e->head.len);
    ratchet_message_keys(message, e->nonce, &key, nonce);
    enum err err = prim_aead_open(out, &key, nonce, slice_of(ad, SESSION_T + e->head.len), e->body);
    secret_wipe(&key, sizeof key);
    if (err == ERR_OK) {
        *plain = slice_of(out, e->body.len - PRIM_AEAD_TAG);
    }
    return err;
}

/* All that may fail is done; the session moves. */
static void open_commit(struct session *s, const struct sequence *sequence,
                        const struct kem_ratchet *kem, const struct body *body,
                        const struct sequence_news *news, struct session_in *in)
{
    s->sequence = *sequence;
    s->kem = *kem;
    s->established = true;
    free(s->first);
    s->first = NULL;
    s->first_len = 0;
    *in = (struct session_in){
        .has_content = body->seq > 0,
        .seq = body->seq,
        .duplicate = news->duplicate,
        .gap = news->gap,
        .reset = news->reset,
        .behind = news->behind,
        .has_acked = news->has_acked,
        .acked_seq = news->acked_seq,
        .content = body->content,
        .tokens = body->tokens,
        .route = body->route,
    };
    memcpy(in->acked_hash, news->acked_hash, sizeof in->acked_hash);
}

/* Reads the opened body and moves the session. */
static enum err open_take(struct session *s, const struct env *env,
                          const struct ratchet_opened *opened, struct slice plain,
                          struct session_in *in)
{
    struct body body;
    struct sequence_news news;
    enum err err = body_read(plain, &body);
    if (err != ERR_OK) {
        return err;
    }
    struct sequence sequence = s->sequence;
    struct kem_ratchet kem = s->kem;
    bool exchange = false;
    if (opened->next.kem != s->ratchet.kem) {
        kem_ratchet_stepped(&kem, env->now_ms);
    }
    err = sequence_take(&sequence, &body, &news);
    if (err == ERR_OK) {
        err = kem_ratchet_take(&kem, opened->next.kem, env, &body.offer, &body.answer, body.seq > 0,
                               &exchange);
    }
    if (err == ERR_OK) {
        err = ratchet_commit(&s->ratchet, &s->skipped, env, opened);
    }
    if (err == ERR_OK) {
        sequence.owes_ack = sequence.owes_ack || exchange;
        open_commit(s, &sequence, &kem, &body, &news, in);
    }
    kem_ratchet_wipe(&kem);
    return err;
}

enum err session_open(struct session *s, const struct env *env, struct arena *arena,
                      struct slice bytes, struct session_in *in)
{
    struct envelope e;
    struct ratchet_opened opened;
    struct slice plain = slice_of(NULL, 0);
    enum err err = envelope_parse(bytes, &e);
    if (err != ERR_OK) {
        return err;
    }
    /* The responder never sends kind 2 in this session. */
    if (e.kind == ENVELOPE_FIRST && s->initiator) {
        return ERR_DECRYPT;
    }
    struct kem_mix mix = kem_ratchet_theirs(&s->kem, s->ratchet.kem);
    err = ratchet_open(&s->ratchet, &s->skipped, env, &mix, arena, slice_of(s->t, SESSION_T),
                       e.nonce, e.header, &opened);
    if (err != ERR_OK) {
        return err;
    }
    err = open_body(s, arena, &e, &opened.message, &plain);
    if (err == ERR_OK) {
        err = open_take(s, env, &opened, plain, in);
        if (err != ERR_OK) {
            uint8_t *wipe;
            memcpy(&wipe, &plain.p, sizeof wipe);
            secret_wipe(wipe, plain.len);
        }
    }
    ratchet_opened_wipe(&opened);
    return err;
}

void session_content_hash(struct slice content, uint8_t out[static SESSION_CONTENT_HASH])
{
    static_assert((int)SESSION_CONTENT_HASH == (int)BODY_HASH, "the hash of a body's content");
    body_hash(content, out);
}
