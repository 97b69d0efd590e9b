/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/hostile.h"

#include <stdio.h>
#include <string.h>

#include "link/frame.h"
#include "node/event.h"
#include "node/params.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"

static void output(struct hostile *h, const struct node_output *o);

/* --- turns --- */

static void outputs(struct hostile *h, struct node_outputs *outs)
{
    struct node_outputs mine = *outs;
    *outs = (struct node_outputs){.first = NULL};
    for (const struct node_output *o = mine.first; o != NULL; o = o->next) {
        output(h, o);
    }
    node_outputs_free(&mine);
}

/* in: NULL for a turn that only loads. */
static void turn_run(struct hostile *h, const struct node_input *in)
{
    struct store store;
    struct node_outputs outs = {.first = NULL};
    store_mem_begin(h->mem, &store);
    struct turn turn = {.env = &h->unit.env, .store = &store, .arena = &h->arena};
    enum err err = in != NULL ? node_step(h->node, &turn, in, &outs)
                              : node_load(h->node, &turn, &h->root, 1, &outs);
    if (err == ERR_OK) {
        err = node_flush(h->node, &turn, &outs);
    }
    if (err == ERR_OK) {
        err = store_mem_commit(h->mem);
    } else {
        store_mem_abort(h->mem);
    }
    arena_reset(&h->arena);
    h->turn = err;
    if (err != ERR_OK) {
        node_outputs_free(&outs);
        return;
    }
    outputs(h, &outs);
}

void hostile_input(struct hostile *h, const struct node_input *in)
{
    turn_run(h, in);
}

void hostile_tick(struct hostile *h, uint64_t later_ms)
{
    struct node_input in = {.kind = NODE_TICK};
    h->unit.env.now_ms += later_ms;
    hostile_input(h, &in);
}

void hostile_frame(struct hostile *h, uint64_t link, uint8_t kind, uint32_t id, struct slice body)
{
    uint8_t *bytes = arena_alloc(&h->scratch, body.len + 16);
    ck_assert_ptr_nonnull(bytes);
    struct writer w = writer_of(bytes, body.len + 16);
    struct frame frame = {.kind = kind, .id = id, .body = body};
    frame_write(&w, &frame);
    ck_assert_int_eq(w.err, ERR_OK);
    struct node_input in = {.kind = NODE_FRAME, .link = link, .u.frame = writer_done(&w)};
    hostile_input(h, &in);
}

void hostile_ask(struct hostile *h, const char *method, uint32_t n, struct slice pairs)
{
    uint8_t client_id[16];
    uint8_t *bytes = arena_alloc(&h->scratch, pairs.len + 64);
    struct writer w = writer_of(bytes, pairs.len + 64);
    env_random(&h->unit.env, client_id, sizeof client_id);
    pack_map(&w, n + 1);
    writer_slice(&w, pairs);
    pack_str(&w, "client_id");
    pack_bin(&w, client_id, sizeof client_id);
    struct node_input in = {.kind = NODE_COMMAND};
    in.u.command.client = 1;
    in.u.command.id = 1;
    in.u.command.method = slice_of(method, strlen(method));
    in.u.command.params = writer_done(&w);
    in.u.command.root = &h->root;
    h->replied = false;
    hostile_input(h, &in);
    ck_assert_ok(h->turn);
}

enum err hostile_call(struct hostile *h, const char *method, uint32_t n, struct slice pairs)
{
    hostile_ask(h, method, n, pairs);
    ck_assert(h->replied);
    return h->reply;
}

/* --- the relay --- */

static void answer_put(struct hostile *h, struct slice body, struct writer *w)
{
    struct record_put *put = arena_alloc(&h->scratch, sizeof *put);
    struct record_put_reply reply = {.parts_left = 0};
    ck_assert_ok(record_put_read(body, &h->scratch, h->hash, put));
    if (put->has_body && h->refuse_body) {
        reply.head.err = ERR_STALE;
    } else if (put->has_body) {
        ck_assert_uint_gt(put->seq, h->seq);
        h->record = put->record;
        h->seq = put->seq;
        h->body_len = put->body.len;
        memcpy(h->body, put->body.p, put->body.len);
    }
    if (put->drop_below > h->last_part) {
        h->parts = 0;
    }
    for (size_t i = 0; i < put->nparts; i++) {
        ck_assert_uint_gt(put->parts[i].id, h->last_part);
        h->last_part = put->parts[i].id;
        h->parts++;
    }
    reply.parts_left = (uint16_t)h->parts;
    record_put_reply_write(w, &reply);
}

static void answer_status(struct hostile *h, struct writer *w)
{
    struct record_status_reply reply = {.seq = 1, .parts_left = 0, .last_part = h->last_part};
    reply.parts_left = (uint16_t)h->parts;
    if (h->lies) {
        reply.seq = h->lie_seq;
        reply.last_part = h->lie_part;
    }
    if (h->put_off) {
        reply.head = (struct relay_reply){.err = ERR_BACKPRESSURE, .retry_after_ms = UINT32_MAX};
    }
    record_status_reply_write(w, &reply);
}

struct bep44_item *hostile_descriptor(struct hostile *h, const struct sign_pk *key)
{
    for (size_t i = 0; i < HOSTILE_DESCRIPTORS; i++) {
        if (memcmp(h->descriptors[i].key.b, key->b, sizeof key->b) == 0) {
            return &h->descriptors[i];
        }
    }
    return NULL;
}

static void answer_descriptor_put(struct hostile *h, struct slice body, struct writer *w)
{
    struct descriptor_put put;
    struct relay_reply reply = {.err = h->refuse_descriptor ? ERR_STALE : ERR_OK};
    ck_assert_ok(descriptor_put_read(body, &h->scratch, h->hash, &put));
    if (!h->refuse_descriptor) {
        struct bep44_item *at = hostile_descriptor(h, &put.item.key);
        if (at == NULL) {
            at = &h->descriptors[h->ndescriptors++ % HOSTILE_DESCRIPTORS];
        }
        *at = put.item;
    }
    relay_reply_write(w, &reply);
}

static void answer_descriptor_get(struct hostile *h, struct slice body, struct writer *w)
{
    struct descriptor_get get;
    ck_assert_ok(descriptor_get_read(body, &get));
    const struct bep44_item *there = hostile_descriptor(h, &get.blinded);
    ck_assert_ptr_nonnull(there);
    struct descriptor_get_reply reply = {.item = *there};
    h->descriptor_gets++;
    descriptor_get_reply_write(w, &reply);
}

static void answer(struct hostile *h, const struct frame *f)
{
    uint8_t bytes[2048];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct relay_reply ok = {.err = ERR_OK};
    struct queue_ack ack;
    struct queue_void voids;
    switch (f->kind) {
    case FRAME_MEMBER_JOIN:
        member_join_reply_write(&w, &(struct member_join_reply){.queues = 8, .records = 8});
        break;
    case FRAME_QUEUE_REGISTER:
        queue_register_reply_write(
            &w, &(struct queue_register_reply){.envelopes = 1000, .bytes = 1 << 20, .days = 30});
        break;
    case FRAME_QUEUE_ATTACH:
        queue_attach_reply_write(&w, &(struct queue_attach_reply){.waiting = h->waiting});
        break;
    case FRAME_RECORD_PUT:
        answer_put(h, f->body, &w);
        break;
    case FRAME_RECORD_STATUS:
        answer_status(h, &w);
        break;
    case FRAME_DESCRIPTOR_PUT:
        answer_descriptor_put(h, f->body, &w);
        break;
    case FRAME_DESCRIPTOR_GET:
        answer_descriptor_get(h, f->body, &w);
        break;
    case FRAME_QUEUE_ACK:
        ck_assert_ok(queue_ack_read(f->body, &ack));
        h->acked = ack.number;
        relay_reply_write(&w, &ok);
        break;
    case FRAME_QUEUE_VOID:
        ck_assert_ok(queue_void_read(f->body, &voids));
        relay_reply_write(&w, &ok);
        break;
    default:
        relay_reply_write(&w, &ok);
    }
    ck_assert_int_eq(w.err, ERR_OK);
    uint8_t one = 1; /* as msgpack writes it */
    hostile_frame(h, h->link, FRAME_CREDIT, 0, slice_of(&one, 1));
    hostile_frame(h, h->link, (uint8_t)(f->kind + FRAME_REPLY), f->id, writer_done(&w));
}

void hostile_open(struct hostile *h, uint64_t link)
{
    struct node_input in = {.kind = NODE_LINK_OPENED, .link = link};
    in.u.opened.initiator = true;
    memcpy(in.u.opened.handshake_hash, h->hash, sizeof h->hash);
    h->opened = link;
    hostile_input(h, &in);
}

static void dialled(struct hostile *h, const struct node_output *o)
{
    bool own = memcmp(o->connect.node_id.b, h->relay.node_id.b, 32) == 0;
    if (own && h->link == 0) {
        h->link = o->link;
        hostile_open(h, o->link);
        return;
    }
    h->dialled_last = (struct address){.node_id = o->connect.node_id, .port = o->connect.port};
    memcpy(h->dialled_last.host, o->connect.host, sizeof h->dialled_last.host);
    h->others[h->dialled++ % HOSTILE_LINKS] = o->link;
}

static void output(struct hostile *h, const struct node_output *o)
{
    struct frame f;
    switch (o->kind) {
    case NODE_OUT_CONNECT:
        dialled(h, o);
        break;
    case NODE_OUT_SEND:
        ck_assert_ok(frame_read(slice_of(o->data, o->len), &f));
        if (o->link != h->link) {
            h->sent++;
            if (f.kind >= FRAME_MEMBER_JOIN && f.kind < FRAME_REPLY) {
                h->asked_link = o->link;
                h->asked_kind = f.kind;
                h->asked_id = f.id;
                h->asked_len = f.body.len;
                memcpy(h->asked, f.body.p, f.body.len);
            }
        } else if (f.kind >= FRAME_MEMBER_JOIN && f.kind < FRAME_REPLY) {
            answer(h, &f);
        }
        break;
    case NODE_OUT_CLOSE:
        h->closed++;
        if (o->link == h->link) {
            h->link = 0;
        }
        break;
    case NODE_OUT_REPLY:
        h->replied = true;
        h->reply = o->err;
        ck_assert_uint_le(o->len, sizeof h->result);
        memcpy(h->result, o->data, o->len);
        h->result_len = o->len;
        break;
    case NODE_OUT_EVENT:
        h->events++;
        break;
    case NODE_OUT_ROOT:
        h->wanted = (struct node_root){.account = o->account, .generation = o->generation};
        ck_assert_uint_eq(o->len, sizeof h->wanted.r);
        memcpy(h->wanted.r, o->data, sizeof h->wanted.r);
        break;
    case NODE_OUT_ROOT_KEEP:
        h->kept = o->generation;
        break;
    case NODE_OUT_DHT_GET:
    case NODE_OUT_DHT_NODE:
    case NODE_OUT_DHT_PUT:
    case NODE_OUT_DHT_TABLE:
    case NODE_OUT_LOCKED:
    case NODE_OUT_ERASE:
        break;
    }
}

/* --- life --- */

static void node_start(struct hostile *h)
{
    struct node_config config = {.node_keys = h->node_keys,
                                 .relay = true,
                                 .relay_open = true,
                                 .listen_host = "victim.test",
                                 .listen_port = 1,
                                 .skip = &h->skip};
    h->node = node_new(&config);
    ck_assert_ptr_nonnull(h->node);
    turn_run(h, NULL);
    ck_assert_ok(h->turn);
}

static void use_relay(struct hostile *h)
{
    uint8_t bytes[256];
    char text[ADDRESS_TEXT];
    struct writer w = writer_of(bytes, sizeof bytes);
    address_print(&h->relay, text);
    result_text(&w, "address", text);
    ck_assert_ok(hostile_call(h, "relay.use", 1, writer_done(&w)));
}

void hostile_init(struct hostile *h)
{
    uint8_t key[SEAL_KEY];
    struct sign_sk unused;
    struct account_row account;
    struct device_list list;
    memset(h, 0, sizeof *h);
    unit_env_init(&h->unit, 1, HOSTILE_NOW);
    arena_init(&h->arena, LIMIT_TURN_ARENA);
    arena_init(&h->scratch, (size_t)1 << 30);
    env_random(&h->unit.env, key, sizeof key);
    h->root.account = ROW_ACCOUNT;
    h->root.generation = 1;
    env_random(&h->unit.env, h->root.r, sizeof h->root.r);
    env_random(&h->unit.env, h->hash, sizeof h->hash);
    h->node_keys = seal_keys_new_node(key);
    h->mem = store_mem_new();
    node_start(h);
    /* Its own relay goes by the node's own ID: then it asks others openly, where the test plays
     * them, and not sealed through its relay. */
    node_identity(h->node, &h->relay.node_id, &unused);
    snprintf(h->relay.host, sizeof h->relay.host, "relay.test");
    h->relay.port = 1;
    ck_assert_ok(hostile_call(h, "account.create", 0, slice_of(NULL, 0)));
    use_relay(h);
    hostile_tick(h, 1000);
    hostile_account(h, &account);
    prim_sign_keypair(&h->id, &unused, account.identity);
    ck_assert_uint_gt(h->body_len, 0);
    ck_assert_uint_gt(h->parts, 0);
    ck_assert_ok(device_list_open(account.device_list, &h->id, &list));
    h->queue = list.entries[0].queues[0].key;
    hostile_forget(h);
}

void hostile_fini(struct hostile *h)
{
    node_free(h->node);
    seal_keys_free(h->node_keys);
    store_mem_free(h->mem);
    arena_fini(&h->arena);
    arena_fini(&h->scratch);
}

void hostile_restart(struct hostile *h)
{
    node_free(h->node);
    h->link = 0;
    h->pushed = 0;
    node_start(h);
    hostile_tick(h, 1000);
}

void hostile_forget(struct hostile *h)
{
    h->dialled = 0;
    h->sent = 0;
    h->asked_link = 0;
    h->closed = 0;
    h->events = 0;
}

/* --- others --- */

void hostile_answer(struct hostile *h, struct slice body)
{
    uint8_t one = 1;
    uint64_t link = h->asked_link;
    ck_assert_uint_ne(link, 0);
    h->asked_link = 0;
    hostile_frame(h, link, FRAME_CREDIT, 0, slice_of(&one, 1));
    hostile_frame(h, link, (uint8_t)(h->asked_kind + FRAME_REPLY), h->asked_id, body);
}

void hostile_mine(struct hostile *h, uint8_t kind)
{
    for (unsigned i = 0; i < 1000 && h->asked_link == 0; i++) {
        hostile_tick(h, 0);
        ck_assert_ok(h->turn);
    }
    ck_assert_uint_eq(h->asked_kind, kind);
}

void hostile_push(struct hostile *h, struct slice envelope)
{
    struct queue_push push = {.queue = h->queue,
                              .number = ++h->pushed,
                              .deposited_ms = h->unit.env.now_ms,
                              .envelope = envelope};
    uint8_t *bytes = arena_alloc(&h->scratch, envelope.len + 128);
    struct writer w = writer_of(bytes, envelope.len + 128);
    queue_push_write(&w, &push);
    hostile_frame(h, h->link, FRAME_QUEUE_PUSH, 0, writer_done(&w));
}

/* --- looking --- */

static enum err look(struct hostile *h, const struct sign_pk *id, struct account_row *account,
                     struct peer_row *contact)
{
    struct store store;
    store_mem_read(h->mem, &store);
    struct turn turn = {.env = &h->unit.env, .store = &store, .arena = &h->scratch};
    struct step step = {.turn = &turn};
    struct seal_keys *keys = seal_keys_new_account(ROW_ACCOUNT, h->root.r);
    uint32_t number = 0;
    ck_assert_ok(seal_keys_load(keys, &turn));
    enum err err = account != NULL ? account_row_get(&step, keys, account) : ERR_OK;
    if (contact != NULL) {
        err = contact_row_find(&step, keys, id, &number);
    }
    if (err == ERR_OK && contact != NULL) {
        struct contact_row who;
        err = contact_row_get(&step, keys, number, &who);
        err = err == ERR_OK ? peer_row_of(&step, keys, &who, 0, contact) : err;
    }
    seal_keys_free(keys);
    return err;
}

void hostile_account(struct hostile *h, struct account_row *row)
{
    ck_assert_ok(look(h, NULL, row, NULL));
}

enum err hostile_contact(struct hostile *h, const struct sign_pk *id, struct peer_row *row)
{
    return look(h, id, NULL, row);
}

void hostile_requests(struct hostile *h, unsigned count)
{
    struct store store;
    struct account_row account;
    struct node_outputs outs = {.first = NULL};
    store_mem_begin(h->mem, &store);
    struct turn turn = {.env = &h->unit.env, .store = &store, .arena = &h->scratch};
    struct step step = {.turn = &turn, .outs = &outs};
    struct seal_keys *keys = seal_keys_new_account(ROW_ACCOUNT, h->root.r);
    ck_assert_ok(seal_keys_load(keys, &turn));
    ck_assert_ok(account_row_get(&step, keys, &account));
    for (unsigned i = 0; i < count; i++) {
        struct contact_row row = {.number = ++account.last_contact, .state = CONTACT_INCOMING};
        struct peer_row peer;
        env_random(&h->unit.env, row.id.b, sizeof row.id.b);
        ck_assert_ok(peer_row_new(&step, keys, &row, row.number, &peer));
    }
    ck_assert_ok(account_row_put(&step, keys, &account));
    ck_assert_ok(store_mem_commit(h->mem));
    seal_keys_free(keys);
}

unsigned hostile_events(struct hostile *h, const char *type)
{
    struct store store;
    uint8_t *bytes = arena_alloc(&h->scratch, LIMIT_CONTROL_MESSAGE);
    struct writer w = writer_of(bytes, LIMIT_CONTROL_MESSAGE);
    store_mem_read(h->mem, &store);
    struct turn turn = {.env = &h->unit.env, .store = &store, .arena = &h->scratch};
    struct seal_keys *keys = seal_keys_new_account(ROW_ACCOUNT, h->root.r);
    ck_assert_ok(seal_keys_load(keys, &turn));
    ck_assert_ok(event_read(&turn, keys, 0, 1000, &w));
    seal_keys_free(keys);
    struct reader r = reader_of(writer_done(&w));
    ck_assert_uint_eq(pack_read_map(&r, 3), 3);
    (void)pack_read_str(&r, 16);
    unsigned count = 0;
    for (uint32_t n = pack_read_array(&r, 1000); n > 0; n--) {
        size_t start = r.pos;
        struct slice found;
        pack_skip(&r, 5);
        count += params_str(slice_of(bytes + start, r.pos - start), "type", &found) &&
                 slice_equal(found, unit_str(type));
    }
    ck_assert_ok(r.err);
    return count;
}

size_t hostile_rows(const struct hostile *h, enum store_table t)
{
    return store_mem_count(h->mem, t);
}
