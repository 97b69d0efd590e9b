/* SPDX-License-Identifier: Apache-2.0
 *
 * command: calls over the control interface that change something or show live state. One function
 * a method; docs/protocol/09-control.md.
 *
 * A mutating call carries a client_id: its first good result is kept for LIMIT_CLIENT_ID_DAYS and
 * given again when the same call comes again.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "crypto/safety.h"
#include "crypto/words.h"
#include "node/content.h"
#include "node/core.h"
#include "node/event.h"
#include "node/home_keys.h"
#include "node/invite.h"
#include "node/lookup.h"
#include "node/params.h"
#include "node/voiding.h"

/* One call. */
struct call {
    struct node *node;
    struct step *step;
    struct slice params;
    const uint8_t *root; /* account.create and account.unlock */
    struct writer out;   /* the result map */
};

enum {
    CALL_RESULT = 4096, /* encoded result of any method here */
    CALL_HASH = 16,
    CALL_PAGE = 24, /* entries of a list in one result */
};

/* --- account --- */

static enum err account_result(struct call *c, bool words)
{
    struct account_row row;
    char id[ID_TEXT];
    id_encode(c->node->account_id.b, id);
    pack_map(&c->out, words ? 2 : 1);
    result_text(&c->out, "id", id);
    if (!words) {
        return ERR_OK;
    }
    enum err err = account_row_get(c->step, c->node->keys, &row);
    if (err == ERR_OK) {
        char text[WORDS_TEXT];
        words_encode(row.identity, text);
        result_text(&c->out, "words", text);
        secret_wipe(text, sizeof text);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err call_account_create(struct call *c)
{
    struct slice words = slice_of(NULL, 0);
    uint8_t seed[WORDS_SEED];
    unsigned wrong;
    bool given = params_str(c->params, "words", &words);
    if (c->node->has_account) {
        return ERR_ACCOUNT_EXISTS;
    }
    if (c->root == NULL) {
        return ERR_BUG;
    }
    enum err err = given ? words_decode(words, seed, &wrong) : ERR_OK;
    if (err == ERR_OK) {
        err = account_create(c->node, c->step, c->root, given ? seed : NULL);
    }
    secret_wipe(seed, sizeof seed);
    if (err == ERR_OK) {
        err = home_load(c->node, c->step);
    }
    return err == ERR_OK ? account_result(c, true) : err;
}

static enum err call_account_unlock(struct call *c)
{
    enum err err = ERR_OK;
    if (!c->node->has_account) {
        return ERR_NO_ACCOUNT;
    }
    if (c->node->keys == NULL) {
        err = c->root == NULL ? ERR_ACCOUNT_LOCKED : node_open_account(c->node, c->step, c->root);
        if (err == ERR_CORRUPT && c->node->keys == NULL) {
            err = ERR_WRONG_KEY; /* it opens none of the account's keys */
        }
    }
    return err == ERR_OK ? account_result(c, false) : err;
}

/* --- invitations and contacts --- */

static enum err call_invite_create(struct call *c)
{
    struct step *step = c->step;
    struct relay_row relay;
    struct invite invite = {.id = c->node->account_id,
                            .expires_ms = step_now(step) + LIMIT_INVITE_DAYS * LIMIT_DAY_MS};
    struct invite_row row = {.expires = invite.expires_ms};
    enum err err = relay_row_get(step, c->node->keys, &relay);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && relay.record_seq == 0)) {
        return ERR_NO_RELAY; /* nobody could use it before the key bundle is there */
    }
    if (err == ERR_OK) {
        err = account_next_contact(c->node, step, &row.contact);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct sign_pk queue;
    struct token_key k;
    struct token_siv_key siv;
    struct token token;
    uint32_t epoch = token_epoch(step_now(step));
    home_queue(&relay, &queue);
    home_record(&relay, &invite.record);
    invite.relay = relay.address;
    home_token_keys(&relay, &queue, &k, &siv);
    token_mint(&k, &siv, &queue, row.contact, 1, epoch, &token);
    memcpy(invite.deposit_token, token.b, sizeof invite.deposit_token);
    home_token_keys(&relay, &invite.record, &k, &siv);
    token_mint(&k, &siv, &invite.record, row.contact, 2, epoch, &token);
    memcpy(invite.pop_token, token.b, sizeof invite.pop_token);
    env_random(step->turn->env, invite.secret, sizeof invite.secret);
    memcpy(row.secret, invite.secret, sizeof row.secret);

    uint8_t id[INVITE_ID];
    char link[INVITE_TEXT];
    invite_id(invite.secret, id);
    invite_encode(&invite, link);
    err = invite_row_put(step, c->node->keys, id, &row);
    pack_map(&c->out, 2);
    result_text(&c->out, "link", link);
    result_uint(&c->out, "expires", invite.expires_ms);
    secret_wipe(&invite, sizeof invite);
    secret_wipe(&row, sizeof row);
    secret_wipe(&relay, sizeof relay);
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
    secret_wipe(link, sizeof link);
    return err;
}

/* Puts the request that a new contact gets first. */
static enum err ask(struct call *c, const struct contact_row *row)
{
    struct content content = {
        .type = CONTENT_REQUEST, .sent_ms = step_now(c->step), .text = row->text};
    env_random(c->step->turn->env, content.id, sizeof content.id);
    struct writer w = step_writer(c->step, CONTENT_OVERHEAD + row->text.len);
    uint64_t order;
    enum err err = content_encode(&w, &content);
    return err == ERR_OK ? outbox_add(c->node, c->step, row->number, writer_done(&w), false, &order)
                         : err;
}

/* What contact.add was given: an ID alone, or an invitation, into row. */
static enum err read_link(struct call *c, struct slice link, struct contact_row *row,
                          struct slice *deposit_token)
{
    *deposit_token = slice_of(NULL, 0);
    size_t prefix = strlen(INVITE_PREFIX);
    if (link.len < prefix || memcmp(link.p, INVITE_PREFIX, prefix) != 0) {
        return id_parse(link, &row->id);
    }
    struct invite invite;
    struct arena *arena = c->step->turn->arena;
    enum err err = invite_decode(link, &invite);
    if (err == ERR_OK && invite.expires_ms <= step_now(c->step)) {
        err = ERR_EXPIRED;
    }
    if (err == ERR_OK) {
        row->id = invite.id;
        row->has_record = true;
        row->relay = invite.relay;
        row->record = invite.record;
        row->invite = arena_copy(arena, slice_of(invite.secret, sizeof invite.secret));
        row->pop_token = arena_copy(arena, slice_of(invite.pop_token, sizeof invite.pop_token));
        *deposit_token =
            arena_copy(arena, slice_of(invite.deposit_token, sizeof invite.deposit_token));
        err = deposit_token->p == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    secret_wipe(&invite, sizeof invite);
    return err;
}

static enum err contact_result(struct call *c, const struct contact_row *row)
{
    char id[ID_TEXT];
    id_encode(row->id.b, id);
    pack_map(&c->out, 2);
    result_text(&c->out, "id", id);
    result_text(&c->out, "state", row->state == CONTACT_ACCEPTED ? "accepted" : "requested");
    return ERR_OK;
}

/* contact.add for somebody who is known already. */
static enum err add_known(struct call *c, struct contact_row *row)
{
    enum err err = ERR_OK;
    switch (row->state) {
    case CONTACT_BLOCKED: /* adding somebody again is how a block is taken back */
    case CONTACT_INCOMING:
        err = contact_accept(c->node, c->step, row);
        break;
    case CONTACT_RESOLVING:
    case CONTACT_REQUESTED:
    case CONTACT_ACCEPTED:
        break;
    }
    return err == ERR_OK ? contact_result(c, row) : err;
}

/* A name that was given: valid, and nobody else's. */
static enum err take_name(struct call *c, struct contact_row *row)
{
    bool taken;
    struct slice name = slice_of(NULL, 0);
    if (!params_str(c->params, "name", &name)) {
        return ERR_OK;
    }
    if (name.len > LIMIT_NAME) {
        return ERR_ARGUMENT;
    }
    enum err err = lookup_name_taken(c->step, c->node->keys, name, row->number, &taken);
    if (err == ERR_OK && taken) {
        err = ERR_EXISTS;
    }
    if (err == ERR_OK) {
        row->name = name;
    }
    return err;
}

static enum err call_contact_add(struct call *c)
{
    struct step *step = c->step;
    struct seal_keys *keys = c->node->keys;
    struct contact_row row = {.created = step_now(step), .state = CONTACT_RESOLVING};
    struct slice link = slice_of(NULL, 0);
    struct slice token;
    (void)params_str(c->params, "link", &link);
    (void)params_str(c->params, "text", &row.text);
    if (row.text.len > LIMIT_REQUEST_TEXT) {
        return ERR_TEXT_TOO_LONG;
    }
    enum err err = read_link(c, link, &row, &token);
    if (err != ERR_OK) {
        return err;
    }
    if (memcmp(row.id.b, c->node->account_id.b, sizeof row.id.b) == 0) {
        return ERR_SELF;
    }
    uint32_t known;
    err = contact_row_find(step, keys, &row.id, &known);
    if (err == ERR_OK) {
        err = contact_row_get(step, keys, known, &row);
        return err == ERR_OK ? add_known(c, &row) : err;
    }
    if (err == ERR_NOT_FOUND) {
        err = take_name(c, &row);
    }
    if (err == ERR_OK) {
        err = account_next_contact(c->node, step, &row.number);
    }
    if (err == ERR_OK) {
        err = contact_row_put(step, keys, &row);
    }
    if (err == ERR_OK) {
        err = token_row_add(step, keys, row.number, token);
    }
    if (err == ERR_OK) {
        err = ask(c, &row);
    }
    return err == ERR_OK ? contact_result(c, &row) : err;
}

/* The contact that parameter "contact" names. */
static enum err named_contact(struct call *c, struct contact_row *row)
{
    struct slice text = slice_of(NULL, 0);
    (void)params_str(c->params, "contact", &text);
    return lookup_contact(c->step, c->node->keys, text, row);
}

static enum err call_contact_block(struct call *c)
{
    struct contact_row row;
    enum err err = named_contact(c, &row);
    if (err != ERR_OK) {
        return err;
    }
    row.state = CONTACT_BLOCKED;
    pack_map(&c->out, 0);
    err = voiding_begin(c->node, c->step, &row);
    if (err == ERR_OK) {
        err = contact_row_put(c->step, c->node->keys, &row);
    }
    return err == ERR_OK ? outbox_clear(c->node, c->step, &row, ERR_CONTACT_BLOCKED) : err;
}

static enum err call_contact_verify(struct call *c)
{
    struct contact_row row;
    struct slice number;
    char safety[SAFETY_TEXT];
    enum err err = named_contact(c, &row);
    if (err != ERR_OK) {
        return err;
    }
    safety_number(&c->node->account_id, &row.id, safety);
    if (params_str(c->params, "number", &number)) {
        if (!slice_equal(number, slice_of(safety, SAFETY_TEXT - 1))) {
            return ERR_ARGUMENT;
        }
        row.verified = true;
        err = contact_row_put(c->step, c->node->keys, &row);
    }
    char id[ID_TEXT];
    id_encode(row.id.b, id);
    pack_map(&c->out, 3);
    result_text(&c->out, "id", id);
    result_text(&c->out, "number", safety);
    result_bool(&c->out, "verified", row.verified);
    return err;
}

static enum err call_request_accept(struct call *c)
{
    struct contact_row row;
    enum err err = named_contact(c, &row);
    if (err != ERR_OK) {
        return err == ERR_UNKNOWN_CONTACT ? ERR_UNKNOWN_REQUEST : err;
    }
    if (row.state != CONTACT_INCOMING) {
        return ERR_UNKNOWN_REQUEST;
    }
    err = take_name(c, &row);
    if (err == ERR_OK) {
        err = contact_accept(c->node, c->step, &row);
    }
    char id[ID_TEXT];
    id_encode(row.id.b, id);
    pack_map(&c->out, 1);
    result_text(&c->out, "id", id);
    return err;
}

/* --- messages and events --- */

static enum err call_message_send(struct call *c)
{
    struct contact_row row;
    enum err err = named_contact(c, &row);
    if (err != ERR_OK) {
        return err;
    }
    if (row.state == CONTACT_BLOCKED || row.state == CONTACT_INCOMING) {
        return row.state == CONTACT_BLOCKED ? ERR_CONTACT_BLOCKED : ERR_NOT_ACCEPTED;
    }
    struct content content = {.type = CONTENT_TEXT, .sent_ms = step_now(c->step)};
    (void)params_str(c->params, "text", &content.text);
    if (content.text.len > LIMIT_TEXT) {
        return ERR_TEXT_TOO_LONG;
    }
    env_random(c->step->turn->env, content.id, sizeof content.id);
    struct writer w = step_writer(c->step, CONTENT_OVERHEAD + content.text.len);
    uint64_t order = 0;
    err = content_encode(&w, &content);
    if (err == ERR_OK) {
        err = outbox_add(c->node, c->step, row.number, writer_done(&w), true, &order);
    }
    char hex[2 * CONTENT_ID + 1];
    hex_encode(content.id, sizeof content.id, hex);
    pack_map(&c->out, 2);
    result_text(&c->out, "message", hex);
    result_uint(&c->out, "order", order);
    return err;
}

static enum err call_event_ack(struct call *c)
{
    struct slice name = slice_of(NULL, 0);
    uint64_t cursor = 0;
    (void)params_str(c->params, "name", &name);
    (void)params_uint(c->params, "cursor", &cursor);
    pack_map(&c->out, 0);
    return event_consumer_ack(c->step, c->node->keys, name, cursor);
}

/* --- relays --- */

static enum err call_relay_use(struct call *c)
{
    struct slice text = slice_of(NULL, 0);
    struct slice code_text;
    uint8_t code[32];
    struct slice code_bytes = slice_of(NULL, 0);
    struct address address;
    (void)params_str(c->params, "address", &text);
    enum err err = address_parse(text, &address);
    if (err == ERR_OK && params_str(c->params, "code", &code_text)) {
        code_bytes = slice_of(code, sizeof code);
        err = hex_decode(code_text, code, sizeof code) ? ERR_OK : ERR_ARGUMENT;
    }
    if (err == ERR_OK) {
        err = home_use(c->node, c->step, &address, code_bytes);
    }
    secret_wipe(code, sizeof code);
    char id[NODE_ID_TEXT];
    if (err == ERR_OK) {
        node_id_encode(address.node_id.b, id);
        pack_map(&c->out, 1);
        result_text(&c->out, "relay", id);
    }
    return err;
}

static enum err call_relay_status(struct call *c)
{
    const struct home *home = &c->node->home;
    bool used = home->address.port != 0;
    struct relay_row row = {.queue_days = 0};
    enum err err = used ? relay_row_get(c->step, c->node->keys, &row) : ERR_OK;
    bool quota = row.queue_days != 0;
    pack_map(&c->out, 3U + (used ? 1U : 0U) + (quota ? 3U : 0U));
    if (used) {
        char text[ADDRESS_TEXT];
        address_print(&home->address, text);
        result_text(&c->out, "address", text);
    }
    result_text(&c->out, "state", home->attempts > 0 ? "failing" : home_state_name(home->state));
    result_text(&c->out, "trouble", home->trouble == ERR_OK ? "" : err_name(home->trouble));
    result_uint(&c->out, "parts", home->parts == HOME_PARTS_UNKNOWN ? 0 : home->parts);
    if (quota) {
        result_uint(&c->out, "envelopes", row.queue_envelopes);
        result_uint(&c->out, "bytes", row.queue_bytes);
        result_uint(&c->out, "days", row.queue_days);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

static enum err call_relay_invite(struct call *c)
{
    uint8_t code[32];
    char hex[65];
    uint64_t days = LIMIT_JOIN_CODE_DAYS;
    if (c->node->relay == NULL) {
        return ERR_NOT_RELAY;
    }
    (void)params_uint(c->params, "days", &days);
    if (days > LIMIT_JOIN_CODE_DAYS_MAX) {
        return ERR_ARGUMENT;
    }
    enum err err = relay_host_invite(c->node->relay, c->step->turn, (unsigned)days, code);
    if (err == ERR_OK) {
        hex_encode(code, sizeof code, hex);
        pack_map(&c->out, 2);
        result_text(&c->out, "code", hex);
        result_uint(&c->out, "expires", step_now(c->step) + days * LIMIT_DAY_MS);
    }
    secret_wipe(code, sizeof code);
    secret_wipe(hex, sizeof hex);
    return err;
}

static void result_hex(struct writer *w, const char *name, const uint8_t *bytes, size_t len)
{
    char hex[2 * sizeof(struct relay_host_cursor) + 1];
    hex_encode(bytes, len, hex);
    result_text(w, name, hex);
}

static enum err call_relay_members(struct call *c)
{
    struct relay_host_member members[CALL_PAGE];
    uint8_t after[SEAL_NAME] = {0};
    struct slice text;
    size_t n = 0;
    if (c->node->relay == NULL) {
        return ERR_NOT_RELAY;
    }
    if (params_str(c->params, "after", &text) && !hex_decode(text, after, sizeof after)) {
        return ERR_ARGUMENT;
    }
    enum err err = relay_host_members(c->node->relay, c->step->turn, after, members, CALL_PAGE, &n);
    bool more = n == CALL_PAGE;
    pack_map(&c->out, more ? 2 : 1);
    pack_str(&c->out, "members");
    pack_array(&c->out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        pack_map(&c->out, 6);
        result_hex(&c->out, "member", members[i].name, RELAY_NAME_SHORT);
        result_uint(&c->out, "joined", members[i].joined_ms);
        result_uint(&c->out, "queues", members[i].queues);
        result_uint(&c->out, "records", members[i].records);
        result_uint(&c->out, "descriptors", members[i].descriptors);
        result_bool(&c->out, "removing", members[i].removing);
    }
    if (more) {
        result_hex(&c->out, "next", members[n - 1].name, SEAL_NAME);
    }
    return err;
}

/* A cursor as text: name of the queue, arrival. */
enum {
    CURSOR_BYTES = SEAL_NAME + 8
};

static bool cursor_read(struct slice text, struct relay_host_cursor *cursor)
{
    uint8_t bytes[CURSOR_BYTES];
    if (!hex_decode(text, bytes, sizeof bytes)) {
        return false;
    }
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    reader_copy(&r, cursor->queue, sizeof cursor->queue);
    cursor->arrival = reader_u64(&r);
    return true;
}

static enum err call_relay_waiting(struct call *c)
{
    struct relay_host_waiting waiting[CALL_PAGE];
    struct relay_host_cursor cursor = {.arrival = 0};
    struct slice text;
    size_t n = 0;
    if (c->node->relay == NULL) {
        return ERR_NOT_RELAY;
    }
    if (params_str(c->params, "after", &text) && !cursor_read(text, &cursor)) {
        return ERR_ARGUMENT;
    }
    enum err err =
        relay_host_waiting(c->node->relay, c->step->turn, &cursor, waiting, CALL_PAGE, &n);
    pack_map(&c->out, n > 0 ? 2 : 1);
    pack_str(&c->out, "waiting");
    pack_array(&c->out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        pack_map(&c->out, 3);
        result_hex(&c->out, "member", waiting[i].member, RELAY_NAME_SHORT);
        result_uint(&c->out, "envelopes", waiting[i].envelopes);
        result_uint(&c->out, "bytes", waiting[i].bytes);
    }
    if (n > 0) {
        uint8_t bytes[CURSOR_BYTES];
        struct writer w = writer_of(bytes, sizeof bytes);
        writer_bytes(&w, cursor.queue, sizeof cursor.queue);
        writer_u64(&w, cursor.arrival);
        result_hex(&c->out, "next", bytes, sizeof bytes);
    }
    return err;
}

static enum err call_relay_remove(struct call *c)
{
    uint8_t name[RELAY_NAME_SHORT];
    struct slice text = slice_of(NULL, 0);
    if (c->node->relay == NULL) {
        return ERR_NOT_RELAY;
    }
    (void)params_str(c->params, "member", &text);
    if (!hex_decode(text, name, sizeof name)) {
        return ERR_ARGUMENT;
    }
    pack_map(&c->out, 0);
    return relay_host_remove(c->node->relay, c->step->turn, name);
}

/* Takes the parameter over when it is there. */
static bool take_limit(struct call *c, const char *name, uint64_t most, uint64_t *value)
{
    (void)params_uint(c->params, name, value);
    return *value <= most;
}

static enum err call_relay_limits(struct call *c)
{
    if (c->node->relay == NULL) {
        return ERR_NOT_RELAY;
    }
    struct relay_limits limits = relay_host_limits(c->node->relay);
    uint64_t envelopes = limits.envelopes;
    uint64_t mib = limits.mib;
    uint64_t days = limits.days;
    if (!take_limit(c, "envelopes", LIMIT_QUEUE_ENVELOPES_MAX, &envelopes) ||
        !take_limit(c, "mib", LIMIT_QUEUE_MIB_MAX, &mib) ||
        !take_limit(c, "days", LIMIT_QUEUE_DAYS, &days)) {
        return ERR_ARGUMENT;
    }
    enum err err = ERR_OK;
    if (envelopes != limits.envelopes || mib != limits.mib || days != limits.days) {
        limits = (struct relay_limits){
            .envelopes = (uint32_t)envelopes, .mib = (uint32_t)mib, .days = (uint16_t)days};
        err = relay_host_set_limits(c->node->relay, c->step->turn, &limits);
    }
    pack_map(&c->out, 3);
    result_uint(&c->out, "envelopes", limits.envelopes);
    result_uint(&c->out, "mib", limits.mib);
    result_uint(&c->out, "days", limits.days);
    return err;
}

static enum err call_daemon_status(struct call *c)
{
    struct node *node = c->node;
    struct relay_host_stats stats = {.members = 0};
    uint64_t outbox = 0;
    uint64_t requests = 0;
    enum err err = ERR_OK;
    if (node->relay != NULL) {
        err = relay_host_stats(node->relay, c->step->turn, &stats);
    }
    if (err == ERR_OK && node->keys != NULL) {
        err = outbox_count(node, c->step, &outbox);
    }
    if (err == ERR_OK && node->keys != NULL) {
        err = contact_requests(node, c->step, &requests);
    }
    bool listens = node->config.listen_host != NULL;
    pack_map(&c->out, 9 + (listens ? 1U : 0U) + (node->keys != NULL ? 1U : 0U));
    result_text(&c->out, "version", PETREL_VERSION);
    char text[ADDRESS_TEXT];
    if (listens) {
        struct address self = {.node_id = node->id, .port = node->config.listen_port};
        memcpy(self.host, node->listen_host, sizeof self.host);
        address_print(&self, text);
        result_text(&c->out, "node", text);
    }
    node_id_encode(node->id.b, text);
    result_text(&c->out, "node_id", text);
    result_text(&c->out, "account",
                node->keys != NULL  ? "open"
                : node->has_account ? "locked"
                                    : "none");
    if (node->keys != NULL) {
        id_encode(node->account_id.b, text);
        result_text(&c->out, "id", text);
    }
    result_bool(&c->out, "relay", node->relay != NULL);
    result_uint(&c->out, "members", stats.members);
    result_uint(&c->out, "queues", stats.queues);
    result_uint(&c->out, "links", node->links.count);
    result_uint(&c->out, "outbox", outbox);
    result_uint(&c->out, "requests", requests);
    return err;
}

/* --- the table --- */

enum call_needs {
    NEEDS_NOTHING, /* works on any node */
    NEEDS_ACCOUNT, /* an open account */
};

struct method {
    const char *name;
    enum err (*run)(struct call *c);
    enum call_needs needs;
    bool mutates; /* takes a client_id */
    bool grows;   /* refused when the disk is nearly full */
};

static const struct method METHODS[] = {
    {"daemon.status", call_daemon_status, NEEDS_NOTHING, false, false},
    {"account.create", call_account_create, NEEDS_NOTHING, true, true},
    {"account.unlock", call_account_unlock, NEEDS_NOTHING, false, false},
    {"invite.create", call_invite_create, NEEDS_ACCOUNT, true, true},
    {"contact.add", call_contact_add, NEEDS_ACCOUNT, true, true},
    {"contact.block", call_contact_block, NEEDS_ACCOUNT, true, false},
    {"contact.verify", call_contact_verify, NEEDS_ACCOUNT, true, false},
    {"request.accept", call_request_accept, NEEDS_ACCOUNT, true, true},
    {"message.send", call_message_send, NEEDS_ACCOUNT, true, true},
    {"event.ack", call_event_ack, NEEDS_ACCOUNT, false, false},
    {"relay.use", call_relay_use, NEEDS_ACCOUNT, true, true},
    {"relay.status", call_relay_status, NEEDS_ACCOUNT, false, false},
    {"relay.invite", call_relay_invite, NEEDS_NOTHING, true, true},
    {"relay.members", call_relay_members, NEEDS_NOTHING, false, false},
    {"relay.waiting", call_relay_waiting, NEEDS_NOTHING, false, false},
    {"relay.remove", call_relay_remove, NEEDS_NOTHING, true, false},
    {"relay.limits", call_relay_limits, NEEDS_NOTHING, false, false},
};

static const struct method *find_method(struct slice name)
{
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
        if (slice_equal(name, slice_of(METHODS[i].name, strlen(METHODS[i].name)))) {
            return &METHODS[i];
        }
    }
    return NULL;
}

/* --- client_id --- */

static struct store_key client_key(struct seal_keys *keys, struct slice client_id)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_bytes(&k, client_id.p, client_id.len);
    return k;
}

static void call_hash(const struct node_input *input, uint8_t hash[CALL_HASH])
{
    const struct slice parts[] = {input->u.command.method, input->u.command.params};
    prim_blake2b(hash, CALL_HASH, slice_of(NULL, 0), "petrel/1 call", parts, 2);
}

/* The remembered result of this call: ERR_OK; ERR_NOT_FOUND: it is new. */
static enum err recall(struct step *step, struct seal_keys *keys, struct slice client_id,
                       const uint8_t hash[CALL_HASH], struct slice *result)
{
    struct store_key k = client_key(keys, client_id);
    struct slice plain;
    enum err err = seal_get(keys, step->turn, STORE_CLIENT_ID, store_key_slice(&k), &plain);
    if (err != ERR_OK) {
        return err;
    }
    if (plain.len < CALL_HASH) {
        return ERR_CORRUPT;
    }
    if (memcmp(plain.p, hash, CALL_HASH) != 0) {
        return ERR_CLIENT_ID_REUSED;
    }
    *result = slice_of(plain.p + CALL_HASH, plain.len - CALL_HASH);
    return ERR_OK;
}

static enum err remember(struct step *step, struct seal_keys *keys, struct slice client_id,
                         const uint8_t hash[CALL_HASH], struct slice result)
{
    struct store_key k = client_key(keys, client_id);
    struct writer w = step_writer(step, CALL_HASH + result.len);
    writer_bytes(&w, hash, CALL_HASH);
    writer_slice(&w, result);
    if (w.err != ERR_OK) {
        return ERR_NO_MEMORY;
    }
    enum err err =
        seal_put(keys, step->turn, STORE_CLIENT_ID, store_key_slice(&k),
                 seal_keys_account(keys) == 0 ? 0 : SEAL_BUCKET_ACCOUNT, writer_done(&w));
    struct store_key age = store_key_new();
    store_key_u64(&age, step_now(step));
    store_key_bytes(&age, k.b, k.len);
    return err == ERR_OK ? store_put(step->turn->store, STORE_CLIENT_AGE, store_key_slice(&age),
                                     slice_of("", 1))
                         : err;
}

enum err command_tidy(struct step *step, bool *more)
{
    *more = false;
    for (unsigned i = 0; i < LIMIT_SWEEP_ROWS; i++) {
        struct store_row row;
        enum err err =
            store_seek(step->turn->store, STORE_CLIENT_AGE, STORE_GE, slice_of("\0", 1), &row);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        struct reader r = reader_of(row.key);
        uint64_t made = reader_u64(&r);
        struct slice id = reader_rest(&r);
        if (made + LIMIT_CLIENT_ID_DAYS * LIMIT_DAY_MS > step_now(step)) {
            return ERR_OK;
        }
        struct store_key age = store_key_new();
        struct store_key client = store_key_new();
        store_key_bytes(&age, row.key.p, row.key.len);
        store_key_bytes(&client, id.p, id.len);
        err = store_del(step->turn->store, STORE_CLIENT_ID, store_key_slice(&client));
        if (err == ERR_OK || err == ERR_NOT_FOUND) {
            err = store_del(step->turn->store, STORE_CLIENT_AGE, store_key_slice(&age));
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    *more = true;
    return ERR_OK;
}

/* --- running a call --- */

static enum err run(struct node *node, struct step *step, const struct node_input *input,
                    const struct method *method, struct slice *result)
{
    struct slice client_id = slice_of(NULL, 0);
    uint8_t hash[CALL_HASH];
    struct seal_keys *keys = node->keys != NULL ? node->keys : node->config.node_keys;
    if (method->needs == NEEDS_ACCOUNT && node->keys == NULL) {
        return node->has_account ? ERR_ACCOUNT_LOCKED : ERR_NO_ACCOUNT;
    }
    if (method->mutates) {
        if (!params_bin(input->u.command.params, "client_id", 16, &client_id)) {
            return ERR_MISSING_PARAM;
        }
        call_hash(input, hash);
        enum err err = recall(step, keys, client_id, hash, result);
        if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
    if (method->grows && !step->turn->store->growth) {
        return ERR_DISK_FULL;
    }
    struct call c = {.node = node,
                     .step = step,
                     .params = input->u.command.params,
                     .root = input->u.command.root,
                     .out = step_writer(step, CALL_RESULT)};
    if (c.out.cap == 0) {
        return ERR_NO_MEMORY;
    }
    enum err err = method->run(&c);
    if (err == ERR_OK && c.out.err != ERR_OK) {
        err = ERR_BUG;
    }
    *result = writer_done(&c.out);
    if (err == ERR_OK && method->mutates) {
        keys = node->keys != NULL ? node->keys : node->config.node_keys;
        err = remember(step, keys, client_id, hash, *result);
    }
    return err;
}

enum err command_run(struct node *node, struct step *step, const struct node_input *input)
{
    const struct method *method = find_method(input->u.command.method);
    struct slice result = slice_of(NULL, 0);
    enum err err = method == NULL ? ERR_UNKNOWN_METHOD : run(node, step, input, method, &result);
    /* A full disk and a wrong key are the caller's to hear; any other LOCAL error fails the turn.
     */
    if (err_class(err) == ERR_CLASS_LOCAL && err != ERR_DISK_FULL && err != ERR_WRONG_KEY) {
        return err;
    }
    return step_reply(step, input->u.command.client, input->u.command.id, err, result);
}
