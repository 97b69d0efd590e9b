/* SPDX-License-Identifier: Apache-2.0
 *
 * voiding: the tokens that a blocked contact still holds stop working at our relay.
 * docs/protocol/07-node.md, section 3; chapter 4, section 6.6.
 *
 * Only tokens are named that did not come back: naming one tells our relay that it belongs together
 * with the others, and so of a spent one, which of the envelopes that it took were this contact's.
 *
 * What is to be voided is a row of its own (STORE_VOIDING), so that it goes on after a restart, and
 * also when the contact is taken back meanwhile: those tokens are given up in any case. One request
 * of at most LIMIT_VOID_NONCES nonces is unanswered at a time.
 */
#ifndef PETREL_NODE_VOIDING_H
#define PETREL_NODE_VOIDING_H

#include "node/core.h"

/* Begins with all tokens of this contact that are out; none is after that. The caller puts row. */
enum err voiding_begin(struct account *me, struct step *step, struct peer_row *row) PETREL_MUST_USE;
/* The relay took this token of the contact after all: if it waits to be voided, it need not be. */
enum err voiding_spent(struct account *me, struct step *step, uint32_t peer,
                       uint32_t counter) PETREL_MUST_USE;
/* Sends the next request, when there is something to void and the relay can be asked. */
enum err voiding_progress(struct account *me, struct step *step) PETREL_MUST_USE;
/* The relay's answer. ERR_REFUSED: it thinks that this link is not attached. An error other than
 * LOCAL closes the link. */
enum err voiding_reply(struct account *me, struct step *step, struct slice body) PETREL_MUST_USE;

#endif
