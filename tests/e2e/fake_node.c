/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_node: stands in for the core (proto/node) in petreld-fake, to test the host around it. It
 * stores what message.send gives it as events, fails on demand, and echoes frames:
 *
 *   message.send text "fail:NAME"   every step of this command fails with that error
 *   message.send text "once:NAME"   fails the first time in this process
 *   message.send text "burst:N:B"   N events of B bytes in one turn
 *   message.send text "flood:N:B"   N frames of B bytes to the node that was dialled last
 *   message.send text "push:S"      a push of an envelope of bytes S to that node, where its step
 *                                   fails until the host says that it is to be skipped
 *   contact.list                    FAKE_CONTACTS contacts in pages
 *   relay.use address HEX@HOST:PORT dials a node (64 hex digits), sends it a frame once open
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "control/codec.h"
#include "link/frame.h"
#include "node/node.h"
#include "relay/queue.h"

enum {
    FAKE_CONTACTS = 60,
    FAKE_PAGE = 25,
};

struct node {
    struct node_config config;
    struct sign_pk id;
    struct sign_sk sk;
    uint64_t last;  /* newest cursor */
    uint64_t first; /* oldest */
    uint64_t links;
    uint64_t next_link;
    uint64_t frames;
    uint64_t dialled; /* the open link that was dialled last */
    bool unlocked;
};

static struct node_output *output(struct node_outputs *outs, enum node_output_kind kind,
                                  struct slice data)
{
    struct node_output *o = calloc(1, sizeof *o + data.len);
    if (o == NULL) {
        abort();
    }
    o->kind = kind;
    o->len = data.len;
    if (data.len > 0) {
        memcpy(o->data, data.p, data.len);
    }
    if (outs->last != NULL) {
        outs->last->next = o;
    } else {
        outs->first = o;
    }
    outs->last = o;
    outs->count++;
    outs->bytes += data.len;
    return o;
}

struct node *node_new(const struct node_config *config)
{
    struct node *node = calloc(1, sizeof *node);
    if (node != NULL) {
        node->config = *config;
    }
    return node;
}

void node_free(struct node *node)
{
    free(node);
}

enum err node_abandon(struct node *node, bool begun, struct node_outputs *outs)
{
    (void)node;
    (void)begun;
    (void)outs;
    return ERR_OK; /* it answers at once, or never */
}

static const char META_SEED[] = "fake seed";

enum err node_load(struct node *node, struct turn *turn, const struct node_root *roots,
                   size_t nroots, struct node_outputs *outs)
{
    struct slice key = slice_of(META_SEED, sizeof META_SEED);
    struct slice value;
    struct store_row row;
    uint8_t seed[32];
    (void)roots;
    (void)outs;
    enum err err = store_get(turn->store, STORE_META, key, &value);
    if (err == ERR_NOT_FOUND) {
        env_random(turn->env, seed, sizeof seed);
        err = store_put(turn->store, STORE_META, key, slice_of(seed, sizeof seed));
    } else if (err == ERR_OK && value.len == sizeof seed) {
        memcpy(seed, value.p, sizeof seed);
    }
    if (err != ERR_OK) {
        return err;
    }
    prim_sign_keypair(&node->id, &node->sk, seed);
    uint64_t start = 0;
    env_random(turn->env, &start, 4);
    node->next_link = UINT64_C(1) << 63 | start << 16;
    node->unlocked = nroots > 0;
    struct store_key top = store_key_new();
    store_key_u64(&top, UINT64_MAX);
    if (store_seek(turn->store, STORE_EVENT, STORE_LE, store_key_slice(&top), &row) == ERR_OK) {
        struct reader r = reader_of(row.key);
        node->last = reader_u64(&r);
    }
    return ERR_OK;
}

static enum err add_event(struct node *node, struct turn *turn, const char *type, struct slice text,
                          struct node_outputs *outs)
{
    static uint8_t bytes[LIMIT_TEXT + 256];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct store_key key = store_key_new();
    store_key_u64(&key, ++node->last);
    pack_map(&w, 5);
    pack_str(&w, "cursor");
    pack_uint(&w, node->last);
    pack_str(&w, "type");
    pack_str(&w, type);
    pack_str(&w, "time");
    pack_uint(&w, turn->env->now_ms);
    pack_str(&w, "account");
    pack_uint(&w, 1);
    pack_str(&w, "data");
    pack_map(&w, 1);
    pack_str(&w, "text");
    pack_str_slice(&w, text);
    struct node_output *o = output(outs, NODE_OUT_EVENT, slice_of(NULL, 0));
    o->account = 1;
    o->cursor = node->last;
    return store_append(turn->store, STORE_EVENT, store_key_slice(&key), writer_done(&w));
}

static enum err err_by_name(const char *name)
{
#define BY_NAME(constant, code, class, text, message)                                              \
    if (strcmp(name, text) == 0) {                                                                 \
        return ERR_##constant;                                                                     \
    }
    ERR_TABLE(BY_NAME)
#undef BY_NAME
    return ERR_BUG;
}

static void send_frame(struct node_outputs *outs, uint64_t link, uint8_t kind, uint32_t id,
                       struct slice body)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct writer w = writer_of(bytes, sizeof bytes);
    const struct frame f = {.kind = kind, .id = id, .body = body};
    frame_write(&w, &f);
    output(outs, NODE_OUT_SEND, writer_done(&w))->link = link;
}

/* A binary body of size bytes. */
static void flood(const struct node *node, struct node_outputs *outs, unsigned n, unsigned size)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct writer w = writer_of(bytes, sizeof bytes - 16);
    uint8_t *body = malloc(size + 1);
    if (body == NULL) {
        abort();
    }
    memset(body, 'x', size);
    pack_bin(&w, body, size);
    free(body);
    for (; n > 0; n--) {
        send_frame(outs, node->dialled, FRAME_RECORD_GET, 1, writer_done(&w));
    }
}

static void send_push(const struct node *node, struct node_outputs *outs, uint8_t filling)
{
    static uint8_t envelope[1024];
    static uint8_t bytes[1200];
    struct writer w = writer_of(bytes, sizeof bytes);
    memset(envelope, filling, sizeof envelope);
    struct queue_push push = {.number = 1, .envelope = slice_of(envelope, sizeof envelope)};
    queue_push_write(&w, &push);
    send_frame(outs, node->dialled, FRAME_QUEUE_PUSH, 0, writer_done(&w));
}

static enum err send_text(struct node *node, struct turn *turn, struct slice params,
                          struct node_outputs *outs, struct writer *reply)
{
    static bool failed_once;
    char word[64] = "";
    unsigned n = 1;
    unsigned size = 0;
    struct slice text = {0};
    (void)control_get_str(params, "text", &text);
    memcpy(word, text.p, text.len < sizeof word - 1 ? text.len : sizeof word - 1);
    if (strncmp(word, "fail:", 5) == 0) {
        return err_by_name(word + 5);
    }
    if (strncmp(word, "once:", 5) == 0 && !failed_once) {
        failed_once = true;
        return err_by_name(word + 5);
    }
    if (sscanf(word, "flood:%u:%u", &n, &size) == 2) {
        flood(node, outs, n, size);
        n = 0;
    }
    if (strncmp(word, "push:", 5) == 0) {
        send_push(node, outs, (uint8_t)word[5]);
    }
    static char big[LIMIT_TEXT];
    memset(big, 'x', sizeof big);
    if (sscanf(word, "burst:%u:%u", &n, &size) == 2 && size <= sizeof big) {
        text = slice_of(big, size);
    }
    for (; n > 0; n--) {
        enum err err = add_event(node, turn, "message.received", text, outs);
        if (err != ERR_OK) {
            return err;
        }
    }
    pack_map(reply, 2);
    pack_str(reply, "message");
    pack_str(reply, "00000000000000000000000000000000");
    pack_str(reply, "order");
    pack_uint(reply, node->last);
    return ERR_OK;
}

static void status(struct node *node, struct writer *w)
{
    char hex[65];
    char address[160];
    sodium_bin2hex(hex, sizeof hex, node->id.b, sizeof node->id.b);
    snprintf(address, sizeof address, "%s@%s:%u", hex,
             node->config.listen_host != NULL ? node->config.listen_host : "",
             (unsigned)node->config.listen_port);
    pack_map(w, 6);
    pack_str(w, "version");
    pack_str(w, PETREL_VERSION);
    pack_str(w, "node");
    pack_str(w, address);
    pack_str(w, "account");
    pack_str(w, node->unlocked ? "open" : "none");
    pack_str(w, "relay");
    pack_bool(w, node->config.relay);
    pack_str(w, "links");
    pack_uint(w, node->links);
    pack_str(w, "outbox");
    pack_uint(w, node->frames);
}

static enum err dial(struct node *node, struct slice params, struct node_outputs *outs)
{
    char text[192] = "";
    char hex[65];
    unsigned port = 0;
    struct slice address = {0};
    struct node_output *o = output(outs, NODE_OUT_CONNECT, slice_of(NULL, 0));
    (void)control_get_str(params, "address", &address);
    memcpy(text, address.p, address.len < sizeof text - 1 ? address.len : sizeof text - 1);
    o->link = node->next_link++;
    randombytes_buf(o->connect.link_key.b, sizeof o->connect.link_key.b);
    if (sscanf(text, "%64[0-9a-f]@%64[^:]:%u", hex, o->connect.host, &port) != 3 ||
        sodium_hex2bin(o->connect.node_id.b, 32, hex, 64, NULL, NULL, NULL) != 0) {
        o->connect.port = 1;
        strcpy(o->connect.host, "127.0.0.1");
        return ERR_OK;
    }
    o->connect.port = (uint16_t)port;
    return ERR_OK;
}

static enum err command(struct node *node, struct turn *turn, const struct node_input *input,
                        struct node_outputs *outs)
{
    static uint8_t bytes[1024];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct slice method = input->u.command.method;
    enum err err = ERR_OK;
    enum err answer = ERR_OK;
    if (slice_equal(method, slice_of("message.send", 12))) {
        err = send_text(node, turn, input->u.command.params, outs, &w);
    } else if (slice_equal(method, slice_of("daemon.status", 13))) {
        status(node, &w);
    } else if (slice_equal(method, slice_of("relay.use", 9))) {
        err = dial(node, input->u.command.params, outs);
        pack_map(&w, 0);
    } else if (slice_equal(method, slice_of("relay.status", 12))) {
        pack_map(&w, 0);
    } else if (slice_equal(method, slice_of("account.create", 14)) ||
               slice_equal(method, slice_of("account.unlock", 14)) ||
               slice_equal(method, slice_of("account.passphrase", 18))) {
        struct slice passphrase;
        uint8_t row[] = {0, 0, 0, 1, 0};
        if (input->u.command.root == NULL) {
            answer = ERR_ACCOUNT_EXISTS;
        } else {
            err =
                store_put(turn->store, STORE_ACCOUNT, slice_of(row, sizeof row), slice_of("x", 1));
        }
        node->unlocked = true;
        pack_map(&w, 2);
        pack_str(&w, "id");
        pack_str(&w, "petrel1fake");
        pack_str(&w, "leaked");
        pack_bool(&w, control_get(input->u.command.params, "passphrase", &passphrase) ||
                          control_get(input->u.command.params, "new", &passphrase));
    } else {
        answer = ERR_NOT_NOW;
    }
    struct node_output *o =
        output(outs, NODE_OUT_REPLY, answer == ERR_OK ? writer_done(&w) : slice_of(NULL, 0));
    o->client = input->u.command.client;
    o->id = input->u.command.id;
    o->err = answer;
    o->account = input->u.command.root != NULL ? input->u.command.root->account : 0;
    return err;
}

static enum err on_frame(struct node *node, struct turn *turn, const struct node_input *input,
                         struct node_outputs *outs)
{
    struct frame f;
    if (frame_read(input->u.frame, &f) != ERR_OK) {
        output(outs, NODE_OUT_CLOSE, slice_of(NULL, 0))->link = input->link;
        return ERR_OK;
    }
    node->frames++;
    struct queue_push push;
    if (f.kind == FRAME_QUEUE_PUSH && queue_push_read(f.body, &push) == ERR_OK) {
        return node_skip_has(node->config.skip, push.envelope)
                   ? add_event(node, turn, "message.skipped", slice_of("push", 4), outs)
                   : ERR_CORRUPT;
    }
    if (f.kind >= FRAME_REPLY) {
        return add_event(node, turn, "relay.ready", slice_of("echo", 4), outs);
    }
    if (f.kind >= FRAME_MEMBER_JOIN) {
        send_frame(outs, input->link, (uint8_t)(f.kind + FRAME_REPLY), f.id, f.body);
    }
    return ERR_OK;
}

enum err node_step(struct node *node, struct turn *turn, const struct node_input *input,
                   struct node_outputs *outs)
{
    static const uint8_t body[] = {0x80};
    const char *name = NULL;
    switch (input->kind) {
    case NODE_ROOTED:
    case NODE_DHT_ITEM:
    case NODE_DHT_DONE:
    case NODE_DHT_TABLE:
        return ERR_OK;
    case NODE_LINK_OPENED:
        node->links++;
        if (input->u.opened.initiator) {
            node->dialled = input->link;
            send_frame(outs, input->link, FRAME_RECORD_GET, 1, slice_of(body, sizeof body));
        }
        return ERR_OK;
    case NODE_FRAME:
        return on_frame(node, turn, input, outs);
    case NODE_LINK_CLOSED:
        name = err_name(input->u.closed);
        if (node->links > 0) {
            node->links--;
        }
        if (input->link >> 63 == 0) {
            return ERR_OK;
        }
        return add_event(node, turn, "relay.failing", slice_of(name, strlen(name)), outs);
    case NODE_ERASED:
    case NODE_TICK:
        return ERR_OK;
    case NODE_POLICY:
        return ERR_OK;
    case NODE_COMMAND:
        return command(node, turn, input, outs);
    }
    return ERR_BUG;
}

enum err node_flush(struct node *node, struct turn *turn, struct node_outputs *outs)
{
    (void)node;
    (void)turn;
    (void)outs;
    return ERR_OK;
}

uint64_t node_deadline(const struct node *node)
{
    (void)node;
    return UINT64_MAX;
}

void node_identity(const struct node *node, struct sign_pk *id, struct sign_sk *sk)
{
    *id = node->id;
    *sk = node->sk;
}

static uint64_t edge(struct turn *turn, enum store_seek how, uint64_t at)
{
    struct store_row row;
    struct store_key key = store_key_new();
    store_key_u64(&key, at);
    if (store_seek(turn->store, STORE_EVENT, how, store_key_slice(&key), &row) != ERR_OK) {
        return 0;
    }
    struct reader r = reader_of(row.key);
    return reader_u64(&r);
}

/* Events after since, up to half a message. */
static enum err event_read(struct turn *turn, struct slice params, struct writer *w)
{
    uint64_t since = 0;
    uint64_t limit = 0;
    uint64_t n = 0;
    size_t bytes = 0;
    (void)control_get_uint(params, "since", &since);
    (void)control_get_uint(params, "limit", &limit);
    struct store_row row;
    for (int pass = 0; pass < 2; pass++) {
        uint64_t at = since;
        uint64_t left = pass == 0 ? limit : n;
        if (pass == 1) {
            pack_map(w, 3);
            pack_str(w, "events");
            pack_array(w, (uint32_t)n);
        }
        while (left-- > 0 && bytes < LIMIT_CONTROL_MESSAGE / 2) {
            struct store_key key = store_key_new();
            store_key_u64(&key, at);
            if (store_seek(turn->store, STORE_EVENT, STORE_GT, store_key_slice(&key), &row) !=
                ERR_OK) {
                break;
            }
            struct reader r = reader_of(row.key);
            at = reader_u64(&r);
            if (pass == 1) {
                writer_slice(w, row.value);
            } else {
                n++;
                bytes += row.value.len;
            }
        }
        bytes = 0;
    }
    pack_str(w, "first");
    pack_uint(w, edge(turn, STORE_GE, 0));
    pack_str(w, "last");
    pack_uint(w, edge(turn, STORE_LE, UINT64_MAX));
    return w->err;
}

enum err node_account_free(struct turn *turn, bool another, uint32_t *number)
{
    struct store_row row;
    (void)another;
    *number = 1;
    enum err err = store_seek(turn->store, STORE_ACCOUNT, STORE_GE, slice_of("", 1), &row);
    return err == ERR_OK ? ERR_ACCOUNT_EXISTS : err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err node_account_made(struct turn *turn, struct slice params, uint32_t *number)
{
    (void)turn;
    (void)params;
    (void)number;
    return ERR_NOT_FOUND;
}

enum err node_account_named(struct turn *turn, struct slice params, uint32_t *number)
{
    (void)turn;
    (void)params;
    *number = 1;
    return ERR_OK;
}

enum err node_account_erasing(struct turn *turn, uint32_t account, bool *erasing)
{
    (void)turn;
    (void)account;
    *erasing = false;
    return ERR_OK;
}

enum err node_account_root(struct turn *turn, uint32_t account, uint32_t *generation)
{
    (void)turn;
    (void)account;
    *generation = 1;
    return ERR_OK;
}

enum err node_account_stays(struct turn *turn, uint32_t account, bool *stays)
{
    (void)turn;
    *stays = account == 1;
    return ERR_OK;
}

/* Contacts 1 to FAKE_CONTACTS, FAKE_PAGE of them at a time. */
static enum err contact_list(struct slice params, struct writer *w)
{
    uint64_t after = 0;
    (void)control_get_uint(params, "after", &after);
    bool more = after + FAKE_PAGE < FAKE_CONTACTS;
    uint64_t end = more ? after + FAKE_PAGE : FAKE_CONTACTS;
    pack_map(w, more ? 3 : 2);
    pack_str(w, "contacts");
    pack_array(w, (uint32_t)(end - after));
    for (uint64_t i = after + 1; i <= end; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "contact-%u", (unsigned)i);
        pack_map(w, 1);
        pack_str(w, "id");
        pack_str(w, id);
    }
    pack_str(w, "more");
    pack_bool(w, more);
    if (more) {
        pack_str(w, "next");
        pack_uint(w, end);
    }
    return w->err;
}

enum err node_query(struct turn *turn, const struct node_root *roots, size_t nroots,
                    struct slice method, struct slice params, struct writer *w)
{
    (void)roots;
    if (slice_equal(method, slice_of("event.read", 10))) {
        return event_read(turn, params, w);
    }
    if (slice_equal(method, slice_of("consumer.get", 12))) {
        return ERR_NOT_FOUND;
    }
    if (nroots == 0) {
        return ERR_NO_ACCOUNT;
    }
    if (slice_equal(method, slice_of("contact.list", 12))) {
        return contact_list(params, w);
    }
    pack_map(w, 1);
    pack_str(w, "id");
    pack_str(w, "petrel1fake");
    return ERR_OK;
}
