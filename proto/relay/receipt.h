/* SPDX-License-Identifier: Apache-2.0
 *
 * receipt: what a relay signs for an envelope that it stored: that it keeps it for the owner of
 * this queue until then. One signature a turn, over the root of a Merkle tree of all envelopes of
 * that turn (the tree of RFC 6962, section 2.1, with BLAKE2b-256). docs/protocol/04-relay.md,
 * section 4.6.7.
 *
 * Whoever holds envelope and receipt can show both to others; the receipt alone names no queue.
 */
#ifndef PETREL_RELAY_RECEIPT_H
#define PETREL_RELAY_RECEIPT_H

#include <stdint.h>

#include "relay/wire.h"

#define RECEIPT_LABEL "petrel/1 receipt"

enum {
    RECEIPT_HASH = 32,
    RECEIPT_SALT = 16,
    RECEIPT_PATH = 16, /* hashes: enough for 65,536 envelopes in a turn */
};

struct receipt {
    uint8_t salt[RECEIPT_SALT];
    uint64_t until_ms; /* the envelope is kept until then, unless it is fetched before; Unix */
    uint64_t time_ms;  /* of the signature; Unix */
    uint32_t index;    /* of the leaf, from 0 */
    uint32_t count;    /* of leaves */
    uint8_t sig[PRIM_SIGNATURE];
    unsigned npath;
    uint8_t path[RECEIPT_PATH][RECEIPT_HASH]; /* lowest sibling first */
};

/* H(0x00 | salt | queue | envelope hash | until). envelope_hash: BLAKE2b-256 of the envelope. */
void receipt_leaf(uint8_t leaf[static RECEIPT_HASH], const struct receipt *receipt,
                  const struct sign_pk *queue, const uint8_t envelope_hash[static RECEIPT_HASH]);

/* All levels of a tree, the leaves first. */
struct receipt_tree {
    const uint8_t (*levels[RECEIPT_PATH + 1])[RECEIPT_HASH];
    uint32_t counts[RECEIPT_PATH + 1];
    unsigned height; /* the root is levels[height][0] */
};

/* leaves: count of them, kept by the caller while the tree is used; the rest is in arena.
 * ERR_ARGUMENT: none, or too many; ERR_NO_MEMORY. */
enum err receipt_tree_make(struct receipt_tree *tree, struct arena *arena,
                           const uint8_t (*leaves)[RECEIPT_HASH], uint32_t count) PETREL_MUST_USE;
/* The signature over the root, count and time. */
enum err receipt_tree_sign(const struct receipt_tree *tree, uint64_t time_ms,
                           const struct sign_sk *node,
                           uint8_t sig[static PRIM_SIGNATURE]) PETREL_MUST_USE;
/* Fills in index, count and path of the leaf with this index. */
void receipt_tree_path(const struct receipt_tree *tree, uint32_t index, struct receipt *receipt);

/* At most RELAY_RECEIPT bytes. */
void receipt_write(struct writer *w, const struct receipt *receipt);
/* Form only. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err receipt_read(struct slice bytes, struct receipt *receipt) PETREL_MUST_USE;
/* Whether this relay signed for the envelope with this hash in this queue. ERR_BAD_SIGNATURE,
 * ERR_BAD_KEY (node is no public key). */
enum err receipt_verify_hash(const struct receipt *receipt, const struct sign_pk *node,
                             const struct sign_pk *queue,
                             const uint8_t envelope_hash[static RECEIPT_HASH]) PETREL_MUST_USE;
/* The same for the envelope itself. */
enum err receipt_verify(const struct receipt *receipt, const struct sign_pk *node,
                        const struct sign_pk *queue, struct slice envelope) PETREL_MUST_USE;

#endif
