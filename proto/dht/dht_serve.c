/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_serve: what others ask a node of the DHT, and what they are answered.
 * docs/protocol/11-dht.md, section 6.
 */
#include <string.h>

#include "dht/core.h"

enum {
    PEERS_MAX = 50, /* of a reply */
};

/* One answer, and the bytes that its slices point to. */
struct answer {
    struct krpc m;
    uint8_t token[DHT_TOKEN];
    uint8_t ip[DHT_COMPACT6];
    uint8_t nodes[DHT_FAMILIES][DHT_BUCKET * DHT_NODE6];
    uint8_t peers[PEERS_MAX * DHT_COMPACT6];
};

static void begin(struct dht *dht, struct answer *a, const struct dht_address *to,
                  const struct krpc *question)
{
    a->m = (struct krpc){.kind = KRPC_REPLY,
                         .transaction = question->transaction,
                         .has_id = true,
                         .id = dht->id[dht_family(to)],
                         .method = KRPC_UNKNOWN};
    struct writer w = writer_of(a->ip, sizeof a->ip);
    dht_address_write(&w, to);
    a->m.ip = writer_done(&w); /* BEP 42 */
}

/* Whether it fits a datagram of at most so many bytes as it is. */
static bool fits(const struct krpc *m, size_t most, size_t *len)
{
    uint8_t bytes[KRPC_DATAGRAM];
    struct writer w = writer_of(bytes, most);
    krpc_write(&w, m);
    *len = w.len;
    return w.err == ERR_OK;
}

/* Sends it, with as many nodes as there is room for, if it is not too much for who asked. */
static void finish(struct dht *dht, const struct env *env, struct answer *a,
                   const struct dht_address *to, size_t question)
{
    size_t len;
    size_t most = to->v6 ? KRPC_DATAGRAM6 : KRPC_DATAGRAM;
    while (!fits(&a->m, most, &len)) {
        if (a->m.nodes6.len > 0) {
            a->m.nodes6.len -= DHT_NODE6;
        } else if (a->m.nodes.len > 0) {
            a->m.nodes.len -= DHT_NODE4;
        } else if (most < KRPC_DATAGRAM) {
            most = KRPC_DATAGRAM; /* the largest items */
        } else {
            return; /* nothing of ours is so large */
        }
    }
    if (dht_guard_answer(&dht->guard, to, question, len, env->now_ms)) {
        (void)dht_send(dht, to, &a->m);
    }
}

static void refuse(struct dht *dht, const struct env *env, const struct dht_address *to,
                   const struct krpc *question, size_t len, int code, const char *text)
{
    struct answer a;
    begin(dht, &a, to, question);
    a.m.kind = KRPC_ERROR;
    a.m.code = code;
    a.m.text = slice_of(text, strlen(text));
    finish(dht, env, &a, to, len);
}

void dht_serve_malformed(struct dht *dht, const struct env *env, const struct dht_address *from,
                         const struct krpc *m, size_t len)
{
    if (m->kind == KRPC_QUERY && m->transaction.len > 0 && !dht->config.read_only &&
        dht_guard_question(&dht->guard, from, env->now_ms)) {
        refuse(dht, env, from, m, len, KRPC_PROTOCOL, "malformed");
    }
}

/* The good nodes nearest to the target, of the families that were asked for (BEP 32). */
static void put_nodes(struct dht *dht, const struct env *env, struct answer *a,
                      const struct dht_address *from, const struct krpc *q)
{
    bool named = q->want4 || q->want6;
    bool want[DHT_FAMILIES] = {named ? q->want4 : !from->v6, named ? q->want6 : from->v6};
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct dht_contact near[DHT_BUCKET];
        if (!want[f] || dht->tables[f].count == 0) {
            continue;
        }
        unsigned n =
            dht_table_nearest(&dht->tables[f], &q->target, false, env->now_ms, near, DHT_BUCKET);
        struct writer w = writer_of(a->nodes[f], sizeof a->nodes[f]);
        for (unsigned i = 0; i < n; i++) {
            dht_contact_write(&w, &near[i]);
        }
        *(f == 0 ? &a->m.nodes : &a->m.nodes6) = writer_done(&w);
    }
}

static void put_token(struct dht *dht, const struct env *env, struct answer *a,
                      const struct dht_address *from)
{
    dht_guard_token(&dht->guard, env, from, a->token);
    a->m.token = slice_of(a->token, sizeof a->token);
}

static void serve_get_peers(struct dht *dht, const struct env *env, struct answer *a,
                            const struct dht_address *from, const struct krpc *q)
{
    struct writer w = writer_of(a->peers, sizeof a->peers);
    dht_items_peers(dht->items, &q->target, from->v6, env->now_ms, &w, PEERS_MAX);
    a->m.peers = writer_done(&w);
    a->m.has_peers = a->m.peers.len > 0;
    a->m.peers_v6 = from->v6;
}

static void serve_get(struct dht *dht, const struct env *env, struct answer *a,
                      const struct krpc *q)
{
    const struct dht_item *item = dht_items_get(dht->items, &q->target, env->now_ms);
    if (item == NULL) {
        return;
    }
    if (item->is_mutable && q->has_seq && item->seq <= q->seq) {
        a->m.has_seq = true; /* BEP 44: who asks has one that is as new */
        a->m.seq = item->seq;
    } else {
        dht_item_write(&a->m, item, false);
    }
}

static int serve_put(struct dht *dht, const struct env *env, const struct dht_address *from,
                     const struct krpc *q)
{
    struct dht_item item;
    int code = dht_item_read(q, q->salt, NULL, &item);
    if (code == 0) {
        code = dht_items_put(dht->items, &item, q->has_cas, q->cas, from, env->now_ms);
    }
    if (code == 0) {
        dht->expire_ms = 0; /* looked at with the next tick */
    }
    return code;
}

static const char *words_of(int code)
{
    switch (code) {
    case KRPC_VALUE_TOO_BIG:
        return "value too big";
    case KRPC_BAD_SIGNATURE:
        return "invalid signature";
    case KRPC_SALT_TOO_BIG:
        return "salt too big";
    case KRPC_CAS_MISMATCH:
        return "CAS mismatch";
    case KRPC_SEQ_LESS:
        return "sequence number less than current";
    case KRPC_SERVER:
        return "no room";
    default:
        return "invalid arguments";
    }
}

void dht_serve(struct dht *dht, const struct env *env, const struct dht_address *from,
               const struct krpc *q, size_t len)
{
    struct answer a;
    bool writes = q->method == KRPC_PUT || q->method == KRPC_ANNOUNCE_PEER;
    bool needs_target = q->method != KRPC_PING && q->method != KRPC_PUT;
    int code = 0;
    if (dht->config.read_only || !dht_guard_question(&dht->guard, from, env->now_ms)) {
        return;
    }
    if (q->method == KRPC_UNKNOWN && !q->has_target) {
        refuse(dht, env, from, q, len, KRPC_METHOD_UNKNOWN, "unknown method");
        return;
    }
    if (needs_target && !q->has_target) {
        refuse(dht, env, from, q, len, KRPC_PROTOCOL, "no target");
        return;
    }
    if (writes && !dht_guard_token_good(&dht->guard, env, from, q->token)) {
        refuse(dht, env, from, q, len, KRPC_PROTOCOL, "bad token");
        return;
    }
    begin(dht, &a, from, q);
    switch (q->method) {
    case KRPC_PING:
        break;
    case KRPC_FIND_NODE:
    case KRPC_UNKNOWN: /* BEP 5, forward compatibility: like find_node */
        put_nodes(dht, env, &a, from, q);
        break;
    case KRPC_GET_PEERS:
        put_nodes(dht, env, &a, from, q);
        put_token(dht, env, &a, from);
        serve_get_peers(dht, env, &a, from, q);
        break;
    case KRPC_GET:
        put_nodes(dht, env, &a, from, q);
        put_token(dht, env, &a, from);
        serve_get(dht, env, &a, q);
        break;
    case KRPC_ANNOUNCE_PEER: {
        struct dht_address peer = *from;
        peer.port = q->implied_port ? from->port : q->port;
        if (peer.port == 0) {
            code = KRPC_PROTOCOL;
        } else {
            dht_items_announce(dht->items, &q->target, &peer, env->now_ms);
            dht->expire_ms = 0;
        }
        break;
    }
    case KRPC_PUT:
        code = serve_put(dht, env, from, q);
        break;
    }
    if (code != 0) {
        refuse(dht, env, from, q, len, code, words_of(code));
    } else {
        finish(dht, env, &a, from, len);
    }
}
