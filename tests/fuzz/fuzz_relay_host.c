/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_relay_host: a relay over the memory store, fed with steps: op u8 | length u16 | body.
 *
 * Ops 0-63 are frame kinds with the body as it is; 64-127 are the same kinds with the body signed
 * rightly by fixed keys first, or admitted by a token that is minted for it; from 128 on: time
 * passes, a push is asked for, a link closes, the host is made anew, a put fails. Whatever comes,
 * the host answers with a map or a PEER error, and its store stays usable.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/blind.h"
#include "relay/descriptor_record.h"
#include "relay/host.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/record.h"
#include "store/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    STEPS = 64,
    KINDS = 64, /* ops that are a frame kind */
};

static uint8_t OUT[LIMIT_FRAME];
static uint8_t BODY[LIMIT_FRAME];

struct world {
    struct env env;
    uint64_t counter; /* of the randomness */
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct turn turn;
    struct relay_host_config config;
    struct relay_host *host;
    struct sign_sk keys[4]; /* member, queue, record, an identity */
    struct token_key k;
    struct token_siv_key siv;
    uint32_t tokens;
    uint8_t hash[RELAY_HASH];
};

static void counted(void *ctx, uint8_t *out, size_t len)
{
    struct world *w = ctx;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(w->counter++ * 167 >> 3);
    }
}

static void begin(struct world *w)
{
    arena_reset(&w->arena);
    store_mem_begin(w->mem, &w->store);
    w->turn = (struct turn){.env = &w->env, .store = &w->store, .arena = &w->arena};
}

/* A new host on the store. A crash that is armed may strike while it loads: then once more. */
static void renew(struct world *w)
{
    enum err err = ERR_IO;
    for (unsigned tries = 0; tries < 2 && err != ERR_OK; tries++) {
        relay_host_free(w->host);
        w->host = relay_host_new(&w->config);
        assert(w->host != NULL);
        begin(w);
        err = relay_host_load(w->host, &w->turn);
        if (err == ERR_OK) {
            err = store_mem_commit(w->mem);
        }
        if (err != ERR_OK) {
            store_mem_abort(w->mem);
        }
    }
    assert(err == ERR_OK);
}

static void end(struct world *w, enum err err)
{
    if (err_class(err) != ERR_CLASS_LOCAL && store_mem_commit(w->mem) == ERR_OK) {
        return;
    }
    store_mem_abort(w->mem);
    renew(w);
}

static void request(struct world *w, uint8_t kind, struct slice body)
{
    struct relay_peer peer = {.link = 1, .handshake_hash = w->hash, .kind = kind, .id = 1};
    struct relay_answer to;
    struct relay_reply head;
    struct writer reply = writer_of(OUT, sizeof OUT);
    begin(w);
    enum err err = relay_host_request(w->host, &w->turn, &peer, kind, body, &reply);
    if (err == ERR_OK && reply.len == 0) {
        err = relay_host_next_answer(w->host, &w->turn, &to, &reply);
        assert(err != ERR_NOT_FOUND);
    }
    assert(err_class(err) != ERR_CLASS_CALLER && err_class(err) != ERR_CLASS_STATE);
    if (err == ERR_OK) {
        err = relay_reply_read(writer_done(&reply), &head);
        assert(err == ERR_OK);
    }
    end(w, err);
}

/* An item of the identity's: its first bytes say of which day, with which number and value. */
static struct slice made_item(struct world *w, struct slice body)
{
    uint8_t buf[BEP44_BUFFER_MAX];
    const uint8_t *from = body.len > 3 ? body.p : (const uint8_t[4]){0};
    struct writer out = writer_of(BODY, sizeof BODY);
    struct writer signing = writer_of(buf, sizeof buf);
    struct descriptor_put put = {.period =
                                     (uint32_t)(w->env.now_ms / LIMIT_DAY_MS) + (from[0] & 15),
                                 .quiet = (from[0] & 16) != 0,
                                 .item.seq = from[1]};
    const struct relay_signer blinded = {
        .sk = &w->keys[3], .blinded = true, .period = put.period + (from[3] & 1)};
    struct sign_pk id;
    memcpy(id.b, w->keys[3].b + 32, sizeof id.b);
    memset(put.item.value, from[2], sizeof put.item.value);
    bep44_item_buffer(&signing, put.item.seq, put.item.value);
    if (blind_public(&id, put.period, &put.item.key) != ERR_OK ||
        blind_sign(&w->keys[3], put.period, writer_done(&signing), put.item.sig) != ERR_OK ||
        descriptor_put_write(&out, &w->arena, w->hash, &put, &blinded, &w->keys[0]) != ERR_OK) {
        abort();
    }
    return writer_done(&out);
}

/* Signs body as the kind wants it, or puts a token of the next counter before it. */
static struct slice made(struct world *w, uint8_t kind, struct slice body)
{
    struct writer out = writer_of(BODY, sizeof BODY);
    const struct sign_sk *key = &w->keys[0];
    const struct sign_sk *member = NULL;
    const char *label = MEMBER_JOIN_LABEL;
    if (kind == RELAY_QUEUE_REGISTER || kind == RELAY_QUEUE_ATTACH) {
        key = &w->keys[1];
        member = kind == RELAY_QUEUE_REGISTER ? &w->keys[0] : NULL;
        label = kind == RELAY_QUEUE_REGISTER ? QUEUE_REGISTER_LABEL : QUEUE_ATTACH_LABEL;
    } else if (kind == RELAY_RECORD_PUT || kind == RELAY_RECORD_STATUS) {
        key = &w->keys[2];
        member = kind == RELAY_RECORD_PUT ? &w->keys[0] : NULL;
        label = kind == RELAY_RECORD_PUT ? RECORD_PUT_LABEL : RECORD_STATUS_LABEL;
    } else if (kind == RELAY_MEMBER_LEAVE) {
        label = MEMBER_LEAVE_LABEL;
    } else if (kind == RELAY_DESCRIPTOR_PUT) {
        return made_item(w, body);
    } else if (kind == RELAY_QUEUE_DEPOSIT) {
        static const uint8_t envelope[4096] = {0};
        struct queue_deposit d = {
            .lifetime = body.len > 1 ? body.p[1] & 3 : 0,
            .volatile_only = body.len > 2 && (body.p[2] & 1) != 0,
            .envelope = slice_of(envelope, body.len > 3 && (body.p[3] & 1) != 0 ? 4096 : 1024)};
        memcpy(d.queue.b, w->keys[1].b + 32, 32);
        w->tokens += body.len > 0 ? body.p[0] & 1 : 1;
        token_mint(&w->k, &w->siv, &d.queue, 1, w->tokens, token_epoch(w->env.now_ms),
                   &d.admission.token);
        queue_deposit_write(&out, &d);
        return writer_done(&out);
    } else if (kind == RELAY_RECORD_POP) {
        struct record_pop p = {.pop_nonce = {body.len > 1 ? body.p[1] : 0}};
        memcpy(p.record.b, w->keys[2].b + 32, 32);
        w->tokens += body.len > 0 ? body.p[0] & 1 : 1;
        token_mint(&w->k, &w->siv, &p.record, 1, w->tokens, token_epoch(w->env.now_ms),
                   &p.admission.token);
        record_pop_write(&out, &p);
        return writer_done(&out);
    } else if (kind == RELAY_QUEUE_ACK) {
        struct queue_ack ack = {.number = body.len > 0 ? body.p[0] : 0};
        memcpy(ack.queue.b, w->keys[1].b + 32, 32);
        queue_ack_write(&out, &ack);
        return writer_done(&out);
    } else if (kind == RELAY_QUEUE_VOID) {
        struct queue_void v = {.nonces = slice_of(body.p, body.len / TOKEN_NONCE * TOKEN_NONCE)};
        memcpy(v.queue.b, w->keys[1].b + 32, 32);
        queue_void_write(&out, &v);
        return writer_done(&out);
    }
    return relay_signed_write(&out, &w->arena, w->hash, label, body, key, member) == ERR_OK
               ? writer_done(&out)
               : slice_of(NULL, 0);
}

static bool may_send(void *ctx, uint64_t link)
{
    (void)ctx;
    (void)link;
    return true;
}

static void happen(struct world *w, uint8_t op, struct slice body)
{
    uint64_t n = body.len > 0 ? body.p[0] : 1;
    uint64_t link;
    struct writer out = writer_of(OUT, sizeof OUT);
    switch (op % 6) {
    case 0:
        w->env.now_ms += n * LIMIT_HOUR_MS;
        begin(w);
        end(w, relay_host_tick(w->host, &w->turn));
        break;
    case 1:
        begin(w);
        end(w, relay_host_next_push(w->host, &w->turn, may_send, NULL, &link, &out));
        break;
    case 2:
        relay_host_link_closed(w->host, 1);
        break;
    case 3:
        renew(w);
        break;
    case 4:
        store_mem_crash_at(w->mem, n);
        break;
    default:
        w->env.now_ms += n * LIMIT_DAY_MS;
    }
}

static void step(struct world *w, uint8_t op, struct slice body)
{
    if (op < KINDS) {
        request(w, op, body);
    } else if (op < 2 * KINDS) {
        struct slice sealed = made(w, op - KINDS, body);
        request(w, op - KINDS, sealed);
    } else {
        happen(w, op, body);
    }
}

static void set_up(struct world *w)
{
    static const uint8_t node_key[SEAL_KEY] = {5};
    memset(w, 0, sizeof *w);
    enum err ready = prim_init();
    assert(ready == ERR_OK);
    (void)ready;
    w->env = (struct env){.now_ms = 20000 * LIMIT_DAY_MS, .random = counted, .random_ctx = w};
    w->mem = store_mem_new();
    assert(w->mem != NULL);
    arena_init(&w->arena, LIMIT_TURN_ARENA);
    w->config = (struct relay_host_config){.node_sk = &w->keys[0],
                                           .keys = seal_keys_new_node(node_key),
                                           .registration_open = true,
                                           .spent_lru = 4};
    assert(w->config.keys != NULL);
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t seed[32] = {i};
        struct sign_pk pk;
        prim_sign_keypair(&pk, &w->keys[i], seed);
    }
    renew(w);
    static const uint8_t empty[] = {0x80};
    uint8_t k_body[36] = {0x81, 0x00, 0xc4, 32};
    memcpy(k_body + 4, w->k.b, 32);
    request(w, RELAY_MEMBER_JOIN, made(w, RELAY_MEMBER_JOIN, slice_of(empty, 1)));
    request(w, RELAY_QUEUE_REGISTER, made(w, RELAY_QUEUE_REGISTER, slice_of(k_body, 36)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w;
    set_up(&w);
    struct reader r = reader_of(slice_of(data, len));
    for (unsigned i = 0; i < STEPS && reader_left(&r) >= 3; i++) {
        uint8_t op = reader_u8(&r);
        size_t n = reader_u16(&r);
        n = n < reader_left(&r) ? n : reader_left(&r);
        step(&w, op, reader_bytes(&r, n));
    }
    store_mem_crash_at(w.mem, 0);
    begin(&w);
    enum err err = relay_host_tick(w.host, &w.turn);
    assert(err == ERR_OK);
    end(&w, err);
    (void)err;
    relay_host_free(w.host);
    seal_keys_free(w.config.keys);
    store_mem_free(w.mem);
    arena_fini(&w.arena);
    return 0;
}
