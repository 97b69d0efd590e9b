/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/evil.h"

#include <stdlib.h>
#include <string.h>

#include "link/frame.h"
#include "relay/queue.h"
#include "relay/record.h"

enum {
    ONE_IN = 4, /* frames that are changed, of those that could be */
    LATE_MS = 30000,
    KEPT = 64, /* bodies of each kind */
};

/* Bodies that some node was sent, by the kind of the frame. */
struct evil_kept {
    struct {
        const struct sim_node *to;
        uint8_t *bytes; /* owned */
        size_t len;
    } bodies[FRAME_KIND_MAX + 1][KEPT];
    size_t next[FRAME_KIND_MAX + 1];
    uint8_t frame[LIMIT_FRAME];
};

static const char *const NAMES[EVIL_KIND_COUNT] = {
#define EVIL_NAME(constant, name) [EVIL_##constant] = (name),
    EVIL_KINDS(EVIL_NAME)
#undef EVIL_NAME
};

const char *evil_kind_name(enum evil_kind kind)
{
    return NAMES[kind];
}

static void keep(struct evil *e, const struct sim_node *to, const struct frame *frame)
{
    struct evil_kept *k = e->kept;
    size_t at = k->next[frame->kind]++ % KEPT;
    uint8_t *bytes = realloc(k->bodies[frame->kind][at].bytes, frame->body.len);
    sim_check(e->sim, bytes != NULL, "out of memory");
    memcpy(bytes, frame->body.p, frame->body.len);
    k->bodies[frame->kind][at].to = to;
    k->bodies[frame->kind][at].bytes = bytes;
    k->bodies[frame->kind][at].len = frame->body.len;
}

/* A body of this kind that went to this node before, or, when others, to another one. */
static bool kept(struct evil *e, const struct sim_node *to, uint8_t kind, bool others,
                 struct slice *body)
{
    const struct evil_kept *k = e->kept;
    size_t have = k->next[kind] < KEPT ? k->next[kind] : KEPT;
    size_t from = have > 0 ? sim_random(e->sim, have) : 0;
    for (size_t i = 0; i < have; i++) {
        size_t at = (from + i) % have;
        if ((k->bodies[kind][at].to != to) == others) {
            *body = slice_of(k->bodies[kind][at].bytes, k->bodies[kind][at].len);
            return true;
        }
    }
    return false;
}

/* --- what is said instead --- */

static bool instead(struct evil *e, const struct frame *frame, struct slice body)
{
    struct writer w = writer_of(e->kept->frame, sizeof e->kept->frame);
    frame_write(&w, &(struct frame){.kind = frame->kind, .id = frame->id, .body = body});
    if (w.err != ERR_OK) {
        return false;
    }
    e->sim->instead = writer_done(&w);
    return true;
}

/* The push, with the envelope of another one. */
static bool push_another(struct evil *e, const struct sim_node *to, const struct frame *frame,
                         bool others)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct queue_push push;
    struct queue_push old;
    struct slice body;
    if (!kept(e, to, frame->kind, others, &body) || queue_push_read(frame->body, &push) != ERR_OK ||
        queue_push_read(body, &old) != ERR_OK) {
        return false;
    }
    push.envelope = old.envelope;
    if (sim_random(e->sim, 2) == 0) { /* under the name of its own writer */
        push.has_nonce = old.has_nonce;
        memcpy(push.nonce, old.nonce, sizeof push.nonce);
    }
    queue_push_write(&w, &push);
    return w.err == ERR_OK && instead(e, frame, writer_done(&w));
}

static bool withhold(struct evil *e, const struct frame *frame)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct record_pop_reply reply;
    if (frame->kind != FRAME_RECORD_POP + FRAME_REPLY ||
        record_pop_reply_read(frame->body, &reply) != ERR_OK || !reply.has_part) {
        return false;
    }
    reply.has_part = false;
    record_pop_reply_write(&w, &reply);
    return w.err == ERR_OK && instead(e, frame, writer_done(&w));
}

static bool refuse(struct evil *e, const struct frame *frame)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (frame->kind != FRAME_QUEUE_DEPOSIT + FRAME_REPLY) {
        return false;
    }
    relay_reply_write(&w, &(struct relay_reply){.err = ERR_QUEUE_FULL, .retry_after_ms = 1000});
    return w.err == ERR_OK && instead(e, frame, writer_done(&w));
}

/* Always the same envelopes, a third of them. */
static bool swallowed(const struct frame *frame)
{
    struct queue_push push;
    return frame->kind == FRAME_QUEUE_PUSH && queue_push_read(frame->body, &push) == ERR_OK &&
           push.envelope.p[push.envelope.len - 1] % 3 == 0;
}

/* Whether this lie fits this frame; it is told then. */
static bool tell(struct evil *e, enum evil_kind kind, const struct sim_node *to, uint8_t *bytes,
                 size_t len, const struct frame *frame, enum sim_fate *fate)
{
    bool push = frame->kind == FRAME_QUEUE_PUSH;
    struct slice body;
    *fate = SIM_PASS;
    switch (kind) {
    case EVIL_DROP:
        *fate = SIM_DROP;
        return true;
    case EVIL_TWICE:
        *fate = SIM_TWICE;
        return true;
    case EVIL_LATE:
        e->sim->late_ms = 1 + sim_random(e->sim, LATE_MS);
        *fate = SIM_LATE;
        return true;
    case EVIL_FLIP:
        bytes[sim_random(e->sim, len)] ^= (uint8_t)(1U << sim_random(e->sim, 8));
        return true;
    case EVIL_SWALLOW:
        *fate = swallowed(frame) ? SIM_DROP : SIM_PASS;
        return *fate == SIM_DROP;
    case EVIL_REPLAY:
        return push && push_another(e, to, frame, false);
    case EVIL_OTHERS:
        return push ? push_another(e, to, frame, true)
                    : kept(e, to, frame->kind, true, &body) && instead(e, frame, body);
    case EVIL_WITHHOLD:
        return withhold(e, frame);
    case EVIL_FULL:
        return refuse(e, frame);
    case EVIL_KIND_COUNT:
        break;
    }
    return false;
}

static bool is_certain(enum evil_kind kind)
{
    return kind == EVIL_SWALLOW || kind == EVIL_WITHHOLD;
}

static enum sim_fate fate_of(void *ctx, struct sim *sim, const struct sim_node *from,
                             const struct sim_node *to, uint8_t *bytes, size_t len)
{
    struct evil *e = ctx;
    struct frame frame;
    enum sim_fate fate = SIM_PASS;
    uint32_t lies = e->lies[from->index];
    if (lies == 0 || frame_read(slice_of(bytes, len), &frame) != ERR_OK ||
        (frame.kind != FRAME_QUEUE_PUSH && frame.kind < FRAME_REPLY)) {
        return SIM_PASS; /* credit is the link's own business */
    }
    for (unsigned kind = 0; kind < EVIL_KIND_COUNT; kind++) {
        if ((lies >> kind & 1) != 0 &&
            (is_certain((enum evil_kind)kind) || sim_random(sim, ONE_IN) == 0) &&
            tell(e, (enum evil_kind)kind, to, bytes, len, &frame, &fate)) {
            e->done[kind]++;
            return fate;
        }
    }
    keep(e, to, &frame);
    return SIM_PASS;
}

void evil_begin(struct evil *e, struct sim *sim)
{
    memset(e, 0, sizeof *e);
    e->sim = sim;
    e->kept = calloc(1, sizeof *e->kept);
    sim_check(sim, e->kept != NULL, "out of memory");
    sim->fate = fate_of;
    sim->fate_ctx = e;
}

void evil_end(struct evil *e)
{
    for (size_t kind = 0; e->kept != NULL && kind <= FRAME_KIND_MAX; kind++) {
        for (size_t i = 0; i < KEPT; i++) {
            free(e->kept->bodies[kind][i].bytes);
        }
    }
    free(e->kept);
    e->kept = NULL;
    e->sim->fate = NULL;
}

void evil_lie(struct evil *e, const struct sim_node *n, enum evil_kind kind, bool on)
{
    uint32_t bit = UINT32_C(1) << kind;
    e->lies[n->index] = on ? e->lies[n->index] | bit : e->lies[n->index] & ~bit;
}

void evil_stop(struct evil *e)
{
    memset(e->lies, 0, sizeof e->lies);
}
