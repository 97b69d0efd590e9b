/* SPDX-License-Identifier: Apache-2.0
 *
 * command_relay: calls about the relays that an account uses, and about that of this node.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/audit.h"
#include "node/command.h"
#include "node/publish.h"

/* --- relays that an account uses --- */

enum err call_relay_use(struct call *c)
{
    struct slice text = slice_of(NULL, 0);
    struct slice code_text;
    uint8_t code[32];
    struct slice code_bytes = slice_of(NULL, 0);
    struct address address;
    bool second = false;
    (void)params_str(c->params, "address", &text);
    (void)params_bool(c->params, "second", &second);
    enum err err = address_parse(text, &address);
    if (err == ERR_OK && params_str(c->params, "code", &code_text)) {
        code_bytes = slice_of(code, sizeof code);
        err = hex_decode(code_text, code, sizeof code) ? ERR_OK : ERR_ARGUMENT;
    }
    if (err == ERR_OK) {
        err = second ? moving_second(c->me, c->step, &address, code_bytes)
                     : moving_use(c->me, c->step, &address, code_bytes);
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

enum err call_relay_leave(struct call *c)
{
    struct slice text = slice_of(NULL, 0);
    struct sign_pk relay;
    (void)params_str(c->params, "relay", &text);
    enum err err = address_parse_node(text, &relay);
    pack_map(&c->out, 0);
    return err == ERR_OK ? moving_leave(c->me, c->step, &relay) : err;
}

/* What the relay said that it gives our queue. */
static bool write_quota(struct writer *w, const struct relay_row *row)
{
    if (row->queue_days != 0) {
        result_uint(w, "envelopes", row->queue_envelopes);
        result_uint(w, "bytes", row->queue_bytes);
        result_uint(w, "days", row->queue_days);
    }
    return row->queue_days != 0;
}

/* What time it was when it was attached, here and there. */
static void write_clock(struct writer *w, const struct home *home)
{
    if (home->relay_ms != 0) {
        result_uint(w, "attached", home->attached_ms);
        result_uint(w, "clock", home->relay_ms);
    }
}

/* Until when the relay has our descriptors. */
static uint64_t described_until(const struct call *c, const struct relay_row *row,
                                const struct account_row *account)
{
    uint64_t until = (publish_described(row, account, step_now(c->step)) + 1) * LIMIT_DAY_MS;
    return row->joined && until > step_now(c->step) ? until : 0;
}

static uint32_t described_fields(const struct home *home, uint64_t until)
{
    return until == 0 ? 0 : home->described_ms == 0 ? 1 : 2;
}

static void write_described(struct writer *w, const struct home *home, uint64_t until)
{
    if (until != 0) {
        result_uint(w, "described", until);
    }
    if (until != 0 && home->described_ms != 0) {
        result_uint(w, "described_at", home->described_ms);
    }
}

static enum err write_home(struct call *c, const struct home *home,
                           const struct account_row *account)
{
    struct relay_row row;
    char text[ADDRESS_TEXT];
    enum err err = relay_row_get(c->step, c->me->keys, home_slot(c->me, home), &row);
    if (err != ERR_OK) {
        return err;
    }
    bool left = home->role >= HOME_LEFT;
    uint64_t until = described_until(c, &row, account);
    pack_map(&c->out, 5 + (left ? 1U : 0U) + (row.queue_days != 0 ? 3U : 0U) +
                          (home->relay_ms != 0 ? 2U : 0U) + described_fields(home, until));
    address_print(&home->address, text);
    result_text(&c->out, "address", text);
    node_id_encode(home->address.node_id.b, text);
    result_text(&c->out, "relay", text);
    result_text(&c->out, "role", home_role_name(home->role));
    result_text(&c->out, "state", home_state_name(home));
    result_text(&c->out, "trouble", home->trouble == ERR_OK ? "" : err_name(home->trouble));
    if (left) {
        result_uint(&c->out, "since", home->left_ms);
    }
    (void)write_quota(&c->out, &row);
    write_clock(&c->out, home);
    write_described(&c->out, home, until);
    secret_wipe(&row, sizeof row);
    return ERR_OK;
}

/* All but the main one. */
static enum err write_others(struct call *c, const struct account_row *account)
{
    uint32_t count = 0;
    for (size_t i = 1; i < LIMIT_HOMES; i++) {
        count += c->me->homes[i].address.port != 0;
    }
    pack_str(&c->out, "others");
    pack_array(&c->out, count);
    enum err err = ERR_OK;
    for (size_t i = 1; err == ERR_OK && i < LIMIT_HOMES; i++) {
        err = c->me->homes[i].address.port != 0 ? write_home(c, &c->me->homes[i], account) : ERR_OK;
    }
    return err;
}

enum err call_relay_status(struct call *c)
{
    const struct home *home = home_main(c->me);
    bool used = home->address.port != 0;
    struct relay_row row = {.queue_days = 0};
    struct account_row account;
    enum err err = used ? relay_row_get(c->step, c->me->keys, 0, &row) : ERR_OK;
    if (err == ERR_OK) {
        err = account_row_get(c->step, c->me->keys, &account);
    }
    if (err != ERR_OK) {
        secret_wipe(&row, sizeof row);
        return err;
    }
    uint64_t until = used ? described_until(c, &row, &account) : 0;
    pack_map(&c->out, 4U + (used ? 1U : 0U) + (row.queue_days != 0 ? 3U : 0U) +
                          (home->relay_ms != 0 ? 2U : 0U) + described_fields(home, until));
    if (used) {
        char text[ADDRESS_TEXT];
        address_print(&home->address, text);
        result_text(&c->out, "address", text);
    }
    result_text(&c->out, "state", home_state_name(home));
    result_text(&c->out, "trouble", home->trouble == ERR_OK ? "" : err_name(home->trouble));
    result_uint(&c->out, "parts", home->parts == HOME_PARTS_UNKNOWN ? 0 : home->parts);
    (void)write_quota(&c->out, &row);
    write_clock(&c->out, home);
    write_described(&c->out, home, until);
    secret_wipe(&row, sizeof row);
    err = write_others(c, &account);
    secret_wipe(&account, sizeof account);
    return err;
}

/* --- this node's own relay --- */

enum err call_relay_invite(struct call *c)
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

enum err call_relay_members(struct call *c)
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

enum err call_relay_waiting(struct call *c)
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

enum err call_relay_remove(struct call *c)
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

enum err call_relay_limits(struct call *c)
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

enum err call_relay_verify(struct call *c)
{
    struct slice relay = slice_of(NULL, 0);
    struct slice queue = slice_of(NULL, 0);
    struct slice envelope = slice_of(NULL, 0);
    struct slice receipt = slice_of(NULL, 0);
    uint64_t time = 0;
    uint64_t until = 0;
    (void)params_str(c->params, "relay", &relay);
    (void)params_str(c->params, "queue", &queue);
    (void)params_str(c->params, "envelope", &envelope);
    (void)params_str(c->params, "receipt", &receipt);
    enum err err = audit_verify(relay, queue, envelope, receipt, &time, &until);
    pack_map(&c->out, 2);
    result_uint(&c->out, "signed", time);
    result_uint(&c->out, "until", until);
    return err;
}
