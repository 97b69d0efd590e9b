/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/session_thief.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pair/session.h"
#include "pair/session_state.h"
#include "sim/heap.h"
#include "sim/watch.h"

enum {
    THIEF_ARENA = 1 << 20, /* for a session with many skipped keys */
    HEALED = 4, /* whose envelope has this stage, a copy of the other side does not open it */
};

static struct thieves *thieves;

enum err __real_session_open(struct session *, const struct env *, struct arena *, struct slice,
                             struct session_in *);
enum err __real_session_seal(struct session *, const struct env *, struct arena *,
                             const struct session_out *, struct slice *, uint64_t *);

/* Somebody has a copy of one session of a node, and goes on with it by what they hear.
 *
 * How far the two of it have gone on since is counted in stages: who opens an envelope is one stage
 * further than its writer was when sealing it, or stays. After two round trips each has a ratchet
 * key that is of after the copy, made when the other's was known.
 *
 * Who breaks X25519 has all ratchet keys of the victim's that come later, too. What keeps them out
 * is a KEM exchange that began on the victim's side after the copy. */
struct thief {
    struct thief *next;
    uint8_t session[SESSION_T];
    const struct sim_node *victim;
    const struct sim_node *other; /* NULL: not heard yet */
    uint64_t undone[2];           /* of victim and other: what is counted must have stayed */
    uint64_t stage[2];
    struct watch_pairs sent; /* envelopes: stage, and KEM epoch of the session when it was sealed */
    bool breaks;             /* X25519 */
    uint32_t fresh;          /* the first epoch whose exchange began after the copy */
    struct unit_env random;
    uint8_t *state; /* owned */
    size_t len;
};

static void thief_free(struct thief *t)
{
    free(t->sent.slots);
    free(t->state);
    free(t);
}

static void copy_session(struct thieves *w, struct thief *t, const struct session *s)
{
    struct slice saved;
    struct arena arena;
    arena_init(&arena, THIEF_ARENA);
    enum err err = session_save(s, &arena, &saved);
    sim_check(w->sim, err == ERR_OK, "a session cannot be saved");
    t->state = realloc(t->state, saved.len);
    sim_check(w->sim, t->state != NULL, "out of memory");
    memcpy(t->state, saved.p, saved.len);
    t->len = saved.len;
    arena_fini(&arena);
}

static void copy_for(struct thieves *w, struct sim_node *n, const struct session *s, bool breaks)
{
    struct thief *t = calloc(1, sizeof *t);
    sim_check(w->sim, t != NULL, "out of memory");
    bool exchanging = s->kem.state != KEM_IDLE;
    *t = (struct thief){.next = w->first,
                        .victim = n,
                        .undone = {n->undone, 0},
                        .breaks = breaks,
                        .fresh = session_kem_epoch(s) + (exchanging ? 2 : 1)};
    memcpy(t->session, session_id(s), SESSION_T);
    unit_env_init(&t->random, w->stolen, 0);
    copy_session(w, t, s);
    w->first = t;
    w->stolen++;
}

/* Thieves in n copy each session once, when it is used next. */
static void steal(struct thieves *w, struct sim_node *n, const struct session *s)
{
    for (const struct thief *t = w->first; t != NULL; t = t->next) {
        if (t->victim == n && memcmp(t->session, session_id(s), SESSION_T) == 0) {
            return;
        }
    }
    copy_for(w, n, s, false);
    copy_for(w, n, s, true);
}

void thieves_enter(struct thieves *w, struct sim_node *n)
{
    n->thief = true;
    /* Those who were there before have another copy now. */
    for (struct thief **at = &w->first; *at != NULL;) {
        struct thief *t = *at;
        if (t->victim == n) {
            *at = t->next;
            thief_free(t);
        } else {
            at = &t->next;
        }
    }
}

/* Which side of the stolen session this node is: 0, the victim, or 1. */
static unsigned side_of(struct thief *t, const struct sim_node *n)
{
    if (n != t->victim && t->other == NULL) {
        t->other = n;
        t->undone[1] = n->undone;
    }
    return n != t->victim;
}

/* What was counted was undone: a turn of one of the two failed, or their home went back. */
static bool is_void(const struct thief *t)
{
    return t->victim->undone != t->undone[0] ||
           (t->other != NULL && t->other->undone != t->undone[1]);
}

/* Draws the victim's ratchet key where the victim drew it. */
struct broken_random {
    const struct env *env;
    const struct dh_sk *key;
};

static void broken_random(void *ctx, uint8_t *out, size_t len)
{
    const struct broken_random *r = ctx;
    if (len == sizeof r->key->b) {
        memcpy(out, r->key->b, len);
    } else {
        env_random(r->env, out, len);
    }
}

static enum err seal_likewise(struct thief *t, struct session *copy, const struct session *victim,
                              struct arena *arena)
{
    struct broken_random knows = {.env = &t->random.env, .key = &victim->ratchet.dh};
    struct env env = t->random.env;
    struct session_out nothing = {.content = slice_of(NULL, 0)};
    struct slice envelope;
    uint64_t seq;
    if (t->breaks) {
        env.random = broken_random;
        env.random_ctx = &knows;
    }
    return __real_session_seal(copy, &env, arena, &nothing, &envelope, &seq);
}

/* Does the same with the copy as the victim did, and goes on from there: opens an envelope, or,
 * with none, seals one, since a side that writes may step its ratchet. */
static bool thief_does(struct thieves *w, struct thief *t, const struct session *victim,
                       struct slice envelope)
{
    struct arena arena;
    struct session_in in;
    struct session *s = session_new();
    sim_check(w->sim, s != NULL, "out of memory");
    arena_init(&arena, LIMIT_TURN_ARENA);
    enum err err = session_load(s, slice_of(t->state, t->len));
    sim_check(w->sim, err == ERR_OK, "a copied session cannot be read");
    t->random.env.now_ms = w->sim->running->random.env.now_ms;
    struct watch *watch = watch_away(NULL); /* what thieves do is their own business */
    err = envelope.len > 0 ? __real_session_open(s, &t->random.env, &arena, envelope, &in)
                           : seal_likewise(t, s, victim, &arena);
    (void)watch_away(watch);
    if (err == ERR_OK) {
        copy_session(w, t, s);
    }
    session_free(s);
    arena_fini(&arena);
    return err == ERR_OK;
}

static uint64_t stage_and_epoch(uint64_t stage, uint32_t epoch)
{
    return stage << 32 | epoch;
}

static void heard(struct thieves *w, struct thief *t, const struct session *s,
                  struct slice envelope)
{
    unsigned side = side_of(t, w->sim->running);
    const uint64_t *of = watch_pairs_find(&t->sent, XXH3_64bits(envelope.p, envelope.len));
    uint64_t stage = of != NULL ? *of >> 32 : 0;
    uint32_t epoch = of != NULL ? (uint32_t)*of : 0;
    t->stage[side] = stage + 1 > t->stage[side] ? stage + 1 : t->stage[side];
    if (side != 0) {
        return;
    }
    bool opened = thief_does(w, t, s, envelope);
    bool closed = t->breaks ? epoch >= t->fresh : stage >= HEALED;
    sim_check(w->sim, !opened || !closed,
              "healing: a copy of a session of node %u%s opens what was sealed at stage %llu, KEM "
              "epoch %u",
              (unsigned)t->victim->index, t->breaks ? ", with X25519 broken," : "",
              (unsigned long long)stage, (unsigned)epoch);
    w->read += opened;
    w->closed += !t->breaks && !opened && closed;
    w->closed_broken += t->breaks && !opened && closed;
}

static void written(struct thieves *w, struct thief *t, const struct session *s,
                    struct slice envelope)
{
    unsigned side = side_of(t, w->sim->running);
    (void)watch_pairs_note(w->sim, &t->sent, XXH3_64bits(envelope.p, envelope.len),
                           stage_and_epoch(t->stage[side], session_kem_epoch(s)));
    if (side == 0) {
        (void)thief_does(w, t, s, slice_of(NULL, 0));
    }
}

/* What thieves make of an envelope that was sealed, or opened, in this session. */
static void tell_thieves(struct session *s, struct slice envelope, bool opened)
{
    struct thieves *w = thieves;
    struct sim_node *n = w != NULL ? w->sim->running : NULL;
    if (n == NULL) {
        return;
    }
    struct sim *counted = heap_count(NULL);
    for (struct thief **at = &w->first; *at != NULL;) {
        struct thief *t = *at;
        if (is_void(t)) {
            *at = t->next;
            thief_free(t);
            continue;
        }
        if (memcmp(t->session, session_id(s), SESSION_T) == 0) {
            if (opened) {
                heard(w, t, s, envelope);
            } else {
                written(w, t, s, envelope);
            }
        }
        at = &t->next;
    }
    if (n->thief) {
        steal(w, n, s);
    }
    (void)heap_count(counted);
}

enum err __wrap_session_open(struct session *, const struct env *, struct arena *, struct slice,
                             struct session_in *);
enum err __wrap_session_open(struct session *s, const struct env *env, struct arena *arena,
                             struct slice envelope, struct session_in *in)
{
    enum err err = __real_session_open(s, env, arena, envelope, in);
    if (err == ERR_OK) {
        tell_thieves(s, envelope, true);
    }
    return err;
}

enum err __wrap_session_seal(struct session *, const struct env *, struct arena *,
                             const struct session_out *, struct slice *, uint64_t *);
enum err __wrap_session_seal(struct session *s, const struct env *env, struct arena *arena,
                             const struct session_out *out, struct slice *envelope, uint64_t *seq)
{
    enum err err = __real_session_seal(s, env, arena, out, envelope, seq);
    if (err == ERR_OK) {
        tell_thieves(s, *envelope, false);
    }
    return err;
}

void thieves_begin(struct thieves *w, struct sim *sim)
{
    *w = (struct thieves){.sim = sim};
    thieves = w;
}

void thieves_end(struct thieves *w)
{
    thieves = NULL;
    while (w->first != NULL) {
        struct thief *t = w->first;
        w->first = t->next;
        thief_free(t);
    }
}
