/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_receipt.h"

#include <string.h>

#include "base/secret.h"
#include "relay/sealed.h"

/* One answer that waits; in the turn's arena. */
struct relay_promise {
    struct relay_promise *next;
    struct relay_answer to;
    struct receipt receipt; /* salt and until; the rest at the end */
    uint8_t leaf[RECEIPT_HASH];
    bool sealed;
    struct sealed_reply_key key; /* when sealed */
};

enum err host_receipt_promise(struct relay_host *host, struct turn *turn,
                              const struct relay_peer *peer, const struct sign_pk *queue,
                              const uint8_t envelope_hash[static RECEIPT_HASH], uint64_t until_ms)
{
    struct relay_promises *all = &host->promises;
    struct relay_promise *p = arena_alloc(turn->arena, sizeof *p);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    p->to = (struct relay_answer){.link = peer->link, .kind = peer->kind, .id = peer->id};
    p->receipt.until_ms = until_ms;
    p->receipt.time_ms = turn->env->now_ms;
    env_random(turn->env, p->receipt.salt, sizeof p->receipt.salt);
    receipt_leaf(p->leaf, &p->receipt, queue, envelope_hash);
    p->sealed = peer->sealed != NULL;
    if (p->sealed) {
        p->key = *peer->sealed;
    }
    if (all->last == NULL) {
        all->first = p;
    } else {
        all->last->next = p;
    }
    all->last = p;
    all->count++;
    return ERR_OK;
}

/* One tree over all that waits, and its signature. */
static enum err sign_all(struct relay_host *host, struct turn *turn)
{
    struct relay_promises *all = &host->promises;
    uint8_t(*leaves)[RECEIPT_HASH] = arena_alloc(turn->arena, (size_t)all->count * RECEIPT_HASH);
    uint32_t i = 0;
    if (leaves == NULL) {
        return ERR_NO_MEMORY;
    }
    for (const struct relay_promise *p = all->first; p != NULL; p = p->next) {
        memcpy(leaves[i++], p->leaf, RECEIPT_HASH);
    }
    enum err err = receipt_tree_make(&all->tree, turn->arena,
                                     (const uint8_t(*)[RECEIPT_HASH])leaves, all->count);
    if (err == ERR_OK) {
        err = receipt_tree_sign(&all->tree, turn->env->now_ms, host->config.node_sk, all->sig);
    }
    all->is_signed = err == ERR_OK;
    return err;
}

/* The reply with its receipt, open or sealed. */
static enum err answer(struct turn *turn, const struct relay_promise *p, struct writer *reply)
{
    uint8_t receipt[RELAY_RECEIPT];
    uint8_t plain[RELAY_RECEIPT + 64];
    struct writer r = writer_of(receipt, sizeof receipt);
    receipt_write(&r, &p->receipt);
    struct queue_deposit_reply rep = {.outcome = QUEUE_STORED, .receipt = writer_done(&r)};
    if (r.err != ERR_OK) {
        return ERR_BUG;
    }
    if (!p->sealed) {
        queue_deposit_reply_write(reply, &rep);
        return ERR_OK;
    }
    struct writer w = writer_of(plain, sizeof plain);
    struct sealed_reply out = {.sealed = slice_of(NULL, 0)};
    queue_deposit_reply_write(&w, &rep);
    enum err err = sealed_reply_seal(turn->arena, turn->env, &p->key, RELAY_QUEUE_DEPOSIT,
                                     writer_done(&w), &out.sealed);
    if (err == ERR_OK) {
        sealed_reply_write(reply, &out);
    }
    return err;
}

enum err host_receipt_next(struct relay_host *host, struct turn *turn, struct relay_answer *to,
                           struct writer *reply)
{
    struct relay_promises *all = &host->promises;
    struct relay_promise *p = all->first;
    if (p == NULL) {
        return ERR_NOT_FOUND;
    }
    enum err err = all->is_signed ? ERR_OK : sign_all(host, turn);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(p->receipt.sig, all->sig, sizeof all->sig);
    receipt_tree_path(&all->tree, all->answered++, &p->receipt);
    *to = p->to;
    err = answer(turn, p, reply);
    secret_wipe(&p->key, sizeof p->key);
    all->first = p->next;
    if (all->first == NULL) {
        *all = (struct relay_promises){.count = 0};
    }
    return err == ERR_OK && reply->err != ERR_OK ? ERR_BUG : err;
}
