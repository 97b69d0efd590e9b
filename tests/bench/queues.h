/* SPDX-License-Identifier: Apache-2.0
 *
 * queues: queues on a relay, and rows of spent tokens in them, written into its database before it
 * starts, with the relay's own code for rows.
 */
#ifndef PETREL_TESTS_BENCH_QUEUES_H
#define PETREL_TESTS_BENCH_QUEUES_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/prim.h"
#include "relay/token.h"

struct bench_queue {
    struct sign_pk pk;
    struct sign_sk sk;
    struct token_key k;
    struct token_siv_key siv;
    uint32_t counter; /* of the last token that was minted */
};

/* Makes count queues (the caller frees them) in <home>, which must not exist, and spreads so many
 * spent rows over them. */
struct bench_queue *queues_make(const char *home, size_t count, uint64_t spent);
/* A token of the queue that was never used. */
struct token queues_token(struct bench_queue *q);

#endif
