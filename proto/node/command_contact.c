/* SPDX-License-Identifier: Apache-2.0
 *
 * command_contact: calls about invitations, link codes and contacts.
 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/safety.h"
#include "node/command.h"
#include "node/content.h"
#include "node/home_keys.h"
#include "node/invite.h"
#include "node/lookup.h"

/* An invitation, or a link code, which is one for a device of our own. */
static enum err invite_make(struct call *c, uint64_t life_ms, bool device,
                            char link[static INVITE_TEXT], uint64_t *expires_ms)
{
    struct step *step = c->step;
    struct relay_row relay;
    struct invite invite = {.id = c->me->id, .expires_ms = step_now(step) + life_ms};
    struct invite_row row = {.expires = invite.expires_ms, .device = device};
    enum err err = relay_row_get(step, c->me->keys, 0, &relay);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && relay.record_seq == 0)) {
        err = ERR_NO_RELAY; /* nobody could use it before the key bundle is there */
    }
    if (err == ERR_OK) {
        err = account_next_contact(c->me, step, &row.contact);
    }
    if (err != ERR_OK) {
        secret_wipe(&relay, sizeof relay);
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
    invite_id(invite.secret, id);
    invite_encode(&invite, link);
    *expires_ms = invite.expires_ms;
    err = invite_row_put(step, c->me->keys, id, &row);
    secret_wipe(&invite, sizeof invite);
    secret_wipe(&row, sizeof row);
    secret_wipe(&relay, sizeof relay);
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
    secret_wipe(&token, sizeof token);
    if (err != ERR_OK) {
        secret_wipe(link, INVITE_TEXT);
    }
    return err;
}

enum err call_invite_create(struct call *c)
{
    char link[INVITE_TEXT];
    uint64_t expires = 0;
    enum err err = invite_make(c, LIMIT_INVITE_DAYS * LIMIT_DAY_MS, false, link, &expires);
    if (err == ERR_OK) {
        pack_map(&c->out, 2);
        result_text(&c->out, "link", link);
        result_uint(&c->out, "expires", expires);
        secret_wipe(link, sizeof link);
    }
    return err;
}

/* The same with another first word, so that the two are not taken for each other. */
enum err call_device_invite(struct call *c)
{
    char link[INVITE_TEXT];
    char text[INVITE_TEXT + sizeof DEVICE_PREFIX];
    uint64_t expires = 0;
    enum err err = devices_room(c->me, c->step, NULL);
    if (err != ERR_OK) {
        return err;
    }
    err = invite_make(c, LIMIT_LINK_MINUTES * LIMIT_MINUTE_MS, true, link, &expires);
    if (err == ERR_OK) {
        (void)snprintf(text, sizeof text, "%s%s", DEVICE_PREFIX, link + strlen(INVITE_PREFIX));
        pack_map(&c->out, 2);
        result_text(&c->out, "link", text);
        result_uint(&c->out, "expires", expires);
        secret_wipe(link, sizeof link);
        secret_wipe(text, sizeof text);
    }
    return err;
}

/* What contact.add was given: an ID alone, or an invitation with two tokens. */
struct link {
    struct contact_row who;
    struct slice pop_token;
    struct slice deposit_token;
};

static enum err read_link(struct call *c, struct slice text, struct link *link)
{
    struct contact_row *who = &link->who;
    size_t prefix = strlen(INVITE_PREFIX);
    link->pop_token = slice_of(NULL, 0);
    link->deposit_token = slice_of(NULL, 0);
    if (text.len < prefix || memcmp(text.p, INVITE_PREFIX, prefix) != 0) {
        return id_parse(text, &who->id);
    }
    struct invite invite;
    struct arena *arena = c->step->turn->arena;
    enum err err = invite_decode(text, &invite);
    if (err == ERR_OK && invite.expires_ms <= step_now(c->step)) {
        err = ERR_EXPIRED;
    }
    if (err == ERR_OK) {
        who->id = invite.id;
        who->has_record = true;
        who->relay = invite.relay;
        who->record = invite.record;
        who->invite = arena_copy(arena, slice_of(invite.secret, sizeof invite.secret));
        who->invite_until = invite.expires_ms;
        link->pop_token = arena_copy(arena, slice_of(invite.pop_token, sizeof invite.pop_token));
        link->deposit_token =
            arena_copy(arena, slice_of(invite.deposit_token, sizeof invite.deposit_token));
        err = link->deposit_token.p == NULL ? ERR_NO_MEMORY : ERR_OK;
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

/* What waits for one device of a contact waits for this one too. */
static enum err share(struct call *c, uint32_t from, uint32_t to)
{
    struct outbox_row entry;
    uint64_t order = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(c->step->turn->arena);
        err = outbox_row_next(c->step, c->me->keys, from, &order, &entry);
        if (err == ERR_OK && !entry.ack_only) {
            err = outbox_inherit(c->me, c->step, to, order, &entry);
        }
        order++;
        arena_rewind(c->step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The device whose key bundle an invitation names: one that is known to have it there, or one of
 * which nothing is known yet. */
static enum err inviting(struct call *c, struct contact_row *who, struct peer_row *row)
{
    struct device_place place;
    enum err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK; i++) {
        err = peer_row_of(c->step, c->me->keys, who, i, row);
        struct reader r = reader_of(err == ERR_OK ? row->bundle : slice_of(NULL, 0));
        device_place_read(&r, &place);
        if (err == ERR_OK && (row->device.len == 0 ||
                              (reader_end(&r) == ERR_OK &&
                               memcmp(place.key.b, who->record.b, sizeof place.key.b) == 0))) {
            return ERR_OK;
        }
    }
    return err == ERR_NOT_FOUND ? peers_add(c->me, c->step, who, 0, NULL, 0, row) : err;
}

static bool same_secret(struct slice a, struct slice b)
{
    return a.len == b.len && a.len > 0 && prim_equal(a.p, b.p, a.len);
}

/* A new invitation of somebody whom we asked, or who was a contact already: it says where they are
 * now, which what we have may not. */
static enum err invited_again(struct call *c, struct contact_row *who, const struct link *link)
{
    struct peer_row row;
    struct peer_row first = {.number = 0};
    who->has_record = true;
    who->relay = link->who.relay;
    who->record = link->who.record;
    enum err err = contact_row_put(c->step, c->me->keys, who);
    if (err == ERR_OK) {
        err = peer_row_of(c->step, c->me->keys, who, 0, &first);
    }
    if (err == ERR_OK && who->state == CONTACT_ACCEPTED) {
        row = first;
    } else if (err == ERR_OK) {
        err = inviting(c, who, &row);
        err = err == ERR_OK ? share(c, first.number, row.number) : err;
    }
    struct work *work = err == ERR_OK ? work_get(c->me, row.number) : NULL;
    if (work == NULL) {
        return err == ERR_OK ? ERR_NO_MEMORY : err;
    }
    row.failed = 0;
    work->newer = work->in_flight; /* that is about where they were */
    if (who->state == CONTACT_ACCEPTED) {
        work->lost = true; /* the list there says where their queues are */
        work->found = true;
        work_wake(work);
        return peer_row_put(c->step, c->me->keys, &row);
    }
    if (same_secret(who->invite, link->who.invite)) {
        /* Its tokens may be spent, by us. */
        return contact_restart(c->me, c->step, work, &row);
    }
    who->invite = link->who.invite;
    who->invite_until = link->who.invite_until;
    who->alarmed = 0;
    err = contact_row_put(c->step, c->me->keys, who);
    row.who = *who;
    if (err == ERR_OK) {
        err = contact_restart(c->me, c->step, work, &row);
    }
    row.pop_token = link->pop_token;
    row.bundle = slice_of(NULL, 0); /* its token is for the record that it names */
    if (err == ERR_OK) {
        err = peer_row_put(c->step, c->me->keys, &row);
    }
    return err == ERR_OK ? token_row_add(c->step, c->me->keys, row.number, link->deposit_token)
                         : err;
}

/* contact.add for somebody who is known already. */
static enum err add_known(struct call *c, struct contact_row *who, const struct link *link)
{
    enum err err = ERR_OK;
    switch (who->state) {
    case CONTACT_BLOCKED: /* adding somebody again is how a block is taken back */
    case CONTACT_INCOMING:
        err = contact_accept(c->me, c->step, who);
        err = err == ERR_OK ? contact_try_again(c->me, c->step, who) : err;
        break;
    case CONTACT_RESOLVING:
    case CONTACT_REQUESTED:
    case CONTACT_ACCEPTED:
        err = contact_ask_again(c->me, c->step, who);
        err = err == ERR_OK ? contact_try_again(c->me, c->step, who) : err;
        err = err == ERR_OK && link->who.has_record ? invited_again(c, who, link) : err;
        break;
    }
    return err == ERR_OK ? contact_result(c, who) : err;
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
    enum err err = lookup_name_taken(c->step, c->me->keys, name, row->number, &taken);
    if (err == ERR_OK && taken) {
        err = ERR_EXISTS;
    }
    if (err == ERR_OK) {
        row->name = name;
    }
    return err;
}

/* A contact that we ask, and the device that will answer, whichever that is. */
static enum err add_new(struct call *c, struct link *link)
{
    struct step *step = c->step;
    struct seal_keys *keys = c->me->keys;
    struct contact_row *who = &link->who;
    struct peer_row row;
    enum err err = take_name(c, who);
    if (err == ERR_OK) {
        err = account_next_contact(c->me, step, &who->number);
    }
    if (err == ERR_OK) {
        err = peers_add(c->me, step, who, who->number, NULL, 0, &row);
    }
    if (err == ERR_OK) {
        row.pop_token = link->pop_token;
        err = peer_row_put(step, keys, &row);
    }
    if (err == ERR_OK) {
        err = token_row_add(step, keys, row.number, link->deposit_token);
    }
    if (err == ERR_OK) {
        err = contact_ask(c->me, step, who);
    }
    return err == ERR_OK ? contact_result(c, who) : err;
}

enum err call_contact_add(struct call *c)
{
    struct link link = {.who = {.created = step_now(c->step), .state = CONTACT_RESOLVING}};
    struct slice text = slice_of(NULL, 0);
    (void)params_str(c->params, "link", &text);
    (void)params_str(c->params, "text", &link.who.text);
    if (link.who.text.len > LIMIT_REQUEST_TEXT) {
        return ERR_TEXT_TOO_LONG;
    }
    enum err err = read_link(c, text, &link);
    if (err != ERR_OK) {
        return err;
    }
    if (contact_is_self(c->me, &link.who)) {
        return ERR_SELF;
    }
    uint32_t known;
    err = contact_row_find(c->step, c->me->keys, &link.who.id, &known);
    if (err == ERR_OK) {
        struct contact_row old;
        err = contact_row_get(c->step, c->me->keys, known, &old);
        return err == ERR_OK ? add_known(c, &old, &link) : err;
    }
    return err == ERR_NOT_FOUND ? add_new(c, &link) : err;
}

/* Whom an earlier code, which led to nothing yet, was of; number 0: there was none. ERR_EXISTS:
 * this account has what would be lost with its ID. ERR_NO_RELAY: it could not be found. */
static enum err asked_before(struct call *c, struct contact_row *who)
{
    struct account_row account;
    struct relay_row relay;
    struct contact_row other;
    enum err err = relay_row_get(c->step, c->me->keys, 0, &relay);
    secret_wipe(&relay, sizeof relay);
    if (err == ERR_OK) {
        err = account_row_get(c->step, c->me->keys, &account);
    }
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_NO_RELAY : err;
    }
    uint64_t linking = account.linking;
    secret_wipe(&account, sizeof account);
    err = contact_row_next(c->step, c->me->keys, 0, who);
    if (err == ERR_NOT_FOUND) {
        who->number = 0;
        return ERR_OK;
    }
    if (err == ERR_OK && !c->me->linked && who->number == linking) {
        err = contact_row_next(c->step, c->me->keys, who->number, &other);
    }
    return err == ERR_OK ? ERR_EXISTS : err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Takes them out. */
static enum err forget_asked(struct call *c, struct contact_row *who)
{
    struct peer_row row;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = peer_row_of(c->step, c->me->keys, who, 0, &row);
        err = err == ERR_OK ? peers_remove(c->me, c->step, who, &row, NULL, 0) : err;
    }
    secret_wipe(&row, sizeof row);
    return err == ERR_NOT_FOUND ? contact_row_del(c->step, c->me->keys, who) : err;
}

static enum err note_linking(struct call *c, uint32_t number)
{
    struct account_row account;
    enum err err = account_row_get(c->step, c->me->keys, &account);
    if (err == ERR_OK) {
        account.linking = number;
        err = account_row_put(c->step, c->me->keys, &account);
    }
    secret_wipe(&account, sizeof account);
    return err;
}

/* This account becomes a device of who made the link code: it asks, as by an invitation. */
enum err call_device_link(struct call *c)
{
    struct link link = {.who = {.created = step_now(c->step), .state = CONTACT_RESOLVING}};
    struct slice text = slice_of(NULL, 0);
    char invite[INVITE_TEXT];
    size_t prefix = strlen(DEVICE_PREFIX);
    (void)params_str(c->params, "link", &text);
    if (text.len < prefix || memcmp(text.p, DEVICE_PREFIX, prefix) != 0 ||
        text.len - prefix >= sizeof invite - strlen(INVITE_PREFIX)) {
        return ERR_BAD_INVITATION;
    }
    int len = snprintf(invite, sizeof invite, "%s%.*s", INVITE_PREFIX, (int)(text.len - prefix),
                       (const char *)text.p + prefix);
    struct contact_row before;
    enum err err = asked_before(c, &before);
    if (err == ERR_OK) {
        err = read_link(c, slice_of(invite, (size_t)len), &link);
    }
    secret_wipe(invite, sizeof invite);
    if (err == ERR_OK && contact_is_self(c->me, &link.who)) {
        err = ERR_SELF;
    }
    if (err == ERR_OK && before.number != 0) {
        if (same_secret(before.invite, link.who.invite)) {
            return contact_result(c, &before); /* that one is under way */
        }
        err = forget_asked(c, &before);
    }
    if (err == ERR_OK) {
        err = add_new(c, &link);
    }
    return err == ERR_OK ? note_linking(c, link.who.number) : err;
}

/* We ourselves are none. */
enum err call_named_contact(struct call *c, struct contact_row *row)
{
    struct slice text = slice_of(NULL, 0);
    (void)params_str(c->params, "contact", &text);
    enum err err = lookup_contact(c->step, c->me->keys, text, row);
    return err == ERR_OK && contact_is_self(c->me, row) ? ERR_SELF : err;
}

enum err call_contact_block(struct call *c)
{
    struct contact_row who;
    enum err err = call_named_contact(c, &who);
    pack_map(&c->out, 0);
    if (err == ERR_OK) {
        err = contact_block(c->me, c->step, &who);
    }
    return err == ERR_OK ? contact_changed(c->me, c->step, &who) : err;
}

/* Anybody, contact or not: an ID, or what names a contact. */
enum err call_contact_resolve(struct call *c)
{
    struct resolve_call call = {.client = c->client, .number = c->number};
    struct slice text;
    struct contact_row row;
    if (!params_str(c->params, "contact", &text)) {
        return ERR_MISSING_PARAM;
    }
    enum err err = id_parse(text, &call.id);
    if (err != ERR_OK) {
        enum err named = lookup_contact(c->step, c->me->keys, text, &row);
        call.id = named == ERR_OK ? row.id : call.id;
        /* An ID that was mistyped is no name. */
        err = named == ERR_UNKNOWN_CONTACT && err != ERR_BAD_ID ? err : named;
    }
    c->later = true;
    return err == ERR_OK ? resolve_begin(c->me, c->step, &call) : err;
}

enum err call_contact_verify(struct call *c)
{
    struct contact_row row;
    struct slice number;
    char safety[SAFETY_TEXT];
    enum err err = call_named_contact(c, &row);
    if (err != ERR_OK) {
        return err;
    }
    safety_number(&c->me->id, &row.id, safety);
    if (params_str(c->params, "number", &number)) {
        if (!slice_equal(number, slice_of(safety, SAFETY_TEXT - 1))) {
            return ERR_ARGUMENT;
        }
        row.verified = true;
        err = contact_changed(c->me, c->step, &row);
    }
    char id[ID_TEXT];
    id_encode(row.id.b, id);
    pack_map(&c->out, 3);
    result_text(&c->out, "id", id);
    result_text(&c->out, "number", safety);
    result_bool(&c->out, "verified", row.verified);
    return err;
}

enum err call_request_accept(struct call *c)
{
    struct contact_row row;
    enum err err = call_named_contact(c, &row);
    if (err != ERR_OK) {
        return err == ERR_UNKNOWN_CONTACT ? ERR_UNKNOWN_REQUEST : err;
    }
    if (row.state != CONTACT_INCOMING) {
        return ERR_UNKNOWN_REQUEST;
    }
    err = take_name(c, &row);
    if (err == ERR_OK) {
        err = contact_accept(c->me, c->step, &row);
    }
    char id[ID_TEXT];
    id_encode(row.id.b, id);
    pack_map(&c->out, 1);
    result_text(&c->out, "id", id);
    return err;
}
