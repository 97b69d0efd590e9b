/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/sequence.h"

#include <string.h>

#include "crypto/ct.h"
#include "crypto/prim.h"

enum {
    FLAG_MET = 1,
    FLAG_OWES_ACK = 2,
    FLAG_FORKED = 4,
};

void sequence_init(struct sequence *q, const struct env *env)
{
    memset(q, 0, sizeof *q);
    env_random(env, q->boot_id, sizeof q->boot_id);
}

/* The other side's bitmap must be able to name it, too. */
bool sequence_may_send(const struct sequence *q)
{
    return ack_missing(&q->acked, q->seq) < LIMIT_UNACKED && q->seq - q->told_cum < ACK_WINDOW;
}

static bool have_any(const struct sequence *q)
{
    return q->met && (q->have.cum > 0 || q->have.used > 0);
}

void sequence_fill(const struct sequence *q, struct body *body)
{
    memcpy(body->boot_id, q->boot_id, sizeof body->boot_id);
    if (body->content.len > 0) {
        body->seq = q->seq + 1;
        memcpy(body->prev_hash, q->last_hash, sizeof body->prev_hash);
    }
    /* After they went back an acknowledgement could be taken for one of what was lost instead. */
    body->has_ack = have_any(q) && !q->forked;
    if (body->has_ack) {
        memcpy(body->ack_boot_id, q->other_boot_id, sizeof body->ack_boot_id);
        body->ack = q->have;
        uint64_t top = ack_top(&q->have);
        const struct sequence_hash *h = &q->hashes[top % SEQUENCE_HASHES];
        body->has_ack_hash = h->seq == top && h->came;
        if (body->has_ack_hash) {
            memcpy(body->ack_hash, h->hash, sizeof body->ack_hash);
        }
    }
    /* Something was given up, and the other side still waits for it. */
    body->settled = q->acked.cum > q->told_cum ? q->acked.cum : 0;
}

void sequence_sent(struct sequence *q, const struct body *body)
{
    if (body->seq > 0) {
        q->seq = body->seq;
        body_hash(body->content, q->last_hash);
    }
    q->owes_ack = false;
}

static struct sequence_hash *place(struct sequence *q, uint64_t seq)
{
    return &q->hashes[seq % SEQUENCE_HASHES];
}

/* Hashes of contents say something of them. Whether two are the same does not: what follows shows
 * it. */
static bool same_hash(const uint8_t *a, const uint8_t *b)
{
    bool same = prim_equal(a, b, BODY_HASH);
    CT_PUBLIC(&same, sizeof same);
    return same;
}

/* Remembers a hash unless its place holds a newer number. */
static void remember(struct sequence *q, uint64_t seq, const uint8_t *hash, bool came)
{
    struct sequence_hash *h = place(q, seq);
    if (h->seq > seq) {
        return;
    }
    h->seq = seq;
    h->came = came;
    memcpy(h->hash, hash, sizeof h->hash);
}

/* Whether prev_hash fits what we know of content seq - 1; an unknown one is remembered. When it
 * does not fit what came, *fork: their numbering went two ways. */
static bool chain_fits(struct sequence *q, uint64_t seq, const uint8_t *prev_hash, bool *fork)
{
    static const uint8_t zeros[BODY_HASH];
    if (seq == 1) {
        return same_hash(prev_hash, zeros);
    }
    const struct sequence_hash *h = place(q, seq - 1);
    if (h->seq == seq - 1) {
        bool fits = same_hash(h->hash, prev_hash);
        *fork = !fits && h->came;
        return fits;
    }
    if (!ack_has(&q->have, seq - 1)) {
        remember(q, seq - 1, prev_hash, false);
    }
    return true;
}

/* Content whose number we have: the same again, or another one after a rollback. */
static void take_again(struct sequence *q, uint64_t seq, const uint8_t *hash,
                       struct sequence_news *news)
{
    const struct sequence_hash *h = place(q, seq);
    if (h->seq == seq && same_hash(h->hash, hash)) {
        /* Not come before: given up by the sender (settled), and late after all. */
        news->duplicate = h->came;
    } else {
        /* An honest sender repeats an envelope's bytes, never a number in a new envelope; so a
         * number too old to compare is taken for another content too. */
        news->reset = true;
    }
    remember(q, seq, hash, true);
}

static enum err take_content(struct sequence *q, const struct body *b, struct sequence_news *news)
{
    uint8_t hash[BODY_HASH];
    body_hash(b->content, hash);
    q->owes_ack = true;
    if (ack_has(&q->have, b->seq)) {
        take_again(q, b->seq, hash, news);
        return ERR_OK;
    }
    const struct sequence_hash *h = place(q, b->seq);
    bool as_promised = h->seq != b->seq || same_hash(h->hash, hash);
    bool fits = chain_fits(q, b->seq, b->prev_hash, &news->reset);
    if (!ack_add(&q->have, b->seq)) {
        return ERR_TOO_FAR_AHEAD;
    }
    remember(q, b->seq, hash, true);
    news->gap = !as_promised || !fits || q->have.cum < b->seq;
    return ERR_OK;
}

static void take_ack(struct sequence *q, const struct body *b, struct sequence_news *news)
{
    if (memcmp(b->ack_boot_id, q->boot_id, sizeof q->boot_id) != 0) {
        return;
    }
    uint64_t top = ack_top(&b->ack);
    /* What they have under our last number may be of before we went back. */
    bool another = b->has_ack_hash && top == q->seq && !same_hash(b->ack_hash, q->last_hash);
    if (top > q->seq || another) {
        news->behind = true;
        return; /* it is not of what we know */
    }
    news->has_acked = b->has_ack_hash;
    news->acked_seq = top;
    memcpy(news->acked_hash, b->ack_hash, sizeof news->acked_hash);
    if (b->ack.cum > q->told_cum) {
        q->told_cum = b->ack.cum;
    }
    ack_merge(&q->acked, &b->ack, q->seq);
}

enum err sequence_take(struct sequence *q, const struct body *b, struct sequence_news *news)
{
    *news = (struct sequence_news){.duplicate = false};
    if (!q->met || memcmp(q->other_boot_id, b->boot_id, sizeof b->boot_id) != 0) {
        news->reset = q->met;
        q->met = true;
        memcpy(q->other_boot_id, b->boot_id, sizeof q->other_boot_id);
        memset(&q->have, 0, sizeof q->have);
        memset(q->hashes, 0, sizeof q->hashes);
        q->forked = false;
    }
    bool renumbered = news->reset;
    if (b->has_ack) {
        take_ack(q, b, news);
    }
    enum err err = b->seq > 0 ? take_content(q, b, news) : ERR_OK;
    q->forked |= news->reset && !renumbered;
    q->owes_ack &= !q->forked;
    /* After the content: it was sent when all below were settled, but itself was not. */
    if (err == ERR_OK && b->settled > 0) {
        if (b->settled - q->have.cum > ACK_WINDOW && b->settled > q->have.cum) {
            return ERR_TOO_FAR_AHEAD;
        }
        ack_raise(&q->have, b->settled);
    }
    return err;
}

static void save_set(const struct ack_set *a, struct writer *w)
{
    writer_u64(w, a->cum);
    writer_u16(w, a->used);
    writer_slice(w, ack_bitmap(a));
}

static void load_set(struct ack_set *a, struct reader *r)
{
    uint64_t cum = reader_u64(r);
    struct slice bitmap = reader_bytes(r, reader_u16(r));
    if (r->err == ERR_OK && !ack_from(a, cum, bitmap)) {
        reader_fail(r, ERR_CORRUPT);
    }
}

void sequence_save(const struct sequence *q, struct writer *w)
{
    writer_u8(w, (uint8_t)((q->met ? FLAG_MET : 0) | (q->owes_ack ? FLAG_OWES_ACK : 0) |
                           (q->forked ? FLAG_FORKED : 0)));
    writer_bytes(w, q->boot_id, sizeof q->boot_id);
    writer_u64(w, q->seq);
    writer_bytes(w, q->last_hash, sizeof q->last_hash);
    save_set(&q->acked, w);
    writer_u64(w, q->told_cum);
    writer_bytes(w, q->other_boot_id, sizeof q->other_boot_id);
    save_set(&q->have, w);
    uint8_t count = 0;
    for (size_t i = 0; i < SEQUENCE_HASHES; i++) {
        count = (uint8_t)(count + (q->hashes[i].seq > 0 ? 1 : 0));
    }
    writer_u8(w, count);
    for (size_t i = 0; i < SEQUENCE_HASHES; i++) {
        if (q->hashes[i].seq > 0) {
            writer_u64(w, q->hashes[i].seq);
            writer_u8(w, q->hashes[i].came ? 1 : 0);
            writer_bytes(w, q->hashes[i].hash, BODY_HASH);
        }
    }
}

static void load_hashes(struct sequence *q, struct reader *r)
{
    size_t count = reader_u8(r);
    if (count > SEQUENCE_HASHES) {
        reader_fail(r, ERR_CORRUPT);
        return;
    }
    for (size_t i = 0; i < count && r->err == ERR_OK; i++) {
        uint64_t seq = reader_u64(r);
        struct sequence_hash *h = place(q, seq);
        if (seq == 0 || h->seq != 0) {
            reader_fail(r, ERR_CORRUPT);
            return;
        }
        h->seq = seq;
        uint8_t came = reader_u8(r);
        h->came = came == 1;
        reader_copy(r, h->hash, BODY_HASH);
        if (came > 1) {
            reader_fail(r, ERR_CORRUPT);
        }
    }
}

void sequence_load(struct sequence *q, struct reader *r)
{
    memset(q, 0, sizeof *q);
    uint8_t flags = reader_u8(r);
    reader_copy(r, q->boot_id, sizeof q->boot_id);
    q->seq = reader_u64(r);
    reader_copy(r, q->last_hash, sizeof q->last_hash);
    load_set(&q->acked, r);
    q->told_cum = reader_u64(r);
    reader_copy(r, q->other_boot_id, sizeof q->other_boot_id);
    load_set(&q->have, r);
    load_hashes(q, r);
    q->met = (flags & FLAG_MET) != 0;
    q->owes_ack = (flags & FLAG_OWES_ACK) != 0;
    q->forked = (flags & FLAG_FORKED) != 0;
    if (flags > (FLAG_MET | FLAG_OWES_ACK | FLAG_FORKED) || ack_top(&q->acked) > q->seq ||
        q->told_cum > q->acked.cum || q->seq > UINT64_MAX - 2 * ACK_WINDOW) {
        reader_fail(r, ERR_CORRUPT);
    }
}
