/* SPDX-License-Identifier: Apache-2.0
 *
 * account: the identities of this node: creation, loading, keys.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/device.h"
#include "node/node.h"

void account_identity(const struct account_row *row, struct sign_pk *pk, struct sign_sk *sk)
{
    prim_sign_keypair(pk, sk, row->identity);
}

void account_link_key(const struct account_row *row, const struct sign_pk *relay, struct dh_sk *key)
{
    struct slice part = slice_of(relay->b, sizeof relay->b);
    prim_blake2b(key->b, sizeof key->b, slice_of(row->device_seed, sizeof row->device_seed),
                 "petrel/1 link key", &part, 1);
}

void account_pair_self(const struct account_row *row, struct pair_self *self)
{
    account_row_id(row, &self->id);
    self->certificate = row->certificate;
    memcpy(self->dh.b, row->device_dh, sizeof self->dh.b);
}

/* --- the list --- */

struct account *account_find(const struct node *node, uint32_t number)
{
    struct account *me = node->accounts;
    while (me != NULL && me->number != number) {
        me = me->next;
    }
    return me;
}

/* A place in the list, without keys. NULL: out of memory. */
static struct account *account_add(struct node *node, uint32_t number)
{
    struct account *me = calloc(1, sizeof *me);
    if (me == NULL) {
        return NULL;
    }
    struct account **at = &node->accounts;
    while (*at != NULL && (*at)->number < number) {
        at = &(*at)->next;
    }
    me->number = number;
    me->node = node;
    me->next = *at;
    *at = me;
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        me->homes[i].due = UINT64_MAX;
    }
    return me;
}

void account_close(struct account *me)
{
    work_drop_all(me);
    cards_fini(&me->cards);
    forget_free(me);
    seal_keys_free(me->keys);
    me->keys = NULL;
}

enum err account_shut(struct account *me, struct step *step)
{
    enum err err = links_close_account(&me->node->links, step, me->number);
    for (size_t i = 0; i < LIMIT_HOMES; i++) {
        me->homes[i] = (struct home){.due = UINT64_MAX};
    }
    account_close(me);
    return err;
}

void account_forget(struct account *me)
{
    struct account **at = &me->node->accounts;
    while (*at != me) {
        at = &(*at)->next;
    }
    *at = me->next;
    account_close(me);
    free(me);
}

void accounts_free(struct node *node)
{
    struct account *next;
    for (struct account *me = node->accounts; me != NULL; me = next) {
        next = me->next;
        account_close(me);
        free(me);
    }
    node->accounts = NULL;
}

/* --- creation --- */

/* Draws this device's keys and certifies them. */
static enum err device_create(struct step *step, struct account_row *row)
{
    const struct env *env = step->turn->env;
    env_random(env, row->device_sign, sizeof row->device_sign);
    env_random(env, row->device_dh, sizeof row->device_dh);
    env_random(env, row->device_mls, sizeof row->device_mls);
    env_random(env, row->device_seed, sizeof row->device_seed);

    struct device_certificate certificate = {.added_ms = env->now_ms};
    struct sign_sk sk;
    struct dh_sk dh;
    prim_sign_keypair(&certificate.sign, &sk, row->device_sign);
    prim_sign_keypair(&certificate.mls, &sk, row->device_mls);
    memcpy(dh.b, row->device_dh, sizeof dh.b);
    prim_dh_public(&certificate.dh, &dh);

    struct sign_pk id;
    account_identity(row, &id, &sk);
    struct writer w = step_writer(step, LIMIT_CERTIFICATE);
    enum err err = w.cap == 0 ? ERR_NO_MEMORY : device_certificate_make(&w, &certificate, &sk);
    row->certificate = writer_done(&w);
    secret_wipe(&sk, sizeof sk);
    secret_wipe(&dh, sizeof dh);
    return err;
}

/* Takes the keys over, and who it is. */
static void account_adopt(struct account *me, const struct account_row *row, struct seal_keys *keys)
{
    account_row_id(row, &me->id);
    me->keys = keys;
    me->linked = !account_row_holds(row);
    me->news_next = row->news_next;
    me->rekey_next = row->rekey_next;
    me->rekey_why = row->rekey_why;
    me->restoring = row->restoring != 0;
    me->hidden = row->hidden != 0;
}

static enum err create(struct node *node, struct step *step, const struct node_root *root,
                       struct account_row *row, struct seal_keys *keys, struct account **me)
{
    enum err err = seal_keys_create(keys, step->turn);
    if (err == ERR_OK) {
        err = device_create(step, row);
    }
    if (err == ERR_OK) {
        err = account_row_put(step, keys, row);
    }
    if (err == ERR_OK) {
        *me = account_add(node, root->account);
        err = *me == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    return err;
}

enum err account_create(struct node *node, struct step *step, const struct node_root *root,
                        const uint8_t *seed, bool restoring, struct account **me)
{
    if (account_find(node, root->account) != NULL) {
        return ERR_EXISTS;
    }
    struct seal_keys *keys = seal_keys_new_account(root->account, root->r);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    struct account_row row = {
        .created = step_now(step), .restoring = restoring, .anew = seed != NULL};
    if (seed != NULL) {
        memcpy(row.identity, seed, sizeof row.identity);
    } else {
        env_random(step->turn->env, row.identity, sizeof row.identity);
    }
    enum err err = create(node, step, root, &row, keys, me);
    if (err == ERR_OK) {
        account_adopt(*me, &row, keys);
        err = forget_load(*me, step);
    } else {
        seal_keys_free(keys);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

/* --- loading --- */

enum err account_open(struct account *me, struct step *step, const struct node_root *root)
{
    uint32_t generation;
    if (seal_root_named(step->turn->store, me->number, &generation) == ERR_OK &&
        generation != root->generation) {
        return ERR_ROLLBACK;
    }
    struct seal_keys *keys = seal_keys_new_account(me->number, root->r);
    if (keys == NULL) {
        return ERR_NO_MEMORY;
    }
    struct account_row row;
    enum err err = seal_keys_load(keys, step->turn);
    if (err == ERR_OK) {
        err = account_row_get(step, keys, &row);
    }
    if (err != ERR_OK) {
        seal_keys_free(keys);
        return err;
    }
    account_adopt(me, &row, keys);
    secret_wipe(&row, sizeof row);
    err = peer_rows_split(step, keys);
    if (err == ERR_OK) {
        err = contact_row_find(step, keys, &me->id, &me->self);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err == ERR_OK) {
        err = forget_load(me, step);
    }
    if (err == ERR_OK) {
        forget_former(me, root->former);
        err = step_root_keep(step, me->number, seal_root(keys));
    }
    if (err != ERR_OK || me->restoring) {
        return err; /* its relays and its outbox come with backup_end */
    }
    err = home_load(me, step);
    return err == ERR_OK && !me->removing ? outbox_load(me, step) : err;
}

enum err accounts_load(struct node *node, struct step *step, const struct node_root *roots,
                       size_t nroots)
{
    uint32_t number = 0;
    enum err err = account_row_after(step, 0, &number);
    while (err == ERR_OK) {
        const struct node_root *root = account_root(step->turn->store, number, roots, nroots);
        struct account *me = account_add(node, number);
        err = me == NULL ? ERR_NO_MEMORY : removal_load(me, step);
        if (err == ERR_OK && root != NULL && !me->removed) {
            err = account_open(me, step, root);
        }
        if (err == ERR_OK) {
            err = account_row_after(step, number, &number);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void account_queues_changed(struct account_row *row, uint64_t now_ms)
{
    if (account_row_holds(row)) {
        row->device_list = slice_of(NULL, 0);
    }
    row->queues_ms = now_ms > row->queues_ms ? now_ms : row->queues_ms + 1;
}

enum err account_next_contact(struct account *me, struct step *step, uint32_t *number)
{
    struct account_row row;
    enum err err = account_row_get(step, me->keys, &row);
    if (err == ERR_OK && row.last_contact >= LIMIT_CONTACTS) {
        err = ERR_QUOTA;
    }
    if (err == ERR_OK) {
        *number = ++row.last_contact;
        err = account_row_put(step, me->keys, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

enum err account_next_peer(struct account *me, struct step *step, uint32_t *number)
{
    struct account_row row;
    enum err err = account_row_get(step, me->keys, &row);
    if (err == ERR_OK && row.last_peer >= UINT32_MAX) {
        err = ERR_QUOTA;
    }
    if (err == ERR_OK) {
        row.last_peer = row.last_peer < LIMIT_CONTACTS ? LIMIT_CONTACTS : row.last_peer;
        *number = (uint32_t)++row.last_peer;
        err = account_row_put(step, me->keys, &row);
    }
    secret_wipe(&row, sizeof row);
    return err;
}

enum err node_account_root(struct turn *turn, uint32_t account, uint32_t *generation)
{
    return seal_root_named(turn->store, account, generation);
}
