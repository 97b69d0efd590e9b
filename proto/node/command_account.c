/* SPDX-License-Identifier: Apache-2.0
 *
 * command_account: calls about identities, and about the node itself.
 */
#include <string.h>

#include "base/secret.h"
#include "crypto/words.h"
#include "node/backup.h"
#include "node/command.h"
#include "node/healing.h"

static enum err account_result(struct call *c, bool words)
{
    struct account_row row;
    char id[ID_TEXT];
    id_encode(c->me->id.b, id);
    pack_map(&c->out, words ? 3 : 2);
    result_uint(&c->out, "account", c->me->number);
    result_text(&c->out, "id", id);
    if (!words) {
        return ERR_OK;
    }
    enum err err = account_row_get(c->step, c->me->keys, &row);
    if (err == ERR_OK) {
        char text[WORDS_TEXT];
        words_encode(row.identity, text);
        result_text(&c->out, "words", text);
        secret_wipe(text, sizeof text);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* An identity is on a node once. Whose a locked account is cannot be told, and it might be this. */
static enum err identity_is_new(const struct node *node, const uint8_t seed[static WORDS_SEED])
{
    struct sign_pk id;
    struct sign_sk sk;
    enum err err = ERR_OK;
    prim_sign_keypair(&id, &sk, seed);
    secret_wipe(&sk, sizeof sk);
    for (const struct account *me = node->accounts; me != NULL; me = me->next) {
        if (me->keys != NULL && memcmp(me->id.b, id.b, sizeof id.b) == 0) {
            return ERR_EXISTS;
        }
        if (me->keys == NULL && !me->removed) {
            err = ERR_ACCOUNT_LOCKED;
        }
    }
    return err;
}

enum err call_account_open(struct call *c, struct account *me)
{
    c->opened = me->number;
    return account_open(me, c->step, c->root);
}

enum err call_account_create(struct call *c)
{
    struct slice words = slice_of(NULL, 0);
    uint8_t seed[WORDS_SEED];
    unsigned wrong;
    bool another = false;
    bool restoring = false;
    bool given = params_str(c->params, "words", &words);
    (void)params_bool(c->params, "another", &another);
    (void)params_bool(c->params, "restore", &restoring);
    if (restoring && !given) {
        return ERR_ARGUMENT; /* whose backup? */
    }
    if (c->root != NULL && c->root->opened) {
        return ERR_NOT_NOW; /* the account that this call had made has gone */
    }
    if (c->node->accounts != NULL && !another) {
        return ERR_ACCOUNT_EXISTS;
    }
    if (c->root == NULL) {
        return ERR_NOT_NOW; /* the account that there was when the host looked has gone */
    }
    enum err err = given ? words_decode(words, seed, &wrong) : ERR_OK;
    if (err == ERR_OK && given) {
        err = identity_is_new(c->node, seed);
    }
    if (err == ERR_OK) {
        err = account_create(c->node, c->step, c->root, given ? seed : NULL, restoring, &c->me);
        c->opened = c->root->account;
    }
    secret_wipe(seed, sizeof seed);
    return err == ERR_OK ? account_result(c, true) : err;
}

enum err call_account_unlock(struct call *c)
{
    struct account *me = c->me;
    if (me == NULL || me->removed) {
        return ERR_NO_ACCOUNT;
    }
    enum err err = ERR_OK;
    if (me->keys == NULL) {
        err = c->root == NULL || c->root->account != me->number ? ERR_ACCOUNT_LOCKED
                                                                : call_account_open(c, me);
        if (err == ERR_CORRUPT && me->keys == NULL) {
            err = ERR_WRONG_KEY; /* it opens none of the account's keys */
        }
    }
    return err == ERR_OK ? account_result(c, false) : err;
}

/* It goes on where it was once it is unlocked; what comes meanwhile waits at its relays. */
enum err call_account_lock(struct call *c)
{
    struct account *me = c->me;
    if (me == NULL || me->removed) {
        return ERR_NO_ACCOUNT;
    }
    if (me->removing) {
        return ERR_NOT_NOW;
    }
    pack_map(&c->out, 1);
    result_uint(&c->out, "account", me->number);
    if (me->keys == NULL) {
        return ERR_OK;
    }
    enum err err = account_shut(me, c->step);
    return err == ERR_OK ? step_locked(c->step, me->number) : err;
}

/* The host has done it; of a locked account its next opening says so. The root that the former
 * passphrase opened is to go. */
enum err call_account_passphrase(struct call *c)
{
    struct account *me = c->me;
    bool remove = false;
    bool credential = false;
    if (me == NULL || me->removed) {
        return ERR_NO_ACCOUNT;
    }
    if (c->root == NULL || c->root->account != me->number || me->removing) {
        return ERR_NOT_NOW; /* it is not the one that the host looked at, or goes */
    }
    if (me->keys != NULL) {
        forget_former(me, c->root->former);
    }
    (void)params_bool(c->params, "remove", &remove);
    (void)params_bool(c->params, "credential", &credential);
    pack_map(&c->out, 2);
    result_uint(&c->out, "account", me->number);
    result_text(&c->out, "opens", remove ? "key-file" : credential ? "credential" : "passphrase");
    return ERR_OK;
}

enum err call_restore_put(struct call *c)
{
    struct slice records;
    if (!params_blob(c->params, "records", BACKUP_PUT_MAX, &records)) {
        return ERR_ARGUMENT;
    }
    pack_map(&c->out, 0);
    return backup_put(c->me, c->step, records);
}

enum err call_restore_end(struct call *c)
{
    pack_map(&c->out, 1);
    result_uint(&c->out, "account", c->me->number);
    return backup_end(c->me, c->step);
}

enum err call_account_rekey(struct call *c)
{
    if (c->me->removing) {
        return ERR_NOT_NOW;
    }
    pack_map(&c->out, 1);
    result_uint(&c->out, "account", c->me->number);
    return healing_all(c->me, c->step);
}

static const char *account_state(const struct account *me)
{
    return me == NULL         ? "none"
           : me->removing     ? "removing"
           : me->keys == NULL ? "locked"
           : me->restoring    ? "restoring"
                              : "open";
}

/* What relays have is replaced by the same that says something else: it takes a new version of the
 * list, as every replacement does. Who does not hold the identity puts nothing. */
enum err call_account_dht(struct call *c)
{
    struct account_row row;
    bool on = false;
    if (!params_bool(c->params, "on", &on)) {
        return ERR_MISSING_PARAM;
    }
    enum err err = account_row_get(c->step, c->me->keys, &row);
    if (err == ERR_OK && (row.hidden == 0) != on) {
        row.hidden = on ? 0 : 1;
        c->me->hidden = !on;
        err = account_row_put(c->step, c->me->keys, &row);
        if (err == ERR_OK && account_row_holds(&row) && row.device_list.len > 0) {
            err = devices_list(c->me, c->step, &row, NULL);
            err = err == ERR_NO_RELAY ? ERR_OK : err; /* it is made anew when there is one */
            home_wake_main(c->me);
        }
    }
    secret_wipe(&row, sizeof row);
    pack_map(&c->out, 2);
    result_uint(&c->out, "account", c->me->number);
    result_bool(&c->out, "on", on);
    return err;
}

enum err call_account_list(struct call *c)
{
    uint32_t count = 0;
    for (const struct account *me = c->node->accounts; me != NULL; me = me->next) {
        count++;
    }
    pack_map(&c->out, 1);
    pack_str(&c->out, "accounts");
    pack_array(&c->out, count);
    for (const struct account *me = c->node->accounts; me != NULL; me = me->next) {
        char id[ID_TEXT];
        pack_map(&c->out, me->keys != NULL ? 3 : 2);
        result_uint(&c->out, "account", me->number);
        result_text(&c->out, "state", account_state(me));
        if (me->keys != NULL) {
            id_encode(me->id.b, id);
            result_text(&c->out, "id", id);
        }
    }
    return ERR_OK;
}

enum err call_account_remove(struct call *c)
{
    bool now = false;
    (void)params_bool(c->params, "now", &now);
    if (c->me == NULL) {
        return ERR_NO_ACCOUNT;
    }
    if (c->me->keys == NULL && !now && !c->me->removed) {
        return ERR_ACCOUNT_LOCKED; /* its relays would not hear of it */
    }
    pack_map(&c->out, 0);
    return c->me->removed ? ERR_OK : removal_begin(c->me, c->step, now);
}

/* What the open accounts have under way, all together. */
static enum err count_waiting(struct call *c, uint64_t *outbox, uint64_t *oldest,
                              uint64_t *requests)
{
    enum err err = ERR_OK;
    *outbox = 0;
    *oldest = 0;
    *requests = 0;
    for (struct account *me = c->node->accounts; me != NULL && err == ERR_OK; me = me->next) {
        uint64_t n = 0;
        if (me->keys == NULL) {
            continue;
        }
        err = outbox_count(me, c->step, &n);
        *outbox += n;
        if (err == ERR_OK) {
            err = outbox_oldest(me, c->step, oldest);
        }
        if (err == ERR_OK) {
            err = contact_requests(me, c->step, &n);
            *requests += n;
        }
    }
    return err;
}

enum err call_daemon_status(struct call *c)
{
    struct node *node = c->node;
    struct relay_host_stats stats = {.members = 0};
    uint64_t outbox = 0;
    uint64_t oldest = 0;
    uint64_t requests = 0;
    enum err err = ERR_OK;
    if (node->relay != NULL) {
        err = relay_host_stats(node->relay, c->step->turn, &stats);
    }
    if (err == ERR_OK) {
        err = count_waiting(c, &outbox, &oldest, &requests);
    }
    bool listens = node->config.listen_host != NULL;
    bool open = c->me != NULL && c->me->keys != NULL;
    pack_map(&c->out, 10 + (listens ? 1U : 0U) + (open ? 1U : 0U) + (oldest != 0 ? 1U : 0U));
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
    result_text(&c->out, "account", account_state(c->me));
    if (open) {
        id_encode(c->me->id.b, text);
        result_text(&c->out, "id", text);
    }
    result_bool(&c->out, "relay", node->relay != NULL);
    result_bool(&c->out, "proxy", node->config.proxy);
    result_uint(&c->out, "members", stats.members);
    result_uint(&c->out, "queues", stats.queues);
    result_uint(&c->out, "links", node->links.count);
    result_uint(&c->out, "outbox", outbox);
    if (oldest != 0) {
        result_uint(&c->out, "outbox_oldest", oldest);
    }
    result_uint(&c->out, "requests", requests);
    return err;
}
