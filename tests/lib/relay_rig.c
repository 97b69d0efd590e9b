/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/relay_rig.h"

#include <string.h>

#include "crypto/stamp.h"
#include "relay/wire.h"

static void begin(struct relay_rig *r)
{
    arena_reset(&r->arena);
    store_mem_begin(r->mem, &r->store);
    r->store.growth = r->growth;
    r->turn = (struct turn){.env = &r->unit.env, .store = &r->store, .arena = &r->arena};
}

static void renew(struct relay_rig *r)
{
    relay_host_free(r->host);
    r->host = relay_host_new(&r->config);
    ck_assert_ptr_nonnull(r->host);
    begin(r);
    ck_assert_ok(relay_host_load(r->host, &r->turn));
    ck_assert_ok(store_mem_commit(r->mem));
}

/* Commits, or after a LOCAL error does what the engine does. */
static enum err end(struct relay_rig *r, enum err err)
{
    r->broken = ERR_OK;
    if (err_class(err) != ERR_CLASS_LOCAL) {
        enum err commit = store_mem_commit(r->mem);
        if (commit == ERR_OK) {
            return err;
        }
        err = commit;
    }
    r->broken = err;
    store_mem_abort(r->mem);
    renew(r);
    return err;
}

void rig_init(struct relay_rig *r, uint64_t spent_lru)
{
    uint8_t key[SEAL_KEY];
    memset(key, 7, sizeof key);
    memset(r, 0, sizeof *r);
    unit_env_init(&r->unit, 1, RIG_NOW);
    r->growth = true;
    r->mem = store_mem_new();
    ck_assert_ptr_nonnull(r->mem);
    store_mem_strict(r->mem, true);
    arena_init(&r->arena, LIMIT_TURN_ARENA);
    r->keys = seal_keys_new_node(key);
    ck_assert_ptr_nonnull(r->keys);
    rig_sk(&r->node_sk, 9, 9);
    r->config = (struct relay_host_config){.node_id = rig_pk(9, 9),
                                           .node_sk = &r->node_sk,
                                           .keys = r->keys,
                                           .registration_open = true,
                                           .spent_lru = spent_lru};
    rig_use_link(r, 1);
    renew(r);
}

void rig_fini(struct relay_rig *r)
{
    relay_host_free(r->host);
    seal_keys_free(r->keys);
    store_mem_free(r->mem);
    arena_fini(&r->arena);
}

void rig_restart(struct relay_rig *r)
{
    renew(r);
}

void rig_use_link(struct relay_rig *r, uint64_t link)
{
    r->link = link;
    memset(r->hash, (int)(link & 0xff), sizeof r->hash);
}

void rig_sk(struct sign_sk *sk, unsigned kind, unsigned n)
{
    uint8_t seed[32] = {(uint8_t)kind, (uint8_t)(n >> 8), (uint8_t)n, 1};
    struct sign_pk pk;
    prim_sign_keypair(&pk, sk, seed);
}

struct sign_pk rig_pk(unsigned kind, unsigned n)
{
    struct sign_sk sk;
    struct sign_pk pk;
    rig_sk(&sk, kind, n);
    memcpy(pk.b, sk.b + 32, sizeof pk.b);
    return pk;
}

struct token_key rig_k(unsigned n)
{
    struct token_key k;
    memset(k.b, (int)(n + 1), sizeof k.b);
    return k;
}

struct token_siv_key rig_siv(unsigned n)
{
    struct token_siv_key k;
    memset(k.b, (int)(n + 101), sizeof k.b);
    return k;
}

enum err rig_request(struct relay_rig *r, uint8_t kind, struct slice body)
{
    begin(r);
    struct relay_peer peer = {.link = r->link, .handshake_hash = r->hash, .kind = kind, .id = 1};
    struct relay_answer to;
    struct writer w = writer_of(r->out, sizeof r->out);
    enum err err = relay_host_request(r->host, &r->turn, &peer, kind, body, &w);
    if (err == ERR_OK && w.len == 0) {
        err = relay_host_next_answer(r->host, &r->turn, &to, &w);
        ck_assert(err != ERR_OK || (to.link == r->link && to.kind == kind && to.id == 1));
    }
    r->reply = writer_done(&w);
    return end(r, err);
}

enum err rig_refusal(struct relay_rig *r)
{
    struct relay_reply reply;
    ck_assert_ok(relay_reply_read(r->reply, &reply));
    return reply.err;
}

/* The answer to a request: the turn's failure, or what the reply says. */
static enum err ask(struct relay_rig *r, uint8_t kind, const struct writer *w)
{
    ck_assert_int_eq(w->err, ERR_OK);
    enum err err = rig_request(r, kind, writer_done(w));
    return err != ERR_OK ? err : rig_refusal(r);
}

enum err rig_join(struct relay_rig *r, unsigned member, const uint8_t *code)
{
    struct member_join join = {.has_code = code != NULL};
    struct sign_sk sk;
    struct writer w = writer_of(r->body, sizeof r->body);
    rig_sk(&sk, RIG_MEMBER, member);
    if (code != NULL) {
        memcpy(join.code, code, sizeof join.code);
    }
    ck_assert_ok(member_join_write(&w, &r->arena, r->hash, &join, &sk));
    return ask(r, RELAY_MEMBER_JOIN, &w);
}

enum err rig_leave(struct relay_rig *r, unsigned member)
{
    struct sign_sk sk;
    struct writer w = writer_of(r->body, sizeof r->body);
    rig_sk(&sk, RIG_MEMBER, member);
    ck_assert_ok(member_leave_write(&w, &r->arena, r->hash, &sk));
    return ask(r, RELAY_MEMBER_LEAVE, &w);
}

enum err rig_register(struct relay_rig *r, unsigned queue, unsigned member, unsigned k)
{
    struct queue_register req = {.k = rig_k(k)};
    struct sign_sk queue_sk;
    struct sign_sk member_sk;
    struct writer w = writer_of(r->body, sizeof r->body);
    rig_sk(&queue_sk, RIG_QUEUE, queue);
    rig_sk(&member_sk, RIG_MEMBER, member);
    ck_assert_ok(queue_register_write(&w, &r->arena, r->hash, &req, &queue_sk, &member_sk));
    return ask(r, RELAY_QUEUE_REGISTER, &w);
}

enum err rig_attach(struct relay_rig *r, unsigned queue, uint32_t *waiting)
{
    struct sign_sk sk;
    struct queue_attach_reply reply;
    struct writer w = writer_of(r->body, sizeof r->body);
    rig_sk(&sk, RIG_QUEUE, queue);
    ck_assert_ok(queue_attach_write(&w, &r->arena, r->hash, &sk));
    enum err err = ask(r, RELAY_QUEUE_ATTACH, &w);
    if (err == ERR_OK && waiting != NULL) {
        ck_assert_ok(queue_attach_reply_read(r->reply, &reply));
        *waiting = reply.waiting;
    }
    return err;
}

struct queue_deposit rig_deposit_of(struct relay_rig *r, unsigned queue, uint32_t n, uint8_t *space,
                                    unsigned envelope_class, uint8_t fill)
{
    struct token_key k = rig_k(queue);
    struct token_siv_key siv = rig_siv(queue);
    size_t len = queue_envelope_size(envelope_class);
    memset(space, fill, len);
    struct queue_deposit d = {
        .queue = rig_pk(RIG_QUEUE, queue), .lifetime = 3, .envelope = slice_of(space, len)};
    token_mint(&k, &siv, &d.queue, 5, n, token_epoch(r->unit.env.now_ms), &d.admission.token);
    return d;
}

enum err rig_deposit(struct relay_rig *r, const struct queue_deposit *d,
                     struct queue_deposit_reply *reply)
{
    struct queue_deposit_reply got;
    struct writer w = writer_of(r->body, sizeof r->body);
    queue_deposit_write(&w, d);
    enum err err = ask(r, RELAY_QUEUE_DEPOSIT, &w);
    if (r->broken == ERR_OK && r->reply.len > 0) {
        ck_assert_ok(queue_deposit_reply_read(r->reply, &got));
        if (reply != NULL) {
            *reply = got;
        }
    }
    return err;
}

enum err rig_put(struct relay_rig *r, unsigned queue, uint32_t n, uint8_t fill)
{
    uint8_t space[1024];
    struct queue_deposit d = rig_deposit_of(r, queue, n, space, 0, fill);
    return rig_deposit(r, &d, NULL);
}

enum err rig_ack(struct relay_rig *r, unsigned queue, uint64_t number)
{
    struct queue_ack ack = {.queue = rig_pk(RIG_QUEUE, queue), .number = number};
    struct writer w = writer_of(r->body, sizeof r->body);
    queue_ack_write(&w, &ack);
    return ask(r, RELAY_QUEUE_ACK, &w);
}

enum err rig_void(struct relay_rig *r, unsigned queue, uint32_t first, uint32_t n)
{
    static uint8_t nonces[LIMIT_VOID_NONCES + 1][TOKEN_NONCE];
    struct token_siv_key siv = rig_siv(queue);
    struct queue_void v = {.queue = rig_pk(RIG_QUEUE, queue),
                           .nonces = slice_of(nonces, (size_t)n * TOKEN_NONCE)};
    struct writer w = writer_of(r->body, sizeof r->body);
    ck_assert_uint_le(n, LIMIT_VOID_NONCES + 1);
    for (uint32_t i = 0; i < n; i++) {
        token_nonce(&siv, 5, first + i, nonces[i]);
    }
    queue_void_write(&w, &v);
    return ask(r, RELAY_QUEUE_VOID, &w);
}

static bool may_send(void *ctx, uint64_t link)
{
    (void)ctx;
    return link < 1000; /* higher links have no credit */
}

enum err rig_push(struct relay_rig *r, struct queue_push *push, uint64_t *link)
{
    uint64_t to = 0;
    begin(r);
    struct writer w = writer_of(r->out, sizeof r->out);
    enum err err = relay_host_next_push(r->host, &r->turn, may_send, NULL, &to, &w);
    if (err == ERR_OK) {
        ck_assert_ok(queue_push_read(writer_done(&w), push));
        if (link != NULL) {
            *link = to;
        }
    }
    return end(r, err);
}

enum err rig_tick(struct relay_rig *r)
{
    begin(r);
    return end(r, relay_host_tick(r->host, &r->turn));
}

enum err rig_fresh(struct relay_rig *r, struct bep44_item *item)
{
    begin(r);
    return end(r, relay_host_fresh(r->host, &r->turn, item));
}

unsigned rig_announced(struct relay_rig *r, struct sign_pk *keys, unsigned max)
{
    uint8_t at[SEAL_NAME] = {0};
    unsigned count = 0;
    enum err err = ERR_OK;
    begin(r);
    while (err == ERR_OK) {
        struct bep44_item item;
        bool got;
        err = relay_host_announce(r->host, &r->turn, at, &item, &got);
        if (err == ERR_OK && got) {
            ck_assert_uint_lt(count, max);
            keys[count++] = item.key;
        }
    }
    ck_assert_err(end(r, err), ERR_NOT_FOUND);
    return count;
}

void rig_settle(struct relay_rig *r)
{
    for (unsigned i = 0; i < 100000 && relay_host_deadline(r->host) <= r->unit.env.now_ms; i++) {
        ck_assert_ok(rig_tick(r));
    }
    ck_assert_uint_gt(relay_host_deadline(r->host), r->unit.env.now_ms);
}

struct relay_admission rig_stamp(struct relay_rig *r, const struct sign_pk *target,
                                 struct slice payload, unsigned bits)
{
    struct relay_admission a = {.stamp = true};
    struct stamp_goal goal = {.relay = r->config.node_id,
                              .minute = (uint32_t)(r->unit.env.now_ms / LIMIT_MINUTE_MS)};
    memcpy(goal.target, target->b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &payload, 1);
    a.stamp_minute = goal.minute;
    while (!stamp_mine(&goal, bits, LIMIT_STAMP_SLICE, &a.stamp_nonce)) {
    }
    return a;
}

size_t rig_index_rows(const struct relay_rig *r)
{
    return store_mem_count(r->mem, STORE_QUEUE_INDEX);
}
