/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_batch: who has few tokens for a contact sends the messages that wait for it in one
 * envelope, so that one token, or one stamp, carries several. docs/protocol/07-node.md, section 4.
 *
 * The first of them is the lead: its row has envelope, token and receipt. The others stand right
 * behind it and name it; they share its session and number, so one acknowledgement is for all. A
 * batch lasts as long as its envelope: it is given up as a whole, and when it is to be sealed anew
 * each of its entries waits on its own again.
 */
#include <string.h>

#include "node/batch.h"
#include "node/content.h"
#include "node/core.h"

/* Whether this waits, and is something that people say: what is between the nodes goes alone. */
static bool may_join(const struct outbox_row *entry)
{
    struct content content;
    return entry->state == OUTBOX_WAITING && !entry->ack_only &&
           content_decode(entry->content, &content) == ERR_OK && content.type < CONTENT_REQUEST;
}

/* Whether we hold so few tokens for the contact that they are worth saving. */
static enum err few_tokens(struct account *me, struct step *step, uint32_t peer, bool *few)
{
    uint64_t have;
    enum err err = token_row_count(step, me->keys, peer, &have);
    *few = err == ERR_OK && have < LIMIT_BATCH_TOKENS;
    return err;
}

/* Adds what stands behind the lead until something does not fit, may not join, or is so much
 * younger that it must not be given up with the lead. */
static enum err gather(struct account *me, struct step *step, uint32_t peer,
                       const struct outbox_row *lead, size_t room, struct outbox_batch *batch,
                       struct batch *contents)
{
    struct outbox_row entry;
    uint64_t order = batch->order[0];
    size_t bytes = lead->content.len;
    while (contents->count < LIMIT_BATCH) {
        order++;
        enum err err = outbox_row_next(step, me->keys, peer, &order, &entry);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        bytes += entry.content.len;
        if (!may_join(&entry) || batch_size(contents->count + 1, bytes) > room ||
            entry.created - lead->created >= LIMIT_BATCH_SPAN_MS) {
            return ERR_OK;
        }
        batch->order[contents->count] = order;
        contents->content[contents->count++] = entry.content;
    }
    return ERR_OK;
}

enum err outbox_batch_gather(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                             const struct outbox_row *entry, size_t room,
                             struct outbox_batch *batch)
{
    bool few = false;
    struct batch contents = {.count = 1};
    contents.content[0] = entry->content;
    batch->content = entry->content;
    batch->count = 1;
    batch->order[0] = order;
    if (!may_join(entry)) {
        return ERR_OK;
    }
    enum err err = few_tokens(me, step, peer, &few);
    if (err == ERR_OK && few) {
        err = gather(me, step, peer, entry, room, batch, &contents);
    }
    if (err != ERR_OK || contents.count == 1) {
        return err;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < contents.count; i++) {
        bytes += contents.content[i].len;
    }
    struct writer w = step_writer(step, batch_size(contents.count, bytes));
    err = batch_write(&w, &contents);
    batch->count = contents.count;
    batch->content = writer_done(&w);
    return err == ERR_NO_SPACE ? ERR_NO_MEMORY : err;
}

enum err outbox_batch_sealed(struct account *me, struct step *step, uint32_t peer,
                             const struct outbox_batch *batch, const struct outbox_row *lead)
{
    struct outbox_row row;
    enum err err = ERR_OK;
    for (size_t i = 1; err == ERR_OK && i < batch->count; i++) {
        err = outbox_row_get(step, me->keys, peer, batch->order[i], &row);
        if (err == ERR_OK) {
            row.state = OUTBOX_SEALED;
            row.seq = lead->seq;
            memcpy(row.session, lead->session, sizeof row.session);
            row.lead = batch->order[0];
            err = outbox_row_put(step, me->keys, peer, batch->order[i], &row);
        }
    }
    return err;
}

enum err outbox_batch_next(struct account *me, struct step *step, uint32_t peer, uint64_t lead,
                           uint64_t *order, struct outbox_row *row)
{
    enum err err = outbox_row_next(step, me->keys, peer, order, row);
    return err == ERR_OK && row->lead != lead ? ERR_NOT_FOUND : err;
}
