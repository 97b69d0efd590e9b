/* SPDX-License-Identifier: Apache-2.0
 *
 * lines: links between nodes. Each has two ends that live and die by themselves: what one side
 * sends or closes the other one hears of when it has arrived. Frames of one direction stay in
 * order, as on TCP.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/inside.h"

enum {
    TABLE = 16384, /* chains of ends */
};

struct sim_end {
    struct sim_end *chain; /* in the table */
    struct sim_end *next;  /* of the node's */
    struct sim_node *n;
    uint64_t id;           /* as n knows the link */
    uint64_t until;        /* what n sends arrives after what it sent before, */
    uint64_t free;         /* and leaves when that has left */
    struct sim_end *other; /* NULL: it is gone */
};

static struct sim_end **chain_of(const struct sim *sim, const struct sim_node *n, uint64_t id)
{
    uint64_t z = (id ^ (uint64_t)n->index << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return &sim->table[z >> 50 & (TABLE - 1)];
}

static struct sim_end *find(const struct sim *sim, const struct sim_node *n, uint64_t id)
{
    struct sim_end *end = sim->table == NULL ? NULL : *chain_of(sim, n, id);
    while (end != NULL && (end->n != n || end->id != id)) {
        end = end->chain;
    }
    return end;
}

bool lines_has(const struct sim *sim, const struct sim_node *n, uint64_t link)
{
    return find(sim, n, link) != NULL;
}

static struct sim_end *end_new(struct sim *sim, struct sim_node *n, uint64_t id)
{
    if (sim->table == NULL) {
        sim->table = calloc(TABLE, sizeof *sim->table);
        sim_check(sim, sim->table != NULL, "out of memory");
    }
    struct sim_end **chain = chain_of(sim, n, id);
    struct sim_end *end = malloc(sizeof *end);
    sim_check(sim, end != NULL, "out of memory");
    *end = (struct sim_end){.chain = *chain, .next = n->ends, .n = n, .id = id};
    *chain = end;
    n->ends = end;
    return end;
}

static void end_free(struct sim *sim, struct sim_end *end)
{
    struct sim_end **at = chain_of(sim, end->n, end->id);
    while (*at != end) {
        at = &(*at)->chain;
    }
    *at = end->chain;
    at = &end->n->ends;
    while (*at != end) {
        at = &(*at)->next;
    }
    *at = end->next;
    if (end->other != NULL) {
        end->other->other = NULL;
    }
    free(end);
}

void lines_fini(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        while (sim->nodes[i]->ends != NULL) {
            end_free(sim, sim->nodes[i]->ends);
        }
    }
    free(sim->table);
}

/* --- delay --- */

/* One way, between these two. */
static uint64_t latency(const struct sim *sim, const struct sim_node *a, const struct sim_node *b)
{
    const struct sim_lines *l = &sim->lines;
    uint64_t low = a->index < b->index ? a->index : b->index;
    uint64_t high = a->index < b->index ? b->index : a->index;
    uint64_t z = (sim->seed ^ low << 32 ^ high) * UINT64_C(0xbf58476d1ce4e5b9);
    z ^= z >> 31;
    return l->latency_ms + (l->spread_ms > 0 ? z % (l->spread_ms + 1) : 0);
}

/* When what end sends now is there. */
static uint64_t arrival(struct sim *sim, struct sim_end *end, const struct sim_node *to, size_t len)
{
    const struct sim_lines *l = &sim->lines;
    uint64_t now = sim_now(sim);
    uint64_t leaves = end->free > now ? end->free : now;
    leaves += l->bytes_per_ms > 0 ? len / l->bytes_per_ms : 0;
    end->free = leaves;
    uint64_t at = leaves + latency(sim, end->n, to) +
                  (l->jitter_ms > 0 ? sim_random(sim, l->jitter_ms + 1) : 0);
    end->until = at > end->until ? at : end->until;
    return end->until;
}

static void closed_at(struct sim *sim, struct sim_node *n, uint64_t id, uint64_t at, enum err err)
{
    struct node_input in = {.kind = NODE_LINK_CLOSED, .link = id, .u.closed = err};
    (void)input_send(sim, n, at, &in, slice_of(NULL, 0));
}

/* Up to the time after which a node believes that the other one is gone. */
static uint64_t some_time(struct sim *sim)
{
    uint32_t most = sim->lines.timeout_ms;
    return sim_now(sim) + (most > 0 ? sim_random(sim, most + 1) : 0);
}

/* --- opening --- */

/* Hosts are 127.x.y.z, by the node's index. */
static struct sim_node *node_at(const struct sim *sim, const char *host)
{
    unsigned long part[3] = {0, 0, 0};
    char *end = NULL;
    if (strncmp(host, "127.", 4) != 0) {
        return NULL;
    }
    for (unsigned i = 0; i < 3; i++) {
        part[i] = strtoul(i == 0 ? host + 4 : end + 1, &end, 10);
    }
    size_t index = (part[0] << 16 | part[1] << 8 | part[2]) - 1;
    return index < sim->count ? sim->nodes[index] : NULL;
}

static bool reachable(const struct sim *sim, const struct sim_node *from, const struct sim_node *to)
{
    return !to->asleep &&
           (from == to || (!to->undialled && (!sim->partition || from->side == to->side ||
                                              (sim->one_way && from->side < to->side))));
}

static void connect_to(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct sim_node *to = node_at(sim, out->connect.host);
    struct sign_pk id;
    struct sign_sk sk;
    bool there = to != NULL && reachable(sim, n, to);
    if (there) {
        node_identity(to->node, &id, &sk);
        there = memcmp(id.b, out->connect.node_id.b, sizeof id.b) == 0;
    }
    if (!there) {
        closed_at(sim, n, out->link, some_time(sim), ERR_UNREACHABLE);
        return;
    }
    struct sim_end *mine = end_new(sim, n, out->link);
    struct sim_end *theirs = end_new(sim, to, ++to->next_inbound);
    mine->other = theirs;
    theirs->other = mine;
    sim->links_made++;
    struct node_input in = {.kind = NODE_LINK_OPENED, .link = theirs->id};
    env_random(&sim->random.env, in.u.opened.handshake_hash, 64);
    uint64_t at = arrival(sim, mine, to, 0);
    theirs->until = at;
    prim_dh_public(&in.u.opened.remote_static, &out->connect.link_key);
    struct node_input back = in;
    back.link = mine->id;
    back.u.opened.initiator = true;
    memset(&back.u.opened.remote_static, 0, sizeof back.u.opened.remote_static);
    (void)input_send(sim, n, arrival(sim, theirs, n, 0), &back, slice_of(NULL, 0));
    (void)input_send(sim, to, at, &in, slice_of(NULL, 0));
}

/* --- sending --- */

/* Both ends hear that the link is gone; the host closes what is left silently. */
static void break_link(struct sim *sim, struct sim_end *end)
{
    struct sim_end *other = end->other;
    closed_at(sim, end->n, end->id, some_time(sim), ERR_LINK_CLOSED);
    end->other = NULL;
    if (other != NULL) {
        other->other = NULL;
        closed_at(sim, other->n, other->id, some_time(sim), ERR_LINK_CLOSED);
    }
}

static void send_frame(struct sim *sim, struct sim_end *end, const struct node_output *out)
{
    struct sim_end *other = end->other;
    struct slice bytes = slice_of(out->data, out->len);
    sim->frames++;
    sim->bytes += out->len;
    if (sim->seen != NULL) {
        sim->seen(sim->seen_ctx, end->n, bytes);
    }
    if (other == NULL) {
        return;
    }
    struct sim_node *to = other->n;
    struct node_input in = {.kind = NODE_FRAME, .link = other->id};
    if (sim->lines.reset_ppm > 0 && sim_random(sim, 1000000) < sim->lines.reset_ppm) {
        sim->resets++;
        break_link(sim, end);
        return;
    }
    uint8_t *frame = malloc(out->len);
    sim_check(sim, frame != NULL, "out of memory");
    memcpy(frame, out->data, out->len);
    bytes = slice_of(frame, out->len);
    enum sim_fate fate = SIM_PASS;
    if (sim->fate != NULL) {
        sim->instead = slice_of(NULL, 0);
        fate = sim->fate(sim->fate_ctx, sim, end->n, to, frame, out->len);
        bytes = sim->instead.len > 0 ? sim->instead : bytes;
    }
    uint64_t at = arrival(sim, end, to, bytes.len);
    if (fate == SIM_LATE) {
        at += sim->late_ms;
    }
    for (unsigned i = fate == SIM_PASS || fate == SIM_LATE ? 1
                      : fate == SIM_TWICE                  ? 2
                                                           : 0;
         i > 0; i--) {
        (void)input_send(sim, to, at, &in, bytes);
    }
    if (fate == SIM_CUT) {
        break_link(sim, end);
    }
    free(frame);
}

void lines_output(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct sim_end *end = find(sim, n, out->link);
    if (out->kind == NODE_OUT_CONNECT) {
        connect_to(sim, n, out);
    } else if (end != NULL && out->kind == NODE_OUT_SEND) {
        send_frame(sim, end, out);
    } else if (end != NULL) {
        struct sim_end *other = end->other;
        if (other != NULL) {
            closed_at(sim, other->n, other->id, arrival(sim, end, other->n, 0), out->err);
        }
        end_free(sim, end);
    }
}

/* --- ends --- */

void lines_closed(struct sim *sim, struct sim_node *n, uint64_t link)
{
    struct sim_end *end = find(sim, n, link);
    if (end != NULL) {
        end_free(sim, end);
    }
}

void lines_dead(struct sim *sim, struct sim_node *n)
{
    while (n->ends != NULL) {
        struct sim_end *other = n->ends->other;
        if (other != NULL) {
            closed_at(sim, other->n, other->id, arrival(sim, n->ends, other->n, 0),
                      ERR_LINK_CLOSED);
        }
        end_free(sim, n->ends);
    }
}

void sim_cut(struct sim *sim, struct sim_node *n)
{
    for (struct sim_end *end = n->ends; end != NULL; end = end->next) {
        if (end->other != NULL) {
            break_link(sim, end);
        }
    }
}

void sim_part(struct sim *sim, bool on)
{
    sim->partition = on;
    for (size_t i = 0; on && i < sim->count; i++) {
        for (struct sim_end *end = sim->nodes[i]->ends; end != NULL; end = end->next) {
            if (end->other != NULL && end->other->n->side != end->n->side) {
                break_link(sim, end);
            }
        }
    }
}

enum sim_fate sim_mischief(struct sim *sim, uint8_t *frame, size_t len)
{
    switch (sim_random(sim, 4)) {
    case 0:
        return SIM_CUT;
    case 1:
        return SIM_TWICE;
    case 2:
        return SIM_DROP;
    default:
        frame[sim_random(sim, len)] ^= (uint8_t)(1U << sim_random(sim, 8));
        return SIM_PASS;
    }
}
