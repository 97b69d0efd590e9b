/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/ratchet.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypto/hkdf.h"

static const char LABEL_START[] = "petrel/1 ratchet start";
static const char LABEL_ROOT[] = "petrel/1 ratchet root";
static const char LABEL_ROOT_KEM[] = "petrel/1 ratchet root kem";
static const char LABEL_MESSAGE[] = "petrel/1 ratchet message";

enum {
    FLAG_CAN_SEND = 1,
    FLAG_STEP_DUE = 2,
    FLAG_RECEIVING = 4,
};

static struct slice label_slice(const char *label)
{
    return slice_of(label, strlen(label));
}

/* Both outputs share the key, so its two hash states are made once. */
void ratchet_chain_step(struct ratchet_key *chain, struct ratchet_key *message)
{
    static const uint8_t one = 1;
    static const uint8_t two = 2;
    crypto_auth_hmacsha256_state keyed;
    (void)crypto_auth_hmacsha256_init(&keyed, chain->b, sizeof chain->b);
    crypto_auth_hmacsha256_state state = keyed;
    (void)crypto_auth_hmacsha256_update(&state, &one, 1);
    (void)crypto_auth_hmacsha256_final(&state, message->b);
    state = keyed;
    (void)crypto_auth_hmacsha256_update(&state, &two, 1);
    (void)crypto_auth_hmacsha256_final(&state, chain->b);
    secret_wipe(&keyed, sizeof keyed);
    secret_wipe(&state, sizeof state);
}

/* HKDF-Expand alone: a message key is pseudorandom already (RFC 5869, section 3.3). */
void ratchet_message_keys(const struct ratchet_key *message,
                          const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                          struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE])
{
    uint8_t out[PRIM_KEY + PRIM_AEAD_NONCE];
    struct slice info[2] = {label_slice(LABEL_MESSAGE), slice_of(envelope_nonce, PRIM_AEAD_NONCE)};
    enum err err = hkdf_expand(out, sizeof out, message->b, info, 2);
    assert(err == ERR_OK);
    (void)err;
    memcpy(key->b, out, PRIM_KEY);
    memcpy(nonce, out + PRIM_KEY, PRIM_AEAD_NONCE);
    secret_wipe(out, sizeof out);
}

/* SK -> RK | HK_A | NHK_B. */
static void start(struct ratchet_key *root, struct aead_key *head_a, struct aead_key *next_b,
                  const uint8_t sk[static RATCHET_SK])
{
    uint8_t out[96];
    struct slice info = label_slice(LABEL_START);
    enum err err = hkdf_expand(out, sizeof out, sk, &info, 1);
    assert(err == ERR_OK);
    (void)err;
    memcpy(root->b, out, 32);
    memcpy(head_a->b, out + 32, 32);
    memcpy(next_b->b, out + 64, 32);
    secret_wipe(out, sizeof out);
}

/* The specification's HK_A is the header key of the initiator's first sending step. */
void ratchet_start_initiator(struct ratchet *r, const uint8_t sk[static RATCHET_SK],
                             const struct dh_pk *spk)
{
    memset(r, 0, sizeof *r);
    start(&r->root, &r->send_next, &r->recv_next, sk);
    r->dh_other = *spk;
    r->can_send = true;
    r->step_due = true;
}

void ratchet_start_responder(struct ratchet *r, const uint8_t sk[static RATCHET_SK],
                             const struct dh_sk *spk)
{
    memset(r, 0, sizeof *r);
    start(&r->root, &r->recv_next, &r->send_next, sk);
    r->dh = *spk;
    prim_dh_public(&r->dh_public, spk);
}

/* KDF_RK_HE: root, DH -> root, chain, next header key; in a KEM step, root, DH | secret. On error
 * nothing has moved. */
static enum err root_step(struct ratchet *r, const struct kem_mix *mix, struct ratchet_key *chain,
                          struct aead_key *next_head)
{
    uint8_t in[32 + KEM_SECRET];
    bool kem = mix->epoch > 0;
    enum err err = prim_dh(in, &r->dh, &r->dh_other);
    if (err != ERR_OK) {
        return err;
    }
    if (kem) {
        memcpy(in + 32, mix->secret, KEM_SECRET);
        r->kem = mix->epoch;
    }
    uint8_t out[96];
    err = hkdf(out, sizeof out, slice_of(r->root.b, sizeof r->root.b),
               slice_of(in, kem ? sizeof in : 32), label_slice(kem ? LABEL_ROOT_KEM : LABEL_ROOT));
    assert(err == ERR_OK);
    memcpy(r->root.b, out, 32);
    memcpy(chain->b, out + 32, 32);
    memcpy(next_head->b, out + 64, 32);
    secret_wipe(in, sizeof in);
    secret_wipe(out, sizeof out);
    return err;
}

static enum err send_step(struct ratchet *r, const struct env *env, const struct kem_mix *mix)
{
    env_random(env, r->dh.b, sizeof r->dh.b);
    prim_dh_public(&r->dh_public, &r->dh);
    r->prev_n = r->send_n;
    r->send_n = 0;
    r->send_head = r->send_next;
    r->step_due = false;
    return root_step(r, mix, &r->send, &r->send_next);
}

static enum err recv_step(struct ratchet *r, const struct kem_mix *mix, const struct dh_pk *other)
{
    r->dh_other = *other;
    r->recv_n = 0;
    r->recv_head = r->recv_next;
    r->serial++;
    r->receiving = true;
    r->can_send = true;
    r->step_due = true;
    enum err err = root_step(r, mix, &r->recv, &r->recv_next);
    if (err == ERR_OK) { /* used up: the next step is ours, with a new key */
        secret_wipe(&r->dh, sizeof r->dh);
    }
    return err;
}

enum err ratchet_send(struct ratchet *r, const struct env *env, const struct kem_mix *mix,
                      struct header *header, struct ratchet_key *message)
{
    if (!r->can_send || r->send_n == UINT32_MAX) {
        return ERR_NOT_NOW;
    }
    enum err err = r->step_due ? send_step(r, env, mix) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    *header =
        (struct header){.dh = r->dh_public, .pn = r->prev_n, .n = r->send_n++, .kem_epoch = r->kem};
    ratchet_chain_step(&r->send, message);
    return ERR_OK;
}

/* A version 1 header has no flags. In the present chain its KEM epoch is the root's or, when our
 * own step was newer, one before. */
static enum err header_check(const struct ratchet *r, const struct header *header)
{
    if (header->flags != 0) {
        return ERR_MALFORMED;
    }
    return header->kem_epoch > r->kem ? ERR_DECRYPT
                                      : ERR_OK; /* another root: of us two one went back */
}

/* A header that begins a chain names the epoch that the root has, or the one that mix is for:
 * *used is what goes in. */
static enum err step_check(const struct ratchet *r, const struct kem_mix *mix,
                           const struct header *header, struct kem_mix *used)
{
    bool next = mix->epoch > 0 && header->kem_epoch == mix->epoch;
    *used = next ? *mix : (struct kem_mix){.epoch = 0};
    if (header->flags != 0) {
        return ERR_MALFORMED;
    }
    return header->kem_epoch != r->kem && !next ? ERR_DECRYPT : ERR_OK;
}

/* Moves o->next's receiving chain to n and puts the keys on the way behind o->skipped. */
static void skip_to(struct ratchet_opened *o, uint32_t n, uint32_t hour)
{
    while (o->next.recv_n < n) {
        struct skipped_key *k = &o->skipped[o->skipped_count++];
        struct ratchet_key message;
        ratchet_chain_step(&o->next.recv, &message);
        k->chain = o->next.serial;
        k->n = o->next.recv_n++;
        k->hour = hour;
        memcpy(k->key, message.b, sizeof k->key);
        secret_wipe(&message, sizeof message);
    }
}

/* A message of a chain whose header key fitted, at or behind what was received: a stored key. */
static enum err open_stored(const struct skipped *skipped, const struct env *env, uint32_t chain,
                            struct ratchet_opened *o)
{
    const struct skipped_key *k = skipped_find(skipped, chain, o->header.n, env->now_ms);
    if (k == NULL) {
        return ERR_REPLAY;
    }
    memcpy(o->message.b, k->key, sizeof o->message.b);
    o->from_store = true;
    o->chain = chain;
    return ERR_OK;
}

/* A message ahead in the present chain (mix is NULL), or in the one that the header's key begins.
 */
static enum err open_ahead(const struct ratchet *r, const struct env *env,
                           const struct kem_mix *mix, struct arena *arena, struct ratchet_opened *o)
{
    bool step = mix != NULL;
    /* A sender that was rolled back may name a smaller pn than we received: nothing is skipped. */
    bool close = step && r->receiving;
    uint32_t rest = close && o->header.pn > r->recv_n ? o->header.pn - r->recv_n : 0;
    uint32_t jump = step ? o->header.n : o->header.n - r->recv_n;
    if (rest > LIMIT_SKIP_JUMP || jump > LIMIT_SKIP_JUMP) {
        return ERR_TOO_FAR_AHEAD;
    }
    if (rest + jump > 0) {
        o->skipped = arena_alloc(arena, (rest + jump) * sizeof *o->skipped);
        if (o->skipped == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    uint32_t hour = skipped_hour(env->now_ms);
    if (close) {
        skip_to(o, o->next.recv_n + rest, hour);
        o->closed = true;
        o->close = (struct skipped_chain){
            .serial = r->serial, .end = o->next.recv_n, .header = r->recv_head};
    }
    enum err err = step ? recv_step(&o->next, mix, &o->header.dh) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    skip_to(o, o->header.n, hour);
    ratchet_chain_step(&o->next.recv, &o->message);
    o->next.recv_n++;
    o->chain = o->next.serial;
    return ERR_OK;
}

/* Which chain's header key opens the header: the present one, the next one, a past one. */
static enum err open_header(const struct ratchet *r, const struct skipped *skipped,
                            const struct env *env, const struct kem_mix *mix, struct arena *arena,
                            struct slice ad, const uint8_t *nonce, const uint8_t *sealed,
                            struct ratchet_opened *o)
{
    if (r->receiving && header_open(&o->header, &r->recv_head, nonce, ad, sealed) == ERR_OK) {
        enum err err = header_check(r, &o->header);
        if (err != ERR_OK) {
            return err;
        }
        if (o->header.n < r->recv_n) {
            return open_stored(skipped, env, r->serial, o);
        }
        /* At the very end of the numbers recv_n could not pass n. */
        return o->header.n == UINT32_MAX ? ERR_TOO_FAR_AHEAD : open_ahead(r, env, NULL, arena, o);
    }
    /* Theirs follows ours: while our step is due, none of an honest peer comes, and our key is
     * gone. */
    bool may_step = !r->receiving || !r->step_due;
    if (may_step && header_open(&o->header, &r->recv_next, nonce, ad, sealed) == ERR_OK) {
        struct kem_mix used;
        enum err err = step_check(r, mix, &o->header, &used);
        return err != ERR_OK ? err : open_ahead(r, env, &used, arena, o);
    }
    for (size_t i = skipped->chain_count; i-- > 0;) {
        const struct skipped_chain *c = &skipped->chains[i];
        if (header_open(&o->header, &c->header, nonce, ad, sealed) == ERR_OK) {
            /* Behind its end only who went back seals anything: there is no key for it. */
            return o->header.n < c->end ? open_stored(skipped, env, c->serial, o) : ERR_DECRYPT;
        }
    }
    return ERR_DECRYPT;
}

enum err ratchet_open(const struct ratchet *r, const struct skipped *skipped, const struct env *env,
                      const struct kem_mix *mix, struct arena *arena, struct slice ad,
                      const uint8_t nonce[static PRIM_AEAD_NONCE],
                      const uint8_t sealed[static HEADER_SEALED], struct ratchet_opened *opened)
{
    memset(opened, 0, sizeof *opened);
    opened->next = *r;
    enum err err = open_header(r, skipped, env, mix, arena, ad, nonce, sealed, opened);
    if (err != ERR_OK) {
        ratchet_opened_wipe(opened);
    }
    return err;
}

enum err ratchet_commit(struct ratchet *r, struct skipped *skipped, const struct env *env,
                        const struct ratchet_opened *opened)
{
    enum err err = skipped_reserve(skipped, opened->skipped_count);
    if (err != ERR_OK) {
        return err;
    }
    if (opened->from_store) {
        skipped_remove(skipped, opened->chain, opened->header.n);
    }
    (void)skipped_expire(skipped, env->now_ms);
    skipped_add(skipped, opened->skipped, opened->skipped_count);
    if (opened->closed) {
        skipped_close_chain(skipped, &opened->close);
    }
    *r = opened->next;
    return ERR_OK;
}

void ratchet_opened_wipe(struct ratchet_opened *opened)
{
    if (opened->skipped != NULL) {
        secret_wipe(opened->skipped, opened->skipped_count * sizeof *opened->skipped);
    }
    secret_wipe(opened, sizeof *opened);
}

void ratchet_save(const struct ratchet *r, struct writer *w)
{
    writer_u8(w, (uint8_t)((r->can_send ? FLAG_CAN_SEND : 0) | (r->step_due ? FLAG_STEP_DUE : 0) |
                           (r->receiving ? FLAG_RECEIVING : 0)));
    writer_bytes(w, r->root.b, 32);
    writer_bytes(w, r->dh.b, 32);
    writer_bytes(w, r->dh_public.b, 32);
    writer_bytes(w, r->dh_other.b, 32);
    writer_bytes(w, r->send.b, 32);
    writer_bytes(w, r->recv.b, 32);
    writer_bytes(w, r->send_head.b, 32);
    writer_bytes(w, r->recv_head.b, 32);
    writer_bytes(w, r->send_next.b, 32);
    writer_bytes(w, r->recv_next.b, 32);
    writer_u32(w, r->send_n);
    writer_u32(w, r->recv_n);
    writer_u32(w, r->prev_n);
    writer_u32(w, r->serial);
    writer_u32(w, r->kem);
}

void ratchet_load(struct ratchet *r, struct reader *in)
{
    memset(r, 0, sizeof *r);
    uint8_t flags = reader_u8(in);
    reader_copy(in, r->root.b, 32);
    reader_copy(in, r->dh.b, 32);
    reader_copy(in, r->dh_public.b, 32);
    reader_copy(in, r->dh_other.b, 32);
    reader_copy(in, r->send.b, 32);
    reader_copy(in, r->recv.b, 32);
    reader_copy(in, r->send_head.b, 32);
    reader_copy(in, r->recv_head.b, 32);
    reader_copy(in, r->send_next.b, 32);
    reader_copy(in, r->recv_next.b, 32);
    r->send_n = reader_u32(in);
    r->recv_n = reader_u32(in);
    r->prev_n = reader_u32(in);
    r->serial = reader_u32(in);
    r->kem = reader_u32(in);
    r->can_send = (flags & FLAG_CAN_SEND) != 0;
    r->step_due = (flags & FLAG_STEP_DUE) != 0;
    r->receiving = (flags & FLAG_RECEIVING) != 0;
    if (flags > (FLAG_CAN_SEND | FLAG_STEP_DUE | FLAG_RECEIVING) || (r->step_due && !r->can_send) ||
        (r->receiving && !r->can_send) || r->receiving != (r->serial > 0)) {
        reader_fail(in, ERR_CORRUPT);
    }
}
