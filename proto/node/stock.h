/* SPDX-License-Identifier: Apache-2.0
 *
 * stock: how many tokens for our queue a contact may hold, and how many it may still hold.
 * docs/protocol/07-node.md, section 4.
 *
 * A token is out from the moment that it is minted until an envelope of the contact brings it back,
 * or until the relay takes it no more: the end of the epoch behind its own. So who keeps tokens
 * back, in whatever order the others are used, gets no more in their place, and what was lost is
 * made good when its epoch is over. Works on a contact's row, which the caller puts.
 *
 * How many are out is a count; which ones is a set (node/held.h), for voiding alone.
 */
#ifndef PETREL_NODE_STOCK_H
#define PETREL_NODE_STOCK_H

#include "node/peer_rows.h"

/* Tokens that the contact may still hold. */
uint32_t stock_out(struct peer_row *row, uint64_t now_ms);
/* Tokens that may be minted for it now: up to its stock. */
uint32_t stock_room(struct peer_row *row, uint64_t now_ms);
/* Its stock has grown and is half empty: worth a body of its own. */
bool stock_is_low(struct peer_row *row, uint64_t now_ms);
/* Its token with this counter came back, with an envelope that the relay took at spent_ms. The
 * stock doubles, up to LIMIT_TOKEN_STOCK_MAX, when as many came back within a day. */
void stock_came_back(struct peer_row *row, uint32_t counter, uint64_t now_ms, uint64_t spent_ms);
/* It paid a stamp: it has no token left. When many are out by our count they were lost, and the
 * stock doubles, up to the same bound. */
void stock_was_empty(struct peer_row *row, uint64_t now_ms);
/* The n counters behind row->minted were given to it. */
enum err stock_made(struct arena *arena, struct peer_row *row, uint32_t n) PETREL_MUST_USE;
/* The relay took its token with this counter: it needs no voiding. */
enum err stock_spent(struct arena *arena, struct peer_row *row, uint32_t counter) PETREL_MUST_USE;
/* row->held is what it holds now. */
enum err stock_held(struct arena *arena, struct peer_row *row, uint64_t now_ms) PETREL_MUST_USE;
/* Whether this one did not come back yet, as far as is known. */
bool stock_holds(const struct peer_row *row, uint32_t counter);
/* What it holds is worth nothing any more. */
void stock_reset(struct peer_row *row);

#endif
