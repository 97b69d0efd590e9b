/* SPDX-License-Identifier: Apache-2.0 */
#include "node/home_keys.h"

#include "base/secret.h"

void home_signers_open(const struct relay_row *row, struct home_signers *s)
{
    prim_sign_keypair(&s->member_pk, &s->member, row->member);
    prim_sign_keypair(&s->queue_pk, &s->queue, row->queue);
    prim_sign_keypair(&s->record_pk, &s->record, row->record);
}

static void public_of(const uint8_t seed[32], struct sign_pk *pk)
{
    struct sign_sk sk;
    prim_sign_keypair(pk, &sk, seed);
    secret_wipe(&sk, sizeof sk);
}

void home_queue(const struct relay_row *row, struct sign_pk *queue)
{
    public_of(row->queue, queue);
}

void home_record(const struct relay_row *row, struct sign_pk *record)
{
    public_of(row->record, record);
}

uint64_t home_queue_mark(const struct sign_pk *queue)
{
    uint64_t mark = 0;
    for (size_t i = 0; i < sizeof mark; i++) {
        mark = mark << 8 | queue->b[i];
    }
    return mark == 0 ? 1 : mark;
}

void home_token_keys(const struct relay_row *row, const struct sign_pk *target, struct token_key *k,
                     struct token_siv_key *siv)
{
    struct slice part = slice_of(target->b, sizeof target->b);
    prim_blake2b(k->b, sizeof k->b, slice_of(row->token_key, sizeof row->token_key),
                 "petrel/1 token key", &part, 1);
    prim_blake2b(siv->b, sizeof siv->b, slice_of(row->siv_key, sizeof row->siv_key),
                 "petrel/1 token siv key", &part, 1);
}
