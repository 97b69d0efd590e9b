/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_seal: what goes into an envelope beside its content: where our queues are, and tokens for
 * the main one. docs/protocol/07-node.md, section 4.
 */
#include <string.h>

#include "base/secret.h"
#include "node/core.h"
#include "node/home_keys.h"
#include "node/route.h"
#include "node/stock.h"
#include "relay/token.h"

enum {
    OUTBOX_FIELD = 4, /* encoding of a field beside its bytes */
};

/* How many tokens the contact gets beside content in the envelope that content needs. A body
 * without content takes the next larger one for a contact whose stock is low. */
static size_t tokens_that_fit(struct step *step, struct peer_row *row, const struct session *s,
                              size_t content_len)
{
    size_t room = 0;
    unsigned smallest = content_len == 0 && stock_is_low(row, step_now(step)) ? 1 : 0;
    for (unsigned class = smallest; class < LIMIT_ENVELOPE_CLASSES && room == 0; class ++) {
        size_t there = session_room(s, class, step_now(step));
        if (there > 0 && there >= content_len) {
            room = there - content_len;
            break;
        }
    }
    size_t n = stock_room(row, step_now(step));
    if (n > LIMIT_TOKENS_PER_BODY) {
        n = LIMIT_TOKENS_PER_BODY;
    }
    if (room < OUTBOX_FIELD || n > (room - OUTBOX_FIELD) / TOKEN) {
        n = room < OUTBOX_FIELD ? 0 : (room - OUTBOX_FIELD) / TOKEN;
    }
    return n;
}

/* Tokens for our main queue. None before the contact knows that queue: what they hold for another
 * one counts no more once they do. */
static enum err mint(struct account *me, struct step *step, struct peer_row *row,
                     const struct session *s, size_t content_len, uint64_t known,
                     struct slice *tokens)
{
    struct relay_row relay;
    struct sign_pk queue;
    struct token_key k;
    struct token_siv_key siv;
    *tokens = slice_of(NULL, 0);
    enum err err = relay_row_get(step, me->keys, 0, &relay);
    if (err != ERR_OK || (row->told != known && row->told != 0)) {
        secret_wipe(&relay, sizeof relay);
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    home_queue(&relay, &queue);
    uint64_t mark = home_queue_mark(&queue);
    if (row->minted_for != mark && row->minted_for != 0) {
        stock_reset(row);
    }
    row->minted_for = mark;
    size_t n = tokens_that_fit(step, row, s, content_len);
    uint8_t *p = arena_alloc(step->turn->arena, n * TOKEN + 1);
    home_token_keys(&relay, &queue, &k, &siv);
    for (size_t i = 0; p != NULL && i < n; i++) {
        struct token token;
        token_mint(&k, &siv, &queue, row->number, row->minted + 1 + (uint32_t)i,
                   token_epoch(step_now(step)), &token);
        memcpy(p + i * TOKEN, token.b, TOKEN);
        secret_wipe(&token, sizeof token);
    }
    secret_wipe(&relay, sizeof relay);
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
    *tokens = slice_of(p, n * TOKEN);
    return p == NULL ? ERR_NO_MEMORY : stock_made(step->turn->arena, row, (uint32_t)n);
}

/* Adds where our queues are, if the contact was not told yet and there is room. */
static void tell(struct peer_row *row, const struct route *route, const struct session *s,
                 uint64_t now_ms, struct session_out *out)
{
    size_t need = out->content.len + route->bytes.len + OUTBOX_FIELD;
    if (route->mark == 0 || row->told == route->mark ||
        session_room(s, LIMIT_ENVELOPE_CLASSES - 1, now_ms) < need) {
        return; /* with the next message */
    }
    row->told = route->mark;
    out->route = route->bytes;
}

/* The content of the body: the entry's, or of several. Where our queues are must fit as well. */
static enum err fill(struct account *me, struct step *step, const struct session *s,
                     const struct peer_row *row, uint64_t order, const struct outbox_row *entry,
                     struct outbox_batch *batch)
{
    size_t room = session_room(s, LIMIT_BATCH_CLASS, step_now(step));
    size_t route = LIMIT_BODY_ROUTE + OUTBOX_FIELD;
    return outbox_batch_gather(me, step, row->number, order, entry, room > route ? room - route : 0,
                               batch);
}

/* What an acknowledgement will name it by; empty for a body without content, or without memory. */
static struct slice hash_of(struct arena *arena, struct slice content)
{
    uint8_t *hash = content.len > 0 ? arena_alloc(arena, SESSION_CONTENT_HASH) : NULL;
    if (hash == NULL) {
        return slice_of(NULL, 0);
    }
    session_content_hash(content, hash);
    return slice_of(hash, SESSION_CONTENT_HASH);
}

enum err outbox_seal(struct account *me, struct step *step, struct peer_row *row, uint8_t slot,
                     uint64_t order, struct outbox_row *entry)
{
    struct arena *arena = step->turn->arena;
    struct slice saved;
    struct session *s = session_new();
    enum err err =
        s == NULL ? ERR_NO_MEMORY : session_row_get(step, me->keys, row->number, slot, &saved);
    if (err == ERR_OK) {
        err = session_load(s, saved);
    }
    if (err == ERR_OK && entry->ack_only && !entry->anyway && !session_owes_ack(s) &&
        !stock_is_low(row, step_now(step))) {
        err = ERR_NOT_NOW;
    }
    struct outbox_batch batch = {.count = 1};
    if (err == ERR_OK) {
        err = fill(me, step, s, row, order, entry, &batch);
    }
    struct session_out out = {.content = batch.content};
    struct route route = {.mark = 0};
    if (err == ERR_OK) {
        err = route_own(me, step, &route);
    }
    if (err == ERR_OK && !entry->ack_only) {
        tell(row, &route, s, step_now(step), &out);
    }
    if (err == ERR_OK) {
        size_t taken = out.content.len + (out.route.len > 0 ? out.route.len + OUTBOX_FIELD : 0);
        err = mint(me, step, row, s, taken, route.mark, &out.tokens);
    }
    if (err == ERR_OK) {
        err = session_seal(s, step->turn->env, arena, &out, &entry->envelope, &entry->seq);
    }
    if (err == ERR_OK) {
        memcpy(entry->session, session_id(s), SESSION_T);
        entry->hash = hash_of(arena, out.content);
        entry->state = OUTBOX_SEALED;
        err = session_save(s, arena, &saved);
    }
    session_free(s);
    if (err == ERR_OK) {
        err = outbox_batch_sealed(me, step, row->number, &batch, entry);
    }
    if (err == ERR_OK) {
        err = session_row_put(step, me->keys, row->number, slot, saved);
    }
    if (err == ERR_OK) {
        err = peer_row_put(step, me->keys, row);
    }
    return err == ERR_BACKPRESSURE ? ERR_NOT_NOW : err;
}
