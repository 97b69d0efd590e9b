/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/parts/lies.h"

#include <string.h>

#include "link/frame.h"
#include "pair/body.h"
#include "pair/session.h"
#include "relay/sealed.h"
#include "relay/wire.h"
#include "sim/crypto_sim.h"

enum {
    LATE_MS = 2000,
    SIGNED_HEAD = 256, /* keys and signatures of a signed request, at most */
};

static struct lies *telling;

void lies_arm(struct lies *l, const struct lie *lie)
{
    if ((l->liars >> lie->node & 1) == 0) {
        return;
    }
    if (l->count == LIES) {
        memmove(&l->armed[0], &l->armed[1], --l->count * sizeof l->armed[0]);
    }
    l->armed[l->count++] = *lie;
}

void lies_stop(struct lies *l)
{
    l->count = 0;
}

/* The lie whose turn has come where this node says this, or false. */
static bool due(struct lies *l, uint32_t node, enum lie_place place, struct alter *alter)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct lie *lie = &l->armed[i];
        if (lie->node != node || lie->place != place) {
            continue;
        }
        if (lie->skip > 0) {
            lie->skip--;
            continue;
        }
        *alter = lie->alter;
        l->told++;
        if (lie->again > 0) {
            lie->again--;
            lie->alter.where++;
        } else {
            l->count--;
            memmove(lie, lie + 1, (l->count - i) * sizeof *lie);
        }
        return true;
    }
    return false;
}

/* --- frames --- */

static enum sim_fate fate_for(uint16_t with, struct sim *sim)
{
    sim->late_ms = LATE_MS;
    switch (with % 4) {
    case 0:
        return SIM_DROP;
    case 1:
        return SIM_TWICE;
    case 2:
        return SIM_LATE;
    default:
        return SIM_CUT;
    }
}

/* An earlier body: of the same kind, of any, or under its own. */
static bool say_old(struct lies *l, const struct frame *frame, const struct alter *a)
{
    size_t have = l->frame_count < LIES_FRAMES ? l->frame_count : LIES_FRAMES;
    struct writer w = writer_of(l->said, sizeof l->said);
    struct frame old;
    for (size_t k = 0; k < have; k++) {
        size_t at = (a->where + k) % have;
        if (frame_read(slice_of(l->frames[at].bytes, l->frames[at].len), &old) == ERR_OK &&
            (a->with % 3 != 0 || old.kind == frame->kind)) {
            old.kind = a->with % 3 == 1 ? frame->kind : old.kind;
            old.id = frame->id;
            frame_write(&w, &old);
            l->sim->instead = writer_done(&w);
            return true;
        }
    }
    return false;
}

static void keep_frame(struct lies *l, struct slice bytes)
{
    size_t at = l->frame_count++ % LIES_FRAMES;
    memcpy(l->frames[at].bytes, bytes.p, bytes.len);
    l->frames[at].len = bytes.len;
    alter_keep(&l->kept, bytes);
}

static enum sim_fate fate_of(void *ctx, struct sim *sim, const struct sim_node *from,
                             const struct sim_node *to, uint8_t *p, size_t len)
{
    struct lies *l = ctx;
    struct alter a;
    struct frame frame;
    struct slice bytes = slice_of(p, len);
    (void)to;
    if (due(l, from->index, LIE_FATE, &a)) {
        return fate_for(a.with, sim);
    }
    struct writer w = writer_of(l->said, sizeof l->said);
    if (due(l, from->index, LIE_FRAME, &a)) {
        if (alter_value(&a, &l->kept, bytes, &w)) {
            sim->instead = writer_done(&w);
        }
    } else if (frame_read(bytes, &frame) == ERR_OK && due(l, from->index, LIE_OLD, &a)) {
        (void)say_old(l, &frame, &a);
    }
    keep_frame(l, bytes);
    return SIM_PASS;
}

/* --- what is sealed or signed --- */

/* What the node that runs says instead, into room; or the same. */
static struct slice said(enum lie_place place, struct slice true_value, uint8_t *room, size_t cap)
{
    struct lies *l = telling;
    struct alter a;
    struct writer w = writer_of(room, cap);
    if (l == NULL || l->sim->running == NULL || true_value.len == 0 ||
        !due(l, l->sim->running->index, place, &a) || !alter_value(&a, &l->kept, true_value, &w)) {
        return true_value;
    }
    return writer_done(&w);
}

enum err __real_body_write(uint8_t *plain, size_t len, const struct body *body);
enum err __wrap_body_write(uint8_t *plain, size_t len, const struct body *body);
enum err __wrap_body_write(uint8_t *plain, size_t len, const struct body *body)
{
    static uint8_t room[LIMIT_ENVELOPE];
    enum err err = __real_body_write(plain, len, body);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(slice_of(plain, len));
    struct slice map = reader_bytes(&r, reader_u16(&r));
    struct slice other = said(LIE_BODY, map, room, len - BODY_LENGTH);
    if (other.p != map.p) {
        struct writer w = writer_of(plain, len);
        writer_u16(&w, (uint16_t)other.len);
        writer_slice(&w, other);
        writer_zeros(&w, len - w.len);
    }
    return ERR_OK;
}

enum err __real_session_initiate(struct session *, const struct env *, struct arena *,
                                 const struct pair_self *, const struct pair_peer *,
                                 const struct pair_bundle *, const uint8_t *, struct slice,
                                 uint8_t);
enum err __wrap_session_initiate(struct session *, const struct env *, struct arena *,
                                 const struct pair_self *, const struct pair_peer *,
                                 const struct pair_bundle *, const uint8_t *, struct slice,
                                 uint8_t);
enum err __wrap_session_initiate(struct session *s, const struct env *env, struct arena *arena,
                                 const struct pair_self *self, const struct pair_peer *peer,
                                 const struct pair_bundle *bundle, const uint8_t *invite,
                                 struct slice list, uint8_t device)
{
    uint8_t room[LIMIT_DEVICE_LIST];
    return __real_session_initiate(s, env, arena, self, peer, bundle, invite,
                                   said(LIE_FIRST, list, room, sizeof room), device);
}

enum err __real_relay_signed_write(struct writer *, struct arena *, const uint8_t *, const char *,
                                   struct slice, const struct sign_sk *, const struct sign_sk *);
enum err __wrap_relay_signed_write(struct writer *, struct arena *, const uint8_t *, const char *,
                                   struct slice, const struct sign_sk *, const struct sign_sk *);
enum err __wrap_relay_signed_write(struct writer *w, struct arena *arena, const uint8_t *hash,
                                   const char *label, struct slice body, const struct sign_sk *key,
                                   const struct sign_sk *member)
{
    static uint8_t room[LIMIT_FRAME];
    size_t left = w->cap - w->len; /* its caller's room is for the true one */
    size_t cap = left < sizeof room ? left : sizeof room;
    return __real_relay_signed_write(
        w, arena, hash, label,
        said(LIE_SIGNED, body, room, cap > SIGNED_HEAD ? cap - SIGNED_HEAD : 0), key, member);
}

enum err __real_sealed_request_seal(struct arena *, const struct env *, const struct sign_pk *,
                                    uint8_t, const uint8_t *, uint8_t, struct slice, struct slice *,
                                    struct sealed_reply_key *);
enum err __wrap_sealed_request_seal(struct arena *, const struct env *, const struct sign_pk *,
                                    uint8_t, const uint8_t *, uint8_t, struct slice, struct slice *,
                                    struct sealed_reply_key *);
enum err __wrap_sealed_request_seal(struct arena *arena, const struct env *env,
                                    const struct sign_pk *relay, uint8_t key_id, const uint8_t *pk,
                                    uint8_t kind, struct slice body, struct slice *sealed,
                                    struct sealed_reply_key *reply)
{
    static uint8_t room[LIMIT_ENVELOPE];
    return __real_sealed_request_seal(arena, env, relay, key_id, pk, kind,
                                      said(LIE_SEALED, body, room, sizeof room), sealed, reply);
}

enum err __real_sealed_reply_seal(struct arena *, const struct env *,
                                  const struct sealed_reply_key *, uint8_t, struct slice,
                                  struct slice *);
enum err __wrap_sealed_reply_seal(struct arena *, const struct env *,
                                  const struct sealed_reply_key *, uint8_t, struct slice,
                                  struct slice *);
enum err __wrap_sealed_reply_seal(struct arena *arena, const struct env *env,
                                  const struct sealed_reply_key *key, uint8_t kind,
                                  struct slice body, struct slice *sealed)
{
    static uint8_t room[SEALED_REPLY_SMALL - 2];
    return __real_sealed_reply_seal(arena, env, key, kind,
                                    said(LIE_SEALED, body, room, sizeof room), sealed);
}

/* --- signatures --- */

static bool is_signer(const struct sign_pk *pk)
{
    for (size_t i = 0; telling != NULL && i < telling->signer_count; i++) {
        if (memcmp(telling->signers[i].b, pk->b, sizeof pk->b) == 0) {
            return true;
        }
    }
    return false;
}

static void signs(const struct sign_pk *pk)
{
    struct lies *l = telling;
    if (l != NULL && l->forge && l->sim->running != NULL &&
        (l->liars >> l->sim->running->index & 1) != 0 && l->signer_count < LIES_SIGNERS &&
        !is_signer(pk)) {
        l->signers[l->signer_count++] = *pk;
    }
}

/* --- all of it --- */

void lies_begin(struct lies *l, struct sim *sim, uint32_t liars, bool forge)
{
    l->sim = sim;
    l->count = 0;
    l->forge = forge;
    l->liars = liars;
    l->signer_count = 0;
    l->kept.count = 0;
    l->frame_count = 0;
    l->told = 0;
    telling = l;
    sim->fate = fate_of;
    sim->fate_ctx = l;
    crypto_sim_liars(signs, is_signer);
}

void lies_end(struct lies *l)
{
    crypto_sim_liars(NULL, NULL);
    l->sim->fate = NULL;
    telling = NULL;
}
