/* SPDX-License-Identifier: Apache-2.0
 *
 * command: calls over the control interface that change something or show live state: the table of
 * them, and how one is run. docs/protocol/09-control.md.
 *
 * A mutating call carries a client_id: its first good result is kept for LIMIT_CLIENT_ID_DAYS and
 * given again when the same call comes again.
 */
#include <string.h>

#include "node/command.h"
#include "node/node.h"

enum {
    CALL_RESULT = 4096, /* encoded result of any method here */
    CALL_HASH = 16,
};

/* --- the table --- */

enum call_needs {
    NEEDS_NOTHING, /* works on any node */
    NEEDS_ACCOUNT, /* an open account */
    NEEDS_RESTORE, /* one that is being restored */
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
    {"account.lock", call_account_lock, NEEDS_NOTHING, false, false},
    {"account.passphrase", call_account_passphrase, NEEDS_NOTHING, false, false},
    {"restore.put", call_restore_put, NEEDS_RESTORE, false, true},
    {"restore.end", call_restore_end, NEEDS_RESTORE, true, true},
    {"account.rekey", call_account_rekey, NEEDS_ACCOUNT, true, true},
    {"account.dht", call_account_dht, NEEDS_ACCOUNT, true, true},
    {"account.list", call_account_list, NEEDS_NOTHING, false, false},
    {"account.remove", call_account_remove, NEEDS_NOTHING, true, false},
    {"invite.create", call_invite_create, NEEDS_ACCOUNT, true, true},
    {"contact.add", call_contact_add, NEEDS_ACCOUNT, true, true},
    {"contact.block", call_contact_block, NEEDS_ACCOUNT, true, false},
    {"contact.verify", call_contact_verify, NEEDS_ACCOUNT, true, false},
    {"contact.resolve", call_contact_resolve, NEEDS_ACCOUNT, false, false},
    {"request.accept", call_request_accept, NEEDS_ACCOUNT, true, true},
    {"message.send", call_message_send, NEEDS_ACCOUNT, true, true},
    {"message.delete", call_message_delete, NEEDS_ACCOUNT, true, false},
    {"message.read", call_message_read, NEEDS_ACCOUNT, true, true},
    {"device.invite", call_device_invite, NEEDS_ACCOUNT, true, true},
    {"device.link", call_device_link, NEEDS_ACCOUNT, true, true},
    {"device.remove", call_device_remove, NEEDS_ACCOUNT, true, true},
    {"event.ack", call_event_ack, NEEDS_ACCOUNT, false, false},
    {"relay.use", call_relay_use, NEEDS_ACCOUNT, true, true},
    {"relay.leave", call_relay_leave, NEEDS_ACCOUNT, true, false},
    {"relay.status", call_relay_status, NEEDS_ACCOUNT, false, false},
    {"relay.invite", call_relay_invite, NEEDS_NOTHING, true, true},
    {"relay.members", call_relay_members, NEEDS_NOTHING, false, false},
    {"relay.waiting", call_relay_waiting, NEEDS_NOTHING, false, false},
    {"relay.remove", call_relay_remove, NEEDS_NOTHING, true, false},
    {"relay.limits", call_relay_limits, NEEDS_NOTHING, false, false},
    {"relay.verify", call_relay_verify, NEEDS_NOTHING, false, false},
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

static struct store_key client_key(uint32_t account, struct slice client_id)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, account);
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
    struct store_key k = client_key(seal_keys_account(keys), client_id);
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
    struct store_key k = client_key(seal_keys_account(keys), client_id);
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

/* Whether this account, which stays, remembers a call of this client_id: ERR_OK or ERR_NOT_FOUND.
 * That needs no key. */
static enum err remembers(struct turn *turn, uint32_t account, struct slice client_id)
{
    struct store_key k = client_key(account, client_id);
    struct slice sealed;
    bool erasing;
    enum err err = node_account_erasing(turn, account, &erasing);
    if (err != ERR_OK || erasing) {
        return err != ERR_OK ? err : ERR_NOT_FOUND;
    }
    return store_get(turn->store, STORE_CLIENT_ID, store_key_slice(&k), &sealed);
}

enum err node_account_made(struct turn *turn, struct slice params, uint32_t *number)
{
    struct step step = {.turn = turn};
    struct slice client_id;
    if (!params_bin(params, "client_id", 16, &client_id)) {
        return ERR_NOT_FOUND; /* the core says so */
    }
    enum err err = account_row_after(&step, 0, number);
    while (err == ERR_OK) {
        err = remembers(turn, *number, client_id);
        if (err != ERR_NOT_FOUND) {
            return err;
        }
        err = account_row_after(&step, *number, number);
    }
    return err;
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

/* The account that the call names, or the first one; *me NULL: there is none. */
static enum err named_account(const struct node *node, struct slice params, struct account **me)
{
    uint64_t number = 0;
    if (!params_uint(params, "account", &number)) {
        *me = node->accounts;
        while (*me != NULL && (*me)->removing) {
            *me = (*me)->next;
        }
        return ERR_OK;
    }
    *me = number <= UINT32_MAX ? account_find(node, (uint32_t)number) : NULL;
    return *me == NULL ? ERR_NO_ACCOUNT : ERR_OK;
}

/* Whether it may run now. */
static enum err may_run(const struct call *c, const struct method *method)
{
    if (method->needs != NEEDS_NOTHING) {
        if (c->me == NULL) {
            return ERR_NO_ACCOUNT;
        }
        if (c->me->removing) {
            return ERR_NOT_NOW;
        }
        if (c->me->keys == NULL) {
            return ERR_ACCOUNT_LOCKED;
        }
        if (c->me->restoring != (method->needs == NEEDS_RESTORE)) {
            return ERR_NOT_NOW;
        }
    }
    return method->grows && !c->step->turn->store->growth ? ERR_DISK_FULL : ERR_OK;
}

/* Whose keys the result of a call is kept under. */
static struct seal_keys *keeper(const struct call *c)
{
    return c->me != NULL && c->me->keys != NULL && !c->me->removing ? c->me->keys
                                                                    : c->node->config.node_keys;
}

/* What a locked account remembers. With its root, account.create opens it again; a call that was
 * another one, or another root, opens nothing. */
static enum err recall_locked(struct call *c, struct account *me, struct slice client_id,
                              const uint8_t hash[CALL_HASH], struct slice *result)
{
    enum err err = remembers(c->step->turn, me->number, client_id);
    if (err != ERR_OK) {
        return err;
    }
    if (c->root == NULL || c->root->account != me->number) {
        return ERR_ACCOUNT_LOCKED;
    }
    struct seal_keys *keys = seal_keys_new_account(me->number, c->root->r);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    err = seal_keys_load(keys, c->step->turn);
    if (err == ERR_OK) {
        err = recall(c->step, keys, client_id, hash, result);
    } else if (err == ERR_CORRUPT) {
        err = ERR_WRONG_KEY; /* it opens none of the account's keys */
    }
    seal_keys_free(keys);
    if (err == ERR_NOT_FOUND) {
        return ERR_CORRUPT; /* it has the row, and lacks what opens it */
    }
    return err == ERR_OK ? call_account_open(c, me) : err;
}

/* The remembered result. One that concerns no account is looked for with all: it may be what made
 * one. */
static enum err recall_any(struct call *c, const struct method *method, struct slice client_id,
                           const uint8_t hash[CALL_HASH], struct slice *result)
{
    enum err err = recall(c->step, keeper(c), client_id, hash, result);
    if (method->needs == NEEDS_ACCOUNT) {
        return err;
    }
    for (struct account *me = c->node->accounts; me != NULL && err == ERR_NOT_FOUND;
         me = me->next) {
        err = me->keys != NULL ? recall(c->step, me->keys, client_id, hash, result)
                               : recall_locked(c, me, client_id, hash, result);
    }
    return err == ERR_NOT_FOUND
               ? recall(c->step, c->node->config.node_keys, client_id, hash, result)
               : err;
}

static enum err run(struct call *c, const struct node_input *input, const struct method *method,
                    struct slice *result)
{
    struct slice client_id = slice_of(NULL, 0);
    uint8_t hash[CALL_HASH];
    if (method->mutates && !params_bin(c->params, "client_id", 16, &client_id)) {
        return ERR_MISSING_PARAM;
    }
    enum err err = method->needs != NEEDS_NOTHING ? may_run(c, method) : ERR_OK;
    if (err != ERR_OK && err != ERR_DISK_FULL) {
        return err;
    }
    if (method->mutates) {
        call_hash(input, hash);
        err = recall_any(c, method, client_id, hash, result);
        if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
    err = may_run(c, method);
    if (err != ERR_OK) {
        return err;
    }
    c->out = step_writer(c->step, CALL_RESULT);
    if (c->out.cap == 0) {
        return ERR_NO_MEMORY;
    }
    err = method->run(c);
    if (err == ERR_OK && c->out.err != ERR_OK) {
        err = ERR_BUG;
    }
    *result = writer_done(&c->out);
    return err == ERR_OK && method->mutates ? remember(c->step, keeper(c), client_id, hash, *result)
                                            : err;
}

enum err command_run(struct node *node, struct step *step, const struct node_input *input)
{
    const struct method *method = find_method(input->u.command.method);
    struct slice result = slice_of(NULL, 0);
    struct call c = {.node = node,
                     .step = step,
                     .params = input->u.command.params,
                     .client = input->u.command.client,
                     .number = input->u.command.id,
                     .root = input->u.command.root};
    enum err err = method == NULL ? ERR_UNKNOWN_METHOD : named_account(node, c.params, &c.me);
    if (err == ERR_OK) {
        err = run(&c, input, method, &result);
    }
    /* A full disk and what does not open an account are the caller's to hear; any other LOCAL error
     * fails the turn. */
    if (err_class(err) == ERR_CLASS_LOCAL && err != ERR_DISK_FULL && err != ERR_WRONG_KEY &&
        err != ERR_ROLLBACK) {
        return err;
    }
    if (err == ERR_OK && c.later) {
        return ERR_OK;
    }
    return step_reply(step, input->u.command.client, input->u.command.id, err,
                      err == ERR_OK ? c.opened : 0, result);
}
