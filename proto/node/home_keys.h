/* SPDX-License-Identifier: Apache-2.0
 *
 * home_keys: the keys that the row of our own relay stands for: of our membership, our queue, our
 * record, and of the tokens for the latter two. docs/protocol/07-node.md, section 1.
 */
#ifndef PETREL_NODE_HOME_KEYS_H
#define PETREL_NODE_HOME_KEYS_H

#include <stdint.h>

#include "crypto/prim.h"
#include "node/rows.h"
#include "relay/token.h"

/* The keys that sign requests to our relay. Wipe after use. */
struct home_signers {
    struct sign_pk member_pk;
    struct sign_sk member;
    struct sign_pk queue_pk;
    struct sign_sk queue;
    struct sign_pk record_pk;
    struct sign_sk record;
};

void home_signers_open(const struct relay_row *row, struct home_signers *signers);
/* Public keys of our queue and record. */
void home_queue(const struct relay_row *row, struct sign_pk *queue);
void home_record(const struct relay_row *row, struct sign_pk *record);
/* A queue in 8 bytes, to tell ours apart; never 0. */
uint64_t home_queue_mark(const struct sign_pk *queue);
/* The keys of tokens for one target (our queue or record), derived from the row. Wipe after use. */
void home_token_keys(const struct relay_row *row, const struct sign_pk *target, struct token_key *k,
                     struct token_siv_key *siv);

#endif
