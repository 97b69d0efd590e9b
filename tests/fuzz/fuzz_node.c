/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_node: a core with an account, contacts and the role of a relay (fuzz/parts/world.h), fed
 * with steps: op u8 | length u8 | bytes. Nothing that links or callers hand in may fail a turn.
 * decodes: proto/node/node.c proto/node/home.c proto/node/inbox.c proto/node/outbox.c
 * decodes: proto/node/contact.c proto/node/links.c proto/node/pump.c proto/node/publish.c
 * decodes: proto/relay/wire.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/world.h"
#include "link/frame.h"

enum {
    OP_OPENED,  /* somebody dials: link number u8 */
    OP_CONNECT, /* the oldest link that we dial opens */
    OP_FRAME,   /* link u8 | frame */
    OP_REQUEST, /* link u8 | kind u8 | body */
    OP_REPLY,   /* body, to our oldest request that is unanswered */
    OP_PUSH,    /* which u8 | offset u16 | value u8: a true push with one byte changed */
    OP_CLOSED,  /* link u8 | error u8 */
    OP_TIME,    /* minutes u8: the clock goes on */
    OP_COUNT,

    STEPS = 24,
    OWN_LINKS = 8,
    WAITING = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct fuzz {
    struct visit v;
    uint64_t own[OWN_LINKS]; /* links that the core dials; 0: none */
    unsigned own_count;
    unsigned own_open;
    struct {
        uint64_t link;
        struct frame frame; /* a request of ours; no body */
    } waiting[WAITING];
    unsigned waits;
    unsigned answered;
};

/* Takes what the core wants: links to open, requests to answer. */
static void outputs(struct fuzz *f)
{
    for (const struct node_output *o = f->v.outs.first; o != NULL; o = o->next) {
        struct frame frame;
        if (o->kind == NODE_OUT_CONNECT && f->own_count < OWN_LINKS) {
            f->own[f->own_count++] = o->link;
        }
        if (o->kind != NODE_OUT_SEND) {
            continue;
        }
        if (frame_read(slice_of(o->data, o->len), &frame) != ERR_OK) {
            abort(); /* ours must be in form */
        }
        if (frame.id != 0 && frame.kind < FRAME_REPLY && f->waits < WAITING) {
            f->waiting[f->waits].link = o->link;
            f->waiting[f->waits++].frame = frame;
        }
    }
    node_outputs_free(&f->v.outs);
}

static uint64_t link_of(const struct fuzz *f, uint8_t number)
{
    uint64_t inbound = 1U + number % 4U;
    return number < 128 || f->own_count == 0 ? inbound : f->own[number % f->own_count];
}

static void frame_in(struct fuzz *f, uint64_t link, struct slice bytes)
{
    struct node_input in = {.kind = NODE_FRAME, .link = link, .u.frame = bytes};
    visit_turn(&f->v, &in);
}

static void frame_of(struct fuzz *f, uint64_t link, uint8_t kind, uint32_t id, struct slice body)
{
    static uint8_t bytes[LIMIT_FRAME + 64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct frame frame = {.kind = kind, .id = id, .body = body};
    frame_write(&w, &frame);
    if (w.err == ERR_OK) {
        frame_in(f, link, writer_done(&w));
    }
}

static void push(struct fuzz *f, const uint8_t *p, size_t len)
{
    static uint8_t body[LIMIT_FRAME];
    const struct world *w = world_get();
    struct slice true_body = w->pushes[p[0] % w->push_count];
    memcpy(body, true_body.p, true_body.len);
    if (len >= 4) {
        body[(size_t)(p[1] << 8 | p[2]) % true_body.len] ^= p[3];
    }
    uint64_t link = f->own_count > 0 ? f->own[0] : 1;
    frame_of(f, link, FRAME_QUEUE_PUSH, 0, slice_of(body, true_body.len));
}

static void step(struct fuzz *f, uint8_t op, const uint8_t *p, size_t len)
{
    struct node_input in = {.kind = NODE_LINK_OPENED};
    switch (op % OP_COUNT) {
    case OP_OPENED:
        in.link = link_of(f, p[0] & 127);
        visit_turn(&f->v, &in);
        break;
    case OP_CONNECT:
        if (f->own_open < f->own_count) {
            in.link = f->own[f->own_open++];
            in.u.opened.initiator = true;
            visit_turn(&f->v, &in);
        }
        break;
    case OP_FRAME:
        frame_in(f, link_of(f, p[0]), slice_of(p + 1, len - 1));
        break;
    case OP_REQUEST:
        if (len >= 2) {
            frame_of(f, link_of(f, p[0]), p[1], 1, slice_of(p + 2, len - 2));
        }
        break;
    case OP_REPLY:
        if (f->answered < f->waits) {
            unsigned i = f->answered++;
            frame_of(f, f->waiting[i].link, (uint8_t)(f->waiting[i].frame.kind + FRAME_REPLY),
                     f->waiting[i].frame.id, slice_of(p, len));
        }
        break;
    case OP_PUSH:
        push(f, p, len);
        break;
    case OP_CLOSED:
        in.kind = NODE_LINK_CLOSED;
        in.link = link_of(f, p[0]);
        in.u.closed = err_from_code(len > 1 ? 100U + p[1] : 0);
        visit_turn(&f->v, &in);
        break;
    default:
        f->v.env.env.now_ms += p[0] * LIMIT_MINUTE_MS;
        in.kind = NODE_TICK;
        visit_turn(&f->v, &in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct fuzz f;
    memset(&f, 0, sizeof f);
    visit_open(&f.v);
    outputs(&f);
    for (unsigned i = 0; i < STEPS && len >= 3; i++) {
        size_t n = data[1] < len - 2 ? data[1] : len - 2;
        if (n == 0) {
            break;
        }
        step(&f, data[0], data + 2, n);
        outputs(&f);
        data += 2 + n;
        len -= 2 + n;
    }
    visit_close(&f.v);
    return 0;
}
