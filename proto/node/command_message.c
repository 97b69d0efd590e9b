/* SPDX-License-Identifier: Apache-2.0
 *
 * command_message: calls about messages and events.
 */
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"
#include "node/command.h"
#include "node/content.h"
#include "node/event.h"
#include "node/mirror.h"

/* A device that its person removed has nobody to write to. */
static enum err still_ours(struct call *c)
{
    struct account_row account;
    enum err err = account_row_get(c->step, c->me->keys, &account);
    if (err == ERR_OK && account.removed != 0) {
        err = ERR_DEVICE_REMOVED;
    }
    secret_wipe(&account, sizeof account);
    return err;
}

enum err call_message_send(struct call *c)
{
    struct contact_row row;
    enum err err = call_named_contact(c, &row);
    if (err != ERR_OK) {
        return err;
    }
    if (row.state == CONTACT_BLOCKED || row.state == CONTACT_INCOMING) {
        return row.state == CONTACT_BLOCKED ? ERR_CONTACT_BLOCKED : ERR_NOT_ACCEPTED;
    }
    err = still_ours(c);
    if (err != ERR_OK) {
        return err;
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
        err = contact_ask_again(c->me, c->step, &row);
    }
    if (err == ERR_OK) {
        err = outbox_add(c->me, c->step, &row, writer_done(&w), true, &order);
    }
    char hex[2 * CONTENT_ID + 1];
    hex_encode(content.id, sizeof content.id, hex);
    pack_map(&c->out, 2);
    result_text(&c->out, "message", hex);
    result_uint(&c->out, "order", order);
    return err;
}

/* A message that waits is not sent. What a relay has, or may have, stays in the outbox until it is
 * acknowledged: it would have to be sealed again after a new session. */
static enum err unsend(struct call *c, const struct contact_row *who, uint64_t order)
{
    struct outbox_row entry;
    struct reader peers = reader_of(who->peers);
    enum err err = ERR_OK;
    while (err == ERR_OK && reader_left(&peers) > 0) {
        uint32_t peer = reader_u32(&peers);
        err = outbox_row_get(c->step, c->me->keys, peer, order, &entry);
        if (err == ERR_OK && entry.state == OUTBOX_WAITING) {
            err = outbox_row_del(c->step, c->me->keys, peer, order);
        }
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    return err;
}

enum err call_message_delete(struct call *c)
{
    struct contact_row row;
    uint64_t order = 0;
    (void)params_uint(c->params, "order", &order);
    enum err err = call_named_contact(c, &row);
    if (err == ERR_OK) {
        err = message_row_del(c->step, c->me->keys, row.number, order);
        err = err == ERR_NOT_FOUND ? ERR_UNKNOWN_MESSAGE : err;
    }
    if (err == ERR_OK) {
        err = unsend(c, &row, order);
    }
    if (err == ERR_OK && row.deleted < order) {
        row.deleted = order;
        err = contact_row_put(c->step, c->me->keys, &row);
    }
    if (err == ERR_OK) {
        char id[ID_TEXT];
        struct event event = event_begin(c->step, "message.deleted", 256);
        id_encode(row.id.b, id);
        event_text(&event, "contact", id);
        event_uint(&event, "order", order);
        err = event_commit(c->step, c->me->keys, &event);
    }
    secret_wipe(&row, sizeof row);
    pack_map(&c->out, 1);
    result_uint(&c->out, "order", order);
    return err;
}

/* The newest message of theirs with order <= last. ERR_UNKNOWN_MESSAGE: there is none. */
static enum err theirs(struct call *c, uint32_t contact, uint64_t last, uint64_t *order,
                       struct content *content)
{
    struct message_row row;
    uint64_t before = last == UINT64_MAX ? last : last + 1;
    enum err err = ERR_OK;
    do {
        err = message_row_before(c->step, c->me->keys, contact, before, order, &row);
        before = *order;
    } while (err == ERR_OK && row.state != MESSAGE_RECEIVED);
    if (err == ERR_OK && content_decode(row.content, content) != ERR_OK) {
        err = ERR_CORRUPT;
    }
    return err == ERR_NOT_FOUND ? ERR_UNKNOWN_MESSAGE : err;
}

enum err call_message_read(struct call *c)
{
    struct contact_row who;
    struct content content;
    uint64_t last = UINT64_MAX;
    uint64_t order = 0;
    (void)params_uint(c->params, "order", &last);
    enum err err = call_named_contact(c, &who);
    if (err == ERR_OK) {
        err = theirs(c, who.number, last, &order, &content);
    }
    if (err == ERR_OK && order > who.read) {
        err = contact_read(c->me, c->step, &who, order);
        err = err == ERR_OK ? mirror_read(c->me, c->step, &who, content.id) : err;
    }
    pack_map(&c->out, 1);
    result_uint(&c->out, "order", who.read);
    return err;
}

enum err call_event_ack(struct call *c)
{
    struct slice name = slice_of(NULL, 0);
    uint64_t cursor = 0;
    (void)params_str(c->params, "name", &name);
    (void)params_uint(c->params, "cursor", &cursor);
    pack_map(&c->out, 0);
    return event_consumer_ack(c->step, c->me->keys, name, cursor);
}
