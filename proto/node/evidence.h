/* SPDX-License-Identifier: Apache-2.0
 *
 * evidence: what a relay signed for although the contact never acknowledged it: kept when the
 * outbox gives the entry up, or has to deposit it again although they were there meanwhile.
 * docs/protocol/07-node.md, section 4.
 *
 * Row: STORE_EVIDENCE, account | made u64 (Unix ms) | contact u32 | order u64. The last two are the
 * entry's place in the outbox. What is acknowledged end to end after all leaves no row.
 */
#ifndef PETREL_NODE_EVIDENCE_H
#define PETREL_NODE_EVIDENCE_H

#include "node/content.h"
#include "node/peer_rows.h"
#include "relay/receipt.h"

struct evidence {
    uint64_t made; /* Unix ms; this, peer and order are the key */
    uint32_t peer;
    uint64_t contact; /* whose device that is */
    uint64_t order;
    uint8_t message[CONTENT_ID];
    struct address relay; /* that signed, */
    struct sign_pk queue; /* for this queue, */
    uint8_t envelope[RECEIPT_HASH];
    struct slice receipt; /* this, encoded; it verifies; in the turn's arena */
    uint64_t heard_ms;    /* then the peer was heard without having it; 0: not heard since */
    uint64_t given_up;    /* enum err: why the entry is not in the outbox; 0: it is there */
};

/* When an envelope came of the contact, at least LIMIT_EVIDENCE_HEARD_MS behind the receipt of this
 * entry, which they would have had by then; 0: none came. */
uint64_t evidence_heard_ms(const struct peer_row *row, const struct outbox_row *entry);
/* What an entry of the outbox is evidence of, if it is not acknowledged. ERR_NOT_FOUND: of nothing.
 * No relay signed for its envelope in the queue where the contact is now; or the contact never
 * answered in its session: who was not accepted is not acknowledged to. */
enum err evidence_of(const struct peer_row *row, uint64_t order, const struct outbox_row *entry,
                     struct evidence *out) PETREL_MUST_USE;
/* Keeps it. why: the entry is given up; ERR_OK: it stays. A row that there is keeps its receipt.
 * Sets entry->evidence_ms; the caller puts or deletes the entry. */
enum err evidence_note(struct step *step, struct seal_keys *keys, const struct peer_row *row,
                       uint64_t order, struct outbox_row *entry, enum err why) PETREL_MUST_USE;
/* The entry was acknowledged end to end. */
enum err evidence_drop(struct step *step, struct seal_keys *keys, uint32_t peer, uint64_t order,
                       const struct outbox_row *entry) PETREL_MUST_USE;
/* The row behind the one with the key in *at: the oldest first. ERR_NOT_FOUND: that was the last.
 */
enum err evidence_next(struct step *step, struct seal_keys *keys,
                       struct evidence *at) PETREL_MUST_USE;
/* Removes what is older than LIMIT_EVIDENCE_DAYS, and the oldest beyond LIMIT_EVIDENCE_ROWS,
 * LIMIT_SWEEP_ROWS at a time; *more: call again. */
enum err evidence_trim(struct step *step, struct seal_keys *keys, bool *more) PETREL_MUST_USE;

#endif
